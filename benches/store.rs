//! A store beside peers, on the same boxes and queries in the same run: one million records, or as many as
//! `HYPSO_BENCH_RECORDS` says.
//!
//! Records look like real catalogues (see `common/catalogue.rs`). Queries come in random order, where the data are, and answers go into a buffer
//! that is used again (geo-index can only return a vector of its own). Every engine's answers are compared before anything
//! is measured. SQLite's R*Tree takes part where the `engine` feature is on, at up to a million records.
//!
//! `HYPSO_BENCH_STORE` names a file to keep the store in and to take it from. With `HYPSO_BENCH_COLD` only queries of a cold file are
//! measured. Results: `RESULTS.md`.

#![allow(missing_docs, reason = "criterion's macros")]

#[path = "common/catalogue.rs"]
mod catalogue;
#[path = "common/processes.rs"]
mod processes;

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use catalogue::Random;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use geo_index::rtree::sort::HilbertSort;
use geo_index::rtree::{RTree, RTreeBuilder, RTreeIndex};
use hypso::container::Advice;
use hypso::index::{grid, rtree};
use hypso::query::{Answers, Order, Place};
use hypso::store::{self, Builder, Parameters, Store};
use hypso::tile::{Bounds, TileCoord};
use packed_spatial_index::{Box2D, Index2DBuilder, NeighborWorkspace, Point2D, SearchWorkspace, SimdIndex2D};
use rstar::AABB;
use rstar::primitives::{GeomWithData, Rectangle};

type Entry = GeomWithData<Rectangle<[f64; 2]>, u32>;

/// The engines over the same rows.
struct Engines {
    store: Store,
    geo: RTree<f64>,
    rstar: rstar::RTree<Entry>,
    packed: SimdIndex2D,
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
        let mut packed = Index2DBuilder::new(store.len() as usize);
        for (_, b) in rows() {
            packed.add(Box2D::new(b.min_x, b.min_y, b.max_x, b.max_y));
        }
        let entry =
            |(row, b): (u32, Bounds)| Entry::new(Rectangle::from_corners([b.min_x, b.min_y], [b.max_x, b.max_y]), row);
        Self {
            geo: builder.finish::<HilbertSort>(),
            rstar: rstar::RTree::bulk_load(rows().map(entry).collect()),
            packed: packed.finish_simd().expect("an index"),
            ids: records.iter().map(|r| (r.id(), r.row())).collect(),
            store: store.clone(),
        }
    }

    /// Its `search` has no buffer to fill: the vector is its own.
    fn geo(&self, q: &Bounds, rows: &mut Vec<u32>) {
        *rows = self.geo.search(q.min_x, q.min_y, q.max_x, q.max_y);
    }

    /// Its rows are `usize`; they stay in its own buffer.
    fn packed<'a>(&self, q: &Bounds, space: &'a mut SearchWorkspace) -> &'a [usize] {
        self.packed.search_with(Box2D::new(q.min_x, q.min_y, q.max_x, q.max_y), space)
    }

    fn rstar(&self, q: &Bounds, rows: &mut Vec<u32>) {
        rows.clear();
        let envelope = AABB::from_corners([q.min_x, q.min_y], [q.max_x, q.max_y]);
        rows.extend(self.rstar.locate_in_envelope_intersecting(envelope).map(|e| e.data));
    }
}

fn corner(q: &Bounds) -> Place {
    Place::Point { x: q.min_x, y: q.min_y }
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
        ("point", 100_000, Box::new(|x, y| Bounds::new(x, y, x, y)) as Box<dyn Fn(f64, f64) -> Bounds>),
        ("z16", 100_000, Box::new(tile(16))),
        ("z12", 20_000, Box::new(tile(12))),
        ("z8", 300, Box::new(tile(8))),
    ] {
        let queries = queries(&engines.store, count, make);
        let point = name == "point";
        let hypso = |q: &Bounds, order, rows: &mut Vec<u32>| {
            if point {
                engines.store.rows_overlapping(corner(q), order, rows);
            } else {
                engines.store.rows_overlapping(*q, order, rows);
            }
        };
        compare(name, engines, &queries[..queries.len().min(300)], hypso);
        let mut group = c.benchmark_group(name);
        measure(&mut group, "hypso", &queries, |q, rows| hypso(q, Order::Row, rows));
        measure(&mut group, "hypso, candidate order", &queries, |q, rows| hypso(q, Order::Candidate, rows));
        group.bench_function("hypso, the first candidate", |b| {
            let mut at = 0;
            b.iter(|| {
                at = (at + 1) % queries.len();
                let q = &queries[at];
                let place = if point { corner(q) } else { (*q).into() };
                black_box(engines.store.first_overlapping(place).map(|r| r.row()))
            });
        });
        if count > 300 {
            batches(&mut group, engines, &queries, point);
        }
        measure(&mut group, "geo-index", &queries, |q, rows| engines.geo(q, rows));
        measure(&mut group, "rstar", &queries, |q, rows| engines.rstar(q, rows));
        let mut space = SearchWorkspace::new();
        measure(&mut group, "packed_spatial_index", &queries, |q, _| {
            black_box(engines.packed(q, &mut space));
        });
        #[cfg(feature = "engine")]
        if engines.store.len() <= 1_000_000 && count > 300 {
            let sqlite = sqlite::Table::new(&engines.store);
            measure(&mut group, "SQLite R*Tree", &queries, |q, rows| sqlite.search(q, rows));
        }
        group.finish();
    }
}

