//! `jobs.sh` beside the lists: functions for the shell that upload manifests, create and confirm jobs, and fetch reports.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::job::{ACCOUNT, JobFacts, REPORT_PREFIX, REPORTS, ROLE, manifest_path};
use super::permissions::jobs_of;
use crate::remediation::Lane;
use crate::sinks::GroupFile;

/// The text of `jobs.sh`, or nothing where no job is made.
pub fn commands(files: &[GroupFile], facts: &JobFacts<'_>) -> Option<String> {
    let lanes: BTreeSet<Lane> = jobs_of(files).map(|group| group.kind.lane).collect();
    let lanes: Vec<&str> = lanes.into_iter().map(Lane::as_str).collect();
    (!lanes.is_empty()).then(|| [HEAD, &variables(facts), &FUNCTIONS.replace("@LANES@", &lanes.join(" "))].concat())
}

fn variables(facts: &JobFacts<'_>) -> String {
    let settings = facts.settings;
    let region = facts.key.as_str().split(':').nth(3).unwrap_or_default();
    let account = settings.account_id.map_or_else(|| ACCOUNT.to_owned(), |account| account.to_string());
    let role = settings.role_arn.as_ref().map_or_else(|| ROLE.to_owned(), ToString::to_string);
    let mut text = String::new();
    let mut set = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}='{value}'");
    };
    set("REGION", region);
    set("ACCOUNT_ID", &account);
    set("ROLE_ARN", &role);
    set("MANIFEST_LOCATION", &manifest_path(settings));
    match &settings.report_location {
        Some(location) => set("REPORT_LOCATION", &location.path()),
        None => {
            set("REPORT_BUCKET", REPORTS);
            text.push_str(&format!("REPORT_LOCATION=\"$REPORT_BUCKET/{REPORT_PREFIX}\"\n"));
        }
    }
    text
}

const HEAD: &str = "\
# For sh or bash, in this folder: . ./jobs.sh
# README.md says what belongs before and between these functions.

";

const FUNCTIONS: &str = r#"
# Uploads the manifests: in one part, so that the ETag is the MD5 that the jobs name, and with SSE-S3, since S3 refuses
# manifests under SSE-KMS.
upload() {
  find @LANES@ -name '*.csv' | sort | while IFS= read -r file; do
    set -- "${file%.csv}".*job.json
    [ -e "$1" ] || continue
    place="$MANIFEST_LOCATION/$file"
    etag=$(aws s3api put-object --bucket "${place%%/*}" --key "${place#*/}" --body "$file" \
      --server-side-encryption AES256 --query ETag --output text) || return 1
    grep -qF "$(printf '%s' "$etag" | tr -d '"')" "$1" || { echo "another ETag: $file" >&2; return 1; }
    echo "$place"
  done
}

# create FILE...: creates jobs, which wait, and writes their ids to jobs.txt.
create() {
  for job in "$@"; do
    id=$(aws s3control create-job --region "$REGION" --cli-input-json "file://$job" --query JobId --output text) || return 1
    # The same request gives the same job.
    grep -qsxF "$id $job" jobs.txt || echo "$id $job" >> jobs.txt
    echo "$id $job"
  done
}

# The state of all jobs, their objects, how many of those failed, and what they do.
look() {
  while read -r id job; do
    aws s3control describe-job --region "$REGION" --account-id "$ACCOUNT_ID" --job-id "$id" --output text \
      --query 'Job.[Status,ProgressSummary.TotalNumberOfTasks,ProgressSummary.NumberOfTasksFailed,Description]' || return 1
  done < jobs.txt
}

# confirm FILE...: lets jobs begin that were created from these files.
confirm() {
  for job in "$@"; do
    id=$(while read -r id name; do [ "$name" != "$job" ] || echo "$id"; done < jobs.txt | tail -n 1)
    [ -n "$id" ] || { echo "not created: $job" >&2; return 1; }
    aws s3control update-job-status --region "$REGION" --account-id "$ACCOUNT_ID" --job-id "$id" \
      --requested-job-status Ready --query '[JobId,Status]' --output text || return 1
  done
}

# Fetches the reports of all jobs into the folder reports, each with what S3 says of its job beside it: a report counts
# only if it is known what its job did, and when. S3 forgets a job 90 days after its end.
fetch() {
  while read -r id job; do
    aws s3 cp --recursive --only-show-errors "s3://$REPORT_LOCATION/job-$id/" "reports/job-$id/" || return 1
    [ -d "reports/job-$id" ] || { echo "no report yet: $job" >&2; continue; }
    aws s3control describe-job --region "$REGION" --account-id "$ACCOUNT_ID" --job-id "$id" --output json \
      > "reports/job-$id/job.json" || return 1
  done < jobs.txt
}
"#;

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
