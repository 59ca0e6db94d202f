//! Everything that the exports say, by resource.

use std::collections::{BTreeMap, BTreeSet};

use super::existence::{before, home_of};
use super::exports::{Asked, ExportFault, ReadFile, partition_of};
use super::facts::{
    AccountFact, AccountList, BucketFact, DefaultEncryption, Fact, Finding, Identities, KeyFact, KeyGrant, KeyMetadata,
    Name, OrganizationDescription, OrganizationFact, OrganizationPolicy, Ownership, Place, PolicyType,
    PublicAccessBlock, Selectors, TrailFact, TrailSettings, TrailStatus, Versioning,
};
use super::observations::{Answer, Clock, Mark, Now, Observations, Said, SourceId, Why};
use crate::json;
use crate::timestamp::Timestamp;

/// A file that said something.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its path as it was given, escaped.
    pub(super) path: String,
    pub(super) sha256: String,
    pub(super) kind: &'static str,
    pub(super) at: Option<Timestamp>,
    pub(super) observations: u64,
}

/// What an audit says of the objects.
#[derive(Clone, Debug)]
pub(super) struct Audited {
    pub(super) sha256: String,
    /// The buckets that it looked at, and when their inventories were made.
    pub(super) buckets: BTreeMap<String, Option<Timestamp>>,
    /// How many objects are under each key.
    pub(super) keys: BTreeMap<String, u64>,
    /// The newest month in which something was delivered.
    pub(super) delivered: Delivered,
    /// Whether the key of every object that has one is known.
    pub(super) knows_keys: bool,
    /// Whether everything was examined.
    pub(super) is_whole: bool,
}

/// The newest month in which CloudTrail delivered something, as far as keys and last-modified tell.
#[derive(Clone, Debug)]
pub(super) enum Delivered {
    /// For each account and Region.
    ByRegion(BTreeMap<(String, String), String>),
    /// For each account, and whatever its objects are: the audit did not tell kinds and Regions apart.
    ByAccount(BTreeMap<String, String>),
}

/// A fault of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SourceFault {
    pub(super) path: String,
    pub(super) fault: ExportFault,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    pub(super) settings: Observations<TrailSettings>,
    pub(super) organization: Observations<bool>,
    /// Each Region has its own, and accounts may see another.
    pub(super) status: BTreeMap<Place, Observations<TrailStatus>>,
    pub(super) selectors: Observations<Selectors>,
    /// The accounts and Regions that show it.
    pub(super) seen_in: BTreeSet<Place>,
    /// When it was not there, as who asked for it was told.
    pub(super) gone: BTreeSet<Mark>,
    /// When it was not there for sure: its home listed it not, or AWS Config recorded that.
    pub(super) deleted: BTreeSet<Mark>,
    /// When a place was told that it has it no more.
    pub(super) unseen: BTreeMap<Place, Times>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Bucket {
    /// Who may own it: each sign of that, and when it was seen.
    pub(super) owners: BTreeMap<Name, Signs>,
    /// When it was not there.
    pub(super) gone: BTreeSet<Mark>,
    /// The id by which S3 knows its owner.
    pub(super) canonical_owner: Observations<String>,
    pub(super) region: Observations<String>,
    pub(super) encryption: Observations<DefaultEncryption>,
    pub(super) policy: Observations<String>,
    pub(super) policy_status: Observations<bool>,
    pub(super) versioning: Observations<Versioning>,
    pub(super) public_access_block: Observations<PublicAccessBlock>,
    pub(super) acl: Observations<BTreeSet<(String, String)>>,
    pub(super) object_ownership: Observations<String>,
    pub(super) logging: Observations<String>,
    pub(super) object_lock: Observations<Option<String>>,
    pub(super) requester_pays: Observations<bool>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Key {
    pub(super) metadata: Observations<KeyMetadata>,
    pub(super) policy: Observations<String>,
    pub(super) rotation: Observations<bool>,
    /// In days.
    pub(super) rotation_period: Observations<u32>,
    pub(super) grants: Observations<BTreeSet<KeyGrant>>,
    pub(super) tags: Observations<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) regions: Observations<BTreeMap<String, bool>>,
    pub(super) enabled_regions: Observations<BTreeMap<String, bool>>,
    pub(super) public_access_block: Observations<PublicAccessBlock>,
    pub(super) buckets: Observations<BTreeSet<Name>>,
    /// The id by which S3 knows it.
    canonical_id: Observations<String>,
    pub(super) identities: Observations<Identities>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Organization {
    /// By the account that asked: exports of several organisations can be looked at together.
    pub(super) accounts: BTreeMap<Name, Observations<AccountList>>,
    /// The same.
    pub(super) descriptions: BTreeMap<Name, Observations<OrganizationDescription>>,
    /// By the account that asked, and the type.
    pub(super) policies: BTreeMap<(Name, PolicyType), Observations<BTreeSet<String>>>,
    pub(super) texts: BTreeMap<String, Observations<OrganizationPolicy>>,
    /// The types of policies in force, by the account that asked.
    pub(super) enabled_types: BTreeMap<Name, Observations<BTreeMap<PolicyType, bool>>>,
    pub(super) targets: BTreeMap<String, Observations<BTreeSet<String>>>,
    pub(super) parents: BTreeMap<String, Observations<BTreeSet<String>>>,
}

/// Signs that a bucket is an account's, each with the first and the last moment at which it may have been one.
pub(super) type Signs = BTreeSet<(Option<Timestamp>, Ownership, Option<Timestamp>)>;

/// A policy as all sources write it that tell the same: they differ in blanks, and in the order of members.
fn one_form(policy: String) -> String {
    match json::parse(policy.as_bytes()) {
        Ok(value @ serde_json::Value::Object(_)) => value.to_string(),
        _ => policy,
    }
}

/// Times in order, of which nothing is one that is not known. There are tens of thousands of them, of one time mostly.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Option<Timestamp>>);

impl Times {
    fn insert(&mut self, at: Option<Timestamp>) {
        let Err(place) = self.0.binary_search(&at) else { return };
        self.0.reserve_exact(1);
        self.0.insert(place, at);
    }

    fn iter(&self) -> std::slice::Iter<'_, Option<Timestamp>> {
        self.0.iter()
    }
}