/// Every engine gives the same rows, batches too.
fn compare(name: &str, engines: &Engines, queries: &[Bounds], hypso: impl Fn(&Bounds, Order, &mut Vec<u32>)) {
    let (mut rows, mut total) = (Vec::new(), 0);
    let sorted = |rows: &mut Vec<u32>| {
        rows.sort_unstable();
        rows.clone()
    };
    let mut answers = Answers::new();
    if name == "point" {
        let points: Vec<Place> = queries.iter().map(corner).collect();
        engines.store.rows_overlapping_batch(&points, Order::Row, &mut answers);
    } else {
        engines.store.rows_overlapping_batch(queries, Order::Row, &mut answers);
    }
    for (q, batch) in queries.iter().zip(answers.iter()) {
        hypso(q, Order::Row, &mut rows);
        total += rows.len();
        assert_eq!(rows, batch, "the batch at {q:?}");
        let ours = sorted(&mut rows);
        engines.geo(q, &mut rows);
        assert_eq!(ours, sorted(&mut rows), "geo-index at {q:?}");
        engines.rstar(q, &mut rows);
        assert_eq!(ours, sorted(&mut rows), "rstar at {q:?}");
        rows = engines.packed(q, &mut SearchWorkspace::new()).iter().map(|&row| row as u32).collect();
        assert_eq!(ours, sorted(&mut rows), "packed_spatial_index at {q:?}");
    }
    println!("{name}: {:.1} hits a query", total as f64 / queries.len() as f64);
}

/// A thousand queries at a time; the figure is the time of one.
fn batches(group: &mut BenchmarkGroup<'_, WallTime>, engines: &Engines, queries: &[Bounds], point: bool) {
    const BATCH: usize = 1000;
    let points: Vec<Place> = queries.iter().map(corner).collect();
    let (mut answers, mut at) = (Answers::new(), 0);
    group.bench_function("hypso, in batches", |b| {
        b.iter_custom(|iterations| {
            let (mut spent, mut done) = (Duration::ZERO, 0);
            while done < iterations {
                at = (at + BATCH) % (queries.len() - BATCH);
                let begin = std::time::Instant::now();
                if point {
                    engines.store.rows_overlapping_batch(&points[at..at + BATCH], Order::Row, &mut answers);
                } else {
                    engines.store.rows_overlapping_batch(&queries[at..at + BATCH], Order::Row, &mut answers);
                }
                black_box(answers.len());
                spent += begin.elapsed();
                done += BATCH as u64;
            }
            spent.mul_f64(iterations as f64 / done as f64)
        });
    });
}

/// SQLite's R*Tree, in memory.
#[cfg(feature = "engine")]
mod sqlite {
    use hypso::store::Store;
    use hypso::tile::Bounds;
    use rusqlite::{Connection, params};

    pub struct Table(Connection);

    impl Table {
        pub fn new(store: &Store) -> Self {
            let mut db = Connection::open_in_memory().expect("a database");
            db.execute_batch("CREATE VIRTUAL TABLE boxes USING rtree(id, min_x, max_x, min_y, max_y)")
                .expect("a table");
            let work = db.transaction().expect("a transaction");
            {
                let mut insert = work.prepare("INSERT INTO boxes VALUES (?, ?, ?, ?, ?)").expect("a statement");
                for row in 0..store.len() {
                    let b = store.records().bounds(row);
                    insert.execute(params![row, b.min_x, b.max_x, b.min_y, b.max_y]).expect("a row");
                }
            }
            work.commit().expect("the rows");
            Self(db)
        }

