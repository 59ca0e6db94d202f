//! The command as people and scripts meet it: arguments, exit codes, what is printed where.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Stdio;

use serde_json::json;

use crate::audits::{
    AS_OF, AUDIT_FILES, Audited, Desk, FINAL_FILES, Ran, audit_files_and, command, files_below, logseal, names_in,
};
use crate::delivery::{BUCKET, Delivery, ODD_KEYS, OrcForm, ParquetForm, RUN, Row, all_columns, columns};
use crate::random::Random;

fn compliant_rows(rows: usize) -> Vec<Row> {
    (0..rows).map(|at| Row::compliant(&format!("f{at}.json.gz"))).collect()
}

/// The folder of a configuration with one run of these rows.
fn delivered(desk: &Desk, rows: &[Row]) -> PathBuf {
    Delivery::csv(rows, &all_columns(), 2).write(&desk.path("source")).config
}

fn names_of_final_files(out: &Path) -> Vec<String> {
    names_in(out).into_iter().filter(|name| FINAL_FILES.contains(&name.as_str())).collect()
}

#[track_caller]
fn assert_refused(ran: &Ran, because: &str) {
    assert_eq!(ran.code, Some(2), "{because}: {ran:?}");
    assert!(ran.stdout.is_empty(), "{because}: {ran:?}");
    assert!(ran.stderr.contains(because), "{because}: {ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{because}: {ran:?}");
}

#[test]
fn compliant_objects_are_a_pass() {
    let desk = Desk::new();
    for delivery in [
        Delivery::csv(&compliant_rows(9), &all_columns(), 2),
        Delivery::parquet(&compliant_rows(9), &all_columns(), 2, ParquetForm::default()),
    ] {
        let audited = desk.audit(delivery.write(&desk.path(delivery.format)).config, &[]);
        assert_eq!(audited.code(), Some(0), "{audited:?}");
        let summary = audited.summary();
        assert_eq!((&summary["outcome"], &summary["outcome_reasons"]), (&json!("pass"), &json!([])));
        assert_eq!(summary["schema"], "logseal.audit/1");
        let coverage = json!({"units_planned": 2, "units_examined": 2, "units_faulted": 0, "rows_read": 9,
            "rows_rejected": 0, "completeness": "proven"});
        assert_eq!(summary["coverage"], coverage);
        let source = &summary["sources"][0];
        let bytes: usize = delivery.files.iter().map(|file| file.bytes.len()).sum();
        assert_eq!((&source["bucket"], &source["format"]), (&json!(BUCKET), &json!(delivery.format)));
        assert_eq!((&source["files"], &source["rows"], &source["bytes"]), (&json!(2), &json!(9), &json!(bytes)));
        assert_eq!(source["created_at"], "2026-01-04T01:00:00.000Z");
        assert_eq!(summary["policy"]["source"], "preset:cis");
        assert_eq!(summary["as_of"], "2026-01-10T00:00:00.000Z");
        assert!(audited.ran.stdout.starts_with("PASS  "), "{audited:?}");
        assert!(audited.ran.stderr.is_empty(), "{audited:?}");
        assert_eq!(names_in(&audited.out), AUDIT_FILES);
        assert_eq!((audited.findings().len(), audited.faults().len()), (0, 0));
    }
}

#[test]
fn exit_codes_tell_what_came_out() {
    let desk = Desk::new();
    let row = || Row::compliant("f");
    let violation = row().with_status("NOT-SSE");
    let unknown = row().with_status("");
    let elsewhere = row().with_key("plain");
    let allow_empty = || vec!["--allow-empty"];
    let cases = [
        (vec![row()], vec![], 0, vec![]),
        (vec![violation.clone()], vec![], 1, vec!["violations"]),
        (vec![violation, unknown.clone()], vec![], 1, vec!["violations", "undetermined"]),
        (vec![row(), unknown], vec![], 3, vec!["undetermined"]),
        (vec![elsewhere.clone()], vec![], 3, vec!["nothing_in_scope"]),
        (vec![elsewhere], allow_empty(), 0, vec![]),
        (vec![], vec![], 3, vec!["nothing_in_scope"]),
        (vec![], allow_empty(), 0, vec![]),
        (vec![row()], vec!["--no-checksums"], 3, vec!["unproven_completeness"]),
    ];
    for (rows, args, code, reasons) in cases {
        let audited = desk.audit(delivered(&desk, &rows), &args);
        assert_eq!(audited.code(), Some(code), "{rows:?} {args:?}");
        assert_eq!(audited.summary()["outcome_reasons"], json!(reasons), "{rows:?} {args:?}");
        let outcome = ["pass", "violations", "", "incomplete"][code as usize];
        assert_eq!(audited.summary()["outcome"], outcome);
        let is_accepted = audited.summary()["assumptions"][0]["name"] == "empty_scope_accepted";
        assert_eq!(is_accepted, args.contains(&"--allow-empty"), "{args:?}");
    }
}

#[test]
fn what_cannot_be_run_is_refused_and_writes_nothing() {
    let desk = Desk::new();
    let source = delivered(&desk, &compliant_rows(1));
    fs::create_dir(desk.path("empty")).unwrap();
    fs::create_dir_all(desk.path("file-in-the-way")).unwrap();
    let (source, out) = (source.to_str().unwrap(), desk.path("out"));
    let (empty, nowhere) = (desk.path("empty"), desk.path("nowhere"));
    let (empty, nowhere) = (empty.to_str().unwrap(), nowhere.to_str().unwrap());
    let text = desk.file("data.txt", "x");
    let policy = desk.file("policy.toml", "[[rule]]\n");
    let cases: [(&[&str], &str); 19] = [
        (&[], "SOURCE"),
        (&[nowhere], "error: cannot open the source: "),
        (&[empty], "neither a manifest.json nor runs"),
        (&[text.to_str().unwrap()], "neither a manifest (.json) nor a data file"),
        (&[source, source], "the source is given twice"),
        (&[source, "--run", "2026-01-04T01-01Z"], "the folder has no run 2026-01-04T01-01Z"),
        (&[source, "--run", "../elsewhere"], "the folder has no run"),
        (&[source, "--jobs", "0"], "not a number from 1 to 1024"),
        (&[source, "--jobs", "many"], "not a number from 1 to 1024"),
        (&[source, "--shard", "0/2"], "not N/M"),
        (&[source, "--shard", "3/2"], "not N/M"),
        (&[source, "--shard", "1"], "not N/M"),
        (&[source, "--as-of", "yesterday"], "not a date"),
        (&[source, "--as-of", "2026-02-30"], "not a date"),
        (&[source, "--max-groups", "few"], "--max-groups"),
        (&[source, "--format", "xml"], "--format"),
        (&[source, "--policy", nowhere], "error: cannot read the policy: "),
        (&[source, "--policy", policy.to_str().unwrap()], "policy.toml: line 1, column 1: missing field"),
        (&[source, "--nonsense"], "--nonsense"),
    ];
    for (args, because) in cases {
        let ran = logseal(["audit", "--out", out.to_str().unwrap()].iter().chain(args));
        assert_refused(&ran, because);
        assert!(!out.exists(), "{args:?}");
    }
    assert_refused(&logseal(["audit", source]), "--out");
    assert_eq!(logseal(["nonsense"]).code, Some(2));
    assert_eq!(logseal::<&str>([]).code, Some(2));
}

