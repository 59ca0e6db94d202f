//! Files to batches. One module a format; what they share is here.
//!
//! A unit is taken apart by one worker at a time ([`UnitReader::next_part`]); its parts are decoded by any number of
//! workers at once ([`Rows::read`]). The last part is behind us only when the file has been read to its true end and is
//! what the manifest promised.

mod cells;
mod columns;
mod csv;
mod orc;
mod parquet;
pub(crate) mod rows;
#[cfg(test)]
mod tests;
mod whole;

use std::ops::Range;
use std::sync::Arc;

use crate::batch::{Batch, Column, ColumnSet, Schema};
use crate::fault::UnitFault;
use crate::plan::{Format, Unit};
use crate::source::{Checksum, Md5, SourceFile};

pub(crate) use csv::{Split, split_strict};
pub(crate) use whole::{NotWhole, WholeReader};

/// The type that inventories give a column, for people.
fn type_of(column: Column) -> &'static str {
    match column {
        Column::IsLatest | Column::IsDeleteMarker | Column::IsBucketKeyEnabled => "a boolean",
        Column::Size => "an integer",
        Column::LastModifiedDate | Column::ObjectLockRetainUntilDate | Column::RecordTimestamp => "a timestamp",
        _ => "a string",
    }
}

/// What is read is not what the format allows.
fn damaged(what: &str) -> UnitFault {
    UnitFault::Decode(what.to_owned())
}

/// A unit that is open.
pub struct UnitReader {
    format: FormatReader,
    checksum: Option<FileChecksum>,
    next_part: u32,
}

enum FormatReader {
    Csv(csv::Reader),
    Orc(orc::Reader),
    Parquet(parquet::Reader),
}

/// A piece of work that one worker can do by itself.
pub enum Part {
    /// Some rows.
    Rows(Rows),
    /// The checksum of the whole file, where that is not compared on the way.
    Checksum(FileChecksum),
}

/// Some rows that have not been decoded.
pub struct Rows {
    /// The position of the part in the unit.
    pub number: u32,
    /// Whether the file says by itself what the newest last-modified of its rows is.
    pub is_dated: bool,
    encoded: EncodedRows,
}

enum EncodedRows {
    CsvBlock(csv::Block),
    Stripe(orc::Stripe),
    RowGroup(parquet::RowGroup),
}

/// The checksum of a whole file that has not been compared.
pub struct FileChecksum {
    file: Arc<SourceFile>,
    expected: Md5,
}

/// The file of a unit: there, open and of the right size.
pub struct UnitFile {
    file: Arc<SourceFile>,
    /// What has not been compared.
    checksum: Option<Md5>,
}

/// What a worker keeps from part to part to save allocations.
#[derive(Default)]
pub struct Scratch {
    csv: csv::Scratch,
    orc: orc::Scratch,
    parquet: parquet::Scratch,
}

/// What a unit turned out to be, once it is behind us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitFacts {
    /// The rows that it should have held, bad ones and blank lines included.
    pub rows: u64,
    /// The bytes of the file.
    pub bytes: u64,
    /// The columns that it has.
    pub columns: ColumnSet,
    /// Names of columns that S3 Inventory is not known to have.
    pub unknown_columns: Vec<String>,
    /// The newest last-modified of its rows, in milliseconds since the epoch, where the file says it by itself.
    pub newest: Option<i64>,
}

impl UnitFile {
    /// Opens the unit's file.
    pub fn open(unit: &Unit<'_>) -> Result<Self, UnitFault> {
        let path = unit.path()?;
        let (len, checksum) = (unit.expected_len()?, unit.expected_md5()?);
        Ok(Self { file: Arc::new(SourceFile::open(&path, len)?), checksum })
    }

    /// Takes over the duty to compare the checksum, if there is one; otherwise it is the first part of the unit.
    pub fn take_checksum(&mut self) -> Option<FileChecksum> {
        let expected = self.checksum.take()?;
        Some(FileChecksum { file: Arc::clone(&self.file), expected })
    }
}

impl UnitReader {
    /// Finds the columns of a unit.
    pub fn new(unit: &Unit<'_>, mut file: UnitFile) -> Result<Self, UnitFault> {
        let checksum = file.take_checksum();
        match FormatReader::new(unit, file.file) {
            Ok(format) => {
                let reader = Self { format, checksum, next_part: 0 };
                if reader.facts().columns.contains(Column::RecordType) { Err(UnitFault::Journal) } else { Ok(reader) }
            }
            // A file that is not what was delivered is called that, and not a damaged one.
            Err(fault) => Err(checksum.and_then(|checksum| checksum.check(&|| false).err()).unwrap_or(fault)),
        }
    }

    /// A Parquet file by itself, which nothing is known of.
    pub(crate) fn of_table(file: Arc<SourceFile>) -> Result<Self, UnitFault> {
        Ok(Self { format: FormatReader::Parquet(parquet::Reader::new(file)?), checksum: None, next_part: 0 })
    }

    /// A list with these columns by itself, compressed or not.
    pub(crate) fn of_list(file: Arc<SourceFile>, schema: Arc<Schema>) -> Result<Self, UnitFault> {
        Ok(Self { format: FormatReader::Csv(csv::Reader::new(file, false, schema)?), checksum: None, next_part: 0 })
    }

    /// The next part, or nothing once the unit has been read to its end.
    pub fn next_part(&mut self, scratch: &mut Scratch) -> Result<Option<Part>, UnitFault> {
        let number = self.next_part;
        // The checksum goes first: it takes long, and rows are decoded meanwhile.
        let part = match self.checksum.take() {
            Some(checksum) => Some(Part::Checksum(checksum)),
            None => {
                let is_dated = self.format.is_dated();
                self.format.next_rows(scratch)?.map(|encoded| Part::Rows(Rows { number, is_dated, encoded }))
            }
        };
        self.next_part += 1;
        Ok(part)
    }

