//! What the commands on archives share: opening with warnings, outputs, parts of archives.

use std::path::Path;

use super::area::AreaArgs;
use super::{output, say};
use crate::archive::{self, ArchiveMetadata, ArchiveSummary, CreateOptions, Selection, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::terrain::WebpEncoder;
use crate::terrain::webp::Level;

/// How an output is written.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// In MBTiles, store equal tiles once, below a view (PMTiles always do).
    #[arg(long)]
    pub dedup: bool,
    /// Replace an existing archive.
    #[arg(long)]
    pub overwrite: bool,
}

impl OutputArgs {
    pub fn create(&self, path: &Path, metadata: &ArchiveMetadata) -> Result<Box<dyn TileSink>> {
        archive::create_with(path, metadata, CreateOptions { overwrite: self.overwrite, dedup: self.dedup })
    }
}

/// How tiles are encoded that are not copied.
#[derive(Debug, clap::Args)]
pub struct EncoderArgs {
    /// fast, default or small: how much time the images are worth [default: default]. Changes bytes, and no pixel.
    #[arg(long, value_name = "LEVEL")]
    encoder_level: Option<String>,
    /// hypso or libwebp: who writes WebP [default: hypso]. libwebp, the reference, takes 5 to 20 times the time. Changes bytes, and no
    /// pixel.
    #[arg(long, value_name = "ENCODER")]
    encoder: Option<String>,
}

impl EncoderArgs {
    pub fn is_empty(&self) -> bool {
        self.encoder_level.is_none() && self.encoder.is_none()
    }

    pub fn level(&self) -> Result<Option<Level>> {
        self.encoder_level.as_deref().map(str::parse).transpose()
    }

    pub fn encoder(&self) -> Result<Option<WebpEncoder>> {
        self.encoder.as_deref().map(str::parse).transpose()
    }
}

/// Which part of an archive to take.
#[derive(Debug, clap::Args)]
pub struct PartArgs {
    /// The coarsest zoom to take.
    #[arg(long, value_name = "ZOOM")]
    min_zoom: Option<u8>,
    /// The finest zoom to take.
    #[arg(long, value_name = "ZOOM")]
    max_zoom: Option<u8>,
    #[command(flatten)]
    area: AreaArgs,
}

impl PartArgs {
    pub fn selection(&self) -> Result<Selection> {
        Ok(Selection { min_zoom: self.min_zoom, max_zoom: self.max_zoom, area: self.area.area()? })
    }

    pub fn is_empty(&self) -> bool {
        self.min_zoom.is_none() && self.max_zoom.is_none() && self.area.is_empty()
    }
}

/// Opens an archive and says what is odd about it.
pub fn open(path: &Path) -> Result<Box<dyn TileSource>> {
    let source = archive::open(path)?;
    for warning in source.warnings() {
        say(&format!("warning: {}: {warning}", path.display()));
    }
    Ok(source)
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
