//! Predictor and group of each block, chosen together.
//!
//! A predictor is good where its residuals are frequent in a group, and a group is good where a predictor gives what is frequent in it.
//! So both are improved by one another: each block takes the pair that is the cheapest by the counts of the pairs before, bits of both
//! choices included. Blocks are the smallest that the format has.

use super::cost::{self, BIT};
use super::modes;

/// Of larger images predictors and groups are chosen apart, so that the scratch stays below 40 MB.
pub(super) const MOST_PIXELS: usize = 1 << 20;
/// The side of blocks, as a power of two.
pub(super) const BITS: u32 = 2;
/// The most groups. Costs of a residual in all of them are added up at once.
const MOST: usize = 16;
/// Predictors; the first one is that of the first costs.
const MODES: [u8; 14] = [12, 11, 1, 2, 4, 3, 5, 6, 7, 8, 9, 10, 13, 0];
/// How many classes of residuals have costs of their own, as a power of two: at most, at least, and how much fewer than pixels.
const MOST_CLASSES: u32 = 12;
const LEAST_CLASSES: u32 = 5;
const PIXELS_A_CLASS: u32 = 3;
/// How often the choice is improved with one group, and with all.
const ALONE: usize = 2;
const TOGETHER: usize = 16;

/// Chooses; keeps its scratch, 30 bytes a pixel.
#[derive(Default)]
pub(super) struct Joint {
    /// The classes of an image's residuals, for each predictor.
    classes: Vec<u16>,
    residuals: Vec<u32>,
    class_bits: u32,
    counts: Vec<[u32; MOST]>,
    costs: Vec<[u16; MOST]>,
    /// The least that each block costs.
    least: Vec<u16>,
    sorted: Vec<u16>,
    sums: Vec<[u16; MOST]>,
    /// The place of each block's predictor in `MODES`.
    chosen: Vec<u8>,
    /// Each block's predictor and group.
    pub(super) modes: Vec<u8>,
    pub(super) of: Vec<u8>,
}

impl Joint {
    /// Chooses for the blocks of an image among up to `number` groups.
    pub(super) fn choose(&mut self, argb: &[u32], width: usize, number: usize) {
        let number = number.clamp(1, MOST);
        let across = width.div_ceil(1 << BITS);
        let blocks = across * (argb.len() / width).div_ceil(1 << BITS);
        self.class_bits = (argb.len().ilog2().saturating_sub(PIXELS_A_CLASS)).clamp(LEAST_CLASSES, MOST_CLASSES);
        self.classes.clear();
        for mode in MODES {
            self.modes.clear();
            self.modes.resize(blocks, mode);
            modes::predict(argb, width, BITS, &self.modes, &mut self.residuals);
            let shift = 32 - self.class_bits;
            self.classes.extend(self.residuals.iter().map(|r| (r.wrapping_mul(0x1e35_a7bd) >> shift) as u16));
        }
        self.chosen.clear();
        self.chosen.resize(blocks, 0);
        self.of.clear();
        self.of.resize(blocks, 0);
        self.least.resize(blocks, 0);
        for _ in 0..ALONE {
            self.improve(width, 1);
        }
        self.split(number);
        for _ in 0..TOGETHER {
            self.improve(width, number);
        }
        self.modes.clear();
        self.modes.extend(self.chosen.iter().map(|&at| MODES[usize::from(at)]));
    }

    /// Groups of equally many blocks, by what these cost.
    fn split(&mut self, number: usize) {
        let cheapest = self.least.iter().copied().min().unwrap_or(0);
        self.sorted.clear();
        self.sorted.extend(self.least.iter().copied().filter(|&least| least > cheapest));
        self.sorted.sort_unstable();
        let n = self.sorted.len();
        let limits: Vec<u16> = (0..number - 1).filter_map(|g| self.sorted.get(n * g / (number - 1)).copied()).collect();
        for (group, least) in self.of.iter_mut().zip(&self.least) {
            *group = limits.iter().filter(|&limit| least >= limit).count() as u8;
        }
    }

    /// Counts the residuals of each group, and puts each block where it is cheapest.
    fn improve(&mut self, width: usize, number: usize) {
        let size = 1usize << BITS;
        let pixels = self.classes.len() / MODES.len();
        let across = width.div_ceil(size);
        self.counts.clear();
        self.counts.resize(1 << self.class_bits, [0; MOST]);
        for at in (0..pixels).step_by(width) {
            let line = ((at / width) >> BITS) * across;
            for block in 0..across {
                let (chosen, group) = (self.chosen[line + block], self.of[line + block]);
                let start = usize::from(chosen) * pixels + at;
                let end = start + ((block + 1) << BITS).min(width);
                for &class in &self.classes[start + (block << BITS)..end] {
                    self.counts[usize::from(class)][usize::from(group)] += 1;
                }
            }
        }
        self.price(number);
        let (mut by_mode, mut by_group) = ([0u32; MODES.len()], [0u32; MOST]);
        self.chosen.iter().for_each(|&at| by_mode[usize::from(at)] += 1);
        self.of.iter().for_each(|&group| by_group[usize::from(group)] += 1);
        let (mut mode_costs, mut group_costs) = ([0u16; MODES.len()], [0u16; MOST]);
        cost::costs(&by_mode, &mut mode_costs);
        cost::costs(&by_group[..number], &mut group_costs[..number]);
        for (row, line) in (0..self.chosen.len()).step_by(across).enumerate() {
            let top = (row << BITS) * width;
            let bottom = (top + (width << BITS)).min(pixels);
            self.least[line..line + across].fill(u16::MAX);
            for (mode, extra) in mode_costs.iter().enumerate() {
                self.sums.clear();
                self.sums.resize(across, group_costs);
                for row in self.classes[mode * pixels + top..mode * pixels + bottom].chunks_exact(width) {
                    for (sums, block) in self.sums.iter_mut().zip(row.chunks(size)) {
                        for &class in block {
                            let costs = &self.costs[usize::from(class)];
                            sums.iter_mut().zip(costs).for_each(|(sum, &cost)| *sum += cost);
                        }
                    }
                }
                for (block, sums) in self.sums.iter().enumerate() {
                    let least = sums[..number].iter().copied().min().unwrap_or(0);
                    if least + extra < self.least[line + block] {
                        self.least[line + block] = least + extra;
                        self.chosen[line + block] = mode as u8;
                        self.of[line + block] = sums.iter().position(|&sum| sum == least).unwrap_or(0) as u8;
                    }
                }
            }
        }
    }

    /// The costs of residuals, from the counts.
    fn price(&mut self, number: usize) {
        self.costs.clear();
        self.costs.resize(1 << self.class_bits, [0; MOST]);
        for g in 0..number {
            let all = cost::log2_of_all(self.counts.iter().map(|counts| counts[g]).sum());
            for (costs, counts) in self.costs.iter_mut().zip(&self.counts) {
                costs[g] = match counts[g] {
                    0 => all + BIT,
                    count => (all - cost::log2(count)).max(BIT),
                } as u16;
            }
        }
    }
}
