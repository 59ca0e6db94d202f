//! Parquet files in memory, in many forms.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow_schema::{Field, Schema as ArrowSchema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use crate::readers::tests::Random;

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub version: WriterVersion,
    pub compression: Compression,
    /// What a dictionary may grow to; nothing for no dictionaries.
    pub dictionary_len: Option<usize>,
    pub page_len: usize,
    pub page_rows: usize,
    pub group_rows: usize,
    /// The encoding of booleans.
    pub booleans: Encoding,
    /// The encoding of keys without a dictionary. All other values without one are plain.
    pub keys: Encoding,
    /// How many cells of an optional column are null, in percent.
    pub nulls: usize,
    /// Whether every column is required.
    pub required: bool,
    pub times: Times,
    pub page_statistics: bool,
}

/// How sizes and times are stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Times {
    Millis,
    Micros,
    Nanos,
    /// No annotation; sizes have 32 bits.
    Bare,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            version: WriterVersion::PARQUET_1_0,
            compression: Compression::SNAPPY,
            dictionary_len: Some(1 << 20),
            page_len: 1 << 20,
            page_rows: 20_000,
            group_rows: 100_000,
            booleans: Encoding::PLAIN,
            keys: Encoding::PLAIN,
            nulls: 15,
            required: false,
            times: Times::Millis,
            page_statistics: false,
        }
    }
}

/// The bytes of a file with random rows.
pub(super) fn write(form: Form, rows: usize, random: &mut Random) -> Vec<u8> {
    let columns = columns(form, rows, random);
    let lines: Vec<&str> = columns.iter().map(|(line, _)| line.as_str()).collect();
    let message = format!("message m {{ {} }}", lines.join(" "));
    let descriptor = SchemaDescriptor::new(Arc::new(parse_message_type(&message).expect("a schema")));
    let named = descriptor.root_schema().get_fields().iter().zip(&columns);
    let field = |(field, (_, array)): (&Arc<parquet::schema::types::Type>, &(String, ArrayRef))| {
        Field::new(field.name(), array.data_type().clone(), field.is_optional())
    };
    let schema = Arc::new(ArrowSchema::new(named.map(field).collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).expect("a batch");
    let options = ArrowWriterOptions::new()
        .with_properties(properties(form))
        .with_skip_arrow_metadata(true)
        .with_parquet_schema(descriptor);
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut file, schema, options).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    file
}

fn properties(form: Form) -> WriterProperties {
    let booleans = ["is_latest", "is_delete_marker"].map(ColumnPath::from);
    let properties = WriterProperties::builder()
        .set_writer_version(form.version)
        .set_compression(form.compression)
        .set_dictionary_enabled(form.dictionary_len.is_some())
        .set_dictionary_page_size_limit(form.dictionary_len.unwrap_or_default())
        .set_data_page_size_limit(form.page_len)
        .set_data_page_row_count_limit(form.page_rows)
        .set_write_batch_size(form.page_rows.min(256))
        .set_max_row_group_row_count(Some(form.group_rows))
        .set_encoding(Encoding::PLAIN)
        .set_column_encoding(ColumnPath::from("key"), form.keys)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_write_page_header_statistics(form.page_statistics);
    let with_booleans = |properties: parquet::file::properties::WriterPropertiesBuilder, column| {
        properties.set_column_encoding(column, form.booleans)
    };
    booleans.into_iter().fold(properties, with_booleans).build()
}

