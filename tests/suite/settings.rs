//! A standard held against exported settings: an organisation that is as it should be, and what is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::audits::{Desk, Ran, command, decode_cell};
use crate::delivery::gzip;

const MANAGEMENT: &str = "111111111111";
const ARCHIVE: &str = "222222222222";
const MEMBER: &str = "333333333333";
const ACCOUNTS: [&str; 3] = [MANAGEMENT, ARCHIVE, MEMBER];
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const TRAIL: &str = "arn:aws:cloudtrail:us-east-1:111111111111:trail/all";
const KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/0aaaaaaa-1111-4222-8333-444444444444";
const KEY_ID: &str = "0aaaaaaa-1111-4222-8333-444444444444";
const BUCKET: &str = "audit-logs";
const AT: &str = "2026-11-01T12:00:00Z";
const AS_OF: &str = "2026-11-01T14:00:00Z";

const POLICY: &str = r#"
name = "Central trail"
version = "3"

[keys]
logs = "arn:aws:kms:us-east-1:222222222222:key/0aaaaaaa-1111-4222-8333-444444444444"

[settings]
statement = "All logs are delivered to the archive."
accounts = "organization"
regions = ["us-east-1", "eu-west-1"]
keys = ["logs"]
max_age = "2d"

[settings.trail]
kms = "required"
validation = true
multi_region = true
management_events = "all"
destinations = ["audit-*"]
destination_accounts = ["222222222222"]
delivered_within = "24h"

[settings.bucket]
default_encryption = ["SSE-KMS", "DSSE-KMS"]
tls_only = true
versioning = true
public = false
source_condition = true

[settings.key]
decrypt = ["arn:aws:iam::222222222222:role/security-*"]
rotation = "365d"
tags = ["Owner"]
"#;

/// One call of the command line and its answer: an output, or the code of a refusal.
#[derive(Clone)]
struct Call {
    account: String,
    region: String,
    command: String,
    parameter: Option<String>,
    /// The owner without whom S3 does not answer; lines have it only.
    expected_owner: Option<&'static str>,
    answer: Result<Value, String>,
}

fn call(account: &str, region: &str, command: &str, parameter: Option<&str>, output: Value) -> Call {
    Call {
        account: account.into(),
        region: region.into(),
        command: command.into(),
        parameter: parameter.map(str::to_owned),
        expected_owner: None,
        answer: Ok(output),
    }
}

fn trail_settings() -> Value {
    json!({
        "Name": "all", "S3BucketName": BUCKET, "IncludeGlobalServiceEvents": true, "IsMultiRegionTrail": true,
        "HomeRegion": "us-east-1", "TrailARN": TRAIL, "LogFileValidationEnabled": true, "HasCustomEventSelectors": true,
        "HasInsightSelectors": false, "IsOrganizationTrail": true, "KmsKeyId": KEY
    })
}

fn cloudtrail(sid: &str, action: &str, resource: &str, condition: Value) -> Value {
    let principal = json!({"Service": "cloudtrail.amazonaws.com"});
    let mut condition = condition;
    condition["StringEquals"]["aws:SourceArn"] = json!(TRAIL);
    json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource, "Condition": condition})
}

fn bucket_policy() -> Value {
    let write = |sid, folder: &str| {
        let resource = format!("arn:aws:s3:::{BUCKET}/AWSLogs/{folder}/*");
        cloudtrail(
            sid,
            "s3:PutObject",
            &resource,
            json!({"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}),
        )
    };
    let all = [format!("arn:aws:s3:::{BUCKET}"), format!("arn:aws:s3:::{BUCKET}/*")];
    let tls = json!({
        "Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": all,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}}
    });
    json!({"Version": "2012-10-17", "Statement": [
        cloudtrail("Acl", "s3:GetBucketAcl", &format!("arn:aws:s3:::{BUCKET}"), json!({})),
        write("Own", MANAGEMENT), write("Organization", "o-example11111"), tls
    ]})
}

fn key_policy() -> Value {
    let context = json!({"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": "arn:aws:cloudtrail:*:111111111111:trail/*"}});
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Admin", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
         "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:Enable*"], "Resource": "*"},
        cloudtrail("Encrypt", "kms:GenerateDataKey*", "*", context),
        cloudtrail("Describe", "kms:DescribeKey", "*", json!({})),
        {"Sid": "Read", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:role/security-analyst"},
         "Action": "kms:Decrypt", "Resource": "*"}
    ]})
}

fn as_text(policy: &Value) -> Value {
    json!({"Policy": policy.to_string()})
}

/// Everything that is asked of an organisation in which nothing is wrong.
fn organisation() -> Vec<Call> {
    let mut calls = Vec::new();
    for account in ACCOUNTS {
        for region in REGIONS {
            let trails = json!({"trailList": [trail_settings()]});
            calls.push(call(account, region, "cloudtrail describe-trails", None, trails));
            calls.push(call(account, region, "kms list-aliases", None, json!({"Aliases": []})));
        }
    }
    let management =
        |command: &str, parameter: Option<&str>, output| call(MANAGEMENT, "us-east-1", command, parameter, output);
    calls.push(management("cloudtrail get-trail-status", Some(TRAIL), status(true)));
    let selectors = json!({"TrailARN": TRAIL, "EventSelectors": [
        {"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": [], "ExcludeManagementEventSources": []}
    ]});
    calls.push(management("cloudtrail get-event-selectors", Some(TRAIL), selectors));
    let accounts: Vec<Value> = ACCOUNTS.iter().map(|id| json!({"Id": id, "Status": "ACTIVE"})).collect();
    calls.push(management("organizations list-accounts", None, json!({"Accounts": accounts})));
    let organisation =
        json!({"Organization": {"Id": "o-example11111", "MasterAccountId": MANAGEMENT, "FeatureSet": "ALL"}});
    calls.push(management("organizations describe-organization", None, organisation));
    let archive = |command: &str, parameter: &str, output| call(ARCHIVE, "us-east-1", command, Some(parameter), output);
    calls.push(archive("s3api get-bucket-location", BUCKET, json!({"LocationConstraint": null})));
    let encryption = json!({"ServerSideEncryptionConfiguration": {"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}, "BucketKeyEnabled": true}
    ]}});
    calls.push(archive("s3api get-bucket-encryption", BUCKET, encryption));
    calls.push(archive("s3api get-bucket-policy", BUCKET, as_text(&bucket_policy())));
    calls.push(archive("s3api get-bucket-versioning", BUCKET, json!({"Status": "Enabled"})));
    let block = json!({"PublicAccessBlockConfiguration": {
        "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true
    }});
    calls.push(archive("s3api get-public-access-block", BUCKET, block));
    calls.push(archive("kms describe-key", KEY_ID, json!({"KeyMetadata": {
        "AWSAccountId": ARCHIVE, "KeyId": KEY_ID, "Arn": KEY, "Enabled": true, "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT", "MultiRegion": false
    }})));
    calls.push(archive("kms get-key-policy", KEY_ID, as_text(&key_policy())));
    let rotation = json!({"KeyId": KEY, "KeyRotationEnabled": true, "RotationPeriodInDays": 365});
    calls.push(archive("kms get-key-rotation-status", KEY_ID, rotation));
    calls.push(archive("kms list-grants", KEY_ID, json!({"Grants": [], "Truncated": false})));
    let tags = json!({"Tags": [{"TagKey": "Owner", "TagValue": "security"}], "Truncated": false});
    calls.push(archive("kms list-resource-tags", KEY_ID, tags));
    calls
}

fn status(is_logging: bool) -> Value {
    json!({"IsLogging": is_logging, "LatestDeliveryTime": "2026-11-01T11:54:00+00:00",
        "LatestDigestDeliveryTime": 1_793_532_000, "StartLoggingTime": 1_714_726_800.5})
}

/// The name of a file that stands for a parameter.
fn encoded(parameter: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    parameter
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

impl Call {
    fn path(&self, root: &Path) -> PathBuf {
        let (service, name) = self.command.split_once(' ').unwrap();
        let folder = root.join(&self.account).join(&self.region).join(service);
        let ending = if self.answer.is_ok() { "json" } else { "error.txt" };
        match &self.parameter {
            Some(parameter) => folder.join(name).join(format!("{}.{ending}", encoded(parameter))),
            None => folder.join(format!("{name}.{ending}")),
        }
    }

    fn text(&self) -> String {
        match &self.answer {
            Ok(output) => serde_json::to_string_pretty(output).unwrap(),
            Err(code) => format!("\nAn error occurred ({code}) when calling the Operation operation: no\n"),
        }
    }

    fn line(&self) -> String {
        self.line_at(Some(AT))
    }

    /// At a time, or without one.
    fn line_at(&self, at: Option<&str>) -> String {
        let (said, value) = match &self.answer {
            Ok(output) => ("output", output.clone()),
            Err(code) => ("error", json!({"code": code})),
        };
        let mut parameters = self.parameter.as_ref().map_or(json!({}), |parameter| json!({"name": parameter}));
        if let Some(owner) = self.expected_owner {
            parameters["expected-bucket-owner"] = json!(owner);
        }
        let mut line =
            json!({"account": self.account, "region": self.region, "command": self.command, "parameters": parameters});
        line[said] = value;
        if let Some(at) = at {
            line["at"] = json!(at);
        }
        line.to_string()
    }
}

/// A tree as the script makes it; files in it may be damaged afterwards.
fn write_tree(root: &Path, calls: &[Call]) {
    fs::create_dir_all(root).unwrap();
    fs::write(root.join("export.json"), json!({"started": AT, "finished": "2026-11-01T12:10:00Z"}).to_string())
        .unwrap();
    for call in calls {
        let path = call.path(root);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, call.text()).unwrap();
    }
}

fn write_lines(file: &Path, calls: &[Call]) {
    let lines: String = calls.iter().map(|call| format!("{}\n", call.line())).collect();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, lines).unwrap();
}

/// A look that was taken.
struct Looked {
    ran: Ran,
    out: PathBuf,
}

type Rows = BTreeMap<(String, String), BTreeMap<String, String>>;

/// Each look has a folder of its own.
static LOOKS: AtomicUsize = AtomicUsize::new(0);

impl Looked {
    fn at(desk: &Desk, exports: &[&Path], policy: &str, args: &[&str]) -> Self {
        let (file, out) = (
            desk.file("settings.toml", policy),
            desk.path(&format!("looked-{}", LOOKS.fetch_add(1, Ordering::Relaxed))),
        );
        let mut command = command();
        command.arg("settings").args(exports).arg("--policy").arg(file).arg("--out").arg(&out);
        command.args(["--force", "--no-progress", "--as-of", AS_OF]).args(args);
        let ran = command.output().unwrap().into();
        desk.check_result(&out);
        Self { ran, out }
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.out.join(file)).unwrap_or_else(|error| panic!("{file}: {error}: {:?}", self.ran))
    }

    fn summary(&self) -> Value {
        serde_json::from_str(&self.text("summary.json")).unwrap()
    }

    fn rows(&self) -> Rows {
        let text = self.text("settings.csv");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let row = |record: csv::ByteRecord| -> BTreeMap<String, String> {
            let cell = |cell: &[u8]| String::from_utf8(decode_cell(cell)).unwrap();
            names.iter().cloned().zip(record.iter().map(cell)).collect()
        };
        let rows = reader.byte_records().map(|record| row(record.unwrap()));
        let mut found = Rows::new();
        for row in rows {
            let before = found.insert((row["resource"].clone(), row["check"].clone()), row);
            assert!(before.is_none(), "two rows of one resource and check: {before:?}");
        }
        found
    }

    /// What was concluded of each resource and check.
    fn verdicts(&self) -> BTreeMap<(String, String), (String, String)> {
        let verdict = |row: BTreeMap<String, String>| (row["verdict"].clone(), row["reason"].clone());
        self.rows().into_iter().map(|(of, row)| (of, verdict(row))).collect()
    }

    fn fault_names(&self) -> Vec<String> {
        let name = |line: &str| serde_json::from_str::<Value>(line).unwrap()["what"].as_str().unwrap().to_owned();
        self.text("faults.jsonl").lines().map(name).collect()
    }

    #[track_caller]
    fn assert_row(&self, resource: &str, check: &str, verdict: &str, reason: &str) {
        let rows = self.rows();
        let row =
            rows.get(&(resource.to_owned(), check.to_owned())).unwrap_or_else(|| panic!("no row {resource} {check}"));
        assert_eq!((row["verdict"].as_str(), row["reason"].as_str()), (verdict, reason), "{resource} {check}: {row:?}");
    }
}

fn look_at_lines(desk: &Desk, calls: &[Call], policy: &str) -> Looked {
    let file = desk.path("export.ndjson");
    write_lines(&file, calls);
    Looked::at(desk, &[&file], policy, &[])
}

/// The answer of one call, to change it.
fn answer<'c>(calls: &'c mut [Call], command: &str) -> &'c mut Value {
    let call = calls.iter_mut().find(|call| call.command == command).unwrap();
    call.answer.as_mut().unwrap()
}

fn statements(policy: &mut Value) -> &mut Vec<Value> {
    policy["Statement"].as_array_mut().unwrap()
}

fn change_trails(calls: &mut [Call], change: impl Fn(&mut Value)) {
    for call in calls.iter_mut().filter(|call| call.command == "cloudtrail describe-trails") {
        call.answer.as_mut().unwrap()["trailList"].as_array_mut().unwrap().iter_mut().for_each(&change);
    }
}

fn change_key_policy(calls: &mut [Call], change: impl FnOnce(&mut Value)) {
    let mut policy = key_policy();
    change(&mut policy);
    *answer(calls, "kms get-key-policy") = as_text(&policy);
}

fn change_bucket_policy(calls: &mut [Call], change: impl FnOnce(&mut Value)) {
    let mut policy = bucket_policy();
    change(&mut policy);
    *answer(calls, "s3api get-bucket-policy") = as_text(&policy);
}

fn nothing_is_blocked_for_the_account(calls: &mut Vec<Call>) {
    let asked = call(ARCHIVE, "us-east-1", "s3control get-public-access-block", Some(ARCHIVE), json!({}));
    calls.push(Call { answer: Err("NoSuchPublicAccessBlockConfiguration".into()), ..asked });
}

fn refuse(calls: &mut [Call], command: &str) {
    for call in calls.iter_mut().filter(|call| call.command == command) {
        call.answer = Err("AccessDenied".into());
    }
}

#[test]
fn an_organisation_in_which_nothing_is_wrong_passes() {
    let desk = Desk::new();
    write_tree(&desk.path("tree"), &organisation());
    let tree = Looked::at(&desk, &[&desk.path("tree")], POLICY, &[]);
    assert_eq!((tree.ran.code, tree.text("faults.jsonl").as_str()), (Some(0), ""), "{:?}", tree.ran);
    assert!(tree.ran.stdout.starts_with("PASS  "), "{}", tree.ran.stdout);
    let summary = tree.summary();
    assert_eq!(summary["outcome"], "pass");
    assert_eq!((&summary["kpi"]["trails"], &summary["kpi"]["trails_compliant"]), (&json!(1), &json!(1)));
    assert_eq!(summary["coverage"]["accounts"], json!({"listed": 3, "exported": 3, "covered": 3}));
    assert_eq!(summary["decrypt"][KEY], json!({"exact": 1, "conditional": 0, "unknown": 0}));
    let judged: Vec<_> = tree.verdicts().into_values().map(|(verdict, _)| verdict).collect();
    assert!(judged.iter().all(|verdict| verdict == "compliant" || verdict == "out_of_scope"), "{judged:?}");
    // The same facts in another form are the same rows.
    let of_tree = tree.verdicts();
    assert_eq!(look_at_lines(&desk, &organisation(), POLICY).verdicts(), of_tree);
    // Every row that is compliant names what it rests on.
    for (of, row) in tree.rows().into_iter().filter(|(_, row)| row["verdict"] == "compliant") {
        assert!(!row["source"].is_empty() && !row["observed_at"].is_empty(), "{of:?}");
    }
}

