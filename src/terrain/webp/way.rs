//! Two ways to code an image, and which one suits it.
//!
//! *Rough* terrain is predicted from the plane through its neighbours or the like, block by block, and its residuals repeat nothing but
//! runs. Terrain that was upsampled from a coarser grid is *smooth*: along a row its steps are those of a straight line in whole numbers,
//! of which there are few different ones, so that nearly everything was seen before: it is predicted from the left and copied.

use super::copies::{Copies, Depth};
use super::groups::Groups;
use super::joint::{self, Joint};
use super::modes::{self, Choice, Search, predict_row};
use super::parse::{self, Parser};
use super::predict::subtract;
use super::refs;

/// The predictor of smooth terrain: the pixel to the left.
const LEFT: u8 = 1;
/// How many rows are looked at to tell rough from smooth, in how many parts.
const SAMPLE: usize = 64;
const PARTS: usize = 4;
/// A row in which one of so many pixels differs from the one to its left tells something.
const BUSY: usize = 16;
/// A first part that takes this much more the smooth way, in thousandths, decides; copies reach back less far there.
const MUCH_MORE: u64 = 1300;

/// How tokens are made and grouped.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    pub(super) groups: usize,
    /// How often blocks are put into the best group. Rows that are looked at for that: one of each `regroup_step`.
    pub(super) regroupings: usize,
    pub(super) regroup_step: usize,
    /// How often the cheapest copies are searched for, and how many earlier places are looked at each time.
    pub(super) parses: usize,
    pub(super) probes: usize,
}

/// What both ways use.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) copies: Copies,
    parser: Parser,
    cache: Vec<u32>,
    parsed: Vec<u32>,
    groups_before: Vec<u8>,
    /// Some rows, and their residuals from the left.
    rows: Vec<usize>,
    left: Vec<u32>,
}

/// An image coded one way; keeps its scratch.
#[derive(Default)]
pub(super) struct Way {
    pub(super) choice: Choice,
    pub(super) residuals: Vec<u32>,
    symbols: Vec<u32>,
    pub(super) tokens: Vec<u32>,
    pub(super) groups: Groups,
}

impl Way {
    /// The tokens of the residuals, and their groups. With a depth, copies are looked for everywhere.
    pub(super) fn code(
        &mut self,
        effort: &Effort,
        depth: Option<Depth>,
        width: usize,
        bits: u32,
        cache_bits: u32,
        scratch: &mut Scratch,
    ) {
        let residuals = &self.residuals[..];
        refs::symbols(residuals, cache_bits, &mut scratch.cache, &mut self.symbols);
        if let Some(depth) = depth {
            scratch.copies.find(depth, residuals, &self.symbols, width, &self.choice, &mut self.tokens);
            let sides = (width, residuals.len() / width);
            self.groups.measure(&self.tokens, sides, bits);
            self.choice.measure.clone_from(&self.groups.sums);
        } else {
            parse::runs(residuals, &self.symbols, width, &self.choice, &mut self.tokens);
        }
        self.groups.start(&self.choice.measure, bits, effort.groups, cache_bits);
        self.groups.improve(&self.tokens, width, effort.regroup_step, effort.regroupings);
        if effort.parses > 0 {
            self.parse(effort, width, scratch);
        }
    }

    /// The residuals and their tokens where predictors and groups of blocks were chosen together.
    pub(super) fn code_jointly(
        &mut self,
        effort: &Effort,
        joint: &Joint,
        argb: &[u32],
        width: usize,
        cache_bits: u32,
        scratch: &mut Scratch,
    ) {
        self.choice.modes.clone_from(&joint.modes);
        modes::predict(argb, width, joint::BITS, &joint.modes, &mut self.residuals);
        self.choice.price(&self.residuals);
        refs::symbols(&self.residuals, cache_bits, &mut scratch.cache, &mut self.symbols);
        parse::runs(&self.residuals, &self.symbols, width, &self.choice, &mut self.tokens);
        self.groups.set(&joint.of, joint::BITS, effort.groups, cache_bits);
        self.groups.count(&self.tokens, width);
        self.parse(effort, width, scratch);
    }

    /// The cheapest copies by what the codes of the groups cost.
    fn parse(&mut self, effort: &Effort, width: usize, scratch: &mut Scratch) {
        scratch.parser.find(&self.residuals, width, effort.probes);
        for _ in 0..effort.parses {
            let before = self.groups.bits();
            self.groups.price();
            scratch.parser.cheapest(&self.symbols, width, &self.groups, &mut scratch.parsed);
            scratch.groups_before.clone_from(&self.groups.of);
            self.groups.improve(&scratch.parsed, width, effort.regroup_step, effort.regroupings);
            if self.groups.bits() >= before {
                // No gain: what was before stays.
                self.groups.of.clone_from(&scratch.groups_before);
                self.groups.count(&self.tokens, width);
                return;
            }
            std::mem::swap(&mut self.tokens, &mut scratch.parsed);
        }
    }