#[test]
fn help_and_pages_go_to_stdout() {
    for args in [&["--help"][..], &["--version"], &["audit", "--help"], &["man"], &["completions", "bash"]] {
        let ran = logseal(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(ran.stdout.contains("logseal"), "{args:?}");
    }
}

#[test]
fn every_preset_is_written_and_read_again() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let other = key.replace("1234abcd", "5678abcd");
    for args in [
        &[][..],
        &["--preset", "cis"],
        &["--preset", "aws-logs"],
        &["--preset", "encrypted"],
        &["--preset", "cmk", "--key", key],
        &["--preset", "cmk", "--key", key, "--key", &other],
        &["--preset", "cmk", "--key", key, &other],
    ] {
        let desk = Desk::new();
        let written = logseal(["policy", "init"].iter().chain(args));
        assert_eq!((written.code, written.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(written.stdout.starts_with("# "), "{args:?} is commented");
        let file = desk.file("policy.toml", &written.stdout);
        let checked = logseal(["policy".as_ref(), "check".as_ref(), file.as_os_str()]);
        assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(checked.stdout.contains("no mistakes"), "{checked:?}");
        let audited = desk.audit_under(&written.stdout, delivered(&desk, &compliant_rows(2)), &[]);
        let expected = if args.contains(&"cmk") { 3 } else { 0 };
        assert_eq!(audited.code(), Some(expected), "{args:?} {audited:?}");
    }
}

#[test]
fn presets_refuse_keys_that_they_cannot_use() {
    let init = |args: &[&str]| logseal(["policy", "init", "--preset"].iter().chain(args));
    assert_refused(&init(&["cmk"]), "needs the ARN of at least one key\nhint: --key arn:aws:kms:");
    assert_refused(&init(&["cmk", "--key", "alias/x"]), "not the full ARN of a KMS key: alias/x");
    let key = "arn:aws:kms:us-east-1:111122223333:key/1";
    assert_refused(&init(&["cis", "--key", key]), "the preset cis takes no keys");
    assert_refused(&init(&["nothing"]), "not one of cis, aws-logs, encrypted, cmk");
}

#[test]
fn the_preset_cis_is_what_is_used_without_a_policy() {
    let desk = Desk::new();
    let rows = Row::random_many(&mut Random::new(1), 200);
    let source = delivered(&desk, &rows);
    let written = logseal(["policy", "init"]);
    let (with, without) = (desk.audit_under(&written.stdout, &source, &[]), desk.audit(&source, &[]));
    assert_eq!(with.text("findings.csv"), without.text("findings.csv"));
    assert_eq!(with.summary()["policy"]["sha256"], without.summary()["policy"]["sha256"]);
    assert_eq!(without.summary()["policy"]["rules"][0]["id"], "cloudtrail-logs");
}

#[test]
fn mistakes_in_a_policy_are_named_with_line_and_column() {
    let rule = "[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\n";
    let with = |more: &str| format!("{rule}{more}");
    let cases = [
        ("name = ".to_owned(), 1, 8, ""),
        ("versions = 'latest'".into(), 1, 12, "latest"),
        ("unmatched = 'pass'".into(), 1, 13, "pass"),
        (String::new(), 1, 1, "no [[rule]]"),
        (with("color = 'red'"), 4, 1, "color"),
        (with("severity = 'huge'"), 4, 12, "huge"),
        (with("bucket_key = 'maybe'"), 4, 14, "maybe"),
        (with("where = { kind = 'CloudTrail' }"), 4, 18, ""),
        (with("where = { kinds = ['CloudTrail'] }"), 4, 11, "kinds"),
        (with("where = { kind = [] }"), 4, 18, "the list is empty"),
        (with("where = { kind = ['é', ''] }"), 4, 24, "an empty pattern"),
        (with("where = { written_from = 'x' }"), 4, 26, ""),
        (with("where = { written_from = 2024-02-30 }"), 4, 26, ""),
        (with("where = { written_from = 2024-01-01T00:00:00+01:00 }"), 4, 26, "UTC"),
        (with("where = { written_from = 2024-01-02, written_before = 2024-01-02 }"), 4, 55, "not later"),
        (with("keys = ['k']"), 4, 9, "no key of that name: k"),
        (with("keys = []"), 4, 8, "the list is empty"),
        (with("[keys]\nk = 'alias/k'"), 5, 5, "not the full ARN"),
        (with(rule), 5, 6, "the id is used twice: r"),
        (with("[[exception]]\nid = 'e'\nrule = 'r'"), 4, 1, "expires"),
        (with("[[exception]]\nid = 'e'\nrule = 'x'\nexpires = 2026-01-01"), 6, 8, "no rule has that id: x"),
        (with("[[exception]]\nid = 'e'\nrule = 'r'\nexpires = 2026-01-01T00:00:00Z"), 7, 11, "not a date"),
        (with("[remediation]\nkey = 'k'"), 5, 7, "no key of that name: k"),
        (with("[[rule]]\nid = 'a b'\nencryption = ['SSE-C']"), 5, 6, "an id has"),
        (with("[[rule]]\nid = 'b'\nencryption = ['NOT-SSE']"), 6, 15, "NOT-SSE"),
        (with("[[rule]]\nid = 'b'\nencryption = []"), 6, 14, "the list is empty"),
    ];
    let desk = Desk::new();
    for (text, line, column, message) in cases {
        let file = desk.file("policy.toml", &text);
        let ran = logseal(["policy".as_ref(), "check".as_ref(), file.as_os_str()]);
        assert_refused(&ran, &format!("policy.toml: line {line}, column {column}: "));
        assert!(ran.stderr.contains(message), "{message}: {ran:?}");
    }
}

#[test]
fn a_finished_audit_is_overwritten_only_by_force() {
    let desk = Desk::new();
    let source = delivered(&desk, &compliant_rows(3));
    let out = desk.path("kept");
    let audit = |source: &Path, extra: &[&str]| {
        let args = ["audit", source.to_str().unwrap(), "--out", out.to_str().unwrap()];
        logseal(args.iter().chain(extra))
    };
    let content = || names_in(&out).into_iter().map(|name| (name.clone(), fs::read(out.join(name)).ok()));
    assert_eq!(audit(&source, &["--shard", "1/2"]).code, Some(0));
    let before: Vec<_> = content().collect();
    let refused = audit(&source, &[]);
    assert_refused(&refused, "error: the folder holds a finished audit: ");
    assert!(refused.stderr.contains("\nhint: name another folder, or add --force"), "{refused:?}");
    assert_eq!(before, content().collect::<Vec<_>>());

    let violating = Delivery::csv(&[Row::compliant("f").with_status("NOT-SSE")], &all_columns(), 1);
    let violating = violating.write(&desk.path("violating")).config;
    assert_eq!(audit(&violating, &["--force"]).code, Some(1));
    assert_eq!(names_in(&out), AUDIT_FILES, "the partial of the shard is gone");
    assert_eq!(fs::read_to_string(out.join("findings.csv")).unwrap().lines().count(), 2);
    assert_eq!(audit(&desk.path("nowhere"), &["--force"]).code, Some(2));
    assert_eq!(fs::read_to_string(out.join("findings.csv")).unwrap().lines().count(), 2);
}

#[test]
fn an_output_folder_may_hold_other_files() {
    let desk = Desk::new();
    let source = delivered(&desk, &compliant_rows(3));
    let out = desk.path("kept");
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("notes.txt"), "mine").unwrap();
    let ran = logseal(["audit".as_ref(), source.as_os_str(), "--out".as_ref(), out.as_os_str()]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(names_in(&out), audit_files_and("notes.txt"));
    assert_eq!(fs::read_to_string(out.join("notes.txt")).unwrap(), "mine");
    let file = desk.file("a-file", "x");
    let ran = logseal(["audit".as_ref(), source.as_os_str(), "--out".as_ref(), file.as_os_str()]);
    assert_refused(&ran, "error: cannot write to ");
}

#[test]
fn a_policy_that_no_audit_left_there_is_not_replaced() {
    let desk = Desk::new();
    let source = delivered(&desk, &compliant_rows(3));
    let out = desk.path("kept");
    fs::create_dir_all(&out).unwrap();
    let own = out.join("policy.toml");
    let encrypted = logseal(["policy", "init", "--preset", "encrypted"]).stdout;
    let other = desk.file("other.toml", &encrypted);
    let audit = |extra: &[&str]| {
        let args = ["audit", source.to_str().unwrap(), "--out", out.to_str().unwrap()];
        logseal(args.iter().chain(extra))
    };
    fs::write(&own, format!("# mine\n{encrypted}")).unwrap();
    let refused = audit(&["--policy", other.to_str().unwrap(), "--force"]);
    assert_refused(&refused, "error: the folder holds a file that no result left there");
    assert_eq!(names_in(&out), ["policy.toml"]);
    // The very policy may lie there, and what an audit left is replaced.
    assert_eq!(audit(&["--policy", own.to_str().unwrap()]).code, Some(0));
    assert!(fs::read_to_string(&own).unwrap().starts_with("# mine"));
    assert_eq!(audit(&["--policy", other.to_str().unwrap(), "--force"]).code, Some(0));
    assert_eq!(fs::read_to_string(&own).unwrap(), encrypted);
    fs::write(&own, "# changed since\n").unwrap();
    assert_refused(&audit(&["--force"]), "error: the folder holds a file that no result left there");
    assert_eq!(names_in(&out), AUDIT_FILES);
}

#[test]
fn manifests_are_kept_as_they_were_delivered() {
    let desk = Desk::new();
    let delivered: Vec<_> = ["one", "two", "three"]
        .into_iter()
        .map(|bucket| {
            let delivery = Delivery::csv(&compliant_rows(3), &all_columns(), 1).in_bucket(bucket);
            delivery.write(&desk.path(bucket))
        })
        .collect();
    // What is wrong with a manifest is kept with it.
    fs::write(delivered[1].manifest(), "{ no manifest").unwrap();
    fs::remove_file(delivered[2].checksum()).unwrap();
    let third = delivered[2].manifest();
    let audited = desk.audit_all(&[&delivered[0].config, &delivered[1].config, &third], &[]);
    let read = |path: PathBuf| fs::read(path).unwrap();
    let expected = [
        ("1/manifest.checksum", read(delivered[0].checksum())),
        ("1/manifest.json", read(delivered[0].manifest())),
        ("2/manifest.checksum", read(delivered[1].checksum())),
        ("2/manifest.json", b"{ no manifest".to_vec()),
        ("3/manifest.json", read(delivered[2].manifest())),
    ];
    assert_eq!(audited.steady().sources, expected.map(|(name, text)| (name.to_owned(), text)).into());
    let manifests: Vec<_> =
        audited.summary()["sources"].as_array().unwrap().iter().map(|s| s["manifest"].clone()).collect();
    let checksum = String::from_utf8(read(delivered[0].checksum())).unwrap();
    assert_eq!(manifests[0]["md5"], checksum.trim());
    assert_eq!(manifests[0]["bucket"], "inventory-destination");
    assert_eq!(manifests[0]["key"], format!("inventories/one/daily/{RUN}/manifest.json"));
    assert_eq!((&manifests[1]["bucket"], &manifests[1]["key"]), (&json!(null), &json!(null)));
    assert_eq!(manifests[2]["checksum_sha256"], json!(null));
    let data = delivered[0].config.join("data");
    let bare = desk.audit(data.join(&names_in(&data)[0]), &["--accept-unproven", "--schema", "Bucket,Key"]);
    assert_eq!(bare.summary()["sources"][0]["manifest"], json!(null), "{bare:?}");
}

#[test]
fn a_folder_of_sources_that_no_audit_left_there_is_not_replaced() {
    let desk = Desk::new();
    let source = delivered(&desk, &compliant_rows(3));
    for own in ["sources/mine/x", "sources/1/data.csv.gz"] {
        let out = desk.path(&own.replace('/', "-"));
        fs::create_dir_all(out.join(own).parent().unwrap()).unwrap();
        fs::write(out.join(own), "mine").unwrap();
        let args = ["audit", source.to_str().unwrap(), "--force", "--out", out.to_str().unwrap()];
        let refused = logseal(args);
        assert_eq!(refused.code, Some(2), "{own}: {refused:?}");
        assert_eq!(fs::read_to_string(out.join(own)).unwrap(), "mine");
    }
}

/// The folders of a machine are named after people, customers and projects.
#[test]
fn results_do_not_say_where_things_lay() {
    let desk = Desk::new();
    let rows = vec![Row::compliant("f").with_status("SSE-S3"), Row::compliant("g").with_key("")];
    let sound = Delivery::csv(&rows, &all_columns(), 2).in_bucket("one").write(&desk.path("one"));
    let malformed = Delivery::csv(&rows, &all_columns(), 1).in_bucket("two").write(&desk.path("two"));
    fs::write(malformed.manifest(), "{ no manifest").unwrap();
    let missing = Delivery::csv(&rows, &all_columns(), 1).in_bucket("three").write(&desk.path("three"));
    fs::remove_dir_all(missing.config.join("data")).unwrap();
    let evidence = desk.path("evidence");
    fs::create_dir_all(evidence.join("inner")).unwrap();
    fs::write(evidence.join("inner/odd.json"), "{ no evidence").unwrap();
    let policy = desk.file("strict.toml", "[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\n");
    let args = ["--policy", policy.to_str().unwrap(), "--key-evidence", evidence.to_str().unwrap()];
    let audited = desk.audit_all(&[&sound.config, &malformed.config, &missing.config], &args);
    assert_eq!(audited.code(), Some(3), "{audited:?}");
    let here = desk.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    for (name, text) in files_below(&audited.out) {
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(&here), "{name}: {text}");
    }
    let sources = audited.faults().iter().map(|fault| fault["where"]["source"].as_str().unwrap().to_owned()).collect();
    let manifest = |bucket: &str| format!("s3://inventory-destination/inventories/{bucket}/daily/{RUN}/manifest.json");
    let expected =
        [manifest("one"), format!("{RUN}/manifest.json"), manifest("three"), "evidence/inner/odd.json".into()];
    assert_eq!(BTreeSet::<String>::from_iter::<Vec<_>>(sources), expected.into());
    assert_eq!(audited.summary()["policy"]["source"], "strict.toml");
}

#[test]
fn exceptions_are_counted_and_those_that_end_are_said() {
    let desk = Desk::new();
    let rows: Vec<Row> = (0..6).map(|at| Row::compliant(&format!("f{at}")).with_status("SSE-S3")).collect();
    let source = delivered(&desk, &rows);
    let exception = |id: &str, key: &str, expires: &str| {
        format!(
            "[[exception]]\nid = '{id}'\nrule = 'r'\nreason = 'under way'\nowner = 'me\u{202e}'\nexpires = {expires}\n\
             where = {{ key = ['*{key}'] }}\n"
        )
    };
    let exceptions = [
        exception("over", "f0", "2026-01-09"),
        exception("today", "f1", "2026-01-10"),
        exception("soon", "f1", "2026-02-09"),
        exception("wide", "f[12]", "2026-02-10"),
        exception("later", "f2", "2026-02-10"),
    ];
    let policy = format!("[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\n{}", exceptions.concat());
    let policy = desk.file("policy.toml", &policy);
    let args = ["--policy", policy.to_str().unwrap(), "--as-of", "2026-01-10T12:00:00Z"];
    let audited = desk.audit(&source, &args);
    let states: Vec<_> = audited.summary()["exceptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("id"), line["days_left"].as_i64().unwrap(), text("state"), line["objects"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        ("over", -1, "expired", 0),
        ("today", 0, "active", 1),
        ("soon", 30, "unused", 0),
        ("wide", 31, "unused", 0),
        ("later", 31, "active", 1),
    ];
    assert_eq!(states, expected.map(|(id, days, state, objects)| (id.to_owned(), days, state.to_owned(), objects)));
    let first = &audited.summary()["exceptions"][0];
    assert_eq!((&first["where"], &first["rule"]), (&json!({ "key": ["*f0"] }), &json!("r")));
    assert_eq!((&first["expires"], &first["owner"]), (&json!("2026-01-09"), &json!("me\u{202e}")));
    let said = &audited.ran.stdout;
    assert!(said.contains("expired exceptions: over"), "{said}");
    assert!(said.contains("exception today ends today: 1 object, owner me\\xe2\\x80\\xae"), "{said}");
    assert!(said.contains("exception soon ends in 30 days, on 2026-02-09: 0 objects"), "{said}");
    assert!(!said.contains("later") && !said.contains("wide"), "{said}");
}

/// A configuration with several runs over one data folder.
struct Runs {
    desk: Desk,
    delivery: Delivery,
    source: crate::delivery::Delivered,
}

impl Runs {
    fn new() -> Self {
        let desk = Desk::new();
        let delivery = Delivery::csv(&compliant_rows(8), &all_columns(), 4);
        let source = delivery.write(&desk.path("source"));
        Self { desk, delivery, source }
    }

    /// Adds a run that names the first files only.
    fn add(&self, run: &str, files: usize) {
        let mut manifest = self.delivery.manifest();
        manifest["files"].as_array_mut().unwrap().truncate(files);
        self.source.seal(run, &manifest);
    }

    fn audit(&self, args: &[&str]) -> Audited {
        self.desk.audit(&self.source.config, args)
    }
}

#[test]
fn the_newest_complete_run_is_picked_and_newer_ones_are_named() {
    let runs = Runs::new();
    runs.add("2025-12-28T01-00Z", 1);
    runs.add("2026-01-11T01-00Z", 2);
    runs.add("2026-01-18T01-00Z", 3);
    runs.add("2026-01-25T01-00Z", 3);
    for newer in ["2026-01-18T01-00Z", "2026-01-25T01-00Z"] {
        fs::remove_file(runs.source.config.join(newer).join("manifest.checksum")).unwrap();
    }
    fs::create_dir(runs.source.config.join("hive")).unwrap();
    let audited = runs.audit(&[]);
    assert_eq!(audited.code(), Some(0), "{audited:?}");
    let source = &audited.summary()["sources"][0];
    assert!(source["path"].as_str().unwrap().ends_with("2026-01-11T01-00Z/manifest.json"), "{source}");
    assert_eq!(source["skipped_runs"], json!(["2026-01-25T01-00Z", "2026-01-18T01-00Z"]));
    assert_eq!((&source["files"], &source["ignored_files"]), (&json!(2), &json!(2)));
    assert_eq!(audited.ran.stderr.matches("warning: the newer run 2026-01-").count(), 2, "{audited:?}");
    assert!(audited.ran.stdout.contains("2026-01-25T01-00Z"), "{audited:?}");
}

#[test]
fn a_run_can_be_asked_for() {
    let runs = Runs::new();
    runs.add("2025-12-28T01-00Z", 1);
    runs.add("2026-01-18T01-00Z", 3);
    fs::remove_file(runs.source.config.join("2026-01-18T01-00Z/manifest.checksum")).unwrap();
    let older = runs.audit(&["--run", "2025-12-28T01-00Z"]);
    assert_eq!((older.code(), &older.summary()["counts"]["rows"]), (Some(0), &json!(2)));
    assert_eq!(older.summary()["sources"][0]["skipped_runs"], json!([]));
    let incomplete = runs.audit(&["--run", "2026-01-18T01-00Z"]);
    assert_eq!((incomplete.code(), incomplete.fault_names()), (Some(3), vec!["manifest_checksum_missing".to_owned()]));
    let (folder, manifest) = (runs.source.config.join(RUN), runs.source.manifest());
    for source in [folder, manifest] {
        assert_eq!(runs.desk.audit(source, &[]).summary()["counts"]["rows"], 8);
    }
}

#[test]
fn one_source_in_two_spellings_is_still_one() {
    let runs = Runs::new();
    let config = runs.source.config.clone();
    let spellings = [config.clone(), config.join(RUN), config.join(RUN).join("manifest.json"), config.join("data/..")];
    for other in &spellings {
        let audited = runs.desk.audit_all(&[&config, other], &[]);
        assert_refused(&audited.ran, "the source is given twice");
    }
}

#[test]
fn a_manifest_beside_its_files_is_found_from_its_own_folder() {
    let runs = Runs::new();
    let flat = runs.desk.path("flat");
    fs::create_dir(&flat).unwrap();
    for file in &runs.delivery.files {
        fs::write(flat.join(&file.name), &file.bytes).unwrap();
    }
    fs::copy(runs.source.manifest(), flat.join("manifest.json")).unwrap();
    fs::copy(runs.source.checksum(), flat.join("manifest.checksum")).unwrap();
    let audited = runs.desk.audit(&flat, &[]);
    assert_eq!((audited.code(), &audited.summary()["counts"]["rows"]), (Some(0), &json!(8)));
    for source in ["manifest.json", "."] {
        let out = runs.desk.path(&format!("from-{source}"));
        let args = ["audit", source, "--out", out.to_str().unwrap()];
        let ran: Ran = command().args(args).current_dir(&flat).output().unwrap().into();
        assert_eq!(ran.code, Some(0), "{source} {ran:?}");
    }
}

#[test]
fn files_that_no_manifest_names_are_ignored_and_counted() {
    let runs = Runs::new();
    for name in ["old.csv.gz", "old.parquet", "notes.txt"] {
        fs::write(runs.source.data(name), "x").unwrap();
    }
    fs::create_dir(runs.source.data("folder")).unwrap();
    let audited = runs.audit(&[]);
    assert_eq!(audited.code(), Some(0), "{audited:?}");
    assert_eq!(audited.summary()["sources"][0]["ignored_files"], 3);
}

#[test]
fn data_files_without_a_manifest_are_never_a_pass() {
    let desk = Desk::new();
    let csv = Delivery::csv(&compliant_rows(4), &all_columns(), 1);
    let parquet = Delivery::parquet(&compliant_rows(4), &all_columns(), 1, ParquetForm::default());
    fs::write(desk.path("a.csv.gz"), &csv.files[0].bytes).unwrap();
    fs::write(desk.path("a.parquet"), &parquet.files[0].bytes).unwrap();
    fs::write(desk.path("a.csv"), crate::delivery::csv_text(&compliant_rows(4), &all_columns())).unwrap();
    let orc = Delivery::orc(&compliant_rows(4), &all_columns(), 1, OrcForm::default());
    fs::write(desk.path("a.orc"), &orc.files[0].bytes).unwrap();
    fs::write(desk.path("b.orc"), "ORC").unwrap();
    for (name, args) in [
        ("a.csv.gz", vec!["--schema", csv.schema.as_str()]),
        ("a.csv", vec!["--schema", csv.schema.as_str()]),
        ("a.parquet", vec![]),
        ("a.orc", vec![]),
    ] {
        let refused = desk.audit(desk.path(name), &args);
        assert_refused(&refused.ran, "does not prove that nothing is missing");
        assert!(refused.ran.stderr.contains("\nhint: give the manifest.json, or add --accept-unproven"), "{refused:?}");
        let audited = desk.audit(desk.path(name), &[&args[..], &["--accept-unproven"]].concat());
        assert_eq!(audited.code(), Some(3), "{name}: {audited:?}");
        assert_eq!(audited.summary()["outcome_reasons"], json!(["unproven_completeness"]));
        assert_eq!(audited.summary()["counts"]["compliant"], 4, "{name}");
        assert_eq!(audited.summary()["sources"][0]["bucket"], json!(null));
    }
    let without_schema = desk.audit(desk.path("a.csv.gz"), &["--accept-unproven"]);
    assert_refused(&without_schema.ran, "nothing names the columns of a CSV file without a manifest");
    let schema = |schema| desk.audit(desk.path("a.csv.gz"), &["--accept-unproven", "--schema", schema]).ran;
    assert_refused(&schema("Bucket, Size"), "lacks a column that every inventory has: Key");
    assert_refused(&schema("Bucket, Key, Key"), "names a column twice: Key");
    let orc = desk.audit(desk.path("b.orc"), &["--accept-unproven"]);
    assert_eq!((orc.code(), orc.fault_names()), (Some(3), vec!["unit_damaged".to_owned()]));
}

#[test]
fn proof_of_one_source_does_not_prove_the_other() {
    let desk = Desk::new();
    let parquet = Delivery::parquet(&compliant_rows(4), &all_columns(), 1, ParquetForm::default());
    fs::write(desk.path("a.parquet"), &parquet.files[0].bytes).unwrap();
    let both = [delivered(&desk, &compliant_rows(4)), desk.path("a.parquet")];
    let audited = desk.audit_all(&[&both[0], &both[1]], &["--accept-unproven"]);
    assert_eq!((audited.code(), &audited.summary()["counts"]["compliant"]), (Some(3), &json!(8)));
    assert_eq!(desk.audit(&both[0], &["--accept-unproven"]).code(), Some(0));
}

#[test]
fn json_on_stdout_is_the_summary() {
    let desk = Desk::new();
    let source = delivered(&desk, &Row::random_many(&mut Random::new(2), 100));
    let audited = desk.audit(&source, &["--format", "json"]);
    assert_eq!(audited.ran.stdout, audited.text("summary.json"));
    let shards = ["1/2", "2/2"].map(|shard| desk.audit(&source, &["--shard", shard, "--format", "json"]));
    let out = desk.path("merged");
    let folders = shards.iter().map(|shard| shard.out.to_str().unwrap());
    let merged = logseal(["merge", "--format", "json", "--out", out.to_str().unwrap()].into_iter().chain(folders));
    assert_eq!(merged.stdout, fs::read_to_string(out.join("summary.json")).unwrap());
}

#[test]
fn quiet_prints_nothing_on_stdout() {
    let desk = Desk::new();
    let source = delivered(&desk, &[Row::compliant("f").with_status("NOT-SSE")]);
    for args in [&["--quiet"][..], &["--quiet", "--format", "json"]] {
        let audited = desk.audit(&source, args);
        assert_eq!((audited.code(), audited.ran.stdout.as_str(), audited.ran.stderr.as_str()), (Some(1), "", ""));
        assert_eq!(audited.summary()["counts"]["violation"], 1);
    }
    assert_refused(&desk.audit(desk.path("nowhere"), &["--quiet"]).ran, "error: ");
}

/// What a report for people must never be: too wide for a terminal, or able to steer one.
#[track_caller]
fn assert_presentable(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        assert_eq!(line, line.trim_end());
    }
    assert_harmless(text);
}

