//! What a record says, one rule a row.

use super::*;

/// Either an event, or what a record is counted as.
#[track_caller]
fn check(what: &str, record: String, expected: Result<&str, &str>) {
    let (lines, scanned) = read_all(&[record]);
    let one = |name: &str| Scanned {
        records: 1,
        events: u64::from(name == "event"),
        failed: u64::from(name == "failed"),
        foreign: u64::from(name == "foreign"),
        incomplete: u64::from(name == "incomplete"),
        unreadable: u64::from(name == "unreadable"),
    };
    match expected {
        Ok(line) => assert_eq!((lines, scanned), (vec![line.to_owned()], one("event")), "{what}"),
        Err(count) => assert_eq!((lines, scanned), (vec![], one(count)), "{what}"),
    }
}

const OBJECT: &str = r#"{"bucketName":"logs","key":"a/b.gz"}"#;
const KMS_RESPONSE: &str = r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:eu-west-1:111122223333:key/k1","x-amz-version-id":"V1"}"#;
const KMS_LINE: &str = "logs|a/b.gz|V1 SseKms arn:aws:kms:eu-west-1:111122223333:key/k1 -";

#[test]
fn real_shapes_are_read() {
    assert_eq!(read_all(&[put(), data_key()]).0, [put_line(), data_key_line()]);
}

#[test]
fn every_call_that_writes_counts() {
    for name in ["PutObject", "CopyObject", "CompleteMultipartUpload"] {
        check(name, s3(name, OBJECT, KMS_RESPONSE, ""), Ok(&format!("{name} {KMS_LINE}")));
    }
    // An upload that begins has no version yet.
    let begun = KMS_LINE.replace("|V1", "|-");
    check("", s3("CreateMultipartUpload", OBJECT, KMS_RESPONSE, ""), Ok(&format!("CreateMultipartUpload {begun}")));
    for name in ["GetObject", "UploadPart", "PutObjectAcl", "putobject", "DeleteObject", "PutObject ", ""] {
        check(name, s3(name, OBJECT, KMS_RESPONSE, ""), Err("irrelevant"));
    }
}

