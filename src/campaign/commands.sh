# The parts of a campaign's jobs.sh. commands.rs chooses them and fills in their {placeholders}.
#-- variables
# For sh or bash, in this folder: . ./jobs.sh
# README.md says what belongs before and between these functions.

REGION='{region}'
ACCOUNT_ID='{account}'
ROLE_ARN='{role}'
MANIFEST_LOCATION='{manifests}'
#-- report-location
REPORT_LOCATION='{location}'
#-- report-bucket
REPORT_BUCKET='{bucket}'
REPORT_LOCATION="$REPORT_BUCKET/{prefix}"
#-- functions

# Uploads the manifests: in one part, so that the ETag is the MD5 that the jobs name, and with SSE-S3, since S3 refuses
# manifests under SSE-KMS.
upload() {
  find {lanes} -name '*.csv' | sort | while IFS= read -r file; do
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
