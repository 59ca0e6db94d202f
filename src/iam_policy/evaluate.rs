//! Whether one policy lets a request pass, with three values.
//!
//! The caller may be a class, such as every principal of an account. An answer is certain only if it is the same for each of
//! its members and for each value that an unknown fact may have. Facts that a caller implies are derived; what the request
//! says of a key itself counts first; all else is unknown.

use super::condition::{Condition, expand};
use super::document::{Document, Effect, Listed, Statement, Version};
use super::facts::{Fact, Facts};
use super::pattern::Pattern;
use super::principal::{Arn, Principal, is_account_id};
use super::truth::Truth;

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Every person and role of every account.
    Everyone {
        /// Also those who do not say who they are, as S3 lets in.
        anonymous: bool,
    },
    /// Every principal of every account of an organisation.
    Organisation(String),
    /// Every principal of an account.
    AccountPrincipals(String),
    /// Every principal whose `aws:PrincipalArn` is like this pattern.
    PrincipalsLike(String),
    /// A role with all its sessions, a user, or a session, by ARN.
    Principal(String),
    /// The root user of an account.
    AccountRoot(String),
    /// A service of AWS that calls by itself; `*` is any of them.
    Service(String),
}

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attachment {
    /// A resource: its statements name principals.
    #[default]
    Resource,
    /// The caller, or the account or organisation that it is in: statements without principals are about it.
    Identity,
}

/// The resource of a request: one, or all that match a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Pattern);

impl Target {
    /// One resource, by ARN.
    pub fn exact(arn: &str) -> Self {
        Self(Pattern::literal(arn))
    }

    /// All resources whose ARN matches, such as all objects below a prefix.
    pub fn all(pattern: &str) -> Self {
        Self(Pattern::new(pattern))
    }
}

/// A request, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// For what, such as `kms:Decrypt`.
    pub action: String,
    /// Of which resource.
    pub resource: Target,
    /// What is known of its condition keys.
    pub facts: Facts,
    /// What the policy is attached to.
    pub attachment: Attachment,
}

/// What a policy says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Whether a statement allows it by itself.
    pub allow: Truth,
    /// Whether a statement allows it if IAM of the caller's account does, too.
    pub delegated: Truth,
    /// Whether a statement denies it.
    pub deny: Truth,
    /// The statements that apply or may apply, in order.
    pub decided_by: Vec<Applied>,
}

/// A statement that applies or may apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its place in the policy, from 0.
    pub index: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// Whether it applies.
    pub truth: Truth,
    /// Whether it names the account of the caller only, so that IAM of that account decides.
    pub iam_decides: bool,
}

impl Evaluation {
    /// Whether the policy lets the request pass: what IAM of an account decides is unknown here.
    pub fn outcome(&self) -> Truth {
        (!self.deny).and(self.allow.or(self.delegated.at_most_unknown()))
    }
}

/// Evaluates a policy for a request.
pub fn evaluate(document: &Document, request: &Request) -> Evaluation {
    let known = Known::new(&request.caller, &request.facts);
    let mut evaluation =
        Evaluation { allow: Truth::False, delegated: Truth::False, deny: Truth::False, decided_by: Vec::new() };
    for statement in &document.statements {
        let matched = applies(document, statement, request, &known);
        if matched.truth != Truth::False {
            evaluation.add(statement, matched);
        }
    }
    evaluation
}

impl Evaluation {
    fn add(&mut self, statement: &Statement, matched: Matched) {
        let may = matched.truth.at_most_unknown();
        let (allow, deny) = match statement.effect {
            Effect::Allow => (matched.truth, Truth::False),
            Effect::Deny => (Truth::False, matched.truth),
            Effect::Unknown(_) => (may, may),
        };
        let allowed = if matched.iam_decides { &mut self.delegated } else { &mut self.allow };
        *allowed = allowed.or(allow);
        self.deny = self.deny.or(deny);
        self.decided_by.push(Applied {
            index: statement.index,
            sid: statement.sid.clone(),
            effect: statement.effect.clone(),
            truth: matched.truth,
            iam_decides: matched.iam_decides && statement.effect != Effect::Deny,
        });
    }
}

/// Whether something matches, and whether only by way of the account.
#[derive(Clone, Copy)]
pub(super) struct Matched {
    pub(super) truth: Truth,
    pub(super) iam_decides: bool,
}

