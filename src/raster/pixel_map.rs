//! Where a tile's pixel centres fall in a raster.

use super::{Projector, RasterInfo};
use crate::error::{Error, Result};
use crate::tile::Bounds;

/// Where the centres of a tile's pixels fall in a raster, in fractional cells: cell i spans i to i + 1.
///
/// Positions are rounded to 2^-16 of a cell. Files on one lattice then agree, to the bit, on which of them has a centre
/// that falls on their common edge, although each computes it from an origin of its own. NaN: nowhere near the raster.
#[derive(Debug, Clone, PartialEq)]
pub enum PixelMap {
    /// Columns depend on x alone and rows on y alone, as for geographic and Mercator rasters.
    Separable {
        /// The column of each of the tile's pixel columns.
        cols: Vec<f64>,
        /// The row of each of the tile's pixel rows.
        rows: Vec<f64>,
    },
    /// Any other CRS: a position for each pixel, row by row.
    Grid {
        /// The column of each pixel.
        cols: Vec<f64>,
        /// The row of each pixel.
        rows: Vec<f64>,
    },
}

impl PixelMap {
    /// The map of some of the tile's pixel rows; `side` pixels make a row.
    ///
    /// # Panics
    /// Where the tile has fewer rows.
    #[must_use]
    pub fn lines(&self, side: usize, lines: std::ops::Range<usize>) -> Self {
        match self {
            Self::Separable { cols, rows } => Self::Separable { cols: cols.clone(), rows: rows[lines].to_vec() },
            Self::Grid { cols, rows } => {
                let pixels = lines.start * side..lines.end * side;
                Self::Grid { cols: cols[pixels.clone()].to_vec(), rows: rows[pixels].to_vec() }
            }
        }
    }
}

/// Pixels a side of the blocks that are interpolated at first.
const STEP: usize = 64;
/// The largest error of interpolation, in cells, at the points of a block where it is checked.
const TOLERANCE: f64 = 1.0 / 4096.0;
/// The largest difference, in cells, between two rows of a separable map.
const SEPARABLE: f64 = 1e-6;
/// The points of a block where positions are exact, in halves of its side: corners, middles of the edges, centre; and
/// behind them the four points where interpolation is checked.
const POINTS: [(f64, f64); 13] = [
    (0.0, 0.0),
    (1.0, 0.0),
    (2.0, 0.0),
    (0.0, 1.0),
    (1.0, 1.0),
    (2.0, 1.0),
    (0.0, 2.0),
    (1.0, 2.0),
    (2.0, 2.0),
    (0.5, 0.5),
    (1.5, 0.5),
    (0.5, 1.5),
    (1.5, 1.5),
];

/// The map of a tile of `size` pixels a side onto a raster.
///
/// A separable map costs `2 size` points of PROJ, exact. Any other costs about `size^2 / 300`: positions are exact on a
/// lattice of 32 pixels and biquadratic between, and blocks where that is off by more than 1/4096 of a cell are quartered
/// until it is not, down to every pixel. So at a slope of 45 degrees the error in height is below 1/4096 of the cell size.
///
/// # Errors
/// Where the raster's geotransform has no inverse or the projector fails as a whole.
pub fn pixel_map(tile: &Bounds, size: u32, info: &RasterInfo, projector: &dyn Projector) -> Result<PixelMap> {
    let side = size as usize;
    let locate = Locate::new(tile, size, info, projector)?;
    if side > 0 && info.transform.is_axis_aligned() && locate.is_separable(side)? {
        let middle = (side / 2) as f64;
        let (mut cols, _) = locate.cells((0..side).map(|i| (i as f64, middle)))?;
        let (_, mut rows) = locate.cells((0..side).map(|i| (middle, i as f64)))?;
        cols.iter_mut().chain(&mut rows).for_each(|v| *v = rounded(*v));
        let mut map = PixelMap::Separable { cols, rows };
        map.hold(info);
        return Ok(map);
    }
    let mut grid = Grid { side, cols: vec![f64::NAN; side * side], rows: vec![f64::NAN; side * side] };
    let mut blocks: Vec<(usize, usize)> =
        (0..side).step_by(STEP).flat_map(|y| (0..side).step_by(STEP).map(move |x| (x, y))).collect();
    let mut step = STEP;
    while !blocks.is_empty() {
        blocks = refine(&mut grid, &blocks, step, &locate)?;
        step /= 2;
    }
    let Grid { cols, rows, .. } = grid;
    let mut map = PixelMap::Grid { cols, rows };
    map.hold(info);
    Ok(map)
}

