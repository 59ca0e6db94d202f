//! Blocks to a Parquet data file with the columns, types and compression of S3 Inventory: keys raw, missing values null,
//! times in milliseconds UTC.

use std::fs::File;
use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowWriter, parquet_to_arrow_schema};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::file::DataFile;
use super::place::{BUCKET, timestamp};
use super::rows::{Block, Lock, Object};

pub(super) const SCHEMA: &str = "message s3.inventory {  required binary bucket (STRING);  \
     required binary key (STRING);  optional binary version_id (STRING);  \
     optional boolean is_latest;  optional boolean is_delete_marker;  optional int64 size;  \
     optional int64 last_modified_date (TIMESTAMP(MILLIS,true));  \
     optional binary e_tag (STRING);  optional binary storage_class (STRING);  \
     optional boolean is_multipart_uploaded;  optional binary replication_status (STRING);  \
     optional binary encryption_status (STRING);  \
     optional int64 object_lock_retain_until_date (TIMESTAMP(MILLIS,true));  \
     optional binary object_lock_mode (STRING);  \
     optional binary object_lock_legal_hold_status (STRING);  \
     optional binary intelligent_tiering_access_tier (STRING);  \
     optional binary bucket_key_status (STRING);  optional binary checksum_algorithm (STRING);}";

const ROW_GROUP_ROWS: usize = 131_072;
/// Dictionaries everywhere but where nearly every value is another one.
const WITHOUT_DICTIONARY: [&str; 5] =
    ["key", "version_id", "last_modified_date", "e_tag", "object_lock_retain_until_date"];

pub(super) struct ParquetFile {
    writer: ArrowWriter<File>,
    schema: SchemaRef,
}

impl ParquetFile {
    pub(super) fn new(file: File) -> Result<Self, ParquetError> {
        let message = SchemaDescriptor::new(Arc::new(parse_message_type(SCHEMA)?));
        let schema = Arc::new(parquet_to_arrow_schema(&message, None)?);
        let options = ArrowWriterOptions::new()
            .with_properties(properties())
            .with_skip_arrow_metadata(true)
            .with_schema_root(message.name().to_owned());
        let writer = ArrowWriter::try_new_with_options(file, Arc::clone(&schema), options)?;
        Ok(Self { writer, schema })
    }
}

impl DataFile for ParquetFile {
    fn write(&mut self, block: &Block) -> io::Result<()> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns(block)).map_err(io::Error::other)?;
        Ok(self.writer.write(&batch)?)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.writer.close()?;
        Ok(())
    }
}

fn properties() -> WriterProperties {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    WITHOUT_DICTIONARY
        .map(ColumnPath::from)
        .into_iter()
        .fold(properties, |properties, column| properties.set_column_dictionary_enabled(column, false))
        .build()
}

/// The columns in the order of [`SCHEMA`].
fn columns(block: &Block) -> Vec<ArrayRef> {
    let rows = || block.rows.iter();
    let objects = || rows().map(|row| row.object.as_ref());
    let locks = || objects().map(|object| object?.lock.as_ref());
    let of_object = |value: fn(&Object) -> &'static str| texts(objects().map(|object| object.map(value)));
    let of_lock = |value: fn(&Lock) -> &'static str| texts(locks().map(|lock| lock.map(value)));
    vec![
        texts(rows().map(|_| Some(BUCKET))),
        texts(rows().map(|row| Some(block.text(&row.key)))),
        texts(rows().map(|row| Some(block.text(&row.version_id)))),
        booleans(rows().map(|row| Some(row.is_latest))),
        booleans(rows().map(|row| Some(row.object.is_none()))),
        Arc::new(objects().map(|object| Some(i64::from(object?.size))).collect::<Int64Array>()),
        times(rows().map(|row| Some(row.last_modified))),
        texts(objects().map(|object| Some(block.text(&object?.e_tag)))),
        of_object(|object| object.storage.class),
        booleans(objects().map(|object| Some(object?.is_multipart))),
        of_object(|object| object.replication),
        of_object(|object| object.status.as_str()),
        times(locks().map(|lock| Some(lock?.until))),
        of_lock(|lock| lock.mode),
        of_lock(|lock| lock.legal_hold),
        of_object(|object| object.storage.tier),
        texts(rows().map(|row| Some(row.bucket_key))),
        of_object(|object| object.checksum),
    ]
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.map(|value| value.filter(|text| !text.is_empty())).collect::<StringArray>())
}

fn booleans(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    Arc::new(values.collect::<BooleanArray>())
}

fn times(seconds: impl Iterator<Item = Option<u32>>) -> ArrayRef {
    let millis = seconds.map(|seconds| Some(timestamp(seconds?).as_millis()));
    Arc::new(millis.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}
