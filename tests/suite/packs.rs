//! Packs: the same bytes each time, and nothing in them can change unnoticed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use logseal::finished::{Finished, Joined};
use logseal::pack::{
    FindingsForm, PackError, PackFault, PackOptions, Verified, VerifyOptions, pack as make_pack, verify_pack,
};
use logseal::report::render_page;
use logseal::work::Cancel;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::audits::{Desk, Ran, command, names_in};
use crate::delivery::{BUCKET, Delivery, ODD_KEYS, Row, all_columns};

fn packed(desk: &Desk, name: &str, args: &[&str]) -> PathBuf {
    let (audit, source) = (desk.path("audit"), Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/example"));
    if !audit.exists() {
        let mut audits = command();
        audits.arg("audit").arg(source).arg("--out").arg(&audit).args([
            "--no-progress",
            "--as-of",
            "2026-01-05",
            "--sample",
            "5",
        ]);
        let ran: Ran = audits.output().unwrap().into();
        assert_eq!(ran.code, Some(1), "{ran:?}");
    }
    let out = desk.path(name);
    let ran: Ran = command().arg("pack").arg(audit).arg("--out").arg(&out).args(args).output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    out
}

fn verified(path: &Path) -> Result<Verified, PackFault> {
    verify_pack(path, &VerifyOptions { page: &render_page, ..VerifyOptions::new() })
}

/// What is noticed of an archive: nothing, or what.
fn noticed(path: &Path) -> Option<String> {
    match verified(path) {
        Ok(verified) => (verified.is_repacked == Some(true)).then(|| "it was packed again".to_owned()),
        Err(fault) => Some(fault.to_string()),
    }
}

fn members(pack: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = ZipArchive::new(File::open(pack).unwrap()).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    let read = |name: String| {
        let mut text = Vec::new();
        archive.by_name(&name).unwrap().read_to_end(&mut text).unwrap();
        (name, text)
    };
    names.into_iter().map(read).collect()
}

/// An archive of these members, as another tool writes it.
fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in members {
        zip.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        zip.write_all(text).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn the_same_result_makes_the_same_pack() {
    let desk = Desk::new();
    let (one, other) = (packed(&desk, "one.zip", &[]), packed(&desk, "other.zip", &[]));
    assert!(fs::read(&one).unwrap() == fs::read(&other).unwrap());
    let found = verified(&one).unwrap();
    assert_eq!((found.is_repacked, found.has_findings), (Some(false), true));
    let none = packed(&desk, "none.zip", &["--findings", "none"]);
    assert!(!verified(&none).unwrap().has_findings);
    // A file that is there stays.
    let ran: Ran = command().arg("pack").arg(desk.path("audit")).arg("--out").arg(&one).output().unwrap().into();
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("--force replaces it"), "{}", ran.stderr);
}

/// Every byte with `LOGSEAL_FLIPS=1`, else some of them.
#[test]
fn no_byte_can_change_unnoticed() {
    let desk = Desk::new();
    let pack = packed(&desk, "pack.zip", &[]);
    let whole = fs::read(&pack).unwrap();
    let step = if std::env::var_os("LOGSEAL_FLIPS").is_some() { 1 } else { 211 };
    let spoilt = desk.path("spoilt.zip");
    let mut missed = Vec::new();
    for at in (0..whole.len()).step_by(step) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&spoilt, bytes).unwrap();
        if noticed(&spoilt).is_none() {
            missed.push(at);
        }
    }
    assert!(missed.is_empty(), "{} of {}: {:?}", missed.len(), whole.len(), &missed[..missed.len().min(20)]);
    for end in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&spoilt, &whole[..end]).unwrap();
        assert!(verified(&spoilt).is_err(), "{end}");
    }
    for more in [[&whole[..], b"x"].concat(), [b"x", &whole[..]].concat()] {
        fs::write(&spoilt, more).unwrap();
        assert!(verified(&spoilt).is_err());
    }
}

