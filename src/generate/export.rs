//! One inventory delivery on disk: the folders, the data files and their manifest.
//!
//! What a data file measures (bytes and MD5) is known when it is closed, without
//! reading it again. `manifest.checksum` is written last, as S3 does.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use md5::{Digest, Md5};
use serde::Serialize;

use super::{
    GenerateError,
    csv::{self, CsvFile},
    parquet::{self, ParquetFile},
    place::{BUCKET, SCAN_START},
    random::Stream,
    rows::Block,
};

const CONFIGURATION: &str = "weekly-all-versions";
const RUN: &str = "2026-01-04T01-00Z";
const DESTINATION: &str = "arn:aws:s3:::example-inventory-reports";
const BUFFER_BYTES: usize = 1 << 18;

/// A data file that takes blocks until it is finished.
pub(super) trait DataFile {
    fn write(&mut self, block: &Block) -> io::Result<()>;
    fn finish(self: Box<Self>) -> io::Result<Measures>;
}

/// What the manifest says of a file.
#[derive(Debug)]
pub(super) struct Measures {
    pub(super) size: u64,
    pub(super) md5: String,
}

/// A file that is measured while it is written.
pub(super) struct Measured {
    file: BufWriter<File>,
    md5: Md5,
    size: u64,
}

impl Measured {
    pub(super) fn new(file: File) -> Self {
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        Self { file, md5: Md5::new(), size: 0 }
    }

    pub(super) fn finish(mut self) -> io::Result<Measures> {
        self.file.flush()?;
        Ok(Measures { size: self.size, md5: hex(&self.md5.finalize()) })
    }
}

impl Write for Measured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.md5.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16);
    let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.flatten().collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Csv,
    Parquet,
}

impl Encoding {
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv.gz",
            Self::Parquet => "parquet",
        }
    }

    fn manifest_name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
        }
    }

    fn schema(self) -> &'static str {
        match self {
            Self::Csv => csv::SCHEMA,
            Self::Parquet => parquet::SCHEMA,
        }
    }
}

/// A delivery in the making, under a folder that may still be renamed.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) encoding: Encoding,
    configuration: PathBuf,
    seed: u64,
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
    files: Vec<ManifestFile>,
}

#[derive(Serialize)]
struct ManifestFile {
    key: String,
    size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

impl Export {
    pub(super) fn begin(root: &Path, encoding: Encoding, seed: u64) -> Result<Self, GenerateError> {
        let configuration = root.join(encoding.folder()).join(BUCKET).join(CONFIGURATION);
        for folder in [configuration.join("data"), configuration.join(RUN)] {
            fs::create_dir_all(&folder).map_err(GenerateError::at(&folder))?;
        }
        Ok(Self { encoding, configuration, seed })
    }

    /// The name of a unit's data file in the flat data folder.
    pub(super) fn file_name(&self, unit: u32) -> String {
        let mut stream = Stream::keyed(self.seed ^ self.encoding as u64, !u64::from(unit));
        let mut digits = String::new();
        stream.push_hex(&mut digits, 30);
        // Version 4, variant 1; the rest is random.
        digits.insert(12, '4');
        digits.insert(16, 'a');
        for at in [8, 13, 18, 23] {
            digits.insert(at, '-');
        }
        format!("{digits}.{}", self.encoding.extension())
    }

    pub(super) fn data_path(&self, unit: u32) -> PathBuf {
        self.configuration.join("data").join(self.file_name(unit))
    }

    pub(super) fn create(&self, unit: u32) -> io::Result<Box<dyn DataFile>> {
        let file = File::create_new(self.data_path(unit))?;
        Ok(match self.encoding {
            Encoding::Csv => Box::new(CsvFile::new(file)),
            Encoding::Parquet => Box::new(ParquetFile::new(file)?),
        })
    }

    /// Writes the manifest of these files, in the order of units, and then its checksum.
    pub(super) fn finish<'a>(&self, files: impl Iterator<Item = &'a Measures>) -> Result<(), GenerateError> {
        let folder = self.configuration.join(RUN);
        let path = folder.join("manifest.json");
        let manifest = serde_json::to_vec_pretty(&self.manifest(files));
        let manifest = manifest.map_err(|error| GenerateError::at(&path)(error.into()))?;
        let checksum = format!("{}\n", hex(&Md5::digest(&manifest)));
        fs::write(&path, manifest).map_err(GenerateError::at(&path))?;
        let path = folder.join("manifest.checksum");
        fs::write(&path, checksum).map_err(GenerateError::at(&path))
    }

    fn manifest<'a>(&self, files: impl Iterator<Item = &'a Measures>) -> Manifest<'static> {
        let files = (0..).zip(files).map(|(unit, measures)| ManifestFile {
            key: format!("inventory/{BUCKET}/{CONFIGURATION}/data/{}", self.file_name(unit)),
            size: measures.size,
            md5: measures.md5.clone(),
        });
        Manifest {
            source_bucket: BUCKET,
            destination_bucket: DESTINATION,
            version: "2016-11-30",
            creation_timestamp: format!("{SCAN_START}000"),
            file_format: self.encoding.manifest_name(),
            file_schema: self.encoding.schema(),
            files: files.collect(),
        }
    }

    /// The folder of the run that was written, below `root`.
    pub(super) fn run_folder(&self, root: &Path) -> PathBuf {
        root.join(self.encoding.folder()).join(BUCKET).join(CONFIGURATION).join(RUN)
    }
}
