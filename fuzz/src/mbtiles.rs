//! Breaks MBTiles, by SQL and by bytes, and reads them with everything that reads them. See README.md.

mod random;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hypso::archive::mbtiles::MbtilesReader;
use hypso::archive::{self, ArchiveMetadata, CreateOptions, OnOverlap, Selection, TileSource, VerifyOptions};
use hypso::format::checksum::checksum;
use hypso::progress::Silent;
use hypso::tile::{TileCoord, TileId};
use random::Random;

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn one_of<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values[self.below(values.len() as u64) as usize]
    }
}

/// Values that hurt, as SQL.
const VALUES: [&str; 16] = [
    "NULL",
    "''",
    "x''",
    "0",
    "-1",
    "31",
    "32",
    "9223372036854775807",
    "-9223372036854775808",
    "1e300",
    "'text'",
    "zeroblob(70000)",
    "randomblob(900)",
    "'{\"a\":[1,{\"b\":null}]}'",
    "'1,2,3,4'",
    "'nan,inf,-inf,1e999'",
];
const ROWS: [&str; 12] = [
    "name",
    "format",
    "bounds",
    "center",
    "minzoom",
    "maxzoom",
    "scheme",
    "tileSize",
    "encoding",
    "json",
    "type",
    "compression",
];

/// What may be done to a database; `{v}` is one of the values, `{r}` the name of a row of metadata.
const EDITS: [&str; 18] = [
    "UPDATE metadata SET value = {v} WHERE name = '{r}'",
    "INSERT INTO metadata VALUES ({v}, {v})",
    "DELETE FROM metadata WHERE name = '{r}'",
    "DROP TABLE metadata",
    "UPDATE tiles SET tile_data = {v} WHERE rowid % 7 = 0",
    "UPDATE tiles SET tile_row = {v} WHERE rowid = 3",
    "UPDATE tiles SET zoom_level = {v} WHERE rowid = 5",
    "UPDATE tiles SET tile_column = {v}",
    "DROP INDEX tile_index",
    "DROP INDEX tile_index; INSERT INTO tiles SELECT * FROM tiles",
    "UPDATE map SET tile_id = {v} WHERE rowid % 5 = 0",
    "UPDATE images SET tile_data = {v} WHERE rowid % 3 = 0",
    "UPDATE images SET tile_id = {v}",
    "ALTER TABLE tiles RENAME TO t; CREATE VIEW tiles AS SELECT zoom_level, tile_column, tile_row, tile_data FROM t",
    "ALTER TABLE tiles RENAME TO t; CREATE VIEW tiles AS SELECT zoom_level, tile_column, {v} AS tile_row, zeroblob(900000000) AS tile_data FROM t",
    "DROP TABLE tiles; CREATE VIEW tiles AS SELECT 1 AS zoom_level, 0 AS tile_column, {v} AS tile_row, {v} AS tile_data",
    "ALTER TABLE tiles ADD COLUMN more; UPDATE tiles SET more = {v}",
    "PRAGMA journal_mode = WAL",
];

/// Makes a sound database under `path`.
fn sound(path: &Path, random: &mut Random) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let metadata = ArchiveMetadata { name: "fuzz".into(), ..ArchiveMetadata::default() };
    let options = CreateOptions { overwrite: true, dedup: random.below(2) == 0, ..CreateOptions::default() };
    let mut sink = archive::create_with(path, &metadata, options)?;
    let mut id = random.below(30);
    for _ in 0..1 + random.below(80) {
        let length = if random.below(20) == 0 { 9000 } else { 1 + random.below(60) };
        let body: Vec<u8> = (0..length).map(|_| random.next() as u8 & 3).collect();
        sink.put(TileId(id).coord().ok_or("beyond zoom 31")?, &body)?;
        id += 1 + random.below(4);
    }
    sink.finish()?;
    Ok(std::fs::read(path)?)
}

/// Puts one of some sound databases under `path`, mostly altered.
fn make(path: &Path, sound: &[Vec<u8>], random: &mut Random) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::write(path, &sound[random.below(sound.len() as u64) as usize])?;
    if random.below(3) > 0 {
        let database = rusqlite::Connection::open(path)?;
        database.execute_batch("PRAGMA synchronous = OFF")?;
        for _ in 0..1 + random.below(3) {
            let mut edit = random.one_of(&EDITS).replace("{r}", random.one_of(&ROWS));
            while edit.contains("{v}") {
                edit = edit.replacen("{v}", random.one_of(&VALUES), 1);
            }
            // What this schema can't do is not done.
            let _ = database.execute_batch(&edit);
        }
    }
    if random.below(2) == 0 {
        let mut bytes = std::fs::read(path)?;
        for _ in 0..1 + random.below(12) {
            let at = match random.below(3) {
                0 => random.below(120),
                // Headers and the first cells of pages.
                1 => random.below(bytes.len() as u64 / 4096) * 4096 + random.below(40),
                _ => random.below(bytes.len() as u64),
            };
            bytes[at as usize] = if random.below(2) == 0 { 0xff } else { random.next() as u8 };
        }
        if random.below(6) == 0 {
            bytes.truncate(random.below(bytes.len() as u64) as usize);
        }
        std::fs::write(path, bytes)?;
    }
    Ok(())
}

