//! Rasters to lossless WebP tiles at their native zoom, CPU time a tile on one thread: our rendering, as a worker does it, beside GDAL's
//! warper called for each tile and libwebp.
//!
//! ```sh
//! cargo bench --bench tiles                                    # made-up heights in degrees and in UTM
//! HYPSO_BENCH_RASTERS=path/to/rasters cargo bench --bench tiles   # a folder of rasters of one CRS
//! ```
//!
//! The peers open one dataset (a VRT of all files) once: one warps with `GDALReprojectImage`, as the crate `gdal` offers it, which is
//! exact; the other reads each tile from a warped VRT, GDAL's fast way, up to 1/8 pixel off. Both round and encode heights by
//! our code, and pixels by libwebp, method 4, quality 75. Results: `RESULTS.md`.

#![allow(missing_docs, reason = "a program")]

#[path = "common/terrain.rs"]
mod terrain;

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use gdal::raster::reproject;
use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, DriverManager};
use hypso::catalog::{self, SourceSpec};
use hypso::plan::{Pattern, Plan, PlanOptions};
use hypso::progress::Silent;
use hypso::raster::GeoTransform;
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};
use hypso::render::{GdalOpener, Made, NoFinerTiles, RenderOptions, Renderer};
use hypso::store::{Builder, Parameters, Store};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec, VerticalResolution, WebpEncoder};
use hypso::tile::TileCoord;

const TILE: u32 = 512;
const ROUNDS: usize = 3;
const CODEC: TileCodec =
    TileCodec { vertical: VerticalResolution::ByZoom, ..TileCodec::new(Encoding::Terrarium, ImageFormat::Webp) };
const BY_LIBWEBP: TileCodec = TileCodec { encoder: WebpEncoder::Libwebp, ..CODEC };

/// Seconds that this thread was on a processor.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    text.split(' ').next().and_then(|t| t.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

/// The least time of some rounds, milliseconds for each of `tiles`.
fn least<T>(tiles: usize, mut work: impl FnMut() -> T) -> (f64, T) {
    let mut best = f64::INFINITY;
    let mut made = None;
    for _ in 0..ROUNDS {
        let started = cpu();
        made = Some(work());
        best = best.min(cpu() - started);
    }
    (best * 1e3 / tiles as f64, made.expect("rounds"))
}

/// A deflated raster of 3000 x 3000 cells.
fn made_up(folder: &Path, crs: &str, west: f64, north: f64, cell: f64) {
    let side = 3000;
    let spec = GeoTiffSpec {
        width: side,
        height: side,
        transform: GeoTransform::north_up(west, north, cell, cell),
        crs: crs.into(),
        data_type: GeoTiffType::F32,
        nodata: Some(-9999.0),
        tiled: Some(256),
        compress: GeoTiffCompression::Deflate,
    };
    // In steps of a decimetre, as surveys publish them.
    let at = |i: u32| (terrain::height(f64::from(i % side), f64::from(i / side)) * 10.0).round() / 10.0;
    let cells: Vec<f32> = (0..side * side).map(|i| at(i) as f32).collect();
    write_geotiff(folder.join("a.tif"), &spec, &cells).expect("the disk has room");
}

fn store_of(folder: &Path) -> Store {
    let spec = SourceSpec::parse(folder.to_str().expect("a name in UTF-8")).expect("a folder");
    hypso::raster::read_by(&hypso::render::GdalOpener);
    let options = catalog::Options::default();
    let survey = catalog::Survey::new(&[spec], &options, &Silent).expect("rasters");
    let (sources, parameters) =
        (survey.sources.clone(), Parameters { tile_size: TILE, metadata: catalog::notes(&survey) });
    let mut builder = Builder::new(&sources, &parameters).expect("a builder");
    survey.each_record(&options, None, &Silent, &mut |record| builder.add(&record)).expect("records");
    Store::from_bytes(builder.finish(Cursor::new(Vec::new())).expect("memory").into_inner()).expect("a store")
}

