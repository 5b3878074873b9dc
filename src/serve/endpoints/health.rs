//! `/health`, `/ready`, `/metrics`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, StatusCode, header};

use crate::serve::app::App;
use crate::serve::dataset::Dataset;
use crate::serve::problem::{Answer, Problem};

fn plain(text: String, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The process answers.
pub async fn health() -> Response<Body> {
    plain("ok\n".into(), "text/plain; charset=utf-8")
}

/// Its files are open, and it is not about to stop.
pub async fn ready(State(app): State<Arc<App>>) -> Answer {
    let problem = if app.is_draining() {
        Some("the server is stopping")
    } else if app.catalogue().is_empty() {
        Some("no file is open yet")
    } else {
        None
    };
    match problem {
        Some(problem) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, problem)),
        None => Ok(plain("ready\n".into(), "text/plain; charset=utf-8")),
    }
}

/// Metrics as Prometheus reads them.
pub async fn metrics(State(app): State<Arc<App>>) -> Response<Body> {
    let catalogue = app.catalogue();
    let cache = |dataset: &Dataset| dataset.tiles.as_ref()?.content.cache();
    app.metrics.set_caches(catalogue.behind(None).filter_map(|dataset| Some((dataset.id(), cache(dataset)?))));
    plain(app.metrics.text(), "application/openmetrics-text; version=1.0.0; charset=utf-8")
}
