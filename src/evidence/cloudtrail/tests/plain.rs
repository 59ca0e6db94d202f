//! The plain way to read a log, as the oracle of the fast one: all of it into values, then look.

use serde_json::{Value, json};

use super::*;

/// Numbers that look random.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

#[test]
fn the_fast_way_gives_what_the_plain_way_gives() {
    let mut draws = Draws(1);
    let (mut events, mut others) = (0, Scanned::default());
    for round in 0..60 {
        let records: Vec<Value> = (0..100).map(|_| record(&mut draws)).collect();
        let log = json!({ "Records": records });
        let text = if round % 2 == 0 { log.to_string() } else { serde_json::to_string_pretty(&log).expect("JSON") };
        let (lines, scanned) = read(text.as_bytes()).expect("a log");
        let plain: Vec<Plain> = records.iter().map(read_plainly).collect();
        let count = |wanted: &Plain| plain.iter().filter(|found| *found == wanted).count() as u64;
        let plain_lines =
            plain.iter().filter_map(|found| if let Plain::Event(line) = found { Some(line) } else { None });
        assert!(lines.iter().eq(plain_lines), "round {round}");
        assert_eq!(scanned.records, 100);
        assert_eq!(scanned.failed, count(&Plain::Failed), "round {round}");
        assert_eq!(scanned.foreign, count(&Plain::Foreign), "round {round}");
        assert_eq!(scanned.incomplete, count(&Plain::Incomplete), "round {round}");
        assert_eq!(scanned.unreadable, count(&Plain::Unreadable), "round {round}");
        events += lines.len();
        others += scanned;
    }
    assert!(events > 200 && others.failed > 50 && others.foreign > 20, "too few to tell: {events} {others:?}");
    assert!(others.incomplete > 50 && others.unreadable > 50, "too few to tell: {others:?}");
}

/// Mostly members as they should be, now and then others.
fn record(draws: &mut Draws) -> Value {
    let odd =
        [json!(null), json!(5), json!(["only"]), json!(["one", "two"]), json!({}), json!([]), json!(""), json!(true)];
    let text = |draws: &mut Draws, good: &[&str]| match draws.below(40) {
        0 => draws.pick(&odd).clone(),
        _ => json!(draws.pick(good)),
    };
    let names = [
        "PutObject",
        "CopyObject",
        "CreateMultipartUpload",
        "CompleteMultipartUpload",
        "UpdateObjectEncryption",
        "GenerateDataKey",
        "GenerateDataKey",
        "GetObject",
        "Decrypt",
    ];
    let algorithms = ["AES256", "aws:kms", "aws:kms:dsse", "aws:fsx"];
    let keys = [KEY_ARN, "alias/x", "0a1b2c3d", "HIDDEN_DUE_TO_SECURITY_REASONS"];
    let objects = ["a/b.gz", "caf\u{e9} \"x\"\\", "\u{1f511}", "{[}]\u{0}", "\"eventName\":\"PutObject\""];
    let arns = [
        "arn:aws:s3:::logs/a/b.gz",
        "arn:aws-cn:s3:::logs",
        "arn:aws:s3:::logs/",
        "arn:aws:s3:eu-west-1:1:accesspoint/x",
        "arn:aws:s3:::l/\u{e9}\"\\",
    ];
    let mut members = serde_json::Map::new();
    let name = *draws.pick(&names);
    let source = if name == "GenerateDataKey" { "kms.amazonaws.com" } else { "s3.amazonaws.com" };
    members.insert("eventSource".to_owned(), text(draws, &[source, source, source, source, "ec2.amazonaws.com"]));
    members.insert("eventName".to_owned(), text(draws, &[name]));
    members.insert("eventTime".to_owned(), text(draws, &[TIME]));
    members.insert("sourceIPAddress".to_owned(), text(draws, &["s3.amazonaws.com", "192.0.2.1"]));
    let mut request = json!({
        "bucketName": text(draws, &["logs", "other"]),
        "key": text(draws, &objects),
        "encryptionContext": { "aws:s3:arn": text(draws, &arns) },
        "keyId": text(draws, &keys),
    });
    let mut response = json!({});
    for (name, good) in [
        ("x-amz-server-side-encryption", &algorithms[..]),
        ("x-amz-server-side-encryption-customer-algorithm", &["AES256"]),
        ("x-amz-server-side-encryption-aws-kms-key-id", &keys),
        ("x-amz-server-side-encryption-bucket-key-enabled", &["true", "false"]),
        ("x-amz-version-id", &["V1", "null"]),
        ("versionId", &["V2", "null"]),
    ] {
        for side in [&mut request, &mut response] {
            if draws.below(3) == 0 {
                side[name] = text(draws, good);
            }
        }
    }
    if draws.below(2) == 0 {
        request["ObjectEncryption"] =
            json!({ "SSE-KMS": { "KMSKeyArn": text(draws, &keys), "BucketKeyEnabled": draws.below(2) == 0 } });
    }
    members
        .insert("requestParameters".to_owned(), if draws.below(30) == 0 { draws.pick(&odd).clone() } else { request });
    members
        .insert("responseElements".to_owned(), if draws.below(10) == 0 { draws.pick(&odd).clone() } else { response });
    if draws.below(2) == 0 {
        members.insert(
            "additionalEventData".to_owned(),
            json!({ "SSEApplied": text(draws, &["Default_SSE_S3", "SSE_C", "x"]) }),
        );
    }
    if draws.below(8) == 0 {
        members.insert((*draws.pick(&["errorCode", "errorMessage"])).to_owned(), draws.pick(&odd).clone());
    }
    if draws.below(2) == 0 {
        members.insert(
            "userIdentity".to_owned(),
            json!({ "invokedBy": text(draws, &["s3.amazonaws.com"]), "eventName": "x" }),
        );
    }
    if draws.below(2) == 0 {
        members.insert(
            "resources".to_owned(),
            json!([{ "ARN": text(draws, &keys) }, { "type": "x" }, { "ARN": KEY_ARN }]),
        );
    }
    Value::Object(members)
}

