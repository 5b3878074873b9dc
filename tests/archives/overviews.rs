//! `hypso overviews`: missing coarser tiles are the means of the finer ones, and what is there stays.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::path::Path;

use hypso::archive::{self, ArchiveMetadata, TileFormat};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec, VerticalResolution};
use hypso::tile::{TileCoord, TileId};

use crate::common::Random;
use crate::told::{all_fail, hypso, ok, tiles};

const SIDE: usize = 32;

fn codec() -> TileCodec {
    TileCodec { vertical: VerticalResolution::ByZoom, ..TileCodec::new(Encoding::Terrarium, ImageFormat::Webp) }
}

/// Rough terrain with voids around one place at zoom 7, and one tile of the sea without any height.
fn make(path: &Path) {
    let metadata = ArchiveMetadata {
        name: "n".into(),
        format: TileFormat::Webp,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(SIDE as u32),
        other: BTreeMap::from([("vertical_resolution".to_owned(), "by-zoom".into())]),
        ..ArchiveMetadata::default()
    };
    let mut random = Random(11);
    let mut tiles = BTreeMap::new();
    for (x, y) in (0..5).flat_map(|x| (0..7).map(move |y| (100 + x, 40 + y))) {
        let tile = TileCoord::new(7, x, y).unwrap();
        let mut heights = ElevationTile::empty(SIDE as u32);
        for at in 0..SIDE * SIDE {
            heights.values[at] = (random.unit() * 3000.0) as f32;
            heights.valid[at] = u8::from(random.unit() < 0.8 && (x, y) != (104, 46));
        }
        codec().quantize(7, &mut heights);
        tiles.insert(TileId::from(tile), codec().encode(&heights).unwrap());
    }
    let mut sink = archive::create(path, &metadata, false).unwrap();
    for (id, bytes) in &tiles {
        sink.put(id.coord().unwrap(), bytes).unwrap();
    }
    sink.finish().unwrap();
}

#[test]
fn coarser_tiles_are_means_as_encoded_down_to_the_world() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("fine.pmtiles"));
    ok(here, &["overviews", "fine.pmtiles", "-o", "all.pmtiles"]);
    let all = tiles(&here.join("all.pmtiles"));
    let fine = tiles(&here.join("fine.pmtiles"));
    assert!(fine.iter().all(|(id, bytes)| all.get(id) == Some(bytes)));
    let counts: Vec<usize> = (0..=7).map(|z| all.keys().filter(|id| id.zoom() == Some(z)).count()).collect();
    assert_eq!(counts, [1, 1, 1, 1, 2, 4, 11, 35], "a tile without any height has none above it");
    let metadata = archive::open(&here.join("all.pmtiles")).unwrap().metadata().clone();
    assert_eq!((metadata.minzoom, metadata.maxzoom), (Some(0), Some(7)));

    // By hand: the mean of the valid ones of four pixels of the decoded finer tiles, rounded to the step of the zoom.
    for (&id, bytes) in all.iter().filter(|(id, _)| id.zoom() < Some(7)) {
        let parent = id.coord().unwrap();
        let found = codec().decode(bytes).unwrap();
        let children: Vec<(TileCoord, ElevationTile)> = parent
            .children()
            .unwrap()
            .into_iter()
            .filter_map(|child| Some((child, codec().decode(all.get(&TileId::from(child))?).unwrap())))
            .collect();
        let step = 2f64.powi(19 - i32::from(parent.z())) / 256.0;
        for (row, column) in (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column))) {
            let (mut sum, mut count) = (0.0, 0);
            for (child, heights) in &children {
                let corner = [(child.x() % 2) as usize * SIDE, (child.y() % 2) as usize * SIDE];
                for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let (y, x) = ((2 * row + y).checked_sub(corner[1]), (2 * column + x).checked_sub(corner[0]));
                    let Some((y, x)) = y.zip(x).filter(|&(y, x)| y < SIDE && x < SIDE) else { continue };
                    if heights.valid[y * SIDE + x] == 1 {
                        (sum, count) = (sum + f64::from(heights.values[y * SIDE + x]), count + 1);
                    }
                }
            }
            let at = row * SIDE + column;
            assert_eq!(found.valid[at] == 1, count > 0, "{parent} {row} {column}");
            if count > 0 {
                let off = (f64::from(found.values[at]) - sum / f64::from(count)).abs();
                assert!(off <= step / 2.0 + 1e-3, "{parent} {row} {column}: {off}");
            }
        }
    }
    // The one tile that has no height has none above it.
    let (code, said) = hypso(here, &["verify", "all.pmtiles", "--parents", "all"]);
    let alone = "tile 7/104/46: its parent tile is missing";
    assert!(code == 0 && said.contains("errors: 0, warnings: 1") && said.contains(alone), "{said}");
    assert!(said.contains("21 tiles compared with their finer ones"), "{said}");
}

#[test]
fn what_is_there_stays_and_only_what_is_missing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("fine.pmtiles"));
    ok(here, &["overviews", "fine.pmtiles", "-o", "all.mbtiles"]);
    let all = tiles(&here.join("all.mbtiles"));
    // Again it is the same, also from a part with a hole in the middle.
    ok(here, &["extract", "all.mbtiles", "-o", "holes.pmtiles", "--zoom", "0,5,7"]);
    ok(here, &["overviews", "holes.pmtiles", "-o", "again.pmtiles"]);
    assert!(tiles(&here.join("again.pmtiles")) == all);
    ok(here, &["overviews", "fine.pmtiles", "-o", "some.pmtiles", "--min-zoom", "5"]);
    let some = tiles(&here.join("some.pmtiles"));
    assert!(some.iter().all(|(id, bytes)| id.zoom() >= Some(5) && all.get(id) == Some(bytes)) && some.len() == 50);
    all_fail(
        here,
        &[
            (&["overviews", "fine.pmtiles", "-o", "some.pmtiles"], 1, "exists already"),
            (&["overviews", "fine.pmtiles", "-o", "fine.pmtiles", "--overwrite"], 2, "is an input as well"),
            (&["overviews", "none.pmtiles", "-o", "x.pmtiles"], 1, "none.pmtiles"),
            (&["overviews", "fine.pmtiles", "-o", "x.pmtiles", "--min-zoom", "32"], 2, "32"),
        ],
    );
    // Tiles of which nobody knows what they hold have no mean.
    ok(here, &["edit", "fine.pmtiles", "--set", "encoding="]);
    let (code, said) = hypso(here, &["overviews", "fine.pmtiles", "-o", "x.pmtiles"]);
    assert!(code == 1 && said.contains("encoding"), "{said}");
    assert!(!here.join("x.pmtiles").exists());
}
