//! `findings.csv`: every violating, undetermined and excepted object.

use crate::batch::Flag;
use crate::escape::push_cell;
use crate::policy::{Policy, Ruling};
use crate::remediation::Lane;
use crate::timestamp::{TimeWriter, Timestamp};

/// The first line of `findings.csv`.
pub const FINDINGS_HEADER: &str = "bucket,key,version_id,is_latest,size,last_modified,storage_class,\
    encryption_status,bucket_key_status,kms_key_arn,verdict,reason,rule,lane,exception\n";

/// So many ends of lines are remembered.
const ENDS: usize = 16;

/// One line of `findings.csv`. Texts are raw bytes, which are escaped when the line is written.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// The bucket.
    pub bucket: &'a [u8],
    /// The key, decoded.
    pub key: &'a [u8],
    /// The version id; blank if the report lists none.
    pub version_id: &'a [u8],
    /// Whether it is the current version; blank if the report does not say.
    pub is_latest: Flag,
    /// The size in bytes; nothing if the report does not give it.
    pub size: Option<u64>,
    /// When it was last modified; nothing if the report does not say.
    pub last_modified: Option<Timestamp>,
    /// The storage class, as the report spells it; blank if it does not say.
    pub storage_class: &'a [u8],
    /// How it is encrypted, as the report spells it; blank if it does not say.
    pub encryption_status: &'a [u8],
    /// Whether it uses a Bucket Key, as the report spells it; blank if it does not say.
    pub bucket_key_status: &'a [u8],
    /// The ARN of its KMS key, or as much as is known of it; blank if it is not known.
    pub kms_key_arn: &'a str,
    /// The verdict, why, and the rule that decided.
    pub ruling: Ruling,
    /// How it can be put right; nothing for what is not to be put right.
    pub lane: Option<Lane>,
}

/// Writes findings under one policy, one after the other, and remembers what neighbours have in common.
#[derive(Debug)]
pub struct FindingWriter<'p> {
    policy: &'p Policy,
    times: TimeWriter,
    bucket: BucketCell,
    ends: [Option<LineEnd>; ENDS],
}

/// The first cell of a line, which rows mostly share with all others of their file.
#[derive(Debug, Default)]
struct BucketCell {
    bucket: Vec<u8>,
    text: Vec<u8>,
}

/// The cells of a line behind its time, of which there are few combinations.
#[derive(Debug)]
struct LineEnd {
    storage_class: Vec<u8>,
    encryption_status: Vec<u8>,
    bucket_key_status: Vec<u8>,
    kms_key_arn: String,
    ruling: Ruling,
    lane: Option<Lane>,
    text: Vec<u8>,
}

impl<'p> FindingWriter<'p> {
    /// Rulings are those of this policy.
    pub fn new(policy: &'p Policy) -> Self {
        Self { policy, times: TimeWriter::default(), bucket: BucketCell::default(), ends: [const { None }; ENDS] }
    }

    /// Appends the line.
    pub fn push(&mut self, lines: &mut Vec<u8>, finding: &Finding<'_>) {
        lines.extend_from_slice(self.bucket.text(finding.bucket));
        for text in [finding.key, finding.version_id] {
            lines.push(b',');
            push_cell(lines, text);
        }
        lines.push(b',');
        lines.extend_from_slice(finding.is_latest.as_text().as_bytes());
        lines.push(b',');
        finding.size.into_iter().for_each(|size| push_number(lines, size));
        lines.push(b',');
        finding.last_modified.into_iter().for_each(|time| lines.extend_from_slice(&self.times.text(time)));
        // Lengths tell most classes apart.
        let slot = (finding.storage_class.len() + 4 * finding.encryption_status.len()) % ENDS;
        let end = match &mut self.ends[slot] {
            Some(end) if end.is_of(finding) => end,
            slot => slot.insert(LineEnd::new(finding, self.policy)),
        };
        lines.extend_from_slice(&end.text);
    }
}

impl BucketCell {
    #[inline]
    fn text(&mut self, bucket: &[u8]) -> &[u8] {
        if self.text.is_empty() || !is_same(&self.bucket, bucket) {
            self.bucket = bucket.to_vec();
            self.text.clear();
            push_cell(&mut self.text, bucket);
        }
        &self.text
    }
}