impl<'t> IntoIterator for &'t Times {
    type Item = &'t Option<Timestamp>;
    type IntoIter = std::slice::Iter<'t, Option<Timestamp>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What is said of the organisation of an account.
enum Described<'m> {
    /// Nobody says anything.
    Nowhere,
    /// It is told, and cannot be used, or not all say the same.
    Unclear,
    /// When, and what.
    As(Timestamp, &'m OrganizationDescription),
}

/// What all exports say.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) sources: Vec<Source>,
    pub(super) trails: BTreeMap<Name, Trail>,
    /// What each account sees in each Region.
    pub(super) seen: BTreeMap<Place, Observations<BTreeSet<Name>>>,
    pub(super) buckets: BTreeMap<Name, Bucket>,
    pub(super) keys: BTreeMap<Name, Key>,
    pub(super) aliases: BTreeMap<Place, Observations<BTreeMap<String, String>>>,
    /// What one alias stands for, by the answers to calls that named it.
    pub(super) named_aliases: BTreeMap<(Place, String), Observations<String>>,
    pub(super) accounts: BTreeMap<Name, Account>,
    pub(super) organization: Organization,
    pub(super) findings: BTreeSet<Finding>,
    /// What was asked in each place, for what is asked everywhere.
    pub(super) asked: BTreeMap<&'static str, BTreeSet<Place>>,
    /// The calls that were answered, and when.
    pub(super) answered: BTreeMap<Asked, Times>,
    /// When anything was answered in a place.
    answered_in: BTreeMap<Place, Times>,
    /// When anything else was told of a place that there is in enabled Regions only.
    used_in: BTreeMap<Place, Times>,
    /// The calls that were refused, and when.
    pub(super) refused: BTreeMap<Asked, Times>,
    pub(super) faults: Vec<SourceFault>,
    pub(super) audited: Option<Audited>,
}

