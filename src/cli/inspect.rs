//! `hypso inspect`: what an archive holds.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Outcome, exit, output};
use crate::archive::{self, ArchiveOverview, TileFormat, TileSource};

/// Tell what an archive holds: header, metadata, tiles by zoom, the largest tiles, TileJSON.
///
/// Reads directories and addresses only; `hypso verify` reads the tiles.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso inspect japan.pmtiles\n  hypso inspect japan.pmtiles --format json | jq .tilejson\n  hypso inspect japan.pmtiles --url 'https://example.org/terrain/{z}/{x}/{y}.webp' --format json"
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
    /// The URL template of the tiles for the TileJSON [default: {z}/{x}/{y} with the extension of the format].
    #[arg(long, value_name = "TEMPLATE")]
    url: Option<String>,
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
    let source = archive::open(&args.archive)?;
    let overview = archive::summary(source.as_ref(), usize::from(args.largest))?;
    match args.format {
        Format::Table => output::line(table(source.as_ref(), &overview)?.trim_end())?,
        Format::Json => {
            let template = args.url.clone().unwrap_or_else(|| default_url(&source.metadata().format));
            output::line(serde_json::to_string_pretty(&document(source.as_ref(), &overview, &template)?)?)?;
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
        "{}: {}, {} tiles{contents}, {} of tiles\n",
        source.path().display(),
        source.kind().name(),
        output::count(overview.tiles),
        output::bytes(overview.bytes)
    );
    let lines = |value: &Value| -> Vec<(String, String)> {
        value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), cell(value))).collect()
    };
    text += &section("metadata", &lines(&source.metadata().to_json()));
    text += &section("file", &lines(&Value::Object(source.facts()?)));
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
    let text = match value {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    if text.chars().count() <= 100 { text } else { text.chars().take(99).chain(['…']).collect() }
}
