//! The page as a file, which is there as a whole or not at all.

use std::io;
use std::path::{Path, PathBuf};

use crate::escape::escape;
use crate::store;

/// Why the page is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WritePageError {
    /// There is a file of that name.
    #[error("{} is there already", escape(.0.as_os_str().as_encoded_bytes()))]
    Exists(PathBuf),
    /// There is something else of that name: a folder, a link, a device.
    #[error("{} is no file", escape(.0.as_os_str().as_encoded_bytes()))]
    NoFile(PathBuf),
    /// The operating system refused.
    #[error("cannot write {}: {error}", escape(path.as_os_str().as_encoded_bytes()))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

impl WritePageError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists(_) => Some("--force replaces it"),
            Self::NoFile(_) | Self::Write { .. } => None,
        }
    }
}

/// Writes a page; `overwrite` replaces a file of that name.
pub fn write_page(path: &Path, overwrite: bool, page: &str) -> Result<(), WritePageError> {
    match path.symlink_metadata() {
        Ok(facts) if !facts.is_file() => return Err(WritePageError::NoFile(path.to_owned())),
        Ok(_) if !overwrite => return Err(WritePageError::Exists(path.to_owned())),
        _ => {}
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let staged = store::staging_folder(folder)?;
        let file = staged.path().join("page");
        store::write(&file, page.as_bytes())?;
        store::sync(&store::reopen(&file)?)?;
        store::rename(&file, path)
    };
    write().map_err(|error| WritePageError::Write { path: path.to_owned(), error })
}
