//! The result for pipelines: an in-toto Statement v1 with the predicate test-result v0.1, and its signed form (DSSE).
//!
//! WARNED means passed in that predicate, so it is never used: what is not proven is FAILED.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::escape::hex::hex;
use crate::finished::Finished;
use crate::outcome::Outcome;

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Why a statement cannot be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
    /// The text is no private key that is understood.
    #[error("it is no private key in PKCS#8 as PEM, of Ed25519 or ECDSA P-256")]
    NoKey,
    /// The signature failed.
    #[error("the statement could not be signed")]
    Failed,
}

/// A private key that signs the statement.
pub struct Signer {
    key: PrivateKey,
}

enum PrivateKey {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// Reads a private key: PKCS#8 as PEM, of Ed25519 or ECDSA P-256.
    pub fn from_pem(pem: &str) -> Result<Self, AttestError> {
        let der = pem_body(pem, "PRIVATE KEY").ok_or(AttestError::NoKey)?;
        let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(PrivateKey::Ed25519);
        let p256 = |_| EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).map(PrivateKey::P256);
        ed25519.or_else(p256).map(|key| Self { key }).map_err(|_| AttestError::NoKey)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AttestError> {
        match &self.key {
            PrivateKey::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
            PrivateKey::P256(key) => {
                let signature = key.sign(&SystemRandom::new(), message).map_err(|_| AttestError::Failed)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }

    /// The SHA-256 of the public key's own bytes, in hexadecimal.
    fn id(&self) -> String {
        let public = match &self.key {
            PrivateKey::Ed25519(key) => key.public_key().as_ref(),
            PrivateKey::P256(key) => key.public_key().as_ref(),
        };
        hex(digest::digest(&digest::SHA256, public).as_ref())
    }

    /// A statement in an envelope.
    pub(super) fn envelope(&self, statement: &[u8]) -> Result<Vec<u8>, AttestError> {
        let signature = self.sign(&pre_authenticated(PAYLOAD_TYPE, statement))?;
        let envelope = json!({
            "payloadType": PAYLOAD_TYPE,
            "payload": STANDARD.encode(statement),
            "signatures": [{"keyid": self.id(), "sig": STANDARD.encode(signature)}],
        });
        Ok(pretty(&envelope))
    }
}

/// What is signed: the lengths keep type and text apart.
pub(super) fn pre_authenticated(kind: &str, text: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), text.len()).into_bytes();
    message.extend_from_slice(text);
    message
}

/// The bytes between the lines of a PEM text.
pub(super) fn pem_body(pem: &str, label: &str) -> Option<Vec<u8>> {
    let (_, behind) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = behind.split_once(&format!("-----END {label}-----"))?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

/// The statement of a finished audit.
pub(super) fn statement(finished: &Finished) -> Vec<u8> {
    let audit = &finished.audit;
    let outcome = serde_json::to_value(audit.outcome).unwrap_or_default();
    let subject = |name: &str, sha256: &str| json!({"name": name, "digest": {"sha256": sha256}, "annotations": {"outcome": outcome}});
    let manifests = audit.sources.iter().filter_map(|source| Some((&source.path, source.manifest.as_ref()?)));
    let manifests = manifests.map(|(path, manifest)| subject(path, &manifest.sha256));
    let subjects: Vec<Value> =
        [subject("summary.json", &finished.summary_sha256)].into_iter().chain(manifests).collect();
    let rules = || audit.by_rule.iter();
    let failed: Vec<&String> = rules().filter(|(_, line)| line.violation > 0).map(|(id, _)| id).collect();
    // Where anything is missing or unknown, no rule is proven to hold.
    let is_proven = audit.outcome_reasons.iter().all(|reason| reason == "violations");
    let passed: Vec<&String> = rules().filter(|(_, line)| is_proven && line.violation == 0).map(|(id, _)| id).collect();
    pretty(&json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": {
            "result": if audit.outcome == Outcome::Pass { "PASSED" } else { "FAILED" },
            "configuration": [{"name": "policy.toml", "digest": {"sha256": audit.policy.sha256}}],
            "passedTests": passed,
            "failedTests": failed,
        },
    }))
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}
