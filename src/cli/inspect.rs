//! `hypso inspect`: what an archive holds.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::archives::InputArgs;
use super::progress::Terminal;
use super::{Outcome, exit, output};
use crate::archive::{self, ArchiveOverview, TileFormat, TileSource};
use crate::json::Json;
use crate::pixels::{self, Statistics};
use crate::text::one_line;

/// Show what an archive holds: metadata, tiles by zoom, the largest tiles.
///
/// Reads only directories and addresses; with --histogram also tiles of the deepest zoom, with --hash all. `hypso verify` reads all tiles.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso inspect japan.pmtiles\n  hypso inspect japan.pmtiles --histogram\n  hypso inspect japan.pmtiles --hash --format json | jq .content_hash\n  hypso inspect japan.pmtiles --format json | jq .tilejson\n  hypso inspect japan.pmtiles --url 'https://example.org/terrain/{z}/{x}/{y}.webp' --format json"
)]
pub struct Args {
    /// The archive.
    archive: PathBuf,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// How many of the largest tiles to name.
    #[arg(long, default_value_t = 5, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(0..=1000))]
    largest: u16,
    /// Decode about this many tiles of the deepest zoom, spread evenly, and show how their heights are distributed.
    #[arg(long, value_name = "TILES", num_args = 0..=1, default_missing_value = "1000", value_parser = clap::value_parser!(u64).range(1..))]
    histogram: Option<u64>,
    /// Compute the hash of all tiles, which is the same in every container (agg_tiles_hash). Reads all tiles.
    #[arg(long)]
    hash: bool,
    /// The URL template of the tiles for the TileJSON [default: {z}/{x}/{y} with the extension of the format].
    #[arg(long, value_name = "TEMPLATE")]
    url: Option<String>,
    #[command(flatten)]
    read: InputArgs,
}

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables for people.
    Table,
    /// One JSON document.
    Json,
}

pub fn run(args: &Args) -> Outcome {
    let source = args.read.open(&args.archive, None)?;
    let overview = archive::summary(source.as_ref(), usize::from(args.largest))?;
    let heights = match args.histogram {
        Some(limit) => Some(pixels::sample(source.as_ref(), Some(limit), &Terminal::default())?),
        None => None,
    };
    let hash = if args.hash { Some(archive::content_hash(source.as_ref(), &Terminal::default())?) } else { None };
    match args.format {
        Format::Table => {
            let hash = hash.map_or_else(String::new, |hash| format!("\nhash of all tiles: {hash}\n"));
            let text =
                table(source.as_ref(), &overview)? + &hash + &heights.as_ref().map_or_else(String::new, histogram);
            output::line(text.trim_end())?;
        }
        Format::Json => {
            let template = args.url.clone().unwrap_or_else(|| default_url(&source.metadata().format));
            let mut document = document(source.as_ref(), &overview, &template)?;
            if let Some(hash) = hash {
                document["content_hash"] = hash.into();
            }
            if let Some(found) = &heights {
                let classes: Vec<Value> =
                    found.histogram(CLASSES).iter().map(|(from, n)| json!({"from": from, "pixels": n})).collect();
                let (low, high) = found.range.unzip();
                document["heights"] = json!({
                    "tiles": found.tiles, "pixels": found.pixels, "nodata_pixels": found.nodata, "lowest": low,
                    "highest": high, "mean": found.mean(), "histogram": classes,
                });
            }
            output::line(serde_json::to_string_pretty(&document)?)?;
        }
    }
    Ok(exit::OK)
}

fn default_url(format: &TileFormat) -> String {
    let dot = if format.name().is_empty() { "" } else { "." };
    format!("{{z}}/{{x}}/{{y}}{dot}{}", format.name())
}

fn document(source: &dyn TileSource, overview: &ArchiveOverview, template: &str) -> crate::Result<Value> {
    let zooms: Vec<Value> = overview
        .zooms
        .iter()
        .map(|z| json!({"zoom": z.zoom, "tiles": z.tiles, "bytes": z.bytes, "largest_bytes": z.largest}))
        .collect();
    let largest: Vec<Value> =
        overview.largest.iter().map(|l| json!({"tile": l.tile.to_string(), "bytes": l.bytes})).collect();
    Ok(json!({
        "path": source.path(), "kind": source.kind().name(), "header": source.facts()?,
        "tiles": overview.tiles, "contents": overview.contents, "bytes": overview.bytes, "zooms": zooms,
        "largest": largest, "metadata": source.metadata().to_json(), "tilejson": source.metadata().tilejson(template),
    }))
}

fn table(source: &dyn TileSource, overview: &ArchiveOverview) -> crate::Result<String> {
    let contents = match overview.contents {
        Some(n) if n < overview.tiles => format!(" ({} distinct)", output::count(n)),
        _ => String::new(),
    };
    let mut text = format!(
        "{}: {}, {}{contents}, {} of tiles\n",
        output::path(source.path()),
        source.kind().name(),
        output::counted(overview.tiles, "tile"),
        output::bytes(overview.bytes)
    );
    let lines = |json: &Json| -> Vec<(String, String)> {
        json.value().as_object().into_iter().flatten().map(|(key, value)| (key.clone(), cell(value))).collect()
    };
    text += &section("metadata", &lines(&source.metadata().to_json()));
    text += &section("file", &lines(&source.facts()?));
    let mut rows = vec![["zoom", "tiles", "bytes", "mean", "largest"].map(String::from).to_vec()];
    for z in &overview.zooms {
        let numbers = [z.bytes, z.bytes / z.tiles.max(1), z.largest].map(output::bytes);
        rows.push([vec![z.zoom.to_string(), output::count(z.tiles)], numbers.to_vec()].concat());
    }
    text += &format!("\n{}", output::table(&rows, &[0, 1, 2, 3, 4]));
    if !overview.largest.is_empty() {
        let mut rows = vec![["largest tiles", "bytes"].map(String::from).to_vec()];
        rows.extend(overview.largest.iter().map(|l| vec![l.tile.to_string(), output::count(l.bytes)]));
        text += &format!("\n{}", output::table(&rows, &[1]));
    }
    Ok(text)
}

/// Classes of heights that are shown.
const CLASSES: usize = 25;

fn histogram(found: &Statistics) -> String {
    let Some((low, high)) = found.range else { return "\nheights: none in the tiles that were read\n".to_owned() };
    let mut text = format!(
        "\nheights of {} tiles: {low} to {high} m, mean {:.1} m, {:.1} % of the pixels without\n",
        output::count(found.tiles),
        found.mean().unwrap_or(0.0),
        found.nodata as f64 * 100.0 / (found.pixels + found.nodata).max(1) as f64
    );
    let classes = found.histogram(CLASSES);
    let most = classes.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    for (from, pixels) in classes {
        let bar = "#".repeat((pixels as f64 * 50.0 / most as f64).ceil() as usize);
        text += &format!("  {from:>6} m  {:5.1} %  {bar}\n", pixels as f64 * 100.0 / found.pixels.max(1) as f64);
    }
    text
}

/// Names and values below a title.
fn section(title: &str, lines: &[(String, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = format!("\n{title}\n");
    for (name, value) in lines {
        text += &format!("  {name:width$}  {value}\n");
    }
    text
}

/// A value on one line of limited width.
pub fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text, 100),
        other => one_line(&other.to_string(), 100),
    }
}
