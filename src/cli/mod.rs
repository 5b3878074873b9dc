//! The command line: a file per command, output, progress and exit codes.
//!
//! Results go to stdout, logs and progress to stderr. Only this module prints.

#[cfg(feature = "gdal")]
mod aggregate;
mod archives;
mod area;
mod audit;
#[cfg(feature = "gdal")]
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
#[cfg(feature = "gdal")]
mod plan;
mod preview;
mod progress;
#[cfg(feature = "gdal")]
mod provenance;
mod publish;
mod quality;
mod query;
#[cfg(feature = "gdal")]
mod rejected;
mod report;
#[cfg(feature = "gdal")]
mod sample;
#[cfg(feature = "serve")]
mod serve;
mod store_file;
#[cfg(feature = "gdal")]
mod summary;
mod tile;
#[cfg(feature = "gdal")]
mod tiles;
mod values;
mod verify;
#[cfg(feature = "gdal")]
mod verify_against;
mod verify_store;
mod words;
#[cfg(feature = "gdal")]
mod work;
#[cfg(feature = "gdal")]
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
    #[cfg(feature = "gdal")]
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
    #[cfg(feature = "gdal")]
    #[arg(long, global = true, hide_short_help = true)]
    allow_remote: bool,
    #[command(subcommand)]
    command: Command,
}

// One variant and one arm in `run` per command; the file of the same name holds its arguments and its work.
#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "gdal")]
    Tiles(tiles::Args),
    #[cfg(feature = "gdal")]
    Build(build::Args),
    Info(info::Args),
    Query(query::Args),
    #[cfg(feature = "gdal")]
    Provenance(provenance::Args),
    Export(export::Args),
    #[cfg(feature = "gdal")]
    Plan(plan::Args),
    #[cfg(feature = "gdal")]
    Work(work::Args),
    #[cfg(feature = "gdal")]
    Assemble(work::AssembleArgs),
    #[cfg(feature = "gdal")]
    Aggregate(aggregate::Args),
    #[cfg(feature = "gdal")]
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
    #[cfg(feature = "gdal")]
    Sample(sample::Args),
    Audit(audit::Args),
    Completions(completions::Args),
    #[cfg(feature = "gdal")]
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
        #[cfg(feature = "gdal")]
        return matches!(self, Self::Worker(_));
        #[cfg(not(feature = "gdal"))]
        return false;
    }
}

/// What a command returns: an exit code, or an error that becomes a message and an exit code of its own.
type Outcome = anyhow::Result<u8>;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    #[cfg(unix)]
    crate::mmap::bus_error::explain(i32::from(exit::CHANGED));
    let cli = Cli::parse_from(area::join_numbers(std::env::args_os()));
    cli.talk.apply();
    if let Err(error) = cli.logs.apply(cli.command.is_worker()) {
        return output::report_error(&error.into());
    }
    #[cfg(feature = "gdal")]
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
        #[cfg(feature = "gdal")]
        Command::Tiles(args) => tiles::run(&args),
        #[cfg(feature = "gdal")]
        Command::Build(args) => build::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Query(args) => query::run(&args),
        #[cfg(feature = "gdal")]
        Command::Provenance(args) => provenance::run(&args),
        Command::Export(args) => export::run(&args),
        #[cfg(feature = "gdal")]
        Command::Plan(args) => plan::run(&args),
        #[cfg(feature = "gdal")]
        Command::Work(args) => work::run(&args),
        #[cfg(feature = "gdal")]
        Command::Assemble(args) => work::assemble(&args),
        #[cfg(feature = "gdal")]
        Command::Aggregate(args) => aggregate::run(&args),
        #[cfg(feature = "gdal")]
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
        #[cfg(feature = "gdal")]
        Command::Sample(args) => sample::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Completions(args) => completions::run(&args),
        #[cfg(feature = "gdal")]
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
#[cfg(feature = "gdal")]
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
