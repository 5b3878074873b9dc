//! What bytes can be packed with, how that is seen, and how it is undone.

use std::io::{Read, Write};

use super::pmtiles::Compression;

/// What a tile or a directory is packed with. Brotli has no first bytes to be known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    /// RFC 1950, as old vector tiles have it; the header of PMTiles has no number for it.
    Zlib,
    Zstd,
    Brotli,
}

impl Packing {
    /// What the first bytes show.
    #[inline]
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // A window of 32 kB, as every program writes it, and a check over both bytes (RFC 1950, 2.2).
            [0x78, flags, ..] if (0x7800 + u16::from(*flags)).is_multiple_of(31) => Some(Self::Zlib),
            _ => None,
        }
    }

    pub(super) fn of_compression(compression: Compression) -> Option<Self> {
        match compression {
            Compression::Gzip => Some(Self::Gzip),
            Compression::Zstd => Some(Self::Zstd),
            Compression::Brotli => Some(Self::Brotli),
            Compression::None | Compression::Unknown => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
            Self::Brotli => "brotli",
        }
    }

    /// Appends at most `cap` bytes of what is inside; up to where it is damaged, if it is.
    pub(super) fn unpack(self, bytes: &[u8], cap: u64, out: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Self::Gzip => flate2::read::MultiGzDecoder::new(bytes).take(cap).read_to_end(out),
            Self::Zlib => flate2::read::ZlibDecoder::new(bytes).take(cap).read_to_end(out),
            Self::Zstd => zstd::stream::read::Decoder::new(bytes).and_then(|d| d.take(cap).read_to_end(out)),
            Self::Brotli => brotli_decompressor::Decompressor::new(bytes, 4096).take(cap).read_to_end(out),
        }
        .map(drop)
    }
}

/// `bytes` as gzip of a level from 0 to 9, the same output for the same input.
pub(crate) fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    // Writing to a Vec can't fail.
    let written = encoder.write_all(bytes);
    debug_assert!(written.is_ok());
    encoder.finish().unwrap_or_default()
}
