//! Reports of jobs against manifests: what is called done was done, and what is left is in the manifests for a retry.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::audits::{Audited, Desk, Ran, files_below, logseal, names_in};
use crate::delivery::{BUCKET, Delivery, ODD_KEYS, ParquetForm, Row, all_columns, columns_without, gzip, md5_hex};

const POLICY: &str = "[keys]\nk = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'\n\
    [[rule]]\nid = 'all'\nencryption = ['SSE-KMS']\n[remediation]\nkey = 'k'\n";
const SCHEMA: &str = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage";
const LANES: [&str; 3] = ["update-encryption", "copy", "restore-then-copy"];

/// An audit whose manifests are worked on.
struct Campaign {
    desk: Desk,
    audited: Audited,
    reports: PathBuf,
}

/// What `reconcile` left behind.
struct Reconciled {
    ran: Ran,
    out: PathBuf,
}

/// A row of a manifest: its lane, its text, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    lane: &'static str,
    line: Vec<u8>,
    key: Vec<u8>,
    version: Option<Vec<u8>>,
}

/// Rows for all three lanes, with every odd key.
fn rows() -> Vec<Row> {
    let kinds = [("SSE-S3", "STANDARD"), ("SSE-S3", "GLACIER"), ("NOT-SSE", "STANDARD"), ("NOT-SSE", "GLACIER")];
    let keys = ODD_KEYS.iter().map(|key| key.to_vec()).chain((0..13).map(|n| format!("k/{n}").into_bytes()));
    let row = |(at, key): (usize, Vec<u8>)| {
        let (status, class) = kinds[at % kinds.len()];
        let version_id = (at % 3 > 0).then(|| format!("v.{at}_"));
        Row { version_id, storage_class: Some(class.into()), ..Row::compliant("f").with_key(key).with_status(status) }
    };
    let mut rows: Vec<Row> = keys.enumerate().map(row).collect();
    rows.push(Row::compliant("right"));
    rows
}

impl Campaign {
    fn new(rows: &[Row], args: &[&str]) -> Self {
        let desk = Desk::new();
        let delivered = Delivery::csv(rows, &all_columns(), 2).write(&desk.path("inventory"));
        let audited = desk.audit_under(POLICY, delivered.config, args);
        assert_eq!(audited.code(), Some(1), "{:?}", audited.ran);
        let reports = desk.path("reports");
        fs::create_dir(&reports).unwrap();
        Self { desk, audited, reports }
    }

    /// All rows of all manifests, in order.
    fn wanted(&self) -> Vec<Wanted> {
        let files = self.audited.lists();
        let mut wanted = Vec::new();
        for lane in LANES {
            for (_, text) in files.iter().filter(|(path, _)| path.starts_with(&format!("{lane}/"))) {
                wanted.extend(text.split_inclusive(|byte| *byte == b'\n').map(|line| Wanted::parse(lane, line)));
            }
        }
        assert!(!wanted.is_empty());
        wanted
    }

    /// Writes a report as S3 does: `job-NAME/manifest.json` and `job-NAME/results/NAME.csv`.
    fn report(&self, name: &str, schema: &str, text: &[u8]) -> PathBuf {
        let job = self.reports.join(format!("job-{name}"));
        fs::create_dir_all(job.join("results")).unwrap();
        fs::write(job.join("results").join(format!("{name}.csv")), text).unwrap();
        let key = format!("prefix/job-{name}/results/{name}.csv");
        let result =
            json!({"TaskExecutionStatus": "succeeded", "Bucket": "b", "MD5Checksum": md5_hex(text), "Key": key});
        let manifest = json!({
            "Format": "Report_CSV_20180820",
            "ReportCreationDate": "2026-01-05T17:48:39.725Z",
            "Results": [result],
            "ReportSchema": schema,
        });
        fs::write(job.join("manifest.json"), manifest.to_string()).unwrap();
        job
    }

