//! The words of a decision: what a report says of an object, and what we conclude.

use serde::{Deserialize, Serialize};

use crate::batch::Flag;

/// A way of encrypting an object at rest, as inventory reports spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names of S3")]
pub enum Method {
    #[serde(rename = "SSE-S3")]
    SseS3,
    #[serde(rename = "SSE-KMS")]
    SseKms,
    #[serde(rename = "DSSE-KMS")]
    DsseKms,
    #[serde(rename = "SSE-C")]
    SseC,
}

/// What the report says of an object's encryption: one of the methods of S3 Inventory, or nothing that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// Encrypted under keys of S3.
    SseS3,
    /// Encrypted under a KMS key.
    SseKms,
    /// Encrypted twice, under a KMS key.
    DsseKms,
    /// Encrypted under a key that only its owner has.
    SseC,
    /// Not encrypted.
    NotSse,
    /// The cell is blank.
    Blank,
    /// The report does not have the column.
    Absent,
    /// The cell says something that is not known.
    Unrecognised,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::SseS3,
        Self::SseKms,
        Self::DsseKms,
        Self::SseC,
        Self::NotSse,
        Self::Blank,
        Self::Absent,
        Self::Unrecognised,
    ];

    /// Reads a cell of a column that is there.
    #[inline]
    pub fn parse(text: &[u8]) -> Self {
        match text {
            b"SSE-S3" => Self::SseS3,
            b"SSE-KMS" => Self::SseKms,
            b"DSSE-KMS" => Self::DsseKms,
            b"SSE-C" => Self::SseC,
            b"NOT-SSE" => Self::NotSse,
            b"" => Self::Blank,
            _ => Self::Unrecognised,
        }
    }

    /// Reads a cell of a table of S3 Metadata, where a blank says that there is no encryption.
    #[inline]
    pub fn parse_metadata(text: &[u8]) -> Self {
        if text.is_empty() { Self::NotSse } else { Self::parse(text) }
    }

    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SseS3 => "SSE-S3",
            Self::SseKms => "SSE-KMS",
            Self::DsseKms => "DSSE-KMS",
            Self::SseC => "SSE-C",
            Self::NotSse => "NOT-SSE",
            Self::Blank => "(blank)",
            Self::Absent => "(absent)",
            Self::Unrecognised => "(unrecognised)",
        }
    }
}

/// What the report says of an object's Bucket Key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BucketKey {
    /// It uses one.
    Enabled,
    /// It does not.
    Disabled,
    /// The report does not say.
    Unknown,
}

impl BucketKey {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Enabled, Self::Disabled, Self::Unknown];

    /// Reads a cell; a blank one says nothing.
    #[inline]
    pub fn parse(text: &[u8]) -> Self {
        match text {
            b"ENABLED" => Self::Enabled,
            b"DISABLED" => Self::Disabled,
            _ => Self::Unknown,
        }
    }

    /// What a yes or no says.
    #[inline]
    pub fn of_flag(flag: Flag) -> Self {
        match flag {
            Flag::True => Self::Enabled,
            Flag::False => Self::Disabled,
            Flag::Blank | Flag::Bad => Self::Unknown,
        }
    }
}

/// What we conclude about one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Verdict {
    /// It is as the policy demands.
    Compliant,
    /// It violates the policy for certain, and no exception covers it.
    Violation,
    /// It is not known whether it complies.
    Undetermined,
    /// It violates the policy, and an exception that has not expired covers it.
    Excepted,
    /// The policy is not about it.
    OutOfScope,
}

impl Verdict {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Compliant, Self::Violation, Self::Undetermined, Self::Excepted, Self::OutOfScope];

    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "compliant",
            Self::Violation => "violation",
            Self::Undetermined => "undetermined",
            Self::Excepted => "excepted",
            Self::OutOfScope => "out_of_scope",
        }
    }
}

/// Why an object is a violation (the first five), undetermined (the others), or excepted from being a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Reason {
    /// It is stored without encryption.
    NotEncrypted,
    /// The rule does not allow its method.
    MethodNotAllowed,
    /// The rule does not allow its key.
    KeyNotAllowed,
    /// The rule wants a Bucket Key, and it has none.
    BucketKeyDisabled,
    /// No rule matches, and the policy wants one to.
    Unmatched,
    /// The report has no column for its encryption.
    StatusAbsent,
    /// The report leaves its encryption blank.
    StatusBlank,
    /// The report says something of its encryption that is not known.
    StatusUnrecognised,
    /// The report lacks what tells whether the rule is about it.
    ScopeUnknown,
    /// The rule names keys, and nothing says which key it has.
    KeyUnknown,
    /// Its key may have changed unseen between the evidence and the report.
    KeyEvidenceStale,
    /// Sources disagree about its key or its method, and it matters.
    KeyEvidenceConflict,
    /// The rule wants a Bucket Key, and the report does not say whether it has one.
    BucketKeyUnknown,
}

