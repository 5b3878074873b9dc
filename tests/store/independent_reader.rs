//! A reader in another language, written from `store-format.md` alone, has to see what was written.
#![cfg(feature = "engine")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Random, catalogue};
use hypso::container::Packing;
use hypso::query::Order;
use hypso::store::{self, Parameters, Store};
use hypso::tile::{Bounds, TileCoord};
use serde_json::Value;

/// A Python with NumPy; `None` (with the reason printed) where there is none. Missing under CI is a failure.
fn python() -> Option<PathBuf> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    let python = if kept.exists() { kept } else { "python3".into() };
    let found = Command::new(&python).args(["-c", "import numpy"]).output();
    if found.as_ref().is_ok_and(|o| o.status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "CI is set, but {} can't import numpy: {found:?}", python.display());
    println!("skipped: {} can't import numpy", python.display());
    None
}

fn read(store: &Path, arguments: &[&str]) -> Option<(Value, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/read_store.py");
    let output = Command::new(python()?).arg(script).arg(store).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    println!("{said}");
    Some((serde_json::from_slice(&output.stdout).unwrap(), said))
}

/// The JSON parser may be off by the last bit.
fn close(a: &Value, b: f64) -> bool {
    a.as_f64().is_some_and(|a| (a - b).abs() <= b.abs() * 4e-16)
}

#[test]
fn numpy_reads_every_section() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hypso");
    // Paths of more than a block of 64 KiB, so that rows lie across blocks.
    let (sources, mut records) = catalogue(4000, 21);
    records.iter_mut().for_each(|r| r.path = format!("prefecture-{:03}/{}", r.file_size % 47, r.path));
    store::write_file(&path, &sources, &records, &Parameters { tile_size: 256, ..Default::default() }).unwrap();
    let store = Store::open(&path).unwrap();
    let some = store.records().bounds(1234);
    let query = Bounds::new(some.min_x - 3e4, some.min_y - 2e4, some.max_x + 5e4, some.max_y + 4e4);
    let edges = format!("{},{},{},{}", query.min_x, query.min_y, query.max_x, query.max_y);
    let Some((seen, said)) = read(&path, &["--rows", "--box", &edges]) else { return };
    assert!(std::env::var_os("CI").is_none() || !said.contains("skipped"), "{said}");

    assert_eq!((&seen["records"], &seen["tile_size"]), (&4000.into(), &256.into()));
    let producer = store.sections().header().producer();
    assert_eq!(seen["header"], serde_json::json!({"version": [1, 3], "producer": producer, "schema": store::SCHEMA}));
    assert_eq!(seen["sections"].as_array().unwrap().len(), store.sections().entries().len());
    assert_eq!(seen["metadata"], serde_json::from_str::<Value>(store.metadata()).unwrap());
    for fact in ["hilbert_order", "ranks_are_a_permutation", "ids_found", "tree_finds_all"] {
        assert_eq!(seen[fact], true, "{fact}");
    }
    if !said.contains("skipped") {
        assert_eq!(seen["ids_are_hashes"], true);
        assert!(seen["rows"][0]["path"].is_string() && seen["rows"][0]["crs"].is_string());
    }
    for record in store.records().iter() {
        let row = &seen["rows"][record.row() as usize];
        let b = record.bounds();
        for (edge, value) in [b.min_x, b.min_y, b.max_x, b.max_y].into_iter().enumerate() {
            assert!(close(&row["bounds"][edge], value), "{row}");
        }
        assert!(close(&row["pixel_size"], record.pixel_size()), "{row}");
        for (name, value) in [
            ("id", Value::from(record.id())),
            ("rank", record.rank().into()),
            ("native_zoom", record.native_zoom().into()),
            ("width", record.width().into()),
            ("height", record.height().into()),
            ("source", record.source_index().into()),
            ("priority", record.priority().into()),
            ("file_size", record.file_size().into()),
            ("modified", record.modified_ns().into()),
            ("nodata", record.nodata().into()),
            ("data_type", record.data_type().name().into()),
        ] {
            assert_eq!(row[name], value, "{name} of {row}");
        }
        for (name, value) in [("path", record.path().unwrap()), ("crs", record.crs().unwrap())] {
            assert!(row[name].is_null() || row[name] == *value, "{name} of {row}");
        }
    }
    for (source, seen) in store.sources().iter().zip(seen["sources"].as_array().unwrap()) {
        for (name, value) in [
            ("name", source.name()),
            ("root", source.root()),
            ("attribution", source.attribution()),
            ("licence", source.licence()),
            ("vertical_datum", source.vertical_datum()),
        ] {
            assert_eq!(seen[name], *value.unwrap(), "{name}");
        }
        assert_eq!(seen["records"], source.record_count());
    }
    let mut rows = Vec::new();
    store.rows_overlapping(query, Order::Row, &mut rows);
    assert!(rows.len() > 3);
    assert_eq!(seen["box"], serde_json::json!(rows));
    tiles(&store, &seen);
}

