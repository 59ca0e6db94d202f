//! What AWS has signed, and texts that are known.

use std::path::PathBuf;

use super::content::{Content, parse_signature};
use super::keys::{PublicKeys, Sha};
use crate::timestamp::Timestamp;

/// The keys that the CloudTrail User Guide shows: two in the form of PKCS #1, and one as `SubjectPublicKeyInfo`.
const GUIDE_KEYS: &str = r#"{"publicKeyList": [
    {"ValidityStartTime": "1436317441.0", "ValidityEndTime": "1438909441.0",
     "Value": "MIIBCgKCAQEAn11L2YZ9h7onug2ILi1MWyHiMRsTQjfWE+pHVRLk1QjfWhirG+lpOa8NrwQ/r7Ah5bNL6HepznOU9XTDSfmmnP97mqyc7z/upfZdS/AHhYcGaz7n6Wc/RRBU6VmiPCrAUojuSk6/GjvA8iOPFsYDuBtviXarvuLPlrT9kAd4Lb+rFfR5peEgBEkhlzc5HuWO7S0y+KunqxX6jQBnXGMtxmPBPP0FylgWGNdFtks/4YSKcgqwH0YDcawP9GGGDAeCIqPWIXDLG1jOjRRzWfCmD0iJUkz8vTsn4hq/5ZxRFE7UBAUiVcGbdnDdvVfhF9C3dQiDq3k7adQIziLT0cShgQIDAQAB",
     "Fingerprint": "8eba5db5bea9b640d1c96a77256fe7f2"},
    {"ValidityStartTime": "1434589460.0", "ValidityEndTime": "1437181460.0",
     "Value": "MIIBCgKCAQEApfYL2FiZhpN74LNWVUzhR+VheYhwhYm8w0n5Gf6i95ylW5kBAWKVEmnAQG7BvS5g9SMqFDQx52fW7NWV44IvfJ2xGXT+wT+DgR6ZQ+6yxskQNqV5YcXj4Aa5Zz4jJfsYjDuO2MDTZNIzNvBNzaBJ+r2WIWAJ/Xq54kyF63B6WE38vKuDE7nSd1FqQuEoNBFLPInvgggYe2Ym1Refe2z71wNcJ2kY+q0h1BSHrSM8RWuJIw7MXwF9iQncg9jYzUlNJomozQzAG5wSRfbplcCYNY40xvGd/aAmO0m+Y+XFMrKwtLCwseHPvj843qVno6x4BJN9bpWnoPo9sdsbGoiK3QIDAQAB",
     "Fingerprint": "8933b39ddc64d26d8e14ffbf6566fee4"},
    {"ValidityStartTime": "1434589370.0", "ValidityEndTime": "1437181370.0",
     "Value": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqlzPJbvZJ42UdcmLfPUqXYNfOs6I8lCfao/tOs8CmzPOEdtLWugB9xoIUz78qVHdKIqxbaG4jWHfJBiOSSFBM0lt8cdVo4TnRa7oG9io5pysS6DJhBBAeXsicufsiFJR+wrUNh8RSLxL4k6G1+BhLX20tJkZ/erT97tDGBujAelqseGg3vPZbTx9SMfOLN65PdLFudLP7Gat0Z9p5jw/rjpclKfo9Bfc3heeBxWGKwBBOKnFAaN9V57pOaosCvPKmHd9bg7jsQkI9Xp22IzGLsTFJZYVA3KiTAElDMu80iFXPHEq9hKNbt9e4URFam+1utKVEiLkR2disdCmPTK0VQIDAQAB",
     "Fingerprint": "31e8b5433410dfb61a9dc45cc65b22ff"}
]}"#;

/// Signatures of AWS under the last of these keys, as the guide's sample digests carry them, and the hashes that were
/// signed. The guide changed names in the samples, so that the texts themselves are not known.
const GUIDE_SIGNATURES: [(&str, &str); 2] = [
    (
        "50887ccffad4c002b97caa37cc9dc626e3c680207d41d27fa5835458e066e0d3652fc4dfc30937e4d5f4cc7f796e7a258fb50a43ac427f2237f6e505d4efaf373d156e15e3b68dea9f58111d395b62628d6bd367a9024d2183b5c5f6e19466d3a996b92df705bc997b8a0e13430f241d733cf95df4e41bb6c304c3f58363043572ea57a27085639ce187e679c0d81c7519b1184fa77fb7ab0b0e40a32dace6e1eefc3995c5ae182da49b62b26398cebb52a2201a6387b75b89c83e5570bcb9bba6c34a80f2f00a1c6ebe07d1ff149eccd812dc805bb3eeff6657db32a6cb48d2d096404eb76181877bc6ebb8cd0b23f823200155b2fd8848d428e46e8456328a",
        "4cdaa85fddf1a1a032e5fca5d16d104d1b03f2b31641eff267d877264a44c570",
    ),
    (
        "82705525fb0fe7f919f9434e5b7138cb41793c776c7414f3520c0242902daa8cc8286b29263d2627f2f259471c745b1654af76e2073264b2510fd45236b3aea4d80c0e8e6455223d7bd54ff80af0edf22a5f14fa856626daec919f0591479aa4f213787ba1e1076328dcf8ff624e03a977fa5612dcf58594c590fd8c1c5b48bddf43fc84ecc00b41bedd0ff7f293c3e2de8dcdc78f98b03e17577f5822ba842399d69eb79921c0429773509520e08c8b518702d987dfbb3a4e5d8c5f17673ce1f989dfff82d4becf24e452f20d3bcac94ad50131f93e57f10155536acb54c60efbe9d57228c2b930bc6082b2318e3ccd36834a8e835b8d112dbf32145f445c11",
        "eb6fb72c4f3302de4b4a4693658e3a7bf1d464330eb80399500fe11bf1b7ab00",
    ),
];

