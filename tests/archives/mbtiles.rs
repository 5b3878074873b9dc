//! MBTiles of every kind: contents that are shared, and files by others that break the rules.

use std::collections::BTreeMap;
use std::path::Path;

use hypso::archive::mbtiles::MbtilesReader;
use hypso::archive::{self, ArchiveMetadata, CreateOptions, Selection, TileFormat, TileSource, VerifyOptions};
use hypso::progress::Silent;
use hypso::tile::{TileCoord, TileId};

type Tiles = BTreeMap<TileId, Vec<u8>>;

fn read(source: &dyn TileSource) -> Tiles {
    let mut tiles = Tiles::new();
    for tile in source.tiles().unwrap() {
        let tile = tile.unwrap();
        let mut bytes = Vec::new();
        source.read(tile, &mut bytes).unwrap();
        assert_eq!(source.tile(tile.id.coord().unwrap()).unwrap().as_ref(), Some(&bytes));
        tiles.insert(tile.id, bytes);
    }
    tiles
}

/// A sea of one tile with some islands.
fn sea() -> Tiles {
    let tile = |id: u64| if id.is_multiple_of(13) { id.to_le_bytes().to_vec() } else { b"the sea, ".repeat(12) };
    (0..5461).map(|id| (TileId(id), [b"RIFF\0\0\0\0WEBP", &*tile(id)].concat())).collect()
}

fn write(path: &Path, tiles: &Tiles, dedup: bool) -> archive::ArchiveSummary {
    let metadata = ArchiveMetadata { name: "sea".into(), ..ArchiveMetadata::default() };
    let mut sink =
        archive::create_with(path, &metadata, CreateOptions { overwrite: true, dedup, ..CreateOptions::default() })
            .unwrap();
    for (id, bytes) in tiles {
        sink.put(id.coord().unwrap(), bytes).unwrap();
    }
    sink.finish().unwrap()
}

fn edit(path: &Path, text: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
}

#[test]
fn shared_contents_are_stored_once_and_read_as_any_archive() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, shared) = (folder.path().join("plain.mbtiles"), folder.path().join("shared.mbtiles"));
    let tiles = sea();
    let a = write(&plain, &tiles, false);
    let b = write(&shared, &tiles, true);
    assert_eq!((a.tiles, a.contents, b.tiles, b.contents), (5461, 5461, 5461, 422));
    assert!(b.file_size < a.file_size, "{a:?} {b:?}");
    let reader = MbtilesReader::open(&shared).unwrap();
    assert_eq!((read(&reader), reader.tile_count().unwrap()), (tiles.clone(), 5461));
    assert_eq!(reader.warnings(), [] as [String; 0]);
    let overview = archive::summary(&reader, 1).unwrap();
    assert_eq!((overview.tiles, overview.contents, overview.bytes), (5461, Some(422), a.bytes));
    let report = archive::verify(&shared, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
    assert_eq!((report.errors, &report.tiles_by_zoom), (0, &vec![1, 4, 16, 64, 256, 1024, 4096]), "{report:?}");
    // Whatever reads the view reads the tiles: plain SQL, as every other program does.
    let connection = rusqlite::Connection::open(&shared).unwrap();
    let sql = "SELECT count(*), sum(length(tile_data)) FROM tiles WHERE zoom_level = 6";
    let found: (i64, i64) = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let expected: Vec<_> = tiles.iter().filter(|(id, _)| id.zoom() == Some(6)).map(|(_, b)| b.len() as i64).collect();
    assert_eq!(found, (4096, expected.iter().sum()));
}

