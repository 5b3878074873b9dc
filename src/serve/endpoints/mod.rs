//! What is answered under which path: a file for each family.

mod archives;
mod catalogue;
mod elevation;
mod health;
mod openapi;
mod profile;
mod records;
mod sight;
mod statistics;
mod style;
mod tilejson;
mod tiles;
mod viewer;

use std::sync::Arc;

use axum::routing::{MethodRouter, get};

pub use health::{health, metrics, ready};

use super::app::App;
use super::dialects::{google, open_elevation, opentopodata, valhalla};

/// All paths of the public address, and what answers them.
pub fn routes() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    vec![
        ("/", get(viewer::index)),
        ("/assets/{name}", get(viewer::asset)),
        ("/catalog", get(catalogue::catalogue)),
        ("/{file}", get(tilejson::tilejson)),
        ("/{id}/style.json", get(style::style)),
        ("/tiles/{id}/{z}/{x}/{y}", get(tiles::tile)),
        ("/lineage/{id}/{z}/{x}/{y}", get(tiles::lineage)),
        ("/archives/{file}", get(archives::archive)),
        ("/stores/{id}/records", get(records::records)),
        ("/elevation/{id}", get(elevation::get).post(elevation::post)),
        ("/profile/{id}", get(profile::get).post(profile::post)),
        ("/stats/{id}", get(statistics::get).post(statistics::post)),
        ("/sight/{id}", get(sight::get)),
        ("/v1/{dataset}", get(opentopodata::get).post(opentopodata::post)),
        ("/api/v1/lookup", get(open_elevation::get).post(open_elevation::post)),
        ("/height", get(valhalla::get).post(valhalla::post)),
        ("/maps/api/elevation/json", get(google::get)),
        ("/openapi.json", get(openapi::openapi)),
        ("/health", get(health)),
        ("/ready", get(ready)),
    ]
}

/// The first parts of all paths that begin with none of a dataset. They name routes in metrics, and no dataset is named like them.
const FAMILIES: [&str; 17] = [
    "api",
    "archives",
    "assets",
    "catalog",
    "elevation",
    "health",
    "height",
    "lineage",
    "maps",
    "openapi.json",
    "profile",
    "ready",
    "sight",
    "stats",
    "stores",
    "tiles",
    "v1",
];

/// Whether a name stands in the way of a path of this server.
pub fn is_taken(name: &str) -> bool {
    name == "metrics" || FAMILIES.iter().any(|family| family.trim_end_matches(".json") == name)
}

/// The name of a route in metrics: its first part.
pub fn label(route: &str) -> Option<&'static str> {
    let first = route.trim_start_matches('/').split('/').next().unwrap_or_default();
    match first {
        "" => Some("/"),
        "{file}" => Some("tilejson"),
        "{id}" => Some("style"),
        first => FAMILIES.into_iter().find(|family| *family == first),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_route_has_a_label() {
        for (route, _) in super::routes() {
            assert!(super::label(route).is_some(), "{route}");
        }
    }
}
