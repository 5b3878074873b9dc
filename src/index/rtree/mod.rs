//! A packed R-tree over rows that lie in Hilbert order.
//!
//! Nodes hold 16 boxes as four arrays of `u32` steps (see [`grid`](super::grid)): 256 bytes a node, four cache lines.
//! Levels follow one another from the root down, and the place of a node follows from the number of rows alone; so
//! there is nothing to parse, and no pointer that could be wrong. Row numbers are positions in the lowest level.
//!
//! A search goes down level by level and asks for the lines of a level's nodes before it needs the first of them. A
//! node that lies inside the query gives all its rows as one range without looking at them, and a row whose box
//! overlaps the query by a whole step needs no look at its exact footprint.

mod build;
mod closest;
mod levels;
mod nearest;
mod node;
mod search;

pub use build::{Builder, build, length, lowest_level};
pub use closest::Target;
pub use nearest::Nearest;
pub use search::{BATCH, Found};

use super::grid::{lower_edge, upper_edge};
use crate::error::{Error, Result};
use crate::tile::{Bounds, web_mercator};
use levels::Levels;
use node::Node;

/// Boxes in a node.
pub const FAN_OUT: usize = 16;
/// `u32` values in a node: west, south, east, north edges of its boxes.
pub const NODE: usize = FAN_OUT * 4;

/// The tree over the values of its section.
#[derive(Debug, Clone, Copy)]
pub struct RTree<'a> {
    values: &'a [u32],
    nodes: &'a [Node],
    rows: usize,
    levels: Levels,
}

/// The levels of the tree over a number of rows. Computed once where a tree is searched often.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    rows: usize,
    levels: Levels,
}

impl Shape {
    /// The shape of the tree over this many rows.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self { rows, levels: Levels::of(rows) }
    }
}

impl<'a> RTree<'a> {
    /// A view of the tree over `rows` rows.
    ///
    /// # Errors
    /// Where the number of values is not the one that belongs to the rows.
    pub fn new(values: &'a [u32], rows: usize) -> Result<Self> {
        Self::shaped(values, &Shape::new(rows))
    }

    /// A view of the tree of this shape.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn shaped(values: &'a [u32], shape: &Shape) -> Result<Self> {
        let Shape { rows, levels } = *shape;
        if values.len() == levels.total * NODE {
            return Ok(Self { values, nodes: bytemuck::cast_slice(values), rows, levels });
        }
        let problem = format!("has {} values, {} expected for {rows} rows", values.len(), levels.total * NODE);
        Err(Error::invalid("section \"record.tree\"", problem, "build the store again"))
    }

    /// The memory that the tree takes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        bytemuck::cast_slice(self.values)
    }

    /// The box around all rows, within two steps (19 mm); `None` where there are none. Reads the root.
    #[must_use]
    pub fn extent(&self) -> Option<Bounds> {
        let [west, south, east, north] = self.nodes.first().filter(|_| self.rows > 0)?;
        let of = |i: usize| (west[i] <= east[i]).then(|| [west[i], south[i], east[i], north[i]]);
        let all = (0..FAN_OUT).filter_map(of);
        let [west, south, east, north] =
            all.reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])])?;
        let half = web_mercator::HALF_WORLD;
        let (low, high) = (|step| lower_edge(step).max(-half), |step| upper_edge(step).min(half));
        Some(Bounds::new(low(west), low(south), high(east), high(north)))
    }

    /// Checks that each box lies inside its parent's and that the lowest level holds the rows' boxes.
    ///
    /// # Errors
    /// Where that does not hold. Reads the whole tree.
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
mod tests;
