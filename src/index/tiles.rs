//! The per-zoom tile index: which tiles exist, and which rows a renderer samples for each.
//!
//! A tile exists at zoom z where a record of native zoom >= z shares area with it. Its list holds the records of
//! native zoom <= z that share area with it, in candidate order: the ones that are sampled at this zoom (finer
//! ones contribute through the finer tiles).
//!
//! Tiles are kept as runs of consecutive [`TileId`]s with the same list, and equal lists are stored once. So a large
//! record costs a few runs, not an entry for each tile.

use std::ops::Range;

use super::sorted::Sorted;
use crate::error::{Error, Result};
use crate::tile::{Bounds, MAX_NATIVE_ZOOM, TileCoord, TileId};

/// Numbers in `tile.zoom_runs`: where the runs of each zoom start, and their total.
pub const ZOOM_RUNS: usize = MAX_NATIVE_ZOOM as usize + 2;

/// A view of a tile index.
#[derive(Debug, Clone, Copy)]
pub struct Tiles<'a> {
    zoom_runs: &'a [u32],
    run_start: Sorted<'a>,
    run_rank: &'a [u64],
    run_list: &'a [u32],
    list_offsets: &'a [u64],
    list_rows: &'a [u32],
}

impl<'a> Tiles<'a> {
    /// A view over the sections; `run_start` with its directory, where the file has one.
    ///
    /// # Errors
    /// Where their lengths do not fit one another.
    pub fn new(
        zoom_runs: &'a [u32],
        run_start: Sorted<'a>,
        run_rank: &'a [u64],
        run_list: &'a [u32],
        list_offsets: &'a [u64],
        list_rows: &'a [u32],
    ) -> Result<Self> {
        let runs = run_start.keys().len();
        if zoom_runs.len() == ZOOM_RUNS
            && run_rank.len() == runs + 1
            && run_list.len() == runs
            && !list_offsets.is_empty()
        {
            return Ok(Self { zoom_runs, run_start, run_rank, run_list, list_offsets, list_rows });
        }
        Err(Error::invalid("tile index", "its sections do not fit one another", "build the store again"))
    }

    fn runs(&self, z: u8) -> Range<usize> {
        let at = |i: usize| self.zoom_runs.get(i).map_or(0, |&r| (r as usize).min(self.run_start.keys().len()));
        let (from, to) = (at(usize::from(z)), at(usize::from(z) + 1));
        from..to.max(from)
    }

    fn run_of(&self, tile: TileCoord) -> Option<usize> {
        if tile.z() > MAX_NATIVE_ZOOM {
            return None;
        }
        let id = TileId::from(tile).0;
        // Identifiers of a zoom are above those of all smaller zooms, so that one search serves all.
        let run = self.run_start.last_not_above(id)?;
        let start = *self.run_start.keys().get(run)?;
        (id.wrapping_sub(start) < self.run_length(run)).then_some(run)
    }

    fn run_length(&self, run: usize) -> u64 {
        self.run_rank[run + 1].saturating_sub(self.run_rank[run])
    }

    /// True where the tile exists. Reads a few cache lines.
    #[must_use]
    pub fn contains(&self, tile: TileCoord) -> bool {
        self.run_of(tile).is_some()
    }

    /// The rows that a run samples for a tile, in candidate order: records of native zoom <= the tile's that share area with it.
    /// `None` where the tile does not exist; empty where it is made of finer tiles alone. All records there, of any
    /// pixel size, are given by [`Store::overlapping`](crate::Store::overlapping).
    #[must_use]
    pub fn sampled_for(&self, tile: TileCoord) -> Option<&'a [u32]> {
        let list = self.run_list[self.run_of(tile)?] as usize;
        let (from, to) = (*self.list_offsets.get(list)?, *self.list_offsets.get(list + 1)?);
        self.list_rows.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
    }

    /// How many tiles exist at a zoom. Reads two numbers.
    #[must_use]
    pub fn count(&self, z: u8) -> u64 {
        let runs = self.runs(z);
        self.run_rank[runs.end].saturating_sub(self.run_rank[runs.start])
    }

    /// The deepest zoom with a tile; `None` for an empty store.
    #[must_use]
    pub fn max_zoom(&self) -> Option<u8> {
        (0..=MAX_NATIVE_ZOOM).rev().find(|&z| self.count(z) > 0)
    }

    /// Runs of consecutive identifiers that exist at zoom `z` below `ancestor` (itself included), in order. Touches
    /// only those runs.
    pub fn subtree(&self, ancestor: TileCoord, z: u8) -> impl Iterator<Item = Range<u64>> + use<'a> {
        let this = *self;
        // Beyond the deepest zoom there are neither tiles nor identifiers.
        let (wanted, runs) =
            if z > MAX_NATIVE_ZOOM { (0..0, 0..0) } else { (TileId::subtree(ancestor, z), self.runs(z)) };
        let first = self.run_start.last_not_above(wanted.start).unwrap_or(0).clamp(runs.start, runs.end);
        (first..runs.end)
            .map(move |run| {
                let start = this.run_start.keys()[run];
                start.max(wanted.start)..start.saturating_add(this.run_length(run)).min(wanted.end)
            })
            .take_while(move |r| r.start < wanted.end)
            .filter(|r| r.start < r.end)
    }

    /// How many tiles exist at zoom `z` below `ancestor`.
    #[must_use]
    pub fn count_subtree(&self, ancestor: TileCoord, z: u8) -> u64 {
        // Runs of a damaged file may overlap and add up to anything.
        self.subtree(ancestor, z).fold(0, |sum, r| sum.saturating_add(r.end - r.start))
    }

    /// The tiles that exist at zoom `z` below `ancestor`, in Hilbert order.
    pub fn iter_subtree(&self, ancestor: TileCoord, z: u8) -> impl Iterator<Item = TileCoord> + use<'a> {
        self.subtree(ancestor, z).flatten().filter_map(|id| TileId(id).coord())
    }

    /// Calls `each` with runs of consecutive identifiers that exist at zoom `z` and share area with a box, in Hilbert order.
    /// Touches only those runs, and for each tile along the box's edge a search.
    pub fn runs_in_bounds(&self, bounds: &Bounds, z: u8, mut each: impl FnMut(Range<u64>)) {
        if let Some(world) = TileCoord::new(0, 0, 0)
            && z <= MAX_NATIVE_ZOOM
        {
            self.descend(world, bounds, z, &mut each);
        }
    }

    fn descend(&self, tile: TileCoord, bounds: &Bounds, z: u8, each: &mut impl FnMut(Range<u64>)) {
        let own = tile.bounds();
        // What holds no tile of the zoom is left out before it is cut further.
        if !own.overlaps(bounds) || self.subtree(tile, z).next().is_none() {
            return;
        }
        if tile.z() == z || bounds.contains(&own) {
            return self.subtree(tile, z).for_each(each);
        }
        tile.children_by_id().into_iter().flatten().for_each(|child| self.descend(child, bounds, z, each));
    }

    /// How many tiles at zoom `z` exist and share area with a box (EPSG:3857 metres).
    #[must_use]
    pub fn count_in_bounds(&self, bounds: &Bounds, z: u8) -> u64 {
        let mut count = 0u64;
        self.runs_in_bounds(bounds, z, |run| count = count.saturating_add(run.end - run.start));
        count
    }

    /// How many distinct lists and runs the index holds.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.list_offsets.len() - 1, self.run_start.keys().len())
    }
}
