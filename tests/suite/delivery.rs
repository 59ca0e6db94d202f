//! Deliveries of S3 Inventory on disk: rows to data files, data files to a folder as AWS lays it out.
//!
//! [`Row`] has the columns of the real versioned sample in `fixtures/aws/csv`. [`COLUMNS`] says once what each of them
//! is called and holds; all writers follow it, so deliveries of the same rows in CSV, Parquet and ORC differ in form only.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, BooleanArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow_schema::{Field, Schema};
use flate2::write::GzEncoder;
use md5::{Digest as _, Md5};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;
use serde_json::json;

use crate::orc_file::{self, Encoded, OrcFile, Stripe};
use crate::random::Random;

pub const BUCKET: &str = "org-audit-logs";
pub const RUN: &str = "2026-01-04T01-00Z";
/// The same moment, which manifests name.
pub const MADE: i64 = 1_767_488_400_000;

/// A row of the versioned sample. Nothing is a blank cell of a CSV file and a null of the others.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub bucket: Vec<u8>,
    /// Raw bytes, as they are in S3.
    pub key: Vec<u8>,
    pub version_id: Option<String>,
    pub is_latest: Option<bool>,
    pub is_delete_marker: Option<bool>,
    pub size: Option<i64>,
    /// In milliseconds since 1970.
    pub last_modified: Option<i64>,
    pub e_tag: Option<String>,
    pub storage_class: Option<String>,
    pub is_multipart_uploaded: Option<bool>,
    pub replication_status: Option<String>,
    pub encryption_status: Option<String>,
    pub lock_retain_until: Option<i64>,
    pub lock_mode: Option<String>,
    pub legal_hold: Option<String>,
    pub access_tier: Option<String>,
    pub bucket_key_status: Option<String>,
    pub checksum_algorithm: Option<String>,
    pub access_control_list: Option<String>,
    pub owner: Option<String>,
    pub lifecycle_expiration: Option<i64>,
    pub event_hold_duration: Option<i64>,
    pub tiering_reference: Option<i64>,
}

