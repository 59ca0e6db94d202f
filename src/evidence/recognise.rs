//! What a file is that says nothing of keys, told by its place and by what is in it.
//!
//! In a folder of evidence nothing is passed over in silence: a file that is not read is of a kind that is known to be
//! no evidence, or plainly something else by its name ([`Passed`]); if it is neither, it is not understood, and a fault.

use std::io;
use std::path::Path;
use std::str::Utf8Error;

use serde::{Deserialize, Serialize};

use super::documents::{Name, Names};
use crate::object_key::ObjectKey;
use crate::source::SourceFile;

/// Why a file in a folder of evidence is not read, and no fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Passed {
    /// Digests of CloudTrail, and answers of HeadObject beside them that name no key.
    Digest,
    /// Snapshots and histories of AWS Config.
    Config,
    /// Logs of other services.
    OtherLog,
    /// Marks of tools and systems, checksums, notes.
    Bystander,
}

/// What was seen of a file that is no evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Empty,
    /// An object of JSON with these names.
    Json(Names),
    /// A table in Parquet.
    Table,
    /// A text of lines that can be read.
    Lines,
    /// Anything else.
    Bytes,
}

impl Content {
    /// What a text is that is no JSON, by how it begins.
    pub(super) fn of_text(beginning: &[u8]) -> Self {
        let is_cut = |error: &Utf8Error| error.error_len().is_none();
        let text = match str::from_utf8(beginning) {
            Ok(text) => text,
            Err(error) if is_cut(&error) => str::from_utf8(&beginning[..error.valid_up_to()]).unwrap_or_default(),
            Err(_) => return Self::Bytes,
        };
        let is_text = |character: char| !character.is_control() || matches!(character, '\n' | '\r' | '\t');
        match text {
            "" => Self::Empty,
            text if text.chars().all(is_text) && !text.starts_with(['{', '[']) => Self::Lines,
            _ => Self::Bytes,
        }
    }
}

/// Whether a file is a table in Parquet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// It is something else.
    No,
    Whole,
    /// It has lost how tables begin or end.
    Damaged,
}

impl Table {
    /// A table begins and ends with the same four bytes. A file that has either, or is called `.parquet`, is one that is
    /// damaged, and nothing else.
    pub(super) fn of(path: &Path, file: &SourceFile) -> io::Result<Self> {
        const MAGIC: [u8; 4] = *b"PAR1";
        let (mut first, mut last) = ([0; MAGIC.len()], [0; MAGIC.len()]);
        let begins = file.read_at(&mut first, 0)? == MAGIC.len() && first == MAGIC;
        let end = file.len().checked_sub(MAGIC.len() as u64).filter(|end| *end > 0);
        let ends = match end {
            Some(end) => file.read_at(&mut last, end)? == MAGIC.len() && last == MAGIC,
            None => false,
        };
        let is_called = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
        let is_bystander = path.file_name().and_then(|name| name.to_str()).is_some_and(is_bystander);
        Ok(match (begins, ends) {
            (true, true) => Self::Whole,
            (false, false) if !is_called || is_bystander => Self::No,
            _ => Self::Damaged,
        })
    }
}

/// Why a file may be passed over; nothing if it may not.
pub(super) fn passed(path: &Path, content: &Content) -> Option<Passed> {
    let name = path.file_name().and_then(|name| name.to_str())?;
    if is_bystander(name) {
        return Some(Passed::Bystander);
    }
    let path = path.as_os_str().as_encoded_bytes();
    let parsed = ObjectKey::parse(path);
    let is_of = |kind: &str| parsed.kind == kind.as_bytes() || name.contains(&format!("_{kind}_"));
    let has = |wanted: Name| matches!(content, Content::Json(names) if names.has(wanted));
    if is_of("CloudTrail-Digest") {
        let is_answer = name.ends_with(".head.json") && has(Name::Metadata) && !has(Name::KmsKey);
        return (has(Name::DigestObject) || is_answer).then_some(Passed::Digest);
    }
    if is_of("Config") {
        let is_check = name == "ConfigWritabilityCheckFile" && *content == Content::Empty;
        return (has(Name::ConfigItems) || has(Name::ConfigSnapshot) || is_check).then_some(Passed::Config);
    }
    let is_log = matches!(content, Content::Json(_) | Content::Lines | Content::Table);
    (is_log && is_of_another_service(parsed.kind)).then_some(Passed::OtherLog)
}

/// Whether a folder holds logs of a service that writes nothing of keys. Exports of CloudTrail Lake can hold events, in a
/// form that is not read; aggregates of events name no objects.
fn is_of_another_service(kind: &[u8]) -> bool {
    const KINDS: [&str; 11] = [
        "CloudFront",
        "CloudTrail-Aggregated",
        "GuardDuty",
        "KafkaBrokerLogs",
        "WAFLogs",
        "elasticloadbalancing",
        "globalaccelerator",
        "network-firewall",
        "redshift",
        "vpcdnsquerylogs",
        "vpcflowlogs",
    ];
    KINDS.iter().any(|known| known.as_bytes() == kind)
}

