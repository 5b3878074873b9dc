//! Resampling over a separable map, where columns depend on x alone and rows on y alone: rows of cells are resampled across once,
//! and then down for every row of pixels that needs them.

use super::kernel::Kernel;
use super::warp::{blend, inside};
use super::{Cells, RasterInfo, State};

/// The pixels that are being made.
pub(super) struct Pixels<'a> {
    pub(super) values: &'a mut [f32],
    /// 0 or 1.
    pub(super) valid: &'a mut [u8],
    /// A plane, and what is written into it for each pixel that gets a value.
    pub(super) mark: Option<(&'a mut [u8], u8)>,
    /// How many got a value.
    pub(super) filled: usize,
}

impl Pixels<'_> {
    #[inline]
    pub(super) fn put(&mut self, at: usize, value: f32) {
        self.values[at] = value;
        self.valid[at] = 1;
        self.filled += 1;
        if let Some((plane, number)) = &mut self.mark {
            plane[at] = *number;
        }
    }
}

/// Makes the pixels without a value whose centres lie in the raster; `cols` and `rows` are the map's.
pub(super) fn resample(
    (cols, rows): (&[f64], &[f64]),
    (across, down): (Kernel, Kernel),
    cells: &Cells,
    info: &RasterInfo,
    out: &mut Pixels,
) {
    let side = cols.len();
    let plain = across.is_plain_bilinear() && down.is_plain_bilinear();
    let across = Axis::new(across, cols, info.width, cells.window.col);
    let down = Axis::new(down, rows, info.height, cells.window.row);
    let mut mixed = if plain { Mixed::new(&across, cells) } else { None };
    let mut lines = (!plain).then(|| Lines::new(&across, &down, cells));
    for (y, v) in down.taps.iter().enumerate() {
        let Some(v) = v else { continue };
        let line = y * side;
        if all(&out.valid[line..line + side], 1) {
            continue;
        }
        let done = mixed.as_mut().and_then(|mixed| mixed.down(v, line, out).then_some(&*mixed));
        if done.is_some() && all(&out.valid[line..line + side], 1) {
            continue;
        }
        // Wider kernels: first across, then down, where all cells are valid.
        if let Some(lines) = &mut lines
            && let Some((sums, whole)) = lines.sum(v.first, down.of(v))
        {
            for (x, (&sum, &whole)) in sums.iter().zip(whole).enumerate() {
                if whole == 1 && out.valid[line + x] == 0 {
                    out.put(line + x, sum as f32);
                }
            }
        }
        for (x, u) in across.taps.iter().enumerate() {
            let Some(u) = u else { continue };
            if out.valid[line + x] == 0
                && !done.is_some_and(|mixed| mixed.is_hopeless(x))
                && let Some(value) = blend(cells, u.first, across.of(u), v.first, down.of(v))
            {
                out.put(line + x, value);
            }
        }
    }
}

/// True for the states of cells that make pixels valid.
fn counts(state: u8) -> bool {
    state == State::VALID || state == State::BRIDGED
}

/// True where all bytes are `value`; without a branch for each.
fn all(bytes: &[u8], value: u8) -> bool {
    bytes.iter().fold(0, |differ, &b| differ | (b ^ value)) == 0
}

/// The kernel at one position along an axis.
struct Tap {
    /// The first cell, counted from the window's edge.
    first: i64,
    /// For plain bilinear, the weight of the second cell.
    part: f64,
    /// Its weights in [`Axis::weights`].
    range: std::ops::Range<usize>,
}

/// The kernel at every position along an axis; `None` where the centre is beyond the raster.
struct Axis {
    taps: Vec<Option<Tap>>,
    weights: Vec<f64>,
}

impl Axis {
    fn new(kernel: Kernel, positions: &[f64], size: u32, window_start: i64) -> Self {
        let mut weights = Vec::new();
        let mut scratch = Vec::new();
        let taps = positions.iter().map(|&at| {
            inside(at, size).then(|| {
                let first = kernel.taps(at, &mut scratch) - window_start;
                let start = weights.len();
                weights.extend_from_slice(&scratch);
                Tap { first, part: scratch.get(1).copied().unwrap_or(0.0), range: start..weights.len() }
            })
        });
        let taps = taps.collect();
        Self { taps, weights }
    }

