//! What other tools found, held against what was concluded here. They are opinions: they never make a row compliant.

use std::collections::{BTreeMap, BTreeSet};

use super::{Conclusion, Judge, Judged, Resource, Row};
use crate::policy::Verdict;

/// The controls that ask the same question as a check of ours.
const CONTROLS: [(&str, &str, &str); 6] = [
    ("CloudTrail.2", "trail.kms", "crosscheck.CloudTrail.2"),
    ("CloudTrail.4", "trail.validation", "crosscheck.CloudTrail.4"),
    ("CloudTrail.5", "trail.cloudwatch_logs", "crosscheck.CloudTrail.5"),
    ("KMS.4", "key.rotation", "crosscheck.KMS.4"),
    ("S3.2", "bucket.public", "crosscheck.S3.2"),
    ("S3.5", "bucket.tls", "crosscheck.S3.5"),
];

impl Judge<'_> {
    pub(super) fn crosscheck(&self, judged: &mut Judged) {
        let mut opinions: BTreeMap<(&str, &str), BTreeSet<Option<bool>>> = BTreeMap::new();
        for finding in &self.model.findings {
            let resource =
                finding.resource.split_once(":s3:::").map_or(finding.resource.as_str(), |(_, bucket)| bucket);
            opinions.entry((finding.control.as_str(), resource)).or_default().insert(finding.passed);
        }
        for (control, ours, check) in CONTROLS {
            if !opinions.keys().any(|(known, _)| *known == control) {
                continue;
            }
            // What nobody asks for here is not compared.
            let is_asked = |row: &&Row| row.check == ours && row.conclusion.verdict != Verdict::OutOfScope;
            let rows: Vec<Row> = judged.rows.iter().filter(is_asked).cloned().collect();
            for row in rows {
                let name = row.resource.strip_prefix("s3://").unwrap_or(&row.resource);
                let conclusion = match opinions.get(&(control, name)) {
                    None => Conclusion::undetermined("finding_missing"),
                    Some(found) => compared(control, row.conclusion.verdict, &row.conclusion.actual, found),
                };
                let resource = Resource { account: &row.account, region: &row.region, name: &row.resource };
                self.push(judged, resource, check, conclusion.on(&row.conclusion.basis));
            }
        }
    }
}

fn compared(control: &str, ours: Verdict, actual: &str, found: &BTreeSet<Option<bool>>) -> Conclusion {
    // The control only asks whether there is a key.
    let ours = match (control, ours) {
        (_, Verdict::Undetermined) => None,
        ("CloudTrail.2", _) => Some(!actual.is_empty()),
        (_, Verdict::Compliant) => Some(true),
        (_, Verdict::Violation | Verdict::Excepted) => Some(false),
        _ => None,
    };
    let agrees = ours.is_some_and(|ours| found.iter().all(|passed| *passed == Some(ours)));
    let conclusion = match agrees {
        true => Conclusion::compliant(),
        false => Conclusion::undetermined("sources_disagree"),
    };
    let text = |passed: &Option<bool>| passed.map_or("unknown", |passed| if passed { "passed" } else { "failed" });
    conclusion.actual(found.iter().map(text).collect::<Vec<_>>().join(" "))
}
