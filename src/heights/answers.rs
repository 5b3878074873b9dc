//! The options and the answers of queries.

use crate::tile::{Bounds, LonLat, LonLatBox, TileCoord};

/// How a height between pixels is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Interpolation {
    /// Bilinear between the four nearest pixel centres. Void pixels have no weight.
    #[default]
    Bilinear,
    /// The pixel that the point lies in.
    Nearest,
}

/// The answer where the finest tile has no height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Voids {
    /// Nothing: voids are kept.
    #[default]
    Keep,
    /// The height of the finest coarser tile that has one there.
    FillFromCoarser,
}

/// How points are sampled. [`Sampling::default`] is bilinear, from the finest tile, with voids kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Sampling {
    /// Between pixels.
    pub interpolation: Interpolation,
    /// In voids.
    pub voids: Voids,
    /// The finest zoom that is looked at; `None` for all.
    pub max_zoom: Option<u8>,
}

impl Sampling {
    /// With another interpolation.
    #[must_use]
    pub const fn interpolation(mut self, interpolation: Interpolation) -> Self {
        self.interpolation = interpolation;
        self
    }

    /// With another treatment of voids.
    #[must_use]
    pub const fn voids(mut self, voids: Voids) -> Self {
        self.voids = voids;
        self
    }

    /// From no finer zoom than this one.
    #[must_use]
    pub const fn up_to_zoom(mut self, zoom: u8) -> Self {
        self.max_zoom = Some(zoom);
        self
    }
}

/// A height and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Height {
    /// Metres above the datum of the tiles.
    pub metres: f64,
    /// The zoom of the tile.
    pub zoom: u8,
    /// The number of the source of the pixel that the point lies in, as [`HeightQueries::sources`](super::HeightQueries::sources)
    /// counts them; `None` where the file has no lineage or the pixel no source.
    pub source: Option<u8>,
}

/// How far apart the samples of a line are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spacing {
    /// At most so many metres on the ground; the ends of the line and its corners are samples too.
    Metres(f64),
    /// So many samples, the ends included, at equal distances; at least two.
    Count(usize),
}

/// A sample of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ProfilePoint {
    /// Where.
    pub point: LonLat,
    /// Metres along the line from its start, on the WGS 84 ellipsoid.
    pub distance: f64,
    /// The height there; `None` in a void.
    pub height: Option<Height>,
}

/// The heights along a line.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Profile {
    /// The samples in order.
    pub points: Vec<ProfilePoint>,
    /// The length of the line, metres on the ellipsoid.
    pub length: f64,
    /// The sum of all steps upwards between samples that have heights, metres. Steps over a void count.
    pub climb: f64,
    /// The sum of all steps downwards, metres, positive.
    pub descent: f64,
    /// The least height, metres.
    pub least: Option<f64>,
    /// The greatest height, metres.
    pub greatest: Option<f64>,
}

/// The heights of an area. Its pixels are those whose centres lie in it; at every place the finest tile
/// counts, and a pixel of a coarser tile counts as many times as it has pixels of the finest zoom.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// The least height, metres; `None` where no pixel has one.
    pub least: Option<f64>,
    /// The greatest height, metres.
    pub greatest: Option<f64>,
    /// The mean height, metres: of the map's pixels, which cover less ground towards the poles.
    pub mean: Option<f64>,
    /// Pixels with a height, counted in those of zoom [`zoom`](Self::zoom).
    pub valid: f64,
    /// Pixels without a height in tiles that exist.
    pub void: f64,
    /// About how many pixels of the area no tile covers; `None` for areas of polygons or of boxes that overlap.
    pub uncovered: Option<f64>,
    /// The zoom that pixels are counted in: the finest that was looked at.
    pub zoom: u8,
}

/// The box of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Extent {
    /// EPSG:3857 metres: cells have equal sides on the map.
    Metres(Bounds),
    /// Degrees: cells have equal steps of longitude and of latitude.
    Degrees(LonLatBox),
}

/// How a window is made of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Resample {
    /// The pixel that the cell's centre lies in.
    Nearest,
    /// Bilinear at the cell's centre.
    #[default]
    Bilinear,
    /// The mean of the valid pixels whose centres lie in the cell, of the coarsest zoom with two pixels or more along each side of
    /// a cell; bilinear where cells are smaller than that.
    Mean,
}

/// Heights of a box, row by row from the north-west.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Window {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Metres; NaN in voids.
    pub values: Vec<f32>,
}

/// Slope and aspect.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Slope {
    /// Degrees from the horizontal, 0 to 90.
    pub degrees: f64,
    /// The direction that the slope falls to, degrees clockwise from the north, 0 to 360; `None` where it is level.
    pub aspect: Option<f64>,
    /// The zoom of the pixels.
    pub zoom: u8,
}

/// A line of sight between two places.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Sight {
    /// The eye.
    pub from: LonLat,
    /// The target.
    pub to: LonLat,
    /// Metres of the eye above the ground.
    pub eye: f64,
    /// Metres of the target above the ground.
    pub target: f64,
    /// Which part of the Earth's curvature refraction takes away: 0.13 in ordinary air for light (k), 0.25 for radio, 0 for none.
    pub refraction: f64,
}

impl Sight {
    /// From an eye 1.7 m above the ground to a point on the ground, with a refraction of 0.13.
    #[must_use]
    pub const fn new(from: LonLat, to: LonLat) -> Self {
        Self { from, to, eye: 1.7, target: 0.0, refraction: 0.13 }
    }

    /// With other heights of eye and target above the ground, metres.
    #[must_use]
    pub const fn above_ground(mut self, eye: f64, target: f64) -> Self {
        (self.eye, self.target) = (eye, target);
        self
    }

    /// With another refraction.
    #[must_use]
    pub const fn refraction(mut self, k: f64) -> Self {
        self.refraction = k;
        self
    }
}

/// What a line of sight meets.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Seen {
    /// Nothing is in the way. Voids between the ends count as open.
    Clear,
    /// The ground is in the way, at the first sample from the eye that is above the line.
    Blocked {
        /// Where.
        point: LonLat,
        /// Metres from the eye.
        distance: f64,
        /// The ground there.
        ground: Height,
        /// How far the ground is above the line, metres.
        above: f64,
    },
    /// One of the ends has no height, so there is no answer.
    Unknown,
}

/// The pixels of a tile, row by row from the north-west.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TileHeights {
    /// The tile.
    pub tile: TileCoord,
    /// Pixels along a side.
    pub size: u32,
    /// Metres; 0 in voids.
    pub values: Vec<f32>,
    /// 1 where a pixel has a height, else 0.
    pub valid: Vec<u8>,
}