/// All tiles of the native zoom, as a worker makes them.
fn ours(store: &Store, zoom: u8) -> Vec<Made> {
    let options =
        PlanOptions { min_zoom: Some(zoom), max_zoom: Some(zoom), pattern: Pattern::Single, ..PlanOptions::default() };
    let plan = Plan::new(store, &options).expect("a plan");
    let mut options = RenderOptions::default();
    (options.codec, options.extent) = (CODEC, plan.extent.clone());
    let mut renderer = Renderer::new(store, &options, &GdalOpener).expect("options");
    let mut out = Vec::new();
    for unit in plan.groups.iter().flat_map(|g| &g.steps).flat_map(|s| &s.units) {
        let mut keep = |made| {
            out.push(made);
            Ok(())
        };
        renderer.unit(unit, &NoFinerTiles, &mut keep).expect("tiles");
    }
    out
}

fn tool(name: &str, args: &[&str]) {
    let run = Command::new(name).args(args).status().expect("GDAL's programs are installed");
    assert!(run.success(), "{name} {args:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a name in UTF-8")
}

/// A VRT of all rasters of a folder, and one that warps it onto the pixels of the zoom, from the north-west corner of `first` on.
fn mosaics(work: &Path, folder: &Path, tiles: &[TileCoord]) -> (PathBuf, PathBuf, TileCoord) {
    let (mosaic, warped) = (work.join("mosaic.vrt"), work.join("warped.vrt"));
    let mut files: Vec<String> = walk(folder);
    files.sort();
    std::fs::write(work.join("files.txt"), files.join("\n")).expect("a list");
    tool("gdalbuildvrt", &["-q", "-overwrite", "-input_file_list", text(&work.join("files.txt")), text(&mosaic)]);
    let low = |of: fn(TileCoord) -> u32| tiles.iter().copied().map(of).min().expect("tiles");
    let high = |of: fn(TileCoord) -> u32| tiles.iter().copied().map(of).max().expect("tiles");
    let first = TileCoord::new(tiles[0].z(), low(TileCoord::x), low(TileCoord::y)).expect("a tile");
    let last = TileCoord::new(tiles[0].z(), high(TileCoord::x), high(TileCoord::y)).expect("a tile");
    let bounds = first.bounds().union(&last.bounds());
    let te = [bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y].map(|v| format!("{v:.9}"));
    let size = [last.x() - first.x() + 1, last.y() - first.y() + 1].map(|n| (n * TILE).to_string());
    let mut args =
        vec!["-q", "-overwrite", "-of", "VRT", "-t_srs", "EPSG:3857", "-r", "bilinear", "-dstnodata", "-9999", "-te"];
    args.extend(te.iter().map(String::as_str));
    args.extend([
        "-ts",
        &size[0],
        &size[1],
        "-co",
        "BLOCKXSIZE=512",
        "-co",
        "BLOCKYSIZE=512",
        text(&mosaic),
        text(&warped),
    ]);
    tool("gdalwarp", &args);
    (mosaic, warped, first)
}

fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        } else if matches!(entry.path().extension().and_then(|e| e.to_str()), Some("tif" | "hgt")) {
            found.push(text(&entry.path().canonicalize().expect("a file")).to_string());
        }
    }
    found
}

/// Heights that GDAL made as a file; nothing where there are none.
fn finish(zoom: u8, cells: &[f32]) -> Option<Vec<u8>> {
    let mut tile = ElevationTile::empty(TILE);
    for ((value, valid), &cell) in tile.values.iter_mut().zip(&mut tile.valid).zip(cells) {
        if cell != -9999.0 {
            (*value, *valid) = (cell, 1);
        }
    }
    if tile.is_empty() {
        return None;
    }
    BY_LIBWEBP.quantize(zoom, &mut tile);
    Some(BY_LIBWEBP.encode(&tile).expect("it encodes"))
}

