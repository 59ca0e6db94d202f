//! Service control policies: whether they keep the accounts from switching off what the standard demands.

use std::collections::{BTreeMap, BTreeSet};

use super::{Basis, Conclusion, Judge, Judged, Resource};
use crate::iam_policy::{
    Attachment, Caller, Document, Effect, Facts, Pattern, Request, Statement, Target, Truth, evaluate,
};
use crate::policy::{GuardrailDemand, Verdict};
use crate::settings::facts::{Name, PolicyType};
use crate::settings::observations::{Now, Said};
use crate::timestamp::Timestamp;

/// Deeper than any organisation.
const MAX_DEPTH: usize = 16;

/// The policies of one kind that are attached, by what they are attached to.
struct Attached {
    by_target: BTreeMap<String, Vec<String>>,
    /// Whether all of them are known.
    is_whole: bool,
    /// Whether such policies are switched on in the organisation.
    in_force: Truth,
    reason: &'static str,
    basis: Basis,
}

/// What resource control policies say of a request to a resource of an account.
pub(super) enum Controlled {
    /// Nothing that was exported is against it.
    Passed,
    Denied,
    /// It depends, or not all of them are known.
    Perhaps,
}

impl Judge<'_> {
    pub(super) fn guardrails(&self, judged: &mut Judged) {
        let Some(demand) = &self.policy.guardrails else { return };
        for id in judged.accounts.clone() {
            let name = format!("account:{id}");
            let resource = Resource { account: &id, region: "", name: &name };
            let attached = self.attached(PolicyType::ServiceControl, &id);
            let conclusion = match self.model.is_management(&id, &self.clock) {
                // It is never bound by them.
                Some(true) => Conclusion::out_of_scope("management_account"),
                Some(false) => self.guardrail(&id, demand, &attached),
                None => match self.guardrail(&id, demand, &attached) {
                    found if found.verdict == Verdict::Compliant => found,
                    // It could be the management account.
                    _ => Conclusion::undetermined("policies_absent"),
                },
            };
            self.push(judged, resource, "guardrail.scp", conclusion);
        }
    }

    /// What resource control policies say of a request; they bind services, too, but not the resources of the management
    /// account. Where none were exported, nothing is concluded from them.
    pub(super) fn controls(&self, account: &str, asks: impl Fn(&Document) -> Truth) -> Controlled {
        let of_kind = |(_, kind): &&(Name, PolicyType)| *kind == PolicyType::ResourceControl;
        let is_asked = self.model.organization.policies.keys().any(|key| of_kind(&key));
        if !is_asked || self.model.is_management(account, &self.clock) == Some(true) {
            return Controlled::Passed;
        }
        let attached = self.attached(PolicyType::ResourceControl, account);
        let chain = self.above(account);
        let denied = match &chain {
            Some(chain) => {
                let texts = chain.iter().filter_map(|target| attached.by_target.get(target)).flatten();
                Truth::any(texts.map(|text| Document::parse(text).map_or(Truth::Unknown, |policy| asks(&policy))))
            }
            // Any of them can be attached to it.
            None => {
                let all = attached.by_target.values().flatten();
                Truth::any(all.map(|text| Document::parse(text).map_or(Truth::Unknown, |policy| asks(&policy))))
                    .at_most_unknown()
            }
        };
        let is_member = self.model.is_management(account, &self.clock) == Some(false);
        match denied.and(attached.in_force) {
            // It could be the management account, which they do not bind.
            Truth::True if !is_member && !self.model.organization.descriptions.is_empty() => Controlled::Perhaps,
            Truth::True => Controlled::Denied,
            Truth::False if attached.is_whole => Controlled::Passed,
            _ => Controlled::Perhaps,
        }
    }

    /// What those told who may speak for an account: another organisation says nothing of it. The newest list counts, whoever
    /// of the organisation asked.
    fn attached(&self, kind: PolicyType, account: &str) -> Attached {
        let policies = self.model.organization.policies.iter().filter(|((_, of), _)| *of == kind);
        let told = policies.filter_map(|((asker, _), policies)| {
            let now = policies.now(&self.clock);
            // In no organisation there are none, for the one who asked.
            let counts = self.speaks_for(asker, account) && (!matches!(now.said, Said::Absent) || &**asker == account);
            counts.then_some(now)
        });
        let told: Vec<Now<'_, BTreeSet<String>>> = told.collect();
        let answered = || told.iter().filter(|now| !matches!(now.said, Said::Unknown(_)));
        let newest = answered().map(|now| now.at).max().flatten();
        let mut attached = Attached {
            by_target: BTreeMap::new(),
            is_whole: answered().next().is_some(),
            in_force: self.in_force(kind, account, newest),
            reason: "policies_absent",
            basis: Basis::default(),
        };
        let mut lists = BTreeSet::new();
        for now in answered().filter(|now| now.until >= newest) {
            attached.basis = attached.basis.and(now);
            match now.said {
                Said::Known(ids) => {
                    lists.insert(Some(ids));
                    self.attach(ids, kind, &mut attached);
                }
                Said::Incomplete(ids) => {
                    attached.is_whole = false;
                    self.attach(ids, kind, &mut attached);
                }
                Said::Absent | Said::Unknown(_) => drop(lists.insert(None)),
            }
        }
        // What cannot be used may be newer; and of one time, all must say the same.
        let unusable = told.iter().find(|now| matches!(now.said, Said::Unknown(_)) && now.may_tell_since(newest));
        if let Some(now) = unusable.or(told.iter().find(|_| newest.is_none())) {
            (attached.is_whole, attached.reason) = (false, now.why("policies_absent"));
        }
        attached.is_whole &= lists.len() <= 1;
        if self.may_have_left(account) {
            (attached.is_whole, attached.in_force) = (false, attached.in_force.at_most_unknown());
        }
        attached
    }

    /// Whether an account is of the organisation of another, as far as lists of accounts tell.
    fn speaks_for(&self, asker: &Name, account: &str) -> bool {
        if &**asker == account {
            return true;
        }
        let organization = &self.model.organization;
        let lists = self.lists.iter().filter_map(|now| Some((now.at, now.known()?)));
        let of_account: Vec<_> = lists.filter(|(_, list)| list.accounts.contains_key(account)).collect();
        let of_both =
            of_account.iter().filter(|(_, list)| list.accounts.contains_key(&**asker)).map(|(at, _)| *at).max();
        let own = organization.accounts.get(asker).map(|accounts| accounts.now(&self.clock));
        let lacking =
            own.and_then(|now| Some((now.at, now.known()?))).filter(|(_, list)| !list.accounts.contains_key(account));
        match (of_both, lacking) {
            (Some(of_both), Some((at, _))) => at <= of_both,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            // Whose organisation nobody tells may be of it, unless it describes another one.
            (None, None) => {
                let description = organization.descriptions.get(asker).map(|told| told.now(&self.clock));
                description.and_then(|now| now.known()).is_none_or(|told| {
                    of_account.is_empty()
                        || of_account.iter().any(|(_, list)| list.accounts.contains_key(&told.management))
                })
            }
        }
    }

    /// Whether policies of a kind are switched on, by the newest word of whoever speaks for an account. Where nobody asked they
    /// are taken to be: who listed them had a reason to.
    fn in_force(&self, kind: PolicyType, account: &str, listed_at: Option<Timestamp>) -> Truth {
        let organization = &self.model.organization;
        let descriptions = organization.descriptions.iter().filter(|(asker, _)| self.speaks_for(asker, account));
        let descriptions = descriptions.filter_map(|(_, description)| {
            let now = description.now(&self.clock);
            let has_policies = match now.said {
                Said::Known(description) => description.has_policies.map_or(Truth::Unknown, Truth::from),
                // Of members that are in none, another check tells.
                Said::Absent => return None,
                _ => Truth::Unknown,
            };
            now.may_tell_since(None).then_some((now.times(&self.clock), has_policies))
        });
        let types = organization.enabled_types.iter().filter(|(asker, _)| self.speaks_for(asker, account));
        let types = types.filter_map(|(_, types)| {
            let now = types.now(&self.clock);
            let is_on = match now.said {
                Said::Known(types) => match types.get(&kind) {
                    Some(true) => Truth::True,
                    // They can have been switched on since.
                    None if now.at >= listed_at => Truth::False,
                    _ => Truth::Unknown,
                },
                Said::Absent => return None,
                _ => Truth::Unknown,
            };
            now.may_tell_since(None).then_some((now.times(&self.clock), is_on))
        });
        let newest = |told: Vec<((Timestamp, Timestamp), Truth)>| {
            let at = told.iter().map(|((at, _), _)| *at).max();
            let of_that = told.into_iter().filter(|((_, until), _)| Some(*until) >= at).map(|(_, truth)| truth);
            of_that.reduce(Truth::join).unwrap_or(Truth::True)
        };
        newest(descriptions.collect()).and(newest(types.collect()))
    }

    fn attach(&self, ids: &BTreeSet<String>, kind: PolicyType, attached: &mut Attached) {
        let organization = &self.model.organization;
        // Those of AWS allow everything, and every organisation has them.
        let denying = ids.iter().filter(|id| !matches!(id.as_str(), "p-FullAWSAccess" | "p-RCPFullAWSAccess"));
        for id in denying {
            let policy = organization.texts.get(id).map(|policy| policy.now(&self.clock));
            let policy = policy.as_ref().and_then(Now::known);
            let policy = policy.filter(|policy| policy.kind.is_none_or(|found| found == kind));
            let targets = organization.targets.get(id).map(|targets| targets.now(&self.clock));
            let Some((policy, targets)) = policy.zip(targets.as_ref().and_then(Now::known)) else {
                attached.is_whole = false;
                continue;
            };
            for target in targets {
                attached.by_target.entry(target.clone()).or_default().push(policy.text.clone());
            }
        }
    }

    /// The account and everything that it lies in; nothing if that is not known.
    fn above(&self, id: &str) -> Option<Vec<String>> {
        let mut chain = vec![id.to_owned()];
        while chain.len() <= MAX_DEPTH {
            let child = chain.last()?;
            if child.starts_with("r-") {
                return Some(chain);
            }
            let parents = self.model.organization.parents.get(child)?.now(&self.clock);
            let parents: &BTreeSet<String> = parents.known()?;
            // Everything lies in one.
            let parent = parents.first().filter(|_| parents.len() == 1)?;
            chain.push(parent.clone());
        }
        None
    }

    fn guardrail(&self, id: &str, demand: &GuardrailDemand, attached: &Attached) -> Conclusion {
        let chain = self.above(id);
        let own = [id.to_owned()];
        let targets = chain.as_deref().unwrap_or(&own);
        let texts: Vec<&String> =
            targets.iter().filter_map(|target| attached.by_target.get(target)).flatten().collect();
        let partition = self.model.partition(id);
        let policies: Vec<Result<Document, _>> = texts.iter().map(|text| Document::parse(text)).collect();
        let denied = |action: &String| {
            let answers = policies.iter().map(|policy| match policy {
                Ok(policy) => denies(policy, action, (partition, id), demand),
                Err(_) => Truth::Unknown,
            });
            Truth::any(answers).and(attached.in_force)
        };
        let answers: Vec<(&String, Truth)> = demand.deny.iter().map(|action| (action, denied(action))).collect();
        let not_denied: Vec<&str> =
            answers.iter().filter(|(_, answer)| *answer != Truth::True).map(|(action, _)| action.as_str()).collect();
        let is_whole = attached.is_whole && chain.is_some();
        let surely = answers.iter().any(|(_, answer)| *answer == Truth::False);
        let conclusion = match () {
            () if not_denied.is_empty() => Conclusion::compliant(),
            () if !is_whole => Conclusion::undetermined(attached.reason),
            () if surely => Conclusion::violation("not_denied"),
            () => Conclusion::undetermined("condition_unknown"),
        };
        conclusion.expected(demand.deny.join(" ")).actual(not_denied.join(" ")).on(&attached.basis)
    }
}

