//! Complete logs, as far as digests prove that they were delivered and read.
//!
//! The report is of [`MADE`], and its object was seen at [`SEEN`] before: between the two its key may have been changed
//! unseen, unless the logs have everything that happened there. Nothing did.

use std::ops::Deref;

use serde_json::{Value, json};

use crate::audits::{Audited, Desk};
use crate::delivery::{Delivery, Row, all_columns};
use crate::trail::{ACCOUNT, BUCKET, Digest, Trail, Tree, after, gz, path, sha256, signers};

const KEY_ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OBJECT: &str = "data/object";
const SEEN: &str = "2026-03-01T20:00:00Z";
const MADE: &str = "2026-03-02T01:00:00Z";
/// When the chain of [`Case::new`] begins and ends.
const FROM: &str = "2026-03-01T18:00:00Z";
const UNTIL: &str = "2026-03-03T02:00:00Z";
const HOUR: i64 = 3600;

fn millis(time: &str) -> i64 {
    logseal::timestamp::Timestamp::parse(time.as_bytes()).unwrap().as_millis()
}

/// The digests of a trail, hour by hour; the first names the one before it, if there is one.
fn hours(trail: &Trail, from: &str, until: &str, before: Option<&Digest>) -> Vec<Digest> {
    let mut chain: Vec<Digest> = before.into_iter().cloned().collect();
    for hour in 1..=(millis(until) - millis(from)) / 1000 / HOUR {
        chain.push(trail.digest(&after(from, hour * HOUR), chain.last()));
    }
    chain.split_off(usize::from(before.is_some()))
}

/// What an audit is given.
struct Case {
    digests: Tree,
    logs: Tree,
    row: Row,
    seen: String,
    made: &'static str,
    /// Options that go with the digests.
    args: Vec<&'static str>,
}

impl Case {
    /// Everything is there.
    fn new() -> Self {
        Self::of(&hours(&Trail { logs: 1, ..Trail::default() }, FROM, UNTIL, None))
    }

    fn of(chain: &[Digest]) -> Self {
        let row = Row {
            bucket: BUCKET.into(),
            version_id: Some("v1".into()),
            last_modified: Some(millis("2025-06-01T00:00:00Z")),
            ..Row::compliant("f").with_key(OBJECT)
        };
        let (digests, logs) = (Tree::default(), Tree::default());
        let mut case = Self { digests, logs, row, seen: SEEN.to_owned(), made: MADE, args: Vec::new() };
        case.add(chain);
        case
    }

    /// Adds a chain, all logs of which are evidence.
    fn add(&mut self, chain: &[Digest]) {
        let is_digest = |path: &String| path.contains("/CloudTrail-Digest/");
        let (digests, logs): (Vec<_>, Vec<_>) = Tree::of(chain).0.into_iter().partition(|(path, _)| is_digest(path));
        self.digests.0.extend(digests);
        self.logs.0.extend(logs);
    }

    /// The only log that was delivered in the hour before a time.
    fn log_of(&self, end: &str) -> String {
        let minute = after(end, -300).replace(['-', ':'], "");
        let mut found = self.logs.0.keys().filter(|path| path.contains(&minute[..13]));
        let log = found.next().unwrap().clone();
        assert_eq!(found.next(), None);
        log
    }

    fn audit(&self) -> Done {
        self.audit_with(true)
    }

