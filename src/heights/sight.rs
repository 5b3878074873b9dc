//! Lines of sight.
//!
//! The ground is sampled along the geodesic at steps of a pixel of the finest zoom, bilinear. Beside the horizontal plane at the eye it
//! falls away by d² (1 - k) / 2R at the distance d, where R is the Earth's mean radius and k the part that refraction takes
//! away. A sample that lies above the straight line from the eye to the target blocks it.

use super::answers::{Interpolation, Sampling, Seen, Sight};
use super::at::{Found, at, at_place};
use super::grid::{Grid, Pixels, Place};
use super::line::{MOST, Segment};
use crate::error::{Error, Result};

/// The mean radius of the Earth, metres (IUGG).
const RADIUS: f64 = 6_371_008.8;

/// A tile without finer ones below it, in which a line may be for a while.
struct Stretch {
    zoom: u8,
    /// Its pixels without the outermost, in the world: where the four pixels around a place all are the tile's.
    x: std::ops::Range<f64>,
    y: std::ops::Range<f64>,
    /// The greatest height, metres.
    greatest: f64,
}

impl Stretch {
    fn holds(&self, place: Place, side: impl Fn(u8) -> u64) -> bool {
        let side = side(self.zoom) as f64;
        self.x.contains(&(place.u * side - 0.5)) && self.y.contains(&(place.v * side - 0.5))
    }

    /// The stretch at a place; `None` where no tile is, or finer ones are.
    fn at<G: Grid>(grid: &G, place: Place, how: &Sampling) -> Result<Option<Self>> {
        let shape = grid.shape();
        let finest = how.max_zoom.unwrap_or(u8::MAX);
        for zoom in shape.zooms(how) {
            let Some(found) = Found::at(grid, place, zoom)? else { continue };
            if grid.has_finer(found.coord, finest)? {
                return Ok(None);
            }
            let (x, y) = place.pixel(shape.world(zoom));
            let size = u64::from(shape.size);
            let facts = found.tile.facts();
            let heights = [facts.least, facts.greatest].map(|code| shape.metres(code.into()));
            let inside = |t: u64| (t / size * size) as f64..((t / size + 1) * size - 1) as f64;
            let greatest = if facts.valid == 0 { f64::NEG_INFINITY } else { heights[0].max(heights[1]) };
            return Ok(Some(Self { zoom, x: inside(x), y: inside(y), greatest }));
        }
        Ok(None)
    }
}

pub(super) fn sees<G: Grid>(grid: &G, sight: &Sight, how: &Sampling) -> Result<Seen> {
    for (name, value) in [("eye", sight.eye), ("target", sight.target), ("refraction", sight.refraction)] {
        if !value.is_finite() {
            return Err(Error::argument(name, format!("is {value}; give a number")));
        }
    }
    let how = &how.interpolation(Interpolation::Bilinear);
    let (Some(from), Some(to)) = (at(grid, sight.from, how)?, at(grid, sight.to, how)?) else {
        return Ok(Seen::Unknown);
    };
    let shape = grid.shape();
    let finest = how.max_zoom.map_or(shape.max_zoom, |zoom| zoom.min(shape.max_zoom));
    let mut segment = Segment::new(sight.from, sight.to);
    let length = segment.length;
    let step = shape.pixel_size(finest, sight.from.lat());
    let count = (length / step).ceil();
    if count > MOST as f64 {
        let problem =
            format!("is {:.0} km long; at most {MOST} pixels of zoom {finest} are looked at", length / 1000.0);
        return Err(Error::argument("line of sight", problem));
    }
    let falls = |distance: f64| distance * distance * (1.0 - sight.refraction) / (2.0 * RADIUS);
    let (eye, target) = (from.metres + sight.eye, to.metres + sight.target - falls(length));
    let mut stretch: Option<Stretch> = None;
    for i in 1..count as usize {
        let distance = length * i as f64 / count;
        let point = segment.at(distance);
        let Some(place) = Place::of(point) else { continue };
        let line = eye + (target - eye) * distance / length + falls(distance);
        match &stretch {
            Some(stretch) if stretch.holds(place, |zoom| shape.world(zoom)) => {
                // A mean of heights is no greater than the greatest of them, but for rounding.
                if stretch.greatest + 1e-6 <= line && how.voids == super::Voids::Keep {
                    continue;
                }
            }
            _ => stretch = Stretch::at(grid, place, how)?,
        }
        if let Some(ground) = at_place(grid, place, how)?
            && ground.metres > line
        {
            return Ok(Seen::Blocked { point, distance, ground, above: ground.metres - line });
        }
    }
    Ok(Seen::Clear)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heights::HeightQueries;
    use crate::heights::tests::{made_up, points};
    use crate::tile::LonLat;

    /// Every sample looked at.
    fn by_walking(heights: &crate::heights::Heights, sight: &Sight, how: &Sampling) -> Seen {
        let ends = [sight.from, sight.to].map(|point| heights.sample(point, how).unwrap());
        let [Some(from), Some(to)] = ends else { return Seen::Unknown };
        let mut segment = Segment::new(sight.from, sight.to);
        let zoom = how.max_zoom.unwrap_or(heights.shape().max_zoom);
        let count = (segment.length / heights.shape().pixel_size(zoom, sight.from.lat())).ceil();
        let bend = (1.0 - sight.refraction) / (2.0 * RADIUS);
        let end = to.metres + sight.target - segment.length.powi(2) * bend;
        let start = from.metres + sight.eye;
        for i in 1..count as usize {
            let distance = segment.length * i as f64 / count;
            let point = segment.at(distance);
            let line = start + (end - start) * distance / segment.length;
            if let Some(ground) = heights.sample(point, how).unwrap()
                && ground.metres - distance * distance * bend > line
            {
                let above = ground.metres - (line + distance * distance * bend);
                return Seen::Blocked { point, distance, ground, above };
            }
        }
        Seen::Clear
    }

    #[test]
    fn a_sight_is_what_a_walk_along_it_finds() {
        let heights = made_up(64);
        let ends: Vec<LonLat> = points(900).filter(|p| p.lon().abs() > 165.0 && p.lat().abs() < 60.0).collect();
        let mut kinds = [0; 3];
        for pair in ends.windows(2) {
            let (from, to) =
                (pair[0], LonLat::new(pair[0].lon() + (pair[1].lon() - pair[0].lon()) % 7.0, pair[1].lat()).unwrap());
            for (height, zoom) in [(2.0, None), (20_000.0, None), (300_000.0, Some(3))] {
                let how = Sampling { max_zoom: zoom, ..Sampling::default() };
                let sight = Sight::new(from, to).above_ground(height, height / 2.0);
                let (found, expected) = (sees(&heights, &sight, &how).unwrap(), by_walking(&heights, &sight, &how));
                match (found, expected) {
                    (Seen::Blocked { distance: a, above: x, .. }, Seen::Blocked { distance: b, above: y, .. }) => {
                        assert!(a == b && (x - y).abs() < 1e-6, "{sight:?}");
                        kinds[0] += 1;
                    }
                    (a, b) => {
                        assert_eq!(a, b, "{sight:?}");
                        kinds[if a == Seen::Clear { 1 } else { 2 }] += 1;
                    }
                }
            }
        }
        assert!(kinds.iter().all(|&n| n > 30), "{kinds:?}");
    }
}
