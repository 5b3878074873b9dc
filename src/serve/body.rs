//! The bodies of requests: bounded in bytes and in time, and of a type that is known.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;

use super::app::App;
use super::problem::{Answer, Problem};

/// What a body says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON, GeoJSON, or nothing said.
    Json,
    /// The fields of an HTML form.
    Form,
}

/// A body that was read whole.
#[derive(Debug)]
pub struct Sent {
    pub kind: Kind,
    pub bytes: Bytes,
}

impl Sent {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// 415 where it is neither JSON nor a form, 413 where it is too long, 408 where it comes too slowly, 400 where it ends early.
    pub async fn read(app: &App, request: Request) -> Answer<Self> {
        let limits = &app.options.limits;
        let kind = kind(request.headers())?;
        let said = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if said.is_some_and(|said: u64| said > limits.body_bytes as u64) {
            return Err(too_long(limits.body_bytes));
        }
        let patience = Duration::from_secs(limits.read_seconds);
        let bytes = tokio::time::timeout(patience, whole(request.into_body(), limits.body_bytes)).await;
        let late = |_| {
            let detail = format!("the body did not arrive within {} s", limits.read_seconds);
            Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
        };
        Ok(Self { kind, bytes: bytes.map_err(late)?? })
    }

    /// The body of a request that must be JSON, also GeoJSON.
    ///
    /// # Errors
    /// As [`read`](Self::read); 415 for a form, 400 where it is not UTF-8.
    pub async fn read_json(app: &App, request: Request) -> Answer<Bytes> {
        let sent = Self::read(app, request).await?;
        if sent.kind == Kind::Form {
            return Err(unsupported("a form"));
        }
        if std::str::from_utf8(&sent.bytes).is_err() {
            return Err(Problem::bad("the body is not UTF-8"));
        }
        Ok(sent.bytes)
    }
}

/// A JSON object as a type.
///
/// # Errors
/// 400 where the bytes are no JSON object, or of another shape.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    // An array would be taken for the members in their order.
    if bytes.trim_ascii_start().first().is_some_and(|&first| first != b'{') {
        return Err(Problem::bad("the body: expected a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| Problem::bad(format!("the body: {error}")))
}

fn kind(headers: &HeaderMap) -> Answer<Kind> {
    if let Some(coding) = headers.get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity") {
        return Err(unsupported(&format!("packed as {}", shown(coding.as_bytes()))));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Kind::Json) };
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let kind = match parts.next().unwrap_or_default() {
        "application/json" | "text/json" | "" => Kind::Json,
        kind if kind.starts_with("application/") && kind.ends_with("+json") => Kind::Json,
        "application/x-www-form-urlencoded" => Kind::Form,
        other => return Err(unsupported(&shown(other.as_bytes()))),
    };
    let charset = parts.find_map(|part| part.strip_prefix("charset=")).map(|name| name.trim_matches('"'));
    match charset {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(kind),
        Some(other) => Err(unsupported(&format!("in {}", shown(other.as_bytes())))),
    }
}

/// The first characters of what a client wrote.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(60).collect()
}

fn unsupported(what: &str) -> Problem {
    let detail = format!("the body is {what}; send JSON in UTF-8 with Content-Type: application/json");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
}

fn too_long(most: usize) -> Problem {
    let detail = format!("the body is longer than {most} bytes; cut it into several requests");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

async fn whole(mut body: Body, most: usize) -> Answer<Bytes> {
    let mut read = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Problem::bad("the body ended before its length"))?;
        let Ok(bytes) = frame.into_data() else { continue };
        if read.len() + bytes.len() > most {
            return Err(too_long(most));
        }
        read.extend_from_slice(&bytes);
    }
    Ok(read.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: header::HeaderName, value: &str) -> Answer<Kind> {
        kind(&[(name, value.parse().unwrap())].into_iter().collect())
    }

    #[test]
    fn types_of_bodies_are_known_or_refused() {
        assert_eq!(kind(&HeaderMap::new()).unwrap(), Kind::Json);
        for json in ["application/json", "application/geo+json; charset=UTF-8", "Text/JSON", "application/vnd.x+json"] {
            assert_eq!(of(header::CONTENT_TYPE, json).unwrap(), Kind::Json, "{json}");
        }
        assert_eq!(of(header::CONTENT_TYPE, "application/x-www-form-urlencoded").unwrap(), Kind::Form);
        for other in
            ["text/plain", "application/json; charset=utf-16", "multipart/form-data; boundary=x", "image/+json"]
        {
            let problem = of(header::CONTENT_TYPE, other).unwrap_err();
            assert_eq!(problem.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{other}");
        }
        assert!(of(header::CONTENT_ENCODING, "gzip").is_err() && of(header::CONTENT_ENCODING, "identity").is_ok());
    }

    #[test]
    fn json_says_where_it_is_wrong() {
        type Map = std::collections::BTreeMap<String, u8>;
        assert_eq!(json::<Map>(b" {\"a\": 1}").unwrap()["a"], 1);
        for (bytes, words) in [("{\"a\":", "line 1"), ("{\"a\": 256}", "line 1"), ("[1]", "JSON object"), ("", "EOF")] {
            let problem = json::<Map>(bytes.as_bytes()).unwrap_err();
            assert!(problem.detail().contains(words), "{bytes}: {}", problem.detail());
        }
    }
}