#[track_caller]
fn assert_harmless(text: &str) {
    let bidirectional =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let harmful = text.chars().find(|c| (c.is_control() && *c != '\n') || bidirectional(*c));
    assert_eq!(harmful, None, "{text:?}");
}

/// A row with something long or odd in every cell that reaches a report.
fn odd_rows() -> Vec<Row> {
    let mut rows = Row::random_many(&mut Random::new(3), 300);
    rows.extend(ODD_KEYS.iter().map(|key| Row::compliant("f").with_key(*key).with_status("NOT-SSE")));
    let keys = ODD_KEYS.iter().map(|key| [b"AWSLogs/111122223333/CloudTrail/us-east-1/", *key].concat());
    rows.extend(keys.map(|key| Row::compliant("f").with_key(key).with_status("NOT-SSE")));
    rows
}

#[test]
fn the_report_for_people_fits_a_terminal_and_cannot_steer_it() {
    let desk = Desk::new();
    let policy = "name = 'A policy with a name that is rather long, as such names are, \u{202e}and odd'\n\
        version = '2026-11-01'\nunmatched = 'violation'\n[[rule]]\nid = 'a-rule-with-the-longest-id-that-a-policy-may-\
        have-1234567890-abc'\nencryption = ['SSE-C']\nwhere = { kind = ['Cloud*'] }\n\
        [[exception]]\nid = 'e'\nrule = 'a-rule-with-the-longest-id-that-a-policy-may-have-1234567890-abc'\n\
        expires = 2020-01-01\n";
    let delivery = Delivery::csv(&odd_rows(), &all_columns(), 3).write(&desk.path("s"));
    fs::write(delivery.data("part-2.csv.gz"), "x").unwrap();
    let file = desk.file("p.toml", policy);
    for args in [&[][..], &["--max-groups", "3"], &["--no-checksums"], &["--shard", "1/3"]] {
        let audited = desk.audit(&delivery.config, &[&["--policy", file.to_str().unwrap()], args].concat());
        assert_presentable(&audited.ran.stdout);
        assert_harmless(&audited.ran.stderr);
    }
}

