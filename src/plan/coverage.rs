//! Which tiles exist, which are wanted, and which are needed to make the wanted ones.

use std::ops::ControlFlow::{self, Break, Continue};
use std::ops::Range;
use std::sync::Arc;

use strum::VariantNames as _;

use crate::error::Error;
use crate::query::Order;
use crate::store::Store;
use crate::tile::{Area, Bounds, TileCoord, TileId};

use super::ZoomRange;

/// Which tiles exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case", parse_err_ty = Error, parse_err_fn = unknown)]
pub enum Coverage {
    /// A tile exists where a record of native zoom >= its zoom shares area with it: coarse areas stop at their own
    /// zoom.
    #[default]
    Native,
    /// A tile exists where any record shares area with it: coarse areas are upsampled to the last zoom.
    Full,
}

fn unknown(text: &str) -> Error {
    Error::unknown_name("coverage", text, Coverage::VARIANTS)
}

/// The wanted zooms and area over a store: answers which tiles exist, are wanted, are needed.
#[derive(Debug, Clone)]
pub struct Extent {
    /// The coverage rule.
    pub coverage: Coverage,
    /// The wanted zooms.
    pub zooms: ZoomRange,
    /// The wanted area; `None` for everything.
    pub area: Option<Arc<Area>>,
}

impl Extent {
    /// True where the tile exists by the coverage rule.
    #[must_use]
    pub fn exists(&self, store: &Store, tile: TileCoord) -> bool {
        if store.tiles().contains(tile) {
            return true;
        }
        self.coverage == Coverage::Full && self.zooms.contains(tile.z()) && {
            let mut rows = Vec::new();
            store.rows_overlapping(tile.bounds(), Order::Row, &mut rows);
            !rows.is_empty()
        }
    }

    /// True where the tile is to be in the output, if it exists and has a valid pixel.
    #[must_use]
    pub fn wants(&self, tile: TileCoord) -> bool {
        self.zooms.contains(tile.z()) && self.meets(&tile.bounds())
    }

    /// True where a box shares area with the wanted area.
    pub(crate) fn meets(&self, tile: &Bounds) -> bool {
        self.area.as_ref().is_none_or(|area| area.overlaps(tile))
    }

    /// True where a wanted tile is this one or depends on it.
    #[must_use]
    pub fn needs(&self, tile: TileCoord) -> bool {
        tile.ancestor(self.zooms.min).is_some_and(|up| self.meets(&up.bounds()))
    }

    /// The tiles at zoom `z` below `block` that exist and are needed, in Hilbert order.
    #[must_use]
    pub fn tiles(&self, store: &Store, block: TileCoord, z: u8) -> Vec<TileCoord> {
        let mut out = Vec::new();
        let _ = self.runs(store, block, z, &mut |run| {
            out.extend(run.filter_map(|id| TileId(id).coord()));
            Continue(())
        });
        out
    }

    /// How many tiles at zoom `z` below `block` exist and are needed, without enumerating them. Without an area, and where the tile
    /// index has all of them, this reads a few numbers. Otherwise it looks at the tiles along edges.
    #[must_use]
    pub fn count(&self, store: &Store, block: TileCoord, z: u8) -> u64 {
        self.count_to(store, block, z, u64::MAX)
    }

    /// As [`count`](Self::count), but stops where there are more than `most`. The answer is then larger than `most`.
    pub(super) fn count_to(&self, store: &Store, block: TileCoord, z: u8, most: u64) -> u64 {
        let mut count = 0u64;
        let _ = self.runs(store, block, z, &mut |run| {
            // Runs of a damaged file may overlap and add up to anything.
            count = count.saturating_add(run.end - run.start);
            if count > most { Break(()) } else { Continue(()) }
        });
        count
    }

    /// Calls `each` with runs of consecutive identifiers of the tiles at zoom `z` below `block` that exist and are needed, in
    /// Hilbert order, until it breaks off.
    pub(super) fn runs(&self, store: &Store, block: TileCoord, z: u8, each: Each<'_>) -> ControlFlow<()> {
        if self.coverage == Coverage::Native || !self.zooms.contains(z) {
            self.native(store, block, z, each)
        } else {
            self.full(store, block, z, each)
        }
    }

    /// The tiles of the tile index that are needed.
    fn native(&self, store: &Store, tile: TileCoord, z: u8, each: Each<'_>) -> ControlFlow<()> {
        if z < self.zooms.min {
            return Continue(());
        }
        let all = |each: Each<'_>| store.tiles().subtree(tile, z).try_for_each(each);
        if self.area.is_none() {
            return all(each);
        }
        if tile.z() >= self.zooms.min {
            return if self.needs(tile) { all(each) } else { Continue(()) };
        }
        let bounds = tile.bounds();
        if !self.meets(&bounds) || store.tiles().subtree(tile, z).next().is_none() {
            return Continue(());
        }
        if self.surely_holds(&bounds) {
            return all(each);
        }
        tile.children_by_id().into_iter().flatten().try_for_each(|child| self.native(store, child, z, each))
    }

    /// The tiles that share area with any record and are wanted, and those of the tile index that are needed.
    fn full(&self, store: &Store, tile: TileCoord, z: u8, each: Each<'_>) -> ControlFlow<()> {
        let bounds = tile.bounds();
        let mut rows = Vec::new();
        store.rows_overlapping(bounds, Order::Row, &mut rows);
        if rows.is_empty() {
            return Continue(());
        }
        if tile.z() == z {
            // An overzoomed tile is made from the records alone; nothing depends on it.
            let is = self.wants(tile) || store.tiles().contains(tile) && self.needs(tile);
            let id = TileId::from(tile).0;
            return if is { each(id..id + 1) } else { Continue(()) };
        }
        if !self.meets(&bounds) {
            return self.native(store, tile, z, each);
        }
        // Below a tile that lies inside of a record all tiles exist.
        if self.surely_holds(&bounds) && rows.iter().any(|&row| store.records().bounds(row).contains(&bounds)) {
            return each(TileId::subtree(tile, z));
        }
        tile.children_by_id().into_iter().flatten().try_for_each(|child| self.full(store, child, z, each))
    }

    /// True where a box certainly lies wholly inside the wanted area.
    fn surely_holds(&self, bounds: &Bounds) -> bool {
        self.area.as_ref().is_none_or(|area| area.surely_contains(bounds))
    }
}

/// What is called with runs of identifiers.
type Each<'a> = &'a mut dyn FnMut(Range<u64>) -> ControlFlow<()>;
