//! Which predictor each block takes.
//!
//! The colours of a residual are coupled by carries and are coded as one, in a colour cache. So a residual's cost is that of
//! its colours together, as often as they occur in the image.

use super::cost;
use super::predict::{residuals, subtract};

/// How many classes of residuals have costs of their own, as a power of two.
const CLASS_BITS: u32 = 12;

/// From so many equal residuals on, a run is copied.
const RUN: u32 = 4;

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
    costs: Vec<u16>,
}

impl Choice {
    /// The same predictor for all of `blocks`.
    pub(super) fn uniform(&mut self, mode: u8, blocks: usize) {
        self.modes.clear();
        self.modes.resize(blocks, mode);
    }

    /// Costs by how often the residuals occur apart from runs, which will be copied.
    pub(super) fn price(&mut self, residuals: &[u32]) {
        let mut counts = [0; 1 << CLASS_BITS];
        let (mut before, mut run) = (0, 0);
        for &r in residuals {
            run = if r == before { run + 1 } else { 0 };
            before = r;
            counts[class(r)] += u32::from(run < RUN);
        }
        self.costs.resize(counts.len(), 0);
        cost::costs(&counts, &mut self.costs);
    }

    /// What a residual costs.
    #[inline]
    pub(super) fn cost(&self, residual: u32) -> u32 {
        u32::from(self.costs[class(residual)])
    }
}

/// Searches predictors; keeps its scratch.
#[derive(Default)]
pub(super) struct Chooser {
    trial: Choice,
    counts: Vec<u32>,
    row: Vec<u32>,
    sums: Vec<u32>,
}

impl Chooser {
    /// Chooses for the blocks of an image.
    pub(super) fn choose(&mut self, search: &Search, argb: &[u32], width: usize, best: &mut Choice) {
        let height = argb.len() / width;
        if width < 3 || height < 2 {
            // Too narrow to have neighbours on all sides.
            self.leave(search, argb, width, best);
            best.modes.resize(best.measure.len(), search.candidates[0]);
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
            let entropy = cost::entropy(&self.counts);
            if entropy < least {
                least = entropy;
                std::mem::swap(best, &mut self.trial);
                self.trial.clone_from(best);
            }
        }
    }

    /// For an image that is not predicted: the costs of its pixels, and nothing to tell its blocks apart.
    pub(super) fn leave(&mut self, search: &Search, pixels: &[u32], width: usize, best: &mut Choice) {
        let height = pixels.len() / width;
        self.counts.clear();
        self.counts.resize(1 << CLASS_BITS, 0);
        for &pixel in pixels {
            self.counts[class(pixel)] += 1;
        }
        best.costs.resize(1 << CLASS_BITS, 0);
        cost::costs(&self.counts, &mut best.costs);
        best.modes.clear();
        best.measure.clear();
        best.measure.resize(width.div_ceil(1 << search.bits) * height.div_ceil(1 << search.bits), 0);
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

    fn choose_blocks(&mut self, search: &Search, base: u8, argb: &[u32], width: usize) {
        let size = 1usize << search.bits;
        let height = argb.len() / width;
        let across = width.div_ceil(size);
        let costs: &[u16; 1 << CLASS_BITS] = self.trial.costs[..].try_into().unwrap_or(&[0; 1 << CLASS_BITS]);
        let lines = self.trial.measure.chunks_mut(across).zip(self.trial.modes.chunks_mut(across));
        for (by, (measure, modes)) in lines.enumerate() {
            measure.fill(u32::MAX);
            for &mode in search.candidates {
                self.sums.clear();
                self.sums.resize(across, 0);
                for y in ((by * size).max(1)..((by + 1) * size).min(height)).step_by(search.step) {
                    residuals(mode, argb, width, y * width + 1, &mut self.row[1..]);
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
pub(super) fn predict_row(argb: &[u32], width: usize, y: usize, bits: u32, modes: &[u8], row: &mut [u32]) {
    let across = width.div_ceil(1 << bits);
    let line = &modes[(y >> bits) * across..][..across];
    let mut x = 1;
    for (at, &mode) in line.iter().enumerate() {
        // Neighbours of one mode go together.
        if line.get(at + 1) != Some(&mode) {
            let end = ((at + 1) << bits).min(width);
            if x < end {
                residuals(mode, argb, width, y * width + x, &mut row[x..end]);
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
