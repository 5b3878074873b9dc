//! Stores built from tile indices: our own exports, and those of GDAL.
//!
//! GDAL's programs (`scripts/install-gdal.sh --tests`) are skipped where they are missing; under CI that is a failure.

use crate::program::{fails, gdal, ok, run, scratch, surveyed};
use hypso::Store;
use hypso::raster::GeoTransform;
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};

fn rasters(folder: &str) -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path().display().to_string())
        .filter(|p| p.ends_with(".tif"))
        .collect();
    found.sort();
    found
}

#[test]
fn a_store_built_from_its_index_is_the_same_to_the_byte() {
    let (folder, path) = scratch();
    let original = surveyed(folder.path());
    std::fs::create_dir(path("elsewhere")).unwrap();
    for (n, name) in
        ["i.gti.gpkg", "i.gpkg", "i.fgb", "elsewhere/i.gti.fgb", "elsewhere/i.gpkg", "i.parquet", "elsewhere/i.parquet"]
            .into_iter()
            .enumerate()
    {
        let relative: &[&str] = if n % 2 == 0 { &["--relative"] } else { &[] };
        ok(&[&["export", &path("s.hypso"), "-o", &path(name)], relative].concat());
        ok(&["build", "-o", &path("again.hypso"), "--overwrite", &path(name)]);
        assert!(std::fs::read(path("again.hypso")).unwrap() == original, "{name}");
    }
    // GeoJSON has no metres, so the rasters are read again; sources come along all the same.
    ok(&["export", &path("s.hypso"), "-o", &path("i.geojson")]);
    ok(&["build", "-o", &path("again.hypso"), "--overwrite", &path("i.geojson")]);
    assert!(std::fs::read(path("again.hypso")).unwrap() == original);
    // Parts of one store, put together again in their order.
    for name in ["lidar2", "dem10", "aw30"] {
        ok(&["export", &path("s.hypso"), "-o", &path(&format!("{name}.fgb")), "--source", name]);
    }
    let parts = [path("lidar2.fgb"), path("dem10.fgb"), path("aw30.fgb")];
    ok(&["build", "-o", &path("again.hypso"), "--overwrite", &parts[0], &parts[1], &parts[2]]);
    assert!(std::fs::read(path("again.hypso")).unwrap() == original);
}

#[test]
fn an_index_stands_for_its_rasters_until_they_change() {
    let (folder, path) = scratch();
    let original = surveyed(folder.path());
    for index in ["i.fgb", "i.parquet"] {
        ok(&["export", &path("s.hypso"), "-o", &path(index)]);
    }
    // The rasters lose their content, but neither size nor time: whoever opens one fails.
    let files = rasters(&path("s/dem10"));
    for file in &files {
        let known = std::fs::metadata(file).unwrap();
        std::fs::write(file, vec![0; known.len() as usize]).unwrap();
        let file = std::fs::File::options().write(true).open(file).unwrap();
        file.set_modified(known.modified().unwrap()).unwrap();
    }
    for index in ["i.fgb", "i.parquet"] {
        ok(&["build", "-o", &path("again.hypso"), &path(index), "--overwrite"]);
        assert!(std::fs::read(path("again.hypso")).unwrap() == original, "{index}");
    }
    std::fs::write(&files[0], "something else").unwrap();
    std::fs::remove_file(&files[1]).unwrap();
    let (changed, gone) = (files[0].rsplit('/').next().unwrap(), files[1].rsplit('/').next().unwrap());
    for index in ["i.fgb", "i.parquet"] {
        let build = ["build", "-o", &path("again.hypso"), "--overwrite", &path(index)];
        fails(1, &["2 of 15 files", changed, gone, "missing", "dem10"], &build);
        ok(&[&build[..], &["--on-error", "skip"]].concat());
        assert_eq!(Store::open(path("again.hypso")).unwrap().len(), 13);
    }
}

