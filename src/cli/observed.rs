//! Tells operators of commands that write: the one place where events, audit log and metrics begin and end.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use clap::CommandFactory;

use super::{Cli, Command, Outcome, exit, logs, output};
use crate::error::Error;
use crate::events::{End, Live, Run, Settings, Sinks, Watch};
use crate::threads;

/// How long a run waits for the last events to arrive.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same where the user interrupted it.
const INTERRUPTED: Duration = Duration::from_millis(500);
/// The same where the process is being ended; it has a second in all.
const ENDING: Duration = Duration::from_millis(80);

/// What is told of runs, besides what `hypso.toml` and the environment say.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Progress and logs")]
pub struct ObservedArgs {
    /// Keep metrics of the run in this file, for node_exporter's textfile collector.
    ///
    /// In Prometheus' text format; renewed every five seconds, and at the end. The file appears whole.
    #[arg(long, global = true, value_name = "FILE", env = "HYPSO_METRICS_FILE", hide_short_help = true)]
    metrics_file: Option<PathBuf>,
}

/// What a command reads and writes, as far as its options name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    pub inputs: Vec<PathBuf>,
    /// The one that gives the job its name comes first.
    pub outputs: Vec<PathBuf>,
}

impl Touched {
    /// Inputs and outputs; `None` where nothing is written.
    pub fn of<I: AsRef<Path>, O: AsRef<Path>>(
        inputs: impl IntoIterator<Item = I>,
        outputs: impl IntoIterator<Item = O>,
    ) -> Option<Self> {
        let outputs: Vec<PathBuf> = outputs.into_iter().map(|path| path.as_ref().to_path_buf()).collect();
        let inputs = inputs.into_iter().map(|path| path.as_ref().to_path_buf()).collect();
        (!outputs.is_empty()).then_some(Self { inputs, outputs })
    }
}

static LIVE: LazyLock<Arc<Live>> = LazyLock::new(Arc::default);
static WATCH: OnceLock<Watch> = OnceLock::new();

/// Where the present run says how it stands.
pub fn live() -> &'static Live {
    &LIVE
}

/// Notes the report that a run of tiles wrote.
pub fn report(path: &Path) {
    if let Ok(text) = std::fs::read(path) {
        live().report(&text);
    }
}

/// Runs a command, and tells operators of it where it writes something.
pub fn run(args: &ObservedArgs, command: Command, work: impl FnOnce(Command) -> Outcome) -> Outcome {
    let Some((name, touched)) = command.touched() else { return work(command) };
    let about = Cli::command().find_subcommand(name).and_then(|c| c.get_about()).map(ToString::to_string);
    let settings = Settings::read()?;
    let sinks = Sinks { metrics_file: args.metrics_file.clone(), say: Arc::new(super::say) };
    let run = Run::new(logs::run(), name, about.unwrap_or_default(), touched.inputs, touched.outputs);
    logs::said(&format!("hypso {}: {}", env!("CARGO_PKG_VERSION"), run.arguments.join(" ")));
    let watch = Watch::begin(run, settings, Arc::clone(&LIVE), sinks)?;
    let watch = WATCH.get_or_init(|| watch);
    let outcome = work(command);
    let end = end_of(&outcome);
    let patience = if matches!(end, End::Abort(_)) { INTERRUPTED } else { PATIENCE };
    let noted = watch.finish(&end, patience);
    logs::said(&format!("ended: {}, exit code {}", end.word(), end.code()));
    match noted {
        // What failed is more than what could not be noted.
        Err(error) if outcome.is_ok() => Err(error.into()),
        _ => outcome,
    }
}

/// Tells that the process is being ended by a signal. Takes a sixth of a second at most, whatever disks and servers do.
pub fn abort() {
    let Some(watch) = WATCH.get() else { return };
    let (said, heard) = sync_channel(1);
    let tell = move || {
        let _ = watch.finish(&End::Abort(exit::INTERRUPTED), ENDING);
        let _ = said.send(());
    };
    if threads::start(tell).is_ok() {
        let _ = heard.recv_timeout(ENDING * 2);
    }
}

fn end_of(outcome: &Outcome) -> End {
    match outcome {
        Ok(exit::LATER) => End::Fail(exit::LATER, "not yet: what it needs is not there, or others hold it".into()),
        Ok(exit::FAILURE) => End::Fail(exit::FAILURE, "it failed".into()),
        Ok(code) => End::Complete(*code),
        Err(error) => match output::code_of(error) {
            exit::OK => End::Complete(exit::OK),
            exit::INTERRUPTED => End::Abort(exit::INTERRUPTED),
            code => End::Fail(code, message(error)),
        },
    }
}

fn message(error: &anyhow::Error) -> String {
    error.downcast_ref::<Error>().map_or_else(|| format!("{error:#}"), super::words::error)
}

impl Command {
    /// The name of a command that writes, what it reads and what it writes; `None` for all others.
    fn touched(&self) -> Option<(&'static str, Touched)> {
        let (name, touched) = match self {
            Self::Tiles(args) => ("tiles", args.touched()),
            Self::Build(args) => ("build", args.touched()),
            Self::Export(args) => ("export", args.touched()),
            Self::Plan(args) => ("plan", args.touched()),
            Self::Work(args) => ("work", args.touched()),
            Self::Assemble(args) => ("assemble", args.touched()),
            Self::Aggregate(args) => ("aggregate", args.touched()),
            Self::AggregateZoom(args) => ("aggregate-zoom", args.touched()),
            Self::Merge(args) => ("merge", args.touched()),
            Self::Convert(args) => ("convert", args.touched()),
            Self::Extract(args) => ("extract", args.touched()),
            Self::Diff(args) => ("diff", args.touched()),
            Self::Patch(args) => ("patch", args.touched()),
            Self::Edit(args) => ("edit", args.touched()),
            Self::Overviews(args) => ("overviews", args.touched()),
            Self::Overzoom(args) => ("overzoom", args.touched()),
            Self::Publish(args) => ("publish", args.touched()),
            Self::Report(args) => ("report", args.touched()),
            Self::Tile(args) => ("tile", args.touched()),
            Self::Preview(args) => ("preview", args.touched()),
            Self::Profile(args) => ("profile", args.touched()),
            Self::Sample(args) => ("sample", args.touched()),
            _ => return None,
        };
        touched.map(|touched| (name, touched))
    }
}
