//! `/maps/api/elevation/json`, as Google's Elevation API answers: `locations`, or `path` with `samples`, each as `LAT,LNG|…` or
//! `enc:POLYLINE`. Keys are not looked at.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use serde_json::{Value, json};

use super::{Found, How, default_dataset, heights, list, polyline};
use crate::heights::Spacing;
use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::params::Params;
use crate::serve::problem::{Answer, Problem};
use crate::tile::LonLat;

pub async fn get(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    answered(&app, &uri, &headers).await.unwrap_or_else(refused)
}

fn refused(problem: Problem) -> Response<Body> {
    let status = match problem.status() {
        StatusCode::SERVICE_UNAVAILABLE => "OVER_QUERY_LIMIT",
        status if status.is_server_error() => "UNKNOWN_ERROR",
        _ => "INVALID_REQUEST",
    };
    let body = json!({"error_message": problem.detail(), "results": [], "status": status});
    problem.with_body(&body)
}

fn places(text: &str) -> Answer<Vec<LonLat>> {
    text.strip_prefix("enc:").map_or_else(|| list(text), |encoded| polyline(encoded, 5))
}

async fn answered(app: &App, uri: &Uri, headers: &HeaderMap) -> Answer {
    let params = Params::parse(uri.query().unwrap_or_default())?;
    let (points, spacing) = match (params.text("locations")?, params.text("path")?) {
        (Some(locations), None) => (places(locations)?, None),
        (None, Some(path)) => {
            let samples = params.count("samples", app.options.limits.samples)?;
            let samples = samples.ok_or_else(|| Problem::bad("a path needs samples=N"))?;
            (places(path)?, Some(Spacing::Count(samples)))
        }
        _ => return Err(Problem::bad("give one of locations=LAT,LNG|LAT,LNG and path=LAT,LNG|LAT,LNG with samples=N")),
    };
    let catalogue = app.catalogue();
    let found = heights(app, default_dataset(app, &catalogue)?, points, spacing, How::default()).await?;
    if found.iter().all(|found| found.metres.is_none()) {
        return answer::json(headers, &json!({"results": [], "status": "DATA_NOT_AVAILABLE"}));
    }
    let results: Vec<Value> = found.iter().map(result).collect();
    answer::json(headers, &json!({"results": results, "status": "OK"}))
}

/// A resolution is told where it is known, as over there.
fn result(found: &Found) -> Value {
    let location = json!({"lat": found.point.lat(), "lng": found.point.lon()});
    let mut result = json!({"elevation": found.metres, "location": location});
    if let Some(resolution) = found.resolution {
        result["resolution"] = resolution.into();
    }
    result
}
