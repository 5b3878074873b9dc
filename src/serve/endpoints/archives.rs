//! `/archives/{id}.pmtiles`: whole archives, by ranges (RFC 9110, 14).

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::serve::answer::{matches, none_match};
use crate::serve::app::App;
use crate::serve::dataset::Part;
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;
use crate::serve::tileset::Tileset;

pub async fn archive(State(app): State<Arc<App>>, path: Captures, headers: HeaderMap) -> Answer {
    let missing = || Problem::not_found("there is no archive of this name; /catalog lists those there are");
    let name = path.get("file").strip_suffix(".pmtiles").ok_or_else(missing)?;
    let catalogue = app.catalogue();
    let (dataset, lineage) = match catalogue.dataset(name) {
        Ok(dataset) => (dataset, false),
        Err(problem) => (catalogue.dataset(name.strip_suffix(".lineage").ok_or(problem)?)?, true),
    };
    let part = if lineage { &dataset.lineage } else { &dataset.tiles }.as_ref().ok_or_else(missing)?;
    let length = part.content.file_length().ok_or_else(missing)?;
    answer(part, length, &headers)
}

fn answer(part: &Part<Tileset>, length: u64, headers: &HeaderMap) -> Answer {
    if !matches(headers, &part.etag) {
        // Between two ranges the file was replaced: a client begins again, and never mixes two files.
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "the archive was replaced; begin again"));
    }
    let mut response = Response::new(Body::empty());
    common(response.headers_mut(), part);
    if none_match(headers, &part.etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let range = match headers.get(header::RANGE).filter(|_| range_applies(headers, part)) {
        Some(value) => wanted(value, length),
        None => Wanted::All,
    };
    let range = match range {
        Wanted::All => 0..length,
        Wanted::Nothing => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            response.headers_mut().insert(header::CONTENT_RANGE, text(&format!("bytes */{length}")));
            return Ok(response);
        }
        Wanted::Part(range) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let shown = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            response.headers_mut().insert(header::CONTENT_RANGE, text(&shown));
            range
        }
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.pmtiles"));
    *response.body_mut() = Body::from(part.content.file_part(range).unwrap_or_default());
    Ok(response)
}

fn common(headers: &mut HeaderMap, part: &Part<Tileset>) {
    headers.insert(header::ETAG, part.etag.clone());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(modified) = part.modified {
        headers.insert(header::LAST_MODIFIED, text(&httpdate::fmt_http_date(modified)));
    }
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("visible ASCII")
}

/// Whether `If-Range` lets a range be answered: by the tag, compared strongly, or by the time of the last change. A range is not for
/// a client that has a part of another file.
fn range_applies(headers: &HeaderMap, part: &Part<Tileset>) -> bool {
    let Some(value) = headers.get(header::IF_RANGE) else { return true };
    if value.as_bytes().starts_with(b"\"") {
        return value == part.etag;
    }
    let time = value.to_str().ok().and_then(|value| httpdate::parse_http_date(value).ok());
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    time.zip(part.modified).is_some_and(|(time, modified)| seconds(time) == seconds(modified))
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Nothing,
}

/// The range that is wanted. What is no range, or several of them, is answered with all of the file, as the standard allows.
fn wanted(value: &HeaderValue, length: u64) -> Wanted {
    let parsed = value.to_str().ok().and_then(|value| value.trim().strip_prefix("bytes="));
    let Some((first, last)) = parsed.filter(|list| !list.contains(',')).and_then(|range| range.trim().split_once('-'))
    else {
        return Wanted::All;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More digits than a file has bytes.
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.is_empty() => first..length,
        (None, Some(count)) if first.is_empty() => length.saturating_sub(count)..length,
        _ => return Wanted::All,
    };
    if range.is_empty() { Wanted::Nothing } else { Wanted::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (text, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=10-", Wanted::Part(10..100)),
            ("bytes=-10", Wanted::Part(90..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=50-1000", Wanted::Part(50..100)),
            ("bytes=0-99999999999999999999999", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-4", Wanted::All),
            ("bytes=0-1,5-6", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("lines=1-2", Wanted::All),
        ] {
            assert_eq!(wanted(&HeaderValue::from_static(text), 100), expected, "{text}");
        }
        assert_eq!(wanted(&HeaderValue::from_static("bytes=0-"), 0), Wanted::Nothing);
    }
}