    /// Predicts everything from the left.
    pub(super) fn predict_left(&mut self, search: &Search, argb: &[u32], width: usize) {
        let blocks = width.div_ceil(1 << search.bits) * (argb.len() / width).div_ceil(1 << search.bits);
        self.choice.uniform(LEFT, blocks);
        modes::predict(argb, width, search.bits, &self.choice.modes, &mut self.residuals);
        self.choice.price(&self.residuals);
    }

    /// About what the smooth way takes, in thousandths of what the rough one takes with its first predictor; judged by some rows.
    /// Predictors chosen by block would be a few hundredths better. `u64::MAX` where fewer spans than `repeats`, in thousandths, repeat
    /// others.
    pub(super) fn compare(
        &mut self,
        repeats: u64,
        search: &Search,
        argb: &[u32],
        width: usize,
        scratch: &mut Scratch,
    ) -> u64 {
        let height = argb.len() / width;
        sample(argb, width, &mut scratch.rows);
        let rows = &scratch.rows[..];
        from_left(argb, width, rows, &mut scratch.left);
        if rows.is_empty() || repeated(&scratch.left, SAMPLE / PARTS * width) < repeats {
            return u64::MAX;
        }
        let mut share = u64::MAX;
        self.choice.uniform(search.candidates[0], width.div_ceil(1 << search.bits) * height.div_ceil(1 << search.bits));
        // The first part alone, if that tells enough.
        let first = rows.len().min(SAMPLE / PARTS);
        for rows in [&rows[..first], rows].into_iter().skip(usize::from(first == rows.len())) {
            let left = &scratch.left[..rows.len() * width];
            self.choice.price(left);
            let as_smooth = scratch.copies.find(Depth::SHALLOW, left, left, width, &self.choice, &mut self.tokens);
            self.residuals.clear();
            for &y in rows {
                let at = self.residuals.len();
                self.residuals.resize(at + width, 0);
                predict_row(argb, width, y, search.bits, &self.choice.modes, &mut self.residuals[at..]);
            }
            self.choice.price(&self.residuals);
            let alone: u64 = self.residuals.iter().map(|&r| u64::from(self.choice.cost(r))).sum();
            let gain = parse::runs(&self.residuals, &self.residuals, width, &self.choice, &mut self.tokens);
            share = as_smooth * 1000 / (alone - gain).max(1);
            if share > MUCH_MORE {
                break;
            }
        }
        share
    }
}

/// Up to [`SAMPLE`] rows in [`PARTS`] bands, of those in which something happens.
fn sample(argb: &[u32], width: usize, rows: &mut Vec<usize>) {
    rows.clear();
    rows.extend((1..argb.len() / width).filter(|y| {
        let row = &argb[y * width..(y + 1) * width];
        let steps: usize = row.iter().zip(&row[1..]).map(|(a, b)| usize::from(a != b)).sum();
        steps * BUSY >= width
    }));
    let active = rows.len();
    if active > SAMPLE {
        for part in 1..PARTS {
            rows.copy_within(part * active / PARTS..part * active / PARTS + SAMPLE / PARTS, part * SAMPLE / PARTS);
        }
        rows.truncate(SAMPLE);
    }
}

/// The residuals of rows, but the first one, predicted from the left.
fn from_left(argb: &[u32], width: usize, rows: &[usize], out: &mut Vec<u32>) {
    out.clear();
    for y in rows {
        let row = &argb[y * width..(y + 1) * width];
        out.push(subtract(row[0], argb[(y - 1) * width]));
        out.extend(row.iter().zip(&row[1..]).map(|(&left, &pixel)| subtract(pixel, left)));
    }
}

/// How many spans of six that are no runs were seen before in their band, in thousandths.
fn repeated(residuals: &[u32], band: usize) -> u64 {
    const SPAN: usize = 6;
    let (mut again, mut all) = (0, 0);
    for residuals in residuals.chunks(band) {
        let mut seen = [0u64; 1024];
        let mut run = 0;
        for span in residuals.windows(SPAN) {
            run = if span[SPAN - 1] == span[SPAN - 2] { run + 1 } else { 0 };
            if run < SPAN - 1 {
                let hash = span.iter().fold(0u32, |hash, &r| (hash.rotate_left(7) ^ r).wrapping_mul(0x9e37_79b1));
                let (word, bit) = ((hash >> 22) as usize, hash >> 16 & 63);
                again += seen[word] >> bit & 1;
                seen[word] |= 1 << bit;
                all += 1;
            }
        }
    }
    again * 1000 / all.max(1)
}
