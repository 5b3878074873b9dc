//! `hypso export`: the records of a store as an index that other programs read.

use std::path::{Path, PathBuf};

use super::area::BoxArgs;
use super::observed::Touched;
use super::progress::Terminal;
use super::store_file::{self, Care};
use super::{Outcome, exit, output};
use crate::error::{Error, Result};
use crate::export::columns::SourceTexts;
use crate::export::{self, Options};
use crate::raster::Adjustment;
use crate::store::{RecordRef, Store};

/// Export the footprints of a store as GeoJSON, FlatGeobuf, GeoPackage, STAC-GeoParquet or MosaicJSON.
///
/// All formats but MosaicJSON carry the attributes of records. FlatGeobuf, GeoPackage and STAC-GeoParquet keep footprints in EPSG:3857 to the
/// last bit; `hypso build` reads them back without opening a raster. GDAL 3.9 and later open them as one raster where the name ends
/// with .gti.gpkg or .gti.fgb. MosaicJSON gives tilers (cogeo-mosaic, titiler) the rasters of each tile, best first.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso export japan.hypso -o japan.geojson\n  hypso export japan.hypso -o japan.gti.gpkg && gdalinfo japan.gti.gpkg\n  hypso export japan.hypso -o fuji.fgb --bbox 138.6,35.2,138.9,35.5 --source dem5a\n  hypso export japan.hypso -o /data/dem/japan.gti.fgb --relative\n  hypso export japan.hypso -o japan.mosaicjson\n  hypso export japan.hypso -o japan.parquet"
)]
pub struct Args {
    /// The store.
    store: PathBuf,
    /// The file to write; its extension says the format: .geojson, .geojsonl, .fgb, .gpkg, .parquet, .mosaicjson.
    #[arg(short, long)]
    output: PathBuf,
    /// The format, where the extension does not say it.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Take the records of this source; may be given several times [default: all].
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    #[command(flatten)]
    boxes: BoxArgs,
    /// Name rasters relative to the folder of the output, so that both can be moved together.
    #[arg(long)]
    relative: bool,
    /// Replace an existing file.
    #[arg(long)]
    overwrite: bool,
}

/// The formats, as the command line names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One GeoJSON feature collection (RFC 7946, longitude and latitude).
    Geojson,
    /// One GeoJSON feature a line.
    Geojsonseq,
    /// FlatGeobuf with a spatial index, EPSG:3857.
    Flatgeobuf,
    /// A GeoPackage for GDAL's raster tile index, EPSG:3857.
    Gti,
    /// STAC-GeoParquet 1.0: an item of a SpatioTemporal Asset Catalog for each record, longitude and latitude.
    StacGeoparquet,
    /// MosaicJSON 0.0.3: the rasters of each tile of one zoom, for tilers. They look for relative names in the folder they run in.
    Mosaicjson,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.store], [&self.output])
    }

    /// True where GDAL writes the output.
    pub fn writes_geopackage(&self) -> bool {
        format(self).is_ok_and(|format| format == export::Format::Gti)
    }
}

pub fn run(args: &Args) -> Outcome {
    let started = std::time::Instant::now();
    let format = format(args)?;
    let store = store_file::open(&args.store, Care::Quick)?;
    if crate::local::same_file(&args.output, &args.store) {
        return super::usage("--output", "is the store itself; choose another name");
    }
    refuse_raster(&store, &args.output)?;
    let options = Options {
        sources: args.source.clone(),
        boxes: args.boxes.bbox.clone(),
        relative: args.relative,
        overwrite: args.overwrite,
        ..Options::new(format)
    };
    let summary = export::export(&store, &args.output, &options, &Terminal::default())?;
    output::line(format!(
        "{}: {}, {}, {}",
        output::path(&args.output),
        output::counted(summary.records, "record"),
        output::bytes(summary.file_size),
        output::duration(started.elapsed()),
    ))?;
    if let Some(names) = adjusted(&store, &args.source)? {
        let others = if format == export::Format::MosaicJson {
            "MosaicJSON can't say so, and its readers give the values of the files"
        } else {
            "hypso build reads that back, other readers must take the band, unit (metres) and scale of these columns, add the \
             column offset (metres) and take the values in more_nodata as no value"
        };
        super::say(&format!("warning: heights of {names} are adjusted in this store; {others}"));
    }
    super::say(&next(&args.output, format));
    Ok(exit::OK)
}

/// Refuses an output that is one of the rasters.
fn refuse_raster(store: &Store, output: &Path) -> Result<()> {
    if !output.exists() {
        return Ok(());
    }
    let rasters = store.records().iter().map(|record| record.full_path()).collect::<Result<Vec<_>>>()?;
    crate::atomic::refuse_inputs(output, rasters)
}

fn format(args: &Args) -> Result<export::Format> {
    let by_name = args.format.map(|format| match format {
        Format::Geojson => export::Format::GeoJson,
        Format::Geojsonseq => export::Format::GeoJsonSeq,
        Format::Flatgeobuf => export::Format::FlatGeobuf,
        Format::Gti => export::Format::Gti,
        Format::StacGeoparquet => export::Format::StacGeoParquet,
        Format::Mosaicjson => export::Format::MosaicJson,
    });
    by_name.or_else(|| export::Format::from_path(&args.output)).ok_or_else(|| {
        let problem = format!(
            "{} has none of the extensions .geojson, .geojsonl, .fgb, .gpkg, .parquet and .mosaicjson; rename it, or say --format",
            args.output.display()
        );
        Error::argument("--output", problem)
    })
}

/// The names of the sources, of those that are wanted (none: all), whose values are not those of their files.
fn adjusted(store: &Store, wanted: &[String]) -> Result<Option<String>> {
    let mut names = Vec::new();
    // Columns that no record needs are not there.
    let some = ["record.unit", "record.scale"].iter().any(|name| store.column::<f64>(name).is_ok())
        || store.column::<u32>("record.band").is_ok();
    for source in store.sources().iter() {
        let texts = SourceTexts::of(&source)?;
        let own = |r: RecordRef<'_>| r.band() > 0 || r.unit() != 0.0 || r.scale() != 0.0;
        let adjusted = texts.adjustment != Adjustment::default()
            || (some && store.records().iter().any(|r| r.source_index() == source.index() && own(r)));
        if adjusted && (wanted.is_empty() || wanted.contains(&texts.name)) {
            names.push(texts.name);
        }
    }
    Ok(Some(names.join(", ")).filter(|names| !names.is_empty()))
}

/// What the user may want to do with the file.
fn next(output: &Path, format: export::Format) -> String {
    let (file, name) = (output.display(), output.to_string_lossy().to_lowercase());
    let opens = name.ends_with(".gti.gpkg") || name.ends_with(".gti.fgb");
    let look = if format == export::Format::MosaicJson {
        format!("next: cogeo-mosaic info {file}")
    } else if format == export::Format::StacGeoParquet {
        format!("next: hypso build -o again.hypso {file}, or read it with DuckDB, GeoPandas or stac-geoparquet")
    } else if opens {
        format!("next: gdalinfo {file} (GDAL 3.9 or later)")
    } else {
        format!("next: ogrinfo -so -al {file}")
    };
    if matches!(format, export::Format::FlatGeobuf | export::Format::Gti) {
        return format!("{look}, or hypso build -o again.hypso {file}");
    }
    look
}
