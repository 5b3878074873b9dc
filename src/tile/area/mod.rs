//! Parts of the world: boxes and polygons, in one place for all commands.
//!
//! Longitudes and latitudes are degrees on WGS 84, longitude first. A box whose west is above its east crosses the 180th
//! meridian. Lines of polygons are straight in longitude and latitude (RFC 7946). A tile belongs to an area where both
//! share more than a sliver of a millimetre: what rounding moves over the rim of a tile is no area.
//!
//! ```
//! use hypso::tile::{Area, LonLatBox, TileCoord};
//! let fiji: LonLatBox = "176,-19,-178,-16".parse()?;
//! assert_eq!(fiji.parts().len(), 2);
//! let area = Area::from(fiji);
//! assert!(area.overlaps(&"4/15/8".parse::<TileCoord>()?.bounds()));
//! assert!(area.overlaps(&"4/0/8".parse::<TileCoord>()?.bounds()));
//! assert!(!area.overlaps(&"4/8/8".parse::<TileCoord>()?.bounds()));
//! # Ok::<(), hypso::Error>(())
//! ```

mod edges;
#[cfg(feature = "engine")]
mod geojson;
mod lon_lat;
mod polygons;

pub use edges::Contact;
pub use lon_lat::{LonLat, LonLatBox};
pub use polygons::{Polygon, Polygons};

use super::{Bounds, web_mercator};

/// Slivers narrower than this are no area, metres.
const MILLIMETRE: f64 = 1e-3;

/// A part of the world: some boxes, polygons, or what boxes and polygons have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    boxes: Vec<Bounds>,
    /// The same boxes in degrees, as they were given.
    degrees: Vec<Degrees>,
    polygons: Option<Polygons>,
}

/// West, south, east and north, degrees.
pub type Degrees = [f64; 4];

impl Area {
    /// What lies in one of the boxes (EPSG:3857 metres; none: anywhere) and in the polygons (none: anywhere).
    #[must_use]
    pub fn new(boxes: Vec<Bounds>, polygons: Option<Polygons>) -> Self {
        Self { degrees: boxes.iter().map(Bounds::to_lon_lat).collect(), boxes, polygons }
    }

    /// The area that boxes (one of them) and polygons describe together; `None` where neither is given.
    #[must_use]
    pub fn of(boxes: impl IntoIterator<Item = LonLatBox>, polygons: Option<Polygons>) -> Option<Self> {
        let degrees: Vec<Degrees> = boxes.into_iter().flat_map(|lon_lat| lon_lat.sides()).collect();
        let boxes: Vec<Bounds> = degrees.iter().map(metres).collect();
        (!boxes.is_empty() || polygons.is_some()).then_some(Self { boxes, degrees, polygons })
    }

    /// Its boxes, EPSG:3857 metres; empty where it has polygons only.
    #[must_use]
    pub fn boxes(&self) -> &[Bounds] {
        &self.boxes
    }

    /// Its polygons.
    #[must_use]
    pub fn polygons(&self) -> Option<&Polygons> {
        self.polygons.as_ref()
    }

    /// True where a tile's box (EPSG:3857 metres) shares area with one of the boxes, and with one of the polygons.
    #[must_use]
    pub fn overlaps(&self, tile: &Bounds) -> bool {
        let inner = inside(tile);
        (self.boxes.is_empty() || self.boxes.iter().any(|b| b.overlaps(&inner)))
            && self.polygons.as_ref().is_none_or(|p| p.overlaps(&inner))
    }

    /// How a box (EPSG:3857 metres) lies to the area. A box that several boxes of the area cover together counts as crossed.
    #[must_use]
    pub fn contact(&self, bounds: &Bounds) -> Contact {
        let boxes = match &self.boxes[..] {
            [] => Contact::Inside,
            boxes if boxes.iter().any(|b| b.contains(bounds)) => Contact::Inside,
            boxes if boxes.iter().any(|b| b.overlaps(bounds)) => Contact::Crossed,
            _ => return Contact::Outside,
        };
        match self.polygons.as_ref().map_or(Contact::Inside, |polygons| polygons.contact(bounds)) {
            Contact::Inside => boxes,
            other => other,
        }
    }

    /// True where a point (EPSG:3857 metres) lies in one of the boxes and in the polygons.
    #[must_use]
    pub fn contains_point(&self, x: f64, y: f64) -> bool {
        let (lon, lat) = web_mercator::to_lon_lat(x, y);
        (self.boxes.is_empty() || self.boxes.iter().any(|b| b.contains_point(x, y)))
            && self.polygons.as_ref().is_none_or(|polygons| polygons.contains(lon, lat))
    }

    /// True where a box certainly lies wholly inside. False may mean that finding out would cost too much.
    #[must_use]
    pub fn surely_contains(&self, bounds: &Bounds) -> bool {
        self.polygons.is_none() && self.boxes.iter().any(|b| b.contains(bounds))
    }

    /// The boxes around what the area takes of a box in degrees, west below east; several on both sides of the 180th
    /// meridian.
    #[must_use]
    pub fn cut(&self, bounds: Degrees) -> Vec<Degrees> {
        let mut left = vec![bounds];
        if !self.boxes.is_empty() {
            left = common(&left, &self.degrees);
        }
        if let Some(polygons) = &self.polygons {
            left = common(&left, &polygons.extents());
        }
        left
    }

