//! A synthetic inventory: `logseal generate`.
//!
//! Options flow in; out come inventory deliveries in AWS's folder layout (CSV, Parquet or both, of the same rows) and
//! `truth.json`, the counts that an audit of them must give. The rows look like a bucket of CloudTrail logs. The same
//! options give the same bytes for any number of threads, and memory does not grow with the rows: a thread holds one
//! block of rows and one Parquet row group. Everything is made in a staging folder and renamed at the end; what exists
//! is never overwritten.

mod csv;
mod export;
mod file;
mod parquet;
mod place;
mod random;
mod rows;
#[cfg(test)]
mod tests;
mod truth;

use std::fmt::Debug;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{io, iter};

use export::{Encoding, Export, ManifestFile};
use place::REGIONS;
use rows::{BLOCK_ROWS, Block, Recipe};
use truth::{TruthTally, TruthUnit, truth};

use crate::source::Checksum;
use crate::store;
use crate::work::{Cancel, Crew, Stopped, lock};

const TRUTH: &str = "truth.json";

/// What to make. Everything but `format`, `gzip_level` and `jobs` decides what the rows are.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How many rows.
    pub rows: u64,
    /// How many data files of each format.
    pub files: u32,
    /// The format of the data files.
    pub format: Format,
    /// How hard CSV files are compressed, 1 to 9. With 1 all of a file is one block with fixed codes; 6 gives what S3
    /// Inventory delivers, blocks with codes of their own and about 80 bytes a row, and takes twice the time.
    pub gzip_level: u32,
    /// What everything random follows from.
    pub seed: u64,
    /// The share of CloudTrail log objects that violate the preset `cis`, 0 to 1.
    pub violations: f64,
    /// Where they are.
    pub spread: Spread,
    /// How many accounts.
    pub accounts: u32,
    /// How many Regions.
    pub regions: u32,
    /// How many years the logs span.
    pub years: u32,
    /// How many threads to use.
    pub jobs: usize,
}

/// The format of the data files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// CSV only.
    Csv,
    /// Parquet only.
    Parquet,
    /// The same rows in both.
    #[default]
    Both,
}

/// Where violations are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// Everywhere.
    #[default]
    Scattered,
    /// In four ranges of neighbours (account, Region, date): most row groups have none.
    Clustered,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            files: 8,
            format: Format::default(),
            gzip_level: 1,
            seed: 1,
            violations: 0.02,
            spread: Spread::default(),
            accounts: 40,
            regions: 8,
            years: 3,
            jobs: crate::work::default_jobs(),
        }
    }
}

impl GenerateError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists(_) => Some("name another folder, or remove this one"),
            _ => None,
        }
    }
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The dated folders with a manifest, one for each format.
    pub runs: Vec<PathBuf>,
    /// The file of counts that an audit must give.
    pub truth: PathBuf,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// An option makes no sense.
    #[error("{option} must be {range}: {given}")]
    OutOfRange {
        /// Its name.
        option: &'static str,
        /// What it may be.
        range: String,
        /// What it is.
        given: String,
    },
    /// There is something where the output should go.
    #[error("will not overwrite: {}", .0.display())]
    Exists(PathBuf),
    /// The operating system refused.
    #[error("cannot write to {}: {error}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        error: io::Error,
    },
    /// The workers stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl GenerateError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Write { path: path.to_owned(), error }
    }
}

/// Writes `out/csv`, `out/parquet` (as `format` says) and `out/truth.json`.
pub fn generate(out: &Path, options: &Options) -> Result<Generated, GenerateError> {
    options.check()?;
    refuse_existing(out)?;
    store::create_folders(out).map_err(GenerateError::at(out))?;
    let staging = store::staging_folder(out).map_err(GenerateError::at(out))?;
    let begin = |encoding| Export::begin(staging.path(), encoding, options);
    let exports = options.format.encodings().iter().map(begin).collect::<Result<Vec<_>, _>>()?;
    let units = make_units(options, &exports)?;
    for (at, export) in exports.iter().enumerate() {
        export.finish(units.iter().map(|unit| &unit.files[at]))?;
    }
    write_truth(&staging.path().join(TRUTH), options, &exports, &units)?;
    for name in exports.iter().map(|export| export.encoding.folder).chain([TRUTH]) {
        let path = out.join(name);
        store::rename(&staging.path().join(name), &path).map_err(GenerateError::at(&path))?;
    }
    Ok(Generated { runs: exports.iter().map(|export| export.run_folder(out)).collect(), truth: out.join(TRUTH) })
}

