//! Histories and traces as files, the audit of them, and its verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use logseal::audit::{AuditOptions, RemediationOptions, SampleOptions, audit};
use logseal::evidence::{DEFAULT_JOIN_MEMORY, EvidenceOptions, EvidencePath};
use logseal::partial::Rollups;
use logseal::plan::{Checksums, Plan, PlanOptions};
use logseal::policy::{Checker, Policy};
use logseal::population::PopulationOptions;
use logseal::timestamp::Timestamp;
use logseal::work::{Cancel, NoProgress, Watch};
use parquet::arrow::ArrowWriter;
use serde_json::json;

use super::Listed;
use super::Subject;
use super::history::{ALIASES, DAY, KEYS, Second, World};
use super::possible::{Row as SearchRow, RowOf};
use super::traces::{Form, TableRow, etag, object_key, version_id};
use crate::audits::{Desk, read_findings};
use crate::delivery::{BUCKET, Delivery, Row, columns, gzip};
use crate::random::Random;

/// So many objects share files of evidence, and their damage.
const BATCH: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Compliant,
    Violation,
    Undetermined,
}

/// What an audit said, and what it could not read.
pub struct Ruled {
    /// By key and version.
    verdicts: BTreeMap<(Vec<u8>, Vec<u8>), Verdict>,
    /// Of all others: findings do not list what is compliant.
    otherwise: Verdict,
    /// Subjects by number, with the traces that were in damaged files.
    lost: BTreeSet<(usize, usize)>,
    pub is_log_lost: bool,
    pub is_pass: bool,
}

impl Ruled {
    /// Of an audit that read everything, and called all objects the same.
    pub fn all(otherwise: Verdict) -> Self {
        Self { verdicts: BTreeMap::new(), otherwise, lost: BTreeSet::new(), is_log_lost: false, is_pass: false }
    }

    pub fn arrived(&self, subject: usize, trace: usize) -> bool {
        !self.lost.contains(&(subject, trace))
    }

    pub fn verdict(&self, subject: usize, row: &SearchRow) -> Verdict {
        let version = match row.of {
            RowOf::Version(version) => version_id(version),
            RowOf::Null | RowOf::Current => String::new(),
        };
        let name = (object_key(subject).into_bytes(), version.into_bytes());
        self.verdicts.get(&name).copied().unwrap_or(self.otherwise)
    }
}

fn rules() -> String {
    format!(
        "name = \"model\"\nversions = \"all\"\n[keys]\narchive = \"{}\"\nprevious = \"{}\"\n[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\", \"DSSE-KMS\"]\nkeys = [\"archive\", \"previous\"]\n",
        KEYS[0], KEYS[1]
    )
}

fn policy(world: &World) -> String {
    let mut policy = rules();
    policy.push_str("[evidence]\n");
    if let Some(max_age) = world.max_age {
        policy.push_str(&format!("max_age = \"{}d\"\n", max_age / DAY));
    }
    if world.logs_complete {
        policy.push_str("logs = \"complete\"\n");
    }
    if world.hints_decide {
        policy.push_str("hints = \"decide\"\n");
    }
    policy
}

