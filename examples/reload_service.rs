//! A service that answers from a store while new versions of it are published: readers in several threads, a thread that
//! watches the file, and a publisher that replaces it several times a second. Every answer is checked.
//!
//! ```text
//! cargo run --release --no-default-features --example reload_service -- 5
//! ```

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hypso::container::{Advice, Guard, Handle, ReloadEvent};
use hypso::query::Order;
use hypso::store::{self, DataType, Parameters, RecordInput, SourceInput, Store};
use hypso::tile::Bounds;

const SIDE: u32 = 100;
const METRES: f64 = 3000.0;
const READERS: usize = 4;
const PUBLISH: Duration = Duration::from_millis(200);

fn main() -> hypso::Result<()> {
    let seconds = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(3.0);
    let path = std::env::temp_dir().join(format!("reload-service-{}.hypso", std::process::id()));
    publish(&path, 0)?;

    // Each version is in memory before a reader gets it.
    let handle = Handle::<Store>::open_with(&path, |store| store.advise(Advice::Preload))?;
    let (reloads, errors) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let watcher = {
        let (reloads, errors) = (Arc::clone(&reloads), Arc::clone(&errors));
        handle.watch(Duration::from_millis(20), move |event| {
            if let ReloadEvent::Failed(error) = &event {
                eprintln!("the old version stays: {error}");
            }
            let count = if matches!(event, ReloadEvent::Reloaded(_)) { &reloads } else { &errors };
            count.fetch_add(1, Ordering::Relaxed);
        })?
    };

    let (over, queries) = (AtomicBool::new(false), AtomicU64::new(0));
    let begin = Instant::now();
    let published = std::thread::scope(|scope| {
        for reader in 0..READERS {
            let (handle, over, queries, errors) = (&handle, &over, &queries, &errors);
            scope.spawn(move || {
                let (mut place, mut rows, mut own) = (reader as u64, Vec::new(), 0u64);
                while !over.load(Ordering::Relaxed) {
                    place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    // One guard for each request; a request sees one version.
                    if !answer(&handle.load(), place >> 33, &mut rows) {
                        errors.fetch_add(1, Ordering::Relaxed);
                    }
                    own += 1;
                }
                queries.fetch_add(own, Ordering::Relaxed);
            });
        }
        let mut version = 0;
        let mut published = Ok(());
        while begin.elapsed().as_secs_f64() < seconds && published.is_ok() {
            std::thread::sleep(PUBLISH);
            version += 1;
            published = publish(&path, version);
        }
        over.store(true, Ordering::Relaxed);
        published.map(|()| version)
    })?;
    let elapsed = begin.elapsed().as_secs_f64();
    drop(watcher);
    let _ = std::fs::remove_file(&path);
    let (queries, reloads, errors) =
        (queries.into_inner(), reloads.load(Ordering::Relaxed), errors.load(Ordering::Relaxed));
    println!(
        "{READERS} readers: {:.0} queries/s, published={published} reloads={reloads} errors={errors}",
        queries as f64 / elapsed
    );
    if errors == 0 { Ok(()) } else { Err(hypso::Error::not_found("one version: a reader saw an error or two at once")) }
}

/// A request: which records share area with a box. True where all of them are of one version.
fn answer(store: &Guard<Store>, place: u64, rows: &mut Vec<store::RowId>) -> bool {
    let (x, y) = ((place % u64::from(SIDE)) as f64 * METRES, (place / 1000 % u64::from(SIDE)) as f64 * METRES);
    store.rows_overlapping(Bounds::new(x - 10.0, y - 10.0, x + 10.0, y + 10.0), Order::Candidate, rows);
    let mut versions = rows.iter().filter_map(|&row| store.record(row)).map(|record| record.file_size());
    let first = versions.next();
    first.is_some() && versions.all(|version| Some(version) == first)
}

/// Writes a version over the last one; who has that one open keeps it.
fn publish(path: &Path, version: u64) -> hypso::Result<()> {
    let sources = [SourceInput { name: "survey".into(), root: "/data".into(), ..Default::default() }];
    let cell = |i: u32| {
        let (x, y) = (f64::from(i % SIDE) * METRES, f64::from(i / SIDE) * METRES);
        RecordInput {
            source: 0,
            path: format!("{i:05}.tif"),
            bounds: Bounds::new(x, y, x + METRES, y + METRES),
            pixel_size: 30.0,
            width: 100,
            height: 100,
            crs: "EPSG:3857".into(),
            nodata: None,
            data_type: DataType::F32,
            file_size: version,
            modified_ns: 0,
            ..RecordInput::default()
        }
    };
    let records: Vec<RecordInput> = (0..SIDE * SIDE).map(cell).collect();
    store::write_file(path, &sources, &records, &Parameters::default())
}
