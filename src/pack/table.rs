//! `findings.parquet`: the list of findings as a table, for engines. It has the rows of `findings.csv` in their order, and gives the
//! same list again.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Int64Builder, StringBuilder, TimestampMillisecondBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::escape::{push_cell, unescape};
use crate::sinks::FINDINGS_HEADER;
use crate::timestamp::Timestamp;

/// Rows that are held at a time, and those of a row group.
const BATCH_ROWS: usize = 16_384;
const GROUP_ROWS: usize = 131_072;

/// How many bytes a batch may have in a table that somebody else made; ours have a tenth.
const MAX_BATCH_LEN: usize = 1 << 30;

/// What a column holds.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Number,
    Time,
}

fn columns() -> impl Iterator<Item = (&'static str, Kind)> {
    FINDINGS_HEADER.trim_end().split(',').map(|name| {
        let kind = match name {
            "is_latest" => Kind::Flag,
            "size" => Kind::Number,
            "last_modified" => Kind::Time,
            _ => Kind::Text,
        };
        (name, kind)
    })
}

fn schema() -> Arc<Schema> {
    let fields = columns().map(|(name, kind)| {
        let kind = match kind {
            Kind::Text => DataType::Utf8,
            Kind::Flag => DataType::Boolean,
            Kind::Number => DataType::Int64,
            Kind::Time => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        };
        Field::new(name, kind, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Writes the table of a list.
pub(super) fn write(list: impl Read, table: File) -> io::Result<()> {
    let level = ZstdLevel::try_new(3).map_err(io::Error::other)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        // Which version of a library wrote it is not what it is about.
        .set_created_by("logseal".to_owned())
        .build();
    let mut writer = ArrowWriter::try_new(table, schema(), Some(properties)).map_err(io::Error::other)?;
    let mut reader = csv::Reader::from_reader(list);
    if reader.headers()?.iter().collect::<Vec<_>>().join(",") != FINDINGS_HEADER.trim_end() {
        return Err(io::Error::other("it has other columns"));
    }
    let mut rows = Rows::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        rows.push(&record)?;
        if rows.len == BATCH_ROWS {
            writer.write(&rows.take()?).map_err(io::Error::other)?;
        }
    }
    writer.write(&rows.take()?).map_err(io::Error::other)?;
    writer.close().map(drop).map_err(io::Error::other)
}

/// Rows that become a batch.
struct Rows {
    columns: Vec<Column>,
    len: usize,
}

enum Column {
    Text(StringBuilder),
    Flag(BooleanBuilder),
    Number(Int64Builder),
    Time(TimestampMillisecondBuilder),
}

impl Rows {
    fn new() -> Self {
        let column = |(_, kind): (_, Kind)| match kind {
            Kind::Text => Column::Text(StringBuilder::new()),
            Kind::Flag => Column::Flag(BooleanBuilder::new()),
            Kind::Number => Column::Number(Int64Builder::new()),
            Kind::Time => Column::Time(TimestampMillisecondBuilder::new().with_timezone("UTC")),
        };
        Self { columns: columns().map(column).collect(), len: 0 }
    }

    fn push(&mut self, record: &csv::StringRecord) -> io::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(record) {
            let wrong = || io::Error::other("a cell is of another type than its column");
            let is_blank = cell.is_empty();
            match column {
                // The sign before what a spreadsheet would take for a formula is of the list only.
                Column::Text(column) => column.append_value(cell.strip_prefix('\'').unwrap_or(cell)),
                Column::Flag(column) => {
                    column.append_option(if is_blank { None } else { Some(cell.parse().map_err(|_| wrong())?) });
                }
                Column::Number(column) => {
                    column.append_option(if is_blank { None } else { Some(cell.parse().map_err(|_| wrong())?) });
                }
                Column::Time(column) => {
                    let time = Timestamp::parse(cell.as_bytes()).map(Timestamp::as_millis);
                    column.append_option(if is_blank { None } else { Some(time.ok_or_else(wrong)?) });
                }
            }
        }
        self.len += 1;
        Ok(())
    }

    fn take(&mut self) -> io::Result<RecordBatch> {
        self.len = 0;
        let finish = |column: &mut Column| -> ArrayRef {
            match column {
                Column::Text(column) => Arc::new(column.finish()),
                Column::Flag(column) => Arc::new(column.finish()),
                Column::Number(column) => Arc::new(column.finish()),
                Column::Time(column) => Arc::new(column.finish()),
            }
        };
        RecordBatch::try_new(schema(), self.columns.iter_mut().map(finish).collect()).map_err(io::Error::other)
    }
}

/// The list that a table was made of.
pub(super) struct AsList {
    batches: ParquetRecordBatchReader,
    lines: Vec<u8>,
    at: usize,
}

impl AsList {
    pub(super) fn of(table: File) -> io::Result<Self> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(table).map_err(io::Error::other)?;
        if builder.schema().fields() != schema().fields() {
            return Err(io::Error::other("it has other columns"));
        }
        let batches = builder.with_batch_size(BATCH_ROWS).build().map_err(io::Error::other)?;
        Ok(Self { batches, lines: FINDINGS_HEADER.as_bytes().to_vec(), at: 0 })
    }

    fn fill(&mut self) -> io::Result<()> {
        (self.at, self.lines) = (0, std::mem::take(&mut self.lines));
        self.lines.clear();
        let Some(batch) = self.batches.next() else { return Ok(()) };
        let batch = batch.map_err(io::Error::other)?;
        if batch.get_array_memory_size() > MAX_BATCH_LEN {
            return Err(io::Error::other("its rows are too long"));
        }
        for row in 0..batch.num_rows() {
            for (at, column) in batch.columns().iter().enumerate() {
                if at > 0 {
                    self.lines.push(b',');
                }
                push(&mut self.lines, column, row)?;
            }
            self.lines.push(b'\n');
        }
        Ok(())
    }
}

/// Appends a cell as the list has it.
fn push(lines: &mut Vec<u8>, column: &ArrayRef, row: usize) -> io::Result<()> {
    if column.is_null(row) {
        return Ok(());
    }
    match column.data_type() {
        DataType::Utf8 => {
            let text = column.as_string::<i32>().value(row);
            push_cell(lines, &unescape(text).ok_or_else(|| io::Error::other("a text is not escaped"))?);
        }
        DataType::Boolean => write!(lines, "{}", column.as_boolean().value(row))?,
        DataType::Int64 => write!(lines, "{}", column.as_primitive::<Int64Type>().value(row))?,
        _ => {
            let millis = column.as_primitive::<TimestampMillisecondType>().value(row);
            let time = Timestamp::from_millis(millis).ok_or_else(|| io::Error::other("a time is none"))?;
            write!(lines, "{time}")?;
        }
    }
    Ok(())
}

impl Read for AsList {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.lines.len() {
            self.fill()?;
        }
        let read = (&self.lines[self.at..]).read(buffer)?;
        self.at += read;
        Ok(read)
    }
}
