//! `hypso tile`: one tile of an archive.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;

use super::archives::InputArgs;
use super::observed::Touched;
use super::{Outcome, exit, usage};
use crate::archive::TileSource;
use crate::atomic::{check_output, refuse_inputs, write_whole};
use crate::error::{Error, Result};
use crate::pixels::Coding;
use crate::terrain::ElevationTile;
use crate::tile::TileCoord;

/// Write one tile of an archive, as it is stored or as heights.
///
/// With --decode each pixel is a line of CSV: row and column from the north-west, and its height in metres; empty where there is none.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso tile japan.pmtiles 14/14513/6467 > fuji.webp\n  hypso tile japan.pmtiles 14/14513/6467 --decode -o fuji.csv\n  hypso tile japan.heights 14/14513/6467 --decode --format json | jq '.heights[0]'\n  hypso tile japan.pmtiles 14/14513/6467 --decode --format geotiff -o fuji.tif"
)]
pub struct Args {
    /// The archive.
    archive: PathBuf,
    /// The tile.
    #[arg(value_name = "Z/X/Y")]
    tile: TileCoord,
    /// The file to write [default: stdout].
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Write heights instead of the image.
    #[arg(long)]
    decode: bool,
    /// How heights are written [default: csv].
    #[arg(long, value_enum, requires = "decode")]
    format: Option<Format>,
    /// Replace an existing file.
    #[arg(long, requires = "output")]
    overwrite: bool,
    #[command(flatten)]
    read: InputArgs,
}

/// How heights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Lines of row, column and height.
    Csv,
    /// One JSON document: the heights row by row, null where there is none.
    Json,
    /// A GeoTIFF of 32-bit floats in EPSG:3857; -99999 where there is none.
    Geotiff,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.archive], &self.output)
    }

    /// True where GDAL writes the output.
    pub fn writes_tiff(&self) -> bool {
        self.format == Some(Format::Geotiff)
    }
}

pub fn run(args: &Args) -> Outcome {
    if let Some(output) = &args.output {
        check_output(output, args.overwrite)?;
        refuse_inputs(output, [&args.archive])?;
    } else if !args.decode && std::io::stdout().is_terminal() {
        return usage("--output", "is missing: a tile is no text for a terminal; name a file, pipe it, or --decode it");
    }
    let source = args.read.open(&args.archive, None)?;
    let mut bytes = source.tile(args.tile)?.ok_or_else(|| {
        let archive = args.archive.display();
        Error::not_found(format!("{archive} has no tile {}; `archive::summary` tells which zooms it has", args.tile))
    })?;
    if args.decode {
        let tile = decode(source.as_ref(), args.tile, &bytes)?;
        bytes = match args.format.unwrap_or(Format::Csv) {
            Format::Csv => csv(&tile).into_bytes(),
            Format::Json => json(args.tile, &tile)?.into_bytes(),
            Format::Geotiff => {
                let Some(output) = &args.output else {
                    return usage("--format geotiff", "needs --output: GDAL writes at several places of a file");
                };
                crate::pixels::write_tile_geotiff(args.tile, &tile, output, args.overwrite)?;
                return Ok(exit::OK);
            }
        };
    }
    match &args.output {
        Some(output) => write_whole(output, &bytes, args.overwrite)?,
        None => std::io::stdout().lock().write_all(&bytes)?,
    }
    Ok(exit::OK)
}

fn decode(source: &dyn TileSource, tile: TileCoord, bytes: &[u8]) -> Result<ElevationTile> {
    let Coding::Elevation(codec) = Coding::of(source)? else {
        let problem = "holds lineage, which has no heights";
        return Err(Error::other_kind(problem, "give the archive of terrain beside it").with_path(source.path()));
    };
    codec.decode(bytes).map_err(|error| error.of_part(format_args!("tile {tile}"), Some(source.path())))
}

/// The heights row by row.
fn rows(tile: &ElevationTile) -> impl Iterator<Item = Vec<Option<f32>>> {
    let size = (tile.size as usize).max(1);
    let row = |(values, valid): (&[f32], &[u8])| -> Vec<Option<f32>> {
        values.iter().zip(valid).map(|(&value, &valid)| (valid == 1).then_some(value)).collect()
    };
    tile.values.chunks(size).zip(tile.valid.chunks(size)).map(row)
}

fn csv(tile: &ElevationTile) -> String {
    let mut text = String::from("row,column,height\n");
    for (row, heights) in rows(tile).enumerate() {
        for (column, height) in heights.into_iter().enumerate() {
            let height = height.map_or_else(String::new, |metres| metres.to_string());
            let _ = writeln!(text, "{row},{column},{height}");
        }
    }
    text
}

fn json(at: TileCoord, tile: &ElevationTile) -> serde_json::Result<String> {
    let heights = serde_json::to_string(&rows(tile).collect::<Vec<_>>())?;
    Ok(format!("{{\"tile\": \"{at}\", \"size\": {}, \"heights\": {heights}}}\n", tile.size))
}
