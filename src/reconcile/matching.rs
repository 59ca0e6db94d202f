//! The rows of reports, held against the objects that were wrong.
//!
//! A row counts for an object only if it can be about no other: it spells the key as manifests do, or the file shows that
//! it writes keys as they are, and it names the version that the manifest names. What another job may have done to an
//! object counts, too: nothing that was put right stays right whatever is done to it.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::audited::Audited;
use super::faults::Faults;
use super::jobs::{Action, Copied, Fit};
use super::objects::{KeyHash, ListId, ObjectHasher, ObjectId, Objects, Version};
use super::reports::ReportFile;
use super::state::{Evidence, FailureId};
use crate::escape::{
    escape,
    percent::{decode_form, decode_percent, push_percent_encoded},
};
use crate::readers::rows::{Fields, NoRow, Rows};
use crate::source::FileFault;
use crate::timestamp::Timestamp;
use crate::work::Cancel;

/// How many reasons of failures are told apart.
const MAX_FAILURES: usize = 200;
/// How much of a code and of a message is kept.
const MAX_CODE_LEN: usize = 64;
const MAX_MESSAGE_LEN: usize = 300;

/// How many rows of reports there are, of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RowCounts {
    /// All of them, the rejected ones too.
    pub rows: u64,
    /// Rows about objects of manifests that say `succeeded`.
    pub succeeded: u64,
    /// Rows about objects of manifests that say `failed`.
    pub failed: u64,
    /// Rows about objects that no manifest names.
    pub unknown: u64,
    /// Rows that contradict themselves, or may be about another object or another version than that of a manifest.
    pub ambiguous: u64,
    /// Rows of jobs that do something else than what is asked for.
    pub other_operation: u64,
    /// Rows of jobs of which nothing is known.
    pub unknown_operation: u64,
    /// Rows of reports that are older than the audit.
    pub outdated: u64,
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

/// How a report writes keys that need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyForm {
    /// As manifests do: `%XX` for a byte.
    Percent,
    /// The same, and `+` for a space.
    Form,
    /// As it is.
    Raw,
}

/// What is known of the form of all keys of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FileForm {
    #[default]
    Unknown,
    /// A key was found as a manifest spells it, and has no other meaning.
    Percent,
    /// A key has bytes that no encoding leaves.
    Raw,
}

/// What a row says, checked.
struct Said<'r> {
    bucket: &'r [u8],
    key: &'r [u8],
    version: &'r [u8],
    succeeded: bool,
    /// Whether it says that it failed, too.
    is_contradictory: bool,
    code: &'r [u8],
    http_status: &'r [u8],
    message: &'r [u8],
}

/// Holds rows against objects.
pub(super) struct Matcher<'m> {
    objects: &'m Objects,
    hasher: &'m ObjectHasher,
    audited: &'m Audited,
    pub(super) failures: Failures,
    pub(super) counts: RowCounts,
    /// When the newest report was made that says that objects were changed by other jobs.
    changed: Option<Timestamp>,
    /// Keys of which other jobs may have changed whichever version was current.
    pub(super) changed_keys: HashSet<KeyHash>,
    decoded: Vec<u8>,
}

/// What a row names.
#[derive(Default)]
struct Named {
    /// The object, if it can be no other.
    one: Option<ObjectId>,
    /// All that it may be about.
    any: Vec<ObjectId>,
    /// Whether other versions of such an object are known.
    is_near: bool,
}

impl<'m> Matcher<'m> {
    pub(super) fn new(objects: &'m Objects, hasher: &'m ObjectHasher, audited: &'m Audited) -> Self {
        let (failures, counts) = (Failures::default(), RowCounts::default());
        let changed_keys = HashSet::new();
        Self { objects, hasher, audited, failures, counts, changed: None, changed_keys, decoded: Vec::new() }
    }