#[test]
fn no_member_can_go_come_or_be_renamed() {
    let desk = Desk::new();
    let pack = packed(&desk, "pack.zip", &[]);
    let whole: Vec<(String, Vec<u8>)> = members(&pack).into_iter().collect();
    let spoilt = desk.path("spoilt.zip");
    let refused = |members: &[(String, Vec<u8>)], what: &str| {
        fs::write(&spoilt, archive(members)).unwrap();
        let fault = verified(&spoilt).map(|_| ()).expect_err(what);
        fault.to_string()
    };
    // Put together by another tool, it still holds.
    fs::write(&spoilt, archive(&whole)).unwrap();
    assert_eq!(verified(&spoilt).unwrap().is_repacked, Some(true));
    for at in 0..whole.len() {
        let name = &whole[at].0;
        let mut fewer = whole.clone();
        fewer.remove(at);
        refused(&fewer, name);
        let mut renamed = whole.clone();
        renamed[at].0.push('x');
        refused(&renamed, name);
        let mut changed = whole.clone();
        changed[at].1.push(b'x');
        refused(&changed, name);
    }
    let with = |name: &str, text: &[u8]| [whole.clone(), vec![(name.to_owned(), text.to_vec())]].concat();
    for (name, said) in [
        ("evidence/data/more.txt", "is in no manifest"),
        ("evidence/stray.txt", "is in no manifest"),
        ("evidence/data/x.sig", "is in no manifest"),
        ("evidence/../x", "leads out"),
        ("/etc/x", "absolute"),
        ("evidence/./x", "leads out"),
        ("other/x", "more than one folder"),
        ("x", "lies beside the folder"),
        ("evidence/a\\b", "signs that names have not"),
        ("evidence/c:x", "signs that names have not"),
        ("evidence/data/SUMMARY.json", "differ in case"),
    ] {
        let found = refused(&with(name, b""), name);
        assert!(found.contains(said), "{name}: {found}");
    }
    // A signature may lie beside the payload.
    fs::write(&spoilt, archive(&with("evidence/tagmanifest-sha256.txt.sig", b"x"))).unwrap();
    assert_eq!(verified(&spoilt).unwrap().signatures, ["tagmanifest-sha256.txt.sig"]);
}

