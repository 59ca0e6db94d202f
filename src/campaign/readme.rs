//! `README.md` beside the lists: what to run in which order, with which permissions, and how to see that it worked.
//! The sentences are in `readme.md`; here it is decided which of them are said.
//!
//! Names that strangers chose never reach a command or a policy unless S3 could have a bucket of that name; in the text
//! they are written so that Markdown takes nothing in them for itself.

use std::collections::{BTreeMap, BTreeSet};

use super::Script;
use super::job::{ACCOUNT, JobFacts, MANIFESTS, REPORTS, RESTORED_DAYS, ROLE, bucket_name, jobs, operations};
use super::permissions::{jobs_of, key_statement, role_policy, trust_policy};
use super::template::{Parts, fill};
use crate::remediation::{Group, Lane, StorageClass, TargetMethod, VersionState};
use crate::sinks::GroupFile;

const README: Parts = Parts::of_markdown(include_str!("readme.md"));

/// The text of `README.md` for all files of a campaign. Without `facts`, which a policy without `[remediation]` does not
/// give, only lists for people are spoken of.
pub(crate) fn readme(files: &[GroupFile], facts: Option<&JobFacts<'_>>) -> String {
    let mut readme = Readme { files, text: String::new() };
    readme.all(facts);
    readme.text
}

struct Readme<'a> {
    files: &'a [GroupFile],
    text: String,
}

/// Appends a part of `readme.md`: `say!(self, "name", placeholder = value)`.
macro_rules! say {
    ($readme:ident, $($part:tt)*) => {
        $readme.text.push_str(&fill!(README, $($part)*))
    };
}