#[test]
fn only_s3_and_kms_are_heard() {
    for source in ["s3express.amazonaws.com", "kms.amazonaws.com", "s3.amazonaws.com.example", ""] {
        check(source, put().replace(r#""s3.amazonaws.com""#, &format!("\"{source}\"")), Err("irrelevant"));
    }
    for source in ["s3.amazonaws.com", "sts.amazonaws.com"] {
        check(source, data_key().replace(r#""kms.amazonaws.com""#, &format!("\"{source}\"")), Err("irrelevant"));
    }
    check("none", put().replace("eventSource", "source"), Err("irrelevant"));
    // What Insights say of a call is deeper inside.
    let insight = format!(r#"{{"eventType":"AwsCloudTrailInsight","insightDetails":{}}}"#, put());
    check("insight", insight, Err("irrelevant"));
    let both = put().replacen('{', r#"{"insightDetails":{"eventName":"GetObject"},"#, 1);
    check("own name", both, Ok(&put_line()));
}

#[test]
fn failed_calls_never_count() {
    for members in [
        r#""errorCode":"AccessDenied","errorMessage":"Access Denied","#,
        r#""errorCode":"AccessDenied","#,
        r#""errorMessage":"Access Denied","#,
        r#""errorCode":"","#,
        r#""errorCode":0,"#,
        r#""errorCode":{"deep":[1]},"errorMessage":null,"#,
    ] {
        check(members, s3("PutObject", OBJECT, KMS_RESPONSE, members), Err("failed"));
        check(members, data_key().replacen('{', &format!("{{{members}"), 1), Err("failed"));
    }
    let harmless = r#""errorCode":null,"errorMessage":null,"#;
    check(harmless, s3("PutObject", OBJECT, KMS_RESPONSE, harmless), Ok(&format!("PutObject {KMS_LINE}")));
    check("no object", s3("PutObject", "null", "null", r#""errorCode":"AccessDenied","#), Err("failed"));
}

#[test]
fn method_key_and_bucket_key_come_from_where_they_are_said() {
    let rows = [
        // Responses.
        ("{}", r#"{"x-amz-server-side-encryption":"AES256"}"#, "{}", "SseS3 - -"),
        ("{}", r#"{"x-amz-server-side-encryption":"aws:kms"}"#, "{}", "SseKms - -"),
        (
            "{}",
            r#"{"x-amz-server-side-encryption":"aws:kms:dsse","x-amz-server-side-encryption-aws-kms-key-id":"arn:k"}"#,
            "{}",
            "DsseKms arn:k -",
        ),
        ("{}", r#"{"x-amz-server-side-encryption-customer-algorithm":"AES256"}"#, "{}", "SseC - -"),
        (
            "{}",
            r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-bucket-key-enabled":"true"}"#,
            "{}",
            "SseKms - true",
        ),
        ("{}", r#"{"x-amz-server-side-encryption-bucket-key-enabled":false}"#, "{}", "- - false"),
        // A method that we do not know is none that somebody else may say better.
        (
            r#"{"x-amz-server-side-encryption":"AES256"}"#,
            r#"{"x-amz-server-side-encryption":"aws:fsx"}"#,
            r#"{"SSEApplied":"SSE_S3"}"#,
            "- - -",
        ),
        // The response comes before the request.
        (
            r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"alias/asked"}"#,
            r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:used"}"#,
            "{}",
            "SseKms arn:used -",
        ),
        (
            r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"alias/asked"}"#,
            r#"{"x-amz-server-side-encryption":"AES256"}"#,
            "{}",
            "SseS3 - -",
        ),
        // The request, where the response is silent.
        (
            r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"alias/asked","x-amz-server-side-encryption-bucket-key-enabled":"True"}"#,
            "null",
            "{}",
            "SseKms alias/asked true",
        ),
        (r#"{"x-amz-server-side-encryption-customer-algorithm":"AES256"}"#, "{}", "null", "SseC - -"),
        // Records of 2017 to 2019 have lists.
        (
            r#"{"x-amz-server-side-encryption":["aws:kms"],"x-amz-server-side-encryption-aws-kms-key-id":["k1"]}"#,
            "null",
            "null",
            "SseKms k1 -",
        ),
        // What was copied from is no matter.
        (r#"{"x-amz-copy-source-server-side-encryption-customer-algorithm":"AES256"}"#, "{}", "{}", "- - -"),
        // What was applied tells the method only.
        ("{}", "null", r#"{"SSEApplied":"Default_SSE_S3"}"#, "SseS3 - -"),
        ("{}", "null", r#"{"SSEApplied":"Default_SSE_KMS"}"#, "SseKms - -"),
        ("{}", "null", r#"{"SSEApplied":"Default_DSSE_KMS"}"#, "DsseKms - -"),
        ("{}", "null", r#"{"SSEApplied":"SSE_S3"}"#, "SseS3 - -"),
        ("{}", "null", r#"{"SSEApplied":"SSE_KMS"}"#, "SseKms - -"),
        ("{}", "null", r#"{"SSEApplied":"DSSE_KMS"}"#, "DsseKms - -"),
        ("{}", "null", r#"{"SSEApplied":"SSE_C"}"#, "SseC - -"),
        ("{}", "null", r#"{"SSEApplied":"SSE_NEW"}"#, "- - -"),
        ("{}", "null", "null", "- - -"),
        // What is hidden is not said.
        (
            "{}",
            r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
            "{}",
            "SseKms - -",
        ),
    ];
    for (request, response, additional, expected) in rows {
        let request = request.replacen('{', r#"{"bucketName":"logs","key":"a/b.gz","#, 1).replace(",}", "}");
        let record = s3("PutObject", &request, response, &format!(r#""additionalEventData":{additional},"#));
        check(&record, record.clone(), Ok(&format!("PutObject logs|a/b.gz|- {expected}")));
    }
}

#[test]
fn versions_are_given_as_they_stand() {
    for (version, expected) in
        [(r#""null""#, "null"), (r#""V1""#, "V1"), ("null", "-"), (r#""""#, "-"), (r#"["V1"]"#, "V1")]
    {
        let response = format!(r#"{{"x-amz-version-id":{version}}}"#);
        check(version, s3("PutObject", OBJECT, &response, ""), Ok(&format!("PutObject logs|a/b.gz|{expected} - - -")));
    }
    // The version of a request is that of something else, if a write has one at all.
    let request = r#"{"bucketName":"logs","key":"a/b.gz","versionId":"V0","x-amz-version-id":"V0"}"#;
    check("request", s3("CopyObject", request, "null", ""), Ok("CopyObject logs|a/b.gz|- - - -"));
}

#[test]
fn updates_say_their_version_and_key_in_the_request() {
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/k2";
    for (body, expected) in [
        (r#""ObjectEncryption":{"SSE-KMS":{"KMSKeyArn":"ARN","BucketKeyEnabled":true}}"#, "V1 SseKms ARN true"),
        (r#""ObjectEncryption":{"SSE-KMS":{"KMSKeyArn":"ARN","BucketKeyEnabled":"false"}}"#, "V1 SseKms ARN false"),
        (r#""ObjectEncryption":{"xmlns":"http://s3","SSEKMS":{"KMSKeyArn":"ARN"}}"#, "V1 SseKms ARN -"),
        (r#""objectEncryption":{"sSEKMS":{"kMSKeyArn":"ARN","bucketKeyEnabled":true}}"#, "V1 SseKms ARN true"),
        (r#""objectEncryption":{"sseKms":{"kmsKeyArn":"ARN"}}"#, "V1 SseKms ARN -"),
        (r#""ObjectEncryption":{"SSE-KMS":{"KMSKeyArn":"HIDDEN_DUE_TO_SECURITY_REASONS"}}"#, "V1 SseKms - -"),
        (r#""ObjectEncryption":{"SSE-NEW":{"KMSKeyArn":"ARN"}}"#, "V1 - - -"),
        (r#""ObjectEncryption":null"#, "V1 - - -"),
    ] {
        let (body, expected) = (body.replace("ARN\"", &format!("{arn}\"")), expected.replace("ARN", arn));
        let body = body.replace(&format!("KMSKey{arn}\""), "KMSKeyArn\"");
        let request = format!(r#"{{"bucketName":"logs","key":"a/b.gz","encryption":"","versionId":"V1",{body}}}"#);
        let record = s3("UpdateObjectEncryption", &request, "null", "");
        check(&body, record, Ok(&format!("UpdateObjectEncryption logs|a/b.gz|{expected}")));
    }
    let request = r#"{"bucketName":"logs","key":"a/b.gz","ObjectEncryption":{"SSE-KMS":{"KMSKeyArn":"k2"}}}"#;
    let record = s3("UpdateObjectEncryption", request, "null", "");
    check("current version", record, Ok("UpdateObjectEncryption logs|a/b.gz|- SseKms k2 -"));
}

#[test]
fn data_keys_are_for_an_object_or_for_a_bucket() {
    for (arn, expected) in [
        ("arn:aws:s3:::logs/a/b.gz", Ok("logs|a/b.gz")),
        ("arn:aws-us-gov:s3:::logs/a", Ok("logs|a")),
        ("arn:aws-cn:s3:::logs", Ok("logs|-")),
        ("arn:aws:s3:::logs//", Ok("logs|/")),
        ("arn:aws:s3:::logs/a:s3:::b", Ok("logs|a:s3:::b")),
        ("arn:aws:s3:::logs/", Err("incomplete")),
        ("arn:aws:s3:::/a", Err("incomplete")),
        ("arn:aws:s3:::", Err("incomplete")),
        ("arn:aws:s3:eu-west-1:111122223333:accesspoint/ap", Err("incomplete")),
        ("logs/a", Err("incomplete")),
        ("", Err("irrelevant")),
    ] {
        let expected = expected.map(|place| format!("DataKey {place} {KEY_ARN}"));
        let record = data_key().replace("arn:aws:s3:::logs/a/b.gz", arn);
        check(arn, record, expected.as_deref().map_err(|count| *count));
    }
    check("other service", data_key().replace("aws:s3:arn", "aws:ebs:id"), Err("irrelevant"));
    check("none", kms("GenerateDataKey", r#"{"keyId":"alias/x"}"#, &resources()), Err("irrelevant"));
    check("no request", kms("GenerateDataKey", "null", &resources()), Err("irrelevant"));
    for name in ["Decrypt", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair"] {
        check(name, data_key().replace("GenerateDataKey", name), Err("irrelevant"));
    }
}

#[test]
fn data_keys_have_their_key_from_the_resources_or_the_request() {
    let request =
        |id: &str| format!(r#"{{"encryptionContext":{{"aws:s3:arn":"arn:aws:s3:::logs/a/b.gz"}},"keyId":{id}}}"#);
    let other = r#"{"ARN":"arn:aws:s3:::logs","type":"AWS::S3::Bucket"}"#;
    let alias = r#"{"ARN":"arn:aws:kms:eu-west-1:111122223333:alias/x"}"#;
    let key = format!(r#"{{"ARN":"{KEY_ARN}","accountId":"111122223333"}}"#);
    for (resources, id, expected) in [
        (format!("[{key}]"), r#""alias/x""#, Some(KEY_ARN)),
        (format!("[{other},{alias},{key},{key}]"), "null", Some(KEY_ARN)),
        (format!("[{{}},{}]", key.replace("ARN", "arn")), "null", Some(KEY_ARN)),
        (
            "[]".to_owned(),
            r#""arn:aws:kms:eu-west-1:111122223333:key/k1""#,
            Some("arn:aws:kms:eu-west-1:111122223333:key/k1"),
        ),
        (
            "null".to_owned(),
            r#""arn:aws:kms:eu-west-1:111122223333:key/k1""#,
            Some("arn:aws:kms:eu-west-1:111122223333:key/k1"),
        ),
        (format!("[{other},{alias}]"), r#""alias/x""#, None),
        ("[]".to_owned(), r#""0a1b2c3d-1111-4222-8333-444455556666""#, None),
        ("[]".to_owned(), "null", None),
    ] {
        let record = kms("GenerateDataKey", &request(id), &format!(r#""resources":{resources},"#));
        let expected = expected.map(|arn| format!("DataKey logs|a/b.gz {arn}"));
        check(&record, record.clone(), expected.as_deref().ok_or("incomplete"));
    }
}

#[test]
fn data_keys_that_nobody_made_for_s3_do_not_count() {
    let invoked = r#","invokedBy":"fas.s3.amazonaws.com""#;
    let address = r#""sourceIPAddress":"fas.s3.amazonaws.com""#;
    for (from, to, foreign) in [
        (address, r#""sourceIPAddress":"192.0.2.17""#, true),
        (address, r#""sourceIPAddress":"2001:db8::17""#, true),
        (address, r#""other":"1""#, true),
        (address, r#""sourceIPAddress":"AWS Internal""#, false),
        (address, address, false),
    ] {
        let record = data_key().replace(invoked, "").replace(from, to);
        let line = data_key_line();
        check(to, record, if foreign { Err("foreign") } else { Ok(&line) });
        // The guides show services with the address of whom they serve.
        check(to, data_key().replace(from, to), Ok(&line));
    }
}

#[test]
fn what_names_no_object_or_time_is_incomplete() {
    for request in [
        "null",
        "{}",
        r#"{"bucketName":"logs"}"#,
        r#"{"key":"a"}"#,
        r#"{"bucketName":"logs","key":null}"#,
        r#"{"bucketName":"","key":"a"}"#,
        r#"{"omitted":true,"originalSize":1234,"reason":"too long"}"#,
    ] {
        check(request, s3("PutObject", request, KMS_RESPONSE, ""), Err("incomplete"));
    }
    for time in ["\"yesterday\"", "null", "\"2026-02-30T00:00:00Z\""] {
        for record in [put(), data_key()] {
            check(time, record.replace(&format!("\"{TIME}\""), time), Err("incomplete"));
        }
    }
}

#[test]
fn wrong_types_make_a_record_unreadable() {
    for (name, wrong) in [
        ("bucketName", "5"),
        ("key", "true"),
        ("key", r#"{"a":"b"}"#),
        ("key", r#"["a","b"]"#),
        ("key", "[]"),
        ("key", r#"[["a"]]"#),
        ("key", "[5]"),
        ("x-amz-server-side-encryption-bucket-key-enabled", r#""yes""#),
        ("x-amz-server-side-encryption-bucket-key-enabled", "1"),
        ("ObjectEncryption", "[]"),
        ("encryptionContext", r#""text""#),
    ] {
        let request = format!(r#"{{"{name}":{wrong}}}"#);
        check(&request, s3("PutObject", &request, "{}", ""), Err("unreadable"));
    }
    for wrong in ["[]", r#"["logs","a"]"#, "\"text\"", "5", "false"] {
        check(wrong, s3("PutObject", wrong, "{}", ""), Err("unreadable"));
        check(wrong, s3("PutObject", OBJECT, wrong, ""), Err("unreadable"));
    }
    for resources in ["{}", "\"text\"", "[5]", r#"[{"ARN":5}]"#, "[[]]"] {
        check(
            resources,
            data_key().replace("\"resources\":[", &format!("\"resources\":{resources},\"r\":[")),
            Err("unreadable"),
        );
    }
    check("time", put().replace(&format!("\"{TIME}\""), "5"), Err("unreadable"));
    check("twice", put().replace(r#""key":"#, r#""key":"other","key":"#), Err("unreadable"));
}

#[test]
fn what_is_no_json_is_unreadable() {
    for (from, to) in [
        (r#""key":"a/b.gz""#, r#""key":"\ud800""#),
        (r#""key":"a/b.gz""#, r#""key":"\x""#),
        (r#""key":"a/b.gz""#, "\"key\":\"a\nb\""),
        (r#""key":"a/b.gz""#, r#""key" "a/b.gz""#),
        (r#""key":"a/b.gz""#, r#""key":a/b.gz"#),
        (r#""readOnly":false"#, r#""readOnly":falsehood"#),
        (r#""readOnly":false"#, r#""readOnly":01"#),
        (r#""readOnly":false,"#, r#""readOnly":false,,"#),
        (r#""readOnly":false,"#, r#""readOnly":false"#),
    ] {
        check(to, put().replace(from, to), Err("unreadable"));
    }
    let mut bytes = log(&[put().replace("SigV4", "Sig\u{1}V4")]).into_bytes();
    let at = bytes.iter().position(|byte| *byte == 1).expect("the control character");
    bytes[at] = 0xff;
    assert_eq!(read(&bytes[..]).expect("a log").1.unreadable, 1, "not UTF-8");
    // Nobody looks at records that are about something else.
    check("other", r#"{"eventName":"AssumeRole","readOnly":falsehood}"#.to_owned(), Err("irrelevant"));
}

#[test]
fn escapes_are_read() {
    for (escaped, expected) in [
        (r"caf\u00e9", "café"),
        (r#"a\"b"#, "a\"b"),
        (r"a\\b", r"a\b"),
        (r"a\\", r"a\"),
        (r"\/a\/b", "/a/b"),
        (r"\ud83d\udd11", "🔑"),
        (r"a\tb\n", "a\tb\n"),
        (r#"\\\"}]}"#, r#"\"}]}"#),
        ("{[\\u0000", "{[\0"),
        ("target file.txt", "target file.txt"),
        ("50%25+off", "50%25+off"),
        ("日誌", "日誌"),
    ] {
        let put = put().replace(r#""key":"a/b.gz""#, &format!(r#""key":"{escaped}""#));
        check(escaped, put, Ok(&put_line().replace("a/b.gz", expected)));
        let data_key = data_key().replace("arn:aws:s3:::logs/a/b.gz", &format!("arn:aws:s3:::logs/{escaped}"));
        check(escaped, data_key, Ok(&data_key_line().replace("a/b.gz", expected)));
    }
    // Nobody writes like this, but it is the same.
    for (from, to) in [
        (r#""eventName""#, r#""event\u004eame""#),
        (r#""PutObject""#, r#""Put\u004fbject""#),
        (r#""s3.amazonaws.com""#, r#""s3\u002eamazonaws.com""#),
        (r#""bucketName""#, r#""bucketNam\u0065""#),
        (r#""eventName":"PutObject""#, "\"eventName\" :\n[ \"PutObject\" ]"),
        (r#""eventName":"PutObject""#, "\"eventName\"\t: \r\"PutObject\""),
    ] {
        check(to, put().replace(from, to), Ok(&put_line()));
    }
}

#[test]
fn methods_are_those_of_the_policy() {
    let methods = [Method::SseS3, Method::SseKms, Method::DsseKms, Method::SseC];
    assert_eq!(methods.map(|method| format!("{method:?}")), ["SseS3", "SseKms", "DsseKms", "SseC"]);
}
