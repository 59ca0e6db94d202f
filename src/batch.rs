//! Some neighbouring rows of one unit, column by column, lent by a reader until it reads on.
//!
//! Every format gives the same batch: keys are raw bytes, null and the empty text are both *blank*, and a column that the
//! report does not have is absent, which is something else. A cell that is there but cannot be read is marked in its
//! place; what follows from that is decided in one place, by whoever examines the batch.
//!
//! Columns that only rows of interest need can be deferred: the batch does not have them, and the reader gives them for
//! the rows that are asked for.

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// The columns that an audit reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named after the fields of S3 Inventory")]
pub enum Column {
    Bucket,
    Key,
    VersionId,
    IsLatest,
    IsDeleteMarker,
    Size,
    LastModifiedDate,
    StorageClass,
    EncryptionStatus,
    BucketKeyStatus,
    IntelligentTieringAccessTier,
    ObjectLockMode,
    ObjectLockRetainUntilDate,
    ObjectLockLegalHoldStatus,
    ObjectLockEventHoldStatus,
    ETag,
    // Of S3 Metadata tables.
    KmsKeyArn,
    IsBucketKeyEnabled,
    SequenceNumber,
    RecordType,
    RecordTimestamp,
    // Of evidence, written by whoever took it.
    EvidenceAsOf,
    // Of S3 Inventory, only shown.
    IsMultipartUploaded,
    ReplicationStatus,
    ObjectLockEventHoldDuration,
    IntelligentTieringReferenceDate,
    ChecksumAlgorithm,
    ObjectAccessControlList,
    ObjectOwner,
    LifecycleExpirationDate,
}

/// So many of the fields, in the beginning, are those of S3 Inventory.
const OF_INVENTORY: usize = 24;

/// All fields of S3 Inventory and S3 Metadata that are known, with the column that an audit reads them as, if it does.
/// The first name is that of CSV reports, the second that of Parquet and ORC; tables of S3 Metadata have only the second.
const FIELDS: [(&str, &str, Option<Column>); 37] = [
    ("Bucket", "bucket", Some(Column::Bucket)),
    ("Key", "key", Some(Column::Key)),
    ("VersionId", "version_id", Some(Column::VersionId)),
    ("IsLatest", "is_latest", Some(Column::IsLatest)),
    ("IsDeleteMarker", "is_delete_marker", Some(Column::IsDeleteMarker)),
    ("Size", "size", Some(Column::Size)),
    ("LastModifiedDate", "last_modified_date", Some(Column::LastModifiedDate)),
    ("ETag", "e_tag", Some(Column::ETag)),
    ("StorageClass", "storage_class", Some(Column::StorageClass)),
    ("IsMultipartUploaded", "is_multipart_uploaded", Some(Column::IsMultipartUploaded)),
    ("ReplicationStatus", "replication_status", Some(Column::ReplicationStatus)),
    ("EncryptionStatus", "encryption_status", Some(Column::EncryptionStatus)),
    ("ObjectLockRetainUntilDate", "object_lock_retain_until_date", Some(Column::ObjectLockRetainUntilDate)),
    ("ObjectLockMode", "object_lock_mode", Some(Column::ObjectLockMode)),
    ("ObjectLockLegalHoldStatus", "object_lock_legal_hold_status", Some(Column::ObjectLockLegalHoldStatus)),
    ("ObjectLockEventHoldStatus", "object_lock_event_hold_status", Some(Column::ObjectLockEventHoldStatus)),
    ("ObjectLockEventHoldDuration", "object_lock_event_hold_duration", Some(Column::ObjectLockEventHoldDuration)),
    ("IntelligentTieringAccessTier", "intelligent_tiering_access_tier", Some(Column::IntelligentTieringAccessTier)),
    (
        "IntelligentTieringReferenceDate",
        "intelligent_tiering_reference_date",
        Some(Column::IntelligentTieringReferenceDate),
    ),
    ("BucketKeyStatus", "bucket_key_status", Some(Column::BucketKeyStatus)),
    ("ChecksumAlgorithm", "checksum_algorithm", Some(Column::ChecksumAlgorithm)),
    ("ObjectAccessControlList", "object_access_control_list", Some(Column::ObjectAccessControlList)),
    ("ObjectOwner", "object_owner", Some(Column::ObjectOwner)),
    ("LifecycleExpirationDate", "lifecycle_expiration_date", Some(Column::LifecycleExpirationDate)),
    ("kms_key_arn", "kms_key_arn", Some(Column::KmsKeyArn)),
    ("is_bucket_key_enabled", "is_bucket_key_enabled", Some(Column::IsBucketKeyEnabled)),
    ("sequence_number", "sequence_number", Some(Column::SequenceNumber)),
    ("record_type", "record_type", Some(Column::RecordType)),
    ("record_timestamp", "record_timestamp", Some(Column::RecordTimestamp)),
    ("EvidenceAsOf", "evidence_as_of", Some(Column::EvidenceAsOf)),
    ("is_multipart", "is_multipart", None),
    ("object_join_key", "object_join_key", None),
    ("object_tags", "object_tags", None),
    ("user_metadata", "user_metadata", None),
    ("requester", "requester", None),
    ("source_ip_address", "source_ip_address", None),
    ("request_id", "request_id", None),
];