#[test]
fn a_tile_given_twice_is_refused_where_contents_are_shared_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mbtiles");
    let options = CreateOptions { dedup: true, ..CreateOptions::default() };
    let mut sink = archive::create_with(&path, &ArchiveMetadata::default(), options).unwrap();
    for bytes in [b"x", b"y"] {
        sink.put(TileCoord::new(3, 1, 2).unwrap(), bytes).unwrap();
    }
    assert!(sink.finish().unwrap_err().to_string().contains("given twice"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Schemas that other programs write, filled from a plain archive.
const SCHEMAS: [(&str, &str); 5] = [
    (
        "without rowids",
        "CREATE TABLE t (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB,
           PRIMARY KEY (zoom_level, tile_column, tile_row)) WITHOUT ROWID;
         INSERT INTO t SELECT * FROM tiles; DROP TABLE tiles; ALTER TABLE t RENAME TO tiles;",
    ),
    ("without an index", "DROP INDEX tile_index;"),
    (
        "planetiler's compact one",
        "CREATE TABLE tiles_data (tile_data_id INTEGER PRIMARY KEY, tile_data BLOB);
         CREATE TABLE tiles_shallow (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data_id INTEGER,
           PRIMARY KEY (zoom_level, tile_column, tile_row)) WITHOUT ROWID;
         INSERT INTO tiles_data SELECT min(rowid), tile_data FROM tiles GROUP BY tile_data;
         INSERT INTO tiles_shallow SELECT t.zoom_level, t.tile_column, t.tile_row, d.tile_data_id FROM tiles t
           JOIN tiles_data d ON d.tile_data = t.tile_data;
         DROP TABLE tiles;
         CREATE VIEW tiles AS SELECT s.zoom_level, s.tile_column, s.tile_row, d.tile_data FROM tiles_shallow s
           JOIN tiles_data d USING (tile_data_id);",
    ),
    (
        "a table with hashes below a view",
        "ALTER TABLE tiles RENAME TO tiles_with_hash; ALTER TABLE tiles_with_hash ADD COLUMN tile_hash TEXT;
         CREATE VIEW tiles AS SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles_with_hash;",
    ),
    (
        "a view that leaves tiles out",
        "CREATE TABLE map (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_id TEXT);
         CREATE TABLE images (tile_id TEXT PRIMARY KEY, tile_data BLOB);
         INSERT INTO map SELECT zoom_level, tile_column, tile_row, rowid FROM tiles;
         INSERT INTO images SELECT rowid, tile_data FROM tiles; DROP TABLE tiles;
         INSERT INTO map VALUES (31, 5, 5, '1');
         CREATE VIEW tiles AS SELECT zoom_level, tile_column, tile_row, tile_data FROM map
           JOIN images USING (tile_id) WHERE zoom_level < 20;",
    ),
];

#[test]
fn schemas_of_other_programs_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let tiles: Tiles = sea().into_iter().filter(|(id, _)| id.0 % 3 == 0).collect();
    for (what, schema) in SCHEMAS {
        let path = folder.path().join("a.mbtiles");
        write(&path, &tiles, false);
        edit(&path, schema);
        let reader = MbtilesReader::open(&path).unwrap();
        assert!(read(&reader) == tiles, "{what}");
        let zooms = (0..32).flat_map(|zoom| reader.tiles_of(zoom).unwrap()).map(|tile| tile.unwrap().id);
        assert!(zooms.eq(tiles.keys().copied()), "{what}");
        assert_eq!(reader.tile_count().unwrap(), tiles.len() as u64, "{what}");
        let copy = folder.path().join("b.pmtiles");
        let sink = archive::create(&copy, reader.metadata(), true).unwrap();
        archive::convert(&reader, sink, &Selection::default(), &Silent).unwrap();
        assert!(read(archive::open(&copy).unwrap().as_ref()) == tiles, "{what}");
    }
}

#[test]
fn rows_that_are_missing_are_completed_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mbtiles");
    write(&path, &sea(), false);
    edit(&path, "DELETE FROM metadata WHERE name IN ('format', 'minzoom', 'maxzoom', 'bounds', 'center')");
    let reader = MbtilesReader::open(&path).unwrap();
    let metadata = reader.metadata();
    assert_eq!((&metadata.format, metadata.minzoom, metadata.maxzoom), (&TileFormat::Webp, Some(0), Some(6)));
    assert!(reader.warnings()[0].contains("lack format, minzoom, maxzoom"), "{:?}", reader.warnings());
    edit(&path, "DROP TABLE metadata");
    assert_eq!(MbtilesReader::open(&path).unwrap().metadata().maxzoom, Some(6));
}

