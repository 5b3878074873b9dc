//! The store against a scan of its records, and against damage.

use crate::common::{Random, catalogue, store, store_bytes};
use hypso::Error;
use hypso::query::{Answers, Order, Place};
use hypso::store::{Builder, Parameters, RecordInput, Store, verify};
use hypso::tile::{Bounds, MAX_NATIVE_ZOOM, TileCoord, TileId, TileRange};

#[test]
fn holds_every_attribute_of_every_record() {
    let (sources, records) = catalogue(2000, 1);
    let store = Store::from_bytes(store_bytes(&sources, &records)).unwrap();
    assert_eq!(store.len(), 2000);
    assert_eq!(store.tile_size(), 512);
    for input in &records {
        let id = hypso::store::record_id(&sources[input.source].name, &input.path);
        let r = store.by_id(id).expect("every id is found");
        assert_eq!(
            (r.bounds(), r.pixel_size(), r.width(), r.height()),
            (input.bounds, input.pixel_size, input.width, input.height)
        );
        assert_eq!((r.path().unwrap().as_ref(), r.crs().unwrap().as_ref()), (input.path.as_str(), input.crs.as_str()));
        assert_eq!(
            (r.nodata(), r.data_type(), r.file_size(), r.modified_ns()),
            (input.nodata, input.data_type, input.file_size, input.modified_ns)
        );
        assert_eq!(usize::from(r.source_index()), input.source);
        assert_eq!(r.full_path().unwrap(), sources[input.source].root.join(&input.path));
    }
    for (i, source) in store.sources().iter().enumerate() {
        assert_eq!(source.name().unwrap(), sources[i].name);
        assert_eq!(source.attribution().unwrap(), sources[i].attribution);
        assert_eq!(source.licence().unwrap(), sources[i].licence);
        assert_eq!(source.vertical_datum().unwrap(), sources[i].vertical_datum);
        assert_eq!(source.record_count(), records.iter().filter(|r| r.source == i).count() as u64);
    }
    assert_eq!(verify(&store), []);
}

#[test]
fn answers_equal_a_scan_in_both_orders() {
    let store = store(3000, 2);
    let records = store.records();
    let mut random = Random(7);
    let mut rows = Vec::new();
    for n in 0..400 {
        let some = records.bounds((random.next() % 3000) as u32);
        let size = [10.0, 1000.0, 30_000.0, 3e6][n % 4] * random.unit();
        let (x, y) = (some.min_x + (random.unit() - 0.2) * 2000.0, some.min_y + (random.unit() - 0.2) * 2000.0);
        let query = Bounds::new(x, y, x + size, y + size);
        let scan: Vec<u32> = (0..store.len()).filter(|&r| records.bounds(r).overlaps(&query)).collect();
        store.rows_overlapping(query, Order::Row, &mut rows);
        assert_eq!(rows, scan);
        store.rows_overlapping(query, Order::Candidate, &mut rows);
        assert!(rows.windows(2).all(|w| records.rank[w[0] as usize] < records.rank[w[1] as usize]));
        let keys: Vec<_> =
            rows.iter().map(|&r| store.record(r).map(|r| (r.priority(), r.pixel_size())).unwrap()).collect();
        // Sizes that are alike to a millionth count as equal.
        assert!(keys.windows(2).all(|w| w[0] <= (w[1].0, w[1].1 * (1.0 + 1e-6))));
        rows.sort_unstable();
        assert_eq!(rows, scan);
        let at: Vec<u32> = (0..store.len()).filter(|&r| records.bounds(r).contains_point(x, y)).collect();
        store.rows_overlapping(Place::Point { x, y }, Order::Row, &mut rows);
        assert_eq!(rows, at);
    }
    store.rows_overlapping(Place::Point { x: f64::NAN, y: 0.0 }, Order::Row, &mut rows);
    assert!(rows.is_empty());
}

#[test]
fn tiles_of_a_box_are_those_that_share_area_with_it() {
    let store = store(400, 14);
    let tiles = store.tiles();
    let mut random = Random(8);
    for n in 0..40 {
        let some = store.records().bounds((random.next() % 400) as u32);
        let side = [500.0, 20_000.0, 1e6, 1e8][n % 4];
        let q =
            Bounds::new(some.min_x - side * random.unit(), some.min_y, some.max_x, some.max_y + side * random.unit());
        // Edges that are those of tiles as well.
        let q = if n % 3 == 0 { TileCoord::at(some.min_x, some.max_y, 11).bounds() } else { q };
        for z in [0, 5, 9, 12, 14] {
            let expected: Vec<u64> = tiles
                .iter_subtree(TileCoord::new(0, 0, 0).unwrap(), z)
                .filter(|t| t.bounds().overlaps(&q))
                .map(|t| TileId::from(t).0)
                .collect();
            let mut found = Vec::new();
            tiles.runs_in_bounds(&q, z, |run| found.extend(run));
            assert_eq!(found, expected, "zoom {z}, {q:?}");
            assert_eq!(tiles.count_in_bounds(&q, z), expected.len() as u64);
        }
    }
    assert_eq!(tiles.count_in_bounds(&Bounds::new(-1e9, -1e9, 1e9, 1e9), 200), 0);
}

