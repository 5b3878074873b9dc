//! One number for a tile: the Hilbert identifier of the PMTiles specification, version 3.

use super::{MAX_ZOOM, TileCoord, hilbert};

/// A tile as one `u64`: the number of tiles at all lower zooms, plus the position on the zoom's Hilbert curve.
///
/// The curve is the one of the PMTiles specification. All tiles below one ancestor at one zoom are consecutive:
/// see [`TileId::subtree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId(pub u64);

impl TileId {
    /// The first identifier of a zoom: the number of tiles at all lower zooms, `(4^z - 1) / 3`.
    #[must_use]
    pub const fn first(z: u8) -> Self {
        Self(((1u64 << (2 * z as u32)) - 1) / 3)
    }

    /// The identifiers of all tiles of a zoom: first and one past the last; empty beyond [`MAX_ZOOM`].
    #[must_use]
    pub const fn zoom_range(z: u8) -> std::ops::Range<u64> {
        if z > MAX_ZOOM {
            return 0..0;
        }
        let first = Self::first(z).0;
        first..first + (1 << (2 * z as u32))
    }

    /// The tile, or `None` where the number is beyond [`MAX_ZOOM`].
    #[must_use]
    pub fn coord(self) -> Option<TileCoord> {
        let z = self.zoom()?;
        let mut t = self.0 - Self::first(z).0;
        let (mut x, mut y) = (0u64, 0u64);
        for level in 0..z {
            let s = 1u64 << level;
            let rx = 1 & (t >> 1);
            let ry = 1 & (t ^ rx);
            if ry == 0 {
                if rx == 1 {
                    x = s - 1 - x;
                    y = s - 1 - y;
                }
                std::mem::swap(&mut x, &mut y);
            }
            x += s * rx;
            y += s * ry;
            t >>= 2;
        }
        TileCoord::new(z, x as u32, y as u32)
    }

    /// The zoom that the identifier belongs to, or `None` beyond [`MAX_ZOOM`].
    #[must_use]
    pub fn zoom(self) -> Option<u8> {
        // first(z) <= id  <=>  4^z <= 3 id + 1
        let scaled = u128::from(self.0) * 3 + 1;
        let z = ((127 - scaled.leading_zeros()) / 2) as u8;
        (z <= MAX_ZOOM).then_some(z)
    }

    /// The identifiers of all tiles at zoom `z` below `ancestor` (itself included): first and one past the last.
    ///
    /// Empty where `z` is above the ancestor's zoom.
    #[must_use]
    pub fn subtree(ancestor: TileCoord, z: u8) -> std::ops::Range<u64> {
        let Some(depth) = z.checked_sub(ancestor.z()) else { return 0..0 };
        let local = Self::from(ancestor).0 - Self::first(ancestor.z()).0;
        let base = Self::first(z).0;
        let count = 1u64 << (2 * u32::from(depth));
        base + local * count..base + (local + 1) * count
    }
}

impl From<TileCoord> for TileId {
    fn from(tile: TileCoord) -> Self {
        let d = hilbert::position(tile.x(), tile.y(), u32::from(tile.z()));
        Self(Self::first(tile.z()).0 + d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_specification() {
        for (z, x, y, id) in [
            (0, 0, 0, 0),
            (1, 0, 0, 1),
            (1, 0, 1, 2),
            (1, 1, 1, 3),
            (1, 1, 0, 4),
            (2, 0, 0, 5),
            (12, 3423, 1763, 19_078_479),
        ] {
            let tile = TileCoord::new(z, x, y).unwrap();
            assert_eq!(TileId::from(tile), TileId(id));
            assert_eq!(TileId(id).coord(), Some(tile));
        }
    }

    #[test]
    fn round_trip_and_subtrees_are_consecutive() {
        for z in 0..=6u8 {
            for x in 0..1 << z {
                for y in 0..1 << z {
                    let tile = TileCoord::new(z, x, y).unwrap();
                    let id = TileId::from(tile);
                    assert_eq!(id.coord(), Some(tile));
                    for up in 0..=z {
                        let range = TileId::subtree(tile.ancestor(up).unwrap(), z);
                        assert!(range.contains(&id.0));
                        assert_eq!(range.end - range.start, 1 << (2 * (z - up)));
                    }
                }
            }
        }
        for z in 0..31 {
            assert_eq!(TileId::zoom_range(z), TileId::first(z).0..TileId::first(z + 1).0);
        }
        let end = TileId::zoom_range(31).end;
        assert_eq!((TileId(end - 1).zoom(), TileId(end).zoom(), TileId::zoom_range(32)), (Some(31), None, 0..0));
        let far = TileCoord::new(31, u32::MAX >> 1, 12345).unwrap();
        assert_eq!(TileId::from(far).coord(), Some(far));
        assert_eq!(TileId(u64::MAX).coord(), None);
        assert_eq!(TileId::subtree(TileCoord::new(3, 0, 0).unwrap(), 2), 0..0);
    }
}
