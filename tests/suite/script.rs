//! The script beside a list of `multipart-copy`, run with a stand-in for the AWS command line that writes down what it is
//! asked and answers what a test says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::audits::{Desk, Ran, files_below};
use crate::delivery::{Delivery, Row, all_columns, columns_without};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const GIB: u64 = 1 << 30;
const ETAG: &str = "\"0123-2\"";

/// Reads the file with the request and finds the first rule whose operation and part of a request fit.
const STAND_IN: &str = r#"#!/usr/bin/env bash
cd "$STAND_IN" || exit 1
request=$(cat "${4#file://}")
printf '%s\0' "$@" "$request" >> calls
printf '\n\0' >> calls
while IFS=$'\t' read -r operation part code answer; do
  if [ "$operation" = "$2" ] && [[ $request == *"$part"* ]]; then
    cat "$answer"
    exit "$code"
  fi
done < rules
exit 99
"#;

struct Bench {
    desk: Desk,
    rules: Vec<(String, String, u8, String)>,
}

/// What was asked: the operation, and the request as it came.
#[derive(Clone, Debug)]
struct Call {
    operation: String,
    request: Vec<u8>,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.request).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Bench {
    /// Every object is large, and everything succeeds.
    fn new() -> Self {
        let bench = Self { desk: Desk::new(), rules: Vec::new() };
        fs::create_dir(bench.desk.path("bin")).unwrap();
        let stand_in = bench.desk.file("bin/aws", STAND_IN);
        fs::set_permissions(stand_in, fs::Permissions::from_mode(0o755)).unwrap();
        bench
    }

    /// The next rule: earlier ones go first.
    fn answer(&mut self, operation: &str, part: &str, code: u8, answer: &Value) -> &mut Self {
        self.answer_text(operation, part, code, &pretty(answer))
    }

    fn answer_text(&mut self, operation: &str, part: &str, code: u8, answer: &str) -> &mut Self {
        self.rules.push((operation.into(), part.into(), code, answer.into()));
        self
    }

    /// Audits these rows and says where the script is.
    fn script(&self, rows: &[Row], args: &[&str]) -> PathBuf {
        self.script_for("'SSE-KMS'", rows, args)
    }

    fn script_for(&self, encryption: &str, rows: &[Row], args: &[&str]) -> PathBuf {
        let policy = format!(
            "[keys]\nk = '{KEY}'\n[[rule]]\nid = 'all'\nencryption = [{encryption}]\n[remediation]\nkey = 'k'\n"
        );
        let delivered = Delivery::csv(rows, &all_columns(), 1).write(&self.desk.path("config"));
        let audited = self.desk.audit_under(&policy, delivered.config, args);
        let scripts = files_below(&audited.out.join("remediation")).into_keys().filter(|path| path.ends_with(".sh"));
        let scripts: Vec<_> = scripts.collect();
        assert_eq!(scripts.len(), 1, "{scripts:?} {audited:?}");
        audited.out.join("remediation").join(&scripts[0])
    }

    /// Runs it, and says what it asked for since the last time.
    fn run(&mut self, script: &PathBuf, variables: &[(&str, &str)]) -> (Ran, Vec<Call>) {
        for (operation, answer) in [
            ("get-bucket-versioning", json!({"Status": "Enabled"})),
            ("head-object", large()),
            ("create-multipart-upload", json!({"UploadId": "up\"1"})),
            ("upload-part-copy", json!({"ETag": "\"part\"", "LastModified": "2026", "ChecksumCRC32": "abc="})),
            ("complete-multipart-upload", json!({"ETag": "\"new-6\"", "VersionId": "v9"})),
            ("copy-object", json!({"ETag": "\"new\""})),
            ("abort-multipart-upload", json!({})),
        ] {
            self.answer(operation, "", 0, &answer);
        }
        self.answer_text("get-object-tagging", "", 0, "");
        let rules: Vec<String> = self.rules.iter().enumerate().map(|(at, rule)| self.rule(at, rule)).collect();
        self.desk.file("rules", &rules.concat());
        let calls = self.desk.file("calls", "");
        let path = format!("{}:{}", self.desk.path("bin").display(), std::env::var("PATH").unwrap());
        let here = self.desk.path("here");
        fs::create_dir_all(&here).unwrap();
        let mut command = Command::new("bash");
        command.arg(script).current_dir(&here).env("PATH", path).env("STAND_IN", self.desk.path("")).envs(
            ["DRY_RUN", "NONCURRENT", "PART_BYTES", "SINGLE_BYTES"]
                .map(|name| (name, variables.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value))),
        );
        let ran = command.output().unwrap().into();
        assert_eq!(fs::read_dir(here).unwrap().count(), 0, "something was executed: {ran:?}");
        (ran, read_calls(&fs::read(calls).unwrap()))
    }

    fn rule(&self, at: usize, (operation, part, code, answer): &(String, String, u8, String)) -> String {
        let name = format!("answer-{at}");
        self.desk.file(&name, answer);
        format!("{operation}\t{part}\t{code}\t{name}\n").replace("\t\t", "\t*\t").replace("\t*\t", "\t{\t")
    }
}

