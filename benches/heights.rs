//! A file of heights beside a raw grid of 16-bit numbers in a map, which is the floor, and beside a cache of decoded PMTiles
//! tiles. All answer the same questions in the same run, and their answers are compared first.
//!
//! The tiles are made up (`common/terrain.rs`): `HYPSO_BENCH_SIDE` of them a side, 40 if it is not set, 512 pixels each, at zoom 13 and
//! rounded to its step. Places are random over all of them. Results: `RESULTS.md`.

#![allow(dead_code, reason = "parts of the common files")]

#[path = "common/processes.rs"]
mod processes;
#[path = "../examples/common/random.rs"]
mod random;
#[path = "common/terrain.rs"]
mod terrain;

use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Instant;

use hypso::container::{Advice, Schema as _};
use hypso::heights::{Description, Height, HeightQueries, Heights, Packed, Sampling, Spacing, Writer};
use hypso::tile::{Area, Bounds, LonLat, TileCoord, TileId, web_mercator};
use random::Random;

const SIZE: usize = 512;
const ZOOM: u8 = 13;
/// Codes of Terrarium in a step of zoom 13.
const STEP: u32 = 64;
/// The column and the row of the first tile.
const FIRST: (u32, u32) = (7000, 3000);
/// Tiles that are made; the others are these, raised.
const MADE: u32 = 36;

fn codes(n: u32) -> Vec<u32> {
    let (left, top) = (f64::from(n % 6) * SIZE as f64, f64::from(n / 6) * SIZE as f64);
    let pixel = |i: usize| {
        let height = terrain::height(left + (i % SIZE) as f64, top + (i / SIZE) as f64);
        ((height + 32_768.0) * 256.0 / f64::from(STEP)).round() as u32 * STEP
    };
    (0..SIZE * SIZE).map(pixel).collect()
}

/// The tiles as a file of heights and as a raw grid of steps, tile by tile in rows.
fn make(folder: &Path, side: u32) -> (Heights, memmap2::Mmap) {
    let made: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let halves = [0..MADE / 2, MADE / 2..MADE].map(|half| scope.spawn(|| half.map(codes).collect::<Vec<_>>()));
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    let mut tiles: Vec<(TileId, u32)> = (0..side * side)
        .map(|n| (TileCoord::new(ZOOM, FIRST.0 + n % side, FIRST.1 + n / side).unwrap().into(), n))
        .collect();
    let raised = |n: u32| made[(n % MADE) as usize].iter().map(move |code| code + n / MADE * STEP);
    let (heights, raw) = (folder.join("bench.heights"), folder.join("bench.raw"));
    let mut grid = BufWriter::new(std::fs::File::create(&raw).unwrap());
    for n in 0..side * side {
        let steps: Vec<u8> =
            raised(n).flat_map(|code| ((code / STEP) as i32 - 131_072).to_le_bytes()[..2].to_vec()).collect();
        grid.write_all(&steps).unwrap();
    }
    grid.flush().unwrap();
    tiles.sort_unstable();
    let file = BufWriter::new(std::fs::File::create(&heights).unwrap());
    let mut out = Writer::new(file, Some(&heights), SIZE as u32, Writer::TERRARIUM, false).unwrap();
    let started = Instant::now();
    for (id, n) in tiles {
        let codes: Vec<u32> = raised(n).collect();
        out.put(id, &Packed::new(SIZE as u32, &codes, &[1; SIZE * SIZE]).unwrap(), None).unwrap();
    }
    out.finish(&Description::default()).unwrap();
    let took = started.elapsed().as_secs_f64() / f64::from(side * side);
    let bytes = |path: &Path| std::fs::metadata(path).unwrap().len() as f64;
    println!("packing a tile {:.2} ms; bytes {:.2} of raw int16", took * 1e3, bytes(&heights) / bytes(&raw));
    // SAFETY: the file is this program's own, and stays as it is.
    #[allow(unsafe_code)]
    let raw = unsafe { memmap2::Mmap::map(&std::fs::File::open(&raw).unwrap()).unwrap() };
    (Heights::open(&heights).unwrap(), raw)
}

/// The floor: a grid of 16-bit steps.
struct Raw<'a> {
    cells: &'a [i16],
    side: u32,
}

