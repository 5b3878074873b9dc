//! Archives that say one thing and hold another, as programs in the wild write them: read as what they are, mended with a word, or
//! refused by name. Never upside down, never a tile less without a word.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use hypso::archive::pmtiles::{Compression, PmtilesReader};
use hypso::archive::{self, ArchiveMetadata, CreateOptions, Scheme, TileEncoding, TileFormat, TileSource};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec};
use hypso::tile::{TileCoord, TileId};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

type Tiles = BTreeMap<TileId, Vec<u8>>;

fn hypso(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let done =
        Command::new(env!("CARGO_BIN_EXE_hypso")).args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let done = done.unwrap();
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    (done.status.code().unwrap(), said)
}

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

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
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
        encoding: Some(TileEncoding::Terrarium),
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

#[test]
fn files_of_any_spelling_are_tiles_of_their_format() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let spell = |t: TileCoord| xyz([".png", ".PNG", ".Png", ".png"][usize::from(t.z())])(t);
    files(&at.join("caps"), &all, spell, &Value::Null);
    files(&at.join("bare"), &all, xyz(""), &Value::Null);
    files(&at.join("bin"), &all, xyz(".bin"), &Value::Null);
    files(
        &at.join("packed"),
        &vectors().into_iter().map(|(id, b)| (id, gzip(&b))).collect(),
        xyz(".pbf.gz"),
        &Value::Null,
    );
    for (name, format) in [("caps", "png"), ("bare", "png"), ("bin", "png"), ("packed", "pbf")] {
        for output in OUTPUTS {
            ok(at, &["4 tiles"], &["convert", name, "-o", output]);
            let source = archive::open(&at.join(output)).unwrap();
            assert_eq!((source.metadata().format.name(), source.tile_count().unwrap()), (format, 4), "{name} {output}");
        }
        clear(at);
    }
    // Kinds that nobody knows come back as they went.
    let odd: Tiles = all.keys().map(|id| (*id, format!("quantized {}", id.0).into_bytes())).collect();
    for (ending, format) in [(".terrain", "terrain"), (".what", "what"), (".bin", "")] {
        files(&at.join("odd"), &odd, xyz(ending), &Value::Null);
        ok(at, &[], &["convert", "odd", "-o", "out.pmtiles"]);
        ok(at, &[], &["convert", "out.pmtiles", "-o", "out"]);
        ok(at, &[], &["convert", "out", "-o", "out.mbtiles"]);
        let source = archive::open(&at.join("out.mbtiles")).unwrap();
        assert_eq!(source.metadata().format.name(), format);
        assert_eq!(read(&at.join("out.mbtiles")), odd);
        clear(at);
        std::fs::remove_dir_all(at.join("odd")).unwrap();
    }
}

#[test]
fn several_formats_in_one_archive_are_declared_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut all = tiles();
    let jpeg = b"\xff\xd8\xff\xe0 a picture".to_vec();
    all.insert(tile(3, 7, 3).into(), jpeg);
    let ending = |t: TileCoord| xyz(if t.z() == 3 { ".jpeg" } else { ".png" })(t);
    files(&at.join("hybrid"), &all, ending, &Value::Null);
    ok(at, &["3 png (such as", "1 jpg (such as 3/7/3.jpeg)"], &["convert", "hybrid", "-o", "out.mbtiles"]);
    ok(at, &[], &["convert", "out.mbtiles", "-o", "out"]);
    assert!(at.join("out/3/7/3.jpg").is_file() && at.join("out/2/3/1.png").is_file(), "each by what it is");
    ok(at, &[], &["convert", "out", "-o", "out.pmtiles"]);
    for output in OUTPUTS {
        assert_eq!(archive::open(&at.join(output)).unwrap().metadata().format.name(), "hybrid", "{output}");
        assert_eq!(read(&at.join(output)), all, "{output}");
    }
    assert_eq!(PmtilesReader::open(&at.join("out.pmtiles")).unwrap().header().tile_type, 0);
    // One of them in a large archive that says png is found as it passes.
    mbtiles(&at.join("said.mbtiles"), &all, false, &[]);
    clear(at);
    ok(at, &["jpg"], &["convert", "said.mbtiles", "-o", "out.pmtiles"]);
    ok(at, &["jpg"], &["merge", "said.mbtiles", "-o", "out.mbtiles"]);
    clear(at);

    all.insert(tile(3, 7, 3).into(), vector("roads"));
    let ending = |t: TileCoord| xyz(if t.z() == 3 { ".pbf" } else { ".png" })(t);
    files(&at.join("both"), &all, ending, &Value::Null);
    fails(at, 1, &["both", "3 png", "1 pbf (such as 3/7/3.pbf)"], &["convert", "both", "-o", "out.pmtiles"]);
    mbtiles(&at.join("both.mbtiles"), &all, false, &[]);
    for command in ["convert", "merge"] {
        fails(at, 1, &["tile 3/7/3", "is pbf", "is png"], &[command, "both.mbtiles", "-o", "out.pmtiles"]);
    }
}

