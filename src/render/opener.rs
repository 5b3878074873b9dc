//! What opens rasters and coordinate systems, so that rendering does not know GDAL.

use std::path::Path;

use crate::error::Result;
use crate::raster::{Projector, Raster};

/// Opens rasters and projectors.
pub trait RasterOpener {
    /// Opens a raster; `assume_crs` is what to take where the file has no CRS.
    ///
    /// # Errors
    /// Where the file is missing, no raster, or has no georeference.
    fn open(&self, path: &Path, assume_crs: Option<&str>) -> Result<Box<dyn Raster>>;

    /// The map from EPSG:3857 to a CRS.
    ///
    /// # Errors
    /// Where the CRS is not known.
    fn projector(&self, crs: &str) -> Result<Box<dyn Projector>>;
}

/// Opens through GDAL.
#[cfg(feature = "gdal")]
#[derive(Debug, Clone, Copy, Default)]
pub struct GdalOpener;

#[cfg(feature = "gdal")]
impl RasterOpener for GdalOpener {
    fn open(&self, path: &Path, assume_crs: Option<&str>) -> Result<Box<dyn Raster>> {
        Ok(Box::new(crate::raster::gdal::GdalRaster::open(path, assume_crs)?))
    }

    fn projector(&self, crs: &str) -> Result<Box<dyn Projector>> {
        Ok(Box::new(crate::raster::gdal::GdalProjector::new(crs)?))
    }
}
