//! Results for people: each at most 80 columns wide, the outcome first, what to do next last.

mod audit;
mod digests;
mod figures;
mod page;
mod reconcile;
mod settings;
mod statement;

use std::fmt;

use crate::assumptions::AssumptionLine;
use crate::outcome::Outcome;
use crate::policy::Reason;
pub use crate::words::Style;
use crate::words::Text;

pub use audit::render_audit;
pub use digests::render_digests;
pub use page::{WritePageError, render_page, write_page};
pub use reconcile::render_reconciliation;
pub use settings::{render_explained_settings, render_settings};
pub use statement::{StatementForm, render_statement};

use audit::severity_name;

/// What a reason means, by its name in results.
fn reason_text(name: &str) -> &'static str {
    let known = Reason::ALL.iter().find(|reason| reason.as_str() == name);
    known.map_or("", |reason| audit::short_why(*reason))
}

/// How the outcome of a part is called within a sentence.
fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Violations => "violations found",
        Outcome::Incomplete | Outcome::Partial => "not proven",
    }
}

/// What the outcome takes for granted.
fn assumptions(text: &mut Text, assumptions: &[AssumptionLine]) -> fmt::Result {
    for (at, assumption) in assumptions.iter().enumerate() {
        text.wrapped(if at == 0 { "Assumes" } else { "" }, &assumption.sentence())?;
    }
    Ok(())
}