/// What a row has in one column.
pub enum Cell<'r> {
    Text(Option<&'r [u8]>),
    /// Form-encoded in CSV files.
    Key(&'r [u8]),
    Flag(Option<bool>),
    Number(Option<i64>),
    Time(Option<i64>),
}

/// A column: its names, its line in the Parquet schema and its cells.
pub struct Column {
    pub csv: &'static str,
    pub parquet: &'static str,
    kind: &'static str,
    cell: fn(&Row) -> Cell<'_>,
}

const TEXT: &str = "optional binary {} (STRING)";
const REQUIRED: &str = "required binary {} (STRING)";
const FLAG: &str = "optional boolean {}";
const NUMBER: &str = "optional int64 {}";
const TIME: &str = "optional int64 {} (TIMESTAMP(MILLIS,true))";

macro_rules! column {
    ($csv:literal, $parquet:literal, $kind:expr, $cell:expr) => {
        Column { csv: $csv, parquet: $parquet, kind: $kind, cell: $cell }
    };
}

pub static COLUMNS: [Column; 23] = [
    column!("Bucket", "bucket", REQUIRED, |row| Cell::Text(Some(&row.bucket))),
    column!("Key", "key", REQUIRED, |row| Cell::Key(&row.key)),
    column!("VersionId", "version_id", TEXT, |row| text(&row.version_id)),
    column!("IsLatest", "is_latest", FLAG, |row| Cell::Flag(row.is_latest)),
    column!("IsDeleteMarker", "is_delete_marker", FLAG, |row| Cell::Flag(row.is_delete_marker)),
    column!("Size", "size", NUMBER, |row| Cell::Number(row.size)),
    column!("LastModifiedDate", "last_modified_date", TIME, |row| Cell::Time(row.last_modified)),
    column!("ETag", "e_tag", TEXT, |row| text(&row.e_tag)),
    column!("StorageClass", "storage_class", TEXT, |row| text(&row.storage_class)),
    column!("IsMultipartUploaded", "is_multipart_uploaded", FLAG, |row| Cell::Flag(row.is_multipart_uploaded)),
    column!("ReplicationStatus", "replication_status", TEXT, |row| text(&row.replication_status)),
    column!("EncryptionStatus", "encryption_status", TEXT, |row| text(&row.encryption_status)),
    column!("ObjectLockRetainUntilDate", "object_lock_retain_until_date", TIME, |row| Cell::Time(
        row.lock_retain_until
    )),
    column!("ObjectLockMode", "object_lock_mode", TEXT, |row| text(&row.lock_mode)),
    column!("ObjectLockLegalHoldStatus", "object_lock_legal_hold_status", TEXT, |row| text(&row.legal_hold)),
    column!("IntelligentTieringAccessTier", "intelligent_tiering_access_tier", TEXT, |row| text(&row.access_tier)),
    column!("BucketKeyStatus", "bucket_key_status", TEXT, |row| text(&row.bucket_key_status)),
    column!("ChecksumAlgorithm", "checksum_algorithm", TEXT, |row| text(&row.checksum_algorithm)),
    column!("ObjectAccessControlList", "object_access_control_list", TEXT, |row| text(&row.access_control_list)),
    column!("ObjectOwner", "object_owner", TEXT, |row| text(&row.owner)),
    column!("LifecycleExpirationDate", "lifecycle_expiration_date", TIME, |row| Cell::Time(row.lifecycle_expiration)),
    column!("ObjectLockEventHoldDuration", "object_lock_event_hold_duration", NUMBER, |row| Cell::Number(
        row.event_hold_duration
    )),
    column!("IntelligentTieringReferenceDate", "intelligent_tiering_reference_date", TIME, |row| Cell::Time(
        row.tiering_reference
    )),
];

/// The columns of a report, in its order.
pub type Columns = Vec<&'static Column>;

pub fn all_columns() -> Columns {
    COLUMNS.iter().collect()
}

/// The columns of these CSV names, in this order.
pub fn columns(names: &[&str]) -> Columns {
    names.iter().map(|name| COLUMNS.iter().find(|column| column.csv == *name).unwrap()).collect()
}

pub fn columns_without(names: &[&str]) -> Columns {
    COLUMNS.iter().filter(|column| !names.contains(&column.csv)).collect()
}

fn text(text: &Option<String>) -> Cell<'_> {
    Cell::Text(text.as_deref().map(str::as_bytes))
}

/// How Parquet files are written.
#[derive(Clone, Copy, Debug)]
pub struct ParquetForm {
    pub compression: Compression,
    pub pages: WriterVersion,
    pub dictionary: bool,
    pub group_rows: usize,
    /// Whether texts carry the annotation that they are UTF-8, which S3's do, whatever the keys hold.
    pub annotated: bool,
}

impl Default for ParquetForm {
    fn default() -> Self {
        Self {
            compression: Compression::SNAPPY,
            pages: WriterVersion::PARQUET_1_0,
            dictionary: true,
            group_rows: 7,
            annotated: true,
        }
    }
}

/// How ORC files are written.
#[derive(Clone, Copy, Debug)]
pub struct OrcForm {
    /// The length of the chunks of zlib; nothing for no compression.
    pub block_len: Option<usize>,
    pub dictionary: bool,
    pub stripe_rows: usize,
}

impl Default for OrcForm {
    fn default() -> Self {
        Self { block_len: Some(256 << 10), dictionary: true, stripe_rows: 7 }
    }
}

/// A delivery in memory. [`Self::write`] puts it on disk.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub bucket: String,
    pub format: &'static str,
    pub schema: String,
    pub files: Vec<DataFile>,
}

