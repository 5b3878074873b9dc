//! Our pixels against GDAL's own warper (`gdalwarp -r bilinear -et 0`) on real rasters.
//!
//! The rasters are shared sample data and not part of the package: `HYPSO_SHARED` names their folder, else `../shared`
//! beside the package is tried. Under CI their absence is a failure; elsewhere the test says so and passes.
#![cfg(feature = "gdal")]

use std::path::{Path, PathBuf};
use std::process::Command;

use hypso::raster::gdal::{GdalProjector, GdalRaster, source_footprint, write_geotiff};
use hypso::raster::{
    Cells, GeoTransform, Raster, Resampling, State, Window, pixel_map, pixel_scale, read_neighbour, resample,
    source_window,
};
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};
use hypso::tile::{Bounds, TileCoord, web_mercator};

/// A square of pixels to make: its box in EPSG:3857 and its pixels a side.
#[derive(Debug, Clone, Copy)]
struct Target {
    bounds: Bounds,
    size: u32,
}

/// Our pixels of a tile, and which of them are far from nodata and from the raster's edge.
fn ours(path: &Path, target: Target, how: Resampling) -> (Vec<f32>, Vec<u8>, Vec<bool>) {
    let Target { bounds, size } = target;
    let mut raster = GdalRaster::open(path, None).unwrap();
    let info = raster.info().clone();
    let projector = GdalProjector::new(&info.crs).unwrap();
    let map = pixel_map(&bounds, size, &info, &projector).unwrap();
    let scale = pixel_scale(&map, size, &info);
    let n = (size * size) as usize;
    let (mut values, mut valid) = (vec![0.0; n], vec![0; n]);
    let Some(window) = source_window(&map, &info, how, scale) else { return (values, valid, vec![false; n]) };
    let mut cells = Cells::outside(window);
    raster.read_into(&mut cells).unwrap();
    resample(&map, size, &cells, &info, how, scale, &mut values, &mut valid, None);
    // Which pixels have only valid cells around: the cells' own states, spread by the kernel's reach.
    let mut core = cells.clone();
    let reach = (scale.0.max(scale.1).max(1.0) * 3.5).ceil() as i64;
    let (w, h) = (window.width as i64, window.height as i64);
    for (at, value) in core.values.iter_mut().enumerate() {
        let (x, y) = (at as i64 % w, at as i64 / w);
        let near = (y - reach..=y + reach).flat_map(|r| (x - reach..=x + reach).map(move |c| (c, r)));
        let whole = near.into_iter().all(|(c, r)| {
            (0..w).contains(&c) && (0..h).contains(&r) && cells.state[(r * w + c) as usize] == State::VALID
        });
        *value = f32::from(u8::from(whole));
    }
    core.state.fill(State::VALID);
    let (mut flag, mut seen) = (vec![0.0; n], vec![0; n]);
    resample(&map, size, &core, &info, Resampling::Nearest, scale, &mut flag, &mut seen, None);
    (values, valid, flag.iter().map(|&f| f > 0.5).collect())
}

