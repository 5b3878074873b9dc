//! What we write, read by others, and what they write, read by us: PyPI `pmtiles` and `pymbtiles`, GDAL, and the programs `mbtiles`
//! and `versatiles`.
//!
//! A reader that isn't installed is skipped with a line that says so; under CI its absence is a failure, but for the two programs,
//! which take half an hour to build (`cargo install mbtiles --version 0.19.1 --locked`, `cargo install versatiles --version 5.3.0
//! --locked --no-default-features --features cli`). `HYPSO_PYTHON` names the interpreter, else `python3` is tried.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use hypso::archive::{self, ArchiveMetadata, CreateOptions, TileFormat, VerifyOptions};
use hypso::progress::Silent;
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec};
use hypso::tile::{TileCoord, TileId};

type Tiles = BTreeMap<TileId, Vec<u8>>;

fn python() -> OsString {
    std::env::var_os("HYPSO_PYTHON").unwrap_or_else(|| "python3".into())
}

/// True where the command works; where not, under CI, a failure.
fn installed(command: &mut Command, what: &str) -> bool {
    let found = command.output().is_ok_and(|output| output.status.success());
    assert!(found || std::env::var_os("CI").is_none(), "{what} is not installed");
    if !found {
        eprintln!("skipped: {what} is not installed");
    }
    found
}

fn python_has(module: &str) -> bool {
    installed(Command::new(python()).args(["-c", &format!("import {module}")]), &format!("the Python package {module}"))
}

