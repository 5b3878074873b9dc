//! Steps between neighbouring pixels: where two sources meet, and inside of sources beside that.

use std::collections::BTreeMap;

use crate::terrain::{ElevationTile, INTERPOLATED};

/// Steps are summed in whole parts of a metre, so that a sum does not depend on the order.
const PARTS: f64 = 256.0;
/// Pixels that are compared at once, to find where sources meet.
const CHUNK: usize = 32;
/// Every so many rows, the steps inside of sources are looked at: a mean needs no more.
const EVERY: usize = 8;

/// Pairs of neighbouring pixels, and the steps between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize, serde::Deserialize))]
pub struct Steps {
    /// Pairs.
    pub pairs: u64,
    /// The sum of their steps without sign, 1/256 m.
    pub sum: u64,
}

impl Steps {
    fn take(&mut self, step: f32) {
        self.pairs += 1;
        // `as` saturates, and cuts what is left after the half is added: rounding, of a number that is not negative.
        self.sum = self.sum.saturating_add((f64::from(step.abs()) * PARTS + 0.5) as u64);
    }

    fn add(&mut self, other: Self) {
        self.pairs += other.pairs;
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// The mean step, metres; `None` of no pairs.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.pairs > 0).then(|| self.sum as f64 / PARTS / self.pairs as f64)
    }
}

/// Steps in tiles that were sampled from records and in which sources meet.
///
/// Tiles that are means of finer ones are left out: a mean makes each step smaller. So are tiles of one source, so that both
/// figures are of the same places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize, serde::Deserialize))]
pub struct Seams {
    /// By the numbers of the two sources, the lower one times 256 plus the higher one.
    pub between: BTreeMap<u16, Steps>,
    /// Both pixels of one source.
    pub inside: Steps,
}

impl Seams {
    /// The numbers of the two sources of a key.
    #[must_use]
    pub fn pair(key: u16) -> [u16; 2] {
        [key / 256, key % 256]
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (key, steps) in &other.between {
            self.between.entry(*key).or_default().add(*steps);
        }
        self.inside.add(other.inside);
    }

    /// Looks at the quadrants of a tile that were sampled, and at the lines between two of them. `sources` has the source of each
    /// pixel; other quadrants do not count. Steps between sources all count, of those inside the ones of every eighth row.
    pub(super) fn look(&mut self, heights: &ElevationTile, sources: &[u8], made_of_finer: [bool; 4]) {
        let side = heights.size as usize;
        let mut found = Self::default();
        let sampled = |at: usize| {
            let (lower, right) = (at / side >= side / 2, at % side >= side / 2);
            !made_of_finer[usize::from(lower) * 2 + usize::from(right)]
        };
        let counts = |at: usize| sources[at] < INTERPOLATED && heights.valid[at] == 1 && sampled(at);
        let step = |a: usize, b: usize| (counts(a) && counts(b)).then(|| heights.values[a] - heights.values[b]);

        // A pixel has a neighbour on the right and one below.
        let mut meet = |from: std::ops::Range<usize>, away: usize| {
            if sources[from.clone()] == sources[from.start + away..from.end + away] {
                return;
            }
            for (a, b) in from.map(|a| (a, a + away)).filter(|&(a, b)| sources[a] != sources[b]) {
                if let Some(step) = step(a, b) {
                    let (low, high) = (sources[a].min(sources[b]), sources[a].max(sources[b]));
                    found.between.entry(u16::from(low) * 256 + u16::from(high)).or_default().take(step);
                }
            }
        };
        for row in 0..side {
            for col in (0..side).step_by(CHUNK) {
                let (start, end) = (row * side + col, row * side + side.min(col + CHUNK));
                meet(start..end.min(row * side + side - 1), 1);
                if row + 1 < side {
                    meet(start..end, side);
                }
            }
        }
        if found.between.is_empty() {
            return;
        }
        for row in (0..side).step_by(EVERY) {
            for a in row * side..(row + 1) * side {
                let right = (a + 1 < (row + 1) * side).then_some(a + 1);
                let below = (row + 1 < side).then_some(a + side);
                for b in [right, below].into_iter().flatten().filter(|&b| sources[a] == sources[b]) {
                    if let Some(step) = step(a, b) {
                        found.inside.take(step);
                    }
                }
            }
        }
        self.add(&found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terrain::NO_SOURCE;

    /// A tile of four by four pixels: heights, and the source of each.
    fn tile(heights: [f32; 16], sources: [u8; 16]) -> (ElevationTile, Vec<u8>) {
        let mut tile = ElevationTile::empty(4);
        tile.values.copy_from_slice(&heights);
        for (valid, source) in tile.valid.iter_mut().zip(sources) {
            *valid = u8::from(source != NO_SOURCE);
        }
        (tile, sources.to_vec())
    }

    #[rustfmt::skip]
    const TWO: [u8; 16] = [
        3, 3, 7, 7,
        3, 3, 7, 7,
        3, 3, 7, NO_SOURCE,
        3, 3, INTERPOLATED, 7,
    ];

    #[test]
    fn steps_between_two_sources_are_told_from_steps_inside() {
        let mut heights = [100.0; 16];
        for (height, source) in heights.iter_mut().zip(TWO) {
            *height += if source == 7 { 2.5 } else { 0.0 };
        }
        let (tile, sources) = tile(heights, TWO);
        let mut seams = Seams::default();
        seams.look(&tile, &sources, [false; 4]);
        let (key, steps) = seams.between.first_key_value().unwrap();
        assert_eq!((Seams::pair(*key), steps.pairs, steps.mean()), ([3, 7], 3, Some(2.5)));
        assert_eq!((seams.between.len(), seams.inside.mean()), (1, Some(0.0)));
        // Of the first row: one pair of each across, two of each down.
        assert_eq!(seams.inside.pairs, 6);
    }

    #[test]
    fn quadrants_of_finer_tiles_and_tiles_of_one_source_do_not_count() {
        let (two, sources) = tile([5.0; 16], TWO);
        let mut seams = Seams::default();
        seams.look(&two, &sources, [true, false, true, false]);
        assert_eq!(seams, Seams::default(), "what is left is of one source");
        seams.look(&two, &sources, [false, false, true, true]);
        assert_eq!(seams.between.values().map(|steps| steps.pairs).sum::<u64>(), 2);
        let (one, sources) = tile([5.0; 16], [3; 16]);
        let mut none = Seams::default();
        none.look(&one, &sources, [false; 4]);
        assert_eq!(none, Seams::default());
    }
}
