//! What other tools say of settings: Security Hub, Prowler, Powerpipe. It is only compared, never believed.

use serde_json::Value;

use crate::settings::facts::{Fact, Finding, Members};

/// The findings of `securityhub get-findings`, OCSF or Powerpipe, if a value holds any.
pub(super) fn findings(value: &Value) -> Option<Vec<Fact>> {
    if let Some(list) = Members::of(value).and_then(|members| members.list("Findings")) {
        return Some(list.iter().filter_map(security_hub).map(Fact::Finding).collect());
    }
    if is_powerpipe(value) {
        return Some(powerpipe(value));
    }
    let list = match value {
        Value::Array(list) if list.first().is_some_and(is_ocsf) => list.as_slice(),
        one if is_ocsf(one) => std::slice::from_ref(one),
        _ => return None,
    };
    Some(list.iter().flat_map(ocsf).map(Fact::Finding).collect())
}

fn security_hub(value: &Value) -> Option<Finding> {
    let finding = Members::of(value)?;
    let compliance = finding.get("Compliance").and_then(Members::of)?;
    let control = compliance.filled("SecurityControlId").or_else(|| {
        // Without consolidated findings the id of the generator ends in the control, or in the rule of CIS.
        let generator = finding.text("GeneratorId")?;
        let last = generator.rsplit('/').next()?;
        let name = cis_rule(last).unwrap_or(last);
        Some(name.to_owned())
    })?;
    let resource = finding.list("Resources")?.first().and_then(Members::of)?.filled("Id")?;
    let is_archived = finding.text("RecordState") == Some("ARCHIVED");
    let passed = match compliance.text("Status")? {
        _ if is_archived => return None,
        "PASSED" => Some(true),
        "FAILED" => Some(false),
        // Neither NOT_AVAILABLE nor WARNING is a pass.
        _ => None,
    };
    Some(Finding { control, resource, passed, tool: "Security Hub".into() })
}

/// The control behind a rule of the CIS 1.2 standard, as its findings name it.
fn cis_rule(rule: &str) -> Option<&'static str> {
    match rule {
        "2.1" => Some("CloudTrail.1"),
        "2.2" => Some("CloudTrail.4"),
        "2.3" => Some("CloudTrail.6"),
        "2.4" => Some("CloudTrail.5"),
        "2.6" => Some("CloudTrail.7"),
        "2.7" => Some("CloudTrail.2"),
        "2.8" => Some("KMS.4"),
        _ => None,
    }
}

/// The control that a check of Prowler is about.
fn prowler_check(check: &str) -> Option<&'static str> {
    match check {
        "cloudtrail_kms_encryption_enabled" => Some("CloudTrail.2"),
        "cloudtrail_log_file_validation_enabled" => Some("CloudTrail.4"),
        "cloudtrail_cloudwatch_logging_enabled" => Some("CloudTrail.5"),
        "kms_cmk_rotation_enabled" => Some("KMS.4"),
        _ => None,
    }
}

fn is_ocsf(value: &Value) -> bool {
    Members::of(value).is_some_and(|it| it.get("finding_info").is_some() && it.get("resources").is_some())
}

fn ocsf(value: &Value) -> Vec<Finding> {
    let find = || {
        let finding = Members::of(value)?;
        let metadata = finding.get("metadata").and_then(Members::of)?;
        let control = prowler_check(metadata.text("event_code")?)?;
        let passed = match finding.text("status_code")? {
            "PASS" => Some(true),
            "FAIL" => Some(false),
            _ => None,
        };
        let resources = finding.list("resources")?.iter().filter_map(|resource| Members::of(resource)?.filled("uid"));
        let made = |resource| Finding { control: control.into(), resource, passed, tool: "Prowler".into() };
        Some(resources.map(made).collect())
    };
    find().unwrap_or_default()
}

/// The rows of Prowler's CSV, whose cells are parted by semicolons.
pub(super) fn prowler(text: &str) -> Option<Vec<Fact>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next()?.split(';').collect();
    let column = |name: &str| header.iter().position(|known| known.trim_matches('"') == name);
    let (check, status, resource) = (column("CHECK_ID")?, column("STATUS")?, column("RESOURCE_UID")?);
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(';').map(|cell| cell.trim_matches('"')).collect();
        let control = prowler_check(cells.get(check)?)?.to_owned();
        let passed = match *cells.get(status)? {
            "PASS" => Some(true),
            "FAIL" => Some(false),
            _ => None,
        };
        Some(Fact::Finding(Finding {
            control,
            resource: (*cells.get(resource)?).into(),
            passed,
            tool: "Prowler".into(),
        }))
    };
    Some(lines.filter_map(row).collect())
}

fn is_powerpipe(value: &Value) -> bool {
    Members::of(value).is_some_and(|it| it.list("groups").is_some() || it.list("controls").is_some())
}

/// The control that one of Powerpipe's is about.
fn powerpipe_control(id: &str) -> Option<&'static str> {
    match id.rsplit('.').next()? {
        "cloudtrail_trail_logs_encrypted_with_kms_cmk" => Some("CloudTrail.2"),
        "cloudtrail_trail_validation_enabled" => Some("CloudTrail.4"),
        "kms_cmk_rotation_enabled" => Some("KMS.4"),
        _ => None,
    }
}

/// Groups hold groups and controls; the depth of JSON is bounded already.
fn powerpipe(value: &Value) -> Vec<Fact> {
    let (mut waiting, mut facts) = (vec![value], Vec::new());
    while let Some(members) = waiting.pop().and_then(Members::of) {
        for name in ["groups", "controls"] {
            waiting.extend(members.list(name).into_iter().flatten());
        }
        let control = members.text("control_id").and_then(powerpipe_control);
        for result in members.list("results").into_iter().flatten().filter_map(Members::of) {
            let passed = match result.text("status") {
                Some("ok") => Some(true),
                Some("alarm") => Some(false),
                _ => None,
            };
            let finding = control.zip(result.filled("resource")).map(|(control, resource)| {
                Fact::Finding(Finding { control: control.into(), resource, passed, tool: "Powerpipe".into() })
            });
            facts.extend(finding);
        }
    }
    facts
}
