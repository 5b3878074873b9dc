//! The hidden command by which the program runs itself as a worker.

use super::{Outcome, exit};

/// Serve units to the process that started this one.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: &Args) -> Outcome {
    // Ctrl-C reaches the whole process group; the coordinator decides what becomes of the units in flight.
    super::progress::ignore_interrupts();
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    crate::worker::serve(input, output, &crate::render::GdalOpener, |job| {
        crate::raster::gdal::configure(job.block_cache)
    })?;
    Ok(exit::OK)
}
