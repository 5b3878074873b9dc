//! SpatioTemporal Asset Catalogs: the rasters that an item or a collection of items names.
//!
//! Of each item the assets with the role `data` are taken, else those whose media type or name is that of a raster; among these not
//! thumbnails, overviews and metadata. They are opened as the rasters of a folder are.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::EXTENSIONS;
use super::spec::extension;
use crate::error::{Error, Result};
use crate::{local, raster, url};

/// A longer document is no list of rasters, bytes.
const LARGEST: u64 = 1 << 30;

/// Roles of assets that are no heights.
const OTHERS: [&str; 5] = ["thumbnail", "overview", "metadata", "visual", "mask"];

/// The rasters of a document, as URLs or as paths below its folder, sorted, each once.
///
/// # Errors
/// Where it can't be read, is no item and no collection of items, or an item names no raster.
pub(super) fn read(path: &Path) -> Result<Vec<String>> {
    let bytes = if url::is_one(path) {
        raster::objects().and_then(|objects| objects.read(path, LARGEST)).map_err(Error::io("read", path))?
    } else {
        local::read(path, LARGEST)?
    };
    let wrong = |part: String, problem: String, remedy| Err(Error::invalid(part, problem, remedy).with_path(path));
    let document: Value = match serde_json::from_slice(&bytes) {
        Ok(document) => document,
        Err(error) => return wrong("STAC".into(), format!("is not JSON: {error}"), "give an item as JSON"),
    };
    let items: Vec<&Value> = match (document["type"].as_str(), document["features"].as_array()) {
        (Some("Feature"), _) => vec![&document],
        (Some("FeatureCollection"), Some(items)) => items.iter().collect(),
        _ => {
            let remedy = "give an item (a Feature) or a collection of items, such as the answer of a search";
            return wrong("STAC".into(), "is no item and no collection of items".into(), remedy);
        }
    };
    let mut out = Vec::new();
    for (number, item) in items.into_iter().enumerate() {
        let name = item["id"].as_str().map_or_else(|| (number + 1).to_string(), str::to_string);
        let chosen = chosen(item);
        if chosen.is_empty() {
            let remedy = "take it out, or give it an asset with the role data";
            return wrong(format!("item {name}"), "has no asset that is a raster".into(), remedy);
        }
        // Relative names start at the item, which says where it lies; else at the document.
        let own = item["links"].as_array().into_iter().flatten().find(|link| link["rel"] == "self");
        let own = own.and_then(|link| url::of(link["href"].as_str()?)).map(PathBuf::from);
        for href in chosen {
            match located(href, own.as_deref(), path) {
                Some(place) => out.push(place),
                None => {
                    let remedy = "put the document above the rasters, or give URLs";
                    return wrong(format!("item {name}"), format!("names {href:?}, outside of its folder"), remedy);
                }
            }
        }
    }
    out.sort_unstable();
    out.dedup();
    Ok(out)
}

/// The names of an item's rasters of heights.
fn chosen(item: &Value) -> Vec<&str> {
    let assets: Vec<(&str, &Value)> = item["assets"]
        .as_object()
        .into_iter()
        .flat_map(|assets| assets.values())
        .filter_map(|asset| Some((asset["href"].as_str()?, asset)))
        .filter(|(href, asset)| is_raster(href, asset["type"].as_str().unwrap_or_default()))
        .filter(|(_, asset)| !OTHERS.iter().any(|role| has(asset, role)))
        .collect();
    let data = assets.iter().any(|(_, asset)| has(asset, "data"));
    assets.into_iter().filter(|(_, asset)| !data || has(asset, "data")).map(|(href, _)| href).collect()
}

fn has(asset: &Value, role: &str) -> bool {
    asset["roles"].as_array().is_some_and(|roles| roles.iter().any(|r| r == role))
}

fn is_raster(href: &str, media: &str) -> bool {
    let page = href.split(['?', '#']).next().unwrap_or(href);
    media.starts_with("image/tiff") || media == "image/jp2" || EXTENSIONS.contains(&extension(Path::new(page)).as_str())
}

/// A URL, or a path below the folder of the document; `None` for a file elsewhere.
fn located(href: &str, item: Option<&Path>, document: &Path) -> Option<String> {
    if let Some(url) = url::of(href) {
        return Some(url);
    }
    let base = item.unwrap_or(document);
    if href.starts_with('/') || href.contains("://") {
        return None;
    }
    let mut folder: Vec<&str> = Vec::new();
    let base = base.parent()?;
    let start = if url::is_one(base) { base.to_str()? } else { "" };
    // The first three parts of a URL are no folders.
    folder.extend(start.split('/').filter(|_| !start.is_empty()));
    let least = if start.is_empty() { 0 } else { 3 };
    for part in href.split('/') {
        match part {
            "" | "." => {}
            ".." if folder.len() > least => drop(folder.pop()),
            ".." => return None,
            other => folder.push(other),
        }
    }
    Some(folder.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("item.json");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn the_rasters_of_items_are_found() {
        let item = r#"{"type": "Feature", "id": "a", "links": [], "assets": {
            "dem": {"href": "./x/../a.tif", "roles": ["data"]}, "more": {"href": "b.tif"},
            "preview": {"href": "p.tif", "roles": ["overview"]}, "meta": {"href": "m.xml", "roles": ["data"]}}}"#;
        assert_eq!(read_text(item).unwrap(), ["a.tif"]);
        let items = r#"{"type": "FeatureCollection", "features": [
            {"id": "b", "links": [{"rel": "self", "href": "https://h/c/items/b.json"}], "assets": {"d": {"href": "../b.TIF"}}},
            {"id": "c", "assets": {"d": {"href": "/vsis3/b/k", "type": "image/tiff; application=geotiff"}}}]}"#;
        assert_eq!(read_text(items).unwrap(), ["https://h/c/b.TIF", "s3://b/k"]);
    }

    #[test]
    fn what_names_no_raster_is_refused() {
        for (text, problem) in [
            ("{", "is not JSON"),
            (r#"{"type": "Collection"}"#, "no collection of items"),
            (r#"{"type": "Feature", "id": "x", "assets": {"a": {"href": "a.png"}}}"#, "item x: has no asset"),
            (r#"{"type": "Feature", "id": "x", "assets": {"a": {"href": "../a.tif"}}}"#, "outside of its folder"),
        ] {
            let error = read_text(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
