//! The box of a raster in EPSG:3857 and the size of its pixels there.

use super::RasterInfo;
use crate::error::{Error, Result};
use crate::tile::{Bounds, web_mercator};

/// Points along an edge at first; doubled until the box stands still.
const POINTS: usize = 21;
/// The most points along an edge.
const MOST_POINTS: usize = 5_120;
/// The latitude that geographic rasters are cut at, degrees: just beyond the square world.
const LATITUDE: f64 = 85.06;

/// Turns coordinates of a raster's CRS into EPSG:3857 metres, in place, NaN for points that have no place there.
pub type ToMercator<'a> = dyn Fn(&mut [f64], &mut [f64]) -> Result<()> + 'a;
/// Positions in fractional cells to EPSG:3857 metres.
type Project<'a> = dyn Fn(&[(f64, f64)]) -> Result<Vec<(f64, f64)>> + 'a;

/// The footprint of a raster in EPSG:3857 metres, clamped to the square world, and its pixel size in metres: the side of
/// a square with the area of the pixel at the footprint's centre, `sqrt(|det J|)` by finite differences over a cell.
///
/// The raster's edges are followed with 21 points each, then 42 and so on, until the box moves by less than a tenth of a pixel.
/// Longitudes that lie a turn away are brought home; a raster that crosses the 180th meridian keeps the side that its
/// centre lies on.
///
/// # Errors
/// Where the raster lies outside of Web Mercator, or a point of its edge has no place in it.
pub fn footprint(info: &RasterInfo, to_mercator: &ToMercator) -> Result<(Bounds, f64)> {
    let project = |cells: &[(f64, f64)]| -> Result<Vec<(f64, f64)>> {
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = cells.iter().map(|&(c, r)| info.transform.apply(c, r)).unzip();
        if let Some(turn) = info.turn {
            cut_to_the_world(info, turn, &mut xs, &mut ys);
        }
        to_mercator(&mut xs, &mut ys)?;
        Ok(xs.into_iter().zip(ys).collect())
    };
    let mut points = POINTS;
    let mut bounds = box_around(info, &project(&edge(info, points))?)?;
    while points < MOST_POINTS {
        points *= 2;
        let finer = bounds.union(&box_around(info, &project(&edge(info, points))?)?);
        let pixel = (finer.width() / f64::from(info.width)).min(finer.height() / f64::from(info.height));
        let moved = [
            finer.min_x - bounds.min_x,
            finer.min_y - bounds.min_y,
            finer.max_x - bounds.max_x,
            finer.max_y - bounds.max_y,
        ];
        bounds = finer;
        if moved.iter().all(|m| m.abs() <= pixel * 0.1) {
            break;
        }
    }
    let half = web_mercator::HALF_WORLD;
    let bounds = bounds.intersection(&Bounds::new(-half, -half, half, half));
    if !bounds.has_area() {
        return Err(Error::raster(
            &info.path,
            "lies outside of Web Mercator (beyond 85.05 degrees north or south, or with the wrong CRS); check its CRS with gdalinfo",
        ));
    }
    Ok((bounds, pixel_size(info, &bounds, &project)?))
}

/// Positions in fractional cells along the raster's edges.
fn edge(info: &RasterInfo, points: usize) -> Vec<(f64, f64)> {
    let (w, h) = (f64::from(info.width), f64::from(info.height));
    (0..points)
        .flat_map(|i| {
            let t = i as f64 / (points - 1) as f64;
            [(w * t, 0.0), (w * t, h), (0.0, h * t), (w, h * t)]
        })
        .collect()
}

/// Brings geographic coordinates into the square world: by whole turns, and then to its edges.
fn cut_to_the_world(info: &RasterInfo, turn: f64, xs: &mut [f64], ys: &mut [f64]) {
    let (middle, _) = info.transform.apply(f64::from(info.width) / 2.0, f64::from(info.height) / 2.0);
    let first = info.transform.apply(0.0, 0.0).0;
    let wide = (middle - first).abs() * 2.0 >= turn * (1.0 - 1e-9);
    // A raster around the whole world covers every longitude, wherever it begins.
    let home = turn * (middle / turn).round();
    let home = if wide { middle } else { home };
    for x in xs {
        *x = (*x - home).clamp(-turn / 2.0, turn / 2.0);
    }
    let latitude = turn / 360.0 * LATITUDE;
    for y in ys {
        *y = y.clamp(-latitude, latitude);
    }
}

/// The box around points, all of which must have a place.
fn box_around(info: &RasterInfo, points: &[(f64, f64)]) -> Result<Bounds> {
    let mut bounds = Bounds::new(f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY);
    for &(x, y) in points {
        if !x.is_finite() || !y.is_finite() {
            return Err(Error::raster(
                &info.path,
                "lies outside of Web Mercator: a point of its edge can't be transformed; check its CRS and georeference with gdalinfo",
            ));
        }
        bounds = bounds.union(&Bounds::new(x, y, x, y));
    }
    Ok(bounds)
}

