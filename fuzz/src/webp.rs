//! Encodes random images at one level or all and decodes them with libwebp and image-webp. See README.md.

mod random;

use std::io::Cursor;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hypso::terrain::webp::{Encoder, Level};
use random::Random;

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        (self.next() % u64::from(n.max(1))) as u32
    }
}

/// An image from a few operations: noise of some depth, slopes, runs, copies from before, few colours, rectangles.
fn image(random: &mut Random) -> (u32, u32, Vec<u8>) {
    let long = [1, 9, 70, 300, 1500][random.below(5) as usize];
    let width = 1 + random.below(long);
    let high = [1, 9, 70, 300, 600][random.below(5) as usize];
    let height = 1 + random.below((120_000 / width).min(high));
    let n = (width * height) as usize;
    let shift = random.below(20);
    let spread = 1 + random.below(40);
    let colors: Vec<u32> = (0..1 + random.below(300)).map(|_| random.next() as u32 & 0xff_ffff).collect();
    let kinds = 1 + random.below(6);
    let mut codes: Vec<u32> = Vec::with_capacity(n);
    while codes.len() < n {
        let (longest, farthest) = ([4, 40, 400, 9000][random.below(4) as usize], 1 << random.below(18));
        let (length, back) = (1 + random.below(longest) as usize, 1 + random.below(farthest) as usize);
        let color = colors[random.below(colors.len() as u32) as usize];
        let kind = random.below(kinds);
        for i in 0..length.min(n - codes.len()) {
            let last = codes.last().copied().unwrap_or(0x80_0000);
            let earlier = codes.len().checked_sub(back).map_or(color, |at| codes[at]);
            codes.push(match kind {
                0 => color,
                1 => last.wrapping_add(random.below(spread) << shift).wrapping_sub((spread / 2) << shift),
                2 => earlier,
                3 => colors[(random.next() % colors.len() as u64) as usize],
                4 => color.wrapping_add((i as u32).wrapping_mul(spread) << shift),
                _ => random.next() as u32,
            });
        }
    }
    let rgb = codes.iter().flat_map(|code| code.to_be_bytes().into_iter().skip(1)).collect();
    (width, height, rgb)
}

fn check(encoder: &mut Encoder, levels: &[Level], width: u32, height: u32, rgb: &[u8]) -> Result<(), String> {
    for &level in levels {
        let file = encoder.encode_rgb(level, width, height, rgb).map_err(|e| format!("{level:?}: {e}"))?;
        let theirs = webp::Decoder::new(&file).decode().ok_or(format!("{level:?}: libwebp refuses it"))?;
        if *theirs != *rgb {
            return Err(format!("{level:?}: libwebp sees other pixels"));
        }
        let mut decoder = image_webp::WebPDecoder::new(Cursor::new(&file)).map_err(|e| format!("{level:?}: {e}"))?;
        let mut pixels = vec![0; rgb.len()];
        decoder.read_image(&mut pixels).map_err(|e| format!("{level:?}: image-webp: {e}"))?;
        if pixels != rgb {
            return Err(format!("{level:?}: image-webp sees other pixels"));
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: u64| {
        let at = arguments.iter().position(|a| a == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (seconds, seed) = (option("--seconds", 20), option("--seed", 1));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut encoder = Encoder::default();
    let mut images = 0u64;
    while Instant::now() < end {
        // Each image has a seed of its own, so that one can be made again alone.
        let own = seed.wrapping_mul(1_000_003).wrapping_add(images);
        let (width, height, rgb) = image(&mut Random(own));
        // A second encoding tells little that the first one did not; most images are encoded at one level.
        let levels = [Level::Fast, Level::Default, Level::Small, Level::Tiny];
        let one = (own % 5) as usize;
        if let Err(problem) = check(&mut encoder, levels.get(one..=one).unwrap_or(&levels[..]), width, height, &rgb) {
            eprintln!("image {own}, {width} x {height}: {problem}");
            return ExitCode::FAILURE;
        }
        images += 1;
    }
    println!("{images} images, no failure");
    ExitCode::SUCCESS
}