#[test]
fn tile_indices_of_gdal_list_their_rasters() {
    if !gdal() {
        return;
    }
    let (folder, path) = scratch();
    surveyed(folder.path());
    let files = rasters(&path("s/dem10"));
    let listed: Vec<&str> = files.iter().map(String::as_str).collect();
    let records = |arguments: &[&str]| {
        ok(&[&["build", "-o", &path("x.hypso"), "--overwrite"], arguments].concat());
        let store = Store::open(path("x.hypso")).unwrap();
        let mut found: Vec<_> = store
            .records()
            .iter()
            .map(|r| {
                (r.full_path().unwrap(), r.path().unwrap().into_owned(), r.pixel_size().to_bits(), r.id(), r.rank())
            })
            .collect();
        found.sort();
        (store.source(0).unwrap().name().unwrap().into_owned(), found)
    };
    let expected = records(&[&path("s/dem10")]);
    // Beside the rasters, above them, and elsewhere: the root is their folder, that of the index, their folder.
    std::fs::create_dir(path("elsewhere")).unwrap();
    for (index, below) in [("s/dem10/i.shp", ""), ("i.gpkg", "s/dem10/"), ("elsewhere/i.gpkg", "")] {
        run("gdaltindex", &[&["-t_srs", "EPSG:4326", "-write_absolute_path", &path(index)], &listed[..]].concat());
        let (name, found) = records(&[&format!("dem10={}", path(index))]);
        assert_eq!(name, "dem10");
        for (found, expected) in found.iter().zip(&expected.1) {
            assert_eq!((&found.0, found.2, found.4), (&expected.0, expected.2, expected.4), "{index}");
            assert_eq!(found.1, format!("{below}{}", expected.1));
            assert_eq!(found.3 == expected.3, below.is_empty());
        }
        assert_eq!(found.len(), 8);
        assert_eq!(records(&[&path(index)]).0, "i", "named after the index");
    }
    // Relative locations start at the folder of the index. A layer and a field of other names are found in the metadata.
    let csv = "location,WKT\nnone.tif,\"POLYGON((0 0,0 1,1 1,0 0))\"\n";
    for (layer, text) in [("a", csv.to_string()), ("t", csv.replace("none", "s/dem10/mesh_22"))] {
        std::fs::write(path("i.csv"), text).unwrap();
        let options = ["-update", "-append", "-nln", layer, "-mo", "TILE_INDEX_LAYER=t", "-oo", "KEEP_GEOM_COLUMNS=NO"];
        let options = if layer == "a" { &options[2..] } else { &options[..] };
        run("ogr2ogr", &[options, &[&path("j.gpkg"), &path("i.csv")]].concat());
    }
    let (name, found) = records(&[&path("j.gpkg")]);
    assert_eq!((name.as_str(), found.len(), found[0].1.as_str()), ("j", 1, "s/dem10/mesh_22.tif"));
    ok(&["export", &path("s.hypso"), "-o", &path("s/dem10/k.gpkg"), "--source", "dem10"]);
    let other = "UPDATE gpkg_metadata SET metadata = replace(metadata, '>location<', '>path<')";
    run("ogrinfo", &[&path("s/dem10/k.gpkg"), "-sql", other]);
    run("ogrinfo", &[&path("s/dem10/k.gpkg"), "-sql", "UPDATE footprints SET location = 'x'"]);
    assert_eq!(records(&[&path("s/dem10/k.gpkg")]), expected);
}

