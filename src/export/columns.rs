//! The attributes of a record as an index carries them: one list for all formats, and for reading them back.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::raster::{Adjustment, FieldKind, FieldValue};
use crate::store::{RecordRef, SourceRef};

/// The column that names the raster: an absolute path, or one relative to the folder of the index.
pub const LOCATION: &str = "location";
/// The column of ranks: 0 wins. GDAL draws in descending order.
pub const RANK: &str = "rank";

/// The column of what must be added to every height of the raster, metres: the source's `offset`. GDAL's mosaics leave it out.
pub const OFFSET: &str = "offset";
/// The column of cell values that mean no value besides the declared one: the source's `nodata`, with spaces between.
pub const MORE_NODATA: &str = "more_nodata";

/// The column of the band that holds the heights, from 1 on; nothing for the only one.
pub const BAND: &str = "band";
/// The column of what one unit of the heights is, metres; nothing where the file says.
pub const UNIT: &str = "unit";
/// The column of what cells are multiplied by; nothing where the file says.
pub const SCALE: &str = "scale";
/// The column of the digest of the raster's further files, 16 hexadecimal digits; nothing where it has none.
pub const PARTS: &str = "parts";
/// The columns of the blocks that the raster is stored in: columns and rows, and the bytes of a cell where these are not its type's. Nothing
/// where they are not known.
pub const BLOCK: [&str; 3] = ["block_width", "block_height", "block_cell"];

/// What the columns are called in formats that have names of their own for other things: after this, but `id` and [`LOCATION`].
pub const PREFIX: &str = "hypso:";
/// The column of the footprint in EPSG:3857 metres, in formats whose shapes are in degrees: least x, least y, greatest x, greatest y.
pub const BOUNDS: &str = "bounds";

/// What a column holds for one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Missing,
    /// A text, never empty.
    Text(Cow<'a, str>),
    /// A number without a fraction.
    Integer(i64),
    /// A finite number.
    Real(f64),
    /// A nodata value, which may be NaN or infinite.
    Nodata(f64),
}

impl<'a> Value<'a> {
    /// The value in a table; nodata is a text there, since GeoPackages know no NaN.
    #[must_use]
    pub fn field(self) -> FieldValue<'a> {
        match self {
            Self::Missing => FieldValue::Missing,
            Self::Text(text) => FieldValue::Text(text),
            Self::Integer(number) => FieldValue::Integer(number),
            Self::Real(number) => FieldValue::Real(number),
            Self::Nodata(value) => FieldValue::Text(Cow::Owned(nodata_text(value))),
        }
    }

    /// The text of a column of texts; `None` for numbers and for nothing.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Nodata(value) => Some(Cow::Owned(nodata_text(*value))),
            _ => None,
        }
    }

    /// The value in JSON; nodata that JSON has no number for is the text `nan`, `inf` or `-inf`.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Missing => serde_json::Value::Null,
            Self::Text(text) => text.as_ref().into(),
            Self::Integer(number) => (*number).into(),
            Self::Real(number) => (*number).into(),
            Self::Nodata(number) if number.is_finite() => (*number).into(),
            Self::Nodata(number) => nodata_text(*number).into(),
        }
    }
}

/// A nodata value as text that parses back to the same value.
fn nodata_text(value: f64) -> String {
    if value.is_finite() && value.abs() >= 1e16 { format!("{value:e}") } else { value.to_string().to_lowercase() }
}

/// What is the same for all records of a source.
#[derive(Debug, Clone, Default)]
pub struct SourceTexts {
    /// Its name.
    pub name: String,
    /// The folder that the paths of its records are relative to.
    pub root: String,
    /// Who must be named; may be empty.
    pub attribution: String,
    /// The licence; may be empty.
    pub licence: String,
    /// The vertical datum; may be empty.
    pub vertical_datum: String,
    /// What is done to its values.
    pub adjustment: Adjustment,
}

impl SourceTexts {
    /// The texts of a source.
    ///
    /// # Errors
    /// Where a section is damaged.
    pub fn of(source: &SourceRef) -> Result<Self> {
        Ok(Self {
            name: source.name()?.into_owned(),
            root: source.root()?.into_owned(),
            attribution: source.attribution()?.into_owned(),
            licence: source.licence()?.into_owned(),
            vertical_datum: source.vertical_datum()?.into_owned(),
            adjustment: adjustment(source)?,
        })
    }
}

/// What the store's metadata say is done to the values of a source.
fn adjustment(source: &SourceRef) -> Result<Adjustment> {
    let metadata = source.store().notes()?;
    let name = source.name()?;
    let Some(found) = metadata.get("adjust").and_then(|all| all.get(&*name)) else { return Ok(Adjustment::default()) };
    serde_json::from_value(found.clone()).map_err(|e| {
        let problem = format!("says for source {name:?} what this version does not know: {e}");
        let error = Error::invalid("store metadata", problem, "build the store again with this version");
        source.store().container().named(error)
    })
}

