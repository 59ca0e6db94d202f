//! What CloudTrail logs say about the keys of S3 objects.
//!
//! [`scan`] reads the text of one log file, `{"Records":[...]}`, and hands over an [`Event`] for each call that wrote an
//! object or made a data key for one. The text is cut into records over a window of bounded size; only records that name
//! such a call are parsed. Nothing in the text is trusted: whatever its shape, a scan ends, and needs no more memory than
//! the window and one record.
//!
//! What is wrong inside of one record is counted, and the scan goes on. What is wrong around the records, a file that
//! ends too early or is no log at all, is an error that names the byte; the records before it have been handed over by
//! then, and the caller should throw away what they said.

mod event;
mod record;
mod split;
#[cfg(test)]
mod tests;
mod window;

use std::io::{self, Read};
use std::ops::AddAssign;

use memchr::memmem::Finder;

use event::{CALLS, Said, what_it_says};
pub use event::{DataKey, Event, Write, WriteKind};
use record::Record;
use split::{Misplaced, Splitter, Step};
use window::Window;

/// What a scan went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Records in the file, whatever they are about.
    pub records: u64,
    /// Events handed over.
    pub events: u64,
    /// Calls that would have been events, and failed.
    pub failed: u64,
    /// Data keys for an object or bucket that were not made for an AWS service: anyone with access to a key can ask for
    /// one in the name of any object.
    pub foreign: u64,
    /// Calls that would have been events, and do not name all of their time, their object and (data keys) their key.
    pub incomplete: u64,
    /// Records that could not be read: longer than [`MAX_RECORD`], nested too deep, or (looked at only where a record
    /// seems to matter) no JSON or of other types than CloudTrail gives.
    pub unreadable: u64,
}

/// The longest record that is read. CloudTrail's own limit for an event is 256 KiB.
pub const MAX_RECORD: usize = 1 << 20;

/// Why a file could not be scanned to its end. Offsets count bytes of the decompressed text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The text could not be read.
    #[error("it cannot be read after byte {at}: {error}")]
    Read {
        /// What was read until then.
        at: u64,
        /// What the reader says.
        #[source]
        error: io::Error,
    },
    /// It does not begin like a log.
    #[error("it is no CloudTrail log: byte {at} should be {expected}")]
    NotALog {
        /// Where.
        at: u64,
        /// What a log has there.
        expected: &'static str,
    },
    /// Something is between or behind the records that does not belong there, or a bracket closes another one.
    #[error("it is damaged: byte {at} should be {expected}")]
    Damaged {
        /// Where.
        at: u64,
        /// What a log has there.
        expected: &'static str,
    },
    /// It ends too early.
    #[error("it is cut off: it ends at byte {at}, before {expected}")]
    CutOff {
        /// Its length.
        at: u64,
        /// What is missing first.
        expected: &'static str,
    },
}

/// Buffers for [`scan`], for one file after the other.
#[derive(Debug, Default)]
pub struct Scratch {
    window: Window,
    filter: Filter,
}

/// Hands over every event of a decompressed log, in its order.
///
/// # Errors
///
/// When the text ends early, is no log, or has something between its records. What was handed over before should be
/// thrown away.
pub fn scan(
    input: &mut dyn Read,
    scratch: &mut Scratch,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<Scanned, ScanError> {
    let Scratch { window, filter } = scratch;
    window.restart();
    let (mut splitter, mut scanned) = (Splitter::default(), Scanned::default());
    loop {
        match splitter.advance(window.unread()).map_err(|misplaced| misplaced.into_error(window.position()))? {
            Step::Opened(at) => window.open(at),
            Step::Closed { behind, deep, escaped } => {
                let record = window.close(behind).filter(|_| !deep);
                scanned.records += 1;
                scanned.count(match record {
                    Some(record) if escaped || filter.may_matter(record) => look_at(record, each),
                    Some(_) => Looked::Irrelevant,
                    None => Looked::Unreadable,
                });
            }
            Step::Starved => {
                if window.fill(input)? == 0 {
                    splitter.finish().map_err(|expected| ScanError::CutOff { at: window.position(), expected })?;
                    return Ok(scanned);
                }
            }
        }
    }
}

/// Whether a file that begins with `head` is a log: an object whose first member is `Records`, a list.
pub fn is_log(head: &[u8]) -> bool {
    let mut splitter = Splitter::default();
    splitter.advance(head).is_ok() && splitter.is_in_records()
}

/// What became of one record.
enum Looked {
    Irrelevant,
    Event,
    Failed,
    Foreign,
    Incomplete,
    Unreadable,
}

fn look_at(text: &[u8], each: &mut dyn FnMut(Event<'_>)) -> Looked {
    // Checking all of the text once is cheaper than each of its strings.
    let Ok(text) = str::from_utf8(text) else {
        return Looked::Unreadable;
    };
    let Ok(record) = serde_json::from_str::<Record<'_>>(text) else {
        return Looked::Unreadable;
    };
    match what_it_says(&record) {
        Said::Nothing => Looked::Irrelevant,
        Said::Failed => Looked::Failed,
        Said::Foreign => Looked::Foreign,
        Said::Incomplete => Looked::Incomplete,
        Said::Event(event) => {
            each(event);
            Looked::Event
        }
    }
}

impl Scanned {
    fn count(&mut self, looked: Looked) {
        match looked {
            Looked::Irrelevant => {}
            Looked::Event => self.events += 1,
            Looked::Failed => self.failed += 1,
            Looked::Foreign => self.foreign += 1,
            Looked::Incomplete => self.incomplete += 1,
            Looked::Unreadable => self.unreadable += 1,
        }
    }
}

impl AddAssign for Scanned {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.events += other.events;
        self.failed += other.failed;
        self.foreign += other.foreign;
        self.incomplete += other.incomplete;
        self.unreadable += other.unreadable;
    }
}

impl Misplaced {
    /// `from`: the offset of the text that the splitter was given.
    fn into_error(self, from: u64) -> ScanError {
        let (at, expected) = (from + self.at as u64, self.expected);
        if self.in_records { ScanError::Damaged { at, expected } } else { ScanError::NotALog { at, expected } }
    }
}

/// Tells the few records that may be events from the many others, without parsing either.
///
/// A record that passes may still be about something else. One that does not pass is none of ours, unless its names are
/// spelt with escapes, which the splitter sees.
#[derive(Debug)]
struct Filter {
    name: Finder<'static>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { name: Finder::new(r#""eventName""#) }
    }
}

impl Filter {
    /// Looks at all members of this name: other records may have one deeper inside, before their own.
    fn may_matter(&self, record: &[u8]) -> bool {
        let name_len = self.name.needle().len();
        self.name.find_iter(record).any(|at| names_a_call(&record[at + name_len..]))
    }
}

/// `rest`: what stands behind the name `eventName`.
fn names_a_call(rest: &[u8]) -> bool {
    let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
    // A list of one string is read like the string.
    let value = value.map(|value| value.strip_prefix(b"[").map_or(value, <[u8]>::trim_ascii_start));
    let Some(value) = value.and_then(|value| value.strip_prefix(b"\"")) else {
        return false;
    };
    CALLS.iter().any(|call| value.strip_prefix(call.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'"')))
}
