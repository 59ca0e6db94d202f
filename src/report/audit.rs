//! The summary for people, at most 80 columns wide: the outcome first, what to do next last.

use std::cmp::Reverse;
use std::fmt::{self, Write as _};

use super::assumptions;
use super::digests;
use crate::audit::{AccountLine, AccountLines, ExceptionLine, GroupLine, OutcomeReason, Summary};
use crate::delivery::DeliveryLine;
use crate::evidence::Passed;
use crate::outcome::Outcome;
use crate::policy::{Reason, Severity};
use crate::population::OrganizationAccounts;
use crate::rollup::Collapsed;
use crate::sinks::DIGESTS_FILE;
use crate::words::{Style, Text, count, escaped, number, percent, shortened, size};

/// How many accounts are listed.
const WORST_ACCOUNTS: usize = 5;
/// How many keys are listed.
const KEYS: usize = 5;
/// An exception that ends within so many days is said.
const ENDS_SOON_DAYS: i64 = 30;
/// How many of them are listed.
const ENDING: usize = 5;
/// How many sources are listed.
const SOURCES: usize = 5;

/// The summary for people. `out` is where the lists are.
pub fn render_audit(summary: &Summary, out: &str, style: Style) -> String {
    let mut text = Text::new(style);
    // Writing to a string cannot fail.
    let _ = all(&mut text, summary, out);
    text.into_string()
}

fn all(text: &mut Text, summary: &Summary, out: &str) -> fmt::Result {
    outcome(text, summary)?;
    assumptions(text, &summary.assumptions)?;
    coverage(text, summary)?;
    objects(text, summary)?;
    encryption(text, summary)?;
    keys(text, summary)?;
    reasons(text, summary)?;
    rules(text, summary)?;
    accounts(text, summary)?;
    months(text, summary)?;
    summary.digests.iter().try_for_each(|digests| digests::section(text, digests))?;
    remediation(text, summary)?;
    next_steps(text, summary, out)
}

fn outcome(text: &mut Text, summary: &Summary) -> fmt::Result {
    let (word, colour) = summary.outcome.word();
    let word = text.coloured(&format!("1;{colour}"), word);
    let sentence = match summary.outcome {
        Outcome::Pass => format!("everything planned was examined, and {}", what_passed(summary)),
        Outcome::Violations if summary.counts.violation == 0 => {
            "no object violates the policy, but not all digests and logs are what they were".to_owned()
        }
        Outcome::Violations => because(OutcomeReason::Violations, summary),
        Outcome::Incomplete if summary.shard.is_some() => "not everything could be proven".to_owned(),
        Outcome::Incomplete => "no violation was found, but not everything could be proven".to_owned(),
        Outcome::Partial => "nothing found; merge all shards".to_owned(),
    };
    let shard = summary.shard.map_or(String::new(), |shard| format!("{shard}: "));
    writeln!(text, "{word}  {shard}{sentence}")?;
    for reason in summary.outcome_reasons.iter().filter(|reason| **reason != OutcomeReason::Violations) {
        writeln!(text, "  also: {}", because(*reason, summary))?;
    }
    let version = if summary.policy.version.is_empty() { "" } else { ", version " };
    let policy = format!("{}{version}{}", summary.policy.name, summary.policy.version);
    writeln!(text)?;
    text.wrapped("Policy", &format!("{} ({})", escaped(&policy), escaped(&summary.policy.source)))?;
    if !summary.policy.expired_exceptions.is_empty() {
        let ids = summary.policy.expired_exceptions.join(", ");
        text.wrapped("", &format!("expired exceptions: {ids}"))?;
    }
    exceptions_that_end(text, summary)
}

/// Exceptions that somebody has to renew or to make needless.
fn exceptions_that_end(text: &mut Text, summary: &Summary) -> fmt::Result {
    let mut ending: Vec<&ExceptionLine> =
        summary.exceptions.iter().filter(|line| (0..=ENDS_SOON_DAYS).contains(&line.facts.days_left)).collect();
    ending.sort_by_key(|line| line.facts.days_left);
    for line in ending.iter().take(ENDING) {
        let when = match line.facts.days_left {
            0 => "today".to_owned(),
            1 => "tomorrow".to_owned(),
            days => format!("in {days} days, on {}", line.facts.expires),
        };
        let covered = count(line.objects, "object", "objects");
        let owner = if line.facts.owner.is_empty() { "nobody" } else { &line.facts.owner };
        text.wrapped("", &format!("exception {} ends {when}: {covered}, owner {}", line.facts.id, escaped(owner)))?;
    }
    match ending.len().saturating_sub(ENDING) {
        0 => Ok(()),
        more => text.wrapped("", &format!("and {} more end within {ENDS_SOON_DAYS} days", number(more as u64))),
    }
}

