//! Texts of a pack: what it is, and how to check it without us.

use crate::finished::Finished;
use crate::words::escaped;

/// What makes a folder a bag.
pub(super) const BAGIT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// How to check a pack with the tools of others.
pub(super) const VERIFY: &str = include_str!("verify.txt");

/// `bag-info.txt`: whose it is, of what and when. Only what the result says: the same result makes the same text.
pub(super) fn bag_info(finished: &Finished, bytes: u64, files: u64) -> String {
    let audit = &finished.audit;
    let labels = &audit.policy.labels;
    let buckets: Vec<&str> = audit.sources.iter().filter_map(|source| source.bucket.as_deref()).collect();
    let outcome = serde_json::to_value(audit.outcome).unwrap_or_default();
    let lines = [
        ("Source-Organization", labels.owner.as_str()),
        ("External-Description", "Encryption of stored log objects, held against a written standard"),
        ("External-Identifier", &finished.summary_sha256),
        ("Bagging-Date", audit.finished_at.get(..10).unwrap_or_default()),
        ("Bag-Software-Agent", concat!("logseal ", env!("CARGO_PKG_VERSION"))),
        ("Logseal-Environment", &labels.environment),
        ("Logseal-System", &labels.system),
        ("Logseal-Policy", &audit.policy.name),
        ("Logseal-Policy-Version", &audit.policy.version),
        ("Logseal-Outcome", outcome.as_str().unwrap_or_default()),
        ("Logseal-As-Of", &audit.as_of),
    ];
    let mut text = String::new();
    let lines = lines.into_iter().chain(buckets.into_iter().map(|bucket| ("Logseal-Bucket", bucket)));
    for (label, value) in lines.filter(|(_, value)| !value.trim().is_empty()) {
        text.push_str(&format!("{label}: {}\n", escaped(value.trim())));
    }
    text.push_str(&format!("Payload-Oxum: {bytes}.{files}\n"));
    text
}
