//! `hypso build`: from rasters to a store.

use std::path::{Path, PathBuf};

use super::output;
use super::progress::Terminal;
use super::store_file::{self, Care};
use super::values::{self, one_of};
use super::{Outcome, exit, rejected};
use crate::atomic::{check_output, holds, refuse_inputs, write_whole};
use crate::catalog::{self, Known, Location, OnError, Options, SourceSpec, Survey};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::store::{Builder, Parameters, SourceInput, Store};

/// Build a store from folders of rasters, globs, bounds.csv files or tile indices, in the order of priority.
///
/// Reads the headers of rasters only. A bounds.csv (filename,left,bottom,right,top,width,height in EPSG:3857 metres) is
/// taken as it is, without opening a raster. So is a tile index (.gpkg, .fgb) that `hypso export` made, with all its
/// sources; of any other tile index (.gpkg, .fgb, .shp, .geojson with a field `location`) the rasters are read.
///
/// What the files do not say of themselves, or say wrong, a hypso.toml says of their source: offset, nodata, unit, scale and
/// band. One in the folder of the source or above it is found; --write-config writes one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso build -o japan.hypso dem1a/ dem5a/ dem10b/\n  hypso build -o japan.hypso fine='survey/*.tif' coarse=srtm/bounds.csv\n  hypso build -o japan.hypso japan.gti.gpkg\n  hypso build -o japan.hypso --config hypso.toml\n  hypso build -o japan.hypso dem1a/ dem5a/ --write-config hypso.toml\n  hypso build -o japan.hypso dem1a/ dem5a/ --update"
)]
pub struct Args {
    #[command(flatten)]
    catalog: CatalogArgs,
    /// The store to write.
    #[arg(short, long)]
    output: PathBuf,
    /// Pixels along a tile's side: 256, 512 or 1024.
    #[arg(long, default_value_t = 512, value_name = "PIXELS", value_parser = values::tile_size)]
    tile_size: u32,
    /// Write the sources as a TOML file, to be completed with attribution, licence and vertical datum.
    #[arg(long, value_name = "FILE")]
    write_config: Option<PathBuf>,
    /// Write the footprints as a bounds.csv, so that a later build opens no raster (one source only).
    #[arg(long, value_name = "FILE")]
    write_bounds: Option<PathBuf>,
    /// Replace an existing store, and existing files of --write-config and --write-bounds.
    #[arg(long)]
    overwrite: bool,
    /// Take what an existing store holds of files that have not changed (path, size, time), and look only into the
    /// others; the result is the same as a new build's.
    #[arg(long, conflicts_with = "overwrite")]
    update: bool,
}

/// Where the records come from.
#[derive(Debug, Clone, clap::Args)]
pub struct CatalogArgs {
    /// [NAME=]FOLDER, [NAME=]GLOB, [NAME=]bounds.csv or [NAME=]INDEX; the first one wins wherever it has data.
    #[arg(value_name = "SOURCE", required_unless_present = "config")]
    sources: Vec<String>,
    /// A TOML file that lists sources with attribution, licence and vertical datum.
    #[arg(long, value_name = "FILE", conflicts_with = "sources")]
    config: Option<PathBuf>,
    /// What to do with files that can't be used: fail, or skip them (the first 20 are listed either way).
    #[arg(long, default_value = "fail", value_name = "RULE", value_parser = one_of::<OnError>())]
    on_error: OnError,
    /// With --on-error skip: end with exit code 4 where more than this part of the files was skipped.
    #[arg(long, value_name = "PERCENT", value_parser = values::percent, hide_short_help = true)]
    alert_skipped: Option<f64>,
    /// The CRS of files that have none, such as EPSG:6668.
    #[arg(long, value_name = "CRS", hide_short_help = true)]
    assume_crs: Option<String>,
    /// Threads that read headers [default: one for each processor].
    #[arg(long, default_value_t = 0, value_name = "COUNT", hide_default_value = true, hide_short_help = true)]
    threads: usize,
}

