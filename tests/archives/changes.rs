//! `extract`, `diff`, `patch`, pixel merges and re-encoding, on real tiles and through the real binary.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use hypso::archive::{self, ArchiveMetadata, CreateOptions, Selection, TileEncoding, TileFormat};
use hypso::progress::Silent;
use hypso::terrain::{self, ElevationTile, Encoding, ImageFormat, NO_SOURCE, TileCodec, VerticalResolution};
use hypso::tile::{TileCoord, TileId};
use proptest::prelude::*;
use serde_json::Value;

type Tiles = BTreeMap<TileId, Vec<u8>>;

const CODEC: TileCodec = TileCodec::new(Encoding::Terrarium, ImageFormat::Webp);

fn hypso(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hypso")).args(args).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn ok(folder: &Path, args: &[&str]) -> String {
    let (code, out, error) = hypso(folder, args);
    assert_eq!(code, 0, "{args:?}: {error}");
    out
}

fn read(path: &Path) -> Tiles {
    let source = archive::open(path).unwrap();
    let ids: Vec<TileId> = source.ids().unwrap().map(|id| id.unwrap()).collect();
    ids.into_iter().map(|id| (id, source.tile(id.coord().unwrap()).unwrap().unwrap())).collect()
}

fn metadata(name: &str) -> ArchiveMetadata {
    ArchiveMetadata {
        name: name.into(),
        attribution: format!("© {name}"),
        format: TileFormat::Webp,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(32),
        other: BTreeMap::from([("vertical_resolution".to_owned(), "full".into())]),
        ..ArchiveMetadata::default()
    }
}

fn write(path: &Path, tiles: &Tiles, metadata: &ArchiveMetadata) {
    let mut sink =
        archive::create_with(path, metadata, CreateOptions { overwrite: true, ..CreateOptions::default() }).unwrap();
    for (id, bytes) in tiles {
        sink.put(id.coord().unwrap(), bytes).unwrap();
    }
    sink.finish().unwrap();
}

/// A tile whose pixels are given by a function of column and row; `None` is nodata.
fn heights(size: u32, of: impl Fn(u32, u32) -> Option<f32>) -> ElevationTile {
    let mut tile = ElevationTile::empty(size);
    for at in 0..size * size {
        if let Some(value) = of(at % size, at / size) {
            (tile.values[at as usize], tile.valid[at as usize]) = (value, 1);
        }
    }
    tile
}

fn tile(z: u8, x: u32, y: u32) -> TileId {
    TileCoord::new(z, x, y).unwrap().into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn a_patch_leads_from_any_archive_to_any_other(
        old in prop::collection::btree_map(0u64..400, 0u8..4, 1..80),
        new in prop::collection::btree_map(0u64..400, 0u8..4, 1..80),
        names in prop::sample::select(vec!["pmtiles", "mbtiles"]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let tiles = |map: &BTreeMap<u64, u8>| -> Tiles { map.iter().map(|(&id, &n)| (TileId(id), vec![b'x', n])).collect() };
        let [a, b, patch, out] = ["a", "b", "patch", "out"].map(|n| folder.path().join(format!("{n}.{names}")));
        let (old, new) = (tiles(&old), tiles(&new));
        write(&a, &old, &metadata("old"));
        let mut later = metadata("new");
        later.bounds = Some([1.0, 2.0, 3.0, 4.0]);
        write(&b, &new, &later);
        let (from, to) = (archive::open(&a).unwrap(), archive::open(&b).unwrap());
        let sink = archive::create(&patch, &archive::patch_metadata(to.as_ref()), false).unwrap();
        let summary = archive::write_patch(from.as_ref(), to.as_ref(), sink, &Silent).unwrap();
        prop_assert_eq!(summary.deleted, old.keys().filter(|id| !new.contains_key(id)).count() as u64);
        prop_assert_eq!(summary.added, new.keys().filter(|id| !old.contains_key(id)).count() as u64);
        prop_assert_eq!(summary.changed, new.iter().filter(|(id, v)| old.get(id).is_some_and(|o| o != *v)).count() as u64);
        let update = archive::open(&patch).unwrap();
        let sink = archive::create(&out, &archive::patched_metadata(update.as_ref()).unwrap(), false).unwrap();
        archive::apply_patch(from.as_ref(), update.as_ref(), sink, &Silent).unwrap();
        prop_assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&b).unwrap(), "byte by byte the new archive");
        // Any other base is refused, and nothing appears.
        if old != new {
            let third = folder.path().join(format!("third.{names}"));
            let sink = archive::create(&third, &archive::patched_metadata(update.as_ref()).unwrap(), false).unwrap();
            let error = archive::apply_patch(to.as_ref(), update.as_ref(), sink, &Silent).unwrap_err().to_string();
            prop_assert!(error.contains("is not the one that") && !third.exists(), "{}", error);
        }
        let found = archive::diff(from.as_ref(), to.as_ref(), 5, &|_, _, _| Ok(None), &Silent).unwrap();
        let sum = |of: fn(&archive::ZoomDifference) -> u64| found.zooms.iter().map(of).sum::<u64>();
        let counts = (sum(|z| z.added.0), sum(|z| z.changed), sum(|z| z.removed.0));
        prop_assert_eq!(counts, (summary.added, summary.changed, summary.deleted));
        prop_assert_eq!(found.same_tiles(false), old == new);
    }
}

