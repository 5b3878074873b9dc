//! Rows by their rank, the smaller first, where each row has a rank of its own.

use std::collections::BinaryHeap;

use super::RowId;
use super::rtree::{FAN_OUT, Found};

/// Answers up to this long are sorted where they lie; up to [`MEDIUM`], by keys in a buffer.
const SHORT: usize = 32;
const MEDIUM: usize = 384;
/// Ranks that share a page of places.
const PAGE: usize = 512;
/// A place without a row; no file has a row of this number.
const FREE: RowId = RowId::MAX;

fn key(ranks: &[u32], row: RowId) -> u64 {
    u64::from(ranks.get(row as usize).copied().unwrap_or(u32::MAX)) << 32 | u64::from(row)
}

/// Sorts rows by their ranks.
///
/// Long answers take O(n) where their ranks lie together, as those of neighbours in one source do: each row is put where its rank says, and
/// the places between them are left out. Others take O(n log n).
pub fn sort(ranks: &[u32], rows: &mut [RowId]) {
    if rows.len() <= SHORT {
        let mut keys = [0; SHORT];
        let keys = &mut keys[..rows.len()];
        keys.iter_mut().zip(&*rows).for_each(|(to, &row)| *to = key(ranks, row));
        keys.sort_unstable();
        rows.iter_mut().zip(keys).for_each(|(row, key)| *row = *key as RowId);
    } else if rows.len() <= MEDIUM || place(ranks, rows).is_none() {
        let mut keys: Vec<u64> = rows.iter().map(|&row| key(ranks, row)).collect();
        keys.sort_unstable();
        rows.iter_mut().zip(keys).for_each(|(row, key)| *row = key as RowId);
    }
}

/// Sorts by places; `None`, and nothing done, where these would take much more room than the rows, or two rows have one rank.
fn place(ranks: &[u32], rows: &mut [RowId]) -> Option<()> {
    // The number of each page among those that are in use, plus one, and which these are.
    let (mut pages, mut used) = (vec![0u32; ranks.len() / PAGE + 1], Vec::new());
    let most = rows.len() / (PAGE / 16) + 1;
    let mut places: Vec<RowId> = Vec::with_capacity(rows.len() * 4);
    for &row in &*rows {
        let rank = *ranks.get(row as usize)? as usize;
        let page = pages.get_mut(rank / PAGE)?;
        if *page == 0 {
            if used.len() > most {
                return None;
            }
            used.push((rank / PAGE) as u32);
            *page = used.len() as u32;
            places.resize(places.len() + PAGE, FREE);
        }
        let to = places.get_mut((*page as usize - 1) * PAGE + rank % PAGE)?;
        if *to != FREE || row == FREE {
            return None;
        }
        *to = row;
    }
    used.sort_unstable();
    let mut next = 0;
    for page in used {
        let start = (pages[page as usize] as usize - 1) * PAGE;
        for places in places[start..start + PAGE].as_chunks::<8>().0 {
            // Many are free, and a loop without branches tells.
            if places.iter().fold(true, |free, &row| free & (row == FREE)) {
                continue;
            }
            let last = rows.len() - 1;
            if let Some(rows) = rows.get_mut(next..next + 8) {
                let mut at = 0;
                for &row in places {
                    rows[at] = row;
                    at += usize::from(row != FREE);
                }
                next += at;
            } else {
                for &row in places.iter().filter(|&&row| row != FREE) {
                    rows[next.min(last)] = row;
                    next += 1;
                }
            }
        }
    }
    Some(())
}

/// The rows of the least ranks among those that a search finds.
#[derive(Debug)]
pub struct Least<'a> {
    ranks: &'a [u32],
    count: usize,
    /// Ranks and rows, the greatest first.
    kept: BinaryHeap<u64>,
    /// No greater rank is among them.
    limit: u32,
}

impl<'a> Least<'a> {
    /// The `count` least. `ranks` has those of all rows.
    #[must_use]
    pub fn new(ranks: &'a [u32], count: usize) -> Self {
        Self { ranks, count, kept: BinaryHeap::with_capacity(count.min(64)), limit: u32::MAX }
    }

