//! Breaks stores and reads them. See README.md.

mod heights;
mod random;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hypso::column::{Batch, RaggedLayout};
use hypso::container::{self, Container};
use hypso::format::{ElementType, Kind, Sections, checksum::checksum, layout};
use hypso::query::{Answers, Order, Place};
use hypso::store::{self, DataType, Parameters, RecordInput, SourceInput, Store};
use hypso::tile::{Bounds, TileCoord, TileId};
use random::Random;

impl Random {
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number that tends to hurt.
    fn hostile(&mut self, length: u64) -> u64 {
        let near = [0, 1, 7, 8, 15, 16, 63, 64, 4096, 65_535, 65_536, length / 8, length / 64, length]
            .map(|n| n.wrapping_add(self.next() % 5).wrapping_sub(2));
        match self.below(5) {
            0 => near[self.below(near.len())],
            1 => u64::MAX - self.next() % 130,
            2 => (1u64 << self.below(64)).wrapping_add(self.next() % 3).wrapping_sub(1),
            3 => self.next() % (length + 1),
            _ => [f64::NAN, f64::INFINITY, -1e300, -0.0, 1e-300, 2.1e7][self.below(6)].to_bits(),
        }
    }
}

/// Records of three sizes around a few places, large and degenerate ones among them.
fn seed_store(count: usize, random: &mut Random) -> Vec<u8> {
    let names = ["a", "bb", "ccc"];
    let source =
        |name: &&str| SourceInput { name: name.to_string(), root: format!("/{name}").into(), ..Default::default() };
    let sources: Vec<SourceInput> = names.iter().map(source).collect();
    let records: Vec<RecordInput> = (0..count)
        .map(|i| {
            let side = [700.0, 9000.0, 3e5, 2e7][random.below(20).min(3)] * (0.5 + random.unit());
            let (x, y) = ((random.unit() - 0.5) * 4e7, (random.unit() - 0.5) * 4e7);
            RecordInput {
                source: i % 3,
                path: format!("{}/{i}.tif", "folder".repeat(random.below(4))),
                bounds: Bounds::new(x, y, x + side, y + side),
                pixel_size: side / 256.0,
                width: 256,
                height: 256,
                crs: ["EPSG:3857", ""][i % 2].into(),
                nodata: (i % 3 == 0).then_some(-1.0),
                data_type: DataType::F32,
                file_size: i as u64,
                modified_ns: -(i as i64),
                ..RecordInput::default()
            }
        })
        .collect();
    store::write(Cursor::new(Vec::new()), &sources, &records, &Parameters::default()).expect("a seed").into_inner()
}

/// What is altered: kept files and made ones, of all schemas or of heights alone.
fn seeds(random: &mut Random, heights_only: bool) -> Vec<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let mut seeds: Vec<Vec<u8>> = std::fs::read_dir(&fixtures)
        .unwrap_or_else(|e| panic!("{}: {e}", fixtures.display()))
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "heights" || (e == "hypso" && !heights_only)))
        .filter_map(|path| std::fs::read(path).ok())
        .collect();
    assert!(!seeds.is_empty(), "no *.hypso and *.heights in {}", fixtures.display());
    seeds.sort();
    if !heights_only {
        seeds.extend([0, 1, 15, 16, 17, 40, 257, 300].map(|count| seed_store(count, random)));
    }
    (0..3).for_each(|_| seeds.push(heights::seed(random)));
    seeds
}

fn put(bytes: &mut [u8], at: usize, value: u64, length: usize) {
    if let Some(place) = bytes.get_mut(at..at + length) {
        place.copy_from_slice(&value.to_le_bytes()[..length]);
    }
}