#[test]
fn indices_that_say_too_little_are_refused() {
    if !gdal() {
        return;
    }
    let (folder, path) = scratch();
    surveyed(folder.path());
    let out = path("x.hypso");
    let index = |name: &str, lines: &str| {
        std::fs::write(path("i.csv"), format!("location,WKT\n{lines}")).unwrap();
        run("ogr2ogr", &["-oo", "KEEP_GEOM_COLUMNS=NO", &path(name), &path("i.csv")]);
        path(name)
    };
    let build = |code, words: &[&str], source: &str| fails(code, words, &["build", "-o", &out, source]);
    let here = "\"POLYGON((0 0,0 1,1 1,0 0))\"\n";
    build(1, &["names no raster", "feature 2"], &index("a.gpkg", &format!("s/dem10/mesh_22.tif,{here}\"\",{here}")));
    build(
        1,
        &["\"s/dem10/mesh_22.tif\" twice"],
        &index("b.gpkg", &format!("s/dem10/mesh_22.tif,{here}s/lidar2/../dem10/mesh_22.tif,{here}")),
    );
    build(1, &["https://a.b/c.tif", "on the network"], &index("c.gpkg", &format!("https://a.b/c.tif,{here}")));
    build(1, &["lists no file"], &index("d.gpkg", ""));
    run("ogr2ogr", &["-sql", "SELECT 1 AS one FROM i", &path("e.gpkg"), &path("a.gpkg")]);
    build(1, &["e.gpkg", "no layer with a field \"location\"", "hypso export"], &path("e.gpkg"));
    std::fs::write(path("f.fgb"), "not FlatGeobuf").unwrap();
    build(1, &["f.fgb", "can't be read as a tile index"], &path("f.fgb"));
    ok(&["export", &path("s.hypso"), "-o", &path("all.fgb")]);
    build(2, &["holds 3 sources", "leave out one="], &format!("one={}", path("all.fgb")));
    fails(2, &["\"dem10\"", "names both"], &["build", "-o", &out, &path("all.fgb"), &path("s/dem10")]);
    ok(&["export", &path("s.hypso"), "-o", &path("one.fgb"), "--source", "dem10"]);
    ok(&["build", "-o", &out, &path("all.fgb"), &format!("other={}", path("one.fgb"))]);
    assert_eq!(Store::open(&out).unwrap().sources().len(), 4);
}

/// What is done to the values of a source, and rasters with a record on each side of the 180th meridian.
#[test]
fn adjustments_and_both_parts_of_a_raster_come_back() {
    let (folder, path) = scratch();
    std::fs::create_dir(path("dem")).unwrap();
    for (name, west) in [("a.tif", 179.95), ("b.tif", 179.80)] {
        let spec = GeoTiffSpec {
            width: 100,
            height: 100,
            transform: GeoTransform::north_up(west, -17.0, 0.001, 0.001),
            crs: "EPSG:4326".into(),
            data_type: GeoTiffType::F32,
            nodata: None,
            tiled: None,
            compress: GeoTiffCompression::None,
        };
        write_geotiff(folder.path().join("dem").join(name), &spec, &vec![7.0; 100 * 100]).unwrap();
    }
    let config = "[[source]]\nname = \"dem\"\npath = \"dem\"\noffset = -1.25\nnodata = [-32768, 0]\n";
    std::fs::write(path("hypso.toml"), config).unwrap();
    ok(&["build", "-o", &path("s.hypso"), "--config", &path("hypso.toml")]);
    let original = std::fs::read(path("s.hypso")).unwrap();
    assert_eq!(Store::open(path("s.hypso")).unwrap().len(), 3, "one has two parts");
    for (name, relative) in [("i.fgb", false), ("i.gti.gpkg", true), ("i.geojson", true), ("i.parquet", true)] {
        let options: &[&str] = if relative { &["--relative"] } else { &[] };
        let said = ok(&[&["export", &path("s.hypso"), "-o", &path(name)], options].concat());
        assert!(said.contains("heights of dem are adjusted") && said.contains("column offset"), "{said}");
        ok(&["build", "-o", &path("again.hypso"), "--overwrite", &path(name)]);
        assert!(std::fs::read(path("again.hypso")).unwrap() == original, "{name}");
    }
    let text = std::fs::read_to_string(path("i.geojson")).unwrap();
    assert_eq!(text.matches("\"offset\":-1.25,\"more_nodata\":\"-32768 0\"").count(), 3, "{text}");
    // What hypso.toml says of the index goes before.
    std::fs::write(path("hypso.toml"), "[[source]]\npath = \"i.fgb\"\noffset = 3\n").unwrap();
    ok(&["build", "-o", &path("again.hypso"), "--overwrite", "--config", &path("hypso.toml")]);
    assert!(Store::open(path("again.hypso")).unwrap().metadata().contains("3.0"));
    // A raster that changed is opened once, for both of its parts.
    let file = std::fs::File::options().write(true).open(path("dem/a.tif")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    ok(&["build", "-o", &path("again.hypso"), "--overwrite", &path("i.fgb")]);
    assert_eq!(Store::open(path("again.hypso")).unwrap().len(), 3);
}
