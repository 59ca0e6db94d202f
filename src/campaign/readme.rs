//! `README.md` beside the lists: what to run in which order, with which permissions, and how to see that it worked.
//!
//! Names that strangers chose never reach a command or a policy unless S3 could have a bucket of that name; in the text
//! they are written so that Markdown takes nothing in them for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use serde_json::Value;

use super::Script;
use super::job::{ACCOUNT, JobFacts, MANIFESTS, REPORTS, RESTORED_DAYS, ROLE, bucket_name, jobs, operations};
use super::permissions::{jobs_of, key_statement, role_policy, trust_policy};
use crate::remediation::{Group, Lane, StorageClass, TargetMethod, VersionState};
use crate::sinks::GroupFile;

/// The text of `README.md` for all files of a campaign. Without `facts`, which a policy without `[remediation]` does not
/// give, only lists for people are spoken of.
pub fn readme(files: &[GroupFile], facts: Option<&JobFacts<'_>>) -> String {
    let mut readme = Readme { files, text: String::new() };
    // Writing to a string cannot fail.
    let _ = readme.all(facts);
    readme.text
}

struct Readme<'a> {
    files: &'a [GroupFile],
    text: String,
}

impl Readme<'_> {
    fn all(&mut self, facts: Option<&JobFacts<'_>>) -> fmt::Result {
        self.contents()?;
        if let Some(facts) = facts.filter(|_| jobs_of(self.files).next().is_some()) {
            self.cautions()?;
            self.text.push_str(VARIABLES);
            self.buckets(facts)?;
            self.permissions(facts)?;
            self.placeholders(facts)?;
            self.text.push_str(UPLOAD);
            self.run(facts)?;
        }
        if let Some(facts) = facts {
            self.scripts(facts)?;
        }
        self.lists()?;
        self.verify()
    }

    fn has(&self, is_meant: impl Fn(&Group) -> bool) -> bool {
        jobs_of(self.files).any(is_meant)
    }

    fn has_lane(&self, lane: Lane) -> bool {
        self.has(|group| group.kind.lane == lane)
    }

    fn has_copies(&self) -> bool {
        self.has_lane(Lane::Copy) || self.has_lane(Lane::RestoreThenCopy)
    }

    fn contents(&mut self) -> fmt::Result {
        self.text.push_str(CONTENTS);
        let mut lines: BTreeMap<(Lane, &str), (usize, u64)> = BTreeMap::new();
        for file in self.files {
            let (files, objects) = lines.entry((file.group.kind.lane, &file.group.bucket)).or_default();
            *files += 1;
            *objects += file.objects;
        }
        for ((lane, bucket), (files, objects)) in lines {
            writeln!(self.text, "| `{}` | {} | {objects} | {files} |", lane.as_str(), shown(bucket))?;
        }
        let lanes: BTreeSet<Lane> = self.files.iter().map(|file| file.group.kind.lane).collect();
        writeln!(self.text)?;
        for lane in lanes {
            writeln!(self.text, "- `{}`: {}", lane.as_str(), about(lane))?;
        }
        if self.files.iter().any(|file| file.group.kind.is_undetermined && file.group.kind.lane.has_manifests()) {
            self.text.push_str(UNDETERMINED);
        }
        let groups = self.files.iter().map(|file| &file.group);
        let odd = groups.filter(|group| group.kind.lane.has_manifests() && operations(group).is_empty());
        let odd: BTreeSet<&str> = odd.map(|group| group.bucket.as_str()).collect();
        for bucket in odd {
            writeln!(self.text, "\nNo job is made for {}: S3 has no buckets of such names.", shown(bucket))?;
        }
        Ok(())
    }

    fn cautions(&mut self) -> fmt::Result {
        if !self.has_copies() {
            return Ok(());
        }
        self.text.push_str(COPY_CAUTIONS);
        if self.has(|group| is_copied(group) && group.kind.has_versions) {
            self.text.push_str(VERSION_CAUTIONS);
        }
        if self.has(|group| group.kind.version == Some(VersionState::Noncurrent)) {
            self.text.push_str(NONCURRENT_CAUTIONS);
        }
        if self.has(|group| group.kind.class == Some(StorageClass::ReducedRedundancy)) {
            self.text.push_str(REDUCED_REDUNDANCY);
        }
        Ok(())
    }

    fn buckets(&mut self, facts: &JobFacts<'_>) -> fmt::Result {
        self.text.push_str(BUCKETS);
        let names: BTreeSet<&str> = jobs_of(self.files).filter_map(bucket_name).collect();
        writeln!(self.text, "```sh\nfor bucket in{}; do", words(&names))?;
        self.text.push_str(BUCKET_CHECKS);
        let is_dsse = |group: &&Group| group.kind.target.is_some_and(|target| target.method == TargetMethod::DsseKms);
        let dsse: BTreeSet<&str> = jobs_of(self.files).filter(is_dsse).filter_map(bucket_name).collect();
        if dsse.is_empty() {
            return Ok(());
        }
        self.text.push_str(DSSE);
        writeln!(self.text, "```sh\nfor bucket in{}; do", words(&dsse))?;
        writeln!(self.text, "  aws s3api put-bucket-encryption --bucket \"$bucket\" \\")?;
        writeln!(
            self.text,
            "    --server-side-encryption-configuration '{{\"Rules\":[{{\"ApplyServerSideEncryptionByDefault\":\
             {{\"SSEAlgorithm\":\"aws:kms:dsse\",\"KMSMasterKeyID\":\"{}\"}}}}]}}'",
            facts.key.as_str()
        )?;
        writeln!(self.text, "done\n```")
    }

    fn permissions(&mut self, facts: &JobFacts<'_>) -> fmt::Result {
        self.text.push_str(PERMISSIONS);
        self.document("trust-policy.json", &trust_policy())?;
        let policy = role_policy(self.files, facts);
        self.document("role-policy.json", &policy)?;
        // As long as IAM counts it, without white space.
        if policy.to_string().len() > MAX_INLINE_POLICY {
            self.text.push_str(LONG_POLICY);
        }
        if let Some(statement) = key_statement(self.files, facts) {
            self.text.push_str(KEY_POLICY);
            self.document("key-policy-statement.json", &statement)?;
        }
        self.text.push_str(OLD_KEYS);
        Ok(())
    }

    /// A command that writes a file, so that nobody has to copy it by hand.
    fn document(&mut self, name: &str, value: &Value) -> fmt::Result {
        writeln!(self.text, "\n```sh\ncat > {name} <<'EOF'\n{value:#}\nEOF\n```")
    }

    fn placeholders(&mut self, facts: &JobFacts<'_>) -> fmt::Result {
        let missing = missing(facts);
        if !missing.is_empty() {
            self.text.push_str(PLACEHOLDERS);
            writeln!(self.text, "```sh\n. ./jobs.sh\nfind . \\( -name '*job.json' -o -name '*-policy*.json' \\) \\")?;
            write!(self.text, "  -exec sed -i.bak")?;
            for (variable, placeholder) in missing {
                write!(self.text, " \\\n    -e \"s|{placeholder}|${variable}|g\"")?;
            }
            writeln!(self.text, " {{}} +\nfind . -name '*.json.bak' -exec rm {{}} +")?;
            writeln!(
                self.text,
                "grep -rl --include='*.json' --include='*.sh' 'REPLACE-WITH-' . || echo 'nothing is left to fill in'"
            )?;
            writeln!(self.text, "```")?;
        }
        self.text.push_str(ROLE_COMMANDS);
        Ok(())
    }

    fn run(&mut self, facts: &JobFacts<'_>) -> fmt::Result {
        self.text.push_str(RUN);
        let mut step = 0;
        let mut next = || {
            step += 1;
            step
        };
        if self.has_lane(Lane::RestoreThenCopy) {
            let globs = self.globs("restore-job", |group| group.kind.lane == Lane::RestoreThenCopy, facts);
            self.step(next(), "ask for what is archived", &globs)?;
            self.restores()?;
        }
        if self.has_lane(Lane::UpdateEncryption) {
            let globs = self.globs("job", |group| group.kind.lane == Lane::UpdateEncryption, facts);
            self.step(next(), "update in place; restores may still be under way", &globs)?;
        }
        let is_first = |group: &Group| group.kind.version == Some(VersionState::Noncurrent);
        if self.has(|group| is_copied(group) && is_first(group)) {
            let globs = self.copies(is_first, facts);
            self.step(next(), "copy noncurrent versions, when every restore is done", &globs)?;
            self.text.push_str(AFTER_NONCURRENT);
        }
        if self.has(|group| is_copied(group) && !is_first(group)) {
            let globs = self.copies(|group| !is_first(group), facts);
            self.step(next(), "copy current versions, when all of the above is done", &globs)?;
        }
        Ok(())
    }

    /// Of both lanes: an archived noncurrent version, too, must not be copied after the current one.
    fn copies(&self, is_meant: impl Fn(&Group) -> bool, facts: &JobFacts<'_>) -> BTreeSet<String> {
        let mut globs = self.globs("job", |group| group.kind.lane == Lane::Copy && is_meant(group), facts);
        globs.extend(self.globs("copy-job", |group| is_copied(group) && is_meant(group), facts));
        globs
    }

    fn step(&mut self, number: u32, what: &str, globs: &BTreeSet<String>) -> fmt::Result {
        writeln!(self.text, "\n**Step {number}**: {what}.\n\n```sh")?;
        for glob in globs {
            writeln!(self.text, "create {glob}")?;
        }
        writeln!(self.text, "```")
    }

    /// Patterns for the job files of some groups, each for all buckets.
    fn globs(&self, ending: &str, is_meant: impl Fn(&Group) -> bool, facts: &JobFacts<'_>) -> BTreeSet<String> {
        let ending = format!(".{ending}.json");
        let files = self.files.iter().filter(|file| is_meant(&file.group));
        let files = files.filter(|file| jobs(file, facts).iter().any(|(name, _)| name.ends_with(&ending)));
        files.map(|file| format!("{}/*/{}{ending}", file.group.kind.lane.as_str(), names_like(&file.group))).collect()
    }

    fn restores(&mut self) -> fmt::Result {
        self.text.push_str(RESTORES);
        let waits = [
            (StorageClass::Glacier, "5 to 12 hours"),
            (StorageClass::DeepArchive, "up to 48 hours"),
            (StorageClass::IntelligentTiering, "5 to 12 hours for the Archive tier, up to 48 for Deep Archive"),
        ];
        for (class, wait) in waits {
            if self.has(|group| group.kind.lane == Lane::RestoreThenCopy && group.kind.class == Some(class)) {
                writeln!(self.text, "- `{}`: {wait}", class.as_str())?;
            }
        }
        if self.has(|group| group.kind.class == Some(StorageClass::IntelligentTiering)) {
            self.text.push_str(NOT_ARCHIVED);
        }
        writeln!(
            self.text,
            "\nTo look at one object (add `--version-id` where the manifest has one): the restore is done when the answer\n\
             has `ongoing-request=\"false\"`, or for Intelligent-Tiering no `ArchiveStatus` any more.\n\n\
             ```sh\naws s3api head-object --region \"$REGION\" --bucket BUCKET --key KEY \\\n  \
             --query '[Restore,ArchiveStatus,StorageClass]'\n```"
        )?;
        writeln!(
            self.text,
            "\nRestored objects of GLACIER and DEEP_ARCHIVE stay readable for {RESTORED_DAYS} days: their copies must be \
             done by then.\nObjects above 5 GiB are restored with the others, but their copy fails: copy them in parts\n\
             (`UploadPartCopy`) while they are readable."
        )
    }

    fn scripts(&mut self, facts: &JobFacts<'_>) -> fmt::Result {
        if !self.files.iter().any(|file| Script::new(file, facts).is_some()) {
            return Ok(());
        }
        self.text.push_str(SCRIPTS);
        Ok(())
    }

    fn lists(&mut self) -> fmt::Result {
        let lanes: BTreeSet<Lane> = self.files.iter().map(|file| file.group.kind.lane).collect();
        let lists: Vec<Lane> = lanes.into_iter().filter(|lane| !lane.has_manifests()).collect();
        if !lists.is_empty() {
            self.text.push_str("\n## What no job can do\n\n");
        }
        for lane in lists {
            writeln!(self.text, "- `{}`: {}", lane.as_str(), advice(lane))?;
        }
        Ok(())
    }

    fn verify(&mut self) -> fmt::Result {
        self.text.push_str("\n## See that it worked\n");
        if jobs_of(self.files).next().is_some() {
            self.text.push_str(VERIFY_REPORTS);
        }
        self.text.push_str(VERIFY);
        if self.has(|group| is_copied(group) && group.kind.has_versions) {
            self.text.push_str(VERIFY_VERSIONS);
        }
        Ok(())
    }
}

