//! Files of key evidence: in whatever shape they are kept, they say the same; and none is passed over in silence.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::audits::{Audited, Desk};
use crate::delivery::{BUCKET, Delivery, Row, all_columns, gzip};
use crate::random::Random;

const RIGHT: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const WRONG: &str = "arn:aws:kms:us-east-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321";
const KEY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f é.json.gz";
const VERSION: &str = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY";
const MODIFIED: &str = "2024-05-06T07:08:09Z";

/// An inventory of one object under SSE-KMS, and a folder for evidence of its key.
struct Case {
    desk: Desk,
    config: PathBuf,
    folder: PathBuf,
}

impl Case {
    fn new() -> Self {
        let row = Row {
            version_id: Some(VERSION.to_owned()),
            last_modified: Some(logseal::timestamp::Timestamp::parse(MODIFIED.as_bytes()).unwrap().as_millis()),
            encryption_status: Some("SSE-KMS".to_owned()),
            key: KEY.as_bytes().to_vec(),
            ..Row::compliant("f")
        };
        let desk = Desk::new();
        let config = Delivery::csv(&[row], &all_columns(), 1).write(&desk.path("config")).config;
        let folder = desk.path("evidence");
        fs::create_dir(&folder).unwrap();
        Self { desk, config, folder }
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn audit(&self) -> Audited {
        self.audit_with(&self.folder)
    }

    fn audit_with(&self, evidence: &Path) -> Audited {
        let policy = format!(
            "[keys]\narchive = \"{RIGHT}\"\n[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\"]\nkeys = [\"archive\"]\n"
        );
        self.desk.audit_under(&policy, &self.config, &["--key-evidence", evidence.to_str().unwrap()])
    }
}

/// A record of CloudTrail.
fn record(name: &str, request: Value, response: Value) -> Value {
    json!({
        "eventVersion": "1.11", "userIdentity": {"type": "AWSAccount", "accountId": "111122223333"},
        "eventTime": MODIFIED, "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1", "userAgent": "[aws-cli/2 \"quoted\"]",
        "requestParameters": request, "responseElements": response, "eventID": "2", "readOnly": false,
        "eventType": "AwsApiCall", "recipientAccountId": "111122223333", "eventCategory": "Data",
    })
}

/// The object was written under the key.
fn put_object(key: &str) -> Value {
    let response = json!({
        "x-amz-version-id": VERSION, "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": key,
    });
    record("PutObject", json!({"bucketName": BUCKET, "key": KEY}), response)
}

fn other_event() -> Value {
    record("GetObject", json!({"bucketName": BUCKET, "key": "{[\"]}\\"}), Value::Null)
}

fn head(key: &str) -> Value {
    json!({
        "Bucket": BUCKET, "Key": KEY, "VersionId": VERSION, "LastModified": MODIFIED, "ETag": "\"abc\"",
        "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "Metadata": {"a": "}"},
    })
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn utf16(text: &str, to_bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(to_bytes).collect()
}

/// Files that all say that the object is under the wrong key.
fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let (put, other) = (put_object(WRONG), other_event());
    let log = |events: &[&Value]| json!({"Records": events}).to_string();
    let whole = log(&[&other, &put, &other]);
    let both = format!("{}\n{}\n", log(&[&other]), log(&[&put]));
    let lookup = |event: &Value| json!({"EventId": "1", "EventName": "x", "CloudTrailEvent": event.to_string()});
    let message = |event: &Value| json!({"id": "1", "timestamp": 1, "message": event.to_string()});
    let delivered = json!({
        "messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s", "subscriptionFilters": ["f"],
        "logEvents": [message(&other), message(&put)],
    });
    let another = json!({"Bucket": BUCKET, "Key": "another", "ServerSideEncryption": "AES256"});
    let as_text = |text: String| text.into_bytes();
    let heads = format!("{another}\n{}\n", head(WRONG));
    vec![
        ("log.json", as_text(whole.clone())),
        ("log.json.gz", gzip(whole.as_bytes())),
        ("pretty.json", as_text(pretty(&json!({"Records": [other, put]})))),
        ("more.json", as_text(format!("{{\"version\": 1, \"Records\": [{put}], \"next\": [{{}}]}}"))),
        ("lines.jsonl", as_text(format!("{other}\n{put}\n"))),
        ("crlf.jsonl", as_text(format!("{other}\r\n{put}\r\n"))),
        ("several", as_text(both.clone())),
        ("members.json.gz", [gzip(log(&[&other]).as_bytes()), gzip(log(&[&put]).as_bytes())].concat()),
        ("list.json", as_text(json!([other, put]).to_string())),
        ("list-of-logs.json", as_text(format!("[{},{}]", log(&[&other]), log(&[&put])))),
        ("lookup.json", as_text(pretty(&json!({"Events": [lookup(&other), lookup(&put)], "NextToken": "t"})))),
        ("lookup.jsonl", as_text(format!("{}\n{}\n", lookup(&other), lookup(&put)))),
        ("subscription.gz", gzip(delivered.to_string().as_bytes())),
        ("subscriptions.gz", [gzip(delivered.to_string().as_bytes()), gzip(delivered.to_string().as_bytes())].concat()),
        ("mark.json", as_text(format!("\u{feff}{whole}"))),
        ("marks.json", as_text(format!("\u{feff}{}\r\n\u{feff}{}", log(&[&other]), log(&[&put])))),
        ("little.json", utf16(&whole, u16::to_le_bytes)),
        ("big.json", utf16(&both, u16::to_be_bytes)),
        ("little.json.gz", gzip(&utf16(&whole, u16::to_le_bytes))),
        ("heads.ndjson", as_text(heads.clone())),
        ("heads.gz", gzip(heads.as_bytes())),
        ("head.json", as_text(pretty(&head(WRONG)))),
        ("heads-over-lines.json", as_text(format!("{}\n{}\n", pretty(&another), pretty(&head(WRONG))))),
        ("heads-mixed.json", as_text(format!("{another}\n{}\n{another}\n", pretty(&head(WRONG))))),
        ("head-list.json", as_text(json!([another, head(WRONG)]).to_string())),
        ("head-utf16.json", utf16(&pretty(&head(WRONG)), u16::to_le_bytes)),
        ("heads-mark.ndjson", as_text(format!("\u{feff}{}\n{another}\n", head(WRONG)))),
        ("both.json", as_text(format!("{another}\n{whole}\n{}", pretty(&head(WRONG))))),
    ]
}