impl Column {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::Bucket,
        Self::Key,
        Self::VersionId,
        Self::IsLatest,
        Self::IsDeleteMarker,
        Self::Size,
        Self::LastModifiedDate,
        Self::StorageClass,
        Self::EncryptionStatus,
        Self::BucketKeyStatus,
        Self::IntelligentTieringAccessTier,
        Self::ObjectLockMode,
        Self::ObjectLockRetainUntilDate,
        Self::ObjectLockLegalHoldStatus,
        Self::ObjectLockEventHoldStatus,
        Self::ETag,
        Self::KmsKeyArn,
        Self::IsBucketKeyEnabled,
        Self::SequenceNumber,
        Self::RecordType,
        Self::RecordTimestamp,
        Self::EvidenceAsOf,
        Self::IsMultipartUploaded,
        Self::ReplicationStatus,
        Self::ObjectLockEventHoldDuration,
        Self::IntelligentTieringReferenceDate,
        Self::ChecksumAlgorithm,
        Self::ObjectAccessControlList,
        Self::ObjectOwner,
        Self::LifecycleExpirationDate,
    ];

    /// The last of them, which no verdict and no remedy depends on: they are shown where a row is shown with all that the report says.
    pub const SHOWN: [Self; 8] = *Self::ALL.last_chunk().expect("there are more");

    /// The place of a column in [`Self::SHOWN`], if it is one of them.
    pub fn shown_at(self) -> Option<usize> {
        Self::SHOWN.into_iter().position(|shown| shown == self)
    }
}

/// Some of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ColumnSet(u32);

impl ColumnSet {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1 << Column::ALL.len()) - 1);

    /// Those that only say how an object can be put right, beside what findings list.
    pub const REMEDIATION: Self = Self::NONE
        .with(Column::IntelligentTieringAccessTier)
        .with(Column::ObjectLockMode)
        .with(Column::ObjectLockRetainUntilDate)
        .with(Column::ObjectLockLegalHoldStatus)
        .with(Column::ObjectLockEventHoldStatus);

    /// Those of [`Column::SHOWN`].
    pub const SHOWN: Self = {
        let (mut columns, mut at) = (Self::NONE, 0);
        while at < Column::SHOWN.len() {
            columns = columns.with(Column::SHOWN[at]);
            at += 1;
        }
        columns
    };

    /// Those that something depends on.
    pub const JUDGED: Self = Self::ALL.partition(Self::SHOWN).1;

    /// Those that only tell which key encrypts an object.
    pub const EVIDENCE: Self = Self::NONE
        .with(Column::ETag)
        .with(Column::KmsKeyArn)
        .with(Column::IsBucketKeyEnabled)
        .with(Column::SequenceNumber)
        .with(Column::RecordType)
        .with(Column::RecordTimestamp)
        .with(Column::EvidenceAsOf);

    /// These, and one more.
    #[must_use]
    pub const fn with(self, column: Column) -> Self {
        Self(self.0 | 1 << column as u32)
    }

    /// These and those.
    #[must_use]
    pub const fn union(self, those: Self) -> Self {
        Self(self.0 | those.0)
    }

    /// Whether it is one of these.
    #[inline]
    pub const fn contains(self, column: Column) -> bool {
        self.0 & 1 << column as u32 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are among `these`, and those that are not.
    #[must_use]
    pub const fn partition(self, these: Self) -> (Self, Self) {
        (Self(self.0 & these.0), Self(self.0 & !these.0))
    }
}

