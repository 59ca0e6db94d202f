//! The rows of reports, held against the objects of manifests.
//!
//! A report may name a key as the manifest did (`%XX`), form-encoded, or raw, and nothing says which. So every reading of
//! a key is looked up. Where several readings name objects, the one decides that an unambiguous row of the same file
//! had; without one, the row counts for nobody.

use std::collections::HashMap;

use serde::Serialize;

use super::faults::Faults;
use super::manifests::decode_percent;
use super::objects::{ObjectHasher, ObjectId, Objects, Version};
use super::reports::{Columns, ReportFile};
use super::rows::{Fields, NoRow, Rows};
use super::state::{Evidence, FailureId, Operation};
use crate::engine::Cancel;
use crate::escape::escape;
use crate::object_key::decode_form;
use crate::source::FileFault;

/// How many reasons of failures are told apart.
const MAX_FAILURES: usize = 200;
/// How much of a code and of a message is kept.
const MAX_CODE_LEN: usize = 64;
const MAX_MESSAGE_LEN: usize = 300;

/// How many rows of reports there are, of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RowCounts {
    /// All of them, the rejected ones too.
    pub rows: u64,
    /// Rows about objects of manifests that say `succeeded`.
    pub succeeded: u64,
    /// Rows about objects of manifests that say `failed`.
    pub failed: u64,
    /// Rows about objects that no manifest names.
    pub unknown: u64,
    /// Rows whose key can be read in two ways, each of which names an object.
    pub ambiguous: u64,
    /// Rows of jobs that put no object right.
    pub other_operation: u64,
    /// Rows that say nothing that can be used.
    pub rejected: u64,
}

/// Why objects fail.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) list: Vec<Failure>,
    ids: HashMap<(String, String), FailureId>,
}

/// One reason for failures. Texts are escaped.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) http_status: String,
    pub(super) message: String,
}

impl Failures {
    /// All failures beyond those that are told apart.
    pub(super) const OTHER: FailureId = FailureId(MAX_FAILURES as u16);

    fn id(&mut self, code: &[u8], http_status: &[u8], message: &[u8]) -> FailureId {
        let shown = |text: &[u8], len: usize| escape(&text[..text.len().min(len)]).into_owned();
        let (code, http_status) = (shown(code, MAX_CODE_LEN), shown(http_status, MAX_CODE_LEN));
        let name = (code, http_status);
        if let Some(id) = self.ids.get(&name) {
            return *id;
        }
        if self.list.len() == MAX_FAILURES {
            return Self::OTHER;
        }
        let id = FailureId(self.list.len() as u16);
        let (code, http_status) = name.clone();
        self.list.push(Failure { code, http_status, message: shown(message, MAX_MESSAGE_LEN) });
        self.ids.insert(name, id);
        id
    }
}

/// How a report writes keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyForm {
    /// `%XX` for a byte.
    Percent,
    /// The same, and `+` for a space.
    Form,
    /// As it is.
    Raw,
}

/// What a row says, checked.
struct Said<'r> {
    bucket: &'r [u8],
    key: &'r [u8],
    version: &'r [u8],
    succeeded: bool,
    code: &'r [u8],
    http_status: &'r [u8],
    message: &'r [u8],
}

/// Holds rows against objects.
pub(super) struct Matcher<'m> {
    objects: &'m Objects,
    hasher: &'m ObjectHasher,
    pub(super) failures: Failures,
    pub(super) counts: RowCounts,
    decoded: Vec<u8>,
}

/// What a row names.
enum Named {
    One(ObjectId),
    Nothing,
    Several,
}

impl<'m> Matcher<'m> {
    pub(super) fn new(objects: &'m Objects, hasher: &'m ObjectHasher) -> Self {
        let (failures, counts) = (Failures::default(), RowCounts::default());
        Self { objects, hasher, failures, counts, decoded: Vec::new() }
    }

