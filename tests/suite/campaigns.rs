//! A model of buckets and of the campaigns that put their objects right, as the oracle of `reconcile`.
//!
//! Each world is some buckets at the time of an audit. From it many campaigns begin: jobs that do what was asked for, fail,
//! repeat or do something else, in any order; people who help; reports that are complete, old, damaged or of other
//! campaigns; later inventories that are whole, older, partial or about something else. The model knows what became of
//! every version. "Done" may only be said where every version that was wrong is right now, or gone; and it must be said
//! where everything was done and every input is there.
//!
//! `LOGSEAL_CAMPAIGNS=N` runs N worlds instead of the usual few; `LOGSEAL_SEED=S` begins with another one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use logseal::plan::PlanOptions;
use logseal::policy::Policy;
use logseal::reconcile::{Done, LaterInventory, ReconcileOptions, Reconciliation, reconcile};
use logseal::work::Cancel;
use serde_json::{Value, json};

use crate::audits::{Audited, Desk};
use crate::delivery::{Delivery, RUN, Row, all_columns, columns_without, iso_time, md5_hex};
use crate::random::Random;

/// When the audited inventory was made.
const T0: i64 = 1_767_488_400_000;
const HOUR: i64 = 3_600_000;
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const OTHER_KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321";
const SCHEMA: &str = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage";
const BUCKETS: [&str; 2] = ["first-logs", "second-logs"];
/// How many campaigns begin in each world.
const CAMPAIGNS: usize = 25;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    NotSse,
    S3,
    /// With or without a Bucket Key.
    Kms(bool),
    Customer,
}

#[derive(Clone, Debug)]
struct Version {
    key: String,
    /// Nothing for the null version.
    id: Option<String>,
    is_latest: bool,
    method: Method,
    /// What the audited inventory does not tell.
    is_hidden: bool,
    is_large: bool,
    is_archived: bool,
    is_locked: bool,
}

#[derive(Clone, Debug)]
struct Bucket {
    name: &'static str,
    has_versions: bool,
    versions: Vec<Version>,
}

#[derive(Clone, Copy, Debug)]
struct Demands {
    bucket_key: bool,
    current_only: bool,
}

#[derive(Clone, Debug)]
struct World {
    demands: Demands,
    buckets: Vec<Bucket>,
    /// How many versions were ever made.
    made: usize,
}

