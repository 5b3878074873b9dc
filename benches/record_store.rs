//! A set of training records read in random batches: from SQLite as is and as fast as it gets, from the memory of the
//! process, and from a mapped file, raw and compressed.
//!
//! `cargo bench --bench record_store` makes 20 000 records, or as many as `HYPSO_BENCH_TRAINING` says (the story has
//! 300 000), in a temporary folder or in `HYPSO_BENCH_FOLDER`, where they stay and are taken from the next time. It measures
//! every engine in processes of its own, and prints tables. What is in them: `docs/record-store.md`. Results: `RESULTS.md`.

#[path = "common/processes.rs"]
mod processes;
#[path = "../examples/common/random.rs"]
mod random;
#[path = "../examples/common/records/mod.rs"]
mod records;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use hypso::column::Batch;
use hypso::container::{Advice, Container};
use processes::{Failure, Figures, Stopwatch, answer, forget, most, number, run, sum};
use records::{Coding, Collector, Random, RecordSet, record, shuffled};
use rusqlite::{Connection, OpenFlags, params_from_iter};

const BATCH: usize = 128;
const LOADERS: usize = 8;
/// The level of Zstandard and of zlib; Python's default for the latter.
const LEVEL: i32 = 6;

type Engine = (&'static str, &'static str, &'static str);

/// What each engine is called, its name here, and its file.
const ENGINES: [Engine; 9] = [
    ("SQLite, zlib blobs, one query a record", "sqlite-one", "zlib.sqlite"),
    ("SQLite, zlib blobs, `IN` lists, mmap, cache", "sqlite-in-zlib", "zlib.sqlite"),
    ("SQLite, raw blobs, `IN` lists, mmap, cache", "sqlite-in", "raw.sqlite"),
    ("everything in the memory of the process", "memory", "raw.hypso"),
    ("hypso, raw", "hypso", "raw.hypso"),
    ("hypso, raw, preloaded", "preloaded", "raw.hypso"),
    ("hypso, zstd by record", "hypso", "zstd.hypso"),
    ("hypso, zstd by record with a dictionary", "hypso", "trained.hypso"),
    (PALETTE, "hypso", "palette.hypso"),
];
const PALETTE: &str = "hypso, codes of a palette";

fn main() -> Result<(), Failure> {
    if let Some(arguments) = processes::arguments() {
        let [engine, path, seed, epochs] = &arguments[..] else { return Err("four arguments expected".into()) };
        let (seed, epochs) = (seed.parse()?, epochs.parse()?);
        return match engine.as_str() {
            "sqlite-one" => measure(|| Sqlite::open(path, false, true), Sqlite::one_by_one, seed, epochs),
            "sqlite-in-zlib" => measure(|| Sqlite::open(path, true, true), Sqlite::in_lists, seed, epochs),
            "sqlite-in" => measure(|| Sqlite::open(path, true, false), Sqlite::in_lists, seed, epochs),
            "memory" => measure(|| in_memory(path), copy, seed, epochs),
            "hypso" => mapped(path, None, seed, epochs),
            "preloaded" => mapped(path, Some(Advice::Preload), seed, epochs),
            other => Err(format!("no engine {other:?}").into()),
        };
    }
    let temporary = tempfile::tempdir()?;
    let kept = std::env::var_os("HYPSO_BENCH_FOLDER").map(PathBuf::from);
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let count = number("HYPSO_BENCH_TRAINING", 20_000);
    let known = Container::open(folder.join("palette.hypso"));
    if known.and_then(|file| Ok(RecordSet::new(&file)?.len() == count)).unwrap_or(false) {
        println!("the files are those that are in the folder");
    } else {
        make(folder, count as u64)?;
    }
    compare(folder, count as u64)?;
    report(folder)
}

/// Makes all files from one stream of records.
fn make(folder: &Path, count: u64) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut collector = Collector::open(folder.join("spool"), 1)?;
    let databases = ["zlib.sqlite", "raw.sqlite"].map(|name| folder.join(name));
    let (mut ids, mut bytes) = (Vec::new(), 0);
    let mut open = Vec::new();
    for path in &databases {
        let _ = std::fs::remove_file(path);
        let database = Connection::open(path)?;
        database.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
             CREATE TABLE record (id INTEGER PRIMARY KEY, class TEXT, mass REAL, data BLOB); BEGIN;",
        )?;
        open.push(database);
    }
    for number in 0..count {
        let record = record(number);
        let data = record.to_bytes();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(LEVEL as u32));
        zlib.write_all(&data)?;
        for (database, blob) in open.iter().zip([&zlib.finish()?, &data]) {
            let mut insert = database.prepare_cached("INSERT INTO record VALUES (?, ?, ?, ?)")?;
            insert.execute((record.id as i64, &record.class, record.mass, blob))?;
        }
        ids.push(record.id);
        bytes += data.len();
        collector.push(&record)?;
    }
    open.iter().try_for_each(|database| database.execute_batch("COMMIT"))?;
    println!(
        "{count} records of {:.0} bytes, made in {:.0} s",
        bytes as f64 / count as f64,
        begin.elapsed().as_secs_f64()
    );
    let (train, rest) = ids.split_at(ids.len() * 8 / 10);
    let (validation, test) = rest.split_at(rest.len() / 2);
    let zstd = |trained| Coding::Zstd { level: LEVEL, trained };
    let codings = [("raw", Coding::Raw), ("zstd", zstd(false)), ("trained", zstd(true)), ("palette", Coding::Palette)];
    for (name, coding) in codings {
        let begin = Instant::now();
        let path = folder.join(name).with_extension("hypso");
        collector.write(path, coding, &[("train", train), ("validation", validation), ("test", test)])?;
        println!("{name}.hypso: {:.1} s", begin.elapsed().as_secs_f64());
    }
    Ok(collector.remove()?)
}