/// Whoever changes a pack can make its hashes anew.
fn resealed(members: &BTreeMap<String, Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    let mut members = members.clone();
    let hash = |text: &[u8]| -> String {
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let lines = |members: &BTreeMap<String, Vec<u8>>, is_of: &dyn Fn(&str) -> bool| -> Vec<u8> {
        let names = members.iter().map(|(name, text)| (name.strip_prefix("evidence/").unwrap(), text));
        names
            .filter(|(name, _)| is_of(name))
            .map(|(name, text)| format!("{}  {name}\n", hash(text)))
            .collect::<String>()
            .into_bytes()
    };
    let payload = || members.iter().filter(|(name, _)| name.starts_with("evidence/data/"));
    let oxum =
        format!("Payload-Oxum: {}.{}\n", payload().map(|(_, text)| text.len()).sum::<usize>(), payload().count());
    let info = String::from_utf8(members["evidence/bag-info.txt"].clone()).unwrap();
    let kept: String =
        info.lines().filter(|line| !line.starts_with("Payload-Oxum")).map(|line| format!("{line}\n")).collect();
    members.insert("evidence/bag-info.txt".into(), format!("{kept}{oxum}").into_bytes());
    let payload = lines(&members, &|name| name.starts_with("data/"));
    members.insert("evidence/manifest-sha256.txt".into(), payload);
    let tags = lines(&members, &|name| !name.starts_with("data/") && name != "tagmanifest-sha256.txt");
    members.insert("evidence/tagmanifest-sha256.txt".into(), tags);
    members.into_iter().collect()
}

#[test]
fn new_hashes_do_not_make_another_result() {
    let desk = Desk::new();
    let whole = members(&packed(&desk, "pack.zip", &[]));
    let spoilt = desk.path("spoilt.zip");
    fs::write(&spoilt, archive(&resealed(&whole))).unwrap();
    assert!(verified(&spoilt).is_ok(), "sealed again as it was");
    let replaced = |name: &str, from: &str, to: &str| {
        let mut members = whole.clone();
        let text = String::from_utf8(members[name].clone()).unwrap();
        assert!(text.contains(from), "{name} {from}");
        members.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
        members
    };
    let with = |name: &str, text: &[u8]| {
        let mut members = whole.clone();
        members.insert(name.to_owned(), text.to_vec());
        members
    };
    let findings = &whole["evidence/data/findings.csv.gz"];
    for (what, members) in [
        ("a second report", with("evidence/data/report-final.html", b"x")),
        ("a program", with("evidence/data/setup.exe", b"x")),
        ("another list of hashes", with("evidence/manifest-md5.txt", b"x")),
        ("another report", replaced("evidence/data/report.html", "Violations found", "Pass")),
        ("findings twice", with("evidence/data/findings.csv.gz", &[&findings[..], findings].concat())),
        ("bytes behind findings", with("evidence/data/findings.csv.gz", &[&findings[..], b"x"].concat())),
        ("an invented sample", replaced("evidence/data/sample.csv", ",violation,", ",compliant,")),
        ("a data file less", replaced("evidence/data/units.csv", "\n1,", "\n2,")),
        ("another policy", replaced("evidence/data/policy.toml", "cloudtrail", "cloudtrial")),
        ("another manifest", replaced("evidence/data/sources/1/manifest.json", "sourceBucket", "sourcebucket")),
        ("a lie about rules", replaced("evidence/data/summary.json", "\"violation\": 54,", "\"violation\": 0,")),
    ] {
        fs::write(&spoilt, archive(&resealed(&members))).unwrap();
        assert!(verified(&spoilt).is_err(), "{what}");
    }
}

/// Programs that read archives differ in what they go by.
/// A table of findings has the rows of the list, whatever is in them, and no others.
#[test]
fn findings_are_the_same_as_a_table() {
    let desk = Desk::new();
    let rows: Vec<Row> = ODD_KEYS
        .iter()
        .chain(&[&b"=1+1"[..], b"'quoted", b"a,\"b\"", b"\xff\xfe", b"plain"])
        .enumerate()
        .map(|(at, key)| {
            let row = Row::compliant("f").with_key(*key).with_status(["SSE-S3", "", "NOT-SSE"][at % 3]);
            match at % 4 {
                0 => Row { size: None, last_modified: None, is_latest: None, version_id: None, ..row },
                _ => row,
            }
        })
        .collect();
    let source = Delivery::csv(&rows, &all_columns(), 2).write(&desk.path("rows")).config;
    let policy = "[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\n";
    let audited = desk.audit_under(policy, &source, &[]);
    let pack = |form: &str| {
        let out = desk.path(&format!("{form}.zip"));
        let ran: Ran = command()
            .arg("pack")
            .arg(&audited.out)
            .args(["--findings", form, "--out"])
            .arg(&out)
            .output()
            .unwrap()
            .into();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        out
    };
    let (table, both, again) = (pack("parquet"), pack("both"), desk.path("again.zip"));
    for one in [&table, &both] {
        let found = verified(one).unwrap();
        assert_eq!((found.is_repacked, found.has_findings), (Some(false), true));
        let ran: Ran = command().arg("verify-pack").arg(one).arg("--sources").arg(&source).output().unwrap().into();
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    fs::copy(pack("csv"), &again).unwrap();
    assert!(members(&table)["evidence/data/findings.parquet"] == members(&both)["evidence/data/findings.parquet"]);
    // The table of another audit beside this list; with it alone, its groups differ.
    let rows: Vec<Row> = rows.into_iter().map(|row| Row { size: Some(7), ..row }).collect();
    let source = Delivery::csv(&rows, &all_columns(), 2).write(&desk.path("others")).config;
    let other = desk.audit_under(policy, &source, &[]);
    let out = desk.path("other.zip");
    command().arg("pack").arg(&other.out).args(["--findings", "parquet", "--out"]).arg(&out).output().unwrap();
    for (one, why) in [(&both, "findings.parquet has other rows"), (&table, "groups.csv is not that of the findings")] {
        let mut changed = members(one);
        changed
            .insert("evidence/data/findings.parquet".into(), members(&out)["evidence/data/findings.parquet"].clone());
        fs::write(&again, archive(&resealed(&changed))).unwrap();
        let fault = noticed(&again).unwrap();
        assert!(fault.contains(why), "{fault}");
    }
}

/// The audit is run again from what it was made from, and from what it was not.
#[test]
fn an_audit_that_is_run_again_gives_the_same() {
    let desk = Desk::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/example");
    let verify = |pack: &Path, args: &[&str]| -> Ran {
        command().arg("verify-pack").arg(pack).args(args).output().unwrap().into()
    };
    let again = |pack: &Path, source: &Path, args: &[&str]| {
        verify(pack, &[&["--sources", source.to_str().unwrap()], args].concat())
    };
    for (name, args) in [("all.zip", &[][..]), ("none.zip", &["--findings", "none"])] {
        let pack = packed(&desk, name, args);
        let ran = again(&pack, &source, &[]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains("run again from its sources, gives the same"), "{}", ran.stdout);
    }
    // A row that was another, in a delivery whose checksums are right again.
    let pack = desk.path("all.zip");
    let rows = vec![Row::compliant("f"); 7];
    let other = Delivery::csv(&rows, &all_columns(), 1).write(&desk.path("other")).config;
    let ran = again(&pack, &other, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("run again, gives another summary.json: "), "{}", ran.stdout);
    let gone = again(&pack, &desk.path("nowhere"), &[]);
    assert_eq!(gone.code, Some(2), "{gone:?}");
    assert!(verify(&pack, &["--max-groups", "3"]).code == Some(2), "without sources");
    // Everything that can be asked of an audit is repeated.
    let rows: Vec<Row> = (0..40)
        .map(|at| {
            let status = ["SSE-KMS", "SSE-S3", "NOT-SSE", ""][at % 4];
            Row::compliant(&format!("f{at}"))
                .with_key(format!("AWSLogs/{:012}/CloudTrail/us-east-1/{at}", at % 5))
                .with_status(status)
        })
        .collect();
    let source = Delivery::csv(&rows, &all_columns(), 3).write(&desk.path("rows")).config;
    let policy = "[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\nkeys = ['k']\n[keys]\nk = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'\n\
        [remediation]\nkey = 'k'\n[[exception]]\nid = 'e'\nrule = 'r'\nexpires = 2030-01-01\nwhere = { account = ['000000000001'] }\n";
    for args in [
        &["--sample", "3", "--sample-seed", "mine"][..],
        &["--rollup", "none", "--remediate-undetermined"],
        &["--max-groups", "2"],
        &["--expect-objects", "audit-logs=1"],
    ] {
        let audited = desk.audit_under(
            policy,
            &source,
            &args
                .iter()
                .map(|arg| match *arg {
                    "audit-logs=1" => format!("{BUCKET}=1"),
                    arg => arg.to_owned(),
                })
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        );
        assert_eq!(audited.code(), Some(1), "{audited:?}");
        let pack = desk.path("rows.zip");
        let ran: Ran =
            command().arg("pack").arg(&audited.out).args(["--force", "--out"]).arg(&pack).output().unwrap().into();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let groups: &[&str] = if args[0] == "--max-groups" { args } else { &[] };
        let ran = again(&pack, &source, groups);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stdout);
        if !groups.is_empty() {
            assert_eq!(again(&pack, &source, &[]).code, Some(1), "groups are part of the result");
        }
    }
}

/// A result that rests on evidence is not repeated without it.
#[test]
fn key_evidence_is_needed_again() {
    let desk = Desk::new();
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let source = Delivery::csv(&[Row::compliant("f")], &all_columns(), 1).write(&desk.path("csv")).config;
    let row = Row::compliant("f");
    let head = format!(
        "{{\"Bucket\": \"{BUCKET}\", \"Key\": \"{}\", \"VersionId\": \"{}\", \"EvidenceAsOf\": \"2026-01-04T01:00:00Z\", \
         \"ServerSideEncryption\": \"aws:kms\", \"SSEKMSKeyId\": \"{key}\"}}\n",
        String::from_utf8_lossy(&row.key),
        row.version_id.as_deref().unwrap()
    );
    let heads = desk.file("heads.ndjson", &head);
    let policy = format!("[[rule]]\nid = 'r'\nencryption = ['SSE-KMS']\nkeys = ['k']\n[keys]\nk = '{key}'\n");
    let heads = heads.to_str().unwrap();
    let audited = desk.audit_under(&policy, &source, &["--key-evidence", heads, "--evidence-max-age", "7d"]);
    assert_eq!(audited.code(), Some(0), "{audited:?}");
    let pack = desk.path("pass.zip");
    let ran: Ran = command().arg("pack").arg(&audited.out).arg("--out").arg(&pack).output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let again = |args: &[&str]| -> Ran {
        command().arg("verify-pack").arg(&pack).arg("--sources").arg(&source).args(args).output().unwrap().into()
    };
    let without = again(&[]);
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(without.stderr.contains("--key-evidence"), "{}", without.stderr);
    let with = again(&["--key-evidence", heads]);
    assert_eq!(with.code, Some(0), "{with:?}");
    let other = desk.file("other.ndjson", &head.replace("1234abcd", "00000000"));
    assert_eq!(again(&["--key-evidence", other.to_str().unwrap()]).code, Some(1));
}

#[test]
fn archives_say_one_thing_to_all_who_read_them() {
    let desk = Desk::new();
    let whole = fs::read(packed(&desk, "pack.zip", &[])).unwrap();
    let spoilt = desk.path("spoilt.zip");
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&spoilt, bytes).unwrap();
        assert!(verified(&spoilt).is_err(), "{what}");
    };
    let end = whole.len() - 22;
    let list = u32::from_le_bytes(whole[end + 16..end + 20].try_into().unwrap()) as usize;
    // An entry of the list twice; the end says so or not.
    let len = 46 + usize::from(u16::from_le_bytes([whole[list + 28], whole[list + 29]]));
    for count in [0, 1] {
        let mut twice = [&whole[..list], &whole[list..list + len], &whole[list..]].concat();
        let end = twice.len() - 22;
        for at in [end + 8, end + 10] {
            let entries = u16::from_le_bytes([twice[at], twice[at + 1]]) + count;
            twice[at..at + 2].copy_from_slice(&entries.to_le_bytes());
        }
        let size = u32::from_le_bytes(twice[end + 12..end + 16].try_into().unwrap()) + len as u32;
        twice[end + 12..end + 16].copy_from_slice(&size.to_le_bytes());
        refused(&twice, "an entry twice");
    }
    // Bytes between the files and the list.
    let mut gap = [&whole[..list], b"hidden bytes that nobody lists", &whole[list..]].concat();
    let end = gap.len() - 22;
    gap[end + 16..end + 20].copy_from_slice(&(list as u32 + 30).to_le_bytes());
    refused(&gap, "bytes that nobody lists");
    // A name before the file that is another than in the list.
    let mut two_names = whole.clone();
    two_names[30..38].copy_from_slice(b"evidencE");
    refused(&two_names, "two names");
}

