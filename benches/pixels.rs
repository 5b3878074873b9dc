//! Pixels side by side with peers, in the same run: warping with GDAL's own warper, means of four with memcpy, decoding with
//! libwebp.
//!
//! ```sh
//! cargo bench --bench pixels
//! ```
//!
//! The rasters are made here: float32, uncompressed, so that reading is the same small part on both sides. GDAL warps one square of 4096
//! pixels with its default tolerance of 1/8 pixel, by a warped VRT that is read through the same crate; ours makes the same square as 64 tiles. Both
//! read the source anew each time. Results: `RESULTS.md`.

#![allow(missing_docs, reason = "criterion's macros")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use hypso::raster::gdal::{GdalProjector, GdalRaster, write_geotiff};
use hypso::raster::{Cells, GeoTransform, Raster, Resampling, Window, pixel_map, pixel_scale, resample, source_window};
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec, VerticalResolution, downsample_into};
use hypso::tile::Bounds;

const SIDE: usize = 4096;
const TILE: u32 = 512;

/// Heights with slopes and detail.
fn height(x: f64, y: f64) -> f64 {
    1500.0
        + (x / 90.0).sin() * 300.0
        + (y / 70.0).cos() * 200.0
        + ((x * 12.9898 + y * 78.233).sin() * 43.0).fract() * 3.0
}

/// A raster of 5000 cells a side around a place, and the square of 4096 pixels in its middle.
fn source(folder: &Path, crs: &str, west: f64, north: f64, cell: f64) -> (PathBuf, Bounds) {
    source_of(folder, crs, (west, north), cell, GeoTiffType::F32, GeoTiffCompression::None)
}

fn source_of(
    folder: &Path,
    crs: &str,
    (west, north): (f64, f64),
    cell: f64,
    data_type: GeoTiffType,
    compress: GeoTiffCompression,
) -> (PathBuf, Bounds) {
    let side = 5000;
    let spec = GeoTiffSpec {
        width: side,
        height: side,
        transform: GeoTransform::north_up(west, north, cell, cell),
        crs: crs.into(),
        data_type,
        nodata: Some(-9999.0),
        tiled: Some(256),
        compress,
    };
    let cells: Vec<f32> = (0..side * side).map(|i| height(f64::from(i % side), f64::from(i / side)) as f32).collect();
    let path = folder.join(format!("{}-{data_type:?}-{compress:?}.tif", &crs[5..]));
    write_geotiff(&path, &spec, &cells).expect("the disk has room");
    let raster = GdalRaster::open(&path, None).expect("it was written");
    let footprint = hypso::raster::gdal::source_footprint(raster.info()).expect("it has a place");
    let (x, y) = footprint.parts[0].center();
    let half = footprint.pixel_size * SIDE as f64 / 2.0;
    (path, Bounds::new(x, y, x, y).buffered(half))
}

/// A warped VRT, which GDAL warps as it is read.
fn warped(path: &Path, square: &Bounds) -> PathBuf {
    let out = path.with_extension("vrt");
    let te = [square.min_x, square.min_y, square.max_x, square.max_y].map(|v| format!("{v:.6}"));
    let run = Command::new("gdalwarp")
        .args(["-q", "-overwrite", "-of", "VRT", "-t_srs", "EPSG:3857", "-r", "bilinear", "-te"])
        .args(te)
        .args(["-ts", &SIDE.to_string(), &SIDE.to_string()])
        .args([path, &out])
        .status();
    assert!(run.expect("gdalwarp runs").success());
    out
}

fn by_gdal(vrt: &Path) -> Cells {
    let mut raster = GdalRaster::open(vrt, None).expect("a warped VRT");
    let mut cells = Cells::outside(Window { col: 0, row: 0, width: SIDE, height: SIDE });
    raster.read_into(&mut cells).expect("GDAL warps");
    cells
}

fn by_hypso(
    path: &Path,
    square: &Bounds,
    projector: &GdalProjector,
    mut each: impl FnMut(usize, usize, &ElevationTile),
) {
    let mut raster = GdalRaster::open(path, None).expect("a raster");
    let info = raster.info().clone();
    let mut cells = Cells::outside(Window { col: 0, row: 0, width: 0, height: 0 });
    let mut tile = ElevationTile::empty(TILE);
    let tiles = SIDE / TILE as usize;
    let step = square.width() / tiles as f64;
    for (i, j) in (0..tiles * tiles).map(|n| (n % tiles, n / tiles)) {
        let (west, north) = (square.min_x + i as f64 * step, square.max_y - j as f64 * step);
        let bounds = Bounds::new(west, north - step, west + step, north);
        let map = pixel_map(&bounds, TILE, &info, projector).expect("a map");
        let scale = pixel_scale(&map, TILE, &info);
        let window = source_window(&map, &info, Resampling::Bilinear, scale).expect("inside");
        cells.reset(window);
        raster.read_into(&mut cells).expect("cells");
        tile.valid.fill(0);
        let (values, valid) = (&mut tile.values, &mut tile.valid);
        resample(&map, TILE, &cells, &info, Resampling::Bilinear, scale, values, valid, None);
        each(i, j, &tile);
    }
}