impl FromIterator<Column> for ColumnSet {
    fn from_iter<I: IntoIterator<Item = Column>>(columns: I) -> Self {
        columns.into_iter().fold(Self::NONE, Self::with)
    }
}

/// What a name in a report's schema stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A column that an audit reads.
    Read(Column),
    /// A known field that an audit has no use for.
    Unused,
    /// A name that S3 Inventory is not known to have.
    Unknown,
}

impl Field {
    /// Recognises a name of either spelling, without regard to case.
    pub fn named(name: &str) -> Self {
        let known =
            FIELDS.iter().find(|(csv, snake, _)| name.eq_ignore_ascii_case(csv) || name.eq_ignore_ascii_case(snake));
        match known {
            Some((_, _, Some(column))) => Self::Read(*column),
            Some((_, _, None)) => Self::Unused,
            None => Self::Unknown,
        }
    }

    /// The fields of S3 Inventory that an audit reads, as a configuration and a CSV report name them.
    pub(crate) fn of_inventory() -> impl Iterator<Item = (&'static str, Column)> {
        FIELDS[..OF_INVENTORY].iter().filter_map(|(name, _, column)| Some((*name, (*column)?)))
    }
}

/// Where each column stands in a report, found by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// How many fields a row has.
    pub width: usize,
    /// Names that S3 Inventory is not known to have.
    pub unknown: Vec<String>,
    positions: [Option<usize>; Column::ALL.len()],
}

/// Why a list of names is no schema of an inventory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A column comes twice.
    #[error("the schema names a column twice: {0}")]
    Twice(String),
    /// A column without which no object can be told from another.
    #[error("the schema lacks a column that every inventory has: {0}")]
    Lacks(&'static str),
}

impl Schema {
    /// The positions of the columns in a list of names.
    pub fn from_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, SchemaError> {
        let mut schema = Self::default();
        for name in names {
            let position = schema.width;
            schema.width += 1;
            match Field::named(name) {
                Field::Unused => {}
                Field::Unknown => schema.unknown.push(name.to_owned()),
                Field::Read(column) => {
                    if schema.positions[column as usize].replace(position).is_some() {
                        return Err(SchemaError::Twice(name.to_owned()));
                    }
                }
            }
        }
        for (column, name) in [(Column::Bucket, "Bucket"), (Column::Key, "Key")] {
            schema.position(column).ok_or(SchemaError::Lacks(name))?;
        }
        Ok(schema)
    }

    /// The same without a column, whose cells cannot be read. It counts as one that S3 Inventory is not known to have.
    pub fn forget(&mut self, column: Column, name: &str) {
        self.positions[column as usize] = None;
        self.unknown.push(name.to_owned());
    }

    /// The same without a column that is only shown, and whose cells cannot be.
    pub fn leave_out(&mut self, column: Column) {
        self.positions[column as usize] = None;
    }

    /// The columns that the report has.
    pub fn columns(&self) -> ColumnSet {
        Column::ALL.into_iter().filter(|&column| self.position(column).is_some()).collect()
    }

    /// Where the column stands, if the report has it.
    pub fn position(&self, column: Column) -> Option<usize> {
        self.positions[column as usize]
    }
}