    /// The same of a job whose description is beside it.
    fn report_of(&self, name: &str, operation: &str, text: &[u8]) {
        let job = self.report(name, SCHEMA, text);
        let description = json!({"Job": {"JobId": name, "Operation": {operation: {"ExpirationInDays": 7}}}});
        fs::write(job.join("job.json"), description.to_string()).unwrap();
    }

    fn reconcile(&self, args: &[&str]) -> Reconciled {
        self.reconcile_paths(&[&self.reports], args)
    }

    fn reconcile_paths(&self, reports: &[&Path], args: &[&str]) -> Reconciled {
        let out = self.desk.path("reconciled");
        let mut all: Vec<OsString> = vec!["reconcile".into(), self.audited.out.clone().into(), "--reports".into()];
        all.extend(reports.iter().map(|path| path.as_os_str().to_owned()));
        all.extend(["--out".into(), out.clone().into(), "--force".into()]);
        all.extend(args.iter().map(OsString::from));
        let ran = logseal(all);
        let widest = ran.stdout.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        assert!(args.contains(&"json") || widest <= 80, "{}", ran.stdout);
        assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains("panicked"), "{ran:?}");
        Reconciled { ran, out }
    }

    /// Reconciles with a later inventory of these rows.
    fn with_later(&self, rows: &[Row], change: impl FnOnce(&Path)) -> Reconciled {
        let later = self.desk.path("later");
        let _ = fs::remove_dir_all(&later);
        Delivery::csv(rows, &all_columns(), 2).write(&later);
        change(&later);
        let policy = self.desk.path("policy.toml");
        self.reconcile(&["--inventory", later.to_str().unwrap(), "--policy", policy.to_str().unwrap()])
    }
}

impl Wanted {
    fn parse(lane: &'static str, line: &[u8]) -> Self {
        let cells: Vec<Vec<u8>> = line.trim_ascii_end().split(|byte| *byte == b',').map(percent_decoded).collect();
        assert_eq!((cells.len(), &cells[0][..]), (3, BUCKET.as_bytes()));
        let version = Some(cells[2].clone()).filter(|version| version != b"null");
        Self { lane, line: line.to_owned(), key: cells[1].clone(), version }
    }

    /// A row of a report, with the key as the manifest has it.
    fn reported(&self, status: &str, rest: &str) -> Vec<u8> {
        [self.line.trim_ascii_end(), b",", status.as_bytes(), b",", rest.as_bytes(), b"\n"].concat()
    }

    fn done(&self) -> Vec<u8> {
        self.reported("succeeded", ",200,Successful")
    }
}

impl Reconciled {
    #[track_caller]
    fn result(&self) -> Value {
        let text = fs::read_to_string(self.out.join("reconcile.json"));
        serde_json::from_str(&text.unwrap_or_else(|error| panic!("{error}: {:?}", self.ran))).unwrap()
    }

    #[track_caller]
    fn assert_code(&self, code: i32) -> Value {
        assert_eq!(self.ran.code, Some(code), "{}\n{}", self.ran.stdout, self.ran.stderr);
        self.result()
    }

    /// The manifests for a retry, by their paths.
    fn retry(&self) -> BTreeMap<String, Vec<u8>> {
        files_below(&self.out.join("retry"))
    }

    /// The rows of the manifests for a retry of a lane, in order.
    fn retried(&self, lane: &str) -> Vec<u8> {
        let files = self.retry();
        let files = files.iter().filter(|(path, _)| path.starts_with(&format!("{lane}/")));
        files.flat_map(|(_, text)| text.clone()).collect()
    }
}

fn percent_decoded(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = encoded;
    while let [first, others @ ..] = rest {
        let (byte, len) = match first {
            b'%' => (u8::from_str_radix(std::str::from_utf8(&others[..2]).unwrap(), 16).unwrap(), 2),
            byte => (*byte, 0),
        };
        bytes.push(byte);
        rest = &others[len..];
    }
    bytes
}

