//! The header in front of every page: a Thrift struct in the compact protocol.
//!
//! Only what is needed to read flat columns is kept; everything else is stepped over, so that fields of later versions do
//! not disturb. Numbers are checked as far as the header itself allows. Section "Data Pages" of the Parquet format and its
//! `parquet.thrift` have the field numbers.

/// What a page says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// The bytes of the header itself.
    pub len: usize,
    /// The bytes that follow the header.
    pub compressed_len: usize,
    /// The bytes that they become.
    pub decompressed_len: usize,
    pub kind: PageKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    Dictionary(DictionaryHeader),
    Data(DataHeader),
    /// Of no use here.
    Index,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DictionaryHeader {
    pub values: usize,
    pub encoding: Encoding,
}

/// The header of a data page of either version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DataHeader {
    /// How many values there are, nulls included. In a flat column that is the number of rows.
    pub values: usize,
    pub encoding: Encoding,
    pub levels: LevelForm,
}

/// How definition levels are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LevelForm {
    /// Version 1: compressed with the values, behind their own length.
    Prefixed { encoding: Encoding },
    /// Version 2: in front of the values and never compressed.
    InFront { repetition_len: usize, definition_len: usize, values_are_compressed: bool },
}

/// The encodings that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    /// Codes in the hybrid of runs and packed bits. The old name for it, `PLAIN_DICTIONARY`, also stands for plain
    /// values in a dictionary page.
    Dictionary,
    Rle,
    Other,
}

impl PageHeader {
    /// The longest header that is looked at. Statistics make headers long.
    pub const MAX_LEN: usize = 1 << 20;

    /// Reads a header; nothing when it is damaged or goes on behind the end of `bytes`.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut thrift = Thrift { bytes, at: 0 };
        let (mut kind, mut compressed_len, mut decompressed_len, mut last) = (None, None, None, 0);
        let (mut v1, mut v2, mut dictionary) = (None, None, None);
        while let Some((id, form)) = thrift.next_field(&mut last)? {
            match id {
                1 => kind = Some(thrift.number(form)?),
                2 => decompressed_len = Some(thrift.number(form)?),
                3 => compressed_len = Some(thrift.number(form)?),
                5 => v1 = Some(DataHeader::parse_v1(&mut thrift, form)?),
                7 => dictionary = Some(DictionaryHeader::parse(&mut thrift, form)?),
                8 => v2 = Some(DataHeader::parse_v2(&mut thrift, form)?),
                _ => thrift.skip(form, 0)?,
            }
        }
        let kind = match kind? {
            0 => PageKind::Data(v1?),
            1 => PageKind::Index,
            2 => PageKind::Dictionary(dictionary?),
            3 => PageKind::Data(v2?),
            _ => return None,
        };
        Some(Self { len: thrift.at, compressed_len: compressed_len?, decompressed_len: decompressed_len?, kind })
    }
}

impl DictionaryHeader {
    fn parse(thrift: &mut Thrift<'_>, form: u8) -> Option<Self> {
        let (mut values, mut encoding, mut last) = (None, None, 0);
        thrift.enter(form)?;
        while let Some((id, form)) = thrift.next_field(&mut last)? {
            match id {
                1 => values = Some(thrift.number(form)?),
                2 => encoding = Some(thrift.encoding(form)?),
                _ => thrift.skip(form, 0)?,
            }
        }
        Some(Self { values: values?, encoding: encoding? })
    }
}

impl DataHeader {
    fn parse_v1(thrift: &mut Thrift<'_>, form: u8) -> Option<Self> {
        let (mut values, mut encoding, mut definition, mut last) = (None, None, None, 0);
        thrift.enter(form)?;
        while let Some((id, form)) = thrift.next_field(&mut last)? {
            match id {
                1 => values = Some(thrift.number(form)?),
                2 => encoding = Some(thrift.encoding(form)?),
                3 => definition = Some(thrift.encoding(form)?),
                _ => thrift.skip(form, 0)?,
            }
        }
        Some(Self { values: values?, encoding: encoding?, levels: LevelForm::Prefixed { encoding: definition? } })
    }

    fn parse_v2(thrift: &mut Thrift<'_>, form: u8) -> Option<Self> {
        let (mut values, mut rows, mut encoding, mut last) = (None, None, None, 0);
        let (mut definition_len, mut repetition_len, mut values_are_compressed) = (None, None, true);
        thrift.enter(form)?;
        while let Some((id, form)) = thrift.next_field(&mut last)? {
            match id {
                1 => values = Some(thrift.number(form)?),
                3 => rows = Some(thrift.number(form)?),
                4 => encoding = Some(thrift.encoding(form)?),
                5 => definition_len = Some(thrift.number(form)?),
                6 => repetition_len = Some(thrift.number(form)?),
                7 => values_are_compressed = thrift.boolean(form)?,
                _ => thrift.skip(form, 0)?,
            }
        }
        let (definition_len, repetition_len) = (definition_len?, repetition_len?);
        let levels = LevelForm::InFront { repetition_len, definition_len, values_are_compressed };
        let header = Self { values: values?, encoding: encoding?, levels };
        (rows? == header.values).then_some(header)
    }
}

/// Types of fields in the compact protocol.
mod form {
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const I16: u8 = 4;
    pub const I32: u8 = 5;
    pub const I64: u8 = 6;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const MAP: u8 = 11;
    pub const STRUCT: u8 = 12;
}

