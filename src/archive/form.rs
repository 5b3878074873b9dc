//! What the bytes of a tile are: the format that their first bytes show, and what they are compressed with on top of it.
//!
//! Images are compressed by their own format. Compression around them is a mistake, which browsers don't undo. Vector tiles are
//! compressed as the archive says, mostly with gzip. Only the first bytes are looked at, unless something is compressed.

use super::TileFormat;
use super::packing::{Packing, gzip};
use super::pmtiles::Compression;
use crate::error::{Error, Result};

/// How much of a packed content is unpacked to see what it is, bytes.
const HEAD: usize = 4096;
/// How many layers of compression are undone.
const LAYERS: usize = 4;
/// How hard gzip tries for tiles, of 9.
const LEVEL: u32 = 6;
/// The largest content that is unpacked, bytes.
const CAP: u64 = 256 << 20;

/// What a content is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Look {
    /// The format inside of all packings; `None` where nothing shows it.
    pub(super) format: Option<TileFormat>,
    /// The outermost compression.
    pub(super) packing: Option<Packing>,
    /// How many layers of compression there are.
    pub(super) layers: usize,
}

impl Look {
    /// Looks at a content. What is packed is unpacked as far as its first bytes need it. `said` is a packing that the archive
    /// declares and that can't be seen.
    pub(super) fn at(bytes: &[u8], said: Option<Packing>) -> Self {
        let mut look = Self { format: plain(bytes, true), packing: Packing::of(bytes), layers: 0 };
        if look.format.is_none() && look.packing.is_none() {
            look.packing = said.filter(|&said| said == Packing::Brotli);
        }
        let (mut next, mut head) = (look.packing, Vec::new());
        while let Some(packing) = next.filter(|_| look.format.is_none() && look.layers < LAYERS) {
            let packed = if look.layers == 0 { bytes } else { &head };
            // The beginning of a compressed content ends somewhere inside it: what was decoded before that is good.
            let mut inside = Vec::new();
            let read = packing.unpack(packed, HEAD as u64, &mut inside);
            if read.is_err() && inside.is_empty() {
                break;
            }
            look.layers += 1;
            look.format = plain(&inside, inside.len() < HEAD);
            next = Packing::of(&inside);
            head = inside;
        }
        if look.layers == 0 {
            // Bytes that only happen to begin like a compressed content.
            look.packing = None;
        }
        look
    }
}

/// The format of bytes that are not packed. `whole` where they are all of the tile.
#[inline]
pub(super) fn plain(bytes: &[u8], whole: bool) -> Option<TileFormat> {
    let at = |from: usize, what: &[u8]| bytes.get(from..from + what.len()) == Some(what);
    match bytes.first()? {
        b'R' if at(0, b"RIFF") && at(8, b"WEBP") => Some(TileFormat::Webp),
        0x89 if at(0, b"\x89PNG\r\n\x1a\n") => Some(TileFormat::Png),
        0xff if at(0, b"\xff\xd8\xff") => Some(TileFormat::Jpeg),
        _ if at(4, b"ftypavif") || at(4, b"ftypavis") => Some(TileFormat::Avif),
        0x1a if is_vector(bytes, whole) => Some(TileFormat::Mvt),
        _ => None,
    }
}

/// True where the bytes are layers of a vector tile one behind the other: field 3, a length, and inside first a field of a layer.
fn is_vector(bytes: &[u8], whole: bool) -> bool {
    let mut rest = bytes;
    while let Some((&0x1a, behind)) = rest.split_first() {
        let Some((length, body)) = varint(behind) else { return !whole && rest.len() < bytes.len() };
        // Name, feature, key, value, extent, version.
        let known = body.first().is_none_or(|field| [0x0a, 0x12, 0x1a, 0x22, 0x28, 0x78].contains(field));
        let inside = usize::try_from(length).ok().and_then(|length| body.get(length..));
        match inside {
            _ if !known => return false,
            Some(next) => rest = next,
            None => return !whole,
        }
    }
    rest.is_empty()
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (n, &byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte < 0x80 {
            return Some((value, &bytes[n + 1..]));
        }
    }
    None
}

/// True for a format of pictures.
pub(super) fn is_picture(format: &TileFormat) -> bool {
    matches!(format, TileFormat::Webp | TileFormat::Png | TileFormat::Jpeg | TileFormat::Avif)
}

/// How all tiles of an archive are given out, whatever each of them is stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TileForm {
    /// As they are stored.
    #[default]
    Stored,
    /// Images: nothing around their own format.
    Picture {
        /// Where the archive declares brotli, which can't be seen, what shows no format is tried with it.
        brotli: bool,
    },
    /// Vector tiles.
    Vector {
        /// How each of them is packed.
        packed: Compression,
        /// Some were found to be packed twice, so each is looked into.
        inside: bool,
    },
}

impl TileForm {
    /// True where a content with these first bytes is given out as it is.
    #[inline]
    pub(super) fn keeps(self, head: &[u8]) -> bool {
        match self {
            Self::Stored => true,
            Self::Picture { brotli } => Packing::of(head).is_none() && (!brotli || plain(head, false).is_some()),
            Self::Vector { inside: true, .. } => false,
            Self::Vector { packed, .. } => match Packing::of_compression(packed) {
                Some(Packing::Brotli) => true,
                wanted => Packing::of(head) == wanted,
            },
        }
    }

