//! Indices for other programs: what we export, read by GDAL.
//!
//! Readers that are not installed (`scripts/install-gdal.sh --tests`, the Python package `rasterio`) are skipped; under CI
//! that is a failure. `HYPSO_PYTHON` names the interpreter, else `python3` is tried.

use crate::common;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::program::{fails, gdal, ok, run, scratch};
use hypso::Store;
use hypso::query::Place;
use hypso::raster::GeoTransform;
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};
use hypso::tile::{Bounds, TileCoord, TileRange, web_mercator};
use serde_json::Value;

/// The features of a file as GDAL reads them, those in a box of the file's coordinates if there is one, by their ids.
fn features(file: &str, inside: Option<[f64; 4]>) -> BTreeMap<String, Value> {
    let filter = inside.map(|b| b.map(|v| v.to_string()));
    let mut arguments = vec!["-f", "GeoJSON", "-lco", "COORDINATE_PRECISION=15", "/vsistdout/", file];
    if let Some(filter) = &filter {
        arguments.push("-spat");
        arguments.extend(filter.iter().map(String::as_str));
    }
    let read: Value = serde_json::from_str(&run("ogr2ogr", &arguments)).unwrap();
    let features = read["features"].as_array().unwrap();
    let by_id: BTreeMap<_, _> =
        features.iter().map(|f| (f["properties"]["id"].as_str().unwrap().to_string(), f.clone())).collect();
    assert_eq!(by_id.len(), features.len(), "no id twice");
    by_id
}

/// The box around the coordinates of a feature.
fn extent(feature: &Value) -> [f64; 4] {
    let ring = feature["geometry"]["coordinates"][0].as_array().unwrap();
    assert_eq!((ring.len(), &ring[0]), (5, &ring[4]), "a closed rectangle");
    let mut found = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for corner in ring {
        let (x, y) = (corner[0].as_f64().unwrap(), corner[1].as_f64().unwrap());
        found = [found[0].min(x), found[1].min(y), found[2].max(x), found[3].max(y)];
    }
    found
}

/// A store of 600 records of three sources; none of its rasters exists.
fn made_up(path: &str) -> Store {
    let (sources, mut records) = common::catalogue(600, 5);
    records[0].nodata = Some(f64::NAN);
    std::fs::write(path, common::store_bytes(&sources, &records)).unwrap();
    Store::open(path).unwrap()
}

fn id(id: u64) -> String {
    format!("{id:016x}")
}

/// Every record is there, where it lies and with its attributes.
fn check_all(store: &Store, file: &str, degrees: bool) {
    let read = features(file, None);
    assert_eq!(read.len(), store.len() as usize);
    for record in store.records().iter() {
        let feature = &read[&id(record.id())];
        let b = record.bounds();
        let expected = if degrees { b.to_lon_lat() } else { [b.min_x, b.min_y, b.max_x, b.max_y] };
        let tolerance = if degrees { 1e-12 } else { 1e-6 };
        for (found, expected) in extent(feature).into_iter().zip(expected) {
            assert!((found - expected).abs() < tolerance, "{found} {expected}");
        }
        let p = &feature["properties"];
        let source = record.source().unwrap();
        assert_eq!(p["location"], record.full_path().unwrap().display().to_string());
        assert_eq!(p["path"], &*record.path().unwrap());
        assert_eq!(p["source"], &*source.name().unwrap());
        assert_eq!(p["attribution"], &*source.attribution().unwrap());
        assert_eq!(p["priority"], record.priority());
        assert_eq!(p["rank"], record.rank());
        assert_eq!(p["native_zoom"], record.native_zoom());
        // GDAL prints 15 digits.
        assert!((p["pixel_size"].as_f64().unwrap() / record.pixel_size() - 1.0).abs() < 1e-14);
        assert_eq!((&p["width"], &p["height"]), (&record.width().into(), &record.height().into()));
        assert_eq!(p["data_type"], record.data_type().name());
        assert_eq!(p["file_size"], record.file_size());
        assert_eq!(p["modified_ns"], record.modified_ns());
        assert_eq!(p["crs"].as_str().unwrap_or_default(), &*record.crs().unwrap());
        let nodata = match &p["nodata"] {
            Value::String(text) => text.parse().ok(),
            other => other.as_f64(),
        };
        assert_eq!(nodata.map(f64::to_bits), record.nodata().map(f64::to_bits));
    }
}

