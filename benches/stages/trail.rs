//! CloudTrail logs to key evidence.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Instant;

use logseal::evidence::cloudtrail::{Scratch, scan};

use crate::measure::{Input, Work};

/// So many records are made; they are scanned again and again.
const RECORDS: u64 = 20_000;

/// A trail of management events and of the data events of all buckets: a tenth of the records is evidence.
pub fn scan_mixed(input: &Input) -> Work {
    static LOG: OnceLock<String> = OnceLock::new();
    scan_all(input, LOG.get_or_init(|| log(|number| MIX[(number % MIX.len() as u64) as usize])))
}

/// A trail of nothing but evidence.
pub fn scan_dense(input: &Input) -> Work {
    static LOG: OnceLock<String> = OnceLock::new();
    scan_all(input, LOG.get_or_init(|| log(|number| if number % 2 == 0 { put_object } else { data_key })))
}

fn scan_all(input: &Input, log: &str) -> Work {
    let (mut scratch, mut work) = (Scratch::default(), Work { seconds: 0.0, rows: 0, bytes: 0 });
    let started = Instant::now();
    while work.rows < input.rows {
        let mut evidence = 0;
        let scanned = scan(&mut log.as_bytes(), &mut scratch, &mut |event| {
            black_box(event);
            evidence += 1;
        });
        let scanned = scanned.expect("a log");
        assert!(scanned.events == evidence && evidence > 0 && scanned.unreadable == 0, "{scanned:?}");
        work.rows += scanned.records;
        work.bytes += log.len() as u64;
    }
    work.seconds = started.elapsed().as_secs_f64();
    work
}

type Record = fn(&mut String, u64);

const MIX: [Record; 20] = [
    assume_role,
    describe,
    get_object,
    decrypt,
    get_object,
    describe,
    put_object,
    assume_role,
    list_objects,
    decrypt,
    get_object,
    describe,
    assume_role,
    get_object,
    describe,
    data_key,
    get_object,
    decrypt,
    assume_role,
    get_object,
];

fn log(record: impl Fn(u64) -> Record) -> String {
    let mut log = r#"{"Records":["#.to_owned();
    for number in 0..RECORDS {
        log.push_str(if number == 0 { "" } else { "," });
        record(number)(&mut log, number);
    }
    log.push_str("]}");
    log
}

/// The members that all records begin with.
fn begin(log: &mut String, number: u64, source: &str, name: &str) {
    let (role, second) = (number % 7, number % 60);
    write!(
        log,
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLEROLE0{role:05}:session-{number:08}","arn":"arn:aws:sts::111122223333:assumed-role/log-writer-{role}/session-{number:08}","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE{number:09}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLEROLE0{role:05}","arn":"arn:aws:iam::111122223333:role/log-writer-{role}","accountId":"111122223333","userName":"log-writer-{role}"}},"attributes":{{"creationDate":"2026-03-04T05:00:00Z","mfaAuthenticated":"false"}}}}"#
    )
    .expect("written");
    log.push_str(match source {
        "kms.amazonaws.com" => r#","invokedBy":"s3.amazonaws.com"},"#,
        _ => "},",
    });
    let (address, agent) = match source {
        "kms.amazonaws.com" => ("s3.amazonaws.com", "s3.amazonaws.com"),
        _ => (
            "192.0.2.17",
            "[aws-sdk-java/2.25.11 Linux/5.10.216-225.855.amzn2.x86_64 OpenJDK_64-Bit_Server_VM/17.0.11+9-LTS Java/17.0.11 vendor/Amazon.com_Inc. io/sync http/Apache cfg/retry-mode/standard]",
        ),
    };
    write!(
        log,
        r#""eventTime":"2026-03-04T05:06:{second:02}Z","eventSource":"{source}","eventName":"{name}","awsRegion":"eu-west-1","sourceIPAddress":"{address}","userAgent":"{agent}","#
    )
    .expect("written");
}

/// The members that all records end with.
fn end(log: &mut String, number: u64, category: &str) {
    write!(
        log,
        r#""requestID":"{number:016X}","eventID":"5f0c3b1e-7a54-4c1b-9d5e-{number:012x}","readOnly":false,"eventType":"AwsApiCall","managementEvent":{},"recipientAccountId":"111122223333","eventCategory":"{category}","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"org-audit-logs.s3.eu-west-1.amazonaws.com"}}}}"#,
        category == "Management"
    )
    .expect("written");
}

fn key(number: u64) -> String {
    format!(
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/04/111122223333_CloudTrail_eu-west-1_20260304T0505Z_{number:016}.json.gz"
    )
}

fn object_resources(log: &mut String, number: u64) {
    let key = key(number);
    write!(
        log,
        r#""resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::org-audit-logs/{key}"}},{{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::org-audit-logs"}}],"#
    )
    .expect("written");
}

