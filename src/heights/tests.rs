//! Made-up tiles, and questions answered by their definition.

use std::io::Cursor;

use super::{Description, Heights, Interpolation, Packed, Sampling, Voids, Writer};
use crate::tile::{LonLat, TileCoord, TileId};

/// Tiles of `size` pixels at mixed zooms: a pyramid over the world with holes, fine tiles on both sides of the 180th meridian, some
/// of them partly void or level.
pub(super) fn made_up(size: u32) -> Heights {
    let mut tiles: Vec<TileId> = (0..=3u8)
        .flat_map(|z| (0..1u32 << z).flat_map(move |x| (0..1u32 << z).map(move |y| (z, x, y))))
        .filter(|&(z, x, y)| z < 3 || (x * 7 + y * 3) % 5 != 0)
        .chain([(4, 15, 6), (4, 0, 6), (4, 0, 7), (4, 8, 8), (5, 31, 13), (5, 0, 13), (5, 1, 12), (6, 63, 26)])
        .filter_map(|(z, x, y)| TileCoord::new(z, x, y))
        .map(TileId::from)
        .collect();
    tiles.sort_unstable();
    let mut out = Writer::new(Cursor::new(Vec::new()), None, size, Writer::TERRARIUM, false).unwrap();
    for id in tiles {
        let (codes, valid) = pixels_of(id, size);
        out.put(id, &Packed::new(size, &codes, &valid).unwrap(), None).unwrap();
    }
    let description = Description { metadata: "{}".into(), datum: "a datum".into(), sources: Vec::new() };
    Heights::from_bytes(out.finish(&description).unwrap().into_inner()).unwrap()
}

fn pixels_of(id: TileId, size: u32) -> (Vec<u32>, Vec<u8>) {
    let mut state = id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let level = id.0 % 11 == 3;
    let pixel = |i: u32| {
        let (x, y) = (i % size, i / size);
        let void = id.0 % 3 == 1 && ((x / 5 + y / 7) % 4 == 0 || x > size / 2 && y > size / 2);
        let code = 0x80_0000 + if level { 256 } else { x * 300 + y * y * 2 + random() % 512 };
        (code, u8::from(!void))
    };
    (0..size * size).map(pixel).unzip()
}

/// Points over the world, many of them at the borders of tiles and beside the 180th meridian.
pub(super) fn points(count: usize) -> impl Iterator<Item = LonLat> {
    let mut state = 7u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..count).map(move |i| {
        let (a, b) = (random(), random());
        let near = (random() - 0.5) * 1e-2;
        let (lon, lat) = match i % 4 {
            0 => (a * 360.0 - 180.0, b * 180.0 - 90.0),
            1 => ((a * 64.0).round() * 5.625 - 180.0 + near, b * 60.0 - 30.0),
            2 => (180.0 + near * 100.0, b * 80.0 - 10.0),
            _ => (170.0 + a * 20.0, 10.0 + b * 30.0),
        };
        LonLat::new(lon, lat).unwrap()
    })
}

pub(super) fn samplings() -> impl Iterator<Item = Sampling> {
    [Interpolation::Bilinear, Interpolation::Nearest].into_iter().flat_map(|interpolation| {
        [Voids::Keep, Voids::FillFromCoarser].into_iter().flat_map(move |voids| {
            let how = Sampling::default().interpolation(interpolation).voids(voids);
            [how, how.up_to_zoom(4)]
        })
    })
}