/// Reads Thrift's compact protocol; nothing means that the bytes are not, or not all, there.
struct Thrift<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Thrift<'_> {
    /// Real headers nest two deep.
    const MAX_DEPTH: usize = 8;

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// Signs are in the lowest bit.
    fn signed(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The number and the form of the next field of a struct, or nothing at its end.
    fn next_field(&mut self, last: &mut i16) -> Option<Option<(i16, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *last = match byte >> 4 {
            0 => i16::try_from(self.signed()?).ok()?,
            delta => last.checked_add(i16::from(delta))?,
        };
        Some(Some((*last, byte & 0x0f)))
    }

    fn enter(&mut self, form: u8) -> Option<()> {
        (form == form::STRUCT).then_some(())
    }

    /// A count or a length: an `i32` that is not negative.
    fn number(&mut self, form: u8) -> Option<usize> {
        if form != form::I32 {
            return None;
        }
        let value = i32::try_from(self.signed()?).ok()?;
        usize::try_from(value).ok()
    }

    fn encoding(&mut self, form: u8) -> Option<Encoding> {
        Some(match self.number(form)? {
            0 => Encoding::Plain,
            2 | 8 => Encoding::Dictionary,
            3 => Encoding::Rle,
            _ => Encoding::Other,
        })
    }

    fn boolean(&mut self, form: u8) -> Option<bool> {
        match form {
            form::TRUE => Some(true),
            form::FALSE => Some(false),
            _ => None,
        }
    }

    fn advance(&mut self, len: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(len).ok()?)?;
        self.at = (end <= self.bytes.len()).then_some(end)?;
        Some(())
    }

    /// Steps over a field.
    fn skip(&mut self, form: u8, depth: usize) -> Option<()> {
        match form {
            _ if depth > Self::MAX_DEPTH => None,
            form::TRUE | form::FALSE => Some(()),
            form::BYTE => self.advance(1),
            form::I16 | form::I32 | form::I64 => self.varint().map(|_| ()),
            form::DOUBLE => self.advance(8),
            form::BINARY => {
                let len = self.varint()?;
                self.advance(len)
            }
            form::LIST | form::SET => self.skip_list(depth),
            form::MAP => self.skip_map(depth),
            form::STRUCT => self.skip_struct(depth),
            _ => None,
        }
    }

    /// Every element takes at least a byte, so that a long list needs a long header.
    fn skip_element(&mut self, form: u8, depth: usize) -> Option<()> {
        match form {
            form::TRUE | form::FALSE => self.advance(1),
            form => self.skip(form, depth),
        }
    }

    fn skip_list(&mut self, depth: usize) -> Option<()> {
        let head = self.byte()?;
        let len = match head >> 4 {
            15 => self.varint()?,
            len => u64::from(len),
        };
        (0..len).try_for_each(|_| self.skip_element(head & 0x0f, depth + 1))
    }

    fn skip_map(&mut self, depth: usize) -> Option<()> {
        let len = self.varint()?;
        if len == 0 {
            return Some(());
        }
        let forms = self.byte()?;
        (0..len).try_for_each(|_| {
            self.skip_element(forms >> 4, depth + 1)?;
            self.skip_element(forms & 0x0f, depth + 1)
        })
    }

    fn skip_struct(&mut self, depth: usize) -> Option<()> {
        let mut last = 0;
        while let Some((_, form)) = self.next_field(&mut last)? {
            self.skip(form, depth + 1)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1: the numbers of the page, those of the data page, statistics that nobody reads, and three ends.
    const V1: [u8; 24] = [
        0x15, 0, 0x15, 200, 1, 0x15, 80, 0x2c, 0x15, 14, 0x15, 16, 0x15, 6, 0x15, 6, 0x1c, 0x18, 2, b'a', b'b', 0, 0, 0,
    ];

    #[test]
    fn headers_of_both_versions_are_read() {
        let header = PageHeader::parse(&V1).expect("a header");
        let levels = LevelForm::Prefixed { encoding: Encoding::Rle };
        let kind = PageKind::Data(DataHeader { values: 7, encoding: Encoding::Dictionary, levels });
        assert_eq!(header, PageHeader { len: V1.len(), compressed_len: 40, decompressed_len: 100, kind });

        let v2 = [0x15, 6, 0x15, 8, 0x15, 8, 0x5c, 0x15, 14, 0x15, 2, 0x15, 14, 0x15, 0, 0x15, 4, 0x15, 0, 0x12, 0, 0];
        let levels = LevelForm::InFront { repetition_len: 0, definition_len: 2, values_are_compressed: false };
        let kind = PageKind::Data(DataHeader { values: 7, encoding: Encoding::Plain, levels });
        assert_eq!(
            PageHeader::parse(&v2),
            Some(PageHeader { len: v2.len(), compressed_len: 4, decompressed_len: 4, kind })
        );
    }

    #[test]
    fn headers_that_are_cut_or_negative_are_none() {
        assert!((0..V1.len()).all(|len| PageHeader::parse(&V1[..len]).is_none()));
        let negative = [&[0x15, 0, 0x15, 1][..], &V1[5..]].concat();
        assert_eq!(PageHeader::parse(&negative), None);
    }

    #[test]
    fn lists_in_lists_do_not_exhaust_the_stack() {
        let nested = [&[0x99][..], &[0x19; 1 << 20]].concat();
        assert_eq!(PageHeader::parse(&nested), None);
        let endless = [0x99, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(PageHeader::parse(&endless), None);
    }
}
