//! Archives that say one thing and hold another, as programs in the wild write them: read as what they are, mended with a word, or
//! refused by name. Never upside down, never a tile less without a word.
#![cfg(feature = "cli")]

mod declared;
mod folders;
mod messages;
mod tables;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use hypso::archive::pmtiles::{Compression, PmtilesReader};
use hypso::archive::{self, ArchiveMetadata, CreateOptions, Scheme, TileFormat, TileSource};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec};
use hypso::tile::{TileCoord, TileId};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::told::{HYPSO, hypso, names};

type Tiles = BTreeMap<TileId, Vec<u8>>;

/// Runs what has to work, and say these words.
#[track_caller]
fn ok(folder: &Path, words: &[&str], arguments: &[&str]) -> String {
    let (code, said) = hypso(folder, arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    words.iter().for_each(|word| assert!(said.contains(word), "{arguments:?}: no {word:?} in {said}"));
    said
}

/// Runs what has to fail with this exit code and these words, and leave nothing.
#[track_caller]
fn fails(folder: &Path, code: i32, words: &[&str], arguments: &[&str]) {
    let before = names(folder);
    let (found, said) = hypso(folder, arguments);
    assert_eq!(found, code, "{arguments:?}: {said}");
    words.iter().for_each(|word| assert!(said.contains(word), "{arguments:?}: no {word:?} in {said}"));
    assert_eq!(names(folder), before, "{arguments:?} left something");
}

fn tile(z: u8, x: u32, y: u32) -> TileCoord {
    TileCoord::new(z, x, y).unwrap()
}

/// Four terrain tiles over each other, in the north-east.
fn tiles() -> Tiles {
    let codec = TileCodec::new(Encoding::Terrarium, ImageFormat::Png);
    let one = |z: u8| {
        let mut heights = ElevationTile::empty(64);
        heights.valid.fill(1);
        heights.values.fill(f32::from(z));
        codec.encode(&heights).unwrap()
    };
    [tile(0, 0, 0), tile(1, 1, 0), tile(2, 3, 1), tile(3, 7, 3)].map(|t| (TileId::from(t), one(t.z()))).into()
}

/// Where the finest of them lies, a little inside.
const BOUNDS: &str = "136,1,179,40";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A vector tile of one layer.
fn vector(name: &str) -> Vec<u8> {
    let layer = [&[0x0a, name.len() as u8][..], name.as_bytes(), &[0x78, 2]].concat();
    [&[0x1a, layer.len() as u8][..], &layer].concat()
}

fn vectors() -> Tiles {
    tiles().into_keys().map(|id| (id, vector(&format!("layer{}", id.0)))).collect()
}

/// A database as a script writes it: rows of metadata, and tiles as they are; without an index.
fn mbtiles(path: &Path, tiles: &Tiles, from_north: bool, rows: &[(&str, &str)]) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "CREATE TABLE metadata (name text, value text);
         CREATE TABLE tiles (zoom_level integer, tile_column integer, tile_row integer, tile_data blob);",
    )
    .unwrap();
    let usual = [("name", "t"), ("format", "png"), ("encoding", "terrarium"), ("tileSize", "64")];
    let given = |key: &str| rows.iter().any(|(name, _)| *name == key);
    for (name, value) in usual.iter().filter(|(name, _)| !given(name)).chain(rows.iter().filter(|(_, v)| *v != "-")) {
        db.execute("INSERT INTO metadata VALUES (?1, ?2)", params![name, value]).unwrap();
    }
    for (id, bytes) in tiles {
        let t = id.coord().unwrap();
        let row = if from_north { t.y() } else { (1 << t.z()) - 1 - t.y() };
        db.execute("INSERT INTO tiles VALUES (?1, ?2, ?3, ?4)", params![t.z(), t.x(), row, bytes]).unwrap();
    }
}

/// The same tiles in a PMTiles archive; bytes of the header are overwritten.
fn pmtiles(path: &Path, tiles: &Tiles, header: &[(usize, &[u8])]) {
    let metadata = ArchiveMetadata {
        name: "t".into(),
        format: TileFormat::Png,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(64),
        ..ArchiveMetadata::default()
    };
    let mut sink = archive::create_with(path, &metadata, CreateOptions::default()).unwrap();
    tiles.iter().for_each(|(id, bytes)| sink.put(id.coord().unwrap(), bytes).unwrap());
    sink.finish().unwrap();
    let mut content = std::fs::read(path).unwrap();
    header.iter().for_each(|(at, bytes)| content[*at..at + bytes.len()].copy_from_slice(bytes));
    std::fs::write(path, content).unwrap();
}

/// A folder; `name` gives the path of a tile, with its extension.
fn files(path: &Path, tiles: &Tiles, name: impl Fn(TileCoord) -> String, metadata: &Value) {
    for (id, bytes) in tiles {
        let file = path.join(name(id.coord().unwrap()));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    if !metadata.is_null() {
        std::fs::write(path.join("metadata.json"), metadata.to_string()).unwrap();
    }
}

fn read(path: &Path) -> Tiles {
    let source = archive::open(path).unwrap();
    let all = source.tiles().unwrap().map(|tile| {
        let tile = tile.unwrap();
        let mut bytes = Vec::new();
        source.read(tile, &mut bytes).unwrap();
        (tile.id, bytes)
    });
    all.collect()
}

/// Tiles as they stand in the file, whatever `open` would make of them.
fn stored(path: &Path) -> Tiles {
    let source: Box<dyn TileSource> = match path.extension().and_then(|e| e.to_str()) {
        Some("pmtiles") => Box::new(PmtilesReader::open(path).unwrap()),
        Some(_) => Box::new(archive::mbtiles::MbtilesReader::open(path).unwrap()),
        None => Box::new(archive::files::FilesReader::open(path).unwrap()),
    };
    let ids: Vec<TileId> = source.ids().unwrap().map(|id| id.unwrap()).collect();
    ids.into_iter().map(|id| (id, source.tile(id.coord().unwrap()).unwrap().unwrap())).collect()
}

fn xyz(ending: &str) -> impl Fn(TileCoord) -> String {
    move |t| format!("{}/{}/{}{ending}", t.z(), t.x(), t.y())
}

const OUTPUTS: [&str; 3] = ["out.pmtiles", "out.mbtiles", "out"];

fn clear(folder: &Path) {
    for name in names(folder).iter().filter(|name| name.starts_with("out")) {
        let path = folder.join(name);
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
}
