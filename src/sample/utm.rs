//! From UTM coordinates to longitude and latitude.
//!
//! Krüger's series to the third order in n (as in Karney, Transverse Mercator with an accuracy of a few nanometers, 2011,
//! and the UTM article's simplified formulas): better than a millimetre inside a zone.

/// WGS 84.
const EQUATORIAL_KM: f64 = 6378.137;
const FLATTENING: f64 = 1.0 / 298.257_223_563;

/// Longitude and latitude (degrees) of easting and northing (metres) in a northern zone.
pub(super) fn to_lon_lat(easting: f64, northing: f64, zone: u32) -> (f64, f64) {
    let n = FLATTENING / (2.0 - FLATTENING);
    let (n2, n3) = (n * n, n * n * n);
    let a = EQUATORIAL_KM / (1.0 + n) * (1.0 + n2 / 4.0 + n2 * n2 / 64.0);
    let beta = [n / 2.0 - 2.0 / 3.0 * n2 + 37.0 / 96.0 * n3, n2 / 48.0 + n3 / 15.0, 17.0 / 480.0 * n3];
    let delta = [2.0 * n - 2.0 / 3.0 * n2 - 2.0 * n3, 7.0 / 3.0 * n2 - 8.0 / 5.0 * n3, 56.0 / 15.0 * n3];
    let xi = northing / 1000.0 / (0.9996 * a);
    let eta = (easting / 1000.0 - 500.0) / (0.9996 * a);
    let (mut xi1, mut eta1) = (xi, eta);
    for (j, b) in beta.iter().enumerate() {
        let k = 2.0 * (j + 1) as f64;
        xi1 -= b * (k * xi).sin() * (k * eta).cosh();
        eta1 -= b * (k * xi).cos() * (k * eta).sinh();
    }
    let chi = (xi1.sin() / eta1.cosh()).asin();
    let lat = chi + delta.iter().enumerate().map(|(j, d)| d * (2.0 * (j + 1) as f64 * chi).sin()).sum::<f64>();
    let lon = f64::from(zone) * 6.0 - 183.0 + (eta1.sinh() / xi1.cos()).atan().to_degrees();
    (lon, lat.to_degrees())
}

#[cfg(test)]
mod tests {
    use crate::raster::Projector;
    use crate::raster::gdal::GdalProjector;
    use crate::tile::web_mercator;

    #[test]
    fn agrees_with_proj() {
        let proj = GdalProjector::new("EPSG:32654").unwrap();
        for (e, n) in [(315_000.0, 3_785_000.0), (500_000.0, 4_000_000.0), (690_000.0, 3_700_123.4)] {
            let (mut xs, mut ys) = ([e], [n]);
            proj.to_mercator(&mut xs, &mut ys).unwrap();
            let (lon, lat) = web_mercator::to_lon_lat(xs[0], ys[0]);
            let ours = super::to_lon_lat(e, n, 54);
            assert!((lon - ours.0).abs() < 1e-8 && (lat - ours.1).abs() < 1e-8, "{lon} {lat} {ours:?}");
        }
    }
}