/// Writes everything and audits it.
pub fn rule(desk: &Desk, seed: u64, world: &World, subjects: &[Subject]) -> Ruled {
    let mut files = Files {
        world,
        random: Random::new(seed ^ 0x5eed),
        folder: desk.path("evidence"),
        lost: BTreeSet::new(),
        is_log_lost: false,
        number: 0,
    };
    fs::create_dir(&files.folder).unwrap();
    // There is always some evidence, if only of something else.
    fs::write(
        files.folder.join("other.json"),
        r#"{"Records":[{"eventSource":"sts.amazonaws.com","eventName":"AssumeRole"}]}"#,
    )
    .unwrap();
    subjects.chunks(BATCH).for_each(|batch| files.write(batch));
    let mut sources = vec![EvidencePath::Any(files.folder.clone())];
    sources.extend(write_lists(desk, subjects));
    let Files { lost, is_log_lost, .. } = files;
    let config = deliver(desk, world, subjects);
    let checker = Checker::new(
        Policy::from_toml(&policy(world)).unwrap(),
        Timestamp::from_millis((world.created + DAY) * 1000).unwrap(),
    );
    let plan = Plan::new(&[config], &PlanOptions::default()).unwrap();
    let out = desk.path("out");
    let options = AuditOptions {
        out: out.clone(),
        overwrite: false,
        jobs: 1,
        shard: None,
        rollups: Rollups::None,
        allow_empty: true,
        checksums: Checksums::Verified,
        policy_source: "model".into(),
        remediation: RemediationOptions::with_built_in_prices().unwrap(),
        evidence: Some(EvidenceOptions {
            sources,
            aliases: world.has_aliases.then(|| write_aliases(desk)).into_iter().collect(),
            as_of: world.as_of.map(|as_of| Timestamp::from_millis(as_of * 1000).unwrap()),
            memory: DEFAULT_JOIN_MEMORY,
            temp_dir: None,
        }),
        digests: None,
        sample: SampleOptions::default(),
        population: PopulationOptions::default(),
    };
    let summary =
        audit(&plan, &checker, &options, Watch { cancel: &Cancel::default(), progress: &NoProgress }).unwrap();
    let summary = json!(summary);
    let is_pass = summary["outcome"] == "pass";
    assert!(lost.is_empty() || !is_pass, "a pass with evidence that cannot be read");
    assert!(!lost.is_empty() || summary["faults"] == json!({}), "sound evidence is not read: {}", summary["faults"]);
    let findings = read_findings(&fs::read(out.join("findings.csv")).unwrap());
    let verdict = |text: &[u8]| match text {
        b"violation" => Verdict::Violation,
        b"undetermined" => Verdict::Undetermined,
        other => panic!("another verdict: {}", String::from_utf8_lossy(other)),
    };
    let version = |cell: &Vec<u8>| if cell == b"null" { Vec::new() } else { cell.clone() };
    let verdicts =
        findings.iter().map(|finding| ((finding[1].clone(), version(&finding[2])), verdict(&finding[10]))).collect();
    Ruled { verdicts, otherwise: Verdict::Compliant, lost, is_log_lost, is_pass }
}

/// The report of all rows.
fn deliver(desk: &Desk, world: &World, subjects: &[Subject]) -> PathBuf {
    let mut names = vec!["Bucket", "Key"];
    if world.has_version_column {
        names.extend(["VersionId", "IsLatest", "IsDeleteMarker"]);
    }
    names.extend(["Size", "LastModifiedDate"]);
    names.extend(world.has_etag_column.then_some("ETag"));
    names.extend(["StorageClass"]);
    names.extend(world.has_upload_column.then_some("IsMultipartUploaded"));
    names.extend(["EncryptionStatus", "BucketKeyStatus"]);
    let rows: Vec<Row> =
        subjects.iter().flat_map(|subject| subject.rows.iter().map(|listed| report_row(subject, listed))).collect();
    let delivery = Delivery::csv(&rows, &columns(&names), 1);
    let delivered = delivery.write(&desk.path("config"));
    let mut manifest = delivery.manifest();
    manifest["creationTimestamp"] = (world.created * 1000).to_string().into();
    delivered.seal(crate::delivery::RUN, &manifest);
    delivered.config
}

fn report_row(subject: &Subject, listed: &Listed) -> Row {
    let (write, row) = (&subject.history.writes[listed.write], &listed.row);
    Row {
        version_id: match row.of {
            RowOf::Version(version) => Some(version_id(version)),
            RowOf::Null if subject.number.is_multiple_of(3) => Some("null".to_owned()),
            RowOf::Null | RowOf::Current => None,
        },
        last_modified: Some(row.modified * 1000 + (subject.number % 2) as i64 * 500),
        e_tag: Some(etag(write.etag)),
        is_multipart_uploaded: row.is_upload,
        encryption_status: Some(subject.truth(listed).status().to_owned()),
        bucket_key_status: Some(if row.has_bucket_key { "ENABLED" } else { "DISABLED" }.to_owned()),
        key: object_key(subject.number).into_bytes(),
        ..Row::compliant("x")
    }
}

