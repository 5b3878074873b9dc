//! Polygons from GeoJSON (RFC 7946), and which tiles share area with them.

use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::tile::{Bounds, TileCoord, web_mercator};

/// Strips of latitude by which edges are found.
const STRIPS: usize = 1024;
/// Areas narrower than this don't count, metres.
const MILLIMETRE: f64 = 1e-3;

/// One or more polygons with holes, in EPSG:3857 metres. Edges are straight there.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygons {
    edges: Vec<Edge>,
    bounds: Bounds,
    /// The edges that reach into each strip between the southern and the northern end.
    strips: Vec<Vec<u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Edge {
    /// Which polygon it belongs to; its rings count alternately as outside and hole.
    polygon: u32,
    a: (f64, f64),
    b: (f64, f64),
}

impl Polygons {
    /// Reads a GeoJSON file: a geometry, a feature or a collection of them. Everything but polygons is refused.
    ///
    /// # Errors
    /// Where the file can't be read, is no GeoJSON, or holds no polygon.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        Self::from_geojson(&text).map_err(|error| error.with_path(path))
    }

    /// As [`read`](Self::read), from a text.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_geojson(text: &str) -> Result<Self> {
        let document: Value = serde_json::from_str(text).map_err(|e| bad(format!("is not valid JSON: {e}")))?;
        let mut polygons = Vec::new();
        collect(&document, &mut polygons, 0)?;
        let mut edges = Vec::new();
        for (n, rings) in polygons.iter().enumerate() {
            for ring in rings {
                let corners = ring.iter().map(|&(lon, lat)| web_mercator::from_lon_lat(lon, lat));
                let corners: Vec<(f64, f64)> = corners.collect();
                let next = corners.iter().copied().cycle().skip(1);
                edges.extend(corners.iter().copied().zip(next).filter(|(a, b)| a != b).map(|(a, b)| Edge {
                    polygon: n as u32,
                    a,
                    b,
                }));
            }
        }
        let corner = |e: &Edge| Bounds::new(e.a.0, e.a.1, e.a.0, e.a.1);
        let bounds = edges.iter().map(corner).reduce(|a, b| a.union(&b)).filter(Bounds::has_area);
        let Some(bounds) = bounds else { return Err(bad("holds no polygon with an area".to_owned())) };
        let mut out = Self { edges, bounds, strips: vec![Vec::new(); STRIPS] };
        for (n, edge) in out.edges.iter().enumerate() {
            let (low, high) = (edge.a.1.min(edge.b.1), edge.a.1.max(edge.b.1));
            for strip in out.strip(low)..=out.strip(high) {
                out.strips[strip].push(n as u32);
            }
        }
        Ok(out)
    }

    fn strip(&self, y: f64) -> usize {
        // A cast saturates, so that points outside take the first or the last strip.
        (((y - self.bounds.min_y) / self.bounds.height() * STRIPS as f64) as usize).min(STRIPS - 1)
    }

    /// West, south, east and north, degrees.
    #[must_use]
    pub fn lon_lat(&self) -> [f64; 4] {
        self.bounds.to_lon_lat()
    }

    /// True where the point lies in one of the polygons: an odd number of its edges lie east of it.
    fn contains(&self, (x, y): (f64, f64)) -> bool {
        if !self.bounds.contains_point(x, y) {
            return false;
        }
        // The edges of a strip come polygon by polygon.
        let (mut polygon, mut inside) = (u32::MAX, false);
        for &n in &self.strips[self.strip(y)] {
            let Edge { polygon: of, a, b } = self.edges[n as usize];
            if of != polygon {
                if inside {
                    return true;
                }
                polygon = of;
            }
            if (a.1 > y) != (b.1 > y) && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0) {
                inside = !inside;
            }
        }
        inside
    }
}

fn bad(problem: String) -> Error {
    Error::invalid("GeoJSON", problem, "give a Polygon or MultiPolygon in longitude and latitude")
}

type Ring = Vec<(f64, f64)>;

