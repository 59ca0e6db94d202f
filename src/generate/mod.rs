//! A synthetic inventory: `logseal generate`.
//!
//! Options flow in; out come inventory deliveries in AWS's folder layout (CSV, Parquet
//! or both, of the same rows) and `truth.json`, the counts that an audit of them must
//! give. The rows look like a bucket of `CloudTrail` logs, so a benchmark on 10^6 to 10^9
//! of them tells something about real ones. The same options give the same bytes for
//! any number of threads. Memory does not grow with the rows: a thread holds one block
//! of rows and one Parquet row group. Everything is made in a staging folder and renamed
//! at the end; what exists is never overwritten.

mod calendar;
mod csv;
mod export;
mod parquet;
mod place;
mod random;
mod rows;
mod truth;

use std::{
    fmt::Debug,
    fs, io,
    ops::{Range, RangeInclusive},
    panic,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use export::{Encoding, Export, Measures};
use place::REGIONS;
use rows::{BLOCK_ROWS, Block, Recipe};
use truth::{Tally, TruthUnit, truth};

const STAGING: &str = ".generate.partial";
const TRUTH: &str = "truth.json";

/// What to make. Everything but `format` and `jobs` decides what the rows are.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub rows: u64,
    /// Data files of each format; also the number of units.
    pub files: u32,
    pub format: Format,
    pub seed: u64,
    /// The share of `CloudTrail` log objects that violate the preset `cis`, 0 to 1.
    pub violations: f64,
    pub spread: Spread,
    pub accounts: u32,
    pub regions: u32,
    /// How far back the logs go.
    pub years: u32,
    pub jobs: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    Csv,
    Parquet,
    #[default]
    Both,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// Violations everywhere.
    #[default]
    Scattered,
    /// Violations in four ranges of neighbours (account, Region, date): most row groups have none.
    Clustered,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            files: 8,
            format: Format::default(),
            seed: 1,
            violations: 0.02,
            spread: Spread::default(),
            accounts: 40,
            regions: 8,
            years: 3,
            jobs: thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The dated folders with a manifest, one for each format.
    pub runs: Vec<PathBuf>,
    pub truth: PathBuf,
    pub rows: u64,
    /// Bytes of all data files.
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    #[error("option {option} is out of range, {range} is allowed: {given}")]
    OutOfRange { option: &'static str, range: String, given: String },
    #[error("will not overwrite: {}\nhint: name another folder, or remove this one", path.display())]
    Exists { path: PathBuf },
    #[error("cannot write: {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl GenerateError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write { path: path.to_owned(), source }
    }
}

/// Writes `out/csv`, `out/parquet` (as `format` says) and `out/truth.json`.
pub fn generate(out: &Path, options: &Options) -> Result<Generated, GenerateError> {
    options.check()?;
    let staging = Staging::begin(out)?;
    let exports = options.format.encodings().iter();
    let exports = exports.map(|encoding| Export::begin(&staging.folder, *encoding, options.seed));
    let exports = exports.collect::<Result<Vec<_>, _>>()?;
    let units = make_units(options, &exports)?;
    for (at, export) in exports.iter().enumerate() {
        export.finish(units.iter().filter_map(|unit| unit.files.get(at)))?;
    }
    write_truth(&staging.folder.join(TRUTH), options, &exports, &units)?;
    staging.publish(out, &exports)?;
    Ok(Generated {
        runs: exports.iter().map(|export| export.run_folder(out)).collect(),
        truth: out.join(TRUTH),
        rows: options.rows,
        bytes: units.iter().flat_map(|unit| &unit.files).map(|file| file.size).sum(),
    })
}

impl Options {
    fn check(&self) -> Result<(), GenerateError> {
        let regions = u32::try_from(REGIONS.len()).unwrap_or(u32::MAX);
        in_range("rows", 1..=1_000_000_000_000, self.rows)?;
        in_range("files", 1..=1_000_000, self.files)?;
        in_range("violations", 0.0..=1.0, self.violations)?;
        in_range("accounts", 1..=1_000_000, self.accounts)?;
        in_range("regions", 1..=regions, self.regions)?;
        in_range("years", 1..=12, self.years)?;
        in_range("jobs", 1..=4096, self.jobs)
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1, checked")]
    fn violations_per_million(&self) -> u32 {
        (self.violations * 1e6).round() as u32
    }

    /// The numbers of a unit's rows: all units have the same number, or one more.
    fn rows_of(&self, unit: u32) -> Range<u64> {
        let files = u64::from(self.files);
        let start = |unit: u64| self.rows / files * unit + (self.rows % files).min(unit);
        start(unit.into())..start(u64::from(unit) + 1)
    }
}

fn in_range<T: Copy + Debug + PartialOrd>(
    option: &'static str,
    range: RangeInclusive<T>,
    given: T,
) -> Result<(), GenerateError> {
    if range.contains(&given) {
        return Ok(());
    }
    let range = format!("{:?} to {:?}", range.start(), range.end());
    Err(GenerateError::OutOfRange { option, range, given: format!("{given:?}") })
}

impl Format {
    fn encodings(self) -> &'static [Encoding] {
        match self {
            Self::Csv => &[Encoding::Csv],
            Self::Parquet => &[Encoding::Parquet],
            Self::Both => &[Encoding::Csv, Encoding::Parquet],
        }
    }
}

