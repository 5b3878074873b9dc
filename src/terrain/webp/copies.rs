//! Copies found in one pass, for images that repeat themselves: the best one at each place, and the next place instead where that
//! one's is better.

use super::cost::BIT;
use super::modes::Choice;
use super::refs::{FARTHEST, LONGEST, copy, distance_code, prefix};

/// How many pixels a short and a long key cover.
const SHORT: usize = 4;
const LONG: usize = 2 * SHORT;
/// How many buckets each table has, as a power of two.
const SHORT_BITS: u32 = 12;
const LONG_BITS: u32 = 14;
/// Low bits of an entry tell the place, as far as copies reach; the others are of its hash.
const PLACE_BITS: u32 = 18;
const PLACE: u32 = (1 << PLACE_BITS) - 1;
/// Copies of fewer pixels don't pay.
const SHORTEST: usize = 3;
/// After a copy this long no better one is looked for: after a near one, after a far one, and at the next place.
const LONG_ENOUGH: usize = 64;
const GOOD: usize = 32;
const NO_BETTER_NEXT: usize = 8;
/// About what the prefix codes of a copy take, bits: at the nearest distances, and at others.
const NEAR_BITS: u32 = 7;
const FAR_BITS: u32 = 8;

/// How thoroughly copies are looked for: how many of the latest places of a long key are tried.
#[derive(Clone, Copy)]
pub(super) struct Depth(usize);

impl Depth {
    /// Most of what there is to find, in nine tenths of the time.
    pub(super) const SHALLOW: Self = Self(2);
    /// Where nearly everything is copied, this decides.
    pub(super) const DEEP: Self = Self(4);
}

/// Finds copies; keeps its scratch.
#[derive(Default)]
pub(super) struct Copies {
    /// The latest place of each short key.
    short: Vec<u32>,
    /// The latest places of each long key, the last one first.
    long: Vec<[u32; 4]>,
    /// What the pixels before each place cost without copies; modulo 2^32.
    sums: Vec<u32>,
}

/// What a copy saves, its length, and its distance code.
#[derive(Clone, Copy, Default)]
struct Found {
    gain: i64,
    length: usize,
    code: usize,
}

impl Copies {
    /// Writes tokens, of which `symbols` has those of single pixels; returns about how many bits they take, in the units of costs.
    pub(super) fn find(
        &mut self,
        depth: Depth,
        pixels: &[u32],
        symbols: &[u32],
        width: usize,
        choice: &Choice,
        out: &mut Vec<u32>,
    ) -> u64 {
        self.sums.clear();
        self.sums.push(0);
        let mut bits = 0u64;
        self.sums.extend(pixels.iter().map(|&pixel| {
            bits += u64::from(choice.cost(pixel));
            bits as u32
        }));
        self.short.clear();
        self.short.resize(1 << SHORT_BITS, 0);
        self.long.clear();
        self.long.resize(1 << LONG_BITS, [0; 4]);
        out.clear();
        let mut cursor = Cursor::new(depth, pixels, width, &self.sums, &mut self.short, &mut self.long);
        let mut gained = 0;
        let mut next: Option<Found> = None;
        while cursor.at < pixels.len() {
            let at = cursor.at;
            let best = next.take().unwrap_or_else(|| cursor.best(SHORTEST - 1));
            if best.length > 0 && best.length < NO_BETTER_NEXT {
                cursor.advance();
                let later = cursor.best(best.length - 1);
                if later.gain > best.gain {
                    out.push(symbols[at]);
                    next = Some(later);
                    continue;
                }
            }
            if best.length > 0 {
                gained += best.gain as u64;
                out.push(copy(best.length, best.code));
            } else {
                out.push(symbols[at]);
            }
            while cursor.at < at + best.length.max(1) {
                cursor.advance();
            }
        }
        bits - gained
    }
}

/// A place in an image, with all places before it in the tables.
struct Cursor<'a> {
    depth: Depth,
    pixels: &'a [u32],
    sums: &'a [u32],
    width: usize,
    at: usize,
    /// Short hashes of the place before, this one, and those up to `SHORT` pixels on, by the low bits of their places.
    hashes: [u32; 8],
    /// Distances that are tried everywhere, their codes, and what these take, bits.
    near: [(usize, usize, u32); 2],
    short: &'a mut [u32],
    long: &'a mut [[u32; 4]],
}

#[inline]
fn hash(p: &[u32]) -> u32 {
    let a = p[0].wrapping_mul(0x9e37_79b1) ^ p[1].wrapping_mul(0x85eb_ca77).rotate_left(11);
    let b = p[2].wrapping_mul(0xc2b2_ae3d) ^ p[3].wrapping_mul(0x27d4_eb2f).rotate_left(15);
    (a.rotate_left(13) ^ b).wrapping_mul(0x9e37_79b1)
}

