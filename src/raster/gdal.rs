//! GDAL behind the [`Raster`] and [`Projector`] traits, and a GeoTIFF writer.
//!
//! This is the only file of the library, with `catalog/scan.rs`, that knows GDAL's types. Its messages go into our
//! errors and never to stderr.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Once;

use ::gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use ::gdal::spatial_ref::{AxisMappingStrategy, CoordTransform, SpatialRef};
use ::gdal::{Dataset, DriverManager};

use super::{Cells, GeoTransform, Projector, Raster, RasterInfo, Unusable, footprint};
use crate::atomic::{sync_folder, temporary_beside};
use crate::error::{Error, Result};
use crate::tile::Bounds;

thread_local! {
    /// What GDAL said on this thread since the last call of [`said`].
    static MESSAGES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Sets GDAL up: its messages are kept for our errors. Every entry of this file calls it.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        ::gdal::config::set_error_handler(|_class, _number, message| {
            let message = message.to_owned();
            // A message while the thread ends, or from inside the handler, is lost; nothing else is.
            let _ = MESSAGES.try_with(|all| {
                if let Ok(mut all) = all.try_borrow_mut()
                    && all.len() < 16
                {
                    all.push(message);
                }
            });
        });
        // Sidecar files are looked up one by one: listing a folder of 50,000 rasters for each of them is not.
        if ::gdal::config::get_config_option("GDAL_DISABLE_READDIR_ON_OPEN", "").is_ok_and(|v| v.is_empty()) {
            let _ = ::gdal::config::set_config_option("GDAL_DISABLE_READDIR_ON_OPEN", "TRUE");
        }
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
        .map_err(|e| Error::Other(format!("GDAL refuses a cache of {bytes} bytes: {e}")))
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
    all.join("; ")
}

/// An error of the crate as one of ours, with GDAL's own words where it had any.
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

/// The first 60 characters, for messages: WKT is long.
fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

/// A raster opened by GDAL; its first band holds the elevation. Not to be shared between threads, but may move.
pub struct GdalRaster {
    dataset: Dataset,
    info: RasterInfo,
    mask: Mask,
}

/// How cells without a value are known.
#[derive(Clone, Copy, PartialEq)]
enum Mask {
    /// Only NaN.
    None,
    /// The declared nodata value.
    Value(f64),
    /// A mask or alpha band.
    Band,
}

impl GdalRaster {
    /// Opens a raster and reads its header. `assume_crs` (`EPSG:n`, WKT, ...) is for files that have no CRS.
    ///
    /// Costs 0.1 ms for a GeoTIFF in the page cache.
    ///
    /// # Errors
    /// Where the file is missing, is no raster, has no band, no georeference, or no CRS while none is assumed.
    pub fn open(path: impl AsRef<Path>, assume_crs: Option<&str>) -> Result<Self> {
        let path = path.as_ref();
        Self::open_or_why(path, assume_crs)?.map_err(|why| Error::raster(path, why.to_string()))
    }