#[test]
fn diff_tells_bytes_from_pixels_and_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let base = heights(32, |x, y| Some((x * 10 + y) as f32));
    let mut tiles: Tiles = (0..3).map(|z| (tile(z, 0, 0), CODEC.encode(&base).unwrap())).collect();
    write(&at("a.pmtiles"), &tiles, &metadata("a"));
    write(&at("same.mbtiles"), &tiles, &metadata("a"));
    assert_eq!(hypso(folder.path(), &["diff", "a.pmtiles", "same.mbtiles"]).0, 0);

    // The same heights as PNG: other bytes.
    ok(folder.path(), &["convert", "a.pmtiles", "-o", "png.pmtiles", "--tile-format", "png"]);
    let (code, out, _) = hypso(folder.path(), &["diff", "a.pmtiles", "png.pmtiles"]);
    assert!(
        code == 3 && out.contains("0 equal, 0 removed, 0 added, 3 recoded, 0 changed") && out.contains("format"),
        "{out}"
    );
    assert_eq!(hypso(folder.path(), &["diff", "a.pmtiles", "png.pmtiles", "--pixels"]).0, 0);

    // One pixel 2.5 m higher, one without data, one tile gone, one new.
    let mut other = base.clone();
    other.values[40] += 2.5;
    (other.values[41], other.valid[41]) = (0.0, 0);
    tiles.insert(tile(1, 0, 0), CODEC.encode(&other).unwrap());
    tiles.remove(&tile(0, 0, 0));
    tiles.insert(tile(2, 3, 3), CODEC.encode(&base).unwrap());
    write(&at("b.pmtiles"), &tiles, &metadata("b"));
    let (code, out, _) = hypso(folder.path(), &["diff", "a.pmtiles", "b.pmtiles", "--format", "json"]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &document["equal"]), (3, &Value::from(false)));
    assert_eq!(document["tiles"][0], serde_json::json!({"tile": "0/0/0", "change": "removed"}));
    assert_eq!(
        document["tiles"][1],
        serde_json::json!({"tile": "1/0/0", "change": "changed", "pixels_values": 1, "pixels_validity": 1, "largest_difference": 2.5})
    );
    assert_eq!((&document["zooms"][2]["added"], &document["zooms"][2]["equal"]), (&1.into(), &1.into()));
    assert!(
        document["metadata"].as_array().unwrap().iter().any(|m| m["key"] == "name" && m["new"] == "b"),
        "{document}"
    );

    let out = ok(folder.path(), &["diff", "a.pmtiles", "b.pmtiles", "-o", "p.mbtiles"]);
    assert!(out.contains("1 tiles added, 1 changed, 1 deleted"), "{out}");
    ok(folder.path(), &["patch", "a.pmtiles", "p.mbtiles", "-o", "new.pmtiles"]);
    assert_eq!(read(&at("new.pmtiles")), tiles);
    assert_eq!(hypso(folder.path(), &["diff", "b.pmtiles", "new.pmtiles"]).0, 0);
    let (code, _, error) = hypso(folder.path(), &["patch", "b.pmtiles", "p.mbtiles", "-o", "x.pmtiles"]);
    assert!(code == 1 && error.contains("some of its tiles differ; patch the archive that was the first"), "{error}");
    let (code, _, error) = hypso(folder.path(), &["patch", "a.pmtiles", "b.pmtiles", "-o", "x.pmtiles"]);
    assert!(code == 1 && error.contains("this is no patch") && !at("x.pmtiles").exists(), "{error}");
}

