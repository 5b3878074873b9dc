//! `hypso extract`: a part of an archive.

use std::path::PathBuf;

use super::archives::{InputArgs, OutputArgs, PartArgs, report};
use super::progress::Terminal;
use super::{Outcome, exit, usage};
use crate::atomic::refuse_inputs;
use crate::{archive, local};

/// Cut a part out of an archive: zooms, a box, or polygons.
///
/// Tiles that share area with box and polygons are taken, whole and byte by byte.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso extract japan.pmtiles -o fuji.pmtiles --bbox 138.6,35.2,138.9,35.5\n  hypso extract world.pmtiles -o fiji.pmtiles --bbox 176,-20,-178,-15\n  hypso extract japan.pmtiles -o shizuoka.mbtiles --clip shizuoka.geojson --max-zoom 14"
)]
pub struct Args {
    /// The archive to read.
    input: PathBuf,
    /// The archive to write: .pmtiles, .mbtiles, .heights, or a folder.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    read: InputArgs,
    #[command(flatten)]
    part: PartArgs,
    #[command(flatten)]
    out: OutputArgs,
}

pub fn run(args: &Args) -> Outcome {
    // Asked first: who gives a URL is told that before an option that is missing.
    local::input(&args.input)?;
    if args.part.is_empty() {
        return usage("extract", "expected --bbox, --clip, --min-zoom or --max-zoom; `hypso convert` copies the whole");
    }
    let selection = args.part.selection()?;
    let source = args.read.open(&args.input, Some(&args.output))?;
    refuse_inputs(&args.output, [&args.input])?;
    let scheme = args.read.output_scheme(&[&args.input], &args.output);
    let sink = args.out.create(&args.output, &selection.metadata(source.as_ref()), scheme)?;
    let summary = archive::convert(source.as_ref(), sink, &selection, &Terminal::default())?;
    report(&args.output, &summary)?;
    Ok(exit::OK)
}