impl Options {
    fn check(&self) -> Result<(), GenerateError> {
        in_range("rows", 1..=1_000_000_000_000, self.rows)?;
        in_range("files", 1..=1_000_000, self.files)?;
        in_range("gzip-level", 1..=9, self.gzip_level)?;
        in_range("violations", 0.0..=1.0, self.violations)?;
        in_range("accounts", 1..=1_000_000, self.accounts)?;
        in_range("regions", 1..=REGIONS.len() as u32, self.regions)?;
        in_range("years", 1..=12, self.years)?;
        in_range("jobs", 1..=4096, self.jobs)
    }
}

fn in_range<T: Debug + PartialOrd>(
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
            Self::Csv => &[export::CSV],
            Self::Parquet => &[export::PARQUET],
            Self::Both => &[export::CSV, export::PARQUET],
        }
    }
}

fn refuse_existing(out: &Path) -> Result<(), GenerateError> {
    let names = [export::CSV.folder, export::PARQUET.folder, TRUTH];
    let existing = names.into_iter().map(|name| out.join(name)).find(|path| path.symlink_metadata().is_ok());
    existing.map_or(Ok(()), |path| Err(GenerateError::Exists(path)))
}

/// The numbers of one part's rows: all parts have the same number, or one more.
fn share_of(rows: u64, parts: u64, part: u64) -> Range<u64> {
    let start = |part| rows / parts * part + (rows % parts).min(part);
    start(part)..start(part + 1)
}

/// A part of the rows that was written, once for each format.
struct Unit {
    number: u32,
    tally: TruthTally,
    files: Vec<ManifestFile>,
}

/// Workers take the next unit until none is left or one failed; the units are returned in order.
fn make_units(options: &Options, exports: &[Export]) -> Result<Vec<Unit>, GenerateError> {
    let (recipe, next, made) = (Recipe::new(options), AtomicU32::new(0), Mutex::new(Vec::new()));
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < options.files);
    let make = |number| make_unit(number, options, &recipe, exports).map(|tally| (number, tally));
    let cancel = Cancel::default();
    let crew = Crew::<GenerateError>::new(options.jobs, &cancel);
    crew.run(|_| {
        while !crew.is_over() {
            let some: Vec<_> = iter::from_fn(take).take(Checksum::MAX_TOGETHER).map(make).collect::<Result<_, _>>()?;
            if some.is_empty() {
                break;
            }
            lock(&made).extend(describe_units(some, exports)?);
        }
        Ok(())
    })?;
    let mut units: Vec<Unit> = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    units.sort_by_key(|unit| unit.number);
    Ok(units)
}

/// Hashes the files of some units, which is much faster side by side than one after the other.
fn describe_units(made: Vec<(u32, TruthTally)>, exports: &[Export]) -> Result<Vec<Unit>, GenerateError> {
    let numbers: Vec<u32> = made.iter().map(|(number, _)| *number).collect();
    let unit = |(number, tally)| Unit { number, tally, files: Vec::new() };
    let mut units: Vec<Unit> = made.into_iter().map(unit).collect();
    for export in exports {
        units.iter_mut().zip(export.describe(&numbers)?).for_each(|(unit, file)| unit.files.push(file));
    }
    Ok(units)
}

/// Writes a unit in all formats.
fn make_unit(number: u32, options: &Options, recipe: &Recipe, exports: &[Export]) -> Result<TruthTally, GenerateError> {
    let failed = |export: &Export, error| GenerateError::Write { path: export.data_path(number), error };
    let mut open = Vec::new();
    for export in exports {
        open.push((export, export.create(number).map_err(|error| failed(export, error))?));
    }
    let (mut tally, mut block) = (TruthTally::default(), Block::default());
    let rows = share_of(options.rows, options.files.into(), number.into());
    for start in rows.clone().step_by(BLOCK_ROWS as usize) {
        recipe.fill(start..rows.end.min(start + BLOCK_ROWS), &mut block);
        tally.add(&block);
        for (export, file) in &mut open {
            file.write(&block).map_err(|error| failed(export, error))?;
        }
    }
    for (export, file) in open {
        file.finish().map_err(|error| failed(export, error))?;
    }
    Ok(tally)
}

fn write_truth(path: &Path, options: &Options, exports: &[Export], units: &[Unit]) -> Result<(), GenerateError> {
    let mut total = TruthTally::default();
    units.iter().for_each(|unit| total.merge(&unit.tally));
    let told = units.iter().map(|unit| TruthUnit {
        files: exports.iter().map(|export| export.file_name(unit.number)).collect(),
        rows: unit.tally.rows,
    });
    let truth = truth(options, &total, &told.collect::<Vec<_>>());
    export::write_json(path, &truth).map(drop)
}
