//! `hypso overzoom`: finer tiles out of coarser ones, and `--in-place` of both commands that make tiles for an archive.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use hypso::archive::{self, ArchiveMetadata, TileEncoding, TileFormat};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, NO_SOURCE, TileCodec, VerticalResolution};
use hypso::terrain::{decode_lineage, encode_lineage};
use hypso::tile::{TileCoord, TileId};

use crate::common::Random;
use crate::told::{HYPSO, all_fail, hypso, ok, tiles};

const SIDE: u64 = 32;

fn codec() -> TileCodec {
    TileCodec { vertical: VerticalResolution::ByZoom, ..TileCodec::new(Encoding::Terrarium, ImageFormat::Webp) }
}

fn metadata(encoding: impl Into<TileEncoding>) -> ArchiveMetadata {
    ArchiveMetadata {
        name: "n".into(),
        format: TileFormat::Webp,
        encoding: Some(encoding.into()),
        tile_size: Some(SIDE as u32),
        other: BTreeMap::from([("vertical_resolution".to_owned(), "by-zoom".into())]),
        ..ArchiveMetadata::default()
    }
}

/// Coarse tiles around 180 degrees and at the northern rim of the world, some of which have finer ones.
const TILES: [(u8, u32, u32); 14] = [
    (2, 0, 0),
    (2, 3, 0),
    (3, 0, 0),
    (3, 7, 0),
    (3, 7, 1),
    (4, 0, 0),
    (4, 0, 1),
    (4, 15, 0),
    (4, 15, 1),
    (4, 15, 2),
    (5, 31, 1),
    // Nothing at zoom 4 above these.
    (5, 4, 4),
    (6, 9, 9),
    (6, 63, 1),
];

fn write(path: &Path, metadata: &ArchiveMetadata, mut image: impl FnMut(TileCoord) -> Vec<u8>) {
    let mut ids = TILES.map(|(z, x, y)| TileId::from(TileCoord::new(z, x, y).unwrap()));
    ids.sort();
    let mut sink = archive::create(path, metadata, false).unwrap();
    for id in ids {
        let tile = id.coord().unwrap();
        sink.put(tile, &image(tile)).unwrap();
    }
    sink.finish().unwrap();
}

/// Rough terrain with voids; the south-eastern quarter of one tile is void.
fn make(path: &Path) {
    let mut random = Random(5);
    write(path, &metadata(Encoding::Terrarium), |tile| {
        let mut heights = ElevationTile::empty(SIDE as u32);
        for at in 0..(SIDE * SIDE) as usize {
            let quarter = at as u64 % SIDE >= SIDE / 2 && at as u64 / SIDE >= SIDE / 2;
            heights.values[at] = (random.unit() * 3000.0 - 500.0) as f32;
            heights.valid[at] = u8::from(random.unit() < 0.9 && !(quarter && (tile.z(), tile.x()) == (4, 15)));
        }
        codec().quantize(tile.z(), &mut heights);
        codec().encode(&heights).unwrap()
    });
}

/// The pixels of an archive by their place on the world.
struct World(BTreeMap<TileId, ElevationTile>);

impl World {
    fn of(path: &Path) -> Self {
        Self(tiles(path).into_iter().map(|(id, bytes)| (id, codec().decode(&bytes).unwrap())).collect())
    }

    /// The zoom of the finest tile above a tile.
    fn above(&self, tile: TileCoord) -> Option<u8> {
        (0..tile.z()).rev().find(|&z| self.0.contains_key(&TileId::from(tile.ancestor(z).unwrap())))
    }

    /// A pixel of a zoom, of the finest tile that covers it.
    fn pixel(&self, zoom: u8, x: i64, y: i64) -> Option<f64> {
        let side = (SIDE << zoom) as i64;
        if y < 0 || y >= side {
            return None;
        }
        let (x, y) = (x.rem_euclid(side) as u64, y as u64);
        let covers = |z: u8| {
            let [x, y] = [x, y].map(|at| at >> (zoom - z));
            let tile = TileCoord::new(z, (x / SIDE) as u32, (y / SIDE) as u32)?;
            Some((self.0.get(&TileId::from(tile))?, ((y % SIDE) * SIDE + x % SIDE) as usize))
        };
        let (tile, at) = (0..=zoom).rev().find_map(covers)?;
        (tile.valid[at] == 1).then(|| f64::from(tile.values[at]))
    }

