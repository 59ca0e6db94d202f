//! What is to be examined: sources, and their units in order.
//!
//! A [`Plan`] is made before anything is read, from manifests alone, and is the same for every shard and every number of
//! threads. It says what must be covered; whatever of it cannot be examined is a fault. A manifest that is at fault is a
//! fault of the plan, recorded here, because the audit goes on without it.

mod error;
mod locate;
mod made;
mod manifest;
mod runs;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::assumptions::{AssumptionName, Assumptions};
use crate::batch::Schema;
use crate::escape::{escape, hex::hex};
use crate::fault::UnitFault;
use crate::hashes::sha256::Sha256;
use crate::source::{FileFault, Md5, look_at};
use crate::timestamp::Timestamp;

pub use error::{PlanError, SourceFault};
pub use made::MadeFault;
pub(crate) use made::check_newest;
pub use manifest::Manifest;
pub(crate) use manifest::{MANIFEST, MANIFEST_CHECKSUM, MAX_CHECKSUM_LEN};
use runs::{Runs, is_run_name};

/// The format of data files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names of S3 Inventory")]
pub enum Format {
    #[serde(rename = "CSV")]
    Csv,
    Parquet,
    #[serde(rename = "ORC")]
    Orc,
}

impl Format {
    /// As S3 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
            Self::Orc => "ORC",
        }
    }
}

/// Everything that is to be examined.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    sources: Vec<Source>,
    /// The id of each source's first unit.
    first_units: Vec<u32>,
    assumptions: Assumptions,
}

/// One report, or one data file without a manifest.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it was given, or the run that was picked.
    pub path: PathBuf,
    /// The bucket that the report is about; a data file without a manifest does not say.
    pub bucket: Option<String>,
    /// The checksum of its manifest as it was read; nothing if there is none, or if it cannot be read.
    pub manifest_md5: Option<Md5>,
    /// The bucket that the manifest was delivered to, as it says itself.
    destination: Option<String>,
    /// The format of its data files.
    pub format: Format,
    /// When S3 began to list the bucket.
    pub created_at: Option<Timestamp>,
    /// Files beside the data files that the manifest does not name.
    pub ignored_files: u64,
    /// Newer runs that were passed over because they are not complete.
    pub skipped_runs: Vec<String>,
    /// What is wrong with the source as a whole.
    pub faults: Vec<SourceFault>,
    /// Whether a manifest says which files there must be.
    pub completeness: Completeness,
    schema: Option<Arc<Schema>>,
    checksums: Checksums,
    files: Vec<DataFile>,
    /// The folders of the data files, as the manifest spells them.
    dirs: Vec<String>,
    /// The folders of the data files on this machine.
    folders: Vec<PathBuf>,
    /// Why files of some of the `dirs` may not have been found.
    unreadable: HashMap<u32, String>,
    root: PathBuf,
}

/// Where an inventory delivers its data files: `PREFIX/SOURCE/CONFIGURATION/data/` in a bucket.
#[derive(Debug)]
pub(crate) struct DeliveredTo<'s> {
    pub(crate) bucket: &'s str,
    /// The parts of the prefix.
    pub(crate) prefix: Vec<&'s str>,
    /// The id of the configuration.
    pub(crate) configuration: &'s str,
}

/// One data file as the manifest describes it.
#[derive(Clone, Debug)]
struct DataFile {
    /// Its folder among the source's `dirs`; nothing when its key leads out of the source.
    dir: Option<u32>,
    /// Its folder among the source's `folders`; nothing when it was not found.
    folder: Option<u32>,
    name: Box<str>,
    size: Option<u64>,
    md5: Option<Md5>,
}

/// Whether something says what must be covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// A manifest does, and its checksums are verified.
    Proven,
    /// Nothing does, or it was not checked.
    Unproven,
}

/// Whether checksums are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checksums {
    /// Those of manifests and of all files.
    #[default]
    Verified,
    /// None; sizes still are.
    Skipped,
}

/// Part `number` of `of` of the units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shard {
    number: u32,
    of: u32,
}

/// The position of a unit in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnitId(pub u32);