/// What is changed, and the row that then says so.
type Case = (&'static str, fn(&mut Vec<Call>), &'static str, &'static str, &'static str, &'static str);

const BUCKET_NAME: &str = "s3://audit-logs";
const CASES: &[Case] = &[
    (
        "no key",
        |calls| change_trails(calls, |trail| drop(trail.as_object_mut().unwrap().remove("KmsKeyId"))),
        TRAIL,
        "trail.kms",
        "violation",
        "no_kms_key",
    ),
    (
        "an empty key",
        |calls| change_trails(calls, |trail| trail["KmsKeyId"] = json!("")),
        TRAIL,
        "trail.kms",
        "violation",
        "no_kms_key",
    ),
    (
        "another key",
        |calls| change_trails(calls, |trail| trail["KmsKeyId"] = json!(KEY.replace("0aaa", "0bbb"))),
        TRAIL,
        "trail.kms",
        "violation",
        "key_not_allowed",
    ),
    (
        "an alias that nobody knows",
        |calls| change_trails(calls, |trail| trail["KmsKeyId"] = json!("alias/logs")),
        TRAIL,
        "trail.kms",
        "undetermined",
        "key_alias_unresolved",
    ),
    (
        "one account that is there and gone in one answer",
        |calls| {
            let accounts = &mut answer(calls, "organizations list-accounts")["Accounts"];
            let gone = json!({"Id": ACCOUNTS[2], "Status": "SUSPENDED"});
            accounts.as_array_mut().unwrap().push(gone);
        },
        "organization",
        "account.list_known",
        "undetermined",
        "accounts_not_exported",
    ),
    (
        "another account that is told, last, that there is no lock",
        |calls| {
            let code = "ObjectLockConfigurationNotFoundError".to_owned();
            let told = call(ACCOUNTS[2], "us-east-1", "s3api get-object-lock-configuration", Some(BUCKET), json!({}));
            calls.push(Call { answer: Err(code), ..told });
        },
        TRAIL,
        "trail.destination",
        "undetermined",
        "bucket_not_exported",
    ),
    (
        "a bucket that is somebody else's by what S3 was asked",
        |calls| {
            let asked =
                call(ARCHIVE, "us-east-1", "s3api get-bucket-versioning", Some(BUCKET), json!({"Status": "Enabled"}));
            calls.push(Call { expected_owner: Some("999999999999"), ..asked });
        },
        TRAIL,
        "trail.destination",
        "violation",
        "destination_not_allowed",
    ),
    (
        "a bucket that S3 knows as another owner's",
        |calls| {
            let listed = json!({"Owner": {"ID": "aaaa"}, "Buckets": [{"Name": BUCKET}]});
            calls.push(call(ARCHIVE, "us-east-1", "s3api list-buckets", None, listed));
            let list = json!({"Owner": {"ID": "bbbb"}, "Grants": []});
            calls.push(call(ARCHIVE, "us-east-1", "s3api get-bucket-acl", Some(BUCKET), list));
        },
        TRAIL,
        "trail.destination",
        "undetermined",
        "bucket_not_exported",
    ),
    (
        "a bucket that is listed in another Region",
        |calls| {
            let listed = json!({"Buckets": [{"Name": BUCKET, "BucketRegion": "eu-west-1"}]});
            calls.push(call(ARCHIVE, "us-east-1", "s3api list-buckets", None, listed));
        },
        TRAIL,
        "trail.key_region",
        "undetermined",
        "sources_disagree",
    ),
    (
        "an account that says it is in another organisation",
        |calls| {
            let another = json!({"Organization": {"Id": "o-another11111", "MasterAccountId": "999999999999"}});
            calls.push(call(MEMBER, "us-east-1", "organizations describe-organization", None, another));
        },
        "account:333333333333",
        "account.covered",
        "undetermined",
        "trails_absent",
    ),
    (
        "an account that another organisation lists, too",
        |calls| {
            let another = json!({"Accounts": [{"Id": "999999999999"}, {"Id": MEMBER}]});
            calls.push(call("999999999999", "us-east-1", "organizations list-accounts", None, another));
        },
        "account:333333333333",
        "account.covered",
        "undetermined",
        "trails_absent",
    ),
    (
        "a grant of an operation that nobody knows",
        |calls| answer(calls, "kms list-grants")["Grants"] = json!([{"KeyId": KEY, "GrantId": "g", "GranteePrincipal": "arn:aws:iam::222222222222:role/x", "Operations": ["decrypt"]}]),
        KEY,
        "key.decrypt_scope",
        "undetermined",
        "grant_operation_unknown",
    ),
    (
        "a grant for disks",
        |calls| answer(calls, "kms list-grants")["Grants"] = json!([{"KeyId": KEY, "GrantId": "g", "GranteePrincipal": "arn:aws:iam::222222222222:role/x", "Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"aws:ebs:id": "vol-1"}}}]),
        KEY,
        "key.decrypt_scope",
        "compliant",
        "",
    ),
    (
        "a grant for objects of a bucket",
        |calls| answer(calls, "kms list-grants")["Grants"] = json!([{"KeyId": KEY, "GrantId": "g", "GranteePrincipal": "arn:aws:iam::222222222222:role/x", "Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"aws:s3:arn": "arn:aws:s3:::audit-logs"}}}]),
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_grant_not_allowed",
    ),
    (
        "a key that somebody unknown manages",
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["KeyManager"] = json!("FOO"),
        KEY,
        "key.state",
        "undetermined",
        "key_metadata_incomplete",
    ),
    (
        "a key of a kind that nobody knows",
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["KeySpec"] = json!("NEW_256"),
        KEY,
        "key.state",
        "undetermined",
        "key_metadata_incomplete",
    ),
    (
        "public by its policy, and nobody asked what blocks that",
        |calls| {
            refuse(calls, "s3api get-public-access-block");
            change_bucket_policy(calls, |policy| {
                statements(policy).push(json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*")}))
            });
        },
        BUCKET_NAME,
        "bucket.public",
        "undetermined",
        "public_access_block_absent",
    ),
    (
        "a list that names a group that nobody knows",
        |calls| {
            refuse(calls, "s3api get-public-access-block");
            let list = json!({"Grants": [{"Grantee": {"URI": "http://acs.amazonaws.com/groups/global/All"}, "Permission": "READ"}]});
            calls.push(call(ARCHIVE, "us-east-1", "s3api get-bucket-acl", Some(BUCKET), list));
        },
        BUCKET_NAME,
        "bucket.public",
        "undetermined",
        "acl_group_unknown",
    ),
    (
        "TLS for all actions of S3 by what is left out",
        |calls| {
            change_bucket_policy(calls, |policy| {
                let statement = policy["Statement"][3].as_object_mut().unwrap();
                statement.remove("Action");
                statement.insert("NotAction".into(), json!("iam:*"));
            })
        },
        BUCKET_NAME,
        "bucket.tls",
        "compliant",
        "",
    ),
    (
        "TLS for all actions but one",
        |calls| {
            change_bucket_policy(calls, |policy| {
                let statement = policy["Statement"][3].as_object_mut().unwrap();
                statement.remove("Action");
                statement.insert("NotAction".into(), json!(["iam:*", "s3:DeleteObject"]));
            })
        },
        BUCKET_NAME,
        "bucket.tls",
        "violation",
        "tls_not_required",
    ),
    (
        "selectors with a field that nobody knows",
        |calls| *answer(calls, "cloudtrail get-event-selectors") = json!({"TrailARN": TRAIL, "AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "mood", "Equals": ["good"]}]}]}),
        TRAIL,
        "trail.management_events",
        "undetermined",
        "condition_unknown",
    ),
    (
        "what such selectors cover",
        |calls| *answer(calls, "cloudtrail get-event-selectors") = json!({"TrailARN": TRAIL, "AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "mood", "Equals": ["good"]}]}]}),
        "account:111111111111",
        "account.covered",
        "undetermined",
        "condition_unknown",
    ),
    (
        "selectors of reads and of writes at once",
        |calls| *answer(calls, "cloudtrail get-event-selectors") = json!({"TrailARN": TRAIL, "AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "readOnly", "Equals": ["true", "false"]}]}]}),
        TRAIL,
        "trail.management_events",
        "compliant",
        "",
    ),
    (
        "a better answer about another trail",
        |calls| {
            let trails = &answer(calls, "cloudtrail describe-trails")["trailList"];
            let better = json!({ "Trail": trails[0].clone() });
            change_trails(calls, |trail| trail["LogFileValidationEnabled"] = json!(false));
            calls.push(call(MANAGEMENT, "us-east-1", "cloudtrail get-trail", Some("other"), better));
        },
        TRAIL,
        "trail.validation",
        "violation",
        "validation_off",
    ),
    (
        "no digests",
        |calls| change_trails(calls, |trail| trail["LogFileValidationEnabled"] = json!(false)),
        TRAIL,
        "trail.validation",
        "violation",
        "validation_off",
    ),
    (
        "one Region",
        |calls| change_trails(calls, |trail| trail["IsMultiRegionTrail"] = json!(false)),
        TRAIL,
        "trail.multi_region",
        "violation",
        "single_region",
    ),
    (
        "one Region covers no other",
        |calls| change_trails(calls, |trail| trail["IsMultiRegionTrail"] = json!(false)),
        "account:333333333333",
        "account.covered",
        "violation",
        "region_not_covered",
    ),
    (
        "another bucket",
        |calls| change_trails(calls, |trail| trail["S3BucketName"] = json!("elsewhere")),
        TRAIL,
        "trail.destination",
        "violation",
        "destination_not_allowed",
    ),
    (
        "stopped",
        |calls| *answer(calls, "cloudtrail get-trail-status") = status(false),
        TRAIL,
        "trail.logging",
        "violation",
        "not_logging",
    ),
    (
        "stopped covers nobody",
        |calls| *answer(calls, "cloudtrail get-trail-status") = status(false),
        "account:222222222222",
        "account.covered",
        "violation",
        "no_logging_trail",
    ),
    (
        "an error of delivery",
        |calls| answer(calls, "cloudtrail get-trail-status")["LatestDeliveryError"] = json!("NoSuchBucket"),
        TRAIL,
        "trail.delivery",
        "violation",
        "delivery_error",
    ),
    (
        "an error of digests",
        |calls| answer(calls, "cloudtrail get-trail-status")["LatestDigestDeliveryError"] = json!("AccessDenied"),
        TRAIL,
        "trail.delivery",
        "violation",
        "digest_delivery_error",
    ),
    (
        "an old delivery",
        |calls| answer(calls, "cloudtrail get-trail-status")["LatestDeliveryTime"] = json!("2026-10-30T11:00:00Z"),
        TRAIL,
        "trail.delivery",
        "violation",
        "delivery_stale",
    ),
    (
        "never delivered",
        |calls| {
            drop(answer(calls, "cloudtrail get-trail-status").as_object_mut().unwrap().remove("LatestDeliveryTime"))
        },
        TRAIL,
        "trail.delivery",
        "violation",
        "delivery_stale",
    ),
    (
        "writes only",
        |calls| {
            answer(calls, "cloudtrail get-event-selectors")["EventSelectors"][0]["ReadWriteType"] = json!("WriteOnly")
        },
        TRAIL,
        "trail.management_events",
        "violation",
        "events_not_all",
    ),
    (
        "no events of KMS",
        |calls| {
            answer(calls, "cloudtrail get-event-selectors")["EventSelectors"][0]["ExcludeManagementEventSources"] =
                json!(["kms.amazonaws.com"])
        },
        TRAIL,
        "trail.management_events",
        "violation",
        "kms_events_excluded",
    ),
    (
        "no management events",
        |calls| {
            answer(calls, "cloudtrail get-event-selectors")["EventSelectors"][0]["IncludeManagementEvents"] =
                json!(false)
        },
        TRAIL,
        "trail.management_events",
        "violation",
        "events_not_all",
    ),
    (
        "no management events cover nobody",
        |calls| {
            answer(calls, "cloudtrail get-event-selectors")["EventSelectors"][0]["IncludeManagementEvents"] =
                json!(false)
        },
        "account:333333333333",
        "account.covered",
        "violation",
        "no_logging_trail",
    ),
    (
        "advanced selectors of all",
        |calls| *answer(calls, "cloudtrail get-event-selectors") = json!({"TrailARN": TRAIL, "AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]}),
        TRAIL,
        "trail.management_events",
        "compliant",
        "",
    ),
    (
        "advanced selectors of one name",
        |calls| *answer(calls, "cloudtrail get-event-selectors") = json!({"TrailARN": TRAIL, "AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "eventName", "Equals": ["X"]}]}]}),
        TRAIL,
        "trail.management_events",
        "violation",
        "events_not_all",
    ),
    (
        "advanced selectors in two halves",
        |calls| *answer(calls, "cloudtrail get-event-selectors") = json!({"TrailARN": TRAIL, "AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "readOnly", "Equals": ["true"]}]}, {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "readOnly", "Equals": ["false"]}]}]}),
        TRAIL,
        "trail.management_events",
        "compliant",
        "",
    ),
    (
        "a key that is off",
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["KeyState"] = json!("Disabled"),
        KEY,
        "key.state",
        "violation",
        "key_disabled",
    ),
    (
        "a key that will be deleted",
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["KeyState"] = json!("PendingDeletion"),
        TRAIL,
        "trail.key_usable",
        "violation",
        "key_pending_deletion",
    ),
    (
        "a state of tomorrow",
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["KeyState"] = json!("Sleeping"),
        KEY,
        "key.state",
        "undetermined",
        "key_state_unknown",
    ),
    (
        "an asymmetric key",
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["KeySpec"] = json!("RSA_2048"),
        KEY,
        "key.state",
        "violation",
        "key_not_symmetric",
    ),
    (
        "a key of AWS",
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["KeyManager"] = json!("AWS"),
        KEY,
        "key.state",
        "violation",
        "key_aws_managed",
    ),
    (
        "a key of an unknown origin that is not rotated",
        |calls| {
            answer(calls, "kms describe-key")["KeyMetadata"]["Origin"] = json!("FOO");
            answer(calls, "kms get-key-rotation-status")["KeyRotationEnabled"] = json!(false);
        },
        KEY,
        "key.rotation",
        "violation",
        "rotation_off",
    ),
    (
        "an imported key",
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["Origin"] = json!("EXTERNAL"),
        KEY,
        "key.rotation",
        "out_of_scope",
        "rotation_not_supported",
    ),
    (
        "no rotation",
        |calls| answer(calls, "kms get-key-rotation-status")["KeyRotationEnabled"] = json!(false),
        KEY,
        "key.rotation",
        "violation",
        "rotation_off",
    ),
    (
        "rare rotation",
        |calls| answer(calls, "kms get-key-rotation-status")["RotationPeriodInDays"] = json!(2560),
        KEY,
        "key.rotation",
        "violation",
        "rotation_period_too_long",
    ),
    (
        "no tag",
        |calls| answer(calls, "kms list-resource-tags")["Tags"] = json!([]),
        KEY,
        "key.tags",
        "violation",
        "tag_missing",
    ),
    (
        "half of the tags",
        |calls| *answer(calls, "kms list-resource-tags") = json!({"Tags": [], "Truncated": true}),
        KEY,
        "key.tags",
        "undetermined",
        "tags_absent",
    ),
    (
        "a bucket in another Region",
        |calls| *answer(calls, "s3api get-bucket-location") = json!({"LocationConstraint": "EU"}),
        TRAIL,
        "trail.key_region",
        "violation",
        "key_region_mismatch",
    ),
    (
        "nothing allows to encrypt",
        |calls| change_key_policy(calls, |policy| drop(statements(policy).remove(1))),
        TRAIL,
        "trail.key_encrypt",
        "violation",
        "encrypt_not_allowed",
    ),
    (
        "nothing allows to describe",
        |calls| change_key_policy(calls, |policy| drop(statements(policy).remove(2))),
        TRAIL,
        "trail.key_describe",
        "violation",
        "describe_not_allowed",
    ),
    (
        "the context of another account",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][1]["Condition"]["StringLike"] =
                    json!({"kms:EncryptionContext:aws:cloudtrail:arn": "arn:aws:cloudtrail:*:999999999999:trail/*"})
            })
        },
        TRAIL,
        "trail.key_encrypt",
        "violation",
        "encrypt_not_allowed",
    ),
    (
        "whoever is not of the organisation is denied",
        |calls| {
            change_key_policy(calls, |policy| {
                statements(policy).push(json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-example11111"}}}))
            })
        },
        TRAIL,
        "trail.key_encrypt",
        "violation",
        "encrypt_denied",
    ),
    (
        "a condition of tomorrow",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][1]["Condition"]["StringEquals"]["aws:SomethingNew"] = json!("x")
            })
        },
        TRAIL,
        "trail.key_encrypt",
        "undetermined",
        "condition_unknown",
    ),
    (
        "encrypting for everybody",
        |calls| {
            change_key_policy(calls, |policy| drop(policy["Statement"][1].as_object_mut().unwrap().remove("Condition")))
        },
        KEY,
        "key.encrypt_scope",
        "violation",
        "no_source_condition",
    ),
    (
        "everybody decrypts",
        |calls| change_key_policy(calls, |policy| policy["Statement"][3]["Principal"] = json!("*")),
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_public",
    ),
    (
        "everybody of an account decrypts",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][3]["Principal"] = json!("*");
                policy["Statement"][3]["Condition"] = json!({"StringEquals": {"kms:CallerAccount": ARCHIVE}});
            })
        },
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_whole_account",
    ),
    (
        "an organisation decrypts",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][3]["Principal"] = json!("*");
                policy["Statement"][3]["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": "o-example11111"}});
            })
        },
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_whole_organization",
    ),
    (
        "another account decrypts",
        |calls| change_key_policy(calls, |policy| policy["Statement"][3]["Principal"] = json!({"AWS": "999999999999"})),
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_account_not_allowed",
    ),
    (
        "another role decrypts",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][3]["Principal"] = json!({"AWS": "arn:aws:iam::222222222222:role/developer"})
            })
        },
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_principal_not_allowed",
    ),
    (
        "IAM decides",
        |calls| change_key_policy(calls, |policy| policy["Statement"][0]["Action"] = json!("kms:*")),
        KEY,
        "key.decrypt_scope",
        "undetermined",
        "iam_decides",
    ),
    (
        "nearly nobody decrypts",
        |calls| {
            change_key_policy(calls, |policy| {
                let read = policy["Statement"][3].as_object_mut().unwrap();
                read.remove("Principal");
                read.insert("NotPrincipal".into(), json!({"AWS": "arn:aws:iam::333333333333:root"}));
            })
        },
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_not_principal",
    ),
    (
        "a role that is gone",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][3]["Principal"] = json!({"AWS": "AROAEXAMPLEEXAMPLE123"})
            })
        },
        KEY,
        "key.decrypt_scope",
        "undetermined",
        "principal_unresolved",
    ),
    (
        "re-encrypting is decrypting",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][3]["Principal"] = json!({"AWS": "arn:aws:iam::222222222222:role/developer"});
                policy["Statement"][3]["Action"] = json!("kms:ReEncrypt*");
            })
        },
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_principal_not_allowed",
    ),
    (
        "a grant",
        |calls| *answer(calls, "kms list-grants") = json!({"Grants": [{"GrantId": "g", "GranteePrincipal": "arn:aws:iam::222222222222:role/developer", "Operations": ["Decrypt"]}], "Truncated": false}),
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_grant_not_allowed",
    ),
    (
        "half of the grants",
        |calls| *answer(calls, "kms list-grants") = json!({"Grants": [], "Truncated": true}),
        KEY,
        "key.decrypt_scope",
        "undetermined",
        "grants_absent",
    ),
    (
        "a policy that is none",
        |calls| *answer(calls, "kms get-key-policy") = json!({"Policy": "{"}),
        KEY,
        "key.decrypt_scope",
        "undetermined",
        "key_policy_unreadable",
    ),
    (
        "a name twice in a policy",
        |calls| *answer(calls, "kms get-key-policy") = json!({"Policy": key_policy().to_string().replacen("\"Sid\":\"Read\"", "\"Sid\":\"Read\",\"Sid\":\"Read\"", 1)}),
        TRAIL,
        "trail.key_encrypt",
        "undetermined",
        "key_policy_unreadable",
    ),
    (
        "no bucket policy",
        |calls| {
            refuse(calls, "s3api get-bucket-policy");
            calls.iter_mut().find(|call| call.command == "s3api get-bucket-policy").unwrap().answer =
                Err("NoSuchBucketPolicy".into());
        },
        TRAIL,
        "trail.bucket_write",
        "violation",
        "write_not_allowed",
    ),
    (
        "nothing allows to look at the list",
        |calls| change_bucket_policy(calls, |policy| drop(statements(policy).remove(0))),
        TRAIL,
        "trail.bucket_write",
        "violation",
        "acl_check_not_allowed",
    ),
    (
        "not into the folder of the organisation",
        |calls| change_bucket_policy(calls, |policy| drop(statements(policy).remove(2))),
        TRAIL,
        "trail.bucket_write",
        "violation",
        "write_not_allowed",
    ),
    (
        "a prefix that the policy does not know",
        |calls| change_trails(calls, |trail| trail["S3KeyPrefix"] = json!("logs")),
        TRAIL,
        "trail.bucket_write",
        "violation",
        "write_not_allowed",
    ),
    (
        "unencrypted writes are denied",
        |calls| {
            change_bucket_policy(calls, |policy| {
                statements(policy).push(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*"), "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}))
            })
        },
        TRAIL,
        "trail.bucket_write",
        "undetermined",
        "condition_unknown",
    ),
    (
        "CloudTrail is denied",
        |calls| {
            change_bucket_policy(calls, |policy| {
                statements(policy).push(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*")}))
            })
        },
        TRAIL,
        "trail.bucket_write",
        "violation",
        "write_denied",
    ),
    (
        "the trails of everybody",
        |calls| {
            change_bucket_policy(calls, |policy| {
                drop(
                    policy["Statement"][1]["Condition"]["StringEquals"]
                        .as_object_mut()
                        .unwrap()
                        .remove("aws:SourceArn"),
                )
            })
        },
        BUCKET_NAME,
        "bucket.write_scope",
        "violation",
        "no_source_condition",
    ),
    (
        "without TLS",
        |calls| change_bucket_policy(calls, |policy| drop(statements(policy).pop())),
        BUCKET_NAME,
        "bucket.tls",
        "violation",
        "tls_not_required",
    ),
    (
        "TLS for one role",
        |calls| {
            change_bucket_policy(calls, |policy| {
                policy["Statement"][3]["Principal"] = json!({"AWS": "arn:aws:iam::222222222222:role/x"})
            })
        },
        BUCKET_NAME,
        "bucket.tls",
        "violation",
        "tls_not_required",
    ),
    (
        "TLS for objects",
        |calls| {
            change_bucket_policy(calls, |policy| {
                policy["Statement"][3]["Resource"] = json!(format!("arn:aws:s3:::{BUCKET}/*"))
            })
        },
        BUCKET_NAME,
        "bucket.tls",
        "violation",
        "tls_not_required",
    ),
    (
        "the default of S3",
        |calls| {
            answer(calls, "s3api get-bucket-encryption")["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"] =
                json!({"SSEAlgorithm": "AES256"})
        },
        BUCKET_NAME,
        "bucket.default_encryption",
        "violation",
        "default_method_not_allowed",
    ),
    (
        "the key of AWS",
        |calls| {
            answer(calls, "s3api get-bucket-encryption")["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"] =
                json!({"SSEAlgorithm": "aws:kms"})
        },
        BUCKET_NAME,
        "bucket.default_encryption",
        "violation",
        "default_key_not_allowed",
    ),
    (
        "a bare alias",
        |calls| {
            answer(calls, "s3api get-bucket-encryption")["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
                ["KMSMasterKeyID"] = json!("alias/logs")
        },
        BUCKET_NAME,
        "bucket.default_encryption",
        "undetermined",
        "key_alias_ambiguous",
    ),
    (
        "versions are not kept",
        |calls| *answer(calls, "s3api get-bucket-versioning") = json!({"Status": "Suspended"}),
        BUCKET_NAME,
        "bucket.versioning",
        "violation",
        "versioning_off",
    ),
    (
        "versions were never kept",
        |calls| *answer(calls, "s3api get-bucket-versioning") = json!({}),
        BUCKET_NAME,
        "bucket.versioning",
        "violation",
        "versioning_off",
    ),
    (
        "public by its policy",
        |calls| {
            nothing_is_blocked_for_the_account(calls);
            *answer(calls, "s3api get-public-access-block") =
                json!({"PublicAccessBlockConfiguration": {"IgnorePublicAcls": true}});
            change_bucket_policy(calls, |policy| {
                statements(policy).push(json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*")}))
            });
        },
        BUCKET_NAME,
        "bucket.public",
        "violation",
        "public_policy",
    ),
    (
        "perhaps public by its list",
        |calls| {
            *answer(calls, "s3api get-public-access-block") =
                json!({"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": true}})
        },
        BUCKET_NAME,
        "bucket.public",
        "undetermined",
        "acl_absent",
    ),
    (
        "an account that nobody exported",
        |calls| calls.retain(|call| call.account != MEMBER),
        "account:333333333333",
        "account.trails_known",
        "undetermined",
        "account_not_exported",
    ),
    (
        "which the trail of the organisation covers",
        |calls| calls.retain(|call| call.account != MEMBER),
        "account:333333333333",
        "account.covered",
        "compliant",
        "",
    ),
    (
        "a Region that nobody exported",
        |calls| calls.retain(|call| call.account != MEMBER || call.region != "eu-west-1"),
        "account:333333333333",
        "account.trails_known",
        "undetermined",
        "region_not_exported",
    ),
    (
        "no trail",
        |calls| {
            for call in calls.iter_mut().filter(|call| call.command == "cloudtrail describe-trails") {
                call.answer = Ok(json!({"trailList": []}));
            }
            calls.retain(|call| !call.command.starts_with("cloudtrail get-"));
        },
        "account:333333333333",
        "account.covered",
        "violation",
        "no_logging_trail",
    ),
    (
        "more trails than are there",
        |calls| {
            for call in
                calls.iter_mut().filter(|call| call.account == MEMBER && call.command == "cloudtrail describe-trails")
            {
                call.answer.as_mut().unwrap()["NextToken"] = json!("x");
            }
        },
        "account:333333333333",
        "account.trails_known",
        "undetermined",
        "trails_incomplete",
    ),
    (
        "an account that is closed",
        |calls| {
            answer(calls, "organizations list-accounts")["Accounts"][2]["Status"] = json!("SUSPENDED");
            calls.retain(|call| call.account != MEMBER);
        },
        "organization",
        "account.list_known",
        "compliant",
        "",
    ),
    (
        "the trail is of the account alone",
        |calls| change_trails(calls, |trail| trail["IsOrganizationTrail"] = json!(false)),
        "account:111111111111",
        "account.covered",
        "compliant",
        "",
    ),
    (
        "no events of global services",
        |calls| change_trails(calls, |trail| trail["IncludeGlobalServiceEvents"] = json!(false)),
        TRAIL,
        "trail.management_events",
        "violation",
        "events_not_all",
    ),
    (
        "old digests",
        |calls| {
            answer(calls, "cloudtrail get-trail-status")["LatestDigestDeliveryTime"] = json!("2026-10-01T00:00:00Z")
        },
        TRAIL,
        "trail.delivery",
        "violation",
        "delivery_stale",
    ),
    (
        "an error in another Region",
        |calls| {
            let mut status = status(true);
            status["LatestDeliveryError"] = json!("AccessDenied");
            calls.push(call(MANAGEMENT, "eu-west-1", "cloudtrail get-trail-status", Some(TRAIL), status));
        },
        TRAIL,
        "trail.delivery",
        "violation",
        "delivery_error",
    ),
    (
        "material that has expired",
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["ValidTo"] = json!("2026-11-01T13:00:00Z"),
        KEY,
        "key.state",
        "violation",
        "key_unavailable",
    ),
    (
        "TLS for some actions",
        |calls| {
            change_bucket_policy(calls, |policy| {
                policy["Statement"][3]["Action"] = json!(["s3:GetObject", "s3:PutObject", "s3:ListBucket"])
            })
        },
        BUCKET_NAME,
        "bucket.tls",
        "violation",
        "tls_not_required",
    ),
    (
        "half of all addresses, twice",
        |calls| {
            nothing_is_blocked_for_the_account(calls);
            *answer(calls, "s3api get-public-access-block") =
                json!({"PublicAccessBlockConfiguration": {"IgnorePublicAcls": true}});
            change_bucket_policy(calls, |policy| {
                statements(policy).push(json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*"), "Condition": {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}}))
            });
        },
        BUCKET_NAME,
        "bucket.public",
        "violation",
        "public_policy",
    ),
    (
        "the roots of all accounts",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][3]["Principal"] = json!("*");
                policy["Statement"][3]["Condition"] = json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:root"}});
            })
        },
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_principal_not_allowed",
    ),
    (
        "a service by a grant",
        |calls| *answer(calls, "kms list-grants") = json!({"Grants": [{"GrantId": "g", "GranteePrincipal": "arn:aws:iam::222222222222:role/security-x", "GranteeServicePrincipal": "x.amazonaws.com", "Operations": ["Decrypt"]}], "Truncated": false}),
        KEY,
        "key.decrypt_scope",
        "violation",
        "decrypt_grant_not_allowed",
    ),
    (
        "a Region that does not show the trail",
        |calls| {
            for call in calls.iter_mut().filter(|call| {
                call.account == MEMBER && call.region == "eu-west-1" && call.command == "cloudtrail describe-trails"
            }) {
                call.answer = Ok(json!({"trailList": []}));
            }
        },
        "account:333333333333",
        "account.covered",
        "undetermined",
        "sources_disagree",
    ),
    (
        "an organisation that nobody described",
        |calls| calls.retain(|call| !call.command.ends_with("describe-organization")),
        TRAIL,
        "trail.kms",
        "compliant",
        "",
    ),
    (
        "switched off in another Region",
        |calls| calls.push(call(MANAGEMENT, "eu-west-1", "cloudtrail get-trail-status", Some(TRAIL), status(false))),
        TRAIL,
        "trail.logging",
        "violation",
        "not_logging",
    ),
    (
        "a key that is and is not enabled",
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["Enabled"] = json!(false),
        KEY,
        "key.state",
        "undetermined",
        "key_state_unknown",
    ),
    (
        "accounts that begin with a digit",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][1]["Condition"] = json!({"StringLike": {"aws:SourceAccount": "1*"}});
            })
        },
        KEY,
        "key.encrypt_scope",
        "violation",
        "no_source_condition",
    ),
    (
        "an account of others by its name",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][1]["Condition"] =
                    json!({"StringEquals": {"aws:SourceAccount": ["111111111111", "444444444444"]}});
            })
        },
        KEY,
        "key.encrypt_scope",
        "undetermined",
        "condition_unknown",
    ),
    (
        "an account of others by its name, whose trails are none of those that are let in",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][1]["Condition"]["StringEquals"]["aws:SourceAccount"] =
                    json!(["111111111111", "444444444444"]);
            })
        },
        KEY,
        "key.encrypt_scope",
        "compliant",
        "",
    ),
    (
        "the policy of the console",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][1]["Condition"] = json!({"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": "arn:aws:cloudtrail:*:111111111111:trail/*"}});
            })
        },
        KEY,
        "key.encrypt_scope",
        "compliant",
        "",
    ),
    (
        "the trails of one Region",
        |calls| {
            change_key_policy(calls, |policy| {
                policy["Statement"][1]["Condition"] =
                    json!({"StringLike": {"aws:SourceArn": "arn:aws:cloudtrail:us-east-1:*:trail/all"}});
            })
        },
        KEY,
        "key.encrypt_scope",
        "violation",
        "no_source_condition",
    ),
    (
        "open without TLS",
        |calls| {
            nothing_is_blocked_for_the_account(calls);
            *answer(calls, "s3api get-public-access-block") =
                json!({"PublicAccessBlockConfiguration": {"IgnorePublicAcls": true}});
            change_bucket_policy(calls, |policy| {
                statements(policy).truncate(3);
                statements(policy).push(json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*"), "Condition": {"Bool": {"aws:SecureTransport": "false"}}}));
            });
        },
        BUCKET_NAME,
        "bucket.public",
        "violation",
        "public_policy",
    ),
    (
        "who pays is not sure",
        |calls| {
            for payer in ["Requester", "BucketOwner"] {
                calls.push(call(
                    ARCHIVE,
                    "us-east-1",
                    "s3api get-bucket-request-payment",
                    Some(BUCKET),
                    json!({"Payer": payer}),
                ));
            }
        },
        TRAIL,
        "trail.bucket_write",
        "undetermined",
        "sources_disagree",
    ),
    (
        "listed by one, asked by another",
        |calls| {
            calls.push(call(
                "444444444444",
                "us-east-1",
                "s3api list-buckets",
                None,
                json!({"Buckets": [{"Name": BUCKET}]}),
            ))
        },
        TRAIL,
        "trail.destination",
        "violation",
        "destination_not_allowed",
    ),
    (
        "listed by nobody who asks",
        |calls| calls.push(call(ARCHIVE, "us-east-1", "s3api list-buckets", None, json!({"Buckets": []}))),
        TRAIL,
        "trail.destination",
        "undetermined",
        "bucket_not_exported",
    ),
    (
        "the owner does not list its trail",
        |calls| {
            for call in calls
                .iter_mut()
                .filter(|call| call.account == MANAGEMENT && call.command == "cloudtrail describe-trails")
            {
                call.answer = Ok(json!({"trailList": []}));
            }
        },
        TRAIL,
        "trail.kms",
        "undetermined",
        "sources_disagree",
    ),
    (
        "a list of the Regions that are enabled",
        |calls| {
            calls.push(call(
                MEMBER,
                "us-east-1",
                "account list-regions",
                Some("ENABLED"),
                json!({"Regions": [{"RegionName": "us-east-1", "RegionOptStatus": "ENABLED"}]}),
            ))
        },
        "account:333333333333",
        "account.trails_known",
        "compliant",
        "",
    ),
    (
        "a denial of some strangers",
        |calls| {
            change_bucket_policy(calls, |policy| {
                let statements = statements(policy);
                let write = statements.iter_mut().find(|statement| statement["Action"] == "s3:PutObject").unwrap();
                drop(write["Condition"].as_object_mut().unwrap().remove("StringEquals"));
                statements.push(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
                    "Condition": {"StringLike": {"aws:SourceAccount": "9*"}}}));
            });
        },
        "s3://audit-logs",
        "bucket.write_scope",
        "violation",
        "no_source_condition",
    ),
    (
        "a name in two spellings",
        |calls| *answer(calls, "s3api get-bucket-versioning") = json!({"Status": "Enabled", "status": "Suspended"}),
        "s3://audit-logs",
        "bucket.versioning",
        "undetermined",
        "versioning_absent",
    ),
    (
        "no digest was ever delivered",
        |calls| {
            drop(
                answer(calls, "cloudtrail get-trail-status")
                    .as_object_mut()
                    .unwrap()
                    .remove("LatestDigestDeliveryTime"),
            );
        },
        TRAIL,
        "trail.delivery",
        "undetermined",
        "status_absent",
    ),
    (
        "lists of one organisation that differ",
        |calls| {
            let accounts =
                json!({"Accounts": [{"Id": MANAGEMENT, "Status": "ACTIVE"}, {"Id": ARCHIVE, "Status": "ACTIVE"}]});
            calls.push(call(ARCHIVE, "us-east-1", "organizations list-accounts", None, accounts));
        },
        "account:333333333333",
        "account.covered",
        "undetermined",
        "trails_absent",
    ),
    (
        "an account that is in no organisation any more",
        |calls| {
            let mut call = call(MEMBER, "us-east-1", "organizations describe-organization", None, json!({}));
            call.answer = Err("AWSOrganizationsNotInUseException".into());
            calls.push(call);
        },
        "account:333333333333",
        "account.covered",
        "undetermined",
        "trails_absent",
    ),
    (
        "a bucket that others may ask for, and do not list",
        |calls| {
            calls.push(call(ARCHIVE, "us-east-1", "s3api list-buckets", None, json!({"Buckets": [{"Name": BUCKET}]})));
            calls.push(call(MANAGEMENT, "us-east-1", "s3api list-buckets", None, json!({"Buckets": []})));
            let status = json!({"Status": "Enabled"});
            calls.push(call(MANAGEMENT, "us-east-1", "s3api get-bucket-versioning", Some(BUCKET), status));
        },
        TRAIL,
        "trail.destination",
        "compliant",
        "",
    ),
    (
        "who pays is not told",
        |calls| calls.push(call(ARCHIVE, "us-east-1", "s3api get-bucket-request-payment", Some(BUCKET), json!({}))),
        TRAIL,
        "trail.bucket_write",
        "undetermined",
        "request_payment_unreadable",
    ),
    (
        "who pays is told in a word that nobody knows",
        |calls| {
            let pays = json!({"Payer": "requester"});
            calls.push(call(ARCHIVE, "us-east-1", "s3api get-bucket-request-payment", Some(BUCKET), pays));
        },
        TRAIL,
        "trail.bucket_write",
        "undetermined",
        "request_payment_unreadable",
    ),
    (
        "a bucket that others may look at",
        |calls| {
            calls.retain(|call| !call.command.starts_with("s3api "));
            calls.push(call(
                ARCHIVE,
                "us-east-1",
                "s3api head-bucket",
                Some(BUCKET),
                json!({"BucketRegion": "us-east-1"}),
            ));
        },
        TRAIL,
        "trail.destination",
        "undetermined",
        "bucket_not_exported",
    ),
];

