//! What opens rasters and coordinate systems, so that rendering does not know GDAL.

use std::path::Path;

use crate::error::Result;
use crate::memory;
use crate::raster::{Adjustment, Projector, Raster, VerticalShift};

/// Opens rasters and projectors.
pub trait RasterOpener {
    /// Opens a raster; `assume_crs` is what to take where the file has no CRS, `by` is what is known of its values.
    ///
    /// # Errors
    /// Where the file is missing, no raster, or has no georeference, or its values are no heights.
    fn open(&self, path: &Path, assume_crs: Option<&str>, by: &Adjustment) -> Result<Box<dyn Raster>>;

    /// A coarser version of a raster that holds the means of its cells, at most `most` of them across and down; `None` where
    /// there is none that is known to.
    ///
    /// # Errors
    /// As [`RasterOpener::open`].
    fn open_means(
        &self,
        _path: &Path,
        _assume_crs: Option<&str>,
        _by: &Adjustment,
        _most: f64,
    ) -> Result<Option<Box<dyn Raster>>> {
        Ok(None)
    }

    /// The largest block that may be decoded, bytes: a raster stored in larger ones is refused before a cell is read. Asked for
    /// rasters of blocks that are larger than [`SMALL_BLOCK`]. Where nothing else is said, what the system has left for this
    /// process, and 64 MB at least.
    fn most_block(&self) -> u64 {
        memory::available().map_or(u64::MAX, |bytes| bytes.max(64 << 20))
    }

    /// The map from EPSG:3857 to a CRS.
    ///
    /// # Errors
    /// Where the CRS is not known.
    fn projector(&self, crs: &str) -> Result<Box<dyn Projector>>;

    /// The map from heights over one vertical datum to heights over another.
    ///
    /// # Errors
    /// Where a datum is not known, or there is no way between them.
    fn vertical(&self, from: &str, to: &str) -> Result<Box<dyn VerticalShift>>;

    /// Asks whether a vertical datum is known: `EPSG:n` of a vertical CRS, or `ellipsoid`.
    ///
    /// # Errors
    /// Where it is not.
    fn check_datum(&self, datum: &str) -> Result<()>;
}

/// Blocks up to this size are read without asking, bytes: no process is meant to work with less.
pub const SMALL_BLOCK: u64 = 4 << 20;

/// Opens as another opener does, with a bound on the blocks that are decoded.
pub(crate) struct Bounded<'a> {
    pub(crate) opener: &'a dyn RasterOpener,
    /// Bytes; `None` for what the other one says.
    pub(crate) most_block: Option<u64>,
}

impl RasterOpener for Bounded<'_> {
    fn open(&self, path: &Path, assume_crs: Option<&str>, by: &Adjustment) -> Result<Box<dyn Raster>> {
        self.opener.open(path, assume_crs, by)
    }

    fn open_means(
        &self,
        path: &Path,
        assume_crs: Option<&str>,
        by: &Adjustment,
        most: f64,
    ) -> Result<Option<Box<dyn Raster>>> {
        self.opener.open_means(path, assume_crs, by, most)
    }

    fn most_block(&self) -> u64 {
        self.opener.most_block().min(self.most_block.unwrap_or(u64::MAX))
    }

    fn projector(&self, crs: &str) -> Result<Box<dyn Projector>> {
        self.opener.projector(crs)
    }

    fn vertical(&self, from: &str, to: &str) -> Result<Box<dyn VerticalShift>> {
        self.opener.vertical(from, to)
    }

    fn check_datum(&self, datum: &str) -> Result<()> {
        self.opener.check_datum(datum)
    }
}

/// Opens through GDAL.
#[cfg(feature = "gdal")]
#[derive(Debug, Clone, Copy, Default)]
pub struct GdalOpener;

#[cfg(feature = "gdal")]
impl RasterOpener for GdalOpener {
    fn open(&self, path: &Path, assume_crs: Option<&str>, by: &Adjustment) -> Result<Box<dyn Raster>> {
        Ok(Box::new(crate::raster::gdal::GdalRaster::open_adjusted(path, assume_crs, by)?))
    }

    fn open_means(
        &self,
        path: &Path,
        assume_crs: Option<&str>,
        by: &Adjustment,
        most: f64,
    ) -> Result<Option<Box<dyn Raster>>> {
        let found = crate::raster::gdal::GdalRaster::open_means(path, assume_crs, by, most)?;
        Ok(found.map(|raster| Box::new(raster) as Box<dyn Raster>))
    }

    fn projector(&self, crs: &str) -> Result<Box<dyn Projector>> {
        Ok(Box::new(crate::raster::gdal::GdalProjector::new(crs)?))
    }

    fn vertical(&self, from: &str, to: &str) -> Result<Box<dyn VerticalShift>> {
        Ok(Box::new(crate::raster::gdal::GdalVertical::new(from, to)?))
    }

    fn check_datum(&self, datum: &str) -> Result<()> {
        crate::raster::gdal::check_vertical_datum(datum)
    }
}
