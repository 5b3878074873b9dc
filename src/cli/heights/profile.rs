//! `hypso profile`: heights along a line.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::chart::Chart;
use super::columns::{Facts, rounded};
use super::{SamplingArgs, decimal, input, input_name, open};
use crate::atomic::{check_output, refuse_inputs};
use crate::cli::observed::Touched;
use crate::cli::progress::Terminal;
use crate::cli::{Outcome, area, exit, output, values};
use crate::error::{Error, Result};
use crate::heights::{HeightQueries, ProfilePoint, Sampling, Spacing};
use crate::progress::Progress;
use crate::tile::LonLat;
use crate::track::Line;

/// Corners of a line that are sampled together.
const CORNERS: usize = 512;

/// Print the heights along a line, as a table, CSV or JSON, and draw them.
///
/// A line is straight on the ellipsoid between its places. It is given by places, or read from GPX (the first track), GeoJSON (its only line) or
/// text with LON,LAT in each line.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso profile japan.heights 138.63,35.36 138.83,35.36\n  hypso profile japan.heights --from walk.gpx --picture walk.png --format csv > walk.csv\n  hypso profile japan.heights --from river.geojson --spacing 10 --format json\n  hypso profile japan.heights --polyline '_p~iF~ps|U_ulLnnqC' --decimals 5"
)]
pub struct Args {
    /// A file of heights (`hypso convert X -o X.heights`), or a PMTiles archive of terrain.
    file: PathBuf,
    /// The places of the line: longitude and latitude in degrees.
    #[arg(value_name = "LON,LAT", value_parser = area::point)]
    places: Vec<LonLat>,
    /// The line from a file, - for stdin: GPX, GeoJSON, or LON,LAT in each line.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["places", "polyline"])]
    from: Option<PathBuf>,
    /// The line as an encoded polyline, as routing services give it.
    #[arg(long, value_name = "TEXT", conflicts_with = "places", allow_hyphen_values = true)]
    polyline: Option<String>,
    /// Decimals of the polyline: 5, or 6 as OSRM and Valhalla write it.
    #[arg(long, default_value_t = 5, requires = "polyline", value_parser = clap::value_parser!(u32).range(1..=9))]
    decimals: u32,
    /// A sample every so many metres on the ground, and one at each end and corner.
    #[arg(long, value_name = "METRES", value_parser = values::number, conflicts_with = "samples")]
    spacing: Option<f64>,
    /// This many samples, at equal distances.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    samples: u32,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Draw distance against height into a picture (PNG), in the colours of the sources where these are known.
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Replace an existing picture.
    #[arg(long)]
    overwrite: bool,
    /// Also print zoom, pixel size and source of each height.
    #[arg(long)]
    details: bool,
    #[command(flatten)]
    sampling: SamplingArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table for people.
    Table,
    /// Comma-separated values with a header line.
    Csv,
    /// A JSON document with the samples and their sums.
    Json,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        Touched::of([&self.file], &self.picture)
    }
}

pub fn run(args: &Args) -> Outcome {
    if let Some(picture) = &args.picture {
        check_output(picture, args.overwrite)?;
        let inputs = args.from.iter().filter(|from| from.as_path() != Path::new("-")).chain([&args.file]);
        refuse_inputs(picture, inputs)?;
    }
    let line = line(args)?;
    let heights = open(&args.file)?;
    let (how, sources) = (args.sampling.sampling(), heights.sources()?);
    let facts = Facts { digits: 2, details: args.details, shape: *heights.shape(), sources: &sources };
    let spacing = args.spacing.map_or(Spacing::Count(args.samples as usize), Spacing::Metres);
    let mut chart = match &args.picture {
        Some(_) => Some(Chart::new(heights.along(line.points(), Spacing::Count(2), &how)?.length)),
        None => None,
    };
    let mut writer = Samples { format: args.format, facts: &facts, rows: Vec::new(), out: Vec::new(), count: 0 };
    let mut out = BufWriter::with_capacity(1 << 16, output::rows());
    writer.begin();
    let sums = walk(heights.as_ref(), line.points(), spacing, &how, |sample| {
        writer.add(sample);
        if let Some(chart) = &mut chart {
            chart.add(sample);
        }
        if writer.out.len() > 1 << 16 {
            out.write_all(&writer.out).map_err(Error::io("write", "stdout"))?;
            writer.out.clear();
        }
        Ok(())
    })?;
    writer.end(&sums);
    out.write_all(&writer.out).and_then(|()| out.flush()).map_err(Error::io("write", "stdout"))?;
    drop(out);
    if args.format != Format::Json {
        crate::cli::say(&sums.sentence());
    }
    if let (Some(chart), Some(path)) = (chart, &args.picture) {
        chart.draw(&sources)?.save(path, args.overwrite)?;
        crate::cli::say(&path.display().to_string());
    }
    Ok(exit::OK)
}

fn line(args: &Args) -> Result<Line> {
    if let Some(text) = &args.polyline {
        return Line::from_polyline(text, args.decimals);
    }
    if !args.places.is_empty() {
        return Line::new(args.places.clone());
    }
    let line = Line::read(input(args.from.as_deref(), "places")?);
    line.map_err(|error| error.with_path(input_name(args.from.as_deref())))
}

/// What is known of a whole line.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    samples: u64,
    known: u64,
    length: f64,
    climb: f64,
    descent: f64,
    range: Option<(f64, f64)>,
    last: Option<f64>,
}

