//! `hypso height`: how high it is at points.

use std::io::{Read, Write};
use std::path::PathBuf;

use super::columns::{Facts, Format};
use super::stream::{self, Records};
use super::{SamplingArgs, input, input_name, open};
use crate::cli::output;
use crate::cli::progress::Terminal;
use crate::cli::{Outcome, area, exit};
use crate::error::{Error, Result};
use crate::heights::{Height, HeightQueries, Sampling};
use crate::progress::Progress;
use crate::tile::LonLat;
use crate::track::{Layout, POINT, add_heights, begin};

/// Print the height at points, given as arguments, in a file or through a pipe.
///
/// CSV keeps its lines and gets a column `height`; GeoJSON of any kind gets a height in each of its positions. Points without a height (no
/// tile there, or a void) have an empty field, or null. The number of points does not matter for memory.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso height japan.heights 138.7275,35.3607\n  hypso height japan.heights --from peaks.csv > with-heights.csv\n  hypso height japan.heights --from stations.csv --columns east,north --details\n  hypso height japan.heights --from track.geojson > track-3d.geojson\n  zcat points.csv.gz | hypso height japan.heights --nearest | gzip > heights.csv.gz"
)]
pub struct Args {
    /// A file of heights (`hypso convert X -o X.heights`), or a PMTiles archive of terrain.
    file: PathBuf,
    /// Points: longitude and latitude in degrees.
    #[arg(value_name = "LON,LAT", value_parser = area::point)]
    points: Vec<LonLat>,
    /// Points from a file, - for stdin: LON,LAT in each line, CSV with a header, or GeoJSON.
    #[arg(long, value_name = "FILE", conflicts_with = "points")]
    from: Option<PathBuf>,
    /// The columns of longitude and latitude, by name or number [default: lon, lng, longitude, x; lat, latitude, y].
    #[arg(long, value_name = "LON,LAT", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// How to print them [default: table for arguments, otherwise as the input].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Also print zoom, pixel size (metres on the ground) and source of each height.
    #[arg(long)]
    details: bool,
    /// Decimals of heights, metres.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=6))]
    digits: u8,
    #[command(flatten)]
    sampling: SamplingArgs,
}

pub fn run(args: &Args) -> Outcome {
    let heights = open(&args.file)?;
    let (how, sources) = (args.sampling.sampling(), heights.sources()?);
    let digits = usize::from(args.digits);
    let facts = Facts { digits, details: args.details, shape: *heights.shape(), sources: &sources };
    if args.points.is_empty() {
        let (first, input) = begin(input(args.from.as_deref(), "points")?)?;
        let done = if first == Some(b'{') {
            geojson(args, heights.as_ref(), &how, input)
        } else {
            text(args, heights.as_ref(), &how, &facts, input)
        };
        done.map_err(|error| error.with_path(input_name(args.from.as_deref())))?;
        return Ok(exit::OK);
    }
    let mut found = Vec::new();
    heights.at_many(&args.points, &how, &mut found)?;
    let all = || args.points.iter().copied().zip(found.iter().map(Option::as_ref));
    match args.format.unwrap_or(Format::Table) {
        Format::Table => table(&facts, all())?,
        Format::Csv => {
            let mut out = [&["lon", "lat"], facts.names()].concat().join(",").into_bytes();
            for (point, height) in all() {
                out.extend(format!("\n{},{}", point.lon(), point.lat()).bytes());
                facts.add(&mut out, b',', point, height);
            }
            out.push(b'\n');
            output::rows().write_all(&out)?;
        }
        Format::Json => {
            let objects: Vec<_> = all().map(|(point, height)| facts.object(point, height)).collect();
            output::line(serde_json::to_string_pretty(&objects)?)?;
        }
        Format::Geojson => {
            let features: Vec<_> = all().map(|(point, height)| facts.feature(point, height)).collect();
            output::line(serde_json::json!({"type": "FeatureCollection", "features": features}))?;
        }
    }
    Ok(exit::OK)
}