impl Model {
    /// Takes what a file says.
    pub(super) fn take(&mut self, path: String, file: ReadFile) {
        let source = SourceId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        self.faults.extend(file.faults.into_iter().map(|fault| SourceFault { path: path.clone(), fault }));
        self.sources.push(Source {
            path,
            sha256: file.sha256,
            kind: file.kind.as_str(),
            at: file.at,
            observations: file.facts.len() as u64,
        });
        for (place, call) in file.asked {
            self.asked.entry(call).or_default().insert(place);
        }
        // What has no time of its own has that of its export.
        let mark = |at: Option<Timestamp>| {
            let times = file.times.filter(|times| at == Some(times.started));
            Mark { at, source, lasted: times.map_or(0, |times| times.lasted) }
        };
        for (asked, at) in file.answered {
            let place = self.answered_in.entry(asked.1.clone()).or_default();
            // The last moment at which it may have been answered.
            place.insert(mark(at).until());
            self.answered.entry(asked).or_default().insert(at);
        }
        for (place, at) in file.reached {
            // At one time, the list of Regions is believed.
            self.used_in.entry(place).or_default().insert(before(Mark { at, ..Mark::default() }).at);
        }
        for (asked, at) in file.refused {
            self.refused.entry(asked).or_default().insert(at);
        }
        for (at, fact) in file.facts {
            self.fact(fact, mark(at));
        }
    }

    /// Takes what an audit says of the objects.
    pub(super) fn take_audit(&mut self, path: String, audited: Audited) {
        self.sources.push(Source {
            path,
            sha256: audited.sha256.clone(),
            kind: "audit",
            at: audited.buckets.values().flatten().max().copied(),
            observations: (audited.buckets.len() + audited.keys.len()) as u64,
        });
        self.audited = Some(audited);
    }

    fn fact(&mut self, fact: Fact, mark: Mark) {
        match fact {
            Fact::Trails(place, answer) => self.seen.entry(place).or_default().add(answer, mark),
            Fact::Trail(arn, place, fact) => {
                if let (Some(place), TrailFact::Settings(Answer::Known(_))) = (&place, &fact) {
                    self.used_in.entry(place.clone()).or_default().insert(mark.until());
                }
                let trail = self.trails.entry(arn).or_default();
                trail.seen_in.extend(place);
                trail.take(fact, mark);
            }
            Fact::Bucket(name, fact) => self.buckets.entry(name).or_default().take(fact, mark),
            Fact::Key(arn, fact) => {
                if matches!(fact, KeyFact::Metadata(Answer::Known(_))) {
                    self.used_in.entry(home_of(&arn)).or_default().insert(mark.until());
                }
                self.keys.entry(arn).or_default().take(fact, mark);
            }
            Fact::Aliases(place, answer) => self.aliases.entry(place).or_default().add(answer, mark),
            Fact::Alias(place, alias, answer) => {
                self.named_aliases.entry((place, alias)).or_default().add(answer, mark);
            }
            Fact::Account(id, fact) => self.accounts.entry(id).or_default().take(fact, mark),
            Fact::Organization(fact) => self.organization.take(fact, mark),
            Fact::Finding(finding) => drop(self.findings.insert(finding)),
        }
    }

    /// The trails that are there now. A trail is gone when where it was seen nobody sees it any more.
    pub(super) fn trails_now(&self, clock: &Clock) -> impl Iterator<Item = (&Name, &Trail)> {
        self.trails.iter().filter(|(arn, trail)| !self.is_gone(arn, trail, clock))
    }

    /// Whose bucket it is, unless the account's own list lacks it.
    pub(super) fn owner(&self, bucket: &str, clock: &Clock) -> Option<&Name> {
        let found = self.buckets.get(bucket)?;
        // Whose own list lacks it may only look at it, unless it is proven since to own it.
        let lists_it = |account: &Name| {
            let Some(list) = self.accounts.get(account).map(|account| account.buckets.now(clock)) else { return true };
            let proven =
                found.owners.get(account).into_iter().flatten().filter(|(_, how, _)| *how == Ownership::Proven);
            let proven = proven.map(|(at, ..)| clock.time_of(*at)).max();
            list.known().is_none_or(|names| names.contains(bucket)) || proven > list.at
        };
        let owner = found.newest_owner(clock, lists_it)?;
        if let Some(id) = found.canonical_owner.now(clock).known() {
            // An account has one id for ever.
            let mut others = self.accounts.iter().filter(|(account, _)| *account != owner);
            let is_of_another = others.any(|(_, account)| account.canonical_id.values().any(|known| known == id));
            let own = self.accounts.get(owner).map(|account| &account.canonical_id);
            let is_not_own = own.is_some_and(|own| !own.is_empty() && !own.values().any(|known| known == id));
            if is_of_another || is_not_own {
                return None;
            }
        }
        let Some(account) = self.accounts.get(owner) else { return Some(owner) };
        match account.buckets.now(clock).if_said("") {
            Ok(_) => Some(owner),
            Err(_) => None,
        }
    }

