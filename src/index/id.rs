//! Hashed 64-bit ids -> rows: sorted keys, their rows, and a radix directory on the highest bits.

use std::ops::Range;

use crate::error::{Error, Result};

/// The arrays of an id table.
#[derive(Debug, Clone, Default)]
pub struct IdTable {
    /// Ids, ascending, without duplicates.
    pub keys: Vec<u64>,
    /// The row of each key.
    pub rows: Vec<u32>,
    /// Where the keys with each value of the highest bits start; `2^bits + 1` numbers.
    pub directory: Vec<u32>,
}

/// Builds the table. O(n log n).
///
/// # Errors
/// Where two rows have the same id; gives both.
pub fn build(ids: &[u64]) -> Result<IdTable, (u32, u32)> {
    let mut pairs: Vec<(u64, u32)> = ids.iter().copied().zip(0u32..).collect();
    pairs.sort_unstable();
    if let Some(pair) = pairs.windows(2).find(|p| p[0].0 == p[1].0) {
        return Err((pair[0].1, pair[1].1));
    }
    // About eight keys in each bucket: one cache line.
    let bits = (pairs.len() / 8).checked_ilog2().unwrap_or(0).min(26);
    let mut directory = Vec::with_capacity((1 << bits) + 1);
    let mut at = 0;
    for bucket in 0..1u64 << bits {
        directory.push(at as u32);
        while at < pairs.len() && bucket_of(pairs[at].0, bits) == bucket {
            at += 1;
        }
    }
    directory.push(pairs.len() as u32);
    Ok(IdTable { keys: pairs.iter().map(|p| p.0).collect(), rows: pairs.iter().map(|p| p.1).collect(), directory })
}

fn bucket_of(key: u64, bits: u32) -> u64 {
    if bits == 0 { 0 } else { key >> (64 - bits) }
}

/// A view of an id table.
#[derive(Debug, Clone, Copy)]
pub struct Ids<'a> {
    keys: &'a [u64],
    rows: &'a [u32],
    directory: &'a [u32],
}

impl<'a> Ids<'a> {
    /// A view over the three sections.
    ///
    /// # Errors
    /// Where their lengths do not fit one another.
    pub fn new(keys: &'a [u64], rows: &'a [u32], directory: &'a [u32]) -> Result<Self> {
        let buckets = directory.len().wrapping_sub(1);
        if keys.len() == rows.len() && buckets.is_power_of_two() && buckets as u64 <= 1 << 32 {
            return Ok(Self { keys, rows, directory });
        }
        Err(Error::invalid("id table", "its sections do not fit one another", "build the store again"))
    }

    /// The row of an id; `None` where the id is absent. Touches one line of the directory and one or two of the keys.
    #[must_use]
    pub fn row(&self, id: u64) -> Option<u32> {
        self.in_bucket(id, self.bucket(id)?)
    }

    /// Calls `each` with the row of every id, in order. Looks the next ids up in the directory and asks for their keys
    /// before it needs them.
    pub fn rows(&self, ids: &[u64], mut each: impl FnMut(Option<u32>)) {
        // As many misses as a core keeps in flight.
        const AHEAD: usize = 16;
        let mut buckets = [const { None }; AHEAD];
        for chunk in ids.chunks(AHEAD) {
            for (bucket, &id) in buckets.iter_mut().zip(chunk) {
                *bucket = self.bucket(id);
            }
            // A first touch of every bucket: none waits for another.
            let mut touched = 0;
            for bucket in buckets[..chunk.len()].iter().flatten() {
                touched ^= self.keys.get(bucket.start).copied().unwrap_or(0);
                touched ^= u64::from(self.rows.get(bucket.start).copied().unwrap_or(0));
            }
            std::hint::black_box(touched);
            for (bucket, &id) in buckets.iter().zip(chunk) {
                each(bucket.clone().and_then(|b| self.in_bucket(id, b)));
            }
        }
    }

    fn bucket(&self, id: u64) -> Option<Range<usize>> {
        let bits = (self.directory.len() - 1).trailing_zeros();
        let bucket = bucket_of(id, bits) as usize;
        Some(*self.directory.get(bucket)? as usize..*self.directory.get(bucket + 1)? as usize)
    }

    fn in_bucket(&self, id: u64, bucket: Range<usize>) -> Option<u32> {
        let keys = self.keys.get(bucket.clone())?;
        let at = if keys.len() <= 16 { keys.iter().position(|&k| k == id)? } else { keys.binary_search(&id).ok()? };
        self.rows.get(bucket.start + at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_found_and_no_other() {
        for n in [0usize, 1, 7, 100, 10_000] {
            let ids: Vec<u64> = (0..n as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
            let table = build(&ids).unwrap();
            let view = Ids::new(&table.keys, &table.rows, &table.directory).unwrap();
            for (row, &id) in ids.iter().enumerate() {
                assert_eq!(view.row(id), Some(row as u32));
                assert!(ids.contains(&(id ^ 1)) || view.row(id ^ 1).is_none());
            }
            assert_eq!(view.row(u64::MAX - 3), None);
            let mut rows = Vec::new();
            view.rows(&ids, |row| rows.push(row));
            assert_eq!(rows, (0..n as u32).map(Some).collect::<Vec<_>>());
        }
        assert_eq!(build(&[5, 6, 5]).unwrap_err(), (0, 2));
    }

    #[test]
    fn noise_in_the_directory_is_harmless() {
        let keys = [1u64, 2, 3];
        let rows = [0u32, 1, 2];
        let view = Ids::new(&keys, &rows, &[u32::MAX, 0, 7]).unwrap();
        for id in [0, 1, u64::MAX] {
            assert_eq!(view.row(id), None);
        }
        assert!(Ids::new(&keys, &rows, &[0, 1, 2]).is_ok());
        assert!(Ids::new(&keys, &rows, &[0, 1, 2, 3]).is_err());
        assert!(Ids::new(&keys, &rows, &[]).is_err());
    }
}
