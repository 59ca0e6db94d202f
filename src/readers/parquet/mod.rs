//! Parquet reports: the footer names the columns, a row group is a part.
//!
//! Row groups decode side by side from one open file. Text columns are read as bytes, whatever the footer annotates: a key
//! that is not UTF-8 must reach the report and not end it. There are two ways to read a row group. Where all columns that
//! matter are flat and have common encodings and compressions, their pages are read by [`mod@columns`], which lends texts from
//! the pages as they stand there, keeps dictionary codes, and reads columns that only findings need for these alone.
//! Every other row group is read by [`arrow`], all columns at once. Both give the same rows.

mod arrow;
mod columns;
mod cursor;
mod file;
mod header;
mod hybrid;
mod pages;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::{Compression, Encoding, LogicalType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::statistics::Statistics;
use parquet::schema::types::{SchemaDescriptor, Type};

use self::columns::columns;
use self::cursor::{Chunk, ValueKind};
use self::file::SharedFile;
use self::pages::{ChunkRange, Codec};
use super::{EachBatch, SharedSchema, UnitFacts, UnitFault, type_of};
use crate::batch::{Column, ColumnSet, Schema};
use crate::source::{FileFault, SourceFile};
use crate::timestamp::Timestamp;

/// Hands out the parts of a file.
pub(super) struct Reader {
    file: SharedFile,
    metadata: ArrowReaderMetadata,
    schema: SharedSchema,
    next_row_group: usize,
    rows_before: u64,
    newest: Option<i64>,
}

/// A row group that has not been read.
pub(super) struct RowGroup {
    file: SharedFile,
    metadata: ArrowReaderMetadata,
    schema: SharedSchema,
    number: usize,
    rows: u64,
    first_row: u64,
}

impl Reader {
    pub(super) fn new(file: Arc<SourceFile>) -> Result<Self, UnitFault> {
        refuse_encrypted(&file)?;
        let file = SharedFile(file);
        let footer = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(damaged)?;
        let metadata = without_text_annotations(footer).map_err(damaged)?;
        let names = metadata.file_metadata().schema_descr().root_schema().get_fields().iter().map(|field| field.name());
        let mut schema = Schema::from_names(names)?;
        let metadata = with_wanted_types(metadata, &mut schema)?;
        check_codecs(&metadata, &mut schema)?;
        let newest = schema.position(Column::LastModifiedDate).and_then(|position| newest(&metadata, position));
        let schema = Arc::new(schema);
        Ok(Self { file, metadata, schema, next_row_group: 0, rows_before: 0, newest })
    }

    pub(super) fn next_row_group(&mut self) -> Result<Option<RowGroup>, UnitFault> {
        let footer = self.metadata.metadata();
        let Some(row_group) = footer.row_groups().get(self.next_row_group) else {
            return self.finish().map(|()| None);
        };
        let rows = u64::try_from(row_group.num_rows()).map_err(|_| UnitFault::Decode("negative row count".into()))?;
        let row_group = RowGroup {
            file: self.file.clone(),
            metadata: self.metadata.clone(),
            schema: Arc::clone(&self.schema),
            number: self.next_row_group,
            rows,
            first_row: self.rows_before.saturating_add(1),
        };
        self.next_row_group += 1;
        self.rows_before = self.rows_before.saturating_add(rows);
        Ok(Some(row_group))
    }

    pub(super) fn bytes_read(&self) -> u64 {
        let row_groups = self.metadata.metadata().num_row_groups().max(1) as u64;
        self.file.0.len() / row_groups * self.next_row_group as u64
    }

    /// The newest last-modified, if the footer says it of all rows.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest
    }

    pub(super) fn facts(&self) -> UnitFacts {
        UnitFacts {
            rows: self.rows_before,
            bytes: self.file.0.len(),
            columns: self.schema.columns(),
            unknown_columns: self.schema.unknown.clone(),
            newest: self.newest,
        }
    }

    fn finish(&self) -> Result<(), UnitFault> {
        let footer_rows = self.metadata.metadata().file_metadata().num_rows();
        if u64::try_from(footer_rows) == Ok(self.rows_before) {
            return Ok(());
        }
        let expected = footer_rows.max(0) as u64;
        Err(UnitFault::RowCount { expected, found: self.rows_before })
    }
}