    /// The Regions of an account, and whether each is enabled.
    pub(super) fn regions(&self, id: &str, clock: &Clock) -> Option<Now<'_, BTreeMap<String, bool>>> {
        let account = self.accounts.get(id)?;
        let (all, enabled) = (account.regions.now(clock), account.enabled_regions.now(clock));
        let Some(known) = all.known() else {
            let is_missing = |(region, is_enabled): (&String, &bool)| {
                *is_enabled && enabled.known().is_some_and(|known| known.get(region) != Some(&true))
            };
            let is_unclear = match all.said {
                Said::Incomplete(part) => part.iter().any(is_missing),
                Said::Unknown(_) => true,
                _ => false,
            };
            return Some(match is_unclear && all.may_tell_since(enabled.at) {
                true => Now { said: Said::Unknown(Why::Disagree), ..all },
                false => enabled,
            });
        };
        let is_more = |(region, is_enabled): (&String, &bool)| *is_enabled && known.get(region) != Some(&true);
        let shows_more = match enabled.said {
            Said::Known(shown) | Said::Incomplete(shown) => enabled.until >= all.at && shown.iter().any(is_more),
            _ => false,
        };
        let is_unclear = enabled.may_tell_since(all.at) && matches!(enabled.said, Said::Unknown(_));
        Some(match shows_more {
            true if enabled.at > all.until => enabled,
            true => Now { said: Said::Unknown(Why::Disagree), ..enabled },
            false if is_unclear => enabled,
            false => all,
        })
    }

    /// Whether there is nothing to be asked in a place, as its Region is not enabled.
    pub(super) fn is_disabled(&self, place: &Place, clock: &Clock) -> bool {
        let Some(regions) = self.regions(&place.account, clock) else { return false };
        regions.known().and_then(|known| known.get(&*place.region)) == Some(&false)
            && !self.is_used_since(place, regions.at, clock)
    }

    /// Whether a Region of an account was used not before a time, or perhaps: then it is enabled.
    pub(super) fn is_used_since(&self, place: &Place, since: Option<Timestamp>, clock: &Clock) -> bool {
        let mut times = [&self.answered_in, &self.used_in].into_iter().filter_map(|used| used.get(place)).flatten();
        times.any(|at| Some(clock.time_of(*at)) >= since)
    }

    /// Whether an account answered anything not before a time, or perhaps.
    pub(super) fn answers_since(&self, id: &str, since: Option<Timestamp>, clock: &Clock) -> bool {
        let places = self.answered_in.range(Place::before_all_of(id.into())..);
        let mut times = places.take_while(|(place, _)| &*place.account == id).flat_map(|(_, times)| times);
        times.any(|at| Some(clock.time_of(*at)) >= since)
    }

    /// The Regions of an account that were used not before a time.
    pub(super) fn used_regions<'m>(
        &'m self,
        id: &'m str,
        since: Option<Timestamp>,
        clock: &'m Clock,
    ) -> impl Iterator<Item = &'m Name> {
        let of_it = |used: &'m BTreeMap<Place, Times>| {
            let places = used.range(Place::before_all_of(id.into())..).map(|(place, _)| place);
            places.take_while(move |place| &*place.account == id)
        };
        let places = of_it(&self.answered_in).chain(of_it(&self.used_in));
        places.filter(move |place| self.is_used_since(place, since, clock)).map(|place| &place.region)
    }

    /// Whether an account is in a whole list of those of an organisation.
    pub(super) fn is_listed(&self, id: &str, clock: &Clock) -> bool {
        let mut lists = self.organization.accounts.values().filter_map(|accounts| accounts.now(clock).known());
        lists.any(|list| list.accounts.contains_key(id))
    }

    /// The calls that were refused, and not answered since, of those that can be answered.
    pub(super) fn unanswered<'m>(&'m self, clock: &'m Clock) -> impl Iterator<Item = &'m Asked> {
        // An answer of a time that has not come is none of now.
        let has_come = |at: &&Option<Timestamp>| at.is_none_or(|at| clock.has_come(at));
        let newest = move |asked: &Asked| self.answered.get(asked)?.iter().rfind(has_come);
        let stands = move |(asked, times): &(&Asked, &Times)| match newest(asked) {
            None => true,
            // What has no time can be newer.
            Some(answered) => times.iter().any(|at| answered < at || (at.is_none() && answered.is_some())),
        };
        // A member may not list the accounts, and need not where its management account did.
        let is_needed = |(call, place, _): &&Asked| {
            let is_told = *call == "organizations list-accounts" && self.is_listed(&place.account, clock);
            !is_told && !self.is_disabled(place, clock)
        };
        self.refused.iter().filter(stands).map(|(asked, _)| asked).filter(is_needed)
    }

    /// Whether its owner, asked at the same time as others that show it, does not list a trail.
    pub(super) fn is_contradicted(&self, arn: &Name, trail: &Trail, clock: &Clock) -> bool {
        let Some(now) = self.seen.get(&home_of(arn)).map(|seen| seen.now(clock)) else { return false };
        match now.said {
            Said::Known(arns) => now.until >= trail.settings.newest(clock) && !arns.contains(arn),
            Said::Unknown(Why::Undated | Why::Disagree) => true,
            _ => false,
        }
    }

    /// The description of the organisation of an account: the newest of those that its own members told. Where two say that it is
    /// in different organisations, only its own newest word counts.
    fn description(&self, id: &str, clock: &Clock) -> Described<'_> {
        let is_about = |asker: &Name, description: Option<&OrganizationDescription>| {
            let list = self.organization.accounts.get(asker).and_then(|accounts| accounts.now(clock).known());
            &**asker == id
                || description.is_some_and(|description| description.management == id)
                || list.is_some_and(|list| list.accounts.contains_key(id))
        };
        let told = self.organization.descriptions.iter().filter_map(|(asker, description)| {
            let now = description.now(clock);
            let is_own = &**asker == id;
            // That another account is in no organisation says nothing of this one.
            let counts =
                is_about(asker, now.known()) && now.may_tell_since(None) && (is_own || now.said != Said::Absent);
            counts.then_some((clock.time_of(now.at), is_own, now.known()))
        });
        let told: Vec<_> = told.collect();
        let Some((at, is_own, newest)) = told.iter().max_by_key(|(at, is_own, _)| (*at, *is_own)).copied() else {
            return Described::Nowhere;
        };
        let agrees = told.iter().all(|(_, _, other)| *other == newest);
        let is_newer = told.iter().all(|(other_at, _, other)| *other == newest || *other_at < at);
        match newest {
            Some(newest) if agrees || (is_own && is_newer) => Described::As(at, newest),
            _ => Described::Unclear,
        }
    }

    /// The id of the organisation of an account, from whatever says it of that account.
    pub(super) fn organization_id(&self, owner: &str, clock: &Clock) -> Option<&str> {
        match self.description(owner, clock) {
            Described::As(_, description) => Some(&description.id),
            Described::Unclear => None,
            Described::Nowhere => self.listed_organization(owner, clock),
        }
    }

    /// The accounts that answered anything, or of which it is told which trails show there.
    pub(super) fn exported_accounts(&self) -> impl Iterator<Item = &str> {
        let told = self.seen.iter().filter(|(_, seen)| seen.known().next().is_some());
        self.answered_in.keys().chain(told.map(|(place, _)| place)).map(|place| &*place.account)
    }

    /// The same from the ARNs of the newest list of its accounts.
    fn listed_organization(&self, owner: &str, clock: &Clock) -> Option<&str> {
        let lists = self.organization.accounts.values().filter_map(|accounts| {
            let now = accounts.now(clock);
            match now.said {
                Said::Known(list) | Said::Incomplete(list) if list.accounts.contains_key(owner) => {
                    Some((clock.time_of(now.at), list.organization.as_deref()?))
                }
                _ => None,
            }
        });
        let lists: Vec<_> = lists.collect();
        let newest = lists.iter().map(|(at, _)| *at).max()?;
        let mut ids = lists.iter().filter(|(at, _)| *at == newest).map(|(_, id)| *id);
        let id = ids.next()?;
        ids.all(|other| other == id).then_some(id)
    }

    /// Whether an account manages its organisation, if that is known.
    pub(super) fn is_management(&self, id: &str, clock: &Clock) -> Option<bool> {
        let Described::As(at, description) = self.description(id, clock) else { return None };
        let is_of_it = |asker: &Name, listed: Option<&str>| {
            let own = self.organization.descriptions.get(asker).and_then(|description| description.now(clock).known());
            own.map(|own| own.id.as_str()).or(listed) == Some(&description.id)
        };
        // What it managed once is not what it is, once it is in the list of another organisation.
        let is_listed_since =
            self.organization.accounts.iter().filter(|(asker, _)| &***asker != id).any(|(asker, accounts)| {
                let now = accounts.now(clock);
                now.at > Some(at)
                    && now.known().is_some_and(|list| {
                        list.accounts.contains_key(id) && !is_of_it(asker, list.organization.as_deref())
                    })
            });
        let manages = description.management == id;
        let is_open = (manages && is_listed_since) || self.has_another_management(description, clock);
        (!is_open).then_some(manages)
    }

    /// Whether somebody says that another account manages the organisation of this one, or so that nobody can tell.
    pub(super) fn may_not_manage(&self, id: &str, clock: &Clock) -> bool {
        !matches!(self.description(id, clock), Described::Nowhere) && self.is_management(id, clock) != Some(true)
    }

    /// Whether somebody names another account that manages an organisation, which never changes.
    fn has_another_management(&self, description: &OrganizationDescription, clock: &Clock) -> bool {
        let OrganizationDescription { id, management, .. } = description;
        let mut described = self.organization.descriptions.values().filter_map(|other| other.now(clock).known());
        let mut listed = self.organization.accounts.values().filter_map(|list| list.now(clock).known());
        described.any(|other| other.id == *id && other.management != *management)
            || listed.any(|list| {
                list.organization.as_ref() == Some(id)
                    && list.management.as_ref().is_some_and(|named| named != management)
            })
    }

    /// The account that manages the organisation, if there is one only.
    pub(super) fn management(&self, clock: &Clock) -> Option<&str> {
        let known = self.organization.descriptions.values().filter_map(|description| description.now(clock).known());
        let ids: BTreeSet<&str> = known.map(|description| description.management.as_str()).collect();
        ids.first().copied().filter(|_| ids.len() == 1)
    }

    /// The partition of an account, by the Regions that were asked in it.
    pub(super) fn partition(&self, id: &str) -> &'static str {
        let first = Place { account: id.into(), region: "".into() };
        let place = self.seen.range(first..).map(|(place, _)| place).next().filter(|place| &*place.account == id);
        partition_of(place.map_or("", |place| &place.region))
    }

    /// Puts all marks into an order that does not depend on that of the exports.
    pub(super) fn sort(&mut self) {
        self.trails.values_mut().for_each(Trail::sort);
        self.seen.values_mut().for_each(Observations::sort);
        self.buckets.values_mut().for_each(Bucket::sort);
        self.keys.values_mut().for_each(Key::sort);
        self.aliases.values_mut().for_each(Observations::sort);
        self.named_aliases.values_mut().for_each(Observations::sort);
        self.accounts.values_mut().for_each(Account::sort);
        self.organization.sort();
        self.faults.sort();
    }
}

