//! A packed R-tree over rows that lie in Hilbert order.
//!
//! Nodes hold 16 boxes as four arrays of `u32` steps (see [`grid`](super::grid)): 256 bytes a node, four cache lines.
//! Levels follow one another from the root down, and the place of a node follows from the number of rows alone; so
//! there is nothing to parse and nothing that could point astray. Row numbers are positions in the lowest level. A
//! node that lies inside the query gives all its rows as one range without looking at them.

use std::ops::Range;

use super::grid::Steps;
use crate::error::{Error, Result};
use crate::tile::Bounds;

/// Boxes in a node.
pub const FAN_OUT: usize = 16;
/// `u32` values in a node: west, south, east, north edges of its boxes.
const NODE: usize = FAN_OUT * 4;

/// How many nodes each level has, the root first; empty for no rows.
fn levels(rows: usize) -> Vec<usize> {
    let mut counts = Vec::new();
    let mut boxes = rows;
    while boxes > 0 {
        let nodes = boxes.div_ceil(FAN_OUT);
        counts.push(nodes);
        boxes = if nodes == 1 { 0 } else { nodes };
    }
    counts.reverse();
    counts
}

/// How many `u32` values the tree of this many rows has.
#[must_use]
pub fn length(rows: usize) -> usize {
    levels(rows).iter().sum::<usize>() * NODE
}

/// Builds the tree over boxes in row order. O(n); the result is [`length`] values.
#[must_use]
pub fn build(bounds: impl ExactSizeIterator<Item = Bounds>) -> Vec<u32> {
    let counts = levels(bounds.len());
    let mut boxes: Vec<Steps> = bounds.map(|b| Steps::from(&b)).collect();
    let mut out_levels = Vec::new();
    for &nodes in counts.iter().rev() {
        let mut level = Vec::with_capacity(nodes * NODE);
        let mut parents = Vec::with_capacity(nodes);
        for node in boxes.chunks(FAN_OUT) {
            // An empty place overlaps nothing: its west lies east of its east.
            let mut arrays = [[u32::MAX; FAN_OUT], [u32::MAX; FAN_OUT], [0; FAN_OUT], [0; FAN_OUT]];
            let mut all = Steps { min_x: u32::MAX, min_y: u32::MAX, max_x: 0, max_y: 0 };
            for (i, b) in node.iter().enumerate() {
                (arrays[0][i], arrays[1][i], arrays[2][i], arrays[3][i]) = (b.min_x, b.min_y, b.max_x, b.max_y);
                all = Steps {
                    min_x: all.min_x.min(b.min_x),
                    min_y: all.min_y.min(b.min_y),
                    max_x: all.max_x.max(b.max_x),
                    max_y: all.max_y.max(b.max_y),
                };
            }
            arrays.iter().for_each(|a| level.extend_from_slice(a));
            parents.push(all);
        }
        out_levels.push(level);
        boxes = parents;
    }
    out_levels.into_iter().rev().flatten().collect()
}

/// What a search found: consecutive rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// All of these rows lie inside the query.
    Inside(Range<u32>),
    /// This row overlaps or touches the query in steps; the exact columns decide.
    Maybe(u32),
}

/// The tree over the values of its section.
#[derive(Debug, Clone, Copy)]
pub struct RTree<'a> {
    values: &'a [u32],
    rows: usize,
}

impl<'a> RTree<'a> {
    /// A view of the tree over `rows` rows.
    ///
    /// # Errors
    /// Where the number of values is not the one that belongs to the rows.
    pub fn new(values: &'a [u32], rows: usize) -> Result<Self> {
        if values.len() == length(rows) {
            return Ok(Self { values, rows });
        }
        let problem = format!("has {} values, {} expected for {rows} rows", values.len(), length(rows));
        Err(Error::invalid("section \"record.tree\"", problem, "build the store again"))
    }

