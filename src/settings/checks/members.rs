//! Who belongs to an organisation: whom its trails are for, who may have left it, and whom its lists lack.

use std::collections::BTreeSet;

use super::{Judge, Lists, places_of};
use crate::policy::RequiredAccounts;
use crate::settings::facts::{AccountList, OrganizationDescription, Place};
use crate::settings::model::Trail;
use crate::settings::observations::{Now, Said};
use crate::timestamp::Timestamp;

impl Judge<'_> {
    /// Whether the trail of another account is for this one, and whether that is sure; nothing if it surely is not. It shows
    /// in the accounts that it is for, and is for the accounts of the organisation only.
    pub(super) fn is_for_member(&self, arn: &str, trail: &Trail, id: &str) -> Option<bool> {
        let is_organization = trail.organization.now(&self.clock).known() == Some(&true);
        // What it showed once it may have left since.
        let shows_it = |place: &Place| {
            let seen = self.model.seen.get(place).and_then(|seen| seen.now(&self.clock).known());
            seen.is_some_and(|arns| arns.contains(arn))
        };
        let mut places =
            trail.seen_in.range(Place::before_all_of(id.into())..).take_while(|place| &*place.account == id);
        let is_shown = places.any(shows_it);
        let (owner, _) = places_of(arn);
        let told = &self.lists;
        // Each with the last moment at which it may have been told.
        let lists = told.iter().filter_map(|now| Some((now.until, now.known()?)));
        let (of_owner, of_others): (Vec<_>, Vec<_>) = lists.partition(|(_, list)| list.accounts.contains_key(owner));
        let has_owner = |now: &&Now<'_, AccountList>| now.known().is_some_and(|list| list.accounts.contains_key(owner));
        let since = told.iter().filter(has_owner).map(|now| now.at).max().flatten();
        let is_in = |(_, list): &(Option<Timestamp>, &AccountList)| list.accounts.contains_key(id);
        // A trail of the organisation is one of the account that manages it.
        let names_another = |(at, list): &(Option<Timestamp>, &AccountList)| {
            *at >= since && list.management.as_deref().is_some_and(|management| management != owner)
        };
        // Somebody says that it, or the owner, is elsewhere or in no organisation; or lists differ over it, or cannot be used.
        let is_disputed = self.ours.no_managers.contains(owner)
            || of_owner.iter().any(names_another)
            || [id, owner].iter().any(|account| self.is_elsewhere(account, owner, &of_owner, since))
            || of_others.iter().any(|list| list.0 >= since && is_in(list))
            || told.iter().any(|now| matches!(now.said, Said::Unknown(_)) && now.may_tell_since(since))
            || (of_owner.iter().any(is_in) && of_owner.iter().any(|list| list.0 >= since && !is_in(list)));
        match of_owner.iter().filter(|(until, _)| *until >= since).any(is_in) {
            _ if is_disputed => Some(false),
            true => Some(is_organization),
            false if of_owner.is_empty() => Some(is_shown && is_organization),
            // It shows in an account that the list lacks: one of both is old.
            false if is_shown => Some(false),
            false => None,
        }
    }

    /// Whether an account says, at a time or later, that it is in no organisation or in another than a trail's owner, or says it
    /// so that nobody can tell.
    fn is_elsewhere(
        &self,
        id: &str,
        owner: &str,
        lists: &[(Option<Timestamp>, &AccountList)],
        since: Option<Timestamp>,
    ) -> bool {
        let organization = &self.model.organization;
        let list = organization.accounts.get(id).map(|accounts| {
            let now = accounts.now(&self.clock);
            (accounts.only_known(&now), now)
        });
        let description = organization.descriptions.get(id).map(|description| description.now(&self.clock));
        let is_the_same = |description: &OrganizationDescription| {
            let manages_owner = |(_, list): &(_, &AccountList)| list.accounts.contains_key(&description.management);
            let is_named_otherwise =
                |(_, list): &(_, &AccountList)| self.organization_of(list).is_some_and(|id| id != description.id);
            (description.management == owner || lists.iter().any(manages_owner))
                && !lists.iter().any(is_named_otherwise)
        };
        list.is_some_and(|(only, now)| {
            let has_owner = |list: &AccountList| list.accounts.contains_key(owner);
            let holds = only.is_some_and(has_owner) || matches!(now.said, Said::Incomplete(list) if has_owner(list));
            now.may_tell_since(since) && !holds
        }) || description.is_some_and(|now| now.may_tell_since(since) && !now.known().is_some_and(is_the_same))
    }

    /// Whether an account is one of the organisation or of the standard; nothing where neither is known.
    pub(super) fn is_ours(&self, id: &str) -> Option<bool> {
        if let RequiredAccounts::Listed(ids) = &self.policy.accounts
            && ids.iter().any(|known| known == id)
        {
            return Some(true);
        }
        let is_exported = self.ours.exported.contains(id);
        match self.ours.lists {
            // Without a list, they are those that something of is shown.
            Lists::None => is_exported.then_some(true),
            _ if self.ours.listed.contains(id) => (!self.is_left_out(id) && !self.may_have_left(id)).then_some(true),
            // One that is in no organisation is ours, too, if it was asked for its own.
            _ if is_exported => self.is_alone(id).then_some(true),
            Lists::Whole => Some(false),
            Lists::InPart => None,
        }
    }

    /// Whether an account says that it is in no organisation.
    fn is_alone(&self, id: &str) -> bool {
        let description = self.model.organization.descriptions.get(id);
        description.is_some_and(|told| matches!(told.now(&self.clock).said, Said::Absent))
    }

    /// The organisations of which all accounts are known.
    pub(super) fn whole_organizations(&self) -> BTreeSet<String> {
        match self.ours.lists {
            Lists::Whole => self.organizations.iter().filter_map(|(_, id)| id.map(str::to_owned)).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// The organisation of a list.
    fn organization_of(&self, list: &AccountList) -> Option<&str> {
        self.organizations.iter().find(|(known, _)| std::ptr::eq(*known, list)).and_then(|(_, id)| *id)
    }

    /// Whether a list of its organisation, not older than any that has an account, lacks it, or may lack it.
    fn is_left_out(&self, id: &str) -> bool {
        let time = |at: &Option<Timestamp>| self.clock.time_of(*at);
        let told = || self.ours.told.iter().map(|(at, until, list)| (time(at), time(until), *list));
        let having =
            || told().filter_map(|(at, _, list)| Some((at, list.filter(|list| list.accounts.contains_key(id))?)));
        let Some(newest) = having().map(|(at, _)| at).max() else { return true };
        let shares = |list: &AccountList| {
            having().any(|(_, other)| other.accounts.keys().any(|other| list.accounts.contains_key(other)))
        };
        told().filter(|(_, until, _)| *until >= newest).any(|(.., list)| match list {
            Some(list) => !list.accounts.contains_key(id) && shares(list),
            None => true,
        })
    }

    /// Whether a newer list of the same organisation says who is in it now.
    pub(super) fn is_superseded(&self, asker: &str, until: Option<Timestamp>, list: &AccountList) -> bool {
        self.model.organization.accounts.iter().any(|(other, told)| {
            let told = told.now(&self.clock);
            let is_same =
                |newer: &AccountList| newer.accounts.contains_key(asker) && list.accounts.contains_key(&**other);
            told.at > until && told.known().is_some_and(is_same)
        })
    }

    /// The lists that say who is in an organisation now, and when they did.
    fn newest_lists(&self) -> Vec<(Timestamp, &AccountList)> {
        let told = self.model.organization.accounts.iter().filter_map(|(asker, accounts)| {
            let now = accounts.now(&self.clock);
            let list = now.known().filter(|list| !self.is_superseded(asker, now.until, list))?;
            Some((now.at?, list))
        });
        told.collect()
    }

    /// An account that no list has as an active one, and that shows not before the list that it is one: a trail of the
    /// organisation shows there, it describes the organisation, or policies are told to be attached to it or to be asked by it. One
    /// that a list has as suspended or closed does not answer.
    pub(super) fn unlisted_member(&self) -> Option<String> {
        let lists = self.newest_lists();
        // It is not told of which organisation these are.
        let first = lists.iter().map(|(at, _)| *at).min()?;
        let is_active = |id: &str| lists.iter().any(|(_, list)| list.accounts.get(id) == Some(&true));
        let shown = self.shown_members(&lists);
        // Closed accounts stay in their place, with the policies that are attached to it.
        let is_listed = |id: &str| lists.iter().any(|(_, list)| list.accounts.contains_key(id));
        let placed = self.placed_members(first).into_iter().find(|id| !is_listed(id));
        let asking = self.asking_members(first);
        let unlisted = shown.into_iter().chain(asking).find(|id| !is_active(id)).or(placed).map(str::to_owned);
        let inactive = lists.iter().flat_map(|(at, list)| list.accounts.keys().map(move |id| (at, id)));
        let mut answering =
            inactive.filter(|(at, id)| !is_active(id) && self.model.answers_since(id, Some(**at), &self.clock));
        unlisted.or_else(|| answering.next().map(|(_, id)| id.clone()))
    }

    /// Accounts where a trail of an organisation shows, or that describe it, not before its list.
    fn shown_members<'m>(&'m self, lists: &[(Timestamp, &'m AccountList)]) -> BTreeSet<&'m str> {
        let listed_at =
            |id: &str| lists.iter().filter(|(_, list)| list.accounts.contains_key(id)).map(|(at, _)| *at).max();
        let mut shown: BTreeSet<&str> = BTreeSet::new();
        for (arn, trail) in &self.model.trails {
            let listed = listed_at(places_of(arn).0);
            if let Some(since) = listed
                && trail.organization.now(&self.clock).known() == Some(&true)
            {
                let is_since = |at: Option<Timestamp>| at.is_some_and(|at| at >= since);
                let is_told = |place: &&Place| {
                    let seen = self.model.seen.get(place).and_then(|seen| seen.newest_until(&self.clock));
                    is_since(seen.or(trail.settings.newest_known(&self.clock)))
                };
                shown.extend(trail.seen_in.iter().filter(is_told).map(|place| &*place.account));
            }
        }
        for (asker, description) in &self.model.organization.descriptions {
            let now = description.now(&self.clock);
            let since = match now.said {
                // One that no list is of has members that nobody lists.
                Said::Known(told) => listed_at(&told.management),
                Said::Absent => continue,
                _ => lists.iter().map(|(at, _)| *at).min(),
            };
            if now.may_tell_since(since) {
                shown.insert(asker);
            }
        }
        shown
    }

    /// Accounts that are told to have a place in an organisation, or policies attached, not before a time.
    fn placed_members(&self, since: Timestamp) -> BTreeSet<&str> {
        let organization = &self.model.organization;
        let is_since = |at: Option<Timestamp>| at.is_some_and(|at| at >= since);
        let is_id = |id: &&str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
        let mut shown = BTreeSet::new();
        for targets in organization.targets.values().filter(|targets| is_since(targets.newest_known(&self.clock))) {
            shown.extend(targets.values().flatten().map(String::as_str).filter(is_id));
        }
        let parents = organization.parents.iter().filter(|(_, parents)| is_since(parents.newest_known(&self.clock)));
        shown.extend(parents.map(|(child, _)| child.as_str()).filter(is_id));
        shown
    }

    /// Accounts that list the policies of an organisation, not before a time.
    fn asking_members(&self, since: Timestamp) -> BTreeSet<&str> {
        let organization = &self.model.organization;
        let is_since = |at: Option<Timestamp>| at.is_some_and(|at| at >= since);
        let mut shown = BTreeSet::new();
        let asked = organization.policies.iter().filter(|(_, told)| is_since(told.newest_known(&self.clock)));
        shown.extend(asked.map(|((asker, _), _)| &**asker));
        let asked = organization.enabled_types.iter().filter(|(_, told)| is_since(told.newest_known(&self.clock)));
        shown.extend(asked.map(|(asker, _)| &**asker));
        shown
    }

    /// Whether an account left the organisation whose list has it, by its own word or that of another organisation, or perhaps.
    pub(super) fn may_have_left(&self, id: &str) -> bool {
        // Against a list without a time any word counts.
        let lists = self.ours.told.iter().filter_map(|(at, _, list)| Some((*at, (*list)?)));
        let of_account: Vec<_> = lists.filter(|(_, list)| list.accounts.contains_key(id)).collect();
        let Some(newest) = of_account.iter().map(|(at, _)| *at).max() else { return false };
        let (mut of_others, mut owners) = (of_account.iter().map(|(_, list)| *list), BTreeSet::new());
        owners.extend(of_others.next().into_iter().flat_map(|list| list.accounts.keys()));
        // Lists of two organisations have hardly an account in common.
        let is_listed_elsewhere =
            of_others.any(|list| !list.accounts.keys().any(|other| other != id && owners.contains(other)));
        is_listed_elsewhere || self.is_elsewhere(id, id, &of_account, newest)
    }
}
