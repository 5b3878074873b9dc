//! The pixel work for one tile and one raster.
//!
//! A pixel is made by the raster that its centre lies in. It is valid where the valid cells have at least half of the
//! kernel's weight over the cells that lie in some raster; its value is the weighted mean over the valid cells. Cells
//! beyond every raster do not count, so that the edge of a collection is not eaten away; nor do cells that were borrowed from
//! a raster of another lattice, which have a part in the value only. Cells between the raster and another one ([`State::BRIDGED`])
//! count as valid.

use super::kernel::{Kernel, split};
pub use super::pixel_map::{PixelMap, pixel_map};
use super::{Cells, RasterInfo, Resampling, State, Window};

/// Cells a pixel along columns and rows, as [`Kernel`] takes them: the extent of a pixel's footprint in the raster.
///
/// It is measured at the tile's centre, so that files on one lattice get the same kernel; where the raster's part of
/// the tile is stretched by more than a quarter against the centre, at the raster's pixel nearest to the centre. Rounded
/// to 1/1024.
#[must_use]
pub fn pixel_scale(map: &PixelMap, size: u32, info: &RasterInfo) -> (f64, f64) {
    let side = size as usize;
    if side < 2 {
        return (1.0, 1.0);
    }
    let middle = (side / 2, side / 2);
    let at_center = stretch(map, side, middle);
    // Where the raster holds the centre, that is its nearest pixel.
    let held = match map {
        PixelMap::Separable { cols, rows } => inside(cols[middle.0], info.width) && inside(rows[middle.1], info.height),
        PixelMap::Grid { cols, rows } => {
            let at = middle.1 * side + middle.0;
            inside(cols[at], info.width) && inside(rows[at], info.height)
        }
    };
    let nearest = if held { Some(middle) } else { nearest_inside(map, side, info) };
    let near = nearest.and_then(|pixel| stretch(map, side, pixel));
    let alike = |a: f64, b: f64| a <= b * 1.25 && b <= a * 1.25;
    let (x, y) = match (at_center, near) {
        (Some(center), Some(near)) if !alike(center.0, near.0) || !alike(center.1, near.1) => near,
        (Some(scale), _) | (None, Some(scale)) => scale,
        (None, None) => (1.0, 1.0),
    };
    let round = |v: f64| ((v * 1024.0).round() / 1024.0).max(1.0 / 1024.0);
    (round(x), round(y))
}

/// Cells a pixel around one pixel, by differences to its neighbours.
fn stretch(map: &PixelMap, side: usize, (x, y): (usize, usize)) -> Option<(f64, f64)> {
    let slope = |values: &[f64], low: usize, here: usize, high: usize| {
        let over = |a: usize, b: usize, n: f64| Some((values[b] - values[a]) / n).filter(|v| v.is_finite());
        let whole = if low < here && here < high { over(low, high, 2.0) } else { None };
        whole
            .or_else(|| if here < high { over(here, high, 1.0) } else { None })
            .or_else(|| if low < here { over(low, here, 1.0) } else { None })
    };
    let (x0, x1, y0, y1) = (x.saturating_sub(1), (x + 1).min(side - 1), y.saturating_sub(1), (y + 1).min(side - 1));
    match map {
        PixelMap::Separable { cols, rows } => Some((slope(cols, x0, x, x1)?.abs(), slope(rows, y0, y, y1)?.abs())),
        PixelMap::Grid { cols, rows } => {
            let along = |values: &[f64]| {
                let by_x = slope(values, y * side + x0, y * side + x, y * side + x1)?;
                let by_y = slope(values, y0 * side + x, y * side + x, y1 * side + x)?;
                Some(by_x.hypot(by_y))
            };
            Some((along(cols)?, along(rows)?))
        }
    }
}

/// The pixel nearest to the tile's centre whose own centre lies in the raster.
fn nearest_inside(map: &PixelMap, side: usize, info: &RasterInfo) -> Option<(usize, usize)> {
    let off = |i: usize| i.abs_diff(side / 2);
    match map {
        PixelMap::Separable { cols, rows } => {
            let nearest = |v: &[f64], size: u32| (0..side).filter(|&i| inside(v[i], size)).min_by_key(|&i| (off(i), i));
            Some((nearest(cols, info.width)?, nearest(rows, info.height)?))
        }
        PixelMap::Grid { cols, rows } => (0..side * side)
            .filter(|&i| inside(cols[i], info.width) && inside(rows[i], info.height))
            .min_by_key(|&i| (off(i % side).max(off(i / side)), i))
            .map(|i| (i % side, i / side)),
    }
}

/// True where a position lies in `[0, size)`; NaN does not.
fn inside(at: f64, size: u32) -> bool {
    at >= 0.0 && at < f64::from(size)
}

