//! `faults.jsonl`: what could not be examined, where, and why.

use serde::Serialize;

/// One line of `faults.jsonl`.
#[derive(Serialize)]
struct FaultLine<'a> {
    /// A name that does not change between versions.
    what: &'a str,
    /// Where it is.
    r#where: FaultPlace<'a>,
    /// A sentence for people.
    why: &'a str,
}

/// Where a fault is.
#[derive(Serialize)]
struct FaultPlace<'a> {
    /// What results call the source.
    source: &'a str,
    /// The data file, as the manifest names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    /// The row in the file, from 1 on; of a CSV file the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u64>,
}

/// Appends the line. Texts must have been escaped.
pub(crate) fn push_fault(
    lines: &mut Vec<u8>,
    what: &str,
    source: &str,
    file: Option<&str>,
    row: Option<u64>,
    why: &str,
) {
    let line = FaultLine { what, r#where: FaultPlace { source, file, row }, why };
    // Plain texts and numbers always serialise, and writing to a vector cannot fail.
    let _ = serde_json::to_writer(&mut *lines, &line);
    lines.push(b'\n');
}
