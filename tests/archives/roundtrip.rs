//! What goes into an archive comes out of it: both formats, converted, cut and merged, against a plain map of tiles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hypso::Error;
use hypso::archive::{
    self, ArchiveKind, ArchiveMetadata, ArchiveSummary, OnOverlap, Selection, TileFormat, TileSource, VerifyOptions,
};
use hypso::progress::Silent;
use hypso::terrain::Encoding;
use hypso::tile::{LonLatBox, TileCoord, TileId};
use proptest::prelude::*;

type Tiles = BTreeMap<TileId, Vec<u8>>;

fn webp(content: &[u8]) -> Vec<u8> {
    [b"RIFF\0\0\0\0WEBP".as_slice(), content].concat()
}

fn metadata(name: &str) -> ArchiveMetadata {
    ArchiveMetadata {
        name: name.into(),
        attribution: format!("© {name}"),
        format: TileFormat::Webp,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(512),
        other: BTreeMap::from([("sources".to_owned(), format!("[{name:?}]").parse().unwrap())]),
        ..ArchiveMetadata::default()
    }
}

fn write(path: &Path, tiles: &Tiles, name: &str) -> ArchiveSummary {
    let mut sink = archive::create(path, &metadata(name), false).unwrap();
    for (id, bytes) in tiles {
        sink.put(id.coord().unwrap(), bytes).unwrap();
    }
    sink.finish().unwrap()
}

fn read(source: &dyn TileSource) -> Tiles {
    source
        .ids()
        .unwrap()
        .map(|id| id.unwrap())
        .map(|id| (id, source.tile(id.coord().unwrap()).unwrap().unwrap()))
        .collect()
}

/// All tiles, asked for zoom by zoom.
fn by_zooms(source: &dyn TileSource) -> Vec<TileId> {
    let of = |zoom| source.tiles_of(zoom).unwrap().map(|tile| tile.unwrap().id).collect::<Vec<_>>();
    (0..32).flat_map(|zoom| of(zoom).into_iter().inspect(move |id| assert_eq!(id.zoom(), Some(zoom)))).collect()
}

fn pyramid(name: u8) -> Tiles {
    let leaf = TileCoord::new(6, 56, 25).unwrap();
    (0..=6).map(|z| (leaf.ancestor(z).unwrap().into(), webp(&[name, z]))).collect()
}

fn both(folder: &Path, stem: &str) -> [PathBuf; 2] {
    ["mbtiles", "pmtiles"].map(|extension| folder.join(format!("{stem}.{extension}")))
}

