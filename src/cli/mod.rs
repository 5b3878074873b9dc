//! The command line: a file per command, output, progress and exit codes.
//!
//! Results go to stdout, logs and progress to stderr. Only this module prints.

mod aggregate;
mod archives;
mod area;
mod audit;
mod build;
mod completions;
mod convert;
mod diff;
mod edit;
mod export;
mod extract;
mod heights;
mod info;
mod inspect;
mod interrupt;
mod logs;
mod merge;
mod observed;
mod output;
mod overviews;
mod overzoom;
mod picture;
mod plan;
mod preview;
mod progress;
mod provenance;
mod publish;
mod quality;
mod query;
mod rasters;
mod rejected;
mod report;
mod sample;
#[cfg(feature = "serve")]
mod serve;
mod store_file;
mod summary;
mod tile;
mod tiles;
mod values;
mod verify;
mod verify_against;
mod verify_store;
mod words;
mod work;
mod worker;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The exit codes, by name.
pub mod exit {
    /// All went well.
    pub const OK: u8 = 0;
    /// The work failed.
    pub const FAILURE: u8 = 1;
    /// The command line was wrong.
    pub const USAGE: u8 = 2;
    /// `verify` found problems, `diff` found differences.
    pub const PROBLEMS: u8 = 3;
    /// A limit was passed that the user set. The work is done; `publish` leaves it at that.
    pub const ALERT: u8 = 4;
    /// A file that was mapped was cut or written into by another program.
    pub const CHANGED: u8 = 5;
    /// Not yet: what this work needs is not there, or others hold it. Try again later (EX_TEMPFAIL of sysexits.h).
    pub const LATER: u8 = 75;
    /// The user interrupted the work.
    pub const INTERRUPTED: u8 = 130;
}

/// Terrain tiles from national collections of elevation rasters.
#[derive(Debug, Parser)]
#[command(
    name = "hypso",
    version,
    max_term_width = 110,
    after_help = "A first run:\n  hypso sample -o demo && hypso tiles demo/lidar2 demo/dem10 demo/aw30 -o demo.pmtiles\n\nExit codes: 0 ok, 1 failure, 2 wrong usage, 3 verify found problems or diff differences, 4 an alert, 5 a file in use was cut, 75 try again later, 130 interrupted."
)]
struct Cli {
    #[command(flatten)]
    talk: progress::TalkArgs,
    #[command(flatten)]
    logs: logs::LogArgs,
    #[command(flatten)]
    observed: observed::ObservedArgs,
    /// Let rasters be read over the network: s3://, gs://, az://, https://, and what a VRT or a service's description names.
    #[arg(long, global = true, hide_short_help = true)]
    allow_remote: bool,
    #[command(subcommand)]
    command: Command,
}

// One variant and one arm in `run` per command; the file of the same name holds its arguments and its work.
#[derive(Debug, Subcommand)]
enum Command {
    Tiles(tiles::Args),
    Build(build::Args),
    Info(info::Args),
    Query(query::Args),
    Provenance(provenance::Args),
    Export(export::Args),
    Plan(plan::Args),
    Work(work::Args),
    Assemble(work::AssembleArgs),
    Aggregate(aggregate::Args),
    AggregateZoom(aggregate::ZoomArgs),
    Merge(merge::Args),
    Overviews(overviews::Args),
    Overzoom(overzoom::Args),
    Convert(convert::Args),
    Extract(extract::Args),
    Diff(diff::Args),
    Patch(diff::PatchArgs),
    Inspect(inspect::Args),
    Edit(edit::Args),
    Tile(tile::Args),
    Verify(verify::Args),
    Preview(preview::Args),
    Publish(publish::Args),
    Report(report::Args),
    Height(heights::height::Args),
    Profile(heights::profile::Args),
    Stats(heights::stats::Args),
    Sight(heights::sight::Args),
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    Sample(sample::Args),
    Audit(audit::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Worker(worker::Args),
}

impl Command {
    /// True where a signal may end the process within a second. A worker is ended by the process that started it, a server when its
    /// requests are answered.
    fn ends_at_once(&self) -> bool {
        #[cfg(feature = "serve")]
        if matches!(self, Self::Serve(_)) {
            return false;
        }
        !self.is_worker()
    }

