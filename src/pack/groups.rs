//! `groups.csv`: findings by what they have in common, as people open them in a spreadsheet.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::Deserialize;

use crate::escape::{harmless, push_cell, unescape_cell};
use crate::finished::Finished;
use crate::object_key::ObjectKey;
use crate::sinks::FINDINGS_HEADER;

/// A spreadsheet has a million rows, and a person fewer. Beyond so many groups, others are not told apart.
const MAX_GROUPS: usize = 50_000;
/// Keys have 1,024 bytes, each of which may be escaped.
const MAX_KEY_LEN: usize = 4 * 1024 + 1;
/// So many objects are named of each.
const EXAMPLES: usize = 3;

#[derive(Deserialize)]
struct Finding {
    bucket: String,
    key: String,
    size: String,
    last_modified: String,
    verdict: String,
    reason: String,
    rule: String,
    lane: String,
}

/// What findings of a group have in common; cells as they stand in the list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    bucket: String,
    account: String,
    verdict: String,
    rule: String,
    reason: String,
    lane: String,
}

#[derive(Default)]
struct Members {
    objects: u64,
    bytes: u64,
    oldest: String,
    newest: String,
    examples: Vec<String>,
}

/// No line of our lists is longer: names have 1,024 bytes, and signs of four each when they are escaped.
const MAX_LINE_LEN: usize = 1 << 20;

/// Hands on a list whose lines have an end and are not empty, so that none fills memory or takes for ever.
struct Lines<R> {
    from: R,
    len: usize,
    before: u8,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        for byte in &buffer[..read] {
            self.len = if *byte == b'\n' { 0 } else { self.len + 1 };
            let is_empty = *byte == b'\n' && self.before == b'\n';
            self.before = *byte;
            if is_empty || self.len > MAX_LINE_LEN {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is empty or too long"));
            }
        }
        Ok(read)
    }
}

/// The groups of a list of findings, which must be those that the summary counts.
pub(super) fn of_findings(findings: impl Read, finished: &Finished) -> Result<Vec<u8>, String> {
    let mut groups: BTreeMap<Group, Members> = BTreeMap::new();
    let mut by_verdict: BTreeMap<String, u64> = BTreeMap::new();
    let lines = Lines { from: findings, len: 0, before: b'\n' };
    let mut reader = csv::Reader::from_reader(lines);
    // Where these cannot be read, the rows below would be none, and no error.
    let head = reader.headers().map_err(|error| harmless(&error.to_string()))?;
    if head.iter().collect::<Vec<_>>().join(",") != FINDINGS_HEADER.trim_end() {
        return Err("findings.csv has other columns".to_owned());
    }
    for finding in reader.into_deserialize() {
        let finding: Finding = finding.map_err(|error| harmless(&error.to_string()))?;
        *by_verdict.entry(finding.verdict.clone()).or_default() += 1;
        let key = unescape_cell(&finding.key).unwrap_or_default();
        let account = ObjectKey::parse(&key).account.map_or_else(|| "-".to_owned(), |account| account.to_string());
        let mut group = Group {
            bucket: finding.bucket,
            account,
            verdict: finding.verdict,
            rule: finding.rule,
            reason: finding.reason,
            lane: finding.lane,
        };
        if groups.len() >= MAX_GROUPS && !groups.contains_key(&group) {
            let many = || "(many)".to_owned();
            let (bucket, rule, lane) = (many(), many(), many());
            group = Group { bucket, account: many(), rule, lane, reason: many(), verdict: group.verdict };
        }
        let members = groups.entry(group).or_default();
        members.objects += 1;
        members.bytes = members.bytes.saturating_add(finding.size.parse().unwrap_or(0));
        if members.oldest.is_empty() || finding.last_modified < members.oldest {
            members.oldest.clone_from(&finding.last_modified);
        }
        if finding.last_modified > members.newest {
            members.newest.clone_from(&finding.last_modified);
        }
        if members.examples.len() < EXAMPLES && finding.key.len() <= MAX_KEY_LEN {
            members.examples.push(finding.key);
        }
    }
    as_counted("findings.csv", by_verdict, finished)?;
    Ok(table(groups, finished))
}

/// Whether a list has as many objects of each verdict as the summary counts, and no others.
fn as_counted(list: &str, mut by_verdict: BTreeMap<String, u64>, finished: &Finished) -> Result<(), String> {
    let counts = &finished.audit.counts;
    let expected =
        [("violation", counts.violation), ("undetermined", counts.undetermined), ("excepted", counts.excepted)];
    for (verdict, count) in expected {
        let listed = by_verdict.remove(verdict).unwrap_or(0);
        if listed != count {
            return Err(format!("summary.json counts {count} {verdict} objects, {list} lists {listed}"));
        }
    }
    match by_verdict.first_key_value() {
        Some((verdict, _)) => Err(format!("{list} lists objects of the verdict {}", harmless(verdict))),
        None => Ok(()),
    }
}

fn table(groups: BTreeMap<Group, Members>, finished: &Finished) -> Vec<u8> {
    let mut groups: Vec<(Group, Members)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, members)| Reverse(members.objects));
    let mut text =
        b"bucket,account,account_name,verdict,rule,reason,lane,objects,bytes,oldest,newest,example_1,example_2,example_3\n".to_vec();
    for (group, members) in groups {
        let Group { bucket, account, verdict, rule, reason, lane } = &group;
        let listed = finished.audit.organization_accounts.as_ref();
        let name = listed.and_then(|accounts| accounts.name_of(account)).unwrap_or_default();
        for cell in [bucket, account, name, verdict, rule, reason, lane] {
            push_again(&mut text, cell);
            text.push(b',');
        }
        text.extend_from_slice(format!("{},{},", members.objects, members.bytes).as_bytes());
        push_again(&mut text, &members.oldest);
        text.push(b',');
        push_again(&mut text, &members.newest);
        for at in 0..EXAMPLES {
            text.push(b',');
            push_again(&mut text, members.examples.get(at).map_or("", |key| key));
        }
        text.push(b'\n');
    }
    text
}

/// Appends a cell of one of our lists to another: it is the same again.
fn push_again(text: &mut Vec<u8>, cell: &str) {
    match unescape_cell(cell) {
        Some(bytes) => push_cell(text, &bytes),
        None => push_cell(text, cell.as_bytes()),
    }
}

/// Whether the groups of a table are as many objects as the summary counts.
pub(super) fn agree(table: &[u8], finished: &Finished) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Row {
        verdict: String,
        objects: u64,
    }
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for row in csv::Reader::from_reader(table).into_deserialize() {
        let row: Row = row.map_err(|error| harmless(&error.to_string()))?;
        let sum = sums.entry(row.verdict).or_default();
        *sum = sum.saturating_add(row.objects);
    }
    as_counted("groups.csv", sums, finished)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_an_end_and_are_not_empty() {
        let read = |text: &[u8]| {
            let mut found = Vec::new();
            Lines { from: text, len: 0, before: b'\n' }.read_to_end(&mut found).map(|_| found)
        };
        assert_eq!(read(b"a\nb\n").ok().as_deref(), Some(&b"a\nb\n"[..]));
        for text in [&b"\n"[..], b"a\n\nb\n", &vec![b'x'; MAX_LINE_LEN + 1]] {
            assert!(read(text).is_err());
        }
    }
}