/// GDAL's answer to a box, by its spatial index, is the store's.
fn check_filter(store: &Store, file: &str, degrees: bool) {
    for (x, y, side) in [(1.4e7, 4.0e6, 30_000.4), (1.445e7, 4.33e6, 90_000.7), (0.0, 0.0, 10.0)] {
        let bounds = Bounds::new(x + 0.37, y + 0.41, x + side, y + side);
        let expected: BTreeSet<String> = store.overlapping(bounds).map(|r| id(r.id())).collect();
        assert_eq!(expected.is_empty(), x == 0.0);
        let b = if degrees { bounds.to_lon_lat() } else { [bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y] };
        let found: BTreeSet<String> = features(file, Some(b)).into_keys().collect();
        assert_eq!(found, expected, "{file}");
    }
}

#[test]
fn gdal_reads_every_format() {
    if !gdal() {
        return;
    }
    let (_folder, path) = scratch();
    let store = made_up(&path("s.hypso"));
    for name in ["s.geojson", "s.geojsonl", "s.fgb", "s.gti.gpkg", "other.name"] {
        let mut arguments = vec!["export".to_string(), path("s.hypso"), "-o".into(), path(name)];
        arguments.extend((name == "other.name").then(|| "--format=geojson".to_string()));
        let said = ok(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(said.contains("next: "), "{said}");
        let degrees = !name.ends_with("fgb") && !name.ends_with("gpkg");
        check_all(&store, &path(name), degrees);
        check_filter(&store, &path(name), degrees);
        let about = run("ogrinfo", &["-so", "-al", &path(name)]);
        assert!(about.contains("Feature Count: 600") && about.contains("Geometry: Polygon"), "{about}");
        assert!(about.contains(if degrees { "WGS 84" } else { "ID[\"EPSG\",3857]]" }), "{about}");
    }
    let files = std::fs::read_dir(path("")).unwrap().count();
    assert_eq!(files, 6, "the store, five exports, and nothing temporary");
    let text = std::fs::read_to_string(path("s.geojson")).unwrap();
    assert_eq!(text.lines().count(), 602, "a feature a line");
}

#[test]
fn a_mosaic_says_what_gdal_asks_for() {
    if !gdal() {
        return;
    }
    let (_folder, path) = scratch();
    let store = made_up(&path("s.hypso"));
    ok(&["export", &path("s.hypso"), "-o", &path("s.gti.gpkg")]);
    let about = run("ogrinfo", &["-so", "-al", &path("s.gti.gpkg")]);
    let finest = store.records().iter().map(|r| r.pixel_size()).fold(f64::INFINITY, f64::min);
    for item in [
        format!("RESX={finest}\n"),
        format!("RESY={finest}\n"),
        "BAND_COUNT=1\n".into(),
        "DATA_TYPE=Float32\n".into(),
        "SRS=EPSG:3857\n".into(),
        "LOCATION_FIELD=location\n".into(),
        "SORT_FIELD=rank\n".into(),
        "SORT_FIELD_ASC=NO\n".into(),
    ] {
        assert!(about.contains(&item), "no {item} in {about}");
    }
    assert!(
        run("ogrinfo", &["-al", &path("s.gti.gpkg"), "-sql", "SELECT HasSpatialIndex('footprints','geom')"])
            .contains(" = 1")
    );
    // What GDAL draws last is what the store puts first.
    let order = "SELECT id FROM footprints ORDER BY rank DESC";
    let drawn = run("ogr2ogr", &["-f", "CSV", "/vsistdout/", &path("s.gti.gpkg"), "-sql", order]);
    let drawn: Vec<&str> = drawn.lines().skip(1).map(|l| l.trim_matches('"')).collect();
    let mut asked = 0;
    for record in store.records().iter().step_by(1) {
        let (x, y) = record.bounds().center();
        let over: Vec<String> = store.overlapping(Place::Point { x, y }).map(|r| id(r.id())).collect();
        let last = drawn.iter().rev().find(|d| over.iter().any(|o| o == *d)).unwrap();
        assert_eq!(*last, over[0]);
        asked += usize::from(over.len() > 1);
    }
    assert!(asked > 20, "{asked} places with several records");
}

/// How often each value stands in the first band, as `value count` lines, by a GDAL of its own.
const VALUES: &str = "import sys, rasterio, numpy
with rasterio.open(sys.argv[1]) as d:
    assert d.driver == 'GTI' and d.crs == 'EPSG:3857' and d.dtypes == ('float32',) and d.nodata == -9999, d.profile
    for v, n in zip(*numpy.unique(d.read(1), return_counts=True)): print(int(v), n)";

#[test]
fn a_mosaic_opens_as_one_raster_with_the_first_source_on_top() {
    let python = std::env::var_os("HYPSO_PYTHON").unwrap_or_else(|| "python3".into());
    let has_gti = "import rasterio; assert tuple(map(int, rasterio.__gdal_version__.split('.')[:2])) >= (3, 9)";
    let found = Command::new(&python).args(["-c", has_gti]).output().is_ok_and(|o| o.status.success());
    assert!(found || std::env::var_os("CI").is_none(), "rasterio with GDAL 3.9 or later is not installed");
    if !found {
        eprintln!("skipped: rasterio with GDAL 3.9 or later is not installed");
        return;
    }
    let (_folder, path) = scratch();
    let (x, y) = web_mercator::from_lon_lat(138.8, 34.4);
    let metres = (GeoTransform::north_up(x, y, 10.0, 10.0), "EPSG:3857");
    let degrees = (GeoTransform::north_up(138.79, 34.4, 1e-4, 1e-4), "EPSG:6668");
    for (name, value, (transform, crs)) in [("one", 1.0, metres), ("two", 2.0, degrees)] {
        std::fs::create_dir(path(name)).unwrap();
        let spec = GeoTiffSpec {
            width: 300,
            height: 300,
            transform,
            crs: crs.into(),
            data_type: GeoTiffType::F32,
            nodata: Some(-9999.0),
            tiled: None,
            compress: GeoTiffCompression::None,
        };
        write_geotiff(path(&format!("{name}/x.tif")), &spec, &vec![value; 300 * 300]).unwrap();
    }
    for (first, options) in [("one", &[][..]), ("two", &["--relative"][..])] {
        let other = if first == "one" { "two" } else { "one" };
        ok(&["build", "-o", &path("s.hypso"), "--overwrite", &path(first), &path(other)]);
        let store = Store::open(path("s.hypso")).unwrap();
        let mosaic = path(&format!("{first}.gti.gpkg"));
        ok(&[&["export", &path("s.hypso"), "-o", &mosaic], options].concat());
        let read = run(&python.to_string_lossy(), &["-c", VALUES, &mosaic]);
        let count = |value: &str| -> f64 {
            read.lines().filter_map(|l| l.split_once(' ')).find(|(v, _)| *v == value).unwrap().1.parse().unwrap()
        };
        // Cells of 10 m: all of the first raster, and of the other one what lies beside it.
        let cells: Vec<f64> = ["one", "two"]
            .map(|n| store.records().iter().find(|r| r.source().unwrap().name().unwrap() == n).unwrap())
            .map(|r| r.bounds().width() * r.bounds().height() / 100.0)
            .to_vec();
        let mut boxes = store.records().iter().map(|r| r.bounds());
        let both = boxes.next().unwrap().intersection(&boxes.next().unwrap());
        let both = both.width() * both.height() / 100.0;
        assert!(both > 10_000.0);
        let expected = if first == "one" { [cells[0], cells[1] - both] } else { [cells[0] - both, cells[1]] };
        for (value, expected) in ["1", "2"].into_iter().zip(expected) {
            assert!((count(value) / expected - 1.0).abs() < 0.02, "{first}: {value}: {} {expected}", count(value));
        }
    }
}

/// The lists of a MosaicJSON by their tiles, and the rest of it.
fn mosaicjson(file: &str) -> (BTreeMap<TileCoord, Vec<String>>, Value) {
    let mut read: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let tiles: BTreeMap<String, Vec<String>> = serde_json::from_value(read["tiles"].take()).unwrap();
    (tiles.into_iter().map(|(key, names)| (TileCoord::from_quadkey(&key).unwrap(), names)).collect(), read)
}

#[test]
fn a_mosaicjson_lists_for_each_tile_the_rasters_that_the_store_answers_best_first() {
    let (_folder, path) = scratch();
    let store = made_up(&path("s.hypso"));
    let said = ok(&["export", &path("s.hypso"), "-o", &path("s.mosaicjson")]);
    assert!(said.contains("next: cogeo-mosaic info"), "{said}");
    let (tiles, about) = mosaicjson(&path("s.mosaicjson"));
    let number = |name: &str| about[name].as_u64().unwrap();
    let zoom = number("quadkey_zoom") as u8;
    assert_eq!((about["mosaicjson"].as_str(), number("minzoom")), (Some("0.0.3"), number("quadkey_zoom")));
    let finest = store.records().iter().map(|r| r.pixel_size()).fold(f64::INFINITY, f64::min);
    assert_eq!(number("maxzoom"), u64::from(web_mercator::native_zoom(finest, 256)));
    let types: BTreeSet<&str> = store.records().iter().map(|r| r.data_type().name()).collect();
    assert_eq!(about["data_type"].is_null(), types.len() > 1);
    let attributions: Vec<String> = store.sources().iter().map(|s| s.attribution().unwrap().into_owned()).collect();
    assert!(attributions.iter().all(|who| about["attribution"].as_str().unwrap().contains(who)), "{about}");

    // Every tile that a record lies in has a list, and each list is the store's answer.
    let all: BTreeSet<TileCoord> = store
        .records()
        .iter()
        .flat_map(|r| TileRange::covering(&r.bounds(), zoom).unwrap().iter().collect::<Vec<_>>())
        .collect();
    assert_eq!(tiles.keys().copied().collect::<BTreeSet<_>>(), all);
    let answer = |tile: TileCoord| -> Vec<String> {
        store.overlapping(tile).map(|r| r.full_path().unwrap().display().to_string()).collect()
    };
    assert!(tiles.iter().all(|(tile, names)| *names == answer(*tile)));
    assert!(tiles.values().any(|names| names.len() > 2));
    let [w, s, e, n]: [f64; 4] = serde_json::from_value(about["bounds"].clone()).unwrap();
    assert!(
        store
            .records()
            .iter()
            .map(|r| r.bounds().to_lon_lat())
            .all(|b| w <= b[0] && s <= b[1] && b[2] <= e && b[3] <= n)
    );
    let (lon, lat, at): (f64, f64, u8) = serde_json::from_value(about["center"].clone()).unwrap();
    let (x, y) = web_mercator::from_lon_lat(lon, lat);
    assert_eq!(at, zoom);
    assert!(store.overlapping(Place::Point { x, y }).any(|r| r.rank() == 0));

    // The name says the format, or the option does.
    for arguments in [&["-o", &path("mosaic.json")][..], &["-o", &path("x.txt"), "--format", "mosaicjson"]] {
        ok(&[&["export", &path("s.hypso")], arguments].concat());
        assert_eq!(std::fs::read(arguments[1]).unwrap(), std::fs::read(path("s.mosaicjson")).unwrap());
    }
    // Some sources, in a box, with names as seen from the file.
    let bounds = Bounds::from_lon_lat(125.5, 33.6, 126.4, 34.3);
    let chosen: Vec<_> = store.overlapping(bounds).filter(|r| r.source_index() != 1).collect();
    let options = ["--bbox", "125.5,33.6,126.4,34.3", "--source", "dem10", "--source", "dem1", "--relative"];
    ok(&[&["export", &path("s.hypso"), "-o", &path("some.mosaicjson")], &options[..]].concat());
    let (some, _) = mosaicjson(&path("some.mosaicjson"));
    assert!(chosen.len() > 4);
    for (tile, names) in &some {
        let expected: Vec<String> = chosen
            .iter()
            .filter(|r| r.bounds().overlaps(&tile.bounds()))
            .map(|r| r.full_path().unwrap().display().to_string())
            .collect();
        assert!(names.iter().all(|name| name.starts_with("../")));
        assert!(
            names.len() == expected.len()
                && names.iter().zip(&expected).all(|(a, b)| b.ends_with(a.trim_start_matches("../")))
        );
    }
    let listed: BTreeSet<&String> = some.values().flatten().collect();
    assert_eq!(listed.len(), chosen.len());
}

#[test]
fn parts_are_taken_by_source_and_box() {
    let (_folder, path) = scratch();
    let store = made_up(&path("s.hypso"));
    let bounds = Bounds::from_lon_lat(125.5, 33.6, 126.4, 34.3);
    let lines = |name: &str| {
        let text = std::fs::read_to_string(path(name)).unwrap();
        let ids: BTreeSet<String> = text
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap()["properties"]["id"].as_str().unwrap().to_string())
            .collect();
        assert_eq!(ids.len(), text.lines().count());
        ids
    };
    let chosen = |sources: &[u16]| -> BTreeSet<String> {
        store.overlapping(bounds).filter(|r| sources.contains(&r.source_index())).map(|r| id(r.id())).collect()
    };
    let bbox = ["--bbox", "125.5", "33.6", "126.4", "34.3"];
    let (input, a, b, c) = (path("s.hypso"), path("a.geojsonl"), path("b.geojsonl"), path("c.geojsonl"));
    ok(&[&["export", &input, "-o", &a], &bbox[..]].concat());
    assert_eq!(lines("a.geojsonl"), chosen(&[0, 1, 2]));
    ok(&[&["export", &input, "-o", &b, "--source", "dem10", "--source", "dem1"], &bbox[..]].concat());
    assert_eq!(lines("b.geojsonl"), chosen(&[0, 2]));
    assert!(!chosen(&[1]).is_empty());
    ok(&["export", &input, "-o", &c, "--source", "dem5", "--relative"]);
    let first: Value = serde_json::from_str(std::fs::read_to_string(&c).unwrap().lines().next().unwrap()).unwrap();
    let location = first["properties"]["location"].as_str().unwrap();
    assert!(location.starts_with("../") && location.contains("/data/dem5/"), "{location}");
}

