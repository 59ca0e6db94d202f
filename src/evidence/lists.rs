//! Lists of objects under one key: `bucket,key[,version]`, percent-encoded, as the manifest generator of S3 Batch
//! Operations writes them with a filter on the key; a fourth field, `evidence_as_of`, says when that was so.

use super::collect::Collector;
use super::files::Stop;
use super::names::is_bucket;
use super::said::{Mark, Name, Named, Said};
use super::words::{Claim, Sight, What};
use crate::batch::{Batch, Column, ColumnSet, RowFault, RowState, Schema, SchemaError};

/// What is read of them.
pub(super) const COLUMNS: ColumnSet =
    ColumnSet::NONE.with(Column::Bucket).with(Column::Key).with(Column::VersionId).with(Column::EvidenceAsOf);

/// The columns of a list with so many fields a row.
pub(super) fn schema(fields: usize) -> Option<Result<Schema, SchemaError>> {
    let names = ["Bucket", "Key", "VersionId", "EvidenceAsOf"];
    (2..=4).contains(&fields).then(|| Schema::from_names(names.into_iter().take(fields)))
}

/// How a text in UTF-8 may begin.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Collects the rows. A row that cannot be read is a fault of the file.
pub(super) fn collect(batch: &Batch<'_>, key_name: &str, to: &mut Collector<'_, '_>) -> Result<(), Stop> {
    for row in 0..batch.len {
        match batch.states.map_or(RowState::Sound, |states| states[row]) {
            RowState::Sound => {}
            RowState::Blank => continue,
            RowState::Bad(fault) => return Err(fault.into()),
        }
        let (bucket, key) = (batch.bucket.get(row), batch.key.get(row));
        // Tools write a mark of the order of bytes before a text.
        let is_first = batch.first_row == 1 && row == 0;
        let bucket = bucket.strip_prefix(MARK).filter(|_| is_first).unwrap_or(bucket);
        if bucket.is_empty() || key.is_empty() {
            return Err(RowFault::NoKey.into());
        }
        if !str::from_utf8(bucket).is_ok_and(is_bucket) {
            let why = "a row of the list names no bucket in its first field".to_owned();
            return Err(Stop::Fault { what: "evidence_bad_record", why });
        }
        to.say(&Said {
            bucket,
            key,
            version: Named::in_column(&batch.version_id, row),
            what: What::Sighting(Sight::Prompt),
            claim: Claim::SomeKms,
            name: Name::Is(key_name.as_bytes()),
            when: batch.evidence_as_of.get(row).time()?.or(to.as_of()),
            modified: None,
            mark: Mark::None,
        })?;
    }
    Ok(())
}
