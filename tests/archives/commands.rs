//! `merge`, `convert`, `inspect`, `verify` and `tile` as a user meets them: the real binary in a temporary folder.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use hypso::archive::{self, ArchiveMetadata, TileFormat};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec};
use hypso::tile::{TileCoord, TileId};

/// Runs hypso in `folder`; gives exit code, stdout and stderr.
fn hypso(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hypso")).args(args).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// An archive of real Terrarium tiles from zoom 0 to 4 along one line of descent, four at zoom 4.
fn make(path: &Path) {
    let codec = TileCodec::new(Encoding::Terrarium, ImageFormat::Png);
    let mut tiles = BTreeMap::new();
    for leaf in TileCoord::new(3, 7, 3).unwrap().children().unwrap() {
        for z in 0..=4 {
            let mut tile = ElevationTile::empty(64);
            tile.valid.fill(1);
            tile.values.fill(f32::from(z));
            tiles.insert(TileId::from(leaf.ancestor(z).unwrap()), codec.encode(&tile).unwrap());
        }
    }
    let metadata = ArchiveMetadata {
        name: "demo".into(),
        format: TileFormat::Png,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(64),
        ..ArchiveMetadata::default()
    };
    let mut sink = archive::create(path, &metadata, true).unwrap();
    for (id, bytes) in &tiles {
        sink.put(id.coord().unwrap(), bytes).unwrap();
    }
    sink.finish().unwrap();
}

#[test]
fn split_by_zoom_and_merged_again_the_archive_has_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    make(&folder.path().join("a.pmtiles"));
    let run = |args: &[&str]| hypso(folder.path(), args);
    assert_eq!(run(&["convert", "a.pmtiles", "-o", "low.mbtiles", "--max-zoom", "2"]).0, 0);
    assert_eq!(run(&["convert", "a.pmtiles", "-o", "high.pmtiles", "--min-zoom", "3"]).0, 0);
    let (code, out, _) = run(&["merge", "high.pmtiles", "low.mbtiles", "-o", "b.pmtiles"]);
    assert_eq!((code, out.contains("b.pmtiles: 8 tiles, 3 of them share a content")), (0, true), "{out}");
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("a.pmtiles"), read("b.pmtiles"));

    let (code, _, error) = run(&["merge", "a.pmtiles", "low.mbtiles", "-o", "c.pmtiles"]);
    assert_eq!(code, 1);
    assert!(error.contains("low.mbtiles: tile 0/0/0: is also in a.pmtiles; say which one wins"), "{error}");
    assert_eq!(run(&["merge", "a.pmtiles", "low.mbtiles", "-o", "c.pmtiles", "--on-overlap", "last"]).0, 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5, "nothing but the five archives");
}

#[test]
fn outputs_that_would_destroy_something_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    make(&folder.path().join("a.pmtiles"));
    make(&folder.path().join("b.pmtiles"));
    let before = std::fs::read(folder.path().join("a.pmtiles")).unwrap();
    for (args, code, words) in [
        (
            &["convert", "a.pmtiles", "-o", "b.pmtiles"][..],
            1,
            "exists already; choose another name, or say --overwrite",
        ),
        (&["convert", "a.pmtiles", "-o", "./a.pmtiles", "--overwrite"], 2, "is an input as well"),
        (&["convert", "a.pmtiles", "-o", "no/b.pmtiles"], 1, "does not exist"),
        (
            &["convert", "a.pmtiles", "-o", "b.tar"],
            2,
            "expected a name that ends in .mbtiles, .pmtiles, .heights or .zip, or a folder",
        ),
        (&["convert", "a.pmtiles", "-o", "c.pmtiles", "--min-zoom", "9"], 1, "none is chosen"),
        (&["convert", "a.pmtiles", "-o", "c.pmtiles", "--bbox", "9", "2", "1", "0"], 2, "south (2) must be below"),
        (&["convert", "a.pmtiles", "-o", "c.pmtiles", "--set", "name"], 2, "expected KEY=VALUE"),
        (&["convert", "missing.pmtiles", "-o", "c.pmtiles"], 1, "check the path"),
        (&["merge", "a.pmtiles", "b.pmtiles", "-o", "a.pmtiles", "--overwrite"], 2, "is an input as well"),
        (&["merge", "a.pmtiles", "./a.pmtiles", "-o", "c.pmtiles"], 2, "is given twice"),
        (&["merge", "-o", "c.pmtiles"], 2, "required"),
    ] {
        let (found, out, error) = hypso(folder.path(), args);
        assert_eq!((found, out.as_str()), (code, ""), "{args:?}: {error}");
        assert!(error.contains(words), "{args:?}: {error}");
    }
    assert_eq!(std::fs::read(folder.path().join("a.pmtiles")).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn inspect_tells_the_header_the_zooms_and_a_tilejson_for_maplibre() {
    let folder = tempfile::tempdir().unwrap();
    make(&folder.path().join("a.pmtiles"));
    let (code, out, _) =
        hypso(folder.path(), &["inspect", "a.pmtiles", "--format", "json", "--url", "h/{z}/{x}/{y}.png"]);
    assert_eq!(code, 0);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["header"]["addressed_tiles"], 8);
    assert_eq!(
        document["zooms"][4],
        serde_json::json!({
            "zoom": 4, "tiles": 4, "bytes": document["zooms"][4]["bytes"], "largest_bytes": document["zooms"][4]["largest_bytes"],
        })
    );
    let tilejson = &document["tilejson"];
    assert_eq!((&tilejson["encoding"], &tilejson["tileSize"]), (&"terrarium".into(), &64.into()));
    assert_eq!((&tilejson["minzoom"], &tilejson["maxzoom"]), (&0.into(), &4.into()));
    assert_eq!(tilejson["tiles"][0], "h/{z}/{x}/{y}.png");
    let (code, out, _) = hypso(folder.path(), &["inspect", "a.pmtiles"]);
    assert!(code == 0 && out.starts_with("a.pmtiles: PMTiles, 8 tiles (5 distinct)"), "{out}");
}

