//! Which tiles an archive holds, as ranges of identifiers: counts, extent, tiles without a parent.
//!
//! Tiles come in [`TileId`] order, so every zoom is a sorted list of ranges, and a parent is a division by four. Memory
//! is 16 bytes for each gap on two zooms, and nothing for each tile.

use std::ops::Range;

use crate::tile::{Bounds, TileCoord, TileId};

/// What is known once all tiles were pushed.
#[derive(Debug, Clone, Default)]
pub(super) struct Coverage {
    /// Tiles by zoom; index is the zoom.
    pub(super) tiles: Vec<u64>,
    /// The union of the tiles that have no finer tile below them; EPSG:3857 metres.
    ///
    /// In a pyramid where every area reaches the deepest zoom, that is the union of the deepest zoom; where coarse areas
    /// stop earlier, they are not left out.
    pub(super) extent: Option<Bounds>,
    /// Tiles below the first zoom whose parent is missing.
    pub(super) orphans: u64,
    /// The first of them.
    pub(super) first_orphans: Vec<TileCoord>,
    zoom: u8,
    upper: Vec<Range<u64>>,
    current: Vec<Range<u64>>,
}

/// How many orphans are listed.
const KEEP_ORPHANS: usize = 10;

impl Coverage {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Of an archive of which only the coarsest and the finest zoom are known.
    pub(super) fn of_zooms(zooms: Option<(u8, u8)>) -> Self {
        let mut tiles = Vec::new();
        if let Some((min, max)) = zooms {
            tiles.resize(usize::from(max) + 1, 0);
            (tiles[usize::from(min)], tiles[usize::from(max)]) = (1, 1);
        }
        Self { tiles, ..Self::default() }
    }

    /// The zooms that have tiles: coarsest and finest.
    pub(super) fn zooms(&self) -> Option<(u8, u8)> {
        let min = self.tiles.iter().position(|&n| n > 0)?;
        let max = self.tiles.iter().rposition(|&n| n > 0)?;
        Some((min as u8, max as u8))
    }

    /// Adds `count` tiles from `first` on. False, and nothing added, where they do not follow what was pushed before or
    /// lie beyond [`MAX_ZOOM`](crate::tile::MAX_ZOOM).
    pub(super) fn push(&mut self, first: TileId, count: u64) -> bool {
        let Some(end) = first.0.checked_add(count) else { return false };
        if count == 0 || TileId(end - 1).zoom().is_none() {
            return count == 0;
        }
        let mut from = first.0;
        while from < end {
            let Some(z) = TileId(from).zoom() else { return false };
            let base = TileId::first(z).0;
            let zoom_end = TileId::first(z).0 + (1u64 << (2 * u32::from(z)));
            let to = end.min(zoom_end);
            if !self.push_local(z, from - base..to - base) {
                return false;
            }
            from = to;
        }
        true
    }

    fn push_local(&mut self, z: u8, range: Range<u64>) -> bool {
        if z < self.zoom && !self.tiles.is_empty() {
            return false;
        }
        if z > self.zoom || self.tiles.is_empty() {
            self.close_zoom(z);
        }
        match self.current.last_mut() {
            Some(last) if range.start < last.end => return false,
            Some(last) if range.start == last.end => last.end = range.end,
            _ => self.current.push(range.clone()),
        }
        self.tiles[usize::from(z)] += range.end - range.start;
        true
    }

    /// Settles the zoom that was being filled and moves on to `next`.
    fn close_zoom(&mut self, next: u8) {
        while self.tiles.len() <= usize::from(next) {
            self.tiles.push(0);
        }
        if !self.current.is_empty() {
            self.settle();
            if next == self.zoom + 1 {
                self.upper = std::mem::take(&mut self.current);
            } else {
                // A gap in the zooms: nothing of this zoom has a child.
                let (zoom, ranges) = (self.zoom, std::mem::take(&mut self.current));
                self.extend(zoom, &ranges);
                self.upper = Vec::new();
            }
        }
        self.zoom = next;
    }

    /// Compares the current zoom with the one above it.
    fn settle(&mut self) {
        let has_upper = self.zoom > 0 && self.tiles.iter().take(usize::from(self.zoom)).any(|&n| n > 0);
        if !has_upper {
            return;
        }
        let upper = std::mem::take(&mut self.upper);
        let childless = difference(&upper, self.current.iter().map(|r| r.start >> 2..((r.end - 1) >> 2) + 1));
        self.extend(self.zoom - 1, &childless);
        let orphans = difference(&self.current, upper.iter().map(|r| r.start << 2..r.end << 2));
        let base = TileId::first(self.zoom).0;
        for range in orphans {
            self.orphans += range.end - range.start;
            let room = KEEP_ORPHANS.saturating_sub(self.first_orphans.len());
            self.first_orphans.extend(range.take(room).filter_map(|local| TileId(base + local).coord()));
        }
    }

