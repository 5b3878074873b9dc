//! Files of every version of the format open for ever, with the answers that they gave when they were made.

use crate::common;
use std::path::{Path, PathBuf};

use hypso::container::Container;
#[cfg(feature = "engine")]
use hypso::container::Packing;
use hypso::format::{Codec, Kind, SectionEntry};
use hypso::query::Place;
use hypso::store::{self, DataType, Parameters, RecordInput, SourceInput, Store, verify};
use hypso::tile::{Bounds, MAX_NATIVE_ZOOM, TileCoord};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// What `v1.hypso` was made from: 6 x 6 cells of 5 m, 2 x 2 of 30 m below them, and one of 250 m over all.
fn catalogue() -> (Vec<SourceInput>, Vec<RecordInput>) {
    let source = |name: &str, datum: &str| SourceInput {
        name: name.into(),
        root: format!("/data/{name}").into(),
        attribution: format!("© {name}"),
        licence: "CC BY 4.0".into(),
        vertical_datum: datum.into(),
    };
    let sources = vec![source("fine", "EPSG:6695"), source("middle", ""), source("world", "EGM96")];
    let mut records = Vec::new();
    for (source, side, metres, pixel_size) in
        [(0usize, 6u32, 5000.0, 5.0), (1, 2, 15_000.0, 30.0), (2, 1, 30_000.0, 250.0)]
    {
        for i in 0..side * side {
            let (x, y) = (1.54e7 + f64::from(i % side) * metres, 4.2e6 + f64::from(i / side) * metres);
            records.push(RecordInput {
                source,
                path: format!("{}/{i:03}.tif", ["five", "thirty", "富士"][source]),
                // Cells overlap their neighbours by a pixel.
                bounds: Bounds::new(x, y, x + metres + pixel_size, y + metres + pixel_size),
                pixel_size,
                width: (metres / pixel_size) as u32 + 1,
                height: (metres / pixel_size) as u32 + 1,
                crs: ["EPSG:3857", "EPSG:4326", ""][source].into(),
                nodata: [Some(-9999.0), Some(f64::from(i16::MIN)), None][source],
                data_type: [DataType::F32, DataType::I16, DataType::Unknown][source],
                file_size: 1_000_000 + u64::from(i),
                modified_ns: 1_600_000_000_000_000_000 + i64::from(i) * 1_000_000_007,
                ..RecordInput::default()
            });
        }
    }
    (sources, records)
}

#[test]
fn version_1_opens_with_known_answers() {
    for (name, version, fingerprint) in [("v1.hypso", (1, 0), FINGERPRINT), ("v1.1.hypso", (1, 1), FINGERPRINT_1_1)] {
        opens_with_known_answers(&Store::open(fixture(name)).unwrap(), version, fingerprint);
        let bytes = std::fs::read(fixture(name)).unwrap();
        opens_with_known_answers(&Store::from_bytes(bytes).unwrap(), version, fingerprint);
    }
}

fn opens_with_known_answers(store: &Store, version: (u16, u16), fingerprint: u64) {
    assert_eq!(store.sections().header().version(), version);
    assert_eq!((store.len(), store.tile_size(), store.sources().len()), (41, 512, 3));
    assert_eq!(verify(store), []);
    let at = |x: f64, y: f64| -> Vec<String> {
        store.overlapping(Place::Point { x, y }).map(|r| r.path().unwrap().into_owned()).collect()
    };
    assert_eq!(at(15_401_000.0, 4_201_000.0), ["five/000.tif", "thirty/000.tif", "富士/000.tif"]);
    assert_eq!(at(15_430_100.0, 4_201_000.0), ["富士/000.tif"]);
    assert_eq!(at(15_405_002.0, 4_201_000.0), ["five/000.tif", "five/001.tif", "thirty/000.tif", "富士/000.tif"]);
    assert!(at(0.0, 0.0).is_empty());
    let record = store.by_id(0x34ca_2e15_27e0_0ff4).unwrap();
    assert_eq!((record.path().unwrap(), record.crs().unwrap()), ("富士/000.tif".into(), "".into()));
    assert_eq!((record.native_zoom(), record.rank(), record.nodata()), (9, 40, None));
    assert_eq!(record.full_path().unwrap(), Path::new("/data/world/富士/000.tif"));
    let counts: Vec<u64> = (0..=MAX_NATIVE_ZOOM).map(|z| store.tiles().count(z)).collect();
    assert_eq!(counts, COUNTS);
    let tile: TileCoord = "9/452/202".parse().unwrap();
    // Its eastern edge, x = 15 419 488.84 m, leaves two columns of fine cells to its neighbour.
    assert_eq!(store.overlapping(tile).count(), 24 + 4 + 1);
    assert_eq!(store.tiles().sampled_for(tile).unwrap(), [WORLD_ROW]);
    assert_eq!(store.fingerprint(), fingerprint);
}