#[test]
fn what_is_no_tile_is_counted_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    files(&at.join("f"), &tiles(), xyz(".png"), &Value::Null);
    for extra in
        ["3/7/3@2x.png", "3/7/3.png.aux.xml", "3/7/3.kml", "3/7/03.png", "3/07/3.png", "04/1/1.png", "readme.txt"]
    {
        let file = at.join("f").join(extra);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "x").unwrap();
    }
    let words = ["left out", "3.png.aux.xml", "3.kml", "2 with a name that is no number", "3/07", "04"];
    ok(at, &words, &["convert", "f", "-o", "out.pmtiles"]);
    assert_eq!(read(&at.join("out.pmtiles")), tiles());
    let (_, said) = hypso(at, &["verify", "f"]);
    assert!(said.contains("left out"), "{said}");
    ok(at, &["\"left_out\": 6"], &["inspect", "f", "--format", "json"]);
    std::fs::create_dir_all(at.join("none/5/05")).unwrap();
    fails(at, 1, &["without tiles", "05"], &["convert", "none", "-o", "out2.pmtiles"]);
}

#[test]
fn two_files_of_one_tile_stop_unless_a_rule_takes_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    files(&at.join("f"), &tiles(), xyz(".png"), &Value::Null);
    let other = [&tiles()[&tile(3, 7, 3).into()][..], b" more"].concat();
    std::fs::write(at.join("f/3/7/3.webp"), &other).unwrap();
    for command in ["convert", "merge"] {
        fails(at, 1, &["3/7", "twice", "3.png, 3.webp"], &[command, "f", "-o", "out.pmtiles"]);
    }
    for (rule, expected) in [("first", &tiles()[&tile(3, 7, 3).into()]), ("last", &other)] {
        ok(at, &["another file"], &["convert", "f", "-o", "out.pmtiles", "--on-duplicate", rule]);
        assert_eq!(&read(&at.join("out.pmtiles"))[&tile(3, 7, 3).into()], expected, "{rule}");
        clear(at);
    }
    // The same content twice is no question.
    std::fs::write(at.join("f/3/7/3.webp"), &tiles()[&tile(3, 7, 3).into()]).unwrap();
    ok(at, &["4 tiles", "same content"], &["convert", "f", "-o", "out.pmtiles"]);
}

