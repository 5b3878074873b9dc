//! Heights of a box as an array.

use super::answers::{Extent, Interpolation, Resample, Sampling, Window};
use super::at::covering;
use super::grid::{Grid, Pixels as _, Place};
use crate::error::{Error, Result};
use crate::tile::{Bounds, LonLat, LonLatBox, web_mercator};

/// The most cells of a window: 1 GiB of heights.
const MOST: usize = 1 << 28;

/// The most pixels that means are taken of: where only fine tiles exist, cells may have any number.
const MOST_READ: u64 = 1 << 30;

impl From<Bounds> for Extent {
    fn from(bounds: Bounds) -> Self {
        Self::Metres(bounds)
    }
}

impl From<LonLatBox> for Extent {
    fn from(bounds: LonLatBox) -> Self {
        Self::Degrees(bounds)
    }
}

impl Extent {
    /// The place on the square world at a part of the way from west to east and from north to south; `u` may lie on the next turn.
    fn at(&self, x: f64, y: f64) -> Place {
        match self {
            Self::Metres(b) => {
                let u = (b.min_x + x * b.width()) / web_mercator::WORLD + 0.5;
                Place { u, v: 0.5 - (b.max_y - y * b.height()) / web_mercator::WORLD }
            }
            Self::Degrees(b) => {
                let width = if b.west() < b.east() { b.east() - b.west() } else { b.east() - b.west() + 360.0 };
                let lat = b.north() + y * (b.south() - b.north());
                // Beyond the map's latitudes the place lies beyond its rim.
                let v = if lat.abs() > web_mercator::MAX_LATITUDE {
                    -lat.signum()
                } else {
                    0.5 - web_mercator::from_lon_lat(0.0, lat).1 / web_mercator::WORLD
                };
                Place { u: (b.west() + x * width + 180.0) / 360.0, v }
            }
        }
    }
}

pub(super) fn window<G: Grid>(
    grid: &G,
    extent: Extent,
    [width, height]: [usize; 2],
    resample: Resample,
    how: &Sampling,
) -> Result<Window> {
    if width == 0 || height == 0 || width.checked_mul(height).is_none_or(|cells| cells > MOST) {
        let problem = format!("of {width} x {height} cells; 1 to {MOST} cells are possible");
        return Err(Error::argument("window", problem));
    }
    if let Extent::Metres(b) = extent
        && !(b.has_area() && [b.min_x, b.min_y, b.max_x, b.max_y].iter().all(|edge| edge.is_finite()))
    {
        return Err(Error::argument("window", "has no area"));
    }
    let mut values = Vec::with_capacity(width * height);
    match resample {
        Resample::Mean => match zoom_of(grid, &extent, width, height, how) {
            Some(zoom) => means(grid, &extent, [width, height], zoom, &mut values)?,
            None => points(grid, &extent, [width, height], Interpolation::Bilinear, how, &mut values)?,
        },
        Resample::Bilinear => points(grid, &extent, [width, height], Interpolation::Bilinear, how, &mut values)?,
        Resample::Nearest => points(grid, &extent, [width, height], Interpolation::Nearest, how, &mut values)?,
    }
    Ok(Window { width, height, values })
}

/// Heights at the centres of cells.
fn points<G: Grid>(
    grid: &G,
    extent: &Extent,
    [width, height]: [usize; 2],
    interpolation: Interpolation,
    how: &Sampling,
    values: &mut Vec<f32>,
) -> Result<()> {
    let how = how.interpolation(interpolation);
    let (mut row, mut heights) = (Vec::with_capacity(width), Vec::new());
    for y in 0..height {
        row.clear();
        for x in 0..width {
            let at = extent.at((x as f64 + 0.5) / width as f64, (y as f64 + 0.5) / height as f64);
            let [lon, lat] = Place::lon_lat(at.u, at.v);
            // A row beyond the map is asked for at the pole, where there is nothing.
            let lat = if (0.0..=1.0).contains(&at.v) { lat } else { 90.0 };
            row.push(LonLat::new(web_mercator::wrapped(lon), lat)?);
        }
        grid.many(&row, &how, &mut heights)?;
        values.extend(heights.iter().map(|height| height.map_or(f32::NAN, |height| height.metres as f32)));
    }
    Ok(())
}