#[test]
fn every_value_of_version_1_is_as_it_was() {
    let store = Store::open(fixture("v1.hypso")).unwrap();
    let (sources, records) = catalogue();
    for input in &records {
        let r = store.by_id(store::record_id(&sources[input.source].name, &input.path)).unwrap();
        assert_eq!(r.path().unwrap(), input.path);
        assert_eq!((r.bounds(), r.pixel_size()), (input.bounds, input.pixel_size));
        assert_eq!((r.width(), r.height(), r.crs().unwrap().as_ref()), (input.width, input.height, input.crs.as_str()));
        assert_eq!((r.nodata(), r.data_type()), (input.nodata, input.data_type));
        assert_eq!((r.file_size(), r.modified_ns()), (input.file_size, input.modified_ns));
        let source = r.source().unwrap();
        assert_eq!(source.name().unwrap(), sources[input.source].name);
        assert_eq!(source.vertical_datum().unwrap(), sources[input.source].vertical_datum);
        assert_eq!(source.attribution().unwrap(), sources[input.source].attribution);
    }
    assert_eq!(records.len(), store.len() as usize);
}

#[test]
fn today_writes_the_same_rows_and_indices() {
    let (sources, records) = catalogue();
    let fresh = Store::from_bytes(common::store_bytes(&sources, &records)).unwrap();
    let kept = ["v1.hypso", "v1.1.hypso"].map(|name| Store::open(fixture(name)).unwrap());
    // What is added to the format gets a version and a kept file.
    for entry in fresh.sections().entries() {
        let known = |e: &SectionEntry| e.name() == entry.name() && e.kind_number() == entry.kind_number();
        assert!(kept[1].sections().entries().iter().any(known), "{}", entry.name());
    }
    for entry in kept.iter().flat_map(|k| k.sections().entries()) {
        let name = entry.name();
        // How frames are packed is the compressor's business.
        if ["record.path", "crs.name"].contains(&name.as_str()) {
            continue;
        }
        let same =
            fresh.sections().entries().iter().find(|e| e.name() == name && e.kind_number() == entry.kind_number());
        assert_eq!(
            same.map(|e| (e.element(), e.count(), e.checksum())),
            Some((entry.element(), entry.count(), entry.checksum())),
            "{name}"
        );
    }
}

/// The catalogue with what came with version 1.3: further files, bands, units, scales and blocks of some records.
fn catalogue_1_3() -> (Vec<SourceInput>, Vec<RecordInput>) {
    let (sources, mut records) = catalogue();
    for (i, record) in (0u32..).zip(&mut records) {
        record.parts = if i % 3 == 0 { 0x9e37_79b9_7f4a_7c15 ^ u64::from(i) } else { 0 };
        record.band = i % 2;
        record.unit = if i % 5 == 0 { 0.3048 } else { 0.0 };
        record.scale = if i % 7 == 0 { -0.1 } else { 0.0 };
        (record.block_width, record.block_height) = if i % 4 == 0 { (0, 0) } else { (256, 1 + i) };
        record.block_cell = if i % 6 == 1 { 5 } else { 0 };
    }
    (sources, records)
}

#[test]
fn optional_columns_of_version_1_3_open_with_known_answers() {
    let store = Store::open(fixture("v1.3.hypso")).unwrap();
    assert_eq!((store.sections().header().version(), verify(&store)), ((1, 3), vec![]));
    let (sources, records) = catalogue_1_3();
    for input in &records {
        let r = store.by_id(store::record_id(&sources[input.source].name, &input.path)).unwrap();
        assert_eq!((r.parts(), r.band(), r.unit(), r.scale()), (input.parts, input.band, input.unit, input.scale));
        let block = (input.block_width, input.block_height, input.block_cell);
        assert_eq!((r.block_width(), r.block_height(), r.block_cell()), block);
        let cell = if block.2 == 0 { input.data_type.bytes() } else { 5 };
        assert_eq!(r.block_bytes(), u64::from(block.0) * u64::from(block.1) * cell);
    }
    let mut read = Vec::new();
    store
        .each_input(|record| {
            read.push(record);
            Ok(())
        })
        .unwrap();
    read.sort_by(|a, b| (a.source, &a.path).cmp(&(b.source, &b.path)));
    assert_eq!(read, records);
    // Before, nothing was said of further files; without the columns, there are none.
    let before = Store::open(fixture("v1.1.hypso")).unwrap();
    assert!(before.records().iter().all(|r| (r.parts(), r.band(), r.unit(), r.scale()) == (0, 0, 0.0, 0.0)));
    assert!(store.knows_parts() && !before.knows_parts());
    assert!(before.records().iter().all(|r| (r.block_width(), r.block_height(), r.block_bytes()) == (0, 0, 0)));
    let (sources, records) = catalogue();
    let plain = Store::from_bytes(common::store_bytes(&sources, &records)).unwrap();
    assert!(plain.knows_parts() && plain.records().iter().all(|r| r.parts() == 0));
}

