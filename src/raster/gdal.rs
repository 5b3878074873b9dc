//! GDAL behind [`RasterReader`](super::RasterReader), and a GeoTIFF writer.
//!
//! This module is the only one of the library that knows GDAL's types. GDAL's messages go into our errors and never to
//! stderr.

use std::cell::{OnceCell, RefCell};
use std::path::Path;
use std::sync::Once;

use ::gdal::Metadata;
use ::gdal::raster::Buffer;
use ::gdal::spatial_ref::{AxisMappingStrategy, CoordTransform, SpatialRef};
use ::gdal::{Dataset, GdalOpenFlags};

use super::{Adjustment, Block, Cells, Footprint, GeoTransform, Projector, Raster, RasterInfo, Unusable, footprint_by};
use crate::data_type::DataType;
use crate::error::{Error, Result};
use crate::text::one_line;
use crate::url;

mod around;
mod block;
mod cog;
mod crs;
mod degrees;
mod end;
mod geokeys;
mod geotiff;
mod heights;
mod local;
mod objects;
mod overviews;
mod reader;
mod tables;
mod vertical;
mod vsi;

use block::Stored;
use heights::{Heights, Mask};

pub use degrees::GdalDegrees;
pub use geotiff::write_geotiff;
pub use reader::GdalOpener;
pub use vertical::{GdalVertical, check_vertical_datum};

thread_local! {
    /// What GDAL said on this thread since the last call of [`said`].
    static MESSAGES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Characters of what GDAL said that go into an error.
const LONGEST: usize = 400;

/// Sets GDAL up: its messages are kept for our errors. Every entry of this file calls it.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        ::gdal::config::set_error_handler(|_class, _number, message| {
            let message = message.to_owned();
            // Only a message while the thread ends, or from inside the handler, is lost.
            let _ = MESSAGES.try_with(|all| {
                if let Ok(mut all) = all.try_borrow_mut()
                    && all.len() < 16
                {
                    all.push(message);
                }
            });
        });
        // Sidecar files are looked up one by one. Listing a folder of 50,000 rasters for each raster would be slow.
        if ::gdal::config::get_config_option("GDAL_DISABLE_READDIR_ON_OPEN", "").is_ok_and(|v| v.is_empty()) {
            let _ = ::gdal::config::set_config_option("GDAL_DISABLE_READDIR_ON_OPEN", "TRUE");
        }
        local::fence();
    });
}

/// Bounds GDAL's cache of decoded blocks, bytes for the whole process.
///
/// Call it before the first raster is read: GDAL looks at the setting once.
///
/// # Errors
/// Where GDAL refuses the setting.
pub fn configure(cache_bytes: u64) -> Result<()> {
    prepare();
    // GDAL takes a number below 100000 as megabytes.
    let bytes = cache_bytes.max(1 << 20);
    ::gdal::config::set_config_option("GDAL_CACHEMAX", &bytes.to_string())
        .map_err(|e| Error::limit(format!("GDAL refuses a cache of {bytes} bytes: {e}")))
}

/// GDAL's version, such as `3.6.2`.
#[must_use]
pub fn version() -> String {
    ::gdal::version::version_info("RELEASE_NAME")
}

/// What GDAL said on this thread, joined, and forgotten.
fn said() -> String {
    let mut all = MESSAGES.with(|all| std::mem::take(&mut *all.borrow_mut()));
    all.dedup();
    one_line(&all.join("; "), LONGEST)
}

/// An error of the crate as one of ours, with GDAL's message where there is one.
fn failed(path: &Path, what: &str) -> impl FnOnce(::gdal::errors::GdalError) -> Error {
    move |error| {
        let words = said();
        let words = if words.is_empty() { error.to_string() } else { words };
        Error::raster(path, format!("{what}: {words}"))
    }
}

/// A CRS from `EPSG:n`, WKT, PROJJSON or a PROJ string, with axes in the order x, y.
fn spatial_ref(definition: &str) -> Result<SpatialRef> {
    let mut crs = SpatialRef::from_definition(definition).map_err(|_| {
        let words = said();
        Error::argument(format!("CRS {:?}", shorten(definition)), format!("is not known to PROJ; {words}"))
    })?;
    crs.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
    Ok(crs)
}

/// Asks PROJ whether it knows a CRS.
///
/// # Errors
/// Where it does not; with PROJ's message.
pub fn check_crs(definition: &str) -> Result<()> {
    prepare();
    said();
    spatial_ref(definition).map(drop)
}

