//! The compressions that the header can name.

use crate::archive::packing::Packing;
use crate::error::{Error, Result};

/// How directories and metadata, or tiles, are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not said.
    #[default]
    Unknown,
    /// Stored as they are.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Brotli (RFC 7932); read, not written.
    Brotli,
    /// Zstandard.
    Zstd,
}

impl Compression {
    const ALL: [Self; 5] = [Self::Unknown, Self::None, Self::Gzip, Self::Brotli, Self::Zstd];

    /// The number in the header.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The compression with a number; `None` where the specification has none.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["unknown", "none", "gzip", "brotli", "zstd"][usize::from(self.number())]
    }

    /// The compression with a name; `None` for one that says nothing.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| *c != Self::Unknown && c.name().eq_ignore_ascii_case(name.trim()))
    }

    /// The content of `bytes`, at most `cap` bytes of it; `part` names it in messages.
    pub(super) fn unpack(self, bytes: Vec<u8>, cap: u64, part: &str) -> Result<Vec<u8>> {
        const DAMAGED: &str = "the file is damaged: copy or make it again";
        let Some(packing) = Packing::of_compression(self) else { return Ok(bytes) };
        let mut out = Vec::new();
        // One byte more than the cap tells that there is more.
        let read = packing.unpack(&bytes, cap + 1, &mut out);
        let problem = match read {
            Err(error) => format!("can't be decompressed as {}: {error}", self.name()),
            Ok(_) if out.len() as u64 > cap => format!("grows beyond {cap} bytes when decompressed"),
            Ok(_) => return Ok(out),
        };
        Err(Error::invalid(part, problem, DAMAGED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::packing::gzip;

    #[test]
    fn unpacks_what_was_packed_and_stops_at_the_cap() {
        let content = vec![7u8; 10_000];
        let packed = gzip(&content, 9);
        assert_eq!(packed, gzip(&content, 9));
        assert_eq!(Compression::Gzip.unpack(packed.clone(), 10_000, "x").unwrap(), content);
        let error = Compression::Gzip.unpack(packed, 9_999, "root directory").unwrap_err().to_string();
        assert!(error.contains("root directory: grows beyond 9999 bytes"), "{error}");
        let packed = zstd::encode_all(&content[..], 3).unwrap();
        assert_eq!(Compression::Zstd.unpack(packed.clone(), 10_000, "x").unwrap(), content);
        assert!(Compression::Zstd.unpack(packed[..9].to_vec(), 10_000, "x").is_err());
        assert!(Compression::Gzip.unpack(vec![1, 2, 3], 10, "x").is_err());
        // "hello" in one uncompressed block (RFC 7932, section 9.2), and cut.
        let packed = [0x0b, 0x02, 0x80, b'h', b'e', b'l', b'l', b'o', 0x03];
        assert_eq!(Compression::Brotli.unpack(packed.to_vec(), 5, "x").unwrap(), b"hello");
        assert!(Compression::Brotli.unpack(packed.to_vec(), 4, "x").unwrap_err().to_string().contains("grows beyond"));
        assert!(Compression::Brotli.unpack(packed[..5].to_vec(), 9, "x").unwrap_err().to_string().contains("brotli"));
    }
}
