//! Pixel merges through the real binary: what is written is a pyramid again, whose coarser tiles are the means of its finer ones.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use hypso::archive::{self, ArchiveMetadata, CreateOptions, TileEncoding, TileFormat};
use hypso::terrain::{self, ElevationTile, Encoding, ImageFormat, NO_SOURCE, TileCodec, VerticalResolution};
use hypso::tile::{TileCoord, TileId};
use serde_json::Value;

const SIDE: u32 = 32;

const CODEC: TileCodec =
    TileCodec { vertical: VerticalResolution::ByZoom, ..TileCodec::new(Encoding::Terrarium, ImageFormat::Webp) };

type Heights = BTreeMap<TileId, ElevationTile>;
type Sources = BTreeMap<TileId, Vec<u8>>;
type Files = BTreeMap<TileId, Vec<u8>>;

/// The height and the source of a pixel, by its place in the whole finest zoom; `None` is nodata.
type Ground<'a> = &'a dyn Fn(u32, u32) -> Option<(f32, u8)>;

/// A pyramid as hypso makes one: the finest tiles of a box (columns and rows, inclusive), and means above them.
fn pyramid(
    side: u32,
    finest: u8,
    coarsest: u8,
    (west, north, east, south): (u32, u32, u32, u32),
    ground: Ground,
) -> (Heights, Sources) {
    let (mut heights, mut sources) = (Heights::new(), Sources::new());
    for (x, y) in (west..=east).flat_map(|x| (north..=south).map(move |y| (x, y))) {
        let tile = TileCoord::new(finest, x, y).unwrap();
        let (mut values, mut plane) = (ElevationTile::empty(side), vec![NO_SOURCE; (side * side) as usize]);
        for at in 0..side * side {
            if let Some((height, source)) = ground(x * side + at % side, y * side + at / side) {
                (values.values[at as usize], values.valid[at as usize]) = (height, 1);
                plane[at as usize] = source;
            }
        }
        if !values.is_empty() {
            CODEC.quantize(finest, &mut values);
            heights.insert(tile.into(), values);
            sources.insert(tile.into(), plane);
        }
    }
    for z in (coarsest..finest).rev() {
        let finer = TileId::first(z + 1)..TileId::first(z + 2);
        let parents: std::collections::BTreeSet<TileId> =
            heights.range(finer).map(|(id, _)| id.coord().unwrap().parent().unwrap().into()).collect();
        for id in parents {
            let (mut values, mut plane) = (ElevationTile::empty(side), vec![NO_SOURCE; (side * side) as usize]);
            for (quadrant, child) in id.coord().unwrap().children().into_iter().flatten().enumerate() {
                if let Some(child) = heights.get(&child.into()) {
                    terrain::downsample_into(&mut values, quadrant, child);
                }
                if let Some(child) = sources.get(&child.into()) {
                    terrain::downsample_lineage_into(&mut plane, side, quadrant, child);
                }
            }
            CODEC.quantize(z, &mut values);
            heights.insert(id, values);
            sources.insert(id, plane);
        }
    }
    (heights, sources)
}

fn metadata(name: &str, side: u32, encoding: TileEncoding, legend: Option<&[&str]>) -> ArchiveMetadata {
    let mut other = BTreeMap::new();
    match legend {
        Some(names) => drop(other.insert("legend".to_owned(), terrain::legend(names, false))),
        None => drop(other.insert("vertical_resolution".to_owned(), "by-zoom".into())),
    }
    ArchiveMetadata {
        name: name.into(),
        format: TileFormat::Webp,
        encoding: Some(encoding),
        tile_size: Some(side),
        other,
        ..ArchiveMetadata::default()
    }
}

/// Writes heights and lineage as an operator has them: `NAME.EXT` and `NAME-lineage.EXT`.
fn write(folder: &Path, name: &str, extension: &str, (heights, sources): &(Heights, Sources), legend: &[&str]) {
    let side = heights.values().next().unwrap().size;
    let create = |name: String, metadata: &ArchiveMetadata| {
        archive::create_with(
            &folder.join(name),
            metadata,
            CreateOptions { overwrite: true, ..CreateOptions::default() },
        )
        .unwrap()
    };
    let mut sink = create(format!("{name}.{extension}"), &metadata(name, side, Encoding::Terrarium.into(), None));
    for (id, tile) in heights {
        sink.put(id.coord().unwrap(), &CODEC.encode(tile).unwrap()).unwrap();
    }
    sink.finish().unwrap();
    let mut sink =
        create(format!("{name}-lineage.{extension}"), &metadata(name, side, TileEncoding::Lineage, Some(legend)));
    for (id, plane) in sources {
        sink.put(id.coord().unwrap(), &terrain::encode_lineage(side, plane, ImageFormat::Webp).unwrap()).unwrap();
    }
    sink.finish().unwrap();
}

