//! Every offset, length and number of the format, version 1, as in `store-format.md`.

/// The first eight bytes: a byte above 127 and a CR LF, so that a text-mode transfer is noticed at once.
pub const MAGIC: [u8; 8] = *b"\x89HYPSO\r\n";
/// A reader refuses files with another major version.
pub const VERSION_MAJOR: u16 = 1;
/// A reader reads files with any minor version and skips sections that it does not know.
pub const VERSION_MINOR: u16 = 3;
/// Bytes of the header.
pub const HEADER_LENGTH: usize = 128;
/// Bytes of one entry of the section table.
pub const ENTRY_LENGTH: usize = 64;
/// Bytes of a section's name, padded with zeros.
pub const NAME_LENGTH: usize = 24;
/// Bytes of the schema's name, padded with zeros.
pub const SCHEMA_LENGTH: usize = 16;
/// The section table follows the header.
pub const TABLE_OFFSET: usize = HEADER_LENGTH;
/// Sections start at multiples of this.
pub const SECTION_ALIGNMENT: u64 = 64;
/// The first section starts at a multiple of this.
pub const PAGE: u64 = 4096;
/// The most sections that a reader has to accept; more are refused.
pub const MAX_SECTIONS: u32 = 4096;
/// Raw bytes in a block of a section with codec 1.
pub const BLOCK_LENGTH: u32 = 65_536;
/// The most raw bytes in a row of a section with codec 2.
pub const ROW_LENGTH: u32 = 16_777_216;
/// Offset of the header checksum, which covers all header bytes before it.
pub const HEADER_CHECKSUM_OFFSET: usize = 120;
