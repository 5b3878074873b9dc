//! Blocks of like statistics share prefix codes (RFC 9649, 3.7.2.2).

use super::cost::{self, BIT};
use super::refs::{
    CACHED, COPY, KIND, LITERAL, SLOTS, copy_parts, green_symbol, is_literal, pixels_of, prefix, slot_symbol,
};

/// The largest side of a block, as a power of two.
const MAX_BLOCK_BITS: u32 = 9;

/// The most groups; the costs of a symbol in all of them are added up at once.
const MOST: usize = 8;

const RED: usize = 0;
const BLUE: usize = 256;
const DISTANCE: usize = 512;
/// Greens, lengths, cache slots.
const GREEN: usize = 552;
const CACHE: usize = GREEN + SLOTS as usize;

/// One number for each symbol of a group's codes. That of alpha has one symbol only.
#[derive(Default, Clone)]
pub(super) struct Table<T>(Vec<T>);

impl<T: Copy + Default> Table<T> {
    pub(super) fn reset(&mut self, cache_bits: u32) {
        self.0.clear();
        self.0.resize(CACHE + if cache_bits > 0 { 1 << cache_bits } else { 0 }, T::default());
    }

    /// Green, red, blue, distance.
    pub(super) fn parts(&self) -> [&[T]; 4] {
        [&self.0[GREEN..], &self.0[RED..RED + 256], &self.0[BLUE..BLUE + 256], &self.0[DISTANCE..DISTANCE + 40]]
    }
}

impl Table<u32> {
    /// Counts tokens, which may be known to be slots. `literals` is scratch, no shorter than the tokens.
    #[inline]
    fn count(&mut self, tokens: &[u32], slots: bool, literals: &mut [u32]) {
        if slots {
            tokens.iter().for_each(|&token| self.0[GREEN + slot_symbol(token)] += 1);
            return;
        }
        let mut number = 0;
        for &token in tokens {
            if token >> KIND == COPY {
                let (length, code) = copy_parts(token);
                self.0[GREEN + 256 + prefix(length).0] += 1;
                self.0[DISTANCE + prefix(code).0] += 1;
            } else {
                // Without a branch on which it is, because it can't be predicted.
                self.0[GREEN + green_symbol(token)] += 1;
                literals[number] = token;
                number += usize::from(is_literal(token));
            }
        }
        for &token in &literals[..number] {
            self.0[RED + (token >> 16 & 255) as usize] += 1;
            self.0[BLUE + (token & 255) as usize] += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a += b);
    }

    fn bits(&self) -> u64 {
        self.parts().into_iter().map(cost::entropy).sum()
    }

    /// The extra bits of copies.
    fn extra(&self) -> u64 {
        let bits = |counts: &[u32]| -> u64 {
            counts.iter().enumerate().skip(4).map(|(symbol, &n)| (symbol as u64 / 2 - 1) * u64::from(n)).sum()
        };
        (bits(&self.0[GREEN + 256..CACHE]) + bits(&self.0[DISTANCE..DISTANCE + 40])) * u64::from(BIT)
    }

    /// What the group would take together with another one, apart from the description of its codes.
    fn bits_with(&self, other: &Self) -> u64 {
        self.parts().into_iter().zip(other.parts()).map(|(a, b)| cost::entropy_of_sum(a, b)).sum()
    }

    /// About what the description of the codes takes.
    fn head(&self) -> u64 {
        self.0.iter().filter(|&&n| n > 0).count() as u64 * 6 * u64::from(BIT) + 60 * u64::from(BIT)
    }
}

impl Table<u16> {
    fn set(&mut self, counts: &Table<u32>) {
        self.0.clear();
        self.0.resize(counts.0.len(), 0);
        for range in [RED..RED + 256, BLUE..BLUE + 256, DISTANCE..DISTANCE + 40, GREEN..counts.0.len()] {
            cost::costs(&counts.0[range.clone()], &mut self.0[range]);
        }
    }

    /// Without the extra bits of copies.
    #[inline]
    pub(super) fn token(&self, token: u32) -> u32 {
        match token >> KIND {
            CACHED => u32::from(self.0[CACHE + (token & 0xfff) as usize]),
            LITERAL => {
                u32::from(self.0[GREEN + (token >> 8 & 255) as usize])
                    + u32::from(self.0[RED + (token >> 16 & 255) as usize])
                    + u32::from(self.0[BLUE + (token & 255) as usize])
            }
            _ => {
                let (length, code) = copy_parts(token);
                u32::from(self.0[GREEN + 256 + prefix(length).0]) + u32::from(self.0[DISTANCE + prefix(code).0])
            }
        }
    }

    pub(super) fn length(&self, symbol: usize) -> u32 {
        u32::from(self.0[GREEN + 256 + symbol])
    }

