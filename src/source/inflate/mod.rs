//! Gzip files to text, as fast as can be: inflating is most of the work of an audit of CSV files.
//!
//! Any number of members (RFC 1952) is read to the true end; what is cut off, damaged or followed by anything else is an
//! error. Text is written to where the caller wants it, and the only bytes that are kept beside it are the last 32 KiB. What
//! is accepted is what `flate2` with zlib accepts, which is the oracle of the tests.

mod fast;
mod input;
mod symbols;
mod tables;
#[cfg(test)]
mod tests;
mod text;

use std::io::{self, ErrorKind, Read};

use crc32fast::Hasher as Crc32;

use super::READ_LEN;
use input::Input;
use symbols::Blocks;
use text::Text;

/// What is wrong with a gzip file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Damage {
    #[error("it ends too early")]
    CutOff,
    #[error("a member does not begin as gzip does")]
    Header,
    #[error("a header has the wrong checksum")]
    HeaderChecksum,
    #[error("a block has an unknown type")]
    BlockType,
    #[error("a stored block contradicts itself about its length")]
    StoredLength,
    #[error("the codes of a block make no sense")]
    Code,
    #[error("bits stand for no symbol")]
    Symbol,
    #[error("a copy comes from where nothing is")]
    Distance,
    #[error("the text of a member has another checksum than it says")]
    Checksum,
    #[error("the text of a member has another length than it says")]
    Length,
}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        let kind = if damage == Damage::CutOff { ErrorKind::UnexpectedEof } else { ErrorKind::InvalidData };
        Self::new(kind, damage)
    }
}

/// Whether a file is to blame for an error, and not whoever reads it.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Damage>())
}

/// Reads the text of a gzip file.
pub(crate) struct GzipReader<R> {
    input: Input<R>,
    blocks: Blocks,
    state: State,
    members: Members,
    /// The end of the text of the member, for copies.
    history: Vec<u8>,
    crc: Crc32,
    /// Of the member's text, modulo 2^32.
    len: u32,
}

/// What readers of small files take over from one another.
pub(crate) struct Room {
    buffer: Box<[u8]>,
    blocks: Blocks,
    history: Vec<u8>,
}

/// How many members are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Members {
    All,
    First,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Blocks,
    Trailer,
    End,
    /// Nothing: there was an error, which is told again to whoever else reads.
    Failed(Option<Damage>),
}

impl Default for Room {
    fn default() -> Self {
        Self { buffer: vec![0; READ_LEN].into_boxed_slice(), blocks: Blocks::new(), history: Vec::new() }
    }
}

