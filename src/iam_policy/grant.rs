//! Someone who can do something by a statement, and how certain that is.

use std::collections::BTreeSet;

use super::document::Statement;
use super::who::Who;

/// Someone who can, by one statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Who.
    pub who: Who,
    /// The account whose IAM decides, if the statement names an account.
    pub left_to: Option<String>,
    /// How certain it is that they can.
    pub certainty: Certainty,
    /// Why it is not more certain, and other things to know of it.
    pub why: BTreeSet<Why>,
    /// By which statement.
    pub by: StatementRef,
    /// Statements that deny, without which more could.
    pub narrowed_by: Vec<StatementRef>,
    /// When, in words; empty for always.
    pub condition: String,
    /// Which of the actions, in the order asked.
    pub actions: Vec<String>,
}

/// A statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatementRef {
    /// Its place, from 0.
    pub index: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
}

impl From<&Statement> for StatementRef {
    fn from(statement: &Statement) -> Self {
        Self { index: statement.index, sid: statement.sid.clone() }
    }
}

/// How certain it is that someone can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// They can.
    Exact,
    /// They can, if facts of the request allow it.
    Conditional,
    /// They may.
    Unknown,
}

impl Certainty {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Conditional => "conditional",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a grant is not certain, or what else there is to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Why {
    /// The statement allows everyone but some.
    NotPrincipal,
    /// Whoever can name the encryption context can: no limit on who.
    EncryptionContext,
    /// A condition depends on the request, or on what is not known of the caller.
    Condition,
    /// A Deny depends on the request, or on what is not known of the caller.
    Deny,
    /// The account is allowed: its IAM decides which of its principals can.
    IamDecides,
    /// A deleted principal.
    DeadPrincipal,
    /// A name that cannot be resolved: a provider of identities, an account by the id of S3, services under `{"AWS": "*"}`.
    UnresolvedPrincipal,
    /// `NotPrincipal` of a statement names some of them, and AWS leaves open whom that excepts.
    NamedByNotPrincipal,
    /// The statement may be about another resource, or about a part of those asked for.
    Resource,
    /// A condition key that is not known.
    UnknownConditionKey,
    /// Something of the statement is not understood.
    NotUnderstood,
    /// The policy is too large to be narrowed to the end.
    TooMuchWork,
}

impl Why {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPrincipal => "not_principal",
            Self::EncryptionContext => "encryption_context",
            Self::Condition => "condition",
            Self::Deny => "deny",
            Self::IamDecides => "iam_decides",
            Self::DeadPrincipal => "dead_principal",
            Self::UnresolvedPrincipal => "unresolved_principal",
            Self::NamedByNotPrincipal => "named_by_not_principal",
            Self::Resource => "resource",
            Self::UnknownConditionKey => "unknown_condition_key",
            Self::NotUnderstood => "not_understood",
            Self::TooMuchWork => "too_much_work",
        }
    }

    pub(super) fn certainty(self) -> Certainty {
        match self {
            Self::NotPrincipal => Certainty::Exact,
            Self::EncryptionContext | Self::Condition | Self::Deny => Certainty::Conditional,
            _ => Certainty::Unknown,
        }
    }
}

impl Grant {
    /// Whether nothing but the encryption context keeps the class from doing it.
    pub fn is_unlimited(&self) -> bool {
        self.why.iter().all(|why| matches!(why, Why::NotPrincipal | Why::EncryptionContext))
    }
}
