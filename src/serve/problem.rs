//! What a client is told when there is no answer: RFC 9457 problem documents.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::json;

use crate::error::Error;

/// A refusal or a failure, as clients read it.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    /// Seconds after which asking again makes sense.
    retry_after: Option<u32>,
}

/// What a handler gives.
pub type Answer<T = Response<Body>> = Result<T, Problem>;

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after: None }
    }

    /// The request can't be understood: 400.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// What is asked for does not exist: 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// A dataset has no file of a kind: 404.
    pub fn lacks(part: &str) -> Self {
        Self::not_found(format!("this dataset has no {part}; /catalog lists what each dataset has"))
    }

    /// A path that nothing is served under: 404.
    pub fn nothing_here() -> Self {
        Self::not_found("nothing is served under this path; /openapi.json lists all paths")
    }

    /// Too much is asked for at this moment: 503.
    pub fn busy() -> Self {
        let detail = "all workers are busy; ask again in a second";
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// The server that has an archive fails, or the archive was replaced and is opened anew: 503.
    fn behind_busy() -> Self {
        let detail =
            "the server that has this archive does not answer as it should at this moment; ask again in some seconds";
        Self { retry_after: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// The server that has an archive refuses it: 502.
    fn behind() -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "the server that has this archive refuses it; this server's log says why")
    }

    /// What a client sent can't be used: 400, where the library calls it damaged data.
    pub fn of_input(error: Error) -> Self {
        match error {
            Error::Invalid { part, problem, .. } => Self::bad(format!("{part}: {problem}")),
            Error::OtherKind { problem, .. } => Self::bad(problem),
            other => other.into(),
        }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The refusal with a body of another form.
    pub(crate) fn with_body(self, body: &serde_json::Value) -> Response<Body> {
        self.response("application/json", body)
    }

    fn response(&self, kind: &'static str, body: &serde_json::Value) -> Response<Body> {
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body =
            json!({"type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail});
        self.response("application/problem+json", &body)
    }
}

/// What the library refuses is the client's; what fails is ours, and stands in the log, not in the answer.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Argument { field, problem } => Self::bad(format!("{field}: {problem}")),
            Error::NotFound { problem } => Self::not_found(problem),
            Error::Limit { .. } => Self::busy(),
            // What servers behind this one say stands in the log.
            Error::Remote { passes, .. } => {
                tracing::error!("{error:#}");
                if passes { Self::behind_busy() } else { Self::behind() }
            }
            error => {
                tracing::error!("{error:#}");
                let detail = "the data can't be read; the server's log says why";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
            }
        }
    }
}