fn read_calls(text: &[u8]) -> Vec<Call> {
    let mut calls = Vec::new();
    for call in text.split(|byte| *byte == b'\n').map(|call| call.strip_prefix(b"\0").unwrap_or(call)) {
        let args: Vec<&[u8]> = call.split(|byte| *byte == 0).collect();
        let [b"s3api", operation, args @ .., request, b""] = &args[..] else { continue };
        assert!(args[0] == b"--cli-input-json" && args[1].starts_with(b"file:///"));
        let operation = String::from_utf8(operation.to_vec()).unwrap();
        calls.push(Call { operation, request: request.to_vec() });
    }
    calls
}

/// As the command line writes JSON.
fn pretty(value: &Value) -> String {
    let mut text = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    serde::Serialize::serialize(value, &mut serde_json::Serializer::with_formatter(&mut text, form)).unwrap();
    String::from_utf8(text).unwrap() + "\n"
}

fn large() -> Value {
    json!({
        "AcceptRanges": "bytes", "LastModified": "2024-01-01T00:00:00+00:00", "ContentLength": 5 * GIB + 3,
        "ETag": ETAG, "VersionId": "v1", "ContentType": "text/plain; a=\"b\"", "ServerSideEncryption": "AES256",
        "Metadata": {"a": "b, $(touch pwned)", "none": "None"}, "StorageClass": "STANDARD_IA",
    })
}

fn with(mut value: Value, name: &str, member: Value) -> Value {
    value[name] = member;
    value
}

fn row(key: impl Into<Vec<u8>>) -> Row {
    let version_id = Some("v1".into());
    Row { size: Some(6 << 30), version_id, ..Row::compliant("f").with_status("NOT-SSE").with_key(key) }
}

fn operations(calls: &[Call]) -> Vec<&str> {
    calls.iter().map(|call| call.operation.as_str()).collect()
}

fn requests(calls: &[Call], operation: &str) -> Vec<Value> {
    calls.iter().filter(|call| call.operation == operation).map(Call::json).collect()
}

const SUMMARY: &str = "copied 1, right already 0, failed 0, noncurrent versions left out 0\n";

#[test]
fn parts_cover_a_large_object_and_it_keeps_what_it_has() {
    let mut bench = Bench::new();
    bench.answer("head-object", "", 0, &with(large(), "TagCount", json!(2)));
    bench.answer_text("get-object-tagging", "", 0, "a b\tx=y&é\nempty\t\n");
    let script = bench.script(&[row("a")], &["--account-id", "111122223333"]);
    let (ran, calls) = bench.run(&script, &[]);
    assert_eq!((ran.code, &ran.stderr[..]), (Some(0), SUMMARY));
    let parts = ["upload-part-copy"; 6];
    let before = ["get-bucket-versioning", "head-object", "get-object-tagging", "create-multipart-upload"];
    assert_eq!(operations(&calls), [&before[..], &parts, &["complete-multipart-upload"]].concat());
    let [bucket, owner] = ["org-audit-logs", "111122223333"];
    assert_eq!(
        requests(&calls, "create-multipart-upload"),
        [json!({
            "Bucket": bucket, "Key": "a", "ExpectedBucketOwner": owner, "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": KEY, "BucketKeyEnabled": false, "Metadata": large()["Metadata"],
            "ContentType": large()["ContentType"], "StorageClass": "STANDARD_IA",
            "Tagging": "a%20b=x%3Dy%26%C3%A9&empty=",
        })]
    );
    let mut next = 0;
    for (part, number) in requests(&calls, "upload-part-copy").iter().zip(1..) {
        let range = part["CopySourceRange"].as_str().unwrap().strip_prefix("bytes=").unwrap();
        let (first, last) = range.split_once('-').unwrap();
        let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(first, next);
        assert!(first <= last && last - first < 5 * GIB);
        next = last + 1;
        let expected = json!({
            "Bucket": bucket, "Key": "a", "ExpectedBucketOwner": owner, "ExpectedSourceBucketOwner": owner,
            "UploadId": "up\"1", "PartNumber": number, "CopySourceRange": format!("bytes={range}"),
            "CopySource": {"Bucket": bucket, "Key": "a", "VersionId": "v1"}, "CopySourceIfMatch": ETAG,
        });
        assert_eq!(part, &expected);
    }
    assert_eq!(next, 5 * GIB + 3);
    let part = |number| json!({"PartNumber": number, "ETag": "\"part\"", "ChecksumCRC32": "abc="});
    let parts: Vec<Value> = (1..=6).map(part).collect();
    assert_eq!(
        requests(&calls, "complete-multipart-upload"),
        [json!({
            "Bucket": bucket, "Key": "a", "ExpectedBucketOwner": owner, "UploadId": "up\"1", "IfMatch": ETAG,
            "MultipartUpload": {"Parts": parts},
        })]
    );
}

