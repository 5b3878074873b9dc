//! What a folder says about its tiles: `metadata.json` or a TileJSON, and the file that gdal2tiles leaves.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::{METADATA, METADATA_LARGEST};
use crate::archive::mbtiles::rows;
use crate::archive::{ArchiveMetadata, Scheme};
use crate::error::{Error, Result};
use crate::local;

/// Files of metadata; the first one that exists counts.
pub(in crate::archive) const NAMES: [&str; 5] = [METADATA, "tilejson.json", "tiles.json", "tile.json", "tileset.json"];
/// The description that gdal2tiles writes beside TMS tiles.
const TILE_MAP: &str = "tilemapresource.xml";

/// What a folder says.
#[derive(Debug, Default)]
pub(in crate::archive) struct Description {
    pub(in crate::archive) metadata: ArchiveMetadata,
    /// How addresses are written, and which file says so.
    pub(in crate::archive) scheme: Option<(Scheme, &'static str)>,
    pub(in crate::archive) warnings: Vec<String>,
}

/// Reads what stands beside the tiles.
///
/// # Errors
/// Where a file is damaged, or the tiles are no Web Mercator tiles.
pub(in crate::archive) fn describe(folder: &Path) -> Result<Description> {
    let mut out = Description::default();
    let mut found = false;
    for name in NAMES {
        let file = folder.join(name);
        let text = match local::read(&file, METADATA_LARGEST) {
            Ok(text) => text,
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        out = described(&text, name).map_err(|error| error.with_path(&file))?;
        found = true;
        break;
    }
    if !found {
        out.warnings.push(format!("there is no {METADATA}; taken from the tiles where they tell"));
    }
    if let Ok(text) = local::text(&folder.join(TILE_MAP), METADATA_LARGEST) {
        if let Some(profile) = ["geodetic", "raster"].into_iter().find(|p| text.contains(&format!("profile=\"{p}\""))) {
            let problem = format!("{TILE_MAP} says the profile {profile}: these are no Web Mercator tiles");
            return Err(Error::invalid("tiles", problem, "make them again with `gdal2tiles.py --profile mercator`")
                .with_path(folder));
        }
        out.scheme = out.scheme.or(Some((Scheme::Tms, TILE_MAP)));
    }
    Ok(out)
}

/// What a file of metadata says; `name` is that of the file.
fn described(text: &[u8], name: &'static str) -> Result<Description> {
    let rows = rows_of(text)?;
    let mut out = Description { metadata: rows::parse(&rows), ..Description::default() };
    if let Some(said) = rows.get("scheme") {
        match Scheme::from_name(said) {
            Some(scheme) => out.scheme = Some((scheme, name)),
            None => out.warnings.push(format!("{name} says the scheme {said:?}, which is none of xyz, tms and zyx")),
        }
    }
    for (key, taken) in [("bounds", out.metadata.bounds.is_some()), ("center", out.metadata.center.is_some())] {
        if let Some(text) = rows.get(key).filter(|text| !taken && !text.trim().is_empty()) {
            out.warnings.push(format!("{name} says the {key} {text:?}, which is none; taken from the tiles"));
        }
    }
    Ok(out)
}

/// What the metadata of tiles say that lie in no folder.
pub(in crate::archive) fn description_of(text: &[u8]) -> Result<Description> {
    described(text, METADATA)
}

/// The rows of MBTiles out of a JSON object, or of a list of objects with name and value.
fn rows_of(text: &[u8]) -> Result<BTreeMap<String, String>> {
    let remedy = "correct the file, or move it away";
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let value = serde_json::from_slice(text);
    let value: Value = value.map_err(|e| Error::invalid("metadata", format!("is not valid JSON: {e}"), remedy))?;
    let map: Map<String, Value> = match value {
        Value::Object(map) => map,
        Value::Array(list) => {
            let pair = |entry: &Value| Some((entry.get("name")?.as_str()?.to_owned(), entry.get("value")?.clone()));
            let pairs: Option<Map<String, Value>> = list.iter().map(pair).collect();
            pairs.ok_or_else(|| Error::invalid("metadata", "expected a list of objects with name and value", remedy))?
        }
        _ => return Err(Error::invalid("metadata", "expected a JSON object", remedy)),
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Ok(map.into_iter().map(|(key, value)| (key, text(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Center, TileFormat};

    #[test]
    fn objects_lists_arrays_and_texts_say_the_same() {
        let expected = ArchiveMetadata {
            name: "n".into(),
            format: TileFormat::Png,
            bounds: Some([1.0, 2.0, 3.0, 4.5]),
            center: Some(Center { lon: 2.0, lat: 3.0, zoom: 5 }),
            minzoom: Some(0),
            maxzoom: Some(3),
            other: BTreeMap::from([("vector_layers".to_owned(), crate::Json::of(serde_json::json!([{"id": "a"}])))]),
            ..ArchiveMetadata::default()
        };
        for text in [
            r#"{"name": "n", "format": "png", "bounds": "1,2,3,4.5", "center": "2,3,5", "minzoom": "0", "maxzoom": "3",
                "json": "{\"vector_layers\": [{\"id\": \"a\"}]}", "scheme": null}"#,
            r#"{"name": "n", "format": "png", "bounds": [1, 2, 3, 4.5], "center": [2, 3, 5], "minzoom": 0, "maxzoom": 3,
                "json": {"vector_layers": [{"id": "a"}]}}"#,
            "\u{feff}[{\"name\": \"name\", \"value\": \"n\"}, {\"name\": \"format\", \"value\": \"png\"},
                {\"name\": \"bounds\", \"value\": [1, 2, 3, 4.5]}, {\"name\": \"center\", \"value\": \"[2,3,5]\"},
                {\"name\": \"minzoom\", \"value\": 0}, {\"name\": \"maxzoom\", \"value\": 3},
                {\"name\": \"vector_layers\", \"value\": [{\"id\": \"a\"}]}]",
        ] {
            let rows = rows_of(text.as_bytes()).unwrap();
            assert_eq!(rows::parse(&rows), expected, "{text}");
        }
        for text in ["", "3", "[1]", "{"] {
            assert!(rows_of(text.as_bytes()).is_err(), "{text}");
        }
    }
}
