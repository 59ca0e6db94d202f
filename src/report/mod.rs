//! What people and programs take away from an audit.

mod campaign;
mod summary;
pub(crate) mod text;

pub use campaign::render_campaign;
pub use summary::{
    AccountLine, AccountLines, AuditFacts, ByteCounts, Counts, Coverage, GroupLine, LaneLine, MonthLine, MonthLines,
    Outcome, OutcomeReason, PolicyFacts, RemediationFacts, RuleFacts, RuleLine, Run, Scope, SourceFacts, SourceLine,
    Summary, Timing, ToolFacts,
};
pub use text::{Style, render};
