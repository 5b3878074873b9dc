//! Compression row by row (codec 2): each row is a Zstandard frame (RFC 8878) of its own, or stays as it is where that is
//! not longer. A dictionary makes up for what short rows have in common.
//!
//! As in `format::codec`, reading needs no C library, and writing needs the `engine` feature.

use crate::error::{Error, Result};

const DAMAGED: &str = "verify the file (`store::verify`), and build it again from its sources";

/// No frame holds more bytes than this for each of its own: the densest block of RFC 8878 is four bytes long and stands
/// for 128 KiB.
pub const MOST_FOR_A_BYTE: u64 = 32_768;

/// The bytes of a dictionary that [`train`] makes if not said otherwise.
pub const DICTIONARY: usize = 112 << 10;

/// How a dictionary starts; its identifier follows (RFC 8878, section 5).
const MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];

/// Decodes rows with one context, which is expensive to make and cheap to use again: about 150 KiB, and a prepared
/// dictionary of up to 200 KiB more.
pub struct Decoder {
    #[cfg(feature = "engine")]
    inner: zstd::bulk::Decompressor<'static>,
    #[cfg(not(feature = "engine"))]
    inner: pure::Decoder,
}

impl Decoder {
    /// A decoder for rows that were compressed with this dictionary; an empty one stands for none.
    ///
    /// # Errors
    /// Where the dictionary is damaged.
    pub fn new(dictionary: &[u8]) -> Result<Self> {
        // zstd itself takes any bytes for a dictionary, other decoders do not.
        if !dictionary.is_empty()
            && (!dictionary.starts_with(&MAGIC) || dictionary.get(4..8).is_none_or(|id| id == [0; 4]))
        {
            return Err(Error::invalid("Zstandard dictionary", "is none, or has no identifier", DAMAGED));
        }
        #[cfg(feature = "engine")]
        let inner = zstd::bulk::Decompressor::with_dictionary(dictionary).map_err(|e| e.to_string());
        #[cfg(not(feature = "engine"))]
        let inner = pure::Decoder::new(dictionary);
        let inner = inner.map_err(|problem| Error::invalid("Zstandard dictionary", problem, DAMAGED))?;
        Ok(Self { inner })
    }