impl Raw<'_> {
    #[inline]
    fn cell(&self, x: u64, y: u64) -> f64 {
        let (column, row) = (x as usize / SIZE - FIRST.0 as usize, y as usize / SIZE - FIRST.1 as usize);
        let tile = row * self.side as usize + column;
        f64::from(self.cells[tile * SIZE * SIZE + y as usize % SIZE * SIZE + x as usize % SIZE])
    }

    #[inline]
    fn at(&self, point: LonLat) -> f64 {
        let side = (SIZE as u64) << ZOOM;
        let (x, y) = web_mercator::from_lon_lat(point.lon(), point.lat());
        let px = (x / web_mercator::WORLD + 0.5) * side as f64 - 0.5;
        let py = (0.5 - y / web_mercator::WORLD) * side as f64 - 0.5;
        let (left, top) = (px as u64, py as u64);
        let (fx, fy) = (px - left as f64, py - top as f64);
        let north = self.cell(left, top) + (self.cell(left + 1, top) - self.cell(left, top)) * fx;
        let south = self.cell(left, top + 1) + (self.cell(left + 1, top + 1) - self.cell(left, top + 1)) * fx;
        (north + (south - north) * fy) * f64::from(STEP) / 256.0
    }
}

/// Places inside of the tiles, none nearer to their outer rim than a pixel.
fn places(count: usize, side: u32) -> Vec<LonLat> {
    let mut random = Random(11);
    let pixels = f64::from(side) * SIZE as f64 - 4.0;
    let world = SIZE as f64 * f64::from(ZOOM).exp2();
    let mut along = |first: u32| (f64::from(first) * SIZE as f64 + 2.0 + random.unit() * pixels) / world;
    let mut place = || {
        let (u, v) = (along(FIRST.0), along(FIRST.1));
        let (lon, lat) = web_mercator::to_lon_lat((u - 0.5) * web_mercator::WORLD, (0.5 - v) * web_mercator::WORLD);
        LonLat::new(lon, lat).unwrap()
    };
    (0..count).map(|_| place()).collect()
}

