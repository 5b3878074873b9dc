//! The one door to rasters: what the engine asks of whatever reads them. GDAL stands behind it, in `raster/gdal/`.
//!
//! Another reader of rasters is another file: it implements [`RasterReader`], and a program takes it by [`read_by`].

use std::path::Path;
use std::sync::OnceLock;

use super::{
    Adjustment, CogForm, FootprintTables, GeoTiffSpec, Objects, Projector, PutCells, Raster, Unusable, VerticalShift,
};
use crate::error::{Error, Result};
use crate::memory;

/// Opens rasters and coordinate systems: what rendering needs.
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
}

/// A reader of rasters: all that a catalogue, an index and a command need besides. Shared by threads; what it opens is not.
pub trait RasterReader: RasterOpener + Sync + std::fmt::Debug {
    /// [`RasterOpener::open`] with the usual reasons apart, for reports.
    ///
    /// # Errors
    /// Only for what is not a matter of the file's content, such as an assumed CRS that nobody knows.
    fn open_or_why(
        &self,
        path: &Path,
        assume_crs: Option<&str>,
        by: &Adjustment,
    ) -> Result<Result<Box<dyn Raster>, Unusable>>;

    /// Asks whether a CRS is known: `EPSG:n`, WKT, PROJJSON or a PROJ string.
    ///
    /// # Errors
    /// Where it is not; with the reader's words.
    fn check_crs(&self, definition: &str) -> Result<()>;

    /// Asks whether a vertical datum is known: `EPSG:n` of a vertical CRS, or `ellipsoid`.
    ///
    /// # Errors
    /// Where it is not.
    fn check_datum(&self, datum: &str) -> Result<()>;

    /// The way between degrees on WGS 84 and a CRS; it shares nothing with [`RasterOpener::projector`], so that one can be
    /// checked against the other.
    ///
    /// # Errors
    /// Where the CRS is not known, or there is no way to it.
    fn degrees(&self, crs: &str) -> Result<Box<dyn Degrees>>;

    /// Reads and writes indices of rasters.
    fn tables(&self) -> &dyn FootprintTables;

    /// Asks about objects on the network.
    fn objects(&self) -> &dyn Objects;

    /// Writes a Cloud-Optimised GeoTIFF, which appears whole or not at all. `fill` is called once, and puts windows of cells in any
    /// order. Memory holds no more than some windows.
    ///
    /// # Errors
    /// Those of `fill`; where the output exists and `overwrite` is false, or can't be written.
    fn write_cog(
        &self,
        path: &Path,
        form: &CogForm,
        overwrite: bool,
        fill: &mut dyn FnMut(&mut PutCells<'_>) -> Result<()>,
    ) -> Result<()>;

    /// Writes a GeoTIFF from its cells, row by row from the top: beside the target first, then renamed onto it. The same cells and
    /// spec give the same bytes.
    ///
    /// # Errors
    /// Where the number of cells is not width times height, the spec is impossible, or the disk refuses.
    fn write_geotiff(&self, path: &Path, spec: &GeoTiffSpec, cells: &[f32]) -> Result<()>;

    /// Bounds what the process keeps of decoded blocks, bytes. Call it before the first raster is read.
    ///
    /// # Errors
    /// Where the reader refuses the bound.
    fn limit_cache(&self, bytes: u64) -> Result<()>;

    /// Lets rasters be read over the network from here on. Call it before the first one is opened; it can't be taken back.
    fn allow_remote(&self);

    /// True where rasters may be read over the network.
    fn remote_allowed(&self) -> bool;
}

/// The way between longitudes and latitudes in degrees on WGS 84 and a CRS.
pub trait Degrees {
    /// Longitudes and latitudes to coordinates, in place; points that have none become NaN.
    fn to_crs(&self, xs: &mut [f64], ys: &mut [f64]);

    /// Coordinates to longitudes and latitudes, in place.
    fn to_degrees(&self, xs: &mut [f64], ys: &mut [f64]);
}

static READER: OnceLock<&'static dyn RasterReader> = OnceLock::new();

/// Makes this process read rasters by `reader` from here on, in all rooms that are not given one. The first call decides.
///
/// A program that never calls it is linked without what stands behind the reader, and starts without loading it.
pub fn read_by(reader: &'static dyn RasterReader) {
    READER.get_or_init(|| reader);
}

/// The reader of rasters of this process.
///
/// # Errors
/// Where it has none: see [`read_by`].
pub fn reader() -> Result<&'static dyn RasterReader> {
    #[cfg(all(test, feature = "gdal"))]
    read_by(&super::gdal::GdalOpener);
    READER
        .get()
        .copied()
        .ok_or_else(|| Error::argument("rasters", "can't be read: this program has no reader of rasters"))
}

/// Blocks up to this size are read without asking, bytes: no process is meant to work with less.
pub const SMALL_BLOCK: u64 = 4 << 20;