#[derive(Clone, Debug)]
pub struct DataFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Delivery {
    /// The rows as CSV.gz, in `files` files.
    pub fn csv(rows: &[Row], columns: &Columns, files: usize) -> Self {
        let names: Vec<_> = columns.iter().map(|column| column.csv).collect();
        let texts = split(rows, files).map(|rows| csv_text(rows, columns));
        Self::of_csv_texts(&names.join(", "), texts)
    }

    /// Texts that may be anything, as CSV.gz.
    pub fn of_csv_texts(schema: &str, texts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let file = |(at, text): (usize, Vec<u8>)| DataFile { name: format!("part-{at}.csv.gz"), bytes: gzip(&text) };
        let files = texts.into_iter().enumerate().map(file).collect();
        Self { bucket: BUCKET.into(), format: "CSV", schema: schema.into(), files }
    }

    /// The rows as Parquet, in `files` files.
    pub fn parquet(rows: &[Row], columns: &Columns, files: usize, form: ParquetForm) -> Self {
        let schema = message(columns, true);
        let file =
            |(at, rows)| DataFile { name: format!("part-{at}.parquet"), bytes: parquet_file(rows, columns, form) };
        let files = split(rows, files).enumerate().map(file).collect();
        Self { bucket: BUCKET.into(), format: "Parquet", schema, files }
    }

    /// The rows as ORC, in `files` files.
    pub fn orc(rows: &[Row], columns: &Columns, files: usize, form: OrcForm) -> Self {
        let fields: Vec<_> =
            columns.iter().map(|column| format!("{}:{}", column.parquet, column.orc_type().0)).collect();
        let schema = format!("struct<{}>", fields.join(","));
        let file = |(at, rows)| DataFile { name: format!("part-{at}.orc"), bytes: orc_file(rows, columns, form) };
        let files = split(rows, files).enumerate().map(file).collect();
        Self { bucket: BUCKET.into(), format: "ORC", schema, files }
    }

    pub fn in_bucket(mut self, bucket: &str) -> Self {
        self.bucket = bucket.into();
        self
    }

    /// Writes `CONFIG/RUN/` and `CONFIG/data/`.
    pub fn write(&self, config: &Path) -> Delivered {
        let delivered = Delivered { config: config.to_owned() };
        fs::create_dir_all(config.join("data")).unwrap();
        for file in &self.files {
            fs::write(delivered.data(&file.name), &file.bytes).unwrap();
        }
        delivered.seal(RUN, &self.manifest());
        delivered
    }

    /// What S3 would say of these files.
    pub fn manifest(&self) -> serde_json::Value {
        let key = |name: &str| format!("inventories/{}/daily/data/{name}", self.bucket);
        let entry = |file: &DataFile| json!({"key": key(&file.name), "size": file.bytes.len(), "MD5checksum": md5_hex(&file.bytes)});
        json!({
            "sourceBucket": self.bucket,
            "destinationBucket": "arn:aws:s3:::inventory-destination",
            "version": "2016-11-30",
            "creationTimestamp": MADE.to_string(),
            "fileFormat": self.format,
            "fileSchema": self.schema,
            "files": self.files.iter().map(entry).collect::<Vec<_>>(),
        })
    }
}

/// A delivery on disk.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The folder of the configuration, with runs and `data`.
    pub config: PathBuf,
}

impl Delivered {
    pub fn data(&self, name: &str) -> PathBuf {
        self.config.join("data").join(name)
    }

    pub fn manifest(&self) -> PathBuf {
        self.config.join(RUN).join("manifest.json")
    }

    pub fn checksum(&self) -> PathBuf {
        self.config.join(RUN).join("manifest.checksum")
    }

    /// Writes a manifest and its checksum.
    pub fn seal(&self, run: &str, manifest: &serde_json::Value) {
        self.seal_text(run, serde_json::to_string_pretty(manifest).unwrap().as_bytes());
    }

    pub fn seal_text(&self, run: &str, text: &[u8]) {
        let folder = self.config.join(run);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("manifest.json"), text).unwrap();
        fs::write(folder.join("manifest.checksum"), md5_hex(text) + "\n").unwrap();
    }
}

