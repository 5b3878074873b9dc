//! Catalogues of real rasters, against the table of the sample data's README; and of broken ones.
//!
//! The rasters are shared sample data and not part of the package: `HYPSO_SHARED` names their folder, else `../shared`
//! beside the package is tried. Under CI their absence is a failure; elsewhere the tests say so and pass.
#![cfg(feature = "gdal")]

use std::path::Path;

use hypso::catalog::{self, Catalog, Location, OnError, Options, Reason, SourceSpec, bounds_csv};
use hypso::progress::{Progress, Silent};
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType, GeoTransform};
use hypso::store::DataType;
use hypso::tile::web_mercator;

fn build_catalog(specs: &[SourceSpec], options: &Options, progress: &dyn Progress) -> hypso::Result<Catalog> {
    crate::common::read_rasters();
    catalog::build_catalog(specs, options, progress)
}

fn build(folder: &Path, options: &Options) -> Catalog {
    let spec = SourceSpec::parse(folder.to_str().unwrap()).unwrap();
    build_catalog(&[spec], options, &Silent).unwrap()
}

/// A line of the README's tables: set/file, box in degrees, zoom.
fn table(samples: &Path) -> Vec<(String, [f64; 4], u8)> {
    let readme = std::fs::read_to_string(samples.join("README.md")).unwrap();
    let (mut set, mut rows) = (String::new(), Vec::new());
    for line in readme.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            set = name.to_string();
        }
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let Some(&bbox) = fields.get(10) else { continue };
        let numbers: Vec<f64> = bbox.split(',').filter_map(|v| v.parse().ok()).collect();
        if let (Ok(bbox), Ok(zoom)) = (<[f64; 4]>::try_from(numbers), fields[11].parse()) {
            rows.push((format!("{set}/{}", fields[1]), bbox, zoom));
        }
    }
    rows
}

