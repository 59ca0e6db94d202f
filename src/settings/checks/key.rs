//! Keys of trails and of their buckets: state, rotation, tags, and for whom they encrypt.

use super::request::Strangers;
use super::{Basis, Conclusion, Judge, Judged, Resource, places_of};
use crate::iam_policy::Document;
use crate::policy::Verdict;
use crate::settings::exports::partition_of;
use crate::settings::facts::{KeyMetadata, Name};
use crate::settings::model::Key;
use crate::settings::observations::{Now, Said};
use crate::timestamp::Timestamp;

impl Judge<'_> {
    /// Checks a key.
    pub(super) fn key(&self, arn: &Name, judged: &mut Judged) {
        let (account, region) = places_of(arn);
        let resource = Resource { account, region, name: arn };
        let demand = &self.policy.key;
        let push = |judged: &mut Judged, check, is_demanded: bool, conclusion: Conclusion| {
            let conclusion = match is_demanded {
                true => conclusion,
                false => Conclusion { verdict: Verdict::OutOfScope, reason: "not_demanded", ..conclusion },
            };
            self.push(judged, resource, check, conclusion);
        };
        push(judged, "key.state", true, self.key_state(arn));
        push(
            judged,
            "key.rotation",
            demand.rotation_days.is_some(),
            self.rotation(arn, demand.rotation_days.unwrap_or(u32::MAX)),
        );
        push(judged, "key.tags", !demand.tags.is_empty(), self.tags(arn));
        push(judged, "key.encrypt_scope", self.policy.bucket.source_condition, self.encrypt_scope(arn, region));
        let decrypt = self.decrypt_scope(arn, judged);
        push(judged, "key.decrypt_scope", demand.decrypt.is_some(), decrypt);
    }

    fn key_now<'k, T: Ord>(&'k self, arn: &str, of: impl Fn(&'k Key) -> Now<'k, T>) -> Option<Now<'k, T>> {
        self.model.keys.get(arn).map(of)
    }

    /// Whether CloudTrail can use it.
    pub(super) fn key_state(&self, arn: &str) -> Conclusion {
        let Some(now) = self.key_now(arn, |key| key.metadata.now(&self.clock)) else {
            return Conclusion::undetermined("key_not_exported");
        };
        let conclusion = match now.said {
            Said::Known(metadata) => usable(metadata, self.clock.as_of),
            Said::Absent => Conclusion::violation("key_unavailable").actual("deleted"),
            _ => Conclusion::undetermined(now.why("key_not_exported")),
        };
        conclusion.expected("Enabled SYMMETRIC_DEFAULT").on(&Basis::of(&now))
    }

    /// The policy of a key, or what is concluded without it.
    pub(super) fn key_policy(&self, arn: &str) -> Result<(Document, Basis), Conclusion> {
        let Some(now) = self.key_now(arn, |key| key.policy.now(&self.clock)) else {
            return Err(Conclusion::undetermined("key_policy_absent"));
        };
        let basis = Basis::of(&now);
        match now.said {
            Said::Known(text) => match Document::parse(text) {
                Ok(policy) => Ok((policy, basis)),
                Err(_) => Err(Conclusion::undetermined("key_policy_unreadable").on(&basis)),
            },
            _ => Err(Conclusion::undetermined(now.why("key_policy_absent")).on(&basis)),
        }
    }

    fn rotation(&self, arn: &str, most_days: u32) -> Conclusion {
        let metadata = self.key_now(arn, |key| key.metadata.now(&self.clock));
        let known = metadata.as_ref().and_then(Now::known);
        let basis = metadata.as_ref().map(Basis::of).unwrap_or_default();
        if known.and_then(can_rotate) == Some(false) {
            return Conclusion::out_of_scope("rotation_not_supported").on(&basis);
        }
        let Some(now) = self.key_now(arn, |key| key.rotation.now(&self.clock)) else {
            return Conclusion::undetermined("rotation_absent").on(&basis);
        };
        let conclusion = match now.said {
            // The key's own kind says that it is supported.
            Said::Absent if known.is_some() => Conclusion::undetermined("sources_disagree"),
            Said::Absent => Conclusion::out_of_scope("rotation_not_supported"),
            Said::Known(enabled) => {
                let period = self.key_now(arn, |key| key.rotation_period.now(&self.clock));
                // It may have been switched off and on since, with another period: one that was too long may be so still.
                let (is_old, was) =
                    period.as_ref().map_or((false, None), |it| (!it.may_tell_since(now.at), it.known()));
                let period = period.filter(|_| !is_old);
                match period.map_or(Ok(None), |period| period.if_said("rotation_absent")) {
                    Ok(None) if *enabled && is_old && was.is_some_and(|days| *days > most_days) => {
                        Conclusion::undetermined("rotation_absent")
                    }
                    Ok(period) => rotated(*enabled, period.copied(), known, most_days),
                    Err(reason) => Conclusion::undetermined(reason),
                }
            }
            _ => Conclusion::undetermined(now.why("rotation_absent")),
        };
        let expected = if most_days == u32::MAX { "on".to_owned() } else { format!("{most_days}d") };
        conclusion.expected(expected).on(&basis).on(&Basis::of(&now))
    }

    fn tags(&self, arn: &str) -> Conclusion {
        let wanted = &self.policy.key.tags;
        let Some(now) = self.key_now(arn, |key| key.tags.now(&self.clock)) else {
            return Conclusion::undetermined("tags_absent");
        };
        let missing = |tags: &std::collections::BTreeMap<String, String>| -> Vec<&str> {
            wanted.iter().filter(|tag| !tags.contains_key(*tag)).map(String::as_str).collect()
        };
        let conclusion = match now.said {
            Said::Known(tags) => {
                let missing = missing(tags);
                let shown: Vec<String> =
                    wanted.iter().filter_map(|tag| Some(format!("{tag}={}", tags.get(tag)?))).collect();
                Conclusion::holds(missing.is_empty(), "tag_missing").actual(shown.join(" "))
            }
            // The tag that is missing can be on the next page.
            Said::Incomplete(tags) if missing(tags).is_empty() => Conclusion::compliant(),
            _ => Conclusion::undetermined(now.why("tags_absent")),
        };
        conclusion.expected(wanted.join(" ")).on(&Basis::of(&now))
    }

    /// Whether the trail of a stranger could encrypt under it.
    fn encrypt_scope(&self, arn: &str, region: &str) -> Conclusion {
        let (policy, basis) = match self.key_policy(arn) {
            Ok(policy) => policy,
            Err(conclusion) => return conclusion,
        };
        let text =
            self.key_now(arn, |key| key.policy.now(&self.clock)).and_then(|now| now.known()).map_or("", |text| text);
        let strangers = Strangers::of(self, &policy, text, partition_of(region));
        strangers.conclude(|asker, _| asker.with_key(&policy, "kms:GenerateDataKey", arn).outcome()).on(&basis)
    }
}

