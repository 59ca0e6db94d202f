//! Reports of jobs against manifests: what is called done was done, and what is left is in the manifests for a retry.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::audits::{Audited, Desk, Ran, files_below, logseal, names_in};
use crate::delivery::{
    BUCKET, Delivery, MADE, ODD_KEYS, ParquetForm, RUN, Row, all_columns, columns_without, gzip, md5_hex,
};

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

/// A row of a manifest: its lane, its manifest, its text, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    lane: &'static str,
    path: String,
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
            for (path, text) in files.iter().filter(|(path, _)| path.starts_with(&format!("{lane}/"))) {
                let lines = text.split_inclusive(|byte| *byte == b'\n');
                wanted.extend(lines.map(|line| Wanted { path: path.clone(), ..Wanted::parse(lane, line) }));
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

    /// The same of a job that does something else than what was asked for.
    fn report_of(&self, name: &str, operation: &str, text: &[u8]) {
        let job = self.report(name, SCHEMA, text);
        let description = json!({"Job": {"JobId": name, "Operation": {operation: {"ExpirationInDays": 7}}}});
        fs::write(job.join("job.json"), description.to_string()).unwrap();
    }

    /// A report for each manifest of these rows by each of its jobs whose file ends so: what `fetch` would bring.
    fn reports_of_jobs(&self, name: &str, ending: &str, wanted: &[Wanted], row: impl Fn(&Wanted) -> Vec<u8>) {
        let all = self.audited.remediation();
        let mut manifests: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for one in wanted {
            manifests.entry(&one.path).or_default().extend(row(one));
        }
        for (at, (path, text)) in manifests.into_iter().enumerate() {
            let stem = path.strip_suffix(".csv").unwrap();
            let jobs = all.iter().filter(|(job, _)| job.starts_with(&format!("{stem}.")) && job.ends_with(ending));
            for (number, (_, request)) in jobs.enumerate() {
                let job = self.report(&format!("{name}-{at}-{number}"), SCHEMA, &text);
                fs::write(job.join("job.json"), request).unwrap();
            }
        }
    }

    /// A report of the only kind of job that there is, with these columns.
    fn report_of_job(&self, name: &str, schema: &str, text: &[u8]) -> PathBuf {
        let job = self.report(name, schema, text);
        fs::write(job.join("job.json"), self.request()).unwrap();
        job
    }

    /// The request of the first job.
    fn request(&self) -> Vec<u8> {
        self.audited.remediation().into_iter().find(|(path, _)| path.ends_with("job.json")).unwrap().1
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
        self.desk.check_result(&out);
        Reconciled { ran, out }
    }

    /// Reconciles with a later inventory of these rows.
    fn with_later(&self, rows: &[Row], change: impl FnOnce(&Path)) -> Reconciled {
        self.with_later_and(rows, change, &[])
    }

    fn with_later_and(&self, rows: &[Row], change: impl FnOnce(&Path), args: &[&str]) -> Reconciled {
        let later = self.desk.path("later");
        write_later(&Delivery::csv(rows, &all_columns(), 2), &later);
        change(&later);
        let policy = self.desk.path("policy.toml");
        let inventory = ["--inventory", later.to_str().unwrap(), "--policy", policy.to_str().unwrap()];
        self.reconcile(&[&inventory, args].concat())
    }
}

