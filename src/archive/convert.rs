//! One archive into another: between the formats, or a part of it.

use super::metadata::sane_bounds;
use super::{ArchiveMetadata, ArchiveSummary, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::{Bounds, TileCoord, TileId, TileRange};

/// Which tiles to take.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ConvertOptions {
    /// The coarsest zoom to take.
    pub min_zoom: Option<u8>,
    /// The finest zoom to take.
    pub max_zoom: Option<u8>,
    /// West, south, east, north in degrees: tiles that share area with this box are taken, whole.
    pub bbox: Option<[f64; 4]>,
}

impl ConvertOptions {
    /// The tiles to take, as one range a zoom.
    fn select(&self) -> Result<impl Fn(TileCoord) -> bool> {
        let (min, max) = (self.min_zoom.unwrap_or(0), self.max_zoom.unwrap_or(31));
        if min > max {
            return Err(Error::argument("--min-zoom", format!("{min} is above --max-zoom {max}; swap them")));
        }
        let area = self.bbox.map(checked_bbox).transpose()?;
        let ranges: Vec<Option<TileRange>> =
            area.map_or(Vec::new(), |bounds| (0..=31).map(|z| TileRange::covering(&bounds, z)).collect());
        Ok(move |tile: TileCoord| {
            (min..=max).contains(&tile.z())
                && (area.is_none()
                    || ranges.get(usize::from(tile.z())).copied().flatten().is_some_and(|r| r.contains(tile)))
        })
    }
}

fn checked_bbox(bbox: [f64; 4]) -> Result<Bounds> {
    let [west, south, east, north] = sane_bounds(bbox).ok_or_else(|| {
        Error::argument(
            "--bbox",
            format!("expected west < east and south < north in degrees, found {bbox:?}; across 180 degrees, convert each side and merge them"),
        )
    })?;
    Ok(Bounds::from_lon_lat(west, south, east, north))
}

/// The metadata of what [`convert`] will write: those of the source, its bounds cut to the box.
///
/// # Errors
/// Where the box is impossible.
pub fn converted_metadata(source: &dyn TileSource, options: &ConvertOptions) -> Result<ArchiveMetadata> {
    let mut metadata = source.metadata().clone();
    if let Some(bbox) = options.bbox {
        checked_bbox(bbox)?;
        metadata.bounds = metadata.bounds.and_then(|old| {
            sane_bounds([old[0].max(bbox[0]), old[1].max(bbox[1]), old[2].min(bbox[2]), old[3].min(bbox[3])])
        });
        metadata.center = None;
    }
    Ok(metadata)
}

/// Copies the chosen tiles of `source` into `sink`, byte by byte, and finishes it.
///
/// Streams: memory does not grow with the source, apart from its sorted addresses in the case of MBTiles.
///
/// # Errors
/// Where no tile is chosen, the source can't be read, the sink can't be written, or the user interrupts.
pub fn convert(
    source: &dyn TileSource,
    mut sink: Box<dyn TileSink>,
    options: &ConvertOptions,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    let chosen = options.select()?;
    let whole = *options == ConvertOptions::default();
    progress.begin("copying tiles", if whole { Some(source.tile_count()?) } else { None }, "tiles");
    let mut copied = 0u64;
    for id in source.ids()? {
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        let Some(tile) = id?.coord().filter(|&tile| chosen(tile)) else { continue };
        sink.put(tile, &read_tile(source, tile)?)?;
        copied += 1;
        progress.advance(1);
    }
    progress.end();
    if copied == 0 {
        return Err(Error::invalid(
            "tiles",
            "none is chosen",
            "check the zooms and the box against what `hypso inspect` shows",
        )
        .with_path(source.path()));
    }
    sink.finish()
}

/// A tile that the archive listed; that it isn't there is a fault of the archive.
pub(super) fn read_tile(source: &dyn TileSource, tile: TileCoord) -> Result<Vec<u8>> {
    source.tile(tile)?.ok_or_else(|| {
        let id = TileId::from(tile).0;
        Error::invalid(
            format!("tile {tile}"),
            format!("is listed (id {id}) but can't be found"),
            "the archive is damaged or being changed: make it again",
        )
        .with_path(source.path())
    })
}