    /// The height at a place, in pixels of a zoom: by distance from the centres of the four pixels around it.
    fn height(&self, zoom: u8, x: f64, y: f64) -> Option<f64> {
        self.pixel(zoom, x.floor() as i64, y.floor() as i64)?;
        let (mut sum, mut weights) = (0.0, 0.0);
        for (i, j) in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0), (0, 1), (1, -1), (1, 0), (1, 1)] {
            let (column, row) = (x.floor() as i64 + i, y.floor() as i64 + j);
            let weight = |t: f64, centre: i64| (1.0 - (t - centre as f64 - 0.5).abs()).max(0.0);
            let weight = weight(x, column) * weight(y, row);
            if let Some(height) = self.pixel(zoom, column, row) {
                (sum, weights) = (sum + height * weight, weights + weight);
            }
        }
        Some(sum / weights)
    }
}

#[test]
fn new_tiles_have_the_heights_at_the_centres_of_their_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("a.pmtiles"));
    let said = ok(here, &["overzoom", "a.pmtiles", "-o", "b.pmtiles", "--max-zoom", "6"]);
    let (before, after) = (tiles(&here.join("a.pmtiles")), tiles(&here.join("b.pmtiles")));
    assert!(before.iter().all(|(id, bytes)| after.get(id) == Some(bytes)), "what is there stays");
    let world = World::of(&here.join("a.pmtiles"));
    let mut counts: BTreeMap<(u8, u8), u64> = BTreeMap::new();
    for (&id, bytes) in after.iter().filter(|(id, _)| !before.contains_key(id)) {
        let tile = id.coord().unwrap();
        let from = world.above(tile).unwrap_or_else(|| panic!("{tile} is out of nothing"));
        *counts.entry((tile.z(), from)).or_default() += 1;
        let found = codec().decode(bytes).unwrap();
        let (step, scale) = (2f64.powi(19 - i32::from(tile.z())) / 256.0, f64::from(1u32 << (tile.z() - from)));
        for (row, column) in (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column))) {
            let place = |tile: u32, at: u64| (u64::from(tile) * SIDE + at) as f64 + 0.5;
            let expected = world.height(from, place(tile.x(), column) / scale, place(tile.y(), row) / scale);
            let at = (row * SIDE + column) as usize;
            assert_eq!(found.valid[at] == 1, expected.is_some(), "{tile} {row} {column}");
            let height = f64::from(found.values[at]);
            assert_eq!(height % step, 0.0, "{tile}: heights are those of the step");
            let off = expected.map_or(0.0, |expected| (height - expected).abs());
            assert!(off <= step / 2.0 + 1e-3, "{tile} {row} {column}: {height}, {expected:?}");
        }
    }
    // All that have a coarser tile and are not void: no more, no less.
    for id in TileId::first(3).0..TileId::first(7).0 {
        let tile = TileId(id).coord().unwrap();
        let Some(from) = world.above(tile).filter(|_| !before.contains_key(&TileId(id))) else { continue };
        let up = tile.z() - from;
        let first = |at: u32| ((u64::from(at) * SIDE) >> up) as i64;
        let pixels = (SIDE >> up) as i64;
        let any = (0..pixels * pixels)
            .any(|i| world.pixel(from, first(tile.x()) + i % pixels, first(tile.y()) + i / pixels).is_some());
        assert_eq!(after.contains_key(&TileId(id)), any, "{tile}");
    }
    // It was said before, is said by a run that makes none, and stands in the metadata.
    let list: Vec<String> =
        counts.iter().map(|((zoom, from), tiles)| format!("{tiles} at zoom {zoom} from zoom {from}")).collect();
    let words = format!("{} tiles to make: {}", after.len() - before.len(), list.join(", "));
    assert!(said.contains(&words), "{said}: {words}");
    assert!(ok(here, &["overzoom", "a.pmtiles", "--max-zoom", "6", "--dry-run"]).contains(&words));
    let metadata = archive::open(&here.join("b.pmtiles")).unwrap().metadata().clone();
    let list: Vec<_> = counts
        .iter()
        .map(|((zoom, from), tiles)| serde_json::json!({"zoom": zoom, "from": from, "tiles": tiles}))
        .collect();
    assert_eq!(metadata.other["overzoomed"].to_string(), serde_json::Value::from(list).to_string());
    assert_eq!((metadata.minzoom, metadata.maxzoom), (Some(2), Some(6)));
    // No tile is the mean of what was made out of it.
    let (code, said) = hypso(here, &["verify", "b.pmtiles", "--parents", "all"]);
    assert!(code == 0 && !said.contains("mean"), "{said}");
}

