//! `hypso convert`: one archive into another.

use std::path::{Path, PathBuf};

use super::progress::{self, Terminal};
use super::{Outcome, exit, output};
use crate::archive::{self, ArchiveSummary, ConvertOptions};
use crate::error::{Error, Result};

/// Convert an archive between MBTiles and PMTiles, or cut a part out of it.
///
/// Tiles are copied byte by byte. PMTiles come out clustered, with equal tiles stored once; zooms are counted anew, and
/// MBTiles get the unique index and the metadata rows that other writers leave out.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso convert japan.mbtiles japan.pmtiles\n  hypso convert japan.pmtiles fuji.mbtiles --bbox 138.6 35.2 138.9 35.5 --max-zoom 14\n  hypso convert old.mbtiles new.pmtiles --set encoding=terrarium --set tileSize=512 --set name=Japan"
)]
pub struct Args {
    /// The archive to read; its content says what it is.
    input: PathBuf,
    /// The archive to write, .pmtiles or .mbtiles.
    output: PathBuf,
    /// The coarsest zoom to take.
    #[arg(long, value_name = "ZOOM")]
    min_zoom: Option<u8>,
    /// The finest zoom to take.
    #[arg(long, value_name = "ZOOM")]
    max_zoom: Option<u8>,
    /// Take the tiles that share area with this box: west, south, east, north, degrees.
    #[arg(long, num_args = 4, value_names = ["W", "S", "E", "N"], allow_negative_numbers = true)]
    bbox: Option<Vec<f64>>,
    /// Set a value of the metadata: name, description, attribution, version, type, encoding, tileSize, or any other key.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Replace an existing archive.
    #[arg(long)]
    overwrite: bool,
}

pub fn run(args: &Args) -> Outcome {
    progress::catch_interrupts();
    let bbox = args.bbox.as_deref().and_then(|b| <[f64; 4]>::try_from(b).ok());
    let options = ConvertOptions { min_zoom: args.min_zoom, max_zoom: args.max_zoom, bbox };
    let source = archive::open(&args.input)?;
    refuse_input_as_output(&args.input, &args.output)?;
    let mut metadata = archive::converted_metadata(source.as_ref(), &options)?;
    for pair in &args.set {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Error::argument("--set", format!("expected KEY=VALUE, found {pair:?}")).into());
        };
        metadata.set(key, value)?;
    }
    let sink = archive::create(&args.output, &metadata, args.overwrite)?;
    let summary = archive::convert(source.as_ref(), sink, &options, &Terminal::default())?;
    report(&args.output, &summary)?;
    Ok(exit::OK)
}

/// An archive can't be read while it is being replaced.
pub fn refuse_input_as_output(input: &Path, output: &Path) -> Result<()> {
    if archive::same_file(input, output) {
        return Err(Error::argument(
            output.display().to_string(),
            "is an input as well; choose another name for the output, and rename it afterwards",
        ));
    }
    Ok(())
}

/// One line about a finished archive.
pub fn report(path: &Path, summary: &ArchiveSummary) -> std::io::Result<()> {
    let shared = summary.tiles - summary.contents;
    let shared =
        if shared > 0 { format!(", {} of them share a content", output::count(shared)) } else { String::new() };
    output::line(format!(
        "{}: {} tiles{shared}, {}",
        path.display(),
        output::count(summary.tiles),
        output::bytes(summary.file_size)
    ))
}
