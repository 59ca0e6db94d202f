//! Campaigns whose figures were worked out by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

use super::*;
use crate::amounts::Amount;
use crate::policy::KeyArn;
use crate::remediation::{
    Group, GroupKind, Holds, Lane, NoTarget, Retention, StorageClass, Target, TargetMethod, VersionState, Why,
};
use crate::sinks::GroupFile;
use crate::timestamp::{Month, Timestamp};

static KEY: LazyLock<KeyArn> = LazyLock::new(|| {
    KeyArn::parse("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab").expect("an ARN")
});
const MILLION: u64 = 1_000_000;
const GIB: u64 = 1 << 30;
const TB: u64 = 1_000_000_000_000;

/// A group in one bucket that is to become SSE-KMS without a Bucket Key.
pub(crate) fn group(lane: Lane) -> Group {
    let kind = GroupKind {
        lane,
        version: None,
        class: None,
        target: Some(Target { method: TargetMethod::SseKms, bucket_key: false }),
        has_versions: true,
        is_undetermined: false,
    };
    kind.of_bucket("org-audit-logs")
}

/// The same group with something changed.
fn with(group: Group, change: impl Fn(&mut GroupKind)) -> Group {
    let mut changed = group;
    change(&mut changed.kind);
    changed
}

fn copies(lane: Lane, class: StorageClass, version: VersionState) -> Group {
    with(group(lane), |kind| (kind.class, kind.version) = (Some(class), Some(version)))
}

/// Each group with one file.
pub(crate) fn found(groups: &[(Group, Amount)]) -> CampaignInput<'static> {
    let file = |(group, amount): &(Group, Amount)| GroupFile {
        group: group.clone(),
        path: format!("{}/{}-0001.csv", group.folder(), group.stem()),
        objects: amount.objects,
        len: amount.objects.saturating_mul(80),
        md5: "0123456789abcdef0123456789abcdef".to_owned(),
    };
    let mut reasons: BTreeMap<(Lane, Why), Amount> = BTreeMap::new();
    groups
        .iter()
        .for_each(|(group, amount)| reasons.entry((group.kind.lane, why(group.kind.lane))).or_default().add(*amount));
    CampaignInput {
        groups: groups.iter().cloned().collect(),
        reasons,
        free: BTreeMap::new(),
        retained: BTreeMap::new(),
        files: groups.iter().map(file).collect(),
        missing: BTreeSet::new(),
        key: Some(&KEY),
        as_of: Timestamp::from_date(2026, 11, 1).expect("a day"),
        restore: Restore::default(),
    }
}

fn why(lane: Lane) -> Why {
    match lane {
        Lane::UpdateEncryption | Lane::Copy => Why::Plain,
        Lane::RestoreThenCopy => Why::Archived,
        Lane::MultipartCopy => Why::Large,
        Lane::OwnerKey => Why::CustomerKey,
        Lane::Blocked => Why::Locked(Holds { legal_hold: true, ..Holds::default() }),
        Lane::NoTarget => Why::NoTarget(NoTarget::NoRule),
    }
}

/// Something in every lane and in every step.
pub(crate) fn everything() -> CampaignInput<'static> {
    use StorageClass::{DeepArchive, Glacier, ReducedRedundancy, StandardIa};
    let amount = |objects: u64| Amount { objects, bytes: objects * 1000 };
    let dsse = Target { method: TargetMethod::DsseKms, bucket_key: false };
    let mut found = found(&[
        (group(Lane::UpdateEncryption), amount(1000)),
        (copies(Lane::Copy, StandardIa, VersionState::Current), amount(200)),
        (copies(Lane::Copy, ReducedRedundancy, VersionState::Noncurrent), amount(300)),
        (
            with(copies(Lane::RestoreThenCopy, Glacier, VersionState::Noncurrent), |kind| kind.target = Some(dsse)),
            amount(40),
        ),
        (copies(Lane::RestoreThenCopy, DeepArchive, VersionState::Current), amount(50)),
        (copies(Lane::MultipartCopy, StandardIa, VersionState::Current), Amount { objects: 6, bytes: 36 * GIB }),
        (group(Lane::OwnerKey), amount(7)),
        (group(Lane::Blocked), amount(80)),
        (group(Lane::NoTarget), amount(9)),
    ]);
    let month = |year| Timestamp::from_date(year, 3, 1).expect("a day").month();
    found.free = [(month(2027), amount(60)), (month(2030), amount(15))].into_iter().collect();
    let compliance = Holds { retention: Some(Retention::Compliance), ..Holds::default() };
    found.reasons.remove(&(Lane::Blocked, why(Lane::Blocked)));
    found.reasons.insert((Lane::Blocked, Why::Locked(compliance)), amount(75));
    found.reasons.insert((Lane::Blocked, Why::Locked(Holds { legal_hold: true, ..compliance })), amount(5));
    found.missing = Missing::ALL.into_iter().filter(|what| *what != Missing::Size).collect();
    found
}

