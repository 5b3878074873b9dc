//! `hypso overzoom`: finer tiles of an archive from its coarser ones.

use std::path::{Path, PathBuf};

use super::archives::{EncoderArgs, InputArgs, OutputArgs, PartArgs, report, report_added};
use super::observed::Touched;
use super::progress::Terminal;
use super::{Outcome, exit, output, say};
use crate::atomic::refuse_inputs;
use crate::pixels::{self, Overzoom, OverzoomPlan, Overzoomed};

/// Make the finer zooms that an archive of terrain lacks, out of its coarser ones.
///
/// A new tile has the heights that `hypso height` gives at the centres of its pixels: bilinear between the pixels of the finest coarser tile,
/// also across tiles; none where the pixel that holds the centre has none. They are rounded as heights of its zoom are. Lineage takes
/// the nearest pixel. Tiles that are there are copied byte by byte.
///
/// Each zoom has four times the tiles of the one before it. How many come is said before they are made. The metadata say which zooms were made
/// from which (overzoomed).
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso overzoom japan.pmtiles -o deep.pmtiles --max-zoom 15\n  hypso overzoom world.pmtiles -o fuji.pmtiles --max-zoom 14 --bbox 138.6,35.2,138.9,35.5\n  hypso overzoom japan.pmtiles --max-zoom 17 --dry-run\n  hypso overzoom japan.mbtiles --max-zoom 15 --in-place"
)]
pub struct Args {
    /// The archive to read: a file or folder, or the URL of PMTiles (https, s3, gs, az).
    input: PathBuf,
    /// The archive to write: .pmtiles, .mbtiles, .heights, .zip, or a folder.
    #[arg(short, long, required_unless_present_any = ["in_place", "dry_run"])]
    output: Option<PathBuf>,
    /// Put the new tiles into the archive itself, MBTiles, in one transaction, and write no other.
    #[arg(long, conflicts_with_all = ["output", "dry_run", "dedup", "overwrite", "output_scheme", "scheme", "on_duplicate"])]
    in_place: bool,
    /// Say how many tiles would be made, and make none.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    part: PartArgs,
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
        let into = self.output.as_ref().unwrap_or(&self.input);
        Touched::of([&self.input], Some(into).filter(|_| !self.dry_run))
    }
}

pub fn run(args: &Args) -> Outcome {
    let options = Overzoom {
        selection: args.part.selection()?,
        encoder: args.images.encoder.unwrap_or_default(),
        level: args.images.level.unwrap_or_default(),
    };
    let (input, progress): (&Path, _) = (&args.input, Terminal::default());
    if args.in_place {
        let tell = |made: &[Overzoomed]| {
            say(&coming(input, made));
            Ok(())
        };
        report_added(input, &pixels::overzoom_in_place(input, options, tell, &progress)?)?;
        return Ok(exit::OK);
    }
    let source = args.read.open(input, args.output.as_deref())?;
    args.output.iter().try_for_each(|output| refuse_inputs(output, [input]))?;
    let plan = OverzoomPlan::new(source.as_ref(), options, &progress)?;
    let Some(output) = args.output.as_ref().filter(|_| !args.dry_run) else {
        output::line(coming(input, plan.made()))?;
        return Ok(exit::OK);
    };
    say(&coming(input, plan.made()));
    let scheme = args.read.output_scheme(&[input], output);
    let sink = args.out.create(output, &plan.metadata(), scheme)?;
    report(output, &plan.write(sink, &progress)?)?;
    Ok(exit::OK)
}

/// What will be made.
fn coming(input: &Path, made: &[Overzoomed]) -> String {
    let all = made.iter().fold(0u64, |sum, made| sum.saturating_add(made.tiles));
    let each =
        made.iter().map(|made| format!("{} at zoom {} from zoom {}", output::count(made.tiles), made.zoom, made.from));
    format!(
        "{}: {} to make: {}",
        output::path(input),
        output::counted(all, "tile"),
        each.collect::<Vec<_>>().join(", ")
    )
}