fn clean(path: &Path) {
    let report = archive::verify(path, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
    assert!(report.is_clean(), "{}: {:?}", path.display(), report.problems);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Few contents and dense ids make long runs and shared contents; sparse ones make gaps.
    #[test]
    fn any_tiles_come_back(
        raw in proptest::collection::btree_map(prop_oneof![0u64..400, 0u64..1 << 40], (0u8..4, 1usize..60), 1..300)
    ) {
        let tiles: Tiles = raw.into_iter().map(|(id, (c, n))| (TileId(id), webp(&vec![c; n / 10]))).collect();
        let folder = tempfile::tempdir().unwrap();
        for path in both(folder.path(), "a") {
            let summary = write(&path, &tiles, "a");
            prop_assert_eq!(summary.tiles, tiles.len() as u64);
            prop_assert_eq!(summary.file_size, std::fs::metadata(&path).unwrap().len());
            let source = archive::open(&path).unwrap();
            prop_assert_eq!(&read(source.as_ref()), &tiles);
            prop_assert!(by_zooms(source.as_ref()).iter().eq(tiles.keys()));
            prop_assert_eq!(source.tile_count().unwrap(), tiles.len() as u64);
            let zooms = tiles.keys().map(|id| id.zoom().unwrap());
            prop_assert_eq!(source.metadata().minzoom, zooms.clone().min());
            prop_assert_eq!(source.metadata().maxzoom, zooms.max());
            let missing = (0u64..500).map(TileId).find(|id| !tiles.contains_key(id)).unwrap();
            prop_assert_eq!(source.tile(missing.coord().unwrap()).unwrap(), None);
            let overview = archive::summary(source.as_ref(), 3).unwrap();
            prop_assert_eq!(overview.tiles, summary.tiles);
            prop_assert_eq!(overview.contents, Some(summary.contents));
            prop_assert_eq!(overview.bytes, summary.bytes);
            let report = archive::verify(&path, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
            prop_assert_eq!(report.errors, 0, "{:?}", report.problems);
        }
        prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

#[test]
fn an_archive_with_leaf_directories_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    // Every other tile of zoom 9 with sizes that gzip can't guess: about 131,000 entries.
    let first = TileId::first(9).0;
    let tiles: Tiles = (0..1u64 << 17)
        .map(|n| {
            let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            (TileId(first + 2 * n), [&noise.to_le_bytes()[..], &vec![1; (noise % 251) as usize]].concat())
        })
        .collect();
    let path = folder.path().join("leaves.pmtiles");
    let mut sink = archive::create(&path, &ArchiveMetadata::default(), false).unwrap();
    for (id, bytes) in &tiles {
        sink.put(id.coord().unwrap(), bytes).unwrap();
    }
    sink.finish().unwrap();
    let reader = archive::pmtiles::PmtilesReader::open(&path).unwrap();
    let header = *reader.header();
    assert!(header.leaf_length > 0 && header.root_offset + header.root_length <= 16_384, "{header:?}");
    assert_eq!(read(&reader), tiles);
    assert!(by_zooms(&reader).iter().eq(tiles.keys()));
    for id in tiles.keys().step_by(997) {
        assert_eq!(reader.tile(id.coord().unwrap()).unwrap().as_ref(), tiles.get(id));
        assert_eq!(reader.tile(TileId(id.0 + 1).coord().unwrap()).unwrap(), None);
    }
    let again = folder.path().join("again.pmtiles");
    let sink = archive::create(&again, reader.metadata(), false).unwrap();
    archive::convert(&reader, sink, &Selection::default(), &Silent).unwrap();
    let report = archive::verify(&again, VerifyOptions { sample: Some(50) }, &|_, _| Ok(()), &Silent).unwrap();
    assert_eq!(report.errors, 0, "{:?}", report.problems);
    assert!((40..=60).contains(&report.checked), "{}", report.checked);
}

#[test]
fn equal_neighbours_share_an_entry_and_equal_contents_are_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sea.pmtiles");
    let (sea, land) = (webp(b"sea"), webp(b"land"));
    let tiles: Tiles = (5..21).map(|id| (TileId(id), if id == 9 { land.clone() } else { sea.clone() })).collect();
    let summary = write(&path, &tiles, "sea");
    assert_eq!((summary.tiles, summary.contents), (16, 2));
    let reader = archive::pmtiles::PmtilesReader::open(&path).unwrap();
    let header = reader.header();
    assert_eq!((header.addressed_tiles, header.tile_entries, header.tile_contents), (16, 3, 2));
    assert_eq!(header.data_length, (sea.len() + land.len()) as u64);
    assert!(header.clustered);
    assert_eq!(header.bounds, [-180.0, -85.051_128_8, 180.0, 85.051_128_8]);
    clean(&path);
}

#[test]
fn the_same_tiles_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let tiles = pyramid(1);
    for (a, b) in both(folder.path(), "a").into_iter().zip(both(folder.path(), "b")) {
        write(&a, &tiles, "n");
        write(&b, &tiles, "n");
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    }
}

#[test]
fn metadata_survive_both_formats_and_a_way_through_both() {
    let folder = tempfile::tempdir().unwrap();
    let [mbtiles, pmtiles] = both(folder.path(), "a");
    write(&mbtiles, &pyramid(1), "n");
    let source = archive::open(&mbtiles).unwrap();
    assert_eq!(source.kind(), ArchiveKind::Mbtiles);
    let sink = archive::create(&pmtiles, source.metadata(), false).unwrap();
    archive::convert(source.as_ref(), sink, &Selection::default(), &Silent).unwrap();
    let converted = archive::open(&pmtiles).unwrap();
    let (mut a, mut b) = (source.metadata().clone(), converted.metadata().clone());
    for m in [&mut a, &mut b] {
        // MBTiles doesn't say how pictures are compressed; PMTiles stores degrees in steps of 1e-7.
        m.tile_compression = None;
        m.bounds = m.bounds.map(|v| v.map(|d| (d * 1e6).round()));
    }
    assert_eq!(a, b);
    assert_eq!(a.encoding, Some(Encoding::Terrarium.into()));
    assert_eq!(a.other["sources"].to_string(), r#"["n"]"#);
    clean(&mbtiles);
    clean(&pmtiles);
}

#[test]
fn a_box_and_zooms_cut_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mbtiles");
    let tiles: Tiles = (0..5461).map(|id| (TileId(id), webp(&[id as u8]))).collect();
    write(&path, &tiles, "a");
    let source = archive::open(&path).unwrap();
    let bbox = LonLatBox::new(0.0, 0.0, 45.0, 40.0).unwrap();
    let options = Selection { min_zoom: Some(2), max_zoom: Some(5), zooms: None, area: Some(bbox.into()) };
    let out = folder.path().join("b.pmtiles");
    let sink = archive::create(&out, &options.metadata(source.as_ref()), false).unwrap();
    archive::convert(source.as_ref(), sink, &options, &Silent).unwrap();
    let cut = archive::open(&out).unwrap();
    let area = hypso::tile::Bounds::from_lon_lat(0.0, 0.0, 45.0, 40.0);
    let expected: Tiles = tiles
        .into_iter()
        .filter(|(id, _)| {
            let tile = id.coord().unwrap();
            // The row south of the equator shares what rounding makes of latitude 0: no area.
            (2..=5).contains(&tile.z()) && tile.bounds().buffered(-1e-3).overlaps(&area)
        })
        .collect();
    assert_eq!(read(cut.as_ref()), expected);
    assert_eq!((cut.metadata().minzoom, cut.metadata().maxzoom), (Some(2), Some(5)));
    assert_eq!(cut.metadata().bounds, Some([0.0, 0.0, 45.0, 40.0]));

    let nothing = Selection { min_zoom: Some(20), ..Selection::default() };
    let sink = archive::create(&folder.path().join("c.pmtiles"), source.metadata(), false).unwrap();
    let error = archive::convert(source.as_ref(), sink, &nothing, &Silent).unwrap_err().to_string();
    assert!(error.contains("none is chosen"), "{error}");
    for [w, s, e, n] in [[10.0, 0.0, 10.0, 5.0], [0.0, 5.0, 1.0, 5.0], [0.0, f64::NAN, 1.0, 5.0]] {
        assert!(matches!(LonLatBox::new(w, s, e, n), Err(Error::Argument { .. })));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn merging_follows_the_rule_for_overlaps() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = both(folder.path(), "in");
    let low = pyramid(1);
    let mut high = pyramid(2);
    high.insert(TileId(9000), webp(b"extra"));
    write(&a, &low, "a");
    write(&b, &high, "b");
    let (a, b) = (archive::open(&a).unwrap(), archive::open(&b).unwrap());
    let inputs = [a.as_ref(), b.as_ref()];
    let run = |name: &str, rule| {
        let path = folder.path().join(name);
        let sink = archive::create(&path, &archive::merged_metadata(&inputs).unwrap(), false).unwrap();
        archive::merge(&inputs, sink, rule, &Silent).map(|_| archive::open(&path).unwrap())
    };
    let error = run("x.pmtiles", OnOverlap::Error).err().unwrap().to_string();
    assert!(error.contains("tile 0/0/0") && error.contains("in.mbtiles") && error.contains("in.pmtiles"), "{error}");

    for name in ["first.pmtiles", "first.mbtiles"] {
        let first = run(name, OnOverlap::First).unwrap();
        let mut expected = high.clone();
        expected.extend(low.clone());
        assert_eq!(read(first.as_ref()), expected);
        assert_eq!(first.metadata().attribution, "© a | © b");
        assert_eq!(first.metadata().name, "a");
    }
    let last = run("last.pmtiles", OnOverlap::Last).unwrap();
    let mut expected = low.clone();
    expected.extend(high.clone());
    assert_eq!(read(last.as_ref()), expected);
}

#[test]
fn archives_of_different_kinds_are_not_merged() {
    let folder = tempfile::tempdir().unwrap();
    let a = folder.path().join("a.mbtiles");
    write(&a, &pyramid(1), "a");
    let a = archive::open(&a).unwrap();
    type Change = (&'static str, fn(&mut ArchiveMetadata));
    let changes: [Change; 3] = [
        ("encoding: is mapbox, but terrarium in", |m| m.encoding = Some(Encoding::Mapbox.into())),
        ("tile size: is 256 px, but 512 px in", |m| m.tile_size = Some(256)),
        ("format: is png, but webp in", |m| m.format = TileFormat::Png),
    ];
    for (n, (message, change)) in changes.into_iter().enumerate() {
        let path = folder.path().join(format!("{n}.pmtiles"));
        let mut other = metadata("b");
        change(&mut other);
        let mut sink = archive::create(&path, &other, false).unwrap();
        sink.put(TileCoord::new(1, 0, 0).unwrap(), b"x").unwrap();
        sink.finish().unwrap();
        let other = archive::open(&path).unwrap();
        let error = archive::merged_metadata(&[a.as_ref(), other.as_ref()]).unwrap_err().to_string();
        assert!(
            error.contains(message) && error.contains("a.mbtiles") && error.contains(&format!("{n}.pmtiles")),
            "{error}"
        );
    }
}

#[test]
fn sinks_refuse_what_would_break_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let [mbtiles, pmtiles] = both(folder.path(), "a");
    let tile = TileCoord::new(3, 1, 2).unwrap();

    let mut sink = archive::create(&pmtiles, &metadata("a"), false).unwrap();
    sink.put(tile, b"x").unwrap();
    for wrong in [tile, TileCoord::new(2, 0, 0).unwrap()] {
        let error = sink.put(wrong, b"x").unwrap_err().to_string();
        assert!(error.contains("in the order of tile ids"), "{error}");
    }
    assert!(sink.put(TileCoord::new(4, 0, 0).unwrap(), b"").unwrap_err().to_string().contains("has no bytes"));
    drop(sink);

    let mut sink = archive::create(&mbtiles, &metadata("a"), false).unwrap();
    sink.put(tile, b"x").unwrap();
    sink.put(tile, b"y").unwrap();
    assert!(sink.finish().unwrap_err().to_string().contains("given twice"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a failed output leaves nothing behind");

    // MBTiles takes any order and counts all the same.
    let mut sink = archive::create(&mbtiles, &metadata("a"), false).unwrap();
    for tile in pyramid(1).keys().rev() {
        sink.put(tile.coord().unwrap(), b"x").unwrap();
    }
    sink.finish().unwrap();
    assert_eq!(archive::open(&mbtiles).unwrap().metadata().minzoom, Some(0));
    assert_eq!(archive::open(&mbtiles).unwrap().metadata().maxzoom, Some(6));
    assert!(matches!(archive::create(&mbtiles, &metadata("a"), false).err(), Some(Error::Exists { .. })));
    assert!(matches!(
        archive::create(&folder.path().join("a.tar"), &metadata("a"), false).err(),
        Some(Error::Argument { .. })
    ));
}

#[test]
fn bounds_keep_coarse_areas_that_stop_early() {
    let folder = tempfile::tempdir().unwrap();
    // West: zoom 1 only. East: down to zoom 3, in one corner.
    let tiles: Tiles = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 2, 0), (3, 4, 0)]
        .map(|(z, x, y)| (TileId::from(TileCoord::new(z, x, y).unwrap()), webp(b"x")))
        .into();
    for path in both(folder.path(), "a") {
        write(&path, &tiles, "a");
        let bounds = archive::open(&path).unwrap().metadata().bounds.unwrap();
        assert_eq!(bounds.map(|v| v.round()), [-180.0, 0.0, 45.0, 85.0]);
    }
}