    /// A content as it is given out; `None` where it is that already.
    ///
    /// # Errors
    /// Where it is packed and damaged.
    pub(super) fn mend(self, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
        if self.keeps(bytes) {
            return Ok(None);
        }
        match self {
            Self::Stored => Ok(None),
            Self::Picture { brotli } => {
                let said = brotli.then_some(Packing::Brotli);
                let look = Look::at(bytes, said);
                let picture = look.layers > 0 && look.format.as_ref().is_some_and(is_picture);
                if picture { unpack_all(bytes, said).map(Some) } else { Ok(None) }
            }
            Self::Vector { packed, .. } => {
                let look = Look::at(bytes, None);
                let vector = look.format == Some(TileFormat::Mvt);
                let wanted = Packing::of_compression(packed);
                if !vector || (look.packing == wanted && look.layers <= 1) {
                    return Ok(None);
                }
                let content = unpack_all(bytes, None)?;
                Ok(Some(match packed {
                    Compression::Gzip => gzip(&content, LEVEL),
                    Compression::Zstd => zstd::encode_all(&content[..], 9).map_err(|e| damaged("zstd", &e))?,
                    _ => content,
                }))
            }
        }
    }
}

fn damaged(name: &str, error: &std::io::Error) -> Error {
    Error::invalid("content", format!("can't be unpacked from {name}: {error}"), "make this tile again, or the archive")
}

/// What lies inside of all packings.
pub(super) fn unpack_all(bytes: &[u8], said: Option<Packing>) -> Result<Vec<u8>> {
    let mut content: Option<Vec<u8>> = None;
    for layer in 0..LAYERS {
        let now = content.as_deref().unwrap_or(bytes);
        if plain(now, true).is_some() {
            break;
        }
        let Some(packing) = Packing::of(now).or(said.filter(|_| layer == 0)) else { break };
        let mut inside = Vec::new();
        packing.unpack(now, CAP + 1, &mut inside).map_err(|error| damaged(packing.name(), &error))?;
        if inside.len() as u64 > CAP {
            let problem = format!("grows beyond {CAP} bytes when unpacked");
            return Err(Error::invalid("content", problem, "make this tile again, or the archive"));
        }
        content = Some(inside);
    }
    Ok(content.unwrap_or_else(|| bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        super::gzip(bytes, LEVEL)
    }

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nthe rest of it";

    /// A vector tile with one layer, `name`.
    fn vector(name: &str) -> Vec<u8> {
        let layer = [&[0x0a, name.len() as u8][..], name.as_bytes(), &[0x78, 2]].concat();
        [&[0x1a, layer.len() as u8][..], &layer].concat()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_inside_is_seen_through_every_packing() {
        for (content, format) in [(PNG.to_vec(), TileFormat::Png), (vector("roads"), TileFormat::Mvt)] {
            let zstd = zstd::encode_all(&content[..], 3).unwrap();
            for (bytes, packing, layers) in [
                (content.clone(), None, 0),
                (gzip(&content), Some(Packing::Gzip), 1),
                (gzip(&gzip(&content)), Some(Packing::Gzip), 2),
                (zlib(&content), Some(Packing::Zlib), 1),
                (zstd, Some(Packing::Zstd), 1),
            ] {
                let look = Look::at(&bytes, None);
                assert_eq!(look, Look { format: Some(format.clone()), packing, layers });
                assert_eq!(unpack_all(&bytes, None).unwrap(), content);
            }
        }
        for nothing in
            [&b""[..], b"x", b"\x1f\x8b", b"\x1f\x8b\x08 no gzip", b"\x78\x9c no zlib", b"\x1a", b"\x1a\x7fx"]
        {
            assert_eq!(Look::at(nothing, None), Look::default(), "{nothing:?}");
        }
        assert_eq!(Look::at(&gzip(b"{\"type\":\"FeatureCollection\"}"), None).format, None);
        let two = [vector("a"), vector("b")].concat();
        assert_eq!(plain(&two, true), Some(TileFormat::Mvt));
        assert_eq!(plain(&two[..two.len() - 1], true), None, "a layer that is cut");
        assert_eq!(plain(&two[..two.len() - 1], false), Some(TileFormat::Mvt));
    }

    #[test]
    fn tiles_are_given_out_in_one_form() {
        let picture = TileForm::Picture { brotli: false };
        assert_eq!(picture.mend(PNG).unwrap(), None);
        assert_eq!(picture.mend(&gzip(&gzip(PNG))).unwrap().as_deref(), Some(PNG));
        assert_eq!(picture.mend(&zlib(PNG)).unwrap().as_deref(), Some(PNG));
        // A content without an image is not unpacked; a damaged one is reported.
        assert_eq!(picture.mend(&gzip(b"text")).unwrap(), None);
        let cut = gzip(&PNG.repeat(400));
        assert!(picture.mend(&cut[..cut.len() - 9]).unwrap_err().to_string().contains("can't be unpacked from gzip"));

        let content = vector("roads");
        let packed = TileForm::Vector { packed: Compression::Gzip, inside: false };
        let inside = TileForm::Vector { packed: Compression::Gzip, inside: true };
        assert_eq!(packed.mend(&gzip(&content)).unwrap(), None);
        assert_eq!(inside.mend(&gzip(&content)).unwrap(), None);
        for other in [content.clone(), zlib(&content)] {
            assert_eq!(packed.mend(&other).unwrap(), Some(gzip(&content)));
        }
        assert_eq!(inside.mend(&gzip(&gzip(&content))).unwrap(), Some(gzip(&content)));
        let none = TileForm::Vector { packed: Compression::None, inside: false };
        assert_eq!((none.mend(&content).unwrap(), none.mend(&gzip(&content)).unwrap()), (None, Some(content)));
    }
}
