//! `hypso convert`: one archive into another, as it is or encoded anew.

use std::path::PathBuf;

use super::archives::{self, EncoderArgs, OutputArgs, PartArgs, refuse_input_as_output, report};
use super::progress::{self, Terminal};
use super::{Outcome, exit};
use crate::archive;
use crate::error::{Error, Result};
use crate::pixels::{self, RecodeOptions};
use crate::terrain::{Encoding, ImageFormat, VerticalResolution};

/// Convert an archive between MBTiles, PMTiles and a folder of files; encode its tiles anew.
///
/// Tiles are copied byte by byte, unless --encoding, --tile-format, --tile-size, --vertical-resolution, --encoder or
/// --encoder-level ask for other ones.
/// PMTiles come out clustered, with equal tiles stored once; zooms are counted anew, and MBTiles get the unique index and the
/// metadata rows that other writers leave out. A name without an extension is a folder of files {z}/{x}/{y}.
///
/// Heights keep their values as far as the new encoding can hold them, and the metadata say the coarsest step that they went
/// through. Tiles of 512 pixels become 256 one zoom deeper, pixel by pixel, and the other way round.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso convert japan.mbtiles -o japan.pmtiles\n  hypso convert japan.pmtiles -o japan/ && ls japan/12\n  hypso convert old.mbtiles -o new.pmtiles --set encoding=terrarium --set tileSize=512 --set name=Japan\n  hypso convert japan.pmtiles -o mapbox.mbtiles --encoding mapbox --tile-format png --tile-size 256"
)]
pub struct Args {
    /// The archive to read; its content says what it is.
    input: PathBuf,
    /// The archive to write: .pmtiles, .mbtiles, or a folder.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    part: PartArgs,
    /// Encode heights as these.
    #[arg(long, value_enum)]
    encoding: Option<EncodingName>,
    /// Write tiles in this image format, lossless.
    #[arg(long, value_enum)]
    tile_format: Option<FormatName>,
    /// Cut or join tiles to this side, pixels: 256 or 512.
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..))]
    tile_size: Option<u32>,
    /// Round heights to steps that depend on the zoom, 2^(19-z)/256 m, or to 1/256 m.
    #[arg(long, value_enum)]
    vertical_resolution: Option<Vertical>,
    /// Set a value of the metadata: name, description, attribution, version, type, encoding, tileSize, or any other key.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    images: EncoderArgs,
    #[command(flatten)]
    out: OutputArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum EncodingName {
    /// R * 256 + G + B / 256 - 32768 m.
    Terrarium,
    /// Mapbox Terrain-RGB: -10000 + (R * 65536 + G * 256 + B) * 0.1 m.
    Mapbox,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FormatName {
    /// Lossless WebP.
    Webp,
    /// PNG.
    Png,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Vertical {
    /// 2^(19-z)/256 m.
    ByZoom,
    /// 1/256 m.
    Full,
}

impl Args {
    fn recoding(&self) -> Result<Option<RecodeOptions>> {
        let options = RecodeOptions {
            encoding: self.encoding.map(|name| match name {
                EncodingName::Terrarium => Encoding::Terrarium,
                EncodingName::Mapbox => Encoding::Mapbox,
            }),
            format: self.tile_format.map(|name| match name {
                FormatName::Webp => ImageFormat::Webp,
                FormatName::Png => ImageFormat::Png,
            }),
            tile_size: self.tile_size,
            vertical: self.vertical_resolution.map(|name| match name {
                Vertical::ByZoom => VerticalResolution::ByZoom,
                Vertical::Full => VerticalResolution::Full,
            }),
            encoder: self.images.encoder()?,
            level: self.images.level()?,
        };
        Ok((options != RecodeOptions::default()).then_some(options))
    }
}

pub fn run(args: &Args) -> Outcome {
    progress::catch_interrupts();
    let selection = args.part.selection()?;
    let source = archives::open(&args.input)?;
    refuse_input_as_output(&args.input, &args.output)?;
    let mut metadata = selection.metadata(source.as_ref());
    let recoding = args.recoding()?;
    if let Some(options) = recoding {
        metadata = pixels::recoded_metadata(source.as_ref(), options, metadata)?;
    }
    set(&args.set, &mut metadata)?;
    let sink = args.out.create(&args.output, &metadata)?;
    let progress = Terminal::default();
    let summary = match recoding {
        Some(options) => pixels::recode(source.as_ref(), sink, &selection, options, &progress)?,
        None => archive::convert(source.as_ref(), sink, &selection, &progress)?,
    };
    report(&args.output, &summary)?;
    Ok(exit::OK)
}

fn set(pairs: &[String], metadata: &mut archive::ArchiveMetadata) -> Result<()> {
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Error::argument("--set", format!("expected KEY=VALUE, found {pair:?}")));
        };
        metadata.set(key, value)?;
    }
    Ok(())
}
