//! What rasters that are written look like.

use super::GeoTransform;

/// The form of a Cloud-Optimised GeoTIFF of one band of 32-bit floats.
#[derive(Debug, Clone, PartialEq)]
pub struct CogForm {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The side of the square windows in which cells come, cells.
    pub window: u32,
    /// Where it lies, in coordinates of `crs`.
    pub transform: GeoTransform,
    /// `EPSG:n`, WKT, ...
    pub crs: String,
    /// The value of cells without one, which is declared, and that of cells that never come.
    pub nodata: f32,
}

/// Takes a square window of cells, row by row from the top: its first column and row, and the cells.
pub type PutCells<'a> = dyn FnMut([u32; 2], &[f32]) -> crate::Result<()> + 'a;

/// The type of the cells that a GeoTIFF is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeoTiffType {
    /// Signed 16-bit integers; values are rounded half away from zero and clamped.
    I16,
    /// 32-bit floats.
    F32,
}

/// Lossless compressions of GeoTIFFs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeoTiffCompression {
    /// No compression.
    None,
    /// zlib.
    Deflate,
    /// Lempel-Ziv-Welch.
    Lzw,
}

/// The form of a GeoTIFF of one band.
#[derive(Debug, Clone, PartialEq)]
pub struct GeoTiffSpec {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Where it lies, in coordinates of `crs`.
    pub transform: GeoTransform,
    /// `EPSG:n`, WKT, ...; empty for a file without a CRS.
    pub crs: String,
    /// The type of the cells.
    pub data_type: GeoTiffType,
    /// The nodata value to declare.
    pub nodata: Option<f64>,
    /// The side of square tiles, a multiple of 16; strips where `None`.
    pub tiled: Option<u32>,
    /// The compression.
    pub compress: GeoTiffCompression,
}