fn get(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes.get(at..at + length).map_or(0, |b| b.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
}

/// Makes length and checksums of header and table right again, so that opening looks further.
fn mend(bytes: &mut [u8], random: &mut Random) {
    let length = bytes.len() as u64;
    if bytes.len() < layout::HEADER_LENGTH {
        return;
    }
    if random.below(20) > 0 {
        put(bytes, 16, length, 8);
    }
    let count = (get(bytes, 24, 4) as usize).min(layout::MAX_SECTIONS as usize);
    let end = layout::TABLE_OFFSET + count * layout::ENTRY_LENGTH;
    // Section checksums as well, sometimes: `verify` goes further then.
    if random.below(2) == 0 && end <= bytes.len() {
        for entry in (layout::TABLE_OFFSET..end).step_by(layout::ENTRY_LENGTH) {
            let (offset, length) = (get(bytes, entry + 32, 8), get(bytes, entry + 40, 8));
            let range =
                usize::try_from(offset).ok().zip(offset.checked_add(length).and_then(|e| usize::try_from(e).ok()));
            let sum = range.and_then(|(from, to)| bytes.get(from..to)).map(checksum);
            if let Some(sum) = sum {
                put(bytes, entry + 56, sum, 8);
            }
        }
    }
    let table = bytes.get(layout::TABLE_OFFSET..end).map(checksum);
    if let Some(table) = table {
        put(bytes, 40, table, 8);
    }
    let header = checksum(&bytes[..layout::HEADER_CHECKSUM_OFFSET]);
    put(bytes, layout::HEADER_CHECKSUM_OFFSET, header, 8);
}

/// One change of a kind that is picked at random.
fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let length = bytes.len();
    if length == 0 {
        return;
    }
    match random.below(10) {
        0 => bytes[random.below(length)] ^= 1 << random.below(8),
        1 => bytes[random.below(length)] = random.next() as u8,
        // A whole number or float anywhere in the sections.
        2 => {
            let (size, value) = ([1, 2, 4, 8][random.below(4)], random.hostile(length as u64));
            let at = random.below(length / size) * size;
            put(bytes, at, value, size);
        }
        // A piece of another store, or of another place.
        3 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len());
            let piece = &other[from..(from + 1 + random.below(300)).min(other.len())];
            let at = random.below(length);
            let to = (at + piece.len()).min(length);
            bytes[at..to].copy_from_slice(&piece[..to - at]);
        }
        4 => bytes.truncate(random.below(length)),
        5 => bytes.resize(length + random.below(5000), random.next() as u8),
        // A field of the header.
        6 => {
            let (at, size) = [(8, 2), (10, 2), (12, 4), (16, 8), (24, 4), (28, 4), (32, 8), (48, 8)][random.below(8)];
            let value = random.hostile(length as u64);
            put(bytes, at, value, size);
        }
        // A field of an entry.
        7 => {
            let entries = (get(bytes, 24, 4) as usize).clamp(1, 64);
            let entry = layout::TABLE_OFFSET + random.below(entries) * layout::ENTRY_LENGTH;
            let (at, size) = [(0, 8), (24, 1), (25, 1), (26, 1), (28, 4), (32, 8), (40, 8), (48, 8)][random.below(8)];
            let value = if at >= 28 { random.hostile(length as u64) } else { random.next() % 10 };
            put(bytes, entry + at, value, size);
        }
        // Two entries change places, or one is cut to fewer elements, consistently.
        8 => {
            let entries = (get(bytes, 24, 4) as usize).clamp(1, 64);
            let entry = layout::TABLE_OFFSET + random.below(entries) * layout::ENTRY_LENGTH;
            let size = ElementType::from_number(get(bytes, entry + 25, 1) as u8).map_or(1, ElementType::size);
            let count = get(bytes, entry + 48, 8).min(1 << 40);
            let fewer = if random.below(3) == 0 { count + 1 } else { random.next() % (count + 1) };
            put(bytes, entry + 48, fewer, 8);
            if get(bytes, entry + 26, 1) == 0 {
                put(bytes, entry + 40, fewer * size, 8);
            }
        }
        // Numbers all over one section, which is where offsets, lists, directories and trees lie.
        _ => {
            let Ok(sections) = Sections::parse(bytes) else { return };
            let entries = sections.entries();
            if entries.is_empty() {
                return;
            }
            let entry = &entries[random.below(entries.len())];
            let size = entry.element().map_or(1, ElementType::size) as usize;
            let numbers = entry.length() as usize / size;
            for _ in 0..1 + random.below(numbers.min(8)) {
                let value = if random.below(2) == 0 { random.hostile(length as u64) } else { random.next() % 40 };
                put(bytes, entry.offset() as usize + random.below(numbers) * size, value, size);
            }
        }
    }
}