    fn audit_with(&self, has_digests: bool) -> Done {
        let desk = Desk::new();
        self.digests.write(&desk.path("mirror"));
        self.logs.write(&desk.path("logs"));
        let head = json!({
            "Bucket": BUCKET, "Key": OBJECT, "VersionId": "v1", "LastModified": "2025-06-01T00:00:00+00:00",
            "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY_ARN, "EvidenceAsOf": self.seen,
        });
        let heads = desk.file("heads.ndjson", &format!("{head}\n"));
        let validity = [json!("2025-01-01T00:00:00Z"), json!("2027-01-01T00:00:00Z")];
        let entries: Vec<Value> = signers().iter().map(|signer| signer.entry(&validity[0], &validity[1])).collect();
        let keys = desk.file("keys.json", &json!({"PublicKeyList": entries}).to_string());
        // What was delivered by then is in the inventory of the bucket.
        let is_listed = |path: &&String| path.starts_with(BUCKET) && !path.contains("eu-west-1");
        let stored = self.logs.0.keys().filter(is_listed).map(|path| &path[BUCKET.len() + 1..]);
        let mut rows: Vec<Row> =
            stored.map(|key| Row { bucket: BUCKET.into(), ..Row::compliant("f").with_key(key) }).collect();
        rows.push(self.row.clone());
        let delivery = Delivery::csv(&rows, &all_columns(), 1).in_bucket(BUCKET);
        let delivered = delivery.write(&desk.path("config"));
        let mut manifest = delivery.manifest();
        manifest["creationTimestamp"] = millis(self.made).to_string().into();
        delivered.seal("2026-04-01T00-00Z", &manifest);
        let policy = format!(
            "[keys]\narchive = \"{KEY_ARN}\"\n[evidence]\nlogs = \"complete\"\n[[rule]]\nid = \"r\"\n\
             where = {{ key = [\"data/*\"] }}\nencryption = [\"SSE-KMS\"]\nkeys = [\"archive\"]\n"
        );
        let (mirror, logs) = (desk.path("mirror"), desk.path("logs"));
        let text = |path: &std::path::PathBuf| path.to_str().unwrap().to_owned();
        let evidence = ["--key-evidence".to_owned(), text(&heads), text(&logs)];
        // What the inventory lacks may be too new for it.
        let digests = [
            "--digests".to_owned(),
            text(&mirror),
            "--public-keys".to_owned(),
            text(&keys),
            "--until".to_owned(),
            self.made.to_owned(),
        ];
        let digests = if has_digests { &digests[..] } else { &[] };
        let more = if has_digests { &self.args[..] } else { &[] };
        let args = evidence.iter().chain(digests).map(String::as_str).chain(more.iter().copied());
        let audited = desk.audit_under(&policy, &delivered.config, &args.collect::<Vec<_>>());
        Done { audited, _desk: desk }
    }
}

/// An audit, and the folder that it lives in.
#[derive(Debug)]
struct Done {
    audited: Audited,
    _desk: Desk,
}

impl Deref for Done {
    type Target = Audited;

    fn deref(&self) -> &Audited {
        &self.audited
    }
}

/// What the only assumption says.
fn value(audited: &Audited) -> String {
    let summary = audited.summary();
    let lines = summary["assumptions"].as_array().unwrap();
    let line = lines.iter().find(|line| line["name"] == "evidence_logs_complete");
    line.unwrap_or_else(|| panic!("{audited:?}"))["value"].as_str().unwrap().to_owned()
}

/// The key is known, and what is proven of the logs.
#[track_caller]
fn assert_known(audited: &Audited, says: &str, context: &str) {
    let summary = audited.summary();
    assert_eq!(summary["counts"]["compliant"], 1, "{context}: {audited:?}");
    assert_eq!((value(audited).as_str(), &summary["evidence_delivery"]["says"]), (says, &json!(says)), "{context}");
}

#[track_caller]
fn assert_stale(audited: &Audited, says: &str, context: &str) {
    let summary = audited.summary();
    assert_eq!(summary["by_reason"]["key_evidence_stale"], 1, "{context}: {audited:?}");
    assert!(matches!(audited.code(), Some(1 | 3)), "{context}: {audited:?}");
    assert_eq!((value(audited).as_str(), &summary["evidence_delivery"]["says"]), (says, &json!(says)), "{context}");
}

const WHOLE: &str = "delivered 2026-03-01T18:00:00Z to 2026-03-03T02:00:00Z";
const SHORT: &str = "delivery not proven: not until 24 hours after the report of 2026-03-02T01:00:00Z";

#[test]
fn whole_chains_and_all_their_logs_prove_the_delivery() {
    let case = Case::new();
    let audited = case.audit();
    assert_known(&audited, WHOLE, "all of it");
    assert_eq!((audited.code(), &audited.summary()["outcome"]), (Some(0), &json!("pass")), "{audited:?}");
    let expected = json!({
        "proven": [{"from": FROM, "until": UNTIL}],
        "logs_listed": 32, "logs_not_read": 0, "reports_not_covered": [], "says": WHOLE,
    });
    assert_eq!(audited.summary()["evidence_delivery"], expected);
    let stdout = audited.ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(stdout.contains(&format!("evidence_logs_complete {WHOLE}: a trail recorded")), "{stdout}");
    assert!(stdout.contains(&format!("complete logs, by their digests: {WHOLE}")), "{stdout}");

    // Without digests it is the operator's word.
    let without = case.audit_with(false);
    let summary = without.summary();
    assert_eq!((without.code(), &summary["evidence_delivery"]), (Some(0), &Value::Null), "{without:?}");
    assert_eq!(value(&without), "");

    // How a log is stored does not matter, as long as its content is the same.
    let mut plain = Case::new();
    let log = plain.log_of("2026-03-01T22:00:00Z");
    let (_, content) = hours(&Trail { logs: 1, ..Trail::default() }, FROM, UNTIL, None)[3].logs[0].clone();
    assert_eq!(plain.logs.0[&log], gz(content.as_bytes()));
    plain.logs.replace(&log, content.into_bytes());
    assert_known(&plain.audit(), WHOLE, "decompressed");
}

