//! Encoders of lossless tiles side by side, on the same pixels in the same run: ours at four levels, libwebp, image-webp, png.
//!
//! The tiles are made here, so that nobody needs data: fractal terrain in steps of 1/2 m, the same upsampled four times, and a coast. The
//! bytes of each are printed first. Results, and those of real tiles: `RESULTS.md`.
//!
//! For tiles of your own, archives that `hypso tiles` made, it prints a table instead: time of the processor (on the clock where the system is no
//! Unix), the better of two rounds, or one where it took over 50 ms. It fails where the default level is more than 5 % larger than libwebp's
//! method 4 in a tile of 1000 bytes or more, and names such tiles:
//!
//! ```sh
//! HYPSO_BENCH_ARCHIVES=alps.pmtiles:coast.mbtiles cargo bench --bench encode
//! ```

#![allow(missing_docs, reason = "criterion's macros")]

#[path = "common/terrain.rs"]
mod terrain;

use std::hint::black_box;
use std::io::Cursor;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use hypso::archive;
use hypso::terrain::webp::{Encoder, Level};
use terrain::height;

const SIDE: u32 = 512;
/// Which of the encoders the others are compared with.
const REFERENCE: usize = 6;
const ONE_ROUND: Duration = Duration::from_millis(50);
/// The encoder that is held to a limit, and what a tile of it takes of the reference at most, in thousandths.
const HELD: usize = 1;
const MOST: usize = 1050;

/// What this thread has taken of the processor.
#[cfg(unix)]
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(unix))]
fn now() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

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
    vec![("native", tile(128.0, native)), ("upsampled", tile(128.0, coarse)), ("coast", tile(128.0, coast))]
}

fn libwebp(side: u32, rgb: &[u8], method: i32, quality: f32) -> Vec<u8> {
    let mut config = webp::WebPConfig::new().expect("a configuration");
    (config.lossless, config.method, config.quality, config.exact) = (1, method, quality, 1);
    webp::Encoder::from_rgb(rgb, side, side).encode_advanced(&config).expect("libwebp encodes").to_vec()
}

fn image_webp(side: u32, rgb: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    image_webp::WebPEncoder::new(&mut out)
        .encode(rgb, side, side, image_webp::ColorType::Rgb8)
        .expect("image-webp encodes");
    out
}

fn png(side: u32, rgb: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, side, side);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Balanced);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(rgb)).expect("png encodes");
    out
}

type Encode = Box<dyn FnMut(u32, &[u8]) -> Vec<u8>>;

fn encoders() -> Vec<(&'static str, Encode)> {
    let ours = |level| {
        let mut encoder = Encoder::default();
        Box::new(move |side: u32, rgb: &[u8]| encoder.encode_rgb(level, side, side, rgb).expect("we encode")) as Encode
    };
    vec![
        ("hypso fast", ours(Level::Fast)),
        ("hypso default", ours(Level::Default)),
        ("hypso small", ours(Level::Small)),
        ("hypso tiny", ours(Level::Tiny)),
        ("libwebp m0", Box::new(|side, rgb| libwebp(side, rgb, 0, 0.0))),
        ("libwebp m1 q30", Box::new(|side, rgb| libwebp(side, rgb, 1, 30.0))),
        ("libwebp m4 q75", Box::new(|side, rgb| libwebp(side, rgb, 4, 75.0))),
        ("libwebp m6 q75", Box::new(|side, rgb| libwebp(side, rgb, 6, 75.0))),
        ("image-webp", Box::new(image_webp)),
        ("png", Box::new(png)),
    ]
}

/// The pixels of a tile: its side, and RGB.
fn pixels(file: &[u8]) -> Option<(u32, Vec<u8>)> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(file)).ok()?;
    let (width, height) = decoder.dimensions();
    let mut rgb = vec![0; width as usize * height as usize * 3];
    let plain = !decoder.has_alpha() && width == height;
    (plain && decoder.read_image(&mut rgb).is_ok()).then_some((width, rgb))
}

/// A table of all encoders over the tiles of each archive.
fn archives(paths: &str) {
    println!(
        "CPU milliseconds a tile, bytes beside libwebp m4 q75 in sum, and those of the worst tile of 1000 bytes or more"
    );
    let mut above = Vec::new();
    for path in std::env::split_paths(paths) {
        let source = archive::open(&path).expect("an archive");
        let mut encoders = encoders();
        let mut sums = vec![(Duration::ZERO, 0, 0f64); encoders.len()];
        let mut tiles = 0;
        for tile in source.ids().expect("tiles") {
            let coord = tile.ok().and_then(|id| id.coord()).expect("a tile");
            let file = source.tile(coord).expect("the archive is whole").expect("the tile is there");
            let Some((side, rgb)) = pixels(&file) else { continue };
            tiles += 1;
            let lengths: Vec<usize> = encoders
                .iter_mut()
                .zip(&mut sums)
                .map(|((_, encode), (time, bytes, _))| {
                    let mut best = Duration::MAX;
                    let mut length = 0;
                    for _ in 0..2 {
                        let started = now();
                        length = black_box(encode(side, &rgb)).len();
                        best = best.min(now() - started);
                        if best > ONE_ROUND {
                            break;
                        }
                    }
                    *time += best;
                    *bytes += length;
                    length
                })
                .collect();
            let reference = lengths[REFERENCE];
            if reference >= 1000 && lengths[HELD] * 1000 > reference * MOST {
                above.push(format!("{} {coord}: {} bytes, {reference} by libwebp", path.display(), lengths[HELD]));
            }
            for ((_, _, worst), &length) in sums.iter_mut().zip(&lengths).filter(|_| reference >= 1000) {
                *worst = worst.max(length as f64 / reference as f64);
            }
        }
        println!("{}: {tiles} tiles", path.display());
        for ((name, _), (time, bytes, worst)) in encoders.iter().zip(&sums) {
            let ms = time.as_secs_f64() * 1e3 / f64::from(tiles.max(1));
            println!("  {name:16} {ms:8.2} ms {:7.3} {worst:7.3}", *bytes as f64 / sums[REFERENCE].1 as f64);
        }
    }
    assert!(above.is_empty(), "{} tiles of the default level above the limit: {above:#?}", above.len());
}

fn encode(criterion: &mut Criterion) {
    if let Ok(paths) = std::env::var("HYPSO_BENCH_ARCHIVES") {
        archives(&paths);
        return;
    }
    for (name, rgb) in tiles() {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
        for (encoder, mut encode) in encoders() {
            let file = encode(SIDE, &rgb);
            println!("{name}, {encoder}: {} bytes", file.len());
            if encoder.starts_with("hypso") {
                let theirs = webp::Decoder::new(&file).decode().expect("libwebp reads it");
                assert!(*theirs == *rgb, "{name}, {encoder}: other pixels");
            }
            group.bench_function(encoder, |bencher| bencher.iter(|| encode(SIDE, black_box(&rgb))));
        }
        group.finish();
    }
}

criterion_group!(benches, encode);
criterion_main!(benches);
