//! The checks: what a written standard demands, held against what is so now.
//!
//! Every conclusion names the observations that it rests on. What is certain beats what is unknown, and what is unknown is
//! never compliant.

mod account;
mod bucket;
mod crosscheck;
mod decrypt;
mod guardrail;
mod join;
mod key;
mod members;
mod request;
mod selectors;
mod trail;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::{SettingsPolicy, Severity, Verdict};
use crate::settings::facts::{AccountList, Name, Place};
use crate::settings::model::{Model, Trail};
use crate::settings::observations::{Clock, Mark, Now, Said};
use crate::timestamp::Timestamp;

pub(super) use decrypt::Decryptor;
pub(super) use trail::TrailLine;
pub(super) use words::{meaning, question};

/// One conclusion: a resource and a check.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) resource: String,
    pub(super) check: &'static str,
    pub(super) conclusion: Conclusion,
    /// The exception that covers it.
    pub(super) exception: Option<String>,
}

/// What was concluded, and from what.
#[derive(Clone, Debug)]
pub(super) struct Conclusion {
    pub(super) verdict: Verdict,
    /// Empty for what is compliant.
    pub(super) reason: &'static str,
    pub(super) expected: String,
    pub(super) actual: String,
    pub(super) basis: Basis,
}

/// The observations that a conclusion rests on.
#[derive(Clone, Debug, Default)]
pub(super) struct Basis {
    marks: BTreeSet<Mark>,
    /// Sources beside those.
    more: usize,
}

/// So many observations are named; copies of one trail can be thousands.
const MAX_MARKS: usize = 8;

impl Basis {
    pub(super) fn of<T>(now: &Now<'_, T>) -> Self {
        Self::default().and(now)
    }

    /// Of all that say what is so now; they are in order.
    pub(super) fn and<T>(mut self, now: &Now<'_, T>) -> Self {
        for mark in now.marks.iter().filter(|mark| mark.at == now.at || mark.at.is_none()) {
            if self.marks.len() < MAX_MARKS || self.marks.contains(mark) {
                self.marks.insert(*mark);
            } else {
                self.more += 1;
            }
        }
        self
    }

    pub(super) fn join(mut self, other: &Self) -> Self {
        for mark in &other.marks {
            if self.marks.len() < 2 * MAX_MARKS || self.marks.contains(mark) {
                self.marks.insert(*mark);
            } else {
                self.more += 1;
            }
        }
        self.more += other.more;
        self
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.marks.iter()
    }

    pub(super) fn more(&self) -> usize {
        self.more
    }
}

impl Conclusion {
    fn new(verdict: Verdict, reason: &'static str) -> Self {
        Self { verdict, reason, expected: String::new(), actual: String::new(), basis: Basis::default() }
    }

    fn compliant() -> Self {
        Self::new(Verdict::Compliant, "")
    }

    fn violation(reason: &'static str) -> Self {
        Self::new(Verdict::Violation, reason)
    }

    fn undetermined(reason: &'static str) -> Self {
        Self::new(Verdict::Undetermined, reason)
    }

    fn out_of_scope(reason: &'static str) -> Self {
        Self::new(Verdict::OutOfScope, reason)
    }

    /// Compliant, or a violation for this reason.
    fn holds(holds: bool, reason: &'static str) -> Self {
        if holds { Self::compliant() } else { Self::violation(reason) }
    }

    fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    fn actual(mut self, actual: impl Into<String>) -> Self {
        self.actual = actual.into();
        self
    }

    fn on(mut self, basis: &Basis) -> Self {
        self.basis = self.basis.join(basis);
        self
    }
}

/// The bad ones first, and of them the certain ones: a violation, then what is not known.
fn worst(conclusions: impl IntoIterator<Item = Conclusion>) -> Option<Conclusion> {
    let rank = |conclusion: &Conclusion| match conclusion.verdict {
        Verdict::Violation => 0,
        Verdict::Undetermined => 1,
        Verdict::Compliant => 2,
        Verdict::Excepted | Verdict::OutOfScope => 3,
    };
    let conclusions: Vec<Conclusion> = conclusions.into_iter().collect();
    let basis = conclusions.iter().fold(Basis::default(), |basis, conclusion| basis.join(&conclusion.basis));
    let texts = |of: fn(&Conclusion) -> &str| {
        let mut texts: Vec<&str> = conclusions.iter().map(of).filter(|text| !text.is_empty()).collect();
        texts.dedup();
        texts.join("; ")
    };
    let (expected, actual) = (texts(|conclusion| &conclusion.expected), texts(|conclusion| &conclusion.actual));
    let worst = conclusions.into_iter().min_by_key(rank)?;
    Some(match worst.verdict {
        Verdict::Compliant => Conclusion { basis, expected, actual, ..worst },
        _ => worst,
    })
}

