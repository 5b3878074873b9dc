//! Files of any schema: every part comes back as it was written, and damage does no harm.

use std::collections::HashMap;
use std::io::Cursor;

use crate::common::{Random, catalogue, store_bytes};
use hypso::column::Batch;
use hypso::container::{Advice, Container, ContainerBuilder, Packing, write_container};
use hypso::format::{checksum::checksum, layout, rows};
use hypso::store::Store;
use hypso::tile::Bounds;
use proptest::prelude::*;

/// What the tests store: one row for each box.
#[derive(Debug, Clone)]
struct Things {
    boxes: Vec<Bounds>,
    names: Vec<String>,
    classes: Vec<String>,
    near: Vec<Vec<u32>>,
    hashes: Vec<u64>,
    numbers: Vec<u64>,
}

fn things(rows: usize, seed: u64) -> Things {
    let mut random = Random(seed);
    let mut of = |n: u64| random.next() % n;
    let mut numbers: Vec<u64> = (0..rows as u64).map(|i| 70_000 + i * 3 + of(3)).collect();
    numbers.dedup();
    let mut out = Things { boxes: vec![], names: vec![], classes: vec![], near: vec![], hashes: vec![], numbers };
    for row in 0..rows as u64 {
        let (x, y) = (of(4_000_000) as f64, of(4_000_000) as f64);
        // Every other row is a point.
        let side = if row % 2 == 0 { 0.0 } else { of(90_000) as f64 };
        out.boxes.push(Bounds::new(x, y, x + side, y + side));
        out.names.push("é".repeat(of(9) as usize) + &row.to_string());
        out.classes.push(["", "coast", "mountain", "polar"][of(4) as usize].into());
        out.near.push((0..of(5)).map(|_| of(rows as u64) as u32).collect());
        out.hashes.push(row.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    out
}

fn write(t: &Things, out: &mut ContainerBuilder<impl std::io::Write + std::io::Seek>) -> hypso::Result<()> {
    out.json("meta", "{\"made\":\"for a test\"}")?;
    out.boxes("thing", &t.boxes)?;
    out.ragged("thing.name", &t.names, false)?;
    out.ragged("thing.packed", &t.names, true)?;
    out.dictionary("thing.class", &t.classes)?;
    out.list("thing.near", &t.near)?;
    out.ids("hash", &t.hashes)?;
    out.direct_ids("direct", &t.numbers)?;
    out.bitmap_ids("bitmap", &t.numbers)?;
    let signed = signed(t);
    out.signed_direct_ids("signed", &signed)?;
    out.signed_bitmap_ids("signed.b", &signed)?;
    // Compressed one by one, with a dictionary where there is enough to make one of.
    let rows: Vec<Vec<u8>> = (0..t.boxes.len()).map(|row| blob(t, row)).collect();
    for (name, dictionary) in [("thing.rows", vec![]), ("thing.trained", rows::train(&rows, 2000).unwrap_or_default())]
    {
        let packing = Packing::Rows { level: 9, dictionary: &dictionary };
        let mut part = out.begin_ragged(name, rows.len() as u64, packing)?;
        rows.iter().try_for_each(|row| part.push(out, row))?;
        part.end(out)?;
    }
    out.column("thing.count", &(0..t.boxes.len() as i64).map(|i| -i).collect::<Vec<_>>())
}

/// Every second number, from below 0 to above.
fn signed(t: &Things) -> Vec<i64> {
    (0..t.boxes.len() as i64).map(|i| 2 * i - t.boxes.len() as i64).collect()
}

/// Rows of some hundred bytes that are much alike; every tenth is empty, and every seventh is noise.
fn blob(t: &Things, row: usize) -> Vec<u8> {
    let mut random = Random(row as u64);
    match row {
        _ if row % 10 == 3 => Vec::new(),
        _ if row % 7 == 2 => (0..random.next() % 300).map(|_| random.next() as u8).collect(),
        _ => (0..100u32).flat_map(|i| (i * i).to_le_bytes()).chain(t.names[row].bytes()).collect(),
    }
}

fn bytes(t: &Things) -> Vec<u8> {
    let mut out = ContainerBuilder::new(Cursor::new(Vec::new()), "things").unwrap();
    write(t, &mut out).unwrap();
    out.finish().unwrap().into_inner()
}

fn check(file: &Container, t: &Things) {
    let rows = t.boxes.len();
    assert_eq!((file.schema().as_str(), file.json("meta").unwrap()), ("things", "{\"made\":\"for a test\"}"));
    assert_eq!(file.column::<i64>("thing.count").unwrap().len(), rows);
    let (name, packed, class) = (
        file.ragged("thing.name").unwrap(),
        file.ragged("thing.packed").unwrap(),
        file.dictionary("thing.class").unwrap(),
    );
    let near = file.list::<u32>("thing.near").unwrap();
    let (boxes, ids) = (file.boxes("thing").unwrap(), file.ids("hash").unwrap());
    let (direct, bitmap) = (file.direct_ids("direct").unwrap(), file.bitmap_ids("bitmap").unwrap());
    assert_eq!([name.len(), packed.len(), class.len(), near.len(), boxes.len(), bitmap.len() as usize], [rows; 6]);
    for row in 0..rows {
        assert_eq!((&*name.text(row).unwrap(), &*packed.text(row).unwrap()), (&*t.names[row], &*t.names[row]));
        assert_eq!(class.text(row).unwrap(), t.classes[row]);
        assert_eq!(class.code(&t.classes[row]).unwrap(), Some(class.codes()[row]));
        assert_eq!(near.get(row).unwrap(), t.near[row]);
        assert_eq!(boxes.get(row as u32), Some(t.boxes[row]));
        let (number, hash, row) = (t.numbers[row], t.hashes[row], row as u32);
        assert_eq!((ids.row(hash), direct.row(number), bitmap.row(number)), (Some(row), Some(row), Some(row)));
        assert_eq!(bitmap.id(row), Some(number));
    }
    let (direct, bitmap) = (file.signed_direct_ids("signed").unwrap(), file.signed_bitmap_ids("signed.b").unwrap());
    for (row, id) in (0..).zip(signed(t)) {
        assert_eq!((direct.row(id), bitmap.row(id), bitmap.id(row)), (Some(row), Some(row), Some(id)));
        assert_eq!((direct.row(id + 1), bitmap.row(id - 1)), (None, None));
    }
    bitmap.verify().unwrap();
    assert_eq!((bitmap.len() as usize, direct.row(i64::MIN), bitmap.row(i64::MAX)), (rows, None, None));
    for name in ["thing.rows", "thing.trained"] {
        let column = file.ragged(name).unwrap();
        let (mut reader, mut batch) = (column.reader().unwrap(), Batch::new());
        for row in 0..rows {
            let expected = blob(t, row);
            assert_eq!((&*column.get(row).unwrap(), column.row_length(row).unwrap()), (&*expected, expected.len()));
            assert_eq!(reader.get(row).unwrap(), expected);
            let stored = column.stored(row).unwrap();
            assert!(stored.len() <= expected.len() && file.advise_bytes(Advice::WillNeed, stored).is_ok());
        }
        let order: Vec<usize> = (0..rows).rev().step_by(3).chain(0..rows.min(2)).collect();
        for _ in 0..2 {
            reader.batch(order.iter().copied(), &mut batch).unwrap();
            assert_eq!(batch.len(), order.len());
            assert!(batch.iter().zip(&order).all(|(found, &row)| found == blob(t, row)));
            assert!((0..batch.len()).all(|place| batch.get(place).unwrap().as_ptr().addr() % 8 == 0));
        }
        assert!(reader.get(rows).is_err() && reader.batch([0, rows], &mut batch).is_err());
        assert_eq!((batch.len(), batch.get(batch.len())), (rows.min(1), None));
        column.check_offsets().unwrap();
        let mut seen = 0;
        column
            .for_each(|row, bytes| {
                seen += usize::from(bytes == blob(t, row));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, rows);
    }
    // Raw and in blocks, a reader gives the same.
    for name in ["thing.name", "thing.packed"] {
        let mut batch = Batch::new();
        file.ragged(name).unwrap().reader().unwrap().batch(0..rows, &mut batch).unwrap();
        assert!(batch.iter().zip(&t.names).all(|(found, name)| found == name.as_bytes()) && batch.len() == rows);
    }
    near.check_offsets().unwrap();
    name.check_offsets().unwrap();
    bitmap.verify().unwrap();
    assert_eq!(class.code("desert").unwrap(), None);
    assert!(near.get(rows).is_err() && near.get(usize::MAX).is_err() && class.text(rows).is_err());
    assert_eq!(file.verify_checksums(), []);
}

#[test]
fn every_part_comes_back() {
    for (rows, seed) in [(0, 1), (1, 2), (17, 3), (3000, 4)] {
        let t = things(rows, seed);
        check(&Container::from_bytes(bytes(&t)).unwrap(), &t);
    }
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("things.hypso");
    let t = things(200, 5);
    write_container(&path, "things", |out| write(&t, out)).unwrap();
    let old = Container::open(&path).unwrap();
    let error = write_container(&path, "things", |out| {
        out.column("a", &[1u8])?;
        out.column("a", &[2u8])
    });
    assert!(error.unwrap_err().to_string().contains("twice"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    check(&Container::open(&path).unwrap(), &t);
    write_container(&path, "other", |out| out.column("a", &[1u8])).unwrap();
    check(&old, &t);
    let new = Container::open(&path).unwrap();
    assert_ne!(new.fingerprint(), old.fingerprint());
    let message = new.expect_schema("things").unwrap_err().to_string();
    assert!(message.contains("things.hypso") && message.contains("\"other\""), "{message}");
    assert!(Store::open(&path).unwrap_err().to_string().contains("terrain-records"));
}

#[test]
fn a_wrong_name_lists_those_there_are_and_a_wrong_type_names_the_right_one() {
    let mut out = ContainerBuilder::new(Cursor::new(Vec::new()), "stations").unwrap();
    out.column("station.height", &[1.5f64]).unwrap();
    out.column("station.class", &[7u16]).unwrap();
    let file = Container::from_bytes(out.finish().unwrap().into_inner()).unwrap();
    let message = file.column::<f64>("station.heigth").unwrap_err().to_string();
    assert!(message.contains("\"station.heigth\": is missing; there are station.height, station.class"), "{message}");
    let message = file.column::<f32>("station.height").unwrap_err().to_string();
    assert!(message.contains("\"station.height\": holds f64, not f32"), "{message}");
    let message = file.ragged("station.name").unwrap_err().to_string();
    assert!(message.contains("is missing; there are none of this kind"), "{message}");
}

#[test]
fn what_can_not_be_stored_is_refused() {
    let new = |schema: &str| ContainerBuilder::new(Cursor::new(Vec::new()), schema).unwrap();
    for schema in ["", "seventeen letters", "a\0b"] {
        assert!(new(schema).finish().unwrap_err().to_string().contains("schema"), "{schema:?}");
    }
    let mut out = new("sixteen letters.");
    for name in ["", "a name of twenty-five by..", "a\0"] {
        assert!(out.column(name, &[1u8]).is_err(), "{name:?}");
    }
    for bad in [[0.0, 0.0, -1.0, 0.0], [0.0, f64::NAN, 1.0, 1.0], [0.0, 0.0, f64::INFINITY, 1.0]] {
        assert!(out.boxes("x", &[Bounds::new(bad[0], bad[1], bad[2], bad[3])]).is_err());
    }
    assert!(out.ids("x", &[4, 4]).unwrap_err().to_string().contains("same id"));
    assert!(ContainerBuilder::with_room(Cursor::new(Vec::new()), "x", 5000).is_err());
    let mut small = ContainerBuilder::with_room(Cursor::new(Vec::new()), "x", 1).unwrap();
    small.column("a", &[1u8]).unwrap();
    assert!(small.column("b", &[1u8]).unwrap_err().to_string().contains("room"));
    // One name may stand for several kinds.
    out.column("a", &[1u8]).unwrap();
    out.json("a", "{}").unwrap();
    let file = Container::from_bytes(out.finish().unwrap().into_inner()).unwrap();
    assert_eq!((file.schema().as_str(), file.sections().entries().len()), ("sixteen letters.", 2));
}

#[test]
fn parts_side_by_side_are_those_written_at_once() {
    let t = things(300, 12);
    let mut out = ContainerBuilder::new(Cursor::new(Vec::new()), "x").unwrap();
    let values = t.near.iter().map(|list| list.len() as u64).sum();
    let mut boxes = out.begin_boxes("thing", 300).unwrap();
    let mut near = out.begin_list::<u32>("near", 300, values).unwrap();
    let mut number = out.begin_column::<u64>("number", 300).unwrap();
    let mut name = out.begin_ragged("name", 300, Packing::Blocks).unwrap();
    for row in 0..300 {
        boxes.push(&mut out, &t.boxes[row]).unwrap();
        near.push(&mut out, &t.near[row]).unwrap();
        number.push(&mut out, &t.hashes[row..=row]).unwrap();
        name.push(&mut out, &t.names[row]).unwrap();
    }
    // The bytes of a ragged column have no known end.
    assert!(out.column("late", &[1u8]).unwrap_err().to_string().contains("before the bytes"));
    name.end(&mut out).unwrap();
    number.end(&mut out).unwrap();
    near.end(&mut out).unwrap();
    boxes.end(&mut out).unwrap();
    let mut whole = ContainerBuilder::new(Cursor::new(Vec::new()), "x").unwrap();
    whole.boxes("thing", &t.boxes).unwrap();
    whole.list("near", &t.near).unwrap();
    whole.column("number", &t.hashes).unwrap();
    whole.ragged("name", &t.names, true).unwrap();
    assert!(out.finish().unwrap().into_inner() == whole.finish().unwrap().into_inner());
}

#[test]
fn parts_of_another_length_than_promised_are_refused() {
    let mut out = ContainerBuilder::new(Cursor::new(Vec::new()), "x").unwrap();
    let message = |e: hypso::Error| e.to_string();
    let mut column = out.begin_column::<u16>("a", 2).unwrap();
    column.push(&mut out, &[1]).unwrap();
    assert!(message(column.end(&mut out).unwrap_err()).contains("fewer"));
    let mut column = out.begin_column::<u16>("b", 2).unwrap();
    column.push(&mut out, &[1, 2, 3]).unwrap();
    assert!(message(column.end(&mut out).unwrap_err()).contains("more"));
    let mut list = out.begin_list::<u16>("c", 1, 2).unwrap();
    list.push(&mut out, &[1, 2]).unwrap();
    list.push(&mut out, &[]).unwrap();
    assert!(message(list.end(&mut out).unwrap_err()).contains("more"));
    let mut boxes = out.begin_boxes("d", 1).unwrap();
    let point = Bounds::new(1.0, 1.0, 1.0, 1.0);
    boxes.push(&mut out, &point).unwrap();
    assert!(message(boxes.push(&mut out, &point).unwrap_err()).contains("more boxes"));
    let boxes = out.begin_boxes("e", 1).unwrap();
    assert!(message(boxes.end(&mut out).unwrap_err()).contains("got 0 boxes"));
    assert!(out.begin_column::<u64>("f", u64::MAX).is_err() && out.begin_ragged("g", u64::MAX, Packing::Raw).is_err());
    let packing = Packing::Rows { level: 3, dictionary: b"this is no dictionary" };
    assert!(cfg!(not(feature = "engine")) || out.begin_ragged("h", 1, packing).is_err());
    // What was begun and not ended is no file.
    assert!(message(out.finish().unwrap_err()).contains("not ended"));
}

#[test]
fn messages_name_the_section() {
    let file = Container::from_bytes(bytes(&things(20, 6))).unwrap();
    let messages = [
        file.column::<u8>("nothing").unwrap_err(),
        file.column::<u8>("thing.count").unwrap_err(),
        file.ragged("nothing").unwrap_err(),
        file.list::<f32>("thing.near").unwrap_err(),
        file.dictionary("thing.name").unwrap_err(),
        file.boxes("nothing").unwrap_err(),
        file.bitmap_ids("direct").unwrap_err(),
        file.direct_ids("hash").unwrap_err(),
        file.json("nothing").unwrap_err(),
    ];
    let named = ["nothing", "thing.count", "nothing", "thing.near", "thing.name", "nothing.min_x"];
    let named = named.into_iter().chain(["direct.bits", "hash.first", "nothing"]);
    for (error, name) in messages.iter().zip(named) {
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
}

#[test]
fn a_store_is_a_container() {
    let (sources, records) = catalogue(500, 7);
    let bytes = store_bytes(&sources, &records);
    let (store, file) = (Store::from_bytes(bytes.clone()).unwrap(), Container::from_bytes(bytes).unwrap());
    file.expect_schema(hypso::store::SCHEMA).unwrap();
    assert_eq!(file.fingerprint(), store.container().fingerprint());
    let (boxes, ids, paths) =
        (file.boxes("record").unwrap(), file.ids("id").unwrap(), file.ragged("record.path").unwrap());
    assert_eq!(file.ragged("source.name").unwrap().text(1).unwrap(), sources[1].name);
    assert!(!file.list::<u32>("tile.list").unwrap().is_empty());
    for record in store.records().iter() {
        assert_eq!(boxes.get(record.row()), Some(record.bounds()));
        assert_eq!(ids.row(record.id()), Some(record.row()));
        assert_eq!(paths.text(record.row() as usize).unwrap(), record.path().unwrap());
    }
    let mut found = Vec::new();
    let inside = store.record(3).unwrap().bounds().buffered(5000.0);
    boxes.search(&inside, |row| found.push(row));
    assert!(store.overlapping(inside).all(|record| found.contains(&record.row())));
}

proptest! {
    #[test]
    fn boxes_are_found_as_by_a_scan(
        rows in 0usize..400,
        seed in any::<u64>(),
        queries in prop::collection::vec((0u32..4_000_000, 0u32..4_000_000, prop_oneof![Just(0u32), 0u32..2_000_000]), 20),
        own in prop::collection::vec(any::<prop::sample::Index>(), 5),
    ) {
        let t = things(rows, seed);
        let file = Container::from_bytes(bytes(&t)).unwrap();
        let boxes = file.boxes("thing").unwrap();
        let mut asked: Vec<Bounds> = queries.iter().map(|&(x, y, side)| {
            let (x, y, side) = (f64::from(x), f64::from(y), f64::from(side));
            Bounds::new(x, y, x + side, y + side)
        }).collect();
        // Boxes of rows, and boxes that only touch them.
        for b in own.iter().filter(|_| rows > 0).map(|i| t.boxes[i.index(rows)]) {
            asked.extend([b, Bounds::new(b.max_x, b.max_y, b.max_x + 9.0, b.max_y + 9.0)]);
        }
        for q in asked {
            let touches = |b: &Bounds| b.min_x <= q.max_x && b.max_x >= q.min_x && b.min_y <= q.max_y && b.max_y >= q.min_y;
            let expected: Vec<u32> = (0u32..).zip(&t.boxes).filter(|(_, b)| touches(b)).map(|(row, _)| row).collect();
            let mut found = Vec::new();
            boxes.search(&q, |row| found.push(row));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn texts_and_lists_come_back(
        texts in prop::collection::vec("[a-c]{0,3}|\\PC{0,9}", 0..60),
        lists in prop::collection::vec(prop::collection::vec(any::<i32>(), 0..6), 0..60),
    ) {
        let mut out = ContainerBuilder::new(Cursor::new(Vec::new()), "x").unwrap();
        out.dictionary("text", &texts).unwrap();
        out.list("list", &lists).unwrap();
        let file = Container::from_bytes(out.finish().unwrap().into_inner()).unwrap();
        let (text, list) = (file.dictionary("text").unwrap(), file.list::<i32>("list").unwrap());
        let mut codes: HashMap<u32, &str> = HashMap::new();
        for (row, expected) in texts.iter().enumerate() {
            prop_assert_eq!(&*text.text(row).unwrap(), expected);
            prop_assert_eq!(*codes.entry(text.codes()[row]).or_insert(expected), expected.as_str());
        }
        prop_assert_eq!(codes.len(), text.texts().len());
        for (row, expected) in lists.iter().enumerate() {
            prop_assert_eq!(list.get(row).unwrap(), expected.as_slice());
        }
    }
}

/// Asks everything; what comes out does not matter here.
fn ask_everything(file: &Container, random: &mut Random) {
    let names = [
        "meta",
        "thing",
        "hash",
        "direct",
        "bitmap",
        "thing.name",
        "thing.packed",
        "thing.class",
        "thing.near",
        "thing.rows",
        "thing.trained",
        "signed",
        "signed.b",
    ];
    let at = |random: &mut Random| [0, 1, 39, 40, usize::MAX, (random.next() % 60) as usize];
    for name in names {
        let _ = (file.json(name), file.column::<u64>(name), file.column::<f64>(name));
        if let Ok(column) = file.ragged(name) {
            at(random).into_iter().for_each(|row| drop((column.text(row), column.get(row))));
            let _ = (column.check_offsets(), column.for_each(|_, _| Ok(())));
            at(random).into_iter().for_each(|row| drop((column.stored(row), column.row_length(row))));
            let mut batch = Batch::new();
            let _ = column.reader().map(|mut reader| {
                (
                    reader.get(at(random)[5]).is_ok(),
                    reader.batch(at(random), &mut batch),
                    reader.batch(0..40, &mut batch),
                )
            });
        }
        if let Ok(column) = file.dictionary(name) {
            at(random).into_iter().for_each(|row| drop(column.text(row)));
            let _ = (column.code("coast"), column.code("\u{10ffff}"));
        }
        if let Ok(list) = file.list::<u32>(name) {
            for row in at(random) {
                assert_eq!(list.get(row).ok(), list.range(row).ok().and_then(|range| list.values().get(range)));
            }
            let _ = list.check_offsets();
        }
        if let Ok(boxes) = file.boxes(name) {
            for side in [0.0, 1e5, 1e9] {
                let x = random.unit() * 4e6;
                boxes.search(&Bounds::new(x, x, x + side, x + side), |row| assert!((row as usize) < boxes.len()));
            }
            let _ = boxes.get(u32::MAX);
        }
        for id in [0, 70_000, 70_001, 70_063, u64::MAX, random.next()] {
            let _ = file.ids(name).map(|ids| ids.row(id));
            let _ = file.direct_ids(name).map(|ids| ids.row(id));
            let _ = file.signed_direct_ids(name).map(|ids| ids.row(id as i64));
            let _ = file.signed_bitmap_ids(name).map(|ids| (ids.row(id as i64), ids.id(id as u32), ids.verify()));
            let _ = file.bitmap_ids(name).map(|ids| (ids.row(id), ids.id(id as u32), ids.verify()));
        }
    }
}

/// Makes table and header whole again, so that what they say is believed.
fn mend(bytes: &mut [u8]) {
    let count = u32::from_le_bytes(bytes[24..28].try_into().unwrap()) as usize;
    let table = layout::TABLE_OFFSET..layout::TABLE_OFFSET + count * layout::ENTRY_LENGTH;
    let sum = checksum(&bytes[table]);
    bytes[40..48].copy_from_slice(&sum.to_le_bytes());
    let sum = checksum(&bytes[..layout::HEADER_CHECKSUM_OFFSET]);
    bytes[120..128].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn damage_is_noticed_or_harmless() {
    let good = bytes(&things(40, 8));
    let mut random = Random(9);
    let sections = Container::from_bytes(good.clone()).unwrap().sections().entries().to_vec();
    for at in (4096..good.len()).step_by(3) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (random.next() % 8);
        let file = Container::from_bytes(bytes).unwrap();
        ask_everything(&file, &mut random);
        let covered = sections.iter().any(|e| (e.offset()..e.offset() + e.length()).contains(&(at as u64)));
        assert_eq!(file.verify_checksums().is_empty(), !covered, "byte {at}");
    }
}

#[test]
fn noise_in_sections_and_table_is_harmless() {
    let good = bytes(&things(40, 10));
    let mut random = Random(11);
    let sections = Container::from_bytes(good.clone()).unwrap().sections().entries().to_vec();
    let mut opened = 0;
    for round in 0..4000 {
        let mut bytes = good.clone();
        let which = (random.next() % sections.len() as u64) as usize;
        let entry = &sections[which];
        if round % 2 == 0 && entry.length() >= 8 {
            let at = entry.offset() + random.next() % (entry.length() / 4) * 4;
            let value = [0, 1, 40, 41, u64::from(u32::MAX), u64::MAX, random.next()][(random.next() % 7) as usize];
            let end = (at as usize + [4, 8][(random.next() % 2) as usize]).min(bytes.len());
            bytes[at as usize..end].copy_from_slice(&value.to_le_bytes()[..end - at as usize]);
        } else {
            // Kind, type, codec, count or length: a column of another type, a list that is none, a shorter array.
            let start = layout::TABLE_OFFSET + which * layout::ENTRY_LENGTH;
            match random.next() % 3 {
                0 => bytes[start + 24 + (random.next() % 3) as usize] = (random.next() % 9) as u8,
                1 => bytes[start + 28..start + 32].copy_from_slice(&(random.next() as u32 % 70_000).to_le_bytes()),
                _ => {
                    let size = entry.element().unwrap().size();
                    let fewer = random.next() % (entry.count() + 1);
                    bytes[start + 40..start + 48].copy_from_slice(&(fewer * size).to_le_bytes());
                    bytes[start + 48..start + 56].copy_from_slice(&fewer.to_le_bytes());
                }
            }
            mend(&mut bytes);
        }
        if let Ok(file) = Container::from_bytes(bytes) {
            opened += 1;
            ask_everything(&file, &mut random);
        }
    }
    assert!(opened > 2000, "{opened}");
}
