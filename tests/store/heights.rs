//! The kept file of heights opens for ever, with the answers that it gave when it was made.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use hypso::container::{Handle, Schema};
use hypso::heights::{
    Description, HeightQueries, Heights, Interpolation, Packed, Sampling, Seen, Sight, Spacing, Voids, Writer,
};
use hypso::progress::Silent;
use hypso::tile::{Area, LonLat, LonLatBox, TileCoord, TileId};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1.heights")
}

/// A cone of 3776 m on a plain, in tiles of 40 pixels at zooms 8 to 10 around 138.7 E, 35.4 N; with a void, level ground and a
/// cliff. Even pixels come from source 0, odd ones from source 1. Far from it two tiles of zoom 10 share their pixels: the sea, but
/// for a block of void.
fn made() -> Vec<u8> {
    let mut out = Writer::new(Cursor::new(Vec::new()), None, 40, Writer::TERRARIUM, true).unwrap();
    let mut tiles: Vec<TileCoord> = (8..=10u8)
        .flat_map(|z| {
            let centre = TileCoord::new(10, 906, 404).unwrap().ancestor(z).unwrap();
            (0..9u32).filter_map(move |i| TileCoord::new(z, centre.x() + i % 3 - 1, centre.y() + i / 3 - 1))
        })
        .filter(|tile| tile.z() < 10 || tile.x() < 907)
        .collect();
    tiles.sort_unstable_by_key(|&tile| TileId::from(tile));
    for tile in tiles {
        let (mut codes, mut valid, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..1600i64 {
            let pixel = |tile: u32, i: i64| i64::from(tile) * 40 + i;
            let scale = 1 << (10 - tile.z());
            let (dx, dy) = (pixel(tile.x(), i % 40) * scale - 36_260, pixel(tile.y(), i / 40) * scale - 16_180);
            let from_top = ((dx * dx + dy * dy) as f64).sqrt() as i64;
            let cliff = if dx > 30 { 200 } else { 0 };
            let metres = if dy > 45 { 12 } else { (3776 - from_top * 40).max(300) - cliff };
            codes.push(((metres + 32_768) * 256) as u32);
            valid.push(u8::from(tile.z() < 9 || !(20..26).contains(&dx) || dy > 10));
            sources.push((i % 2) as u32);
        }
        let lineage = Packed::new(40, &sources, &[1; 1600]).unwrap();
        out.put(tile.into(), &Packed::new(40, &codes, &valid).unwrap(), Some(&lineage)).unwrap();
        assert!(out.repeat(tile.into(), 0, Some(&lineage)).is_err(), "a tile stands once");
    }
    let valid: Vec<u8> = (0..1600).map(|i| u8::from(i % 40 >= 16 || i >= 16 * 40)).collect();
    let sea = Packed::new(40, &[32_768 * 256; 1600], &valid).unwrap();
    let nothing = Packed::new(40, &[0; 1600], &[0; 1600]).unwrap();
    let content = out.put(far(0).into(), &sea, Some(&nothing)).unwrap();
    out.repeat(far(1).into(), content, Some(&nothing)).unwrap();
    let description = Description {
        metadata: r#"{"encoding":"terrarium","format":"webp","name":"cone"}"#.into(),
        datum: "EGM2008".into(),
        sources: vec!["even".into(), "odd".into()],
    };
    out.finish(&description).unwrap().into_inner()
}

#[test]
#[ignore = "writes the kept file; for a new version only"]
fn make_the_file() {
    std::fs::write(fixture(), made()).unwrap();
}

#[test]
fn todays_writer_makes_the_bytes_that_are_kept() {
    let (kept, now) = (std::fs::read(fixture()).unwrap(), made());
    let differs = kept.iter().zip(&now).position(|(a, b)| a != b);
    assert_eq!((kept.len(), differs), (now.len(), None), "lengths, and the first byte that differs");
}

#[test]
fn the_kept_file_has_its_answers() {
    let place = |lon: f64, lat: f64| LonLat::new(lon, lat).unwrap();
    let opened = [Heights::open(fixture()).unwrap(), Heights::from_bytes(std::fs::read(fixture()).unwrap()).unwrap()];
    let handle: Handle<Heights> = Handle::open(fixture()).unwrap();
    for heights in opened.iter().chain([&*handle.load()]) {
        assert_eq!((heights.shape().size, heights.shape().min_zoom, heights.shape().max_zoom), (40, 8, 10));
        assert_eq!((heights.shape().tiles, heights.datum().unwrap().as_deref()), (26, Some("EGM2008")));
        assert_eq!(HeightQueries::sources(heights).unwrap(), ["even", "odd"]);
        assert!(heights.metadata().unwrap().contains("cone"));
        assert_eq!(heights.verify(&Silent).unwrap().len(), 0);
        assert_eq!(heights.container().verify_checksums().len(), 0);
        let metres =
            |lon, lat, how: Sampling| heights.sample(place(lon, lat), &how).unwrap().map(|h| (h.metres, h.zoom));
        let how = Sampling::default();
        let nearest = how.interpolation(Interpolation::Nearest);
        assert_eq!(metres(SUMMIT.0, SUMMIT.1, nearest), Some((3776.0, 10)));
        assert_eq!(metres(138.54, 34.954, how), Some((12.0, 10)));
        // Fine tiles end at 907; a void is filled on request; beyond the tiles there is nothing.
        assert_eq!(metres(138.87, 35.21, how).map(|(_, zoom)| zoom), Some(9));
        assert_eq!(metres(VOID.0, VOID.1, how), None);
        assert_eq!(metres(VOID.0, VOID.1, how.voids(Voids::FillFromCoarser)).map(|(_, zoom)| zoom), Some(8));
        assert_eq!(metres(0.0, 0.0, how), None);
        let shared = far(1);
        let far = [far(0), shared].map(|tile| heights.content_of(tile.into()).unwrap());
        assert!(far[0].is_some() && far[0] == far[1], "{far:?}");
        let sea = HeightQueries::tile(heights, shared).unwrap().unwrap();
        assert!(sea.valid.iter().enumerate().all(|(i, &v)| (v == 1) == (i % 40 >= 16 || i >= 640)));
        assert!(sea.values.iter().all(|&metres| metres == 0.0));
        let area = Area::from(LonLatBox::new(138.5, 34.9, 138.9, 35.6).unwrap());
        let found = heights.statistics(&area, None).unwrap();
        assert_eq!((found.least, found.greatest), (Some(12.0), Some(3776.0)));
        assert!(found.void > 0.0);
        let line = [place(138.5, 35.46), place(SUMMIT.0, SUMMIT.1)];
        let profile = heights.along(&line, Spacing::Count(100), &how).unwrap();
        assert!(profile.climb > 1000.0 && profile.descent < 300.0, "{profile:?}");
        let behind = place(SUMMIT.0 + (SUMMIT.0 - 138.5), 35.46);
        let seen = heights.sees(&Sight::new(line[0], behind), &how.voids(Voids::FillFromCoarser)).unwrap();
        assert!(matches!(seen, Seen::Blocked { .. }), "{seen:?}");
    }
    let source = |lon: f64| opened[0].at(lon, SUMMIT.1).unwrap().unwrap().source;
    let pixel = 360.0 / 1024.0 / 40.0;
    assert_eq!((source(SUMMIT.0), source(SUMMIT.0 + pixel)), (Some(0), Some(1)));
}

/// The last two tiles of zoom 10.
fn far(n: u32) -> TileCoord {
    TileCoord::new(10, 1022 + n, 0).unwrap()
}

/// The middles of pixels, from the definition of the tiles: the top of the cone, and a void.
const SUMMIT: (f64, f64) = ((36_260.5) / 40_960.0 * 360.0 - 180.0, 35.313_78);
const VOID: (f64, f64) = ((36_283.5) / 40_960.0 * 360.0 - 180.0, 35.385);
