//! Parquet reports: the footer names the columns, a row group is a part.
//!
//! Pages are read with positioned reads, so row groups decode side by side from one open file. Text columns are read as
//! bytes, whatever the footer annotates: a key that is not UTF-8 must reach the report and not end it. Columns with few
//! values keep their dictionary codes, as far as the file has them.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::{EachBatch, NothingDeferred, SharedSchema, UnitFacts, UnitFault};
use crate::batch::{Batch, Column, ColumnSet, Flag, Flags, Number, Numbers, Schema, Span, TextList, Texts};
use crate::source::{FileFault, SourceFile};

/// Rows that are decoded at a time: their columns stay in the cache.
const BATCH_ROWS: usize = 8192;

/// Hands out the parts of a file.
pub(super) struct Reader {
    file: SharedFile,
    metadata: ArrowReaderMetadata,
    schema: SharedSchema,
    next_row_group: usize,
    rows_before: u64,
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
        let file = SharedFile(file);
        let footer = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(damaged)?;
        let metadata = without_text_annotations(footer).map_err(damaged)?;
        let names = metadata.file_metadata().schema_descr().root_schema().get_fields().iter().map(|field| field.name());
        let schema = Arc::new(Schema::from_names(names)?);
        let metadata = with_wanted_types(metadata, &schema)?;
        Ok(Self { file, metadata, schema, next_row_group: 0, rows_before: 0 })
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
            first_row: self.rows_before + 1,
        };
        self.next_row_group += 1;
        self.rows_before = self.rows_before.saturating_add(rows);
        Ok(Some(row_group))
    }

    pub(super) fn bytes_read(&self) -> u64 {
        let row_groups = self.metadata.metadata().num_row_groups().max(1) as u64;
        self.file.0.len() / row_groups * self.next_row_group as u64
    }

    pub(super) fn facts(&self) -> UnitFacts {
        UnitFacts { rows: self.rows_before, bytes: self.file.0.len(), unknown_columns: self.schema.unknown.clone() }
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

impl RowGroup {
    pub(super) fn read(
        self,
        _wanted: ColumnSet,
        scratch: &mut Scratch,
        cancelled: &dyn Fn() -> bool,
        each: &mut EachBatch<'_>,
    ) -> Result<(), UnitFault> {
        let wanted = Column::ALL.into_iter().filter_map(|column| self.schema.position(column));
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), wanted);
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
            .with_row_groups(vec![self.number])
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(damaged)?;
        let mut rows = 0;
        for batch in batches {
            if cancelled() {
                return Ok(());
            }
            let batch = batch.map_err(|error| UnitFault::Decode(error.to_string()))?;
            scratch.lend(&batch, &self.schema, self.first_row + rows, each)?;
            rows += batch.num_rows() as u64;
        }
        self.file.0.check_unchanged()?;
        if rows == self.rows { Ok(()) } else { Err(UnitFault::RowCount { expected: self.rows, found: rows }) }
    }
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

