//! The command line: a file per command, output, progress and exit codes.
//!
//! Results go to stdout, logs and progress to stderr. Only this module prints.

mod convert;
mod inspect;
mod merge;
mod output;
mod progress;
mod verify;

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
    /// `verify` found problems.
    pub const PROBLEMS: u8 = 3;
    /// The user interrupted the work.
    pub const INTERRUPTED: u8 = 130;
}

#[derive(Debug, Parser)]
#[command(name = "hypso", version, about, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// One variant and one arm in `run` per command; the file of the same name holds its arguments and its work.
#[derive(Debug, Subcommand)]
enum Command {
    Merge(merge::Args),
    Convert(convert::Args),
    Inspect(inspect::Args),
    Verify(verify::Args),
}

/// What a command returns: an exit code, or an error that becomes a message and exit code 1.
type Outcome = anyhow::Result<u8>;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => output::report_error(&error),
    }
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Merge(args) => merge::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Verify(args) => verify::run(&args),
    }
}