#[test]
fn logs_that_were_not_read_may_hold_anything() {
    let of = |end: &str| {
        let mut case = Case::new();
        let log = case.log_of(end);
        case.logs.remove(&log);
        case
    };
    let audited = of("2026-03-01T22:00:00Z").audit();
    let says = "delivered 2026-03-01T22:00:00Z to 2026-03-03T02:00:00Z; 1 listed log was not read";
    assert_stale(&audited, says, "between the two");
    let stdout = audited.ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(stdout.contains(says), "{stdout}");
    assert!(stdout.contains("give every log that digests list with --key-evidence"), "{stdout}");
    assert_eq!(audited.summary()["evidence_delivery"]["logs_not_read"], 1);
    assert_stale(
        &of("2026-03-02T23:00:00Z").audit(),
        "delivery not proven: 1 listed log was not read",
        "in the day after",
    );
    // What came before the sighting, or a day after the report, does not matter.
    let says = "delivered 2026-03-01T19:00:00Z to 2026-03-03T02:00:00Z; 1 listed log was not read";
    assert_known(&of("2026-03-01T19:00:00Z").audit(), says, "before");
    let says = "delivered 2026-03-01T18:00:00Z to 2026-03-03T01:00:00Z; 1 listed log was not read";
    assert_known(&of("2026-03-03T02:00:00Z").audit(), says, "after");

    // A log in the place of another that has something more in it.
    let mut case = Case::new();
    let log = case.log_of("2026-03-01T22:00:00Z");
    case.logs.replace(&log, gz(b"{\"Records\":[]}"));
    let says = "delivered 2026-03-01T22:00:00Z to 2026-03-03T02:00:00Z; 1 listed log was not read";
    assert_stale(&case.audit(), says, "changed");

    // Kinds that have no data events need not be read; what is not known may have some.
    for (kind, is_known) in [("CloudTrail-Insight", true), ("CloudTrail-Aggregated", true), ("CloudTrail-New", false)] {
        let trail = Trail { logs: 1, ..Trail::default() };
        let mut chain = hours(&trail, FROM, "2026-03-01T20:00:00Z", None);
        let end = "2026-03-01T21:00:00Z";
        let listed = chain[0].logs[0].0.replace("/CloudTrail/", &format!("/{kind}/"));
        chain.push(trail.digest_of("2026-03-01T20:00:00Z", end, chain.last(), &|content| {
            let mut log = content["logFiles"][0].clone();
            log["s3Object"] = listed.as_str().into();
            log["hashValue"] = sha256(b"another text").into();
            content["logFiles"].as_array_mut().unwrap().push(log);
        }));
        let rest = hours(&trail, end, UNTIL, chain.last());
        let case = Case::of(&[chain, rest].concat());
        assert_eq!(case.audit().summary()["evidence_delivery"]["logs_not_read"], u64::from(!is_known), "{kind}");
    }
}

