//! `hypso work`: units and shards of a plan, for schedulers; `hypso assemble`: the archive of its shards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::inspect::Format;
use super::observed::Touched;
use super::output;
use super::progress::Terminal;
use super::{Outcome, aggregate, exit};
use crate::error::Error;
use crate::events::Settings;
use crate::quality::Rules;
use crate::raster;
use crate::render::UnitReport;
use crate::store::Store;
use crate::worker::{BudgetOptions, Made, PlanFile, ShardOptions, ShardPlan, ShardReport, as_ranges};

/// Variables in which engines say which task of an array this is: Slurm, AWS Batch, Kubernetes indexed jobs.
const INDICES: [&str; 3] = ["SLURM_ARRAY_TASK_ID", "AWS_BATCH_JOB_ARRAY_INDEX", "JOB_COMPLETION_INDEX"];

/// Make shards or single units of a plan, by hand or by a scheduler.
///
/// Shards and units may be made by several processes, and on several machines that share the folder of packs. What is there is not made
/// again. Exit code 75 says: not yet, try again later; 1: it failed; 0: it is there.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true).args(["unit", "shard", "status"]),
    after_help = "Examples:\n  hypso plan japan.hypso -o japan.pmtiles --shards 200 --export plan\n  hypso work --plan plan --shard 17\n  sbatch --array=0-199 --wrap 'hypso work --plan plan --shard'\n  hypso work --plan plan --shard 17 --packs s3://bucket/packs\n  hypso work --plan plan --status\n  hypso work --plan plan.json --unit z11-14_11_1814_808"
)]
pub struct Args {
    /// The plan: the folder that `hypso plan --shards` wrote, or the file of `hypso plan --export`.
    #[arg(long, value_name = "PLAN")]
    plan: PathBuf,
    /// The number of a shard, from 0 on [default: SLURM_ARRAY_TASK_ID, AWS_BATCH_JOB_ARRAY_INDEX or JOB_COMPLETION_INDEX].
    #[arg(long, value_name = "NUMBER", num_args = 0..=1)]
    shard: Option<Option<u32>>,
    /// Added to the number of the shard, for engines that count only so far.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true, requires = "shard")]
    offset: u32,
    /// Say which shards are made, running and missing.
    #[arg(long)]
    status: bool,
    /// How to print the status, or what became of a shard.
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT", conflicts_with = "unit")]
    print: Format,
    /// A unit by its number in the plan, from 0 on, or by its name; may be said several times.
    #[arg(long, value_name = "UNIT")]
    unit: Vec<String>,
    #[command(flatten)]
    here: Here,
}

/// Put the archive together from the packs of all shards.
///
/// Needs no other options: the plan has them. Where shards are missing, they are named as an array, and the exit code is 75.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso assemble --plan plan\n  hypso assemble --plan plan --packs s3://bucket/packs -o s3://bucket/japan.pmtiles"
)]
pub struct AssembleArgs {
    /// The folder that `hypso plan --shards` wrote.
    #[arg(long, value_name = "FOLDER")]
    plan: PathBuf,
    /// Replace existing outputs.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    here: Here,
}

/// What is of this machine.
#[derive(Debug, clap::Args)]
struct Here {
    /// The store, where it lies elsewhere on this machine.
    #[arg(long, help_heading = "This machine", value_name = "FILE")]
    store: Option<PathBuf>,
    /// The folder of packs, where it lies elsewhere on this machine; or a place in a bucket (s3://bucket/name, gs, az).
    #[arg(long, help_heading = "This machine", value_name = "PLACE")]
    packs: Option<PathBuf>,
    /// The archive, where it lies elsewhere on this machine, or in a bucket. Its name does not reach its bytes.
    #[arg(long, help_heading = "This machine", short, value_name = "PLACE")]
    output: Option<PathBuf>,
    /// The rasters of a source, where this machine has copies of them; may be said several times.
    ///
    /// A copy is known by its size and by its first and last 64 KiB, whatever its time.
    #[arg(long, help_heading = "This machine", value_name = "NAME=FOLDER", value_parser = source_root)]
    source_root: Vec<(String, PathBuf)>,
    /// Worker processes at most [default: one for each processor].
    #[arg(long, help_heading = "This machine", short, value_name = "COUNT")]
    jobs: Option<usize>,
    /// The memory of all processes together, such as 2G or 800M.
    #[arg(long, help_heading = "This machine", value_name = "SIZE", value_parser = output::parse_bytes)]
    memory: Option<u64>,
    /// End a worker that takes more memory, and try its unit once more in parts [default: its share of --memory].
    #[arg(long, help_heading = "This machine", value_name = "SIZE", value_parser = output::parse_bytes, hide_short_help = true)]
    watchdog_memory: Option<u64>,
    /// End a worker that takes longer for a unit, and try it once more in parts.
    #[arg(long, help_heading = "This machine", value_name = "SECONDS", value_parser = aggregate::seconds, hide_short_help = true)]
    watchdog_time: Option<Duration>,
    /// Start nothing new while the disk of the packs has less space than this.
    #[arg(long, help_heading = "This machine", value_name = "SIZE", default_value = "256M", value_parser = output::parse_bytes)]
    disk_reserve: u64,
}