/// The cells that [`resample`] needs, the kernel's margin included; it may reach beyond the raster. `None` where no
/// pixel's centre lies in the raster.
#[must_use]
pub fn source_window(map: &PixelMap, info: &RasterInfo, resampling: Resampling, scale: (f64, f64)) -> Option<Window> {
    let mut x = (f64::INFINITY, f64::NEG_INFINITY);
    let mut y = x;
    let grow = |range: &mut (f64, f64), v: f64| *range = (range.0.min(v), range.1.max(v));
    match map {
        PixelMap::Separable { cols, rows } => {
            cols.iter().filter(|&&v| inside(v, info.width)).for_each(|&v| grow(&mut x, v));
            rows.iter().filter(|&&v| inside(v, info.height)).for_each(|&v| grow(&mut y, v));
        }
        PixelMap::Grid { cols, rows } => {
            // Without branches, so that the compiler makes vector instructions of it.
            let (width, height) = (f64::from(info.width), f64::from(info.height));
            let least = |a: f64, b: f64| if a < b { a } else { b };
            let most = |a: f64, b: f64| if a > b { a } else { b };
            for (&col, &row) in cols.iter().zip(rows) {
                let held = (col >= 0.0) & (col < width) & (row >= 0.0) & (row < height);
                let or = |v: f64, none: f64| if held { v } else { none };
                x = (least(or(col, f64::INFINITY), x.0), most(or(col, f64::NEG_INFINITY), x.1));
                y = (least(or(row, f64::INFINITY), y.0), most(or(row, f64::NEG_INFINITY), y.1));
            }
        }
    }
    if x.0 > x.1 || y.0 > y.1 {
        return None;
    }
    let (across, down) = (Kernel::new(resampling, scale.0), Kernel::new(resampling, scale.1));
    let (col, last_col) = (across.span(x.0).0, across.span(x.1).1);
    let (row, last_row) = (down.span(y.0).0, down.span(y.1).1);
    Some(Window { col, row, width: (last_col - col + 1) as usize, height: (last_row - row + 1) as usize })
}

/// Makes the tile's pixels that have no value yet and whose centres lie in the raster.
///
/// `cells` is the window of [`source_window`], filled from the raster and its neighbours. `values` and `valid` (0 or 1)
/// hold one entry a pixel, row by row; with some lines of a map ([`PixelMap::lines`]), those lines of them. Where `mark` is given, its number is written into its plane (one byte a pixel)
/// for every pixel that gets its value here: the lineage. Returns how many pixels got one.
///
/// Sums are in f64. Plain bilinear over a separable map has a loop of its own, some nanoseconds a pixel; the rest costs
/// one multiplication a cell of the kernel.
///
/// # Panics
/// Where a slice is shorter than the map.
#[expect(clippy::too_many_arguments, reason = "each is a plain value of the tile or the raster")]
pub fn resample(
    map: &PixelMap,
    size: u32,
    cells: &Cells,
    info: &RasterInfo,
    resampling: Resampling,
    scale: (f64, f64),
    values: &mut [f32],
    valid: &mut [u8],
    mark: Option<(&mut [u8], u8)>,
) -> usize {
    let side = size as usize;
    let (mut plane, number) = mark.map_or((None, 0), |(plane, number)| (Some(plane), number));
    let mut filled = 0;
    let mut put = |at: usize, value: Option<f32>, values: &mut [f32], valid: &mut [u8]| {
        if let Some(value) = value {
            values[at] = value;
            valid[at] = 1;
            filled += 1;
            if let Some(plane) = &mut plane {
                plane[at] = number;
            }
        }
    };
    let (across, down) = (Kernel::new(resampling, scale.0), Kernel::new(resampling, scale.1));
    match map {
        PixelMap::Separable { cols, rows } => {
            let across = Axis::new(across, cols, info.width, cells.window.col);
            let down = Axis::new(down, rows, info.height, cells.window.row);
            let mut lines = Lines::new(&across, &down, cells);
            for (y, v) in down.taps.iter().enumerate() {
                let Some(v) = v else { continue };
                let line = y * side;
                // The plain case first; it leaves the pixels that have a cell without a value to the rest.
                if let (Some(plain), Some((north, south))) = (&across.plain, down.pair(v, cells)) {
                    for tap in plain {
                        let at = line + tap.pixel;
                        if valid[at] == 0
                            && let Some(value) = four(&north, &south, tap.first, tap.part, v.part)
                        {
                            put(at, Some(value), values, valid);
                        }
                    }
                }
                // Wider kernels: first across, then down, where all cells are valid.
                if let Some(lines) = &mut lines
                    && let Some((sums, whole)) = lines.sum(v.first, down.of(v))
                {
                    for (x, (&sum, &whole)) in sums.iter().zip(whole).enumerate() {
                        if whole == 1 && valid[line + x] == 0 {
                            put(line + x, Some(sum as f32), values, valid);
                        }
                    }
                }
                for (x, u) in across.taps.iter().enumerate() {
                    let Some(u) = u else { continue };
                    if valid[line + x] == 0 {
                        put(line + x, blend(cells, u.first, across.of(u), v.first, down.of(v)), values, valid);
                    }
                }
            }
        }
        PixelMap::Grid { cols, rows } => {
            let plain = across.is_plain_bilinear() && down.is_plain_bilinear();
            let full = plain && cells.state.iter().all(|&s| s == State::VALID);
            let (mut wx, mut wy) = (Vec::new(), Vec::new());
            for at in 0..cols.len() {
                if valid[at] != 0 || !inside(cols[at], info.width) || !inside(rows[at], info.height) {
                    continue;
                }
                let mut value = None;
                if full {
                    value = four_of_full(cells, split(cols[at]), split(rows[at]));
                } else if plain {
                    let ((col, fx), (row, fy)) = (split(cols[at]), split(rows[at]));
                    let (col, row) = (col - cells.window.col, row - cells.window.row);
                    if let (Ok(col), Some((north, south))) = (usize::try_from(col), line_pair(cells, row)) {
                        value = four(&north, &south, col, fx, fy);
                    }
                }
                let value = value.or_else(|| {
                    let col = across.taps(cols[at], &mut wx) - cells.window.col;
                    let row = down.taps(rows[at], &mut wy) - cells.window.row;
                    blend(cells, col, &wx, row, &wy)
                });
                put(at, value, values, valid);
            }
        }
    }
    filled
}