#[test]
fn long_spellings_of_a_status_do_not_widen_the_report() {
    let desk = Desk::new();
    let statuses = ["S".repeat(100), "日".repeat(60), "\u{202e}".repeat(30)];
    let rows: Vec<Row> = statuses.iter().map(|status| Row::compliant("f").with_status(status)).collect();
    assert_presentable(&desk.audit(delivered(&desk, &rows), &[]).ran.stdout);
}

#[test]
fn what_is_no_longer_told_apart_is_said() {
    let desk = Desk::new();
    let in_account = |at: usize| Row::compliant("f").with_key(format!("AWSLogs/{at:012}/CloudTrail/us-east-1/f"));
    for status in ["NOT-SSE", "SSE-KMS"] {
        let rows: Vec<Row> = (0..9).map(|at| in_account(at).with_status(status)).collect();
        let audited = desk.audit(delivered(&desk, &rows), &["--max-groups", "5"]);
        assert_eq!(audited.summary()["collapsed"], "accounts");
        assert_eq!(audited.summary()["by_account"][0]["account"], "(many)");
        assert!(audited.ran.stdout.contains("--max-groups"), "{status} {audited:?}");
    }
}

#[test]
fn no_colours_reach_a_pipe() {
    let desk = Desk::new();
    let source = delivered(&desk, &odd_rows());
    for (name, value) in [("NO_COLOR", "1"), ("NO_COLOR", ""), ("CLICOLOR_FORCE", "1"), ("TERM", "xterm-256color")] {
        let out = desk.path(&format!("out-{name}-{value}"));
        let mut command = command();
        command.arg("audit").arg(&source).arg("--out").arg(out).env(name, value);
        let ran: Ran = command.output().unwrap().into();
        assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'), "{name}={value}: {ran:?}");
    }
}

