//! The lines of polygons in a tree of halves: which boxes they run through, and what they surround.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};

/// A line of a polygon, degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    /// Which polygon it belongs to.
    pub(super) polygon: u32,
    pub(super) a: [f64; 2],
    pub(super) b: [f64; 2],
}

/// How a box lies to an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// They share nothing.
    Outside,
    /// A line of the area's outline runs through the box.
    Crossed,
    /// All of the box lies in the area.
    Inside,
}

/// Lines that a leaf may hold before it is cut up.
const LEAF: usize = 8;
/// How often what surrounds all is cut in half at most: 2^20 a side, where that is the world 38 m.
const DEEPEST: u8 = 40;
/// How often each line may stand in leaves and in what is cut up, on average: long lines stand in many. Bounds time and memory.
const SHARE: usize = 24;
/// How far beyond a leaf's rim lines still belong to it, degrees: a tenth of a millimetre, more than rounding makes.
const RIM: f64 = 1e-9;
/// How far the tree reaches beyond the lines, degrees, so that none lies on its rim.
const MARGIN: f64 = 1e-6;

/// West, south, east, north.
type Box4 = [f64; 4];

#[derive(Debug)]
struct Node {
    /// The first of two children that follow one another, or of the leaf's lines.
    first: u32,
    /// How many lines a leaf has; `ACROSS` or `ALONG` where this is no leaf.
    count: u32,
    /// Of a leaf without lines, once somebody asked: whether it lies inside.
    place: AtomicU8,
}

/// Cut into a western and an eastern half, and into a southern and a northern one.
const ACROSS: u32 = u32::MAX;
const ALONG: u32 = u32::MAX - 1;
const UNKNOWN: u8 = 0;
const OUTSIDE: u8 = 1;
const INSIDE: u8 = 2;

/// The lines and the tree over them.
#[derive(Debug)]
pub(super) struct Edges {
    edges: Vec<Edge>,
    around: Box4,
    nodes: Vec<Node>,
    lists: Vec<u32>,
}

impl Edges {
    /// A tree over lines, all of which lie within `around`. O(n log n), at most `24 n` entries.
    pub(super) fn new(edges: Vec<Edge>, around: Box4) -> Self {
        let [w, s, e, n] = around;
        let around = [w - MARGIN, s - MARGIN, e + MARGIN, n + MARGIN];
        let leaf = || Node { first: 0, count: 0, place: AtomicU8::new(UNKNOWN) };
        let mut out = Self { around, nodes: vec![leaf()], lists: Vec::new(), edges };
        let all: Vec<u32> = (0..out.edges.len() as u32).collect();
        let mut budget = out.edges.len().saturating_mul(SHARE);
        let mut queue = VecDeque::from([(0usize, around, all, 0u8)]);
        while let Some((at, bounds, list, depth)) = queue.pop_front() {
            let room = list.len() > LEAF && depth < DEEPEST && budget >= list.len() * 2;
            let Some((cut, parts)) = room.then(|| out.best_cut(bounds, &list)) else {
                out.nodes[at].first = out.lists.len() as u32;
                out.nodes[at].count = list.len() as u32;
                out.lists.extend(list);
                continue;
            };
            out.nodes[at].first = out.nodes.len() as u32;
            out.nodes[at].count = cut;
            for (half, part) in halves(bounds, cut).into_iter().zip(parts) {
                budget = budget.saturating_sub(part.len());
                queue.push_back((out.nodes.len(), half, part, depth + 1));
                out.nodes.push(leaf());
            }
        }
        out
    }

    /// The cut after which fewer lines stand on both sides, and the lines of both halves.
    fn best_cut(&self, bounds: Box4, list: &[u32]) -> (u32, [Vec<u32>; 2]) {
        let parts = |cut: u32| {
            halves(bounds, cut).map(|[w, s, e, n]| {
                let wide = [w - RIM, s - RIM, e + RIM, n + RIM];
                let inside = |i: &u32| runs_through(&self.edges[*i as usize], wide);
                list.iter().copied().filter(inside).collect::<Vec<u32>>()
            })
        };
        let (across, along) = (parts(ACROSS), parts(ALONG));
        let count = |parts: &[Vec<u32>; 2]| parts[0].len() + parts[1].len();
        let wide = bounds[2] - bounds[0] > bounds[3] - bounds[1];
        match count(&across).cmp(&count(&along)) {
            std::cmp::Ordering::Less => (ACROSS, across),
            std::cmp::Ordering::Equal if wide => (ACROSS, across),
            _ => (ALONG, along),
        }
    }

