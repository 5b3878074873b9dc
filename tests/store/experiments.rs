//! The schemas of `examples/road_network.rs` and `examples/record_store.rs`, at small sizes, against plain models in memory.

#[path = "../../examples/common/records/mod.rs"]
mod records;
#[path = "../../examples/common/roads/mod.rs"]
mod roads;

use std::collections::BTreeSet;

use crate::common::random;
use hypso::column::Batch;
use hypso::container::Container;
use records::palette::{Census, Decoder, Encoder};
use records::{Coding, Collector, PALETTE, Record, RecordSet, View, record, shuffled};
use roads::{Country, Matcher, Network, Random, Road, drive, write};

/// A country, as it was made and as a file.
fn country(count: usize, seed: u64) -> (Vec<Road>, Container) {
    let country = Country::new(count, seed);
    let mut all = Vec::new();
    country
        .for_each(|road| {
            all.push(road.clone());
            Ok::<_, hypso::Error>(())
        })
        .unwrap();
    assert_eq!(all.len(), country.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roads.hypso");
    write(&path, &country, "{}").unwrap();
    // The same bytes from a list and from a stream, and on a second run.
    let again = folder.path().join("again.hypso");
    write(&again, &all, "{}").unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(std::fs::read(&again).unwrap() == bytes);
    let file = Container::from_bytes(bytes).unwrap();
    assert_eq!(file.verify_checksums(), []);
    (all, file)
}

/// The edges of a road: id, and the nodes where it begins and ends.
fn edges(road: &Road) -> impl Iterator<Item = (i32, u32, u32)> {
    let back = (!road.one_way).then_some((!road.id, road.end, road.start));
    [(road.id, road.start, road.end)].into_iter().chain(back)
}

#[test]
fn a_country_looks_like_one() {
    let (all, file) = country(20_000, 5);
    let network = Network::new(&file).unwrap();
    assert!((20_000..23_000).contains(&all.len()), "{}", all.len());
    assert!(all.iter().is_sorted_by(|a, b| a.id < b.id) && all[0].id >= 0);
    // As in the data that it stands for: 25 M edges of 13 M roads, 72 M transitions, ids with gaps.
    let (roads, edges) = (network.roads() as f64, network.edges() as f64);
    assert!((edges / roads - 25.0 / 13.0).abs() < 0.02, "{}", edges / roads);
    let transitions = network.transitions() as f64 / edges;
    assert!((transitions - 72.0 / 25.0).abs() < 0.1, "{transitions}");
    let last = f64::from(all[all.len() - 1].id);
    assert!(last / roads > 1.15 && last / roads * 13.0e6 < f64::from(1 << 24), "{}", last / roads);
    for class in 0..4 {
        assert!(all.iter().filter(|road| road.class == class).count() > 50, "class {class}");
    }
    assert!(all.iter().all(|road| road.line.len() >= 2 && road.length() > 1.0));
}

#[test]
fn a_network_answers_as_the_roads_do() {
    let (all, file) = country(3000, 6);
    let network = Network::new(&file).unwrap();
    let every: Vec<(i32, u32, u32)> = all.iter().flat_map(edges).collect();
    assert_eq!(network.edges(), every.len());
    let mut transitions = 0;
    for &(id, start, end) in &every {
        let row = network.row(id).unwrap();
        assert_eq!((network.id(row), network.nodes(row)), (Some(id), Some([start, end])));
        let road = &all[all.binary_search_by_key(&id.max(!id), |road| road.id).unwrap()];
        assert_eq!((network.length(row), network.class(row)), (road.length() as f32, Some(road.class)));
        let line: Vec<_> = network.line(network.road(row).unwrap()).unwrap().collect();
        assert_eq!(line.len(), road.line.len());
        assert!(line.iter().zip(&road.line).all(|(a, b)| (a.0 - b.0).abs() < 1e-3 && (a.1 - b.1).abs() < 1e-3));
        let rows: BTreeSet<u32> = network.edges_of(network.road(row).unwrap()).collect();
        assert_eq!(rows.len(), 2 - usize::from(road.one_way));
        assert!(rows.contains(&row));
    }
    let pick = |id: i32| every.iter().copied().find(|edge| edge.0 == id).unwrap();
    for &(id, start, end) in every.iter().step_by(7) {
        let next: BTreeSet<i32> = every.iter().filter(|edge| edge.1 == end).map(|edge| edge.0).collect();
        let previous: BTreeSet<i32> = every.iter().filter(|edge| edge.2 == start).map(|edge| edge.0).collect();
        assert_eq!(network.successors(id).unwrap().map(|(id, _)| id).collect::<BTreeSet<_>>(), next);
        assert_eq!(network.predecessors(id).unwrap().map(|(id, _)| id).collect::<BTreeSet<_>>(), previous);
        for (other, turn) in network.successors(id).unwrap() {
            // The turn is the same seen from the other side, and a U-turn turns back.
            assert!(network.predecessors(other).unwrap().any(|found| found == (id, turn)));
            assert!(-180.0 < turn && turn <= 180.0);
            if other == !id {
                assert!(turn.abs() > 179.9, "{turn}");
            }
            assert_eq!(pick(other).1, end);
            transitions += 1;
        }
        let u_turn = network.successors(id).unwrap().any(|(other, _)| other == !id);
        assert_eq!(u_turn, network.row(!id).is_some());
    }
    assert!(transitions > 1000);
    for absent in [i32::MIN, i32::MAX, -(1 << 24), (1 << 24) - 1] {
        assert_eq!(network.row(absent), None);
        assert!(network.successors(absent).is_err());
    }
}

#[test]
fn a_right_turn_is_negative() {
    let road = |id, start, end, line: [(f64, f64); 2]| Road { id, start, end, line: line.into(), ..Road::default() };
    // Eastwards, then southwards.
    let roads = vec![road(3, 0, 1, [(0.0, 0.0), (50.0, 0.0)]), road(9, 1, 2, [(50.0, 0.0), (50.0, -50.0)])];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roads.hypso");
    write(&path, &roads, "{}").unwrap();
    let file = Container::open(&path).unwrap();
    let network = Network::new(&file).unwrap();
    assert_eq!(network.successors(3).unwrap().collect::<Vec<_>>(), [(-4, 180.0), (9, -90.0)]);
    assert_eq!(network.successors(-10).unwrap().collect::<Vec<_>>(), [(-4, 90.0), (9, 180.0)]);
    let unordered: Vec<Road> = roads.into_iter().rev().collect();
    assert!(write(&path, &unordered, "{}").unwrap_err().to_string().contains("road 3"));
    // The file that was there is still whole.
    Network::new(&Container::open(&path).unwrap()).unwrap();
}

#[test]
fn the_nearest_road_is_the_one_of_a_scan() {
    let (all, file) = country(2000, 7);
    let network = Network::new(&file).unwrap();
    let mut random = Random(8);
    for _ in 0..60 {
        let near = all[random.below(all.len() as u64) as usize].line[0];
        let (x, y) = (near.0 + random.between(-900.0, 900.0), near.1 + random.between(-900.0, 900.0));
        let mut distances: Vec<f64> =
            (0..all.len() as u32).map(|road| network.project(road, x, y).unwrap().1).collect();
        let found: Vec<(u32, f64)> = network.by_distance(x, y).take(5).collect();
        for &(road, distance) in &found {
            assert_eq!(distances[road as usize], distance);
        }
        distances.sort_by(f64::total_cmp);
        assert_eq!(found.iter().map(|f| f.1).collect::<Vec<_>>(), distances[..5]);
        assert_eq!(network.nearest(x, y), found.first().copied());
    }
}

#[test]
fn the_matcher_finds_the_roads_that_were_driven() {
    let (_, file) = country(20_000, 9);
    let network = Network::new(&file).unwrap();
    let mut random = Random(10);
    let mut matcher = Matcher::default();
    // Exact positions, those of a good receiver, and those of a poor one: the share of metres that has to be right.
    for (noise, right) in [(0.0, 0.995), (4.0, 0.97), (10.0, 0.90)] {
        let (mut driven, mut found, mut wrong, mut exact) = (0.0, 0.0, 0.0, 0);
        for _ in 0..40 {
            let trace = drive(&network, &mut random, 1500.0, noise).unwrap();
            let matched = matcher.run(&network, &trace.points).unwrap();
            assert_eq!((matched.points.len(), matched.breaks), (trace.points.len(), 0));
            let length = |edge: &u32| f64::from(network.length(*edge));
            driven += trace.edges.iter().map(length).sum::<f64>();
            found += trace.edges.iter().filter(|edge| matched.edges.contains(edge)).map(length).sum::<f64>();
            wrong += matched.edges.iter().filter(|edge| !trace.edges.contains(edge)).map(length).sum::<f64>();
            // Each edge follows the one before it.
            assert!(matched.edges.windows(2).all(|pair| network.next(pair[0]).unwrap().contains(&pair[1])));
            exact += usize::from(matched.edges == trace.edges);
        }
        println!(
            "{noise} m: {:.4} of the metres, {:.4} beside them, {exact} of 40 exact",
            found / driven,
            wrong / driven
        );
        assert!(found / driven >= right, "{noise} m: {}", found / driven);
        assert!(wrong / driven <= 1.2 - right, "{noise} m: {}", wrong / driven);
    }
    // Far from any road, and a jump that no way explains.
    let trace = drive(&network, &mut random, 500.0, 0.0).unwrap();
    let far = matcher.run(&network, &[(0.0, 0.0), (10.0, 0.0)]).unwrap();
    assert_eq!((far.points, far.edges), (vec![None, None], vec![]));
    let other = drive(&network, &mut Random(99), 500.0, 0.0).unwrap();
    let jump: Vec<(f64, f64)> = trace.points.iter().chain(&other.points).copied().collect();
    assert_eq!(matcher.run(&network, &jump).unwrap().breaks, 1);
}

/// What a view has to hold.
fn same(view: &View<'_>, record: &Record) -> bool {
    view.spectrum == record.spectrum
        && view.nodes.as_flattened() == record.nodes
        && view.edge_index == record.edge_index
        && view.edges.as_flattened() == record.edges
}

#[test]
fn records_come_back_raw_and_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<Record> = (0..1500).map(record).collect();
    let bytes: usize = all.iter().map(|r| r.to_bytes().len()).sum();
    assert!((7000..9000).contains(&(bytes / all.len())), "about 8 KB each: {}", bytes / all.len());
    let mut collector = Collector::open(folder.path().join("spool"), 3).unwrap();
    all.iter().for_each(|record| collector.push(record).unwrap());
    let ids: Vec<u64> = all.iter().map(|record| record.id).collect();
    let (train, test) = ids.split_at(1200);
    let mut sizes = Vec::new();
    let zstd = |trained| Coding::Zstd { level: 9, trained };
    let codings = [("raw", Coding::Raw), ("zstd", zstd(false)), ("trained", zstd(true)), ("palette", Coding::Palette)];
    for (name, coding) in codings {
        let path = folder.path().join(name);
        collector.write(&path, coding, &[("train", train), ("validation", &[]), ("test", test)]).unwrap();
        let file = Container::open(&path).unwrap();
        assert_eq!(file.verify_checksums(), []);
        sizes.push(file.bytes().len());
        let set = RecordSet::new(&file).unwrap();
        assert_eq!(
            (set.len(), set.splits().unwrap()),
            (1500, vec!["train".into(), "validation".into(), "test".into()])
        );
        assert!(set.split("train").unwrap().iter().copied().eq(0..1200));
        assert!(set.split("validation").unwrap().is_empty() && set.split("test").unwrap().len() == 300);
        assert!(set.split("holdout").err().unwrap().to_string().contains("validation"));
        let (mut reader, mut batch) = (set.reader().unwrap(), Batch::new());
        // In an order of chance, in batches; every record once.
        let mut seen = vec![0; all.len()];
        for rows in shuffled(&(0..1500).collect::<Vec<u32>>(), 4).chunks(128) {
            reader.batch(rows.iter().map(|&row| row as usize), &mut batch).unwrap();
            for (&row, bytes) in rows.iter().zip(batch.iter()) {
                assert!(same(&View::new(bytes).unwrap(), &all[row as usize]));
                seen[row as usize] += 1;
            }
        }
        assert!(seen.iter().all(|&times| times == 1));
        // On demand, by id, with the other columns.
        for record in all.iter().step_by(31) {
            let row = set.ids.row(record.id).unwrap() as usize;
            assert!(same(&View::new(reader.get(row).unwrap()).unwrap(), record));
            assert_eq!((set.masses[row], &*set.classes.text(row).unwrap()), (record.mass, record.class.as_str()));
        }
        assert_eq!(set.ids.row(ids[0] - 1), None);
    }
    if cfg!(feature = "engine") {
        assert!(sizes[1] * 3 < sizes[0] && sizes[2] < sizes[1], "{sizes:?}");
    }
    assert!(sizes[3] * 5 < sizes[0] * 2, "{sizes:?}");
    assert!(
        collector
            .write(folder.path().join("x"), Coding::Raw, &[("train", &[7])])
            .unwrap_err()
            .to_string()
            .contains("record 7")
    );
    assert!(!folder.path().join("x").exists());
}

