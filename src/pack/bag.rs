//! The archive: a bag in one folder, its files in the order of their names, with one time and one level of compression.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::contents::{Content, Payload};
use super::read::Opened;
use super::texts;
use super::{PackError, PackOptions, Packed, ROOT};
use crate::escape::hex::hex;
use crate::finished::Finished;
use crate::hashes::sha256::Sha256;
use crate::store;
use crate::work::Cancel;

/// Files from so many bytes on get the larger form of sizes.
const LARGE_FILE_LEN: u64 = 4_000_000_000;
/// As much as is copied at a time.
const BUFFER_LEN: usize = 256 << 10;
const LEVEL: i64 = 6;

/// Writes the archive. `out` is what errors name.
pub(super) fn write(
    archive: &Path,
    finished: &Finished,
    payload: Payload,
    options: &PackOptions<'_>,
    out: &Path,
) -> Result<Packed, PackError> {
    let failed = |error: io::Error| PackError::Write { path: out.to_owned(), error };
    let mut bag = Bag::new(store::create(archive).map_err(failed)?, &options.cancel);
    let mut statement = Vec::new();
    for (name, content) in payload {
        if let (Content::Bytes(bytes), "attestation.json") = (&content, name.as_str()) {
            statement.clone_from(bytes);
        }
        bag.add(&format!("data/{name}"), content, out)?;
    }
    let (files, bytes) = (bag.hashes.len() as u64, bag.bytes);
    let payload = lines(&bag.hashes);
    bag.hashes.clear();
    let tags = [
        ("bag-info.txt", texts::bag_info(finished, bytes, files)),
        ("bagit.txt", texts::BAGIT.to_owned()),
        ("manifest-sha256.txt", payload),
    ];
    for (name, text) in tags {
        bag.add(name, Content::Bytes(text.into_bytes()), out)?;
    }
    let tags = lines(&bag.hashes);
    bag.add("tagmanifest-sha256.txt", Content::Bytes(tags.into_bytes()), out)?;
    if let Some(signer) = &options.signer {
        bag.add("attestation.dsse.json", Content::Bytes(signer.envelope(&statement)?), out)?;
    }
    let file = bag.zip.finish().map_err(|error| failed(error.into()))?;
    store::sync(&file).map_err(failed)?;
    Ok(Packed { files, bytes, archive_len: file.metadata().map_err(failed)?.len() })
}

/// Whether an archive is, byte for byte, what is written for the files that were found in it.
pub(super) fn is_as_written(archive: &Path, opened: &Opened) -> Result<bool, PackError> {
    let failed = |error: io::Error| PackError::Read { path: archive.to_owned(), source: error };
    let folder = store::temp_folder(None).map_err(failed)?;
    let again = folder.path().join("again.zip");
    let mut bag = Bag::new(store::create(&again).map_err(failed)?, &opened.cancel);
    let is_payload = |name: &&String| name.starts_with("data/");
    let tags = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "attestation.dsse.json"];
    let tags = tags.into_iter().filter(|name| opened.names.contains(*name)).map(str::to_owned);
    for name in opened.names.iter().filter(is_payload).cloned().chain(tags) {
        let path = opened.root.join(&name);
        let content = if name.ends_with(".gz") || name.ends_with(".parquet") {
            Content::Stored(path)
        } else {
            Content::File(path)
        };
        bag.add(&name, content, &again)?;
    }
    bag.zip.finish().map_err(|error| failed(error.into()))?;
    is_same(archive, &again).map_err(failed)
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (store::read_back(one)?, store::read_back(other)?);
    let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
    one.read_to_end(&mut of_one)?;
    other.read_to_end(&mut of_other)?;
    Ok(of_one == of_other)
}

fn lines(hashes: &BTreeMap<String, String>) -> String {
    hashes.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect()
}

struct Bag<'c, W: Write + Seek> {
    zip: ZipWriter<W>,
    cancel: &'c Cancel,
    /// By name, of what has been added since they were last written.
    hashes: BTreeMap<String, String>,
    /// The lengths of all files.
    bytes: u64,
}

impl<'c> Bag<'c, File> {
    fn new(file: File, cancel: &'c Cancel) -> Self {
        Self { zip: ZipWriter::new(file), cancel, hashes: BTreeMap::new(), bytes: 0 }
    }

    fn add(&mut self, name: &str, content: Content, out: &Path) -> Result<(), PackError> {
        let failed = |error: io::Error| PackError::Write { path: out.to_owned(), error };
        let (method, len) = match &content {
            Content::Bytes(bytes) => (CompressionMethod::Deflated, bytes.len() as u64),
            Content::File(path) => (CompressionMethod::Deflated, len(path)?),
            Content::Gzipped(path) | Content::Stored(path) => (CompressionMethod::Stored, len(path)?),
        };
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .compression_level((method == CompressionMethod::Deflated).then_some(LEVEL))
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(len >= LARGE_FILE_LEN);
        self.zip.start_file(format!("{ROOT}/{name}"), options).map_err(|error| failed(error.into()))?;
        let mut entry = Hashed { to: &mut self.zip, hash: Sha256::new(), bytes: 0 };
        match content {
            Content::Bytes(bytes) => entry.write_all(&bytes).map_err(failed)?,
            Content::File(path) | Content::Stored(path) => copy(&path, &mut entry, (out, self.cancel))?,
            Content::Gzipped(path) => {
                // Neither a name nor a time: the same text makes the same bytes.
                let mut gzip = GzBuilder::new().write(&mut entry, Compression::new(LEVEL as u32));
                copy(&path, &mut gzip, (out, self.cancel))?;
                gzip.finish().map_err(failed)?;
            }
        }
        let Hashed { hash, bytes, .. } = entry;
        self.bytes += bytes;
        self.hashes.insert(name.to_owned(), hex(&hash.finish()));
        Ok(())
    }
}

fn len(path: &Path) -> Result<u64, PackError> {
    let read = |source| PackError::Read { path: path.to_owned(), source };
    Ok(path.metadata().map_err(read)?.len())
}

fn copy(path: &Path, to: &mut impl Write, (out, cancel): (&Path, &Cancel)) -> Result<(), PackError> {
    let unreadable = |source| PackError::Read { path: path.to_owned(), source };
    let mut file = cancel.reader(store::read_back(path).map_err(unreadable)?);
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                to.write_all(&buffer[..read]).map_err(|error| PackError::Write { path: out.to_owned(), error })?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
}

/// Hashes what is written.
struct Hashed<'w, W> {
    to: &'w mut W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