    pub(super) fn all(&self) -> &[Edge] {
        &self.edges
    }

    /// How a box lies to what the lines surround.
    pub(super) fn contact(&self, wanted: Box4) -> Contact {
        if !overlap(self.around, wanted) {
            return Contact::Outside;
        }
        // Where no line runs through the box, all of it lies inside or outside: any point of it tells.
        let mut empty = None;
        let mut stack = vec![(0u32, self.around)];
        while let Some((at, bounds)) = stack.pop() {
            if !overlap(bounds, wanted) {
                continue;
            }
            let node = &self.nodes[at as usize];
            if node.count >= ALONG {
                stack.extend((node.first..).zip(halves(bounds, node.count)));
            } else if node.count == 0 {
                empty = Some((node, bounds));
            } else if self.lines(node).any(|edge| runs_through(edge, wanted)) {
                return Contact::Crossed;
            }
        }
        let inside = match empty {
            Some((node, bounds)) => match node.place.load(Ordering::Relaxed) {
                UNKNOWN => {
                    let inside = self.surround(middle(bounds));
                    node.place.store(if inside { INSIDE } else { OUTSIDE }, Ordering::Relaxed);
                    inside
                }
                place => place == INSIDE,
            },
            None => self.surround(middle(wanted)),
        };
        if inside { Contact::Inside } else { Contact::Outside }
    }

    /// True where a point lies in one of the polygons: an odd number of its lines lie east of it. Walks the leaves on the
    /// parallel to the east.
    pub(super) fn surround(&self, [x, y]: [f64; 2]) -> bool {
        if x < self.around[0] {
            return false;
        }
        let mut crossed = Vec::new();
        let mut stack = vec![(0u32, self.around)];
        while let Some((at, bounds)) = stack.pop() {
            let [west, south, east, north] = bounds;
            if y < south || y >= north || x >= east {
                continue;
            }
            let node = &self.nodes[at as usize];
            if node.count >= ALONG {
                stack.extend((node.first..).zip(halves(bounds, node.count)));
                continue;
            }
            for Edge { polygon, a, b } in self.lines(node) {
                if (a[1] > y) != (b[1] > y) {
                    // A line stands in several leaves, but crosses the parallel in one of them.
                    let at = a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
                    if x < at && west <= at && at < east {
                        crossed.push(*polygon);
                    }
                }
            }
        }
        crossed.sort_unstable();
        crossed.chunk_by(|a, b| a == b).any(|lines| lines.len() % 2 == 1)
    }

    fn lines(&self, leaf: &Node) -> impl Iterator<Item = &Edge> {
        let range = leaf.first as usize..leaf.first as usize + leaf.count as usize;
        self.lists[range].iter().map(|&i| &self.edges[i as usize])
    }
}

impl Clone for Edges {
    fn clone(&self) -> Self {
        let again =
            |n: &Node| Node { first: n.first, count: n.count, place: AtomicU8::new(n.place.load(Ordering::Relaxed)) };
        Self {
            edges: self.edges.clone(),
            around: self.around,
            nodes: self.nodes.iter().map(again).collect(),
            lists: self.lists.clone(),
        }
    }
}

fn middle([w, s, e, n]: Box4) -> [f64; 2] {
    [w + (e - w) / 2.0, s + (n - s) / 2.0]
}

/// Neighbours share the bits of their common rim.
fn halves(bounds: Box4, cut: u32) -> [Box4; 2] {
    let ([w, s, e, n], [x, y]) = (bounds, middle(bounds));
    if cut == ACROSS { [[w, s, x, n], [x, s, e, n]] } else { [[w, s, e, y], [w, y, e, n]] }
}