impl<R: Read> GzipReader<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self::with(reader, Room::default(), Members::All)
    }

    /// Reads one member, whatever follows it.
    pub(crate) fn first_member(reader: R, room: Room) -> Self {
        Self::with(reader, room, Members::First)
    }

    fn with(reader: R, Room { buffer, blocks, history }: Room, members: Members) -> Self {
        let (state, crc) = (State::Header, Crc32::new());
        Self { input: Input::new(reader, buffer), blocks, state, members, history, crc, len: 0 }
    }

    /// What it reads from.
    pub(crate) fn reader(&self) -> &R {
        self.input.reader()
    }

    /// Whether something follows what was read.
    pub(crate) fn has_tail(&mut self) -> io::Result<bool> {
        self.input.ensure(1)?;
        Ok(!self.input.unread().is_empty())
    }

    /// For the next reader.
    pub(crate) fn into_room(self) -> Room {
        Room { buffer: self.input.into_buffer(), blocks: self.blocks, history: self.history }
    }

    /// Reads like [`Read::read`] into `buffer[from..]`. Whenever there is some more, `each` sees the buffer so far.
    pub(crate) fn read_each(
        &mut self,
        buffer: &mut [u8],
        from: usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> io::Result<usize> {
        let mut history = std::mem::take(&mut self.history);
        let mut text = Text::new(buffer, from, &history);
        if let Err(error) = self.read_text(&mut text, each) {
            self.state = State::Failed(error.get_ref().and_then(|damage| damage.downcast_ref()).copied());
            return Err(error);
        }
        let (len, (kept, last)) = (text.len, text.window());
        // Nobody looks back from the end.
        let (kept, last) = if self.state == State::End { (0, 0..0) } else { (kept, last) };
        history.drain(..history.len() - kept);
        history.extend_from_slice(&buffer[last]);
        self.history = history;
        Ok(len - from)
    }

    fn read_text(&mut self, text: &mut Text<'_>, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        while !text.is_full() && self.state != State::End {
            self.state = match self.state {
                State::Header => self.read_header(text)?,
                State::Blocks => self.read_blocks(text, each)?,
                State::Trailer => self.read_trailer()?,
                State::End => State::End,
                State::Failed(Some(damage)) => return Err(damage.into()),
                State::Failed(None) => return Err(io::Error::other("reading it has failed before")),
            };
        }
        Ok(())
    }

    /// RFC 1952, 2.3.
    fn read_header(&mut self, text: &mut Text<'_>) -> io::Result<State> {
        read_header(&mut self.input)?;
        self.blocks.restart();
        self.crc = Crc32::new();
        self.len = 0;
        text.start_member();
        Ok(State::Blocks)
    }

    fn read_blocks(&mut self, text: &mut Text<'_>, each: &mut dyn FnMut(&[u8])) -> io::Result<State> {
        let from = text.len;
        let at_end = self.blocks.read(&mut self.input, text)?;
        // A block at a time, which is still in the cache.
        let read = &text.bytes[from..text.len];
        self.crc.update(read);
        self.len = self.len.wrapping_add(read.len() as u32);
        each(&text.bytes[..text.len]);
        Ok(if at_end { State::Trailer } else { State::Blocks })
    }

    /// RFC 1952, 2.3.1.
    fn read_trailer(&mut self) -> io::Result<State> {
        self.input.align();
        let (crc, len) = (self.input.take_bytes()?, self.input.take_bytes()?);
        if self.crc.clone().finalize() != u32::from_le_bytes(crc) {
            return Err(Damage::Checksum.into());
        }
        if self.len != u32::from_le_bytes(len) {
            return Err(Damage::Length.into());
        }
        let is_over = self.members == Members::First || !self.has_tail()?;
        Ok(if is_over { State::End } else { State::Header })
    }
}

impl<R: Read> Read for GzipReader<R> {
    /// After an error, what is in the buffer means nothing, and there will be no more.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_each(buffer, 0, &mut |_| ())
    }
}

/// RFC 1952, 2.3.1; nothing in a header is of use to us.
fn read_header<R: Read>(input: &mut Input<R>) -> io::Result<()> {
    const HEADER_CRC: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    const RESERVED: u8 = 0b1110_0000;
    let mut header = Header { input, crc: Crc32::new() };
    let start: [u8; 10] = header.take()?;
    let flags = start[3];
    if !start.starts_with(&[0x1f, 0x8b, 8]) || flags & RESERVED != 0 {
        return Err(Damage::Header.into());
    }
    if flags & EXTRA != 0 {
        header.skip_extra()?;
    }
    if flags & NAME != 0 {
        header.skip_name()?;
    }
    if flags & COMMENT != 0 {
        header.skip_name()?;
    }
    if flags & HEADER_CRC != 0 {
        header.check()?;
    }
    Ok(())
}

/// The bytes of a header, with their checksum.
struct Header<'i, R> {
    input: &'i mut Input<R>,
    crc: Crc32,
}

impl<R: Read> Header<'_, R> {
    fn take<const LEN: usize>(&mut self) -> io::Result<[u8; LEN]> {
        let bytes = self.input.take_bytes()?;
        self.crc.update(&bytes);
        Ok(bytes)
    }

    fn skip_extra(&mut self) -> io::Result<()> {
        for _ in 0..u16::from_le_bytes(self.take()?) {
            self.take::<1>()?;
        }
        Ok(())
    }

    /// A name ends with a zero; `flate2` takes none that is longer than 65,535 bytes.
    fn skip_name(&mut self) -> io::Result<()> {
        for _ in 0..=u16::MAX {
            if self.take()? == [0] {
                return Ok(());
            }
        }
        Err(Damage::Header.into())
    }

    fn check(&mut self) -> io::Result<()> {
        let crc = self.crc.clone().finalize() as u16;
        if u16::from_le_bytes(self.take()?) == crc { Ok(()) } else { Err(Damage::HeaderChecksum.into()) }
    }
}
