//! Blocks to a Parquet data file with the columns, types and compression of S3
//! Inventory: keys raw, missing values null, times in milliseconds UTC.

use std::{fs::File, io, sync::Arc};

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::Compression,
    errors::ParquetError,
    file::properties::WriterProperties,
    schema::types::ColumnPath,
};

use super::{
    export::{DataFile, Measured, Measures},
    place::BUCKET,
    rows::{Block, Lock, Object},
};

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

pub(super) struct ParquetFile {
    writer: ArrowWriter<Measured>,
    schema: SchemaRef,
}

impl ParquetFile {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let schema = schema();
        let options = ArrowWriterOptions::new()
            .with_properties(properties())
            .with_skip_arrow_metadata(true)
            .with_schema_root("s3.inventory".to_owned());
        let file = Measured::new(file);
        let writer = ArrowWriter::try_new_with_options(file, Arc::clone(&schema), options);
        Ok(Self { writer: writer.map_err(io_error)?, schema })
    }
}

impl DataFile for ParquetFile {
    fn write(&mut self, block: &Block) -> io::Result<()> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns(block));
        self.writer.write(&batch.map_err(io::Error::other)?).map_err(io_error)
    }

    fn finish(self: Box<Self>) -> io::Result<Measures> {
        self.writer.into_inner().map_err(io_error)?.finish()
    }
}

fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(cause) => io::Error::other(cause),
        },
        error => io::Error::other(error),
    }
}

/// Dictionaries everywhere but where nearly every value is another one.
fn properties() -> WriterProperties {
    ["key", "version_id", "e_tag"]
        .into_iter()
        .fold(WriterProperties::builder(), |builder, name| {
            builder.set_column_dictionary_enabled(ColumnPath::from(name), false)
        })
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build()
}

fn schema() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let optional = |name: &str, kind: DataType| Field::new(name, kind, true);
    Arc::new(Schema::new(vec![
        Field::new("bucket", DataType::Utf8, false),
        Field::new("key", DataType::Utf8, false),
        optional("version_id", DataType::Utf8),
        optional("is_latest", DataType::Boolean),
        optional("is_delete_marker", DataType::Boolean),
        optional("size", DataType::Int64),
        optional("last_modified_date", time()),
        optional("e_tag", DataType::Utf8),
        optional("storage_class", DataType::Utf8),
        optional("is_multipart_uploaded", DataType::Boolean),
        optional("replication_status", DataType::Utf8),
        optional("encryption_status", DataType::Utf8),
        optional("object_lock_retain_until_date", time()),
        optional("object_lock_mode", DataType::Utf8),
        optional("object_lock_legal_hold_status", DataType::Utf8),
        optional("intelligent_tiering_access_tier", DataType::Utf8),
        optional("bucket_key_status", DataType::Utf8),
        optional("checksum_algorithm", DataType::Utf8),
    ]))
}

/// The columns in the order of `schema`.
fn columns(block: &Block) -> Vec<ArrayRef> {
    let rows = || block.rows.iter();
    let objects = || rows().map(|row| row.object.as_ref());
    let of_object = |value: fn(&Object) -> &'static str| texts(objects().map(|it| it.map(value)));
    let of_lock = |value: fn(&Lock) -> &'static str| {
        texts(objects().map(|it| it.and_then(|object| object.lock.as_ref()).map(value)))
    };
    vec![
        texts(rows().map(|_| Some(BUCKET))),
        texts(rows().map(|row| Some(block.text(&row.key)))),
        texts(rows().map(|row| Some(block.text(&row.version_id)))),
        booleans(rows().map(|row| Some(row.is_latest))),
        booleans(rows().map(|row| Some(row.object.is_none()))),
        sizes(objects().map(|it| it.map(|object| object.size))),
        times(rows().map(|row| Some(row.last_modified))),
        texts(objects().map(|it| it.map(|object| block.text(&object.e_tag)))),
        of_object(|object| object.storage.class),
        booleans(objects().map(|it| it.map(|object| object.is_multipart))),
        of_object(|object| object.replication),
        of_object(|object| object.status.as_str()),
        times(objects().map(|it| it.and_then(|object| object.lock).map(|lock| lock.until))),
        of_lock(|lock| lock.mode),
        of_lock(|lock| lock.legal_hold),
        of_object(|object| object.storage.tier),
        texts(rows().map(|row| Some(row.bucket_key))),
        of_object(|object| object.checksum),
    ]
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let values = values.map(|value| value.filter(|text| !text.is_empty()));
    Arc::new(values.collect::<StringArray>())
}

fn booleans(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    Arc::new(values.collect::<BooleanArray>())
}

fn sizes(values: impl Iterator<Item = Option<u32>>) -> ArrayRef {
    Arc::new(values.map(|value| value.map(i64::from)).collect::<Int64Array>())
}

fn times(seconds: impl Iterator<Item = Option<u32>>) -> ArrayRef {
    let milliseconds = seconds.map(|value| value.map(|time| i64::from(time) * 1000));
    Arc::new(milliseconds.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}