/// One data file that is to be examined.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'p> {
    /// Its position in the plan.
    pub id: UnitId,
    /// The position of its source.
    pub source_id: usize,
    /// Its source.
    pub source: &'p Source,
    number: u32,
    file: &'p DataFile,
}

/// How sources are to be taken.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// The run to take from folders of dated runs, instead of the newest complete one.
    pub run: Option<String>,
    /// Whether data files without a manifest may be sources.
    pub accept_unproven: bool,
    /// The columns of CSV files without a manifest, as a manifest would name them.
    pub schema: Option<String>,
    /// Whether checksums are verified.
    pub checksums: Checksums,
    /// Whether no object is in two sources of one bucket.
    pub accept_overlap: bool,
    /// Whether reports are taken as they are whose creation time cannot be true.
    pub accept_manifest_time: bool,
    /// What no report can be much younger than, if that is later than now.
    pub today: Option<Timestamp>,
}

impl PlanOptions {
    /// What they state that nothing proves.
    fn assumptions(&self) -> Assumptions {
        let mut assumptions = Assumptions::default();
        if self.accept_manifest_time {
            assumptions.add(AssumptionName::ManifestTimeAccepted, "");
        }
        if self.accept_overlap {
            assumptions.add(AssumptionName::NoOverlap, "");
        }
        assumptions
    }
}

impl Shard {
    /// The whole.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Reads `N/M`, with N from 1 to M.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, of) = text.split_once('/')?;
        let (number, of) = (number.parse().ok()?, of.parse().ok()?);
        (1..=of).contains(&number).then_some(Self { number, of })
    }

    /// Its number, from 1 on.
    pub fn number(self) -> u32 {
        self.number
    }

    /// How many shards there are.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether the unit belongs to this shard: each belongs to exactly one of M.
    pub fn holds(self, unit: UnitId) -> bool {
        unit.0 % self.of == self.number - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {}", self.number, self.of)
    }
}

impl Plan {
    /// Finds out what the sources consist of.
    pub fn new(paths: &[PathBuf], options: &PlanOptions) -> Result<Self, PlanError> {
        let mut plan = Self { assumptions: options.assumptions(), ..Self::default() };
        let mut seen = std::collections::HashSet::new();
        let mut units: u32 = 0;
        for path in paths {
            let source = Source::new(path, options)?;
            if !seen.insert(fs::canonicalize(&source.path).unwrap_or_else(|_| source.path.clone())) {
                return Err(PlanError::Twice(path.clone()));
            }
            plan.check_overlap(&source, options)?;
            plan.first_units.push(units);
            let files = u32::try_from(source.files.len()).ok();
            units = files.and_then(|files| units.checked_add(files)).ok_or(PlanError::TooManyUnits)?;
            plan.sources.push(source);
        }
        let needs_schema = |source: &Source| source.bucket.is_none() && source.schema.is_some();
        if options.schema.is_some() && !plan.sources.iter().any(needs_schema) {
            return Err(PlanError::SchemaUnused);
        }
        Ok(plan)
    }

    /// Reports of one bucket list the same objects, unless somebody knows better, which nobody can of a report and its
    /// copy.
    fn check_overlap(&self, source: &Source, options: &PlanOptions) -> Result<(), PlanError> {
        let Some(bucket) = &source.bucket else { return Ok(()) };
        for earlier in self.sources.iter().filter(|earlier| earlier.bucket.as_ref() == Some(bucket)) {
            let (first, second) = (earlier.path.clone(), source.path.clone());
            if !options.accept_overlap {
                return Err(PlanError::Overlap { bucket: escape(bucket.as_bytes()).into_owned(), first, second });
            }
            if earlier.is_copy_of(source) {
                return Err(PlanError::Copied { first, second });
            }
        }
        Ok(())
    }

