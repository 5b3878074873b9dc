//! GDAL behind the door to rasters, and beside it our reader of what GDAL has no driver for.

use std::path::Path;

use super::super::jpgis;
use super::super::{
    Adjustment, CogForm, Degrees, FootprintTables, GeoTiffSpec, Objects, Projector, PutCells, Raster, RasterOpener,
    RasterReader, Unusable, VerticalShift,
};
use super::objects::GdalObjects;
use super::tables::GdalTables;
use super::{GdalDegrees, GdalProjector, GdalRaster, GdalVertical, check_crs, check_vertical_datum, configure, local};
use crate::error::{Error, Result};

/// Reads through GDAL.
#[derive(Debug, Clone, Copy, Default)]
pub struct GdalOpener;

impl RasterOpener for GdalOpener {
    fn open(&self, path: &Path, assume_crs: Option<&str>, by: &Adjustment) -> Result<Box<dyn Raster>> {
        if jpgis::is_one(path) {
            let raster = jpgis::open(path, assume_crs, by).map_err(|why| Error::raster(path, why.to_string()))?;
            return Ok(Box::new(raster));
        }
        Ok(Box::new(GdalRaster::open_adjusted(path, assume_crs, by)?))
    }

    fn open_means(
        &self,
        path: &Path,
        assume_crs: Option<&str>,
        by: &Adjustment,
        most: f64,
    ) -> Result<Option<Box<dyn Raster>>> {
        if jpgis::is_one(path) {
            return Ok(None);
        }
        let found = GdalRaster::open_means(path, assume_crs, by, most)?;
        Ok(found.map(|raster| Box::new(raster) as Box<dyn Raster>))
    }

    fn projector(&self, crs: &str) -> Result<Box<dyn Projector>> {
        Ok(Box::new(GdalProjector::new(crs)?))
    }

    fn vertical(&self, from: &str, to: &str) -> Result<Box<dyn VerticalShift>> {
        Ok(Box::new(GdalVertical::new(from, to)?))
    }
}

impl RasterReader for GdalOpener {
    fn open_or_why(
        &self,
        path: &Path,
        assume_crs: Option<&str>,
        by: &Adjustment,
    ) -> Result<Result<Box<dyn Raster>, Unusable>> {
        if jpgis::is_one(path) {
            return Ok(jpgis::open(path, assume_crs, by).map(|raster| Box::new(raster) as Box<dyn Raster>));
        }
        let found = GdalRaster::open_or_why(path, assume_crs, by)?;
        Ok(found.map(|raster| Box::new(raster) as Box<dyn Raster>))
    }

    fn check_crs(&self, definition: &str) -> Result<()> {
        check_crs(definition)
    }

    fn check_datum(&self, datum: &str) -> Result<()> {
        check_vertical_datum(datum)
    }

    fn degrees(&self, crs: &str) -> Result<Box<dyn Degrees>> {
        Ok(Box::new(GdalDegrees::new(crs)?))
    }

    fn tables(&self) -> &dyn FootprintTables {
        &GdalTables
    }

    fn objects(&self) -> &dyn Objects {
        &GdalObjects
    }

    fn write_cog(
        &self,
        path: &Path,
        form: &CogForm,
        overwrite: bool,
        fill: &mut dyn FnMut(&mut PutCells<'_>) -> Result<()>,
    ) -> Result<()> {
        super::cog::write(path, form, overwrite, fill)
    }

    fn write_geotiff(&self, path: &Path, spec: &GeoTiffSpec, cells: &[f32]) -> Result<()> {
        super::write_geotiff(path, spec, cells)
    }

    fn limit_cache(&self, bytes: u64) -> Result<()> {
        jpgis::limit(bytes);
        configure(bytes)
    }

    fn allow_remote(&self) {
        local::allow_remote();
    }

    fn remote_allowed(&self) -> bool {
        local::remote_allowed()
    }
}
