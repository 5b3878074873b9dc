//! Polygons out of GeoJSON (RFC 7946), whatever it is wrapped in.

use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::polygons::{Polygon, Polygons, bad};
use crate::error::{Error, Result};

/// A larger file is refused: a million positions take some 40 MB.
const LARGEST: u64 = 512 << 20;

impl Polygons {
    /// Reads a GeoJSON file; see [`from_geojson`](Self::from_geojson).
    ///
    /// # Errors
    /// Where the file can't be read, is no GeoJSON, or holds anything but polygons.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_geojson(crate::local::read(path, LARGEST)?).map_err(|error| error.with_path(path))
    }

    /// The polygons of a GeoJSON document: a Polygon or MultiPolygon, a Feature, or a collection of them. Features without
    /// a geometry, byte order marks, heights of positions and rings that are not closed are taken as they are meant.
    ///
    /// # Errors
    /// Where the text is no GeoJSON in longitude and latitude, or holds anything but polygons.
    pub fn from_geojson(text: impl AsRef<[u8]>) -> Result<Self> {
        let text = text.as_ref();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if let Some(other) = other_format(text) {
            let remedy = "give GeoJSON: ogr2ogr -t_srs EPSG:4326 -f GeoJSON area.geojson FILE";
            return Err(Error::invalid("GeoJSON", format!("is {other}"), remedy));
        }
        let document: Object = serde_json::from_slice(text).map_err(|error| not_json(&error))?;
        let mut polygons = Vec::new();
        document.collect(&mut polygons)?;
        if polygons.is_empty() {
            return Err(bad("holds no polygon"));
        }
        Self::new(polygons)
    }
}

/// What a file is that was given for GeoJSON, by its first bytes.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 10] = [
        (b"SQLite format 3\0", "an SQLite database (a GeoPackage?)"),
        (b"fgb", "FlatGeobuf"),
        (b"\0\0\x27\x0a", "a Shapefile"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "compressed with gzip"),
        (b"<", "XML (KML or GML?)"),
        (b"PAR1", "Parquet"),
        (b"\xff\xfe", "UTF-16, not UTF-8"),
        (b"\xfe\xff", "UTF-16, not UTF-8"),
        (b"\x1e", "a GeoJSON text sequence, of several documents"),
    ];
    known.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, name)| *name)
}

fn not_json(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    if text.starts_with("trailing characters") {
        let problem = format!("holds several JSON documents (line {})", error.line());
        return Error::invalid("GeoJSON", problem, "give one FeatureCollection: ogr2ogr -f GeoJSON area.geojson FILE");
    }
    if text.starts_with("recursion limit") {
        return bad("is nested too deeply");
    }
    match error.classify() {
        serde_json::error::Category::Data => bad(format!("is no GeoJSON: {text}")),
        _ => bad(format!("is not valid JSON: {text}")),
    }
}

/// Any object of GeoJSON, without what does not matter here.
#[derive(Deserialize)]
struct Object {
    r#type: Option<String>,
    features: Option<Vec<Object>>,
    geometries: Option<Vec<Object>>,
    /// `None` where it is missing, `Some(None)` where it is null.
    #[serde(default, deserialize_with = "some")]
    geometry: Option<Option<Box<Object>>>,
    coordinates: Option<Nested>,
    crs: Option<Crs>,
}

fn some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Box<Object>>>, D::Error> {
    Option::<Box<Object>>::deserialize(from).map(Some)
}

