//! A row group column by column: batches of the columns that are wanted, and the others when rows of a batch need them.
//!
//! A batch ends where a page of any wanted column ends. Deferred columns have cursors of their own, which follow the
//! batches only when they are asked; a row group where nobody asks never touches these columns.

use super::cursor::{Buffers, Cells, Chunk, Cursor, MAX_ROWS};
use super::pages::damaged;
use crate::batch::{Batch, Column, ColumnSet, Flag, Flags, Number, Numbers, Span, TextList, Texts};
use crate::readers::{Details, EachBatch, UnitFault};
use crate::source::SourceFile;

/// What deferred cells of one batch may take together. Real ones take less than a hundredth.
const MAX_GATHERED_LEN: usize = 64 << 20;

/// Buffers for each column.
#[derive(Default)]
pub(super) struct Scratch {
    columns: [(Buffers, Gathered); Column::ALL.len()],
}

/// The chunks of a row group and who reads them.
pub(super) struct Columns<'s> {
    wanted: Vec<(Column, Cursor<'s>)>,
    deferred: Deferred<'s>,
}

/// The columns that are read for some rows only.
struct Deferred<'s> {
    columns: Vec<DeferredColumn<'s>>,
    /// The row of the row group where the current batch begins.
    batch_row: u64,
}

struct DeferredColumn<'s> {
    column: Column,
    cursor: Cursor<'s>,
    /// The row of the row group that the cursor is at.
    row: u64,
    gathered: &'s mut Gathered,
}

/// Cells from any number of pages.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    flags: Vec<Flag>,
    numbers: Vec<Number>,
}

impl<'s> Columns<'s> {
    pub(super) fn new(
        file: &'s SourceFile,
        chunks: &[Chunk],
        is_wanted: impl Fn(Column) -> bool,
        scratch: &'s mut Scratch,
    ) -> Self {
        let mut columns = Self { wanted: Vec::new(), deferred: Deferred { columns: Vec::new(), batch_row: 0 } };
        for (column, (buffers, gathered)) in Column::ALL.into_iter().zip(&mut scratch.columns) {
            let Some(chunk) = chunks.iter().find(|chunk| chunk.column == column) else { continue };
            buffers.shrink();
            let cursor = Cursor::new(file, chunk, buffers);
            if is_wanted(column) {
                columns.wanted.push((column, cursor));
            } else {
                columns.deferred.columns.push(DeferredColumn { column, cursor, row: 0, gathered });
            }
        }
        columns
    }

    /// Hands over so many rows in batches, the first of which has the number `first_row` in the file. Returns how many
    /// rows all wanted columns turned out to have.
    pub(super) fn read(
        &mut self,
        rows: u64,
        first_row: u64,
        cancelled: &dyn Fn() -> bool,
        each: &mut EachBatch<'_>,
    ) -> Result<u64, UnitFault> {
        let mut done = 0;
        while done < rows && !cancelled() {
            let len = self.next_len(rows - done)?;
            if len == 0 {
                return Ok(done);
            }
            for (_, cursor) in &mut self.wanted {
                cursor.read(len)?;
            }
            self.deferred.batch_row = done;
            let deferred = self.deferred.columns.iter().map(|deferred| deferred.column).collect();
            let mut batch = Batch { len, first_row: first_row.saturating_add(done), deferred, ..Batch::default() };
            for (column, cursor) in &self.wanted {
                put(&mut batch, *column, cursor.cells());
            }
            each(&batch, &mut self.deferred)?;
            done += len as u64;
        }
        Ok(done + self.rows_too_many()?)
    }

    /// How many rows can be read from all cursors at once.
    fn next_len(&mut self, left: u64) -> Result<usize, UnitFault> {
        let mut len = usize::try_from(left).map_or(MAX_ROWS, |left| left.min(MAX_ROWS));
        for (_, cursor) in &mut self.wanted {
            len = len.min(cursor.rows_in_page()?);
        }
        Ok(len)
    }

    fn rows_too_many(&mut self) -> Result<u64, UnitFault> {
        let mut most = 0;
        for (_, cursor) in &mut self.wanted {
            most = most.max(cursor.rows_in_page()?);
        }
        Ok(most as u64)
    }
}

impl Details for Deferred<'_> {
    fn read(&mut self, rows: &[u32], columns: ColumnSet) -> Result<Batch<'_>, UnitFault> {
        let mut batch = Batch { len: rows.len(), ..Batch::default() };
        for column in self.columns.iter_mut().filter(|deferred| columns.contains(deferred.column)) {
            column.gather(self.batch_row, rows)?;
            put(&mut batch, column.column, column.cells());
        }
        Ok(batch)
    }
}

