//! Archives that other programs made: read whole, converted both ways, and refused with the right words.
//!
//! They are shared sample data and not part of the package: `HYPSO_SHARED` names their folder, else `../shared` beside
//! the package is tried. Under CI their absence is a failure; elsewhere the tests say so and pass.

use std::collections::BTreeMap;
use std::path::Path;

use hypso::archive::pmtiles::PmtilesReader;
use hypso::archive::{self, ArchiveKind, Selection, TileFormat, TileSource, VerifyOptions};
use hypso::progress::Silent;
use hypso::terrain::{Encoding, ImageFormat, TileCodec};
use hypso::tile::{TileCoord, TileId};

struct Known {
    name: &'static str,
    kind: ArchiveKind,
    format: TileFormat,
    zooms: (u8, u8),
    tiles: u64,
    contents: u64,
}

const fn known(name: &'static str, format: TileFormat, zooms: (u8, u8), tiles: u64, contents: u64) -> Known {
    let pmtiles = name.as_bytes()[name.len() - 7] == b'p';
    let kind = if pmtiles { ArchiveKind::Pmtiles } else { ArchiveKind::Mbtiles };
    Known { name, kind, format, zooms, tiles, contents }
}

const STAMEN: &str = "pmtiles/stamen_toner_raster_CC-BY_ODbL_z3.pmtiles";

const ARCHIVES: [Known; 13] = [
    known("pmtiles/usgs-mt-whitney-8-15-webp-512.pmtiles", TileFormat::Webp, (8, 15), 50, 50),
    known(STAMEN, TileFormat::Png, (0, 3), 85, 80),
    known("pmtiles/test_fixture_1.pmtiles", TileFormat::Mvt, (0, 0), 1, 1),
    known("pmtiles/test_fixture_2.pmtiles", TileFormat::Mvt, (0, 0), 1, 1),
    known("pmtiles/unclustered.pmtiles", TileFormat::Png, (1, 1), 2, 2),
    known("pmtiles/webp2.pmtiles", TileFormat::Webp, (0, 1), 5, 5),
    known("mbtiles/geography-class-png.mbtiles", TileFormat::Png, (0, 1), 5, 5),
    known("mbtiles/geography-class-webp.mbtiles", TileFormat::Webp, (0, 1), 5, 5),
    known("mbtiles/one_tile.mbtiles", TileFormat::Png, (0, 1), 2, 2),
    known("terrain/sf_mapbox-rgb_z8-14.mbtiles", TileFormat::Png, (8, 14), 12, 12),
    known("terrain/sf_mapbox-rgb_z8-14.pmtiles", TileFormat::Png, (8, 14), 12, 12),
    known("terrain/sf_terrarium_z8-14_webp.mbtiles", TileFormat::Webp, (8, 14), 12, 12),
    known("terrain/sf_terrarium_z8-14_webp.pmtiles", TileFormat::Webp, (8, 14), 12, 12),
];

fn read(source: &dyn TileSource) -> BTreeMap<TileId, Vec<u8>> {
    let ids = source.ids().unwrap().map(|id| id.unwrap());
    ids.map(|id| (id, source.tile(id.coord().unwrap()).unwrap().unwrap())).collect()
}

#[test]
fn every_archive_gives_all_its_tiles() {
    let Some(folder) = crate::common::shared("archives") else { return };
    for known in &ARCHIVES {
        let source = archive::open(&folder.join(known.name)).unwrap();
        let metadata = source.metadata();
        assert_eq!((source.kind(), &metadata.format), (known.kind, &known.format), "{}", known.name);
        assert_eq!((metadata.minzoom, metadata.maxzoom), (Some(known.zooms.0), Some(known.zooms.1)), "{}", known.name);
        assert_eq!(source.tile_count().unwrap(), known.tiles, "{}", known.name);
        let overview = archive::summary(source.as_ref(), 1).unwrap();
        assert_eq!((overview.tiles, overview.contents), (known.tiles, Some(known.contents)), "{}", known.name);
        let tiles = read(source.as_ref());
        assert_eq!(tiles.len() as u64, known.tiles, "{}", known.name);
        assert_eq!(overview.bytes, tiles.values().map(|bytes| bytes.len() as u64).sum::<u64>(), "{}", known.name);
        for bytes in tiles.values() {
            assert_eq!(TileFormat::sniff(bytes).as_ref(), Some(&known.format), "{}", known.name);
        }
    }
}