fn is_copied(group: &Group) -> bool {
    matches!(group.kind.lane, Lane::Copy | Lane::RestoreThenCopy)
}

/// A pattern for names of files of a group, and of others for which it is the same time.
fn names_like(group: &Group) -> String {
    match group.kind.version {
        Some(VersionState::Noncurrent) => "1-noncurrent-*".to_owned(),
        Some(VersionState::Current) => "2-current-*".to_owned(),
        None if is_copied(group) => format!("{}-[0-9]*", group.stem()),
        None => "*".to_owned(),
    }
}

/// The variables whose values nobody has given, and what stands for them.
fn missing(facts: &JobFacts<'_>) -> Vec<(&'static str, &'static str)> {
    let settings = facts.settings;
    let all = [
        (settings.account_id.is_none(), ("ACCOUNT_ID", ACCOUNT)),
        (settings.role_arn.is_none(), ("ROLE_ARN", ROLE)),
        (settings.manifest_location.is_none(), ("MANIFEST_LOCATION", MANIFESTS)),
        (settings.report_location.is_none(), ("REPORT_BUCKET", REPORTS)),
    ];
    all.into_iter().filter(|(is_missing, _)| *is_missing).map(|(_, names)| names).collect()
}

/// Words of a command. They are names that need no quotes; they get them all the same.
fn words(names: &BTreeSet<&str>) -> String {
    names.iter().map(|name| format!(" '{name}'")).collect()
}

