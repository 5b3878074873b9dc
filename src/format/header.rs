//! The first 128 bytes.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{checksum, layout};
use crate::error::{Error, Result};

/// The header as it lies in the file.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    magic: [u8; 8],
    major: U16,
    minor: U16,
    header_length: U32,
    file_length: U64,
    section_count: U32,
    entry_length: U32,
    table_offset: U64,
    table_checksum: U64,
    schema: [u8; layout::SCHEMA_LENGTH],
    producer: [u8; 32],
    reserved: [u8; 24],
    header_checksum: U64,
}

/// What to do with a file that is not whole.
pub(super) const REBUILD: &str = "copy the file again, or build it again from its sources";

impl Header {
    /// A header of this version with its checksum.
    pub(super) fn new(schema: &str, file_length: u64, section_count: u32, table_checksum: u64) -> Self {
        let mut header = Self {
            magic: layout::MAGIC,
            major: layout::VERSION_MAJOR.into(),
            minor: layout::VERSION_MINOR.into(),
            header_length: (layout::HEADER_LENGTH as u32).into(),
            file_length: file_length.into(),
            section_count: section_count.into(),
            entry_length: (layout::ENTRY_LENGTH as u32).into(),
            table_offset: (layout::TABLE_OFFSET as u64).into(),
            table_checksum: table_checksum.into(),
            schema: padded(schema),
            producer: padded(concat!("hypso ", env!("CARGO_PKG_VERSION"))),
            reserved: [0; 24],
            header_checksum: 0.into(),
        };
        header.header_checksum = header.computed_checksum().into();
        header
    }

    fn computed_checksum(&self) -> u64 {
        checksum::checksum(&self.as_bytes()[..layout::HEADER_CHECKSUM_OFFSET])
    }

    /// Reads the header of a file that is `bytes.len()` long, with every check that needs nothing but the header.
    ///
    /// # Errors
    /// In this order: too short, wrong magic, newer major version, wrong checksum, wrong file length, impossible
    /// table.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let bad = |problem: String, remedy| Err(Error::invalid("header", problem, remedy));
        let Some(start) = bytes.get(..layout::HEADER_LENGTH) else {
            if bytes.len() >= 8 && bytes[..8] != layout::MAGIC {
                return Err(not_ours());
            }
            return bad(
                format!("is cut off: {} bytes, at least {} expected", bytes.len(), layout::HEADER_LENGTH),
                REBUILD,
            );
        };
        let Ok(header) = Self::read_from_bytes(start) else { return bad("can't be read".into(), REBUILD) };
        if header.magic != layout::MAGIC {
            return Err(not_ours());
        }
        if header.major.get() != layout::VERSION_MAJOR {
            return Err(Error::UnsupportedVersion {
                path: None,
                found: (header.major.get(), header.minor.get()),
                supported: (layout::VERSION_MAJOR, layout::VERSION_MINOR),
            });
        }
        let (found, computed) = (header.header_checksum.get(), header.computed_checksum());
        if found != computed {
            return bad(format!("checksum is {computed:016x}, the file says {found:016x}: it was altered"), REBUILD);
        }
        if header.file_length.get() != bytes.len() as u64 {
            let (expected, length) = (header.file_length.get(), bytes.len());
            return bad(
                format!("says the file has {expected} bytes, but it has {length}: it was cut off or grew"),
                REBUILD,
            );
        }
        let fixed = header.header_length.get() as usize == layout::HEADER_LENGTH
            && header.entry_length.get() as usize == layout::ENTRY_LENGTH
            && header.table_offset.get() as usize == layout::TABLE_OFFSET
            && header.section_count.get() <= layout::MAX_SECTIONS;
        if !fixed {
            return bad("describes a section table that version 1 does not allow".into(), REBUILD);
        }
        Ok(header)
    }

    /// Major and minor version.
    #[must_use]
    pub fn version(&self) -> (u16, u16) {
        (self.major.get(), self.minor.get())
    }

    /// The program that wrote the file, such as `hypso 0.1.0`.
    #[must_use]
    pub fn producer(&self) -> String {
        unpadded(&self.producer)
    }

    /// What the sections mean, such as `terrain-records`.
    #[must_use]
    pub fn schema(&self) -> String {
        unpadded(&self.schema)
    }

    /// How many sections the table lists.
    #[must_use]
    pub fn section_count(&self) -> usize {
        self.section_count.get() as usize
    }

    /// The checksum of the section table; with the sections' own checksums in it, it identifies the whole content.
    #[must_use]
    pub fn table_checksum(&self) -> u64 {
        self.table_checksum.get()
    }
}

/// `text` cut to `N` bytes and padded with zeros.
pub(super) fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0; N];
    let length = text.len().min(N);
    out[..length].copy_from_slice(&text.as_bytes()[..length]);
    out
}

/// The text before the padding.
pub(super) fn unpadded(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn not_ours() -> Error {
    Error::other_kind("is not a hypso store (wrong magic)", "give a file that `store::Builder` made")
}