/// What a worker keeps from part to part to save allocations.
#[derive(Default)]
pub(super) struct Scratch {
    columns: columns::Scratch,
    arrow: arrow::Scratch,
}

impl RowGroup {
    pub(super) fn range(&self) -> Range<u64> {
        self.first_row..self.first_row.saturating_add(self.rows)
    }

    pub(super) fn read(
        self,
        wanted: ColumnSet,
        scratch: &mut Scratch,
        cancelled: &dyn Fn() -> bool,
        each: &mut EachBatch<'_>,
    ) -> Result<(), UnitFault> {
        let rows = match self.plain_chunks()? {
            Some(chunks) => {
                let mut columns = columns(&self.file.0, &chunks, wanted, &mut scratch.columns);
                columns.read(self.rows, self.first_row, cancelled, each)?
            }
            None => arrow::read(&self, &mut scratch.arrow, cancelled, each)?,
        };
        if cancelled() {
            return Ok(());
        }
        self.file.0.check_unchanged()?;
        if rows == self.rows { Ok(()) } else { Err(UnitFault::RowCount { expected: self.rows, found: rows }) }
    }

    /// The chunks of the columns that an audit reads, if none of them needs arrow's reader.
    fn plain_chunks(&self) -> Result<Option<Vec<Chunk>>, UnitFault> {
        let mut chunks = Vec::new();
        for column in Column::ALL {
            let Some(position) = self.schema.position(column) else { continue };
            let Some(chunk) = self.plain_chunk(column, position)? else { return Ok(None) };
            chunks.push(chunk);
        }
        Ok(Some(chunks))
    }

    fn plain_chunk(&self, column: Column, position: usize) -> Result<Option<Chunk>, UnitFault> {
        let schema = self.metadata.parquet_schema();
        let Some(leaf) = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == position) else {
            return Ok(None);
        };
        let described = schema.column(leaf);
        let stored = self.metadata.metadata().row_group(self.number).columns().get(leaf);
        let (Some(stored), Some(field)) = (stored, self.metadata.schema().fields().get(position)) else {
            return Ok(None);
        };
        let is_flat = described.path().parts().len() == 1 && described.max_rep_level() == 0;
        let has_common_encodings = stored.encodings().all(is_common);
        let kind = value_kind(described.physical_type(), field.data_type());
        let (true, true, Some(kind), Some(codec)) =
            (is_flat, has_common_encodings, kind, Codec::new(stored.compression()))
        else {
            return Ok(None);
        };
        let range = chunk_range(stored, codec, self.file.0.len());
        let range = range.ok_or_else(|| super::damaged("a column lies outside of the file"))?;
        Ok(Some(Chunk { column, range, kind, is_optional: described.max_def_level() > 0 }))
    }
}

/// Encodings that are read without arrow. The packed one is for levels, and not for those of flat columns.
fn is_common(encoding: Encoding) -> bool {
    #[expect(deprecated, reason = "writers name it for levels that flat columns do not have")]
    let of_no_levels = Encoding::BIT_PACKED;
    let known = [Encoding::PLAIN, Encoding::PLAIN_DICTIONARY, Encoding::RLE_DICTIONARY, Encoding::RLE, of_no_levels];
    known.contains(&encoding)
}

/// How values are stored and what becomes of them; nothing for those that arrow converts.
fn value_kind(stored: PhysicalType, read_as: &DataType) -> Option<ValueKind> {
    let divisor = |divisor| Some(ValueKind::Int64 { divisor });
    match (stored, read_as) {
        (PhysicalType::BYTE_ARRAY, DataType::Binary | DataType::Dictionary(..)) => Some(ValueKind::Text),
        (PhysicalType::BOOLEAN, DataType::Boolean) => Some(ValueKind::Flag),
        (PhysicalType::INT32, DataType::Int32) => Some(ValueKind::Int32),
        (PhysicalType::INT64, DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, _)) => divisor(1),
        (PhysicalType::INT64, DataType::Timestamp(TimeUnit::Microsecond, _)) => divisor(1000),
        (PhysicalType::INT64, DataType::Timestamp(TimeUnit::Nanosecond, _)) => divisor(1_000_000),
        _ => None,
    }
}

