//! `/openapi.json`: all paths, in OpenAPI 3.1.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::error::Error;
use crate::serve::answer;
use crate::serve::app::App;
use crate::serve::problem::Answer;

/// The document, but for the address and the version.
const DOCUMENT: &str = include_str!("../openapi.json");

pub async fn openapi(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer {
    let mut document: Value = serde_json::from_str(DOCUMENT).map_err(|error| Error::internal(error.to_string()))?;
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["servers"] = json!([{"url": if app.options.public_url.is_empty() { "/".into() } else { app.url("") }}]);
    answer::json(&headers, &document)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A route as the document writes it. Names with an extension are one part of a route.
    fn documented(route: &str) -> String {
        match route {
            "/{file}" => "/{id}.json".into(),
            "/archives/{file}" => "/archives/{id}.pmtiles".into(),
            other => other.into(),
        }
    }

    #[test]
    fn the_document_has_every_path_and_no_other() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let described: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
        // The pages of the map are for people.
        let pages = |route: &str| route == "/" || route.starts_with("/assets/");
        let routes = crate::serve::endpoints::routes().into_iter().map(|(route, _)| route);
        let served: BTreeSet<String> = routes.filter(|route| !pages(route)).map(documented).collect();
        assert_eq!(described, served);
    }

    #[test]
    fn every_reference_and_every_part_of_a_path_is_declared() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut names = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            let parts: BTreeSet<&str> = path.split('{').skip(1).filter_map(|part| part.split('}').next()).collect();
            for (method, operation) in operations.as_object().unwrap() {
                assert!(names.insert(operation["operationId"].as_str().unwrap()), "{path} {method}");
                assert!(operation["summary"].is_string() && operation["responses"]["200"].is_object(), "{path}");
                let declared = operation["parameters"].as_array().into_iter().flatten();
                let declared = declared.map(|parameter| resolved(&document, parameter));
                let in_path = declared.filter(|parameter| parameter["in"] == "path");
                let in_path: BTreeSet<&str> = in_path.map(|parameter| parameter["name"].as_str().unwrap()).collect();
                assert_eq!(in_path, parts, "{path} {method}");
            }
        }
        check(&document, &document);
    }

    fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
        document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} is not declared"))
    }

    fn check(document: &Value, value: &Value) {
        resolved(document, value);
        match value {
            Value::Object(members) => members.values().for_each(|value| check(document, value)),
            Value::Array(items) => items.iter().for_each(|value| check(document, value)),
            _ => {}
        }
    }
}
