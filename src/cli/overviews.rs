//! `hypso overviews`: coarser tiles of an archive from its finer ones.

use std::path::{Path, PathBuf};

use super::archives::{EncoderArgs, InputArgs, OutputArgs, report, report_added};
use super::observed::Touched;
use super::progress::Terminal;
use super::{Outcome, exit};
use crate::atomic::refuse_inputs;
use crate::pixels::{self, Overviews};

/// Make the coarser zooms that an archive of heights lacks.
///
/// Each pixel of a new tile is the mean of the valid pixels of its 2x2 block in the finer tile, as in the tiles of a run, and is rounded as
/// heights of its zoom are. Tiles that are there are copied byte by byte, also where they are no means.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso overviews fine.pmtiles -o all.pmtiles\n  hypso overviews fine.mbtiles -o all.pmtiles --min-zoom 5\n  hypso overviews japan.mbtiles --in-place"
)]
pub struct Args {
    /// The archive to read: a file or folder, or the URL of PMTiles (https, s3, gs, az).
    input: PathBuf,
    /// The archive to write: .pmtiles, .mbtiles, .heights, .zip, or a folder.
    #[arg(short, long, required_unless_present = "in_place")]
    output: Option<PathBuf>,
    /// Put the new tiles into the archive itself, MBTiles, in one transaction, and write no other.
    #[arg(long, conflicts_with_all = ["output", "dedup", "overwrite", "output_scheme", "scheme", "on_duplicate"])]
    in_place: bool,
    /// The coarsest zoom to make.
    #[arg(long, value_name = "ZOOM", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=31))]
    min_zoom: u8,
    #[command(flatten)]
    read: InputArgs,
    #[command(flatten)]
    images: EncoderArgs,
    #[command(flatten)]
    out: OutputArgs,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.input], [self.output.as_ref().unwrap_or(&self.input)])
    }
}

pub fn run(args: &Args) -> Outcome {
    let options = Overviews {
        min_zoom: args.min_zoom,
        encoder: args.images.encoder.unwrap_or_default(),
        level: args.images.level.unwrap_or_default(),
    };
    let input: &Path = &args.input;
    let Some(output) = &args.output else {
        report_added(input, &pixels::overviews_in_place(input, options, &Terminal::default())?)?;
        return Ok(exit::OK);
    };
    let source = args.read.open(input, Some(output))?;
    refuse_inputs(output, [input])?;
    let scheme = args.read.output_scheme(&[input], output);
    let metadata = pixels::overviews_metadata(source.as_ref(), options);
    let sink = args.out.create(output, &metadata, scheme)?;
    report(output, &pixels::overviews(source.as_ref(), sink, options, &Terminal::default())?)?;
    Ok(exit::OK)
}
