//! Which tiles exist, which are wanted, and which are needed to make the wanted ones.

use std::sync::Arc;

use strum::VariantNames as _;

use crate::error::Error;
use crate::query::Order;
use crate::store::Store;
use crate::tile::{Area, Bounds, TileCoord};

use super::ZoomRange;

/// Which tiles exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case", parse_err_ty = Error, parse_err_fn = unknown)]
pub enum Coverage {
    /// A tile exists where a record of native zoom >= its zoom shares area with it: coarse areas stop at their own
    /// zoom.
    #[default]
    Native,
    /// A tile exists where any record shares area with it: coarse areas are blown up to the last zoom.
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
            store.rows_in_bounds(&tile.bounds(), Order::Row, &mut rows);
            !rows.is_empty()
        }
    }

    /// True where the tile is to be in the output, if it exists and has a valid pixel.
    #[must_use]
    pub fn wants(&self, tile: TileCoord) -> bool {
        self.zooms.contains(tile.z()) && self.meets(&tile.bounds())
    }

    /// True where a box shares area with the wanted area.
    pub(super) fn meets(&self, tile: &Bounds) -> bool {
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
        if self.coverage == Coverage::Native || !self.zooms.contains(z) {
            out.extend(store.tiles().iter_subtree(block, z).filter(|&t| self.needs(t)));
        } else {
            self.descend(store, block, z, &mut out);
        }
        out
    }

    /// How many tiles at zoom `z` below `block` exist and are needed. Without an area, and where the tile index knows them
    /// all, this reads a few numbers.
    #[must_use]
    pub fn count(&self, store: &Store, block: TileCoord, z: u8) -> u64 {
        let in_the_index = self.coverage == Coverage::Native || !self.zooms.contains(z);
        if in_the_index && self.area.is_none() && z >= self.zooms.min {
            return store.tiles().count_subtree(block, z);
        }
        self.tiles(store, block, z).len() as u64
    }

    fn descend(&self, store: &Store, tile: TileCoord, z: u8, out: &mut Vec<TileCoord>) {
        let mut rows = Vec::new();
        store.rows_in_bounds(&tile.bounds(), Order::Row, &mut rows);
        if rows.is_empty() {
            return;
        }
        if tile.z() == z {
            // An overzoomed tile is made from the records alone; nothing depends on it.
            if store.tiles().contains(tile) && self.needs(tile) || self.wants(tile) {
                out.push(tile);
            }
            return;
        }
        let mut children = tile.children();
        children.sort_unstable_by_key(|&c| crate::tile::TileId::from(c));
        children.iter().for_each(|&c| self.descend(store, c, z, out));
    }
}
