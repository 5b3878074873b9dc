//! `/{id}/style.json`: a MapLibre style that shows the terrain.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;

/// Heights in metres and the colours of a relief: below the sea, lowlands, hills, mountains, snow.
const RELIEF: [(f64, &str); 11] = [
    (-4000.0, "#3d6a8f"),
    (-200.0, "#7fa9c4"),
    (-1.0, "#b5d0dc"),
    (0.0, "#7da87b"),
    (200.0, "#a9c48b"),
    (500.0, "#dcd9a0"),
    (1000.0, "#d1b384"),
    (1800.0, "#b08968"),
    (2600.0, "#a48f86"),
    (3400.0, "#d9d4d0"),
    (5000.0, "#ffffff"),
];

pub async fn style(State(app): State<Arc<App>>, path: Captures, headers: HeaderMap) -> Answer {
    let catalogue = app.catalogue();
    let dataset = catalogue.dataset(path.get("id"))?;
    let tiles = dataset.tiles.as_ref().filter(|tiles| tiles.content.is_terrain());
    let metadata = tiles.ok_or_else(|| Problem::lacks("terrain tiles"))?.content.metadata();
    // Two sources of the same tiles: a map library computes the mesh from one and the shading from the other.
    let source = super::tilejson::document(&app, dataset)?;
    let source = json!({
        "type": "raster-dem",
        "tiles": source["tiles"],
        "encoding": source["encoding"],
        "tileSize": source.get("tileSize").cloned().unwrap_or(512.into()),
        "minzoom": metadata.minzoom.unwrap_or(0),
        "maxzoom": metadata.maxzoom.unwrap_or(22),
        "bounds": metadata.bounds.unwrap_or([-180.0, -85.0511, 180.0, 85.0511]),
        "attribution": metadata.attribution,
    });
    let mut ramp = vec![json!("interpolate"), json!(["linear"]), json!(["elevation"])];
    ramp.extend(RELIEF.iter().flat_map(|(height, colour)| [json!(height), json!(colour)]));
    let center = metadata.center;
    let document = json!({
        "version": 8,
        "name": dataset.title(),
        "center": center.map_or(json!([0, 0]), |center| json!([center.lon, center.lat])),
        "zoom": center.map_or(1, |center| center.zoom.saturating_sub(1)),
        "sources": {"terrain": source, "shading": source},
        "terrain": {"source": "terrain", "exaggeration": 1},
        "sky": {},
        "layers": [
            {"id": "background", "type": "background", "paint": {"background-color": "#d7e3ea"}},
            {"id": "relief", "type": "color-relief", "source": "shading", "paint": {"color-relief-color": Value::from(ramp)}},
            {"id": "hillshade", "type": "hillshade", "source": "shading", "paint": {"hillshade-exaggeration": 0.4}},
        ],
    });
    answer::json(&headers, &document)
}
