//! STAC-GeoParquet: each record is an item of a SpatioTemporal Asset Catalog, and a row of a Parquet file.
//!
//! The specifications are those of STAC-GeoParquet 1.0 (<https://github.com/radiantearth/stac-geoparquet-spec>), GeoParquet 1.1 and STAC 1.1. An
//! item has one asset, `data`. What STAC has no field for stands in columns after [`PREFIX`], so that a store made from the file holds the
//! same records.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::columns::{BOUNDS, COLUMNS, LOCATION, PREFIX, Row, Value, values};
use super::geojson::degrees;
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::geoparquet::{Cell, Writer};
use crate::raster::FieldKind;
use crate::store::DataType;
use crate::tile::{Bounds, web_mercator};

/// What the fields of items are of, besides STAC itself: `proj:...` and `file:size`.
const EXTENSIONS: [&str; 2] = [
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
];

/// The columns before those of [`COLUMNS`], in the words of Parquet.
const SCHEMA: &str = "
    required binary type (STRING);
    required binary stac_version (STRING);
    required group stac_extensions (LIST) { repeated group list { required binary element (STRING); } }
    required binary id (STRING);
    required binary geometry;
    required group bbox { required double xmin; required double ymin; required double xmax; required double ymax; }
    required group links (LIST) {
        repeated group list { required group element { required binary href (STRING); required binary rel (STRING); } }
    }
    required group assets {
        required group data {
            required binary href (STRING);
            required binary type (STRING);
            required group roles (LIST) { repeated group list { required binary element (STRING); } }
            required binary data_type (STRING);
            NODATA
            required int64 file:size;
        }
    }
    required int64 datetime (TIMESTAMP(MICROS, true));
    required double gsd;
    optional binary proj:code (STRING);
    optional binary proj:wkt2 (STRING);
    required group proj:shape (LIST) { repeated group list { required int64 element; } }";

/// Writes the file; memory holds 32 768 rows. Messages name `target`.
///
/// # Errors
/// Where the output can't be written or the store is damaged.
pub(super) fn write(rows: &Rows, out: impl Write + Send, target: &Path) -> Result<()> {
    let failed = |error| Error::io("write Parquet", target)(std::io::Error::other(error));
    let extent = rows.records().map(|record| record.bounds()).reduce(|a, b| a.union(&b)).unwrap_or_default();
    // Readers make a null of what an asset lacks, and STAC allows none there. So it is left out where not all assets have it.
    let with_nodata = rows.records().all(|record| record.nodata().is_some_and(f64::is_finite));
    let mut file = Writer::new(out, &schema(with_nodata), about(&extent)).map_err(failed)?;
    rows.for_each(|row| file.put(cells(row, with_nodata)).map_err(failed))?;
    rows.finish("writing the footer", || file.finish()).map_err(failed)
}

/// The columns of an export that have no other place.
fn own() -> impl Iterator<Item = (usize, (&'static str, FieldKind))> {
    COLUMNS.into_iter().enumerate().filter(|(_, (name, _))| !matches!(*name, "id" | LOCATION))
}

/// The schema in the words of Parquet.
fn schema(with_nodata: bool) -> String {
    let own = own().map(|(_, (name, kind))| match kind {
        FieldKind::Text => format!("optional binary {PREFIX}{name} (STRING);"),
        FieldKind::Integer => format!("optional int64 {PREFIX}{name};"),
        FieldKind::Real => format!("optional double {PREFIX}{name};"),
    });
    let bounds =
        format!("required group {PREFIX}{BOUNDS} (LIST) {{ repeated group list {{ required double element; }} }}");
    let schema = SCHEMA.replace("NODATA", if with_nodata { "required double nodata;" } else { "" });
    format!("message items {{ {schema} {bounds} {} }}", own.collect::<String>())
}

/// What the file says about itself: where its shapes and their boxes stand, and what its rows are.
fn about(extent: &Bounds) -> Vec<(String, String)> {
    let side = |name: &str| (name.to_string(), json!(["bbox", name]));
    let covering: serde_json::Map<_, _> = ["xmin", "ymin", "xmax", "ymax"].map(side).into_iter().collect();
    let geometry = json!({
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        "orientation": "counterclockwise",
        "bbox": degrees(extent),
        "covering": {"bbox": covering},
    });
    let geo = json!({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geometry}});
    let items = json!({"version": "1.0.0"});
    vec![("geo".to_string(), geo.to_string()), ("stac-geoparquet".to_string(), items.to_string())]
}

