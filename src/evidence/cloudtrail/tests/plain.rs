//! The plain way to read a log, as the oracle of the fast one: all of it into values, then look.

use serde_json::{Value, json};

use super::splitting::Pieces;
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
    for round in 0..120 {
        let mut records: Vec<Value> = (0..100).map(|_| record(&mut draws)).collect();
        // The first one shows whether it is a log at all.
        records[0]["eventSource"] = json!("s3.amazonaws.com");
        let text = in_some_shape(&mut draws, &records);
        let piece = [7, 4096, text.len()][round % 3];
        let (lines, scanned) = read(Pieces { text: text.as_bytes(), len: piece }).expect("a text that is known");
        let plain: Vec<Plain> = records.iter().map(read_plainly).collect();
        let count = |wanted: &Plain| plain.iter().filter(|found| *found == wanted).count() as u64;
        let plain_lines =
            plain.iter().filter_map(|found| if let Plain::Event(line) = found { Some(line) } else { None });
        assert!(lines.iter().eq(plain_lines), "round {round}");
        assert_eq!(scanned.records, 100);
        assert_eq!(scanned.failed, count(&Plain::Failed), "round {round}");
        assert_eq!(scanned.unreadable, count(&Plain::Unreadable), "round {round}");
        events += lines.len();
        others += scanned;
    }
    assert!(events > 200 && others.failed > 50 && others.unreadable > 50, "too few to tell: {events} {others:?}");
}

/// A text with these records, in their order, in documents of any shapes.
fn in_some_shape(draws: &mut Draws, mut records: &[Value]) -> String {
    let mut text = String::new();
    while !records.is_empty() {
        let (some, rest) = records.split_at(1 + draws.below(records.len()));
        records = rest;
        let wrapped = |name: &str| -> Vec<Value> {
            some.iter().map(|record| json!({ "id": "1", name: record.to_string(), "more": [{}] })).collect()
        };
        let document = match draws.below(8) {
            0 => json!({ "Records": some }),
            1 => json!({ "A": { "Records": [1] }, "Records": some, "a": "]}" }),
            2 => json!([{ "Records": some }]),
            3 => json!(some),
            4 => json!({ "Events": wrapped("CloudTrailEvent"), "NextToken": null }),
            5 => json!({ "messageType": "DATA_MESSAGE", "logEvents": wrapped("message") }),
            6 => json!(wrapped("message")),
            _ => {
                some.iter().for_each(|record| text.push_str(&format!("{record}\n")));
                continue;
            }
        };
        match draws.below(3) {
            0 => text.push_str(&serde_json::to_string_pretty(&document).expect("JSON")),
            _ => text.push_str(&document.to_string()),
        }
        text.push_str(["", "\n", "\r\n\r\n", "\u{feff}"][draws.below(4)]);
    }
    text
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
    let mut request = json!({
        "bucketName": text(draws, &["logs", "logs", "other", "ap-x1y2-s3alias"]),
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
            json!({ "invokedBy": text(draws, &["s3.amazonaws.com", "ec2.amazonaws.com"]), "eventName": "x" }),
        );
    }
    if draws.below(2) == 0 {
        members.insert(
            "resources".to_owned(),
            json!([{ "ARN": text(draws, &keys) }, { "type": "x" }, { "ARN": text(draws, &arns) }, { "ARN": KEY_ARN }]),
        );
    }
    Value::Object(members)
}

#[derive(PartialEq)]
enum Plain {
    Irrelevant,
    Failed,
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
    // The fast way leaves what names another call, and has no escape.
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let names_another =
        matches!(&record["eventName"], Value::String(name) if is_name(name) && !event::CALLS.contains(&name.as_str()));
    if names_another && !record.to_string().contains("\\u") {
        return Plain::Irrelevant;
    }
    plain_event(record).unwrap_or(Plain::Unreadable)
}

