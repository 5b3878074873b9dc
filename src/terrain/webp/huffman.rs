//! Prefix codes: lengths from counts, canonical codes from lengths, and their description in the stream (RFC 9649, 3.7.2).

use super::bits::BitWriter;

/// The longest code of a symbol.
const MAX_LENGTH: u8 = 15;
/// The longest code of a code length.
const MAX_META_LENGTH: u8 = 7;
/// In which order the lengths of the code length code are written.
const META_ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// A prefix code: for each symbol its bits, as they are written, and their number.
#[derive(Default, Clone)]
pub(super) struct Code {
    /// `bits << 4 | length`.
    pub(super) words: Vec<u32>,
    lengths: Vec<u8>,
}

impl Code {
    #[inline]
    pub(super) fn put(&self, writer: &mut BitWriter, symbol: usize) {
        let word = self.words[symbol];
        writer.put(word >> 4, word & 15);
    }

    /// A symbol's bits and their number.
    #[inline]
    pub(super) fn word(&self, symbol: usize) -> (u64, u32) {
        let word = self.words[symbol];
        (u64::from(word >> 4), word & 15)
    }

    /// The same, or none; without a branch, because it can't be predicted.
    #[inline]
    pub(super) fn word_if(&self, wanted: bool, symbol: usize) -> (u64, u32) {
        let word = self.words[symbol] & u32::from(wanted).wrapping_neg();
        (u64::from(word >> 4), word & 15)
    }
}

/// Builds codes; keeps its scratch.
#[derive(Default)]
pub(super) struct Builder {
    leaves: Vec<u64>,
    weights: Vec<u64>,
    parents: Vec<u32>,
    runs: Vec<(u8, u8)>,
    meta: Code,
}

impl Builder {
    /// Makes the code of the counts, and writes its description.
    pub(super) fn code(&mut self, counts: &[u32], code: &mut Code, writer: &mut BitWriter) {
        code.words.clear();
        code.words.resize(counts.len(), 0);
        let mut used = [0usize; 2];
        let mut number = 0;
        for (symbol, &count) in counts.iter().enumerate() {
            if count > 0 {
                if number < 2 {
                    used[number] = symbol;
                }
                number += 1;
            }
        }
        if number <= 2 && used[..number].iter().all(|&s| s < 256) {
            // A simple code: one symbol takes no bits at all.
            writer.put(1, 1);
            writer.put(number.saturating_sub(1) as u32, 1);
            if used[0] < 2 {
                writer.put(0, 1);
                writer.put(used[0] as u32, 1);
            } else {
                writer.put(1, 1);
                writer.put(used[0] as u32, 8);
            }
            if number == 2 {
                writer.put(used[1] as u32, 8);
                code.words[used[0]] = 1;
                code.words[used[1]] = 1 << 4 | 1;
            }
            return;
        }
        self.lengths(counts, MAX_LENGTH, &mut code.lengths);
        writer.put(0, 1);
        self.describe(&code.lengths, writer);
        if number == 1 {
            // Its length was described as 1; a code of one symbol is read without bits.
            return;
        }
        canonical(&code.lengths, &mut code.words);
    }

    /// The lengths of an optimal prefix code no longer than `limit`.
    fn lengths(&mut self, counts: &[u32], limit: u8, lengths: &mut Vec<u8>) {
        lengths.clear();
        lengths.resize(counts.len(), 0);
        self.leaves.clear();
        for (symbol, &count) in counts.iter().enumerate() {
            if count > 0 {
                self.leaves.push(u64::from(count) << 16 | symbol as u64);
            }
        }
        let n = self.leaves.len();
        if n < 2 {
            if let Some(&leaf) = self.leaves.first() {
                lengths[(leaf & 0xffff) as usize] = 1;
            }
            return;
        }
        self.leaves.sort_unstable();
        // Two queues: the sorted leaves, and the inner nodes in the order of their making, which is sorted as well.
        self.weights.clear();
        self.parents.clear();
        self.parents.resize(2 * n - 1, 0);
        let (mut leaf, mut inner) = (0, 0);
        for node in 0..n - 1 {
            let mut weight = 0;
            for _ in 0..2 {
                let take_leaf =
                    leaf < n && self.weights.get(inner).is_none_or(|&weight| self.leaves[leaf] >> 16 <= weight);
                if take_leaf {
                    weight += self.leaves[leaf] >> 16;
                    self.parents[leaf] = (n + node) as u32;
                    leaf += 1;
                } else {
                    weight += self.weights[inner];
                    self.parents[n + inner] = (n + node) as u32;
                    inner += 1;
                }
            }
            self.weights.push(weight);
        }
        // Depths, from the root down; then how many leaves lie at each depth.
        let mut numbers = [0u32; 64];
        self.parents[2 * n - 2] = 0;
        for node in (0..2 * n - 2).rev() {
            let depth = self.parents[self.parents[node] as usize] + 1;
            self.parents[node] = depth;
            if node < n {
                numbers[(depth as usize).min(63)] += 1;
            }
        }
        shorten(&mut numbers, limit);
        // The rarest symbols get the longest codes.
        let mut length = limit;
        for &leaf in &self.leaves {
            while numbers[length as usize] == 0 {
                length -= 1;
            }
            numbers[length as usize] -= 1;
            lengths[(leaf & 0xffff) as usize] = length;
        }
    }