impl Matched {
    fn directly(truth: Truth) -> Self {
        Self { truth, iam_decides: false }
    }
}

fn applies(document: &Document, statement: &Statement, request: &Request, known: &Known<'_>) -> Matched {
    // The cheap questions first.
    let action = action_matches(&statement.action, &request.action);
    if action == Truth::False {
        return Matched::directly(action);
    }
    let principal = principal_matches(statement, &request.caller, request.attachment);
    let truth = Truth::all([action, principal.truth, understood(document, statement)]);
    if truth == Truth::False {
        return Matched::directly(truth);
    }
    let truth = truth.and(resource_matches(&statement.resource, &request.resource, &document.version, known));
    let truth = truth.and(conditions_hold(&statement.conditions, &document.version, known));
    Matched { truth, ..principal }
}

/// Unknown, if something of the policy or the statement is not understood.
pub(super) fn understood(document: &Document, statement: &Statement) -> Truth {
    let known_version = !matches!(document.version, Version::Unknown(_));
    let understood = known_version && document.not_understood.is_empty() && statement.not_understood.is_empty();
    if understood { Truth::True } else { Truth::Unknown }
}

pub(super) fn conditions_hold(conditions: &[Condition], version: &Version, known: &Known<'_>) -> Truth {
    Truth::all(conditions.iter().map(|condition| known.holds(condition, version)))
}

/// Whether an element that lists names matches.
fn listed<T>(names: &Listed<T>, matches: impl Fn(&T) -> Truth) -> Truth {
    match names {
        Listed::Only(names) => Truth::any(names.iter().map(matches)),
        Listed::AllBut(names) => !Truth::any(names.iter().map(matches)),
        Listed::Absent | Listed::Unclear => Truth::Unknown,
    }
}

/// Whether a statement is about the action. Actions have no case.
pub(super) fn action_matches(actions: &Listed<String>, action: &str) -> Truth {
    all_actions_match(actions, &Pattern::literal(action).folded())
}

/// Whether a statement is about all actions of a folded pattern.
pub(super) fn all_actions_match(actions: &Listed<String>, wanted: &Pattern) -> Truth {
    listed(actions, |name| {
        let pattern = Pattern::new(name).folded();
        let truth = pattern.matches_all(wanted);
        // AWS wants the name of a service before the colon; what it makes of names without one is not documented.
        if name.contains(':') || pattern.is_anything() { truth } else { truth.at_most_unknown() }
    })
}

pub(super) fn resource_matches(
    resources: &Listed<String>,
    target: &Target,
    version: &Version,
    known: &Known<'_>,
) -> Truth {
    let mut unresolved = false;
    let names = match resources {
        Listed::Only(names) | Listed::AllBut(names) => names,
        Listed::Absent | Listed::Unclear => return Truth::Unknown,
    };
    let matched = Truth::any(names.iter().map(|name| {
        let expanded = expand(name, true, version, &mut |key| known.fact(key));
        unresolved |= expanded.unresolved;
        let matched = expanded.pattern.matches_all_resources(&target.0);
        // What stands for a variable without a value takes more than it: that it matches is never sure.
        if expanded.unresolved { matched.at_most_unknown() } else { matched }
    }));
    let truth = if matches!(resources, Listed::AllBut(_)) { !matched } else { matched };
    if unresolved { truth.at_most_unknown() } else { truth }
}

/// Whether a statement is about the caller.
pub(super) fn principal_matches(statement: &Statement, caller: &Caller, attachment: Attachment) -> Matched {
    match (&statement.principal, attachment) {
        (Listed::Absent, Attachment::Identity) => Matched::directly(Truth::True),
        (Listed::Only(principals), _) => any_principal(principals, caller),
        (Listed::AllBut(principals), _) => Matched::directly(not_principal(principals, caller, &statement.effect)),
        (Listed::Absent | Listed::Unclear, _) => Matched::directly(Truth::Unknown),
    }
}

/// A direct match is better than one that IAM decides, if it is as certain.
fn any_principal(principals: &[Principal], caller: &Caller) -> Matched {
    let mut best = Matched::directly(Truth::False);
    for principal in principals {
        let matched = one_principal(principal, caller);
        let better = matched.truth > best.truth || matched.truth == best.truth && !matched.iam_decides;
        if better {
            best = matched;
        }
    }
    best
}

