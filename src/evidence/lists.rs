//! Lists of objects under one key: `bucket,key[,version]`, percent-encoded, as the manifest generator of S3 Batch
//! Operations writes them with a filter on the key.

use super::TooManyKeys;
use super::answers::Claim;
use super::collect::Collector;
use super::said::{Name, Of, Said};
use crate::batch::{Batch, RowFault, RowState, Schema, SchemaError};

/// The columns of a list with so many fields a row.
pub(super) fn schema(fields: usize) -> Option<Result<Schema, SchemaError>> {
    let names = ["Bucket", "Key", "VersionId"];
    (2..=3).contains(&fields).then(|| Schema::from_names(names.into_iter().take(fields)))
}

/// Collects the rows. A row that cannot be read is a fault of the file.
pub(super) fn collect(
    batch: &Batch<'_>,
    key_name: &str,
    to: &mut Collector<'_, '_>,
) -> Result<Result<(), RowFault>, TooManyKeys> {
    for row in 0..batch.len {
        match batch.states.map_or(RowState::Sound, |states| states[row]) {
            RowState::Sound => {}
            RowState::Blank => continue,
            RowState::Bad(fault) => return Ok(Err(fault)),
        }
        let (bucket, key) = (batch.bucket.get(row), batch.key.get(row));
        if bucket.is_empty() || key.is_empty() {
            return Ok(Err(RowFault::NoKey));
        }
        let version = (!batch.version_id.is_absent()).then(|| batch.version_id.get(row));
        let when = to.undated(None);
        to.say(&Said {
            bucket,
            key,
            of: Of::Version(version),
            claim: Claim::SomeKms,
            name: Name::Is(key_name.as_bytes()),
            when,
            order: 0,
            modified: None,
            is_journal: false,
            is_gone: false,
            is_write: false,
            is_like_last: false,
        })?;
    }
    Ok(Ok(()))
}
