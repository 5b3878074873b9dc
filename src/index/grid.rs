//! EPSG:3857 metres as 32-bit integers, and the Hilbert order of rows.
//!
//! The world is cut into 2^32 steps along each axis, the tile grid of zoom 32 (9.3 mm). One monotone function rounds
//! boxes and queries alike; so whatever overlaps in metres overlaps or touches in steps, and nothing is missed.

use crate::tile::{Bounds, web_mercator};

/// A box in steps, both ends included; y grows northwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// West.
    pub min_x: u32,
    /// South.
    pub min_y: u32,
    /// East.
    pub max_x: u32,
    /// North.
    pub max_y: u32,
}

/// The step that a coordinate in metres falls into: `floor((v / WORLD + 1/2) * 2^32)`, held inside the world.
#[must_use]
pub fn step(metres: f64) -> u32 {
    // `as` saturates and turns NaN into 0.
    ((metres / web_mercator::WORLD + 0.5) * 4_294_967_296.0) as u32
}

/// The smallest coordinate (metres) that can fall into a step; the first step has no end to the west.
#[must_use]
pub fn lower_edge(step: u32) -> f64 {
    // Half a step of slack covers the rounding of both directions.
    if step == 0 { f64::NEG_INFINITY } else { ((f64::from(step) - 0.5) / 4_294_967_296.0 - 0.5) * web_mercator::WORLD }
}

/// The largest coordinate (metres) that can fall into a step; the last step has no end to the east.
#[must_use]
pub fn upper_edge(step: u32) -> f64 {
    if step == u32::MAX {
        f64::INFINITY
    } else {
        ((f64::from(step) + 1.5) / 4_294_967_296.0 - 0.5) * web_mercator::WORLD
    }
}

impl From<&Bounds> for Steps {
    fn from(b: &Bounds) -> Self {
        Self { min_x: step(b.min_x), min_y: step(b.min_y), max_x: step(b.max_x), max_y: step(b.max_y) }
    }
}

/// The position of a point on the Hilbert curve through all steps.
///
/// The order of two points never depends on other points, so that adding records never swaps the ones that were
/// there. The curve is the one of tile identifiers at zoom 32: rows of one tile are consecutive.
#[must_use]
pub fn hilbert(x: u32, y: u32) -> u64 {
    // Rows of tiles run southwards.
    crate::tile::hilbert::position(x, !y, 32)
}

/// The Hilbert position of a box's centre.
#[must_use]
pub fn hilbert_of(bounds: &Bounds) -> u64 {
    let (x, y) = bounds.center();
    hilbert(step(x), step(y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::{TileCoord, TileId};

    #[test]
    fn follows_the_tile_curve() {
        for z in [0u8, 1, 2, 7, 15] {
            let last = (1u32 << z) - 1;
            for (x, y) in [(0, 0), (last, 0), (last / 2, last / 3), (last, last), (last / 5, last)] {
                let tile = TileCoord::new(z, x, y).unwrap();
                let (cx, cy) = tile.bounds().center();
                let expected = TileId::from(tile).0 - TileId::first(z).0;
                assert_eq!(
                    hilbert(step(cx), step(cy)).checked_shr(64 - 2 * u32::from(z)).unwrap_or(0),
                    expected,
                    "{tile}"
                );
            }
        }
    }

    #[test]
    fn steps_are_monotone_and_held_inside() {
        assert_eq!(step(f64::NEG_INFINITY), 0);
        assert_eq!(step(f64::INFINITY), u32::MAX);
        assert_eq!(step(f64::NAN), 0);
        assert_eq!(step(0.0), 1 << 31);
        assert!(step(-0.01) < step(0.01));
        for metres in [-2.0e7, -1234.5, 0.0, 0.001, 1.9e7] {
            assert!(lower_edge(step(metres)) <= metres && metres <= upper_edge(step(metres)));
            assert!(upper_edge(step(metres)) - lower_edge(step(metres)) < 0.03);
        }
    }
}