/// The longest name that is shown whole; buckets have at most 255 characters.
const MAX_SHOWN: usize = 300;

/// A name in its escaped form, as code. Whatever Markdown or HTML could take for itself is escaped like a control
/// character, which the form allows.
fn shown(name: &str) -> String {
    let mut code = String::from("`");
    for c in name.chars() {
        if code.len() > MAX_SHOWN {
            code.push('…');
            break;
        }
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '\\') {
            code.push(c);
        } else {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| code.push_str(&format!("\\x{byte:02x}")));
        }
    }
    if name.is_empty() {
        code.push_str("(blank)");
    }
    code.push('`');
    code
}

fn about(lane: Lane) -> &'static str {
    match lane {
        Lane::UpdateEncryption => {
            "S3 changes the encryption where the object lies (`UpdateObjectEncryption`). Nothing is copied or\n  \
             restored; versions, dates, ETags and storage classes stay."
        }
        Lane::Copy => {
            "the object is copied over itself, since S3 cannot change its present encryption in place. The copy is\n  \
             a new object with a new date."
        }
        Lane::RestoreThenCopy => "the same, but the object is archived and must be restored before.",
        Lane::MultipartCopy => {
            "the same, but too large for one copy or of a class that no job writes: a list and a\n  script."
        }
        Lane::OwnerKey => "encrypted with a key that only its owner has (SSE-C): a list.",
        Lane::Blocked => "protected by Object Lock: a list with the reason.",
        Lane::NoTarget => "the policy does not say what the object should become: a list.",
    }
}

