//! `hypso aggregate` and `hypso aggregate-zoom`: from a store to terrain tiles.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::area::AreaArgs;
use super::observed::{self, Touched};
use super::progress::Terminal;
use super::store_file::{self, Care};
use super::summary;
use super::values::{self, one_of};
use super::{Outcome, logs, output, quality};
use crate::error::Result;
use crate::events::Settings;
use crate::plan::{Coverage, Pattern, PlanOptions};
use crate::quality::{Rule, Rules, Severity};
use crate::raster::{self, Resampling};
use crate::store::Store;
use crate::terrain::webp::Level;
use crate::terrain::{Encoding, ImageFormat, TileCodec, VerticalResolution, WebpEncoder};
use crate::worker::{BudgetOptions, JobOptions, Launcher, Prepared, Summary, lineage_path};

/// Make terrain tiles from a store.
///
/// Worker processes make each zoom group; then all groups become one archive. Run the same command again after an interruption: it continues where it stopped and gives the same bytes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso aggregate japan.hypso -o japan.pmtiles\n  hypso aggregate japan.hypso -o fuji.pmtiles --bbox 138.5,35.2,139.0,35.6 --max-zoom 14 --lineage\n  hypso aggregate japan.hypso -o japan.pmtiles --split safe --memory 2G --keep-intermediates\n  hypso build --update -o japan.hypso dem1a/ dem5a/ && hypso aggregate japan.hypso -o japan.pmtiles --update"
)]
pub struct Args {
    /// The store.
    store: PathBuf,
    /// The archive to write: .pmtiles, .mbtiles or .heights.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    job: JobArgs,
}