fn prices() -> Prices {
    Prices::built_in().expect("prices")
}

/// The prices without the lines that contain a text.
fn prices_without(text: &str) -> Prices {
    let lines = Prices::BUILT_IN.lines().filter(|line| !line.contains(text));
    Prices::parse(&lines.collect::<Vec<_>>().join("\n")).expect("prices")
}

fn plan(found: &CampaignInput<'_>) -> Value {
    plan_with(found, &prices())
}

fn plan_with(found: &CampaignInput<'_>, prices: &Prices) -> Value {
    serde_json::to_value(Campaign::new(found, prices)).expect("written")
}

fn bounds(plan: &Value, item: &str) -> (String, String) {
    let usd = if item == "total" { &plan["cost"][item] } else { &plan["cost"][item]["usd"] };
    let text = |bound: &str| usd[bound].as_str().expect("a text").to_owned();
    (text("low"), text("high"))
}

#[track_caller]
fn assert_costs(plan: &Value, expected: &[(&str, &str, &str)]) {
    for (item, low, high) in expected {
        assert_eq!(bounds(plan, item), ((*low).to_owned(), (*high).to_owned()), "{item}: {:#}", plan["cost"][item]);
    }
}

fn formulas(plan: &Value, item: &str) -> Vec<String> {
    let terms = plan["cost"][item]["terms"].as_array().expect("terms");
    terms.iter().map(|term| term["formula"].as_str().expect("a formula").to_owned()).collect()
}

fn updates(objects: u64) -> CampaignInput<'static> {
    found(&[(group(Lane::UpdateEncryption), Amount { objects, bytes: TB })])
}

#[test]
fn a_million_updates_cost_what_the_worked_example_says() {
    let plan = plan(&updates(MILLION));
    assert_costs(
        &plan,
        &[
            ("requests", "5.000000", "5.000000"),
            ("batch_operations", "1.250000", "1.250000"),
            ("kms", "3.000000", "6.000000"),
            ("retrieval", "0.000000", "0.000000"),
            ("restore", "0.000000", "0.000000"),
            ("early_deletion", "0.000000", "0.000000"),
            ("total", "9.250000", "12.250000"),
        ],
    );
    assert_eq!(formulas(&plan, "requests"), ["1,000,000 requests / 1,000 x 0.005 USD"]);
    assert_eq!(formulas(&plan, "batch_operations"), ["1 job x 0.25 USD", "1,000,000 objects / 1,000,000 x 1 USD"]);
    assert_eq!(formulas(&plan, "kms"), ["1,000,000 objects x 1 to 2 requests / 10,000 x 0.03 USD"]);
    let names = &plan["cost"]["kms"]["terms"][0]["prices"];
    assert_eq!(*names, serde_json::json!(["kms.update.low", "kms.update.high", "kms.per_10000"]));
    assert_eq!(plan["prices"]["used"]["kms.update.high"], serde_json::json!({"value": "2", "assumption": true}));
    assert_eq!(plan["prices"]["used"]["kms.per_10000"], serde_json::json!({"value": "0.03", "assumption": false}));
}

#[test]
fn a_bucket_key_saves_requests_to_the_new_key_only() {
    let target = Some(Target { method: TargetMethod::SseKms, bucket_key: true });
    let updates = with(group(Lane::UpdateEncryption), |kind| kind.target = target);
    let plan = plan(&found(&[(updates, Amount { objects: MILLION, bytes: 0 })]));
    // 10,000 to 1,010,000 requests.
    assert_costs(&plan, &[("kms", "0.030000", "3.030000"), ("total", "6.280000", "9.280000")]);
}

