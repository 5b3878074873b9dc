//! Every image that goes in comes out of two decoders, libwebp and image-webp.

use std::io::Cursor;

use proptest::prelude::*;

use super::{Encoder, Level};

const LEVELS: [Level; 4] = [Level::Fast, Level::Default, Level::Small, Level::Tiny];

/// Encodes at each level, decodes twice, and returns the lengths.
fn round_trip(encoder: &mut Encoder, width: u32, height: u32, rgb: &[u8]) -> [usize; 4] {
    LEVELS.map(|level| {
        let file = encoder.encode_rgb(level, width, height, rgb).unwrap();
        if level != Level::Tiny || rgb.len() < 30_000 {
            let again = Encoder::default().encode_rgb(level, width, height, rgb).unwrap();
            assert!(again == file, "other bytes by a fresh encoder: {width} x {height}, {level:?}");
        }
        let theirs = webp::Decoder::new(&file).decode().expect("libwebp reads it");
        assert_eq!((theirs.width(), theirs.height(), theirs.is_alpha()), (width, height, false));
        assert!(*theirs == *rgb, "libwebp: {width} x {height}, {level:?}");
        if width.max(height) == 1 << 14 {
            // image-webp 0.2 takes this side for 0.
            return file.len();
        }
        let mut decoder = image_webp::WebPDecoder::new(Cursor::new(&file)).unwrap();
        let mut pixels = vec![0; rgb.len()];
        assert_eq!((decoder.dimensions(), decoder.has_alpha()), ((width, height), false));
        decoder.read_image(&mut pixels).unwrap();
        assert!(pixels == rgb, "image-webp: {width} x {height}, {level:?}");
        file.len()
    })
}

fn pixels(width: u32, height: u32, mut color: impl FnMut(u32, u32) -> u32) -> Vec<u8> {
    let at = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    at.flat_map(|(x, y)| color(x, y).to_be_bytes().into_iter().skip(1)).collect()
}

/// A number for a place, without pattern.
fn noise(x: u32, y: u32) -> u32 {
    let mut z = (u64::from(x) << 32 | u64::from(y)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb).rotate_left(20) as u32
}

/// Hills in steps of `step / 256` m, as Terrarium.
fn hills(x: u32, y: u32, step: u32) -> u32 {
    let (x, y) = (f64::from(x), f64::from(y));
    let height = 900.0 + 400.0 * (x / 90.0).sin() * (y / 70.0).cos() + 30.0 * (x / 7.0 + y / 11.0).sin();
    let code = ((height + 32_768.0) * 256.0) as u32 + noise(x as u32, y as u32) % 700;
    code / step * step
}

#[test]
fn sizes() {
    let mut encoder = Encoder::default();
    let sides = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65];
    for width in sides {
        for height in sides {
            round_trip(&mut encoder, width, height, &pixels(width, height, |x, y| hills(x, y, 16)));
            round_trip(&mut encoder, width, height, &pixels(width, height, |x, y| noise(x, y) & 0x3_0101));
            round_trip(&mut encoder, width, height, &pixels(width, height, noise));
        }
    }
    for (width, height) in [(16_384, 1), (1, 16_384), (16_383, 3), (5000, 2)] {
        round_trip(&mut encoder, width, height, &pixels(width, height, |x, y| hills(x, y, 32)));
        round_trip(&mut encoder, width, height, &pixels(width, height, |_, _| 0x80_0000));
    }
}

#[test]
fn what_is_refused() {
    let mut encoder = Encoder::default();
    for (width, height, bytes) in [(0, 1, 0), (1, 0, 0), (16_385, 1, 16_385 * 3), (2, 2, 11), (2, 2, 13)] {
        assert!(encoder.encode_rgb(Level::Default, width, height, &vec![0; bytes]).is_err());
    }
}