/// Some records are the same in all files.
fn compare(folder: &Path, count: u64) -> Result<(), Failure> {
    let mut random = Random(9);
    for _ in 0..200 {
        let record = record(random.below(count));
        let expected = record.to_bytes();
        for (_, engine, file) in ENGINES {
            let path = folder.join(file);
            let path = path.to_str().ok_or("path")?;
            let mut found = Vec::new();
            if engine.starts_with("sqlite") {
                let mut database = Sqlite::open(path, false, file.starts_with("zlib"))?;
                database.one_by_one(&[record.id], &mut found)?;
            } else {
                let file = Container::open(path)?;
                let set = RecordSet::new(&file)?;
                let row = set.ids.row(record.id).ok_or("no such record")?;
                found.extend_from_slice(set.reader()?.get(row as usize)?);
            }
            assert!(found == expected, "{file}: record {} differs", record.id);
        }
    }
    Ok(())
}

fn report(folder: &Path) -> Result<(), Failure> {
    println!(
        "\n| | on disk, MB | start, ms | an epoch, CPU s | on the clock, s | own memory, MB | proportional, MB | {LOADERS} loaders: own, MB | proportional, all, MB | ratio | cold: start, ms | an epoch, CPU s | on the clock, s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let seed = [
        ("pickle", "8000-12000", "44", "3300"),
        ("SQLite", "1000", "350", "203"),
        ("SQLite, optimised", "31000", "28", "2200"),
    ];
    for (what, start, epoch, memory) in seed {
        println!("| seed: {what} | | {start} | | {epoch} | {memory} | | | | | | | |");
    }
    let mut epochs = Vec::new();
    for (what, engine, file) in ENGINES {
        let path = folder.join(file);
        let disk = std::fs::metadata(&path)?.len() as f64 / 1e6;
        let arguments = |epochs: &'static str| [engine, path.to_str().unwrap_or("?"), "1", epochs];
        // The first epoch after the system has dropped the file; what follows finds it in memory again.
        forget(&path)?;
        let cold = run(1, &arguments("1"))?;
        let one = run(1, &arguments("3"))?;
        print!(
            "| {what} | {disk:.0} | {:.2} | {:.2} | {:.2} | {:.1} | {:.0} |",
            one[0]["start"] * 1e3,
            one[0]["epoch"],
            one[0]["wall"],
            one[0]["own"] / 1e3,
            one[0]["pss"] / 1e3
        );
        epochs.push((what, one[0]["epoch"], disk));
        // Eight copies of all records would not fit into every machine; what they take is no riddle.
        if engine == "memory" {
            print!(
                " {:.0} | {:.0} (computed) | {LOADERS} |",
                one[0]["own"] / 1e3,
                one[0]["pss"] / 1e3 * LOADERS as f64
            );
        } else {
            let all: Vec<Figures> = run(LOADERS, &arguments("1"))?;
            let (pss, alone) = (sum(&all, "pss") / 1e3, one[0]["pss"] / 1e3);
            print!(" {:.1} | {pss:.0} | {:.3} |", most(&all, "own") / 1e3, pss / alone);
        }
        println!(" {:.1} | {:.2} | {:.2} |", cold[0]["start"] * 1e3, cold[0]["epoch"], cold[0]["wall"]);
    }
    let of = |part: &str| epochs.iter().find(|(what, ..)| *what == part).map_or((f64::NAN, f64::NAN), |e| (e.1, e.2));
    let raw = of("hypso, raw").0;
    println!(
        "\nraw: {:.2} times the epoch out of the memory of the process, {:.2} times that of SQLite with raw blobs and `IN` lists",
        raw / of("everything in the memory of the process").0,
        raw / of("SQLite, raw blobs, `IN` lists, mmap, cache").0
    );
    println!("\n| beside SQLite with zlib blobs, one query a record | times as fast | bytes on disk |\n|---|---|---|");
    let (peer, bytes) = of(ENGINES[0].0);
    for (what, epoch, disk) in epochs.iter().filter(|(what, ..)| what.starts_with("hypso")) {
        println!("| {what} | {:.1} | {:.2} |", peer / epoch, disk / bytes);
    }
    Ok(())
}

