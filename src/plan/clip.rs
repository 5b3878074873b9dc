//! A wanted area with any outline.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::tile::{Bounds, web_mercator};

/// Strips that edges are sorted into, so that a question looks at a few of them.
const STRIPS: usize = 512;
/// The longest piece of an edge, degrees: lines of GeoJSON are straight in longitude and latitude.
const PIECE: f64 = 0.25;

/// Polygons in EPSG:3857; inside by the even-odd rule over all rings.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipArea {
    /// As given: rings of longitudes and latitudes.
    rings: Vec<Vec<[f64; 2]>>,
    bounds: Bounds,
    /// Edges, metres.
    edges: Vec<[f64; 4]>,
    /// The edges that meet each strip of the bounds' height, from the south.
    strips: Vec<Vec<u32>>,
}

impl ClipArea {
    /// The polygons of a GeoJSON document: a geometry, a feature or a collection; other geometries are refused.
    ///
    /// # Errors
    /// Where the text is no GeoJSON, or holds no polygon.
    pub fn from_geojson(text: &str) -> Result<Self> {
        let document: Value =
            serde_json::from_str(text).map_err(|e| Error::argument("--clip", format!("is no GeoJSON: {e}")))?;
        let mut rings = Vec::new();
        collect(&document, &mut rings)?;
        Self::from_rings(rings)
    }

    /// Polygons from their rings, longitudes and latitudes in degrees.
    ///
    /// # Errors
    /// Where there is no ring, or one has fewer than three points.
    pub fn from_rings(rings: Vec<Vec<[f64; 2]>>) -> Result<Self> {
        if rings.is_empty() {
            return Err(Error::argument("--clip", "holds no polygon; give a Polygon or MultiPolygon"));
        }
        let mut edges = Vec::new();
        for ring in &rings {
            if ring.len() < 3 || ring.iter().flatten().any(|v| !v.is_finite()) {
                return Err(Error::argument("--clip", "has a ring of fewer than three points, or without numbers"));
            }
            for (i, &[lon, lat]) in ring.iter().enumerate() {
                let [to_lon, to_lat] = ring[(i + 1) % ring.len()];
                let pieces = ((to_lon - lon).abs().max((to_lat - lat).abs()) / PIECE).ceil().clamp(1.0, 4096.0) as u32;
                let at = |i: u32| {
                    let t = f64::from(i) / f64::from(pieces);
                    web_mercator::from_lon_lat(lon + (to_lon - lon) * t, lat + (to_lat - lat) * t)
                };
                edges.extend((0..pieces).map(|i| {
                    let ((ax, ay), (bx, by)) = (at(i), at(i + 1));
                    [ax, ay, bx, by]
                }));
            }
        }
        let mut bounds = Bounds::new(f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY);
        for &[ax, ay, bx, by] in &edges {
            bounds = bounds.union(&Bounds::new(ax.min(bx), ay.min(by), ax.max(bx), ay.max(by)));
        }
        if !bounds.has_area() {
            return Err(Error::argument("--clip", "has no area in Web Mercator"));
        }
        let mut area = Self { rings, bounds, edges, strips: vec![Vec::new(); STRIPS] };
        for (number, &[_, ay, _, by]) in area.edges.iter().enumerate() {
            for strip in area.strips_of(ay.min(by), ay.max(by)) {
                area.strips[strip].push(number as u32);
            }
        }
        Ok(area)
    }

    /// The rings as they were given, longitudes and latitudes.
    #[must_use]
    pub fn rings(&self) -> &[Vec<[f64; 2]>] {
        &self.rings
    }

    /// The box around all, EPSG:3857 metres.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn strips_of(&self, low: f64, high: f64) -> std::ops::RangeInclusive<usize> {
        let strip = |y: f64| {
            (((y - self.bounds.min_y) / self.bounds.height()) * STRIPS as f64).clamp(0.0, (STRIPS - 1) as f64) as usize
        };
        strip(low)..=strip(high)
    }

    /// True where a box and the area have a part in common.
    #[must_use]
    pub fn overlaps(&self, tile: &Bounds) -> bool {
        if !self.bounds.overlaps(tile) {
            return false;
        }
        let mut near = self.strips_of(tile.min_y, tile.max_y).flat_map(|s| &self.strips[s]);
        if near.any(|&e| crosses(self.edges[e as usize], tile)) {
            return true;
        }
        // No edge in the box: it lies wholly inside or outside.
        let (x, y) = tile.center();
        self.contains(x, y)
    }

    /// True where a point, EPSG:3857 metres, lies inside.
    #[must_use]
    pub fn contains(&self, x: f64, y: f64) -> bool {
        if !self.bounds.contains_point(x, y) {
            return false;
        }
        let strip = &self.strips[*self.strips_of(y, y).start()];
        let east = |&&e: &&u32| {
            let [ax, ay, bx, by] = self.edges[e as usize];
            (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax)
        };
        strip.iter().filter(east).count() % 2 == 1
    }
}

