//! What shards leave for merging is sealed, and only what belongs together is joined: nobody's byte, file, shard or option
//! makes another result of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use logseal::audit::{
    AuditOptions, CampaignOptions, DEFAULT_MAX_GROUPS, RemediationOptions, SampleOptions, audit, merge::merge,
};
use logseal::campaign::{JobSettings, Prices};
use logseal::partial::Rollups;
use logseal::plan::{Checksums, Plan, PlanOptions, Shard};
use logseal::policy::{Checker, Policy};
use logseal::population::PopulationOptions;
use logseal::timestamp::Timestamp;
use logseal::work::{Cancel, NoProgress, Watch};
use serde_json::{Value, json};

use crate::audits::{Audited, Desk, FINAL_FILES, Ran, Steady, files_below, names_in};
use crate::delivery::{BUCKET, Delivery, Row, all_columns};
use crate::random::Random;
use crate::trail::sha256;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OTHER_KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321";

fn policy(name: &str, statuses: &str) -> String {
    format!(
        "name = '{name}'\n[keys]\nk = '{KEY}'\n[[rule]]\nid = 'r'\nencryption = [{statuses}]\n\
        [[exception]]\nid = 'e'\nrule = 'r'\nwhere = {{ account = ['4*'] }}\nexpires = 2030-01-01\n\
        [remediation]\nkey = 'k'\n"
    )
}

/// A report of so many files with a bit of everything, and a policy with a key for remediation.
struct Divided {
    desk: Desk,
    source: PathBuf,
}

impl Divided {
    fn new(rows: usize, files: usize) -> Self {
        let desk = Desk::new();
        let rows = Row::random_many(&mut Random::new(11), rows);
        let source = Delivery::csv(&rows, &all_columns(), files).write(&desk.path("inv")).config;
        desk.file("policy.toml", &policy("p", "'SSE-KMS'"));
        Self { desk, source }
    }

    fn audit(&self, args: &[&str]) -> Audited {
        let policy = self.desk.path("policy.toml");
        let policy = if args.contains(&"--policy") { vec![] } else { vec!["--policy", policy.to_str().unwrap()] };
        self.desk.audit(&self.source, &[&policy[..], args].concat())
    }

    fn shard(&self, shard: &str) -> Audited {
        self.audit(&["--shard", shard])
    }

    fn shards(&self, of: usize) -> Vec<Audited> {
        (1..=of).map(|number| self.shard(&format!("{number}/{of}"))).collect()
    }
}

#[track_caller]
fn assert_refused(merged: &Audited) -> &str {
    assert_eq!(merged.code(), Some(2), "{merged:?}");
    assert!(merged.ran.stdout.is_empty() && merged.ran.stderr.starts_with("error: "), "{merged:?}");
    let names = names_in(&merged.out);
    assert!(!names.iter().any(|name| FINAL_FILES.contains(&name.as_str())), "{names:?}");
    &merged.ran.stderr
}

/// Both folders and what is different are named.
#[track_caller]
fn assert_names(merged: &Audited, one: &Audited, other: &Audited, difference: &str) {
    let stderr = assert_refused(merged);
    for part in [one.out.to_str().unwrap(), other.out.to_str().unwrap(), difference, "\nhint: "] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
}

/// Merges in this process: a command for each of thousands would take minutes.
fn merge_here(folders: &[PathBuf], out: &Path) -> Result<(), String> {
    // Prices are a text to read, too.
    static CAMPAIGN: LazyLock<CampaignOptions> =
        LazyLock::new(|| CampaignOptions { jobs: JobSettings::default(), prices: Prices::built_in().unwrap() });
    merge(folders, out, true, &CAMPAIGN, &Cancel::default()).map(drop).map_err(|error| error.to_string())
}

fn steady(out: &Path) -> Steady {
    Audited { out: out.to_owned(), ran: Ran { code: None, stdout: String::new(), stderr: String::new() } }.steady()
}

