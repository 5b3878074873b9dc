//! Boxes by their distance from a point.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::{FAN_OUT, RTree};
use crate::index::grid;
use crate::tile::Bounds;

/// Gives rows in the order of their distance from something, nearest first, one by one: best-first search (Hjaltason and
/// Samet, "Distance browsing in spatial databases", 1999).
///
/// Boxes in nodes are rounded outwards, so their distance is never too large; a row is given once no node can be nearer. A row's own
/// distance is asked for where its turn comes by that of its box, which spares most rows of a node.
pub struct Nearest<'a, N, D> {
    tree: RTree<'a>,
    near: N,
    exact: D,
    heap: BinaryHeap<Entry>,
}

/// Nodes before rows at one distance, so that every row of a distance is known before the first is given.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    distance: f64,
    /// The level of a node; the depth of the tree for a row that is known by its box; `u32::MAX` for a row whose distance is its own, and
    /// whose `tie` then decides.
    level: u32,
    tie: u32,
    place: u32,
}

const ROW: u32 = u32::MAX;

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives its largest entry first.
        other
            .distance
            .total_cmp(&self.distance)
            .then((other.level == ROW).cmp(&(self.level == ROW)))
            .then(other.tie.cmp(&self.tie))
            .then(other.place.cmp(&self.place))
    }
}

impl<'a> RTree<'a> {
    /// Rows by distance. `near` gives the distance of a box, which must be no larger than that of anything in the box; boxes
    /// whose distance is not a number are left out with all they hold. `exact` gives a row's own distance and what decides
    /// between rows at the same distance, the smaller first.
    pub fn nearest<N, D>(&self, near: N, exact: D) -> Nearest<'a, N, D>
    where
        N: Fn(&Bounds) -> f64,
        D: FnMut(u32) -> (f64, u32),
    {
        let mut heap = BinaryHeap::new();
        if self.levels.depth > 0 {
            heap.push(Entry { distance: 0.0, level: 0, tie: 0, place: 0 });
        }
        Nearest { tree: *self, near, exact, heap }
    }
}

impl<N: Fn(&Bounds) -> f64, D: FnMut(u32) -> (f64, u32)> Iterator for Nearest<'_, N, D> {
    /// A row and its distance.
    type Item = (u32, f64);

    fn next(&mut self) -> Option<(u32, f64)> {
        loop {
            let entry = self.heap.pop()?;
            if entry.level == ROW {
                return Some((entry.place, entry.distance));
            }
            let levels = &self.tree.levels;
            let level = entry.level as usize;
            if level == levels.depth {
                let (distance, tie) = (self.exact)(entry.place);
                let row = Entry { distance, level: ROW, tie, place: entry.place };
                if self.heap.peek().is_none_or(|next| row > *next) {
                    return Some((row.place, row.distance));
                }
                self.heap.push(row);
                continue;
            }
            let Some(node) = self.tree.nodes.get(levels.first[level] + entry.place as usize) else { continue };
            let places = if level + 1 == levels.depth { self.tree.rows } else { levels.nodes[level + 1] };
            let first = entry.place as usize * FAN_OUT;
            for slot in 0..FAN_OUT.min(places.saturating_sub(first)) {
                let [west, south, east, north] = node.map(|array| array[slot]);
                // A step holds every coordinate from its own lower edge to that of the next one.
                let (low, high) = (grid::lower_edge, grid::upper_edge);
                let distance = (self.near)(&Bounds::new(low(west), low(south), high(east), high(north)));
                if !distance.is_nan() {
                    self.heap.push(Entry { distance, level: entry.level + 1, tie: 0, place: (first + slot) as u32 });
                }
            }
        }
    }
}

impl<N, D> std::fmt::Debug for Nearest<'_, N, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nearest").field("open", &self.heap.len()).finish_non_exhaustive()
    }
}
