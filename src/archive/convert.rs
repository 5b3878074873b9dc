//! One archive into another: between the formats, or a part of it.

use super::pipeline::read_all;
use super::{ArchiveSummary, Selection, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Copies the chosen tiles of `source` into `sink`, byte by byte, and finishes it.
///
/// Make the sink with [`Selection::metadata`]. Streams on all processors: memory does not grow with the source.
///
/// # Errors
/// Where no tile is chosen, the source can't be read, the sink can't be written, or the user interrupts.
pub fn convert(
    source: &dyn TileSource,
    mut sink: Box<dyn TileSink>,
    selection: &Selection,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    let filter = selection.filter()?;
    let whole = *selection == Selection::default();
    progress.begin("copying tiles", if whole { Some(source.tile_count()?) } else { None }, "tiles");
    let tiles = source.tiles()?.filter_map(|tile| match tile {
        Ok(tile) => tile.id.coord().filter(|&coord| filter.takes(coord)).map(|_| Ok((0, tile))),
        Err(error) => Some(Err(error)),
    });
    let mut copied = 0u64;
    read_all(&[source], tiles, progress, |tile, bytes| {
        copied += 1;
        sink.put(tile, bytes)
    })?;
    progress.end();
    if copied == 0 {
        return Err(nothing_chosen(source));
    }
    sink.finish()
}

/// A selection that leaves no tile.
pub(crate) fn nothing_chosen(source: &dyn TileSource) -> Error {
    Error::invalid("tiles", "none is chosen", "check the zooms and the area against what `hypso inspect` shows")
        .with_path(source.path())
}
