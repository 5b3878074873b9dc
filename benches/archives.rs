//! One tile out of an archive, and a whole archive verified, each beside its peer on the same tiles in the same run.
//!
//! ```sh
//! cargo bench --bench archives
//! ```
//!
//! - A random tile of a warm PMTiles of 200,000 tiles: `TileReader`, and the `pmtiles` crate over its map, with every directory decoded
//!   anew (its default) and with its cache of directories.
//! - `hypso verify` of an archive of lossless WebP tiles, all of them decoded, in CPU seconds of the process: beside libwebp's decoder
//!   alone, and image-webp's, which is what hypso decodes with.
//! - Tiles that `hypso overviews` and `hypso overzoom` make, each in CPU seconds: beside `hypso convert`, which decodes and encodes each tile once.
//!
//! `cargo bench --bench archives -- made` measures the last alone. The best of five rounds in turns. All data are made here.

#![allow(missing_docs, reason = "a program")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Cursor;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hypso::archive::pmtiles::TileReader;
use hypso::archive::{self, ArchiveMetadata, TileFormat};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec};
use hypso::tile::{TileCoord, TileId};

#[path = "../examples/common/random.rs"]
mod random;
use random::Random;

const ROUNDS: usize = 5;
/// Random tiles a round.
const LOOKS: usize = 200_000;
/// Tiles of the archive that is verified: zooms 0 to 4.
const VERIFIED: u64 = 341;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if std::env::args().any(|argument| argument == "made") {
        return made(folder.path());
    }
    random_tiles(&folder.path().join("many.pmtiles"));
    verify(&folder.path().join("terrain.pmtiles"));
    made(folder.path());
}

/// The shortest time of each, in turns.
fn best<const N: usize>(mut works: [&mut dyn FnMut() -> Duration; N]) -> [Duration; N] {
    let mut best = [Duration::MAX; N];
    for _ in 0..ROUNDS {
        for (best, work) in best.iter_mut().zip(&mut works) {
            *best = (*best).min(work());
        }
    }
    best
}

fn random_tiles(path: &Path) {
    let mut random = Random(3);
    let metadata = ArchiveMetadata { name: "many".into(), format: TileFormat::Webp, ..ArchiveMetadata::default() };
    let mut sink = archive::create(path, &metadata, false).expect("an archive");
    let first = TileId::first(10).0;
    for id in first..first + 200_000 {
        let body: Vec<u8> = (0..25 + random.next() % 100).flat_map(|_| random.next().to_le_bytes()).collect();
        sink.put(TileId(id).coord().expect("a tile"), &body).expect("a tile is written");
    }
    sink.finish().expect("an archive");
    let tiles: Vec<TileCoord> = (0..LOOKS).filter_map(|_| TileId(first + random.next() % 200_000).coord()).collect();

    let ours = TileReader::open(path).expect("an archive");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let plain = runtime.block_on(pmtiles::AsyncPmTilesReader::new_with_path(path)).expect("an archive");
    let cache = pmtiles::HashMapCache::default();
    let cached = runtime.block_on(pmtiles::AsyncPmTilesReader::new_with_cached_path(cache, path)).expect("an archive");
    let theirs = |tile: TileCoord| pmtiles::TileCoord::new(tile.z(), tile.x(), tile.y()).expect("a tile");
    let mut sum = 0usize;
    // Each tile's first byte is read, so that its page is touched.
    let mut hypso = || {
        let started = Instant::now();
        for &tile in &tiles {
            sum += ours.tile(tile).expect("readable").map_or(0, |bytes| usize::from(bytes[0]) + bytes.len());
        }
        started.elapsed()
    };
    // Decoding a leaf for each tile takes long: fewer of them.
    const FEWER: usize = 100;
    let mut sums = [0usize; 2];
    let [of_plain, of_cached] = &mut sums;
    let mut uncached = || {
        let started = Instant::now();
        runtime.block_on(async {
            for &tile in tiles.iter().step_by(FEWER) {
                let bytes = plain.get_tile(theirs(tile)).await.expect("readable");
                *of_plain += bytes.map_or(0, |bytes| usize::from(bytes[0]) + bytes.len());
            }
        });
        started.elapsed() * FEWER as u32
    };
    let mut with_cache = || {
        let started = Instant::now();
        runtime.block_on(async {
            for &tile in &tiles {
                let bytes = cached.get_tile(theirs(tile)).await.expect("readable");
                *of_cached += bytes.map_or(0, |bytes| usize::from(bytes[0]) + bytes.len());
            }
        });
        started.elapsed()
    };
    let times = best([&mut hypso, &mut with_cache, &mut uncached]);
    assert_eq!(sum, sums[1], "both read the same");
    let ns = times.map(|time| time.as_secs_f64() * 1e9 / LOOKS as f64);
    println!("random tile of a warm PMTiles, 200,000 tiles, one thread");
    for (name, ns_of) in ["TileReader", "pmtiles crate, its cache", "pmtiles crate, default"].iter().zip(ns) {
        println!("  {name:28} {ns_of:10.0} ns   {:7.2} x", ns_of / ns[0]);
    }
}

/// CPU time of this process, or of its children that ended: Linux tells in hundredths of a second.
fn cpu(of_children: bool) -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> =
        stat.rsplit(')').next().unwrap_or("").split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let at = if of_children { 13 } else { 11 };
    Duration::from_millis(10 * fields.get(at..at + 2).map_or(0, |ticks| ticks.iter().sum()))
}

