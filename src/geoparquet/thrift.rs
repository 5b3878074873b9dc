//! Thrift's compact protocol, as far as the headers of Parquet need it: fields, numbers, and what is passed over.
//!
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

/// Values may lie so deep in one another.
const DEEPEST: u8 = 16;

/// Types of fields and of elements, by their numbers.
pub(super) mod kind {
    pub(in super::super) const TRUE: u8 = 1;
    pub(in super::super) const FALSE: u8 = 2;
    pub(in super::super) const LIST: u8 = 9;
    pub(in super::super) const STRUCT: u8 = 12;
}

/// Why something can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes end before it does.
    Short,
    /// It is none.
    Wrong(&'static str),
}

/// Bytes, and how far they are read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes are read.
    pub(super) fn read(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn pass(&mut self, count: u64) -> Result<(), Fault> {
        let count = usize::try_from(count).ok().filter(|&count| count <= self.left()).ok_or(Fault::Short)?;
        self.at += count;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::Wrong("has a number that does not end"))
    }

    /// A whole number.
    pub(super) fn integer(&mut self) -> Result<i64, Fault> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next field of a structure after the field `last`: its number and its type; `None` at the end.
    pub(super) fn field(&mut self, last: &mut i64) -> Result<Option<u8>, Fault> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        *last = match head >> 4 {
            0 => self.integer()?,
            step => *last + i64::from(step),
        };
        Ok(Some(head & 0xf))
    }

    /// The beginning of a list: how many elements of which type. Each takes a byte at least.
    pub(super) fn list(&mut self) -> Result<(usize, u8), Fault> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            few => u64::from(few),
        };
        let count = usize::try_from(count).ok().filter(|&count| count <= self.left()).ok_or(Fault::Short)?;
        Ok((count, head & 0xf))
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, kind: u8) -> Result<(), Fault> {
        match kind {
            // The value of a field is in its type.
            kind::TRUE | kind::FALSE => Ok(()),
            other => self.skip_in(other, DEEPEST),
        }
    }

    fn skip_in(&mut self, kind: u8, deeper: u8) -> Result<(), Fault> {
        let deeper = deeper.checked_sub(1).ok_or(Fault::Wrong("holds values too deep in one another"))?;
        match kind {
            1..=3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let count = self.varint()?;
                self.pass(count)
            }
            9 | 10 => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_in(kind, deeper))
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    self.skip_in(kinds >> 4, deeper)?;
                    self.skip_in(kinds & 0xf, deeper)
                })
            }
            12 => {
                let mut number = 0;
                while let Some(kind) = self.field(&mut number)? {
                    if !matches!(kind, kind::TRUE | kind::FALSE) {
                        self.skip_in(kind, deeper)?;
                    }
                }
                Ok(())
            }
            13 => self.pass(16),
            _ => Err(Fault::Wrong("has a value of no type")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_fields_are_read_and_the_rest_is_passed_over() {
        // 1: -3; 2: true; 20: [{}, {}]; 21: {1: "ab"}; the end.
        let bytes = [0x15, 5, 0x11, 0x09, 40, 0x2c, 0, 0, 0x1c, 0x18, 2, b'a', b'b', 0, 0, 9];
        let mut reader = Reader::new(&bytes);
        let mut last = 0;
        assert_eq!((reader.field(&mut last), last), (Ok(Some(5)), 1));
        assert_eq!(reader.integer(), Ok(-3));
        for (number, kind) in [(2, kind::TRUE), (20, kind::LIST), (21, kind::STRUCT)] {
            assert_eq!((reader.field(&mut last), last), (Ok(Some(kind)), number));
            reader.skip(kind).unwrap();
        }
        assert_eq!((reader.field(&mut last), reader.read(), reader.left()), (Ok(None), 15, 1));
    }

    #[test]
    fn what_is_cut_short_or_endless_is_an_error() {
        assert_eq!(Reader::new(&[0x80; 3]).integer(), Err(Fault::Short));
        assert!(matches!(Reader::new(&[0x80; 30]).integer(), Err(Fault::Wrong(_))));
        assert_eq!(Reader::new(&[0xf5, 0xff, 0x7f]).list(), Err(Fault::Short));
        assert!(matches!(Reader::new(&[0x1c; 99]).skip(kind::STRUCT), Err(Fault::Wrong(_))));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0x7f]).skip(11), Err(Fault::Short));
    }
}