#[test]
fn batches_answer_as_one_by_one() {
    let store = store(3000, 9);
    let mut random = Random(5);
    let tiles: Vec<TileCoord> = (0..101)
        .map(|n| {
            let b = store.records().bounds((random.next() % 3000) as u32);
            TileCoord::at(b.min_x, b.max_y, [3, 9, 13, 16, 18][n % 5])
        })
        .collect();
    let mut boxes: Vec<Bounds> = tiles.iter().map(|t| t.bounds()).collect();
    boxes[17] = Bounds::new(f64::NAN, 0.0, 1.0, 1.0);
    boxes[18] = Bounds::new(-3e7, -3e7, 3e7, 3e7);
    let points: Vec<Place> = boxes.iter().map(|b| Place::Point { x: b.center().0, y: b.center().1 }).collect();
    let (mut answers, mut rows) = (Answers::new(), Vec::new());
    assert!(answers.is_empty() && answers.get(0).is_none());
    for order in [Order::Row, Order::Candidate] {
        store.rows_overlapping_batch(&boxes, order, &mut answers);
        assert_eq!(answers.len(), boxes.len());
        for (i, b) in boxes.iter().enumerate() {
            store.rows_overlapping(*b, order, &mut rows);
            assert_eq!(answers.get(i).unwrap(), rows, "box {i}");
        }
        store.rows_overlapping_batch(&points, order, &mut answers);
        for (&point, found) in points.iter().zip(answers.iter()) {
            store.rows_overlapping(point, order, &mut rows);
            assert_eq!(found, rows);
        }
        store.rows_overlapping_batch(&tiles, order, &mut answers);
        for (tile, found) in tiles.iter().zip(answers.iter()) {
            store.rows_overlapping(*tile, order, &mut rows);
            assert_eq!(found, rows);
        }
    }
    let mut ids: Vec<u64> = store.records().iter().map(|r| r.id()).collect();
    ids.extend([0, 1, u64::MAX]);
    let mut found = Vec::new();
    store.rows_by_id_batch(&ids, &mut found);
    let expected: Vec<Option<u32>> = (0..3000).map(Some).chain([None; 3]).collect();
    assert_eq!(found, expected);
    store.rows_overlapping_batch::<Place>(&[], Order::Row, &mut answers);
    assert!(answers.is_empty());
}

#[test]
fn points_on_a_tiles_own_edges_are_covered() {
    let store = store(300, 3);
    for record in store.records().iter() {
        let b = record.bounds();
        for (x, y) in [(b.min_x, b.min_y), (b.max_x, b.max_y), (b.min_x, b.max_y)] {
            assert!(store.overlapping(Place::Point { x, y }).any(|r| r.row() == record.row()));
        }
    }
}

#[test]
fn nearest_equals_a_scan() {
    let store = store(500, 4);
    let mut random = Random(11);
    for _ in 0..50 {
        let (x, y) = (1.3e7 + random.unit() * 3e6, 3.5e6 + random.unit() * 3e6);
        let distance =
            |b: Bounds| (b.min_x - x).max(x - b.max_x).max(0.0).hypot((b.min_y - y).max(y - b.max_y).max(0.0));
        let mut scan: Vec<f64> = store.records().iter().map(|r| distance(r.bounds())).collect();
        scan.sort_by(f64::total_cmp);
        let found: Vec<f64> = store.nearest(Place::Point { x, y }, 7).iter().map(|n| n.distance).collect();
        assert_eq!(found, scan[..7]);
    }
    assert_eq!(store.nearest(Place::Point { x: 0.0, y: 0.0 }, 1000).len(), 500);
}

