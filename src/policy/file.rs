//! Policy files: TOML to a [`Policy`], with the line and column of whatever is wrong.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::BucketKeyDemand;
use super::EvidenceAssumptions;
use super::Exception;
use super::KeyArn;
use super::Labels;
use super::Method;
use super::NamedKey;
use super::Policy;
use super::Remediation;
use super::Rule;
use super::RuleId;
use super::Severity;
use super::Standard;
use super::Unmatched;
use super::Versions;
use super::Where;
use super::assumed::EvidenceEntry;
use super::checked::{
    Checked, GlobsEntry, NO_SPAN, PolicyError, Wrong, at, check_globs, check_ids, check_last_day, check_moment,
    named_key, wrong,
};
use super::settings::{SettingsException, SettingsPolicy};
use super::settings_file::{self, SettingsEntry};
use crate::escape::hex::hex;
use crate::hashes::sha256::Sha256;

/// More rules than anyone writes; the bound keeps a rule's number small.
const MAX_RULES: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    statement: String,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    unmatched: Unmatched,
    #[serde(default)]
    versions: Versions,
    #[serde(default)]
    keys: BTreeMap<String, Spanned<KeyEntry>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleEntry>>,
    remediation: Option<RemediationEntry>,
    #[serde(default)]
    exception: Vec<ExceptionEntry>,
    #[serde(default)]
    evidence: EvidenceEntry,
    settings: Option<SettingsEntry>,
}

/// A key: its ARN, or a table that says more.
#[derive(Deserialize)]
#[serde(untagged, expecting = "the ARN of a KMS key, or { arn = \"...\", replicas = true }")]
enum KeyEntry {
    Arn(String),
    Table(KeyTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    arn: String,
    #[serde(default)]
    replicas: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    id: Spanned<String>,
    #[serde(default)]
    severity: Severity,
    #[serde(default)]
    controls: Vec<String>,
    #[serde(default)]
    r#where: WhereEntry,
    encryption: Spanned<Vec<Method>>,
    keys: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    bucket_key: BucketKeyDemand,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhereEntry {
    bucket: Option<GlobsEntry>,
    kind: Option<GlobsEntry>,
    account: Option<GlobsEntry>,
    region: Option<GlobsEntry>,
    key: Option<GlobsEntry>,
    storage_class: Option<GlobsEntry>,
    written_from: Option<Spanned<Datetime>>,
    written_before: Option<Spanned<Datetime>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RemediationEntry {
    key: Spanned<String>,
    #[serde(default)]
    bucket_key: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExceptionEntry {
    id: Spanned<String>,
    /// Of an exception from a rule, with `where`.
    rule: Option<Spanned<String>>,
    r#where: Option<WhereEntry>,
    /// Of an exception from checks of settings, with `resource`.
    check: Option<GlobsEntry>,
    resource: Option<GlobsEntry>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    owner: String,
    expires: Spanned<Datetime>,
}

impl Policy {
    /// Reads and checks a policy file. What it demands of settings is checked as well, and left out.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        check(read(text)?, text).map_err(|wrong| at(text, &wrong))
    }
}

impl Standard {
    /// Reads and checks a policy file, which needs no `[[rule]]` here. Without `[settings]` it demands what CIS does.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let file = read(text)?;
        check_standard(file, text).map_err(|wrong| at(text, &wrong))
    }
}

fn read(text: &str) -> Result<PolicyFile, PolicyError> {
    toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        at(text, &Wrong { span, message: error.message().trim().replace('\n', "; ") })
    })
}

fn check_standard(mut file: PolicyFile, text: &str) -> Checked<Standard> {
    let (name, version) = (file.name.clone(), file.version.clone());
    if file.rule.is_empty() && file.settings.is_some() {
        let settings = check_settings(&mut file)?.1;
        return Ok(Standard { name, version, sha256: hex(&Sha256::of(text)), has_rules: false, settings });
    }
    let settings = check_all(file, text)?.1;
    Ok(Standard { name, version, sha256: hex(&Sha256::of(text)), has_rules: true, settings })
}

