//! From a request to the handler of its path, and what is done for all of them.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any as AnyOrigin, CorsLayer};

use super::app::App;
use super::endpoints;
use super::observe::{AccessLog, Line, now};
use super::problem::{Answer, Problem};

/// Who sent a request.
#[derive(Debug, Clone, Copy)]
pub struct Remote(pub SocketAddr);

/// The named parts of a path, decoded.
#[derive(Debug)]
pub struct Captures(RawPathParams);

impl Captures {
    /// The part with a name; empty where the route has none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Captures {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        params.map(Self).map_err(|_| Problem::bad("the path is not UTF-8"))
    }
}

/// All that the public address answers.
pub fn public(app: &Arc<App>, log: Option<Arc<AccessLog>>) -> Router {
    let mut router = Router::new();
    for (path, method) in endpoints::routes() {
        router = router.route(path, method);
    }
    let exposed = [
        header::ETAG,
        header::CONTENT_RANGE,
        header::CONTENT_LENGTH,
        header::ACCEPT_RANGES,
        header::LAST_MODIFIED,
        header::RETRY_AFTER,
    ];
    let cors = CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::OPTIONS])
        .allow_headers(AnyOrigin)
        .expose_headers(exposed)
        .max_age(Duration::from_secs(86_400));
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Watched { app: Arc::clone(app), log }, watched))
        .layer(cors)
        .with_state(Arc::clone(app))
}

/// What the address for operators answers.
pub fn admin(app: &Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(endpoints::metrics))
        .route("/health", get(endpoints::health))
        .route("/ready", get(endpoints::ready))
        .fallback(nothing_here)
        .with_state(Arc::clone(app))
}

async fn nothing_here() -> Problem {
    Problem::nothing_here()
}

async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not take this method; /openapi.json lists those it takes",
    )
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server has a fault; its log says where").into_response()
}

#[derive(Clone)]
struct Watched {
    app: Arc<App>,
    log: Option<Arc<AccessLog>>,
}

/// Refuses what no handler should see, and counts and logs what is answered.
async fn watched(State(watched): State<Watched>, request: Request, next: Next) -> Response<Body> {
    let begun = Instant::now();
    let endpoint = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let endpoint = endpoint.and_then(endpoints::label).unwrap_or("other");
    let asked = watched.log.as_ref().map(|log| (Arc::clone(log), Asked::of(&request)));
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut response = match refused(&watched.app, &request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    if chunked {
        // A length may have stood beside it, and a proxy may have gone by that: what follows could be anybody's (RFC 9112, 6.3).
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let (status, bytes) = (response.status().as_u16(), response.body().size_hint().exact().unwrap_or(0));
    let took = begun.elapsed();
    watched.app.metrics.answered(endpoint, status, took, bytes);
    if let Some((log, asked)) = asked
        && !log.write(asked.answered(status, bytes, took))
    {
        watched.app.metrics.lost_log_line();
    }
    response
}

fn refused(app: &App, request: &Request) -> Option<Problem> {
    let most = app.options.limits.url_bytes;
    if request.uri().path_and_query().is_some_and(|url| url.as_str().len() > most) {
        let detail = format!("the URL is longer than {most} bytes; long lists of places go into the body of a POST");
        return Some(Problem::new(StatusCode::URI_TOO_LONG, detail));
    }
    let key = app.key.as_ref()?;
    if matches!(request.uri().path(), "/health" | "/ready") || request.method() == Method::OPTIONS {
        return None;
    }
    let given = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
    let detail = "a key is needed: Authorization: Bearer KEY";
    (!same(given, key.as_bytes())).then(|| Problem::new(StatusCode::UNAUTHORIZED, detail))
}

/// Compares in a time that does not depend on where texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b))) == 0
}

/// What the log says of a request.
struct Asked {
    remote: String,
    method: String,
    url: String,
    agent: String,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let text = |name: HeaderName| {
            let value = request.headers().get(name).map(|value| value.as_bytes()).unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        };
        Self {
            remote: request.extensions().get::<Remote>().map(|remote| remote.0.to_string()).unwrap_or_default(),
            method: request.method().to_string(),
            url: request.uri().to_string(),
            agent: text(header::USER_AGENT),
        }
    }

    fn answered(self, status: u16, bytes: u64, took: Duration) -> Line {
        let Self { remote, method, url, agent } = self;
        Line { time: now(), remote, method, url, status, bytes, seconds: took.as_secs_f64(), agent }
    }
}
