//! Windows of cells, with a mask beside the values.

/// A rectangle of cells; it may reach beyond the raster on any side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub col: i64,
    /// First row.
    pub row: i64,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Window {
    /// The part of the window inside `[0, width) x [0, height)`; `None` where there is none.
    #[must_use]
    pub fn clip(&self, width: u32, height: u32) -> Option<Self> {
        let span = |first: i64, count: usize, size: u32| {
            let end = first.saturating_add(i64::try_from(count).ok()?).min(i64::from(size));
            let start = first.max(0);
            (start < end).then(|| (start, (end - start) as usize))
        };
        let (col, width) = span(self.col, self.width, width)?;
        let (row, height) = span(self.row, self.height, height)?;
        Some(Self { col, row, width, height })
    }

    /// The number of cells.
    #[must_use]
    pub fn len(&self) -> usize {
        self.width.saturating_mul(self.height)
    }

    /// True where the window has no cells.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }
}

/// The states of a cell, as stored in [`Cells::state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State;

impl State {
    /// Inside a raster, without a value.
    pub const NODATA: u8 = 0;
    /// Inside a raster, with a value.
    pub const VALID: u8 = 1;
    /// Beyond the extent of every raster read so far.
    pub const OUTSIDE: u8 = 2;
}

/// A window of cells, row by row. NaN never appears: a cell that is not [`State::VALID`] holds 0.
#[derive(Debug, Clone)]
pub struct Cells {
    /// Which cells.
    pub window: Window,
    /// One value a cell, scale and offset applied.
    pub values: Vec<f32>,
    /// One of [`State`]'s numbers a cell.
    pub state: Vec<u8>,
}

impl Cells {
    /// A window that no raster has been read into: every cell is [`State::OUTSIDE`].
    #[must_use]
    pub fn outside(window: Window) -> Self {
        let len = window.len();
        Self { window, values: vec![0.0; len], state: vec![State::OUTSIDE; len] }
    }

    /// Makes it another window, all [`State::OUTSIDE`], and keeps the memory.
    pub fn reset(&mut self, window: Window) {
        let len = window.len();
        self.window = window;
        self.values.clear();
        self.values.resize(len, 0.0);
        self.state.clear();
        self.state.resize(len, State::OUTSIDE);
    }

    /// True while a cell is [`State::OUTSIDE`]; then a neighbour may have it.
    #[must_use]
    pub fn has_outside(&self) -> bool {
        self.state.contains(&State::OUTSIDE)
    }

    /// Puts a block of values into the cells of `part` (raster columns and rows) that are [`State::OUTSIDE`] so far.
    ///
    /// `value` gives the value of the i-th cell of `part`, row by row, or `None` for nodata; a value that is not finite
    /// counts as nodata. Cells of `part` beyond the window are ignored.
    pub fn fill(&mut self, part: Window, mut value: impl FnMut(usize) -> Option<f32>) {
        for y in 0..part.height {
            let Ok(row) = usize::try_from(part.row + y as i64 - self.window.row) else { continue };
            if row >= self.window.height {
                break;
            }
            for x in 0..part.width {
                let Ok(col) = usize::try_from(part.col + x as i64 - self.window.col) else { continue };
                if col >= self.window.width {
                    break;
                }
                let at = row * self.window.width + col;
                if self.state[at] == State::OUTSIDE {
                    let (cell, state) = match value(y * part.width + x) {
                        Some(v) if v.is_finite() => (v, State::VALID),
                        _ => (0.0, State::NODATA),
                    };
                    self.values[at] = cell;
                    self.state[at] = state;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_to_the_raster() {
        let window = Window { col: -2, row: 3, width: 5, height: 10 };
        assert_eq!(window.clip(4, 8), Some(Window { col: 0, row: 3, width: 3, height: 5 }));
        assert_eq!(window.clip(4, 3), None);
        assert_eq!(Window { col: 4, ..window }.clip(4, 8), None);
        assert!(Window { width: 0, ..window }.is_empty());
    }

    #[test]
    fn the_first_raster_keeps_its_cells_and_nan_is_nodata() {
        let mut cells = Cells::outside(Window { col: -1, row: 0, width: 4, height: 1 });
        cells.fill(Window { col: 0, row: 0, width: 2, height: 1 }, |i| [Some(5.0), Some(f32::NAN)][i]);
        assert_eq!(cells.state, [2, 1, 0, 2]);
        assert!(cells.has_outside());
        cells.fill(Window { col: -1, row: 0, width: 9, height: 2 }, |i| Some(i as f32));
        assert_eq!(cells.values, [0.0, 5.0, 0.0, 3.0]);
        assert_eq!(cells.state, [1, 1, 0, 1]);
        assert!(!cells.has_outside());
    }
}