#[test]
fn rows_that_count_from_the_north_are_found_out_by_the_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mbtiles");
    let leaf = TileCoord::new(9, 453, 201).unwrap();
    let tiles: Tiles = (3..=9).map(|z| (leaf.ancestor(z).unwrap().into(), vec![z])).collect();
    write(&path, &tiles, false);
    let warnings = |path: &Path| MbtilesReader::open(path).unwrap().warnings().join("; ");
    assert_eq!(warnings(&path), "");
    // A row that says so, but tiles where they should be: the row is wrong.
    edit(&path, "INSERT INTO metadata VALUES ('scheme', 'xyz')");
    assert!(warnings(&path).contains("read as TMS"), "{}", warnings(&path));
    assert_eq!(read(&MbtilesReader::open(&path).unwrap()), tiles);
    // Tiles upside down: the bounds tell, whatever the row says.
    for row in ["UPDATE metadata SET value = 'tms' WHERE name = 'scheme';", ""] {
        edit(&path, &format!("{row} UPDATE tiles SET tile_row = (1 << zoom_level) - 1 - tile_row"));
        let reader = MbtilesReader::open(&path).unwrap();
        if row.is_empty() {
            assert_eq!(reader.warnings(), [] as [String; 0]);
        } else {
            assert!(reader.warnings()[0].contains("count from the north"), "{:?}", reader.warnings());
        }
        assert_eq!(read(&reader), tiles);
    }
}

/// Four archives that share no tile, and what they hold together.
fn quarters(folder: &Path) -> (Vec<std::path::PathBuf>, Tiles) {
    let tiles = sea();
    let paths: Vec<_> = (0..4u64).map(|n| folder.join(format!("part{n}.mbtiles"))).collect();
    for (n, path) in paths.iter().enumerate() {
        let part: Tiles = tiles.iter().filter(|(id, _)| id.0 % 4 == n as u64).map(|(id, b)| (*id, b.clone())).collect();
        write(path, &part, false);
    }
    (paths, tiles)
}

fn merge(
    inputs: &[std::path::PathBuf],
    output: &Path,
    rule: archive::OnOverlap,
) -> hypso::Result<archive::ArchiveSummary> {
    let opened: Vec<_> = inputs.iter().map(|path| archive::open(path).unwrap()).collect();
    let inputs: Vec<&dyn TileSource> = opened.iter().map(AsRef::as_ref).collect();
    let sink = archive::create(output, &archive::merged_metadata(&inputs).unwrap(), true).unwrap();
    archive::merge(&inputs, sink, rule, &Silent)
}

#[test]
fn merged_databases_hold_every_tile_and_are_the_same_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let (paths, tiles) = quarters(folder.path());
    let (a, b) = (folder.path().join("a.mbtiles"), folder.path().join("b.mbtiles"));
    let summary = merge(&paths, &a, archive::OnOverlap::Error).unwrap();
    let bytes: usize = tiles.values().map(Vec::len).sum();
    assert_eq!((summary.tiles, summary.contents, summary.bytes), (5461, 5461, bytes as u64));
    let reader = MbtilesReader::open(&a).unwrap();
    assert!(read(&reader) == tiles);
    assert_eq!((reader.metadata().minzoom, reader.metadata().maxzoom), (Some(0), Some(6)));
    let report = archive::verify(&a, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
    assert_eq!(report.errors, 0, "{:?}", report.problems);
    merge(&paths, &b, archive::OnOverlap::First).unwrap();
    assert!(std::fs::read(&a).unwrap() == std::fs::read(&b).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 6);
}

