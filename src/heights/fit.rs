//! The surface that a block's heights are measured from: a polynomial of the second degree in column and row.
//!
//! Least squares over the 256 pixels of a block. On a full square grid the polynomials 1, u, w, uw, u² - m, w² - m of the
//! centred coordinates are orthogonal (m is the mean of u²), so each coefficient is one sum divided by another (Gram's
//! polynomials). The coefficients are then rounded to the numbers that a file holds.

use super::entry::{PIXELS, SIDE};

/// Coefficients of column, row, column times row, column squared and row squared: the first two in 1/32 of a step a pixel,
/// the others in 1/1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Surface(pub(super) [i16; 5]);

impl Surface {
    /// How far the surface is above its value at the first pixel, steps, rounded down.
    #[inline]
    pub(super) fn at(&self, x: u32, y: u32) -> i32 {
        let [cx, cy, cxy, cxx, cyy] = self.0.map(i32::from);
        let (x, y) = (x as i32, y as i32);
        ((x * cx + y * cy) * 32 + x * y * cxy + x * x * cxx + y * y * cyy) >> 10
    }

    /// The same for all pixels, row by row.
    pub(super) fn all(&self) -> [i32; PIXELS] {
        let [cx, cy, cxy, cxx, cyy] = self.0.map(i32::from);
        let mut all = [0; PIXELS];
        for (y, row) in (0i32..).zip(all.as_chunks_mut::<SIDE>().0) {
            let (start, step) = (y * cy * 32 + y * y * cyy, cx * 32 + y * cxy);
            for (x, value) in (0i32..).zip(row) {
                *value = (start + x * (step + x * cxx)) >> 10;
            }
        }
        all
    }

    /// The least and the greatest value over the block: a little more than they are, never less.
    pub(super) fn range(&self) -> (i32, i32) {
        // A term is greatest at one of the ends of its range; 225 is 15 squared.
        let [cx, cy, cxy, cxx, cyy] = self.0.map(i32::from);
        let ends = [cx * 480, cy * 480, cxy * 225, cxx * 225, cyy * 225];
        let low: i32 = ends.iter().map(|&end| end.min(0)).sum();
        let high: i32 = ends.iter().map(|&end| end.max(0)).sum();
        (low >> 10, high >> 10)
    }

    /// The surface nearest to the values of a block.
    pub(super) fn through(values: &[i32; PIXELS]) -> Self {
        let first = values[0];
        // Sums over the rows for each column: of the value, of it times the row, of it times the row squared.
        let (mut s0, mut s1, mut s2) = ([0f32; SIDE], [0f32; SIDE], [0f32; SIDE]);
        for (y, row) in values.as_chunks::<SIDE>().0.iter().enumerate() {
            let w = y as f32 - MIDDLE;
            let ww = w * w - MEAN_SQUARE;
            for (((&value, s0), s1), s2) in row.iter().zip(&mut s0).zip(&mut s1).zip(&mut s2) {
                let value = value.wrapping_sub(first) as f32;
                *s0 += value;
                *s1 += value * w;
                *s2 += value * ww;
            }
        }
        let (mut u1, mut w1, mut uw, mut u2, mut w2) = (0f32, 0f32, 0f32, 0f32, 0f32);
        for x in 0..SIDE {
            let u = x as f32 - MIDDLE;
            u1 += s0[x] * u;
            u2 += s0[x] * (u * u - MEAN_SQUARE);
            w1 += s1[x];
            uw += s1[x] * u;
            w2 += s2[x];
        }
        let (u1, w1) = (u1 / (SIDE as f32 * SQUARES), w1 / (SIDE as f32 * SQUARES));
        let uw = uw / (SQUARES * SQUARES);
        let (u2, w2) = (u2 / (SIDE as f32 * FOURTHS), w2 / (SIDE as f32 * FOURTHS));
        // From centred coordinates to those that count from the first pixel: (x - m)² = x² - 2 m x + m².
        let cx = u1 - uw * MIDDLE - 2.0 * u2 * MIDDLE;
        let cy = w1 - uw * MIDDLE - 2.0 * w2 * MIDDLE;
        // What is beyond an i16 is clamped: the residuals then are wider.
        let held = |value: f32, unit: f32| (value * unit).round() as i16;
        Self([held(cx, 32.0), held(cy, 32.0), held(uw, 1024.0), held(u2, 1024.0), held(w2, 1024.0)])
    }
}

const MIDDLE: f32 = 7.5;
/// The mean of the squares of -7.5 to 7.5.
const MEAN_SQUARE: f32 = 21.25;
/// Their sum.
const SQUARES: f32 = 340.0;
/// The sum of the squares of (u² - 21.25).
const FOURTHS: f32 = 5712.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surface_is_found_again() {
        for coefficients in [[0i16; 5], [320, -640, 0, 0, 0], [100, 50, 1024, -2048, 512], [-3000, 2000, 33, 15, -70]] {
            let surface = Surface(coefficients);
            let all = surface.all();
            for (i, &value) in all.iter().enumerate() {
                assert_eq!(value, surface.at((i % SIDE) as u32, (i / SIDE) as u32));
            }
            let (low, high) = surface.range();
            assert!(all.iter().all(|value| (low..=high).contains(value)), "{coefficients:?}");
            let again = Surface::through(&all).all();
            assert!(all.iter().zip(again).all(|(a, b)| (a - b).abs() <= 2), "{coefficients:?}");
        }
    }

    #[test]
    fn the_constants_are_the_sums_that_they_stand_for() {
        let u = || (0..SIDE).map(|x| x as f32 - MIDDLE);
        assert_eq!(u().map(|u| u * u).sum::<f32>(), SQUARES);
        assert_eq!(SQUARES / SIDE as f32, MEAN_SQUARE);
        assert_eq!(u().map(|u| (u * u - MEAN_SQUARE).powi(2)).sum::<f32>(), FOURTHS);
    }
}
