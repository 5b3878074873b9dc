//! Axis-aligned boxes.

use super::web_mercator;

/// An axis-aligned box, normally in EPSG:3857 metres.
///
/// Two boxes *overlap* when they share area; boxes that only touch do not.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// Western edge.
    pub min_x: f64,
    /// Southern edge.
    pub min_y: f64,
    /// Eastern edge.
    pub max_x: f64,
    /// Northern edge.
    pub max_y: f64,
}

impl Bounds {
    /// A box from its west, south, east and north edges.
    #[must_use]
    pub const fn new(min_x: f64, min_y: f64, max_x: f64, max_y: f64) -> Self {
        Self { min_x, min_y, max_x, max_y }
    }

    /// A box of longitudes and latitudes (degrees) as EPSG:3857 metres.
    #[must_use]
    pub fn from_lon_lat(west: f64, south: f64, east: f64, north: f64) -> Self {
        let (min_x, min_y) = web_mercator::from_lon_lat(west, south);
        let (max_x, max_y) = web_mercator::from_lon_lat(east, north);
        Self { min_x, min_y, max_x, max_y }
    }

    /// Its corners, counterclockwise and closed.
    #[must_use]
    pub fn corners(&self) -> [(f64, f64); 5] {
        let Self { min_x, min_y, max_x, max_y } = *self;
        [(min_x, min_y), (max_x, min_y), (max_x, max_y), (min_x, max_y), (min_x, min_y)]
    }

    /// The box as `[west, south, east, north]` degrees.
    #[must_use]
    pub fn to_lon_lat(&self) -> [f64; 4] {
        let (west, south) = web_mercator::to_lon_lat(self.min_x, self.min_y);
        let (east, north) = web_mercator::to_lon_lat(self.max_x, self.max_y);
        [west, south, east, north]
    }

    /// True where the box is finite and has a positive width and height.
    #[must_use]
    pub fn has_area(&self) -> bool {
        self.min_x < self.max_x
            && self.min_y < self.max_y
            && [self.min_x, self.min_y, self.max_x, self.max_y].iter().all(|v| v.is_finite())
    }

    /// Width in units of the box (metres).
    #[must_use]
    pub fn width(&self) -> f64 {
        self.max_x - self.min_x
    }

    /// Height in units of the box (metres).
    #[must_use]
    pub fn height(&self) -> f64 {
        self.max_y - self.min_y
    }

    /// The centre of the box.
    #[must_use]
    pub fn center(&self) -> (f64, f64) {
        ((self.min_x + self.max_x) / 2.0, (self.min_y + self.max_y) / 2.0)
    }

    /// True where both boxes share a positive area.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.min_x < other.max_x && other.min_x < self.max_x && self.min_y < other.max_y && other.min_y < self.max_y
    }

    /// True where the point lies inside or on the edge.
    #[must_use]
    pub fn contains_point(&self, x: f64, y: f64) -> bool {
        self.min_x <= x && x <= self.max_x && self.min_y <= y && y <= self.max_y
    }

    /// True where `other` lies wholly inside.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.min_x <= other.min_x && other.max_x <= self.max_x && self.min_y <= other.min_y && other.max_y <= self.max_y
    }

    /// The smallest box around both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::new(
            self.min_x.min(other.min_x),
            self.min_y.min(other.min_y),
            self.max_x.max(other.max_x),
            self.max_y.max(other.max_y),
        )
    }

    /// What both boxes share; without area where they do not overlap.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::new(
            self.min_x.max(other.min_x),
            self.min_y.max(other.min_y),
            self.max_x.min(other.max_x),
            self.max_y.min(other.max_y),
        )
    }

    /// From the nearest point of this box to the nearest one of the other, in units of the boxes; 0 where they have a point in
    /// common, NaN where an edge is NaN.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f64 {
        self.gap_x(other, 0.0).hypot(gap((self.min_y, self.max_y), (other.min_y, other.max_y)))
    }

    /// [`distance`](Self::distance) the shorter way around the world, for boxes in EPSG:3857 metres.
    #[must_use]
    pub fn distance_around(&self, other: &Self) -> f64 {
        let turns = [-web_mercator::WORLD, web_mercator::WORLD];
        let x = turns.iter().fold(self.gap_x(other, 0.0), |least, &turn| least.min(self.gap_x(other, turn)));
        x.hypot(gap((self.min_y, self.max_y), (other.min_y, other.max_y)))
    }

    fn gap_x(&self, other: &Self, turn: f64) -> f64 {
        gap((self.min_x + turn, self.max_x + turn), (other.min_x, other.max_x))
    }

    /// The box grown by `margin` on every side.
    #[must_use]
    pub fn buffered(&self, margin: f64) -> Self {
        Self::new(self.min_x - margin, self.min_y - margin, self.max_x + margin, self.max_y + margin)
    }
}

/// The distance between two intervals.
fn gap(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (before, behind) = (b.0 - a.1, a.0 - b.1);
    // `max` would drop NaN.
    if (before + behind).is_nan() { f64::NAN } else { before.max(behind).max(0.0) }
}