#[test]
fn folders_are_read_and_written_in_every_scheme() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let south = |t: TileCoord| format!("{}/{}/{}.png", t.z(), t.x(), (1 << t.z()) - 1 - t.y());
    let swapped = |t: TileCoord| format!("{}/{}/{}.png", t.z(), t.y(), t.x());
    let bounds = json!([136, 1, 179, 40]);
    files(&at.join("said"), &all, south, &json!({"scheme": "tms"}));
    files(&at.join("shown"), &all, south, &json!({"bounds": bounds}));
    files(&at.join("zyx"), &all, swapped, &json!([{"name": "bounds", "value": bounds}]));
    files(&at.join("gdal"), &all, south, &Value::Null);
    std::fs::write(at.join("gdal/tilemapresource.xml"), "<TileMap><TileSets profile=\"mercator\"/></TileMap>").unwrap();
    files(&at.join("plain"), &all, south, &Value::Null);
    for (name, options, word) in [
        ("said", &[][..], "rows from the south (TMS), as metadata.json says"),
        ("shown", &[], "rows from the south (TMS), as its bounds show"),
        ("zyx", &[], "{z}/{y}/{x}, rows from the north (ZYX), as its bounds show"),
        ("gdal", &[], "as tilemapresource.xml says"),
        ("plain", &["--scheme", "tms"], ""),
        ("zyx", &["--scheme", "zyx"], ""),
    ] {
        for (command, output) in [("convert", "out.pmtiles"), ("merge", "out.mbtiles"), ("extract", "out2.pmtiles")] {
            let part: &[&str] = if command == "extract" { &["--max-zoom", "9"] } else { &[] };
            ok(at, &[word], &[&[command, name, "-o", output], part, options].concat());
            assert_eq!(read(&at.join(output)), all, "{command} {name}");
        }
        let (_, said) = hypso(at, &[&["verify", name][..], options].concat());
        assert!(said.contains(word), "{said}");
        clear(at);
    }
    // Another scheme than the bounds fit is obeyed, with a word.
    ok(at, &["its bounds fit", "say --scheme tms"], &["convert", "shown", "-o", "out.mbtiles", "--scheme", "xyz"]);
    assert!(read(&at.join("out.mbtiles")).contains_key(&tile(3, 7, 4).into()));
    clear(at);
    files(&at.join("wrong"), &all, south, &json!({"scheme": "xyz", "bounds": bounds}));
    ok(at, &["as metadata.json", "say --scheme tms"], &["convert", "wrong", "-o", "out.mbtiles"]);

    pmtiles(&at.join("a.pmtiles"), &all, &[]);
    for scheme in Scheme::ALL {
        clear(at);
        ok(at, &[], &["convert", "a.pmtiles", "-o", "out", "--scheme", scheme.name()]);
        let file = match scheme {
            Scheme::Xyz => "out/3/7/3.png",
            Scheme::Tms => "out/3/7/4.png",
            Scheme::Zyx => "out/3/3/7.png",
        };
        assert!(at.join(file).is_file(), "{file}");
        assert_eq!(read(&at.join("out")), all, "what we write, we read");
        ok(at, &[], &["convert", "out", "-o", "out2", "--scheme", scheme.name(), "--output-scheme", "tms"]);
        assert!(at.join("out2/3/7/4.png").is_file());
        assert_eq!(read(&at.join("out2")), all);
    }
    fails(at, 2, &["--scheme"], &["convert", "a.pmtiles", "-o", "out3.pmtiles", "--scheme", "tms"]);
    fails(at, 2, &["--output-scheme"], &["convert", "a.pmtiles", "-o", "out3.pmtiles", "--output-scheme", "tms"]);
    std::fs::write(at.join("gdal/tilemapresource.xml"), "<TileMap><TileSets profile=\"geodetic\"/></TileMap>").unwrap();
    fails(at, 1, &["no Web Mercator tiles"], &["convert", "gdal", "-o", "out3.pmtiles"]);
}

#[test]
fn rows_from_the_north_are_told_by_the_tiles_whatever_the_zoom_rows_say() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let rows: [&[(&str, &str)]; 4] =
        [&[("maxzoom", "14"), ("minzoom", "0")], &[("maxzoom", "999")], &[], &[("maxzoom", "1"), ("minzoom", "9")]];
    for rows in rows {
        for (north, rows) in [(true, [rows, &[("bounds", BOUNDS)]].concat()), (false, rows.to_vec())] {
            mbtiles(&at.join("a.mbtiles"), &all, north, &rows);
            ok(at, &[if north { "count from the north" } else { "" }], &["convert", "a.mbtiles", "-o", "out.pmtiles"]);
            assert_eq!(read(&at.join("out.pmtiles")), all, "{rows:?}");
            std::fs::remove_file(at.join("a.mbtiles")).unwrap();
            clear(at);
        }
    }
    // Bounds of the world tell nothing; then the option does, and a row that is not believed is named.
    mbtiles(&at.join("w.mbtiles"), &all, true, &[("bounds", "-180,-85,180,85"), ("scheme", "xyz")]);
    ok(at, &["read as TMS", "--scheme xyz"], &["convert", "w.mbtiles", "-o", "out.pmtiles"]);
    ok(at, &[], &["convert", "w.mbtiles", "-o", "out2.pmtiles", "--scheme", "xyz"]);
    assert_eq!(read(&at.join("out2.pmtiles")), all);
}