fn source_root(text: &str) -> std::result::Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !folder.is_empty() => Ok((name.to_owned(), folder.into())),
        _ => Err("expected NAME=FOLDER, such as dem1a=/scratch/dem1a".into()),
    }
}

impl Here {
    fn options(&self) -> ShardOptions {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.jobs.unwrap_or(processors).clamp(1, 256);
        ShardOptions {
            store: self.store.clone(),
            packs: self.packs.clone(),
            output: self.output.clone(),
            source_roots: self.source_root.clone(),
            budget: BudgetOptions {
                jobs,
                memory: self.memory,
                watchdog_memory: self.watchdog_memory,
                watchdog_time: self.watchdog_time,
                ..BudgetOptions::default()
            },
            disk_reserve: self.disk_reserve,
            rules: Rules::default(),
        }
    }
}

impl Args {
    /// What it reads and writes: packs, in the folder of packs. Their archive is what `assemble` tells of.
    pub fn touched(&self) -> Option<Touched> {
        if self.status {
            return None;
        }
        Some(Touched { inputs: store_of(&self.plan, &self.here).into_iter().collect(), outputs: Vec::new() })
    }
}

impl AssembleArgs {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        let output = ShardPlan::read(&self.plan).ok().map(|plan| plan.output(&self.here.options()).to_path_buf());
        let output = output.unwrap_or_else(|| self.plan.clone());
        Touched::of(store_of(&self.plan, &self.here), [output])
    }
}

/// The store of a plan of shards.
fn store_of(plan: &Path, here: &Here) -> Option<PathBuf> {
    ShardPlan::read(plan).ok().map(|plan| plan.store(&here.options()).to_path_buf())
}

pub fn run(args: &Args) -> Outcome {
    if args.plan.is_dir() {
        if !args.unit.is_empty() {
            return super::usage("--unit", "takes the file of `hypso plan --export`; this is a folder of shards");
        }
        let plan = ShardPlan::read(&args.plan)?;
        let options = args.here.options();
        return if args.status {
            status(&plan, args, &options)
        } else {
            not_yet(shard(&plan, args, &options), plan.output(&options))
        };
    }
    if args.unit.is_empty() {
        return super::usage(
            "--plan",
            "is no folder; shards are written by `hypso plan --shards COUNT --export FOLDER`",
        );
    }
    let plan = PlanFile::read(&args.plan)?;
    let reader = raster::reader()?;
    reader.limit_cache(plan.block_cache())?;
    plan.work(&args.unit, reader, |unit, made| {
        super::say(&match made {
            Made::Now(report) => format!("{}: made, {}", unit.id, output::counted(report.tiles, "tile")),
            Made::Before(report) => format!("{}: was there, {}", unit.id, output::counted(report.tiles, "tile")),
        });
    })?;
    Ok(exit::OK)
}

/// Failures that may be over in a moment get an exit code of their own: no room, disks and servers that fail, another process at the same
/// output.
fn not_yet(outcome: Outcome, output: &Path) -> Outcome {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let passes = |error: &Error| match error {
        Error::Busy { path, .. } => path == output,
        Error::Limit { .. } | Error::Remote { passes: true, .. } => true,
        Error::AfterWhole { source, .. } => matches!(**source, Error::Remote { passes: true, .. }),
        Error::Io { source, .. } => !matches!(source.kind(), NotFound | PermissionDenied),
        _ => false,
    };
    match outcome {
        Err(error) if error.downcast_ref().is_some_and(passes) => {
            output::print_error(&error);
            Ok(exit::LATER)
        }
        other => other,
    }
}

/// The number of the shard that is asked for.
fn number(args: &Args) -> anyhow::Result<u32> {
    let given = args.shard.flatten();
    let found = || INDICES.iter().find_map(|name| std::env::var(name).ok()?.trim().parse::<u32>().ok());
    let Some(number) = given.or_else(found) else {
        let problem = format!("no number is given, and none of {} is set", INDICES.join(", "));
        return Err(Error::argument("shard", problem).into());
    };
    Ok(number.saturating_add(args.offset))
}

