//! The rows nearest to a box, as many as are asked for.
//!
//! All that is compared on the way down are whole numbers: the squares of the distances of a node's 16 boxes, computed together. They are
//! never too large, and grow from a node to its rows. A row's own distance is asked for at the end, of the rows that can be among the nearest.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::node::{self, Node};
use super::search::bits_of;
use super::{FAN_OUT, RTree};
use crate::index::grid::Steps;
use crate::tile::{Bounds, web_mercator};

/// What rows are near to: a box or a point, inside the world.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    steps: Steps,
    around: bool,
}

impl Target {
    /// A box in EPSG:3857 metres; `around`, where the shorter way around the world counts. `None` where it is no box, or not
    /// wholly inside the world: steps then tell nothing about distances.
    #[must_use]
    pub fn new(bounds: &Bounds, around: bool) -> Option<Self> {
        let world = web_mercator::HALF_WORLD;
        let inside = |low: f64, high: f64| -world <= low && low <= high && high <= world;
        let good = inside(bounds.min_x, bounds.max_x) && inside(bounds.min_y, bounds.max_y);
        good.then(|| Self { steps: Steps::from(bounds), around })
    }

    /// The square of the distance of each box of a node, in units of two steps, rounded down along each axis.
    #[inline(always)]
    fn squares<const AROUND: bool>(&self, [west, south, east, north]: &Node) -> [u64; FAN_OUT] {
        let q = &self.steps;
        let mut squares = [0; FAN_OUT];
        for i in 0..FAN_OUT {
            let (w, e) = (west[i], east[i]);
            let x = if AROUND {
                // What reaches a rim may go on behind it.
                let eastwards = if w == 0 { 0 } else { w.wrapping_sub(q.max_x) };
                let westwards = if e == u32::MAX { 0 } else { q.min_x.wrapping_sub(e) };
                if (w <= q.max_x) & (e >= q.min_x) { 0 } else { eastwards.min(westwards) }
            } else {
                w.saturating_sub(q.max_x).max(q.min_x.saturating_sub(e))
            };
            let y = south[i].saturating_sub(q.max_y).max(q.min_y.saturating_sub(north[i]));
            // Halves, so that the sum of the squares fits.
            let (x, y) = (u64::from(x >> 1), u64::from(y >> 1));
            squares[i] = x * x + y * y;
        }
        squares
    }
}

/// Metres in a unit of distance.
const UNIT: f64 = 2.0 * web_mercator::WORLD / 4_294_967_296.0;
/// A distance in steps differs by less than this many units from the one in metres.
const SLACK: f64 = 3.0;
/// What is farther than this square has no point in common with the target.
const TOUCHING: u64 = 36;

/// Nodes or rows for which there is room from the start: as many as most searches have.
const WAITING: usize = 64;

/// The rows found so far.
struct Best {
    count: usize,
    /// The `count` least squares, the greatest first.
    least: BinaryHeap<u64>,
    /// Nothing beyond this square can be among the nearest.
    bound: u64,
    /// Rank and row of those that surely overlap the target: the `count` least, the greatest first.
    over: BinaryHeap<u64>,
    /// Other rows, with their squares.
    others: Vec<(u64, u32)>,
}

impl Best {
    fn new(count: usize) -> Self {
        let least = BinaryHeap::with_capacity(count.min(WAITING));
        Self { count, least, bound: u64::MAX, over: BinaryHeap::new(), others: Vec::with_capacity(WAITING) }
    }

    #[inline]
    fn keep(heap: &mut BinaryHeap<u64>, count: usize, value: u64) {
        if heap.len() < count {
            heap.push(value);
        } else if let Some(mut greatest) = heap.peek_mut()
            && value < *greatest
        {
            *greatest = value;
        }
    }

    /// Takes the square of a row that is a candidate.
    #[inline]
    fn count(&mut self, square: u64) {
        Self::keep(&mut self.least, self.count, square);
    }

    /// Follows the squares that were counted.
    #[inline]
    fn tighten(&mut self) {
        if self.least.len() == self.count
            && let Some(&greatest) = self.least.peek()
        {
            // Twice: from the square to the row's own distance, and from that to the square of a row that is no farther.
            self.bound = ((greatest as f64).sqrt() + 2.0 * SLACK).powi(2) as u64;
        }
    }
}

/// A node that is still to be visited, and the square of its distance.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Open {
    square: u64,
    level: u32,
    place: u32,
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives its largest entry first.
        other.square.cmp(&self.square)
    }
}

impl RTree<'_> {
    /// The `count` rows nearest to a target and their distances, nearest first, ties by rank and then by row. `exact` gives a row's own
    /// distance in metres, `rank` what decides at the same distance, the smaller first. Rows without a finite distance are left out.
    ///
    /// Visits the nodes that touch the target, and O(log n) others. Takes memory for the answer and for these.
    pub fn closest(
        &self,
        target: &Target,
        count: usize,
        exact: impl Fn(u32) -> f64,
        rank: impl Fn(u32) -> u32,
    ) -> Vec<(u32, f64)> {
        let best = Best::new(count);
        let mut search = Approach { tree: self, target, best, exact: &exact, rank: &rank };
        if count > 0 {
            node::with_widest(
                #[inline(always)]
                || if target.around { search.run::<true>() } else { search.run::<false>() },
            );
        }
        let Best { bound, over, others, .. } = search.best;
        let others = others.into_iter().filter(|&(square, _)| square <= bound).map(|(_, row)| (row, exact(row)));
        let mut rows: Vec<(u32, f64)> = others.filter(|(_, distance)| distance.is_finite()).collect();
        rows.extend(over.into_iter().map(|over| (over as u32, 0.0)));
        rows.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then_with(|| (rank(a.0), a.0).cmp(&(rank(b.0), b.0))));
        rows.truncate(count);
        rows
    }
}