#[test]
fn odd_rows_are_merged_or_refused_as_tile_by_tile() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.mbtiles");
    let row = "zoom_level = 6 AND tile_column = 5 AND tile_row = 5";
    // What is done to the third input, and the words of the refusal; none where it can be read.
    let cases: [(&str, Option<&str>); 7] = [
        ("CREATE TABLE t AS SELECT tile_data, tile_row, 7 AS more, tile_column, zoom_level FROM tiles; DROP TABLE tiles;
          ALTER TABLE t RENAME TO tiles; CREATE UNIQUE INDEX i ON tiles (zoom_level, tile_column, tile_row)", None),
        ("UPDATE tiles SET tile_row = (1 << zoom_level) - 1 - tile_row;
          INSERT OR REPLACE INTO metadata VALUES ('bounds', '-180,60,180,85')", None),
        ("DROP INDEX tile_index", None),
        ("DROP INDEX tile_index; INSERT INTO tiles SELECT * FROM tiles", None),
        ("PRAGMA journal_mode = WAL", None),
        ("UPDATE tiles SET tile_data = x'' WHERE rowid = 77", Some("has no bytes")),
        ("UPDATE tiles SET tile_row = 5000 WHERE rowid = 77", Some("outside of the zoom's grid")),
    ];
    for (edits, refusal) in cases {
        let (paths, mut tiles) = quarters(folder.path());
        if edits.contains("bounds") {
            // Only what lies in the north tells that rows count from there.
            let north = |id: &TileId| id.coord().is_some_and(|t| t.z() == 6 && t.y() < 8);
            tiles.retain(|id, _| id.0 % 4 != 2 || north(id));
            let part: Tiles = tiles.iter().filter(|(id, _)| id.0 % 4 == 2).map(|(id, b)| (*id, b.clone())).collect();
            write(&paths[2], &part, false);
        }
        edit(&paths[2], edits);
        let merged = merge(&paths, &output, archive::OnOverlap::Error);
        match refusal {
            None => {
                assert_eq!(merged.unwrap().tiles, tiles.len() as u64, "{edits}");
                assert!(read(&MbtilesReader::open(&output).unwrap()) == tiles, "{edits}");
                std::fs::remove_file(&output).unwrap();
            }
            Some(words) => {
                let error = merged.unwrap_err().to_string();
                assert!(error.contains(words), "{edits}: {error}");
                assert!(!output.exists(), "{edits}");
            }
        }
        paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
    // A text is bytes too.
    let (paths, mut tiles) = quarters(folder.path());
    edit(&paths[0], &format!("UPDATE tiles SET tile_data = 'RIFF text' WHERE {row}"));
    let id: TileId = TileCoord::new(6, 5, 63 - 5).unwrap().into();
    if id.0.is_multiple_of(4) {
        tiles.insert(id, b"RIFF text".to_vec());
    }
    merge(&paths, &output, archive::OnOverlap::Error).unwrap();
    assert!(read(&MbtilesReader::open(&output).unwrap()) == tiles);
}

#[test]
fn overlaps_of_databases_are_refused_by_name_or_resolved() {
    let folder = tempfile::tempdir().unwrap();
    let (mut paths, mut tiles) = quarters(folder.path());
    let output = folder.path().join("out.mbtiles");
    let id: TileId = TileCoord::new(6, 9, 3).unwrap().into();
    let extra = folder.path().join("extra.mbtiles");
    write(&extra, &Tiles::from([(id, b"RIFF other".to_vec())]), false);
    paths.push(extra);
    let holder = format!("part{}.mbtiles", id.0 % 4);
    // Found by the output's index; and where the bounds have to come from the tiles, by walking these.
    for bounds in ["", "DELETE FROM metadata WHERE name = 'bounds'"] {
        paths.iter().for_each(|path| edit(path, bounds));
        let error = merge(&paths, &output, archive::OnOverlap::Error).unwrap_err().to_string();
        assert!(error.contains("6/9/3") && error.contains(&holder) && error.contains("extra.mbtiles"), "{error}");
        assert!(!output.exists());
    }
    merge(&paths, &output, archive::OnOverlap::First).unwrap();
    assert!(read(&MbtilesReader::open(&output).unwrap()) == tiles);
    tiles.insert(id, b"RIFF other".to_vec());
    merge(&paths, &output, archive::OnOverlap::Last).unwrap();
    assert!(read(&MbtilesReader::open(&output).unwrap()) == tiles);
}
