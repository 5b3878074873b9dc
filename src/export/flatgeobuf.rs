//! FlatGeobuf with its spatial index, in EPSG:3857 so that footprints keep their last bit.
//!
//! The header carries what GDAL's GTI driver asks for, so a file named `*.gti.fgb` opens as a mosaic too.

use std::io::Write;
use std::path::Path;

use ::flatgeobuf::geozero::error::Result as GeoResult;
use ::flatgeobuf::geozero::{ColumnValue, GeomProcessor, GeozeroGeometry, PropertyProcessor};
use ::flatgeobuf::{ColumnType, FgbCrs, FgbWriter, FgbWriterOptions, GeometryType};

use super::LAYER;
use super::columns::{COLUMNS, Value, values};
use super::gti;
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::raster::FieldKind;
use crate::tile::Bounds;

/// Writes the file. Features are kept in an unnamed temporary file until all are known; memory holds some 60 bytes for
/// each. Messages name `target`.
///
/// # Errors
/// Where the output or the temporary file can't be written, or the store is damaged.
pub(super) fn write(rows: &Rows, out: impl Write, target: &Path) -> Result<()> {
    let items = gti::items(rows.records()).into_iter().map(|(name, value)| (name.to_string(), value.into()));
    let metadata = serde_json::Value::Object(items.collect()).to_string();
    let options = FgbWriterOptions {
        crs: FgbCrs { org: Some("EPSG"), code: 3857, ..FgbCrs::default() },
        metadata: Some(&metadata),
        promote_to_multi: false,
        ..FgbWriterOptions::default()
    };
    let mut file =
        FgbWriter::create_with_options(LAYER, GeometryType::Polygon, options).map_err(|e| failed(target, e))?;
    for (name, kind) in COLUMNS {
        let column = match kind {
            FieldKind::Text => ColumnType::String,
            FieldKind::Integer => ColumnType::Long,
            FieldKind::Real => ColumnType::Double,
        };
        file.add_column(name, column, |_, _| {});
    }
    rows.for_each(|row| {
        let mut outcome = Ok(());
        let added = file.add_feature_geom(Footprint(row.record.bounds()), |feature| {
            outcome = COLUMNS.iter().zip(values(row)).enumerate().try_for_each(|(i, ((name, _), value))| {
                let text = value.text();
                let value = match (&value, &text) {
                    (Value::Integer(number), _) => ColumnValue::Long(*number),
                    (Value::Real(number), _) => ColumnValue::Double(*number),
                    (_, Some(text)) => ColumnValue::String(text),
                    (_, None) => return Ok(()),
                };
                feature.property(i, name, &value).map(|_| ())
            });
        });
        added.and(outcome).map_err(|e| failed(target, e))
    })?;
    rows.finish("sorting and indexing", || file.write(out)).map_err(|e| failed(target, e))
}

fn failed(target: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::io("write FlatGeobuf", target)(std::io::Error::other(error))
}

/// A footprint as a polygon of its corners.
struct Footprint(Bounds);

impl GeozeroGeometry for Footprint {
    fn process_geom<P: GeomProcessor>(&self, to: &mut P) -> GeoResult<()> {
        let corners = self.0.corners();
        to.polygon_begin(true, 1, 0)?;
        to.linestring_begin(false, corners.len(), 0)?;
        for (i, (x, y)) in corners.into_iter().enumerate() {
            to.xy(x, y, i)?;
        }
        to.linestring_end(false, 0)?;
        to.polygon_end(true, 0)
    }
}
