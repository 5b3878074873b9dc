//! A store of a million records beside peers, on the same boxes and queries in the same run.
//!
//! Records look like real catalogues: three resolutions of adjacent cells that overlap by a pixel, clustered like islands,
//! one in a hundred large. Queries come in random order, where the data are, and answers go into a buffer
//! that is used again (geo-index 0.3 can only return a vector of its own). Every engine's answers are counted and compared before anything is measured.
//!
//! `HYPSO_BENCH_RECORDS` sets another number of records. Results: `RESULTS.md`.

#![allow(missing_docs, reason = "criterion's macros")]

use std::collections::HashMap;
use std::hint::black_box;
use std::io::Cursor;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use geo_index::rtree::sort::HilbertSort;
use geo_index::rtree::{RTree, RTreeBuilder, RTreeIndex};
use hypso::query::Order;
use hypso::store::{self, DataType, Parameters, RecordInput, SourceInput, Store};
use hypso::tile::{Bounds, TileCoord};
use rstar::AABB;
use rstar::primitives::{GeomWithData, Rectangle};

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Islands along an arc, each a square of cells of every resolution; finer ones cover a part of the coarser ones.
fn catalogue(count: usize) -> (Vec<SourceInput>, Vec<RecordInput>) {
    let mut random = Random(1);
    let mut records = Vec::with_capacity(count);
    const ISLANDS: usize = 40;
    for island in 0..ISLANDS {
        let t = island as f64 / ISLANDS as f64;
        let (west, south) = (1.37e7 + t * 2.4e6, 3.3e6 + t * t * 2.4e6);
        // Of ten cells, six are fine, three middle and one coarse.
        for (source, share, cell, pixel) in [(0, 0.6, 450.0, 1.2), (1, 0.3, 1100.0, 6.0), (2, 0.1, 4500.0, 12.0)] {
            let cells = (count as f64 / ISLANDS as f64 * share) as usize;
            let side = (cells as f64).sqrt().ceil() as usize;
            for i in 0..cells {
                let large = if random.unit() < 0.01 { 12.0 } else { 1.0 };
                let (x, y) = (west + (i % side) as f64 * cell, south + (i / side) as f64 * cell);
                records.push(RecordInput {
                    source,
                    path: format!("{island:02}/{:04}/{:04}.tif", i / side, i % side),
                    bounds: Bounds::new(x, y, x + cell * large + pixel, y + cell * large + pixel),
                    pixel_size: pixel * large,
                    width: 400,
                    height: 400,
                    crs: "EPSG:6668".into(),
                    nodata: Some(-9999.0),
                    data_type: DataType::F32,
                    file_size: 640_000,
                    modified_ns: 0,
                });
            }
        }
    }
    let source = |name: &str| SourceInput { name: name.into(), ..Default::default() };
    (["dem1", "dem5", "dem10"].map(source).into(), records)
}

type Entry = GeomWithData<Rectangle<[f64; 2]>, u32>;

/// The engines over the same rows.
struct Engines {
    store: Store,
    geo: RTree<f64>,
    rstar: rstar::RTree<Entry>,
    ids: HashMap<u64, u32>,
}

impl Engines {
    fn new(store: Store) -> Self {
        let records = store.records();
        let mut builder = RTreeBuilder::<f64>::new(store.len());
        let rows = || (0..store.len()).map(|row| (row, records.bounds(row)));
        for (_, b) in rows() {
            builder.add(b.min_x, b.min_y, b.max_x, b.max_y);
        }
        let entry =
            |(row, b): (u32, Bounds)| Entry::new(Rectangle::from_corners([b.min_x, b.min_y], [b.max_x, b.max_y]), row);
        Self {
            geo: builder.finish::<HilbertSort>(),
            rstar: rstar::RTree::bulk_load(rows().map(entry).collect()),
            ids: records.iter().map(|r| (r.id(), r.row())).collect(),
            store: store.clone(),
        }
    }

    fn hypso(&self, q: &Bounds, rows: &mut Vec<u32>) {
        self.store.rows_in_bounds(q, Order::Row, rows);
    }

    /// Its `search` has no buffer to fill: the vector is its own.
    fn geo(&self, q: &Bounds, rows: &mut Vec<u32>) {
        *rows = self.geo.search(q.min_x, q.min_y, q.max_x, q.max_y);
    }

    fn rstar(&self, q: &Bounds, rows: &mut Vec<u32>) {
        rows.clear();
        let envelope = AABB::from_corners([q.min_x, q.min_y], [q.max_x, q.max_y]);
        rows.extend(self.rstar.locate_in_envelope_intersecting(&envelope).map(|e| e.data));
    }
}

/// Boxes in random order where records are.
fn queries(store: &Store, count: usize, make: impl Fn(f64, f64) -> Bounds) -> Vec<Bounds> {
    let mut random = Random(2);
    let records = store.records();
    let some = |_| {
        let b = records.bounds((random.next() % u64::from(store.len())) as u32);
        make(b.min_x + random.unit() * (b.max_x - b.min_x), b.min_y + random.unit() * (b.max_y - b.min_y))
    };
    (0..count).map(some).collect()
}