#[test]
fn every_cell_of_the_findings_decodes_to_what_is_in_s3() {
    let desk = Desk::new();
    let rows = odd_rows();
    let policy =
        "unmatched = 'violation'\n[[rule]]\nid = 'r'\nwhere = { bucket = ['nothing'] }\nencryption = ['SSE-C']\n";
    let deliveries =
        [Delivery::csv(&rows, &all_columns(), 2), Delivery::parquet(&rows, &all_columns(), 2, ParquetForm::default())];
    for delivery in deliveries {
        let audited = desk.audit_under(policy, delivery.write(&desk.path(delivery.format)).config, &[]);
        let objects = rows.iter().filter(|row| row.is_delete_marker != Some(true));
        let keys: Vec<&[u8]> = objects.map(|row| row.key.as_slice()).collect();
        let findings = audited.findings();
        assert_eq!(keys, findings.iter().map(|cells| cells[1].as_slice()).collect::<Vec<_>>());
        assert!(findings.iter().all(|cells| cells[0] == BUCKET.as_bytes() && cells[11] == b"unmatched"));
        let text = audited.text("findings.csv");
        assert_harmless(&text);
        let formula = |cell: &&str| cell.trim_start_matches('"').starts_with(['=', '+', '-', '@']);
        assert_eq!(text.lines().flat_map(|line| line.split(',')).find(formula), None);
    }
}