impl Trail {
    /// The place of its status: its owner in its Region, or else whoever saw it there last.
    pub(super) fn home(&self, arn: &str, clock: &Clock) -> Option<&Place> {
        let mut parts = arn.split(':').skip(3);
        let (region, owner) = (parts.next()?, parts.next()?);
        let there = || self.status.iter().filter(|(place, _)| &*place.region == region);
        let of_owner = there().find(|(place, _)| &*place.account == owner);
        of_owner.or_else(|| there().max_by_key(|(_, status)| status.newest(clock))).map(|(place, _)| place)
    }

    /// The status in the Region of the trail.
    pub(super) fn home_status(&self, arn: &str, clock: &Clock) -> Option<&Observations<TrailStatus>> {
        self.status.get(self.home(arn, clock)?)
    }

    /// What other Regions say, and other accounts since.
    pub(super) fn other_status(&self, arn: &str, clock: &Clock) -> impl Iterator<Item = &Observations<TrailStatus>> {
        let home = self.home(arn, clock).and_then(|home| Some((home, self.status.get(home)?.newest(clock))));
        let is_other = move |(place, status): &(&Place, &Observations<TrailStatus>)| match home {
            Some((home, _)) if *place == home => false,
            Some((home, at)) => place.region != home.region || status.newest_until(clock) >= at,
            None => true,
        };
        self.status.iter().filter(is_other).map(|(_, status)| status)
    }