#[test]
fn verify_decodes_every_tile_and_ends_with_its_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pmtiles");
    make(&path);
    let (code, out, error) = hypso(folder.path(), &["verify", "a.pmtiles", "--strict"]);
    // Every zoom is one metre higher than the one above it: that is no mean.
    let words = "tile 0/0/0: 1024 pixels are not the mean of the finer tiles, by up to 1.000 m";
    assert!(code == 3 && out.contains(words), "{out}{error}");
    let (code, out, error) = hypso(folder.path(), &["verify", "a.pmtiles", "--strict", "--parents", "none"]);
    assert!(
        code == 0 && out.trim().ends_with("a.pmtiles: 8 tiles, zooms 0 to 4, 5 decoded; errors: 0, warnings: 0"),
        "{out}{error}"
    );
    assert!(out.starts_with("heights 0 to 4 m, 0.0 % of the pixels without"), "{out}");

    // A bit in the pixels of the first tile: the picture keeps its header, its checksum doesn't hold.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[16_384 + 50] ^= 0x10;
    std::fs::write(&path, &bytes).unwrap();
    let (code, out, _) = hypso(folder.path(), &["verify", "a.pmtiles", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &document["ok"], &document["errors"]), (3, &false.into(), &1.into()), "{out}");
    assert_eq!(document["problems"][0]["tile"], "0/0/0");

    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let (code, out, _) = hypso(folder.path(), &["verify", "a.pmtiles"]);
    assert!(code == 3 && out.contains("but the file has"), "{out}");
    assert_eq!(hypso(folder.path(), &["verify", "missing.pmtiles"]).0, 1);

    make(&path);
    let args = ["convert", "a.pmtiles", "-o", "c.mbtiles", "--set", "tileSize=512", "--set", "encoding="];
    assert_eq!(hypso(folder.path(), &args).0, 0);
    let (code, out, _) = hypso(folder.path(), &["verify", "c.mbtiles"]);
    assert!(code == 3 && out.contains("tile 0/0/0: can't be decoded: has 64 pixels a side"), "{out}");
}