struct Asked {
    desk: Desk,
    source: PathBuf,
    audited: Audited,
}

impl Asked {
    fn new(rows: &[Row]) -> Self {
        let desk = Desk::new();
        let source = delivered(&desk, rows);
        let audited = desk.audit(&source, &[]);
        Self { desk, source, audited }
    }

    fn explain(&self, key: &str, extra: &[&str]) -> Ran {
        // In one word, so that a key may begin with a hyphen.
        let key = format!("--key={key}");
        let args = ["explain", self.source.to_str().unwrap(), &key, "--as-of", AS_OF];
        logseal(args.iter().chain(extra))
    }
}

#[test]
fn explain_agrees_with_the_audit() {
    let row = |name: &str, status: &str| Row::compliant(name).with_status(status);
    let rows = [row("a", "SSE-KMS"), row("b", "SSE-S3"), row("c", ""), row("d", "NOT-SSE").with_key("plain")];
    let asked = Asked::new(&rows);
    for (at, verdict, code) in [
        (0, "compliant: the rule allows what the report says", 0),
        (1, "violation: method_not_allowed: ", 1),
        (2, "undetermined: status_blank: ", 3),
        (3, "out_of_scope: no rule applies", 0),
    ] {
        let ran = asked.explain(std::str::from_utf8(&rows[at].key).unwrap(), &[]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stdout.contains(&format!("verdict       {verdict}")), "{ran:?}");
        assert!(ran.stderr.is_empty(), "{ran:?}");
        let listed = asked.audited.findings().into_iter().find(|cells| cells[1] == rows[at].key);
        let listed = listed.map(|cells| String::from_utf8([&cells[10][..], b": ", &cells[11][..]].concat()).unwrap());
        assert!(listed.is_none_or(|listed| verdict.starts_with(&listed)), "{ran:?}");
    }
    let missing = asked.explain("no/such/key", &[]);
    assert_eq!((missing.code, missing.stdout.as_str()), (Some(3), ""));
    assert!(missing.stderr.contains("no row is about that object"), "{missing:?}");
    assert_refused(&asked.explain("a\\b", &[]), "a backslash that begins no escape");
}