/// How many of the tile's pixels have no value yet and their centres in the raster: what [`resample`] may fill.
///
/// # Panics
/// Where `valid` is shorter than `size * size`.
#[must_use]
pub fn open_pixels(map: &PixelMap, size: u32, info: &RasterInfo, valid: &[u8]) -> usize {
    let side = size as usize;
    let open = |at: usize| valid[at] == 0;
    match map {
        PixelMap::Separable { cols, rows } => {
            let cols: Vec<usize> = (0..side).filter(|&x| inside(cols[x], info.width)).collect();
            let rows = (0..rows.len()).filter(|&y| inside(rows[y], info.height));
            rows.map(|y| cols.iter().filter(|&&x| open(y * side + x)).count()).sum()
        }
        PixelMap::Grid { cols, rows } => (0..cols.len())
            .filter(|&at| open(at) && inside(cols[at], info.width) && inside(rows[at], info.height))
            .count(),
    }
}

/// The value at one place, in fractional cells of the raster, by kernels across and down, and whether all cells of the kernel
/// have a part in it; `None` where the valid cells weigh less than half.
#[must_use]
pub fn sample(cells: &Cells, kernels: (&Kernel, &Kernel), (col, row): (f64, f64)) -> Option<(f32, bool)> {
    let (mut wx, mut wy) = (Vec::new(), Vec::new());
    let first_col = kernels.0.taps(col, &mut wx) - cells.window.col;
    let first_row = kernels.1.taps(row, &mut wy) - cells.window.row;
    let value = blend(cells, first_col, &wx, first_row, &wy)?;
    let has_part = |col: i64, row: i64| {
        let (Ok(col), Ok(row)) = (usize::try_from(col), usize::try_from(row)) else { return false };
        col < cells.window.width
            && cells.state.get(row * cells.window.width + col).is_some_and(|&s| State::has_value(s))
    };
    let weighs = |w: &f64| *w != 0.0;
    let whole = (first_row..)
        .zip(&wy)
        .filter(|(_, w)| weighs(w))
        .all(|(row, _)| (first_col..).zip(&wx).filter(|(_, w)| weighs(w)).all(|(col, _)| has_part(col, row)));
    Some((value, whole))
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
    /// `None` where plain bilinear does the work.
    fn new(across: &'a Axis, down: &Axis, cells: &'a Cells) -> Option<Self> {
        if across.plain.is_some() && down.plain.is_some() {
            return None;
        }
        let most = down.taps.iter().flatten().map(|tap| tap.range.len()).max().unwrap_or(0);
        let side = across.taps.len();
        let line = || Made { row: usize::MAX, values: vec![0.0; side], whole: vec![0; side] };
        let made = (0..most.max(1)).map(|_| line()).collect();
        Some(Self { across, cells, made, sums: vec![0.0; side], whole: vec![0; side] })
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

/// Plain bilinear at one of the tile's columns: the first of its two cells, and the weight of the second.
struct Pair {
    pixel: usize,
    first: usize,
    part: f64,
}

/// The kernel at every position along an axis; `None` where the centre is beyond the raster.
struct Axis {
    taps: Vec<Option<Tap>>,
    weights: Vec<f64>,
    /// For plain bilinear, the positions whose first cell is in the window.
    plain: Option<Vec<Pair>>,
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
        let taps: Vec<Option<Tap>> = taps.collect();
        let pair = |(pixel, tap): (usize, &Option<Tap>)| {
            let tap = tap.as_ref()?;
            Some(Pair { pixel, first: usize::try_from(tap.first).ok()?, part: tap.part })
        };
        let plain = kernel.is_plain_bilinear().then(|| taps.iter().enumerate().filter_map(pair).collect());
        Self { taps, weights, plain }
    }

    fn of(&self, tap: &Tap) -> &[f64] {
        &self.weights[tap.range.clone()]
    }

    /// For plain bilinear, the two rows of cells around a position.
    fn pair<'a>(&self, tap: &Tap, cells: &'a Cells) -> Option<(Line<'a>, Line<'a>)> {
        self.plain.as_ref().and_then(|_| line_pair(cells, tap.first))
    }
}

