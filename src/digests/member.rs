//! One gzip member, to its true end: what CloudTrail hashes is what is inside.
//!
//! Bytes behind the first member would be read by other tools and are in no hash, so their being there is told. Objects
//! that some client has stored decompressed are known by their first byte.

use std::borrow::Cow;
use std::io::{self, BufRead};

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// What a stored object turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// Whether it was stored decompressed.
    pub(super) is_plain: bool,
    /// Whether something follows the gzip member.
    pub(super) has_tail: bool,
}

/// Why the content cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage(pub(super) Cow<'static, str>);

impl From<&'static str> for Damage {
    fn from(why: &'static str) -> Self {
        Self(Cow::Borrowed(why))
    }
}

impl From<io::Error> for Damage {
    fn from(error: io::Error) -> Self {
        Self(format!("it cannot be read: {error}").into())
    }
}

/// Inflates members one after the other.
pub(super) struct Inflater {
    raw: Decompress,
    piece: Box<[u8]>,
}

/// Enough to make calls cheap, little enough to be hashed while it is in the cache.
const PIECE_LEN: usize = 64 << 10;
/// So many bytes of a header are taken; those of CloudTrail have 10.
const MAX_HEADER_LEN: usize = 64 << 10;

impl Default for Inflater {
    fn default() -> Self {
        Self { raw: Decompress::new(false), piece: vec![0; PIECE_LEN].into_boxed_slice() }
    }
}

impl Inflater {
    /// Hands over the content piece by piece. All of it has been handed over when this says what the object was.
    pub(super) fn read(
        &mut self,
        from: &mut dyn BufRead,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Damage>,
    ) -> Result<Stored, Damage> {
        match from.fill_buf()?.first() {
            None => Err("it is empty".into()),
            Some(0x1f) => {
                read_header(from)?;
                self.inflate(from, each)?;
                Ok(Stored { is_plain: false, has_tail: !from.fill_buf()?.is_empty() })
            }
            Some(b'{' | b'[') => {
                copy(from, each)?;
                Ok(Stored { is_plain: true, has_tail: false })
            }
            Some(_) => Err("it is neither gzip nor JSON".into()),
        }
    }

    fn inflate(
        &mut self,
        from: &mut dyn BufRead,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let Self { raw, piece } = self;
        raw.reset(false);
        let mut crc = Crc::new();
        loop {
            let input = from.fill_buf()?;
            let is_end = input.is_empty();
            let (read, written) = (raw.total_in(), raw.total_out());
            let status = raw.decompress(input, piece, FlushDecompress::None).map_err(|_| "its gzip data is damaged")?;
            let (read, written) = ((raw.total_in() - read) as usize, (raw.total_out() - written) as usize);
            from.consume(read);
            crc.update(&piece[..written]);
            each(&piece[..written])?;
            if status == Status::StreamEnd {
                break;
            }
            if read == 0 && written == 0 {
                return Err(if is_end { "its gzip data is cut off" } else { "its gzip data is damaged" }.into());
            }
        }
        let trailer: [u8; 8] = take(from)?;
        let [c, cc, ccc, cccc, l, ll, lll, llll] = trailer;
        if u32::from_le_bytes([c, cc, ccc, cccc]) != crc.sum() {
            return Err("its gzip checksum is wrong".into());
        }
        // The length is kept modulo 2^32 (RFC 1952, 2.3.1).
        if u32::from_le_bytes([l, ll, lll, llll]) != raw.total_out() as u32 {
            return Err("its gzip length is wrong".into());
        }
        Ok(())
    }
}

/// Reads the header of a member (RFC 1952, 2.3).
fn read_header(from: &mut dyn BufRead) -> Result<(), Damage> {
    const HEADER_CRC: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    const RESERVED: u8 = 0b1110_0000;
    let head: [u8; 10] = take(from)?;
    let [0x1f, 0x8b, method, flags, ..] = head else { return Err("it is neither gzip nor JSON".into()) };
    if method != 8 || flags & RESERVED != 0 {
        return Err("its gzip header is none that is known".into());
    }
    if flags & EXTRA != 0 {
        let len = u16::from_le_bytes(take(from)?);
        for _ in 0..len {
            take::<1>(from)?;
        }
    }
    for _ in 0..(flags & NAME).count_ones() + (flags & COMMENT).count_ones() {
        let mut left = MAX_HEADER_LEN;
        while take(from)? != [0] {
            left = left.checked_sub(1).ok_or("its gzip header is too long")?;
        }
    }
    if flags & HEADER_CRC != 0 {
        take::<2>(from)?;
    }
    Ok(())
}

fn take<const LEN: usize>(from: &mut dyn BufRead) -> Result<[u8; LEN], Damage> {
    let mut bytes = [0; LEN];
    match from.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err("its gzip data is cut off".into()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(bytes),
    }
}

fn copy(from: &mut dyn BufRead, each: &mut dyn FnMut(&[u8]) -> Result<(), Damage>) -> Result<(), Damage> {
    loop {
        let bytes = from.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        each(bytes)?;
        let len = bytes.len();
        from.consume(len);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, GzBuilder};

    use super::*;

    fn read(stored: &[u8]) -> Result<(Vec<u8>, Stored), Damage> {
        let mut content = Vec::new();
        let found = Inflater::default().read(&mut io::BufReader::with_capacity(7, stored), &mut |piece| {
            content.extend_from_slice(piece);
            Ok(())
        });
        found.map(|stored| (content, stored))
    }

    fn gzip(content: &[u8], builder: GzBuilder) -> Vec<u8> {
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(content).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn members_with_any_header_are_read() {
        let content: Vec<u8> = (0..200_000_u32).flat_map(|n| (n.wrapping_mul(n) >> 7).to_le_bytes()).collect();
        let builders = [
            GzBuilder::new(),
            GzBuilder::new().mtime(7).filename("a name").comment("a comment"),
            GzBuilder::new().extra(vec![0; 300]),
        ];
        for builder in builders {
            let found = read(&gzip(&content, builder)).expect("a member");
            assert!(found == (content.clone(), Stored { is_plain: false, has_tail: false }));
        }
        let plain = Stored { is_plain: true, has_tail: false };
        assert_eq!(read(b"{}"), Ok((b"{}".to_vec(), plain)));
    }

    #[test]
    fn every_cut_is_damage_and_every_tail_is_told() {
        let whole = gzip(b"{\"a\": 1}", GzBuilder::new().filename("f"));
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for tail in [&b"\0"[..], b"x", &whole] {
            let (content, stored) = read(&[&whole, tail].concat()).expect("a member");
            assert_eq!((&content[..], stored.has_tail), (&b"{\"a\": 1}"[..], true));
        }
    }

    #[test]
    fn flipped_bits_never_give_other_content() {
        let whole = gzip(b"{\"some\": \"content\", \"again\": \"content\"}", GzBuilder::new());
        let (content, _) = read(&whole).expect("a member");
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok((found, _)) = read(&damaged) {
                assert_eq!(found, content, "bit {bit}");
            }
        }
    }
}