/// Refuses files whose footer is encrypted, which end in another word than others ("Encrypted footer mode" of Parquet's
/// format description).
fn refuse_encrypted(file: &SourceFile) -> Result<(), UnitFault> {
    let mut end = [0; 4];
    if let Some(at) = file.len().checked_sub(end.len() as u64) {
        file.read_exact_at(&mut end, at).map_err(FileFault::Unreadable)?;
    }
    if end == *b"PARE" { Err(UnitFault::Format("encrypted Parquet")) } else { Ok(()) }
}

/// Refuses columns that an audit reads if nothing here decompresses them. Those that are only shown are left out instead.
fn check_codecs(metadata: &ArrowReaderMetadata, schema: &mut Schema) -> Result<(), UnitFault> {
    let described = metadata.parquet_schema();
    for leaf in 0..described.num_columns() {
        let position = described.get_column_root_idx(leaf);
        let Some(column) = Column::ALL.into_iter().find(|column| schema.position(*column) == Some(position)) else {
            continue;
        };
        let row_groups = metadata.metadata().row_groups().iter();
        let codecs = row_groups.filter_map(|row_group| Some(row_group.columns().get(leaf)?.compression()));
        match codecs.into_iter().find_map(unread_codec) {
            Some(_) if ColumnSet::SHOWN.contains(column) => schema.leave_out(column),
            Some(unread) => return Err(UnitFault::Format(unread)),
            None => {}
        }
    }
    Ok(())
}

fn unread_codec(codec: Compression) -> Option<&'static str> {
    match codec {
        Compression::BROTLI(_) => Some("Brotli-compressed Parquet"),
        Compression::LZ4 | Compression::LZ4_RAW => Some("LZ4-compressed Parquet"),
        Compression::LZO => Some("LZO-compressed Parquet"),
        _ => None,
    }
}

/// The largest of the times of a column, in milliseconds, as far as the statistics of all row groups say it.
fn newest(metadata: &ArrowReaderMetadata, position: usize) -> Option<i64> {
    let schema = metadata.parquet_schema();
    let leaf = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == position)?;
    let kind = value_kind(schema.column(leaf).physical_type(), metadata.schema().fields().get(position)?.data_type());
    let Some(ValueKind::Int64 { divisor }) = kind else { return None };
    let largest = |row_group: &RowGroupMetaData| match row_group.columns().get(leaf)?.statistics()? {
        Statistics::Int64(statistics) if statistics.max_is_exact() => statistics.max_opt().copied(),
        _ => None,
    };
    let row_groups = metadata.metadata().row_groups().iter().filter(|row_group| row_group.num_rows() > 0);
    let newest =
        row_groups.map(largest).try_fold(None, |newest: Option<i64>, next| next.map(|next| newest.max(Some(next))))?;
    // What is no time is in a row that is rejected, and says nothing of the others.
    newest.map(|newest| newest.div_euclid(divisor)).filter(|newest| Timestamp::from_millis(*newest).is_some())
}

/// A chunk begins with its dictionary, if it has one.
fn chunk_range(stored: &ColumnChunkMetaData, codec: Codec, file_len: u64) -> Option<ChunkRange> {
    let start = stored.dictionary_page_offset().unwrap_or(stored.data_page_offset());
    let start = u64::try_from(start).ok()?;
    let end = start.checked_add(u64::try_from(stored.compressed_size()).ok()?)?;
    (end <= file_len).then_some(ChunkRange { start, end, codec })
}

fn damaged(error: ParquetError) -> UnitFault {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => UnitFault::File(FileFault::Unreadable(*error)),
            Err(cause) => UnitFault::Decode(cause.to_string()),
        },
        error => UnitFault::Decode(error.to_string()),
    }
}

/// The same metadata with plain bytes for every text column, so that nothing insists on UTF-8.
fn without_text_annotations(footer: ParquetMetaData) -> Result<ParquetMetaData, ParquetError> {
    let file = footer.file_metadata();
    let root = file.schema_descr().root_schema();
    let fields = root.get_fields().iter().map(without_text_annotation).collect::<Result<Vec<_>, _>>()?;
    let root = Type::group_type_builder(root.name()).with_fields(fields).build()?;
    let plain = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        None,
        Arc::new(SchemaDescriptor::new(Arc::new(root))),
        file.column_orders().cloned(),
    );
    Ok(ParquetMetaData::new(plain, footer.row_groups().to_vec()))
}

