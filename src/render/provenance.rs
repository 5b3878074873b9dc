//! Which records a tile's or a pixel's heights come from.

use std::ops::ControlFlow;

use super::RasterOpener;
use super::sampler::{Area, Sampler};
use crate::error::Result;
use crate::raster::Resampling;
use crate::store::{RowId, Store};
use crate::terrain::ElevationTile;
use crate::tile::TileCoord;

/// A record's part in a tile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// The record.
    pub row: RowId,
    /// Pixels whose height it gives.
    pub pixels: u64,
}

/// What records say about one pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The record.
    pub row: RowId,
    /// Its height there, metres; `None` where it has none.
    pub height: Option<f32>,
}

/// The parts of all records that cover a tile, in candidate order, those without a part included; the rest of its pixels has no
/// value. Each pixel is asked at its centre, at the tile's own zoom: of a coarse tile, which is a mean of finer ones,
/// the parts are those of a sample of its pixels.
///
/// Costs the reading of all records that cover the tile, as far as they do; of those that are much finer, an overview that holds
/// means is read in their place.
///
/// # Errors
/// Where a record can't be read, or a line of the tile's pixels needs more than 2^26 of its cells.
pub fn shares(store: &Store, opener: &dyn RasterOpener, resampling: Resampling, tile: TileCoord) -> Result<Vec<Share>> {
    let mut sampler = Sampler::new(store, opener, resampling)?;
    let mut plane = ElevationTile::empty(store.tile_size());
    let area = Area::of(tile, plane.size);
    sampler.pool.overviews = Some(area.resolution());
    let mut out = Vec::new();
    for record in store.overlapping(tile) {
        let full = plane.is_full();
        let pixels = if full { 0 } else { sampler.draw(&area, &record, &mut plane, None)? as u64 };
        out.push(Share { row: record.row(), pixels });
    }
    Ok(out)
}

/// The heights that the records give a tile at its own zoom, without blending, filling or rounding. Where records are finer than the tile, they, or overviews that hold their means, are averaged over its pixels.
///
/// # Errors
/// As [`shares`].
pub fn heights(
    store: &Store,
    opener: &dyn RasterOpener,
    resampling: Resampling,
    tile: TileCoord,
) -> Result<ElevationTile> {
    let mut sampler =
        Sampler::new(store, opener, if has_finer(store, tile) { Resampling::Average } else { resampling })?;
    let mut plane = ElevationTile::empty(store.tile_size());
    let area = Area::of(tile, plane.size);
    sampler.pool.overviews = Some(area.resolution());
    for record in store.overlapping(tile) {
        if plane.is_full() {
            break;
        }
        sampler.draw(&area, &record, &mut plane, None)?;
    }
    Ok(plane)
}

/// True where a record over the tile is finer than the tile's zoom.
pub(super) fn has_finer(store: &Store, tile: TileCoord) -> bool {
    let zooms = store.records().native_zoom;
    let finer = |row: RowId| zooms.get(row as usize).is_some_and(|&zoom| zoom > tile.z());
    let each = |row| if finer(row) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    store.visit_overlapping(tile, each).is_break()
}