/// From the tile's pixels to the raster's cells.
struct Locate<'a> {
    tile: &'a Bounds,
    /// Metres a pixel along x and y.
    metres: (f64, f64),
    back: super::GeoTransform,
    info: &'a RasterInfo,
    projector: &'a dyn Projector,
    /// The x of the raster's centre.
    middle: f64,
}

impl<'a> Locate<'a> {
    fn new(tile: &'a Bounds, size: u32, info: &'a RasterInfo, projector: &'a dyn Projector) -> Result<Self> {
        let back = info.transform.invert().ok_or_else(|| {
            Error::raster(
                &info.path,
                "has a geotransform without inverse: its cells have no area; georeference it again",
            )
        })?;
        let metres = (tile.width() / f64::from(size), tile.height() / f64::from(size));
        let (middle, _) = info.transform.apply(f64::from(info.width) / 2.0, f64::from(info.height) / 2.0);
        Ok(Self { tile, metres, back, info, projector, middle })
    }

    /// The cells of pixels, given by the indices of their centres.
    fn cells(&self, pixels: impl Iterator<Item = (f64, f64)>) -> Result<(Vec<f64>, Vec<f64>)> {
        let place = |(px, py): (f64, f64)| {
            (self.tile.min_x + (px + 0.5) * self.metres.0, self.tile.max_y - (py + 0.5) * self.metres.1)
        };
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = pixels.map(place).unzip();
        self.projector.to_crs(&mut xs, &mut ys)?;
        for (x, y) in xs.iter_mut().zip(ys.iter_mut()) {
            if let Some(turn) = self.info.turn {
                *x += turn * ((self.middle - *x) / turn).round();
            }
            (*x, *y) = self.back.apply(*x, *y);
        }
        Ok((xs, ys))
    }

    /// Probes whether columns depend on x alone and rows on y alone.
    fn is_separable(&self, side: usize) -> Result<bool> {
        const PROBES: usize = 7;
        let at = |i: usize| (i * (side - 1)) as f64 / (PROBES - 1) as f64;
        let (cols, rows) = self.cells((0..PROBES * PROBES).map(|i| (at(i % PROBES), at(i / PROBES))))?;
        let near = |a: f64, b: f64| (a - b).abs() <= SEPARABLE;
        Ok((0..PROBES * PROBES).all(|i| near(cols[i], cols[i % PROBES]) && near(rows[i], rows[i - i % PROBES])))
    }

    /// False where a block whose positions are these can hold no pixel of the raster.
    fn may_hit(&self, cols: &[f64], rows: &[f64]) -> bool {
        let meets = |values: &[f64], size: u32| {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let margin = high - low + 1.0;
            low - margin <= f64::from(size) && high + margin >= 0.0
        };
        if cols.iter().all(|v| v.is_nan()) {
            return false;
        }
        cols.iter().any(|v| v.is_nan()) || (meets(cols, self.info.width) && meets(rows, self.info.height))
    }
}

/// Steps of rounding a cell.
const QUANTUM: f64 = 65_536.0;

/// A position rounded to 2^-16 of a cell, half to even: adding 1.5 * 2^52 leaves no room for a fraction. Exact to 2^35
/// cells, far beyond any raster; and many times faster than `f64::round`, which is a call on plain x86-64.
pub(super) fn rounded(v: f64) -> f64 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    (v * QUANTUM + SHIFT - SHIFT) / QUANTUM
}