fn coverage(text: &mut Text, summary: &Summary) -> fmt::Result {
    for (at, source) in summary.sources.iter().take(SOURCES).enumerate() {
        let label = if at == 0 { "Sources" } else { "" };
        let created = source.created_at.as_deref().map_or(String::new(), |time| format!(" of {}", &time[..10]));
        let bucket = source.bucket.as_deref().unwrap_or("no manifest");
        let format = serde_json::to_value(source.format).ok();
        let format = format.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
        text.wrapped(label, &format!("{bucket}: {format}{created}, {}", last_parts(&source.path)))?;
        if let Some(configuration) = &source.configuration {
            text.wrapped("", &format!("configured to list {}", configuration.scope()))?;
        }
        if !source.skipped_runs.is_empty() {
            text.wrapped("", &format!("newer runs without a checksum: {}", source.skipped_runs.join(", ")))?;
        }
        if !source.unknown_columns.is_empty() {
            text.wrapped("", &format!("unknown columns: {}", source.unknown_columns.join(", ")))?;
        }
    }
    if summary.sources.len() > SOURCES {
        text.wrapped("", &format!("and {} more", number((summary.sources.len() - SOURCES) as u64)))?;
    }
    let coverage = &summary.coverage;
    let (examined, planned) = (number(coverage.units_examined), number(coverage.units_planned));
    let rows = count(coverage.rows_read, "row", "rows");
    let of = if summary.shard.is_some() { " of this shard" } else { "" };
    text.wrapped("Coverage", &format!("{examined} of {planned} files{of}, {rows}"))?;
    if coverage.units_faulted > 0 || coverage.rows_rejected > 0 {
        let files = count(coverage.units_faulted, "file", "files");
        let rows = count(coverage.rows_rejected, "row", "rows");
        text.wrapped("", &format!("could not be examined: {files} and {rows}"))?;
    }
    for (code, count) in &summary.faults {
        writeln!(text, "{:10}{:>12}  {code}", "", number(*count))?;
    }
    summary.expected_objects.iter().try_for_each(|line| text.wrapped("", &line.sentence()))?;
    let accounts = summary.organization_accounts.iter().flat_map(OrganizationAccounts::sentences);
    accounts.into_iter().try_for_each(|sentence| text.wrapped("", &sentence))?;
    if summary.collapsed >= Collapsed::Accounts {
        text.wrapped("", "there are too many groups to tell accounts apart (--max-groups)")?;
    }
    let seconds = summary.timing.elapsed_ms as f64 / 1000.0;
    let rate = number(summary.timing.rows_per_second);
    text.wrapped("Time", &format!("{seconds:.1} s, {rate} rows a second"))
}

/// The run and the name of a manifest: the bucket is said before it, and where it was delivered is in the summary.
fn last_parts(path: &str) -> &str {
    let slash = path.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
    &path[slash..]
}

fn objects(text: &mut Text, summary: &Summary) -> fmt::Result {
    let (counts, bytes) = (&summary.counts, &summary.bytes);
    text.heading("Objects")?;
    let lines = [
        ("compliant", counts.compliant, bytes.compliant),
        ("violation", counts.violation, bytes.violation),
        ("undetermined", counts.undetermined, bytes.undetermined),
        ("excepted", counts.excepted, bytes.excepted),
    ];
    let in_scope = counts.objects.saturating_sub(counts.out_of_scope);
    for (name, objects, bytes) in lines {
        text.amount(name, objects, bytes, Some(in_scope))?;
    }
    text.amount("out of scope", counts.out_of_scope, bytes.out_of_scope, None)?;
    text.amount("all", counts.objects, bytes.objects, None)?;
    match counts.delete_markers {
        0 => Ok(()),
        1 => writeln!(text, "  and 1 delete marker, which holds no data"),
        markers => writeln!(text, "  and {} delete markers, which hold no data", number(markers)),
    }
}