/// What is checked, and with what.
pub(super) struct Judge<'m> {
    model: &'m Model,
    policy: &'m SettingsPolicy,
    clock: Clock,
    /// What is told of the accounts of organisations: asked again and again, for every account.
    lists: Vec<Now<'m, AccountList>>,
    /// Lists that say one thing, and the organisations that they are of: as their ARNs say, or whoever asked says of itself.
    organizations: Vec<(&'m AccountList, Option<&'m str>)>,
    ours: Ours<'m>,
}

/// Accounts that are of the organisation.
struct Ours<'m> {
    /// Those of lists that say one thing.
    listed: BTreeSet<&'m str>,
    /// When each list was told, between which moments, and what it says, if it says one thing.
    told: Vec<(Option<Timestamp>, Option<Timestamp>, Option<&'m AccountList>)>,
    lists: Lists,
    /// Those that something was exported of, refusals aside, or whose trails are shown.
    exported: BTreeSet<&'m str>,
    /// Those with trails of an organisation that another account manages, or may manage.
    no_managers: BTreeSet<&'m str>,
}

/// What lists of accounts there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    None,
    /// Some of them cannot be used.
    InPart,
    Whole,
}

/// All conclusions, and what else reports show.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) rows: Vec<Row>,
    pub(super) trails: Vec<TrailLine>,
    pub(super) decryptors: Vec<Decryptor>,
    /// The accounts that must be covered.
    pub(super) accounts: Vec<Name>,
    /// The Regions of each that must be covered.
    pub(super) regions: BTreeSet<String>,
    /// The accounts of which trails were exported.
    pub(super) exported: BTreeSet<Name>,
    /// What was asked in other places and not here: the call and the place.
    pub(super) not_asked: Vec<(&'static str, Place)>,
    /// The calls that were refused, and that nothing else answers.
    pub(super) refused: Vec<&'static str>,
}

impl<'m> Judge<'m> {
    pub(super) fn new(model: &'m Model, policy: &'m SettingsPolicy, clock: Clock) -> Self {
        let lists = model.organization.accounts.iter().map(|(asker, told)| (asker, told, told.now(&clock)));
        let lists: Vec<_> = lists.filter(|(.., now)| now.may_tell_since(None)).collect();
        let told: Vec<_> = lists.iter().map(|(_, told, now)| (now.at, now.until, told.only_known(now))).collect();
        let organizations = lists.iter().filter_map(|(asker, told, now)| {
            let list = told.only_known(now)?;
            let of_asker = || model.organization.descriptions.get(*asker)?.now(&clock).known();
            Some((list, list.organization.as_deref().or_else(|| Some(&*of_asker()?.id))))
        });
        let organizations = organizations.collect();
        let lists: Vec<_> = lists.into_iter().map(|(.., now)| now).collect();
        let known = told.iter().filter_map(|(.., list)| *list);
        let listed = known.flat_map(|list| list.accounts.keys()).map(String::as_str).collect();
        let is_whole = |now: &Now<'_, AccountList>| matches!(now.said, Said::Known(_) | Said::Absent);
        let state = match lists.as_slice() {
            [] => Lists::None,
            lists if lists.iter().all(is_whole) => Lists::Whole,
            _ => Lists::InPart,
        };
        let owners: BTreeSet<&str> = model.trails_now(&clock).map(|(arn, _)| places_of(arn).0).collect();
        let exported = model.exported_accounts().chain(owners.iter().copied()).collect();
        let is_organization = |trail: &Trail| trail.organization.now(&clock).known() == Some(&true);
        let of_organization = model.trails.iter().filter(|(_, trail)| is_organization(trail));
        let managers: BTreeSet<&str> = of_organization.map(|(arn, _)| places_of(arn).0).collect();
        let no_managers = managers.into_iter().filter(|id| model.may_not_manage(id, &clock)).collect();
        let ours = Ours { listed, told, lists: state, exported, no_managers };
        Self { model, policy, lists, organizations, ours, clock }
    }
}