/// The height at a point by its definition, from decoded tiles.
fn by_definition(heights: &Heights, point: LonLat, how: &Sampling) -> Option<f64> {
    use crate::tile::web_mercator::{MAX_LATITUDE, WORLD, from_lon_lat};
    if point.lat().abs() > MAX_LATITUDE {
        return None;
    }
    let shape = *heights.shape();
    let decoded = |z: u8, x: i64, y: i64| -> Option<Option<f64>> {
        let size = i64::from(shape.size);
        let tile = TileCoord::new(z, (x / size) as u32, (y / size) as u32)?;
        heights.content_of(tile.into()).unwrap()?;
        let (codes, valid) = pixels_of(tile.into(), shape.size);
        let i = (y % size * size + x % size) as usize;
        Some((valid[i] == 1).then(|| f64::from(codes[i]) / 256.0 - 32_768.0))
    };
    // What a pixel of a zoom is, or that of the finest coarser tile.
    let seen = |z: u8, x: i64, y: i64| -> Option<f64> {
        let side = i64::from(shape.size) << z;
        if !(0..side).contains(&y) {
            return None;
        }
        for up in 0..=z {
            if let Some(pixel) = decoded(z - up, x.rem_euclid(side) >> up, y >> up) {
                return pixel;
            }
        }
        None
    };
    let (x, y) = from_lon_lat(point.lon(), point.lat());
    let (u, v) = (x / WORLD + 0.5, 0.5 - y / WORLD);
    for z in (0..=how.max_zoom.unwrap_or(31).min(shape.max_zoom)).rev() {
        let side = f64::from(shape.size) * f64::from(z).exp2();
        let (own_x, own_y) = ((u * side) as i64, ((v * side) as i64).min(side as i64 - 1));
        match decoded(z, own_x, own_y) {
            None => continue,
            Some(None) if how.voids == Voids::FillFromCoarser => continue,
            Some(None) => return None,
            Some(Some(own)) if how.interpolation == Interpolation::Nearest => return Some(own),
            Some(Some(_)) => {}
        }
        let (left, top) = ((u * side - 0.5).floor(), (v * side - 0.5).floor());
        let (mut sum, mut weights) = (0.0, 0.0);
        for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
            let weight = (1.0 - (u * side - 0.5 - left - dx).abs()) * (1.0 - (v * side - 0.5 - top - dy).abs());
            if let Some(height) = seen(z, (left + dx) as i64, (top + dy) as i64) {
                (sum, weights) = (sum + weight * height, weights + weight);
            }
        }
        return Some(sum / weights);
    }
    None
}

#[test]
fn a_height_is_what_its_definition_says() {
    for size in [64, 50] {
        let heights = made_up(size);
        let mut found = [0; 2];
        for how in samplings() {
            for point in points(4000) {
                let height = super::at::at(&heights, point, &how).unwrap().map(|height| height.metres);
                let expected = by_definition(&heights, point, &how);
                found[usize::from(expected.is_some())] += 1;
                match (height, expected) {
                    (Some(a), Some(b)) => assert!((a - b).abs() < 1e-6, "{point:?} {how:?}: {a}, not {b}"),
                    (a, b) => assert_eq!(a, b, "{point:?} {how:?}"),
                }
            }
        }
        assert!(found.iter().all(|&n| n > 3000), "{found:?}");
    }
}

#[test]
fn a_file_gives_back_the_tiles_that_went_in() {
    for size in [1, 16, 50, 256] {
        let heights = made_up(size);
        assert_eq!((heights.shape().min_zoom, heights.shape().max_zoom, heights.shape().size), (0, 6, size));
        let (mut codes, mut valid, mut tiles) = (Vec::new(), Vec::new(), 0);
        for tile in heights.tiles() {
            let (id, content) = tile.unwrap();
            heights.read_codes(content, &mut codes, &mut valid).unwrap();
            let (expected, mask) = pixels_of(id, size);
            assert_eq!(valid, mask);
            assert!(codes.iter().zip(&expected).zip(&mask).all(|((a, b), m)| a * u32::from(*m) == b * u32::from(*m)));
            let facts = heights.facts(content);
            let known = || expected.iter().zip(&mask).filter(|(_, m)| **m == 1).map(|(code, _)| *code);
            assert_eq!(facts.valid as usize, known().count());
            assert_eq!(facts.sum, known().map(u64::from).sum::<u64>());
            if facts.valid > 0 {
                assert_eq!((Some(facts.least), Some(facts.greatest)), (known().min(), known().max()));
            }
            tiles += 1;
        }
        assert_eq!(tiles, heights.shape().tiles);
        assert_eq!(heights.datum().unwrap().as_deref(), Some("a datum"));
    }
}
