//! The completion reports of S3 Batch Operations: which files they are, what their columns are, and what their jobs do.
//!
//! S3 writes `job-ID/manifest.json` beside `job-ID/results/*.csv`. The manifest names the columns and, with their
//! checksums, the files, and says when the report was made. A file counts only if all of that is known of it. What the
//! job did is taken from a file `job.json` or `describe-job.json` beside the manifest: the output of
//! `aws s3control describe-job`, or the JSON that the job was created with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ReconcileError;
use super::faults::Faults;
use super::jobs::{Job, Operation, parse_time};
use crate::source::{Checksum, FileFault, Md5, SourceFile, TextStream};
use crate::timestamp::Timestamp;

/// The columns of reports whose manifest is not there.
const DEFAULT_SCHEMA: &str = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage";
/// What S3 writes of a job is far shorter than this.
const MAX_JSON_LEN: u64 = 32 << 20;
/// What a job looks like is far shorter than this.
const MAX_JOB_LEN: u64 = 1 << 20;
/// Names of a manifest of a report; the guide and the reference of the API have different ones.
const MANIFEST_NAMES: [&str; 2] = ["manifest.json", "report.json"];

/// Files that tell what a job did.
const JOB_NAMES: [&str; 2] = ["job.json", "describe-job.json"];
/// The form of a report.
const FORMAT: &str = "Report_CSV_20180820";

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

/// A file of a report that can be read.
#[derive(Debug)]
pub(super) struct ReportFile {
    pub(super) path: PathBuf,
    pub(super) report: Arc<Report>,
    /// When the report was made.
    pub(super) made: Timestamp,
    pub(super) columns: Columns,
    /// What the manifest says became of all of its tasks.
    pub(super) succeeded: Option<bool>,
    md5: Md5,
}

/// What is known of a report.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) job: Job,
    /// Nothing if there is none, or if it cannot be read.
    manifest: Option<Manifest>,
}

/// What the manifest of a report says.
#[derive(Debug)]
struct Manifest {
    /// Nothing if the names of columns are none.
    columns: Option<Columns>,
    made: Option<Timestamp>,
    /// The files that it names; nothing where it contradicts itself.
    results: BTreeMap<String, Option<Results>>,
    /// The id of the job, as the places of its files have it.
    id: Option<String>,
}

/// What the manifest of a report says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Results {
    md5: Option<Md5>,
    succeeded: Option<bool>,
}

/// All files of all reports.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// How many there are, those that cannot be used too.
    pub(super) found: u64,
    /// Those that can be read, in the order in which they were made.
    pub(super) files: Vec<ReportFile>,
    /// Files in the folders that are no part of a report.
    pub(super) ignored: u64,
    pub(super) operations: BTreeMap<Operation, u64>,
}

/// The manifest of a report, as far as it is needed.
#[derive(Deserialize)]
struct ManifestFile {
    #[serde(rename = "Format")]
    format: Option<String>,
    #[serde(rename = "ReportCreationDate")]
    made: Option<String>,
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
    #[serde(rename = "TaskExecutionStatus")]
    status: Option<String>,
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
        let mut found = Self { ignored: walked.ignored.len() as u64, ..Self::default() };
        let mut reports: BTreeMap<PathBuf, Arc<Report>> = BTreeMap::new();
        for folder in walked.reports {
            let report = Arc::new(Report::read(&folder, faults));
            reports.insert(folder, report);
        }
        found.found = walked.found.len() as u64;
        for path in &walked.found {
            let folder = report_folder(path);
            let report = reports.entry(folder).or_insert_with_key(|folder| Arc::new(Report::read(folder, faults)));
            *found.operations.entry(report.job.operation()).or_default() += 1;
            match ReportFile::new(path, report) {
                Ok(file) => found.files.push(file),
                Err((what, why)) => faults.add_file(what, path, why),
            }
        }
        found.files.sort_by(|one, other| (one.made, &one.path).cmp(&(other.made, &other.path)));
        for (folder, report) in &reports {
            report.miss_results(folder, &walked.found, faults);
        }
        Ok(found)
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
    reports: BTreeSet<PathBuf>,
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
                faults.add_file("report_unreadable", &folder, &error.to_string());
                Vec::new()
            });
            for entry in entries {
                let path = entry.path();
                let name = entry.file_name().to_ascii_lowercase();
                let name = name.to_string_lossy();
                match entry.file_type() {
                    Err(error) => faults.add_file("report_unreadable", &path, &error.to_string()),
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    // What macOS leaves beside files that it copied.
                    Ok(_) if name.starts_with("._") => {
                        self.ignored.insert(path);
                    }
                    Ok(kind) if kind.is_file() && (name.ends_with(".csv") || name.ends_with(".csv.gz")) => {
                        self.found.insert(path);
                    }
                    Ok(kind) if kind.is_file() && MANIFEST_NAMES.contains(&&*name) => {
                        self.reports.insert(folder.clone());
                    }
                    Ok(kind) if kind.is_file() && is_of_job(&path) => {}
                    Ok(_) => {
                        self.ignored.insert(path);
                    }
                }
            }
        }
    }
}

