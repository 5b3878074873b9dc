//! The program on real elevation data, against what GDAL's own tools say about the same files.
//!
//! A tile's pixel at its native zoom lies between the cells around its centre, as `gdallocationinfo` reads them, give or
//! take half a vertical step: that is what interpolation means, so no tolerance had to be chosen. Where more is asked
//! (no step at the edges of files), the reference is `gdalwarp` of a mosaic that `gdalbuildvrt` made.
#![cfg(all(feature = "cli", feature = "gdal"))]

use crate::common;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use hypso::archive::{self, TileSource};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, NO_SOURCE, TileCodec, VerticalResolution, decode_lineage};
use hypso::tile::{Bounds, TileCoord, web_mercator};

const CODEC: TileCodec = TileCodec {
    encoding: Encoding::Terrarium,
    format: ImageFormat::Webp,
    vertical: VerticalResolution::ByZoom,
    nodata_elevation: 0.0,
    level: hypso::terrain::webp::Level::Default,
    encoder: hypso::terrain::WebpEncoder::Hypso,
};

const SIDE: usize = 512;

/// Where archives go; one folder for the whole file, which stays as long as the test process.
static SCRATCH: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fn scratch(name: &str) -> PathBuf {
    SCRATCH.path().join(name)
}

// ---- running things

/// Runs the program inside `folder`.
fn hypso(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hypso")).current_dir(folder).args(args).output().unwrap()
}

/// Runs the program and expects success.
fn hypso_ok(folder: &Path, args: &[&str]) {
    let run = hypso(folder, args);
    assert!(run.status.success(), "hypso {args:?}: {}", String::from_utf8_lossy(&run.stderr));
}

