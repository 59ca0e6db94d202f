//! Archives of mirrored trees: `.tar`, `.tar.gz` and `.tar.zst`, read once from start to end.
//!
//! An archive must have its end marker, and whatever compresses it its own end: one that is cut off between two members
//! would else be a smaller one.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::member::Damage;
use crate::source::{BufferedFile, GzipReader, SourceFile};

const BLOCK_LEN: usize = 512;
/// The longest name, and the longest list of extended fields, that is taken.
const MAX_NAME_LEN: u64 = 64 << 10;

/// What the name of a file says of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// One that can be read.
    Archive,
    /// A tar archive in a compression that is not read.
    Unreadable,
    /// An archive of another sort.
    Other,
}

/// Whether a file is called as an archive is, in whatever case.
pub(super) fn called(name: &[u8]) -> Option<Called> {
    const READ: [&[u8]; 6] = [b".tar", b".tar.gz", b".tgz", b".tar.zst", b".tzst", b".tar.zstd"];
    const UNREAD: [&[u8]; 5] = [b".txz", b".tbz", b".tbz2", b".tlz", b".taz"];
    const OTHERS: [&[u8]; 3] = [b".zip", b".7z", b".rar"];
    let name = name.to_ascii_lowercase();
    let ends_with = |suffixes: &[&[u8]]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    let last = name.iter().rposition(|byte| *byte == b'.').unwrap_or(0);
    if ends_with(&READ) {
        Some(Called::Archive)
    } else if ends_with(&UNREAD) || name[..last].ends_with(b".tar") {
        Some(Called::Unreadable)
    } else {
        ends_with(&OTHERS).then_some(Called::Other)
    }
}

/// What an archive is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    /// A file, and how long it is.
    File(u64),
    /// What stands for a file elsewhere.
    Link,
}

/// An archive that is being read.
pub(super) struct Tar {
    stream: Stream,
    /// That of the member.
    path: Vec<u8>,
    /// How many bytes of the member are unread, and how many follow it up to the next block.
    left: u64,
    padding: u64,
}

enum Stream {
    Plain(BufferedFile),
    Gzip(Box<BufReader<GzipReader<BufferedFile>>>),
    Zstd(Box<BufReader<zstd::Decoder<'static, BufferedFile>>>),
}

impl Tar {
    /// Opens an archive, whose compression is known by its first bytes.
    pub(super) fn open(path: &Path) -> Result<Self, Damage> {
        const BUFFER_LEN: usize = 1 << 20;
        let file = SourceFile::open(path, None).map_err(|fault| Damage::Unreadable(fault.to_string().into()))?;
        let mut file = BufferedFile::new(file, vec![0; BUFFER_LEN]);
        let stream = match file.fill_buf()? {
            [0x1f, 0x8b, ..] => Stream::Gzip(Box::new(BufReader::with_capacity(BUFFER_LEN, GzipReader::new(file)))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                let decoder = zstd::Decoder::with_buffer(file)?;
                Stream::Zstd(Box::new(BufReader::with_capacity(BUFFER_LEN, decoder)))
            }
            _ => Stream::Plain(file),
        };
        Ok(Self { stream, path: Vec::new(), left: 0, padding: 0 })
    }

    /// Goes on to the next file or link, and skips everything else: folders and devices hold nothing. Nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Member>, Damage> {
        let (mut long_path, mut long_len) = (None, None);
        loop {
            self.skip(self.left + self.padding)?;
            (self.left, self.padding) = (0, 0);
            let block = self.read_block()?;
            if block == [0; BLOCK_LEN] {
                return self.end().map(|()| None);
            }
            let header = Header(&block);
            header.check()?;
            let len = header.len()?;
            match header.kind() {
                b'L' => long_path = Some(self.read_name(len)?),
                b'x' => {
                    let fields = self.read_name(len)?;
                    long_path = pax(&fields, b"path")?.or(long_path);
                    long_len = pax(&fields, b"size")?.or(long_len);
                }
                // Extended fields of all members: time and the like, and never a path.
                b'g' | b'K' => drop(self.read_name(len)?),
                b'0' | 0 | b'7' => {
                    let len = long_len.map_or(Ok(len), |text| parse_decimal(&text))?;
                    self.begin_body(len);
                    self.set_path(&header, long_path.as_deref());
                    return Ok(Some(Member::File(len)));
                }
                b'1' | b'2' => {
                    self.set_path(&header, long_path.as_deref());
                    return Ok(Some(Member::Link));
                }
                b'S' => return Err("it has sparse members, which are not read: make it without --sparse".into()),
                // Folders, devices: some programs give them a length.
                _ => {
                    let has_body = !matches!(header.kind(), b'3'..=b'6');
                    self.begin_body(if has_body { len } else { 0 });
                    (long_path, long_len) = (None, None);
                }
            }
        }
    }

