//! The checksum of headers, tables and sections: XXH3, 64 bits, seed 0.

use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// The checksum of `bytes`. About 0.1 s a GiB.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// The same checksum, fed piece by piece.
#[derive(Default)]
pub struct Checksum(Xxh3Default);

impl Checksum {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes so far.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.0.digest()
    }
}

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checksum({:016x})", self.digest())
    }
}