    /// The sources, in the order in which they were given.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The units of a shard, in order.
    pub fn units(&self, shard: Shard) -> impl Iterator<Item = Unit<'_>> {
        let numbered = self.sources.iter().zip(&self.first_units).enumerate();
        let units = numbered.flat_map(|(source_id, (source, first))| {
            let numbered = source.files.iter().zip(0..);
            numbered.map(move |(file, number)| Unit { id: UnitId(first + number), source_id, source, number, file })
        });
        units.filter(move |unit| shard.holds(unit.id))
    }

    /// Whether something says what all sources must cover.
    pub fn completeness(&self) -> Completeness {
        let is_proven = |source: &Source| {
            source.completeness == Completeness::Proven && !source.faults.iter().any(SourceFault::unproves)
        };
        let proven = self.sources.iter().all(is_proven);
        if proven { Completeness::Proven } else { Completeness::Unproven }
    }

    /// What the operator states about the sources.
    pub fn assumptions(&self) -> &Assumptions {
        &self.assumptions
    }
}

impl Source {
    fn new(path: &Path, options: &PlanOptions) -> Result<Self, PlanError> {
        let open_error = |error| PlanError::Open { path: path.to_owned(), error };
        let kind = fs::metadata(path).map_err(open_error)?;
        if kind.is_file() {
            if options.run.is_some() {
                return Err(PlanError::RunUnused(path.to_owned()));
            }
            let is_manifest = path.extension().is_some_and(|extension| extension == "json");
            return if is_manifest {
                Ok(Self::from_manifest(path, Vec::new(), options))
            } else {
                Self::bare(path, kind.len(), options)
            };
        }
        let manifest = path.join(MANIFEST);
        let has_manifest = look_at(&manifest).map_err(|error| PlanError::Open { path: manifest.clone(), error })?;
        let runs = Runs::of(path)?;
        match (has_manifest, options.run.as_deref(), runs.any()) {
            (Some(_), None, Some(run)) => Err(PlanError::Ambiguous { path: path.to_owned(), run: run.to_owned() }),
            (Some(_), Some(_), None) => Err(PlanError::RunUnused(path.to_owned())),
            (Some(_), None, None) => Ok(Self::from_manifest(&manifest, Vec::new(), options)),
            (_, Some(run), _) => Ok(Self::from_manifest(&runs.named(run)?.join(MANIFEST), Vec::new(), options)),
            (None, None, _) => {
                let (run, skipped) = runs.newest_complete()?;
                Ok(Self::from_manifest(&run.join(MANIFEST), skipped, options))
            }
        }
    }

    fn empty(path: &Path, checksums: Checksums) -> Self {
        Self {
            path: path.to_owned(),
            bucket: None,
            manifest_md5: None,
            destination: None,
            format: Format::Csv,
            created_at: None,
            ignored_files: 0,
            skipped_runs: Vec::new(),
            faults: Vec::new(),
            completeness: match checksums {
                Checksums::Verified => Completeness::Proven,
                Checksums::Skipped => Completeness::Unproven,
            },
            schema: None,
            checksums,
            files: Vec::new(),
            dirs: Vec::new(),
            folders: Vec::new(),
            unreadable: HashMap::new(),
            root: PathBuf::new(),
        }
    }

    /// A manifest that is at fault makes a source without files.
    fn from_manifest(path: &Path, skipped_runs: Vec<String>, options: &PlanOptions) -> Self {
        let mut source = Self { skipped_runs, ..Self::empty(path, options.checksums) };
        let (md5, manifest) = Manifest::read(path, options);
        source.manifest_md5 = md5;
        match manifest {
            Ok(manifest) => source.fill(manifest, options),
            Err(fault) => source.faults.push(fault),
        }
        source
    }

    fn fill(&mut self, manifest: Manifest, options: &PlanOptions) {
        self.bucket = Some(manifest.bucket);
        self.destination = manifest.destination;
        self.format = manifest.format;
        match manifest.made {
            Ok(time) => self.created_at = Some(time),
            Err(_) if options.accept_manifest_time => {}
            Err(fault) => self.faults.push(fault.into()),
        }
        self.schema = manifest.schema;
        self.faults.extend(manifest.fault);
        self.dirs = manifest.dirs;
        self.files = manifest.files;
        let found = locate::locate(&self.path, &self.dirs, &mut self.files);
        self.folders = found.folders;
        self.ignored_files = found.ignored_files;
        self.unreadable = found.unreadable;
        self.root = found.root;
    }