/// All columns that an audit reads and one that it does not, in no particular order.
fn columns(form: Form, rows: usize, random: &mut Random) -> Vec<(String, ArrayRef)> {
    let mut columns = Columns { form, rows, random };
    let key = |random: &mut Random| {
        let mut key = format!("AWSLogs/{}/", random.below(5)).into_bytes();
        key.extend((0..random.below(60)).map(|_| random.number() as u8));
        key
    };
    let of = |texts: &'static [&'static str]| move |random: &mut Random| random.pick(texts).as_bytes().to_vec();
    vec![
        columns.texts("is_not_read", |random| vec![b'x'; random.below(9)]),
        columns.texts("key", key),
        columns.flags("is_delete_marker"),
        columns.texts("encryption_status", of(&["SSE-KMS", "SSE-S3", "NOT-SSE", ""])),
        columns.sizes("size"),
        columns.times("last_modified_date"),
        columns.texts("version_id", |random| format!("{:x}", random.number()).into_bytes()),
        columns.texts("bucket", of(&["one-bucket"])),
        columns.flags("is_latest"),
        columns.texts("storage_class", of(&["STANDARD", "GLACIER", "DEEP_ARCHIVE"])),
        columns.texts("bucket_key_status", of(&["ENABLED", "DISABLED"])),
        columns.texts("intelligent_tiering_access_tier", of(&["FREQUENT", "ARCHIVE"])),
        columns.times("object_lock_retain_until_date"),
        columns.texts("object_lock_mode", of(&["COMPLIANCE", "GOVERNANCE"])),
        columns.texts("object_lock_legal_hold_status", of(&["ON", "OFF"])),
        columns.texts("object_lock_event_hold_status", of(&["ON", "OFF"])),
        columns.flags("is_multipart_uploaded"),
        columns.texts("replication_status", of(&["COMPLETED", "REPLICA"])),
        columns.sizes("object_lock_event_hold_duration"),
        columns.times("lifecycle_expiration_date"),
        columns.times("intelligent_tiering_reference_date"),
        columns.texts("checksum_algorithm", of(&["SHA-256", ""])),
        columns.texts("object_access_control_list", |random| vec![b'x'; random.below(90)]),
        columns.texts("object_owner", of(&["79a59df9"])),
    ]
}

struct Columns<'r> {
    form: Form,
    rows: usize,
    random: &'r mut Random,
}

impl Columns<'_> {
    fn line(&self, kind: &str, name: &str, annotation: &str) -> String {
        let repetition = if self.form.required { "required" } else { "optional" };
        format!("{repetition} {kind} {name} {annotation};")
    }

    /// Nulls come alone and in long runs.
    fn cells<T>(&mut self, mut value: impl FnMut(&mut Random) -> T) -> Vec<Option<T>> {
        let (mut cells, mut nulls_to_come) = (Vec::new(), 0_usize);
        let value_or_null = |_| {
            if nulls_to_come == 0 && !self.form.required && self.random.chance(self.form.nulls) {
                nulls_to_come = if self.random.chance(10) { 1 + self.random.below(300) } else { 1 };
            }
            let is_null = nulls_to_come > 0;
            nulls_to_come = nulls_to_come.saturating_sub(1);
            (!is_null).then(|| value(self.random))
        };
        cells.extend((0..self.rows).map(value_or_null));
        cells
    }

    fn texts(&mut self, name: &str, value: impl FnMut(&mut Random) -> Vec<u8>) -> (String, ArrayRef) {
        let cells = self.cells(value);
        (self.line("binary", name, ""), Arc::new(cells.into_iter().collect::<BinaryArray>()))
    }

    fn flags(&mut self, name: &str) -> (String, ArrayRef) {
        let cells = self.cells(|random| random.chance(70));
        (self.line("boolean", name, ""), Arc::new(BooleanArray::from(cells)))
    }

    fn sizes(&mut self, name: &str) -> (String, ArrayRef) {
        match self.form.times {
            Times::Bare => {
                let cells = self.cells(|random| random.number() as i32 >> random.below(30));
                (self.line("int32", name, ""), Arc::new(Int32Array::from(cells)))
            }
            _ => {
                let cells = self.cells(|random| random.number() as i64 >> random.below(62));
                (self.line("int64", name, ""), Arc::new(Int64Array::from(cells)))
            }
        }
    }

    fn times(&mut self, name: &str) -> (String, ArrayRef) {
        let cells = self.cells(|random| random.number() as i64 >> random.below(40));
        let utc = |unit: &str| format!("(TIMESTAMP({unit},true))");
        let (annotation, array): (String, ArrayRef) = match self.form.times {
            Times::Millis => (utc("MILLIS"), Arc::new(TimestampMillisecondArray::from(cells).with_timezone("UTC"))),
            Times::Micros => (utc("MICROS"), Arc::new(TimestampMicrosecondArray::from(cells).with_timezone("UTC"))),
            Times::Nanos => (utc("NANOS"), Arc::new(TimestampNanosecondArray::from(cells).with_timezone("UTC"))),
            Times::Bare => (String::new(), Arc::new(Int64Array::from(cells))),
        };
        (self.line("int64", name, &annotation), array)
    }
}
