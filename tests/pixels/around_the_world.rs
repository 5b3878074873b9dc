//! Rasters that go around the world, or over the line where its coordinates begin again: nothing shows where that is.
//!
//! Heights are a smooth function of longitude and latitude, so every pixel is known without any raster.
#![cfg(feature = "gdal")]

use std::path::Path;

use crate::surface::{OPTIONS, Sheet, Tiles, off, options_of, render, store_for, store_of_folders};
use hypso::archive::{self, ArchiveMetadata, TileFormat, TileSource};
use hypso::plan::Coverage;
use hypso::progress::Silent;
use hypso::raster::{GeoTransform, Resampling};
use hypso::render::{Comparison, GdalOpener, HeightSampler, compare_with_sources, shares};
use hypso::store::Store;
use hypso::terrain::ElevationTile;
use hypso::terrain::Encoding;
use hypso::tile::{TileCoord, web_mercator};

/// Hills around the world, and higher to the north.
fn hills(x: f64, y: f64) -> f64 {
    let (lon, lat) = web_mercator::to_lon_lat(x, y);
    1000.0 + lon.to_radians().sin() * 500.0 + (lon * 2.0).to_radians().cos() * 300.0 + lat * 5.0
}

/// Narrow hills, which repeat around the world all the same.
fn waves(x: f64, y: f64) -> f64 {
    let lon = web_mercator::to_lon_lat(x, 0.0).0;
    1000.0 + (lon * 24.0).to_radians().sin() * 400.0 + y * 1e-4
}

/// A raster of degrees between 60 degrees south and north.
fn degrees(west: f64, cell: f64, width: u32) -> Sheet {
    Sheet::north_up("EPSG:4326", west, 60.0, cell, width, (120.0 / cell).round() as u32)
}

fn source(folder: &Path, sheets: &[Sheet]) -> Store {
    for (i, sheet) in sheets.iter().enumerate() {
        sheet.write(&folder.join(format!("world/{i}.tif")), &hills);
    }
    store_of_folders(&[folder.join("world")])
}

fn native(store: &Store) -> u8 {
    store.records().iter().map(|r| r.native_zoom()).max().unwrap()
}

/// Up to where pixels are compared: 57 degrees.
const NORTH: f64 = 7_700_000.0;

#[test]
fn no_pixel_shows_where_a_raster_around_the_world_begins() {
    // The seam over a tile's middle column, between columns, beside them, and on a pixel's centre.
    let on_a_centre = 360.0 * 32.5 / 256.0;
    let cases: [(&str, Vec<Sheet>, f64); 11] = [
        ("0 to 360", vec![degrees(0.0, 1.0, 360)], 0.0),
        ("nodes 0 to 360", vec![degrees(-0.5, 1.0, 361)], 0.0),
        ("half degrees from -90", vec![degrees(-90.0, 0.5, 720)], 0.0),
        ("quarters from 45", vec![degrees(45.0, 0.25, 1440)], 0.0),
        ("-180 to 180", vec![degrees(-180.0, 1.0, 360)], 0.0),
        ("nodes -180 to 180", vec![degrees(-180.5, 1.0, 361)], 0.0),
        ("350 degrees from 5", vec![degrees(5.0, 1.0, 350)], 10.0),
        ("no whole number of cells", vec![degrees(10.0, 0.7, 514)], 0.2),
        ("on a centre", vec![degrees(on_a_centre, 1.0, 360)], 0.0),
        ("two files", vec![degrees(0.0, 1.0, 180), degrees(180.0, 1.0, 180)], 0.0),
        ("two files, two turns apart", vec![degrees(-360.0, 1.0, 180), degrees(180.0, 1.0, 180)], 0.0),
    ];
    for (case, sheets, gap) in cases {
        let folder = tempfile::tempdir().unwrap();
        let west = sheets[0].transform.0[0];
        let store = source(folder.path(), &sheets);
        let inside = |x: f64, y: f64| {
            let before = (west - web_mercator::to_lon_lat(x, 0.0).0).rem_euclid(360.0);
            y.abs() < NORTH && (gap == 0.0 || before > gap + 0.01 && before < 359.99)
        };
        let (plan, options) = options_of(&store, (0, native(&store)), Coverage::Native);
        let tiles = render(&store, &plan, &options);
        let (worst, count) = off(&tiles, &hills, &inside);
        // Beside an end where nothing goes on a height is that of the last cell's centre; where a coarser pixel is the mean of less
        // than four, that of their middle.
        let allowed = if gap > 1.0 {
            10.0
        } else if gap > 0.0 {
            2.0
        } else {
            0.5
        };
        assert!(worst < allowed && count > 100_000, "{case}: {worst} m over {count} pixels");
        let found = against(&folder.path().join("a.mbtiles"), &store, &tiles, &|_, _| {});
        assert!(found.findings.is_empty(), "{case}: {:?}", found.findings);
        assert_eq!(found.by_zoom.iter().map(|(_, d)| d.wrong).sum::<u64>(), 0, "{case}");
    }
}

