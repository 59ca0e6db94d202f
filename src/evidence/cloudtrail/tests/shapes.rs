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
    check("none", put().replace("eventSource", "source"), Err("unreadable"));
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
            "? - -",
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
        ("{}", "null", r#"{"SSEApplied":"SSE_NEW"}"#, "? - -"),
        // A header without a value is another thing than none.
        ("{}", r#"{"x-amz-server-side-encryption":null}"#, r#"{"SSEApplied":"SSE_S3"}"#, "? - -"),
        (r#"{"x-amz-server-side-encryption":null}"#, "{}", "{}", "? - -"),
        ("{}", "null", r#"{"SSEApplied":null}"#, "? - -"),
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
        (r#""ObjectEncryption":{"SSE-NEW":{"KMSKeyArn":"ARN"}}"#, "V1 ? - -"),
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
        ("arn:aws:s3:::logs/", Err("irrelevant")),
        ("arn:aws:s3:::/a", Err("irrelevant")),
        ("arn:aws:s3:::", Err("irrelevant")),
        ("arn:aws:s3:eu-west-1:111122223333:accesspoint/ap", Err("irrelevant")),
        ("logs/a", Err("irrelevant")),
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
        // Names that others may resolve.
        (format!("[{other},{alias}]"), r#""alias/x""#, Some("alias/x")),
        ("[]".to_owned(), r#""0a1b2c3d-1111-4222-8333-444455556666""#, Some("0a1b2c3d-1111-4222-8333-444455556666")),
        ("[]".to_owned(), "null", None),
        ("[]".to_owned(), r#""HIDDEN_DUE_TO_SECURITY_REASONS""#, None),
    ] {
        let record = kms("GenerateDataKey", &request(id), &format!(r#""resources":{resources},"#));
        let expected = format!("DataKey logs|a/b.gz {}", expected.unwrap_or("-"));
        check(&record, record.clone(), Ok(&expected));
    }
}

#[test]
fn data_keys_are_asked_for_by_services_and_by_others() {
    let (invoked, line) = (r#","invokedBy":"AWS Internal""#, data_key_line());
    for service in ["AWS Internal", "s3.amazonaws.com", "cloudtrail.amazonaws.com", "delivery.logs.amazonaws.com"] {
        check(service, data_key().replace(invoked, &format!(r#","invokedBy":"{service}""#)), Ok(&line));
    }
    let others = format!("{line} by others");
    for other in ["fas.s3.amazonaws.com", "ec2.amazonaws.com", "AWS Internal ", ""] {
        check(other, data_key().replace(invoked, &format!(r#","invokedBy":"{other}""#)), Ok(&others));
    }
    // An address is no name.
    check("none", data_key().replace(invoked, ""), Ok(&others));
    check("nobody", data_key().replace("userIdentity", "identity"), Ok(&others));
}

/// A record with these resources.
fn with_resources(record: &str, arns: &[&str]) -> String {
    let (before, rest) = record.split_once(r#""resources":["#).expect("resources");
    let (_, behind) = rest.split_once("]").expect("their end");
    let all: Vec<String> = arns.iter().map(|arn| format!(r#"{{"ARN":"{arn}"}}"#)).collect();
    format!(r#"{before}"resources":[{}]{behind}"#, all.join(","))
}

#[test]
fn objects_are_told_by_resources_where_requests_do_not_name_them() {
    const BUCKET: &str = "arn:aws:s3:::logs";
    const FILE: &str = "arn:aws:s3:::logs/a/b.gz";
    const POINT: &str = "arn:aws:s3:eu-west-1:111122223333:accesspoint/ap";
    let told = format!("PutObject {KMS_LINE}");
    let of_bucket = "unattributed PutObject logs SseKms arn:aws:kms:eu-west-1:111122223333:key/k1";
    let nowhere = of_bucket.replace("logs", "-");
    let elsewhere = told.replace("logs|", "else|");
    for (request, resources, expected) in [
        // The request names it.
        (OBJECT, &[FILE, BUCKET][..], &told[..]),
        (OBJECT, &[], &told),
        (r#"{"bucketName":"else","key":"a/b.gz"}"#, &[FILE, BUCKET], &elsewhere),
        // The bucket is reached by another name, or not named.
        (r#"{"bucketName":"ap-x1y2-s3alias","key":"a/b.gz"}"#, &[FILE, BUCKET, POINT], &told),
        (r#"{"bucketName":"arn:aws:s3:eu-west-1:111122223333:accesspoint/ap","key":"a/b.gz"}"#, &[BUCKET, FILE], &told),
        (r#"{"key":"a/b.gz"}"#, &[FILE], &told),
        (r#"{"bucketName":"HIDDEN_DUE_TO_SECURITY_REASONS","key":"a/b.gz"}"#, &[FILE, FILE], &told),
        (r#"{"bucketName":"ap-x1y2-s3alias","key":"a/b.gz"}"#, &[POINT], &nowhere),
        (r#"{"bucketName":"ap-x1y2-s3alias","key":"a/b.gz"}"#, &[BUCKET, POINT], of_bucket),
        (r#"{"bucketName":"ap-x1y2-s3alias","key":"a/b.gz"}"#, &[BUCKET, "arn:aws:s3:::other"], &nowhere),
        (r#"{"bucketName":"ap-x1y2-s3alias","key":"a/b.gz"}"#, &[FILE, "arn:aws:s3:::logs/other"], of_bucket),
        (r#"{"bucketName":"ap-x1y2-s3alias","key":"other"}"#, &[FILE], of_bucket),
        // The key is not named.
        (r#"{"bucketName":"logs"}"#, &[FILE, BUCKET], &told),
        (r#"{"bucketName":"logs","key":null}"#, &[BUCKET, FILE], &told),
        (r#"{"bucketName":"logs","key":""}"#, &[BUCKET], of_bucket),
        (r#"{"bucketName":"logs"}"#, &[], of_bucket),
        (r#"{"bucketName":"logs"}"#, &["arn:aws:s3:::other/a/b.gz"], of_bucket),
        // Nothing is named.
        ("null", &[FILE, BUCKET], &told),
        ("{}", &[BUCKET], of_bucket),
        ("{}", &[], &nowhere),
        (r#"{"omitted":true,"originalSize":1234,"reason":"too long"}"#, &[FILE], &told),
    ] {
        let record = with_resources(&s3("PutObject", request, KMS_RESPONSE, ""), resources);
        check(&format!("{request} {resources:?}"), record, Ok(expected));
    }
    let update = with_resources(&s3("UpdateObjectEncryption", "null", "null", ""), &[]);
    check("update", update, Ok("unattributed UpdateObjectEncryption - - -"));
    let many: Vec<String> = (0..100).map(|at| format!("arn:aws:s3:::logs/{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check("many", with_resources(&s3("PutObject", "{}", KMS_RESPONSE, ""), &many), Ok(of_bucket));
}

#[test]
fn what_has_no_time_is_unreadable() {
    for time in ["\"yesterday\"", "null", "\"2026-02-30T00:00:00Z\"", "\"2026-03-04T05:06:07\""] {
        for record in [put(), data_key()] {
            check(time, record.replace(&format!("\"{TIME}\""), time), Err("unreadable"));
        }
    }
    for time in ["2026-03-04T06:06:07+01:00", "2026-03-04 05:06:07Z"] {
        check(time, put().replace(TIME, time), Ok(&put_line()));
    }
}

#[test]
fn events_say_whose_they_are() {
    let more = |record: &str| {
        let mut found = Vec::new();
        let mut each = |event: Event<'_>| {
            let owned = |text: Option<&str>| text.unwrap_or("-").to_owned();
            found.push(match event {
                Event::Write(write) => [owned(write.account), owned(write.region), owned(write.upload_id)],
                Event::Unattributed(write) => [owned(write.account), owned(write.region), "-".to_owned()],
                Event::DataKey(key) => [owned(key.account), owned(key.region), "-".to_owned()],
            });
        };
        scan(&mut log(&[record.to_owned()]).as_bytes(), &mut Scratch::default(), &mut each).expect("a log");
        found.remove(0).join(" ")
    };
    let caller = r#""userIdentity":{"accountId":"444455556666","#;
    let called = |record: String| record.replacen(r#""userIdentity":{"#, caller, 1);
    assert_eq!(more(&put()), "111122223333 eu-west-1 -");
    assert_eq!(more(&called(put())), "444455556666 eu-west-1 -");
    assert_eq!(more(&put().replace("recipientAccountId", "x").replace("awsRegion", "y")), "- - -");
    assert_eq!(more(&called(data_key())), "444455556666 eu-west-1 -");
    assert_eq!(more(&called(s3("PutObject", "null", "{}", "")).replace("arn:aws", "x")), "444455556666 eu-west-1 -");
    let asked = r#"{"bucketName":"logs","key":"a","uploadId":"U1"}"#;
    assert_eq!(more(&s3("CompleteMultipartUpload", asked, "{}", "")), "111122223333 eu-west-1 U1");
    let answered = r#"{"uploadId":"U2"}"#;
    assert_eq!(more(&s3("CreateMultipartUpload", OBJECT, answered, "")), "111122223333 eu-west-1 U2");
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
    let other = r#"{"eventName":"AssumeRole","readOnly":falsehood}"#.to_owned();
    assert_eq!(read_all(&[put(), other]).1.unreadable, 0);
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
