//! Shaded relief with hypsometric tints.
//!
//! Slopes by Horn's 3x3 weights (Horn 1981, Hill shading and the reflectance map); light from the north-west at 45 degrees
//! with a weaker one from the west, so that ridges along the first light still show. Tints run from green lowlands over
//! ochre and brown to white, scaled to the heights in the picture.

use super::ElevationTile;

/// Heights of any rectangle: row by row from the north-west, with a mask.
#[derive(Debug, Clone, PartialEq)]
pub struct HeightField {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Metres.
    pub values: Vec<f32>,
    /// 1 where there is a height, else 0.
    pub valid: Vec<u8>,
}

impl HeightField {
    /// A field without heights.
    #[must_use]
    pub fn empty(width: usize, height: usize) -> Self {
        Self { width, height, values: vec![0.0; width * height], valid: vec![0; width * height] }
    }

    /// Copies a part of a tile: a pixel `(x, y)` of the field, `factor` times finer than the tile, comes from the tile's
    /// pixel `((x - left) / factor + from.0, ...)`. Pixels outside the field are left out.
    pub fn paste(
        &mut self,
        left: i64,
        top: i64,
        side: usize,
        tile: &ElevationTile,
        from: (usize, usize),
        factor: usize,
    ) {
        for y in 0..side {
            for x in 0..side {
                let (fx, fy) = (left + x as i64, top + y as i64);
                if fx < 0 || fy < 0 || fx >= self.width as i64 || fy >= self.height as i64 {
                    continue;
                }
                let source = (y / factor + from.1) * tile.size as usize + x / factor + from.0;
                let at = fy as usize * self.width + fx as usize;
                (self.values[at], self.valid[at]) = (tile.values[source], tile.valid[source]);
            }
        }
    }

    /// The lowest and highest height; `None` without any.
    #[must_use]
    pub fn range(&self) -> Option<(f32, f32)> {
        let heights = self.values.iter().zip(&self.valid).filter(|(_, v)| **v == 1).map(|(h, _)| *h);
        heights.fold(None, |range, h| Some(range.map_or((h, h), |(a, b): (f32, f32)| (a.min(h), b.max(h)))))
    }
}

/// The colour of the sea and of places without data.
const SEA: [f64; 3] = [157.0, 190.0, 214.0];
/// Tints from the lowest to the highest land.
const TINTS: [[f64; 3]; 7] = [
    [96.0, 146.0, 88.0],
    [150.0, 178.0, 106.0],
    [206.0, 200.0, 134.0],
    [202.0, 166.0, 108.0],
    [168.0, 124.0, 86.0],
    [184.0, 168.0, 156.0],
    [248.0, 248.0, 250.0],
];

/// How bright each pixel is, 0..1; `metres` is the size of a pixel on the ground.
#[must_use]
pub fn hillshade(field: &HeightField, metres: f64) -> Vec<f32> {
    let (w, h) = (field.width, field.height);
    let mut out = vec![0.0; w * h];
    // A flat picture is as bright as flat land.
    let lights = [(315.0f64, 45.0f64, 0.75), (270.0, 35.0, 0.25)].map(|(azimuth, altitude, weight)| {
        let (a, b) = (azimuth.to_radians(), altitude.to_radians());
        (a.sin() * b.cos(), a.cos() * b.cos(), b.sin(), weight)
    });
    // Small scales need more relief to be read.
    let exaggeration = (metres / 30.0).powf(0.35).clamp(1.0, 6.0);
    for y in 0..h {
        for x in 0..w {
            let center = field.values[y * w + x];
            let at = |dx: i64, dy: i64| {
                let (cx, cy) =
                    ((x as i64 + dx).clamp(0, w as i64 - 1) as usize, (y as i64 + dy).clamp(0, h as i64 - 1) as usize);
                let i = cy * w + cx;
                f64::from(if field.valid[i] == 1 {
                    field.values[i]
                } else if field.valid[y * w + x] == 1 {
                    center
                } else {
                    0.0
                })
            };
            let scale = exaggeration / (8.0 * metres);
            let dx = ((at(1, -1) + 2.0 * at(1, 0) + at(1, 1)) - (at(-1, -1) + 2.0 * at(-1, 0) + at(-1, 1))) * scale;
            let dy = ((at(-1, -1) + 2.0 * at(0, -1) + at(1, -1)) - (at(-1, 1) + 2.0 * at(0, 1) + at(1, 1))) * scale;
            let norm = (dx * dx + dy * dy + 1.0).sqrt();
            let shade: f64 =
                lights.iter().map(|(lx, ly, lz, weight)| weight * ((lz - dx * lx - dy * ly) / norm).max(0.0)).sum();
            out[y * w + x] = shade as f32;
        }
    }
    out
}