#[test]
fn extract_takes_polygons_boxes_and_zooms() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let tiles: Tiles = (0..5461).map(|id| (TileId(id), vec![b'x', id as u8])).collect();
    write(&at("a.pmtiles"), &tiles, &metadata("a"));
    let polygon = r#"{"type": "Feature", "geometry": {"type": "Polygon", "coordinates":
        [[[10, 10], [50, 12], [40, 50], [10, 10]]]}, "properties": {}}"#;
    std::fs::write(at("p.geojson"), polygon).unwrap();
    ok(
        folder.path(),
        &["extract", "a.pmtiles", "-o", "b.mbtiles", "--polygon", "p.geojson", "--min-zoom", "2", "--dedup"],
    );
    let found = read(&at("b.mbtiles"));
    let boxed: Tiles = {
        ok(
            folder.path(),
            &["extract", "a.pmtiles", "-o", "c.pmtiles", "--bbox", "10", "10", "50", "50", "--min-zoom", "2"],
        );
        read(&at("c.pmtiles"))
    };
    assert!(
        found.len() > 20 && found.len() < boxed.len() && found.iter().all(|(id, bytes)| boxed.get(id) == Some(bytes))
    );
    // The corners and the middle are in it, the empty corner of the box is not.
    let holds = |lon: f64, lat: f64, tiles: &Tiles| {
        let (x, y) = hypso::tile::web_mercator::from_lon_lat(lon, lat);
        tiles.contains_key(&TileId::from(TileCoord::at(x, y, 6)))
    };
    assert!(holds(10.1, 10.1, &found) && holds(35.0, 25.0, &found) && holds(39.9, 49.7, &found));
    assert!(!holds(12.0, 48.0, &found) && holds(12.0, 48.0, &boxed));
    let bounds = archive::open(&at("b.mbtiles")).unwrap().metadata().bounds.unwrap();
    assert_eq!(bounds.map(|v| v.round()), [10.0, 10.0, 50.0, 50.0]);

    std::fs::write(at("bad.geojson"), r#"{"type": "Point", "coordinates": [1, 2]}"#).unwrap();
    for (args, code, words) in [
        (
            &["extract", "a.pmtiles", "-o", "x.pmtiles", "--polygon", "bad.geojson"][..],
            1,
            "bad.geojson: GeoJSON: holds a Point",
        ),
        (&["extract", "a.pmtiles", "-o", "x.pmtiles", "--polygon", "missing.geojson"], 1, "check the path"),
        (&["extract", "a.pmtiles", "-o", "x.pmtiles"], 2, "expected --bbox, --clip"),
        (&["extract", "a.pmtiles", "-o", "x.pmtiles", "--min-zoom", "9"], 1, "none is chosen"),
        (&["extract", "a.pmtiles", "-o", "a.pmtiles", "--min-zoom", "1", "--overwrite"], 2, "is an input as well"),
    ] {
        let (found, _, error) = hypso(folder.path(), args);
        assert!(found == code && error.contains(words), "{args:?}: {error}");
        assert!(!at("x.pmtiles").exists());
    }
}

