//! What is kept of digests and logs until it is judged, and its written form.

use super::fields::{Fields, PutFields as _};
use super::keys::{Fingerprint, Sha};
use super::metadata::Metadata;
use crate::timestamp::Timestamp;

/// What reading a digest has shown already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Nothing wrong.
    Sound,
    /// Something follows its gzip member.
    TrailingData,
    /// Its content names another slot.
    Misplaced,
    /// It has no content.
    Malformed,
}

/// What is known of a slot: the path of a digest from `AWSLogs` on.
#[derive(Clone, Copy, Debug)]
pub(super) enum SlotRecord<'r> {
    Digest(DigestRecord<'r>),
    Carried(CarriedRecord<'r>),
    Metadata { signature: &'r [u8], generated: Option<Timestamp> },
}

/// A digest.
#[derive(Clone, Copy, Debug)]
pub(super) struct DigestRecord<'r> {
    pub(super) number: u32,
    pub(super) state: State,
    /// Whether it names no digest before it.
    pub(super) is_starting: bool,
    /// Nothing without content.
    pub(super) period: Option<(Timestamp, Timestamp)>,
    pub(super) sha: Sha,
    pub(super) fingerprint: Fingerprint,
    /// As its content says, or else its path.
    pub(super) bucket: &'r [u8],
    pub(super) key: &'r [u8],
    /// What is wrong.
    pub(super) detail: &'r [u8],
    /// The hash of the text that is signed.
    pub(super) signed: Sha,
}

/// What a digest says of the one before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CarriedRecord<'r> {
    pub(super) sha: Sha,
    pub(super) signature: &'r [u8],
    pub(super) bucket: &'r [u8],
    pub(super) key: &'r [u8],
}

impl State {
    const ALL: [Self; 4] = [Self::Sound, Self::TrailingData, Self::Misplaced, Self::Malformed];

    fn take(fields: &mut Fields<'_>) -> Option<Self> {
        Self::ALL.get(usize::from(fields.byte()?)).copied()
    }
}

impl<'r> SlotRecord<'r> {
    const DIGEST: u8 = 0;
    const CARRIED: u8 = 1;
    const METADATA: u8 = 2;

    pub(super) fn take(record: &'r [u8]) -> Option<Self> {
        let mut fields = Fields(record);
        match fields.byte()? {
            Self::DIGEST => DigestRecord::take(fields).map(Self::Digest),
            Self::CARRIED => CarriedRecord::take(fields).map(Self::Carried),
            Self::METADATA => {
                let generated = if fields.flag()? { Some(fields.time()?) } else { None };
                Some(Self::Metadata { signature: fields.text()?, generated })
            }
            _ => None,
        }
    }
}

impl<'r> DigestRecord<'r> {
    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.clear();
        to.push(SlotRecord::DIGEST);
        to.put_number(self.number);
        to.push(self.state as u8);
        to.push(self.is_starting.into());
        to.push(self.period.is_some().into());
        for time in self.period.into_iter().flat_map(|(start, end)| [start, end]) {
            to.put_time(time);
        }
        to.extend_from_slice(&self.sha);
        to.extend_from_slice(&self.fingerprint);
        [self.bucket, self.key, self.detail].iter().for_each(|text| to.put_text(text));
        to.extend_from_slice(&self.signed);
    }

    /// Puts in the hash of the text that is signed, which is the last of a record to be known.
    pub(super) fn set_signed(record: &mut [u8], signed: &Sha) {
        if let Some(last) = record.last_chunk_mut() {
            *last = *signed;
        }
    }

    fn take(mut fields: Fields<'r>) -> Option<Self> {
        Some(Self {
            number: fields.number()?,
            state: State::take(&mut fields)?,
            is_starting: fields.flag()?,
            period: if fields.flag()? { Some((fields.time()?, fields.time()?)) } else { None },
            sha: fields.array()?,
            fingerprint: fields.array()?,
            bucket: fields.text()?,
            key: fields.text()?,
            detail: fields.text()?,
            signed: fields.array()?,
        })
    }
}

