//! `/api/v1/lookup`, as Open-Elevation answers: `locations=LAT,LNG|…`, or a POST of `{"locations": [{latitude, longitude}]}`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{How, default_dataset, heights, lat_lng, list};
use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::body::{self, Sent};
use crate::serve::params::Params;
use crate::serve::problem::{Answer, Problem};
use crate::tile::LonLat;

pub async fn get(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let answer = async {
        let params = Params::parse(uri.query().unwrap_or_default())?;
        let locations = params.text("locations")?;
        let locations = locations.ok_or_else(|| Problem::bad("no locations are given: locations=LAT,LNG|LAT,LNG"))?;
        answered(&app, list(locations)?, &headers).await
    };
    answer.await.unwrap_or_else(refused)
}

#[derive(Deserialize)]
struct Asked {
    locations: Vec<Location>,
}

#[derive(Deserialize)]
struct Location {
    latitude: f64,
    longitude: f64,
}

pub async fn post(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let answer = async {
        let headers = request.headers().clone();
        let asked: Asked = body::json(&Sent::read_json(&app, request).await?)?;
        let points = asked.locations.iter().map(|at| lat_lng(at.latitude, at.longitude));
        answered(&app, points.collect::<Answer<_>>()?, &headers).await
    };
    answer.await.unwrap_or_else(refused)
}

fn refused(problem: Problem) -> Response<Body> {
    let body = json!({"error": problem.detail()});
    problem.with_body(&body)
}

async fn answered(app: &App, points: Vec<LonLat>, headers: &HeaderMap) -> Answer {
    let catalogue = app.catalogue();
    let found = heights(app, default_dataset(app, &catalogue)?, points, None, How::default()).await?;
    let result = |found: &super::Found| json!({"latitude": found.point.lat(), "longitude": found.point.lon(), "elevation": found.metres});
    let results: Vec<Value> = found.iter().map(result).collect();
    answer::json(headers, &json!({"results": results}))
}
