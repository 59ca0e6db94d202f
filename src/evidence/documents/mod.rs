//! JSON as people and tools keep it: logs as they were delivered, answers and events one a line or over many lines,
//! several of them in one file, and in each other.
//!
//! [`read`] cuts a text into items and hands them over, over a window of bounded size. Nothing in the text is trusted:
//! whatever its shape, reading ends, and needs no more memory than the window.
//!
//! What is wrong inside of an item is told by whoever takes it. What is wrong around the items, a text that ends too
//! early or is none of these, is an error that names the byte; the items before it have been handed over by then, and the
//! caller should throw away what they said.

mod split;
mod window;

use std::io::{self, Read};
use std::ops::ControlFlow;

#[cfg(test)]
pub(super) use split::MAX_DEPTH;
pub(super) use split::{List, Name, Names, Of};
use split::{Misplaced, Splitter, Step};
pub(super) use window::TextWindow;

use memchr::memchr;

/// The longest item that is read. CloudTrail's own limit for an event is 256 KiB.
pub const MAX_ITEM: usize = 1 << 20;

/// Why a text could not be read to its end. Offsets count bytes of the decompressed text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The text could not be read.
    #[error("it cannot be read after byte {at}: {error}")]
    Read {
        /// What was read until then.
        at: u64,
        /// What the reader says.
        #[source]
        error: io::Error,
    },
    /// It does not begin like a text that is known.
    #[error("it is no JSON that is known: byte {at} should be {expected}")]
    Unknown {
        /// Where.
        at: u64,
        /// What it should have there.
        expected: &'static str,
    },
    /// Something is between or behind the items that does not belong there, or a bracket closes another one.
    #[error("it is damaged: byte {at} should be {expected}")]
    Damaged {
        /// Where.
        at: u64,
        /// What it should have there.
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

/// An item of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'t> {
    /// Its JSON. Nothing: it is longer than [`MAX_ITEM`], nests deeper than 64 levels, or has a list of items, too.
    pub(super) text: Option<&'t [u8]>,
    pub(super) of: Of,
    /// One of its strings may spell plain letters as escapes.
    pub(super) escaped: bool,
    /// The offset of its end in the text.
    pub(super) end: u64,
}

/// Takes what a text holds.
pub(super) trait Sink {
    /// Takes a line that is a document by itself, and says whether to go on. Nothing: it should come as any other document.
    fn line(&mut self, line: &[u8]) -> Option<ControlFlow<()>>;

    /// A list of items begins.
    fn list(&mut self, list: List);

    /// Takes an item, and says whether to go on.
    fn item(&mut self, item: Item<'_>) -> ControlFlow<()>;
}

/// Hands over all items of a text, in their order, unless the sink breaks off.
pub(super) fn read(input: &mut dyn Read, window: &mut TextWindow, sink: &mut dyn Sink) -> Result<(), TextError> {
    window.restart();
    let mut splitter = Splitter::default();
    loop {
        while splitter.is_between_documents()
            && let Some(line) = whole_line(window.unread())
            && let Some(flow) = sink.line(line)
        {
            if flow.is_break() {
                return Ok(());
            }
            let len = line.len();
            window.release(len);
            splitter.skip_document();
        }
        match splitter.advance(window.unread()).map_err(|misplaced| misplaced.into_error(window.position()))? {
            Step::Opened(at) => window.open(at),
            Step::Listed { behind, list } => {
                window.release(behind);
                sink.list(list);
            }
            Step::Closed { behind, of, deep, escaped } => {
                let end = window.position() + behind as u64;
                let text = window.close(behind).filter(|_| !deep);
                if sink.item(Item { text, of, escaped, end }).is_break() {
                    return Ok(());
                }
            }
            Step::Starved => {
                if window.fill(input)? == 0 {
                    return splitter.finish().map_err(|expected| TextError::CutOff { at: window.position(), expected });
                }
            }
        }
    }
}

/// The line that begins here, with all space before it and its end, if it may be a document and is in memory as a whole.
fn whole_line(unread: &[u8]) -> Option<&[u8]> {
    let begin = unread.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if unread[begin] != b'{' {
        return None;
    }
    let end = begin + memchr(b'\n', &unread[begin..])?;
    unread[begin..end].trim_ascii_end().ends_with(b"}").then_some(&unread[..end + 1])
}

impl Misplaced {
    /// `from`: the offset of the text that the splitter was given.
    fn into_error(self, from: u64) -> TextError {
        let (at, expected) = (from + self.at as u64, self.expected);
        if self.has_begun { TextError::Damaged { at, expected } } else { TextError::Unknown { at, expected } }
    }
}