impl Wanted {
    fn parse(lane: &'static str, line: &[u8]) -> Self {
        let cells: Vec<Vec<u8>> = line.trim_ascii_end().split(|byte| *byte == b',').map(percent_decoded).collect();
        assert_eq!((cells.len(), &cells[0][..]), (3, BUCKET.as_bytes()));
        let version = Some(cells[2].clone()).filter(|version| version != b"null");
        Self { lane, path: String::new(), line: line.to_owned(), key: cells[1].clone(), version }
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

/// Writes a report that was made four days after the audited one.
fn write_later(delivery: &Delivery, config: &Path) {
    let _ = fs::remove_dir_all(config);
    let mut manifest = delivery.manifest();
    manifest["creationTimestamp"] = "1767834000000".into();
    let delivered = delivery.write(config);
    delivered.seal(RUN, &manifest);
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

/// Objects that are updated in place, and nothing else.
fn rows_to_update() -> Vec<Row> {
    rows().into_iter().filter(|row| row.encryption_status.as_deref() != Some("NOT-SSE")).collect()
}

#[test]
fn full_success_leaves_nothing_to_do() {
    let campaign = Campaign::new(&rows_to_update(), &[]);
    let wanted = campaign.wanted();
    campaign.reports_of_jobs("a", "job.json", &wanted, Wanted::done);
    let done = campaign.reconcile(&[]);
    let result = done.assert_code(0);
    assert!(done.ran.stdout.starts_with("DONE"), "{}", done.ran.stdout);
    assert_eq!((&result["schema"], &result["outcome"]), (&json!("logseal.reconcile/1"), &json!("pass")));
    let all = wanted.len();
    assert_eq!((&result["counts"]["rows"], &result["counts"]["succeeded"]), (&json!(all), &json!(all)));
    assert_eq!((&result["inventory"], &result["audit"]["is_whole"]), (&Value::Null, &json!(true)));
    assert_eq!((done.retry().len(), names_in(&done.out)), (0, vec!["reconcile.json".to_owned(), "retry".to_owned()]));
    let shown = campaign.reconcile(&["--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&shown.ran.stdout).unwrap(), shown.result());
}

#[test]
fn a_copy_does_not_put_right_what_was_copied() {
    let campaign = Campaign::new(&rows(), &[]);
    let wanted = campaign.wanted();
    campaign.reports_of_jobs("a", "job.json", &wanted, Wanted::done);
    let result = campaign.reconcile(&[]).assert_code(3);
    let copies = wanted.iter().filter(|row| row.lane != "update-encryption").count();
    assert_eq!(result["outcome_reasons"], json!(["copies_unproven"]));
    assert_eq!(result["counts"]["succeeded"], json!(wanted.len()));
    assert_eq!((&result["counts"]["copies_unproven"], copies > 0), (&json!(copies), true));
    // The copies are there, and what was copied as well; then that is gone, and somebody says that it is gone.
    let is_copied = |row: &Row| row.encryption_status.as_deref() == Some("NOT-SSE");
    let copy = |row: &Row| Row { version_id: Some("copy".into()), ..row.clone().with_status("SSE-KMS") };
    let stay = rows_to_update().into_iter().map(|row| row.with_status("SSE-KMS"));
    let copied: Vec<Row> = stay.chain(rows().iter().filter(|row| is_copied(row)).map(copy)).collect();
    let old: Vec<Row> = rows().into_iter().filter(is_copied).collect();
    let still = campaign.with_later(&[copied.clone(), old].concat(), |_| {});
    assert_eq!(still.assert_code(1)["counts"]["inventory"]["still_violating"], json!(copies));
    assert_eq!(still.retry().len(), 0);
    let gone = campaign.with_later(&copied, |_| {}).assert_code(3);
    assert_eq!(gone["outcome_reasons"], json!(["not_in_inventory"]));
    let accepted = campaign.with_later_and(&copied, |_| {}, &["--accept-gone"]);
    assert_eq!(accepted.assert_code(0)["assumptions"][0]["name"], json!("gone_accepted"));
    assert!(accepted.ran.stdout.contains("gone_accepted"), "{}", accepted.ran.stdout);
    // It is nothing to accept where not everything was read.
    let damage = |config: &Path| fs::write(config.join("data").join("part-1.csv.gz"), b"other").unwrap();
    campaign.with_later_and(&copied, damage, &["--accept-gone"]).assert_code(3);
}

#[test]
fn copies_are_enough_where_only_current_versions_matter() {
    let current = format!("versions = \"current\"\n{POLICY}");
    let desk = Desk::new();
    let to_copy: Vec<Row> =
        rows().into_iter().filter(|row| row.encryption_status.as_deref() == Some("NOT-SSE")).collect();
    let delivered = Delivery::csv(&to_copy, &all_columns(), 1).write(&desk.path("inventory"));
    let audited = desk.audit_under(&current, delivered.config, &[]);
    let reports = desk.path("reports");
    fs::create_dir(&reports).unwrap();
    let campaign = Campaign { desk, audited, reports };
    campaign.reports_of_jobs("a", "job.json", &campaign.wanted(), Wanted::done);
    let policy = campaign.desk.path("policy.toml");
    campaign.reconcile(&["--policy", policy.to_str().unwrap()]).assert_code(0);
    let other = campaign.desk.file("other.toml", POLICY);
    assert_eq!(campaign.reconcile(&["--policy", other.to_str().unwrap()]).ran.code, Some(2));
}

#[test]
fn what_failed_and_what_was_never_attempted_is_for_a_retry() {
    let campaign = Campaign::new(&rows(), &["--manifest-rows", "4"]);
    let wanted = campaign.wanted();
    let mut left: Vec<Wanted> = Vec::new();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let (mut failed, mut never, mut retried) = (0, 0, 0);
    for (at, row) in wanted.iter().enumerate() {
        match at % 4 {
            0 => second.push(row.clone()),
            1 => {
                failed += 1;
                left.push(row.clone());
                first.push(row.clone());
            }
            2 => {
                never += 1;
                left.push(row.clone());
            }
            _ => {
                retried += 1;
                first.push(row.clone());
                second.push(row.clone());
            }
        }
    }
    // The copies of restored objects, too.
    for ending in [".job.json", ".copy-job.json"] {
        let fail = |row: &Wanted| row.reported("failed", "InternalError,500,try again");
        campaign.reports_of_jobs(&format!("first{ending}"), ending, &first, fail);
        campaign.reports_of_jobs(&format!("second{ending}"), ending, &second, Wanted::done);
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
    let campaign = Campaign::new(&rows_to_update(), &[]);
    let wanted = campaign.wanted();
    // Swapped columns, CRLF, messages of several lines.
    let failed = "403,AccessDenied,\"two\nlines, and a comma\"";
    campaign.report_of_job("failed", SCHEMA, &texts(&wanted, |row| row.reported("Failed", failed)));
    let result = campaign.reconcile(&[]).assert_code(1);
    let failures = json!([{"code": "AccessDenied", "http_status": "403", "objects": wanted.len(),
        "message": "two\\x0alines, and a comma"}]);
    assert_eq!(result["failures"], failures);
    // Another order of columns, and blank versions for the null version.
    let blank = |row: &Wanted| {
        let cell = |at: usize| row.line.trim_ascii_end().split(|byte| *byte == b',').nth(at).unwrap();
        let version = if row.version.is_none() { &b""[..] } else { cell(2) };
        [b"succeeded,x,", version, b",", cell(1), b",", cell(0), b"\r\n"].concat()
    };
    campaign.report_of_job("odd", "TaskStatus, Novelty, VersionId, Key, Bucket", &texts(&wanted, blank));
    // Both together: success wins, and says so.
    let result = campaign.reconcile_paths(&[&campaign.reports, &campaign.reports], &[]).assert_code(0);
    assert_eq!((&result["counts"]["retried"], &result["reports"]["files"]), (&json!(wanted.len()), &json!(2)));
}

/// Changes the manifest of a report.
fn change_manifest(job: &Path, change: impl FnOnce(&mut Value)) {
    let path = job.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, manifest.to_string()).unwrap();
}

#[test]
fn a_report_counts_only_if_all_is_known_of_it() {
    let campaign = Campaign::new(&rows_to_update(), &[]);
    let wanted = campaign.wanted();
    let text = texts(&wanted, Wanted::done);
    type Change = (&'static str, fn(&Path));
    let changes: [Change; 11] = [
        ("report_undated", |job| change_manifest(job, |manifest| manifest["ReportCreationDate"] = Value::Null)),
        ("report_undated", |job| change_manifest(job, |manifest| manifest["ReportCreationDate"] = "today".into())),
        ("report_no_checksum", |job| {
            change_manifest(job, |manifest| manifest["Results"][0]["MD5Checksum"] = Value::Null);
        }),
        ("report_no_checksum", |job| {
            change_manifest(job, |manifest| {
                let quoted = format!("\"{}\"", manifest["Results"][0]["MD5Checksum"].as_str().unwrap());
                manifest["Results"][0]["MD5Checksum"] = quoted.into();
            });
        }),
        ("report_no_checksum", |job| {
            change_manifest(job, |manifest| {
                let mut other = manifest["Results"][0].clone();
                other["MD5Checksum"] = "0".repeat(32).into();
                manifest["Results"].as_array_mut().unwrap().push(other);
            });
        }),
        ("report_not_named", |job| change_manifest(job, |manifest| manifest["Results"] = json!([]))),
        ("report_no_manifest", |job| fs::remove_file(job.join("manifest.json")).unwrap()),
        ("report_manifest", |job| change_manifest(job, |manifest| manifest["Format"] = "Report_CSV_2099".into())),
        ("report_wrong_checksum", |job| {
            change_manifest(job, |manifest| manifest["Results"][0]["MD5Checksum"] = "0".repeat(32).into());
        }),
        ("report_job", |job| {
            let text = fs::read_to_string(job.join("job.json")).unwrap();
            fs::write(job.join("describe-job.json"), text.replace("1234abcd", "0987dcba")).unwrap();
        }),
        ("report_job", |job| {
            let request: Value = serde_json::from_slice(&fs::read(job.join("job.json")).unwrap()).unwrap();
            let described = json!({"Job": {"JobId": "another", "Operation": request["Operation"]}});
            fs::write(job.join("job.json"), described.to_string()).unwrap();
        }),
    ];
    for (fault, change) in changes {
        let job = campaign.report_of_job("a", SCHEMA, &text);
        campaign.reconcile(&[]).assert_code(0);
        change(&job);
        let result = campaign.reconcile(&[]).assert_code(3);
        assert_eq!((&result["faults"][fault], &result["counts"]["succeeded"]), (&json!(1), &json!(0)), "{fault}");
        fs::remove_dir_all(job).unwrap();
    }
    // A report, or a job, of before the audit is about something else; that is no fault.
    let job = campaign.report_of_job("a", SCHEMA, &text);
    change_manifest(&job, |manifest| manifest["ReportCreationDate"] = "2026-01-04T00:59:59.999Z".into());
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!((&result["reports"]["rows"]["outdated"], &result["faults"]), (&json!(wanted.len()), &json!({})));
    let job = campaign.report_of_job("a", SCHEMA, &text);
    let request: Value = serde_json::from_slice(&campaign.request()).unwrap();
    let described = json!({"Job": {"JobId": "a", "Operation": request["Operation"], "CreationTime":
        "2026-01-04T00:59:59.999000+00:00"}});
    fs::write(job.join("job.json"), described.to_string()).unwrap();
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!(result["reports"]["rows"]["outdated"], json!(wanted.len()));
    // What macOS leaves beside it is passed over.
    let job = campaign.report_of_job("a", SCHEMA, &text);
    fs::write(job.join("results").join("._a.csv"), b"x").unwrap();
    assert_eq!(campaign.reconcile(&[]).assert_code(0)["reports"]["ignored_files"], 1);
}

#[test]
fn a_job_counts_only_if_it_does_what_is_asked_for() {
    let campaign = Campaign::new(&rows_to_update(), &[]);
    let wanted = campaign.wanted();
    let job = campaign.report("a", SCHEMA, &texts(&wanted, Wanted::done));
    let result = campaign.reconcile(&[]).assert_code(3);
    let all = json!(wanted.len());
    assert_eq!(
        (&result["outcome_reasons"], &result["counts"]["unknown_operation"]),
        (&json!(["unknown_operation"]), &all)
    );
    assert_eq!(result["retry"]["rows"], 0);
    let request = String::from_utf8(campaign.request()).unwrap();
    let other_key = request.replace("1234abcd", "0987dcba");
    let bucket_key = request.replace("\"BucketKeyEnabled\": false", "\"BucketKeyEnabled\": true");
    let checksums = json!({"Operation": {"S3ComputeObjectChecksum": {}}}).to_string();
    for other in [other_key.as_str(), &bucket_key, &checksums] {
        assert_ne!(other, request);
        fs::write(job.join("job.json"), other).unwrap();
        let result = campaign.reconcile(&[]).assert_code(3);
        assert_eq!(result["outcome_reasons"], json!(["never_attempted"]));
        assert_eq!((&result["reports"]["rows"]["other_operation"], &result["retry"]["rows"]), (&all, &all));
    }
    fs::write(job.join("job.json"), &request).unwrap();
    campaign.reconcile(&[]).assert_code(0);
    // What another job did to them since counts, unless it was before.
    for (other, reason) in [(other_key.as_str(), "changed_since"), ("{}", "unknown_operation"), (&checksums, "")] {
        let later = campaign.report("b", SCHEMA, &texts(&wanted[..1], Wanted::done));
        fs::write(later.join("job.json"), other).unwrap();
        let code = if reason.is_empty() { 0 } else { 3 };
        let result = campaign.reconcile(&[]).assert_code(code);
        let reasons: Vec<&str> = Some(reason).filter(|reason| !reason.is_empty()).into_iter().collect();
        assert_eq!(result["outcome_reasons"], json!(reasons));
        change_manifest(&later, |manifest| manifest["ReportCreationDate"] = "2026-01-05T01:00:00Z".into());
        let operation = serde_json::from_str::<Value>(&request).unwrap()["Operation"].clone();
        let described = json!({"Job": {"Operation": operation, "CreationTime": "2026-01-05T02:00:00+00:00"}});
        fs::write(job.join("job.json"), described.to_string()).unwrap();
        // The manifest of these rows names versions, which a description says, too.
        campaign.reconcile(&[]).assert_code(0);
        fs::remove_dir_all(later).unwrap();
        fs::write(job.join("job.json"), &request).unwrap();
    }
}

#[test]
fn what_cannot_be_put_right_by_jobs_counts_too() {
    let row = |key: &str, status: &str| Row::compliant("f").with_key(key).with_status(status);
    let before = [
        row("updated", "SSE-S3"),
        Row { size: Some(6 << 30), ..row("large", "NOT-SSE") },
        row("customer", "SSE-C"),
        Row { encryption_status: None, ..row("unknown", "") },
    ];
    let campaign = Campaign::new(&before, &[]);
    campaign.report_of_job("a", SCHEMA, &texts(&campaign.wanted(), Wanted::done));
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!(result["outcome_reasons"], json!(["never_attempted"]));
    assert_eq!((&result["not_covered"]["owner-key"], &result["not_covered"]["multipart-copy"]), (&json!(1), &json!(1)));
    assert_eq!(result["lanes"]["undetermined"]["never_attempted"], 1);
    let mut after: Vec<Row> = before.iter().map(|row| row.clone().with_status("SSE-KMS")).collect();
    campaign.with_later(&after, |_| {}).assert_code(0);
    for (at, code) in [(1, 1), (2, 1), (3, 3)] {
        after[at] = before[at].clone();
        campaign.with_later(&after, |_| {}).assert_code(code);
        after[at] = before[at].clone().with_status("SSE-KMS");
    }
}

#[test]
fn only_a_whole_audit_can_be_done() {
    let before = rows_to_update();
    let campaign = Campaign::new(&before, &[]);
    let wanted = campaign.wanted();
    campaign.report_of_job("a", SCHEMA, &texts(&wanted, Wanted::done));
    let after: Vec<Row> = before.iter().map(|row| row.clone().with_status("SSE-KMS")).collect();
    let path = campaign.audited.out.join("summary.json");
    let whole = fs::read_to_string(&path).unwrap();
    type Change = (&'static str, fn(&mut Value));
    let changes: [Change; 7] = [
        ("shard", |summary| summary["shard"] = json!({"number": 1, "of": 2})),
        ("shard", |summary| summary["outcome"] = "partial".into()),
        ("faults", |summary| summary["faults"] = json!({"manifest_time": 1})),
        ("units_missing", |summary| summary["coverage"]["units_planned"] = 9.into()),
        ("unproven_completeness", |summary| summary["coverage"]["completeness"] = "unproven".into()),
        ("manifest_time", |summary| summary["sources"][0]["created_at"] = Value::Null),
        ("something_new", |summary| summary["outcome_reasons"] = json!(["violations", "something_new"])),
    ];
    for (gap, change) in changes {
        let mut summary: Value = serde_json::from_str(&whole).unwrap();
        change(&mut summary);
        fs::write(&path, summary.to_string()).unwrap();
        let result = campaign.with_later(&after, |_| {}).assert_code(3);
        assert_eq!(result["audit"]["gaps"][0]["what"], json!(gap));
        assert!(result["outcome_reasons"].as_array().unwrap().contains(&json!("audit_not_whole")), "{gap}");
    }
    fs::write(&path, &whole).unwrap();
    let partial = campaign.audited.out.join("partial.json");
    fs::write(&partial, "{}").unwrap();
    assert_eq!(campaign.reconcile(&[]).assert_code(3)["audit"]["gaps"][0]["what"], "shard");
    fs::remove_file(&partial).unwrap();
    campaign.with_later(&after, |_| {}).assert_code(0);
    // Evidence of versions that took it for more than it proves.
    let mut summary: Value = serde_json::from_str(&whole).unwrap();
    summary.as_object_mut().unwrap().remove("assumptions");
    summary["evidence"] = json!([{"source": "heads"}]);
    fs::write(&path, summary.to_string()).unwrap();
    let result = campaign.with_later(&after, |_| {}).assert_code(3);
    assert_eq!(result["audit"]["gaps"][0]["what"], "key_evidence");
    assert!(result["audit"]["notes"].as_array().is_some_and(|notes| !notes.is_empty()));
}

#[test]
fn keys_count_as_manifests_spell_them_or_as_they_are() {
    let row = |(at, key): (usize, &&[u8])| Row {
        version_id: (at % 2 > 0).then(|| format!("v{at}")),
        ..Row::compliant("f").with_key(*key).with_status("SSE-S3")
    };
    let mut all: Vec<Row> = ODD_KEYS.iter().enumerate().map(row).collect();
    all.extend(["a%b", "a+b", "c%20d"].map(|key| Row { version_id: None, ..row((0, &key.as_bytes())) }));
    let campaign = Campaign::new(&all, &[]);
    let wanted = campaign.wanted();
    let raw = |row: &Wanted| {
        let version = row.version.as_deref().unwrap_or(b"null");
        quoted(&[BUCKET.as_bytes(), &row.key, version, b"succeeded", b"", b"200", b"ok"])
    };
    campaign.report_of_job("a", SCHEMA, &texts(&wanted, raw));
    let result = campaign.reconcile(&[]).assert_code(3);
    // The null version of a key with a % or a + could be that of another key.
    let is_unclear = |row: &&Wanted| row.version.is_none() && row.key.iter().any(|byte| b"%+".contains(byte));
    let unclear = wanted.iter().filter(is_unclear).count();
    assert_eq!(result["counts"]["never_attempted"], json!(unclear));
    assert!((3..wanted.len()).contains(&unclear));
    // Another encoding than that of manifests shows nothing.
    let lower = |row: &Wanted| {
        let cell = |at: usize| row.line.trim_ascii_end().split(|byte| *byte == b',').nth(at).unwrap();
        [cell(0), b",", &cell(1).to_ascii_lowercase(), b",", cell(2), b",succeeded,,200,\n"].concat()
    };
    campaign.report_of_job("a", SCHEMA, &texts(&wanted, lower));
    let result = campaign.reconcile(&[]).assert_code(3);
    assert!(result["reports"]["rows"]["ambiguous"].as_u64().unwrap() > 0, "{result}");
}

#[test]
fn a_success_that_may_be_of_something_else_is_none() {
    let row = |key: &str, version: Option<&str>| Row {
        version_id: version.map(str::to_owned),
        ..Row::compliant("f").with_key(key).with_status("SSE-S3")
    };
    let campaign = Campaign::new(&[row("k", Some("v1")), row("null", None), row("a b", Some("v2"))], &[]);
    let odd = [
        format!("{BUCKET},k,v1,succeeded,AccessDenied,,"),
        format!("{BUCKET},k,v9,succeeded,,200,"),
        format!("{BUCKET},k,null,succeeded,,200,"),
        format!("{BUCKET},k,,succeeded,,200,"),
        format!("{BUCKET},a+b,v2,succeeded,,200,"),
        format!("{BUCKET},a%2520b,v2,succeeded,,200,"),
    ];
    for line in odd {
        campaign.report_of_job("a", SCHEMA, format!("{line}\n").as_bytes());
        let result = campaign.reconcile(&[]).assert_code(3);
        let rows = &result["reports"]["rows"];
        let unclear = rows["ambiguous"].as_u64().unwrap() + rows["unknown"].as_u64().unwrap();
        assert_eq!((unclear, &result["counts"]["never_attempted"]), (1, &json!(3)), "{line}");
    }
    // A blank names the null version if the job's manifest names versions, which its description tells.
    let blank = format!("{BUCKET},null,,succeeded,,200,\n");
    let job = campaign.report_of_job("a", SCHEMA, blank.as_bytes());
    assert_eq!(campaign.reconcile(&[]).assert_code(3)["counts"]["succeeded"], 1);
    let mut request: Value = serde_json::from_slice(&campaign.request()).unwrap();
    for fields in [json!(["Bucket", "Key"]), Value::Null] {
        request["Manifest"]["Spec"]["Fields"] = fields;
        fs::write(job.join("job.json"), request.to_string()).unwrap();
        assert_eq!(campaign.reconcile(&[]).assert_code(3)["counts"]["succeeded"], 0);
    }
    // A success in the file of failures contradicts itself.
    let job = campaign.report_of_job("a", SCHEMA, format!("{BUCKET},k,v1,succeeded,,200,\n").as_bytes());
    assert_eq!(campaign.reconcile(&[]).assert_code(3)["counts"]["succeeded"], 1);
    change_manifest(&job, |manifest| manifest["Results"][0]["TaskExecutionStatus"] = "failed".into());
    assert_eq!(campaign.reconcile(&[]).assert_code(3)["reports"]["rows"]["ambiguous"], 1);
}

#[test]
fn a_key_that_could_mean_two_objects_counts_for_neither() {
    let row = |key: &str| Row { version_id: None, ..Row::compliant("f").with_key(key).with_status("SSE-S3") };
    let campaign = Campaign::new(&[row("a b"), row("a%20b"), row("x y")], &[]);
    let line = |key: &str| format!("{BUCKET},{key},null,succeeded,,200,\n").into_bytes();
    campaign.report_of_job("a", SCHEMA, &line("a%20b"));
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!((&result["reports"]["rows"]["ambiguous"], &result["counts"]["succeeded"]), (&json!(1), &json!(0)));
    // Another row of the file shows which form it has, wherever it stands.
    for text in [[line("x%20y"), line("a%20b")].concat(), [line("a%20b"), line("x%20y")].concat()] {
        campaign.report_of_job("a", SCHEMA, &text);
        let left = campaign.reconcile(&[]);
        let result = left.assert_code(3);
        assert_eq!((&result["reports"]["rows"]["ambiguous"], &result["counts"]["succeeded"]), (&json!(0), &json!(2)));
        assert!(left.retried("update-encryption").windows(7).any(|text| text == b"a%2520b"));
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
    fs::remove_dir_all(campaign.reports.join("job-a")).unwrap();
    campaign.reports_of_jobs("restore", ".restore-job.json", some, Wanted::done);
    let restored = campaign.reconcile(&[]);
    assert_eq!(restored.assert_code(3)["counts"]["restored"], 4);
    for (is_restored, expected) in [(true, some), (false, others)] {
        let files = restored.retry().into_iter().filter(|(path, _)| path.contains("-restored-") == is_restored);
        assert_eq!(files.flat_map(|(_, text)| text).collect::<Vec<_>>(), texts(expected, |row| row.line.clone()));
    }
    campaign.reports_of_jobs("copy", ".copy-job.json", &wanted, Wanted::done);
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!(result["outcome_reasons"], json!(["copies_unproven"]));
    assert_eq!(result["counts"]["succeeded"], json!(wanted.len()));
    // A job that does something else puts nothing right.
    fs::remove_dir_all(&campaign.reports).unwrap();
    campaign.report_of("b", "LambdaInvoke", &texts(&wanted, Wanted::done));
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!(result["reports"]["rows"]["other_operation"], json!(wanted.len()));
}

#[test]
fn nothing_in_a_report_does_harm() {
    let campaign = Campaign::new(&rows_to_update(), &[]);
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
    let job = campaign.report_of_job("a", SCHEMA, &text);
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
            (&json!(1), &json!(0)),
            "{bad:.9}"
        );
    }
    let text = row.done();
    let write = |change: &dyn Fn(&mut Value)| {
        campaign.report_of_job("a", SCHEMA, &text);
        change_manifest(&job, change);
    };
    write(&|manifest| manifest["ReportSchema"] = "Bucket, \x1b[31mKey".into());
    let result = campaign.reconcile(&[]).assert_code(3);
    assert_eq!((&result["faults"], &result["reports"]["files_read"]), (&json!({"report_schema": 1}), &json!(0)));
    write(&|_| {});
    fs::write(job.join("job.json"), nested).unwrap();
    assert_eq!(campaign.reconcile(&[]).assert_code(3)["faults"], json!({"report_job": 1}));
    // A damaged gzip file is a fault, whatever its MD5 is.
    let whole = gzip(&text);
    let damaged = &whole[..whole.len() - 9];
    write(&|manifest| {
        manifest["Results"][0]["Key"] = "prefix/job-a/results/b.csv.gz".into();
        manifest["Results"][0]["MD5Checksum"] = md5_hex(damaged).into();
    });
    fs::remove_file(&results).unwrap();
    fs::write(job.join("results").join("b.csv.gz"), damaged).unwrap();
    assert_eq!(campaign.reconcile(&[]).assert_code(3)["faults"], json!({"report_damaged": 1}));
}

#[test]
fn a_later_inventory_is_the_proof() {
    let before = rows_to_update();
    let campaign = Campaign::new(&before, &[]);
    let wanted = campaign.wanted();
    // Nothing is known of this job: the inventory alone decides.
    campaign.report("a", SCHEMA, &texts(&wanted, Wanted::done));
    // In place: nothing but the status changes, not even the date.
    let after: Vec<Row> = before.iter().map(|row| row.clone().with_status("SSE-KMS")).collect();
    let result = campaign.with_later(&after, |_| {}).assert_code(0);
    assert_eq!(result["counts"]["inventory"]["now_compliant"], json!(wanted.len()));
    assert_eq!((&result["inventory"]["is_whole"], &result["inventory"]["is_not_newer"]), (&json!(true), &json!(false)));
    assert_eq!(result["retry"]["rows"], 0);
    // Another format says the same.
    let parquet = campaign.desk.path("parquet");
    write_later(&Delivery::parquet(&after, &all_columns(), 2, ParquetForm::default()), &parquet);
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
    write_later(&Delivery::csv(&after, &columns, 1), &later);
    let policy = campaign.desk.path("policy.toml");
    let args = ["--inventory", later.to_str().unwrap(), "--policy", policy.to_str().unwrap()];
    let result = campaign.reconcile(&args).assert_code(3);
    assert_eq!(names.map(|name| inventory(&result, name)), [0, 0, 0, 0, wanted.len() as u64]);
    // An inventory that is no newer than what was audited shows nothing, whatever it lists.
    let same = campaign.desk.path("same");
    Delivery::csv(&after, &all_columns(), 1).write(&same);
    let result = campaign
        .reconcile(&["--inventory", same.to_str().unwrap(), "--policy", policy.to_str().unwrap()])
        .assert_code(3);
    assert_eq!(names.map(|name| inventory(&result, name)), [0, 0, 0, 0, wanted.len() as u64]);
    assert_eq!(result["inventory"]["is_not_newer"], json!(true));
    // Another policy is refused, and so is the preset.
    let changed = POLICY.replace("['SSE-KMS']", "['SSE-KMS', 'DSSE-KMS']");
    let other = campaign.desk.file("other.toml", &changed);
    for args in [&args[..2], &[args[0], args[1], "--policy", other.to_str().unwrap()]] {
        let refused = campaign.reconcile(args).ran;
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains("the policy is not that of the audit"), "{}", refused.stderr);
    }
}

#[test]
fn a_later_inventory_that_lists_what_came_after_it_proves_nothing() {
    let before = rows_to_update();
    let campaign = Campaign::new(&before, &[]);
    let mut after: Vec<Row> = before.iter().map(|row| row.clone().with_status("SSE-KMS")).collect();
    // Three days after the later report was made, as it says; two days are what a listing may take.
    let made = MADE + 4 * 86_400_000;
    after.push(Row { last_modified: Some(made + 3 * 86_400_000), ..Row::compliant("AWSLogs/new") });
    let result = campaign.with_later(&after, |_| {}).assert_code(3);
    assert_eq!(result["faults"], json!({"manifest_time": 1}));
    let result = campaign.with_later_and(&after, |_| {}, &["--accept-manifest-time"]).assert_code(0);
    assert_eq!(result["assumptions"][0]["name"], json!("manifest_time_accepted"));
    after.last_mut().unwrap().last_modified = Some(made + 86_400_000);
    campaign.with_later(&after, |_| {}).assert_code(0);
}

#[test]
fn keys_that_rules_name_need_evidence_here_too() {
    let policy = POLICY.replace("encryption = ['SSE-KMS']", "encryption = ['SSE-KMS']\nkeys = ['k']");
    let row = |key: &str| Row { version_id: Some(format!("v-{key}")), ..Row::compliant("f").with_key(key) };
    let before = ["a", "b"].map(|key| row(key).with_status("SSE-S3"));
    let desk = Desk::new();
    let delivered = Delivery::csv(&before, &all_columns(), 1).write(&desk.path("inventory"));
    let audited = desk.audit_under(&policy, delivered.config, &[]);
    let reports = desk.path("reports");
    fs::create_dir(&reports).unwrap();
    let campaign = Campaign { desk, audited, reports };
    let after = ["a", "b"].map(row);
    let without = campaign.with_later(&after, |_| {}).assert_code(3);
    assert_eq!(without["counts"]["inventory"]["undetermined"], 2);
    // What is stated about evidence is no part of the policy that must be the same.
    let stated = format!("{policy}[evidence]\nmax_age = '7d'\n");
    campaign.desk.file("policy.toml", &stated);
    let heads = campaign.desk.path("heads.ndjson");
    let taken = ["--key-evidence", heads.to_str().unwrap(), "--evidence-as-of", "2026-01-08T00:30:00Z"];
    for (id, code) in [("1234abcd-12ab-34cd-56ef-1234567890ab", 0), ("0987dcba-09fe-87dc-65ba-ab0987654321", 1)] {
        let head = |key: &str| {
            let key_arn = format!("arn:aws:kms:us-east-1:111122223333:key/{id}");
            let line = json!({"Bucket": BUCKET, "Key": key, "VersionId": format!("v-{key}"),
                "LastModified": "2024-05-06T22:37:48+00:00", "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": key_arn});
            format!("{line}\n")
        };
        fs::write(&heads, ["a", "b"].map(head).concat()).unwrap();
        let result = campaign.with_later_and(&after, |_| {}, &taken).assert_code(code);
        let names: Vec<_> = result["assumptions"].as_array().unwrap().iter().map(|line| &line["name"]).collect();
        assert!(names.contains(&&json!("evidence_max_age")), "{names:?}");
    }
    // Evidence that cannot be read leaves the inventory without its proof.
    fs::write(&heads, "{\"Bucket\": \"b\"").unwrap();
    assert_ne!(campaign.with_later_and(&after, |_| {}, &taken).ran.code, Some(0));
    // An audit that did not write down what its policy demands knows it by its text.
    let path = campaign.audited.out.join("summary.json");
    let mut summary: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    summary["policy"].as_object_mut().unwrap().remove("identity");
    fs::write(&path, summary.to_string()).unwrap();
    campaign.with_later(&after, |_| {}).assert_code(3);
    campaign.desk.file("policy.toml", &stated.replace("'SSE-KMS'", "'SSE-C'"));
    assert_eq!(campaign.with_later(&after, |_| {}).ran.code, Some(2));
}

#[test]
fn without_versions_the_current_one_is_meant() {
    let desk = Desk::new();
    let columns = columns_without(&["VersionId", "IsLatest", "IsDeleteMarker"]);
    let row = |status: &str| Row::compliant("f").with_status(status);
    let delivered = Delivery::csv(&[row("SSE-S3")], &columns, 1).write(&desk.path("inventory"));
    let current = format!("versions = \"current\"\n{POLICY}");
    let audited = desk.audit_under(&current, delivered.config, &[]);
    let reports = desk.path("reports");
    fs::create_dir(&reports).unwrap();
    let campaign = Campaign { desk, audited, reports };
    assert!(campaign.audited.lists().keys().all(|path| path.contains("no-versions")));
    let key = String::from_utf8(row("").key).unwrap();
    // A report that names a version is of another manifest.
    campaign.report_of_job("a", SCHEMA, format!("{BUCKET},{key},someversion,succeeded,,200,\n").as_bytes());
    assert_eq!(campaign.reconcile(&[]).assert_code(3)["reports"]["rows"]["ambiguous"], 1);
    campaign.report_of_job("a", SCHEMA, format!("{BUCKET},{key},,succeeded,,200,\n").as_bytes());
    campaign.reconcile(&[]).assert_code(0);
    let old = |status: &str| Row { is_latest: Some(false), version_id: Some("old".into()), ..row(status) };
    campaign.with_later(&[row("SSE-KMS"), old("SSE-S3")], |_| {}).assert_code(0);
    campaign.with_later(&[row("SSE-S3"), old("SSE-KMS")], |_| {}).assert_code(1);
    let gone = campaign.with_later(&[old("SSE-KMS")], |_| {}).assert_code(3);
    assert_eq!(gone["counts"]["inventory"]["not_in_inventory"], 1);
    // What lists another bucket says nothing of this one.
    let elsewhere = campaign.desk.path("elsewhere");
    let rows = [Row { bucket: b"another".into(), ..row("SSE-KMS") }];
    write_later(&Delivery::csv(&rows, &all_columns(), 1).in_bucket("another"), &elsewhere);
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
    assert_refused(&campaign.reconcile(&[]).ran, "not as the audit left them");
    // As many rows and bytes, one of them twice.
    let twin = text.split_inclusive(|byte| *byte == b'\n').next().unwrap().repeat(lines);
    fs::write(&manifest, &twin).unwrap();
    assert_refused(&campaign.reconcile(&[]).ran, "not as the audit left them");
    fs::remove_file(&manifest).unwrap();
    assert_refused(&campaign.reconcile(&[]).ran, "the file is not there");
    fs::write(&manifest, text).unwrap();
    assert_eq!(campaign.reconcile(&[]).ran.code, Some(3));
    // A manifest more, another ETag in a job file, a list of findings that tells something else.
    let more = manifest.with_file_name("more-0001.csv");
    fs::write(&more, text).unwrap();
    assert_refused(&campaign.reconcile(&[]).ran, "not as the audit left them");
    fs::remove_file(&more).unwrap();
    let changes = [("remediation", "job.json", "\"ETag\": \"", "\"ETag\": \"0"), ("", "findings.csv", "k/1", "k/z")];
    for (folder, ending, old, new) in changes {
        let files = files_below(&campaign.audited.out);
        let (name, before) = files.iter().find(|(name, _)| name.starts_with(folder) && name.ends_with(ending)).unwrap();
        let changed = String::from_utf8(before.clone()).unwrap().replacen(old, new, 1);
        let path = campaign.audited.out.join(name);
        fs::write(&path, changed).unwrap();
        assert_refused(&campaign.reconcile(&[]).ran, "not as the audit left them");
        fs::write(&path, before).unwrap();
    }
    assert_eq!(campaign.reconcile(&[]).ran.code, Some(3));
}