/// More than the bag says, which a small archive can hold.
#[test]
fn what_would_fill_the_disk_is_refused() {
    let desk = Desk::new();
    let mut members: Vec<(String, Vec<u8>)> = members(&packed(&desk, "pack.zip", &[])).into_iter().collect();
    let bomb = desk.path("bomb.zip");
    members.push(("evidence/data/zeros".to_owned(), vec![0; 64 << 20]));
    fs::write(&bomb, archive(&members)).unwrap();
    assert!(bomb.metadata().unwrap().len() < 1 << 20);
    let fault = verified(&bomb).map(|_| ()).unwrap_err().to_string();
    assert!(fault.contains("more bytes than Payload-Oxum says"), "{fault}");
}

#[test]
fn links_in_an_unpacked_pack_are_refused() {
    let desk = Desk::new();
    let folder = desk.path("unpacked");
    for (name, text) in members(&packed(&desk, "pack.zip", &[])) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    assert!(verified(&folder).is_ok() && verified(&folder.join("evidence")).is_ok());
    #[cfg(unix)]
    {
        let (file, kept) = (folder.join("evidence/data/units.csv"), desk.path("kept.csv"));
        fs::rename(&file, &kept).unwrap();
        std::os::unix::fs::symlink(&kept, &file).unwrap();
        assert!(verified(&folder).map(|_| ()).unwrap_err().to_string().contains("it is a link"));
    }
}

