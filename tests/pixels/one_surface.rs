//! The files of a source are one surface: a tilted plane cut into files of any CRS, resolution and registration comes out
//! as the plane, without steps or gaps where files meet.
#![cfg(feature = "gdal")]

use std::path::Path;

use crate::surface::{self, Sheet, off, options_of, render, store_of_folders};
use hypso::plan::Coverage;
use hypso::raster::{GeoTransform, Projector, Resampling, gdal::GdalProjector};
use hypso::store::Store;

const CENTER: (f64, f64) = (15_443_000.0, 4_213_000.0);

/// One metre a metre: half a cell off is seen.
fn plane(x: f64, y: f64) -> f64 {
    2000.0 + (x - CENTER.0) * 0.6 - (y - CENTER.1) * 0.8
}

/// A file in the Web Mercator lattice.
fn mercator(west: f64, north: f64, cell: f64, width: u32, height: u32) -> Sheet {
    Sheet::north_up("EPSG:3857", CENTER.0 + west, CENTER.1 + north, cell, width, height)
}

/// A file of degrees whose edges are those of a box in EPSG:3857 (west, south, east, north of the centre).
fn degrees(crs: &'static str, [west, south, east, north]: [f64; 4], width: u32, height: u32) -> Sheet {
    let (mut xs, mut ys) = ([CENTER.0 + west, CENTER.0 + east], [CENTER.1 + south, CENTER.1 + north]);
    GdalProjector::new(crs).unwrap().to_crs(&mut xs, &mut ys).unwrap();
    let cell = ((xs[1] - xs[0]) / f64::from(width), (ys[1] - ys[0]) / f64::from(height));
    Sheet { crs, transform: GeoTransform::north_up(xs[0], ys[1], cell.0, cell.1), width, height }
}

fn write(folder: &Path, sheets: &[Sheet]) -> Store {
    for (i, sheet) in sheets.iter().enumerate() {
        sheet.write(&folder.join(format!("plane/{i}.tif")), &plane);
    }
    store_of_folders(&[folder.join("plane")])
}

/// The largest difference to the plane within `reach` metres of the centre, all of which must be valid.
fn worst(store: &Store, how: Resampling, reach: f64) -> f64 {
    let zoom = store.records().iter().map(|r| r.native_zoom()).max().unwrap();
    let (plan, mut options) = options_of(store, (zoom, zoom), Coverage::Full);
    options.resampling = how;
    let near = |x: f64, y: f64| (x - CENTER.0).abs() < reach && (y - CENTER.1).abs() < reach;
    let (worst, count) = off(&render(store, &plan, &options), &plane, &near);
    assert!(count > 1_000, "{count}");
    worst
}

#[test]
fn files_of_another_registration_or_resolution_continue_each_other() {
    // West and east of the centre; cells of 20 m, and others that start between them or are larger or smaller.
    let cases: [(&str, [Sheet; 2]); 4] = [
        ("half a cell north", [mercator(-800.0, 800.0, 20.0, 40, 80), mercator(0.0, 810.0, 20.0, 40, 81)]),
        ("twice as large", [mercator(-800.0, 800.0, 20.0, 40, 80), mercator(0.0, 800.0, 40.0, 20, 40)]),
        ("three times as small", [mercator(-800.0, 800.0, 20.0, 40, 80), mercator(0.0, 800.0, 20.0 / 3.0, 120, 240)]),
        ("odd", [mercator(-800.0, 800.0, 20.0, 40, 80), mercator(0.0, 803.3, 13.7, 60, 120)]),
    ];
    for (case, sheets) in cases {
        let folder = tempfile::tempdir().unwrap();
        let store = write(folder.path(), &sheets);
        let found = worst(&store, Resampling::Bilinear, 600.0);
        assert!(found < 0.005, "{case}: {found} m");
        // Without neighbours, the edge of a cell of 20 m on a slope of 0.6 would be up to 6 m off. Lanczos does not keep
        // slopes to the last bit even inside of a file.
        for (how, tolerance) in [(Resampling::Cubic, 0.01), (Resampling::Lanczos, 1.2)] {
            let found = worst(&store, how, 600.0);
            assert!(found < tolerance, "{case} {how}: {found} m");
        }
    }
}