pub fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The rows in so many neighbourhoods of nearly the same size.
fn split(rows: &[Row], files: usize) -> impl Iterator<Item = &[Row]> {
    (0..files).map(move |at| &rows[rows.len() * at / files..rows.len() * (at + 1) / files])
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Rows as S3 writes them: every field quoted, LF.
pub fn csv_text(rows: &[Row], columns: &Columns) -> Vec<u8> {
    rows.iter().flat_map(|row| csv_line(row, columns)).collect()
}

pub fn csv_line(row: &Row, columns: &Columns) -> Vec<u8> {
    let fields: Vec<Vec<u8>> = columns.iter().map(|column| csv_field((column.cell)(row))).collect();
    let mut line = fields.join(&b"\",\""[..]);
    line.insert(0, b'"');
    line.extend_from_slice(b"\"\n");
    line
}

fn csv_field(cell: Cell<'_>) -> Vec<u8> {
    let shown = |text: Option<String>| text.unwrap_or_default().into_bytes();
    match cell {
        Cell::Text(text) => double_quotes(text.unwrap_or_default()),
        Cell::Key(key) => form_encoded(key),
        Cell::Flag(flag) => shown(flag.map(|flag| flag.to_string())),
        Cell::Number(number) => shown(number.map(|number| number.to_string())),
        Cell::Time(time) => shown(time.map(iso_time)),
    }
}

fn double_quotes(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|byte| std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 })).collect()
}

pub fn form_encoded(key: &[u8]) -> Vec<u8> {
    let encode = |byte: &u8| match byte {
        b' ' => "+".to_owned(),
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    key.iter().map(encode).collect::<String>().into_bytes()
}

/// Milliseconds since 1970 as `2024-05-06T22:37:48.000Z`, by counting years and months one by one.
pub fn iso_time(millis: i64) -> String {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut days, of_day) = (millis / 86_400_000, millis % 86_400_000);
    let mut year = 1970;
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    format!("{year:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", month + 1, days + 1, of_day % 1000)
}

/// The schema as the manifest of the real Parquet sample has it.
pub fn message(columns: &Columns, annotated: bool) -> String {
    let line = |column: &&Column| {
        let line = column.kind.replace("{}", column.parquet);
        if annotated { line } else { line.replace(" (STRING)", "") }
    };
    let lines: Vec<_> = columns.iter().map(line).collect();
    format!("message s3.inventory {{  {};}}", lines.join(";  "))
}

pub fn parquet_file(rows: &[Row], columns: &Columns, form: ParquetForm) -> Vec<u8> {
    let arrays = columns.iter().map(|column| array(rows, column)).collect();
    parquet_of_arrays(&message(columns, form.annotated), arrays, form)
}

/// A Parquet file with any columns; the message says what they are in the file.
pub fn parquet_of_arrays(message: &str, arrays: Vec<ArrayRef>, form: ParquetForm) -> Vec<u8> {
    let descriptor = SchemaDescriptor::new(Arc::new(parse_message_type(message).unwrap()));
    let named = descriptor.root_schema().get_fields().iter().zip(&arrays);
    let fields: Vec<Field> =
        named.map(|(field, array)| Field::new(field.name(), array.data_type().clone(), field.is_optional())).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(form.compression)
        .set_writer_version(form.pages)
        .set_dictionary_enabled(form.dictionary)
        .set_max_row_group_row_count(Some(form.group_rows))
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true)
        .with_parquet_schema(descriptor);
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut file, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