    /// [`GdalRaster::open`] with the usual reasons apart, for reports.
    ///
    /// # Errors
    /// Only for what is not a matter of the file's content, such as an assumed CRS that nobody knows.
    pub fn open_or_why(path: impl AsRef<Path>, assume_crs: Option<&str>) -> Result<Result<Self, Unusable>> {
        let path = path.as_ref();
        prepare();
        said();
        let dataset = match Dataset::open(path) {
            Ok(dataset) => dataset,
            Err(error) => {
                let words = said();
                return Ok(Err(Unusable::NotARaster(if words.is_empty() { error.to_string() } else { words })));
            }
        };
        let (width, height) = dataset.raster_size();
        let size = |n: usize| u32::try_from(n).map_err(|_| Error::raster(path, "has more than 2^32 cells a side"));
        let (width, height) = (size(width)?, size(height)?);
        if dataset.raster_count() == 0 || width == 0 || height == 0 {
            return Ok(Err(Unusable::NoBand));
        }
        let transform = dataset.geo_transform().ok().map(GeoTransform);
        // The identity is what a file without a georeference gets from some drivers.
        let placed = transform.filter(|t| t.invert().is_some() && t.0 != [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        let Some(transform) = placed else {
            said();
            return Ok(Err(Unusable::NoGeoreference));
        };
        let Some((crs, turn)) = crs_of(&dataset, path, assume_crs)? else { return Ok(Err(Unusable::NoCrs)) };
        let band = dataset.rasterband(1).map_err(failed(path, "can't open band 1"))?;
        let flags = band.mask_flags().map_err(failed(path, "can't read the mask's flags"))?;
        let nodata = band.no_data_value();
        let mask = match nodata {
            Some(value) if flags.is_nodata() => Mask::Value(value),
            _ if flags.is_all_valid() => Mask::None,
            _ => Mask::Band,
        };
        let data_type = type_name(&band.band_type().name());
        let info = RasterInfo {
            path: path.to_path_buf(),
            width,
            height,
            transform,
            crs,
            nodata,
            data_type,
            scale: band.scale().filter(|s| s.is_finite() && *s != 0.0).unwrap_or(1.0),
            offset: band.offset().filter(|o| o.is_finite()).unwrap_or(0.0),
            turn,
        };
        said();
        Ok(Ok(Self { dataset, info, mask }))
    }

    /// Reads the last cell, which lies in the last block: a file that was cut short fails here and not in the middle of
    /// a run.
    ///
    /// # Errors
    /// Where the block can't be read or decoded.
    pub fn probe_end(&mut self) -> Result<()> {
        let (col, row) = (i64::from(self.info.width) - 1, i64::from(self.info.height) - 1);
        self.read_into(&mut Cells::outside(super::Window { col, row, width: 1, height: 1 }))
    }
}

/// The CRS of a dataset, or the assumed one, or none: its definition, and a full turn in its units where geographic.
fn crs_of(dataset: &Dataset, path: &Path, assumed: Option<&str>) -> Result<Option<(String, Option<f64>)>> {
    let own = dataset.spatial_ref().ok().filter(|crs| !crs.is_local() && !crs.to_wkt().unwrap_or_default().is_empty());
    said();
    let crs = match (own, assumed) {
        (Some(crs), _) => crs,
        (None, Some(definition)) => spatial_ref(definition)?,
        (None, None) => return Ok(None),
    };
    let turn = crs.is_geographic().then(|| {
        let unit = crs.angular_units();
        if unit > 0.0 { std::f64::consts::TAU / unit } else { 360.0 }
    });
    // Degrees are kept as radians with rounding: 360.00000000000006 would move cells.
    let turn = turn.map(|t| if (t - 360.0).abs() < 1e-6 { 360.0 } else { t });
    let definition = match crs.authority() {
        Ok(code) => code,
        Err(_) => crs.to_wkt().map_err(failed(path, "can't describe its CRS"))?,
    };
    said();
    Ok(Some((definition, turn)))
}

/// GDAL's name of a cell type as ours.
fn type_name(gdal: &str) -> &'static str {
    match gdal {
        "Byte" => "uint8",
        "Int8" => "int8",
        "UInt16" => "uint16",
        "Int16" => "int16",
        "UInt32" => "uint32",
        "Int32" => "int32",
        "UInt64" => "uint64",
        "Int64" => "int64",
        "Float32" => "float32",
        "Float64" => "float64",
        _ => "unknown",
    }
}

impl Raster for GdalRaster {
    fn info(&self) -> &RasterInfo {
        &self.info
    }