fn encryption(text: &mut Text, summary: &Summary) -> fmt::Result {
    if summary.counts.objects == 0 {
        return Ok(());
    }
    text.heading("Encryption of all objects")?;
    for (status, amount) in summary.by_encryption_status.iter().filter(|(_, amount)| amount.objects > 0) {
        text.amount(status, amount.objects, amount.bytes, Some(summary.counts.objects))?;
    }
    match summary.unrecognised_statuses.as_slice() {
        [] => Ok(()),
        texts => text.wrapped("", &format!("unrecognised: {}", texts.join(", "))),
    }
}

/// The keys of objects, and what says so.
fn keys(text: &mut Text, summary: &Summary) -> fmt::Result {
    let passed = &summary.ignored_evidence;
    if summary.evidence.is_empty() && summary.by_key.is_empty() && passed.is_empty() {
        return Ok(());
    }
    text.heading("Keys")?;
    let coverage = summary.key_coverage;
    for (name, objects) in [
        ("known", coverage.known),
        ("unknown", coverage.unknown),
        ("stale evidence", coverage.stale),
        ("conflicting", coverage.conflicting),
    ] {
        if objects > 0 {
            writeln!(text, "  {name:16}{:>20} {:>7}", number(objects), percent(objects, coverage.kms_objects))?;
        }
    }
    let mut keys: Vec<_> = summary.by_key.iter().map(|(key, amount)| (Reverse(amount.objects), key)).collect();
    keys.sort_unstable();
    for (Reverse(objects), key) in keys.iter().take(KEYS) {
        text.indented(&format!("  {:>14}  ", number(*objects)), key)?;
    }
    if keys.len() > KEYS {
        text.wrapped("", &format!("and {} more keys, in summary.json", number((keys.len() - KEYS) as u64)))?;
    }
    for line in &summary.evidence {
        let matched = count(line.matched, "object", "objects");
        let records = count(line.records, "record", "records");
        let said = format!("{}: {records}, {matched} matched", line.source);
        let odd = [
            ("without a time", line.undated),
            ("stale", line.stale),
            ("conflicting", line.conflicting),
            ("keys unresolved", line.unresolved_keys),
        ];
        let odd: String =
            odd.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!(", {} {what}", number(*n))).collect();
        text.item(&format!("{said}{odd}"))?;
    }
    if let Some(delivery) = &summary.evidence_delivery {
        text.item(&format!("complete logs, by their digests: {}", delivery.says))?;
    }
    if !passed.is_empty() {
        let files: Vec<String> = passed.iter().map(|(kind, files)| passed_over(*kind, *files)).collect();
        text.item(&format!("passed over in the folders of evidence: {}", files.join(", ")))?;
    }
    match coverage.rekeyed_since {
        0 => Ok(()),
        objects => text.item(&format!(
            "{} may have another key since: keys are those of the moment of each report",
            count(objects, "object", "objects")
        )),
    }
}

fn reasons(text: &mut Text, summary: &Summary) -> fmt::Result {
    let found = Reason::ALL.iter().filter(|reason| summary.by_reason[reason.as_str()] > 0);
    for (at, reason) in found.enumerate() {
        if at == 0 {
            text.heading("Why")?;
        }
        let count = number(summary.by_reason[reason.as_str()]);
        writeln!(text, "  {:21}{count:>15}  {}", reason.as_str(), short_why(*reason))?;
    }
    Ok(())
}

fn rules(text: &mut Text, summary: &Summary) -> fmt::Result {
    let found = summary.by_rule.iter().filter(|(_, rule)| rule.violation > 0);
    for (at, (id, rule)) in found.enumerate() {
        if at == 0 {
            text.heading("Violated rules")?;
        }
        let severity = severity_name(rule.severity);
        writeln!(text, "  {:36}{:>15}  {severity}", shortened(id, 36), number(rule.violation))?;
    }
    Ok(())
}