/// A definition in one line, for messages: WKT is long.
fn shorten(text: &str) -> String {
    one_line(text, 60)
}

/// A raster opened by GDAL; one of its bands holds the elevation. Not to be shared between threads, but may move.
pub struct GdalRaster {
    dataset: Dataset,
    info: RasterInfo,
    /// The number of the band with the heights, from 1 on.
    band: usize,
    mask: Mask,
    unit: String,
    /// How the cells are stored, once it is asked for.
    stored: OnceCell<Stored>,
}

impl GdalRaster {
    /// Opens a raster and reads its header. `assume_crs` (`EPSG:n`, WKT, ...) is for files that have no CRS.
    ///
    /// Costs 0.1 ms for a GeoTIFF in the page cache.
    ///
    /// # Errors
    /// Where the file is missing, is no raster, has no band, no georeference, or no CRS while none is assumed; and where it is not
    /// clear that its values are heights: colours, several bands, complex numbers, a unit that is no length.
    pub fn open(path: impl AsRef<Path>, assume_crs: Option<&str>) -> Result<Self> {
        Self::open_adjusted(path, assume_crs, &Adjustment::default())
    }

    /// [`GdalRaster::open`] with what is known of the values, which takes precedence over the file.
    ///
    /// # Errors
    /// As [`GdalRaster::open`], and where the file has no such band.
    pub fn open_adjusted(path: impl AsRef<Path>, assume_crs: Option<&str>, by: &Adjustment) -> Result<Self> {
        let path = path.as_ref();
        Self::open_or_why(path, assume_crs, by)?.map_err(|why| Error::raster(path, why.to_string()))
    }

    /// [`GdalRaster::open`] with the usual reasons apart, for reports.
    ///
    /// # Errors
    /// Only for what does not depend on the file's content, such as an unknown assumed CRS.
    pub fn open_or_why(
        path: impl AsRef<Path>,
        assume_crs: Option<&str>,
        by: &Adjustment,
    ) -> Result<Result<Self, Unusable>> {
        let path = path.as_ref();
        prepare();
        said();
        if let Some(remote) = local::refused(path) {
            return Ok(Err(Unusable::Remote(remote)));
        }
        // Without this GDAL has no message for files that no driver knows.
        let open = || {
            local::open(path, GdalOpenFlags::GDAL_OF_VERBOSE_ERROR, None).map_err(|error| {
                let words = said();
                if words.is_empty() { error.to_string() } else { words }
            })
        };
        let dataset = match objects::patiently(|_| !url::is_one(path), || objects::forget(path), open) {
            Ok(dataset) => dataset,
            Err(words) => return Ok(Err(Unusable::NotARaster(words))),
        };
        Self::of(dataset, path, assume_crs, by)
    }

    /// An open dataset as a raster.
    fn of(dataset: Dataset, path: &Path, assume_crs: Option<&str>, by: &Adjustment) -> Result<Result<Self, Unusable>> {
        let (width, height) = dataset.raster_size();
        let size = |n: usize| u32::try_from(n).map_err(|_| Error::raster(path, "has more than 2^32 cells a side"));
        let (width, height) = (size(width)?, size(height)?);
        if dataset.raster_count() == 0 || width == 0 || height == 0 {
            return Ok(Err(Unusable::NoBand(subdatasets(&dataset))));
        }
        let transform = dataset.geo_transform().ok().map(GeoTransform);
        // The identity is what a file without a georeference gets from some drivers.
        let placed = transform.filter(|t| t.invert().is_some() && t.0 != [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        let Some(transform) = placed else {
            said();
            let points = dataset.gcps().len();
            let words = if points > 0 {
                format!("it has {points} ground control points; gdalwarp makes a raster of them that lies somewhere")
            } else {
                String::new()
            };
            return Ok(Err(Unusable::NoGeoreference(words)));
        };
        let crs = match crs::of(&dataset, path, assume_crs)? {
            Ok(crs) => crs,
            Err(words) => return Ok(Err(Unusable::NoCrs(words))),
        };
        let heights = match Heights::of(&dataset, path, &crs, by)? {
            Ok(heights) => heights,
            Err(why) => return Ok(Err(why)),
        };
        let info = RasterInfo {
            path: path.to_path_buf(),
            width,
            height,
            transform,
            crs: crs.definition,
            nodata: heights.nodata,
            more_nodata: by
                .nodata
                .iter()
                .map(|&v| if heights.data_type == DataType::I8 { heights::signed(v) } else { v })
                .collect(),
            data_type: heights.data_type,
            scale: heights.scale,
            offset: heights.offset + by.offset,
            turn: crs.around.map(|a| a.turn),
            limits: crs.around.and_then(|a| a.limits),
        };
        said();
        let stored = OnceCell::new();
        Ok(Ok(Self { dataset, info, band: heights.band, mask: heights.mask, unit: heights.unit, stored }))
    }
}

/// The names of the rasters that a file holds side by side, for messages.
fn subdatasets(dataset: &Dataset) -> String {
    let names = dataset.metadata_domain("SUBDATASETS").unwrap_or_default();
    let names: Vec<String> = names
        .iter()
        .filter_map(|line| {
            line.split_once('=').filter(|(key, _)| key.ends_with("_NAME")).map(|(_, name)| name.to_string())
        })
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [first, ..] => format!("it holds {} rasters side by side, such as {first}", names.len()),
    }
}

impl Raster for GdalRaster {
    fn info(&self) -> &RasterInfo {
        &self.info
    }

