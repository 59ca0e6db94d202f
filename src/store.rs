//! The only place where files are made, renamed, brought to the disk and removed: results while they are staged, what
//! waits in spools, and what does not fit into memory. What others gave us is opened in `source`.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// Makes a file, or empties one of the same name.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    File::create(path)
}

/// Makes a file; there must be none of the same name.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    File::create_new(path)
}

/// Makes a file of this text.
pub(crate) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    fs::write(path, text)
}

/// Opens a file of ours to write to it wherever it should go on.
pub(crate) fn reopen(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

/// Opens a file to append to it, or makes it.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(path)
}

/// Opens a file of ours to read it back.
pub(crate) fn read_back(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Brings everything about a file to the disk.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// Brings what a file holds to the disk.
pub(crate) fn sync_content(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Makes a folder; the one around it must be there.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

/// Makes a folder and those around it, where they are missing.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// A folder in `within` for what will get its name there; it disappears with everything in it.
pub(crate) fn staging_folder(within: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(".logseal-").tempdir_in(within)
}

/// A folder for what does not fit into memory, in `within` or where the system keeps such things; it disappears with
/// everything in it.
pub(crate) fn temp_folder(within: Option<&Path>) -> io::Result<TempDir> {
    within.map_or_else(tempfile::tempdir, tempfile::tempdir_in)
}

/// Gives a file or folder another name. A file of that name is replaced.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a file.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Removes a folder that is empty.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    fs::remove_dir(path)
}
