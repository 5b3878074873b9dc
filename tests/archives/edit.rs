//! `hypso edit`: metadata change where they are, tiles stay as they are, and a kill leaves one state or the other.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hypso::archive::{self, ArchiveMetadata, CreateOptions, TileFormat, VerifyOptions};
use hypso::progress::Silent;
use hypso::terrain::{CodeTile, Encoding, ImageFormat};
use hypso::tile::TileCoord;
use rusqlite::Connection;

use crate::told::{HYPSO, hypso, names, ok, tiles};

/// Terrain from zoom 0 to 3, in the north-east.
fn make(path: &Path, dedup: bool) {
    let metadata = ArchiveMetadata {
        name: "old".into(),
        attribution: "somebody".into(),
        encoding: Some(Encoding::Terrarium.into()),
        format: TileFormat::Png,
        tile_size: Some(16),
        other: BTreeMap::from([
            ("licence".to_owned(), "CC0".into()),
            ("legend".to_owned(), r#"{"a": [1]}"#.parse().unwrap()),
        ]),
        ..ArchiveMetadata::default()
    };
    let mut sink = archive::create_with(path, &metadata, CreateOptions { dedup, ..CreateOptions::default() }).unwrap();
    for tile in
        [(0, 0, 0), (1, 1, 0), (2, 3, 1), (3, 7, 3), (3, 6, 3)].map(|(z, x, y)| TileCoord::new(z, x, y).unwrap())
    {
        let codes = (0..256).map(|i| 0x80_0000 + i * 7 + u32::from(tile.z())).collect();
        let image = CodeTile { size: 16, codes, valid: vec![1; 256] }.encode(ImageFormat::Png).unwrap();
        sink.put(tile, &image).unwrap();
    }
    sink.finish().unwrap();
}

/// An archive of each kind.
fn all(folder: &Path) -> Vec<PathBuf> {
    let of = |name: &str, dedup: bool| {
        make(&folder.join(name), dedup);
        folder.join(name)
    };
    vec![
        of("a.pmtiles", false),
        of("a.mbtiles", false),
        of("shared.mbtiles", true),
        of("a", false),
        of("a.heights", false),
    ]
}

#[test]
fn every_kind_takes_new_metadata_and_keeps_its_tiles() {
    let folder = tempfile::tempdir().unwrap();
    for path in all(folder.path()) {
        let (before, here) = (tiles(&path), names(folder.path()));
        let file = path.display().to_string();
        let long = "word ".repeat(9000);
        for (arguments, said) in [
            (&["--name", "new", "--attribution", "", "--set", "version=2"][..], "attribution: somebody -> nothing"),
            (&["--bounds", "91,1,179,40", "--center", "100", "20", "3"], "center:"),
            (&["--description", &long], "description:"),
            (&["--description", "short", "--set", "licence=", "--set", "year=2026"], "licence: CC0 -> nothing"),
            (&["--name", "new"], "says all that already"),
        ] {
            let said_all = ok(folder.path(), &[&["edit", &file], arguments].concat());
            assert!(said_all.contains(said), "{file}: {said_all}");
        }
        let archive = archive::open(&path).unwrap();
        let metadata = archive.metadata();
        assert_eq!(
            (
                metadata.name.as_str(),
                metadata.attribution.as_str(),
                metadata.description.as_str(),
                metadata.version.as_str()
            ),
            ("new", "", "short", "2"),
            "{file}"
        );
        assert_eq!(metadata.bounds, Some([91.0, 1.0, 179.0, 40.0]), "{file}");
        assert_eq!(metadata.center.map(|c| (c.lon, c.lat, c.zoom)), Some((100.0, 20.0, 3)), "{file}");
        let keys: Vec<&str> =
            metadata.other.keys().map(String::as_str).filter(|key| *key != "vertical_datum").collect();
        assert_eq!(keys, ["legend", "year"], "{file}");
        assert_eq!(metadata.encoding, Some(Encoding::Terrarium.into()), "{file}");
        drop(archive);
        assert!(tiles(&path) == before, "{file}");
        assert_eq!(names(folder.path()), here, "{file}: nothing stays beside it");
        let report = archive::verify(&path, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
        assert!(report.errors == 0, "{file}: {:?}", report.problems);
    }
}

#[test]
fn of_pmtiles_only_header_and_metadata_are_written_and_the_file_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pmtiles");
    make(&path, false);
    let before = std::fs::read(&path).unwrap();
    let header = |bytes: &[u8]| archive::pmtiles::Header::from_bytes(bytes).unwrap();
    let h = header(&before);
    for n in 0..20 {
        ok(folder.path(), &["edit", "a.pmtiles", "--name", &format!("edit {n}"), "--bounds", "91,1,180,40"]);
        let after = std::fs::read(&path).unwrap();
        let now = header(&after);
        // Between root directory and tile data there is room.
        assert_eq!(after.len(), before.len(), "{n}");
        let data = h.data_offset as usize..(h.data_offset + h.data_length) as usize;
        let root = h.root_offset as usize..(h.root_offset + h.root_length) as usize;
        assert!(after[data.clone()] == before[data] && after[root.clone()] == before[root], "{n}");
        assert_eq!((now.root_offset, now.data_offset, now.addressed_tiles), (h.root_offset, h.data_offset, 5));
        assert!(now.metadata_offset < now.data_offset, "{n}");
    }
    // More than fits there goes to the end, and the next to where the one before was.
    let noise: String =
        (0..60_000u32).map(|i| char::from(b'!' + (i.wrapping_mul(2_654_435_761) >> 26) as u8)).collect();
    let mut sizes = Vec::new();
    for n in 0..6 {
        ok(folder.path(), &["edit", "a.pmtiles", "--description", &format!("{n}{noise}")]);
        sizes.push(std::fs::metadata(&path).unwrap().len());
        assert!(archive::open(&path).unwrap().metadata().description.starts_with(&n.to_string()));
    }
    assert_eq!(sizes[5], sizes[1], "{sizes:?}");
    ok(folder.path(), &["edit", "a.pmtiles", "--description", ""]);
    let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    assert!(!text.contains("somebody else") && archive::open(&path).unwrap().metadata().description.is_empty());
}

#[test]
fn a_file_of_metadata_goes_from_archive_to_archive() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for path in all(here) {
        let file = path.display().to_string();
        ok(here, &["edit", &file, "--name", "told", "--to", "about.json", "--overwrite"]);
        let about: serde_json::Value =
            serde_json::from_slice(&std::fs::read(here.join("about.json")).unwrap()).unwrap();
        assert_eq!((&about["name"], &about["legend"]), (&"told".into(), &serde_json::json!({"a": [1]})), "{file}");
        ok(here, &["edit", &file, "--name", "other", "--set", "more=1"]);
        ok(here, &["edit", &file, "--from", "about.json"]);
        let printed = ok(here, &["edit", &file, "--to", "-"]);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), about, "{file}");
        assert!(ok(here, &["edit", &file, "--from", "about.json"]).contains("says all that already"), "{file}");
    }
}