/// Every run and list, and a sample of tiles through the library's own query.
fn tiles(store: &Store, seen: &Value) {
    let mut random = Random(3);
    let mut counts = [0u64; 23];
    for run in seen["runs"].as_array().unwrap() {
        let (z, start, length) = (run[0].as_u64().unwrap(), run[1].as_u64().unwrap(), run[2].as_u64().unwrap());
        counts[z as usize] += length;
        let some = hypso::tile::TileId(start + random.next() % length).coord().unwrap();
        assert_eq!(u64::from(some.z()), z);
        assert_eq!(run[3], serde_json::json!(store.tiles().sampled_for(some).unwrap()), "{some}");
    }
    assert_eq!(seen["tiles"], serde_json::json!(counts));
    let world = TileCoord::new(0, 0, 0).unwrap();
    for z in 0..=22 {
        assert_eq!(store.tiles().count_subtree(world, z), counts[usize::from(z)]);
    }
}

#[test]
fn numpy_reads_files_of_every_version_and_refuses_damage() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for name in ["v1.hypso", "two-records.hypso"] {
        let store = Store::open(fixtures.join(name)).unwrap();
        let Some((seen, _)) = read(&fixtures.join(name), &[]) else { return };
        assert_eq!(seen["records"], store.len());
    }
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.hypso");
    std::fs::write(&cut, &std::fs::read(fixtures.join("v1.hypso")).unwrap()[..5000]).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/read_store.py");
    let Some(python) = python() else { return };
    let output = Command::new(python).arg(script).arg(cut).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("length"));
}

#[test]
fn zstandard_and_numpy_read_compressed_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.hypso");
    let mut random = Random(17);
    let row = |i: u64| -> Vec<u8> {
        match i % 9 {
            0 => Vec::new(),
            1 => (0..40).map(|_| random.next() as u8).collect(),
            _ => (0..150u64).flat_map(|j| ((j * j + i) as u32).to_le_bytes()).collect(),
        }
    };
    let rows: Vec<Vec<u8>> = (0..700).map(row).collect();
    let trained = hypso::format::rows::train(&rows, 4096).unwrap();
    hypso::container::write_container(&path, "rows", |out| {
        for (name, dictionary) in [("plain", &[][..]), ("trained", &trained)] {
            let mut part = out.begin_ragged(name, rows.len() as u64, Packing::Rows { level: 5, dictionary })?;
            rows.iter().try_for_each(|row| part.push(out, row))?;
            part.end(out)?;
        }
        Ok(())
    })
    .unwrap();
    let hex: Vec<String> = rows.iter().map(|row| row.iter().map(|b| format!("{b:02x}")).collect()).collect();
    for name in ["plain", "trained"] {
        let Some((seen, said)) = read(&path, &["--column", name]) else { return };
        assert!(std::env::var_os("CI").is_none() || !said.contains("skipped"), "{said}");
        assert!(seen.is_null() || seen == serde_json::json!(hex), "{name}");
    }
}

#[test]
fn the_reader_in_the_document_finds_what_covers_a_point() {
    let document = include_str!("../../store-format.md");
    let script = document.split_once("```python\n").unwrap().1.split_once("```").unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    let (reader, path) = (folder.path().join("reader.py"), folder.path().join("a.hypso"));
    std::fs::write(&reader, script).unwrap();
    let (sources, records) = catalogue(3000, 8);
    store::write_file(&path, &sources, &records, &Parameters::default()).unwrap();
    let store = Store::open(&path).unwrap();
    let Some(python) = python() else { return };
    for row in [0, 1234, 2999] {
        let (x, y) = store.records().bounds(row).center();
        let output =
            Command::new(&python).arg(&reader).arg(&path).args([x.to_string(), y.to_string()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap();
        let found: Vec<u32> = printed.lines().map(|l| l.split_once(' ').unwrap().0.parse().unwrap()).collect();
        let mut rows = Vec::new();
        store.rows_overlapping(hypso::query::Place::Point { x, y }, Order::Candidate, &mut rows);
        assert_eq!(found, rows);
        assert!(rows.contains(&row));
    }
}