#[test]
fn zooms_and_areas_say_what_is_made_and_every_container_gets_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("a.pmtiles"));
    ok(here, &["convert", "a.pmtiles", "-o", "a.mbtiles"]);
    ok(here, &["overzoom", "a.mbtiles", "-o", "all.mbtiles", "--max-zoom", "7"]);
    let (before, all) = (tiles(&here.join("a.pmtiles")), tiles(&here.join("all.mbtiles")));
    for (arguments, wanted) in [
        (&["--max-zoom", "5"][..], &(|tile: TileCoord| tile.z() <= 5) as &dyn Fn(TileCoord) -> bool),
        (&["--max-zoom", "7", "--min-zoom", "6"], &|tile| tile.z() >= 6),
        (&["--zoom", "4,7"], &|tile| [4, 7].contains(&tile.z())),
        // Columns at the eastern and the western end of the world.
        (&["--max-zoom", "7", "--bbox", "170,67,-170,80"], &|tile| {
            let b = tile.bounds().to_lon_lat();
            (b[2] > 170.0 || b[0] < -170.0) && b[1] < 80.0 && b[3] > 67.0
        }),
    ] {
        let out = ["overzoom", "a.pmtiles", "-o", "some.pmtiles", "--overwrite"];
        ok(here, &[&out[..], arguments].concat());
        let some = tiles(&here.join("some.pmtiles"));
        let expected: BTreeMap<_, _> =
            all.iter().filter(|(id, _)| before.contains_key(id) || wanted(id.coord().unwrap())).collect();
        assert!(some.iter().collect::<BTreeMap<_, _>>() == expected, "{arguments:?}");
        assert!(some.len() > before.len());
    }
    all_fail(
        here,
        &[
            (&["overzoom", "a.pmtiles", "-o", "x.pmtiles"], 2, "--max-zoom"),
            (&["overzoom", "a.pmtiles", "--max-zoom", "7"], 2, "--output"),
            (&["overzoom", "a.pmtiles", "-o", "x.pmtiles", "--max-zoom", "2"], 1, "none is missing in these zooms"),
            (
                &["overzoom", "a.pmtiles", "-o", "x.pmtiles", "--max-zoom", "7", "--bbox", "0,-50,9,-40"],
                1,
                "none is missing",
            ),
            (&["overzoom", "a.pmtiles", "-o", "x.pmtiles", "--max-zoom", "7", "--min-zoom", "8"], 2, "--min-zoom"),
            (&["overzoom", "a.pmtiles", "-o", "some.pmtiles", "--max-zoom", "7"], 1, "exists already"),
            (&["overzoom", "a.pmtiles", "-o", "a.pmtiles", "--overwrite", "--max-zoom", "7"], 2, "is an input as well"),
            (&["overzoom", "none.pmtiles", "-o", "x.pmtiles", "--max-zoom", "7"], 1, "none.pmtiles"),
            (&["overzoom", "a.pmtiles", "--in-place", "--max-zoom", "7"], 1, "only MBTiles are changed in place"),
            (&["overzoom", "a.mbtiles", "--in-place", "-o", "x.mbtiles", "--max-zoom", "7"], 2, "cannot be used with"),
        ],
    );
    assert!(!here.join("x.pmtiles").exists());
    // Any depth can be counted.
    let said = ok(here, &["overzoom", "a.pmtiles", "--max-zoom", "31", "--min-zoom", "31", "--dry-run"]);
    assert!(said.contains("at zoom 31 from zoom 6"), "{said}");
}

#[test]
fn lineage_takes_the_nearest_pixel() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut random = Random(6);
    let mut planes = BTreeMap::new();
    write(&here.join("a.pmtiles"), &metadata(TileEncoding::Lineage), |tile| {
        let plane: Vec<u8> = (0..SIDE * SIDE).map(|_| [0, 1, 2, NO_SOURCE][random.next() as usize % 4]).collect();
        planes.insert(TileId::from(tile), plane.clone());
        encode_lineage(SIDE as u32, &plane, ImageFormat::Webp).unwrap()
    });
    ok(here, &["overzoom", "a.pmtiles", "-o", "b.pmtiles", "--max-zoom", "6"]);
    let after = tiles(&here.join("b.pmtiles"));
    assert!(after.len() > 100);
    for (id, bytes) in after {
        let tile = id.coord().unwrap();
        let from =
            (0..=tile.z()).rev().find(|&z| planes.contains_key(&TileId::from(tile.ancestor(z).unwrap()))).unwrap();
        let (plane, up) = (&planes[&TileId::from(tile.ancestor(from).unwrap())], tile.z() - from);
        for (i, source) in (0u64..).zip(decode_lineage(&bytes).unwrap().1) {
            let place = |tile: u32, at: u64| (((u64::from(tile) * SIDE + at) >> up) % SIDE) as usize;
            let at = place(tile.y(), i / SIDE) * SIDE as usize + place(tile.x(), i % SIDE);
            assert_eq!(source, plane[at], "{tile} {i}");
        }
    }
}