#[test]
fn there_are_never_too_many_parts() {
    let size: u64 = 50_000_000_000_000;
    let mut bench = Bench::new();
    bench.answer("head-object", "", 0, &with(large(), "ContentLength", json!(size)));
    let script = bench.script(&[row("a")], &[]);
    let (ran, _) = bench.run(&script, &[("DRY_RUN", "1")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let shown: Vec<&str> = ran.stdout.lines().filter(|line| line.contains(" upload-part-copy ")).collect();
    assert_eq!(shown.len(), 10_000);
    assert!(shown[9_999].contains(&format!("-{}", size - 1)), "{}", shown[9_999]);
}

#[test]
fn what_fits_into_one_request_is_copied_by_one() {
    for size in [0, 1, 5 * GIB] {
        let mut bench = Bench::new();
        let head = with(large(), "ContentLength", json!(size));
        bench.answer("head-object", "", 0, &head);
        let unknown = Row { size: None, ..row("a") };
        let script = bench.script_for("'DSSE-KMS'", &[unknown], &[]);
        let (ran, calls) = bench.run(&script, &[]);
        assert_eq!((ran.code, &ran.stderr[..]), (Some(0), SUMMARY));
        assert_eq!(operations(&calls), ["get-bucket-versioning", "head-object", "copy-object"]);
        let expected = json!({
            "Bucket": "org-audit-logs", "Key": "a", "ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": KEY,
            "CopySource": {"Bucket": "org-audit-logs", "Key": "a", "VersionId": "v1"}, "CopySourceIfMatch": ETAG,
            "StorageClass": "STANDARD_IA", "IfMatch": ETAG,
        });
        assert_eq!(requests(&calls, "copy-object"), [expected]);
    }
}

#[test]
fn what_is_right_is_left_alone_and_what_changed_is_said() {
    let kms = with(with(large(), "ServerSideEncryption", json!("aws:kms")), "SSEKMSKeyId", json!(KEY));
    let archived = with(large(), "StorageClass", json!("DEEP_ARCHIVE"));
    let restored = |done: bool| with(archived.clone(), "Restore", json!(format!("ongoing-request=\"{}\"", !done)));
    let cases = [
        (kms.clone(), 0, "right already 1"),
        (with(kms.clone(), "VersionId", json!("v2")), 0, "right already 1"),
        (with(kms.clone(), "BucketKeyEnabled", json!(true)), 0, "copied 1"),
        (with(kms, "SSEKMSKeyId", json!("arn:aws:kms:us-east-1:111122223333:key/other")), 0, "copied 1"),
        (with(large(), "VersionId", json!("v2")), 1, "another version is current"),
        (archived.clone(), 1, "restore it first"),
        (restored(false), 1, "restore it first"),
        (restored(true), 0, "copied 1"),
        (with(large(), "ArchiveStatus", json!("ARCHIVE_ACCESS")), 1, "restore it first"),
        (with(large(), "MissingMeta", json!(1)), 1, "cannot be copied"),
        (with(large(), "ExpiresString", json!("soon")), 1, "Expires is no date"),
        (with(large(), "TagCount", json!(1)), 1, "tags cannot be kept"),
    ];
    for (head, code, said) in cases {
        let mut bench = Bench::new();
        bench.answer("head-object", "", 0, &head);
        let script = bench.script(&[row("a")], &[]);
        let (ran, calls) = bench.run(&script, &[]);
        assert!(ran.code == Some(code) && ran.stderr.contains(said), "{said}: {head} {ran:?}");
        let changes = calls.iter().filter(|call| call.operation.contains("upload")).count();
        assert_eq!(changes > 0, said == "copied 1", "{said}");
    }
}

#[test]
fn without_versions_whatever_is_current_is_copied() {
    let mut bench = Bench::new();
    let delivered = Delivery::csv(&[row("a")], &columns_without(&["VersionId", "IsLatest"]), 1);
    let policy =
        format!("[keys]\nk = '{KEY}'\n[[rule]]\nid = 'a'\nencryption = ['SSE-S3']\n[remediation]\nkey = 'k'\n");
    let audited = bench.desk.audit_under(&policy, delivered.write(&bench.desk.path("config")).config, &[]);
    let script = audited.out.join("remediation/multipart-copy/org-audit-logs/sse-s3-0001.sh");
    let mut head = large();
    head.as_object_mut().unwrap().remove("VersionId");
    head["ServerSideEncryption"] = json!("aws:kms");
    bench.answer("head-object", "", 0, &head).answer("get-bucket-versioning", "", 0, &json!({}));
    let (ran, calls) = bench.run(&script, &[]);
    assert_eq!((ran.code, &ran.stderr[..]), (Some(0), SUMMARY));
    assert_eq!(requests(&calls, "upload-part-copy")[0]["CopySource"], json!({"Bucket": "org-audit-logs", "Key": "a"}));
    let created = &requests(&calls, "create-multipart-upload")[0];
    assert_eq!((&created["ServerSideEncryption"], created.get("SSEKMSKeyId")), (&json!("AES256"), None));
}

#[test]
fn a_failure_aborts_the_upload_and_the_next_object_is_copied() {
    for failing in ["create-multipart-upload", "upload-part-copy", "complete-multipart-upload"] {
        let mut bench = Bench::new();
        bench.answer_text(failing, "\"Key\":\"a\"", 254, "");
        let script = bench.script(&[row("a"), row("b")], &[]);
        let (ran, calls) = bench.run(&script, &[]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.starts_with("failed: \"a\" \"v1\": "), "{ran:?}");
        assert!(ran.stderr.ends_with("copied 1, right already 0, failed 1, noncurrent versions left out 0\n"));
        let aborted = requests(&calls, "abort-multipart-upload");
        let expected = json!({"Bucket": "org-audit-logs", "Key": "a", "UploadId": "up\"1"});
        assert_eq!(aborted, if failing.starts_with("create") { vec![] } else { vec![expected] });
        assert_eq!(requests(&calls, "complete-multipart-upload").last().unwrap()["Key"], "b");
    }
}

#[test]
fn noncurrent_versions_are_copied_if_somebody_asks_and_are_covered_at_once() {
    let old = Row { is_latest: Some(false), version_id: Some("v0".into()), ..row("a") };
    let mut bench = Bench::new();
    bench.answer("head-object", "\"VersionId\":\"v0\"", 0, &with(large(), "VersionId", json!("v0")));
    let script = bench.script(&[row("a"), old], &[]);
    let (ran, calls) = bench.run(&script, &[]);
    assert_eq!(ran.stderr, "copied 1, right already 0, failed 0, noncurrent versions left out 1\n");
    assert!(calls.iter().all(|call| !String::from_utf8_lossy(&call.request).contains("v0")), "{calls:?}");

    let (ran, calls) = bench.run(&script, &[("NONCURRENT", "1")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let creations = requests(&calls, "create-multipart-upload").len();
    let mut sources: Vec<Value> = requests(&calls, "upload-part-copy");
    sources.dedup_by_key(|part| part["CopySource"]["VersionId"].clone());
    let sources: Vec<&Value> = sources.iter().map(|part| &part["CopySource"]["VersionId"]).collect();
    assert_eq!((creations, sources), (3, vec![&json!("v0"), &json!("v1")]));
    let conditions: Vec<Value> =
        requests(&calls, "complete-multipart-upload").iter().map(|request| request["IfMatch"].clone()).collect();
    assert_eq!(conditions, [json!(ETAG), json!("\"new-6\""), json!(ETAG)]);

    let (ran, calls) = bench.run(&script, &[("NONCURRENT", "1")]);
    assert!(ran.stderr.contains("right already 1"), "{ran:?}");
    assert_eq!(requests(&calls, "create-multipart-upload").len(), 1);
}

#[test]
fn a_copy_of_a_noncurrent_version_that_was_not_covered_is_covered_by_the_next_run() {
    let old = Row { is_latest: Some(false), version_id: Some("v0".into()), ..row("a") };
    let older = Row { version_id: Some("v00".into()), ..old.clone() };
    let mut bench = Bench::new();
    bench.answer_text("upload-part-copy", "\"VersionId\":\"v1\"", 1, "");
    bench.answer("head-object", "\"VersionId\":\"v0", 0, &with(large(), "VersionId", json!("v0")));
    let script = bench.script(&[old, older], &[]);
    let (ran, _) = bench.run(&script, &[("NONCURRENT", "1")]);
    assert!(ran.code == Some(1) && ran.stderr.contains("IT SHOWS OLD CONTENT until version \"v1\""), "{ran:?}");
    assert!(ran.stderr.contains("\"v00\": an earlier copy"), "{ran:?}");

    bench.rules.retain(|(_, _, code, _)| *code == 0);
    let (ran, calls) = bench.run(&script, &[]);
    assert_eq!(ran.stderr, "copied 1, right already 0, failed 0, noncurrent versions left out 2\n");
    assert_eq!(requests(&calls, "complete-multipart-upload")[0]["IfMatch"], "\"new-6\"");
    let (ran, _) = bench.run(&script, &[]);
    assert_eq!(ran.stderr, "copied 0, right already 0, failed 0, noncurrent versions left out 2\n");
}

#[test]
fn where_versioning_is_suspended_no_version_is_lost() {
    let old = Row { is_latest: Some(false), version_id: Some("v0".into()), ..row("b") };
    let mut bench = Bench::new();
    bench.answer("get-bucket-versioning", "", 0, &json!({"Status": "Suspended"}));
    let script = bench.script(&[row("a"), old], &[]);
    let (ran, calls) = bench.run(&script, &[("NONCURRENT", "1")]);
    assert!(ran.code == Some(1) && ran.stderr.contains("failed 2"), "{ran:?}");
    assert_eq!(operations(&calls), ["get-bucket-versioning", "head-object"]);
}

#[test]
fn no_name_is_executed_or_taken_for_anything_else() {
    let names: [&[u8]; 14] = [
        b"'; touch pwned; '",
        b"$(touch pwned)",
        b"`touch pwned`",
        b"\"; touch pwned; \"",
        b"a\ntouch pwned\n",
        b"-rf",
        b"--key=x",
        b"file:///etc/passwd",
        b"a?versionId=b",
        b"\\\\x41\\'\\u0041",
        "日本 é \u{202e}\u{1f600}".as_bytes(),
        b"=1+1,\"x\"",
        b"\x01\x7f\x1b[31m\r\t",
        b"\xff\xfe'\\$(touch pwned)",
    ];
    let rows: Vec<Row> = names.iter().map(|name| row(*name)).collect();
    let mut bench = Bench::new();
    let script = bench.script(&rows, &[]);
    let syntax = Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(syntax.status.success() && fs::read(&script).unwrap().is_ascii(), "{syntax:?}");
    let (ran, calls) = bench.run(&script, &[]);
    assert!(ran.stderr.contains("copied 14,"), "{ran:?}");
    for operation in ["head-object", "create-multipart-upload", "complete-multipart-upload"] {
        let calls: Vec<&Call> = calls.iter().filter(|call| call.operation == operation).collect();
        let (odd, plain) = calls.split_last().unwrap();
        let keys: Vec<Value> = plain.iter().map(|call| call.json()["Key"].clone()).collect();
        let expected: Vec<Value> = names[..13].iter().map(|name| json!(str::from_utf8(name).unwrap())).collect();
        assert_eq!(keys, expected);
        let raw = b"\"Key\":\"\xff\xfe\\u0027\\\\$(touch pwned)\"";
        assert!(odd.request.windows(raw.len()).any(|bytes| bytes == raw), "{odd:?}");
    }

    let (ran, calls) = bench.run(&script, &[("DRY_RUN", "1")]);
    assert_eq!(ran.code, Some(0));
    assert!(operations(&calls).iter().all(|operation| operation.starts_with("get") || operation.starts_with("head")));
    assert!(ran.stdout.bytes().all(|byte| byte == b'\n' || matches!(byte, b' '..=b'~')));
    assert!(ran.stdout.lines().all(|line| line.starts_with("aws s3api ")), "{}", ran.stdout);
}
