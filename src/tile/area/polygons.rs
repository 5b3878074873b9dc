//! Polygons with holes, and which boxes share area with them.

use std::collections::HashSet;

use super::edges::{Contact, Edge, Edges};
use super::{Bounds, Degrees, in_the_square, on_the_world};
use crate::error::{Error, Result};

/// The rings of a polygon, the outline first and its holes behind it: longitudes and latitudes in degrees. The last
/// position of a ring may repeat the first one.
pub type Polygon = Vec<Vec<[f64; 2]>>;

/// Polygons with holes. A place is inside where it lies in any of them; it lies in one where an odd number of its rings is
/// around it. So holes are holes of their own polygon only, and polygons may overlap and touch.
///
/// Lines are straight in longitude and latitude. Longitudes may go beyond 180 degrees: 170 to 190 crosses the 180th meridian.
#[derive(Debug)]
pub struct Polygons {
    polygons: Vec<Polygon>,
    /// West, south, east and north of all that has area, degrees.
    around: Degrees,
    edges: Edges,
}

/// What to do with a text that has no polygons of use.
pub(super) const REMEDY: &str = "give polygons in longitude and latitude";

pub(super) fn bad(problem: impl Into<String>) -> Error {
    Error::invalid("GeoJSON", problem, REMEDY)
}

impl Polygons {
    /// Polygons from their rings. Keeps them as they are, and an index over their lines: about 100 bytes a position. Polygons
    /// without area are left out.
    ///
    /// # Errors
    /// Where a ring has fewer than three positions, a position is beyond -360..360 or -90..90 degrees, no polygon has an
    /// area, or all lie beyond the latitudes of Web Mercator.
    pub fn new(polygons: Vec<Polygon>) -> Result<Self> {
        let mut edges = Vec::new();
        for (number, polygon) in polygons.iter().enumerate() {
            polygon.iter().try_for_each(|ring| check(ring))?;
            let number = u32::try_from(number).map_err(|_| bad("has too many polygons"))?;
            edges.extend(outline(polygon).into_iter().map(|[a, b]| Edge { polygon: number, a, b }));
        }
        if edges.is_empty() {
            return Err(bad("holds no polygon with an area"));
        }
        let none = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        let around = edges.iter().flat_map(|e| [e.a, e.b]).fold(none, |[w, s, e, n], [lon, lat]| {
            [f64::min(w, lon), f64::min(s, lat), f64::max(e, lon), f64::max(n, lat)]
        });
        let [_, south, _, north] = around;
        if !in_the_square(south, north) || on_the_world(around).is_empty() {
            return Err(bad("has polygons beyond the latitudes of Web Mercator only (85.0511 degrees)"));
        }
        Ok(Self { polygons, around, edges: Edges::new(edges, around) })
    }

    /// The polygons as they were given.
    #[must_use]
    pub fn polygons(&self) -> &[Polygon] {
        &self.polygons
    }

    /// The box around all, degrees; several where they lie beyond the 180th meridian.
    #[must_use]
    pub fn extents(&self) -> Vec<Degrees> {
        on_the_world(self.around)
    }

    /// The longest line along the parallels that is more than half of the world long, and not all of it, degrees: often one
    /// that was meant to cross the 180th meridian on the short way.
    #[must_use]
    pub fn widest_line(&self) -> Option<f64> {
        let width = |e: &Edge| (e.a[0] - e.b[0]).abs();
        self.edges.all().iter().map(width).filter(|w| *w > 180.0 && *w < 359.0).reduce(f64::max)
    }

    /// True where a box (EPSG:3857 metres) and the polygons share area. O(log lines) apart from boxes on the outline of
    /// polygons with very many long lines.
    #[must_use]
    pub fn overlaps(&self, bounds: &Bounds) -> bool {
        self.contacts(bounds).any(|contact| contact != Contact::Outside)
    }

    /// How a box (EPSG:3857 metres) lies to the polygons; costs as much as [`overlaps`](Self::overlaps).
    #[must_use]
    pub fn contact(&self, bounds: &Bounds) -> Contact {
        let mut all = Contact::Outside;
        for contact in self.contacts(bounds) {
            match contact {
                Contact::Crossed => return contact,
                Contact::Inside => all = contact,
                Contact::Outside => {}
            }
        }
        all
    }

    /// How the box lies on each turn of the world.
    fn contacts(&self, bounds: &Bounds) -> impl Iterator<Item = Contact> {
        let [west, south, east, north] = bounds.to_lon_lat();
        let [w, s, e, n] = self.around;
        [0.0, 360.0, -360.0].into_iter().map(move |turn| {
            let near = west + turn < e && east + turn > w && south < n && north > s;
            if near { self.edges.contact([west + turn, south, east + turn, north]) } else { Contact::Outside }
        })
    }

    /// True where a point, longitude and latitude, lies inside.
    #[must_use]
    pub fn contains(&self, lon: f64, lat: f64) -> bool {
        [0.0, 360.0, -360.0].into_iter().any(|turn| self.edges.surround([lon + turn, lat]))
    }
}