/// Whether a key is one for symmetric encryption; nothing where its kind is none that is known.
fn is_symmetric(metadata: &KeyMetadata) -> Option<bool> {
    const FAMILIES: [&str; 5] = ["RSA_", "ECC_", "HMAC_", "ML_DSA_", "SM2"];
    match (metadata.spec.as_str(), metadata.usage.as_str()) {
        (spec, _) if FAMILIES.iter().any(|family| spec.starts_with(family)) => Some(false),
        (_, "SIGN_VERIFY" | "GENERATE_VERIFY_MAC" | "KEY_AGREEMENT") => Some(false),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT") => Some(true),
        _ => None,
    }
}

/// Whether KMS can rotate such a key; nothing where its kind is none that is known.
fn can_rotate(metadata: &KeyMetadata) -> Option<bool> {
    match metadata.origin.as_str() {
        "AWS_KMS" => is_symmetric(metadata),
        "EXTERNAL" | "AWS_CLOUDHSM" | "EXTERNAL_KEY_STORE" => Some(false),
        _ => is_symmetric(metadata).filter(|is_symmetric| !is_symmetric),
    }
}

fn rotated(enabled: bool, period: Option<u32>, metadata: Option<&KeyMetadata>, most_days: u32) -> Conclusion {
    const USUAL_DAYS: u32 = 365;
    let is_going = metadata.is_some_and(|metadata| metadata.state.starts_with("Pending"));
    let conclusion = match (enabled, period) {
        // While deletion is pending, KMS says that rotation is off, whatever it was.
        (false, _) if is_going => Conclusion::undetermined("rotation_masked"),
        (false, _) if metadata.is_none() => Conclusion::undetermined("rotation_absent"),
        (false, _) => Conclusion::violation("rotation_off"),
        (true, Some(days)) => Conclusion::holds(days <= most_days, "rotation_period_too_long"),
        (true, None) if most_days < USUAL_DAYS => Conclusion::undetermined("rotation_absent"),
        (true, None) => Conclusion::compliant(),
    };
    let actual = match (enabled, period) {
        (false, _) => "off".to_owned(),
        (true, Some(days)) => format!("{days}d"),
        (true, None) => "on".to_owned(),
    };
    conclusion.actual(actual)
}

/// Whether CloudTrail can use a key in this state.
fn usable(metadata: &KeyMetadata, as_of: Timestamp) -> Conclusion {
    let has_expired = metadata.valid_to.is_some_and(|valid_to| valid_to <= as_of);
    let conclusion = match metadata.state.as_str() {
        "Enabled" if metadata.enabled == Some(false) => Conclusion::undetermined("key_state_unknown"),
        _ if has_expired => Conclusion::violation("key_unavailable"),
        // While the primary of a multi-Region key is changed, it can be used.
        "Enabled" | "Updating" => Conclusion::compliant(),
        "Disabled" => Conclusion::violation("key_disabled"),
        "PendingDeletion" | "PendingReplicaDeletion" => Conclusion::violation("key_pending_deletion"),
        "Creating" | "PendingImport" | "Unavailable" => Conclusion::violation("key_unavailable"),
        _ => Conclusion::undetermined("key_state_unknown"),
    };
    let conclusion = match () {
        () if conclusion.verdict != Verdict::Compliant => conclusion,
        () if [&metadata.spec, &metadata.usage, &metadata.manager].iter().any(|text| text.is_empty()) => {
            Conclusion::undetermined("key_metadata_incomplete")
        }
        () if is_symmetric(metadata) == Some(false) => Conclusion::violation("key_not_symmetric"),
        () if metadata.manager == "AWS" => Conclusion::violation("key_aws_managed"),
        () if is_symmetric(metadata).is_none() || metadata.manager != "CUSTOMER" => {
            Conclusion::undetermined("key_metadata_incomplete")
        }
        () => conclusion,
    };
    conclusion.actual(format!("{} {}", metadata.state, metadata.spec))
}
