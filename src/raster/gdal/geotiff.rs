//! A GeoTIFF writer whose bytes are reproducible.

use std::path::Path;

use ::gdal::DriverManager;
use ::gdal::raster::{Buffer, GdalType, RasterCreationOptions};

use super::super::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};
use super::{failed, prepare, said, spatial_ref};
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};

/// Writes a GeoTIFF from its cells, row by row from the top: beside the target first, then renamed onto it.
///
/// The same cells and spec give the same bytes: blocks are written once each, in order, past GDAL's cache.
///
/// # Errors
/// Where the number of cells is not width times height, the spec is impossible, or the disk refuses.
pub fn write_geotiff(path: impl AsRef<Path>, spec: &GeoTiffSpec, cells: &[f32]) -> Result<()> {
    let path = path.as_ref();
    prepare();
    said();
    if cells.len() as u64 != u64::from(spec.width) * u64::from(spec.height) || cells.is_empty() {
        return Err(Error::raster(
            path,
            format!("can't be written: {} cells for {} columns and {} rows", cells.len(), spec.width, spec.height),
        ));
    }
    let file = AtomicFile::made_by(path, "tif", |part| match spec.data_type {
        GeoTiffType::F32 => write_blocks::<f32>(part, spec, cells, |v| v),
        GeoTiffType::I16 => write_blocks::<i16>(part, spec, cells, |v| v.round() as i16),
    })?;
    file.commit()
}

/// Writes every block of a new GeoTIFF, in order.
fn write_blocks<T: GdalType + Copy>(path: &Path, spec: &GeoTiffSpec, cells: &[f32], cast: fn(f32) -> T) -> Result<()> {
    let problem = |what: &'static str| failed(path, what);
    let mut options = RasterCreationOptions::new();
    let mut set = |key: &str, value: &str| options.set_name_value(key, value).map_err(problem("can't be created"));
    let compress = match spec.compress {
        GeoTiffCompression::None => "NONE",
        GeoTiffCompression::Deflate => "DEFLATE",
        GeoTiffCompression::Lzw => "LZW",
    };
    set("COMPRESS", compress)?;
    set("NUM_THREADS", "1")?;
    if let Some(side) = spec.tiled {
        set("TILED", "YES")?;
        set("BLOCKXSIZE", &side.to_string())?;
        set("BLOCKYSIZE", &side.to_string())?;
    }
    let (width, height) = (spec.width as usize, spec.height as usize);
    let driver = DriverManager::get_driver_by_name("GTiff").map_err(problem("GDAL has no GeoTIFF driver"))?;
    let mut file = driver
        .create_with_band_type_with_options::<T, _>(path, width, height, 1, &options)
        .map_err(problem("can't be created"))?;
    file.set_geo_transform(&spec.transform.0).map_err(problem("can't take the geotransform"))?;
    if !spec.crs.is_empty() {
        file.set_spatial_ref(&spatial_ref(&spec.crs)?).map_err(problem("can't take the CRS"))?;
    }
    {
        let mut band = file.rasterband(1).map_err(problem("can't open band 1"))?;
        if spec.nodata.is_some() {
            band.set_no_data_value(spec.nodata).map_err(problem("can't take the nodata value"))?;
        }
        let (block_width, block_height) = band.block_size();
        for block_row in 0..height.div_ceil(block_height) {
            for block_col in 0..width.div_ceil(block_width) {
                // Blocks that reach beyond the raster repeat its last column and row there.
                let mut block = Vec::with_capacity(block_width * block_height);
                for y in 0..block_height {
                    let row = (block_row * block_height + y).min(height - 1);
                    for x in 0..block_width {
                        let col = (block_col * block_width + x).min(width - 1);
                        block.push(cast(cells[row * width + col]));
                    }
                }
                let mut block = Buffer::new((block_width, block_height), block);
                band.write_block((block_col, block_row), &mut block).map_err(problem("can't be written"))?;
            }
        }
    }
    file.close().map_err(problem("can't be written to its end"))
}