#[test]
fn explain_agrees_with_the_audit_on_random_objects() {
    let rows = Row::random_many(&mut Random::new(4), 120);
    let asked = Asked::new(&rows);
    let findings = asked.audited.text("findings.csv");
    let mut reader = csv::Reader::from_reader(findings.as_bytes());
    let listed: Vec<_> = reader.records().map(Result::unwrap).collect();
    for finding in listed.iter().step_by(4) {
        let key = finding[1].strip_prefix('\'').unwrap_or(&finding[1]);
        let version = if finding[2].is_empty() { "null" } else { &finding[2] };
        let ran = asked.explain(key, &["--version-id", version]);
        assert!(
            ran.stdout.contains(&format!("verdict       {}: {}: ", &finding[10], &finding[11])),
            "{finding:?} {ran:?}"
        );
        assert!([Some(1), Some(3)].contains(&ran.code), "{ran:?}");
    }
}

#[test]
fn explain_shows_every_version_or_the_one_that_is_asked_for() {
    let version = |id: Option<&str>, status: &str| {
        let mut row = Row::compliant("f").with_status(status);
        row.version_id = id.map(str::to_owned);
        row
    };
    let rows = [version(Some("v1"), "SSE-KMS"), version(None, "NOT-SSE"), version(Some("v2"), "")];
    let asked = Asked::new(&[&rows[..], &[Row::delete_marker("g")]].concat());
    let key = std::str::from_utf8(&rows[0].key).unwrap();
    let verdicts = |ran: &Ran| ran.stdout.matches("verdict   ").count();
    for (extra, count, code) in [
        (&[][..], 3, 1),
        (&["--version-id", "v1"], 1, 0),
        (&["--version-id", "v2"], 1, 3),
        (&["--version-id", "null"], 1, 1),
        (&["--version-id", "v3"], 0, 3),
        (&["--bucket", BUCKET, "--version-id", "v1"], 1, 0),
        (&["--bucket", "another"], 0, 3),
    ] {
        let ran = asked.explain(key, extra);
        assert_eq!((verdicts(&ran), ran.code), (count, Some(code)), "{extra:?} {ran:?}");
    }
    let marker = asked.explain(&key.replace("/f", "/g"), &[]);
    assert_eq!(marker.code, Some(0), "{marker:?}");
    assert!(marker.stdout.contains("a delete marker holds no data"), "{marker:?}");
}

