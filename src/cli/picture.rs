//! An RGB picture with a legend.

use std::path::Path;

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};

use crate::atomic::write_whole;
use crate::error::{Error, Result};

/// Colours that people with any colour vision tell apart (Okabe and Ito, 2008), the strongest ones first.
const DISTINCT: [[u8; 3]; 7] =
    [[0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [213, 94, 0], [240, 228, 66]];

/// A colour for the `n`-th of several things. Beyond the first seven, hues are a golden angle apart.
pub fn distinct(n: usize) -> [u8; 3] {
    if let Some(&color) = DISTINCT.get(n) {
        return color;
    }
    let hue = (n as f64 * 0.618_033_988_75).fract() * 6.0;
    let light = [0.9, 0.5, 0.7][n % 3];
    let part = |shift: f64| {
        let at = (hue + shift) % 6.0;
        let share = (2.0 - (at - 3.0).abs()).clamp(0.0, 1.0);
        ((0.1 + 0.9 * (1.0 - share)) * light * 255.0) as u8
    };
    [part(0.0), part(4.0), part(2.0)]
}

/// A row of a legend: a colour and what it stands for.
pub type Entry = ([u8; 3], String);

/// An RGB picture, white where nothing is drawn.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    /// Three bytes a pixel, row by row.
    pub pixels: Vec<u8>,
}

impl Picture {
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![255; width * height * 3] }
    }

    /// Lays a colour over a pixel, by a share from 0 to 1. Pixels outside of the picture are left out.
    fn blend(&mut self, (x, y): (i64, i64), color: [u8; 3], share: f32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x < self.width && y < self.height {
            let at = (y * self.width + x) * 3;
            for (old, new) in self.pixels[at..at + 3].iter_mut().zip(color) {
                *old = (f32::from(*old) + (f32::from(new) - f32::from(*old)) * share.clamp(0.0, 1.0)).round() as u8;
            }
        }
    }

    /// Fills a box, as far as it lies in the picture.
    pub fn fill(&mut self, (left, top): (usize, usize), (width, height): (usize, usize), color: [u8; 3]) {
        for y in top..(top + height).min(self.height) {
            for x in left..(left + width).min(self.width) {
                let at = (y * self.width + x) * 3;
                self.pixels[at..at + 3].copy_from_slice(&color);
            }
        }
    }

    /// This picture and another one side by side, or below each other where they are wide.
    pub fn beside(&self, other: &Self) -> Self {
        let gap = 8;
        let below = self.width > self.height * 3 / 2;
        let (dx, dy) = if below { (0, self.height + gap) } else { (self.width + gap, 0) };
        let mut out = Self::new((other.width + dx).max(self.width), (other.height + dy).max(self.height));
        for (picture, dx, dy) in [(self, 0, 0), (other, dx, dy)] {
            for (y, row) in picture.pixels.chunks_exact((picture.width * 3).max(1)).enumerate() {
                let at = ((y + dy) * out.width + dx) * 3;
                out.pixels[at..at + row.len()].copy_from_slice(row);
            }
        }
        out
    }

    /// Writes a text; `left` and `base` are where its first letter stands, `size` is the height of a line in pixels.
    ///
    /// # Errors
    /// Where the font that comes with the program can't be read.
    pub fn text(&mut self, (left, base): (f32, f32), size: f32, color: [u8; 3], text: &str) -> Result<()> {
        let font = font()?;
        let font = font.as_scaled(PxScale::from(size));
        self.write(&font, lay_out(&font, text), (left, base), color);
        Ok(())
    }

    fn write<F: Font>(&mut self, font: &impl ScaleFont<F>, text: Vec<Glyph>, at: (f32, f32), color: [u8; 3]) {
        for mut glyph in text {
            glyph.position += point(at.0, at.1);
            if let Some(outline) = font.outline_glyph(glyph) {
                let corner = outline.px_bounds().min;
                outline.draw(|x, y, share| {
                    self.blend((i64::from(x) + corner.x as i64, i64::from(y) + corner.y as i64), color, share);
                });
            }
        }
    }

    /// Writes colours and names into the lower left corner.
    ///
    /// # Errors
    /// Where the font that comes with the program can't be read.
    pub fn legend(&mut self, rows: &[Entry]) -> Result<()> {
        const INK: [u8; 3] = [20, 20, 20];
        let font = font()?;
        let size = (self.width as f32 / 45.0).clamp(11.0, 26.0);
        let font = font.as_scaled(PxScale::from(size));
        let line = (size * 1.25).ceil() as usize;
        let (swatch, gap) = (line, line / 3);
        let texts: Vec<Vec<Glyph>> = rows.iter().map(|(_, text)| lay_out(&font, text)).collect();
        let longest = texts.iter().filter_map(|t| t.last()).map(|g| g.position.x + font.h_advance(g.id));
        let width = 3 * gap + swatch + longest.fold(0.0, f32::max).ceil() as usize;
        let height = rows.len() * line + 2 * gap;
        let top = self.height.saturating_sub(height);
        self.fill((0, top), (width, height), [255; 3]);
        for (n, ((color, _), text)) in rows.iter().zip(texts).enumerate() {
            let y = top + gap + n * line;
            self.fill((gap, y + 1), (swatch, line - 3), INK);
            self.fill((gap + 1, y + 2), (swatch - 2, line - 5), *color);
            let (left, base) = ((2 * gap + swatch) as f32, y as f32 + font.ascent() + size * 0.05);
            self.write(&font, text, (left, base), INK);
        }
        Ok(())
    }

    /// Writes the picture as PNG.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn save(&self, path: &Path, overwrite: bool) -> Result<()> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let written = encoder.write_header().and_then(|mut w| w.write_image_data(&self.pixels));
        written.map_err(|e| Error::internal(format!("{}: can't encode the picture: {e}", path.display())))?;
        write_whole(path, &bytes, overwrite)
    }
}

