//! Indices of a store's records for other programs: GeoJSON, FlatGeobuf, GeoPackages that GDAL opens as a mosaic, STAC-GeoParquet, and MosaicJSON.
//!
//! All formats but MosaicJSON carry the same [columns](columns::COLUMNS). FlatGeobuf, GeoPackage and STAC-GeoParquet keep footprints in EPSG:3857
//! to the last bit, and [`catalog`](crate::catalog) reads them back; a store built from them holds the same records.
//!
//! ```
//! # use std::io::Cursor;
//! # use hypso::store::{self, DataType, RecordInput, SourceInput, Store};
//! # use hypso::tile::Bounds;
//! use hypso::export::{self, Format, Options};
//! # let sources = [SourceInput { name: "a".into(), ..Default::default() }];
//! # let records = [RecordInput {
//! #     source: 0, path: "a.tif".into(), bounds: Bounds::from_lon_lat(138.0, 35.0, 139.0, 36.0), pixel_size: 5.0,
//! #     width: 10, height: 10, crs: String::new(), nodata: None, data_type: DataType::F32, file_size: 0, modified_ns: 0, ..RecordInput::default()
//! # }];
//! # let store = Store::from_bytes(store::write(Cursor::new(Vec::new()), &sources, &records, &Default::default())?.into_inner())?;
//! # let folder = tempfile::tempdir().unwrap();
//! let output = folder.path().join("footprints.geojson");
//! let summary = export::export(&store, &output, &Options::new(Format::GeoJson), &hypso::progress::Silent)?;
//! assert_eq!(summary.records, 1);
//! # Ok::<(), hypso::Error>(())
//! ```

pub mod columns;
mod flatgeobuf;
pub mod geojson;
mod gti;
mod mosaicjson;
mod rows;
#[cfg(feature = "geoparquet")]
mod stac_geoparquet;

use std::io::{BufWriter, Write};
use std::path::Path;

use columns::{COLUMNS, Value, values};
use rows::Rows;

use crate::atomic::{AtomicFile, refuse_existing, refuse_journals};
use crate::column::RaggedLayout;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::raster::{self, TableForm};
use crate::store::Store;
use crate::tile::LonLatBox;
use crate::url;

/// The name of the layer in formats that name layers.
const LAYER: &str = "footprints";

/// The format of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One GeoJSON feature collection, longitude and latitude.
    GeoJson,
    /// One GeoJSON feature a line.
    GeoJsonSeq,
    /// FlatGeobuf with a spatial index, EPSG:3857.
    FlatGeobuf,
    /// A GeoPackage for GDAL's raster tile index, EPSG:3857. Needs the feature `gdal`.
    Gti,
    /// STAC-GeoParquet 1.0: an item for each record, longitude and latitude. Needs the feature `geoparquet`.
    StacGeoParquet,
    /// MosaicJSON 0.0.3: the rasters of each tile of one zoom, for tilers.
    MosaicJson,
}

impl Format {
    /// The format that a file name asks for by its extension; `None` for other extensions. Names that end with `mosaic.json` are
    /// of MosaicJSON.
    #[must_use]
    pub fn from_path(path: &Path) -> Option<Self> {
        if path.file_name()?.to_string_lossy().to_ascii_lowercase().ends_with("mosaic.json") {
            return Some(Self::MosaicJson);
        }
        match path.extension()?.to_string_lossy().to_ascii_lowercase().as_str() {
            "geojson" | "json" => Some(Self::GeoJson),
            "geojsonl" | "geojsons" | "ndjson" => Some(Self::GeoJsonSeq),
            "fgb" => Some(Self::FlatGeobuf),
            "gpkg" => Some(Self::Gti),
            "parquet" | "geoparquet" => Some(Self::StacGeoParquet),
            "mosaicjson" => Some(Self::MosaicJson),
            _ => None,
        }
    }
}

/// What to export, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The format.
    pub format: Format,
    /// The names of the sources to take; empty: all.
    pub sources: Vec<String>,
    /// Take the records that share area with one of these boxes; empty: all.
    pub boxes: Vec<LonLatBox>,
    /// Write locations relative to the folder of the output.
    pub relative: bool,
    /// Replace an existing file.
    pub overwrite: bool,
}

