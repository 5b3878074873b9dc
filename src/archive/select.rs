//! Which tiles of an archive to take.

use std::ops::Range;

use super::metadata::{Center, sane_bounds};
use super::{ArchiveMetadata, LocatedTiles, TileSource};
use crate::error::{Error, Result};
use crate::tile::{Area, Contact, Degrees, MAX_ZOOM, TileCoord, TileId, Zooms};

/// A part of an archive; the default is all of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selection {
    /// The coarsest zoom to take.
    pub min_zoom: Option<u8>,
    /// The finest zoom to take.
    pub max_zoom: Option<u8>,
    /// Of these only the ones that are listed; all where it is `None`.
    pub zooms: Option<Zooms>,
    /// Tiles that share area with this are taken, whole.
    pub area: Option<Area>,
}

impl Selection {
    /// A test for tiles.
    ///
    /// # Errors
    /// Where the zooms are impossible.
    pub(crate) fn filter(&self) -> Result<Filter<'_>> {
        let (min, max) = (self.min_zoom.unwrap_or(0), self.max_zoom.unwrap_or(MAX_ZOOM));
        if min > max {
            return Err(Error::argument("min_zoom", format!("{min} is above `max_zoom = {max}`; swap them")));
        }
        let zooms = Zooms::range(min, max).and(self.zooms.unwrap_or(Zooms::ALL));
        if zooms.is_empty() {
            return Err(Error::argument(
                "zooms",
                format!("name none from {min} to {max}, which are asked for besides"),
            ));
        }
        Ok(Filter { zooms, area: self.area.as_ref() })
    }

    /// The metadata of the part: those of the source, its bounds cut to the area. Where the area takes something on both
    /// sides of the 180th meridian, the bounds reach around the world, because they must not wrap (TileJSON 3.0.0), and the
    /// centre is that of the wider side.
    #[must_use]
    pub fn metadata(&self, source: &dyn TileSource) -> ArchiveMetadata {
        let mut metadata = source.metadata().clone();
        if *self != Self::default() {
            metadata.forget_contents();
        }
        let Some(area) = &self.area else { return metadata };
        metadata.center = None;
        let parts = metadata.bounds.map(|old| area.cut(old)).unwrap_or_default();
        let around = |a: Degrees, b: Degrees| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])];
        metadata.bounds = parts.iter().copied().reduce(around).and_then(sane_bounds);
        if parts.len() > 1
            && let Some(zooms) = metadata.minzoom.zip(metadata.maxzoom)
            && let Some(wider) = parts.iter().max_by(|a, b| (a[2] - a[0]).total_cmp(&(b[2] - b[0])))
        {
            let (min, max) = (self.min_zoom.unwrap_or(0).max(zooms.0), self.max_zoom.unwrap_or(MAX_ZOOM).min(zooms.1));
            metadata.center = Some(Center::of(*wider, min, max));
        }
        metadata
    }
}

/// True where a tile of `zoom` below `top`, whose identifier is one of `ids`, can touch the area.
fn touches(area: &Area, top: TileCoord, zoom: u8, ids: &Range<u64>) -> bool {
    let below = TileId::subtree(top, zoom);
    if below.start >= ids.end || ids.start >= below.end || area.contact(&top.bounds()) == Contact::Outside {
        return false;
    }
    let whole = ids.start <= below.start && below.end <= ids.end;
    whole || top.children().is_none_or(|children| children.into_iter().any(|child| touches(area, child, zoom, ids)))
}

/// Says of each tile whether it is taken.
pub(crate) struct Filter<'a> {
    zooms: Zooms,
    area: Option<&'a Area>,
}

impl Filter<'_> {
    /// The zooms of which tiles are taken.
    pub(crate) fn zooms(&self) -> Zooms {
        self.zooms
    }

    /// False where none of the tiles from `first` to before `end` is taken.
    pub(super) fn may_take(&self, ids: &Range<u64>) -> bool {
        let Some(world) = TileCoord::new(0, 0, 0) else { return true };
        self.zooms.iter().any(|zoom| {
            let of_zoom = TileId::zoom_range(zoom);
            let ids = ids.start.max(of_zoom.start)..ids.end.min(of_zoom.end);
            !ids.is_empty() && self.area.is_none_or(|area| touches(area, world, zoom, &ids))
        })
    }

    /// The tiles of an archive that are taken. PMTiles read only directories that can hold some.
    pub(crate) fn chosen<'a>(&'a self, source: &'a dyn TileSource) -> Result<LocatedTiles<'a>> {
        let all = match source.as_pmtiles() {
            Some(archive) => archive.tiles_within(self),
            None => source.tiles()?,
        };
        Ok(Box::new(all.filter(|tile| match tile {
            Ok(tile) => tile.id.coord().is_some_and(|tile| self.takes(tile)),
            Err(_) => true,
        })))
    }

    pub(crate) fn takes(&self, tile: TileCoord) -> bool {
        self.zooms.contains(tile.z()) && self.area.is_none_or(|area| area.overlaps(&tile.bounds()))
    }
}
