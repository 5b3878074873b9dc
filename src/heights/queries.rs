//! The queries, the same for everything that holds tiles of heights.

use super::answers::{
    Extent, Height, Profile, Resample, Sampling, Seen, Sight, Slope, Spacing, Statistics, TileHeights, Window,
};
use super::grid::{Grid, Shape, Tiles};
use crate::error::Result;
use crate::tile::{Area, LonLat, TileCoord};

/// Queries for heights. Any number of threads may use them at once.
///
/// Errors are those of a damaged file and of impossible queries: places outside of the world, lines without length.
pub trait HeightQueries: Send + Sync {
    /// Tile size, zooms, how many tiles.
    fn shape(&self) -> &Shape;

    /// The names of the sources that answers number; empty where there is no lineage.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn sources(&self) -> Result<Vec<String>>;

    /// What the heights are measured from; `None` where that is not known.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn datum(&self) -> Result<Option<String>>;

    /// The height at a longitude and a latitude, degrees: bilinear, from the finest tile; `None` in a void and where there is no
    /// tile. In a mapped file it costs two or three lines of memory, and nothing is allocated.
    ///
    /// # Errors
    /// Where the longitude is beyond -360..360 or the latitude beyond -90..90 (are they swapped?), or the file is damaged.
    fn at(&self, lon: f64, lat: f64) -> Result<Option<Height>> {
        self.sample(LonLat::new(lon, lat)?, &Sampling::default())
    }

    /// As [`at`](Self::at), with all options.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn sample(&self, point: LonLat, how: &Sampling) -> Result<Option<Height>>;

    /// The heights at many points, in their order; `heights` is cleared first and can be used again. In a mapped file, points
    /// are looked up in groups, so that they wait for memory together; sorted points are faster still.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn at_many(&self, points: &[LonLat], how: &Sampling, heights: &mut Vec<Option<Height>>) -> Result<()>;

    /// The heights along a line of two places or more; between them it is straight on the ellipsoid, and so takes the short way across the
    /// 180th meridian.
    ///
    /// # Errors
    /// Where the line has no length, the spacing makes no sample or more than ten million, or the file is damaged.
    fn along(&self, line: &[LonLat], spacing: Spacing, how: &Sampling) -> Result<Profile>;

    /// Least, greatest and mean height of an area, and how much of it is void. Only blocks on the rim of the area are read; the
    /// rest is answered from columns. No zoom finer than `max_zoom` is looked at.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn statistics(&self, area: &Area, max_zoom: Option<u8>) -> Result<Statistics>;

    /// The least and the greatest height of an area, metres, as in [`statistics`](Self::statistics), but it reads little more than
    /// columns; `None` where no pixel has a height.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn range(&self, area: &Area, max_zoom: Option<u8>) -> Result<Option<(f64, f64)>>;

    /// The heights of a box as an array of `[width, height]` cells, row by row from the north-west. Of `how`, the interpolation is
    /// not used.
    ///
    /// # Errors
    /// Where the box has no area, there are no cells or more than 2^28, or the file is damaged.
    fn window(&self, extent: Extent, size: [usize; 2], resample: Resample, how: &Sampling) -> Result<Window>;

    /// Slope and aspect of the 3 x 3 pixels around a point (Horn 1981); `None` where one of them has no height.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn slope_aspect(&self, point: LonLat, how: &Sampling) -> Result<Option<Slope>>;

    /// Whether the eye sees the target, and what is in the way. Samples lie a pixel of the finest zoom apart; tiles whose greatest
    /// height is below the line are not read.
    ///
    /// # Errors
    /// Where a number of `sight` is none, the line has more than ten million samples, or the file is damaged.
    fn sees(&self, sight: &Sight, how: &Sampling) -> Result<Seen>;

    /// All pixels of a tile; `None` where there is no such tile.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn tile(&self, tile: TileCoord) -> Result<Option<TileHeights>>;
}

impl<G: Grid> HeightQueries for G {
    fn shape(&self) -> &Shape {
        Tiles::shape(self)
    }

    fn sources(&self) -> Result<Vec<String>> {
        Grid::sources(self)
    }

    fn datum(&self) -> Result<Option<String>> {
        Grid::datum(self)
    }

    fn sample(&self, point: LonLat, how: &Sampling) -> Result<Option<Height>> {
        super::at::at(self, point, how)
    }

    fn at_many(&self, points: &[LonLat], how: &Sampling, heights: &mut Vec<Option<Height>>) -> Result<()> {
        self.many(points, how, heights)
    }

    fn along(&self, line: &[LonLat], spacing: Spacing, how: &Sampling) -> Result<Profile> {
        super::line::along(self, line, spacing, how)
    }

    fn statistics(&self, area: &Area, max_zoom: Option<u8>) -> Result<Statistics> {
        super::statistics::statistics(self, area, max_zoom)
    }

    fn range(&self, area: &Area, max_zoom: Option<u8>) -> Result<Option<(f64, f64)>> {
        super::statistics::range(self, area, max_zoom)
    }

    fn window(&self, extent: Extent, size: [usize; 2], resample: Resample, how: &Sampling) -> Result<Window> {
        super::window::window(self, extent, size, resample, how)
    }

    fn slope_aspect(&self, point: LonLat, how: &Sampling) -> Result<Option<Slope>> {
        super::slope::slope_aspect(self, point, how)
    }

    fn sees(&self, sight: &Sight, how: &Sampling) -> Result<Seen> {
        super::sight::sees(self, sight, how)
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<TileHeights>> {
        self.pixels(tile)
    }
}
