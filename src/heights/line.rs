//! Heights along a line.
//!
//! Lines between corners are geodesics on the WGS 84 ellipsoid (Karney 2013, by GeographicLib). A geodesic is computed at nodes of at
//! every [`NODES`] metres; between three nodes, longitude and latitude are the parabola through them, which is within a
//! millimetre.

use geographiclib_rs::{DirectGeodesic as _, Geodesic, InverseGeodesic as _};

use super::answers::{Height, Profile, ProfilePoint, Sampling, Spacing};
use super::grid::Grid;
use crate::error::{Error, Result};
use crate::tile::LonLat;

/// Metres between the nodes of a geodesic.
const NODES: f64 = 2500.0;
/// Beyond this latitude meridians run together too fast for parabolas: every place is computed.
const POLAR: f64 = 80.0;
/// The most samples of one line.
pub(super) const MOST: usize = 10_000_000;

/// A geodesic between two places.
pub(super) struct Segment {
    from: LonLat,
    azimuth: f64,
    geodesic: Geodesic,
    /// Metres.
    pub(super) length: f64,
    /// The parabola that was used last: where it begins, metres, and its three nodes.
    nodes: Option<(f64, [[f64; 2]; 3])>,
}

impl Segment {
    pub(super) fn new(from: LonLat, to: LonLat) -> Self {
        let geodesic = Geodesic::wgs84();
        let (length, azimuth, _, _): (f64, f64, f64, f64) =
            geodesic.inverse(from.lat(), from.lon(), to.lat(), to.lon());
        Self { from, azimuth, geodesic, length, nodes: None }
    }

    fn exact(&self, distance: f64) -> [f64; 2] {
        let (lat, lon): (f64, f64) = self.geodesic.direct(self.from.lat(), self.from.lon(), self.azimuth, distance);
        [lon, lat]
    }

    /// The place so many metres from the start.
    pub(super) fn at(&mut self, distance: f64) -> LonLat {
        let span = 2.0 * NODES;
        let begin = (distance / span).floor() * span;
        let nodes = match self.nodes {
            Some((start, nodes)) if start == begin => nodes,
            _ => {
                let mut nodes = [0.0, NODES, span].map(|step| self.exact(begin + step));
                // Longitudes of one turn.
                for i in 1..3 {
                    nodes[i][0] += ((nodes[0][0] - nodes[i][0]) / 360.0).round() * 360.0;
                }
                self.nodes = Some((begin, nodes));
                nodes
            }
        };
        let [lon, lat] = if nodes.iter().any(|node| node[1].abs() > POLAR) {
            self.exact(distance)
        } else {
            let t = (distance - begin) / NODES;
            let [a, b, c] = [(t - 1.0) * (t - 2.0) / 2.0, t * (2.0 - t), t * (t - 1.0) / 2.0];
            [0, 1].map(|i| a * nodes[0][i] + b * nodes[1][i] + c * nodes[2][i])
        };
        // Both are within their ranges, but for rounding.
        LonLat::new(lon, lat.clamp(-90.0, 90.0)).unwrap_or(self.from)
    }
}

/// Metres between two places on the WGS 84 ellipsoid.
#[must_use]
pub fn distance(from: LonLat, to: LonLat) -> f64 {
    Segment::new(from, to).length
}

/// Samples that are asked for at once.
const TOGETHER: usize = 512;

/// A sample whose height is not known yet.
fn sample((point, distance): (LonLat, f64)) -> ProfilePoint {
    ProfilePoint { point, distance, height: None }
}