    fn read_into(&mut self, cells: &mut Cells) -> Result<()> {
        let info = &self.info;
        let Some(part) = cells.window.clip(info.width, info.height) else { return Ok(()) };
        let path = &info.path;
        let band = self.dataset.rasterband(1).map_err(failed(path, "can't open band 1"))?;
        let (at, size) = ((part.col as isize, part.row as isize), (part.width, part.height));
        let (scale, offset) = (info.scale, info.offset);
        let mask = match self.mask {
            Mask::Band => {
                let mask = band.open_mask_band().map_err(failed(path, "can't open the mask"))?;
                let flags = mask.read_as::<u8>(at, size, size, None);
                Some(flags.map_err(failed(path, "can't read the mask"))?)
            }
            _ => None,
        };
        let shown = |i: usize| mask.as_ref().is_none_or(|m| m.data()[i] != 0);
        let problem = || failed(path, "can't read its cells; the file may be cut short or damaged");
        if matches!(info.data_type, "float32" | "int16" | "uint16" | "uint8" | "int8") {
            let cell = band.read_as::<f32>(at, size, size, None).map_err(problem())?;
            let single = info.data_type == "float32";
            let nodata = if let Mask::Value(v) = self.mask { v as f32 } else { f32::NAN };
            let plain = scale == 1.0 && offset == 0.0;
            cells.fill(part, |i| {
                let v = cell.data()[i];
                // GDAL's rule for float32: nodata values went through text and may be off in the last bits.
                let none = v == nodata || (single && (v - nodata).abs() < f32::EPSILON * (v + nodata).abs() * 2.0);
                let value = if plain { v } else { (f64::from(v) * scale + offset) as f32 };
                (!none && shown(i)).then_some(value)
            });
        } else {
            let cell = band.read_as::<f64>(at, size, size, None).map_err(problem())?;
            let nodata = if let Mask::Value(v) = self.mask { v } else { f64::NAN };
            cells.fill(part, |i| {
                let v = cell.data()[i];
                (v != nodata && shown(i)).then_some((v * scale + offset) as f32)
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
                Error::Other(format!("no transformation between EPSG:3857 and {}: {words}", shorten(crs)))
            })
        };
        Ok(Self { forward: make(&mercator, &other)?, back: make(&other, &mercator)?, name: shorten(crs) })
    }

    /// The other way: coordinates of the CRS to EPSG:3857 metres, in place; points that have none become NaN.
    ///
    /// # Errors
    /// As [`Projector::to_crs`].
    pub fn to_mercator(&self, xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
        transform(&self.back, xs, ys);
        Ok(())
    }
}

impl Projector for GdalProjector {
    fn to_crs(&self, xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
        transform(&self.forward, xs, ys);
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

/// The footprint of a raster in EPSG:3857 metres and its pixel size there; see [`footprint`]. Makes a projector of its own:
/// for many rasters of one CRS keep one and call [`footprint_by`].
///
/// # Errors
/// As [`GdalProjector::new`] and [`footprint`].
pub fn source_footprint(info: &RasterInfo) -> Result<(Bounds, f64)> {
    footprint_by(info, &GdalProjector::new(&info.crs)?)
}

/// [`source_footprint`] with a projector of the raster's CRS.
///
/// # Errors
/// As [`footprint`].
pub fn footprint_by(info: &RasterInfo, projector: &GdalProjector) -> Result<(Bounds, f64)> {
    footprint(info, &|xs, ys| projector.to_mercator(xs, ys))
}

/// The type of the cells that [`write_geotiff`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeoTiffType {
    /// Signed 16-bit integers; values are rounded half away from zero and clamped.
    I16,
    /// 32-bit floats.
    F32,
}

/// Lossless compressions that [`write_geotiff`] offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeoTiffCompression {
    /// No compression.
    None,
    /// zlib.
    Deflate,
    /// Lempel-Ziv-Welch.
    Lzw,
}

/// What a GeoTIFF of one band shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct GeoTiffSpec {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Where it lies, in coordinates of `crs`.
    pub transform: GeoTransform,
    /// `EPSG:n`, WKT, ...; empty for a file without a CRS.
    pub crs: String,
    /// The type of the cells.
    pub data_type: GeoTiffType,
    /// The nodata value to declare.
    pub nodata: Option<f64>,
    /// The side of square tiles, a multiple of 16; strips where `None`.
    pub tiled: Option<u32>,
    /// The compression.
    pub compress: GeoTiffCompression,
}

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
    let part = temporary_beside(path)?;
    let written = match spec.data_type {
        GeoTiffType::F32 => write_blocks::<f32>(&part, spec, cells, |v| v),
        GeoTiffType::I16 => write_blocks::<i16>(&part, spec, cells, |v| v.round() as i16),
    };
    let done = written.and_then(|()| {
        std::fs::File::open(&part).and_then(|f| f.sync_all()).map_err(Error::io("flush", &part))?;
        std::fs::rename(&part, path).map_err(Error::io("rename into place", path))?;
        sync_folder(path)
    });
    if done.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    done
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

#[cfg(test)]
mod tests {
    use super::super::{State, Window};
    use super::*;