/// The positions that are being filled in.
struct Grid {
    side: usize,
    cols: Vec<f64>,
    rows: Vec<f64>,
}

/// Fills the blocks of `step` pixels a side where interpolation is good enough; returns the quarters of the others.
fn refine(grid: &mut Grid, blocks: &[(usize, usize)], step: usize, locate: &Locate) -> Result<Vec<(usize, usize)>> {
    if step == 1 {
        let (cols, rows) = locate.cells(blocks.iter().map(|&(x, y)| (x as f64, y as f64)))?;
        for (i, &(x, y)) in blocks.iter().enumerate() {
            grid.cols[y * grid.side + x] = rounded(cols[i]);
            grid.rows[y * grid.side + x] = rounded(rows[i]);
        }
        return Ok(Vec::new());
    }
    let half = (step / 2) as f64;
    let points = blocks.iter().flat_map(|&(x, y)| POINTS.map(|(i, j)| (x as f64 + i * half, y as f64 + j * half)));
    let (cols, rows) = locate.cells(points)?;
    let mut again = Vec::new();
    for (i, &(x, y)) in blocks.iter().enumerate() {
        let range = i * POINTS.len()..(i + 1) * POINTS.len();
        let (c, r) = (&cols[range.clone()], &rows[range]);
        // The position of the tile's centre is needed wherever it lies: the kernel's scale is measured there.
        let reaches = |v: usize| (v..=v + step).contains(&(grid.side / 2));
        let at_center = reaches(x) && reaches(y);
        if !at_center && !locate.may_hit(c, r) {
            continue;
        }
        if error(c) <= TOLERANCE && error(r) <= TOLERANCE {
            fill(&mut grid.cols, grid.side, (x, y), step, c);
            fill(&mut grid.rows, grid.side, (x, y), step, r);
        } else {
            let half = step / 2;
            for (qx, qy) in [(x, y), (x + half, y), (x, y + half), (x + half, y + half)] {
                if qx < grid.side && qy < grid.side {
                    again.push((qx, qy));
                }
            }
        }
    }
    Ok(again)
}

/// The weights of three points at 0, 1 and 2 in a parabola through them, at t.
fn parabola(t: f64) -> [f64; 3] {
    [(t - 1.0) * (t - 2.0) / 2.0, t * (2.0 - t), t * (t - 1.0) / 2.0]
}

/// The biquadratic surface through a block's nine points, at a place given in halves of its side.
fn surface(nine: &[f64], (x, y): (f64, f64)) -> f64 {
    along(parabola(x), across(nine, parabola(y)))
}

/// The three points of the surface at one y.
fn across(nine: &[f64], by: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| by[0] * nine[i] + by[1] * nine[i + 3] + by[2] * nine[i + 6])
}

/// A parabola through three points.
fn along(bx: [f64; 3], points: [f64; 3]) -> f64 {
    bx[0] * points[0] + bx[1] * points[1] + bx[2] * points[2]
}

/// How far the surface is off the points where it is checked; NaN counts as infinitely far.
fn error(v: &[f64]) -> f64 {
    let off = (9..POINTS.len()).map(|i| (surface(v, POINTS[i]) - v[i]).abs());
    off.map(|e| if e.is_nan() { f64::INFINITY } else { e }).fold(0.0, f64::max)
}

