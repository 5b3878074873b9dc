//! Whether the end of a raster is there.

use ::gdal::Metadata;

use super::super::{Cells, Raster, Window};
use super::{GdalRaster, failed};
use crate::error::{Error, Result};

/// Larger blocks are not decoded to see whether they are there, bytes.
const LARGE: u64 = 64 << 20;

impl GdalRaster {
    /// Reads the last cell, which lies in the last block: a file that was cut short fails here and not in the middle of
    /// a run. Of a TIFF with huge blocks, such as one strip for all rows, only the place of the last block is looked at, since all of it would
    /// be decoded.
    ///
    /// # Errors
    /// Where the block can't be read or decoded, or ends beyond the file.
    pub fn probe_end(&mut self) -> Result<()> {
        if let Some(end) = self.end_of_huge_block()? {
            let length = std::fs::metadata(&self.info.path).map_err(Error::io("open", &self.info.path))?.len();
            if end > length {
                let problem = format!("is cut short: its last block ends at byte {end}, the file has {length}");
                return Err(Error::raster(&self.info.path, problem));
            }
            return Ok(());
        }
        let (col, row) = (i64::from(self.info.width) - 1, i64::from(self.info.height) - 1);
        self.read_into(&mut Cells::outside(Window { col, row, width: 1, height: 1 }))
    }

    /// Where the last block of a TIFF ends, bytes from the beginning of the file; 0 for a block that is left out because it has no
    /// data; `None` where blocks are not huge or the file is no TIFF, so that the cell is to be read.
    fn end_of_huge_block(&self) -> Result<Option<u64>> {
        let band = self.dataset.rasterband(self.band).map_err(failed(&self.info.path, "can't open a band"))?;
        let (width, height) = band.block_size();
        let bytes = width as u64 * height as u64 * u64::from(band.band_type().bits()).div_ceil(8);
        if bytes <= LARGE || self.dataset.driver().short_name() != "GTiff" {
            return Ok(None);
        }
        let (x, y) = ((self.info.width as usize - 1) / width.max(1), (self.info.height as usize - 1) / height.max(1));
        let number = |key: &str| -> Option<u64> {
            band.metadata_item(&format!("{key}_{x}_{y}"), "TIFF").and_then(|text| text.parse().ok())
        };
        let end = number("BLOCK_OFFSET").zip(number("BLOCK_SIZE")).map(|(offset, size)| offset.saturating_add(size));
        super::said();
        Ok(Some(end.unwrap_or(0)))
    }
}
