//! What a query asks about.

use crate::tile::{Bounds, LonLat, LonLatBox, TileCoord, web_mercator};

/// A point, a box or a tile, in degrees or in EPSG:3857 metres. Queries take anything that turns into one.
///
/// - Degrees go around the world: a box whose west is above its east crosses the 180th meridian, a point on this meridian
///   lies on both sides of the map. Latitudes beyond 85.0511 degrees lie outside of Web Mercator's square; a point there
///   is moved to the rim on its own meridian, so that a pole is held by the footprints that reach the rim there.
/// - Metres and tiles are taken as they are: nothing is wrapped or moved. A place with a NaN in it overlaps nothing.
///
/// ```
/// use hypso::query::Place;
/// use hypso::tile::{Bounds, LonLat, LonLatBox, TileCoord};
/// let fuji = LonLat::new(138.7275, 35.3607)?;
/// let places: [Place; 5] = [
///     fuji.into(),
///     "176,-19,-178,-16".parse::<LonLatBox>()?.into(), // Fiji, across the 180th meridian
///     TileCoord::at_lon_lat(fuji, 12).into(),
///     Bounds::new(15_442_000.0, 4_216_000.0, 15_443_000.0, 4_217_000.0).into(),
///     Place::Point { x: 15_443_075.0, y: 4_212_412.0 },
/// ];
/// # assert_eq!(places[2], Place::Tile("12/3626/1617".parse()?));
/// # Ok::<(), hypso::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Place {
    /// A point in EPSG:3857 metres. What holds it overlaps it, edges included.
    Point {
        /// Eastwards.
        x: f64,
        /// Northwards.
        y: f64,
    },
    /// A point in degrees. What holds it overlaps it, edges included.
    LonLat(LonLat),
    /// A box in EPSG:3857 metres. What shares area with it overlaps it; touching is not enough.
    Bounds(Bounds),
    /// A box in degrees. What shares area with it overlaps it.
    LonLatBox(LonLatBox),
    /// A tile. What shares area with it overlaps it.
    Tile(TileCoord),
}

impl From<LonLat> for Place {
    fn from(point: LonLat) -> Self {
        Self::LonLat(point)
    }
}

impl From<Bounds> for Place {
    fn from(bounds: Bounds) -> Self {
        Self::Bounds(bounds)
    }
}

impl From<LonLatBox> for Place {
    fn from(bbox: LonLatBox) -> Self {
        Self::LonLatBox(bbox)
    }
}

impl From<TileCoord> for Place {
    fn from(tile: TileCoord) -> Self {
        Self::Tile(tile)
    }
}

/// A piece of a place on the map: a box in EPSG:3857 metres, or a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) bounds: Bounds,
    point: bool,
}

impl Part {
    /// A piece that nothing overlaps.
    pub(super) const NOWHERE: Self =
        Self { bounds: Bounds::new(f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY), point: false };

    fn point(x: f64, y: f64) -> Self {
        Self { bounds: Bounds::new(x, y, x, y), point: true }
    }

    fn area(bounds: Bounds) -> Self {
        Self { bounds, point: false }
    }

    /// True where a footprint holds the point or shares area with the box.
    pub(super) fn is_overlapped(&self, footprint: &Bounds) -> bool {
        if self.point {
            footprint.contains_point(self.bounds.min_x, self.bounds.min_y)
        } else {
            footprint.overlaps(&self.bounds)
        }
    }
}

/// The pieces of a place: one, or one on each side of the 180th meridian; none where a number is missing.
pub(super) struct Parts {
    parts: [Option<Part>; 2],
}

impl Parts {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().flatten()
    }

    /// The only piece; `None` where there are two.
    pub(super) fn single(&self) -> Option<Part> {
        self.parts[0].filter(|_| self.parts[1].is_none())
    }
}

impl Place {
    pub(super) fn parts(&self) -> Parts {
        let parts = match *self {
            Self::Point { x, y } => [Some(Part::point(x, y)), None],
            Self::LonLat(point) => {
                let (x, y) = point.metres();
                let on_the_meridian = x <= -web_mercator::HALF_WORLD;
                [Some(Part::point(x, y)), on_the_meridian.then(|| Part::point(web_mercator::HALF_WORLD, y))]
            }
            Self::Bounds(bounds) => [Some(Part::area(bounds)), None],
            Self::LonLatBox(bbox) => {
                let mut sides = bbox.sides_in_metres().map(Part::area);
                [sides.next(), sides.next()]
            }
            Self::Tile(tile) => [Some(Part::area(tile.bounds())), None],
        };
        Parts { parts: parts.map(|part| part.filter(|p| !is_nan(&p.bounds))) }
    }

    /// The place as one box, which may reach beyond the eastern edge of the world, and whether it was given in degrees.
    pub(super) fn unrolled(&self) -> (Bounds, bool) {
        let point = |(x, y)| Bounds::new(x, y, x, y);
        match *self {
            Self::Point { x, y } => (point((x, y)), false),
            Self::LonLat(lon_lat) => (point(lon_lat.metres()), true),
            Self::Bounds(bounds) => (bounds, false),
            Self::LonLatBox(bbox) => (bbox.unrolled(), true),
            Self::Tile(tile) => (tile.bounds(), false),
        }
    }
}

fn is_nan(b: &Bounds) -> bool {
    b.min_x.is_nan() || b.min_y.is_nan() || b.max_x.is_nan() || b.max_y.is_nan()
}
