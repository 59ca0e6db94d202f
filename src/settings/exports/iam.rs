//! `iam get-account-authorization-details`: who has which identity policies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answers::put;
use crate::settings::facts::{Identities, Identity, Members};

/// The principals of an account, each with the texts of its policies.
pub(super) fn identities(members: &Members<'_>) -> Option<Identities> {
    let details = |name| members.list(name).map(Vec::as_slice);
    let (users, roles) = (details("UserDetailList")?, details("RoleDetailList")?);
    let managed = once(details("Policies")?.iter().filter_map(managed_policy))?;
    let groups = details("GroupDetailList")?.iter().filter_map(|group| named_policies(group, "GroupName", &managed));
    let groups = once(groups)?;
    let mut identities = Identities::default();
    for value in users.iter().chain(roles) {
        let principal = Members::of(value)?;
        let arn = principal.filled("Arn")?;
        let id = principal.filled("UserId").or_else(|| principal.filled("RoleId"));
        let mut policies = policies_of(value, &managed)?;
        let in_groups = if principal.list("GroupList").is_some() { principal.texts("GroupList")? } else { Vec::new() };
        for group in in_groups {
            // A group that is not in the answer may allow anything.
            policies.extend(groups.get(&group).cloned().unwrap_or_else(|| vec![String::new()]));
        }
        let has_boundary = principal.get("PermissionsBoundary").is_some();
        put(&mut identities.principals, arn, Identity { policies, has_boundary }).ok()?;
        identities.ids.extend(id);
    }
    Some(identities)
}

/// All by their names; nothing if two things are said of one.
fn once<V: PartialEq>(items: impl Iterator<Item = (String, V)>) -> Option<BTreeMap<String, V>> {
    let mut all = BTreeMap::new();
    for (name, value) in items {
        put(&mut all, name, value).ok()?;
    }
    Some(all)
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
    // IAM always says these, empty or not; what is left out may allow anything.
    let said = [("UserId", "GroupList"), ("RoleId", "RolePolicyList"), ("GroupId", "GroupPolicyList")];
    let is_left_out = |(id, name): &(&str, &str)| principal.get(id).is_some() && principal.list(name).is_none();
    if said.iter().any(is_left_out) || principal.list("AttachedManagedPolicies").is_none() {
        policies.push(String::new());
    }
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
    let is_default =
        |version: &Value| Members::of(version).is_none_or(|version| version.flag("IsDefaultVersion") != Some(false));
    let named = policy.filled("DefaultVersionId");
    // Two of them, or another than the one that is named, may be any.
    let default = match versions.iter().filter(|version| is_default(version)).collect::<Vec<_>>()[..] {
        [version] => Members::of(version)
            .filter(|version| named.is_none() || version.filled("VersionId") == named)
            .filter(|version| version.flag("IsDefaultVersion") == Some(true))
            .and_then(|version| version.get("Document").map(document)),
        _ => None,
    };
    Some((policy.filled("Arn")?, default.unwrap_or_default()))
}

/// The text of a document, which the command line prints as an object.
fn document(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The texts of the policies of a role with one managed policy, after a change. An empty one may allow anything.
    fn policies(change: impl FnOnce(&mut Value, &mut Value)) -> Vec<String> {
        let arn = "arn:aws:iam::111122223333:policy/p";
        let mut policy = json!({"Arn": arn, "DefaultVersionId": "v1", "PolicyVersionList": [
            {"VersionId": "v1", "IsDefaultVersion": true, "Document": "first"},
            {"VersionId": "v2", "IsDefaultVersion": false, "Document": "second"},
        ]});
        let mut role = json!({
            "Arn": "arn:aws:iam::111122223333:role/r", "RoleId": "AROA", "RolePolicyList": [],
            "AttachedManagedPolicies": [{"PolicyArn": arn}],
        });
        change(&mut role, &mut policy);
        let answer =
            json!({"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [role], "Policies": [policy]});
        let identities = identities(&Members::of(&answer).expect("members")).expect("identities");
        identities.principals.into_values().flat_map(|identity| identity.policies).collect()
    }

    #[test]
    fn the_default_version_is_the_one_that_all_say() {
        assert_eq!(policies(|_, _| ()), ["first"]);
        let versions = |policy: &mut Value| policy["PolicyVersionList"].as_array().expect("a list").clone();
        assert_eq!(policies(|_, policy| policy["DefaultVersionId"] = json!("v2")), [""]);
        assert_eq!(policies(|_, policy| policy["DefaultVersionId"] = json!("v3")), [""]);
        assert_eq!(policies(|_, policy| policy["PolicyVersionList"][1]["IsDefaultVersion"] = json!(true)), [""]);
        assert_eq!(policies(|_, policy| policy["PolicyVersionList"][0]["IsDefaultVersion"] = json!("yes")), [""]);
        assert_eq!(policies(|_, policy| policy["PolicyVersionList"] = json!(versions(policy)[1..])), [""]);
    }

    #[test]
    fn a_list_that_is_left_out_may_hold_anything() {
        assert!(policies(|role, _| role["RolePolicyList"] = Value::Null).contains(&String::new()));
        assert!(policies(|role, _| role["AttachedManagedPolicies"] = Value::Null).contains(&String::new()));
    }
}
