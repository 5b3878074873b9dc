//! STAC-GeoParquet as an index: a row is an item, whose rasters are those that the same item as JSON would give. Rows that `hypso export` wrote
//! have the columns of an export as well.
//!
//! What the columns hold is said by <https://github.com/radiantearth/stac-geoparquet-spec>. Assets and links may also be texts of JSON.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use serde_json::Value;

use crate::catalog::stac::Item;
use crate::error::{Error, Result};
use crate::export::columns::{BOUNDS, PREFIX};
use crate::geoparquet::Table;
use crate::progress::Progress;
use crate::raster::Feature;
use crate::tile::Bounds;

/// The names of all rasters of an index take no more, bytes.
const LARGEST: usize = 1 << 30;

/// Reads the rasters of all items; each name once. Of an export, each row is a record of its own.
///
/// # Errors
/// Where the file can't be read, has no assets, an item names no raster, or a record stands in two rows; and where `each` fails.
pub(super) fn read(
    path: &Path,
    progress: &dyn Progress,
    each: &mut dyn FnMut(&dyn Feature) -> Result<()>,
) -> Result<()> {
    let table = Table::open(path, &wanted)?;
    if !table.has("assets") {
        let remedy = "give STAC-GeoParquet: a table of items, with the column assets";
        return Err(Error::invalid("index", "has no column assets that names rasters", remedy).with_path(path));
    }
    let (mut seen, mut records, mut taken) = (HashSet::new(), HashSet::new(), 0);
    table.each(progress, &mut |number, mut row| {
        for column in ["assets", "links"] {
            unfold(&mut row[column], column).map_err(|e| e.with_path(path))?;
        }
        let mut put = |location: Option<&str>| {
            taken += location.map_or(0, str::len);
            if taken > LARGEST {
                return Err(table.wrong(format!("names rasters with more than {LARGEST} bytes of names")));
            }
            each(&Row { number, location, row: &row, table: &table })
        };
        if let [Some(source), Some(below)] = ["source", "path"].map(|name| row[format!("{PREFIX}{name}")].as_str()) {
            // Columns are packed so well that a small file can hold any number of equal rows. Records have ids of 64 bits as well.
            let mut hash = DefaultHasher::new();
            (source, below).hash(&mut hash);
            if !records.insert(hash.finish()) {
                return Err(table.wrong(format!("names {below:?} of source {source:?} twice")));
            }
            return put(row["assets"]["data"]["href"].as_str());
        }
        let item = Item::of(&row, number).map_err(|e| e.with_path(path))?;
        for href in &item.rasters {
            let place = match &item.own {
                Some(own) => item.located(href, own).map_err(|e| e.with_path(path))?,
                // The folder of the index is where it starts then.
                None => (*href).to_string(),
            };
            if !seen.contains(&place) {
                put(Some(&place))?;
                seen.insert(place);
            }
        }
        Ok(())
    })
}

/// Which columns are read.
fn wanted(names: &[&str]) -> bool {
    match names {
        ["id" | "assets" | "links"] => true,
        ["assets", _, "href" | "type" | "roles"] | ["links", "href" | "rel" | "method"] => true,
        [name] => name.starts_with(PREFIX),
        _ => false,
    }
}

/// Reads JSON that a column has as a text.
fn unfold(value: &mut Value, column: &str) -> Result<()> {
    if let Value::String(text) = value {
        *value = serde_json::from_str(text).map_err(|error| {
            Error::invalid(format!("column {column}"), format!("is a text, but no JSON: {error}"), "write it again")
        })?;
    }
    Ok(())
}

/// A raster of an item.
struct Row<'a> {
    number: u64,
    location: Option<&'a str>,
    row: &'a Value,
    table: &'a Table,
}

impl Row<'_> {
    fn at(&self, field: &str) -> &Value {
        &self.row[format!("{PREFIX}{field}")]
    }
}

impl Feature for Row<'_> {
    fn number(&self) -> u64 {
        self.number + 1
    }

    fn location(&self) -> Option<String> {
        self.location.filter(|location| !location.is_empty()).map(str::to_string)
    }

    fn has(&self, field: &str) -> bool {
        self.table.has(&format!("{PREFIX}{field}"))
    }

    fn text(&self, field: &str) -> Option<String> {
        self.at(field).as_str().filter(|text| !text.is_empty()).map(str::to_string)
    }

    fn integer(&self, field: &str) -> Option<i64> {
        self.at(field).as_i64()
    }

    fn real(&self, field: &str) -> Option<f64> {
        self.at(field).as_f64()
    }

    fn bounds(&self) -> Option<Bounds> {
        let numbers: Vec<f64> = self.at(BOUNDS).as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?;
        let [min_x, min_y, max_x, max_y] = numbers.try_into().ok()?;
        Some(Bounds::new(min_x, min_y, max_x, max_y))
    }
}