fn table<'a>(facts: &Facts<'_>, all: impl Iterator<Item = (LonLat, Option<&'a Height>)>) -> std::io::Result<()> {
    let mut rows = vec![[&["lon", "lat"], facts.names()].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for (point, height) in all {
        let mut columns = Vec::new();
        facts.add(&mut columns, b'\t', point, height);
        let columns = String::from_utf8_lossy(&columns);
        let mut row = vec![point.lon().to_string(), point.lat().to_string()];
        row.extend(columns.split('\t').skip(1).map(str::to_owned));
        if height.is_none() {
            row[2] = "no data".into();
        }
        rows.push(row);
    }
    output::line(output::table(&rows, &[0, 1, 2, 3, 4]).trim_end())
}

/// Text and CSV, line by line.
fn text(args: &Args, heights: &dyn HeightQueries, how: &Sampling, facts: &Facts<'_>, input: impl Read) -> Result<()> {
    let format = args.format.unwrap_or(Format::Csv);
    if format == Format::Table {
        return Err(Error::argument(
            "--format",
            "a table is made of points that are given as arguments; choose csv or json",
        ));
    }
    let head = |layout: &Layout| match format {
        Format::Csv => layout.header().map_or_else(Vec::new, |header| {
            let names = facts.names().iter().map(|name| format!("{}{name}", layout.separator()));
            [header.to_vec(), names.collect::<String>().into_bytes(), b"\n".to_vec()].concat()
        }),
        Format::Geojson => b"{\"type\":\"FeatureCollection\",\"features\":[\n".to_vec(),
        _ => b"[\n".to_vec(),
    };
    let work = |layout: &Layout, records: Records<'_, 1>, out: &mut Vec<u8>| {
        let points: Vec<LonLat> = records.points.iter().map(|[point]| *point).collect();
        let mut found = Vec::with_capacity(points.len());
        heights.at_many(&points, how, &mut found)?;
        for ((text, point), height) in records.texts.iter().zip(points).zip(&found) {
            match format {
                Format::Csv => {
                    out.extend_from_slice(text);
                    facts.add(out, layout.separator() as u8, point, height.as_ref());
                    out.push(b'\n');
                }
                Format::Geojson => member(out, &facts.feature(point, height.as_ref())),
                _ => member(out, &facts.object(point, height.as_ref())),
            }
        }
        Ok(())
    };
    let (between, end): (&[u8], &[u8]) = match format {
        Format::Csv => (b"", b""),
        Format::Geojson => (BETWEEN, b"\n]}\n"),
        _ => (BETWEEN, b"\n]\n"),
    };
    stream::answer(input, &POINT, args.columns.as_deref(), head, work, (between, end))
}

/// The text between the members of a JSON array.
const BETWEEN: &[u8] = b",\n";

/// Adds a member to an array.
fn member(out: &mut Vec<u8>, value: &serde_json::Value) {
    if !out.is_empty() {
        out.extend_from_slice(BETWEEN);
    }
    out.extend(value.to_string().bytes());
}

/// GeoJSON with heights in its positions.
fn geojson(args: &Args, heights: &dyn HeightQueries, how: &Sampling, input: impl Read) -> Result<()> {
    if args.format.is_some_and(|format| format != Format::Geojson) || args.details || args.columns.is_some() {
        let problem =
            "GeoJSON stays GeoJSON, with heights in its positions; leave out --format, --details and --columns";
        return Err(Error::argument("--from", problem));
    }
    let progress = Terminal::default();
    progress.begin("asking for heights", None, "positions");
    let mut found = Vec::new();
    let look_up = |points: &[LonLat], out: &mut Vec<Option<f64>>| {
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        heights.at_many(points, how, &mut found)?;
        out.extend(found.iter().map(|height| height.map(|h| h.metres)));
        progress.advance(points.len() as u64);
        Ok(())
    };
    let mut out = std::io::BufWriter::with_capacity(1 << 20, output::rows());
    let (all, known) = add_heights(input, &mut out, usize::from(args.digits), look_up)?;
    out.flush().map_err(Error::io("write", "stdout"))?;
    progress.end();
    if known < all {
        crate::cli::say(&format!(
            "{} have no height and were left with two numbers",
            output::counted(all - known, "position")
        ));
    }
    Ok(())
}
