//! A folder of dated runs, and which of them counts.
//!
//! S3 writes the manifest.checksum of a run last, so a run without one is not complete. Whether it is there must be known of
//! every run that is passed over: one that cannot be looked at ends the search, because an older run must not speak for it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::PlanError;
use crate::source::look_at;

/// The folders of a folder that are named like runs, in order.
pub(super) struct Runs {
    folder: PathBuf,
    names: Vec<String>,
}

/// Whether a folder is named like a run: `2026-01-04T01-00Z`.
pub(super) fn is_run_name(name: &str) -> bool {
    name.len() == 17
        && name.bytes().zip(b"0000-00-00T00-00Z".iter()).all(|(found, &shape)| match shape {
            b'0' => found.is_ascii_digit(),
            shape => found == shape,
        })
}

impl Runs {
    /// Looks through a folder. What has the name of a run and cannot be looked at ends it.
    pub(super) fn of(folder: &Path) -> Result<Self, PlanError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| open_error(folder, error))? {
            let name = entry.map_err(|error| open_error(folder, error))?.file_name();
            let Some(name) = name.to_str().filter(|name| is_run_name(name)) else { continue };
            let path = folder.join(name);
            if fs::metadata(&path).map_err(|error| open_error(&path, error))?.is_dir() {
                names.push(name.to_owned());
            }
        }
        // Their names sort by time.
        names.sort_unstable();
        Ok(Self { folder: folder.to_owned(), names })
    }

    /// One of them, if there is any.
    pub(super) fn any(&self) -> Option<&str> {
        self.names.last().map(String::as_str)
    }

    /// The folder of the run that was asked for.
    pub(super) fn named(&self, wanted: &str) -> Result<PathBuf, PlanError> {
        let missing = || PlanError::NoSuchRun { path: self.folder.clone(), run: wanted.to_owned() };
        self.names.iter().find(|run| *run == wanted).map(|run| self.folder.join(run)).ok_or_else(missing)
    }

    /// The folder of the newest run that is complete, and newer ones that are not.
    pub(super) fn newest_complete(mut self) -> Result<(PathBuf, Vec<String>), PlanError> {
        if self.names.is_empty() {
            return Err(PlanError::NoManifest(self.folder));
        }
        let mut skipped = Vec::new();
        while let Some(run) = self.names.pop() {
            let path = self.folder.join(&run);
            let checksum = path.join("manifest.checksum");
            if look_at(&checksum).map_err(|error| open_error(&checksum, error))?.is_some() {
                return Ok((path, skipped));
            }
            skipped.push(run);
        }
        Err(PlanError::NoCompleteRun(self.folder))
    }
}

fn open_error(path: &Path, error: io::Error) -> PlanError {
    PlanError::Open { path: path.to_owned(), error }
}
