//! Exact distances between pixels.
//!
//! A. Meijster, J. Roerdink, W. Hesselink, *A general algorithm for computing distance transforms in linear time* (2000).

/// The longest side of a square: so that squares of distances fit into 31 bits.
const MAX_SIDE: usize = 1 << 13;

/// The squared distance, in pixels, from every pixel of a square of `side` pixels to the nearest one where `is` holds, row by
/// row; `u32::MAX` where it holds nowhere. Time and memory go with the number of pixels, about 10 ns and 8 bytes each.
///
/// # Panics
/// Where the side is longer than 8192 pixels.
#[must_use]
pub fn squared_distances(side: usize, is: impl Fn(usize) -> bool) -> Vec<u32> {
    assert!(side <= MAX_SIDE, "at most {MAX_SIDE} pixels a side");
    // Along columns first, row by row: distances to the nearest one above or below; beyond the square where there is none.
    let none = 2 * side as i32 + 1;
    let mut along = vec![none; side * side];
    for y in 0..side {
        let (before, line) = along[y.saturating_sub(1) * side..].split_at_mut(if y > 0 { side } else { 0 });
        for (x, value) in line[..side].iter_mut().enumerate() {
            let above = before.get(x).map_or(none, |&d| (d + 1).min(none));
            *value = if is(y * side + x) { 0 } else { above };
        }
    }
    for y in (1..side).rev() {
        let (line, below) = along[(y - 1) * side..].split_at_mut(side);
        for (value, &below) in line.iter_mut().zip(&below[..side]) {
            *value = (*value).min(below + 1);
        }
    }
    // Then along rows: the lower envelope of the parabolas over its pixels.
    let mut out = vec![u32::MAX; side * side];
    let mut hull: Vec<(i32, i32, i32)> = Vec::with_capacity(side);
    for (line, out) in along.chunks_exact(side.max(1)).zip(out.chunks_exact_mut(side.max(1))) {
        // Tops of parabolas: where they stand, their height, and the first pixel where they are the lowest.
        hull.clear();
        for (x, &height) in (0i32..).zip(line).filter(|(_, height)| **height < none) {
            let first = loop {
                let Some(&(top, low, from)) = hull.last() else { break 0 };
                let (here, there) = (height * height, low * low);
                if (from - top).pow(2) + there > (from - x).pow(2) + here {
                    hull.pop();
                } else {
                    break 1 + (x * x - top * top + here - there).div_euclid(2 * (x - top));
                }
            };
            if first < side as i32 {
                hull.push((x, height, first));
            }
        }
        let mut end = side;
        for &(top, height, from) in hull.iter().rev() {
            let from = from as usize;
            for (x, out) in (from as i32..).zip(&mut out[from..end]) {
                *out = ((x - top).pow(2) + height * height) as u32;
            }
            end = from;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn distances_are_those_of_a_search(side in 1usize..20, set in prop::collection::vec(prop::bool::weighted(0.04), 400)) {
            let found = squared_distances(side, |at| set[at]);
            for (at, &distance) in found.iter().enumerate() {
                let apart = |o: usize| (o % side).abs_diff(at % side).pow(2) + (o / side).abs_diff(at / side).pow(2);
                let want = (0..side * side).filter(|&o| set[o]).map(apart).min().map_or(u32::MAX, |d| d as u32);
                prop_assert_eq!(distance, want);
            }
        }
    }
}