/// Makes `v1.3.hypso`: `cargo test --test store golden::make_the_file_of_1_3 -- --ignored`.
#[test]
#[ignore = "a kept file is never made anew; for the next version of the format"]
fn make_the_file_of_1_3() {
    let (sources, records) = catalogue_1_3();
    store::write_file(fixture("v1.3.hypso"), &sources, &records, &Parameters::default()).unwrap();
}

/// What `v1.2-parts.hypso` holds: the parts that came with version 1.2.
fn rows() -> Vec<Vec<u8>> {
    let row = |i: u32| match i % 8 {
        0 => Vec::new(),
        1 => (0..50).map(|j| ((i * 97 + j * j * 31) % 251) as u8).collect(),
        _ => (0..40u32).map(|j| j * j * 7777).chain([i]).flat_map(u32::to_le_bytes).collect(),
    };
    (0..240).map(row).collect()
}

#[test]
fn parts_of_version_1_2_open_with_known_answers() {
    let file = Container::open(fixture("v1.2-parts.hypso")).unwrap();
    assert_eq!((file.sections().header().version(), file.verify_checksums()), ((1, 2), vec![]));
    for name in ["plain", "trained"] {
        let column = file.ragged(name).unwrap();
        let mut reader = column.reader().unwrap();
        assert_eq!(column.len(), 240);
        for (row, expected) in rows().iter().enumerate() {
            assert_eq!((reader.get(row).unwrap(), &*column.get(row).unwrap()), (&**expected, &**expected));
        }
        // They are compressed, some with the dictionary.
        assert!(file.sections().find(name, Kind::Bytes).unwrap().codec() == Some(Codec::ZstdRows));
    }
    let lengths = ["plain", "trained"].map(|name| file.sections().find(name, Kind::Bytes).unwrap().length());
    assert!(lengths[1] * 2 < lengths[0], "{lengths:?}");
    let (direct, bitmap) = (file.signed_direct_ids("direct").unwrap(), file.signed_bitmap_ids("bitmap").unwrap());
    for (row, id) in (0..).zip((-120i64..120).map(|i| 3 * i)) {
        assert_eq!((direct.row(id), bitmap.row(id), bitmap.id(row)), (Some(row), Some(row), Some(id)));
        assert_eq!((direct.row(id + 1), bitmap.row(id + 1)), (None, None));
    }
}

/// Makes `v1.2-parts.hypso`: `cargo test --test store make_the_parts -- --ignored`.
#[test]
#[ignore = "a kept file is never made anew; for the next version of the format"]
#[cfg(feature = "engine")]
fn make_the_parts() {
    let rows = rows();
    let trained = hypso::format::rows::train(&rows, 1024).unwrap();
    hypso::container::write_container(fixture("v1.2-parts.hypso"), "parts", |out| {
        for (name, dictionary) in [("plain", &[][..]), ("trained", &trained)] {
            let mut part = out.begin_ragged(name, rows.len() as u64, Packing::Rows { level: 9, dictionary })?;
            rows.iter().try_for_each(|row| part.push(out, row))?;
            part.end(out)?;
        }
        let ids: Vec<i64> = (-120..120).map(|i| 3 * i).collect();
        out.signed_direct_ids("direct", &ids)?;
        out.signed_bitmap_ids("bitmap", &ids)
    })
    .unwrap();
}

/// Makes `v1.1.hypso` and prints the known answers: `cargo test --test store golden::make_the_file -- --exact --ignored --nocapture`.
#[test]
#[ignore = "a kept file is never made anew; for the next version of the format"]
fn make_the_file() {
    let (sources, records) = catalogue();
    store::write_file(fixture("v1.1.hypso"), &sources, &records, &Parameters::default()).unwrap();
    let store = Store::open(fixture("v1.1.hypso")).unwrap();
    let world = store.records().iter().find(|r| r.source_index() == 2).unwrap();
    println!("{:#x} {} {} {}", world.id(), world.row(), world.native_zoom(), world.rank());
    println!(
        "{:#x} {:?}",
        store.fingerprint(),
        (0..=MAX_NATIVE_ZOOM).map(|z| store.tiles().count(z)).collect::<Vec<_>>()
    );
    for record in store.overlapping(Place::Point { x: 15_405_002.0, y: 4_201_000.0 }) {
        println!("{} {:?}", record.path().unwrap(), record.bounds());
    }
    println!(
        "{} {:?}",
        TileCoord::at(15_401_000.0, 4_201_000.0, 9),
        std::fs::metadata(fixture("v1.1.hypso")).unwrap().len()
    );
}

const FINGERPRINT_1_1: u64 = 0xee6a_41de_1927_ef91;

const COUNTS: [u64; 23] = [1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 4, 6, 16, 49, 169, 0, 0, 0, 0, 0, 0, 0, 0];
const WORLD_ROW: u32 = 16;
const FINGERPRINT: u64 = 0xea6b_a0c6_cb95_603f;