    /// Reads a file to its end. What was read before a fault counts: a report says what was done, row by row.
    pub(super) fn read(&mut self, file: &ReportFile, faults: &mut Faults, cancel: &Cancel) -> Result<(), FileFault> {
        let Some(columns) = &file.job.columns else { return Ok(()) };
        file.check(&|| cancel.is_cancelled())?;
        let (mut rows, mut form) = (Rows::open(&file.path, columns.width)?, None);
        while let Some(row) = rows.next_row()? {
            if cancel.is_cancelled() {
                break;
            }
            let said = row.fields.map_err(why_no_row).and_then(|fields| read_row(fields, columns));
            match said {
                Ok(None) => {}
                Ok(Some(said)) => {
                    self.counts.rows += 1;
                    self.note(&said, file.job.operation, &mut form);
                }
                Err((what, why)) => {
                    self.counts.rows += 1;
                    self.counts.rejected += 1;
                    faults.add_row(what, &file.path, row.line, why);
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, said: &Said<'_>, operation: Operation, form: &mut Option<KeyForm>) {
        if operation == Operation::Other {
            self.counts.other_operation += 1;
            return;
        }
        let id = match self.find(said, form) {
            Named::One(id) => id,
            Named::Nothing => {
                self.counts.unknown += 1;
                return;
            }
            Named::Several => {
                self.counts.ambiguous += 1;
                return;
            }
        };
        let evidence = if said.succeeded {
            self.counts.succeeded += 1;
            Evidence::Succeeded(operation)
        } else {
            self.counts.failed += 1;
            Evidence::Failed(operation, self.failures.id(said.code, said.http_status, said.message))
        };
        self.objects.note(id, evidence);
    }

    /// The object that a row names, by every reading of its key.
    fn find(&mut self, said: &Said<'_>, form: &mut Option<KeyForm>) -> Named {
        let mut found: Vec<(KeyForm, ObjectId)> = Vec::with_capacity(3);
        for &reading in readings(said.key) {
            match self.find_as(said, reading) {
                Named::Several => return Named::Several,
                Named::One(id) if found.iter().all(|(_, other)| *other != id) => found.push((reading, id)),
                _ => {}
            }
        }
        match found.as_slice() {
            [] => Named::Nothing,
            [(reading, id)] => {
                // A key that is the same in every form tells nothing.
                if readings(said.key).len() > 1 {
                    form.get_or_insert(*reading);
                }
                Named::One(*id)
            }
            several => {
                let known = several.iter().find(|(reading, _)| Some(*reading) == *form);
                known.map_or(Named::Several, |(_, id)| Named::One(*id))
            }
        }
    }

    fn find_as(&mut self, said: &Said<'_>, form: KeyForm) -> Named {
        self.decoded.clear();
        let decoded = &mut self.decoded;
        let is_key = match form {
            KeyForm::Percent => decode_percent(said.key, decoded),
            KeyForm::Form => decode_form(said.key, decoded),
            KeyForm::Raw => {
                decoded.extend_from_slice(said.key);
                true
            }
        };
        let key_len = decoded.len();
        // Neither buckets nor version ids have a % of their own.
        if !is_key || !decode_percent(said.bucket, decoded) {
            return Named::Nothing;
        }
        let bucket_end = decoded.len();
        if !decode_percent(said.version, decoded) {
            return Named::Nothing;
        }
        let (key, bucket) = (&decoded[..key_len], &decoded[key_len..bucket_end]);
        let find = |version| self.objects.find(self.hasher.hash(bucket, key, version));
        let version = Version::of(&decoded[bucket_end..]);
        match (find(version), find(Version::Unnamed)) {
            (None, None) => Named::Nothing,
            (Some(id), None) | (None, Some(id)) => Named::One(id),
            // A row that names a version is about that version.
            (Some(id), Some(_)) if version != Version::Null => Named::One(id),
            (Some(_), Some(_)) => Named::Several,
        }
    }
}

/// The readings of a key that differ, the most likely one first.
fn readings(key: &[u8]) -> &'static [KeyForm] {
    match (memchr::memchr(b'%', key), memchr::memchr(b'+', key)) {
        (None, None) => &[KeyForm::Raw],
        (Some(_), None) => &[KeyForm::Percent, KeyForm::Raw],
        (None, Some(_)) => &[KeyForm::Raw, KeyForm::Form],
        (Some(_), Some(_)) => &[KeyForm::Percent, KeyForm::Form, KeyForm::Raw],
    }
}

/// Reads a row; one that only names the columns is none.
fn read_row<'r>(fields: Fields<'r>, columns: &Columns) -> Result<Option<Said<'r>>, (&'static str, &'static str)> {
    let status = fields.get(columns.status).trim_ascii();
    let succeeded = match () {
        () if status.eq_ignore_ascii_case(b"succeeded") => true,
        () if status.eq_ignore_ascii_case(b"failed") => false,
        () if status.eq_ignore_ascii_case(b"taskstatus") => return Ok(None),
        () => return Err(("row_bad_status", "its TaskStatus is neither succeeded nor failed")),
    };
    let (bucket, key) = (fields.get(columns.bucket), fields.get(columns.key));
    if bucket.is_empty() || key.is_empty() {
        return Err(("row_no_key", "it names no object: its bucket or its key is blank"));
    }
    let (code, http_status) = in_order(fields.get(columns.code), fields.get(columns.http));
    if succeeded && matches!(http_status, [b'3'..=b'9', _, _]) && is_http_status(http_status) {
        return Err(("row_contradiction", "it says that it succeeded, with an HTTP status of a failure"));
    }
    let (version, message) = (fields.get(columns.version), fields.get(columns.message));
    Ok(Some(Said { bucket, key, version, succeeded, code, http_status, message }))
}