#[test]
fn tile_index_equals_its_definition() {
    let store = store(400, 5);
    let records = store.records();
    let tiles = store.tiles();
    assert_eq!(tiles.max_zoom(), records.native_zoom.iter().copied().max());
    for z in 0..=14 {
        let mut expected = std::collections::BTreeMap::new();
        for record in records.iter().filter(|r| r.native_zoom() >= z) {
            for tile in TileRange::covering(&record.bounds(), z).unwrap().iter() {
                expected.entry(tile).or_insert_with(|| {
                    let sampled = store.overlapping(tile).filter(|r| r.native_zoom() <= z);
                    sampled.map(|r| r.row()).collect::<Vec<_>>()
                });
            }
        }
        assert_eq!(tiles.count(z), expected.len() as u64, "zoom {z}");
        for (tile, rows) in &expected {
            assert_eq!(tiles.sampled_for(*tile), Some(rows.as_slice()), "{tile}");
            assert_eq!(
                tiles.count_subtree(tile.ancestor(z / 2).unwrap(), z),
                expected.keys().filter(|t| t.ancestor(z / 2) == tile.ancestor(z / 2)).count() as u64
            );
        }
        let world = TileCoord::new(0, 0, 0).unwrap();
        assert!(tiles.iter_subtree(world, z).all(|t| expected.contains_key(&t)));
        assert_eq!(tiles.iter_subtree(world, z).count(), expected.len());
        assert_eq!(
            tiles.sampled_for(TileCoord::new(z, 0, 0).unwrap()).is_some(),
            z == 0 || expected.contains_key(&TileCoord::new(z, 0, 0).unwrap())
        );
    }
    assert_eq!(tiles.count(MAX_NATIVE_ZOOM), 0);
}

#[test]
fn the_same_bytes_whatever_the_order_of_records() {
    let (sources, mut records) = catalogue(700, 6);
    let bytes = store_bytes(&sources, &records);
    records.reverse();
    assert!(bytes == store_bytes(&sources, &records));
}

#[test]
fn an_empty_store_answers_nothing() {
    let (sources, _) = catalogue(0, 0);
    let store = Store::from_bytes(store_bytes(&sources, &[])).unwrap();
    assert!(store.is_empty() && store.by_id(5).is_none() && store.record(0).is_none());
    assert_eq!(store.overlapping(TileCoord::new(0, 0, 0).unwrap()).count(), 0);
    assert!(store.nearest(Bounds::new(0.0, 0.0, 1.0, 1.0), 3).is_empty());
    assert_eq!(store.tiles().max_zoom(), None);
    assert_eq!(verify(&store), []);
}

#[test]
fn cut_off_files_are_refused_at_every_length() {
    let (sources, records) = catalogue(50, 8);
    let bytes = store_bytes(&sources, &records);
    for length in (0..bytes.len()).step_by(61).chain([0, 1, 8, 127, 128, 4095, 4096, bytes.len() - 1]) {
        assert!(Store::from_bytes(bytes[..length].to_vec()).is_err(), "{length}");
    }
    assert!(Store::from_bytes([bytes.as_slice(), b"x"].concat()).is_err());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (sources, records) = catalogue(40, 9);
    let bytes = store_bytes(&sources, &records);
    let store = Store::from_bytes(bytes.clone()).unwrap();
    let covered = |at: usize| {
        let table = 128 + store.sections().entries().len() * 64;
        let mut sections = store.sections().entries().iter();
        at < table || sections.any(|e| (e.offset()..e.offset() + e.length()).contains(&(at as u64)))
    };
    for at in (0..bytes.len()).step_by(13) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        match Store::from_bytes(altered) {
            Err(e) => assert!(!e.to_string().is_empty()),
            Ok(store) => assert_eq!(verify(&store).is_empty(), !covered(at), "byte {at}"),
        }
    }
}

#[test]
fn messages_name_the_problem_and_the_remedy() {
    let (sources, records) = catalogue(10, 10);
    let bytes = store_bytes(&sources, &records);
    let message = |bytes: Vec<u8>| Store::from_bytes(bytes).unwrap_err().to_string();
    assert!(message(b"SQLite format 3\0 and so on".to_vec()).contains("not a hypso store"));
    assert!(message(bytes[..bytes.len() - 9].to_vec()).contains("cut off"));
    let mut newer = bytes.clone();
    newer[8] = 2;
    let error = Store::from_bytes(newer).unwrap_err();
    assert!(matches!(error, Error::UnsupportedVersion { found: (2, 3), supported: (1, 3), .. }));
    assert!(error.to_string().contains("version 2.3") && error.to_string().contains("newer hypso"));
    let mut twice = records.clone();
    twice.push(records[0].clone());
    let error = hypso::store::write(std::io::Cursor::new(vec![]), &sources, &twice, &Default::default()).unwrap_err();
    assert!(error.to_string().contains(&records[0].path));
}