#[test]
fn what_is_changed_is_said() {
    let desk = Desk::new();
    for (name, change, resource, check, verdict, reason) in CASES {
        let mut calls = organisation();
        change(&mut calls);
        let looked = look_at_lines(&desk, &calls, POLICY);
        let rows = looked.verdicts();
        let found = rows.get(&((*resource).to_owned(), (*check).to_owned()));
        assert_eq!(found, Some(&((*verdict).to_owned(), (*reason).to_owned())), "{name}: {:?}", looked.ran);
        match *verdict {
            "violation" => assert_eq!(looked.ran.code, Some(1), "{name}"),
            "undetermined" => assert_ne!(looked.ran.code, Some(0), "{name}"),
            _ => {}
        }
    }
}

#[test]
fn what_need_not_be_asked_is_not_missed() {
    let desk = Desk::new();
    let refused = |account: &str, region: &str, command: &str| {
        let mut call = call(account, region, command, None, json!({}));
        call.answer = Err("AccessDeniedException".into());
        call
    };
    // A Region that is not enabled, and a list that only some may ask for.
    let mut calls = organisation();
    for account in ACCOUNTS {
        let regions = json!({"Regions": [
            {"RegionName": "us-east-1", "RegionOptStatus": "ENABLED_BY_DEFAULT"},
            {"RegionName": "eu-west-1", "RegionOptStatus": "ENABLED_BY_DEFAULT"},
            {"RegionName": "ap-east-1", "RegionOptStatus": "DISABLED"}
        ]});
        calls.push(call(account, "us-east-1", "account list-regions", None, regions));
        calls.push(refused(account, "ap-east-1", "cloudtrail describe-trails"));
    }
    calls.push(refused(MEMBER, "us-east-1", "organizations list-accounts"));
    let looked = look_at_lines(&desk, &calls, POLICY);
    assert_eq!(looked.ran.code, Some(0), "{:?} {}", looked.ran, looked.text("faults.jsonl"));
    // The same Region where nobody says that it is not enabled.
    calls.retain(|call| call.command != "account list-regions");
    assert_eq!(look_at_lines(&desk, &calls, POLICY).ran.code, Some(3));
}

/// Ways in which a file of a tree can be wrong.
const DAMAGES: [&str; 6] = ["removed", "cut", "emptied", "refused", "a name twice", "another answer"];

fn damage(path: &Path, how: &str) {
    let text = fs::read_to_string(path).unwrap();
    match how {
        "removed" => fs::remove_file(path).unwrap(),
        "cut" => fs::write(path, &text[..text.len() / 2]).unwrap(),
        "emptied" => fs::write(path, "").unwrap(),
        "refused" => {
            fs::remove_file(path).unwrap();
            let refusal = path.with_extension("error.txt");
            fs::write(refusal, "An error occurred (AccessDenied) when calling the X operation: no").unwrap();
        }
        "a name twice" => fs::write(path, text.replacen('{', "{\"Status\": 1, \"Status\": 2,", 1)).unwrap(),
        _ => fs::write(path, "{\"Answer\": \"of another call\"}").unwrap(),
    }
}

#[test]
fn no_damage_makes_anything_compliant() {
    let desk = Desk::new();
    let mut bad = organisation();
    change_trails(&mut bad, |trail| trail["LogFileValidationEnabled"] = json!(false));
    change_key_policy(&mut bad, |policy| policy["Statement"][3]["Principal"] = json!("*"));
    change_bucket_policy(&mut bad, |policy| drop(statements(policy).remove(2)));
    for calls in [organisation(), bad] {
        let root = desk.path("damaged");
        write_tree(&root, &calls);
        let before = Looked::at(&desk, &[&root], POLICY, &[]);
        let compliant = |looked: &Looked| -> Vec<(String, String)> {
            let rows = looked.verdicts().into_iter();
            rows.filter(|(_, (verdict, _))| verdict == "compliant").map(|(of, _)| of).collect()
        };
        let was = compliant(&before);
        let files = calls.iter().map(|call| call.path(&root)).chain([root.join("export.json")]);
        for path in files {
            for how in DAMAGES {
                damage(&path, how);
                let looked = Looked::at(&desk, &[&root], POLICY, &[]);
                let context = format!("{} {how}", path.display());
                assert!(matches!(looked.ran.code, Some(1 | 3)), "{context}: {:?}", looked.ran);
                assert!(!looked.ran.stderr.contains("panicked"), "{context}: {:?}", looked.ran);
                let new: Vec<_> = compliant(&looked).into_iter().filter(|of| !was.contains(of)).collect();
                assert!(new.is_empty(), "{context}: {new:?}");
                fs::remove_dir_all(&root).unwrap();
                write_tree(&root, &calls);
            }
        }
    }
}

#[test]
fn answers_in_the_place_of_others_are_misplaced() {
    let desk = Desk::new();
    let root = desk.path("tree");
    let others: [fn(&mut Vec<Call>); 5] = [
        |calls| {
            let asked = TRAIL.replace(MANAGEMENT, MEMBER);
            let trail = json!({"Trail": trail_settings()});
            calls.push(call(MEMBER, "us-east-1", "cloudtrail get-trail", Some(&asked), trail));
        },
        |calls| answer(calls, "kms describe-key")["KeyMetadata"]["Arn"] = json!(KEY.replace("0aaa", "0bbb")),
        |calls| answer(calls, "kms get-key-rotation-status")["KeyId"] = json!(KEY.replace("0aaa", "0bbb")),
        |calls| answer(calls, "cloudtrail get-event-selectors")["TrailARN"] = json!(TRAIL.replace("all", "other")),
        |calls| change_trails(&mut calls[2..], |trail| trail["IsOrganizationTrail"] = json!(false)),
    ];
    for change in others {
        let mut calls = organisation();
        change(&mut calls);
        write_tree(&root, &calls);
        let looked = Looked::at(&desk, &[&root], POLICY, &[]);
        assert!(looked.fault_names().contains(&"misplaced".to_owned()), "{:?}", looked.ran);
        assert_ne!(looked.ran.code, Some(0));
    }
}

#[test]
fn that_there_is_none_answers_its_own_call_only() {
    let desk = Desk::new();
    for (command, parameter, code, is_answer) in [
        ("kms list-aliases", None, "NoSuchBucketPolicy", false),
        ("s3api list-buckets", None, "NoSuchTagSet", false),
        ("s3api get-bucket-acl", Some(BUCKET), "NoSuchBucketPolicy", false),
        ("s3api get-bucket-logging", Some(BUCKET), "OwnershipControlsNotFoundError", false),
        ("s3api get-bucket-ownership-controls", Some(BUCKET), "OwnershipControlsNotFoundError", true),
        ("s3api get-object-lock-configuration", Some(BUCKET), "ObjectLockConfigurationNotFoundError", true),
        ("s3control get-public-access-block", Some(ARCHIVE), "NoSuchPublicAccessBlockConfiguration", true),
        ("s3api get-bucket-tagging", Some(BUCKET), "NoSuchTagSet", true),
    ] {
        let mut calls = organisation();
        calls.extend(refused(ARCHIVE, "ap-east-1", command, parameter, code));
        let looked = look_at_lines(&desk, &calls, POLICY);
        let expected = (Some(if is_answer { 0 } else { 3 }), json!(u8::from(!is_answer)));
        let refused = looked.summary()["coverage"]["refused"].as_object().unwrap().len();
        assert_eq!((looked.ran.code, json!(refused)), expected, "{command} {code}: {:?}", looked.ran);
    }
}

#[test]
fn parameters_that_contradict_their_line_are_misplaced() {
    let desk = Desk::new();
    let file = desk.path("export.ndjson");
    let lines: Vec<Value> = organisation().iter().map(|call| serde_json::from_str(&call.line()).unwrap()).collect();
    let looked = |command: &str, parameters: &[(&str, Value)]| {
        let mut lines = lines.clone();
        let line = lines.iter_mut().find(|line| line["command"] == command && line["region"] == "us-east-1").unwrap();
        parameters.iter().for_each(|(name, value)| line["parameters"][name] = value.clone());
        fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        Looked::at(&desk, &[&file], POLICY, &[])
    };
    let (trails, versioning) = ("cloudtrail describe-trails", "s3api get-bucket-versioning");
    for (command, name, value) in [
        (trails, "region", json!("eu-west-1")),
        (trails, "--region", json!("eu-west-1")),
        (trails, "region", json!(["us-east-1"])),
        (versioning, "Region", json!("eu-west-1")),
        (versioning, "bucket", json!("another")),
        (versioning, "expected-bucket-owner", json!(999_999_999_999_u64)),
    ] {
        let looked = looked(command, &[(name, value)]);
        assert_eq!(looked.fault_names(), ["misplaced"], "{command} {name}: {:?}", looked.ran);
        assert_ne!(looked.ran.code, Some(0));
    }
    let same =
        looked(versioning, &[("region", json!("us-east-1")), ("bucket", json!(BUCKET)), ("profile", Value::Null)]);
    assert_eq!(same.ran.code, Some(0), "{:?}", same.ran);
}

#[test]
fn the_newest_export_decides_and_old_ones_do_not_pass() {
    let desk = Desk::new();
    let (old, new) = (desk.path("old"), desk.path("new"));
    let mut calls = organisation();
    change_trails(&mut calls, |trail| trail["LogFileValidationEnabled"] = json!(false));
    write_tree(&old, &calls);
    write_tree(&new, &organisation());
    let times = |root: &Path, day: u8| {
        let month = if day > 20 { 10 } else { 11 };
        let time = |minute: u8| format!("2026-{month:02}-{day:02}T12:{minute:02}:00Z");
        let times = json!({"started": time(0), "finished": time(10)});
        fs::write(root.join("export.json"), times.to_string()).unwrap();
    };
    times(&old, 31);
    for order in [[&*old, &*new], [&*new, &*old]] {
        let looked = Looked::at(&desk, &order, POLICY, &[]);
        assert_eq!(looked.ran.code, Some(0), "{:?}", looked.ran);
    }
    // Of one time, both cannot be so.
    times(&old, 1);
    let looked = Looked::at(&desk, &[&old, &new], POLICY, &[]);
    looked.assert_row(TRAIL, "trail.kms", "undetermined", "sources_disagree");
    assert_eq!(looked.ran.code, Some(3));
    // More than two days ago.
    times(&new, 29);
    let looked = Looked::at(&desk, &[&new], POLICY, &[]);
    looked.assert_row(TRAIL, "trail.kms", "undetermined", "export_stale");
    assert_eq!(looked.ran.code, Some(3));
    times(&new, 2);
    let looked = Looked::at(&desk, &[&new], POLICY, &[]);
    looked.assert_row(TRAIL, "trail.kms", "undetermined", "export_in_future");
    // Without any time only somebody who knows it can say.
    fs::remove_file(new.join("export.json")).unwrap();
    let looked = Looked::at(&desk, &[&new], POLICY, &[]);
    looked.assert_row(TRAIL, "trail.kms", "undetermined", "export_undated");
    assert_eq!(looked.ran.code, Some(3));
    assert_eq!(Looked::at(&desk, &[&new], POLICY, &["--as-of-export", AT]).ran.code, Some(0));
}

#[test]
fn results_do_not_depend_on_workers_or_on_the_order_of_exports() {
    let desk = Desk::new();
    let calls = organisation();
    let (one, other) = (desk.path("one"), desk.path("other/lines.ndjson"));
    write_tree(&one, &calls[..9]);
    write_lines(&other, &calls[9..]);
    let files = ["summary.json", "settings.csv", "trails.csv", "decryptors.csv", "faults.jsonl"];
    let written = |exports: &[&Path], jobs: &str| {
        let looked = Looked::at(&desk, exports, POLICY, &["--jobs", jobs]);
        files.map(|file| looked.text(file))
    };
    let first = written(&[&one, &other], "1");
    for (exports, jobs) in [([&*one, &*other], "3"), ([&*other, &*one], "1"), ([&*other, &*one], "7")] {
        assert_eq!(written(&exports, jobs), first);
    }
}

#[test]
fn an_export_of_nothing_never_passes() {
    let desk = Desk::new();
    let root = desk.path("empty");
    fs::create_dir_all(&root).unwrap();
    let looked = Looked::at(&desk, &[&root], POLICY, &[]);
    assert_eq!(looked.ran.code, Some(3), "{:?}", looked.ran);
    assert_eq!(looked.summary()["outcome_reasons"], json!(["undetermined", "no_trails"]));
    let mut refused = organisation();
    for call in &mut refused {
        call.answer = Err("AccessDeniedException".into());
    }
    let looked = look_at_lines(&desk, &refused, POLICY);
    assert_eq!(looked.ran.code, Some(3), "{:?}", looked.ran);
    assert!(looked.verdicts().values().all(|(verdict, _)| verdict != "compliant" && verdict != "violation"));
    assert_eq!(looked.summary()["coverage"]["refused"]["cloudtrail describe-trails"], 6);
    let no_such = Looked::at(&desk, &[&desk.path("nowhere")], POLICY, &[]);
    assert_eq!((no_such.ran.code, no_such.ran.stderr.contains("cannot open the export")), (Some(2), true));
}