    fn unit(&self) -> &str {
        &self.unit
    }

    fn probe_end(&mut self) -> Result<()> {
        self.read_last_cell()
    }

    /// The first call costs some microseconds; of a VRT the opening of each of its sources, some tenths of a millisecond.
    fn block(&self) -> Block {
        self.stored().largest
    }

    fn read_into(&mut self, cells: &mut Cells) -> Result<()> {
        if !url::is_one(&self.info.path) {
            return self.read_once(cells);
        }
        let path = self.info.path.clone();
        let raster = RefCell::new(self);
        objects::patiently(
            |_| false,
            || raster.borrow_mut().open_again(),
            || local::alone(&path, || raster.borrow().read_once(cells)),
        )
    }
}

impl GdalRaster {
    /// Opens the raster once more, without what GDAL keeps of the connection that failed. Where that fails too, the old one stays.
    fn open_again(&mut self) {
        objects::forget(&self.info.path);
        if let Ok(dataset) = local::open(&self.info.path, GdalOpenFlags::empty(), None)
            && dataset.raster_size() == self.dataset.raster_size()
        {
            self.dataset = dataset;
        }
        said();
    }

    fn read_once(&self, cells: &mut Cells) -> Result<()> {
        let info = &self.info;
        let Some(part) = cells.window.clip(info.width, info.height) else { return Ok(()) };
        let path = &info.path;
        let band = self.dataset.rasterband(self.band).map_err(failed(path, "can't open a band"))?;
        let (at, size) = ((part.col as isize, part.row as isize), (part.width, part.height));
        let (scale, offset) = (info.scale, info.offset);
        let mask = match self.mask {
            Mask::Band => {
                let mask = band.open_mask_band().map_err(failed(path, "can't open the mask"))?;
                let flags = mask.read_as::<u8>(at, size, size, None);
                Some(flags.map_err(failed(path, "can't read the mask"))?)
            }
            Mask::Alpha(number) => {
                let alpha = self.dataset.rasterband(number).map_err(failed(path, "can't open the alpha band"))?;
                let alpha =
                    alpha.read_as::<f64>(at, size, size, None).map_err(failed(path, "can't read the alpha band"))?;
                let (shape, values) = alpha.into_shape_and_vec();
                Some(Buffer::new(shape, values.into_iter().map(|v| u8::from(v > 0.0)).collect()))
            }
            _ => None,
        };
        let shown = |i: usize| mask.as_ref().is_none_or(|m| m.data()[i] != 0);
        let problem = || failed(path, "can't read its cells; the file may be cut short or damaged");
        if info.data_type.fits_float() {
            let (single, bytes) = (info.data_type == DataType::F32, info.data_type == DataType::I8);
            let nodata = if let Mask::Value(v) = self.mask { v as f32 } else { f32::NAN };
            let plain = scale == 1.0 && offset == 0.0;
            // GDAL's rule for float32: nodata values went through text and may be off in the last bits.
            let is = |v: f32, nodata: f32| {
                (v == nodata) | (single & ((v - nodata).abs() < f32::EPSILON * (v + nodata).abs() * 2.0))
            };
            if plain && mask.is_none() && !bytes && info.more_nodata.is_empty() {
                let read = |to: &mut [f32]| band.read_into_slice(at, size, size, to, None);
                return if single {
                    cells.fill_by(part, |v| is(v, nodata), read)
                } else {
                    cells.fill_by(part, |v| v == nodata, read)
                }
                .map_err(problem());
            }
            let cell = band.read_as::<f32>(at, size, size, None).map_err(problem())?;
            cells.fill(part, |i| {
                let v = cell.data()[i];
                // GDAL before 3.7 reads signed bytes as unsigned ones.
                let v = if bytes && v > 127.0 { v - 256.0 } else { v };
                let none = is(v, nodata) || info.more_nodata.iter().any(|&n| is(v, n as f32));
                let value = if plain { v } else { (f64::from(v) * scale + offset) as f32 };
                (!none && shown(i)).then_some(value)
            });
        } else {
            let cell = band.read_as::<f64>(at, size, size, None).map_err(problem())?;
            let nodata = if let Mask::Value(v) = self.mask { v } else { f64::NAN };
            cells.fill(part, |i| {
                let v = cell.data()[i];
                let none = v == nodata || info.more_nodata.contains(&v);
                (!none && shown(i)).then_some((v * scale + offset) as f32)
            });
        }
        Ok(())
    }
}

/// PROJ's map from EPSG:3857 to another CRS and back. Stays on its thread.
pub struct GdalProjector {
    forward: CoordTransform,
    back: CoordTransform,
    name: String,
}

impl GdalProjector {
    /// The map to a CRS given as `EPSG:n`, WKT or anything else that PROJ knows. Costs some milliseconds: keep it.
    ///
    /// # Errors
    /// Where the CRS is not known, or there is no way between it and EPSG:3857.
    pub fn new(crs: &str) -> Result<Self> {
        prepare();
        said();
        let mercator = spatial_ref("EPSG:3857")?;
        let other = spatial_ref(crs)?;
        let make = |from: &SpatialRef, to: &SpatialRef| {
            CoordTransform::new(from, to).map_err(|e| {
                let words = said();
                let words = if words.is_empty() { e.to_string() } else { words };
                Error::argument(shorten(crs), format!("has no transformation to EPSG:3857: {words}"))
            })
        };
        Ok(Self { forward: make(&mercator, &other)?, back: make(&other, &mercator)?, name: shorten(crs) })
    }
}

impl Projector for GdalProjector {
    fn to_crs(&self, xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
        transform(&self.forward, xs, ys);
        Ok(())
    }