impl Reason {
    /// All of them, violations first.
    pub const ALL: [Self; 13] = [
        Self::NotEncrypted,
        Self::MethodNotAllowed,
        Self::KeyNotAllowed,
        Self::BucketKeyDisabled,
        Self::Unmatched,
        Self::StatusAbsent,
        Self::StatusBlank,
        Self::StatusUnrecognised,
        Self::ScopeUnknown,
        Self::KeyUnknown,
        Self::KeyEvidenceStale,
        Self::KeyEvidenceConflict,
        Self::BucketKeyUnknown,
    ];

    /// Whether it is the reason of a violation, and not of what cannot be judged.
    pub fn is_violation(self) -> bool {
        use Reason::{BucketKeyDisabled, KeyNotAllowed, MethodNotAllowed, NotEncrypted, Unmatched};
        matches!(self, NotEncrypted | MethodNotAllowed | KeyNotAllowed | BucketKeyDisabled | Unmatched)
    }

    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotEncrypted => "not_encrypted",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::KeyNotAllowed => "key_not_allowed",
            Self::BucketKeyDisabled => "bucket_key_disabled",
            Self::Unmatched => "unmatched",
            Self::StatusAbsent => "status_absent",
            Self::StatusBlank => "status_blank",
            Self::StatusUnrecognised => "status_unrecognised",
            Self::ScopeUnknown => "scope_unknown",
            Self::KeyUnknown => "key_unknown",
            Self::KeyEvidenceStale => "key_evidence_stale",
            Self::KeyEvidenceConflict => "key_evidence_conflict",
            Self::BucketKeyUnknown => "bucket_key_unknown",
        }
    }

    /// A sentence for people.
    pub fn why(self) -> &'static str {
        match self {
            Self::NotEncrypted => "the object is stored without encryption",
            Self::MethodNotAllowed => "the rule does not allow the encryption method",
            Self::KeyNotAllowed => "the rule does not allow the key",
            Self::BucketKeyDisabled => "the rule wants a Bucket Key, and the object has none",
            Self::Unmatched => "no rule matches, and the policy wants one to",
            Self::StatusAbsent => "the report has no column for the encryption status",
            Self::StatusBlank => "the encryption status is blank",
            Self::StatusUnrecognised => "the encryption status is none that we know",
            Self::ScopeUnknown => "the report lacks what tells whether the rule applies",
            Self::KeyUnknown => "the rule names keys, and nothing says which key the object has",
            Self::KeyEvidenceStale => "the key may have changed unseen between the evidence and the report",
            Self::KeyEvidenceConflict => "sources disagree about the key",
            Self::BucketKeyUnknown => "the rule wants a Bucket Key, and the report does not say",
        }
    }
}

/// The position of a rule in its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub(super) u16);

impl RuleId {
    /// The position, from 0 on.
    pub fn as_index(self) -> usize {
        usize::from(self.0)
    }
}

/// The position of an exception in its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExceptionId(pub(super) u32);

impl ExceptionId {
    /// The position, from 0 on.
    pub fn as_index(self) -> usize {
        self.0 as usize
    }
}

/// A verdict, the rule that led to it, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What we conclude.
    pub verdict: Verdict,
    /// Why, unless the object is compliant or out of scope.
    pub reason: Option<Reason>,
    /// The rule that decided, if one did.
    pub rule: Option<RuleId>,
    /// The exception that covers an excepted object: the first one that does.
    pub exception: Option<ExceptionId>,
}

impl Ruling {
    /// The number of bits of [`Self::code`].
    pub(crate) const CODE_BITS: u32 = 24;

    /// A number that no other ruling has, whatever exception covers it.
    #[inline]
    pub(crate) fn code(self) -> u32 {
        let rule = self.rule.map_or(0, |rule| u32::from(rule.0) + 1);
        let reason = self.reason.map_or(0, |reason| reason as u32 + 1);
        rule << 8 | reason << 4 | self.verdict as u32
    }

    /// Whether the object belongs into the list of findings.
    pub fn is_finding(self) -> bool {
        matches!(self.verdict, Verdict::Violation | Verdict::Undetermined | Verdict::Excepted)
    }
}
