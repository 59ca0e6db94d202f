//! The completion reports of S3 Batch Operations: which files they are, what their columns are, and what their jobs do.
//!
//! S3 writes `job-ID/manifest.json` beside `job-ID/results/*.csv`. The manifest names the columns and, with their
//! checksums, the files. It does not name the operation: that is taken from a file `job.json` beside it, the output of
//! `aws s3control describe-job` or the JSON that the job was created with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ReconcileError;
use super::faults::{Fault, Faults};
use super::state::Operation;
use crate::source::{Checksum, FileFault, Md5, SourceFile, TextStream};

/// The columns of reports whose manifest is not there.
const DEFAULT_SCHEMA: &str = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage";
/// What S3 writes of a job is far shorter than this.
const MAX_JSON_LEN: u64 = 32 << 20;
/// What a job looks like is far shorter than this.
const MAX_JOB_LEN: u64 = 1 << 20;
/// Names of a manifest of a report; the guide and the reference of the API have different ones.
const MANIFEST_NAMES: [&str; 2] = ["manifest.json", "report.json"];

/// Where each column stands in a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) width: usize,
    pub(super) bucket: Option<usize>,
    pub(super) key: Option<usize>,
    pub(super) version: Option<usize>,
    pub(super) status: Option<usize>,
    pub(super) code: Option<usize>,
    pub(super) http: Option<usize>,
    pub(super) message: Option<usize>,
}

impl Columns {
    /// Reads the names of columns. Those that tell nothing are passed over; without bucket, key and status, rows say
    /// nothing.
    fn parse(schema: &str) -> Option<Self> {
        let mut columns = Self::default();
        for name in schema.split(',') {
            let position = columns.width;
            columns.width += 1;
            let column = match name.trim().to_ascii_lowercase().as_str() {
                "bucket" => &mut columns.bucket,
                "key" => &mut columns.key,
                "versionid" => &mut columns.version,
                "taskstatus" => &mut columns.status,
                "errorcode" => &mut columns.code,
                "httpstatuscode" => &mut columns.http,
                "resultmessage" => &mut columns.message,
                _ => continue,
            };
            if column.replace(position).is_some() {
                return None;
            }
        }
        (columns.bucket.is_some() && columns.key.is_some() && columns.status.is_some()).then_some(columns)
    }
}

/// A file of a report.
#[derive(Debug)]
pub(super) struct ReportFile {
    pub(super) path: PathBuf,
    pub(super) job: Arc<Job>,
    /// What the manifest says of its content.
    md5: Option<Md5>,
}

/// What is known of the job that a report is of.
#[derive(Debug)]
pub(super) struct Job {
    /// Nothing if the manifest's columns are none.
    pub(super) columns: Option<Columns>,
    pub(super) operation: Operation,
    /// The files that the manifest names, with their checksums; nothing without a manifest.
    results: Option<BTreeMap<String, Option<Md5>>>,
}

/// All files of all reports.
#[derive(Debug, Default)]
pub(super) struct Reports {
    pub(super) files: Vec<ReportFile>,
    /// Files in the folders that are no part of a report.
    pub(super) ignored: u64,
    pub(super) operations: BTreeMap<Operation, u64>,
}

/// The manifest of a report, as far as it is needed.
#[derive(Deserialize)]
struct ReportManifest {
    #[serde(rename = "ReportSchema")]
    schema: Option<String>,
    #[serde(rename = "Results", default)]
    results: Vec<ResultFile>,
}

#[derive(Deserialize)]
struct ResultFile {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "MD5Checksum")]
    md5: Option<String>,
}

/// A job as it was created or is described.
#[derive(Deserialize)]
struct JobFile {
    #[serde(rename = "Job")]
    job: Option<JobOperation>,
    #[serde(flatten)]
    whole: JobOperation,
}

#[derive(Deserialize)]
struct JobOperation {
    #[serde(rename = "Operation")]
    operation: Option<BTreeMap<String, IgnoredAny>>,
}

impl Reports {
    /// Finds the files of reports. Folders are walked without following links; those in `excluded` are left out.
    pub(super) fn find(paths: &[PathBuf], excluded: &[PathBuf], faults: &mut Faults) -> Result<Self, ReconcileError> {
        let mut walked = Walked::default();
        for path in paths {
            let fail = |error| ReconcileError::Reports { path: path.clone(), error };
            let real = fs::canonicalize(path).map_err(fail)?;
            if real.is_dir() {
                walked.walk(&real, excluded, faults);
            } else if !is_of_job(&real) {
                walked.found.insert(real);
            }
        }
        let mut reports = Self { ignored: walked.ignored.len() as u64, ..Self::default() };
        let mut jobs: BTreeMap<PathBuf, Arc<Job>> = BTreeMap::new();
        for folder in walked.jobs {
            let job = Arc::new(Job::read(&folder, faults));
            jobs.insert(folder, job);
        }
        for path in walked.found {
            let folder = job_folder(&path);
            let job = jobs.entry(folder).or_insert_with_key(|folder| Arc::new(Job::read(folder, faults)));
            *reports.operations.entry(job.operation).or_default() += 1;
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let md5 = job.results.as_ref().and_then(|results| results.get(name).copied().flatten());
            reports.files.push(ReportFile { job: Arc::clone(job), md5, path });
        }
        let paths: BTreeSet<&Path> = reports.files.iter().map(|file| &*file.path).collect();
        for (folder, job) in &jobs {
            job.miss_results(folder, &paths, faults);
        }
        Ok(reports)
    }
}

