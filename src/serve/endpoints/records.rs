//! `/stores/{id}/records`: which files cover a place, in the order in which they win pixels.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::json;

use super::catalogue::{LARGEST_PAGE, PAGE, cursor, next};
use crate::error::Result;
use crate::export::geojson::{self, Feature};
use crate::query::Place;
use crate::serve::app::App;
use crate::serve::params::Params;
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;
use crate::serve::{answer, heavy::heavy};
use crate::store::RecordRef;
use crate::tile::{LonLatBox, TileCoord};
use crate::url;

pub async fn records(State(app): State<Arc<App>>, path: Captures, params: Params, headers: HeaderMap) -> Answer {
    let catalogue = app.catalogue();
    let store = Arc::clone(catalogue.dataset(path.get("id"))?.store.as_ref().ok_or_else(|| Problem::lacks("store"))?);
    let place = place(&params)?;
    let limit = params.count("limit", LARGEST_PAGE)?.unwrap_or(PAGE);
    let generation = store.content.store.fingerprint();
    let wrong = |_| Problem::bad("cursor: is none that this server gave");
    let from = cursor(&params, generation)?.map(|rest| rest.parse::<usize>().map_err(wrong)).transpose()?.unwrap_or(0);
    // A box may hold a whole country, which is sorted.
    heavy(&app, move || {
        let mut page: Vec<_> = store.content.store.overlapping(place).skip(from).take(limit + 1).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        let features = page.iter().map(feature).collect::<Result<Vec<_>>>()?;
        let following = more.then(|| next(generation, from + limit));
        answer::json(&headers, &json!({"type": "FeatureCollection", "features": features, "next": following}))
    })
    .await
}

/// The one place that is asked about.
fn place(params: &Params) -> Answer<Place> {
    let point = params.point("point")?.map(Place::from);
    let bbox = params.text("bbox")?.map(str::parse::<LonLatBox>).transpose()?.map(Place::from);
    let tile = params.text("tile")?.map(str::parse::<TileCoord>).transpose()?.map(Place::from);
    match [point, bbox, tile] {
        [Some(place), None, None] | [None, Some(place), None] | [None, None, Some(place)] => Ok(place),
        _ => Err(Problem::bad("give one of point=LON,LAT, bbox=W,S,E,N and tile=Z/X/Y")),
    }
}

/// A record with the properties of an export, but for where its file lies on this machine.
fn feature(record: &RecordRef) -> Result<Feature<serde_json::Map<String, serde_json::Value>>> {
    let mut properties = geojson::properties(record)?;
    properties.remove("location");
    if let Some(path) = properties.get_mut("path").filter(|path| path.as_str().is_some_and(url::holds_secret)) {
        *path = url::masked(path.as_str().unwrap_or_default()).into();
    }
    properties.insert("native_zoom".into(), record.native_zoom().into());
    Ok(Feature::new(&record.bounds(), properties))
}
