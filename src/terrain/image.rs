//! Lossless images of tiles, and the chunks in their files.

use std::io::Cursor;

use strum::VariantNames as _;

use super::encoder::WebpEncoder;
use super::webp::Level;
use super::{mask, png};
use crate::error::{Error, Result};

/// The image format of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case", parse_err_ty = Error, parse_err_fn = unknown)]
#[non_exhaustive]
pub enum ImageFormat {
    /// Lossless WebP.
    Webp,
    /// PNG, 8 bits a channel.
    Png,
}

fn unknown(text: &str) -> Error {
    Error::unknown_name("image format", text, ImageFormat::VARIANTS)
}

/// Pixels along a side at most; more is refused before anything is allocated.
const MAX_SIDE: u32 = 4096;

/// Pixels of an image: 3 (RGB) or 4 (RGBA) bytes each.
pub(super) struct Pixels {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) channels: usize,
    pub(super) bytes: Vec<u8>,
}

fn bad(problem: impl std::fmt::Display) -> Error {
    Error::invalid("tile image", problem.to_string(), "make the tile again")
}

/// The format of an image file by its first bytes.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<ImageFormat> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(ImageFormat::Png)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(ImageFormat::Webp)
    } else {
        None
    }
}

/// Width and height of a WebP or PNG file, from its header.
///
/// # Errors
/// Where it is neither, or its header is damaged.
pub fn image_size(bytes: &[u8]) -> Result<(u32, u32)> {
    match sniff(bytes) {
        Some(ImageFormat::Png) => {
            let reader = ::png::Decoder::new(Cursor::new(bytes)).read_info().map_err(bad)?;
            Ok((reader.info().width, reader.info().height))
        }
        Some(ImageFormat::Webp) => Ok(image_webp::WebPDecoder::new(Cursor::new(bytes)).map_err(bad)?.dimensions()),
        None => Err(bad("is neither WebP nor PNG")),
    }
}

/// The three bytes of each pixel `0xRRGGBB`.
pub(super) fn rgb(pixels: &[u32]) -> Vec<u8> {
    let mut rgb = vec![0; pixels.len() * 3];
    for (rgb, pixel) in rgb.chunks_exact_mut(3).zip(pixels) {
        rgb.copy_from_slice(&pixel.to_be_bytes()[1..]);
    }
    rgb
}

/// Encodes pixels `0xRRGGBB`. The same pixels give the same bytes.
pub(super) fn encode(
    format: ImageFormat,
    encoder: WebpEncoder,
    level: Level,
    size: u32,
    pixels: &[u32],
) -> Result<Vec<u8>> {
    match format {
        ImageFormat::Png => png::encode(level, size, &rgb(pixels), None),
        ImageFormat::Webp => encoder.encode(level, size, pixels),
    }
}

/// Decodes an image file to RGB or RGBA; grey and palette images become RGB.
pub(super) fn decode(bytes: &[u8]) -> Result<Pixels> {
    let (width, height) = image_size(bytes)?;
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(bad(format!("has {width} x {height} pixels; up to {MAX_SIDE} x {MAX_SIDE} are possible")));
    }
    if sniff(bytes) == Some(ImageFormat::Webp) {
        let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).map_err(bad)?;
        let channels = if decoder.has_alpha() { 4 } else { 3 };
        let mut out = vec![0; width as usize * height as usize * channels];
        decoder.read_image(&mut out).map_err(bad)?;
        return Ok(Pixels { width, height, channels, bytes: out });
    }
    let mut decoder = ::png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(::png::Transformations::EXPAND | ::png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(bad)?;
    let length = reader.output_buffer_size().ok_or_else(|| bad("is too large"))?;
    let mut out = vec![0; length];
    let frame = reader.next_frame(&mut out).map_err(bad)?;
    out.truncate(frame.buffer_size());
    let (channels, bytes) = match frame.color_type {
        ::png::ColorType::Rgb => (3, out),
        ::png::ColorType::Rgba => (4, out),
        ::png::ColorType::Grayscale => (3, out.iter().flat_map(|&g| [g, g, g]).collect()),
        ::png::ColorType::GrayscaleAlpha => (4, out.chunks(2).flat_map(|p| [p[0], p[0], p[0], p[1]]).collect()),
        ::png::ColorType::Indexed => return Err(bad("has a palette that was not expanded")),
    };
    if bytes.len() != width as usize * height as usize * channels {
        return Err(bad("is cut off"));
    }
    Ok(Pixels { width, height, channels, bytes })
}

/// The file with the mask chunk in it.
pub(super) fn with_mask(file: Vec<u8>, size: u32, payload: &[u8]) -> Result<Vec<u8>> {
    match sniff(&file) {
        Some(ImageFormat::Png) => {
            // IEND is always the last 12 bytes: length 0, name, checksum.
            let at = file.len().checked_sub(12).ok_or_else(|| bad("is cut off"))?;
            let mut crc = flate2::Crc::new();
            crc.update(&mask::CHUNK);
            crc.update(payload);
            let length = (payload.len() as u32).to_be_bytes();
            Ok([&file[..at], &length, &mask::CHUNK, payload, &crc.sum().to_be_bytes(), &file[at..]].concat())
        }
        Some(ImageFormat::Webp) if file.get(12..16) == Some(b"VP8L") => {
            let side = (size - 1).to_le_bytes();
            let mut body = b"WEBPVP8X\x0a\0\0\0\0\0\0\0".to_vec();
            body.extend_from_slice(&[side[0], side[1], side[2], side[0], side[1], side[2]]);
            body.extend_from_slice(&file[12..]);
            body.extend_from_slice(&mask::CHUNK);
            body.extend_from_slice(&(payload.len() as u32).to_le_bytes());
            body.extend_from_slice(payload);
            body.resize(body.len().next_multiple_of(2), 0);
            Ok([b"RIFF", (body.len() as u32).to_le_bytes().as_slice(), &body].concat())
        }
        _ => Err(bad("can't carry a mask")),
    }
}

/// The payload of the mask chunk, if the file has one.
pub(super) fn mask_of(file: &[u8]) -> Option<&[u8]> {
    let png = sniff(file)? == ImageFormat::Png;
    let mut at: usize = if png { 8 } else { 12 };
    loop {
        let head: &[u8; 8] = file.get(at..at.checked_add(8)?)?.try_into().ok()?;
        let (first, second) = head.split_at(4);
        let (name, length) = if png {
            (second, u32::from_be_bytes(first.try_into().ok()?))
        } else {
            (first, u32::from_le_bytes(second.try_into().ok()?))
        };
        let start = at + 8;
        let end = start.checked_add(length as usize)?;
        let payload = file.get(start..end)?;
        if name == mask::CHUNK {
            return Some(payload);
        }
        at = if png { end.checked_add(4)? } else { end.checked_add(end % 2)? };
    }
}