        /// Its boxes are 32-bit floats, rounded outwards: it gives a few rows too many.
        pub fn search(&self, q: &Bounds, rows: &mut Vec<u32>) {
            const QUERY: &str =
                "SELECT id FROM boxes WHERE min_x <= ?3 AND max_x >= ?1 AND min_y <= ?4 AND max_y >= ?2";
            rows.clear();
            let mut query = self.0.prepare_cached(QUERY).expect("a query");
            let mut found = query.query(params![q.min_x, q.min_y, q.max_x, q.max_y]).expect("an answer");
            while let Some(row) = found.next().expect("a row") {
                rows.push(row.get(0).expect("an id"));
            }
        }
    }
}

/// The ten nearest records to places where records are, and to places anywhere in the world's middle.
fn nearest(c: &mut Criterion, engines: &Engines) {
    let mut random = Random(3);
    let mut anywhere = || (random.unit() - 0.5) * 2e7;
    let apart: Vec<Bounds> =
        (0..20_000).map(|_| (anywhere(), anywhere())).map(|(x, y)| Bounds::new(x, y, x, y)).collect();
    let within = queries(&engines.store, 20_000, |x, y| Bounds::new(x, y, x, y));
    for (name, queries) in [("nearest 10, within records", within), ("nearest 10, anywhere", apart)] {
        let hypso =
            |q: &Bounds| -> Vec<u32> { engines.store.nearest(corner(q), 10).iter().map(|n| n.record.row()).collect() };
        let geo = |q: &Bounds| engines.geo.neighbors(q.min_x, q.min_y, Some(10), None);
        let rstar = |q: &Bounds| -> Vec<u32> {
            engines.rstar.nearest_neighbor_iter([q.min_x, q.min_y]).take(10).map(|e| e.data).collect()
        };
        let packed = |q: &Bounds, space: &mut NeighborWorkspace| -> Vec<u32> {
            let found = engines.packed.neighbors_with(Point2D::new(q.min_x, q.min_y), 10, f64::INFINITY, space);
            found.iter().map(|&row| row as u32).collect()
        };
        let mut space = NeighborWorkspace::new();
        // Which of several at one distance comes first is the engine's affair.
        for q in &queries[..300] {
            let far = |rows: Vec<u32>| -> Vec<f64> {
                rows.into_iter().map(|row| q.distance(&engines.store.records().bounds(row))).collect()
            };
            let ours = far(hypso(q));
            let (geo, rstar, packed) = (far(geo(q)), far(rstar(q)), far(packed(q, &mut space)));
            for (theirs, who) in [(geo, "geo-index"), (rstar, "rstar"), (packed, "packed_spatial_index")] {
                assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-6 * (1.0 + a)), "{who} at {q:?}");
                assert_eq!(ours.len(), theirs.len());
            }
        }
        let mut group = c.benchmark_group(name);
        measure(&mut group, "hypso", &queries, |q, rows| *rows = hypso(q));
        measure(&mut group, "geo-index", &queries, |q, rows| *rows = geo(q));
        measure(&mut group, "rstar", &queries, |q, rows| *rows = rstar(q));
        measure(&mut group, "packed_spatial_index", &queries, |q, rows| *rows = packed(q, &mut space));
        group.finish();
    }
}