#[test]
fn archives_are_restored_and_then_copied() {
    let archive = copies(Lane::RestoreThenCopy, StorageClass::DeepArchive, VersionState::Current);
    let mut found = found(&[(archive, Amount { objects: MILLION, bytes: TB })]);
    let bulk = plan(&found);
    assert_costs(
        &bulk,
        &[
            ("requests", "50.000000", "50.000000"),
            // Two jobs, of a million objects each.
            ("batch_operations", "2.500000", "2.500000"),
            ("kms", "3.000000", "6.000000"),
            // 1,000 GB.
            ("retrieval", "2.500000", "2.500000"),
            // Requests, and 1,000 GB for 7 of 30 days at the price of STANDARD: 25 + 5.3666...
            ("restore", "30.366667", "30.366667"),
            // 1,040.96 GB for 180 days.
            ("early_deletion", "0.000000", "6.183302"),
            ("total", "88.366667", "97.549969"),
        ],
    );
    // 1,000 seconds and 48 hours.
    assert_eq!(bulk["time"]["restore"]["seconds"], 173_800);
    assert_eq!(bulk["time"]["total"]["seconds"], 173_800 + 286);
    found.restore = Restore { tier: RestoreTier::Standard, days: 3 };
    // 1,000 GB x 0.02; 100 + 1,000 x 0.023 / 10.
    let standard = plan(&found);
    assert_costs(&standard, &[("retrieval", "20.000000", "20.000000"), ("restore", "102.300000", "102.300000")]);
    assert_eq!(standard["time"]["restore"]["seconds"], 1000 + 12 * 3600);
}

#[test]
fn intelligent_tiering_is_restored_for_nothing() {
    let tier = copies(Lane::RestoreThenCopy, StorageClass::IntelligentTiering, VersionState::Current);
    let plan = plan(&found(&[(tier, Amount { objects: MILLION, bytes: TB })]));
    let nought = |item| (item, "0.000000", "0.000000");
    assert_costs(&plan, &[nought("retrieval"), nought("restore"), nought("early_deletion")]);
}

#[test]
fn copies_cost_what_their_class_costs() {
    let copy = |class| (copies(Lane::Copy, class, VersionState::Current), Amount { objects: MILLION, bytes: TB });
    let costs = |class| plan(&found(&[copy(class)]));
    let ia = costs(StorageClass::StandardIa);
    // 1,000 GB x 0.01; (1,000 + 131.072) GB x 0.0125.
    assert_costs(&ia, &[("requests", "10.000000", "10.000000"), ("retrieval", "10.000000", "10.000000")]);
    assert_costs(&ia, &[("early_deletion", "0.000000", "14.138400")]);
    let reduced = costs(StorageClass::ReducedRedundancy);
    assert_costs(&reduced, &[("requests", "5.000000", "5.000000"), ("early_deletion", "0.000000", "0.000000")]);
    let both = plan(&found(&[copy(StorageClass::ReducedRedundancy), copy(StorageClass::Standard)]));
    assert_eq!(formulas(&both, "requests"), ["2,000,000 requests / 1,000 x 0.005 USD"]);
    let sse_s3 = Some(Target { method: TargetMethod::SseS3, bucket_key: false });
    let (group, amount) = copy(StorageClass::Standard);
    let plan = plan(&found(&[(with(group, |kind| kind.target = sse_s3), amount)]));
    assert_costs(&plan, &[("kms", "0.000000", "3.000000")]);
}

#[test]
fn copies_in_parts_are_counted_by_their_parts() {
    let large = copies(Lane::MultipartCopy, StorageClass::Standard, VersionState::Current);
    let mut found = found(&[(large, Amount { objects: 10, bytes: 100 * GIB })]);
    // 20 parts of 5 GiB and 2 x 10; at most 12,800 parts of 8 MiB, 10 broken ones and 2 x 10.
    let known = plan(&found);
    assert_eq!(formulas(&known, "requests"), ["40 to 12,830 requests / 1,000 x 0.005 USD"]);
    assert_costs(&known, &[("requests", "0.000200", "0.064150"), ("kms", "0.000060", "0.076860")]);
    assert_costs(&known, &[("batch_operations", "0.000000", "0.000000")]);
    assert_eq!(known["time"]["request_rate"]["seconds"], 0);
    found.reasons.insert((Lane::MultipartCopy, Why::SizeUnknown), Amount { objects: 1, bytes: 0 });
    assert_costs(&plan(&found), &[("requests", "0.000200", "unknown"), ("kms", "0.000060", "unknown")]);
}

