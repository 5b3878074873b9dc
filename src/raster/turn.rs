//! Around the world: coordinate systems in which the same place lies at x, at x plus a full turn, and so on.
//!
//! These are geographic coordinates, and every cylindrical projection in normal aspect: Mercator, plate carrée, equal area, whatever
//! meridian is in the middle. Projected systems are recognised by what their projection does, not by a list of codes: x must be linear
//! in longitude and y must not depend on it.

use super::RasterInfo;
use super::warp::inside;
use crate::error::Result;

/// The latitude that rasters around the world are cut at, degrees: just beyond the square world.
pub const LATITUDE: f64 = 85.06;

/// Turns longitudes and latitudes in degrees into coordinates, in place, NaN for points that have none.
pub type FromDegrees<'a> = dyn Fn(&mut [f64], &mut [f64]) -> Result<()> + 'a;

/// What is known of a coordinate system in which places repeat along x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Around {
    /// A full turn in units of the coordinate system.
    pub turn: f64,
    /// The y of [`LATITUDE`] south and north, where y depends on latitude alone.
    pub limits: Option<(f64, f64)>,
}

/// Degrees between meridians that are probed; a divisor of 360.
const STEP: f64 = 15.0;
/// The parallels that are probed, degrees.
const PARALLELS: [f64; 5] = [-70.0, -35.0, 0.0, 20.0, 60.0];
/// How far a position may be off a straight line, in turns: four millimetres at the equator.
const STRAIGHT: f64 = 1e-10;

/// What `project`, from longitude and latitude in degrees on the system's own datum, shows of a projected coordinate system; `None`
/// where it is not cylindrical in normal aspect. Costs some 120 points.
///
/// # Errors
/// As `project`.
pub fn around(project: &FromDegrees) -> Result<Option<Around>> {
    let meridians = (360.0 / STEP) as usize;
    // Half a degree beside round numbers: no data set is cut there.
    let lon = |i: usize| -179.5 + i as f64 * STEP;
    let mut xs: Vec<f64> = PARALLELS.iter().flat_map(|_| (0..meridians).map(lon)).collect();
    let mut ys: Vec<f64> = PARALLELS.iter().flat_map(|&lat| std::iter::repeat_n(lat, meridians)).collect();
    project(&mut xs, &mut ys)?;
    if xs.iter().chain(&ys).any(|v| !v.is_finite()) {
        return Ok(None);
    }
    // Along a parallel x grows by equal steps, and falls back by a turn once at most: where the map is cut.
    let steps: Vec<f64> = xs[..meridians].windows(2).map(|pair| pair[1] - pair[0]).collect();
    let cut = (0..steps.len()).max_by(|&a, &b| steps[a].abs().total_cmp(&steps[b].abs())).unwrap_or(0);
    let even = |except: Option<usize>| {
        let left = steps.iter().enumerate().filter(|(i, _)| Some(*i) != except).map(|(_, &step)| step);
        let count = steps.len() - usize::from(except.is_some());
        let step = left.clone().sum::<f64>() / count as f64;
        let turn = step * meridians as f64;
        let straight = left.into_iter().all(|s| (s - step).abs() <= STRAIGHT * turn.abs());
        let fits = except.is_none_or(|i| (steps[i] - step + turn).abs() <= STRAIGHT * turn.abs());
        (straight && fits && turn != 0.0).then_some(turn)
    };
    let Some(turn) = even(None).or_else(|| even(Some(cut))) else { return Ok(None) };
    let near = |a: f64, b: f64| (a - b).abs() <= STRAIGHT * turn.abs();
    let cylindrical = (0..xs.len()).all(|i| {
        let (row, col) = (i / meridians, i % meridians);
        near(xs[i], xs[col]) && near(ys[i], ys[row * meridians])
    });
    if !cylindrical {
        return Ok(None);
    }
    let (mut xs, mut ys) = ([lon(0); 2], [-LATITUDE, LATITUDE]);
    project(&mut xs, &mut ys)?;
    let limits = (ys[0].min(ys[1]), ys[0].max(ys[1]));
    Ok(Some(Around { turn: turn.abs(), limits: Some(limits).filter(|l| (l.0 + l.1).is_finite()) }))
}

impl RasterInfo {
    /// A full turn around the world in fractional cells, across and down.
    #[must_use]
    pub fn turn_in_cells(&self) -> Option<(f64, f64)> {
        let (turn, back) = (self.turn?, self.transform.invert()?);
        Some((back.0[1] * turn, back.0[4] * turn))
    }