/// Texts are written from plain bytes: keys need not be UTF-8.
fn array(rows: &[Row], column: &Column) -> ArrayRef {
    let cells = rows.iter().map(|row| (column.cell)(row));
    let texts = || {
        cells.clone().map(|cell| match cell {
            Cell::Text(text) => text,
            Cell::Key(key) => Some(key),
            _ => None,
        })
    };
    let flags = || cells.clone().map(|cell| if let Cell::Flag(flag) = cell { flag } else { None });
    let numbers = || {
        cells.clone().map(|cell| match cell {
            Cell::Number(number) | Cell::Time(number) => number,
            _ => None,
        })
    };
    match column.kind {
        FLAG => Arc::new(flags().collect::<BooleanArray>()),
        NUMBER => Arc::new(numbers().collect::<Int64Array>()),
        TIME => Arc::new(numbers().collect::<TimestampMillisecondArray>().with_timezone("UTC")),
        _ => Arc::new(texts().collect::<BinaryArray>()),
    }
}

pub fn orc_file(rows: &[Row], columns: &Columns, form: OrcForm) -> Vec<u8> {
    let stripe = |rows: &[Row]| Stripe {
        rows: rows.len() as u64,
        columns: columns.iter().map(|column| encoded(rows, column, form.dictionary)).collect(),
    };
    let file = OrcFile {
        columns: columns.iter().map(|column| (column.parquet.to_owned(), column.orc_type().1)).collect(),
        stripes: rows.chunks(form.stripe_rows).map(stripe).collect(),
        rows: rows.len() as u64,
        block_len: form.block_len,
    };
    file.bytes()
}

impl Column {
    /// Its name and its number.
    fn orc_type(&self) -> (&'static str, u64) {
        match self.kind {
            FLAG => ("boolean", orc_file::BOOLEAN),
            NUMBER => ("bigint", orc_file::BIGINT),
            TIME => ("timestamp", orc_file::TIMESTAMP),
            _ => ("string", orc_file::STRING),
        }
    }
}

fn encoded(rows: &[Row], column: &Column, dictionary: bool) -> Encoded {
    let cells = rows.iter().map(|row| (column.cell)(row));
    let numbers = || -> Vec<_> {
        cells
            .clone()
            .map(|cell| if let Cell::Number(number) | Cell::Time(number) = cell { number } else { None })
            .collect()
    };
    match column.kind {
        FLAG => {
            Encoded::flags(&cells.map(|cell| if let Cell::Flag(flag) = cell { flag } else { None }).collect::<Vec<_>>())
        }
        NUMBER => Encoded::numbers(&numbers()),
        TIME => Encoded::times(&numbers()),
        _ => {
            let text = |cell| match cell {
                Cell::Text(text) => text,
                Cell::Key(key) => Some(key),
                _ => None,
            };
            let texts: Vec<_> = cells.map(text).collect();
            if dictionary { Encoded::coded_texts(&texts) } else { Encoded::texts(&texts) }
        }
    }
}

/// What generated rows are made of.
pub const ACCOUNTS: [&str; 4] = ["111122223333", "444455556666", "000000000000", "123456789012"];
pub const REGIONS: [&str; 5] = ["us-east-1", "eu-west-1", "us-gov-west-1", "ap-southeast-2", "il-central-1"];
pub const KINDS: [&str; 12] = [
    "CloudTrail",
    "CloudTrail",
    "CloudTrail",
    "CloudTrail-Digest",
    "CloudTrail-Insight",
    "CloudTrail-NetworkActivity",
    "CloudTrail-Aggregated",
    "vpcflowlogs",
    "elasticloadbalancing",
    "Config",
    "WAFLogs",
    "invented-service",
];
pub const STATUSES: [&str; 11] = [
    "SSE-KMS",
    "SSE-KMS",
    "SSE-KMS",
    "DSSE-KMS",
    "SSE-S3",
    "SSE-C",
    "NOT-SSE",
    "aws:fsx",
    "sse-kms",
    "SSE-KMS ",
    "SSE-\u{202e}KMS\"",
];
pub const CLASSES: [&str; 7] =
    ["STANDARD", "STANDARD", "STANDARD_IA", "GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY"];