/// True where a line and the inside of a box have a point in common.
fn crosses([ax, ay, bx, by]: [f64; 4], b: &Bounds) -> bool {
    if ax.max(bx) <= b.min_x || ax.min(bx) >= b.max_x || ay.max(by) <= b.min_y || ay.min(by) >= b.max_y {
        return false;
    }
    let side = |x: f64, y: f64| (bx - ax) * (y - ay) - (by - ay) * (x - ax);
    let corners = [(b.min_x, b.min_y), (b.max_x, b.min_y), (b.min_x, b.max_y), (b.max_x, b.max_y)];
    let sides = corners.map(|(x, y)| side(x, y));
    sides.iter().any(|&s| s > 0.0) && sides.iter().any(|&s| s < 0.0)
}

/// The rings of all polygons below a GeoJSON object.
fn collect(value: &Value, rings: &mut Vec<Vec<[f64; 2]>>) -> Result<()> {
    let wrong =
        |what: &str| Error::argument("--clip", format!("{what}; give GeoJSON polygons in longitude and latitude"));
    let ring = |value: &Value| -> Result<Vec<[f64; 2]>> {
        let point = |p: &Value| Some([p.get(0)?.as_f64()?, p.get(1)?.as_f64()?]);
        let points = value.as_array().map(|all| all.iter().map(point).collect::<Option<Vec<_>>>());
        points.flatten().ok_or_else(|| wrong("has a ring that is no list of points"))
    };
    let polygon = |value: &Value, rings: &mut Vec<Vec<[f64; 2]>>| -> Result<()> {
        let all = value.as_array().ok_or_else(|| wrong("has a polygon without rings"))?;
        all.iter().try_for_each(|r| {
            rings.push(ring(r)?);
            Ok(())
        })
    };
    let list = |key: &str| value.get(key).and_then(Value::as_array).ok_or_else(|| wrong(&format!("has no {key}")));
    match value.get("type").and_then(Value::as_str) {
        Some("FeatureCollection") => list("features")?.iter().try_for_each(|f| collect(f, rings)),
        Some("GeometryCollection") => list("geometries")?.iter().try_for_each(|g| collect(g, rings)),
        Some("Feature") => value.get("geometry").filter(|g| !g.is_null()).map_or(Ok(()), |g| collect(g, rings)),
        Some("Polygon") => value.get("coordinates").map_or(Ok(()), |c| polygon(c, rings)),
        Some("MultiPolygon") => list("coordinates")?.iter().try_for_each(|p| polygon(p, rings)),
        Some(other) => Err(wrong(&format!("holds a {other}"))),
        None => Err(wrong("has no type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIANGLE: &str = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[
            [[10,10],[20,10],[10,20],[10,10]],[[11,11],[13,11],[13,13],[11,13],[11,11]]]}},
        {"type":"Feature","properties":{},"geometry":null}]}"#;

    fn box_of(west: f64, south: f64, east: f64, north: f64) -> Bounds {
        Bounds::from_lon_lat(west, south, east, north)
    }

    #[test]
    fn boxes_overlap_edges_and_inside_but_not_holes() {
        let area = ClipArea::from_geojson(TRIANGLE).unwrap();
        for (tile, want) in [
            (box_of(0.0, 0.0, 30.0, 30.0), true),    // around all
            (box_of(14.0, 11.0, 14.1, 11.1), true),  // inside
            (box_of(9.0, 12.0, 10.5, 12.5), true),   // over an edge
            (box_of(11.5, 11.5, 12.5, 12.5), false), // in the hole
            (box_of(10.5, 10.5, 13.5, 13.5), true),  // around the hole
            (box_of(17.0, 17.0, 19.0, 19.0), false), // in the box around all, beyond the slanted edge
            (box_of(20.0, 10.0, 21.0, 11.0), false), // touches a corner
            (box_of(-10.0, 10.0, -9.0, 11.0), false),
        ] {
            assert_eq!(area.overlaps(&tile), want, "{:?}", tile.to_lon_lat());
        }
        let again = ClipArea::from_rings(area.rings().to_vec()).unwrap();
        assert_eq!(again, area);
    }

    #[test]
    fn what_is_no_polygon_is_refused() {
        for (text, want) in [
            ("{", "no GeoJSON"),
            (r#"{"type":"Point","coordinates":[1,2]}"#, "holds a Point"),
            (r#"{"type":"FeatureCollection","features":[]}"#, "no polygon"),
            (r#"{"type":"Polygon","coordinates":[[[1,2],[3,4]]]}"#, "three points"),
            (r#"{"type":"Polygon","coordinates":[[["a",2],[3,4],[5,6]]]}"#, "no list of points"),
            (r#"{"features":[]}"#, "no type"),
        ] {
            let found = ClipArea::from_geojson(text).unwrap_err().to_string();
            assert!(found.contains(want) && found.contains("--clip"), "{found}");
        }
    }
}
