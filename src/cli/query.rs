//! `hypso query`: which records cover a point, a box, a tile; which one has an id.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::area::BoxArgs;
use super::output::{self, Format};
use super::store_file::{self, Care};
use super::{Outcome, exit};
use crate::error::Error;
use crate::export::geojson::{self, Feature};
use crate::store::{RecordRef, Store};
use crate::tile::{LonLat, TileCoord};

/// Find the records that cover a point, boxes or a tile.
///
/// They come in the order in which they win pixels.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso query japan.hypso --point 138.7275,35.3607\n  hypso query japan.hypso --tile 12/3628/1617 --format json\n  hypso query japan.hypso --bbox 138.6,35.2,138.9,35.5 --format geojson > found.geojson\n  hypso query japan.hypso --id 9f3c2a1b00e4d577"
)]
pub struct Args {
    /// The store.
    store: PathBuf,
    /// Records over a point: longitude and latitude in degrees.
    #[arg(long, value_name = "LON,LAT", allow_hyphen_values = true, value_parser = super::area::point)]
    point: Option<LonLat>,
    #[command(flatten)]
    boxes: BoxArgs,
    /// Records that share area with a tile.
    #[arg(long, value_name = "Z/X/Y")]
    tile: Option<String>,
    /// The record with an id (16 hexadecimal digits).
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The records nearest to --point, this many.
    #[arg(long, value_name = "COUNT", requires = "point")]
    nearest: Option<usize>,
    /// Print this many records at most.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub fn run(args: &Args) -> Outcome {
    let given = [args.point.is_some(), !args.boxes.bbox.is_empty(), args.tile.is_some(), args.id.is_some()];
    if given.iter().filter(|&&g| g).count() != 1 {
        return super::usage("query", "give exactly one of --point, --bbox, --tile and --id");
    }
    let store = store_file::open(&args.store, Care::Quick)?;
    let mut found = search(args, &store)?;
    let all = found.len();
    found.truncate(args.limit.unwrap_or(usize::MAX));
    match args.format {
        Format::Table => table(&found)?,
        Format::Json => {
            output::line(serde_json::to_string_pretty(&found.iter().map(facts).collect::<anyhow::Result<Vec<_>>>()?)?)?
        }
        Format::Csv => csv(&found)?,
        Format::Geojson => collection(&found)?,
    }
    if found.len() < all {
        super::say(&format!("{} of {all} records shown; --limit cut the rest", found.len()));
    }
    Ok(exit::OK)
}

fn search<'a>(args: &Args, store: &'a Store) -> anyhow::Result<Vec<RecordRef<'a>>> {
    if let Some(point) = &args.point {
        if let Some(count) = args.nearest {
            return Ok(store.nearest(*point, count).into_iter().map(|n| n.record).collect());
        }
        return Ok(store.overlapping(*point).collect());
    }
    if let [only] = args.boxes.bbox[..] {
        return Ok(store.overlapping(only).collect());
    }
    if !args.boxes.bbox.is_empty() {
        let mut found: Vec<RecordRef<'a>> = args.boxes.bbox.iter().flat_map(|bbox| store.overlapping(*bbox)).collect();
        found.sort_by_key(|record| (record.rank(), record.row()));
        found.dedup_by_key(|record| record.row());
        return Ok(found);
    }
    if let Some(tile) = &args.tile {
        return Ok(store.overlapping(tile.parse::<TileCoord>()?).collect());
    }
    let text = args.id.as_deref().unwrap_or_default();
    let id = u64::from_str_radix(text, 16)
        .map_err(|_| Error::argument("--id", format!("{text:?} is not a number of up to 16 hexadecimal digits")))?;
    let record = store
        .by_id(id)
        .ok_or_else(|| Error::not_found(format!("no record has the id {text}; `hypso query --point` shows ids")))?;
    Ok(vec![record])
}

fn table(found: &[RecordRef<'_>]) -> anyhow::Result<()> {
    let mut rows = vec![["id", "source", "zoom", "pixel m", "size", "type", "path"].map(String::from).to_vec()];
    for r in found {
        rows.push(vec![
            format!("{:016x}", r.id()),
            name(r)?,
            r.native_zoom().to_string(),
            format!("{:.3}", r.pixel_size()),
            format!("{}x{}", r.width(), r.height()),
            r.data_type().name().into(),
            r.path()?.into_owned(),
        ]);
    }
    output::line(output::table(&rows, &[2, 3]).trim_end())?;
    Ok(())
}

fn name(record: &RecordRef<'_>) -> anyhow::Result<String> {
    Ok(match record.source() {
        Some(source) => source.name()?.into_owned(),
        None => String::new(),
    })
}

/// The properties of an export, and those that only this store has.
fn facts(r: &RecordRef<'_>) -> anyhow::Result<Map<String, Value>> {
    let b = r.bounds();
    let mut facts = geojson::properties(r)?;
    facts.insert("row".into(), r.row().into());
    facts.insert("bounds_3857".into(), json!([b.min_x, b.min_y, b.max_x, b.max_y]));
    facts.insert("bounds".into(), json!(b.to_lon_lat()));
    if r.block_bytes() > 0 {
        let block = json!({"width": r.block_width(), "height": r.block_height(), "bytes": r.block_bytes()});
        facts.insert("block".into(), block);
    }
    Ok(facts)
}

fn csv(found: &[RecordRef<'_>]) -> anyhow::Result<()> {
    let mut out = csv::Writer::from_writer(output::rows());
    out.write_record([
        "id",
        "source",
        "priority",
        "rank",
        "left",
        "bottom",
        "right",
        "top",
        "pixel_size",
        "width",
        "height",
        "native_zoom",
        "crs",
        "nodata",
        "data_type",
        "filename",
    ])?;
    for r in found {
        let b = r.bounds();
        out.write_record([
            format!("{:016x}", r.id()),
            name(r)?,
            r.priority().to_string(),
            r.rank().to_string(),
            b.min_x.to_string(),
            b.min_y.to_string(),
            b.max_x.to_string(),
            b.max_y.to_string(),
            r.pixel_size().to_string(),
            r.width().to_string(),
            r.height().to_string(),
            r.native_zoom().to_string(),
            r.crs()?.into_owned(),
            r.nodata().map_or(String::new(), |n| n.to_string()),
            r.data_type().name().into(),
            r.path()?.into_owned(),
        ])?;
    }
    out.flush()?;
    Ok(())
}

fn collection(found: &[RecordRef<'_>]) -> anyhow::Result<()> {
    let features =
        found.iter().map(|r| Ok(Feature::new(&r.bounds(), facts(r)?))).collect::<anyhow::Result<Vec<_>>>()?;
    output::line(json!({"type": "FeatureCollection", "features": features}))?;
    Ok(())
}