#[test]
fn in_place_an_archive_gets_the_same_bytes_as_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("a.pmtiles"));
    for command in [&["overviews"][..], &["overzoom", "--max-zoom", "7"]] {
        ok(here, &["convert", "a.pmtiles", "-o", "a.mbtiles", "--overwrite"]);
        ok(here, &["edit", "a.mbtiles", "--hash"]);
        ok(here, &[command, &["a.mbtiles", "-o", "beside.mbtiles", "--overwrite"]].concat());
        let said = ok(here, &[command, &["a.mbtiles", "--in-place"]].concat());
        let [found, expected] = ["a.mbtiles", "beside.mbtiles"].map(|name| tiles(&here.join(name)));
        assert!(found == expected && said.contains("tiles added"), "{command:?}: {said}");
        let [a, b] =
            ["a.mbtiles", "beside.mbtiles"].map(|name| archive::open(&here.join(name)).unwrap().metadata().clone());
        assert_eq!(
            (a.minzoom, a.maxzoom, a.bounds, &a.other),
            (b.minzoom, b.maxzoom, b.bounds, &b.other),
            "{command:?}"
        );
        let before = std::fs::read(here.join("a.mbtiles")).unwrap();
        let (code, said) = hypso(here, &[command, &["a.mbtiles", "--in-place"]].concat());
        let nothing = ["0 tiles added", "none is missing"].iter().any(|word| said.contains(word));
        assert!(code <= 1 && nothing && std::fs::read(here.join("a.mbtiles")).unwrap() == before, "{said}");
    }
    ok(here, &["convert", "a.pmtiles", "-o", "shared.mbtiles", "--dedup"]);
    all_fail(
        here,
        &[
            (&["overviews", "shared.mbtiles", "--in-place"], 1, "is a view"),
            (&["overviews", "a.pmtiles", "--in-place"], 1, "write a new archive"),
            (&["overviews", "a.pmtiles"], 2, "--output"),
            (&["overviews", "a.mbtiles", "--in-place", "--overwrite"], 2, "cannot be used with"),
        ],
    );
}

/// An archive of so many rough tiles of one zoom.
fn rough(path: &Path, zoom: u8) {
    let mut random = Random(5);
    let first = TileId::first(zoom).0;
    let mut sink = archive::create(path, &metadata(Encoding::Terrarium), false).unwrap();
    for id in first..TileId::first(zoom + 1).0 {
        let mut heights = ElevationTile::empty(SIDE as u32);
        heights.values.fill_with(|| (random.unit() * 3000.0) as f32);
        heights.valid.fill(1);
        codec().quantize(zoom, &mut heights);
        sink.put(TileId(id).coord().unwrap(), &codec().encode(&heights).unwrap()).unwrap();
    }
    sink.finish().unwrap();
}

#[test]
#[cfg(unix)]
fn killed_at_any_moment_an_archive_in_place_holds_all_new_tiles_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    rough(&here.join("base.mbtiles"), 5);
    let base = std::fs::read(here.join("base.mbtiles")).unwrap();
    let before = tiles(&here.join("base.mbtiles"));
    for arguments in
        [&["overviews", "x.mbtiles", "--in-place"][..], &["overzoom", "x.mbtiles", "--in-place", "--max-zoom=6"]]
    {
        let fresh = || std::fs::write(here.join("x.mbtiles"), &base).unwrap();
        fresh();
        let started = Instant::now();
        ok(here, arguments);
        let (whole, after) = (started.elapsed(), tiles(&here.join("x.mbtiles")));
        assert!(after.len() > before.len() + 300, "{}", after.len());
        // A faster or slower machine than a moment ago: some of these are in the middle.
        let mut killed = 0;
        for part in [2, 10, 25, 40, 55, 70, 80, 88, 94, 97] {
            fresh();
            let mut command = Command::new(HYPSO);
            command.args(arguments).current_dir(here).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            std::thread::sleep(whole * part / 100);
            child.kill().unwrap();
            killed += u32::from(!child.wait().unwrap().success());
            // The next that may write undoes half of it.
            ok(here, &["edit", "x.mbtiles", "--name", "seen"]);
            let found = tiles(&here.join("x.mbtiles"));
            assert!(found == before || found == after, "{arguments:?} after {part} %: {}", found.len());
            // One that was finished before it was killed has nothing left to do.
            if found == before {
                ok(here, arguments);
                assert!(tiles(&here.join("x.mbtiles")) == after, "{arguments:?} after {part} %, and again");
            }
        }
        assert!(killed > 0, "{arguments:?} was never killed");
    }
}
