//! A directory over ascending keys: finds a key in a few cache lines where a binary search touches a line for each
//! halving.
//!
//! It is a B-tree without pointers. The lowest level holds every 16th key, each further one every 16th of the level
//! below it, up to a level of at most 16. Levels lie one after another from the top down, and their sizes follow from the
//! number of keys alone.

use crate::error::{Error, Result};

/// Keys of a node.
const FAN_OUT: usize = 16;
/// Levels that 2^32 keys need.
const MAX_DEPTH: usize = 8;

/// Where each level starts in the directory and how many keys it has, the top first.
#[derive(Debug, Clone, Copy)]
pub struct Levels {
    depth: usize,
    sizes: [usize; MAX_DEPTH],
}

impl Levels {
    /// The levels over this many keys.
    #[must_use]
    pub fn of(keys: usize) -> Self {
        let (mut depth, mut sizes, mut keys) = (0, [0; MAX_DEPTH], keys);
        while keys > FAN_OUT && depth < MAX_DEPTH {
            keys = keys.div_ceil(FAN_OUT);
            sizes[depth] = keys;
            depth += 1;
        }
        sizes[..depth].reverse();
        Self { depth, sizes }
    }
}

/// How many values the directory over this many keys has.
#[must_use]
pub fn length(keys: usize) -> usize {
    Levels::of(keys).sizes.iter().sum()
}

/// The directory over keys in their order.
#[must_use]
pub fn build(keys: impl ExactSizeIterator<Item = u64>) -> Vec<u64> {
    if keys.len() <= FAN_OUT {
        return Vec::new();
    }
    let mut levels = vec![keys.step_by(FAN_OUT).collect::<Vec<_>>()];
    while let Some(lowest) = levels.last().filter(|level| level.len() > FAN_OUT) {
        levels.push(lowest.iter().copied().step_by(FAN_OUT).collect());
    }
    levels.into_iter().rev().flatten().collect()
}

/// Ascending keys with their directory, or without one.
#[derive(Debug, Clone, Copy)]
pub struct Sorted<'a> {
    keys: &'a [u64],
    directory: &'a [u64],
    levels: Levels,
}

impl<'a> Sorted<'a> {
    /// Keys without a directory: they are searched by halving.
    #[must_use]
    pub fn plain(keys: &'a [u64]) -> Self {
        Self { keys, directory: &[], levels: Levels { depth: 0, sizes: [0; MAX_DEPTH] } }
    }

    /// Keys and their directory.
    ///
    /// # Errors
    /// Where the directory has not the length that belongs to the keys.
    pub fn new(keys: &'a [u64], directory: &'a [u64]) -> Result<Self> {
        Self::shaped(keys, directory, &Levels::of(keys.len()))
    }

    /// Keys and their directory, whose levels were computed before.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn shaped(keys: &'a [u64], directory: &'a [u64], levels: &Levels) -> Result<Self> {
        let levels = *levels;
        let expected = levels.sizes.iter().sum::<usize>();
        if directory.len() == expected {
            return Ok(Self { keys, directory, levels });
        }
        let problem = format!("has {} values, {expected} expected for {} keys", directory.len(), keys.len());
        Err(Error::invalid("directory of keys", problem, "build the file again from its sources"))
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &'a [u64] {
        self.keys
    }

    /// The position of the last key that is not above `key`; `None` where all are. Reads one or two cache lines a level,
    /// most of them of levels so small that they stay in the cache.
    #[must_use]
    pub fn last_not_above(&self, key: u64) -> Option<usize> {
        if self.levels.depth == 0 && self.keys.len() > FAN_OUT {
            return self.keys.partition_point(|&k| k <= key).checked_sub(1);
        }
        let (mut node, mut rest) = (0, self.directory);
        for &size in &self.levels.sizes[..self.levels.depth] {
            let (level, below) = rest.split_at_checked(size)?;
            node = in_node(level, node, key)?;
            rest = below;
        }
        in_node(self.keys, node, key)
    }
}

/// The last key of a node that is not above `key`, as a position in the level.
#[inline]
fn in_node(level: &[u64], node: usize, key: u64) -> Option<usize> {
    let start = node * FAN_OUT;
    let rest = level.get(start..)?;
    let not_above = match rest.first_chunk::<FAN_OUT>() {
        // Halving a node of a known size takes no branches.
        Some(keys) => keys.partition_point(|&k| k <= key),
        None => rest.partition_point(|&k| k <= key),
    };
    Some(start + not_above.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_halving_finds() {
        for n in [0usize, 1, 15, 16, 17, 256, 257, 4096, 4097, 70_000] {
            let keys: Vec<u64> = (0..n as u64).map(|i| i * 7 + i % 3 + 5).collect();
            let directory = build(keys.iter().copied());
            assert_eq!(directory.len(), length(n));
            let sorted = Sorted::new(&keys, &directory).unwrap();
            let last = keys.last().copied().unwrap_or(0);
            for key in (0..=last + 9).step_by(1 + n / 900).chain([u64::MAX]) {
                let expected = keys.partition_point(|&k| k <= key).checked_sub(1);
                assert_eq!(sorted.last_not_above(key), expected, "{n} keys, key {key}");
                assert_eq!(Sorted::plain(&keys).last_not_above(key), expected);
            }
            assert!(Sorted::new(&keys, &vec![0; length(n) + 1]).is_err());
        }
    }

    #[test]
    fn noise_is_harmless() {
        let keys: Vec<u64> = (0..5000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let directory: Vec<u64> = (0..length(5000) as u64).map(|i| !i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let sorted = Sorted::new(&keys, &directory).unwrap();
        for key in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(sorted.last_not_above(key).is_none_or(|at| at < keys.len()));
        }
    }
}