#[test]
fn colors_from_one_to_many() {
    let mut encoder = Encoder::default();
    for colors in [1u32, 2, 3, 4, 5, 15, 16, 17, 100, 255, 256, 257, 300, 5000] {
        let color = |i: u32| (i % colors).wrapping_mul(0x9e_3779) & 0xff_ffff;
        round_trip(&mut encoder, 75, 67, &pixels(75, 67, |x, y| color(noise(x, y))));
        let areas = round_trip(&mut encoder, 256, 256, &pixels(256, 256, |x, y| color(x / 40 + y / 50 * 7)));
        if colors <= 16 {
            assert!(areas.iter().all(|&length| length < 700), "{colors}: {areas:?}");
        }
    }
    // White and black are colours like others, in either order.
    round_trip(&mut encoder, 9, 9, &pixels(9, 9, |x, y| if x > y { 0 } else { 0xff_ffff }));
    round_trip(&mut encoder, 9, 9, &pixels(9, 9, |x, y| if x > y { 0xff_ffff } else { 0 }));
}

#[test]
fn uniform_tiles_are_small() {
    for color in [0u32, 0x80_0000, 0xff_ffff, 0x01_86a0] {
        let lengths = round_trip(&mut Encoder::default(), 512, 512, &pixels(512, 512, |_, _| color));
        assert!(lengths.iter().all(|&length| length <= 60), "{lengths:?}");
    }
}

#[test]
fn terrain_is_no_larger_than_libwebps() {
    let mut encoder = Encoder::default();
    for step in [1, 32, 128, 512] {
        // Smooth, with a hole; and upsampled four times.
        let native = pixels(512, 512, |x, y| if x > 300 && y < 90 { 0x80_0000 } else { hills(x, y, step) });
        let coarse = pixels(512, 512, |x, y| hills(x / 4, y / 4, step));
        for (rgb, slack) in [(&native, 1.09), (&coarse, 1.5)] {
            let lengths = round_trip(&mut encoder, 512, 512, rgb);
            let mut config = webp::WebPConfig::new().unwrap();
            (config.lossless, config.method, config.quality, config.exact) = (1, 4, 75.0, 1);
            let theirs = webp::Encoder::from_rgb(rgb, 512, 512).encode_advanced(&config).unwrap().len();
            assert!((lengths[1] as f64) < theirs as f64 * slack, "step {step}: {lengths:?}, libwebp {theirs}");
        }
    }
}

#[test]
fn groups_are_told_apart_where_half_of_the_image_is_empty() {
    let mut encoder = Encoder::default();
    // Two kinds of terrain beside the sea.
    let height = |x, y| if y > 300 { hills(x, y, 16) } else { hills(x, 0, 16) + (noise(x, y) & 3) * 256 };
    let coast = pixels(512, 512, |x, y| if x < 300 { 0x80_0000 } else { height(x, y) });
    let lengths = round_trip(&mut encoder, 512, 512, &coast);
    let apart: usize = [(300, 0), (211, 301)]
        .map(|(rows, top)| {
            let part = pixels(212, rows, |x, y| height(x + 300, y + top));
            encoder.encode_rgb(Level::Default, 212, rows, &part).unwrap().len()
        })
        .iter()
        .sum();
    assert!(lengths[1] < apart * 103 / 100, "{lengths:?}, its two parts {apart}");
}

/// Heights every 13 pixels, and straight lines between them both ways.
fn blown_up(x: u32, y: u32, step: u32) -> u32 {
    const CELL: u32 = 13;
    let at = |i: u32, j: u32| u64::from(hills(i * CELL, j * CELL, 256));
    let (i, j, u, v) = (x / CELL, y / CELL, u64::from(x % CELL), u64::from(y % CELL));
    let cell = u64::from(CELL);
    let row = |j: u32| at(i, j) * (cell - u) + at(i + 1, j) * u;
    let sum = row(j) * (cell - v) + row(j + 1) * v;
    ((sum + cell * cell * u64::from(step) / 2) / (cell * cell * u64::from(step))) as u32 * step
}

