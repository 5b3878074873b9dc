//! `hypso sight`: whether one place sees another.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::columns::rounded;
use super::stream::{self, Records};
use super::{SamplingArgs, decimal, input, input_name, open};
use crate::cli::inspect::Format;
use crate::cli::{Outcome, area, exit, output, values};
use crate::error::{Error, Result};
use crate::heights::{HeightQueries, Sampling, Seen, Sight};
use crate::tile::LonLat;
use crate::track::{Layout, PAIR};

/// Say whether one place is visible from another, and what is in the way.
///
/// Takes the Earth's curvature and refraction into account, and trees and buildings where the heights include them. Pairs from a file
/// keep their lines and get columns.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso sight japan.heights 139.7454,35.6586 138.7275,35.3607 --eye 150\n  hypso sight japan.heights 138.1,36.2 138.3,36.4 --target 30 --refraction 0.25\n  hypso sight japan.heights --from pairs.csv > seen.csv      # lon1,lat1,lon2,lat2"
)]
pub struct Args {
    /// A file of heights (`hypso convert X -o X.heights`), or a PMTiles archive of terrain.
    file: PathBuf,
    /// The eye and the target: longitude and latitude in degrees.
    #[arg(value_name = "LON,LAT", value_parser = area::point, num_args = 0..=2)]
    places: Vec<LonLat>,
    /// Pairs from a file, - for stdin: the four coordinates in each line, or CSV with a header.
    #[arg(long, value_name = "FILE", conflicts_with = "places")]
    from: Option<PathBuf>,
    /// The columns of the four coordinates, by name or number [default: lon1, lat1, lon2, lat2, and the like].
    #[arg(long, value_name = "LON1,LAT1,LON2,LAT2", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Metres of the eye above the ground.
    #[arg(long, default_value_t = 1.7, value_name = "METRES", value_parser = values::number, allow_hyphen_values = true)]
    eye: f64,
    /// Metres of the target above the ground.
    #[arg(long, default_value_t = 0.0, value_name = "METRES", value_parser = values::number, allow_hyphen_values = true)]
    target: f64,
    /// The part of the Earth's curvature that refraction takes away: about 0.13 for light, 0.25 for radio, 0 for none.
    #[arg(long, default_value_t = 0.13, value_name = "K", value_parser = values::number, allow_hyphen_values = true)]
    refraction: f64,
    /// How to print it; pairs from a file are CSV.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    sampling: SamplingArgs,
}

impl Args {
    fn ask(&self, heights: &dyn HeightQueries, how: &Sampling, from: LonLat, to: LonLat) -> Result<Seen> {
        let sight = Sight::new(from, to).above_ground(self.eye, self.target).refraction(self.refraction);
        heights.sees(&sight, how)
    }
}

pub fn run(args: &Args) -> Outcome {
    let heights = open(&args.file)?;
    let how = args.sampling.sampling();
    match args.places[..] {
        [from, to] => one(args, args.ask(heights.as_ref(), &how, from, to)?)?,
        [_] => return Err(Error::argument("sight", "give two places: the eye and the target").into()),
        _ => many(args, heights.as_ref(), &how)?,
    }
    Ok(exit::OK)
}

fn one(args: &Args, seen: Seen) -> anyhow::Result<()> {
    if args.format == Format::Json {
        output::line(serde_json::to_string_pretty(&document(&seen))?)?;
        return Ok(());
    }
    let text = match seen {
        Seen::Clear => "clear".to_owned(),
        Seen::Blocked { point, distance, ground, above } => format!(
            "blocked at {:.6},{:.6}, {:.2} km from the eye: the ground, {:.1} m high, is {above:.1} m above the line of sight",
            point.lon(),
            point.lat(),
            distance / 1000.0,
            ground.metres
        ),
        Seen::Unknown => "unknown: there is no height at an end".to_owned(),
    };
    output::line(text)?;
    Ok(())
}

fn document(seen: &Seen) -> Value {
    match seen {
        Seen::Clear => json!({"seen": true}),
        Seen::Blocked { point, distance, ground, above } => json!({
            "seen": false,
            "blocked": {
                "lon": point.lon(), "lat": point.lat(), "distance": rounded(*distance, 2),
                "ground": rounded(ground.metres, 2), "above": rounded(*above, 2),
            },
        }),
        Seen::Unknown => json!({"seen": null}),
    }
}

/// Pairs of a text, line by line.
fn many(args: &Args, heights: &dyn HeightQueries, how: &Sampling) -> Result<()> {
    if args.format == Format::Json {
        return Err(Error::argument("--format", "json is for one pair; pairs from a file are CSV"));
    }
    let head = |layout: &Layout| {
        layout.header().map_or_else(Vec::new, |header| {
            let names = ["seen", "distance", "lon", "lat", "ground", "above"];
            let names =
                names.map(|name| format!("{}blocked_{name}", layout.separator()).replace("blocked_seen", "seen"));
            [header.to_vec(), names.concat().into_bytes(), b"\n".to_vec()].concat()
        })
    };
    let work = |layout: &Layout, records: Records<'_, 2>, out: &mut Vec<u8>| {
        let separator = layout.separator() as u8;
        for (text, [from, to]) in records.texts.iter().zip(&records.points) {
            out.extend_from_slice(text);
            out.push(separator);
            let (seen, blocked) = match args.ask(heights, how, *from, *to)? {
                Seen::Clear => ("true", None),
                Seen::Unknown => ("", None),
                Seen::Blocked { point, distance, ground, above } => {
                    let places = [(distance, 2), (point.lon(), 6), (point.lat(), 6), (ground.metres, 2), (above, 2)];
                    ("false", Some(places))
                }
            };
            out.extend_from_slice(seen.as_bytes());
            for n in 0..5 {
                out.push(separator);
                if let Some((value, digits)) = blocked.map(|places| places[n]) {
                    decimal(out, value, digits);
                }
            }
            out.push(b'\n');
        }
        Ok(())
    };
    let input = input(args.from.as_deref(), "places")?;
    stream::answer(input, &PAIR, args.columns.as_deref(), head, work, (b"", b""))
        .map_err(|error| error.with_path(input_name(args.from.as_deref())))
}