impl Sums {
    fn add(&mut self, sample: &ProfilePoint) {
        self.samples += 1;
        self.length = sample.distance;
        let Some(metres) = sample.height.map(|h| h.metres) else { return };
        self.known += 1;
        let step = metres - self.last.unwrap_or(metres);
        self.climb += step.max(0.0);
        self.descent -= step.min(0.0);
        self.last = Some(metres);
        let (low, high) = self.range.unwrap_or((metres, metres));
        self.range = Some((low.min(metres), high.max(metres)));
    }

    fn sentence(&self) -> String {
        let range = self.range.map_or("no data".into(), |(low, high)| format!("{low:.1} to {high:.1} m"));
        let void = self.samples - self.known;
        let void = if void > 0 { format!(", {} without data", output::counted(void, "sample")) } else { String::new() };
        let (length, climb, descent) = (self.length / 1000.0, self.climb, self.descent);
        format!("{length:.3} km, {range}, up {climb:.1} m, down {descent:.1} m{void}")
    }
}

/// Gives the samples of a line one after another. With a spacing in metres, some hundred corners are sampled at a time.
fn walk(
    heights: &dyn HeightQueries,
    line: &[LonLat],
    spacing: Spacing,
    how: &Sampling,
    mut each: impl FnMut(&ProfilePoint) -> Result<()>,
) -> Result<Sums> {
    let mut sums = Sums::default();
    let mut give = |sample: &ProfilePoint| {
        sums.add(sample);
        each(sample)
    };
    let Spacing::Metres(_) = spacing else {
        heights.along(line, spacing, how)?.points.iter().try_for_each(give)?;
        return Ok(sums);
    };
    // A place that is given twice in a row makes no way, and pieces need one.
    let mut corners = line.to_vec();
    corners.dedup();
    if corners.len() < 2 {
        return Err(Error::argument("line", "has no length: its places are all the same"));
    }
    let progress = Terminal::default();
    progress.begin("following the line", Some(corners.len() as u64 - 1), "corners");
    let (mut start, mut walked) = (0, 0.0);
    while start + 1 < corners.len() {
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        let end = (start + CORNERS).min(corners.len() - 1);
        let piece = heights.along(&corners[start..=end], spacing, how)?;
        // The first sample of a piece is the last one of the piece before.
        for sample in piece.points.iter().skip(usize::from(start > 0)) {
            let mut sample = *sample;
            sample.distance += walked;
            give(&sample)?;
        }
        walked += piece.length;
        progress.advance((end - start) as u64);
        start = end;
    }
    progress.end();
    Ok(sums)
}

/// Samples as text.
struct Samples<'a> {
    format: Format,
    facts: &'a Facts<'a>,
    /// Of a table, whose columns are as wide as their widest cell.
    rows: Vec<Vec<String>>,
    out: Vec<u8>,
    count: u64,
}

/// The most rows of a table for people; more are printed as CSV.
const MOST_ROWS: u64 = 100_000;

impl Samples<'_> {
    fn begin(&mut self) {
        let names = [&["distance", "lon", "lat"], self.facts.names()].concat();
        match self.format {
            Format::Table => self.rows.push(names.into_iter().map(str::to_owned).collect()),
            Format::Csv => self.out.extend(format!("{}\n", names.join(",")).bytes()),
            Format::Json => self.out.extend(b"{\"samples\":[\n"),
        }
    }

    fn add(&mut self, sample: &ProfilePoint) {
        let height = sample.height.as_ref();
        self.count += 1;
        if self.format == Format::Json {
            if self.count > 1 {
                self.out.extend_from_slice(b",\n");
            }
            let mut object = self.facts.object(sample.point, height);
            object["distance"] = rounded(sample.distance, 2);
            return self.out.extend(object.to_string().bytes());
        }
        let separator = if self.format == Format::Csv { b',' } else { b'\t' };
        let mut text = Vec::new();
        decimal(&mut text, sample.distance, 2);
        for degrees in [sample.point.lon(), sample.point.lat()] {
            text.push(separator);
            decimal(&mut text, degrees, 7);
        }
        self.facts.add(&mut text, separator, sample.point, height);
        if self.format == Format::Csv {
            text.push(b'\n');
            self.out.append(&mut text);
        } else if self.count <= MOST_ROWS {
            let row = String::from_utf8_lossy(&text).split('\t').map(str::to_owned).collect();
            self.rows.push(row);
        }
    }

    fn end(&mut self, sums: &Sums) {
        match self.format {
            Format::Table => {
                self.out.extend(output::table(&self.rows, &[0, 1, 2, 3, 4, 5]).bytes());
                if self.count > MOST_ROWS {
                    self.out.extend(format!("... {} more; csv has all\n", self.count - MOST_ROWS).bytes());
                }
            }
            Format::Csv => {}
            Format::Json => {
                let (least, greatest) = sums.range.unzip();
                let number = |value: Option<f64>| value.map(|v| rounded(v, 2));
                let sums = json!({
                    "length": rounded(sums.length, 2), "climb": rounded(sums.climb, 2),
                    "descent": rounded(sums.descent, 2), "least": number(least), "greatest": number(greatest),
                    "without_data": sums.samples - sums.known,
                });
                // One object: its last members stand without the brace that opens them.
                self.out.extend(format!("\n],{}\n", sums.to_string().trim_start_matches('{')).bytes());
            }
        }
    }
}