    /// A data file by itself.
    fn bare(path: &Path, size: u64, options: &PlanOptions) -> Result<Self, PlanError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let format = bare_format(name).ok_or_else(|| PlanError::UnknownFile(path.to_owned()))?;
        if !options.accept_unproven {
            return Err(PlanError::Unproven(path.to_owned()));
        }
        let schema = match (format, &options.schema) {
            (Format::Csv, None) => return Err(PlanError::NeedsSchema(path.to_owned())),
            (Format::Csv, Some(names)) => Some(Arc::new(Schema::from_names(names.split(',').map(str::trim))?)),
            _ => None,
        };
        let real = fs::canonicalize(path).map_err(|error| PlanError::Open { path: path.to_owned(), error })?;
        let folder = real.parent().map(Path::to_owned).unwrap_or_default();
        let size = Some(size);
        Ok(Self {
            format,
            completeness: Completeness::Unproven,
            schema,
            files: vec![DataFile { dir: Some(0), folder: Some(0), name: name.into(), size, md5: None }],
            dirs: vec![String::new()],
            folders: vec![folder.clone()],
            root: folder,
            ..Self::empty(path, Checksums::Skipped)
        })
    }

    /// The columns that the manifest names, or that were given for a file without one.
    pub fn csv_schema(&self) -> Result<Arc<Schema>, UnitFault> {
        self.schema.clone().ok_or(UnitFault::Unchecked("columns"))
    }

    /// A number for what its manifest says, and for what is wrong with that; wherever it is, and whatever lies beside it.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        let mut field = |text: &str| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        };
        field(&format!("{:?} {:?}", self.bucket, self.format));
        field(&format!("{:?} {:?}", self.created_at, self.completeness));
        field(&format!("{:?}", self.schema));
        // How many there are of each, so that none can be taken for one of the next kind.
        field(&format!("{} {}", self.faults.len(), self.files.len()));
        for fault in &self.faults {
            field(fault.code());
            field(&fault.to_string());
        }
        for file in &self.files {
            field(&self.file_key(file));
            field(&format!("{:?} {:?}", file.size, file.md5));
        }
        hex(&hasher.finish())
    }

    /// Whether both manifests name the same files, wherever they lie.
    fn is_copy_of(&self, other: &Self) -> bool {
        let is_alike =
            |(one, two): (&DataFile, &DataFile)| one.md5.is_some() && (one.md5, one.size) == (two.md5, two.size);
        self.files.len() == other.files.len() && self.files.iter().zip(&other.files).all(is_alike)
    }

    /// The bucket that its manifest was delivered to, as that says itself; harmless to show.
    pub fn delivered_to(&self) -> Option<String> {
        Some(escape(bucket_of_arn(self.destination.as_deref()?).as_bytes()).into_owned())
    }

    /// The key under which S3 delivered its manifest, as far as that follows from where its data files are and from the
    /// name of its folder; harmless to show.
    pub fn manifest_key(&self) -> Option<String> {
        let [data] = &self.dirs[..] else { return None };
        let run = self.path.parent()?.file_name()?.to_str().filter(|name| is_run_name(name))?;
        let configuration = data.strip_suffix("/data")?;
        Some(escape(format!("{configuration}/{run}/{MANIFEST}").as_bytes()).into_owned())
    }

    /// Where its data files were delivered, as far as their keys are those of an inventory.
    pub(crate) fn delivery(&self) -> Option<DeliveredTo<'_>> {
        let ([data], Some(source)) = (&self.dirs[..], &self.bucket) else { return None };
        // PREFIX/SOURCE/CONFIGURATION/data
        let (bucket, configuration) = (self.destination.as_deref()?, data.strip_suffix("/data")?);
        let (to, configuration) = configuration.rsplit_once('/')?;
        let mut prefix: Vec<&str> = to.split('/').collect();
        (prefix.pop()? == source).then_some(DeliveredTo { bucket: bucket_of_arn(bucket), prefix, configuration })
    }

    /// What results call it, harmless to show: where S3 delivered its manifest, as far as that is known, else the last parts
    /// of its path. The folders of a machine are named after people and projects, and results are handed over.
    pub fn name(&self) -> String {
        if let (Some(bucket), Some(key)) = (self.delivered_to(), self.manifest_key()) {
            return format!("s3://{bucket}/{key}");
        }
        let parts = if self.has_manifest() { 2 } else { 1 };
        let last: Vec<_> = self.path.iter().rev().take(parts).collect();
        let last: PathBuf = last.into_iter().rev().collect();
        escape(last.as_os_str().as_encoded_bytes()).into_owned()
    }

    /// Whether it is more than a data file by itself.
    fn has_manifest(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "json")
    }

    /// Its path, harmless to show.
    pub fn display_path(&self) -> String {
        escape(self.path.as_os_str().as_encoded_bytes()).into_owned()
    }

    /// How many data files it has.
    pub fn file_count(&self) -> u64 {
        self.files.len() as u64
    }

    fn file_key(&self, file: &DataFile) -> String {
        match file.dir.and_then(|dir| self.dirs.get(dir as usize)) {
            Some(dir) if !dir.is_empty() => format!("{dir}/{}", file.name),
            _ => file.name.to_string(),
        }
    }
}

