//! The manifests that an audit wrote, in order, and their rows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::ReconcileError;
use super::objects::{ObjectHash, ObjectHasher, Objects, Version};
use super::rows::Lines;
use crate::remediation::Lane;
use crate::sinks::REMEDIATION;
use crate::source::FileFault;

/// A manifest of an audit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Manifest {
    pub(super) lane: Lane,
    /// The folder that stands for its bucket.
    pub(super) folder: String,
    /// How its name begins; manifests that have it in common were one list.
    pub(super) stem: String,
    number: u64,
    /// Its whole name.
    pub(super) name: String,
    pub(super) file: PathBuf,
}

/// A row of a manifest, decoded.
pub(super) struct ManifestRow<'r> {
    pub(super) bucket: &'r [u8],
    pub(super) key: &'r [u8],
    pub(super) version: Version<'r>,
}

/// Where the cells of a row are decoded to, again and again.
#[derive(Default)]
pub(super) struct Decoded {
    bytes: Vec<u8>,
}

impl Manifest {
    fn new(lane: Lane, folder: &str, name: &str, file: PathBuf) -> Option<Self> {
        let whole = name.strip_suffix(".csv")?;
        let numbered = whole.rsplit_once('-').and_then(|(stem, number)| Some((stem, number.parse().ok()?)));
        let (stem, number) = numbered.unwrap_or((whole, 0));
        Some(Self { lane, folder: folder.to_owned(), stem: stem.to_owned(), number, name: name.to_owned(), file })
    }

    /// Where it is in the folder of all remediation.
    pub(super) fn path(&self) -> String {
        format!("{}/{}/{}", self.lane.as_str(), self.folder, self.name)
    }

    /// Hands over every row, with the line that it stands in.
    pub(super) fn read(
        &self,
        mut each: impl FnMut(&ManifestRow<'_>, &[u8]) -> Result<(), ReconcileError>,
    ) -> Result<(), ReconcileError> {
        let fail = |fault: FileFault| ReconcileError::Manifest { path: self.file.clone(), fault };
        let mut lines = Lines::open(&self.file).map_err(fail)?;
        let (mut decoded, mut number) = (Decoded::default(), 0);
        while let Some(line) = lines.next_line().map_err(fail)? {
            number += 1;
            let row = decoded.row(line);
            let row = row.ok_or_else(|| ReconcileError::ManifestRow { path: self.file.clone(), line: number })?;
            each(&row, line)?;
        }
        Ok(())
    }
}

impl Decoded {
    /// Decodes `bucket,key[,version]`, as manifests have it.
    fn row(&mut self, line: &[u8]) -> Option<ManifestRow<'_>> {
        self.bytes.clear();
        let mut ends = [0; 3];
        let mut cells = line.split(|&byte| byte == b',');
        let mut count = 0;
        for end in &mut ends {
            let Some(cell) = cells.next() else { break };
            if !decode_percent(cell, &mut self.bytes) {
                return None;
            }
            *end = self.bytes.len();
            count += 1;
        }
        if count < 2 || cells.next().is_some() {
            return None;
        }
        let (bucket, key) = (&self.bytes[..ends[0]], &self.bytes[ends[0]..ends[1]]);
        let version = if count == 2 { Version::Unnamed } else { Version::of(&self.bytes[ends[1]..]) };
        (!bucket.is_empty() && !key.is_empty()).then_some(ManifestRow { bucket, key, version })
    }
}

/// Appends what `encoded` stands for: `%XX` is a byte, every other byte is itself. Says no where a `%` begins nothing.
pub(super) fn decode_percent(mut encoded: &[u8], decoded: &mut Vec<u8>) -> bool {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    while let Some(at) = memchr::memchr(b'%', encoded) {
        decoded.extend_from_slice(&encoded[..at]);
        let [high, low, rest @ ..] = &encoded[at + 1..] else { return false };
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
        decoded.push((high * 16 + low) as u8);
        encoded = rest;
    }
    decoded.extend_from_slice(encoded);
    true
}