/// What a run makes, and how.
#[derive(Debug, clap::Args)]
pub struct JobArgs {
    #[command(flatten)]
    pub zooms: ZoomOptions,
    #[command(flatten)]
    pub tiles: TileArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

impl JobArgs {
    /// The options of a run that writes `output`.
    pub fn options(&self, output: &Path) -> Result<JobOptions> {
        options(output, &self.zooms, &self.tiles, &self.run)
    }
}

/// Make one zoom range of a tileset.
///
/// Its tiles may be means of finer tiles. These are read from --finer, or made and not kept.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso aggregate-zoom 11 14 japan.hypso -o japan_z11-14.mbtiles\n  hypso aggregate-zoom 0 10 japan.hypso -o japan_z0-10.mbtiles --finer japan_z11-14.mbtiles"
)]
pub struct ZoomArgs {
    /// The coarsest zoom.
    #[arg(value_parser = values::zoom)]
    min: u8,
    /// The finest zoom.
    #[arg(value_parser = values::zoom)]
    max: u8,
    /// The store.
    store: PathBuf,
    /// The archive to write, .mbtiles or .pmtiles.
    #[arg(short, long)]
    output: PathBuf,
    /// An archive of the zoom below MAX, of the same store and options.
    #[arg(long, value_name = "ARCHIVE")]
    finer: Option<PathBuf>,
    /// The lineage archive that belongs to --finer.
    #[arg(long, value_name = "ARCHIVE", requires = "finer")]
    finer_lineage: Option<PathBuf>,
    #[command(flatten)]
    tiles: TileArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// Which zooms, and how they are grouped.
#[derive(Debug, Clone, clap::Args)]
pub struct ZoomOptions {
    /// The coarsest zoom.
    #[arg(long, help_heading = "Which tiles", value_name = "ZOOM", value_parser = values::zoom)]
    min_zoom: Option<u8>,
    /// The finest zoom [default: the finest native zoom of the records].
    ///
    /// Coarser tiles are means of finer ones. So the finer ones are made too, and not kept.
    #[arg(long, help_heading = "Which tiles", value_name = "ZOOM", value_parser = values::zoom)]
    max_zoom: Option<u8>,
    /// How zooms are cut into groups.
    ///
    /// single, balanced, safe, fast, incremental, dynamic, dynamic:TILES, or ranges such as 0-9,10-12,13.
    #[arg(long, help_heading = "Which tiles", default_value = "balanced", value_name = "PATTERN", alias = "groups", value_parser = str::parse::<Pattern>)]
    split: Pattern,
}

/// What decides the pixels.
#[derive(Debug, Clone, clap::Args)]
pub struct TileArgs {
    #[command(flatten)]
    pub area: AreaArgs,
    /// Where coarse areas stop.
    ///
    /// native: at their own zoom; full: they are upsampled to the finest zoom.
    #[arg(long, help_heading = "Which tiles", default_value = "native", value_name = "RULE", value_parser = one_of::<Coverage>())]
    coverage: Coverage,
    /// Pixels along a tile's side, 256 or 512 [default: the store's, 512].
    #[arg(long, help_heading = "Images", value_name = "PIXELS", value_parser = values::tile_size)]
    pub tile_size: Option<u32>,
    /// How heights become colours.
    #[arg(long, help_heading = "Images", default_value = "terrarium", value_parser = one_of::<Encoding>())]
    encoding: Encoding,
    /// The format of the images, lossless.
    #[arg(long, help_heading = "Images", default_value = "webp", value_parser = one_of::<ImageFormat>())]
    format: ImageFormat,
    /// How much time to spend on the images. Changes bytes, but no pixel.
    ///
    /// `tiny` takes a hundred times the default's time, for 5 % fewer bytes.
    #[arg(long, help_heading = "Images", default_value = "default", value_name = "LEVEL", value_parser = one_of::<Level>(), hide_short_help = true)]
    encoder_level: Level,
    /// Which encoder writes WebP. libwebp, the reference, takes 5 to 20 times the time. Changes bytes, but no pixel.
    #[arg(long, help_heading = "Images", default_value = "hypso", value_name = "ENCODER", value_parser = one_of::<WebpEncoder>(), hide_short_help = true)]
    encoder: WebpEncoder,
    /// by-zoom: heights are rounded to 2^(19-z)/256 m; full: to 1/256 m at every zoom.
    #[arg(long, help_heading = "Heights", default_value = "by-zoom", value_name = "RULE", value_parser = one_of::<VerticalResolution>(), hide_short_help = true)]
    vertical_resolution: VerticalResolution,
    /// How a pixel is made from the cells around it.
    #[arg(long, help_heading = "Heights", default_value = "bilinear", value_name = "KERNEL", value_parser = one_of::<Resampling>())]
    resampling: Resampling,
    /// The elevation, in metres, that pixels without data are written as.
    #[arg(long, help_heading = "Heights", default_value_t = 0.0, allow_negative_numbers = true, value_name = "METRES", value_parser = values::number, hide_short_help = true)]
    nodata_elevation: f64,
    /// Blend a source into the next one over this distance [default: 0].
    ///
    /// The distance is inside the border of the source, in Web Mercator metres. Narrower holes have no border.
    #[arg(long, help_heading = "Heights", default_value_t = 0.0, hide_default_value = true, value_name = "METRES", value_parser = values::distance)]
    blend: f64,
    /// Interpolate voids of up to this many pixels across [default: 0].
    ///
    /// Lineage tiles show them as interpolated.
    #[arg(long, help_heading = "Heights", default_value_t = 0, hide_default_value = true, value_name = "PIXELS")]
    fill_gaps: u32,
    /// Bring all heights to this vertical datum: EPSG:n, or ellipsoid.
    ///
    /// EPSG:n is the code of a vertical CRS. Uses PROJ's grids. Each source must declare its own datum in hypso.toml.
    #[arg(long, help_heading = "Heights", value_name = "DATUM")]
    vertical_datum: Option<String>,
    /// Write the lineage archive too: which source every pixel came from.
    #[arg(long, help_heading = "Images")]
    lineage: bool,
}

/// What decides how the work is done.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// Worker processes at most [default: one for each processor].
    #[arg(long, help_heading = "Workers and memory", short, value_name = "COUNT")]
    jobs: Option<usize>,
    /// The memory of all processes together, such as 2G or 800M.
    ///
    /// Decides how many workers there are and what they cache.
    #[arg(long, help_heading = "Workers and memory", value_name = "SIZE", value_parser = output::parse_bytes)]
    memory: Option<u64>,
    /// Replace existing outputs, and drop an unfinished run of other options.
    #[arg(long, help_heading = "Earlier runs")]
    pub overwrite: bool,
    /// Make only the tiles that changed since the output was made.
    ///
    /// And those that appeared or vanished, and those that are made from them.
    #[arg(long, help_heading = "Earlier runs", conflicts_with_all = ["overwrite", "keep_intermediates", "resume_from"])]
    pub update: bool,
    /// Keep the archive of each zoom group beside the output.
    #[arg(long, help_heading = "Earlier runs", hide_short_help = true)]
    keep_intermediates: bool,
    /// Begin with this zoom group, 0 being the finest; finer ones must be finished.
    #[arg(long, help_heading = "Earlier runs", value_name = "GROUP", hide_short_help = true)]
    resume_from: Option<usize>,
    /// The folder for unfinished work [default: beside the output].
    #[arg(long, help_heading = "Disk", value_name = "FOLDER", hide_short_help = true)]
    tmpdir: Option<PathBuf>,
    /// Start nothing new while a disk has less space than this.
    #[arg(long, help_heading = "Disk", value_name = "SIZE", default_value = "256M", value_parser = output::parse_bytes, hide_short_help = true)]
    disk_reserve: u64,
    /// Start even if the disk seems too small.
    #[arg(long, help_heading = "Disk", hide_short_help = true)]
    ignore_space: bool,
    /// End a worker that takes more memory, and try its unit once more in parts [default: its share of --memory].
    #[arg(long, help_heading = "Workers and memory", value_name = "SIZE", value_parser = output::parse_bytes, hide_short_help = true)]
    watchdog_memory: Option<u64>,
    /// End a worker that takes longer for a unit, and try it once more in parts.
    #[arg(long, help_heading = "Workers and memory", value_name = "SECONDS", value_parser = seconds, hide_short_help = true)]
    watchdog_time: Option<Duration>,
    /// How much of decoded raster blocks each worker may keep [default: 32M, or what is left of its share of --memory].
    #[arg(long, help_heading = "Workers and memory", value_name = "SIZE", value_parser = output::parse_bytes, hide_short_help = true)]
    block_cache: Option<u64>,
    /// End with exit code 4 where more than this part of the tiles has no data.
    #[arg(long, help_heading = "Alerts", value_name = "PERCENT", value_parser = values::percent, hide_short_help = true)]
    alert_empty: Option<f64>,
    /// End with exit code 4 where more than this part of the records gave no pixel.
    #[arg(long, help_heading = "Alerts", value_name = "PERCENT", value_parser = values::percent, hide_short_help = true)]
    alert_unused: Option<f64>,
}

