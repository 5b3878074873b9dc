//! `/height`, as Valhalla answers: `shape` or `encoded_polyline`, `range`, `resample_distance`, `height_precision`, as JSON in
//! `json=` or in a body.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Found, How, default_dataset, heights, lat_lng, polyline};
use crate::heights::{Spacing, distance};
use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::ask::{bounded, rounded};
use crate::serve::body::{self, Sent};
use crate::serve::params::Params;
use crate::serve::problem::{Answer, Problem};
use crate::tile::LonLat;
use crate::track;

/// Codes of errors, as Valhalla's service gives them for the same faults.
#[derive(Debug, Clone, Copy)]
enum Code {
    NoJson = 100,
    BadShape = 134,
    BadFormat = 164,
    Unknown = 199,
    NoShape = 312,
    BadDistance = 313,
    TooMany = 314,
}

/// What is wrong, and its code.
struct Refusal(Code, Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Code::Unknown, problem)
    }
}

fn refused(Refusal(code, problem): Refusal) -> Response<Body> {
    let status = problem.status();
    let body = json!({
        "error_code": code as u16,
        "error": problem.detail(),
        "status_code": status.as_u16(),
        "status": status.canonical_reason().unwrap_or_default(),
    });
    problem.with_body(&body)
}

#[derive(Deserialize)]
struct Asked {
    shape: Option<Vec<Location>>,
    encoded_polyline: Option<String>,
    shape_format: Option<String>,
    #[serde(default)]
    range: bool,
    resample_distance: Option<f64>,
    height_precision: Option<Value>,
    id: Option<Value>,
}

#[derive(Deserialize)]
struct Location {
    lat: f64,
    lon: f64,
}

pub async fn get(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let answer = async {
        let params = Params::parse(uri.query().unwrap_or_default())?;
        let text = params.text("json")?.ok_or_else(|| Problem::bad("give json={…}, or POST it"));
        let mut asked = parsed(text.map_err(no_json)?.as_bytes())?;
        asked.id = params.text("id")?.map(Value::from).or(asked.id);
        answered(&app, asked, &headers).await
    };
    answer.await.unwrap_or_else(refused)
}

pub async fn post(State(app): State<Arc<App>>, uri: Uri, request: Request) -> Response<Body> {
    let answer = async {
        let params = Params::parse(uri.query().unwrap_or_default())?;
        let headers = request.headers().clone();
        let mut asked = parsed(&Sent::read_json(&app, request).await?)?;
        asked.id = params.text("id")?.map(Value::from).or(asked.id);
        answered(&app, asked, &headers).await
    };
    answer.await.unwrap_or_else(refused)
}

fn no_json(problem: Problem) -> Refusal {
    Refusal(Code::NoJson, problem)
}

fn parsed(text: &[u8]) -> Result<Asked, Refusal> {
    body::json(text).map_err(no_json)
}

/// The places, and the decimals of the polyline where they came as one.
fn places(asked: &Asked) -> Result<(Vec<LonLat>, Option<u32>), Refusal> {
    let bad = |problem| Refusal(Code::BadShape, problem);
    if let Some(text) = &asked.encoded_polyline {
        let decimals = match asked.shape_format.as_deref() {
            None | Some("polyline6") => 6,
            Some("polyline5") => 5,
            Some(other) => {
                let detail = format!("shape_format: expected polyline5 or polyline6, found {other:?}");
                return Err(Refusal(Code::BadFormat, Problem::bad(detail)));
            }
        };
        return Ok((polyline(text, decimals).map_err(bad)?, Some(decimals)));
    }
    let shape = asked.shape.as_ref().filter(|shape| !shape.is_empty());
    let missing = || Refusal(Code::NoShape, Problem::bad("shape or encoded_polyline is missing"));
    let points = shape.ok_or_else(missing)?.iter().map(|at| lat_lng(at.lat, at.lon));
    Ok((points.collect::<Answer<_>>().map_err(bad)?, None))
}

async fn answered(app: &App, asked: Asked, headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
    let (points, decimals) = places(&asked)?;
    bounded(points.len(), app.options.limits.locations).map_err(|problem| Refusal(Code::TooMany, problem))?;
    let spacing = match asked.resample_distance {
        Some(metres) => resampled(app, &points, metres)?,
        None => None,
    };
    let catalogue = app.catalogue();
    let found = heights(app, default_dataset(app, &catalogue)?, points, spacing, How::default()).await?;
    let precision = match asked.height_precision.as_ref().and_then(Value::as_u64) {
        Some(1) => 1,
        Some(2) => 2,
        _ => 0,
    };
    let height = |found: &Found| found.metres.map_or(Value::Null, |metres| number(metres, precision));
    let mut document = json!({});
    match decimals {
        Some(decimals) => {
            let points: Vec<LonLat> = found.iter().map(|found| found.point).collect();
            let encoded = match (&asked.encoded_polyline, spacing) {
                (Some(given), None) => given.clone(),
                _ => track::encode_polyline(&points, decimals).map_err(Problem::from)?,
            };
            document["encoded_polyline"] = encoded.into();
        }
        None => {
            let place = |p: LonLat| json!({"lat": rounded(p.lat(), 6), "lon": rounded(p.lon(), 6)});
            document["shape"] = found.iter().map(|found| place(found.point)).collect();
        }
    }
    if asked.range {
        let pairs = ranges(&found).into_iter().zip(&found);
        document["range_height"] = pairs.map(|(range, found)| json!([number(range, 0), height(found)])).collect();
    } else {
        document["height"] = found.iter().map(height).collect();
    }
    if let Some(id) = asked.id {
        document["id"] = id;
    }
    Ok(answer::json(headers, &document)?)
}

/// A number of so many decimals, a whole one where there are none.
fn number(value: f64, decimals: i32) -> Value {
    if decimals == 0 { json!(value.round() as i64) } else { json!(rounded(value, decimals)) }
}

/// Samples at every so many metres, not too many of them; `None` for a line without length, which stays as it is.
fn resampled(app: &App, points: &[LonLat], metres: f64) -> Result<Option<Spacing>, Refusal> {
    let length: f64 = points.windows(2).map(|pair| distance(pair[0], pair[1])).sum();
    let most = app.options.limits.samples;
    if !metres.is_finite() || metres <= 0.0 {
        let detail = format!("resample_distance: expected metres above 0, found {metres}");
        return Err(Refusal(Code::BadDistance, Problem::bad(detail)));
    }
    if length / metres + 2.0 > most as f64 {
        let detail = format!("resample_distance: {metres} m makes too many samples; at most {most} are possible");
        return Err(Refusal(Code::TooMany, Problem::bad(detail)));
    }
    Ok((length > 0.0).then_some(Spacing::Every(metres)))
}

/// Metres from the first place, along the line.
fn ranges(found: &[Found]) -> Vec<f64> {
    let mut range = 0.0;
    let steps = found.windows(2).map(|pair| {
        range += distance(pair[0].point, pair[1].point);
        range
    });
    std::iter::once(0.0).chain(steps).collect()
}
