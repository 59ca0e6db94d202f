//! Threads and shards do not show: whoever did the work, and in whatever order, the result is the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::audits::{Audited, Desk, FINAL_FILES, Steady, audit_files_and, names_in};
use crate::delivery::{Delivered, Delivery, ParquetForm, Row, all_columns, columns, csv_text};
use crate::random::Random;
use crate::shards::{reseal, sealed};

const POLICY: &str = "[[rule]]\nid = 'logs'\nwhere = { kind = ['CloudTrail*'], storage_class = ['*'] }\n\
    encryption = ['SSE-KMS']\nbucket_key = 'required'\n\
    [[exception]]\nid = 'e'\nrule = 'logs'\nwhere = { account = ['4*'] }\nexpires = 2030-01-01\n\
    [remediation]\nkey = 'k'\nbucket_key = true\n\
    [keys]\nk = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'\n";

/// Three reports of which each has something wrong: rejected rows, a file that breaks while it is decoded, a file that is
/// missing, rows far younger than the report, no checksum of the manifest, no manifest. Two are of one bucket.
struct Troubled {
    desk: Desk,
    sources: Vec<PathBuf>,
}

impl Troubled {
    fn new(seed: u64, rows: usize) -> Self {
        let mut random = Random::new(seed);
        let desk = Desk::new();
        desk.file("policy.toml", POLICY);
        let csv = troubled_csv(&mut random, rows).write(&desk.path("csv"));
        let parquet = troubled_parquet(&mut random, rows, &desk.path("parquet"));
        let broken = Delivery::csv(&[Row::compliant("f")], &all_columns(), 1).write(&desk.path("broken"));
        fs::write(broken.manifest(), "{").unwrap();
        Self { sources: [csv, parquet, broken].map(|delivered| delivered.config).into(), desk }
    }

    fn audit(&self, args: &[&str]) -> Audited {
        let policy = self.desk.path("policy.toml");
        let sources: Vec<&Path> = self.sources.iter().map(PathBuf::as_path).collect();
        self.desk.audit_all(&sources, &[&["--policy", policy.to_str().unwrap(), "--accept-overlap"], args].concat())
    }

    fn shards(&self, of: usize, args: &[&str]) -> Vec<Audited> {
        let shard = |number| self.audit(&[&["--shard", &format!("{number}/{of}")], args].concat());
        (1..=of).map(shard).collect()
    }
}

fn troubled_csv(random: &mut Random, rows: usize) -> Delivery {
    let texts = (0..6).map(|_| {
        let mut text = csv_text(&Row::random_many(random, rows), &all_columns());
        text.extend_from_slice(b"\"org-audit-logs\",\"ragged\"\n\n\"open\n");
        text
    });
    let names: Vec<_> = all_columns().iter().map(|column| column.csv).collect();
    let mut delivery = Delivery::of_csv_texts(&names.join(", "), texts.collect::<Vec<_>>());
    // The manifest agrees with what is on disk, so it is the decoder that stumbles, after most of the file.
    let cut = delivery.files[2].bytes.len() - 9;
    delivery.files[2].bytes.truncate(cut);
    delivery
}

fn troubled_parquet(random: &mut Random, rows: usize, config: &Path) -> Delivered {
    let form = ParquetForm { group_rows: rows / 3 + 1, ..ParquetForm::default() };
    let delivery = Delivery::parquet(&Row::random_many(random, 5 * rows), &all_columns(), 5, form);
    let delivered = delivery.in_bucket("org-audit-logs").write(config);
    fs::remove_file(delivered.data("part-3.parquet")).unwrap();
    fs::remove_file(delivered.checksum()).unwrap();
    // Without a checksum beside it, a run has to be asked for by its manifest.
    Delivered { config: delivered.manifest() }
}