    fn set_path(&mut self, header: &Header<'_>, long_path: Option<&[u8]>) {
        self.path.clear();
        match long_path {
            Some(path) => push_normal(until_zero(path), &mut self.path),
            None => header.path().into_iter().for_each(|part| push_normal(part, &mut self.path)),
        }
    }

    /// The path of the member, without `.` and empty parts.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The bytes of the member.
    pub(super) fn body(&mut self) -> Body<'_> {
        Body(self)
    }

    /// Appends all bytes of the member.
    pub(super) fn read_body(&mut self, to: &mut Vec<u8>) -> Result<(), Damage> {
        while self.left > 0 {
            let mut body = Body(self);
            let some = body.fill_buf().map_err(cut_off)?;
            to.extend_from_slice(some);
            let len = some.len();
            body.consume(len);
        }
        Ok(())
    }

    /// How many bytes of the file are behind us.
    pub(super) fn position(&self) -> u64 {
        match &self.stream {
            Stream::Plain(file) => file.position(),
            Stream::Gzip(stream) => stream.get_ref().reader().position(),
            Stream::Zstd(stream) => stream.get_ref().get_ref().position(),
        }
    }

    fn begin_body(&mut self, len: u64) {
        let odd = len % BLOCK_LEN as u64;
        (self.left, self.padding) = (len, if odd == 0 { 0 } else { BLOCK_LEN as u64 - odd });
    }

    fn read_block(&mut self) -> Result<[u8; BLOCK_LEN], Damage> {
        let mut block = [0; BLOCK_LEN];
        self.stream.as_read().read_exact(&mut block).map_err(cut_off)?;
        Ok(block)
    }

    fn read_name(&mut self, len: u64) -> Result<Vec<u8>, Damage> {
        if len > MAX_NAME_LEN {
            return Err("it has a name that is too long".into());
        }
        let mut name = vec![0; len as usize];
        self.begin_body(len);
        self.stream.as_read().read_exact(&mut name).map_err(cut_off)?;
        self.left = 0;
        Ok(name)
    }

    fn skip(&mut self, mut len: u64) -> Result<(), Damage> {
        if let Stream::Plain(file) = &mut self.stream {
            file.skip(len);
            return Ok(());
        }
        let stream = self.stream.as_read();
        while len > 0 {
            let available = stream.fill_buf().map_err(cut_off)?.len();
            if available == 0 {
                return Err(cut_off(io::ErrorKind::UnexpectedEof.into()));
            }
            let some = len.min(available as u64) as usize;
            stream.consume(some);
            len -= some as u64;
        }
        Ok(())
    }

    /// The second block of the end marker, and zeroes until the file ends.
    fn end(&mut self) -> Result<(), Damage> {
        if self.read_block()? != [0; BLOCK_LEN] {
            return Err("it goes on behind its end marker".into());
        }
        let stream = self.stream.as_read();
        loop {
            let rest = stream.fill_buf().map_err(cut_off)?;
            if rest.is_empty() {
                return Ok(());
            }
            if rest.iter().any(|byte| *byte != 0) {
                return Err("it goes on behind its end marker: joined archives are read one by one".into());
            }
            let len = rest.len();
            stream.consume(len);
        }
    }
}

impl Stream {
    fn as_read(&mut self) -> &mut dyn BufRead {
        match self {
            Self::Plain(file) => file,
            Self::Gzip(stream) => stream,
            Self::Zstd(stream) => stream,
        }
    }
}

/// The bytes of a member that have not been read.
pub(super) struct Body<'t>(&'t mut Tar);