fn collect(value: &Value, out: &mut Vec<Vec<Ring>>, depth: usize) -> Result<()> {
    let list = |key: &str| value.get(key).and_then(Value::as_array).ok_or_else(|| bad(format!("has no {key:?}")));
    match value.get("type").and_then(Value::as_str) {
        _ if depth > 32 => return Err(bad("is nested too deeply".to_owned())),
        Some("FeatureCollection") => list("features")?.iter().try_for_each(|f| collect(f, out, depth + 1))?,
        Some("GeometryCollection") => list("geometries")?.iter().try_for_each(|g| collect(g, out, depth + 1))?,
        Some("Feature") => {
            let geometry = value.get("geometry").ok_or_else(|| bad("has a feature without a geometry".to_owned()))?;
            collect(geometry, out, depth + 1)?;
        }
        Some("Polygon") => out.push(rings(list("coordinates")?)?),
        Some("MultiPolygon") => {
            for polygon in list("coordinates")? {
                out.push(rings(polygon.as_array().ok_or_else(|| bad("has a polygon that is no list".to_owned()))?)?);
            }
        }
        Some(other) => return Err(bad(format!("holds a {other}, expected polygons"))),
        None => return Err(bad("has an object without a type".to_owned())),
    }
    Ok(())
}

fn rings(list: &[Value]) -> Result<Vec<Ring>> {
    list.iter()
        .map(|ring| {
            let corners = ring.as_array().ok_or_else(|| bad("has a ring that is no list".to_owned()))?;
            if corners.len() < 4 {
                return Err(bad(format!("has a ring of {} positions, expected 4 or more", corners.len())));
            }
            corners.iter().map(position).collect()
        })
        .collect()
}

fn position(value: &Value) -> Result<(f64, f64)> {
    let number = |n: usize| value.get(n).and_then(Value::as_f64);
    match (number(0), number(1)) {
        (Some(lon), Some(lat)) if lon.abs() <= 180.0 && lat.abs() <= 90.0 => Ok((lon, lat)),
        _ => Err(bad(format!("has the position {value}, expected longitude and latitude in degrees"))),
    }
}

/// How a tile lies to the polygons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Inside,
    Outside,
    /// These edges run through it.
    Edge,
}

/// Which tiles share area with polygons. Remembers the way down to the last tile, so that its neighbours cost little.
pub(super) struct Within<'a> {
    polygons: &'a Polygons,
    path: Vec<(TileCoord, Place, Vec<u32>)>,
}

impl<'a> Within<'a> {
    pub(super) fn new(polygons: &'a Polygons) -> Self {
        Self { polygons, path: Vec::new() }
    }

    /// True where they share area.
    pub(super) fn touches(&mut self, tile: TileCoord) -> bool {
        while self.path.last().is_some_and(|(at, ..)| tile.ancestor(at.z()) != Some(*at)) {
            self.path.pop();
        }
        loop {
            let next = match self.path.last() {
                Some((_, Place::Inside, _)) => return true,
                Some((_, Place::Outside, _)) => return false,
                Some((at, Place::Edge, _)) if *at == tile => return true,
                Some((at, ..)) => tile.ancestor(at.z() + 1),
                None => tile.ancestor(0),
            };
            let Some(next) = next else { return false };
            let step = self.look_at(next);
            self.path.push(step);
        }
    }

    fn look_at(&self, tile: TileCoord) -> (TileCoord, Place, Vec<u32>) {
        let bounds = tile.bounds();
        // An edge along the rim is a rim: what rounding moves across it is no area.
        let inner = bounds.buffered(-MILLIMETRE);
        let crosses = |&n: &u32| runs_through(&self.polygons.edges[n as usize], &inner);
        let edges: Vec<u32> = match self.path.last() {
            Some((_, _, edges)) => edges.iter().copied().filter(crosses).collect(),
            None => (0..self.polygons.edges.len() as u32).filter(crosses).collect(),
        };
        let place = if !edges.is_empty() {
            Place::Edge
        } else if self.polygons.contains(bounds.center()) {
            Place::Inside
        } else {
            Place::Outside
        };
        (tile, place, edges)
    }
}

