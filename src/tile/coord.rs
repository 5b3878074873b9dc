//! A tile's `z/x/y`.

use super::{Bounds, LonLat, MAX_ZOOM, TileId, web_mercator};
use crate::error::{Error, Result};

/// The address of a tile in the XYZ scheme: zoom, column (eastwards), row (southwards).
///
/// Orders by zoom, then column, then row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileCoord {
    z: u8,
    x: u32,
    y: u32,
}

impl TileCoord {
    /// The tile `z/x/y`, or `None` where the zoom is above [`MAX_ZOOM`] or the column or row lies outside the zoom's grid.
    #[must_use]
    pub const fn new(z: u8, x: u32, y: u32) -> Option<Self> {
        if z > MAX_ZOOM || (x as u64) >= 1 << z || (y as u64) >= 1 << z { None } else { Some(Self { z, x, y }) }
    }

    /// Zoom.
    #[must_use]
    pub const fn z(self) -> u8 {
        self.z
    }

    /// Column, counted from the west.
    #[must_use]
    pub const fn x(self) -> u32 {
        self.x
    }

    /// Row, counted from the north.
    #[must_use]
    pub const fn y(self) -> u32 {
        self.y
    }

    /// The tile's extent in EPSG:3857 metres. Neighbours share the same bits on their common edge.
    #[must_use]
    pub fn bounds(self) -> Bounds {
        let n = f64::from(self.z).exp2();
        let edge = |i: u32| f64::from(i) / n * web_mercator::WORLD - web_mercator::HALF_WORLD;
        let edge_y = |i: u32| web_mercator::HALF_WORLD - f64::from(i) / n * web_mercator::WORLD;
        // `i + 1` may be 2^31 at the deepest zoom, which still fits.
        Bounds::new(edge(self.x), edge_y(self.y + 1), edge(self.x + 1), edge_y(self.y))
    }

    /// The tile one zoom up that holds this one; `None` at zoom 0.
    #[must_use]
    pub const fn parent(self) -> Option<Self> {
        if self.z == 0 { None } else { Some(Self { z: self.z - 1, x: self.x >> 1, y: self.y >> 1 }) }
    }

    /// The ancestor at zoom `z`; the tile itself where `z` is its own zoom, `None` where `z` is deeper.
    #[must_use]
    pub const fn ancestor(self, z: u8) -> Option<Self> {
        if z > self.z {
            return None;
        }
        let shift = self.z - z;
        Some(Self { z, x: self.x >> shift, y: self.y >> shift })
    }

    /// The four tiles one zoom down: north-west, north-east, south-west, south-east. `None` at [`MAX_ZOOM`].
    #[must_use]
    pub const fn children(self) -> Option<[Self; 4]> {
        if self.z >= MAX_ZOOM {
            return None;
        }
        let (z, x, y) = (self.z + 1, self.x * 2, self.y * 2);
        Some([Self { z, x, y }, Self { z, x: x + 1, y }, Self { z, x, y: y + 1 }, Self { z, x: x + 1, y: y + 1 }])
    }

    /// The children in the order of their identifiers. `None` at [`MAX_ZOOM`].
    #[must_use]
    pub fn children_by_id(self) -> Option<[Self; 4]> {
        let mut children = self.children()?;
        children.sort_unstable_by_key(|&child| TileId::from(child));
        Some(children)
    }

    /// The digits of a tile: for each zoom from 1 on, 0 to 3 for the quarter, row by row from the north-west. They are those of Bing
    /// Maps, <https://learn.microsoft.com/bingmaps/articles/bing-maps-tile-system>.
    #[must_use]
    pub fn quadkey(self) -> String {
        let digit = |bit: u8| char::from(b'0' + (self.x >> bit & 1) as u8 + 2 * (self.y >> bit & 1) as u8);
        (0..self.z).rev().map(digit).collect()
    }

    /// The tile with a [`quadkey`](Self::quadkey); `None` for other digits, and for more of them than [`MAX_ZOOM`].
    #[must_use]
    pub fn from_quadkey(key: &str) -> Option<Self> {
        let z = u8::try_from(key.len()).ok().filter(|&z| z <= MAX_ZOOM)?;
        let (mut x, mut y) = (0u32, 0u32);
        for digit in key.bytes() {
            let quarter = digit.checked_sub(b'0').filter(|&d| d < 4)?;
            (x, y) = (x << 1 | u32::from(quarter & 1), y << 1 | u32::from(quarter >> 1));
        }
        Self::new(z, x, y)
    }