#[test]
fn rows_that_repeat_with_another_content_stop_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let other = all[&tile(0, 0, 0).into()].clone();
    pmtiles(&at.join("good.pmtiles"), &all, &[]);
    ok(at, &[], &["diff", "good.pmtiles", "good.pmtiles", "-o", "patch.pmtiles"]);
    let shared =
        "CREATE TABLE map (zoom_level, tile_column, tile_row, tile_id); CREATE TABLE images (tile_data, tile_id);
        INSERT INTO images SELECT tile_data, rowid FROM tiles;
        INSERT INTO map SELECT zoom_level, tile_column, tile_row, rowid FROM tiles; DROP TABLE tiles;
        CREATE VIEW tiles AS SELECT zoom_level, tile_column, tile_row, tile_data FROM map JOIN images USING (tile_id);";
    let union = "ALTER TABLE tiles RENAME TO t; CREATE VIEW tiles AS SELECT * FROM t WHERE 1;";
    let index = "CREATE INDEX i ON tiles (zoom_level, tile_column, tile_row);";
    for schema in ["", shared, union, index] {
        mbtiles(&at.join("a.mbtiles"), &all, false, &[]);
        let db = Connection::open(at.join("a.mbtiles")).unwrap();
        db.execute("INSERT INTO tiles VALUES (3, 7, 4, ?1)", params![other]).unwrap();
        db.execute_batch(schema).unwrap();
        drop(db);
        for arguments in [
            &["convert", "a.mbtiles", "-o", "out.pmtiles"][..],
            &["convert", "a.mbtiles", "-o", "out.mbtiles", "--encoding", "mapbox"],
            &["merge", "a.mbtiles", "-o", "out.mbtiles"],
            &["merge", "a.mbtiles", "good.pmtiles", "-o", "out.mbtiles", "--on-overlap", "pixels"],
            &["extract", "a.mbtiles", "-o", "out.pmtiles", "--max-zoom", "5"],
            &["diff", "a.mbtiles", "good.pmtiles"],
            &["diff", "good.pmtiles", "a.mbtiles", "-o", "out.pmtiles"],
            &["patch", "a.mbtiles", "patch.pmtiles", "-o", "out.pmtiles"],
            &["preview", "a.mbtiles", "-o", "out.png", "--zoom", "3", "--bbox", "140", "5", "170", "35"],
        ] {
            fails(at, 1, &["a.mbtiles", "3/7/3", "twice", "--on-duplicate first"], arguments);
        }
        let (code, said) = hypso(at, &["verify", "a.mbtiles", "--parents", "none"]);
        assert!(
            code == 3 && said.contains("tile 3/7/3: stands in the archive twice, with different contents"),
            "{said}"
        );
        for (rule, expected) in [("first", &all[&tile(3, 7, 3).into()]), ("last", &other)] {
            for (command, output) in [("convert", "out.pmtiles"), ("merge", "out.mbtiles")] {
                ok(at, &["4 tiles", rule], &[command, "a.mbtiles", "-o", output, "--on-duplicate", rule]);
                assert_eq!(&read(&at.join(output))[&tile(3, 7, 3).into()], expected, "{schema} {command} {rule}");
            }
            clear(at);
        }
        std::fs::remove_file(at.join("a.mbtiles")).unwrap();
    }
    // The same content is no question, but told.
    mbtiles(&at.join("a.mbtiles"), &all, false, &[]);
    let db = Connection::open(at.join("a.mbtiles")).unwrap();
    db.execute_batch("INSERT INTO tiles SELECT * FROM tiles WHERE zoom_level = 3").unwrap();
    ok(
        at,
        &["1 rows stand for tiles that have another row", "same content"],
        &["merge", "a.mbtiles", "-o", "out.mbtiles"],
    );
    ok(at, &["4 tiles"], &["patch", "a.mbtiles", "patch.pmtiles", "-o", "out.pmtiles"]);
    let (code, said) = hypso(at, &["verify", "a.mbtiles", "--parents", "none"]);
    assert!(code == 3 && said.contains("twice, with the same content"), "{said}");
}

