//! Whether the end of a raster is there.

use std::path::Path;

use ::gdal::{Dataset, Metadata};

use super::super::{Cells, FileStamp, Raster, Window};
use super::{GdalRaster, said};
use crate::error::{Error, Result};

/// Larger blocks are not decoded to see whether they are there, bytes.
pub(super) const HUGE: u64 = 16 << 20;

impl GdalRaster {
    /// Reads the last cell, which lies in the last block: a file that was cut short fails here and not in the middle of
    /// a run. Where blocks are huge (one strip for all rows, say), nothing is decoded: of a TIFF, also one that a VRT stands for, the place of
    /// the last block is compared with the file's length; other formats are not checked.
    ///
    /// # Errors
    /// Where the block can't be read or decoded, or ends beyond the file.
    pub(super) fn read_last_cell(&mut self) -> Result<()> {
        let stored = self.stored();
        if let Some(problem) = &stored.cut_short {
            return Err(Error::raster(&self.info.path, problem));
        }
        if stored.largest.bytes() > HUGE {
            return Ok(());
        }
        let (col, row) = (i64::from(self.info.width) - 1, i64::from(self.info.height) - 1);
        self.read_into(&mut Cells::outside(Window { col, row, width: 1, height: 1 }))
    }
}

/// Why a TIFF is not whole: its last block ends beyond the file. A block that is left out because it has no data ends nowhere.
pub(super) fn cut_short(path: &Path, dataset: &Dataset, band: usize) -> Option<String> {
    if dataset.driver().short_name() != "GTiff" {
        return None;
    }
    let band = dataset.rasterband(band).ok()?;
    let ((width, height), (columns, rows)) = (band.block_size(), dataset.raster_size());
    let (x, y) = (columns.saturating_sub(1) / width.max(1), rows.saturating_sub(1) / height.max(1));
    let number = |key: &str| -> Option<u64> {
        band.metadata_item(&format!("{key}_{x}_{y}"), "TIFF").and_then(|text| text.parse().ok())
    };
    let end = number("BLOCK_OFFSET").zip(number("BLOCK_SIZE")).map(|(offset, size)| offset.saturating_add(size));
    said();
    let (end, length) = (end?, FileStamp::of(path).ok()?.size);
    (end > length).then(|| format!("is cut short: its last block ends at byte {end}, the file has {length}"))
}