impl Clone for Polygons {
    fn clone(&self) -> Self {
        Self { polygons: self.polygons.clone(), around: self.around, edges: self.edges.clone() }
    }
}

impl PartialEq for Polygons {
    fn eq(&self, other: &Self) -> bool {
        self.polygons == other.polygons
    }
}

fn check(ring: &[[f64; 2]]) -> Result<()> {
    let closed = ring.len() > 1 && ring.first() == ring.last();
    if ring.len() - usize::from(closed) < 3 {
        return Err(bad(format!(
            "has a ring of {} positions, expected 4 or more with the last equal to the first",
            ring.len()
        )));
    }
    let on_earth = |[lon, lat]: &[f64; 2]| (-360.0..=360.0).contains(lon) && (-90.0..=90.0).contains(lat);
    match ring.iter().find(|at| !on_earth(at)) {
        None => Ok(()),
        Some([lon, lat]) => {
            let metres = lon.abs() > 1000.0 || lat.abs() > 1000.0;
            let hint = if metres { "; these look like metres: reproject with ogr2ogr -t_srs EPSG:4326" } else { "" };
            Err(bad(format!("has the position [{lon},{lat}], expected longitude and latitude in degrees{hint}")))
        }
    }
}

type Line = [[f64; 2]; 2];

/// The lines of a polygon, each between two places: without those that stand twice and so have the same on both sides, and
/// none where there is no area.
fn outline(polygon: &Polygon) -> Vec<Line> {
    let mut odd: HashSet<[u64; 4]> = HashSet::new();
    let key = |[a, b]: Line| {
        // Negative zero is zero.
        let bits = |p: [f64; 2]| p.map(|v| (v + 0.0).to_bits());
        let (a, b) = (bits(a), bits(b));
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        [a[0], a[1], b[0], b[1]]
    };
    let lines = || {
        polygon.iter().flat_map(|ring| {
            let next = ring.iter().cycle().skip(1);
            ring.iter().zip(next).map(|(&a, &b)| [a, b]).filter(|[a, b]| a != b)
        })
    };
    for line in lines() {
        let line = key(line);
        if !odd.remove(&line) {
            odd.insert(line);
        }
    }
    // In the order of the rings, so that the same polygons give the same index.
    let lines: Vec<Line> = lines().filter(|line| odd.remove(&key(*line))).collect();
    if on_one_line(&lines) { Vec::new() } else { lines }
}

