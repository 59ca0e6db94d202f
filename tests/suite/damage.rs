//! Reports that are not what was delivered: damage is a fault, never a smaller report, a pass or a crash.

use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use logseal::plan::Checksums;
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::SerializedFileReader;
use serde_json::{Value, json};

use crate::audits::{Audited, Desk};
use crate::delivery::{BUCKET, Delivered, Delivery, OrcForm, ParquetForm, RUN, Row, all_columns, md5_hex};
use crate::random::Random;

const ROWS: usize = 40;
const FILES: usize = 4;

/// A delivery without any fault. The first file has a violation if it is told so.
fn sound(format: &str, with_violation: bool) -> Delivery {
    let mut rows: Vec<Row> = (0..FILES * ROWS).map(|at| Row::compliant(&format!("f{at}.json.gz"))).collect();
    if with_violation {
        rows[0] = rows[0].clone().with_status("NOT-SSE");
    }
    match format {
        "CSV" => Delivery::csv(&rows, &all_columns(), FILES),
        "ORC" => Delivery::orc(&rows, &all_columns(), FILES, OrcForm { stripe_rows: 16, ..OrcForm::default() }),
        _ => Delivery::parquet(&rows, &all_columns(), FILES, ParquetForm { group_rows: 16, ..ParquetForm::default() }),
    }
}

/// What can become of the bytes of a file.
const DAMAGES: [&str; 6] = ["truncated", "flipped", "extended", "doubled", "emptied", "swapped"];

fn damaged(bytes: &[u8], how: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match how {
        "truncated" => bytes.truncate(random.below(bytes.len())),
        "flipped" => {
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
        }
        "extended" => bytes.extend((0..=random.below(30)).map(|_| random.number() as u8)),
        "doubled" => bytes.extend(bytes.clone()),
        "emptied" => bytes.clear(),
        _ => {
            let other = if bytes.starts_with(b"PAR1") { "CSV" } else { "Parquet" };
            bytes = sound(other, true).files[1].bytes.clone();
        }
    }
    bytes
}

/// One way of hurting the second file of a delivery on disk.
fn hurt(delivered: &Delivered, delivery: &Delivery, how: &str, random: &mut Random) {
    let (path, bytes) = (delivered.data(&delivery.files[1].name), &delivery.files[1].bytes);
    match how {
        "removed" => fs::remove_file(&path).unwrap(),
        "a folder" => {
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
        }
        "a link that leads out" => {
            let outside = delivered.config.with_extension("outside");
            fs::write(&outside, bytes).unwrap();
            replace_with_link(&path, &outside);
        }
        "a link that leads nowhere" => replace_with_link(&path, Path::new("nowhere")),
        "a link to itself" => replace_with_link(&path, &path),
        how => {
            let damaged = damaged(bytes, how, random);
            // Flipping a bit twice is no damage.
            fs::write(&path, if damaged == *bytes { Vec::new() } else { damaged }).unwrap();
        }
    }
}

#[cfg(unix)]
fn replace_with_link(path: &Path, target: &Path) {
    fs::remove_file(path).unwrap();
    std::os::unix::fs::symlink(target, path).unwrap();
}

/// Links need rights on Windows that tests do not have.
#[cfg(windows)]
fn replace_with_link(path: &Path, _: &Path) {
    fs::remove_file(path).unwrap();
}

/// So many seeds of each kind are tried by the command, all others within this process: they differ in the damage only.
const BY_THE_COMMAND: u64 = 20;

/// So many, or as many as `LOGSEAL_DAMAGED` says.
fn seeds(usual: u64) -> Range<u64> {
    0..std::env::var("LOGSEAL_DAMAGED").map_or(usual, |text| text.parse().unwrap())
}

fn audit_seed(desk: &Desk, config: &Path, checksums: Checksums, seed: u64) -> Audited {
    match checksums {
        _ if seed >= BY_THE_COMMAND => desk.audit_within(config, checksums),
        Checksums::Verified => desk.audit(config, &[]),
        Checksums::Skipped => desk.audit(config, &["--no-checksums"]),
    }
}

#[track_caller]
fn assert_no_panic(audited: &Audited, context: &str) {
    if audited.code() != Some(2) {
        assert!(!audited.fault_names().contains(&"unit_reader_failed".to_owned()), "{context}: {:?}", audited.faults());
    }
    assert!(!audited.ran.stderr.contains("panicked"), "{context}: {}", audited.ran.stderr);
    assert!(audited.code().is_some(), "{context}: killed by a signal");
}

