//! Boxes by their distance from a point.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::{FAN_OUT, RTree};
use crate::index::grid;

/// Gives rows in the order of their distance from a point, nearest first, one by one: best-first search (Hjaltason and
/// Samet, "Distance browsing in spatial databases", 1999).
///
/// Boxes of nodes are rounded outwards, so their distance is never too large; a row is given once no node can be nearer.
pub struct Nearest<'a, D> {
    tree: RTree<'a>,
    point: (f64, f64),
    exact: D,
    heap: BinaryHeap<Entry>,
}

/// Nodes before rows at one distance, so that every row of a distance is known before the first is given.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    distance: f64,
    /// The level of a node; `u32::MAX` for a row, whose `tie` then decides.
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
    /// Rows by distance from a point in metres. `exact` gives a row's own distance and what decides between rows at the
    /// same distance, the smaller first.
    pub fn nearest<D: FnMut(u32) -> (f64, u32)>(&self, x: f64, y: f64, exact: D) -> Nearest<'a, D> {
        let mut heap = BinaryHeap::new();
        if self.levels.depth > 0 && x.is_finite() && y.is_finite() {
            heap.push(Entry { distance: 0.0, level: 0, tie: 0, place: 0 });
        }
        Nearest { tree: *self, point: (x, y), exact, heap }
    }
}

impl<D: FnMut(u32) -> (f64, u32)> Iterator for Nearest<'_, D> {
    /// A row and its distance in metres.
    type Item = (u32, f64);

    fn next(&mut self) -> Option<(u32, f64)> {
        loop {
            let entry = self.heap.pop()?;
            if entry.level == ROW {
                return Some((entry.place, entry.distance));
            }
            let levels = &self.tree.levels;
            let level = entry.level as usize;
            let Some(node) = self.tree.nodes.get(levels.first[level] + entry.place as usize) else { continue };
            let lowest = level + 1 == levels.depth;
            let places = if lowest { self.tree.rows } else { levels.nodes[level + 1] };
            for slot in 0..FAN_OUT {
                let place = entry.place as usize * FAN_OUT + slot;
                if place >= places {
                    break;
                }
                let entry = if lowest {
                    let (distance, tie) = (self.exact)(place as u32);
                    Entry { distance, level: ROW, tie, place: place as u32 }
                } else {
                    let [west, south, east, north] = node.map(|array| array[slot]);
                    let gap = |low: u32, high: u32, v: f64| {
                        // A step holds every coordinate from its own lower edge to that of the next one.
                        (grid::lower_edge(low) - v).max(v - grid::upper_edge(high)).max(0.0)
                    };
                    let distance = gap(west, east, self.point.0).hypot(gap(south, north, self.point.1));
                    Entry { distance, level: entry.level + 1, tie: 0, place: place as u32 }
                };
                self.heap.push(entry);
            }
        }
    }
}

impl<D> std::fmt::Debug for Nearest<'_, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nearest").field("point", &self.point).field("open", &self.heap.len()).finish_non_exhaustive()
    }
}