#[test]
fn tables_that_are_left_behind_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    mbtiles(&at.join("a.mbtiles"), &tiles(), false, &[]);
    let db = Connection::open(at.join("a.mbtiles")).unwrap();
    db.execute_batch(
        "CREATE TABLE grids (zoom_level, tile_column, tile_row, grid); INSERT INTO grids VALUES (0, 0, 0, x'78');
         CREATE TABLE grid_data (zoom_level); INSERT INTO grid_data VALUES (1); CREATE TABLE empty (a);
         CREATE TABLE \"my \"\"notes\" (a); INSERT INTO \"my \"\"notes\" VALUES (1);",
    )
    .unwrap();
    drop(db);
    let words = ["grid_data, grids, my \"notes", "UTFGrids"];
    for arguments in [
        &["convert", "a.mbtiles", "-o", "out.pmtiles"][..],
        &["merge", "a.mbtiles", "-o", "out.mbtiles"],
        &["extract", "a.mbtiles", "-o", "out", "--max-zoom", "2"],
    ] {
        assert!(!ok(at, &words, arguments).contains("empty"));
    }
    ok(at, &["grid_data", "other_tables"], &["inspect", "a.mbtiles"]);
    // Tables below a view are the tiles.
    ok(at, &[], &["convert", "out.mbtiles", "-o", "out2.mbtiles", "--dedup"]);
    let said = ok(at, &[], &["convert", "out2.mbtiles", "-o", "out3.mbtiles"]);
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn a_torn_journal_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    mbtiles(&at.join("b.mbtiles"), &tiles(), false, &[]);
    let mut db = Connection::open(at.join("b.mbtiles")).unwrap();
    db.execute_batch("PRAGMA cache_size = 1").unwrap();
    let change = db.transaction().unwrap();
    change.execute_batch("UPDATE tiles SET tile_data = zeroblob(900)").unwrap();
    for n in 0..400 {
        change.execute("INSERT INTO tiles VALUES (9, ?1, 0, zeroblob(4000))", params![n]).unwrap();
    }
    // As a kill in the middle leaves them.
    std::fs::copy(at.join("b.mbtiles"), at.join("a.mbtiles")).unwrap();
    std::fs::copy(at.join("b.mbtiles-journal"), at.join("a.mbtiles-journal")).unwrap();
    change.rollback().unwrap();
    let words = ["a.mbtiles-journal", "sqlite3 FILE", "undo"];
    for arguments in [
        &["convert", "a.mbtiles", "-o", "out.pmtiles"][..],
        &["merge", "a.mbtiles", "-o", "out.mbtiles"],
        &["inspect", "a.mbtiles"],
    ] {
        let (code, said) = hypso(at, arguments);
        assert!(code == 1 && words.iter().all(|word| said.contains(word)) && !said.contains("permission"), "{said}");
    }
    let (code, said) = hypso(at, &["verify", "a.mbtiles"]);
    assert!(code == 3 && said.contains("a.mbtiles-journal"), "{said}");
    // The way out leads out.
    let db = Connection::open(at.join("a.mbtiles")).unwrap();
    db.query_row("SELECT 1 FROM sqlite_master", [], |_| Ok(())).unwrap();
    drop(db);
    ok(at, &["4 tiles"], &["convert", "a.mbtiles", "-o", "out.pmtiles"]);
    assert_eq!(read(&at.join("out.pmtiles")), tiles());
}

#[test]
fn bounds_and_centres_away_from_the_tiles_are_found_and_put_right() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let e7 = |degrees: [i32; 4]| degrees.map(|v| (v * 10_000_000).to_le_bytes()).concat();
    for (bounds, centre, words) in [
        ([-100, -40, -90, -30], "2,3,1", "touch none of"),
        ([-100, -40, 140, 50], "-95,-35,1", ""),
        ([50, -30, 95, 40], "60,0,1", "touch none of"),
        ([136, 50, 179, 80], "", "touch none of"),
    ] {
        let text = bounds.map(|v| v.to_string()).join(",");
        mbtiles(
            &at.join("a.mbtiles"),
            &all,
            false,
            &[("bounds", &text), ("center", if centre.is_empty() { "-" } else { centre })],
        );
        pmtiles(&at.join("a.pmtiles"), &all, &[(102, &e7(bounds)), (119, &e7([-95, -35, 0, 0])[..8])]);
        let index = "CREATE UNIQUE INDEX i ON tiles (zoom_level, tile_column, tile_row)";
        Connection::open(at.join("a.mbtiles")).unwrap().execute_batch(index).unwrap();
        files(&at.join("a"), &all, xyz(".png"), &json!({"bounds": text, "center": centre, "format": "png"}));
        for input in ["a.mbtiles", "a.pmtiles", "a"] {
            let (code, said) = hypso(at, &["verify", input, "--parents", "none"]);
            if !words.is_empty() {
                assert!(code == 3 && said.contains("bounds") && said.contains(words), "{input}: {said}");
            }
            for (command, output) in
                [("convert", "out.pmtiles"), ("merge", "out.mbtiles"), ("extract", "out"), ("merge", "out2.pmtiles")]
            {
                let part: &[&str] = if command == "extract" { &["--max-zoom", "7"] } else { &[] };
                ok(at, &[words], &[&[command, input, "-o", output], part].concat());
                let source = archive::open(&at.join(output)).unwrap();
                let found = source.metadata().bounds.unwrap();
                if words.is_empty() {
                    assert_eq!(found, bounds.map(f64::from));
                } else {
                    assert!(
                        (found[0] - 135.0).abs() < 1e-6 && (found[2] - 180.0).abs() < 1e-6,
                        "{input} {output}: {found:?}"
                    );
                }
                let centre = source.metadata().center.unwrap();
                assert!((found[0]..=found[2]).contains(&centre.lon) && (found[1]..=found[3]).contains(&centre.lat));
                let (code, said) = hypso(at, &["verify", output, "--parents", "none"]);
                assert!(code == 0 && !said.contains("bounds"), "{output}: {said}");
            }
            clear(at);
        }
        std::fs::remove_file(at.join("a.mbtiles")).unwrap();
        std::fs::remove_file(at.join("a.pmtiles")).unwrap();
    }
    // Swapped ones are none.
    mbtiles(&at.join("s.mbtiles"), &all, false, &[("bounds", "179,1,136,40"), ("center", "x")]);
    let (code, said) = hypso(at, &["verify", "s.mbtiles", "--parents", "none"]);
    assert!(
        code == 3 && said.contains("the row \"bounds\" is \"179,1,136,40\"") && said.contains("\"center\""),
        "{said}"
    );
    ok(
        at,
        &["the row \"bounds\" says \"179,1,136,40\"", "the row \"center\""],
        &["convert", "s.mbtiles", "-o", "out.pmtiles"],
    );
    assert_eq!(hypso(at, &["verify", "out.pmtiles", "--parents", "none"]).0, 0);
}

