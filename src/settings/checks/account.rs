//! Accounts: which there are, and whether a trail covers each of them.

use std::collections::{BTreeMap, BTreeSet};

use super::selectors::events_logged;
use super::{Basis, Conclusion, Judge, Judged, Resource, places_of, worst};
use crate::policy::{Answer, ManagementEvents, RequiredAccounts, Verdict};
use crate::settings::facts::{AccountList, Name, Place, TrailStatus};
use crate::settings::model::Trail;
use crate::settings::observations::{Observations, Said, Why};

/// The Regions of an account that must be covered, and whether that is known.
pub(super) struct Regions {
    pub(super) required: BTreeSet<String>,
    is_known: bool,
    basis: Basis,
}

/// A trail that can cover an account, and whether it surely is for it.
struct Candidate<'m> {
    arn: &'m Name,
    trail: &'m Trail,
    is_for_it: bool,
}

/// The trails that can cover an account: those of each account, and those that are for all of the organisation.
#[derive(Default)]
struct Trails<'m> {
    of_accounts: BTreeMap<&'m str, Vec<(&'m Name, &'m Trail)>>,
    of_organization: Vec<(&'m Name, &'m Trail)>,
}

impl<'m> Trails<'m> {
    fn new(judge: &Judge<'m>) -> Self {
        let mut trails = Self::default();
        for (arn, trail) in judge.model.trails_now(&judge.clock) {
            // What covers an account must be what the standard is about.
            if judge.is_demanded(arn, trail) == Answer::No {
                continue;
            }
            trails.of_accounts.entry(places_of(arn).0).or_default().push((arn, trail));
            if trail.organization.now(&judge.clock).known() != Some(&false) {
                trails.of_organization.push((arn, trail));
            }
        }
        trails
    }

    /// Those that can cover an account, each with whether that is sure.
    fn of(&self, judge: &Judge<'m>, id: &str) -> Vec<Candidate<'m>> {
        let own = self.of_accounts.get(id).into_iter().flatten();
        let is_sure = |arn: &Name, trail: &Trail| {
            judge.is_demanded(arn, trail) == Answer::Yes && !judge.model.is_contradicted(arn, trail, &judge.clock)
        };
        let own = own.map(|(arn, trail)| Candidate { arn, trail, is_for_it: is_sure(arn, trail) });
        let of_others = self.of_organization.iter().filter(|(arn, _)| places_of(arn).0 != id);
        let of_others = of_others.filter_map(|(arn, trail)| {
            let is_for_it = judge.is_for_member(arn, trail, id)? && is_sure(arn, trail);
            Some(Candidate { arn, trail, is_for_it })
        });
        own.chain(of_others).collect()
    }
}

impl Judge<'_> {
    pub(super) fn accounts(&self, judged: &mut Judged) {
        let (accounts, listed) = self.required_accounts();
        let resource = Resource { account: "", region: "", name: "organization" };
        self.push(judged, resource, "account.list_known", listed);
        let is_answered = |seen: &Observations<BTreeSet<Name>>| seen.values().next().is_some();
        let answered = self.model.seen.iter().filter(|(_, seen)| is_answered(seen));
        judged.exported = answered.map(|(place, _)| place.account.clone()).collect();
        let trails = Trails::new(self);
        for id in &accounts {
            let name = format!("account:{id}");
            let resource = Resource { account: id, region: "", name: &name };
            let regions = self.regions(id);
            judged.regions.extend(regions.required.iter().cloned());
            self.push(judged, resource, "account.covered", self.covered(id, &regions, &trails.of(self, id)));
            self.push(judged, resource, "account.trails_known", self.trails_known(id, &regions));
        }
        judged.accounts = accounts;
    }

