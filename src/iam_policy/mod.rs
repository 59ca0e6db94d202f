//! Policies of IAM: read, and evaluated offline, where not every fact of a request is known.
//!
//! A policy comes in as text or JSON and becomes a [`Document`]. Two questions are answered from it: whether a request may
//! pass ([`evaluate`](evaluate::evaluate)), and who can do something to the resource that the policy is attached to
//! ([`reach`](reach::reach)). Answers have three values: what is unknown, not understood or not documented by AWS is
//! [`Truth::Unknown`], never a guess in either direction. Nothing is said about other policies of the request: IAM of the
//! caller's account, guardrails of the organisation and grants are left to whoever asks.

pub mod condition;
pub mod document;
pub mod evaluate;
pub mod facts;
pub mod grant;
mod keys;
mod narrowing;
pub mod pattern;
pub mod principal;
pub mod public;
pub mod reach;
pub mod truth;
pub mod who;
pub mod words;

pub use condition::{Comparison, Condition};
pub use document::{Document, DocumentError, Effect, Listed, Statement, Version};
pub use evaluate::{Attachment, Caller, Evaluation, Request, Target, evaluate};
pub use facts::{Fact, Facts};
pub use grant::{Certainty, Grant, StatementRef, Why};
pub use pattern::Pattern;
pub use principal::{Principal, is_account_id};
pub use public::{PublicStatement, public_statements};
pub use reach::{Question, reach};
pub use truth::Truth;
pub use who::{Class, Who};

#[cfg(test)]
mod tests;