#[test]
fn footprints_and_zooms_are_those_of_the_readme() {
    let Some(samples) = crate::common::shared("dem") else { return };
    let catalog = build(&samples, &Options::default());
    let rows = table(&samples);
    assert!(rows.len() > 60, "{} rows", rows.len());
    let mut wrong = String::new();
    for (path, bbox, zoom) in &rows {
        let Some(record) = catalog.records.iter().find(|r| &r.path == path) else {
            wrong += &format!("{path}: no record\n");
            continue;
        };
        let found = record.bounds.to_lon_lat();
        let limit = [180.0, web_mercator::MAX_LATITUDE, 180.0, web_mercator::MAX_LATITUDE];
        let near = (0..4).all(|i| (found[i] - bbox[i].clamp(-limit[i], limit[i])).abs() < 1e-3);
        let native = web_mercator::native_zoom(record.pixel_size, 512);
        if !near || native != *zoom {
            wrong += &format!(
                "{path}: {found:?}, zoom {native} ({} m); expected {bbox:?}, zoom {zoom}\n",
                record.pixel_size
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // Nothing beside the table but a zipped tile, and the XML files that GeoTIFFs were made of.
    let listed =
        |path: &str| path.ends_with(".hgt.zip") || path.ends_with(".xml") || rows.iter().any(|(p, ..)| p == path);
    assert!(catalog.records.iter().all(|r| listed(&r.path)), "a record that the README does not know");
}

#[test]
fn what_cant_be_used_is_named_with_its_reason() {
    let Some(samples) = crate::common::shared("dem") else { return };
    let catalog = build(&samples.join("formats"), &Options::default());
    let reasons: Vec<(&str, Reason)> = catalog.rejected.iter().map(|r| (r.path.as_str(), r.reason)).collect();
    let expected = [
        ("095b_dem_90m.asc", Reason::NoCrs),
        ("MED_01_01.tif", Reason::NoCrs),
        ("hugo_site_filled.asc", Reason::NoCrs),
    ];
    assert_eq!(reasons, expected);
    // GDAL reads a zipped tile of SRTM, whose name says where it lies.
    let zipped = catalog.records.iter().find(|r| r.path == "N10W110.hgt.zip").unwrap();
    let [west, south, east, north] = zipped.bounds.to_lon_lat();
    assert!((west + 110.0).abs() + (south - 10.0).abs() + (east + 109.0).abs() + (north - 11.0).abs() < 0.01);
    let shown = catalog.rejected[0].to_string();
    assert!(shown.starts_with("095b_dem_90m.asc: no CRS; give the source a CRS with `assume_crs"), "{shown}");
    // With a CRS that they could have, the first two have a place.
    let options = Options { assume_crs: Some("EPSG:32632".into()), ..Options::default() };
    let assumed = build(&samples.join("formats"), &options);
    assert!(assumed.records.iter().any(|r| r.path == "095b_dem_90m.asc" && r.crs == "EPSG:32632"));
    let n43 = catalog.records.iter().find(|r| r.path == "n43.dt0").unwrap();
    assert_eq!((n43.data_type, n43.nodata, n43.crs.as_str()), (DataType::I16, Some(-32767.0), "EPSG:4326"));
    // A PNG is opened, and says nothing of where it lies.
    let spec = SourceSpec::parse(samples.join("fuji/mapbox76m/*").to_str().unwrap()).unwrap();
    let fuji = build_catalog(&[spec], &Options::default(), &Silent).unwrap();
    assert_eq!((fuji.records.len(), fuji.rejected[0].reason), (1, Reason::NoGeoreference));
}

#[test]
fn threads_do_not_show_and_bounds_csv_gives_the_same_boxes() {
    let Some(samples) = crate::common::shared("dem") else { return };
    let folder = samples.join("fuji/gsi-dem5a-z13");
    let one = build(&folder, &Options { threads: 1, ..Options::default() });
    let many = build(&folder, &Options { threads: 7, ..Options::default() });
    assert_eq!(one, many);
    assert_eq!(one.sources[0].name, "gsi-dem5a-z13");
    assert!(one.sources[0].root.is_absolute() && one.records.is_sorted_by(|a, b| a.path < b.path));

    let copy = tempfile::tempdir().unwrap();
    for record in &one.records {
        std::fs::copy(folder.join(&record.path), copy.path().join(&record.path)).unwrap();
    }
    let list = copy.path().join("bounds.csv");
    bounds_csv::write(&list, &one.records).unwrap();
    let spec = SourceSpec::new("listed", Location::BoundsCsv(list));
    let listed = build_catalog(&[spec], &Options::default(), &Silent).unwrap();
    assert_eq!(listed.sources[0].root, copy.path().canonicalize().unwrap());
    for (a, b) in one.records.iter().zip(&listed.records) {
        assert_eq!((&a.path, a.bounds, a.pixel_size, &a.crs), (&b.path, b.bounds, b.pixel_size, &b.crs));
        assert_eq!((a.width, a.height, a.file_size), (b.width, b.height, b.file_size));
    }
}

/// A folder of rasters that are broken, each in a way of its own, made here.
fn broken(folder: &Path) {
    let spec = GeoTiffSpec {
        width: 300,
        height: 200,
        transform: GeoTransform::north_up(138.0, 36.0, 0.001, 0.001),
        crs: "EPSG:6668".into(),
        data_type: GeoTiffType::F32,
        nodata: None,
        tiled: None,
        compress: GeoTiffCompression::Deflate,
    };
    let cells: Vec<f32> = (0..300 * 200).map(|i| (i as f32 * 0.37).sin() * 1000.0).collect();
    let write = |name: &str, spec: &GeoTiffSpec| write_geotiff(folder.join(name), spec, &cells).unwrap();
    write("good.tif", &spec);
    write("no-crs.tif", &GeoTiffSpec { crs: String::new(), ..spec.clone() });
    write("pole.tif", &GeoTiffSpec { transform: GeoTransform::north_up(0.0, 89.9, 0.001, 0.001), ..spec.clone() });
    let all = std::fs::read(folder.join("good.tif")).unwrap();
    std::fs::write(folder.join("cut.tif"), &all[..all.len() / 2]).unwrap();
    std::fs::write(folder.join("stump.tif"), &all[..40]).unwrap();
    std::fs::write(folder.join("empty.tif"), "").unwrap();
    std::fs::write(folder.join("text.tif"), "this is not a raster").unwrap();
}

#[test]
fn broken_files_are_left_out_or_stop_the_work_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    broken(folder.path());
    let catalog = build(folder.path(), &Options::default());
    assert_eq!(catalog.records.iter().map(|r| r.path.as_str()).collect::<Vec<_>>(), ["good.tif"]);
    let reasons: Vec<(&str, Reason)> = catalog.rejected.iter().map(|r| (r.path.as_str(), r.reason)).collect();
    let expected = [
        ("cut.tif", Reason::Truncated),
        ("empty.tif", Reason::Empty),
        ("no-crs.tif", Reason::NoCrs),
        ("pole.tif", Reason::OutsideWebMercator),
        ("stump.tif", Reason::Truncated),
        ("text.tif", Reason::NotARaster),
    ];
    assert_eq!(reasons, expected, "{:#?}", catalog.rejected);

    let spec = SourceSpec::parse(folder.path().to_str().unwrap()).unwrap();
    let strict = Options { on_error: OnError::Fail, ..Options::default() };
    let problem = build_catalog(std::slice::from_ref(&spec), &strict, &Silent).unwrap_err().to_string();
    assert!(problem.contains("cut.tif: truncated") && problem.contains("5 more files"), "{problem}");
    let twice = build_catalog(&[spec.clone(), spec], &Options::default(), &Silent).unwrap_err().to_string();
    assert!(twice.contains("another name"), "{twice}");
    std::fs::remove_file(folder.path().join("good.tif")).unwrap();
    let spec = SourceSpec::parse(folder.path().to_str().unwrap()).unwrap();
    assert!(build_catalog(&[spec], &Options::default(), &Silent).is_err(), "a catalogue without a record");
    let empty = tempfile::tempdir().unwrap();
    let spec = SourceSpec::parse(empty.path().to_str().unwrap()).unwrap();
    let problem = build_catalog(&[spec], &Options::default(), &Silent).unwrap_err().to_string();
    assert!(problem.contains("holds no raster"), "{problem}");
}

#[test]
fn an_interrupted_scan_says_so() {
    let folder = tempfile::tempdir().unwrap();
    broken(folder.path());
    let spec = SourceSpec::parse(folder.path().to_str().unwrap()).unwrap();
    assert!(matches!(
        build_catalog(&[spec], &Options::default(), &crate::common::Stopped),
        Err(hypso::Error::Interrupted)
    ));
}