#[test]
fn the_slower_of_two_bounds_counts() {
    let plan_of = |quota: &str| {
        let text = Prices::BUILT_IN.replace("us-east-1 = 100000", quota);
        plan_with(&updates(100 * MILLION), &Prices::parse(&text).expect("prices"))
    };
    let by_rate = plan_of("us-east-1 = 100000");
    assert_eq!(by_rate["time"]["request_rate"]["formula"], "100,000,000 requests / 3,500 a second");
    assert_eq!(by_rate["time"]["kms"]["formula"], "200,000,000 requests / 100,000 a second");
    assert_eq!(
        (&by_rate["time"]["kms"]["seconds"], &by_rate["time"]["total"]["seconds"]),
        (&2000.into(), &28_572.into())
    );
    assert_eq!(by_rate["time"]["total"]["text"], "7.9 h");
    let by_kms = plan_of("us-east-1 = 5000");
    assert_eq!(by_kms["time"]["total"]["seconds"], 40_000);
    // A Region without a line of its own has the default.
    let default = plan_of("");
    assert_eq!(default["time"]["kms"]["prices"][0], "kms.requests_per_second.default");
    assert_eq!(default["time"]["kms"]["seconds"], 20_000);
}

#[test]
fn what_has_no_price_is_unknown_and_never_nought() {
    let nothing = Prices::parse("date = 2026-01-31\nsource = \"nobody\"\n").expect("prices");
    let plan = plan_with(&everything(), &nothing);
    let items = ["requests", "batch_operations", "kms", "retrieval", "restore", "early_deletion", "total"];
    items.iter().for_each(|item| assert_costs(&plan, &[(item, "unknown", "unknown")]));
    for part in ["request_rate", "kms", "restore", "total"] {
        assert_eq!((&plan["time"][part]["seconds"], &plan["time"][part]["text"]), (&Value::Null, &"unknown".into()));
    }
    let used = plan["prices"]["used"].as_object().expect("prices");
    assert!(!used.is_empty() && used.values().all(|line| line["value"] == "unknown"), "{used:?}");
}

#[test]
fn one_absent_price_leaves_a_lower_bound() {
    let plan = plan_with(&updates(MILLION), &prices_without("per_10000"));
    assert_costs(&plan, &[("kms", "unknown", "unknown"), ("total", "6.250000", "unknown")]);
    assert_eq!(formulas(&plan, "kms"), ["1,000,000 objects x 1 to 2 requests / 10,000 x unknown USD"]);
}

#[test]
fn without_sizes_whatever_depends_on_bytes_is_unknown() {
    let copy = |class| (copies(Lane::Copy, class, VersionState::Current), Amount { objects: MILLION, bytes: 0 });
    let mut found = found(&[copy(StorageClass::GlacierIr)]);
    found.missing.insert(Missing::Size);
    let plan_ir = plan(&found);
    assert_costs(&plan_ir, &[("retrieval", "unknown", "unknown"), ("early_deletion", "0.000000", "unknown")]);
    // Reading STANDARD costs nothing, whatever its size.
    let mut found = self::found(&[copy(StorageClass::Standard)]);
    found.missing.insert(Missing::Size);
    assert_costs(&plan(&found), &[("retrieval", "0.000000", "0.000000"), ("total", "9.250000", "12.250000")]);
}

#[test]
fn a_class_that_nobody_knows_has_no_price() {
    let odd = copies(Lane::MultipartCopy, StorageClass::Other, VersionState::Current);
    let plan = plan(&found(&[(odd, Amount { objects: 1, bytes: 1 })]));
    let unknown = |item| (item, "unknown", "unknown");
    assert_costs(&plan, &[unknown("requests"), unknown("retrieval"), unknown("early_deletion")]);
    assert_eq!(plan["cost"]["requests"]["terms"][0]["prices"], serde_json::json!([]));
}

