//! Exact distances between pixels.
//!
//! A. Meijster, J. Roerdink, W. Hesselink, *A general algorithm for computing distance transforms in linear time* (2000).

/// The squared distance, in pixels, from every pixel of a square of `side` pixels to the nearest one where `is` holds, row by
/// row; `u32::MAX` where it holds nowhere. Time and memory go with the number of pixels.
#[must_use]
pub fn squared_distances(side: usize, is: impl Fn(usize) -> bool) -> Vec<u32> {
    // Along columns first: distances to the nearest one above or below; beyond the square where there is none.
    let none = 2 * side as i64 + 1;
    let mut along = vec![none; side * side];
    for x in 0..side {
        let mut last = None;
        for y in 0..side {
            if is(y * side + x) {
                last = Some(y);
            }
            if let Some(last) = last {
                along[y * side + x] = (y - last) as i64;
            }
        }
        let mut next: Option<usize> = None;
        for y in (0..side).rev() {
            if along[y * side + x] == 0 {
                next = Some(y);
            }
            if let Some(next) = next {
                let at = y * side + x;
                along[at] = along[at].min((next - y) as i64);
            }
        }
    }
    // Then along rows: the lower envelope of the parabolas over its pixels.
    let mut out = vec![u32::MAX; side * side];
    let (mut tops, mut from) = (vec![0usize; side], vec![0i64; side]);
    for y in 0..side {
        let line = &along[y * side..(y + 1) * side];
        let height = |x: i64, top: usize| (x - top as i64).pow(2) + line[top].pow(2);
        let mut count = 0;
        for x in 0..side {
            while count > 0 && height(from[count - 1], tops[count - 1]) > height(from[count - 1], x) {
                count -= 1;
            }
            if count == 0 {
                (tops[0], from[0], count) = (x, 0, 1);
                continue;
            }
            let (a, b) = (tops[count - 1], x);
            let (a_sq, b_sq) = ((a * a) as i64 + line[a].pow(2), (b * b) as i64 + line[b].pow(2));
            let first = 1 + (b_sq - a_sq).div_euclid(2 * (b - a) as i64);
            if first < side as i64 {
                (tops[count], from[count]) = (x, first);
                count += 1;
            }
        }
        for x in (0..side).rev() {
            let found = height(x as i64, tops[count - 1]);
            if found < none * none {
                out[y * side + x] = found as u32;
            }
            if from[count - 1] == x as i64 {
                count -= 1;
            }
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
