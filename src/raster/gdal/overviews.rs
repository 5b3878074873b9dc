//! Coarser versions that a file carries, where they are known to hold means.
//!
//! GeoTIFFs rarely say how their overviews were made, and many were made by leaving cells out. So an overview is compared with the raster
//! in a few places, and taken where its cells are the means of the raster's.

use std::path::Path;

use ::gdal::GdalOpenFlags;

use super::{GdalRaster, failed, local};
use crate::data_type::DataType;
use crate::error::Result;
use crate::raster::kernel::Kernel;
use crate::raster::{Adjustment, Cells, Raster, Resampling, State, Window, warp};

/// Places along each side where an overview is looked at.
const PLACES: usize = 3;
/// Cells of the overview along a side of a place.
const SIDE: usize = 8;
/// How many cells must show a mean, and not a cell that was picked.
const ENOUGH: usize = 24;
/// Overviews coarser than this are not looked at: comparing them would read too much.
const MOST: f64 = 128.0;

impl GdalRaster {
    /// The coarsest overview whose cells are at most `most` cells of the raster wide and high and hold their means; `None` where the file
    /// has none that is known to.
    ///
    /// Costs the reading of nine places of `8 * most` cells a side at most.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn open_means(
        path: impl AsRef<Path>,
        assume_crs: Option<&str>,
        by: &Adjustment,
        most: f64,
    ) -> Result<Option<Self>> {
        let path = path.as_ref();
        let mut raster = Self::open_adjusted(path, assume_crs, by)?;
        let mut levels = Vec::new();
        {
            let band = raster.dataset.rasterband(raster.band).map_err(failed(path, "can't open a band"))?;
            for level in 0..band.overview_count().map_err(failed(path, "can't count its overviews"))? {
                let Ok(index) = usize::try_from(level) else { continue };
                let (width, height) = band.overview(index).map_err(failed(path, "can't open an overview"))?.size();
                let ratio = ratio(&raster, width, height);
                if ratio.0.min(ratio.1) > 1.5 && ratio.0.max(ratio.1) <= most.min(MOST) {
                    levels.push((level, ratio.0.max(ratio.1)));
                }
            }
        }
        levels.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (level, _) in levels {
            let option = format!("OVERVIEW_LEVEL={level}");
            let dataset = local::open(path, GdalOpenFlags::empty(), Some(&[&option]));
            let dataset = dataset.map_err(failed(path, "can't open an overview"))?;
            let Ok(mut overview) = Self::of(dataset, path, assume_crs, by)? else { continue };
            // Whatever an overview says of its own cells, they are those of the raster.
            (overview.info.data_type, overview.info.nodata) = (raster.info.data_type, raster.info.nodata);
            (overview.info.scale, overview.info.offset) = (raster.info.scale, raster.info.offset);
            if holds_means(&mut raster, &mut overview)? {
                return Ok(Some(overview));
            }
        }
        Ok(None)
    }
}

/// Cells of a raster for one of its overview's, across and down.
fn ratio(raster: &GdalRaster, width: usize, height: usize) -> (f64, f64) {
    let (w, h) = (f64::from(raster.info.width), f64::from(raster.info.height));
    (w / width.max(1) as f64, h / height.max(1) as f64)
}

/// True where the cells of an overview are the means of the raster's, in all places that were looked at and allow an answer.
fn holds_means(raster: &mut GdalRaster, overview: &mut GdalRaster) -> Result<bool> {
    let (width, height) = (overview.info.width as usize, overview.info.height as usize);
    let (across, down) = ratio(raster, width, height);
    let kernels = (Kernel::new(Resampling::Average, across), Kernel::new(Resampling::Average, down));
    // Whole numbers are rounded at each level of overviews.
    let step =
        if matches!(overview.info.data_type, DataType::F32 | DataType::F64) { 0.0 } else { overview.info.scale.abs() };
    let mut telling = 0;
    for place in 0..PLACES * PLACES {
        let start = |i: usize, size: usize| ((2 * i + 1) * size / (2 * PLACES)).saturating_sub(SIDE / 2);
        let (col, row) = (start(place % PLACES, width), start(place / PLACES, height));
        let (w, h) = (SIDE.min(width - col), SIDE.min(height - row));
        let mut coarse = Cells::outside(Window { col: col as i64, row: row as i64, width: w, height: h });
        overview.read_into(&mut coarse)?;
        let first = (kernels.0.span((col as f64 + 0.5) * across).0, kernels.1.span((row as f64 + 0.5) * down).0);
        let last =
            (kernels.0.span(((col + w) as f64 - 0.5) * across).1, kernels.1.span(((row + h) as f64 - 0.5) * down).1);
        let size = ((last.0 - first.0 + 1) as usize, (last.1 - first.1 + 1) as usize);
        let mut fine = Cells::outside(Window { col: first.0, row: first.1, width: size.0, height: size.1 });
        raster.read_into(&mut fine)?;
        for (at, &found) in coarse.values.iter().enumerate().filter(|(at, _)| coarse.state[*at] == State::VALID) {
            let center = ((col + at % w) as f64 + 0.5, (row + at / w) as f64 + 0.5);
            let center = (center.0 * across, center.1 * down);
            let Some((low, high)) = range(&fine, center, (across, down)) else { continue };
            let Some((mean, _)) = warp::sample(&fine, (&kernels.0, &kernels.1), center) else { continue };
            let allowed = step + f64::from(high - low) * 0.01 + f64::from(mean.abs()) * 1e-6;
            if f64::from((found - mean).abs()) > allowed {
                return Ok(false);
            }
            telling += usize::from(f64::from(high - low) > 8.0 * step + f64::from(mean.abs()) * 1e-4);
        }
    }
    Ok(telling >= ENOUGH)
}

/// The least and the greatest value of the cells around a place; `None` where one of them has no value.
fn range(cells: &Cells, (x, y): (f64, f64), (across, down): (f64, f64)) -> Option<(f32, f32)> {
    let span =
        |at: f64, size: f64| ((at - size / 2.0 + 1e-6).floor() as i64)..=((at + size / 2.0 - 1e-6).floor() as i64);
    let mut found = (f32::INFINITY, f32::NEG_INFINITY);
    for row in span(y, down) {
        for col in span(x, across) {
            let (col, row) =
                (usize::try_from(col - cells.window.col).ok()?, usize::try_from(row - cells.window.row).ok()?);
            let at = row * cells.window.width + col;
            if cells.state.get(at) != Some(&State::VALID) {
                return None;
            }
            found = (found.0.min(cells.values[at]), found.1.max(cells.values[at]));
        }
    }
    Some(found)
}
