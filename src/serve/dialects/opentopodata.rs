//! `/v1/{dataset}`, as Open Topo Data answers: `locations` as `LAT,LNG|…` or an encoded polyline, `samples`, `interpolation`,
//! `nodata_value`, `format`; several datasets, separated by commas, of which the first with a height answers for a place.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use serde_json::{Map, Value, json};

use super::{Found, How, heights, list, polyline};
use crate::heights::{Interpolation, Sampling, Spacing};
use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::body::{self, Kind, Sent};
use crate::serve::dataset::Dataset;
use crate::serve::params::Params;
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;

/// The most datasets of one request.
const MOST: usize = 16;

/// Parameters in the URL.
pub async fn get(State(app): State<Arc<App>>, path: Captures, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let answer = async {
        let params = Params::parse(uri.query().unwrap_or_default())?;
        answered(&app, path.get("dataset"), &params, &headers).await
    };
    answer.await.unwrap_or_else(refused)
}

/// Parameters in a JSON object or in a form.
pub async fn post(State(app): State<Arc<App>>, path: Captures, request: Request) -> Response<Body> {
    let answer = async {
        let headers = request.headers().clone();
        let sent = Sent::read(&app, request).await?;
        let params = match sent.kind {
            Kind::Json => Params::from_object(body::json::<Map<String, Value>>(&sent.bytes)?),
            Kind::Form => {
                let text = std::str::from_utf8(&sent.bytes).map_err(|_| Problem::bad("the body is not UTF-8"))?;
                Params::parse(text.trim())?
            }
        };
        answered(&app, path.get("dataset"), &params, &headers).await
    };
    answer.await.unwrap_or_else(refused)
}

fn refused(problem: Problem) -> Response<Body> {
    let status = if problem.status().is_server_error() { "SERVER_ERROR" } else { "INVALID_REQUEST" };
    let body = json!({"status": status, "error": problem.detail()});
    // What does not exist is an error of the request over there.
    let missing = problem.status() == StatusCode::NOT_FOUND;
    let problem = if missing { Problem::bad(problem.detail()) } else { problem };
    problem.with_body(&body)
}

async fn answered(app: &App, names: &str, params: &Params, headers: &HeaderMap) -> Answer {
    let catalogue = app.catalogue();
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    if names.len() > MOST {
        return Err(Problem::bad(format!("{} datasets are too many; ask for at most {MOST}", names.len())));
    }
    let datasets = names.iter().map(|name| catalogue.dataset(name)).collect::<Answer<Vec<_>>>()?;
    let locations = params
        .text("locations")?
        .ok_or_else(|| Problem::bad("no locations are given: locations=LAT,LNG|LAT,LNG or an encoded polyline"))?;
    let points = if locations.contains(',') { list(locations)? } else { polyline(locations, 5)? };
    let samples = params.count("samples", app.options.limits.samples)?.map(Spacing::Count);
    let how = match params.text("interpolation")? {
        None | Some("bilinear") => How::default(),
        Some("nearest") => How::Plain(Sampling::default().interpolation(Interpolation::Nearest)),
        Some("cubic") => How::Cubic,
        Some(other) => {
            return Err(Problem::bad(format!("interpolation: expected nearest, bilinear or cubic, found {other:?}")));
        }
    };
    let nodata = Nodata::of(params)?;
    let geojson = match params.text("format")? {
        None | Some("json") => false,
        Some("geojson") => true,
        Some(other) => return Err(Problem::bad(format!("format: expected json or geojson, found {other:?}"))),
    };
    let (found, from) = first_with_a_height(app, &datasets, points, samples, how).await?;
    let text = if geojson { collection(&found, &from, nodata) } else { results(&found, &from, nodata) };
    let kind = if geojson { "application/geo+json" } else { "application/json" };
    Ok(answer::text(headers, kind, text.into_bytes()))
}

/// What stands where there is no height.
#[derive(Debug, Clone, Copy)]
enum Nodata {
    Null,
    /// `NaN`, as some readers of JSON take it.
    Nan,
    Number(i64),
}

impl Nodata {
    fn of(params: &Params) -> Answer<Self> {
        Ok(match params.text("nodata_value")?.map(str::to_ascii_lowercase).as_deref() {
            None | Some("null") => Self::Null,
            Some("nan") => Self::Nan,
            Some(text) => Self::Number(text.parse().map_err(|_| {
                Problem::bad(format!("nodata_value: expected null, nan or a whole number, found {text:?}"))
            })?),
        })
    }

    fn text(self, metres: Option<f64>) -> String {
        match (metres, self) {
            (Some(metres), _) => json!(metres).to_string(),
            (None, Self::Null) => "null".into(),
            (None, Self::Nan) => "NaN".into(),
            (None, Self::Number(number)) => number.to_string(),
        }
    }
}

/// The heights at places, and the names of the datasets that gave them; the last one where none did.
async fn first_with_a_height<'a>(
    app: &App,
    datasets: &[&'a Arc<Dataset>],
    points: Vec<crate::tile::LonLat>,
    samples: Option<Spacing>,
    how: How,
) -> Answer<(Vec<Found>, Vec<&'a str>)> {
    let (first, others) = datasets.split_first().ok_or_else(|| Problem::bad("no dataset is named"))?;
    let mut found = heights(app, first, points, samples, how).await?;
    let mut from = vec![first.id(); found.len()];
    for dataset in others {
        let open: Vec<usize> = (0..found.len()).filter(|&at| found[at].metres.is_none()).collect();
        // Samples may be more than a request may name.
        for open in open.chunks(app.options.limits.locations) {
            let points = open.iter().map(|&at| found[at].point).collect();
            for (&at, other) in open.iter().zip(heights(app, dataset, points, None, how).await?) {
                (found[at], from[at]) = (other, dataset.id());
            }
        }
    }
    Ok((found, from))
}

fn results(found: &[Found], from: &[&str], nodata: Nodata) -> String {
    let mut text = "{\"results\":[".to_owned();
    for (n, (found, from)) in found.iter().zip(from).enumerate() {
        let (comma, elevation) = (if n > 0 { "," } else { "" }, nodata.text(found.metres));
        let location = json!({"lat": found.point.lat(), "lng": found.point.lon()});
        let dataset = json!(from);
        // Writing to a string can't fail.
        let _ = write!(text, "{comma}{{\"elevation\":{elevation},\"location\":{location},\"dataset\":{dataset}}}");
    }
    text + "],\"status\":\"OK\"}"
}

/// GeoJSON: a place without a height has two coordinates, unless a number is to stand there.
fn collection(found: &[Found], from: &[&str], nodata: Nodata) -> String {
    let mut text = "{\"type\":\"FeatureCollection\",\"features\":[".to_owned();
    for (n, (found, from)) in found.iter().zip(from).enumerate() {
        let (comma, elevation) = (if n > 0 { "," } else { "" }, nodata.text(found.metres));
        let height = match (found.metres, nodata) {
            (None, Nodata::Null | Nodata::Nan) => String::new(),
            _ => format!(",{elevation}"),
        };
        let (lng, lat, dataset) = (json!(found.point.lon()), json!(found.point.lat()), json!(from));
        let _ = write!(
            text,
            "{comma}{{\"type\":\"Feature\",\"geometry\":{{\"type\":\"Point\",\"coordinates\":[{lng},{lat}{height}]}},\
             \"properties\":{{\"elevation\":{elevation},\"dataset\":{dataset}}}}}"
        );
    }
    text + "]}"
}
