//! PNG of few bytes in little time: one filter for the whole image, which a sample of rows chooses, and libdeflate.
//!
//! The usual choice of a filter for each row by least absolute differences costs more time and more bytes here: bytes of heights wrap
//! around, and copies are found less often where neighbouring rows have different filters.

use libdeflater::{CompressionLvl, Compressor};

use super::webp::Level;
use crate::error::{Error, Result};

/// What a row's bytes are told as, of those that section 9 of the PNG specification has. The number is that of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    None = 0,
    /// Differences to the pixel before.
    Sub = 1,
    /// Differences to the pixel above.
    Up = 2,
}

/// Rows that are looked at to choose a filter: so many, from each of four places.
const LOOKED_AT: usize = 8;
/// libdeflate's level for these rows.
const LOOK: i32 = 4;

/// Encodes a square image of 8 bits a channel: three bytes a pixel, or with a palette one, the index into it. The same bytes give the same file.
///
/// # Errors
/// Where the bytes are not those of `side * side` pixels, or there are none.
pub(super) fn encode(level: Level, side: u32, bytes: &[u8], palette: Option<&[u8]>) -> Result<Vec<u8>> {
    let failed = |problem: &dyn std::fmt::Display| Error::internal(format!("PNG: {problem}"));
    let channels = if palette.is_some() { 1 } else { 3 };
    if side == 0 || bytes.len() as u64 != u64::from(side) * u64::from(side) * channels as u64 {
        return Err(Error::argument("tile image", format!("should have {side} x {side} pixels")));
    }
    let filters = if channels == 1 { [Filter::None, Filter::Up] } else { [Filter::Sub, Filter::Up] };
    let row = side as usize * channels;
    let filter = best(filters, bytes, row, channels).map_err(|e| failed(&e))?;
    let deflated = deflate(deflate_level(level), &filtered(filter, bytes, row, channels, 0..side as usize));
    let deflated = deflated.map_err(|e| failed(&e))?;

    let mut out = Vec::with_capacity(deflated.len() + 1024);
    let mut encoder = png::Encoder::new(&mut out, side, side);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(if channels == 1 { png::ColorType::Indexed } else { png::ColorType::Rgb });
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    let mut writer = encoder.write_header().map_err(|e| failed(&e))?;
    writer.write_chunk(png::chunk::IDAT, &deflated).and_then(|()| writer.finish()).map_err(|e| failed(&e))?;
    Ok(out)
}

fn deflate_level(level: Level) -> i32 {
    match level {
        Level::Fast => 4,
        Level::Default => 6,
        Level::Small => 10,
        Level::Tiny => 12,
    }
}

fn deflate(level: i32, bytes: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let level = CompressionLvl::new(level).map_err(|e| format!("{e:?}"))?;
    let mut compressor = Compressor::new(level);
    let mut out = vec![0; compressor.zlib_compress_bound(bytes.len())];
    let length = compressor.zlib_compress(bytes, &mut out).map_err(|e| e.to_string())?;
    out.truncate(length);
    Ok(out)
}

/// The filter under which the sample of rows takes the fewest bytes.
fn best(filters: [Filter; 2], bytes: &[u8], row: usize, channels: usize) -> std::result::Result<Filter, String> {
    let rows = bytes.len() / row.max(1);
    let mut sizes = [0; 2];
    for (size, filter) in sizes.iter_mut().zip(filters) {
        let mut sample = Vec::new();
        for quarter in 0..4 {
            let first = (rows * (2 * quarter + 1) / 8).saturating_sub(LOOKED_AT / 2);
            sample.extend(filtered(filter, bytes, row, channels, first..(first + LOOKED_AT).min(rows)));
        }
        *size = deflate(LOOK, &sample)?.len();
    }
    Ok(if sizes[1] < sizes[0] { filters[1] } else { filters[0] })
}

/// Some rows as they stand in the file before they are compressed: each begins with the filter's number.
fn filtered(filter: Filter, bytes: &[u8], row: usize, channels: usize, rows: std::ops::Range<usize>) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * (row + 1));
    for number in rows {
        let this = &bytes[number * row..(number + 1) * row];
        out.push(filter as u8);
        match filter {
            Filter::Sub => {
                out.extend_from_slice(&this[..channels]);
                out.extend(this[channels..].iter().zip(this).map(|(byte, before)| byte.wrapping_sub(*before)));
            }
            Filter::Up if number > 0 => {
                let above = &bytes[(number - 1) * row..number * row];
                out.extend(this.iter().zip(above).map(|(byte, above)| byte.wrapping_sub(*above)));
            }
            // Above the first row are zeros.
            Filter::None | Filter::Up => out.extend_from_slice(this),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(file: &[u8]) -> (png::ColorType, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut out = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut out).unwrap();
        reader.finish().unwrap();
        (frame.color_type, out)
    }

    /// Whatever filter is chosen, for images of any side and at all levels.
    #[test]
    fn images_come_back() {
        for side in [1, 2, 7, 33, 256] {
            let pixels = side as usize * side as usize;
            let noise: Vec<u8> =
                (0..pixels * 3).map(|i| (i as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
            let across: Vec<u8> = (0..pixels * 3).map(|i| (i / 3 % side as usize) as u8).collect();
            let down: Vec<u8> = (0..pixels * 3).map(|i| (i / 3 / side as usize * 7) as u8).collect();
            for bytes in [&noise, &across, &down] {
                for level in [Level::Fast, Level::Default, Level::Small, Level::Tiny] {
                    let file = encode(level, side, bytes, None).unwrap();
                    assert_eq!(decoded(&file), (png::ColorType::Rgb, bytes.clone()));
                }
                let palette: Vec<u8> = (0..=255).flat_map(|i| [i, i, i]).collect();
                let file = encode(Level::Default, side, &bytes[..pixels], Some(&palette)).unwrap();
                assert_eq!(decoded(&file), (png::ColorType::Indexed, bytes[..pixels].to_vec()));
                assert!(encode(Level::Default, side, &bytes[1..], None).is_err());
            }
        }
    }

    #[test]
    fn steps_that_are_even_along_rows_are_told_from_those_along_columns() {
        let side = 64;
        let slope = |i: usize| i * i * 37 % 251;
        let down: Vec<u8> = (0..side * side * 3).map(|i| (slope(i / 3 / side) * (i / 3 % side)) as u8).collect();
        let across: Vec<u8> = (0..side * side * 3).map(|i| (slope(i / 3 % side) * (i / 3 / side)) as u8).collect();
        let filters = [Filter::Sub, Filter::Up];
        assert_eq!(best(filters, &down, side * 3, 3), Ok(Filter::Sub));
        assert_eq!(best(filters, &across, side * 3, 3), Ok(Filter::Up));
    }
}
