//! `hypso verify`: whether an archive is what it says, every tile decoded.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::inspect::Format;
use super::progress::{self, Terminal};
use super::{Outcome, exit, output};
use crate::archive::{self, ArchiveMetadata, Report, Severity, TileEncoding, TileFormat, VerifyOptions};
use crate::error::{Error, Result};
use crate::terrain::{self, Encoding, ImageFormat, TileCodec, VerticalResolution};
use crate::tile::TileCoord;

/// Verify an archive: structure, counts, metadata, and that every tile decodes.
///
/// Ends with exit code 3 where problems are found. Warnings count only with --strict.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso verify japan.pmtiles\n  hypso verify japan.pmtiles --sample 10000 --format json | jq .problems"
)]
pub struct Args {
    /// The archive.
    archive: PathBuf,
    /// Decode about this many tiles, spread evenly, instead of all.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// Compare heights with the sources of this store, at about --sample tiles or all: mean, least and greatest difference.
    #[cfg(feature = "gdal")]
    #[arg(long, value_name = "STORE")]
    against: Option<PathBuf>,
    /// Let warnings count as problems.
    #[arg(long)]
    strict: bool,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(args: &Args) -> Outcome {
    progress::catch_interrupts();
    // What can't even be opened is a finding of `archive::verify`, not of this look at the metadata.
    let metadata = archive::open(&args.archive).map(|source| source.metadata().clone()).unwrap_or_default();
    let check = |_: TileCoord, bytes: &[u8]| decode(&metadata, bytes);
    let options = VerifyOptions { sample: args.sample };
    let report = archive::verify(&args.archive, options, &check, &Terminal::default())?;
    #[cfg(feature = "gdal")]
    let against = args.against.as_deref();
    #[cfg(feature = "gdal")]
    let against = against.map(|s| super::verify_against::compare(&args.archive, s, args.sample)).transpose()?;
    let failed = report.errors > 0 || (args.strict && report.warnings > 0);
    match args.format {
        Format::Json => {
            #[cfg_attr(not(feature = "gdal"), allow(unused_mut, reason = "nothing is added"))]
            let mut document = document(&report, failed);
            #[cfg(feature = "gdal")]
            if let Some(against) = &against {
                document["against"] = against.document();
            }
            output::line(serde_json::to_string_pretty(&document)?)?;
        }
        Format::Table => {
            output::line(table(args, &metadata.format, &report).trim_end())?;
            #[cfg(feature = "gdal")]
            if let Some(against) = &against {
                output::line(against.table().trim_end())?;
            }
        }
    }
    Ok(if failed { exit::PROBLEMS } else { exit::OK })
}

/// The formats whose pixels are decoded; tiles of others are read, and their first bytes compared.
fn decodes(format: &TileFormat) -> Option<ImageFormat> {
    match format {
        TileFormat::Webp => Some(ImageFormat::Webp),
        TileFormat::Png => Some(ImageFormat::Png),
        _ => None,
    }
}

/// Decodes all pixels of a tile as what the archive declares them to be.
fn decode(metadata: &ArchiveMetadata, bytes: &[u8]) -> Result<()> {
    let Some(format) = decodes(&metadata.format) else { return Ok(()) };
    if metadata.encoding == Some(TileEncoding::Lineage) {
        let (side, _) = terrain::decode_lineage(bytes)?;
        return check_side(metadata, side);
    }
    // Every 24 bits are a height in either encoding, so that a plain picture is decoded in the same way.
    let encoding = match metadata.encoding {
        Some(TileEncoding::Mapbox) => Encoding::Mapbox,
        _ => Encoding::Terrarium,
    };
    let codec = TileCodec {
        encoding,
        format,
        vertical: VerticalResolution::Full,
        nodata_elevation: 0.0,
        level: crate::terrain::webp::Level::Default,
    };
    check_side(metadata, codec.decode(bytes)?.size)
}

fn check_side(metadata: &ArchiveMetadata, side: u32) -> Result<()> {
    match metadata.tile_size {
        Some(expected) if expected != side => Err(Error::invalid(
            "tile image",
            format!("has {side} pixels a side, but the archive declares {expected}"),
            "make the tile again, or correct tileSize",
        )),
        _ => Ok(()),
    }
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn document(report: &Report, failed: bool) -> Value {
    let problems: Vec<Value> = report
        .problems
        .iter()
        .map(|p| {
            json!({
                "severity": label(p.severity), "tile": p.tile.map(|t| t.to_string()), "message": p.message,
                "remedy": p.remedy,
            })
        })
        .collect();
    let zooms: Vec<Value> = by_zoom(report).map(|(zoom, tiles)| json!({"zoom": zoom, "tiles": tiles})).collect();
    json!({
        "ok": !failed, "errors": report.errors, "warnings": report.warnings, "checked": report.checked,
        "zooms": zooms, "problems": problems, "more_problems": report.more_problems,
    })
}

fn by_zoom(report: &Report) -> impl Iterator<Item = (usize, u64)> {
    report.tiles_by_zoom.iter().copied().enumerate().filter(|(_, tiles)| *tiles > 0)
}

fn table(args: &Args, format: &TileFormat, report: &Report) -> String {
    let mut text = String::new();
    for p in &report.problems {
        let tile = p.tile.map_or_else(String::new, |tile| format!("tile {tile}: "));
        text += &format!("{:7}  {tile}{}; {}\n", label(p.severity), p.message, p.remedy);
    }
    if report.more_problems > 0 {
        text += &format!("... and {} more\n", output::count(report.more_problems));
    }
    let tiles: u64 = report.tiles_by_zoom.iter().sum();
    let zooms: Vec<usize> = by_zoom(report).map(|(zoom, _)| zoom).collect();
    let range = match (zooms.first(), zooms.last()) {
        (Some(min), Some(max)) => format!(", zooms {min} to {max}"),
        _ => String::new(),
    };
    let checked = output::count(report.checked);
    let work = match decodes(format) {
        Some(_) => format!("{checked} decoded"),
        None if format.name().is_empty() => format!("{checked} read"),
        None => format!("{checked} read (tiles of format {} are not decoded)", format.name()),
    };
    text + &format!(
        "{}: {} tiles{range}, {work}; errors: {}, warnings: {}\n",
        args.archive.display(),
        output::count(tiles),
        output::count(report.errors),
        output::count(report.warnings)
    )
}