fn tile_lists(c: &mut Criterion, engines: &Engines) {
    let mut group = c.benchmark_group("tile index");
    let index = engines.store.tiles();
    for z in [8, 12, 16] {
        let queries = queries(&engines.store, 20_000, tile(z));
        let tiles: Vec<TileCoord> = queries.iter().map(|q| TileCoord::at(q.center().0, q.center().1, z)).collect();
        let mut at = 0;
        group.bench_function(format!("z{z}, a hundred tiles again and again"), |b| {
            b.iter(|| {
                at = (at + 1) % 100;
                black_box(index.sampled_for(tiles[at]).map(<[u32]>::len))
            });
        });
        group.bench_function(format!("z{z}"), |b| {
            b.iter(|| {
                at = (at + 1) % tiles.len();
                black_box(index.sampled_for(tiles[at]).map(<[u32]>::len))
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
    let mut rows = Vec::new();
    group.bench_function("hypso, in batches", |b| {
        b.iter_custom(|iterations| {
            let (mut spent, mut done) = (Duration::ZERO, 0);
            while done < iterations {
                at = (at + 1000) % (wanted.len() - 1000);
                let begin = std::time::Instant::now();
                engines.store.rows_by_id_batch(&wanted[at..at + 1000], &mut rows);
                black_box(rows.len());
                spent += begin.elapsed();
                done += 1000;
            }
            spent.mul_f64(iterations as f64 / done as f64)
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
        bench.iter(|| black_box(Store::open(path).expect("the store").overlapping(b).count()));
    });
    group.finish();
}

/// From boxes in no order to a tree in a file, as one would without a store.
fn building(c: &mut Criterion, engines: &Engines) {
    let records = engines.store.records();
    let mut boxes: Vec<Bounds> = (0..engines.store.len()).map(|row| records.bounds(row)).collect();
    let mut random = Random(4);
    for i in (1..boxes.len()).rev() {
        boxes.swap(i, (random.next() % (i as u64 + 1)) as usize);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut group = c.benchmark_group("build a tree and write it");
    group.sample_size(10);
    group.bench_function("hypso", |b| {
        b.iter(|| {
            let mut order: Vec<(u64, u32)> = boxes.iter().map(grid::hilbert_of).zip(0..).collect();
            order.sort_unstable();
            let tree = rtree::build(order.iter().map(|&(_, i)| boxes[i as usize]));
            let rows: Vec<u32> = order.iter().map(|&(_, i)| i).collect();
            std::fs::write(folder.path().join("a"), bytemuck::cast_slice(&tree)).expect("the tree is written");
            std::fs::write(folder.path().join("rows"), bytemuck::cast_slice(&rows)).expect("the rows are written");
        });
    });
    group.bench_function("geo-index", |b| {
        b.iter(|| {
            let mut builder = RTreeBuilder::<f64>::new(boxes.len() as u32);
            for b in &boxes {
                builder.add(b.min_x, b.min_y, b.max_x, b.max_y);
            }
            let tree = builder.finish::<HilbertSort>();
            std::fs::write(folder.path().join("b"), tree.as_ref()).expect("the tree is written");
        });
    });
    group.finish();
}

/// The store, and how long building it took.
fn made(path: &std::path::Path) -> Store {
    let count = std::env::var("HYPSO_BENCH_RECORDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    if !path.exists() {
        let (begin, sources) = (std::time::Instant::now(), catalogue::sources());
        let mut builder = Builder::new(&sources, &Parameters::default()).expect("sources").scratch_beside(path);
        catalogue::records(count).for_each(|record| builder.add(&record).expect("a record"));
        builder.finish_file(path).expect("a store");
        println!("built in {:.1} s", begin.elapsed().as_secs_f64());
    }
    let store = Store::open(path).expect("the store");
    let length = |name: &str| store.sections().entries().iter().filter(|e| e.name() == name).map(|e| e.length()).sum();
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "{} records, {:.1} MB, R-tree {:.1} MB",
        store.len(),
        megabytes(store.bytes().len() as u64),
        megabytes(length("record.tree"))
    );
    store
}

/// A thousand queries of a store of which nothing is in memory, on the clock.
fn cold(path: &std::path::Path) {
    for (name, zoom) in [("z16", 16), ("z12", 12)] {
        let queries = queries(&Store::open(path).expect("the store"), 1000, tile(zoom));
        let (mut rows, mut answers) = (Vec::new(), Answers::new());
        let mut run = |way: &str, preload: bool, batch: bool| {
            let times = (0..5).map(|_| {
                processes::forget(path).expect("dd");
                let begin = std::time::Instant::now();
                let store = Store::open(path).expect("the store");
                if preload {
                    store.advise(Advice::Preload).expect("advice");
                }
                if batch {
                    store.rows_overlapping_batch(&queries, Order::Candidate, &mut answers);
                } else {
                    queries.iter().for_each(|&q| store.rows_overlapping(q, Order::Candidate, &mut rows));
                }
                begin.elapsed().as_secs_f64() * 1e3
            });
            println!("cold, a thousand boxes {name} {way:<22} {:>8.1} ms", processes::median(times.collect()));
        };
        run("one by one", false, false);
        run("in a batch", false, true);
        run("preloaded, in a batch", true, true);
    }
}

fn all(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = std::env::var_os("HYPSO_BENCH_STORE").map_or(folder.path().join("bench.hypso"), Into::into);
    let store = made(&path);
    if std::env::var_os("HYPSO_BENCH_COLD").is_some() {
        drop(store);
        return cold(&path);
    }
    // Warm, as a service would have it.
    store.advise(Advice::Preload).expect("advice");
    let begin = std::time::Instant::now();
    let problems = store::verify(&store);
    println!("checked in {:.1} s: {} problems", begin.elapsed().as_secs_f64(), problems.len());
    let begin = std::time::Instant::now();
    let engines = Engines::new(store);
    println!("peers built in {:.1} s", begin.elapsed().as_secs_f64());
    opening(c, &path);
    ids(c, &engines);
    nearest(c, &engines);
    tile_lists(c, &engines);
    boxes(c, &engines);
    building(c, &engines);
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