/// A row with raw bytes, quoted as RFC 4180.
fn quoted(cells: &[&[u8]]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record(cells).unwrap();
    writer.into_inner().unwrap()
}

fn texts(wanted: &[Wanted], row: impl Fn(&Wanted) -> Vec<u8>) -> Vec<u8> {
    wanted.iter().flat_map(row).collect()
}

#[test]
fn full_success_leaves_nothing_to_do() {
    let campaign = Campaign::new(&rows(), &[]);
    let wanted = campaign.wanted();
    let (archived, others): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|row| row.lane == "restore-then-copy");
    assert!(!archived.is_empty() && !others.is_empty());
    campaign.report("a", SCHEMA, &texts(&others, Wanted::done));
    campaign.report_of("restore", "S3InitiateRestoreObject", &texts(&archived, Wanted::done));
    campaign.report_of("copy", "S3PutObjectCopy", &texts(&archived, Wanted::done));
    let done = campaign.reconcile(&[]);
    let result = done.assert_code(0);
    assert!(done.ran.stdout.starts_with("DONE"), "{}", done.ran.stdout);
    assert_eq!((&result["schema"], &result["outcome"]), (&json!("logseal.reconcile/1"), &json!("pass")));
    let all = archived.len() + others.len();
    assert_eq!((&result["counts"]["rows"], &result["counts"]["succeeded"]), (&json!(all), &json!(all)));
    assert_eq!(result["lanes"]["restore-then-copy"]["succeeded"], json!(archived.len()));
    assert_eq!(result["buckets"].as_array().unwrap().len(), 3);
    assert_eq!(result["inventory"], Value::Null);
    assert_eq!((done.retry().len(), names_in(&done.out)), (0, vec!["reconcile.json".to_owned(), "retry".to_owned()]));
    let shown = campaign.reconcile(&["--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&shown.ran.stdout).unwrap(), shown.result());
}

#[test]
fn what_failed_and_what_was_never_attempted_is_for_a_retry() {
    let campaign = Campaign::new(&rows(), &["--manifest-rows", "4"]);
    let wanted = campaign.wanted();
    let mut left: Vec<Wanted> = Vec::new();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let (mut failed, mut never, mut retried) = (0, 0, 0);
    for (at, row) in wanted.iter().enumerate() {
        let code = ["AccessDenied,403,no access \x1b[31m", "InternalError,500,try again"][at % 2];
        match at % 4 {
            0 => second.extend(row.done()),
            1 => {
                failed += 1;
                left.push(row.clone());
                first.extend(row.reported("failed", code));
            }
            2 => {
                never += 1;
                left.push(row.clone());
            }
            _ => {
                retried += 1;
                first.extend(row.reported("failed", code));
                second.extend(row.done());
            }
        }
    }
    // Two copy jobs, so that the lane of restores is judged by them, too.
    campaign.report_of("first", "S3PutObjectCopy", &first);
    campaign.report_of("second", "S3PutObjectCopy", &second);
    for (name, text) in [("u-first", &first), ("u-second", &second)] {
        campaign.report_of(name, "S3UpdateObjectEncryption", text);
    }
    let partly = campaign.reconcile(&["--manifest-rows", "3"]);
    let result = partly.assert_code(1);
    let counts = &result["counts"];
    assert_eq!(
        [&counts["failed"], &counts["never_attempted"], &counts["retried"]],
        [&json!(failed), &json!(never), &json!(retried)]
    );
    let by_code: Vec<_> = result["failures"].as_array().unwrap().iter().map(|line| line["code"].clone()).collect();
    assert_eq!(by_code, ["InternalError"]);
    for lane in LANES {
        let expected: Vec<_> = left.iter().filter(|row| row.lane == lane).cloned().collect();
        assert_eq!(partly.retried(lane), texts(&expected, |row| row.line.clone()), "{lane}");
    }
    let retry = partly.retry();
    assert!(retry.len() > 3);
    for (path, text) in &retry {
        let rows = text.iter().filter(|byte| **byte == b'\n').count();
        assert!((1..=3).contains(&rows), "{path}");
        let (stem, number) = path.strip_suffix(".csv").unwrap().rsplit_once('-').unwrap();
        assert!(campaign.audited.lists().keys().any(|known| known.starts_with(stem)), "{path}");
        assert!(number == "0001" || retry.contains_key(&format!("{stem}-0001.csv")), "{path}");
    }
    assert_eq!(result["retry"], json!({"manifests": retry.len(), "rows": left.len()}));
    let manifests = result["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), campaign.audited.lists().len());
    let rows: u64 = manifests.iter().map(|line| line["rows"].as_u64().unwrap()).sum();
    assert_eq!(rows, wanted.len() as u64);
}

#[test]
fn without_reports_everything_is_left() {
    let campaign = Campaign::new(&rows(), &["--manifest-rows", "5"]);
    let nothing = campaign.reconcile(&["--manifest-rows", "5"]);
    let result = nothing.assert_code(3);
    assert_eq!(result["counts"]["never_attempted"], result["counts"]["rows"]);
    assert_eq!(nothing.retry(), campaign.audited.lists());
}

#[test]
fn columns_come_in_many_forms() {
    let update = |row: &Row| row.encryption_status.as_deref() == Some("SSE-S3");
    let campaign = Campaign::new(&rows().into_iter().filter(update).collect::<Vec<_>>(), &[]);
    let wanted = campaign.wanted();
    let failed = "403,AccessDenied,\"two\nlines, and a comma\"";
    // Swapped columns, CRLF, no manifest, compressed, given as a file.
    let swapped = texts(&wanted, |row| row.reported("Failed", failed));
    let file = campaign.desk.path("swapped.csv.gz");
    fs::write(&file, gzip(&swapped)).unwrap();
    let result = campaign.reconcile_paths(&[&file], &[]).assert_code(1);
    let failures = json!([{"code": "AccessDenied", "http_status": "403", "objects": wanted.len(),
        "message": "two\\x0alines, and a comma"}]);
    assert_eq!(result["failures"], failures);
    // Another order of columns, and blank versions for the null version.
    let blank = |row: &Wanted| {
        let cell = |at: usize| row.line.trim_ascii_end().split(|byte| *byte == b',').nth(at).unwrap();
        let version = if row.version.is_none() { &b""[..] } else { cell(2) };
        [b"succeeded,x,", version, b",", cell(1), b",", cell(0), b"\r\n"].concat()
    };
    campaign.report("odd", "TaskStatus, Novelty, VersionId, Key, Bucket", &texts(&wanted, blank));
    campaign.reconcile(&[]).assert_code(0);
    // Both together: success wins, and says so.
    let result = campaign.reconcile_paths(&[&file, &campaign.reports, &file], &[]).assert_code(0);
    assert_eq!(result["counts"]["retried"], json!(wanted.len()));
    assert_eq!(result["reports"]["files"], 2);
    // A success with the status of a failure is none.
    let contradictory = texts(&wanted, |row| row.reported("succeeded", "AccessDenied,403,"));
    fs::write(&file, gzip(&contradictory)).unwrap();
    let result = campaign.reconcile_paths(&[&file], &[]).assert_code(3);
    assert_eq!(result["faults"]["row_contradiction"], json!(wanted.len()));
}

#[test]
fn raw_keys_are_found() {
    let campaign = Campaign::new(&rows(), &[]);
    let wanted = campaign.wanted();
    let raw = |row: &Wanted| {
        let version = row.version.as_deref().unwrap_or_default();
        quoted(&[BUCKET.as_bytes(), &row.key, version, b"succeeded", b"", b"200", b"ok"])
    };
    campaign.report_of("copy", "S3PutObjectCopy", &texts(&wanted, raw));
    campaign.report_of("update", "S3UpdateObjectEncryption", &texts(&wanted, raw));
    let result = campaign.reconcile(&[]).assert_code(0);
    assert_eq!(result["reports"]["rows"]["succeeded"], json!(2 * wanted.len()));
}

#[test]
fn a_key_that_could_mean_two_objects_counts_for_neither() {
    let row = |key: &str| Row { version_id: None, ..Row::compliant("f").with_key(key).with_status("SSE-S3") };
    let campaign = Campaign::new(&[row("a b"), row("a%20b"), row("x y")], &[]);
    let line = |key: &str| format!("{BUCKET},{key},,succeeded,,200,\n").into_bytes();
    campaign.report("a", SCHEMA, &line("a%20b"));
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!((&result["reports"]["rows"]["ambiguous"], &result["counts"]["succeeded"]), (&json!(1), &json!(0)));
    // Another row of the file shows which form it has.
    for (other, expected) in [("x%20y", "a%2520b"), ("x y", "a%20b")] {
        campaign.report("a", SCHEMA, &[line(other), line("a%20b")].concat());
        let left = campaign.reconcile(&[]);
        let result = left.assert_code(3);
        let is_raw = other == "x y";
        // A raw key without any sign tells nothing of the form.
        let ambiguous = usize::from(is_raw);
        assert_eq!(result["reports"]["rows"]["ambiguous"], json!(ambiguous), "{other}");
        assert!(left.retried("update-encryption").windows(expected.len()).any(|text| text == expected.as_bytes()));
    }
}

#[test]
fn restored_is_not_copied() {
    let archived = |row: &Row| {
        row.encryption_status.as_deref() == Some("NOT-SSE") && row.storage_class.as_deref() == Some("GLACIER")
    };
    let campaign = Campaign::new(&rows().into_iter().filter(archived).collect::<Vec<_>>(), &[]);
    let wanted = campaign.wanted();
    let (some, others) = wanted.split_at(4);
    campaign.report("a", SCHEMA, &texts(some, Wanted::done));
    let unknown = campaign.reconcile(&[]);
    let result = unknown.assert_code(3);
    assert_eq!((&result["counts"]["unknown_operation"], &result["counts"]["succeeded"]), (&json!(4), &json!(0)));
    assert_eq!(unknown.retried("restore-then-copy"), texts(others, |row| row.line.clone()));
    campaign.report_of("a", "S3InitiateRestoreObject", &texts(some, Wanted::done));
    let restored = campaign.reconcile(&[]);
    assert_eq!(restored.assert_code(3)["counts"]["restored"], 4);
    for (is_restored, expected) in [(true, some), (false, others)] {
        let files = restored.retry().into_iter().filter(|(path, _)| path.contains("-restored-") == is_restored);
        assert_eq!(files.flat_map(|(_, text)| text).collect::<Vec<_>>(), texts(expected, |row| row.line.clone()));
    }
    campaign.report_of("b", "S3PutObjectCopy", &texts(&wanted, Wanted::done));
    campaign.reconcile(&[]).assert_code(0);
    // A job that does something else puts nothing right.
    campaign.report_of("b", "LambdaInvoke", &texts(&wanted, Wanted::done));
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!(result["reports"]["rows"]["other_operation"], json!(wanted.len()));
}

#[test]
fn nothing_in_a_report_does_harm() {
    let campaign = Campaign::new(&rows(), &[]);
    let wanted = campaign.wanted();
    let (row, rest) = wanted.split_first().unwrap();
    assert_eq!(row.lane, "update-encryption");
    let mut text = b"Bucket,Key,VersionId,TaskStatus,ErrorCode,HTTPStatusCode,ResultMessage\n\n".to_vec();
    text.extend_from_slice(b"other,k,,succeeded,,200,\nragged,k\n\"open,k,,succeeded,,200,\n");
    text.extend_from_slice(format!("{BUCKET},../../x,,failed,\x1b[2J,400,\n").as_bytes());
    text.extend_from_slice(format!("{BUCKET},k,,dreaming,,,\n,,,succeeded,,,\n").as_bytes());
    text.extend(std::iter::repeat_n(b'x', 3 << 20));
    text.extend_from_slice(b"\n%zz,%zz,%zz,failed,a,b,c\n");
    for n in 0..1000 {
        text.extend(rest[n % rest.len()].reported("failed", &format!("Code{n},500,\x1b[31m{}", "m".repeat(2000))));
    }
    text.extend(row.done());
    let job = campaign.report("a", SCHEMA, &text);
    let result = campaign.reconcile(&[]).assert_code(1);
    let rows = &result["reports"]["rows"];
    assert_eq!((&rows["rejected"], &rows["unknown"], &rows["rows"]), (&json!(5), &json!(3), &json!(1009)));
    assert_eq!(result["counts"]["succeeded"], 1);
    assert!(result["failures"].as_array().unwrap().len() <= 201);
    // A report that is not what its manifest says counts for nothing.
    let results = job.join("results").join("a.csv");
    fs::write(&results, [&text[..], b"x"].concat()).unwrap();
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!(result["faults"], json!({"report_wrong_checksum": 1}));
    // One that is missing is missed; links and other files are passed over.
    fs::rename(&results, campaign.desk.path("elsewhere.csv")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(campaign.desk.path("elsewhere.csv"), &results).unwrap();
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!(result["faults"], json!({"report_missing": 1}));
    assert_eq!(result["reports"]["files"], 0);
    // Manifests and jobs can be anything.
    fs::remove_file(&results).unwrap();
    fs::write(&results, row.done()).unwrap();
    let nested = "[".repeat(100_000);
    for bad in ["", "7", "[]", "{\"Results\": 7}", "{\"ReportSchema\": []}", &nested] {
        fs::write(job.join("manifest.json"), bad).unwrap();
        let result = campaign.reconcile(&[]).assert_code(3);
        assert_eq!(
            (&result["faults"]["report_manifest"], &result["counts"]["succeeded"]),
            (&json!(1), &json!(1)),
            "{bad:.9}"
        );
    }
    fs::write(job.join("manifest.json"), "{\"ReportSchema\": \"Bucket, \\u001b[31mKey\"}").unwrap();
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!((&result["faults"], &result["reports"]["files_read"]), (&json!({"report_schema": 1}), &json!(0)));
    fs::remove_file(job.join("manifest.json")).unwrap();
    fs::write(job.join("job.json"), nested).unwrap();
    assert_eq!(campaign.reconcile(&[]).assert_code(3)["faults"], json!({"report_job": 1}));
    // A damaged gzip file is a fault.
    fs::remove_file(job.join("job.json")).unwrap();
    let whole = gzip(&texts(&wanted, Wanted::done));
    fs::write(job.join("results").join("b.csv.gz"), &whole[..whole.len() - 9]).unwrap();
    assert_eq!(campaign.reconcile(&[]).assert_code(3)["faults"], json!({"report_damaged": 1}));
}

#[test]
fn a_later_inventory_is_the_proof() {
    let update = |row: &Row| row.encryption_status.as_deref() != Some("NOT-SSE");
    let before: Vec<Row> = rows().into_iter().filter(update).collect();
    let campaign = Campaign::new(&before, &[]);
    let wanted = campaign.wanted();
    campaign.report("a", SCHEMA, &texts(&wanted, Wanted::done));
    // In place: nothing but the status changes, not even the date.
    let after: Vec<Row> = before.iter().map(|row| row.clone().with_status("SSE-KMS")).collect();
    let result = campaign.with_later(&after, |_| {}).assert_code(0);
    assert_eq!(result["counts"]["inventory"]["now_compliant"], json!(wanted.len()));
    assert_eq!((&result["inventory"]["is_whole"], &result["inventory"]["is_not_newer"]), (&json!(true), &json!(true)));
    // Another format says the same.
    let parquet = campaign.desk.path("parquet");
    Delivery::parquet(&after, &all_columns(), 2, ParquetForm::default()).write(&parquet);
    let policy = campaign.desk.path("policy.toml");
    let args = ["--inventory", parquet.to_str().unwrap(), "--policy", policy.to_str().unwrap()];
    let result_of_parquet = campaign.reconcile(&args).assert_code(0);
    assert_eq!(result_of_parquet["counts"], result["counts"]);
    // One is as it was, one cannot be judged, one is gone.
    let mut some = after.clone();
    some[0].encryption_status = Some("SSE-S3".into());
    some[1].encryption_status = None;
    some.remove(2);
    let inventory = |result: &Value, name: &str| result["counts"]["inventory"][name].as_u64().unwrap();
    let result = campaign.with_later(&some, |_| {}).assert_code(1);
    let names = ["now_compliant", "still_violating", "undetermined", "not_in_inventory", "unknown"];
    let rest = wanted.len() as u64 - 3;
    assert_eq!(names.map(|name| inventory(&result, name)), [rest, 1, 1, 1, 0]);
    let result = campaign.with_later(&some[1..], |_| {}).assert_code(3);
    assert_eq!(names.map(|name| inventory(&result, name)), [rest, 0, 1, 2, 0]);
    // What could not be read says nothing, and nothing is called gone.
    let damage = |config: &Path| fs::write(config.join("data").join("part-1.csv.gz"), b"other").unwrap();
    let result = campaign.with_later(&after, damage).assert_code(3);
    assert_eq!((inventory(&result, "not_in_inventory"), &result["inventory"]["is_whole"]), (0, &json!(false)));
    assert!(inventory(&result, "unknown") > 0 && inventory(&result, "now_compliant") > 0);
    assert_eq!(result["faults"], json!({"unit_wrong_size": 1}));
    let lose_proof = |config: &Path| fs::remove_file(config.join("2026-01-04T01-00Z/manifest.checksum")).unwrap();
    let ran = campaign.with_later(&after, lose_proof);
    assert_eq!(ran.ran.code, Some(2), "{:?}", ran.ran);
    // An inventory without versions cannot show versions.
    let later = campaign.desk.path("unversioned");
    let columns = columns_without(&["VersionId", "IsLatest", "IsDeleteMarker"]);
    Delivery::csv(&after, &columns, 1).write(&later);
    let policy = campaign.desk.path("policy.toml");
    let args = ["--inventory", later.to_str().unwrap(), "--policy", policy.to_str().unwrap()];
    let result = campaign.reconcile(&args).assert_code(3);
    assert_eq!(names.map(|name| inventory(&result, name)), [0, 0, 0, 0, wanted.len() as u64]);
    // Another policy is refused, and so is the preset.
    let other = campaign.desk.file("other.toml", &format!("{POLICY}# changed\n"));
    for args in [&args[..2], &[args[0], args[1], "--policy", other.to_str().unwrap()]] {
        let refused = campaign.reconcile(args).ran;
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains("the policy is not that of the audit"), "{}", refused.stderr);
    }
}

#[test]
fn without_versions_the_current_one_is_meant() {
    let desk = Desk::new();
    let columns = columns_without(&["VersionId", "IsLatest", "IsDeleteMarker"]);
    let row = |status: &str| Row::compliant("f").with_status(status);
    let delivered = Delivery::csv(&[row("SSE-S3")], &columns, 1).write(&desk.path("inventory"));
    let audited = desk.audit_under(POLICY, delivered.config, &[]);
    let reports = desk.path("reports");
    fs::create_dir(&reports).unwrap();
    let campaign = Campaign { desk, audited, reports };
    assert!(campaign.audited.lists().keys().all(|path| path.contains("no-versions")));
    let key = String::from_utf8(row("").key).unwrap();
    campaign.report("a", SCHEMA, format!("{BUCKET},{key},someversion,succeeded,,200,\n").as_bytes());
    campaign.reconcile(&[]).assert_code(0);
    let old = |status: &str| Row { is_latest: Some(false), version_id: Some("old".into()), ..row(status) };
    campaign.with_later(&[row("SSE-KMS"), old("SSE-S3")], |_| {}).assert_code(0);
    campaign.with_later(&[row("SSE-S3"), old("SSE-KMS")], |_| {}).assert_code(1);
    let gone = campaign.with_later(&[old("SSE-KMS")], |_| {}).assert_code(3);
    assert_eq!(gone["counts"]["inventory"]["not_in_inventory"], 1);
    // What lists another bucket says nothing of this one.
    let elsewhere = campaign.desk.path("elsewhere");
    let rows = [Row { bucket: b"another".into(), ..row("SSE-KMS") }];
    Delivery::csv(&rows, &all_columns(), 1).in_bucket("another").write(&elsewhere);
    let policy = campaign.desk.path("policy.toml");
    let args = ["--inventory", elsewhere.to_str().unwrap(), "--policy", policy.to_str().unwrap()];
    let unknown = campaign.reconcile(&args).assert_code(3);
    assert_eq!(unknown["counts"]["inventory"]["unknown"], 1);
}

#[test]
fn only_an_unchanged_audit_is_taken() {
    let campaign = Campaign::new(&rows(), &["--manifest-rows", "4"]);
    let out = campaign.desk.path("reconciled");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let plain = |audit: &Path| {
        logseal([
            "reconcile".into(),
            path(audit),
            "--reports".into(),
            path(&campaign.reports),
            "--out".into(),
            path(&out),
        ])
    };
    #[track_caller]
    fn assert_refused(ran: &Ran, why: &str) {
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(why) && ran.stdout.is_empty(), "{ran:?}");
    }
    assert_refused(&plain(&campaign.reports), "not the output of an audit");
    assert_eq!(plain(&campaign.audited.out).code, Some(3));
    assert_refused(&plain(&campaign.audited.out), "holds a finished reconciliation");
    assert!(campaign.audited.out.join("summary.json").is_file());
    let missing = campaign.reconcile_paths(&[Path::new("/nowhere")], &[]);
    assert_refused(&missing.ran, "cannot open the report");
    // Its own folder is no place to lose an audit in.
    let same = logseal([
        "reconcile".into(),
        path(&campaign.audited.out),
        "--reports".into(),
        path(&campaign.audited.out),
        "--force".into(),
        "--out".into(),
        path(&campaign.audited.out),
    ]);
    assert_eq!(same.code, Some(3), "{same:?}");
    assert!(campaign.audited.out.join("summary.json").is_file() && !campaign.audited.lists().is_empty());
    let remediation = campaign.audited.lists();
    let (name, text) = remediation.iter().next().unwrap();
    let manifest = campaign.audited.out.join("remediation").join(name);
    fs::write(&manifest, &text[..text.len() - 20]).unwrap();
    let lines = text.split_inclusive(|byte| *byte == b'\n').count();
    fs::write(&manifest, text.split_inclusive(|byte| *byte == b'\n').take(lines - 1).collect::<Vec<_>>().concat())
        .unwrap();
    assert_refused(&campaign.reconcile(&[]).ran, "not as the audit left them");
    fs::write(&manifest, b"one cell\n".repeat(lines)).unwrap();
    assert_refused(&campaign.reconcile(&[]).ran, "line 1");
    fs::remove_file(&manifest).unwrap();
    assert_refused(&campaign.reconcile(&[]).ran, "not as the audit left them");
}