fn plain_event(record: &Value) -> Result<Plain, ()> {
    let (request, response) = (plain_object(&record["requestParameters"])?, plain_object(&record["responseElements"])?);
    let (name, source) = (plain_text(&record["eventName"])?, plain_text(&record["eventSource"])?);
    let time = plain_text(&record["eventTime"])?;
    let invoked = plain_text(&record["userIdentity"]["invokedBy"])?;
    // What a header says: absent, null or a text.
    let header = |value: Option<&Value>| -> Result<Option<Option<String>>, ()> {
        value.map(|value| plain_text(value).map(|text| text.map(str::to_owned))).transpose()
    };
    let headers = |side: &Value| -> Result<_, ()> {
        let key = said(plain_text(&side["x-amz-server-side-encryption-aws-kms-key-id"])?).map(str::to_owned);
        Ok((
            header(side.get("x-amz-server-side-encryption"))?,
            header(side.get("x-amz-server-side-encryption-customer-algorithm"))?,
            key,
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
    let applied = header(record["additionalEventData"].get("SSEApplied"))?;
    let (mut resource, mut places) = (None, Vec::new());
    for entry in record["resources"].as_array().into_iter().flatten() {
        let Some(arn) = plain_text(&entry["ARN"])? else { continue };
        if arn.starts_with("arn:aws:kms:") && arn.contains(":key/") {
            resource = resource.or(Some(arn));
        }
        if let ["arn", _, "s3", "", "", place] = arn.splitn(6, ':').collect::<Vec<_>>()[..] {
            places.push(place.split_once('/').unwrap_or((place, "-")));
        }
    }
    places.retain(|(_, key)| !key.is_empty());
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
            let place = arn.splitn(6, ':').collect::<Vec<_>>();
            let ["arn", _, "s3", "", "", place] = place[..] else {
                return Ok(Plain::Irrelevant);
            };
            let (bucket, key) = place.split_once('/').unwrap_or((place, "-"));
            if key.is_empty() {
                return Ok(Plain::Irrelevant);
            }
            if !time {
                return Err(());
            }
            let by = if said(invoked) == Some("s3.amazonaws.com") { "" } else { " by others" };
            Ok(Plain::Event(format!("DataKey {bucket}|{key} {}{by}", resource.or(key_id).unwrap_or("-"))))
        }
        (None, Some(what)) if event::CALLS.contains(&what) => Err(()),
        (Some("s3.amazonaws.com"), Some(what)) if event::CALLS.contains(&what) && what != "GenerateDataKey" => {
            if failed {
                return Ok(Plain::Failed);
            }
            if !time {
                return Err(());
            }
            let bucket = bucket.filter(|name| !name.ends_with("-s3alias"));
            let version = match what {
                "CreateMultipartUpload" => None,
                "UpdateObjectEncryption" => asked_version.or(version),
                _ => version,
            };
            let mut method = None;
            for (algorithm, customer) in [(&answered.0, &answered.1), (&asked.0, &asked.1)] {
                let text = |header: &Option<Option<String>>| header.clone().flatten().filter(|text| !text.is_empty());
                let found = match (text(algorithm).as_deref(), text(customer).as_deref()) {
                    (Some("AES256"), _) => Some("SseS3"),
                    (Some("aws:kms"), _) => Some("SseKms"),
                    (Some("aws:kms:dsse"), _) => Some("DsseKms"),
                    (Some(_), _) => Some("?"),
                    (None, Some(_)) => Some("SseC"),
                    (None, None) if *algorithm == Some(None) || *customer == Some(None) => Some("?"),
                    (None, None) => None,
                };
                method = method.or(found);
            }
            let method = method.unwrap_or(match &applied {
                _ if body.is_object() => "SseKms",
                None => "-",
                Some(Some(applied)) if applied == "Default_SSE_S3" => "SseS3",
                Some(Some(applied)) if applied == "SSE_C" => "SseC",
                Some(_) => "?",
            });
            let key_arn = answered.2.as_deref().or(asked.2.as_deref()).or(body_key);
            let key_arn = key_arn.filter(|_| method != "SseS3" && method != "SseC").unwrap_or("-");
            let bucket_key = answered.3.or(asked.3).or(body["BucketKeyEnabled"].as_bool());
            let bucket_key = bucket_key.map_or("-".to_owned(), |flag| flag.to_string());
            let version = version.unwrap_or("-");
            let mut objects: Vec<_> = places.iter().filter(|(_, key)| *key != "-").collect();
            objects.dedup();
            let (bucket, key) = match (bucket, key, &objects[..]) {
                (Some(bucket), Some(key), _) => (bucket, key),
                (bucket, key, [(named, object)])
                    if bucket.is_none_or(|bucket| bucket == *named) && key.is_none_or(|key| key == *object) =>
                {
                    (*named, *object)
                }
                (bucket, ..) => {
                    let mut buckets: Vec<_> = places.iter().map(|(bucket, _)| *bucket).collect();
                    buckets.dedup();
                    let only = if buckets.len() == 1 { buckets[0] } else { "-" };
                    let line = format!("unattributed {what} {} {method} {key_arn}", bucket.unwrap_or(only));
                    return Ok(Plain::Event(line));
                }
            };
            Ok(Plain::Event(format!("{what} {bucket}|{key}|{version} {method} {key_arn} {bucket_key}")))
        }
        _ => Ok(Plain::Irrelevant),
    }
}