fn without_text_annotation(field: &Arc<Type>) -> Result<Arc<Type>, ParquetError> {
    let is_text = field.is_primitive()
        && field.get_physical_type() == PhysicalType::BYTE_ARRAY
        && !matches!(field.get_basic_info().logical_type_ref(), Some(LogicalType::Decimal { .. }));
    if !is_text {
        return Ok(Arc::clone(field));
    }
    let info = field.get_basic_info();
    Type::primitive_type_builder(field.name(), PhysicalType::BYTE_ARRAY)
        .with_repetition(info.repetition())
        .build()
        .map(Arc::new)
}

/// Asks for the types that batches are made of, and refuses columns that cannot have them. Those that only say how an
/// object can be put right, or are only shown, are left out instead: no verdict depends on them, and AWS does not state the
/// types of all.
fn with_wanted_types(footer: ParquetMetaData, schema: &mut Schema) -> Result<ArrowReaderMetadata, UnitFault> {
    let footer = Arc::new(footer);
    let found = ArrowReaderMetadata::try_new(Arc::clone(&footer), ArrowReaderOptions::new()).map_err(damaged)?;
    let mut fields = found.schema().fields().to_vec();
    for column in Column::ALL {
        let Some(position) = schema.position(column) else { continue };
        let Some(field) = fields.get(position) else { continue };
        let Some(wanted) = wanted_type(column, field.data_type()) else {
            if ColumnSet::SHOWN.contains(column) {
                schema.leave_out(column);
                continue;
            }
            if ColumnSet::REMEDIATION.with(Column::ETag).contains(column) {
                schema.forget(column, field.name());
                continue;
            }
            return Err(UnitFault::ColumnType {
                column: field.name().clone(),
                wanted: type_of(column),
                found: field.data_type().to_string(),
            });
        };
        fields[position] = Arc::new(ArrowField::new(field.name(), wanted, field.is_nullable()));
    }
    let options = ArrowReaderOptions::new().with_schema(Arc::new(ArrowSchema::new(fields)));
    ArrowReaderMetadata::try_new(footer, options).map_err(damaged)
}

/// The type to read a column as, or nothing when the file's own type cannot be read as one.
fn wanted_type(column: Column, found: &DataType) -> Option<DataType> {
    let coded = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Binary));
    match (column, found) {
        (Column::Key | Column::VersionId | Column::ETag | Column::SequenceNumber, DataType::Binary) => {
            Some(DataType::Binary)
        }
        (
            Column::Bucket
            | Column::StorageClass
            | Column::EncryptionStatus
            | Column::BucketKeyStatus
            | Column::IntelligentTieringAccessTier
            | Column::ObjectLockMode
            | Column::ObjectLockLegalHoldStatus
            | Column::ObjectLockEventHoldStatus
            | Column::KmsKeyArn
            | Column::RecordType,
            DataType::Binary,
        ) => Some(coded()),
        (Column::IsLatest | Column::IsDeleteMarker | Column::IsBucketKeyEnabled, DataType::Boolean) => {
            Some(DataType::Boolean)
        }
        (column, found) if ColumnSet::SHOWN.contains(column) => match found {
            DataType::Binary => Some(coded()),
            DataType::Boolean | DataType::Int32 | DataType::Int64 => Some(found.clone()),
            DataType::Timestamp(unit, _) if *unit != TimeUnit::Second => Some(found.clone()),
            _ => None,
        },
        (Column::Size, DataType::Int32 | DataType::Int64) => Some(found.clone()),
        (column, DataType::Int64) if is_time(column) => Some(DataType::Int64),
        // INT96 is read as nanoseconds, which reach only the years 1677 to 2262.
        (column, DataType::Timestamp(unit, _)) if is_time(column) && *unit != TimeUnit::Second => Some(found.clone()),
        _ => None,
    }
}

fn is_time(column: Column) -> bool {
    matches!(
        column,
        Column::LastModifiedDate | Column::ObjectLockRetainUntilDate | Column::RecordTimestamp | Column::EvidenceAsOf
    )
}