#[test]
fn every_kernel_and_tile_size_sees_the_same_world() {
    for (west, width) in [(0.0, 360), (-0.5, 361), (-90.0, 360)] {
        let folder = tempfile::tempdir().unwrap();
        let sheet = degrees(west, 1.0, width);
        sheet.write(&folder.path().join("world/0.tif"), &hills);
        let spec = [hypso::catalog::SourceSpec::parse(folder.path().join("world").to_str().unwrap()).unwrap()];
        for size in [256, 512] {
            let store = store_for(&spec, size);
            for (how, allowed) in [
                (Resampling::Nearest, 16.0),
                (Resampling::Bilinear, 0.5),
                (Resampling::Cubic, 0.5),
                (Resampling::Lanczos, 1.0),
                (Resampling::Average, 16.0),
            ] {
                let (plan, mut options) = options_of(&store, (native(&store), native(&store)), Coverage::Native);
                options.resampling = how;
                for (blend, fill_gaps) in [(0.0, 0), (100_000.0, 4)] {
                    (options.blend, options.fill_gaps) = (blend, fill_gaps);
                    let tiles = render(&store, &plan, &options);
                    let (worst, count) = off(&tiles, &hills, &|_, y| y.abs() < NORTH);
                    assert!(worst < allowed && count > 30_000, "{west} {size} {how} {blend}: {worst} m over {count}");
                }
            }
        }
    }
}

#[test]
fn what_is_told_about_pixels_at_the_seam_agrees_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = source(folder.path(), &[degrees(0.0, 1.0, 180), degrees(180.0, 1.0, 180)]);
    let zoom = native(&store);
    let mut heights = HeightSampler::new(&store, &GdalOpener, Resampling::Bilinear).unwrap();
    for (lon, lat) in [(0.2, 20.0), (-0.2, 20.0), (180.0 - 0.2, -30.0), (-180.0 + 0.2, -30.0)] {
        let (x, y) = web_mercator::from_lon_lat(lon, lat);
        let found = heights.candidates((x, y), zoom).unwrap();
        let height = found.iter().find_map(|c| c.height).unwrap();
        // A pixel is 1.4 degrees wide, and slopes are up to 15 m a degree.
        assert!((f64::from(height) - hills(x, y)).abs() < 20.0, "{lon}: {height} {}", hills(x, y));
    }
    let found = shares(&store, &GdalOpener, Resampling::Bilinear, TileCoord::new(0, 0, 0).unwrap()).unwrap();
    let parts: Vec<u64> = found.iter().map(|s| s.pixels).collect();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0], parts[1], "half of the world each");
}

/// A kilometre a cell over the line at `x`, in metres of any CRS.
fn over(crs: &'static str, x: f64, north: f64) -> Sheet {
    Sheet::north_up(crs, x - 200_000.0, north, 1000.0, 400, 200)
}

const PLATE_CARREE_180: &str = "+proj=eqc +lon_0=180 +datum=WGS84 +units=m +type=crs";