#[test]
fn impossible_exports_are_refused() {
    let (_folder, path) = scratch();
    made_up(&path("s.hypso"));
    let store = path("s.hypso");
    fails(2, &["--output", ".fgb", "--format"], &["export", &store, "-o", &path("s.shp")]);
    fails(
        2,
        &["no source \"dem2\"", "dem1, dem5, dem10"],
        &["export", &store, "-o", &path("x.fgb"), "--source", "dem2"],
    );
    let nowhere = ["--bbox", "0", "0", "1", "1"];
    fails(1, &["nothing is written"], &[&["export", &store, "-o", &path("x.fgb")], &nowhere[..]].concat());
    fails(2, &["has no area"], &["export", &store, "-o", &path("x.fgb"), "--bbox", "1", "1", "2", "0"]);
    fails(1, &["does not exist"], &["export", &store, "-o", &path("none/x.gpkg")]);
    fails(2, &["is the store itself"], &["export", &store, "-o", &store, "--format", "geojson", "--overwrite"]);
    std::fs::write(path("x.fgb"), "mine").unwrap();
    fails(1, &["exists already", "--overwrite"], &["export", &store, "-o", &path("x.fgb")]);
    assert_eq!(std::fs::read(path("x.fgb")).unwrap(), b"mine");
    ok(&["export", &store, "-o", &path("x.fgb"), "--overwrite"]);
    std::fs::write(path("y.hypso"), "no store").unwrap();
    fails(1, &["y.hypso"], &["export", &path("y.hypso"), "-o", &path("y.fgb")]);
    let left: BTreeSet<String> =
        std::fs::read_dir(path("")).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(left, BTreeSet::from(["s.hypso", "x.fgb", "y.hypso"].map(String::from)), "nothing half-made is left");
    assert!(Path::new(&store).exists());
}