impl LineEnd {
    fn new(finding: &Finding<'_>, policy: &Policy) -> Self {
        let Finding { storage_class, encryption_status, bucket_key_status, kms_key_arn, ruling, lane, .. } = *finding;
        let mut text = Vec::new();
        for cell in [storage_class, encryption_status, bucket_key_status] {
            text.push(b',');
            push_cell(&mut text, cell);
        }
        let rule = ruling.rule.map_or("", |rule| policy.rules[rule.as_index()].id.as_str());
        let reason = ruling.reason.map_or("", |reason| reason.as_str());
        let exception = ruling.exception.map_or("", |exception| policy.exceptions[exception.as_index()].id.as_str());
        let lane_name = lane.map_or("", Lane::as_str);
        for cell in [kms_key_arn, ruling.verdict.as_str(), reason, rule, lane_name, exception] {
            text.push(b',');
            text.extend_from_slice(cell.as_bytes());
        }
        text.push(b'\n');
        let [storage_class, encryption_status, bucket_key_status] =
            [storage_class, encryption_status, bucket_key_status].map(<[u8]>::to_vec);
        let kms_key_arn = kms_key_arn.to_owned();
        Self { storage_class, encryption_status, bucket_key_status, kms_key_arn, ruling, lane, text }
    }

    fn is_of(&self, finding: &Finding<'_>) -> bool {
        self.ruling == finding.ruling
            && self.lane == finding.lane
            && is_same(&self.storage_class, finding.storage_class)
            && is_same(&self.encryption_status, finding.encryption_status)
            && is_same(&self.bucket_key_status, finding.bucket_key_status)
            && is_same(self.kms_key_arn.as_bytes(), finding.kms_key_arn.as_bytes())
    }
}

/// Empty texts are not compared: a vector load from a slice that has no address takes very long, even of no bytes.
#[inline]
fn is_same(remembered: &[u8], text: &[u8]) -> bool {
    remembered.len() == text.len() && (text.is_empty() || remembered == text)
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
    use crate::policy::{Preset, Reason, Verdict};

    #[test]
    fn what_is_remembered_is_of_the_same_line() {
        let policy = Preset::default_policy().expect("a policy");
        let classes: [&[u8]; 5] = [b"", b"STANDARD", b"STANDARE", b"a,b", b"GLACIER_INSTANT_"];
        let statuses: [&[u8]; 3] = [b"SSE-S3", b"SSE-S4", b""];
        let buckets: [&[u8]; 5] = [b"b", b"", b"c", b"=b", b"a,b"];
        let mut writer = FindingWriter::new(&policy);
        for round in 0..2000_usize {
            let finding = Finding {
                bucket: buckets[round * 5 % 23 % buckets.len()],
                key: b"k",
                version_id: b"",
                is_latest: Flag::Blank,
                size: None,
                last_modified: None,
                storage_class: classes[round * 7 % classes.len()],
                encryption_status: statuses[round * 5 % 7 % statuses.len()],
                bucket_key_status: statuses[round * 11 % 13 % statuses.len()],
                kms_key_arn: ["", "arn:aws:kms:us-east-1:111122223333:key/a", "b"][round * 3 % 31 % 3],
                ruling: Ruling {
                    verdict: [Verdict::Violation, Verdict::Undetermined][round % 17 % 2],
                    reason: [None, Some(Reason::KeyUnknown)][round % 19 % 2],
                    rule: None,
                    exception: None,
                },
                lane: [None, Some(Lane::Copy)][round % 29 % 2],
            };
            let (mut lines, mut alone) = (Vec::new(), Vec::new());
            writer.push(&mut lines, &finding);
            FindingWriter::new(&policy).push(&mut alone, &finding);
            assert_eq!(String::from_utf8_lossy(&lines), String::from_utf8_lossy(&alone));
        }
    }

    #[test]
    fn numbers_are_written_out() {
        for number in [0, 1, 9, 10, 99, 100, 1_234_567_890, u64::MAX - 1, u64::MAX] {
            let mut lines = b"x".to_vec();
            push_number(&mut lines, number);
            assert_eq!(lines, format!("x{number}").as_bytes());
        }
    }
}
