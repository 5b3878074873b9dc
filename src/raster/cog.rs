//! What a raster that is written looks like.

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