/// Everyone but those named. A name must name the caller itself, and of a role, the session: whether naming the account or
/// the role is enough, AWS leaves open. With Deny, a caller whose account is not named may be denied with its account.
fn not_principal(principals: &[Principal], caller: &Caller, effect: &Effect) -> Truth {
    let strengths = principals.iter().map(|principal| names(principal, caller));
    match (strengths.max().unwrap_or(Named::Not), effect) {
        (Named::Not, _) => Truth::True,
        (Named::Itself, Effect::Allow) => Truth::False,
        (Named::Itself, _) if account_is_named(principals, caller) => Truth::False,
        _ => Truth::Unknown,
    }
}

/// How a principal of a list is about a caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Not,
    Perhaps,
    Itself,
}

fn names(principal: &Principal, caller: &Caller) -> Named {
    let matched = one_principal(principal, caller);
    let itself = match (principal, caller) {
        (Principal::Everyone, _) => true,
        (Principal::EveryoneInAws, caller) => !matches!(caller, Caller::Service(_)),
        (Principal::Account(_), caller) => is_root(caller),
        // A role calls in sessions only.
        (Principal::Arn(name), Caller::Principal(arn)) => {
            name == arn && Arn::parse(arn).is_some_and(|arn| arn.role().is_none())
        }
        (Principal::Service(name), Caller::Service(service)) => name == service,
        _ => false,
    };
    match (principal, matched.truth) {
        // A pattern exempts nobody, if AWS takes it at all.
        (Principal::Wildcards(_), _) => Named::Perhaps,
        (_, Truth::False) => Named::Not,
        (_, Truth::True) if itself => Named::Itself,
        _ => Named::Perhaps,
    }
}

/// Whether the account of the caller is named, and of a session also its role.
fn account_is_named(principals: &[Principal], caller: &Caller) -> bool {
    if principals.iter().any(|name| matches!(name, Principal::Everyone | Principal::EveryoneInAws)) {
        return true;
    }
    let named = |account: &str| principals.iter().any(|name| matches!(name, Principal::Account(id) if id == account));
    match caller {
        Caller::Principal(text) => Arn::parse(text).is_some_and(|arn| {
            let is_role = |name: &Principal| matches!(name, Principal::Arn(role) if is_session_of(&arn, role));
            named(arn.account) && (arn.role_of_session().is_none() || principals.iter().any(is_role))
        }),
        Caller::AccountRoot(_) | Caller::Service(_) => true,
        _ => false,
    }
}

fn is_session_of(session: &Arn<'_>, role: &str) -> bool {
    Arn::parse(role).is_some_and(|role| session.is_session_of(&role))
}

/// Whether a principal of a policy is the caller: for a class, whether it is each member of it, or none.
pub(super) fn one_principal(principal: &Principal, caller: &Caller) -> Matched {
    let service = matches!(caller, Caller::Service(_));
    match principal {
        Principal::Everyone => Matched::directly(Truth::True),
        // AWS calls it the same as * for anonymous callers, and does not speak of services.
        Principal::EveryoneInAws => Matched::directly(if service { Truth::Unknown } else { Truth::True }),
        Principal::Account(account) => Matched { truth: is_of_account(caller, account), iam_decides: !is_root(caller) },
        Principal::Arn(name) => Matched::directly(is_principal(caller, name)),
        Principal::Wildcards(_) => Matched::directly(Truth::False),
        Principal::Service(name) => Matched::directly(is_service(caller, name)),
        Principal::UniqueId(_) | Principal::Federated(_) if matches!(caller, Caller::AccountRoot(_)) => {
            Matched::directly(Truth::False)
        }
        Principal::UniqueId(_) | Principal::Federated(_) | Principal::CanonicalUser(_) => {
            Matched::directly(if service { Truth::False } else { Truth::Unknown })
        }
        Principal::Unknown(_) => Matched::directly(Truth::Unknown),
    }
}

/// The root user may do what its account may.
fn is_root(caller: &Caller) -> bool {
    match caller {
        Caller::AccountRoot(_) => true,
        Caller::Principal(text) => Arn::parse(text).is_some_and(|arn| arn.is_root()),
        _ => false,
    }
}