/// The samples of a line, whose heights are not known yet; and its length.
fn places(line: &[LonLat], spacing: Spacing) -> Result<(Vec<ProfilePoint>, f64)> {
    if line.len() < 2 {
        return Err(Error::argument("line", format!("has {} places; a line has two or more", line.len())));
    }
    let segments: Vec<Segment> = line.windows(2).map(|pair| Segment::new(pair[0], pair[1])).collect();
    let length: f64 = segments.iter().map(|segment| segment.length).sum();
    if length <= 0.0 {
        return Err(Error::argument("line", "has no length: all its places are one"));
    }
    let many =
        |count: f64| Error::argument("spacing", format!("makes {count:.0} samples; at most {MOST} are possible"));
    if let Spacing::Metres(step) | Spacing::Every(step) = spacing {
        if !step.is_finite() || step <= 0.0 {
            return Err(Error::argument("spacing", format!("of {step} metres is none; give a number above 0")));
        }
        if length / step > MOST as f64 {
            return Err(many(length / step));
        }
    }
    let mut places = match spacing {
        Spacing::Metres(step) => by_segments(line, segments, step),
        Spacing::Every(step) => {
            let count = (length / step).ceil().max(1.0) as usize;
            uniform(line, segments, count, |i| step * i as f64)
        }
        Spacing::Count(count) => {
            if count < 2 {
                return Err(Error::argument("samples", format!("are {count}; a line needs two or more")));
            }
            if count > MOST {
                return Err(many(count as f64));
            }
            uniform(line, segments, count - 1, |i| length * i as f64 / (count - 1) as f64)
        }
    };
    places.extend(line.last().map(|&end| sample((end, length))));
    Ok((places, length))
}

/// Each segment in equal parts of at most `step` metres, without the end of the line.
fn by_segments(line: &[LonLat], mut segments: Vec<Segment>, step: f64) -> Vec<ProfilePoint> {
    let (mut places, mut before) = (Vec::new(), 0.0);
    for (segment, &corner) in segments.iter_mut().zip(line) {
        places.push(sample((corner, before)));
        let count = (segment.length / step).ceil().max(1.0);
        for i in 1..count as usize {
            let distance = segment.length * i as f64 / count;
            places.push(sample((segment.at(distance), before + distance)));
        }
        before += segment.length;
    }
    places
}

/// The places at some ascending distances from the start, of which the first is 0.
fn uniform(
    line: &[LonLat],
    mut segments: Vec<Segment>,
    count: usize,
    distance: impl Fn(usize) -> f64,
) -> Vec<ProfilePoint> {
    let mut places = Vec::with_capacity(count + 1);
    let (mut at, mut before) = (0, 0.0);
    let place = |i| {
        let distance = distance(i);
        while at + 1 < segments.len() && distance > before + segments[at].length {
            before += segments[at].length;
            at += 1;
        }
        sample((if i == 0 { line[0] } else { segments[at].at(distance - before) }, distance))
    };
    places.extend((0..count).map(place));
    places
}

/// The heights along a line.
pub(super) fn along<G: Grid>(grid: &G, line: &[LonLat], spacing: Spacing, how: &Sampling) -> Result<Profile> {
    profile(line, spacing, |points, heights| grid.many(points, how, heights))
}