    fn spec(data_type: GeoTiffType, tiled: Option<u32>, compress: GeoTiffCompression) -> GeoTiffSpec {
        let transform = GeoTransform::north_up(138.5, 35.25, 0.125, 0.125);
        let (width, height, crs, nodata) = (37, 21, "EPSG:6668".into(), Some(-9999.0));
        GeoTiffSpec { width, height, transform, crs, data_type, nodata, tiled, compress }
    }

    #[test]
    fn what_is_written_is_read_back_and_written_again_to_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let cells: Vec<f32> = (0..37 * 21).map(|i| if i % 50 == 7 { -9999.0 } else { i as f32 }).collect();
        for data_type in [GeoTiffType::I16, GeoTiffType::F32] {
            for tiled in [None, Some(16)] {
                for compress in [GeoTiffCompression::None, GeoTiffCompression::Deflate, GeoTiffCompression::Lzw] {
                    let spec = spec(data_type, tiled, compress);
                    let (one, two) = (folder.path().join("1.tif"), folder.path().join("2.tif"));
                    write_geotiff(&one, &spec, &cells).unwrap();
                    write_geotiff(&two, &spec, &cells).unwrap();
                    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap(), "{spec:?}");
                    let mut raster = GdalRaster::open(&one, None).unwrap();
                    let info = raster.info();
                    assert_eq!((info.width, info.height, info.nodata), (37, 21, Some(-9999.0)));
                    assert_eq!(
                        (info.crs.as_str(), info.turn, info.transform),
                        ("EPSG:6668", Some(360.0), spec.transform)
                    );
                    raster.probe_end().unwrap();
                    let mut read = Cells::outside(Window { col: -1, row: -1, width: 39, height: 23 });
                    raster.read_into(&mut read).unwrap();
                    for (i, &want) in cells.iter().enumerate() {
                        let at = (i / 37 + 1) * 39 + i % 37 + 1;
                        let state = if want == -9999.0 { State::NODATA } else { State::VALID };
                        assert_eq!(read.state[at], state);
                        assert_eq!(read.values[at], if state == State::VALID { want } else { 0.0 });
                    }
                    assert_eq!(read.state.iter().filter(|&&s| s == State::OUTSIDE).count(), 39 * 23 - 37 * 21);
                }
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no file is left beside the targets");
    }

    #[test]
    fn files_that_cant_be_used_say_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tif");
        let mut spec = spec(GeoTiffType::F32, None, GeoTiffCompression::None);
        assert!(write_geotiff(&path, &spec, &[0.0]).unwrap_err().to_string().contains("37 columns"));
        spec.crs.clear();
        write_geotiff(&path, &spec, &vec![1.0; 37 * 21]).unwrap();
        let problem = |assume| GdalRaster::open(&path, assume).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(problem(None).contains("no CRS"), "{}", problem(None));
        assert_eq!(problem(Some("EPSG:4326")), "");
        assert!(problem(Some("EPSG:0")).contains("not known"), "{}", problem(Some("EPSG:0")));
        std::fs::write(&path, "text").unwrap();
        assert!(problem(None).contains("not a raster"), "{}", problem(None));
    }

    #[test]
    fn points_beyond_a_crs_become_nan_and_the_others_stay_right() {
        let to_degrees = GdalProjector::new("EPSG:4326").unwrap();
        let (mut xs, mut ys) = ([0.0, f64::NAN, 15_550_408.91], [0.0, 1.0, 4_257_980.73]);
        to_degrees.to_crs(&mut xs, &mut ys).unwrap();
        assert!(xs[1].is_nan() && ys[1].is_nan());
        assert!((xs[2] - 139.691_7).abs() < 1e-3 && (ys[2] - 35.689_5).abs() < 1e-2, "{} {}", xs[2], ys[2]);
        let (mut xs, mut ys) = ([138.0, 0.0], [35.0, 0.0]);
        to_degrees.to_mercator(&mut xs, &mut ys).unwrap();
        let want = crate::tile::web_mercator::from_lon_lat(138.0, 35.0);
        assert!((xs[0] - want.0).abs() < 1e-6 && (ys[0] - want.1).abs() < 1e-6);
    }
}