fn check(file: PolicyFile, text: &str) -> Checked<Policy> {
    Ok(check_all(file, text)?.0)
}

/// The keys, and what is demanded of settings. The exceptions of settings are taken out of the file.
fn check_settings(file: &mut PolicyFile) -> Checked<(BTreeMap<String, NamedKey>, SettingsPolicy)> {
    let keys = std::mem::take(&mut file.keys).into_iter().map(check_key).collect::<Checked<BTreeMap<_, _>>>()?;
    check_ids(file.exception.iter().map(|exception| &exception.id))?;
    let (of_settings, of_rules) =
        std::mem::take(&mut file.exception).into_iter().partition(|exception| exception.rule.is_none());
    file.exception = of_rules;
    let mut settings = match file.settings.take() {
        Some(entry) => settings_file::check(entry, &keys)?,
        None => SettingsPolicy::cis(),
    };
    let exceptions: Vec<ExceptionEntry> = of_settings;
    settings.exceptions = exceptions.into_iter().map(check_settings_exception).collect::<Checked<Vec<_>>>()?;
    Ok((keys, settings))
}

fn check_all(mut file: PolicyFile, text: &str) -> Checked<(Policy, SettingsPolicy)> {
    let (keys, settings) = check_settings(&mut file)?;
    if file.rule.is_empty() {
        return wrong(text.len()..text.len(), "the policy has no [[rule]]: it would judge nothing");
    }
    if let Some(entry) = file.rule.get(MAX_RULES) {
        return wrong(entry.span(), format!("more rules than {MAX_RULES}"));
    }
    check_ids(file.rule.iter().map(|rule| &rule.as_ref().id))?;
    let rules = file.rule.into_iter().map(|rule| check_rule(rule.into_inner(), &keys)).collect::<Checked<Vec<_>>>()?;
    let remediation = match file.remediation {
        Some(entry) => Some(Remediation { key: named_key(&entry.key, &keys)?.arn, bucket_key: entry.bucket_key }),
        None => None,
    };
    let exceptions =
        file.exception.into_iter().map(|entry| check_exception(entry, &rules)).collect::<Checked<Vec<_>>>()?;
    let policy = Policy {
        name: file.name,
        version: file.version,
        statement: file.statement,
        labels: file.labels,
        unmatched: file.unmatched,
        versions: file.versions,
        keys,
        rules,
        remediation,
        exceptions,
        evidence: check_evidence(&file.evidence)?,
        text: text.to_owned(),
        sha256: hex(&Sha256::of(text)),
        identity: identity(text),
        earlier_sha256: before_evidence(text).iter().map(|text| hex(&Sha256::of(text))).collect(),
    };
    Ok((policy, settings))
}

fn check_evidence(entry: &EvidenceEntry) -> Checked<EvidenceAssumptions> {
    match (entry.check(), &entry.max_age) {
        (Some(assumptions), _) => Ok(assumptions),
        (None, age) => wrong(age.as_ref().map(Spanned::span).unwrap_or_default(), NO_SPAN),
    }
}

/// What a text may have been before a table `[evidence]` was added to it, with blank lines and comments in front of it.
fn before_evidence(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(begin) = lines.iter().position(|line| line.trim_start().starts_with("[evidence]")) else {
        return Vec::new();
    };
    let rest = &lines[begin + 1..];
    let end =
        rest.iter().position(|line| line.trim_start().starts_with('[')).map_or(lines.len(), |len| begin + 1 + len);
    let is_beside = |line: &&&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let beside = lines[..begin].iter().rev().take_while(is_beside).count();
    let without = |more: usize| [&lines[..begin - more], &lines[end..]].concat().concat();
    let texts = (0..=beside).map(without);
    // The text may not have ended with a line break before.
    texts.flat_map(|text| [text.strip_suffix('\n').map(str::to_owned), Some(text)]).flatten().collect()
}