impl Judge<'_> {
    /// Checks everything.
    pub(super) fn judge(&self) -> Judged {
        let mut judged = Judged::default();
        let trails = self.trails(&mut judged);
        let buckets: BTreeSet<Name> = trails.iter().map(|trail| trail.bucket.clone()).collect();
        let mut keys: BTreeSet<Name> = trails.into_iter().filter_map(|trail| trail.key).collect();
        for bucket in &buckets {
            keys.extend(self.bucket(bucket, &mut judged));
        }
        for key in &keys {
            self.key(key, &mut judged);
        }
        self.accounts(&mut judged);
        self.joins(&buckets, &keys, &mut judged);
        self.guardrails(&mut judged);
        self.crosscheck(&mut judged);
        self.everywhere(&mut judged);
        for row in &mut judged.rows {
            self.except(row);
        }
        let order = |row: &Row| (row.resource.clone(), row.check);
        judged.rows.sort_by_cached_key(order);
        judged.trails.sort_by(|one, other| one.arn.cmp(&other.arn));
        judged.decryptors.sort();
        judged.decryptors.dedup();
        judged
    }

    /// Adds a conclusion, unless the standard is about other checks only.
    fn push(&self, judged: &mut Judged, resource: Resource<'_>, check: &'static str, conclusion: Conclusion) {
        let is_judged = self.policy.only.as_ref().is_none_or(|only| only.matches(check.as_bytes()));
        let conclusion = match is_judged {
            true => conclusion,
            false => Conclusion { verdict: Verdict::OutOfScope, reason: "not_demanded", ..conclusion },
        };
        let Resource { account, region, name } = resource;
        judged.rows.push(Row {
            account: account.to_owned(),
            region: region.to_owned(),
            resource: name.to_owned(),
            check,
            conclusion,
            exception: None,
        });
    }

    fn except(&self, row: &mut Row) {
        if row.conclusion.verdict != Verdict::Violation {
            return;
        }
        let covers = |exception: &&crate::policy::SettingsException| {
            exception.checks.matches(row.check.as_bytes())
                && exception.resources.matches(row.resource.as_bytes())
                && self.clock.as_of < exception.expires
        };
        if let Some(exception) = self.policy.exceptions.iter().find(covers) {
            row.conclusion.verdict = Verdict::Excepted;
            row.exception = Some(exception.id.clone());
        }
    }

    /// What an alias of a place stands for, by ARN.
    fn resolve_alias(&self, place: &Place, alias: &str) -> Option<(String, Basis)> {
        let list = self.model.aliases.get(place).map(|aliases| aliases.now(&self.clock));
        // An alias that is missing in a part can be in another: what was told before need not be so any more.
        let said = |now: &Now<'_, BTreeMap<String, String>>| match now.said {
            Said::Known(aliases) | Said::Incomplete(aliases) => aliases.get(alias).cloned(),
            _ => None,
        };
        let listed = list
            .as_ref()
            .filter(|now| now.may_tell_since(None))
            .map(|now| (now.times(&self.clock), said(now), Basis::of(now)));
        let named = self.model.named_aliases.get(&(place.clone(), alias.to_owned())).map(|key| key.now(&self.clock));
        let named = named.as_ref().filter(|now| now.may_tell_since(None));
        let named = named.map(|now| (now.times(&self.clock), now.known().cloned(), Basis::of(now)));
        let told: Vec<_> = listed.into_iter().chain(named).collect();
        // The newest decides; those that may be it must agree, and what cannot be used says that nobody knows.
        let newest = told.iter().map(|((at, _), ..)| *at).max()?;
        let mut newest = told.into_iter().filter(|((_, until), ..)| *until >= newest);
        let (_, id, basis) = newest.next()?;
        let id = id.filter(|id| newest.all(|(_, other, _)| other.as_ref() == Some(id)));
        let partition = crate::settings::exports::partition_of(&place.region);
        let Place { account, region } = place;
        Some((format!("arn:{partition}:kms:{region}:{account}:key/{}", id?), basis))
    }

    /// Who must be asked for a place that is asked for elsewhere, too.
    fn everywhere(&self, judged: &mut Judged) {
        let empty = BTreeSet::new();
        let trails = self.model.asked.get("cloudtrail describe-trails").unwrap_or(&empty);
        for (call, places) in &self.model.asked {
            let places = trails.difference(places).filter(|place| !self.model.is_disabled(place, &self.clock));
            judged.not_asked.extend(places.map(|place| (*call, place.clone())));
        }
        let has_organization_trail = self
            .model
            .trails
            .values()
            .any(|trail| matches!(trail.organization.now(&self.clock).said, Said::Known(true)));
        if has_organization_trail && self.model.organization.descriptions.is_empty() {
            let place = Place { account: "".into(), region: "".into() };
            judged.not_asked.push(("organizations describe-organization", place));
        }
        judged.not_asked.sort();
        judged.refused.extend(self.model.unanswered(&self.clock).map(|(call, ..)| *call));
    }
}

/// What a row is about.
#[derive(Clone, Copy)]
struct Resource<'r> {
    account: &'r str,
    region: &'r str,
    name: &'r str,
}

/// The account and Region in an ARN.
fn places_of(arn: &str) -> (&str, &str) {
    let mut parts = arn.split(':').skip(3);
    let region = parts.next().unwrap_or_default();
    (parts.next().unwrap_or_default(), region)
}

/// How bad a violation of a check is.
pub(super) fn severity(check: &str) -> Severity {
    match check {
        "bucket.public" => Severity::Critical,
        "trail.kms" | "trail.key_usable" | "key.state" | "trail.key_encrypt" | "trail.bucket_write"
        | "trail.logging" | "account.covered" | "account.list_known" | "key.decrypt_scope" | "trail.key_region"
        | "trail.destination" => Severity::High,
        "trail.validation" | "trail.cloudwatch_logs" | "bucket.access_logging" | "key.tags" => Severity::Low,
        _ if check.starts_with("crosscheck.") => Severity::Informational,
        _ => Severity::Medium,
    }
}

/// Values by what they are called, for reports.
pub(super) fn counted<K: Ord>(items: impl IntoIterator<Item = K>) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}