/// Findings that are not those of the summary make no pack.
#[test]
fn findings_must_be_those_that_are_counted() {
    let desk = Desk::new();
    packed(&desk, "pack.zip", &[]);
    let list = desk.path("audit").join("findings.csv");
    let text = fs::read_to_string(&list).unwrap();
    let fewer: Vec<&str> = text.lines().take(20).collect();
    fs::write(&list, fewer.join("\n") + "\n").unwrap();
    let ran: Ran =
        command().arg("pack").arg(desk.path("audit")).arg("--out").arg(desk.path("x.zip")).output().unwrap().into();
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("the lines of findings.csv 19"), "{}", ran.stderr);
    assert!(!desk.path("x.zip").exists());
}

#[test]
fn what_is_ended_early_leaves_nothing() {
    let desk = Desk::new();
    let pack = packed(&desk, "pack.zip", &[]);
    let ended = Cancel::default();
    ended.cancel();
    let options = VerifyOptions { page: &render_page, cancel: ended.clone(), ..VerifyOptions::new() };
    let fault = verify_pack(&pack, &options).unwrap_err();
    assert!(fault.is_of_the_job() && fault.to_string().starts_with("interrupted"), "{fault}");
    let finished = Finished::read(&desk.path("audit"), &Joined::default()).unwrap();
    let page = render_page(&finished);
    let out = desk.path("folder/other.zip");
    fs::create_dir(desk.path("folder")).unwrap();
    let options = PackOptions {
        out: out.clone(),
        overwrite: false,
        findings: FindingsForm::Csv,
        page: &page,
        joined: Vec::new(),
        signer: None,
        cancel: ended,
    };
    let error = make_pack(&desk.path("audit"), &finished, &options).unwrap_err();
    assert!(matches!(error, PackError::Stopped(_)), "{error}");
    assert_eq!(names_in(&desk.path("folder")), Vec::<String>::new());
}
