//! Row groups by way of arrow's reader: slower, with every form that Parquet knows.
//!
//! All columns that an audit reads are decoded at once, and nothing is deferred. Columns with few values keep their
//! dictionary codes, as far as the file has them. It is also what the tests hold the faster way against.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::RowGroup;
use super::damaged;
use crate::batch::{Batch, Cells, Column, ColumnSet, Flag, Flags, Number, Numbers, Schema, Span, TextList, Texts};
use crate::fault::UnitFault;
use crate::readers::{EachBatch, NothingDeferred, columns::MAX_ROWS};

/// Hands over all rows in batches and says how many there were.
pub(super) fn read(
    row_group: &RowGroup,
    scratch: &mut Scratch,
    cancelled: &dyn Fn() -> bool,
    each: &mut EachBatch<'_>,
) -> Result<u64, UnitFault> {
    let RowGroup { file, metadata, schema, number, first_row, .. } = row_group;
    let columns = Column::ALL.into_iter().filter_map(|column| schema.position(column));
    let mask = ProjectionMask::roots(metadata.parquet_schema(), columns);
    let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata.clone())
        .with_row_groups(vec![*number])
        .with_projection(mask)
        .with_batch_size(MAX_ROWS)
        .build()
        .map_err(damaged)?;
    let mut rows = 0;
    for batch in batches {
        if cancelled() {
            break;
        }
        let batch = batch.map_err(|error| UnitFault::Decode(error.to_string()))?;
        scratch.lend(&batch, schema, first_row.saturating_add(rows), each)?;
        rows += batch.num_rows() as u64;
    }
    Ok(rows)
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
    tier: CodedTexts,
    lock_mode: CodedTexts,
    legal_hold: CodedTexts,
    event_hold: CodedTexts,
    retain_until: Vec<Number>,
    is_latest: Vec<Flag>,
    is_delete_marker: Vec<Flag>,
    size: Vec<Number>,
    last_modified: Vec<Number>,
    etag: Vec<Span>,
    kms_key_arn: CodedTexts,
    is_bucket_key_enabled: Vec<Flag>,
    sequence_number: Vec<Span>,
    record_type: CodedTexts,
    record_timestamp: Vec<Number>,
    evidence_as_of: Vec<Number>,
    shown: [AnyCells; Column::SHOWN.len()],
}

/// Cells of a column of any type.
#[derive(Default)]
struct AnyCells {
    texts: CodedTexts,
    flags: Vec<Flag>,
    numbers: Vec<Number>,
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
        let mut shown = [Cells::default(); Column::SHOWN.len()];
        for ((cells, column), scratch) in shown.iter_mut().zip(Column::SHOWN).zip(&mut self.shown) {
            *cells = any_cells(array(column), scratch)?;
        }
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
            intelligent_tiering_access_tier: coded_texts(array(Column::IntelligentTieringAccessTier), &mut self.tier)?,
            object_lock_mode: coded_texts(array(Column::ObjectLockMode), &mut self.lock_mode)?,
            object_lock_retain_until_date: numbers(array(Column::ObjectLockRetainUntilDate), &mut self.retain_until)?,
            object_lock_legal_hold_status: coded_texts(array(Column::ObjectLockLegalHoldStatus), &mut self.legal_hold)?,
            object_lock_event_hold_status: coded_texts(array(Column::ObjectLockEventHoldStatus), &mut self.event_hold)?,
            etag: plain_texts(array(Column::ETag), &mut self.etag)?,
            kms_key_arn: coded_texts(array(Column::KmsKeyArn), &mut self.kms_key_arn)?,
            is_bucket_key_enabled: flags(array(Column::IsBucketKeyEnabled), &mut self.is_bucket_key_enabled)?,
            sequence_number: plain_texts(array(Column::SequenceNumber), &mut self.sequence_number)?,
            record_type: coded_texts(array(Column::RecordType), &mut self.record_type)?,
            record_timestamp: numbers(array(Column::RecordTimestamp), &mut self.record_timestamp)?,
            evidence_as_of: numbers(array(Column::EvidenceAsOf), &mut self.evidence_as_of)?,
            shown,
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

fn any_cells<'a>(array: Option<&'a ArrayRef>, cells: &'a mut AnyCells) -> Result<Cells<'a>, UnitFault> {
    Ok(match array.map(|array| array.data_type()) {
        None | Some(DataType::Dictionary(..)) => Cells::Texts(coded_texts(array, &mut cells.texts)?),
        Some(DataType::Boolean) => Cells::Flags(flags(array, &mut cells.flags)?),
        Some(_) => Cells::Numbers(numbers(array, &mut cells.numbers)?),
    })
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
