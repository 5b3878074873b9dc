//! GeoJSON (RFC 7946) with a height added to every position, in one pass.

use std::io::{Read, Write};

use json_event_parser::{JsonEvent, JsonParseError, ReaderJsonParser, WriterJsonSerializer};

use super::begin;
use super::layout::problem;
use crate::error::{Error, Result};
use crate::tile::LonLat;

/// Positions that are looked up together.
const BATCH: usize = 8192;
/// Events that are held at most.
const HELD: usize = 16 * BATCH;
/// A longer text or number is refused, bytes.
const LONGEST: usize = 64 << 20;

/// Copies a document and writes the height, rounded to `digits`, behind the longitude and the latitude of each position; what
/// stands there is replaced, and left out where there is no height. Members of other kinds pass unchanged, `properties`
/// included. Some thousand positions are held at a time. `look_up` is given these and fills in their heights, metres. Returns how
/// many positions there were, and how many have a height.
///
/// # Errors
/// Where the input is no JSON (with line and column), a position is none, coordinates are said to be of another CRS; those of
/// reading, of writing and of `look_up`.
pub fn add_heights(
    input: impl Read,
    out: impl Write,
    digits: usize,
    look_up: impl FnMut(&[LonLat], &mut Vec<Option<f64>>) -> Result<()>,
) -> Result<(u64, u64)> {
    let (_, input) = begin(input)?;
    let mut parser = ReaderJsonParser::new(input).with_max_buffer_size(LONGEST);
    let mut copy = Copy {
        writer: WriterJsonSerializer::new(out),
        held: Vec::new(),
        points: Vec::new(),
        heights: Vec::new(),
        digits,
        look_up,
        counts: (0, 0),
    };
    let mut state = State::default();
    loop {
        let event = parser.parse_next().map_err(unreadable)?;
        if event == JsonEvent::Eof {
            break;
        }
        state.take(event, &mut copy)?;
        if copy.points.len() >= BATCH || copy.held.len() >= HELD {
            copy.flush()?;
        }
    }
    copy.flush()?;
    let mut out = copy.writer.finish().map_err(Error::io("write", "the output"))?;
    out.write_all(b"\n").and_then(|()| out.flush()).map_err(Error::io("write", "the output"))?;
    Ok(copy.counts)
}

