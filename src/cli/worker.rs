//! The hidden command by which the program runs itself as a worker.

use std::io::BufReader;

use super::{Outcome, exit, interrupt};
use crate::worker::{JobMessage, serve};

/// Serve units to the process that started this one.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: &Args) -> Outcome {
    // Ctrl-C reaches the whole process group; the coordinator decides what becomes of the units in flight.
    interrupt::ignore();
    let (input, output) = (BufReader::new(std::io::stdin()), replies()?);
    let reader = crate::raster::reader()?;
    let configure = |job: &JobMessage| reader.limit_cache(job.block_cache);
    serve(input, output, reader, configure, || interrupt::end(exit::OK))?;
    Ok(exit::OK)
}

/// The way to the coordinator, for replies alone: from now on what a library prints to stdout goes to stderr.
#[cfg(unix)]
fn replies() -> std::io::Result<impl std::io::Write> {
    use std::os::fd::AsFd;
    let own = std::io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(std::io::stderr())?;
    Ok(std::fs::File::from(own))
}

#[cfg(not(unix))]
fn replies() -> std::io::Result<impl std::io::Write> {
    Ok(std::io::stdout().lock())
}