/// Error code and HTTP status: examples of AWS have them the other way round.
fn in_order<'r>(code: &'r [u8], http_status: &'r [u8]) -> (&'r [u8], &'r [u8]) {
    let (code, http_status) = (code.trim_ascii(), http_status.trim_ascii());
    if is_http_status(code) && !is_http_status(http_status) { (http_status, code) } else { (code, http_status) }
}

fn is_http_status(text: &[u8]) -> bool {
    text.len() == 3 && text.iter().all(u8::is_ascii_digit)
}

fn why_no_row(why: NoRow) -> (&'static str, &'static str) {
    match why {
        NoRow::Ragged => ("row_ragged", "it does not have as many fields as the report has columns"),
        NoRow::Quoting => ("row_bad_quoting", "a quote is not closed, or text stands beside a quoted field"),
        NoRow::TooLong => ("row_too_long", "it is longer than any row of a report"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_columns_are_put_in_order() {
        let order = |code: &'static str, http: &'static str| in_order(code.as_bytes(), http.as_bytes());
        assert_eq!(order("AccessDenied", "403"), (&b"AccessDenied"[..], &b"403"[..]));
        assert_eq!(order("403", "AccessDenied"), (&b"AccessDenied"[..], &b"403"[..]));
        assert_eq!(order("403", ""), (&b""[..], &b"403"[..]));
        assert_eq!(order("403", "404"), (&b"403"[..], &b"404"[..]));
    }

    #[test]
    fn codes_are_told_apart_up_to_a_bound() {
        let mut failures = Failures::default();
        let ids: Vec<_> = (0..1000).map(|n: u32| failures.id(n.to_string().as_bytes(), b"500", b"\x1b[31m")).collect();
        assert_eq!((failures.list.len(), failures.ids.len()), (MAX_FAILURES, MAX_FAILURES));
        assert_eq!((ids[0], ids[MAX_FAILURES]), (FailureId(0), Failures::OTHER));
        assert_eq!(failures.id(b"7", b"500", b""), FailureId(7));
        assert_eq!(failures.list[0].message, "\\x1b[31m");
        let long = failures.id(&b"7".repeat(1 << 20), b"", b"");
        assert_eq!(long, Failures::OTHER);
    }
}
