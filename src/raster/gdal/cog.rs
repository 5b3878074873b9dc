//! Writing a Cloud-Optimised GeoTIFF, in bounded memory.

use std::path::Path;

use ::gdal::raster::{Buffer, RasterCreationOptions};
use ::gdal::{Dataset, DriverManager};

use super::super::{CogForm, PutCells};
use super::{failed, prepare, said, spatial_ref};
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};

/// See [`RasterReader::write_cog`](super::super::RasterReader::write_cog). GDAL writes such files as copies only, so that the cells go
/// into a plain file of the same folder first. What never comes takes no space there.
pub(super) fn write(
    path: &Path,
    form: &CogForm,
    overwrite: bool,
    fill: &mut dyn FnMut(&mut PutCells<'_>) -> Result<()>,
) -> Result<()> {
    prepare();
    said();
    let file = AtomicFile::made_by(path, "tif", |part| {
        let cells = part.with_extension("cells.tif");
        let made = write_cells(&cells, form, fill).and_then(|()| copy(&cells, part));
        let _ = std::fs::remove_file(&cells);
        made.map_err(|error| match error {
            // The temporary name says nothing to anybody.
            Error::Raster { problem, .. } => Error::raster(path, problem),
            other => other,
        })
    })?;
    if overwrite { file.commit() } else { file.commit_new() }
}

fn options(all: &[(&str, &str)], path: &Path) -> Result<RasterCreationOptions> {
    let mut options = RasterCreationOptions::new();
    for (key, value) in all {
        options.set_name_value(key, value).map_err(failed(path, "can't be created"))?;
    }
    Ok(options)
}

fn write_cells(path: &Path, form: &CogForm, fill: &mut dyn FnMut(&mut PutCells<'_>) -> Result<()>) -> Result<()> {
    let side = form.window.to_string();
    // Blocks of a TIFF are multiples of 16.
    let mut all = vec![("SPARSE_OK", "TRUE"), ("BIGTIFF", "IF_SAFER")];
    if form.window.is_multiple_of(16) {
        all.extend([("TILED", "YES"), ("BLOCKXSIZE", side.as_str()), ("BLOCKYSIZE", side.as_str())]);
    }
    let problem = |what: &'static str| failed(path, what);
    let driver = DriverManager::get_driver_by_name("GTiff").map_err(problem("GDAL has no GeoTIFF driver"))?;
    let mut file = driver
        .create_with_band_type_with_options::<f32, _>(
            path,
            form.width as usize,
            form.height as usize,
            1,
            &options(&all, path)?,
        )
        .map_err(problem("can't be created"))?;
    file.set_geo_transform(&form.transform.0).map_err(problem("can't take the geotransform"))?;
    file.set_spatial_ref(&spatial_ref(&form.crs)?).map_err(problem("can't take the CRS"))?;
    {
        let mut band = file.rasterband(1).map_err(problem("can't open band 1"))?;
        band.set_no_data_value(Some(form.nodata.into())).map_err(problem("can't take the nodata value"))?;
        let window = form.window as usize;
        fill(&mut |[column, row], cells| {
            let mut cells = Buffer::new((window, window), cells.to_vec());
            band.write((column as isize, row as isize), (window, window), &mut cells)
                .map_err(problem("can't be written"))
        })?;
    }
    file.close().map_err(problem("can't be written to its end"))
}

fn copy(cells: &Path, path: &Path) -> Result<()> {
    let problem = |what: &'static str| failed(path, what);
    let driver = DriverManager::get_driver_by_name("COG").map_err(problem("GDAL has no driver for COG"))?;
    let all = [
        ("COMPRESS", "DEFLATE"),
        ("PREDICTOR", "YES"),
        ("BLOCKSIZE", "512"),
        ("OVERVIEW_RESAMPLING", "AVERAGE"),
        ("BIGTIFF", "IF_SAFER"),
        ("NUM_THREADS", "ALL_CPUS"),
    ];
    let source = Dataset::open(cells).map_err(problem("can't be read again"))?;
    let copy = source.create_copy(&driver, path, &options(&all, path)?).map_err(problem("can't be written"))?;
    copy.close().map_err(problem("can't be written to its end"))
}