fn warp(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut group = c.benchmark_group("warp 4096 x 4096 bilinear");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    for (crs, west, north, cell) in
        [("EPSG:4326", 138.2, 35.8, 1.0 / 7200.0), ("EPSG:32654", 300_000.0, 3_960_000.0, 10.0)]
    {
        let (path, square) = source(folder.path(), crs, west, north, cell);
        let vrt = warped(&path, &square);
        let projector = GdalProjector::new(crs).expect("a CRS");
        // The same pixels first.
        let theirs = by_gdal(&vrt);
        let mut worst = 0f32;
        by_hypso(&path, &square, &projector, |i, j, tile| {
            for at in 0..(TILE * TILE) as usize {
                let (x, y) = (i * TILE as usize + at % TILE as usize, j * TILE as usize + at / TILE as usize);
                assert_eq!(tile.valid[at], 1);
                worst = worst.max((tile.values[at] - theirs.values[y * SIDE + x]).abs());
            }
        });
        println!("{crs}: at most {worst:.3} m between the two, of cells that differ by up to 10 m");
        group.bench_function(format!("{crs} GDAL"), |b| b.iter(|| black_box(by_gdal(&vrt).values[SIDE])));
        group.bench_function(format!("{crs} hypso"), |b| {
            b.iter(|| by_hypso(&path, &square, &projector, |_, _, tile| assert!(black_box(tile.values[7]) > 0.0)));
        });
    }
    group.finish();
}

/// Windows of 512 cells as heights and states, beside GDALReadBlock, which decodes blocks of the file as they are and does nothing else.
fn read(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut group = c.benchmark_group("read 4096 x 4096 cells");
    group.sample_size(20);
    for (data_type, compress) in [
        (GeoTiffType::F32, GeoTiffCompression::None),
        (GeoTiffType::F32, GeoTiffCompression::Deflate),
        (GeoTiffType::I16, GeoTiffCompression::Deflate),
    ] {
        let (path, _) = source_of(folder.path(), "EPSG:4326", (138.2, 35.8), 1.0 / 7200.0, data_type, compress);
        for (from, windows) in [(0, "512, on blocks"), (100, "514, between blocks")] {
            let side = if from == 0 { 512 } else { 514 };
            let mut cells = Cells::outside(Window { col: 0, row: 0, width: 0, height: 0 });
            group.bench_function(format!("{data_type:?} {compress:?}, hypso, windows of {windows}"), |b| {
                b.iter(|| {
                    let mut raster = GdalRaster::open(&path, None).expect("a raster");
                    for at in 0..64 {
                        let (col, row) = (from + at % 8 * 512, from + at / 8 * 512);
                        cells.reset(Window { col, row, width: side, height: side });
                        raster.read_into(&mut cells).expect("cells");
                        black_box(cells.values[5]);
                    }
                });
            });
        }
        group.bench_function(format!("{data_type:?} {compress:?}, GDALReadBlock"), |b| {
            b.iter(|| {
                let dataset = gdal::Dataset::open(&path).expect("a raster");
                let band = dataset.rasterband(1).expect("a band");
                for at in 0..16 * 16 {
                    let at = (at % 16, at / 16);
                    match data_type {
                        GeoTiffType::F32 => {
                            black_box(f64::from(band.read_block::<f32>(at).expect("a block").data()[5]))
                        }
                        GeoTiffType::I16 => {
                            black_box(f64::from(band.read_block::<i16>(at).expect("a block").data()[5]))
                        }
                    };
                }
            });
        });
    }
    group.finish();
}

fn tile_of(valid: impl Fn(usize) -> bool) -> ElevationTile {
    let mut tile = ElevationTile::empty(TILE);
    for at in (0..(TILE * TILE) as usize).filter(|&at| valid(at)) {
        let (x, y) = (at % TILE as usize, at / TILE as usize);
        (tile.values[at], tile.valid[at]) = (height(x as f64, y as f64) as f32, 1);
    }
    tile
}

fn downsample(c: &mut Criterion) {
    let mut group = c.benchmark_group("mean of 2 x 2, four tiles of 512");
    let speckled = tile_of(|at| (at.wrapping_mul(2_654_435_761) >> 7) % 10 != 0);
    let coast = tile_of(|at| at % 512 < at / 512 + 90);
    for (name, child) in [("full", tile_of(|_| true)), ("with a mask", coast), ("speckled with voids", speckled)] {
        let mut parent = ElevationTile::empty(TILE);
        group.bench_function(format!("{name}, hypso"), |b| {
            b.iter(|| {
                parent.valid.fill(0);
                (0..4).for_each(|quadrant| downsample_into(&mut parent, quadrant, &child));
                black_box(parent.values[9]);
            });
        });
    }
    let child = tile_of(|_| true);
    let (mut values, mut valid) = (child.values.clone(), child.valid.clone());
    group.bench_function("memcpy of the four", |b| {
        b.iter(|| {
            for _ in 0..4 {
                values.copy_from_slice(black_box(&child.values));
                valid.copy_from_slice(black_box(&child.valid));
                black_box((&mut values, &mut valid));
            }
        });
    });
    group.finish();
}

fn decode(c: &mut Criterion) {
    let codec =
        TileCodec { vertical: VerticalResolution::ByZoom, ..TileCodec::new(Encoding::Terrarium, ImageFormat::Webp) };
    let mut tile = tile_of(|_| true);
    codec.quantize(14, &mut tile);
    let bytes = codec.encode(&tile).expect("it encodes");
    let mut group = c.benchmark_group("decode a tile of 512");
    group
        .bench_function("hypso, to heights", |b| b.iter(|| black_box(codec.decode(&bytes).expect("a tile")).values[3]));
    group.bench_function("libwebp, to RGB", |b| {
        b.iter(|| black_box(webp::Decoder::new(&bytes).decode().expect("a tile")).len());
    });
    group.finish();
}

criterion_group!(benches, warp, read, downsample, decode);
criterion_main!(benches);