#[test]
fn pixels_are_merged_by_priority_extremes_and_means() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let encode = |tile: &ElevationTile| CODEC.encode(tile).unwrap();
    // `a` has the west with a hole of 0 m, `b` everything, 100 m higher.
    let a = heights(32, |x, y| (x < 16).then_some(if (x, y) == (3, 3) { 0.0 } else { x as f32 + 1.0 }));
    let b = heights(32, |x, y| Some(100.0 + (x + y) as f32));
    let alone = heights(32, |_, _| Some(7.0));
    write(
        &at("a.pmtiles"),
        &Tiles::from([(tile(1, 0, 0), encode(&a)), (tile(1, 1, 1), encode(&alone))]),
        &metadata("a"),
    );
    write(
        &at("b.mbtiles"),
        &Tiles::from([(tile(1, 0, 0), encode(&b)), (tile(2, 3, 3), encode(&alone))]),
        &metadata("b"),
    );
    let merged = |name: &str, args: &[&str]| {
        let command = [&["merge", "a.pmtiles", "b.mbtiles", "-o", name, "--on-overlap", "pixels"], args].concat();
        ok(folder.path(), &command);
        let tiles = read(&at(name));
        assert_eq!(tiles.len(), 3);
        // The finer tile of the other input gives the coarser one no other mean.
        assert_eq!((&tiles[&tile(2, 3, 3)], &tiles[&tile(1, 1, 1)]), (&encode(&alone), &encode(&alone)), "copied");
        CODEC.decode(&tiles[&tile(1, 0, 0)]).unwrap()
    };
    let expect = |of: &dyn Fn(u32, u32) -> f32| heights(32, |x, y| Some(of(x, y)));
    let west = |x: u32, y: u32| if (x, y) == (3, 3) { 0.0 } else { x as f32 + 1.0 };
    let all = |x: u32, y: u32| 100.0 + (x + y) as f32;
    assert_eq!(merged("first.pmtiles", &[]), expect(&|x, y| if x < 16 { west(x, y) } else { all(x, y) }));
    let filled = |x: u32, y: u32| if x < 16 && (x, y) != (3, 3) { west(x, y) } else { all(x, y) };
    assert_eq!(merged("nodata.mbtiles", &["--nodata", "0"]), expect(&filled));
    assert_eq!(merged("max.pmtiles", &["--pixel-rule", "max"]), expect(&all));
    let low = |x: u32, y: u32| if x < 16 { west(x, y) } else { all(x, y) };
    assert_eq!(merged("min.pmtiles", &["--pixel-rule", "min"]), expect(&low));
    let mean = |x: u32, y: u32| if x < 16 { (west(x, y) + all(x, y)) / 2.0 } else { all(x, y) };
    assert_eq!(merged("mean.pmtiles", &["--pixel-rule", "mean"]), expect(&mean));
    assert_eq!(archive::open(&at("mean.pmtiles")).unwrap().metadata().attribution, "© a | © b");

    // `b` first covers everything: its tile stays byte by byte.
    ok(folder.path(), &["merge", "b.mbtiles", "a.pmtiles", "-o", "b2.pmtiles", "--on-overlap", "pixels"]);
    assert_eq!(read(&at("b2.pmtiles"))[&tile(1, 0, 0)], encode(&b));
    let (code, _, error) =
        hypso(folder.path(), &["merge", "a.pmtiles", "b.mbtiles", "-o", "x.pmtiles", "--nodata", "0"]);
    assert!(code == 2 && error.contains("are for --on-overlap pixels"), "{error}");
}

