//! What cells around a place say about the pixel there.

use crate::raster::{Cells, Resampling, State};

/// Cells around a pixel that are looked at; where there are more, every second of them across and down, and so on.
const MOST_AROUND: f64 = 64.0;
/// What the sources say about a pixel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pixel {
    /// The height by the kernel over the cells around it, where it has one.
    pub(super) height: Option<f64>,
    /// The least and the greatest cell that can have a part in it; the least is above the greatest where there is none.
    pub(super) least: f64,
    pub(super) greatest: f64,
    /// True where all cells around it have values, so that it must have one.
    pub(super) certain: bool,
}

pub(super) const NOTHING: Pixel =
    Pixel { height: None, least: f64::INFINITY, greatest: f64::NEG_INFINITY, certain: false };

/// What the records of one source say about a pixel.
#[derive(Clone, Copy)]
pub(super) struct Said {
    sum: f64,
    /// Of the cells with values, and of all that lie in a record.
    weight: f64,
    inside: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
    held: bool,
    whole: bool,
    pub(super) certain: bool,
}

pub(super) const UNASKED: Said = Said {
    sum: 0.0,
    weight: 0.0,
    inside: 0.0,
    least: f64::INFINITY,
    greatest: f64::NEG_INFINITY,
    held: false,
    whole: false,
    certain: false,
};

/// What the cells around a place say.
pub(super) struct Around {
    sum: f64,
    weight: f64,
    inside: f64,
    total: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
    /// True where a cell in reach is missing.
    pub(super) lacking: bool,
}

impl Around {
    pub(super) fn add_to(self, said: &mut Said, held: bool) {
        said.least = said.least.min(self.least);
        said.greatest = said.greatest.max(self.greatest);
        said.held |= held;
        said.certain |= held && !self.lacking;
        if said.whole {
            return;
        }
        // One record that has all cells of the kernel is better than parts of several.
        let whole = self.weight > 0.0 && self.weight >= self.total * (1.0 - 1e-9);
        if whole {
            (said.sum, said.weight, said.inside) = (0.0, 0.0, 0.0);
        }
        said.sum += self.sum;
        said.weight += self.weight;
        said.inside += self.inside;
        said.whole = whole;
    }
}

/// The weight of a cell at a distance in cells, by the published formulas: a triangle, Keys' cubic convolution with a = -1/2, Lanczos
/// with three lobes.
pub(super) fn lobe(how: Resampling, x: f64) -> f64 {
    match how {
        Resampling::Cubic if x < 1.0 => 1.0 - 2.5 * x.powi(2) + 1.5 * x.powi(3),
        Resampling::Cubic if x < 2.0 => 2.0 - 4.0 * x + 2.5 * x.powi(2) - 0.5 * x.powi(3),
        Resampling::Lanczos if x < 1e-9 => 1.0,
        Resampling::Lanczos if x < 3.0 => {
            let at = std::f64::consts::PI * x;
            3.0 * at.sin() * (at / 3.0).sin() / (at * at)
        }
        Resampling::Cubic | Resampling::Lanczos => 0.0,
        _ => (1.0 - x).max(0.0),
    }
}

/// Looks at the cells whose centres are within `radius` of a place; `across` and `down` weigh distances.
pub(super) fn look(
    cells: &Cells,
    (width, height): (f64, f64),
    (col, row): (f64, f64),
    radius: (f64, f64),
    (across, down): (&dyn Fn(f64) -> f64, &dyn Fn(f64) -> f64),
) -> Around {
    let mut out = Around {
        sum: 0.0,
        weight: 0.0,
        inside: 0.0,
        total: 0.0,
        least: f64::INFINITY,
        greatest: f64::NEG_INFINITY,
        lacking: false,
    };
    let span = |at: f64, radius: f64| ((at - radius - 0.5).ceil() as i64, (at + radius - 0.5).floor() as i64);
    let ((west, east), (north, south)) = (span(col, radius.0), span(row, radius.1));
    let step = |a: i64, b: i64| (((b - a) as f64 / MOST_AROUND).floor() as usize).max(1);
    let columns: Vec<(i64, f64)> =
        (west..=east).step_by(step(west, east)).map(|c| (c, across((c as f64 + 0.5 - col).abs()))).collect();
    for r in (north..=south).step_by(step(north, south)) {
        let down = down((r as f64 + 0.5 - row).abs());
        for &(c, across) in &columns {
            let weight = down * across;
            out.total += weight;
            if c < 0 || r < 0 || c as f64 >= width || r as f64 >= height {
                out.lacking = true;
                continue;
            }
            out.inside += weight;
            let (x, y) = ((c - cells.window.col) as usize, (r - cells.window.row) as usize);
            let at = y * cells.window.width + x;
            if x >= cells.window.width || cells.state.get(at) != Some(&State::VALID) {
                out.lacking = true;
                continue;
            }
            let value = f64::from(cells.values[at]);
            out.weight += weight;
            out.sum += weight * value;
            (out.least, out.greatest) = (out.least.min(value), out.greatest.max(value));
        }
    }
    out
}

/// Adds what a source says, moved up, below what is known of a pixel.
pub(super) fn join(pixel: &mut Pixel, said: &Said, up: f64) {
    pixel.least = pixel.least.min(said.least + up);
    pixel.greatest = pixel.greatest.max(said.greatest + up);
    pixel.certain |= said.certain;
    let enough = said.held && said.weight > 0.0 && said.weight * 2.0 >= said.inside * (1.0 - 1e-9);
    if pixel.height.is_none() && enough {
        pixel.height = Some(said.sum / said.weight + up);
    }
}
