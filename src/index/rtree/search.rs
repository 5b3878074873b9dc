//! Boxes that overlap a query.

use std::convert::Infallible;
use std::ops::{ControlFlow, Range};

use super::levels::MAX_DEPTH;
use super::node::{self, Engine};
use super::{FAN_OUT, RTree};
use crate::index::grid::Steps;
use crate::tile::Bounds;

/// What a search found, in row order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// All of these rows overlap the query.
    Rows(Range<u32>),
    /// Some of 16 consecutive rows.
    Node {
        /// The first of the 16.
        first: u32,
        /// Bit `i` is set where row `first + i` overlaps the query.
        sure: u32,
        /// Bit `i` is set where row `first + i` overlaps the query or only touches it, within one step; the exact columns
        /// decide.
        maybe: u32,
    },
}

impl Found {
    /// Appends the rows to `rows`. `exact` decides about rows that may only touch the query.
    #[inline]
    pub fn add_to(self, rows: &mut Vec<u32>, exact: impl Fn(u32) -> bool) {
        match self {
            Self::Rows(range) => rows.extend(range),
            Self::Node { first, sure, maybe: 0 } => {
                for (half, bits) in [(first, sure & 0xff), (first + 8, sure >> 8)] {
                    // Eight rows are written, and as many kept as there are bits: no branch for a bit.
                    let places = &PLACES[bits as usize];
                    let length = rows.len() + bits.count_ones() as usize;
                    rows.extend_from_slice(&places.map(|place| half + u32::from(place)));
                    rows.truncate(length);
                }
            }
            Self::Node { first, sure, maybe } => {
                let there = bits_of(sure | maybe).filter(|&i| sure >> i & 1 == 1 || exact(first + i));
                rows.extend(there.map(|i| first + i));
            }
        }
    }

    /// How many rows there are. `exact` decides about rows that may only touch the query.
    #[inline]
    pub fn count(self, exact: impl Fn(u32) -> bool) -> usize {
        match self {
            Self::Rows(range) => range.len(),
            Self::Node { first, sure, maybe } => {
                let probed = bits_of(maybe).filter(|&i| exact(first + i)).count();
                sure.count_ones() as usize + probed
            }
        }
    }

    /// Calls `each` with every row until it breaks. `exact` decides about rows that may only touch the query.
    #[inline]
    pub fn try_each<B>(
        self,
        exact: impl Fn(u32) -> bool,
        mut each: impl FnMut(u32) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match self {
            Self::Rows(mut range) => range.try_for_each(each),
            Self::Node { first, sure, maybe } => {
                let mut there = bits_of(sure | maybe).filter(|&i| sure >> i & 1 == 1 || exact(first + i));
                there.try_for_each(|i| each(first + i))
            }
        }
    }
}

/// The positions of the bits that are set, lowest first.
pub(super) fn bits_of(mut bits: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros())?;
        bits &= bits - 1;
        Some(lowest)
    })
}

/// The positions of the bits of each byte, lowest first.
const PLACES: [[u8; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut next) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte][next] = bit as u8;
                next += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// Nodes of a level that are tested together. The cache lines of all of them are requested before the first is needed.
const FRONT: usize = 64;
/// The most queries of one [`RTree::search_batch`].
pub const BATCH: usize = 16;
/// Marks a node whose rows all lie inside the query. Its level stands in the three bits below.
const WHOLE: u32 = 1 << 31;
const LEVEL_SHIFT: u32 = 28;

/// Which query of a batch a node belongs to; nothing where there is one.
pub(super) trait Tag: Copy + Default {
    fn index(self) -> usize;
}

impl Tag for () {
    fn index(self) -> usize {
        0
    }
}

impl Tag for u8 {
    fn index(self) -> usize {
        usize::from(self)
    }
}

/// The nodes of one level that are still to be visited.
#[derive(Clone, Copy)]
struct Front<T> {
    nodes: [u32; FRONT],
    tags: [T; FRONT],
    length: usize,
    next: usize,
}