/// The relief as RGB, three bytes a pixel.
#[must_use]
pub fn relief(field: &HeightField, metres: f64) -> Vec<u8> {
    let shade = hillshade(field, metres);
    let (low, high) = field.range().unwrap_or((0.0, 1.0));
    let (low, high) = (f64::from(low.max(0.0)), f64::from(high.max(1.0)));
    let mut out = Vec::with_capacity(field.values.len() * 3);
    for (i, &shade) in shade.iter().enumerate() {
        let land = field.valid[i] == 1 && field.values[i] > 0.0;
        let tint = if land { tint((f64::from(field.values[i]) - low) / (high - low).max(50.0)) } else { SEA };
        out.extend_from_slice(&shaded(tint, if land { f64::from(shade) } else { 0.7 }));
    }
    out
}

/// A colour under a light of 0..1; flat land (0.7) keeps its colour.
#[must_use]
pub fn shaded(color: [f64; 3], shade: f64) -> [u8; 3] {
    let light = (0.25 + shade * 1.07).min(1.35);
    color.map(|c| (c * light).clamp(0.0, 255.0).round() as u8)
}

fn tint(share: f64) -> [f64; 3] {
    // More colours for low land, where most of it lies.
    let place = share.clamp(0.0, 1.0).powf(0.7) * (TINTS.len() - 1) as f64;
    let (i, t) = ((place as usize).min(TINTS.len() - 2), place - (place as usize).min(TINTS.len() - 2) as f64);
    std::array::from_fn(|c| TINTS[i][c] + (TINTS[i + 1][c] - TINTS[i][c]) * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(dx: f32, dy: f32) -> HeightField {
        let mut field = HeightField::empty(16, 16);
        field.valid.fill(1);
        for (i, v) in field.values.iter_mut().enumerate() {
            *v = 500.0 + (i % 16) as f32 * dx + (i / 16) as f32 * dy;
        }
        field
    }

    #[test]
    fn slopes_to_the_light_are_bright() {
        let at = |field: &HeightField| hillshade(field, 10.0)[8 * 16 + 8];
        let flat = at(&plane(0.0, 0.0));
        assert!(at(&plane(5.0, 5.0)) > flat + 0.1, "faces the north-west");
        assert!(at(&plane(-5.0, -5.0)) < flat - 0.1, "faces the south-east");
        assert_eq!(relief(&plane(0.0, 0.0), 10.0).len(), 16 * 16 * 3);
    }

    #[test]
    fn pasting_blows_up_and_cuts() {
        let mut tile = ElevationTile::empty(4);
        tile.values = (0..16).map(|i| i as f32).collect();
        tile.valid.fill(1);
        let mut field = HeightField::empty(4, 4);
        field.paste(-1, 0, 4, &tile, (2, 2), 2);
        assert_eq!(field.values[..4], [10.0, 11.0, 11.0, 0.0]);
        assert_eq!(field.valid[..4], [1, 1, 1, 0]);
        assert_eq!(field.values[8..11], [14.0, 15.0, 15.0]);
        assert_eq!(HeightField::empty(2, 2).range(), None);
    }
}