#[test]
fn cylindrical_coordinates_go_on_beyond_the_edge_of_their_map() {
    let half = web_mercator::HALF_WORLD;
    let cases: [(&str, Sheet, f64); 9] = [
        ("Web Mercator", over("EPSG:3857", half, -1_800_000.0), 180.0),
        ("Web Mercator, west", over("EPSG:3857", -half, -1_800_000.0), 180.0),
        ("Web Mercator, a turn away", over("EPSG:3857", 3.0 * half, -1_800_000.0), 180.0),
        ("World Mercator", over("EPSG:3395", half, -1_800_000.0), 180.0),
        ("plate carree", over("EPSG:4087", half, -1_800_000.0), 180.0),
        ("equal area", over("EPSG:6933", 17_367_530.445, -1_800_000.0), 180.0),
        ("PDC Mercator, at its own cut", over("EPSG:3832", half, 4_000_000.0), -30.0),
        ("PDC Mercator, at the 180th meridian", over("EPSG:3832", half / 6.0, -1_800_000.0), 180.0),
        ("plate carree around the Pacific", over(PLATE_CARREE_180, half, 4_000_000.0), 0.0),
    ];
    for (case, sheet, cut) in cases {
        let folder = tempfile::tempdir().unwrap();
        sheet.write(&folder.path().join("pacific/x/a.tif"), &waves);
        let store = store_of_folders(&[folder.path().join("pacific")]);
        assert_eq!(store.len(), if cut == 180.0 { 2 } else { 1 }, "{case}");
        let zoom = native(&store);
        let (plan, mut options) = options_of(&store, (zoom, zoom), Coverage::Native);
        let centers = sheet.centers();
        let (south, north) = (centers.last().unwrap().1, centers[0].1);
        let beside = |x: f64| (web_mercator::to_lon_lat(x, 0.0).0 - cut + 540.0).rem_euclid(360.0) - 180.0;
        let near = |x: f64, y: f64| beside(x).abs() < 1.5 && y > south + 3000.0 && y < north - 3000.0;
        for blend in [0.0, 5000.0] {
            options.blend = blend;
            let tiles = render(&store, &plan, &options);
            let (worst, count) = off(&tiles, &waves, &near);
            assert!(worst < 0.1 && count > 20_000, "{case} {blend}: {worst} m over {count} pixels");
            let found = against(&folder.path().join("a.mbtiles"), &store, &tiles, &|_, _| {});
            assert!(found.findings.is_empty(), "{case}: {:?}", found.findings);
            assert_eq!((found.by_zoom[0].1.only_archive, found.by_zoom[0].1.only_sources), (0, 0), "{case}");
        }
        for side in [-1.0, 1.0] {
            let (x, _) = web_mercator::from_lon_lat(cut + side, 0.0);
            let x = if x > half { x - web_mercator::WORLD } else { x };
            let at = (x, (south + north) / 2.0);
            let mut heights = HeightSampler::new(&store, &GdalOpener, Resampling::Bilinear).unwrap();
            let found = heights.candidates(at, zoom).unwrap();
            let height = found.iter().find_map(|c| c.height).unwrap_or(f32::NAN);
            assert!((f64::from(height) - waves(at.0, at.1)).abs() < 10.0, "{case} {side}: {height}");
        }
    }
}