#[track_caller]
fn assert_same(expected: &Steady, found: &Audited) {
    let found = found.steady();
    assert_eq!(expected.summary, found.summary);
    assert_eq!(expected.remediation.keys().collect::<Vec<_>>(), found.remediation.keys().collect::<Vec<_>>());
    for (path, bytes) in &expected.remediation {
        assert!(found.remediation[path] == *bytes, "{path}");
    }
    // Lists are long: where they differ is told by line.
    let lists = [(&expected.findings, &found.findings), (&expected.faults, &found.faults)];
    for (expected, found) in lists {
        expected.lines().zip(found.lines()).for_each(|(expected, found)| assert_eq!(expected, found));
        assert_eq!(expected.len(), found.len());
    }
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() {
    let troubled = Troubled::new(1, 40);
    let one = troubled.audit(&["--jobs", "1"]);
    assert_eq!(one.code(), Some(1), "{one:?}");
    for jobs in ["2", "8"] {
        assert_same(&one.steady(), &troubled.audit(&["--jobs", jobs]));
    }
}

#[test]
fn threads_that_share_large_files_write_the_same_bytes() {
    let troubled = Troubled::new(2, 6_000);
    let one = troubled.audit(&["--jobs", "1"]);
    for _ in 0..2 {
        for jobs in ["2", "8"] {
            assert_same(&one.steady(), &troubled.audit(&["--jobs", jobs]));
        }
    }
}

#[test]
fn the_troubled_input_has_the_troubles_that_it_should_have() {
    let troubled = Troubled::new(1, 40);
    let audited = troubled.audit(&[]);
    let summary = audited.summary();
    let faults = json!({"manifest_checksum_missing": 1, "manifest_time": 2, "manifest_wrong_checksum": 1, "row_bad_quoting": 5,
        "row_ragged": 5, "unit_damaged": 1, "unit_missing": 1});
    assert_eq!(summary["faults"], faults);
    let coverage = &summary["coverage"];
    assert_eq!(coverage["units_planned"], 11);
    assert_eq!((&coverage["units_examined"], &coverage["units_faulted"]), (&json!(9), &json!(2)));
    assert_eq!((&coverage["rows_read"], &coverage["rows_rejected"]), (&json!(9 * 40), &json!(10)));
    assert_eq!(audited.faults().len(), 16);
}

#[test]
fn shards_merged_in_any_order_are_the_whole() {
    let troubled = Troubled::new(3, 40);
    let mut random = Random::new(3);
    let whole = troubled.audit(&[]);
    for of in [1, 2, 3, 7] {
        let shards = troubled.shards(of, &[]);
        let mut order: Vec<&Audited> = shards.iter().collect();
        for _ in 0..4 {
            let merged = troubled.desk.merge(order.iter().copied());
            assert_same(&whole.steady(), &merged);
            assert_eq!((merged.code(), names_in(&merged.out)), (whole.code(), names_in(&whole.out)), "{of} {merged:?}");
            random.shuffle(&mut order);
        }
    }
}

#[test]
fn more_shards_than_files_are_the_whole_too() {
    let troubled = Troubled::new(4, 10);
    let shards = troubled.shards(15, &[]);
    assert_same(&troubled.audit(&[]).steady(), &troubled.desk.merge(shards.iter().rev()));
}

#[test]
fn shards_agree_on_what_they_no_longer_tell_apart() {
    let troubled = Troubled::new(5, 40);
    let mut seen = Vec::new();
    for max_groups in ["0", "1", "9", "40", "90", "130", "170", "400", "4000"] {
        let args = ["--max-groups", max_groups];
        let whole = troubled.audit(&args);
        assert_same(&whole.steady(), &troubled.audit(&["--max-groups", max_groups, "--jobs", "8"]));
        assert_same(&whole.steady(), &troubled.desk.merge(&troubled.shards(3, &args)));
        let summary = whole.summary();
        for groups in ["by_account", "by_month"] {
            let objects = |group: &Value| group["objects"].as_u64().unwrap();
            let sum: u64 = summary[groups].as_array().unwrap().iter().map(objects).sum();
            assert_eq!(summary["counts"]["objects"], sum, "{groups} {max_groups}");
        }
        seen.push(summary["collapsed"].as_str().unwrap().to_owned());
    }
    seen.dedup();
    assert_eq!(seen, ["buckets", "accounts", "months", "nothing"]);
}

#[test]
fn what_is_merged_in_steps_is_the_whole() {
    let troubled = Troubled::new(6, 40);
    let whole = troubled.audit(&[]).steady();
    let [first, second, third] = &troubled.shards(3, &[])[..] else { panic!("three shards") };
    for (one, two, three) in [(first, second, third), (third, first, second), (second, third, first)] {
        let two_of_three = troubled.desk.merge([one, two]);
        let reasons = &two_of_three.summary()["outcome_reasons"];
        assert!(reasons.as_array().unwrap().contains(&json!("units_missing")), "{reasons}");
        assert_eq!(names_in(&two_of_three.out), audit_files_and("partial.json"));
        assert_same(&whole, &troubled.desk.merge([&two_of_three, three]));
        assert_same(&whole, &troubled.desk.merge([three, &two_of_three]));
        let alone = troubled.desk.merge([three]);
        assert_same(&three.steady_as_part_of(&alone), &alone);
        assert_same(&whole, &troubled.desk.merge([&alone, &two_of_three]));
    }
}

impl Audited {
    /// What this shard says once it is judged as a part of the whole: only units that are missing may be new.
    fn steady_as_part_of(&self, merged: &Self) -> Steady {
        let own = self.steady();
        let Steady { summary, .. } = merged.steady();
        assert!(!own.summary.contains("units_missing") && summary.contains("units_missing"), "{summary}");
        Steady { summary, ..own }
    }
}

#[test]
fn shards_of_a_pass_are_partial_and_two_of_three_are_incomplete() {
    let desk = Desk::new();
    let rows: Vec<Row> = (0..12).map(|at| Row::compliant(&format!("f{at}"))).collect();
    let source = Delivery::csv(&rows, &all_columns(), 5).write(&desk.path("source")).config;
    let shards: Vec<Audited> =
        (1..=3).map(|number| desk.audit(&source, &["--shard", &format!("{number}/3")])).collect();
    assert!(shards.iter().all(|shard| shard.code() == Some(0)), "{shards:?}");
    for (shard, number) in shards.iter().zip(1..) {
        let summary = shard.summary();
        assert_eq!(summary["shard"], json!({"number": number, "of": 3}));
        assert_eq!((&summary["outcome"], &summary["outcome_reasons"]), (&json!("partial"), &json!([])));
        let first = format!("PARTIAL  shard {number} of 3: nothing found; merge all shards\n");
        let stdout = &shard.ran.stdout;
        assert!(stdout.starts_with(&first) && !stdout.contains("PASS") && !stdout.contains("everything"), "{stdout}");
        assert!(stdout.contains(" files of this shard, "), "{stdout}");
    }
    let incomplete = desk.merge(&shards[1..]);
    assert_eq!(incomplete.code(), Some(3), "{incomplete:?}");
    assert_eq!(incomplete.summary()["outcome_reasons"], json!(["units_missing"]));
    assert_eq!(incomplete.summary()["coverage"]["units_planned"], 5);
    let whole = desk.merge([&shards[0], &incomplete]);
    assert_eq!(whole.code(), Some(0), "{whole:?}");
    assert_eq!(whole.summary()["shard"], Value::Null);
    assert_same(&desk.audit(&source, &[]).steady(), &whole);
}

/// Even where it is the only one: what it says must not depend on how many files there are.
#[test]
fn a_shard_says_that_it_is_one_whatever_it_found() {
    let desk = Desk::new();
    let rows = [Row::compliant("f"), Row::compliant("g").with_status("NOT-SSE"), Row::compliant("h").with_status("")];
    let source = Delivery::csv(&rows, &all_columns(), 3).write(&desk.path("source")).config;
    let first_line = |shard: &str| {
        let audited = desk.audit(&source, &["--shard", shard]);
        let outcome = audited.summary()["outcome"].as_str().unwrap().to_owned();
        (audited.code(), outcome, audited.ran.stdout.lines().next().unwrap().to_owned())
    };
    let said = |code, outcome: &str, line: &str| (Some(code), outcome.to_owned(), line.to_owned());
    let partial = "PARTIAL  shard 1 of 3: nothing found; merge all shards";
    assert_eq!(first_line("1/3"), said(0, "partial", partial));
    assert_eq!(first_line("2/3"), said(1, "violations", "VIOLATIONS  shard 2 of 3: 1 object violates the policy"));
    assert_eq!(first_line("3/3"), said(3, "incomplete", "INCOMPLETE  shard 3 of 3: not everything could be proven"));
    let sound = Delivery::csv(&rows[..1], &all_columns(), 1).write(&desk.path("sound")).config;
    assert_eq!(desk.audit(&sound, &["--shard", "1/1"]).summary()["outcome"], "partial");
}

/// Shards that fit together, and the folder that they are in.
struct Pair {
    desk: Desk,
    source: PathBuf,
    shards: [Audited; 2],
}

impl Pair {
    fn new() -> Self {
        let desk = Desk::new();
        let rows = Row::random_many(&mut Random::new(9), 60);
        let source = Delivery::csv(&rows, &all_columns(), 4).write(&desk.path("source")).config;
        let shards = ["1/2", "2/2"].map(|shard| desk.audit(&source, &["--shard", shard]));
        Self { desk, source, shards }
    }

    #[track_caller]
    fn refuse(&self, first: &Audited, second: &Audited) -> String {
        let merged = self.desk.merge([first, second]);
        assert_eq!(merged.code(), Some(2), "{merged:?}");
        assert!(merged.ran.stdout.is_empty() && merged.ran.stderr.starts_with("error: "), "{merged:?}");
        let left: Vec<_> =
            names_in(&merged.out).into_iter().filter(|name| FINAL_FILES.contains(&name.as_str())).collect();
        assert!(left.is_empty(), "{left:?}");
        merged.ran.stderr
    }

    #[track_caller]
    fn refuse_after(&self, change: impl FnOnce(&Path)) -> String {
        change(&self.shards[1].out);
        self.refuse(&self.shards[0], &self.shards[1])
    }
}

#[test]
fn the_same_shard_twice_is_refused() {
    let pair = Pair::new();
    assert!(pair.refuse(&pair.shards[0], &pair.shards[0]).contains("hint: give each shard once"));
    let copied = pair.desk.audit(&pair.source, &["--shard", "1/2", "--jobs", "1"]);
    pair.refuse(&pair.shards[0], &copied);
    let overlapping = pair.desk.audit(&pair.source, &["--shard", "1/3"]);
    pair.refuse(&pair.shards[0], &overlapping);
}

#[test]
fn shards_about_different_things_are_refused() {
    let pair = Pair::new();
    let policy = pair.desk.file("policy.toml", POLICY);
    let second = |args: &[&str]| pair.desk.audit(&pair.source, &[&["--shard", "2/2"], args].concat());
    pair.refuse(&pair.shards[0], &second(&["--policy", policy.to_str().unwrap()]));
    pair.refuse(&pair.shards[0], &second(&["--as-of", "2026-01-11"]));
    pair.refuse(&pair.shards[0], &second(&["--max-groups", "7"]));
    pair.refuse(&pair.shards[0], &second(&["--no-checksums"]));
    let other = Delivery::csv(&[Row::compliant("f")], &all_columns(), 2).write(&pair.desk.path("other")).config;
    pair.refuse(&pair.shards[0], &pair.desk.audit(&other, &["--shard", "2/2"]));
    let both = pair.desk.audit_all(&[&pair.source, &other], &["--shard", "2/2"]);
    pair.refuse(&pair.shards[0], &both);
}

#[test]
fn an_empty_result_is_fine_only_when_every_shard_says_so() {
    let mut pair = Pair::new();
    let nothing_in_scope = [Row::compliant("f").with_key("plain"), Row::compliant("g").with_key("plain")];
    pair.source = Delivery::csv(&nothing_in_scope, &all_columns(), 2).write(&pair.desk.path("plain")).config;
    let shard = |args: &[&str]| pair.desk.audit(&pair.source, &[&["--shard"], args].concat());
    let (first, second) = (shard(&["1/2", "--allow-empty"]), shard(&["2/2", "--allow-empty"]));
    assert_eq!((first.code(), second.code(), pair.desk.merge([&second, &first]).code()), (Some(0), Some(0), Some(0)));
    assert_eq!(pair.desk.merge([&first, &shard(&["2/2"])]).code(), Some(3));
    assert_eq!(pair.desk.merge([&shard(&["1/2"]), &second]).code(), Some(3));
}

#[test]
fn a_list_that_grew_or_shrank_is_refused() {
    for (file, change) in [
        ("findings.csv", (|text| text + "one,more\n") as fn(String) -> String),
        ("findings.csv", |text| text.lines().skip(1).map(|line| format!("{line}\n")).collect()),
        ("findings.csv", |_| String::new()),
        ("faults.jsonl", |text| text + "\n"),
    ] {
        let pair = Pair::new();
        let stderr = pair.refuse_after(|out| {
            let text = fs::read_to_string(out.join(file)).unwrap();
            fs::write(out.join(file), change(text)).unwrap();
        });
        assert!(stderr.contains(file), "{stderr}");
    }
}

#[test]
fn a_list_that_kept_its_length_and_not_its_content_is_refused() {
    let pair = Pair::new();
    pair.refuse_after(|out| {
        let text = fs::read_to_string(out.join("findings.csv")).unwrap();
        let changed = text.replacen("111122223333", "999999999999", 1);
        assert_ne!(text, changed);
        fs::write(out.join("findings.csv"), changed).unwrap();
    });
}

#[test]
fn folders_that_are_no_shards_are_refused() {
    let pair = Pair::new();
    pair.refuse(&pair.shards[0], &pair.desk.audit(&pair.source, &[]));
    let empty = Audited { out: pair.desk.path("nothing"), ran: pair.desk.audit(&pair.source, &[]).ran };
    assert!(pair.refuse(&pair.shards[0], &empty).contains("hint: merge takes folders written by audit --shard N/M"));
    fs::create_dir(&empty.out).unwrap();
    pair.refuse(&pair.shards[0], &empty);
    for garbage in ["", "{}", "[]", "null", "\u{0}"] {
        pair.refuse_after(|out| fs::write(out.join("partial.json"), garbage).unwrap());
    }
}

/// The seal protects a partial from accidents, and not from a hand that knows how to seal it again; but none may bring the
/// program down.
#[test]
fn no_number_in_a_partial_is_a_crash() {
    let pair = Pair::new();
    let path = pair.shards[1].out.join("partial.json");
    let text = fs::read_to_string(&path).unwrap();
    let (_, text) = text.split_once(r#","partial":"#).unwrap();
    let (text, _) = text.rsplit_once(r#","sha256":"#).unwrap();
    // What stands before it has times and names of temporary folders, which differ from run to run.
    let counts = text.find(r#""partial":"#).unwrap();
    let is_digit = |at: usize| text.as_bytes()[at].is_ascii_digit();
    // The lines of the sample are texts.
    let end = text.find(r#""sample":{"strata""#).unwrap() + 500;
    let numbers: Vec<usize> = (counts..end).filter(|at| is_digit(*at) && !is_digit(at - 1)).collect();
    for (at, number) in numbers.iter().zip(["18446744073709551615", "-1"].iter().cycle()) {
        let behind = (*at..text.len()).find(|at| !is_digit(*at)).unwrap();
        fs::write(&path, sealed(&format!("{}{number}{}", &text[..*at], &text[behind..]))).unwrap();
        let merged = pair.desk.merge(&pair.shards);
        let before = text.floor_char_boundary(at - 40);
        let context = format!("{number} behind {}: {merged:?}", &text[before..*at]);
        assert!([1, 2].map(Some).contains(&merged.code()), "{context}");
        assert!(!merged.ran.stderr.contains("panicked"), "{context}");
    }
}

#[test]
fn a_partial_with_fewer_units_in_its_plan_than_in_its_counts_is_refused() {
    let pair = Pair::new();
    for shard in &pair.shards {
        reseal(&shard.out, |partial| {
            assert_eq!(partial["facts"]["units"], 4);
            partial["facts"]["units"] = json!(1);
        });
    }
    pair.refuse(&pair.shards[0], &pair.shards[1]);
}

/// Fewer lines than the summary counts would be a smaller report.
#[test]
fn a_partial_whose_lengths_are_not_those_of_its_lists_is_refused() {
    let changes: [fn(&mut Value); 4] = [
        |lengths| lengths["units"] = json!([]),
        |lengths| drop(lengths["units"].as_array_mut().unwrap().pop()),
        |lengths| lengths["units"][0][1][0] = json!(0),
        |lengths| lengths["units"][0][1][0] = json!(lengths["units"][0][1][0].as_u64().unwrap() - 1),
    ];
    for change in changes {
        let pair = Pair::new();
        pair.refuse_after(|out| reseal(out, |partial| change(&mut partial["lengths"])));
    }
}

#[test]
fn a_shard_without_one_of_its_lists_is_refused() {
    for file in ["findings.csv", "faults.jsonl", "units.csv"] {
        Pair::new().refuse_after(|out| fs::remove_file(out.join(file)).unwrap());
    }
}

#[test]
fn a_shard_whose_manifest_is_another_is_refused() {
    for file in ["manifest.json", "manifest.checksum"] {
        let pair = Pair::new();
        let own = pair.shards[0].out.join("sources/1").join(file);
        let text = fs::read_to_string(&own).unwrap();
        fs::write(&own, format!("{text} ")).unwrap();
        assert!(pair.refuse(&pair.shards[0], &pair.shards[1]).contains("not as the shard left it"), "{file}");
        fs::remove_file(&own).unwrap();
        pair.refuse(&pair.shards[0], &pair.shards[1]);
        fs::write(&own, text).unwrap();
        assert_ne!(pair.desk.merge(&pair.shards).code(), Some(2), "{file}");
    }
}

#[test]
fn a_merge_does_not_overwrite_a_finished_audit_unless_it_is_told_to() {
    let pair = Pair::new();
    let out = pair.desk.path("finished");
    let merge = |extra: &[&str]| {
        let folders = pair.shards.iter().map(|shard| shard.out.to_str().unwrap());
        let args = ["merge"].into_iter().chain(folders).chain(["--out", out.to_str().unwrap()]);
        crate::audits::logseal(args.chain(extra.iter().copied()))
    };
    assert_eq!(merge(&[]).code, Some(1));
    let before = fs::read(out.join("summary.json")).unwrap();
    assert_eq!(merge(&[]).code, Some(2));
    assert_eq!(before, fs::read(out.join("summary.json")).unwrap());
    assert_eq!(merge(&["--force"]).code, Some(1));
}

#[test]
fn shards_need_not_lie_where_they_were_written() {
    let pair = Pair::new();
    let whole = pair.desk.merge(&pair.shards).steady();
    let moved = pair.desk.path("moved");
    fs::rename(&pair.shards[1].out, &moved).unwrap();
    fs::remove_dir_all(&pair.source).unwrap();
    let second = Audited { out: moved, ran: pair.desk.merge(&pair.shards[..1]).ran };
    assert_same(&whole, &pair.desk.merge([&pair.shards[0], &second]));
}

#[test]
fn a_source_without_the_column_of_versions_is_merged_like_any_other() {
    let desk = Desk::new();
    let rows = Row::random_many(&mut Random::new(12), 50);
    let names = ["Key", "Bucket", "EncryptionStatus"];
    let source = Delivery::csv(&rows, &columns(&names), 3).write(&desk.path("source")).config;
    let shards = ["1/2", "2/2"].map(|shard| desk.audit(&source, &["--shard", shard]));
    assert_same(&desk.audit(&source, &[]).steady(), &desk.merge(&shards));
}
