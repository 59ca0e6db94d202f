//! SSH signatures (`ssh-keygen -Y sign`, the format SSHSIG of OpenSSH's PROTOCOL.sshsig), and DSSE envelopes: who signed.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::statement::{pem_body, pre_authenticated};
use crate::policy::Glob;
use crate::timestamp::Timestamp;

/// What signatures of packs are for; those for something else do not count.
pub(super) const NAMESPACE: &str = "logseal-evidence";

/// Who may sign: a file of allowed signers of OpenSSH, and whom the signature must be of.
#[derive(Clone, Debug)]
pub struct AllowedSigner {
    /// The text of the file.
    pub file: String,
    /// The name in it.
    pub identity: String,
    /// When: keys hold for a time.
    pub now: Timestamp,
}

/// The parts of a binary text of SSH, each with its length before it.
struct Parts<'p>(&'p [u8]);

impl<'p> Parts<'p> {
    fn next(&mut self) -> Option<&'p [u8]> {
        let (len, rest) = self.0.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
        let (part, rest) = (rest.get(..len)?, rest.get(len..)?);
        self.0 = rest;
        Some(part)
    }

    fn text(&mut self) -> Option<&'p str> {
        std::str::from_utf8(self.next()?).ok()
    }
}

/// A signature as it stands in its file.
struct SshSignature {
    key: Vec<u8>,
    namespace: String,
    hash: String,
    algorithm: String,
    bytes: Vec<u8>,
}

fn parsed(pem: &str) -> Option<SshSignature> {
    let binary = pem_body(pem, "SSH SIGNATURE")?;
    let rest = binary.strip_prefix(b"SSHSIG")?;
    let (version, rest) = rest.split_first_chunk::<4>()?;
    let mut parts = Parts(rest);
    let (key, namespace, _reserved) = (parts.next()?, parts.text()?, parts.next()?);
    let (hash, signature) = (parts.text()?, parts.next()?);
    let mut inner = Parts(signature);
    let (algorithm, bytes) = (inner.text()?, inner.next()?);
    let is_whole = u32::from_be_bytes(*version) == 1 && parts.0.is_empty() && inner.0.is_empty();
    is_whole.then(|| SshSignature {
        key: key.to_vec(),
        namespace: namespace.to_owned(),
        hash: hash.to_owned(),
        algorithm: algorithm.to_owned(),
        bytes: bytes.to_vec(),
    })
}

/// Whether somebody who may has signed a text.
pub(super) fn check_ssh(pem: &str, text: &[u8], allowed: &AllowedSigner) -> Result<(), String> {
    let signature = parsed(pem).ok_or("it is no SSH signature")?;
    if signature.namespace != NAMESPACE {
        return Err(format!("it is for {}, not for {NAMESPACE}", crate::escape::harmless(&signature.namespace)));
    }
    if !is_allowed(&signature.key, allowed) {
        let name = crate::escape::harmless(&allowed.identity);
        return Err(format!(
            "its key is none that {name} may sign with now: a line of allowed signers is a name, then the public key"
        ));
    }
    let digest = match signature.hash.as_str() {
        "sha256" => aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text),
        "sha512" => aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, text),
        _ => return Err("it is made with a hash that is not known".to_owned()),
    };
    let mut message = b"SSHSIG".to_vec();
    for part in [signature.namespace.as_bytes(), b"", signature.hash.as_bytes(), digest.as_ref()] {
        message.extend_from_slice(&(part.len() as u32).to_be_bytes());
        message.extend_from_slice(part);
    }
    match verified(&signature, &message) {
        Some(true) => Ok(()),
        Some(false) => Err("it is not of this text".to_owned()),
        None => Err("its kind of key is not understood here: check it with ssh-keygen -Y verify".to_owned()),
    }
}

/// Whether a signature is of a message; nothing for kinds of keys that are not understood.
fn verified(signature: &SshSignature, message: &[u8]) -> Option<bool> {
    let mut key = Parts(&signature.key);
    let kind = key.text()?;
    match (kind, signature.algorithm.as_str()) {
        ("ssh-ed25519", "ssh-ed25519") => {
            let public = UnparsedPublicKey::new(&ED25519, key.next()?);
            Some(public.verify(message, &signature.bytes).is_ok())
        }
        ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
            let (_, point) = (key.next()?, key.next()?);
            let fixed = fixed(&signature.bytes, 32)?;
            Some(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &fixed).is_ok())
        }
        ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => {
            let (_, point) = (key.next()?, key.next()?);
            let fixed = fixed(&signature.bytes, 48)?;
            Some(UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, &fixed).is_ok())
        }
        ("ssh-rsa", algorithm @ ("rsa-sha2-256" | "rsa-sha2-512")) => {
            let (e, n) = (unsigned(key.next()?), unsigned(key.next()?));
            let parameters = match algorithm {
                "rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
                _ => &RSA_PKCS1_2048_8192_SHA512,
            };
            Some(RsaPublicKeyComponents { n, e }.verify(parameters, message, &signature.bytes).is_ok())
        }
        _ => None,
    }
}