/// A number of seconds.
pub fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|e| e.to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string())
}

/// The options of a run, checked before anything is opened or scanned.
fn options(output: &Path, zooms: &ZoomOptions, tiles: &TileArgs, run: &RunArgs) -> Result<JobOptions> {
    let mut options = JobOptions::new(output);
    options.tiles = PlanOptions {
        min_zoom: zooms.min_zoom,
        max_zoom: zooms.max_zoom,
        area: tiles.area.area()?.map(Arc::new),
        coverage: tiles.coverage,
        pattern: zooms.split.clone(),
        finer_given: false,
    };
    options.tile_size = tiles.tile_size;
    options.codec = TileCodec {
        encoding: tiles.encoding,
        format: tiles.format,
        vertical: tiles.vertical_resolution,
        nodata_elevation: tiles.nodata_elevation,
        level: tiles.encoder_level,
        encoder: tiles.encoder,
    };
    (options.lineage, options.resampling) = (tiles.lineage, tiles.resampling);
    (options.blend, options.fill_gaps) = (tiles.blend, tiles.fill_gaps);
    options.vertical_datum.clone_from(&tiles.vertical_datum);
    options.budget = BudgetOptions {
        jobs: run.jobs.unwrap_or(options.budget.jobs).clamp(1, 256),
        memory: run.memory,
        block_cache: run.block_cache,
        watchdog_memory: run.watchdog_memory,
        watchdog_time: run.watchdog_time,
    };
    options.tmpdir.clone_from(&run.tmpdir);
    (options.overwrite, options.update) = (run.overwrite, run.update);
    (options.keep_intermediates, options.resume_from) = (run.keep_intermediates, run.resume_from);
    (options.disk_reserve, options.ignore_space) = (run.disk_reserve, run.ignore_space);
    options.rules = run.rules(Settings::read()?.rules);
    options.check_with(raster::reader()?)?;
    Ok(options)
}

