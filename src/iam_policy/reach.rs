//! Who can do something to a resource, by the policy of the resource.
//!
//! Callers are classes, never lists of what exists. Each statement that allows gives a class; conditions on who calls narrow
//! it; a Deny narrows it where it surely applies to those outside: a stranger of the class. What is found is an upper bound:
//! nobody else can, by this policy. How certain it is that these can is said for each, with the reasons. IAM of accounts,
//! grants of keys and guardrails of organisations are not looked at.

use std::collections::BTreeMap;

use super::document::Document;
use super::evaluate::Target;
use super::facts::Facts;
use super::grant::Grant;
use super::narrowing::{Asked, Narrowing};
use super::pattern::Pattern;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question<'q> {
    /// For which actions, such as `kms:Decrypt`.
    pub actions: &'q [&'q str],
    /// To which resource.
    pub resource: Target,
    /// What is known of the requests in question: what they are for, never who makes them.
    pub facts: Facts,
    /// Whether the service lets in callers who do not say who they are, as S3 does and KMS does not.
    pub anonymous: bool,
}

/// Who can, by the policy of the resource; in the order of [`Who`](super::who::Who).
pub fn reach(document: &Document, question: &Question<'_>) -> Vec<Grant> {
    let mut narrowing = Narrowing::new(document, &question.facts, question.anonymous);
    let mut grants: BTreeMap<Grant, Vec<String>> = BTreeMap::new();
    for action in question.actions {
        let asked = Asked { action: Pattern::literal(action).folded(), resource: &question.resource };
        let denies = narrowing.sure_denies(&asked);
        for statement in &document.statements {
            for candidate in narrowing.candidates(statement, &asked, &denies) {
                let actions = grants.entry(candidate.into_grant(statement)).or_default();
                // A statement may name someone twice.
                if actions.last().is_none_or(|last| last != action) {
                    actions.push((*action).to_owned());
                }
            }
        }
    }
    grants.into_iter().map(|(grant, actions)| Grant { actions, ..grant }).collect()
}