/// Asks for the types that batches are made of, and refuses columns that cannot have them.
fn with_wanted_types(footer: ParquetMetaData, schema: &Schema) -> Result<ArrowReaderMetadata, UnitFault> {
    let footer = Arc::new(footer);
    let found = ArrowReaderMetadata::try_new(Arc::clone(&footer), ArrowReaderOptions::new()).map_err(damaged)?;
    let mut fields = found.schema().fields().to_vec();
    for column in Column::ALL {
        let Some(position) = schema.position(column) else { continue };
        let Some(field) = fields.get(position) else { continue };
        let Some(wanted) = wanted_type(column, field.data_type()) else {
            return Err(UnitFault::ColumnType { column: field.name().clone(), found: field.data_type().to_string() });
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
        (Column::Key | Column::VersionId, DataType::Binary) => Some(DataType::Binary),
        (
            Column::Bucket | Column::StorageClass | Column::EncryptionStatus | Column::BucketKeyStatus,
            DataType::Binary,
        ) => Some(coded()),
        (Column::IsLatest | Column::IsDeleteMarker, DataType::Boolean) => Some(DataType::Boolean),
        (Column::Size, DataType::Int32 | DataType::Int64) => Some(found.clone()),
        (Column::LastModifiedDate, DataType::Int64) => Some(DataType::Int64),
        // INT96 is read as nanoseconds, which reach only the years 1677 to 2262.
        (Column::LastModifiedDate, DataType::Timestamp(unit, _)) if *unit != TimeUnit::Second => Some(found.clone()),
        _ => None,
    }
}

/// Columns in the form of batches, as far as arrow's own form differs.
#[derive(Default)]
pub(super) struct Scratch {
    key: Vec<Span>,
    version_id: Vec<Span>,
    bucket: CodedTexts,
    storage_class: CodedTexts,
    encryption_status: CodedTexts,
    bucket_key_status: CodedTexts,
    is_latest: Vec<Flag>,
    is_delete_marker: Vec<Flag>,
    size: Vec<Number>,
    last_modified: Vec<Number>,
}

#[derive(Default)]
struct CodedTexts {
    codes: Vec<u32>,
    dictionary: Vec<Span>,
}

impl Scratch {
    fn lend(
        &mut self,
        batch: &RecordBatch,
        schema: &Schema,
        first_row: u64,
        each: &mut EachBatch<'_>,
    ) -> Result<(), UnitFault> {
        // Projected columns keep the order that they have in the file.
        let array = |column: Column| -> Option<&ArrayRef> {
            let position = schema.position(column)?;
            let before = Column::ALL.into_iter().filter_map(|other| schema.position(other));
            batch.columns().get(before.filter(|other| *other < position).count())
        };
        let batch = Batch {
            len: batch.num_rows(),
            first_row,
            states: None,
            deferred: ColumnSet::NONE,
            bucket: coded_texts(array(Column::Bucket), &mut self.bucket)?,
            key: plain_texts(array(Column::Key), &mut self.key)?,
            version_id: plain_texts(array(Column::VersionId), &mut self.version_id)?,
            is_latest: flags(array(Column::IsLatest), &mut self.is_latest)?,
            is_delete_marker: flags(array(Column::IsDeleteMarker), &mut self.is_delete_marker)?,
            size: numbers(array(Column::Size), &mut self.size)?,
            last_modified: numbers(array(Column::LastModifiedDate), &mut self.last_modified)?,
            storage_class: coded_texts(array(Column::StorageClass), &mut self.storage_class)?,
            encryption_status: coded_texts(array(Column::EncryptionStatus), &mut self.encryption_status)?,
            bucket_key_status: coded_texts(array(Column::BucketKeyStatus), &mut self.bucket_key_status)?,
        };
        each(&batch, &mut NothingDeferred)
    }
}

fn unexpected(array: &ArrayRef) -> UnitFault {
    UnitFault::Decode(format!("a column was decoded as {}", array.data_type()))
}

fn plain_texts<'a>(array: Option<&'a ArrayRef>, spans: &'a mut Vec<Span>) -> Result<Texts<'a>, UnitFault> {
    let Some(array) = array else { return Ok(Texts::Absent) };
    let texts = array.as_binary_opt::<i32>().ok_or_else(|| unexpected(array))?;
    Ok(Texts::Plain(text_list(texts, spans)))
}

/// Arrow gives a null no bytes, so it reads as blank.
fn text_list<'a>(array: &'a BinaryArray, spans: &'a mut Vec<Span>) -> TextList<'a> {
    spans.clear();
    spans.extend(
        array.value_offsets().windows(2).map(|ends| Span { from: ends[0] as u32, len: (ends[1] - ends[0]) as u32 }),
    );
    TextList::new(array.value_data(), spans)
}

fn coded_texts<'a>(array: Option<&'a ArrayRef>, coded: &'a mut CodedTexts) -> Result<Texts<'a>, UnitFault> {
    /// A code that no dictionary has: the row is blank.
    const NULL: u32 = u32::MAX;
    let Some(array) = array else { return Ok(Texts::Absent) };
    let dictionary = array.as_dictionary_opt::<Int32Type>().ok_or_else(|| unexpected(array))?;
    let texts = dictionary.values().as_binary_opt::<i32>().ok_or_else(|| unexpected(array))?;
    let keys = dictionary.keys();
    let codes = &mut coded.codes;
    codes.clear();
    match keys.nulls() {
        None => codes.extend(keys.values().iter().map(|&key| key as u32)),
        Some(_) => codes.extend(keys.iter().map(|key| key.map_or(NULL, |key| key as u32))),
    }
    Ok(Texts::Coded { codes, dictionary: text_list(texts, &mut coded.dictionary) })
}

fn flags<'a>(array: Option<&ArrayRef>, flags: &'a mut Vec<Flag>) -> Result<Flags<'a>, UnitFault> {
    let Some(array) = array else { return Ok(Flags::Absent) };
    let booleans = array.as_boolean_opt().ok_or_else(|| unexpected(array))?;
    flags.clear();
    flags.extend(booleans.iter().map(|boolean| match boolean {
        None => Flag::Blank,
        Some(true) => Flag::True,
        Some(false) => Flag::False,
    }));
    Ok(Flags::Plain(flags))
}

fn numbers<'a>(array: Option<&ArrayRef>, numbers: &'a mut Vec<Number>) -> Result<Numbers<'a>, UnitFault> {
    let Some(array) = array else { return Ok(Numbers::Absent) };
    numbers.clear();
    let mut fill = |values: &mut dyn Iterator<Item = Option<i64>>| {
        numbers.extend(values.map(|value| value.map_or(Number::BLANK, Number::new)));
    };
    match array.data_type() {
        DataType::Int32 => fill(&mut array.as_primitive::<Int32Type>().iter().map(|value| value.map(i64::from))),
        DataType::Int64 => fill(&mut array.as_primitive::<Int64Type>().iter()),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            fill(&mut array.as_primitive::<TimestampMillisecondType>().iter());
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>();
            fill(&mut micros.iter().map(|value| value.map(|micros| micros.div_euclid(1000))));
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let nanos = array.as_primitive::<TimestampNanosecondType>();
            fill(&mut nanos.iter().map(|value| value.map(|nanos| nanos.div_euclid(1_000_000))));
        }
        _ => return Err(unexpected(array)),
    }
    Ok(Numbers::Plain(numbers))
}

/// One open file that many readers share: every read says where it begins.
#[derive(Clone)]
struct SharedFile(Arc<SourceFile>);

/// Reads on from a position of a shared file.
struct ReadFrom {
    file: SharedFile,
    offset: u64,
}

impl Read for ReadFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.0.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Length for SharedFile {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for SharedFile {
    type T = BufReader<ReadFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        /// Page headers are read this way; most have less than 100 bytes.
        const HEADER_LEN: usize = 512;
        Ok(BufReader::with_capacity(HEADER_LEN, ReadFrom { file: self.clone(), offset: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // Lengths come from the file: nothing is allocated for bytes that it does not have.
        if start.checked_add(length as u64).is_none_or(|end| end > self.0.len()) {
            return Err(ParquetError::EOF("a part of the file lies behind its end".into()));
        }
        let mut buffer = vec![0; length];
        self.0.read_exact_at(&mut buffer, start)?;
        Ok(buffer.into())
    }
}
