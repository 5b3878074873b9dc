//! `/profile/{id}`: the heights along a line.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::json;

use crate::heights::{HeightQueries, Profile, Spacing, distance};
use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::ask::{Facts, ask, bounded, max_zoom, rounded, sampling};
use crate::serve::body::Sent;
use crate::serve::cost::Question;
use crate::serve::dataset::{Dataset, ElevationFrom};
use crate::serve::params::{Params, place};
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;
use crate::tile::LonLat;
use crate::track::Line;

/// Samples where neither their number nor their spacing is given.
const SAMPLES: usize = 200;

/// `?line=` or `?polyline=`.
pub async fn get(State(app): State<Arc<App>>, path: Captures, params: Params, headers: HeaderMap) -> Answer {
    let catalogue = app.catalogue();
    let dataset = catalogue.dataset(path.get("id"))?;
    let line = match (params.text("line")?, params.text("polyline")?) {
        (Some(line), None) => {
            let places = line.split(';').filter(|text| !text.trim().is_empty());
            Line::new(places.map(place).collect::<Answer<_>>()?)?
        }
        (None, Some(text)) => {
            let decimals = params.value::<u32>("precision", "5 or 6")?.unwrap_or(5);
            if !(5..=6).contains(&decimals) {
                return Err(Problem::bad(format!("precision: expected 5 or 6, found {decimals}")));
            }
            Line::from_polyline(text, decimals)?
        }
        _ => return Err(Problem::bad("give one of line=LON,LAT;LON,LAT;… and polyline=TEXT")),
    };
    answered(&app, dataset, || Ok(line), &params, &headers).await
}

/// A GeoJSON document with one line.
pub async fn post(State(app): State<Arc<App>>, path: Captures, params: Params, request: Request) -> Answer {
    let catalogue = app.catalogue();
    let dataset = catalogue.dataset(path.get("id"))?;
    let headers = request.headers().clone();
    let bytes = Sent::read_json(&app, request).await?;
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::bad("the body: expected GeoJSON with a LineString"));
    }
    let line = move || Line::read(&bytes[..]).map_err(Problem::of_input);
    answered(&app, dataset, line, &params, &headers).await
}

/// `line` is long work where it has many places.
async fn answered(
    app: &App,
    dataset: &Arc<Dataset>,
    line: impl FnOnce() -> Answer<Line> + Send + 'static,
    params: &Params,
    headers: &HeaderMap,
) -> Answer {
    let (how, most, places) = (sampling(params)?, app.options.limits.samples, app.options.limits.locations);
    let spacing = match (params.count("samples", most)?, params.number("spacing")?) {
        (Some(samples), None) => Spacing::Count(samples),
        (None, Some(metres)) => Spacing::Metres(metres),
        (None, None) => Spacing::Count(SAMPLES.min(most)),
        _ => return Err(Problem::bad("give one of samples=N and spacing=METRES")),
    };
    let swiss = match params.text("format")? {
        None | Some("json") => false,
        Some("swisstopo") => true,
        Some(other) => return Err(Problem::bad(format!("format: expected json or swisstopo, found {other:?}"))),
    };
    let (from, max_zoom, headers) = (dataset.elevation_from(), max_zoom(params)?, headers.clone());
    // What is long is written and packed where it was found.
    ask(app, dataset, usize::MAX, move |heights| {
        let line = line()?;
        bounded(line.points().len(), places)?;
        let samples = samples(line.points(), spacing, most)?;
        let from = from.unwrap_or(ElevationFrom::Tiles);
        Question { from, shape: *heights.shape(), max_zoom }.profile(line.points(), samples)?;
        let profile = heights.along(line.points(), spacing, &how)?;
        if swiss {
            answer::json(&headers, &swisstopo(&profile))
        } else {
            answer::json(&headers, &native(heights, &profile)?)
        }
    })
    .await
}

/// How many samples there will be, which must not be too many.
fn samples(line: &[LonLat], spacing: Spacing, most: usize) -> Answer<usize> {
    let Spacing::Metres(step) = spacing else {
        let Spacing::Count(count) = spacing else { return Ok(most) };
        return Ok(count);
    };
    let parts = line.windows(2).map(|pair| (distance(pair[0], pair[1]) / step).ceil().max(1.0));
    let count = parts.sum::<f64>() + 1.0;
    if step > 0.0 && count > most as f64 {
        let detail = format!("spacing: makes {count:.0} samples; at most {most} are possible: ask for a wider spacing");
        return Err(Problem::bad(detail));
    }
    Ok(count as usize)
}

#[derive(Serialize)]
struct Native {
    length: f64,
    climb: f64,
    descent: f64,
    least: Option<f64>,
    greatest: Option<f64>,
    points: Vec<Sample>,
}

#[derive(Serialize)]
struct Sample {
    lon: f64,
    lat: f64,
    distance: f64,
    elevation: Option<f64>,
    #[serde(serialize_with = "crate::serve::ask::name")]
    source: Option<Arc<str>>,
    zoom: Option<u8>,
}

fn native(heights: &dyn HeightQueries, profile: &Profile) -> Answer<Native> {
    let facts = Facts::of(heights)?;
    let metres = |value: f64| rounded(value, 3);
    let points = profile.points.iter().map(|sample| {
        let told = facts.tell(sample.point, sample.height);
        Sample {
            lon: rounded(sample.point.lon(), 8),
            lat: rounded(sample.point.lat(), 8),
            distance: metres(sample.distance),
            elevation: told.elevation,
            source: told.source,
            zoom: told.zoom,
        }
    });
    Ok(Native {
        length: metres(profile.length),
        climb: metres(profile.climb),
        descent: metres(profile.descent),
        least: profile.least.map(metres),
        greatest: profile.greatest.map(metres),
        points: points.collect(),
    })
}

/// As the profile service of swisstopo answers: easting and northing are those of the request's system, here longitude and
/// latitude.
fn swisstopo(profile: &Profile) -> Vec<serde_json::Value> {
    let sample = |sample: &crate::heights::ProfilePoint| {
        json!({
            "dist": rounded(sample.distance, 1),
            "alts": {"COMB": sample.height.map(|height| rounded(height.metres, 1))},
            "easting": rounded(sample.point.lon(), 8),
            "northing": rounded(sample.point.lat(), 8),
        })
    };
    profile.points.iter().map(sample).collect()
}