/// Cell values as one text, and back.
fn values_text(values: &[f64]) -> String {
    values.iter().map(|&v| nodata_text(v)).collect::<Vec<_>>().join(" ")
}

/// The cell values of a text in the column [`MORE_NODATA`]; `None` where one is no number.
#[must_use]
pub fn values_of(text: &str) -> Option<Vec<f64>> {
    text.split_whitespace().map(|v| v.parse().ok()).collect()
}

/// One record and the texts that the store keeps apart from it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The record.
    pub record: RecordRef<'a>,
    /// Its source.
    pub source: &'a SourceTexts,
    /// Its path below the source's root.
    pub path: &'a str,
    /// Its CRS; empty where it is not known.
    pub crs: &'a str,
    /// What the index names the raster by.
    pub location: &'a str,
}

/// Makes of one list the names and types of the columns, and what each holds for a record.
macro_rules! columns {
    (|$row:ident, $record:ident| $($name:expr, $kind:ident: $value:expr;)*) => {
        /// Names and types of the columns, in the order of [`values`].
        ///
        /// `nodata` is text in tables, since GeoPackages know no NaN; sizes are bytes, times nanoseconds since 1970 (UTC), and
        /// `pixel_size` is in EPSG:3857 metres.
        pub const COLUMNS: [(&str, FieldKind); [$($name),*].len()] = [$(($name, FieldKind::$kind)),*];

        /// The values of a record, one for each of [`COLUMNS`].
        #[must_use]
        pub fn values<'a>($row: &Row<'a>) -> [Value<'a>; COLUMNS.len()] {
            let $record = $row.record;
            [$($value),*]
        }
    };
}

columns! { |row, r|
    "id", Text: hexadecimal(r.id());
    LOCATION, Text: text(row.location);
    "source", Text: text(&row.source.name);
    "path", Text: text(row.path);
    "priority", Integer: Value::Integer(i64::from(r.priority()));
    RANK, Integer: Value::Integer(i64::from(r.rank()));
    "native_zoom", Integer: Value::Integer(i64::from(r.native_zoom()));
    "pixel_size", Real: Value::Real(r.pixel_size());
    "width", Integer: Value::Integer(i64::from(r.width()));
    "height", Integer: Value::Integer(i64::from(r.height()));
    "crs", Text: text(row.crs);
    "nodata", Text: r.nodata().map_or(Value::Missing, Value::Nodata);
    "data_type", Text: Value::Text(Cow::Borrowed(r.data_type().name()));
    "file_size", Integer: Value::Integer(i64::try_from(r.file_size()).unwrap_or(i64::MAX));
    "modified_ns", Integer: Value::Integer(r.modified_ns());
    "attribution", Text: text(&row.source.attribution);
    "licence", Text: text(&row.source.licence);
    "vertical_datum", Text: text(&row.source.vertical_datum);
    OFFSET, Real: real(row.source.adjustment.offset);
    MORE_NODATA, Text: owned(values_text(&row.source.adjustment.nodata));
    BAND, Integer: number(r.band());
    UNIT, Real: real(r.unit());
    SCALE, Real: real(r.scale());
    PARTS, Text: if r.parts() == 0 { Value::Missing } else { hexadecimal(r.parts()) };
    BLOCK[0], Integer: number(r.block_width());
    BLOCK[1], Integer: number(r.block_height());
    BLOCK[2], Integer: number(r.block_cell());
}

fn text(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Missing } else { Value::Text(Cow::Borrowed(text)) }
}

fn owned<'a>(text: String) -> Value<'a> {
    if text.is_empty() { Value::Missing } else { Value::Text(Cow::Owned(text)) }
}

fn hexadecimal<'a>(number: u64) -> Value<'a> {
    Value::Text(Cow::Owned(format!("{number:016x}")))
}

fn number<'a>(number: u32) -> Value<'a> {
    if number == 0 { Value::Missing } else { Value::Integer(i64::from(number)) }
}

fn real<'a>(number: f64) -> Value<'a> {
    if number == 0.0 { Value::Missing } else { Value::Real(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodata_survives_as_text_and_as_json() {
        for value in [-9999.0, 0.0, 1e300, f64::from(f32::MIN), 0.1, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let text = nodata_text(value);
            assert!(text.parse::<f64>().unwrap().to_bits() == value.to_bits(), "{text}");
            assert!(text.len() < 30, "{text}");
        }
        assert_eq!(values_of(&values_text(&[-9999.0, 0.0, 1e300])), Some(vec![-9999.0, 0.0, 1e300]));
        assert_eq!((values_of(""), values_of("1 none")), (Some(vec![]), None));
        assert_eq!(Value::Nodata(-9999.0).json(), serde_json::json!(-9999.0));
        assert_eq!(Value::Nodata(f64::NAN).json(), serde_json::json!("nan"));
        assert_eq!(Value::Nodata(f64::NAN).text().unwrap(), "nan");
    }
}