#[test]
fn chains_must_reach_from_the_word_to_a_day_after_the_report() {
    let trail = Trail { logs: 1, ..Trail::default() };
    let of = |from: &str, until: &str, args: &[&'static str]| Case {
        args: args.to_vec(),
        ..Case::of(&hours(&trail, from, until, None))
    };
    let both = ["--accept-starts", "--accept-ends"];
    let audited = of(FROM, "2026-03-03T00:00:00Z", &[]).audit();
    assert_stale(&audited, SHORT, "it ends 23 hours after the report");
    assert_eq!(audited.summary()["evidence_delivery"]["reports_not_covered"], json!([MADE]));
    assert!(audited.ran.stdout.contains("fetch digests and logs of every trail until"), "{audited:?}");
    assert_stale(&of(FROM, "2026-03-03T00:00:00Z", &both).audit(), SHORT, "accepted, and no chain is whole");
    let says = "delivered 2026-03-01T18:00:00Z to 2026-03-03T01:00:00Z";
    assert_known(&of(FROM, "2026-03-03T01:00:00Z", &[]).audit(), says, "it ends 24 hours after the report");
    let says = "delivered 2026-03-01T19:00:00Z to 2026-03-03T02:00:00Z";
    assert_known(&of("2026-03-01T19:00:00Z", UNTIL, &[]).audit(), says, "it begins before the word");
    let says = "delivered 2026-03-01T21:00:00Z to 2026-03-03T02:00:00Z";
    let audited = of("2026-03-01T21:00:00Z", UNTIL, &[]).audit();
    assert_stale(&audited, says, "it begins after the word");
    assert!(audited.ran.stdout.contains("digests and logs from the time of each evidence"), "{audited:?}");
    assert_stale(&of("2026-03-01T21:00:00Z", UNTIL, &both).audit(), says, "accepted, and no chain is whole");

    // Before there were re-keyings nothing has to be proven.
    let early = |from: &str| Case {
        seen: "2025-12-24T00:00:00Z".to_owned(),
        made: "2026-01-29T01:00:00Z",
        ..Case::of(&hours(&trail, from, "2026-01-30T02:00:00Z", None))
    };
    let says = "delivered 2026-01-28T00:00:00Z to 2026-01-30T02:00:00Z";
    assert_known(&early("2026-01-28T00:00:00Z").audit(), says, "from the first of them on");
    let says = "delivered 2026-01-28T01:00:00Z to 2026-01-30T02:00:00Z";
    assert_stale(&early("2026-01-28T01:00:00Z").audit(), says, "from an hour later on");
}

#[test]
fn holes_in_chains_may_hide_anything() {
    let trail = Trail { logs: 1, ..Trail::default() };
    let chain = hours(&trail, FROM, UNTIL, None);
    let mut case = Case::of(&chain);
    case.digests.remove(&path(&chain[3]));
    let log = case.log_of("2026-03-01T22:00:00Z");
    let audited = case.audit();
    let says = "delivered 2026-03-01T22:00:00Z to 2026-03-03T02:00:00Z";
    assert_stale(&audited, says, "a digest is missing");
    assert_eq!(audited.code(), Some(1), "{audited:?}");
    case.digests = Case::of(&chain).digests;
    case.logs.remove(&log);
    // A digest that is changed lists what it likes.
    case.digests.replace(&path(&chain[3]), gz(chain[3].content.replace(&chain[3].logs[0].0, "x").as_bytes()));
    let audited = case.audit();
    assert_eq!(audited.summary()["by_reason"]["key_evidence_stale"], 1, "{audited:?}");

    // Nothing was recorded where a trail was stopped, whatever is accepted.
    let mut stopped = hours(&trail, FROM, "2026-03-01T21:00:00Z", None);
    let mut case = Case { args: vec!["--accept-starts", "--accept-ends"], ..Case::of(&stopped) };
    stopped = hours(&trail, "2026-03-01T23:00:00Z", UNTIL, None);
    case.add(&stopped);
    let says = "delivered 2026-03-01T23:00:00Z to 2026-03-03T02:00:00Z";
    assert_stale(&case.audit(), says, "begun again");
}

