//! Breaks PMTiles headers and directories and reads them with everything that reads them; with `--packed`, zips, JPGIS and Parquet. See README.md.

mod packed;
mod random;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hypso::archive::pmtiles::{Compression, Header, PmtilesReader, TileReader};
use hypso::archive::{self, TileSource, VerifyOptions};
use hypso::format::checksum::checksum;
use hypso::progress::Silent;
use hypso::tile::{TileCoord, TileId};
use random::Random;

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// A number that tends to hurt.
    fn hostile(&mut self, length: u64) -> u64 {
        let near = [0, 1, 127, 128, 16_384, length, length / 2, u64::MAX, u64::from(u32::MAX), TileId::first(31).0];
        match self.below(4) {
            0 => near[self.below(near.len() as u64) as usize].wrapping_add(self.below(5)).wrapping_sub(2),
            1 => (1u64 << self.below(64)).wrapping_sub(self.below(2)),
            2 => self.below(length + 2),
            _ => self.next(),
        }
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// An entry as the specification has it: first id, offset, length, run (0 for a leaf).
type Entry = (u64, u64, u64, u64);

/// A directory, some of whose numbers may be altered.
fn directory(entries: &[Entry], random: &mut Random, damage: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |out: &mut Vec<u8>, value: u64| {
        let hurt = damage > 0 && random.below(damage) == 0;
        varint(out, if hurt { random.hostile(1000) } else { value });
    };
    put(&mut out, entries.len() as u64);
    let mut last = 0;
    for entry in entries {
        put(&mut out, entry.0.wrapping_sub(last));
        last = entry.0;
    }
    entries.iter().for_each(|entry| put(&mut out, entry.3));
    entries.iter().for_each(|entry| put(&mut out, entry.2));
    entries.iter().for_each(|entry| put(&mut out, entry.1 + 1));
    out
}

/// An archive with up to three levels of directories, mostly sound.
fn archive_of(random: &mut Random) -> Vec<u8> {
    let damage = [0, 0, 200, 40, 8][random.below(5) as usize];
    let mut data = Vec::new();
    let mut leaves = Vec::new();
    let mut id = random.below(300);
    let mut level: Vec<Entry> = Vec::new();
    for _ in 0..1 + random.below(60) {
        let length = 1 + random.below(40);
        let run = if random.below(30) == 0 { random.hostile(100) & 0xffff_ffff } else { 1 + random.below(6) };
        level.push((id, data.len() as u64, length, run.max(1)));
        data.extend((0..length).map(|_| random.next() as u8));
        id = id.saturating_add(run.max(1)).saturating_add(random.below(4));
    }
    for _ in 0..random.below(4) {
        let size = 1 + random.below(9) as usize;
        let mut above = Vec::new();
        for part in level.chunks(size) {
            let leaf = directory(part, random, damage);
            above.push((part[0].0, leaves.len() as u64, leaf.len() as u64, 0));
            leaves.extend(leaf);
        }
        level = above;
    }
    let root = directory(&level, random, damage);
    let json = br#"{"name":"fuzz","encoding":"terrarium","tileSize":512}"#;
    let mut header = Header {
        root_offset: 127,
        root_length: root.len() as u64,
        metadata_offset: 127 + root.len() as u64,
        metadata_length: json.len() as u64,
        internal_compression: Compression::None,
        tile_compression: Compression::None,
        tile_type: random.below(8) as u8,
        clustered: random.below(2) == 0,
        max_zoom: random.below(12) as u8,
        ..Header::default()
    };
    header.leaf_offset = header.metadata_offset + header.metadata_length;
    header.leaf_length = leaves.len() as u64;
    header.data_offset = header.leaf_offset + header.leaf_length;
    header.data_length = data.len() as u64;
    let mut bytes = [&header.to_bytes()[..], &root, json, &leaves, &data].concat();
    let length = bytes.len() as u64;
    for _ in 0..[0, 0, 1, 3][random.below(4) as usize] {
        match random.below(4) {
            0 => {
                let at = 8 + 8 * random.below(11) as usize;
                let value = random.hostile(length);
                bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
            1 => bytes[random.below(127) as usize] ^= 1 << random.below(8),
            2 => {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] = random.next() as u8;
            }
            _ => bytes.truncate(random.below(length) as usize),
        }
        if bytes.len() < 127 {
            break;
        }
    }
    bytes
}

/// Reads the file with all that reads archives; true where it could be opened.
fn read(path: &Path) -> bool {
    let check = |_: TileCoord, _: &[u8]| Ok(());
    // What is asked depends on the bytes alone, so that a kept file shows the same again.
    let which = std::fs::read(path).map_or(0, |bytes| checksum(&bytes));
    if which % 4 == 0 {
        let _ = archive::verify(path, VerifyOptions::default(), &check, &Silent);
    }
    let mapped = TileReader::open(path);
    let Ok(reader) = PmtilesReader::open(path) else {
        assert!(mapped.is_err(), "mapped, but not read");
        return false;
    };
    let mapped = mapped.expect("read, but not mapped");
    let _ = archive::summary(&reader, 3);
    let _ = (reader.tile_count(), reader.facts(), reader.metadata().to_json());
    for tile in reader.tiles().into_iter().flatten().take(3000) {
        let Ok(tile) = tile else { break };
        let mut bytes = Vec::new();
        if let (Ok(()), Some(coord)) = (reader.read(tile, &mut bytes), tile.id.coord()) {
            assert_eq!(mapped.tile(coord).expect("mapped as well"), Some(&bytes[..]), "{coord}");
        }
    }
    for id in (which % 9..400).step_by(9).chain([TileId::first(31).0, TileId::first(31).0 * 4]) {
        let Some(tile) = TileId(id).coord() else { continue };
        match (reader.tile(tile), mapped.tile(tile)) {
            (Ok(a), Ok(b)) => assert_eq!(a.as_deref(), b, "{tile}"),
            (Err(_), Err(_)) => {}
            (a, b) => panic!("{tile}: {a:?} but mapped {b:?}"),
        }
    }
    true
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| arguments.get(arguments.iter().position(|a| a == name)? + 1);
    let option = |name: &str, default: u64| after(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let read_any =
        |path: &Path| if path.extension().is_some_and(|e| e == "pmtiles") { read(path) } else { packed::read(path) };
    if let Some(file) = arguments.get(1).filter(|a| !a.starts_with("--")) {
        println!("opened: {}, {} MB at the peak", read_any(Path::new(file)), peak_mb());
        return ExitCode::SUCCESS;
    }
    let (seconds, seed) = (option("--seconds", 20), option("--seed", 1));
    let folder = std::env::temp_dir().join(format!("hypso-fuzz-{}", std::process::id()));
    if let Err(error) = std::fs::create_dir_all(&folder) {
        eprintln!("{}: {error}", folder.display());
        return ExitCode::FAILURE;
    }
    let packed = arguments.iter().any(|a| a == "--packed");
    let tables = if packed { packed::tables(&folder, after("--tables").map(String::as_str)) } else { Vec::new() };
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut tried, mut opened) = (0u64, 0u64);
    while Instant::now() < end {
        // Each archive has a seed of its own, so that one can be made again alone.
        let own = seed.wrapping_mul(1_000_003).wrapping_add(tried);
        let scratch = if packed {
            packed::make(&mut Random(own), &folder, &tables)
        } else {
            let scratch = folder.join("a.pmtiles");
            std::fs::write(&scratch, archive_of(&mut Random(own))).expect("a scratch file");
            scratch
        };
        let started = Instant::now();
        let found = catch_unwind(AssertUnwindSafe(|| read_any(&scratch)));
        let memory = peak_mb();
        if found.is_err() || started.elapsed() > Duration::from_secs(10) || memory > 1500 {
            let name = scratch.file_name().unwrap_or_default().to_string_lossy();
            let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("artifacts/{own}-{name}"));
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
