//! Killed or out of space at any moment, a command leaves no half archive under a final name and its inputs as they were; and
//! a mapped archive gives many threads the same tiles.
#![cfg(feature = "cli")]

use crate::common;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hypso::archive::pmtiles::{PmtilesReader, TileReader};
use hypso::archive::{self, ArchiveMetadata, CreateOptions, TileFormat, TileSource};
use hypso::terrain::{CodeTile, Encoding, ImageFormat};
use hypso::tile::{TileCoord, TileId};

use crate::told::names;

const HYPSO: &str = env!("CARGO_BIN_EXE_hypso");

/// Enough tiles for leaf directories and for a moment of work.
fn make(path: &Path) {
    let metadata = ArchiveMetadata { name: "big".into(), ..ArchiveMetadata::default() };
    let mut sink =
        archive::create_with(path, &metadata, CreateOptions { overwrite: true, ..CreateOptions::default() }).unwrap();
    let mut random = common::Random(7);
    for id in TileId::first(8).0..TileId::first(8).0 + 30_000 {
        let noise: Vec<u8> = (0..20 + random.next() % 150).flat_map(|_| random.next().to_le_bytes()).collect();
        sink.put(TileId(id).coord().unwrap(), &noise).unwrap();
    }
    sink.finish().unwrap();
}

/// Rough terrain: enough that it does not fit into 2 MB of packed heights.
fn make_terrain(path: &Path) {
    let metadata = ArchiveMetadata {
        encoding: Some(Encoding::Terrarium.into()),
        format: TileFormat::Png,
        tile_size: Some(128),
        ..ArchiveMetadata::default()
    };
    let mut sink =
        archive::create_with(path, &metadata, CreateOptions { overwrite: true, ..CreateOptions::default() }).unwrap();
    let mut random = common::Random(8);
    for id in TileId::first(6).0..TileId::first(6).0 + TERRAIN {
        let codes = (0..128 * 128).map(|i| 0x80_0000 + i * 9 + (random.next() % 4096) as u32).collect();
        let tile = CodeTile { size: 128, codes, valid: vec![1; 128 * 128] };
        sink.put(TileId(id).coord().unwrap(), &tile.encode(ImageFormat::Png).unwrap()).unwrap();
    }
    sink.finish().unwrap();
}

/// Makes the input of a command, and gives how many tiles it has.
fn made(folder: &Path, input: &str) -> u64 {
    if input.starts_with("terrain") {
        make_terrain(&folder.join(input));
        return TERRAIN;
    }
    make(&folder.join(input));
    30_000
}

const TERRAIN: u64 = 300;

/// Input, command, output, and how many tiles that has more.
const COMMANDS: [(&str, &[&str], &str, u64); 9] = [
    ("in.mbtiles", &["convert", "in.mbtiles", "-o", "out.pmtiles"], "out.pmtiles", 0),
    ("in.pmtiles", &["convert", "in.pmtiles", "-o", "out.mbtiles", "--dedup"], "out.mbtiles", 0),
    ("in.pmtiles", &["extract", "in.pmtiles", "-o", "out.pmtiles", "--min-zoom", "3"], "out.pmtiles", 0),
    ("in.mbtiles", &["merge", "in.mbtiles", "-o", "out.mbtiles"], "out.mbtiles", 0),
    ("terrain.pmtiles", &["convert", "terrain.pmtiles", "-o", "out.heights"], "out.heights", 0),
    ("terrain.heights", &["extract", "terrain.heights", "-o", "out.heights", "--min-zoom", "3"], "out.heights", 0),
    ("in.pmtiles", &["convert", "in.pmtiles", "-o", "out.zip"], "out.zip", 0),
    // Above 300 tiles along the curve there are 75, 19, 5, 2, 1 and 1, and 1200 below them.
    ("terrain.pmtiles", &["overviews", "terrain.pmtiles", "-o", "out.pmtiles"], "out.pmtiles", 103),
    ("terrain.pmtiles", &["overzoom", "terrain.pmtiles", "-o", "out.pmtiles", "--max-zoom", "7"], "out.pmtiles", 1200),
];

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for (input, arguments, output, _) in COMMANDS {
        made(folder.path(), input);
        let before = std::fs::read(folder.path().join(input)).unwrap();
        // Files may grow to 2 MB; beyond that, writes fail as on a full volume.
        let script = format!("trap '' XFSZ; ulimit -f 4000; exec \"$0\" {}", arguments.join(" "));
        let done = Command::new("sh").args(["-c", &script, HYPSO]).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(output) && said.contains("can't"), "{arguments:?}: {said}");
        assert_eq!(names(folder.path()), [input], "{arguments:?}");
        assert!(std::fs::read(folder.path().join(input)).unwrap() == before);
        std::fs::remove_file(folder.path().join(input)).unwrap();
    }
}

