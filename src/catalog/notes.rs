//! What a build notes in the store's metadata besides the columns.

use serde_json::{Map, Value};

use super::{ASSUMED, Survey};
use crate::error::Result;
use crate::raster::Adjustment;
use crate::store::{LISTS, Store};

/// The key in the store's metadata under which a build notes what is done to the values of sources, by source.
pub const ADJUSTED: &str = "adjust";

/// What a build notes: which coordinate systems were assumed, since a later update must not take footprints that were
/// made with others; what is done to values; and which lists records come from.
#[must_use]
pub fn notes(survey: &Survey) -> Vec<(String, String)> {
    let assumed: Map<_, _> = survey.assumed().map(|(name, crs)| (name.to_string(), crs.into())).collect();
    let value = |a: &Adjustment| serde_json::to_value(a).unwrap_or_default();
    let adjusted: Map<_, _> = survey.adjusted().map(|(name, a)| (name.to_string(), value(a))).collect();
    let lists: Map<_, _> = survey.lists().map(|(name, list)| (name.to_string(), list.into())).collect();
    let notes = [(ASSUMED, assumed), (ADJUSTED, adjusted), (LISTS, lists)];
    let full = notes.into_iter().filter(|(_, map)| !map.is_empty());
    full.map(|(key, map)| (key.to_string(), Value::Object(map).to_string())).collect()
}

/// The notes of a store, for one that is made from its records.
///
/// # Errors
/// Where they are damaged.
pub fn notes_of(store: &Store) -> Result<Vec<(String, String)>> {
    let metadata = store.notes()?;
    let keys = [ASSUMED, ADJUSTED, LISTS].into_iter();
    Ok(keys.filter_map(|key| Some((key.to_string(), metadata.get(key)?.to_string()))).collect())
}