/// The member of the first GeoJSON (2008) that names another coordinate system.
#[derive(Deserialize)]
#[serde(untagged)]
enum Crs {
    Named { properties: CrsName },
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct CrsName {
    name: String,
}

/// Systems of longitude and latitude in degrees that are within two metres of WGS 84.
const LON_LAT: [&str; 11] = ["CRS84", "4326", "4258", "4269", "4283", "4612", "6668", "7844", "4167", "4674", "CRS83"];

impl Crs {
    fn check(&self) -> Result<()> {
        let name = match self {
            Self::Named { properties } => properties.name.as_str(),
            Self::Other(_) => "that is not named",
        };
        let code = name.rsplit([':', '/', '#']).next().unwrap_or(name);
        if LON_LAT.contains(&code.to_ascii_uppercase().as_str()) {
            return Ok(());
        }
        let remedy = "reproject it to longitude and latitude: ogr2ogr -t_srs EPSG:4326 -f GeoJSON area.geojson FILE";
        Err(Error::invalid("GeoJSON", format!("is in the coordinate system {name}"), remedy))
    }
}

impl Object {
    /// Takes the polygons of this object and of all below it. The parser has bounded how deep they lie.
    fn collect(self, out: &mut Vec<Polygon>) -> Result<()> {
        self.crs.as_ref().map_or(Ok(()), Crs::check)?;
        let missing = |what: &str| bad(format!("has an object without {what:?}"));
        match self.r#type.as_deref() {
            Some("FeatureCollection") => {
                self.features.ok_or_else(|| missing("features"))?.into_iter().try_for_each(|o| o.collect(out))
            }
            Some("GeometryCollection") => {
                self.geometries.ok_or_else(|| missing("geometries"))?.into_iter().try_for_each(|o| o.collect(out))
            }
            Some("Feature") => match self.geometry.ok_or_else(|| missing("geometry"))? {
                Some(geometry) => geometry.collect(out),
                None => Ok(()),
            },
            Some("Polygon") => push(self.coordinates.ok_or_else(|| missing("coordinates"))?, out),
            Some("MultiPolygon") => {
                let polygons = self.coordinates.ok_or_else(|| missing("coordinates"))?;
                polygons.list("list of polygons")?.into_iter().try_for_each(|polygon| push(polygon, out))
            }
            Some(other) => Err(bad(format!("holds a {}, expected polygons", other.escape_debug()))),
            None => Err(bad("has an object without a type")),
        }
    }
}

/// Adds a polygon. Without rings it is nothing, as the standard says.
fn push(polygon: Nested, out: &mut Vec<Polygon>) -> Result<()> {
    let ring = |ring: Nested| -> Result<Vec<[f64; 2]>> {
        let position = |at: Nested| match at {
            Nested::Position(position) => Ok(position),
            _ => {
                Err(bad("has a position that is not [longitude, latitude]; expected longitude and latitude in degrees"))
            }
        };
        ring.list("ring")?.into_iter().map(position).collect()
    };
    let rings = polygon.list("polygon")?.into_iter().map(ring).collect::<Result<Polygon>>()?;
    if !rings.is_empty() {
        out.push(rings);
    }
    Ok(())
}

/// Coordinates of any depth. A position takes 24 bytes.
enum Nested {
    Position([f64; 2]),
    List(Vec<Nested>),
    Other,
}

impl Nested {
    fn list(self, what: &str) -> Result<Vec<Self>> {
        match self {
            Self::List(list) => Ok(list),
            _ => Err(bad(format!("has a {what} that is no list of lists"))),
        }
    }
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        match Element::deserialize(from)? {
            Element::Nested(nested) => Ok(nested),
            Element::Number(_) => Ok(Self::Other),
        }
    }
}

