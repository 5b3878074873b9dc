//! GeoJSON (RFC 7946): footprints in longitude and latitude, one feature a line.

use std::io::Write;
use std::path::Path;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::columns::{COLUMNS, Row, SourceTexts, values};
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::store::RecordRef;
use crate::tile::{Bounds, Degrees};

/// A feature: a footprint and its properties. `type` comes first, by which GDAL tells a sequence of features from one.
#[derive(Debug, Serialize)]
pub struct Feature<P> {
    #[serde(rename = "type")]
    kind: &'static str,
    geometry: Polygon,
    properties: P,
}

#[derive(Debug, Serialize)]
struct Polygon {
    #[serde(rename = "type")]
    kind: &'static str,
    coordinates: [[(f64, f64); 5]; 1],
}

impl<P> Feature<P> {
    /// The footprint (EPSG:3857 metres) by its corners in degrees, counterclockwise. Its sides are parallels and meridians,
    /// so nothing lies between the corners.
    pub fn new(bounds: &Bounds, properties: P) -> Self {
        let [west, south, east, north] = degrees(bounds);
        let corners = Bounds::new(west, south, east, north).corners();
        Self { kind: "Feature", geometry: Polygon { kind: "Polygon", coordinates: [corners] }, properties }
    }
}

/// A footprint as west, south, east and north.
pub(super) fn degrees(bounds: &Bounds) -> Degrees {
    let [west, south, east, north] = bounds.to_lon_lat();
    // The edges of the world, which rounding may have moved beyond what a longitude can be.
    [west.max(-180.0), south, east.min(180.0), north]
}

/// The attributes of a record, by the names of [`COLUMNS`] and in their order.
struct Properties<'a>(&'a Row<'a>);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(COLUMNS.iter().zip(values(self.0)).map(|((name, _), value)| (name, value.json())))
    }
}

/// The attributes of one record of a store, with the absolute path of its raster as `location`.
///
/// # Errors
/// Where a section of the store is damaged.
pub fn properties(record: &RecordRef) -> Result<Map<String, Value>> {
    let source = record.source().map_or(Ok(SourceTexts::default()), |s| SourceTexts::of(&s))?;
    let (path, crs, location) = (record.path()?, record.crs()?, record.full_path()?);
    let row = Row { record: *record, source: &source, path: &path, crs: &crs, location: &location.to_string_lossy() };
    Ok(COLUMNS.iter().zip(values(&row)).map(|((name, _), value)| ((*name).to_string(), value.json())).collect())
}

/// Writes features: as one collection, or (`sequence`) as a text sequence of one feature a line. Messages name `target`.
///
/// # Errors
/// Where the output can't be written or the store is damaged.
pub(super) fn write(rows: &Rows, mut out: impl Write, target: &Path, sequence: bool) -> Result<()> {
    let failed = |e: std::io::Error| Error::io("write", target)(e);
    let mut first = true;
    if !sequence {
        out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[\n").map_err(failed)?;
    }
    rows.for_each(|row| {
        let between: &[u8] = if sequence || first { b"" } else { b",\n" };
        first = false;
        out.write_all(between).map_err(failed)?;
        let feature = Feature::new(&row.record.bounds(), Properties(row));
        serde_json::to_writer(&mut out, &feature).map_err(|e| failed(e.into()))?;
        if sequence { out.write_all(b"\n").map_err(failed) } else { Ok(()) }
    })?;
    if !sequence {
        out.write_all(b"\n]}\n").map_err(failed)?;
    }
    out.flush().map_err(failed)
}
