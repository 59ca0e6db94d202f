//! One resource of a finished look, in words: what was asked of it, what was concluded, and from what.

use std::path::{Path, PathBuf};

use super::checks::{meaning, question};
use crate::escape::unescape_cell;
use crate::readers::rows::Rows;
use crate::source::FileFault;

/// A row of `settings.csv`, with what it means.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExplainedRow {
    /// What it is about.
    pub resource: String,
    /// The check.
    pub check: String,
    /// What the check asks.
    pub question: &'static str,
    /// The verdict.
    pub verdict: String,
    /// The reason.
    pub reason: String,
    /// What the reason says.
    pub meaning: &'static str,
    /// What the standard asks for.
    pub expected: String,
    /// What is there: values, or the statements that decided.
    pub actual: String,
    /// The files that it rests on.
    pub source: String,
    /// When the oldest of what they say was so.
    pub observed_at: String,
    /// The exception that covers it.
    pub exception: String,
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainSettingsError {
    /// The list of conclusions.
    #[error("cannot read {}: {fault}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        fault: FileFault,
    },
    /// It is no list of conclusions.
    #[error("not the output of settings: {}", .0.display())]
    NoRows(PathBuf),
}

/// How many columns `settings.csv` has.
const WIDTH: usize = 13;

/// The rows of a resource, and of one check if it is named.
pub fn explain_settings(
    folder: &Path,
    resource: &str,
    check: Option<&str>,
) -> Result<Vec<ExplainedRow>, ExplainSettingsError> {
    let path = folder.join("settings.csv");
    let fail = |fault| ExplainSettingsError::Read { path: path.clone(), fault };
    let no_rows = || ExplainSettingsError::NoRows(path.clone());
    let mut rows = Rows::open(&path, WIDTH).map_err(fail)?;
    let mut found = Vec::new();
    let mut is_header = true;
    while let Some(row) = rows.next_row().map_err(fail)? {
        let fields = row.fields.map_err(|_| no_rows())?;
        let cells: Option<Vec<String>> = (0..WIDTH).map(|at| decoded(fields.get(Some(at)))).collect();
        let cells = cells.ok_or_else(no_rows)?;
        if std::mem::take(&mut is_header) {
            if cells.get(2).map(String::as_str) != Some("resource") {
                return Err(no_rows());
            }
            continue;
        }
        let explained = explained(&cells).ok_or_else(no_rows)?;
        if explained.resource == resource && check.is_none_or(|check| check == explained.check) {
            found.push(explained);
        }
    }
    Ok(found)
}

fn decoded(cell: &[u8]) -> Option<String> {
    String::from_utf8(unescape_cell(std::str::from_utf8(cell).ok()?)?).ok()
}

fn explained(cells: &[String]) -> Option<ExplainedRow> {
    let [_, _, resource, check, verdict, reason, expected, actual, source, observed_at, _, _, exception] = cells else {
        return None;
    };
    Some(ExplainedRow {
        resource: resource.clone(),
        check: check.clone(),
        question: question(check),
        verdict: verdict.clone(),
        reason: reason.clone(),
        meaning: meaning(reason),
        expected: expected.clone(),
        actual: actual.clone(),
        source: source.clone(),
        observed_at: observed_at.clone(),
        exception: exception.clone(),
    })
}