#[test]
fn lineage_follows_the_heights_and_legends_are_united() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let a = heights(16, |x, _| (x < 8).then_some(5.0));
    let b = heights(16, |x, _| (x >= 4).then_some(9.0));
    let lineage = |names: &[&str]| ArchiveMetadata {
        encoding: Some(TileEncoding::Lineage),
        format: TileFormat::Png,
        tile_size: Some(16),
        other: BTreeMap::from([("legend".to_owned(), terrain::legend(names, false))]),
        ..metadata("lineage")
    };
    let plane = |of: &dyn Fn(u32) -> u8| -> Vec<u8> { (0..256).map(|at| of(at % 16)).collect() };
    let coded = |plane: &[u8]| terrain::encode_lineage(16, plane, ImageFormat::Png).unwrap();
    let n = NO_SOURCE;
    let metadata = ArchiveMetadata { tile_size: Some(16), ..metadata("h") };
    write(&at("a.pmtiles"), &Tiles::from([(tile(2, 1, 1), CODEC.encode(&a).unwrap())]), &metadata);
    let alone = (tile(2, 2, 2), CODEC.encode(&b).unwrap());
    write(&at("b.pmtiles"), &Tiles::from([(tile(2, 1, 1), CODEC.encode(&b).unwrap()), alone]), &metadata);
    // Source 0 of `b` is source 1 of `a`; its source 1 is new.
    let a_plane = plane(&|x| {
        if x < 3 {
            0
        } else if x < 8 {
            1
        } else {
            n
        }
    });
    let b_plane = plane(&|x| {
        if x < 4 {
            n
        } else if x < 12 {
            0
        } else {
            1
        }
    });
    write(&at("a-lineage.pmtiles"), &Tiles::from([(tile(2, 1, 1), coded(&a_plane))]), &lineage(&["lidar", "dem5"]));
    let both = Tiles::from([(tile(2, 1, 1), coded(&b_plane)), (tile(2, 2, 2), coded(&b_plane))]);
    write(&at("b-lineage.pmtiles"), &both, &lineage(&["dem5", "srtm"]));

    let merge = ["merge", "a.pmtiles", "b.pmtiles", "-o", "m.pmtiles", "--on-overlap", "pixels", "--lineage"];
    ok(folder.path(), &merge);
    let merged = archive::open(&at("m-lineage.pmtiles")).unwrap();
    let legend: Value = serde_json::from_str(&merged.metadata().other["legend"].to_string()).unwrap();
    let names: Vec<&str> = legend["sources"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["lidar", "dem5", "srtm"]);
    let tiles = read(&at("m-lineage.pmtiles"));
    let decoded = |id| terrain::decode_lineage(&tiles[&id]).unwrap().1;
    assert_eq!(
        decoded(tile(2, 1, 1)),
        plane(&|x| if x < 3 {
            0
        } else if x < 12 {
            1
        } else {
            2
        })
    );
    assert_eq!(
        decoded(tile(2, 2, 2)),
        plane(&|x| if x < 4 {
            n
        } else if x < 12 {
            1
        } else {
            2
        })
    );
    // Heights of `b` win where they are higher, and the lineage follows.
    ok(folder.path(), &[&merge[..], &["--pixel-rule", "max", "--overwrite"]].concat());
    let plane_of = terrain::decode_lineage(&read(&at("m-lineage.pmtiles"))[&tile(2, 1, 1)]).unwrap().1;
    assert_eq!(
        plane_of,
        plane(&|x| if x < 3 {
            0
        } else if x < 12 {
            1
        } else {
            2
        })
    );
    // Lineage alone: the first that names a source.
    ok(
        folder.path(),
        &["merge", "b-lineage.pmtiles", "a-lineage.pmtiles", "-o", "l.pmtiles", "--on-overlap", "pixels"],
    );
    let plane_of = terrain::decode_lineage(&read(&at("l.pmtiles"))[&tile(2, 1, 1)]).unwrap().1;
    assert_eq!(
        plane_of,
        plane(&|x| if x < 3 {
            2
        } else if x < 12 {
            0
        } else {
            1
        }),
        "dem5, srtm, lidar"
    );
    let (code, _, error) = hypso(folder.path(), &["merge", "a.pmtiles", "a-lineage.pmtiles", "-o", "x.pmtiles"]);
    assert!(code == 1 && error.contains("only archives of one kind can be merged"), "{error}");
}