#[test]
fn pictures_are_never_written_packed_and_flags_say_what_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let pack = |how: &dyn Fn(&[u8]) -> Vec<u8>| -> Tiles { all.iter().map(|(id, b)| (*id, how(b))).collect() };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    // One of four only, as a fault in the middle leaves it.
    let mut one = all.clone();
    one.insert(tile(3, 7, 3).into(), gzip(&all[&tile(3, 7, 3).into()]));
    let kinds: [(&str, Tiles, u8); 6] = [
        ("gzip", pack(&gzip), 1),
        ("gzip", pack(&|b| gzip(&gzip(b))), 2),
        ("zlib", pack(&zlib), 0),
        ("zstd", pack(&zstd), 4),
        ("gzip", one, 1),
        // Plain, and said to be gzip.
        ("compression", all.clone(), 2),
    ];
    for (word, kind, flag) in kinds {
        let plain = kind == all;
        mbtiles(
            &at.join("a.mbtiles"),
            &kind,
            false,
            &[("format", "-"), if plain { ("compression", "gzip") } else { ("x", "y") }],
        );
        pmtiles(&at.join("a.pmtiles"), &kind, &[(98, &[flag])]);
        files(
            &at.join("a"),
            &kind,
            xyz(".png"),
            &json!({"tileSize": 64, "encoding": "terrarium", "compression": if plain { "gzip" } else { "" }}),
        );
        let db = Connection::open(at.join("a.mbtiles")).unwrap();
        db.execute_batch("CREATE UNIQUE INDEX i ON tiles (zoom_level, tile_column, tile_row)").unwrap();
        drop(db);
        for input in ["a.mbtiles", "a.pmtiles", "a"] {
            let (code, said) = hypso(at, &["verify", input, "--parents", "none"]);
            assert!(code == 3 && said.contains("compress") && said.contains(word), "{input} {word}: {said}");
            for output in OUTPUTS {
                ok(at, &[word], &["convert", input, "-o", output]);
                assert_eq!(stored(&at.join(output)), all, "{input} {output} {word}");
                let metadata = archive::open(&at.join(output)).unwrap().metadata().clone();
                assert_eq!(metadata.format, TileFormat::Png);
                assert!(metadata.tile_compression.is_none_or(|c| c == Compression::None), "{input} {output}");
                let (_, said) = hypso(at, &["verify", output, "--parents", "none"]);
                assert!(!said.contains("compress") && said.contains("4 decoded"), "{said}");
            }
            clear(at);
            for output in ["out.mbtiles", "out.pmtiles"] {
                ok(at, &[], &["merge", input, "-o", output]);
                assert_eq!(stored(&at.join(output)), all, "merge {input} {output} {word}");
            }
            ok(at, &[], &["extract", input, "-o", "out", "--max-zoom", "8"]);
            assert_eq!(stored(&at.join("out")), all, "extract {input} {word}");
            ok(at, &[], &["preview", input, "-o", "out.png", "--zoom", "3", "--bbox", "140", "5", "170", "35"]);
            ok(at, &["4 equal"], &["diff", input, "out.pmtiles"]);
            clear(at);
        }
        ["a.mbtiles", "a.pmtiles"].iter().for_each(|name| std::fs::remove_file(at.join(name)).unwrap());
        std::fs::remove_dir_all(at.join("a")).unwrap();
    }
}