#[test]
fn projected_rasters_of_the_whole_world_have_no_seam_and_reach_the_poles() {
    let half = web_mercator::HALF_WORLD;
    let square = |west: f64| Sheet::north_up("EPSG:3857", west, half, half / 180.0, 360, 360);
    let plate = |west: f64| Sheet::north_up("EPSG:4087", west, half / 2.0, half / 180.0, 360, 180);
    let cell = 100_000.0;
    let odd = Sheet::north_up("EPSG:4087", -half, half / 2.0, cell, (2.0 * half / cell).ceil() as u32, 200);
    let cases = [
        ("Web Mercator", square(-half)),
        ("Web Mercator from Greenwich", square(0.0)),
        ("plate carree", plate(-half)),
        ("plate carree from Greenwich", plate(0.0)),
        ("plate carree from 90 west", plate(-half / 2.0)),
        ("no whole number of cells", odd),
    ];
    for (case, sheet) in cases {
        let folder = tempfile::tempdir().unwrap();
        let store = source(folder.path(), &[sheet]);
        let (plan, options) = options_of(&store, (0, native(&store)), Coverage::Native);
        let tiles = render(&store, &plan, &options);
        assert_eq!(tiles.heights.keys().filter(|t| t.z() == 1).count(), 4, "{case}");
        assert!(tiles.heights.values().all(ElevationTile::is_full), "{case}: the whole world has values");
        let (worst, count) = off(&tiles, &hills, &|_, y| y.abs() < NORTH);
        assert!(worst < 1.0 && count > 50_000, "{case}: {worst} m over {count} pixels");
    }
}

#[test]
fn angles_in_other_units_go_around_too() {
    for (unit, turn) in [("radian\",1", std::f64::consts::TAU), ("grad\",0.01570796326794897", 400.0)] {
        let crs = format!(
            "GEOGCS[\"own\",DATUM[\"Own datum\",SPHEROID[\"Own spheroid\",6378137,298.257]],PRIMEM[\"Greenwich\",0],UNIT[\"{unit}]]"
        );
        let cell = turn / 360.0;
        let sheet = Sheet {
            crs: crs.leak(),
            transform: GeoTransform::north_up(0.0, 60.0 * cell, cell, cell),
            width: 360,
            height: 120,
        };
        let folder = tempfile::tempdir().unwrap();
        let store = source(folder.path(), &[sheet]);
        let (plan, options) = options_of(&store, (0, 1), Coverage::Native);
        let (worst, count) = off(&render(&store, &plan, &options), &hills, &|_, y| y.abs() < NORTH);
        assert!(worst < 0.5 && count > 100_000, "{unit}: {worst} m over {count} pixels");
    }
}

/// Writes tiles as an archive, each changed by `change`, and compares it with the sources.
fn against(path: &Path, store: &Store, tiles: &Tiles, change: &dyn Fn(TileCoord, &mut ElevationTile)) -> Comparison {
    let mut metadata = ArchiveMetadata {
        name: "world".into(),
        format: TileFormat::Png,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(store.tile_size()),
        ..ArchiveMetadata::default()
    };
    metadata.other.insert("vertical_resolution".into(), "full".into());
    let mut sink = archive::create(path, &metadata, true).unwrap();
    let mut ids: Vec<_> = tiles.heights.keys().copied().collect();
    ids.sort_by_key(|&tile| hypso::tile::TileId::from(tile));
    for coord in ids {
        let mut tile = tiles.heights[&coord].clone();
        change(coord, &mut tile);
        sink.put(coord, &OPTIONS.encode(&tile).unwrap()).unwrap();
    }
    sink.finish().unwrap();
    let archive: Box<dyn TileSource> = archive::open(path).unwrap();
    compare_with_sources(archive.as_ref(), store, None, &Silent).unwrap()
}

/// The same pixels elsewhere.
fn moved(tile: &mut ElevationTile, from: impl Fn(usize, usize) -> (usize, usize)) {
    let (before, side) = (tile.clone(), tile.size as usize);
    for at in 0..side * side {
        let (x, y) = from(at % side, at / side);
        (tile.values[at], tile.valid[at]) = (before.values[y * side + x], before.valid[y * side + x]);
    }
}

