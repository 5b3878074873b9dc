//! `/stats/{id}`: least, greatest and mean height of an area.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use serde_json::json;

use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::ask::{ask, max_zoom, rounded};
use crate::serve::body::Sent;
use crate::serve::cost::Question;
use crate::serve::dataset::{Dataset, ElevationFrom};
use crate::serve::params::Params;
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;
use crate::tile::{Area, LonLatBox, Polygons};

/// `?bbox=W,S,E,N`.
pub async fn get(State(app): State<Arc<App>>, path: Captures, params: Params, headers: HeaderMap) -> Answer {
    let catalogue = app.catalogue();
    let dataset = catalogue.dataset(path.get("id"))?;
    let bbox = params.text("bbox")?.ok_or_else(|| Problem::bad("give bbox=W,S,E,N, or POST a GeoJSON polygon"))?;
    let area = Area::from(bbox.parse::<LonLatBox>()?);
    answered(&app, dataset, || Ok(area), &params, &headers).await
}

/// GeoJSON with polygons.
pub async fn post(State(app): State<Arc<App>>, path: Captures, params: Params, request: Request) -> Answer {
    let catalogue = app.catalogue();
    let dataset = catalogue.dataset(path.get("id"))?;
    let headers = request.headers().clone();
    let bytes = Sent::read_json(&app, request).await?;
    let area = move || Ok(Area::from(Polygons::from_geojson(&bytes).map_err(Problem::of_input)?));
    answered(&app, dataset, area, &params, &headers).await
}

/// `area` is long work where it has many lines.
async fn answered(
    app: &App,
    dataset: &Arc<Dataset>,
    area: impl FnOnce() -> Answer<Area> + Send + 'static,
    params: &Params,
    headers: &HeaderMap,
) -> Answer {
    let max_zoom = max_zoom(params)?;
    let from = dataset.elevation_from().unwrap_or(ElevationFrom::Tiles);
    let document = ask(app, dataset, usize::MAX, move |heights| {
        let area = area()?;
        Question { from, shape: *heights.shape(), max_zoom }.statistics(&area)?;
        let found = heights.statistics(&area, max_zoom)?;
        let metres = |value: Option<f64>| value.map(|value| rounded(value, 3));
        Ok(json!({
            "least": metres(found.least), "greatest": metres(found.greatest), "mean": metres(found.mean),
            "valid": found.valid, "void": found.void, "zoom": found.zoom,
        }))
    });
    answer::json(headers, &document.await?)
}