fn is_of_account(caller: &Caller, account: &str) -> Truth {
    match caller {
        Caller::Everyone { .. } | Caller::Organisation(_) => Truth::Unknown,
        Caller::AccountPrincipals(id) | Caller::AccountRoot(id) => (id == account).into(),
        Caller::PrincipalsLike(pattern) => match account_of_pattern(pattern) {
            Some(of_pattern) => (of_pattern == account).into(),
            None => Truth::Unknown,
        },
        Caller::Principal(text) => match Arn::parse(text) {
            Some(arn) => (arn.account == account).into(),
            None => Truth::Unknown,
        },
        Caller::Service(_) => Truth::False,
    }
}

/// The account of all principals of a pattern. A wildcard before it might reach over it: paths of roles may have colons.
pub(super) fn account_of_pattern(pattern: &str) -> Option<&str> {
    let arn = Arn::parse(pattern)?;
    (is_account_id(arn.account) && !has_wildcards_before_account(pattern)).then_some(arn.account)
}

/// Whether wildcards stand before the account of an ARN.
pub(super) fn has_wildcards_before_account(pattern: &str) -> bool {
    pattern.split(':').take(4).any(|part| part.contains(['*', '?']))
}

fn is_service(caller: &Caller, name: &str) -> Truth {
    let first_label = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    match caller {
        Caller::Service(any) if any == "*" => Truth::Unknown,
        Caller::Service(service) if service == name => Truth::True,
        // Some services have a principal in each Region or partition.
        Caller::Service(service) if first_label(service) == first_label(name) => Truth::Unknown,
        _ => Truth::False,
    }
}

fn is_principal(caller: &Caller, name: &str) -> Truth {
    let Some(named) = Arn::parse(name) else { return Truth::Unknown };
    match caller {
        Caller::Everyone { .. } | Caller::Organisation(_) => Truth::Unknown,
        Caller::AccountPrincipals(account) if named.account == account => Truth::Unknown,
        Caller::AccountPrincipals(_) | Caller::AccountRoot(_) | Caller::Service(_) => Truth::False,
        Caller::PrincipalsLike(pattern) => {
            let pattern = Pattern::new(pattern);
            let may_be = |arn: &String| pattern.overlaps(&Pattern::new(arn));
            if named.principal_arns(name).iter().any(may_be) { Truth::Unknown } else { Truth::False }
        }
        Caller::Principal(text) if text == name => Truth::True,
        Caller::Principal(text) => Arn::parse(text).map_or(Truth::Unknown, |arn| is_other_principal(&arn, &named)),
    }
}

/// Whether a caller is a principal whose ARN is another.
fn is_other_principal(caller: &Arn<'_>, named: &Arn<'_>) -> Truth {
    if caller.account != named.account {
        return Truth::False;
    }
    if caller.is_session_of(named) {
        return Truth::True;
    }
    // One session of the role; and who asked for the token of a federated user is not in its ARN.
    let may_be =
        named.is_session_of(caller) || caller.is_federated_user() && (named.user().is_some() || named.is_root());
    if may_be { Truth::Unknown } else { Truth::False }
}

/// What is known of the keys of a request.
pub(super) struct Known<'r> {
    given: &'r Facts,
    derived: Facts,
}

impl<'r> Known<'r> {
    pub(super) fn new(caller: &Caller, given: &'r Facts) -> Self {
        Self { given, derived: derive(caller) }
    }

    /// What is known of a key: what was said, else what the caller implies, else nothing.
    pub(super) fn fact(&self, key: &str) -> Fact {
        self.given.get(key).or_else(|| self.derived.get(key)).cloned().unwrap_or_else(Fact::unknown)
    }

    pub(super) fn holds(&self, condition: &Condition, version: &Version) -> Truth {
        condition.holds(version, &mut |key| self.fact(key))
    }

    /// As [`Self::holds`], if the request has the key, and if it does not.
    pub(super) fn holds_with(&self, condition: &Condition, version: &Version, of_key: &Fact) -> Truth {
        condition.holds_for(of_key, version, &mut |key| self.fact(key))
    }
}