/// An archive of hills, and its tiles.
fn terrain(path: &Path, ids: Range<u64>) -> BTreeMap<TileId, Vec<u8>> {
    let codec = TileCodec::new(Encoding::Terrarium, ImageFormat::Webp);
    let metadata = ArchiveMetadata {
        name: "terrain".into(),
        format: TileFormat::Webp,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(512),
        ..ArchiveMetadata::default()
    };
    let tiles: BTreeMap<TileId, Vec<u8>> =
        ids.map(|id| (TileId(id), codec.encode(&hills(id)).expect("a tile"))).collect();
    let mut sink = archive::create(path, &metadata, false).expect("an archive");
    tiles.iter().for_each(|(id, bytes)| sink.put(id.coord().expect("a tile"), bytes).expect("a tile is written"));
    sink.finish().expect("an archive");
    tiles
}

/// What a command takes, CPU.
fn run(folder: &Path, arguments: &[&str]) -> Duration {
    let before = cpu(true);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hypso"));
    let command = command.args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().is_ok_and(|status| status.success()), "hypso {arguments:?}");
    cpu(true) - before
}

fn made(folder: &Path) {
    let finest = TileId::first(4).0..TileId::first(5).0;
    let fine = terrain(&folder.join("fine.pmtiles"), finest).len() as u64;
    let convert = ["convert", "fine.pmtiles", "-o", "plain.pmtiles", "--vertical-resolution", "full", "--overwrite"];
    let overviews = ["overviews", "fine.pmtiles", "-o", "coarse.pmtiles", "--overwrite"];
    let bbox = "--bbox=1,1,89,66";
    let overzoom = ["overzoom", "fine.pmtiles", "-o", "deep.pmtiles", "--max-zoom", "5", bbox, "--overwrite"];
    let times = best([&mut || run(folder, &convert), &mut || run(folder, &overviews), &mut || run(folder, &overzoom)]);
    let count = |name: &str| archive::open(&folder.join(name)).and_then(|a| a.tile_count()).expect("an archive");
    let deep = (0..).map_while(|n| TileId(TileId::first(5).0 + n).coord().filter(|tile| tile.z() == 5));
    let deep_archive = archive::open(&folder.join("deep.pmtiles")).expect("an archive");
    let deep = deep.filter(|&tile| deep_archive.tile(tile).is_ok_and(|found| found.is_some())).count() as u64;
    let counts = [count("plain.pmtiles"), count("coarse.pmtiles") - fine, deep];
    let each: Vec<f64> = times.iter().zip(counts).map(|(time, count)| time.as_secs_f64() / count as f64).collect();
    println!("tiles of 512 px made of {fine}, CPU milliseconds each, and the speed beside encoding each once");
    for ((name, each_of), count) in ["hypso convert", "hypso overviews", "hypso overzoom"].iter().zip(&each).zip(counts)
    {
        println!("  {name:20} {count:6} tiles   {:8.2} ms   {:6.2}", each_of * 1e3, each[0] / each_of);
    }
}

fn verify(path: &Path) {
    let tiles = terrain(path, 0..VERIFIED);
    let folder = path.parent().expect("a folder");
    let run = |parents: &str| run(folder, &["verify", "--parents", parents, "terrain.pmtiles"]);
    let mut whole = || run("none");
    let mut with_parents = || run("200");
    let mut libwebp = || {
        let before = cpu(false);
        for bytes in tiles.values() {
            black_box(webp::Decoder::new(bytes).decode().expect("a tile").len());
        }
        cpu(false) - before
    };
    let mut image_webp = || {
        let before = cpu(false);
        for bytes in tiles.values() {
            let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).expect("a tile");
            let mut pixels = vec![0; decoder.output_buffer_size().expect("a size")];
            decoder.read_image(&mut pixels).expect("pixels");
            black_box(&pixels);
        }
        cpu(false) - before
    };
    let times = best([&mut libwebp, &mut image_webp, &mut whole, &mut with_parents]).map(|time| time.as_secs_f64());
    let size: usize = tiles.values().map(Vec::len).sum();
    println!("{VERIFIED} lossless WebP tiles of 512 px, {:.0} MB, CPU seconds", size as f64 / 1e6);
    let names =
        ["libwebp's decoder", "image-webp's decoder", "hypso verify --parents none", "hypso verify (200 parents)"];
    for (name, seconds) in names.iter().zip(times) {
        println!("  {name:28} {seconds:8.2} s   {:7.2} x", seconds / times[0]);
    }
}

/// Heights like those of hills: octaves of waves that don't repeat, in 1/256 m.
fn hills(seed: u64) -> ElevationTile {
    let mut random = Random(seed + 1);
    let waves: Vec<[f64; 4]> = (0..24)
        .map(|n| {
            let length = 400.0 / 1.25f64.powi(n);
            let turn = random.unit() * std::f64::consts::TAU;
            [turn.cos() / length, turn.sin() / length, random.unit() * std::f64::consts::TAU, length * 0.7]
        })
        .collect();
    let mut tile = ElevationTile::empty(512);
    tile.valid.fill(1);
    for (at, value) in tile.values.iter_mut().enumerate() {
        let (x, y) = ((at % 512) as f64, (at / 512) as f64);
        let height: f64 = waves.iter().map(|[a, b, phase, high]| (a * x + b * y + phase).sin() * high).sum();
        *value = ((height + 900.0 + random.unit() * 0.05) * 256.0).round() as f32 / 256.0;
    }
    tile
}
