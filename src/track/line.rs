//! A line: places in their order, from whatever it was drawn with.

use std::io::Read;

use serde_json::Value;

use super::layout::problem;
use super::{Chunks, Layout, POINT, begin};
use crate::error::{Error, Result};
use crate::tile::LonLat;

/// A longer GPX or GeoJSON is refused, bytes.
const LONGEST: u64 = 256 << 20;

/// A line of two places or more.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    points: Vec<LonLat>,
}

impl Line {
    /// A line through these places.
    ///
    /// # Errors
    /// Where there are fewer than two.
    pub fn new(points: Vec<LonLat>) -> Result<Self> {
        if points.len() < 2 {
            let problem = format!("has {}; a line needs two places or more", count(points.len()));
            return Err(Error::argument("line", problem));
        }
        Ok(Self { points })
    }

    /// Its places.
    #[must_use]
    pub fn points(&self) -> &[LonLat] {
        &self.points
    }

    /// Reads a line out of GPX (the first track, else the first route), GeoJSON (the only line), or text and CSV with a place
    /// in each line; the first character tells which. 16 bytes of memory a place; GPX and GeoJSON are read whole, up to 256 MB.
    ///
    /// # Errors
    /// Where the input can't be read, holds no line or several, or a place is none.
    pub fn read(input: impl Read) -> Result<Self> {
        let (first, input) = begin(input)?;
        match first {
            Some(b'<') => Self::from_gpx(&whole(input)?),
            Some(b'{') => Self::from_geojson(&whole(input)?),
            _ => Self::from_text(input),
        }
    }

    /// A line of text: a place in each line, as [`Layout`] finds them.
    fn from_text(input: impl Read) -> Result<Self> {
        let (mut points, mut layout) = (Vec::new(), None);
        for chunk in Chunks::new(input) {
            let chunk = chunk?;
            let layout = match &mut layout {
                Some(layout) => layout,
                none => none.insert(Layout::find(&chunk, &POINT, None)?),
            };
            layout.each(&chunk, |_, [point]| {
                points.push(point);
                Ok(())
            })?;
        }
        Self::new(points)
    }

    /// The only LineString of a GeoJSON document. The parts of a MultiLineString are taken one after another.
    fn from_geojson(text: &str) -> Result<Self> {
        let document: Value = serde_json::from_str(text).map_err(|e| bad("GeoJSON", format!("is no JSON: {e}")))?;
        let mut lines = Vec::new();
        lines_of(&document, &mut lines)?;
        match lines.len() {
            1 => Self::new(lines.swap_remove(0)),
            0 => Err(bad("GeoJSON", "holds no LineString".into())),
            n => Err(bad("GeoJSON", format!("holds {n} lines; give one of them"))),
        }
    }