/// Whether a policy denies an action to everybody of an account but those whom the standard excepts.
fn denies(policy: &Document, action: &str, (partition, account): (&str, &str), demand: &GuardrailDemand) -> Truth {
    let request = |caller| Request {
        caller,
        action: action.to_owned(),
        resource: Target::all(&resources_of(action, partition)),
        facts: Facts::new(),
        attachment: Attachment::Identity,
    };
    let everybody = evaluate(policy, &request(Caller::AccountPrincipals(account.to_owned()))).deny;
    if everybody == Truth::True {
        return Truth::True;
    }
    // Each statement for itself: what one denies to all but some, another may not vouch for.
    let denies_all_but_the_excepted = |statement: &Statement| {
        let alone = Document { statements: vec![statement.clone()], ..policy.clone() };
        let stranger = format!("arn:{partition}:iam::{account}:role/a-role-that-nobody-names");
        spares_only(statement, &demand.except)
            && evaluate(&alone, &request(Caller::Principal(stranger))).deny == Truth::True
    };
    if policy.statements.iter().any(denies_all_but_the_excepted) {
        return Truth::True;
    }
    // Whom a condition spares beside them is not excepted.
    let nobody = format!("arn:{partition}:iam::{account}:role/another-role-that-nobody-names");
    match evaluate(policy, &request(Caller::Principal(nobody))).deny {
        Truth::False => Truth::False,
        _ => everybody.at_most_unknown(),
    }
}