    pub(super) fn distance(&self, symbol: usize) -> u32 {
        u32::from(self.0[DISTANCE + symbol])
    }
}

/// Calls `f(block, row, tokens, slots)` for the tokens that start in a block's part of a row, in the order of the tokens; `slots` where
/// all of them are known to be slots.
#[inline]
pub(super) fn walk(tokens: &[u32], width: usize, bits: u32, mut f: impl FnMut(usize, usize, &[u32], bool)) {
    let across = width.div_ceil(1 << bits);
    let (mut x, mut y) = (0usize, 0usize);
    let mut at = 0;
    while at < tokens.len() {
        let block = (y >> bits) * across + (x >> bits);
        let end = (((x >> bits) + 1) << bits).min(width);
        let start = at;
        let single = tokens[at..].iter().take(end - x);
        let mut slots = false;
        if single.len() == end - x {
            let (any, all) = single.fold((0, u32::MAX), |(any, all), token| (any | token, all & token));
            if any >> KIND < COPY {
                (x, at) = (end, at + end - x);
                slots = all >> KIND == CACHED;
            }
        }
        while at < tokens.len() && x < end {
            x += pixels_of(tokens[at]);
            at += 1;
        }
        f(block, y, &tokens[start..at], slots);
        if x >= width {
            y += x / width;
            x %= width;
        }
    }
}

/// The groups of an image's blocks.
#[derive(Default)]
pub(super) struct Groups {
    /// The side of blocks, as a power of two.
    pub(super) block_bits: u32,
    /// The group of each block.
    pub(super) of: Vec<u8>,
    /// How many there are.
    pub(super) number: usize,
    pub(super) counts: Vec<Table<u32>>,
    pub(super) costs: Vec<Table<u16>>,
    cache_bits: u32,
    /// For each block and group; of each block after `measure`.
    pub(super) sums: Vec<u32>,
    sorted: Vec<u32>,
    together: Vec<[u16; MOST]>,
}

impl Groups {
    /// How many tokens each block has: about what it costs, where most of them are copies.
    pub(super) fn measure(&mut self, tokens: &[u32], (width, height): (usize, usize), bits: u32) {
        let blocks = width.div_ceil(1 << bits) * height.div_ceil(1 << bits);
        self.sums.clear();
        self.sums.resize(blocks, 0);
        let sums = &mut self.sums;
        walk(tokens, width, bits, |block, _, tokens, _| sums[block] += tokens.len() as u32);
    }

    /// First groups: equally large, by the measure given of each block.
    pub(super) fn start(&mut self, measure: &[u32], bits: u32, number: usize, cache_bits: u32) {
        // Blocks of nothing but runs have little to count. Of others, none would be equal parts of an image that is half empty.
        let cheapest = measure.iter().copied().min().unwrap_or(0);
        self.sorted.clear();
        self.sorted.extend(measure.iter().copied().filter(|&m| m > cheapest));
        self.sorted.sort_unstable();
        let n = self.sorted.len();
        let mut limits: Vec<u32> =
            (1..number.min(MOST)).filter_map(|g| self.sorted.get(n * g / number).copied()).collect();
        limits.dedup();
        self.start_with(bits, limits.len() + 1, cache_bits);
        self.of.clear();
        self.of.extend(measure.iter().map(|m| limits.iter().filter(|&l| m >= l).count() as u8));
    }

    /// Groups that are known.
    pub(super) fn set(&mut self, of: &[u8], bits: u32, number: usize, cache_bits: u32) {
        self.start_with(bits, number, cache_bits);
        self.of.clear();
        self.of.extend_from_slice(of);
    }

    fn start_with(&mut self, bits: u32, number: usize, cache_bits: u32) {
        (self.block_bits, self.number, self.cache_bits) = (bits, number, cache_bits);
        self.counts.resize_with(number.max(self.counts.len()), Table::default);
        self.costs.resize_with(number.max(self.costs.len()), Table::default);
    }

    /// Counts the tokens of each group.
    pub(super) fn count(&mut self, tokens: &[u32], width: usize) {
        self.count_some(tokens, width, 1);
    }

    /// Counts the tokens of every `step`th row.
    fn count_some(&mut self, tokens: &[u32], width: usize, step: usize) {
        for counts in &mut self.counts[..self.number] {
            counts.reset(self.cache_bits);
        }
        let (counts, of) = (&mut self.counts, &self.of);
        let mut literals = [0; 1 << MAX_BLOCK_BITS];
        walk(tokens, width, self.block_bits, |block, y, tokens, slots| {
            if y % step == 0 {
                counts[usize::from(of[block])].count(tokens, slots, &mut literals);
            }
        });
    }

