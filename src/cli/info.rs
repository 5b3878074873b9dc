//! `hypso info`: what a store holds.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::output::{self, Format};
use super::store_file::{self, Care};
use super::{Outcome, exit};
use crate::container;
use crate::store::{RecordRef, Store};
use crate::tile::{MAX_NATIVE_ZOOM, web_mercator};

/// Show what a store holds: sources, zooms, extent, sections.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hypso info japan.hypso\n  hypso info japan.hypso --format json | jq .zooms")]
pub struct Args {
    /// The store.
    store: PathBuf,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// List every section of the file as well.
    #[arg(long)]
    sections: bool,
}

pub fn run(args: &Args) -> Outcome {
    let store = store_file::open(&args.store, Care::Quick)?;
    let facts = facts(&store)?;
    match args.format {
        Format::Json => output::line(serde_json::to_string_pretty(&facts)?)?,
        Format::Table => output::line(table(&store, &facts, args.sections)?.trim_end())?,
        Format::Csv | Format::Geojson => {
            return super::usage("--format", "info prints table or json; `hypso query` prints csv and geojson");
        }
    }
    Ok(exit::OK)
}

fn facts(store: &Store) -> anyhow::Result<Value> {
    let mut sources = Vec::new();
    for source in store.sources().iter() {
        sources.push(json!({
            "name": source.name()?, "priority": source.index(), "records": source.record_count(), "root": source.root()?,
            "attribution": source.attribution()?, "licence": source.licence()?, "vertical_datum": source.vertical_datum()?,
        }));
    }
    let zooms: Vec<Value> = (0..=MAX_NATIVE_ZOOM)
        .filter(|&z| store.tiles().count(z) > 0)
        .map(|z| {
            let native = store.records().native_zoom.iter().filter(|&&n| n == z).count();
            json!({"zoom": z, "metres_a_pixel": web_mercator::resolution(z, store.tile_size()), "tiles": store.tiles().count(z), "native_records": native})
        })
        .collect();
    let header = store.sections().header();
    let bounds = store.records().iter().map(|r| r.bounds()).reduce(|a, b| a.union(&b));
    Ok(json!({
        "path": store.path(), "bytes": store.bytes().len(), "version": format!("{}.{}", header.version().0, header.version().1),
        "producer": header.producer(), "fingerprint": format!("{:016x}", store.fingerprint()), "tile_size": store.tile_size(),
        "records": store.len(), "bounds": bounds.map(|b| b.to_lon_lat()), "sources": sources, "zooms": zooms,
        "largest_block": largest_block(store).map(|r| json!({
            "width": r.block_width(), "height": r.block_height(), "bytes": r.block_bytes(), "id": format!("{:016x}", r.id()),
        })),
        "sections": container::report(store.container()),
    }))
}

/// The record whose blocks take most memory; `None` where no block is known.
fn largest_block(store: &Store) -> Option<RecordRef<'_>> {
    store.records().iter().filter(|r| r.block_bytes() > 0).max_by_key(RecordRef::block_bytes)
}

fn table(store: &Store, facts: &Value, sections: bool) -> anyhow::Result<String> {
    let header = store.sections().header();
    let mut text = format!(
        "{}: {} in {}, {}, tiles of {} px (version {}.{}, {})\n",
        store.path().map_or("store".into(), output::path),
        output::counted(u64::from(store.len()), "record"),
        output::counted(store.sources().len() as u64, "source"),
        output::bytes(store.bytes().len() as u64),
        store.tile_size(),
        header.version().0,
        header.version().1,
        header.producer(),
    );
    if let Some(b) = store.records().iter().map(|r| r.bounds()).reduce(|a, b| a.union(&b)) {
        let [w, s, e, n] = b.to_lon_lat();
        text += &format!("extent: {w:.5} {s:.5} {e:.5} {n:.5} (west south east north, degrees)\n");
    }
    if let Some(r) = largest_block(store) {
        let (width, height, bytes) = (r.block_width(), r.block_height(), output::bytes(r.block_bytes()));
        text += &format!("largest block: {width} x {height} cells, {bytes} ({})\n", output::path(&r.full_path()?));
    }
    let mut rows =
        vec![["priority", "source", "records", "vertical datum", "licence", "attribution"].map(String::from).to_vec()];
    for source in store.sources().iter() {
        rows.push(vec![
            source.index().to_string(),
            source.name()?.into_owned(),
            output::count(source.record_count()),
            source.vertical_datum()?.into_owned(),
            source.licence()?.into_owned(),
            source.attribution()?.into_owned(),
        ]);
    }
    text += &format!("\n{}", output::table(&rows, &[0, 2]));
    let mut rows = vec![["zoom", "metres a pixel", "tiles", "records of this zoom"].map(String::from).to_vec()];
    for zoom in facts["zooms"].as_array().into_iter().flatten() {
        let number = |key: &str| output::count(zoom[key].as_u64().unwrap_or(0));
        let metres = zoom["metres_a_pixel"].as_f64().unwrap_or(0.0);
        rows.push(vec![number("zoom"), format!("{metres:.2}"), number("tiles"), number("native_records")]);
    }
    text += &format!("\n{}", output::table(&rows, &[0, 1, 2, 3]));
    if sections {
        let mut rows = vec![["section", "type", "count", "bytes", "offset"].map(String::from).to_vec()];
        for s in container::report(store.container()) {
            rows.push(vec![s.name, s.element, output::count(s.count), output::count(s.bytes), s.offset.to_string()]);
        }
        text += &format!("\n{}", output::table(&rows, &[2, 3, 4]));
    }
    Ok(text)
}
