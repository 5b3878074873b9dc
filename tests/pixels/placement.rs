//! Every pixel lies where it should: conventions, types and coordinates of rasters, each made here from a known surface.
//!
//! The surface is a plane, which every kernel keeps; a raster that is placed half a cell off shows it.
#![cfg(feature = "gdal")]

use std::path::{Path, PathBuf};

use crate::surface::{Sheet, Surface, gdal, off, options_of, pixels, render, store_of, store_of_folders};
use hypso::catalog::SourceSpec;
use hypso::plan::Coverage;
use hypso::raster::GeoTransform;
use hypso::store::Store;
use hypso::tile::{TileCoord, web_mercator};

/// Half of the smallest step that tiles have, and what bilinear and the rounding of positions leave.
const STEP: f64 = 1.0 / 512.0 + 1e-3;

fn name(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

/// A plane around a point, half a metre a metre.
fn plane((cx, cy): (f64, f64)) -> impl Fn(f64, f64) -> f64 {
    move |x, y| 1000.0 + (x - cx) * 0.3 - (y - cy) * 0.4
}

const FUJI: (f64, f64) = (15_443_000.0, 4_213_000.0);

/// Renders all sources at the finest native zoom and compares the pixels within `margin` metres of `at`.
fn check(store: &Store, surface: Surface, at: (f64, f64), reach: f64, tolerance: f64) {
    let zoom = store.records().iter().map(|r| r.native_zoom()).max().unwrap();
    let (plan, options) = options_of(store, (zoom, zoom), Coverage::Native);
    let tiles = render(store, &plan, &options);
    let near = |x: f64, y: f64| (x - at.0).abs() < reach && (y - at.1).abs() < reach;
    let (worst, count) = off(&tiles, surface, &near);
    assert!(count > 2_000, "{count} pixels");
    assert!(worst <= tolerance, "{worst} m off over {count} pixels");
}

#[test]
fn point_rasters_lie_half_a_cell_off_their_tie_point() {
    let folder = tempfile::tempdir().unwrap();
    let surface = plane(FUJI);
    let sheet = Sheet::around("EPSG:32654", FUJI, 20.0, 0.0, 80, 80);
    let (area, point) = (name(folder.path(), "area/a.tif"), name(folder.path(), "point/a.tif"));
    sheet.write(&area, &surface);
    std::fs::create_dir_all(point.parent().unwrap()).unwrap();
    gdal("gdal_translate", &["-q", "-mo", "AREA_OR_POINT=Point", area.to_str().unwrap(), point.to_str().unwrap()]);
    // The tags of the two differ by half a cell, and say so.
    let text = |path: &Path, how: &str| {
        gdal("gdalinfo", &["--config", "GTIFF_POINT_GEO_IGNORE", how, "-json", path.to_str().unwrap()])
    };
    let origin = |path: &Path, how: &str| -> f64 {
        serde_json::from_str::<serde_json::Value>(&text(path, how)).unwrap()["geoTransform"][0].as_f64().unwrap()
    };
    assert!((origin(&point, "YES") - origin(&area, "YES") - 10.0).abs() < 1e-6);
    check(&store_of_folders(&[name(folder.path(), "point")]), &surface, FUJI, 500.0, STEP);
}

#[test]
fn types_scale_and_offset_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let surface = plane(FUJI);
    let sheet = Sheet::around("EPSG:32654", FUJI, 20.0, 0.0, 80, 80);
    let float = name(folder.path(), "float.tif");
    sheet.write(&float, &surface);
    for (kind, tolerance) in [("UInt16", 0.01), ("Int16", 0.1), ("Int32", 0.01), ("UInt32", 0.01), ("Float64", 1e-3)] {
        // Cells hold (height - 200) / step.
        let step = if kind == "Int16" { 0.1 } else { 0.02 };
        let path = name(folder.path(), &format!("{kind}/a.tif"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let high = (2200.0 - 200.0) / step;
        gdal(
            "gdal_translate",
            &[
                "-q",
                "-ot",
                kind,
                "-scale",
                "200",
                "2200",
                "0",
                &high.to_string(),
                "-a_nodata",
                "none",
                "-a_scale",
                &step.to_string(),
                "-a_offset",
                "200",
                float.to_str().unwrap(),
                path.to_str().unwrap(),
            ],
        );
        check(&store_of_folders(&[path.parent().unwrap().into()]), &surface, FUJI, 500.0, STEP + tolerance);
    }
}

#[test]
fn nan_and_several_nodata_values_are_holes() {
    let folder = tempfile::tempdir().unwrap();
    let surface = plane(FUJI);
    let sheet = Sheet::around("EPSG:32654", FUJI, 20.0, 0.0, 80, 80);
    // Columns of five cells: NaN, the declared value, two more values, and heights.
    let holed = |x: f64, y: f64| match (((x - FUJI.0) / 24.4).floor() as i64).rem_euclid(40) {
        0..5 => f64::NAN,
        10..15 => -32_768.0,
        20..25 => 0.0,
        _ => surface(x, y),
    };
    let path = name(folder.path(), "a/a.tif");
    sheet.write(&path, &holed);
    let mut spec = SourceSpec::parse(path.parent().unwrap().to_str().unwrap()).unwrap();
    (spec.nodata, spec.offset) = (vec![-32_768.0, 0.0], 12.5);
    let store = store_of(&[spec]);
    let zoom = store.records().iter().next().unwrap().native_zoom();
    let (plan, options) = options_of(&store, (zoom, zoom), Coverage::Native);
    let (mut holes, mut heights) = (0, 0);
    for (coord, tile) in &render(&store, &plan, &options).heights {
        for (x, y, height, valid) in pixels(*coord, tile) {
            if (x - FUJI.0).abs() < 500.0 && (y - FUJI.1).abs() < 500.0 {
                heights += usize::from(valid);
                holes += usize::from(!valid);
                // Beside a hole the mean of what is left of a kernel lies up to half a cell beside the pixel.
                assert!(!valid || (height - surface(x, y) - 12.5).abs() < 0.5 * 24.5 * 0.7, "{height}");
            }
        }
    }
    assert!(holes * 4 > heights && heights > holes, "{holes} holes, {heights} heights");
}

#[test]
fn masks_and_alpha_are_holes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |n: &str| name(folder.path(), n);
    // The east is nodata in the file; what the mask hides holds 0 there.
    let surface = plane(FUJI);
    let holed = |x: f64, y: f64| if x > FUJI.0 { f64::NAN } else { surface(x, y) };
    let sheet = Sheet::around("EPSG:32654", FUJI, 20.0, 0.0, 80, 80);
    sheet.write(&at("nodata.tif"), &holed);
    for kind in ["alpha", "mask"] {
        std::fs::create_dir_all(at(kind)).unwrap();
        let (from, to) = (at("nodata.tif"), at(&format!("{kind}/a.tif")));
        let alpha = at("alpha.vrt");
        let (from, to, alpha) = (from.to_str().unwrap(), to.to_str().unwrap(), alpha.to_str().unwrap());
        gdal("gdalwarp", &["-q", "-overwrite", "-of", "VRT", "-dstalpha", "-dstnodata", "none", from, alpha]);
        if kind == "alpha" {
            gdal("gdal_translate", &["-q", alpha, to]);
        } else {
            gdal(
                "gdal_translate",
                &["-q", "-b", "1", "-mask", "2", "--config", "GDAL_TIFF_INTERNAL_MASK", "YES", alpha, to],
            );
        }
        let info = gdal("gdalinfo", &[to]);
        assert!(
            !info.contains("NoData") && info.contains(if kind == "alpha" { "Alpha" } else { "PER_DATASET" }),
            "{info}"
        );
        let store = store_of_folders(&[at(kind)]);
        let zoom = store.records().iter().next().unwrap().native_zoom();
        let (plan, options) = options_of(&store, (zoom, zoom), Coverage::Native);
        let tiles = render(&store, &plan, &options);
        let west = |x: f64, y: f64| x < FUJI.0 - 30.0 && x > FUJI.0 - 600.0 && (y - FUJI.1).abs() < 500.0;
        let (worst, count) = off(&tiles, &surface, &west);
        assert!(worst < STEP && count > 1000, "{kind}: {worst} over {count}");
        let all = tiles.heights.iter().flat_map(|(c, t)| pixels(*c, t));
        assert_eq!(all.filter(|(x, _, _, valid)| *valid && *x > FUJI.0 + 30.0).count(), 0, "{kind}");
    }
}

#[test]
fn rotated_and_sheared_rasters_are_placed() {
    let folder = tempfile::tempdir().unwrap();
    let surface = plane(FUJI);
    let (mut xs, mut ys) = ([FUJI.0], [FUJI.1]);
    let utm = hypso::raster::gdal::GdalProjector::new("EPSG:32654").unwrap();
    hypso::raster::Projector::to_crs(&utm, &mut xs, &mut ys).unwrap();
    for (i, (a, b, c, d)) in
        [(16.0, 12.0, 12.0, -16.0), (20.0, 5.0, 0.0, -20.0), (0.0, 20.0, 20.0, 0.0), (-20.0, 0.0, 0.0, 20.0)]
            .iter()
            .enumerate()
    {
        // Cell (60, 60) is in the middle.
        let transform = GeoTransform([xs[0] - 60.0 * (a + b), *a, *b, ys[0] - 60.0 * (c + d), *c, *d]);
        let path = name(folder.path(), &format!("{i}/a.tif"));
        Sheet { crs: "EPSG:32654", transform, width: 120, height: 120 }.write(&path, &surface);
        check(&store_of_folders(&[path.parent().unwrap().into()]), &surface, FUJI, 500.0, STEP);
    }
}

/// CRSs whose authority puts north first, against gdalwarp, which knows the order by itself.
#[test]
fn the_order_of_axes_is_gdals() {
    let folder = tempfile::tempdir().unwrap();
    for (crs, west, north, cell) in [
        ("EPSG:2193", 1_750_000.0, 5_430_000.0, 30.0),
        ("EPSG:2451", -10_000.0, -20_000.0, 30.0),
        ("EPSG:6668", 138.7, 35.4, 0.000_3),
        ("EPSG:31468", 4_460_000.0, 5_330_000.0, 30.0),
    ] {
        let path = name(folder.path(), &format!("{}/a.tif", &crs[5..]));
        Sheet::north_up(crs, west, north, cell, 100, 100)
            .write(&path, &|x, y| (x / 300.0).sin() * 40.0 + (y / 500.0).cos() * 90.0);
        let store = store_of_folders(&[path.parent().unwrap().into()]);
        let record = store.records().iter().next().unwrap();
        let (zoom, (x, y)) = (record.native_zoom(), record.bounds().center());
        let (plan, options) = options_of(&store, (zoom, zoom), Coverage::Native);
        let tiles = render(&store, &plan, &options);
        let coord = TileCoord::at(x, y, zoom);
        let b = coord.bounds();
        let warped = name(folder.path(), "warped.tif");
        let te = [b.min_x, b.min_y, b.max_x, b.max_y].map(|v| format!("{v:.12}"));
        let mut args =
            vec!["-q", "-overwrite", "-t_srs", "EPSG:3857", "-r", "bilinear", "-et", "0", "-ts", "256", "256", "-te"];
        args.extend(te.iter().map(String::as_str));
        args.extend([path.to_str().unwrap(), warped.to_str().unwrap()]);
        gdal("gdalwarp", &args);
        let mut theirs = hypso::raster::gdal::GdalRaster::open(&warped, None).unwrap();
        let mut cells =
            hypso::raster::Cells::outside(hypso::raster::Window { col: 0, row: 0, width: 256, height: 256 });
        hypso::raster::Raster::read_into(&mut theirs, &mut cells).unwrap();
        let mut compared = 0;
        for (at, (_, _, height, valid)) in pixels(coord, &tiles.heights[&coord]).enumerate() {
            if valid && cells.state[at] == 1 {
                assert!((height - f64::from(cells.values[at])).abs() < 0.1, "{crs}: {height} {}", cells.values[at]);
                compared += 1;
            }
        }
        assert!(compared > 1000, "{crs}: {compared}");
    }
}

/// Degrees east of the 180th meridian, whichever side of the map a place is on.
fn beyond_180(x: f64) -> f64 {
    let lon = web_mercator::to_lon_lat(x, 0.0).0;
    if lon > 0.0 { lon - 180.0 } else { lon + 180.0 }
}

#[test]
fn both_sides_of_the_180th_meridian_are_made_without_a_seam() {
    let folder = tempfile::tempdir().unwrap();
    let surface = |x: f64, y: f64| 2000.0 + beyond_180(x) * 3000.0 - (y + 1_900_000.0) * 0.01;
    let cell = 0.002;
    let geographic = |west: f64, width: u32| Sheet::north_up("EPSG:4326", west, -16.8, cell, width, 100);
    let cases: [(&str, Vec<Sheet>); 5] = [
        ("east", vec![geographic(179.9, 100)]),
        ("west", vec![geographic(-180.1, 100)]),
        ("around", vec![geographic(179.9 - 360.0, 100)]),
        ("two", vec![geographic(179.9, 50), geographic(-180.0, 50)]),
        ("utm", vec![Sheet::around("EPSG:32760", (20_037_508.0, -1_910_000.0), 200.0, 0.25, 110, 110)]),
    ];
    for (case, sheets) in cases {
        let source = name(folder.path(), case);
        for (i, sheet) in sheets.iter().enumerate() {
            sheet.write(&source.join(format!("x/{i}.tif")), &surface);
        }
        let store = store_of_folders(&[source]);
        assert_eq!(store.len(), 2, "{case}: a record on each side");
        let zoom = store.records().iter().next().unwrap().native_zoom();
        let (plan, options) = options_of(&store, (zoom, zoom), Coverage::Native);
        let tiles = render(&store, &plan, &options);
        let last = (1u32 << zoom) - 1;
        let columns: std::collections::BTreeSet<u32> = tiles.heights.keys().map(|t| t.x()).collect();
        assert!(columns.contains(&0) && columns.contains(&last), "{case}: {columns:?}");
        assert!(columns.iter().all(|&x| x < 3 || x + 3 > last), "{case}: {columns:?}");
        let near = |x: f64, y: f64| beyond_180(x).abs() < 0.08 && (y + 1_910_000.0).abs() < 8_000.0;
        let (worst, count) = off(&tiles, &surface, &near);
        // 3000 m a degree: a thousandth of a cell is 6 mm. The plane bends a little within a cell of 200 m.
        assert!(worst < 0.02 && count > 5_000, "{case}: {worst} m over {count} pixels");
    }
}

#[test]
fn longitudes_from_0_to_360_have_no_seam_at_greenwich_and_reach_the_poles() {
    let folder = tempfile::tempdir().unwrap();
    // Smooth around the world.
    let surface = |x: f64, y: f64| {
        let (lon, lat) = web_mercator::to_lon_lat(x, y);
        1000.0 + lon.to_radians().sin() * 500.0 + lon.to_radians().cos() * 300.0 + lat * 5.0
    };
    for (case, west) in [("0-360", 0.0), ("180-180", -180.0), ("odd", -77.0)] {
        let source = name(folder.path(), case);
        Sheet::north_up("EPSG:4326", west, 90.0, 1.0, 360, 180).write(&source.join("a.tif"), &surface);
        let store = store_of_folders(&[source]);
        assert_eq!(store.len(), 1);
        let (plan, options) = options_of(&store, (0, 1), Coverage::Native);
        let tiles = render(&store, &plan, &options);
        assert_eq!(tiles.heights.len(), 5, "{case}");
        for (coord, tile) in &tiles.heights {
            assert!(tile.is_full(), "{case} {coord}: the whole world has values");
        }
        // A cell is a degree; bilinear over the sine leaves 500 / 8 * (pi / 180)^2.
        let (worst, count) = off(&tiles, &surface, &|_, y| y.abs() < 1.9e7);
        let bent = 700.0 / 8.0 * 1f64.to_radians().powi(2);
        // Zoom 0 is the mean of four pixels.
        let zoom_1 = render(
            &store,
            &options_of(&store, (1, 1), Coverage::Native).0,
            &options_of(&store, (1, 1), Coverage::Native).1,
        );
        let (fine, _) = off(&zoom_1, &surface, &|_, y| y.abs() < 1.9e7);
        assert!(fine < bent + 0.01 && worst < 10.0 && count > 100_000, "{case}: {fine} {worst} m over {count}");
    }
}

#[test]
fn a_raster_around_the_pole_is_made_on_every_longitude() {
    let folder = tempfile::tempdir().unwrap();
    let surface = |x: f64, y: f64| {
        let (lon, lat) = web_mercator::to_lon_lat(x, y);
        1000.0 + lat * 20.0 + (lon.to_radians() * 2.0).cos() * 50.0
    };
    for (crs, south) in [("EPSG:3995", false), ("EPSG:3031", true)] {
        let source = name(folder.path(), &crs[5..]);
        Sheet::north_up(crs, -1_500_000.0, 1_500_000.0, 10_000.0, 300, 300).write(&source.join("a.tif"), &surface);
        let store = store_of_folders(&[source]);
        let zoom = store.records().iter().next().unwrap().native_zoom();
        let (plan, options) = options_of(&store, (zoom, zoom), Coverage::Native);
        let tiles = render(&store, &plan, &options);
        // Within 1500 km of the pole: from 76.5 degrees on, whatever the longitude.
        let beyond = web_mercator::from_lon_lat(0.0, 77.0).1;
        let inside = |_: f64, y: f64| if south { -y > beyond } else { y > beyond };
        let (worst, count) = off(&tiles, &surface, &inside);
        assert!(worst < 0.5 && count > 100_000, "{crs}: {worst} m over {count} pixels");
    }
}