    /// True for a process that another hypso started, and that it ends.
    fn is_worker(&self) -> bool {
        matches!(self, Self::Worker(_))
    }
}

/// What a command returns: an exit code, or an error that becomes a message and an exit code of its own.
type Outcome = anyhow::Result<u8>;

/// [`main`], in a program that reads rasters by GDAL.
#[cfg(feature = "gdal")]
#[must_use]
pub fn main_with_rasters() -> ExitCode {
    crate::raster::read_by(&crate::render::GdalOpener);
    match rasters::check_version() {
        Ok(()) => main(),
        Err(error) => output::report_error(&error.into()),
    }
}

/// Runs the program with the arguments of the process. It reads no rasters unless told how before: see `raster::read_by`.
#[must_use]
pub fn main() -> ExitCode {
    #[cfg(unix)]
    crate::mmap::bus_error::explain(i32::from(exit::CHANGED));
    let arguments: Vec<_> = std::env::args_os().collect();
    let cli = Cli::parse_from(area::join_numbers(arguments.iter().cloned()));
    if let Some(code) = rasters::hand_over(&cli, &arguments) {
        return code;
    }
    cli.talk.apply();
    if let Err(error) = cli.logs.apply(cli.command.is_worker()) {
        return output::report_error(&error.into());
    }
    if cli.allow_remote
        && let Ok(reader) = crate::raster::reader()
    {
        reader.allow_remote();
    }
    if cli.command.ends_at_once() {
        interrupt::catch();
    }
    crate::atomic::on_sweep(progress::swept);
    match observed::run(&cli.observed, cli.command, run) {
        Ok(code) => ExitCode::from(code),
        Err(error) => output::report_error(&error),
    }
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Tiles(args) => tiles::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Provenance(args) => provenance::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Work(args) => work::run(&args),
        Command::Assemble(args) => work::assemble(&args),
        Command::Aggregate(args) => aggregate::run(&args),
        Command::AggregateZoom(args) => aggregate::run_zoom(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Overviews(args) => overviews::run(&args),
        Command::Overzoom(args) => overzoom::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Extract(args) => extract::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Patch(args) => diff::run_patch(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Edit(args) => edit::run(&args),
        Command::Tile(args) => tile::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Preview(args) => preview::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Height(args) => heights::height::run(&args),
        Command::Profile(args) => heights::profile::run(&args),
        Command::Stats(args) => heights::stats::run(&args),
        Command::Sight(args) => heights::sight::run(&args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Worker(args) => worker::run(&args),
    }
}

/// A message for the user, on stderr.
fn say(text: &str) {
    let text = crate::text::message(&words::of(text));
    let _ = writeln!(std::io::stderr(), "{text}");
    logs::said(&text);
}

/// A table for the user, on stderr.
fn say_table(text: &str) {
    let text = crate::text::printable(text.trim_end());
    let _ = writeln!(std::io::stderr(), "{text}");
    text.lines().for_each(logs::said);
}

/// A wrong command line.
fn usage(what: &str, problem: &str) -> Outcome {
    Err(crate::error::Error::argument(what, problem).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// All commands that users see, and `hypso` itself, with terminals of 100 columns.
    fn commands() -> Vec<clap::Command> {
        let mut hypso = Cli::command().term_width(100);
        hypso.build();
        let all: Vec<_> =
            hypso.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help").cloned().collect();
        std::iter::once(hypso).chain(all).collect()
    }

    #[test]
    fn the_short_help_of_each_command_fits_on_a_screen() {
        for mut command in commands() {
            let help = command.render_help().to_string();
            let wide = help.lines().filter(|line| line.chars().count() > 100).count();
            assert!(
                help.lines().count() <= 50 && wide == 0,
                "{} lines, {wide} too wide:\n{help}",
                help.lines().count()
            );
        }
    }

    #[test]
    fn the_examples_of_each_command_can_be_typed() {
        let mut seen = 0;
        for command in commands() {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let parts = text
                .lines()
                .flat_map(|line| line.split("&&").flat_map(|part| part.split(['|', '>', '#']).map(str::trim)));
            for example in parts.filter(|part| part.starts_with("hypso ")) {
                let words = example.split_whitespace().map(|word| word.trim_matches('\'').into());
                let parsed = Cli::try_parse_from(area::join_numbers(words));
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
                seen += 1;
            }
        }
        assert!(seen > 50, "{seen}");
    }
}