/// As [`hypso`], at a terminal, which shows stdout and stderr.
#[cfg(target_os = "linux")]
fn at_a_terminal(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let code = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut python = Command::new("python3");
    python.args(["-c", code, env!("CARGO_BIN_EXE_hypso")]).args(args).stdin(std::process::Stdio::null());
    let output = python.current_dir(folder).env_remove("NO_COLOR").output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_gets_what_a_pipe_gets() {
    let folder = tempfile::tempdir().unwrap();
    make(&folder.path().join("a.pmtiles"));
    let (_, out, _) = hypso(folder.path(), &["inspect", "a.pmtiles"]);
    assert_eq!(at_a_terminal(folder.path(), &["inspect", "a.pmtiles"]), (Some(0), out.replace('\n', "\r\n")));
}

/// An archive of the tile 2/1/1, 64 pixels a side, with a void at row 1, column 2.
fn make_one(path: &Path, encoding: Encoding) {
    let mut tile = ElevationTile::empty(64);
    tile.valid.fill(1);
    (tile.values[0], tile.values[1], tile.valid[66]) = (-12.5, 3776.1, 0);
    let codec = TileCodec::new(encoding, ImageFormat::Webp);
    let (format, tile_size) = (TileFormat::Webp, Some(64));
    let metadata = ArchiveMetadata { format, encoding: Some(encoding.into()), tile_size, ..ArchiveMetadata::default() };
    let mut sink = archive::create(path, &metadata, true).unwrap();
    sink.put(TileCoord::new(2, 1, 1).unwrap(), &codec.encode(&tile).unwrap()).unwrap();
    sink.finish().unwrap();
}

#[test]
fn one_tile_comes_as_it_is_stored_and_as_heights_from_every_kind_of_archive() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    make_one(&at.join("a.pmtiles"), Encoding::Mapbox);
    let stored = archive::open(&at.join("a.pmtiles")).unwrap().tile(TileCoord::new(2, 1, 1).unwrap()).unwrap().unwrap();
    for name in ["a.pmtiles", "a.mbtiles", "a", "a.heights"] {
        if name != "a.pmtiles" {
            assert_eq!(hypso(at, &["convert", "a.pmtiles", "-o", name]).0, 0);
        }
        let (code, csv, error) = hypso(at, &["tile", name, "2/1/1", "--decode"]);
        assert_eq!((code, csv.lines().count()), (0, 1 + 64 * 64), "{name}: {error}");
        assert!(csv.starts_with("row,column,height\n0,0,-12.5\n0,1,3776.1\n0,2,0\n"), "{csv}");
        assert!(csv.contains("\n1,1,0\n1,2,\n1,3,0\n") && csv.ends_with("\n63,63,0\n"), "{csv}");
        let (_, json, _) = hypso(at, &["tile", name, "2/1/1", "--decode", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["tile"], &json["size"]), (&"2/1/1".into(), &64.into()));
        assert_eq!((&json["heights"][0][1], &json["heights"][1][2]), (&3776.1.into(), &serde_json::Value::Null));

        let printed = Command::new(env!("CARGO_BIN_EXE_hypso")).args(["tile", name, "2/1/1"]).current_dir(at).output();
        let printed = printed.unwrap().stdout;
        assert!(printed == stored || name == "a.heights", "{name}");
        assert_eq!(
            hypso(at, &["tile", name, "2/1/1", "-o", "t.webp", "--overwrite"]),
            (0, String::new(), String::new())
        );
        assert!(std::fs::read(at.join("t.webp")).unwrap() == printed, "{name}");
    }
}

#[test]
fn a_tile_that_can_not_be_had_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    make_one(&at.join("a.pmtiles"), Encoding::Terrarium);
    std::fs::write(at.join("t.webp"), "mine").unwrap();
    for (set, name) in [("encoding=lineage", "lineage.pmtiles"), ("encoding=", "silent.pmtiles")] {
        assert_eq!(hypso(at, &["convert", "a.pmtiles", "-o", name, "--set", set]).0, 0);
    }
    for (arguments, code, words) in [
        (&["tile", "a.pmtiles", "2/1/2"][..], 1, "a.pmtiles has no tile 2/1/2; `hypso inspect` tells"),
        (&["tile", "missing.pmtiles", "2/1/1"], 1, "check the path"),
        (&["tile", "a.pmtiles", "2/1/1", "-o", "t.webp"], 1, "exists already"),
        (&["tile", "lineage.pmtiles", "2/1/1", "--decode"], 1, "lineage.pmtiles: holds lineage"),
        (&["tile", "silent.pmtiles", "2/1/1", "--decode"], 1, "--set encoding=terrarium"),
        (&["tile", "a.pmtiles", "2/1/4"], 2, "expected z/x/y"),
        (&["tile", "a.pmtiles", "2/1/1", "--format", "json"], 2, "--decode"),
        (&["tile", "a.pmtiles", "2/1/1", "-o", "a.pmtiles", "--overwrite"], 2, "is an input as well"),
    ] {
        let (found, out, error) = hypso(at, arguments);
        assert_eq!((found, out.as_str()), (code, ""), "{arguments:?}: {error}");
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    assert_eq!(std::fs::read(at.join("t.webp")).unwrap(), b"mine");
}

#[test]
#[cfg(target_os = "linux")]
fn no_image_goes_to_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    make_one(&folder.path().join("a.pmtiles"), Encoding::Terrarium);
    let (code, said) = at_a_terminal(folder.path(), &["tile", "a.pmtiles", "2/1/1"]);
    assert!(code == Some(2) && said.contains("--output: is missing"), "{said}");
    let (code, said) = at_a_terminal(folder.path(), &["tile", "a.pmtiles", "2/1/1", "--decode"]);
    assert!(code == Some(0) && said.contains("0,1,3776.1"), "{said}");
}