/// A number without the noughts before it.
fn unsigned(number: &[u8]) -> &[u8] {
    let noughts = number.iter().take_while(|byte| **byte == 0).count();
    &number[noughts..]
}

/// Both numbers of an ECDSA signature, each of a fixed length.
fn fixed(signature: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut parts = Parts(signature);
    let mut fixed = Vec::with_capacity(2 * len);
    for number in [unsigned(parts.next()?), unsigned(parts.next()?)] {
        fixed.resize(fixed.len() + len.checked_sub(number.len())?, 0);
        fixed.extend_from_slice(number);
    }
    Some(fixed)
}

/// Whether a line of the file lets the key sign for the identity, for packs and now.
fn is_allowed(key: &[u8], allowed: &AllowedSigner) -> bool {
    let key = STANDARD.encode(key);
    allowed.file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).any(|line| {
        let Some((principals, rest)) = split(line) else { return false };
        let is_kind = |word: &str| word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
        let (options, rest) = match split(rest) {
            Some((options, rest)) if !is_kind(options) => (options, rest),
            _ => ("", rest),
        };
        let mut words = rest.split_whitespace();
        let (_, of_line) = (words.next(), words.next());
        of_line == Some(key.as_str()) && names(principals, &allowed.identity) && permits(options, allowed.now)
    })
}

/// The first word, in which spaces between quotes are none.
fn split(line: &str) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    let end = line.find(|c: char| {
        is_quoted ^= c == '"';
        c.is_whitespace() && !is_quoted
    })?;
    Some((&line[..end], line[end..].trim_start()))
}

fn names(principals: &str, identity: &str) -> bool {
    let mut is_named = false;
    for pattern in principals.trim_matches('"').split(',') {
        let (pattern, is_not) = pattern.strip_prefix('!').map_or((pattern, false), |pattern| (pattern, true));
        if Glob::new(pattern).matches(identity.as_bytes()) {
            if is_not {
                return false;
            }
            is_named = true;
        }
    }
    is_named
}

/// Whether the options of a line let it sign packs now; none that is not understood does.
fn permits(options: &str, now: Timestamp) -> bool {
    let mut is_quoted = false;
    let options = options.split(|c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    options.filter(|option| !option.is_empty()).all(|option| {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = value.trim_matches('"');
        match name.to_ascii_lowercase().as_str() {
            "namespaces" => names(value, NAMESPACE),
            "valid-after" => moment(value).is_some_and(|after| now >= after),
            "valid-before" => moment(value).is_some_and(|before| now < before),
            _ => false,
        }
    })
}

/// `YYYYMMDD[HHMM[SS]][Z]`. Without `Z` OpenSSH means the time zone of the machine, which is none that a result should hang on:
/// it is taken for UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let clock = format!("{:0<6}", &digits[8..]);
    let (date, time) = (&digits[..8], &clock[..6]);
    let text = format!("{}-{}-{}T{}:{}:{}Z", &date[..4], &date[4..6], &date[6..], &time[..2], &time[2..4], &time[4..]);
    Timestamp::parse(text.as_bytes())
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

/// Whether an envelope holds a statement and is signed with the key of a public key in PEM, of Ed25519 or ECDSA P-256.
pub(super) fn check_dsse(envelope: &[u8], statement: &[u8], public_key: &str) -> Result<(), String> {
    /// What is before the key itself in the form that PEM has.
    const ED25519_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let envelope: Envelope = serde_json::from_slice(envelope).map_err(|_| "it is no DSSE envelope")?;
    let payload = STANDARD.decode(&envelope.payload).map_err(|_| "its payload is not base64")?;
    if payload != statement {
        return Err("it holds another statement than data/attestation.json".to_owned());
    }
    let der = pem_body(public_key, "PUBLIC KEY").ok_or("the key is no public key in PEM")?;
    let message = pre_authenticated(&envelope.payload_type, &payload);
    let holds = |signature: &[u8]| match der.strip_prefix(&ED25519_HEAD) {
        Some(key) => UnparsedPublicKey::new(&ED25519, key).verify(&message, signature).is_ok(),
        None => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &der).verify(&message, signature).is_ok(),
    };
    let mut signatures = envelope.signatures.iter().filter_map(|signature| STANDARD.decode(&signature.sig).ok());
    match signatures.any(|signature| holds(&signature)) {
        true => Ok(()),
        false => Err("it is not signed with that key".to_owned()),
    }
}