/// Everything a program can ask of a store. What comes out does not matter here.
fn use_store(store: &Store, random: &mut Random) {
    let mut rows = Vec::new();
    let some = store.records().bounds(random.next() as u32 % store.len().max(1));
    let mut boxes = vec![
        some,
        some.buffered(1e4),
        Bounds::new(-3e7, -3e7, 3e7, 3e7),
        Bounds::new(f64::NEG_INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::INFINITY),
        Bounds::new(1.0, 1.0, -1.0, -1.0),
    ];
    for _ in 0..4 {
        let (x, y) = ((random.unit() - 0.5) * 4e7, (random.unit() - 0.5) * 4e7);
        let side = random.unit() * 3e6;
        boxes.push(Bounds::new(x, y, x + side, y + side));
    }
    let mut answers = Answers::new();
    for order in [Order::Row, Order::Candidate] {
        store.rows_overlapping_batch(&boxes, order, &mut answers);
        let points: Vec<Place> = boxes.iter().map(|b| Place::Point { x: b.min_x, y: b.max_y }).collect();
        store.rows_overlapping_batch(&points, order, &mut answers);
    }
    let mut found = Vec::new();
    store.rows_by_id_batch(&[0, 1, random.next(), u64::MAX], &mut found);
    store.by_distance(some).take(50).for_each(drop);
    let _ = store.each_input(|_| Ok(()));
    for b in boxes {
        let _ = store.tiles().count_in_bounds(&b, random.below(24) as u8);
        store.rows_overlapping(b, Order::Row, &mut rows);
        store.rows_overlapping(b, Order::Candidate, &mut rows);
        for &row in rows.iter().take(20) {
            let Some(record) = store.record(row) else { continue };
            let _ = (record.path(), record.full_path(), record.crs(), record.nodata(), record.data_type());
            let _ = (record.id(), record.pixel_size(), record.width(), record.native_zoom(), record.modified_ns());
            let _ = store.by_id(record.id()).map(|r| r.row());
            if let Some(source) = record.source() {
                let _ = (source.name(), source.root(), source.attribution(), source.licence(), source.vertical_datum());
            }
        }
        let point = Place::Point { x: b.min_x, y: b.max_y };
        store.overlapping(point).for_each(drop);
        let _ = (store.first_overlapping(b), store.count_overlapping(b), store.any_overlapping(point));
    }
    for count in [1, 5, usize::MAX] {
        let _ = store.nearest(Place::Point { x: some.min_x, y: some.max_y }, count);
        let _ = store.nearest(Place::Point { x: random.unit() * 1e7, y: -1e7 }, count.min(3));
    }
    for _ in 0..8 {
        let _ = store.by_id(random.next());
        let _ = store.record(random.next() as u32);
        let _ = store.source(random.next() as u16);
    }
    let tiles = store.tiles();
    let _ = (tiles.max_zoom(), tiles.sizes());
    let start = store.column::<u64>("tile.run_start").unwrap_or(&[]);
    for z in 0..=u8::MAX {
        let _ = tiles.count(z);
        let world = TileCoord::new(0, 0, 0).expect("the world");
        let _ = tiles.count_subtree(world, z);
        tiles.iter_subtree(world, z).take(50).for_each(|t| {
            let _ = (tiles.sampled_for(t), tiles.contains(t));
        });
    }
    for _ in 0..20 {
        let known = start.get(random.below(start.len())).copied().unwrap_or(0);
        let z = random.below(32) as u8;
        let any = TileCoord::new(z, random.below(1 << z) as u32, random.below(1 << z) as u32);
        for tile in TileId(known).coord().into_iter().chain(any) {
            let _ = (tiles.contains(tile), tiles.sampled_for(tile), store.overlapping(tile).count());
            let _ = tiles.count_subtree(tile, random.below(23) as u8);
            tiles.iter_subtree(tile, tile.z().saturating_add(2)).take(50).for_each(drop);
        }
    }
    for entry in store.sections().entries() {
        let name = entry.name();
        let _ = (store.column::<u8>(&name), store.column::<u16>(&name), store.column::<u32>(&name));
        let _ = (store.column::<u64>(&name), store.column::<i64>(&name), store.column::<f64>(&name));
    }
    for name in ["record.path", "crs.name", "source.name", "tile.list"] {
        let rows = store.sections().find(name, Kind::Offsets).map_or(0, |e| e.count().saturating_sub(1));
        let Ok(layout) = RaggedLayout::find(store.sections(), name, rows) else { continue };
        let column = layout.over(store.bytes());
        for row in [0, 1, column.len().saturating_sub(1), column.len(), random.below(column.len()), usize::MAX] {
            let _ = (column.get(row), column.text(row));
        }
        let _ = column.check_offsets();
        let _ = column.for_each(|_, _| Ok(()));
    }
    let file = store.container();
    for prefix in ["record", "id", "tile"] {
        let id = random.next();
        let _ = file.ids(prefix).map(|ids| ids.row(id));
        let _ = file.direct_ids(prefix).map(|ids| ids.row(id % 1000));
        let _ = file.bitmap_ids(prefix).map(|ids| (ids.row(id % 1000), ids.id(id as u32), ids.verify()));
        if let Ok(boxes) = file.boxes(prefix) {
            boxes.search(&some, |row| assert!((row as usize) < boxes.len()));
        }
    }
    for name in ["tile.list", "crs.name", "record.crs", "record.path"] {
        let row = random.below(store.len() as usize);
        let _ = file.list::<u32>(name).map(|list| list.get(row).map(<[u32]>::len));
        let _ = file.dictionary(name).map(|texts| (texts.text(row).is_ok(), texts.code("EPSG:3857").is_ok()));
        let _ = file.ragged(name).map(|texts| texts.text(row).is_ok());
    }
    let _ = file.verify_checksums();
    let _ = (
        store.metadata(),
        store.fingerprint(),
        store.sections().header().producer(),
        container::report(store.container()),
    );
    for problem in store::verify(store) {
        let _ = problem.problem.len();
    }
}

