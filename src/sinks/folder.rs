//! The output folder: nothing half-written ever has a final name.
//!
//! Files are written to a hidden folder inside the output folder and renamed when all of them are complete. The summary
//! comes last and goes first: a folder that holds `summary.json` holds a finished audit, one that holds `reconcile.json`
//! a finished reconciliation.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::TempDir;

use super::GroupFiles;
use super::ListFile;
use super::Sources;
use crate::remediation::Groups;
use crate::source::{FileFault, look_at};
use crate::store;

/// What a folder is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputKind {
    /// What an audit writes.
    Audit,
    /// What is written when reports of jobs are held against an audit.
    Reconciliation,
    /// What is written when digests are verified.
    Digests,
    /// What is written when a standard is held against settings.
    Settings,
}

impl OutputKind {
    /// The file that marks a finished one.
    fn mark(self) -> &'static str {
        match self {
            Self::Audit | Self::Digests | Self::Settings => SUMMARY_FILE,
            Self::Reconciliation => RECONCILIATION,
        }
    }

    /// What may be left of an earlier one that no new file takes the place of.
    fn stale_files(self) -> &'static [&'static str] {
        match self {
            Self::Audit => &[PARTIAL_FILE, DIGESTS_FILE],
            Self::Reconciliation | Self::Digests | Self::Settings => &[],
        }
    }

    /// The folders inside it.
    fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Audit => &[REMEDIATION, SOURCES],
            Self::Reconciliation => &[RETRY],
            Self::Settings => &[FIXES],
            Self::Digests => &[],
        }
    }
}

/// The result of holding reports against an audit.
pub(crate) const RECONCILIATION: &str = "reconcile.json";
/// The folder of what would put settings right.
pub(crate) const FIXES: &str = "fixes";
/// The folder of manifests for another attempt.
pub(crate) const RETRY: &str = "retry";
/// The folder of everything that puts objects right.
pub(crate) const REMEDIATION: &str = "remediation";

/// The folder of manifests.
pub(crate) const SOURCES: &str = "sources";
/// What marks a finished result.
pub(crate) const SUMMARY_FILE: &str = "summary.json";
/// What a shard leaves for merging.
pub(crate) const PARTIAL_FILE: &str = "partial.json";
/// What an audit finds in digests.
pub(crate) const DIGESTS_FILE: &str = "digests.csv";

const BUFFER_LEN: usize = 1 << 18;

/// An output folder that is being filled.
#[derive(Debug)]
pub struct OutputFolder {
    folder: PathBuf,
    staging: TempDir,
    overwrite: bool,
    kind: OutputKind,
    files: Vec<&'static str>,
}

/// Why nothing could be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The objects to be put right are of too many buckets.
    #[error("objects to be put right are in too many buckets for one audit: more than {} files", Groups::MAX)]
    TooManyGroups,
    /// The folder holds a finished audit.
    #[error("the folder holds a finished audit: {}", .0.display())]
    Finished(PathBuf),
    /// The folder holds a finished reconciliation.
    #[error("the folder holds a finished reconciliation: {}", .0.display())]
    FinishedReconciliation(PathBuf),
    /// The folder holds a finished result of some kind.
    #[error("the folder holds a finished verification or audit: {}", .0.display())]
    FinishedDigests(PathBuf),
    /// The folder holds a finished look at settings, or something else that ends in a summary.
    #[error("the folder holds a finished result: {}", .0.display())]
    FinishedSettings(PathBuf),
    /// A file that would be replaced is none that an earlier result left there.
    #[error("the folder holds a file that no result left there, and it would be replaced: {}", .0.display())]
    NotOurs(PathBuf),
    /// A file that lines are taken from cannot be read.
    #[error("cannot read {}: {fault}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: FileFault,
    },
    /// A file that lines are taken from is not what it should be.
    #[error("the file is not as it was written: {}", .0.display())]
    Changed(PathBuf),
    /// The operating system refused.
    #[error("cannot write to {}: {error}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

impl OutputError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooManyGroups => Some("audit data files without a manifest bucket by bucket"),
            Self::Finished(_)
            | Self::FinishedReconciliation(_)
            | Self::FinishedDigests(_)
            | Self::FinishedSettings(_) => Some("name another folder, or add --force to replace it"),
            Self::NotOurs(_) => Some("name another folder with --out, or move that file away"),
            Self::Write { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
                Some("findings take twice their room while they are put together: name a folder with more with --out")
            }
            Self::Write { .. } | Self::Read { .. } | Self::Changed(_) => None,
        }
    }
}

impl OutputFolder {
    /// Makes the folder if need be. One that holds a finished audit is refused unless `overwrite` is set.
    pub fn create(folder: &Path, overwrite: bool) -> Result<Self, OutputError> {
        Self::create_for(OutputKind::Audit, folder, overwrite)
    }

    /// The same for any kind of output.
    pub(crate) fn create_for(kind: OutputKind, folder: &Path, overwrite: bool) -> Result<Self, OutputError> {
        let fail = |error| OutputError::Write { path: folder.to_owned(), error };
        refuse_finished(kind, folder, overwrite)?;
        store::create_folders(folder).map_err(fail)?;
        let staging = store::staging_folder(folder).map_err(fail)?;
        Ok(Self { folder: folder.to_owned(), staging, overwrite, kind, files: Vec::new() })
    }

    /// The folder for files that nobody will see.
    pub fn staging(&self) -> &Path {
        self.staging.path()
    }

