//! Section 3 of the contract, written down a second time: slow, plain, and with nothing in common with the checker.
//!
//! A random [`Model`] is printed as TOML for the audit and evaluated here as it stands. Rows of two reports with columns
//! of their own go through both, and everything that an audit says of objects must agree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use logseal::audit::{AuditOptions, DEFAULT_MAX_GROUPS, RemediationOptions, SampleOptions, audit};
use logseal::batch::Flag;
use logseal::object_key::ObjectKey;
use logseal::partial::Rollups;
use logseal::plan::{Checksums, Plan, PlanOptions};
use logseal::policy::{BucketKey, Checker, Glob, KeyState, Object, Policy, Status};
use logseal::population::PopulationOptions;
use logseal::timestamp::Timestamp;
use logseal::work::{Cancel, NoProgress, Watch};
use serde_json::{Value, json};

use crate::audits::{Desk, Finding, assert_units_add_up, decode_cell, read_findings};
use crate::delivery::{
    BUCKET, CLASSES, Columns, Delivery, ParquetForm, Row, all_columns, as_reported, columns_without, iso_time,
};
use crate::random::Random;

const DAY: i64 = 86_400_000;
const METHODS: [&str; 4] = ["SSE-S3", "SSE-KMS", "DSSE-KMS", "SSE-C"];
const BUCKETS: [&str; 3] = [BUCKET, "org-archive", "x.logs"];

/// The kinds that the contract calls by name; others are counted together.
const NAMED_KINDS: [&str; 10] = [
    "CloudTrail",
    "CloudTrail-Digest",
    "CloudTrail-Insight",
    "CloudTrail-NetworkActivity",
    "CloudTrail-Aggregated",
    "vpcflowlogs",
    "elasticloadbalancing",
    "Config",
    "GuardDuty",
    "WAFLogs",
];

const GLOBS: [(&str, &[&str]); 6] = [
    ("bucket", &["*", "org-*", "org-?udit-logs", "?.logs", "*logs", "nothing", "org-audit"]),
    ("kind", &["*", "CloudTrail", "CloudTrail*", "CloudTrail-Digest", "other", "*flow*", "Cloud?rail", "*-*"]),
    ("account", &["*", "111122223333", "4444*", "?23456789012", "*0", "x"]),
    ("region", &["*", "us-*", "eu-*-1", "us-gov-west-?", "*-?", "*2"]),
    (
        "key",
        &[
            "*",
            "AWSLogs/*",
            "*.json.gz",
            "*?",
            "?",
            "*/2024/*",
            "*日*",
            "*/?.gz",
            "*a?b*",
            "=*",
            "*/AWSLogs/*",
            "*\\\\*",
        ],
    ),
    ("storage_class", &["*", "STANDARD", "STANDARD*", "GLACIER", "*_*", "?????????????"]),
];

/// Moments as a policy writes them, and in milliseconds since 1970.
const MOMENTS: [(&str, i64); 4] = [
    ("2019-01-01", 1_546_300_800_000),
    ("2024-05-06T22:37:48Z", 1_715_035_068_000),
    ("2025-11-19", 1_763_510_400_000),
    ("2026-01-01T00:00:00.123Z", 1_767_225_600_123),
];

/// Last days of exceptions, and the moments when these days begin.
const LAST_DAYS: [(&str, i64); 3] =
    [("2026-01-09", TODAY - DAY), ("2026-01-10", TODAY), ("2027-03-31", 1_806_451_200_000)];
const TODAY: i64 = 1_768_003_200_000;

struct Model {
    unmatched: &'static str,
    versions: &'static str,
    rules: Vec<Rule>,
    exceptions: Vec<Exception>,
}

struct Rule {
    scope: Conditions,
    encryption: Vec<&'static str>,
    names_keys: bool,
    bucket_key: &'static str,
}