/// Every section as every part that it could belong to.
fn use_parts(file: &Container, random: &mut Random) {
    let names: Vec<String> = file.sections().entries().iter().map(|entry| entry.name()).collect();
    for name in &names {
        let _ = file.list::<u32>(name).map(|list| (list.get(random.below(300)).is_ok(), list.range(0).is_ok()));
        let Ok(column) = file.ragged(name) else { continue };
        let rows = [0, 1, column.len().saturating_sub(1), column.len(), random.below(column.len()), usize::MAX];
        let mut batch = Batch::new();
        for row in rows {
            let _ = (column.get(row), column.row_length(row), column.stored(row));
        }
        let _ = column.reader().map(|mut reader| {
            let _ = rows.map(|row| reader.get(row).is_ok());
            (reader.batch(0..column.len().min(300), &mut batch), batch.iter().map(<[u8]>::len).sum::<usize>())
        });
        let _ = (column.check_offsets(), column.for_each(|_, _| Ok(())));
    }
    for prefix in names.iter().filter_map(|name| name.strip_suffix(".first")) {
        let id = random.next() as i64 >> random.below(64);
        let _ = file.signed_direct_ids(prefix).map(|ids| ids.row(id));
        let _ = file.signed_bitmap_ids(prefix).map(|ids| (ids.row(id), ids.id(id as u32), ids.verify()));
        let _ = file.bitmap_ids(prefix).map(|ids| (ids.row(id as u64), ids.id(id as u32)));
    }
    let _ = file.verify_checksums();
}

