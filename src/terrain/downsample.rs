//! A coarser tile from finer ones.

use super::{ElevationTile, NO_SOURCE};

/// Pixels of the parent that are looked at together: few enough that most such blocks have data everywhere or nowhere, enough
/// for vector instructions.
const LANES: usize = 8;
const PAIRS: usize = 2 * LANES;

/// Writes a quadrant (0 north-west, 1 north-east, 2 south-west, 3 south-east) of a parent: each pixel is the mean of the
/// valid pixels of the child's 2x2 block. Sums are in f64, in the order of rows. Takes two to three times as long as copying the child.
///
/// # Panics
/// Where the tiles differ in size or the size is odd.
pub fn downsample_into(parent: &mut ElevationTile, quadrant: usize, child: &ElevationTile) {
    assert_eq!(parent.size, child.size, "parent and child are of one size");
    let side = parent.size as usize;
    assert!(side.is_multiple_of(2), "tiles have an even size");
    let half = side / 2;
    let (dx, dy) = ((quadrant & 1) * half, (quadrant >> 1) * half);
    let lines = child.values.chunks_exact(2 * side).zip(child.valid.chunks_exact(2 * side));
    for (y, (values, masks)) in lines.enumerate().take(half) {
        let line = (y + dy) * side + dx;
        let out = (&mut parent.values[line..line + half], &mut parent.valid[line..line + half]);
        mean_of_lines(out, values.split_at(side), masks.split_at(side));
    }
}

/// A line of means from two lines of values and masks.
fn mean_of_lines(out: (&mut [f32], &mut [u8]), (n, s): (&[f32], &[f32]), (nm, sm): (&[u8], &[u8])) {
    let ((values, last_values), (valid, last_valid)) = (out.0.as_chunks_mut::<LANES>(), out.1.as_chunks_mut::<LANES>());
    let ((n, last_n), (s, last_s)) = (n.as_chunks::<PAIRS>(), s.as_chunks::<PAIRS>());
    let ((nm, last_nm), (sm, last_sm)) = (nm.as_chunks::<PAIRS>(), sm.as_chunks::<PAIRS>());
    for (((value, valid), (n, s)), (nm, sm)) in values.iter_mut().zip(valid).zip(n.iter().zip(s)).zip(nm.iter().zip(sm))
    {
        let (north, south) = (u128::from_le_bytes(*nm), u128::from_le_bytes(*sm));
        if north & south == u128::from_le_bytes([1; PAIRS]) {
            for (value, (n, s)) in value.iter_mut().zip(n.as_chunks::<2>().0.iter().zip(s.as_chunks::<2>().0)) {
                let sum = f64::from(n[0]) + f64::from(n[1]) + f64::from(s[0]) + f64::from(s[1]);
                *value = (sum * 0.25) as f32;
            }
            *valid = [1; LANES];
        } else if north | south != 0 {
            mean_of_valid((value, valid), (n, s), (nm, sm));
        }
    }
    mean_of_valid((last_values, last_valid), (last_n, last_s), (last_nm, last_sm));
}

/// Means where some pixels have no value; without branches.
fn mean_of_valid(out: (&mut [f32], &mut [u8]), (n, s): (&[f32], &[f32]), (nm, sm): (&[u8], &[u8])) {
    let values = n.as_chunks::<2>().0.iter().zip(s.as_chunks::<2>().0);
    let masks = nm.as_chunks::<2>().0.iter().zip(sm.as_chunks::<2>().0);
    for (((value, valid), (n, s)), (nm, sm)) in out.0.iter_mut().zip(out.1).zip(values).zip(masks) {
        let held = |v: f32, ok: u8| if ok == 1 { f64::from(v) } else { 0.0 };
        let sum = held(n[0], nm[0]) + held(n[1], nm[1]) + held(s[0], sm[0]) + held(s[1], sm[1]);
        let count = nm[0] + nm[1] + sm[0] + sm[1];
        *value = if count > 0 { (sum / f64::from(count)) as f32 } else { *value };
        *valid |= u8::from(count > 0);
    }
}