/// Reads the file with what reads archives: with all of it, or a part that depends on the bytes alone. True where it could be opened.
fn read(path: &Path, all: bool) -> bool {
    let check = |_: TileCoord, _: &[u8]| Ok(());
    let which = std::fs::read(path).map_or(0, |bytes| checksum(&bytes)) % 5;
    let does = |part: u64| all || which == part;
    if does(0) {
        let _ = archive::verify(path, VerifyOptions::default(), &check, &Silent);
    }
    let Ok(reader) = MbtilesReader::open(path) else { return false };
    let _ = archive::summary(&reader, 3);
    let _ = (reader.tile_count(), reader.facts(), reader.metadata().to_json(), reader.warnings());
    for tile in reader.tiles().into_iter().flatten().take(1000) {
        let Ok(tile) = tile else { break };
        let mut bytes = Vec::new();
        let _ = (reader.read(tile, &mut bytes), tile.id.coord().map(|coord| reader.tile(coord)));
    }
    for (part, extension, dedup) in [(1, "pmtiles", false), (2, "mbtiles", true)] {
        if !does(part) {
            continue;
        }
        let copy = path.with_extension(format!("copy.{extension}"));
        let options = CreateOptions { overwrite: true, dedup, ..CreateOptions::default() };
        if let Ok(sink) = archive::create_with(&copy, reader.metadata(), options) {
            let _ = archive::convert(&reader, sink, &Selection::default(), &Silent);
        }
        let _ = std::fs::remove_file(&copy);
    }
    // Alone, and as its own second: whole tables where nothing is odd, tile by tile else; both give the same tiles.
    let merged = path.with_extension("merged.mbtiles");
    for (part, inputs) in [(3, &[&reader as &dyn TileSource][..]), (4, &[&reader, &reader])] {
        if !does(part) {
            continue;
        }
        let Ok(metadata) = archive::merged_metadata(inputs) else { continue };
        let Ok(sink) = archive::create(&merged, &metadata, true) else { continue };
        if let Ok(summary) = archive::merge(inputs, sink, OnOverlap::First, &Silent) {
            let again = MbtilesReader::open(&merged).expect("what was merged is an archive");
            assert_eq!(again.tile_count().expect("readable"), summary.tiles);
            for tile in again.tiles().expect("readable") {
                let mut bytes = Vec::new();
                again.read(tile.expect("in the grid"), &mut bytes).expect("readable");
                assert!(!bytes.is_empty(), "an empty tile was merged");
            }
        }
        let _ = std::fs::remove_file(&merged);
    }
    true
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: u64| {
        let at = arguments.iter().position(|a| a == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    if let Some(file) = arguments.get(1).filter(|a| !a.starts_with("--")) {
        println!("opened: {}", read(Path::new(file), true));
        return ExitCode::SUCCESS;
    }
    let (seconds, seed) = (option("--seconds", 20), option("--seed", 1));
    let folder = std::env::temp_dir().join(format!("hypso-fuzz-{}", std::process::id()));
    if let Err(error) = std::fs::create_dir_all(&folder) {
        eprintln!("{}: {error}", folder.display());
        return ExitCode::FAILURE;
    }
    let scratch = folder.join("a.mbtiles");
    let made = (0..40).map(|n| sound(&scratch, &mut Random(seed.wrapping_add(n)))).collect::<Result<Vec<_>, _>>();
    let sound = match made {
        Ok(sound) => sound,
        Err(error) => {
            eprintln!("{}: {error}", scratch.display());
            return ExitCode::FAILURE;
        }
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut tried, mut opened) = (0u64, 0u64);
    while Instant::now() < end {
        // Each archive has a seed of its own; all of them come from the sound ones of this run's seed.
        let own = seed.wrapping_mul(1_000_003).wrapping_add(tried);
        if let Err(error) = make(&scratch, &sound, &mut Random(own)) {
            eprintln!("archive {own}: {error}");
            return ExitCode::FAILURE;
        }
        let started = Instant::now();
        let found = catch_unwind(AssertUnwindSafe(|| read(&scratch, false)));
        let memory = peak_mb();
        if found.is_err() || started.elapsed() > Duration::from_secs(10) || memory > 600 {
            let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("artifacts/archive-{own}.mbtiles"));
            let _ = std::fs::create_dir_all(kept.parent().unwrap_or(Path::new(".")));
            let _ = std::fs::copy(&scratch, &kept);
            eprintln!(
                "archive {own} after {:?}, {memory} MB at the peak: kept as {}",
                started.elapsed(),
                kept.display()
            );
            return ExitCode::FAILURE;
        }
        opened += u64::from(found.unwrap_or(false));
        tried += 1;
        for left in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let _ = std::fs::remove_file(left.path());
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    println!("{tried} archives, {opened} of them opened, {} MB at the peak, no failure", peak_mb());
    ExitCode::SUCCESS
}

/// The largest resident memory so far, MB; 0 where the system doesn't tell.
fn peak_mb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("");
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) / 1024
}