/// The coarsest zoom with two pixels or more along each side of a cell; `None` where even the finest has fewer.
fn zoom_of<G: Grid>(grid: &G, extent: &Extent, width: usize, height: usize, how: &Sampling) -> Option<u8> {
    let (start, end) = (extent.at(0.0, 0.5), extent.at(1.0, 0.5));
    let across = (end.u - start.u) / width as f64;
    let down = (0..=height).map(|y| extent.at(0.5, y as f64 / height as f64).v);
    let down = down.clone().zip(down.skip(1)).map(|(a, b)| b - a).filter(|&d| d > 0.0).fold(1.0, f64::min);
    let zooms: Vec<u8> = grid.shape().zooms(how).collect();
    let enough = |zoom: u8| across.min(down) * grid.shape().world(zoom) as f64 >= 2.0;
    zooms.into_iter().rev().find(|&zoom| enough(zoom))
}

/// Means of the valid pixels whose centres lie in a cell.
fn means<G: Grid>(
    grid: &G,
    extent: &Extent,
    [width, height]: [usize; 2],
    zoom: u8,
    values: &mut Vec<f32>,
) -> Result<()> {
    let (side, size) = (grid.shape().world(zoom) as f64, i64::from(grid.shape().size));
    // The first pixel whose centre lies behind an edge.
    let first = |t: f64| (t * side - 0.5).ceil() as i64;
    let columns: Vec<i64> = (0..=width).map(|x| first(extent.at(x as f64 / width as f64, 0.5).u)).collect();
    let rows: Vec<i64> = (0..=height).map(|y| first(extent.at(0.5, y as f64 / height as f64).v)).collect();
    let count = |edges: &[i64]| edges.last().zip(edges.first()).map_or(0, |(last, first)| last.abs_diff(*first));
    if count(&columns).saturating_mul(count(&rows)) > MOST_READ {
        let problem = format!(
            "a mean over cells of {} x {} pixels",
            count(&columns) / width as u64,
            count(&rows) / height as u64
        );
        return Err(Error::argument(
            "window",
            format!("{problem} reads too many; ask for a smaller box or more cells"),
        ));
    }
    for rows in rows.windows(2) {
        for columns in columns.windows(2) {
            let (mut sum, mut count) = (0i64, 0i64);
            for y in rows[0].max(0)..rows[1].min(side as i64) {
                let mut x = columns[0];
                while x < columns[1] {
                    // The pixels of the row that lie in one tile's place are of one tile, or of none.
                    let end = ((x.div_euclid(size) + 1) * size).min(columns[1]);
                    let at = |x: i64| x.rem_euclid(side as i64) as u64;
                    if let Some((tile, up)) = covering(grid, zoom, at(x), y as u64)? {
                        let inside = |t: u64| ((t >> up) % size as u64) as u32;
                        for x in x..end {
                            if let Some(code) = tile.code(inside(at(x)), inside(y as u64))? {
                                (sum, count) = (sum + i64::from(code), count + 1);
                            }
                        }
                    }
                    x = end;
                }
            }
            let mean = || grid.shape().metres(sum as f64 / count as f64) as f32;
            values.push(if count > 0 { mean() } else { f32::NAN });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::heights::grid::Tiles;
    use crate::heights::tests::made_up;
    use crate::heights::{HeightQueries, Heights, Shape};
    use crate::tile::TileCoord;

    #[test]
    fn a_window_over_a_tile_is_the_tile() {
        let heights = made_up(64);
        for tile in
            [TileCoord::new(4, 15, 6).unwrap(), TileCoord::new(6, 63, 26).unwrap(), TileCoord::new(2, 1, 1).unwrap()]
        {
            let expected = HeightQueries::tile(&heights, tile).unwrap().unwrap();
            let how = Sampling::default().up_to_zoom(tile.z());
            for resample in [Resample::Nearest, Resample::Bilinear] {
                let found = window(&heights, tile.bounds().into(), [64, 64], resample, &how).unwrap();
                for (i, value) in found.values.iter().enumerate() {
                    let is = (expected.valid[i] == 1).then_some(expected.values[i]);
                    assert_eq!(value.is_nan(), is.is_none(), "{tile} {i}");
                    assert!(is.is_none_or(|is| (is - value).abs() < 1e-3), "{tile} {i}: {value} {is:?}");
                }
            }
            let halves = window(&heights, tile.bounds().into(), [32, 32], Resample::Mean, &how).unwrap();
            for (i, value) in halves.values.iter().enumerate() {
                let four = [0, 1, 64, 65].map(|d| i / 32 * 128 + i % 32 * 2 + d);
                let valid: Vec<f32> =
                    four.into_iter().filter(|&j| expected.valid[j] == 1).map(|j| expected.values[j]).collect();
                let mean = valid.iter().sum::<f32>() / valid.len() as f32;
                assert_eq!(value.is_nan(), valid.is_empty());
                assert!(valid.is_empty() || (mean - value).abs() < 1e-2, "{tile} {i}: {value} {mean}");
            }
        }
    }

    #[test]
    fn boxes_in_degrees_go_across_the_meridian_and_beyond_the_map() {
        let heights = made_up(64);
        let b = LonLatBox::new(170.0, -30.0, -170.0, 89.0).unwrap();
        let found = window(&heights, b.into(), [40, 119], Resample::Bilinear, &Sampling::default()).unwrap();
        for (i, value) in found.values.iter().enumerate() {
            let (lon, lat) = (170.25 + (i % 40) as f64 * 0.5, 88.5 - (i / 40) as f64);
            let expected = heights.at(lon, lat).unwrap();
            assert_eq!(value.is_nan(), expected.is_none(), "{lon} {lat}");
            assert!(expected.is_none_or(|h| (h.metres - f64::from(*value)).abs() < 1e-2));
        }
        assert!(found.values[..120].iter().all(|value| value.is_nan()));
        assert!(found.values.iter().any(|value| !value.is_nan()));
        for size in [[0, 5], [1 << 20, 1 << 20], [usize::MAX, 2]] {
            assert!(window(&heights, b.into(), size, Resample::Mean, &Sampling::default()).is_err());
        }
    }

    /// Counts the tiles that are looked for.
    struct Counted<'a>(&'a Heights, AtomicU64);

    impl Tiles for Counted<'_> {
        type Tile<'a>
            = <Heights as Tiles>::Tile<'a>
        where
            Self: 'a;

        fn shape(&self) -> &Shape {
            self.0.shape()
        }
        fn tile(&self, tile: TileCoord) -> Result<Option<Self::Tile<'_>>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Tiles::tile(self.0, tile)
        }
    }

    impl Grid for Counted<'_> {
        fn has_finer(&self, tile: TileCoord, up_to: u8) -> Result<bool> {
            self.0.has_finer(tile, up_to)
        }
        fn sources(&self) -> Result<Vec<String>> {
            Grid::sources(self.0)
        }
        fn datum(&self) -> Result<Option<String>> {
            Grid::datum(self.0)
        }
    }

    #[test]
    fn a_mean_looks_for_a_tile_once_in_a_row_of_its_pixels() {
        let heights = made_up(64);
        let counted = Counted(&heights, AtomicU64::new(0));
        let world = LonLatBox::new(-180.0, -85.0, 180.0, 85.0).unwrap();
        let how = Sampling::default();
        let found = window(&counted, world.into(), [4, 4], Resample::Mean, &how).unwrap();
        assert!(found.values.iter().any(|value| !value.is_nan()));
        // The coarsest zoom with two pixels in a cell is the first: a tile for each row of each cell.
        let most = (heights.shape().world(heights.shape().min_zoom) / 64 + 4)
            * heights.shape().world(heights.shape().min_zoom);
        let count = counted.1.load(Ordering::Relaxed);
        assert!(count <= most, "{count} tiles were looked for, {most} at most");
    }
}
