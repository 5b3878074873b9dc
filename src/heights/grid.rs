//! Tiles of heights as queries see them: a lattice of pixels at each zoom.
//!
//! At zoom z the world has `size << z` pixels along each side. Pixel (0, 0) lies in the north-west, at 180 degrees west and
//! 85.0511 degrees north. A pixel's height belongs to its centre. Columns go around the world; rows end at its rim.

use super::answers::{Height, Sampling, TileHeights};
use super::pack::Facts;
use crate::error::Result;
use crate::tile::{LonLat, TileCoord, web_mercator};

/// What is known of all tiles.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Shape {
    /// Pixels along the side of a tile.
    pub size: u32,
    /// The coarsest zoom with tiles.
    pub min_zoom: u8,
    /// The finest zoom with tiles.
    pub max_zoom: u8,
    /// How many tiles there are.
    pub tiles: u64,
    /// A height is `code * scale + offset` metres.
    pub scale: f64,
    /// See [`scale`](Self::scale).
    pub offset: f64,
}

impl Shape {
    /// Metres of a code.
    #[must_use]
    #[inline]
    pub fn metres(&self, code: f64) -> f64 {
        code * self.scale + self.offset
    }

    /// The side of a pixel of a zoom on the ground at a latitude, metres.
    #[must_use]
    pub fn pixel_size(&self, zoom: u8, latitude: f64) -> f64 {
        web_mercator::resolution(zoom, self.size) * latitude.to_radians().cos()
    }

    /// Pixels along a side of the world.
    #[inline]
    pub(super) fn world(&self, zoom: u8) -> u64 {
        u64::from(self.size) << zoom.min(31)
    }

    /// The zooms from the finest that is asked for to the coarsest.
    pub(super) fn zooms(&self, how: &Sampling) -> impl Iterator<Item = u8> + use<> {
        let finest = how.max_zoom.map_or(self.max_zoom, |zoom| zoom.min(self.max_zoom));
        (self.min_zoom..=finest).rev()
    }
}

/// A place on the square world, each side from 0 to 1, from the north-west.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Eastwards, below 1.
    pub u: f64,
    /// Southwards.
    pub v: f64,
}

impl Place {
    /// `None` beyond the latitudes of the map.
    #[inline]
    pub fn of(point: LonLat) -> Option<Self> {
        let lat = point.lat();
        if lat.abs() > web_mercator::MAX_LATITUDE {
            return None;
        }
        let v = 0.5 - web_mercator::from_lon_lat(0.0, lat).1 / web_mercator::WORLD;
        Some(Self { u: (point.lon() + 180.0) / 360.0, v: v.clamp(0.0, 1.0) })
    }

    /// The pixel of a world of `side` pixels that holds the place.
    #[inline]
    pub fn pixel(&self, side: u64) -> (u64, u64) {
        (Self::pixel_of(self.u, side), Self::pixel_of(self.v, side))
    }

    /// The same of one of the two coordinates.
    #[inline]
    pub fn pixel_of(t: f64, side: u64) -> u64 {
        ((t * side as f64) as u64).min(side - 1)
    }

    /// Longitude and latitude, degrees.
    pub fn lon_lat(u: f64, v: f64) -> [f64; 2] {
        let (_, lat) = web_mercator::to_lon_lat(0.0, (0.5 - v) * web_mercator::WORLD);
        [u * 360.0 - 180.0, lat]
    }
}

/// One tile's pixels.
pub trait Pixels {
    /// The code of a pixel of the tile; `None` where it is void.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn code(&self, x: u32, y: u32) -> Result<Option<i32>>;

    /// The codes of a pixel, of the one east of it, and of the two south of these; all lie in the tile.
    ///
    /// # Errors
    /// As [`code`](Self::code).
    fn four(&self, x: u32, y: u32) -> Result<[Option<i32>; 4]>;

    /// The number of a pixel's source.
    ///
    /// # Errors
    /// As [`code`](Self::code).
    fn source(&self, x: u32, y: u32) -> Result<Option<u8>>;

    /// What is known of the whole tile.
    fn facts(&self) -> Facts;

    /// A range that holds all codes of the block of pixels that starts at (`x`, `y`), both multiples of 16; `None` where they
    /// are void.
    ///
    /// # Errors
    /// As [`code`](Self::code).
    fn block_range(&self, x: u32, y: u32) -> Result<Option<(i64, i64)>>;

    /// The codes and the mask of that block, row by row; what lies beyond the tile's rim means nothing.
    ///
    /// # Errors
    /// As [`code`](Self::code).
    fn block(&self, x: u32, y: u32, codes: &mut [i32; 256], valid: &mut [u8; 256]) -> Result<()>;
}

/// A source of tiles.
pub trait Tiles: Send + Sync {
    /// A tile that was found.
    type Tile<'a>: Pixels + Clone
    where
        Self: 'a;

    /// Tile size, zooms, coding.
    fn shape(&self) -> &Shape;

    /// A tile; `None` where there is none.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn tile(&self, tile: TileCoord) -> Result<Option<Self::Tile<'_>>>;
}

/// A source of tiles that answers all questions.
pub trait Grid: Tiles {
    /// True where a finer tile lies below this one, up to a zoom.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn has_finer(&self, tile: TileCoord, up_to: u8) -> Result<bool>;

    /// The names of the sources in the lineage.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn sources(&self) -> Result<Vec<String>>;

    /// What heights are measured from.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn datum(&self) -> Result<Option<String>>;

    /// Heights at many points; cleared first.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn many(&self, points: &[LonLat], how: &Sampling, heights: &mut Vec<Option<Height>>) -> Result<()>
    where
        Self: Sized,
    {
        heights.clear();
        for &point in points {
            heights.push(super::at::at(self, point, how)?);
        }
        Ok(())
    }

    /// All pixels of a tile.
    ///
    /// # Errors
    /// Where the file is damaged.
    fn pixels(&self, tile: TileCoord) -> Result<Option<TileHeights>>
    where
        Self: Sized,
    {
        let Some(found) = self.tile(tile)? else { return Ok(None) };
        let shape = self.shape();
        let side = shape.size as usize;
        let (mut values, mut valid) = (vec![0.0; side * side], vec![0; side * side]);
        let (mut codes, mut mask) = ([0; 256], [0; 256]);
        for top in (0..side).step_by(16) {
            for left in (0..side).step_by(16) {
                found.block(left as u32, top as u32, &mut codes, &mut mask)?;
                for y in 0..16.min(side - top) {
                    for x in 0..16.min(side - left) {
                        let (from, to) = (y * 16 + x, (top + y) * side + left + x);
                        if mask[from] == 1 {
                            (values[to], valid[to]) = (shape.metres(codes[from].into()) as f32, 1);
                        }
                    }
                }
            }
        }
        Ok(Some(TileHeights { tile, size: shape.size, values, valid }))
    }
}

/// The tile of a pixel of a zoom, and the pixel in the tile.
#[inline]
pub(super) fn tile_of(shape: &Shape, zoom: u8, x: u64, y: u64) -> Option<(TileCoord, u32, u32)> {
    let size = u64::from(shape.size);
    let tile = TileCoord::new(zoom, (x / size) as u32, (y / size) as u32)?;
    Some((tile, (x % size) as u32, (y % size) as u32))
}