/// What a caller implies for the keys of its requests.
fn derive(caller: &Caller) -> Facts {
    match caller {
        Caller::Everyone { anonymous: true } => human(Fact::known("false").or_absent()),
        Caller::Everyone { anonymous: false } => with_account(signed(), Fact::present()),
        Caller::Organisation(id) => {
            with_account(signed(), Fact::present()).with("aws:PrincipalOrgID", Fact::known(id.as_str()))
        }
        Caller::AccountPrincipals(account) => with_account(signed(), Fact::known(account.as_str())).with(
            "aws:PrincipalArn",
            Fact::like([format!("arn:*:iam::{account}:*"), format!("arn:*:sts::{account}:*")]),
        ),
        Caller::PrincipalsLike(pattern) => {
            with_account(signed(), account_of_pattern(pattern).map_or_else(Fact::present, Fact::known))
                .with("aws:PrincipalArn", Fact::like([pattern.as_str()]))
        }
        Caller::AccountRoot(account) => with_account(signed(), Fact::known(account.as_str()))
            .with("aws:PrincipalArn", Fact::like([format!("arn:*:iam::{account}:root")]))
            .with("aws:PrincipalType", Fact::known("Account"))
            .with("aws:username", Fact::absent()),
        Caller::Principal(text) => derive_principal(text),
        Caller::Service(name) => derive_service(name),
    }
}

/// What holds for everyone who is no service.
fn human(is_service: Fact) -> Facts {
    Facts::new()
        .with("aws:PrincipalIsAWSService", is_service)
        .with("aws:PrincipalServiceName", Fact::absent())
        .with("aws:PrincipalServiceNamesList", Fact::absent())
}

fn signed() -> Facts {
    human(Fact::known("false"))
        .with("aws:PrincipalArn", Fact::present())
        .with("aws:PrincipalType", Fact::present())
        .with("aws:userid", Fact::present())
}

fn with_account(facts: Facts, account: Fact) -> Facts {
    facts.with("aws:PrincipalAccount", account.clone()).with("kms:CallerAccount", account)
}

fn derive_principal(text: &str) -> Facts {
    let Some(arn) = Arn::parse(text) else { return signed() };
    let account = if is_account_id(arn.account) { Fact::known(arn.account) } else { Fact::unknown() };
    let principal_arns = arn.principal_arns(text);
    let principal_arn = match principal_arns.as_slice() {
        [one] => Fact::known(one.as_str()),
        several => Fact::like(several),
    };
    let facts = with_account(signed(), account).with("aws:PrincipalArn", principal_arn);
    let of_type = |facts: Facts, name: &str| facts.with("aws:PrincipalType", Fact::known(name));
    if let Some(user) = arn.user() {
        return of_type(facts, "User").with("aws:username", Fact::known(user));
    }
    let facts = if arn.role().is_some() || arn.role_of_session().is_some() {
        of_type(facts, "AssumedRole")
    } else if arn.is_federated_user() {
        of_type(facts, "FederatedUser")
    } else if arn.is_root() {
        of_type(facts, "Account")
    } else {
        return facts;
    };
    facts.with("aws:username", Fact::absent())
}

/// A service that calls by itself is no principal of an account: it has no ARN, organisation, tags, MFA, or VPC.
fn derive_service(name: &str) -> Facts {
    let absent = [
        "aws:PrincipalArn",
        "aws:PrincipalOrgID",
        "aws:PrincipalOrgPaths",
        "aws:userid",
        "aws:username",
        "aws:MultiFactorAuthPresent",
        "aws:MultiFactorAuthAge",
        "aws:SourceVpc",
        "aws:SourceVpcArn",
        "aws:SourceVpce",
        "aws:VpcSourceIp",
        "aws:VpceAccount",
        "aws:VpceOrgID",
        "aws:VpceOrgPaths",
    ];
    let mut facts = Facts::new()
        .with("aws:PrincipalIsAWSService", Fact::known("true"))
        .with("aws:PrincipalServiceName", if name == "*" { Fact::present() } else { Fact::known(name) })
        .with("aws:PrincipalServiceNamesList", Fact::present())
        .with_prefix("aws:PrincipalTag/", Fact::absent());
    for key in absent {
        facts.set(key, Fact::absent());
    }
    if name == "*" {
        // No service that calls by itself is of a customer's account; of some services, AWS says what they have there.
        facts = with_account(facts, Fact::absent());
    }
    facts
}
