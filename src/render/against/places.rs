//! Where the centres of pixels lie in a raster: from the definition of Web Mercator to degrees, from there by PROJ to the raster's CRS, and
//! by its geotransform to cells. Nothing here comes from elsewhere. Whether places repeat around the world is found by transforming there and back
//! with PROJ.

use crate::raster::{Degrees, GeoTransform, RasterInfo};
use crate::tile::TileCoord;

/// The longitudes and latitudes of the centres of some rows of a tile's pixels, row by row, degrees.
pub(super) fn centers(tile: TileCoord, side: usize, rows: std::ops::Range<usize>) -> (Vec<f64>, Vec<f64>) {
    let world = side as f64 * f64::from(tile.z()).exp2();
    let along = |tile: u32, pixel: usize| (f64::from(tile) * side as f64 + pixel as f64 + 0.5) / world;
    let lon = |x: usize| along(tile.x(), x) * 360.0 - 180.0;
    let lat = |y: usize| (std::f64::consts::PI * (1.0 - 2.0 * along(tile.y(), y))).sinh().atan().to_degrees();
    let pixels = rows.flat_map(|y| (0..side).map(move |x| (x, y)));
    pixels.map(|(x, y)| (lon(x), lat(y))).unzip()
}

/// Cells beyond a raster's edges that are tried, to see whether it continues at the other edge.
const BEYOND: f64 = 66.0;
/// Places along a row of cells that are taken to degrees and back.
const PLACES: usize = 129;

/// What must be added to an x so that it lies in or beside the raster: 0, and for rasters that PROJ finds on both sides of the line where
/// its own x are cut, how far that is.
pub(super) fn shifts(info: &RasterInfo, by: &dyn Degrees) -> Vec<f64> {
    let (width, height) = (f64::from(info.width), f64::from(info.height));
    let cell = info.transform.0[1].hypot(info.transform.0[2]);
    // PROJ refuses places several turns away.
    let home = info.way_home();
    let line = |row: f64| -> Vec<f64> {
        let at = |i: usize| -BEYOND + (width + 2.0 * BEYOND) * i as f64 / (PLACES - 1) as f64;
        let places = (0..PLACES).map(|i| info.transform.apply(at(i), row));
        let (xs, ys): (Vec<f64>, Vec<f64>) = places.unzip();
        let (mut lons, mut lats) = (xs.clone(), ys.clone());
        lons.iter_mut().for_each(|x| *x += home);
        by.to_degrees(&mut lons, &mut lats);
        lons.iter_mut().for_each(|lon| *lon -= ((*lon + 180.0) / 360.0).floor() * 360.0);
        by.to_crs(&mut lons, &mut lats);
        let back = xs.iter().zip(&ys).zip(lons.iter().zip(&lats));
        let moved = back.filter(|((_, y), (_, y2))| (*y - *y2).abs() < cell * 1e-2).map(|((x, _), (x2, _))| x - x2);
        moved.filter(|shift| shift.abs() > cell).collect()
    };
    let (north, south) = (line(height * 0.25), line(height * 0.75));
    let mut found = vec![0.0];
    for shift in north {
        let alike = |other: &f64| (other - shift).abs() < cell * 1e-2;
        if !found.iter().any(alike) && south.iter().any(alike) {
            found.push(shift);
        }
    }
    found
}

/// Positions in a raster's cells.
pub(super) struct Positions {
    pub(super) cols: Vec<f64>,
    pub(super) rows: Vec<f64>,
    /// Farther apart than so many cells lie only pixels on both sides of the line where x is cut.
    most: f64,
}

impl Positions {
    /// The positions of coordinates that are moved by `shift`; `turn` is how far it is around the world, 0 where x never repeats.
    pub(super) fn of((xs, ys): &(Vec<f64>, Vec<f64>), shift: f64, turn: f64, back: &GeoTransform) -> Self {
        let (cols, rows) = xs.iter().zip(ys).map(|(&x, &y)| back.apply(x + shift, y)).unzip();
        let most = if turn > 0.0 { turn / 2.0 * back.0[1].hypot(back.0[4]) } else { f64::INFINITY };
        Self { cols, rows, most }
    }

    /// Cells from one pixel to the next, across and down, at one of `side` pixels a row; 0 where that is not known.
    pub(super) fn stretch(&self, at: usize, side: usize) -> (f64, f64) {
        let along = |step: usize, forth: bool| {
            let other = if forth { at + step } else { at.wrapping_sub(step) };
            match (self.cols.get(other), self.rows.get(other)) {
                (Some(col), Some(row)) => ((col - self.cols[at]).abs(), (row - self.rows[at]).abs()),
                _ => (f64::NAN, f64::NAN),
            }
        };
        let (right, below) = (along(1, at % side + 1 < side), along(side, at + side < self.cols.len()));
        let size = |a: f64, b: f64| Some(a.hypot(b)).filter(|v| v.is_finite() && *v < self.most).unwrap_or(0.0);
        (size(right.0, below.0), size(right.1, below.1))
    }
}
