//! A coarser tile from finer ones.

use super::{ElevationTile, NO_SOURCE};

/// Writes a quadrant (0 north-west, 1 north-east, 2 south-west, 3 south-east) of a parent: each pixel is the mean of the
/// valid pixels of the child's 2x2 block. Sums are in f64, in the order of rows.
///
/// # Panics
/// Where the tiles differ in size or the size is odd.
pub fn downsample_into(parent: &mut ElevationTile, quadrant: usize, child: &ElevationTile) {
    assert_eq!(parent.size, child.size, "parent and child are of one size");
    let side = parent.size as usize;
    assert!(side.is_multiple_of(2), "tiles have an even size");
    let (half, full) = (side / 2, child.is_full());
    let (dx, dy) = ((quadrant & 1) * half, (quadrant >> 1) * half);
    for y in 0..half {
        let line = (y + dy) * side + dx;
        let (values, valid) = (&mut parent.values[line..line + half], &mut parent.valid[line..line + half]);
        let (north, south) = (2 * y * side..(2 * y + 1) * side, (2 * y + 1) * side..(2 * y + 2) * side);
        let pairs = child.values[north.clone()].chunks_exact(2).zip(child.values[south.clone()].chunks_exact(2));
        if full {
            for (value, (n, s)) in values.iter_mut().zip(pairs) {
                let sum = f64::from(n[0]) + f64::from(n[1]) + f64::from(s[0]) + f64::from(s[1]);
                *value = (sum * 0.25) as f32;
            }
            valid.fill(1);
            continue;
        }
        let masks = child.valid[north].chunks_exact(2).zip(child.valid[south].chunks_exact(2));
        // Pixels without a value hold 0, so that they add nothing; without branches.
        for (((value, valid), (n, s)), (nm, sm)) in values.iter_mut().zip(valid).zip(pairs).zip(masks) {
            let held = |v: f32, ok: u8| if ok == 1 { f64::from(v) } else { 0.0 };
            let sum = held(n[0], nm[0]) + held(n[1], nm[1]) + held(s[0], sm[0]) + held(s[1], sm[1]);
            let count = nm[0] + nm[1] + sm[0] + sm[1];
            *value = if count > 0 { (sum / f64::from(count)) as f32 } else { *value };
            *valid |= u8::from(count > 0);
        }
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