/// Why a row of a CSV file is no row, or cannot be read as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// It has the right shape.
    Sound,
    /// An empty line, which is no row.
    Blank,
    /// It cannot be examined.
    Bad(RowFault),
}

/// Why a row was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowFault {
    /// It does not have as many fields as the schema.
    Ragged,
    /// A quote is not closed, or text stands beside a quoted field.
    Quoting,
    /// It is longer than 512 KiB.
    TooLong,
    /// Its key has a `%` that two hexadecimal digits do not follow.
    KeyEncoding,
    /// Its bucket or its key is blank.
    NoKey,
    /// The name of its bucket is longer than any bucket's.
    BucketName,
    /// It is about another bucket than the manifest.
    OtherBucket,
    /// Its version id is none.
    VersionId,
    /// IsLatest is neither true nor false.
    IsLatest,
    /// IsDeleteMarker is neither true nor false.
    IsDeleteMarker,
    /// Its size is not a number of bytes.
    Size,
    /// Its last-modified is no time from 1970 to 9999 in the form of its format.
    LastModified,
}

impl RowFault {
    /// The name of the fault in `faults.jsonl`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ragged => "row_ragged",
            Self::Quoting => "row_bad_quoting",
            Self::TooLong => "row_too_long",
            Self::KeyEncoding => "row_bad_key_encoding",
            Self::NoKey => "row_no_key",
            Self::BucketName => "row_bad_bucket",
            Self::OtherBucket => "row_of_other_bucket",
            Self::VersionId => "row_bad_version_id",
            Self::IsLatest | Self::IsDeleteMarker => "row_bad_boolean",
            Self::Size => "row_bad_size",
            Self::LastModified => "row_bad_time",
        }
    }

    /// A sentence for people.
    pub fn why(self) -> &'static str {
        match self {
            Self::Ragged => "the row does not have as many fields as the schema",
            Self::Quoting => "a quote is not closed, or text stands beside a quoted field",
            Self::TooLong => "the row is longer than 512 KiB",
            Self::KeyEncoding => "the key has a % that is not followed by two hexadecimal digits",
            Self::NoKey => "the row names no object: its bucket or its key is blank",
            Self::BucketName => "the bucket's name is longer than any bucket's",
            Self::OtherBucket => "the row is about another bucket than the manifest",
            Self::VersionId => "the version id is no id",
            Self::IsLatest => "IsLatest is neither true nor false",
            Self::IsDeleteMarker => "IsDeleteMarker is neither true nor false",
            Self::Size => "the size is not a number of bytes",
            Self::LastModified => "the last-modified time has not the form 2024-05-06T00:05:00.000Z, from 1970 to 9999",
        }
    }
}

/// A yes or no of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Blank.
    Blank,
    /// `true`.
    True,
    /// `false`.
    False,
    /// Neither: the row is bad.
    Bad,
}

impl Flag {
    /// The cell of a list that says so.
    pub(crate) fn as_text(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Blank | Self::Bad => "",
        }
    }
}

/// A number of a report: blank, bad, or not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(i64);

impl Number {
    /// Blank.
    pub const BLANK: Self = Self(i64::MIN);
    /// Not a number, or a negative one: the row is bad.
    pub const BAD: Self = Self(-1);

    /// A number as the file has it; a negative one is bad.
    #[inline]
    pub fn new(value: i64) -> Self {
        Self(value.max(-1))
    }

    /// Nothing when blank.
    #[inline]
    pub fn size(self) -> Result<Option<u64>, RowFault> {
        match self {
            Self::BLANK => Ok(None),
            Self(value) => u64::try_from(value).map(Some).map_err(|_| RowFault::Size),
        }
    }

    /// The number as milliseconds since the epoch; nothing when blank.
    #[inline]
    pub fn time(self) -> Result<Option<Timestamp>, RowFault> {
        match self {
            Self::BLANK => Ok(None),
            Self(millis) => Timestamp::from_millis(millis).map(Some).ok_or(RowFault::LastModified),
        }
    }
}