fn hypso(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hypso")).args(args).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Merges by pixels, and has every tile of the result compared with its finer ones; gives how many were.
fn merged(folder: &Path, inputs: &[&str], output: &str, args: &[&str]) -> u64 {
    let command = [&["merge"], inputs, &["-o", output, "--on-overlap", "pixels", "--overwrite"], args].concat();
    let (code, _, error) = hypso(folder, &command);
    assert_eq!(code, 0, "{command:?}: {error}");
    verified(folder, output)
}

fn verified(folder: &Path, archive: &str) -> u64 {
    let (code, text, error) = hypso(folder, &["verify", "--parents", "all", "--strict", "--format", "json", archive]);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{error}"));
    assert_eq!((code, &report["problems"]), (0, &Value::Array(Vec::new())), "{archive}: {}", report["warnings"]);
    report["parents_compared"].as_u64().unwrap()
}

fn files(path: &Path) -> Files {
    let source = archive::open(path).unwrap();
    let ids: Vec<TileId> = source.ids().unwrap().map(|id| id.unwrap()).collect();
    ids.into_iter().map(|id| (id, source.tile(id.coord().unwrap()).unwrap().unwrap())).collect()
}

/// Hills of a survey: two of them never agree.
fn hills(x: u32, y: u32, survey: f32) -> f32 {
    let (a, b) = (x as f32, y as f32);
    700.0
        + 300.0 * (a / 37.0 + survey).sin()
        + 200.0 * (b / 23.0 - survey).cos()
        + (x * 7 + y * 13) as f32 % 11.0 * survey
}

/// West: zooms 3 to 6. East: zooms 3 to 7, over the west's eastern part, with a lake that has no data and a slanting border.
fn surveys(folder: &Path) -> [(Heights, Sources); 2] {
    let west = pyramid(SIDE, 6, 3, (20, 18, 29, 27), &|x, y| {
        (x + y < 1700 && !(x / 9 + y / 5).is_multiple_of(17)).then(|| (hills(2 * x, 2 * y, 1.0), (x / 50 % 2) as u8))
    });
    let east = pyramid(SIDE, 7, 3, (50, 40, 70, 51), &|x, y| {
        let lake = (x as f32 - 1800.0).hypot(y as f32 - 1500.0) < 60.0;
        (x + y / 3 > 2150 && !lake).then(|| (hills(x, y, 2.5), (y / 11 % 2) as u8))
    });
    write(folder, "west", "pmtiles", &west, &["lidar", "photo"]);
    write(folder, "east", "mbtiles", &east, &["srtm", "lidar"]);
    for name in ["west.pmtiles", "east.mbtiles", "west-lineage.pmtiles", "east-lineage.mbtiles"] {
        assert!(verified(folder, name) > 10, "the inputs are pyramids themselves");
    }
    [west, east]
}

/// What a merge has to give, written down pixel by pixel. `first` alone has lineage: the sources of `east` become 2 and 0.
fn model(inputs: [&(Heights, Sources); 2], rule: &str, numbers: [[u8; 2]; 2]) -> (Heights, Sources) {
    let (mut heights, mut sources) = (Heights::new(), Sources::new());
    let ids: std::collections::BTreeSet<TileId> = inputs.iter().flat_map(|(h, _)| h.keys().copied()).collect();
    for id in ids.into_iter().rev() {
        let tile = id.coord().unwrap();
        let (mut values, mut plane) = (ElevationTile::empty(SIDE), vec![NO_SOURCE; (SIDE * SIDE) as usize]);
        for at in 0..(SIDE * SIDE) as usize {
            let (x, y) = (at as u32 % SIDE, at as u32 / SIDE);
            let child: TileId = tile.children().unwrap()[(2 * x / SIDE + 2 * (2 * y / SIDE)) as usize].into();
            let block = [(0, 0), (1, 0), (0, 1), (1, 1)]
                .map(|(dx, dy)| ((2 * y % SIDE + dy) * SIDE + 2 * x % SIDE + dx) as usize);
            let mean_of = |all: &[f32]| (all.iter().map(|v| f64::from(*v)).sum::<f64>() / all.len() as f64) as f32;
            let finer: Vec<f32> = heights.get(&child).map_or(Vec::new(), |t: &ElevationTile| {
                block.iter().filter(|&&b| t.valid[b] == 1).map(|&b| t.values[b]).collect()
            });
            let held = inputs.iter().filter_map(|(h, _)| h.get(&id).filter(|t| t.valid[at] == 1).map(|t| t.values[at]));
            let held: Vec<f32> = held.collect();
            let value = match (finer.as_slice(), rule) {
                ([], _) if held.is_empty() => continue,
                ([], "max") => held.iter().copied().fold(f32::MIN, f32::max),
                ([], "min") => held.iter().copied().fold(f32::MAX, f32::min),
                ([], "mean") => mean_of(&held),
                ([], _) => held[0],
                (finer, _) => mean_of(finer),
            };
            (values.values[at], values.valid[at]) = (value, 1);
            let voters = sources.get(&child).map_or([NO_SOURCE; 4], |plane: &Vec<u8>| block.map(|b| plane[b]));
            let votes = |source: u8| voters.iter().filter(|&&v| v == source).count();
            let best = (0..3u8).filter(|&s| votes(s) > 0).max_by_key(|&s| (votes(s), 3 - s));
            let of_input = inputs.iter().zip(numbers).find_map(|((_, s), numbers)| {
                s.get(&id).map(|plane| plane[at]).filter(|&s| s != NO_SOURCE).map(|s| numbers[usize::from(s)])
            });
            plane[at] = best.or(of_input).unwrap();
        }
        CODEC.quantize(tile.z(), &mut values);
        heights.insert(id, values);
        sources.insert(id, plane);
    }
    (heights, sources)
}

fn same_pixels(archive: &Path, expected: &Heights) {
    let found = files(archive);
    assert!(found.keys().eq(expected.keys()));
    for (id, bytes) in found {
        assert!(CODEC.decode(&bytes).unwrap() == expected[&id], "{} differs", id.coord().unwrap());
    }
}

fn same_sources(archive: &Path, expected: &Sources) {
    let found = files(archive);
    assert!(found.keys().eq(expected.keys()));
    for (id, bytes) in found {
        assert!(terrain::decode_lineage(&bytes).unwrap().1 == expected[&id], "{} differs", id.coord().unwrap());
    }
}

#[test]
fn where_areas_meet_parents_are_means_of_what_was_merged() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let [west, east] = surveys(at);
    let inputs = ["west.pmtiles", "east.mbtiles"];
    for rule in ["first", "max", "min", "mean"] {
        for output in ["m.pmtiles", "m.mbtiles"] {
            assert!(merged(at, &inputs, output, &["--pixel-rule", rule]) > 50);
        }
        assert_eq!(files(&at.join("m.pmtiles")), files(&at.join("m.mbtiles")));
        same_pixels(&at.join("m.pmtiles"), &model([&west, &east], rule, [[0, 1], [2, 0]]).0);
    }
    // With the lineage, which follows: ties between sources go by their order in the united legend.
    merged(at, &inputs, "m.mbtiles", &["--lineage"]);
    let (heights, sources) = model([&west, &east], "first", [[0, 1], [2, 0]]);
    same_pixels(&at.join("m.mbtiles"), &heights);
    assert!(verified(at, "m-lineage.mbtiles") > 50);
    same_sources(&at.join("m-lineage.mbtiles"), &sources);
    let (heights, sources) = model([&east, &west], "first", [[0, 1], [1, 2]]);
    merged(at, &["east.mbtiles", "west.pmtiles"], "turned.pmtiles", &["--lineage"]);
    same_pixels(&at.join("turned.pmtiles"), &heights);
    same_sources(&at.join("turned-lineage.pmtiles"), &sources);
    assert!(merged(at, &["west-lineage.pmtiles", "east-lineage.mbtiles"], "alone.pmtiles", &[]) > 50);
    assert_eq!(files(&at.join("alone.pmtiles")), files(&at.join("m-lineage.mbtiles")));

    // What lies below and beside no other input is copied byte by byte.
    let (west, east, out) =
        (files(&at.join("west.pmtiles")), files(&at.join("east.mbtiles")), files(&at.join("m.mbtiles")));
    let touched = |id: &TileId| {
        east.keys().any(|other| {
            let (a, b) = (id.coord().unwrap(), other.coord().unwrap());
            b.ancestor(a.z()) == Some(a)
        })
    };
    let alone: Vec<&TileId> = west.keys().filter(|id| !touched(id)).collect();
    assert!(alone.len() > 40 && alone.iter().all(|id| west[id] == out[id]), "{}", alone.len());
}