#[derive(PartialEq)]
enum Plain {
    Irrelevant,
    Failed,
    Foreign,
    Incomplete,
    Unreadable,
    Event(String),
}

/// A string, or a list of one.
fn plain_text(value: &Value) -> Result<Option<&str>, ()> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Array(list) => match &list[..] {
            [Value::String(text)] => Ok(Some(text)),
            _ => Err(()),
        },
        _ => Err(()),
    }
}

fn plain_flag(value: &Value) -> Result<Option<bool>, ()> {
    match value {
        Value::Bool(flag) => Ok(Some(*flag)),
        value => match plain_text(value)? {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(()),
        },
    }
}

fn plain_object(value: &Value) -> Result<&Value, ()> {
    matches!(value, Value::Null | Value::Object(_)).then_some(value).ok_or(())
}

fn said(value: Option<&str>) -> Option<&str> {
    value.filter(|text| !text.is_empty() && *text != "HIDDEN_DUE_TO_SECURITY_REASONS")
}

fn read_plainly(record: &Value) -> Plain {
    // The fast way parses what has a name of ours, or an escape.
    let name = plain_text(&record["eventName"]).ok().flatten();
    let escaped = record.to_string().contains("\\u");
    if !escaped && !name.is_some_and(|name| event::CALLS.contains(&name)) {
        return Plain::Irrelevant;
    }
    plain_event(record).unwrap_or(Plain::Unreadable)
}