#[test]
fn every_chain_must_be_whole() {
    let whole = hours(&Trail { logs: 1, ..Trail::default() }, FROM, UNTIL, None);
    let other = Trail { name: "another", bucket: "another-bucket".to_owned(), logs: 0, ..Trail::default() };
    let with = |chain: &[Digest], args: &[&'static str]| {
        let mut case = Case { args: args.to_vec(), ..Case::of(&whole) };
        case.add(chain);
        case.audit()
    };
    let late = hours(&other, "2026-03-01T22:00:00Z", UNTIL, None);
    let says = "delivered 2026-03-01T22:00:00Z to 2026-03-03T02:00:00Z";
    assert_stale(&with(&late, &[]), says, "another begins later");
    let early = hours(&other, FROM, "2026-03-01T22:00:00Z", None);
    assert_stale(&with(&early, &[]), SHORT, "another ends earlier");
    assert_known(&with(&hours(&other, FROM, UNTIL, None), &[]), WHOLE, "both are whole");
    // What was accepted is that it delivered nothing then: an assumption of its own.
    for (chain, option, name) in
        [(&late, "--accept-starts", "chain_starts_accepted"), (&early, "--accept-ends", "chain_ends_accepted")]
    {
        let audited = with(chain, &[option]);
        assert_known(&audited, WHOLE, option);
        let names: Vec<Value> =
            audited.summary()["assumptions"].as_array().unwrap().iter().map(|line| line["name"].clone()).collect();
        assert!(names.contains(&json!(name)), "{names:?}");
        assert_eq!(audited.code(), Some(0), "{audited:?}");
    }
    // A trail that goes on in another bucket is one chain.
    let first = hours(&Trail { logs: 1, ..Trail::default() }, FROM, "2026-03-02T03:00:00Z", None);
    let moved = Trail { bucket: "another-bucket".to_owned(), logs: 0, ..Trail::default() };
    let mut case = Case::of(&first[..first.len() - 1]);
    let moved: Vec<Digest> = first[first.len() - 1..]
        .iter()
        .cloned()
        .chain(hours(&moved, "2026-03-02T03:00:00Z", UNTIL, first.last()))
        .collect();
    case.add(&moved);
    assert_known(&case.audit(), WHOLE, "moved");

    // Whoever deletes the digests of a Region could take logs with them.
    let mut case = Case::of(&whole);
    let log = format!(
        "{BUCKET}/AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/03/01/{ACCOUNT}_CloudTrail_eu-west-1_20260301T2155Z_aaaaaaaaaaaaaaaa.json.gz"
    );
    case.digests.0.insert(log, gz(b"{\"Records\":[]}"));
    let says = "delivery not proven: accounts have logs in Regions without a chain of digests";
    assert_stale(&case.audit(), says, "no chain");
    // What could not be read may hold other chains.
    let mut case = Case::of(&whole);
    case.digests.0.insert(format!("{BUCKET}/backup.tar"), Tree::of(&late).to_tar());
    let says = "delivery not proven: not all that the roots of digests hold could be read";
    assert_stale(&case.audit(), says, "an archive");
}

#[test]
fn late_logs_count_for_the_hours_in_which_they_should_have_come() {
    let whole = hours(&Trail { logs: 1, ..Trail::default() }, FROM, UNTIL, None);
    let late = Trail { is_backfill: true, logs: 1, ..Trail::default() }.digest("2026-03-01T22:00:00Z", None);
    let mut case = Case::of(&whole);
    case.add(std::slice::from_ref(&late));
    assert_known(&case.audit(), WHOLE, "read");
    case.logs.remove(&format!("{BUCKET}/{}", late.logs[0].0));
    let says = "delivered 2026-03-01T22:00:00Z to 2026-03-03T02:00:00Z; 1 listed log was not read";
    assert_stale(&case.audit(), says, "not read");
    // Nobody knows what else there was in its hours.
    let mut case = Case::of(&whole);
    case.add(std::slice::from_ref(&late));
    case.digests.remove(&format!("{}.head.json", path(&late)));
    let says = "delivered 2026-03-01T22:00:00Z to 2026-03-03T02:00:00Z";
    assert_stale(&case.audit(), says, "not verified");
}

/// Only complete logs tell that no other write made a null version.
#[test]
fn writes_of_null_versions_need_logs_from_the_write_on() {
    let written = "2026-03-01T20:30:00Z";
    let log = json!({"Records": [{
        "eventVersion": "1.11", "userIdentity": {"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"},
        "eventTime": written, "eventSource": "s3.amazonaws.com", "eventName": "PutObject", "awsRegion": "us-east-1",
        "requestParameters": {"bucketName": BUCKET, "key": OBJECT},
        "responseElements": {
            "x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": KEY_ARN,
        },
        "readOnly": false, "eventType": "AwsApiCall", "managementEvent": false, "recipientAccountId": ACCOUNT,
        "eventCategory": "Data",
    }]})
    .to_string();
    let trail = Trail { logs: 1, ..Trail::default() };
    let of = |from: &str| {
        let mut chain = vec![trail.digest_of(from, "2026-03-01T21:00:00Z", None, &|content| {
            content["logFiles"][0]["hashValue"] = sha256(log.as_bytes()).into();
        })];
        chain[0].logs[0].1 = log.clone();
        chain.extend(hours(&trail, "2026-03-01T21:00:00Z", UNTIL, Some(&chain[0])));
        let mut case = Case::of(&chain);
        case.row.version_id = None;
        case.row.last_modified = Some(millis(written));
        case
    };
    let says = "delivered 2026-03-01T20:00:00Z to 2026-03-03T02:00:00Z";
    assert_known(&of("2026-03-01T20:00:00Z").audit(), says, "the write and all after it");
    let audited = of("2026-03-01T20:45:00Z").audit();
    assert_eq!(audited.summary()["by_reason"]["key_unknown"], 1, "{audited:?}");
    assert_eq!(value(&audited), "delivered 2026-03-01T20:45:00Z to 2026-03-03T02:00:00Z");
}
