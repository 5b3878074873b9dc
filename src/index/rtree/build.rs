//! Writing a tree, box by box.

use super::levels::{Levels, MAX_DEPTH};
use super::{FAN_OUT, NODE};
use crate::index::grid::Steps;
use crate::tile::Bounds;

/// How many `u32` values the tree of this many rows has.
#[must_use]
pub fn length(rows: usize) -> usize {
    Levels::of(rows).total * NODE
}

/// The position of the first value of the lowest level, which is the last and largest one.
#[must_use]
pub fn lowest_level(rows: usize) -> usize {
    let levels = Levels::of(rows);
    levels.depth.checked_sub(1).map_or(0, |lowest| levels.first[lowest] * NODE)
}

/// Builds the tree over boxes in row order. O(n); the result is [`length`] values.
#[must_use]
pub fn build(bounds: impl ExactSizeIterator<Item = Bounds>) -> Vec<u32> {
    let mut values = vec![0; length(bounds.len())];
    let mut builder = Builder::new(bounds.len());
    let mut put = |place: usize, node: &[u32; NODE]| values[place..place + NODE].copy_from_slice(node);
    bounds.for_each(|b| builder.add(&b, &mut put));
    builder.finish(&mut put);
    values
}

/// Builds a tree while the rows come in: one open node for each level is all the memory it takes.
#[derive(Debug)]
pub struct Builder {
    levels: Levels,
    /// The node that is being filled on each level, its place in the level and how many boxes it has.
    open: [([u32; NODE], usize, usize); MAX_DEPTH],
}

/// A node without boxes. An empty place overlaps nothing: its west lies east of its east.
const EMPTY: [u32; NODE] = {
    let mut node = [u32::MAX; NODE];
    let mut i = NODE / 2;
    while i < NODE {
        node[i] = 0;
        i += 1;
    }
    node
};

impl Builder {
    /// A tree for exactly this many rows.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self { levels: Levels::of(rows), open: [(EMPTY, 0, 0); MAX_DEPTH] }
    }

    /// Adds the box of the next row. `put` gets each finished node and the position of its first value in the section.
    pub fn add(&mut self, bounds: &Bounds, put: &mut impl FnMut(usize, &[u32; NODE])) {
        if let Some(lowest) = self.levels.depth.checked_sub(1) {
            self.push(lowest, Steps::from(bounds), put);
        }
    }

    fn push(&mut self, level: usize, b: Steps, put: &mut impl FnMut(usize, &[u32; NODE])) {
        let (node, _, used) = &mut self.open[level];
        for (array, value) in [b.min_x, b.min_y, b.max_x, b.max_y].into_iter().enumerate() {
            node[array * FAN_OUT + *used] = value;
        }
        *used += 1;
        if *used == FAN_OUT {
            self.close(level, put);
        }
    }

    fn close(&mut self, level: usize, put: &mut impl FnMut(usize, &[u32; NODE])) {
        let (node, place, _) = self.open[level];
        if place >= self.levels.nodes[level] {
            return;
        }
        put((self.levels.first[level] + place) * NODE, &node);
        self.open[level] = (EMPTY, place + 1, 0);
        if let Some(parent) = level.checked_sub(1) {
            let edge = |array: usize| node[array * FAN_OUT..][..FAN_OUT].iter().copied();
            // Empty places hold what changes neither a smallest nor a largest edge.
            let all = Steps {
                min_x: edge(0).min().unwrap_or(u32::MAX),
                min_y: edge(1).min().unwrap_or(u32::MAX),
                max_x: edge(2).max().unwrap_or(0),
                max_y: edge(3).max().unwrap_or(0),
            };
            self.push(parent, all, put);
        }
    }

    /// Writes the nodes that are not full.
    pub fn finish(mut self, put: &mut impl FnMut(usize, &[u32; NODE])) {
        for level in (0..self.levels.depth).rev() {
            if self.open[level].2 > 0 {
                self.close(level, put);
            }
        }
    }
}
