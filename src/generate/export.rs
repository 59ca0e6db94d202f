//! One inventory delivery on disk: the folders, the data files and their manifest.
//!
//! `manifest.checksum` is written last, as S3 does.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::GenerateError;
use super::Options;
use super::csv::{self, CsvFile};
use super::file::DataFile;
use super::parquet::{self, ParquetFile};
use super::place::{BUCKET, SCAN_START};
use super::random::Stream;
use crate::source::{FileFault, Md5, SourceFile, hash_all};
use crate::store;

const CONFIGURATION: &str = "weekly-all-versions";
const RUN: &str = "2026-01-04T01-00Z";
const DESTINATION: &str = "arn:aws:s3:::example-inventory-reports";

/// How a format of data files differs from the others.
pub(super) struct Encoding {
    pub(super) folder: &'static str,
    extension: &'static str,
    name: &'static str,
    schema: &'static str,
    begin: fn(File, &Options) -> io::Result<Box<dyn DataFile>>,
    /// Makes the names of files differ between formats.
    salt: u64,
}

pub(super) const CSV: Encoding = Encoding {
    folder: "csv",
    extension: "csv.gz",
    name: "CSV",
    schema: csv::SCHEMA,
    begin: |file, options| Ok(Box::new(CsvFile::new(file, options.gzip_level))),
    salt: 0,
};

pub(super) const PARQUET: Encoding = Encoding {
    folder: "parquet",
    extension: "parquet",
    name: "Parquet",
    schema: parquet::SCHEMA,
    begin: |file, _| Ok(Box::new(ParquetFile::new(file)?)),
    salt: 1,
};

/// A delivery in the making.
pub(super) struct Export<'o> {
    pub(super) encoding: &'static Encoding,
    configuration: PathBuf,
    options: &'o Options,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    source_bucket: &'a str,
    destination_bucket: &'a str,
    version: &'a str,
    creation_timestamp: String,
    file_format: &'a str,
    file_schema: &'a str,
    files: Vec<&'a ManifestFile>,
}

/// What a manifest says of a data file.
#[derive(Serialize)]
pub(super) struct ManifestFile {
    key: String,
    size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

impl<'o> Export<'o> {
    /// Makes the folders of a delivery below `root`.
    pub(super) fn begin(root: &Path, encoding: &'static Encoding, options: &'o Options) -> Result<Self, GenerateError> {
        let configuration = root.join(encoding.folder).join(BUCKET).join(CONFIGURATION);
        let export = Self { encoding, configuration, options };
        for folder in ["data", RUN].map(|name| export.configuration.join(name)) {
            store::create_folders(&folder).map_err(GenerateError::at(&folder))?;
        }
        Ok(export)
    }

    /// The name of a unit's data file in the flat data folder.
    pub(super) fn file_name(&self, unit: u32) -> String {
        let mut name =
            Stream::keyed(self.options.seed ^ self.encoding.salt, !u64::from(unit)).hex::<30>().as_str().to_owned();
        // A UUID of version 4 and variant 1; the rest is random.
        name.insert(12, '4');
        name.insert(16, 'a');
        [8, 13, 18, 23].into_iter().for_each(|at| name.insert(at, '-'));
        format!("{name}.{}", self.encoding.extension)
    }

    pub(super) fn data_path(&self, unit: u32) -> PathBuf {
        self.configuration.join("data").join(self.file_name(unit))
    }

    pub(super) fn create(&self, unit: u32) -> io::Result<Box<dyn DataFile>> {
        (self.encoding.begin)(store::create_new(&self.data_path(unit))?, self.options)
    }

    /// What the manifest says of finished files, as they have come to the disk.
    pub(super) fn describe(&self, units: &[u32]) -> Result<Vec<ManifestFile>, GenerateError> {
        let at = |unit: u32| move |fault: FileFault| GenerateError::at(&self.data_path(unit))(io::Error::other(fault));
        let open = |&unit: &u32| SourceFile::open(&self.data_path(unit), None).map_err(at(unit));
        let files = units.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let mut described = Vec::new();
        hash_all(&files.iter().collect::<Vec<_>>(), &|| false, &mut |file, md5| {
            described
                .push((file, md5.map(|md5| self.entry(units[file], files[file].len(), md5)).map_err(at(units[file]))));
        });
        described.sort_by_key(|(file, _)| *file);
        described.into_iter().map(|(_, entry)| entry).collect()
    }

    fn entry(&self, unit: u32, size: u64, md5: Md5) -> ManifestFile {
        let key = format!("inventory/{BUCKET}/{CONFIGURATION}/data/{}", self.file_name(unit));
        ManifestFile { key, size, md5: md5.to_string() }
    }

    /// Writes the manifest of these files, and then its checksum.
    pub(super) fn finish<'a>(&self, files: impl Iterator<Item = &'a ManifestFile>) -> Result<(), GenerateError> {
        let folder = self.configuration.join(RUN);
        let manifest = Manifest {
            source_bucket: BUCKET,
            destination_bucket: DESTINATION,
            version: "2016-11-30",
            creation_timestamp: format!("{SCAN_START}000"),
            file_format: self.encoding.name,
            file_schema: self.encoding.schema,
            files: files.collect(),
        };
        let manifest = write_json(&folder.join("manifest.json"), &manifest)?;
        let path = folder.join("manifest.checksum");
        store::write(&path, format!("{}\n", Md5::of(&manifest)).as_bytes()).map_err(GenerateError::at(&path))
    }

    /// Where the manifest is once all has been moved to `out`.
    pub(super) fn run_folder(&self, out: &Path) -> PathBuf {
        out.join(self.encoding.folder).join(BUCKET).join(CONFIGURATION).join(RUN)
    }
}

/// Writes a file and returns its bytes.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, GenerateError> {
    let text = serde_json::to_vec_pretty(value).map_err(io::Error::from);
    text.and_then(|text| store::write(path, &text).map(|()| text)).map_err(GenerateError::at(path))
}
