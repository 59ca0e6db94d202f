//! What is kept of digests and logs until it is judged, and its written form.

use super::fields::{Fields, PutFields as _};
use super::keys::{Fingerprint, Sha};
use super::metadata::Metadata;
use super::mirrors::{Lies, Name, RootPath};
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
    /// Nobody could look at its content.
    Unreadable,
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
    /// Where it is, if it names its slot.
    pub(super) lies: Lies,
    /// What stands before `AWSLogs` where it lies that is in another bucket.
    pub(super) before: &'r [u8],
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
    const ALL: [Self; 5] = [Self::Sound, Self::TrailingData, Self::Misplaced, Self::Malformed, Self::Unreadable];

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
        to.push(self.lies as u8);
        to.push(self.is_starting.into());
        to.push(self.period.is_some().into());
        for time in self.period.into_iter().flat_map(|(start, end)| [start, end]) {
            to.put_time(time);
        }
        to.extend_from_slice(&self.sha);
        to.extend_from_slice(&self.fingerprint);
        [self.before, self.bucket, self.key, self.detail].iter().for_each(|text| to.put_text(text));
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
            lies: Lies::ALL.get(usize::from(fields.byte()?)).copied()?,
            is_starting: fields.flag()?,
            period: if fields.flag()? { Some((fields.time()?, fields.time()?)) } else { None },
            sha: fields.array()?,
            fingerprint: fields.array()?,
            before: fields.text()?,
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
    /// A digest lists it, of so many hours, which is one of the window or not.
    Listed { digest: u32, sha: Sha, end: Timestamp, hours: u8, is_asked: bool, name: Name<'r> },
    /// It is in a root.
    Present { found: Found<'r>, at: RootPath<'r> },
    /// It is in the inventory.
    Stored(Name<'r>),
}

/// What a log in a root turned out to be, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found<'r> {
    /// Nobody has looked.
    Unread,
    Hashed(Sha),
    /// Nobody could look.
    Unreadable(&'r [u8]),
    TrailingData,
    Malformed(&'r [u8]),
}

impl<'r> LogRecord<'r> {
    const LISTED: u8 = 0;
    const PRESENT: u8 = 1;
    const STORED: u8 = 2;

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.clear();
        match self {
            Self::Listed { digest, sha, end, hours, is_asked, name } => {
                to.push(Self::LISTED);
                to.put_number(*digest);
                to.extend_from_slice(sha);
                to.put_time(*end);
                to.push(*hours);
                to.push((*is_asked).into());
                to.put_text(name.bucket);
                to.put_text(name.key);
            }
            Self::Present { found, at } => {
                to.push(Self::PRESENT);
                found.put(to);
                to.put_number(at.root);
                to.put_text(at.top);
                to.put_text(at.rest);
            }
            Self::Stored(name) => {
                to.push(Self::STORED);
                to.put_text(name.bucket);
                to.put_text(name.key);
            }
        }
    }

    pub(super) fn take(record: &'r [u8]) -> Option<Self> {
        let mut fields = Fields(record);
        Some(match fields.byte()? {
            Self::LISTED => Self::Listed {
                digest: fields.number()?,
                sha: fields.array()?,
                end: fields.time()?,
                hours: fields.byte()?,
                is_asked: fields.flag()?,
                name: take_name(&mut fields)?,
            },
            Self::PRESENT => {
                let found = Found::take(&mut fields)?;
                let at = RootPath { root: fields.number()?, top: fields.text()?, rest: fields.text()? };
                Self::Present { found, at }
            }
            Self::STORED => Self::Stored(take_name(&mut fields)?),
            _ => return None,
        })
    }
}

fn take_name<'r>(fields: &mut Fields<'r>) -> Option<Name<'r>> {
    Some(Name { bucket: fields.text()?, key: fields.text()? })
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
            Self::Unreadable(detail) => {
                to.push(4);
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
            4 => Self::Unreadable(fields.text()?),
            _ => return None,
        })
    }
}
