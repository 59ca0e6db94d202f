//! Evidence packs: a finished audit, its report and what it was made from as one file that others can check with tools of their
//! own, and the check that we make ourselves.
//!
//! A pack is a BagIt bag (RFC 8493) in one zip archive: every file of it is in a manifest of SHA-256 hashes, and every manifest in
//! another. The same result makes the same bytes. Signing is left to tools that guard keys.

mod again;
mod bag;
mod contents;
mod groups;
mod read;
mod signature;
mod statement;
mod table;
mod texts;
mod verify;

use std::io;
use std::path::{Path, PathBuf};

use crate::escape::escape;
use crate::finished::Finished;
use crate::store;
use crate::work::{Cancel, Stopped};

pub use again::Again;
pub use contents::FindingsForm;
pub use read::PackFault;
pub use signature::AllowedSigner;
pub use statement::{AttestError, Signer};
pub use verify::{Signed, Verified, VerifyOptions, verify_pack};

/// The folder in the archive that everything lies in.
const ROOT: &str = "evidence";

/// How a pack is made.
#[derive(Debug)]
pub struct PackOptions<'p> {
    /// The archive.
    pub out: PathBuf,
    /// Whether to replace a file of that name.
    pub overwrite: bool,
    /// How findings are packed.
    pub findings: FindingsForm,
    /// The report as a page, which the caller has made of the same result.
    pub page: &'p str,
    /// Results that were joined: the name of the folder in the pack, and where it is.
    pub joined: Vec<(&'static str, PathBuf)>,
    /// What signs the statement for pipelines.
    pub signer: Option<Signer>,
    /// Ends it early; nothing is left behind then.
    pub cancel: Cancel,
}

/// A pack that was made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Packed {
    /// Files of the payload.
    pub files: u64,
    /// Their lengths, in bytes.
    pub bytes: u64,
    /// The length of the archive, in bytes.
    pub archive_len: u64,
}

/// Why there is no pack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// There is a file of that name.
    #[error("{} is there already", shown(.0))]
    Exists(PathBuf),
    /// There is something else of that name: a folder, a link, a device.
    #[error("{} is no file", shown(.0))]
    NoFile(PathBuf),
    /// A file of the result cannot be read.
    #[error("cannot read {}", shown(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The findings are not those that the summary counts.
    #[error("{} was changed after it was made: {why}", shown(path))]
    Findings {
        /// The file.
        path: PathBuf,
        /// The difference.
        why: String,
    },
    /// The archive cannot be written.
    #[error("cannot write {}: {error}", shown(path))]
    Write {
        /// The archive.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// What was written is not what was meant: files changed meanwhile.
    #[error("the result changed while it was packed: {0}")]
    Changed(String),
    /// Somebody ended it early.
    #[error(transparent)]
    Stopped(Stopped),
    /// The statement cannot be signed.
    #[error(transparent)]
    Attest(#[from] AttestError),
}

impl PackError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists(_) => Some("--force replaces it"),
            Self::Findings { .. } => Some("take the folder as `audit` wrote it, or audit again"),
            Self::Changed(_) => Some("pack it again when nothing writes to it"),
            _ => None,
        }
    }
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes()).into_owned()
}

/// Makes a pack of a finished audit in `folder`. It is there as a whole, and checked, or not at all.
pub fn pack(folder: &Path, finished: &Finished, options: &PackOptions<'_>) -> Result<Packed, PackError> {
    make(folder, finished, options).map_err(|error| match options.cancel.is_cancelled() {
        // Whatever was not as it should be then was not finished.
        true => PackError::Stopped(Stopped::Cancelled),
        false => error,
    })
}

fn make(folder: &Path, finished: &Finished, options: &PackOptions<'_>) -> Result<Packed, PackError> {
    let out = &options.out;
    match out.symlink_metadata() {
        Ok(facts) if !facts.is_file() => return Err(PackError::NoFile(out.clone())),
        Ok(_) if !options.overwrite => return Err(PackError::Exists(out.clone())),
        _ => {}
    }
    let failed = |error| PackError::Write { path: out.clone(), error };
    let around = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let staged = store::staging_folder(around).map_err(failed)?;
    let payload = contents::payload(folder, finished, options, staged.path())?;
    let archive = staged.path().join("pack.zip");
    let packed = bag::write(&archive, finished, payload, options, out)?;
    let cancel = options.cancel.clone();
    let as_packed = VerifyOptions { page: &|_| options.page.to_owned(), cancel, ..VerifyOptions::new() };
    let verified = verify_pack(&archive, &as_packed);
    verified.map_err(|fault| PackError::Changed(fault.to_string()))?;
    store::rename(&archive, out).map_err(failed)?;
    Ok(packed)
}