/// The second file is a fault and counts for nothing; the others count.
#[track_caller]
fn assert_one_unit_faulted(audited: &Audited, with_violation: bool, context: &str) {
    assert_no_panic(audited, context);
    let (summary, faults) = (audited.summary(), audited.faults());
    assert_eq!(audited.code(), Some(if with_violation { 1 } else { 3 }), "{context}: {summary}");
    assert_ne!(summary["outcome"], "pass", "{context}");
    assert!(summary["outcome_reasons"].as_array().unwrap().contains(&json!("faults")), "{context}: {summary}");
    assert_eq!(faults.len(), 1, "{context}: {faults:?}");
    assert!(faults[0]["what"].as_str().unwrap().starts_with("unit_"), "{context}: {faults:?}");
    assert!(faults[0]["where"]["file"].as_str().unwrap().contains("part-1."), "{context}: {faults:?}");
    let coverage = &summary["coverage"];
    assert_eq!((&coverage["units_planned"], &coverage["units_faulted"]), (&json!(FILES), &json!(1)), "{context}");
    assert_eq!(summary["counts"]["rows"], (FILES - 1) * ROWS, "{context}");
    assert_eq!(audited.findings().len(), usize::from(with_violation), "{context}");
}

fn check_under_its_manifest(format: &str, seed: u64) {
    let mut random = Random::new(seed);
    let others = ["removed", "a folder", "a link that leads out", "a link that leads nowhere", "a link to itself"];
    let how = if random.chance(85) { random.pick(&DAMAGES) } else { random.pick(&others) };
    let with_violation = random.chance(30);
    let (desk, delivery) = (Desk::new(), sound(format, with_violation));
    let delivered = delivery.write(&desk.path("config"));
    hurt(&delivered, &delivery, how, &mut random);
    let audited = audit_seed(&desk, &delivered.config, Checksums::Verified, seed);
    assert_one_unit_faulted(&audited, with_violation, &format!("{format} {how}, seed {seed}"));
    let unchecked = audit_seed(&desk, &delivered.config, Checksums::Skipped, seed);
    assert_no_panic(&unchecked, how);
    assert!([Some(1), Some(3)].contains(&unchecked.code()), "{format} {how}, seed {seed}: {unchecked:?}");
}

#[test]
fn damaged_csv_under_its_manifest_is_a_fault() {
    seeds(90).for_each(|seed| check_under_its_manifest("CSV", seed));
}

#[test]
fn damaged_parquet_under_its_manifest_is_a_fault() {
    seeds(90).for_each(|seed| check_under_its_manifest("Parquet", seed));
}

#[test]
fn damaged_orc_under_its_manifest_is_a_fault() {
    seeds(90).for_each(|seed| check_under_its_manifest("ORC", seed));
}

#[test]
fn files_that_were_exchanged_are_faults_both() {
    for format in ["CSV", "Parquet", "ORC"] {
        let (desk, delivery) = (Desk::new(), sound(format, false));
        let delivered = delivery.write(&desk.path("config"));
        fs::write(delivered.data(&delivery.files[1].name), &delivery.files[2].bytes).unwrap();
        fs::write(delivered.data(&delivery.files[2].name), &delivery.files[1].bytes).unwrap();
        let audited = desk.audit(&delivered.config, &[]);
        assert_eq!(audited.code(), Some(3));
        assert_eq!(audited.fault_names().len(), 2);
        assert_eq!(audited.summary()["counts"]["rows"], (FILES - 2) * ROWS);
    }
}

/// How many rows there are by the file's own account, or nothing when it cannot be told.
fn rows_by_its_own_account(bytes: &[u8], format: &str) -> Option<u64> {
    if format == "Parquet" {
        let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).ok()?;
        return u64::try_from(reader.metadata().file_metadata().num_rows()).ok();
    }
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut text).ok()?;
    let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    Some(lines.filter(|line| !line.is_empty()).count() as u64)
}