    fn of(&self, tap: &Tap) -> &[f64] {
        &self.weights[tap.range.clone()]
    }
}

/// Plain bilinear: rows of cells mixed across at the tile's columns. Where a coarse raster is upsampled, many rows of pixels lie
/// between the same two, and each of them only has to be mixed down.
struct Mixed<'a> {
    cells: &'a Cells,
    /// The first of the tile's columns inside of the raster; the others follow, up to the last one.
    start: usize,
    columns: Vec<Column>,
    /// 1 where a column is inside of the raster and both of its cells in the window.
    held: Vec<u8>,
    /// Row n of the window lies at n modulo 2.
    made: [MixedRow; 2],
    /// Which pixels of the row in work get a value.
    take: Vec<u8>,
}

/// The first of a column's two cells, and the weight of the second.
#[derive(Clone, Copy, Default)]
struct Column {
    first: usize,
    part: f64,
}

/// One of [`Mixed`].
struct MixedRow {
    row: usize,
    values: Vec<f64>,
    /// The states of the two cells, and-ed.
    both: Vec<u8>,
    /// 1 where one of them can make a pixel valid.
    some: Vec<u8>,
}

impl<'a> Mixed<'a> {
    /// `None` where no column is inside of the raster, or the window has less than two columns.
    fn new(across: &Axis, cells: &'a Cells) -> Option<Self> {
        let start = across.taps.iter().position(Option::is_some)?;
        let end = across.taps.iter().rposition(Option::is_some)? + 1;
        if cells.window.width < 2 {
            return None;
        }
        let column = |tap: &Option<Tap>| {
            let tap = tap.as_ref()?;
            let first = usize::try_from(tap.first).ok().filter(|first| first + 1 < cells.window.width)?;
            Some(Column { first, part: tap.part })
        };
        let found: Vec<Option<Column>> = across.taps[start..end].iter().map(column).collect();
        let length = found.len();
        let row =
            || MixedRow { row: usize::MAX, values: vec![0.0; length], both: vec![0; length], some: vec![0; length] };
        Some(Self {
            cells,
            start,
            held: found.iter().map(|c| u8::from(c.is_some())).collect(),
            columns: found.into_iter().map(Option::unwrap_or_default).collect(),
            made: [row(), row()],
            take: vec![0; length],
        })
    }

    /// Makes the pixels of a row whose four cells have values. False where the row's cells are beyond the window.
    fn down(&mut self, v: &Tap, line: usize, out: &mut Pixels) -> bool {
        let Some(first) = usize::try_from(v.first).ok().filter(|first| first + 1 < self.cells.window.height) else {
            return false;
        };
        for row in [first, first + 1] {
            let made = &mut self.made[row % 2];
            if made.row != row {
                made.fill(row, self.cells, &self.columns);
            }
        }
        let (north, south) = (&self.made[first % 2], &self.made[1 - first % 2]);
        let run = line + self.start..line + self.start + self.columns.len();
        let (values, valid) = (&mut out.values[run.clone()], &mut out.valid[run.clone()]);
        // 1 is valid, 0 and 2 are not; 3 and 7 (borrowed, bridged) are good beside one that is valid.
        let states = north.both.iter().zip(&south.both).zip(self.held.iter().zip(&*valid));
        for (take, ((n, s), (held, valid))) in self.take.iter_mut().zip(states) {
            *take = u8::from(n & s == State::VALID) & held & (valid ^ 1);
        }
        let count = self.take.iter().map(|&t| u32::from(t)).sum::<u32>() as usize;
        let (upper, lower) = (1.0 - v.part, v.part);
        let mixed = north.values.iter().zip(&south.values).map(|(n, s)| (n * upper + s * lower) as f32);
        if count == run.len() {
            values.iter_mut().zip(mixed).for_each(|(value, mixed)| *value = mixed);
            valid.fill(1);
        } else if count > 0 {
            for ((value, mixed), &take) in values.iter_mut().zip(mixed).zip(&self.take) {
                *value = if take == 1 { mixed } else { *value };
            }
            valid.iter_mut().zip(&self.take).for_each(|(valid, take)| *valid |= take);
        }
        if let Some((plane, number)) = &mut out.mark
            && count > 0
        {
            for (mark, &take) in plane[run].iter_mut().zip(&self.take) {
                *mark = if take == 1 { *number } else { *mark };
            }
        }
        out.filled += count;
        true
    }

