//! What the commands on archives share: opening with warnings, outputs, parts of archives.

use std::path::{Path, PathBuf};

use super::values::one_of;
use super::{output, say};
use crate::archive::{self, ArchiveMetadata, ArchiveSummary, CreateOptions, Polygons, Selection, TileSink, TileSource};
use crate::error::Result;
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
    /// How much time the images are worth [default: default]. Changes bytes, and no pixel.
    #[arg(id = "encoder_level", long = "encoder-level", value_name = "LEVEL", value_parser = one_of::<Level>())]
    pub level: Option<Level>,
    /// Who writes WebP [default: hypso]. libwebp, the reference, takes 5 to 20 times the time. Changes bytes, and no pixel.
    #[arg(long, value_name = "ENCODER", value_parser = one_of::<WebpEncoder>())]
    pub encoder: Option<WebpEncoder>,
}

impl EncoderArgs {
    pub fn is_empty(&self) -> bool {
        self.level.is_none() && self.encoder.is_none()
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
    /// Take the tiles that share area with this box: west, south, east, north, degrees.
    #[arg(long, num_args = 4, value_names = ["W", "S", "E", "N"], allow_negative_numbers = true)]
    bbox: Option<Vec<f64>>,
    /// Take the tiles that share area with the polygons of this GeoJSON file.
    #[arg(long, value_name = "FILE")]
    polygon: Option<PathBuf>,
}

impl PartArgs {
    pub fn selection(&self) -> Result<Selection> {
        self.bbox.as_deref().map(super::query::bbox).transpose()?;
        let bbox = self.bbox.as_deref().and_then(|b| <[f64; 4]>::try_from(b).ok());
        let polygons = self.polygon.as_deref().map(Polygons::read).transpose()?;
        Ok(Selection { min_zoom: self.min_zoom, max_zoom: self.max_zoom, bbox, polygons })
    }

    pub fn is_empty(&self) -> bool {
        self.min_zoom.is_none() && self.max_zoom.is_none() && self.bbox.is_none() && self.polygon.is_none()
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