fn shard(plan: &ShardPlan, args: &Args, options: &ShardOptions) -> Outcome {
    let number = number(args)?;
    let report = plan.make(number, options, &aggregate::launcher()?, &Terminal::default())?;
    let name = format!("shard {number} of {}", plan.len());
    if report.assembled {
        super::say(&format!("{name}: {} is there already", plan.output(options).display()));
        return Ok(exit::OK);
    }
    if report.taken {
        super::say(&format!("{name}: another process is making it; try again later"));
        return Ok(exit::LATER);
    }
    if !report.missing.is_empty() {
        let missing = as_ranges(&report.missing);
        super::say(&format!("{name}: is made of shards that are not there: {missing}; make them, and try again"));
        return Ok(exit::LATER);
    }
    if args.print == Format::Json {
        let UnitReport { tiles, empty, bytes, pixels, void, reading, warping, coding, writing, .. } = report.report;
        output::line(json!({
            "shard": number, "made": report.made, "found": report.found, "retried": report.retried,
            "set_aside": report.set_aside.len(), "blocked": report.blocked, "tiles": tiles, "empty": empty, "bytes": bytes,
            "pixels": pixels, "void": void, "work_seconds": reading + warping + coding + writing, "seconds": report.took.as_secs_f64(),
        }))?;
    }
    super::say(&format!("{name}: {}", made(&report)));
    if report.set_aside.is_empty() {
        return Ok(exit::OK);
    }
    for aside in report.set_aside.iter().take(20) {
        super::say(&format!("  {}: {}", aside.unit.id(), aside.reason));
    }
    if report.set_aside.iter().all(|aside| aside.passes) {
        super::say(&format!("{name}: a server is busy or away; try again later"));
        return Ok(exit::LATER);
    }
    let problem = format!(
        "{} could not be made, {} wait for them; mend the cause and run the same command again",
        output::counted(report.set_aside.len() as u64, "unit"),
        report.blocked
    );
    Err(Error::Incomplete { problem }.into())
}

fn made(report: &ShardReport) -> String {
    let mut parts = vec![format!("{} made", output::counted(report.made, "unit"))];
    if report.found > 0 {
        parts.push(format!("{} were there", report.found));
    }
    parts.push(output::counted(report.report.tiles, "tile"));
    if report.retried > 0 {
        parts.push(format!("{} tried again", report.retried));
    }
    format!("{}, in {}", parts.join(", "), output::duration(report.took))
}

fn status(plan: &ShardPlan, args: &Args, options: &ShardOptions) -> Outcome {
    let found = plan.status(options)?;
    match args.print {
        Format::Json => output::line(json!({
            "output": plan.output(options), "shards": plan.len(), "assembled": found.assembled,
            "made": found.made, "running": found.running, "missing": found.missing,
        }))?,
        Format::Table => {
            let row = |name: &str, numbers: &[u32]| {
                vec![name.to_owned(), output::count(numbers.len() as u64), as_ranges(numbers)]
            };
            let rows =
                [row("made", &found.made), row("running", &found.running), row("missing", &found.missing)].to_vec();
            output::line(output::table(&rows, &[1]))?;
        }
    }
    let next = if found.assembled {
        format!("{} is there", plan.output(options).display())
    } else if found.missing.is_empty() && found.running.is_empty() {
        format!("next: hypso assemble --plan {}", args.plan.display())
    } else {
        format!("next: hypso work --plan {} --shard N, of {}", args.plan.display(), as_ranges(&found.missing))
    };
    super::say(&next);
    Ok(exit::OK)
}

pub fn assemble(args: &AssembleArgs) -> Outcome {
    let plan = ShardPlan::read(&args.plan)?;
    let options = ShardOptions { rules: Settings::read()?.rules, ..args.here.options() };
    match plan.assemble(&options, args.overwrite, &Terminal::default()) {
        Err(error @ Error::Incomplete { .. }) => {
            output::print_error(&error.into());
            Ok(exit::LATER)
        }
        Err(error) => not_yet(Err(error.into()), plan.output(&options)),
        Ok(summary) if summary.output.is_none() => {
            super::say(&format!("{} is there already", plan.output(&options).display()));
            Ok(exit::OK)
        }
        Ok(summary) => aggregate::finish(&summary, &Store::open(plan.store(&options))?),
    }
}
