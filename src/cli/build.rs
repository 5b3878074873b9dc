//! `hypso build`: from rasters to a store.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::observed::Touched;
use super::output;
use super::progress::Terminal;
use super::store_file::{self, Care};
use super::values::{self, one_of};
use super::{Outcome, quality, rejected};
use crate::atomic::{check_output, holds, refuse_inputs, write_whole};
use crate::catalog::{self, Known, Made, MakeOptions, OnError, Options, Scanned, SourceSpec, Step, bounds_csv};
use crate::error::{Error, Result};
use crate::events::{self, Settings};
use crate::quality::{Figure, Rule, Rules, Severity};
use crate::store::{SourceInput, Store};

/// Build a store from folders of rasters, bounds.csv files or tile indices.
///
/// The first source has the highest priority. Reads the headers of rasters only. A bounds.csv (filename,left,bottom,right,top,width,height in EPSG:3857 metres) is
/// taken as it is, without opening a raster. So is an index (.gpkg, .fgb, .parquet) that `hypso export` made, with all its
/// sources; of any other tile index (.gpkg, .fgb, .shp, .geojson with a field `location`), and of STAC (.json, .parquet), the rasters are read.
///
/// A hypso.toml says what the files of a source do not say, or say wrong: offset, nodata, unit, scale and band. It is found in the
/// folder of the source or the one above. --write-config writes one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso build -o japan.hypso dem1a/ dem5a/ dem10b/\n  hypso build -o japan.hypso fine='survey/*.tif' coarse=srtm/bounds.csv\n  hypso build -o japan.hypso japan.gti.gpkg\n  hypso build -o world.hypso --allow-remote s3://bucket/dem\n  hypso build -o japan.hypso --config hypso.toml\n  hypso build -o japan.hypso dem1a/ dem5a/ --write-config hypso.toml\n  hypso build -o japan.hypso dem1a/ dem5a/ --update"
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
    /// Write the sources as a TOML file. Complete it with attribution, licence and vertical datum.
    #[arg(long, value_name = "FILE")]
    write_config: Option<PathBuf>,
    /// Write the footprints of one source as a bounds.csv, for builds without its rasters.
    #[arg(long, value_name = "FILE")]
    write_bounds: Option<PathBuf>,
    /// Replace an existing store, and existing files of --write-config and --write-bounds.
    #[arg(long)]
    overwrite: bool,
    /// Read only files that are new or changed since the existing store was built.
    ///
    /// What it holds of the others (same path, size and time) is taken over. The result is the same as that of a new build.
    #[arg(long, conflicts_with = "overwrite")]
    update: bool,
}

/// Where the records come from.
#[derive(Debug, Clone, clap::Args)]
pub struct CatalogArgs {
    /// [NAME=]FOLDER, GLOB, bounds.csv, tile index or STAC (JSON, GeoParquet), or URLs of these; the first one wins where it has data.
    #[arg(value_name = "SOURCE", required_unless_present = "config")]
    sources: Vec<String>,
    /// A TOML file that lists sources with attribution, licence and vertical datum.
    #[arg(long, value_name = "FILE", conflicts_with = "sources")]
    config: Option<PathBuf>,
    /// What happens to files that can't be used.
    ///
    /// The first 20 are listed either way.
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

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        let others = [&self.write_config, &self.write_bounds].into_iter().flatten();
        Touched::of(self.catalog.places(), [&self.output].into_iter().chain(others))
    }
}

pub fn run(args: &Args) -> Outcome {
    let rules = args.catalog.rules()?;
    check_output(&args.output, args.overwrite || args.update)?;
    let specs = args.catalog.specs()?;
    check_written(args, &specs)?;
    let known = if args.update && args.output.exists() {
        Some(Known::new(store_file::open(&args.output, Care::Thorough)?)?)
    } else {
        None
    };
    let Built { store, code } =
        build(&args.catalog, &specs, &args.output, args.tile_size, known.as_ref(), &rules, &|_| Ok(()))?;
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
        let renews = args.overwrite || args.update && bounds_csv::is_one(path);
        write_whole(path, &bounds_csv::text_of(&store)?, renews)?;
        super::say(&format!("{}: {} footprints written", path.display(), output::count(u64::from(store.len()))));
    }
    super::say(&format!(
        "next: hypso info {0}, or hypso aggregate {0} -o {1}",
        args.output.display(),
        args.output.with_extension("pmtiles").display()
    ));
    Ok(code)
}