    /// The box around what the area takes of a box in EPSG:3857 metres; `None` where it takes nothing. Where it takes
    /// something on both sides of the 180th meridian, that is a box around the whole world at these latitudes: the bounds
    /// of tilesets must not wrap (TileJSON 3.0.0).
    #[must_use]
    pub fn cut_metres(&self, bounds: &Bounds) -> Option<Bounds> {
        let edges = |b: &Bounds| [b.min_x, b.min_y, b.max_x, b.max_y];
        let mut left = vec![edges(bounds)];
        if !self.boxes.is_empty() {
            left = common(&left, &self.boxes.iter().map(edges).collect::<Vec<_>>());
        }
        if let Some(polygons) = &self.polygons {
            let extents: Vec<_> = polygons.extents().iter().map(|d| edges(&metres(d))).collect();
            left = common(&left, &extents);
        }
        left.into_iter().map(|[w, s, e, n]| Bounds::new(w, s, e, n)).reduce(|a, b| a.union(&b))
    }
}

impl From<LonLatBox> for Area {
    fn from(lon_lat: LonLatBox) -> Self {
        let degrees = lon_lat.sides();
        Self { boxes: degrees.iter().map(metres).collect(), degrees, polygons: None }
    }
}

impl From<Polygons> for Area {
    fn from(polygons: Polygons) -> Self {
        Self::new(Vec::new(), Some(polygons))
    }
}

impl From<Bounds> for Area {
    fn from(bounds: Bounds) -> Self {
        Self::new(vec![bounds], None)
    }
}

/// What boxes of two lists share, where that has area.
fn common(a: &[[f64; 4]], b: &[[f64; 4]]) -> Vec<[f64; 4]> {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    let shared = pairs.map(|(a, b)| [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    shared.filter(|[w, s, e, n]| w < e && s < n).collect()
}

fn metres(&[west, south, east, north]: &Degrees) -> Bounds {
    Bounds::from_lon_lat(west, south, east, north)
}

/// A tile without its edge; a box that is all edge stays as it is.
fn inside(tile: &Bounds) -> Bounds {
    let inner = tile.buffered(-MILLIMETRE);
    if inner.has_area() { inner } else { *tile }
}

/// The parts of a box on this turn of the world; its longitudes may lie on the turns beside it.
fn on_the_world([west, south, east, north]: Degrees) -> Vec<Degrees> {
    let turns = [0.0, -360.0, 360.0].into_iter();
    let parts = turns.map(|turn| [f64::max(west + turn, -180.0), south, f64::min(east + turn, 180.0), north]);
    parts.filter(|part| metres(part).has_area()).collect()
}

/// True where latitudes from `south` to `north` reach into the square world.
fn in_the_square(south: f64, north: f64) -> bool {
    south < web_mercator::MAX_LATITUDE && north > -web_mercator::MAX_LATITUDE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::TileCoord;

    #[test]
    fn a_box_on_the_rim_of_tiles_takes_these_and_no_neighbour() {
        for z in [1u8, 3, 7, 14, 20] {
            let last = (1u32 << z) - 1;
            for (x, y) in [(0, 0), (last, last), (last / 2, last / 3), (last / 7, last)] {
                let tile = TileCoord::new(z, x, y).unwrap();
                let [w, s, e, n] = tile.bounds().to_lon_lat();
                let area = Area::from(LonLatBox::new(w, s, e, n).unwrap());
                let near = |v: u32| v.saturating_sub(1)..=(v + 1).min(last);
                for (x2, y2) in near(x).flat_map(|x| near(y).map(move |y| (x, y))) {
                    let other = TileCoord::new(z, x2, y2).unwrap();
                    assert_eq!(area.overlaps(&other.bounds()), other == tile, "{other} by the box of {tile}");
                }
            }
        }
    }

    #[test]
    fn what_an_area_takes_of_bounds_never_wraps() {
        let world = Bounds::from_lon_lat(-180.0, -80.0, 180.0, 80.0);
        let round = |b: Bounds| b.to_lon_lat().map(|v| (v * 1e6).round() / 1e6);
        let across = Area::from(LonLatBox::new(170.0, -20.0, -170.0, -10.0).unwrap());
        assert_eq!(round(across.cut_metres(&world).unwrap()), [-180.0, -20.0, 180.0, -10.0]);
        assert_eq!(
            across.cut([-180.0, -80.0, 180.0, -15.0]),
            [[170.0, -20.0, 180.0, -15.0], [-180.0, -20.0, -170.0, -15.0]]
        );
        assert_eq!(across.cut([0.0, -80.0, 180.0, -15.0]), [[170.0, -20.0, 180.0, -15.0]]);
        assert_eq!(across.cut_metres(&Bounds::from_lon_lat(0.0, 0.0, 10.0, 10.0)), None);
        assert!(across.surely_contains(&Bounds::from_lon_lat(171.0, -15.0, 172.0, -14.0)));
        let ring = [[165.0, -30.0], [175.0, -30.0], [175.0, 0.0], [165.0, 0.0]];
        let both = Area::of(
            Some("170,-20,-170,-10".parse().unwrap()),
            Some(Polygons::new(vec![vec![ring.to_vec()]]).unwrap()),
        );
        assert_eq!(both.unwrap().cut([-180.0, -80.0, 180.0, 80.0]), [[170.0, -20.0, 175.0, -10.0]]);
    }
}