#[track_caller]
fn assert_wrong(audited: &Audited, context: &str) {
    let summary = audited.summary();
    assert_eq!(summary["by_reason"]["key_not_allowed"], 1, "{context}: {summary:#}");
    assert_eq!(audited.fault_names(), Vec::<String>::new(), "{context}");
}

#[test]
fn every_shape_says_the_same() {
    for (name, bytes) in shapes() {
        let case = Case::new();
        let file = case.put(name, bytes);
        assert_wrong(&case.audit(), name);
        assert_wrong(&case.audit_with(&file), name);
    }
}

/// Whatever happens to a file, it says what it said, or a fault says that it does not.
#[track_caller]
fn assert_not_silent(audited: &Audited, context: &str) {
    let (summary, faults) = (audited.summary(), audited.fault_names());
    let is_said = summary["by_reason"]["key_not_allowed"] == 1;
    assert!(is_said || !faults.is_empty(), "{context}: {summary:#}");
    assert!(faults.iter().all(|fault| fault.starts_with("evidence_")), "{context}: {faults:?}");
    assert!(faults.is_empty() || matches!(audited.code(), Some(1 | 3)), "{context}: {audited:?}");
    assert!(!audited.ran.stderr.contains("panicked"), "{context}: {audited:?}");
}

#[test]
fn damage_of_any_shape_is_not_silent() {
    let mut random = Random::new(21);
    let structure = b"{}[]\":,\\";
    for (name, bytes) in shapes() {
        let is_compressed = bytes.starts_with(&[0x1f, 0x8b]);
        let is_wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let case = Case::new();
        for round in 0..7 {
            let (mut damaged, at) = (bytes.clone(), random.below(bytes.len()));
            let how = match round {
                0 => {
                    damaged[0] ^= 0x40;
                    "the first byte".to_owned()
                }
                1 => {
                    damaged.reverse();
                    "backwards".to_owned()
                }
                2 => {
                    // Cut within its last document: before that, nothing tells that there was more.
                    damaged.truncate(bytes.len() - 3 - random.below(40));
                    "cut off".to_owned()
                }
                _ if is_compressed => {
                    damaged[at] ^= 1 << random.below(8);
                    format!("bit of {at}")
                }
                _ if is_wide => {
                    damaged.remove(at);
                    format!("without {at}")
                }
                // What is damaged inside of a text of JSON is another text.
                _ => {
                    let places: Vec<usize> = (0..bytes.len()).filter(|at| structure.contains(&bytes[*at])).collect();
                    let at = random.pick(&places);
                    damaged[at] = random.pick(b"x \"}0");
                    format!("{at} is {}", damaged[at])
                }
            };
            if damaged == bytes {
                continue;
            }
            case.put(name, damaged);
            assert_not_silent(&case.audit(), &format!("{name}: {how}"));
        }
    }
}

