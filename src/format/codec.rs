//! Compression of cold sections: Zstandard frames (RFC 8878), one for each block of raw bytes.
//!
//! Reading needs no C library: without the `engine` feature the frames are decoded by `ruzstd`. Writing them needs
//! `engine`; without it, sections are written raw, which every reader accepts.

use crate::error::{Error, Result};

const DAMAGED: &str = "verify the file (`store::verify`), and build it again from its sources";

/// Decodes one frame that must hold exactly `raw_length` bytes.
///
/// # Errors
/// Where the frame is damaged or holds another number of bytes.
pub fn decompress(frame: &[u8], raw_length: usize) -> Result<Vec<u8>> {
    let raw = decode(frame, raw_length).map_err(|problem| Error::invalid("compressed block", problem, DAMAGED))?;
    if raw.len() == raw_length {
        return Ok(raw);
    }
    Err(Error::invalid("compressed block", format!("expected {raw_length} bytes, found {}", raw.len()), DAMAGED))
}

#[cfg(feature = "engine")]
fn decode(frame: &[u8], raw_length: usize) -> Result<Vec<u8>, String> {
    use std::cell::RefCell;
    type Context = zstd::bulk::Decompressor<'static>;
    // Making one takes longer than most blocks do.
    thread_local!(static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) });
    CONTEXT.with_borrow_mut(|context| {
        let kept = match context {
            Some(kept) => kept,
            None => context.insert(Context::new().map_err(|e| e.to_string())?),
        };
        kept.decompress(frame, raw_length).map_err(|e| e.to_string())
    })
}

#[cfg(not(feature = "engine"))]
fn decode(frame: &[u8], raw_length: usize) -> Result<Vec<u8>, String> {
    pure_decode(frame, raw_length)
}

/// The decoder without C code; also what a build without the `engine` feature uses.
#[cfg(any(test, not(feature = "engine")))]
fn pure_decode(frame: &[u8], raw_length: usize) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let decoder = ruzstd::decoding::StreamingDecoder::new(frame).map_err(|e| e.to_string())?;
    let mut raw = Vec::new();
    // One byte more than promised shows a frame that is too long, whatever it claims.
    decoder.take(raw_length as u64 + 1).read_to_end(&mut raw).map_err(|e| e.to_string())?;
    Ok(raw)
}

/// Compresses one block; `None` where this build can't.
#[must_use]
pub fn compress(raw: &[u8]) -> Option<Vec<u8>> {
    #[cfg(feature = "engine")]
    return zstd::bulk::compress(raw, 9).ok();
    #[cfg(not(feature = "engine"))]
    {
        let _ = raw;
        None
    }
}

#[cfg(all(test, feature = "engine"))]
mod tests {
    use super::*;

    #[test]
    fn both_decoders_agree_and_refuse_damage() {
        let raw: Vec<u8> = (0..70_000u32).flat_map(|i| (i / 7).to_le_bytes()).take(65_536).collect();
        let frame = compress(&raw).unwrap();
        assert!(frame.len() < raw.len() / 2);
        assert_eq!(decompress(&frame, raw.len()).unwrap(), raw);
        assert_eq!(pure_decode(&frame, raw.len()).unwrap(), raw);
        assert!(decompress(&frame, raw.len() - 1).is_err());
        assert!(pure_decode(&frame, raw.len() - 1).unwrap().len() != raw.len() - 1);
        assert!(decompress(&frame[..frame.len() / 2], raw.len()).is_err());
        assert!(decompress(b"not a frame", 10).is_err());
    }
}
