//! `manifest.json` and `manifest.checksum`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::Checksums;
use super::DataFile;
use super::Format;
use super::PlanOptions;
use super::SourceFault;
use super::made::{CreationTimestamp, MadeFault, made};
use crate::batch::Schema;
use crate::source::{self, FileFault, HashingReader, Md5, look_at};
use crate::timestamp::Timestamp;

/// A manifest of a million files has a quarter of this.
const MAX_LEN: u64 = 1 << 30;

/// How manifests are called.
pub(crate) const MANIFEST: &str = "manifest.json";
/// How the file with the checksum of a manifest is called.
pub(crate) const MANIFEST_CHECKSUM: &str = "manifest.checksum";
/// A checksum and white space have fewer bytes.
pub(crate) const MAX_CHECKSUM_LEN: u64 = 1024;

/// What a manifest says, checked.
pub struct Manifest {
    pub(super) bucket: String,
    /// The bucket that it was delivered to.
    pub(super) destination: Option<String>,
    pub(super) format: Format,
    pub(super) made: Result<Timestamp, MadeFault>,
    /// The columns of CSV files; other formats name their own.
    pub(super) schema: Option<Arc<Schema>>,
    pub(super) dirs: Vec<String>,
    pub(super) files: Vec<DataFile>,
    /// What is wrong although the files can be examined.
    pub(super) fault: Option<SourceFault>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestEntry {
    source_bucket: String,
    destination_bucket: Option<String>,
    creation_timestamp: Option<CreationTimestamp>,
    file_format: String,
    #[serde(default)]
    file_schema: String,
    files: FileList,
}

#[derive(Deserialize)]
struct FileEntry {
    key: String,
    size: Option<u64>,
    #[serde(rename = "MD5checksum")]
    md5: Option<String>,
}

/// The data files, without the repeated part of their keys: there may be millions.
#[derive(Default)]
struct FileList {
    dirs: Vec<String>,
    files: Vec<DataFile>,
}

impl Manifest {
    /// Reads and checks the manifest, and the checksum beside it. Its own is known whatever it says.
    pub(super) fn read(path: &Path, options: &PlanOptions) -> (Option<Md5>, Result<Self, SourceFault>) {
        match read_entry(path) {
            Ok((entry, md5)) => (Some(md5), Self::check(path, entry, md5, options)),
            Err(fault) => (None, Err(fault)),
        }
    }

    fn check(
        path: &Path,
        entry: Result<ManifestEntry, SourceFault>,
        md5: Md5,
        options: &PlanOptions,
    ) -> Result<Self, SourceFault> {
        let fault = match options.checksums {
            Checksums::Verified => check(path, md5)?,
            Checksums::Skipped => None,
        };
        let entry = entry?;
        if entry.files.files.is_empty() {
            return Err(SourceFault::Empty);
        }
        if let Some(twice) = file_twice(&entry.files) {
            return Err(SourceFault::FileTwice(twice));
        }
        let format = match entry.file_format.to_ascii_lowercase().as_str() {
            "csv" => Format::Csv,
            "parquet" => Format::Parquet,
            "orc" => Format::Orc,
            _ => return Err(malformed(format!("unknown fileFormat {}", entry.file_format))),
        };
        let schema = match format {
            Format::Csv => Some(Arc::new(Schema::from_names(entry.file_schema.split(',').map(str::trim))?)),
            Format::Parquet | Format::Orc => None,
        };
        let now = Timestamp::now();
        let today = options.today.map_or(now, |today| today.max(now));
        Ok(Self {
            bucket: entry.source_bucket,
            destination: entry.destination_bucket,
            format,
            made: made(entry.creation_timestamp, today),
            schema,
            dirs: entry.files.dirs,
            files: entry.files.files,
            fault,
        })
    }
}

fn malformed(why: impl ToString) -> SourceFault {
    SourceFault::Malformed(why.to_string())
}

/// What the manifest says, and its MD5. The checksum is known even if the text makes no sense.
fn read_entry(path: &Path) -> Result<(Result<ManifestEntry, SourceFault>, Md5), SourceFault> {
    let unreadable = |fault: FileFault| SourceFault::Unreadable(fault.to_string());
    let mut reader = HashingReader::open(path).map_err(unreadable)?;
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > MAX_LEN) {
        return Err(SourceFault::Unreadable(format!("it has more than {MAX_LEN} bytes")));
    }
    // The parser asks for single bytes, which only std's own buffer hands out cheaply.
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(&mut reader));
    let entry = ManifestEntry::deserialize(&mut json).and_then(|entry| json.end().map(|()| entry)).map_err(malformed);
    Ok((entry, reader.into_md5().map_err(unreadable)?))
}

fn check(manifest: &Path, md5: Md5) -> Result<Option<SourceFault>, SourceFault> {
    let path = manifest.with_file_name(MANIFEST_CHECKSUM);
    let unreadable = |error: std::io::Error| SourceFault::ChecksumUnreadable(error.to_string());
    let Some(metadata) = look_at(&path).map_err(unreadable)? else { return Ok(Some(SourceFault::NoChecksum)) };
    if !metadata.is_file() {
        return Err(SourceFault::ChecksumUnreadable(FileFault::NotAFile.to_string()));
    }
    let text = if metadata.len() > MAX_CHECKSUM_LEN { Vec::new() } else { source::read(&path).map_err(unreadable)? };
    let expected = std::str::from_utf8(&text).ok().and_then(|text| Md5::parse(text.trim()));
    if expected == Some(md5) { Ok(None) } else { Err(SourceFault::Checksum) }
}

fn file_twice(list: &FileList) -> Option<String> {
    let mut seen = HashSet::with_capacity(list.files.len());
    let twice = list.files.iter().find(|file| !seen.insert((file.dir, &file.name)))?;
    Some(twice.name.to_string())
}

impl<'de> Deserialize<'de> for FileList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FileListVisitor)
    }
}

struct FileListVisitor;

impl<'de> Visitor<'de> for FileListVisitor {
    type Value = FileList;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<FileList, A::Error> {
        let mut list = FileList::default();
        let mut numbers = HashMap::new();
        while let Some(entry) = entries.next_element::<FileEntry>()? {
            list.push(entry, &mut numbers);
        }
        Ok(list)
    }
}

impl FileList {
    fn push(&mut self, entry: FileEntry, numbers: &mut HashMap<String, u32>) {
        // S3 has been seen to write a slash too many, which no folder of a copy has.
        let segments: Vec<&str> = entry.key.split('/').filter(|segment| !segment.is_empty()).collect();
        let is_safe = !segments.is_empty() && segments.iter().all(|segment| is_plain_segment(segment));
        let (dir, name) = match segments.split_last() {
            Some((name, dirs)) if is_safe => (Some(self.dir_number(&dirs.join("/"), numbers)), (*name).into()),
            _ => (None, entry.key.as_str().into()),
        };
        let md5 = entry.md5.as_deref().and_then(Md5::parse);
        self.files.push(DataFile { dir, folder: None, name, size: entry.size, md5 });
    }

    fn dir_number(&mut self, dir: &str, numbers: &mut HashMap<String, u32>) -> u32 {
        if let Some(&number) = numbers.get(dir) {
            return number;
        }
        let number = self.dirs.len() as u32;
        numbers.insert(dir.to_owned(), number);
        self.dirs.push(dir.to_owned());
        number
    }
}

/// Whether a part of a key can be a part of a path and leads nowhere else.
fn is_plain_segment(segment: &str) -> bool {
    let has_drive = cfg!(windows) && segment.contains(':');
    !(matches!(segment, "." | "..") || segment.contains(['\\', '\0']) || has_drive)
}
