//! `hypso completions`: what a shell needs to complete commands and options.

use clap::CommandFactory;

use super::{Cli, Outcome, exit};

/// Print the completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hypso completions bash > /etc/bash_completion.d/hypso")]
pub struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub fn run(args: &Args) -> Outcome {
    clap_complete::generate(args.shell, &mut Cli::command(), "hypso", &mut std::io::stdout().lock());
    Ok(exit::OK)
}