fn on_one_line(lines: &[Line]) -> bool {
    let Some(&[[x0, y0], _]) = lines.first() else { return true };
    let away = |[x, y]: [f64; 2]| (x - x0).hypot(y - y0);
    let ends = || lines.iter().flatten().copied();
    let Some([x1, y1]) = ends().max_by(|a, b| away(*a).total_cmp(&away(*b))) else { return true };
    let length = away([x1, y1]);
    // How far a place is from the line, as a part of the line's length: what rounding of degrees makes.
    ends().all(|[x, y]| ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)).abs() <= 1e-14 * length * length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::{TileCoord, web_mercator};

    fn touched(polygons: &Polygons, z: u8) -> Vec<(u32, u32)> {
        let side = 1u32 << z;
        let all = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let takes = |&(x, y): &(u32, u32)| {
            let tile = TileCoord::new(z, x, y).unwrap().bounds();
            polygons.overlaps(&super::super::inside(&tile))
        };
        all.filter(takes).collect()
    }

    fn square(west: f64, south: f64, east: f64, north: f64) -> Vec<[f64; 2]> {
        vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
    }

    #[test]
    fn holes_are_holes_of_their_own_polygon_only() {
        // Zoom 3 has tiles of 45 degrees; these are the latitudes of their rims.
        let rim = 66.513_260_443_111_86;
        let frame = vec![square(-90.0, -85.06, 90.0, 85.06), square(-45.0, -rim, 45.0, rim)];
        let island = vec![vec![[1.0, 1.0], [2.0, 1.0], [2.0, 2.0]]];
        let mut expected: Vec<(u32, u32)> = (0..8).flat_map(|y| (2..6).map(move |x| (x, y))).collect();
        expected.retain(|&(x, y)| !((3..5).contains(&x) && (2..6).contains(&y)) || (x, y) == (4, 3));
        assert_eq!(touched(&Polygons::new(vec![frame.clone(), island.clone()]).unwrap(), 3), expected);
        // A polygon over the hole, and one that overlaps the frame: nothing is taken away.
        let all: Vec<(u32, u32)> = (0..8).flat_map(|y| (2..6).map(move |x| (x, y))).collect();
        let over = vec![square(-50.0, -70.0, 50.0, 70.0)];
        assert_eq!(touched(&Polygons::new(vec![frame.clone(), over.clone()]).unwrap(), 3), all);
        assert_eq!(touched(&Polygons::new(vec![over, frame.clone(), frame]).unwrap(), 3), all);
    }

    #[test]
    fn lines_are_straight_in_degrees_and_tiles_agree_with_points_all_over() {
        let ring = vec![[10.3, 44.0], [61.0, 39.7], [80.1, 61.0], [33.0, 52.0], [12.0, 70.0], [10.3, 44.0]];
        let polygons = Polygons::new(vec![vec![ring.clone()]]).unwrap();
        let found = touched(&polygons, 7);
        // By hand, without the index.
        let inside = |lon: f64, lat: f64| {
            let lines = ring.windows(2);
            let east = |w: &&[[f64; 2]]| {
                let [[ax, ay], [bx, by]] = [w[0], w[1]];
                (ay > lat) != (by > lat) && lon < ax + (lat - ay) / (by - ay) * (bx - ax)
            };
            lines.filter(east).count() % 2 == 1
        };
        let mut seen = std::collections::BTreeSet::new();
        for i in 0..1500 {
            for j in 0..1500 {
                let (lon, lat) = (10.0 + f64::from(i) * 0.05, 38.0 + f64::from(j) * 0.025);
                assert_eq!(polygons.contains(lon, lat), inside(lon, lat), "{lon} {lat}");
                if inside(lon, lat) {
                    let (x, y) = web_mercator::from_lon_lat(lon, lat);
                    let tile = TileCoord::at(x, y, 7);
                    seen.insert((tile.x(), tile.y()));
                }
            }
        }
        // A fine grid misses only slivers.
        let missed = found.iter().filter(|tile| !seen.contains(tile)).count();
        assert!(seen.iter().all(|tile| found.contains(tile)) && missed <= 3, "{missed} of {}", found.len());
        // A long line from (0, 0) to (80, 80) runs through 40, 40 and not through what is straight on the map.
        let bent = Polygons::new(vec![vec![vec![[0.0, 0.0], [80.0, 80.0], [0.0, 80.0]]]]).unwrap();
        assert!(bent.contains(39.9, 40.0) && !bent.contains(40.1, 40.0));
    }

    #[test]
    fn polygons_beyond_180_degrees_lie_on_the_other_side() {
        let two = vec![vec![square(170.0, -20.0, 180.0, -10.0)], vec![square(-180.0, -20.0, -170.0, -10.0)]];
        let expected = touched(&Polygons::new(two).unwrap(), 5);
        assert!(expected.iter().any(|t| t.0 == 0) && expected.iter().any(|t| t.0 == 31) && expected.len() < 10);
        for west in [170.0, -190.0] {
            let one = Polygons::new(vec![vec![square(west, -20.0, west + 20.0, -10.0)]]).unwrap();
            assert_eq!(touched(&one, 5), expected, "{west}");
            assert_eq!(one.extents().len(), 2);
            assert!(one.contains(175.0, -15.0) && one.contains(-175.0, -15.0) && !one.contains(0.0, -15.0));
        }
        let wide = Polygons::new(vec![vec![square(177.0, -20.0, -177.0, -10.0)]]).unwrap();
        assert_eq!(wide.widest_line(), Some(354.0));
        assert_eq!(Polygons::new(vec![vec![square(-180.0, -20.0, 180.0, -10.0)]]).unwrap().widest_line(), None);
    }

    #[test]
    fn what_has_no_area_takes_nothing_and_is_refused_alone() {
        let line = |points: &[[f64; 2]]| vec![points.to_vec()];
        let flat = [
            line(&[[0.0, 0.0], [10.0, 10.0], [0.0, 0.0], [10.0, 10.0]]),
            line(&[[0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.1, 0.1]]),
            line(&[[5.0, 1.0], [5.0, 9.0], [5.0, 4.0]]),
            vec![square(0.0, 0.0, 9.0, 9.0), square(0.0, 0.0, 9.0, 9.0)],
        ];
        let whole = Polygons::new(vec![vec![square(-9.0, -9.0, -5.0, -5.0)]]).unwrap();
        for polygon in flat {
            let error = Polygons::new(vec![polygon.clone()]).unwrap_err().to_string();
            assert!(error.contains("no polygon with an area"), "{error}");
            let with = Polygons::new(vec![polygon, vec![square(-9.0, -9.0, -5.0, -5.0)]]).unwrap();
            assert_eq!(touched(&with, 6), touched(&whole, 6));
        }
        // A spike on a polygon has no area either.
        let spike = line(&[[-9.0, -9.0], [-5.0, -9.0], [40.0, 40.0], [-5.0, -9.0], [-5.0, -5.0], [-9.0, -5.0]]);
        assert_eq!(touched(&Polygons::new(vec![spike]).unwrap(), 6), touched(&whole, 6));
        for (ring, words) in [
            (vec![[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]], "a ring of 3 positions"),
            (vec![], "a ring of 0 positions"),
            (square(0.0, 86.0, 9.0, 89.0), "beyond the latitudes"),
            (square(0.0, 0.0, 500.0, 9.0), "the position [500,0], expected longitude"),
            (square(500_000.0, 0.0, 600_000.0, 9.0), "look like metres"),
            (square(0.0, f64::NAN, 1.0, 9.0), "expected longitude"),
        ] {
            let error = Polygons::new(vec![vec![ring]]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
