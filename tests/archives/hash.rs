//! The hash of all tiles: the same in every container, that of other programs, and compared by `verify`.
#![cfg(feature = "cli")]

use std::path::Path;

use hypso::archive::{self, ArchiveMetadata, CreateOptions, TileFormat};
use hypso::progress::Silent;
use hypso::terrain::{CodeTile, Encoding, ImageFormat};
use hypso::tile::TileId;
use rusqlite::Connection;

use crate::told::{hypso, ok};

/// Small terrain, many tiles of which are equal.
fn make(path: &Path, dedup: bool) {
    let metadata = ArchiveMetadata {
        name: "n".into(),
        format: TileFormat::Png,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(16),
        ..ArchiveMetadata::default()
    };
    let mut sink = archive::create_with(path, &metadata, CreateOptions { dedup, ..CreateOptions::default() }).unwrap();
    for id in 0..341u64 {
        sink.put(TileId(id).coord().unwrap(), &image(id % 60)).unwrap();
    }
    sink.finish().unwrap();
}

fn image(height: u64) -> Vec<u8> {
    let codes = vec![0x80_0000 + 256 * height as u32; 256];
    CodeTile { size: 16, codes, valid: vec![1; 256] }.encode(ImageFormat::Png).unwrap()
}

#[test]
fn archives_of_others_have_the_hash_of_the_definition() {
    let Some(folder) = crate::common::shared("archives") else { return };
    // By Python: hashlib.md5 over SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles ORDER BY 1, 2, 3.
    for (name, hash) in [
        ("mbtiles/geography-class-png.mbtiles", "A85C80BA1CE047E2D93DAC25C5179775"),
        ("mbtiles/geography-class-webp.mbtiles", "ED88A5041A300CEA920C44D1898B95A8"),
        ("mbtiles/one_tile.mbtiles", "D382B2CA82326C3AA48AB01D95F96985"),
        ("terrain/sf_mapbox-rgb_z8-14.mbtiles", "BF29953B6FB550193BEE1F1FF7E4380B"),
        ("terrain/sf_mapbox-rgb_z8-14.pmtiles", "BF29953B6FB550193BEE1F1FF7E4380B"),
        ("terrain/sf_terrarium_z8-14_webp.mbtiles", "9B51668196D0B82D7F164FCCE527FD61"),
        ("terrain/sf_terrarium_z8-14_webp.pmtiles", "9B51668196D0B82D7F164FCCE527FD61"),
    ] {
        let source = archive::open(&folder.join(name)).unwrap();
        assert_eq!(archive::content_hash(source.as_ref(), &Silent).unwrap(), hash, "{name}");
    }
}

#[test]
fn the_hash_is_that_of_the_tiles_in_every_container_and_verify_compares_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut hashes = Vec::new();
    for (name, dedup) in [("a.pmtiles", false), ("a.mbtiles", false), ("shared.mbtiles", true), ("a", false)] {
        make(&here.join(name), dedup);
        let document: serde_json::Value =
            serde_json::from_str(&ok(here, &["inspect", name, "--hash", "--format", "json"])).unwrap();
        hashes.push(document["content_hash"].as_str().unwrap().to_owned());
        assert!(ok(here, &["inspect", name, "--hash"]).contains(&format!("hash of all tiles: {}", hashes[0])));
        assert!(!ok(here, &["inspect", name]).contains(&hashes[0]), "{name}");
        assert!(ok(here, &["edit", name, "--hash"]).contains(&format!("agg_tiles_hash: nothing -> {}", hashes[0])));
        assert!(ok(here, &["inspect", name]).contains(&hashes[0]), "{name}");
        let said = hypso(here, &["verify", name, "--format", "json"]).1;
        assert!(!said.contains("agg_tiles_hash"), "{name}: {said}");
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 1, "{hashes:?}");

    // A whole copy keeps it, a part has another one.
    ok(here, &["convert", "a.mbtiles", "-o", "b.pmtiles"]);
    assert!(ok(here, &["inspect", "b.pmtiles"]).contains(&hashes[0]));
    ok(here, &["extract", "a.mbtiles", "-o", "low.pmtiles", "--max-zoom", "2"]);
    ok(here, &["extract", "a.mbtiles", "-o", "high.pmtiles", "--min-zoom", "3"]);
    ok(here, &["merge", "low.pmtiles", "high.pmtiles", "a.pmtiles", "--on-overlap", "first", "-o", "c.mbtiles"]);
    ok(here, &["diff", "low.pmtiles", "a.pmtiles", "-o", "patch.pmtiles"]);
    for name in ["low.pmtiles", "high.pmtiles", "c.mbtiles", "patch.pmtiles"] {
        assert!(!ok(here, &["inspect", name]).contains("agg_tiles_hash"), "{name}");
    }

    let db = Connection::open(here.join("a.mbtiles")).unwrap();
    let other = image(99);
    db.execute("UPDATE tiles SET tile_data = ?1 WHERE zoom_level = 4 AND tile_column = 3 AND tile_row = 10", [&other])
        .unwrap();
    drop(db);
    std::fs::write(here.join("a/4/3/5.png"), other).unwrap();
    for name in ["a.mbtiles", "a"] {
        let (code, said) = hypso(here, &["verify", name]);
        let words = format!("all tiles have the hash {} (agg_tiles_hash), but it is ", hashes[0]);
        assert!(code == 3 && said.contains(&words), "{name}: {said}");
        assert!(!hypso(here, &["verify", name, "--sample", "5"]).1.contains("agg_tiles_hash"));
    }
}

#[test]
fn a_wrong_hash_is_listed_before_any_number_of_wrong_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("a.mbtiles"), false);
    ok(here, &["edit", "a.mbtiles", "--hash"]);
    let db = Connection::open(here.join("a.mbtiles")).unwrap();
    db.execute("UPDATE tiles SET tile_data = substr(tile_data, 1, 40)", []).unwrap();
    drop(db);
    let (code, said) = hypso(here, &["verify", "a.mbtiles"]);
    assert!(code == 3 && said.contains("agg_tiles_hash"), "{said}");
    assert!(said.contains("errors: 342"), "all are counted: {said}");
}