#[test]
fn killed_at_any_moment_it_leaves_a_whole_archive_or_none() {
    let folder = tempfile::tempdir().unwrap();
    for (input, arguments, output, more) in COMMANDS {
        let tiles = made(folder.path(), input) + more;
        let before = std::fs::read(folder.path().join(input)).unwrap();
        let target = folder.path().join(output);
        let mut killed = 0;
        for moment in [1, 5, 20, 60, 120, 250] {
            let mut child = Command::new(HYPSO)
                .args(arguments)
                .current_dir(folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(moment));
            child.kill().unwrap();
            killed += u32::from(!child.wait().unwrap().success());
            if target.exists() {
                assert_eq!(
                    archive::open(&target).unwrap().tile_count().unwrap(),
                    tiles,
                    "{arguments:?} after {moment} ms"
                );
                std::fs::remove_file(&target).unwrap();
            }
        }
        assert!(killed > 0, "{arguments:?} was never killed");
        assert!(std::fs::read(folder.path().join(input)).unwrap() == before);
        // What a kill left behind has a hidden name and is in nobody's way.
        let left: Vec<String> = names(folder.path()).into_iter().filter(|name| !name.starts_with('.')).collect();
        assert_eq!(left, [input]);
        // The same command again makes the bytes of one that was never killed, and takes away what was left.
        let mut made = Vec::new();
        for _ in 0..2 {
            let again = Command::new(HYPSO).args(arguments).current_dir(folder.path()).output().unwrap();
            assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
            made.push(std::fs::read(&target).unwrap());
            assert_eq!(names(folder.path()).len(), 2, "{:?}", names(folder.path()));
            std::fs::remove_file(&target).unwrap();
        }
        assert!(made[0] == made[1], "{arguments:?}");
        std::fs::read_dir(folder.path()).unwrap().for_each(|e| std::fs::remove_file(e.unwrap().path()).unwrap());
    }
}

#[test]
fn mapped_tiles_are_those_that_are_read_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pmtiles");
    make(&path);
    let mut archives: Vec<PathBuf> = vec![path];
    if let Some(shared) = common::shared("archives/pmtiles") {
        let all = std::fs::read_dir(shared).unwrap().map(|entry| entry.unwrap().path());
        archives.extend(all.filter(|path| PmtilesReader::open(path).is_ok()));
    }
    for path in archives {
        let reader = PmtilesReader::open(&path).unwrap();
        let mapped = TileReader::open(&path).unwrap();
        assert_eq!(mapped.metadata(), reader.metadata());
        let tiles: Vec<TileCoord> = reader.ids().unwrap().map(|id| id.unwrap().coord().unwrap()).collect();
        assert!(!tiles.is_empty(), "{}", path.display());
        std::thread::scope(|scope| {
            for start in 0..8 {
                let (mapped, reader, tiles) = (&mapped, &reader, &tiles);
                scope.spawn(move || {
                    for tile in tiles.iter().skip(start * 3).step_by(41) {
                        let bytes = mapped.tile(*tile).unwrap();
                        assert_eq!(bytes, reader.tile(*tile).unwrap().as_deref(), "{tile}");
                        assert!(bytes.is_some());
                    }
                });
            }
        });
        let beyond = TileCoord::new(20, 5, 5).unwrap();
        assert_eq!(mapped.tile(beyond).unwrap(), None);
    }
    for (name, words) in
        [("empty", "is empty"), ("text", "expected the magic"), (".", "is a folder"), ("gone", "check the path")]
    {
        std::fs::write(folder.path().join("empty"), "").unwrap();
        std::fs::write(folder.path().join("text"), "no tiles").unwrap();
        let error = TileReader::open(folder.path().join(name)).unwrap_err().to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
}

#[test]
fn verify_finds_tiles_upside_down_against_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (sources, records) = common::catalogue(300, 5);
    std::fs::write(folder.path().join("s.hypso"), common::store_bytes(&sources, &records)).unwrap();
    let store = hypso::Store::open(folder.path().join("s.hypso")).unwrap();
    let image = hypso::terrain::encode_lineage(16, &[0; 256], hypso::terrain::ImageFormat::Png).unwrap();
    let metadata = ArchiveMetadata {
        name: "a".into(),
        format: TileFormat::Png,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(16),
        ..ArchiveMetadata::default()
    };
    let write = |name: &str, flip: bool| {
        let mut ids: Vec<TileId> = Vec::new();
        for record in store.records().iter() {
            let (x, y) = record.bounds().center();
            let tile = TileCoord::at(x, y, 11);
            let row = if flip { 2047 - tile.y() } else { tile.y() };
            ids.push(TileCoord::new(11, tile.x(), row).unwrap().into());
        }
        ids.sort();
        ids.dedup();
        let mut sink = archive::create(&folder.path().join(name), &metadata, false).unwrap();
        ids.iter().for_each(|id| sink.put(id.coord().unwrap(), &image).unwrap());
        sink.finish().unwrap();
    };
    write("good.pmtiles", false);
    write("flipped.pmtiles", true);
    let run = |name: &str| {
        let done = Command::new(HYPSO)
            .args(["verify", name, "--store", "s.hypso"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let (code, out) = run("good.pmtiles");
    assert!(code == Some(0) && !out.contains("store"), "{out}");
    let (code, out) = run("flipped.pmtiles");
    assert!(code == Some(3) && out.contains("is upside down: 0 of") && out.contains("TMS rows for XYZ"), "{out}");
}
