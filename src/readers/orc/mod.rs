//! ORC reports: the footer names the columns, a stripe is a part.
//!
//! Stripes decode side by side from one open file, row by row through cursors that hold a chunk of each stream and the
//! dictionaries of the stripe. The reader is narrow: it knows the types that inventories have and the encodings of both
//! versions, and what it does not know is a fault. Columns are found by name, and of those that an audit does not read no
//! byte is read. Statistics, indexes and filters are not believed, because they are not looked at.

mod bits;
mod cursor;
mod ints;
mod proto;
mod stream;
mod stripe;
mod tail;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use self::cursor::StoredColumn;
use self::cursor::{Streams, ValueKind};
use self::stream::{Budget, Compression};
use self::tail::{ColumnType, StripeInfo, Tail};
use super::columns::{Columns, GatheredColumns};
use super::{EachBatch, SharedSchema, UnitFacts, UnitFault, type_of};
use crate::batch::{Column, ColumnSet, Schema};
use crate::source::SourceFile;

/// What the buffers of one stripe may take together, whatever the file says. Real ones take about 10 MiB, and their
/// dictionaries no more than the stripe that the writer held in memory: 64 MiB.
const STRIPE_BUDGET: usize = 80 << 20;

/// Hands out the parts of a file.
pub(super) struct Reader {
    file: Arc<SourceFile>,
    tail: Tail,
    schema: SharedSchema,
    columns: Arc<FoundColumns>,
    rows_before: u64,
}

/// A stripe that has not been read.
pub(super) struct Stripe {
    file: Arc<SourceFile>,
    compression: Compression,
    columns: Arc<FoundColumns>,
    info: StripeInfo,
    first_row: u64,
}

/// Those of the columns that an audit reads which the file has.
type FoundColumns = [Option<StoredColumn>; Column::ALL.len()];

/// What a worker keeps from part to part to save allocations.
#[derive(Default)]
pub(super) struct Scratch {
    gathered: GatheredColumns,
}

impl Reader {
    pub(super) fn new(file: Arc<SourceFile>) -> Result<Self, UnitFault> {
        let tail = Tail::read(&file)?;
        let mut schema = Schema::from_names(tail.columns.iter().map(|column| column.name.as_str()))?;
        let columns = Arc::new(find_columns(&tail.columns, &mut schema)?);
        Ok(Self { file, tail, schema: Arc::new(schema), columns, rows_before: 0 })
    }

    pub(super) fn next_stripe(&mut self) -> Result<Option<Stripe>, UnitFault> {
        let Some(info) = self.tail.next_stripe()? else { return self.finish().map(|()| None) };
        let stripe = Stripe {
            file: Arc::clone(&self.file),
            compression: self.tail.compression,
            columns: Arc::clone(&self.columns),
            info,
            first_row: self.rows_before.saturating_add(1),
        };
        self.rows_before = self.rows_before.saturating_add(info.rows);
        Ok(Some(stripe))
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.tail.bytes_read()
    }

    pub(super) fn facts(&self) -> UnitFacts {
        UnitFacts {
            rows: self.rows_before,
            bytes: self.file.len(),
            columns: self.schema.columns(),
            unknown_columns: self.schema.unknown.clone(),
            newest: None,
        }
    }

    fn finish(&self) -> Result<(), UnitFault> {
        let (expected, found) = (self.tail.rows, self.rows_before);
        if expected == found { Ok(()) } else { Err(UnitFault::RowCount { expected, found }) }
    }
}

impl Stripe {
    pub(super) fn range(&self) -> Range<u64> {
        self.first_row..self.first_row.saturating_add(self.info.rows)
    }