#[test]
fn an_interrupted_build_goes_on_and_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, path) = (folder.path().join("spool"), folder.path().join("set.hypso"));
    let build = |stops: &[u64], coding| {
        let mut made = 0;
        for &until in stops {
            let mut collector = Collector::open(&spool, 3).unwrap();
            for number in collector.len()..until {
                collector.push(&record(number)).unwrap();
                made += 1;
            }
            drop(collector);
            // As if the run had been killed while it wrote a row.
            let length = std::fs::metadata(&spool).unwrap().len();
            std::fs::OpenOptions::new().write(true).open(&spool).unwrap().set_len(length - 5).unwrap();
        }
        let mut collector = Collector::open(&spool, 3).unwrap();
        (collector.len()..300).for_each(|number| {
            made += 1;
            collector.push(&record(number)).unwrap();
        });
        let ids: Vec<u64> = (0..300).map(|number| record(number).id).collect();
        collector.write(&path, coding, &[("train", &ids)]).unwrap();
        assert!(collector.push(&record(299)).unwrap_err().to_string().contains("not above"));
        collector.remove().unwrap();
        (made, std::fs::read(&path).unwrap())
    };
    for coding in [Coding::Zstd { level: 3, trained: true }, Coding::Palette] {
        let (made, whole) = build(&[], coding);
        assert_eq!(made, 300);
        let (made, resumed) = build(&[20, 21, 150], coding);
        // Each stop lost one record.
        assert_eq!(made, 303);
        assert!(whole == resumed);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn damaged_records_are_errors() {
    let bytes = record(1).to_bytes();
    assert!(View::new(&bytes).is_ok());
    for (word, value) in [(0, u32::MAX), (1, u32::MAX), (2, u32::MAX), (0, 5000), (2, 1 << 31)] {
        let mut damaged = bytes.clone();
        damaged[word * 4..word * 4 + 4].copy_from_slice(&value.to_le_bytes());
        assert!(View::new(&damaged).is_err(), "{word} {value}");
    }
    assert!(View::new(&[]).is_err() && View::new(&bytes[..20]).is_err());
}

/// Rows in which every form of a block occurs: few, many and hardly any numbers of the palette, and lengths of all rests.
fn rows_of_all_forms() -> Vec<Vec<u8>> {
    let mut random = Random(12);
    let mut rows = Vec::new();
    for length in (0..70).chain([400, 2000]) {
        for (reach, strange) in
            [(1, 0.0), (1, 0.1), (12, 0.05), (200, 0.0), (200, 0.2), (3000, 0.1), (3000, 0.8), (1, 1.0)]
        {
            let word = |random: &mut Random| {
                let strange = random.chance(strange);
                if strange { random.next() as u32 | 1 << 31 } else { (random.unit().powi(2) * f64::from(reach)) as u32 }
            };
            rows.push((0..length).flat_map(|_| word(&mut random).to_le_bytes()).collect());
        }
    }
    rows
}

#[test]
fn a_palette_gives_every_row_back() {
    let rows = rows_of_all_forms();
    let mut census = Census::default();
    rows.iter().for_each(|row| census.add(row));
    let full = census.palette();
    assert!(full.len() > 256 && full[0] == 0, "{}", full.len());
    // Palettes of all sizes, and one that holds no number of the rows.
    for palette in [&full[..], &full[..256], &full[..20], &full[..1], &[], &[1 << 30]] {
        let (encoder, decoder) = (Encoder::new(palette), Decoder::new(palette));
        let mut forms = BTreeSet::new();
        for row in &rows {
            let coded = encoder.encode(row).unwrap();
            assert_eq!(decoder.length(&coded).unwrap(), row.len());
            let mut out = vec![7u64; row.len().div_ceil(8)];
            let out = &mut bytemuck::cast_slice_mut(&mut out)[..row.len()];
            decoder.decode(&coded, out).unwrap();
            assert_eq!(out, row);
            // Never much longer than the row: a byte for each block of 64 bytes.
            assert!(coded.len() <= 4 + row.len().div_ceil(64) * 65, "{} {}", coded.len(), row.len());
            forms.extend(coded.get(4).map(|head| head & 15));
        }
        let expected = match palette.len() {
            0 => vec![4],
            20.. if palette.len() > 256 => vec![0, 1, 2, 3, 4],
            _ => forms.iter().copied().collect(),
        };
        assert_eq!(forms.into_iter().collect::<Vec<_>>(), expected);
    }
    assert!(Encoder::new(&full).encode(&[1, 2, 3]).unwrap_err().to_string().contains("3 bytes"));
}

#[test]
fn damaged_codes_are_errors() {
    let rows = rows_of_all_forms();
    let palette: Vec<u32> = (0..300).collect();
    let (encoder, decoder) = (Encoder::new(&palette), Decoder::new(&palette));
    let (mut random, mut found) = (Random(13), 0);
    let mut room = vec![0u64; 2000];
    let room: &mut [u8] = bytemuck::cast_slice_mut(&mut room);
    for row in &rows {
        let coded = encoder.encode(row).unwrap();
        for cut in [1, 4, coded.len() / 2] {
            let cut = &coded[..coded.len().saturating_sub(cut)];
            let bad = decoder.length(cut).is_err() || decoder.decode(cut, &mut room[..row.len()]).is_err();
            assert!(bad);
        }
        for _ in 0..20 {
            let mut altered = coded.clone();
            let at = random.below(altered.len() as u64) as usize;
            altered[at] ^= 1 << random.below(8);
            // An error or a wrong answer of the length that was promised, which is never far beyond the bytes that are there.
            let Ok(length) = decoder.length(&altered) else { continue };
            assert!(length <= altered.len() * 64);
            found += usize::from(room.get_mut(..length).is_some_and(|room| decoder.decode(&altered, room).is_err()));
        }
    }
    assert!(found > 100, "{found}");
    // In a file too: a palette that was lost.
    let row = record(1).to_bytes();
    let mut census = Census::default();
    (0..2).for_each(|_| census.add(&row));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.hypso");
    hypso::container::write_container(&path, records::SCHEMA, |out| {
        out.bitmap_ids("record.id", &[1])?;
        out.column("record.mass", &[1.0f32])?;
        out.dictionary("record.class", &["lipid"])?;
        out.ragged("split.name", ["train"], false)?;
        out.list("split.rows", &[vec![0u32]])?;
        out.column::<u32>(PALETTE, &[])?;
        out.ragged("record.data", [Encoder::new(&census.palette()).encode(&row)?], false)
    })
    .unwrap();
    let file = Container::open(&path).unwrap();
    let set = RecordSet::new(&file).unwrap();
    let error = set.reader().unwrap().batch([0], &mut Batch::new()).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
}