/// What may stand in a list: a number, or coordinates.
enum Element {
    Number(f64),
    Nested(Nested),
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("numbers, or lists of them")
    }

    fn visit_f64<E>(self, v: f64) -> std::result::Result<Element, E> {
        Ok(Element::Number(v))
    }

    fn visit_u64<E>(self, v: u64) -> std::result::Result<Element, E> {
        Ok(Element::Number(v as f64))
    }

    fn visit_i64<E>(self, v: i64) -> std::result::Result<Element, E> {
        Ok(Element::Number(v as f64))
    }

    fn visit_unit<E>(self) -> std::result::Result<Element, E> {
        Ok(Element::Nested(Nested::Other))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Element, A::Error> {
        let (mut numbers, mut count) = ([0.0; 2], 0usize);
        let mut list = Vec::new();
        while let Some(element) = seq.next_element::<Element>()? {
            match element {
                Element::Number(number) => {
                    if let Some(place) = numbers.get_mut(count) {
                        *place = number;
                    }
                    count += 1;
                }
                Element::Nested(nested) => list.push(nested),
            }
        }
        Ok(Element::Nested(match (count, list.is_empty()) {
            (0, _) => Nested::List(list),
            (2.., true) => Nested::Position(numbers),
            _ => Nested::Other,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &str = "[[[1,2],[3,2],[3,4],[1,4],[1,2]]]";

    #[test]
    fn every_wrapping_gives_the_same_polygons() {
        let polygon = format!(r#"{{"type":"Polygon","coordinates":{SQUARE}}}"#);
        let same = Polygons::from_geojson(&polygon).unwrap();
        for text in [
            format!("\u{feff}{polygon}\n"),
            format!(r#"{{"type":"MultiPolygon","coordinates":[{SQUARE}, []]}}"#),
            format!(r#"{{"coordinates":{SQUARE},"type":"Polygon","bbox":[1,2,3,4],"foreign":{{"a":[1,{{}}]}}}}"#),
            format!(r#"{{"type":"Feature","geometry":{polygon},"properties":{{"type":"Point"}},"id":7}}"#),
            format!(r#"{{"type":"GeometryCollection","geometries":[{polygon}]}}"#),
            format!(
                r#"{{"type":"FeatureCollection","crs":{{"type":"name","properties":{{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}}}},
                "features":[{{"type":"Feature","geometry":null}},{{"type":"Feature","geometry":
                {{"type":"GeometryCollection","geometries":[{{"type":"GeometryCollection","geometries":[{polygon}]}}]}}}}]}}"#
            ),
            polygon.replace("]]]", ",7.5]]]").replace("[3,4]", "[3.0,4e0,-2,5]"),
            polygon.replacen("{", r#"{"crs":null,"#, 1),
        ] {
            assert_eq!(Polygons::from_geojson(&text).unwrap(), same, "{text}");
        }
        // Closed or not, it surrounds the same.
        let open = Polygons::from_geojson(r#"{"type":"Polygon","coordinates":[[[1,2],[3,2],[3,4],[1,4]]]}"#).unwrap();
        assert!(open.contains(2.0, 3.0) && !open.contains(2.0, 4.5) && open.extents() == same.extents());
    }

    #[test]
    fn what_is_no_polygon_is_refused_with_its_reason() {
        let crs = |name: &str| {
            format!(
                r#"{{"type":"Polygon","coordinates":{SQUARE},"crs":{{"type":"name","properties":{{"name":"{name}"}}}}}}"#
            )
        };
        let deep = |n: usize| {
            let (open, close) = (r#"{"type":"GeometryCollection","geometries":["#.repeat(n), "]}".repeat(n));
            format!("{open}{close}")
        };
        for (text, words) in [
            ("{".to_owned(), "is not valid JSON"),
            (String::new(), "is not valid JSON"),
            ("[1]".to_owned(), "is no GeoJSON"),
            ("{}".to_owned(), "an object without a type"),
            (r#"{"features":[]}"#.to_owned(), "an object without a type"),
            (r#"{"type": "Point", "coordinates": [1, 2]}"#.to_owned(), "holds a Point, expected polygons"),
            (r#"{"type": "FeatureCollection", "features": []}"#.to_owned(), "holds no polygon"),
            (r#"{"type": "FeatureCollection"}"#.to_owned(), "without \"features\""),
            (r#"{"type": "Feature", "properties": {}}"#.to_owned(), "without \"geometry\""),
            (r#"{"type": "Polygon"}"#.to_owned(), "without \"coordinates\""),
            (r#"{"type": "Polygon", "coordinates": []}"#.to_owned(), "holds no polygon"),
            (r#"{"type": "Polygon", "coordinates": [[0, 0], [1, 1], [0, 9]]}"#.to_owned(), "no list of lists"),
            (r#"{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}"#.to_owned(), "a ring of 3 positions"),
            (r#"{"type": "Polygon", "coordinates": [[[1,2],[3,4]]]}"#.to_owned(), "a ring of 2 positions"),
            (r#"{"type": "Polygon", "coordinates": [[[0, 0], [500, 1], [0, 9], [0, 0]]]}"#.to_owned(), "[500,1]"),
            (r#"{"type": "Polygon", "coordinates": [[[0, 0], ["a", 1], [0, 9], [0, 0]]]}"#.to_owned(), "is no GeoJSON"),
            (
                r#"{"type": "Polygon", "coordinates": [[[0, 0], [null, 1], [0, 9], [0, 0]]]}"#.to_owned(),
                "expected longitude",
            ),
            (r#"{"type": "Polygon", "coordinates": [[[0, 0], [1], [0, 9], [0, 0]]]}"#.to_owned(), "expected longitude"),
            (r#"{"type": "Polygon", "coordinates": 3}"#.to_owned(), "no list of lists"),
            (crs("urn:ogc:def:crs:EPSG::3857"), "in the coordinate system urn:ogc:def:crs:EPSG::3857; reproject"),
            (crs("EPSG:25832"), "EPSG:25832"),
            (format!("{0}\n{0}\n", crs("EPSG:4326")), "several JSON documents (line 2)"),
            ("SQLite format 3\0..".to_owned(), "is an SQLite database (a GeoPackage?); give GeoJSON"),
            ("<?xml".to_owned(), "is XML"),
            (deep(40), "holds no polygon"),
            (deep(10_000), "nested too deeply"),
            (format!(r#"{{"type":"Polygon","coordinates":{}"#, "[".repeat(1_000_000)), "nested too deeply"),
        ] {
            let error = Polygons::from_geojson(&text).unwrap_err().to_string();
            assert!(error.contains(words) && error.len() < 400, "{words}: {error}");
        }
        assert!(Polygons::from_geojson(crs("urn:ogc:def:crs:EPSG::6668")).is_ok());
        assert!(Polygons::from_geojson(b"\x00\x00\x27\x0a").unwrap_err().to_string().contains("Shapefile"));
    }

    #[test]
    #[cfg(feature = "engine")]
    fn altered_outlines_are_refused_or_are_polygons() {
        let text = format!(
            "{{\"type\":\"FeatureCollection\",\"features\":[{{\"type\":\"Feature\",\"properties\":{{\"n\":1}},\"geometry\":\
             {{\"type\":\"Polygon\",\"coordinates\":{SQUARE}}}}}]}}"
        );
        let (mut taken, mut refused) = (0, 0);
        for seed in 0..20_000 {
            match Polygons::from_geojson(crate::altered::altered(text.as_bytes(), seed)) {
                Ok(polygons) => {
                    taken += 1;
                    assert!(polygons.polygons().iter().flatten().flatten().flatten().all(|c| c.is_finite()), "{seed}");
                }
                Err(error) => {
                    refused += 1;
                    crate::altered::check_message(&error, "GeoJSON");
                }
            }
        }
        assert!(taken > 500 && refused > 5000, "{taken} {refused}");
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"type\":\"GeometryCollection\",\"geometries\":[", "]}")]
        {
            for start in ["", "{\"type\":\"Polygon\",\"coordinates\":"] {
                let text = format!("{start}{}{}", open.repeat(10_000), close.repeat(10_000));
                let error = Polygons::from_geojson(&text).unwrap_err().to_string();
                assert!(error.contains("GeoJSON") && error.len() < 300, "{error}");
            }
        }
    }
}
