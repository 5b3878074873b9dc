//! Which contents an output holds already, in bounded memory.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_128;

/// How many contents are remembered to find equal ones: 88 MB.
const REMEMBERED: usize = 3_600_000;
/// The bit of a place that says that the content came twice.
const REPEATED: u32 = 1 << 31;

/// A content's hash: 96 of the 128 bits of XXH3, so that among a billion contents two of one hash are as likely as 1 in
/// 10^11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentHash {
    pub(crate) low: u64,
    pub(crate) high: u32,
}

impl ContentHash {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let hash = xxh3_128(bytes);
        Self { low: hash as u64, high: (hash >> 64) as u32 }
    }
}

/// 20 bytes: the hash and 63 bits of place, as words so that nothing is padded.
#[derive(Debug, Clone, Copy)]
struct Stored {
    low: [u32; 2],
    high: u32,
    place: [u32; 2],
}

impl Stored {
    fn low(&self) -> u64 {
        u64::from(self.low[0]) | u64::from(self.low[1]) << 32
    }
}

/// Where contents are stored (an offset, a number), by their hash.
///
/// Beyond the limit, only those that came twice stay; an equal content that comes later may then be stored again.
#[derive(Debug)]
pub(super) struct Contents {
    table: HashTable<Stored>,
    limit: usize,
    forgot: bool,
}

impl Default for Contents {
    fn default() -> Self {
        Self { table: HashTable::new(), limit: REMEMBERED, forgot: false }
    }
}

impl Contents {
    /// The place of a content that is known.
    pub(super) fn find(&mut self, hash: ContentHash) -> Option<u64> {
        let stored = self.table.find_mut(hash.low, |s| s.low() == hash.low && s.high == hash.high)?;
        stored.place[1] |= REPEATED;
        Some(u64::from(stored.place[0]) | u64::from(stored.place[1] & !REPEATED) << 32)
    }

    #[cfg(test)]
    pub(super) fn with_limit(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// True where a content may have been stored again, because there were too many to remember all.
    pub(super) fn forgot(&self) -> bool {
        self.forgot
    }

    /// Remembers a content that wasn't found; places are below 2^63.
    pub(super) fn insert(&mut self, hash: ContentHash, place: u64) {
        if self.table.len() >= self.limit {
            self.forgot = true;
            self.table.retain(|stored| stored.place[1] & REPEATED != 0);
            if self.table.len() > self.limit / 2 {
                // Too many repeat: start afresh rather than sweep again and again.
                self.table.clear();
            }
        }
        let words = |v: u64| [v as u32, (v >> 32) as u32];
        let stored = Stored { low: words(hash.low), high: hash.high, place: words(place & (u64::MAX >> 1)) };
        self.table.insert_unique(hash.low, stored, Stored::low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_that_repeat_outlive_those_that_do_not() {
        let mut contents = Contents { limit: 4, ..Contents::default() };
        let hash = |n: u32| ContentHash { low: 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(u64::from(n) + 1), high: n };
        for n in 0..4 {
            contents.insert(hash(n), (u64::from(n) << 40) + 5);
        }
        assert_eq!(contents.find(hash(2)), Some((2 << 40) + 5));
        assert_eq!(contents.find(ContentHash { high: 9, ..hash(2) }), None);
        contents.insert(hash(4), 4);
        assert_eq!(contents.find(hash(2)), Some((2 << 40) + 5));
        assert_eq!(contents.find(hash(1)), None);
        assert_eq!(contents.find(hash(4)), Some(4));
        assert_ne!(ContentHash::of(b"a"), ContentHash::of(b"b"));
        assert_eq!(size_of::<Stored>(), 20);
    }
}