/// `sqrt(|det J|)` at the raster's centre, or where that is beyond the world, over the box as a whole.
fn pixel_size(info: &RasterInfo, bounds: &Bounds, project: &Project) -> Result<f64> {
    let (w, h) = (f64::from(info.width), f64::from(info.height));
    let (c, r) = (w / 2.0, h / 2.0);
    let p = project(&[(c - 0.5, r), (c + 0.5, r), (c, r - 0.5), (c, r + 0.5)])?;
    let (ax, ay) = (p[1].0 - p[0].0, p[1].1 - p[0].1);
    let (bx, by) = (p[3].0 - p[2].0, p[3].1 - p[2].1);
    let local = (ax * by - ay * bx).abs().sqrt();
    let size = if local.is_finite() && local > 0.0 { local } else { (bounds.width() / w * bounds.height() / h).sqrt() };
    Ok(on_the_lattice(size))
}

/// A pixel size that is, to a millionth, the pixel size of a zoom is exactly that.
///
/// Rasters in the Web Mercator tile lattice carry rounded numbers; the last bit must not cost them a zoom, since the
/// native zoom is the first one whose pixel is no larger.
#[must_use]
pub fn on_the_lattice(pixel_size: f64) -> f64 {
    let zoom = (web_mercator::WORLD / pixel_size).log2().round();
    let exact = web_mercator::WORLD / zoom.exp2();
    if (pixel_size / exact - 1.0).abs() < 1e-6 { exact } else { pixel_size }
}

#[cfg(test)]
mod tests {
    use super::super::GeoTransform;
    use super::super::info::tests::info;
    use super::*;

    /// Degrees to EPSG:3857.
    fn degrees(xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
        for (x, y) in xs.iter_mut().zip(ys) {
            (*x, *y) = web_mercator::from_lon_lat(*x, *y);
        }
        Ok(())
    }

    fn geographic(west: f64, north: f64, cell: f64, width: u32, height: u32) -> RasterInfo {
        RasterInfo { turn: Some(360.0), ..info(GeoTransform::north_up(west, north, cell, cell), width, height) }
    }

    #[test]
    fn boxes_are_cut_at_the_edge_of_the_world() {
        let half = web_mercator::HALF_WORLD;
        let (bounds, size) = footprint(&geographic(-180.5, 90.5, 1.0, 361, 181), &degrees).unwrap();
        assert!((bounds.min_x + half).abs() < 1e-6 && (bounds.max_y - half).abs() < 1e-6, "{bounds:?}");
        assert!((bounds.max_x - half).abs() < 1e-6 && (bounds.min_y + half).abs() < 1e-6, "{bounds:?}");
        assert!((size - 111_319.5).abs() < 10.0, "{size}");
        let whole = footprint(&geographic(0.0, 60.0, 1.0, 360, 120), &degrees).unwrap().0;
        assert!((whole.width() - 2.0 * half).abs() < 1e-6, "{whole:?}");
        assert!(footprint(&geographic(0.0, 90.0, 1.0, 4, 4), &degrees).unwrap_err().to_string().contains("outside"));
    }

    #[test]
    fn a_turn_away_is_the_same_place() {
        let west = footprint(&geographic(-100.0, 40.0, 0.5, 20, 20), &degrees).unwrap();
        let east = footprint(&geographic(260.0, 40.0, 0.5, 20, 20), &degrees).unwrap();
        assert!((west.0.min_x - east.0.min_x).abs() < 1e-6 && (west.1 - east.1).abs() < 1e-6);
    }

    #[test]
    fn edges_that_bulge_are_followed() {
        // The northern edge is an arc that rises between its ends.
        let bulge = |xs: &mut [f64], ys: &mut [f64]| -> Result<()> {
            for (x, y) in xs.iter().zip(ys) {
                *y += 3_000.0 * (x / 100_000.0 * std::f64::consts::PI).sin();
            }
            Ok(())
        };
        let info = info(GeoTransform::north_up(0.0, 100_000.0, 10.0, 10.0), 10_000, 10_000);
        let (bounds, size) = footprint(&info, &bulge).unwrap();
        assert!((bounds.max_y - 103_000.0).abs() < 1.0, "{bounds:?}");
        assert!((size - 10.0).abs() < 1e-3);
        let nowhere = |xs: &mut [f64], _: &mut [f64]| -> Result<()> {
            xs[3] = f64::NAN;
            Ok(())
        };
        assert!(footprint(&info, &nowhere).unwrap_err().to_string().contains("can't be transformed"));
    }

    #[test]
    fn sizes_of_zooms_are_exact_whatever_the_file_rounds() {
        for zoom in 0..=22u8 {
            let exact = web_mercator::resolution(zoom, 512);
            for off in [-1e-8, 0.0, 1e-12] {
                let size = on_the_lattice(exact * (1.0 + off));
                assert_eq!(web_mercator::native_zoom(size, 512), zoom);
            }
        }
        assert_eq!(on_the_lattice(19.2), 19.2);
    }
}
