//! The footer of a stripe: where the streams of each column are, and how they are encoded ("Stripe Footer").

use std::ops::Range;

use super::cursor::{StoredColumn, Streams};
use super::proto::{Field, Fields};
use super::tail::StripeInfo;
use crate::fault::UnitFault;
use crate::readers::damaged;

/// A few bytes for each stream of a few dozen columns.
const MAX_FOOTER_LEN: usize = 1 << 20;

/// Finds the streams of the columns.
pub(super) fn read_footer(
    streams: Streams<'_>,
    stripe: &StripeInfo,
    columns: &mut [Option<StoredColumn>],
) -> Result<(), UnitFault> {
    let no_footer = || damaged("the footer of a stripe is none");
    let (streams_end, end) = stripe.ends().ok_or_else(no_footer)?;
    let bytes = streams.stream(&(streams_end..end)).into_bytes(MAX_FOOTER_LEN)?;
    let (mut at, mut encodings) = (stripe.offset, 0);
    for field in Fields(&bytes) {
        let Field { number, value } = field.ok_or_else(no_footer)?;
        match number {
            1 => {
                let stream = value.bytes().and_then(StreamInfo::parse).ok_or_else(no_footer)?;
                let end = at.checked_add(stream.len).filter(|end| *end <= streams_end);
                let range = at..end.ok_or_else(|| damaged("a stream lies outside of its stripe"))?;
                at = range.end;
                stream.put(range, columns)?;
            }
            2 => {
                let encoding = value.bytes().and_then(Encoding::parse).ok_or_else(no_footer)?;
                if let Some(column) = columns.iter_mut().flatten().find(|column| column.id == encodings) {
                    (column.encoding, column.dictionary_len) = (encoding.kind, encoding.dictionary_len);
                }
                encodings += 1;
            }
            // Neither the writer's time zone (see the cursors) nor anything else.
            _ => {}
        }
    }
    let is_whole = columns.iter().flatten().all(|column| column.id < encodings);
    if is_whole { Ok(()) } else { Err(no_footer()) }
}

#[derive(Default)]
struct StreamInfo {
    kind: u64,
    column: u64,
    len: u64,
}

impl StreamInfo {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut stream = Self::default();
        for field in Fields(bytes) {
            let Field { number, value } = field?;
            match number {
                1 => stream.kind = value.number()?,
                2 => stream.column = value.number()?,
                3 => stream.len = value.number()?,
                _ => {}
            }
        }
        Some(stream)
    }

    /// Notes where the stream is, if it is one that is read.
    fn put(&self, range: Range<u64>, columns: &mut [Option<StoredColumn>]) -> Result<(), UnitFault> {
        // "Streams": the kinds that hold rows.
        const PRESENT: u64 = 0;
        const DATA: u64 = 1;
        const LENGTH: u64 = 2;
        const DICTIONARY_DATA: u64 = 3;
        const SECONDARY: u64 = 5;
        if range.is_empty() {
            return Ok(());
        }
        if (self.kind, self.column) == (PRESENT, 0) {
            return Err(damaged("some rows are null as a whole"));
        }
        let Some(column) = columns.iter_mut().flatten().find(|column| column.id == self.column) else { return Ok(()) };
        let place = match self.kind {
            PRESENT => &mut column.present,
            DATA => &mut column.data,
            LENGTH => &mut column.lengths,
            DICTIONARY_DATA => &mut column.dictionary,
            SECONDARY => &mut column.secondary,
            _ => return Ok(()),
        };
        if !place.is_empty() {
            return Err(damaged("a column has a stream twice"));
        }
        *place = range;
        Ok(())
    }
}

#[derive(Default)]
struct Encoding {
    kind: u64,
    dictionary_len: u64,
}

impl Encoding {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut encoding = Self::default();
        for field in Fields(bytes) {
            let Field { number, value } = field?;
            match number {
                1 => encoding.kind = value.number()?,
                2 => encoding.dictionary_len = value.number()?,
                _ => {}
            }
        }
        Some(encoding)
    }
}