fn accounts(text: &mut Text, summary: &Summary) -> fmt::Result {
    let (worst, others) = worst_accounts(&summary.by_account);
    if worst.is_empty() {
        return Ok(());
    }
    text.heading("Accounts with the most violations")?;
    for Account { account, bucket, violations, objects } in &worst {
        let digits = if *account == "-" { "(no account)" } else { account };
        let name = summary.organization_accounts.as_ref().and_then(|accounts| accounts.name_of(account));
        let place = name.map_or_else(|| bucket.clone(), |name| format!("{name}, {bucket}"));
        let share = percent(*violations, *objects);
        writeln!(text, "  {digits:14}{:>22} {share:>7}  {}", number(*violations), shortened(&place, 32))?;
    }
    if others > 0 {
        writeln!(text, "  and {} more", number(others))?;
    }
    Ok(())
}

fn months(text: &mut Text, summary: &Summary) -> fmt::Result {
    let mut range: Option<(String, String)> = None;
    for line in summary.by_month.iter().filter(|line| line.counts.violation > 0 && line.month != "-") {
        range = Some(match range {
            None => (line.month.clone(), line.month),
            Some((oldest, newest)) => (oldest.min(line.month.clone()), newest.max(line.month)),
        });
    }
    let Some((oldest, newest)) = range else { return Ok(()) };
    text.heading("Violating objects by age")?;
    writeln!(text, "  oldest month {oldest}, newest month {newest}")
}

/// How violating objects can be put right, if the policy says anything about that.
fn remediation(text: &mut Text, summary: &Summary) -> fmt::Result {
    let lanes = summary.remediation.iter().filter(|(_, line)| line.objects > 0);
    if summary.policy.remediation.is_none() || lanes.clone().next().is_none() {
        return Ok(());
    }
    text.heading("Remediation")?;
    for (lane, line) in lanes {
        let manifests = match line.manifests {
            0 => String::new(),
            manifests => format!("  {}", count(manifests, "manifest", "manifests")),
        };
        writeln!(text, "  {lane:18}{:>18} {:>20}{manifests}", number(line.objects), size(line.bytes))?;
    }
    Ok(())
}

fn next_steps(text: &mut Text, summary: &Summary, out: &str) -> fmt::Result {
    let mut steps = Vec::new();
    let out = escaped(out);
    let reason = |reason: Reason| summary.by_reason[reason.as_str()] > 0;
    let counts = &summary.counts;
    if counts.violation > 0 || counts.undetermined > 0 || counts.excepted > 0 {
        steps.push(format!("every object concerned is listed in {out}/findings.csv"));
    }
    if summary.counts.violation > 0 {
        steps.push("logseal explain SOURCE --key KEY shows why one object got its verdict".to_owned());
        steps.push(match summary.policy.remediation {
            Some(_) => format!("{out}/remediation/plan.md says how to put objects right, README.md how to run it"),
            None => "a [remediation] with a key in the policy makes manifests that put objects right".to_owned(),
        });
    }
    if !summary.faults.is_empty() {
        steps.push(format!("what could not be examined is listed in {out}/faults.jsonl: fetch those files again"));
    }
    if reason(Reason::StatusAbsent) {
        steps.push("add EncryptionStatus to the inventory configuration and take a new report".to_owned());
    }
    if reason(Reason::KeyUnknown) {
        steps.push("S3 Inventory never names the key of an object: give what does with --key-evidence".to_owned());
    }
    if reason(Reason::KeyEvidenceStale) {
        steps.push(
            "take evidence of keys close to the report; --evidence-max-age 7d assumes that no key changes unseen in a week"
                .to_owned(),
        );
    }
    steps.extend(summary.evidence_delivery.iter().flat_map(|delivery| steps_of_delivery(delivery, summary)));
    if reason(Reason::ScopeUnknown) {
        steps.push("add the columns that the policy's `where` needs to the inventory".to_owned());
    }
    if reason(Reason::BucketKeyUnknown) {
        steps.push("add BucketKeyStatus to the inventory configuration and take a new report".to_owned());
    }
    if summary.shard.is_some() {
        steps.push("logseal merge joins all shards: only the whole can pass".to_owned());
    }
    if summary.outcome_reasons.contains(&OutcomeReason::UnitsMissing) {
        steps.push("merge the outputs of all shards".to_owned());
    }
    if summary.outcome_reasons.contains(&OutcomeReason::NoncurrentVersionsUnlisted) {
        steps.push(
            "let the inventory list all versions, or write versions = \"current\" into the policy to leave them out"
                .to_owned(),
        );
    }
    if summary.outcome_reasons.contains(&OutcomeReason::NothingInScope) {
        steps.push("check the policy's `where`, or say --allow-empty if nothing should be in scope".to_owned());
    }
    let of_digests =
        summary.digests.iter().flat_map(|digests| digests::steps(digests, &format!("{out}/{DIGESTS_FILE}")));
    steps.extend(of_digests);
    if steps.is_empty() {
        steps.push(format!("keep {out}/summary.json as evidence"));
    }
    text.heading("Next")?;
    steps.iter().try_for_each(|step| text.item(step))
}

