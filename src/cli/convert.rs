//! `hypso convert`: one archive into another, as it is or re-encoded.

use std::path::PathBuf;

use super::archives::{EncoderArgs, InputArgs, OutputArgs, PartArgs, report, report_traffic};
use super::observed::Touched;
use super::output;
use super::progress::Terminal;
use super::values::one_of;
use super::{Outcome, exit};
use crate::archive::heights::HeightsWriter;
use crate::archive::{self, ArchiveKind, TileSink};
use crate::atomic::refuse_inputs;
use crate::error::{Error, Result};
use crate::pixels::{self, RecodeOptions};
use crate::terrain::{Encoding, ImageFormat, VerticalResolution};

/// Convert an archive to another format, or re-encode its tiles.
///
/// Formats are MBTiles, PMTiles, a folder of files and a file of heights. Tiles are copied byte by byte, unless --encoding, --tile-format, --tile-size, --vertical-resolution, --encoder or
/// --encoder-level ask for other ones.
/// PMTiles are written clustered, with equal tiles stored once. Zooms come from the tiles. MBTiles get the unique index and the
/// metadata rows that other writers leave out. A name without an extension is a folder of files {z}/{x}/{y}.
///
/// A name that ends in .heights is a file of heights: the same pixels, each of which can be read by itself. Its tiles become images
/// again when it is converted back.
///
/// A name that ends in .tif is a Cloud-Optimised GeoTIFF of the finest zoom, or of --zoom: heights in metres as 32-bit floats, in
/// EPSG:3857, -99999 where there is none.
///
/// What clients could not use is corrected, with a message: a format or a compression that the tiles don't have, gzip around
/// images, bounds that leave out tiles, a centre elsewhere.
///
/// Heights keep their values as far as the new encoding can hold them, and the metadata say the coarsest step that they went
/// through. Tiles of 512 pixels become 256 one zoom deeper, pixel by pixel, and the other way round.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso convert japan.mbtiles -o japan.pmtiles\n  hypso convert japan.pmtiles -o japan/ && ls japan/12\n  hypso convert old.mbtiles -o new.pmtiles --set encoding=terrarium --set name=Japan\n  hypso convert tms-folder/ -o new.pmtiles --scheme tms --set bounds=122.5,20.2,154,46\n  hypso convert japan.pmtiles -o japan.heights --lineage japan-lineage.pmtiles\n  hypso convert japan.pmtiles -o fuji.tif --bbox 138.6,35.2,138.9,35.5 --zoom 14\n  hypso convert japan.pmtiles -o mapbox.mbtiles --encoding mapbox --tile-format png --tile-size 256"
)]
pub struct Args {
    /// The archive to read: a file or folder, whose content says what it is, or the URL of PMTiles (https, s3, gs, az).
    input: PathBuf,
    /// The output: .pmtiles, .mbtiles, .heights, .zip, .tif, or a folder.
    #[arg(short, long)]
    output: PathBuf,
    /// Put the source of every pixel into the file of heights, from this archive.
    #[arg(long, value_name = "ARCHIVE")]
    lineage: Option<PathBuf>,
    #[command(flatten)]
    read: InputArgs,
    #[command(flatten)]
    part: PartArgs,
    /// Encode heights as these.
    #[arg(long, help_heading = "New tiles", value_parser = one_of::<Encoding>())]
    encoding: Option<Encoding>,
    /// Write tiles in this image format, lossless.
    #[arg(long, help_heading = "New tiles", value_name = "FORMAT", value_parser = one_of::<ImageFormat>())]
    tile_format: Option<ImageFormat>,
    /// Cut or join tiles to this side, pixels: 256 or 512.
    #[arg(long, help_heading = "New tiles", value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..))]
    tile_size: Option<u32>,
    /// Round heights to steps by zoom, or to 1/256 m.
    ///
    /// The steps of a zoom are 2^(19-z)/256 m.
    #[arg(long, help_heading = "New tiles", value_name = "RULE", value_parser = one_of::<VerticalResolution>())]
    vertical_resolution: Option<VerticalResolution>,
    /// Set a value of the metadata, such as name=Japan.
    ///
    /// May be given several times. Keys are name, description, attribution, version, type, encoding, tileSize, bounds (W,S,E,N), center (longitude,latitude,zoom),
    /// compression, format, or any other. Bounds, centre, compression and format are compared with the tiles.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    images: EncoderArgs,
    #[command(flatten)]
    out: OutputArgs,
}

