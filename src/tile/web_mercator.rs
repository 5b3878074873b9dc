//! EPSG:3857 and its relation to longitude and latitude, to pixel sizes and to zooms.
//!
//! Formulas: OGC Two Dimensional Tile Matrix Set, `WebMercatorQuad`; spherical Mercator with radius 6378137 m.

use super::{MAX_NATIVE_ZOOM, MAX_ZOOM};

/// The equatorial radius of the sphere, metres.
pub const RADIUS: f64 = 6_378_137.0;
/// The width of the world, metres.
pub const WORLD: f64 = 40_075_016.685_578_49;
/// Half of [`WORLD`]: the largest x and y, metres.
pub const HALF_WORLD: f64 = WORLD / 2.0;
/// The largest latitude of the square world, degrees.
pub const MAX_LATITUDE: f64 = 85.051_128_779_806_59;

/// Longitude and latitude in degrees to x and y in metres. Latitudes beyond [`MAX_LATITUDE`] are clamped.
#[must_use]
pub fn from_lon_lat(lon: f64, lat: f64) -> (f64, f64) {
    let lat = lat.clamp(-MAX_LATITUDE, MAX_LATITUDE).to_radians();
    (lon.to_radians() * RADIUS, RADIUS * (std::f64::consts::FRAC_PI_4 + lat / 2.0).tan().ln())
}

/// The longitude of this turn of the world, from -180 (included) to 180; what lies there keeps its bits.
#[must_use]
pub fn wrapped(lon: f64) -> f64 {
    if (-180.0..180.0).contains(&lon) {
        return lon;
    }
    let turned = (lon + 180.0).rem_euclid(360.0) - 180.0;
    // Rounding may reach the end of the turn, which is its beginning.
    if turned >= 180.0 { -180.0 } else { turned }
}

/// x and y in metres to longitude and latitude in degrees.
#[must_use]
pub fn to_lon_lat(x: f64, y: f64) -> (f64, f64) {
    let lat = 2.0 * (y / RADIUS).exp().atan() - std::f64::consts::FRAC_PI_2;
    ((x / RADIUS).to_degrees(), lat.to_degrees())
}

/// Metres a pixel at a zoom: `WORLD / tile_size / 2^z`.
#[must_use]
pub fn resolution(z: u8, tile_size: u32) -> f64 {
    WORLD / f64::from(tile_size) / f64::from(1u32 << z.min(MAX_ZOOM))
}

/// The native zoom of a pixel size: the smallest z with `resolution(z) <= pixel_size`, in `0..=MAX_NATIVE_ZOOM`.
///
/// `pixel_size` is in EPSG:3857 metres. A size that is not a positive number has native zoom 0.
#[must_use]
pub fn native_zoom(pixel_size: f64, tile_size: u32) -> u8 {
    if pixel_size.is_nan() || pixel_size <= 0.0 {
        return 0;
    }
    (0..MAX_NATIVE_ZOOM).find(|&z| resolution(z, tile_size) <= pixel_size).unwrap_or(MAX_NATIVE_ZOOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_zoom_follows_its_definition() {
        for tile_size in [256, 512] {
            for size in [0.01, 0.3, 1.0, 5.0, 7.4, 19.109, 33.265, 39_136.0, 78_271.6, 1e9] {
                let z = native_zoom(size, tile_size);
                assert!(resolution(z, tile_size) <= size || z == MAX_NATIVE_ZOOM);
                assert!(z == 0 || resolution(z - 1, tile_size) > size, "{size} at {z}");
            }
        }
        assert_eq!(native_zoom(39_136.0, 512), 1);
        assert_eq!(native_zoom(33.265, 512), 12);
        assert_eq!(native_zoom(f64::NAN, 512), 0);
    }

    #[test]
    fn lon_lat_round_trip() {
        for (lon, lat) in [(0.0, 0.0), (138.7275, 35.3607), (-179.9, -85.0), (12.5, 84.9)] {
            let (x, y) = from_lon_lat(lon, lat);
            let (lon2, lat2) = to_lon_lat(x, y);
            assert!((lon - lon2).abs() < 1e-11 && (lat - lat2).abs() < 1e-11);
        }
        assert!((from_lon_lat(180.0, MAX_LATITUDE).1 - HALF_WORLD).abs() < 1e-6);
    }
}