    /// Packs lengths into runs: a length, or 16 to 18 for one that is repeated, and by how many more than the shortest run.
    fn pack(&mut self, lengths: &[u8]) {
        self.runs.clear();
        let end = lengths.len();
        let mut at = 0;
        let mut previous = 8;
        while at < end {
            let length = lengths[at];
            let run = lengths[at..end].iter().take_while(|&&l| l == length).count();
            at += run;
            let mut left = run;
            if length == 0 {
                while left > 0 {
                    match left {
                        0..3 => {
                            self.runs.push((0, 0));
                            left -= 1;
                        }
                        3..11 => {
                            self.runs.push((17, (left - 3) as u8));
                            left = 0;
                        }
                        _ => {
                            let step = left.min(138);
                            self.runs.push((18, (step - 11) as u8));
                            left -= step;
                        }
                    }
                }
            } else {
                if length != previous {
                    self.runs.push((length, 0));
                    left -= 1;
                    previous = length;
                }
                while left > 0 {
                    if left < 3 {
                        self.runs.push((length, 0));
                        left -= 1;
                    } else {
                        let step = left.min(6);
                        self.runs.push((16, (step - 3) as u8));
                        left -= step;
                    }
                }
            }
        }
    }

    /// Writes the lengths, packed by runs.
    fn describe(&mut self, lengths: &[u8], writer: &mut BitWriter) {
        let end = lengths.iter().rposition(|&l| l > 0).map_or(0, |at| at + 1);
        self.pack(&lengths[..end]);
        let mut counts = [0u32; 19];
        for &(symbol, _) in &self.runs {
            counts[usize::from(symbol)] += 1;
        }
        let mut meta = std::mem::take(&mut self.meta);
        self.lengths(&counts, MAX_META_LENGTH, &mut meta.lengths);
        let written = META_ORDER.iter().rposition(|&s| meta.lengths[s] > 0).map_or(4, |at| (at + 1).max(4));
        writer.put(written as u32 - 4, 4);
        for &symbol in &META_ORDER[..written] {
            writer.put(u32::from(meta.lengths[symbol]), 3);
        }
        // How many runs follow; at least two, because what takes fewer is a simple code.
        let many = self.runs.len() as u32;
        if end < lengths.len() {
            writer.put(1, 1);
            let value = many - 2;
            let pairs = (32 - value.leading_zeros()).max(2).div_ceil(2);
            writer.put(pairs - 1, 3);
            writer.put(value, pairs * 2);
        } else {
            writer.put(0, 1);
        }
        let single = counts.iter().filter(|&&c| c > 0).count() == 1;
        meta.words.clear();
        meta.words.resize(19, 0);
        if !single {
            canonical(&meta.lengths, &mut meta.words);
        }
        for &(symbol, extra) in &self.runs {
            meta.put(writer, usize::from(symbol));
            match symbol {
                16 => writer.put(u32::from(extra), 2),
                17 => writer.put(u32::from(extra), 3),
                18 => writer.put(u32::from(extra), 7),
                _ => {}
            }
        }
        self.meta = meta;
    }
}

/// Moves leaves up from below the limit, as cheaply as can be, such that the code stays complete.
fn shorten(numbers: &mut [u32; 64], limit: u8) {
    let limit = usize::from(limit);
    let too_deep: u32 = numbers[limit + 1..].iter().sum();
    if too_deep == 0 {
        return;
    }
    numbers[limit + 1..].fill(0);
    numbers[limit] += too_deep;
    // In units of the deepest leaf's share of the code space.
    let mut sum: u64 = (1..=limit).map(|l| u64::from(numbers[l]) << (limit - l)).sum();
    let space = 1u64 << limit;
    while sum > space {
        // A leaf above the deepest level becomes a node: of its two children, one is itself, the other one of the deepest.
        let from = (1..limit).rev().find(|&l| numbers[l] > 0).unwrap_or(1);
        numbers[from] -= 1;
        numbers[from + 1] += 2;
        numbers[limit] -= 1;
        sum -= 1;
    }
}

/// The canonical code of the lengths: shorter codes first, then by symbol; written from the most significant bit.
fn canonical(lengths: &[u8], words: &mut [u32]) {
    let mut numbers = [0u32; 16];
    for &length in lengths {
        numbers[usize::from(length)] += 1;
    }
    numbers[0] = 0;
    let mut next = [0u32; 16];
    for length in 2..16 {
        next[length] = (next[length - 1] + numbers[length - 1]) << 1;
    }
    for (word, &length) in words.iter_mut().zip(lengths) {
        if length > 0 {
            let code = next[usize::from(length)];
            next[usize::from(length)] += 1;
            *word = (code.reverse_bits() >> (32 - u32::from(length))) << 4 | u32::from(length);
        } else {
            *word = 0;
        }
    }
}
