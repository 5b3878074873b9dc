//! Soft borders between sources.
//!
//! Each source gets a weight that grows from its border inwards, and sources are put over one another by weight. A
//! border is where data end over a width of at least the blend's: a hole that no disc of that diameter fits into has no border and
//! no halo.

use super::distance::squared_distances;
use super::{ElevationTile, NO_SOURCE};

/// The weight of each pixel of a source, 0 to 1: 0 without data, 1 from `distance` pixels inwards of a border on. `beyond` says
/// which pixels nothing is known of, and so are no border.
///
/// What is within two distances of the square's edge is not exact, since the border may lie outside.
#[must_use]
pub fn weights(plane: &ElevationTile, distance: f64, beyond: impl Fn(usize) -> bool) -> Vec<f32> {
    let side = plane.size as usize;
    if plane.is_full() || distance <= 0.0 {
        return plane.valid.iter().map(|&v| f32::from(v)).collect();
    }
    // The opening of what has no data by a disc.
    let radius = distance / 2.0;
    let within = |d: u32, r: f64| d != u32::MAX && f64::from(d) <= r * r;
    let data = squared_distances(side, |at| plane.valid[at] == 1 || beyond(at));
    if !data.iter().any(|&d| !within(d, radius)) {
        return plane.valid.iter().map(|&v| f32::from(v)).collect();
    }
    let open = squared_distances(side, |at| !within(data[at], radius));
    let border = squared_distances(side, |at| within(open[at], radius));
    let weight = |at: usize| {
        if plane.valid[at] == 0 {
            return 0.0;
        }
        if border[at] == u32::MAX {
            return 1.0;
        }
        // A pixel beside the border lies half a pixel inside.
        let t = ((f64::from(border[at]).sqrt() - 0.5) / distance).clamp(0.0, 1.0);
        (t * t * (3.0 - 2.0 * t)) as f32
    };
    (0..side * side).map(weight).collect()
}

/// Sources put over one another, the highest first.
#[derive(Debug)]
pub struct Composite {
    sum: Vec<f64>,
    total: Vec<f64>,
    left: Vec<f32>,
    best: Vec<f32>,
    source: Vec<u8>,
}

impl Composite {
    /// Nothing yet, for `pixels` pixels.
    #[must_use]
    pub fn new(pixels: usize) -> Self {
        Self {
            sum: vec![0.0; pixels],
            total: vec![0.0; pixels],
            left: vec![1.0; pixels],
            best: vec![0.0; pixels],
            source: vec![NO_SOURCE; pixels],
        }
    }

    /// Puts a source below what is there.
    pub fn add(&mut self, plane: &ElevationTile, weights: &[f32], source: u8) {
        for (at, &weight) in weights.iter().enumerate() {
            if plane.valid[at] == 0 || self.left[at] <= 0.0 {
                continue;
            }
            // The last one that is there gets all, however near its border.
            let weight = weight.max(f32::MIN_POSITIVE);
            let share = self.left[at] * weight;
            self.sum[at] += f64::from(share) * f64::from(plane.values[at]);
            self.total[at] += f64::from(share);
            self.left[at] *= 1.0 - weight;
            if share > self.best[at] {
                (self.best[at], self.source[at]) = (share, source);
            }
        }
    }

    /// True where a source below would have a part in the pixel.
    #[must_use]
    pub fn is_open(&self, at: usize) -> bool {
        self.left[at] > 0.0
    }

    /// True where nothing below can be seen any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.left.iter().all(|&left| left <= 0.0)
    }

    /// The heights, and which source has the greatest part in each.
    #[must_use]
    pub fn finish(self, size: u32) -> (ElevationTile, Vec<u8>) {
        let mut tile = ElevationTile::empty(size);
        for at in 0..self.sum.len() {
            if self.total[at] > 0.0 {
                (tile.values[at], tile.valid[at]) = ((self.sum[at] / self.total[at]) as f32, 1);
            }
        }
        (tile, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(side: usize, height: f32, valid: impl Fn(usize, usize) -> bool) -> ElevationTile {
        let mut tile = ElevationTile::empty(side as u32);
        for at in (0..side * side).filter(|at| valid(at % side, at / side)) {
            (tile.values[at], tile.valid[at]) = (height, 1);
        }
        tile
    }

    #[test]
    fn weights_grow_from_the_border_and_holes_have_none() {
        // Data west of column 40, with a hole of three pixels and one of 14.
        let hole = |x: usize, y: usize| (10..13).contains(&x) && (10..13).contains(&y);
        let large = |x: usize, y: usize| (10..24).contains(&x) && (40..54).contains(&y);
        let tile = plane(64, 5.0, |x, y| x < 40 && !hole(x, y) && !large(x, y));
        let w = weights(&tile, 8.0, |_| false);
        let at = |x: usize, y: usize| w[y * 64 + x];
        assert_eq!((at(40, 20), at(31, 20), at(0, 20)), (0.0, 1.0, 1.0));
        assert!(at(39, 20) > 0.0 && at(39, 20) < 0.02 && at(38, 20) > at(39, 20) && at(33, 20) < 1.0);
        assert!((0..64).all(|y| y > 31 || (0..31).all(|x| at(x, y) == if hole(x, y) { 0.0 } else { 1.0 })));
        // The large hole is one that a disc of eight pixels fits into.
        assert!(at(9, 47) < 0.1 && at(24, 47) < 0.1);
        assert!(weights(&tile, 0.0, |_| false).iter().zip(&tile.valid).all(|(&w, &v)| w == f32::from(v)));
        // What is not known is no border.
        let known = weights(&plane(64, 5.0, |x, _| x < 40), 8.0, |at| at % 64 >= 40);
        assert!((0..64 * 64).all(|at| known[at] == f32::from(u8::from(at % 64 < 40))));
    }

    #[test]
    fn one_source_goes_over_into_the_next() {
        let (high, low) = (plane(64, 100.0, |x, _| x < 32), plane(64, 0.0, |_, y| y < 50));
        let mut composite = Composite::new(64 * 64);
        composite.add(&high, &weights(&high, 10.0, |_| false), 0);
        assert!(!composite.is_closed());
        composite.add(&low, &weights(&low, 10.0, |_| false), 1);
        let (tile, source) = composite.finish(64);
        let row: Vec<f32> = (0..64).map(|x| tile.values[20 * 64 + x]).collect();
        assert!(row.windows(2).all(|w| w[1] <= w[0]) && row.windows(2).all(|w| w[0] - w[1] < 16.0), "{row:?}");
        assert_eq!((row[21], row[32]), (100.0, 0.0));
        assert_eq!((source[20 * 64 + 21], source[20 * 64 + 31], source[20 * 64 + 26]), (0, 1, 0));
        // Where the lower one ends, there is no step either, and nothing where neither has data.
        let column: Vec<f32> = (0..64).map(|y| tile.values[y * 64 + 31]).collect();
        assert!(column.windows(2).all(|w| (w[0] - w[1]).abs() < 60.0) && column[63] == 100.0, "{column:?}");
        assert_eq!(tile.valid[63 * 64 + 63], 0);
    }
}
