//! `findings.csv`: every violating, undetermined and excepted object.

use crate::batch::Flag;
use crate::escape::push_cell;
use crate::policy::{Policy, Ruling};
use crate::remediation::Lane;
use crate::timestamp::{TimeWriter, Timestamp};

/// The first line of `findings.csv`.
pub const FINDINGS_HEADER: &str = "bucket,key,version_id,is_latest,size,last_modified,storage_class,\
    encryption_status,bucket_key_status,kms_key_arn,verdict,reason,rule,lane\n";

/// One line of `findings.csv`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "named after the columns")]
pub struct Finding<'a> {
    pub bucket: &'a [u8],
    pub key: &'a [u8],
    pub version_id: &'a [u8],
    pub is_latest: Flag,
    pub size: Option<u64>,
    pub last_modified: Option<Timestamp>,
    pub storage_class: &'a [u8],
    pub encryption_status: &'a [u8],
    pub bucket_key_status: &'a [u8],
    pub ruling: Ruling,
    pub lane: Option<Lane>,
}

/// Appends the line. `times` remembers the last date.
pub fn push_finding(lines: &mut Vec<u8>, finding: &Finding<'_>, policy: &Policy, times: &mut TimeWriter) {
    let rule = finding.ruling.rule.map_or("", |rule| policy.rules[rule.as_index()].id.as_str());
    let is_latest = match finding.is_latest {
        Flag::True => "true",
        Flag::False => "false",
        Flag::Blank | Flag::Bad => "",
    };
    for text in [finding.bucket, finding.key, finding.version_id] {
        push_cell(lines, text);
        lines.push(b',');
    }
    lines.extend_from_slice(is_latest.as_bytes());
    lines.push(b',');
    finding.size.into_iter().for_each(|size| push_number(lines, size));
    lines.push(b',');
    finding.last_modified.into_iter().for_each(|time| lines.extend_from_slice(&times.text(time)));
    for text in [finding.storage_class, finding.encryption_status, finding.bucket_key_status] {
        lines.push(b',');
        push_cell(lines, text);
    }
    let verdict = finding.ruling.verdict.as_str();
    let reason = finding.ruling.reason.map_or("", |reason| reason.as_str());
    let lane = finding.lane.map_or("", Lane::as_str);
    // No source of key evidence yet, so no key.
    for text in ["", verdict, reason, rule, lane] {
        lines.push(b',');
        lines.extend_from_slice(text.as_bytes());
    }
    lines.push(b'\n');
}

fn push_number(lines: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut from = digits.len();
    // A zero has a digit, too.
    while number > 0 || from == digits.len() {
        from -= 1;
        digits[from] += (number % 10) as u8;
        number /= 10;
    }
    lines.extend_from_slice(&digits[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_out() {
        for number in [0, 1, 9, 10, 99, 100, 1_234_567_890, u64::MAX - 1, u64::MAX] {
            let mut lines = b"x".to_vec();
            push_number(&mut lines, number);
            assert_eq!(lines, format!("x{number}").as_bytes());
        }
    }
}