/// Starts an engine and runs epochs over all records, in another order each; tells the median of them.
fn measure<E>(
    open: impl Fn() -> Result<E, Failure>,
    mut load: impl FnMut(&mut E, &[u64], &mut Vec<u8>) -> Result<(), Failure>,
    seed: u64,
    epochs: usize,
) -> Result<(), Failure>
where
    E: Ids,
{
    let begin = Instant::now();
    let mut engine = open()?;
    let start = begin.elapsed().as_secs_f64();
    let ids = engine.ids()?;
    let rows: Vec<u32> = (0..ids.len() as u32).collect();
    let (mut buffer, mut times) = (Vec::new(), Vec::new());
    for epoch in 0..epochs {
        // The list of a split is at hand in any engine; its order is not measured.
        let order: Vec<u64> = shuffled(&rows, seed + epoch as u64).into_iter().map(|row| ids[row as usize]).collect();
        let (begin, mut sum) = (Stopwatch::start(), 0u64);
        for batch in order.chunks(BATCH) {
            buffer.clear();
            load(&mut engine, batch, &mut buffer)?;
            sum += buffer.len() as u64 + u64::from(buffer[buffer.len() / 2]);
        }
        std::hint::black_box(sum);
        times.push((begin.cpu(), begin.wall()));
    }
    drop((ids, rows));
    answer(engine, &[("start", start), ("epoch", least(&times, |t| t.0)), ("wall", least(&times, |t| t.1))])
}

/// What gives the ids of its records, outside of what is measured.
trait Ids {
    fn ids(&mut self) -> Result<Vec<u64>, Failure>;
}

struct Sqlite {
    database: Connection,
    zlib: bool,
}

impl Sqlite {
    fn open(path: &str, tuned: bool, zlib: bool) -> Result<Self, Failure> {
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        if tuned {
            database.execute_batch(
                "PRAGMA mmap_size = 4294967296; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;",
            )?;
        }
        // A connection reads nothing before its first statement.
        database.query_row("SELECT id FROM record LIMIT 1", [], |row| row.get::<_, i64>(0))?;
        Ok(Self { database, zlib })
    }

