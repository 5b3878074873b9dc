//! Which predictor each block takes.
//!
//! The colours of a residual are coupled by carries and are coded as one, in a colour cache. So a residual's cost is that of
//! its colours together, as often as they occur in the image.

use super::cost;
use super::predict::{residuals, subtract};

/// How many classes of residuals have costs of their own, as a power of two.
const CLASS_BITS: u32 = 12;

/// The class of a residual.
#[inline]
fn class(residual: u32) -> usize {
    (residual.wrapping_mul(0x1e35_a7bd) >> (32 - CLASS_BITS)) as usize
}

/// How predictors are searched for.
#[derive(Clone, Copy)]
pub(super) struct Search {
    /// The first costs are those of the residuals of one of these modes, whichever ends best.
    pub(super) starts: &'static [u8],
    /// The modes that blocks choose among.
    pub(super) candidates: &'static [u8],
    /// The side of blocks, as a power of two.
    pub(super) bits: u32,
    /// Every which row is counted.
    pub(super) count_step: usize,
    /// Every which row is looked at for the choice.
    pub(super) step: usize,
    /// How often costs and choice are improved by one another.
    pub(super) rounds: usize,
}

/// A choice for each block.
#[derive(Default, Clone)]
pub(super) struct Choice {
    pub(super) modes: Vec<u8>,
    /// What the rows looked at cost.
    pub(super) measure: Vec<u32>,
    /// How many of a thousand residuals begin a sequence that occurred before, apart from runs.
    pub(super) repeats: u32,
    costs: Vec<u16>,
}

impl Choice {
    /// What a residual costs.
    #[inline]
    pub(super) fn cost(&self, residual: u32) -> u32 {
        u32::from(self.costs[class(residual)])
    }
}

/// Searches predictors; keeps its scratch.
#[derive(Default)]
pub(super) struct Chooser {
    pub(super) best: Choice,
    trial: Choice,
    counts: Vec<u32>,
    row: Vec<u32>,
    seen: Vec<u32>,
    hashes: Vec<u32>,
    sums: Vec<u32>,
}