/// A column of texts.
#[derive(Clone, Copy, Debug, Default)]
pub enum Texts<'a> {
    /// The report has no such column.
    #[default]
    Absent,
    /// One text a row.
    Plain(TextList<'a>),
    /// One number a row, which names a text; a row whose number names none is blank.
    Coded {
        /// A position in `dictionary` for each row.
        codes: &'a [u32],
        /// The texts. Some may be used by no row.
        dictionary: TextList<'a>,
    },
}

impl<'a> Texts<'a> {
    /// The text of a row; blank when the column is absent.
    #[inline]
    pub fn get(&self, row: usize) -> &'a [u8] {
        match self {
            Self::Absent => &[],
            Self::Plain(list) => list.get(row),
            Self::Coded { codes, dictionary } => dictionary.get(codes[row] as usize),
        }
    }

    /// Whether the report lacks the column.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// Where a text stands among the bytes of its column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The position of its first byte.
    pub from: u32,
    /// Its length in bytes.
    pub len: u32,
}

/// Texts, wherever they stand.
#[derive(Clone, Copy, Debug)]
pub struct TextList<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> TextList<'a> {
    /// `spans` say where each text stands in `bytes`.
    pub fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        Self { bytes, spans }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The text at a position; blank behind the end.
    #[inline]
    pub fn get(&self, at: usize) -> &'a [u8] {
        let Some(&Span { from, len }) = self.spans.get(at) else { return &[] };
        self.bytes.get(from as usize..from as usize + len as usize).unwrap_or_default()
    }
}

/// A column of yes and no.
#[derive(Clone, Copy, Debug, Default)]
pub enum Flags<'a> {
    /// The report has no such column.
    #[default]
    Absent,
    /// One for each row.
    Plain(&'a [Flag]),
}

impl Flags<'_> {
    /// The flag of a row; blank when the column is absent.
    #[inline]
    pub fn get(&self, row: usize) -> Flag {
        match self {
            Self::Absent => Flag::Blank,
            Self::Plain(flags) => flags[row],
        }
    }
}

/// A column of numbers.
#[derive(Clone, Copy, Debug, Default)]
pub enum Numbers<'a> {
    /// The report has no such column.
    #[default]
    Absent,
    /// One for each row.
    Plain(&'a [Number]),
}

impl Numbers<'_> {
    /// The number of a row; blank when the column is absent.
    #[inline]
    pub fn get(&self, row: usize) -> Number {
        match self {
            Self::Absent => Number::BLANK,
            Self::Plain(numbers) => numbers[row],
        }
    }

    /// The latest of the numbers as times, in milliseconds since the epoch; nothing if all are blank or bad.
    pub fn latest(&self) -> Option<i64> {
        const MAX: i64 = Timestamp::MAX.as_millis();
        match self {
            Self::Absent => None,
            Self::Plain(numbers) => {
                let later = |latest: i64, number: &Number| if number.0 > MAX { latest } else { latest.max(number.0) };
                Some(numbers.iter().fold(-1, later)).filter(|latest| *latest >= 0)
            }
        }
    }
}