impl Options {
    /// All records with absolute locations.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format, sources: Vec::new(), boxes: Vec::new(), relative: false, overwrite: false }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Records that were taken.
    pub records: u64,
    /// The size of the file, bytes.
    pub file_size: u64,
}

/// Writes records of a store to `output`, which appears whole or not at all.
///
/// Ranks and priorities are those of the whole store, whichever records are exported. Memory holds a row
/// number for each one inside [`Options::boxes`]; FlatGeobuf needs some 60 bytes more for each record, MosaicJSON its location and at
/// most 256 bytes, and STAC-GeoParquet holds 32 768 records.
///
/// # Errors
/// Where no record is chosen or none lies where MosaicJSON has tiles, the output exists or can't be written, the store is damaged, the format
/// needs GDAL or Parquet and this build has none, or the user interrupts.
pub fn export(store: &Store, output: &Path, options: &Options, progress: &dyn Progress) -> Result<Summary> {
    refuse_existing(output, options.overwrite)?;
    let mut rows = Rows::choose(store, &options.sources, &options.boxes, progress)?;
    let records = rows.records().count() as u64;
    if records == 0 {
        let problem = "no record lies inside the boxes and the sources asked for; nothing is written";
        return Err(Error::not_found(problem));
    }
    if options.relative {
        let folder = output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        rows.relative_to(folder.canonicalize().map_err(Error::io("open", folder))?);
    }
    let mut file = match options.format {
        Format::Gti => geopackage(&rows, output)?,
        format => {
            let mut file = AtomicFile::create(output)?;
            let mut out = BufWriter::new(file.file());
            match format {
                Format::FlatGeobuf => flatgeobuf::write(&rows, &mut out, output)?,
                Format::MosaicJson => mosaicjson::write(&rows, &mut out, output)?,
                Format::StacGeoParquet => parquet(&rows, &mut out, output)?,
                _ => geojson::write(&rows, &mut out, output, format == Format::GeoJsonSeq)?,
            }
            out.flush().map_err(Error::io("write", output))?;
            drop(out);
            file
        }
    };
    // Other programs need the whole URL, as hypso does.
    if holds_secret(store)? {
        file.make_private()?;
    }
    let file_size = file.file().metadata().map_err(Error::io("read the size of", output))?.len();
    if options.overwrite { file.commit() } else { file.commit_new() }?;
    Ok(Summary { records, file_size })
}

/// True where a name of a raster opens doors: a signed URL, or one with a password.
fn holds_secret(store: &Store) -> Result<bool> {
    let mut found = false;
    for source in store.sources().iter() {
        found |= url::holds_secret(&source.root()?);
    }
    let paths = RaggedLayout::find(store.sections(), "record.path", u64::from(store.len()))?;
    paths.over(store.bytes()).for_each(|_, path| {
        found |= std::str::from_utf8(path).is_ok_and(url::holds_secret);
        Ok(())
    })?;
    Ok(found)
}

#[cfg(feature = "geoparquet")]
use stac_geoparquet::write as parquet;

#[cfg(not(feature = "geoparquet"))]
fn parquet(_: &Rows, _: impl Write + Send, output: &Path) -> Result<()> {
    Err(Error::argument(
        output.display().to_string(),
        "can't be written: this program was built without Parquet; write FlatGeobuf or GeoJSON instead, or build it with the feature geoparquet",
    ))
}

/// A GeoPackage that GDAL 3.9 and later open as a raster (GTI, the raster tile index), and that every GIS opens as a table
/// of footprints.
fn geopackage(rows: &Rows, output: &Path) -> Result<AtomicFile> {
    let Ok(reader) = raster::reader() else {
        return Err(Error::argument(
            output.display().to_string(),
            "can't be written: GDAL makes GeoPackages, and this program has none; write FlatGeobuf instead (.gti.fgb, which GDAL opens \
             as GTI too)",
        ));
    };
    refuse_journals(output)?;
    let items = gti::items(rows.records());
    let form = TableForm { layer: LAYER, fields: &COLUMNS, items: &items };
    AtomicFile::made_by(output, "gpkg", |path| {
        reader.tables().write(path, output, &form, &mut |put| {
            rows.for_each(|row| put(&values(row).map(Value::field), &row.record.bounds()))?;
            rows.progress.begin("committing and indexing", None, "records");
            Ok(())
        })?;
        rows.progress.end();
        Ok(())
    })
}
