//! Manifests for another attempt: rows of the original manifests, byte for byte and in their order.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use super::manifests::Manifest;
use crate::sinks::OutputError;
use crate::store;

/// What is appended to the names of manifests whose objects are restored and need nothing but their copy.
const RESTORED: &str = "-restored";

/// The manifests of one list of the audit, while rows are still added.
pub(super) struct Retry {
    /// Where they are made.
    staged: PathBuf,
    /// Where they will be, for messages.
    path: PathBuf,
    max_rows: u64,
    plain: Series,
    restored: Series,
    /// How many manifests and rows have been written in all.
    pub(super) manifests: u64,
    pub(super) rows: u64,
}

/// What is left to be done for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Everything that its lane asks for.
    All,
    /// Nothing but the copy: it is restored.
    Copy,
}

/// Manifests that only differ in their number.
#[derive(Default)]
struct Series {
    /// Everything before the number.
    name: String,
    number: u64,
    rows: u64,
    file: Option<BufWriter<File>>,
}

impl Retry {
    pub(super) fn new(staged: PathBuf, path: PathBuf, max_rows: u64) -> Self {
        let (plain, restored) = (Series::default(), Series::default());
        Self { staged, path, max_rows: max_rows.max(1), plain, restored, manifests: 0, rows: 0 }
    }

    /// Rows are now those of this manifest. Manifests of one list must come one after the other.
    pub(super) fn begin(&mut self, manifest: &Manifest) -> Result<(), OutputError> {
        let name = manifest.stem.clone();
        if name != self.plain.name {
            self.finish()?;
            self.restored = Series { name: format!("{name}{RESTORED}"), ..Series::default() };
            self.plain = Series { name, ..Series::default() };
        }
        Ok(())
    }

    /// Adds a row to what is left to be done.
    pub(super) fn add(&mut self, line: &[u8], attempt: Attempt) -> Result<(), OutputError> {
        let series = match attempt {
            Attempt::All => &mut self.plain,
            Attempt::Copy => &mut self.restored,
        };
        if series.rows == self.max_rows {
            series.close().map_err(|(name, error)| OutputError::Write { path: self.path.join(name), error })?;
        }
        if series.file.is_none() {
            self.manifests += 1;
        }
        self.rows += 1;
        let written = series.write(&self.staged, line);
        written.map_err(|error| OutputError::Write { path: self.path.join(series.file_name()), error })
    }

    /// Makes sure that all files outlive a power failure.
    pub(super) fn finish(&mut self) -> Result<(), OutputError> {
        for series in [&mut self.plain, &mut self.restored] {
            series.close().map_err(|(name, error)| OutputError::Write { path: self.path.join(name), error })?;
        }
        Ok(())
    }
}

impl Series {
    fn file_name(&self) -> String {
        format!("{}-{:04}.csv", self.name, self.number)
    }

    fn write(&mut self, staged: &std::path::Path, line: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.number += 1;
            self.rows = 0;
            let path = staged.join(self.file_name());
            path.parent().map_or(Ok(()), store::create_folders)?;
            let file = BufWriter::with_capacity(1 << 18, store::create_new(&path)?);
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            file.write_all(line)?;
            file.write_all(b"\n")?;
            self.rows += 1;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), (String, io::Error)> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let closed = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| store::sync(&file));
        self.rows = 0;
        closed.map_err(|error| (self.file_name(), error))
    }
}