fn tile(z: u8) -> impl Fn(f64, f64) -> Bounds {
    // Drawn in a little: all engines then agree about boxes that only touch.
    move |x, y| TileCoord::at(x, y, z).bounds().buffered(-0.001)
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    queries: &[Bounds],
    mut run: impl FnMut(&Bounds, &mut Vec<u32>),
) {
    let mut rows = Vec::with_capacity(1 << 20);
    let mut at = 0;
    group.bench_function(name, |b| {
        b.iter(|| {
            at = (at + 1) % queries.len();
            run(&queries[at], &mut rows);
            black_box(rows.len())
        });
    });
}

fn boxes(c: &mut Criterion, engines: &Engines) {
    for (name, count, make) in [
        ("point", 20_000, Box::new(|x, y| Bounds::new(x, y, x, y)) as Box<dyn Fn(f64, f64) -> Bounds>),
        ("z16", 20_000, Box::new(tile(16))),
        ("z12", 5000, Box::new(tile(12))),
        ("z8", 300, Box::new(tile(8))),
    ] {
        let queries = queries(&engines.store, count, make);
        let point = name == "point";
        let (mut rows, mut total) = (Vec::new(), 0);
        for q in &queries[..queries.len().min(300)] {
            let sorted = |rows: &mut Vec<u32>| {
                rows.sort_unstable();
                rows.clone()
            };
            if point {
                engines.store.rows_at_point(q.min_x, q.min_y, Order::Row, &mut rows);
            } else {
                engines.hypso(q, &mut rows);
            }
            total += rows.len();
            let ours = sorted(&mut rows);
            engines.geo(q, &mut rows);
            assert_eq!(ours, sorted(&mut rows), "geo-index at {q:?}");
            engines.rstar(q, &mut rows);
            assert_eq!(ours, sorted(&mut rows), "rstar at {q:?}");
        }
        println!("{name}: {:.1} hits a query", total as f64 / queries.len().min(300) as f64);
        let mut group = c.benchmark_group(name);
        if point {
            measure(&mut group, "hypso", &queries, |q, rows| {
                engines.store.rows_at_point(q.min_x, q.min_y, Order::Row, rows);
            });
        } else {
            measure(&mut group, "hypso", &queries, |q, rows| engines.hypso(q, rows));
            measure(&mut group, "hypso, candidate order", &queries, |q, rows| {
                engines.store.rows_in_bounds(q, Order::Candidate, rows);
            });
        }
        measure(&mut group, "geo-index", &queries, |q, rows| engines.geo(q, rows));
        measure(&mut group, "rstar", &queries, |q, rows| engines.rstar(q, rows));
        group.finish();
    }
}

fn tile_lists(c: &mut Criterion, engines: &Engines) {
    let mut group = c.benchmark_group("tile index");
    for z in [8, 12, 16] {
        let queries = queries(&engines.store, 20_000, tile(z));
        let tiles: Vec<TileCoord> = queries.iter().map(|q| TileCoord::at(q.center().0, q.center().1, z)).collect();
        let mut at = 0;
        group.bench_function(format!("z{z}"), |b| {
            b.iter(|| {
                at = (at + 1) % tiles.len();
                black_box(engines.store.tiles().rows(tiles[at]).map(<[u32]>::len))
            });
        });
    }
    group.finish();
}

fn ids(c: &mut Criterion, engines: &Engines) {
    let mut random = Random(3);
    let column = engines.store.column::<u64>("record.id").expect("ids");
    let wanted: Vec<u64> = (0..200_000).map(|_| column[(random.next() % column.len() as u64) as usize]).collect();
    let mut group = c.benchmark_group("id");
    let (mut at, ids) = (0, engines.store.ids());
    group.bench_function("hypso", |b| {
        b.iter(|| {
            at = (at + 1) % wanted.len();
            black_box(ids.row(wanted[at]))
        });
    });
    group.bench_function("HashMap", |b| {
        b.iter(|| {
            at = (at + 1) % wanted.len();
            black_box(engines.ids.get(&wanted[at]))
        });
    });
    group.finish();
}

fn opening(c: &mut Criterion, path: &std::path::Path) {
    let mut group = c.benchmark_group("open");
    let first = Store::open(path).expect("the store");
    let b = first.records().bounds(first.len() / 2);
    group.bench_function("warm", |bench| bench.iter(|| black_box(Store::open(path).expect("the store").len())));
    group.bench_function("warm, and a first query", |bench| {
        bench.iter(|| black_box(Store::open(path).expect("the store").in_bounds(&b).count()));
    });
    group.finish();
}

fn all(c: &mut Criterion) {
    let count = std::env::var("HYPSO_BENCH_RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let (sources, records) = catalogue(count);
    let begin = std::time::Instant::now();
    let bytes = store::write(Cursor::new(Vec::new()), &sources, &records, &Parameters::default())
        .expect("a store")
        .into_inner();
    println!(
        "{} records: built in {:.1} s, {:.1} MB",
        records.len(),
        begin.elapsed().as_secs_f64(),
        bytes.len() as f64 / 1e6
    );
    drop(records);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.hypso");
    std::fs::write(&path, bytes).expect("the store is written");
    let store = Store::open(&path).expect("the store");
    let begin = std::time::Instant::now();
    let problems = store::verify(&store);
    println!("checked in {:.1} s: {} problems", begin.elapsed().as_secs_f64(), problems.len());
    let engines = Engines::new(store);
    opening(c, &path);
    ids(c, &engines);
    tile_lists(c, &engines);
    boxes(c, &engines);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30);
    targets = all
}
criterion_main!(benches);
