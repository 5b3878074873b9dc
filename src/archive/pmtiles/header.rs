//! The header: 127 bytes, little-endian.

use super::compression::Compression;
use crate::archive::TileFormat;
use crate::error::{Error, Result};
use crate::tile::TileId;

/// The size of the header, bytes.
pub(in crate::archive) const HEADER_BYTES: usize = 127;
/// Header and root directory lie within this many bytes from the start of the file.
pub const ROOT_LIMIT: u64 = 16_384;
/// The first bytes of every PMTiles file since version 3.
pub(in crate::archive) const MAGIC: &[u8; 7] = b"PMTiles";
/// The version that is read and written.
const VERSION: u8 = 3;

/// The fields of the header in the order of the file. Offsets count from the start of the file; lengths are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[allow(missing_docs)] // The names are those of the specification.
pub struct Header {
    pub root_offset: u64,
    pub root_length: u64,
    pub metadata_offset: u64,
    pub metadata_length: u64,
    pub leaf_offset: u64,
    pub leaf_length: u64,
    pub data_offset: u64,
    pub data_length: u64,
    /// Tiles; 0 where unknown.
    pub addressed_tiles: u64,
    /// Directory entries that are tiles; 0 where unknown.
    pub tile_entries: u64,
    /// Distinct contents; 0 where unknown.
    pub tile_contents: u64,
    pub clustered: bool,
    pub internal_compression: Compression,
    pub tile_compression: Compression,
    /// 0 unknown, 1 MVT, 2 PNG, 3 JPEG, 4 WebP, 5 AVIF.
    pub tile_type: u8,
    pub min_zoom: u8,
    pub max_zoom: u8,
    /// West, south, east, north; degrees.
    pub bounds: [f64; 4],
    pub center_zoom: u8,
    /// Longitude, latitude; degrees.
    pub center: [f64; 2],
}

impl Header {
    /// Reads a header and checks its magic, version and compressions; sections are not compared with a file here.
    ///
    /// # Errors
    /// Where the bytes are not the header of a PMTiles archive of version 3.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let invalid = |problem: String, remedy| Err(Error::invalid("header", problem, remedy));
        if !bytes.starts_with(MAGIC) {
            let found = String::from_utf8_lossy(bytes.get(..7).unwrap_or(bytes));
            let problem = format!("expected the magic \"PMTiles\", found {found:?}");
            return Err(Error::other_kind(problem, "this is not a PMTiles archive: check the path"));
        }
        match bytes.get(7) {
            Some(&VERSION) => {}
            Some(&version) if version > VERSION => {
                return Err(Error::UnsupportedVersion {
                    path: None,
                    found: (u16::from(version), 0),
                    supported: (u16::from(VERSION), 0),
                });
            }
            Some(version) => {
                let problem = format!("has format version {version}, expected {VERSION}");
                return Err(Error::other_kind(problem, "convert it with `pmtiles convert old.pmtiles new.pmtiles`"));
            }
            None => {}
        }
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return invalid(
                format!("expected {HEADER_BYTES} bytes, found {}", bytes.len()),
                "the file is truncated: copy or make it again",
            );
        };
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let degrees = |at: usize| f64::from(i32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))) / 1e7;
        let compression = |at: usize, what: &str| {
            Compression::from_number(bytes[at]).ok_or_else(|| {
                Error::invalid(
                    "header",
                    format!("{what} compression is {}, expected 0 to 4", bytes[at]),
                    "the file is damaged or made by a faulty program: make it again",
                )
            })
        };
        Ok(Self {
            root_offset: u64_at(8),
            root_length: u64_at(16),
            metadata_offset: u64_at(24),
            metadata_length: u64_at(32),
            leaf_offset: u64_at(40),
            leaf_length: u64_at(48),
            data_offset: u64_at(56),
            data_length: u64_at(64),
            addressed_tiles: u64_at(72),
            tile_entries: u64_at(80),
            tile_contents: u64_at(88),
            clustered: bytes[96] == 1,
            internal_compression: compression(97, "internal")?,
            tile_compression: compression(98, "tile")?,
            tile_type: bytes[99],
            min_zoom: bytes[100],
            max_zoom: bytes[101],
            bounds: [degrees(102), degrees(106), degrees(110), degrees(114)],
            center_zoom: bytes[118],
            center: [degrees(119), degrees(123)],
        })
    }

    /// The header as it stands in the file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0u8; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        // Saturating casts keep out-of-range degrees at the edge of the type.
        let degrees = |v: f64| ((v * 1e7).round() as i32).to_le_bytes();
        put(0, MAGIC);
        put(7, &[VERSION]);
        let numbers = [
            self.root_offset,
            self.root_length,
            self.metadata_offset,
            self.metadata_length,
            self.leaf_offset,
            self.leaf_length,
            self.data_offset,
            self.data_length,
            self.addressed_tiles,
            self.tile_entries,
            self.tile_contents,
        ];
        for (i, number) in numbers.iter().enumerate() {
            put(8 + 8 * i, &number.to_le_bytes());
        }
        put(96, &[u8::from(self.clustered), self.internal_compression.number(), self.tile_compression.number()]);
        put(99, &[self.tile_type, self.min_zoom, self.max_zoom]);
        for (i, v) in self.bounds.iter().enumerate() {
            put(102 + 4 * i, &degrees(*v));
        }
        put(118, &[self.center_zoom]);
        put(119, &degrees(self.center[0]));
        put(123, &degrees(self.center[1]));
        out
    }

    /// Checks that every section lies inside a file of `file_len` bytes.
    ///
    /// # Errors
    /// Names the section that doesn't.
    pub fn check_sections(&self, file_len: u64) -> Result<()> {
        for (name, offset, length) in self.sections() {
            let end = offset.checked_add(length);
            if end.is_none_or(|end| end > file_len) {
                return Err(Error::invalid(
                    name,
                    format!("lies at byte {offset} with {length} bytes, but the file has {file_len} bytes"),
                    "the file is truncated or damaged: copy or make it again",
                ));
            }
        }
        Ok(())
    }

    /// Where a content begins in the file, checked to lie inside the tile data.
    pub(super) fn content_start(&self, id: u64, offset: u64, len: u32) -> Result<u64> {
        let end = offset.checked_add(u64::from(len)).filter(|&end| end <= self.data_length);
        end.and_then(|_| self.data_offset.checked_add(offset)).ok_or_else(|| {
            let tile = TileId(id).coord();
            Error::invalid(
                tile.map_or_else(|| "tile".to_owned(), |tile| format!("tile {tile}")),
                format!(
                    "lies at byte {offset} of the tile data with {len} bytes, but the tile data have {} bytes",
                    self.data_length
                ),
                "the directory is damaged: make the archive again",
            )
        })
    }

    /// Name, offset and length of the four sections.
    pub(in crate::archive) fn sections(&self) -> [(&'static str, u64, u64); 4] {
        [
            ("root directory", self.root_offset, self.root_length),
            ("metadata", self.metadata_offset, self.metadata_length),
            ("leaf directories", self.leaf_offset, self.leaf_length),
            ("tile data", self.data_offset, self.data_length),
        ]
    }
}