    /// Takes what a search found. `exact` decides about rows that may only touch the query, `fresh` about all: both are asked of few
    /// rows.
    #[inline(always)]
    pub fn add(&mut self, found: Found, exact: impl Fn(RowId) -> bool, fresh: impl Fn(RowId) -> bool) {
        match found {
            Found::Rows(range) => {
                let ranks = self.ranks.get(range.start as usize..range.end as usize).unwrap_or(&[]);
                for (chunk, first) in ranks.chunks(64).zip((range.start..).step_by(64)) {
                    // Most hold none, which a loop without branches tells.
                    if chunk.iter().copied().fold(u32::MAX, u32::min) <= self.limit {
                        for (&rank, row) in chunk.iter().zip(first..) {
                            if rank <= self.limit && fresh(row) {
                                self.keep(rank, row);
                            }
                        }
                    }
                }
            }
            Found::Node { first, sure, maybe } => {
                let ranks = self.ranks.get(first as usize..).unwrap_or(&[]);
                let ranks = &ranks[..ranks.len().min(FAN_OUT)];
                if ranks.iter().copied().fold(u32::MAX, u32::min) > self.limit {
                    return;
                }
                for (i, (&rank, row)) in ranks.iter().zip(first..).enumerate() {
                    let there = sure >> i & 1 == 1 || maybe >> i & 1 == 1 && rank <= self.limit && exact(row);
                    if there && rank <= self.limit && fresh(row) {
                        self.keep(rank, row);
                    }
                }
            }
        }
    }

    #[inline]
    fn keep(&mut self, rank: u32, row: RowId) {
        let key = u64::from(rank) << 32 | u64::from(row);
        if self.kept.len() < self.count {
            self.kept.push(key);
        } else if let Some(mut greatest) = self.kept.peek_mut()
            && key < *greatest
        {
            *greatest = key;
        }
        if self.kept.len() == self.count {
            self.limit = self.kept.peek().map_or(0, |&greatest| (greatest >> 32) as u32);
        }
    }

    /// The rows, that of the least rank first.
    #[must_use]
    pub fn into_rows(self) -> Vec<RowId> {
        self.kept.into_sorted_vec().into_iter().map(|key| key as RowId).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A permutation of the numbers below `n` that keeps neighbours together in runs of some length.
    fn permutation(n: usize, run: usize, seed: u64) -> Vec<u32> {
        let mut keys: Vec<(u64, u32)> = (0..n as u64)
            .map(|i| ((i / run as u64 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20, i as u32))
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, i)| i).collect()
    }

    proptest! {
        #[test]
        fn rows_come_in_the_order_of_their_ranks(
            n in 1usize..30_000, run in 1usize..2000, seed in any::<u64>(), from in 0.0f64..1.0, share in 0.0f64..1.0, step in 1usize..9,
            damaged in any::<bool>(),
        ) {
            let mut ranks = permutation(n, run, seed);
            if damaged {
                // Two rows of one rank, and a rank that there can't be.
                ranks[n / 2] = ranks[0];
                ranks[n - 1] = u32::MAX;
            }
            let from = (from * n as f64) as usize;
            let until = from + (share * (n - from) as f64) as usize;
            let rows: Vec<u32> = (from..until).step_by(step).map(|row| row as u32).collect();
            let mut expected = rows.clone();
            expected.sort_by_key(|&row| (ranks[row as usize], row));
            let mut sorted = rows;
            sort(&ranks, &mut sorted);
            prop_assert_eq!(sorted, expected);
        }

        #[test]
        fn the_least_are_the_first_of_all(
            n in 1usize..3000, run in 1usize..200, seed in any::<u64>(), count in 0usize..40, masks in prop::collection::vec(any::<u32>(), 8),
        ) {
            let ranks = permutation(n, run, seed);
            let mut least = Least::new(&ranks, count);
            let mut expected = Vec::new();
            let exact = |row: u32| !row.is_multiple_of(3);
            let fresh = |row: u32| !row.is_multiple_of(7);
            for (first, mask) in (0..n as u32).step_by(16).zip(masks.iter().cycle()) {
                let there = (1u32 << (n as u32 - first).min(16)) - 1;
                if mask & 0xf000_0000 == 0 {
                    let range = first..(first + 16).min(n as u32);
                    expected.extend(range.clone().filter(|&row| fresh(row)));
                    least.add(Found::Rows(range), exact, fresh);
                } else {
                    let (sure, maybe) = (mask & there, mask >> 12 & there & !mask);
                    let rows = (0..16).filter(|i| sure >> i & 1 == 1 || maybe >> i & 1 == 1 && exact(first + i));
                    expected.extend(rows.map(|i| first + i).filter(|&row| fresh(row)));
                    least.add(Found::Node { first, sure, maybe }, exact, fresh);
                }
            }
            expected.sort_by_key(|&row| ranks[row as usize]);
            expected.truncate(count);
            prop_assert_eq!(least.into_rows(), expected);
        }
    }

    #[test]
    fn noise_is_harmless() {
        let mut rows: Vec<u32> = (0..500).chain([u32::MAX; 3]).collect();
        sort(&[u32::MAX; 100], &mut rows);
        assert_eq!(rows.len(), 503);
        let mut least = Least::new(&[], 3);
        least.add(Found::Rows(0..100), |_| true, |_| true);
        least.add(Found::Node { first: u32::MAX - 16, sure: 0xffff, maybe: 0 }, |_| true, |_| true);
        assert!(least.into_rows().is_empty());
    }
}