/// The organisation as AWS Config records it.
fn config_items() -> Vec<Value> {
    let lower = |value: &Value| {
        let object = value.as_object().unwrap().iter();
        let name = |name: &str| match name {
            "TrailARN" => "trailARN".to_owned(),
            name => format!("{}{}", name[..1].to_lowercase(), &name[1..]),
        };
        Value::Object(object.map(|(key, value)| (name(key), value.clone())).collect())
    };
    let item = |kind: &str, name: &str, account: &str, configuration: Value, supplement: Value| {
        json!({
            "configurationItemVersion": "1.3", "configurationItemCaptureTime": AT, "configurationItemStatus": "OK",
            "awsAccountId": account, "awsRegion": "us-east-1", "resourceType": kind, "resourceId": name,
            "resourceName": name, "ARN": name, "configuration": configuration, "supplementaryConfiguration": supplement
        })
    };
    let calls = &mut organisation();
    let block = lower(&answer(calls, "s3api get-public-access-block")["PublicAccessBlockConfiguration"]);
    let metadata = lower(&answer(calls, "kms describe-key")["KeyMetadata"]);
    vec![
        item("AWS::CloudTrail::Trail", TRAIL, MANAGEMENT, lower(&trail_settings()), json!({})),
        item(
            "AWS::S3::Bucket",
            BUCKET,
            ARCHIVE,
            json!({"name": BUCKET}),
            json!({
                "BucketPolicy": {"policyText": bucket_policy().to_string()},
                "BucketVersioningConfiguration": {"status": "Enabled", "isMfaDeleteEnabled": null},
                "ServerSideEncryptionConfiguration": {"rules": [
                    {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyID": KEY}, "bucketKeyEnabled": true}
                ]},
                "AccessControlList": "{\"grantSet\": null, \"grantList\": [{\"grantee\": {\"id\": \"c\"}, \"permission\": \"FullControl\"}]}",
                "PublicAccessBlockConfiguration": block
            }),
        ),
        item(
            "AWS::KMS::Key",
            KEY,
            ARCHIVE,
            metadata,
            json!({
                "Policy": key_policy().to_string(), "KeyRotationStatus": true, "Tags": [{"tagKey": "Owner", "tagValue": "security"}]
            }),
        ),
    ]
}

/// As `get-resource-config-history` prints items: values are JSON in strings.
fn as_history(item: &Value) -> Value {
    let mut history = item.clone();
    history["configuration"] = json!(item["configuration"].to_string());
    for (name, value) in item["supplementaryConfiguration"].as_object().unwrap() {
        let text = value.as_str().filter(|_| name == "Policy").map_or_else(|| value.to_string(), str::to_owned);
        history["supplementaryConfiguration"][name] = json!(text);
    }
    history["accountId"] = history["awsAccountId"].take();
    history
}

#[test]
fn the_three_spellings_of_config_say_the_same() {
    let desk = Desk::new();
    let items = config_items();
    let accounts: Vec<Call> =
        organisation().into_iter().filter(|call| call.command.starts_with("organizations")).collect();
    let looked = |files: &[(&str, String)]| {
        let root = desk.path("config");
        let _ = fs::remove_dir_all(&root);
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        write_lines(&root.join("organization.ndjson"), &accounts);
        Looked::at(&desk, &[&root], POLICY, &[])
    };
    let name = "AWSLogs/222222222222/Config/us-east-1/2026/11/1/ConfigSnapshot/222222222222_Config_us-east-1_ConfigSnapshot_20261101T120000Z_1.json";
    let snapshot = looked(&[(name, json!({"fileVersion": "1.0", "configurationItems": items}).to_string())]);
    let history: Vec<Value> = items.iter().map(as_history).collect();
    let history = looked(&[(
        "222222222222/us-east-1/configservice/get-resource-config-history/x.json",
        json!({"configurationItems": history}).to_string(),
    )]);
    let rows: Vec<String> = items.iter().map(Value::to_string).collect();
    let query = looked(&[("query.json", json!({"Results": rows}).to_string())]);
    let lines = looked(&[("rows.jsonl", rows.join("\n"))]);
    let verdicts = snapshot.verdicts();
    for other in [&history, &query, &lines] {
        assert_eq!(other.verdicts(), verdicts);
    }
    // What Config does not record is not known; all else is as the command line says.
    let of_calls = look_at_lines(&desk, &organisation(), POLICY).verdicts();
    let unknown = ["status_absent", "selectors_absent", "grants_absent", "account_not_exported"];
    for (of, (verdict, reason)) in &verdicts {
        let is_known = !unknown.contains(&reason.as_str());
        assert!(!is_known || of_calls[of] == (verdict.clone(), reason.clone()), "{of:?}: {verdict} {reason}");
    }
    assert_eq!(snapshot.ran.code, Some(3), "{:?}", snapshot.ran);
    snapshot.assert_row(TRAIL, "trail.logging", "undetermined", "status_absent");
    snapshot.assert_row(KEY, "key.decrypt_scope", "undetermined", "grants_absent");
    snapshot.assert_row(TRAIL, "trail.bucket_write", "compliant", "");
}

#[test]
fn history_without_its_newest_items_is_not_now() {
    let desk = Desk::new();
    let file = desk.path("export.ndjson");
    let mut calls = organisation();
    calls.retain(|call| call.command != "s3api get-bucket-versioning");
    write_lines(&file, &calls);
    let item = |at: &str| {
        let mut item = config_items().swap_remove(1);
        item["configurationItemCaptureTime"] = json!(at);
        item
    };
    let (old, new) = (item("2026-11-01T12:30:00Z"), item("2026-11-01T13:00:00Z"));
    let looked = |name: &str, said: &Value| {
        let history = desk.file(name, &said.to_string());
        Looked::at(&desk, &[&file, &history], POLICY, &[])
    };
    let whole = json!({"configurationItems": [old, new]});
    assert_eq!(looked("history.json", &whole).ran.code, Some(0));
    // Only older ones were left behind.
    let newest = json!({"configurationItems": [new, old], "nextToken": "x"});
    assert_eq!(looked("history.json", &newest).ran.code, Some(0));
    let line = |parameters: Value, output: &Value| {
        json!({"account": ARCHIVE, "region": "us-east-1", "command": "configservice get-resource-config-history",
            "parameters": parameters, "at": AT, "output": output})
    };
    let plain = json!({"resource-id": BUCKET, "chronological-order": "Forward", "limit": 1});
    assert_eq!(looked("line.json", &line(plain.clone(), &whole)).ran.code, Some(0));
    let check = |said: &Value, fault: &str| {
        let looked = looked("history.json", said);
        assert_eq!(looked.fault_names(), [fault], "{said}");
        looked.assert_row(BUCKET_NAME, "bucket.versioning", "undetermined", "versioning_absent");
    };
    let (forward, one) = (
        json!({"configurationItems": [old, new], "nextToken": "x"}),
        json!({"configurationItems": [new], "nextToken": "x"}),
    );
    check(&forward, "export_incomplete");
    check(&one, "export_incomplete");
    check(&line(plain, &one), "export_incomplete");
    check(&line(json!({"later-time": "2026-11-01T13:30:00Z"}), &whole), "export_incomplete");
    check(&line(json!({"query": "configurationItems[?x]"}), &whole), "export_damaged");
    let mut refused = line(json!({}), &whole);
    refused["error"] = json!({"code": "AccessDenied"});
    check(&refused, "export_damaged");
}

#[test]
fn exceptions_hold_for_their_checks_and_resources_until_they_expire() {
    let desk = Desk::new();
    let mut calls = organisation();
    change_trails(&mut calls, |trail| trail["LogFileValidationEnabled"] = json!(false));
    let policy = |check: &str, resource: &str, expires: &str| {
        format!(
            "{POLICY}\n[[exception]]\nid = \"EX-1\"\ncheck = [\"{check}\"]\nresource = [\"{resource}\"]\nexpires = {expires}\n"
        )
    };
    let look = |policy: &str| look_at_lines(&desk, &calls, policy);
    let excepted = look(&policy("trail.*", "arn:aws:cloudtrail:*:111111111111:trail/*", "2026-11-01"));
    excepted.assert_row(TRAIL, "trail.validation", "excepted", "validation_off");
    assert_eq!(
        (excepted.ran.code, &excepted.rows()[&(TRAIL.into(), "trail.validation".into())]["exception"]),
        (Some(0), &"EX-1".to_owned())
    );
    for other in [
        policy("bucket.*", "*", "2027-01-01"),
        policy("trail.*", "s3://*", "2027-01-01"),
        policy("*", "*", "2026-10-31"),
    ] {
        assert_eq!(look(&other).ran.code, Some(1));
    }
}

#[test]
fn policies_are_read_with_the_place_of_every_mistake() {
    let desk = Desk::new();
    let mistakes = [
        ("kms = \"required\"", "kms = \"sometimes\"", "line 16, column 7: unknown variant `sometimes`"),
        ("max_age = \"2d\"", "max_age = \"2\"", ": not a number of days or hours"),
        ("keys = [\"logs\"]", "keys = [\"log\"]", ": [keys] has no key of that name: log"),
        ("destination_accounts = [\"222222222222\"]", "destination_accounts = [\"22\"]", "not the id of an account"),
        ("accounts = \"organization\"", "accounts = \"all\"", "neither \"organization\" nor a list of account ids"),
        ("versioning = true", "versionning = true", "unknown field"),
        ("regions = [\"us-east-1\", \"eu-west-1\"]", "regions = []", "the list is empty"),
    ];
    for (right, wrong, message) in mistakes {
        assert!(POLICY.contains(right));
        let looked = look_at_lines(&desk, &organisation(), &POLICY.replace(right, wrong));
        assert_eq!(looked.ran.code, Some(2), "{wrong}");
        assert!(looked.ran.stderr.contains(message), "{wrong}: {}", looked.ran.stderr);
    }
    // An audit takes such a file, and what it demands of objects is the same with and without.
    let rules = "[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\"]\n";
    let exception = "[[exception]]\nid = \"EX\"\ncheck = [\"trail.*\"]\nresource = [\"*\"]\nexpires = 2027-01-01\n";
    let checked = |text: &str| {
        let file = desk.file("whole.toml", text);
        crate::audits::logseal(["policy".as_ref(), "check".as_ref(), file.as_os_str()])
    };
    assert_eq!(checked(&format!("{POLICY}\n{rules}{exception}")).code, Some(0));
    let mixed = format!("{POLICY}\n{rules}{}", exception.replace("check =", "rule = \"r\"\ncheck ="));
    assert_eq!(checked(&mixed).code, Some(2));
}

#[test]
fn without_a_policy_it_is_what_cis_asks() {
    let desk = Desk::new();
    let file = desk.path("export.ndjson");
    write_lines(&file, &organisation());
    let looked = |calls: &[Call]| -> Looked {
        write_lines(&file, calls);
        let out = desk.path("cis");
        let args = ["--force", "--no-progress", "--as-of", AS_OF];
        let ran = command().arg("settings").arg(&file).arg("--out").arg(&out).args(args).output().unwrap().into();
        Looked { ran, out }
    };
    let mut calls = organisation();
    let regions: Vec<Value> =
        REGIONS.iter().map(|name| json!({"RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT"})).collect();
    for account in ACCOUNTS {
        calls.push(call(account, "us-east-1", "account list-regions", None, json!({"Regions": regions})));
    }
    let good = looked(&calls);
    assert_eq!(good.ran.code, Some(0), "{:?}", good.ran);
    good.assert_row(BUCKET_NAME, "bucket.tls", "out_of_scope", "not_demanded");
    change_trails(&mut calls, |trail| drop(trail.as_object_mut().unwrap().remove("KmsKeyId")));
    looked(&calls).assert_row(TRAIL, "trail.kms", "violation", "no_kms_key");
    // A Region that is enabled and was not asked.
    for call in calls.iter_mut().filter(|call| call.command == "account list-regions") {
        call.answer.as_mut().unwrap()["Regions"].as_array_mut().unwrap().push(json!({"RegionName": "ap-south-1"}));
    }
    looked(&calls).assert_row("account:333333333333", "account.trails_known", "undetermined", "region_not_exported");
}

#[test]
fn names_of_strangers_are_harmless_in_every_output() {
    let desk = Desk::new();
    let mut calls = organisation();
    let evil = "=cmd|' /C calc'!A0\u{202e}\u{1b}[2J<script>";
    answer(&mut calls, "kms list-resource-tags")["Tags"][0]["TagValue"] = json!(evil);
    change_trails(&mut calls, |trail| trail["S3BucketName"] = json!(evil));
    answer(&mut calls, "cloudtrail get-trail-status")["LatestDeliveryError"] = json!(evil);
    let looked = look_at_lines(&desk, &calls, POLICY);
    assert_eq!(looked.ran.code, Some(1));
    let files =
        ["summary.json", "settings.csv", "trails.csv", "decryptors.csv", "faults.jsonl"].map(|file| looked.text(file));
    for text in files.iter().chain([&looked.ran.stdout, &looked.ran.stderr]) {
        let harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(text.chars().all(harmless), "{text:?}");
        assert!(!text.contains(",=cmd"), "{text}");
    }
    assert!(looked.ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", looked.ran.stdout);
}

#[test]
fn opinions_of_other_tools_are_only_compared() {
    let desk = Desk::new();
    let finding = |status: &str, resource: &str| json!({"Compliance": {"Status": status, "SecurityControlId": "CloudTrail.2"}, "Resources": [{"Id": resource}], "RecordState": "ACTIVE"});
    let looked = |findings: Value, change: fn(&mut Vec<Call>)| {
        let (file, opinions) =
            (desk.path("export.ndjson"), desk.file("findings.json", &json!({"Findings": findings}).to_string()));
        let mut calls = organisation();
        change(&mut calls);
        write_lines(&file, &calls);
        Looked::at(&desk, &[&file, &opinions], POLICY, &[])
    };
    let check = "crosscheck.CloudTrail.2";
    looked(json!([finding("PASSED", TRAIL)]), |_| ()).assert_row(TRAIL, check, "compliant", "");
    looked(json!([finding("FAILED", TRAIL)]), |_| ()).assert_row(TRAIL, check, "undetermined", "sources_disagree");
    looked(json!([finding("WARNING", TRAIL)]), |_| ()).assert_row(TRAIL, check, "undetermined", "sources_disagree");
    looked(json!([finding("PASSED", "arn:aws:cloudtrail:x:1:trail/y")]), |_| ()).assert_row(
        TRAIL,
        check,
        "undetermined",
        "finding_missing",
    );
    let disagrees = looked(json!([finding("PASSED", TRAIL)]), |calls| {
        change_trails(calls, |trail| drop(trail.as_object_mut().unwrap().remove("KmsKeyId")));
    });
    disagrees.assert_row(TRAIL, "trail.kms", "violation", "no_kms_key");
    disagrees.assert_row(TRAIL, check, "undetermined", "sources_disagree");
}

#[test]
fn a_trail_of_the_organisation_is_for_its_accounts_only() {
    let desk = Desk::new();
    let stranger = "999999999999";
    let policy =
        POLICY.replace("accounts = \"organization\"", &format!("accounts = [\"{MANAGEMENT}\", \"{stranger}\"]"));
    let mut calls = organisation();
    let name = format!("account:{stranger}");
    // Nobody says whether it belongs to the organisation.
    calls.retain(|call| call.command != "organizations list-accounts");
    look_at_lines(&desk, &calls, &policy).assert_row(&name, "account.covered", "undetermined", "trails_absent");
    // It does not, and has no trail.
    let mut calls = organisation();
    for region in REGIONS {
        calls.push(call(stranger, region, "cloudtrail describe-trails", None, json!({"trailList": []})));
        calls.push(call(stranger, region, "kms list-aliases", None, json!({"Aliases": []})));
    }
    let looked = look_at_lines(&desk, &calls, &policy);
    looked.assert_row(&name, "account.covered", "violation", "no_logging_trail");
    assert_eq!(looked.ran.code, Some(1));
}

#[test]
fn a_demand_that_cannot_be_decided_falls_to_nothing_milder() {
    let desk = Desk::new();
    let tables = "[[settings.trail]]\nwhere = { organization = true }\nvalidation = true\n[[settings.trail]]\nkms = \"optional\"\n";
    let (before, after) = POLICY.split_once("[settings.trail]").unwrap();
    let (_, after) = after.split_once("[settings.bucket]").unwrap();
    let policy = format!("{before}{tables}[settings.bucket]{after}");
    let mut calls = organisation();
    change_trails(&mut calls, |trail| drop(trail.as_object_mut().unwrap().remove("IsOrganizationTrail")));
    // Only the account that owns it was exported.
    calls.retain(|call| call.account != ARCHIVE && call.account != MEMBER || !call.command.starts_with("cloudtrail"));
    let looked = look_at_lines(&desk, &calls, &policy);
    looked.assert_row(TRAIL, "trail.kms", "undetermined", "scope_unknown");
    assert_eq!(looked.ran.code, Some(3));
}

/// The calls that tell which policies of a type there are.
fn organization_policy(kind: &str, policy: &Value) -> Vec<Call> {
    let management =
        |command: &str, parameter: &str, output| call(MANAGEMENT, "us-east-1", command, Some(parameter), output);
    let summary = json!({"Id": "p-1", "Type": kind});
    let mut calls = vec![
        management("organizations list-policies", kind, json!({"Policies": [summary]})),
        management(
            "organizations describe-policy",
            "p-1",
            json!({"Policy": {"PolicySummary": summary, "Content": policy.to_string()}}),
        ),
        management("organizations list-targets-for-policy", "p-1", json!({"Targets": [{"TargetId": "r-1"}]})),
    ];
    for account in ACCOUNTS {
        calls.push(management(
            "organizations list-parents",
            account,
            json!({"Parents": [{"Id": "r-1", "Type": "ROOT"}]}),
        ));
    }
    calls
}

#[test]
fn resource_control_policies_bind_services_too() {
    let desk = Desk::new();
    let looked = |policy: &Value, change: fn(&mut Vec<Call>)| {
        let mut calls = organisation();
        calls.extend(organization_policy("RESOURCE_CONTROL_POLICY", policy));
        change(&mut calls);
        look_at_lines(&desk, &calls, POLICY)
    };
    let deny = |action: &str| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"}]});
    let full = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]});
    assert_eq!(looked(&full, |_| ()).ran.code, Some(0));
    looked(&deny("s3:PutObject"), |_| ()).assert_row(TRAIL, "trail.bucket_write", "violation", "write_denied");
    looked(&deny("kms:*"), |_| ()).assert_row(TRAIL, "trail.key_encrypt", "violation", "encrypt_denied");
    let mut spares = deny("kms:*");
    spares["Statement"][0]["Condition"] = json!({"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}});
    assert_eq!(looked(&spares, |_| ()).ran.code, Some(0));
    let half = looked(&full, |calls| refuse(calls, "organizations describe-policy"));
    half.assert_row(TRAIL, "trail.key_encrypt", "undetermined", "policies_absent");
}

#[test]
fn guardrails_must_bind_all_accounts_but_the_management_account() {
    let desk = Desk::new();
    let demand =
        "[settings.guardrails]\ndeny = [\"cloudtrail:StopLogging\"]\nexcept = [\"arn:aws:iam::*:role/admin\"]\n";
    let policy = format!("{POLICY}\n{demand}");
    let looked = |scp: Value, change: &dyn Fn(&mut Vec<Call>)| {
        let mut calls = organisation();
        calls.extend(organization_policy("SERVICE_CONTROL_POLICY", &scp));
        change(&mut calls);
        look_at_lines(&desk, &calls, &policy)
    };
    let deny = |action: &str, condition: Value| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition}]});
    let check = |looked: &Looked, verdict: &str, reason: &str| {
        looked.assert_row("account:333333333333", "guardrail.scp", verdict, reason);
        looked.assert_row("account:111111111111", "guardrail.scp", "out_of_scope", "management_account");
    };
    check(&looked(deny("cloudtrail:Stop*", json!({})), &|_| ()), "compliant", "");
    check(&looked(deny("cloudtrail:StartLogging", json!({})), &|_| ()), "violation", "not_denied");
    let spared = |who: &str| json!({"ArnNotLike": {"aws:PrincipalArn": [who]}});
    check(&looked(deny("cloudtrail:*", spared("arn:aws:iam::*:role/admin")), &|_| ()), "compliant", "");
    let too_many = looked(deny("cloudtrail:*", spared("arn:aws:iam::*:role/*")), &|_| ());
    assert_ne!(too_many.verdicts()[&("account:333333333333".to_owned(), "guardrail.scp".to_owned())].0, "compliant");
    // Policies that are not switched on bind nobody, and a policy of another type is none of these.
    let roots = |calls: &mut Vec<Call>, types: Value| {
        let roots = json!({"Roots": [{"Id": "r-1", "PolicyTypes": types}]});
        calls.push(call(MANAGEMENT, "us-east-1", "organizations list-roots", None, roots));
    };
    let all = || deny("cloudtrail:Stop*", json!({}));
    let enabled = json!([{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]);
    check(&looked(all(), &|calls| roots(calls, enabled.clone())), "compliant", "");
    let pending = json!([{"Type": "SERVICE_CONTROL_POLICY", "Status": "PENDING_ENABLE"}]);
    check(&looked(all(), &|calls| roots(calls, pending.clone())), "undetermined", "condition_unknown");
    check(&looked(all(), &|calls| roots(calls, json!([]))), "violation", "not_denied");
    let for_billing = |calls: &mut Vec<Call>| {
        answer(calls, "organizations describe-organization")["Organization"]["FeatureSet"] =
            json!("CONSOLIDATED_BILLING");
    };
    check(&looked(all(), &for_billing), "violation", "not_denied");
    let untold = |calls: &mut Vec<Call>| {
        answer(calls, "organizations describe-organization")["Organization"]["FeatureSet"] = Value::Null;
    };
    check(&looked(all(), &untold), "undetermined", "condition_unknown");
    let of_tags = |calls: &mut Vec<Call>| {
        answer(calls, "organizations describe-policy")["Policy"]["PolicySummary"]["Type"] = json!("TAG_POLICY");
    };
    check(&looked(all(), &of_tags), "undetermined", "policies_absent");
    // Only trails can be switched off.
    let mut of_trails = all();
    of_trails["Statement"][0]["Resource"] = json!("arn:aws:cloudtrail:*:*:trail/*");
    check(&looked(of_trails.clone(), &|_| ()), "compliant", "");
    of_trails["Statement"][0]["Resource"] = json!("arn:aws:cloudtrail:*:*:trail/a*");
    check(&looked(of_trails, &|_| ()), "undetermined", "condition_unknown");
    // Nobody can tell who the management account is, whom they do not bind.
    let another = looked(deny("cloudtrail:StartLogging", json!({})), &|calls| {
        for account in answer(calls, "organizations list-accounts")["Accounts"].as_array_mut().unwrap() {
            let id = account["Id"].as_str().unwrap().to_owned();
            account["Arn"] = json!(format!("arn:aws:organizations::{ARCHIVE}:account/o-example11111/{id}"));
        }
    });
    another.assert_row("account:111111111111", "guardrail.scp", "undetermined", "policies_absent");
    let unknown =
        looked(deny("cloudtrail:StartLogging", json!({})), &|calls| refuse(calls, "organizations list-parents"));
    unknown.assert_row("account:333333333333", "guardrail.scp", "undetermined", "policies_absent");
    // A later list of its own organisation takes nothing from the management account; that of another one does.
    for (asker, id, verdict) in
        [(ARCHIVE, "o-example11111", "out_of_scope"), ("999999999999", "o-another11111", "undetermined")]
    {
        let mut calls = organisation();
        calls.extend(organization_policy("SERVICE_CONTROL_POLICY", &deny("cloudtrail:StartLogging", json!({}))));
        let accounts: Vec<Value> = ACCOUNTS.iter().map(|id| json!({"Id": id, "Status": "ACTIVE"})).collect();
        let manager = if asker == ARCHIVE { MANAGEMENT } else { asker };
        let lists = [
            call(asker, "us-east-1", "organizations list-accounts", None, json!({"Accounts": accounts})),
            call(
                asker,
                "us-east-1",
                "organizations describe-organization",
                None,
                json!({"Organization": {"Id": id, "MasterAccountId": manager, "FeatureSet": "ALL"}}),
            ),
        ];
        let text: String = calls.iter().map(|call| format!("{}\n", call.line())).collect();
        let file = desk.file("later.ndjson", &format!("{text}{}", later(&lists, |_| ())));
        let looked = Looked::at(&desk, &[&file], &policy, &[]);
        let row = &looked.verdicts()[&("account:111111111111".to_owned(), "guardrail.scp".to_owned())];
        assert_eq!(row.0, verdict, "{asker}: {row:?}");
    }
}

