//! Which code writes WebP images.

use strum::VariantNames as _;

use super::webp::{Encoder, Level};
use crate::error::{Error, Result};

/// The encoder of lossless WebP. Both give the same pixels, in different bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case", parse_err_ty = Error, parse_err_fn = unknown)]
#[non_exhaustive]
pub enum WebpEncoder {
    /// Our own code, made for elevation (see [`super::webp`]).
    #[default]
    Hypso,
    /// libwebp, the reference: 5 to 20 times the time.
    Libwebp,
}

fn unknown(text: &str) -> Error {
    Error::unknown_name("encoder", text, WebpEncoder::VARIANTS)
}

thread_local! {
    /// About 15 MB of scratch for a tile of 512 pixels, kept by each thread that encodes.
    static OURS: std::cell::RefCell<Encoder> = std::cell::RefCell::default();
}

impl WebpEncoder {
    /// Encodes `size * size` pixels `0xRRGGBB` as a WebP file of one `VP8L` chunk. The same pixels give the same bytes.
    ///
    /// # Errors
    /// Where there are fewer or more pixels, or more than 16383 a side.
    pub(super) fn encode(self, level: Level, size: u32, pixels: &[u32]) -> Result<Vec<u8>> {
        match self {
            Self::Hypso => OURS.with_borrow_mut(|encoder| encoder.encode(level, size, size, pixels)),
            Self::Libwebp => by_libwebp(level, size, pixels),
        }
    }
}

/// libwebp's method and quality for a level: nearly the bytes of its own default in half the time, that default, all that it can do.
fn method(level: Level) -> (i32, f32) {
    match level {
        // With a quality of 25 or less it has no colour cache, and files are 2.5 times as large.
        Level::Fast => (1, 30.0),
        Level::Default => (4, 75.0),
        Level::Small | Level::Tiny => (6, 100.0),
    }
}

fn by_libwebp(level: Level, size: u32, pixels: &[u32]) -> Result<Vec<u8>> {
    let bad = |problem: String| Error::invalid("tile image", problem, "make the tile again");
    if size == 0 || (size as usize).checked_mul(size as usize) != Some(pixels.len()) {
        return Err(bad(format!("has {} pixels instead of {size} x {size}", pixels.len())));
    }
    let mut config = webp::WebPConfig::new().map_err(|()| bad("finds another version of libwebp".into()))?;
    (config.method, config.quality) = method(level);
    (config.lossless, config.exact, config.thread_level) = (1, 1, 0);
    let rgb = super::image::rgb(pixels);
    let file = webp::Encoder::from_rgb(&rgb, size, size).encode_advanced(&config);
    Ok(file.map_err(|e| bad(format!("is refused by libwebp: {e:?}")))?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_give_the_same_pixels_at_all_levels() {
        // Slopes with carries from one colour to the next.
        let code = |i: u32| 0x7f_ff00 + (i % 64) * 37 + (i / 64) * 91 + (i * i) % 3;
        let pixels: Vec<u32> = (0..64 * 64).map(code).collect();
        let rgb = crate::terrain::image::rgb(&pixels);
        for level in [Level::Fast, Level::Default, Level::Small, Level::Tiny] {
            let files = [WebpEncoder::Hypso, WebpEncoder::Libwebp].map(|e| e.encode(level, 64, &pixels).unwrap());
            assert_ne!(files[0], files[1], "they are two encoders");
            for file in files {
                assert_eq!(&file[12..16], b"VP8L");
                let image = crate::terrain::image::decode(&file).unwrap();
                assert_eq!((image.width, image.channels), (64, 3));
                assert!(image.bytes == rgb, "other pixels at level {level}");
            }
        }
        assert!(WebpEncoder::Libwebp.encode(Level::Fast, 64, &pixels[1..]).is_err());
        assert!(WebpEncoder::Libwebp.encode(Level::Fast, 0, &[]).is_err());
        assert!("jpeg".parse::<WebpEncoder>().unwrap_err().to_string().contains("expected one of hypso, libwebp"));
    }
}
