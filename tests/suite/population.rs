//! What is said of the population beside the reports: it is repeated, held against them, and never makes a pass.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::audits::{Audited, Desk, command};
use crate::delivery::{Delivery, OrcForm, ParquetForm, Row, all_columns, columns_without};

/// What makes another of a document.
type Change<'c> = &'c dyn Fn(&mut Value);

/// Milliseconds of days around the report, which is of 2026-01-04.
const DECEMBER: i64 = 1_765_000_000_000;
const NOVEMBER: i64 = 1_762_500_000_000;
const OCTOBER: i64 = 1_760_000_000_000;

fn row(account: &str, last_modified: i64) -> Row {
    let key = format!("AWSLogs/{account}/CloudTrail/us-east-1/2025/12/06/{last_modified}.json.gz");
    Row { last_modified: Some(last_modified), ..Row::compliant("f").with_key(key) }
}

fn rows() -> Vec<Row> {
    let accounts = [("111111111111", DECEMBER), ("222222222222", NOVEMBER), ("333333333333", OCTOBER)];
    let mut rows: Vec<Row> = accounts.map(|(account, time)| row(account, time)).into();
    rows.push(row("111111111111", OCTOBER));
    rows.push(row("444444444444", DECEMBER));
    rows
}

/// As the AWS command line prints it; `change` makes it another.
fn configuration(desk: &Desk, name: &str, format: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let optional = all_columns().into_iter().map(|column| column.csv);
    let always = ["Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker"];
    let optional: Vec<&str> = optional.filter(|name| !always.contains(name)).collect();
    let to = json!({ "Bucket": "arn:aws:s3:::inventory-destination", "Format": format, "Prefix": "inventories" });
    let mut configured = json!({
        "Destination": { "S3BucketDestination": to },
        "IsEnabled": true,
        "Id": "daily",
        "IncludedObjectVersions": "All",
        "OptionalFields": optional,
        "Schedule": { "Frequency": "Daily" },
    });
    change(&mut configured);
    desk.file(name, &json!({ "InventoryConfiguration": configured }).to_string())
}

fn accounts(desk: &Desk, name: &str, accounts: &[(&str, &str, &str)]) -> PathBuf {
    let listed: Vec<Value> = accounts
        .iter()
        .map(|(id, name, status)| {
            json!({ "Id": id, "Name": name, "Status": status, "JoinedTimestamp": "2020-05-01T12:00:00+02:00" })
        })
        .collect();
    desk.file(name, &json!({ "Accounts": listed }).to_string())
}

const LISTED: [(&str, &str, &str); 5] = [
    ("111111111111", "Prod", "ACTIVE"),
    ("222222222222", "Dev", "ACTIVE"),
    ("333333333333", "Sleeping", "ACTIVE"),
    ("555555555555", "Forgotten", "ACTIVE"),
    ("666666666666", "Closed", "SUSPENDED"),
];

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All three, with which the audit of `rows` is a pass, as it is without.
fn all_given(desk: &Desk) -> Vec<String> {
    let configuration = configuration(desk, "inventory.json", "CSV", |_| ());
    let accounts = accounts(desk, "accounts.json", &LISTED);
    let bucket = Delivery::csv(&rows(), &all_columns(), 1).bucket;
    let args = ["--inventory-config", text(&configuration), "--accounts", text(&accounts)];
    args.map(str::to_owned).into_iter().chain(["--expect-objects".to_owned(), format!("{bucket}=7")]).collect()
}

