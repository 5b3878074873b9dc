//! `hypso merge`: several archives into one.

use std::path::PathBuf;

use super::convert::{refuse_input_as_output, report};
use super::progress::{self, Terminal};
use super::{Outcome, exit};
use crate::archive::{self, TileSource};

/// Merge archives into one, in one pass and in the order of the tiles.
///
/// The inputs may be MBTiles and PMTiles mixed, but must agree in format, encoding and tile size. Attributions are
/// joined, bounds and zooms united.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso merge japan_z0-10.mbtiles japan_z11-12.mbtiles japan_z13.mbtiles -o japan.pmtiles\n  hypso merge update.pmtiles japan.pmtiles -o new.pmtiles --on-overlap first"
)]
pub struct Args {
    /// The archives to merge.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// The archive to write, .pmtiles or .mbtiles.
    #[arg(short, long)]
    output: PathBuf,
    /// What to do with a tile that two inputs hold: stop, or take it from the first or the last of them.
    #[arg(long, value_enum, default_value_t = OnOverlap::Error)]
    on_overlap: OnOverlap,
    /// Replace an existing archive.
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum OnOverlap {
    /// Stop, and name the tile and both files.
    Error,
    /// The first input that holds the tile wins.
    First,
    /// The last input that holds the tile wins.
    Last,
}

pub fn run(args: &Args) -> Outcome {
    progress::catch_interrupts();
    let mut opened: Vec<Box<dyn TileSource>> = Vec::with_capacity(args.inputs.len());
    for (n, input) in args.inputs.iter().enumerate() {
        refuse_input_as_output(input, &args.output)?;
        if args.inputs[..n].iter().any(|earlier| archive::same_file(earlier, input)) {
            return Err(
                crate::Error::argument(input.display().to_string(), "is given twice; name each input once").into()
            );
        }
        opened.push(archive::open(input)?);
    }
    let inputs: Vec<&dyn TileSource> = opened.iter().map(AsRef::as_ref).collect();
    let rule = match args.on_overlap {
        OnOverlap::Error => archive::OnOverlap::Error,
        OnOverlap::First => archive::OnOverlap::First,
        OnOverlap::Last => archive::OnOverlap::Last,
    };
    let sink = archive::create(&args.output, &archive::merged_metadata(&inputs)?, args.overwrite)?;
    let summary = archive::merge(&inputs, sink, rule, &Terminal::default())?;
    report(&args.output, &summary)?;
    Ok(exit::OK)
}
