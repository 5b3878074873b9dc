//! A service for heights in one file. It answers from a file of heights, and from the next version as soon as that is renamed over it.
//!
//! ```text
//! cargo run --release --no-default-features --features serve --example elevation_service -- japan.heights
//! curl 'http://127.0.0.1:8080/height?lon=138.7275&lat=35.3607'
//! curl 'http://127.0.0.1:8080/profile?line=138.6,35.3;138.8,35.4&samples=200'
//! ```

use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use hypso::container::{Handle, ReloadEvent};
use hypso::heights::{Height, HeightQueries as _, Heights, Sampling, Spacing};
use hypso::tile::LonLat;
use hypso::track::Line;
use serde::Deserialize;
use serde_json::{Value, json};

/// The most samples of a profile: a millisecond or two.
const MOST: usize = 10_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("give a file of heights, and an address if it is not 127.0.0.1:8080")?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let handle = Handle::<Heights>::open(path)?;
    let _watcher = handle.watch(Duration::from_secs(1), |event| match event {
        ReloadEvent::Failed(error) => eprintln!("the old version stays: {error:#}"),
        _ => eprintln!("a new version is in use"),
    })?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{}/height?lon=138.7275&lat=35.3607", listener.local_addr()?);
    Ok(axum::serve(listener, service(handle)).await?)
}

/// Answers take microseconds and wait for no lock, so they are given where requests are read. From a disk that is slow,
/// or for areas and lines of sight, use `tokio::task::spawn_blocking`.
pub fn service(handle: Handle<Heights>) -> Router {
    Router::new().route("/height", get(height)).route("/profile", get(profile)).with_state(handle)
}

type Answer = Result<Json<Value>, (StatusCode, String)>;

/// What the client sent is no place and no line.
fn refused(error: hypso::Error) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, format!("{error:#}\n"))
}

/// A query is impossible, which is the client's mistake too, or the file is damaged.
fn failed(error: hypso::Error) -> (StatusCode, String) {
    match error {
        hypso::Error::Argument { .. } => refused(error),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
    }
}

/// A place with its height: `null` in a void and where there are no tiles.
fn told(point: LonLat, height: Option<Height>, sources: &[String]) -> Value {
    json!({
        "lon": point.lon(),
        "lat": point.lat(),
        "height": height.map(|height| height.metres),
        "zoom": height.map(|height| height.zoom),
        "source": height.and_then(|height| sources.get(usize::from(height.source?))),
    })
}

#[derive(Deserialize)]
struct Place {
    lon: f64,
    lat: f64,
}

async fn height(State(handle): State<Handle<Heights>>, Query(place): Query<Place>) -> Answer {
    // One version of the file for the whole of a request.
    let heights = handle.load();
    let point = LonLat::new(place.lon, place.lat).map_err(refused)?;
    let height = heights.sample(point, &Sampling::default()).map_err(failed)?;
    Ok(Json(told(point, height, &heights.sources().map_err(failed)?)))
}

#[derive(Deserialize)]
struct Way {
    line: String,
    samples: Option<usize>,
}

async fn profile(State(handle): State<Handle<Heights>>, Query(way): Query<Way>) -> Answer {
    let heights = handle.load();
    let count = way.samples.unwrap_or(256);
    if count > MOST {
        return Err((StatusCode::BAD_REQUEST, format!("samples: at most {MOST}, {count} asked for\n")));
    }
    let line = Line::read(way.line.replace(';', "\n").as_bytes()).map_err(refused)?;
    let profile = heights.along(line.points(), Spacing::Count(count), &Sampling::default()).map_err(failed)?;
    let sources = heights.sources().map_err(failed)?;
    let samples: Vec<Value> = profile.points.iter().map(|p| told(p.point, p.height, &sources)).collect();
    Ok(Json(json!({
        "length": profile.length,
        "climb": profile.climb,
        "descent": profile.descent,
        "samples": samples,
    })))
}