/// A search on its way.
struct Approach<'a, E, R> {
    tree: &'a RTree<'a>,
    target: &'a Target,
    best: Best,
    exact: &'a E,
    rank: &'a R,
}

impl<'a, E: Fn(u32) -> f64, R: Fn(u32) -> u32> Approach<'a, E, R> {
    #[inline(always)]
    fn run<const AROUND: bool>(&mut self) {
        // What touches the target comes first. It may be all that is asked for; else it tells how far the others may be.
        let touching = self.touching::<AROUND>();
        if self.best.over.len() == self.best.count {
            return;
        }
        let mut waiting = Vec::with_capacity(WAITING);
        for &(level, place) in touching.iter().rev() {
            self.visit::<AROUND>(level, place, TOUCHING + 1, |open, bound| {
                if open.square <= bound {
                    waiting.push(open);
                }
            });
        }
        // Then straight down to some rows, which tell what else is worth a look.
        while self.best.bound == u64::MAX {
            let Some(nearest) = (0..waiting.len()).min_by_key(|&i| waiting[i].square) else { return };
            let mut next = Some(waiting.swap_remove(nearest));
            while let Some(Open { level, place, .. }) = next.take() {
                let (first, mut nearest) = (waiting.len(), u64::MAX);
                self.visit::<AROUND>(level, place, 0, |open, _| {
                    // The lowest bits tell which of the node's it is.
                    nearest = nearest.min(open.square & !15 | (waiting.len() - first) as u64);
                    waiting.push(open);
                });
                next = (nearest < u64::MAX).then(|| waiting.swap_remove(first + (nearest & 15) as usize));
            }
        }
        waiting.retain(|open| open.square <= self.best.bound);
        let mut waiting = BinaryHeap::from(waiting);
        while let Some(Open { square, level, place }) = waiting.pop()
            && square <= self.best.bound
        {
            self.visit::<AROUND>(level, place, 0, |open, bound| {
                if open.square <= bound {
                    waiting.push(open);
                }
            });
        }
    }

    /// Finds the rows that touch the target, and gives the nodes that do, a node before those below it.
    #[inline(always)]
    fn touching<const AROUND: bool>(&mut self) -> Vec<(u32, u32)> {
        let tree = self.tree;
        let levels = &tree.levels;
        let mut nodes = Vec::with_capacity(WAITING);
        if levels.depth > 0 {
            nodes.push((0, 0));
        }
        let mut next = 0;
        while let Some(&(level, place)) = nodes.get(next) {
            next += 1;
            let Some((node, first, places)) = self.node(level, place) else { continue };
            let squares = self.target.squares::<AROUND>(node);
            let mut near = 0;
            for (slot, &square) in squares.iter().enumerate() {
                near |= u32::from(square <= TOUCHING) << slot;
            }
            for slot in bits_of(near & ((1 << places) - 1)) {
                let place = first + slot;
                if level as usize + 1 == levels.depth {
                    self.add(node, slot as usize, squares[slot as usize], place);
                } else {
                    node::prefetch(tree.nodes.get(levels.first[level as usize + 1] + place as usize));
                    nodes.push((level + 1, place));
                }
            }
        }
        self.best.tighten();
        nodes
    }

    /// A node, the place of its first box in the level below, and how many boxes it has.
    #[inline(always)]
    fn node(&self, level: u32, place: u32) -> Option<(&'a Node, u32, usize)> {
        let tree = self.tree;
        let levels = &tree.levels;
        let node = tree.nodes.get(levels.first[level as usize] + place as usize)?;
        let first = place as usize * FAN_OUT;
        let below = if level as usize + 1 == levels.depth { tree.rows } else { levels.nodes[level as usize + 1] };
        Some((node, first as u32, FAN_OUT.min(below.saturating_sub(first))))
    }

    /// Adds the rows of a node, or gives the nodes below it, from this square on.
    #[inline(always)]
    fn visit<const AROUND: bool>(&mut self, level: u32, place: u32, from: u64, mut each: impl FnMut(Open, u64)) {
        let Some((node, first, places)) = self.node(level, place) else { return };
        let squares = self.target.squares::<AROUND>(node);
        let rows = level as usize + 1 == self.tree.levels.depth;
        for (slot, &square) in squares[..places].iter().enumerate().filter(|&(_, &square)| square >= from) {
            let place = first + slot as u32;
            if !rows {
                each(Open { square, level: level + 1, place }, self.best.bound);
            } else if square <= self.best.bound {
                self.add(node, slot, square, place);
            }
        }
        if rows {
            self.best.tighten();
        }
    }

    /// Adds a row that may be among the nearest.
    #[inline(always)]
    fn add(&mut self, [west, south, east, north]: &Node, slot: usize, square: u64, row: u32) {
        let (w, s, e, n) = (west[slot], south[slot], east[slot], north[slot]);
        let q = &self.target.steps;
        if (w < q.max_x) & (s < q.max_y) & (e > q.min_x) & (n > q.min_y) {
            let rank = (self.rank)(row);
            Best::keep(&mut self.best.over, self.best.count, u64::from(rank) << 32 | u64::from(row));
            self.best.count(0);
            return;
        }
        self.best.others.push((square, row));
        // A box at the rim may lie beyond it, and be farther than its steps say.
        if (w == 0) | (w == u32::MAX) | (e == 0) | (e == u32::MAX) | (s == u32::MAX) | (n == 0) {
            let distance = (self.exact)(row) / UNIT;
            if distance.is_finite() {
                self.best.count((distance * distance).ceil() as u64);
            }
        } else {
            self.best.count(square);
        }
    }
}