#[test]
fn every_lane_is_counted() {
    let plan = plan(&everything());
    let expected = [
        ("update-encryption", 1000, 1, 1),
        ("copy", 500, 2, 2),
        ("restore-then-copy", 90, 2, 4),
        ("multipart-copy", 6, 0, 0),
        ("owner-key", 7, 0, 0),
        ("blocked", 80, 0, 0),
        ("no-target", 9, 0, 0),
    ];
    for (lane, objects, manifests, jobs) in expected {
        let line = &plan["lanes"][lane];
        assert_eq!(
            (&line["objects"], &line["manifests"], &line["jobs"]),
            (&objects.into(), &manifests.into(), &jobs.into())
        );
    }
    assert_eq!((&plan["total"]["objects"], &plan["total"]["jobs"]), (&1692.into(), &7.into()));
    assert_eq!(plan["headline"], "Jobs can put right 1,590 objects; 102 objects for people.");
    assert_eq!(plan["groups"].as_array().map(Vec::len), Some(9));
    assert_eq!(plan["groups"][0]["files"][0]["path"], "update-encryption/org-audit-logs/sse-kms-0001.csv");
}

#[test]
fn current_versions_are_copied_when_all_noncurrent_ones_are() {
    let campaign = Campaign::new(&everything(), &prices());
    let jobs: Vec<_> = campaign.jobs.iter().map(|job| (job.order, job.step, job.operation, job.lane)).collect();
    let expected = [
        (1, Step::Restore, Operation::Restore, Lane::RestoreThenCopy),
        (2, Step::Restore, Operation::Restore, Lane::RestoreThenCopy),
        (3, Step::Update, Operation::Update, Lane::UpdateEncryption),
        (4, Step::CopyNoncurrent, Operation::Copy, Lane::Copy),
        (5, Step::CopyNoncurrent, Operation::Copy, Lane::RestoreThenCopy),
        (6, Step::CopyCurrent, Operation::Copy, Lane::Copy),
        (7, Step::CopyCurrent, Operation::Copy, Lane::RestoreThenCopy),
    ];
    assert_eq!(jobs, expected);
    let steps: Vec<_> = campaign.steps.iter().map(|step| (step.step, step.jobs, step.objects)).collect();
    let expected =
        [(Step::Restore, 2, 90), (Step::Update, 1, 1000), (Step::CopyNoncurrent, 2, 340), (Step::CopyCurrent, 2, 250)];
    assert_eq!(steps, expected);
}

#[test]
fn blocked_objects_have_a_month_or_none() {
    let plan = plan(&everything());
    let blocked = &plan["blocked"];
    assert_eq!(blocked["free"][0], serde_json::json!({"month": "2027-03", "objects": 60, "bytes": 60_000}));
    assert_eq!(blocked["free"][1]["month"], "2030-03");
    assert_eq!((&blocked["objects"], &blocked["without_date"]["objects"]), (&80.into(), &5.into()));
    let reasons = plan["reasons"].as_array().expect("reasons");
    let codes: Vec<_> =
        reasons.iter().filter(|line| line["lane"] == "blocked").map(|line| line["why"].as_str()).collect();
    assert_eq!(codes, [Some("compliance_retention"), Some("compliance_retention+legal_hold")]);
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    let mut whys = vec![
        Why::Plain,
        Why::Archived,
        Why::TierUnknown,
        Why::Large,
        Why::SizeUnknown,
        Why::ClassNotWritable,
        Why::CustomerKey,
    ];
    let no_targets = [NoTarget::NoRemediation, NoTarget::NoRule, NoTarget::KeyNotAllowed, NoTarget::OnlySseC];
    whys.extend(no_targets.map(Why::NoTarget));
    for retention in [None, Some(Retention::Compliance), Some(Retention::Governance), Some(Retention::Unknown)] {
        for (legal_hold, event_hold) in [(false, false), (true, false), (false, true), (true, true)] {
            whys.push(Why::Locked(Holds { retention, legal_hold, event_hold }));
        }
    }
    whys.retain(|why| *why != Why::Locked(Holds::default()));
    let number = whys.len();
    let mut found = found(&[]);
    found.reasons = whys.into_iter().map(|why| ((Lane::Blocked, why), Amount { objects: 1, bytes: 1 })).collect();
    let campaign = Campaign::new(&found, &prices());
    let codes: BTreeSet<_> = campaign.reasons.iter().map(|line| line.why.clone()).collect();
    let texts: BTreeSet<_> = campaign.reasons.iter().map(|line| line.text.clone()).collect();
    assert_eq!((codes.len(), texts.len()), (number, number));
    assert!(codes.iter().chain(&texts).all(|text| !text.is_empty()));
}