pub fn run(args: &Args) -> Outcome {
    check_output(&args.output, args.overwrite || args.update)?;
    check_written(args)?;
    let known = if args.update && args.output.exists() {
        Some(Known::new(store_file::open(&args.output, Care::Thorough)?)?)
    } else {
        None
    };
    let Built { specs, store, alert } =
        build(&args.catalog, &args.output, args.tile_size, known.as_ref(), &|_| Ok(()))?;
    if let Some(path) = &args.write_config {
        write_whole(path, catalog::config::text(path, &specs)?.as_bytes(), args.overwrite)?;
        super::say(&format!(
            "{}: sources written; complete attribution, licence and vertical datum, then build with --config",
            path.display()
        ));
    }
    if let Some(path) = &args.write_bounds {
        if store.sources().len() != 1 {
            return super::usage("--write-bounds", "works with one source; a bounds.csv has no column for it");
        }
        let mut records = Vec::new();
        store.each_input(|record| {
            records.push(record);
            Ok(())
        })?;
        records.sort_by(|a, b| a.path.cmp(&b.path));
        let renews = args.overwrite || args.update && is_bounds_csv(path);
        write_whole(path, &catalog::bounds_csv::text(&records)?, renews)?;
        super::say(&format!("{}: {} footprints written", path.display(), output::count(u64::from(store.len()))));
    }
    super::say(&format!(
        "next: hypso info {0}, or hypso aggregate {0} -o {1}",
        args.output.display(),
        args.output.with_extension("pmtiles").display()
    ));
    Ok(if alert { exit::ALERT } else { exit::OK })
}

/// Looks at the places of the other files before the scan, which may take long.
fn check_written(args: &Args) -> Result<()> {
    let mut taken = vec![args.output.as_path()];
    if let Some(path) = &args.write_config {
        let same = catalog::config::text(path, &specs(&args.catalog)?)?;
        let same = holds(path, same.as_bytes());
        written_apart(path, &taken)?;
        check_output(path, args.overwrite || same)?;
        if !same {
            refuse_inputs(path, inputs(&args.catalog)?)?;
        }
        taken.push(path);
    }
    if let Some(path) = &args.write_bounds {
        written_apart(path, &taken)?;
        check_output(path, args.overwrite || args.update && is_bounds_csv(path))?;
        refuse_inputs(path, inputs(&args.catalog)?)?;
    }
    Ok(())
}

/// Refuses one name for two files.
fn written_apart(path: &Path, others: &[&Path]) -> Result<()> {
    if others.iter().any(|other| std::path::absolute(other).ok() == std::path::absolute(path).ok()) {
        return Err(Error::argument(
            path.display().to_string(),
            "is the name of two files to write; choose another one",
        ));
    }
    Ok(())
}

/// The files that say which rasters there are.
fn inputs(args: &CatalogArgs) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = args.config.iter().cloned().collect();
    for spec in specs(args)? {
        if let Location::BoundsCsv(path) | Location::Index(path) = spec.location {
            files.push(path);
        }
    }
    Ok(files)
}

fn is_bounds_csv(path: &Path) -> bool {
    let head = b"filename,left,bottom,right,top,width,height";
    crate::local::start(path, head.len() as u64) == head
}

/// A store that was built.
pub struct Built {
    pub specs: Vec<SourceSpec>,
    pub store: Store,
    /// More files were skipped than the user allows.
    pub alert: bool,
}

