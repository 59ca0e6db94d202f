//! Trails as CloudTrail delivers them, signed with keys of our own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use logseal::timestamp::Timestamp;
use serde_json::{Value, json};

pub const BUCKET: &str = "org-trail-logs";
pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "us-east-2";
/// The end of the first digest.
pub const FIRST_END: &str = "2024-05-06T01:00:00Z";

/// Keys are made once: that takes a while.
pub fn signers() -> &'static [Signer; 2] {
    static SIGNERS: OnceLock<[Signer; 2]> = OnceLock::new();
    SIGNERS.get_or_init(|| [Signer::new(), Signer::new()])
}

pub struct Signer {
    key: RsaKeyPair,
    pub fingerprint: String,
}

impl Signer {
    fn new() -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let fingerprint = crate::delivery::md5_hex(key.public_key().as_ref());
        Self { key, fingerprint }
    }

    pub fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        hex(&signature)
    }

    /// An entry of `list-public-keys`.
    pub fn entry(&self, from: &Value, until: &Value) -> Value {
        let value = base64::engine::general_purpose::STANDARD.encode(self.key.public_key().as_ref());
        json!({"Value": value, "ValidityStartTime": from, "ValidityEndTime": until, "Fingerprint": self.fingerprint})
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// So many seconds after a time.
pub fn after(time: &str, seconds: i64) -> String {
    let millis = Timestamp::parse(time.as_bytes()).unwrap().as_millis() + seconds * 1000;
    let text = Timestamp::from_millis(millis).unwrap().to_string();
    format!("{}Z", &text[..19])
}

/// Where a trail delivers.
#[derive(Clone)]
pub struct Trail {
    pub bucket: String,
    pub prefix: &'static str,
    pub organisation: &'static str,
    pub account: &'static str,
    pub region: &'static str,
    pub name: &'static str,
    pub is_backfill: bool,
    /// How many logs each digest lists.
    pub logs: usize,
    /// How many spaces the first log ends with, and the next.
    pub spaces: &'static [usize],
    pub signer: usize,
}

impl Default for Trail {
    fn default() -> Self {
        Self {
            bucket: BUCKET.to_owned(),
            prefix: "",
            organisation: "",
            account: ACCOUNT,
            region: REGION,
            name: "a_trail",
            is_backfill: false,
            logs: 2,
            spaces: &[],
            signer: 0,
        }
    }
}

/// A digest as it was delivered.
#[derive(Clone)]
pub struct Digest {
    pub bucket: String,
    pub key: String,
    pub content: String,
    pub signature: String,
    pub end: String,
    /// Keys and contents.
    pub logs: Vec<(String, String)>,
}

impl Trail {
    fn folder(&self, kind: &str, day: &str) -> String {
        let Self { prefix, organisation, account, region, .. } = self;
        format!("{prefix}AWSLogs/{organisation}{account}/{kind}/{region}/{}", day.replace('-', "/"))
    }

    pub fn digest_key(&self, end: &str) -> String {
        let Self { account, region, name, .. } = self;
        let folder = self.folder("CloudTrail-Digest", &end[..10]);
        let basic = end.replace(['-', ':'], "");
        let suffix = if self.is_backfill { "_backfill" } else { "" };
        format!("{folder}/{account}_CloudTrail-Digest_{region}_{name}_us-east-1_{basic}{suffix}.json.gz")
    }

    fn log(&self, end: &str, number: usize) -> (String, String) {
        let Self { account, region, name, is_backfill, .. } = self;
        let folder = self.folder("CloudTrail", &end[..10]);
        // Names have the minute in which a log was begun.
        let time = after(end, -300).replace(['-', ':'], "");
        let seed = sha256(format!("{name}{is_backfill}{end}{number}").as_bytes());
        let key = format!("{folder}/{account}_CloudTrail_{region}_{}Z_{}.json.gz", &time[..13], &seed[..16]);
        let spaces = self.spaces.get(number).copied().unwrap_or(0);
        let event = format!(
            "{{\"eventTime\":\"{end}\",\"eventSource\":\"sts.amazonaws.com\",\"eventName\":\"AssumeRole\",\"eventID\":\"{seed}\"}}"
        );
        (key, format!("{{\"Records\":[{event}]}}{}", " ".repeat(spaces)))
    }

    /// A digest of the hour before a time; `previous` is the one before it.
    pub fn digest(&self, end: &str, previous: Option<&Digest>) -> Digest {
        self.digest_of(&after(end, -3600), end, previous, &|_| {})
    }

    /// The same for any period, with changes before it is signed.
    pub fn digest_of(&self, start: &str, end: &str, previous: Option<&Digest>, change: &dyn Fn(&mut Value)) -> Digest {
        let logs: Vec<(String, String)> = (0..self.logs).map(|number| self.log(end, number)).collect();
        let listed = |(key, content): &(String, String)| {
            json!({
                "s3Bucket": self.bucket, "s3Object": key, "hashValue": sha256(content.as_bytes()),
                "hashAlgorithm": "SHA-256", "newestEventTime": end, "oldestEventTime": end,
            })
        };
        let signer = &signers()[self.signer];
        let mut content = json!({
            "awsAccountId": self.account,
            "digestStartTime": start,
            "digestEndTime": end,
            "digestS3Bucket": self.bucket,
            "digestS3Object": self.digest_key(end),
            "digestPublicKeyFingerprint": signer.fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": null,
            "oldestEventTime": null,
            "previousDigestS3Bucket": previous.map(|digest| &digest.bucket),
            "previousDigestS3Object": previous.map(|digest| &digest.key),
            "previousDigestHashValue": previous.map(|digest| sha256(digest.content.as_bytes())),
            "previousDigestHashAlgorithm": previous.map(|_| "SHA-256"),
            "previousDigestSignature": previous.map(|digest| &digest.signature),
            "logFiles": logs.iter().map(listed).collect::<Vec<_>>(),
        });
        change(&mut content);
        let text = |name: &str| content[name].as_str().unwrap_or("null").to_owned();
        let (bucket, key) = (text("digestS3Bucket"), text("digestS3Object"));
        let (end, previous) = (text("digestEndTime"), text("previousDigestSignature"));
        let content = content.to_string();
        let hash = sha256(content.as_bytes());
        let signature = signer.sign(&format!("{end}\n{bucket}/{key}\n{hash}\n{previous}"));
        Digest { bucket, key, content, signature, end, logs }
    }

    /// So many digests, hour by hour.
    pub fn chain(&self, digests: usize) -> Vec<Digest> {
        let mut chain: Vec<Digest> = Vec::new();
        for hour in 0..digests {
            let digest = self.digest(&after(FIRST_END, hour as i64 * 3600), chain.last());
            chain.push(digest);
        }
        chain
    }
}

impl Digest {
    /// What `head-object` says of it.
    pub fn head(&self) -> Value {
        json!({
            "AcceptRanges": "bytes", "ETag": "\"abc\"", "ServerSideEncryption": "AES256",
            "Metadata": {"signature": self.signature, "signature-algorithm": "SHA256withRSA"},
        })
    }
}

/// Objects by path, as a root holds them.
#[derive(Clone, Default)]
pub struct Tree(pub BTreeMap<String, Vec<u8>>);

impl Tree {
    /// Digests with their logs, and the metadata of the last, under the name of their bucket.
    pub fn of(digests: &[Digest]) -> Self {
        let mut tree = Self::default();
        digests.iter().for_each(|digest| tree.add(digest));
        digests.last().into_iter().for_each(|last| tree.add_head(last));
        tree
    }

    pub fn add(&mut self, digest: &Digest) {
        let Digest { bucket, key, content, logs, .. } = digest;
        self.0.insert(format!("{bucket}/{key}"), gz(content.as_bytes()));
        self.0.extend(logs.iter().map(|(key, content)| (format!("{bucket}/{key}"), gz(content.as_bytes()))));
    }

    pub fn add_head(&mut self, digest: &Digest) {
        self.0.insert(format!("{}.head.json", path(digest)), digest.head().to_string().into_bytes());
    }

    pub fn remove(&mut self, path: &str) {
        assert!(self.0.remove(path).is_some(), "{path}");
    }

    /// Puts something else in the place of an object.
    pub fn replace(&mut self, path: &str, stored: Vec<u8>) {
        assert!(self.0.insert(path.to_owned(), stored).is_some(), "{path}");
    }

    pub fn write(&self, root: &Path) {
        fs::create_dir_all(root).unwrap();
        for (path, stored) in &self.0 {
            let file = root.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, stored).unwrap();
        }
    }

    /// The same as an archive, in the form of POSIX; names that are too long for it in that of GNU.
    pub fn to_tar(&self) -> Vec<u8> {
        let mut tar = Vec::new();
        for (path, stored) in &self.0 {
            if path.len() > 100 {
                push_member(&mut tar, "././@LongLink", b'L', &[path.as_bytes(), b"\0"].concat());
            }
            push_member(&mut tar, &path[..path.len().min(100)], b'0', stored);
        }
        tar.extend_from_slice(&[0; 1024]);
        tar
    }
}

fn push_member(tar: &mut Vec<u8>, name: &str, kind: u8, body: &[u8]) {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", body.len()).as_bytes());
    header[148..156].copy_from_slice(b"        ");
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend_from_slice(&header);
    tar.extend_from_slice(body);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// Where a digest is in a tree.
pub fn path(digest: &Digest) -> String {
    format!("{}/{}", digest.bucket, digest.key)
}
