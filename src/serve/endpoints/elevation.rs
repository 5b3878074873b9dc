//! `/elevation/{id}`: the heights of places.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::heights::{HeightQueries, Sampling};
use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::ask::{Facts, Told, ask, at_all, bounded, sampling};
use crate::serve::body::{self, Sent};
use crate::serve::params::Params;
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;
use crate::tile::LonLat;
use crate::track;

/// Decimals of heights that are written into GeoJSON.
const DECIMALS: usize = 3;

/// A place with its height.
#[derive(Serialize)]
struct Place {
    lon: f64,
    lat: f64,
    #[serde(flatten)]
    told: Told,
}

/// `?lon=&lat=`: one place.
pub async fn get(State(app): State<Arc<App>>, path: Captures, params: Params, headers: HeaderMap) -> Answer {
    let catalogue = app.catalogue();
    let dataset = catalogue.dataset(path.get("id"))?;
    let (Some(lon), Some(lat)) = (params.number("lon")?, params.number("lat")?) else {
        return Err(Problem::bad("give lon=DEGREES and lat=DEGREES"));
    };
    let (point, how) = (track::place(lon, lat)?, sampling(&params)?);
    let told = ask(&app, dataset, 1, move |heights| {
        let height = heights.sample(point, &how)?;
        Ok(Facts::of(heights)?.tell(point, height))
    });
    answer::json(&headers, &Place { lon: point.lon(), lat: point.lat(), told: told.await? })
}

/// The heights at places, in their order.
#[derive(Serialize)]
struct Many {
    elevations: Vec<Told>,
}

/// `{"points": [[lon, lat], …]}`.
#[derive(Deserialize)]
struct Points {
    points: Vec<[f64; 2]>,
}

/// What a body is, by its members.
#[derive(Deserialize)]
struct Members {
    r#type: Option<IgnoredAny>,
    points: Option<IgnoredAny>,
}

/// Many places, or GeoJSON.
pub async fn post(State(app): State<Arc<App>>, path: Captures, params: Params, request: Request) -> Answer {
    let catalogue = app.catalogue();
    let dataset = Arc::clone(catalogue.dataset(path.get("id"))?);
    let how = sampling(&params)?;
    let headers = request.headers().clone();
    let bytes = Sent::read_json(&app, request).await?;
    let most = app.options.limits.locations;
    match body::json::<Members>(&bytes)? {
        Members { r#type: Some(_), .. } => {
            let filled = ask(&app, &dataset, usize::MAX, move |heights| filled(heights, &bytes, &how, most));
            Ok(geojson(filled.await?))
        }
        Members { points: Some(_), .. } => {
            let points: Points = body::json(&bytes)?;
            bounded(points.points.len(), most)?;
            let points: Vec<LonLat> =
                points.points.iter().map(|&[lon, lat]| track::place(lon, lat)).collect::<Result<_, _>>()?;
            ask(&app, &dataset, points.len(), move |heights| {
                let (found, facts) = (at_all(heights, &points, &how)?, Facts::of(heights)?);
                let told = points.iter().zip(found).map(|(&point, height)| facts.tell(point, height));
                answer::json(&headers, &Many { elevations: told.collect() })
            })
            .await
        }
        _ => Err(Problem::bad("the body: expected {\"points\": [[LON, LAT], …]} or GeoJSON")),
    }
}

/// The same GeoJSON with a height in every position.
fn filled(heights: &dyn HeightQueries, document: &Bytes, how: &Sampling, most: usize) -> Answer<Vec<u8>> {
    // Read twice: what is wrong with the document is the client's, what is wrong with the heights is ours.
    let mut points: Vec<LonLat> = Vec::new();
    let counted = track::add_heights(&document[..], std::io::sink(), 0, |some, heights| {
        points.extend_from_slice(some);
        heights.extend(some.iter().map(|_| None));
        Ok(())
    });
    counted.map_err(Problem::of_input)?;
    // A document without positions stays as it is.
    if !points.is_empty() {
        bounded(points.len(), most)?;
    }
    let found = at_all(heights, &points, how)?;
    let mut found = found.into_iter();
    let mut out = Vec::with_capacity(document.len() * 2);
    let written = track::add_heights(&document[..], &mut out, DECIMALS, |some, heights| {
        heights.extend(found.by_ref().take(some.len()).map(|height| Some(height?.metres)));
        Ok(())
    });
    written.map_err(Problem::of_input)?;
    Ok(out)
}

fn geojson(document: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(document));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/geo+json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
