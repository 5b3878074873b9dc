//! `/` and `/assets/{name}`: the map to look at.

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;

use crate::serve::answer;
use crate::serve::problem::{Answer, Problem};
use crate::serve::router::Captures;
use crate::serve::viewer::{self, Asset};

pub async fn index(headers: HeaderMap) -> Answer {
    Ok(file(&headers, viewer::index()))
}

pub async fn asset(path: Captures, headers: HeaderMap) -> Answer {
    let missing = || Problem::not_found("the viewer has no such file; load the page again");
    Ok(file(&headers, viewer::asset(path.get("name")).ok_or_else(missing)?))
}

/// A file of the viewer: as it is embedded, or unpacked for clients without gzip.
fn file(headers: &HeaderMap, asset: Asset) -> axum::http::Response<axum::body::Body> {
    let packed = answer::takes_gzip(headers);
    let etag = HeaderValue::from_static(asset.etag);
    answer::content(headers, if packed { answer::other_form(&etag) } else { etag }, |headers| {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(asset.cache_control()));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if packed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if packed { Bytes::from_static(asset.gzip) } else { asset.unpacked().into() }
    })
}
