//! Which spans of an image are copies.

use super::copies::same;
use super::cost::BIT;
use super::groups::{Groups, Table};
use super::modes::Choice;
use super::refs::{AT_ONCE, FARTHEST, LONGEST, copy, distance_code, prefix};

/// How many pixels the hash of a place covers.
const SPAN: usize = 4;
const KEY: usize = 2 * SPAN;
const HASH_BITS: u32 = 16;
/// A run this long is taken without looking at the row above.
const LONG_RUN: usize = 32;
/// A match this long is good enough.
const ENOUGH: usize = 128;
/// Copies of fewer pixels don't pay.
const SHORTEST: usize = 3;

/// Copies of runs and of the row above, wherever they save bits. `symbols` are the pixels' own tokens. Returns about how many bits are
/// saved, in the units of costs.
pub(super) fn runs(pixels: &[u32], symbols: &[u32], width: usize, choice: &Choice, out: &mut Vec<u32>) -> u64 {
    out.clear();
    let mut gained = 0;
    let n = pixels.len();
    // Four pixels at once, so that what is the same by chance does not mislead the processor.
    let differ = |at: usize, distance: usize| {
        let (a, b) = (&pixels[at..at + SPAN], &pixels[at - distance..at - distance + SPAN]);
        (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) != 0
    };
    // Up to where nothing was found to be saved.
    let mut tried = 1;
    // From where on places were not looked at together.
    let mut next = 1;
    let mut at = 0;
    while at < n {
        // Most places of rough terrain are the beginning of nothing.
        while at >= next && at + AT_ONCE + SPAN <= n {
            next = at + AT_ONCE;
            if may_begin(pixels, at, width) {
                break;
            }
            out.extend_from_slice(&symbols[at..next]);
            at = next;
        }
        if at >= tried && at + SPAN <= n {
            let mut longest = (0, 0, 0);
            if !differ(at, 1) {
                let length = same(pixels, at - 1, at);
                longest = (length, 1, length as u64 * u64::from(choice.cost(pixels[at])));
            }
            if longest.0 < LONG_RUN && at >= width && !differ(at, width) {
                let length = same(pixels, at - width, at);
                if length > longest.0 {
                    let saved = pixels[at..at + length].iter().map(|&p| u64::from(choice.cost(p))).sum();
                    longest = (length, width, saved);
                }
            }
            let (length, distance, saved) = longest;
            let cost = u64::from(BIT * (10 + prefix(length.max(1)).2));
            if saved > cost {
                gained += saved - cost;
                out.push(copy(length, distance_code(distance, width)));
                at += length;
                continue;
            }
            tried = at + length;
        }
        out.push(symbols[at]);
        at += 1;
    }
    gained
}

/// Whether a copy from the left or from above can begin at one of [`AT_ONCE`] places.
#[inline]
fn may_begin(pixels: &[u32], at: usize, width: usize) -> bool {
    let equal = |distance: usize| {
        let (here, there) = (&pixels[at..at + AT_ONCE + SPAN - 1], &pixels[at - distance..][..AT_ONCE + SPAN - 1]);
        let mut differ = [0; AT_ONCE + SPAN - 1];
        for ((differ, here), there) in differ.iter_mut().zip(here).zip(there) {
            *differ = here ^ there;
        }
        let mut found = 0;
        for i in 0..AT_ONCE {
            found |= u32::from(differ[i] | differ[i + 1] | differ[i + 2] | differ[i + 3] == 0);
        }
        found != 0
    };
    equal(1) || at >= width && equal(width)
}

/// Finds the cheapest tokens; keeps its scratch.
#[derive(Default)]
pub(super) struct Parser {
    hashes: Vec<u32>,
    head: Vec<u32>,
    chain: Vec<u32>,
    /// The matches of each place begin there in `found`.
    starts: Vec<u32>,
    /// Length and distance code, ever longer.
    found: Vec<(u32, u32)>,
    /// What it costs to get to each place, and the length and distance code of the last step.
    price: Vec<u64>,
    step: Vec<(u32, u32)>,
    lengths: Vec<u16>,
}

/// Hashes of `SPAN` pixels from each place on, except for the last ones.
fn hashes(pixels: &[u32], out: &mut Vec<u32>) {
    out.clear();
    out.extend(pixels.windows(SPAN).map(|p| {
        let a = p[0].wrapping_mul(0x9e37_79b1) ^ p[1].wrapping_mul(0x85eb_ca77).rotate_left(11);
        let b = p[2].wrapping_mul(0xc2b2_ae3d) ^ p[3].wrapping_mul(0x27d4_eb2f).rotate_left(15);
        a.rotate_left(13) ^ b
    }));
}