#[test]
fn what_iam_decides_is_looked_up_in_its_export() {
    let desk = Desk::new();
    let looked_with = |admin: Value, role: Value| {
        let mut calls = organisation();
        change_key_policy(&mut calls, |policy| {
            for (name, value) in admin.as_object().unwrap() {
                policy["Statement"][0][name] = value.clone();
            }
        });
        let details = json!({
            "UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [role], "IsTruncated": false,
            "Policies": [{"Arn": "arn:aws:iam::aws:policy/All", "PolicyVersionList": [
                {"IsDefaultVersion": true, "Document": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}
            ]}]
        });
        calls.push(call(ARCHIVE, "us-east-1", "iam get-account-authorization-details", None, details));
        look_at_lines(&desk, &calls, POLICY)
    };
    let looked = |role: Value| looked_with(json!({"Action": "kms:*"}), role);
    let role = |name: &str, policies: Value, attached: Value| json!({"Arn": format!("arn:aws:iam::222222222222:role/{name}"), "RoleId": "AROAX", "RoleName": name, "RolePolicyList": policies, "AttachedManagedPolicies": attached});
    let inline = |action: &str| json!([{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}}]);
    let all = json!([{"PolicyName": "All", "PolicyArn": "arn:aws:iam::aws:policy/All"}]);
    assert_eq!(looked(role("developer", inline("s3:*"), json!([]))).ran.code, Some(0));
    assert_eq!(looked(role("security-lead", inline("kms:Decrypt"), json!([]))).ran.code, Some(0));
    let violation = ("violation", "decrypt_principal_not_allowed");
    looked(role("developer", inline("kms:De*"), json!([]))).assert_row(
        KEY,
        "key.decrypt_scope",
        violation.0,
        violation.1,
    );
    looked(role("developer", json!([]), all.clone())).assert_row(KEY, "key.decrypt_scope", violation.0, violation.1);
    // What the key's policy does not leave to a principal, its own policies do not give.
    for (admin, verdict) in [
        (json!({"Action": "kms:*", "Condition": {"StringEquals": {"aws:PrincipalType": "User"}}}), "compliant"),
        (json!({"Action": "kms:*", "Condition": {"StringEquals": {"aws:PrincipalType": "AssumedRole"}}}), "violation"),
        (
            json!({"Action": "kms:*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/dev*"}}}),
            "compliant",
        ),
    ] {
        let looked = looked_with(admin.clone(), role("developer", json!([]), all.clone()));
        let row = &looked.verdicts()[&(KEY.to_owned(), "key.decrypt_scope".to_owned())];
        assert_eq!(row.0, verdict, "{admin}: {row:?}");
    }
    let denied = json!([{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}, {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}
    ]}}]);
    let decrypt_only = looked_with(json!({"Action": "kms:Decrypt"}), role("developer", denied, json!([])));
    decrypt_only.assert_row(KEY, "key.decrypt_scope", "compliant", "");
    let missing = json!([{"PolicyName": "Own", "PolicyArn": "arn:aws:iam::222222222222:policy/Own"}]);
    looked(role("developer", json!([]), missing)).assert_row(
        KEY,
        "key.decrypt_scope",
        "undetermined",
        "condition_unknown",
    );
    let mut bounded = role("developer", json!([]), all);
    bounded["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"});
    looked(bounded).assert_row(KEY, "key.decrypt_scope", "undetermined", "condition_unknown");
}

#[test]
fn a_resource_is_explained_in_words() {
    let desk = Desk::new();
    let mut calls = organisation();
    change_key_policy(&mut calls, |policy| {
        statements(policy).push(json!({"Sid": "Never", "Effect": "Deny", "Principal": "*", "Action": "kms:GenerateDataKey", "Resource": "*"}));
    });
    let looked = look_at_lines(&desk, &calls, POLICY);
    let explain = |words: &[&str]| -> Ran {
        command().arg("explain").arg("--settings").arg(&looked.out).args(words).output().unwrap().into()
    };
    let one = explain(&[TRAIL, "trail.key_encrypt"]);
    assert_eq!(one.code, Some(1), "{one:?}");
    for text in [
        "asks",
        "violation, encrypt_denied: a statement of the policy denies it",
        "Encrypt allows, Never denies",
        "export.ndjson",
    ] {
        assert!(one.stdout.contains(text), "{text}: {}", one.stdout);
    }
    assert!(one.stdout.lines().all(|line| line.chars().count() <= 80));
    assert_eq!((explain(&[BUCKET_NAME]).code, explain(&["s3://another"]).code), (Some(0), Some(2)));
    // Every check and reason of a row has words.
    for (name, change, ..) in CASES {
        let mut calls = organisation();
        change(&mut calls);
        let looked = look_at_lines(&desk, &calls, POLICY);
        let resources: std::collections::BTreeSet<String> =
            looked.rows().into_keys().map(|(resource, _)| resource).collect();
        for resource in resources {
            let ran: Ran =
                command().args(["explain", "--settings"]).arg(&looked.out).arg(&resource).output().unwrap().into();
            assert!(!ran.stdout.contains("asks      \n") && !ran.stdout.contains(": \n"), "{name}: {}", ran.stdout);
        }
    }
}

#[test]
fn an_audit_of_the_objects_is_held_against_the_settings() {
    let desk = Desk::new();
    let file = desk.path("export.ndjson");
    write_lines(&file, &organisation());
    let looked = |audited: Value| {
        let folder = desk.path("audited");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("summary.json"), audited.to_string()).unwrap();
        Looked::at(&desk, &[&file], POLICY, &["--audit", folder.to_str().unwrap()])
    };
    let month = |account: &str, region: &str, kind: &str| json!({"bucket": BUCKET, "account": account, "region": region, "kind": kind, "month": "2026-10"});
    let kind_of = |region: &str| if region == REGIONS[0] { "CloudTrail-Digest" } else { "CloudTrail" };
    let months: Vec<Value> =
        ACCOUNTS.iter().flat_map(|account| REGIONS.map(|region| month(account, region, kind_of(region)))).collect();
    let audited = json!({
        "schema": "logseal.audit/1", "outcome": "pass", "faults": {}, "by_key": {KEY: {"objects": 3, "bytes": 9}}, "by_month": months,
        "key_coverage": {"kms_objects": 3, "known": 3},
        "sources": [{"bucket": BUCKET, "created_at": "2026-11-01T01:00:00.000Z"}],
        "coverage": {"units_planned": 1, "units_examined": 1, "completeness": "proven"}
    });
    let good = looked(audited.clone());
    assert_eq!(good.ran.code, Some(0), "{:?}", good.ran);
    good.assert_row(BUCKET_NAME, "join.inventory", "compliant", "");
    let mut other = audited.clone();
    other["sources"][0]["bucket"] = json!("another");
    let other = looked(other);
    other.assert_row(BUCKET_NAME, "join.inventory", "undetermined", "not_audited");
    other.assert_row("s3://another", "join.inventory", "undetermined", "no_trail_writes");
    let mut keys = audited.clone();
    let wrong = KEY.replace("0aaa", "0bbb");
    keys["by_key"] = json!({wrong.clone(): {"objects": 3, "bytes": 9}});
    looked(keys).assert_row(&wrong, "join.keys", "violation", "key_not_allowed");
    let (silent, other) = ("account:333333333333/eu-west-1", "account:333333333333/us-east-1");
    for (field, value) in [("month", "2026-09"), ("month", "-"), ("kind", "Config"), ("region", "us-east-1")] {
        let mut old = audited.clone();
        let months = old["by_month"].as_array_mut().unwrap();
        let line = months.iter_mut().find(|line| line["account"] == "333333333333" && line["region"] == "eu-west-1");
        line.unwrap()[field] = json!(value);
        let old = looked(old);
        old.assert_row(silent, "join.delivery", "undetermined", "no_recent_objects");
        old.assert_row(other, "join.delivery", "compliant", "");
    }
    // Where months do not tell Regions apart, accounts are all that there is.
    let mut many = audited.clone();
    many["by_month"] = ACCOUNTS.iter().map(|account| month(account, "(many)", "(many)")).collect();
    many["by_month"][0]["month"] = json!("2026-09");
    let many = looked(many);
    many.assert_row(&format!("account:{}", ACCOUNTS[0]), "join.delivery", "undetermined", "no_recent_objects");
    many.assert_row(&format!("account:{}", ACCOUNTS[1]), "join.delivery", "compliant", "");
    let mut half = audited;
    half["coverage"]["units_examined"] = json!(0);
    looked(half).assert_row(BUCKET_NAME, "join.inventory", "undetermined", "audit_incomplete");
    assert_eq!(looked(json!({"schema": "logseal.digests/1"})).ran.code, Some(3));
}

#[test]
fn proposals_are_written_for_what_they_would_cure() {
    let desk = Desk::new();
    let mut calls = organisation();
    change_trails(&mut calls, |trail| {
        trail["LogFileValidationEnabled"] = json!(false);
        drop(trail.as_object_mut().unwrap().remove("KmsKeyId"));
    });
    change_key_policy(&mut calls, |policy| {
        policy["Statement"][3]["Principal"] = json!("*");
        drop(statements(policy).remove(1));
    });
    change_bucket_policy(&mut calls, |policy| {
        statements(policy).truncate(1);
    });
    answer(&mut calls, "kms get-key-rotation-status")["KeyRotationEnabled"] = json!(false);
    let looked = look_at_lines(&desk, &calls, POLICY);
    let commands = looked.text("fixes/commands.sh");
    for command in [
        "update-trail --name",
        "--kms-key-id",
        "--enable-log-file-validation",
        "enable-key-rotation",
        "put-key-policy",
        "put-bucket-policy",
    ] {
        assert!(commands.contains(command), "{command}: {commands}");
    }
    // The policies that are proposed are those under which nothing is wrong.
    let bucket: Value = serde_json::from_str(&looked.text("fixes/bucket-policy-audit-logs.json")).unwrap();
    let key: Value =
        serde_json::from_str(&looked.text(&format!("fixes/key-policy-{ARCHIVE}-us-east-1-{KEY_ID}.json"))).unwrap();
    let mut cured = organisation();
    *answer(&mut cured, "kms get-key-policy") = as_text(&key);
    *answer(&mut cured, "s3api get-bucket-policy") = as_text(&bucket);
    let cured = look_at_lines(&desk, &cured, POLICY);
    assert_eq!(cured.ran.code, Some(0), "{:?}", cured.ran);
    assert!(!cured.out.join("fixes/commands.sh").exists());
    // What a trail needs comes before the trail.
    let at = |text: &str| commands.find(text).unwrap();
    assert!(at("put-key-policy") < at("update-trail") && at("put-bucket-policy") < at("update-trail"));
    // A script that nobody has read runs nothing.
    let ran = std::process::Command::new("sh").arg(looked.out.join("fixes/commands.sh")).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
}

#[test]
fn the_script_is_printed_as_it_stands() {
    let printed = crate::audits::logseal(["settings", "script"]);
    assert_eq!(printed.code, Some(0));
    assert!(printed.stdout.starts_with("#!/bin/sh"));
    assert_eq!(crate::audits::logseal(["settings"]).code, Some(2));
}

/// A later export beside the first: what of it decides.
fn later(calls: &[Call], change: impl FnOnce(&mut Vec<Call>)) -> String {
    let mut later = calls.to_vec();
    change(&mut later);
    later.iter().map(|call| format!("{}\n", call.line().replace(AT, "2026-11-01T13:00:00Z"))).collect()
}

#[test]
fn what_is_gone_is_not_what_it_was() {
    let desk = Desk::new();
    let looked = |change: &dyn Fn(&mut Vec<Call>)| {
        let calls = organisation();
        let earlier: String = calls.iter().map(|call| format!("{}\n", call.line())).collect();
        let file = desk.file("two.ndjson", &format!("{earlier}{}", later(&calls, |calls| change(calls))));
        Looked::at(&desk, &[&file], POLICY, &[])
    };
    let only = |command: &'static str, code: &'static str| {
        move |calls: &mut Vec<Call>| {
            calls.retain(|call| call.command == command);
            calls.iter_mut().for_each(|call| call.answer = Err(code.into()));
        }
    };
    assert_eq!(looked(&|calls| calls.clear()).ran.code, Some(0));
    for (command, code) in [
        ("s3api get-bucket-policy", "NoSuchBucket"),
        ("kms describe-key", "NotFoundException"),
        ("cloudtrail get-trail-status", "TrailNotFoundException"),
    ] {
        assert_eq!(looked(&only(command, code)).ran.code, Some(3), "{command}");
    }
    // The owner's list decides, whatever copies were listed before.
    let empty = looked(&|calls| {
        calls.retain(|call| call.account == MANAGEMENT && call.command == "cloudtrail describe-trails");
        calls.iter_mut().for_each(|call| call.answer = Ok(json!({"trailList": []})));
    });
    empty.assert_row("account:333333333333", "account.covered", "violation", "no_logging_trail");
    // A page and what passes a filter are parts.
    for parameters in [json!({"key-id": KEY_ID, "marker": "x"}), json!({"key-id": KEY_ID, "grantee-principal": "x"})] {
        let mut line: Value = json!({"account": ARCHIVE, "region": "us-east-1", "command": "kms list-grants", "at": "2026-11-01T13:00:00Z"});
        line["parameters"] = parameters.clone();
        line["output"] = json!({"Grants": [], "Truncated": false});
        let earlier: String = organisation().iter().map(|call| format!("{}\n", call.line())).collect();
        let file = desk.file("filtered.ndjson", &format!("{earlier}{line}\n"));
        let looked = Looked::at(&desk, &[&file], POLICY, &[]);
        looked.assert_row(KEY, "key.decrypt_scope", "undetermined", "grants_absent");
    }
}

