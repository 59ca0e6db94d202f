//! Narrowing classes of callers by the conditions of a statement that allows, and by those that deny.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::condition::{Comparison, Condition};
use super::document::{Document, Effect, Listed, Statement};
use super::evaluate::{
    Attachment, Caller, Known, Target, all_actions_match, conditions_hold, principal_matches, resource_matches,
    understood,
};
use super::facts::{Fact, Facts};
use super::grant::{Certainty, Grant, StatementRef, Why};
use super::keys::{self, WhoKey};
use super::pattern::Pattern;
use super::principal::Principal;
use super::truth::Truth;
use super::who::{Common, Who};
use super::words;

/// The comparisons after which narrowing stops. A policy that AWS accepts needs a thousandth of that.
const MAX_COMPARISONS: usize = 10_000_000;

/// The characters by characters that count as one comparison.
const CHARS_COMPARED: usize = 64;

/// How often a class is narrowed: there are fewer kinds of classes.
const MAX_ROUNDS: usize = 8;

/// What a condition costs, beside its comparisons.
const COST_OF_CONDITION: usize = 10;

/// What a narrowed class costs, beside its comparison: it is kept.
const COST_OF_CLASS: usize = 100;

/// An action, or all of a folded pattern, and the resource.
pub(super) struct Asked<'q> {
    pub(super) action: Pattern,
    pub(super) resource: &'q Target,
}

/// Someone who may be able to, while statements are looked at.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'d> {
    pub(super) who: Who,
    /// The account whose IAM decides.
    left_to: Option<String>,
    pub(super) why: BTreeSet<Why>,
    /// Conditions of the statement that are left to the request.
    pub(super) pending: Vec<&'d Condition>,
    /// Statements that deny under conditions left to the request: these conditions.
    pub(super) unless: Vec<Vec<&'d Condition>>,
    narrowed_by: Vec<&'d Statement>,
}

impl<'d> Candidate<'d> {
    fn new(who: Who, why: impl IntoIterator<Item = Why>) -> Self {
        let why = why.into_iter().collect();
        Self { who, left_to: None, why, pending: Vec::new(), unless: Vec::new(), narrowed_by: Vec::new() }
    }

    fn because(mut self, why: Why) -> Self {
        self.why.insert(why);
        self
    }

    /// The part of it that a class has, too.
    fn narrowed(&self, common: Common) -> Self {
        let narrowed = Self { who: common.who, ..self.clone() };
        if common.sure { narrowed } else { narrowed.because(Why::Condition) }
    }

    fn certainty(&self) -> Certainty {
        self.why.iter().map(|why| why.certainty()).max().unwrap_or(Certainty::Exact)
    }

    pub(super) fn into_grant(self, statement: &Statement) -> Grant {
        let certainty = self.certainty();
        let mut condition = words::in_words(&statement.conditions);
        for conditions in &self.unless {
            if !condition.is_empty() {
                condition.push_str("; ");
            }
            condition.push_str("unless ");
            condition.push_str(&words::clauses(conditions.iter().copied()));
        }
        Grant {
            who: self.who,
            left_to: self.left_to,
            certainty,
            why: self.why,
            by: statement.into(),
            narrowed_by: self.narrowed_by.iter().map(|statement| StatementRef::from(*statement)).collect(),
            condition,
            actions: Vec::new(),
        }
    }
}

/// What a condition makes of a class of callers.
enum Outcome {
    /// Nobody of it passes.
    Nobody,
    /// Some of it pass, and nothing is left to the request.
    Some,
    /// Those of these classes pass.
    Only(Vec<Who>),
    /// It is left to the request.
    Request,
}

/// A class as a caller, and what is known of its requests.
struct AsCaller<'d> {
    who: Who,
    caller: Caller,
    known: Known<'d>,
}

impl<'d> AsCaller<'d> {
    fn new(who: Who, facts: &'d Facts, anonymous: bool) -> Self {
        let caller = who.caller(anonymous);
        let known = Known::new(&caller, facts);
        Self { who, caller, known }
    }
}

/// One policy, while classes are narrowed by it.
pub(super) struct Narrowing<'d> {
    document: &'d Document,
    denies: Vec<&'d Statement>,
    facts: &'d Facts,
    anonymous: bool,
    everyone: Known<'d>,
    last: Option<Rc<AsCaller<'d>>>,
    comparisons_left: usize,
}