#[test]
fn zooms_of_one_pyramid_are_put_together_without_a_change_and_zooms_of_two_become_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    surveys(at);
    let run = |args: &[&str]| assert_eq!(hypso(at, args).0, 0, "{args:?}");
    for (name, zooms) in [("low", ["--max-zoom", "5"]), ("high", ["--min-zoom", "6"])] {
        for kind in ["", "-lineage"] {
            let (from, to) = (format!("west{kind}.pmtiles"), format!("{name}{kind}.pmtiles"));
            run(&["extract", &from, "-o", &to, zooms[0], zooms[1]]);
        }
    }
    merged(at, &["low.pmtiles", "high.pmtiles"], "again.pmtiles", &["--lineage"]);
    assert_eq!(files(&at.join("again.pmtiles")), files(&at.join("west.pmtiles")));
    assert_eq!(files(&at.join("again-lineage.pmtiles")), files(&at.join("west-lineage.pmtiles")));

    // Fine tiles of another survey under coarse ones: these become their means.
    run(&[
        "extract",
        "east.mbtiles",
        "-o",
        "fine.pmtiles",
        "--min-zoom",
        "7",
        "--bbox",
        "-39.3",
        "41",
        "-28.2",
        "55.7",
    ]);
    let (west, out) = (files(&at.join("west.pmtiles")), at.join("two.pmtiles"));
    assert!(merged(at, &["west.pmtiles", "fine.pmtiles"], "two.pmtiles", &[]) > 20);
    let changed = files(&out).iter().filter(|(id, bytes)| west.get(id).is_some_and(|old| old != *bytes)).count();
    assert!(changed > 3, "{changed}");
}