impl Chooser {
    /// Chooses for the blocks of an image; the choice is in `best`.
    pub(super) fn choose(&mut self, search: &Search, argb: &[u32], width: usize) {
        let height = argb.len() / width;
        if width < 3 || height < 2 {
            // Too narrow to have neighbours on all sides.
            self.leave(search, argb, width);
            self.best.modes.resize(self.best.measure.len(), search.candidates[0]);
            return;
        }
        let blocks = width.div_ceil(1 << search.bits) * height.div_ceil(1 << search.bits);
        self.counts.resize(1 << CLASS_BITS, 0);
        self.row.clear();
        self.row.resize(width, 0);
        self.trial.costs.resize(1 << CLASS_BITS, 0);
        self.trial.modes.clear();
        self.trial.modes.resize(blocks, search.candidates[0]);
        self.trial.measure.clear();
        self.trial.measure.resize(blocks, 0);
        let mut least = u64::MAX;
        let mut first = u64::MAX;
        'starts: for &start in search.starts {
            self.trial.modes.fill(start);
            for round in 0..search.rounds {
                self.count(search, argb, width);
                if round == 0 {
                    // Far behind an earlier start: it won't catch up.
                    let entropy = cost::entropy(&self.counts);
                    if entropy / 9 * 8 > first {
                        continue 'starts;
                    }
                    first = first.min(entropy);
                }
                cost::costs(&self.counts, &mut self.trial.costs);
                self.choose_blocks(search, start, argb, width);
            }
            self.count(search, argb, width);
            cost::costs(&self.counts, &mut self.trial.costs);
            // What repeats itself will be copied, at about half of its cost.
            let repeats = self.repeats(search, argb, width);
            let entropy = cost::entropy(&self.counts) * (2000 - u64::from(repeats)) / 2000;
            if entropy < least {
                least = entropy;
                self.trial.repeats = repeats;
                std::mem::swap(&mut self.best, &mut self.trial);
                self.trial.clone_from(&self.best);
            }
        }
    }

    /// For an image that is not predicted: the costs of its pixels, and nothing to tell its blocks apart.
    pub(super) fn leave(&mut self, search: &Search, pixels: &[u32], width: usize) {
        let height = pixels.len() / width;
        self.counts.clear();
        self.counts.resize(1 << CLASS_BITS, 0);
        for &pixel in pixels {
            self.counts[class(pixel)] += 1;
        }
        self.best.costs.resize(1 << CLASS_BITS, 0);
        cost::costs(&self.counts, &mut self.best.costs);
        self.best.modes.clear();
        self.best.repeats = 0;
        self.best.measure.clear();
        self.best.measure.resize(width.div_ceil(1 << search.bits) * height.div_ceil(1 << search.bits), 0);
    }

    fn count(&mut self, search: &Search, argb: &[u32], width: usize) {
        self.counts.fill(0);
        for y in (1..argb.len() / width).step_by(search.count_step) {
            predict_row(argb, width, y, search.bits, &self.trial.modes, &mut self.row);
            for &r in &self.row[1..] {
                self.counts[class(r)] += 1;
            }
        }
    }

    /// Looks for sequences of eight residuals that occur twice, in a quarter of the rows.
    fn repeats(&mut self, search: &Search, argb: &[u32], width: usize) -> u32 {
        const SEEN_BITS: u32 = 14;
        self.seen.clear();
        self.seen.resize(1 << SEEN_BITS, 0);
        let (mut all, mut again, mut rows) = (0u32, 0u32, 0u32);
        for y in (1..argb.len() / width).filter(|y| y % 64 < 16) {
            predict_row(argb, width, y, search.bits, &self.trial.modes, &mut self.row);
            rows += 1;
            self.hashes.clear();
            self.hashes.extend(self.row[1..].windows(4).map(|p| {
                let a = p[0].wrapping_mul(0x9e37_79b1) ^ p[1].wrapping_mul(0x85eb_ca77).rotate_left(11);
                let b = p[2].wrapping_mul(0xc2b2_ae3d) ^ p[3].wrapping_mul(0x27d4_eb2f).rotate_left(15);
                a.rotate_left(13) ^ b
            }));
            for pair in self.hashes.windows(14) {
                // The first four are the same as those one to the left: a run.
                if pair[0] == pair[1] {
                    continue;
                }
                all += 1;
                let hash = [1, 5, 9, 13].into_iter().fold(0u32, |h, i| (h ^ pair[i]).wrapping_mul(0x1656_67b1));
                let seen = std::mem::replace(&mut self.seen[(hash >> (32 - SEEN_BITS)) as usize], hash | 1);
                again += u32::from(seen == hash | 1);
            }
        }
        // Of an image that is nearly all runs, the rest is too little to be worth the search.
        let enough = u64::from(rows) * width as u64 / 8;
        if u64::from(all) > enough { (u64::from(again) * 1000 / u64::from(all)) as u32 } else { 0 }
    }

    fn choose_blocks(&mut self, search: &Search, base: u8, argb: &[u32], width: usize) {
        let size = 1usize << search.bits;
        let height = argb.len() / width;
        let image: &[u8] = bytemuck::cast_slice(argb);
        let across = width.div_ceil(size);
        let costs: &[u16; 1 << CLASS_BITS] = self.trial.costs[..].try_into().unwrap_or(&[0; 1 << CLASS_BITS]);
        let lines = self.trial.measure.chunks_mut(across).zip(self.trial.modes.chunks_mut(across));
        for (by, (measure, modes)) in lines.enumerate() {
            measure.fill(u32::MAX);
            for &mode in search.candidates {
                self.sums.clear();
                self.sums.resize(across, 0);
                for y in ((by * size).max(1)..((by + 1) * size).min(height)).step_by(search.step) {
                    let row = bytemuck::cast_slice_mut(&mut self.row[1..]);
                    residuals(mode, image, width * 4, (y * width + 1) * 4, row);
                    for (sum, block) in self.sums.iter_mut().zip(self.row.chunks(size)) {
                        *sum += block.iter().map(|&r| u32::from(costs[class(r)])).sum::<u32>();
                    }
                }
                // What breaks the monotony of the choices costs bits as well.
                let extra = if mode == base { 0 } else { 3 * cost::BIT / search.step as u32 };
                for ((best, chosen), &sum) in measure.iter_mut().zip(modes.iter_mut()).zip(&self.sums) {
                    let sum = sum.saturating_add(extra);
                    if sum < *best {
                        (*best, *chosen) = (sum, mode);
                    }
                }
            }
        }
    }
}

/// Residuals of a row but the first one by the modes of its blocks; not of the first column.
fn predict_row(argb: &[u32], width: usize, y: usize, bits: u32, modes: &[u8], row: &mut [u32]) {
    let image: &[u8] = bytemuck::cast_slice(argb);
    let across = width.div_ceil(1 << bits);
    let line = &modes[(y >> bits) * across..][..across];
    let mut x = 1;
    for (at, &mode) in line.iter().enumerate() {
        // Neighbours of one mode go together.
        if line.get(at + 1) != Some(&mode) {
            let end = ((at + 1) << bits).min(width);
            if x < end {
                residuals(mode, image, width * 4, (y * width + x) * 4, bytemuck::cast_slice_mut(&mut row[x..end]));
            }
            x = end;
        }
    }
}

/// The residuals of a whole image by the modes of its blocks.
pub(super) fn predict(argb: &[u32], width: usize, bits: u32, modes: &[u8], out: &mut Vec<u32>) {
    out.resize(argb.len(), 0);
    // The first row is predicted from the left, the first column from above, the first pixel from opaque black.
    out[0] = subtract(argb[0], 0xff00_0000);
    for x in 1..width {
        out[x] = subtract(argb[x], argb[x - 1]);
    }
    for y in 1..argb.len() / width {
        let at = y * width;
        out[at] = subtract(argb[at], argb[at - width]);
        predict_row(argb, width, y, bits, modes, &mut out[at..at + width]);
    }
}
