//! One entry of the section table.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::header::{padded, unpadded};
use super::layout;

/// What the bytes of a section are for. A name and a kind together are unique in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Kind {
    /// One value a row.
    Column = 1,
    /// Where each row of a ragged column starts in its bytes or values; one more than rows.
    Offsets = 2,
    /// The bytes of a ragged column.
    Bytes = 3,
    /// Where each compressed block or row of a section of kind `Bytes` starts; one more than there are.
    Blocks = 4,
    /// A packed R-tree.
    Tree = 5,
    /// A JSON document (UTF-8).
    Json = 6,
    /// What the rows of a section of kind `Bytes` were compressed with. Since 1.2.
    ZstdDictionary = 7,
}

/// The type of a section's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the types")]
#[non_exhaustive]
pub enum ElementType {
    U8 = 1,
    U16 = 2,
    U32 = 3,
    U64 = 4,
    I32 = 5,
    I64 = 6,
    F32 = 7,
    F64 = 8,
}

impl ElementType {
    /// Bytes of one element.
    #[must_use]
    pub const fn size(self) -> u64 {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// The type with this number, if version 1 knows it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::U8,
            2 => Self::U16,
            3 => Self::U32,
            4 => Self::U64,
            5 => Self::I32,
            6 => Self::I64,
            7 => Self::F32,
            8 => Self::F64,
            _ => return None,
        })
    }

    /// The name as in NumPy and Rust: `u32`, `f64`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// How a section's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Codec {
    /// As they are.
    Raw = 0,
    /// Zstandard frames, one for each [`BLOCK_LENGTH`](layout::BLOCK_LENGTH) raw bytes.
    ZstdBlocks = 1,
    /// Zstandard frames, one for each row. Since 1.2.
    ZstdRows = 2,
}

/// An entry of the section table as it lies in the file.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SectionEntry {
    name: [u8; layout::NAME_LENGTH],
    kind: u8,
    element: u8,
    codec: u8,
    flags: u8,
    parameter: U32,
    offset: U64,
    length: U64,
    count: U64,
    checksum: U64,
}

impl SectionEntry {
    /// An entry of a section that starts at `offset` and is still empty.
    pub(super) fn new(name: &str, kind: Kind, element: ElementType, codec: Codec, parameter: u32, offset: u64) -> Self {
        Self {
            name: padded(name),
            kind: kind as u8,
            element: element as u8,
            codec: codec as u8,
            flags: 0,
            parameter: parameter.into(),
            offset: offset.into(),
            length: 0.into(),
            count: 0.into(),
            checksum: 0.into(),
        }
    }

    /// Enters what is known once the section is written.
    pub(super) fn close(&mut self, length: u64, count: u64, checksum: u64) {
        (self.length, self.count, self.checksum) = (length.into(), count.into(), checksum.into());
    }

    pub(super) fn set_codec(&mut self, codec: Codec, parameter: u32) {
        (self.codec, self.parameter) = (codec as u8, parameter.into());
    }

    /// The section's name, such as `record.path`.
    #[must_use]
    pub fn name(&self) -> String {
        unpadded(&self.name)
    }

    /// The name as it lies in the table; a placeholder where it is not UTF-8.
    pub(crate) fn label(&self) -> &str {
        let end = self.name.iter().position(|&b| b == 0).unwrap_or(self.name.len());
        std::str::from_utf8(&self.name[..end]).unwrap_or("?")
    }

    /// True where name and kind are these.
    #[must_use]
    pub fn is(&self, name: &str, kind: Kind) -> bool {
        self.kind == kind as u8 && self.name == padded::<{ layout::NAME_LENGTH }>(name)
    }

    /// The number of the kind; numbers that this version does not know are skipped by readers.
    #[must_use]
    pub fn kind_number(&self) -> u8 {
        self.kind
    }

    /// The type of the elements, `None` where this version does not know it.
    #[must_use]
    pub fn element(&self) -> Option<ElementType> {
        ElementType::from_number(self.element)
    }

    /// The codec, `None` where this version does not know it.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        match self.codec {
            0 => Some(Codec::Raw),
            1 => Some(Codec::ZstdBlocks),
            2 => Some(Codec::ZstdRows),
            _ => None,
        }
    }

    /// A number that belongs to the kind: the fan-out of a tree, the raw block length of codec 1.
    #[must_use]
    pub fn parameter(&self) -> u32 {
        self.parameter.get()
    }

    /// Where the stored bytes start in the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset.get()
    }

    /// How many bytes are stored.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length.get()
    }

    /// How many elements the section has once decoded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    /// The checksum of the stored bytes.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        self.checksum.get()
    }
}