/// Seconds of processor time of this thread, so that others on the machine count less; of the clock where the system doesn't tell.
fn now() -> f64 {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent = text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    spent.map_or_else(|| BEGIN.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

/// Nanoseconds for one of `count`, the median of so many rounds after one that is not counted. A round takes a tenth of a second
/// or more, because the system counts in steps of some milliseconds.
fn median<R>(count: usize, mut run: impl FnMut() -> R) -> f64 {
    let started = Instant::now();
    black_box(run());
    let turns = (0.1 / started.elapsed().as_secs_f64()).ceil().min(1e5);
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let started = now();
            for _ in 0..turns as usize {
                black_box(run());
            }
            (now() - started) * 1e9 / count as f64 / turns
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[4]
}

/// Asks for places one after another, each chosen by the height before it.
fn chained(places: &[LonLat], at: impl Fn(LonLat) -> f64) -> f64 {
    median(places.len(), || {
        let mut next = 0;
        for i in 0..places.len() {
            let height = at(places[next]);
            // The height decides nothing, but has to be known.
            next = (i + usize::from(height.to_bits() == 1)) % places.len();
        }
        next
    })
}

fn line(name: &str, floor: f64, ours: f64, unit: &str) {
    println!("{name:<44} floor {floor:>10.1} {unit}   heights {ours:>10.1} {unit}   ratio {:.2}", ours / floor);
}

fn points(heights: &Heights, raw: &Raw<'_>, side: u32) {
    let (places, how) = (places(1 << 20, side), Sampling::default());
    let ours = |point: LonLat| heights.sample(point, &how).unwrap().map_or(0.0, |height| height.metres);
    for &point in &places[..20_000] {
        assert!((raw.at(point) - ours(point)).abs() < 1e-6, "{point:?}");
    }
    line("random points, each after the one before", chained(&places, |p| raw.at(p)), chained(&places, ours), "ns");
    let each = |at: &dyn Fn(&[LonLat]) -> f64| median(places.len(), || at(&places));
    let floor = each(&|places| places.iter().map(|&p| raw.at(p)).sum());
    line("random points, independent", floor, each(&|places| places.iter().map(|&p| ours(p)).sum()), "ns");
    let mut answers: Vec<Option<Height>> = Vec::new();
    let batch = median(places.len(), || heights.at_many(&places, &how, &mut answers).unwrap());
    line("a million points in a batch", floor, batch, "ns");
    let line_of = [places[0], places[1]];
    let profile = heights.along(&line_of, Spacing::Count(10_000), &how).unwrap();
    let floor = median(1, || profile.points.iter().map(|p| raw.at(p.point)).sum::<f64>());
    let ours = median(1, || heights.along(&line_of, Spacing::Count(10_000), &how).unwrap());
    line("a profile of 10,000 samples", floor / 1e3, ours / 1e3, "us");
}

/// The least and the greatest of a box of about 10^8 pixels, which cuts through tiles.
fn areas(heights: &Heights, raw: &Raw<'_>, side: u32) {
    let edge = (side * SIZE as u32).min(10_100) as f64 - 100.3;
    let metres = |first: u32, pixels: f64| {
        (f64::from(first) * SIZE as f64 + pixels) * web_mercator::resolution(ZOOM, SIZE as u32)
    };
    let (west, north) =
        (metres(FIRST.0, 50.3) - web_mercator::HALF_WORLD, web_mercator::HALF_WORLD - metres(FIRST.1, 50.3));
    let length = edge * web_mercator::resolution(ZOOM, SIZE as u32);
    let area = Area::from(Bounds::new(west, north - length, west + length, north));
    let scan = || {
        let (mut least, mut greatest) = (i16::MAX, i16::MIN);
        let end = 50 + edge as usize;
        for y in 50..end {
            let (row, inside) = (y / SIZE * raw.side as usize, y % SIZE * SIZE);
            let mut x = 50;
            while x < end {
                let until = (x / SIZE * SIZE + SIZE).min(end);
                let start = (row + x / SIZE) * SIZE * SIZE + inside + x % SIZE;
                for &cell in &raw.cells[start..start + until - x] {
                    (least, greatest) = (least.min(cell), greatest.max(cell));
                }
                x = until;
            }
        }
        [least, greatest].map(|cell| f64::from(cell) * f64::from(STEP) / 256.0)
    };
    let found = heights.range(&area, None).unwrap().unwrap();
    assert_eq!([found.0, found.1], scan());
    let floor = median(1, scan);
    let ours = median(1, || heights.range(&area, None).unwrap());
    line(&format!("least and greatest of {:.1e} pixels", edge * edge), floor / 1e3, ours / 1e3, "us");
    let ours = median(1, || heights.statistics(&area, None).unwrap());
    line("the same with mean and voids", floor / 1e3, ours / 1e3, "us");
}

/// Two million tiles: what opening and the first look-ups cost.
fn opening(folder: &Path) {
    let path = folder.join("many.heights");
    let file = BufWriter::new(std::fs::File::create(&path).unwrap());
    let mut out = Writer::new(file, Some(&path), 16, Writer::TERRARIUM, false).unwrap();
    let first = TileId::first(13).0;
    for i in 0..2_000_000u64 {
        // Runs of 50 with gaps.
        let id = TileId(first + i + i / 50 * 3);
        let level = Packed::new(16, &[0x80_0000 + (i % 997) as u32; 256], &[1; 256]).unwrap();
        out.put(id, &level, None).unwrap();
    }
    out.finish(&Description::default()).unwrap();
    let open = median(1, || Heights::open(&path).unwrap());
    let heights = Heights::open(&path).unwrap();
    let mut random = Random(3);
    let ids: Vec<TileId> = (0..1 << 18).map(|_| TileId(first + random.next() % 2_120_000)).collect();
    let look = median(ids.len(), || {
        for &id in &ids {
            let _ = black_box(heights.content_of(id).unwrap());
        }
    });
    println!(
        "two million tiles: open {:.1} us, look-up of a tile {look:.0} ns, {} sections",
        open / 1e3,
        heights.container().sections().entries().len()
    );
}

/// Ten thousand random points of a file of which nothing is in memory, on the clock: in a batch, one by one, and after a preload.
fn cold(path: &Path, side: u32) {
    let (places, how, mut answers) = (places(10_000, side), Sampling::default(), Vec::new());
    let mut run = |name: &str, preload: bool, batch: bool| {
        let times = (0..7).map(|_| {
            processes::forget(path).unwrap();
            let started = Instant::now();
            let heights = Heights::open(path).unwrap();
            if preload {
                heights.container().advise(Advice::Preload).unwrap();
            }
            if batch {
                heights.at_many(&places, &how, &mut answers).unwrap();
            } else {
                black_box(places.iter().filter(|&&place| heights.sample(place, &how).unwrap().is_some()).count());
            }
            started.elapsed().as_secs_f64() * 1e3
        });
        println!("cold, 10,000 random points {name:<28} {:>8.1} ms", processes::median(times.collect()));
    };
    run("one by one", false, false);
    run("in a batch", false, true);
    run("preloaded, in a batch", true, true);
}

fn main() {
    let side = std::env::var("HYPSO_BENCH_SIDE").ok().and_then(|side| side.parse().ok()).unwrap_or(40);
    let folder = tempfile::tempdir().unwrap();
    let (heights, map) = make(folder.path(), side);
    let raw = Raw { cells: bytemuck::cast_slice(&map), side };
    points(&heights, &raw, side);
    areas(&heights, &raw, side);
    drop((heights, map));
    cold(&folder.path().join("bench.heights"), side);
    opening(folder.path());
}