impl BufRead for Body<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.0.left == 0 {
            return Ok(&[]);
        }
        let left = usize::try_from(self.0.left).unwrap_or(usize::MAX);
        let available = self.0.stream.as_read().fill_buf()?;
        if available.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(&available[..available.len().min(left)])
    }

    fn consume(&mut self, amount: usize) {
        self.0.stream.as_read().consume(amount);
        self.0.left -= amount as u64;
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let read = available.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

fn cut_off(error: io::Error) -> Damage {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut off".into(),
        _ => error.into(),
    }
}

/// A header as POSIX (`ustar`) and GNU write it.
struct Header<'b>(&'b [u8; BLOCK_LEN]);

impl Header<'_> {
    fn check(&self) -> Result<(), Damage> {
        let field = &self.0[148..156];
        let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
        // The field itself counts as eight spaces.
        let expected = sum(self.0) - sum(field) + 8 * u32::from(b' ');
        if parse_octal(field) == Some(expected.into()) {
            Ok(())
        } else {
            Err("it is no tar archive, or is damaged".into())
        }
    }

    fn kind(&self) -> u8 {
        self.0[156]
    }

    fn len(&self) -> Result<u64, Damage> {
        let field = &self.0[124..136];
        let len = match field {
            // GNU writes numbers that octal digits cannot hold as they are.
            [0x80, high @ .., a, b, c, d, e, f, g, h] if high == [0; 3] => {
                Some(u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
            }
            field => parse_octal(field),
        };
        len.filter(|len| *len < 1 << 62).ok_or_else(|| "it has a member without a length".into())
    }

    /// The folder, which may be empty, and the rest.
    fn path(&self) -> [&[u8]; 2] {
        let is_ustar = &self.0[257..263] == b"ustar\0";
        let prefix = if is_ustar { until_zero(&self.0[345..500]) } else { b"" };
        [prefix, until_zero(&self.0[..100])]
    }
}

fn until_zero(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

fn parse_octal(field: &[u8]) -> Option<u64> {
    let digits = until_zero(field).trim_ascii();
    let digit = |byte: &u8| (b'0'..=b'7').contains(byte).then(|| u64::from(byte - b'0'));
    // No field is long enough to overflow.
    digits.iter().try_fold(0_u64, |number, byte| Some(number << 3 | digit(byte)?)).filter(|_| !digits.is_empty())
}

fn parse_decimal(text: &[u8]) -> Result<u64, Damage> {
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.filter(|len| *len < 1 << 62).ok_or_else(|| "it has a member without a length".into())
}

/// The value of an extended field: `LENGTH NAME=VALUE\n`, where the length is that of the whole line.
fn pax(mut fields: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
    let mut found = None;
    while !fields.is_empty() {
        let wrong = || Damage::from("it has extended fields that cannot be read");
        let space = fields.iter().position(|byte| *byte == b' ').ok_or_else(wrong)?;
        let len = parse_decimal(&fields[..space])? as usize;
        let line = fields.get(space + 1..len).and_then(|line| line.strip_suffix(b"\n")).ok_or_else(wrong)?;
        if let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) {
            found = Some(value.to_vec());
        }
        fields = &fields[len..];
    }
    Ok(found)
}

/// Goes on with a path by these parts, but for `.` and empty ones.
fn push_normal(parts: &[u8], path: &mut Vec<u8>) {
    for part in parts.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_known_by_their_names() {
        for (name, expected) in [
            ("a.tar", Some(Called::Archive)),
            ("a.TAR", Some(Called::Archive)),
            ("a.tar.GZ", Some(Called::Archive)),
            ("a.Tgz", Some(Called::Archive)),
            ("a.tar.zst", Some(Called::Archive)),
            ("a.tar.xz", Some(Called::Unreadable)),
            ("a.tar.lz4", Some(Called::Unreadable)),
            ("a.TBZ2", Some(Called::Unreadable)),
            ("a.zip", Some(Called::Other)),
            ("tar", None),
            ("a.json.gz", None),
            ("a.tar/", None),
        ] {
            assert_eq!(called(name.as_bytes()), expected, "{name}");
        }
    }
}