/// The violations of an account in a bucket.
struct Account {
    account: String,
    bucket: String,
    violations: u64,
    /// Those in scope.
    objects: u64,
}

impl Account {
    fn new(line: AccountLine) -> Self {
        let AccountLine { account, bucket, counts, .. } = line;
        Self { account, bucket, violations: counts.violation, objects: counts.in_scope() }
    }

    fn is_of(&self, line: &AccountLine) -> bool {
        self.account == line.account && self.bucket == line.bucket
    }

    fn add(&mut self, counts: &GroupLine) {
        self.violations = self.violations.saturating_add(counts.violation);
        self.objects = self.objects.saturating_add(counts.in_scope());
    }
}

/// The accounts with the most violations, and how many more have any. The lines of an account stand together, so that
/// no more than these are held.
fn worst_accounts(lines: &AccountLines) -> (Vec<Account>, u64) {
    let (mut worst, mut number) = (Vec::new(), 0);
    let mut note = |account: Account| {
        if account.violations > 0 {
            number += 1;
            worst.push(account);
            worst.sort_by(|one, other| rank(one).cmp(&rank(other)));
            worst.truncate(WORST_ACCOUNTS);
        }
    };
    let mut current: Option<Account> = None;
    for line in lines.iter() {
        match &mut current {
            Some(account) if account.is_of(&line) => account.add(&line.counts),
            _ => current.replace(Account::new(line)).into_iter().for_each(&mut note),
        }
    }
    current.into_iter().for_each(&mut note);
    let others = number - worst.len() as u64;
    (worst, others)
}

/// The most violations first, then by name.
fn rank(account: &Account) -> (Reverse<u64>, &str, &str) {
    (Reverse(account.violations), &account.account, &account.bucket)
}

/// What to do where the delivery of logs is not proven as far as somebody asked.
fn steps_of_delivery(delivery: &DeliveryLine, summary: &Summary) -> Vec<String> {
    let mut steps = Vec::new();
    if delivery.logs_not_read > 0 {
        steps.push("give every log that digests list with --key-evidence, as it was delivered".to_owned());
    }
    if !delivery.reports_not_covered.is_empty() {
        steps.push(
            "fetch digests and logs of every trail until 24 hours after each report; chains that begin or end before then \
             need --accept-starts or --accept-ends"
                .to_owned(),
        );
    }
    if steps.is_empty() && summary.by_reason[Reason::KeyEvidenceStale.as_str()] > 0 {
        steps.push(
            "fetch digests and logs from the time of each evidence on (or from 2026-01-28), or take evidence later"
                .to_owned(),
        );
    }
    steps
}

/// Never more than was proven.
fn what_passed(summary: &Summary) -> &'static str {
    match (summary.counts.compliant, summary.counts.excepted) {
        (0, 0) => "nothing is in scope",
        (_, 0) => "every object in scope is right",
        _ => "all in scope is right or excepted",
    }
}