/// Fills a block of `step` pixels a side from its surface.
fn fill(out: &mut [f64], side: usize, (x0, y0): (usize, usize), step: usize, v: &[f64]) {
    let half = (step / 2) as f64;
    let weights: [[f64; 3]; STEP] = std::array::from_fn(|i| parabola(i as f64 / half));
    for y in 0..step.min(side - y0) {
        let points = across(v, weights[y]);
        let line = (y0 + y) * side + x0;
        for (out, &weights) in out[line..].iter_mut().zip(&weights[..step.min(side - x0)]) {
            *out = rounded(along(weights, points));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::GeoTransform;
    use super::super::info::tests::info;
    use super::*;

    /// A CRS given by a function.
    pub(in crate::raster) struct By(pub fn(f64, f64) -> (f64, f64));

    impl Projector for By {
        fn to_crs(&self, xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
            for (x, y) in xs.iter_mut().zip(ys) {
                (*x, *y) = (self.0)(*x, *y);
            }
            Ok(())
        }

        fn to_mercator(&self, _: &mut [f64], _: &mut [f64]) -> Result<()> {
            unreachable!("maps go from tiles to rasters")
        }
    }

    const TILE: Bounds = Bounds::new(0.0, 0.0, 1024.0, 1024.0);

    #[test]
    fn a_mercator_raster_is_separable_and_exact() {
        let info = info(GeoTransform::north_up(0.0, 1024.0, 4.0, 4.0), 256, 256);
        let PixelMap::Separable { cols, rows } = pixel_map(&TILE, 512, &info, &By(|x, y| (x, y))).unwrap() else {
            panic!("not separable")
        };
        for i in 0..512 {
            assert_eq!(cols[i], i as f64 / 2.0 + 0.25);
            assert_eq!(rows[i], i as f64 / 2.0 + 0.25);
        }
    }

    #[test]
    fn a_curved_map_is_as_exact_as_promised() {
        let curved = |x: f64, y: f64| (x + y * y / 3000.0 + (x / 40.0).sin() * 6.0, y - x * 0.3 + x * y / 5000.0);
        let info = info(GeoTransform::north_up(0.0, 1024.0, 4.0, 4.0), 256, 256);
        for side in [512usize, 200, 33] {
            let PixelMap::Grid { cols, rows } = pixel_map(&TILE, side as u32, &info, &By(curved)).unwrap() else {
                panic!("separable")
            };
            let pixel = 1024.0 / side as f64;
            let (mut worst, mut inside) = (0f64, 0);
            for i in 0..side * side {
                let (x, y) =
                    curved((i % side) as f64 * pixel + pixel / 2.0, 1024.0 - (i / side) as f64 * pixel - pixel / 2.0);
                let (col, row) = (x / 4.0, (1024.0 - y) / 4.0);
                if (0.0..256.0).contains(&col) && (0.0..256.0).contains(&row) {
                    worst = worst.max((cols[i] - col).abs()).max((rows[i] - row).abs());
                    inside += 1;
                }
            }
            assert!(worst <= 1.0 / 2048.0 && inside > side * side / 3, "{side}: {worst} over {inside}");
        }
    }

    #[test]
    fn a_small_raster_in_a_large_tile_is_found() {
        let rotated = |x: f64, y: f64| (x * 0.8 - y * 0.6, x * 0.6 + y * 0.8);
        let (x, y) = rotated(301.0, 703.0);
        let info = info(GeoTransform::north_up(x - 2.0, y + 2.0, 1.0, 1.0), 4, 4);
        let PixelMap::Grid { cols, rows } = pixel_map(&TILE, 512, &info, &By(rotated)).unwrap() else { panic!() };
        let at = (512 - 352) * 512 + 150;
        assert!((cols[at] - 2.0).abs() < 1e-3 && (rows[at] - 2.0).abs() < 1e-3, "{} {}", cols[at], rows[at]);
    }

    #[test]
    fn longitudes_a_turn_away_are_the_same_place() {
        let mut info = info(GeoTransform::north_up(0.0, 90.0, 1.0, 1.0), 360, 180);
        info.turn = Some(360.0);
        let degrees = By(|x, y| (x - 180.0, y));
        let PixelMap::Separable { cols, .. } =
            pixel_map(&Bounds::new(0.0, -80.0, 160.0, 80.0), 160, &info, &degrees).unwrap()
        else {
            panic!()
        };
        assert_eq!((cols[0], cols[159]), (180.5, 339.5));
    }
}
