//! What goes into a store: sources and records as plain values.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::tile::Bounds;

/// The type of a raster's cells. The numbers are those of `store-format.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
#[non_exhaustive]
pub enum DataType {
    /// Not known, as for a record that came from a `bounds.csv`.
    #[default]
    Unknown = 0,
    /// Unsigned 8-bit integer.
    U8 = 1,
    /// Signed 8-bit integer.
    I8 = 2,
    /// Unsigned 16-bit integer.
    U16 = 3,
    /// Signed 16-bit integer.
    I16 = 4,
    /// Unsigned 32-bit integer.
    U32 = 5,
    /// Signed 32-bit integer.
    I32 = 6,
    /// Unsigned 64-bit integer.
    U64 = 7,
    /// Signed 64-bit integer.
    I64 = 8,
    /// 32-bit float.
    F32 = 9,
    /// 64-bit float.
    F64 = 10,
}

impl DataType {
    /// All types in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Unknown,
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F32,
        Self::F64,
    ];

    /// The type with this number in the format; numbers of later versions are [`DataType::Unknown`].
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Unknown)
    }

    /// Bytes of one cell; 8 where the type is not known, so that what is reckoned with it is not too little.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::Unknown => 8,
        }
    }

    /// The name that people know: `int16`, `float32`.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["unknown", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
            [self as usize]
    }
}

/// A named collection of rasters with one priority: the position in the list of sources, 0 wins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceInput {
    /// Unique name, such as `dem1a`.
    pub name: String,
    /// The folder that the paths of its records are relative to.
    pub root: PathBuf,
    /// Who must be named wherever the data are shown; may be empty.
    pub attribution: String,
    /// The licence as its owner states it; may be empty.
    pub licence: String,
    /// The vertical datum as given, such as `EPSG:6695` or `JGD2011 (vertical)`; may be empty.
    pub vertical_datum: String,
}

/// One raster file of a source.
///
/// The last seven attributes may be left at zero: `..RecordInput::default()`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordInput {
    /// The position of its source in the list of sources.
    pub source: usize,
    /// The path below the source's root, with `/` between folders.
    pub path: String,
    /// The footprint in EPSG:3857 metres.
    pub bounds: Bounds,
    /// The pixel size in EPSG:3857 metres: the side of a square with the area of the pixel at the footprint's centre.
    pub pixel_size: f64,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The CRS as `EPSG:n` where it has a code, else as WKT; empty where it is not known.
    pub crs: String,
    /// The declared nodata value.
    pub nodata: Option<f64>,
    /// The type of the cells.
    pub data_type: DataType,
    /// The file's size, bytes.
    pub file_size: u64,
    /// The file's modification time, nanoseconds since 1970 (UTC).
    pub modified_ns: i64,
    /// What tells the raster's further files (sources of a VRT, masks, sidecars) from others; 0 where it has none.
    pub parts: u64,
    /// The band that holds the heights, from 1 on; 0 for the only one.
    pub band: u32,
    /// Metres of one unit of the heights; 0 where the file says.
    pub unit: f64,
    /// What cells are multiplied by; 0 where the file says.
    pub scale: f64,
    /// Columns of the blocks that the file is stored in; 0 where the file was not opened. Of a VRT, those of its source with
    /// the largest blocks.
    pub block_width: u32,
    /// Rows of the blocks; 0 exactly where `block_width` is.
    pub block_height: u32,
    /// Bytes that one cell of a decoded block takes, where these are not the bytes of one cell of `data_type`: bands that are
    /// stored together count together, and a mask counts. Else 0.
    pub block_cell: u32,
}

impl RecordInput {
    /// Checks that the record can be stored.
    ///
    /// # Errors
    /// Where the footprint has no area, the size is zero, the pixel size is not positive, the path is empty, unit or scale
    /// is no number that heights can be multiplied by, or one side of its blocks is zero and the other is not.
    pub fn check(&self) -> Result<()> {
        let problem = if self.path.is_empty() {
            "has no path"
        } else if !self.bounds.has_area() {
            "has a footprint without area or with coordinates that are not finite"
        } else if self.width == 0 || self.height == 0 {
            "has no pixels"
        } else if self.pixel_size.is_nan() || self.pixel_size <= 0.0 || self.pixel_size.is_infinite() {
            "has a pixel size that is not a positive number"
        } else if !self.unit.is_finite() || self.unit < 0.0 || !self.scale.is_finite() {
            "has a unit that is not a positive number of metres, or a scale that is no number"
        } else if (self.block_width == 0) != (self.block_height == 0) {
            "has blocks of a width without a height, or the other way around"
        } else {
            return Ok(());
        };
        Err(Error::raster(&self.path, problem))
    }
}
