//! What one record of a source says, before it is known whether the source can be believed.

use super::words::{Claim, What};
use crate::batch::Texts;
use crate::timestamp::Timestamp;

/// What one record says of a version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub(super) bucket: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) version: Named<'a>,
    pub(super) what: What,
    pub(super) claim: Claim,
    pub(super) name: Name<'a>,
    /// When what is said was so; nothing if the record does not say.
    pub(super) when: Option<Timestamp>,
    /// When the version was last modified.
    pub(super) modified: Option<Timestamp>,
    pub(super) mark: Mark<'a>,
}

/// How a record names the version that it is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named<'a> {
    /// By this id, or as the null version, or not: an empty id is none.
    As(&'a [u8]),
    /// Its source does not name versions.
    Never,
    /// It is any that was there at the time.
    Any,
    /// It is whichever was written about then.
    WrittenThen,
}

impl<'a> Named<'a> {
    /// As a row of a list does.
    pub(super) fn in_column(ids: &Texts<'a>, row: usize) -> Self {
        if ids.is_absent() { Self::Never } else { Self::As(ids.get(row)) }
    }
}

/// What is said of the name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// Nothing, or nothing that can be read.
    Untold,
    /// It is this.
    Is(&'a [u8]),
    /// It is this, and where that is no ARN, a key of this account.
    Of(&'a [u8], &'a [u8]),
}

impl<'a> Name<'a> {
    /// The name in a cell; a blank one says nothing.
    pub(super) fn of(cell: &'a [u8]) -> Self {
        if cell.is_empty() { Self::Untold } else { Self::Is(cell) }
    }

    /// What tells it from other names.
    pub(super) fn parts(self) -> (&'a [u8], &'a [u8]) {
        match self {
            Self::Untold => (b"", b""),
            Self::Is(name) => (name, b""),
            Self::Of(name, account) => (name, account),
        }
    }
}

/// What tells a record from others about the same version.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark<'a> {
    /// Nothing.
    None,
    /// The ETag that was seen.
    ETag(&'a [u8]),
    /// The id of an upload in parts.
    Upload(&'a [u8]),
    /// The sequence number of a journal's record; an empty one tells nothing.
    Sequence(&'a [u8]),
}