struct Exception {
    rule: usize,
    scope: Conditions,
    last_day: (&'static str, i64),
}

#[derive(Default)]
struct Conditions {
    lists: Vec<(&'static str, Vec<&'static str>)>,
    from: Option<(&'static str, i64)>,
    before: Option<(&'static str, i64)>,
}

impl Model {
    fn random(random: &mut Random) -> Self {
        let rules: Vec<Rule> = (0..=random.below(4)).map(|_| Rule::random(random)).collect();
        let exception = |random: &mut Random| Exception {
            rule: random.below(rules.len()),
            scope: Conditions::random(random),
            last_day: random.pick(&LAST_DAYS),
        };
        Self {
            unmatched: random.pick(&["out_of_scope", "violation"]),
            versions: random.pick(&["all", "current"]),
            exceptions: (0..random.below(4)).map(|_| exception(random)).collect(),
            rules,
        }
    }

    fn to_toml(&self) -> String {
        let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let head = format!("unmatched = '{}'\nversions = '{}'\n[keys]\nk = '{key}'\n", self.unmatched, self.versions);
        let rules = self.rules.iter().enumerate().map(|(at, rule)| {
            let keys = if rule.names_keys { "keys = ['k']\n" } else { "" };
            let (scope, encryption) = (rule.scope.to_toml(), toml_list(&rule.encryption));
            format!(
                "[[rule]]\nid = 'r{at}'\n{scope}encryption = {encryption}\n{keys}bucket_key = '{}'\n",
                rule.bucket_key
            )
        });
        let exceptions = self.exceptions.iter().enumerate().map(|(at, exception)| {
            let (scope, last_day) = (exception.scope.to_toml(), exception.last_day.0);
            format!("[[exception]]\nid = 'e{at}'\nrule = 'r{}'\n{scope}expires = {last_day}\n", exception.rule)
        });
        [head].into_iter().chain(rules).chain(exceptions).collect()
    }
}

impl Rule {
    fn random(random: &mut Random) -> Self {
        Self {
            scope: Conditions::random(random),
            encryption: random.some(&METHODS, 50),
            names_keys: random.chance(25),
            bucket_key: random.pick(&["any", "required"]),
        }
    }
}

impl Conditions {
    fn random(random: &mut Random) -> Self {
        let lists = GLOBS.iter().filter(|_| random.chance(25)).copied().collect::<Vec<_>>();
        let lists = lists.into_iter().map(|(field, globs)| (field, random.some(globs, 25))).collect();
        let split = random.below(MOMENTS.len());
        let from = random.chance(20).then(|| random.pick(&MOMENTS[..=split]));
        let later = &MOMENTS[split + 1..];
        let before = (random.chance(20) && !later.is_empty()).then(|| random.pick(later));
        Self { lists, from, before }
    }

    fn to_toml(&self) -> String {
        let lists = self.lists.iter().map(|(field, globs)| format!("{field} = {}", toml_list(globs)));
        let from = self.from.iter().map(|(text, _)| format!("written_from = {text}"));
        let before = self.before.iter().map(|(text, _)| format!("written_before = {text}"));
        let fields: Vec<String> = lists.chain(from).chain(before).collect();
        if fields.is_empty() { String::new() } else { format!("where = {{ {} }}\n", fields.join(", ")) }
    }
}

/// Basic strings, so that what Rust escapes is what TOML reads.
fn toml_list(texts: &[&str]) -> String {
    let quoted: Vec<_> = texts.iter().map(|text| format!("\"{}\"", text.replace('\\', "\\\\"))).collect();
    format!("[{}]", quoted.join(", "))
}

/// A row with what its report says and leaves out.
struct Reported {
    row: Row,
    has_status: bool,
    has_class: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ruling {
    verdict: &'static str,
    reason: &'static str,
    rule: Option<usize>,
    /// The first that covers it.
    exception: Option<usize>,
}

/// Yes, no, or nothing when the report does not tell.
type Answer = Option<bool>;

fn all_hold(answers: &[Answer]) -> Answer {
    if answers.contains(&Some(false)) {
        Some(false)
    } else {
        answers.iter().copied().collect::<Option<Vec<_>>>().map(|_| true)
    }
}

impl Model {
    fn judge(&self, reported: &Reported, as_of: i64) -> Ruling {
        let row = &reported.row;
        let out_of_scope = Ruling { verdict: "out_of_scope", reason: "", rule: None, exception: None };
        if self.versions == "current" && row.is_latest == Some(false) {
            return out_of_scope;
        }
        let place = Place::of(&row.key);
        for (at, rule) in self.rules.iter().enumerate() {
            let (verdict, reason) = match rule.scope.hold(row, &place) {
                Some(false) => continue,
                None => ("undetermined", "scope_unknown"),
                Some(true) => rule.judge(reported),
            };
            let exception = (verdict == "violation").then(|| self.exception(at, row, &place, as_of)).flatten();
            let verdict = if exception.is_some() { "excepted" } else { verdict };
            return Ruling { verdict, reason, rule: Some(at), exception };
        }
        match self.unmatched {
            "violation" => Ruling { verdict: "violation", reason: "unmatched", ..out_of_scope },
            _ => out_of_scope,
        }
    }

    fn exception(&self, rule: usize, row: &Row, place: &Place, as_of: i64) -> Option<usize> {
        let covers = |exception: &Exception| {
            exception.rule == rule
                && as_of < exception.last_day.1 + DAY
                && exception.scope.hold(row, place) == Some(true)
        };
        self.exceptions.iter().position(covers)
    }
}

impl Conditions {
    fn hold(&self, row: &Row, place: &Place) -> Answer {
        let lists = self.lists.iter().map(|(field, globs)| {
            let matches = |text: &[u8]| globs.iter().any(|pattern| glob(pattern, text));
            let had = |text: &Option<String>| Some(text.as_ref().is_some_and(|text| matches(text.as_bytes())));
            match *field {
                "bucket" => Some(matches(&row.bucket)),
                "kind" => Some(matches(&place.kind)),
                "account" => had(&place.account),
                "region" => had(&place.region),
                "key" => Some(matches(&row.key)),
                _ => blank_is_none(&row.storage_class).map(|class| matches(class.as_bytes())),
            }
        });
        let from = self.from.iter().map(|(_, from)| row.last_modified.map(|time| time >= *from));
        let before = self.before.iter().map(|(_, before)| row.last_modified.map(|time| time < *before));
        all_hold(&lists.chain(from).chain(before).collect::<Vec<_>>())
    }
}

impl Rule {
    fn judge(&self, reported: &Reported) -> (&'static str, &'static str) {
        let bucket_key = reported.row.bucket_key_status.as_deref().unwrap_or_default();
        let status = reported.row.encryption_status.as_deref().unwrap_or_default();
        let is_known = METHODS.contains(&status);
        let needs_bucket_key = status == "SSE-KMS" && self.bucket_key == "required";
        let certain = [
            ("not_encrypted", status == "NOT-SSE"),
            ("method_not_allowed", is_known && !self.encryption.contains(&status)),
            ("bucket_key_disabled", needs_bucket_key && bucket_key == "DISABLED"),
        ];
        let unknown = [
            ("status_absent", !reported.has_status),
            ("status_blank", status.is_empty()),
            ("status_unrecognised", !is_known),
            ("key_unknown", self.names_keys && status.ends_with("SSE-KMS")),
            ("bucket_key_unknown", needs_bucket_key && bucket_key != "ENABLED"),
        ];
        let first = |list: &[(&'static str, bool)]| list.iter().find(|(_, holds)| *holds).map(|(reason, _)| *reason);
        match (first(&certain), first(&unknown)) {
            (Some(reason), _) => ("violation", reason),
            (None, Some(reason)) => ("undetermined", reason),
            (None, None) => ("compliant", ""),
        }
    }
}

fn blank_is_none(text: &Option<String>) -> Option<&String> {
    text.as_ref().filter(|text| !text.is_empty())
}

/// `*` any run of characters, `?` one; a byte that is no character counts as one.
fn glob(pattern: &str, text: &[u8]) -> bool {
    fn matches(pattern: &[char], text: &[&[u8]]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|from| matches(rest, &text[from..])),
            [first, rest @ ..] => text.split_first().is_some_and(|(unit, text)| {
                (*first == '?' || first.to_string().as_bytes() == *unit) && matches(rest, text)
            }),
        }
    }
    matches(&pattern.chars().collect::<Vec<_>>(), &characters(text))
}

fn characters(text: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::new();
    for chunk in text.utf8_chunks() {
        units.extend(chunk.valid().split_inclusive(|_: char| true).map(str::as_bytes));
        units.extend(chunk.invalid().chunks(1));
    }
    units
}

/// What a key says: `[prefix/]AWSLogs/[organisation/]ACCOUNT/KIND/REGION/...`.
struct Place {
    kind: Vec<u8>,
    account: Option<String>,
    region: Option<String>,
}

impl Place {
    fn of(key: &[u8]) -> Self {
        let mut folders: Vec<&[u8]> = key.split(|byte| *byte == b'/').collect();
        folders.pop();
        let anchors = (0..folders.len()).filter(|at| folders[*at] == b"AWSLogs");
        let below = anchors.filter_map(|at| Self::below(&folders[at + 1..])).next();
        below.unwrap_or(Self { kind: b"other".to_vec(), account: None, region: None })
    }

    fn below(folders: &[&[u8]]) -> Option<Self> {
        let is_organisation = folders.first().is_some_and(|name| name.starts_with(b"o-") && name.len() >= 12);
        let folders = if is_organisation { &folders[1..] } else { folders };
        let (account, rest) = folders.split_first()?;
        let is_account = account.len() == 12 && account.iter().all(u8::is_ascii_digit);
        let account = is_account.then(|| String::from_utf8(account.to_vec()).unwrap())?;
        let named = rest.first().filter(|kind| !kind.is_empty());
        let region = named.and_then(|_| rest.get(1)).and_then(|name| std::str::from_utf8(name).ok());
        Some(Self {
            kind: named.map_or(b"other".to_vec(), |kind| kind.to_vec()),
            account: Some(account),
            region: region.filter(|name| looks_like_a_region(name)).map(str::to_owned),
        })
    }

    /// The kind under which the object is counted.
    fn rollup_kind(&self) -> &str {
        match std::str::from_utf8(&self.kind) {
            Ok(kind) if self.account.is_some() && NAMED_KINDS.contains(&kind) => kind,
            Ok("other") => "other",
            _ => "other-service",
        }
    }
}

fn looks_like_a_region(name: &str) -> bool {
    let words: Vec<&str> = name.split('-').collect();
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    words.len() >= 3
        && words[..words.len() - 1].iter().all(is_word)
        && words[words.len() - 1].parse::<u8>().is_ok_and(|number| number < 100)
}

/// What an audit must say.
#[derive(Default)]
struct Expected {
    findings: Vec<Finding>,
    counts: BTreeMap<String, u64>,
    bytes: BTreeMap<String, u64>,
    by_status: BTreeMap<String, (u64, u64)>,
    by_class: BTreeMap<String, (u64, u64)>,
    by_exception: BTreeMap<String, (u64, u64)>,
    by_reason: BTreeMap<String, u64>,
    excepted_by_reason: BTreeMap<String, u64>,
    by_rule: BTreeMap<String, BTreeMap<String, u64>>,
    by_account: BTreeMap<[String; 4], BTreeMap<String, u64>>,
    by_month: BTreeMap<[String; 5], BTreeMap<String, u64>>,
    unrecognised: BTreeSet<Vec<u8>>,
}

impl Expected {
    fn add(&mut self, model: &Model, reported: &Reported, as_of: i64) {
        let row = &reported.row;
        count(&mut self.counts, "rows", 1);
        if row.is_delete_marker == Some(true) {
            return count(&mut self.counts, "delete_markers", 1);
        }
        let ruling = model.judge(reported, as_of);
        let bytes = row.size.unwrap_or(0) as u64;
        for name in ["objects", ruling.verdict] {
            count(&mut self.counts, name, 1);
            count(&mut self.bytes, name, bytes);
        }
        self.add_status(reported, bytes);
        self.add_class(reported, bytes);
        self.add_ruling(ruling, bytes);
        self.add_groups(row, ruling, bytes);
        if ["violation", "undetermined", "excepted"].contains(&ruling.verdict) {
            self.findings.push(finding(row, ruling));
        }
    }

    fn add_status(&mut self, reported: &Reported, bytes: u64) {
        let name = match reported.row.encryption_status.as_deref() {
            _ if !reported.has_status => "(absent)",
            None | Some("") => "(blank)",
            Some(status) if status == "NOT-SSE" || METHODS.contains(&status) => status,
            Some(status) => {
                self.unrecognised.insert(status.into());
                "(unrecognised)"
            }
        };
        let sum = self.by_status.entry(name.into()).or_default();
        *sum = (sum.0 + 1, sum.1 + bytes);
    }

    fn add_class(&mut self, reported: &Reported, bytes: u64) {
        let name = match reported.row.storage_class.as_deref() {
            _ if !reported.has_class => "(absent)",
            None | Some("") => "(blank)",
            Some(class) if CLASSES.contains(&class) => class,
            Some(_) => "(unrecognised)",
        };
        let sum = self.by_class.entry(name.into()).or_default();
        *sum = (sum.0 + 1, sum.1 + bytes);
    }

    fn add_ruling(&mut self, ruling: Ruling, bytes: u64) {
        if let Some(exception) = ruling.exception {
            let sum = self.by_exception.entry(format!("e{exception}")).or_default();
            *sum = (sum.0 + 1, sum.1 + bytes);
        }
        if let Some(rule) = ruling.rule {
            count(self.by_rule.entry(format!("r{rule}")).or_default(), ruling.verdict, 1);
        }
        match ruling.verdict {
            "violation" | "undetermined" => count(&mut self.by_reason, ruling.reason, 1),
            "excepted" => count(&mut self.excepted_by_reason, ruling.reason, 1),
            _ => {}
        }
    }

    fn add_groups(&mut self, row: &Row, ruling: Ruling, bytes: u64) {
        let place = Place::of(&row.key);
        let bucket = String::from_utf8(row.bucket.clone()).unwrap();
        let or_dash = |name: &Option<String>| name.clone().unwrap_or("-".into());
        let month = row.last_modified.map_or("-".into(), |time| iso_time(time)[..7].to_owned());
        let (account, region) = (or_dash(&place.account), or_dash(&place.region));
        let kind: String = place.rollup_kind().into();
        let place_key = [bucket.clone(), account.clone(), kind.clone(), region.clone()];
        let place_counts = self.by_account.entry(place_key).or_default();
        let month_counts = self.by_month.entry([bucket, account, kind, region, month]).or_default();
        for counts in [place_counts, month_counts] {
            count(counts, "objects", 1);
            count(counts, "bytes", bytes);
            count(counts, ruling.verdict, 1);
        }
    }

    fn compare(&self, summary: &Value, context: &str) {
        let amounts = |value: &Value| (value["objects"].as_u64().unwrap(), value["bytes"].as_u64().unwrap());
        let statuses = summary["by_encryption_status"].as_object().unwrap().iter();
        let statuses = statuses.map(|(name, value)| (name.clone(), amounts(value))).filter(|(_, sum)| sum.0 > 0);
        assert_eq!(self.by_status, statuses.collect(), "{context}");
        assert_eq!(self.counts, numbers(&summary["counts"]), "{context}");
        assert_eq!(self.bytes, numbers(&summary["bytes"]), "{context}");
        assert_eq!(self.by_reason, numbers(&summary["by_reason"]), "{context}");
        assert_eq!(self.excepted_by_reason, numbers(&summary["excepted_by_reason"]), "{context}");
        let rules = summary["by_rule"].as_object().unwrap().iter();
        let rules = rules.map(|(id, counts)| (id.clone(), numbers(counts))).filter(|(_, counts)| !counts.is_empty());
        assert_eq!(self.by_rule, rules.collect(), "{context}");
        assert_eq!(
            self.by_account,
            groups(&summary["by_account"], ["bucket", "account", "kind", "region"]),
            "{context}"
        );
        let months = groups(&summary["by_month"], ["bucket", "account", "kind", "region", "month"]);
        assert_eq!(self.by_month, months, "{context}");
        let classes = summary["by_storage_class"].as_object().unwrap().iter();
        let classes = classes.map(|(name, value)| (name.clone(), amounts(value)));
        assert_eq!(self.by_class, classes.collect(), "{context}");
        let exceptions = summary["exceptions"].as_array().unwrap().iter();
        let exceptions = exceptions.map(|line| (line["id"].as_str().unwrap().to_owned(), amounts(line)));
        assert_eq!(self.by_exception, exceptions.filter(|(_, sum)| sum.0 > 0).collect(), "{context}");
        let spellings = summary["unrecognised_statuses"].as_array().unwrap().iter();
        let spellings = spellings.map(|text| decode_cell(text.as_str().unwrap().as_bytes()));
        assert_eq!(self.unrecognised, spellings.collect(), "{context}");
    }
}

/// What is nought is left out, as [`numbers`] does.
fn count(counts: &mut BTreeMap<String, u64>, name: &str, by: u64) {
    if by > 0 {
        *counts.entry(name.to_owned()).or_default() += by;
    }
}

/// The numbers of a JSON object that are not zero.
fn numbers(object: &Value) -> BTreeMap<String, u64> {
    let numbers = object.as_object().unwrap().iter();
    numbers
        .filter_map(|(name, value)| Some((name.clone(), value.as_u64()?)))
        .filter(|(_, number)| *number > 0)
        .collect()
}

fn groups<const N: usize>(list: &Value, names: [&str; N]) -> BTreeMap<[String; N], BTreeMap<String, u64>> {
    let group = |line: &Value| (names.map(|name| line[name].as_str().unwrap().to_owned()), numbers(line));
    let groups: BTreeMap<_, _> = list.as_array().unwrap().iter().map(group).collect();
    assert_eq!(groups.len(), list.as_array().unwrap().len(), "no group comes twice");
    groups
}

fn finding(row: &Row, ruling: Ruling) -> Finding {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = [
        text(&row.version_id),
        row.is_latest.map_or(String::new(), |flag| flag.to_string()),
        row.size.map_or(String::new(), |size| size.to_string()),
        row.last_modified.map_or(String::new(), iso_time),
        text(&row.storage_class),
        text(&row.encryption_status),
        text(&row.bucket_key_status),
        String::new(),
        ruling.verdict.into(),
        ruling.reason.into(),
        ruling.rule.map_or(String::new(), |rule| format!("r{rule}")),
        // None of the policies says what objects should become.
        if ruling.verdict == "violation" { "no-target".into() } else { String::new() },
        ruling.exception.map_or(String::new(), |exception| format!("e{exception}")),
    ];
    [row.bucket.clone(), row.key.clone()].into_iter().chain(cells.map(String::into_bytes)).collect()
}

/// A report of a case: its rows as delivered, and its columns.
struct Report {
    bucket: &'static str,
    rows: Vec<Row>,
    columns: Columns,
}

impl Report {
    fn random(random: &mut Random, bucket: &'static str) -> Self {
        let optional = [
            "VersionId",
            "IsLatest",
            "Size",
            "LastModifiedDate",
            "StorageClass",
            "EncryptionStatus",
            "BucketKeyStatus",
        ];
        let missing = if random.chance(50) { Vec::new() } else { random.some(&optional, 20) };
        let columns = if missing.is_empty() { all_columns() } else { columns_without(&missing) };
        let rows = (0..random.below(80)).map(|_| Row { bucket: bucket.into(), ..Row::random(random) }).collect();
        Self { bucket, rows, columns }
    }

    fn as_reported(&self) -> impl Iterator<Item = Reported> {
        let has = |name: &str| self.columns.iter().any(|column| column.csv == name);
        let (has_status, has_class) = (has("EncryptionStatus"), has("StorageClass"));
        self.rows.iter().map(move |row| Reported { row: as_reported(row, &self.columns), has_status, has_class })
    }
}

fn run_audit(desk: &Desk, sources: &[&Path], checker: &Checker, case: u64) -> (Value, Vec<Finding>) {
    let out = desk.path(&format!("out-{case}"));
    let sources: Vec<_> = sources.iter().map(|path| path.to_path_buf()).collect();
    let options = AuditOptions {
        out: out.clone(),
        overwrite: false,
        jobs: 2,
        shard: None,
        rollups: Rollups::UpTo(DEFAULT_MAX_GROUPS),
        allow_empty: false,
        checksums: Checksums::Verified,
        policy_source: "oracle".into(),
        remediation: RemediationOptions::with_built_in_prices().unwrap(),
        evidence: None,
        digests: None,
        sample: SampleOptions::default(),
        population: PopulationOptions::default(),
    };
    let plan = Plan::new(&sources, &PlanOptions::default()).unwrap();
    let summary = audit(&plan, checker, &options, Watch { cancel: &Cancel::default(), progress: &NoProgress }).unwrap();
    let (summary, text) = (json!(summary), |name: &str| std::fs::read(out.join(name)).unwrap());
    assert_units_add_up(str::from_utf8(&text("units.csv")).unwrap(), &summary);
    (summary, read_findings(&text("findings.csv")))
}

/// Returns the verdicts and reasons that it met.
fn check_case(case: u64) -> BTreeSet<(&'static str, &'static str)> {
    let mut random = Random::new(case);
    let model = Model::random(&mut random);
    let toml = model.to_toml();
    let as_of = random.pick(&[TODAY, TODAY + DAY - 1, TODAY + DAY]);
    let context = format!("case {case}, as of {as_of}:\n{toml}");
    let policy = Policy::from_toml(&toml).unwrap_or_else(|error| panic!("{error}: {context}"));
    let checker = Checker::new(policy, Timestamp::from_millis(as_of).unwrap());
    let first = random.below(BUCKETS.len());
    let csv = Report::random(&mut random, BUCKETS[first]);
    let parquet = Report::random(&mut random, BUCKETS[(first + 1) % BUCKETS.len()]);

    let desk = Desk::new();
    let files = 1 + random.below(3);
    let csv_on_disk = Delivery::csv(&csv.rows, &csv.columns, files).in_bucket(csv.bucket).write(&desk.path("csv"));
    let form = ParquetForm { dictionary: random.chance(50), ..ParquetForm::default() };
    let parquet_on_disk = Delivery::parquet(&parquet.rows, &parquet.columns, files, form).in_bucket(parquet.bucket);
    let parquet_on_disk = parquet_on_disk.write(&desk.path("parquet"));
    let (summary, findings) = run_audit(&desk, &[&csv_on_disk.config, &parquet_on_disk.config], &checker, case);

    let (mut expected, mut met) = (Expected::default(), BTreeSet::new());
    for reported in csv.as_reported().chain(parquet.as_reported()) {
        expected.add(&model, &reported, as_of);
        let ruling = model.judge(&reported, as_of);
        check_checker(&checker, &reported, ruling, &context);
        met.insert((ruling.verdict, ruling.reason));
    }
    assert_eq!(expected.findings.len(), findings.len(), "{context}");
    expected.findings.iter().zip(&findings).for_each(|(expected, found)| assert_eq!(expected, found, "{context}"));
    expected.compare(&summary, &context);
    met
}

/// The plain way and the fast way of the checker give one ruling, which is ours.
fn check_checker(checker: &Checker, reported: &Reported, expected: Ruling, context: &str) {
    let row = &reported.row;
    let status = Status::parse(row.encryption_status.as_deref().unwrap_or_default().as_bytes());
    let object = Object {
        bucket: &row.bucket,
        key: &row.key,
        is_latest: row.is_latest.map_or(Flag::Blank, |flag| if flag { Flag::True } else { Flag::False }),
        last_modified: row.last_modified.and_then(Timestamp::from_millis),
        storage_class: row.storage_class.as_deref().unwrap_or_default().as_bytes(),
        status: if reported.has_status { status } else { Status::Absent },
        bucket_key: BucketKey::parse(row.bucket_key_status.as_deref().unwrap_or_default().as_bytes()),
        encrypted_under: KeyState::Unknown,
    };
    let plain = checker.judge_object(&object);
    let scope = checker.scope(&row.bucket, &ObjectKey::parse(&row.key));
    assert_eq!(plain, checker.judge_in(&scope, &object), "{row:?} {context}");
    let found = Ruling {
        verdict: plain.verdict.as_str(),
        reason: plain.reason.map_or("", |reason| reason.as_str()),
        rule: plain.rule.map(|rule| rule.as_index()),
        exception: plain.exception.map(|exception| exception.as_index()),
    };
    assert_eq!(expected, found, "{row:?} {context}");
}

/// Everything that can be said of an object without evidence of its key.
const RULINGS: [(&str, &str); 15] = [
    ("compliant", ""),
    ("excepted", "bucket_key_disabled"),
    ("excepted", "method_not_allowed"),
    ("excepted", "not_encrypted"),
    ("out_of_scope", ""),
    ("undetermined", "bucket_key_unknown"),
    ("undetermined", "key_unknown"),
    ("undetermined", "scope_unknown"),
    ("undetermined", "status_absent"),
    ("undetermined", "status_blank"),
    ("undetermined", "status_unrecognised"),
    ("violation", "bucket_key_disabled"),
    ("violation", "method_not_allowed"),
    ("violation", "not_encrypted"),
    ("violation", "unmatched"),
];

fn check_cases(cases: Range<u64>) {
    let met: BTreeSet<_> = cases.flat_map(check_case).collect();
    assert_eq!(met, BTreeSet::from(RULINGS));
}

#[test]
fn an_audit_says_what_the_contract_says_of_the_first_cases() {
    check_cases(0..200);
}

#[test]
fn an_audit_says_what_the_contract_says_of_the_other_cases() {
    check_cases(200..400);
}

/// Everything that up to so many pieces make.
fn words(pieces: &[&[u8]], len: usize) -> Vec<Vec<u8>> {
    let mut words = vec![Vec::new()];
    let mut longest = 0..1;
    for _ in 0..len {
        let longer: Vec<Vec<u8>> = words[longest.clone()]
            .iter()
            .flat_map(|word| pieces.iter().map(move |piece| [word, *piece].concat()))
            .collect();
        longest = words.len()..words.len() + longer.len();
        words.extend(longer);
    }
    words
}

#[test]
fn globs_match_as_the_contract_says() {
    // The last two are the beginning and the middle of a character.
    let texts = words(&[b"b", b"c", "é".as_bytes(), "日".as_bytes(), b"\xe6", b"\x97"], 4);
    for pattern in words(&[b"*", b"?", b"b", b"c", "日".as_bytes()], 5) {
        let pattern = String::from_utf8(pattern).unwrap();
        let product = Glob::new(&pattern);
        let wrong = texts.iter().find(|text| product.matches(text) != glob(&pattern, text));
        assert_eq!(wrong, None, "{pattern}");
    }
}
