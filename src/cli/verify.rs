//! `hypso verify`: whether an archive is what it says, every tile decoded; and whether a store is whole.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::archives::{self, SchemeName};
use super::inspect::Format;
use super::progress::Terminal;
use super::store_file::{self, Care};
use super::{Outcome, exit, output, quality, verify_store, words};
use crate::archive::{Report, Severity, TileFormat, VerifyOptions};
use crate::error::{Error, Result};
use crate::events::Settings;
use crate::pixels::{self, HeightRange, Parents, Verified};

/// Verify an archive or a store.
///
/// Of an archive: structure, counts, metadata, and that every tile decodes.
///
/// Of a store (or another file of its format, such as OUTPUT.inputs): every checksum, and everything that the format says of
/// values, order and indices. The content of a file says what it is.
///
/// Tiles of an archive are also compared with the means of their finer tiles, and with --store their place with that of the records.
/// Ends with exit code 3 where problems are found. Warnings count only with --strict. Limits below [alerts] in hypso.toml count as well
/// (exit code 4).
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso verify japan.pmtiles\n  hypso verify japan.pmtiles --sample 10000 --format json | jq .problems\n  hypso verify japan.pmtiles --parents all --store japan.hypso --strict\n  hypso verify japan.hypso"
)]
pub struct Args {
    /// The archive or store.
    #[arg(value_name = "ARCHIVE|STORE")]
    archive: PathBuf,
    /// Decode about this many tiles, spread evenly, instead of all.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// Compare heights with the sources of this store, at about --sample tiles or all: the finest tile of each place. Cells are
    /// looked up in another way than when tiles are made. A tile is wrong where more than one pixel in a thousand lies outside of
    /// all cells around it, or has no height where all of them have one.
    #[arg(long, value_name = "STORE")]
    against: Option<PathBuf>,
    /// Compare about this many tiles with the means of their finer tiles: a number, all, or none.
    #[arg(long, value_name = "COUNT", default_value = "200")]
    parents: String,
    /// Look whether the tiles lie where the records of this store are, or upside down.
    #[arg(long, value_name = "STORE")]
    store: Option<PathBuf>,
    /// Let warnings count as problems.
    #[arg(long)]
    strict: bool,
    /// How tiles are addressed in a folder, or how the rows of MBTiles count [default: as the archive says].
    #[arg(long, value_enum, value_name = "SCHEME")]
    scheme: Option<SchemeName>,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl Args {
    /// True where tiles are compared with rasters.
    pub fn reads_rasters(&self) -> bool {
        self.against.is_some()
    }
}

pub fn run(args: &Args) -> Outcome {
    if verify_store::is_one(&args.archive) {
        verify_store::refuse(&[("--against", args.against.is_some())])?;
        verify_store::refuse(&[("--sample", args.sample.is_some()), ("--store", args.store.is_some())])?;
        return verify_store::run(&args.archive, args.strict, args.format);
    }
    let scheme = archives::scheme_of(args.scheme, &args.archive)?;
    let progress = Terminal::default();
    let options = VerifyOptions { sample: args.sample };
    let rules = Settings::read()?.rules;
    let found = pixels::verify(&args.archive, options, scheme, parents(&args.parents)?, &progress)?;
    let findings = rules.judge(&found.figures());
    let Verified { mut report, heights, compared, source, .. } = found;
    if let (Some(source), Some(store)) = (source.as_deref().filter(|_| report.checked > 0), &args.store) {
        crate::render::check_place(source, &store_file::open(store, Care::Quick)?, &mut report)?;
    }
    let against = args.against.as_deref();
    let against =
        against.map(|s| super::verify_against::compare(&args.archive, s, args.sample, &mut report)).transpose()?;
    let failed = report.errors > 0 || (args.strict && report.warnings > 0);
    match args.format {
        Format::Json => {
            let mut document = document(&report, failed, &heights, compared);
            if let Some(against) = &against {
                document["against"] = super::verify_against::document(against);
            }
            document["alerts"] = json!(findings.iter().filter(|found| found.raised).collect::<Vec<_>>());
            output::line(serde_json::to_string_pretty(&document)?)?;
        }
        Format::Table => {
            let format = source.as_ref().map(|source| source.metadata().format.clone()).unwrap_or_default();
            output::line(table(args, &format, &report, &heights, compared).trim_end())?;
            if let Some(against) = &against {
                output::line(super::verify_against::table(against).trim_end())?;
            }
        }
    }
    let code = quality::told(&findings);
    Ok(if failed { exit::PROBLEMS } else { code })
}

/// How many tiles `--parents` asks for.
fn parents(text: &str) -> Result<Parents> {
    Ok(match text {
        "all" => Parents::All,
        "none" | "0" => Parents::None,
        number => {
            Parents::About(number.parse().map_err(|_| {
                Error::argument("--parents", format!("expected a number, all or none, found {number:?}"))
            })?)
        }
    })
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn document(report: &Report, failed: bool, heights: &HeightRange, compared: u64) -> Value {
    let problems: Vec<Value> = report
        .problems
        .iter()
        .map(|p| {
            json!({
                "severity": label(p.severity), "tile": p.tile.map(|t| t.to_string()), "message": words::of(&p.message),
                "remedy": words::of(&p.remedy),
            })
        })
        .collect();
    let zooms: Vec<Value> = by_zoom(report).map(|(zoom, tiles)| json!({"zoom": zoom, "tiles": tiles})).collect();
    json!({
        "ok": !failed, "errors": report.errors, "warnings": report.warnings, "checked": report.checked,
        "lowest": heights.low.map(|(v, _)| v), "highest": heights.high.map(|(v, _)| v), "pixels": heights.pixels,
        "nodata_pixels": heights.nodata, "parents_compared": compared, "zooms": zooms, "problems": problems, "more_problems": report.more_problems,
    })
}

fn by_zoom(report: &Report) -> impl Iterator<Item = (usize, u64)> {
    report.tiles_by_zoom.iter().copied().enumerate().filter(|(_, tiles)| *tiles > 0)
}

fn table(args: &Args, format: &TileFormat, report: &Report, heights: &HeightRange, compared: u64) -> String {
    let mut text = String::new();
    for p in &report.problems {
        let tile = p.tile.map_or_else(String::new, |tile| format!("tile {tile}: "));
        text += &format!("{:7}  {tile}{}; {}\n", label(p.severity), words::of(&p.message), words::of(&p.remedy));
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
    let work = match format.image() {
        Some(_) => format!("{checked} decoded"),
        None if format.name().is_empty() => format!("{checked} read"),
        None => format!("{checked} read (tiles of format {} are not decoded)", format.name()),
    };
    if let (Some((low, _)), Some((high, _))) = (heights.low, heights.high) {
        let share = heights.nodata as f64 * 100.0 / (heights.pixels + heights.nodata).max(1) as f64;
        text += &format!("heights {low} to {high} m, {share:.1} % of the pixels without");
        text += &format!("; {} compared with their finer ones\n", output::counted(compared, "tile"));
    }
    text + &format!(
        "{}: {}{range}, {work}; errors: {}, warnings: {}\n",
        output::path(&args.archive),
        output::counted(tiles, "tile"),
        output::count(report.errors),
        output::count(report.warnings)
    )
}
