//! The hidden command by which the program runs itself as a worker.

use std::io::BufReader;

use super::{Outcome, exit};
use crate::worker::{JobMessage, serve};

/// Serve units to the process that started this one.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_args: &Args) -> Outcome {
    // Ctrl-C reaches the whole process group; the coordinator decides what becomes of the units in flight.
    super::progress::ignore_interrupts();
    let (input, output) = (BufReader::new(std::io::stdin()), std::io::stdout().lock());
    let configure = |job: &JobMessage| crate::raster::gdal::configure(job.block_cache);
    serve(input, output, &crate::render::GdalOpener, configure, || std::process::exit(i32::from(exit::OK)))?;
    Ok(exit::OK)
}