#[test]
fn answers_to_other_calls_are_weighed_by_their_times() {
    let desk = Desk::new();
    let looked = |calls: &[Call], newer: &[Call]| {
        let text: String = calls.iter().map(|call| format!("{}\n", call.line())).collect();
        let file = desk.file("weighed.ndjson", &format!("{text}{}", later(newer, |_| ())));
        let everywhere = POLICY.replace("regions = [\"us-east-1\", \"eu-west-1\"]\n", "");
        Looked::at(&desk, &[&file], &everywhere, &[])
    };
    // Regions: those that the other way to ask shows beside.
    let regions = |command: &str, regions: &[&str]| {
        let regions: Vec<Value> = regions.iter().map(|name| json!({"RegionName": name})).collect();
        ACCOUNTS.map(|id| call(id, "us-east-1", command, None, json!({"Regions": regions})))
    };
    let mut calls = organisation();
    calls.extend(regions("account list-regions", &REGIONS));
    assert_eq!(looked(&calls, &[]).ran.code, Some(0));
    let fewer = regions("ec2 describe-regions", &REGIONS[..1]);
    assert_eq!(looked(&calls, &fewer).ran.code, Some(0));
    let more = regions("ec2 describe-regions", &[REGIONS[0], REGIONS[1], "eu-west-3"]);
    let member = "account:333333333333";
    looked(&calls, &more).assert_row(member, "account.trails_known", "undetermined", "region_not_exported");
    let with_more = [calls.clone(), more.to_vec()].concat();
    looked(&with_more, &[]).assert_row(member, "account.trails_known", "undetermined", "regions_absent");
    assert_eq!(looked(&with_more, &regions("account list-regions", &REGIONS)).ran.code, Some(0));
    // An alias: what the key says that was asked for by it.
    let mut calls = organisation();
    calls.extend(regions("account list-regions", &REGIONS));
    let alias = format!("arn:aws:kms:us-east-1:{ARCHIVE}:alias/logs");
    answer(&mut calls, "s3api get-bucket-encryption")["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
        ["KMSMasterKeyID"] = json!(alias);
    let listed = calls
        .iter_mut()
        .find(|call| call.command == "kms list-aliases" && call.account == ARCHIVE && call.region == "us-east-1");
    listed.unwrap().answer = Ok(json!({"Aliases": [{"AliasName": "alias/logs", "TargetKeyId": KEY_ID}]}));
    assert_eq!(looked(&calls, &[]).ran.code, Some(0));
    let asked = |key: &str| {
        let metadata = json!({"Arn": KEY.replace("0aaa", key), "KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "KeyManager": "CUSTOMER"});
        call(ARCHIVE, "us-east-1", "kms describe-key", Some(&alias), json!({"KeyMetadata": metadata}))
    };
    let row =
        |looked: Looked| looked.verdicts()[&(BUCKET_NAME.to_owned(), "bucket.default_encryption".to_owned())].clone();
    assert_eq!(row(looked(&calls, &[asked("0aaa")])).0, "compliant");
    assert_eq!(row(looked(&calls, &[asked("0bbb")])).1, "default_key_not_allowed");
    assert_eq!(row(looked(&[calls.clone(), vec![asked("0bbb")]].concat(), &[])).1, "key_alias_unresolved");
    let gone = Call { answer: Err("NotFoundException".into()), ..asked("0aaa") };
    assert_eq!(row(looked(&calls, &[gone])).1, "key_alias_unresolved");
    // A status in another Region, older than at home.
    let stopped = call(MANAGEMENT, "eu-west-1", "cloudtrail get-trail-status", Some(TRAIL), status(false));
    let mut calls = organisation();
    calls.extend(regions("account list-regions", &REGIONS));
    calls.push(stopped.clone());
    looked(&calls, &[]).assert_row(TRAIL, "trail.logging", "violation", "not_logging");
    let home = call(MANAGEMENT, "us-east-1", "cloudtrail get-trail-status", Some(TRAIL), status(true));
    assert_eq!(looked(&calls, &[home]).ran.code, Some(0));
}

/// What somebody was told beside an export in which nothing is wrong, when (nothing: without a time), and the row that then says so.
type Told = (&'static str, fn() -> Vec<Call>, Option<&'static str>, &'static str, &'static str, &'static str);

const LATER: &str = "2026-11-01T13:00:00Z";
const EARLIER: &str = "2026-11-01T11:00:00Z";

fn refused(account: &str, region: &str, command: &str, parameter: Option<&str>, code: &str) -> Vec<Call> {
    vec![Call { answer: Err(code.into()), ..call(account, region, command, parameter, json!({})) }]
}

fn described(account: &str, id: &str, management: &str) -> Vec<Call> {
    let described = json!({"Organization": {"Id": id, "MasterAccountId": management, "FeatureSet": "ALL"}});
    vec![call(account, "us-east-1", "organizations describe-organization", None, described)]
}

/// The accounts of the organisation and some others, as one of them lists them.
fn listed(asker: &str, others: &[(&str, &str)]) -> Vec<Call> {
    let of_it = ACCOUNTS.iter().map(|id| (*id, "ACTIVE")).chain(others.iter().copied());
    let accounts: Vec<Value> = of_it.map(|(id, status)| json!({"Id": id, "Status": status})).collect();
    vec![call(asker, "us-east-1", "organizations list-accounts", None, json!({"Accounts": accounts}))]
}

fn shows_the_trail(id: &str) -> Vec<Call> {
    let trails = json!({"trailList": [trail_settings()]});
    vec![call(id, "us-east-1", "cloudtrail describe-trails", None, trails)]
}

fn local_trail() -> Value {
    json!({"Name": "local", "S3BucketName": "foreign", "HomeRegion": "us-east-1", "IsOrganizationTrail": false,
        "LogFileValidationEnabled": false, "IsMultiRegionTrail": false, "IncludeGlobalServiceEvents": false,
        "TrailARN": LOCAL})
}

const LOCAL: &str = "arn:aws:cloudtrail:us-east-1:333333333333:trail/local";
const TOLD: &[Told] = &[
    (
        "a trail without a time, that a list lacks",
        || vec![call(MEMBER, "us-east-1", "cloudtrail get-trail", Some("local"), json!({"Trail": local_trail()}))],
        None,
        LOCAL,
        "trail.kms",
        "export_undated",
    ),
    (
        "the status of a trail that nobody listed",
        || vec![call(MEMBER, "us-east-1", "cloudtrail get-trail-status", Some("local"), status(true))],
        Some(LATER),
        LOCAL,
        "trail.kms",
        "trails_absent",
    ),
    (
        "a bucket that another account lists, without a time",
        || vec![call(MEMBER, "us-east-1", "s3api list-buckets", None, json!({"Buckets": [{"Name": BUCKET}]}))],
        None,
        TRAIL,
        "trail.destination",
        "bucket_not_exported",
    ),
    (
        "a bucket that is gone",
        || refused(ARCHIVE, "us-east-1", "s3api get-bucket-versioning", Some(BUCKET), "NoSuchBucket"),
        Some(LATER),
        TRAIL,
        "trail.destination",
        "bucket_not_exported",
    ),
    (
        "a policy that is gone, by its status",
        || refused(ARCHIVE, "us-east-1", "s3api get-bucket-policy-status", Some(BUCKET), "NoSuchBucketPolicy"),
        Some(LATER),
        TRAIL,
        "trail.bucket_write",
        "write_not_allowed",
    ),
    (
        "a member elsewhere, without a time",
        || described(MEMBER, "o-another11111", "999999999999"),
        None,
        "account:333333333333",
        "account.covered",
        "trails_absent",
    ),
    (
        "a member in no organisation, by another call",
        || refused(MEMBER, "us-east-1", "organizations list-roots", None, "AWSOrganizationsNotInUseException"),
        Some(LATER),
        "account:333333333333",
        "account.covered",
        "trails_absent",
    ),
    (
        "the owner of the trail in no organisation",
        || {
            refused(
                MANAGEMENT,
                "us-east-1",
                "organizations describe-organization",
                None,
                "AWSOrganizationsNotInUseException",
            )
        },
        Some(LATER),
        "account:333333333333",
        "account.covered",
        "trails_absent",
    ),
    (
        "the owner of the trail in another organisation, and so another folder",
        || described(MANAGEMENT, "o-another11111", MANAGEMENT),
        None,
        TRAIL,
        "trail.bucket_write",
        "condition_unknown",
    ),
    (
        "an account that no list has, and that is one",
        || {
            let mut calls = described("555555555555", "o-example11111", MANAGEMENT);
            let trails = json!({"trailList": [trail_settings()]});
            calls.push(call("555555555555", "us-east-1", "cloudtrail describe-trails", None, trails));
            calls
        },
        Some(LATER),
        "organization",
        "account.list_known",
        "accounts_not_exported",
    ),
    (
        "trails of a day that has not come, of which one is gone",
        || vec![call(MANAGEMENT, "us-east-1", "cloudtrail describe-trails", None, json!({"trailList": []}))],
        Some("2026-11-09T00:00:00Z"),
        TRAIL,
        "trail.kms",
        "export_in_future",
    ),
    (
        "an account that is new in the list, and shows the trail",
        || {
            let mut calls = listed(MANAGEMENT, &[("555555555555", "ACTIVE")]);
            calls.extend(shows_the_trail("555555555555"));
            calls
        },
        Some(LATER),
        "account:555555555555",
        "account.trails_known",
        "region_not_exported",
    ),
    (
        "a list that lacks whoever asked",
        || vec![Call { account: "444444444444".into(), ..listed(MANAGEMENT, &[]).remove(0) }],
        Some(LATER),
        "organization",
        "account.list_known",
        "accounts_not_exported",
    ),
    (
        "a suspended account that answers whatever call",
        || {
            let mut calls = listed(MANAGEMENT, &[("555555555555", "SUSPENDED")]);
            calls.push(call("555555555555", "us-east-1", "s3api list-buckets", None, json!({"Buckets": []})));
            calls
        },
        Some(LATER),
        "organization",
        "account.list_known",
        "accounts_not_exported",
    ),
    (
        "an organisation that another account manages now",
        || {
            let mut calls = described(ARCHIVE, "o-second222222", ARCHIVE);
            calls.extend(listed(ARCHIVE, &[]));
            calls
        },
        Some(LATER),
        "account:333333333333",
        "account.covered",
        "trails_absent",
    ),
    (
        "an organisation that nobody lists",
        || {
            let mut calls = described("444444444444", "o-second222222", "444444444444");
            let none = |region: &str| {
                call("444444444444", region, "cloudtrail describe-trails", None, json!({"trailList": []}))
            };
            calls.extend(REGIONS.map(none));
            calls
        },
        Some(LATER),
        "organization",
        "account.list_known",
        "accounts_not_exported",
    ),
    (
        "a status elsewhere, without a time",
        || vec![call(MANAGEMENT, "eu-west-1", "cloudtrail get-trail-status", Some(TRAIL), status(false))],
        None,
        TRAIL,
        "trail.logging",
        "export_undated",
    ),
    (
        "a list elsewhere that lacks the trail, without a time",
        || vec![call(MEMBER, "eu-west-1", "cloudtrail describe-trails", None, json!({"trailList": []}))],
        None,
        "account:333333333333",
        "account.covered",
        "sources_disagree",
    ),
    (
        "what is told twice without a time, and not alike",
        || {
            let asked = |status: &str| {
                call(ARCHIVE, "us-east-1", "s3api get-bucket-versioning", Some(BUCKET), json!({"Status": status}))
            };
            vec![asked("Enabled"), asked("Suspended")]
        },
        None,
        BUCKET_NAME,
        "bucket.versioning",
        "export_undated",
    ),
    (
        "an account that no list has, without a time",
        || described("555555555555", "o-example11111", MANAGEMENT),
        None,
        "organization",
        "account.list_known",
        "accounts_not_exported",
    ),
    (
        "an account that no list has, that policies are attached to",
        || {
            let targets = json!({"Targets": [{"TargetId": "555555555555", "Type": "ACCOUNT"}]});
            vec![call(MANAGEMENT, "us-east-1", "organizations list-targets-for-policy", Some("p-1"), targets)]
        },
        Some(LATER),
        "organization",
        "account.list_known",
        "accounts_not_exported",
    ),
    (
        "the status of a trail in a place that nobody asked for its trails",
        || {
            let elsewhere = "arn:aws:cloudtrail:us-west-2:333333333333:trail/local";
            vec![call(MEMBER, "us-west-2", "cloudtrail get-trail-status", Some(elsewhere), status(true))]
        },
        Some(AT),
        "arn:aws:cloudtrail:us-west-2:333333333333:trail/local",
        "trail.kms",
        "trails_absent",
    ),
    (
        "a trail that was not there and is again",
        || {
            let mut calls =
                refused(MANAGEMENT, "us-east-1", "cloudtrail get-trail-status", Some(TRAIL), "TrailNotFoundException");
            calls.push(call(
                MANAGEMENT,
                "us-east-1",
                "cloudtrail get-event-selectors",
                Some(TRAIL),
                json!({"EventSelectors": []}),
            ));
            calls
        },
        Some(LATER),
        TRAIL,
        "trail.kms",
        "trails_absent",
    ),
    (
        "a bucket that was not there, and whose policy is told again",
        || {
            let mut calls = refused(ARCHIVE, "us-east-1", "s3api get-bucket-logging", Some(BUCKET), "NoSuchBucket");
            calls.push(call(ARCHIVE, "us-east-1", "s3api get-bucket-policy", Some(BUCKET), as_text(&bucket_policy())));
            calls
        },
        Some(LATER),
        BUCKET_NAME,
        "bucket.versioning",
        "versioning_absent",
    ),
    (
        "a bucket that its owner lists no more",
        || {
            vec![
                call(ARCHIVE, "us-east-1", "s3api list-buckets", None, json!({"Buckets": []})),
                Call {
                    expected_owner: Some(ARCHIVE),
                    ..call(
                        ARCHIVE,
                        "us-east-1",
                        "s3api get-bucket-location",
                        Some(BUCKET),
                        json!({"LocationConstraint": null}),
                    )
                },
            ]
        },
        Some(LATER),
        BUCKET_NAME,
        "bucket.versioning",
        "versioning_absent",
    ),
    (
        "an owner of a time that has not come",
        || {
            let asked = call(ARCHIVE, "us-east-1", "s3api get-bucket-logging", Some(BUCKET), json!({}));
            vec![
                Call { expected_owner: Some(ARCHIVE), ..asked },
                call(MEMBER, "us-east-1", "s3api list-buckets", None, json!({"Buckets": [{"Name": BUCKET}]})),
            ]
        },
        Some("2026-11-02T20:00:00Z"),
        TRAIL,
        "trail.destination",
        "bucket_not_exported",
    ),
    (
        "a list of access that cannot be of such a bucket",
        || {
            let rules = json!({"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}});
            let everybody = json!({"Grants": [{"Grantee": {"URI": "http://acs.amazonaws.com/groups/global/AllUsers"}, "Permission": "READ"}]});
            let block = json!({"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": true}});
            let ask = |command: &str, output| call(ARCHIVE, "us-east-1", command, Some(BUCKET), output);
            vec![
                ask("s3api get-bucket-ownership-controls", rules),
                ask("s3api get-bucket-acl", everybody),
                ask("s3api get-public-access-block", block),
            ]
        },
        Some(LATER),
        BUCKET_NAME,
        "bucket.public",
        "sources_disagree",
    ),
];

#[test]
fn what_is_told_beside_an_export_counts() {
    let desk = Desk::new();
    for (name, told, at, resource, check, reason) in TOLD {
        let text: String = organisation().iter().map(|call| format!("{}\n", call.line())).collect();
        let told: String = told().iter().map(|call| format!("{}\n", call.line_at(*at))).collect();
        let file = desk.file("told.ndjson", &format!("{text}{told}"));
        let looked = Looked::at(&desk, &[&file], POLICY, &[]);
        let rows = looked.verdicts();
        let found = rows.get(&((*resource).to_owned(), (*check).to_owned())).map(|(_, reason)| reason.as_str());
        assert_eq!(found, Some(*reason), "{name}: {:?}", looked.ran);
        assert_ne!(looked.ran.code, Some(0), "{name}");
    }
}

/// Things that were told one after the other, beside an export in which nothing is wrong.
#[test]
fn what_was_told_before_and_after_is_weighed() {
    let desk = Desk::new();
    let looked = |policy: &str, told: &[(Option<&str>, Vec<Call>)]| {
        let all = [(Some(AT), organisation())];
        let lines = all.iter().chain(told).flat_map(|(at, calls)| calls.iter().map(|call| call.line_at(*at) + "\n"));
        Looked::at(&desk, &[&desk.file("told.ndjson", &lines.collect::<String>())], policy, &[])
    };
    const STRANGER: &str = "555555555555";
    const LAST: &str = "2026-11-01T13:30:00Z";
    // An account that the newest list of its organisation lacks, and that shows the trail since; a newer list of another
    // organisation says nothing of it.
    let unlisted = looked(
        POLICY,
        &[(Some(EARLIER), listed(ARCHIVE, &[(STRANGER, "ACTIVE")])), (Some(LATER), shows_the_trail(STRANGER))],
    );
    unlisted.assert_row("organization", "account.list_known", "undetermined", "accounts_not_exported");
    let elsewhere = json!({"Accounts": [{"Id": "777777777777", "Status": "ACTIVE"}]});
    let elsewhere = vec![call("777777777777", "us-east-1", "organizations list-accounts", None, elsewhere)];
    let two = looked(POLICY, &[(Some(LATER), shows_the_trail(STRANGER)), (Some(LAST), elsewhere)]);
    two.assert_row("organization", "account.list_known", "undetermined", "accounts_not_exported");
    // A trail of which only copies were seen, and that no longer has them: it may be of one Region now.
    let far = TRAIL.replace("us-east-1", "ap-south-1").replace("all", "far");
    let mut copy = trail_settings();
    copy["TrailARN"] = json!(far);
    copy["Name"] = json!("far");
    copy["HomeRegion"] = json!("ap-south-1");
    copy.as_object_mut().unwrap().remove("KmsKeyId");
    let copies = json!({"trailList": [trail_settings(), copy]});
    let copies = vec![call(MEMBER, "eu-west-1", "cloudtrail describe-trails", None, copies)];
    looked(POLICY, &[(Some(EARLIER), copies)]).assert_row(&far, "trail.kms", "undetermined", "trails_absent");
    // A bucket that was another's, and became this one's nobody knows when.
    let list =
        |id: &str| vec![call(id, "us-east-1", "s3api list-buckets", None, json!({"Buckets": [{"Name": BUCKET}]}))];
    let handed = looked(POLICY, &[(Some(EARLIER), list("999999999999")), (None, list(ARCHIVE))]);
    handed.assert_row(BUCKET_NAME, "bucket.versioning", "undetermined", "export_undated");
    // A Region that was disabled, and refuses what it was asked later: it recognised who asked.
    let everywhere = POLICY.replace("regions = [\"us-east-1\", \"eu-west-1\"]\n", "");
    let regions = |others: &str| {
        let all = REGIONS
            .iter()
            .map(|name| json!({"RegionName": name}))
            .chain([json!({"RegionName": "me-south-1", "RegionOptStatus": others})]);
        let all = json!({"Regions": all.collect::<Vec<_>>()});
        ACCOUNTS.map(|id| call(id, "us-east-1", "account list-regions", None, all.clone())).to_vec()
    };
    let disabled = (Some(AT), regions("DISABLED"));
    for (at, code, passes) in
        [(AT, "AccessDenied", true), (LATER, "AccessDenied", false), (LATER, "UnrecognizedClientException", true)]
    {
        let asked = refused(MEMBER, "me-south-1", "cloudtrail describe-trails", None, code);
        let looked = looked(&everywhere, &[disabled.clone(), (Some(at), asked)]);
        assert_eq!(looked.ran.code == Some(0), passes, "{at} {code}: {:?}", looked.ran);
    }
    // Whose key it is that somebody asked for is not one of us.
    let named = POLICY
        .replace("accounts = \"organization\"", "accounts = [\"111111111111\", \"222222222222\", \"333333333333\"]");
    let foreign = KEY.replace(ARCHIVE, "999999999999");
    let metadata = json!({"KeyMetadata": {"Arn": foreign, "KeyState": "Enabled", "KeyManager": "CUSTOMER"}});
    let asked = vec![call(ARCHIVE, "us-east-1", "kms describe-key", Some(&foreign), metadata)];
    let mut policy = bucket_policy();
    let write = json!({"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": format!("arn:aws:s3:::{BUCKET}/AWSLogs/*"), "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}});
    statements(&mut policy).push(write);
    let policy = vec![call(ARCHIVE, "us-east-1", "s3api get-bucket-policy", Some(BUCKET), as_text(&policy))];
    let without = |told: &[(Option<&str>, Vec<Call>)]| {
        let row = (BUCKET_NAME.to_owned(), "bucket.write_scope".to_owned());
        looked(&named, told).verdicts()[&row].clone()
    };
    let alone = without(&[(Some(LATER), policy.clone())]);
    assert_ne!(alone.0, "compliant");
    assert_eq!(without(&[(Some(LATER), policy), (Some(LATER), asked)]), alone);
}

/// Who can decrypt, as key policy, grants and the standard say it together.
#[test]
fn whole_accounts_grants_and_denials_are_weighed_together() {
    let desk = Desk::new();
    let scope = |decrypt: &str, statement: Value, grants: Value| {
        let mut calls = organisation();
        change_key_policy(&mut calls, |policy| statements(policy).push(statement.clone()));
        answer(&mut calls, "kms list-grants")["Grants"] = grants;
        let policy = POLICY
            .replace("decrypt = [\"arn:aws:iam::222222222222:role/security-*\"]", &format!("decrypt = {decrypt}"));
        look_at_lines(&desk, &calls, &policy).verdicts()[&(KEY.to_owned(), "key.decrypt_scope".to_owned())].1.clone()
    };
    let reader = "arn:aws:iam::222222222222:role/security-analyst";
    let of = |principal: &str, condition: Value| json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:Decrypt", "Resource": "*", "Condition": condition});
    let member = "arn:aws:iam::333333333333:role/x";
    let nobody = json!({"Sid": "Nothing", "Effect": "Deny", "Principal": "*", "Action": "kms:Sign", "Resource": "*"});
    let with = |more: &str| format!("[\"{reader}\", \"{more}\"]");
    // The root of an account stands for all of it; a pattern that takes its name does not.
    assert_eq!(scope(&with("arn:aws:iam::333333333333:root"), of(member, json!({})), json!([])), "");
    assert_eq!(
        scope(&with("arn:aws:iam::444444444444:root"), of(member, json!({})), json!([])),
        "decrypt_principal_not_allowed"
    );
    let account = of("*", json!({"StringEquals": {"kms:CallerAccount": "333333333333"}}));
    assert_eq!(scope(&with("arn:aws:iam::333333333333:root"), account.clone(), json!([])), "");
    assert_eq!(scope(&with("arn:aws:iam::333333333333:r*"), account, json!([])), "decrypt_account_not_allowed");
    // A policy that denies is stronger than a grant, if it denies all that the grant is for.
    let grant = |operations: Value| json!([{"KeyId": KEY, "GrantId": "g", "GranteePrincipal": member, "Operations": operations}]);
    let deny = |actions: Value| json!({"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*", "Condition": {"ArnNotEquals": {"aws:PrincipalArn": reader}}});
    let all = with(reader);
    assert_eq!(scope(&all, nobody.clone(), grant(json!(["Decrypt"]))), "decrypt_grant_not_allowed");
    assert_eq!(scope(&all, deny(json!(["kms:Decrypt"])), grant(json!(["Decrypt"]))), "");
    assert_eq!(
        scope(&all, deny(json!(["kms:Decrypt"])), grant(json!(["Decrypt", "ReEncryptFrom"]))),
        "decrypt_grant_not_allowed"
    );
    // Whoever denies the root user of an account does not deny the account.
    let of_whole = json!([{"KeyId": KEY, "GrantId": "g", "GranteePrincipal": "arn:aws:iam::333333333333:root", "Operations": ["Decrypt"]}]);
    assert_eq!(scope(&all, deny(json!(["kms:Decrypt"])), of_whole), "decrypt_grant_not_allowed");
    // Where those who are left may all, IAM need not be asked.
    let own = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"}, "Action": "kms:*", "Resource": "*",
        "Condition": {"ArnEquals": {"aws:PrincipalArn": reader}}});
    assert_eq!(scope(&all, own.clone(), json!([])), "");
    assert_eq!(
        scope(
            "[\"arn:aws:iam::222222222222:role/security-analyst\"]",
            json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"}, "Action": "kms:*", "Resource": "*"}),
            json!([])
        ),
        "iam_decides"
    );
    // A key in two spellings, and a member of the policy that nobody knows.
    let twice = json!({"ArnEquals": {"aws:PrincipalArn": reader, "AWS:PrincipalArn": member}});
    assert_eq!(scope(&all, of("*", twice), json!([])), "key_policy_unreadable");
}

/// Nobody knows when in its time an export was told something.
#[test]
fn a_long_export_is_as_old_as_its_beginning_and_as_new_as_its_end() {
    let desk = Desk::new();
    let exported = |name: &str, started: &str, finished: &str, change: &dyn Fn(&mut Vec<Call>)| {
        let (root, mut calls) = (desk.path(name), organisation());
        change(&mut calls);
        write_tree(&root, &calls);
        fs::write(root.join("export.json"), json!({"started": started, "finished": finished}).to_string()).unwrap();
        root
    };
    let (began, ended) = ("2026-11-01T09:00:00Z", "2026-11-01T13:00:00Z");
    let delivered = |at: &'static str| {
        move |calls: &mut Vec<Call>| {
            let status = answer(calls, "cloudtrail get-trail-status");
            status["LatestDeliveryTime"] = json!(at);
            status["LatestDigestDeliveryTime"] = json!(at);
        }
    };
    let row = |root: &Path, policy: &str| {
        Looked::at(&desk, &[root], policy, &[]).verdicts()[&(TRAIL.to_owned(), "trail.delivery".to_owned())].clone()
    };
    let verdict = |at: &'static str, policy: &str| row(&exported(at, began, ended, &delivered(at)), policy).1;
    assert_eq!(verdict("2026-11-01T12:55:00Z", POLICY), "");
    assert_eq!(verdict("2026-10-31T10:00:00Z", POLICY), "export_too_long");
    assert_eq!(verdict("2026-10-31T08:00:00Z", POLICY), "delivery_stale");
    assert_eq!(verdict("2026-11-01T14:30:00Z", POLICY), "export_in_future");
    // The other was begun later, and this one may have been told later.
    let without_key =
        |calls: &mut Vec<Call>| change_trails(calls, |trail| drop(trail.as_object_mut().unwrap().remove("KmsKeyId")));
    let long = exported("long", began, ended, &without_key);
    let short = exported("short", "2026-11-01T10:00:00Z", "2026-11-01T10:10:00Z", &|_| ());
    let both = Looked::at(&desk, &[&long, &short], POLICY, &[]);
    both.assert_row(TRAIL, "trail.kms", "undetermined", "sources_disagree");
    let short = exported("after", "2026-11-01T13:10:00Z", "2026-11-01T13:20:00Z", &|_| ());
    assert_eq!(Looked::at(&desk, &[&long, &short], POLICY, &[]).ran.code, Some(0));
    // So are answers to different calls, of which nobody knows which is the newer.
    let line = |calls: Vec<Call>| {
        let lines: String = calls.iter().map(|call| call.line_at(Some("2026-11-01T10:00:00Z")) + "\n").collect();
        desk.file("line.ndjson", &lines)
    };
    let of = |root: &Path, calls: Vec<Call>, resource: &str, check: &str| {
        let looked = Looked::at(&desk, &[root, &line(calls)], POLICY, &[]);
        looked.verdicts()[&(resource.to_owned(), check.to_owned())].1.clone()
    };
    let public = |calls: &mut Vec<Call>| {
        calls.retain(|call| call.command != "s3api get-public-access-block");
        let status = json!({"PolicyStatus": {"IsPublic": true}});
        calls.push(call(ARCHIVE, "us-east-1", "s3api get-bucket-policy-status", Some(BUCKET), status));
        calls.push(call(ARCHIVE, "us-east-1", "s3control get-public-access-block", Some(ARCHIVE), json!({})));
    };
    let policy =
        || vec![call(ARCHIVE, "us-east-1", "s3api get-bucket-policy", Some(BUCKET), as_text(&bucket_policy()))];
    assert_ne!(of(&exported("public", began, ended, &public), policy(), BUCKET_NAME, "bucket.public"), "");
    let stranger = |calls: &mut Vec<Call>| calls.extend(shows_the_trail("555555555555"));
    let root = exported("stranger", began, ended, &stranger);
    assert_eq!(of(&root, listed(MANAGEMENT, &[]), "organization", "account.list_known"), "accounts_not_exported");
    // What was there before the export began is there; and one policy in two forms is one.
    let made = json!({"Buckets": [{"Name": BUCKET, "CreationDate": "2026-11-01T08:30:00Z"}]});
    let young =
        |calls: &mut Vec<Call>| calls.push(call(ARCHIVE, "us-east-1", "s3api list-buckets", None, made.clone()));
    let young = exported("young", began, ended, &young);
    let mut spaced = policy();
    spaced[0].answer = Ok(json!({"Policy": serde_json::to_string_pretty(&bucket_policy()).unwrap()}));
    assert_eq!(of(&young, spaced, BUCKET_NAME, "bucket.tls"), "");
    let open = exported("open", began, "2026-11-01T15:00:00Z", &|_| ());
    Looked::at(&desk, &[&open], POLICY, &[]).assert_row(TRAIL, "trail.kms", "undetermined", "export_in_future");
}

#[test]
fn events_of_global_services_are_asked_for_with_writes() {
    let desk = Desk::new();
    let mut calls = organisation();
    change_trails(&mut calls, |trail| trail["IncludeGlobalServiceEvents"] = json!(false));
    for (demand, verdict, reason) in
        [("all", "violation", "events_not_all"), ("writes", "violation", "events_not_all"), ("any", "compliant", "")]
    {
        let policy = POLICY.replace("management_events = \"all\"", &format!("management_events = \"{demand}\""));
        look_at_lines(&desk, &calls, &policy).assert_row(TRAIL, "trail.management_events", verdict, reason);
    }
}

/// Lists of policies and what switches them on are the organisation's, whoever asked.
#[test]
fn the_newest_list_of_policies_counts_whoever_asked() {
    let desk = Desk::new();
    let demand = "[settings.guardrails]\ndeny = [\"cloudtrail:StopLogging\"]\n";
    let guarded = format!("{POLICY}\n{demand}");
    let deny = |action: &str| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"}]});
    let looked = |kind: &str, policy: &Value, standard: &str, told: &[Call], at: &str| {
        let mut calls = organisation();
        calls.extend(organization_policy(kind, policy));
        let accounts: Vec<Value> = ACCOUNTS.iter().map(|id| json!({"Id": id})).collect();
        calls.push(call(ARCHIVE, "us-east-1", "organizations list-accounts", None, json!({"Accounts": accounts})));
        let text: String = calls.iter().map(|call| format!("{}\n", call.line())).collect();
        let told: String = told.iter().map(|call| format!("{}\n", call.line_at(Some(at)))).collect();
        let file = desk.file("policies.ndjson", &format!("{text}{told}"));
        Looked::at(&desk, &[&file], standard, &[])
    };
    let delegated =
        |command: &str, parameter: Option<&str>, output| call(ARCHIVE, "us-east-1", command, parameter, output);
    let roots = delegated("organizations list-roots", None, json!({"Roots": [{"Id": "r-1", "PolicyTypes": []}]}));
    let none = |kind: &str| delegated("organizations list-policies", Some(kind), json!({"Policies": []}));
    let (service, resource) = ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY");
    let mut stop = deny("cloudtrail:StopLogging");
    stop["Statement"][0].as_object_mut().unwrap().remove("Principal");
    let scp = |told: &[Call], at: &str, verdict: &str, reason: &str| {
        looked(service, &stop, &guarded, told, at).assert_row("account:333333333333", "guardrail.scp", verdict, reason);
    };
    scp(&[], LATER, "compliant", "");
    scp(&[none(service)], LATER, "violation", "not_denied");
    scp(&[none(service)], EARLIER, "compliant", "");
    scp(std::slice::from_ref(&roots), LATER, "violation", "not_denied");
    scp(std::slice::from_ref(&roots), EARLIER, "undetermined", "condition_unknown");
    let rcp = |told: &[Call], at: &str, verdict: &str, reason: &str| {
        looked(resource, &deny("kms:*"), POLICY, told, at).assert_row(TRAIL, "trail.key_encrypt", verdict, reason);
    };
    rcp(&[], LATER, "violation", "encrypt_denied");
    rcp(&[none(resource)], LATER, "compliant", "");
    rcp(&[none(resource), roots], EARLIER, "undetermined", "policies_absent");
    // Whoever left is bound by nothing that anybody here knows.
    let alone = refused(MEMBER, "us-east-1", "organizations list-accounts", None, "AWSOrganizationsNotInUseException");
    scp(&alone, LATER, "undetermined", "policies_absent");
    let archive_alone = described(ARCHIVE, "o-another11111", "999999999999");
    rcp(&archive_alone, LATER, "undetermined", "policies_absent");
}

#[test]
fn strangers_are_those_whom_a_policy_names_or_spares() {
    let desk = Desk::new();
    let looked = |allow: Value, spared: Option<Value>| {
        let mut calls = organisation();
        change_bucket_policy(&mut calls, |policy| {
            for statement in statements(policy).iter_mut().filter(|it| it["Action"] == "s3:PutObject") {
                statement["Condition"] = allow.clone();
            }
            if let Some(condition) = spared {
                let principal = json!({"Service": "cloudtrail.amazonaws.com"});
                statements(policy).push(json!({"Effect": "Deny", "Principal": principal, "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*"), "Condition": condition}));
            }
        });
        look_at_lines(&desk, &calls, POLICY).verdicts()[&(BUCKET_NAME.to_owned(), "bucket.write_scope".to_owned())]
            .clone()
    };
    let violation = ("violation".to_owned(), "no_source_condition".to_owned());
    let open = || json!({"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}});
    let spares = |condition: Value| looked(open(), Some(condition));
    assert_eq!(spares(json!({"StringNotEquals": {"aws:SourceAccount": [MANAGEMENT]}})).0, "compliant");
    for spared in [
        json!({"StringNotEquals": {"aws:SourceAccount": [MANAGEMENT, "555555555555"]}}),
        json!({"StringNotLike": {"aws:SourceAccount": ["55*", MANAGEMENT]}}),
        json!({"ArnNotLike": {"aws:SourceArn": "arn:aws:cloudtrail:*:*:trail/all"}}),
    ] {
        assert_eq!(spares(spared.clone()), violation, "{spared}");
    }
    for unclear in [
        json!({"StringLike": {"aws:SourceArn": "*111111111111*"}}),
        json!({"StringLike": {"aws:SourceArn": "arn:aws:cloudtrail:us-east-1:${aws:SourceAccount}:trail/all"}}),
    ] {
        assert_ne!(looked(unclear.clone(), None).0, "compliant", "{unclear}");
    }
    let both = json!({"ArnLike": {"aws:SourceArn": "arn:aws:cloudtrail:us-west-2:*:trail/management-events"}, "StringLike": {"aws:SourceAccount": "3*"}});
    assert_eq!(looked(both, None), violation);
    let source = |operator: &str, value: &str| json!({operator: {"aws:SourceArn": value}});
    for proven in [
        source("StringLike", "arn:aws:cloudtrail:*:*:*-audit"),
        source("StringLike", "*BaselineCloudTrail"),
        source("ArnLike", "arn:aws:cloudtrail:*:*:eventdatastore/*"),
        json!({"StringLike": {"aws:SourceAccount": "33333333333?"}}),
    ] {
        assert_eq!(looked(proven.clone(), None), violation, "{proven}");
    }
    // Nobody who is tried may, and some others may.
    for unclear in [
        source("StringLike", "arn:aws:cloudtrail:*:*:t*/abc"),
        source("ArnNotLike", "arn:aws:cloudtrail:u?-*:*:trail/*"),
        json!({"StringNotLike": {"aws:SourceAccount": ["0*", "1*", "2*", "33*", "4*", "5*", "6*", "7*", "8*", "9*"]}}),
        json!({"NumericLessThan": {"aws:SourceAccount": "500"}}),
        json!({"StringEqualsIgnoreCase": {"aws:SourceArn": "arn:aws:cloudtrail:us-east-1:444444444499:TRAIL/abc"}}),
    ] {
        assert_ne!(looked(unclear.clone(), None).0, "compliant", "{unclear}");
    }
    for spared in [
        json!({"NumericNotEquals": {"aws:SourceAccount": [MANAGEMENT, "1000"]}}),
        json!({"StringNotLike": {"aws:SourceArn": [TRAIL, "*/abc"]}}),
        json!({"StringNotEqualsIgnoreCase": {"aws:SourceArn": [TRAIL, "arn:aws:cloudtrail:us-east-1:444444444499:TRAIL/abc"]}}),
    ] {
        assert_ne!(spares(spared.clone()).0, "compliant", "{spared}");
    }
    // What two statements leave between them.
    let allow = json!({"ArnLike": {"aws:SourceArn": "arn:aws:cloudtrail:us-*:*:trail/*"}});
    let spared = json!({"StringNotLike": {"aws:SourceArn": [TRAIL, "*-west-2:*:trail/*"]}});
    assert_ne!(looked(allow, Some(spared)).0, "compliant");
    // Ours are let in by number, by pattern and in any case; and what is about other deeds is no matter.
    for ours in [
        json!({"StringLike": {"aws:SourceArn": "arn:aws:cloudtrail:*:111111111111:trail/*"}}),
        json!({"StringEquals": {"aws:SourceAccount": [MANAGEMENT, "333333333333"]}}),
        json!({"StringEqualsIgnoreCase": {"aws:SourceAccount": MANAGEMENT}}),
        json!({"ArnEquals": {"aws:SourceArn": "arn:*:cloudtrail:*:111111111111:*"}}),
    ] {
        assert_eq!(looked(ours.clone(), None).0, "compliant", "{ours}");
        assert_eq!(looked(ours.clone(), Some(json!({"StringEquals": {"aws:SourceAccount": "9*"}}))).0, "compliant");
    }
}

/// The verdict on who may write, where the policy of the bucket allows it to these sources only.
fn write_scope_for(desk: &Desk, calls: &mut [Call], condition: Value) -> (String, String) {
    change_bucket_policy(calls, |policy| {
        for statement in statements(policy).iter_mut().filter(|it| it["Action"] == "s3:PutObject") {
            statement["Condition"] = condition.clone();
        }
    });
    look_at_lines(desk, calls, POLICY).verdicts()[&(BUCKET_NAME.to_owned(), "bucket.write_scope".to_owned())].clone()
}

#[test]
fn strangers_are_whoever_is_none_of_ours() {
    let desk = Desk::new();
    let account = |id: &str| json!({"StringEquals": {"aws:SourceAccount": [MANAGEMENT, id]}});
    let spared = |condition: Value| write_scope_for(&desk, &mut organisation(), condition);
    // As Control Tower writes it, and as others do who let several services in.
    for ours in [
        json!({"StringEquals": {"aws:SourceOrgID": "o-example11111"}}),
        json!({"ArnLike": {"aws:SourceArn": ["arn:aws:cloudtrail:*:111111111111:*", "arn:aws:config:*:111111111111:*"]}}),
        json!({"ArnLike": {"aws:SourceArn": "arn:aws:*:*:111111111111:*"}}),
    ] {
        assert_eq!(spared(ours.clone()).0, "compliant", "{ours}");
    }
    assert_ne!(spared(json!({"StringEquals": {"aws:SourceOrgID": "o-example22222"}})).0, "compliant");
    // What is told of an account that no list has decides whether it is ours.
    let with = |change: &dyn Fn(&mut Vec<Call>), id: &str| {
        let mut calls = organisation();
        change(&mut calls);
        write_scope_for(&desk, &mut calls, account(id)).0
    };
    let asked = |answer: Result<Value, String>| {
        move |calls: &mut Vec<Call>| {
            let mut trails =
                call("555555555555", "us-east-1", "cloudtrail describe-trails", None, json!({"trailList": []}));
            trails.answer = answer.clone();
            calls.push(trails);
        }
    };
    let (empty, refused) = (|| Ok(json!({"trailList": []})), || Err("AccessDeniedException".to_owned()));
    let no_lists = |calls: &mut Vec<Call>| calls.retain(|call| call.command != "organizations list-accounts");
    let alone = |calls: &mut Vec<Call>| {
        let mut none = call("555555555555", "us-east-1", "organizations describe-organization", None, json!({}));
        none.answer = Err("AWSOrganizationsNotInUseException".into());
        calls.push(none);
    };
    let incomplete = |calls: &mut Vec<Call>| answer(calls, "organizations list-accounts")["NextToken"] = json!("x");
    assert_eq!(with(&asked(empty()), "555555555555"), "undetermined", "in no list");
    assert_eq!(
        with(
            &|calls| {
                asked(empty())(calls);
                alone(calls)
            },
            "555555555555"
        ),
        "compliant",
        "in none"
    );
    assert_eq!(
        with(
            &|calls| {
                asked(empty())(calls);
                incomplete(calls)
            },
            "555555555555"
        ),
        "undetermined",
        "a page"
    );
    assert_eq!(
        with(
            &|calls| {
                asked(empty())(calls);
                no_lists(calls)
            },
            "555555555555"
        ),
        "compliant",
        "no list"
    );
    assert_eq!(
        with(
            &|calls| {
                asked(refused())(calls);
                no_lists(calls)
            },
            "555555555555"
        ),
        "undetermined",
        "refused"
    );
    // A pattern that only one account matches, which is perhaps ours, proves nothing.
    let mut calls = organisation();
    asked(empty())(&mut calls);
    let one = json!({"StringLike": {"aws:SourceAccount": "555555555555*"}});
    assert_eq!(write_scope_for(&desk, &mut calls, one).0, "undetermined");
}

/// Lists without ARNs do not say of which organisation they are: whoever asked says it, and nobody else.
#[test]
fn who_manages_an_organisation_of_its_own_is_not_of_this_one() {
    let desk = Desk::new();
    let told = |change: &dyn Fn(&mut Vec<Call>), condition: Value| {
        let mut calls = organisation();
        answer(&mut calls, "organizations list-accounts")["Accounts"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|account| drop(account.as_object_mut().unwrap().remove("Arn")));
        change(&mut calls);
        write_scope_for(&desk, &mut calls, condition);
        let looked = look_at_lines(&desk, &calls, POLICY);
        let verdict =
            |resource: &str, check: &str| looked.verdicts()[&(resource.to_owned(), check.to_owned())].0.clone();
        (
            verdict("account:333333333333", "account.covered"),
            verdict(BUCKET_NAME, "bucket.write_scope"),
            looked.ran.code,
        )
    };
    let member = json!({"StringEquals": {"aws:SourceAccount": [MANAGEMENT, "333333333333"]}});
    let (covered, scope, code) = told(&|_| (), member.clone());
    assert_eq!((&*covered, &*scope, code), ("compliant", "compliant", Some(0)));
    let leaves = |calls: &mut Vec<Call>| calls.extend(described("333333333333", "o-other222222", "333333333333"));
    let (covered, scope, code) = told(&leaves, member);
    assert_eq!((&*covered, &*scope, code), ("undetermined", "undetermined", Some(3)));
    let (_, scope, _) = told(&leaves, json!({"StringEquals": {"aws:SourceOrgID": "o-other222222"}}));
    assert_ne!(scope, "compliant");
}

/// A list that is old or has no time says who was ours, and any word against it counts.
#[test]
fn an_undated_list_is_no_word_against_a_dated_one() {
    let desk = Desk::new();
    let looked = |says: Vec<Call>| {
        let mut calls = organisation();
        write_scope_for(
            &desk,
            &mut calls,
            json!({"StringEquals": {"aws:SourceAccount": [MANAGEMENT, "333333333333"]}}),
        );
        let line = |call: &Call| match call.command == "organizations list-accounts" {
            true => call.line_at(None),
            false => call.line(),
        };
        let lines: Vec<String> = calls.iter().chain(&says).map(line).collect();
        let file = desk.file("undated.ndjson", &lines.join("\n"));
        let row = (BUCKET_NAME.to_owned(), "bucket.write_scope".to_owned());
        Looked::at(&desk, &[&file], POLICY, &[]).verdicts()[&row].0.clone()
    };
    assert_eq!(looked(Vec::new()), "compliant");
    assert_eq!(looked(described("333333333333", "o-other222222", "333333333333")), "undetermined");
}

#[test]
fn accounts_of_cloudtrail_and_unknown_partitions_are_not_nobody() {
    let desk = Desk::new();
    let mut calls = organisation();
    change_bucket_policy(&mut calls, |policy| {
        let principal = json!({"AWS": ["arn:aws:iam::903692715234:root", "086441151436"]});
        statements(policy).push(json!({"Effect": "Allow", "Principal": principal, "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*")}));
    });
    let row = (BUCKET_NAME.to_owned(), "bucket.write_scope".to_owned());
    let verdict = look_at_lines(&desk, &calls, POLICY).verdicts()[&row].clone();
    assert_eq!(verdict, ("undetermined".to_owned(), "principal_unresolved".to_owned()));
    // By any name of the action; and roles, and accounts of ours, are nobody's trail.
    for (principal, action, expected) in [
        ("086441151436", "s3:Put*", "undetermined"),
        ("arn:aws:iam::086441151436:root", "s3:*", "undetermined"),
        ("arn:aws:iam::222222222222:role/writer", "s3:PutObject", "compliant"),
        (MANAGEMENT, "s3:PutObject", "compliant"),
    ] {
        let mut calls = organisation();
        change_bucket_policy(&mut calls, |policy| {
            statements(policy).push(json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": format!("arn:aws:s3:::{BUCKET}/*")}));
        });
        assert_eq!(look_at_lines(&desk, &calls, POLICY).verdicts()[&row].0, expected, "{principal} {action}");
    }
    // Everything as it would be in another partition, and nobody asked where the bucket is.
    let lines: Vec<String> = {
        let mut calls = organisation();
        calls.retain(|call| call.command != "s3api get-bucket-location" && call.command != "s3api head-bucket");
        change_bucket_policy(&mut calls, |policy| {
            for statement in statements(policy).iter_mut().filter(|it| it["Action"] == "s3:PutObject") {
                statement["Condition"] = json!({});
            }
        });
        calls
            .iter()
            .map(|call| call.line().replace("arn:aws:", "arn:aws-us-gov:").replace("us-east-1", "us-gov-west-1"))
            .collect()
    };
    let file = desk.file("gov.ndjson", &lines.join("\n"));
    let looked = Looked::at(&desk, &[&file], POLICY, &[]);
    let verdicts = looked.verdicts();
    assert_eq!(verdicts[&row].0, "violation", "{:?}", looked.ran);
    assert_eq!(verdicts[&(BUCKET_NAME.to_owned(), "bucket.tls".to_owned())].0, "compliant");
    // Where trails of two partitions write to buckets of one name, it is not known which this is.
    let other = call(
        "777777777777",
        "us-east-1",
        "cloudtrail describe-trails",
        None,
        json!({"trailList": [{"Name": "x", "S3BucketName": BUCKET, "HomeRegion": "us-east-1", "TrailARN": "arn:aws:cloudtrail:us-east-1:777777777777:trail/x",
            "LogFileValidationEnabled": false, "IsMultiRegionTrail": false, "IncludeGlobalServiceEvents": false}]}),
    );
    let file = desk.file("two.ndjson", &format!("{}\n{}", lines.join("\n"), other.line()));
    let looked = Looked::at(&desk, &[&file], POLICY, &[]);
    assert_ne!(looked.verdicts()[&row].0, "compliant");
    // A place of another bucket, which a pattern matches, too, proves nothing.
    let mut calls = organisation();
    change_bucket_policy(&mut calls, |policy| {
        for statement in statements(policy).iter_mut().filter(|it| it["Action"] == "s3:PutObject") {
            statement["Condition"] = json!({});
            statement["Resource"] = json!(format!("arn:aws:s3:::{}*/AWSLogs/*", &BUCKET[..BUCKET.len() - 2]));
        }
        let principal = json!({"Service": "cloudtrail.amazonaws.com"});
        let unknown = json!({"StringNotEquals": {"aws:NobodyKnows": "x"}});
        statements(policy).push(json!({"Effect": "Deny", "Principal": principal, "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*"), "Condition": unknown}));
    });
    assert_eq!(look_at_lines(&desk, &calls, POLICY).verdicts()[&row].0, "undetermined");
}

#[test]
fn an_account_that_a_newer_list_lacks_is_perhaps_a_stranger() {
    let desk = Desk::new();
    let mut calls = organisation();
    change_bucket_policy(&mut calls, |policy| {
        for statement in statements(policy).iter_mut().filter(|it| it["Action"] == "s3:PutObject") {
            statement["Condition"] = json!({"StringEquals": {"aws:SourceAccount": [MANAGEMENT, "333333333333"]}});
        }
    });
    let row = (BUCKET_NAME.to_owned(), "bucket.write_scope".to_owned());
    assert_eq!(look_at_lines(&desk, &calls, POLICY).verdicts()[&row].0, "compliant");
    let earlier: String = calls.iter().map(|call| format!("{}\n", call.line())).collect();
    let newer = later(&calls, |calls| {
        calls.retain(|call| call.command == "organizations list-accounts");
        for call in calls.iter_mut() {
            call.account = ARCHIVE.to_owned();
            let listed = call.answer.as_mut().unwrap()["Accounts"].as_array_mut().unwrap();
            listed.retain(|account| account["Id"] != "333333333333");
        }
    });
    let file = desk.file("two.ndjson", &format!("{earlier}{newer}"));
    assert_eq!(Looked::at(&desk, &[&file], POLICY, &[]).verdicts()[&row].0, "undetermined");
}

#[test]
fn what_is_asked_of_a_key_shows_that_it_is_gone() {
    let desk = Desk::new();
    let calls = organisation();
    for command in ["kms get-key-policy", "kms list-grants", "kms get-key-rotation-status"] {
        let earlier: String = calls.iter().map(|call| format!("{}\n", call.line())).collect();
        let newer = later(&calls, |calls| {
            calls.retain(|call| call.command == command);
            calls.iter_mut().for_each(|call| call.answer = Err("NotFoundException".into()));
        });
        let file = desk.file("gone.ndjson", &format!("{earlier}{newer}"));
        let looked = Looked::at(&desk, &[&file], POLICY, &[]);
        assert_eq!(looked.verdicts()[&(KEY.to_owned(), "key.state".to_owned())].0, "undetermined", "{command}");
        // Who asks elsewhere is told the same, whatever there is.
        let elsewhere = newer.replace("\"region\":\"us-east-1\"", "\"region\":\"eu-west-1\"");
        assert_ne!(elsewhere, newer);
        let file = desk.file("elsewhere.ndjson", &format!("{earlier}{elsewhere}"));
        let looked = Looked::at(&desk, &[&file], POLICY, &[]);
        assert_eq!(looked.verdicts()[&(KEY.to_owned(), "key.state".to_owned())].0, "compliant", "{command}");
    }
}

#[test]
fn evidence_counts_whatever_its_file_is_called() {
    let desk = Desk::new();
    let root = desk.path("named");
    let stopped = later(&organisation(), |calls| {
        calls.retain(|call| call.command == "cloudtrail get-trail-status");
        calls[0].answer = Ok(status(false));
    });
    for name in ["newer", "newer.txt", "NEWER.NDJSON", ".newer.json", "222222222222/us-east-1/x/newer.json"] {
        let _ = fs::remove_dir_all(&root);
        write_tree(&root, &organisation());
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &stopped).unwrap();
        Looked::at(&desk, &[&root], POLICY, &[]).assert_row(TRAIL, "trail.logging", "violation", "not_logging");
    }
    // What is none of ours is passed over, and said.
    let _ = fs::remove_dir_all(&root);
    write_tree(&root, &organisation());
    fs::write(root.join("README.md"), "Exports of November").unwrap();
    let looked = Looked::at(&desk, &[&root], POLICY, &[]);
    assert_eq!(
        (looked.ran.code, &looked.summary()["coverage"]["passed_over"]),
        (Some(0), &json!(1)),
        "{:?}",
        looked.ran
    );
    // Windows writes marks and UTF-16.
    for bytes in [&b"\xef\xbb\xbf{\"account\": "[..], b"\xff\xfe{\0"] {
        fs::write(root.join("windows.ndjson"), bytes).unwrap();
        assert_eq!(Looked::at(&desk, &[&root], POLICY, &[]).ran.code, Some(3));
    }
    fs::remove_file(root.join("windows.ndjson")).unwrap();
    // No text of a stranger makes another kind of file of it.
    let hostile =
        stopped.replacen('{', "{\"groups\": [], \"controls\": [], \"x\": \";CHECK_ID;STATUS;RESOURCE_UID;\", ", 1);
    fs::write(root.join("hostile.ndjson"), hostile).unwrap();
    Looked::at(&desk, &[&root], POLICY, &[]).assert_row(TRAIL, "trail.logging", "violation", "not_logging");
}

#[test]
fn what_is_plainly_an_export_is_not_passed_over() {
    let desk = Desk::new();
    let root = desk.path("tree");
    let looked = |name: &str, bytes: &[u8]| {
        let _ = fs::remove_dir_all(&root);
        write_tree(&root, &organisation());
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        let looked = Looked::at(&desk, &[&root], POLICY, &[]);
        (looked.ran.code, looked.fault_names())
    };
    let trails = json!({"trailList": []}).to_string();
    let accounts = json!({"Accounts": []}).to_string();
    let lines = organisation()[0].line();
    let wide: Vec<u8> = lines.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let is_a_fault: [(&str, Vec<u8>); 17] = [
        ("333333333333/eu-west-1/cloudtrail/describe-trails(1).json", trails.clone().into()),
        ("333333333333/eu-west-1/cloudtrail/describe-trails-2.json", trails.clone().into()),
        ("333333333333/eu-west-1/cloudtrail/describe_trails.json", trails.clone().into()),
        ("333333333333/eu-west-1/cloudtrail/.describe-trails.json", trails.clone().into()),
        ("333333333333/eu-west-1/cloudtrail/describe-trails.txt", b"TRAILLIST\tTrue\n".to_vec()),
        ("333333333333/eu-west-1/cloudtrail/list-trails.json", trails.clone().into()),
        ("333333333333/eu-west-1/cloudtrail/2.json", accounts.clone().into()),
        ("333333333333/eu-west-1/aws/describe-trails.json", trails.clone().into()),
        ("333333333333/eu-west-1/organizations/list-accounts-2.json", accounts.clone().into()),
        ("twice.ndjson.gz", gzip(&gzip(lines.as_bytes()))),
        ("lines.zip", b"PK\x03\x04\x14\0".to_vec()),
        ("lines.ndjson.bz2", b"BZh91AY&SY".to_vec()),
        ("wide.ndjson", wide),
        ("nul.ndjson", format!("\0{lines}").into()),
        ("space.ndjson", format!("\u{a0}{lines}").into()),
        ("returns.ndjson", format!("x\r{lines}\r").into()),
        ("list.json", format!("warning\n[{lines}]").into()),
    ];
    for (name, bytes) in is_a_fault {
        let (code, faults) = looked(name, &bytes);
        assert!(code == Some(3) && faults.len() == 1, "{name}: {code:?} {faults:?}");
    }
    let is_none: [(&str, &[u8]); 7] = [
        ("333333333333/eu-west-1/organizations/list-accounts-for-parent.json", accounts.as_bytes()),
        ("333333333333/eu-west-1/ec2/describe-vpcs.json", b"{\"Vpcs\": []}"),
        ("333333333333/eu-west-1/cloudtrail/README.md", b"Asked again {see below}"),
        ("333333333333/eu-west-1/cloudtrail/describe-trails.log", b""),
        ("333333333333/eu-west-1/cloudtrail/.describe-trails.json.swp", b"b0VIM 9.1\0\n{"),
        (".DS_Store", b"\0\0\0\x01Bud1"),
        ("notes.txt", b"- to do: export [again]\n"),
    ];
    for (name, bytes) in is_none {
        assert_eq!(looked(name, bytes), (Some(0), Vec::new()), "{name}");
    }
}

#[test]
fn a_file_of_faults_is_not_repeated() {
    let desk = Desk::new();
    let lines = format!("{{}}\n{}{}\n", "{\n".repeat(1200), organisation()[0].line());
    let looked = Looked::at(&desk, &[&desk.file("export.ndjson", &lines)], POLICY, &[]);
    let of_file = looked.fault_names().iter().filter(|what| what.starts_with("export_")).count();
    assert_eq!((looked.ran.code, of_file), (Some(3), 1001), "{:?}", looked.ran);
    assert!(looked.text("faults.jsonl").contains("201 more faults of this file"));
    // What stands behind them counts.
    assert_eq!(looked.summary()["coverage"]["accounts"]["exported"], 1);
}

#[test]
fn a_newer_item_of_config_is_about_the_whole_resource() {
    let desk = Desk::new();
    let file = desk.path("export.ndjson");
    write_lines(&file, &organisation());
    let looked = |change: &dyn Fn(&mut Value), item: usize| {
        let mut item = config_items().swap_remove(item);
        item["configurationItemCaptureTime"] = json!("2026-11-01T13:00:00.000Z");
        change(&mut item);
        let newer = desk.file("newer.json", &json!({"configurationItems": [item]}).to_string());
        Looked::at(&desk, &[&file, &newer], POLICY, &[])
    };
    assert_eq!(looked(&|_| (), 1).ran.code, Some(0));
    let without = looked(
        &|item| {
            let parts = item["supplementaryConfiguration"].as_object_mut().unwrap();
            parts.retain(|name, _| name != "PublicAccessBlockConfiguration" && name != "AccessControlList");
        },
        1,
    );
    assert_ne!(without.verdicts()[&(BUCKET_NAME.to_owned(), "bucket.public".to_owned())].0, "compliant");
    for (status, item) in [("ResourceDeleted", 1), ("ResourceDeletedNotRecorded", 2), ("ResourceNotRecorded", 0)] {
        assert_ne!(looked(&|item| item["configurationItemStatus"] = json!(status), item).ran.code, Some(0), "{status}");
    }
    // A copy that is gone is not the trail; but it may be for that account no more.
    let copy = looked(
        &|item| {
            item["configurationItemStatus"] = json!("ResourceDeleted");
            (item["awsAccountId"], item["awsRegion"]) = (json!(MEMBER), json!("eu-west-1"));
        },
        0,
    );
    assert_eq!((copy.ran.code, &copy.summary()["kpi"]["trails"]), (Some(3), &json!(1)));
    // Config knows that it rotates, and not how often: as seldom as before, or as usual.
    let mut rare = organisation();
    answer(&mut rare, "kms get-key-rotation-status")["RotationPeriodInDays"] = json!(2560);
    write_lines(&file, &rare);
    looked(&|_| (), 2).assert_row(KEY, "key.rotation", "undetermined", "rotation_absent");
}

/// Changes the answer of a call.
type ChangeAnswer = fn(&mut Value);

#[test]
fn what_has_a_wrong_type_is_no_answer() {
    let desk = Desk::new();
    let changes: [(&str, ChangeAnswer); 22] = [
        ("cloudtrail get-event-selectors", |it| it["EventSelectors"][0]["IncludeManagementEvents"] = json!("False")),
        ("cloudtrail get-event-selectors", |it| it["EventSelectors"][0]["ReadWriteType"] = json!(["WriteOnly"])),
        ("cloudtrail get-event-selectors", |it| {
            it["EventSelectors"][0]["ExcludeManagementEventSources"] = json!({"member": []})
        }),
        ("cloudtrail get-event-selectors", |it| it["AdvancedEventSelectors"] = json!([{"FieldSelectors": []}])),
        ("cloudtrail get-trail-status", |it| it["LatestDeliveryError"] = json!({"Code": "AccessDenied"})),
        ("cloudtrail get-trail-status", |it| it["LatestDeliveryTime"] = json!("yesterday")),
        ("cloudtrail get-trail-status", |it| it["LatestDeliveryTime"] = json!("2099-01-01T00:00:00Z")),
        ("s3api get-bucket-location", |it| it["LocationConstraint"] = json!(7)),
        ("kms get-key-rotation-status", |it| it["KeyRotationEnabled"] = json!("yes")),
        ("kms get-key-rotation-status", |it| it["RotationPeriodInDays"] = json!(0)),
        ("cloudtrail get-trail-status", |it| it["LatestDeliveryTime"] = json!("2026-11-01T11:54:00-99:99")),
        ("s3api get-bucket-encryption", |it| {
            let rule = &mut it["ServerSideEncryptionConfiguration"]["Rules"][0];
            rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] = json!([KEY])
        }),
        ("s3api get-bucket-versioning", |it| it["MFADelete"] = json!("on")),
        ("s3api get-public-access-block", |it| it["PublicAccessBlockConfiguration"]["BlockPublicAcls"] = json!(1)),
        ("organizations describe-organization", |it| it["Organization"]["FeatureSet"] = json!("")),
        // What is said twice, and not alike.
        ("cloudtrail get-trail-status", |it| it["StopLoggingTime"] = json!("2026-10-31T11:54:00Z")),
        ("cloudtrail describe-trails", |it| it["trailList"][0]["HomeRegion"] = json!("eu-west-1")),
        ("kms describe-key", |it| it["KeyMetadata"]["DeletionDate"] = json!("2026-11-20T00:00:00Z")),
        ("kms describe-key", |it| it["KeyMetadata"]["CustomerMasterKeySpec"] = json!("RSA_2048")),
        ("kms describe-key", |it| it["KeyMetadata"]["AWSAccountId"] = json!(MEMBER)),
        ("kms list-aliases", |it| {
            let arn = format!("arn:aws:kms:{}:{MANAGEMENT}:alias/b", REGIONS[0]);
            it["Aliases"] = json!([{"AliasName": "alias/a", "AliasArn": arn, "TargetKeyId": KEY_ID}])
        }),
        ("organizations describe-organization", |it| it["Organization"]["ManagementAccountId"] = json!(MEMBER)),
    ];
    for (command, change) in changes {
        let mut calls = organisation();
        change(answer(&mut calls, command));
        let looked = look_at_lines(&desk, &calls, POLICY);
        assert_eq!(looked.ran.code, Some(3), "{command}: {:?}", looked.ran);
    }
}

#[test]
fn an_export_is_finished_at_a_time() {
    let desk = Desk::new();
    let root = desk.path("tree");
    write_tree(&root, &organisation());
    let before = json!("2026-11-01T11:59:59Z");
    for finished in [Value::Null, json!(""), json!(false), json!({}), json!("yes"), before] {
        fs::write(root.join("export.json"), json!({"started": AT, "finished": finished}).to_string()).unwrap();
        let looked = Looked::at(&desk, &[&root], POLICY, &[]);
        assert_eq!(looked.ran.code, Some(3), "{finished}: {:?}", looked.ran);
        looked.assert_row(TRAIL, "trail.kms", "undetermined", "export_undated");
    }
}

#[test]
fn a_lock_holds_only_with_all_that_makes_one() {
    let desk = Desk::new();
    let policy = POLICY.replace("source_condition = true", "object_lock = \"compliance\"");
    let check = |lock: Value, verdict: &str, reason: &str| {
        let mut calls = organisation();
        let lock = json!({"ObjectLockConfiguration": lock});
        calls.push(call(ARCHIVE, "us-east-1", "s3api get-object-lock-configuration", Some(BUCKET), lock.clone()));
        let looked = look_at_lines(&desk, &calls, &policy);
        looked.assert_row(BUCKET_NAME, "bucket.object_lock", verdict, reason);
        let mut items = config_items();
        items[1]["supplementaryConfiguration"]["ObjectLockConfiguration"] = lock["ObjectLockConfiguration"].clone();
        let items = desk.file("items.json", &json!({"configurationItems": items}).to_string());
        let looked = Looked::at(&desk, &[&items], &policy, &[]);
        looked.assert_row(BUCKET_NAME, "bucket.object_lock", verdict, reason);
    };
    let lock = |retention: Value| json!({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}});
    check(lock(json!({"Mode": "COMPLIANCE", "Days": 30})), "compliant", "");
    check(lock(json!({"Mode": "COMPLIANCE", "Days": 0, "Years": 1})), "compliant", "");
    check(lock(json!({"Mode": "GOVERNANCE", "Days": 30})), "violation", "object_lock_off");
    check(json!({"ObjectLockEnabled": "Enabled"}), "violation", "object_lock_off");
    let enabled = |enabled: Value| {
        let mut lock = lock(json!({"Mode": "COMPLIANCE", "Days": 30}));
        lock["ObjectLockEnabled"] = enabled;
        lock
    };
    for unknown in [
        enabled(Value::Null),
        enabled(json!("Disabled")),
        lock(json!({"Mode": "COMPLIANCE"})),
        lock(json!({"Mode": "COMPLIANCE", "Days": 0})),
        lock(json!({"Mode": "COMPLIANCE", "Days": "30"})),
        lock(json!({"Mode": "Compliance", "Days": 30})),
        lock(json!({"Mode": ["GOVERNANCE"], "Days": 30})),
        json!({"ObjectLockEnabled": "Enabled", "Rule": "COMPLIANCE"}),
    ] {
        check(unknown, "undetermined", "object_lock_absent");
    }
}

#[test]
fn what_is_left_out_of_a_selector_is_not_known() {
    let desk = Desk::new();
    for name in ["ReadWriteType", "IncludeManagementEvents", "ExcludeManagementEventSources"] {
        let mut calls = organisation();
        let selector = &mut answer(&mut calls, "cloudtrail get-event-selectors")["EventSelectors"][0];
        selector.as_object_mut().unwrap().remove(name);
        let looked = look_at_lines(&desk, &calls, POLICY);
        looked.assert_row(TRAIL, "trail.management_events", "undetermined", "selectors_absent");
    }
}

#[test]
fn what_is_left_out_of_a_trail_is_not_known() {
    let desk = Desk::new();
    let of_wrong_types = [("KmsKeyId", json!([KEY])), ("S3KeyPrefix", json!(7)), ("IsMultiRegionTrail", json!("yes"))];
    let left_out = ["LogFileValidationEnabled", "IsMultiRegionTrail", "IncludeGlobalServiceEvents"];
    for (name, value) in of_wrong_types.into_iter().chain(left_out.map(|name| (name, Value::Null))) {
        let mut calls = organisation();
        change_trails(&mut calls, |trail| trail[name] = value.clone());
        let looked = look_at_lines(&desk, &calls, POLICY);
        assert_eq!(looked.ran.code, Some(3), "{name}: {:?}", looked.ran);
    }
}

#[test]
fn nothing_is_proposed_that_makes_something_else_worse() {
    let desk = Desk::new();
    let mut calls = organisation();
    change_trails(&mut calls, |trail| drop(trail.as_object_mut().unwrap().remove("KmsKeyId")));
    answer(&mut calls, "kms describe-key")["KeyMetadata"]["KeyState"] = json!("PendingImport");
    let looked = look_at_lines(&desk, &calls, POLICY);
    looked.assert_row(TRAIL, "trail.kms", "violation", "no_kms_key");
    assert!(!looked.out.join("fixes/commands.sh").exists(), "{}", looked.text("fixes/commands.sh"));
    // Nor a default key that cannot be used until something else is done.
    let mut calls = organisation();
    answer(&mut calls, "s3api get-bucket-encryption")["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"] =
        json!({"SSEAlgorithm": "AES256"});
    let looked = look_at_lines(&desk, &calls, POLICY);
    assert!(looked.text("fixes/commands.sh").contains("put-bucket-encryption"));
    answer(&mut calls, "kms describe-key")["KeyMetadata"]["KeyState"] = json!("PendingDeletion");
    let looked = look_at_lines(&desk, &calls, POLICY);
    let commands = std::fs::read_to_string(looked.out.join("fixes/commands.sh")).unwrap_or_default();
    assert!(!commands.contains("put-bucket-encryption"), "{commands}");
}

#[test]
fn what_cannot_be_used_is_named_at_once() {
    let desk = Desk::new();
    let file = desk.file("broken.ndjson", "{\"a\":\n");
    let looked = Looked::at(&desk, &[&file], POLICY, &[]);
    assert!(looked.ran.stdout.contains("export_damaged"), "{:?}", looked.ran);
    assert!(looked.ran.stdout.replace([' ', '\n'], "").contains("broken.ndjson"), "{:?}", looked.ran);
    let first = &looked.summary()["first_faults"][0];
    assert_eq!(first["what"], "export_damaged");
    assert_eq!(*first, serde_json::from_str::<Value>(looked.text("faults.jsonl").lines().next().unwrap()).unwrap());
}

#[test]
fn exports_of_several_organisations_speak_for_themselves() {
    let desk = Desk::new();
    let stranger = "999999999999";
    let deny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*"}]});
    let mut calls = organisation();
    calls.extend(organization_policy("RESOURCE_CONTROL_POLICY", &deny));
    let theirs =
        |command: &str, parameter: Option<&str>, output| call(stranger, "us-east-1", command, parameter, output);
    calls.push(theirs(
        "organizations list-accounts",
        None,
        json!({"Accounts": [{"Id": stranger, "Status": "ACTIVE"}]}),
    ));
    calls.push(theirs("organizations list-policies", Some("RESOURCE_CONTROL_POLICY"), json!({"Policies": []})));
    let description = json!({"Organization": {"Id": "o-another11111", "MasterAccountId": stranger}});
    calls.push(theirs("organizations describe-organization", None, description));
    let looked = look_at_lines(&desk, &calls, POLICY);
    looked.assert_row(TRAIL, "trail.bucket_write", "violation", "write_denied");
    // Its accounts must be covered, too, and no trail of ours is for them.
    let strangers = format!("account:{stranger}");
    assert_ne!(looked.verdicts()[&(strangers, "account.covered".to_owned())].0, "compliant");
    // Who is in no organisation speaks for itself alone.
    let mut calls = organisation();
    calls.retain(|call| call.command != "organizations list-accounts");
    calls.push(theirs("organizations list-accounts", None, json!({})));
    calls.last_mut().unwrap().answer = Err("AWSOrganizationsNotInUseException".into());
    look_at_lines(&desk, &calls, POLICY).assert_row(
        "organization",
        "account.list_known",
        "undetermined",
        "accounts_not_exported",
    );
}

#[test]
fn what_covers_an_account_is_what_the_standard_is_about() {
    let desk = Desk::new();
    let policy = POLICY.replace("[settings.trail]", "[settings.trail]\nwhere = { name = [\"another\"] }");
    let looked = look_at_lines(&desk, &organisation(), &policy);
    looked.assert_row(TRAIL, "trail.kms", "out_of_scope", "no_demand");
    looked.assert_row("account:333333333333", "account.covered", "violation", "no_logging_trail");
    assert!(looked.summary()["outcome_reasons"].as_array().unwrap().contains(&json!("no_trails")));
}