impl<'d> Narrowing<'d> {
    pub(super) fn new(document: &'d Document, facts: &'d Facts, anonymous: bool) -> Self {
        let denies = document.statements.iter().filter(|statement| statement.effect == Effect::Deny).collect();
        let everyone = Known::new(&Caller::Everyone { anonymous }, facts);
        Self { document, denies, facts, anonymous, everyone, last: None, comparisons_left: MAX_COMPARISONS }
    }

    /// A class as a caller. The same one is asked of one condition after the other, so the last is kept.
    fn as_caller(&mut self, who: &Who) -> Rc<AsCaller<'d>> {
        match &self.last {
            Some(last) if last.who == *who => Rc::clone(last),
            _ => Rc::clone(self.last.insert(Rc::new(AsCaller::new(who.clone(), self.facts, self.anonymous)))),
        }
    }

    /// Pays for comparing texts with a class. False if there has been too much work already.
    fn pays<'t>(&mut self, texts: impl Iterator<Item = &'t str>, who: &Who) -> bool {
        let chars = who.name().len();
        let cost: usize = texts.map(|text| 1 + text.len().saturating_mul(chars) / CHARS_COMPARED).sum();
        self.pays_for(COST_OF_CONDITION + cost)
    }

    /// As [`Self::pays`], for other work.
    pub(super) fn pays_for(&mut self, cost: usize) -> bool {
        self.comparisons_left = self.comparisons_left.saturating_sub(cost);
        self.comparisons_left > 0
    }

    /// The statements that surely deny all that is asked, to those whom they are about.
    pub(super) fn sure_denies(&mut self, asked: &Asked<'_>) -> Vec<&'d Statement> {
        let names = |listed: &Listed<String>| match listed {
            Listed::Only(names) | Listed::AllBut(names) => names.len(),
            Listed::Absent | Listed::Unclear => 0,
        };
        let cost = self.denies.iter().map(|deny| 1 + names(&deny.action) + names(&deny.resource)).sum();
        if !self.pays_for(cost) {
            return Vec::new();
        }
        let sure = |deny: &&Statement| self.about(deny, asked) == Truth::True;
        self.denies.iter().copied().filter(sure).collect()
    }

    /// Whether a statement is about what is asked, whoever asks.
    fn about(&self, statement: &Statement, asked: &Asked<'_>) -> Truth {
        let action = all_actions_match(&statement.action, &asked.action);
        if action == Truth::False {
            return action;
        }
        action.and(understood(self.document, statement)).and(self.about_resource(statement, asked))
    }

    fn about_resource(&self, statement: &Statement, asked: &Asked<'_>) -> Truth {
        // Variables in resources are about who asks, which is not said here.
        resource_matches(&statement.resource, asked.resource, &self.document.version, &self.everyone)
    }

    /// Who can by one statement, once these others have denied.
    pub(super) fn candidates(
        &mut self,
        statement: &'d Statement,
        asked: &Asked<'_>,
        denies: &[&'d Statement],
    ) -> Vec<Candidate<'d>> {
        if statement.effect == Effect::Deny || self.about(statement, asked) == Truth::False {
            return Vec::new();
        }
        let mut doubts = Vec::new();
        let action = all_actions_match(&statement.action, &asked.action);
        if action != Truth::True
            || understood(self.document, statement) != Truth::True
            || statement.effect != Effect::Allow
        {
            doubts.push(Why::NotUnderstood);
        }
        if self.about_resource(statement, asked) != Truth::True {
            doubts.push(Why::Resource);
        }
        let mut candidates = Vec::new();
        for start in principals(statement) {
            let start = doubts.iter().fold(start, |candidate, why| candidate.because(*why));
            candidates.extend(self.settled(start, statement, denies));
        }
        // Services are some of everyone.
        let of_everyone = |candidate: &&Candidate<'_>| candidate.who == Who::Everyone;
        if let Some(certainty) = candidates.iter().filter(of_everyone).map(Candidate::certainty).min() {
            candidates.retain(|candidate| candidate.who != any_service() || candidate.certainty() < certainty);
        }
        candidates
    }

    /// What conditions and denials leave of a class. What is left is asked all again, until nothing narrows it any more:
    /// some that pass as strangers of a wide class do not as members of a narrow one.
    fn settled(
        &mut self,
        start: Candidate<'d>,
        statement: &'d Statement,
        denies: &[&'d Statement],
    ) -> Vec<Candidate<'d>> {
        let mut settled = Vec::new();
        let mut narrowed = vec![start];
        for _ in 0..MAX_ROUNDS {
            let mut next = Vec::new();
            for start in std::mem::take(&mut narrowed) {
                for candidate in self.left(start.clone(), statement, denies) {
                    if candidate.who == start.who {
                        settled.push(self.with_a_witness(candidate, statement, denies));
                    } else {
                        let narrowed_by = candidate.narrowed_by;
                        next.push(Candidate { who: candidate.who, narrowed_by, ..start.clone() });
                    }
                }
            }
            narrowed = next;
        }
        settled.extend(narrowed.into_iter().map(|candidate| candidate.because(Why::TooMuchWork)));
        settled
    }

    /// Conditions that strangers meet one by one may have no stranger who meets them all, such as one without an ARN and in
    /// an organisation: everyone can only if somebody can.
    fn with_a_witness(
        &mut self,
        candidate: Candidate<'d>,
        statement: &Statement,
        denies: &[&Statement],
    ) -> Candidate<'d> {
        if candidate.who != Who::Everyone || candidate.certainty() != Certainty::Exact {
            return candidate;
        }
        let conditions = denies.iter().copied().chain([statement]).flat_map(|statement| &statement.conditions);
        let cost = conditions.map(|condition| COST_OF_CONDITION + condition.values.len()).sum();
        if !self.pays_for(cost) {
            return candidate.because(Why::TooMuchWork);
        }
        let passes = |stranger: &Stranger| {
            let known = Known::new(&stranger.caller, &stranger.facts);
            let holds = |statement: &Statement| conditions_hold(&statement.conditions, &self.document.version, &known);
            let denied = |deny: &&Statement| {
                principal_matches(deny, &stranger.caller, Attachment::Resource).truth.and(holds(deny)) == Truth::True
            };
            holds(statement) == Truth::True && !denies.iter().any(denied)
        };
        let found = strangers(self.facts, self.anonymous).iter().any(passes);
        if found { candidate } else { candidate.because(Why::Condition) }
    }

    /// What conditions and denials leave of a class, asked once.
    fn left(&mut self, start: Candidate<'d>, statement: &'d Statement, denies: &[&'d Statement]) -> Vec<Candidate<'d>> {
        let mut candidates = self.allowed(start, statement);
        for deny in denies {
            if self.comparisons_left == 0 {
                break;
            }
            candidates = candidates.into_iter().flat_map(|candidate| self.spared(candidate, deny)).collect();
        }
        // Statements that deny may have been left out.
        if self.comparisons_left == 0 {
            return candidates.into_iter().map(|candidate| candidate.because(Why::TooMuchWork)).collect();
        }
        candidates
    }

    /// What the conditions of the statement that allows leave of a class.
    fn allowed(&mut self, start: Candidate<'d>, statement: &'d Statement) -> Vec<Candidate<'d>> {
        // Whom a condition is about is asked first: the others are then asked of fewer.
        let (about_who, others): (Vec<&Condition>, Vec<&Condition>) =
            statement.conditions.iter().partition(|condition| keys::who_key(condition).is_some());
        let mut candidates = vec![start];
        for condition in about_who.into_iter().chain(others) {
            candidates =
                candidates.into_iter().flat_map(|candidate| self.meeting(candidate, condition, statement)).collect();
        }
        candidates.into_iter().filter_map(|candidate| self.not_excepted(candidate, statement)).collect()
    }

    /// What `NotPrincipal` of a statement that allows leaves of a class that conditions have narrowed.
    fn not_excepted(&mut self, candidate: Candidate<'d>, statement: &Statement) -> Option<Candidate<'d>> {
        let Listed::AllBut(names) = &statement.principal else { return Some(candidate) };
        let asking = self.as_caller(&candidate.who);
        let account = candidate.who.account();
        let by_account =
            names.iter().any(|name| matches!(name, Principal::Account(id) if Some(id.as_str()) == account));
        match principal_matches(statement, &asking.caller, Attachment::Resource).truth {
            Truth::False => None,
            Truth::True => Some(candidate),
            // There are others in the class.
            Truth::Unknown if !by_account && !matches!(candidate.who, Who::Principal(_) | Who::Service(_)) => {
                Some(candidate)
            }
            Truth::Unknown => Some(candidate.because(Why::NamedByNotPrincipal)),
        }
    }

    fn meeting(
        &mut self,
        candidate: Candidate<'d>,
        condition: &'d Condition,
        statement: &'d Statement,
    ) -> Vec<Candidate<'d>> {
        if !self.pays(condition.values.iter().map(String::as_str), &candidate.who) {
            return vec![candidate.because(Why::TooMuchWork)];
        }
        match self.effect(&candidate.who, condition, statement) {
            Outcome::Nobody => Vec::new(),
            Outcome::Some => vec![candidate],
            Outcome::Only(classes) => {
                let whole = keys::is_whole(condition);
                let narrowed = self.narrow(&candidate, &classes);
                let because =
                    |candidate: Candidate<'d>| if whole { candidate } else { candidate.because(Why::Condition) };
                let others = keys::reaches_over_colons(condition).then(|| candidate.because(Why::UnresolvedPrincipal));
                narrowed.into_iter().map(because).chain(others).collect()
            }
            Outcome::Request => {
                let mut candidate = candidate.because(reason(condition));
                candidate.pending.push(condition);
                vec![candidate]
            }
        }
    }

    fn narrow(&mut self, candidate: &Candidate<'d>, classes: &[Who]) -> Vec<Candidate<'d>> {
        let mut narrowed = Vec::new();
        for class in classes {
            if !self.pays_for(COST_OF_CLASS) {
                return vec![candidate.clone().because(Why::TooMuchWork)];
            }
            narrowed.extend(candidate.who.and(class).map(|common| candidate.narrowed(common)));
        }
        narrowed.dedup_by(|a, b| (&a.who, &a.why) == (&b.who, &b.why));
        narrowed
    }

    /// What a condition of a statement makes of a class.
    fn effect(&mut self, who: &Who, condition: &Condition, statement: &Statement) -> Outcome {
        let asking = self.as_caller(who);
        let known = &asking.known;
        let mut fact = known.fact(&condition.key);
        let key = key_of_class(who, condition);
        // Those of a class that lack the key are no matter, if another condition leaves them out.
        if key.is_some_and(|key| differs_in(who, key)) && self.others_want_key(condition, statement, known) {
            fact = fact.if_present();
        }
        match known.holds_with(condition, &self.document.version, &fact) {
            Truth::True => return Outcome::Some,
            Truth::False => return Outcome::Nobody,
            Truth::Unknown => {}
        }
        let Some(key) = key else { return Outcome::Request };
        let if_absent = known.holds_with(condition, &self.document.version, &Fact::absent());
        let if_present = known.holds_with(condition, &self.document.version, &fact.if_present());
        let differs = differs_in(who, key);
        // There are accounts without an organisation, and callers without an ARN, but perhaps none without an account.
        let some_lack_it = fact.may_be_absent && key != WhoKey::Account;
        if differs && (some_lack_it && if_absent == Truth::True || if_present == Truth::True) {
            return Outcome::Some;
        }
        let undecided = condition.operator.comparison.is_none_or(|comparison| comparison == Comparison::Null);
        match keys::named_by(condition) {
            // All but some of a class: there are others in it, unless they are all that it is.
            Some(classes) if condition.operator.negated && differs && !classes.contains(who) => Outcome::Some,
            Some(classes) if !condition.operator.negated && !undecided => Outcome::Only(classes),
            _ => Outcome::Request,
        }
    }

    /// Whether other conditions never hold for requests that lack the key: `Null` often stands beside `ForAllValues`.
    fn others_want_key(&self, of: &Condition, statement: &Statement, known: &Known<'_>) -> bool {
        statement.conditions.iter().any(|condition| {
            !std::ptr::eq(condition, of)
                && condition.key.eq_ignore_ascii_case(&of.key)
                && known.holds_with(condition, &self.document.version, &Fact::absent()) == Truth::False
        })
    }

    /// What a statement that denies leaves of a class.
    fn spared(&mut self, candidate: Candidate<'d>, deny: &'d Statement) -> Vec<Candidate<'d>> {
        let names = match &deny.principal {
            Listed::Only(names) | Listed::AllBut(names) => names.as_slice(),
            Listed::Absent | Listed::Unclear => return vec![candidate],
        };
        let values = deny.conditions.iter().flat_map(|condition| &condition.values).map(String::as_str);
        if !self.pays(names.iter().map(Principal::name).chain(values), &candidate.who) {
            return vec![candidate.because(Why::TooMuchWork)];
        }
        let asking = self.as_caller(&candidate.who);
        let denied = principal_matches(deny, &asking.caller, Attachment::Resource).truth;
        match (denied, &deny.principal) {
            (Truth::True, _) => self.spared_by_conditions(candidate, deny),
            (Truth::Unknown, Listed::Only(_)) if matches!(candidate.who, Who::Service(_)) => {
                self.spared_if_meant(candidate, deny)
            }
            // Some of the class are denied by name, the others are not.
            (Truth::False, _) | (Truth::Unknown, Listed::Only(_)) => vec![candidate],
            (Truth::Unknown, _) => self.spared_by_name(candidate, deny, names),
        }
    }

    /// A service that may be meant by a name, such as `{"AWS": "*"}`.
    fn spared_if_meant(&mut self, candidate: Candidate<'d>, deny: &'d Statement) -> Vec<Candidate<'d>> {
        let spared =
            deny.conditions.iter().any(|condition| matches!(self.sparing(&candidate.who, condition), Outcome::Some));
        vec![if spared { candidate } else { candidate.because(Why::UnresolvedPrincipal) }]
    }

    /// What `NotPrincipal` spares: the class, as far as it is named.
    fn spared_by_name(
        &mut self,
        candidate: Candidate<'d>,
        deny: &'d Statement,
        names: &[Principal],
    ) -> Vec<Candidate<'d>> {
        let candidate = candidate.because(Why::NamedByNotPrincipal);
        if !deny.conditions.is_empty() || matches!(candidate.who, Who::Principal(_) | Who::Service(_)) {
            return vec![candidate];
        }
        let classes: Vec<Who> = names.iter().filter_map(start).map(|candidate| candidate.who).collect();
        let narrowed = self.narrow(&candidate, &classes);
        narrowed.into_iter().map(|candidate| by(candidate, deny)).collect()
    }

    /// What the conditions of a statement that denies the class leave of it.
    fn spared_by_conditions(&mut self, candidate: Candidate<'d>, deny: &'d Statement) -> Vec<Candidate<'d>> {
        let mut spared = Vec::new();
        let (mut left_to_request, mut reaches_over_colons) = (false, false);
        for condition in &deny.conditions {
            match self.sparing(&candidate.who, condition) {
                // All of the class are denied, as far as this condition goes.
                Outcome::Nobody => {}
                Outcome::Some => return vec![candidate],
                Outcome::Only(classes) => {
                    spared.extend(classes);
                    reaches_over_colons |= keys::reaches_over_colons(condition);
                }
                Outcome::Request => left_to_request = true,
            }
        }
        if left_to_request {
            let mut candidate = candidate.because(Why::Deny);
            candidate.unless.push(deny.conditions.iter().collect());
            return vec![candidate];
        }
        spared.sort();
        spared.dedup();
        let narrowed = self.narrow(&candidate, &spared);
        let others = reaches_over_colons.then(|| candidate.because(Why::UnresolvedPrincipal));
        narrowed.into_iter().chain(others).map(|candidate| by(candidate, deny)).collect()
    }

    /// Whom of a class a condition of a Deny spares.
    fn sparing(&mut self, who: &Who, condition: &Condition) -> Outcome {
        let asking = self.as_caller(who);
        let known = &asking.known;
        match known.holds(condition, &self.document.version) {
            Truth::True => return Outcome::Nobody,
            Truth::False => return Outcome::Some,
            Truth::Unknown => {}
        }
        let Some(key) = key_of_class(who, condition) else { return Outcome::Request };
        let fact = known.fact(&condition.key);
        let if_absent = known.holds_with(condition, &self.document.version, &Fact::absent());
        let lacking_is_spared = fact.may_be_absent && if_absent != Truth::True;
        match keys::named_by(condition) {
            Some(classes) if condition.operator.negated && !lacking_is_spared && keys::is_whole(condition) => {
                Outcome::Only(classes)
            }
            // Some are named, the others are spared, unless those named are all that it is.
            Some(classes) if !condition.operator.negated && differs_in(who, key) && !classes.contains(who) => {
                Outcome::Some
            }
            _ => Outcome::Request,
        }
    }
}

