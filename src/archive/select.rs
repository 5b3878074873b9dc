//! Which tiles of an archive to take.

use super::metadata::sane_bounds;
use super::polygon::{Polygons, Within};
use super::{ArchiveMetadata, TileSource};
use crate::error::{Error, Result};
use crate::tile::{Bounds, TileCoord, TileRange};

/// A part of an archive; the default is all of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selection {
    /// The coarsest zoom to take.
    pub min_zoom: Option<u8>,
    /// The finest zoom to take.
    pub max_zoom: Option<u8>,
    /// West, south, east, north in degrees: tiles that share area with this box are taken, whole.
    pub bbox: Option<[f64; 4]>,
    /// Tiles that share area with these polygons are taken, whole.
    pub polygons: Option<Polygons>,
}

impl Selection {
    /// A test for tiles that come in the order of their identifiers (any order works, but costs more).
    ///
    /// # Errors
    /// Where the box or the zooms are impossible.
    pub(crate) fn filter(&self) -> Result<Filter<'_>> {
        let (min, max) = (self.min_zoom.unwrap_or(0), self.max_zoom.unwrap_or(31));
        if min > max {
            return Err(Error::argument("--min-zoom", format!("{min} is above --max-zoom {max}; swap them")));
        }
        let area = self.bbox.map(checked_bbox).transpose()?;
        let ranges = area.map(|bounds| (0..=31).map(|z| TileRange::covering(&bounds, z)).collect());
        Ok(Filter { zooms: (min, max), ranges, within: self.polygons.as_ref().map(Within::new) })
    }

    /// West, south, east and north of what can be taken; `None` where that is everything.
    ///
    /// # Errors
    /// Where the box is impossible.
    fn extent(&self) -> Result<Option<[f64; 4]>> {
        if let Some(bbox) = self.bbox {
            checked_bbox(bbox)?;
        }
        let around = self.polygons.as_ref().map(Polygons::lon_lat);
        Ok(match (self.bbox, around) {
            (Some(a), Some(b)) => Some([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]),
            (a, b) => a.or(b),
        })
    }

    /// The metadata of the part: those of the source, its bounds cut to box and polygons.
    ///
    /// # Errors
    /// Where the box is impossible.
    pub fn metadata(&self, source: &dyn TileSource) -> Result<ArchiveMetadata> {
        let mut metadata = source.metadata().clone();
        if let Some(cut) = self.extent()? {
            metadata.bounds = metadata.bounds.and_then(|old| {
                sane_bounds([old[0].max(cut[0]), old[1].max(cut[1]), old[2].min(cut[2]), old[3].min(cut[3])])
            });
            metadata.center = None;
        }
        Ok(metadata)
    }
}

fn checked_bbox(bbox: [f64; 4]) -> Result<Bounds> {
    let [west, south, east, north] = sane_bounds(bbox).ok_or_else(|| {
        Error::argument(
            "--bbox",
            format!("expected west < east and south < north in degrees, found {bbox:?}; across 180 degrees, take each side and merge them"),
        )
    })?;
    Ok(Bounds::from_lon_lat(west, south, east, north))
}

/// Says of each tile whether it is taken.
pub(crate) struct Filter<'a> {
    zooms: (u8, u8),
    ranges: Option<Vec<Option<TileRange>>>,
    within: Option<Within<'a>>,
}

impl Filter<'_> {
    pub(crate) fn takes(&mut self, tile: TileCoord) -> bool {
        let in_box = |ranges: &Vec<Option<TileRange>>| {
            ranges.get(usize::from(tile.z())).copied().flatten().is_some_and(|range| range.contains(tile))
        };
        (self.zooms.0..=self.zooms.1).contains(&tile.z())
            && self.ranges.as_ref().is_none_or(in_box)
            && self.within.as_mut().is_none_or(|within| within.touches(tile))
    }
}