/// What is changed of a partial, and how.
type Change = (&'static str, Box<dyn Fn(&mut Value)>);

/// Each byte of each partial of four shards, changed in turn.
#[test]
fn no_byte_of_a_partial_can_change() {
    let divided = Divided::new(40, 9);
    let shards = divided.shards(4);
    let folders: Vec<PathBuf> = shards.iter().map(|shard| shard.out.clone()).collect();
    let (whole, out) = (divided.desk.path("whole"), divided.desk.path("out"));
    merge_here(&folders, &whole).unwrap();
    let mut tried = 0;
    for at in 0..folders.len() {
        // The one that is changed comes first: all others would be read for nothing.
        let mut folders = folders.clone();
        folders.swap(0, at);
        let path = folders[0].join("partial.json");
        let sound = fs::read(&path).unwrap();
        for (byte, change) in (0..sound.len()).zip([0x01, 0x20, 0x80, 0x04].into_iter().cycle()) {
            let mut text = sound.clone();
            text[byte] ^= change;
            fs::write(&path, &text).unwrap();
            tried += 1;
            if merge_here(&folders, &out).is_ok() {
                assert_eq!(steady(&out), steady(&whole), "byte {byte} of {}", path.display());
            }
        }
        for cut in (0..sound.len()).step_by(97) {
            fs::write(&path, &sound[..cut]).unwrap();
            assert!(merge_here(&folders, &out).is_err(), "{cut}");
        }
        fs::write(&path, [&sound[..], b"\n"].concat()).unwrap();
        assert!(merge_here(&folders, &out).is_err());
        fs::write(&path, &sound).unwrap();
    }
    assert!(tried > 10_000, "{tried}");
    assert!(!out.exists());
    merge_here(&folders, &out).unwrap();
    assert_eq!(steady(&out), steady(&whole));
}

/// Everything else that a shard leaves is tied to the seal, if it is read.
#[test]
fn no_file_that_is_read_for_merging_can_change() {
    let divided = Divided::new(60, 4);
    let shards = divided.shards(2);
    let folders: Vec<PathBuf> = shards.iter().map(|shard| shard.out.clone()).collect();
    let (whole, out) = (divided.desk.path("whole"), divided.desk.path("out"));
    merge_here(&folders, &whole).unwrap();
    let files = files_below(&folders[1]);
    let is_read =
        |path: &str| path.ends_with(".csv") && path != "sample.csv" || path == "faults.jsonl" || path == "partial.json";
    assert!(files.keys().filter(|path| is_read(path)).count() > 5, "{:?}", files.keys());
    for (path, sound) in &files {
        let file = folders[1].join(path);
        let flipped = |at: usize| {
            let mut text = sound.clone();
            text[at] ^= 1;
            text
        };
        let mut texts = vec![[&sound[..], b"x\n"].concat(), [b"x\n", &sound[..]].concat()];
        if !sound.is_empty() {
            texts.extend([sound[..sound.len() - 1].to_vec(), Vec::new(), flipped(0), flipped(sound.len() - 1)]);
        }
        for text in texts {
            fs::write(&file, text).unwrap();
            match merge_here(&folders, &out) {
                Err(error) => assert!(is_read(path) && error.contains(path.as_str()), "{path}: {error}"),
                Ok(()) => assert!(!is_read(path) && steady(&out) == steady(&whole), "{path}"),
            }
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(merge_here(&folders, &out).is_err(), is_read(path), "{path}");
        fs::write(&file, sound).unwrap();
    }
    merge_here(&folders, &out).unwrap();
}

#[test]
fn lists_of_two_shards_cannot_change_places() {
    let divided = Divided::new(60, 2);
    let [one, other] = &divided.shards(2)[..] else { panic!("two shards") };
    for file in ["findings.csv", "partial.json"] {
        let (text, others) = (one.text(file), other.text(file));
        fs::write(one.out.join(file), &others).unwrap();
        assert_refused(&divided.desk.merge([one, other]));
        fs::write(other.out.join(file), &text).unwrap();
        assert_refused(&divided.desk.merge([one, other]));
        fs::write(one.out.join(file), &text).unwrap();
        fs::write(other.out.join(file), &others).unwrap();
    }
    assert_eq!(divided.desk.merge([one, other]).code(), divided.audit(&[]).code());
}

/// A finding that was taken out by hand, with the seal of the list made anew, is still missed.
#[test]
fn findings_are_those_that_are_counted() {
    let divided = Divided::new(60, 2);
    let [one, other] = &divided.shards(2)[..] else { panic!("two shards") };
    let text = other.text("findings.csv");
    let (line, rest) = text.split_once('\n').unwrap();
    let (gone, rest) = rest.split_once('\n').unwrap();
    let shorter = format!("{line}\n{rest}");
    fs::write(other.out.join("findings.csv"), &shorter).unwrap();
    reseal(&other.out, |partial| {
        partial["lists"][0] = json!({"len": shorter.len(), "sha256": sha256(shorter.as_bytes())});
        let len = &mut partial["lengths"]["units"][0][1][0];
        *len = json!(len.as_u64().unwrap() - gone.len() as u64 - 1);
    });
    let stderr = divided.desk.merge([one, other]).ran.stderr;
    assert!(stderr.contains("the lines of its units are not those of its lists"), "{stderr}");
}

/// Changes a partial as somebody would who knows how it is sealed.
pub fn reseal(shard: &Path, change: impl FnOnce(&mut Value)) {
    let path = shard.join("partial.json");
    let mut file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut file["partial"]);
    fs::write(path, sealed(&file["partial"].to_string())).unwrap();
}

/// The text of a partial, sealed.
pub fn sealed(partial: &str) -> String {
    let text = format!("{{\"schema\":\"logseal.partial/2\",\"partial\":{partial}");
    let seal = sha256(text.as_bytes());
    format!("{text},\"sha256\":\"{seal}\"}}\n")
}

#[test]
fn a_partial_that_is_sealed_anew_without_a_change_is_the_same() {
    let divided = Divided::new(60, 4);
    let shards = divided.shards(2);
    let whole = divided.desk.merge(&shards).steady();
    shards.iter().for_each(|shard| reseal(&shard.out, |_| ()));
    assert_eq!(divided.desk.merge(&shards).steady(), whole);
}

/// Nothing that is sealed by a hand that knows how, and does not add up, is merged.
#[test]
fn counts_that_do_not_add_up_are_refused() {
    let divided = Divided::new(60, 6);
    let shards = divided.shards(3);
    let sound = fs::read(shards[1].out.join("partial.json")).unwrap();
    let add = |number: &mut Value| *number = json!(number.as_u64().unwrap() + 1);
    let changes: Vec<Change> = vec![
        ("a verdict", Box::new(move |shard| add(&mut shard["partial"]["verdicts"][0]))),
        ("objects", Box::new(move |shard| add(&mut shard["partial"]["objects"]["objects"]))),
        ("bytes", Box::new(move |shard| add(&mut shard["partial"]["bytes"][1]))),
        ("a status", Box::new(move |shard| add(&mut shard["partial"]["by_status"][0]["objects"]))),
        ("rows", Box::new(move |shard| add(&mut shard["partial"]["sources"]["0"]["rows"]))),
        ("files", Box::new(move |shard| add(&mut shard["partial"]["sources"]["0"]["files"]))),
        ("delete markers", Box::new(move |shard| add(&mut shard["partial"]["delete_markers"]))),
        ("rejected rows", Box::new(move |shard| add(&mut shard["partial"]["rows_rejected"]))),
        ("a rule", Box::new(move |shard| shard["partial"]["by_rule"][0][0] = json!(1_000))),
        ("a reason", Box::new(|shard| shard["partial"]["by_reason"] = json!({}))),
        ("another policy", Box::new(|shard| shard["facts"]["policy_text"] = json!("x"))),
        ("an exception", Box::new(|shard| shard["partial"]["by_exception"] = json!({"9": {"objects": 0, "bytes": 0}}))),
        ("no sample", Box::new(|shard| shard["partial"]["sample"]["strata"] = json!([]))),
        (
            "a verdict that is none",
            Box::new(|shard| {
                let strata = shard["partial"]["sample"]["strata"].as_array_mut().unwrap();
                strata.push(json!([{ "Verdict": 9 }, []]));
            }),
        ),
        (
            "a drawn row of another shard",
            Box::new(|shard| shard["partial"]["sample"]["strata"][0][1][0][0]["unit"] = json!(0)),
        ),
        ("no accounts", Box::new(|shard| shard["partial"]["by_place"] = json!([]))),
        ("no months", Box::new(|shard| shard["partial"]["by_period"] = json!([]))),
        ("no lanes", Box::new(|shard| shard["partial"]["remediation"]["groups"] = json!([]))),
        ("a unit of another shard", Box::new(|shard| shard["partial"]["examined"] = json!([1, 5]))),
        ("a unit beyond the plan", Box::new(|shard| shard["partial"]["examined"] = json!([1, 7]))),
        ("a unit too few", Box::new(|shard| shard["partial"]["examined"] = json!([1]))),
        ("a unit twice", Box::new(|shard| shard["partial"]["faulted"] = json!([1]))),
        ("no shard", Box::new(|shard| shard["shards"]["numbers"] = json!([]))),
        ("shard nought", Box::new(|shard| shard["shards"] = json!({"of": 0, "numbers": [0]}))),
        ("another shard", Box::new(|shard| shard["shards"]["numbers"] = json!([3]))),
        ("fewer units", Box::new(|shard| shard["facts"]["units"] = json!(2))),
        ("another plan", Box::new(|shard| shard["facts"]["sources"][0]["files"] = json!(5))),
        ("fewer files", Box::new(|shard| shard["files"] = json!([]))),
        ("lines of no unit", Box::new(|shard| shard["lengths"]["units"] = json!([]))),
        ("a file elsewhere", Box::new(|shard| shard["files"][0]["path"] = json!("../../secret.csv"))),
    ];
    assert_eq!(shards[1].summary()["coverage"]["units_examined"], 2);
    for (what, change) in changes {
        reseal(&shards[1].out, |partial| change(partial));
        let merged = divided.desk.merge(&shards);
        assert!(assert_refused(&merged).contains("partial.json"), "{what}: {merged:?}");
        assert!(!merged.ran.stderr.contains("panicked"), "{what}: {merged:?}");
        fs::write(shards[1].out.join("partial.json"), &sound).unwrap();
    }
    assert_eq!(divided.desk.merge(&shards).code(), Some(1));
}

/// Facts of all shards are compared, and not those of one taken for all.
#[test]
fn shards_that_say_other_things_of_the_plan_are_refused() {
    let divided = Divided::new(60, 6);
    let [one, other, third] = &divided.shards(3)[..] else { panic!("three shards") };
    let changes: Vec<Change> = vec![
        ("sources: ", Box::new(|shard| shard["facts"]["completeness"] = json!("unproven"))),
        ("sources: ", Box::new(|shard| shard["facts"]["sources"][0]["faults"] = json!([["manifest_malformed", "x"]]))),
        ("sources: ", Box::new(|shard| shard["facts"]["sources"][0]["fingerprint"] = json!("0"))),
        ("sources: ", Box::new(|shard| shard["partial"]["terms"]["plan"] = json!("0"))),
        ("policies: ", Box::new(|shard| shard["facts"]["policy"]["rules"][0]["id"] = json!("other"))),
        ("policies: ", Box::new(|shard| shard["partial"]["terms"]["policy"] = json!("0"))),
        ("version of logseal", Box::new(|shard| shard["partial"]["terms"]["tool"] = json!("0.0.9"))),
    ];
    let sound = fs::read(other.out.join("partial.json")).unwrap();
    for (difference, change) in changes {
        reseal(&other.out, |partial| change(partial));
        assert_names(&divided.desk.merge([one, other, third]), one, other, difference);
        fs::write(other.out.join("partial.json"), &sound).unwrap();
    }
}

#[test]
fn what_does_not_belong_together_is_named() {
    let divided = Divided::new(60, 5);
    let desk = &divided.desk;
    let one = divided.shard("1/2");
    let refuse = |other: &Audited, difference: &str| {
        assert_names(&desk.merge([&one, other]), &one, other, difference);
        assert_names(&desk.merge([other, &one]), &one, other, difference);
    };
    refuse(&divided.shard("1/2"), "both are shard 1 of 2");
    refuse(&divided.shard("2/3"), "one is a part of ");
    let options: [(&[&str], &str); 6] = [
        (&["--as-of", "2026-01-11"], "--as-of is 2026-01-1"),
        (&["--max-groups", "7"], "--rollup or --max-groups is "),
        (&["--rollup", "none"], "--rollup or --max-groups is "),
        (&["--manifest-rows", "5"], "--manifest-rows is "),
        (&["--remediate-undetermined"], "--remediate-undetermined is "),
        (&["--no-checksums"], "--no-checksums is "),
    ];
    for (args, difference) in options {
        refuse(&divided.audit(&[&["--shard", "2/2"], args].concat()), difference);
    }
    // Of the same name, and of the same rules under another name.
    for (name, text) in [("a.toml", policy("p", "'SSE-KMS', 'SSE-S3'")), ("b.toml", policy("q", "'SSE-KMS'"))] {
        let file = desk.file(name, &text);
        let other = divided.audit(&["--shard", "2/2", "--policy", file.to_str().unwrap()]);
        refuse(&other, "different policies: ");
    }
    let rows = Row::random_many(&mut Random::new(12), 60);
    let source = Delivery::csv(&rows, &all_columns(), 5).write(&desk.path("other")).config;
    let other = Divided { desk: Desk::new(), source };
    other.desk.file("policy.toml", &policy("p", "'SSE-KMS'"));
    let second = other.shard("2/2");
    refuse(&second, "different sources: ");
}

/// The same report is the same wherever it lies and whatever lies beside it.
#[test]
fn shards_of_copies_of_one_report_are_merged() {
    let divided = Divided::new(60, 5);
    let rows = Row::random_many(&mut Random::new(11), 60);
    let copy = Delivery::csv(&rows, &all_columns(), 5).write(&divided.desk.path("copy"));
    fs::write(copy.data("of-another-run.csv.gz"), "x").unwrap();
    fs::create_dir(copy.config.join("2026-01-11T01-00Z")).unwrap();
    fs::write(copy.config.join("2026-01-11T01-00Z/manifest.json"), "{").unwrap();
    let moved = Divided { desk: Desk::new(), source: copy.config };
    // The same text under another name.
    moved.desk.file("policy.toml", &policy("p", "'SSE-KMS'"));
    let (one, other) = (divided.shard("1/2"), moved.shard("2/2"));
    let facts = &other.summary()["sources"][0];
    assert_eq!((&facts["ignored_files"], &facts["skipped_runs"]), (&json!(1), &json!(["2026-01-11T01-00Z"])));
    let whole = divided.audit(&[]).steady();
    assert_eq!(divided.desk.merge([&one, &other]).steady(), whole);
    assert_eq!(divided.desk.merge([&other, &one]).steady(), whole);
}

/// Whatever decides which key an object is said to have.
#[test]
fn shards_with_other_evidence_are_refused() {
    let divided = Divided::new(40, 2);
    let desk = &divided.desk;
    let policy = desk.file(
        "keys.toml",
        &format!("[keys]\nk = '{KEY}'\n[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\nkeys = ['k']\n"),
    );
    let head = |key: &str| {
        let head = json!({"Bucket": BUCKET, "Key": "k", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key,
            "LastModified": "2025-01-01T00:00:00+00:00"});
        format!("{head}\n")
    };
    let alias = |key: &str| {
        let entry = json!({"AliasName": "alias/a", "AliasArn": "arn:aws:kms:us-east-1:111122223333:alias/a",
            "TargetKeyId": key.rsplit_once('/').unwrap().1});
        json!({"Aliases": [entry]}).to_string()
    };
    let evidence = desk.file("heads.ndjson", &head(KEY));
    let changed = desk.file("other.ndjson", &head(OTHER_KEY));
    let (aliases, other_aliases) = (desk.file("a.json", &alias(KEY)), desk.file("b.json", &alias(OTHER_KEY)));
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let audit = |shard: &str, args: &[&str]| {
        divided.audit(&[&["--policy", policy.to_str().unwrap(), "--shard", shard], args].concat())
    };
    let (evidence, changed, aliases, other_aliases) =
        (text(&evidence), text(&changed), text(&aliases), text(&other_aliases));
    let all = ["--key-evidence", &evidence, "--evidence-as-of", "2026-01-01", "--kms-aliases", &aliases];
    let one = audit("1/2", &all);
    let options: [(&[&str], &str); 5] = [
        (&[], "--key-evidence"),
        (&["--key-evidence", &changed, "--evidence-as-of", "2026-01-01", "--kms-aliases", &aliases], "--key-evidence"),
        (
            &["--key-evidence", &evidence, "--evidence-as-of", "2025-01-01", "--kms-aliases", &aliases],
            "--evidence-as-of is",
        ),
        (&["--key-evidence", &evidence, "--kms-aliases", &aliases], "--evidence-as-of is "),
        (
            &["--key-evidence", &evidence, "--evidence-as-of", "2026-01-01", "--kms-aliases", &other_aliases],
            "--kms-aliases",
        ),
    ];
    for (args, difference) in options {
        let other = audit("2/2", args);
        assert_names(&desk.merge([&one, &other]), &one, &other, difference);
    }
    let merged = desk.merge([&one, &audit("2/2", &all)]);
    let whole = divided.audit(&[&["--policy", policy.to_str().unwrap()], &all[..]].concat());
    assert_eq!(merged.steady(), whole.steady());
}

/// What only one shard could not read is missing in the whole.
#[cfg(unix)]
#[test]
fn faults_of_the_evidence_of_any_shard_stay() {
    let divided = Divided::new(40, 2);
    let heads = divided.desk.path("heads");
    fs::create_dir(&heads).unwrap();
    let head =
        json!({"Bucket": BUCKET, "Key": "k", "ServerSideEncryption": "AES256", "EvidenceAsOf": "2026-01-01T00:00:00Z"});
    fs::write(heads.join("head.json"), head.to_string()).unwrap();
    let (link, args) = (heads.join("more.json"), ["--key-evidence", heads.to_str().unwrap()]);
    let audit = |shard: &str| divided.audit(&[&["--shard", shard], &args[..]].concat());
    let two = audit("2/2");
    std::os::unix::fs::symlink("elsewhere.json", &link).unwrap();
    let (one, whole) = (audit("1/2"), divided.audit(&args));
    for order in [[&one, &two], [&two, &one]] {
        let merged = divided.desk.merge(order);
        assert_eq!(merged.steady(), whole.steady());
        assert_eq!(merged.summary()["faults"]["evidence_unrecognised"], 1);
    }
    assert_eq!(two.summary()["faults"].get("evidence_unrecognised"), None);
}

/// A shard that has no files has read the manifest and the evidence like any other.
#[test]
fn a_shard_without_files_has_the_same_say() {
    let divided = Divided::new(20, 2);
    let [one, two, none] = &divided.shards(3)[..] else { panic!("three shards") };
    assert_eq!(none.summary()["coverage"]["units_planned"], 0);
    let whole = divided.audit(&[]).steady();
    for order in [[one, two, none], [none, two, one], [two, none, one]] {
        assert_eq!(divided.desk.merge(order).steady(), whole);
    }
    // All files are there without it.
    assert_eq!(divided.desk.merge([two, one]).steady(), whole);
    assert_names(&divided.desk.merge([none, one, two, none]), none, none, "both are shard 3 of 3");
    let other = divided.audit(&["--shard", "3/3", "--as-of", "2026-01-11"]);
    assert_names(&divided.desk.merge([one, two, &other]), one, &other, "--as-of is ");
    assert_names(&divided.desk.merge([&other, one, two]), one, &other, "--as-of is ");
}

#[test]
fn folders_that_hold_no_finished_shard_are_named() {
    let divided = Divided::new(20, 2);
    let (one, whole) = (divided.shard("1/2"), divided.audit(&[]));
    let merged = divided.desk.merge([&one, &whole]);
    assert!(assert_refused(&merged).contains(&format!("no finished shard (no partial.json): {}", whole.out.display())));
    // As it is while the shard is at work.
    fs::remove_file(whole.out.join("summary.json")).unwrap();
    fs::create_dir(whole.out.join(".logseal-abc")).unwrap();
    assert_refused(&divided.desk.merge([&one, &whole]));
    // As version 0.1.0 wrote it.
    let old = r#"{"schema":"logseal.partial/1","facts":{"policy":{"name":"cis"}},"partial":{}}"#;
    fs::write(whole.out.join("partial.json"), old).unwrap();
    let merged = divided.desk.merge([&one, &whole]);
    let stderr = assert_refused(&merged);
    assert!(stderr.contains("version 0.1.0") && stderr.contains("hint: run that shard again"), "{stderr}");
    fs::write(whole.out.join("partial.json"), old.replace("partial/1", "partial/3")).unwrap();
    assert!(assert_refused(&divided.desk.merge([&one, &whole])).contains("another version wrote it"));
}

#[cfg(unix)]
#[test]
fn files_of_a_shard_that_are_links_or_pipes_are_refused() {
    use std::os::unix::fs::symlink;

    let divided = Divided::new(60, 2);
    let [one, other] = &divided.shards(2)[..] else { panic!("two shards") };
    let lane = names_in(&other.out.join("remediation")).into_iter().find(|name| !name.contains('.')).unwrap();
    for path in ["partial.json", "findings.csv", "faults.jsonl", "remediation", &format!("remediation/{lane}")] {
        let (file, away) = (other.out.join(path), divided.desk.path("away"));
        fs::rename(&file, &away).unwrap();
        symlink(&away, &file).unwrap();
        let merged = divided.desk.merge([one, other]);
        assert!(assert_refused(&merged).contains("it is a link"), "{path}: {merged:?}");
        fs::remove_file(&file).unwrap();
        if !away.is_dir() {
            assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
            assert!(assert_refused(&divided.desk.merge([one, other])).contains("not a regular file"), "{path}");
            fs::remove_file(&file).unwrap();
        }
        fs::rename(&away, &file).unwrap();
    }
    // The folder itself may be one.
    let link = Audited { out: divided.desk.path("link"), ran: divided.desk.merge([one]).ran };
    symlink(&other.out, &link.out).unwrap();
    assert_eq!(divided.desk.merge([one, &link]).steady(), divided.audit(&[]).steady());
}

/// A thousand shards, each with lists of its own, and fewer files than that may be open.
#[cfg(unix)]
#[test]
fn any_number_of_shards_is_merged_with_few_open_files() {
    const SHARDS: usize = 1_000;
    let desk = Desk::new();
    let rows: Vec<Row> = (0..SHARDS + 7).map(|at| Row::compliant(&format!("f{at}")).with_status("SSE-S3")).collect();
    let source = Delivery::csv(&rows, &all_columns(), SHARDS + 7).write(&desk.path("inv")).config;
    let (text, policy_source) = (policy("p", "'SSE-KMS'"), "policy.toml".to_owned());
    let whole = desk.audit_under(&text, &source, &[]);
    assert_eq!(whole.code(), Some(1), "{whole:?}");
    // In this process: a thousand commands would take a minute.
    let plan = Plan::new(&[source], &PlanOptions::default()).unwrap();
    let checker = Checker::new(Policy::from_toml(&text).unwrap(), Timestamp::parse(b"2026-01-10T00:00:00Z").unwrap());
    let audit_shard = |number: usize| {
        let options = AuditOptions {
            out: desk.path(&format!("shard-{number}")),
            overwrite: false,
            jobs: 1,
            shard: Shard::parse(&format!("{number}/{SHARDS}")),
            rollups: Rollups::UpTo(DEFAULT_MAX_GROUPS),
            allow_empty: false,
            checksums: Checksums::Verified,
            policy_source: policy_source.clone(),
            remediation: RemediationOptions::with_built_in_prices().unwrap(),
            evidence: None,
            digests: None,
            sample: SampleOptions::default(),
            population: PopulationOptions::default(),
        };
        audit(&plan, &checker, &options, Watch { cancel: &Cancel::default(), progress: &NoProgress }).unwrap();
    };
    (1..=SHARDS).for_each(audit_shard);
    let merged = desk.path("merged");
    let shell = "ulimit -n 64 && exec \"$0\" merge --out \"$1\" shard-*";
    let mut merge = Command::new("sh");
    merge.args(["-c", shell, env!("CARGO_BIN_EXE_logseal")]).arg(&merged).current_dir(desk.path(""));
    let ran = Ran::from(merge.output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{ran:?}");
    assert!(steady(&merged) == whole.steady());
}
