//! `jobs.sh` beside the lists: functions for the shell that upload manifests, create and confirm jobs, and fetch reports.

use std::collections::BTreeSet;

use super::job::{ACCOUNT, JobFacts, REPORT_PREFIX, REPORTS, ROLE, manifest_path};
use super::permissions::jobs_of;
use super::template::{Parts, fill};
use crate::remediation::Lane;
use crate::sinks::GroupFile;

const JOBS: Parts = Parts::of_shell(include_str!("commands.sh"));

/// The text of `jobs.sh`, or nothing where no job is made.
pub(crate) fn commands(files: &[GroupFile], facts: &JobFacts<'_>) -> Option<String> {
    let lanes: BTreeSet<Lane> = jobs_of(files).map(|group| group.kind.lane).collect();
    let lanes: Vec<&str> = lanes.into_iter().map(Lane::as_str).collect();
    let functions = || fill!(JOBS, "functions", lanes = lanes.join(" "));
    (!lanes.is_empty()).then(|| [variables(facts), reports(facts), functions()].concat())
}

fn variables(facts: &JobFacts<'_>) -> String {
    let settings = facts.settings;
    let region = facts.key.as_str().split(':').nth(3).unwrap_or_default();
    let account = settings.account_id.map_or_else(|| ACCOUNT.to_owned(), |account| account.to_string());
    let role = settings.role_arn.as_ref().map_or_else(|| ROLE.to_owned(), ToString::to_string);
    let manifests = manifest_path(settings);
    fill!(JOBS, "variables", region = region, account = account, role = role, manifests = manifests)
}

fn reports(facts: &JobFacts<'_>) -> String {
    match &facts.settings.report_location {
        Some(location) => fill!(JOBS, "report-location", location = location.path()),
        None => fill!(JOBS, "report-bucket", bucket = REPORTS, prefix = REPORT_PREFIX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::job::MANIFESTS;
    use crate::campaign::{JobSettings, samples};
    use crate::remediation::{Group, TargetMethod};
    use crate::timestamp::Timestamp;

    fn text(groups: &[Group], settings: &JobSettings) -> Option<String> {
        let files: Vec<_> = groups.iter().map(samples::file).collect();
        commands(&files, &JobFacts { key: &samples::key(), report_time: Timestamp::MAX, settings })
    }

    #[test]
    fn what_the_settings_say_is_filled_in() {
        let group = samples::group(Lane::UpdateEncryption, None, TargetMethod::SseKms);
        let settled = text(std::slice::from_ref(&group), &samples::settings()).unwrap();
        for line in [
            "REGION='us-gov-west-1'",
            "ACCOUNT_ID='111122223333'",
            "ROLE_ARN='arn:aws-us-gov:iam::111122223333:role/logseal-batch'",
            "MANIFEST_LOCATION='org-batch/logseal'",
            "REPORT_LOCATION='org-reports'",
        ] {
            assert!(settled.lines().any(|found| found == line), "{line}:\n{settled}");
        }
        assert!(!settled.contains("REPLACE-WITH-") && settled.contains("  find update-encryption -name"));
        let unsettled = text(&[group], &JobSettings::default()).unwrap();
        for (variable, placeholder) in
            [("ACCOUNT_ID", ACCOUNT), ("ROLE_ARN", ROLE), ("MANIFEST_LOCATION", MANIFESTS), ("REPORT_BUCKET", REPORTS)]
        {
            assert!(unsettled.contains(&format!("\n{variable}='{placeholder}'\n")), "{unsettled}");
        }
    }

    #[test]
    fn there_is_none_where_no_job_is_made() {
        assert_eq!(text(&[samples::group(Lane::Blocked, None, TargetMethod::SseKms)], &samples::settings()), None);
        let mut odd = samples::group(Lane::UpdateEncryption, None, TargetMethod::SseKms);
        odd.bucket = "$(id)".to_owned();
        assert_eq!(text(&[odd], &samples::settings()), None);
    }
}