/// Looks at the places of the other files before the scan, which may take long.
fn check_written(args: &Args, specs: &[SourceSpec]) -> Result<()> {
    let inputs = || catalog::lists(specs).chain(args.catalog.config.clone());
    let mut taken = vec![args.output.as_path()];
    if let Some(path) = &args.write_config {
        let same = holds(path, catalog::config::text(path, specs)?.as_bytes());
        written_apart(path, &taken)?;
        check_output(path, args.overwrite || same)?;
        if !same {
            refuse_inputs(path, inputs())?;
        }
        taken.push(path);
    }
    if let Some(path) = &args.write_bounds {
        written_apart(path, &taken)?;
        check_output(path, args.overwrite || args.update && bounds_csv::is_one(path))?;
        refuse_inputs(path, inputs())?;
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

impl CatalogArgs {
    /// The folders that the sources lie in; none where what is given is wrong, which is said later.
    pub fn places(&self) -> Vec<PathBuf> {
        let specs = match &self.config {
            Some(path) => catalog::config::read(path),
            None => catalog::specs_of(&self.sources).map(|(specs, _)| specs),
        };
        specs.unwrap_or_default().iter().map(|spec| spec.location.root()).collect()
    }

    /// The limits that the configuration of the sources sets, else those of the one that operators have; and of the option.
    pub fn rules(&self) -> Result<Rules> {
        let own = self.config.as_deref().map(events::rules_of).transpose()?.flatten();
        let mut rules = own.map_or_else(|| Ok(Settings::read()?.rules), Ok)?;
        self.alert_skipped.into_iter().for_each(|limit| rules.set(Rule::SkippedFiles, Severity::Fail, limit));
        Ok(rules)
    }

    /// The sources, in the order of their priority.
    pub fn specs(&self) -> Result<Vec<SourceSpec>> {
        if let Some(path) = &self.config {
            return catalog::config::read(path);
        }
        let (specs, gathered) = catalog::specs_of(&self.sources)?;
        for (name, files) in gathered {
            super::say(&format!(
                "{name}: {files} files that were given one by one are one source; name their folder, or quote the pattern"
            ));
        }
        Ok(specs)
    }
}

/// A store that was built.
pub struct Built {
    pub store: Store,
    /// The exit code: that of an alert where more files were skipped than the user allows.
    pub code: u8,
}

/// Scans the sources and writes the store; says what was found and what was left out. `may_replace` is asked before the scan,
/// with the sources of the new store.
pub fn build(
    args: &CatalogArgs,
    specs: &[SourceSpec],
    output: &Path,
    tile_size: u32,
    known: Option<&Known>,
    rules: &Rules,
    may_replace: &dyn Fn(&[SourceInput]) -> Result<()>,
) -> Result<Built> {
    let started = Instant::now();
    let scan = Options { threads: args.threads, on_error: args.on_error, assume_crs: args.assume_crs.clone() };
    let options = MakeOptions { scan, tile_size, known, inputs: args.config.iter().cloned().collect() };
    let made = catalog::make_store(specs, output, &options, &Terminal::default(), &mut |step| {
        match step {
            Step::Listed(survey) => {
                may_replace(&survey.sources)?;
                for (source, unread) in survey.unread() {
                    super::say(&format!("not read, source {}: {unread}", survey.sources[*source].name));
                }
            }
            Step::Scanned(sources, scanned) => say_scanned(sources, scanned),
        }
        Ok(())
    })?;
    say_built(output, &made, known.is_some(), started)?;
    let skipped = Figure::share(Rule::SkippedFiles, made.scanned.rejected.len() as u64, made.scanned.files());
    let code = quality::told(&rules.judge(&[skipped]));
    Ok(Built { store: made.store, code })
}

/// Says which files can't be used, and what is converted.
fn say_scanned(sources: &[SourceInput], scanned: &Scanned) {
    if !scanned.rejected.is_empty() {
        rejected::say(&scanned.rejected, sources);
    }
    for ((source, unit), files) in &scanned.units {
        super::say(&format!(
            "source {}: heights in {} are {unit}, and converted to metres",
            sources[*source].name,
            output::counted(*files, "file")
        ));
    }
}

/// Says what the store holds.
fn say_built(path: &Path, made: &Made, updated: bool, started: Instant) -> Result<()> {
    let Made { store, scanned } = made;
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
        let records = output::count(source.record_count());
        rows.push(vec![source.index().to_string(), source.name()?.into_owned(), records, zooms]);
    }
    super::say_table(&output::table(&rows, &[0, 2]));
    let mut notes = String::new();
    if updated {
        let read = scanned.records - scanned.reused;
        notes = format!(", {} unchanged, {} read", output::count(scanned.reused), output::count(read));
    }
    if !scanned.rejected.is_empty() {
        notes += &format!(", {} skipped", output::counted(scanned.rejected.len() as u64, "file"));
    }
    super::say(&format!(
        "{}: {}{notes}, {}, {}",
        path.display(),
        output::counted(u64::from(store.len()), "record"),
        output::bytes(store.bytes().len() as u64),
        output::duration(started.elapsed()),
    ));
    Ok(())
}
