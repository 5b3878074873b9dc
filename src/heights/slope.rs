//! Slope and aspect.
//!
//! The gradient of Horn (1981) over the 3 x 3 pixels around the one that holds the point, as `gdaldem` and most programs compute it.
//! Pixels are square on the ground: a Mercator map is true to angles.

use super::answers::{Sampling, Slope};
use super::at::{Found, beside};
use super::grid::{Grid, Pixels, Place};
use crate::error::Result;
use crate::tile::LonLat;

/// `None` where one of the nine pixels has no height, and where there is no tile.
pub(super) fn slope_aspect<G: Grid>(grid: &G, point: LonLat, how: &Sampling) -> Result<Option<Slope>> {
    let Some(place) = Place::of(point) else { return Ok(None) };
    let shape = grid.shape();
    for zoom in shape.zooms(how) {
        let Some(found) = Found::at(grid, place, zoom)? else { continue };
        let (x, y) = place.pixel(shape.world(zoom));
        let mut heights = [0.0; 9];
        for (i, height) in (0i64..).zip(&mut heights) {
            let (dx, dy) = (i % 3 - 1, i / 3 - 1);
            let (column, row) = (i64::from(found.column) + dx, i64::from(found.row) + dy);
            let inside = 0..i64::from(shape.size);
            let code = if inside.contains(&column) && inside.contains(&row) {
                found.tile.code(column as u32, row as u32)?
            } else {
                beside(grid, zoom, x as i64 + dx, y as i64 + dy)?
            };
            let Some(code) = code else { return Ok(None) };
            *height = shape.metres(code.into());
        }
        let middle = (y as f64 + 0.5) / shape.world(zoom) as f64;
        let [_, latitude] = Place::lon_lat(place.u, middle);
        return Ok(Some(horn(&heights, shape.pixel_size(zoom, latitude), zoom)));
    }
    Ok(None)
}

fn horn(h: &[f64; 9], pixel: f64, zoom: u8) -> Slope {
    let east = (h[2] + 2.0 * h[5] + h[8] - h[0] - 2.0 * h[3] - h[6]) / (8.0 * pixel);
    let north = (h[0] + 2.0 * h[1] + h[2] - h[6] - 2.0 * h[7] - h[8]) / (8.0 * pixel);
    let steepness = east.hypot(north);
    // The slope falls against its gradient.
    let aspect = (steepness > 0.0).then(|| (-east).atan2(-north).to_degrees().rem_euclid(360.0));
    Slope { degrees: steepness.atan().to_degrees(), aspect, zoom }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_have_their_slope_and_fall_to_their_aspect() {
        for (east, north, aspect) in [(0.0, -1.0, 0.0), (-1.0, 0.0, 90.0), (0.0, 1.0, 180.0), (1.0, 0.0, 270.0)] {
            let plane: [f64; 9] = std::array::from_fn(|i| {
                let (x, y) = ((i % 3) as f64 - 1.0, (i / 3) as f64 - 1.0);
                1000.0 + 5.0 * (east * x - north * y)
            });
            let slope = horn(&plane, 10.0, 7);
            assert!((slope.degrees - 0.5f64.atan().to_degrees()).abs() < 1e-9);
            assert!((slope.aspect.unwrap() - aspect).abs() < 1e-9, "{slope:?}");
        }
        assert_eq!(horn(&[7.0; 9], 10.0, 3), Slope { degrees: 0.0, aspect: None, zoom: 3 });
    }

    #[test]
    fn a_void_or_the_rim_of_the_map_has_no_slope() {
        let heights = crate::heights::tests::made_up(64);
        let mut found = [0; 2];
        for point in crate::heights::tests::points(4000) {
            let how = Sampling::default();
            let slope = slope_aspect(&heights, point, &how).unwrap();
            let height = crate::heights::at::at(&heights, point, &how).unwrap();
            assert!(slope.is_none() || height.is_some());
            assert!(slope.is_none_or(|s| (0.0..90.0).contains(&s.degrees)));
            found[usize::from(slope.is_some())] += 1;
        }
        assert!(found.iter().all(|&n| n > 500), "{found:?}");
    }
}