impl<'r> CarriedRecord<'r> {
    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.clear();
        to.push(SlotRecord::CARRIED);
        to.extend_from_slice(&self.sha);
        [self.signature, self.bucket, self.key].iter().for_each(|text| to.put_text(text));
    }

    fn take(mut fields: Fields<'r>) -> Option<Self> {
        Some(Self { sha: fields.array()?, signature: fields.text()?, bucket: fields.text()?, key: fields.text()? })
    }
}

pub(super) fn put_metadata(metadata: &Metadata, to: &mut Vec<u8>) {
    to.clear();
    to.push(SlotRecord::METADATA);
    to.push(metadata.generated.is_some().into());
    metadata.generated.into_iter().for_each(|time| to.put_time(time));
    to.put_text(&metadata.signature);
}

/// What is known of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogRecord<'r> {
    /// A digest lists it.
    Listed { digest: u32, sha: Sha, end: Timestamp, bucket: &'r [u8], key: &'r [u8] },
    /// It is in a root.
    Present { found: Found<'r>, bucket: &'r [u8], key: &'r [u8] },
    /// It is in the inventory.
    Stored { modified: Option<Timestamp>, bucket: &'r [u8], key: &'r [u8] },
}

/// What a log in a root turned out to be, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found<'r> {
    /// Nobody has looked.
    Unread,
    Hashed(Sha),
    TrailingData,
    Malformed(&'r [u8]),
}

impl<'r> LogRecord<'r> {
    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.clear();
        let (bucket, key) = match self {
            Self::Listed { digest, sha, end, bucket, key } => {
                to.push(0);
                to.put_number(*digest);
                to.extend_from_slice(sha);
                to.put_time(*end);
                (bucket, key)
            }
            Self::Present { found, bucket, key } => {
                to.push(1);
                found.put(to);
                (bucket, key)
            }
            Self::Stored { modified, bucket, key } => {
                to.push(2);
                to.push(modified.is_some().into());
                modified.iter().for_each(|time| to.put_time(*time));
                (bucket, key)
            }
        };
        to.put_text(bucket);
        to.put_text(key);
    }

    /// Its bucket, as far as it is known, and its key.
    pub(super) fn name(&self) -> (&'r [u8], &'r [u8]) {
        match *self {
            Self::Listed { bucket, key, .. } | Self::Present { bucket, key, .. } | Self::Stored { bucket, key, .. } => {
                (bucket, key)
            }
        }
    }

    pub(super) fn take(record: &'r [u8]) -> Option<Self> {
        let mut fields = Fields(record);
        Some(match fields.byte()? {
            0 => Self::Listed {
                digest: fields.number()?,
                sha: fields.array()?,
                end: fields.time()?,
                bucket: fields.text()?,
                key: fields.text()?,
            },
            1 => Self::Present { found: Found::take(&mut fields)?, bucket: fields.text()?, key: fields.text()? },
            2 => {
                let modified = if fields.flag()? { Some(fields.time()?) } else { None };
                Self::Stored { modified, bucket: fields.text()?, key: fields.text()? }
            }
            _ => return None,
        })
    }
}

impl<'r> Found<'r> {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Self::Unread => to.push(0),
            Self::Hashed(sha) => {
                to.push(1);
                to.extend_from_slice(sha);
            }
            Self::TrailingData => to.push(2),
            Self::Malformed(detail) => {
                to.push(3);
                to.put_text(detail);
            }
        }
    }

    fn take(fields: &mut Fields<'r>) -> Option<Self> {
        Some(match fields.byte()? {
            0 => Self::Unread,
            1 => Self::Hashed(fields.array()?),
            2 => Self::TrailingData,
            3 => Self::Malformed(fields.text()?),
            _ => return None,
        })
    }
}
