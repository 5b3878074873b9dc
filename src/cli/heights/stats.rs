//! `hypso stats`: least, greatest and mean height of an area.

use std::path::PathBuf;

use serde_json::json;

use super::columns::rounded;
use super::open;
use crate::cli::inspect::Format;
use crate::cli::{Outcome, area, exit, output};
use crate::error::Error;
use crate::heights::{HeightQueries, Statistics};
use crate::tile::{Area, LonLatBox, Polygons};

/// Print the least, greatest and mean height of a box, of polygons, or of everything.
///
/// Tiles wholly inside are answered from columns, so the time depends on the length of the area's rim. The mean is that of the map's
/// pixels, which cover less ground towards the poles.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso stats japan.heights\n  hypso stats japan.heights --bbox 138.6,35.2,138.9,35.5\n  hypso stats japan.heights --clip prefecture.geojson --format json"
)]
pub struct Args {
    /// A file of heights (`hypso convert X -o X.heights`), or a PMTiles archive of terrain.
    file: PathBuf,
    /// The box: west, south, east, north in degrees. West above east: across 180 degrees. Several times: all of them.
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true, value_parser = area::bbox)]
    bbox: Vec<LonLatBox>,
    /// The polygons of a GeoJSON file (longitude and latitude).
    #[arg(long, value_name = "FILE.geojson")]
    clip: Option<PathBuf>,
    /// The finest zoom that is looked at [default: the finest there is].
    #[arg(long, value_name = "ZOOM", value_parser = clap::value_parser!(u8).range(0..=31))]
    max_zoom: Option<u8>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(args: &Args) -> Outcome {
    let polygons = args.clip.as_deref().map(Polygons::read).transpose()?;
    let area = match Area::of(args.bbox.iter().copied(), polygons) {
        Some(area) => area,
        None => Area::from(LonLatBox::new(-180.0, -90.0, 180.0, 90.0)?),
    };
    let heights = open(&args.file)?;
    let found = heights.statistics(&area, args.max_zoom)?;
    let datum = heights.datum()?;
    if args.format == Format::Json {
        let number = |value: Option<f64>| value.map(|v| rounded(v, 3));
        let document = json!({
            "least": number(found.least), "greatest": number(found.greatest), "mean": number(found.mean),
            "valid_pixels": found.valid, "void_pixels": found.void, "uncovered_pixels": found.uncovered,
            "zoom": found.zoom, "datum": datum,
        });
        output::line(serde_json::to_string_pretty(&document)?)?;
    } else {
        table(heights.as_ref(), &found, datum)?;
    }
    if found.least.is_none() {
        return Err(
            Error::not_found("there is no height in the area; `hypso inspect` tells where there are some").into()
        );
    }
    Ok(exit::OK)
}

fn table(heights: &dyn HeightQueries, found: &Statistics, datum: Option<String>) -> std::io::Result<()> {
    let metres = |value: Option<f64>| value.map_or("no data".into(), |v| format!("{v:.2} m"));
    let pixels = |value: f64| output::count(value.round() as u64);
    let mut rows = vec![
        ["least", &metres(found.least)].map(str::to_owned),
        ["greatest", &metres(found.greatest)].map(str::to_owned),
        ["mean", &metres(found.mean)].map(str::to_owned),
        ["pixels with a height".into(), pixels(found.valid)],
        ["pixels without data".into(), pixels(found.void)],
    ];
    if let Some(uncovered) = found.uncovered {
        rows.push(["pixels without a tile".into(), pixels(uncovered)]);
    }
    let size = heights.shape().pixel_size(found.zoom, 0.0);
    rows.push(["counted in pixels of".into(), format!("zoom {}, {size:.3} m at the equator", found.zoom)]);
    rows.push(["datum".into(), datum.unwrap_or_else(|| "not known".into())]);
    let width = rows.iter().map(|[name, _]| name.len()).max().unwrap_or(0);
    rows.iter().try_for_each(|[name, value]| output::line(format!("{name:width$}  {value}")))
}
