//! `hypso merge`: several archives into one.

use std::path::{Path, PathBuf};

use super::archives::{EncoderArgs, InputArgs, OutputArgs, report};
use super::observed::Touched;
use super::progress::Terminal;
use super::{Outcome, exit, output, say, usage};
use crate::archive::{self, Scheme, TileEncoding, TileSource};
use crate::atomic::refuse_inputs;
use crate::error::Error;
use crate::pixels::{self, LineageMerge, PixelMerge, Rule};
use crate::worker::lineage_path;

/// Merge archives into one.
///
/// One pass in the order of the tiles; MBTiles without overlaps are copied into MBTiles input by input. The inputs may be MBTiles, PMTiles and folders mixed, but must agree in format, encoding, tile size and compression.
/// Attributions and lists of sources are joined, bounds and zooms united; name and all else come from the first input that
/// has them. Where inputs end at different zooms, a word says which area reaches which zoom.
///
/// With --on-overlap pixels, tiles that several inputs hold are decoded and merged pixel by pixel, and above them each coarser tile
/// is the mean of the merged finer ones. Other tiles are copied byte by byte. Lineage archives are merged by the names in
/// their legends; a coarser pixel has the source of most of the finer ones.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso merge japan_z0-10.mbtiles japan_z11-12.mbtiles japan_z13.mbtiles -o japan.pmtiles\n  hypso merge update.pmtiles --into japan.mbtiles --on-overlap last\n  hypso merge update.pmtiles japan.pmtiles -o new.pmtiles --on-overlap first\n  hypso merge lidar.pmtiles srtm.pmtiles -o both.pmtiles --on-overlap pixels --nodata 0 --lineage"
)]
pub struct Args {
    /// The archives to merge, the most important one first.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// The archive to write: .pmtiles, .mbtiles, .heights, .zip, or a folder.
    #[arg(short, long, required_unless_present = "into")]
    output: Option<PathBuf>,
    /// Put the tiles into this MBTiles archive instead, in one transaction. It counts as the first input.
    #[arg(long, value_name = "X.mbtiles", conflicts_with_all = ["output", "dedup", "overwrite", "output_scheme"])]
    into: Option<PathBuf>,
    /// What to do with a tile that several inputs hold.
    #[arg(long, value_enum, default_value_t = OnOverlap::Error)]
    on_overlap: OnOverlap,
    /// Which value a pixel takes that several inputs hold [default: first].
    #[arg(long, value_enum)]
    pixel_rule: Option<PixelRule>,
    /// A height that means nodata, metres, besides masks and transparent pixels, in tiles that several inputs hold.
    #[arg(long, value_name = "METRES", allow_negative_numbers = true)]
    nodata: Option<f64>,
    /// Merge the lineage too: NAME-lineage beside each input, into one beside the output.
    #[arg(long)]
    lineage: bool,
    #[command(flatten)]
    read: InputArgs,
    #[command(flatten)]
    images: EncoderArgs,
    #[command(flatten)]
    out: OutputArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnOverlap {
    /// Stop, and name the tile and both files.
    Error,
    /// The first input that holds the tile wins.
    First,
    /// The last input that holds the tile wins.
    Last,
    /// Decode the tiles and merge their pixels.
    Pixels,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PixelRule {
    /// The first input that has a value.
    First,
    /// The highest value.
    Max,
    /// The lowest value.
    Min,
    /// The mean of the values.
    Mean,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        let into = self.into.as_deref();
        let lineage = self.output.as_deref().filter(|_| self.lineage).map(lineage_path);
        let inputs = into.into_iter().chain(self.inputs.iter().map(PathBuf::as_path));
        Touched::of(inputs, into.map(Path::to_path_buf).into_iter().chain(self.output.clone()).chain(lineage))
    }
}

pub fn run(args: &Args) -> Outcome {
    let by_pixels = args.on_overlap == OnOverlap::Pixels;
    if !by_pixels && (args.pixel_rule.is_some() || args.nodata.is_some() || args.lineage || !args.images.is_empty()) {
        return usage(
            "--pixel-rule, --nodata, --lineage, --encoder, --encoder-level",
            "are for --on-overlap pixels; add it or leave them out",
        );
    }
    if let Some(into) = &args.into {
        return merge_into(args, into);
    }
    let opened = open_all(args, &args.inputs, args.output())?;
    let inputs: Vec<&dyn TileSource> = opened.iter().map(AsRef::as_ref).collect();
    tell_zooms(&inputs);
    let metadata = archive::merged_metadata(&inputs)?;
    let progress = Terminal::default();
    let rule = match args.on_overlap {
        OnOverlap::Error => archive::OnOverlap::Error,
        OnOverlap::First => archive::OnOverlap::First,
        OnOverlap::Last => archive::OnOverlap::Last,
        OnOverlap::Pixels if metadata.encoding == Some(TileEncoding::Lineage) => {
            let rule = args.pixel_rule.is_some_and(|rule| rule != PixelRule::First);
            if rule || args.nodata.is_some() || args.lineage || args.images.level.is_some() {
                return usage(
                    "--pixel-rule, --nodata, --lineage, --encoder-level",
                    "are for heights; lineage is merged by the order of the inputs",
                );
            }
            let encoder = args.images.encoder.unwrap_or_default();
            let sink = args.out.create(args.output(), &pixels::merged_lineage_metadata(&inputs)?, args.scheme())?;
            report(args.output(), &pixels::merge_lineage(&inputs, sink, encoder, &progress)?)?;
            return Ok(exit::OK);
        }
        OnOverlap::Pixels => return merge_heights(args, &inputs, &metadata, &progress),
    };
    let sink = args.out.create(args.output(), &metadata, args.scheme())?;
    let summary = archive::merge(&inputs, sink, rule, &progress)?;
    report(args.output(), &summary)?;
    Ok(exit::OK)
}

/// Into an archive that exists.
fn merge_into(args: &Args, into: &Path) -> Outcome {
    let rule = match args.on_overlap {
        OnOverlap::Error => archive::OnOverlap::Error,
        OnOverlap::First => archive::OnOverlap::First,
        OnOverlap::Last => archive::OnOverlap::Last,
        OnOverlap::Pixels => {
            let problem = "makes new tiles of old ones, all of them at once: write a new archive with --output";
            return usage("--on-overlap pixels", problem);
        }
    };
    let opened = open_all(args, &args.inputs, into)?;
    let inputs: Vec<&dyn TileSource> = opened.iter().map(AsRef::as_ref).collect();
    let done = archive::merge_into(into, &inputs, rule, &Terminal::default())?;
    output::line(format!(
        "{}: {} added, {} replaced, {} left out, {}",
        output::path(into),
        output::counted(done.added, "tile"),
        output::count(done.replaced),
        output::count(done.left),
        output::bytes(done.file_size)
    ))?;
    Ok(exit::OK)
}

fn merge_heights(
    args: &Args,
    inputs: &[&dyn TileSource],
    metadata: &archive::ArchiveMetadata,
    progress: &Terminal,
) -> Outcome {
    let options = PixelMerge {
        rule: match args.pixel_rule {
            None | Some(PixelRule::First) => Rule::First,
            Some(PixelRule::Max) => Rule::Max,
            Some(PixelRule::Min) => Rule::Min,
            Some(PixelRule::Mean) => Rule::Mean,
        },
        nodata: args.nodata,
        encoder: args.images.encoder.unwrap_or_default(),
        level: args.images.level.unwrap_or_default(),
    };
    if args.nodata.is_some_and(|v| !v.is_finite()) {
        return usage("--nodata", "expected a number of metres");
    }
    let lineage_output = lineage_path(args.output());
    let lineage_paths: Vec<PathBuf> =
        if args.lineage { args.inputs.iter().map(|input| lineage_path(input)).collect() } else { Vec::new() };
    if args.lineage {
        refuse_inputs(&lineage_output, &args.inputs)?;
        refuse_inputs(args.output(), &lineage_paths)?;
    }
    let opened = open_all(args, &lineage_paths, &lineage_output)?;
    let lineage: Vec<&dyn TileSource> = opened.iter().map(AsRef::as_ref).collect();
    tell_zooms(&lineage);
    let sink = args.out.create(args.output(), metadata, args.scheme())?;
    let lineage = if args.lineage {
        let sink = args.out.create(&lineage_output, &pixels::merged_lineage_metadata(&lineage)?, args.scheme())?;
        Some(LineageMerge { inputs: &lineage, sink })
    } else {
        None
    };
    let (summary, lineage) = pixels::merge_pixels(inputs, sink, options, lineage, progress)?;
    report(args.output(), &summary)?;
    if let Some(summary) = lineage {
        report(&lineage_output, &summary)?;
    }
    Ok(exit::OK)
}

impl Args {
    /// The archive that is written, where it is a new one.
    fn output(&self) -> &Path {
        self.output.as_deref().unwrap_or(Path::new(""))
    }

    /// The scheme of a folder that is written.
    fn scheme(&self) -> Scheme {
        let inputs: Vec<&Path> = self.inputs.iter().map(PathBuf::as_path).collect();
        self.read.output_scheme(&inputs, self.output())
    }
}

fn tell_zooms(inputs: &[&dyn TileSource]) {
    for word in archive::uneven_zooms(inputs) {
        say(&format!("warning: {word}"));
    }
}

fn open_all(args: &Args, paths: &[PathBuf], output: &Path) -> crate::Result<Vec<Box<dyn TileSource>>> {
    for (n, input) in paths.iter().enumerate() {
        refuse_inputs(output, [input])?;
        if paths[..n].iter().any(|earlier| crate::local::same_file(earlier, input)) {
            return Err(Error::argument(input.display().to_string(), "is given twice; name each input once"));
        }
    }
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    args.read.open_all(&paths, Some(output))
}
