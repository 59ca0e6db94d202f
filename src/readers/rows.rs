//! Text files to rows, one at a time and in bounded memory, however long the file and its lines are.
//!
//! A row is a line. Where a quoted field is open at the end of a line, as messages and raw keys can make it, the row goes
//! on for a few lines; if no row comes of that, only the first line is lost.

use std::path::Path;
use std::sync::Arc;

use memchr::{memchr, memchr_iter};

use super::{Split, split_strict};
use crate::source::{FileFault, SourceFile, TextStream};

/// A longer row is none: a key has at most 1,024 bytes, a message some thousand.
const MAX_ROW_LEN: usize = 256 << 10;
/// How much is read at a time.
const READ_LEN: usize = 256 << 10;
/// A row has no more lines than this.
const MAX_LINES: usize = 16;

/// The lines of a text file.
pub(crate) struct Lines {
    stream: TextStream,
    buffer: Vec<u8>,
    /// What has been read and not been taken.
    from: usize,
    to: usize,
    at_end: bool,
}

/// A line, as it stands in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// It ends there, without its newline, and the next one begins there.
    Line { end: usize, next: usize },
    /// It is longer than a row can be.
    TooLong,
    /// There is none.
    End,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self, FileFault> {
        let called_gz = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        let stream = TextStream::new(Arc::new(SourceFile::open(path, None)?), called_gz)?;
        Ok(Self { stream, buffer: vec![0; MAX_ROW_LEN + READ_LEN], from: 0, to: 0, at_end: false })
    }

    /// The next line without its end; nothing at the end of the file. A line that is too long is blank.
    pub(crate) fn next_line(&mut self) -> Result<Option<&[u8]>, FileFault> {
        match self.find_line(0)? {
            Found::End => Ok(None),
            Found::TooLong => {
                self.skip_line()?;
                Ok(Some(b""))
            }
            Found::Line { end, next } => {
                let from = self.from;
                self.from += next;
                Ok(Some(&self.buffer[from..from + end]))
            }
        }
    }

    /// Finds the line that begins so many bytes behind the first that has not been taken. Positions count from there.
    fn find_line(&mut self, begin: usize) -> Result<Found, FileFault> {
        let mut searched = begin;
        loop {
            let unread = &self.buffer[self.from..self.to];
            if let Some(len) = memchr(b'\n', &unread[searched..]) {
                return Ok(Found::Line { end: searched + len, next: searched + len + 1 });
            }
            searched = unread.len();
            if self.at_end {
                return Ok(if searched == begin { Found::End } else { Found::Line { end: searched, next: searched } });
            }
            if searched >= MAX_ROW_LEN {
                return Ok(Found::TooLong);
            }
            self.fill()?;
        }
    }

    /// Reads on; what has not been taken stays.
    fn fill(&mut self) -> Result<(), FileFault> {
        if self.from > 0 && self.buffer.len() - self.to < READ_LEN {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        let read = self.stream.read(&mut self.buffer[self.to..])?;
        self.to += read;
        self.at_end = read == 0;
        Ok(())
    }

    /// Takes a line of any length without keeping it.
    fn skip_line(&mut self) -> Result<(), FileFault> {
        loop {
            if let Some(len) = memchr(b'\n', &self.buffer[self.from..self.to]) {
                self.from += len + 1;
                return Ok(());
            }
            (self.from, self.to) = (0, 0);
            if self.at_end {
                return Ok(());
            }
            self.fill()?;
        }
    }
}

/// Why there is no row where one should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRow {
    Ragged,
    Quoting,
    TooLong,
}

/// The rows of a CSV file that all have so many fields.
pub(crate) struct Rows {
    lines: Lines,
    width: usize,
    split: Split,
    /// The number of the next line, from 1 on.
    line: u64,
}

/// A row, or why there is none.
pub(crate) struct Row<'r> {
    /// The number of its first line, from 1 on.
    pub(crate) line: u64,
    pub(crate) fields: Result<Fields<'r>, NoRow>,
}

/// The fields of a row.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'r>(&'r Split);

impl<'r> Fields<'r> {
    /// The field at a position; blank if the file has no such column.
    pub(crate) fn get(self, at: Option<usize>) -> &'r [u8] {
        let field = at.and_then(|at| self.0.fields.get(at));
        field.map_or(&[], |field| &self.0.unquoted[field.clone()])
    }
}

impl Rows {
    pub(crate) fn open(path: &Path, width: usize) -> Result<Self, FileFault> {
        Ok(Self { lines: Lines::open(path)?, width, split: Split::default(), line: 1 })
    }

