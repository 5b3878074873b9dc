//! Encoders of lossless tiles side by side, on the same pixels in the same run: ours at three levels, libwebp, image-webp, png.
//!
//! The tiles are made here, so that nobody needs data: fractal terrain in steps of 1/2 m, the same blown up four times, and a coast. The
//! bytes of each are printed first. Results, and those of real tiles: `RESULTS.md`.

#![allow(missing_docs, reason = "criterion's macros")]

#[path = "common/terrain.rs"]
mod terrain;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use hypso::terrain::webp::{Encoder, Level};
use terrain::height;

const SIDE: u32 = 512;

/// A Terrarium tile of heights in steps of `step / 256` m.
fn tile(step: f64, height: impl Fn(u32, u32) -> f64) -> Vec<u8> {
    let at = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y)));
    at.flat_map(|(x, y)| {
        let code = ((height(x, y) * 256.0 / step).round() * step) as i32 + (32_768 << 8);
        code.to_be_bytes().into_iter().skip(1)
    })
    .collect()
}

fn tiles() -> Vec<(&'static str, Vec<u8>)> {
    let native = |x: u32, y: u32| height(f64::from(x), f64::from(y));
    let coarse = |x: u32, y: u32| {
        // Bilinear between every fourth pixel, whose heights are whole metres.
        let at = |i: u32, j: u32| height(f64::from(i * 4), f64::from(j * 4)).round();
        let (i, j, u, v) = (x / 4, y / 4, f64::from(x % 4) / 4.0, f64::from(y % 4) / 4.0);
        (at(i, j) * (1.0 - u) + at(i + 1, j) * u) * (1.0 - v) + (at(i, j + 1) * (1.0 - u) + at(i + 1, j + 1) * u) * v
    };
    let coast = |x: u32, y: u32| (native(x, y) - 900.0).max(0.0);
    vec![("native", tile(128.0, native)), ("blown up", tile(128.0, coarse)), ("coast", tile(128.0, coast))]
}

fn libwebp(rgb: &[u8], method: i32, quality: f32) -> Vec<u8> {
    let mut config = webp::WebPConfig::new().expect("a configuration");
    (config.lossless, config.method, config.quality, config.exact) = (1, method, quality, 1);
    webp::Encoder::from_rgb(rgb, SIDE, SIDE).encode_advanced(&config).expect("libwebp encodes").to_vec()
}

fn image_webp(rgb: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    image_webp::WebPEncoder::new(&mut out)
        .encode(rgb, SIDE, SIDE, image_webp::ColorType::Rgb8)
        .expect("image-webp encodes");
    out
}

fn png(rgb: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Balanced);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(rgb)).expect("png encodes");
    out
}

type Encode = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

fn encoders() -> Vec<(&'static str, Encode)> {
    let ours = |level| {
        let mut encoder = Encoder::default();
        Box::new(move |rgb: &[u8]| encoder.encode_rgb(level, SIDE, SIDE, rgb).expect("we encode")) as Encode
    };
    vec![
        ("hypso fast", ours(Level::Fast)),
        ("hypso default", ours(Level::Default)),
        ("hypso small", ours(Level::Small)),
        ("libwebp m0", Box::new(|rgb| libwebp(rgb, 0, 0.0))),
        ("libwebp m1 q30", Box::new(|rgb| libwebp(rgb, 1, 30.0))),
        ("libwebp m4 q75", Box::new(|rgb| libwebp(rgb, 4, 75.0))),
        ("libwebp m6 q75", Box::new(|rgb| libwebp(rgb, 6, 75.0))),
        ("image-webp", Box::new(image_webp)),
        ("png", Box::new(png)),
    ]
}

fn encode(criterion: &mut Criterion) {
    for (name, rgb) in tiles() {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
        for (encoder, mut encode) in encoders() {
            let file = encode(&rgb);
            println!("{name}, {encoder}: {} bytes", file.len());
            if encoder.starts_with("hypso") {
                let theirs = webp::Decoder::new(&file).decode().expect("libwebp reads it");
                assert!(*theirs == *rgb, "{name}, {encoder}: other pixels");
            }
            group.bench_function(encoder, |bencher| bencher.iter(|| encode(black_box(&rgb))));
        }
        group.finish();
    }
}

criterion_group!(benches, encode);
criterion_main!(benches);
