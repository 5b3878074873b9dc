//! `/catalog`: which datasets there are, in pages.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::dataset::Dataset;
use crate::serve::params::Params;
use crate::serve::problem::{Answer, Problem};

/// How many stand on a page, unless something else is asked for.
pub const PAGE: usize = 20;

/// The most that stand on a page.
pub const LARGEST_PAGE: usize = 100;

/// Where the next page begins, and what it must belong to: `GENERATION.REST`. Only this server reads it.
pub fn cursor(params: &Params, generation: u64) -> Answer<Option<&str>> {
    let Some(text) = params.text("cursor")? else { return Ok(None) };
    let parts = text.split_once('.').and_then(|(of, rest)| Some((u64::from_str_radix(of, 16).ok()?, rest)));
    let Some((of, rest)) = parts else { return Err(Problem::bad("cursor: is none that this server gave")) };
    if of != generation {
        let detail = "cursor: the data were replaced since; begin again without a cursor";
        return Err(Problem::new(StatusCode::GONE, detail));
    }
    Ok(Some(rest))
}

/// The cursor of a next page.
pub fn next(generation: u64, rest: impl std::fmt::Display) -> String {
    format!("{generation:016x}.{rest}")
}

pub async fn catalogue(State(app): State<Arc<App>>, params: Params, headers: HeaderMap) -> Answer {
    let catalogue = app.catalogue();
    let generation = catalogue.generation();
    let behind = cursor(&params, generation)?;
    let limit = params.count("limit", LARGEST_PAGE)?.unwrap_or(PAGE);
    let mut page: Vec<_> = catalogue.behind(behind).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let following = page.last().filter(|_| more).map(|last| next(generation, last.id()));
    let datasets: Vec<Value> = page.into_iter().map(|dataset| entry(&app, dataset)).collect();
    let document = json!({"generation": format!("{generation:016x}"), "datasets": datasets, "next": following});
    answer::json(&headers, &document)
}

fn entry(app: &App, dataset: &Dataset) -> Value {
    let id = dataset.id();
    let url = |path: String| app.url(&path);
    let mut entry = json!({"id": id, "name": dataset.title(), "parts": dataset.parts(), "bounds": dataset.bounds()});
    if let Some(tiles) = &dataset.tiles {
        let metadata = tiles.content.metadata();
        entry["minzoom"] = json!(metadata.minzoom);
        entry["maxzoom"] = json!(metadata.maxzoom);
        entry["tilejson"] = url(format!("/{id}.json")).into();
        entry["style"] = url(format!("/{id}/style.json")).into();
        if tiles.content.file_length().is_some() {
            entry["archive"] = url(format!("/archives/{id}.pmtiles")).into();
        }
    }
    if let Some(from) = dataset.elevation_from() {
        entry["elevation"] = json!({"url": url(format!("/elevation/{id}")), "from": from.name()});
    }
    if dataset.lineage.is_some() {
        entry["lineage"] = url(format!("/lineage/{id}/{{z}}/{{x}}/{{y}}")).into();
    }
    if dataset.store.is_some() {
        entry["records"] = url(format!("/stores/{id}/records")).into();
    }
    entry
}