    /// True for a column none of whose cells, in the rows of the last [`Mixed::down`], can make a pixel valid.
    fn is_hopeless(&self, x: usize) -> bool {
        let at = x.wrapping_sub(self.start);
        self.held.get(at) == Some(&1) && self.made.iter().all(|made| made.some[at] == 0)
    }
}

impl MixedRow {
    /// Mixes a row of the window.
    fn fill(&mut self, row: usize, cells: &Cells, columns: &[Column]) {
        self.row = row;
        let range = row * cells.window.width..(row + 1) * cells.window.width;
        let (values, state) = (&cells.values[range.clone()], &cells.state[range]);
        for (out, column) in self.values.iter_mut().zip(columns) {
            let two = &values[column.first..column.first + 2];
            *out = f64::from(two[0]) * (1.0 - column.part) + f64::from(two[1]) * column.part;
        }
        if all(state, State::VALID) {
            self.both.fill(State::VALID);
            self.some.fill(1);
            return;
        }
        for ((both, some), column) in self.both.iter_mut().zip(&mut self.some).zip(columns) {
            let two = &state[column.first..column.first + 2];
            *both = two[0] & two[1];
            *some = u8::from(counts(two[0]) || counts(two[1]));
        }
    }
}

/// Rows of cells resampled across, for kernels that are not plain bilinear: each is made once, though several rows of
/// pixels need it.
struct Lines<'a> {
    across: &'a Axis,
    cells: &'a Cells,
    /// As many as the kernel has rows; row n of the window lies at n modulo that.
    made: Vec<Made>,
    sums: Vec<f64>,
    whole: Vec<u8>,
}

/// One of [`Lines`].
struct Made {
    row: usize,
    values: Vec<f64>,
    /// 1 where all cells of the kernel are valid.
    whole: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn new(across: &'a Axis, down: &Axis, cells: &'a Cells) -> Self {
        let most = down.taps.iter().flatten().map(|tap| tap.range.len()).max().unwrap_or(0);
        let side = across.taps.len();
        let line = || Made { row: usize::MAX, values: vec![0.0; side], whole: vec![0; side] };
        let made = (0..most.max(1)).map(|_| line()).collect();
        Self { across, cells, made, sums: vec![0.0; side], whole: vec![0; side] }
    }

    /// The weighted sums of the rows from `first` on, and where all of their cells are valid; `None` where one is beyond
    /// the window.
    fn sum(&mut self, first: i64, weights: &[f64]) -> Option<(&[f64], &[u8])> {
        let first = usize::try_from(first).ok()?;
        if first + weights.len() > self.cells.window.height {
            return None;
        }
        self.sums.fill(0.0);
        self.whole.fill(1);
        let ring = self.made.len();
        for (row, &weight) in (first..).zip(weights) {
            let made = &mut self.made[row % ring];
            if made.row != row {
                made.fill(row, self.across, self.cells);
            }
            for (sum, &value) in self.sums.iter_mut().zip(&made.values) {
                *sum += weight * value;
            }
            for (whole, &here) in self.whole.iter_mut().zip(&made.whole) {
                *whole &= here;
            }
        }
        Some((&self.sums, &self.whole))
    }
}

impl Made {
    /// Resamples a row of the window.
    fn fill(&mut self, row: usize, across: &Axis, cells: &Cells) {
        self.row = row;
        let width = cells.window.width;
        let values = &cells.values[row * width..(row + 1) * width];
        let state = &cells.state[row * width..(row + 1) * width];
        let all = state.iter().all(|&s| s == State::VALID);
        for (x, tap) in across.taps.iter().enumerate() {
            (self.values[x], self.whole[x]) = (0.0, 0);
            let Some(tap) = tap else { continue };
            let weights = across.of(tap);
            let Ok(first) = usize::try_from(tap.first) else { continue };
            let (Some(cells), Some(states)) =
                (values.get(first..first + weights.len()), state.get(first..first + weights.len()))
            else {
                continue;
            };
            if all || states.iter().all(|&s| s == State::VALID) {
                self.values[x] = cells.iter().zip(weights).map(|(&v, w)| f64::from(v) * w).sum();
                self.whole[x] = 1;
            }
        }
    }
}