#[test]
fn files_of_many_coordinate_systems_are_one_plane() {
    let folder = tempfile::tempdir().unwrap();
    let side = 1000.0;
    // Nine boxes of a kilometre, edge to edge; those in UTM reach over their neighbours, as such files do.
    let cell = |i: i32, j: i32| [f64::from(i) * side - 1500.0, f64::from(j) * side - 1500.0];
    let bounds = |i: i32, j: i32| {
        let [west, south] = cell(i, j);
        [west, south, west + side, south + side]
    };
    let utm = |i: i32, j: i32, crs: &'static str, cells: f64| {
        let [west, south] = cell(i, j);
        Sheet::around(crs, (CENTER.0 + west + 500.0, CENTER.1 + south + 500.0), cells, 0.3, 60, 60)
    };
    let sheets = [
        degrees("EPSG:4326", bounds(0, 0), 50, 50),
        degrees("EPSG:6668", bounds(1, 0), 61, 45),
        mercator(500.0, -500.0, 20.0, 50, 50),
        mercator(-1500.0, 500.0, 25.0, 40, 40),
        utm(1, 1, "EPSG:32654", 17.0),
        degrees("EPSG:4326", bounds(2, 1), 100, 100),
        utm(0, 2, "EPSG:6676", 17.0),
        degrees("EPSG:4326", bounds(1, 2), 40, 64),
        mercator(500.0, 1500.0, 12.5, 80, 80),
    ];
    let store = write(folder.path(), &sheets);
    // Where three lattices meet, the neighbours of a neighbour's neighbours are not asked: a three-hundredth of a cell.
    let found = worst(&store, Resampling::Bilinear, 1300.0);
    assert!(found < 0.1, "{found} m");
}

#[test]
fn the_holes_of_a_file_are_filled_by_its_source_without_a_step() {
    // A file whose north-east is nodata, as of a rotated survey, over one that has it, both on lattices of their own.
    let folder = tempfile::tempdir().unwrap();
    let cut = |x: f64, y: f64| if (x - CENTER.0) + (y - CENTER.1) > 30.0 { f64::NAN } else { plane(x, y) };
    mercator(-800.0, 800.0, 20.0, 80, 80).write(&folder.path().join("plane/a.tif"), &cut);
    mercator(-805.0, 813.0, 21.0, 80, 80).write(&folder.path().join("plane/b.tif"), &plane);
    let store = store_of_folders(&[folder.path().join("plane")]);
    let found = worst(&store, Resampling::Bilinear, 600.0);
    assert!(found < 0.005, "{found} m");
}

#[test]
fn the_order_of_neighbours_is_the_candidates() {
    // Two neighbours overlap beyond the edge and disagree; whichever file comes first wins, however the folder lists them.
    let folder = tempfile::tempdir().unwrap();
    let level = |h: f64| move |_: f64, _: f64| h;
    mercator(-800.0, 800.0, 20.0, 40, 80).write(&folder.path().join("plane/a.tif"), &level(100.0));
    mercator(0.0, 810.0, 20.0, 40, 81).write(&folder.path().join("plane/b.tif"), &level(200.0));
    mercator(0.0, 805.0, 20.0, 40, 81).write(&folder.path().join("plane/c.tif"), &level(900.0));
    let store = store_of_folders(&[folder.path().join("plane")]);
    let zoom = store.records().iter().next().unwrap().native_zoom();
    let (plan, options) = options_of(&store, (zoom, zoom), Coverage::Native);
    let tiles = render(&store, &plan, &options);
    let highest = tiles.heights.values().flat_map(|t| t.values.clone()).fold(0f32, f32::max);
    // All that `c` could show lies below `b`, apart from its last five metres in the south.
    let south = CENTER.1 + 805.0 - 81.0 * 20.0 + 20.0;
    for (coord, tile) in &tiles.heights {
        for (_, y, height, valid) in surface::pixels(*coord, tile) {
            assert!(!valid || y < south || height <= 200.0, "{height}");
        }
    }
    assert!(highest > 200.0, "{highest}");
}