#[test]
fn explain_names_rules_exceptions_and_what_is_unknown() {
    let asked = Asked::new(&[Row::compliant("f")]);
    let policy = "[[rule]]\nid = 'elsewhere'\nwhere = { region = ['eu-*'] }\nencryption = ['SSE-C']\n\
        [[rule]]\nid = 'here'\nencryption = ['SSE-S3']\n\
        [[exception]]\nid = 'EX-9'\nrule = 'here'\nreason = 'under way'\nowner = 'me'\nexpires = 2026-01-10\n";
    let file = asked.desk.file("policy.toml", policy);
    let key = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f";
    let ran = asked.explain(key, &["--policy", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for line in [
        "rule          elsewhere: does not apply: region",
        "rule          here: applies",
        "verdict       excepted: method_not_allowed: ",
        "exception     EX-9: under way (me)",
        "account       111122223333",
        "region        us-east-1",
        "date          2024-05-06",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
}

#[test]
fn explain_shows_odd_names_without_harm() {
    let rows: Vec<Row> = ODD_KEYS.iter().map(|key| Row::compliant("f").with_key(*key)).collect();
    let asked = Asked::new(&rows);
    let shown = |byte: &u8| match byte {
        b'\\' => "\\\\".to_owned(),
        b' '..=b'~' => char::from(*byte).to_string(),
        byte => format!("\\x{byte:02x}"),
    };
    for key in ODD_KEYS {
        let ran = asked.explain(&key.iter().map(shown).collect::<String>(), &[]);
        assert!(ran.stdout.contains("\nkey           "), "{key:?} {ran:?}");
        assert_harmless(&ran.stdout);
    }
}

#[test]
fn a_key_is_taken_as_the_next_word_whatever_it_begins_with() {
    let asked = Asked::new(&[Row::compliant("f").with_key("-x"), Row::compliant("f").with_key("--run")]);
    for key in ["-x", "--run"] {
        let ran = logseal(["explain", asked.source.to_str().unwrap(), "--key", key]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_changes_nothing() {
    let desk = Desk::new();
    let source = delivered(&desk, &odd_rows());
    let out = desk.path("out");
    let mut command = command();
    command.arg("audit").arg(source).arg("--out").arg(&out).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    assert!(out.join("summary.json").exists());
}

/// Sends a signal to an audit as soon as it has begun to write.
#[cfg(unix)]
fn interrupt(source: &Path, out: &Path, args: &[&str], signal: &str) -> Ran {
    let before = names_in(out);
    let mut command = command();
    command.arg("audit").arg(source).arg("--out").arg(out).args(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while names_in(out) == before {
        assert!(child.try_wait().unwrap().is_none(), "the audit ended before it could be interrupted");
        std::thread::yield_now();
    }
    let sent = std::process::Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
    child.wait_with_output().unwrap().into()
}

/// A delivery that keeps an audit busy for a while.
#[cfg(unix)]
fn large(desk: &Desk) -> PathBuf {
    let rows: Vec<Row> = (0..2_000).map(|at| Row::compliant(&format!("f{at}")).with_status("NOT-SSE")).collect();
    let text = crate::delivery::csv_text(&rows, &all_columns()).repeat(100);
    let names: Vec<_> = all_columns().iter().map(|column| column.csv).collect();
    let delivery = Delivery::of_csv_texts(&names.join(", "), [text.clone(), text]);
    delivery.write(&desk.path("large")).config
}

#[cfg(unix)]
#[test]
fn an_interrupted_audit_leaves_nothing() {
    let desk = Desk::new();
    let source = large(&desk);
    for signal in ["-INT", "-TERM"] {
        let out = desk.path(&format!("out{signal}"));
        let ran = interrupt(&source, &out, &[], signal);
        assert_refused(&ran, "error: interrupted: nothing was written");
        assert!(names_of_final_files(&out).is_empty(), "{:?}", names_in(&out));
        assert!(names_in(&out).is_empty(), "temporary files are gone too: {:?}", names_in(&out));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_audit_leaves_the_one_that_it_was_to_replace() {
    let desk = Desk::new();
    let old = desk.audit(delivered(&desk, &compliant_rows(2)), &[]);
    let before = old.steady();
    let ran = interrupt(&large(&desk), &old.out, &["--force"], "-INT");
    assert_refused(&ran, "error: interrupted: nothing was written");
    assert_eq!(before, old.steady());
    assert_eq!(names_in(&old.out), AUDIT_FILES);
}

#[test]
fn errors_cannot_steer_a_terminal() {
    let desk = Desk::new();
    let source = delivered(&desk, &compliant_rows(1));
    let (source, odd) = (source.to_str().unwrap(), desk.path("a\u{1b}[31m\u{202e}b"));
    let (odd, out) = (odd.to_str().unwrap(), desk.path("out"));
    let policy = desk.file("p.toml", "[[rule]]\nid = 'r'\nencryption = ['SSE-C']\nkeys = [\"\\u001b[31m\"]\n");
    let out = out.to_str().unwrap();
    let cases: [&[&str]; 7] = [
        &["audit", odd, "--out", out],
        &["audit", source, "--out", out, "--policy", odd],
        &["audit", source, "--out", out, "--run", odd],
        &["audit", source, "--out", out, "--policy", policy.to_str().unwrap()],
        &["merge", odd, "--out", out],
        &["policy", "check", odd],
        &["explain", odd, "--key", "k"],
    ];
    let shown = cases.map(|args| logseal(args).stderr);
    let harmful: Vec<&String> = shown.iter().filter(|text| text.contains(['\u{1b}', '\u{202e}'])).collect();
    assert!(harmful.is_empty(), "{harmful:#?}");
}

#[test]
fn a_report_of_two_columns_is_judged_as_far_as_it_goes() {
    let desk = Desk::new();
    let delivery = Delivery::csv(&compliant_rows(3), &columns(&["Bucket", "Key"]), 1);
    let audited = desk.audit(delivery.write(&desk.path("source")).config, &[]);
    assert_eq!((audited.code(), &audited.summary()["by_reason"]["status_absent"]), (Some(3), &json!(3)));
    assert!(audited.ran.stdout.contains("add EncryptionStatus to the inventory configuration"), "{audited:?}");
}
