//! The manifests that an audit wrote, and their rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::ReconcileError;
use super::objects::{ListId, Version};
use crate::escape::percent::decode_percent;
use crate::readers::rows::Lines;
use crate::remediation::Lane;
use crate::sinks::GroupFile;
use crate::source::{Checksum, FileFault, Md5, SourceFile};
use crate::work::Cancel;

/// A manifest of an audit.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) lane: Lane,
    pub(super) list: ListId,
    /// The bucket's name, escaped.
    pub(super) bucket: String,
    /// Where it is in the folder of all remediation.
    pub(super) path: String,
    /// The same without its number: manifests that have it in common were one list.
    pub(super) stem: String,
    number: u64,
    pub(super) file: PathBuf,
    /// So many rows the audit wrote.
    pub(super) rows: u64,
    len: u64,
    md5: String,
    /// The files with the requests of its jobs.
    jobs: Vec<PathBuf>,
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
    /// The manifest of a plan; `jobs` are the names of its job files.
    pub(super) fn new(list: ListId, file: GroupFile, jobs: Vec<String>, remediation: &Path) -> Self {
        let GroupFile { group, path, objects, len, md5 } = file;
        // Neither the plan nor whoever changed it leads out of the folder.
        let name = path.rsplit('/').next().unwrap_or_default();
        let path = format!("{}/{name}", group.folder());
        let whole = path.strip_suffix(".csv").unwrap_or(&path);
        let numbered = whole.rsplit_once('-').and_then(|(stem, number)| Some((stem, number.parse().ok()?)));
        let (stem, number) = numbered.unwrap_or((whole, 0));
        let stem = stem.to_owned();
        let folder = remediation.join(group.folder());
        Self {
            lane: group.kind.lane,
            list,
            bucket: group.bucket,
            stem,
            number,
            file: remediation.join(&path),
            path,
            rows: objects,
            len,
            md5,
            jobs: jobs.iter().map(|name| folder.join(name)).collect(),
        }
    }

    /// In this order manifests are gone through: those of one list come one after the other.
    pub(super) fn place(&self) -> (Lane, &str, u64) {
        (self.lane, &self.stem, self.number)
    }

    /// Refuses a manifest that is not what the plan and the job files say.
    pub(super) fn check(&self, cancel: &Cancel) -> Result<(), ReconcileError> {
        let fail = |fault| ReconcileError::Manifest { path: self.file.clone(), fault };
        let changed = |path: &Path| ReconcileError::Changed(path.to_owned());
        let file = SourceFile::open(&self.file, None).map_err(fail)?;
        let expected = Md5::parse(&self.md5).ok_or_else(|| changed(&self.file))?;
        if file.len() != self.len {
            return Err(changed(&self.file));
        }
        match (Checksum { file: &file, expected }).check(&|| cancel.is_cancelled()) {
            Err(FileFault::Checksum { .. }) => return Err(changed(&self.file)),
            checked => checked.map_err(fail)?,
        }
        self.jobs.iter().try_for_each(|job| match read_etag(job) {
            // Whoever has moved job files away has not changed what they were about.
            Ok(None) => Ok(()),
            Ok(Some(etag)) if etag.trim_matches('"').eq_ignore_ascii_case(&self.md5) => Ok(()),
            _ => Err(changed(job)),
        })
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

/// The ETag that a job file names; nothing if there is no such file.
fn read_etag(job: &Path) -> Result<Option<String>, String> {
    /// A request is far shorter.
    const MAX_LEN: u64 = 1 << 20;
    let file = match SourceFile::open(job, None) {
        Err(FileFault::Missing) => return Ok(None),
        file => file.map_err(|fault| fault.to_string())?,
    };
    let request: Value = super::read_json(Arc::new(file), MAX_LEN)?;
    let etag = request.pointer("/Manifest/Location/ETag").and_then(Value::as_str);
    etag.map(|etag| Some(etag.to_owned())).ok_or_else(|| "it names no ETag".to_owned())
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
}