#[test]
fn tiles_are_encoded_anew_with_an_honest_step() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let by_zoom = TileCodec { vertical: VerticalResolution::ByZoom, ..CODEC };
    let ground = |x: u32, y: u32| (x + y != 77).then_some((x * 3 + y * 5) as f32 * 0.37);
    let mut tiles = Tiles::new();
    let mut planes = BTreeMap::new();
    for (n, id) in [tile(0, 0, 0), tile(1, 1, 0), tile(12, 3626, 1615), tile(12, 3627, 1615)].into_iter().enumerate() {
        let mut plane = heights(512, |x, y| ground(x + n as u32 * 100, y));
        by_zoom.quantize(id.zoom().unwrap(), &mut plane);
        tiles.insert(id, by_zoom.encode(&plane).unwrap());
        planes.insert(id, plane);
    }
    let mut about = ArchiveMetadata { tile_size: Some(512), ..metadata("a") };
    about.other.insert("vertical_resolution".into(), "by-zoom".into());
    write(&at("a.pmtiles"), &tiles, &about);
    let meta = |name: &str| archive::open(&at(name)).unwrap().metadata().clone();
    let step = |name: &str| meta(name).other["vertical_resolution"].clone();

    // 512 to 256 and back: the same pixels, and zoom 0 is the mean.
    ok(folder.path(), &["convert", "a.pmtiles", "-o", "small.mbtiles", "--tile-size", "256"]);
    let small = read(&at("small.mbtiles"));
    assert_eq!((small.len(), meta("small.mbtiles").tile_size), (17, Some(256)));
    assert_eq!(meta("small.mbtiles").other["vertical_zoom_offset"].as_str(), Some("-1"));
    let quarter = CODEC.decode(&small[&tile(13, 3626 * 2 + 1, 1615 * 2)]).unwrap();
    let whole = &planes[&tile(12, 3626, 1615)];
    assert!((0..256).all(|y| quarter.values[y * 256..][..256] == whole.values[y * 512 + 256..][..256]));
    let mut mean = ElevationTile::empty(512);
    terrain::downsample_into(&mut mean, 0, &planes[&tile(0, 0, 0)]);
    let overview = CODEC.decode(&small[&tile(0, 0, 0)]).unwrap();
    assert!(
        (0..256).all(|y| (0..256).all(|x| (overview.values[y * 256 + x] - mean.values[y * 512 + x]).abs() < 0.002))
    );
    ok(folder.path(), &["convert", "small.mbtiles", "-o", "back.pmtiles", "--tile-size", "512"]);
    assert_eq!(read(&at("back.pmtiles")), tiles);
    assert!(!meta("back.pmtiles").other.contains_key("vertical_zoom_offset"));

    // To every other encoding as PNG: within half of its step, and the metadata don't claim more from then on.
    for encoding in Encoding::ALL.into_iter().filter(|&e| e != CODEC.encoding) {
        let (name, said) = (encoding.name(), format!("by-zoom, at least {} m", encoding.finest_step()));
        let other = format!("{name}.mbtiles");
        ok(folder.path(), &["convert", "a.pmtiles", "-o", &other, "--encoding", name, "--tile-format", "png"]);
        let codec = TileCodec { encoding, format: ImageFormat::Png, ..CODEC };
        for (id, bytes) in read(&at(&other)) {
            let (found, expected) = (codec.decode(&bytes).unwrap(), &planes[&id]);
            assert_eq!(found.valid, expected.valid);
            let largest = found.values.iter().zip(&expected.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(f64::from(largest) <= encoding.finest_step() * 0.501 + 0.0005, "{id:?}: {largest}");
        }
        assert_eq!((meta(&other).encoding, step(&other).as_str()), (Some(encoding.into()), Some(&*said)));
        let back = ["--encoding", "terrarium", "--tile-format", "webp", "--overwrite"];
        ok(folder.path(), &[&["convert", &other, "-o", "again.pmtiles"], &back[..]].concat());
        assert_eq!(step("again.pmtiles").as_str(), Some(&*said));
    }
    for (args, words) in [
        (&["convert", "a.pmtiles", "-o", "x.pmtiles", "--tile-size", "128"][..], "can't become 128 px"),
        (&["convert", "a.pmtiles", "-o", "x.pmtiles", "--tile-format", "jpg"], "possible values"),
    ] {
        let (code, _, error) = hypso(folder.path(), args);
        assert!(code == 2 && error.contains(words), "{error}");
    }
}

