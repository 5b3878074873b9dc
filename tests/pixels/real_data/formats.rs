//! Every format of rasters in the shared data, and files that can't be used.

use super::*;

#[test]
fn unusable_files_are_named_with_the_reason() {
    let Some(dem) = common::shared("dem") else { return };
    let store = scratch("formats.hypso");
    let store_name = store.to_str().unwrap();
    let unusable = [("095b_dem_90m.asc", "no CRS"), ("MED_01_01.tif", "no CRS"), ("hugo_site_filled.asc", "no CRS")];
    let expect_named = |run: &Output| {
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        let of_files: Vec<&str> = text.lines().filter(|l| l.starts_with("formats  ")).collect();
        // The table of sources begins its lines with the priority.
        assert_eq!(of_files.len(), unusable.len(), "{text}");
        for (line, (name, reason)) in of_files.iter().zip(unusable) {
            assert!(line.contains(name) && line.contains(reason), "{name}, {reason}: {text}");
        }
        text
    };
    let failed = hypso(&dem, &["build", "-o", store_name, "--on-error", "fail", "formats"]);
    assert_eq!(failed.status.code(), Some(1));
    let text = expect_named(&failed);
    assert!(text.contains("3 of 22 files"), "{text}");
    assert!(!store.exists());
    let skipped = hypso(&dem, &["build", "-o", store_name, "--on-error", "skip", "formats"]);
    assert_eq!(skipped.status.code(), Some(0));
    expect_named(&skipped);
    assert_eq!(hypso::store::Store::open(&store).unwrap().len(), 19);
}

/// Tiles of one raster at its native zoom, pixel by pixel around the raster's middle.
fn check_format(folder: &Path, name: &str, crs: Option<&str>) {
    let path = folder.join(name);
    let mut reference = Reference::of(&path);
    if let Some(crs) = crs {
        let placed = scratch(&format!("{name}.vrt"));
        gdal(
            "gdal_translate",
            &["-q", "-of", "VRT", "-a_srs", crs, path.to_str().unwrap(), placed.to_str().unwrap()],
            "",
        );
        reference = Reference::of(&placed);
    }
    let output = scratch(&format!("{name}.pmtiles"));
    let store = output.with_extension("hypso");
    let (output_name, store_name) = (output.to_str().unwrap(), store.to_str().unwrap());
    let mut build = vec!["build", "-o", store_name, name];
    build.extend(crs.map_or(vec![], |crs| vec!["--assume-crs", crs]));
    hypso_ok(folder, &build);
    let record = hypso::store::Store::open(&store).unwrap();
    let record = record.records().iter().next().unwrap();
    let (zoom, bounds) = (record.native_zoom(), record.bounds());
    hypso_ok(folder, &["aggregate", store_name, "-o", output_name, "--min-zoom", &zoom.to_string()]);
    let made = Made::open(&output);
    assert_eq!(made.max_zoom(), zoom, "{name}");
    let b = Bounds::new(bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y).to_lon_lat();
    // The middle, where the pixel of the raster's centre is, and everything.
    let (x, y) = bounds.center();
    let mut points = vec![web_mercator::to_lon_lat(x, y)];
    points.extend(grid(b[0], b[1], b[2], b[3], 24));
    // Cells that are not square can be a little smaller than a pixel along one side: one cell more around.
    // No height leaves the range of the cells: nothing of nodata or of NaN is in any of them.
    let slack = CODEC.vertical.step(zoom) / 2.0 + 1e-3;
    let (low, high) = reference.range();
    for coord in made.coords() {
        let tile = made.tile(coord).unwrap();
        for (&height, _) in tile.heights.values.iter().zip(&tile.heights.valid).filter(|(_, valid)| **valid == 1) {
            let height = f64::from(height);
            assert!((low - slack..=high + slack).contains(&height), "{name} {coord}: {height} of {low} to {high}");
        }
    }
    let counts = made.check(&[Source(vec![reference])], &points, 2);
    println!("{name}: zoom {zoom}, {} of {} pixels have a height", counts[0], points.len());
    assert!(counts[0] > if name.starts_with("BK39") { 2 } else { 100 }, "{name}: {counts:?}");
}

#[test]
fn every_usable_format_has_its_heights() {
    let Some(dem) = common::shared("dem") else { return };
    let folder = dem.join("formats");
    let unusable = ["095b_dem_90m.asc", "MED_01_01.tif", "N10W110.hgt.zip", "hugo_site_filled.asc"];
    let files = rasters(&folder, "").into_iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_string());
    let usable: Vec<String> = files.filter(|f| !unusable.contains(&f.as_str())).collect();
    assert_eq!(usable.len(), 18);
    for name in usable {
        check_format(&folder, &name, None);
    }
    for (name, crs) in [("095b_dem_90m.asc", "EPSG:32632"), ("MED_01_01.tif", "EPSG:26912")] {
        check_format(&folder, name, Some(crs));
    }
}