#[test]
fn zooms_and_bounds_are_counted_again() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for path in all(here) {
        let file = path.display().to_string();
        let truth = archive::open(&path).unwrap().metadata().clone();
        ok(here, &["edit", &file, "--min-zoom", "1", "--max-zoom", "2", "--bounds", "100,5,101,6"]);
        let moved = archive::open(&path).unwrap().metadata().center.unwrap();
        assert!((100.0..=101.0).contains(&moved.lon) && (5.0..=6.0).contains(&moved.lat), "{file}: {moved:?}");
        let said = ok(here, &["edit", &file, "--recount"]);
        assert!(said.contains("bounds: [100"), "{file}: {said}");
        let now = archive::open(&path).unwrap().metadata().clone();
        assert_eq!((now.minzoom, now.maxzoom), (Some(0), Some(3)), "{file}");
        let off = now.bounds.unwrap().iter().zip(truth.bounds.unwrap()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-6, "{file}: {:?}", now.bounds);
        let report = archive::verify(&path, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
        assert!(report.errors + report.warnings == 0, "{file}: {:?}", report.problems);
    }
    // What other programs leave wrong or out.
    let db = Connection::open(here.join("a.mbtiles")).unwrap();
    db.execute_batch(
        "DROP INDEX metadata_index; DELETE FROM metadata; INSERT INTO metadata VALUES ('name', 'n'), ('name', 'n'), ('minzoom', '7')",
    )
    .unwrap();
    drop(db);
    ok(here, &["edit", "a.mbtiles", "--recount", "--name", "m"]);
    let db = Connection::open(here.join("a.mbtiles")).unwrap();
    let mut rows = db.prepare("SELECT name, value FROM metadata ORDER BY name").unwrap();
    let rows: Vec<(String, String)> =
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let of =
        |key: &str| rows.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect::<Vec<_>>();
    assert_eq!((of("name"), of("minzoom"), of("maxzoom")), (vec!["m"], vec!["0"], vec!["3"]), "{rows:?}");
}

