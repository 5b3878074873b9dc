//! The pixel work for one tile and one raster.
//!
//! A pixel is made by the raster that its centre lies in. It is valid where the valid cells have at least half of the
//! kernel's weight over the cells that lie in some raster; its value is the weighted mean over the valid cells. Cells
//! beyond every raster do not count, so that the edge of a collection does not shrink; nor do cells that were borrowed from
//! a raster of another lattice, which have a part in the value only. Cells between the raster and another one ([`State::BRIDGED`])
//! count as valid.

use super::kernel::{Kernel, split};
pub use super::pixel_map::{PixelMap, pixel_map};
use super::separable::{self, Pixels};
use super::turn::turns;
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
    let turn = info.turn_in_cells();
    let at_center = stretch(map, side, middle, turn);
    // Where the raster holds the centre, that is its nearest pixel.
    let held = match map {
        PixelMap::Separable { cols, rows } => inside(cols[middle.0], info.width) && inside(rows[middle.1], info.height),
        PixelMap::Grid { cols, rows } => {
            let at = middle.1 * side + middle.0;
            inside(cols[at], info.width) && inside(rows[at], info.height)
        }
    };
    let nearest = if held { Some(middle) } else { nearest_inside(map, side, info) };
    let near = nearest.and_then(|pixel| stretch(map, side, pixel, turn));
    let alike = |a: f64, b: f64| a <= b * 1.25 && b <= a * 1.25;
    let (x, y) = match (at_center, near) {
        (Some(center), Some(near)) if !alike(center.0, near.0) || !alike(center.1, near.1) => near,
        (Some(scale), _) | (None, Some(scale)) => scale,
        (None, None) => (1.0, 1.0),
    };
    let round = |v: f64| ((v * 1024.0).round() / 1024.0).max(1.0 / 1024.0);
    (round(x), round(y))
}

/// Cells a pixel around one pixel, by differences to its neighbours; over the seam of a raster around the world, the short way.
fn stretch(map: &PixelMap, side: usize, (x, y): (usize, usize), turn: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let place = |x: usize, y: usize| match map {
        PixelMap::Separable { cols, rows } => (cols[x], rows[y]),
        PixelMap::Grid { cols, rows } => (cols[y * side + x], rows[y * side + x]),
    };
    let over = |a: (usize, usize), b: (usize, usize), n: f64| {
        let ((ac, ar), (bc, br)) = (place(a.0, a.1), place(b.0, b.1));
        let (mut dc, mut dr) = (bc - ac, br - ar);
        if let Some(turn) = turn {
            let turns = turns((dc, dr), turn);
            (dc, dr) = (dc - turns * turn.0, dr - turns * turn.1);
        }
        Some((dc / n, dr / n)).filter(|(dc, dr)| dc.is_finite() && dr.is_finite())
    };
    let slope = |low: (usize, usize), high: (usize, usize)| {
        let here = (x, y);
        let whole = if low != here && here != high { over(low, high, 2.0) } else { None };
        whole
            .or_else(|| if here != high { over(here, high, 1.0) } else { None })
            .or_else(|| if low != here { over(low, here, 1.0) } else { None })
    };
    let (x0, x1, y0, y1) = (x.saturating_sub(1), (x + 1).min(side - 1), y.saturating_sub(1), (y + 1).min(side - 1));
    let (by_x, by_y) = (slope((x0, y), (x1, y))?, slope((x, y0), (x, y1))?);
    Some(match map {
        PixelMap::Separable { .. } => (by_x.0.abs(), by_y.1.abs()),
        PixelMap::Grid { .. } => (by_x.0.hypot(by_y.0), by_x.1.hypot(by_y.1)),
    })
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
pub(super) fn inside(at: f64, size: u32) -> bool {
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
/// Sums are in f64. Over a separable map rows of cells are resampled across once, and then down for each row of pixels: plain bilinear costs
/// about a nanosecond a pixel where the raster is upsampled. The rest costs one multiplication a cell of the kernel.
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
    let mut out = Pixels { values, valid, mark, filled: 0 };
    let (across, down) = (Kernel::new(resampling, scale.0), Kernel::new(resampling, scale.1));
    match map {
        PixelMap::Separable { cols, rows } => {
            debug_assert_eq!(cols.len(), size as usize);
            separable::resample((cols, rows), (across, down), cells, info, &mut out);
        }
        PixelMap::Grid { cols, rows } => {
            let plain = across.is_plain_bilinear() && down.is_plain_bilinear();
            let full = plain && cells.state.iter().all(|&s| s == State::VALID);
            let (mut wx, mut wy) = (Vec::new(), Vec::new());
            for at in 0..cols.len() {
                if out.valid[at] != 0 || !inside(cols[at], info.width) || !inside(rows[at], info.height) {
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
                if let Some(value) = value {
                    out.put(at, value);
                }
            }
        }
    }
    out.filled
}

/// How many of the tile's pixels have no value yet and their centres in the raster: what [`resample`] may fill.
///
/// # Panics
/// Where `valid` is shorter than `size * size`.
#[must_use]
pub fn open_pixels(map: &PixelMap, size: u32, info: &RasterInfo, valid: &[u8]) -> usize {
    let side = size as usize;
    match map {
        PixelMap::Separable { cols, rows } => {
            let cols: Vec<u8> = cols.iter().map(|&v| u8::from(inside(v, info.width))).collect();
            let rows = (0..rows.len()).filter(|&y| inside(rows[y], info.height));
            let line = |y: usize| valid[y * side..(y + 1) * side].iter().zip(&cols);
            rows.map(|y| line(y).map(|(valid, held)| u32::from((valid ^ 1) & held)).sum::<u32>() as usize).sum()
        }
        PixelMap::Grid { cols, rows } => (0..cols.len())
            .filter(|&at| valid[at] == 0 && inside(cols[at], info.width) && inside(rows[at], info.height))
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
    // Negative numbers became huge ones.
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
pub(super) fn blend(cells: &Cells, col: i64, wx: &[f64], row: i64, wy: &[f64]) -> Option<f32> {
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
    // Exactly half is enough; a billionth allows for the rounding of the sums.
    let enough = known > 0.0 && known * 2.0 >= total * (1.0 - 1e-9) && weight >= known * 0.25;
    enough.then(|| (sum / weight) as f32)
}

#[cfg(test)]
#[path = "warp_tests.rs"]
mod tests;