/// Which trace of which subject is in a file.
type Told = (usize, usize);

struct Files<'w> {
    world: &'w World,
    random: Random,
    folder: PathBuf,
    lost: BTreeSet<Told>,
    is_log_lost: bool,
    number: usize,
}

impl Files<'_> {
    fn write(&mut self, subjects: &[Subject]) {
        let (mut logs, mut heads, mut tables, mut journals) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for subject in subjects {
            for (at, trace) in subject.traces.iter().enumerate() {
                let told = (subject.number, at);
                match &trace.form {
                    Form::Log(record) => logs.push((told, record.as_str())),
                    Form::Head(answer) => heads.push((told, answer.as_str())),
                    Form::Table(row) => tables.push((told, row)),
                    Form::Journal(row) => journals.push((told, row)),
                    Form::List { .. } => {}
                }
            }
        }
        self.random.shuffle(&mut logs);
        let half = self.random.below(logs.len() + 1);
        for logs in [&logs[..half], &logs[half..]] {
            self.write_log(logs);
        }
        self.write_heads(&heads);
        self.write_table(&tables, "table");
        self.write_table(&journals, "journal");
    }

    fn write_log(&mut self, logs: &[(Told, &str)]) {
        let records: Vec<&str> = logs.iter().map(|(_, record)| *record).collect();
        let all = records.join(",");
        let quoted = |record: &str| serde_json::to_string(record).unwrap();
        let (name, text) = match self.random.below(10) {
            0 => ("log.jsonl", records.iter().map(|record| format!("{record}\n")).collect()),
            1 => {
                let events: Vec<_> = records
                    .iter()
                    .map(|record| format!(r#"{{"EventId":"e","CloudTrailEvent":{}}}"#, quoted(record)))
                    .collect();
                ("events.json", format!("{{\n  \"Events\": [\n{}\n]}}", events.join(",\n")))
            }
            2 => {
                let events: Vec<_> = records
                    .iter()
                    .map(|record| format!(r#"{{"id":"1","timestamp":1,"message":{}}}"#, quoted(record)))
                    .collect();
                (
                    "flow.json",
                    format!(r#"{{"messageType":"DATA_MESSAGE","owner":"1","logEvents":[{}]}}"#, events.join(",")),
                )
            }
            3 => ("all.json", records.iter().map(|record| format!("{{\"Records\":[{record}]}}\n")).collect()),
            4 => ("bom.json", format!("\u{feff}{{\"Records\":[{all}]}}")),
            5 => ("inner.json", format!(r#"{{"digest":null,"Records":[{all}],"more":{{}}}}"#)),
            _ => ("log.json", format!(r#"{{"Records":[{all}]}}"#)),
        };
        self.put(name, text.into_bytes(), logs.iter().map(|(told, _)| *told).collect(), true);
    }

    fn write_heads(&mut self, heads: &[(Told, &str)]) {
        let text: String = match self.random.below(5) {
            0 => heads.iter().map(|(_, head)| head.replace(",\"", ",\n  \"") + "\n").collect(),
            _ => heads.iter().map(|(_, head)| format!("{head}\n")).collect(),
        };
        self.put("heads.ndjson", text.into_bytes(), heads.iter().map(|(told, _)| *told).collect(), false);
    }

    fn write_table(&mut self, rows: &[(Told, &TableRow)], name: &str) {
        if rows.is_empty() {
            return;
        }
        let table: Vec<&TableRow> = rows.iter().map(|(_, row)| *row).collect();
        let bytes = table_file(self.world, &table, name == "journal");
        self.put(&format!("{name}.parquet"), bytes, rows.iter().map(|(told, _)| *told).collect(), false);
    }

    /// Writes a file, compressed or not, whole or not.
    fn put(&mut self, name: &str, mut bytes: Vec<u8>, told: Vec<Told>, is_log: bool) {
        if told.is_empty() {
            return;
        }
        self.number += 1;
        let is_table = name.ends_with("parquet");
        let is_gzip = !is_table && self.random.chance(50);
        if is_gzip {
            bytes = gzip(&bytes);
        }
        if self.world.is_damaged && self.random.chance(10) {
            match self.random.below(3) {
                0 if is_table => bytes[0] ^= 1,
                1 if is_gzip => {
                    let at = 20 + self.random.below(bytes.len() - 20);
                    bytes[at] ^= 1 << self.random.below(8);
                }
                _ if is_table || is_gzip => bytes.truncate(bytes.len() * 2 / 3),
                // Of plain text, what is lost is the end of the last line.
                _ => bytes.truncate(bytes.len() - 2),
            }
            self.lost.extend(told);
            self.is_log_lost |= is_log;
        }
        let ending = if is_gzip { ".gz" } else { "" };
        fs::write(self.folder.join(format!("{:05}-{name}{ending}", self.number)), bytes).unwrap();
    }
}

fn table_file(world: &World, rows: &[&TableRow], is_journal: bool) -> Vec<u8> {
    let texts = |cell: &dyn Fn(&TableRow) -> Option<String>| {
        Arc::new(rows.iter().map(|row| cell(row)).collect::<StringArray>()) as ArrayRef
    };
    let times = |cell: &dyn Fn(&TableRow) -> Option<Second>| {
        let micros = rows.iter().map(|row| cell(row).map(|at| at * 1_000_000));
        Arc::new(micros.collect::<TimestampMicrosecondArray>()) as ArrayRef
    };
    let flags = |cell: &dyn Fn(&TableRow) -> bool| {
        Arc::new(rows.iter().map(|row| Some(cell(row))).collect::<BooleanArray>()) as ArrayRef
    };
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("bucket", texts(&|_| Some(BUCKET.to_owned()))),
        ("key", texts(&|row| Some(row.key.clone()))),
        ("is_delete_marker", flags(&|_| false)),
        ("last_modified_date", times(&|row| Some(row.modified))),
        ("e_tag", texts(&|row| Some(row.etag.clone()))),
        ("encryption_status", texts(&|row| row.status.map(str::to_owned))),
        ("is_bucket_key_enabled", flags(&|row| row.has_bucket_key)),
        ("kms_key_arn", texts(&|row| row.arn.map(str::to_owned))),
    ];
    if world.tables_have_versions {
        columns.push(("version_id", texts(&|row| row.version.clone())));
    }
    if is_journal {
        columns.push(("sequence_number", texts(&|row| row.record.map(|(order, ..)| format!("{order:024x}")))));
        columns.push(("record_type", texts(&|row| row.record.map(|(_, name, _)| name.to_owned()))));
        columns.push(("record_timestamp", times(&|row| row.record.map(|(.., time)| time))));
    } else {
        columns.push(("sequence_number", texts(&|_| Some("00".to_owned()))));
        if world.tables_have_times {
            columns.push(("evidence_as_of", times(&|row| row.as_of)));
        }
    }
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Which keys aliases name.
fn write_aliases(desk: &Desk) -> PathBuf {
    let entries: Vec<_> = std::iter::zip(ALIASES, KEYS)
        .map(|(alias, key)| {
            let name = &alias[alias.find("alias/").unwrap()..];
            json!({"AliasName": name, "AliasArn": alias, "TargetKeyId": &key[key.len() - 36..]})
        })
        .collect();
    let path = desk.path("aliases.json");
    fs::write(&path, json!({"Aliases": entries}).to_string()).unwrap();
    path
}

/// A list for each key.
fn write_lists(desk: &Desk, subjects: &[Subject]) -> Vec<EvidencePath> {
    let mut lists: BTreeMap<usize, String> = BTreeMap::new();
    for trace in subjects.iter().flat_map(|subject| &subject.traces) {
        if let Form::List { key, line } = &trace.form {
            lists.entry(*key).or_default().push_str(line);
        }
    }
    let write = |(key, text): (usize, String)| {
        let path = desk.path(&format!("list-{key}.csv"));
        fs::write(&path, text).unwrap();
        EvidencePath::OneKey { key: KEYS[key].to_owned(), path }
    };
    lists.into_iter().map(write).collect()
}