    /// Writes one file, whose name appears with [`Self::publish`].
    pub fn write(
        &mut self,
        name: &'static str,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        let path = self.staging.path().join(name);
        fill_file(&path, fill).map_err(|error| OutputError::Write { path: self.folder.join(name), error })?;
        self.files.push(name);
        Ok(())
    }

    /// Writes one file for people and programs to read.
    pub(crate) fn write_json(&mut self, name: &'static str, value: &impl Serialize) -> Result<(), OutputError> {
        self.write(name, |out| {
            serde_json::to_writer_pretty(&mut *out, value)?;
            out.write_all(b"\n")
        })
    }

    /// Writes one file of those that put objects right.
    pub(crate) fn write_remediation(&self, path: &str, text: &[u8]) -> Result<(), OutputError> {
        self.fill_remediation(path, |out| out.write_all(text))
    }

    /// The same for a file that may be too large to be held in memory.
    pub(crate) fn fill_remediation(
        &self,
        path: &str,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        fill_file(&self.staged_remediation(path), fill).map_err(|error| self.fails(path, error))
    }

    /// Writes one file of those of sources.
    pub(crate) fn fill_source(
        &self,
        path: &Path,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        let staged = self.staging.path().join(SOURCES).join(path);
        let made = staged.parent().map_or(Ok(()), store::create_folders);
        let fail = |error| OutputError::Write { path: self.folder.join(SOURCES).join(path), error };
        made.and_then(|()| fill_file(&staged, fill)).map_err(fail)
    }

    /// Writes one file of those that put settings right.
    pub(crate) fn write_fix(&self, name: &str, text: &[u8]) -> Result<(), OutputError> {
        let fail = |error| OutputError::Write { path: self.folder.join(FIXES).join(name), error };
        fill_file(&self.staging.path().join(FIXES).join(name), |out| out.write_all(text)).map_err(fail)
    }

    /// Opens one of those files to read it again.
    pub(crate) fn read_remediation(&self, path: &str) -> io::Result<impl BufRead + use<>> {
        Ok(BufReader::with_capacity(BUFFER_LEN, store::read_back(&self.staged_remediation(path))?))
    }

    fn staged_remediation(&self, path: &str) -> PathBuf {
        self.staging.path().join(REMEDIATION).join(path)
    }

    /// A file of those that put objects right cannot be written.
    pub(crate) fn fails(&self, path: &str, error: io::Error) -> OutputError {
        OutputError::Write { path: self.folder.join(REMEDIATION).join(path), error }
    }

    /// Begins a list whose name appears with [`Self::publish`]: first the preamble, then pieces of these files.
    pub(crate) fn begin_list(
        &mut self,
        name: &'static str,
        preamble: &[u8],
        sources: Sources,
    ) -> Result<ListFile, OutputError> {
        self.files.push(name);
        ListFile::create(&self.staging.path().join(name), self.folder.join(name), preamble, sources)
    }

    /// Begins the files of objects that are put right together, whose names appear with [`Self::publish`]: pieces of
    /// these files, so many rows each.
    pub(crate) fn begin_groups(&mut self, max_rows: u64, sources: Sources) -> Result<GroupFiles, OutputError> {
        let (staged, path) = self.begin_folder(REMEDIATION)?;
        Ok(GroupFiles::new(staged, path, max_rows, sources))
    }

    /// Makes a folder inside the output, whose name appears with [`Self::publish`]: where it is made, and where it
    /// will be.
    pub(crate) fn begin_folder(&mut self, name: &'static str) -> Result<(PathBuf, PathBuf), OutputError> {
        let (staged, path) = (self.staging.path().join(name), self.folder.join(name));
        store::create_folder(&staged).map_err(|error| OutputError::Write { path: path.clone(), error })?;
        self.files.push(name);
        Ok((staged, path))
    }

    /// Gives all files their final names, the summary last.
    pub fn publish(mut self) -> Result<(), OutputError> {
        refuse_finished(self.kind, &self.folder, self.overwrite)?;
        let mark = self.kind.mark();
        for stale in [mark].iter().chain(self.kind.stale_files()) {
            let path = self.folder.join(stale);
            match store::remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(OutputError::Write { path, error });
                }
                _ => {}
            }
        }
        // A folder takes the place of an empty one only.
        for name in self.kind.folders() {
            let (old, stale) = (self.folder.join(name), self.staging.path().join(format!("stale-{name}")));
            match store::rename(&old, &stale) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(OutputError::Write { path: old, error });
                }
                _ => {}
            }
        }
        self.files.sort_by_key(|name| *name == mark);
        for name in &self.files {
            let path = self.folder.join(name);
            store::rename(&self.staging.path().join(name), &path)
                .map_err(|error| OutputError::Write { path, error })?;
        }
        Ok(())
    }
}

/// Writes a file that outlives a power failure.
fn fill_file(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER_LEN, store::create(path)?);
    fill(&mut out)?;
    store::sync(&out.into_inner().map_err(io::IntoInnerError::into_error)?)
}

fn refuse_finished(kind: OutputKind, folder: &Path, overwrite: bool) -> Result<(), OutputError> {
    let mark = folder.join(kind.mark());
    let found = if overwrite { Ok(None) } else { look_at(&mark) };
    if found.map_err(|error| OutputError::Write { path: mark, error })?.is_none() {
        return Ok(());
    }
    Err(match kind {
        OutputKind::Audit => OutputError::Finished(folder.to_owned()),
        OutputKind::Reconciliation => OutputError::FinishedReconciliation(folder.to_owned()),
        OutputKind::Digests => OutputError::FinishedDigests(folder.to_owned()),
        OutputKind::Settings => OutputError::FinishedSettings(folder.to_owned()),
    })
}