fn as_str(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[test]
fn what_was_given_is_beside_the_result() {
    let desk = Desk::new();
    let source = Delivery::csv(&rows(), &all_columns(), 2).write(&desk.path("csv")).config;
    let audited = desk.audit(&source, &as_str(&all_given(&desk)));
    let summary = audited.summary();
    assert_eq!((audited.code(), &summary["outcome"]), (Some(0), &json!("pass")), "{audited:?}");
    let configured = &summary["sources"][0]["configuration"];
    assert_eq!((&configured["versions"], &configured["prefix"]), (&json!("all"), &Value::Null));
    let expected = &summary["expected_objects"][0];
    assert_eq!((&expected["listed"], &expected["difference"]), (&json!(5), &json!(-2)));
    let told = &summary["organization_accounts"];
    let states: BTreeMap<&str, &str> = told["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["account"].as_str().unwrap(), line["state"].as_str().unwrap()))
        .collect();
    let states: Vec<_> = states.into_iter().map(|(account, state)| (&account[..1], state)).collect();
    let expected = [
        ("1", "seen"),
        ("2", "seen"),
        ("3", "nothing_new"),
        ("4", "not_listed"),
        ("5", "not_seen"),
        ("6", "not_active"),
    ];
    assert_eq!(states, expected);
    assert_eq!(told["accounts"][0]["last_month"], "2025-12");
    assert_eq!(told["accounts"][0]["joined"], "2020-05-01T10:00:00.000Z");
    let stdout = flat(&audited.ran.stdout);
    for said in [
        "configured to list the whole bucket, all versions, Daily",
        "should hold 7 objects; 5 rows are listed: 2 less",
        "5 accounts are listed; 2 of them are active and have new objects",
        "1 active, and named by no object: 555555555555 (Forgotten)",
        "1 active, without an object of the last two months: 333333333333 (Sleeping)",
        "1 named by objects, and not listed: 444444444444",
    ] {
        assert!(stdout.contains(said), "{said}: {stdout}");
    }
    let without = desk.audit(&source, &[]);
    assert_eq!((without.lists(), without.code()), (audited.lists(), Some(0)));
}

#[test]
fn shards_and_workers_say_the_same() {
    let desk = Desk::new();
    let source = Delivery::csv(&rows(), &all_columns(), 3).write(&desk.path("csv")).config;
    let args = all_given(&desk);
    let with = |more: &[&str]| desk.audit(&source, &[&as_str(&args)[..], more].concat());
    let whole = with(&["--jobs", "1"]);
    assert_eq!(with(&["--jobs", "4"]).steady(), whole.steady());
    let shards = ["2/2", "1/2"].map(|shard| with(&["--shard", shard]));
    assert_eq!(shards[0].summary()["organization_accounts"], Value::Null);
    assert_eq!(desk.merge(&shards).steady(), whole.steady());
    let other = desk.audit(&source, &["--shard", "1/2"]);
    let refused = desk.merge([&shards[0], &other]);
    assert_eq!(refused.code(), Some(2));
    assert!(refused.ran.stderr.contains("--inventory-config"), "{refused:?}");
}

/// Every way in which a report can be another than its configuration says, in all formats.
#[test]
fn a_contradiction_is_a_fault_and_no_pass() {
    let desk = Desk::new();
    let columns = all_columns();
    let sources = [
        ("CSV", Delivery::csv(&rows(), &columns, 1)),
        ("Parquet", Delivery::parquet(&rows(), &columns, 1, ParquetForm::default())),
        ("ORC", Delivery::orc(&rows(), &columns, 1, OrcForm::default())),
    ];
    for (format, delivery) in sources {
        let source = delivery.write(&desk.path(format)).config;
        let audited = |name: &str, change: Change<'_>| -> Audited {
            let file = configuration(&desk, &format!("{format}-{name}.json"), format, change);
            desk.audit(&source, &["--inventory-config", text(&file)])
        };
        assert_eq!(audited("same", &|_| ()).code(), Some(0), "{format}");
        let prefix = audited("prefix", &|value| value["Filter"] = json!({ "Prefix": "AWSLogs/" }));
        assert_eq!(prefix.code(), Some(0), "{format}");
        assert!(
            flat(&prefix.ran.stdout).contains("configured to list only keys that begin with AWSLogs/, all versions")
        );
        let changes: [(&str, Change<'_>); 4] = [
            ("format", &|value| value["Destination"]["S3BucketDestination"]["Format"] = json!("other")),
            ("versions", &|value| value["IncludedObjectVersions"] = json!("Current")),
            ("fewer", &|value| value["OptionalFields"] = json!(["Size", "LastModifiedDate"])),
            ("more", &|value| value["OptionalFields"].as_array_mut().unwrap().push(json!("ObjectLockEventHoldStatus"))),
        ];
        for (name, change) in changes {
            let audited = audited(name, change);
            assert_eq!(audited.code(), Some(3), "{format} {name}: {audited:?}");
            assert_eq!(audited.fault_names(), ["inventory_configuration"], "{format} {name}");
            assert_eq!(audited.summary()["outcome_reasons"], json!(["faults"]), "{format} {name}");
        }
    }
    let lacking = columns_without(&["VersionId", "IsLatest", "IsDeleteMarker"]);
    let source = Delivery::csv(&rows(), &lacking, 1).write(&desk.path("current")).config;
    let file = configuration(&desk, "all.json", "CSV", |_| ());
    let audited = desk.audit(&source, &["--inventory-config", text(&file)]);
    assert_eq!(audited.fault_names(), ["inventory_configuration"]);
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_read() {
    let desk = Desk::new();
    let source = Delivery::csv(&rows(), &all_columns(), 1).write(&desk.path("csv")).config;
    let other_id = configuration(&desk, "id.json", "CSV", |value| value["Id"] = json!("weekly"));
    let good = configuration(&desk, "good.json", "CSV", |_| ());
    let disabled = configuration(&desk, "disabled.json", "CSV", |value| value["IsEnabled"] = json!(false));
    let tagged =
        configuration(&desk, "tags.json", "CSV", |value| value["Filter"] = json!({ "Prefix": "a", "Tag": "b" }));
    let of_other = format!("another-bucket={}", text(&good));
    let page = desk.file("page.json", r#"{"Accounts": [], "NextToken": "x"}"#);
    let twice = accounts(&desk, "twice.json", &[LISTED[0], ("111111111111", "Other", "ACTIVE")]);
    let odd = accounts(&desk, "odd.json", &[("11111111111", "Short", "ACTIVE")]);
    let repeated = desk.file("repeated.json", r#"{"Accounts": [], "Accounts": []}"#);
    let missing = desk.path("missing.json");
    let cases: [(&[&str], &str); 13] = [
        (&["--inventory-config", text(&other_id)], "no source is an inventory of this configuration: weekly"),
        (&["--inventory-config", &of_other], "no source is an inventory of this configuration"),
        (&["--inventory-config", text(&good), text(&disabled)], "another file says something else"),
        (&["--inventory-config", text(&tagged)], "unknown field `Tag`"),
        (&["--inventory-config", text(&page)], "it configures none"),
        (&["--accounts", text(&page)], "one page of several"),
        (&["--accounts", text(&twice)], "two things of 111111111111"),
        (&["--accounts", text(&odd)], "no number of an account"),
        (&["--accounts", text(&repeated)], "twice"),
        (&["--accounts", text(&missing)], "missing.json"),
        (&["--accounts", text(&good), "--rollup", "none"], "Accounts"),
        (&["--expect-objects", "another-bucket=1"], "no source is an inventory of this bucket"),
        (&["--expect-objects", "abc=1", "abc=2"], "two things of abc"),
    ];
    for (args, why) in cases {
        let audited = desk.audit(&source, args);
        assert_eq!(audited.code(), Some(2), "{args:?}: {audited:?}");
        assert!(flat(&audited.ran.stderr).contains(why), "{args:?}: {}", audited.ran.stderr);
        assert!(!audited.out.exists(), "{args:?}");
    }
}

#[test]
fn a_configuration_says_of_which_bucket_it_is_where_several_have_its_name() {
    let desk = Desk::new();
    let [one, other] = ["one-bucket", "other-bucket"].map(|bucket| {
        let rows: Vec<Row> = rows().into_iter().map(|row| Row { bucket: bucket.into(), ..row }).collect();
        Delivery::csv(&rows, &all_columns(), 1).in_bucket(bucket).write(&desk.path(bucket)).config
    });
    let filtered = configuration(&desk, "a.json", "CSV", |value| value["Filter"] = json!({ "Prefix": "AWSLogs/" }));
    let whole = configuration(&desk, "b.json", "CSV", |_| ());
    let ambiguous = desk.audit_all(&[&one, &other], &["--inventory-config", text(&filtered)]);
    assert_eq!(ambiguous.code(), Some(2));
    assert!(ambiguous.ran.stderr.contains("BUCKET=FILE"), "{ambiguous:?}");
    let named = [format!("one-bucket={}", text(&filtered)), format!("other-bucket={}", text(&whole))];
    let audited = desk.audit_all(&[&one, &other], &["--inventory-config", &named[0], &named[1]]);
    let prefixes: Vec<Value> =
        (0..2).map(|at| audited.summary()["sources"][at]["configuration"]["prefix"].clone()).collect();
    assert_eq!((audited.code(), prefixes), (Some(0), vec![json!("AWSLogs/"), Value::Null]));
}

#[test]
fn accounts_that_are_not_told_apart_are_not_called_missing() {
    let desk = Desk::new();
    let source = Delivery::csv(&rows(), &all_columns(), 1).write(&desk.path("csv")).config;
    let listed = accounts(&desk, "accounts.json", &LISTED);
    let audited = desk.audit(&source, &["--accounts", text(&listed), "--max-groups", "1"]);
    assert_eq!(audited.summary()["organization_accounts"]["states"], json!({ "unknown": 5 }));
    assert!(flat(&audited.ran.stdout).contains("5 accounts are listed; accounts are not told apart"));
}

/// All that people are handed has names, and a result that was changed by hand is refused.
#[test]
fn reports_name_accounts_and_say_what_was_given() {
    let desk = Desk::new();
    let source = Delivery::csv(&rows(), &all_columns(), 1).write(&desk.path("csv")).config;
    let hostile = accounts(
        &desk,
        "hostile.json",
        &[("111111111111", "<script>alert(1)</script>\u{202e}", "ACTIVE"), ("444444444444", "=1+1", "ACTIVE")],
    );
    let args = all_given(&desk);
    let args: Vec<&str> = args[..2].iter().chain(&args[4..]).map(String::as_str).collect();
    let audited = desk.audit(&source, &[&args[..], &["--accounts", text(&hostile)]].concat());
    let page_file = desk.path("page.html");
    let report = |args: &[&str]| command().arg("report").arg(&audited.out).args(args).output().unwrap();
    assert!(report(&["--html", text(&page_file)]).status.success());
    let page = fs::read_to_string(&page_file).unwrap();
    assert!(!page.contains("<script") && !page.contains('\u{202e}'));
    let told = [
        "111111111111 &lt;script&gt;alert(1)&lt;/script&gt;",
        "444444444444 =1+1",
        "is configured to list the whole bucket, all versions, Daily",
        "should hold 7 objects",
        "rests on that answer alone",
    ];
    told.iter().for_each(|said| assert!(page.contains(said), "{said}"));
    let ticket = String::from_utf8(report(&["--format", "markdown"]).stdout).unwrap();
    assert!(ticket.contains("is configured to list the whole bucket") && ticket.lines().count() <= 40, "{ticket}");
    let file = audited.out.join("summary.json");
    let summary = audited.summary();
    let changes: [Change<'_>; 4] = [
        &|value| value["organization_accounts"]["accounts"][0]["state"] = json!("not_seen"),
        &|value| value["organization_accounts"]["accounts"].as_array_mut().unwrap().truncate(1),
        &|value| value["organization_accounts"]["listed"] = json!(1),
        &|value| value["expected_objects"][0]["difference"] = json!(0),
    ];
    for change in changes {
        let mut changed = summary.clone();
        change(&mut changed);
        fs::write(&file, changed.to_string()).unwrap();
        let refused = report(&[]);
        assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stdout));
    }
}