/// What names a version.
type Name = (&'static str, String, Option<String>);

impl Demands {
    fn policy(self) -> String {
        let versions = if self.current_only { "versions = 'current'\n" } else { "" };
        let bucket_key = if self.bucket_key { "bucket_key = 'required'\n" } else { "" };
        format!(
            "{versions}[keys]\nk = '{KEY}'\n[[rule]]\nid = 'all'\nencryption = ['SSE-KMS']\n{bucket_key}\
             [remediation]\nkey = 'k'\nbucket_key = {}\n",
            self.bucket_key
        )
    }

    fn is_right(self, version: &Version) -> bool {
        let is_left_out = self.current_only && !version.is_latest;
        is_left_out || matches!(version.method, Method::Kms(bucket_key) if bucket_key || !self.bucket_key)
    }
}

impl World {
    fn new(random: &mut Random) -> Self {
        let demands = Demands { bucket_key: random.chance(75), current_only: random.chance(30) };
        let mut world = Self { demands, buckets: Vec::new(), made: 0 };
        // Half of all worlds have nothing but objects that jobs can put right in place.
        let is_simple = random.chance(50);
        for name in BUCKETS.iter().take(1 + random.below(2)) {
            let has_versions = random.chance(50);
            world.buckets.push(Bucket { name, has_versions, versions: Vec::new() });
            for at in 0..1 + random.below(5) {
                let key = format!("{}{at}", random.pick(&["k", "a b", "a+b", "%25", "é"]));
                world.add_random(world.buckets.len() - 1, &key, is_simple, random);
            }
        }
        world
    }

    fn add_random(&mut self, bucket: usize, key: &str, is_simple: bool, random: &mut Random) {
        let has_versions = self.buckets[bucket].has_versions;
        // The oldest may be from before versions were switched on.
        let count = if has_versions { 1 + random.below(2) } else { 1 };
        let is_null = !has_versions || random.chance(30);
        for at in 0..count {
            self.made += 1;
            let methods =
                [Method::S3, Method::Kms(false), Method::S3, Method::Kms(true), Method::NotSse, Method::Customer];
            let methods = if is_simple { &methods[..4] } else { &methods[..] };
            let mut odd = |percent| !is_simple && random.chance(percent);
            let (is_hidden, is_large, is_archived, is_locked) = (odd(3), odd(10), odd(15), odd(5));
            let id = (at > 0 || !is_null).then(|| format!("v{}", self.made));
            self.buckets[bucket].versions.push(Version {
                key: key.to_owned(),
                id,
                is_latest: at + 1 == count,
                method: random.pick(methods),
                is_hidden,
                is_large,
                is_archived,
                is_locked,
            });
        }
    }

    fn wrong(&self) -> Vec<Name> {
        let of = |bucket: &Bucket| {
            let wrong = bucket.versions.iter().filter(|version| !self.demands.is_right(version));
            wrong.map(|version| (bucket.name, version.key.clone(), version.id.clone())).collect::<Vec<_>>()
        };
        self.buckets.iter().flat_map(of).collect()
    }

    fn bucket(&mut self, name: &str) -> Option<&mut Bucket> {
        self.buckets.iter_mut().find(|bucket| bucket.name == name)
    }

    fn version(&mut self, (bucket, key, id): (&str, &str, Option<&str>)) -> Option<&mut Version> {
        self.bucket(bucket)?.versions.iter_mut().find(|version| version.key == key && version.id.as_deref() == id)
    }

    /// Writes an object: a new version where the bucket has some, else the null version anew.
    fn write(&mut self, bucket: &str, key: &str, method: Method) {
        self.made += 1;
        let id = format!("v{}", self.made);
        let Some(bucket) = self.bucket(bucket) else { return };
        if !bucket.has_versions {
            bucket.versions.retain(|version| version.key != key);
        }
        bucket.versions.iter_mut().filter(|version| version.key == key).for_each(|version| version.is_latest = false);
        let id = bucket.has_versions.then_some(id);
        let (is_hidden, is_large, is_archived, is_locked) = (false, false, false, false);
        let key = key.to_owned();
        bucket.versions.push(Version { key, id, is_latest: true, method, is_hidden, is_large, is_archived, is_locked });
    }

    fn delete(&mut self, bucket: &str, key: &str, id: Option<&str>) {
        let Some(bucket) = self.bucket(bucket) else { return };
        bucket.versions.retain(|version| version.key != key || version.id.as_deref() != id);
        if let Some(last) = bucket.versions.iter_mut().rfind(|version| version.key == key) {
            last.is_latest = true;
        }
    }

    fn rows(&self, bucket: &Bucket, is_audited: bool) -> Vec<Row> {
        let row = |version: &Version| Row {
            bucket: bucket.name.into(),
            key: version.key.clone().into(),
            version_id: version.id.clone(),
            is_latest: Some(version.is_latest),
            size: Some(if version.is_large { 6 << 30 } else { 100 }),
            storage_class: Some(if version.is_archived { "GLACIER" } else { "STANDARD" }.into()),
            encryption_status: (!is_audited || !version.is_hidden).then(|| version.method.name().to_owned()),
            bucket_key_status: match version.method {
                Method::Kms(true) => Some("ENABLED".into()),
                Method::Kms(false) => Some("DISABLED".into()),
                _ => None,
            },
            lock_mode: version.is_locked.then(|| "GOVERNANCE".into()),
            lock_retain_until: version.is_locked.then_some(T0 + 1_000_000 * HOUR),
            ..Row::compliant("f")
        };
        bucket.versions.iter().map(row).collect()
    }
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::NotSse => "NOT-SSE",
            Self::S3 => "SSE-S3",
            Self::Kms(_) => "SSE-KMS",
            Self::Customer => "SSE-C",
        }
    }
}

/// Writes an inventory of a bucket that was made then.
fn write_inventory(delivery: Delivery, bucket: &str, made: i64, config: &Path) -> PathBuf {
    let delivery = delivery.in_bucket(bucket);
    let mut manifest = delivery.manifest();
    manifest["creationTimestamp"] = made.to_string().into();
    delivery.write(config).seal(RUN, &manifest);
    config.to_owned()
}

/// A manifest of the audit, and the operations of its jobs in their order.
struct Manifest {
    rows: Vec<String>,
    operations: Vec<Value>,
}

/// An audit of a world, from which campaigns begin.
struct Audit {
    desk: Desk,
    world: World,
    policy: Policy,
    audited: Audited,
    manifests: Vec<Manifest>,
}