#[test]
fn vector_tiles_are_known_whatever_the_archive_calls_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let plain = vectors();
    let pack = |how: &dyn Fn(&[u8]) -> Vec<u8>| -> Tiles { plain.iter().map(|(id, b)| (*id, how(b))).collect() };
    let packed = pack(&gzip);
    let mut mixed = packed.clone();
    mixed.insert(tile(3, 7, 3).into(), plain[&tile(3, 7, 3).into()].clone());
    for (kind, expected, compression, word) in [
        (&packed, &packed, Compression::Gzip, ""),
        (&plain, &plain, Compression::None, ""),
        (&pack(&zlib), &packed, Compression::Gzip, "zlib"),
        (&pack(&|b| gzip(&gzip(b))), &packed, Compression::Gzip, "twice"),
        (&mixed, &packed, Compression::Gzip, "not packed and gzip"),
    ] {
        // The format is not said, wrong, or right; the flag is wrong.
        for (row, number) in [("-", 0u8), ("png", 2), ("pbf", 1)] {
            mbtiles(&at.join("a.mbtiles"), kind, false, &[("format", row), ("encoding", "-")]);
            let flag = if compression == Compression::Gzip { 1 } else { 2 };
            pmtiles(&at.join("a.pmtiles"), kind, &[(98, &[flag, number])]);
            files(&at.join("a"), kind, xyz(".mvt"), &if row == "-" { Value::Null } else { json!({"format": row}) });
            for input in ["a.mbtiles", "a.pmtiles", "a"] {
                for output in OUTPUTS {
                    ok(at, &[word], &["convert", input, "-o", output]);
                    assert_eq!(&stored(&at.join(output)), expected, "{input} {output} {row} {word}");
                    assert_eq!(archive::open(&at.join(output)).unwrap().metadata().format, TileFormat::Mvt);
                }
                let header = *PmtilesReader::open(&at.join("out.pmtiles")).unwrap().header();
                assert_eq!((header.tile_type, header.tile_compression), (1, compression), "{input} {row} {word}");
                if row == "png" && input != "a" {
                    let (code, said) = hypso(at, &["verify", input]);
                    assert!(code == 3 && said.contains("is pbf, but the archive declares png"), "{said}");
                }
                clear(at);
            }
            ["a.mbtiles", "a.pmtiles"].iter().for_each(|name| std::fs::remove_file(at.join(name)).unwrap());
            std::fs::remove_dir_all(at.join("a")).unwrap();
        }
    }
    // Plain and packed ones are not of one kind.
    mbtiles(&at.join("a.mbtiles"), &packed, false, &[("format", "pbf"), ("encoding", "-")]);
    pmtiles(&at.join("b.pmtiles"), &plain, &[(99, &[1])]);
    fails(at, 1, &["compression"], &["merge", "a.mbtiles", "b.pmtiles", "-o", "out.pmtiles", "--on-overlap", "first"]);
}

#[test]
fn values_that_are_set_are_compared_with_the_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pmtiles(&at.join("a.pmtiles"), &tiles(), &[]);
    for (set, code, word) in [
        ("bounds=1,2,3", 2, "west,south,east,north"),
        ("bounds=-100,-40,-90,-30", 2, "touch no tile"),
        ("center=1,2,3", 2, "outside of the bounds"),
        ("center=150,20,9", 2, "zoom without tiles"),
        ("center=150,20", 2, "longitude,latitude,zoom"),
        ("compression=gzip", 2, "not what the tiles have"),
        ("compression=lzma", 2, "none, gzip, brotli or zstd"),
        ("format=webp", 2, "not what the tiles are"),
        ("minzoom=3", 2, "follows from the tiles"),
        ("scheme=tms", 2, "for the server"),
    ] {
        for recode in [&[][..], &["--encoding", "mapbox"]] {
            fails(at, code, &[word], &[&["convert", "a.pmtiles", "-o", "out.pmtiles", "--set", set], recode].concat());
        }
    }
    let set = [
        "--set",
        "bounds=136,1,179,40",
        "--set",
        "centre=150,20,2",
        "--set",
        "compression=none",
        "--set",
        "tile_size=64",
    ];
    ok(at, &[], &[&["convert", "a.pmtiles", "-o", "out.mbtiles"][..], &set].concat());
    let metadata = archive::open(&at.join("out.mbtiles")).unwrap().metadata().clone();
    let centre = metadata.center.unwrap();
    assert_eq!(metadata.bounds, Some([136.0, 1.0, 179.0, 40.0]));
    assert_eq!((centre.lon, centre.lat, centre.zoom, metadata.tile_size), (150.0, 20.0, 2, Some(64)));
}

