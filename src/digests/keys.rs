//! The public keys of CloudTrail, as `aws cloudtrail list-public-keys` prints them.
//!
//! All trust begins here: whoever can change these lists can sign anything. The fingerprint of a key is the MD5 of its
//! DER. It names the key and proves nothing, but an entry whose two halves do not belong together is left out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use md5::{Digest as _, Md5};
use serde::Serialize;
use serde_json::Value;

use super::DigestsError;
use crate::escape::{escape, hex::hex};
use crate::hashes::sha256::Sha256;
use crate::source::{self, FileFault, GivenPaths, SourceFile, unicode};
use crate::timestamp::Timestamp;

/// The MD5 of the DER of a key.
pub(super) type Fingerprint = [u8; 16];
/// A SHA-256.
pub(super) type Sha = [u8; 32];

/// A list is a few KiB for each month and Region.
const MAX_LIST_LEN: u64 = 64 << 20;
/// Shorter keys prove nothing any more.
const MIN_BITS: usize = 2048;
/// Longer keys are none of AWS, and slow.
const MAX_BITS: usize = 8192;

/// All keys by fingerprint.
#[derive(Default)]
pub(super) struct PublicKeys(HashMap<Fingerprint, PublicKey>);

/// A key, and when it may sign.
pub(super) struct PublicKey {
    key: ParsedPublicKey,
    from: Timestamp,
    until: Timestamp,
}

/// A list of keys, as the summary tells it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct KeyList {
    /// The last part of its path, escaped.
    pub source: String,
    /// The SHA-256 of its bytes, in hexadecimal: lists of two accounts can be compared by it.
    pub sha256: String,
    /// Its entries that can be used.
    pub keys: u64,
    /// Its entries that were left out, each with why; they count from 1.
    pub refused: Vec<String>,
}

impl PublicKeys {
    /// Reads lists. An entry that cannot be used is left out and said; a file that is no list is an error.
    pub(super) fn load(paths: &[PathBuf]) -> Result<(Self, Vec<KeyList>), DigestsError> {
        let (mut keys, mut lists) = (Self::default(), Vec::new());
        let given = GivenPaths::new(paths.iter().map(PathBuf::as_path));
        for path in paths {
            let fail = |error: KeyListError| DigestsError::PublicKeys { path: path.clone(), error };
            let text = read_list(path).map_err(&fail)?;
            let entries = parse_list(&text).map_err(&fail)?;
            let sha256 = hex(&Sha256::of(&text));
            let mut list = KeyList { source: given.name(path), sha256, keys: 0, refused: Vec::new() };
            for (at, entry) in entries.iter().enumerate() {
                match parse_entry(entry) {
                    Ok((fingerprint, key)) => {
                        list.keys += 1;
                        keys.add(fingerprint, key);
                    }
                    Err(why) => list.refused.push(format!("entry {}: {why}", at + 1)),
                }
            }
            lists.push(list);
        }
        Ok((keys, lists))
    }

    /// Exports of several times may show different times for a key: it may sign in all of them.
    fn add(&mut self, fingerprint: Fingerprint, key: PublicKey) {
        match self.0.get_mut(&fingerprint) {
            None => drop(self.0.insert(fingerprint, key)),
            Some(known) => (known.from, known.until) = (known.from.min(key.from), known.until.max(key.until)),
        }
    }

    pub(super) fn get(&self, fingerprint: &Fingerprint) -> Option<&PublicKey> {
        self.0.get(fingerprint)
    }
}

impl PublicKey {
    /// Whether the signature (RSASSA-PKCS1-v1_5 with SHA-256) is that of a text with this hash.
    pub(super) fn verifies(&self, signed: &Sha, signature: &[u8]) -> bool {
        let hash = Digest::import_less_safe(signed, &SHA256);
        hash.is_ok_and(|hash| self.key.verify_digest_sig(&hash, signature).is_ok())
    }

    /// Whether it may sign between two moments. Digests are signed some time after their end, and clocks differ.
    pub(super) fn is_valid_within(&self, from: Timestamp, until: Timestamp) -> bool {
        const TOLERANCE_MS: i64 = 2 * 3_600_000;
        from.as_millis() <= self.until.as_millis().saturating_add(TOLERANCE_MS)
            && until.as_millis() >= self.from.as_millis().saturating_sub(TOLERANCE_MS)
    }
}

/// Why a file is no list of public keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyListError {
    /// The file itself is at fault.
    #[error(transparent)]
    File(#[from] FileFault),
    /// Nobody has so many.
    #[error("it is larger than 64 MiB")]
    TooLarge,
    /// It is no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is other JSON.
    #[error("it has no PublicKeyList")]
    NoList,
}

