//! A picture of a profile: distance against height.

use crate::cli::picture::{Picture, distinct};
use crate::error::Result;
use crate::heights::ProfilePoint;

/// Pixels of the picture, and of the margins around the drawing.
const SIZE: (usize, usize) = (1200, 420);
const LEFT: usize = 84;
const RIGHT: usize = 24;
const TOP: usize = 16;
const BOTTOM: usize = 36;

const PAPER: [u8; 3] = [255; 3];
const GRID: [u8; 3] = [225, 225, 225];
const INK: [u8; 3] = [40, 40, 40];
/// The ground where no source is known.
const GROUND: [u8; 3] = [150, 160, 140];

/// What is known of a column of pixels.
#[derive(Debug, Clone, Copy)]
struct Column {
    least: f64,
    greatest: f64,
    source: Option<u8>,
}

/// Collects samples by the columns of the picture; holds no more than these.
pub struct Chart {
    length: f64,
    columns: Vec<Option<Column>>,
    last: Option<(f64, f64)>,
}

impl Chart {
    /// Of a line of so many metres.
    pub fn new(length: f64) -> Self {
        Self { length, columns: vec![None; SIZE.0 - LEFT - RIGHT], last: None }
    }

    fn place(&self, distance: f64) -> f64 {
        distance / self.length.max(f64::MIN_POSITIVE) * (self.columns.len() - 1) as f64
    }

    /// Adds a sample; the ground between two samples is straight, and open where one of them has no height.
    pub fn add(&mut self, sample: &ProfilePoint) {
        let Some(height) = sample.height else {
            self.last = None;
            return;
        };
        let here = (self.place(sample.distance), height.metres);
        let from = self.last.replace(here).unwrap_or(here);
        let first = if from == here { here.0.round() } else { from.0.ceil() };
        for x in first as usize..=(here.0.round().max(first) as usize).min(self.columns.len() - 1) {
            let share = if here.0 > from.0 { ((x as f64 - from.0) / (here.0 - from.0)).clamp(0.0, 1.0) } else { 1.0 };
            let metres = from.1 + (here.1 - from.1) * share;
            let column =
                self.columns[x].get_or_insert(Column { least: metres, greatest: metres, source: height.source });
            (column.least, column.greatest) = (column.least.min(metres), column.greatest.max(metres));
            column.source = height.source;
        }
    }

    /// Draws what was added, with a legend of the sources that are there.
    ///
    /// # Errors
    /// Where the font can't be read.
    pub fn draw(&self, sources: &[String]) -> Result<Picture> {
        let mut picture = Picture::new(SIZE.0, SIZE.1);
        let known = || self.columns.iter().flatten();
        let low = known().map(|c| c.least).fold(f64::INFINITY, f64::min);
        let high = known().map(|c| c.greatest).fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            picture.text((LEFT as f32, SIZE.1 as f32 / 2.0), 15.0, INK, "no heights along this line")?;
            return Ok(picture);
        }
        let step = nice((high - low).max(1.0) / 5.0);
        let (floor, ceiling) = ((low / step).floor() * step, ((high / step).floor() + 1.0) * step);
        let (bottom, room) = (SIZE.1 - BOTTOM, (SIZE.1 - BOTTOM - TOP) as f64);
        let y = |metres: f64| bottom - ((metres - floor) / (ceiling - floor) * room).round() as usize;
        for n in 0..=((ceiling - floor) / step).round() as usize {
            let metres = floor + n as f64 * step;
            picture.fill((LEFT, y(metres)), (self.columns.len(), 1), GRID);
            picture.text((8.0, y(metres) as f32 + 5.0), 14.0, INK, &format!("{metres:.*} m", decimals(step)))?;
        }
        let many = sources.len() > 1 && known().any(|c| c.source.is_some());
        for (n, column) in self.columns.iter().enumerate() {
            let Some(column) = column else { continue };
            let color = column.source.filter(|_| many).map_or(GROUND, |source| distinct(source.into()));
            let (top, base) = (y(column.greatest), y(column.least));
            picture.fill((LEFT + n, top), (1, bottom - top), lighter(color));
            picture.fill((LEFT + n, top), (1, (base - top).max(2)), color);
        }
        self.distances(&mut picture, bottom)?;
        if !many {
            return Ok(picture);
        }
        let mut there: Vec<u8> = known().filter_map(|c| c.source).collect();
        there.sort_unstable();
        there.dedup();
        let name = |n: u8| sources.get(usize::from(n)).cloned().unwrap_or_default();
        let rows: Vec<_> = there.into_iter().map(|n| (distinct(n.into()), name(n))).collect();
        let mut legend = Picture::new(SIZE.0, 24 + rows.len() * 36);
        legend.legend(&rows)?;
        Ok(picture.beside(&legend))
    }

    /// The axis of distances.
    fn distances(&self, picture: &mut Picture, bottom: usize) -> Result<()> {
        let (unit, name) = if self.length >= 3000.0 { (1000.0, "km") } else { (1.0, "m") };
        let step = nice(self.length / unit / 8.0);
        picture.fill((LEFT, bottom), (self.columns.len(), 1), INK);
        for n in 0..=(self.length / unit / step).floor() as usize {
            let distance = n as f64 * step;
            let x = LEFT + self.place(distance * unit).round() as usize;
            picture.fill((x, bottom), (1, 6), INK);
            let text = format!("{distance:.*} {name}", decimals(step));
            picture.text((x as f32 - 8.0, bottom as f32 + 22.0), 14.0, INK, &text)?;
        }
        Ok(())
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|&n| n >= step * 0.999).unwrap_or(10.0 * power)
}

fn decimals(step: f64) -> usize {
    (-step.log10().floor()).clamp(0.0, 9.0) as usize
}

fn lighter(color: [u8; 3]) -> [u8; 3] {
    std::array::from_fn(|i| ((u32::from(color[i]) + 2 * u32::from(PAPER[i])) / 3) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_numbers_and_no_smaller_than_asked() {
        for (step, want) in [(1.0, 1.0), (1.1, 2.0), (0.03, 0.05), (700.0, 1000.0), (20.0, 20.0)] {
            assert!((nice(step) / want - 1.0).abs() < 1e-9, "{step}");
        }
        assert_eq!((decimals(0.05), decimals(1.0), decimals(200.0)), (2, 0, 0));
    }
}