/// The heights along a line, by a function that finds those of some points, in their order.
///
/// # Errors
/// Where the line or the spacing is none, and what the function returns.
pub(crate) fn profile(
    line: &[LonLat],
    spacing: Spacing,
    mut find: impl FnMut(&[LonLat], &mut Vec<Option<Height>>) -> Result<()>,
) -> Result<Profile> {
    let (points, length) = places(line, spacing)?;
    let mut profile = Profile { length, points, ..Profile::default() };
    let (mut wanted, mut heights) = (Vec::with_capacity(TOGETHER), Vec::with_capacity(TOGETHER));
    let mut last = None;
    for samples in profile.points.chunks_mut(TOGETHER) {
        wanted.clear();
        wanted.extend(samples.iter().map(|sample| sample.point));
        find(&wanted, &mut heights)?;
        for (sample, &height) in samples.iter_mut().zip(&heights) {
            sample.height = height;
            let Some(metres) = height.map(|height| height.metres) else { continue };
            let step = last.map_or(0.0, |last: f64| metres - last);
            profile.climb += step.max(0.0);
            profile.descent += (-step).max(0.0);
            profile.least = Some(profile.least.map_or(metres, |least| least.min(metres)));
            profile.greatest = Some(profile.greatest.map_or(metres, |greatest| greatest.max(metres)));
            last = Some(metres);
        }
    }
    Ok(profile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heights::tests::made_up;

    fn place(lon: f64, lat: f64) -> LonLat {
        LonLat::new(lon, lat).unwrap()
    }

    #[test]
    fn places_lie_on_the_geodesic() {
        for (from, to) in [
            (place(138.0, 35.0), place(141.0, 37.0)),
            (place(179.0, -17.0), place(-178.0, -19.5)),
            (place(-20.0, 64.0), place(30.0, 79.0)),
            (place(10.0, 79.5), place(170.0, 82.0)),
        ] {
            let mut segment = Segment::new(from, to);
            for i in 0..=500 {
                let distance = segment.length * f64::from(i) / 500.0;
                let (exact, found) = (segment.exact(distance), segment.at(distance));
                let off = Segment::new(place(exact[0], exact[1]), found).length;
                assert!(off < 0.001, "{off} m off at {distance} m");
            }
        }
    }

    #[test]
    fn a_profile_has_its_ends_its_corners_and_its_sums() {
        let heights = made_up(64);
        let line = [place(170.0, 10.0), place(-175.0, 20.0), place(-175.0, 21.0)];
        let lengths = [Segment::new(line[0], line[1]).length, Segment::new(line[1], line[2]).length];
        for spacing in [Spacing::Metres(10_000.0), Spacing::Every(10_000.0), Spacing::Count(333)] {
            let profile = along(&heights, &line, spacing, &Sampling::default()).unwrap();
            let points = &profile.points;
            assert!((profile.length - lengths.iter().sum::<f64>()).abs() < 1e-6);
            assert_eq!((points[0].point, points.last().unwrap().point), (line[0], line[2]));
            assert_eq!(points.last().unwrap().distance, profile.length);
            let steps: Vec<f64> = points.windows(2).map(|pair| pair[1].distance - pair[0].distance).collect();
            match spacing {
                Spacing::Metres(step) => {
                    assert!(points.iter().any(|p| p.point == line[1] && (p.distance - lengths[0]).abs() < 1e-6));
                    assert!(steps.iter().all(|&s| s > 0.0 && s <= step + 1e-6));
                }
                Spacing::Every(step) => {
                    let (last, others) = steps.split_last().unwrap();
                    assert!(others.iter().all(|s| (s - step).abs() < 1e-6) && *last > 0.0 && *last <= step + 1e-6);
                }
                Spacing::Count(count) => {
                    assert_eq!(points.len(), count);
                    assert!(steps.iter().all(|s| (s - profile.length / 332.0).abs() < 1e-6));
                }
            }
            for p in points {
                assert_eq!(p.height, crate::heights::at::at(&heights, p.point, &Sampling::default()).unwrap());
            }
            let known: Vec<f64> = points.iter().filter_map(|p| p.height).map(|h| h.metres).collect();
            assert!(known.len() > 20);
            let rise: f64 = known.last().unwrap() - known[0];
            assert!((profile.climb - profile.descent - rise).abs() < 1e-6 && profile.climb > 0.0);
            assert_eq!(profile.greatest, known.iter().copied().reduce(f64::max));
        }
    }

    #[test]
    fn what_is_no_line_is_refused() {
        let heights = made_up(16);
        let ask =
            |line: &[LonLat], spacing| along(&heights, line, spacing, &Sampling::default()).unwrap_err().to_string();
        let (a, b) = (place(1.0, 1.0), place(2.0, 1.0));
        assert!(ask(&[a], Spacing::Count(5)).contains("has 1 places"));
        assert!(ask(&[a, a], Spacing::Count(5)).contains("no length"));
        assert!(ask(&[a, b], Spacing::Count(1)).contains("two or more"));
        for step in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(ask(&[a, b], Spacing::Metres(step)).contains("above 0"));
        }
        assert!(ask(&[a, b], Spacing::Metres(1e-9)).contains("at most"));
    }
}