#[test]
fn a_builder_gives_the_same_bytes_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hypso");
    let (sources, mut records) = catalogue(5000, 12);
    let expected = store_bytes(&sources, &records);
    let mut random = Random(3);
    for budget in [20_000, 100_000, usize::MAX] {
        for i in (1..records.len()).rev() {
            records.swap(i, (random.next() % (i as u64 + 1)) as usize);
        }
        let mut builder = Builder::new(&sources, &Default::default()).unwrap().memory(budget).scratch_beside(&path);
        records.iter().for_each(|r| builder.add(r).unwrap());
        assert_eq!(builder.len(), 5000);
        builder.finish_file(&path).unwrap();
        assert!(std::fs::read(&path).unwrap() == expected, "budget {budget}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no scratch file is left");
    }
    // A file that is there twice is found whatever lies between, and whether or not its footprint is the same.
    let again = RecordInput { bounds: Bounds::new(0.0, 0.0, 1.0, 1.0), ..records[17].clone() };
    for again in [again, records[17].clone()] {
        let mut builder = Builder::new(&sources, &Default::default()).unwrap().memory(100_000).scratch_beside(&path);
        records.iter().chain([&again]).for_each(|r| builder.add(r).unwrap());
        let error = builder.finish_file(&path).unwrap_err().to_string();
        assert!(error.contains(&again.path) && error.contains("name each file once"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    let none = folder.path().join("none/a.hypso");
    let mut builder = Builder::new(&sources, &Default::default()).unwrap().memory(1).scratch_beside(&none);
    assert!(builder.add(&records[0]).unwrap_err().to_string().contains("none"));
}

#[test]
fn a_file_is_replaced_under_open_readers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.hypso");
    let (sources, records) = catalogue(100, 11);
    hypso::store::write_file(&path, &sources, &records, &Default::default()).unwrap();
    let old = Store::open(&path).unwrap();
    hypso::store::write_file(&path, &sources, &records[..10], &Default::default()).unwrap();
    assert_eq!((old.len(), Store::open(&path).unwrap().len()), (100, 10));
    assert_eq!(verify(&old), []);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    assert!(Store::open(folder.path()).unwrap_err().to_string().contains("folder"));
    assert!(Store::open(folder.path().join("none")).unwrap_err().to_string().contains("none"));
}

#[test]
fn sizes_that_differ_by_rounding_leave_the_order_to_the_path() {
    let (sources, template) = catalogue(1, 1);
    let record = |path: &str, pixel_size: f64| RecordInput { path: path.into(), pixel_size, ..template[0].clone() };
    // Two products of one source; within each the sizes are noise.
    let noise = [0.0, 3e-8, -2e-8, 1e-9, 4e-7, -3e-7];
    let mut records: Vec<RecordInput> = (0..6).map(|i| record(&format!("b{i}.tif"), 30.0 * (1.0 + noise[i]))).collect();
    records.extend((0..6).map(|i| record(&format!("a{i}.tif"), 30.1 * (1.0 - noise[i]))));
    let paths = |records: &[RecordInput]| {
        let store = Store::from_bytes(store_bytes(&sources, records)).unwrap();
        assert_eq!(verify(&store), []);
        let mut rows: Vec<_> = store.records().iter().collect();
        rows.sort_by_key(|r| r.rank());
        rows.iter().map(|r| r.path().unwrap().into_owned()).collect::<Vec<_>>()
    };
    let want: Vec<String> = ["b", "a"].iter().flat_map(|p| (0..6).map(move |i| format!("{p}{i}.tif"))).collect();
    assert_eq!(paths(&records), want);
    records.reverse();
    assert_eq!(paths(&records), want, "whatever the order in which files are found");
    // Every further record leaves the others' order as it is.
    records.push(record("c.tif", 29.0));
    assert_eq!(paths(&records)[1..], want);
}

#[test]
fn metadata_takes_json_under_names_of_its_own() {
    let (sources, records) = catalogue(5, 1);
    let write = |metadata: &[(&str, &str)]| {
        let metadata = metadata.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let parameters = Parameters { metadata, ..Parameters::default() };
        hypso::store::write(std::io::Cursor::new(Vec::new()), &sources, &records, &parameters).map(|w| w.into_inner())
    };
    let store = Store::from_bytes(write(&[("a\"\u{7f}", "[1, {\"b\": null}]"), ("é", "\"\"")]).unwrap()).unwrap();
    assert_eq!(verify(&store), []);
    assert!(store.metadata().ends_with(",\"a\\\"\u{7f}\":[1, {\"b\": null}],\"é\":\"\"}"), "{}", store.metadata());
    for (metadata, words) in [
        (&[("a", "plain words")][..], "metadata \"a\": is no JSON"),
        (&[("a", "1,\"tile_size\":3")], "is no JSON"),
        (&[("a", "")], "is no JSON"),
        (&[("tile_size", "3")], "taken"),
        (&[("a", "1"), ("a", "2")], "taken"),
    ] {
        let error = write(metadata).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
