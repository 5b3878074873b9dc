//! An opener whose rasters must not take more memory than a worker has.

use std::path::Path;

use crate::error::Result;
use crate::raster::{Adjustment, Projector, Raster, RasterOpener, VerticalShift};

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
}
