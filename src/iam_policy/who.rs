//! Who can do something: a principal, or a class of callers.

use super::evaluate::{Caller, account_of_pattern, has_wildcards_before_account};
use super::pattern::Pattern;
use super::principal::{Arn, is_account_id};
use super::truth::Truth;

/// Who can do something. The order is that of reports: the widest class first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Everyone of every account, and every service.
    Everyone,
    /// Every principal of every account of the organisation.
    Organisation(String),
    /// Every principal of the account.
    Account(String),
    /// Every principal whose ARN is like the pattern.
    Roles(String),
    /// A role, user or session, by ARN; or a name that cannot be resolved.
    Principal(String),
    /// A service; `*` is any of them.
    Service(String),
}

/// The class of a [`Who`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the classes are those of Who")]
pub enum Class {
    Everyone,
    Organisation,
    Account,
    RolePattern,
    Principal,
    Service,
}

impl Class {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Organisation => "organisation",
            Self::Account => "account",
            Self::RolePattern => "role pattern",
            Self::Principal => "principal",
            Self::Service => "service",
        }
    }
}

/// What two classes have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Common {
    pub(super) who: Who,
    /// Whether it is known that these callers are in both.
    pub(super) sure: bool,
}

impl Who {
    /// Its class.
    pub fn class(&self) -> Class {
        match self {
            Self::Everyone => Class::Everyone,
            Self::Organisation(_) => Class::Organisation,
            Self::Account(_) => Class::Account,
            Self::Roles(_) => Class::RolePattern,
            Self::Principal(_) => Class::Principal,
            Self::Service(_) => Class::Service,
        }
    }

    /// Its name: an id, an ARN, a pattern; `*` for everyone.
    pub fn name(&self) -> &str {
        match self {
            Self::Everyone => "*",
            Self::Organisation(name)
            | Self::Account(name)
            | Self::Roles(name)
            | Self::Principal(name)
            | Self::Service(name) => name,
        }
    }

