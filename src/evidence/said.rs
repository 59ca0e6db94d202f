//! What one record of a source says, before it is known whether the source can be believed.

use super::answers::Claim;
use crate::timestamp::Timestamp;

/// What one record says of a version.
pub(super) struct Said<'a> {
    pub(super) bucket: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) of: Of<'a>,
    pub(super) claim: Claim,
    pub(super) name: Name<'a>,
    pub(super) when: When,
    /// The order of a journal.
    pub(super) order: u64,
    /// When the version was last modified.
    pub(super) modified: Option<Timestamp>,
    pub(super) is_journal: bool,
    pub(super) is_gone: bool,
    /// Whether it is the writing itself that says it, and was modified when it was said.
    pub(super) is_write: bool,
}

impl<'a> Said<'a> {
    /// What is said of an object at one time, and nothing else.
    #[inline]
    pub(super) fn new(
        (bucket, key): (&'a [u8], &'a [u8]),
        of: Of<'a>,
        claim: Claim,
        name: Name<'a>,
        when: When,
    ) -> Self {
        Self {
            bucket,
            key,
            of,
            claim,
            name,
            when,
            order: 0,
            modified: None,
            is_journal: false,
            is_gone: false,
            is_write: false,
        }
    }
}

/// Which version of the key something is said of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of<'a> {
    /// Of this one; nothing for the null version.
    Version(Option<&'a [u8]>),
    /// Of the one that was last modified about when it was said.
    WrittenThen,
    /// Of the one that was current when it was said, whichever that was.
    Current,
}

/// What is said of the name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// Nothing.
    None,
    /// It is there and cannot be read.
    Untold,
    /// It is this.
    Is(&'a [u8]),
}

impl<'a> Name<'a> {
    /// The name in a cell; a blank one says nothing.
    pub(super) fn of(cell: &'a [u8]) -> Self {
        if cell.is_empty() { Self::None } else { Self::Is(cell) }
    }

    /// What tells it from other names.
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Self::None => b"",
            Self::Untold => b"?",
            Self::Is(name) => name,
        }
    }
}

/// When what is said was so.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// Then.
    At(Timestamp),
    /// Then or later; nothing if even that is not known.
    NotBefore(Option<Timestamp>),
}