/// The SHA-256 of what a policy demands, however it is written down: without what it states about
/// evidence and demands of settings, and without words that are for people.
fn identity(text: &str) -> String {
    let demands = toml::from_str::<toml::Table>(text).ok().and_then(|mut table| {
        table.remove("evidence");
        table.remove("settings");
        table.remove("statement");
        table.remove("labels");
        let rules = table.get_mut("rule").and_then(toml::Value::as_array_mut);
        rules
            .into_iter()
            .flatten()
            .filter_map(toml::Value::as_table_mut)
            .for_each(|rule| drop(rule.remove("controls")));
        let exceptions = table.get_mut("exception").and_then(toml::Value::as_array_mut);
        if let Some(exceptions) = exceptions {
            exceptions.retain(|exception| exception.get("rule").is_some());
        }
        if table.get("exception").and_then(toml::Value::as_array).is_some_and(Vec::is_empty) {
            table.remove("exception");
        }
        serde_json::to_string(&table).ok()
    });
    hex(&Sha256::of(demands.as_deref().unwrap_or(text)))
}

fn check_key((name, entry): (String, Spanned<KeyEntry>)) -> Checked<(String, NamedKey)> {
    let (arn, replicas) = match entry.as_ref() {
        KeyEntry::Arn(arn) => (arn, false),
        KeyEntry::Table(KeyTable { arn, replicas }) => (arn, *replicas),
    };
    match KeyArn::parse(arn) {
        Some(arn) if replicas && !arn.is_multi_region() => {
            wrong(entry.span(), "only a multi-Region key (key/mrk-...) has replicas")
        }
        Some(arn) => Ok((name, NamedKey { arn, replicas })),
        None => wrong(entry.span(), "not the full ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID)"),
    }
}

