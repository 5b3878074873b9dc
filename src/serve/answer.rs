//! Responses: JSON, bytes with an entity tag, conditional requests.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use serde::Serialize;

use super::problem::Answer;
use crate::archive::gzip;
use crate::error::Error;

/// From how many bytes on a text is compressed.
const WORTH: usize = 1000;

/// The level of gzip for what is packed while a client waits.
const FAST: u32 = 1;

/// A strong entity tag of some content.
pub fn etag_of(content: &[u8]) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{:016x}\"", crate::format::checksum::checksum(content)))
        .expect("hexadecimal digits")
}

/// Whether `If-None-Match` holds a tag, compared weakly (RFC 9110, 13.1.2).
pub fn none_match(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    listed(headers, &header::IF_NONE_MATCH, |tag| {
        tag == "*" || tag.trim_start_matches("W/").as_bytes() == etag.as_bytes()
    })
}

/// Whether `If-Match` is absent or holds a tag, compared strongly.
pub fn matches(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    !headers.contains_key(header::IF_MATCH)
        || listed(headers, &header::IF_MATCH, |tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}

fn listed(headers: &HeaderMap, name: &header::HeaderName, fits: impl Fn(&str) -> bool) -> bool {
    let lists = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim).any(fits)
}

/// Whether a client takes gzip (RFC 9110, 12.5.3).
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut any = None;
    for item in lists.flat_map(|list| list.split(',')) {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            return weight > 0.0;
        }
        if coding == "*" {
            any = Some(weight > 0.0);
        }
    }
    any.unwrap_or(false)
}

/// Content with its tag; 304 where the client has it. `headers` are those of the request.
pub fn content(headers: &HeaderMap, etag: HeaderValue, fill: impl FnOnce(&mut HeaderMap) -> Bytes) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let known = none_match(headers, &etag);
    let body = fill(response.headers_mut());
    response.headers_mut().insert(header::ETAG, etag);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_ENCODING);
    } else {
        *response.body_mut() = Body::from(body);
    }
    response
}

/// A JSON document: with a tag, compressed where the client takes that and it is worth it.
///
/// # Errors
/// Where it can't be written as JSON.
pub fn json(headers: &HeaderMap, document: &impl Serialize) -> Answer {
    let document = serde_json::to_vec(document).map_err(|e| Error::internal(e.to_string()))?;
    Ok(text(headers, "application/json", document))
}

/// A text of some type, as [`json`].
pub fn text(headers: &HeaderMap, kind: &'static str, text: Vec<u8>) -> Response<Body> {
    let etag = etag_of(&text);
    let packed = (text.len() >= WORTH && takes_gzip(headers)).then(|| gzip(&text, FAST));
    content(headers, if packed.is_some() { other_form(&etag) } else { etag }, |headers| {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if packed.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        packed.unwrap_or(text).into()
    })
}

/// The tag of the same content in another coding: a strong tag names bytes.
pub fn other_form(etag: &HeaderValue) -> HeaderValue {
    let inner = etag.to_str().unwrap_or_default().trim_matches('"');
    HeaderValue::from_str(&format!("\"{inner}-gzip\"")).unwrap_or_else(|_| etag.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        [(name, HeaderValue::from_str(value).unwrap())].into_iter().collect()
    }

    #[test]
    fn tags_are_compared_as_the_standard_says() {
        let etag = etag_of(b"x");
        let text = etag.to_str().unwrap().to_owned();
        for list in [text.clone(), format!("W/{text}"), format!("\"a\", W/{text} ,\"b\""), "*".into()] {
            assert!(none_match(&headers(header::IF_NONE_MATCH, &list), &etag), "{list}");
        }
        assert!(!none_match(&headers(header::IF_NONE_MATCH, "\"a\""), &etag));
        assert!(!none_match(&HeaderMap::new(), &etag));
        assert!(matches(&HeaderMap::new(), &etag) && matches(&headers(header::IF_MATCH, &text), &etag));
        assert!(!matches(&headers(header::IF_MATCH, &format!("W/{text}")), &etag));
    }

    #[test]
    fn gzip_is_used_where_it_is_taken() {
        for (list, takes) in [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("*, gzip;q=0", false),
            ("br", false),
        ] {
            assert_eq!(takes_gzip(&headers(header::ACCEPT_ENCODING, list)), takes, "{list}");
        }
        let long = vec![b'a'; 5000];
        let plain = text(&HeaderMap::new(), "text/plain", long.clone());
        let packed = text(&headers(header::ACCEPT_ENCODING, "gzip"), "text/plain", long);
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        assert_ne!(plain.headers()[header::ETAG], packed.headers()[header::ETAG]);
    }
}