    fn take(&mut self, fact: TrailFact, mark: Mark) {
        match fact {
            TrailFact::Settings(answer) => self.settings.add(answer, mark),
            TrailFact::Organization(answer) => self.organization.add(answer, mark),
            TrailFact::Status(place, answer) => self.status.entry(place).or_default().add(answer, mark),
            TrailFact::Selectors(answer) => self.selectors.add(answer, mark),
            TrailFact::Gone => drop(self.gone.insert(mark)),
            TrailFact::Deleted => drop(self.deleted.insert(mark)),
            TrailFact::Unseen(place) => self.unseen.entry(place).or_default().insert(mark.at),
        }
    }

    fn sort(&mut self) {
        self.settings.sort();
        self.organization.sort();
        self.status.values_mut().for_each(Observations::sort);
        self.selectors.sort();
    }
}

impl Bucket {
    fn take(&mut self, fact: BucketFact, mark: Mark) {
        match fact {
            BucketFact::Owner(account, how) => {
                self.owners.entry(account).or_default().insert((mark.at, how, mark.until()));
            }
            BucketFact::Gone => drop(self.gone.insert(mark)),
            BucketFact::CreatedAt(at) => drop(self.gone.insert(before(Mark { at: Some(at), lasted: 0, ..mark }))),
            BucketFact::Region(answer) => self.region.add(answer, mark),
            BucketFact::Encryption(answer) => self.encryption.add(answer, mark),
            BucketFact::Policy(answer) => self.policy.add(answer.map(one_form), mark),
            BucketFact::PolicyStatus(answer) => self.policy_status.add(answer, mark),
            BucketFact::Versioning(answer) => self.versioning.add(answer, mark),
            BucketFact::PublicAccessBlock(answer) => self.public_access_block.add(answer, mark),
            BucketFact::Acl(answer) => self.acl.add(answer, mark),
            BucketFact::CanonicalOwner(answer) => self.canonical_owner.add(answer, mark),
            BucketFact::ObjectOwnership(answer) => self.object_ownership.add(answer, mark),
            BucketFact::Logging(answer) => self.logging.add(answer, mark),
            BucketFact::ObjectLock(answer) => self.object_lock.add(answer, mark),
            BucketFact::RequesterPays(answer) => self.requester_pays.add(answer, mark),
        }
    }