fn plain_event(record: &Value) -> Result<Plain, ()> {
    let (request, response) = (plain_object(&record["requestParameters"])?, plain_object(&record["responseElements"])?);
    let (name, source) = (plain_text(&record["eventName"])?, plain_text(&record["eventSource"])?);
    let (time, address) = (plain_text(&record["eventTime"])?, plain_text(&record["sourceIPAddress"])?);
    let invoked = plain_text(&record["userIdentity"]["invokedBy"])?;
    let headers = |side: &Value| -> Result<_, ()> {
        let header = |name: &str| plain_text(&side[name]).map(|value| said(value).map(str::to_owned));
        Ok((
            header("x-amz-server-side-encryption")?,
            header("x-amz-server-side-encryption-customer-algorithm")?,
            header("x-amz-server-side-encryption-aws-kms-key-id")?,
            plain_flag(&side["x-amz-server-side-encryption-bucket-key-enabled"])?,
        ))
    };
    let (asked, answered) = (headers(request)?, headers(response)?);
    let (bucket, key) = (said(plain_text(&request["bucketName"])?), said(plain_text(&request["key"])?));
    let asked_version = said(plain_text(&request["versionId"])?);
    let version = said(plain_text(&response["x-amz-version-id"])?);
    let body = &request["ObjectEncryption"]["SSE-KMS"];
    let body_key = said(plain_text(&body["KMSKeyArn"])?);
    let s3_arn = said(plain_text(&request["encryptionContext"]["aws:s3:arn"])?);
    let key_id = said(plain_text(&request["keyId"])?);
    let applied = plain_text(&record["additionalEventData"]["SSEApplied"])?;
    let mut resource = None;
    for entry in record["resources"].as_array().into_iter().flatten() {
        let arn = plain_text(&entry["ARN"])?.filter(|arn| arn.starts_with("arn:aws:kms:") && arn.contains(":key/"));
        resource = resource.or(arn);
    }
    let failed = !record["errorCode"].is_null() || !record["errorMessage"].is_null();
    let time = time.is_some_and(|time| time == TIME);
    match (source, name) {
        (Some("kms.amazonaws.com"), Some("GenerateDataKey")) => {
            let Some(arn) = s3_arn else {
                return Ok(Plain::Irrelevant);
            };
            if failed {
                return Ok(Plain::Failed);
            }
            if invoked.is_none() && address.is_none_or(|address| address.starts_with("192.")) {
                return Ok(Plain::Foreign);
            }
            let place = arn.splitn(6, ':').collect::<Vec<_>>();
            let key_arn = resource.or(key_id.filter(|id| id.starts_with("arn:")));
            let (["arn", _, "s3", "", "", place], true, Some(key_arn)) = (&place[..], time, key_arn) else {
                return Ok(Plain::Incomplete);
            };
            let (bucket, key) = place.split_once('/').unwrap_or((place, "-"));
            Ok(if key.is_empty() {
                Plain::Incomplete
            } else {
                Plain::Event(format!("DataKey {bucket}|{key} {key_arn}"))
            })
        }
        (Some("s3.amazonaws.com"), Some(what)) if event::CALLS.contains(&what) && what != "GenerateDataKey" => {
            if failed {
                return Ok(Plain::Failed);
            }
            let (Some(bucket), Some(key), true) = (bucket, key, time) else {
                return Ok(Plain::Incomplete);
            };
            let version = match what {
                "CreateMultipartUpload" => None,
                "UpdateObjectEncryption" => asked_version.or(version),
                _ => version,
            };
            let mut method = "-";
            for (algorithm, customer) in [(&answered.0, &answered.1), (&asked.0, &asked.1)] {
                if algorithm.is_some() || customer.is_some() {
                    method = match algorithm.as_deref() {
                        Some("AES256") => "SseS3",
                        Some("aws:kms") => "SseKms",
                        Some("aws:kms:dsse") => "DsseKms",
                        Some(_) => "-",
                        None => "SseC",
                    };
                    break;
                }
            }
            let silent = [&answered, &asked].iter().all(|side| side.0.is_none() && side.1.is_none());
            if silent {
                method = match applied {
                    _ if body.is_object() => "SseKms",
                    Some("Default_SSE_S3") => "SseS3",
                    Some("SSE_C") => "SseC",
                    _ => "-",
                };
            }
            let key_arn = answered.2.as_deref().or(asked.2.as_deref()).or(body_key);
            let key_arn = key_arn.filter(|_| method != "SseS3" && method != "SseC").unwrap_or("-");
            let bucket_key = answered.3.or(asked.3).or(body["BucketKeyEnabled"].as_bool());
            let bucket_key = bucket_key.map_or("-".to_owned(), |flag| flag.to_string());
            let version = version.unwrap_or("-");
            Ok(Plain::Event(format!("{what} {bucket}|{key}|{version} {method} {key_arn} {bucket_key}")))
        }
        _ => Ok(Plain::Irrelevant),
    }
}