    /// Gives every row that may overlap `query` (or touch it), in row order. Visits O(log n + answers) nodes.
    pub fn search(&self, query: &Bounds, mut found: impl FnMut(Found)) {
        let counts = levels(self.rows);
        // starts[l]: the first value of level l; rows below one box of level l: FAN_OUT^(levels - 1 - l).
        let mut starts = [0usize; 16];
        let mut at = 0;
        for (level, &nodes) in counts.iter().enumerate() {
            starts[level] = at;
            at += nodes * NODE;
        }
        let q = Steps::from(query);
        let depth = counts.len();
        if depth == 0 {
            return;
        }
        // A path of (level, node, boxes not visited yet); at most one entry a level.
        let mut path = [(0usize, 0u32); 16];
        let mut level = 0;
        path[0] = (0, self.hits(starts[0], 0, &q));
        loop {
            let (node, mask) = path[level];
            if mask == 0 {
                if level == 0 {
                    return;
                }
                level -= 1;
                continue;
            }
            let slot = mask.trailing_zeros() as usize;
            path[level].1 = mask & (mask - 1);
            let child = node * FAN_OUT + slot;
            if level + 1 == depth {
                if child < self.rows {
                    found(if self.inside(starts[level], node, slot, &q) {
                        Found::Inside(child as u32..child as u32 + 1)
                    } else {
                        Found::Maybe(child as u32)
                    });
                }
            } else if self.inside(starts[level], node, slot, &q) {
                let width = FAN_OUT.pow((depth - 1 - level) as u32);
                let first = (child * width).min(self.rows);
                found(Found::Inside(first as u32..(first + width).min(self.rows) as u32));
            } else if child < counts[level + 1] {
                level += 1;
                path[level] = (child, self.hits(starts[level], child, &q));
            }
        }
    }

    /// One bit for each box of a node that overlaps or touches the query.
    fn hits(&self, start: usize, node: usize, q: &Steps) -> u32 {
        let Some(values) = self.values.get(start + node * NODE..start + (node + 1) * NODE) else { return 0 };
        let (west, rest) = values.split_at(FAN_OUT);
        let (south, rest) = rest.split_at(FAN_OUT);
        let (east, north) = rest.split_at(FAN_OUT);
        let mut mask = 0;
        for i in 0..FAN_OUT {
            let hit = (west[i] <= q.max_x) & (south[i] <= q.max_y) & (east[i] >= q.min_x) & (north[i] >= q.min_y);
            mask |= u32::from(hit) << i;
        }
        mask
    }

    /// True where the box lies strictly inside the query in steps, and so in metres as well.
    fn inside(&self, start: usize, node: usize, slot: usize, q: &Steps) -> bool {
        let at = |array: usize| self.values.get(start + node * NODE + array * FAN_OUT + slot).copied();
        let (Some(west), Some(south), Some(east), Some(north)) = (at(0), at(1), at(2), at(3)) else { return false };
        q.min_x < west && q.min_y < south && east < q.max_x && north < q.max_y
    }

    /// Checks that each box lies inside its parent's and that the lowest level holds the rows' boxes.
    ///
    /// # Errors
    /// Names the first level and node where that does not hold. Reads the whole tree.
    pub fn verify(&self, bounds: impl ExactSizeIterator<Item = Bounds>) -> Result<()> {
        if build(bounds) == self.values {
            return Ok(());
        }
        Err(Error::invalid(
            "section \"record.tree\"",
            "its boxes are not those of the records",
            "build the store again",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn brute(boxes: &[Bounds], q: &Bounds) -> Vec<u32> {
        (0..boxes.len() as u32).filter(|&i| boxes[i as usize].overlaps(q)).collect()
    }

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(
            raw in prop::collection::vec((-2.1e7f64..2.1e7, -2.1e7f64..2.1e7, 0.001f64..3e6, 0.001f64..3e6), 0..600),
            query in (-2.1e7f64..2.1e7, -2.1e7f64..2.1e7, 0.0f64..3e7, 0.0f64..3e7),
        ) {
            let boxes: Vec<Bounds> = raw.iter().map(|&(x, y, w, h)| Bounds::new(x, y, x + w, y + h)).collect();
            let values = build(boxes.iter().copied());
            let tree = RTree::new(&values, boxes.len()).unwrap();
            let q = Bounds::new(query.0, query.1, query.0 + query.2, query.1 + query.3);
            let mut rows = Vec::new();
            tree.search(&q, |f| match f {
                Found::Inside(r) => rows.extend(r),
                Found::Maybe(r) => if boxes[r as usize].overlaps(&q) { rows.push(r) },
            });
            prop_assert_eq!(rows, brute(&boxes, &q));
            tree.verify(boxes.iter().copied()).unwrap();
        }
    }

    #[test]
    fn survives_values_that_are_noise() {
        let values: Vec<u32> = (0..length(5000) as u32).map(|i| i.wrapping_mul(2_654_435_761)).collect();
        let tree = RTree::new(&values, 5000).unwrap();
        tree.search(&Bounds::new(-1e7, -1e7, 1e7, 1e7), |f| match f {
            Found::Inside(r) => assert!(r.end <= 5000),
            Found::Maybe(r) => assert!(r < 5000),
        });
        assert!(RTree::new(&values[1..], 5000).is_err());
    }
}