    fn take(zlib: bool, blob: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        if zlib {
            ZlibDecoder::new(blob).read_to_end(out)?;
        } else {
            out.extend_from_slice(blob);
        }
        Ok(())
    }

    fn one_by_one(&mut self, ids: &[u64], out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut select = self.database.prepare_cached("SELECT data FROM record WHERE id = ?")?;
        for &id in ids {
            let mut rows = select.query([id as i64])?;
            let row = rows.next()?.ok_or("no such record")?;
            Self::take(self.zlib, row.get_ref(0)?.as_blob()?, out)?;
        }
        Ok(())
    }

    fn in_lists(&mut self, ids: &[u64], out: &mut Vec<u8>) -> Result<(), Failure> {
        let places = vec!["?"; ids.len()].join(",");
        let mut select = self.database.prepare_cached(&format!("SELECT data FROM record WHERE id IN ({places})"))?;
        let mut rows = select.query(params_from_iter(ids.iter().map(|&id| id as i64)))?;
        // They come in the order of ids; putting them back into that of the batch is left out.
        while let Some(row) = rows.next()? {
            Self::take(self.zlib, row.get_ref(0)?.as_blob()?, out)?;
        }
        Ok(())
    }
}

impl Ids for Sqlite {
    fn ids(&mut self) -> Result<Vec<u64>, Failure> {
        let mut select = self.database.prepare("SELECT id FROM record ORDER BY id")?;
        let ids = select.query_map([], |row| row.get::<_, i64>(0))?;
        Ok(ids.map(|id| id.map(|id| id as u64)).collect::<Result<_, _>>()?)
    }
}

/// Every record in an allocation of its own, as a program that has read a pickle has it. Ids are rows here.
struct Memory(Vec<Box<[u8]>>);

fn in_memory(path: &str) -> Result<Memory, Failure> {
    let file = Container::open(path)?;
    file.advise(Advice::Sequential)?;
    let set = RecordSet::new(&file)?;
    let mut records = Vec::with_capacity(set.len());
    set.data.for_each(|_, bytes| {
        records.push(Box::from(bytes));
        Ok(())
    })?;
    Ok(Memory(records))
}

fn copy(memory: &mut Memory, rows: &[u64], out: &mut Vec<u8>) -> Result<(), Failure> {
    rows.iter().for_each(|&row| out.extend_from_slice(&memory.0[row as usize]));
    Ok(())
}

impl Ids for Memory {
    fn ids(&mut self) -> Result<Vec<u64>, Failure> {
        Ok((0..self.0.len() as u64).collect())
    }
}

/// A loader as the example has it: rows of the split, one reader, one batch that is used again.
fn mapped(path: &str, advice: Option<Advice>, seed: u64, epochs: usize) -> Result<(), Failure> {
    let begin = Instant::now();
    let file = Container::open(path)?;
    if let Some(advice) = advice {
        file.advise(advice)?;
    }
    let set = RecordSet::new(&file)?;
    let mut reader = set.reader()?;
    let start = begin.elapsed().as_secs_f64();
    let rows: Vec<u32> = (0..set.len() as u32).collect();
    let (mut batch, mut times) = (Batch::new(), Vec::new());
    for epoch in 0..epochs {
        let order = shuffled(&rows, seed + epoch as u64);
        let (begin, mut sum) = (Stopwatch::start(), 0u64);
        for rows in order.chunks(BATCH) {
            reader.batch(rows.iter().map(|&row| row as usize), &mut batch)?;
            sum += batch.iter().map(|bytes| bytes.len() as u64 + u64::from(bytes[bytes.len() / 2])).sum::<u64>();
        }
        std::hint::black_box(sum);
        times.push((begin.cpu(), begin.wall()));
    }
    drop(rows);
    let epoch = [("start", start), ("epoch", least(&times, |t| t.0)), ("wall", least(&times, |t| t.1))];
    answer((&file, &reader), &epoch)
}

/// The fastest epoch is the one that other work disturbed least; the first one also brings pages in.
fn least(times: &[(f64, f64)], which: impl Fn(&(f64, f64)) -> f64) -> f64 {
    times.iter().map(which).fold(f64::INFINITY, f64::min)
}