    /// The account whose it was for sure last, or that could ask last, of those that can own it; nobody if it may be gone since,
    /// or if the sign of another may be as new.
    fn newest_owner(&self, clock: &Clock, can_own: impl Fn(&Name) -> bool) -> Option<&Name> {
        let newest = |signs: &Signs, least: Ownership| {
            let signs = signs.iter().filter(|(_, how, _)| *how >= least);
            signs.map(|(at, how, until)| (clock.time_of(*at), *how, clock.time_of(*until))).max()
        };
        let signs: Vec<_> = self.owners.iter().filter(|(account, _)| can_own(account)).collect();
        let of = |least| signs.iter().filter_map(move |(account, signs)| Some((newest(signs, least)?, *account)));
        let (last, owner) = of(Ownership::Asked).max()?;
        let is_gone = self.gone.iter().any(|mark| clock.time_of(mark.at) >= last.0);
        let is_sure = match of(Ownership::Proven).find(|(_, account)| *account == owner) {
            // Without a time, a sign may be older than those of others.
            Some(((Timestamp::MAX, ..), _)) => signs.len() == 1,
            Some((at, _)) => {
                let mut others = of(Ownership::Proven).filter(|(_, account)| *account != owner);
                others.all(|(other, _)| other.2 < at.0)
            }
            // Others may be allowed to ask.
            None => signs.len() == 1,
        };
        (is_sure && !is_gone).then_some(owner)
    }

    fn sort(&mut self) {
        self.region.sort();
        self.encryption.sort();
        self.policy.sort();
        self.policy_status.sort();
        self.versioning.sort();
        self.public_access_block.sort();
        self.acl.sort();
        self.canonical_owner.sort();
        self.object_ownership.sort();
        self.logging.sort();
        self.object_lock.sort();
        self.requester_pays.sort();
    }
}

