//! Memory does not grow with the number of tiles: the peak of real runs on many small tiles.
#![cfg(all(feature = "cli", target_os = "linux"))]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hypso::archive::{self, ArchiveMetadata, CreateOptions};
use hypso::tile::TileId;

/// MBTiles of tiles of few bytes; each content stands once.
fn make(path: &Path, ids: impl Iterator<Item = u64>) {
    let metadata = ArchiveMetadata { name: "many".into(), ..ArchiveMetadata::default() };
    let mut sink = archive::create_with(path, &metadata, CreateOptions::default()).unwrap();
    for id in ids {
        sink.put(TileId(id).coord().unwrap(), &id.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes().repeat(4)).unwrap();
    }
    sink.finish().unwrap();
}

/// The largest resident memory of a run, MB, as far as looks every few milliseconds tell.
fn peak(folder: &Path, arguments: &[&str]) -> f64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hypso"))
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0.0f64;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("");
        let kib = line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0);
        peak = peak.max(kib / 1024.0);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{arguments:?}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn many_tiles_take_no_more_memory_than_the_limits_say() {
    const TILES: u64 = 300_000;
    let folder = tempfile::tempdir().unwrap();
    let first = TileId::first(10).0;
    make(&folder.path().join("all.mbtiles"), first..first + TILES);
    make(&folder.path().join("few.mbtiles"), first..first + 1000);
    for n in 0..4 {
        make(&folder.path().join(format!("part{n}.mbtiles")), (first..first + TILES).filter(|id| id % 4 == n));
    }
    let parts = ["part0.mbtiles", "part1.mbtiles", "part2.mbtiles", "part3.mbtiles"];
    let merge = |output| [&["merge"][..], &parts[..], &["-o", output][..]].concat();
    let base = peak(folder.path(), &["convert", "few.mbtiles", "-o", "few.pmtiles"]);
    assert!(base > 5.0, "{base}");
    // What may come on top: addresses (12 MB), caches, hashes of contents (24 bytes each), the sort of an index.
    let jobs: [(&str, Vec<&str>, f64); 5] = [
        ("MBTiles to PMTiles", vec!["convert", "all.mbtiles", "-o", "a.pmtiles"], 55.0),
        ("PMTiles to shared MBTiles", vec!["convert", "a.pmtiles", "-o", "b.mbtiles", "--dedup"], 90.0),
        ("four into MBTiles", merge("c.mbtiles"), 65.0),
        ("four into PMTiles", merge("d.pmtiles"), 75.0),
        ("one into PMTiles, cut", vec!["extract", "all.mbtiles", "-o", "e.pmtiles", "--min-zoom", "10"], 55.0),
    ];
    for (what, arguments, more) in jobs {
        let found = peak(folder.path(), &arguments);
        println!("{what}: {found:.0} MB, {base:.0} MB for few tiles");
        assert!(found < base + more, "{what}: {found:.0} MB, expected less than {base:.0} + {more} MB");
    }
}