    /// Reads a file to its end. Files come in the order in which their reports were made.
    pub(super) fn read(&mut self, file: &ReportFile, faults: &mut Faults, cancel: &Cancel) -> Result<(), FileFault> {
        file.check(&|| cancel.is_cancelled())?;
        let form = self.form_of(file, cancel)?;
        let fits: Vec<Fit> =
            self.audited.lists.iter().map(|list| file.report.job.fit(list.wanted.as_ref(), list.lane)).collect();
        let mut rows = Rows::open(&file.path, file.columns.width)?;
        while let Some(row) = rows.next_row()? {
            if cancel.is_cancelled() {
                break;
            }
            let said = row.fields.map_err(why_no_row).and_then(|fields| read_row(fields, file));
            match said {
                Ok(None) => {}
                Ok(Some(said)) => {
                    self.counts.rows += 1;
                    self.note(&said, file, form, &fits);
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

    fn note(&mut self, said: &Said<'_>, file: &ReportFile, form: FileForm, fits: &[Fit]) {
        let job = &file.report.job;
        // What was done before the audit looked has changed nothing since.
        let may_change = said.succeeded && self.audited.oldest().is_none_or(|oldest| file.made >= oldest);
        if let Some(Action::Copy(copied)) = job.action.as_ref().filter(|_| may_change) {
            self.note_copy(said, copied, file, form);
        }
        if may_change && said.version.is_empty() && job.names_versions != Some(true) {
            self.note_current(said, job.fit(None, None), form);
        }
        let named = self.find(said, job.names_versions, form);
        let fit = |id| self.objects.list_of(id).and_then(|ListId(at)| fits.get(usize::from(at)).copied());
        let Some(id) = named.one.filter(|_| !said.is_contradictory) else {
            let is_about_some = !named.any.is_empty() || named.is_near;
            *if is_about_some { &mut self.counts.ambiguous } else { &mut self.counts.unknown } += 1;
            // It may have been done to any of them.
            let is_changing = |id: &ObjectId| matches!(fit(*id), Some(Fit::Changing | Fit::Unknown) | None);
            let ids: Vec<ObjectId> = named.any.iter().copied().filter(is_changing).collect();
            ids.into_iter().filter(|_| may_change).for_each(|id| self.note_change(id, Evidence::Changed, file));
            return;
        };
        if self.is_outdated(said, file) {
            self.counts.outdated += 1;
            return;
        }
        match (fit(id), said.succeeded) {
            (Some(Fit::Own), true) => {
                self.counts.succeeded += 1;
                let is_last = job.created.is_some_and(|created| self.changed.is_none_or(|changed| changed < created));
                self.objects.note(id, Evidence::Done { is_last });
            }
            (Some(Fit::Own), false) => {
                self.counts.failed += 1;
                let failure = self.failures.id(said.code, said.http_status, said.message);
                self.objects.note(id, Evidence::Failed(failure));
            }
            (Some(Fit::Restore), true) => {
                self.counts.succeeded += 1;
                self.objects.note(id, Evidence::Restored);
            }
            (Some(Fit::Restore), false) => {
                self.counts.failed += 1;
                let failure = self.failures.id(said.code, said.http_status, said.message);
                self.objects.note(id, Evidence::NotRestored(failure));
            }
            (Some(Fit::Unknown), succeeded) => {
                self.counts.unknown_operation += 1;
                if succeeded {
                    self.note_change(id, Evidence::UnknownDone, file);
                } else {
                    self.objects.note(id, Evidence::UnknownFailed);
                }
            }
            (Some(Fit::Changing) | None, true) => {
                self.counts.other_operation += 1;
                self.note_change(id, Evidence::Changed, file);
            }
            (Some(Fit::Changing | Fit::Harmless) | None, _) => self.counts.other_operation += 1,
        }
    }

    fn note_change(&mut self, id: ObjectId, change: Evidence, file: &ReportFile) {
        self.objects.note(id, change);
        self.changed = self.changed.max(Some(file.made));
    }

    /// A job that names no version works on the current one, whose id nobody knows.
    fn note_current(&mut self, said: &Said<'_>, fit: Fit, form: FileForm) {
        if !matches!(fit, Fit::Changing | Fit::Unknown) {
            return;
        }
        for &reading in readings(said.key, form) {
            self.decoded.clear();
            if !decode(said.key, reading, &mut self.decoded) {
                continue;
            }
            let key_len = self.decoded.len();
            if !decode_percent(said.bucket, &mut self.decoded) {
                continue;
            }
            let key = self.hasher.key(&self.decoded[key_len..], &self.decoded[..key_len]);
            if self.objects.has_key(key) {
                self.changed_keys.insert(key);
            }
        }
    }

    /// What a copy writes is another object, or takes the place of the one that it copied: where it is not encrypted as
    /// that object should be, the object has been changed.
    fn note_copy(&mut self, said: &Said<'_>, copied: &Copied, file: &ReportFile, form: FileForm) {
        let mut written = Vec::new();
        for &reading in readings(said.key, form) {
            self.decoded.clear();
            self.decoded.extend_from_slice(copied.prefix.as_bytes());
            if !decode(said.key, reading, &mut self.decoded) {
                continue;
            }
            let hash = |version| self.hasher.hash(copied.bucket.as_bytes(), &self.decoded, version);
            written.extend(
                [Version::Null, Version::Unnamed].into_iter().filter_map(|version| self.objects.find(hash(version))),
            );
        }
        for id in written {
            let list = self.objects.list_of(id).and_then(|ListId(at)| self.audited.lists.get(usize::from(at)));
            let wanted = list.and_then(|list| list.wanted.as_ref()).and_then(Action::encryption);
            if wanted != Some(&copied.encryption) {
                self.note_change(id, Evidence::Changed, file);
            }
        }
    }

    /// Whether a report was made, or its job created, before the audit looked at the bucket.
    fn is_outdated(&mut self, said: &Said<'_>, file: &ReportFile) -> bool {
        self.decoded.clear();
        if !decode_percent(said.bucket, &mut self.decoded) {
            return true;
        }
        // Where nothing says when the audit looked, nothing is later.
        let Some(looked) = self.audited.created(&self.decoded) else { return true };
        file.made < looked || file.report.job.created.is_some_and(|created| created < looked)
    }

    /// Finds out how a file writes keys.
    fn form_of(&mut self, file: &ReportFile, cancel: &Cancel) -> Result<FileForm, FileFault> {
        let (mut rows, mut form) = (Rows::open(&file.path, file.columns.width)?, FileForm::Unknown);
        while let Some(row) = rows.next_row()? {
            if cancel.is_cancelled() {
                break;
            }
            let Ok(Ok(Some(said))) = row.fields.map(|fields| read_row(fields, file)) else { continue };
            if is_raw(said.key) {
                return Ok(FileForm::Raw);
            }
            if form == FileForm::Unknown && said.key.contains(&b'%') && is_as_manifests_write(said.key) {
                let only_percent = |(reading, found): &(KeyForm, Named)| match reading {
                    KeyForm::Percent => found.one.is_some(),
                    KeyForm::Form | KeyForm::Raw => found.any.is_empty(),
                };
                let found: Vec<_> = readings(said.key, FileForm::Unknown)
                    .iter()
                    .map(|&reading| (reading, self.find_as(&said, file.report.job.names_versions, reading)))
                    .collect();
                if found.iter().all(only_percent) {
                    form = FileForm::Percent;
                }
            }
        }
        Ok(form)
    }

    /// The object that a row names, and all that it may be about. A key counts as manifests spell it, or as it is where
    /// the file shows that it writes keys so.
    fn find(&mut self, said: &Said<'_>, names_versions: Option<bool>, form: FileForm) -> Named {
        let mut all = Named::default();
        let mut meant: Option<ObjectId> = None;
        for &reading in readings(said.key, form) {
            let found = self.find_as(said, names_versions, reading);
            all.is_near |= found.is_near;
            let counts = match form {
                // It means the same however it is read.
                _ if is_plain(said.key) => true,
                FileForm::Unknown | FileForm::Percent => reading == KeyForm::Percent && is_as_manifests_write(said.key),
                // Where other signs are written as they are, these may be, too: the id of a version tells.
                FileForm::Raw => Version::of(said.version).is_id(),
            };
            meant = meant.or(found.one.filter(|_| counts));
            all.any.extend(found.any);
        }
        all.any.sort_unstable();
        all.any.dedup();
        let is_only = form != FileForm::Unknown || all.any.len() <= 1;
        all.one = meant.filter(|_| is_only);
        all
    }

    /// The same by one reading of the key.
    fn find_as(&mut self, said: &Said<'_>, names_versions: Option<bool>, form: KeyForm) -> Named {
        self.decoded.clear();
        let decoded = &mut self.decoded;
        let is_key = decode(said.key, form, decoded);
        let key_len = decoded.len();
        // Neither buckets nor version ids have a % of their own.
        if !is_key || !decode_percent(said.bucket, decoded) {
            return Named::default();
        }
        let bucket_end = decoded.len();
        if !decode_percent(said.version, decoded) {
            return Named::default();
        }
        let (key, bucket) = (&decoded[..key_len], &decoded[key_len..bucket_end]);
        let find = |version| self.objects.find(self.hasher.hash(bucket, key, version));
        let cell = &decoded[bucket_end..];
        let (null, unnamed) = (find(Version::Null), find(Version::Unnamed));
        let (one, any) = match (Version::of(cell), names_versions) {
            // Whatever is current was worked on: it may be the null version.
            (Version::Null, Some(false)) if cell.is_empty() => (unnamed, [null, unnamed]),
            (Version::Null, Some(true)) => (null, [null, unnamed]),
            // Nothing says whether a blank names the null version, or none.
            (Version::Null, None) if cell.is_empty() => (unnamed, [null, unnamed]),
            (Version::Null, None) => (null, [null, unnamed]),
            (Version::Null, Some(false)) => (None, [null, unnamed]),
            (version, Some(false)) => (None, [find(version), unnamed]),
            (version, _) => (find(version), [find(version), unnamed]),
        };
        let any: Vec<ObjectId> = any.into_iter().flatten().collect();
        let is_near = self.objects.has_key(self.hasher.key(bucket, key));
        Named { one, any, is_near }
    }
}

/// Whether a key has no sign that can be read in several ways.
fn is_plain(key: &[u8]) -> bool {
    !key.iter().any(|byte| b"%+".contains(byte))
}

/// The readings of a key that differ.
fn readings(key: &[u8], form: FileForm) -> &'static [KeyForm] {
    match (form, memchr::memchr(b'%', key), memchr::memchr(b'+', key)) {
        (FileForm::Raw, ..) => &[KeyForm::Raw],
        (FileForm::Percent, ..) | (FileForm::Unknown, None, None) => &[KeyForm::Percent],
        (FileForm::Unknown, Some(_), None) => &[KeyForm::Percent, KeyForm::Raw],
        (FileForm::Unknown, None, Some(_)) => &[KeyForm::Raw, KeyForm::Form],
        (FileForm::Unknown, Some(_), Some(_)) => &[KeyForm::Percent, KeyForm::Form, KeyForm::Raw],
    }
}

/// Appends what a key stands for by a reading; no if it has none.
fn decode(key: &[u8], form: KeyForm, decoded: &mut Vec<u8>) -> bool {
    match form {
        KeyForm::Percent => decode_percent(key, decoded),
        KeyForm::Form => decode_form(key, decoded),
        KeyForm::Raw => {
            decoded.extend_from_slice(key);
            true
        }
    }
}

/// Whether a manifest would spell a key so.
fn is_as_manifests_write(key: &[u8]) -> bool {
    let (mut decoded, mut encoded) = (Vec::new(), Vec::new());
    if !decode_percent(key, &mut decoded) {
        return false;
    }
    push_percent_encoded(&mut encoded, &decoded);
    encoded == key
}

/// Whether a key has bytes that every encoding of keys replaces.
fn is_raw(key: &[u8]) -> bool {
    key.iter().any(|byte| !(b'!'..=b'~').contains(byte) || b"\"<>\\^`{|}".contains(byte))
}

/// Reads a row; one that only names the columns is none.
fn read_row<'r>(fields: Fields<'r>, file: &ReportFile) -> Result<Option<Said<'r>>, (&'static str, &'static str)> {
    let columns = &file.columns;
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
    // The file of failures holds no success, and a success has no error.
    let is_of_other_file = file.succeeded == Some(false);
    let is_error = !code.is_empty() && !matches!(code, [b'2', _, _] if is_http_status(code));
    let is_contradictory = succeeded && (is_of_other_file || is_error);
    Ok(Some(Said { bucket, key, version, succeeded, is_contradictory, code, http_status, message }))
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