/// A row of cells.
struct Line<'a> {
    values: &'a [f32],
    state: &'a [u8],
}

/// A row of the window and the next one; `None` where one of them is beyond it.
#[inline]
fn line_pair(cells: &Cells, row: i64) -> Option<(Line<'_>, Line<'_>)> {
    let (row, width) = (usize::try_from(row).ok()?, cells.window.width);
    if row + 1 >= cells.window.height {
        return None;
    }
    let line = |row: usize| {
        let range = row * width..(row + 1) * width;
        Line { values: &cells.values[range.clone()], state: &cells.state[range] }
    };
    Some((line(row), line(row + 1)))
}

/// Plain bilinear over four valid cells; `None` where one of them is not valid or beyond the window.
#[inline]
fn four(north: &Line, south: &Line, col: usize, fx: f64, fy: f64) -> Option<f32> {
    let states = (north.state.get(col..col + 2)?, south.state.get(col..col + 2)?);
    // 1 is valid, 0 and 2 are not; 3 and 7 (borrowed, bridged) are good beside one that is valid.
    if states.0[0] & states.0[1] & states.1[0] & states.1[1] != State::VALID {
        return None;
    }
    let (north, south) = (&north.values[col..col + 2], &south.values[col..col + 2]);
    let north = f64::from(north[0]) * (1.0 - fx) + f64::from(north[1]) * fx;
    let south = f64::from(south[0]) * (1.0 - fx) + f64::from(south[1]) * fx;
    Some((north * (1.0 - fy) + south * fy) as f32)
}

/// Plain bilinear in a window whose cells are all valid; `None` where one of the four is beyond it.
#[inline]
fn four_of_full(cells: &Cells, (col, fx): (i64, f64), (row, fy): (i64, f64)) -> Option<f32> {
    let width = cells.window.width;
    let (col, row) = ((col - cells.window.col) as usize, (row - cells.window.row) as usize);
    // Numbers below zero are huge here.
    if col >= width.saturating_sub(1) || row >= cells.window.height.saturating_sub(1) {
        return None;
    }
    let two = cells.values.get(row * width + col..(row + 1) * width + col + 2)?;
    let mix = |a: f32, b: f32| f64::from(a) * (1.0 - fx) + f64::from(b) * fx;
    let (north, south) = (mix(two[0], two[1]), mix(two[width], two[width + 1]));
    Some((north * (1.0 - fy) + south * fy) as f32)
}

/// The weighted mean over valid cells; `None` where they weigh less than half of the cells that lie in some raster.
///
/// Kernels with negative lobes are weighed by magnitude; where the lobes that are left cancel most of the rest, the mean
/// would overshoot without bound, and there is none.
fn blend(cells: &Cells, col: i64, wx: &[f64], row: i64, wy: &[f64]) -> Option<f32> {
    let (width, height) = (cells.window.width as i64, cells.window.height as i64);
    let (mut known, mut weight, mut sum, mut total) = (0.0, 0.0, 0.0, 0.0);
    for (row, wy) in (row..).zip(wy).filter(|(row, _)| (0..height).contains(row)) {
        let line = (row * width) as usize;
        for (col, wx) in (col..).zip(wx).filter(|(col, _)| (0..width).contains(col)) {
            let at = line + col as usize;
            let w = wx * wy;
            match cells.state[at] {
                State::VALID | State::BRIDGED => {
                    known += w.abs();
                    weight += w;
                    sum += w * f64::from(cells.values[at]);
                    total += w.abs();
                }
                State::BORROWED => {
                    weight += w;
                    sum += w * f64::from(cells.values[at]);
                }
                State::NODATA => total += w.abs(),
                _ => {}
            }
        }
    }
    // A billionth for the rounding of the sums: exactly half is enough.
    let enough = known > 0.0 && known * 2.0 >= total * (1.0 - 1e-9) && weight >= known * 0.25;
    enough.then(|| (sum / weight) as f32)
}

#[cfg(test)]
#[path = "warp_tests.rs"]
mod tests;
