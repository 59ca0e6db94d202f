//! Protocol Buffers, as far as ORC's tail is made of them: the fields of a message, one after the other.
//!
//! Nothing is copied and nothing is allocated. Fields that nobody asks for are stepped over by their wire type, so that
//! messages of later versions can be read. Every length is checked against the bytes that are there.

/// The fields of a message that have not been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'m>(pub &'m [u8]);

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'m> {
    pub number: u64,
    pub value: Value<'m>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'m> {
    Varint(u64),
    Bytes(&'m [u8]),
    /// Four or eight bytes, which nothing here has a use for.
    Fixed,
}

impl<'m> Fields<'m> {
    /// The next field; `None` when what is there is none.
    fn read(&mut self) -> Option<Field<'m>> {
        let tag = varint(&mut self.0)?;
        // "Message Structure" of the encoding: groups (3 and 4) are long gone.
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut self.0)?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let len = usize::try_from(varint(&mut self.0)?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        Some(Field { number: tag >> 3, value })
    }

    fn take(&mut self, len: usize) -> Option<&'m [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

impl<'m> Iterator for Fields<'m> {
    /// `None` in the place of the first field that is none; nothing comes behind it.
    type Item = Option<Field<'m>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'m> Value<'m> {
    pub(super) fn number(self) -> Option<u64> {
        if let Self::Varint(number) = self { Some(number) } else { None }
    }

    pub(super) fn bytes(self) -> Option<&'m [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// Calls for each number of a repeated field, which may be packed into bytes or not.
    pub(super) fn each_number(self, each: &mut dyn FnMut(u64)) -> Option<()> {
        match self {
            Self::Varint(number) => each(number),
            Self::Fixed => return None,
            Self::Bytes(mut packed) => {
                while !packed.is_empty() {
                    each(varint(&mut packed)?);
                }
            }
        }
        Some(())
    }
}

/// Seven bits a byte, the lowest first; at most ten bytes.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            // The tenth byte has one bit left to say.
            return (shift < 63 || byte < 2).then_some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_kind_are_told_apart() {
        let message = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8];
        let fields: Option<Vec<_>> = Fields(&message).collect();
        let values = [Value::Varint(150), Value::Bytes(b"hi"), Value::Fixed, Value::Fixed];
        let expected: Vec<_> = (1..).zip(values).map(|(number, value)| Field { number, value }).collect();
        assert_eq!(fields, Some(expected));
        for len in (1..message.len()).filter(|len| ![3, 7, 12].contains(len)) {
            assert_eq!(Fields(&message[..len]).collect::<Option<Vec<_>>>(), None, "{len}");
        }
    }

    #[test]
    fn numbers_that_are_too_large_are_none() {
        let mut largest = [0xff; 10];
        largest[9] = 1;
        assert_eq!(varint(&mut &largest[..]), Some(u64::MAX));
        largest[9] = 2;
        assert_eq!(varint(&mut &largest[..]), None);
        assert_eq!(varint(&mut &[0x80; 11][..]), None);
        let lengths: Option<Vec<_>> =
            Fields(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).collect();
        assert_eq!(lengths, None);
    }

    #[test]
    fn repeated_numbers_may_be_packed() {
        let mut numbers = Vec::new();
        Value::Bytes(&[3, 0x8e, 2]).each_number(&mut |number| numbers.push(number)).expect("numbers");
        Value::Varint(7).each_number(&mut |number| numbers.push(number)).expect("a number");
        assert_eq!(numbers, [3, 270, 7]);
        assert_eq!(Value::Bytes(&[0x80]).each_number(&mut |_| {}), None);
    }
}
