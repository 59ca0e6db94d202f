//! Groups of every kind for tests, and a whole campaign on disk for programs that check what we write.

use std::fs;
use std::path::Path;

use md5::{Digest as _, Md5};

use super::JobFacts;
use super::JobSettings;
use super::Script;
use super::commands;
use super::jobs;
use super::readme;
use crate::escape::hex::hex;
use crate::object_key::Account;
use crate::policy::KeyArn;
use crate::remediation::{Group, GroupKind, Lane, StorageClass, Target, TargetMethod, VersionState};
use crate::sinks::{GroupFile, LIST_HEADER};
use crate::timestamp::Timestamp;

pub fn key() -> KeyArn {
    KeyArn::parse("arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab").unwrap()
}

pub fn settings() -> JobSettings {
    JobSettings {
        account_id: Account::parse(b"111122223333"),
        role_arn: Some("arn:aws-us-gov:iam::111122223333:role/logseal-batch".parse().unwrap()),
        manifest_location: Some("s3://org-batch/logseal".parse().unwrap()),
        report_location: Some("s3://org-reports".parse().unwrap()),
    }
}

/// The usual group of a lane: current versions where that matters, and rows with versions.
pub fn group(lane: Lane, class: Option<StorageClass>, method: TargetMethod) -> Group {
    let is_copied = matches!(lane, Lane::Copy | Lane::RestoreThenCopy);
    let kind = GroupKind {
        lane,
        version: is_copied.then_some(VersionState::Current),
        class,
        target: (lane.has_manifests() || lane == Lane::MultipartCopy)
            .then_some(Target { method, bucket_key: method == TargetMethod::SseKms }),
        has_versions: lane.has_manifests(),
        is_undetermined: false,
    };
    kind.of_bucket("org-audit")
}

pub fn file(group: &Group) -> GroupFile {
    GroupFile {
        group: group.clone(),
        path: format!("{}/{}-0001.csv", group.folder(), group.stem()),
        objects: 1234,
        len: 56_789,
        md5: "0123456789abcdef0123456789abcdef".to_owned(),
    }
}

/// A file for every lane, class, method and state of versions.
pub fn campaign() -> Vec<GroupFile> {
    let mut groups = Vec::new();
    for method in [TargetMethod::SseKms, TargetMethod::DsseKms, TargetMethod::SseS3] {
        for class in StorageClass::ALL {
            for version in [VersionState::Noncurrent, VersionState::Current] {
                let copied = if class.of_copy().is_none() { Vec::new() } else { copy_lanes(class) };
                let copied = copied.into_iter().map(|lane| group(lane, Some(class), method));
                groups.extend(
                    copied.map(|group| GroupKind { version: Some(version), ..group.kind }.of_bucket(&group.bucket)),
                );
            }
        }
    }
    groups.push(group(Lane::UpdateEncryption, None, TargetMethod::SseKms));
    groups.extend(Lane::ALL.into_iter().skip(3).map(|lane| group(lane, None, TargetMethod::SseKms)));
    let variants = groups.into_iter().flat_map(|group| {
        let unversioned = GroupKind { has_versions: false, ..group.kind }.of_bucket("org.audit_2");
        let undetermined = GroupKind { is_undetermined: true, ..group.kind }.of_bucket(&group.bucket);
        [group, unversioned, undetermined]
    });
    variants.map(|group| file(&group)).collect()
}

fn copy_lanes(class: StorageClass) -> Vec<Lane> {
    match class {
        StorageClass::Glacier | StorageClass::DeepArchive => vec![Lane::RestoreThenCopy],
        StorageClass::IntelligentTiering => vec![Lane::Copy, Lane::RestoreThenCopy],
        _ => vec![Lane::Copy],
    }
}

/// Writes the campaign with and without settings into the folder that `LOGSEAL_JOB_SAMPLES` names, where
/// `tests/jobs/validate.py` can look at it. Without the variable it does nothing.
#[test]
fn samples_are_written_where_somebody_wants_them() {
    let Some(out) = std::env::var_os("LOGSEAL_JOB_SAMPLES") else { return };
    for (name, settings) in [("settled", settings()), ("placeholders", JobSettings::default())] {
        let report_time = Timestamp::parse(b"2026-01-04T01:00:00Z").unwrap();
        let facts = JobFacts { key: &key(), report_time, settings: &settings };
        write_campaign(&Path::new(&out).join(name), &facts);
    }
}

fn write_campaign(out: &Path, facts: &JobFacts<'_>) {
    let mut files = campaign();
    for file in &mut files {
        let text = match file.group.kind.lane.has_manifests() {
            true => format!("{},{},version\n", file.group.bucket, file.path),
            false => format!("{LIST_HEADER}{},{},version,true,,,,,,\n", file.group.bucket, file.path),
        };
        file.md5 = hex(&Md5::digest(&text));
        let path = out.join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
        if let Some(script) = Script::new(file, facts) {
            let mut out = Vec::new();
            script.write(|| Ok(text.as_bytes()), &mut out).unwrap();
            fs::write(path.with_extension("sh"), out).unwrap();
        }
        for (name, job) in jobs(file, facts) {
            fs::write(path.with_file_name(name), format!("{job:#}\n")).unwrap();
        }
    }
    fs::write(out.join("jobs.sh"), commands(&files, facts).unwrap()).unwrap();
    fs::write(out.join("README.md"), readme(&files, Some(facts))).unwrap();
}