fn metadata() -> ArchiveMetadata {
    ArchiveMetadata {
        name: "interop".into(),
        format: TileFormat::Webp,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(512),
        other: BTreeMap::from([("sources".to_owned(), r#"["a","b"]"#.parse().unwrap())]),
        ..ArchiveMetadata::default()
    }
}

/// Tiles of many sizes, with a sea that repeats, over several zooms; enough of them for leaf directories.
fn many_tiles() -> Tiles {
    let first = TileId::first(8).0;
    let mut ids: Vec<u64> = (0..341).chain((0..40_000u64).map(|n| first + n + n / 7)).collect();
    ids.extend((0..3u64).map(|n| TileId::first(14).0 + n * n * 1_000_003));
    ids.into_iter()
        .map(|id| {
            let noise = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
            let body = if noise.is_multiple_of(3) {
                vec![0; 20]
            } else {
                noise.to_le_bytes().repeat((noise % 31 + 1) as usize)
            };
            (TileId(id), [b"RIFF\0\0\0\0WEBP".as_slice(), &body].concat())
        })
        .collect()
}

fn write(path: &Path, tiles: &Tiles, dedup: bool) {
    let mut sink =
        archive::create_with(path, &metadata(), CreateOptions { dedup, ..CreateOptions::default() }).unwrap();
    for (id, bytes) in tiles {
        sink.put(id.coord().unwrap(), bytes).unwrap();
    }
    sink.finish().unwrap();
}

/// All tiles in one file for the script: z, x, y and length as little-endian `u32`, then the bytes.
fn list_of(folder: &Path, tiles: &Tiles) -> PathBuf {
    let mut blob = Vec::new();
    for (id, bytes) in tiles {
        let tile = id.coord().unwrap();
        let lengths = [u32::from(tile.z()), tile.x(), tile.y(), bytes.len() as u32];
        lengths.iter().for_each(|number| blob.extend_from_slice(&number.to_le_bytes()));
        blob.extend_from_slice(bytes);
    }
    let path = folder.join("tiles.bin");
    std::fs::write(&path, blob).unwrap();
    path
}

fn check(kind: &str, tiles: &Tiles, dedup: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("a.{kind}"));
    write(&path, tiles, dedup);
    let list = list_of(folder.path(), tiles);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_archives.py");
    let output = Command::new(python()).arg(script).arg(kind).arg(&path).arg(list).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    if kind == "pmtiles" && tiles.len() > 20_000 {
        assert!(!text.contains(" 0 leaf directories"), "{text}");
    }
}

#[test]
fn the_python_package_pmtiles_walks_every_directory() {
    if python_has("pmtiles") {
        check("pmtiles", &many_tiles(), true);
        check("pmtiles", &many_tiles().into_iter().take(341).collect(), true);
    }
}

#[test]
fn the_python_package_pymbtiles_reads_every_tile() {
    if python_has("pymbtiles") {
        check("mbtiles", &many_tiles(), false);
        // Equal tiles once, below a view.
        check("mbtiles", &many_tiles(), true);
    }
}

/// GDAL finds the height of a place in both formats where we put it.
#[test]
fn gdal_reads_pixels_where_we_put_them() {
    if !installed(Command::new("gdallocationinfo").arg("--version"), "gdallocationinfo") {
        return;
    }
    let codec = TileCodec::new(Encoding::Terrarium, ImageFormat::Png);
    let leaf = TileCoord::new(10, 906, 404).unwrap();
    let mut tiles = Tiles::new();
    for z in 8..=10 {
        let tile = leaf.ancestor(z).unwrap();
        let mut heights = ElevationTile::empty(256);
        heights.valid.fill(1);
        heights.values.fill(100.0 * f32::from(z));
        if z == 10 {
            heights.values[20 * 256 + 50] = 3776.25;
        }
        tiles.insert(tile.into(), codec.encode(&heights).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let metadata = ArchiveMetadata { format: TileFormat::Png, tile_size: Some(256), ..metadata() };
    for dedup in [false, true] {
        let path = folder.path().join(format!("{dedup}.mbtiles"));
        let options = CreateOptions { dedup, ..CreateOptions::default() };
        let mut sink = archive::create_with(&path, &metadata, options).unwrap();
        for (id, bytes) in &tiles {
            sink.put(id.coord().unwrap(), bytes).unwrap();
        }
        sink.finish().unwrap();
        assert_eq!(heights_by_gdal(&path, leaf), "3776.25 1000 1000 1000 ");
    }
}

/// What GDAL and PyPI `pmtiles` write is read whole.
#[test]
fn archives_that_others_write_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours.mbtiles");
    write(&ours, &many_tiles(), true);
    if python_has("pmtiles") {
        let theirs = folder.path().join("theirs.pmtiles");
        let script = "import sys\nfrom pmtiles.convert import mbtiles_to_pmtiles\nmbtiles_to_pmtiles(sys.argv[1], sys.argv[2], None)";
        let output = Command::new(python()).args(["-c", script]).arg(&ours).arg(&theirs).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (a, b) = (archive::open(&ours).unwrap(), archive::open(&theirs).unwrap());
        let found = archive::diff(a.as_ref(), b.as_ref(), 3, &|_, _, _| Ok(None), &Silent).unwrap();
        assert!(found.same_tiles(false) && found.zooms.len() == 7, "{found:?}");
        let report = archive::verify(&theirs, VerifyOptions { sample: Some(100) }, &|_, _| Ok(()), &Silent).unwrap();
        assert_eq!(report.errors, 0, "{:?}", report.problems);
    }
    if installed(Command::new("gdal_translate").arg("--version"), "gdal_translate") {
        let (raster, theirs) = (folder.path().join("a.pgm"), folder.path().join("gdal.mbtiles"));
        std::fs::write(
            &raster,
            [b"P5 64 64 255 ".as_slice(), &(0..4096).map(|n| n as u8).collect::<Vec<u8>>()].concat(),
        )
        .unwrap();
        let box_of = ["-a_srs", "EPSG:3857", "-a_ullr", "0", "10000", "10000", "0"];
        let made = ["-of", "MBTiles", "-co", "TILE_FORMAT=PNG"];
        let mut command = Command::new("gdal_translate");
        let output = command.arg("-q").args(box_of).args(made).arg(&raster).arg(&theirs).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = archive::verify(&theirs, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
        assert!(report.errors == 0 && report.checked > 0, "{:?}", report.problems);
        let source = archive::open(&theirs).unwrap();
        let id = source.ids().unwrap().next().unwrap().unwrap().coord().unwrap();
        assert!(id.bounds().overlaps(&hypso::tile::Bounds::new(0.0, 0.0, 10_000.0, 10_000.0)), "{id}");
    }
}

/// Runs a program that reads or writes archives, which has to end well; what it says comes back.
fn succeeds(program: &str, args: &[&std::ffi::OsStr]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{program} {args:?}: {said}");
    said
}

/// True where the program is found; it is no part of what CI installs.
fn on_path(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: the program {program} is not on the path");
    }
    found
}

/// All tiles of an archive that others wrote, which has no errors.
fn sound(path: &Path) -> Tiles {
    let report = archive::verify(path, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
    assert_eq!(report.errors, 0, "{}: {:?}", path.display(), report.problems);
    let source = archive::open(path).unwrap();
    let ids = source.ids().unwrap().map(|id| id.unwrap());
    ids.map(|id| (id, source.tile(id.coord().unwrap()).unwrap().unwrap())).collect()
}

#[test]
fn the_program_mbtiles_validates_what_we_write_and_we_read_its_schemas() {
    if !on_path("mbtiles") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tiles = many_tiles();
    for dedup in [false, true] {
        let ours = folder.path().join(format!("ours-{dedup}.mbtiles"));
        write(&ours, &tiles, dedup);
        let validate = ["validate", "--integrity-check", "full", "--agg-hash", "off"].map(AsRef::as_ref);
        succeeds("mbtiles", &[&validate[..], &[ours.as_os_str()]].concat());
        for schema in ["flat", "flat-with-hash", "normalized"] {
            let theirs = folder.path().join(format!("{dedup}-{schema}.mbtiles"));
            let copy = ["copy", "--mbtiles-type", schema].map(AsRef::as_ref);
            succeeds("mbtiles", &[&copy[..], &[ours.as_os_str(), theirs.as_os_str()]].concat());
            assert!(sound(&theirs) == tiles, "{schema}");
            assert_eq!(archive::open(&theirs).unwrap().metadata().encoding, Some(Encoding::Terrarium.into()));
        }
    }
}

#[test]
fn the_program_versatiles_reads_what_we_write_and_we_read_what_it_writes() {
    if !on_path("versatiles") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tiles = many_tiles();
    for (dedup, kind) in [(false, "mbtiles"), (true, "mbtiles"), (true, "pmtiles")] {
        let ours = folder.path().join(format!("ours-{dedup}.{kind}"));
        write(&ours, &tiles, dedup);
        succeeds("versatiles", &["probe".as_ref(), ours.as_os_str()]);
        for other in ["mbtiles", "pmtiles"] {
            let theirs = folder.path().join(format!("{dedup}-{kind}.{other}"));
            succeeds("versatiles", &["convert".as_ref(), ours.as_os_str(), theirs.as_os_str()]);
            assert!(sound(&theirs) == tiles, "{kind} to {other}");
        }
    }
}

fn heights_by_gdal(path: &Path, leaf: TileCoord) -> String {
    let bounds = leaf.bounds();
    let pixel = bounds.width() / 256.0;
    let mut seen = String::new();
    for (column, row) in [(50, 20), (51, 20), (0, 0), (255, 255)] {
        let x = bounds.min_x + (f64::from(column) + 0.5) * pixel;
        let y = bounds.max_y - (f64::from(row) + 0.5) * pixel;
        let output = Command::new("gdallocationinfo")
            .args(["-valonly", "-geoloc", "-b", "1", "-b", "2", "-b", "3"])
            .arg(path)
            .args([x.to_string(), y.to_string()])
            .output()
            .unwrap();
        let bands: Vec<f64> =
            String::from_utf8_lossy(&output.stdout).split_whitespace().map(|v| v.parse().unwrap()).collect();
        let [r, g, b] = bands[..] else { panic!("{}", String::from_utf8_lossy(&output.stderr)) };
        write!(seen, "{} ", r * 256.0 + g + b / 256.0 - 32768.0).unwrap();
    }
    seen
}