fn because(reason: OutcomeReason, summary: &Summary) -> String {
    match reason {
        OutcomeReason::Violations => {
            format!("{} the policy", count(summary.counts.violation, "object violates", "objects violate"))
        }
        OutcomeReason::Faults => {
            let faults =
                count(summary.faults.values().fold(0, |sum, count| sum.saturating_add(*count)), "fault", "faults");
            format!("{faults}: not everything could be examined")
        }
        OutcomeReason::Undetermined => {
            format!("{} could not be judged", count(summary.counts.undetermined, "object", "objects"))
        }
        OutcomeReason::UnitsMissing => {
            let coverage = &summary.coverage;
            let looked_at = coverage.units_examined.saturating_add(coverage.units_faulted);
            let missing = coverage.units_planned.saturating_sub(looked_at);
            format!("{} to shards that are missing", count(missing, "file belongs", "files belong"))
        }
        OutcomeReason::UnprovenCompleteness => "nothing proves that the input is complete and unchanged".to_owned(),
        OutcomeReason::NoncurrentVersionsUnlisted => {
            "a report lists current versions only, and the policy is about all versions".to_owned()
        }
        OutcomeReason::NothingInScope => "no object is in the policy's scope".to_owned(),
        OutcomeReason::DigestViolations | OutcomeReason::DigestsIncomplete => {
            format!("digests: {}", summary.digests.iter().flat_map(digests::reasons).collect::<Vec<_>>().join(", "))
        }
    }
}

pub(super) fn short_why(reason: Reason) -> &'static str {
    match reason {
        Reason::NotEncrypted => "stored without encryption",
        Reason::MethodNotAllowed => "the rule wants another method",
        Reason::KeyNotAllowed => "the rule wants another key",
        Reason::BucketKeyDisabled => "the rule wants a Bucket Key",
        Reason::Unmatched => "no rule matches",
        Reason::StatusAbsent => "the report has no status column",
        Reason::StatusBlank => "the status is blank",
        Reason::StatusUnrecognised => "the status is none that we know",
        Reason::ScopeUnknown => "does the rule apply?",
        Reason::KeyUnknown => "which key encrypts the object?",
        Reason::KeyEvidenceStale => "its key may have changed unseen",
        Reason::KeyEvidenceConflict => "sources disagree about its key",
        Reason::BucketKeyUnknown => "does it use a Bucket Key?",
    }
}

pub(super) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "informational",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// Files of evidence that were not read.
fn passed_over(kind: Passed, files: u64) -> String {
    match kind {
        Passed::Digest => count(files, "digest", "digests"),
        Passed::Config => count(files, "file of AWS Config", "files of AWS Config"),
        Passed::OtherLog => count(files, "log of another service", "logs of other services"),
        Passed::Bystander => count(files, "mark, checksum or note", "marks, checksums and notes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_key::ObjectKey;
    use crate::policy::Verdict;
    use crate::rollup::{GroupCounts, Place};

    /// A group for each (bucket, account and what follows, objects, violations).
    fn account_lines(groups: &[(&str, &str, u64, u64)]) -> AccountLines {
        let group = |(bucket, account, compliant, violations): &(&str, &str, u64, u64)| {
            let key = format!("AWSLogs/{account}/CloudTrail/f");
            let mut counts = GroupCounts::default();
            counts.verdicts.count(Verdict::Compliant, *compliant);
            counts.verdicts.count(Verdict::Violation, *violations);
            (Place::new((*bucket).into(), &ObjectKey::parse(key.as_bytes())), counts)
        };
        AccountLines(groups.iter().map(group).collect())
    }

    #[test]
    fn the_worst_accounts_are_those_of_all_their_lines() {
        let lines = account_lines(&[
            ("a", "111122223333", 5, 4),
            ("a", "o-exampleorg1/111122223333/Config", 1, 4),
            ("a", "222222222222", 0, 7),
            ("a", "no account", 0, 7),
            ("a", "333333333333", 9, 0),
            ("b", "111122223333", 1, 7),
            ("b", "444444444444", 1, 1),
            ("b", "555555555555", 1, 2),
            ("b", "666666666666", 1, 1),
        ]);
        let (worst, others) = worst_accounts(&lines);
        let found: Vec<_> = worst.iter().map(|a| (&*a.account, &*a.bucket, a.violations, a.objects)).collect();
        let expected = [
            ("111122223333", "a", 8, 14),
            ("-", "a", 7, 7),
            ("111122223333", "b", 7, 8),
            ("222222222222", "a", 7, 7),
            ("555555555555", "b", 2, 3),
        ];
        assert_eq!((found.as_slice(), others), (&expected[..], 2));
        assert!(worst_accounts(&account_lines(&[])).0.is_empty());
        assert!(worst_accounts(&account_lines(&[("a", "333333333333", 9, 0)])).0.is_empty());
    }
}