    /// The account that all of them are of, where it is one and known.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Account(id) => Some(id),
            Self::Roles(pattern) => account_of_pattern(pattern),
            Self::Principal(arn) => Arn::parse(arn).map(|arn| arn.account).filter(|account| is_account_id(account)),
            Self::Everyone | Self::Organisation(_) | Self::Service(_) => None,
        }
    }

    /// The caller that stands for it.
    pub fn caller(&self, anonymous: bool) -> Caller {
        match self {
            Self::Everyone => Caller::Everyone { anonymous },
            Self::Organisation(id) => Caller::Organisation(id.clone()),
            Self::Account(id) => Caller::AccountPrincipals(id.clone()),
            Self::Roles(pattern) => Caller::PrincipalsLike(pattern.clone()),
            Self::Principal(arn) => Caller::Principal(arn.clone()),
            Self::Service(name) => Caller::Service(name.clone()),
        }
    }

    /// What the ARNs of a pattern are, in the narrowest class: a whole account, a pattern, or one principal.
    pub(super) fn of_arn_pattern(pattern: &str) -> Option<Self> {
        if !pattern.contains(['*', '?']) {
            return Arn::parse(pattern).map(|_| Self::Principal(pattern.to_owned()));
        }
        if Pattern::new(pattern).is_anything() {
            return None;
        }
        Some(match Arn::parse(pattern) {
            Some(arn) if arn.resource == "*" && is_account_id(arn.account) => Self::Account(arn.account.to_owned()),
            Some(arn) if arn.resource == "*" && arn.account == "*" => Self::Everyone,
            _ => Self::Roles(pattern.to_owned()),
        })
    }

    /// What it has in common with another; `None` if that is surely nobody.
    pub(super) fn and(&self, other: &Self) -> Option<Common> {
        let sure = |who: &Self| Some(Common { who: who.clone(), sure: true });
        let unsure = |who: &Self| Some(Common { who: who.clone(), sure: false });
        match (self, other) {
            (a, b) if a == b => sure(a),
            (Self::Everyone, who) | (who, Self::Everyone) => sure(who),
            (Self::Service(any), who @ Self::Service(_)) | (who @ Self::Service(_), Self::Service(any))
                if any == "*" =>
            {
                sure(who)
            }
            (Self::Service(_), _) | (_, Self::Service(_)) => None,
            (Self::Organisation(_), Self::Organisation(_)) | (Self::Account(_), Self::Account(_)) => None,
            (Self::Organisation(_), who) | (who, Self::Organisation(_)) => unsure(who),
            (Self::Account(account), who) | (who, Self::Account(account)) => who.in_account(account),
            (Self::Roles(a), Self::Roles(b)) => patterns_in_common(a, b),
            (Self::Roles(pattern), who) | (who, Self::Roles(pattern)) => who.like(pattern),
            (Self::Principal(a), Self::Principal(b)) => principals_in_common(a, b),
        }
    }

    /// Those of a pattern or a name that are of the account.
    fn in_account(&self, account: &str) -> Option<Common> {
        let name = self.name();
        let Some(arn) = Arn::parse(name) else {
            let may_be = matches!(self, Self::Principal(_)) || may_be_of_account(name, account);
            return may_be.then(|| Common { who: self.clone(), sure: false });
        };
        if arn.account == account {
            return Some(Common { who: self.clone(), sure: true });
        }
        if !arn.account_may_be(account) {
            // A wildcard before it might reach over the account: paths of roles may have colons.
            let may_be = has_wildcards_before_account(name) && may_be_of_account(name, account);
            return may_be.then(|| Common { who: self.clone(), sure: false });
        }
        let narrowed = format!("arn:{}:{}::{account}:{}", arn.partition, arn.service, arn.resource);
        Self::of_arn_pattern(&narrowed).map(|who| Common { who, sure: true })
    }

    /// One principal, if its ARN is like the pattern.
    fn like(&self, pattern: &str) -> Option<Common> {
        let truth = match Arn::parse(self.name()) {
            Some(arn) => {
                let pattern = Pattern::new(pattern);
                let arns = arn.principal_arns(self.name());
                arns.iter()
                    .map(|arn| pattern.matches_all(&Pattern::new(arn)))
                    .reduce(Truth::join)
                    .unwrap_or(Truth::Unknown)
            }
            None => Truth::Unknown,
        };
        (truth != Truth::False).then(|| Common { who: self.clone(), sure: truth == Truth::True })
    }
}

fn may_be_of_account(pattern: &str, account: &str) -> bool {
    let pattern = Pattern::new(pattern);
    ["iam", "sts"].iter().any(|service| pattern.overlaps(&Pattern::new(&format!("arn:*:{service}::{account}:*"))))
}

fn patterns_in_common(a: &str, b: &str) -> Option<Common> {
    let (pattern_a, pattern_b) = (Pattern::new(a), Pattern::new(b));
    let roles = |name: &str, sure| Some(Common { who: Who::Roles(name.to_owned()), sure });
    if pattern_a.covers(&pattern_b) {
        roles(b, true)
    } else if pattern_b.covers(&pattern_a) {
        roles(a, true)
    } else if pattern_a.overlaps(&pattern_b) {
        roles(a, false)
    } else {
        None
    }
}

/// A session and its role are the session.
fn principals_in_common(a: &str, b: &str) -> Option<Common> {
    let principal = |name: &str, sure| Some(Common { who: Who::Principal(name.to_owned()), sure });
    match (Arn::parse(a), Arn::parse(b)) {
        (Some(session), Some(role)) if session.is_session_of(&role) => principal(a, true),
        (Some(role), Some(session)) if session.is_session_of(&role) => principal(b, true),
        (Some(_), Some(_)) => None,
        _ => principal(a, false),
    }
}