impl<'a> Cursor<'a> {
    fn new(
        depth: Depth,
        pixels: &'a [u32],
        width: usize,
        sums: &'a [u32],
        short: &'a mut [u32],
        long: &'a mut [[u32; 4]],
    ) -> Self {
        let near = [1, width].map(|distance| {
            let code = distance_code(distance, width);
            (distance, code, NEAR_BITS + prefix(code).2)
        });
        let mut hashes = [0; 8];
        for (hash_at, p) in hashes.iter_mut().zip(pixels.windows(SHORT)).take(SHORT + 1) {
            *hash_at = hash(p);
        }
        // The place before the first one is like none.
        hashes[7] = !hashes[0];
        Self { depth, pixels, sums, width, at: 0, hashes, near, short, long }
    }

    /// The keys of this place.
    #[inline]
    fn keys(&self) -> (u32, u32) {
        let (here, later) = (self.hashes[self.at & 7], self.hashes[(self.at + SHORT) & 7]);
        (here, (here.rotate_left(7).wrapping_mul(0x1656_67b1) ^ later).wrapping_mul(0x9e37_79b1))
    }

    /// Enters this place into the tables and goes to the next one.
    #[inline]
    fn advance(&mut self) {
        let (short, long) = self.keys();
        // Of a run only the beginning is a place to be found.
        if short != self.hashes[self.at.wrapping_sub(1) & 7] {
            let place = self.at as u32 & PLACE;
            self.short[(short >> (32 - SHORT_BITS)) as usize] = short << PLACE_BITS | place;
            let bucket = &mut self.long[(long >> (32 - LONG_BITS)) as usize];
            *bucket = [long << PLACE_BITS | place, bucket[0], bucket[1], bucket[2]];
        }
        self.at += 1;
        let next = self.at + SHORT;
        if let Some(p) = self.pixels.get(next..next + SHORT) {
            self.hashes[next & 7] = hash(p);
        }
    }

    /// The best copy here of more than `longest` pixels.
    fn best(&self, mut longest: usize) -> Found {
        let at = self.at;
        let mut best = Found::default();
        if at == 0 || at + LONG > self.pixels.len() {
            return best;
        }
        for &(distance, code, bits) in &self.near {
            self.try_one(distance, |_| (code, bits), &mut longest, &mut best);
        }
        if longest >= LONG_ENOUGH {
            return best;
        }
        let far = |distance: usize| {
            let code = distance_code(distance, self.width);
            (code, FAR_BITS + prefix(code).2)
        };
        let (short, long) = self.keys();
        let long_bucket = &self.long[(long >> (32 - LONG_BITS)) as usize];
        let latest = self.short[(short >> (32 - SHORT_BITS)) as usize];
        let entries = long_bucket.iter().take(self.depth.0).map(|&entry| (entry, long)).chain([(latest, short)]);
        for (entry, hash) in entries {
            if longest >= GOOD {
                break;
            }
            let distance = ((at as u32).wrapping_sub(entry) & PLACE) as usize;
            if (entry ^ hash << PLACE_BITS) <= PLACE && (1..FARTHEST).contains(&distance) {
                self.try_one(distance, far, &mut longest, &mut best);
            }
        }
        best
    }

    /// Takes a copy from a distance if it is longer and saves more. `code` gives the distance's code and what it takes, bits.
    #[inline]
    fn try_one(&self, distance: usize, code: impl Fn(usize) -> (usize, u32), longest: &mut usize, best: &mut Found) {
        let (at, pixels) = (self.at, self.pixels);
        let end = at + *longest;
        if distance > at || end >= pixels.len() {
            return;
        }
        // Three pixels together, because one alone is the same by chance and misleads the processor.
        let differ = |place: usize| pixels[place] ^ pixels[place - distance];
        if differ(at) | differ(end - 1) | differ(end) != 0 {
            return;
        }
        let length = same(pixels, at - distance, at);
        if length > *longest {
            *longest = length;
            let (code, bits) = code(distance);
            let saved = self.sums[at + length].wrapping_sub(self.sums[at]);
            let gain = i64::from(saved) - i64::from(BIT * (bits + prefix(length).2));
            if gain > best.gain {
                *best = Found { gain, length, code };
            }
        }
    }
}

/// How many pixels from two places on are the same.
#[inline]
pub(super) fn same(pixels: &[u32], earlier: usize, later: usize) -> usize {
    let n = (pixels.len() - later).min(LONGEST);
    let (a, b) = (&pixels[later..later + n], &pixels[earlier..earlier + n]);
    // Four at once, and without a branch on which of them is the first that differs.
    let (mut fours_a, mut fours_b) = (a.chunks_exact(4), b.chunks_exact(4));
    let mut length = 0;
    for (x, y) in (&mut fours_a).zip(&mut fours_b) {
        let first = x[0] ^ y[0];
        let second = first | (x[1] ^ y[1]);
        let third = second | (x[2] ^ y[2]);
        if third | (x[3] ^ y[3]) != 0 {
            return length + usize::from(first == 0) + usize::from(second == 0) + usize::from(third == 0);
        }
        length += 4;
    }
    length + fours_a.remainder().iter().zip(fours_b.remainder()).take_while(|(x, y)| x == y).count()
}