/// The bucket of `arn:aws:s3:::BUCKET`, in every partition.
pub(crate) fn bucket_of_arn(arn: &str) -> &str {
    arn.rsplit_once(":::").map_or(arn, |(_, bucket)| bucket)
}

fn bare_format(name: &str) -> Option<Format> {
    let name = name.to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    match () {
        () if ends(&[".csv", ".csv.gz"]) => Some(Format::Csv),
        () if ends(&[".parquet"]) => Some(Format::Parquet),
        () if ends(&[".orc"]) => Some(Format::Orc),
        () => None,
    }
}

impl Unit<'_> {
    /// The key of the data file, as the manifest has it.
    pub fn key(&self) -> String {
        self.source.file_key(self.file)
    }

    /// The size that the manifest gives.
    pub fn manifest_size(&self) -> Option<u64> {
        self.file.size
    }

    /// The checksum that the manifest gives, whether it is verified or not.
    pub fn manifest_md5(&self) -> Option<Md5> {
        self.file.md5
    }

    /// Its position in its source.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Where the data file is on this machine.
    pub fn path(&self) -> Result<PathBuf, UnitFault> {
        let dir = self.file.dir.ok_or(UnitFault::Outside)?;
        let folder = self.file.folder.and_then(|folder| self.source.folders.get(folder as usize));
        let missing = || match self.source.unreadable.get(&dir) {
            Some(why) => FileFault::Unreadable(io::Error::other(why.clone())),
            None => FileFault::Missing,
        };
        let path = folder.ok_or_else(missing)?.join(&*self.file.name);
        // A link may have led out of the source.
        let real = fs::canonicalize(&path).map_err(FileFault::from)?;
        let is_bare = self.source.bucket.is_none();
        if is_bare || real.starts_with(&self.source.root) { Ok(real) } else { Err(UnitFault::Outside) }
    }

    /// The size that the manifest gives.
    pub fn expected_len(&self) -> Result<Option<u64>, UnitFault> {
        match (self.file.size, self.source.checksums) {
            (None, Checksums::Verified) => Err(UnitFault::Unchecked("size")),
            (size, _) => Ok(size),
        }
    }

    /// The checksum that the manifest gives, if it is to be verified.
    pub fn expected_md5(&self) -> Result<Option<Md5>, UnitFault> {
        match (self.file.md5, self.source.checksums) {
            (None, Checksums::Verified) => Err(UnitFault::Unchecked("MD5checksum")),
            (_, Checksums::Skipped) => Ok(None),
            (md5, Checksums::Verified) => Ok(md5),
        }
    }

    /// Whether its checksum is to be verified.
    pub fn is_hashed(&self) -> bool {
        matches!(self.expected_md5(), Ok(Some(_)))
    }

    /// The size that the manifest gives, for progress and for the order of work.
    pub fn size_hint(&self) -> u64 {
        self.file.size.unwrap_or_default()
    }

    /// Whether its name promises a gzip file.
    pub fn is_called_gz(&self) -> bool {
        self.file.name.to_ascii_lowercase().ends_with(".gz")
    }
}
