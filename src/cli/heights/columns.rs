//! Answers as columns behind what was given, as JSON, or as GeoJSON.

use serde_json::{Value, json};

use super::{decimal, source};
use crate::heights::{Height, Shape};
use crate::tile::LonLat;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table for people, of points that are given as arguments.
    Table,
    /// The lines as they were given, with columns added.
    Csv,
    /// A JSON array.
    Json,
    /// A GeoJSON feature collection of points with heights; of GeoJSON, the document with heights added.
    Geojson,
}

/// What is printed of a height.
pub struct Facts<'a> {
    pub digits: usize,
    pub details: bool,
    pub shape: Shape,
    pub sources: &'a [String],
}

/// Names of the columns.
pub const NAMES: [&str; 4] = ["height", "zoom", "pixel_size", "source"];

impl Facts<'_> {
    /// Names of the columns that are printed.
    pub fn names(&self) -> &'static [&'static str] {
        &NAMES[..if self.details { NAMES.len() } else { 1 }]
    }

    /// The columns of a height, empty in a void, each behind a separator.
    pub fn add(&self, out: &mut Vec<u8>, separator: u8, point: LonLat, height: Option<&Height>) {
        out.push(separator);
        if let Some(height) = height {
            decimal(out, height.metres, self.digits);
        }
        if self.details {
            out.push(separator);
            out.extend(height.map(|h| h.zoom.to_string()).unwrap_or_default().bytes());
            out.push(separator);
            if let Some(height) = height {
                decimal(out, self.pixel_size(point, height), 3);
            }
            out.push(separator);
            quoted(out, separator, source(self.sources, height.and_then(|h| h.source)));
        }
    }

    /// Metres of a pixel on the ground.
    fn pixel_size(&self, point: LonLat, height: &Height) -> f64 {
        self.shape.pixel_size(height.zoom, point.lat())
    }

    /// The height as a JSON number with this many decimals, null in a void.
    pub fn number(&self, height: Option<&Height>) -> Value {
        height.map_or(Value::Null, |h| rounded(h.metres, self.digits))
    }

    /// A point and its height as an object.
    pub fn object(&self, point: LonLat, height: Option<&Height>) -> Value {
        let mut object = json!({"lon": point.lon(), "lat": point.lat()});
        self.describe(&mut object, point, height);
        object
    }

    fn describe(&self, object: &mut Value, point: LonLat, height: Option<&Height>) {
        object["height"] = self.number(height);
        if self.details {
            object["zoom"] = height.map_or(Value::Null, |h| h.zoom.into());
            object["pixel_size"] = height.map_or(Value::Null, |h| rounded(self.pixel_size(point, h), 3));
            let name = source(self.sources, height.and_then(|h| h.source));
            object["source"] = if name.is_empty() { Value::Null } else { name.into() };
        }
    }

    /// A point and its height as a GeoJSON feature.
    pub fn feature(&self, point: LonLat, height: Option<&Height>) -> Value {
        let mut position = vec![json!(point.lon()), json!(point.lat())];
        position.extend(height.map(|h| rounded(h.metres, self.digits)));
        let mut properties = json!({});
        self.describe(&mut properties, point, height);
        json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": position}, "properties": properties})
    }
}

/// A number with this many decimals.
pub fn rounded(value: f64, digits: usize) -> Value {
    let mut text = Vec::new();
    decimal(&mut text, value, digits);
    let number = String::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    number.map_or(Value::Null, Value::from)
}

/// A field of CSV, in quotes where it needs them.
fn quoted(out: &mut Vec<u8>, separator: u8, text: &str) {
    let plain = !text.bytes().any(|b| b == separator || matches!(b, b'"' | b'\n' | b'\r'));
    if plain {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    out.extend(text.replace('"', "\"\"").bytes());
    out.push(b'"');
}