fn overlap(a: Box4, b: Box4) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// True where a part of the line lies inside the box, not only on its rim (Liang and Barsky's clipping, 1984).
fn runs_through(edge: &Edge, [west, south, east, north]: Box4) -> bool {
    let (mut from, mut to) = (0.0f64, 1.0f64);
    for (axis, low, high) in [(0, west, east), (1, south, north)] {
        let (start, delta) = (edge.a[axis], edge.b[axis] - edge.a[axis]);
        if delta == 0.0 {
            if start <= low || start >= high {
                return false;
            }
        } else {
            let (a, b) = ((low - start) / delta, (high - start) / delta);
            from = from.max(a.min(b));
            to = to.min(a.max(b));
        }
    }
    from < to
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn ring(points: impl Iterator<Item = [f64; 2]>, polygon: u32) -> Vec<Edge> {
        let points: Vec<_> = points.collect();
        let next = points.iter().cycle().skip(1);
        points.iter().zip(next).map(|(&a, &b)| Edge { polygon, a, b }).collect()
    }

    /// As the tree answers, without one.
    fn naive(edges: &[Edge], wanted: Box4) -> Contact {
        let [x, y] = middle(wanted);
        let east = |e: &&Edge| {
            (e.a[1] > y) != (e.b[1] > y) && x < e.a[0] + (y - e.a[1]) / (e.b[1] - e.a[1]) * (e.b[0] - e.a[0])
        };
        let mut crossed: Vec<u32> = edges.iter().filter(east).map(|e| e.polygon).collect();
        crossed.sort_unstable();
        match crossed.chunk_by(|a, b| a == b).any(|lines| lines.len() % 2 == 1) {
            _ if edges.iter().any(|e| runs_through(e, wanted)) => Contact::Crossed,
            true => Contact::Inside,
            false => Contact::Outside,
        }
    }

    #[test]
    fn the_tree_answers_as_a_look_at_all_lines() {
        // Stars that overlap, with points on a lattice so that lines meet leaves and boxes at their corners.
        let mut edges = Vec::new();
        for polygon in 0..7u32 {
            let (cx, cy) = (f64::from(polygon % 3) * 4.0, f64::from(polygon / 3) * 3.0);
            let corner = |i: u32| {
                let (angle, r) = (f64::from(i) * 0.37, if i.is_multiple_of(2) { 4.0 } else { 1.5 });
                [(cx + r * angle.cos()) * 8.0, (cy + r * angle.sin()) * 8.0].map(|v| v.round() / 8.0)
            };
            edges.extend(ring((0..17).map(corner), polygon));
        }
        let tree = Edges::new(edges.clone(), [-4.0, -4.0, 12.0, 10.0]);
        assert!(tree.nodes.len() > 20);
        let (mut hits, mut all) = (0, 0);
        for size in [0.0625, 0.125, 0.5, 3.0] {
            for i in 0..70 {
                for j in 0..70 {
                    let (x, y) = (f64::from(i) * 0.25 - 5.0, f64::from(j) * 0.25 - 5.0);
                    let wanted = [x, y, x + size, y + size];
                    assert_eq!(tree.contact(wanted), naive(&edges, wanted), "{wanted:?}");
                    hits += usize::from(tree.contact(wanted) != Contact::Outside);
                    all += 1;
                }
            }
        }
        assert!(hits > all / 10 && hits < all * 9 / 10, "{hits} of {all}");
    }

    #[test]
    fn a_million_lines_take_bounded_time_and_memory() {
        let count = 1_000_000u32;
        // A coast whose every step is short, and a comb whose teeth are all as long as the whole.
        let coast = |i: u32| {
            let angle = f64::from(i) / f64::from(count) * std::f64::consts::TAU;
            let r = 40.0 + (angle * 5000.0).sin();
            [r * angle.cos(), r * angle.sin()]
        };
        let comb = |i: u32| {
            let x = f64::from(i) / f64::from(count) * 160.0 - 80.0;
            [x, if i == 0 || i == count - 1 { -50.0 } else { [-49.0, 49.0][i as usize % 2] }]
        };
        for (name, edges) in [("coast", ring((0..count).map(coast), 0)), ("comb", ring((0..count).map(comb), 0))] {
            let started = Instant::now();
            let tree = Edges::new(edges, [-80.0, -50.0, 80.0, 50.0]);
            assert!(tree.lists.len() <= count as usize * SHARE && tree.nodes.len() < count as usize * 2, "{name}");
            for i in 0..20_000 {
                let (x, y) = (f64::from(i % 200) - 100.0, f64::from(i / 200) - 50.0);
                tree.contact([x, y, x + 0.4, y + 0.4]);
            }
            // Some seconds on a busy machine; a look at all lines for each box would take minutes.
            assert!(started.elapsed().as_secs() < 60, "{name}: {:?}", started.elapsed());
        }
    }
}