#[test]
fn nothing_found_means_nothing_to_do() {
    let (empty, full) = (plan(&found(&[])), plan(&everything()));
    assert_eq!(empty["headline"], "Nothing is to be done: no object needs remediation.");
    assert_costs(&empty, &[("total", "0.000000", "0.000000")]);
    assert_eq!(empty["time"]["total"]["seconds"], 0);
    for list in ["jobs", "groups", "steps", "notes", "missing", "reasons"] {
        assert_eq!(empty[list], serde_json::json!([]), "{list}");
    }
    // All keys are there, whatever was found.
    let keys = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
    assert_eq!(keys(&empty), keys(&full));
    for object in ["lanes", "cost", "time", "blocked", "prices"] {
        assert_eq!(keys(&empty[object]), keys(&full[object]), "{object}");
    }
    assert_eq!((&empty["schema"], keys(&empty["lanes"]).map(|lanes| lanes.len())), (&"logseal.plan/1".into(), Some(7)));
}

#[test]
fn only_people_can_act_where_there_are_no_jobs() {
    let plan = plan(&found(&[(group(Lane::Blocked), Amount::object(1))]));
    assert_eq!(plan["headline"], "No job can put right what was found: 1 object for people.");
    assert_costs(&plan, &[("total", "0.000000", "0.000000")]);
}

#[test]
fn the_order_of_files_does_not_show() {
    let text =
        |found: &CampaignInput<'_>| serde_json::to_string_pretty(&Campaign::new(found, &prices())).expect("written");
    let (mut one, mut other) = (everything(), everything());
    let (first, second) = (one.files[0].clone(), "update-encryption/org-audit-logs/sse-kms-0002.csv".to_owned());
    one.files.push(GroupFile { path: second.clone(), ..first.clone() });
    other.files.insert(0, GroupFile { path: second, ..first });
    other.files.reverse();
    assert_eq!(text(&one), text(&other));
}

#[test]
fn notes_are_about_what_is_there() {
    let codes = |found: &CampaignInput<'_>| {
        let campaign = Campaign::new(found, &prices());
        campaign.notes.iter().map(|note| note.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(&updates(1)), ["manifest_upload", "update_keeps", "estimates"]);
    let all = codes(&everything());
    let expected =
        ["dsse", "new_versions", "noncurrent_copies", "copy_settings", "reduced_redundancy", "large_archives"];
    assert!(expected.iter().all(|code| all.contains(code)), "{all:?}");
    assert!(!all.contains(&"undetermined") && !all.contains(&"bucket_key"));
    let elsewhere = KeyArn::parse(&KEY.as_str().replace("us-east-1", "eu-west-1")).expect("an ARN");
    assert!(codes(&CampaignInput { key: Some(&elsewhere), ..updates(1) }).contains(&"other_region"));
}

#[test]
fn numbers_beyond_all_bounds_do_no_harm() {
    let most = Amount { objects: u64::MAX, bytes: u64::MAX };
    let groups: Vec<_> = everything().groups.into_keys().map(|group| (group, most)).collect();
    let mut found = found(&groups);
    found.free = [(Month::from_index(0), most), (Month::from_index(1), most)].into_iter().collect();
    let plan = plan(&found);
    assert_eq!(plan["total"]["objects"], u64::MAX);
    assert!(bounds(&plan, "total").1.len() > 12);
}

#[test]
fn plans_promise_the_jobs_that_are_made() {
    let mut odd = group(Lane::UpdateEncryption);
    odd.bucket = "ab".to_owned();
    let amount = Amount::object(10);
    let plan_of_odd = plan(&found(&[(odd.clone(), amount)]));
    assert_eq!((&plan_of_odd["jobs"], &plan_of_odd["total"]["jobs"]), (&serde_json::json!([]), &0.into()));
    assert_eq!(plan_of_odd["headline"], "No job can put right what was found: 1 object for people.");
    assert_costs(&plan_of_odd, &[("total", "0.000000", "0.000000")]);
    let mut both = everything();
    both.files.extend(found(&[(odd.clone(), amount)]).files);
    both.groups.insert(odd, amount);
    let facts = JobFacts { key: &samples::key(), report_time: Timestamp::MAX, settings: &samples::settings() };
    let requests: usize = both.files.iter().map(|file| jobs(file, &facts).len()).sum();
    assert_eq!(Campaign::new(&both, &prices()).jobs.len(), requests);
}