#[test]
fn a_folder_of_files_goes_in_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let tiles: Tiles = (0..85)
        .map(|id| (TileId(id), CODEC.encode(&heights(32, |x, _| Some((x + id as u32) as f32))).unwrap()))
        .collect();
    write(&at("a.pmtiles"), &tiles, &metadata("a"));
    ok(folder.path(), &["convert", "a.pmtiles", "-o", "tiles/"]);
    assert!(at("tiles/3/5/6.webp").is_file() && at("tiles/metadata.json").is_file());
    ok(folder.path(), &["convert", "tiles", "-o", "b.pmtiles"]);
    assert_eq!(std::fs::read(at("b.pmtiles")).unwrap(), std::fs::read(at("a.pmtiles")).unwrap());
    assert!(ok(folder.path(), &["inspect", "tiles"]).contains("folder, 85 tiles"));
    assert!(ok(folder.path(), &["verify", "tiles", "--parents", "none"]).contains("85 decoded; errors: 0"));
    let (code, _, error) = hypso(folder.path(), &["convert", "a.pmtiles", "-o", "tiles"]);
    assert!(code == 1 && error.contains("exists already"), "{error}");
    // Files that are no tiles are left alone; without metadata.json the tiles tell what they can.
    std::fs::write(at("tiles/3/5/readme.txt"), "x").unwrap();
    std::fs::write(at("tiles/3/5/07.webp"), "x").unwrap();
    std::fs::remove_file(at("tiles/metadata.json")).unwrap();
    let source = archive::open(&at("tiles")).unwrap();
    assert_eq!((source.tile_count().unwrap(), source.metadata().maxzoom), (85, Some(3)));
    assert!(source.warnings()[0].contains("no metadata.json"));
    assert_eq!(read(&at("tiles")), tiles);
    std::fs::write(at("tiles/3/5/9.webp"), "x").unwrap();
    let (code, _, error) = hypso(folder.path(), &["convert", "tiles", "-o", "c.pmtiles"]);
    assert!(
        code == 1 && error.contains("3/5/9 lies outside of the zoom's grid") && !at("c.pmtiles").exists(),
        "{error}"
    );
    // What is no tile is somebody's, and would be lost.
    for foreign in ["readme.txt", "07.webp", "9.webp"] {
        let (code, _, error) = hypso(folder.path(), &["convert", "a.pmtiles", "-o", "tiles", "--overwrite"]);
        assert!(code == 1 && error.contains("which is no tile"), "{error}");
        std::fs::remove_file(at("tiles/3/5").join(foreign)).unwrap();
    }
    ok(folder.path(), &["convert", "a.pmtiles", "-o", "tiles", "--overwrite"]);
    assert_eq!(read(&at("tiles")), tiles);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    let selection = Selection { min_zoom: Some(3), ..Selection::default() };
    let source = archive::open(&at("tiles")).unwrap();
    let sink = archive::create(&at("z3.mbtiles"), source.metadata(), false).unwrap();
    assert_eq!(archive::convert(source.as_ref(), sink, &selection, &Silent).unwrap().tiles, 64);
}