impl RTree<'_> {
    /// Gives every row that may overlap `query` (or touch it), in row order. Visits O(log n + answer / 16) nodes and
    /// allocates nothing.
    pub fn search(&self, query: &Bounds, mut found: impl FnMut(Found)) {
        let ControlFlow::Continue(()) = self.search_until(query, |f| {
            found(f);
            ControlFlow::<Infallible>::Continue(())
        });
    }

    /// As [`search`](Self::search), until `found` breaks; returns what it broke with.
    pub fn search_until<B>(&self, query: &Bounds, mut found: impl FnMut(Found) -> ControlFlow<B>) -> ControlFlow<B> {
        self.with_engine(&[Steps::from(query)], &[()], |(), f| found(f))
    }

    /// Searches for up to [`BATCH`] queries together, so that memory for one is fetched while others
    /// go on. `found` gets the position of the query, ascending, and then as [`search`](Self::search).
    /// Queries beyond the limit are not looked at.
    pub fn search_batch(&self, queries: &[Bounds], mut found: impl FnMut(usize, Found)) {
        let queries = &queries[..queries.len().min(BATCH)];
        let mut steps = [Steps { min_x: 0, min_y: 0, max_x: 0, max_y: 0 }; BATCH];
        for (steps, query) in steps.iter_mut().zip(queries) {
            *steps = Steps::from(query);
        }
        let tags: [u8; BATCH] = std::array::from_fn(|i| i as u8);
        let ControlFlow::Continue(()) =
            self.with_engine(&steps[..queries.len()], &tags[..queries.len()], |tag: u8, f| {
                found(tag.index(), f);
                ControlFlow::<Infallible>::Continue(())
            });
    }

    /// Walks with the widest instructions that the processor has.
    fn with_engine<T: Tag, B>(
        &self,
        queries: &[Steps],
        tags: &[T],
        found: impl FnMut(T, Found) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return node::Avx2::run(
                #[inline(always)]
                || self.walk::<T, node::Avx2, B>(queries, tags, found),
            );
        }
        self.walk::<T, node::Always, B>(queries, tags, found)
    }

    /// Level by level, in pieces of at most [`FRONT`] nodes. A piece is followed down to its rows before the next one
    /// of its level, so that rows come in order. Nodes inside the query are kept in the list for the same reason.
    #[inline(always)]
    pub(super) fn walk<T: Tag, E: Engine, B>(
        &self,
        queries: &[Steps],
        tags: &[T],
        mut found: impl FnMut(T, Found) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let levels = &self.levels;
        let Some(lowest) = levels.depth.checked_sub(1) else { return ControlFlow::Continue(()) };
        let mut fronts = [Front { nodes: [0; FRONT], tags: [T::default(); FRONT], length: 0, next: 0 }; MAX_DEPTH];
        fronts[0].tags[..tags.len()].copy_from_slice(tags);
        fronts[0].length = tags.len();
        let mut level = 0;
        loop {
            if fronts[level].next == fronts[level].length {
                if level == 0 {
                    return ControlFlow::Continue(());
                }
                level -= 1;
                continue;
            }
            let (above, below) = fronts.split_at_mut(level + 1);
            let front = &mut above[level];
            if level == lowest {
                for i in front.next..front.length {
                    self.rows::<T, E, B>(front.nodes[i], front.tags[i], queries, &mut found)?;
                }
                front.next = front.length;
                continue;
            }
            let next = &mut below[0];
            let mut length = 0;
            while front.next < front.length && length + FAN_OUT <= FRONT {
                let (item, tag) = (front.nodes[front.next], front.tags[front.next]);
                front.next += 1;
                if item & WHOLE != 0 {
                    (next.nodes[length], next.tags[length]) = (item, tag);
                    length += 1;
                    continue;
                }
                let Some(node) = self.nodes.get(levels.first[level] + item as usize) else { continue };
                let (mut touch, inside) = E::inner(node, &queries[tag.index()]);
                while touch != 0 {
                    let slot = touch.trailing_zeros();
                    touch &= touch - 1;
                    let child = item * FAN_OUT as u32 + slot;
                    if child as usize >= levels.nodes[level + 1] {
                        break;
                    }
                    let whole = inside >> slot & 1 == 1;
                    next.tags[length] = tag;
                    next.nodes[length] = if whole {
                        WHOLE | ((level + 1) as u32) << LEVEL_SHIFT | child
                    } else {
                        node::prefetch(self.nodes.get(levels.first[level + 1] + child as usize));
                        child
                    };
                    length += 1;
                }
            }
            (next.length, next.next) = (length, 0);
            level += 1;
        }
    }

    /// The rows of a node of the lowest level, or of one that lies inside the query.
    #[inline(always)]
    fn rows<T: Tag, E: Engine, B>(
        &self,
        item: u32,
        tag: T,
        queries: &[Steps],
        found: &mut impl FnMut(T, Found) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if item & WHOLE != 0 {
            let level = (item >> LEVEL_SHIFT & 7) as usize;
            let place = (item & ((1 << LEVEL_SHIFT) - 1)) as usize;
            let width = self.levels.rows_below(level);
            let start = (place * width).min(self.rows);
            return found(tag, Found::Rows(start as u32..(start + width).min(self.rows) as u32));
        }
        let first = item as usize * FAN_OUT;
        let Some(node) = self.nodes.get(self.levels.first[self.levels.depth - 1] + item as usize) else {
            return ControlFlow::Continue(());
        };
        let (mut touch, sure) = E::leaf(node, &queries[tag.index()]);
        if self.rows - first < FAN_OUT {
            touch &= (1 << (self.rows - first)) - 1;
        }
        let sure = sure & touch;
        if touch == 0 {
            return ControlFlow::Continue(());
        }
        found(tag, Found::Node { first: first as u32, sure, maybe: touch & !sure })
    }
}