/// gdalwarp's pixels of the tile; NaN where it has none.
fn gdals(path: &Path, target: Target, how: &str, scale: Option<f64>, folder: &Path) -> Vec<f32> {
    let out = folder.join("warped.tif");
    let Target { bounds: Bounds { min_x, min_y, max_x, max_y }, size } = target;
    let run = Command::new("gdalwarp")
        .args(["-q", "-overwrite", "-t_srs", "EPSG:3857", "-r", how, "-et", "0", "-ot", "Float32", "-dstnodata", "nan"])
        .args(scale.map_or(vec![], |s| {
            vec!["-wo".into(), format!("XSCALE={}", 1.0 / s), "-wo".into(), format!("YSCALE={}", 1.0 / s)]
        }))
        .args(["-ovr", "NONE", "-te"])
        .args([min_x, min_y, max_x, max_y].map(|v| format!("{v:.17}")))
        .args(["-ts", &size.to_string(), &size.to_string()])
        .args([path, &out])
        .output()
        .expect("gdalwarp runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut raster = GdalRaster::open(&out, None).unwrap();
    let mut cells = Cells::outside(Window { col: 0, row: 0, width: size as usize, height: size as usize });
    raster.read_into(&mut cells).unwrap();
    cells.values.iter().zip(&cells.state).map(|(&v, &s)| if s == State::VALID { v } else { f32::NAN }).collect()
}

/// The 256-px tile around the raster's centre at its native zoom plus `deeper`.
fn tile_of(path: &Path, deeper: i8) -> Target {
    let raster = GdalRaster::open(path, None).unwrap();
    let footprint = source_footprint(raster.info()).unwrap();
    let (bounds, pixel) = (footprint.parts[0], footprint.pixel_size);
    let zoom = web_mercator::native_zoom(pixel, 256).saturating_add_signed(deeper);
    let (x, y) = bounds.center();
    Target { bounds: TileCoord::at(x, y, zoom).bounds(), size: 256 }
}

/// A square of `size` pixels in the raster's middle, each `cells` cells wide.
fn middle_of(path: &Path, size: u32, cells: f64) -> Target {
    let raster = GdalRaster::open(path, None).unwrap();
    let footprint = source_footprint(raster.info()).unwrap();
    let (bounds, pixel) = (footprint.parts[0], footprint.pixel_size);
    let (x, y) = bounds.center();
    Target { bounds: Bounds::new(x, y, x, y).buffered(pixel * cells * f64::from(size) / 2.0), size }
}

/// Compares one raster at one zoom; returns (largest difference, pixels compared).
fn compare(path: &Path, target: Target, how: Resampling, scale: Option<f64>, folder: &Path) -> (f64, usize) {
    let (values, valid, core) = ours(path, target, how);
    let theirs = gdals(path, target, &how.to_string(), scale, folder);
    let (mut worst, mut count) = (0f64, 0);
    for at in 0..values.len() {
        if core[at] {
            assert_eq!(valid[at], 1, "{} {target:?}: no value amid valid cells", path.display());
            assert!(theirs[at].is_finite(), "{} {target:?}: gdalwarp has no value amid valid cells", path.display());
            worst = worst.max((f64::from(values[at]) - f64::from(theirs[at])).abs());
            count += 1;
        }
    }
    (worst, count)
}

const RASTERS: [&str; 8] = [
    "fuji/srtm30/dem_srtm30.tif",
    "fuji/gsi-dem5a/FG-GML-5238-74-00-DEM5A-20161001.tif",
    "fuji/gsi-dem5a-z13/12_3630_1616.tif",
    "taketomi/gsi-dem5b/FG-GML-3624-30-87-DEM5B-20170202.tif",
    "oetztal/vinschgau250m/elev_vinschgau.tif",
    "ventoux/srtm3-utm31/N44E005_UTM.tif",
    "logan/usgs100m/output1.tif",
    "formats/swissalti3d.tif",
];

#[test]
fn bilinear_is_gdalwarps_to_a_centimetre() {
    let Some(samples) = crate::common::shared("dem") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut report = String::new();
    for name in RASTERS {
        let path = samples.join(name);
        for deeper in [0, 1, 3] {
            let (worst, count) = compare(&path, tile_of(&path, deeper), Resampling::Bilinear, None, folder.path());
            report += &format!("{name} +{deeper}: {worst:.5} m over {count} pixels\n");
            assert!(count > 100 || name.contains("output1"), "{report}");
            assert!(worst <= 0.01, "{report}");
        }
    }
    eprintln!("{report}");
}

#[test]
fn cubic_and_lanczos_are_gdalwarps_at_the_rasters_own_scale() {
    let Some(samples) = crate::common::shared("dem") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut report = String::new();
    for name in RASTERS {
        for how in [Resampling::Cubic, Resampling::Lanczos] {
            let path = samples.join(name);
            let (worst, count) = compare(&path, tile_of(&path, 0), how, None, folder.path());
            report += &format!("{name} {how}: {worst:.5} m over {count} pixels\n");
            // Positions are rounded to 2^-16 of a cell; srtm30 rises by more than 1000 m a cell.
            assert!(worst <= if how == Resampling::Lanczos { 0.05 } else { 0.02 }, "{report}");
        }
    }
    eprintln!("{report}");
}

/// Rasters in conformal coordinates, where two cells a pixel are two on both axes; gdalwarp, which guesses the scale from
/// whole windows, is told so. Its widened Lanczos drops the position within a cell (3.6.2 gives the same value for
/// targets a quarter of a cell apart), so it is no model for ours.
#[test]
fn kernels_widen_as_gdalwarps() {
    let Some(samples) = crate::common::shared("dem") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut report = String::new();
    for name in RASTERS {
        if ["srtm30", "gsi-dem5a/", "gsi-dem5b"].iter().any(|geographic| name.contains(geographic)) {
            continue;
        }
        for how in [Resampling::Bilinear, Resampling::Cubic] {
            let path = samples.join(name);
            let (worst, count) = compare(&path, middle_of(&path, 40, 2.0), how, Some(2.0), folder.path());
            report += &format!("{name} {how}: {worst:.5} m over {count} pixels\n");
            assert!(worst <= 0.02 && count > 400, "{report}");
        }
    }
    eprintln!("{report}");
}

/// Makes a target from files in turn, each with the others as neighbours.
fn assemble(files: &[PathBuf], target: Target, how: Resampling) -> (Vec<u32>, Vec<u8>) {
    let n = (target.size * target.size) as usize;
    let (mut values, mut valid) = (vec![0.0; n], vec![0; n]);
    for file in files {
        let mut raster = GdalRaster::open(file, None).unwrap();
        let info = raster.info().clone();
        let map = pixel_map(&target.bounds, target.size, &info, &GdalProjector::new(&info.crs).unwrap()).unwrap();
        let scale = pixel_scale(&map, target.size, &info);
        let Some(window) = source_window(&map, &info, how, scale) else { continue };
        let mut cells = Cells::outside(window);
        raster.read_into(&mut cells).unwrap();
        for other in files.iter().filter(|other| *other != file) {
            assert!(read_neighbour(&info, &mut GdalRaster::open(other, None).unwrap(), &mut cells).unwrap());
        }
        resample(&map, target.size, &cells, &info, how, scale, &mut values, &mut valid, None);
    }
    (values.iter().map(|v: &f32| v.to_bits()).collect(), valid)
}

/// The seam that stands at every file edge when files are warped one by one: origins of real files are decimal numbers,
/// and each file rounds its own.
#[test]
fn a_raster_cut_into_files_gives_the_bits_of_the_whole() {
    let Some(samples) = crate::common::shared("dem") else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["fuji/gsi-dem5a/FG-GML-5238-74-00-DEM5A-20161001.tif", "oetztal/vinschgau250m/elev_vinschgau.tif"] {
        let path = samples.join(name);
        let mut raster = GdalRaster::open(&path, None).unwrap();
        let info = raster.info().clone();
        let (width, height) = (info.width as usize, info.height as usize);
        let mut all = Cells::outside(Window { col: 0, row: 0, width, height });
        raster.read_into(&mut all).unwrap();
        let mut files = Vec::new();
        for (row, rows) in [(0, 60), (60, height - 60)] {
            for (col, cols) in [(0, 101), (101, width - 101)] {
                let (x, y) = info.transform.apply(col as f64, row as f64);
                let t = info.transform.0;
                let spec = GeoTiffSpec {
                    width: cols as u32,
                    height: rows as u32,
                    transform: GeoTransform([x, t[1], t[2], y, t[4], t[5]]),
                    crs: info.crs.clone(),
                    data_type: GeoTiffType::F32,
                    nodata: Some(-9999.0),
                    tiled: None,
                    compress: GeoTiffCompression::None,
                };
                let cell = |i: usize| (row + i / cols) * width + col + i % cols;
                let value = |at: usize| if all.state[at] == State::VALID { all.values[at] } else { -9999.0 };
                let cells: Vec<f32> = (0..rows * cols).map(|i| value(cell(i))).collect();
                files.push(folder.path().join(format!("{row}-{col}.tif")));
                write_geotiff(files.last().unwrap(), &spec, &cells).unwrap();
            }
        }
        for how in Resampling::ALL {
            for deeper in [0, 2] {
                let target = tile_of(&path, deeper);
                let whole = assemble(std::slice::from_ref(&path), target, how);
                assert!(whole.1.iter().filter(|&&v| v == 1).count() > 10_000, "{name} {how}");
                assert!(whole == assemble(&files, target, how), "{name} {how} {target:?}");
                files.reverse();
            }
        }
    }
}
