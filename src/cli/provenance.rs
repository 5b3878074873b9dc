//! `hypso provenance`: which records a tile's or a pixel's heights come from.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::inspect::Format;
use super::output;
use super::store_file::{self, Care};
use super::{Outcome, exit};
use crate::error::{Error, Result};
use crate::events::Dataset;
use crate::query::Place;
use crate::raster;
use crate::raster::Resampling;
use crate::render::{HeightSampler, shares};
use crate::store::{RecordRef, RowId, Store};
use crate::tile::{TileCoord, web_mercator};

/// Show which records a tile or a pixel gets its heights from.
///
/// For a tile: the share of its pixels that each record gives, read at the tile's own zoom. For a point: the height in each record
/// that covers it; the first one gives the height.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso provenance japan.hypso 14/14513/6467\n  hypso provenance japan.hypso 138.7275,35.3607\n  hypso provenance japan.hypso 138.7275,35.3607 --zoom 12 --format json"
)]
pub struct Args {
    /// The store.
    store: PathBuf,
    /// A tile as z/x/y, or a point as LON,LAT in degrees.
    #[arg(value_name = "Z/X/Y|LON,LAT", allow_hyphen_values = true)]
    place: String,
    /// For a point, the zoom whose pixel is asked for [default: the finest native zoom there].
    #[arg(long, value_name = "ZOOM", value_parser = clap::value_parser!(u8).range(0..=22))]
    zoom: Option<u8>,
    /// nearest, bilinear, cubic, lanczos or average.
    #[arg(long, default_value = "bilinear", value_name = "KERNEL")]
    resampling: String,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(args: &Args) -> Outcome {
    let store = store_file::open(&args.store, Care::Quick)?;
    let resampling: Resampling = args.resampling.parse()?;
    if args.place.contains('/') {
        return tile(&store, args.place.parse()?, resampling, args.format);
    }
    let (x, y) = point(&args.place)?;
    let natives = store.overlapping(Place::Point { x, y }).map(|r| r.native_zoom());
    let zoom = args.zoom.or_else(|| natives.max()).unwrap_or(0);
    let found = HeightSampler::new(&store, raster::reader()?, resampling)?.candidates((x, y), zoom)?;
    let winner = found.iter().position(|c| c.height.is_some());
    let rows = found.iter().enumerate().map(|(i, candidate)| {
        let facts = facts(&store, candidate.row)?;
        Ok((facts, candidate.height, winner == Some(i)))
    });
    let rows = rows.collect::<Result<Vec<_>>>()?;
    match args.format {
        Format::Json => {
            let row = |(f, height, used): &(Facts, Option<f32>, bool)| json!({"source": f.source, "path": f.path, "dataset": f.dataset(), "pixel_size": f.pixel_size, "height": height, "used": used});
            let all: Vec<Value> = rows.iter().map(row).collect();
            output::line(serde_json::to_string_pretty(&json!({"zoom": zoom, "candidates": all}))?)?;
        }
        Format::Table => {
            let mut text = vec![["", "height", "source", "pixel", "path"].map(String::from).to_vec()];
            for (f, height, used) in rows {
                let height = height.map_or("no data".into(), |h| format!("{h:.2} m"));
                let (mark, pixel) = (if used { "*".into() } else { String::new() }, f.pixel());
                text.push(vec![mark, height, f.source, pixel, f.path]);
            }
            output::line(output::table(&text, &[1, 3]).trim_end())?;
        }
    }
    if winner.is_none() {
        super::say(&format!("no record has a height there, at a pixel of zoom {zoom}"));
    }
    Ok(exit::OK)
}

fn tile(store: &Store, tile: TileCoord, resampling: Resampling, format: Format) -> Outcome {
    let found = shares(store, raster::reader()?, resampling, tile)?;
    let all = u64::from(store.tile_size()).pow(2);
    let nothing = all - found.iter().map(|s| s.pixels).sum::<u64>();
    let part = |pixels: u64| pixels as f64 / all as f64;
    let rows = found.iter().filter(|s| s.pixels > 0).map(|s| Ok((facts(store, s.row)?, s.pixels)));
    let rows = rows.collect::<Result<Vec<_>>>()?;
    match format {
        Format::Json => {
            let row = |(f, pixels): &(Facts, u64)| json!({"source": f.source, "path": f.path, "dataset": f.dataset(), "pixel_size": f.pixel_size, "pixels": pixels, "share": part(*pixels)});
            let records: Vec<Value> = rows.iter().map(row).collect();
            let document = json!({
                "tile": tile.to_string(), "pixels": all, "nodata": nothing, "covering": found.len(), "records": records,
            });
            output::line(serde_json::to_string_pretty(&document)?)?;
        }
        Format::Table => {
            let percent = |pixels: u64| format!("{:.2} %", part(pixels) * 100.0);
            let mut text = vec![["share", "pixels", "source", "pixel", "path"].map(String::from).to_vec()];
            for (f, pixels) in rows {
                let pixel = f.pixel();
                text.push(vec![percent(pixels), output::count(pixels), f.source, pixel, f.path]);
            }
            if nothing > 0 {
                let none = || String::new();
                text.push(vec![percent(nothing), output::count(nothing), "no data".into(), none(), none()]);
            }
            output::line(output::table(&text, &[0, 1, 3]).trim_end())?;
        }
    }
    Ok(exit::OK)
}

/// What is shown of a record.
struct Facts {
    source: String,
    path: String,
    /// The source as lineage events name it.
    dataset: Dataset,
    pixel_size: f64,
}

impl Facts {
    fn dataset(&self) -> Value {
        json!({"namespace": self.dataset.namespace, "name": self.dataset.name})
    }

    fn pixel(&self) -> String {
        format!("{:.2} m", self.pixel_size)
    }
}

fn facts(store: &Store, row: RowId) -> Result<Facts> {
    let damaged = || Error::invalid(format!("record {row}"), "is missing", "build the store again");
    let record: RecordRef<'_> = store.record(row).ok_or_else(damaged)?;
    let source = record.source().ok_or_else(damaged)?;
    let dataset = Dataset::of_source(&source)?;
    let (source, path) = (source.name()?.into_owned(), record.path()?.into_owned());
    Ok(Facts { source, path, dataset, pixel_size: record.pixel_size() })
}

/// A point in degrees as EPSG:3857 metres.
fn point(text: &str) -> Result<(f64, f64)> {
    let name = || format!("place {text:?}");
    let point = super::area::point(text).map_err(|problem| {
        let problem = format!("is neither a tile z/x/y, such as 12/3628/1617, nor a point LON,LAT: {problem}");
        Error::argument(name(), problem)
    })?;
    if point.lat().abs() > web_mercator::MAX_LATITUDE {
        return Err(Error::argument(name(), "lies beyond the latitudes of tiles (85.0511 degrees)"));
    }
    Ok(point.metres())
}