#[test]
fn blown_up_terrain_is_smaller_than_libwebps() {
    let mut encoder = Encoder::default();
    for step in [32, 64] {
        let smooth = pixels(512, 512, |x, y| blown_up(x, y, step));
        // And beside the sea, and beside rough terrain.
        let coast = pixels(512, 512, |x, y| if x + y > 700 { 0x80_0000 } else { blown_up(x, y, step) });
        let beside = pixels(512, 512, |x, y| if x > 400 { hills(x, y, step) } else { blown_up(x, y, step) });
        for rgb in [&smooth, &coast, &beside] {
            let lengths = round_trip(&mut encoder, 512, 512, rgb);
            let mut config = webp::WebPConfig::new().unwrap();
            (config.lossless, config.method, config.quality, config.exact) = (1, 4, 75.0, 1);
            let theirs = webp::Encoder::from_rgb(rgb, 512, 512).encode_advanced(&config).unwrap().len();
            assert!(lengths[1] < theirs && lengths[2] < theirs, "step {step}: {lengths:?}, libwebp {theirs}");
        }
    }
}

#[test]
fn bytes_are_the_same_on_every_machine() {
    // Whole numbers only, unlike `hills`: rough, upsampled, sea.
    let rough = |x: u32, y: u32| (x * 37 + y * 91 + noise(x / 9, y / 9) % 3000 + noise(x, y) % 600) / 32 * 32;
    let line = |x: u32, y: u32| (noise(x / 16, y) % 2000 * (16 - x % 16) + noise(x / 16 + 1, y) % 2000 * (x % 16)) / 16;
    let smooth = |x: u32, y: u32| (line(x, y / 16) * (16 - y % 16) + line(x, y / 16 + 1) * (y % 16)) / 512 * 32;
    for (tile, sums) in [
        (pixels(256, 200, |x, y| 0x80_0000 + if x + y > 400 { 0 } else { rough(x, y) }), ROUGH_SUMS),
        (pixels(256, 200, |x, y| 0x80_0000 + if x + y > 400 { 0 } else { smooth(x, y) }), SMOOTH_SUMS),
    ] {
        let files = LEVELS.map(|level| Encoder::default().encode_rgb(level, 256, 200, &tile).unwrap());
        let found = files.map(|file| xxhash_rust::xxh3::xxh3_64(&file) as u32);
        assert_eq!(
            found, sums,
            "other bytes; if the encoder was changed on purpose, the changelog says so: {found:08x?}"
        );
    }
}

/// Sums of the files of each level, the low half of XXH3.
const ROUGH_SUMS: [u32; 4] = [0xb918_ce45, 0xa110_ea7a, 0xbfd0_6b69, 0x2073_0810];
const SMOOTH_SUMS: [u32; 4] = [0x5421_d1e0, 0xfbe6_d1e7, 0xa147_b400, 0xa147_b400];

/// Images with spans that occurred before, near and far, and runs.
fn patchwork() -> impl Strategy<Value = (u32, u32, Vec<u8>)> {
    let span = (0u8..4, 1usize..400, 1usize..2000, any::<u32>());
    (1u32..90, 1u32..90, prop::collection::vec(span, 1..40), 0u32..24).prop_map(|(width, height, spans, shift)| {
        let mut codes: Vec<u32> = vec![0x80_1234];
        for (kind, length, back, seed) in spans {
            for i in 0..length {
                let last = codes[codes.len() - 1];
                codes.push(match kind {
                    0 => last,
                    1 => codes[codes.len() - 1 - (back % codes.len())],
                    2 => noise(i as u32, seed) >> 8,
                    _ => last.wrapping_add((noise(i as u32, seed) % 9) << shift).wrapping_sub(4 << shift) & 0xff_ffff,
                });
            }
        }
        let mut at = codes.iter().cycle();
        let rgb = pixels(width, height, |_, _| *at.next().unwrap());
        (width, height, rgb)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn patchworks((width, height, rgb) in patchwork()) {
        round_trip(&mut Encoder::default(), width, height, &rgb);
    }

    #[test]
    fn random_bytes(width in 1u32..40, bytes in prop::collection::vec(any::<u8>(), 120..6000)) {
        let height = bytes.len() as u32 / 3 / width;
        if height > 0 {
            round_trip(&mut Encoder::default(), width, height, &bytes[..(width * height * 3) as usize]);
        }
    }
}