/// The font that comes with the program.
fn font() -> Result<FontRef<'static>> {
    FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|e| Error::internal(format!("the font of the legend can't be read: {e}")))
}

/// The glyphs of a text on a line that begins at 0, 0.
fn lay_out<F: Font>(font: &impl ScaleFont<F>, text: &str) -> Vec<Glyph> {
    let (mut x, mut last) = (0.0, None);
    let glyphs = text.chars().map(|c| {
        let mut glyph = font.scaled_glyph(c);
        x += last.map_or(0.0, |last| font.kern(last, glyph.id));
        glyph.position = point(x, 0.0);
        x += font.h_advance(glyph.id);
        last = Some(glyph.id);
        glyph
    });
    glyphs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_many_sources_can_be_told_apart() {
        let far = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).map(|(&a, b)| u32::from(a.abs_diff(b))).sum::<u32>();
        for a in 0..16 {
            for b in 0..a {
                assert!(far(distinct(a), distinct(b)) > 40, "{a} {:?} and {b} {:?}", distinct(a), distinct(b));
            }
        }
    }

    #[test]
    fn a_legend_shows_its_colours_and_text_and_stays_in_the_picture() {
        for (width, height) in [(400, 300), (30, 8)] {
            let mut picture = Picture::new(width, height);
            picture.legend(&[([255, 0, 0], "lidar 12.5 %".into()), ([0, 0, 255], "Höhen ± 高さ".into())]).unwrap();
            assert_eq!(picture.pixels.len(), width * height * 3);
            if width == 400 {
                let count = |color: [u8; 3]| picture.pixels.chunks_exact(3).filter(|p| *p == color).count();
                assert!(count([255, 0, 0]) > 50 && count([0, 0, 255]) > 50);
                let grey = picture.pixels.chunks_exact(3).filter(|p| p[0] == p[1] && p[0] > 30 && p[0] < 250).count();
                assert!(grey > 50, "edges of letters are smooth: {grey}");
            }
        }
    }
}