/// True where a part of the edge lies inside the box, not only on its rim (Liang and Barsky's clipping, 1984).
fn runs_through(edge: &Edge, bounds: &Bounds) -> bool {
    let (dx, dy) = (edge.b.0 - edge.a.0, edge.b.1 - edge.a.1);
    let (mut from, mut to) = (0.0f64, 1.0f64);
    for (delta, low, high) in
        [(dx, bounds.min_x - edge.a.0, bounds.max_x - edge.a.0), (dy, bounds.min_y - edge.a.1, bounds.max_y - edge.a.1)]
    {
        if delta == 0.0 {
            if low >= 0.0 || high <= 0.0 {
                return false;
            }
        } else {
            let (a, b) = (low / delta, high / delta);
            from = from.max(a.min(b));
            to = to.min(a.max(b));
        }
    }
    from < to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(text: &str, z: u8) -> Vec<(u32, u32)> {
        let polygons = Polygons::from_geojson(text).unwrap();
        let mut within = Within::new(&polygons);
        let side = 1u32 << z;
        let all = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        all.filter(|&(x, y)| within.touches(TileCoord::new(z, x, y).unwrap())).collect()
    }

    #[test]
    fn a_box_a_hole_and_an_island_in_it() {
        // Zoom 3 has tiles of 45 degrees. A box over 4 x 8 of them with a hole of 2 x 4, and a small island in the hole.
        let text = r#"{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": null, "geometry":
            {"type": "MultiPolygon", "coordinates": [
              [[[-90, -85.06], [90, -85.06], [90, 85.06], [-90, 85.06], [-90, -85.06]],
               [[-45, -66.51326044311186], [45, -66.51326044311186], [45, 66.51326044311186], [-45, 66.51326044311186],
                [-45, -66.51326044311186]]],
              [[[1, 1], [2, 1], [2, 2], [1, 1]]]]}}]}"#;
        let found = touched(text, 3);
        let mut expected: Vec<(u32, u32)> = (0..8).flat_map(|y| (2..6).map(move |x| (x, y))).collect();
        expected.retain(|&(x, y)| !((3..5).contains(&x) && (2..6).contains(&y)) || (x, y) == (4, 3));
        assert_eq!(found, expected);
    }

    #[test]
    fn agrees_with_points_all_over_the_polygon() {
        let text = r#"{"type": "Polygon", "coordinates": [[[10.3, 44], [61, 39.7], [80.1, 61], [33, 52], [12, 70], [10.3, 44]]]}"#;
        let polygons = Polygons::from_geojson(text).unwrap();
        let found = touched(text, 7);
        let mut seen = std::collections::BTreeSet::new();
        for i in 0..1500 {
            for j in 0..1500 {
                let at = (10.0 + f64::from(i) * 0.05, 38.0 + f64::from(j) * 0.025);
                let (x, y) = web_mercator::from_lon_lat(at.0, at.1);
                if polygons.contains((x, y)) {
                    let tile = TileCoord::at(x, y, 7);
                    seen.insert((tile.x(), tile.y()));
                }
            }
        }
        // A fine grid misses only slivers.
        let missed = found.iter().filter(|tile| !seen.contains(tile)).count();
        assert!(seen.iter().all(|tile| found.contains(tile)) && missed <= 3, "{missed} of {}", found.len());
    }

    #[test]
    fn what_is_no_polygon_is_refused_with_its_reason() {
        for (text, words) in [
            ("{", "is not valid JSON"),
            ("{}", "an object without a type"),
            (r#"{"type": "Point", "coordinates": [1, 2]}"#, "holds a Point, expected polygons"),
            (r#"{"type": "FeatureCollection", "features": []}"#, "holds no polygon"),
            (r#"{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}"#, "a ring of 3 positions"),
            (r#"{"type": "Polygon", "coordinates": [[[0, 0], [500, 1], [0, 9], [0, 0]]]}"#, "the position [500,1]"),
            (r#"{"type": "Polygon", "coordinates": [[[0, 0], ["a", 1], [0, 9], [0, 0]]]}"#, "expected longitude"),
        ] {
            let error = Polygons::from_geojson(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