    /// The number that the next part will have.
    pub fn next_number(&self) -> u32 {
        self.next_part
    }

    /// How many bytes of the file the parts so far stand for.
    pub fn bytes_read(&self) -> u64 {
        match &self.format {
            FormatReader::Csv(reader) => reader.bytes_read(),
            FormatReader::Orc(reader) => reader.bytes_read(),
            FormatReader::Parquet(reader) => reader.bytes_read(),
        }
    }

    /// What the unit turned out to be; complete once [`Self::next_part`] has nothing more.
    pub fn facts(&self) -> UnitFacts {
        match &self.format {
            FormatReader::Csv(reader) => reader.facts(),
            FormatReader::Orc(reader) => reader.facts(),
            FormatReader::Parquet(reader) => reader.facts(),
        }
    }
}

impl FormatReader {
    fn new(unit: &Unit<'_>, file: Arc<SourceFile>) -> Result<Self, UnitFault> {
        Ok(match unit.source.format {
            Format::Csv => Self::Csv(csv::Reader::new(file, unit.is_called_gz(), unit.source.csv_schema()?)?),
            Format::Parquet => Self::Parquet(parquet::Reader::new(file)?),
            Format::Orc => Self::Orc(orc::Reader::new(file)?),
        })
    }

    fn is_dated(&self) -> bool {
        match self {
            Self::Parquet(reader) => reader.newest().is_some(),
            Self::Csv(_) | Self::Orc(_) => false,
        }
    }

    fn next_rows(&mut self, scratch: &mut Scratch) -> Result<Option<EncodedRows>, UnitFault> {
        Ok(match self {
            Self::Csv(reader) => reader.next_block(&mut scratch.csv)?.map(EncodedRows::CsvBlock),
            Self::Orc(reader) => reader.next_stripe()?.map(EncodedRows::Stripe),
            Self::Parquet(reader) => reader.next_row_group()?.map(EncodedRows::RowGroup),
        })
    }
}

impl Rows {
    /// The numbers of its rows in the file, from 1 on; nothing where that is only known when they are read.
    pub(crate) fn range(&self) -> Option<Range<u64>> {
        match &self.encoded {
            EncodedRows::CsvBlock(_) => None,
            EncodedRows::Stripe(stripe) => Some(stripe.range()),
            EncodedRows::RowGroup(row_group) => Some(row_group.range()),
        }
    }

    /// Decodes the rows and hands them over in batches, in order. Columns that are not `wanted` may be deferred.
    /// `cancelled` is asked now and then and ends the work early.
    pub fn read(
        self,
        wanted: ColumnSet,
        scratch: &mut Scratch,
        cancelled: &dyn Fn() -> bool,
        each: &mut EachBatch<'_>,
    ) -> Result<(), UnitFault> {
        match self.encoded {
            EncodedRows::CsvBlock(block) => block.read(wanted, &mut scratch.csv, each),
            EncodedRows::Stripe(stripe) => stripe.read(wanted, &mut scratch.orc, cancelled, each),
            EncodedRows::RowGroup(row_group) => row_group.read(wanted, &mut scratch.parquet, cancelled, each),
        }
    }
}

/// Takes a batch, and what can be asked for more of it.
pub type EachBatch<'e> = dyn FnMut(&Batch<'_>, &mut dyn Details) -> Result<(), UnitFault> + 'e;

/// The deferred columns of a batch.
pub trait Details {
    /// Decodes the deferred columns of some rows, as far as they are among `columns`; in ascending order and, unless they
    /// are repeatable, once a batch. The result has these rows and these columns only.
    fn read(&mut self, rows: &[u32], columns: ColumnSet) -> Result<Batch<'_>, UnitFault>;

    /// Whether they can be read again, and nothing but the cells of these rows is decoded for them.
    fn is_repeatable(&self) -> bool {
        false
    }
}

/// All columns were read at once.
struct NothingDeferred;

impl Details for NothingDeferred {
    fn read(&mut self, rows: &[u32], _: ColumnSet) -> Result<Batch<'_>, UnitFault> {
        Ok(Batch { len: rows.len(), ..Batch::default() })
    }

    fn is_repeatable(&self) -> bool {
        true
    }
}

impl FileChecksum {
    /// How many files it pays to check together.
    pub const MAX_TOGETHER: usize = Checksum::MAX_TOGETHER;

    /// Reads the whole file and compares. `cancelled` is asked now and then and ends the work early.
    pub fn check(&self, cancelled: &dyn Fn() -> bool) -> Result<(), UnitFault> {
        Ok(self.as_checksum().check(cancelled)?)
    }

    /// The same for files side by side, which takes hardly longer than the longest of them. Each result is handed over,
    /// with the position of its file, as soon as it is there.
    pub fn check_all(
        checksums: &[Self],
        cancelled: &dyn Fn() -> bool,
        each: &mut dyn FnMut(usize, Result<(), UnitFault>),
    ) {
        let checksums: Vec<Checksum<'_>> = checksums.iter().map(Self::as_checksum).collect();
        Checksum::check_all(&checksums, cancelled, &mut |at, checked| each(at, checked.map_err(UnitFault::File)));
    }

    fn as_checksum(&self) -> Checksum<'_> {
        Checksum { file: &self.file, expected: self.expected }
    }
}

/// A schema that many parts share.
type SharedSchema = Arc<Schema>;
