//! `hypso verify --against STORE`: whether the heights of an archive are what its sources hold.

use std::path::Path;

use serde_json::{Value, json};

use super::output;
use super::progress::Terminal;
use super::store_file::{self, Care};
use crate::archive::{self, OpenOptions, Report};
use crate::error::Result;
use crate::render::{Comparison, compare_with_sources};

/// Compares, and puts what is wrong into the report.
pub fn compare(path: &Path, store: &Path, sample: Option<u64>, report: &mut Report) -> Result<Comparison> {
    let store = store_file::open(store, Care::Quick)?;
    let found = compare_with_sources(
        archive::open_with(path, OpenOptions { remote: true, ..OpenOptions::default() })?.as_ref(),
        &store,
        sample,
        &Terminal::default(),
    )?;
    found.add_to(report);
    Ok(found)
}

/// For `--format json`.
pub fn document(found: &Comparison) -> Value {
    let row = |(zoom, d): &(u8, crate::render::Differences)| {
        json!({
            "zoom": zoom, "tiles": d.tiles, "pixels": d.pixels, "mean": d.mean(), "rms": d.root_mean_square(),
            "min": d.min, "max": d.max, "only_archive": d.only_archive, "only_sources": d.only_sources,
            "wrong": d.wrong, "wrong_tiles": d.wrong_tiles,
        })
    };
    Value::Array(found.by_zoom.iter().map(row).collect())
}

/// For people.
pub fn table(found: &Comparison) -> String {
    let head = [
        "zoom",
        "tiles",
        "pixels",
        "mean m",
        "rms m",
        "min m",
        "max m",
        "only archive",
        "only sources",
        "wrong pixels",
        "wrong tiles",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    for (zoom, d) in &found.by_zoom {
        let metres = [d.mean(), d.root_mean_square(), d.min, d.max].map(|v| format!("{v:.4}"));
        let mut row = vec![zoom.to_string(), output::count(d.tiles), output::count(d.pixels)];
        row.extend(metres);
        row.extend([d.only_archive, d.only_sources, d.wrong, d.wrong_tiles].map(output::count));
        rows.push(row);
    }
    let right: Vec<usize> = (0..head.len()).collect();
    format!(
        "against the sources, archive minus source, at the finest tiles (--parents compares coarser ones with them);\n\
         wrong is what lies outside of all cells around it, and a tile with more than one such pixel in a thousand:\n{}",
        output::table(&rows, &right)
    )
}