#[test]
fn every_archive_survives_both_formats_and_comes_out_clean() {
    let Some(folder) = crate::common::shared("archives") else { return };
    let out = tempfile::tempdir().unwrap();
    for (n, known) in ARCHIVES.iter().enumerate() {
        let source = archive::open(&folder.join(known.name)).unwrap();
        let tiles = read(source.as_ref());
        for extension in ["pmtiles", "mbtiles"] {
            let path = out.path().join(format!("{n}.{extension}"));
            let sink = archive::create(&path, source.metadata(), false).unwrap();
            let summary = archive::convert(source.as_ref(), sink, &Selection::default(), &Silent).unwrap();
            assert_eq!(summary.tiles, known.tiles, "{}", known.name);
            let copy = archive::open(&path).unwrap();
            assert_eq!(read(copy.as_ref()), tiles, "{} as {extension}", known.name);
            assert_eq!(copy.metadata().name, source.metadata().name);
            assert_eq!(copy.metadata().other, source.metadata().other, "{} as {extension}", known.name);
            let report = archive::verify(&path, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
            assert_eq!((report.errors, report.checked > 0), (0, true), "{}: {:?}", known.name, report.problems);
        }
    }
}

#[test]
fn our_counts_equal_those_of_the_program_that_wrote_the_archive() {
    let Some(folder) = crate::common::shared("archives") else { return };
    let counts = |path: &Path| {
        let header = *PmtilesReader::open(path).unwrap().header();
        (header.addressed_tiles, header.tile_entries, header.tile_contents, header.data_length, header.clustered)
    };
    let original = folder.join(STAMEN);
    assert_eq!(counts(&original), (85, 84, 80, 715_657, true));
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("again.pmtiles");
    let source = archive::open(&original).unwrap();
    let sink = archive::create(&path, source.metadata(), false).unwrap();
    archive::convert(source.as_ref(), sink, &Selection::default(), &Silent).unwrap();
    assert_eq!(counts(&path), counts(&original));
}

/// The same heights through MBTiles (TMS rows, a view) and PMTiles, in two encodings: the flip and the order are right.
#[test]
fn terrain_archives_of_both_formats_hold_the_same_heights() {
    let Some(folder) = crate::common::shared("archives") else { return };
    let open = |name: &str| archive::open(&folder.join("terrain").join(name)).unwrap();
    let codec = |encoding| TileCodec::new(encoding, ImageFormat::Png);
    for (stem, encoding) in
        [("sf_mapbox-rgb_z8-14", Encoding::Mapbox), ("sf_terrarium_z8-14_webp", Encoding::Terrarium)]
    {
        let (mbtiles, pmtiles) = (open(&format!("{stem}.mbtiles")), open(&format!("{stem}.pmtiles")));
        assert_eq!(read(mbtiles.as_ref()), read(pmtiles.as_ref()), "{stem}");
        // Downtown San Francisco; TMS row 10052 of zoom 14 is XYZ row 6331.
        let bytes = mbtiles.tile(TileCoord::new(14, 2620, 6331).unwrap()).unwrap().unwrap();
        let tile = codec(encoding).decode(&bytes).unwrap();
        let highest = tile.values.iter().copied().fold(f32::MIN, f32::max);
        assert_eq!(tile.size, 512);
        assert!((60.0..200.0).contains(&highest), "{stem}: {highest} m");
        assert_eq!(mbtiles.tile(TileCoord::new(14, 2620, 10_052).unwrap()).unwrap(), None);
    }
}

#[test]
fn what_is_no_archive_is_refused_with_its_reason() {
    let Some(folder) = crate::common::shared("archives") else { return };
    for (name, words) in [
        ("pmtiles/invalid.pmtiles", "expected the magic \"PMTiles\", found \"This is\""),
        ("pmtiles/invalid_v4.pmtiles", "has format version 4.0, but this program reads up to version 3.x"),
        ("pmtiles/empty.pmtiles", "is empty (0 bytes)"),
        ("mbtiles/invalid.mbtiles", "has no table or view named \"tiles\""),
        ("png/loadersgl_mapbox.png", "expected an SQLite database or PMTiles"),
        ("pmtiles", "is a folder without tiles"),
        ("pmtiles/missing.pmtiles", "check the path"),
    ] {
        let path = folder.join(name);
        let error = archive::open(&path).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(words) && error.contains(&*path.to_string_lossy()), "{name}: {error}");
    }
}

#[test]
fn nothing_is_written_beside_an_input() {
    let Some(folder) = crate::common::shared("archives") else { return };
    // A copy in WAL mode, which SQLite would otherwise open with two files of its own beside it.
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join("a b%.mbtiles");
    std::fs::copy(folder.join("mbtiles/one_tile.mbtiles"), &path).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    connection.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let source = archive::open(&path).unwrap();
    assert_eq!(read(source.as_ref()).len(), 2);
    let names: Vec<_> = std::fs::read_dir(copy.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a b%.mbtiles"]);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