fn by<'d>(mut candidate: Candidate<'d>, deny: &'d Statement) -> Candidate<'d> {
    // It is asked again for what it has left.
    if candidate.narrowed_by.iter().all(|other| other.index != deny.index) {
        candidate.narrowed_by.push(deny);
    }
    candidate
}

/// Someone whom no policy knows.
struct Stranger {
    caller: Caller,
    facts: Facts,
}

/// Strangers of each kind: without and with an organisation, and without a name.
fn strangers(facts: &Facts, anonymous: bool) -> Vec<Stranger> {
    let signed = |organisation: Fact| Stranger {
        caller: Caller::Principal("arn:aws:iam::000000000000:role/stranger".to_owned()),
        facts: facts.clone().with("aws:PrincipalOrgID", organisation),
    };
    let mut strangers = vec![signed(Fact::absent()), signed(Fact::known("o-stranger"))];
    if anonymous {
        let keys = ["aws:PrincipalArn", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:username"];
        let facts = keys.iter().fold(facts.clone(), |facts, key| facts.with(key, Fact::absent()));
        strangers.push(Stranger { caller: Caller::Everyone { anonymous }, facts });
    }
    strangers
}

/// What of a class a condition asks. What services have as accounts and ARNs is not known well enough to tell them apart.
fn key_of_class(who: &Who, condition: &Condition) -> Option<WhoKey> {
    keys::who_key(condition).filter(|key| !matches!(who, Who::Service(_)) || *key == WhoKey::Service)
}

/// Whether the members of a class differ in what a key says of them; of one principal it is one value, known or not.
fn differs_in(who: &Who, key: WhoKey) -> bool {
    match who {
        Who::Everyone => true,
        Who::Organisation(_) => !matches!(key, WhoKey::Organisation),
        Who::Account(_) | Who::Roles(_) => key == WhoKey::Arn,
        Who::Principal(_) | Who::Service(_) => false,
    }
}

/// Why a condition leaves a grant uncertain.
fn reason(condition: &Condition) -> Why {
    let variables = condition.values.iter().any(|value| value.contains("${"));
    if condition.operator.comparison.is_none() || condition.values.is_empty() || variables {
        Why::NotUnderstood
    } else if keys::is_encryption_context(condition) {
        Why::EncryptionContext
    } else if keys::is_known(condition) {
        Why::Condition
    } else {
        Why::UnknownConditionKey
    }
}

/// The classes that a statement names.
fn principals<'d>(statement: &Statement) -> Vec<Candidate<'d>> {
    match &statement.principal {
        Listed::Only(names) => {
            // Conditions that no person meets may leave the services of everyone.
            let services = names.iter().filter_map(|name| match name {
                Principal::Everyone => Some(Candidate::new(any_service(), [])),
                Principal::EveryoneInAws => Some(Candidate::new(any_service(), [Why::UnresolvedPrincipal])),
                _ => None,
            });
            names.iter().filter_map(start).chain(services).collect()
        }
        Listed::AllBut(_) => [Who::Everyone, any_service()].map(|who| Candidate::new(who, [Why::NotPrincipal])).into(),
        Listed::Absent | Listed::Unclear => vec![Candidate::new(Who::Everyone, [Why::NotUnderstood])],
    }
}

pub(super) fn any_service() -> Who {
    Who::Service("*".to_owned())
}

/// The class that one name stands for; `None` for nobody.
fn start<'d>(principal: &Principal) -> Option<Candidate<'d>> {
    let candidate =
        |who: fn(String) -> Who, name: &String, why: Option<Why>| Some(Candidate::new(who(name.clone()), why));
    match principal {
        Principal::Everyone | Principal::EveryoneInAws => Some(Candidate::new(Who::Everyone, [])),
        Principal::Account(id) => {
            let start = candidate(Who::Account, id, Some(Why::IamDecides))?;
            Some(Candidate { left_to: Some(id.clone()), ..start })
        }
        Principal::Arn(arn) => candidate(Who::Principal, arn, None),
        Principal::Wildcards(_) => None,
        Principal::UniqueId(id) => candidate(Who::Principal, id, Some(Why::DeadPrincipal)),
        Principal::Service(name) => candidate(Who::Service, name, None),
        Principal::Federated(name) | Principal::CanonicalUser(name) => {
            candidate(Who::Principal, name, Some(Why::UnresolvedPrincipal))
        }
        // It may be anyone.
        Principal::Unknown(_) => Some(Candidate::new(Who::Everyone, [Why::NotUnderstood])),
    }
}
