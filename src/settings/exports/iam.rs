//! `iam get-account-authorization-details`: who has which identity policies.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::settings::facts::{Identities, Identity, Members};

/// The principals of an account, each with the texts of its policies.
pub(super) fn identities(members: &Members<'_>) -> Option<Identities> {
    let details = |name| members.list(name).map(Vec::as_slice);
    let (users, roles) = (details("UserDetailList")?, details("RoleDetailList")?);
    let managed: BTreeMap<String, String> = details("Policies")?.iter().filter_map(managed_policy).collect();
    let groups: BTreeMap<String, Vec<String>> =
        details("GroupDetailList")?.iter().filter_map(|group| named_policies(group, "GroupName", &managed)).collect();
    let mut identities = Identities::default();
    for value in users.iter().chain(roles) {
        let principal = Members::of(value)?;
        let arn = principal.filled("Arn")?;
        let id = principal.filled("UserId").or_else(|| principal.filled("RoleId"));
        let mut policies = policies_of(value, &managed)?;
        let in_groups = if principal.get("GroupList").is_some() { principal.texts("GroupList")? } else { Vec::new() };
        for group in in_groups {
            // A group that is not in the answer may allow anything.
            policies.extend(groups.get(&group).cloned().unwrap_or_else(|| vec![String::new()]));
        }
        let has_boundary = principal.get("PermissionsBoundary").is_some();
        identities.principals.insert(arn, Identity { policies, has_boundary });
        identities.ids.extend(id);
    }
    Some(identities)
}

fn named_policies(value: &Value, name: &str, managed: &BTreeMap<String, String>) -> Option<(String, Vec<String>)> {
    Some((Members::of(value)?.filled(name)?, policies_of(value, managed)?))
}

/// The texts of the policies of a user, group or role.
fn policies_of(value: &Value, managed: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let principal = Members::of(value)?;
    let inline =
        ["UserPolicyList", "RolePolicyList", "GroupPolicyList"].into_iter().filter_map(|name| principal.list(name));
    // So may a policy without its text.
    let mut policies: Vec<String> = inline.flatten().map(|policy| inline_policy(policy).unwrap_or_default()).collect();
    for attached in principal.list("AttachedManagedPolicies").into_iter().flatten() {
        let arn = Members::of(attached)?.filled("PolicyArn")?;
        // A policy that is attached and not in the answer may allow anything.
        policies.push(managed.get(&arn).cloned().unwrap_or_default());
    }
    Some(policies)
}

fn inline_policy(value: &Value) -> Option<String> {
    Some(document(Members::of(value)?.get("PolicyDocument")?))
}

/// The version of a managed policy that is in force.
fn managed_policy(value: &Value) -> Option<(String, String)> {
    let policy = Members::of(value)?;
    let versions = policy.list("PolicyVersionList")?;
    let default = versions.iter().find_map(|version| {
        let version = Members::of(version)?;
        (version.flag("IsDefaultVersion") == Some(true)).then(|| version.get("Document").map(document)).flatten()
    });
    Some((policy.filled("Arn")?, default.unwrap_or_default()))
}

/// The text of a document, which the command line prints as an object.
fn document(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