#[test]
fn what_can_not_be_is_refused_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("list.json"), "[1]").unwrap();
    std::fs::write(here.join("wrong.json"), r#"{"bounds": "1,2"}"#).unwrap();
    for path in all(here) {
        let file = path.display().to_string();
        let read =
            |path: &Path| if path.is_dir() { std::fs::read(path.join("metadata.json")) } else { std::fs::read(path) };
        let before = read(&path).unwrap();
        for (arguments, code, word) in [
            (&["edit", &file][..], 2, "expected something to change"),
            (&["edit", &file, "--bounds", "1,2,3"], 2, "--bounds: expected west,south,east,north"),
            (&["edit", &file, "--center", "0,0,99"], 2, "--center: expected longitude"),
            (&["edit", &file, "--bounds", "91,1,179,40", "--center", "0,0,2"], 2, "lies outside of the bounds"),
            (&["edit", &file, "--bounds", "91,1,179,40", "--center", "100,20,9"], 2, "has a zoom outside of 0 to 3"),
            (&["edit", &file, "--min-zoom", "3", "--max-zoom", "1"], 2, "is above --max-zoom 1"),
            (&["edit", &file, "--max-zoom", "32"], 2, "32"),
            (&["edit", &file, "--set", "format=webp"], 2, "--set format: follows from the tiles"),
            (&["edit", &file, "--set", "compression=gzip"], 2, "--set compression"),
            (&["edit", &file, "--set", "minzoom=1"], 2, "can't be set"),
            (&["edit", &file, "--from", "list.json"], 2, "list.json: metadata"),
            (&["edit", &file, "--from", "wrong.json"], 2, "wrong.json: bounds"),
            (&["edit", &file, "--from", "none.json"], 1, "none.json"),
            (&["edit", &file, "--to", "list.json"], 1, "exists already"),
            (&["edit", &file, "--to", &file, "--overwrite"], if path.is_dir() { 1 } else { 2 }, ""),
            (&["edit", &file, "--recount", "--max-zoom", "3"], 2, "cannot be used with"),
        ] {
            let (found, said) = hypso(here, arguments);
            assert_eq!(found, code, "{arguments:?}: {said}");
            assert!(said.contains(word), "{arguments:?}: {said}");
        }
        assert!(read(&path).unwrap() == before, "{file}");
    }
    // Bounds that would make a reader turn the rows.
    let (code, said) = hypso(here, &["edit", "a.mbtiles", "--bounds", "91,-40,179,-1"]);
    assert!(code == 2 && said.contains("--bounds: lie away from the tiles, but fit them upside down"), "{said}");
    ok(here, &["edit", "a", "--bounds", "91,-40,179,-1"]);
    assert!(tiles(&here.join("a")).keys().eq(tiles(&here.join("a.pmtiles")).keys()));
    let (code, said) = hypso(here, &["edit", "a.heights", "--set", "encoding=mapbox"]);
    assert!(code == 2 && said.contains("--set encoding: follows from the heights"), "{said}");
    std::fs::create_dir(here.join("empty")).unwrap();
    let (code, said) = hypso(here, &["edit", "empty", "--name", "x"]);
    assert!(code == 1 && said.contains("without a folder of a zoom"), "{said}");
    assert_eq!(names(&here.join("empty")).len(), 0);
}

#[test]
#[cfg(unix)]
fn killed_at_any_moment_an_edit_leaves_the_old_metadata_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for name in ["a.pmtiles", "a.mbtiles", "a.heights"] {
        make(&here.join(name), false);
        let before = tiles(&here.join(name));
        let mut killed = 0;
        for n in 0..12u64 {
            // Longer than the room between directory and tiles, and of changing length.
            let text: String =
                (0..20_000 + n * 997).map(|i| char::from(b'!' + ((i * 2_654_435_761) >> 25 & 63) as u8)).collect();
            let mut child = Command::new(HYPSO)
                .args(["edit", name, "--description", &format!("{n} {text}")])
                .current_dir(here)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(n * 2));
            child.kill().unwrap();
            killed += u32::from(!child.wait().unwrap().success());
            // Of MBTiles the next that may write undoes half an edit.
            ok(here, &["edit", name, "--set", "seen=1"]);
            let found = archive::open(&here.join(name)).unwrap().metadata().description.clone();
            let whole = found.is_empty()
                || found
                    .split_once(' ')
                    .is_some_and(|(n, text)| text.len() as u64 == 20_000 + n.parse::<u64>().unwrap() * 997);
            assert!(whole, "{name}, try {n}: {} bytes", found.len());
            assert!(tiles(&here.join(name)) == before, "{name}, try {n}");
        }
        assert!(killed > 0, "{name}: nothing was killed");
    }
}