#[test]
fn merging_archives_that_end_at_different_zooms_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let shallow: Tiles = tiles().into_iter().take(2).collect();
    let deep: Tiles = tiles().into_iter().skip(2).collect();
    mbtiles(&at.join("a.mbtiles"), &shallow, false, &[("bounds", "0,0,179,80")]);
    pmtiles(&at.join("b.pmtiles"), &deep, &[]);
    let words = [
        "end at different zooms",
        "a.mbtiles: zooms 0 to 1 over 0,0,179,80",
        "b.pmtiles: zooms 2 to 3 over 135,0,180,40.9799",
    ];
    ok(at, &words, &["merge", "a.mbtiles", "b.pmtiles", "-o", "out.pmtiles"]);
    ok(at, &words, &["merge", "a.mbtiles", "b.pmtiles", "-o", "out.mbtiles", "--on-overlap", "pixels"]);
    let said = ok(at, &[], &["merge", "out.mbtiles", "out.pmtiles", "-o", "out2.pmtiles", "--on-overlap", "first"]);
    assert!(!said.contains("different zooms"), "{said}");
}

#[test]
fn urls_pipes_and_the_standard_output_are_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pmtiles(&at.join("a.pmtiles"), &tiles(), &[]);
    for url in ["https://example.org/a.pmtiles", "s3://bucket/a.pmtiles", "pmtiles://https://example.org/a"] {
        for arguments in [
            &["convert", url, "-o", "out.pmtiles"][..],
            &["extract", url, "-o", "out.pmtiles", "--max-zoom", "3"],
            &["extract", url, "-o", "out.pmtiles"],
            &["merge", url, "a.pmtiles", "-o", "out.pmtiles"],
            &["diff", "a.pmtiles", url],
            &["patch", url, "a.pmtiles", "-o", "out.pmtiles"],
            &["inspect", url],
            &["verify", url],
            &["preview", url, "-o", "out.png"],
            &["info", url],
            &["query", url, "--point", "1", "2"],
            &["export", url, "-o", "out.geojson"],
            #[cfg(feature = "gdal")]
            &["build", url, "-o", "out.hypso"],
            #[cfg(feature = "gdal")]
            &["aggregate", url, "-o", "out.pmtiles"],
        ] {
            fails(at, 1, &["looks like a URL", "download it first"], arguments);
        }
        fails(at, 2, &["looks like a URL"], &["convert", "a.pmtiles", "-o", url]);
    }
    for output in ["-", "/dev/stdout"] {
        fails(at, 2, &[output, "name of a file"], &["convert", "a.pmtiles", "-o", output, "--overwrite"]);
    }
    fails(at, 2, &["standard output"], &["preview", "a.pmtiles", "-o", "-", "--zoom", "3"]);
    #[cfg(unix)]
    for command in
        [&["inspect", "/dev/stdin"][..], &["convert", "/dev/stdin", "-o", "out.pmtiles"], &["info", "/dev/stdin"]]
    {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hypso"))
            .args(command)
            .current_dir(at)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(&std::fs::read(at.join("a.pmtiles")).unwrap());
        let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        assert!(said.contains("is a pipe") && said.contains("local file"), "{command:?}: {said}");
    }
    // A pipe that nobody writes to is no reason to wait.
    #[cfg(unix)]
    if Command::new("mkfifo").arg(at.join("pipe")).status().is_ok_and(|status| status.success()) {
        fails(at, 1, &["is a pipe"], &["inspect", "pipe"]);
        fails(at, 1, &["is a pipe"], &["info", "pipe"]);
        fails(at, 2, &["is a pipe"], &["convert", "a.pmtiles", "-o", "pipe", "--overwrite"]);
    }
}

#[test]
fn control_characters_out_of_files_do_nothing_to_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    mbtiles(
        &at.join("a.mbtiles"),
        &tiles(),
        false,
        &[("name", "red \u{1b}[31m"), ("scheme", "xyz\u{1b}"), ("bounds", "\u{1b}[2J")],
    );
    for arguments in [&["inspect", "a.mbtiles"][..], &["convert", "a.mbtiles", "-o", "out"], &["verify", "a.mbtiles"]] {
        let (_, said) = hypso(at, arguments);
        assert!(!said.contains('\u{1b}'), "{arguments:?}: {said:?}");
    }
    // A format out of an archive leads to no other folder.
    let odd: Tiles = tiles().keys().map(|id| (*id, b"odd".to_vec())).collect();
    mbtiles(&at.join("b.mbtiles"), &odd, false, &[("format", "../../../x")]);
    ok(at, &["4 tiles"], &["convert", "b.mbtiles", "-o", "out2"]);
    assert!(at.join("out2/0/0/0.bin").is_file());
    assert_eq!(read(&at.join("out2")), odd);
}