    /// From its least x to its greatest, in units of the CRS.
    pub(crate) fn extent_along_x(&self) -> f64 {
        let t = &self.transform.0;
        f64::from(self.width) * t[1].abs() + f64::from(self.height) * t[2].abs()
    }

    /// What must be added to an x of the raster so that PROJ accepts it: it refuses places several turns away. 0 within a turn of the
    /// origin.
    #[must_use]
    pub fn way_home(&self) -> f64 {
        let middle = self.transform.apply(f64::from(self.width) / 2.0, f64::from(self.height) / 2.0).0;
        self.turn.map_or(0.0, |turn| -turn * (middle / turn).trunc())
    }

    /// True where the raster continues at its other edge: it lacks less than a cell of a full turn.
    #[must_use]
    pub fn goes_around(&self) -> bool {
        let cell = self.transform.0[1].abs().max(self.transform.0[2].abs());
        self.turn.is_some_and(|turn| self.extent_along_x() > turn - cell)
    }

    /// How many whole turns lie between two positions in fractional cells, to the nearest.
    pub(crate) fn turns_between(&self, from: (f64, f64), to: (f64, f64)) -> f64 {
        self.turn_in_cells().map_or(0.0, |turn| turns((to.0 - from.0, to.1 - from.1), turn))
    }

    /// True where positions in the raster that are near on Earth can be far apart in cells: it is wider than half a turn.
    pub(crate) fn may_hold_a_seam(&self) -> bool {
        self.turn.is_some_and(|turn| self.extent_along_x() > turn * 0.5)
    }

    /// A position that lies just beyond one edge of a raster around the world as it lies at the other one.
    pub(crate) fn held(&self, (col, row): (f64, f64)) -> (f64, f64) {
        let holds = |c: f64, r: f64| inside(c, self.width) && inside(r, self.height);
        let Some((across, down)) = self.turn_in_cells().filter(|_| !holds(col, row)) else { return (col, row) };
        let moved = [1.0, -1.0].map(|by| (col + by * across, row + by * down));
        moved.into_iter().find(|&(c, r)| holds(c, r)).unwrap_or((col, row))
    }
}

/// A distance in cells as the nearest whole number of turns.
pub(super) fn turns((across, down): (f64, f64), turn: (f64, f64)) -> f64 {
    ((across * turn.0 + down * turn.1) / (turn.0 * turn.0 + turn.1 * turn.1)).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Map = fn(f64, f64) -> (f64, f64);

    /// A projection with its meridian `middle` in the middle of the map, whose x is cut on the other side of it.
    fn cut(middle: f64, by: Map) -> impl Fn(&mut [f64], &mut [f64]) -> Result<()> {
        move |xs, ys| {
            for (x, y) in xs.iter_mut().zip(ys) {
                let lon = *x - middle;
                (*x, *y) = by(lon - (lon / 360.0).round() * 360.0, *y);
            }
            Ok(())
        }
    }

    #[test]
    fn cylindrical_projections_are_found_by_what_they_do() {
        let mercator: Map = |lon, lat| (lon.to_radians() * 6_378_137.0, lat.to_radians().tan().asinh() * 6_378_137.0);
        for middle in [0.0, 150.0, 180.0, -30.0, 110.25] {
            let found = around(&cut(middle, mercator)).unwrap().unwrap();
            assert!((found.turn - crate::tile::web_mercator::WORLD).abs() < 1e-6, "{middle}: {found:?}");
            let (south, north) = found.limits.unwrap();
            assert!(north > 20_037_508.0 && north < 20_060_000.0 && (south + north).abs() < 1e-3, "{found:?}");
            let mirrored = around(&cut(middle, |lon, lat| (-lon * 3.0, 7.0 - lat))).unwrap().unwrap();
            assert!((mirrored.turn - 1080.0).abs() < 1e-9);
        }
        let others: [Map; 4] = [
            |lon, lat| (lon * lat.to_radians().cos(), lat),
            |lon, lat| (lon, lat + lon * 1e-6),
            |lon, lat| (lon + (lon / 50.0).sin() * 1e-3, lat),
            |lon, lat| ((90.0 - lat) * lon.to_radians().sin(), (90.0 - lat) * lon.to_radians().cos()),
        ];
        for (i, other) in others.into_iter().enumerate() {
            assert_eq!(around(&cut(0.0, other)).unwrap(), None, "{i}");
        }
        let nowhere = |xs: &mut [f64], _: &mut [f64]| {
            xs.fill(f64::NAN);
            Ok(())
        };
        assert_eq!(around(&nowhere).unwrap(), None);
    }
}