/// What waits for being written.
enum Held {
    Event(JsonEvent<'static>),
    /// The height of the next point.
    Height,
}

struct Copy<W: Write, L> {
    writer: WriterJsonSerializer<W>,
    held: Vec<Held>,
    points: Vec<LonLat>,
    heights: Vec<Option<f64>>,
    digits: usize,
    look_up: L,
    counts: (u64, u64),
}

impl<W: Write, L: FnMut(&[LonLat], &mut Vec<Option<f64>>) -> Result<()>> Copy<W, L> {
    fn flush(&mut self) -> Result<()> {
        self.heights.clear();
        (self.look_up)(&self.points, &mut self.heights)?;
        let mut heights = self.heights.iter();
        self.counts.0 += self.points.len() as u64;
        for held in self.held.drain(..) {
            let event = match held {
                Held::Event(event) => event,
                Held::Height => match heights.next().copied().flatten() {
                    Some(height) => {
                        self.counts.1 += 1;
                        JsonEvent::Number(format!("{height:.*}", self.digits).into())
                    }
                    None => continue,
                },
            };
            self.writer.serialize_event(event).map_err(Error::io("write", "the output"))?;
        }
        self.points.clear();
        Ok(())
    }
}

/// Where the reading stands.
#[derive(Default)]
struct State {
    /// The arrays and objects around.
    around: Vec<Around>,
    /// The numbers of the position that is being read.
    position: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Around {
    /// An object, and what the member that is read means.
    Object(Member),
    /// An array of coordinates.
    Coordinates,
    /// Another array, of objects that may have coordinates.
    Array,
    /// What is copied as it is.
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Member {
    Coordinates,
    Crs,
    Foreign,
    Other,
}

impl State {
    fn take<W: Write, L>(&mut self, event: JsonEvent<'_>, copy: &mut Copy<W, L>) -> Result<()> {
        if let Some(position) = &mut self.position {
            match event {
                JsonEvent::Number(text) => position.push(text.into_owned()),
                JsonEvent::EndArray => return self.end_position(copy),
                other => return Err(bad(format!("a position holds {}", name(&other)))),
            }
            return Ok(());
        }
        match &event {
            JsonEvent::StartArray => self.around.push(self.inside(false)),
            JsonEvent::StartObject => self.around.push(self.inside(true)),
            JsonEvent::EndArray | JsonEvent::EndObject => {
                self.around.pop();
            }
            JsonEvent::ObjectKey(key) => {
                if let Some(Around::Object(member)) = self.around.last_mut() {
                    *member = match key.as_ref() {
                        "coordinates" => Member::Coordinates,
                        "crs" => Member::Crs,
                        "properties" | "bbox" | "id" => Member::Foreign,
                        _ => Member::Other,
                    };
                }
            }
            JsonEvent::Number(text) if self.around.last() == Some(&Around::Coordinates) => {
                // The first number of an array of coordinates: the array is a position.
                self.position = Some(vec![text.to_string()]);
                return Ok(());
            }
            _ => {}
        }
        if let (JsonEvent::String(text), Some(Around::Object(Member::Crs))) = (&event, self.around.first())
            && (text.contains("EPSG") || text.contains("CRS"))
            && !["CRS84", "EPSG::4326", "EPSG:4326"].iter().any(|same| text.ends_with(same))
        {
            let remedy = "give longitude and latitude: ogr2ogr -t_srs EPSG:4326 -f GeoJSON out.geojson FILE";
            return Err(Error::invalid("GeoJSON", format!("its coordinates are {text}"), remedy));
        }
        copy.held.push(Held::Event(owned(event)));
        Ok(())
    }

    /// What an array or an object is that begins here.
    fn inside(&self, object: bool) -> Around {
        match self.around.last() {
            Some(Around::Foreign | Around::Object(Member::Foreign)) => Around::Foreign,
            Some(Around::Object(Member::Coordinates) | Around::Coordinates) if !object => Around::Coordinates,
            _ if object => Around::Object(Member::Other),
            _ => Around::Array,
        }
    }

    fn end_position<W: Write, L>(&mut self, copy: &mut Copy<W, L>) -> Result<()> {
        let position = self.position.take().unwrap_or_default();
        let [lon, lat, ..] = position.as_slice() else {
            return Err(bad(format!("the position [{}] has no latitude", position.join(", "))));
        };
        let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
        let (x, y) = (number(lon), number(lat));
        let point = LonLat::new(x, y).map_err(|e| bad(format!("the position [{lon}, {lat}]: {}", problem(e, x, y))))?;
        copy.points.push(point);
        self.around.pop();
        let numbers = position.into_iter().take(2).map(|text| Held::Event(JsonEvent::Number(text.into())));
        copy.held.extend(numbers);
        copy.held.extend([Held::Height, Held::Event(JsonEvent::EndArray)]);
        Ok(())
    }
}

fn owned(event: JsonEvent<'_>) -> JsonEvent<'static> {
    match event {
        JsonEvent::String(text) => JsonEvent::String(text.into_owned().into()),
        JsonEvent::Number(text) => JsonEvent::Number(text.into_owned().into()),
        JsonEvent::ObjectKey(text) => JsonEvent::ObjectKey(text.into_owned().into()),
        JsonEvent::Boolean(value) => JsonEvent::Boolean(value),
        JsonEvent::Null => JsonEvent::Null,
        JsonEvent::StartArray => JsonEvent::StartArray,
        JsonEvent::EndArray => JsonEvent::EndArray,
        JsonEvent::StartObject => JsonEvent::StartObject,
        JsonEvent::EndObject => JsonEvent::EndObject,
        JsonEvent::Eof => JsonEvent::Eof,
    }
}

fn name(event: &JsonEvent<'_>) -> &'static str {
    match event {
        JsonEvent::String(_) => "a text",
        JsonEvent::Boolean(_) => "true or false",
        JsonEvent::Null => "null",
        JsonEvent::StartArray => "an array beside numbers",
        JsonEvent::StartObject => "an object",
        _ => "what is no number",
    }
}

fn bad(problem: String) -> Error {
    Error::invalid("GeoJSON", problem, "give GeoJSON with longitude and latitude (RFC 7946)")
}

fn unreadable(error: JsonParseError) -> Error {
    match error {
        JsonParseError::Io(error) => Error::io("read", "the input")(error),
        JsonParseError::Syntax(error) => bad(format!("is no JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(text: &str) -> Result<(String, (u64, u64))> {
        let mut out = Vec::new();
        // The height is the sum of both; in the west there is none.
        let look_up = |points: &[LonLat], heights: &mut Vec<Option<f64>>| {
            heights.extend(points.iter().map(|p| (p.lon() >= 0.0).then(|| p.lon() + p.lat())));
            Ok(())
        };
        let counts = add_heights(text.as_bytes(), &mut out, 1, look_up)?;
        Ok((String::from_utf8(out).unwrap().trim_end().to_owned(), counts))
    }

    #[test]
    fn every_position_gets_a_height_and_nothing_else_changes() {
        for (given, want, counts) in [
            (r#"{"type":"Point","coordinates":[1,2]}"#, r#"{"type":"Point","coordinates":[1,2,3.0]}"#, (1, 1)),
            (
                r#"{"coordinates": [1.50,2,77,5], "type": "Point"}"#,
                r#"{"coordinates":[1.50,2,3.5],"type":"Point"}"#,
                (1, 1),
            ),
            (r#"{"type":"Point","coordinates":[-1,2,9]}"#, r#"{"type":"Point","coordinates":[-1,2]}"#, (1, 0)),
            (r#"{"type":"Point","coordinates":[]}"#, r#"{"type":"Point","coordinates":[]}"#, (0, 0)),
            (
                r#"{"type":"MultiPolygon","coordinates":[[[[1,2],[3,4]]],[]]}"#,
                r#"{"type":"MultiPolygon","coordinates":[[[[1,2,3.0],[3,4,7.0]]],[]]}"#,
                (2, 2),
            ),
            (
                "\u{feff}{\"bbox\":[1,2,3,4],\"features\":[{\"properties\":{\"coordinates\":[1,2],\"a\":[{\"coordinates\":[5,6]}]},\"geometry\":{\"geometries\":[{\"coordinates\":[1,1]}]}},{\"geometry\":null}]}",
                r#"{"bbox":[1,2,3,4],"features":[{"properties":{"coordinates":[1,2],"a":[{"coordinates":[5,6]}]},"geometry":{"geometries":[{"coordinates":[1,1,2.0]}]}},{"geometry":null}]}"#,
                (1, 1),
            ),
            (
                r#"{"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}},"features":[]}"#,
                r#"{"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}},"features":[]}"#,
                (0, 0),
            ),
        ] {
            assert_eq!(add(given).unwrap(), (want.to_owned(), counts), "{given}");
        }
    }

    #[test]
    fn long_documents_pass_in_pieces() {
        let count = 3 * BATCH + 17;
        let features: Vec<String> =
            (0..count).map(|n| format!(r#"{{"geometry":{{"coordinates":[{},1]}}}}"#, n % 90)).collect();
        let (text, counts) = add(&format!(r#"{{"features":[{}]}}"#, features.join(","))).unwrap();
        assert_eq!(counts, (count as u64, count as u64));
        assert_eq!(text.matches("[17,1,18.0]").count(), (0..count).filter(|n| n % 90 == 17).count());
    }

    #[test]
    fn what_is_no_geojson_says_what_it_is() {
        for (text, words) in [
            ("", "is no JSON"),
            (r#"{"coordinates":[1,2]"#, "is no JSON"),
            (r#"{"coordinates":[1]}"#, "[1] has no latitude"),
            (r#"{"coordinates":[1,"a"]}"#, "holds a text"),
            (r#"{"coordinates":[1,[2]]}"#, "an array beside numbers"),
            (r#"{"coordinates":[35.3,138.7]}"#, "swapped"),
            (r#"{"coordinates":[1e400,0]}"#, "longitude inf"),
            (r#"{"crs":{"properties":{"name":"urn:ogc:def:crs:EPSG::6677"}},"coordinates":[1,2]}"#, "EPSG::6677"),
        ] {
            let error = add(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