impl Args {
    fn recoding(&self) -> Option<RecodeOptions> {
        let options = RecodeOptions {
            encoding: self.encoding,
            format: self.tile_format,
            tile_size: self.tile_size,
            vertical: self.vertical_resolution,
            encoder: self.images.encoder,
            level: self.images.level,
        };
        (options != RecodeOptions::default()).then_some(options)
    }
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.input].into_iter().chain(&self.lineage), [&self.output])
    }

    /// True where GDAL writes the output.
    pub fn writes_tiff(&self) -> bool {
        is_tiff(&self.output)
    }
}

pub fn run(args: &Args) -> Outcome {
    let selection = args.part.selection()?;
    let source = args.read.open(&args.input, Some(&args.output))?;
    refuse_inputs(&args.output, [&args.input])?;
    if is_tiff(&args.output) {
        return write_tiff(args, source.as_ref(), &selection);
    }
    let mut metadata = selection.metadata(source.as_ref());
    let recoding = args.recoding();
    if let Some(options) = recoding {
        metadata = pixels::recoded_metadata(source.as_ref(), options, metadata)?;
    }
    let set = set(&args.set, &mut metadata)?;
    let scheme = args.read.output_scheme(&[&args.input], &args.output);
    let sink: Box<dyn TileSink> = match &args.lineage {
        Some(lineage) if ArchiveKind::of_name(&args.output)? == ArchiveKind::Heights => {
            refuse_inputs(&args.output, [lineage])?;
            let writer = HeightsWriter::create(&args.output, &metadata, args.out.overwrite)?;
            Box::new(writer.with_lineage(archive::open(lineage)?)?)
        }
        Some(_) => {
            return Err(Error::argument("--lineage", "goes into a file of heights: name an output .heights").into());
        }
        None => args.out.create(&args.output, &metadata, scheme)?,
    };
    let progress = Terminal::default();
    let summary = match recoding {
        Some(options) => pixels::recode_as(source.as_ref(), sink, &selection, options, &set, &progress)?,
        None => archive::convert_as(source.as_ref(), sink, &selection, &set, &progress)?,
    };
    report(&args.output, &summary)?;
    report_traffic(source.as_ref());
    Ok(exit::OK)
}

fn is_tiff(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("tif") || end.eq_ignore_ascii_case("tiff"))
}

/// Heights as a GeoTIFF.
fn write_tiff(args: &Args, source: &dyn archive::TileSource, selection: &archive::Selection) -> Outcome {
    if args.recoding().is_some() || !args.set.is_empty() || args.lineage.is_some() || args.out.is_of_archives() {
        let problem = "has heights as they are: leave out what is for archives (--set, --lineage, --dedup, --output-scheme, new tiles)";
        return super::usage("a GeoTIFF", problem);
    }
    crate::atomic::check_output(&args.output, args.out.overwrite)?;
    let made = pixels::write_geotiff(source, selection, &args.output, args.out.overwrite, &Terminal::default())?;
    output::line(format!(
        "{}: {} x {} cells of zoom {}, {}, {}",
        output::path(&args.output),
        output::count(made.width.into()),
        output::count(made.height.into()),
        made.zoom,
        output::counted(made.tiles, "tile"),
        output::bytes(made.file_size)
    ))?;
    report_traffic(source);
    Ok(exit::OK)
}

/// Sets values, and gives their keys as the metadata know them.
pub fn set<'a>(pairs: &'a [String], metadata: &mut archive::ArchiveMetadata) -> Result<Vec<&'a str>> {
    let mut keys = Vec::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Error::argument("--set", format!("expected KEY=VALUE, found {pair:?}")));
        };
        metadata.set(key, value)?;
        // What was removed is taken from the tiles again.
        keys.extend((!value.is_empty()).then_some(if key == "centre" { "center" } else { key }));
    }
    Ok(keys)
}