/// The cells of a record, in the order of the schema.
fn cells<'a>(row: &'a Row<'a>, with_nodata: bool) -> impl Iterator<Item = Cell<'a>> {
    let record = row.record;
    let bounds = record.bounds();
    let sides = degrees(&bounds);
    let list = |texts: &[&'static str]| Cell::List(texts.iter().map(|&text| Cell::from(text)).collect());
    let text = |text: Option<&'a str>| text.map_or(Cell::Missing, Cell::from);
    let data_type = if record.data_type() == DataType::Unknown { "other" } else { record.data_type().name() };
    let nodata = record.nodata().filter(|_| with_nodata).map(Cell::Real);
    // The size of a pixel on the ground, where the scale of the map is the cosine of the latitude.
    let (_, latitude) = web_mercator::to_lon_lat(bounds.center().0, bounds.center().1);
    let gsd = record.pixel_size() * latitude.to_radians().cos();
    let (code, wkt) = if is_code(row.crs) { (row.crs, "") } else { ("", row.crs) };
    let given = |text: &'a str| (!text.is_empty()).then_some(text);
    let values = values(row);
    let item = [
        Cell::from("Feature"),
        Cell::from("1.1.0"),
        list(&EXTENSIONS),
        Cell::Text(Cow::Owned(format!("{:016x}", record.id()))),
        Cell::Bytes(polygon(sides)),
    ];
    let asset = [
        // Items have no links: neither of the two columns has an element.
        Cell::List(Vec::new()),
        Cell::List(Vec::new()),
        Cell::from(row.location),
        Cell::from(media_type(row.location)),
        list(&["data"]),
        Cell::from(data_type),
    ];
    let size = Cell::Integer(i64::try_from(record.file_size()).unwrap_or(i64::MAX));
    let properties = [
        Cell::Integer(record.modified_ns().div_euclid(1000)),
        Cell::Real(gsd),
        text(given(code)),
        text(given(wkt).filter(|wkt| wkt.contains('['))),
        Cell::List(vec![Cell::Integer(record.height().into()), Cell::Integer(record.width().into())]),
        Cell::List([bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y].map(Cell::Real).into()),
    ];
    let own = own().map(move |(at, _)| cell(values[at].clone()));
    let asset = asset.into_iter().chain(nodata).chain([size]);
    item.into_iter().chain(sides.map(Cell::Real)).chain(asset).chain(properties).chain(own)
}

fn cell(value: Value<'_>) -> Cell<'_> {
    match value {
        Value::Missing => Cell::Missing,
        Value::Text(text) => Cell::Text(text),
        Value::Integer(number) => Cell::Integer(number),
        Value::Real(number) => Cell::Real(number),
        Value::Nodata(_) => value.text().map_or(Cell::Missing, |text| Cell::Text(Cow::Owned(text.into_owned()))),
    }
}

/// True for the code of an authority: `EPSG:6668`.
fn is_code(crs: &str) -> bool {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    crs.split_once(':').is_some_and(|(authority, code)| plain(authority) && plain(code))
}

/// The media type of a raster, by its name.
fn media_type(location: &str) -> &'static str {
    let page = location.split(['?', '#']).next().unwrap_or(location);
    match page.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("tif" | "tiff" | "geotiff" | "gtiff") => "image/tiff; application=geotiff",
        Some("jp2") => "image/jp2",
        _ => "application/octet-stream",
    }
}

/// A box as a polygon in well-known binary, counterclockwise.
fn polygon([west, south, east, north]: [f64; 4]) -> Vec<u8> {
    let corners = Bounds::new(west, south, east, north).corners();
    let mut out = vec![1];
    // A polygon of one ring.
    for number in [3, 1, corners.len() as u32] {
        out.extend(number.to_le_bytes());
    }
    for (x, y) in corners {
        out.extend(x.to_le_bytes());
        out.extend(y.to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_from_other_names_of_coordinate_systems() {
        assert!(is_code("EPSG:6668") && is_code("IAU_2015:49900") && !is_code("") && !is_code("EPSG:"));
        assert!(!is_code("GEOGCRS[\"a:b\"]") && !is_code("+proj=utm +zone=54") && !is_code("urn:ogc:def"));
        assert_eq!(media_type("s3://b/a.TIF?x=1.png"), "image/tiff; application=geotiff");
        assert_eq!((media_type("a.jp2"), media_type("a")), ("image/jp2", "application/octet-stream"));
    }
}