fn is_of_job(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// What folders hold, by canonical paths: nothing counts twice.
#[derive(Default)]
struct Walked {
    found: BTreeSet<PathBuf>,
    ignored: BTreeSet<PathBuf>,
    /// Folders with the manifest of a report, which may name files that are missing.
    jobs: BTreeSet<PathBuf>,
}

impl Walked {
    /// Collects the files of reports in a folder and all folders in it.
    fn walk(&mut self, root: &Path, excluded: &[PathBuf], faults: &mut Faults) {
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            if excluded.contains(&folder) {
                continue;
            }
            let entries = fs::read_dir(&folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
            let entries = entries.unwrap_or_else(|error| {
                faults.add(Fault::of_file("report_unreadable", &folder, &error.to_string()));
                Vec::new()
            });
            for entry in entries {
                let path = entry.path();
                let name = entry.file_name().to_ascii_lowercase();
                let name = name.to_string_lossy();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if kind.is_file() && (name.ends_with(".csv") || name.ends_with(".csv.gz")) => {
                        self.found.insert(path);
                    }
                    Ok(kind) if kind.is_file() && MANIFEST_NAMES.contains(&&*name) => {
                        self.jobs.insert(folder.clone());
                    }
                    _ if is_of_job(&path) => {}
                    _ => {
                        self.ignored.insert(path);
                    }
                }
            }
        }
    }
}

/// The folder of the job that a file is a result of.
fn job_folder(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    let has_manifest = MANIFEST_NAMES.iter().any(|name| folder.join(name).is_file());
    let above = folder.parent().filter(|_| !has_manifest && folder.file_name().is_some_and(|name| name == "results"));
    above.unwrap_or(folder).to_owned()
}

impl Job {
    /// Reads what S3 and people left in the folder of a job.
    fn read(folder: &Path, faults: &mut Faults) -> Self {
        let operation = Self::read_operation(folder, faults).unwrap_or(Operation::Unknown);
        let mut job = Self { columns: Columns::parse(DEFAULT_SCHEMA), operation, results: None };
        let Some(path) = MANIFEST_NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file()) else {
            return job;
        };
        let manifest = match read_json::<ReportManifest>(&path, MAX_JSON_LEN) {
            Ok(manifest) => manifest,
            Err(why) => {
                faults.add(Fault::of_file("report_manifest", &path, &why));
                return job;
            }
        };
        if let Some(schema) = &manifest.schema {
            job.columns = Columns::parse(schema);
            if job.columns.is_none() {
                let why = format!("its ReportSchema lacks or repeats a column: {schema}");
                faults.add(Fault::of_file("report_schema", &path, &why));
            }
        }
        let file_name = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
        let results =
            manifest.results.iter().map(|file| (file_name(&file.key), file.md5.as_deref().and_then(Md5::parse)));
        job.results = Some(results.collect());
        job
    }

    fn read_operation(folder: &Path, faults: &mut Faults) -> Option<Operation> {
        let path = folder.join("job.json");
        if !path.is_file() {
            return None;
        }
        match read_json::<JobFile>(&path, MAX_JOB_LEN) {
            Ok(file) => {
                let operations = file.job.and_then(|job| job.operation).or(file.whole.operation)?;
                let mut named = operations.keys().map(|name| Operation::named(name));
                let first = named.next()?;
                Some(first).filter(|_| named.next().is_none())
            }
            Err(why) => {
                faults.add(Fault::of_file("report_job", &path, &why));
                None
            }
        }
    }

    /// Notes the files that the manifest names and that are not there.
    fn miss_results(&self, folder: &Path, found: &BTreeSet<&Path>, faults: &mut Faults) {
        for name in self.results.iter().flat_map(|results| results.keys()) {
            let is_there = |folder: &Path| {
                [name.clone(), format!("{name}.gz")].iter().any(|name| found.contains(&*folder.join(name)))
            };
            if !is_there(folder) && !is_there(&folder.join("results")) {
                let path = folder.join("results").join(name);
                faults.add(Fault::of_file(
                    "report_missing",
                    &path,
                    "the manifest of the report names it, and it is not there",
                ));
            }
        }
    }
}

impl ReportFile {
    /// Compares the content with what the manifest says of it.
    pub(super) fn check(&self, cancelled: &dyn Fn() -> bool) -> Result<(), FileFault> {
        let Some(expected) = self.md5 else { return Ok(()) };
        let file = SourceFile::open(&self.path, None)?;
        Checksum { file: &file, expected }.check(cancelled)
    }
}

/// Reads a JSON file that is not longer than it can be.
fn read_json<T: for<'d> Deserialize<'d>>(path: &Path, max_len: u64) -> Result<T, String> {
    let file = SourceFile::open(path, None).map_err(|fault| fault.to_string())?;
    if file.len() > max_len {
        return Err(format!("it is longer than {max_len} bytes"));
    }
    let mut text = Vec::new();
    let stream = TextStream::new(Arc::new(file), false).map_err(|fault| fault.to_string())?;
    StreamReader(stream).take(max_len + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > max_len {
        return Err(format!("it is longer than {max_len} bytes"));
    }
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

struct StreamReader(TextStream);

impl io::Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|fault| io::Error::other(fault.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let columns = Columns::parse(DEFAULT_SCHEMA).expect("columns");
        assert_eq!((columns.width, columns.code, columns.http), (7, Some(4), Some(5)));
        let odd = Columns::parse("taskstatus,Novelty, Key ,BUCKET").expect("columns");
        assert_eq!((odd.width, odd.status, odd.key, odd.bucket, odd.version), (4, Some(0), Some(2), Some(3), None));
        for bad in ["", "Bucket, Key", "Bucket, Key, TaskStatus, Key"] {
            assert_eq!(Columns::parse(bad), None, "{bad}");
        }
    }
}