/// Names of files that tools and systems leave beside others, and of checksums and notes.
fn is_bystander(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "_SUCCESS",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        ".gitkeep",
        ".keep",
        "MD5SUMS",
        "SHA1SUMS",
        "SHA256SUMS",
        "SHA512SUMS",
    ];
    const ENDINGS: [&str; 7] = [".crc", ".md5", ".sha1", ".sha256", ".sha512", ".checksum", "_$folder$"];
    const NOTES: [&str; 4] = ["README", "README.md", "README.txt", "README.rst"];
    NAMES.contains(&name)
        || name.starts_with("._")
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || NOTES.iter().any(|note| name.eq_ignore_ascii_case(note))
}

/// What a file that is not understood seems to be, by how it begins, and what to do about it.
pub(super) fn seems(beginning: &[u8]) -> &'static str {
    const MAGIC: [(&[u8], &str); 12] = [
        (b"\x28\xb5\x2f\xfd", "it is compressed with zstd: decompress it"),
        (b"\x1f\x8b", "it is compressed twice: decompress it"),
        (b"BZh", "it is compressed with bzip2: decompress it"),
        (b"\xfd7zXZ", "it is compressed with xz: decompress it"),
        (b"\x04\x22\x4d\x18", "it is compressed with LZ4: decompress it"),
        (b"PK\x03\x04", "it is a ZIP archive: unpack it"),
        (b"7z\xbc\xaf", "it is an archive: unpack it"),
        (b"ORC", "it is an ORC file, and tables of S3 Metadata are read as Parquet"),
        (b"Obj\x01", "it is an Avro file, and tables of S3 Metadata are read as Parquet"),
        (b"-----BEGIN PGP", "it is encrypted: decrypt it"),
        (b"age-encryption.org", "it is encrypted: decrypt it"),
        (b"Salted__", "it is encrypted: decrypt it"),
    ];
    let is_utf16 = matches!(beginning, [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..]);
    match MAGIC.iter().find(|(magic, _)| beginning.starts_with(magic)) {
        Some((_, what)) => what,
        None if beginning.get(257..262) == Some(b"ustar") => "it is a tar archive: unpack it",
        None if is_utf16 => "it seems to be UTF-16 without a mark of the order of its bytes",
        None => {
            "it is neither a table of S3 Metadata, nor answers of HeadObject with Bucket and Key, nor events of CloudTrail; a list of objects under one key is given as ARN=PATH"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_and_content_tell_what_may_be_passed_over() {
        let json = |names: &[Name]| Content::Json(names.iter().copied().collect());
        let digest = json(&[Name::DigestObject, Name::LogFiles]);
        let config = json(&[Name::ConfigItems]);
        let (other, lines) = (json(&[]), Content::Lines);
        let folder = "x/AWSLogs/111122223333";
        for (path, content, expected) in [
            (format!("{folder}/CloudTrail-Digest/us-east-1/2026/01/01/f.json.gz"), &digest, Some(Passed::Digest)),
            ("a/111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_Z.json.gz".into(), &digest, Some(Passed::Digest)),
            (format!("{folder}/CloudTrail-Digest/us-east-1/2026/01/01/f.json.gz"), &other, None),
            (format!("{folder}/CloudTrail/us-east-1/2026/01/01/f.json.gz"), &digest, None),
            ("digest.json".into(), &digest, None),
            (format!("{folder}/Config/us-east-1/2026/1/1/ConfigHistory/f.json.gz"), &config, Some(Passed::Config)),
            (format!("{folder}/Config/ConfigWritabilityCheckFile"), &Content::Empty, Some(Passed::Config)),
            (format!("{folder}/Config/us-east-1/2026/1/1/ConfigHistory/f.json.gz"), &lines, None),
            (format!("{folder}/vpcflowlogs/us-east-1/2026/01/01/f.log.gz"), &lines, Some(Passed::OtherLog)),
            (format!("{folder}/vpcflowlogs/us-east-1/2026/01/01/f.parquet"), &Content::Table, Some(Passed::OtherLog)),
            (format!("{folder}/vpcflowlogs/us-east-1/2026/01/01/f.log.gz"), &Content::Bytes, None),
            (format!("{folder}/WAFLogs/us-east-1/2026/01/01/f.log"), &other, Some(Passed::OtherLog)),
            (format!("{folder}/CloudTrail-Lake/Query/2026/01/01/q/result_1.csv.gz"), &lines, None),
            (format!("{folder}/SomethingNew/us-east-1/2026/01/01/f.log"), &lines, None),
            ("vpcflowlogs/f.log".into(), &lines, None),
            ("e/_SUCCESS".into(), &Content::Empty, Some(Passed::Bystander)),
            ("e/.part-0.parquet.crc".into(), &Content::Bytes, Some(Passed::Bystander)),
            ("e/._log.json.gz".into(), &Content::Bytes, Some(Passed::Bystander)),
            ("e/readme.TXT".into(), &lines, Some(Passed::Bystander)),
            ("e/notes.txt".into(), &lines, None),
            ("e/empty".into(), &Content::Empty, None),
        ] {
            assert_eq!(passed(Path::new(&path), content), expected, "{path} {content:?}");
        }
    }

    #[test]
    fn lines_are_told_from_bytes() {
        for (beginning, expected) in [
            (&b""[..], Content::Empty),
            (b"2 111122223333 eni-1 - - OK\r\n", Content::Lines),
            (b"caf\xc3", Content::Lines),
            (b"caf\xc3 ", Content::Bytes),
            (b"a\0b", Content::Bytes),
            (b"{\"a\"", Content::Bytes),
        ] {
            assert_eq!(Content::of_text(beginning), expected, "{beginning:?}");
        }
    }
}