/// Nothing but the decoder can notice.
fn check_under_a_new_manifest(format: &str, seed: u64) {
    let mut random = Random::new(seed);
    let how = random.pick(&DAMAGES);
    let context = format!("{format} {how}, seed {seed}");
    let (desk, mut delivery) = (Desk::new(), sound(format, false));
    delivery.files[1].bytes = damaged(&delivery.files[1].bytes, how, &mut random);
    let delivered = delivery.write(&desk.path("config"));

    let audited = audit_seed(&desk, &delivered.config, Checksums::Verified, seed);
    assert_no_panic(&audited, &context);
    assert!([Some(0), Some(1), Some(3)].contains(&audited.code()), "{context}: {audited:?}");
    let summary = audited.summary();
    let coverage = &summary["coverage"];
    let examined = coverage["rows_read"].as_u64().unwrap() + coverage["rows_rejected"].as_u64().unwrap();
    let of_others = ((FILES - 1) * ROWS) as u64;
    if coverage["units_faulted"] == 0 {
        let rows = rows_by_its_own_account(&delivery.files[1].bytes, format);
        assert_eq!(Some(examined - of_others), rows, "{context}");
    } else {
        assert_eq!(examined, of_others, "{context}");
        assert_eq!(audited.fault_names().len(), 1, "{context}");
    }
    let unchecked = audit_seed(&desk, &delivered.config, Checksums::Skipped, seed);
    assert_no_panic(&unchecked, &context);
    assert!([Some(1), Some(3)].contains(&unchecked.code()), "{context}: {unchecked:?}");
}

#[test]
fn damaged_csv_under_a_new_manifest_is_read_to_its_own_end_or_not_at_all() {
    seeds(80).for_each(|seed| check_under_a_new_manifest("CSV", seed));
}

#[test]
fn damaged_parquet_under_a_new_manifest_is_read_to_its_own_end_or_not_at_all() {
    seeds(120).for_each(|seed| check_under_a_new_manifest("Parquet", seed));
}

/// Whether rows are those that the footer counts is tested beside the reader; whoever damages a file may make it count.
#[test]
fn damaged_orc_under_a_new_manifest_is_read_or_not_at_all() {
    for seed in seeds(120) {
        let mut random = Random::new(seed);
        let how = random.pick(&DAMAGES);
        let context = format!("ORC {how}, seed {seed}");
        let (desk, mut delivery) = (Desk::new(), sound("ORC", false));
        delivery.files[1].bytes = damaged(&delivery.files[1].bytes, how, &mut random);
        let config = delivery.write(&desk.path("config")).config;
        let audited = audit_seed(&desk, &config, Checksums::Verified, seed);
        assert_no_panic(&audited, &context);
        let coverage = &audited.summary()["coverage"];
        let examined = coverage["rows_read"].as_u64().unwrap() + coverage["rows_rejected"].as_u64().unwrap();
        let rows = if coverage["units_faulted"] == 0 { FILES * ROWS } else { (FILES - 1) * ROWS };
        assert_eq!(examined, rows as u64, "{context}");
        if how == "truncated" || how == "emptied" || how == "swapped" {
            assert_eq!((audited.code(), audited.fault_names().len()), (Some(3), 1), "{context}");
        }
    }
}

#[test]
fn every_cut_of_a_small_csv_is_a_fault() {
    let desk = Desk::new();
    let mut delivery = Delivery::csv(&[Row::compliant("f")], &all_columns(), 1);
    let whole = delivery.files[0].bytes.clone();
    for len in (0..whole.len()).step_by(7) {
        delivery.files[0].bytes = whole[..len].to_vec();
        let audited = desk.audit(delivery.write(&desk.path("config")).config, &["--allow-empty"]);
        assert_eq!((audited.code(), audited.fault_names()), (Some(3), vec!["unit_damaged".to_owned()]), "{len}");
    }
}

#[test]
fn members_of_a_gzip_file_are_all_read() {
    let desk = Desk::new();
    let mut delivery = sound("CSV", false);
    let second = delivery.files.remove(1);
    delivery.files[0].bytes.extend(second.bytes);
    let audited = desk.audit(delivery.write(&desk.path("config")).config, &[]);
    assert_eq!((audited.code(), &audited.summary()["counts"]["rows"]), (Some(0), &json!(FILES * ROWS)));
}

