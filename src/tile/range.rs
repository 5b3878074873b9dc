//! A rectangle of tiles at one zoom.

use super::{Bounds, TileCoord, web_mercator};

/// The tiles of one zoom that share area with a box: columns and rows, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileRange {
    /// Zoom.
    pub z: u8,
    /// First and last column.
    pub x: (u32, u32),
    /// First and last row (XYZ, southwards).
    pub y: (u32, u32),
}

impl TileRange {
    /// The tiles that share a positive area with `bounds` (EPSG:3857 metres); `None` where there is none.
    ///
    /// A box that only touches a tile's edge does not take that tile.
    #[must_use]
    pub fn covering(bounds: &Bounds, z: u8) -> Option<Self> {
        let half = web_mercator::HALF_WORLD;
        let inside = bounds.intersection(&Bounds::new(-half, -half, half, half));
        if !inside.has_area() {
            return None;
        }
        let low = TileCoord::at(inside.min_x, inside.max_y, z);
        let high = TileCoord::at(inside.max_x, inside.min_y, z);
        // `at` rounds once; the exact edges decide, so that a box on a tile's edge never takes the neighbour
        // and the answer equals `tile.bounds().overlaps(bounds)`.
        let probe = |x: u32, y: u32| TileCoord::new(z, x, y).is_some_and(|t| t.bounds().overlaps(&inside));
        let last = (1u64 << z) as u32 - 1;
        let (mut x0, mut x1, mut y0, mut y1) = (low.x(), high.x(), low.y(), high.y());
        let column = |x: u32| {
            TileCoord::new(z, x, 0).is_some_and(|t| {
                let b = t.bounds();
                b.min_x < inside.max_x && inside.min_x < b.max_x
            })
        };
        let row = |y: u32| {
            TileCoord::new(z, 0, y).is_some_and(|t| {
                let b = t.bounds();
                b.min_y < inside.max_y && inside.min_y < b.max_y
            })
        };
        while x0 > 0 && column(x0 - 1) {
            x0 -= 1;
        }
        while x0 < x1 && !column(x0) {
            x0 += 1;
        }
        while x1 < last && column(x1 + 1) {
            x1 += 1;
        }
        while x1 > x0 && !column(x1) {
            x1 -= 1;
        }
        while y0 > 0 && row(y0 - 1) {
            y0 -= 1;
        }
        while y0 < y1 && !row(y0) {
            y0 += 1;
        }
        while y1 < last && row(y1 + 1) {
            y1 += 1;
        }
        while y1 > y0 && !row(y1) {
            y1 -= 1;
        }
        probe(x0, y0).then_some(Self { z, x: (x0, x1), y: (y0, y1) })
    }

    /// How many tiles the rectangle holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        u64::from(self.x.1 - self.x.0 + 1) * u64::from(self.y.1 - self.y.0 + 1)
    }

    /// True where the tile lies inside.
    #[must_use]
    pub fn contains(&self, tile: TileCoord) -> bool {
        tile.z() == self.z && (self.x.0..=self.x.1).contains(&tile.x()) && (self.y.0..=self.y.1).contains(&tile.y())
    }

    /// The tiles, row by row from the north-west.
    pub fn iter(&self) -> impl Iterator<Item = TileCoord> + use<> {
        let (z, x, y) = (self.z, self.x, self.y);
        (y.0..=y.1).flat_map(move |row| (x.0..=x.1).filter_map(move |column| TileCoord::new(z, column, row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tiles_own_bounds_cover_only_itself() {
        for z in [0u8, 1, 7, 15, 22] {
            let last = (1u32 << z) - 1;
            for (x, y) in [(0, 0), (last, last), (last / 2, last / 3), (last / 7, last)] {
                let tile = TileCoord::new(z, x, y).unwrap();
                let range = TileRange::covering(&tile.bounds(), z).unwrap();
                assert_eq!((range.x, range.y), ((x, x), (y, y)), "{tile}");
                if z < 22 {
                    assert_eq!(TileRange::covering(&tile.bounds(), z + 1).unwrap().count(), 4);
                }
            }
        }
    }

    #[test]
    fn agrees_with_overlap_of_bounds() {
        let z = 4;
        let boxes = [
            Bounds::new(-1.0, -1.0, 1.0, 1.0),
            Bounds::new(0.0, 0.0, 2_504_688.0, 2_504_688.0),
            Bounds::new(-3e7, -3e7, 3e7, 3e7),
            Bounds::new(1e6, 2e6, 9e6, 2.1e6),
        ];
        for bounds in boxes {
            let range = TileRange::covering(&bounds, z).unwrap();
            let naive = TileRange { z, x: (0, 15), y: (0, 15) }.iter().filter(|t| t.bounds().overlaps(&bounds)).count();
            assert_eq!(range.count(), naive as u64);
            assert!(range.iter().all(|t| range.contains(t) && t.bounds().overlaps(&bounds)));
        }
        assert!(TileRange::covering(&Bounds::new(0.0, 0.0, 0.0, 5.0), z).is_none());
        assert!(TileRange::covering(&Bounds::new(3e7, 0.0, 4e7, 5.0), z).is_none());
    }
}