    fn extend(&mut self, z: u8, ranges: &[Range<u64>]) {
        for range in ranges {
            for block in blocks(z, range.clone()) {
                let bounds = block.bounds();
                self.extent = Some(self.extent.map_or(bounds, |b| b.union(&bounds)));
            }
        }
    }

    /// Settles the last zoom; call once, after the last tile.
    pub(super) fn finish(&mut self) {
        if !self.current.is_empty() {
            self.settle();
            let ranges = std::mem::take(&mut self.current);
            self.extend(self.zoom, &ranges);
        }
    }

    /// The extent as `[west, south, east, north]` degrees.
    pub(super) fn lon_lat(&self) -> Option<[f64; 4]> {
        self.extent.map(|b| b.to_lon_lat().map(|v| (v * 1e7).round() / 1e7))
    }
}

/// What lies in `a` but not in `b`; both sorted. `b` may repeat or overlap itself.
fn difference(a: &[Range<u64>], b: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut out = Vec::new();
    let mut b = b.peekable();
    for range in a {
        let mut from = range.start;
        while from < range.end {
            match b.peek() {
                Some(cut) if cut.end <= from => drop(b.next()),
                Some(cut) if cut.start < range.end => {
                    if cut.start > from {
                        out.push(from..cut.start);
                    }
                    from = cut.end;
                }
                _ => {
                    out.push(from..range.end);
                    break;
                }
            }
        }
    }
    out
}

/// A range on the Hilbert curve of a zoom, counted from its first tile, as the largest squares that fill it: each is one tile of a coarser (or the same) zoom.
pub(crate) fn blocks(z: u8, range: Range<u64>) -> impl Iterator<Item = TileCoord> {
    let mut from = range.start;
    std::iter::from_fn(move || {
        let left = range.end.checked_sub(from).filter(|&n| n > 0)?;
        let aligned = if from == 0 { 62 } else { from.trailing_zeros() };
        let depth = (aligned / 2).min(left.ilog2() / 2).min(u32::from(z));
        let tile = TileId(TileId::first(z - depth as u8).0 + (from >> (2 * depth))).coord();
        from += 1 << (2 * depth);
        tile
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn coverage(tiles: &BTreeSet<TileId>) -> Coverage {
        let mut coverage = Coverage::new();
        for &id in tiles {
            assert!(coverage.push(id, 1));
        }
        coverage.finish();
        coverage
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_of_tiles(ids in proptest::collection::btree_set(0u64..1365, 0..200)) {
            let tiles: BTreeSet<TileId> = ids.into_iter().map(TileId).collect();
            let found = coverage(&tiles);
            let coords: BTreeSet<TileCoord> = tiles.iter().filter_map(|id| id.coord()).collect();
            let lowest = coords.iter().map(|t| t.z()).min();
            let orphans = coords.iter().filter(|t| Some(t.z()) > lowest && !coords.contains(&t.parent().unwrap())).count();
            prop_assert_eq!(found.orphans, orphans as u64);
            let mut extent: Option<Bounds> = None;
            for tile in coords.iter().filter(|t| t.children().iter().flatten().all(|c| !coords.contains(c))) {
                extent = Some(extent.map_or(tile.bounds(), |b| b.union(&tile.bounds())));
            }
            prop_assert_eq!(found.extent, extent);
            for z in 0..6u8 {
                let naive = coords.iter().filter(|t| t.z() == z).count() as u64;
                prop_assert_eq!(found.tiles.get(usize::from(z)).copied().unwrap_or(0), naive);
            }
        }

        #[test]
        fn runs_and_single_tiles_tell_the_same(starts in proptest::collection::vec((0u64..40, 1u64..90), 1..12)) {
            let mut tiles = BTreeSet::new();
            let mut runs = Coverage::new();
            let mut at = 0;
            for (gap, count) in starts {
                at += gap;
                prop_assert!(runs.push(TileId(at), count));
                tiles.extend((at..at + count).map(TileId));
                at += count;
            }
            runs.finish();
            let single = coverage(&tiles);
            prop_assert_eq!((runs.tiles, runs.extent, runs.orphans), (single.tiles, single.extent, single.orphans));
        }
    }

    #[test]
    fn refuses_what_is_out_of_order() {
        let mut coverage = Coverage::new();
        assert!(coverage.push(TileId(7), 2));
        assert!(!coverage.push(TileId(8), 1));
        assert!(!coverage.push(TileId(3), 1));
        assert!(coverage.push(TileId(9), 1));
        assert!(!coverage.push(TileId(u64::MAX - 3), 2));
        assert!(!coverage.push(TileId(u64::MAX - 3), 9));
    }

    #[test]
    fn the_whole_of_a_deep_zoom_costs_nothing() {
        let mut coverage = Coverage::new();
        assert!(coverage.push(TileId::first(31), 1 << 62));
        coverage.finish();
        assert_eq!(coverage.extent, TileCoord::new(0, 0, 0).map(TileCoord::bounds));
        assert_eq!(coverage.zooms(), Some((31, 31)));
    }
}
