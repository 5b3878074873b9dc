//! `hypso sample`: data to try everything on.

use std::path::PathBuf;

use super::observed::Touched;
use super::progress::Terminal;
use super::{Outcome, exit, output};
use crate::sample::{self, Size};

/// Make a sample: an island that does not exist, surveyed at 30 m, 10 m and 2 m.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hypso sample -o demo\n  hypso tiles demo/lidar2 demo/dem10 demo/aw30 -o demo.pmtiles"
)]
pub struct Args {
    /// The folder to make.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Another number makes another island.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// small (1 MB, for tests), demo (50 MB) or large (400 MB).
    #[arg(long, default_value = "demo", value_parser = ["small", "demo", "large"])]
    size: String,
    /// Replace a sample that is there.
    #[arg(long)]
    overwrite: bool,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([] as [&PathBuf; 0], [&self.output])
    }
}

pub fn run(args: &Args) -> Outcome {
    let started = std::time::Instant::now();
    let size = match args.size.as_str() {
        "small" => Size::Small,
        "large" => Size::Large,
        _ => Size::Demo,
    };
    let made = sample::write(&args.output, size, args.seed, args.overwrite, &Terminal::default())?;
    super::say(&format!(
        "{}: {}, {}, {}",
        args.output.display(),
        output::counted(made.files as u64, "raster"),
        output::bytes(made.bytes),
        output::duration(started.elapsed())
    ));
    let sources: Vec<String> = made.sources.iter().map(|s| s.display().to_string()).collect();
    super::say(&format!("next: hypso tiles {} -o {}.pmtiles", sources.join(" "), args.output.display()));
    Ok(exit::OK)
}