fn read_list(path: &Path) -> Result<Vec<u8>, KeyListError> {
    if SourceFile::open(path, None)?.len() > MAX_LIST_LEN {
        return Err(KeyListError::TooLarge);
    }
    Ok(source::read(path).map_err(FileFault::Unreadable)?)
}

fn parse_list(text: &[u8]) -> Result<Vec<Value>, KeyListError> {
    let list: Value = serde_json::from_slice(&unicode(text))?;
    // The command says `PublicKeyList`, a sample of the user guide `publicKeyList`.
    let entries = list.get("PublicKeyList").or_else(|| list.get("publicKeyList")).and_then(Value::as_array);
    entries.cloned().ok_or(KeyListError::NoList)
}

fn parse_entry(entry: &Value) -> Result<(Fingerprint, PublicKey), String> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).ok_or_else(|| format!("no {name}"));
    let said = text("Fingerprint")?;
    let because = |why: &str| format!("{}: {why}", escape(said.as_bytes()));
    let der = base64::engine::general_purpose::STANDARD.decode(text("Value")?.trim());
    let der = der.map_err(|_| because("its Value is not base64"))?;
    let fingerprint: Fingerprint = Md5::digest(&der).into();
    if !hex(&fingerprint).eq_ignore_ascii_case(said) {
        return Err(because("its fingerprint is not the MD5 of its key"));
    }
    let bits = modulus_bits(&der).ok_or_else(|| because("its key is not an RSA key in DER"))?;
    if !(MIN_BITS..=MAX_BITS).contains(&bits) {
        return Err(because(&format!("its key has {bits} bits, and {MIN_BITS} to {MAX_BITS} are taken")));
    }
    let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der);
    let key = key.map_err(|_| because("its key is not an RSA key in DER"))?;
    let time =
        |name: &str| entry.get(name).and_then(parse_time).ok_or_else(|| because(&format!("its {name} is not a time")));
    Ok((fingerprint, PublicKey { key, from: time("ValidityStartTime")?, until: time("ValidityEndTime")? }))
}

/// The bits of the modulus of a key: `RSAPublicKey` of PKCS #1 (RFC 8017, A.1.1), by itself or in a
/// `SubjectPublicKeyInfo` (RFC 5280, 4.1).
fn modulus_bits(der: &[u8]) -> Option<usize> {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    const BIT_STRING: u8 = 0x03;
    let (body, rest) = element(der, SEQUENCE)?;
    if !rest.is_empty() {
        return None;
    }
    if let Some((modulus, _)) = element(body, INTEGER) {
        let modulus = modulus.iter().position(|byte| *byte != 0).map_or(&[][..], |from| &modulus[from..]);
        let first = modulus.first()?;
        return Some(modulus.len() * 8 - first.leading_zeros() as usize);
    }
    let (_, key) = element(body, SEQUENCE)?;
    let (key, _) = element(key, BIT_STRING)?;
    // No bits are unused. What is inside is not in another such structure.
    let key = key.strip_prefix(&[0])?;
    let (body, _) = element(key, SEQUENCE)?;
    element(body, INTEGER)?;
    modulus_bits(key)
}

/// The contents of a DER element, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (len, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}

/// Seconds since 1970 as a number or a text (`1453076702.0`), or ISO 8601 with any offset.
fn parse_time(value: &Value) -> Option<Timestamp> {
    let seconds = |seconds: f64| {
        let millis = (seconds * 1000.0).round();
        (millis.is_finite() && millis >= 0.0).then(|| Timestamp::from_millis(millis as i64)).flatten()
    };
    match value {
        Value::Number(number) => seconds(number.as_f64()?),
        Value::String(text) => match text.parse() {
            Ok(number) => seconds(number),
            Err(_) => parse_iso(text),
        },
        _ => None,
    }
}

/// `2016-01-18T00:25:02.123-08:00`, which the newer command line prints in local time.
pub(super) fn parse_iso(text: &str) -> Option<Timestamp> {
    let at = text.len().checked_sub(6).filter(|at| text.is_char_boundary(*at))?;
    let (local, offset) = text.split_at(at);
    let sign = match offset.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return Timestamp::parse(text.as_bytes()),
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten().map(i64::from);
    let offset_ms = sign * (number(hours)? * 60 + number(minutes)?) * 60_000;
    let local = Timestamp::parse(format!("{local}Z").as_bytes())?;
    Timestamp::from_millis(local.as_millis() - offset_ms)
}