/// The number of a tile format in the header.
pub(super) fn tile_type(format: &TileFormat) -> u8 {
    match format {
        TileFormat::Mvt => 1,
        TileFormat::Png => 2,
        TileFormat::Jpeg => 3,
        TileFormat::Webp => 4,
        TileFormat::Avif => 5,
        TileFormat::Unknown | TileFormat::Other(_) => 0,
    }
}

/// The tile format with a number in the header.
pub(super) fn tile_format(number: u8) -> TileFormat {
    match number {
        1 => TileFormat::Mvt,
        2 => TileFormat::Png,
        3 => TileFormat::Jpeg,
        4 => TileFormat::Webp,
        5 => TileFormat::Avif,
        6 => TileFormat::Other("mlt".to_owned()),
        _ => TileFormat::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let header = Header {
            root_offset: 127,
            root_length: 25,
            metadata_offset: 1 << 40,
            data_length: u64::MAX,
            addressed_tiles: 3,
            clustered: true,
            internal_compression: Compression::Gzip,
            tile_compression: Compression::None,
            tile_type: 4,
            min_zoom: 1,
            max_zoom: 16,
            bounds: [122.5, 20.25, 154.125, 46.0],
            center_zoom: 5,
            center: [138.7274, -35.3606],
            ..Header::default()
        };
        assert_eq!(Header::from_bytes(&header.to_bytes()).unwrap(), header);
        assert!(header.check_sections(1 << 41).unwrap_err().to_string().contains("tile data: lies at byte 0"));
    }

    #[test]
    fn refuses_other_files_versions_and_short_ones() {
        let message = |bytes: &[u8]| Header::from_bytes(bytes).unwrap_err().to_string();
        let good = Header::default().to_bytes();
        assert!(message(b"This is an invalid tile").contains("expected the magic \"PMTiles\""));
        assert!(message(b"").contains("expected the magic"));
        assert!(message(&good[..126]).contains("expected 127 bytes, found 126"));
        let mut newer = good;
        newer[7] = 4;
        assert!(message(&newer).contains("has format version 4.0, but this program reads up to version 3.x"));
        let mut odd = good;
        odd[97] = 9;
        assert!(message(&odd).contains("internal compression is 9"));
    }
}