#[test]
fn no_file_of_a_folder_is_passed_over_in_silence() {
    let case = Case::new();
    let log = json!({"Records": [put_object(RIGHT)]}).to_string();
    let trail = "AWSLogs/111122223333";
    case.put(&format!("{trail}/CloudTrail/us-east-1/2024/05/06/a.json.gz"), gzip(log.as_bytes()));
    let digest = json!({"awsAccountId": "111122223333", "digestS3Object": "x", "logFiles": []}).to_string();
    let config = json!({"fileVersion": "1.0", "configSnapshotId": "x", "configurationItems": [{"a": 1}]}).to_string();
    let day = "us-east-1/2024/05/06";
    let known: [(String, Vec<u8>); 14] = [
        (format!("{trail}/CloudTrail-Digest/{day}/d.json.gz"), gzip(digest.as_bytes())),
        ("111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20240506T070809Z.json".into(), digest.clone().into()),
        (
            format!("{trail}/CloudTrail-Digest/{day}/d.json.gz.head.json"),
            pretty(&json!({"ServerSideEncryption": "AES256", "Metadata": {"signature": "00"}})).into(),
        ),
        (format!("{trail}/Config/us-east-1/2024/5/6/ConfigSnapshot/c.json.gz"), gzip(config.as_bytes())),
        (format!("{trail}/Config/ConfigWritabilityCheckFile"), Vec::new()),
        (format!("{trail}/vpcflowlogs/{day}/f.log.gz"), gzip(b"version account-id\n2 111122223333\n")),
        (format!("{trail}/WAFLogs/{day}/w.log.gz"), gzip(b"{\"timestamp\":1,\"webaclId\":\"x\"}\n{\"timestamp\":2}\n")),
        ("_SUCCESS".into(), Vec::new()),
        (".part-0.json.crc".into(), b"crc\0\0\0\x02\0".into()),
        (".DS_Store".into(), b"\0\0\0\x01Bud1".into()),
        ("._log.json.gz".into(), b"\0\x05\x16\x07\0\x02\0\0Mac OS X".into()),
        ("README.md".into(), b"# What this is".into()),
        ("SHA256SUMS".into(), b"00  log.json.gz\n".into()),
        ("log.json.gz.sha256".into(), b"00\n".into()),
    ];
    for (name, bytes) in &known {
        case.put(name, bytes);
    }
    let audited = case.audit();
    let summary = audited.summary();
    assert_eq!((audited.code(), audited.fault_names()), (Some(0), vec![]), "{audited:?}");
    assert_eq!(summary["ignored_evidence_files"], known.len());
    let counts = json!({"digest": 3, "config": 2, "other_log": 2, "bystander": 7});
    assert_eq!(summary["ignored_evidence"], counts);
    for said in ["3 digests", "2 files of AWS Config", "2 logs of other services", "7 marks, checksums and notes"] {
        let words: Vec<&str> = audited.ran.stdout.split_whitespace().collect();
        assert!(words.join(" ").contains(said), "{said}: {}", audited.ran.stdout);
    }
    // Each by itself takes the pass away.
    let random: Vec<u8> = (0..500_u32).map(|at| (at * at * 31 / 7) as u8).collect();
    let unknown: [(String, Vec<u8>, &str); 20] = [
        ("notes.txt".into(), b"a note".into(), "neither"),
        ("other.json".into(), b"{\"a\": 1}".into(), "neither"),
        ("empty.txt".into(), Vec::new(), ""),
        ("digest.json".into(), digest.clone().into(), "neither"),
        (format!("{trail}/CloudTrail-Digest/{day}/e.json.gz"), gzip(b"{\"awsAccountId\": 1}"), "neither"),
        (format!("{trail}/vpcflowlogs/{day}/g.log.gz"), gzip(&random), "neither"),
        (format!("{trail}/SomethingNew/{day}/h.log"), b"a b c".into(), "neither"),
        ("encrypted.json.gz".into(), random.clone(), "neither"),
        ("pgp.json".into(), b"-----BEGIN PGP MESSAGE-----\n".into(), "encrypted"),
        ("twice.json.gz".into(), gzip(&gzip(log.as_bytes())), "twice"),
        ("wide.json".into(), log.encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16"),
        ("archive.zip".into(), b"PK\x03\x04".into(), "ZIP"),
        ("nested.json".into(), format!("{{\"data\": {log}}}").into(), "neither"),
        ("quoted.json".into(), json!(log).to_string().into(), "neither"),
        ("sidecar.head.json".into(), pretty(&json!({"SSEKMSKeyId": WRONG, "Metadata": {}})).into(), "neither"),
        ("first-byte.json".into(), format!("x{}", &log[1..]).into(), "neither"),
        ("first-name.json".into(), log.replacen("Records", "Recordz", 1).into(), "neither"),
        ("list.csv".into(), format!("{BUCKET},a\n").into(), "ARN=PATH"),
        ("bucketless.json".into(), head(WRONG).to_string().replace("\"Bucket\"", "\"Bukket\"").into(), "neither"),
        ("short".into(), b"P".into(), "neither"),
    ];
    for (name, bytes, why) in unknown {
        let path = case.put(&name, bytes);
        let audited = case.audit();
        let faults = audited.faults();
        assert_eq!((audited.code(), faults.len()), (Some(3), 1), "{name}: {audited:?}");
        assert_eq!(faults[0]["what"], "evidence_unrecognised", "{name}: {faults:?}");
        assert!(faults[0].to_string().contains(path.file_name().unwrap().to_str().unwrap()), "{name}: {faults:?}");
        assert!(faults[0].to_string().contains(why), "{name}: {faults:?}");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn records_that_cannot_be_used_are_faults() {
    let point = |mut event: Value| {
        event["requestParameters"]["bucketName"] = "ap-x1y2-s3alias".into();
        event
    };
    let timeless = |mut event: Value| {
        event["eventTime"] = Value::Null;
        event
    };
    let with = |mut head: Value, name: &str, value: Value| {
        head[name] = value;
        head
    };
    let s3_notification = json!({"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put"});
    for (name, text) in [
        ("without a time", json!({"Records": [put_object(RIGHT), timeless(put_object(WRONG))]}).to_string()),
        ("a notification", json!({"Records": [s3_notification]}).to_string()),
        ("no record", json!({"Records": [put_object(RIGHT), {"a": 1}]}).to_string()),
        ("another document", format!("{}\n{{\"a\": 1}}\n", json!({"Records": [put_object(RIGHT)]}))),
        ("a document of another kind behind heads", format!("{}\n{{\"a\": 1}}\n", head(RIGHT))),
        ("a log in a head", with(head(RIGHT), "Records", json!([put_object(WRONG)])).to_string()),
        ("an access point in a head", with(head(WRONG), "Bucket", "ap-x1y2-s3alias".into()).to_string()),
        ("an ARN in a head", with(head(WRONG), "Bucket", "arn:aws:s3:::x".into()).to_string()),
        ("a time without an offset", with(head(RIGHT), "LastModified", "2024-05-06T07:08:09".into()).to_string()),
        ("no time", with(head(RIGHT), "EvidenceAsOf", "yesterday".into()).to_string()),
        ("a message that is none", json!({"logEvents": [{"message": "2024 INFO up"}]}).to_string()),
        ("a message that is cut", json!({"logEvents": [{"message": "{\"eventName\": \"Put"}]}).to_string()),
    ] {
        let case = Case::new();
        case.put("good.json", json!({"Records": [put_object(RIGHT)]}).to_string());
        assert_eq!(case.audit().code(), Some(0), "{name}");
        case.put("evidence.json", text);
        let audited = case.audit();
        assert_eq!(
            (audited.code(), audited.fault_names()),
            (Some(3), vec!["evidence_bad_record".to_owned()]),
            "{name}"
        );
    }
    // What is reached through an access point is told by its resources.
    let case = Case::new();
    let mut event = point(put_object(WRONG));
    event["resources"] =
        json!([{"ARN": format!("arn:aws:s3:::{BUCKET}/{KEY}")}, {"ARN": format!("arn:aws:s3:::{BUCKET}")}]);
    case.put("point.json", json!({"Records": [event]}).to_string());
    assert_wrong(&case.audit(), "an access point");
}

#[test]
fn tables_that_are_none_are_damaged() {
    for (name, bytes) in
        [("t.parquet", &b"PARx, it says"[..]), ("t.parquet", b""), ("t", b"PARx, it saysPAR1"), ("t.json", b"PAR1")]
    {
        let case = Case::new();
        case.put(name, bytes);
        let audited = case.audit();
        let fault = vec!["evidence_damaged".to_owned()];
        assert_eq!((audited.code(), audited.fault_names()), (Some(3), fault), "{name} {bytes:?}");
    }
}

#[cfg(unix)]
#[test]
fn links_and_pipes_in_folders_are_not_understood() {
    let case = Case::new();
    case.put("good.json", json!({"Records": [put_object(RIGHT)]}).to_string());
    let outside = case.desk.file("outside.json", &json!({"Records": [put_object(WRONG)]}).to_string());
    for target in [outside.as_path(), Path::new("nowhere"), Path::new("."), Path::new("good.json")] {
        let link = case.folder.join("link");
        std::os::unix::fs::symlink(target, &link).unwrap();
        let audited = case.audit();
        assert_eq!((audited.code(), audited.fault_names()), (Some(3), vec!["evidence_unrecognised".to_owned()]));
        assert!(audited.faults()[0].to_string().contains("link"), "{target:?}");
        fs::remove_file(link).unwrap();
    }
    let pipe = case.folder.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(case.audit().fault_names(), ["evidence_unrecognised"]);
    fs::remove_file(pipe).unwrap();
    assert_eq!(case.audit().code(), Some(0));
    // What is named by itself is followed.
    let named = case.desk.path("named");
    std::os::unix::fs::symlink(&outside, &named).unwrap();
    assert_wrong(&case.audit_with(&named), "named");
}

#[test]
fn shards_share_what_files_say_and_not_how_they_look() {
    let case = Case::new();
    let audit = |shard: &str| {
        let policy = format!(
            "[keys]\narchive = \"{RIGHT}\"\n[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\"]\nkeys = [\"archive\"]\n"
        );
        let evidence = case.folder.to_str().unwrap();
        case.desk.audit_under(&policy, &case.config, &["--key-evidence", evidence, "--shard", shard])
    };
    for (name, one, other) in [
        (
            "a.json",
            json!({"Records": [put_object(RIGHT)]}).to_string(),
            json!({"Records": [put_object(WRONG)]}).to_string(),
        ),
        ("a.ndjson", format!("{}\n", head(RIGHT)), format!("{}\n", head(WRONG))),
    ] {
        // Both keys are equally long.
        assert_eq!(one.len(), other.len());
        case.put(name, &one);
        let (first, second) = (audit("1/2"), audit("2/2"));
        assert_eq!(case.desk.merge([&first, &second]).code(), Some(0), "{name}");
        case.put(name, &other);
        let changed = audit("2/2");
        assert_eq!(case.desk.merge([&first, &changed]).code(), Some(2), "{name}");
        case.put(name, &one);
        fs::remove_file(case.folder.join(name)).unwrap();
    }
}

#[test]
fn lists_of_one_key_are_told_from_other_texts() {
    let key = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f+%C3%A9.json.gz";
    let row = format!("{BUCKET},{key},{VERSION}\n");
    for (name, list, fault) in [
        ("plain", row.clone().into_bytes(), None),
        ("with a mark", format!("\u{feff}{row}").into_bytes(), None),
        ("with a mark within", format!("{row}\u{feff}{row}").into_bytes(), Some("evidence_bad_record")),
        ("UTF-16", utf16(&row, u16::to_le_bytes), Some("evidence_")),
        ("an access point", row.replace(BUCKET, "ap-x1y2-s3alias").into_bytes(), Some("evidence_bad_record")),
        ("JSON", head(WRONG).to_string().into_bytes(), Some("evidence_")),
    ] {
        let case = Case::new();
        let file = case.put("list.csv", list);
        let audited = case.audit_with(Path::new(&format!("{WRONG}={}", file.display())));
        match fault {
            None => assert_wrong(&audited, name),
            Some(fault) => {
                let faults = audited.fault_names();
                assert!(audited.code() == Some(3) && faults[0].starts_with(fault), "{name}: {faults:?}");
            }
        }
    }
}

/// Many answers and events in one text of mixed shapes, against what they were made of.
#[test]
fn texts_of_mixed_shapes_say_of_each_object_what_was_put_into_them() {
    const OBJECTS: usize = 300;
    let mut random = Random::new(5);
    for round in 0..6 {
        let keys: Vec<Option<&str>> = (0..OBJECTS).map(|_| random.pick(&[Some(RIGHT), Some(WRONG), None])).collect();
        let name = |at: usize| format!("{KEY}/{at} \"{{\\");
        let row = |at: usize| Row {
            version_id: Some(format!("v{at}")),
            last_modified: Some(logseal::timestamp::Timestamp::parse(MODIFIED.as_bytes()).unwrap().as_millis()),
            encryption_status: Some("SSE-KMS".to_owned()),
            key: name(at).into_bytes(),
            ..Row::compliant("f")
        };
        let rows: Vec<Row> = (0..OBJECTS).map(row).collect();
        let case = Case::new();
        let config = Delivery::csv(&rows, &all_columns(), 1).write(&case.desk.path("many")).config;
        let said = |at: usize, is_event: bool| match (keys[at], is_event) {
            (Some(key), true) => {
                let mut event = put_object(key);
                event["requestParameters"]["key"] = name(at).into();
                event["responseElements"]["x-amz-version-id"] = format!("v{at}").into();
                event
            }
            (Some(key), false) => {
                let mut answer = head(key);
                (answer["Key"], answer["VersionId"]) = (name(at).into(), format!("v{at}").into());
                answer
            }
            (None, true) => other_event(),
            (None, false) => json!({"Bucket": "another", "Key": name(at), "ServerSideEncryption": "AES256"}),
        };
        let (mut text, mut at) = (String::new(), 0);
        while at < OBJECTS {
            let is_event = random.chance(50);
            let some: Vec<Value> = (at..OBJECTS.min(at + 1 + random.below(9))).map(|at| said(at, is_event)).collect();
            at += some.len();
            let wrap = |event: &Value| json!({"message": event.to_string()});
            text.push_str(&match random.below(4) {
                0 if is_event => json!({"Records": some}).to_string(),
                1 if is_event => pretty(&json!({"logEvents": some.iter().map(wrap).collect::<Vec<_>>()})),
                0 | 1 => json!(some).to_string(),
                2 => some.iter().map(pretty).collect(),
                _ => some.iter().map(|one| format!("{one}\n")).collect(),
            });
            text.push_str(random.pick(&["", "\n", "\r\n", "\u{feff}"]));
        }
        let bytes = match round % 3 {
            0 => text.into_bytes(),
            1 => gzip(text.as_bytes()),
            _ => utf16(&text, u16::to_be_bytes),
        };
        let file = case.put("mixed", bytes);
        let policy = format!(
            "[keys]\narchive = \"{RIGHT}\"\n[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\"]\nkeys = [\"archive\"]\n"
        );
        let audited = case.desk.audit_under(&policy, &config, &["--key-evidence", file.to_str().unwrap()]);
        let (summary, count) = (audited.summary(), |key| keys.iter().filter(|said| **said == key).count());
        assert_eq!(audited.fault_names(), Vec::<String>::new(), "{round}");
        assert_eq!(summary["counts"]["compliant"], count(Some(RIGHT)), "{round}: {summary:#}");
        assert_eq!(summary["counts"]["violation"], count(Some(WRONG)), "{round}");
        assert_eq!(summary["counts"]["undetermined"], count(None), "{round}");
    }
}

/// An inventory table of S3 Metadata about the object, in which a column says when it was queried.
fn table(path: &Path, key: &str, as_of: &str) {
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let time = |text: &str| {
        let millis = logseal::timestamp::Timestamp::parse(text.as_bytes()).unwrap().as_millis();
        Arc::new(TimestampMillisecondArray::from(vec![millis])) as ArrayRef
    };
    let columns = [
        ("bucket", text(BUCKET)),
        ("key", text(KEY)),
        ("version_id", text(VERSION)),
        ("last_modified_date", time(MODIFIED)),
        ("encryption_status", text("SSE-KMS")),
        ("kms_key_arn", text(key)),
        ("evidence_as_of", time(as_of)),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn evidence_says_itself_when_it_was_taken() {
    const TAKEN: &str = "2025-01-01T12:00:00Z";
    let case = Case::new();
    let key = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f+%C3%A9.json.gz";
    let list = case.put("list.csv", format!("{BUCKET},{key},{VERSION},{TAKEN}\n"));
    let mut answer = head(WRONG);
    answer["EvidenceAsOf"] = "2025-01-01 13:00:00+01:00".into();
    let answer = case.put("head.json", pretty(&answer));
    let metadata = case.folder.join("table.parquet");
    table(&metadata, WRONG, TAKEN);
    // Tables lag an hour behind.
    for (evidence, expected) in [
        (PathBuf::from(format!("{WRONG}={}", list.display())), "2025-01-01T12:00:00.000Z"),
        (answer, "2025-01-01T12:00:00.000Z"),
        (metadata, "2025-01-01T11:00:00.000Z"),
    ] {
        let audited = case.audit_with(&evidence);
        assert_wrong(&audited, expected);
        assert_eq!(audited.summary()["evidence"][0]["as_of"], expected, "{evidence:?}");
    }
    let bad = case.put("bad.csv", format!("{BUCKET},{key},{VERSION},yesterday\n"));
    let audited = case.audit_with(Path::new(&format!("{WRONG}={}", bad.display())));
    assert_eq!(audited.fault_names(), ["evidence_bad_record"]);
}