    /// The next row that is not blank.
    pub(crate) fn next_row(&mut self) -> Result<Option<Row<'_>>, FileFault> {
        loop {
            let line = self.line;
            let (end, next) = match self.lines.find_line(0)? {
                Found::End => return Ok(None),
                Found::TooLong => {
                    self.lines.skip_line()?;
                    self.line += 1;
                    return Ok(Some(Row { line, fields: Err(NoRow::TooLong) }));
                }
                Found::Line { end, next } => (end, next),
            };
            if is_blank(&self.lines.buffer[self.lines.from..self.lines.from + end]) {
                self.take(next, 1);
                continue;
            }
            let first = self.split(end);
            if first != Err(NoRow::Quoting) {
                self.take(next, 1);
                return Ok(Some(self.row(line, first)));
            }
            let joined = self.join(end, next)?;
            let (next, lines) = joined.unwrap_or((next, 1));
            self.take(next, lines);
            return Ok(Some(self.row(line, joined.map(|_| ()).ok_or(NoRow::Quoting))));
        }
    }

    fn row(&self, line: u64, split: Result<(), NoRow>) -> Row<'_> {
        Row { line, fields: split.map(|()| Fields(&self.split)) }
    }

    fn take(&mut self, next: usize, lines: u64) {
        self.lines.from += next;
        self.line += lines;
    }

    /// Lets a row go on behind its first line while a quote is open. Where the next row begins and how many lines it has,
    /// or nothing if no row comes of it.
    fn join(&mut self, end: usize, next: usize) -> Result<Option<(usize, u64)>, FileFault> {
        let (mut quotes, mut counted, mut begin) = (0, 0, next);
        let mut end = end;
        for lines in 1..=MAX_LINES as u64 {
            let unread = &self.lines.buffer[self.lines.from..self.lines.to];
            quotes += memchr_iter(b'"', &unread[counted..end]).count();
            counted = end;
            if quotes % 2 == 0 {
                return Ok(self.split(end).is_ok().then_some((begin, lines)));
            }
            match self.lines.find_line(begin)? {
                Found::Line { end: line_end, next } => (end, begin) = (line_end, next),
                Found::TooLong | Found::End => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Splits what has not been taken, up to there.
    fn split(&mut self, end: usize) -> Result<(), NoRow> {
        let text = &self.lines.buffer[self.lines.from..self.lines.from + end];
        let text = if self.line == 1 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        split_strict(text, &mut self.split).map_err(|_| NoRow::Quoting)?;
        if self.split.fields.len() == self.width { Ok(()) } else { Err(NoRow::Ragged) }
    }
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"" | b"\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a text: the number of the first line, and its fields or why there are none.
    fn rows(text: &[u8], width: usize) -> Vec<(u64, Result<Vec<String>, NoRow>)> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("written");
        let mut rows = Rows::open(file.path(), width).expect("a file");
        let mut found = Vec::new();
        while let Some(row) = rows.next_row().expect("read") {
            let text = |fields: Fields<'_>, at| String::from_utf8_lossy(fields.get(Some(at))).into_owned();
            let fields = row.fields.map(|fields| (0..width).map(|at| text(fields, at)).collect());
            found.push((row.line, fields));
        }
        found
    }

    fn sound(line: u64, fields: &[&str]) -> (u64, Result<Vec<String>, NoRow>) {
        (line, Ok(fields.iter().map(|field| (*field).to_owned()).collect()))
    }

    #[test]
    fn rows_may_have_line_breaks_in_quotes() {
        let text = b"\xef\xbb\xbfa,b\r\n\n\"c\n\nd\",e\nf,\"g\"";
        assert_eq!(rows(text, 2), [sound(1, &["a", "b"]), sound(3, &["c\n\nd", "e"]), sound(6, &["f", "g"])]);
    }

    #[test]
    fn a_bad_row_costs_its_first_line_only() {
        let text = b"a,b\n\"open,x\nc,d\ne\ne,f,g\nh\"i,j\nk,l\n";
        let bad = |line, why| (line, Err(why));
        assert_eq!(
            rows(text, 2),
            [
                sound(1, &["a", "b"]),
                bad(2, NoRow::Quoting),
                sound(3, &["c", "d"]),
                bad(4, NoRow::Ragged),
                bad(5, NoRow::Ragged),
                bad(6, NoRow::Quoting),
                sound(7, &["k", "l"]),
            ]
        );
    }

    #[test]
    fn endless_lines_are_skipped() {
        for len in [MAX_ROW_LEN - 2, MAX_ROW_LEN, MAX_ROW_LEN + READ_LEN - 1, MAX_ROW_LEN + READ_LEN, 3 << 20] {
            let mut text = b"a,b\n".to_vec();
            text.resize(text.len() + len, b'x');
            text.extend_from_slice(b"\nc,d\n");
            let found = rows(&text, 2);
            assert_eq!(
                (found.len(), &found[0], &found[2]),
                (3, &sound(1, &["a", "b"]), &sound(3, &["c", "d"])),
                "{len}"
            );
            assert!(found[1].1.is_err());
        }
        let open = [&b"\""[..], &b"x\n".repeat(1 << 20), b"a,b\n"].concat();
        let found = rows(&open, 2);
        assert_eq!((found.len(), found.last()), ((1 << 20) + 1, Some(&sound((1 << 20) + 1, &["a", "b"]))));
    }
}
