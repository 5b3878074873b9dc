//! `verify` finds what is wrong, and nothing that is hostile makes it panic, loop or allocate without bounds.

use std::path::{Path, PathBuf};

use hypso::Error;
use hypso::archive::{self, ArchiveMetadata, Report, Severity, TileFormat, VerifyOptions};
use hypso::progress::Silent;
use hypso::terrain::Encoding;
use hypso::tile::{TileCoord, TileId};

fn tile(z: u8, x: u32, y: u32) -> TileCoord {
    TileCoord::new(z, x, y).unwrap()
}

fn make(path: &Path, tiles: &[(TileCoord, &[u8])]) {
    let metadata = ArchiveMetadata {
        name: "n".into(),
        format: TileFormat::Webp,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(512),
        ..ArchiveMetadata::default()
    };
    let mut sink = archive::create(path, &metadata, true).unwrap();
    for (tile, bytes) in tiles {
        sink.put(*tile, bytes).unwrap();
    }
    sink.finish().unwrap();
}

fn pyramid() -> Vec<(TileCoord, &'static [u8])> {
    vec![(tile(0, 0, 0), b"a"), (tile(1, 0, 1), b"b"), (tile(2, 0, 2), b"c"), (tile(2, 0, 3), b"d")]
}

fn verify(path: &Path) -> Report {
    archive::verify(path, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap()
}

fn messages(report: &Report) -> Vec<&str> {
    report.problems.iter().map(|p| p.message.as_str()).collect()
}

#[track_caller]
fn finds(path: &Path, severity: Severity, part: &str) {
    let report = verify(path);
    let found = report.problems.iter().any(|p| p.severity == severity && p.message.contains(part));
    assert!(found, "expected {part:?} in {:?}", messages(&report));
}

/// Changes bytes of a file.
fn patch(path: &Path, at: usize, bytes: &[u8]) {
    let mut content = std::fs::read(path).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    std::fs::write(path, content).unwrap();
}

fn sql(path: &Path, text: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
}

fn fixture(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    make(&path, &pyramid());
    assert!(verify(&path).is_clean(), "{:?}", messages(&verify(&path)));
    (folder, path)
}

#[test]
fn every_tile_goes_through_the_decoder_and_its_faults_are_named() {
    for name in ["a.mbtiles", "a.pmtiles"] {
        let (_folder, path) = fixture(name);
        let check = |tile: TileCoord, bytes: &[u8]| {
            if bytes == b"c" { Err(Error::invalid(format!("{tile}"), "is not a picture", "r")) } else { Ok(()) }
        };
        let report = archive::verify(&path, VerifyOptions::default(), &check, &Silent).unwrap();
        assert_eq!((report.checked, report.errors, report.warnings), (4, 1, 0));
        assert_eq!(report.problems[0].tile, Some(tile(2, 0, 2)));
        assert!(report.problems[0].message.contains("is not a picture"));
        assert_eq!(report.tiles_by_zoom, [1, 1, 2]);

        make(&path, &[(tile(0, 0, 0), b"\x89PNG\r\n\x1a\n")]);
        finds(&path, Severity::Error, "is png, but the archive declares webp");
    }
}

#[test]
fn orphans_are_warnings_with_their_address_and_a_cap() {
    for name in ["a.mbtiles", "a.pmtiles"] {
        let (_folder, path) = fixture(name);
        let mut ids: Vec<TileId> = (0..16).map(|x| tile(4, x, 3).into()).chain([tile(2, 0, 0).into()]).collect();
        ids.sort();
        let tiles: Vec<(TileCoord, &[u8])> = ids.iter().map(|id| (id.coord().unwrap(), b"x".as_slice())).collect();
        make(&path, &tiles);
        let report = verify(&path);
        assert_eq!((report.errors, report.warnings), (0, 12), "{:?}", messages(&report));
        assert!(messages(&report).contains(&"6 more tiles whose parent is missing"));
    }
}

#[test]
fn mbtiles_faults_are_found() {
    for (text, severity, part) in [
        (
            "UPDATE metadata SET value = '5' WHERE name = 'maxzoom'",
            Severity::Error,
            "declares zooms 0 to 5, but holds zooms 0 to 2",
        ),
        ("DELETE FROM metadata WHERE name = 'name'", Severity::Error, "no row \"name\""),
        ("DELETE FROM metadata WHERE name = 'encoding'", Severity::Warning, "no encoding"),
        ("UPDATE metadata SET value = 'x' WHERE name = 'minzoom'", Severity::Error, "the row \"minzoom\" is \"x\""),
        ("DROP INDEX tile_index", Severity::Warning, "no unique index"),
        (
            "DROP INDEX tile_index; INSERT INTO tiles SELECT * FROM tiles LIMIT 1",
            Severity::Error,
            "stands in the archive twice",
        ),
        ("INSERT INTO tiles VALUES (1, 2, 0, x'00')", Severity::Error, "zoom 1, column 2, TMS row 0 lies outside"),
        ("INSERT INTO tiles VALUES (77, 2, 0, x'00')", Severity::Error, "zoom 77, column 2"),
        ("INSERT INTO tiles VALUES (1, 0, 1, x'')", Severity::Error, "has no bytes"),
        ("INSERT INTO tiles VALUES ('one', 0, 1, x'00')", Severity::Error, "can't read the tile addresses"),
        ("PRAGMA application_id = 7", Severity::Warning, "the application id is 0x00000007"),
        ("DELETE FROM tiles", Severity::Error, "holds no tile"),
        ("DROP TABLE metadata", Severity::Error, "no row \"format\""),
    ] {
        let (_folder, path) = fixture("a.mbtiles");
        sql(&path, text);
        finds(&path, severity, part);
    }
}

#[test]
fn pmtiles_faults_are_found() {
    for (at, bytes, severity, part) in [
        (
            72,
            &[9u8, 0, 0, 0, 0, 0, 0, 0][..],
            Severity::Error,
            "the header counts 9 addressed tiles, the directories hold 4",
        ),
        (80, &[9, 0, 0, 0, 0, 0, 0, 0], Severity::Error, "counts 9 tile entries"),
        (88, &[9, 0, 0, 0, 0, 0, 0, 0], Severity::Error, "counts 9 tile contents"),
        (101, &[3], Severity::Error, "declares zooms 0 to 3, but holds zooms 0 to 2"),
        (100, &[7], Severity::Error, "minzoom 7 is above maxzoom 2"),
        (118, &[9], Severity::Warning, "the centre's zoom 9"),
        (64, &[2, 0, 0, 0, 0, 0, 0, 0], Severity::Error, "2 directory entries point outside of the tile data"),
        (56, &[0, 0, 0, 0, 0, 0, 0, 0], Severity::Error, "overlap"),
    ] {
        let (_folder, path) = fixture("a.pmtiles");
        patch(&path, at, bytes);
        finds(&path, severity, part);
    }
}

#[test]
fn hostile_pmtiles_are_refused_by_name() {
    let (_folder, path) = fixture("a.pmtiles");
    let good = std::fs::read(&path).unwrap();
    let message = |at: usize, bytes: &[u8]| {
        std::fs::write(&path, &good).unwrap();
        patch(&path, at, bytes);
        archive::open(&path).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let far = u64::MAX.to_le_bytes();
    for (at, section) in [(8, "root directory"), (24, "metadata"), (40, "leaf directories"), (56, "tile data")] {
        assert!(
            message(at, &far).contains(&format!("{section}: lies at byte 18446744073709551615")),
            "{}",
            message(at, &far)
        );
        assert!(message(at + 8, &far).contains(section));
    }
    assert!(message(7, &[4]).contains("format version 4.0"));
    assert!(message(97, &[3]).contains("brotli"));
    assert!(message(97, &[200]).contains("internal compression is 200"));
    assert!(message(127, &[0, 0, 0]).contains("root directory: can't be decompressed as gzip"));
}

#[test]
fn truncated_archives_are_refused() {
    for name in ["a.mbtiles", "a.pmtiles"] {
        let (_folder, path) = fixture(name);
        let good = std::fs::read(&path).unwrap();
        for len in [1, 7, 20, 99, 126, 127, 4096, good.len() / 2, good.len() - 1] {
            std::fs::write(&path, &good[..len]).unwrap();
            let error = archive::open(&path).err().map(|error| error.to_string());
            assert!(error.as_ref().is_some_and(|text| text.contains(name)), "{name} cut to {len}: {error:?}");
        }
    }
}

/// A leaf that points to itself, in an archive without compression: the walk ends with a message.
#[test]
fn a_directory_that_points_to_itself_ends_the_walk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loop.pmtiles");
    // One entry: id 0, run 0 (a leaf), length 5, offset 0.
    let directory = [1u8, 0, 0, 5, 1];
    let header = archive::pmtiles::Header {
        root_offset: 127,
        root_length: 5,
        leaf_offset: 127,
        leaf_length: 5,
        data_offset: 132,
        internal_compression: archive::pmtiles::Compression::None,
        ..archive::pmtiles::Header::default()
    };
    std::fs::write(&path, [&header.to_bytes()[..], &directory].concat()).unwrap();
    let source = archive::open(&path).unwrap();
    let error = source.tile(tile(3, 0, 0)).unwrap_err().to_string();
    assert!(error.contains("nested deeper than 4 levels"), "{error}");
    assert_eq!(source.ids().unwrap().count(), 1);
    finds(&path, Severity::Error, "nested deeper");
}

#[test]
fn no_flipped_byte_makes_a_reader_panic() {
    for name in ["a.mbtiles", "a.pmtiles"] {
        let (_folder, path) = fixture(name);
        let good = std::fs::read(&path).unwrap();
        let last = good.len();
        // Every byte of header and directories; every 211th of the rest, which is mostly padding.
        for at in (0..last).filter(|at| *at < 250 || *at + 300 > last || at % 211 == 0) {
            for bits in [0x01, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= bits;
                std::fs::write(&path, &bad).unwrap();
                if let Ok(source) = archive::open(&path) {
                    let _ = source.tile(tile(2, 0, 3));
                    if let Ok(ids) = source.ids() {
                        let _ = ids.take(100_000).filter(|id| id.is_err()).count();
                    }
                    let _ = archive::summary(source.as_ref(), 2);
                }
                let _ = archive::verify(&path, VerifyOptions::default(), &|_, _| Ok(()), &Silent);
            }
        }
    }
}

#[test]
fn findings_come_in_the_order_of_the_tiles_whatever_the_threads_do() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.mbtiles", "a.pmtiles"] {
        let path = folder.path().join(name);
        let ids: Vec<TileId> = (0..9000).map(TileId).collect();
        let bytes: Vec<[u8; 8]> = ids.iter().map(|id| id.0.to_le_bytes()).collect();
        let tiles: Vec<(TileCoord, &[u8])> =
            ids.iter().zip(&bytes).map(|(id, bytes)| (id.coord().unwrap(), bytes.as_slice())).collect();
        make(&path, &tiles);
        let check = |tile: TileCoord, _: &[u8]| match TileId::from(tile).0 % 7 {
            3 => Err(Error::invalid("x", "is odd", "r")),
            _ => Ok(()),
        };
        let report = archive::verify(&path, VerifyOptions::default(), &check, &Silent).unwrap();
        assert_eq!((report.checked, report.errors, report.more_problems), (9000, 1286, 1186));
        let found: Vec<u64> = report.problems.iter().map(|p| TileId::from(p.tile.unwrap()).0).collect();
        assert_eq!(found, (0..100).map(|n| n * 7 + 3).collect::<Vec<u64>>());
    }
}

#[test]
fn an_interrupted_verification_says_so() {
    for name in ["a.mbtiles", "a.pmtiles"] {
        let (_folder, path) = fixture(name);
        let result = archive::verify(&path, VerifyOptions::default(), &|_, _| Ok(()), &crate::common::Stopped);
        assert!(matches!(result, Err(Error::Interrupted)));
    }
}