/// The resources that an action can be about; of a delegated administrator also those of other accounts.
fn resources_of(action: &str, partition: &str) -> String {
    const OF_TRAILS: [&str; 4] = ["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"];
    const OF_KEYS: [&str; 5] =
        ["ScheduleKeyDeletion", "DisableKey", "DisableKeyRotation", "PutKeyPolicy", "DeleteImportedKeyMaterial"];
    const OF_BUCKETS: [&str; 8] = [
        "DeleteBucket",
        "DeleteBucketPolicy",
        "PutBucketPolicy",
        "PutEncryptionConfiguration",
        "PutBucketVersioning",
        "PutLifecycleConfiguration",
        "PutBucketPublicAccessBlock",
        "PutBucketLogging",
    ];
    let is_one = |names: &[&str], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    match action.split_once(':') {
        Some(("cloudtrail", name)) if is_one(&OF_TRAILS, name) => format!("arn:{partition}:cloudtrail:*:*:trail/*"),
        Some(("s3", name)) if is_one(&OF_BUCKETS, name) => format!("arn:{partition}:s3:::*"),
        Some(("kms", name)) if is_one(&OF_KEYS, name) => format!("arn:{partition}:kms:*:*:key/*"),
        _ => "*".to_owned(),
    }
}

/// Whether a statement that denies spares nobody but those whom the standard excepts.
fn spares_only(statement: &Statement, except: &[String]) -> bool {
    let except: Vec<Pattern> = except.iter().map(|pattern| Pattern::new(pattern)).collect();
    statement.effect == Effect::Deny
        && !statement.conditions.is_empty()
        && statement.conditions.iter().all(|condition| {
            condition.key.eq_ignore_ascii_case("aws:PrincipalArn")
                && condition.operator.negated
                && condition.values.iter().all(|value| {
                    let value = Pattern::new(value);
                    except.iter().any(|pattern| pattern.covers(&value))
                })
        })
}
