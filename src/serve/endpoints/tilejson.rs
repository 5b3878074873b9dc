//! `/{id}.json`: TileJSON 3.0, with what terrain clients need besides.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::dataset::Dataset;
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;

pub async fn tilejson(State(app): State<Arc<App>>, path: Captures, headers: HeaderMap) -> Answer {
    let id = path.get("file").strip_suffix(".json").ok_or_else(Problem::nothing_here)?;
    let catalogue = app.catalogue();
    answer::json(&headers, &document(&app, catalogue.dataset(id)?)?)
}

/// The document of a dataset that has tiles.
pub(crate) fn document(app: &App, dataset: &Dataset) -> Answer<Value> {
    let tiles = &dataset.tiles.as_ref().ok_or_else(|| Problem::lacks("tiles"))?.content;
    let id = dataset.id();
    let url = app.url(&format!("/tiles/{id}/{{z}}/{{x}}/{{y}}.{}", tiles.extension()));
    let mut document = tiles.metadata().tilejson(&url).value().clone();
    if let Some(lineage) = &dataset.lineage {
        let lineage = &lineage.content;
        let metadata = lineage.metadata();
        document["lineage"] = json!({
            "tiles": [app.url(&format!("/lineage/{id}/{{z}}/{{x}}/{{y}}.{}", lineage.extension()))],
            "minzoom": metadata.minzoom,
            "maxzoom": metadata.maxzoom,
            "tileSize": metadata.tile_size,
            "legend": lineage.legend(),
        });
    }
    if dataset.elevation_from().is_some() {
        for (key, path) in
            [("elevation", "elevation"), ("profile", "profile"), ("sight", "sight"), ("statistics", "stats")]
        {
            document[key] = app.url(&format!("/{path}/{id}")).into();
        }
    }
    if dataset.store.is_some() {
        document["records"] = app.url(&format!("/stores/{id}/records")).into();
    }
    Ok(document)
}
