//! Settings held against what an audit saw of the objects.

use std::collections::BTreeSet;

use super::{Conclusion, Judge, Judged, Resource, places_of};
use crate::policy::Verdict;
use crate::settings::facts::Name;
use crate::settings::model::{Audited, Delivered};
use crate::timestamp::Timestamp;

const DAY_MS: i64 = 86_400_000;

impl Judge<'_> {
    /// The buckets and keys are those that trails name.
    pub(super) fn joins(&self, buckets: &BTreeSet<Name>, keys: &BTreeSet<Name>, judged: &mut Judged) {
        let Some(audited) = &self.model.audited else { return };
        self.inventories(audited, buckets, judged);
        self.stored_keys(audited, keys, judged);
        self.recent_objects(audited, judged);
    }

    fn inventories(&self, audited: &Audited, buckets: &BTreeSet<Name>, judged: &mut Judged) {
        let audited_names = audited.buckets.keys().map(|name| Name::from(name.as_str()));
        let all: BTreeSet<Name> = buckets.iter().cloned().chain(audited_names).collect();
        for bucket in all {
            let name = format!("s3://{bucket}");
            let conclusion = match (buckets.contains(&bucket), audited.buckets.contains_key(&*bucket)) {
                (true, true) if audited.is_whole => self.audited_when(audited, &bucket),
                (true, true) => Conclusion::undetermined("audit_incomplete"),
                (true, false) => Conclusion::undetermined("not_audited"),
                (false, _) => Conclusion::undetermined("no_trail_writes"),
            };
            let owner = self.model.owner(&bucket, &self.clock).cloned();
            let resource = Resource { account: owner.as_deref().unwrap_or_default(), region: "", name: &name };
            self.push(judged, resource, "join.inventory", conclusion);
        }
    }

    /// An inventory is of its time, and inventories come once a day or once a week.
    fn audited_when(&self, audited: &Audited, bucket: &str) -> Conclusion {
        const WEEK_MS: i64 = 8 * DAY_MS;
        let Some(made) = audited.buckets.get(bucket).copied().flatten() else {
            return Conclusion::undetermined("export_undated");
        };
        let age = self.clock.as_of.as_millis() - made.as_millis();
        match self.clock.max_age {
            _ if age < -DAY_MS => Conclusion::undetermined("export_in_future"),
            Some(most) if age > most + WEEK_MS => Conclusion::undetermined("export_stale").actual(made.to_string()),
            _ => Conclusion::compliant().actual(made.to_string()),
        }
    }

    fn stored_keys(&self, audited: &Audited, keys: &BTreeSet<Name>, judged: &mut Judged) {
        if !audited.knows_keys {
            let resource = Resource { account: "", region: "", name: "objects" };
            self.push(judged, resource, "join.keys", Conclusion::undetermined("keys_not_known"));
        }
        for (key, objects) in &audited.keys {
            let (account, region) = places_of(key);
            let is_named = keys.contains(key.as_str()) || (self.policy.keys.is_some() && self.allows_key(key));
            let conclusion = match (is_named, self.policy.keys.is_some()) {
                (true, _) => Conclusion::compliant(),
                (false, true) => Conclusion::violation("key_not_allowed"),
                (false, false) => Conclusion::undetermined("key_not_named"),
            };
            let resource = Resource { account, region, name: key };
            self.push(judged, resource, "join.keys", conclusion.actual(format!("{objects} objects")));
        }
    }

    /// In every Region of an account that a trail covers, something should have been delivered in the days before the inventory.
    fn recent_objects(&self, audited: &Audited, judged: &mut Judged) {
        let Some(made) = audited.buckets.values().flatten().max() else { return };
        let covered: Vec<Name> = judged
            .rows
            .iter()
            .filter(|row| row.check == "account.covered" && row.conclusion.verdict == Verdict::Compliant)
            .map(|row| row.account.as_str().into())
            .collect();
        // An inventory lists what was there up to a day before.
        let since = Timestamp::from_millis(made.as_millis() - DAY_MS).unwrap_or(*made).to_string();
        let month = since.get(..7).unwrap_or_default();
        let mut push = |account: &Name, region: &str, name: String, newest: Option<&String>| {
            let conclusion = match newest {
                Some(newest) if is_month(newest) && newest.as_str() >= month => Conclusion::compliant(),
                _ => Conclusion::undetermined("no_recent_objects"),
            };
            let conclusion =
                conclusion.expected(format!("objects of {month}")).actual(newest.cloned().unwrap_or_default());
            self.push(judged, Resource { account, region, name: &name }, "join.delivery", conclusion);
        };
        for id in &covered {
            match &audited.delivered {
                Delivered::ByAccount(months) => push(id, "", format!("account:{id}"), months.get(&**id)),
                Delivered::ByRegion(months) => {
                    for region in self.regions(id).required {
                        let newest = months.get(&(id.to_string(), region.clone()));
                        push(id, &region, format!("account:{id}/{region}"), newest);
                    }
                }
            }
        }
    }
}

/// `2026-10`.
fn is_month(text: &str) -> bool {
    let digits = |text: &str, len: usize| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-')
        .is_some_and(|(year, month)| digits(year, 4) && digits(month, 2) && ("01"..="12").contains(&month))
}