impl DeferredColumn<'_> {
    /// Collects the cells of some rows of a batch: from every page with such rows, what lies between the first and the
    /// last of them is decoded.
    fn gather(&mut self, batch_row: u64, mut rows: &[u32]) -> Result<(), UnitFault> {
        self.gathered.clear();
        while let [first, ..] = *rows {
            let row = batch_row + u64::from(first);
            let distance = row.checked_sub(self.row).ok_or_else(|| damaged("rows were asked for twice"))?;
            self.cursor.skip(distance)?;
            let left = self.cursor.rows_in_page()?.min(MAX_ROWS);
            let (here, elsewhere) = rows.split_at(rows.partition_point(|row| ((row - first) as usize) < left));
            let Some(last) = here.last() else { return Err(damaged("a column has fewer rows than the others")) };
            let count = (last - first) as usize + 1;
            self.cursor.read(count)?;
            self.gathered.push(self.cursor.cells(), here.iter().map(|row| (row - first) as usize))?;
            self.row = row + count as u64;
            rows = elsewhere;
        }
        Ok(())
    }

    fn cells(&self) -> Cells<'_> {
        let Gathered { bytes, spans, flags, numbers } = &*self.gathered;
        match self.cursor.cells() {
            Cells::Texts(_) => Cells::Texts(Texts::Plain(TextList::new(bytes, spans))),
            Cells::Flags(_) => Cells::Flags(Flags::Plain(flags)),
            Cells::Numbers(_) => Cells::Numbers(Numbers::Plain(numbers)),
        }
    }
}

impl Gathered {
    fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.flags.clear();
        self.numbers.clear();
    }

    fn push(&mut self, cells: Cells<'_>, rows: impl Iterator<Item = usize>) -> Result<(), UnitFault> {
        match cells {
            Cells::Flags(flags) => self.flags.extend(rows.map(|row| flags.get(row))),
            Cells::Numbers(numbers) => self.numbers.extend(rows.map(|row| numbers.get(row))),
            Cells::Texts(texts) => {
                for row in rows {
                    self.push_text(texts.get(row))?;
                }
            }
        }
        Ok(())
    }

    fn push_text(&mut self, text: &[u8]) -> Result<(), UnitFault> {
        if text.len() > MAX_GATHERED_LEN - self.bytes.len() {
            return Err(damaged("the texts of a column are far too long"));
        }
        self.spans.push(Span { from: self.bytes.len() as u32, len: text.len() as u32 });
        self.bytes.extend_from_slice(text);
        Ok(())
    }
}

/// Puts a column into a batch. The footer was checked: columns have the types that batches want.
fn put<'a>(batch: &mut Batch<'a>, column: Column, cells: Cells<'a>) {
    match (column, cells) {
        (Column::Bucket, Cells::Texts(texts)) => batch.bucket = texts,
        (Column::Key, Cells::Texts(texts)) => batch.key = texts,
        (Column::VersionId, Cells::Texts(texts)) => batch.version_id = texts,
        (Column::StorageClass, Cells::Texts(texts)) => batch.storage_class = texts,
        (Column::EncryptionStatus, Cells::Texts(texts)) => batch.encryption_status = texts,
        (Column::BucketKeyStatus, Cells::Texts(texts)) => batch.bucket_key_status = texts,
        (Column::IntelligentTieringAccessTier, Cells::Texts(texts)) => batch.intelligent_tiering_access_tier = texts,
        (Column::ObjectLockMode, Cells::Texts(texts)) => batch.object_lock_mode = texts,
        (Column::ObjectLockRetainUntilDate, Cells::Numbers(numbers)) => batch.object_lock_retain_until_date = numbers,
        (Column::ObjectLockLegalHoldStatus, Cells::Texts(texts)) => batch.object_lock_legal_hold_status = texts,
        (Column::ObjectLockEventHoldStatus, Cells::Texts(texts)) => batch.object_lock_event_hold_status = texts,
        (Column::IsLatest, Cells::Flags(flags)) => batch.is_latest = flags,
        (Column::IsDeleteMarker, Cells::Flags(flags)) => batch.is_delete_marker = flags,
        (Column::Size, Cells::Numbers(numbers)) => batch.size = numbers,
        (Column::LastModifiedDate, Cells::Numbers(numbers)) => batch.last_modified = numbers,
        (Column::KmsKeyArn, Cells::Texts(texts)) => batch.kms_key_arn = texts,
        (Column::IsBucketKeyEnabled, Cells::Flags(flags)) => batch.is_bucket_key_enabled = flags,
        (Column::SequenceNumber, Cells::Texts(texts)) => batch.sequence_number = texts,
        (Column::RecordType, Cells::Texts(texts)) => batch.record_type = texts,
        (Column::RecordTimestamp, Cells::Numbers(numbers)) => batch.record_timestamp = numbers,
        _ => {}
    }
}
