//! Which statements of a policy are open to the public.
//!
//! A statement is public if everyone may pass it, and if its conditions are none, or such that whoever wants to meets them.
//! Fixed networks, endpoints, sources and callers keep the public out; that list is S3's own.

use super::document::{Document, Effect, Listed, Statement};
use super::evaluate::Target;
use super::facts::Facts;
use super::grant::{StatementRef, Why};
use super::keys::{self, Limit};
use super::narrowing::{Asked, Candidate, Narrowing, any_service};
use super::pattern::Pattern;
use super::truth::Truth;
use super::who::{Class, Who};

/// A statement that is open to the public, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicStatement {
    /// Which.
    pub by: StatementRef,
    /// `True` or `Unknown`.
    pub public: Truth,
    /// Why, or why that is not certain.
    pub why: Vec<Why>,
}

/// The statements that are or may be open to the public, in order; none for a policy that surely is not public.
pub fn public_statements(document: &Document, facts: &Facts) -> Vec<PublicStatement> {
    let mut narrowing = Narrowing::new(document, facts, true);
    document.statements.iter().filter_map(|statement| judge(&mut narrowing, statement)).collect()
}

fn judge<'d>(narrowing: &mut Narrowing<'d>, statement: &'d Statement) -> Option<PublicStatement> {
    if statement.effect == Effect::Deny {
        return None;
    }
    let mut found: Option<PublicStatement> = None;
    let (actions, resources) = (actions(&statement.action), resources(&statement.resource));
    for action in &actions {
        for resource in &resources {
            if !narrowing.pays_for(1 + actions.len() + resources.len()) {
                return Some(PublicStatement {
                    by: statement.into(),
                    public: Truth::Unknown,
                    why: vec![Why::TooMuchWork],
                });
            }
            let target = Target::all(resource);
            let asked = Asked { action: Pattern::new(action).folded(), resource: &target };
            let denies = narrowing.sure_denies(&asked);
            for candidate in narrowing.candidates(statement, &asked, &denies) {
                let public = public(&candidate);
                let better = public > found.as_ref().map_or(Truth::False, |found| found.public);
                if better {
                    let why = candidate.why.into_iter().collect();
                    found = Some(PublicStatement { by: statement.into(), public, why });
                }
            }
            if found.as_ref().is_some_and(|found| found.public == Truth::True) {
                return found;
            }
        }
    }
    found
}

/// What a statement is about, as patterns; where it says what it is not about, an action that nothing names stands for
/// the others.
fn actions(listed: &Listed<String>) -> Vec<String> {
    match listed {
        Listed::Only(names) => names.clone(),
        Listed::AllBut(_) => vec!["s3:(other)".to_owned(), "kms:(other)".to_owned()],
        Listed::Absent | Listed::Unclear => vec!["*".to_owned()],
    }
}

fn resources(listed: &Listed<String>) -> Vec<String> {
    match listed {
        Listed::Only(names) => names.clone(),
        Listed::AllBut(_) | Listed::Absent | Listed::Unclear => vec!["*".to_owned()],
    }
}

fn public(candidate: &Candidate<'_>) -> Truth {
    // A provider of identities may let in whom it likes.
    if candidate.why.contains(&Why::UnresolvedPrincipal) {
        return Truth::Unknown;
    }
    let limit = candidate.pending.iter().map(|condition| keys::limit(condition)).max().unwrap_or(Limit::None);
    // That only services of AWS ask is no fixed value for S3, which takes the statement for public.
    if candidate.who == any_service() {
        return if limit == Limit::Fixed { Truth::False } else { Truth::Unknown };
    }
    // Who may have any account can make a role of any name.
    if candidate.who != Who::Everyone
        && (candidate.who.class() != Class::RolePattern || candidate.who.account().is_some())
    {
        return Truth::False;
    }
    let escaped = candidate.unless.iter().all(|deny| deny.iter().any(|condition| keys::is_escaped_at_will(condition)));
    let understood = candidate
        .why
        .iter()
        .all(|why| matches!(why, Why::NotPrincipal | Why::EncryptionContext | Why::Condition | Why::Deny));
    match limit {
        Limit::Fixed => Truth::False,
        Limit::None if escaped && understood => Truth::True,
        _ => Truth::Unknown,
    }
}