    /// The costs of symbols, from the counts.
    pub(super) fn price(&mut self) {
        for (costs, counts) in self.costs.iter_mut().zip(&self.counts[..self.number]) {
            costs.set(counts);
        }
    }

    /// About how many bits the tokens take, in the units of costs; from the counts.
    pub(super) fn bits(&self) -> u64 {
        self.counts[..self.number].iter().map(|counts| counts.bits() + counts.extra() + counts.head()).sum()
    }

    /// Puts blocks into the best groups, several times, judged by every `step`th row; and counts the tokens.
    pub(super) fn improve(&mut self, tokens: &[u32], width: usize, step: usize, times: usize) {
        for _ in 0..times {
            self.count_some(tokens, width, step);
            self.price();
            self.regroup(tokens, width, step);
        }
        self.count(tokens, width);
    }

    /// Puts each block into the group in which it is cheapest by the costs.
    fn regroup(&mut self, tokens: &[u32], width: usize, step: usize) {
        self.sum(tokens, width, step);
        for (group, sums) in self.of.iter_mut().zip(self.sums.chunks_exact(self.number)) {
            let best = sums.iter().enumerate().min_by_key(|&(g, &sum)| (sum, g != usize::from(*group)));
            *group = best.map_or(0, |(g, _)| g as u8);
        }
    }

    /// What each block would cost in each group, judged by every `step`th row.
    fn sum(&mut self, tokens: &[u32], width: usize, step: usize) {
        let n = self.number;
        self.sums.clear();
        self.sums.resize(self.of.len() * n, 0);
        let (sums, costs) = (&mut self.sums, &self.costs[..n]);
        // Of a symbol the costs in all groups lie together.
        let symbols = costs.first().map_or(0, |costs| costs.0.len());
        self.together.clear();
        // The last one is of nothing.
        self.together.resize(symbols + 1, [0; MOST]);
        for (g, costs) in costs.iter().enumerate() {
            self.together.iter_mut().zip(&costs.0).for_each(|(together, &cost)| together[g] = cost);
        }
        let together = &self.together[..];
        walk(tokens, width, self.block_bits, |block, y, tokens, slots| {
            if y % step == 0 {
                let mut all = [0; MOST];
                let mut add = |symbol: usize| {
                    all.iter_mut().zip(together[symbol]).for_each(|(all, cost)| *all += u32::from(cost));
                };
                for &token in tokens {
                    if slots {
                        add(GREEN + slot_symbol(token));
                    } else if token >> KIND == COPY {
                        let (length, code) = copy_parts(token);
                        add(GREEN + 256 + prefix(length).0);
                        add(DISTANCE + prefix(code).0);
                    } else {
                        add(GREEN + green_symbol(token));
                        // No branch, because it can't be predicted.
                        let color = |symbol: usize| if is_literal(token) { symbol } else { symbols };
                        add(color(RED + (token >> 16 & 255) as usize));
                        add(color(BLUE + (token & 255) as usize));
                    }
                }
                sums[block * n..][..n].iter_mut().zip(all).for_each(|(sum, all)| *sum += all);
            }
        });
    }

    /// Joins groups as long as a description of codes costs more than it saves.
    pub(super) fn join(&mut self) {
        while self.number > 1 {
            let mut best: Option<(i64, usize, usize)> = None;
            let own: [u64; 256] =
                std::array::from_fn(|g| self.counts.get(g).filter(|_| g < self.number).map_or(0, Table::bits));
            // And the bits of the choices of groups.
            let mut blocks = [0u32; 256];
            self.of.iter().for_each(|&g| blocks[usize::from(g)] += 1);
            let choices = |n: u32| u64::from(n) * u64::from(cost::log2(self.of.len() as u32) - cost::log2(n));
            for a in 0..self.number {
                for b in a + 1..self.number {
                    let (x, y) = (&self.counts[a], &self.counts[b]);
                    let more = x.bits_with(y) - (own[a] + own[b]).min(x.bits_with(y));
                    let less = x.head().min(y.head()) + choices(blocks[a]) + choices(blocks[b])
                        - choices(blocks[a] + blocks[b]);
                    let gain = less as i64 - more as i64;
                    if gain > 0 && best.is_none_or(|(g, ..)| gain > g) {
                        best = Some((gain, a, b));
                    }
                }
            }
            let Some((_, a, b)) = best else { break };
            let gone = std::mem::take(&mut self.counts[b]);
            self.counts[a].add(&gone);
            self.counts[b] = gone;
            // The last one takes the place of the one that is gone.
            self.number -= 1;
            self.counts.swap(b, self.number);
            for group in &mut self.of {
                if usize::from(*group) == b {
                    *group = a as u8;
                } else if usize::from(*group) == self.number {
                    *group = b as u8;
                }
            }
        }
    }
}