    /// The first track with all of its segments, else the first route, of a GPX file.
    fn from_gpx(text: &str) -> Result<Self> {
        let options = roxmltree::ParsingOptions { allow_dtd: false, nodes_limit: 50_000_000, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(text, options)
            .map_err(|e| bad("GPX", format!("is no XML: {e}")))?;
        let root = document.root_element();
        let first = |name: &str| root.children().find(|node| node.tag_name().name() == name);
        let Some(line) = first("trk").or_else(|| first("rte")) else {
            return Err(bad("GPX", format!("holds no track and no route, but <{}>", root.tag_name().name())));
        };
        let points = line.descendants().filter(|node| matches!(node.tag_name().name(), "trkpt" | "rtept"));
        let place = |node: roxmltree::Node<'_, '_>| {
            let number =
                |name| node.attribute(name).and_then(|text| text.trim().parse::<f64>().ok()).unwrap_or(f64::NAN);
            let (lon, lat) = (number("lon"), number("lat"));
            LonLat::new(lon, lat).map_err(|e| {
                bad("GPX", format!("line {}: {}", document.text_pos_at(node.range().start).row, problem(e, lon, lat)))
            })
        };
        Self::new(points.map(place).collect::<Result<_>>()?)
    }

    /// An encoded polyline (Google), with its number of decimals: 5, or 6 as OSRM and Valhalla write it.
    ///
    /// # Errors
    /// Where the text is none, or a place lies outside of the world: with 5 decimals for 6, places are ten times too large.
    pub fn from_polyline(text: &str, decimals: u32) -> Result<Self> {
        Self::new(decode_polyline(text, decimals)?)
    }
}

/// The places of an encoded polyline; see [`Line::from_polyline`]. One place is enough.
///
/// # Errors
/// Where the text is none, or a place lies outside of the world.
pub fn decode_polyline(text: &str, decimals: u32) -> Result<Vec<LonLat>> {
    let bad = |problem: String| Error::argument("polyline", format!("{problem}; with {decimals} decimals"));
    if decimals > 6 {
        return Err(bad("at most 6 are possible".into()));
    }
    let line = polyline::decode_polyline(text.trim(), decimals).map_err(|e| bad(e.to_string()))?;
    line.0.iter().map(|c| LonLat::new(c.x, c.y).map_err(|e| bad(problem(e, c.x, c.y)))).collect()
}

/// Places as an encoded polyline with a number of decimals.
///
/// # Errors
/// Where there are more than 6 decimals.
pub fn encode_polyline(points: &[LonLat], decimals: u32) -> Result<String> {
    if decimals > 6 {
        return Err(Error::argument("polyline", format!("has {decimals} decimals; at most 6 are possible")));
    }
    let coordinates = points.iter().map(|p| (p.lon(), p.lat()).into());
    polyline::encode_coordinates(coordinates, decimals).map_err(|e| Error::argument("polyline", e.to_string()))
}

fn count(points: usize) -> String {
    format!("{points} place{}", if points == 1 { "" } else { "s" })
}

fn bad(part: &str, problem: String) -> Error {
    Error::invalid(part, problem, "give a line as GPX, GeoJSON, or text with LON,LAT in each line")
}

fn whole(input: impl Read) -> Result<String> {
    let mut text = String::new();
    input.take(LONGEST + 1).read_to_string(&mut text).map_err(Error::io("read", "the input"))?;
    if text.len() as u64 > LONGEST {
        return Err(Error::limit(format!("the input has more than {} MB; give the line as CSV", LONGEST >> 20)));
    }
    Ok(text)
}

fn lines_of(value: &Value, lines: &mut Vec<Vec<LonLat>>) -> Result<()> {
    for list in ["features", "geometries"] {
        value[list].as_array().into_iter().flatten().try_for_each(|part| lines_of(part, lines))?;
    }
    if value["geometry"].is_object() {
        lines_of(&value["geometry"], lines)?;
    }
    let positions = |list: &Value| -> Result<Vec<LonLat>> {
        let list = list.as_array().ok_or_else(|| bad("GeoJSON", "has a line without coordinates".into()))?;
        let place = |position: &Value| {
            let number = |n: usize| position[n].as_f64().unwrap_or(f64::NAN);
            let (lon, lat) = (number(0), number(1));
            LonLat::new(lon, lat)
                .map_err(|e| bad("GeoJSON", format!("the position {position}: {}", problem(e, lon, lat))))
        };
        list.iter().map(place).collect()
    };
    match value["type"].as_str() {
        Some("LineString") => lines.push(positions(&value["coordinates"])?),
        Some("MultiLineString") => {
            let parts = value["coordinates"].as_array().into_iter().flatten().map(positions);
            lines.push(parts.collect::<Result<Vec<_>>>()?.concat());
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(line: Line) -> Vec<(f64, f64)> {
        line.points().iter().map(|p| (p.lon(), p.lat())).collect()
    }

    #[test]
    fn a_line_is_the_same_however_it_is_written() {
        for text in [
            "138.5,35.25\n-120.95,40.7\n",
            "\n\n lon lat\n138.5 35.25\n-120.95 40.7",
            "\u{feff}lat;lon\n35.25;138.5\n40.7;-120.95",
            r#"{"type":"LineString","coordinates":[[138.5,35.25,7],[-120.95,40.7]]}"#,
            "\u{feff}\n {\"type\":\"Feature\",\"geometry\":{\"type\":\"MultiLineString\",\"coordinates\":[[[138.5,35.25]],[[-120.95,40.7]]]}}",
            r#"{"features":[{"geometry":null},{"geometry":{"type":"Point","coordinates":[0,0]}},{"geometry":{"type":"LineString","coordinates":[[138.5,35.25],[-120.95,40.7]]}}]}"#,
            "<?xml version=\"1.0\"?>\n<gpx xmlns=\"http://www.topografix.com/GPX/1/1\"><wpt lon=\"0\" lat=\"0\"/><trk><trkseg><trkpt lat=\"35.25\" lon=\"138.5\"><ele>3</ele></trkpt></trkseg><trkseg><trkpt lat=\"40.7\" lon=\"-120.95\"/></trkseg></trk><trk/></gpx>",
            "<gpx><rte><rtept lat=\"35.25\" lon=\"138.5\"/><rtept lat=\"40.7\" lon=\"-120.95\"/></rte></gpx>",
        ] {
            let found = Line::read(text.as_bytes()).map(places);
            assert_eq!(found.unwrap(), [(138.5, 35.25), (-120.95, 40.7)], "{text}");
        }
        // The example of the encoding's description.
        let found = places(Line::from_polyline("_p~iF~ps|U_ulLnnqC_mqNvxq`@", 5).unwrap());
        assert_eq!(found, [(-120.2, 38.5), (-120.95, 40.7), (-126.453, 43.252)]);
        assert_eq!(places(Line::from_polyline("_izlhA~rlgdF_{geC~ywl@", 6).unwrap())[0], (-120.2, 38.5));
        for (text, decimals) in [("_p~iF~ps|U_ulLnnqC_mqNvxq`@", 5), ("_izlhA~rlgdF_{geC~ywl@", 6), ("gfo}EtohhU", 5)] {
            let points = decode_polyline(text, decimals).unwrap();
            assert_eq!(encode_polyline(&points, decimals).unwrap(), text);
            assert!(encode_polyline(&points, 7).is_err() && decode_polyline(text, 7).is_err());
        }
    }

    #[test]
    fn what_is_no_line_says_why() {
        for (text, words) in [
            ("", "0 places"),
            ("1,2\n", "has 1 place;"),
            ("1,2\n3,x\n", "line 2"),
            ("{\"type\":\"LineString\",\"coordinates\":[[1,2]]}", "has 1 place;"),
            ("{\"type\":\"Point\",\"coordinates\":[1,2]}", "no LineString"),
            ("{\"type\":\"LineString\",\"coordinates\":[[1,2],[35,138]]}", "swapped"),
            ("{\"type\":\"LineString\",\"coordinates\":[[1,2],[\"a\",null]]}", "longitude NaN"),
            ("{\"type\":\"LineString\"}", "without coordinates"),
            ("{", "is no JSON"),
            ("<gpx><wpt/></gpx>", "no track and no route"),
            ("<kml/>", "<kml>"),
            ("<gpx><rte><rtept lat=\"x\" lon=\"1\"/></rte></gpx>", "line 1: latitude NaN"),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><gpx/>", "is no XML"),
            ("<gpx", "is no XML"),
        ] {
            let error = Line::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        for (text, decimals) in [("_p~iF~ps|U_ulLnnqC_mqNvxq`@", 4), ("\u{7f}\u{1}", 5), ("_p~iF~ps|", 5), ("", 5)] {
            assert!(Line::from_polyline(text, decimals).is_err(), "{text:?}");
        }
    }
}
