//! Tables of footprints: vector files whose features name rasters, such as GeoPackage, FlatGeobuf and Shapefile.

use std::borrow::Cow;
use std::path::Path;

use crate::error::Result;
use crate::progress::Progress;
use crate::tile::Bounds;

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// UTF-8.
    Text,
    /// A signed integer of 64 bits.
    Integer,
    /// A float of 64 bits.
    Real,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue<'a> {
    /// Nothing.
    Missing,
    /// A text.
    Text(Cow<'a, str>),
    /// A number without a fraction.
    Integer(i64),
    /// A number.
    Real(f64),
}

/// A feature of a table. Fields that are not there, and those without a value, are `None`.
pub trait Feature {
    /// Its number in the file.
    fn number(&self) -> u64;

    /// What the field for locations says; never empty.
    fn location(&self) -> Option<String>;

    /// True where the table has a field of this name.
    fn has(&self, field: &str) -> bool;

    /// A text that is not empty.
    fn text(&self, field: &str) -> Option<String>;

    /// A number without a fraction.
    fn integer(&self, field: &str) -> Option<i64>;

    /// A number.
    fn real(&self, field: &str) -> Option<f64>;

    /// The box around its shape, EPSG:3857 metres; `None` where the table is in other coordinates.
    fn bounds(&self) -> Option<Bounds>;
}

/// A table to write: polygons in EPSG:3857.
#[derive(Debug)]
pub struct TableForm<'a> {
    /// The name of the layer.
    pub layer: &'a str,
    /// Names and types of the fields.
    pub fields: &'a [(&'a str, FieldKind)],
    /// What the layer says about itself.
    pub items: &'a [(&'a str, String)],
}

/// Takes a row: its values in the order of the fields, and its footprint.
pub type PutRow<'a> = dyn FnMut(&[FieldValue<'_>], &Bounds) -> Result<()> + 'a;

/// Reads and writes tables of footprints.
pub trait FootprintTables {
    /// Reads all features of the layer that is an index: the one that the file's item `TILE_INDEX_LAYER` names, else the only
    /// one with a field for locations, which the layer's item `LOCATION_FIELD` names (else it is called `location`).
    ///
    /// # Errors
    /// Where the file can't be read or no such layer is there, and where `each` fails.
    fn read(
        &self,
        path: &Path,
        location: &str,
        progress: &dyn Progress,
        each: &mut dyn FnMut(&dyn Feature) -> Result<()>,
    ) -> Result<()>;

    /// Writes a GeoPackage with a spatial index to `path`, under which there must be no file yet; `target` is what messages
    /// name. `rows` is called once, and gives each row to what it is called with.
    ///
    /// # Errors
    /// Where the file can't be written, and where `rows` fails.
    fn write(
        &self,
        path: &Path,
        target: &Path,
        form: &TableForm<'_>,
        rows: &mut dyn FnMut(&mut PutRow<'_>) -> Result<()>,
    ) -> Result<()>;
}