fn check_rule(entry: RuleEntry, keys: &BTreeMap<String, NamedKey>) -> Checked<Rule> {
    if entry.encryption.as_ref().is_empty() {
        return wrong(entry.encryption.span(), "the list is empty: no object could comply");
    }
    let allowed = match entry.keys {
        None => None,
        Some(names) if names.as_ref().is_empty() => {
            return wrong(names.span(), "the list is empty: leave `keys` out to allow any key");
        }
        Some(names) => Some(names.as_ref().iter().map(|name| named_key(name, keys)).collect::<Checked<Vec<_>>>()?),
    };
    Ok(Rule {
        id: entry.id.into_inner(),
        severity: entry.severity,
        controls: entry.controls,
        scope: check_where(entry.r#where)?,
        encryption: entry.encryption.into_inner(),
        keys: allowed,
        bucket_key: entry.bucket_key,
    })
}

fn check_where(entry: WhereEntry) -> Checked<Where> {
    let written = (entry.written_from.as_ref().map(Spanned::span), entry.written_before.as_ref().map(Spanned::span));
    let scope = Where {
        bucket: check_globs(entry.bucket)?,
        kind: check_globs(entry.kind)?,
        account: check_globs(entry.account)?,
        region: check_globs(entry.region)?,
        key: check_globs(entry.key)?,
        storage_class: check_globs(entry.storage_class)?,
        written_from: entry.written_from.as_ref().map(check_moment).transpose()?,
        written_before: entry.written_before.as_ref().map(check_moment).transpose()?,
    };
    match (scope.written_from, scope.written_before, written) {
        (Some(from), Some(before), (_, Some(span))) if from >= before => {
            wrong(span, "written_before is not later than written_from: no object could match")
        }
        _ => Ok(scope),
    }
}

fn check_exception(entry: ExceptionEntry, rules: &[Rule]) -> Checked<Exception> {
    let Some(rule) = entry.rule else { return wrong(entry.id.span(), NEITHER) };
    if let Some(other) = entry.check.as_ref().or(entry.resource.as_ref()) {
        return wrong(other.span(), "an exception is from a rule or from checks of settings, not from both");
    }
    let Some(number) = rules.iter().position(|known| known.id == *rule.as_ref()) else {
        return wrong(rule.span(), format!("no rule has that id: {}", rule.as_ref()));
    };
    let expires = check_last_day(&entry.expires, "an exception")?;
    Ok(Exception {
        id: entry.id.into_inner(),
        rule: RuleId(number as u16),
        scope: check_where(entry.r#where.unwrap_or_default())?,
        reason: entry.reason,
        owner: entry.owner,
        expires,
    })
}

/// What an exception needs.
const NEITHER: &str = "an exception names a rule, or checks and resources of settings";

fn check_settings_exception(entry: ExceptionEntry) -> Checked<SettingsException> {
    let (Some(checks), Some(resources)) = (check_globs(entry.check)?, check_globs(entry.resource)?) else {
        return wrong(entry.id.span(), NEITHER);
    };
    if entry.r#where.is_some() {
        return wrong(entry.id.span(), "an exception from checks of settings says `resource`, not `where`");
    }
    let expires = check_last_day(&entry.expires, "an exception")?;
    Ok(SettingsException {
        id: entry.id.into_inner(),
        checks,
        resources,
        reason: entry.reason,
        owner: entry.owner,
        expires,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\"]\n";

    fn error(text: &str) -> (usize, usize, String) {
        let error = Policy::from_toml(text).expect_err("the policy is wrong");
        (error.line, error.column, error.message)
    }

    #[test]
    fn the_example_of_the_contract_is_read() {
        let policy = Policy::from_toml(include_str!("../../fixtures/policy/contract.toml")).expect("a policy");
        assert_eq!((policy.name.as_str(), policy.version.as_str()), ("Central log archive", "2026-11-01"));
        assert_eq!(policy.rules.len(), 2);
        assert_eq!(policy.rules[1].severity, Severity::High);
        assert_eq!(policy.rules[1].keys.as_ref().map(Vec::len), Some(2));
        assert_eq!(policy.exceptions[0].expires.to_string(), "2027-04-01T00:00:00.000Z");
        assert!(policy.remediation.is_some_and(|remediation| remediation.bucket_key));
    }

    #[test]
    fn what_is_assumed_of_evidence_is_read_and_is_no_demand() {
        let with = format!("{RULE}[evidence]\nmax_age = \"36h\"\nlogs = \"complete\"\nhints = \"decide\"\n");
        let (with, without) = (Policy::from_toml(&with).expect("a policy"), Policy::from_toml(RULE).expect("a policy"));
        let all = EvidenceAssumptions { max_age: Some(36 * 3_600_000), logs_are_complete: true, hints_decide: true };
        assert_eq!((with.evidence, without.evidence), (all, EvidenceAssumptions::default()));
        assert_ne!(with.sha256, without.sha256);
        assert_eq!(with.identity, without.identity);
        let other = Policy::from_toml(&RULE.replace("SSE-KMS", "SSE-C")).expect("a policy");
        assert_ne!(other.identity, without.identity);
        for bad in [
            "max_age = \"0d\"",
            "max_age = \"7\"",
            "max_age = \"-7d\"",
            "max_age = 7",
            "logs = \"some\"",
            "hint = \"decide\"",
        ] {
            let error = Policy::from_toml(&format!("{RULE}[evidence]\n{bad}\n")).expect_err(bad);
            assert_eq!((error.line >= 4, error.message.is_empty()), (true, false), "{bad}: {error}");
        }
    }

    #[test]
    fn words_for_people_are_read_and_are_no_demand() {
        let words =
            "statement = \"Logs are under our keys.\"\n[labels]\nenvironment = \"production\"\nowner = \"platform\"\n";
        let rule = RULE.replace("id =", "controls = [\"CIS AWS Foundations 5.0 3.5\"]\nid =");
        let policy = Policy::from_toml(&format!("{words}{rule}")).expect("a policy");
        assert_eq!(policy.identity, Policy::from_toml(RULE).expect("a policy").identity);
        assert_eq!(policy.rules[0].controls, ["CIS AWS Foundations 5.0 3.5"]);
        let Labels { environment, system, owner } = &policy.labels;
        assert_eq!(
            [environment, system, owner, &policy.statement],
            ["production", "", "platform", "Logs are under our keys."]
        );
        assert!(error(&format!("[labels]\nteam = \"x\"\n{RULE}")).2.contains("unknown field `team`"));
    }

    #[test]
    fn a_text_is_known_as_it_was_before_evidence() {
        let sha256 = hex(&Sha256::of(RULE));
        let stated = "[evidence]\nmax_age = \"7d\"\n";
        for text in [
            format!("{RULE}{stated}"),
            format!("{RULE}\n# what we state\n{stated}"),
            format!("{RULE}\n\n{stated}"),
            format!("{stated}{RULE}"),
        ] {
            let policy = Policy::from_toml(&text).expect("a policy");
            assert!(policy.earlier_sha256.contains(&sha256), "{text}");
        }
        let trimmed = RULE.trim_end();
        let policy = Policy::from_toml(&format!("{trimmed}\n{stated}")).expect("a policy");
        assert!(policy.earlier_sha256.contains(&hex(&Sha256::of(trimmed))));
        assert!(Policy::from_toml(RULE).expect("a policy").earlier_sha256.is_empty());
        let other = Policy::from_toml(&format!("{}{stated}", RULE.replace("SSE-KMS", "SSE-C"))).expect("a policy");
        assert!(!other.earlier_sha256.contains(&sha256));
    }

    #[test]
    fn mistakes_are_found_where_they_stand() {
        let cases = [
            ("name = ", 1, 8, ""),
            ("nam = \"x\"\n[[rule]]\n", 1, 1, "unknown field `nam`"),
            ("", 1, 1, "no [[rule]]"),
            ("[[rule]]\nid = \"r\"\n", 1, 1, "missing field `encryption`"),
            ("[[rule]]\nid = \"r\"\nencryption = [\"NOT-SSE\"]", 3, 15, "unknown variant `NOT-SSE`"),
            ("[[rule]]\nid = \"r\"\nencryption = []", 3, 14, "the list is empty"),
            ("[[rule]]\nid = \"r 1\"\nencryption = [\"SSE-C\"]", 2, 6, "an id has"),
            ("[[rule]]\nid = \"r\"\nencryption = [\"SSE-C\"]\nkeys = [\"k\"]", 4, 9, "no key of that name: k"),
            ("[[rule]]\nid = \"r\"\nencryption = [\"SSE-C\"]\nwhere = { knd = [\"x\"] }", 4, 11, "unknown field `knd`"),
            ("[[rule]]\nid = \"r\"\nencryption = [\"SSE-C\"]\nwhere = { kind = [] }", 4, 18, "the list is empty"),
            (
                "[[rule]]\nid = \"r\"\nencryption = [\"SSE-C\"]\nwhere = { written_from = 2020-02-01, written_before = 2020-01-01 }",
                4,
                55,
                "not later",
            ),
            ("[keys]\nk = \"alias/k\"\n", 2, 5, "not the full ARN"),
        ];
        for (text, line, column, message) in cases {
            let found = error(text);
            assert_eq!((found.0, found.1), (line, column), "{text}\n{found:?}");
            assert!(found.2.contains(message), "{text}\n{found:?}");
        }
    }

    #[test]
    fn ids_are_used_once() {
        assert_eq!(error(&RULE.repeat(2)), (5, 6, "the id is used twice: r".into()));
    }

    #[test]
    fn an_exception_names_a_rule_and_ends() {
        let with = |exception: &str| format!("{RULE}[[exception]]\nid = \"e\"\n{exception}");
        assert!(error(&with("rule = \"r\"")).2.contains("missing field `expires`"));
        assert_eq!(error(&with("rule = \"x\"\nexpires = 2030-01-01")).2, "no rule has that id: x");
        assert!(error(&with("rule = \"r\"\nexpires = 2030-01-01T00:00:00Z")).2.contains("not a date"));
    }

    #[test]
    fn moments_are_utc() {
        let with = |moment: &str| {
            let text =
                format!("[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\"]\nwhere = {{ written_from = {moment} }}\n");
            Policy::from_toml(&text).map(|policy| policy.rules[0].scope.written_from.map(|time| time.to_string()))
        };
        assert_eq!(with("2025-11-19"), Ok(Some("2025-11-19T00:00:00.000Z".into())));
        assert_eq!(with("2025-11-19T10:00:00Z"), Ok(Some("2025-11-19T10:00:00.000Z".into())));
        assert!(with("2025-11-19T10:00:00+02:00").is_err());
        assert!(with("2025-11-19T10:00:00").is_err());
    }
}
