//! `hypso extract`: a part of an archive.

use std::path::PathBuf;

use super::archives::{InputArgs, OutputArgs, PartArgs, overhead, report, report_traffic};
use super::observed::Touched;
use super::progress::Terminal;
use super::{Outcome, exit, output, usage};
use crate::archive::{self, Forecast, TileSource};
use crate::atomic::refuse_inputs;

/// Cut a part out of an archive: zooms, a box, or polygons.
///
/// Tiles that share area with box and polygons are taken, whole and byte by byte.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso extract japan.pmtiles -o fuji.pmtiles --bbox 138.6,35.2,138.9,35.5\n  hypso extract world.pmtiles -o fiji.pmtiles --bbox 176,-20,-178,-15 --bbox 178,-13,180,-12 --zoom 0-5,8\n  hypso extract japan.pmtiles -o shizuoka.mbtiles --clip shizuoka.geojson --max-zoom 14\n  hypso extract s3://bucket/world.pmtiles --bbox 138.6,35.2,138.9,35.5 --dry-run"
)]
pub struct Args {
    /// The archive to read: a file or folder, or the URL of PMTiles (https, s3, gs, az).
    input: PathBuf,
    /// The archive to write: .pmtiles, .mbtiles, .heights, .zip, or a folder.
    #[arg(short, long, required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// Say how many tiles and bytes that would be, and of a remote archive the requests; read directories only.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    read: InputArgs,
    #[command(flatten)]
    part: PartArgs,
    #[command(flatten)]
    out: OutputArgs,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.input], self.output.as_ref().filter(|_| !self.dry_run))
    }
}

pub fn run(args: &Args) -> Outcome {
    if args.part.is_empty() {
        return usage(
            "extract",
            "expected --bbox, --clip, --zoom, --min-zoom or --max-zoom; `hypso convert` copies the whole",
        );
    }
    let selection = args.part.selection()?;
    let source = args.read.open(&args.input, args.output.as_deref())?;
    if args.dry_run {
        return tell(source.as_ref(), &archive::forecast(source.as_ref(), &selection)?);
    }
    let Some(to) = &args.output else {
        return usage("extract", "expected --output, the archive to write, or --dry-run");
    };
    refuse_inputs(to, [&args.input])?;
    let scheme = args.read.output_scheme(&[&args.input], to);
    let sink = args.out.create(to, &selection.metadata(source.as_ref()), scheme)?;
    let summary = archive::convert(source.as_ref(), sink, &selection, &Terminal::default())?;
    report(to, &summary)?;
    report_traffic(source.as_ref());
    Ok(exit::OK)
}

/// What an extract would hold, and what it would cost.
fn tell(source: &dyn TileSource, found: &Forecast) -> Outcome {
    let mut text = format!("{}, {}", output::counted(found.tiles, "tile"), output::bytes(found.kept));
    if let Some(so_far) = archive::traffic(source) {
        let bytes = so_far.bytes + found.bytes;
        text += &format!(
            "; {}, {} to read{}",
            output::counted(so_far.requests + found.requests, "request"),
            output::bytes(bytes),
            overhead(bytes, found.kept)
        );
    }
    output::line(text)?;
    Ok(exit::OK)
}
