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
    /// With a value that was sampled from a raster of another lattice: it has a part in values, but makes no pixel valid.
    pub const BORROWED: u8 = 3;
    /// Between a valid cell and one that another raster has: with the mean of both. It counts as valid.
    pub const BRIDGED: u8 = 7;

    /// True for a cell with a value, wherever that is from.
    #[must_use]
    pub const fn has_value(state: u8) -> bool {
        state & Self::VALID != 0
    }
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

    /// True where a cell is [`State::OUTSIDE`]; then a neighbour may have it.
    #[must_use]
    pub fn has_outside(&self) -> bool {
        self.state.contains(&State::OUTSIDE)
    }

    /// True where every cell has a value.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.state.iter().all(|&s| State::has_value(s))
    }

    /// The window and `margin` cells around it, which are [`State::OUTSIDE`].
    #[must_use]
    pub fn grown(&self, margin: usize) -> Self {
        let Window { col, row, width, height } = self.window;
        let (by, more) = (margin as i64, 2 * margin);
        let mut out =
            Self::outside(Window { col: col - by, row: row - by, width: width + more, height: height + more });
        let wide = out.window.width;
        for y in 0..height {
            let (from, to) = (y * width, (y + margin) * wide + margin);
            out.values[to..to + width].copy_from_slice(&self.values[from..from + width]);
            out.state[to..to + width].copy_from_slice(&self.state[from..from + width]);
        }
        out
    }

    /// Copies the cells of this window from another one, which holds all of them.
    pub fn copy_from(&mut self, wide: &Self) {
        let (dx, dy) = (self.window.col - wide.window.col, self.window.row - wide.window.row);
        let (Ok(dx), Ok(dy)) = (usize::try_from(dx), usize::try_from(dy)) else { return };
        let width = self.window.width;
        if dx + width > wide.window.width || dy + self.window.height > wide.window.height {
            return;
        }
        for y in 0..self.window.height {
            let (to, from) = (y * width, (y + dy) * wide.window.width + dx);
            self.values[to..to + width].copy_from_slice(&wide.values[from..from + width]);
            self.state[to..to + width].copy_from_slice(&wide.state[from..from + width]);
        }
    }

    /// The cells without a value that have one within `reach` cells across and down, row by row: those that share a
    /// kernel with it.
    #[must_use]
    pub fn beside_values(&self, reach: (usize, usize)) -> Vec<usize> {
        let (width, height) = (self.window.width, self.window.height);
        // Spread along rows, then along columns, by the distance to the last and the next value.
        let mut near = vec![0u8; self.state.len()];
        for y in 0..height {
            let line = y * width;
            spread(width, reach.0, |x| self.state[line + x] == State::VALID, |x| near[line + x] = 1);
        }
        let mut out = Vec::new();
        let mut both = vec![0u8; self.state.len()];
        for x in 0..width {
            spread(height, reach.1, |y| near[y * width + x] == 1, |y| both[y * width + x] = 1);
        }
        out.extend((0..both.len()).filter(|&at| both[at] == 1 && self.state[at] != State::VALID));
        out
    }

    /// Puts a block of values into the cells of `part` (raster columns and rows) that have no value so far.
    ///
    /// `value` gives the value of the i-th cell of `part`, row by row, or `None` for nodata; a value that is not finite
    /// counts as nodata. Cells of `part` beyond the window are ignored.
    pub fn fill(&mut self, part: Window, mut value: impl FnMut(usize) -> Option<f32>) {
        self.each_row(part, |values, states, first| {
            for ((cell, state), i) in values.iter_mut().zip(states).zip(first..) {
                if *state != State::VALID {
                    (*cell, *state) = match value(i) {
                        Some(v) if v.is_finite() => (v, State::VALID),
                        _ => (0.0, State::NODATA),
                    };
                }
            }
        });
    }

    /// As [`fill`](Self::fill), of values that `read` puts into a buffer for all cells of `part`, row by row, and that need only to be looked
    /// at. Where `part` is the whole window and nothing was read into it, the buffer is the window's own.
    ///
    /// # Errors
    /// Those of `read`; the window is then as it was.
    pub fn fill_by<E>(
        &mut self,
        part: Window,
        is_nodata: impl Fn(f32) -> bool,
        read: impl FnOnce(&mut [f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let valid = |v: f32| v.is_finite() & !is_nodata(v);
        if part == self.window && self.state.iter().fold(true, |new, &state| new & (state == State::OUTSIDE)) {
            read(&mut self.values).inspect_err(|_| self.values.fill(0.0))?;
            for (cell, state) in self.values.iter_mut().zip(&mut self.state) {
                let valid = valid(*cell);
                *cell = if valid { *cell } else { 0.0 };
                *state = if valid { State::VALID } else { State::NODATA };
            }
            return Ok(());
        }
        let mut from = vec![0.0; part.len()];
        read(&mut from)?;
        self.fill(part, |i| Some(from[i]).filter(|&v| valid(v)));
        Ok(())
    }

    /// Calls `each` with the values and states of every row that the window shares with `part`, and with the number of their first cell in
    /// `part`.
    fn each_row(&mut self, part: Window, mut each: impl FnMut(&mut [f32], &mut [u8], usize)) {
        let window = self.window;
        let off = |a: i64, b: i64| usize::try_from(a.saturating_sub(b)).unwrap_or(0);
        // Where the shared part begins in each, and how many cells it has.
        let (skip, col) = (off(window.col, part.col), off(part.col, window.col));
        let count = part.width.saturating_sub(skip).min(window.width.saturating_sub(col));
        let (above, row) = (off(window.row, part.row), off(part.row, window.row));
        let rows = part.height.saturating_sub(above).min(window.height.saturating_sub(row));
        for y in 0..if count == 0 { 0 } else { rows } {
            let at = (row + y) * window.width + col;
            each(&mut self.values[at..at + count], &mut self.state[at..at + count], (above + y) * part.width + skip);
        }
    }
}

/// Marks the places of a line of `length` that are within `reach` of one where `is` holds.
fn spread(length: usize, reach: usize, is: impl Fn(usize) -> bool, mut mark: impl FnMut(usize)) {
    let mut last: Option<usize> = None;
    // The first place that is not decided yet.
    let mut open = 0;
    for at in 0..length {
        if is(at) {
            let first = open.max(at.saturating_sub(reach));
            (first..=at).for_each(&mut mark);
            (open, last) = (at + 1, Some(at));
        } else if last.is_some_and(|last| at - last <= reach) {
            mark(at);
            open = at + 1;
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
    fn the_first_value_stays_and_nan_is_nodata() {
        let mut cells = Cells::outside(Window { col: -1, row: 0, width: 4, height: 1 });
        cells.fill(Window { col: 0, row: 0, width: 2, height: 1 }, |i| [Some(5.0), Some(f32::NAN)][i]);
        assert_eq!(cells.state, [2, 1, 0, 2]);
        assert!(cells.has_outside());
        cells.fill(Window { col: -1, row: 0, width: 9, height: 2 }, |i| Some(i as f32));
        assert_eq!(cells.values, [0.0, 5.0, 2.0, 3.0]);
        assert!(!cells.has_outside() && cells.is_full());
    }

    #[test]
    fn a_grown_window_holds_the_same_cells() {
        let mut cells = Cells::outside(Window { col: -3, row: 7, width: 3, height: 2 });
        cells.fill(cells.window, |i| (i != 4).then_some(i as f32));
        let mut wide = cells.grown(2);
        assert_eq!(wide.window, Window { col: -5, row: 5, width: 7, height: 6 });
        assert_eq!(wide.state.iter().filter(|&&s| s != State::OUTSIDE).count(), 6);
        assert_eq!((wide.values[2 * 7 + 4], wide.state[3 * 7 + 3]), (2.0, State::NODATA));
        (wide.values[3 * 7 + 3], wide.state[3 * 7 + 3]) = (9.0, State::BRIDGED);
        cells.copy_from(&wide);
        assert_eq!((cells.values[4], cells.values[2], cells.is_full()), (9.0, 2.0, true));
    }

    #[test]
    fn values_that_are_read_come_as_those_of_a_function_do() {
        let from: Vec<f32> = (0..60)
            .map(|i| {
                if i % 7 == 0 {
                    -9999.0
                } else if i == 11 {
                    f32::NAN
                } else {
                    i as f32
                }
            })
            .collect();
        let is_nodata = |v: f32| v == -9999.0;
        let part = Window { col: 0, row: 0, width: 10, height: 6 };
        let other = |col, row| Window { col, row, width: 7, height: 5 };
        for window in
            [part, other(0, 0), other(-3, 2), other(4, -5), other(2, 1), other(-20, 0), other(30, 0), other(0, 9)]
        {
            for before in [false, true] {
                let mut cells = [(); 2].map(|()| Cells::outside(window));
                if before {
                    cells
                        .iter_mut()
                        .for_each(|c| c.fill(Window { col: 3, row: 2, width: 1, height: 1 }, |_| Some(5.5)));
                }
                let empty = cells[0].clone();
                cells[0].fill(part, |i| Some(from[i]).filter(|&v| !is_nodata(v)));
                let failed = cells[1].fill_by(part, is_nodata, |to| {
                    to[7] = 7.0;
                    Err(())
                });
                assert!(failed.is_err() && (&cells[1].values, &cells[1].state) == (&empty.values, &empty.state));
                cells[1]
                    .fill_by(part, is_nodata, |to| {
                        to.copy_from_slice(&from);
                        Ok::<(), ()>(())
                    })
                    .unwrap();
                assert_eq!(
                    (&cells[0].values, &cells[0].state),
                    (&cells[1].values, &cells[1].state),
                    "{window:?} {before}"
                );
            }
        }
    }

    #[test]
    fn cells_beside_values_are_those_of_the_plain_definition() {
        let window = Window { col: 0, row: 0, width: 17, height: 11 };
        for (seed, reach) in [(7, (1, 1)), (31, (2, 1)), (53, (0, 3)), (11, (5, 4))] {
            let mut cells = Cells::outside(window);
            for at in 0..window.len() {
                if (at * 37 + seed) % 23 == 0 {
                    cells.state[at] = State::VALID;
                }
            }
            let near = |at: usize| {
                let (x, y) = (at % 17, at / 17);
                (0..window.len()).any(|o| {
                    cells.state[o] == State::VALID && (o % 17).abs_diff(x) <= reach.0 && (o / 17).abs_diff(y) <= reach.1
                })
            };
            let want: Vec<usize> =
                (0..window.len()).filter(|&at| cells.state[at] != State::VALID && near(at)).collect();
            assert_eq!(cells.beside_values(reach), want, "{seed}");
        }
    }
}