impl Key {
    fn take(&mut self, fact: KeyFact, mark: Mark) {
        match fact {
            KeyFact::Metadata(answer) => self.metadata.add(answer, mark),
            KeyFact::Policy(answer) => self.policy.add(answer.map(one_form), mark),
            KeyFact::Rotation(answer) => self.rotation.add(answer, mark),
            KeyFact::RotationPeriod(answer) => self.rotation_period.add(answer, mark),
            KeyFact::Grants(answer) => self.grants.add(answer, mark),
            KeyFact::Tags(answer) => self.tags.add(answer, mark),
        }
    }

    fn sort(&mut self) {
        self.metadata.sort();
        self.policy.sort();
        self.rotation.sort();
        self.rotation_period.sort();
        self.grants.sort();
        self.tags.sort();
    }
}

impl Account {
    fn take(&mut self, fact: AccountFact, mark: Mark) {
        match fact {
            AccountFact::Regions(answer) => self.regions.add(answer, mark),
            AccountFact::EnabledRegions(answer) => self.enabled_regions.add(answer, mark),
            AccountFact::PublicAccessBlock(answer) => self.public_access_block.add(answer, mark),
            AccountFact::Buckets(answer) => self.buckets.add(answer, mark),
            AccountFact::CanonicalId(answer) => self.canonical_id.add(answer, mark),
            AccountFact::Iam(answer) => self.identities.add(answer, mark),
        }
    }

    fn sort(&mut self) {
        self.regions.sort();
        self.enabled_regions.sort();
        self.public_access_block.sort();
        self.buckets.sort();
        self.canonical_id.sort();
        self.identities.sort();
    }
}

impl Organization {
    /// Attaches a service control policy to an account.
    pub(super) fn attach(&mut self, account: &str, text: &str, mark: Mark, clock: &Clock) {
        const ID: &str = "p-proposed";
        let listed = self.policies.iter().filter(|((_, kind), _)| *kind == PolicyType::ServiceControl);
        let newest = listed.max_by_key(|(_, policies)| policies.newest(clock)).map(|((asker, _), _)| asker.clone());
        let asker = newest.or_else(|| self.descriptions.keys().next().cloned()).unwrap_or_else(|| account.into());
        let policies = self.policies.entry((asker, PolicyType::ServiceControl)).or_default();
        let mut ids = policies.now(clock).known().cloned().unwrap_or_default();
        ids.insert(ID.to_owned());
        policies.set(ids, mark);
        let policy = OrganizationPolicy { kind: Some(PolicyType::ServiceControl), text: text.to_owned() };
        self.texts.entry(ID.to_owned()).or_default().set(policy, mark);
        let targets = self.targets.entry(ID.to_owned()).or_default();
        let mut attached = targets.now(clock).known().cloned().unwrap_or_default();
        attached.insert(account.to_owned());
        targets.set(attached, mark);
    }

    fn take(&mut self, fact: OrganizationFact, mark: Mark) {
        match fact {
            OrganizationFact::Accounts(asker, answer) => self.accounts.entry(asker).or_default().add(answer, mark),
            OrganizationFact::Description(asker, answer) => {
                self.descriptions.entry(asker).or_default().add(answer, mark);
            }
            OrganizationFact::Policies(asker, kind, answer) => {
                self.policies.entry((asker, kind)).or_default().add(answer, mark);
            }
            OrganizationFact::Policy(id, answer) => self.texts.entry(id).or_default().add(answer, mark),
            OrganizationFact::EnabledTypes(asker, answer) => {
                self.enabled_types.entry(asker).or_default().add(answer, mark);
            }
            OrganizationFact::Targets(id, answer) => self.targets.entry(id).or_default().add(answer, mark),
            OrganizationFact::Parents(id, answer) => self.parents.entry(id).or_default().add(answer, mark),
        }
    }

    fn sort(&mut self) {
        self.accounts.values_mut().for_each(Observations::sort);
        self.descriptions.values_mut().for_each(Observations::sort);
        self.policies.values_mut().for_each(Observations::sort);
        for of_ids in [&mut self.targets, &mut self.parents] {
            of_ids.values_mut().for_each(Observations::sort);
        }
        self.texts.values_mut().for_each(Observations::sort);
        self.enabled_types.values_mut().for_each(Observations::sort);
    }
}
