//! Files of any schema: every part comes back as it was written, and damage does no harm.

mod common;

use std::collections::HashMap;
use std::io::Cursor;

use common::{Random, catalogue, store_bytes};
use hypso::format::{checksum::checksum, layout};
use hypso::store::{Container, ContainerBuilder, Store, write_container};
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
    out.column("thing.count", &(0..t.boxes.len() as i64).map(|i| -i).collect::<Vec<_>>())
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
    assert!(store.in_bounds(&inside).all(|record| found.contains(&record.row())));
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
    let names =
        ["meta", "thing", "hash", "direct", "bitmap", "thing.name", "thing.packed", "thing.class", "thing.near"];
    let at = |random: &mut Random| [0, 1, 39, 40, usize::MAX, (random.next() % 60) as usize];
    for name in names {
        let _ = (file.json(name), file.column::<u64>(name), file.column::<f64>(name));
        if let Ok(column) = file.ragged(name) {
            at(random).into_iter().for_each(|row| drop((column.text(row), column.get(row))));
            let _ = (column.check_offsets(), column.for_each(|_, _| Ok(())));
        }
        if let Ok(column) = file.dictionary(name) {
            at(random).into_iter().for_each(|row| drop(column.text(row)));
            let _ = (column.code("coast"), column.code("\u{10ffff}"));
        }
        if let Ok(list) = file.list::<u32>(name) {
            at(random).into_iter().for_each(|row| drop(list.get(row)));
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
