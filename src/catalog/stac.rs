//! SpatioTemporal Asset Catalogs: the rasters that an item, a collection of items, a collection or a catalog names.
//!
//! Of each item the assets with the role `data` are taken, else those whose media type or name is that of a raster; among these not
//! thumbnails, overviews and metadata. They are opened as the rasters of a folder are. Of collections and catalogs the links to items and to
//! further documents are followed; to a network only where that is allowed.

use std::collections::{HashSet, VecDeque};
use std::path::Path;

use serde_json::Value;

use super::files::EXTENSIONS;
use super::spec::extension;
use crate::error::{Error, Result};
use crate::{local, raster, url};

/// A longer document is no list of rasters, bytes.
const LARGEST: u64 = 1 << 30;

/// Documents that one catalog may lead to.
const MOST: usize = 1 << 20;

/// Roles of assets that are no heights.
const OTHERS: [&str; 5] = ["thumbnail", "overview", "metadata", "visual", "mask"];

/// The rasters of a document and of all that it links to, as URLs or as paths below its folder, sorted, each once. Each document is read once.
///
/// # Errors
/// Where one can't be read, is no part of a catalog, or lies outside of the folder of the first one; where an item names no raster.
pub(super) fn read(path: &Path) -> Result<Vec<String>> {
    let root = path.parent().unwrap_or(Path::new(""));
    let first = match path.to_str() {
        Some(url) if url::is_one(path) => url.to_string(),
        _ => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let mut seen = HashSet::from([first.clone()]);
    let mut waiting = VecDeque::from([first.clone()]);
    let mut out = Vec::new();
    while let Some(name) = waiting.pop_front() {
        let document = if name == first { path.to_path_buf() } else { url::join(root, &name) };
        for link in one(&document, &name, &mut out)? {
            if seen.len() >= MOST {
                let remedy = "give its collections one by one";
                let problem = format!("leads to more than {MOST} documents");
                return Err(Error::invalid("STAC", problem, remedy).with_path(path));
            }
            if seen.insert(link.clone()) {
                waiting.push_back(link);
            }
        }
    }
    if out.is_empty() {
        let remedy = "give a catalog that links to items";
        return Err(Error::invalid("STAC", "leads to no item", remedy).with_path(path));
    }
    out.sort_unstable();
    out.dedup();
    Ok(out)
}

/// Adds the rasters of one document, which is called `name` below the folder of the first one; gives the documents that it links to.
fn one(path: &Path, name: &str, out: &mut Vec<String>) -> Result<Vec<String>> {
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
    let (items, follow): (Vec<&Value>, &[&str]) = match (document["type"].as_str(), document["features"].as_array()) {
        (Some("Feature"), _) => (vec![&document], &[]),
        (Some("FeatureCollection"), Some(items)) => (items.iter().collect(), &["next"]),
        (Some("Collection" | "Catalog"), _) => (Vec::new(), &["item", "child", "items"]),
        _ => {
            let remedy = "give an item (a Feature), a collection of items, such as the answer of a search, a collection or a catalog";
            return wrong("STAC".into(), "is no item, no collection and no catalog".into(), remedy);
        }
    };
    for (number, item) in items.into_iter().enumerate() {
        let item = Item::of(item, number as u64).map_err(|e| e.with_path(path))?;
        for href in &item.rasters {
            out.push(item.located(href, name).map_err(|e| e.with_path(path))?);
        }
    }
    let mut found = Vec::new();
    for href in links(&document, follow) {
        match located(href, name) {
            Some(place) => found.push(place),
            None => {
                let remedy = "give the document that lies above all others, or URLs";
                return wrong("link".into(), format!("leads to {href:?}, outside of the folder"), remedy);
            }
        }
    }
    Ok(found)
}

/// An item, as far as it matters here.
pub(super) struct Item<'a> {
    /// What messages call it.
    name: String,
    /// How its assets name its rasters; one at least.
    pub(super) rasters: Vec<&'a str>,
    /// The URL that it says it lies at.
    pub(super) own: Option<String>,
}

impl<'a> Item<'a> {
    /// Reads an item; `number` is its place in its document, from 0 on.
    ///
    /// # Errors
    /// Where it names no raster.
    pub(super) fn of(item: &'a Value, number: u64) -> Result<Self> {
        let id = item["id"].as_str().map_or_else(|| (number + 1).to_string(), str::to_string);
        let (name, rasters) = (format!("item {id}"), chosen(item));
        if rasters.is_empty() {
            let remedy = "take it out, or give it an asset with the role data";
            return Err(Error::invalid(name, "has no asset that is a raster", remedy));
        }
        Ok(Self { name, rasters, own: links(item, &["self"]).find_map(url::of) })
    }