/// Runs one of GDAL's tools with `input` on stdin; what it wrote to stdout.
fn gdal(tool: &str, args: &[&str], input: &str) -> String {
    let mut child = Command::new(tool)
        .args(args)
        // Statistics are not to be written beside the data.
        .env("GDAL_PAM_ENABLED", "NO")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{tool}: {e}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_string();
    let feed = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let out = child.wait_with_output().unwrap();
    let _ = feed.join();
    assert!(out.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

// ---- the reference

/// The valid cells around a point, and whether all of them are valid.
#[derive(Debug, Clone, Default)]
struct Around {
    cells: Vec<f64>,
    whole: bool,
}

/// What `gdalinfo` says about a raster's band.
fn band(path: &Path, field: &str, options: &[&str]) -> Option<f64> {
    let text = gdal("gdalinfo", &[&["-json", path.to_str().unwrap()], options].concat(), "");
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["bands"][0][field].as_f64()
}

/// A raster as GDAL's tools see it.
struct Reference {
    path: PathBuf,
    nodata: Option<f64>,
}

impl Reference {
    fn of(path: &Path) -> Self {
        Self { path: path.into(), nodata: band(path, "noDataValue", &[]) }
    }

    /// The smallest and the largest of its valid cells.
    fn range(&self) -> (f64, f64) {
        let bound = |field| band(&self.path, field, &["-mm"]).unwrap();
        (bound("computedMin"), bound("computedMax"))
    }

    /// All rasters of a source as one mosaic.
    fn mosaic(name: &str, files: &[PathBuf]) -> Self {
        let path = scratch(&format!("{name}.vrt"));
        let mut args = vec!["-q", "-overwrite", path.to_str().unwrap()];
        args.extend(files.iter().map(|f| f.to_str().unwrap()));
        gdal("gdalbuildvrt", &args, "");
        Self::of(&path)
    }

    /// `gdallocationinfo`'s reports: column, row, and the value, unless the place lies outside.
    fn reports(&self, how: &[&str], input: &str) -> Vec<(i64, i64, Option<f64>)> {
        let mut args = how.to_vec();
        args.push(self.path.to_str().unwrap());
        let text = gdal("gdallocationinfo", &args, input);
        let number = |s: &str| s.trim().parse::<f64>().unwrap();
        text.split("Report:")
            .skip(1)
            .map(|report| {
                let place = report.split_once("Location: (").unwrap().1.split_once("L)").unwrap().0;
                let (column, row) = place.split_once("P,").unwrap();
                let value = report.split_once("Value: ").map(|(_, v)| number(v.lines().next().unwrap()));
                (column.parse().unwrap(), row.parse().unwrap(), value)
            })
            .collect()
    }

    /// The cell under each point (longitude, latitude) and those within `reach` of it.
    fn around(&self, points: &[(f64, f64)], reach: i64) -> Vec<Around> {
        let input: String = points.iter().map(|(lon, lat)| format!("{lon:.12} {lat:.12}\n")).collect();
        let places = self.reports(&["-wgs84"], &input);
        assert_eq!(places.len(), points.len());
        let near = |&(c, r, _): &(i64, i64, _)| {
            (r - reach..=r + reach).flat_map(move |r| (c - reach..=c + reach).map(move |c| format!("{c} {r}\n")))
        };
        let cells = self.reports(&[], &places.iter().flat_map(near).collect::<String>());
        let count = (2 * reach + 1).pow(2) as usize;
        assert_eq!(cells.len(), count * points.len());
        let valid = |v: f64| !v.is_nan() && self.nodata.is_none_or(|n| (v - n).abs() > 1e-6 * n.abs());
        cells
            .chunks(count)
            .map(|cells| {
                let cells: Vec<f64> = cells.iter().filter_map(|c| c.2).filter(|&v| valid(v)).collect();
                Around { whole: cells.len() == count, cells }
            })
            .collect()
    }
}

/// The rasters of a source; where they overlap, a pixel may come from any of them.
struct Source(Vec<Reference>);

impl Source {
    fn around(&self, points: &[(f64, f64)], reach: i64) -> Vec<Around> {
        let mut all = vec![Around::default(); points.len()];
        for raster in &self.0 {
            for (sum, one) in all.iter_mut().zip(raster.around(points, reach)) {
                sum.whole |= one.whole;
                sum.cells.extend(one.cells);
            }
        }
        all
    }
}

fn rasters(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries.filter(|p| p.to_str().unwrap().ends_with(ending)).collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no {ending}", folder.display());
    files
}

// ---- what was made

/// A decoded tile and the priority of the source of each pixel.
struct Tile {
    heights: ElevationTile,
    sources: Vec<u8>,
}

/// An archive and its lineage.
struct Made {
    heights: Box<dyn TileSource>,
    lineage: Option<Box<dyn TileSource>>,
    decoded: Mutex<HashMap<TileCoord, Option<Arc<Tile>>>>,
}

/// A pixel: where it lies, its height and its source.
#[derive(Debug, Clone, Copy)]
struct Pixel {
    tile: TileCoord,
    centre: (f64, f64),
    height: Option<f64>,
    source: u8,
}

impl Made {
    fn open(path: &Path) -> Self {
        let lineage = path.with_file_name(format!("{}-lineage.pmtiles", path.file_stem().unwrap().to_str().unwrap()));
        Self {
            heights: archive::open(path).unwrap(),
            lineage: lineage.exists().then(|| archive::open(&lineage).unwrap()),
            decoded: Mutex::default(),
        }
    }

    fn coords(&self) -> Vec<TileCoord> {
        self.heights.ids().unwrap().map(|id| id.unwrap().coord().unwrap()).collect()
    }

    fn bytes(&self) -> BTreeMap<TileCoord, Vec<u8>> {
        self.coords().into_iter().map(|t| (t, self.heights.tile(t).unwrap().unwrap())).collect()
    }

    fn max_zoom(&self) -> u8 {
        self.heights.metadata().maxzoom.unwrap()
    }

    fn tile(&self, coord: TileCoord) -> Option<Arc<Tile>> {
        let mut decoded = self.decoded.lock().unwrap();
        let make = || {
            let heights = CODEC.decode(&self.heights.tile(coord).unwrap()?).unwrap();
            assert_eq!(heights.size as usize, SIDE);
            let sources = self
                .lineage
                .as_ref()
                .map_or(vec![], |l| decode_lineage(&l.tile(coord).unwrap().expect("lineage of the tile")).unwrap().1);
            Some(Arc::new(Tile { heights, sources }))
        };
        decoded.entry(coord).or_insert_with(make).clone()
    }

    /// The pixel under a point in the deepest tile there.
    fn pixel(&self, (lon, lat): (f64, f64)) -> Option<Pixel> {
        let (x, y) = web_mercator::from_lon_lat(lon, lat);
        let (coord, tile) = (0..=self.max_zoom()).rev().find_map(|z| {
            let coord = TileCoord::at(x, y, z);
            self.tile(coord).map(|t| (coord, t))
        })?;
        let bounds = coord.bounds();
        let pixel = (bounds.max_x - bounds.min_x) / SIDE as f64;
        let (column, row) = (((x - bounds.min_x) / pixel).floor(), ((bounds.max_y - y) / pixel).floor());
        let at = row as usize * SIDE + column as usize;
        let valid = tile.heights.valid[at] == 1;
        Some(Pixel {
            tile: coord,
            centre: centre(coord, at),
            height: valid.then(|| f64::from(tile.heights.values[at])),
            source: tile.sources.get(at).copied().unwrap_or(if valid { 0 } else { NO_SOURCE }),
        })
    }

    /// The pixels under some points, each held against the sources in the order of priority:
    ///
    /// - its height lies between the cells of its source around it, give or take half a vertical step;
    /// - no source of higher priority has data all around it; where it has no height, no source has.
    ///
    /// Returns how many pixels came from each source.
    fn check(&self, sources: &[Source], points: &[(f64, f64)], reach: i64) -> Vec<usize> {
        let pixels: Vec<Pixel> = points.iter().filter_map(|&p| self.pixel(p)).collect();
        let centres: Vec<_> = pixels.iter().map(|p| p.centre).collect();
        let around: Vec<_> = sources.iter().map(|s| s.around(&centres, reach)).collect();
        let mut counts = vec![0; sources.len()];
        for (i, pixel) in pixels.iter().enumerate() {
            let above = match pixel.height {
                Some(height) => {
                    let source = usize::from(pixel.source);
                    assert!(source < sources.len(), "{pixel:?}: a height without a source");
                    counts[source] += 1;
                    let cells = &around[source][i].cells;
                    let slack = CODEC.vertical.step(pixel.tile.z()) / 2.0 + 1e-3;
                    let low = cells.iter().copied().fold(f64::INFINITY, f64::min) - slack;
                    let high = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max) + slack;
                    assert!((low..=high).contains(&height), "{pixel:?}: the source has {cells:?} around it");
                    source
                }
                None => {
                    assert_eq!(pixel.source, NO_SOURCE, "{pixel:?}");
                    sources.len()
                }
            };
            for (better, around) in around[..above].iter().enumerate() {
                assert!(!around[i].whole, "{pixel:?}: source {better} has {:?} around it", around[i].cells);
            }
        }
        counts
    }
}

/// The centre of a pixel, degrees.
fn centre(coord: TileCoord, at: usize) -> (f64, f64) {
    let bounds = coord.bounds();
    let pixel = (bounds.max_x - bounds.min_x) / SIDE as f64;
    let (column, row) = ((at % SIDE) as f64 + 0.5, (at / SIDE) as f64 + 0.5);
    web_mercator::to_lon_lat(bounds.min_x + column * pixel, bounds.max_y - row * pixel)
}

/// `n` x `n` points of a box, off any lattice of the data.
fn grid(west: f64, south: f64, east: f64, north: f64, n: usize) -> Vec<(f64, f64)> {
    let at = |i: usize| (i as f64 + 0.437) / n as f64;
    (0..n * n).map(|i| (west + (east - west) * at(i % n), south + (north - south) * at(i / n))).collect()
}

/// Makes tiles of a set once.
fn made(set: &str, output: &str, args: &[&str]) -> Option<Made> {
    let folder = common::shared("dem")?.join(set);
    let path = scratch(output);
    let mut all = vec!["tiles", "-o", path.to_str().unwrap()];
    all.extend(args);
    hypso_ok(&folder, &all);
    Some(Made::open(&path))
}

// ---- fuji: five sources, 10 m to 900 m

static FUJI: LazyLock<Option<Made>> = LazyLock::new(|| {
    let sources = ["gsi-dem5a/*.tif", "gsi-dem5a-z13", "aster30m", "mapbox76m/*.tif", "srtm30"];
    made("fuji", "fuji.pmtiles", &[&sources[..], &["--lineage"]].concat())
});

fn fuji_sources(dem: &Path) -> Vec<Source> {
    ["gsi-dem5a", "gsi-dem5a-z13", "aster30m", "mapbox76m", "srtm30"]
        .map(|name| Source(vec![Reference::mosaic(name, &rasters(&dem.join("fuji").join(name), ".tif"))]))
        .into()
}

#[test]
fn fuji_has_the_heights_and_sources_it_should_have_everywhere() {
    let (Some(dem), Some(fuji)) = (common::shared("dem"), FUJI.as_ref()) else { return };
    let coords = fuji.coords();
    for z in 0..=14 {
        assert!(coords.iter().any(|t| t.z() == z), "zoom {z} is missing");
    }
    assert_eq!(coords.iter().map(|t| t.z()).max(), Some(14));
    let sources = fuji_sources(&dem);
    // Named places: the source that has to be there, and the zoom of its tiles or of finer ones around.
    let places = [
        ("summit, a hole of z13", (138.7275, 35.3607), 2, 12),
        ("Lake Yamanaka's shore, z13", (139.0, 35.45), 1, 12),
        ("south-western foot, 5 m mesh", (138.506, 35.254), 0, 14),
        ("western foot, mapbox only", (138.58, 35.40), 3, 11),
        ("Mount Kita, srtm30 only", (138.2389, 35.6744), 4, 8),
        ("Kiso mountains, srtm30 only", (137.6, 35.8), 4, 7),
    ];
    for (name, point, source, zoom) in places {
        let pixel = fuji.pixel(point).unwrap_or_else(|| panic!("{name}: no tile"));
        assert_eq!((pixel.source, pixel.tile.z()), (source, zoom), "{name}: {pixel:?}");
        let counts = fuji.check(&sources, &[point], 1);
        assert_eq!(counts[usize::from(source)], 1, "{name}");
    }
    let summit = fuji.pixel((138.7275, 35.3607)).unwrap().height.unwrap();
    assert!((summit - 3757.0).abs() < 25.0, "the summit is {summit} m high");

    // Everything, the middle with the holes, and the mesh.
    let mut points = grid(137.44, 34.46, 139.94, 36.96, 24);
    points.extend(grid(138.5, 35.17, 139.22, 35.54, 40));
    points.extend(grid(138.49, 35.245, 138.52, 35.265, 24));
    let counts = fuji.check(&sources, &points, 1);
    println!("fuji: {counts:?} pixels by source");
    assert!(counts.iter().all(|&n| n >= 50), "{counts:?}");
}

#[test]
fn a_parent_is_the_mean_of_its_children_as_encoded() {
    let Some(fuji) = FUJI.as_ref() else { return };
    let mut compared = 0;
    for parent in fuji.coords().into_iter().filter(|t| t.z() < fuji.max_zoom()) {
        let tile = fuji.tile(parent).unwrap();
        let step = CODEC.vertical.step(parent.z());
        for (quadrant, child) in parent.children().into_iter().flatten().enumerate() {
            let Some(child) = fuji.tile(child) else { continue };
            for at in 0..SIDE * SIDE / 4 {
                let (x, y) = (at % (SIDE / 2), at / (SIDE / 2));
                let block = [0, 1, SIDE, SIDE + 1].map(|d| 2 * y * SIDE + 2 * x + d);
                let known: Vec<_> = block.into_iter().filter(|&b| child.heights.valid[b] == 1).collect();
                let here = (y + (quadrant >> 1) * SIDE / 2) * SIDE + x + (quadrant & 1) * SIDE / 2;
                assert_eq!(tile.heights.valid[here] == 1, !known.is_empty(), "{parent} pixel {here}");
                if !known.is_empty() {
                    let sum: f64 = known.iter().map(|&b| f64::from(child.heights.values[b])).sum();
                    let mean = (sum / known.len() as f64 / step).round() * step;
                    assert_eq!(f64::from(tile.heights.values[here]), mean, "{parent} pixel {here}");
                    let sources: Vec<u8> = known.iter().map(|&b| child.sources[b]).collect();
                    assert!(sources.contains(&tile.sources[here]), "{parent} pixel {here}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1_000_000, "{compared}");
}

// ---- holes, overlaps, edges

#[test]
fn holes_are_filled_by_the_next_source() {
    let Some(dem) = common::shared("dem") else { return };
    let folder = dem.join("ventoux");
    let args = ["srtm3-holed", "srtm3", "srtm3-utm31", "--min-zoom", "10", "--lineage"];
    let Some(all) = made("ventoux", "ventoux.pmtiles", &args) else { return };
    let sources: Vec<_> = ["srtm3-holed/N44E005_big_hole.tif", "srtm3/N44E005.hgt", "srtm3-utm31/N44E005_UTM.tif"]
        .map(|f| Source(vec![Reference::of(&folder.join(f))]))
        .into();
    let counts = all.check(&sources, &grid(4.95, 43.95, 6.06, 45.03, 56), 1);
    println!("ventoux: {counts:?} pixels by source");
    assert!(counts[0] > 1000 && counts[1] > 500, "{counts:?}");
    // Holed and whole hold the same cells, and the hole must be exactly what srtm3 alone gives. The holed file was written
    // with a coarser number for its cell's size, up to 0.007 cells aside: elsewhere a height may fall into the next step.
    let Some(whole) = made("ventoux", "ventoux-srtm3.pmtiles", &["srtm3", "--min-zoom", "10"]) else { return };
    let (mut filled, mut own, mut different) = (0, 0, 0);
    let mut apart = Vec::new();
    for coord in whole.coords() {
        let (a, b) = (all.tile(coord).unwrap(), whole.tile(coord).unwrap());
        // Beside a hole the kernel has fewer cells, so that the heights may differ there and nowhere else.
        let own_cells: Vec<f32> = a.sources.iter().map(|&s| if s == 0 { 0.0 } else { f32::NAN }).collect();
        for (at, clear) in inside(&own_cells, 3).into_iter().enumerate() {
            let difference = f64::from(a.heights.values[at] - b.heights.values[at]).abs();
            match a.sources[at] {
                1 => {
                    assert!(difference == 0.0 && b.heights.valid[at] == 1, "{coord} pixel {at}");
                    filled += 1;
                }
                0 if b.heights.valid[at] == 1 && clear => {
                    if difference > CODEC.vertical.step(coord.z()) {
                        apart.push(centre(coord, at));
                    }
                    own += 1;
                    different += u32::from(difference > 0.0);
                }
                _ => {}
            }
        }
    }
    println!("ventoux: {filled} pixels filled; {different} of {own} others a step aside, {} more", apart.len());
    // A hole of one cell may take weight from a pixel and yet from none the half.
    assert!(apart.len() < 2000, "{}", apart.len());
    for (place, around) in apart.iter().zip(sources[0].around(&apart, 1)) {
        assert!(!around.whole, "{place:?} is amid {:?}", around.cells);
    }
    assert!(filled > 100_000 && own > 1_000_000 && different * 20 < own, "{filled}, {different} of {own}");
}

#[test]
fn sources_in_different_coordinates_overlap() {
    let Some(dem) = common::shared("dem") else { return };
    let folder = dem.join("oetztal");
    let source = |name: &str| Source(rasters(&folder.join(name), ".tif").iter().map(|f| Reference::of(f)).collect());
    for (output, order) in
        [("oetztal.pmtiles", ["srtm3", "vinschgau250m"]), ("vinschgau.pmtiles", ["vinschgau250m", "srtm3"])]
    {
        let Some(made) = made("oetztal", output, &[order[0], order[1], "--lineage", "--min-zoom", "8"]) else { return };
        assert_eq!(made.max_zoom(), 10);
        let counts = made.check(&order.map(source), &grid(10.27, 46.43, 11.12, 47.03, 56), 1);
        println!("{order:?}: {counts:?} pixels by source");
        assert!(counts[0] > 800 && counts[1] > 400, "{counts:?}");
    }
}

/// A mosaic warped by GDAL to one tile; NaN where it has no data.
fn warped(mosaic: &Path, coord: TileCoord) -> Vec<f32> {
    let out =
        scratch(&format!("{}-{}-{}-{}.raw", mosaic.file_stem().unwrap().display(), coord.z(), coord.x(), coord.y()));
    let Bounds { min_x, min_y, max_x, max_y } = coord.bounds();
    let box_ = [min_x, min_y, max_x, max_y].map(|v| format!("{v:.17}"));
    let mut args = vec!["-q", "-of", "ENVI", "-ot", "Float32", "-t_srs", "EPSG:3857", "-r", "bilinear", "-et", "0"];
    args.extend(["-dstnodata", "nan", "-ts", "512", "512", "-te"]);
    args.extend(box_.iter().map(String::as_str));
    args.extend([mosaic.to_str().unwrap(), out.to_str().unwrap()]);
    gdal("gdalwarp", &args, "");
    let bytes = std::fs::read(out).unwrap();
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// True where all pixels within `reach` are valid (or beyond the tile).
fn inside(values: &[f32], reach: usize) -> Vec<bool> {
    let along = |from: &[bool], step: usize, position: fn(usize) -> usize| -> Vec<bool> {
        let near = |at: usize, d: isize| {
            let p = position(at) as isize + d;
            if (0..SIDE as isize).contains(&p) { from[(at as isize + d * step as isize) as usize] } else { true }
        };
        let reach = reach as isize;
        (0..SIDE * SIDE).map(|at| (-reach..=reach).all(|d| near(at, d))).collect()
    };
    let valid: Vec<bool> = values.iter().map(|v| !v.is_nan()).collect();
    along(&along(&valid, 1, |at| at % SIDE), SIDE, |at| at / SIDE)
}

/// A line along which files abut, in degrees.
type Seam = [(f64, f64); 2];

/// Tiles of a source of several files, against the mosaic of the files warped by GDAL; along the seams too.
fn check_seams(set: &str, source: &str, zoom: u8, seams: &[Seam]) {
    let Some(dem) = common::shared("dem") else { return };
    let name = format!("{set}.pmtiles");
    let min = zoom.to_string();
    let Some(made) =
        made(set, &name, &[&format!("{source}/*.tif"), "--vertical-resolution", "full", "--min-zoom", &min])
    else {
        return;
    };
    assert_eq!(made.max_zoom(), zoom);
    let mosaic = Reference::mosaic(source, &rasters(&dem.join(set).join(source), ".tif"));
    let pixel = web_mercator::resolution(zoom, SIDE as u32);
    let (mut compared, mut worst, mut on_seam) = (0usize, 0f32, vec![0usize; seams.len()]);
    for coord in made.coords() {
        let tile = made.tile(coord).unwrap();
        let theirs = warped(&mosaic.path, coord);
        // A kernel of a cell each side, cells up to two pixels wide.
        let inside = inside(&theirs, 5);
        let corner = coord.bounds();
        let mut near = vec![0u8; SIDE * SIDE];
        for (i, [from, to]) in seams.iter().enumerate() {
            let (a, b) = (web_mercator::from_lon_lat(from.0, from.1), web_mercator::from_lon_lat(to.0, to.1));
            for t in 0..=4000 {
                let t = f64::from(t) / 4000.0;
                let column = ((a.0 + (b.0 - a.0) * t - corner.min_x) / pixel).floor() as i64;
                let row = ((corner.max_y - a.1 - (b.1 - a.1) * t) / pixel).floor() as i64;
                for (c, r) in (-2..=2).flat_map(|d| [(column + d, row), (column, row + d)]) {
                    if (0..SIDE as i64).contains(&c) && (0..SIDE as i64).contains(&r) {
                        near[r as usize * SIDE + c as usize] |= 1 << i;
                    }
                }
            }
        }
        for at in 0..SIDE * SIDE {
            if inside[at] {
                assert_eq!(tile.heights.valid[at], 1, "{coord} pixel {at}");
                let difference = (tile.heights.values[at] - theirs[at]).abs();
                assert!(difference <= 0.02, "{coord} pixel {at}: {} and {}", tile.heights.values[at], theirs[at]);
                worst = worst.max(difference);
                compared += 1;
                on_seam.iter_mut().enumerate().for_each(|(i, n)| *n += usize::from(near[at] >> i & 1));
            } else if theirs[at].is_nan() && tile.heights.valid[at] == 0 {
                assert_eq!(tile.heights.values[at], 0.0);
            }
        }
    }
    println!("{set}: {compared} pixels, {on_seam:?} on seams, at most {worst} m from gdalwarp");
    assert!(compared > 20_000 && on_seam.iter().all(|&n| n > 200), "{compared}, {on_seam:?}");
}

#[test]
fn no_step_where_four_pieces_abut() {
    let (lon, lat) = (-118.000_138_9, 34.000_138_9);
    check_seams("los-angeles", "glo30", 12, &[[(lon, 33.948), (lon, 34.052)], [(-118.052, lat), (-117.948, lat)]]);
}

#[test]
fn no_step_between_strips_in_utm() {
    check_seams(
        "logan",
        "usgs100m",
        10,
        &[
            [(-111.8126, 41.9996), (-111.4636, 42.0016)],
            [(-111.8111, 41.8880), (-111.4628, 41.8899)],
            [(-111.8097, 41.7763), (-111.4620, 41.7782)],
        ],
    );
}

#[test]
fn no_step_between_meshes_of_an_island() {
    check_seams(
        "taketomi",
        "gsi-dem5b",
        14,
        &[
            [(124.0875, 24.31), (124.0875, 24.333)],
            [(124.076, 24.316_667), (124.111, 24.316_667)],
            [(124.076, 24.325), (124.111, 24.325)],
        ],
    );
}

#[test]
fn the_sea_is_opaque_and_0_m_and_a_single_cell_survives() {
    let Some(dem) = common::shared("dem") else { return };
    let args = ["gsi-dem5b/*.tif", "--lineage", "--min-zoom", "13"];
    let Some(island) = made("taketomi", "taketomi-lineage-too.pmtiles", &args) else { return };
    let files = rasters(&dem.join("taketomi/gsi-dem5b"), ".tif");
    let sources = [Source(vec![Reference::mosaic("taketomi-mosaic", &files)])];
    let counts = island.check(&sources, &grid(124.07, 24.30, 124.115, 24.34, 60), 1);
    assert!(counts[0] > 800, "{counts:?}");
    let mut sea = 0;
    for (coord, bytes) in island.bytes() {
        let mut image = image_webp::WebPDecoder::new(std::io::Cursor::new(bytes)).unwrap();
        assert!(!image.has_alpha(), "{coord} has transparent pixels");
        let mut rgb = vec![0; SIDE * SIDE * 3];
        image.read_image(&mut rgb).unwrap();
        let tile = island.tile(coord).unwrap();
        for (pixel, valid) in rgb.chunks_exact(3).zip(&tile.heights.valid) {
            if *valid == 0 {
                assert_eq!(pixel, [128, 0, 0], "{coord}");
                sea += 1;
            }
        }
    }
    assert!(sea > 100_000, "{sea}");
    // Column 1, row 94 of mesh 98 is its only cell.
    let cell = (124.1 + 1.5 * 0.2 / 3600.0, 24.333_333_333 - 94.5 * 0.2 / 3600.0);
    let pixel = island.pixel(cell).expect("a tile around the cell");
    assert_eq!((pixel.height, pixel.source), (Some(0.0), 0), "{pixel:?}");
}

// ---- what is left out changes nothing

/// The 5 m mesh, three of the files with holes, and the coarse sources: zooms 0 to 14 in few tiles.
fn small_store() -> Option<PathBuf> {
    static STORE: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let folder = common::shared("dem")?.join("fuji");
        let store = scratch("small.hypso");
        let sources = ["gsi-dem5a/*.tif", "gsi-dem5a-z13/12_3626_*.tif", "aster30m", "mapbox76m/*.tif", "srtm30"];
        hypso_ok(&folder, &[&["build", "-o", store.to_str().unwrap()], &sources[..]].concat());
        Some(store)
    });
    STORE.clone()
}

/// The tiles of a run on the small store.
fn run(output: &str, args: &[&str]) -> BTreeMap<TileCoord, Vec<u8>> {
    let store = small_store().unwrap();
    hypso_ok(SCRATCH.path(), &[&["aggregate", store.to_str().unwrap(), "-o", output], args].concat());
    Made::open(&scratch(output)).bytes()
}

static SMALL: LazyLock<BTreeMap<TileCoord, Vec<u8>>> = LazyLock::new(|| run("small.pmtiles", &[]));

/// Asserts that a run's tiles are those of the whole run that `wanted` holds for, byte by byte.
fn assert_part(what: &str, part: &BTreeMap<TileCoord, Vec<u8>>, wanted: impl Fn(TileCoord) -> bool) {
    let expected: BTreeMap<_, _> = SMALL.iter().filter(|(t, _)| wanted(**t)).collect();
    assert!(!expected.is_empty());
    let keys = |m: &mut dyn Iterator<Item = &TileCoord>| m.map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(keys(&mut part.keys()), keys(&mut expected.keys().copied()), "{what}");
    for (coord, bytes) in part {
        assert!(bytes == expected[coord], "{what}: {coord} differs");
    }
}

#[test]
fn boxes_and_zoom_limits_change_no_pixel() {
    if small_store().is_none() {
        return;
    }
    let all = SMALL.keys().map(|t| t.z()).max();
    assert_eq!(all, Some(14));
    // Cuts through tiles of every source; and a corner where tiles beside the box hold other sources.
    for (i, [w, s, e, n]) in [[138.72, 35.27, 138.80, 35.37], [138.495, 35.252, 138.505, 35.26]].into_iter().enumerate()
    {
        let wanted = Bounds::from_lon_lat(w, s, e, n);
        let values = [w, s, e, n].map(|v| v.to_string());
        let args: Vec<&str> = std::iter::once("--bbox").chain(values.iter().map(String::as_str)).collect();
        let part = run(&format!("box-{i}.pmtiles"), &args);
        let shares = |b: Bounds| {
            b.min_x < wanted.max_x && b.max_x > wanted.min_x && b.min_y < wanted.max_y && b.max_y > wanted.min_y
        };
        assert_part("--bbox", &part, |t| shares(t.bounds()));
    }
    assert_part("--max-zoom 10", &run("max.pmtiles", &["--max-zoom", "10"]), |t| t.z() <= 10);
    assert_part("--min-zoom 9", &run("min.mbtiles", &["--min-zoom", "9"]), |t| t.z() >= 9);
}

#[test]
fn splits_change_no_pixel() {
    let Some(store) = small_store() else { return };
    for pattern in ["single", "incremental", "0-4,5-11,12-13,14"] {
        let part = run(&format!("split-{}.pmtiles", pattern.len()), &["--split", pattern]);
        assert_part(pattern, &part, |_| true);
    }
    let zoom = |min: &str, max: &str, output: &str, more: &[&str]| {
        let args = ["aggregate-zoom", min, max, store.to_str().unwrap(), "-o", output];
        hypso_ok(SCRATCH.path(), &[&args, more].concat());
        Made::open(&scratch(output)).bytes()
    };
    assert_part("11-14", &zoom("11", "14", "fine.mbtiles", &[]), |t| t.z() >= 11);
    let with = zoom("0", "10", "with.pmtiles", &["--finer", "fine.mbtiles"]);
    assert_part("0-10 with --finer", &with, |t| t.z() <= 10);
    let without = zoom("8", "10", "without.mbtiles", &[]);
    assert_part("8-10 without --finer", &without, |t| (8..=10).contains(&t.z()));
}

// ---- formats

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