#[cfg(unix)]
#[test]
fn a_link_that_stays_in_the_folder_is_followed() {
    let (desk, delivery) = (Desk::new(), sound("CSV", false));
    let delivered = delivery.write(&desk.path("config"));
    let (path, elsewhere) = (delivered.data("part-1.csv.gz"), delivered.config.join("elsewhere.csv.gz"));
    fs::copy(&path, &elsewhere).unwrap();
    replace_with_link(&path, &elsewhere);
    assert_eq!(desk.audit(&delivered.config, &[]).code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_data_folder_that_is_a_link_leading_out_is_not_read() {
    let (desk, delivery) = (Desk::new(), sound("CSV", false));
    let delivered = delivery.write(&desk.path("config"));
    fs::rename(delivered.config.join("data"), desk.path("outside")).unwrap();
    std::os::unix::fs::symlink(desk.path("outside"), delivered.config.join("data")).unwrap();
    let audited = desk.audit(&delivered.config, &[]);
    assert_eq!(audited.code(), Some(3));
    assert_eq!(audited.fault_names(), vec!["unit_outside"; FILES]);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_or_is_a_pipe_is_a_fault() {
    let (desk, delivery) = (Desk::new(), sound("CSV", false));
    let delivered = delivery.write(&desk.path("config"));
    let path = delivered.data("part-1.csv.gz");
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    assert_one_unit_faulted(&desk.audit(&delivered.config, &[]), false, "a pipe");
}

/// Changes a manifest and says which faults that makes, and how many rows are examined all the same.
type Case = (&'static str, fn(&mut Value), &'static [&'static str], usize);

const ALL: usize = FILES * ROWS;
const BUT_ONE: usize = ALL - ROWS;

fn file(manifest: &mut Value) -> &mut Value {
    &mut manifest["files"][1]
}

const CASES: [Case; 26] = [
    ("sound", |_| {}, &[], ALL),
    ("no files", |manifest| manifest["files"] = json!([]), &["manifest_empty"], 0),
    ("files of another kind", |manifest| manifest["files"] = json!("x"), &["manifest_malformed"], 0),
    ("without files", |manifest| remove(manifest, "files"), &["manifest_malformed"], 0),
    ("without a bucket", |manifest| remove(manifest, "sourceBucket"), &["manifest_malformed"], 0),
    ("without a format", |manifest| remove(manifest, "fileFormat"), &["manifest_malformed"], 0),
    ("an unknown format", |manifest| manifest["fileFormat"] = json!("Avro"), &["manifest_malformed"], 0),
    ("without a schema", |manifest| remove(manifest, "fileSchema"), &["manifest_schema"], 0),
    ("a schema without Key", |manifest| manifest["fileSchema"] = json!("Bucket, Size"), &["manifest_schema"], 0),
    ("a schema with Key twice", |manifest| manifest["fileSchema"] = json!("Bucket, Key, Key"), &["manifest_schema"], 0),
    ("a file twice", |manifest| manifest["files"][1] = manifest["files"][0].clone(), &["manifest_file_twice"], 0),
    (
        "a file twice in two spellings",
        |manifest| {
            manifest["files"][1] = manifest["files"][0].clone();
            let key = manifest["files"][0]["key"].as_str().unwrap().replace("/data/", "//data/");
            manifest["files"][1]["key"] = json!(key);
        },
        &["manifest_file_twice"],
        0,
    ),
    ("a file without a key", |manifest| remove(file(manifest), "key"), &["manifest_malformed"], 0),
    ("a file without a checksum", |manifest| remove(file(manifest), "MD5checksum"), &["unit_unchecked"], BUT_ONE),
    ("a checksum that is none", |manifest| file(manifest)["MD5checksum"] = json!("x"), &["unit_unchecked"], BUT_ONE),
    (
        "another checksum",
        |manifest| file(manifest)["MD5checksum"] = json!(md5_hex(b"x")),
        &["unit_wrong_checksum"],
        BUT_ONE,
    ),
    ("a file without a size", |manifest| remove(file(manifest), "size"), &["unit_unchecked"], BUT_ONE),
    ("another size", |manifest| file(manifest)["size"] = json!(1), &["unit_wrong_size"], BUT_ONE),
    ("a negative size", |manifest| file(manifest)["size"] = json!(-1), &["manifest_malformed"], 0),
    (
        "a key that leads up",
        |manifest| file(manifest)["key"] = json!("../../outside.csv.gz"),
        &["unit_outside"],
        BUT_ONE,
    ),
    (
        "a key that leads up and down again",
        |manifest| file(manifest)["key"] = json!("x/data/../data/part-1.csv.gz"),
        &["unit_outside"],
        BUT_ONE,
    ),
    ("a key that goes nowhere", |manifest| file(manifest)["key"] = json!("/"), &["unit_outside"], BUT_ONE),
    ("an empty key", |manifest| file(manifest)["key"] = json!(""), &["unit_outside"], BUT_ONE),
    ("a key with a zero byte", |manifest| file(manifest)["key"] = json!("data/part-1\0"), &["unit_outside"], BUT_ONE),
    ("a key of this machine", |manifest| file(manifest)["key"] = json!("/etc/passwd"), &["unit_missing"], BUT_ONE),
    ("a folder for a key", |manifest| file(manifest)["key"] = json!("data"), &["unit_missing"], BUT_ONE),
];

fn remove(object: &mut Value, field: &str) {
    object.as_object_mut().unwrap().remove(field).unwrap();
}

#[test]
fn damaged_manifests_are_faults_and_lead_nowhere() {
    let (desk, delivery) = (Desk::new(), sound("CSV", false));
    let delivered = delivery.write(&desk.path("config"));
    fs::write(desk.path("outside.csv.gz"), &sound("CSV", true).files[0].bytes).unwrap();
    for (name, change, faults, rows) in CASES {
        let mut manifest = delivery.manifest();
        change(&mut manifest);
        delivered.seal(RUN, &manifest);
        let audited = desk.audit(&delivered.config, &[]);
        assert_no_panic(&audited, name);
        assert_eq!(audited.fault_names(), faults, "{name}");
        assert_eq!(audited.summary()["counts"]["rows"], rows, "{name}");
        assert_eq!(audited.code(), Some(if faults.is_empty() { 0 } else { 3 }), "{name}: {audited:?}");
    }
}

#[test]
fn an_absolute_key_does_not_reach_a_file_outside() {
    let (desk, elsewhere, delivery) = (Desk::new(), Desk::new(), sound("CSV", false));
    let delivered = delivery.write(&desk.path("config"));
    let outside = elsewhere.path("outside.csv.gz");
    fs::write(&outside, &delivery.files[1].bytes).unwrap();
    let mut manifest = delivery.manifest();
    file(&mut manifest)["key"] = json!(outside);
    delivered.seal(RUN, &manifest);
    let audited = desk.audit(&delivered.config, &[]);
    assert_eq!((audited.code(), audited.fault_names()), (Some(3), vec!["unit_missing".to_owned()]));
}

#[test]
fn texts_that_are_no_manifests_are_faults() {
    let (desk, delivery) = (Desk::new(), sound("CSV", false));
    let delivered = delivery.write(&desk.path("config"));
    let sound = delivery.manifest().to_string();
    let texts = [
        String::new(),
        "not JSON".into(),
        "{}".into(),
        "[]".into(),
        "null".into(),
        sound[..sound.len() - 1].into(),
        format!("{sound}x"),
        format!("{sound}{sound}"),
        format!("\u{feff}{sound}"),
        "[".repeat(100_000),
        sound.replacen("\"sourceBucket\"", "\"sourceBucket\":\"x\",\"sourceBucket\"", 1),
        sound.replacen("\"files\"", "\"files\":[],\"files\"", 1),
    ];
    for text in texts {
        delivered.seal_text(RUN, text.as_bytes());
        let audited = desk.audit(&delivered.config, &[]);
        let start: String = text.chars().take(60).collect();
        assert_no_panic(&audited, &start);
        assert_eq!(
            (audited.code(), audited.fault_names()),
            (Some(3), vec!["manifest_malformed".to_owned()]),
            "{start}"
        );
        assert_eq!(audited.summary()["coverage"]["units_planned"], 0, "{start}");
    }
    delivered.seal_text(RUN, &[b"{\"sourceBucket\":\"\xff\"".as_slice(), &sound.as_bytes()[1..]].concat());
    assert_eq!(desk.audit(&delivered.config, &[]).fault_names(), ["manifest_malformed"]);
}

#[test]
fn a_manifest_must_match_its_checksum() {
    let (desk, delivery) = (Desk::new(), sound("CSV", false));
    let delivered = delivery.write(&desk.path("config"));
    let right = fs::read_to_string(delivered.checksum()).unwrap();
    let cases = [
        (format!("{}\r\n", right.trim()), Some(0)),
        (right.trim().to_uppercase(), Some(0)),
        (md5_hex(b"another"), Some(3)),
        (String::new(), Some(3)),
        (right.trim()[1..].to_owned(), Some(3)),
        (format!("{} manifest.json", right.trim()), Some(3)),
        ("0".repeat(1 << 20), Some(3)),
    ];
    for (checksum, code) in cases {
        fs::write(delivered.checksum(), &checksum).unwrap();
        let audited = desk.audit(&delivered.config, &[]);
        assert_eq!(audited.code(), code, "{checksum:.80}");
        let faults = if code == Some(0) { vec![] } else { vec!["manifest_wrong_checksum".to_owned()] };
        assert_eq!(audited.fault_names(), faults, "{checksum:.80}");
        let unchecked = desk.audit(&delivered.config, &["--no-checksums"]);
        assert_eq!((unchecked.code(), unchecked.fault_names().len()), (Some(3), 0), "{checksum:.80}");
    }
}

#[test]
fn without_its_checksum_a_manifest_is_a_fault_and_its_files_are_examined() {
    let (desk, delivery) = (Desk::new(), sound("Parquet", false));
    let delivered = delivery.write(&desk.path("config"));
    fs::remove_file(delivered.checksum()).unwrap();
    let audited = desk.audit(delivered.manifest(), &[]);
    assert_eq!((audited.code(), audited.fault_names()), (Some(3), vec!["manifest_checksum_missing".to_owned()]));
    assert_eq!(audited.summary()["counts"]["compliant"], ALL);
    let no_run = desk.audit(&delivered.config, &[]);
    assert_eq!(no_run.code(), Some(2), "no run is complete: {no_run:?}");
    assert_eq!(desk.audit(&delivered.config, &["--run", RUN]).code(), Some(3));
}

#[test]
fn a_manifest_that_is_at_fault_proves_no_completeness() {
    let (desk, delivery) = (Desk::new(), sound("CSV", false));
    let completeness = |source: &Path| desk.audit(source, &[]).summary()["coverage"]["completeness"].clone();
    let delivered = delivery.write(&desk.path("config"));
    assert_eq!(completeness(&delivered.manifest()), "proven");
    fs::write(delivered.checksum(), md5_hex(b"another")).unwrap();
    assert_eq!(completeness(&delivered.manifest()), "unproven", "a wrong checksum");
    fs::remove_file(delivered.checksum()).unwrap();
    assert_eq!(completeness(&delivered.manifest()), "unproven", "no checksum");
}

#[test]
fn rows_of_another_bucket_than_the_manifests_are_rejected() {
    for format in ["CSV", "Parquet", "ORC"] {
        let desk = Desk::new();
        let delivered = sound(format, true).in_bucket("another").write(&desk.path("config"));
        let audited = desk.audit(&delivered.config, &[]);
        assert_eq!(audited.code(), Some(3));
        assert_eq!(audited.fault_names(), vec!["row_of_other_bucket"; ALL]);
        assert_eq!(audited.summary()["coverage"]["rows_rejected"], ALL);
    }
}

#[test]
fn a_manifest_of_another_format_makes_no_pass() {
    let desk = Desk::new();
    for (format, claimed) in
        [("CSV", "Parquet"), ("CSV", "ORC"), ("Parquet", "CSV"), ("Parquet", "ORC"), ("ORC", "CSV"), ("ORC", "Parquet")]
    {
        let mut delivery = sound(format, false);
        delivery.format = claimed;
        if claimed == "CSV" {
            delivery.schema = sound("CSV", false).schema;
        }
        let audited = desk.audit(delivery.write(&desk.path("config")).config, &[]);
        assert_no_panic(&audited, claimed);
        assert_eq!((audited.code(), &audited.summary()["counts"]["rows"]), (Some(3), &json!(0)), "{format} {claimed}");
        assert!(!audited.fault_names().is_empty());
    }
}

#[test]
fn names_in_a_manifest_are_harmless_where_they_are_shown() {
    let (desk, delivery) = (Desk::new(), sound("CSV", false));
    let delivered = delivery.write(&desk.path("config"));
    let mut manifest = delivery.manifest();
    file(&mut manifest)["key"] = json!("data/\u{1b}[31m\u{202e}\n.csv.gz");
    manifest["sourceBucket"] = json!(format!("{BUCKET}\u{1b}"));
    delivered.seal(RUN, &manifest);
    let audited = desk.audit(&delivered.config, &[]);
    for text in [&audited.ran.stdout, &audited.ran.stderr, &audited.text("summary.json"), &audited.text("faults.jsonl")]
    {
        let harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(text.chars().all(harmless), "{text:?}");
    }
}