impl Audit {
    /// Nothing if there is nothing to put right.
    fn new(random: &mut Random) -> Option<Self> {
        let world = World::new(random);
        let desk = Desk::new();
        let mut sources = Vec::new();
        for bucket in &world.buckets {
            let delivery = Delivery::csv(&world.rows(bucket, true), &all_columns(), 1);
            sources.push(write_inventory(delivery, bucket.name, T0, &desk.path(bucket.name)));
        }
        let text = world.demands.policy();
        let policy = desk.file("policy.toml", &text);
        let sources: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
        let audited = desk.audit_all(&sources, &["--policy", policy.to_str().unwrap()]);
        if world.wrong().is_empty() {
            return None;
        }
        let files = audited.remediation();
        let mut manifests = Vec::new();
        for lane in ["update-encryption", "copy", "restore-then-copy"] {
            for (path, text) in
                files.iter().filter(|(path, _)| path.starts_with(&format!("{lane}/")) && path.ends_with(".csv"))
            {
                let stem = path.strip_suffix(".csv").unwrap();
                let job = |ending: &str| files.get(&format!("{stem}.{ending}.json"));
                let jobs = ["restore-job", "job", "copy-job"].into_iter().filter_map(job);
                let operation = |text: &Vec<u8>| serde_json::from_slice::<Value>(text).unwrap()["Operation"].clone();
                let rows = String::from_utf8(text.clone()).unwrap().lines().map(str::to_owned).collect();
                manifests.push(Manifest { rows, operations: jobs.map(operation).collect() });
            }
        }
        Some(Self { desk, world, policy: Policy::from_toml(&text).unwrap(), audited, manifests })
    }
}

/// A job as it ran.
struct Job {
    operation: Value,
    created: i64,
    reported: i64,
    /// Whether it names versions, or works on whatever is current.
    names_versions: bool,
    /// Row, and whether it succeeded.
    rows: Vec<(String, bool)>,
}

/// How complete everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// Everything is done, and everything is there.
    Full,
    /// The same by jobs, but for one thing.
    But(Slip),
    Random,
}

/// One thing that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slip {
    Nothing,
    /// Another job works on the same objects, before or after.
    OtherToo,
    /// Another job runs instead.
    OtherInstead,
    /// The same, and nothing tells what it did.
    UnknownInstead,
    /// Nothing was done, and the reports of an earlier campaign are there.
    OnlyOld,
    /// Nothing was done, and an inventory of before shows everything right.
    OlderInventory,
    /// One report is spoiled.
    Spoiled,
}

const SLIPS: [Slip; 7] = [
    Slip::Nothing,
    Slip::OtherToo,
    Slip::OtherInstead,
    Slip::UnknownInstead,
    Slip::OnlyOld,
    Slip::OlderInventory,
    Slip::Spoiled,
];

/// What happens after an audit.
struct Campaign<'a> {
    audit: &'a Audit,
    world: World,
    now: i64,
    jobs: Vec<Job>,
}

impl<'a> Campaign<'a> {
    fn new(audit: &'a Audit) -> Self {
        Self { audit, world: audit.world.clone(), now: T0 + HOUR, jobs: Vec::new() }
    }

    /// Runs a job over the rows of a manifest.
    fn run(&mut self, operation: &Value, rows: &[String], fails: u64, random: &mut Random) {
        self.run_naming(true, operation, rows, fails, random);
    }

    fn run_naming(
        &mut self,
        names_versions: bool,
        operation: &Value,
        rows: &[String],
        fails: u64,
        random: &mut Random,
    ) {
        self.now += HOUR + (random.below(5) as i64) * HOUR / 2;
        let (before, after) = (random.below(3) as i64 * HOUR / 2, random.below(3) as i64 * HOUR / 2);
        let mut done = Vec::new();
        for row in rows {
            if random.chance(fails / 4) {
                continue;
            }
            let row = match names_versions {
                true => row.clone(),
                false => format!("{},", row.rsplit_once(',').unwrap().0),
            };
            let succeeds = !random.chance(fails) && self.task(operation, &row);
            done.push((row, succeeds));
        }
        let (created, reported) = ((self.now - before).max(T0 + 1), self.now + after);
        self.jobs.push(Job { operation: operation.clone(), created, reported, names_versions, rows: done });
    }