#[test]
fn merged_and_converted_tiles_are_encoded_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    surveys(at);
    let inputs = ["west.pmtiles", "east.mbtiles"];
    merged(at, &inputs, "ours.pmtiles", &[]);
    merged(at, &inputs, "theirs.pmtiles", &["--encoder", "libwebp", "--encoder-level", "fast"]);
    let run = |args: &[&str]| assert_eq!(hypso(at, args).0, 0, "{args:?}");
    run(&["convert", "west.pmtiles", "-o", "small.pmtiles", "--encoder", "libwebp"]);
    run(&["convert", "west.pmtiles", "-o", "fast.pmtiles", "--encoder-level", "fast"]);
    for (a, b) in [("ours", "theirs"), ("west", "small"), ("west", "fast")] {
        let [a, b] = [a, b].map(|name| files(&at.join(format!("{name}.pmtiles"))));
        assert!(a.keys().eq(b.keys()));
        let same = a.iter().filter(|(id, bytes)| b[id] == **bytes).count();
        assert!(same < a.len() && a.iter().all(|(id, t)| CODEC.decode(t).unwrap() == CODEC.decode(&b[id]).unwrap()));
    }
    for (args, problem) in [
        (&["convert", "west.pmtiles", "-o", "x.pmtiles", "--encoder", "jpeg"][..], "[possible values: hypso, libwebp]"),
        (
            &["convert", "west.pmtiles", "-o", "x.pmtiles", "--encoder", "libwebp", "--tile-format", "png"],
            "writes WebP only",
        ),
        (&["merge", "west.pmtiles", "-o", "x.pmtiles", "--encoder-level", "small"], "are for --on-overlap pixels"),
    ] {
        let (code, _, error) = hypso(at, args);
        assert!(code == 2 && error.contains(problem), "{args:?}: {error}");
        assert!(!at.join("x.pmtiles").exists());
    }
}

/// Heights that went through another tile size or coarser steps are held against what their metadata say.
#[test]
fn converted_pyramids_are_pyramids_by_their_own_steps() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let ground = |x: u32, y: u32| (x + y < 8200).then(|| (hills(x, y, 1.3), 0));
    for (name, west) in [("a", 8), ("b", 10)] {
        let mut tiles = pyramid(512, 12, 0, (west, 4, 11, 4), &ground);
        write(at, name, "pmtiles", &tiles, &["survey"]);
        // A coarser tile that is somewhere else.
        let moved = tiles.0.get_mut(&TileId::from(TileCoord::new(11, 5, 2).unwrap())).unwrap();
        moved.values.iter_mut().zip(&moved.valid).for_each(|(value, valid)| *value += 4.0 * f32::from(*valid));
        write(at, &format!("{name}-moved"), "pmtiles", &tiles, &["survey"]);
    }
    let run = |args: &[&str]| assert_eq!(hypso(at, args).0, 0, "{args:?}");
    assert!(verified(at, "a.pmtiles") > 10);
    for (option, value) in [("--tile-size", "256"), ("--encoding", "mapbox")] {
        for (from, to) in [("a", "c"), ("b", "d"), ("a-moved", "wrong")] {
            run(&["convert", &format!("{from}.pmtiles"), "-o", &format!("{to}.pmtiles"), option, value, "--overwrite"]);
        }
        assert!(verified(at, "c.pmtiles") > 10, "{value}");
        assert!(merged(at, &["c.pmtiles", "d.pmtiles"], "cd.pmtiles", &["--pixel-rule", "mean"]) > 10);
        let (code, text, _) = hypso(at, &["verify", "--parents", "all", "--strict", "wrong.pmtiles"]);
        assert!(code == 3 && text.contains("not the mean of the finer tiles"), "{text}");
    }
    run(&["convert", "c.pmtiles", "-o", "again.pmtiles", "--encoding", "terrarium"]);
    assert!(verified(at, "again.pmtiles") > 10);
}