impl Readme<'_> {
    fn all(&mut self, facts: Option<&JobFacts<'_>>) {
        self.contents();
        if let Some(facts) = facts.filter(|_| self.has_jobs()) {
            self.cautions();
            self.buckets(facts);
            self.permissions(facts);
            self.placeholders(facts);
            say!(self, "role-upload-create");
            self.steps(facts);
        }
        if facts.is_some_and(|facts| self.files.iter().any(|file| Script::new(file, facts).is_some())) {
            say!(self, "scripts");
        }
        self.lists();
        self.verify();
    }

    fn has_jobs(&self) -> bool {
        self.has(|_| true)
    }

    fn has(&self, is_meant: impl Fn(&Group) -> bool) -> bool {
        jobs_of(self.files).any(is_meant)
    }

    fn lanes(&self) -> BTreeSet<Lane> {
        self.files.iter().map(|file| file.group.kind.lane).collect()
    }

    fn contents(&mut self) {
        say!(self, "contents");
        let mut rows: BTreeMap<(Lane, &str), (usize, u64)> = BTreeMap::new();
        for file in self.files {
            let (files, objects) = rows.entry((file.group.kind.lane, &file.group.bucket)).or_default();
            *files += 1;
            *objects += file.objects;
        }
        for ((lane, bucket), (files, objects)) in rows {
            say!(self, "row", lane = lane.as_str(), bucket = shown(bucket), objects = objects, files = files);
        }
        // A blank line ends the table.
        self.text.push('\n');
        for lane in self.lanes() {
            match lane {
                Lane::UpdateEncryption => say!(self, "about-update-encryption"),
                Lane::Copy => say!(self, "about-copy"),
                Lane::RestoreThenCopy => say!(self, "about-restore-then-copy"),
                Lane::MultipartCopy => say!(self, "about-multipart-copy"),
                Lane::OwnerKey => say!(self, "about-owner-key"),
                Lane::Blocked => say!(self, "about-blocked"),
                Lane::NoTarget => say!(self, "about-no-target"),
            }
        }
        if self.files.iter().any(|file| file.group.kind.is_undetermined && file.group.kind.lane.has_manifests()) {
            say!(self, "undetermined");
        }
        let groups = self.files.iter().map(|file| &file.group);
        let odd = groups.filter(|group| group.kind.lane.has_manifests() && operations(group).is_empty());
        let odd: BTreeSet<&str> = odd.map(|group| group.bucket.as_str()).collect();
        for bucket in odd {
            say!(self, "odd-bucket", bucket = shown(bucket));
        }
    }

    fn cautions(&mut self) {
        if !self.has(is_copied) {
            return;
        }
        say!(self, "copy-cautions");
        if self.has(|group| is_copied(group) && group.kind.has_versions) {
            say!(self, "version-cautions");
        }
        if self.has(is_noncurrent) {
            say!(self, "noncurrent-cautions");
        }
        if self.has(|group| group.kind.class == Some(StorageClass::ReducedRedundancy)) {
            say!(self, "reduced-redundancy");
        }
    }

    fn buckets(&mut self, facts: &JobFacts<'_>) {
        say!(self, "load-and-check", buckets = self.bucket_words(|_| true));
        let is_dsse = |group: &Group| group.kind.target.is_some_and(|target| target.method == TargetMethod::DsseKms);
        if self.has(is_dsse) {
            say!(self, "dsse", buckets = self.bucket_words(is_dsse), key = facts.key.as_str());
        }
    }

    /// Words of a command. They are names that need no quotes; they get them all the same.
    fn bucket_words(&self, is_meant: impl Fn(&Group) -> bool) -> String {
        let groups = jobs_of(self.files).filter(|group| is_meant(group));
        let names: BTreeSet<&str> = groups.filter_map(bucket_name).collect();
        joined(names.into_iter().map(|name| format!("'{name}'")), " ")
    }

    fn permissions(&mut self, facts: &JobFacts<'_>) {
        let (trust, policy) = (trust_policy(), role_policy(self.files, facts));
        say!(self, "permissions", trust_policy = format!("{trust:#}"), role_policy = format!("{policy:#}"));
        // As long as IAM counts it, without white space.
        if policy.to_string().len() > MAX_INLINE_POLICY {
            say!(self, "long-policy");
        }
        if let Some(statement) = key_statement(self.files, facts) {
            say!(self, "key-policy", statement = format!("{statement:#}"));
        }
        say!(self, "old-keys");
    }

    fn placeholders(&mut self, facts: &JobFacts<'_>) {
        let missing = missing(facts);
        if !missing.is_empty() {
            let replacement = |(variable, placeholder)| format!(r#"-e "s|{placeholder}|${variable}|g""#);
            say!(self, "fill-in", replacements = joined(missing.into_iter().map(replacement), " \\\n    "));
        }
    }

    fn steps(&mut self, facts: &JobFacts<'_>) {
        let mut step = 0;
        let mut next = || {
            step += 1;
            step
        };
        let is_restored = |group: &Group| group.kind.lane == Lane::RestoreThenCopy;
        if self.has(is_restored) {
            let commands = self.creates(is_restored, &[".restore-job.json"], facts);
            say!(self, "step-restore", number = next(), commands = commands);
            self.restores();
        }
        let is_updated = |group: &Group| group.kind.lane == Lane::UpdateEncryption;
        if self.has(is_updated) {
            let commands = self.creates(is_updated, &[".job.json"], facts);
            say!(self, "step-update", number = next(), commands = commands);
        }
        // Of both lanes: an archived noncurrent version, too, must not be copied after the current one.
        let copies = [".job.json", ".copy-job.json"];
        let is_first = |group: &Group| is_copied(group) && is_noncurrent(group);
        if self.has(is_first) {
            let commands = self.creates(is_first, &copies, facts);
            say!(self, "step-noncurrent", number = next(), commands = commands);
        }
        let is_last = |group: &Group| is_copied(group) && !is_noncurrent(group);
        if self.has(is_last) {
            let commands = self.creates(is_last, &copies, facts);
            say!(self, "step-current", number = next(), commands = commands);
        }
    }

    /// Commands with patterns for the job files of some groups that end so, each for all buckets.
    fn creates(&self, is_meant: impl Fn(&Group) -> bool, endings: &[&str], facts: &JobFacts<'_>) -> String {
        let mut commands = BTreeSet::new();
        for file in self.files.iter().filter(|file| is_meant(&file.group)) {
            let (lane, names) = (file.group.kind.lane.as_str(), names_like(&file.group));
            let jobs = jobs(file, facts);
            let endings = endings.iter().filter(|ending| jobs.iter().any(|(name, _)| name.ends_with(**ending)));
            commands.extend(endings.map(|ending| format!("create {lane}/*/{names}{ending}")));
        }
        joined(commands, "\n")
    }

    fn restores(&mut self) {
        let is_from =
            |class| move |group: &Group| group.kind.lane == Lane::RestoreThenCopy && group.kind.class == Some(class);
        if self.has(is_from(StorageClass::Glacier)) {
            say!(self, "wait-glacier");
        }
        if self.has(is_from(StorageClass::DeepArchive)) {
            say!(self, "wait-deep-archive");
        }
        if self.has(is_from(StorageClass::IntelligentTiering)) {
            say!(self, "wait-intelligent-tiering");
        }
        if self.has(|group| group.kind.class == Some(StorageClass::IntelligentTiering)) {
            say!(self, "not-archived");
        }
        say!(self, "restored", days = RESTORED_DAYS);
    }

    fn lists(&mut self) {
        let mut lanes = self.lanes();
        lanes.retain(|lane| !lane.has_manifests());
        if !lanes.is_empty() {
            say!(self, "lists");
        }
        for lane in lanes {
            match lane {
                Lane::UpdateEncryption | Lane::Copy | Lane::RestoreThenCopy => {}
                Lane::MultipartCopy => say!(self, "list-multipart-copy"),
                Lane::OwnerKey => say!(self, "list-owner-key"),
                Lane::Blocked => say!(self, "list-blocked"),
                Lane::NoTarget => say!(self, "list-no-target"),
            }
        }
    }

    fn verify(&mut self) {
        say!(self, "verify");
        if self.has_jobs() {
            say!(self, "verify-reports");
        }
        say!(self, "verify-inventory");
        if self.has(|group| is_copied(group) && group.kind.has_versions) {
            say!(self, "verify-versions");
        }
    }
}

/// What IAM takes as the policies inside one role.
const MAX_INLINE_POLICY: usize = 10_240;

fn is_copied(group: &Group) -> bool {
    matches!(group.kind.lane, Lane::Copy | Lane::RestoreThenCopy)
}

fn is_noncurrent(group: &Group) -> bool {
    group.kind.version == Some(VersionState::Noncurrent)
}

fn joined(texts: impl IntoIterator<Item = String>, between: &str) -> String {
    texts.into_iter().collect::<Vec<_>>().join(between)
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

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
    fn every_lane_is_spoken_of_by_its_name() {
        for lane in Lane::ALL {
            let text = readme(&[samples::file(&samples::group(lane, None, TargetMethod::SseKms))], None);
            let items = text.matches(&format!("\n- `{}`: ", lane.as_str())).count();
            // What it is, and for lists what to do.
            assert_eq!(items, if lane.has_manifests() { 1 } else { 2 }, "{text}");
        }
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