/// A column of whatever type the report has it in.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "named after what they hold")]
pub enum Cells<'a> {
    Texts(Texts<'a>),
    Flags(Flags<'a>),
    Numbers(Numbers<'a>),
}

impl Default for Cells<'_> {
    /// The report has no such column.
    fn default() -> Self {
        Self::Texts(Texts::Absent)
    }
}

/// Some neighbouring rows, column by column. Each column is absent if the report lacks it or if it is `deferred`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch<'a> {
    /// How many rows there are, bad and blank ones included.
    pub len: usize,
    /// The number of the first row in its file, from 1 on.
    pub first_row: u64,
    /// The state of each row, where the format can have bad ones.
    pub states: Option<&'a [RowState]>,
    /// Columns that are absent here and may still be asked for.
    pub deferred: ColumnSet,
    /// The name of the bucket.
    pub bucket: Texts<'a>,
    /// The key of the object, decoded.
    pub key: Texts<'a>,
    /// The id of the version; that of the null version may be blank or `null`.
    pub version_id: Texts<'a>,
    /// Whether it is the current version.
    pub is_latest: Flags<'a>,
    /// Whether it is a delete marker, and no object.
    pub is_delete_marker: Flags<'a>,
    /// The size in bytes.
    pub size: Numbers<'a>,
    /// When it was last modified, in milliseconds since the epoch.
    pub last_modified: Numbers<'a>,
    /// The storage class, as the report spells it.
    pub storage_class: Texts<'a>,
    /// How the object is encrypted, as the report spells it.
    pub encryption_status: Texts<'a>,
    /// Whether it uses a Bucket Key, as the report spells it: `ENABLED` or `DISABLED`.
    pub bucket_key_status: Texts<'a>,
    /// The access tier of Intelligent-Tiering, as the report spells it.
    pub intelligent_tiering_access_tier: Texts<'a>,
    /// The mode of retention, as the report spells it: `COMPLIANCE` or `GOVERNANCE`.
    pub object_lock_mode: Texts<'a>,
    /// When its retention ends, in milliseconds since the epoch.
    pub object_lock_retain_until_date: Numbers<'a>,
    /// Whether a legal hold is on it, as the report spells it: `ON` or `OFF`.
    pub object_lock_legal_hold_status: Texts<'a>,
    /// Whether an event hold is on it, as the report spells it: `ON` or `OFF`.
    pub object_lock_event_hold_status: Texts<'a>,
    /// The ETag of the object.
    pub etag: Texts<'a>,
    /// The KMS key that encrypts it. Only tables of S3 Metadata have it.
    pub kms_key_arn: Texts<'a>,
    /// Whether it uses a Bucket Key. Only tables of S3 Metadata have it.
    pub is_bucket_key_enabled: Flags<'a>,
    /// What orders the records of one object. Only journal tables of S3 Metadata have it.
    pub sequence_number: Texts<'a>,
    /// What a record is about: `CREATE`, `UPDATE_METADATA`, `DELETE`. Only journal tables of S3 Metadata have it.
    pub record_type: Texts<'a>,
    /// When a record was made, in milliseconds since the epoch. Only journal tables of S3 Metadata have it.
    pub record_timestamp: Numbers<'a>,
    /// When evidence was taken, in milliseconds since the epoch. Whoever takes it adds the column.
    pub evidence_as_of: Numbers<'a>,
    /// The columns that are only shown, in the order of [`Column::SHOWN`].
    pub shown: [Cells<'a>; Column::SHOWN.len()],
}

impl Batch<'_> {
    /// Whether it is from a table of S3 Metadata, which leaves the status of an object without encryption blank.
    pub fn is_metadata_table(&self) -> bool {
        !self.kms_key_arn.is_absent() && matches!(self.is_bucket_key_enabled, Flags::Plain(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_in_any_order_and_spelling() {
        let schema = Schema::from_names(["Key", "Novelty", "bucket", "encryption_status", "ETag"]).expect("a schema");
        assert_eq!(
            (schema.width, schema.position(Column::Key), schema.position(Column::Bucket)),
            (5, Some(0), Some(2))
        );
        assert_eq!((schema.position(Column::EncryptionStatus), schema.position(Column::Size)), (Some(3), None));
        assert_eq!(schema.unknown, ["Novelty"]);
    }

    #[test]
    fn a_schema_without_keys_or_with_two_is_refused() {
        assert_eq!(Schema::from_names(["Bucket", "Size"]), Err(SchemaError::Lacks("Key")));
        assert_eq!(Schema::from_names(["Bucket", "Key", "key"]), Err(SchemaError::Twice("key".into())));
    }

    #[test]
    fn numbers_outside_their_range_are_bad() {
        assert_eq!(Number::new(7).size(), Ok(Some(7)));
        assert_eq!(Number::BLANK.size(), Ok(None));
        assert_eq!(Number::new(i64::MIN).size(), Err(RowFault::Size));
        assert_eq!(Number::new(i64::MAX).time(), Err(RowFault::LastModified));
    }
}