fn key_resources(log: &mut String) {
    log.push_str(r#""resources":[{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-4222-8333-444455556666"}],"#);
}

fn put_object(log: &mut String, number: u64) {
    begin(log, number, "s3.amazonaws.com", "PutObject");
    let key = key(number);
    write!(
        log,
        r#""requestParameters":{{"bucketName":"org-audit-logs","Host":"org-audit-logs.s3.eu-west-1.amazonaws.com","x-amz-acl":"bucket-owner-full-control","key":"{key}"}},"responseElements":{{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-4222-8333-444455556666","x-amz-version-id":"{number:032}"}},"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":25701,"SSEApplied":"Default_SSE_KMS","AuthenticationMethod":"AuthHeader","x-amz-id-2":"RWqWLHpU7t/Ja8bg/ed0Ko6k3wVkmvt+lfwJsqzoiMZMcN5kQk8rc3eW4QXWJTiC3AmqYj50roc=","bytesTransferredOut":0}},"#
    )
    .expect("written");
    object_resources(log, number);
    end(log, number, "Data");
}

fn get_object(log: &mut String, number: u64) {
    begin(log, number, "s3.amazonaws.com", "GetObject");
    let key = key(number);
    write!(
        log,
        r#""requestParameters":{{"bucketName":"org-audit-logs","Host":"org-audit-logs.s3.eu-west-1.amazonaws.com","key":"{key}"}},"responseElements":null,"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"SSEApplied":"Default_SSE_KMS","AuthenticationMethod":"AuthHeader","x-amz-id-2":"RWqWLHpU7t/Ja8bg/ed0Ko6k3wVkmvt+lfwJsqzoiMZMcN5kQk8rc3eW4QXWJTiC3AmqYj50roc=","bytesTransferredOut":25701}},"#
    )
    .expect("written");
    object_resources(log, number);
    end(log, number, "Data");
}

fn list_objects(log: &mut String, number: u64) {
    begin(log, number, "s3.amazonaws.com", "ListObjects");
    log.push_str(r#""requestParameters":{"list-type":"2","bucketName":"org-audit-logs","encoding-type":"url","prefix":"AWSLogs/111122223333/","delimiter":"/","Host":"org-audit-logs.s3.eu-west-1.amazonaws.com"},"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","bytesTransferredOut":725},"#);
    object_resources(log, number);
    end(log, number, "Data");
}

fn data_key(log: &mut String, number: u64) {
    begin(log, number, "kms.amazonaws.com", "GenerateDataKey");
    let key = key(number);
    write!(
        log,
        r#""requestParameters":{{"keySpec":"AES_256","encryptionContext":{{"aws:s3:arn":"arn:aws:s3:::org-audit-logs/{key}"}},"keyId":"arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-4222-8333-444455556666"}},"responseElements":null,"#
    )
    .expect("written");
    key_resources(log);
    end(log, number, "Management");
}

fn decrypt(log: &mut String, number: u64) {
    begin(log, number, "kms.amazonaws.com", "Decrypt");
    log.push_str(r#""requestParameters":{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::org-audit-logs"}},"responseElements":null,"additionalEventData":{"keyMaterialId":"f9865a6a5bab38dcf11581758310b581a19385034dd450760181fdb7a7f9895e"},"#);
    key_resources(log);
    end(log, number, "Management");
}

fn assume_role(log: &mut String, number: u64) {
    begin(log, number, "sts.amazonaws.com", "AssumeRole");
    write!(
        log,
        r#""requestParameters":{{"roleArn":"arn:aws:iam::111122223333:role/log-writer-3","roleSessionName":"session-{number:08}","durationSeconds":3600,"policy":"{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}}]}}"}},"responseElements":{{"credentials":{{"accessKeyId":"ASIAEXAMPLE{number:09}","sessionToken":"IQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLE","expiration":"Mar 4, 2026, 6:06:00 AM"}},"assumedRoleUser":{{"assumedRoleId":"AROAEXAMPLEROLE003:session-{number:08}","arn":"arn:aws:sts::111122223333:assumed-role/log-writer-3/session-{number:08}"}}}},"resources":[{{"accountId":"111122223333","type":"AWS::IAM::Role","ARN":"arn:aws:iam::111122223333:role/log-writer-3"}}],"#
    )
    .expect("written");
    end(log, number, "Management");
}

fn describe(log: &mut String, number: u64) {
    begin(log, number, "ec2.amazonaws.com", "DescribeInstances");
    log.push_str(r#""requestParameters":{"maxResults":1000,"instancesSet":{},"filterSet":{"items":[{"name":"instance-state-name","valueSet":{"items":[{"value":"running"}]}},{"name":"tag:team","valueSet":{"items":[{"value":"platform"},{"value":"data"}]}}]}},"responseElements":null,"#);
    end(log, number, "Management");
}
