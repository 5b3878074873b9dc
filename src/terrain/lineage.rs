//! Which source each pixel came from, as a picture.
//!
//! PNG lineage tiles have a palette whose entries are the sources; WebP lineage tiles hold the palette's colours.

use super::encoder::WebpEncoder;
use super::image::{self, ImageFormat};
use super::png;
use super::webp::Level;
use crate::error::{Error, Result};
use crate::json::Json;

/// A pixel without a source.
pub const NO_SOURCE: u8 = 255;

/// The number that stands for interpolated pixels.
pub const INTERPOLATED: u8 = 254;

/// How many sources have a number of their own: those below [`INTERPOLATED`].
pub const MOST_SOURCES: usize = INTERPOLATED as usize;

/// The colours of the first priorities, as the tools before this one painted them.
const FIRST: [[u8; 3]; 7] =
    [[0, 100, 0], [50, 205, 50], [152, 251, 152], [34, 139, 34], [60, 179, 113], [144, 238, 144], [193, 255, 193]];

/// The colour of a priority; white for [`NO_SOURCE`].
///
/// From the eighth on, `red = 37 + 211 p`, `green = 91 + 83 p`, `blue = 7 + 149 p`, each modulo 251: 251 is a prime, so that no two
/// priorities share a colour, and no channel reaches 255, so that none is white.
#[must_use]
pub fn palette_color(priority: u8) -> [u8; 3] {
    match priority {
        NO_SOURCE => [255; 3],
        p if usize::from(p) < FIRST.len() => FIRST[usize::from(p)],
        p => [(37, 211), (91, 83), (7, 149)].map(|(start, step)| ((start + step * u32::from(p)) % 251) as u8),
    }
}

/// The legend for an archive's metadata: priority, name and colour of each source, and the colour of nodata. Where voids were
/// filled, interpolated pixels have an entry behind the sources.
#[must_use]
pub fn legend(names: &[&str], interpolated: bool) -> Json {
    let hex = |c: [u8; 3]| format!("#{:02x}{:02x}{:02x}", c[0], c[1], c[2]);
    let filled = interpolated.then_some((MOST_SOURCES, &"interpolated"));
    let sources: Vec<_> = names
        .iter()
        .enumerate()
        .chain(filled)
        .map(
            |(i, name)| serde_json::json!({"priority": i, "name": name, "color": hex(palette_color(i.min(MOST_SOURCES) as u8))}),
        )
        .collect();
    Json::of(serde_json::json!({"sources": sources, "nodata": hex(palette_color(NO_SOURCE))}))
}

/// Encodes a lineage tile of one byte a pixel.
///
/// # Errors
/// Where the plane does not have `size * size` pixels or the image library refuses it.
pub fn encode_lineage(size: u32, sources: &[u8], format: ImageFormat) -> Result<Vec<u8>> {
    encode(size, sources, format, WebpEncoder::default())
}

pub(super) fn encode(size: u32, sources: &[u8], format: ImageFormat, encoder: WebpEncoder) -> Result<Vec<u8>> {
    if size == 0 || sources.len() != size as usize * size as usize {
        return Err(Error::argument("lineage tile", format!("should have {size} x {size} pixels")));
    }
    if format == ImageFormat::Webp {
        let colors: Vec<u32> = (0..=255).map(palette_color).map(|[r, g, b]| u32::from_be_bytes([0, r, g, b])).collect();
        let pixels: Vec<u32> = sources.iter().map(|&s| colors[usize::from(s)]).collect();
        return image::encode(format, encoder, Level::Default, size, &pixels);
    }
    let palette: Vec<u8> = (0..=255).flat_map(palette_color).collect();
    png::encode(Level::Default, size, sources, Some(&palette))
}

/// Decodes a lineage tile to its side and one byte a pixel.
///
/// # Errors
/// Where the file is damaged, not square, or holds a colour that is no priority's.
pub fn decode_lineage(bytes: &[u8]) -> Result<(u32, Vec<u8>)> {
    let bad = |problem: String| Error::invalid("lineage tile", problem, "make the tile again");
    if image::sniff(bytes).is_none() {
        return Err(bad("is neither WebP nor PNG".into()));
    }
    let pixels = image::decode(bytes)?;
    if pixels.width != pixels.height {
        return Err(bad(format!("has {} x {} pixels; tiles are square", pixels.width, pixels.height)));
    }
    let known: std::collections::HashMap<[u8; 3], u8> = (0..=255).rev().map(|p| (palette_color(p), p)).collect();
    let mut last = (palette_color(NO_SOURCE), NO_SOURCE);
    let mut sources = Vec::with_capacity(pixels.width as usize * pixels.height as usize);
    for pixel in pixels.bytes.chunks_exact(pixels.channels) {
        let color = [pixel[0], pixel[1], pixel[2]];
        if color != last.0 {
            let source = known
                .get(&color)
                .ok_or_else(|| bad(format!("has a pixel of colour {color:?}, which stands for no source")))?;
            last = (color, *source);
        }
        sources.push(last.1);
    }
    Ok((pixels.width, sources))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_distinct_and_tiles_come_back() {
        let colors: std::collections::HashSet<_> = (0..=255).map(palette_color).collect();
        assert_eq!(colors.len(), 256);
        let sources: Vec<u8> = (0..=255).cycle().take(64 * 64).collect();
        for format in [ImageFormat::Webp, ImageFormat::Png] {
            assert_eq!(decode_lineage(&encode_lineage(64, &sources, format).unwrap()).unwrap(), (64, sources.clone()));
        }
        let other = image::encode(ImageFormat::Png, WebpEncoder::default(), Level::Default, 1, &[0x01_0203]).unwrap();
        assert!(decode_lineage(&other).unwrap_err().to_string().contains("no source"));
        assert!(encode_lineage(3, &[0; 8], ImageFormat::Png).is_err());
    }
}
