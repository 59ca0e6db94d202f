//! One gzip member, to its true end: what CloudTrail hashes is what is inside.
//!
//! Bytes behind the first member would be read by other tools and are in no hash, so their being there is told. Objects
//! that some client has stored decompressed are known by their first byte.

use std::borrow::Cow;
use std::io::{self, BufRead, Read as _};

use crate::source::{GzipReader, InflateRoom, is_gzip_damage};

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
pub(super) enum Damage {
    /// It is wrong.
    Content(Cow<'static, str>),
    /// It could not be looked at, and may be right.
    Unreadable(Cow<'static, str>),
}

impl Damage {
    pub(super) fn why(&self) -> &str {
        let (Self::Content(why) | Self::Unreadable(why)) = self;
        why
    }
}

impl From<&'static str> for Damage {
    fn from(why: &'static str) -> Self {
        Self::Content(Cow::Borrowed(why))
    }
}

impl From<io::Error> for Damage {
    fn from(error: io::Error) -> Self {
        if is_gzip_damage(&error) {
            Self::Content(format!("its gzip data is damaged: {error}").into())
        } else {
            Self::Unreadable(format!("it cannot be read: {error}").into())
        }
    }
}

/// Inflates members one after the other.
pub(super) struct Inflater {
    room: Option<InflateRoom>,
    piece: Box<[u8]>,
}

/// Enough to make calls cheap, little enough to be hashed while it is in the cache.
const PIECE_LEN: usize = 64 << 10;

impl Default for Inflater {
    fn default() -> Self {
        Self { room: None, piece: vec![0; PIECE_LEN].into_boxed_slice() }
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
                let mut member = GzipReader::first_member(from, self.room.take().unwrap_or_default());
                let has_tail = inflate(&mut member, &mut self.piece, each);
                self.room = Some(member.into_room());
                Ok(Stored { is_plain: false, has_tail: has_tail? })
            }
            Some(b'{' | b'[') => {
                copy(from, each)?;
                Ok(Stored { is_plain: true, has_tail: false })
            }
            Some(_) => Err("it is neither gzip nor JSON".into()),
        }
    }
}

/// Whether something follows the member is only known behind its trailer, which must be right.
fn inflate(
    member: &mut GzipReader<&mut dyn BufRead>,
    piece: &mut [u8],
    each: &mut dyn FnMut(&[u8]) -> Result<(), Damage>,
) -> Result<bool, Damage> {
    loop {
        match member.read(piece)? {
            0 => return Ok(member.has_tail()?),
            len => each(&piece[..len])?,
        }
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
    fn who_cannot_read_says_nothing_of_the_content() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is broken"))
            }
        }
        let whole = gzip(b"{\"a\": 1}", GzBuilder::new());
        for readable in [0, 1, 12, whole.len() - 1] {
            let mut from = io::BufReader::new(io::Read::chain(&whole[..readable], Broken));
            let found = Inflater::default().read(&mut from, &mut |_| Ok(()));
            assert!(matches!(found, Err(Damage::Unreadable(_))), "{readable} bytes: {found:?}");
        }
        assert!(matches!(read(&whole[..12]), Err(Damage::Content(_))));
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