#[test]
fn comparing_with_the_sources_finds_planted_faults_and_none_where_all_is_well() {
    let folder = tempfile::tempdir().unwrap();
    // A rough sheet in UTM with a void and a cliff, over a coarser one in degrees.
    let at = (15_443_000.0, 4_213_000.0);
    let rough = |x: f64, y: f64| {
        let cliff = if x - at.0 > 900.0 { 400.0 } else { 0.0 };
        1000.0 + (x / 300.0).sin() * 80.0 + (y / 170.0).cos() * 60.0 + cliff
    };
    let holed = |x: f64, y: f64| if (x - at.0).hypot(y - at.1) < 300.0 { f64::NAN } else { rough(x, y) };
    Sheet::around("EPSG:32654", at, 20.0, 0.3, 200, 200).write(&folder.path().join("fine/a.tif"), &holed);
    Sheet::around("EPSG:32654", (at.0 + 4000.0, at.1 + 1000.0), 20.0, 0.1, 150, 200)
        .write(&folder.path().join("fine/b.tif"), &rough);
    Sheet::around("EPSG:4326", at, 0.0005, 0.0, 300, 300).write(&folder.path().join("coarse/c.tif"), &rough);
    let store = store_of_folders(&["fine", "coarse"].map(|n| folder.path().join(n)));
    let path = folder.path().join("a.mbtiles");
    let zoom = native(&store);
    let (plan, options) = options_of(&store, (zoom - 3, zoom), Coverage::Native);
    let tiles = render(&store, &plan, &options);
    let right = against(&path, &store, &tiles, &|_, _| {});
    assert_eq!(right.findings, []);
    assert_eq!(right.by_zoom.iter().map(|(_, d)| d.wrong).sum::<u64>(), 0, "{:?}", right.by_zoom);
    assert!(right.by_zoom.iter().map(|(_, d)| d.pixels).sum::<u64>() > 100_000);
    // Means of finer tiles that were not kept.
    let (plan, options) = options_of(&store, (zoom - 3, zoom - 1), Coverage::Native);
    let means = against(&path, &store, &render(&store, &plan, &options), &|_, _| {});
    assert_eq!(means.findings, []);

    type Fault<'a> = (&'a str, &'a dyn Fn(TileCoord, &mut ElevationTile));
    let faults: [Fault<'_>; 7] = [
        ("a pixel west", &|_, tile| moved(tile, |x, y| (x.saturating_sub(1), y))),
        ("a pixel north", &|_, tile| moved(tile, |x, y| (x, y.saturating_sub(1)))),
        ("upside down", &|_, tile| moved(tile, |x, y| (x, 255 - y))),
        ("mirrored", &|_, tile| moved(tile, |x, y| (255 - x, y))),
        ("two metres up", &|_, tile| tile.values.iter_mut().for_each(|v| *v += 2.0)),
        ("a void", &|_, tile| (0..30 * 256).for_each(|i| (tile.values[i], tile.valid[i]) = (0.0, 0))),
        ("a filled void", &|_, tile| {
            tile.valid.iter_mut().zip(&mut tile.values).for_each(|(valid, value)| {
                if *valid == 0 {
                    (*valid, *value) = (1, 77.0);
                }
            })
        }),
    ];
    for (case, fault) in faults {
        let found = against(&path, &store, &tiles, fault);
        assert!(found.findings.len() > 1, "{case}: {:?}", found.by_zoom);
    }
}

#[test]
fn comparing_with_the_sources_finds_pixels_that_are_means_of_half_the_world() {
    let folder = tempfile::tempdir().unwrap();
    let store = source(folder.path(), &[degrees(0.0, 1.0, 360)]);
    let zoom = native(&store);
    let (plan, options) = options_of(&store, (zoom, zoom), Coverage::Native);
    let tiles = render(&store, &plan, &options);
    // Of one column of one tile; the rest is right.
    let last = *tiles.heights.keys().last().unwrap();
    let column = |coord: TileCoord, tile: &mut ElevationTile| {
        if coord == last {
            let side = tile.size as usize;
            for line in tile.values.chunks_exact_mut(side) {
                line[side - 1] = line.iter().sum::<f32>() / side as f32;
            }
        }
    };
    let found = against(&folder.path().join("a.mbtiles"), &store, &tiles, &column);
    assert_eq!(found.findings.len(), 1);
    assert_eq!(found.findings[0].tile, last);
}