/// True where the bytes opened; the message of a panic, or how long it took where that was too long.
fn run(bytes: &[u8]) -> Result<bool, String> {
    // What is asked depends on the bytes alone, so that a kept file shows the same again.
    let seed = checksum(bytes);
    let begin = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| match Store::from_bytes(bytes.to_vec()) {
        Ok(store) => {
            use_store(&store, &mut Random(seed));
            true
        }
        Err(e) => {
            assert!(!e.to_string().is_empty());
            let file = Container::from_bytes(bytes.to_vec());
            let _ = file.as_ref().map(|file| use_parts(file, &mut Random(seed)));
            file.is_ok_and(|file| file.schema() == "parts") || heights::run(bytes, &mut Random(seed))
        }
    }));
    if begin.elapsed() > Duration::from_secs(10) {
        return Err(format!("took {:.1} s", begin.elapsed().as_secs_f64()));
    }
    outcome.map_err(|_| MESSAGE.lock().map(|m| m.clone()).unwrap_or_default())
}

/// What the last panic said and where.
static MESSAGE: Mutex<String> = Mutex::new(String::new());

fn main() -> ExitCode {
    let (mut seconds, mut seed, mut files, mut heights_only) = (20u64, 1u64, Vec::new(), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse().ok());
        match argument.as_str() {
            "--seconds" => seconds = number().unwrap_or(seconds),
            "--seed" => seed = number().unwrap_or(seed),
            "--heights" => heights_only = true,
            "--help" => {
                println!("usage: format [--heights] [--seconds N] [--seed S] [FILE...]");
                return ExitCode::SUCCESS;
            }
            file => files.push(PathBuf::from(file)),
        }
    }
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut message) = MESSAGE.lock() {
            *message = info.to_string();
        }
    }));
    if !files.is_empty() {
        return again(&files);
    }
    let seeds = seeds(&mut Random(seed), heights_only);
    for bytes in &seeds {
        assert_eq!(run(bytes), Ok(true), "a seed is no good");
    }
    let (begin, mut inputs, mut opened, mut failures) = (Instant::now(), 0u64, 0u64, Vec::<String>::new());
    while begin.elapsed() < Duration::from_secs(seconds) && failures.len() < 10 {
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(inputs));
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for _ in 0..1 + random.below(6) {
            mutate(&mut bytes, &seeds, &mut random);
        }
        if random.below(20) > 0 {
            mend(&mut bytes, &mut random);
        }
        inputs += 1;
        match run(&bytes) {
            Ok(did) => opened += u64::from(did),
            // One file for each place in the code, which the first line names.
            Err(message) if failures.iter().any(|f| f.lines().next() == message.lines().next()) => {}
            Err(message) => {
                let file = keep(&bytes, inputs);
                eprintln!("input {inputs} of seed {seed}: {message}\n  kept as {}", file.display());
                failures.push(message);
            }
        }
    }
    println!(
        "{inputs} inputs, {opened} of them opened, {} failures, {:.0} s",
        failures.len(),
        begin.elapsed().as_secs_f64()
    );
    if opened * 10 < inputs {
        eprintln!("fewer than a tenth of the inputs opened: the checksums are not mended, nothing was tried");
        return ExitCode::FAILURE;
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs kept inputs again.
fn again(files: &[PathBuf]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match std::fs::read(file).map_err(|e| e.to_string()).and_then(|bytes| run(&bytes)) {
            Ok(opened) => println!("{}: {}", file.display(), if opened { "opened" } else { "refused" }),
            Err(message) => {
                println!("{}: {message}", file.display());
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn keep(bytes: &[u8], number: u64) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    let file = folder.join(format!("format-{:016x}-{number}.hypso", checksum(bytes)));
    if let Err(e) = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, bytes)) {
        eprintln!("{}: {e}", file.display());
    }
    file
}