    /// Decodes the stored bytes of a row, which have to fill `raw`.
    ///
    /// # Errors
    /// Where they are damaged or stand for another number of bytes.
    pub fn decode(&mut self, stored: &[u8], raw: &mut [u8]) -> Result<()> {
        if stored.len() == raw.len() {
            raw.copy_from_slice(stored);
            return Ok(());
        }
        #[cfg(feature = "engine")]
        let found = self.inner.decompress_to_buffer(stored, raw).map_err(|e| e.to_string());
        #[cfg(not(feature = "engine"))]
        let found = self.inner.decode(stored, raw);
        let bad = |problem: String| Error::invalid("compressed row", problem, DAMAGED);
        match found.map_err(bad)? {
            found if found == raw.len() => Ok(()),
            found => Err(bad(format!("expected {} bytes, found {found}", raw.len()))),
        }
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

/// The decoder without C code; also what a build without the `engine` feature uses.
#[cfg(any(test, not(feature = "engine")))]
mod pure {
    use ruzstd::decoding::{Dictionary, FrameDecoder};

    pub(super) struct Decoder(FrameDecoder);

    impl Decoder {
        pub(super) fn new(dictionary: &[u8]) -> Result<Self, String> {
            let mut decoder = FrameDecoder::new();
            if !dictionary.is_empty() {
                let dictionary = Dictionary::decode_dict(dictionary).map_err(|e| e.to_string())?;
                decoder.add_dict(dictionary).map_err(|e| e.to_string())?;
            }
            Ok(Self(decoder))
        }

        pub(super) fn decode(&mut self, stored: &[u8], raw: &mut [u8]) -> Result<usize, String> {
            self.0.decode_all(stored, raw).map_err(|e| e.to_string())
        }
    }
}

/// Compresses rows with one context; see [`encoder`].
pub(super) struct Encoder {
    #[cfg(feature = "engine")]
    inner: zstd::bulk::Compressor<'static>,
}

/// An encoder; `None` where this build can't compress.
///
/// # Errors
/// Where the dictionary is malformed.
pub(super) fn encoder(level: i32, dictionary: &[u8]) -> Result<Option<Encoder>> {
    #[cfg(feature = "engine")]
    {
        let inner = zstd::bulk::Compressor::with_dictionary(level, dictionary);
        let inner = inner.map_err(|e| Error::argument("Zstandard dictionary", e.to_string()))?;
        Ok(Some(Encoder { inner }))
    }
    #[cfg(not(feature = "engine"))]
    {
        let _ = (level, dictionary);
        Ok(None)
    }
}

impl Encoder {
    /// The bytes to store for a row: shorter than the row, or the row itself.
    pub(super) fn encode(&mut self, row: &[u8]) -> Result<Vec<u8>> {
        #[cfg(feature = "engine")]
        {
            let frame =
                self.inner.compress(row).map_err(|e| Error::internal(format!("a row can't be compressed: {e}")))?;
            if frame.len() < row.len() {
                return Ok(frame);
            }
        }
        Ok(row.to_vec())
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

/// Makes a dictionary of at most `size` bytes ([`DICTIONARY`] is a good number) from some rows like those that it will
/// be used for: a hundred times its size is enough. `None` where this build can't compress, or they are too few or too
/// small; a column is then compressed without one.
#[must_use]
pub fn train(samples: &[impl AsRef<[u8]>], size: usize) -> Option<Vec<u8>> {
    #[cfg(feature = "engine")]
    return zstd::dict::from_samples(samples, size).ok().filter(|d| !d.is_empty());
    #[cfg(not(feature = "engine"))]
    {
        let _ = (samples, size);
        None
    }
}

#[cfg(all(test, feature = "engine"))]
mod tests {
    use super::*;

    fn row(i: u32) -> Vec<u8> {
        let words = (0..300u32).flat_map(|j| (j * j % 1000 + i % 7).to_le_bytes());
        words.chain((0..i % 90).map(|j| (i * 31 + j * 17) as u8)).collect()
    }

    #[test]
    fn both_decoders_agree_with_and_without_a_dictionary() {
        let rows: Vec<Vec<u8>> = (0..600).map(row).collect();
        let trained = train(&rows, 8 << 10).unwrap();
        let mut lengths = Vec::new();
        for dictionary in [&[][..], &trained] {
            let mut encoder = encoder(9, dictionary).unwrap().unwrap();
            let (mut fast, mut pure) = (Decoder::new(dictionary).unwrap(), pure::Decoder::new(dictionary).unwrap());
            let mut total = 0;
            for row in &rows {
                let stored = encoder.encode(row).unwrap();
                assert!(stored.len() < row.len());
                total += stored.len();
                let (mut a, mut b) = (vec![1; row.len()], vec![2; row.len()]);
                fast.decode(&stored, &mut a).unwrap();
                assert_eq!(pure.decode(&stored, &mut b).unwrap(), row.len());
                assert_eq!((&a, &b), (row, row));
                assert!(fast.decode(&stored, &mut vec![0; row.len() - 1]).is_err());
                assert!(fast.decode(&stored, &mut vec![0; row.len() + 1]).is_err());
                assert!(fast.decode(&stored[..stored.len() - 1], &mut a).is_err());
                // A damaged row does no harm to the next.
                fast.decode(&stored, &mut a).unwrap();
                assert_eq!(&a, row);
            }
            lengths.push(total);
        }
        assert!(lengths[1] * 2 < lengths[0], "{lengths:?}");
    }

    #[test]
    fn what_does_not_get_shorter_stays() {
        let mut encoder = encoder(9, &[]).unwrap().unwrap();
        let mut decoder = Decoder::new(&[]).unwrap();
        for row in [vec![], vec![7], (0..200u8).map(|i| i.wrapping_mul(167) ^ (i >> 3)).collect::<Vec<u8>>()] {
            assert_eq!(encoder.encode(&row).unwrap(), row);
            let mut raw = vec![0; row.len()];
            decoder.decode(&row, &mut raw).unwrap();
            assert_eq!(raw, row);
        }
    }

    #[test]
    fn noise_is_no_dictionary() {
        assert!(train(&[[1u8; 4]], 1000).is_none());
        let mut damaged = train(&(0..600).map(row).collect::<Vec<_>>(), 4 << 10).unwrap();
        damaged[8..40].fill(0xff);
        assert!(Decoder::new(&damaged).is_err());
    }

    #[test]
    fn the_densest_frame_is_as_dense_as_it_says() {
        let zeros = vec![0u8; 64 << 20];
        let frame = encoder(19, &[]).unwrap().unwrap().encode(&zeros).unwrap();
        assert!(zeros.len() as u64 <= frame.len() as u64 * MOST_FOR_A_BYTE, "{}", frame.len());
        assert!(zeros.len() as u64 * 2 > frame.len() as u64 * MOST_FOR_A_BYTE, "the bound is not far off");
    }
}