    /// The tile at zoom `z` that holds a point in EPSG:3857 metres; points outside are moved to the border.
    #[must_use]
    pub fn at(x: f64, y: f64, z: u8) -> Self {
        let z = z.min(MAX_ZOOM);
        let n = f64::from(z).exp2();
        let cell = |v: f64| ((v / web_mercator::WORLD + 0.5) * n).floor().clamp(0.0, n - 1.0) as u32;
        Self { z, x: cell(x), y: cell(-y) }
    }

    /// The tile at zoom `z` that holds a point in degrees. Latitudes beyond 85.0511 degrees lie in the tiles of the rim.
    #[must_use]
    pub fn at_lon_lat(point: LonLat, z: u8) -> Self {
        let (x, y) = point.metres();
        Self::at(x, y, z)
    }
}

impl std::fmt::Display for TileCoord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.z, self.x, self.y)
    }
}

impl std::str::FromStr for TileCoord {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::argument(
                format!("tile {text:?}"),
                format!("expected z/x/y with z up to {MAX_ZOOM} and x, y below 2^z, such as 12/3628/1617"),
            )
        };
        let mut parts = text.split('/');
        let mut next = || parts.next().and_then(|p| p.parse::<u32>().ok());
        let (Some(z), Some(x), Some(y)) = (next(), next(), next()) else { return Err(bad()) };
        if parts.next().is_some() || z > u32::from(MAX_ZOOM) {
            return Err(bad());
        }
        Self::new(z as u8, x, y).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_tile_the_world_and_points_find_their_tile() {
        for z in [0u8, 1, 5, 14, 22] {
            let last = (1u32 << z) - 1;
            assert_eq!(TileCoord::new(z, 0, 0).unwrap().bounds().min_x, -web_mercator::HALF_WORLD);
            assert_eq!(TileCoord::new(z, last, last).unwrap().bounds().max_x, web_mercator::HALF_WORLD);
            assert_eq!(TileCoord::new(z, last, last).unwrap().bounds().min_y, -web_mercator::HALF_WORLD);
            assert!(TileCoord::new(z, last + 1, 0).is_none());
            let tile = TileCoord::new(z, last / 3, last / 2).unwrap();
            let (x, y) = tile.bounds().center();
            assert_eq!(TileCoord::at(x, y, z), tile);
        }
    }

    #[test]
    fn family_ties() {
        let tile = TileCoord::new(3, 5, 2).unwrap();
        for child in tile.children().unwrap() {
            assert_eq!(child.parent(), Some(tile));
            assert!(tile.bounds().contains(&child.bounds()));
        }
        assert_eq!(tile.ancestor(0), TileCoord::new(0, 0, 0));
        assert_eq!(tile.ancestor(4), None);
        assert!(tile.children_by_id().unwrap().map(TileId::from).is_sorted());
        let deepest = TileCoord::at(0.0, 0.0, MAX_ZOOM);
        assert_eq!((deepest.z(), deepest.children(), deepest.children_by_id()), (31, None, None));
    }

    #[test]
    fn quadkeys_lead_to_tiles_and_back() {
        // Bing's own example: tile 3, 5 of level 3 is 213.
        for (z, x, y, key) in
            [(3, 3, 5, "213"), (0, 0, 0, ""), (2, 3, 0, "11"), (31, 0, u32::MAX >> 1, &"2".repeat(31))]
        {
            let tile = TileCoord::new(z, x, y).unwrap();
            assert_eq!((tile.quadkey().as_str(), TileCoord::from_quadkey(key)), (key, Some(tile)));
        }
        for wrong in ["14", "1a", "-1", &"0".repeat(32), &"0".repeat(300)] {
            assert_eq!(TileCoord::from_quadkey(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn parses_what_it_prints_and_refuses_the_rest() {
        for good in ["12/3628/1617", "31/2147483647/0"] {
            assert_eq!(good.parse::<TileCoord>().unwrap().to_string(), good);
        }
        for bad in ["", "1/2", "1/2/0", "0/0/1", "32/0/0", "1/1/1/1", "a/b/c", "-1/0/0"] {
            assert!(bad.parse::<TileCoord>().is_err(), "{bad}");
        }
    }
}
