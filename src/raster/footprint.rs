//! The box of a raster in EPSG:3857 and the size of its pixels there.

use super::{Projector, RasterInfo};
use crate::error::{Error, Result};
use crate::tile::{Bounds, web_mercator};

/// Points along an edge at first; doubled until the box stops moving.
const POINTS: usize = 21;
/// The most points along an edge.
const MOST_POINTS: usize = 5_120;

/// Turns coordinates of a raster's CRS into EPSG:3857 metres, in place, NaN for points that have no place there.
pub type ToMercator<'a> = dyn Fn(&mut [f64], &mut [f64]) -> Result<()> + 'a;
/// Positions in fractional cells to EPSG:3857 metres.
type Project<'a> = dyn Fn(&[(f64, f64)]) -> Result<Vec<(f64, f64)>> + 'a;

/// Where a raster lies in EPSG:3857.
#[derive(Debug, Clone, PartialEq)]
pub struct Footprint {
    /// One box in metres, inside the square world; two where the raster crosses the 180th meridian: the one that ends
    /// there first.
    pub parts: Vec<Bounds>,
    /// The side of a square with the area of the pixel at the raster's centre, metres.
    pub pixel_size: f64,
}

/// The footprint of a raster in EPSG:3857 metres, clamped to the square world, and its pixel size in metres: the side of
/// a square with the area of the pixel at the footprint's centre, `sqrt(|det J|)` by finite differences over a cell.
///
/// The raster's outline is followed with 21 points an edge, then 42 and so on, until the box moves by less than a tenth of
/// a pixel. Each point is taken on the turn of the world that is nearest to the one before: so an outline that crosses the
/// 180th meridian stays in one piece, and one that goes around the world once holds a pole.
///
/// # Errors
/// Where the raster lies outside of Web Mercator, or a point of its edge has no place in it.
pub fn footprint(info: &RasterInfo, to_mercator: &ToMercator) -> Result<Footprint> {
    let home = info.way_home();
    let project = |cells: &[(f64, f64)]| -> Result<Vec<(f64, f64)>> {
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = cells.iter().map(|&(c, r)| info.transform.apply(c, r)).unzip();
        xs.iter_mut().for_each(|x| *x += home);
        if let Some((south, north)) = info.limits {
            ys.iter_mut().for_each(|y| *y = y.clamp(south, north));
        }
        to_mercator(&mut xs, &mut ys)?;
        Ok(xs.into_iter().zip(ys).collect())
    };
    let mut points = POINTS;
    let (mut bounds, mut pole) = box_around(info, project(&outline(info, points))?)?;
    while points < MOST_POINTS {
        points *= 2;
        let (finer, holds_pole) = box_around(info, project(&outline(info, points))?)?;
        let finer = bounds.union(&finer);
        pole = pole || holds_pole;
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
    if pole {
        let half = web_mercator::HALF_WORLD;
        let north = bounds.min_y + bounds.max_y > 0.0;
        (bounds.min_x, bounds.max_x) = (-half, half);
        if north {
            bounds.max_y = bounds.max_y.max(half);
        } else {
            bounds.min_y = bounds.min_y.min(-half);
        }
    }
    let parts = world_parts(&bounds, bounds.width() / f64::from(info.width) * 1e-3);
    if parts.is_empty() {
        return Err(Error::raster(
            &info.path,
            "lies outside of Web Mercator (beyond 85.05 degrees north or south, or with the wrong CRS); check its CRS with gdalinfo",
        ));
    }
    let pixel_size = pixel_size(info, &bounds, &project)?;
    Ok(Footprint { parts, pixel_size })
}

/// Positions in fractional cells along the raster's outline, from its first corner around to it again.
fn outline(info: &RasterInfo, points: usize) -> Vec<(f64, f64)> {
    let (w, h) = (f64::from(info.width), f64::from(info.height));
    let corners = [(0.0, 0.0), (w, 0.0), (w, h), (0.0, h), (0.0, 0.0)];
    let mut out = vec![corners[0]];
    for pair in corners.windows(2) {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        out.extend((1..points).map(|i| {
            let t = i as f64 / (points - 1) as f64;
            (ax + (bx - ax) * t, ay + (by - ay) * t)
        }));
    }
    out
}

/// The box around an outline, all of whose points must have a place, and whether the outline goes around a pole. The box
/// may reach beyond the world to the east or the west.
fn box_around(info: &RasterInfo, points: Vec<(f64, f64)>) -> Result<(Bounds, bool)> {
    let mut bounds = Bounds::new(f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY);
    let (first, mut last) = (points.first().map_or(0.0, |p| p.0), None);
    for (x, y) in points {
        if !x.is_finite() || !y.is_finite() {
            return Err(Error::raster(
                &info.path,
                "lies outside of Web Mercator: a point of its edge can't be transformed; check its CRS and georeference with gdalinfo",
            ));
        }
        let x = x + last.map_or(0.0, |last: f64| turns(last - x));
        last = Some(x);
        bounds = bounds.union(&Bounds::new(x, y, x, y));
    }
    let around = last.map_or(0.0, |last| last - first).abs();
    Ok((bounds, around > web_mercator::HALF_WORLD))
}

/// A distance along x as the nearest whole number of turns around the world, metres.
fn turns(distance: f64) -> f64 {
    (distance / web_mercator::WORLD).round() * web_mercator::WORLD
}

/// A box that may reach beyond the world as one or two boxes inside it; parts that are at most `least` metres wide are left out.
#[must_use]
pub fn world_parts(bounds: &Bounds, least: f64) -> Vec<Bounds> {
    let (half, world) = (web_mercator::HALF_WORLD, web_mercator::WORLD);
    let square = Bounds::new(-half, -half, half, half);
    if bounds.width() >= world - least {
        let whole = Bounds { min_x: -half, max_x: half, ..*bounds }.intersection(&square);
        return Some(whole).filter(Bounds::has_area).into_iter().collect();
    }
    // The turn on which the box begins inside the world.
    let shift = ((bounds.min_x + half + least) / world).floor() * world;
    let begin = Bounds { min_x: bounds.min_x - shift, max_x: bounds.max_x - shift, ..*bounds };
    let beyond = Bounds { min_x: begin.min_x - world, max_x: begin.max_x - world, ..begin };
    let inside = [begin, beyond].map(|b| b.intersection(&square));
    inside.into_iter().filter(|b| b.has_area() && b.width() > least).collect()
}

/// `sqrt(|det J|)` at the raster's centre; where that is beyond the world, the smallest one of a lattice over the raster.
fn pixel_size(info: &RasterInfo, bounds: &Bounds, project: &Project) -> Result<f64> {
    let (w, h) = (f64::from(info.width), f64::from(info.height));
    let local = |c: f64, r: f64| -> Result<Option<f64>> {
        let p = project(&[(c - 0.5, r), (c + 0.5, r), (c, r - 0.5), (c, r + 0.5)])?;
        let inside = p.iter().all(|(_, y)| y.abs() < web_mercator::HALF_WORLD);
        let apart = |a: f64, b: f64| b - a + turns(a - b);
        let (ax, ay) = (apart(p[0].0, p[1].0), p[1].1 - p[0].1);
        let (bx, by) = (apart(p[2].0, p[3].0), p[3].1 - p[2].1);
        let size = (ax * by - ay * bx).abs().sqrt();
        Ok(Some(size).filter(|s| inside && s.is_finite() && *s > 0.0))
    };
    let mut size = local(w / 2.0, h / 2.0)?;
    if size.is_none() {
        for i in 0..25 {
            let found = local(w * (f64::from(i % 5) + 0.5) / 5.0, h * (f64::from(i / 5) + 0.5) / 5.0)?;
            size = found.map_or(size, |f| Some(size.map_or(f, |s: f64| s.min(f))));
        }
    }
    Ok(on_the_lattice(size.unwrap_or((bounds.width() / w * bounds.height() / h).sqrt())))
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

/// [`footprint`] with a projector of the raster's CRS.
///
/// # Errors
/// As [`footprint`].
pub fn footprint_by(info: &RasterInfo, projector: &dyn Projector) -> Result<Footprint> {
    footprint(info, &|xs, ys| projector.to_mercator(xs, ys))
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

    /// The box and pixel size of a raster with one part.
    fn one(info: &RasterInfo, to_mercator: &ToMercator) -> (Bounds, f64) {
        let found = footprint(info, to_mercator).unwrap();
        assert_eq!(found.parts.len(), 1, "{found:?}");
        (found.parts[0], found.pixel_size)
    }

    fn geographic(west: f64, north: f64, cell: f64, width: u32, height: u32) -> RasterInfo {
        RasterInfo {
            turn: Some(360.0),
            limits: Some((-85.06, 85.06)),
            ..info(GeoTransform::north_up(west, north, cell, cell), width, height)
        }
    }

    #[test]
    fn boxes_are_cut_at_the_edge_of_the_world() {
        let half = web_mercator::HALF_WORLD;
        let (bounds, size) = one(&geographic(-180.5, 90.5, 1.0, 361, 181), &degrees);
        assert!((bounds.min_x + half).abs() < 1e-6 && (bounds.max_y - half).abs() < 1e-6, "{bounds:?}");
        assert!((bounds.max_x - half).abs() < 1e-6 && (bounds.min_y + half).abs() < 1e-6, "{bounds:?}");
        assert!((size - 111_319.5).abs() < 10.0, "{size}");
        let whole = one(&geographic(0.0, 60.0, 1.0, 360, 120), &degrees).0;
        assert!((whole.width() - 2.0 * half).abs() < 1e-6, "{whole:?}");
        assert!(footprint(&geographic(0.0, 90.0, 1.0, 4, 4), &degrees).unwrap_err().to_string().contains("outside"));
    }

    #[test]
    fn a_turn_away_is_the_same_place() {
        let west = one(&geographic(-100.0, 40.0, 0.5, 20, 20), &degrees);
        let east = one(&geographic(260.0, 40.0, 0.5, 20, 20), &degrees);
        assert!((west.0.min_x - east.0.min_x).abs() < 1e-6 && (west.1 - east.1).abs() < 1e-6);
    }

    #[test]
    fn across_the_180th_meridian_there_are_two_parts() {
        let wrapped = |xs: &mut [f64], ys: &mut [f64]| -> Result<()> {
            degrees(xs, ys)?;
            xs.iter_mut().for_each(|x| *x -= turns(*x));
            Ok(())
        };
        for west in [178.0, -182.0, 538.0] {
            for by in [&degrees as &ToMercator, &wrapped] {
                let found = footprint(&geographic(west, 52.0, 0.5, 12, 4), by).unwrap();
                assert_eq!(found.parts.len(), 2, "{west}: {found:?}");
                let degrees: Vec<[f64; 4]> = found.parts.iter().map(Bounds::to_lon_lat).collect();
                let want = [[178.0, 50.0, 180.0, 52.0], [-180.0, 50.0, -176.0, 52.0]];
                for (a, b) in degrees.iter().flatten().zip(want.iter().flatten()) {
                    assert!((a - b).abs() < 1e-9, "{west}: {degrees:?}");
                }
            }
        }
        // One that ends at the meridian has one part, wherever its rounded edge falls.
        for west in [178.0, 178.0 + 1e-11, -182.0 - 1e-11] {
            let found = footprint(&geographic(west, 52.0, 0.5, 4, 4), &wrapped).unwrap();
            assert_eq!(found.parts.len(), 1, "{west}: {found:?}");
        }
        assert_eq!(footprint(&geographic(-180.0 - 1e-11, 52.0, 0.5, 4, 4), &wrapped).unwrap().parts.len(), 1);
    }

    #[test]
    fn a_raster_around_a_pole_covers_every_longitude() {
        // A polar azimuthal projection: the pole at (0, 0), a unit a degree of latitude.
        for south in [false, true] {
            let polar = move |xs: &mut [f64], ys: &mut [f64]| -> Result<()> {
                for (x, y) in xs.iter_mut().zip(ys) {
                    let (lon, lat) = (x.atan2(-*y).to_degrees(), 90.0 - x.hypot(*y));
                    (*x, *y) = web_mercator::from_lon_lat(lon, lat);
                    if south {
                        *y = -*y;
                    }
                }
                Ok(())
            };
            let info = info(GeoTransform::north_up(-20.0, 18.0, 0.5, 0.5), 80, 80);
            let (bounds, size) = one(&info, &polar);
            let [west, low, east, high] = bounds.to_lon_lat();
            assert!((west + 180.0).abs() < 1e-9 && (east - 180.0).abs() < 1e-9);
            let (edge, pole) = if south { (high, low) } else { (low, high) };
            assert!((pole.abs() - 85.0511).abs() < 1e-3, "{bounds:?}");
            assert!((edge.abs() - (90.0 - 20f64.hypot(22.0))).abs() < 0.1, "{bounds:?}");
            // At 70 degrees a cell is about half a degree of latitude.
            assert!(size > 50_000.0 && size < 400_000.0, "{size}");
        }
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
        let (bounds, size) = one(&info, &bulge);
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
