//! Where the nodes of each level lie.

use super::FAN_OUT;

/// Levels that 2^32 rows need.
pub(super) const MAX_DEPTH: usize = 8;

/// How many nodes each level has and where it starts, the root first. Follows from the number of rows alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) depth: usize,
    pub(super) nodes: [usize; MAX_DEPTH],
    /// The first node of each level, counted through all levels.
    pub(super) first: [usize; MAX_DEPTH],
    /// Nodes of all levels.
    pub(super) total: usize,
}

impl Levels {
    pub(super) fn of(rows: usize) -> Self {
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

    /// Rows below one node of a level.
    pub(super) fn rows_below(&self, level: usize) -> usize {
        FAN_OUT.pow((self.depth - level) as u32)
    }
}