/// One that came later.
const NEW_CLASS: &str = "GLACIER_NEXT";
/// Keys that are no logs, or look like logs and are none, or could do harm where they are shown.
pub const ODD_KEYS: [&[u8]; 27] = [
    b"AWSLogs/11112222333/CloudTrail/us-east-1/f",
    b"AWSLogs/111122223333",
    b"AWSLogs/111122223333/ELBAccessLogTestFile",
    b"AWSLogs/111122223333/CloudTrail/",
    b"AWSLogs//111122223333/CloudTrail/us-east-1/f",
    b"AWSLogs/111122223333//CloudTrail/us-east-1/f",
    b"AWSLogs/111122223333/CloudTrail//us-east-1/f",
    b"AWSLogs/AWSLogs/111122223333/CloudTrail/eu-west-1/f",
    b"AWSLogs/x/AWSLogs/444455556666/CloudTrail-Digest/eu-west-1/2024/05/06/f",
    b"AWSLogs/o-short/111122223333/CloudTrail/us-east-1/f",
    b"xAWSLogs/111122223333/CloudTrail/us-east-1/f",
    b"awslogs/111122223333/CloudTrail/us-east-1/f",
    b"AWSLogs/111122223333/CloudTrail/us-east/f",
    b"AWSLogs/111122223333/CloudTrail/global/f",
    b"AWSLogs/111122223333/other/us-east-1/f",
    b"plain.txt",
    b"/",
    b"folder/",
    b"=cmd|' /C calc'!A0",
    b"+1,2",
    b"-\"quoted\"",
    b"@'x",
    b"'",
    b"a b+c%2Fd\\e\\x41",
    b"esc\x1b[31m\r\n\t\x00\x7f",
    "bidi\u{202e}gnp.\u{2066}日本\u{feff}é".as_bytes(),
    b"not utf-8 \xff\xc3(\xf0\x9f\x98",
];

/// Moments at the edges of what policies say, and far from them.
pub const MOMENTS: [i64; 9] = [
    0,
    1_546_300_799_999,
    1_546_300_800_000,
    1_715_035_068_000,
    1_763_510_399_999,
    1_763_510_400_000,
    1_763_510_400_001,
    1_767_225_600_123,
    253_402_300_799_999,
];

impl Row {
    /// A current object that the preset `cis` is content with.
    pub fn compliant(file: &str) -> Self {
        Self {
            bucket: BUCKET.into(),
            key: format!("AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/{file}").into(),
            version_id: Some("tpinzcbxOfWpZsmjvVgdHEvSohsY4TA0".into()),
            is_latest: Some(true),
            is_delete_marker: Some(false),
            size: Some(100),
            last_modified: Some(1_715_035_068_000),
            e_tag: Some("d41d8cd98f00b204e9800998ecf8427e".into()),
            storage_class: Some("STANDARD".into()),
            is_multipart_uploaded: Some(false),
            encryption_status: Some("SSE-KMS".into()),
            bucket_key_status: Some("ENABLED".into()),
            ..Self::default()
        }
    }

    pub fn delete_marker(file: &str) -> Self {
        let compliant = Self::compliant(file);
        let (size, e_tag, storage_class, encryption_status) = (None, None, None, None);
        Self { is_delete_marker: Some(true), size, e_tag, storage_class, encryption_status, ..compliant }
    }

    pub fn with_status(self, status: &str) -> Self {
        Self { encryption_status: Some(status.into()), ..self }
    }

    pub fn with_key(self, key: impl Into<Vec<u8>>) -> Self {
        Self { key: key.into(), ..self }
    }

