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

/// Levels that 2^32 rows need.
const MAX_DEPTH: usize = 8;

/// How many nodes each level has and where it starts, the root first. Follows from the number of rows alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Levels {
    depth: usize,
    nodes: [usize; MAX_DEPTH],
    /// The first node of each level, counted through all levels.
    first: [usize; MAX_DEPTH],
    /// Nodes of all levels.
    total: usize,
}

impl Levels {
    fn of(rows: usize) -> Self {
        let (mut depth, mut boxes) = (0, rows);
        let mut nodes = [0; MAX_DEPTH];
        while boxes > 0 && depth < MAX_DEPTH {
            boxes = boxes.div_ceil(FAN_OUT);
            nodes[depth] = boxes;
            depth += 1;
            boxes = if boxes == 1 { 0 } else { boxes };
        }
        nodes[..depth].reverse();
        let (mut first, mut total) = ([0; MAX_DEPTH], 0);
        for level in 0..depth {
            first[level] = total;
            total += nodes[level];
        }
        Self { depth, nodes, first, total }
    }
}

/// How many `u32` values the tree of this many rows has.
#[must_use]
pub fn length(rows: usize) -> usize {
    Levels::of(rows).total * NODE
}

/// Builds the tree over boxes in row order. O(n); the result is [`length`] values.
#[must_use]
pub fn build(bounds: impl ExactSizeIterator<Item = Bounds>) -> Vec<u32> {
    let levels = Levels::of(bounds.len());
    let mut boxes: Vec<Steps> = bounds.map(|b| Steps::from(&b)).collect();
    let mut out_levels = Vec::new();
    for &nodes in levels.nodes[..levels.depth].iter().rev() {
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

/// A node: the western, southern, eastern and northern edges of its boxes.
type Node = [[u32; FAN_OUT]; 4];

/// The tree over the values of its section.
#[derive(Debug, Clone, Copy)]
pub struct RTree<'a> {
    values: &'a [u32],
    nodes: &'a [Node],
    rows: usize,
    levels: Levels,
}

impl<'a> RTree<'a> {
    /// A view of the tree over `rows` rows.
    ///
    /// # Errors
    /// Where the number of values is not the one that belongs to the rows.
    pub fn new(values: &'a [u32], rows: usize) -> Result<Self> {
        let levels = Levels::of(rows);
        if values.len() == levels.total * NODE {
            return Ok(Self { values, nodes: bytemuck::cast_slice(values), rows, levels });
        }
        let problem = format!("has {} values, {} expected for {rows} rows", values.len(), levels.total * NODE);
        Err(Error::invalid("section \"record.tree\"", problem, "build the store again"))
    }

    /// Gives every row that may overlap `query` (or touch it), in row order. Visits O(log n + answers) nodes.
    pub fn search(&self, query: &Bounds, mut found: impl FnMut(Found)) {
        let Levels { depth, nodes: counts, first, .. } = self.levels;
        if depth == 0 {
            return;
        }
        let q = Steps::from(query);
        // A path of (node, boxes that overlap and were not visited yet, boxes that lie inside), one for each level.
        let mut path = [(0usize, 0u32, 0u32); MAX_DEPTH];
        let mut level = 0;
        let (hits, inside) = self.hits(0, &q);
        path[0] = (0, hits, inside);
        loop {
            let (node, mask, inside) = path[level];
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
            let whole = inside >> slot & 1 == 1;
            if level + 1 == depth {
                if child < self.rows {
                    let row = child as u32;
                    found(if whole { Found::Inside(row..row + 1) } else { Found::Maybe(row) });
                }
            } else if whole {
                let width = FAN_OUT.pow((depth - 1 - level) as u32);
                let start = (child * width).min(self.rows);
                found(Found::Inside(start as u32..(start + width).min(self.rows) as u32));
            } else if child < counts[level + 1] {
                level += 1;
                let (hits, inside) = self.hits(first[level] + child, &q);
                path[level] = (child, hits, inside);
            }
        }
    }

    /// One bit for each box of a node that overlaps or touches the query, and one for each that lies strictly inside
    /// it in steps, and so in metres as well.
    #[inline]
    fn hits(&self, node: usize, q: &Steps) -> (u32, u32) {
        let Some([west, south, east, north]) = self.nodes.get(node) else { return (0, 0) };
        // Bytes first and bits then: the compiler turns both loops into a few vector instructions.
        let (mut hits, mut inside) = ([0u8; FAN_OUT], [0u8; FAN_OUT]);
        for i in 0..FAN_OUT {
            hits[i] =
                u8::from((west[i] <= q.max_x) & (south[i] <= q.max_y) & (east[i] >= q.min_x) & (north[i] >= q.min_y));
        }
        let hits = bits(hits);
        if hits == 0 {
            return (0, 0);
        }
        for i in 0..FAN_OUT {
            inside[i] =
                u8::from((west[i] > q.min_x) & (south[i] > q.min_y) & (east[i] < q.max_x) & (north[i] < q.max_y));
        }
        (hits, bits(inside))
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

/// The lowest bits of 16 bytes as one number.
#[inline]
fn bits(bytes: [u8; FAN_OUT]) -> u32 {
    // Eight bytes of 0 or 1, times a number that moves byte i to bit 56 + i without a carry.
    let half = |bytes: &[u8]| {
        let word = bytes.iter().rev().fold(0u64, |word, &b| word << 8 | u64::from(b));
        word.wrapping_mul(0x0102_0408_1020_4080) >> 56
    };
    (half(&bytes[..8]) | half(&bytes[8..]) << 8) as u32
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
    fn bytes_become_bits() {
        for n in 0..=u16::MAX {
            let bytes = std::array::from_fn(|i| (n >> i & 1) as u8);
            assert_eq!(bits(bytes), u32::from(n));
        }
    }

    #[test]
    fn levels_of_any_number_of_rows() {
        assert_eq!(Levels::of(0).total, 0);
        assert_eq!(
            (Levels::of(257).nodes, Levels::of(257).first[..3].to_vec()),
            ([1, 2, 17, 0, 0, 0, 0, 0], vec![0, 1, 3])
        );
        let most = Levels::of(u32::MAX as usize);
        assert_eq!((most.depth, most.nodes[0], most.nodes[7]), (8, 1, 1 << 28));
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