/// A unit that was written, once for each format.
struct Unit {
    number: u32,
    tally: Tally,
    files: Vec<Measures>,
}

/// Units in order; threads take the next one until none is left or one failed.
fn make_units(options: &Options, exports: &[Export]) -> Result<Vec<Unit>, GenerateError> {
    let recipe = Recipe::new(options);
    let next = AtomicU64::new(0);
    let work = || {
        let mut made = Vec::new();
        while let Some(unit) = take(&next, options.files) {
            let unit = make_unit(unit, options, &recipe, exports);
            made.push(unit.inspect_err(|_| next.store(u64::MAX / 2, Ordering::Relaxed))?);
        }
        Ok(made)
    };
    let made: Result<Vec<Vec<Unit>>, GenerateError> = thread::scope(|scope| {
        let threads: Vec<_> = (0..options.jobs).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|made| made.unwrap_or_else(|cause| panic::resume_unwind(cause))).collect()
    });
    let mut units: Vec<Unit> = made?.into_iter().flatten().collect();
    units.sort_by_key(|unit| unit.number);
    Ok(units)
}

fn take(next: &AtomicU64, files: u32) -> Option<u32> {
    let unit = u32::try_from(next.fetch_add(1, Ordering::Relaxed)).ok()?;
    (unit < files).then_some(unit)
}

fn make_unit(number: u32, options: &Options, recipe: &Recipe, exports: &[Export]) -> Result<Unit, GenerateError> {
    let failed = |at: usize, error| GenerateError::at(&exports[at].data_path(number))(error);
    let mut open = Vec::new();
    for (at, export) in exports.iter().enumerate() {
        open.push(export.create(number).map_err(|error| failed(at, error))?);
    }
    let mut tally = Tally::default();
    let mut block = Block::default();
    for rows in blocks(options.rows_of(number)) {
        recipe.fill(rows, &mut block);
        tally.add(&block);
        for (at, file) in open.iter_mut().enumerate() {
            file.write(&block).map_err(|error| failed(at, error))?;
        }
    }
    let files = open.into_iter().enumerate();
    let files = files.map(|(at, file)| file.finish().map_err(|error| failed(at, error)));
    Ok(Unit { number, tally, files: files.collect::<Result<_, _>>()? })
}

fn blocks(rows: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let starts = (rows.start..rows.end).step_by(usize::try_from(BLOCK_ROWS).unwrap_or(1));
    starts.map(move |start| start..rows.end.min(start + BLOCK_ROWS))
}

fn write_truth(path: &Path, options: &Options, exports: &[Export], units: &[Unit]) -> Result<(), GenerateError> {
    let mut total = Tally::default();
    for unit in units {
        total.merge(&unit.tally);
    }
    let rows = units.iter().map(|unit| TruthUnit {
        files: exports.iter().map(|export| export.file_name(unit.number)).collect(),
        rows: unit.tally.rows,
    });
    let truth = truth(options, &total, &rows.collect::<Vec<_>>());
    let text = serde_json::to_vec_pretty(&truth);
    let text = text.map_err(|error| GenerateError::at(path)(error.into()))?;
    fs::write(path, text).map_err(GenerateError::at(path))
}

/// The folder where everything is made first; removed whatever happens.
struct Staging {
    folder: PathBuf,
}

impl Staging {
    fn begin(out: &Path) -> Result<Self, GenerateError> {
        let kept = [STAGING, "csv", "parquet", TRUTH].map(|name| out.join(name));
        if let Some(path) = kept.into_iter().find(|path| path.symlink_metadata().is_ok()) {
            return Err(GenerateError::Exists { path });
        }
        fs::create_dir_all(out).map_err(GenerateError::at(out))?;
        let folder = out.join(STAGING);
        fs::create_dir(&folder).map_err(GenerateError::at(&folder))?;
        Ok(Self { folder })
    }

    fn publish(&self, out: &Path, exports: &[Export]) -> Result<(), GenerateError> {
        let folders = exports.iter().map(|export| export.encoding.folder());
        for name in folders.chain([TRUTH]) {
            let path = out.join(name);
            fs::rename(self.folder.join(name), &path).map_err(GenerateError::at(&path))?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What is left after a failure is not worth a second error.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests;