/// All manifests of an audit, in order.
pub(super) fn find(audit: &Path) -> Result<Vec<Manifest>, ReconcileError> {
    let mut found = Vec::new();
    for lane in Lane::ALL.into_iter().filter(|lane| lane.has_manifests()) {
        let lane_folder = audit.join(REMEDIATION).join(lane.as_str());
        for (bucket, is_folder) in names(&lane_folder)? {
            let bucket_folder = lane_folder.join(&bucket);
            let files = if is_folder { names(&bucket_folder)? } else { Vec::new() };
            let files = files.into_iter().filter(|(_, is_folder)| !is_folder);
            found.extend(files.filter_map(|(name, _)| Manifest::new(lane, &bucket, &name, bucket_folder.join(&name))));
        }
    }
    found.sort();
    Ok(found)
}

/// The names in a folder, and which of them are folders. Links are left out, and so are names that no audit gives.
fn names(folder: &Path) -> Result<Vec<(String, bool)>, ReconcileError> {
    let fail = |error| ReconcileError::Read { path: folder.to_owned(), error };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fail)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let kind = entry.file_type().map_err(fail)?;
        let name = entry.file_name().into_string().ok().filter(|_| kind.is_dir() || kind.is_file());
        names.extend(name.map(|name| (name, kind.is_dir())));
    }
    Ok(names)
}

/// All objects that the manifests name.
pub(super) fn objects(manifests: &[Manifest], rows: u64, hasher: &ObjectHasher) -> Result<Objects, ReconcileError> {
    let too_many = || ReconcileError::TooManyRows(rows);
    let mut hashes: Vec<ObjectHash> = Objects::room_for(rows).ok_or_else(too_many)?;
    for manifest in manifests {
        manifest.read(|row, _| {
            hashes.push(hasher.hash(row.bucket, row.key, row.version));
            // What was counted before has been made room for; more means that a manifest grows while it is read.
            if hashes.len() as u64 > rows { Err(ReconcileError::Changed(manifest.file.clone())) } else { Ok(()) }
        })?;
    }
    if hashes.len() as u64 != rows {
        return Err(ReconcileError::Changed(manifests.first().map(|first| first.file.clone()).unwrap_or_default()));
    }
    Objects::new(hashes).ok_or_else(too_many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_what_audits_write_and_nothing_else() {
        let mut decoded = Decoded::default();
        let mut row = |line: &[u8]| {
            decoded.row(line).map(|row| (row.bucket.to_vec(), row.key.to_vec(), format!("{:?}", row.version)))
        };
        assert_eq!(row(b"b,k"), Some((b"b".to_vec(), b"k".to_vec(), "Unnamed".into())));
        assert_eq!(row(b"b,a%2Cb%0A+,null"), Some((b"b".to_vec(), b"a,b\n+".to_vec(), "Null".into())));
        assert_eq!(row(b"b,k,v%2B"), Some((b"b".to_vec(), b"k".to_vec(), "Id([118, 43])".into())));
        for bad in [&b""[..], b"b", b"b,", b",k", b"b,k,v,x", b"b,%zz", b"b,%2"] {
            assert_eq!(row(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn manifests_are_in_the_order_of_their_numbers() {
        let names = ["sse-kms-10000.csv", "sse-kms-0002.csv", "1-noncurrent-GLACIER-9999.csv", "odd.csv"];
        let mut manifests: Vec<_> =
            names.iter().filter_map(|name| Manifest::new(Lane::Copy, "b", name, PathBuf::new())).collect();
        manifests.sort();
        let sorted: Vec<_> = manifests.iter().map(|manifest| (&*manifest.stem, manifest.number)).collect();
        assert_eq!(sorted, [("1-noncurrent-GLACIER", 9999), ("odd", 0), ("sse-kms", 2), ("sse-kms", 10000)]);
        assert_eq!(Manifest::new(Lane::Copy, "b", "job.json", PathBuf::new()), None);
    }
}
