//! Records have the shapes of real ones; their ids are invented.

use std::io::{self, Read};

use super::*;
use crate::policy::Method;
use crate::timestamp::Timestamp;

mod plain;
mod shapes;
mod splitting;

const TIME: &str = "2026-03-04T05:06:07Z";
const KEY_ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-4222-8333-444455556666";

/// A log of these records.
fn log(records: &[String]) -> String {
    format!(r#"{{"Records":[{}]}}"#, records.join(","))
}

/// The events of a log, a line each, and what was counted.
fn read(input: impl Read) -> Result<(Vec<String>, Scanned), ScanError> {
    read_with(&mut Scratch::default(), input)
}

fn read_with(scratch: &mut Scratch, mut input: impl Read) -> Result<(Vec<String>, Scanned), ScanError> {
    let mut lines = Vec::new();
    let scanned = scan(&mut input, scratch, &mut |event| lines.push(line(event)))?;
    assert_eq!(scanned.events, lines.len() as u64);
    Ok((lines, scanned))
}

fn read_all(records: &[String]) -> (Vec<String>, Scanned) {
    read(log(records).as_bytes()).expect("a log")
}

/// Names the time only if it is another than [`TIME`].
fn line(event: Event<'_>) -> String {
    let when = |time: Timestamp| {
        if Timestamp::parse(TIME.as_bytes()) == Some(time) { String::new() } else { format!("{time} ") }
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let stated = |method: Stated| match method {
        Stated::Nothing => "-".to_owned(),
        Stated::Unknown => "?".to_owned(),
        Stated::Is(method) => format!("{method:?}"),
    };
    match event {
        Event::Write(Write { what, time, bucket, key, version_id, method, key_arn, bucket_key, .. }) => {
            let (bucket, key, version) = (text(bucket), text(key), version_id.map_or("-".to_owned(), text));
            let bucket_key = bucket_key.map_or("-".to_owned(), |flag| flag.to_string());
            let (method, key_arn) = (stated(method), key_arn.unwrap_or("-"));
            format!("{}{what:?} {bucket}|{key}|{version} {method} {key_arn} {bucket_key}", when(time))
        }
        Event::Unattributed(Unattributed { what, time, bucket, method, key_arn, .. }) => {
            let (bucket, method) = (bucket.map_or("-".to_owned(), text), stated(method));
            format!("{}unattributed {what:?} {bucket} {method} {}", when(time), key_arn.unwrap_or("-"))
        }
        Event::DataKey(DataKey { time, bucket, key, key_arn, asked_by, .. }) => {
            let (bucket, key, key_arn) = (text(bucket), key.map_or("-".to_owned(), text), key_arn.unwrap_or("-"));
            let by = if asked_by == AskedBy::Service { "" } else { " by others" };
            format!("{}DataKey {bucket}|{key} {key_arn}{by}", when(time))
        }
    }
}

/// A record of a call of S3; `more` stands before the other members.
fn s3(name: &str, request: &str, response: &str, more: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/writer/session","sessionContext":{{"attributes":{{"mfaAuthenticated":"false"}}}}}},"eventTime":"{TIME}","eventSource":"s3.amazonaws.com","eventName":"{name}","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.17","userAgent":"[aws-cli/2.15.0 \"quoted\"]",{more}"requestParameters":{request},"responseElements":{response},"requestID":"2BTM82MWJ65M4YB4","readOnly":false,"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::logs/a/b.gz"}},{{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::logs"}}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data"}}"#
    )
}

/// A record of a call of KMS, made by S3 for somebody.
fn kms(name: &str, request: &str, more: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/writer/session","invokedBy":"AWS Internal"}},"eventTime":"{TIME}","eventSource":"kms.amazonaws.com","eventName":"{name}","awsRegion":"eu-west-1","sourceIPAddress":"AWS Internal","userAgent":"AWS Internal","requestParameters":{request},"responseElements":null,"readOnly":true,{more}"eventType":"AwsApiCall","managementEvent":true,"eventCategory":"Management"}}"#
    )
}

/// The resources of a data key.
fn resources() -> String {
    format!(r#""resources":[{{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"{KEY_ARN}"}}],"#)
}

fn put() -> String {
    s3(
        "PutObject",
        r#"{"bucketName":"logs","Host":"logs.s3.eu-west-1.amazonaws.com","key":"a/b.gz"}"#,
        &format!(
            r#"{{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"{KEY_ARN}","x-amz-version-id":"V1.x_"}}"#
        ),
        r#""additionalEventData":{"SignatureVersion":"SigV4","bytesTransferredIn":25701.0,"SSEApplied":"Default_SSE_KMS"},"#,
    )
}

fn data_key() -> String {
    let request = format!(
        r#"{{"keySpec":"AES_256","encryptionContext":{{"aws:s3:arn":"arn:aws:s3:::logs/a/b.gz"}},"keyId":"{KEY_ARN}"}}"#
    );
    kms("GenerateDataKey", &request, &resources())
}

fn put_line() -> String {
    format!("PutObject logs|a/b.gz|V1.x_ SseKms {KEY_ARN} -")
}

fn data_key_line() -> String {
    format!("DataKey logs|a/b.gz {KEY_ARN}")
}