    /// Where a raster lies: a URL, or a path below the folder of the first document. Relative names start at the item, where it says where it
    /// lies; else at its document.
    ///
    /// # Errors
    /// Where it lies elsewhere.
    pub(super) fn located(&self, href: &str, document: &str) -> Result<String> {
        located(href, self.own.as_deref().unwrap_or(document)).ok_or_else(|| {
            let remedy = "put the document above the rasters, or give URLs";
            Error::invalid(self.name.clone(), format!("names {href:?}, outside of its folder"), remedy)
        })
    }
}

/// Where the links of some relations lead. Those that ask a service for something by another method than GET are left out.
fn links<'a>(document: &'a Value, relations: &[&str]) -> impl Iterator<Item = &'a str> {
    let all = document["links"].as_array().into_iter().flatten();
    let plain = |link: &&Value| link["method"].as_str().is_none_or(|method| method.eq_ignore_ascii_case("GET"));
    all.filter(move |link| relations.iter().any(|relation| link["rel"] == *relation))
        .filter(plain)
        .filter_map(|link| link["href"].as_str())
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

/// A URL, or a path below the folder of the first document, seen from the document `base`; `None` for a file elsewhere.
fn located(href: &str, base: &str) -> Option<String> {
    if let Some(url) = url::of(href) {
        return Some(url);
    }
    if href.starts_with('/') || href.contains("://") {
        return None;
    }
    let mut folder: Vec<&str> = base.split('/').collect();
    folder.pop();
    // The first three parts of a URL are no folders.
    let least = if url::is_one(Path::new(base)) { 3 } else { 0 };
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
    fn catalogs_and_collections_are_followed_to_their_items() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let item = |asset: &str| {
            format!(r#"{{"type": "Feature", "id": "i", "assets": {{"d": {{"href": "{asset}", "roles": ["data"]}}}}}}"#)
        };
        let top = folder.path().join("catalog.json");
        write(
            "catalog.json",
            r#"{"type": "Catalog", "links": [{"rel": "self", "href": "/x"}, {"rel": "child", "href": "./fine/collection.json"},
                {"rel": "item", "href": "lone.json"}, {"rel": "parent", "href": "../up.json"}]}"#,
        );
        write("lone.json", &item("./a/lone.tif"));
        // Its parent is a child as well: documents are read once.
        write(
            "fine/collection.json",
            r#"{"type": "Collection", "links": [{"rel": "child", "href": "../catalog.json"}, {"rel": "item", "href": "x/1.json"},
                {"rel": "items", "href": "page.json"}]}"#,
        );
        write("fine/x/1.json", &item("../1.tif"));
        write(
            "fine/page.json",
            &format!(
                r#"{{"type": "FeatureCollection", "features": [{}],
                    "links": [{{"rel": "next", "href": "page2.json"}}, {{"rel": "next", "href": "none", "method": "POST"}}]}}"#,
                item("2.tif")
            ),
        );
        write("fine/page2.json", &format!(r#"{{"type": "FeatureCollection", "features": [{}]}}"#, item("3.tif")));
        assert_eq!(read(&top).unwrap(), ["a/lone.tif", "fine/1.tif", "fine/2.tif", "fine/3.tif"]);
        // What can't be followed is named with its document.
        for (href, problem) in [
            ("../out.json", "fine/collection.json: link: leads to \"../../out.json\""),
            ("gone.json", "fine/../gone.json"),
            ("https://example.invalid/item.json", "example.invalid"),
        ] {
            let href = if href.starts_with("http") { href.to_string() } else { format!("../{href}") };
            write(
                "fine/collection.json",
                &format!(r#"{{"type": "Collection", "links": [{{"rel": "item", "href": "{href}"}}]}}"#),
            );
            let error = read(&top).unwrap_err().to_string();
            assert!(error.contains(&problem.replace("fine/../", "")), "{error}");
        }
        write("fine/collection.json", r#"{"type": "Collection"}"#);
        assert!(
            read(&folder.path().join("fine/collection.json")).unwrap_err().to_string().contains("leads to no item")
        );
    }

    #[test]
    fn what_names_no_raster_is_refused() {
        for (text, problem) in [
            ("{", "is not JSON"),
            (r#"{"type": "Topology"}"#, "no collection and no catalog"),
            (r#"{"type": "Feature", "id": "x", "assets": {"a": {"href": "a.png"}}}"#, "item x: has no asset"),
            (r#"{"type": "Feature", "id": "x", "assets": {"a": {"href": "../a.tif"}}}"#, "outside of its folder"),
        ] {
            let error = read_text(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
