//! The mask of a partly valid tile, inside its image file.
//!
//! Pixels without data are written as an opaque elevation, because maps want one. So that a coarser tile can still tell
//! them from real heights, the file of a tile that has both carries its mask in a private chunk named `hyMK`:
//!
//! - WebP: the extended container (`VP8X` without flags, `VP8L`), then the chunk. Readers skip chunks that they do not know.
//! - PNG: an ancillary, private chunk that is not safe to copy, before `IEND`.
//!
//! Payload: a version byte (1), width and height (u32, little-endian), then a zlib stream of the bits: row by row, most
//! significant first, each row padded to a byte; 1 = valid. A tile without the chunk is valid everywhere, apart from
//! pixels with alpha 0.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::error::{Error, Result};

/// The chunk's name.
pub const CHUNK: [u8; 4] = *b"hyMK";

const VERSION: u8 = 1;

/// The payload for a mask of one byte (0 or 1) a pixel.
///
/// # Errors
/// Where compression fails, which it does not in memory.
pub fn encode(size: u32, valid: &[u8]) -> Result<Vec<u8>> {
    let mut bits = Vec::with_capacity(valid.len() / 8);
    for row in valid.chunks(size.max(1) as usize) {
        bits.extend(
            row.chunks(8).map(|eight| eight.iter().enumerate().fold(0u8, |byte, (i, &v)| byte | (v & 1) << (7 - i))),
        );
    }
    let mut out = vec![VERSION];
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(&size.to_le_bytes());
    let mut packer = ZlibEncoder::new(out, Compression::new(6));
    packer.write_all(&bits).and_then(|()| packer.finish()).map_err(|e| Error::internal(format!("mask: {e}")))
}

/// The mask in a payload, one byte a pixel.
///
/// # Errors
/// Where the payload is damaged, of another version, or not of this size.
pub fn decode(payload: &[u8], size: u32) -> Result<Vec<u8>> {
    let bad = |problem: &str| Error::invalid("mask chunk", problem, "make the tile again");
    let (Some(&version), Some(width), Some(height), Some(packed)) =
        (payload.first(), payload.get(1..5), payload.get(5..9), payload.get(9..))
    else {
        return Err(bad("is cut off"));
    };
    if version != VERSION || width != size.to_le_bytes() || height != size.to_le_bytes() {
        return Err(bad("is of another version or size than the tile"));
    }
    let row = size.div_ceil(8) as usize;
    let expected = row * size as usize;
    let mut bits = Vec::new();
    ZlibDecoder::new(packed).take(expected as u64 + 1).read_to_end(&mut bits).map_err(|e| bad(&e.to_string()))?;
    if bits.len() != expected {
        return Err(bad(&format!("should hold {expected} bytes of bits")));
    }
    let mut valid = Vec::with_capacity(size as usize * size as usize);
    for bytes in bits.chunks(row) {
        valid.extend((0..size as usize).map(|i| bytes[i / 8] >> (7 - i % 8) & 1));
    }
    Ok(valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_hostile_payloads() {
        for size in [1u32, 7, 8, 9, 256] {
            let valid: Vec<u8> = (0..size * size).map(|i| u8::from(i % 3 == 0 || i % 7 == 2)).collect();
            let payload = encode(size, &valid).unwrap();
            assert_eq!(decode(&payload, size).unwrap(), valid);
            assert!(decode(&payload, size + 1).is_err());
            for length in 0..payload.len() {
                assert!(decode(&payload[..length], size).is_err(), "{length}");
            }
        }
        let bomb = encode(4096, &vec![1; 4096 * 4096]).unwrap();
        let mut small = bomb.clone();
        small[1..5].copy_from_slice(&8u32.to_le_bytes());
        small[5..9].copy_from_slice(&8u32.to_le_bytes());
        assert!(decode(&small, 8).is_err());
    }
}