    /// The accounts that must be covered. Where the list is not known, those that are seen.
    fn required_accounts(&self) -> (Vec<Name>, Conclusion) {
        if let RequiredAccounts::Listed(ids) = &self.policy.accounts {
            let ids: BTreeSet<Name> = ids.iter().map(|id| id.as_str().into()).collect();
            return (ids.into_iter().collect(), Conclusion::compliant().actual("listed by the standard"));
        }
        let active = |list: &AccountList| -> BTreeSet<Name> {
            list.accounts.iter().filter(|(_, is_active)| **is_active).map(|(id, _)| id.as_str().into()).collect()
        };
        let (mut ids, mut conclusions) = (BTreeSet::new(), Vec::new());
        let mut alone = BTreeSet::new();
        for (asker, accounts) in &self.model.organization.accounts {
            let now = accounts.now(&self.clock);
            let conclusion = match now.said {
                Said::Known(list) => {
                    if !self.is_superseded(asker, now.until, list) {
                        ids.extend(active(list));
                    }
                    // Whoever lists an organisation is in it: a list without its asker is not whole.
                    match list.accounts.contains_key(&**asker) {
                        true => Conclusion::compliant(),
                        false => Conclusion::undetermined("accounts_not_exported").actual(format!("without {asker}")),
                    }
                }
                Said::Absent => {
                    alone.insert(asker.clone());
                    Conclusion::compliant().expected("an account without organisation")
                }
                // A member may not ask, or asked long ago, and a whole list holds it.
                Said::Unknown(Why::Refused | Why::Stale) if self.model.is_listed(asker, &self.clock) => continue,
                Said::Incomplete(_) => Conclusion::undetermined("accounts_not_exported"),
                Said::Unknown(_) => Conclusion::undetermined(now.why("accounts_not_exported")),
            };
            if !matches!(now.said, Said::Known(_)) {
                // Too many do less harm than too few.
                ids.extend(accounts.values().flat_map(active));
            }
            conclusions.push(conclusion.on(&Basis::of(&now)));
        }
        // That an account is in no organisation says nothing of others.
        let listed: BTreeSet<&str> = self
            .model
            .organization
            .accounts
            .values()
            .flat_map(|accounts| accounts.values())
            .flat_map(|list| list.accounts.keys().map(String::as_str))
            .collect();
        let owners = self.model.trails_now(&self.clock).map(|(arn, _)| Name::from(places_of(arn).0));
        let mut seen = self.model.seen.keys().map(|place| place.account.clone()).chain(owners);
        if !alone.is_empty() && seen.any(|id| !alone.contains(&id) && !listed.contains(&*id)) {
            conclusions.push(Conclusion::undetermined("accounts_not_exported"));
        }
        if let Some(unlisted) = self.unlisted_member() {
            conclusions.push(Conclusion::undetermined("accounts_not_exported").actual(unlisted));
        }
        ids.extend(alone.iter().cloned());
        let is_known = !ids.is_empty() && conclusions.iter().all(|conclusion| conclusion.verdict == Verdict::Compliant);
        if !is_known {
            ids.extend(self.model.seen.keys().map(|place| place.account.clone()));
            ids.extend(self.model.trails_now(&self.clock).map(|(arn, _)| places_of(arn).0.into()));
        }
        let conclusion = worst(conclusions).unwrap_or_else(|| Conclusion::undetermined("accounts_not_exported"));
        let actual = format!("{} accounts", ids.len());
        (ids.into_iter().collect(), conclusion.actual(actual))
    }

    pub(super) fn regions(&self, id: &Name) -> Regions {
        let now = self.model.regions(id, &self.clock);
        let enabled = now.as_ref().and_then(|now| now.known());
        let basis = now.as_ref().map(Basis::of).unwrap_or_default();
        let is_used = |region: &str| {
            let place = Place { account: id.clone(), region: region.into() };
            self.model.is_used_since(&place, now.as_ref().and_then(|now| now.at), &self.clock)
        };
        let is_enabled =
            |region: &String| enabled.is_none_or(|known| known.get(region).copied().unwrap_or(true)) || is_used(region);
        let all_enabled = || -> BTreeSet<String> {
            let listed =
                enabled.into_iter().flatten().filter(|(_, is_enabled)| **is_enabled).map(|(name, _)| name.clone());
            let seen = self.model.seen.range(Place::before_all_of(id.clone())..).map(|(place, _)| place);
            let seen = seen.take_while(|place| place.account == *id).map(|place| place.region.to_string());
            // Where something is, the Region is enabled, whatever was said before.
            let since = now.as_ref().and_then(|now| now.at);
            let used = self.model.used_regions(id, since, &self.clock).map(|region| region.to_string());
            let used = used.filter(|region| enabled.is_some_and(|known| known.get(region) == Some(&false)));
            listed.chain(seen.filter(is_enabled)).chain(used).collect()
        };
        match &self.policy.regions {
            None => Regions { required: all_enabled(), is_known: enabled.is_some(), basis },
            Some(wanted) => {
                let mut required: BTreeSet<String> =
                    wanted.named.iter().filter(|region| is_enabled(region)).cloned().collect();
                if let Some(patterns) = &wanted.patterns {
                    required.extend(all_enabled().into_iter().filter(|region| patterns.matches(region.as_bytes())));
                }
                Regions { required, is_known: wanted.patterns.is_none() || enabled.is_some(), basis }
            }
        }
    }

