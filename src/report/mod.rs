//! Results for people: each at most 80 columns wide, the outcome first, what to do next last.

mod audit;
mod digests;
mod reconcile;
mod settings;

use std::fmt;

use crate::assumptions::AssumptionLine;
pub use crate::words::Style;
use crate::words::Text;

pub use audit::render_audit;
pub use digests::render_digests;
pub use reconcile::render_reconciliation;
pub use settings::{render_explained_settings, render_settings};

/// What the outcome takes for granted.
fn assumptions(text: &mut Text, assumptions: &[AssumptionLine]) -> fmt::Result {
    for (at, assumption) in assumptions.iter().enumerate() {
        text.wrapped(if at == 0 { "Assumes" } else { "" }, &assumption.sentence())?;
    }
    Ok(())
}