    fn to_mercator(&self, xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
        transform(&self.back, xs, ys);
        Ok(())
    }
}

impl std::fmt::Debug for GdalProjector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GdalProjector(EPSG:3857 to {})", self.name)
    }
}

/// Transforms in place. The crate tells only that some point failed, so these go one by one the second time.
fn transform(by: &CoordTransform, xs: &mut [f64], ys: &mut [f64]) {
    let (mut to_x, mut to_y) = (xs.to_vec(), ys.to_vec());
    if by.transform_coords(&mut to_x, &mut to_y, &mut []).is_ok() {
        xs.copy_from_slice(&to_x);
        ys.copy_from_slice(&to_y);
    } else {
        for (x, y) in xs.iter_mut().zip(ys.iter_mut()) {
            let (mut px, mut py) = ([*x], [*y]);
            let done = x.is_finite() && y.is_finite() && by.transform_coords(&mut px, &mut py, &mut []).is_ok();
            (*x, *y) = if done { (px[0], py[0]) } else { (f64::NAN, f64::NAN) };
        }
        said();
    }
    for (x, y) in xs.iter_mut().zip(ys.iter_mut()) {
        if !x.is_finite() || !y.is_finite() {
            (*x, *y) = (f64::NAN, f64::NAN);
        }
    }
}

/// The footprint of a raster in EPSG:3857 metres and its pixel size there; see [`footprint_by`]. Makes a projector of its own:
/// for many rasters of one CRS keep one and call [`footprint_by`](super::footprint_by).
///
/// # Errors
/// As [`GdalProjector::new`] and [`footprint_by`].
pub fn source_footprint(info: &RasterInfo) -> Result<Footprint> {
    footprint_by(info, &GdalProjector::new(&info.crs)?)
}

#[cfg(test)]
mod tests;
