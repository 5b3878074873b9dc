//! hypso's archives beside the `pmtiles` crate and libwebp.
//!
//!     cargo run --release --manifest-path benches/peers/Cargo.toml -- latency FILE.pmtiles
//!     cargo run --release --manifest-path benches/peers/Cargo.toml -- decode FILE.pmtiles
//!
//! `latency`: random tiles of a mapped PMTiles, warm, one thread. `decode`: all tiles through libwebp alone and through
//! hypso's verification, both on all processors.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use hypso::archive::pmtiles::{PmtilesReader, TileReader};
use hypso::archive::{self, TileSource, VerifyOptions};
use hypso::progress::Silent;
use hypso::terrain::{Encoding, ImageFormat, TileCodec, VerticalResolution};
use hypso::tile::{TileCoord, TileId};

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["latency", file] => latency(Path::new(file)),
        ["decode", file] => decode(Path::new(file)),
        _ => Err("expected: latency FILE.pmtiles, or decode FILE.pmtiles".into()),
    }
}

/// Tiles of the archive in random order (SplitMix64).
fn shuffled(path: &Path) -> Result<Vec<TileCoord>, AnyError> {
    let source = PmtilesReader::open(path)?;
    let mut tiles: Vec<TileCoord> = source.ids()?.filter_map(|id| id.ok()?.coord()).collect();
    let mut state = 1u64;
    for n in (1..tiles.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        tiles.swap(n, ((z ^ (z >> 31)) % (n as u64 + 1)) as usize);
    }
    tiles.truncate(200_000);
    Ok(tiles)
}

/// Nanoseconds a tile, the best of some rounds after a first one; every tile's first and last byte is read.
fn best(tiles: &[TileCoord], mut get: impl FnMut(TileCoord) -> u64) -> f64 {
    (0..6)
        .map(|_| {
            let started = Instant::now();
            let sum: u64 = tiles.iter().map(|tile| get(*tile)).sum();
            black_box(sum);
            started.elapsed().as_nanos() as f64 / tiles.len() as f64
        })
        .skip(1)
        .fold(f64::INFINITY, f64::min)
}

fn ends(bytes: &[u8]) -> u64 {
    u64::from(bytes[0]) + u64::from(bytes[bytes.len() - 1])
}

fn latency(path: &Path) -> Result<(), AnyError> {
    let tiles = shuffled(path)?;
    let mapped = TileReader::open(path)?;
    let ours = best(&tiles, |tile| mapped.tile(tile).unwrap().map_or(0, ends));
    let read = PmtilesReader::open(path)?;
    let copied = best(&tiles, |tile| read.tile(tile).unwrap().map_or(0, |bytes| ends(&bytes)));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let peer = runtime.block_on(pmtiles::AsyncPmTilesReader::new_with_cached_path(pmtiles::HashMapCache::default(), path))?;
    let theirs = best(&tiles, |tile| {
        let id = pmtiles::TileCoord::new(tile.z(), tile.x(), tile.y()).unwrap();
        runtime.block_on(peer.get_tile(id)).unwrap().map_or(0, |bytes| ends(&bytes))
    });
    // The whole loop inside one task, without entering the runtime for each tile.
    let inside = runtime.block_on(async {
        let mut fastest = f64::INFINITY;
        for _ in 0..6 {
            let started = Instant::now();
            let mut sum = 0;
            for tile in &tiles {
                let id = pmtiles::TileCoord::new(tile.z(), tile.x(), tile.y()).unwrap();
                sum += peer.get_tile(id).await.unwrap().map_or(0, |bytes| ends(&bytes));
            }
            black_box(sum);
            fastest = fastest.min(started.elapsed().as_nanos() as f64 / tiles.len() as f64);
        }
        fastest
    });
    // The floor: where each tile lies is known.
    let bytes = std::fs::read(path)?;
    let places: HashMap<TileCoord, (usize, usize)> = {
        let start = read.header().data_offset;
        let of = |located: archive::Located| Some((located.id.coord()?, ((start + located.place) as usize, located.bytes as usize)));
        read.tiles()?.filter_map(|tile| of(tile.ok()?)).collect()
    };
    let floor = best(&tiles, |tile| places.get(&tile).map_or(0, |&(at, len)| ends(&bytes[at..at + len])));
    println!("{} random tiles of {}", tiles.len(), path.display());
    println!("TileReader (mapped)            {ours:8.0} ns");
    println!("PmtilesReader (pread, copied)  {copied:8.0} ns");
    println!("pmtiles crate, mmap, HashMapCache, block_on each  {theirs:8.0} ns  {:.2} x", theirs / ours);
    println!("pmtiles crate, inside one task {inside:8.0} ns  {:.2} x", inside / ours);
    println!("a hash map of places           {floor:8.0} ns");
    let _ = TileId(0);
    Ok(())
}

fn decode(path: &Path) -> Result<(), AnyError> {
    let source = PmtilesReader::open(path)?;
    let tiles: Vec<archive::Located> = source.tiles()?.collect::<Result<_, _>>()?;
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let all = |work: &(dyn Fn(&[u8]) + Sync)| {
        let next = AtomicUsize::new(0);
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut bytes = Vec::new();
                    while let Some(tile) = tiles.get(next.fetch_add(1, Ordering::Relaxed)) {
                        bytes.clear();
                        source.read(*tile, &mut bytes).unwrap();
                        work(&bytes);
                    }
                });
            }
        });
        started.elapsed().as_secs_f64()
    };
    let codec = TileCodec {
        encoding: Encoding::Terrarium,
        format: ImageFormat::Webp,
        vertical: VerticalResolution::Full,
        nodata_elevation: 0.0,
    };
    for _ in 0..3 {
        let floor = all(&|bytes| drop(black_box(libwebp::Decoder::new(bytes).decode())));
        let heights = all(&|bytes| drop(black_box(codec.decode(bytes).unwrap())));
        let check = |_: TileCoord, bytes: &[u8]| codec.decode(bytes).map(drop);
        let started = Instant::now();
        let report = archive::verify(path, VerifyOptions::default(), &check, &Silent)?;
        let verify = started.elapsed().as_secs_f64();
        println!(
            "{} tiles: libwebp alone {floor:.2} s, our decoding {heights:.2} s ({:.2} x), verify {verify:.2} s ({:.2} x), {} errors",
            tiles.len(),
            heights / floor,
            verify / floor,
            report.errors
        );
    }
    Ok(())
}
