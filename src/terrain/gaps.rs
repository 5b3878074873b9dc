//! Small voids filled by interpolation.

use super::ElevationTile;

/// The eight directions, and the length of a step.
const DIRECTIONS: [(i64, i64, f64); 8] = {
    const D: f64 = std::f64::consts::SQRT_2;
    [(1, 0, 1.0), (-1, 0, 1.0), (0, 1, 1.0), (0, -1, 1.0), (1, 1, D), (-1, -1, D), (1, -1, D), (-1, 1, D)]
};

/// Fills each void that fits into a square of `pixels` pixels a side, lies wholly inside of the plane and holds no pixel that
/// nothing is known of (`unknown`); gives `each` its pixels. A void is a set of pixels without a value that touch at edges or
/// corners.
///
/// A pixel becomes the mean of the first values in the eight directions, by the inverse of their distances; opposite ones
/// together keep a slope. Then the void is smoothed, once a pixel of its width, as a membrane that hangs in its rim.
pub fn fill_gaps(
    plane: &mut ElevationTile,
    pixels: usize,
    unknown: impl Fn(usize) -> bool,
    mut each: impl FnMut(usize),
) {
    let side = plane.size as usize;
    let mut seen = plane.valid.clone();
    let mut void = Vec::new();
    for start in 0..side * side {
        if seen[start] != 0 {
            continue;
        }
        void.clear();
        void.push(start);
        seen[start] = 1;
        let (mut low, mut high, mut closed, mut next) = ((side, side), (0, 0), true, 0);
        while let Some(&at) = void.get(next) {
            next += 1;
            let (x, y) = (at % side, at / side);
            low = (low.0.min(x), low.1.min(y));
            high = (high.0.max(x), high.1.max(y));
            closed &= x > 0 && y > 0 && x + 1 < side && y + 1 < side && !unknown(at);
            for (dx, dy, _) in DIRECTIONS {
                let (nx, ny) = (x as i64 + dx, y as i64 + dy);
                if (0..side as i64).contains(&nx) && (0..side as i64).contains(&ny) {
                    let near = ny as usize * side + nx as usize;
                    if seen[near] == 0 {
                        seen[near] = 1;
                        void.push(near);
                    }
                }
            }
        }
        let width = (high.0 - low.0).max(high.1 - low.1) + 1;
        if closed && width <= pixels {
            void.sort_unstable();
            interpolate(plane, &void, width);
            void.iter().for_each(|&at| each(at));
        }
    }
}

/// Gives the pixels of one closed void values.
fn interpolate(plane: &mut ElevationTile, void: &[usize], width: usize) {
    let side = plane.size as i64;
    let mut values: Vec<f64> = void
        .iter()
        .map(|&at| {
            let (mut sum, mut weight) = (0.0, 0.0);
            for (dx, dy, step) in DIRECTIONS {
                let (mut here, mut distance) = (at as i64, 0.0);
                // The rim closes the void, so that each way ends.
                while plane.valid[here as usize] == 0 {
                    here += dy * side + dx;
                    distance += step;
                }
                sum += f64::from(plane.values[here as usize]) / distance;
                weight += 1.0 / distance;
            }
            sum / weight
        })
        .collect();
    let set = |plane: &mut ElevationTile, values: &[f64]| {
        void.iter().zip(values).for_each(|(&at, &value)| plane.values[at] = value as f32);
    };
    set(plane, &values);
    let side = side as usize;
    for _ in 0..width {
        for (value, &at) in values.iter_mut().zip(void) {
            let around = [at - 1, at + 1, at - side, at + side];
            *value = around.map(|near| f64::from(plane.values[near])).iter().sum::<f64>() / 4.0;
        }
        set(plane, &values);
    }
    void.iter().for_each(|&at| plane.valid[at] = 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tilted(side: usize) -> ElevationTile {
        let mut tile = ElevationTile::empty(side as u32);
        for at in 0..side * side {
            (tile.values[at], tile.valid[at]) = ((at % side) as f32 * 2.0 - (at / side) as f32, 1);
        }
        tile
    }

    #[test]
    fn small_voids_continue_the_slope_and_large_or_open_ones_stay() {
        let whole = tilted(40);
        let mut holed = whole.clone();
        let mut dig = |x: std::ops::Range<usize>, y: std::ops::Range<usize>| {
            y.for_each(|y| x.clone().for_each(|x| (holed.valid[y * 40 + x], holed.values[y * 40 + x]) = (0, 0.0)));
        };
        dig(5..9, 5..8); // small
        dig(9..10, 8..9); // touches it at a corner
        dig(20..26, 5..7); // too wide
        dig(0..2, 20..22); // reaches the edge
        dig(30..32, 30..32); // one of its pixels is not known
        let unknown = |at: usize| at == 31 * 40 + 31;
        let mut filled = Vec::new();
        fill_gaps(&mut holed, 5, unknown, |at| filled.push(at));
        assert_eq!(filled.len(), 13);
        for at in filled {
            assert_eq!(holed.valid[at], 1);
            assert!((holed.values[at] - whole.values[at]).abs() < 1e-4, "{at}");
        }
        assert_eq!(holed.valid.iter().filter(|&&v| v == 0).count(), 12 + 4 + 4);
        fill_gaps(&mut holed, 6, unknown, |_| {});
        assert_eq!(holed.valid.iter().filter(|&&v| v == 0).count(), 4 + 4);
    }
}