/// The folder of the report that a file is a part of.
fn report_folder(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    let has_manifest = MANIFEST_NAMES.iter().any(|name| is_there(&folder.join(name)));
    let above = folder.parent().filter(|_| !has_manifest && folder.file_name().is_some_and(|name| name == "results"));
    above.unwrap_or(folder).to_owned()
}

/// Only what is said not to be there is not there.
fn is_there(path: &Path) -> bool {
    !matches!(fs::symlink_metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

impl Report {
    /// Reads what S3 and people left in the folder of a report.
    fn read(folder: &Path, faults: &mut Faults) -> Self {
        let manifest = Manifest::read(folder, faults);
        let of_folder = || Some(folder.file_name()?.to_str()?.strip_prefix("job-")?.to_owned());
        let id = manifest.as_ref().and_then(|manifest| manifest.id.clone()).or_else(of_folder);
        let made = manifest.as_ref().and_then(|manifest| manifest.made);
        Self { job: read_job(folder, id.as_deref(), made, faults), manifest }
    }

    /// Notes the files that the manifest names and that are not there.
    fn miss_results(&self, folder: &Path, found: &BTreeSet<PathBuf>, faults: &mut Faults) {
        for name in self.manifest.iter().flat_map(|manifest| manifest.results.keys()) {
            let places = [folder.join("results").join(name), folder.join(name)];
            if !places.iter().any(|place| found.contains(place)) {
                let why = "the manifest of the report names it, and it is not there";
                faults.add_file("report_missing", &places[0], why);
            }
        }
    }
}

/// What the files of a job say of it; nothing where they contradict each other or are about another job.
fn read_job(folder: &Path, id: Option<&str>, made: Option<Timestamp>, faults: &mut Faults) -> Job {
    let mut known: Option<Job> = None;
    for path in JOB_NAMES.iter().map(|name| folder.join(name)).filter(|path| is_there(path)) {
        let mut fault = |why: &str| {
            faults.add_file("report_job", &path, why);
            Job::default()
        };
        let job = match read_json_at::<Value>(&path, MAX_JOB_LEN) {
            Ok(text) => Job::parse(&text),
            Err(why) => return fault(&why),
        };
        if job.id.as_deref().zip(id).is_some_and(|(described, id)| described != id) {
            return fault("it describes another job than that of the report");
        }
        if job.created.zip(made).is_some_and(|(created, made)| created > made) {
            return fault("it describes a job that was created after the report was made");
        }
        if known.as_ref().is_some_and(|known| known.action != job.action) {
            return fault("another file beside it says something else of the job");
        }
        // What a description says beside the operation is more than a request does.
        known = Some(match known {
            Some(known) if known.created.is_some() => known,
            _ => job,
        });
    }
    known.unwrap_or_default()
}

impl Manifest {
    fn read(folder: &Path, faults: &mut Faults) -> Option<Self> {
        let path = MANIFEST_NAMES.iter().map(|name| folder.join(name)).find(|path| is_there(path))?;
        let mut fault = |what, why: &str| faults.add_file(what, &path, why);
        let file = match read_json_at::<ManifestFile>(&path, MAX_JSON_LEN) {
            Ok(file) => file,
            Err(why) => {
                fault("report_manifest", &why);
                return None;
            }
        };
        if let Some(format) = file.format.as_deref().filter(|format| *format != FORMAT) {
            fault("report_manifest", &format!("it is of another form than {FORMAT}: {format}"));
            return None;
        }
        let columns = Columns::parse(file.schema.as_deref().unwrap_or(DEFAULT_SCHEMA));
        let mut results: BTreeMap<String, Option<Results>> = BTreeMap::new();
        for file in &file.results {
            let name = file.key.rsplit('/').next().unwrap_or_default().to_owned();
            let found = file.results();
            let known = results.entry(name).or_insert(Some(found));
            *known = known.filter(|known| *known == found);
        }
        let ids: BTreeSet<&str> = file.results.iter().filter_map(ResultFile::job_id).collect();
        let id = (ids.len() == 1).then(|| ids.first().map(|id| (*id).to_owned())).flatten();
        Some(Self { columns, made: file.made.as_deref().and_then(parse_time), results, id })
    }
}

impl ResultFile {
    fn results(&self) -> Results {
        let succeeded = self.status.as_deref().and_then(|status| match status.to_ascii_lowercase().as_str() {
            "succeeded" => Some(true),
            "failed" => Some(false),
            _ => None,
        });
        Results { md5: self.md5.as_deref().and_then(Md5::parse), succeeded }
    }

    /// The id in `PREFIX/job-ID/results/NAME`.
    fn job_id(&self) -> Option<&str> {
        let mut parts = self.key.rsplit('/');
        parts.next().and(parts.next()).and(parts.next())?.strip_prefix("job-")
    }
}

impl ReportFile {
    /// A file counts only if its report says all there is to know of it.
    fn new(path: &Path, report: &Arc<Report>) -> Result<Self, (&'static str, &'static str)> {
        let no_manifest = ("report_no_manifest", "no manifest.json that can be read says what report it is a part of");
        let manifest = report.manifest.as_ref().ok_or(no_manifest)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let not_named = ("report_not_named", "the manifest of the report does not name it");
        let results = manifest.results.get(name).ok_or(not_named)?;
        let no_checksum = ("report_no_checksum", "the manifest of the report gives no MD5 for it that can be compared");
        let Some(Results { md5: Some(md5), succeeded }) = *results else { return Err(no_checksum) };
        let made = manifest.made.ok_or(("report_undated", "the manifest of the report has no ReportCreationDate"))?;
        let no_columns = ("report_schema", "the ReportSchema of the report lacks or repeats a column");
        let columns = manifest.columns.clone().ok_or(no_columns)?;
        Ok(Self { path: path.to_owned(), report: Arc::clone(report), made, columns, succeeded, md5 })
    }

    /// Compares the content with what the manifest says of it.
    pub(super) fn check(&self, cancelled: &dyn Fn() -> bool) -> Result<(), FileFault> {
        let file = SourceFile::open(&self.path, None)?;
        Checksum { file: &file, expected: self.md5 }.check(cancelled)
    }
}

fn read_json_at<T: DeserializeOwned>(path: &Path, max_len: u64) -> Result<T, String> {
    let file = SourceFile::open(path, None).map_err(|fault| fault.to_string())?;
    read_json(Arc::new(file), max_len)
}

/// Reads a JSON file that is not longer than it can be.
pub(super) fn read_json<T: DeserializeOwned>(file: Arc<SourceFile>, max_len: u64) -> Result<T, String> {
    if file.len() > max_len {
        return Err(format!("it is longer than {max_len} bytes"));
    }
    let mut text = Vec::new();
    let stream = TextStream::new(file, false).map_err(|fault| fault.to_string())?;
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