fn by_reproject(mosaic: &Path, tiles: &[TileCoord]) -> Vec<Option<Vec<u8>>> {
    let source = Dataset::open(mosaic).expect("a mosaic");
    let driver = DriverManager::get_driver_by_name("MEM").expect("GDAL has it");
    let crs = SpatialRef::from_epsg(3857).expect("PROJ knows it");
    let side = TILE as usize;
    let warp = |tile: &TileCoord| {
        let mut out = driver.create_with_band_type::<f32, _>("", side, side, 1).expect("memory");
        let (bounds, step) = (tile.bounds(), tile.bounds().width() / f64::from(TILE));
        out.set_geo_transform(&[bounds.min_x, step, 0.0, bounds.max_y, 0.0, -step]).expect("a transform");
        out.set_spatial_ref(&crs).expect("a CRS");
        let mut band = out.rasterband(1).expect("a band");
        band.set_no_data_value(Some(-9999.0)).expect("nodata");
        band.fill(-9999.0, None).expect("memory");
        reproject(&source, &out).expect("GDAL warps");
        let cells = out.rasterband(1).expect("a band").read_as::<f32>((0, 0), (side, side), (side, side), None);
        finish(tile.z(), cells.expect("cells").data())
    };
    tiles.iter().map(warp).collect()
}

fn by_warped_vrt(warped: &Path, first: TileCoord, tiles: &[TileCoord]) -> Vec<Option<Vec<u8>>> {
    let dataset = Dataset::open(warped).expect("a warped VRT");
    let side = TILE as usize;
    let read = |tile: &TileCoord| {
        let at = (((tile.x() - first.x()) * TILE) as isize, ((tile.y() - first.y()) * TILE) as isize);
        let cells = dataset.rasterband(1).expect("a band").read_as::<f32>(at, (side, side), (side, side), None);
        finish(tile.z(), cells.expect("GDAL warps").data())
    };
    tiles.iter().map(read).collect()
}

/// How far the heights of two files of tiles are apart, in the mean, where both have one; metres.
fn apart(made: &[Made], theirs: &[Option<Vec<u8>>]) -> f64 {
    let (mut sum, mut count) = (0.0, 0usize);
    for (mine, theirs) in made.iter().zip(theirs) {
        let Some(theirs) = theirs else { continue };
        let (a, b) = (CODEC.decode(&mine.bytes).expect("a tile"), CODEC.decode(theirs).expect("a tile"));
        for at in (0..a.values.len()).filter(|&at| a.valid[at] == 1 && b.valid[at] == 1) {
            sum += f64::from((a.values[at] - b.values[at]).abs());
            count += 1;
        }
    }
    sum / count.max(1) as f64
}

fn compare(name: &str, folder: &Path, work: &Path) {
    let store = store_of(folder);
    let zoom = store.records().native_zoom.iter().copied().max().expect("records");
    let tiles: Vec<TileCoord> = ours(&store, zoom).iter().map(|made| made.tile).collect();
    let (mosaic, warped, first) = mosaics(work, folder, &tiles);
    let size = |files: &[Option<Vec<u8>>]| files.iter().flatten().map(Vec::len).sum::<usize>() / 1000;
    let (mine, made) = least(tiles.len(), || ours(&store, zoom));
    let bytes: usize = made.iter().map(|m| m.bytes.len()).sum();
    println!("{name}: {} tiles of zoom {zoom}, CPU milliseconds a tile, the least of {ROUNDS} rounds", tiles.len());
    println!("| hypso | {mine:.1} | {} kB |", bytes / 1000);
    let (theirs, files) = least(tiles.len(), || by_reproject(&mosaic, &tiles));
    let off = apart(&made, &files);
    println!(
        "| GDALReprojectImage, libwebp m4 | {theirs:.1} | {} kB | {:.1}x | {off:.3} m apart |",
        size(&files),
        theirs / mine
    );
    let (theirs, files) = least(tiles.len(), || by_warped_vrt(&warped, first, &tiles));
    let off = apart(&made, &files);
    println!(
        "| warped VRT, libwebp m4 | {theirs:.1} | {} kB | {:.1}x | {off:.3} m apart |",
        size(&files),
        theirs / mine
    );
}

fn main() {
    let work = tempfile::tempdir().expect("a temporary folder");
    if let Some(folder) = std::env::var_os("HYPSO_BENCH_RASTERS") {
        compare(&folder.to_string_lossy(), Path::new(&folder), work.path());
        return;
    }
    for (name, crs, west, north, cell) in
        [("degrees", "EPSG:4326", 138.2, 35.8, 1.0 / 7200.0), ("UTM", "EPSG:32654", 300_000.0, 3_960_000.0, 10.0)]
    {
        let folder = work.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        made_up(&folder, crs, west, north, cell);
        compare(name, &folder, work.path());
    }
}