/// Scans the sources and writes the store; says what was found and what was left out. `may_replace` is asked before the scan,
/// with the sources of the new store.
pub fn build(
    args: &CatalogArgs,
    output: &Path,
    tile_size: u32,
    known: Option<&Known>,
    may_replace: &dyn Fn(&[SourceInput]) -> Result<()>,
) -> Result<Built> {
    let started = std::time::Instant::now();
    let on_error = args.on_error;
    // Says at once where the folder is missing or the name is a folder's.
    crate::atomic::check_target(output)?;
    let specs = specs(args)?;
    let progress = Terminal::default();
    let options = Options { threads: args.threads, on_error: OnError::Skip, assume_crs: args.assume_crs.clone() };
    let survey = Survey::new(&specs, &options, &progress)?;
    let sources = survey.sources.clone();
    may_replace(&sources)?;
    // A store is no raster; anything else may be one of those that are read.
    let other = output.exists() && !store_file::looks_like_one(output);
    if other {
        refuse_inputs(output, inputs(args)?)?;
    }
    for (source, unread) in survey.unread() {
        super::say(&format!("not read, source {}: {unread}", sources[*source].name));
    }
    let parameters = Parameters { tile_size, metadata: catalog::notes(&survey) };
    let mut builder = Builder::new(&sources, &parameters)?.scratch_beside(output).progress(&progress);
    let scanned = survey.each_record(&options, known, &progress, &mut |record| {
        if other {
            let raster = sources.get(record.source).map(|source| source.root.join(&record.path));
            refuse_inputs(output, raster)?;
        }
        builder.add(&record)
    });
    progress.end();
    let scanned = scanned?;
    if !scanned.rejected.is_empty() {
        rejected::say(&scanned.rejected, &sources);
        if matches!(on_error, OnError::Fail) {
            let problem = format!(
                "{} of {} can't be used (see above); mend or move what can't, or say --on-error skip",
                scanned.rejected.len(),
                output::counted(scanned.rejected.len() as u64 + scanned.records, "file")
            );
            return Err(Error::Incomplete { problem });
        }
    }
    for ((source, unit), files) in &scanned.units {
        super::say(&format!(
            "source {}: heights in {} are {unit}, and converted to metres",
            sources[*source].name,
            output::counted(*files, "file")
        ));
    }
    if scanned.records == 0 {
        return Err(Error::not_found("no file can be used; nothing is written"));
    }
    builder.finish_file(output)?;
    progress.end();
    let store = Store::open(output)?;
    let mut rows = vec![["priority", "source", "records", "native zooms"].map(String::from).to_vec()];
    for source in store.sources().iter() {
        let zooms = store.records().iter().filter(|r| r.source_index() == source.index()).map(|r| r.native_zoom());
        let (min, max) = zooms.fold((u8::MAX, 0), |(a, b), z| (a.min(z), b.max(z)));
        let zooms = if source.record_count() == 0 {
            "-".into()
        } else if min == max {
            min.to_string()
        } else {
            format!("{min}-{max}")
        };
        rows.push(vec![
            source.index().to_string(),
            source.name()?.into_owned(),
            output::count(source.record_count()),
            zooms,
        ]);
    }
    super::say_table(&output::table(&rows, &[0, 2]));
    let mut notes = String::new();
    if known.is_some() {
        let read = scanned.records - scanned.reused;
        notes = format!(", {} unchanged, {} read", output::count(scanned.reused), output::count(read));
    }
    if !scanned.rejected.is_empty() {
        notes += &format!(", {} skipped", output::counted(scanned.rejected.len() as u64, "file"));
    }
    super::say(&format!(
        "{}: {}{notes}, {}, {}",
        output.display(),
        output::counted(u64::from(store.len()), "record"),
        output::bytes(store.bytes().len() as u64),
        output::duration(started.elapsed()),
    ));
    let skipped = scanned.rejected.len() as f64;
    let percent = skipped / (skipped + scanned.records as f64) * 100.0;
    let alert = args.alert_skipped.is_some_and(|limit| percent > limit);
    if alert {
        super::say(&format!("alert: {percent:.2} % of the files were skipped"));
    }
    Ok(Built { specs, store, alert })
}

fn specs(args: &CatalogArgs) -> Result<Vec<SourceSpec>> {
    if let Some(path) = &args.config {
        return catalog::config::read(path);
    }
    let specs = args.sources.iter().map(|s| SourceSpec::parse(s)).collect::<Result<Vec<_>>>()?;
    let (mut specs, gathered) = catalog::gather(specs);
    for (name, files) in gathered {
        super::say(&format!(
            "{name}: {files} files that were given one by one are one source; name their folder, or quote the pattern"
        ));
    }
    for spec in &mut specs {
        complete(spec)?;
    }
    catalog::check_names(&specs)?;
    Ok(specs)
}

/// Takes attribution, licence and datum from a `hypso.toml` in the source's folder or the one above, where it names the
/// same place. A tile index may hold the rasters of other folders, and says itself what it knows of them.
fn complete(spec: &mut SourceSpec) -> Result<()> {
    if matches!(spec.location, Location::Index(_)) {
        return Ok(());
    }
    let root = spec.location.root();
    let Ok(root) = root.canonicalize() else { return Ok(()) };
    let above = root.parent().map(Path::to_path_buf);
    for folder in [Some(root.clone()), above].into_iter().flatten() {
        let path = folder.join("hypso.toml");
        if !path.is_file() {
            continue;
        }
        let known = catalog::config::read(&path)?;
        let same = |other: &&SourceSpec| other.location.root().canonicalize().is_ok_and(|r| r == root);
        if let Some(found) = known.iter().find(same) {
            spec.attribution.clone_from(&found.attribution);
            spec.licence.clone_from(&found.licence);
            spec.vertical_datum.clone_from(&found.vertical_datum);
            spec.assume_crs = spec.assume_crs.take().or_else(|| found.assume_crs.clone());
            (spec.offset, spec.nodata) = (found.offset, found.nodata.clone());
            (spec.band, spec.unit, spec.scale) = (found.band, found.unit.clone(), found.scale);
            return Ok(());
        }
    }
    Ok(())
}
