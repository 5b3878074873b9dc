//! How large a plan may be. Tiles are counted before any is enumerated, so that a raster with a wrong georeference costs neither
//! time nor memory.

use super::{Coverage, Extent, Group, ZoomRange};
use crate::error::{Error, Result};
use crate::store::{RecordRef, Store};
use crate::tile::{TileCoord, TileRange};

/// The most tiles of a plan. Europe in pixels of a metre has half as many, and they take terabytes.
pub(super) const MOST_TILES: u64 = 1 << 29;

/// The most units of a plan, which take some 300 MB of memory. The most tiles need as many where they lie together.
pub(super) const MOST_UNITS: usize = 1 << 23;

/// Refuses more tiles than a run can make.
///
/// # Errors
/// Naming the record that has most tiles, their number, and what to do.
pub(super) fn check_tiles(store: &Store, extent: &Extent, groups: &[Group]) -> Result<()> {
    let Some(world) = TileCoord::new(0, 0, 0) else { return Ok(()) };
    let mut total = 0u64;
    for z in groups.iter().flat_map(|group| group.zooms.iter()) {
        total = total.saturating_add(extent.count_to(store, world, z, MOST_TILES));
    }
    if total <= MOST_TILES {
        return Ok(());
    }
    let finest = groups.iter().map(|group| group.zooms.max).max().unwrap_or(0);
    Err(too_many(store, extent, total, finest))
}

/// The error about too many tiles.
fn too_many(store: &Store, extent: &Extent, total: u64, finest: u8) -> Error {
    let full = extent.coverage == Coverage::Full;
    let zoom = |record: &RecordRef<'_>| if full { finest } else { record.native_zoom().min(finest) };
    let tiles = |record: &RecordRef<'_>| TileRange::covering(&record.bounds(), zoom(record)).map_or(0, |r| r.count());
    let many = format!("{total} tiles and more would have to be made, {MOST_TILES} are possible");
    let Some(record) = store.records().iter().max_by_key(tiles) else {
        return Error::argument("plan", many);
    };
    let blown_up = full && record.native_zoom() < finest;
    let remedy = if blown_up {
        "give a smaller `max_zoom`, or make parts of it: an `area` with a `min_zoom`".to_string()
    } else {
        let place = record.listed().unwrap_or_else(|| "its georeference".into());
        // All finer tiles are made for the wanted ones, whose pixels depend on no option.
        let coarser = if extent.zooms.max < record.native_zoom() {
            "; a smaller `max_zoom` saves none of them, since coarser tiles are means of finer ones: to have coarse tiles alone, \
             make a coarser raster of it first (gdalwarp -tr -r average)"
        } else {
            ""
        };
        format!(
            "if that is wrong, correct {place}, and build the store again (`store::Builder`); if it is right, make parts of it: an \
             `area` with a `min_zoom`{coarser}"
        )
    };
    let problem = format!(
        "{many}; most are those of this raster: {} x {} cells of {:.3e} m, {} tiles at zoom {}; {remedy}",
        record.width(),
        record.height(),
        record.pixel_size(),
        tiles(&record),
        zoom(&record),
    );
    match record.full_path() {
        Ok(path) => Error::raster(path, problem),
        Err(error) => error,
    }
}

/// The error about a step with more units than a plan may hold.
pub(super) fn too_many_units(zooms: ZoomRange) -> Error {
    let problem = format!(
        "has more than {MOST_UNITS} units at zooms {zooms}; make parts of it (an `area` with a `min_zoom`), or choose a `pattern` \
         of fewer groups"
    );
    Error::argument("plan", problem)
}