    /// Whether trails that log cover all Regions of an account.
    fn covered(&self, id: &Name, regions: &Regions, candidates: &[Candidate<'_>]) -> Conclusion {
        let mut answers: BTreeMap<&str, Answer> =
            regions.required.iter().map(|region| (region.as_str(), Answer::No)).collect();
        let (mut best, mut everywhere) = (Answer::No, false);
        let (mut why, mut basis, mut perhaps) = ("status_absent", regions.basis.clone(), Basis::default());
        for candidate in candidates {
            let (state, of_candidate) = match self.logs(candidate.arn, candidate.trail) {
                Ok((true, basis)) if candidate.is_for_it => (Answer::Yes, basis),
                Ok((true, basis)) => {
                    // Whether it is for this account is not known.
                    why = "trails_absent";
                    (Answer::Unknown, basis)
                }
                Ok((false, basis)) => (Answer::No, basis),
                Err((reason, basis)) => {
                    why = reason;
                    (Answer::Unknown, basis)
                }
            };
            match state {
                Answer::Unknown => perhaps = perhaps.join(&of_candidate),
                _ => basis = basis.join(&of_candidate),
            }
            best = best.max(state);
            for (region, answer) in &mut answers {
                *answer = (*answer).max(state.min(self.covers(id, candidate, region)));
            }
            everywhere |= state == Answer::Yes && self.covers_everything(id, candidate);
        }
        let uncovered = || answers.iter().filter(|(_, answer)| **answer != Answer::Yes).map(|(region, _)| *region);
        if everywhere || (uncovered().next().is_none() && regions.is_known && !answers.is_empty()) {
            return Conclusion::compliant().on(&basis);
        }
        // What no trail could cover, known or not, surely is not covered; but only where all trails are known.
        let surely = answers.values().any(|answer| *answer == Answer::No) || (answers.is_empty() && best == Answer::No);
        let conclusion = match best {
            _ if surely && !self.knows_trails(id, regions) => Conclusion::undetermined("trails_absent"),
            Answer::No => Conclusion::violation("no_logging_trail"),
            _ if surely => Conclusion::violation("region_not_covered"),
            Answer::Yes if uncovered().next().is_none() => Conclusion::undetermined("regions_absent"),
            // The trail does not show where it should.
            Answer::Yes => Conclusion::undetermined("sources_disagree"),
            Answer::Unknown => Conclusion::undetermined(why).on(&perhaps),
        };
        let actual = uncovered().collect::<Vec<_>>().join(" ");
        conclusion.actual(actual).expected("a trail that logs in every Region").on(&basis)
    }

    /// Whether a trail covers a Region. One of all Regions shows in each of them.
    fn covers(&self, id: &Name, candidate: &Candidate<'_>, region: &str) -> Answer {
        let Some(settings) = candidate.trail.settings.now(&self.clock).known() else { return Answer::Unknown };
        if !settings.multi_region && settings.home_region != region {
            return Answer::No;
        }
        let place = Place { account: id.clone(), region: region.into() };
        let Some(now) = self.model.seen.get(&place).map(|seen| seen.now(&self.clock)) else { return Answer::Yes };
        let unseen = candidate.trail.unseen.get(&place).into_iter().flatten();
        let is_unseen = unseen.into_iter().any(|at| Some(self.clock.time_of(*at)) >= now.at);
        let shows_it = match now.said {
            _ if is_unseen => false,
            Said::Known(arns) => arns.contains(candidate.arn),
            Said::Incomplete(_) => true,
            // Nobody told, or what was told cannot be used.
            _ => !now.may_tell_since(None),
        };
        if shows_it { Answer::Yes } else { Answer::Unknown }
    }

    /// Whether it covers whatever Regions there are.
    fn covers_everything(&self, id: &Name, candidate: &Candidate<'_>) -> bool {
        let settings = candidate.trail.settings.now(&self.clock);
        let first = Place { account: id.clone(), region: "".into() };
        let places = self.model.seen.range(first..).map(|(place, _)| place).take_while(|place| place.account == *id);
        settings.known().is_some_and(|settings| settings.multi_region)
            && places.into_iter().all(|place| self.covers(id, candidate, &place.region) == Answer::Yes)
    }

    /// Whether a trail logs management events, or why that is not known.
    fn logs(&self, arn: &str, trail: &Trail) -> Result<(bool, Basis), (&'static str, Basis)> {
        let empty = Observations::default();
        let status = trail.home_status(arn, &self.clock).unwrap_or(&empty).now(&self.clock);
        let basis = Basis::of(&trail.settings.now(&self.clock)).and(&status);
        let Said::Known(known) = status.said else { return Err((status.why("status_absent"), basis)) };
        if !known.is_logging {
            return Ok((false, basis));
        }
        // Each Region is switched on for itself.
        let is_on = |other: &Observations<TrailStatus>| {
            let now = other.now(&self.clock);
            match now.if_said("status_absent") {
                // What was older there than at home says nothing of now.
                Ok(known) => now.until < status.at || known.is_none_or(|known| known.is_logging),
                Err(reason) => reason == "export_stale",
            }
        };
        if !trail.other_status(arn, &self.clock).all(is_on) {
            return Err(("sources_disagree", basis));
        }
        let selectors = trail.selectors.now(&self.clock);
        let basis = basis.and(&selectors);
        match selectors.said {
            Said::Known(selectors) => match events_logged(selectors, ManagementEvents::Any) {
                unclear if unclear.verdict == Verdict::Undetermined => Err((unclear.reason, basis)),
                logged => Ok((logged.verdict == Verdict::Compliant, basis)),
            },
            _ => Err((selectors.why("selectors_absent"), basis)),
        }
    }

    /// Whether it is known which trails an account has in the Regions that must be covered.
    fn knows_trails(&self, id: &Name, regions: &Regions) -> bool {
        !regions.required.is_empty() && regions.required.iter().all(|region| self.seen(id, region).is_ok())
    }

    fn seen(&self, id: &Name, region: &str) -> Result<Basis, &'static str> {
        let place = Place { account: id.clone(), region: region.into() };
        let Some(seen) = self.model.seen.get(&place) else { return Err("region_not_exported") };
        let now = seen.now(&self.clock);
        match now.said {
            Said::Known(_) => Ok(Basis::of(&now)),
            Said::Incomplete(_) => Err("trails_incomplete"),
            _ => Err(now.why("region_not_exported")),
        }
    }

    fn trails_known(&self, id: &Name, regions: &Regions) -> Conclusion {
        let (mut missing, mut basis, mut reason, mut exported) = (Vec::new(), regions.basis.clone(), "", 0);
        for region in &regions.required {
            match self.seen(id, region) {
                Ok(seen) => {
                    exported += 1;
                    basis = basis.join(&seen);
                }
                Err(why) => {
                    reason = why;
                    missing.push(region.as_str());
                }
            }
        }
        let conclusion = match () {
            () if exported == 0 && (reason.is_empty() || reason == "region_not_exported") => {
                Conclusion::undetermined("account_not_exported")
            }
            () if !missing.is_empty() => Conclusion::undetermined(reason),
            () if !regions.is_known => Conclusion::undetermined("regions_absent"),
            () => Conclusion::compliant(),
        };
        let required: Vec<&str> = regions.required.iter().map(String::as_str).collect();
        let actual = if missing.is_empty() { String::new() } else { format!("not exported: {}", missing.join(" ")) };
        conclusion.expected(required.join(" ")).actual(actual).on(&basis)
    }
}