impl RunArgs {
    /// The limits that a configuration sets, and those of options in place of them.
    pub fn rules(&self, mut rules: Rules) -> Rules {
        for (rule, limit) in [(Rule::EmptyTiles, self.alert_empty), (Rule::UnusedRecords, self.alert_unused)] {
            limit.into_iter().for_each(|limit| rules.set(rule, Severity::Fail, limit));
        }
        rules
    }
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.store], self.job.tiles.outputs(&self.output))
    }
}

impl ZoomArgs {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        let finer = [&self.finer, &self.finer_lineage].into_iter().flatten();
        Touched::of([&self.store].into_iter().chain(finer), self.tiles.outputs(&self.output))
    }
}

impl TileArgs {
    /// The archives that a run writes.
    pub fn outputs(&self, output: &Path) -> Vec<PathBuf> {
        let lineage = self.lineage.then(|| lineage_path(output));
        [output.to_path_buf()].into_iter().chain(lineage).collect()
    }
}

pub fn run(args: &Args) -> Outcome {
    let options = args.job.options(&args.output)?;
    make(&store_file::open(&args.store, Care::Thorough)?, &options)
}

pub fn run_zoom(args: &ZoomArgs) -> Outcome {
    let zooms = ZoomOptions { min_zoom: Some(args.min), max_zoom: Some(args.max), split: Pattern::Single };
    let mut options = options(&args.output, &zooms, &args.tiles, &args.run)?;
    options.finer = args.finer.clone().map(|finer| (finer, args.finer_lineage.clone()));
    options.check()?;
    make(&store_file::open(&args.store, Care::Thorough)?, &options)
}

/// Plans and runs, and prints the result.
pub fn make(store: &Store, options: &JobOptions) -> Outcome {
    let prepared = options.prepare(store, raster::reader()?)?;
    announce(&prepared, options);
    let summary = prepared.run(&launcher()?, &Terminal::default())?;
    finish(&summary, prepared.store())
}

/// How this program makes workers of itself.
pub fn launcher() -> anyhow::Result<Launcher> {
    let mut launcher = Launcher { program: std::env::current_exe()?, arguments: vec!["worker".into()] };
    if raster::reader()?.remote_allowed() {
        launcher.arguments.push("--allow-remote".into());
    }
    launcher.arguments.extend(logs::for_workers());
    Ok(launcher)
}

/// Prints what a run made.
pub fn finish(summary: &Summary, store: &Store) -> Outcome {
    observed::report(&summary.report_path);
    if let Some(error) = summary.failure() {
        if let (Some(path), Some(first)) = (&summary.aside, summary.set_aside.first()) {
            super::say(&format!("to try one alone: hypso work --plan {} --unit {}", path.display(), first.unit.id()));
        }
        return Err(error.into());
    }
    summary::print(summary, store);
    Ok(quality::told(&summary.quality))
}

/// Says what a run is about to make.
fn announce(prepared: &Prepared<'_>, options: &JobOptions) {
    let (store, plan, budget) = (prepared.store(), prepared.plan(), prepared.budget());
    warn(prepared);
    let zooms = plan.extent.zooms;
    let groups: Vec<String> = plan.groups.iter().filter(|g| g.kept).map(|g| g.zooms.to_string()).collect();
    super::say(&format!(
        "{}: zooms {zooms} in groups {}, up to {} in {}, {}",
        options.output.display(),
        groups.join(", "),
        output::counted(plan.tiles(), "tile"),
        output::counted(plan.units() as u64, "unit"),
        output::counted(u64::from(store.len()), "record"),
    ));
    if let Some(total) = budget.total {
        super::say(&format!(
            "{} within {}, {} of decoded blocks in each",
            output::counted(budget.jobs as u64, "worker"),
            output::bytes(total),
            output::bytes(budget.block_cache)
        ));
    }
    let intermediate = plan.intermediate_tiles(store);
    if intermediate > 0 {
        super::say(&format!(
            "{} of these tiles are made only because wanted ones are means of them; a larger --min-zoom needs fewer",
            output::count(intermediate)
        ));
    }
}

/// Says what a user should know before a run.
pub fn warn(prepared: &Prepared<'_>) {
    if let Some(warning) = prepared.warning() {
        super::say(&format!("warning: {warning}"));
    }
}