    /// Does to one object what a job does; no if it cannot.
    fn task(&mut self, operation: &Value, row: &str) -> bool {
        let cells: Vec<String> = row.split(',').map(decoded).collect();
        let [bucket, key, version] = &cells[..] else { panic!("{row}") };
        let current = || {
            let bucket = self.world.buckets.iter().find(|known| known.name == bucket)?;
            bucket.versions.iter().find(|version| version.key == *key && version.is_latest)?.id.clone()
        };
        let named = Some(version.clone()).filter(|version| version != "null");
        let id = if version.is_empty() { current() } else { named };
        let id = id.as_deref();
        let Some(found) = self.world.version((bucket, key, id)) else { return false };
        let (name, parameters) = operation.as_object().unwrap().iter().next().unwrap();
        match name.as_str() {
            "S3UpdateObjectEncryption" => {
                if found.is_locked || !matches!(found.method, Method::S3 | Method::Kms(_)) {
                    return false;
                }
                found.method = Method::Kms(parameters["ObjectEncryption"]["SSEKMS"]["BucketKeyEnabled"] == true);
                true
            }
            "S3PutObjectCopy" => {
                if found.is_archived || found.is_large || found.method == Method::Customer {
                    return false;
                }
                let method = match parameters["NewObjectMetadata"]["SSEAlgorithm"].as_str() {
                    Some("KMS") => Method::Kms(parameters["BucketKeyEnabled"] == true),
                    _ => Method::S3,
                };
                let target = parameters["TargetResource"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
                let prefix = parameters["TargetKeyPrefix"].as_str().unwrap_or_default().to_owned();
                self.world.write(&target, &format!("{prefix}{key}"), method);
                true
            }
            "S3InitiateRestoreObject" => {
                found.is_archived = false;
                true
            }
            "LambdaInvoke" => {
                let key = key.clone();
                self.world.write(bucket, &key, Method::S3);
                true
            }
            _ => true,
        }
    }

    /// Everything that was asked for, by jobs and by people.
    fn run_all(&mut self, care: Care, random: &mut Random) {
        let audit = self.audit;
        let fails = if care == Care::Random { random.pick(&[0, 0, 20, 60]) } else { 0 };
        let slipped = random.below(audit.manifests.len().max(1));
        for (at, manifest) in audit.manifests.iter().enumerate() {
            match care {
                Care::But(slip) if at == slipped => self.slip(slip, manifest, random),
                Care::Full | Care::But(_) => self.run_own(manifest, random),
                Care::Random => self.run_somehow(manifest, fails, random),
            }
        }
        if matches!(care, Care::But(_)) || (care == Care::Random && random.chance(50)) {
            return;
        }
        for (bucket, key, id) in audit.world.wrong() {
            let demands = self.world.demands;
            let found = self.world.version((bucket, &key, id.as_deref()));
            if found.is_some_and(|version| !demands.is_right(version)) && (care == Care::Full || random.chance(80)) {
                self.world.delete(bucket, &key, id.as_deref());
            }
        }
    }

    fn run_own(&mut self, manifest: &Manifest, random: &mut Random) {
        manifest.operations.iter().for_each(|operation| self.run(operation, &manifest.rows, 0, random));
    }

    fn slip(&mut self, slip: Slip, manifest: &Manifest, random: &mut Random) {
        let other = other_operation(manifest.operations.last().unwrap(), random);
        let names_versions = random.chance(60);
        match slip {
            Slip::Nothing | Slip::Spoiled => self.run_own(manifest, random),
            Slip::OnlyOld | Slip::OlderInventory => {}
            Slip::OtherInstead | Slip::UnknownInstead => {
                self.run_naming(names_versions, &other, &manifest.rows, 0, random);
            }
            Slip::OtherToo if random.chance(40) => {
                self.run_naming(names_versions, &other, &manifest.rows, 0, random);
                self.run_own(manifest, random);
            }
            Slip::OtherToo => {
                self.run_own(manifest, random);
                self.run_naming(names_versions, &other, &manifest.rows, 0, random);
            }
        }
    }

    fn run_somehow(&mut self, manifest: &Manifest, fails: u64, random: &mut Random) {
        for operation in &manifest.operations {
            if random.chance(85) {
                self.run(operation, &manifest.rows, fails, random);
            }
            if random.chance(15) {
                self.run(operation, &manifest.rows, 0, random);
            }
            if random.chance(25) {
                let other = other_operation(operation, random);
                self.run_naming(random.chance(60), &other, &manifest.rows, fails, random);
            }
        }
    }

    /// Whether every version that was wrong is right now, or gone.
    fn is_done(&mut self) -> bool {
        let demands = self.world.demands;
        self.audit.world.wrong().iter().all(|(bucket, key, id)| {
            self.world.version((bucket, key, id.as_deref())).is_none_or(|version| demands.is_right(version))
        })
    }

    fn is_gone(&mut self) -> bool {
        let wrong = self.audit.world.wrong();
        wrong.iter().any(|(bucket, key, id)| self.world.version((bucket, key, id.as_deref())).is_none())
    }
}

fn decoded(cell: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), cell.as_bytes());
    while let [first, others @ ..] = rest {
        rest = others;
        bytes.push(*first);
        if *first == b'%' {
            bytes.pop();
            bytes.push(u8::from_str_radix(str::from_utf8(&others[..2]).unwrap(), 16).unwrap());
            rest = &others[2..];
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// A job that does something else with the same objects.
fn other_operation(operation: &Value, random: &mut Random) -> Value {
    let (name, parameters) = operation.as_object().unwrap().iter().next().unwrap();
    let mut other = parameters.clone();
    match (name.as_str(), random.below(5)) {
        (_, 0) => return json!({"S3ComputeObjectChecksum": {}}),
        (_, 1) => return json!({"LambdaInvoke": {"FunctionArn": "arn:aws:lambda:us-east-1:111122223333:function:f"}}),
        ("S3UpdateObjectEncryption", 2) => {
            other["ObjectEncryption"]["SSEKMS"]["KMSKeyArn"] = OTHER_KEY.into();
        }
        ("S3UpdateObjectEncryption", 3) => {
            let flag = &mut other["ObjectEncryption"]["SSEKMS"]["BucketKeyEnabled"];
            *flag = (*flag != true).into();
        }
        ("S3UpdateObjectEncryption", _) => {
            return json!({"S3PutObjectCopy": {"TargetResource": format!("arn:aws:s3:::{}", random.pick(&BUCKETS))}});
        }
        ("S3PutObjectCopy", 2) => other["TargetResource"] = format!("arn:aws:s3:::{}", random.pick(&BUCKETS)).into(),
        ("S3PutObjectCopy", 3) => {
            other["NewObjectMetadata"] = json!({"SSEAlgorithm": "AES256"});
            other.as_object_mut().unwrap().remove("SSEAwsKmsKeyId");
            other.as_object_mut().unwrap().remove("BucketKeyEnabled");
        }
        ("S3PutObjectCopy", _) => other["TargetKeyPrefix"] = random.pick(&["", "backup/"]).into(),
        _ => return json!({"S3PutObjectTagging": {}}),
    }
    json!({ name: other })
}

/// Writes the reports of all jobs.
fn write_reports(campaign: &Campaign<'_>, folder: &Path, care: Care, random: &mut Random) {
    let slipped = random.below(campaign.jobs.len().max(1));
    for (number, job) in campaign.jobs.iter().enumerate() {
        let is_raw = care == Care::Random && random.chance(20);
        let own = folder.join(format!("job-{number}"));
        write_report(job, &own, &number.to_string(), is_raw);
        let is_asked_for = campaign.audit.manifests.iter().any(|manifest| manifest.operations.contains(&job.operation));
        match care {
            Care::Random => spoil_report(job, &own, 40, random),
            Care::But(Slip::Spoiled) if number == slipped => spoil_report(job, &own, 19, random),
            Care::But(Slip::UnknownInstead) if !is_asked_for => fs::remove_file(own.join("job.json")).unwrap(),
            _ => {}
        }
    }
    // Another campaign, long ago: what it did has been overwritten since.
    if care == Care::But(Slip::OnlyOld) || (care == Care::Random && random.chance(20)) {
        for (number, manifest) in campaign.audit.manifests.iter().enumerate() {
            let operation = manifest.operations.last().unwrap().clone();
            let rows = manifest.rows.iter().map(|row| (row.clone(), true)).collect();
            let reported = T0 - random.below(1000) as i64 * HOUR - 1;
            let job = Job { operation, created: reported - HOUR, reported, names_versions: true, rows };
            write_report(&job, &folder.join(format!("job-old-{number}")), &format!("old-{number}"), false);
        }
    }
}

fn write_report(job: &Job, folder: &Path, id: &str, is_raw: bool) {
    fs::create_dir_all(folder.join("results")).unwrap();
    let mut text = String::new();
    for (row, succeeds) in &job.rows {
        let rest = if *succeeds { "succeeded,,200,Successful" } else { "failed,AccessDenied,403,no" };
        let cells: Vec<&str> = row.split(',').collect();
        let key = if is_raw { decoded(cells[1]) } else { cells[1].to_owned() };
        text.push_str(&format!("{},{key},{},{rest}\n", cells[0], cells[2]));
    }
    fs::write(folder.join("results/r.csv"), &text).unwrap();
    let manifest = json!({
        "Format": "Report_CSV_20180820",
        "ReportCreationDate": iso_time(job.reported),
        "ReportSchema": SCHEMA,
        "Results": [{"TaskExecutionStatus": "succeeded", "Bucket": "b", "MD5Checksum": md5_hex(text.as_bytes()),
            "Key": format!("p/job-{id}/results/r.csv")}],
    });
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    let mut fields = vec!["Bucket", "Key", "VersionId"];
    fields.truncate(if job.names_versions { 3 } else { 2 });
    let described = json!({"Job": {
        "JobId": id,
        "CreationTime": iso_time(job.created).replace('Z', "000+00:00"),
        "Operation": job.operation,
        "Manifest": {"Spec": {"Fields": fields}},
    }});
    fs::write(folder.join("job.json"), described.to_string()).unwrap();
}

/// Things that happen to reports. None of them tells a lie.
fn spoil_report(job: &Job, folder: &Path, of: usize, random: &mut Random) {
    let path = folder.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let results = folder.join("results/r.csv");
    match random.below(of) {
        0 => manifest["ReportCreationDate"] = Value::Null,
        1 => manifest["Results"][0]["MD5Checksum"] = Value::Null,
        2 => manifest["Results"] = json!([]),
        3 => fs::write(&results, b"b,k,null,succeeded,,200,\n").unwrap(),
        4 => fs::remove_file(&results).unwrap(),
        5 => manifest["ReportSchema"] = "Bucket, Key".into(),
        6..12 => fs::remove_file(folder.join("job.json")).unwrap(),
        12 => fs::write(folder.join("job.json"), "{").unwrap(),
        13..18 => fs::write(folder.join("job.json"), json!({"Operation": job.operation}).to_string()).unwrap(),
        18 => {
            let text = fs::read_to_string(folder.join("job.json")).unwrap();
            fs::write(folder.join("job.json"), text.replace("\"JobId\":\"", "\"JobId\":\"9")).unwrap();
        }
        _ => {}
    }
    fs::write(&path, manifest.to_string()).unwrap();
}

/// A later inventory as it was given.
struct Given {
    inventory: Option<LaterInventory>,
    /// Whether it is of all buckets and of all that they hold, after everything that was done.
    is_true: bool,
}

fn write_later(campaign: &Campaign<'_>, folder: &Path, care: Care, random: &mut Random) -> Given {
    let kind = match care {
        Care::Full => 0,
        Care::But(Slip::OlderInventory) => 4,
        Care::But(_) => random.pick(&[0, 10, 10, 10]),
        Care::Random => random.below(14),
    };
    let made = campaign.now + 24 * HOUR;
    let mut sources = Vec::new();
    for bucket in &campaign.world.buckets {
        let mut rows = campaign.world.rows(bucket, false);
        let config = folder.join(bucket.name);
        let with =
            |rows: &[Row], made| write_inventory(Delivery::csv(rows, &all_columns(), 2), bucket.name, made, &config);
        match kind {
            // What it shows is too good to be true, and it was made before anything was done.
            4 => {
                rows.iter_mut().for_each(|row| *row = Row::compliant("f").with_key(row.key.clone()));
                sources.push(with(&rows, T0 - random.below(2) as i64 * HOUR));
            }
            5 => {
                let config = with(&rows, made);
                fs::remove_file(config.join("data/part-1.csv.gz")).unwrap();
                sources.push(config);
            }
            6 if bucket.name == BUCKETS[0] => {}
            7 => {
                rows.retain(|_| random.chance(60));
                sources.push(with(&rows, made));
            }
            8 => {
                rows.retain(|row| row.is_latest == Some(true));
                let columns = columns_without(&["VersionId", "IsLatest", "IsDeleteMarker"]);
                sources.push(write_inventory(Delivery::csv(&rows, &columns, 1), bucket.name, made, &config));
            }
            9 => {
                let config = with(&rows, made);
                sources.extend([0, 1].map(|at| config.join(format!("data/part-{at}.csv.gz"))));
            }
            _ => sources.push(with(&rows, made)),
        }
    }
    let is_bare = kind == 9;
    let names: Vec<&str> = all_columns().iter().map(|column| column.csv).collect();
    let options =
        PlanOptions { accept_unproven: is_bare, schema: is_bare.then(|| names.join(", ")), ..PlanOptions::default() };
    let inventory = (kind < 10 && !sources.is_empty()).then_some(LaterInventory { sources, options, evidence: None });
    Given { inventory, is_true: kind < 4 }
}

/// Runs a campaign, and holds what `reconcile` says against the model.
fn check(audit: &Audit, care: Care, seed: u64, tally: &mut BTreeMap<&'static str, usize>) {
    let mut random = Random::new(seed);
    let mut campaign = Campaign::new(audit);
    campaign.run_all(care, &mut random);
    let folder = audit.desk.path("campaign");
    let _ = fs::remove_dir_all(&folder);
    let reports = folder.join("reports");
    fs::create_dir_all(&reports).unwrap();
    write_reports(&campaign, &reports, care, &mut random);
    let given = write_later(&campaign, &folder.join("later"), care, &mut random);
    let accept_gone = given.is_true && (care == Care::Full || random.chance(50));
    let (has_inventory, is_true) = (given.inventory.is_some(), given.is_true && given.inventory.is_some());
    let options = ReconcileOptions {
        audit: audit.audited.out.clone(),
        reports: vec![reports],
        policy: Some(audit.policy.clone()),
        inventory: given.inventory,
        accept_gone,
        out: folder.join("out"),
        overwrite: true,
        manifest_rows: 1_000_000,
        jobs: 1,
    };
    let result = reconcile(&options, &Cancel::default()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let (is_done, is_gone) = (campaign.is_done(), campaign.is_gone());
    let fail = |why: &str| -> ! { panic!("{why}\nseed {seed}, {care:?}, {:#?}\n{}", campaign.world, shown(&result)) };
    if result.outcome == Done::Pass && !is_done {
        fail("done is said, and something is wrong");
    }
    if is_true && (result.outcome == Done::Failures) == is_done {
        fail("a whole later inventory shows what is wrong");
    }
    if is_true && is_done && (!is_gone || accept_gone) && result.outcome != Done::Pass {
        fail("everything is right, and a whole later inventory shows it");
    }
    if care == Care::Full && result.outcome != Done::Pass {
        fail("everything was done, and everything is there");
    }
    let name = match (result.outcome, has_inventory) {
        (Done::Pass, true) => "done, by a later inventory",
        (Done::Pass, false) => "done, by reports",
        (Done::Failures, _) => "failures",
        (Done::Incomplete, _) if is_done => "incomplete, and all is right",
        (Done::Incomplete, _) => "incomplete",
    };
    *tally.entry(name).or_default() += 1;
}

fn shown(result: &Reconciliation) -> String {
    serde_json::to_string_pretty(result).unwrap()
}

#[test]
#[expect(clippy::print_stdout, reason = "how often each end was met shows what the model covers")]
fn done_is_only_said_where_everything_is_right() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (worlds, first) = (number("LOGSEAL_CAMPAIGNS").unwrap_or(16), number("LOGSEAL_SEED").unwrap_or(1));
    let mut tally = BTreeMap::new();
    for world in 0..worlds {
        let seed = first.wrapping_mul(1_000_003).wrapping_add(world);
        let Some(audit) = Audit::new(&mut Random::new(seed)) else { continue };
        for campaign in 0..CAMPAIGNS {
            let care = match campaign {
                0 => Care::Full,
                1..8 => Care::But(SLIPS[campaign - 1]),
                8..15 => Care::But(SLIPS[campaign - 8]),
                _ => Care::Random,
            };
            check(&audit, care, seed.wrapping_mul(1_000_003).wrapping_add(campaign as u64), &mut tally);
        }
    }
    // A model in which something never happens shows nothing.
    for name in ["done, by a later inventory", "done, by reports", "failures", "incomplete"] {
        assert!(tally.get(name).is_some_and(|count| *count > 0), "{name}: {tally:?}");
    }
    println!("{tally:#?}");
}