fn unhex<const LEN: usize>(text: &str) -> [u8; LEN] {
    let bytes = parse_signature(text);
    bytes.try_into().expect("hexadecimal digits of the right number")
}

fn guide_keys() -> PublicKeys {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), GUIDE_KEYS).expect("written");
    let (keys, lists) = PublicKeys::load(&[PathBuf::from(file.path())]).expect("a list of keys");
    assert_eq!((lists[0].keys, lists[0].refused.len()), (3, 0), "{lists:?}");
    keys
}

#[test]
fn signatures_of_aws_verify() {
    let keys = guide_keys();
    let find = |fingerprint| keys.get(&unhex(fingerprint)).expect("a key");
    let (right, wrong) = (find("31e8b5433410dfb61a9dc45cc65b22ff"), find("8eba5db5bea9b640d1c96a77256fe7f2"));
    for (signature, signed) in GUIDE_SIGNATURES {
        let (signature, signed): (Vec<u8>, Sha) = (parse_signature(signature), unhex(signed));
        assert!(right.verifies(&signed, &signature));
        assert!(!wrong.verifies(&signed, &signature), "under another key");
        for bit in 0..signed.len() * 8 {
            let mut other = signed;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!right.verifies(&other, &signature), "bit {bit} of the hash");
        }
        for bit in (0..signature.len() * 8).step_by(7) {
            let mut other = signature.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!right.verifies(&signed, &other), "bit {bit} of the signature");
        }
        for len in 0..signature.len() {
            assert!(!right.verifies(&signed, &signature[..len]), "{len} bytes of the signature");
        }
        assert!(!right.verifies(&signed, &[&[0], &signature[..]].concat()), "a byte too many");
    }
}

#[test]
fn keys_are_valid_for_about_a_month() {
    let keys = guide_keys();
    let key = keys.get(&unhex("31e8b5433410dfb61a9dc45cc65b22ff")).expect("a key");
    let at = |text: &str| Timestamp::parse(text.as_bytes()).expect("a time");
    // From 2015-06-18T01:02:50Z to 2015-07-18T01:02:50Z.
    for (time, is_valid) in [
        ("2015-06-17T23:02:49Z", false),
        ("2015-06-17T23:02:50Z", true),
        ("2015-07-18T03:02:50Z", true),
        ("2015-07-18T03:02:51Z", false),
    ] {
        assert_eq!(key.is_valid_within(at(time), at(time)), is_valid, "{time}");
    }
}

fn content(previous: &str) -> String {
    format!(
        r#"{{"digestStartTime":"2015-08-12T03:01:31Z","digestEndTime":"2015-08-12T04:01:31Z","digestS3Bucket":"b\u002dc",
        "digestS3Object":"AWSLogs/x.json.gz","digestPublicKeyFingerprint":"31e8b5433410dfb61a9dc45cc65b22ff",{previous}"logFiles":[]}}"#
    )
}

#[test]
fn the_signed_text_is_that_of_the_guide() {
    let previous = r#""previousDigestS3Bucket":"b","previousDigestS3Object":"k","previousDigestSignature":"0AbC",
        "previousDigestHashValue":"4ff08d7c6ecd6eb313257e839645d20363ee3784a2328a7d76b99b53cc9bcacd","#;
    let nulls = r#""previousDigestS3Bucket":null,"previousDigestS3Object":null,"previousDigestSignature":null,
        "previousDigestHashValue":null,"#;
    // The hash of the three letters abc.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for (previous, signature) in [(previous, "0AbC"), (nulls, "null"), ("", "null")] {
        let json = content(previous);
        let parsed = Content::parse(json.as_bytes()).expect("a digest");
        let text = format!("2015-08-12T04:01:31Z\nb-c/AWSLogs/x.json.gz\n{abc}\n{signature}");
        let mut found = Vec::new();
        parsed.put_signed_text(&unhex(abc), &mut found);
        assert_eq!(found, text.as_bytes(), "{signature}");
    }
}

#[test]
fn what_is_only_partly_there_is_refused() {
    let whole = [
        r#""previousDigestS3Bucket":"b","#,
        r#""previousDigestS3Object":"k","#,
        r#""previousDigestSignature":"00","#,
        r#""previousDigestHashValue":"4ff08d7c6ecd6eb313257e839645d20363ee3784a2328a7d76b99b53cc9bcacd","#,
    ];
    assert!(Content::parse(content(&whole.concat()).as_bytes()).is_ok());
    for at in 0..whole.len() {
        let part: String = whole.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, text)| *text).collect();
        assert!(Content::parse(content(&part).as_bytes()).is_err(), "without {}", whole[at]);
        assert!(Content::parse(content(&whole[at].repeat(2)).as_bytes()).is_err(), "{} twice", whole[at]);
    }
    for json in ["", "null", "[]", "{}", "{\"logFiles\":[]}"] {
        assert!(Content::parse(json.as_bytes()).is_err(), "{json}");
    }
}