/// Writes a quadrant of a parent's lineage: the source that most of the four pixels came from, of equal ones the one with
/// the higher priority (the smaller number). Pixels without a source do not count.
///
/// # Panics
/// Where a plane does not have `size * size` pixels or the size is odd.
pub fn downsample_lineage_into(parent: &mut [u8], size: u32, quadrant: usize, child: &[u8]) {
    each_block(size as usize, quadrant, |at, block| {
        let votes = |source: u8| block.iter().filter(|&&b| child[b] == source).count();
        let sources = block.iter().map(|&b| child[b]).filter(|&s| s != NO_SOURCE);
        if let Some(winner) = sources.max_by(|&a, &b| votes(a).cmp(&votes(b)).then(b.cmp(&a))) {
            parent[at] = winner;
        }
    });
}

/// Calls `each` with every pixel of a quadrant and the four pixels of the child that it stands for.
fn each_block(side: usize, quadrant: usize, mut each: impl FnMut(usize, [usize; 4])) {
    assert!(side.is_multiple_of(2), "tiles have an even size");
    let half = side / 2;
    let (dx, dy) = ((quadrant & 1) * half, (quadrant >> 1) * half);
    for y in 0..half {
        for x in 0..half {
            let b = 2 * y * side + 2 * x;
            each((y + dy) * side + x + dx, [b, b + 1, b + side, b + side + 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nodata_enters_no_mean() {
        let mut child = ElevationTile::empty(4);
        child.values = (0..16).map(|i| i as f32).collect();
        child.valid = vec![1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1];
        let mut parent = ElevationTile::empty(4);
        downsample_into(&mut parent, 3, &child);
        assert_eq!(parent.values[10], 2.5);
        assert_eq!((parent.valid[11], parent.valid[0]), (0, 0));
        assert_eq!((parent.values[14], parent.values[15], parent.valid_count()), (8.0, 15.0, 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn means_are_those_of_a_plain_loop(
            side in prop::sample::select(vec![2usize, 6, 16, 34, 64]),
            quadrant in 0usize..4,
            (kind, seed) in (0u32..4, any::<u32>()),
        ) {
            let mut child = ElevationTile::empty(side as u32);
            for at in 0..side * side {
                let noise = (at as u32 ^ seed).wrapping_mul(0x9e37_79b1) >> 8;
                // All, hardly any, most, or those on one side of a line; a value without its bit is anything.
                let valid = [true, noise.is_multiple_of(40), !noise.is_multiple_of(40), at % side < at / side + 3][kind as usize];
                (child.values[at], child.valid[at]) = (noise as f32 / 256.0 - 9000.0, u8::from(valid));
                if !valid && noise.is_multiple_of(2) {
                    child.values[at] = f32::NAN;
                }
            }
            let mut parent = ElevationTile::empty(side as u32);
            let mut expected = parent.clone();
            downsample_into(&mut parent, quadrant, &child);
            each_block(side, quadrant, |at, block| {
                let valid: Vec<f64> = block.iter().filter(|&&b| child.valid[b] == 1).map(|&b| child.values[b].into()).collect();
                if !valid.is_empty() {
                    let mean = valid.iter().sum::<f64>() / valid.len() as f64;
                    (expected.values[at], expected.valid[at]) = (mean as f32, 1);
                }
            });
            prop_assert_eq!(parent, expected);
        }
    }

    #[test]
    fn lineage_votes_and_ties() {
        let n = NO_SOURCE;
        let child = [1, 1, 2, 0, 1, 0, 0, 2, n, n, n, 3, n, n, 3, 4];
        let mut parent = [n; 16];
        downsample_lineage_into(&mut parent, 4, 0, &child);
        assert_eq!((parent[0], parent[1], parent[4], parent[5]), (1, 0, n, 3));
        assert!(parent[6..].iter().all(|&p| p == n));
    }
}