fn advice(lane: Lane) -> &'static str {
    match lane {
        Lane::MultipartCopy => {
            "the script beside each list copies them; see above. Buckets that S3 cannot have get none."
        }
        Lane::OwnerKey => "whoever has the customer key reads the object with it and writes it again with the new one.",
        Lane::Blocked => {
            "nothing can be done while a compliance retention lasts. Governance retention and holds can be\n  lifted by \
             those who may; the next audit then finds another lane."
        }
        _ => "add `[remediation]` with a key, or correct the rule, and audit again.",
    }
}

const CONTENTS: &str = "\
# Remediation

`logseal` wrote these files and changed nothing. Run the commands in this folder, in `sh`, with an AWS command line that
knows `aws s3api update-object-encryption` (2026 or later).

| lane | bucket | objects | files |
| --- | --- | ---: | ---: |
";

const UNDETERMINED: &str = "
Files with `undetermined` in their names list objects that are not known to violate the policy. Changing the encryption
of an object that has the right one already does no harm.
";

const COPY_CAUTIONS: &str = "
## Before you copy

- Copies keep metadata, tags and the storage class. They do not keep access control lists (buckets that enforce the
  owner's ownership have none) nor Object Lock settings, and their dates start again: for lifecycle rules, too.
- Digests of CloudTrail have their signatures in their metadata: copy them in no way that does not keep it. Then
  `logseal digests` proves the copies as it did the originals.
- Minimum storage times of the colder classes are billed again, and reading from them costs.
- What was written after the report is not copied: such tasks fail with `PreconditionFailed`. Audit again for them.
";

const VERSION_CAUTIONS: &str = "\
- Manifests name versions. **A version that was written over a listed one after the report is covered by the copy of the
  older one.** Do not copy in a bucket whose objects are still being overwritten.
- In a bucket with versioning the old version stays, as it is encrypted now, until you delete it or a lifecycle rule
  expires it. Until then every audit finds it.
";

const NONCURRENT_CAUTIONS: &str = "\
- **A copy of a noncurrent version becomes the current version.** Its object then shows old content, or comes back if it
  was deleted, unless its current version is copied after it, which happens only if that one is in these lists, too.
  The order of several noncurrent versions of one object is not kept. If old versions need not be kept, leave out the
  `1-noncurrent-` jobs and let a lifecycle rule (`NoncurrentVersionExpiration`) remove them.
";

const REDUCED_REDUNDANCY: &str = "\
- Objects of REDUCED_REDUNDANCY become STANDARD: jobs cannot write the other class.
";

const VARIABLES: &str = "
## Load the commands

`jobs.sh` holds the places, which other commands use too, and the functions of the steps below. Look at it, then:

```sh
. ./jobs.sh
```
";

const BUCKETS: &str = "
## Check the buckets

New objects get the bucket's default encryption. If that is not what the policy wants, correct it first, or the next
audit finds new violations.

";

const BUCKET_CHECKS: &str = r#"  echo "$bucket"
  aws s3api get-bucket-encryption --bucket "$bucket"
  aws s3api get-bucket-versioning --bucket "$bucket"
  aws s3api get-bucket-location --bucket "$bucket"
done
```

The key must be in the Region of the bucket, and belong to the account that owns it.
"#;

const DSSE: &str = "
Jobs cannot ask for DSSE-KMS: their copies get the bucket's default encryption. **Before the jobs named `dsse-kms` run**,
it must be DSSE-KMS. This replaces what it is now:

";

const PERMISSIONS: &str = "
## Permissions

Whoever creates the jobs needs `s3:CreateJob`, `s3:PutJobTagging`, `s3:DescribeJob`, `s3:UpdateJobStatus`, `iam:PassRole`
for the role, and `s3:PutObject` for the manifests. The role that the jobs assume needs this trust policy and this policy:
";

/// What IAM takes as the policies inside one role.
const MAX_INLINE_POLICY: usize = 10_240;

const LONG_POLICY: &str = "
This policy is longer than IAM takes inside a role (10,240 characters): name the buckets by a pattern, or split the
policy into managed policies (at most 6,144 characters each) and attach those instead of `put-role-policy`.
";

const KEY_POLICY: &str = "
The policy of the new key must let the role use it. Unless it leaves that to IAM, add this statement to it:
";

const OLD_KEYS: &str = "
The same holds for the keys that the objects have now: their policies must let the role decrypt. If they are in another
account, add them to the statement `OldKeys`.
";

const PLACEHOLDERS: &str = "
## Fill in

Give the variables in `jobs.sh` their values: the account in 12 digits, the role's ARN, bucket and prefix of the
manifests (`BUCKET/PREFIX`), the bucket of the reports. Load it again and put the values into the other files, too:

";

const ROLE_COMMANDS: &str = r#"
The role, unless there is one already:

```sh
aws iam create-role --role-name "${ROLE_ARN##*/}" --assume-role-policy-document file://trust-policy.json
aws iam put-role-policy --role-name "${ROLE_ARN##*/}" --policy-name logseal-remediation \
  --policy-document file://role-policy.json
```
"#;

const UPLOAD: &str = "
## Upload the manifests

In one part, so that the ETag is the MD5 that the jobs name; and with SSE-S3 whatever the bucket's default is, since S3
refuses manifests under SSE-KMS. Do not change the manifests: the jobs would refuse them.

```sh
upload
```
";

const RUN: &str = "
## Create, look, confirm

`create` creates jobs and writes their ids to `jobs.txt`. A job reads its manifest and then waits, `Suspended`, until you
confirm it. A file gives the same job however often it is created; to run it once more, change its `ClientRequestToken`.
S3 runs a few jobs of an account at a time.

After each step: `look`, and compare the numbers of objects with the table above. Then `confirm` the same files, and
`look` until their jobs are `Complete`. The order matters.
";

const RESTORES: &str = "
A restore job that is `Complete` has only asked for its objects. Then they take, as a rule:

";

const NOT_ARCHIVED: &str = "
Objects of INTELLIGENT_TIERING that turn out not to be archived fail in the restore job. Their copy works all the same.
";

const AFTER_NONCURRENT: &str = "
Go on at once: until the next step is done, the objects of this one show old content.
";

const SCRIPTS: &str = r#"
## Copy in parts

Scripts in `multipart-copy` copy what no job can, one object after the other, after all jobs. Read what they would do, then
run them, in `bash`, from anywhere and as somebody who may read and write these objects, their versions and tags, read the
buckets' versioning (`s3:GetBucketVersioning`), abort uploads, and use the new key and the old ones:

```sh
for script in multipart-copy/*/*.sh; do DRY_RUN=1 bash "$script"; done
for script in multipart-copy/*/*.sh; do bash "$script"; done
```

- A script ends with 1 if anything failed, says what, and can be run again: what is right already is left alone.
- It keeps metadata, tags and the storage class; not access control lists, Object Lock settings and annotations. Copies have
  new dates, and checksums are made anew. Old versions stay as they are until they are deleted.
- An object is copied if the listed version is still its current one, also where the report does not say which versions
  are current. Where it tells no versions apart, whatever is current is copied.
- Archived objects must be restored first. Where versioning is suspended, nothing is copied that could take the place of a
  null version.
- Noncurrent versions are left out unless `NONCURRENT=1` is set. **Each copy of one is the current version** until the script
  copies the version before over it, which it does at once. What it has done is in a file `*.noncurrent` beside it, which
  must stay there: if a run is interrupted, run the script again.
- Large parts are quicker for S3 and slower to repeat: `PART_BYTES` (1 GiB) says how large.
"#;

const VERIFY_REPORTS: &str = r#"
Each job writes a report of all its tasks below its own id. Failed tasks have a code and a message; `reconcile` counts
them, and what was never attempted, and writes manifests for another attempt. `fetch` asks S3 what each job did, which it
tells for 90 days. Reports alone cannot show that the versions that were copied are gone: exit code 3 says so.

```sh
fetch
logseal reconcile .. --reports reports --out ../../reconciled
```
"#;

const VERIFY: &str = "
Let S3 Inventory write a new report (it can take 48 hours until it shows the changes). Where your policy is, audit that
report under it:

```sh
aws s3 sync s3://DESTINATION/PREFIX/BUCKET/CONFIG later
logseal audit later --policy policy.toml --out audit-later
```

Only that tells what is encrypted how. Dates do not: an update in place changes none of them.
";

const VERIFY_VERSIONS: &str = "
Copied objects are in order when their newest version is; the versions that were copied are found until they are removed.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::{JobSettings, samples};
    use crate::timestamp::Timestamp;

    fn text(groups: &[Group], settings: &JobSettings) -> String {
        let files: Vec<_> = groups.iter().map(samples::file).collect();
        readme(&files, Some(&JobFacts { key: &samples::key(), report_time: Timestamp::MAX, settings }))
    }

    /// The documents that its commands write.
    fn documents(text: &str) -> BTreeMap<&str, Value> {
        let parts = text.split("cat > ").skip(1).map(|part| {
            let (name, rest) = part.split_once(" <<'EOF'\n").unwrap();
            let (json, _) = rest.split_once("\nEOF\n").unwrap();
            (name, serde_json::from_str(json).unwrap())
        });
        parts.collect()
    }

    fn actions(policy: &Value) -> BTreeSet<&str> {
        let statements = policy["Statement"].as_array().unwrap().iter();
        statements.flat_map(|statement| statement["Action"].as_array().unwrap()).filter_map(Value::as_str).collect()
    }

    #[test]
    fn it_speaks_of_what_occurs_only() {
        let update = text(&[samples::group(Lane::UpdateEncryption, None, TargetMethod::SseKms)], &samples::settings());
        for absent in ["restore-job", "noncurrent", "DSSE", "REPLACE-WITH-", "What no job can do", "before you copy"] {
            assert!(!update.contains(absent), "{absent}:\n{update}");
        }
        let documents = documents(&update);
        let allowed = actions(&documents["role-policy.json"]);
        assert!(allowed.contains("s3:UpdateObjectEncryption") && allowed.contains("kms:ReEncrypt*"));
        assert!(!allowed.contains("s3:RestoreObject") && !allowed.contains("s3:PutObjectTagging"));
        assert_eq!(
            documents["key-policy-statement.json"]["Principal"]["AWS"],
            "arn:aws-us-gov:iam::111122223333:role/logseal-batch"
        );

        let lists = text(&[samples::group(Lane::Blocked, None, TargetMethod::SseKms)], &samples::settings());
        assert!(lists.contains("`blocked`: nothing can be done") && !lists.contains("create-job"));
        assert_eq!(lists, readme(&[samples::file(&samples::group(Lane::Blocked, None, TargetMethod::SseKms))], None));
    }

    #[test]
    fn a_policy_that_iam_does_not_take_inside_a_role_is_called_that() {
        let good = samples::group(Lane::UpdateEncryption, None, TargetMethod::SseKms);
        let groups = |count| (0..count).map(|at| Group { bucket: format!("logs-{at:03}"), ..good.clone() }).collect();
        let says_so = |groups: Vec<Group>| text(&groups, &samples::settings()).contains("managed policies");
        assert!(!says_so(groups(50)) && says_so(groups(200)));
    }

    #[test]
    fn copies_to_sse_s3_need_no_new_key() {
        let group = samples::group(Lane::Copy, Some(StorageClass::Standard), TargetMethod::SseS3);
        let text = text(&[group], &samples::settings());
        let documents = documents(&text);
        assert!(!documents.contains_key("key-policy-statement.json"));
        let expected = [
            "kms:Decrypt",
            "s3:GetObject",
            "s3:GetObjectAnnotation",
            "s3:GetObjectTagging",
            "s3:GetObjectVersion",
            "s3:GetObjectVersionAnnotation",
            "s3:GetObjectVersionTagging",
            "s3:ListBucket",
            "s3:PutObject",
            "s3:PutObjectAnnotation",
            "s3:PutObjectTagging",
        ];
        assert_eq!(actions(&documents["role-policy.json"]), BTreeSet::from(expected));
    }

    #[test]
    fn restores_come_before_noncurrent_before_current() {
        let text = readme(
            &samples::campaign(),
            Some(&JobFacts { key: &samples::key(), report_time: Timestamp::MAX, settings: &samples::settings() }),
        );
        let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}:\n{text}"));
        let order = [
            place("create restore-then-copy/*/1-noncurrent-*.restore-job.json\n"),
            place("create restore-then-copy/*/2-current-*.restore-job.json\n"),
            place("create update-encryption/*/*.job.json\n"),
            place("create copy/*/1-noncurrent-*.job.json\n"),
            place("create restore-then-copy/*/1-noncurrent-*.copy-job.json\n"),
            place("create copy/*/2-current-*.job.json\n"),
            place("create restore-then-copy/*/2-current-*.copy-job.json\n"),
        ];
        assert!(order.is_sorted());
        let steps: Vec<&str> = text.lines().filter(|line| line.starts_with("**Step")).collect();
        assert_eq!(steps.len(), 4, "{steps:?}");
    }

    #[test]
    fn no_name_of_a_bucket_does_harm() {
        let good = samples::group(Lane::UpdateEncryption, None, TargetMethod::SseKms);
        for odd in ["*", "a|b`c`<b>", "x'; id; '", "$(id)", "](http://x)", "a\\x0ab\\\\", "", "日本", "${aws:username}"]
        {
            let bad = Group { bucket: odd.to_owned(), ..good.clone() };
            let text = text(&[good.clone(), bad], &samples::settings());
            assert!(text.contains("\nNo job is made for `"), "{odd}");
            let line = text.lines().find(|line| line.starts_with("No job")).unwrap();
            assert!(
                line.split('`').nth(1).unwrap().bytes().all(|b| b.is_ascii_alphanumeric() || b".-_\\()".contains(&b))
            );
            let policy = &documents(&text)["role-policy.json"];
            assert!(!policy.to_string().contains(":::*") && !policy.to_string().contains("${"), "{policy}");
            assert_eq!(
                text.lines().filter(|line| line.starts_with("for bucket in")).collect::<Vec<_>>(),
                ["for bucket in 'org-audit'; do"]
            );
        }
        assert_eq!(shown("a\\x0a|"), "`a\\x0a\\x7c`");
    }

    #[test]
    fn what_nobody_said_is_filled_in_by_a_command() {
        let group = samples::group(Lane::UpdateEncryption, None, TargetMethod::SseKms);
        let text = text(&[group], &JobSettings::default());
        for (variable, placeholder) in
            [("ACCOUNT_ID", ACCOUNT), ("ROLE_ARN", ROLE), ("MANIFEST_LOCATION", MANIFESTS), ("REPORT_BUCKET", REPORTS)]
        {
            assert!(text.contains(&format!("-e \"s|{placeholder}|${variable}|g\"")), "{text}");
        }
    }
}