impl Parser {
    /// Finds the matches of places, looking at `probes` earlier ones each.
    pub(super) fn find(&mut self, pixels: &[u32], width: usize, probes: usize) {
        let n = pixels.len();
        hashes(pixels, &mut self.hashes);
        self.head.clear();
        self.head.resize(1 << HASH_BITS, u32::MAX);
        self.chain.resize(n, u32::MAX);
        self.starts.clear();
        self.found.clear();
        let near = [1, width, 2, width + 1, width.max(2) - 1, 2 * width].map(|d| (d, distance_code(d, width) as u32));
        // How far the matches go on that were found before, from here.
        let mut ahead = [0usize; 6];
        let mut far = (0usize, 0u32);
        // A long match is taken whole: no others are looked for inside.
        let mut skip = 0;
        for at in 0..n {
            self.starts.push(self.found.len() as u32);
            if at < skip || at + KEY > n || at == 0 {
                continue;
            }
            let mut longest = SHORTEST - 1;
            let here = &pixels[at..at + SHORTEST];
            for (&(distance, code), ahead) in near.iter().zip(&mut ahead) {
                if *ahead > 0 {
                    *ahead -= 1;
                } else if at >= distance && pixels[at - distance..at - distance + SHORTEST] == *here {
                    *ahead = same(pixels, at - distance, at);
                }
                if *ahead > longest {
                    longest = *ahead;
                    self.found.push((longest as u32, code));
                }
            }
            far.0 = far.0.saturating_sub(1);
            if far.0 > longest {
                longest = far.0;
                self.found.push((far.0 as u32, far.1));
            }
            if longest >= ENOUGH {
                skip = at + longest;
                ahead = [0; 6];
                far.0 = 0;
                continue;
            }
            let key = (self.hashes[at].wrapping_mul(0x1656_67b1) ^ self.hashes[at + SPAN]).wrapping_mul(0x9e37_79b1);
            let key = (key >> (32 - HASH_BITS)) as usize;
            let mut place = self.head[key];
            let mut left = probes;
            while left > 0 && longest < ENOUGH && place != u32::MAX && at - (place as usize) < FARTHEST {
                let distance = at - place as usize;
                if at + longest < n && pixels[at + longest] == pixels[at + longest - distance] {
                    let length = same(pixels, place as usize, at);
                    if length > longest {
                        longest = length;
                        far = (length, distance_code(distance, width) as u32);
                        self.found.push((length as u32, far.1));
                    }
                }
                place = self.chain[place as usize];
                left -= 1;
            }
            // Of a run only the beginning is a place to be found.
            if self.hashes[at - 1] != self.hashes[at] {
                self.chain[at] = self.head[key];
                self.head[key] = at as u32;
            }
        }
        self.starts.push(self.found.len() as u32);
    }

    /// The cheapest tokens by the costs of the groups, with the matches found.
    pub(super) fn cheapest(&mut self, symbols: &[u32], width: usize, groups: &Groups, out: &mut Vec<u32>) {
        let n = symbols.len();
        self.price.clear();
        self.price.resize(n + 1, u64::MAX);
        self.price[0] = 0;
        self.step.resize(n + 1, (1, 0));
        self.lengths.clear();
        for costs in &groups.costs[..groups.number] {
            self.lengths.extend((1..=LONGEST).map(|length| {
                let (symbol, _, bits) = prefix(length);
                (costs.length(symbol) + bits * BIT) as u16
            }));
        }
        let across = width.div_ceil(1 << groups.block_bits);
        let (mut x, mut y) = (0, 0);
        for (at, &symbol) in symbols.iter().enumerate() {
            let group = usize::from(groups.of[(y >> groups.block_bits) * across + (x >> groups.block_bits)]);
            x += 1;
            if x == width {
                (x, y) = (0, y + 1);
            }
            let costs: &Table<u16> = &groups.costs[group];
            let lengths = &self.lengths[group * LONGEST..][..LONGEST];
            let base = self.price[at];
            // Code 0 is no copy.
            let mut reach = |length: usize, code: u32, price: u64| {
                if price < self.price[at + length] {
                    self.price[at + length] = price;
                    self.step[at + length] = (length as u32, code);
                }
            };
            reach(1, 0, base + u64::from(costs.token(symbol)));
            let matches = self.starts[at] as usize..self.starts[at + 1] as usize;
            let mut length = SHORTEST;
            for &(longest, code) in &self.found[matches] {
                let (symbol, _, bits) = prefix(code as usize);
                let base = base + u64::from(costs.distance(symbol) + bits * BIT);
                // Shorter lengths were reached by earlier matches, which are nearer.
                let longest = longest as usize;
                while length <= longest {
                    reach(length, code, base + u64::from(lengths[length - 1]));
                    length += 1;
                    if length > 40 && length < longest {
                        length = longest.min(length + length / 8);
                    }
                }
            }
        }
        out.clear();
        let mut at = n;
        while at > 0 {
            let (length, code) = self.step[at];
            at -= length as usize;
            out.push(if code == 0 { symbols[at] } else { copy(length as usize, code as usize) });
        }
        out.reverse();
    }
}
