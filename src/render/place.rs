//! Whether an archive lies where the records of a store are, or upside down.

use crate::archive::{Problem, Report, Severity, TileSource};
use crate::error::Result;
use crate::store::Store;
use crate::tile::TileCoord;

/// Tiles of the deepest zoom that are looked up in the store.
const PLACED: u64 = 5000;

/// Compares where the tiles of the finest zoom lie with where the store's records are; at most 5,000 of them, spread evenly.
///
/// # Errors
/// Where the archive can't be read.
pub fn check_place(source: &dyn TileSource, store: &Store, report: &mut Report) -> Result<()> {
    let zoom = source.metadata().maxzoom.unwrap_or(0);
    let mut tiles = Vec::new();
    for id in source.ids()? {
        tiles.extend(id?.coord().filter(|tile| tile.z() == zoom));
    }
    let step = (tiles.len() as u64).div_ceil(PLACED).max(1) as usize;
    let (mut looked, mut covered, mut flipped, mut first) = (0u64, 0u64, 0u64, None);
    for &tile in tiles.iter().step_by(step) {
        let holds = |tile: TileCoord| store.any_overlapping(tile);
        let mirror = TileCoord::new(tile.z(), tile.x(), ((1u64 << tile.z()) - 1 - u64::from(tile.y())) as u32);
        looked += 1;
        if holds(tile) {
            covered += 1;
        } else {
            first = first.or(Some(tile));
        }
        flipped += u64::from(mirror.is_some_and(holds));
    }
    if flipped > covered {
        report.push(Problem {
            severity: Severity::Error,
            tile: first,
            message: format!(
                "is upside down: {covered} of {looked} tiles of zoom {zoom} lie on records of the store, {flipped} would with their rows counted from the other end"
            ),
            remedy: "its writer took TMS rows for XYZ or the other way round: make the archive again".to_owned(),
        });
    } else if covered < looked {
        report.push(Problem {
            severity: Severity::Warning,
            tile: first,
            message: format!(
                "lies on no record of the store, as do {} of {looked} tiles of zoom {zoom}",
                looked - covered
            ),
            remedy: "check that this is the store that the archive was made from".to_owned(),
        });
    }
    Ok(())
}