    pub(super) fn read(
        self,
        wanted: ColumnSet,
        scratch: &mut Scratch,
        cancelled: &dyn Fn() -> bool,
        each: &mut EachBatch<'_>,
    ) -> Result<(), UnitFault> {
        let rows = self.info.rows;
        let budget = Budget::new(STRIPE_BUDGET);
        let streams = Streams { file: &self.file, budget: &budget, compression: self.compression };
        let mut stored = FoundColumns::clone(&self.columns);
        stripe::read_footer(streams, &self.info, &mut stored)?;
        let cursors =
            stored.iter().map(|column| column.as_ref().map(|column| streams.cursor(column, rows)).transpose());
        let cursors = cursors.collect::<Result<Vec<_>, _>>()?;
        let mut columns = Columns::new(cursors, wanted, &mut scratch.gathered);
        let read = columns.read(rows, self.first_row, cancelled, each)?;
        if cancelled() {
            return Ok(());
        }
        self.file.check_unchanged()?;
        if read == rows { Ok(()) } else { Err(UnitFault::RowCount { expected: rows, found: read }) }
    }
}

/// Refuses columns of types that cannot be read. Those that only say how an object can be put right, or are only shown, are
/// left out instead: no verdict depends on them, and AWS does not state the types of all.
fn find_columns(types: &[ColumnType], schema: &mut Schema) -> Result<FoundColumns, UnitFault> {
    let mut found = FoundColumns::default();
    for (found, column) in found.iter_mut().zip(Column::ALL) {
        let Some(ColumnType { name, id, kind }) = schema.position(column).and_then(|at| types.get(at)) else {
            continue;
        };
        match value_kind(column, *kind) {
            Some(kind) => *found = Some(StoredColumn::new(*id, kind)),
            None if ColumnSet::SHOWN.contains(column) => schema.leave_out(column),
            None if ColumnSet::REMEDIATION.with(Column::ETag).contains(column) => schema.forget(column, name),
            None => {
                return Err(UnitFault::ColumnType {
                    column: name.clone(),
                    wanted: type_of(column),
                    found: type_name(*kind).to_owned(),
                });
            }
        }
    }
    Ok(found)
}

/// "Types": the names of their kinds, by number.
const TYPES: [&str; 19] = [
    "boolean",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "double",
    "string",
    "binary",
    "timestamp",
    "list",
    "map",
    "struct",
    "union",
    "decimal",
    "date",
    "varchar",
    "char",
    "timestamp with local time zone",
];

fn type_name(kind: u64) -> &'static str {
    usize::try_from(kind).ok().and_then(|kind| TYPES.get(kind)).unwrap_or(&"unknown")
}

/// How a column is read, or nothing when the file's type cannot be read as one.
fn value_kind(column: Column, kind: u64) -> Option<ValueKind> {
    match (column, type_name(kind)) {
        (Column::IsLatest | Column::IsDeleteMarker, "boolean") => Some(ValueKind::Flag),
        (Column::Size, "smallint" | "int" | "bigint") => Some(ValueKind::Number),
        // AWS's example of a table has milliseconds in a bigint.
        (Column::LastModifiedDate | Column::ObjectLockRetainUntilDate, "bigint") => Some(ValueKind::Number),
        (
            Column::LastModifiedDate | Column::ObjectLockRetainUntilDate,
            "timestamp" | "timestamp with local time zone",
        ) => Some(ValueKind::Time),
        (
            Column::Bucket
            | Column::Key
            | Column::VersionId
            | Column::StorageClass
            | Column::EncryptionStatus
            | Column::BucketKeyStatus
            | Column::IntelligentTieringAccessTier
            | Column::ObjectLockMode
            | Column::ObjectLockLegalHoldStatus
            | Column::ObjectLockEventHoldStatus
            | Column::ETag,
            "string" | "binary" | "varchar" | "char",
        ) => Some(ValueKind::Text),
        (column, kind) if ColumnSet::SHOWN.contains(column) => match kind {
            "boolean" => Some(ValueKind::Flag),
            "smallint" | "int" | "bigint" => Some(ValueKind::Number),
            "timestamp" | "timestamp with local time zone" => Some(ValueKind::Time),
            "string" | "binary" | "varchar" | "char" => Some(ValueKind::Text),
            _ => None,
        },
        _ => None,
    }
}