    pub fn random(random: &mut Random) -> Self {
        let mut row = Self::compliant("f").with_key(random_key(random));
        row.version_id = random.chance(70).then(|| format!("v_{:x}.{}", random.number(), random.below(9)));
        row.is_latest = random.pick(&[Some(true), Some(true), Some(false), None]);
        row.last_modified = (!random.chance(10)).then(|| random_moment(random));
        if random.chance(6) {
            let marker = Self::delete_marker("f");
            let (key, version_id) = (row.key, row.version_id);
            return Self { key, version_id, is_latest: row.is_latest, last_modified: row.last_modified, ..marker };
        }
        row.is_delete_marker = random.pick(&[Some(false), Some(false), None]);
        row.size = random.pick(&[None, Some(0), Some(1), Some(331), Some(4_000_000_000), Some(5_497_558_138_880)]);
        row.storage_class = match random.chance(12) {
            true => random.pick(&[None, Some(""), Some(NEW_CLASS)]).map(str::to_owned),
            false => Some(random.pick(&CLASSES).into()),
        };
        row.encryption_status = (!random.chance(8)).then(|| random.pick(&STATUSES).into());
        let bucket_keys = [Some("ENABLED"), Some("ENABLED"), Some("DISABLED"), Some("enabled"), None];
        row.bucket_key_status = random.pick(&bucket_keys).map(str::to_owned);
        row.lock_mode = random.chance(5).then(|| "COMPLIANCE".into());
        row.lock_retain_until = row.lock_mode.as_ref().map(|_| random_moment(random));
        row.is_multipart_uploaded = random.pick(&[Some(true), Some(false), None]);
        row.replication_status = random.pick(&[None, Some("COMPLETED"), Some("REPLICA")]).map(str::to_owned);
        row.checksum_algorithm = random.chance(30).then(|| "SHA-256".into());
        row.access_control_list = random.chance(30).then(|| "eyJ2ZXJzaW9uIjo".repeat(random.below(100)));
        row.owner = random.chance(30).then(|| "79a59df900b949e55d96a1e698fbaced".into());
        row.lifecycle_expiration = random.chance(30).then(|| random_moment(random));
        row.event_hold_duration = random.chance(30).then(|| random.below(400) as i64);
        row.tiering_reference = random.chance(30).then(|| random_moment(random));
        row
    }

    pub fn random_many(random: &mut Random, rows: usize) -> Vec<Self> {
        (0..rows).map(|_| Self::random(random)).collect()
    }
}

fn random_moment(random: &mut Random) -> i64 {
    if random.chance(50) { random.pick(&MOMENTS) } else { 1_400_000_000_000 + random.below(400_000_000_000) as i64 }
}

fn random_key(random: &mut Random) -> Vec<u8> {
    if random.chance(25) {
        return random.pick(&ODD_KEYS).to_vec();
    }
    let prefix = random.pick(&["", "", "", "audit/", "a/AWSLogs/b/", "日本/", "x y/"]);
    let organisation = random.pick(&["", "", "o-exampleorg1/", "o-abcdefghij0123456789/"]);
    let (account, kind) = (random.pick(&ACCOUNTS), random.pick(&KINDS));
    let region = format!("{}/", random.pick(&REGIONS));
    let region = if random.chance(90) { &region } else { "" };
    let name = random.pick(&["a.json.gz", "b.json.gz", "日.gz", "é+ .gz", "a?b*", "\u{1b}", "x/y/z"]);
    format!("{prefix}AWSLogs/{organisation}{account}/{kind}/{region}2024/05/06/{name}").into_bytes()
}

/// Keeps what a report with these columns can tell of the row.
pub fn as_reported(row: &Row, columns: &Columns) -> Row {
    let has = |name: &str| columns.iter().any(|column| column.csv == name);
    let mut row = row.clone();
    row.version_id = row.version_id.filter(|_| has("VersionId"));
    row.is_latest = row.is_latest.filter(|_| has("IsLatest"));
    row.is_delete_marker = row.is_delete_marker.filter(|_| has("IsDeleteMarker"));
    row.size = row.size.filter(|_| has("Size"));
    row.last_modified = row.last_modified.filter(|_| has("LastModifiedDate"));
    row.storage_class = row.storage_class.filter(|_| has("StorageClass"));
    row.encryption_status = row.encryption_status.filter(|_| has("EncryptionStatus"));
    row.bucket_key_status = row.bucket_key_status.filter(|_| has("BucketKeyStatus"));
    row
}
