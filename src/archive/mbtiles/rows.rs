//! The rows of the `metadata` table, as [`ArchiveMetadata`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::archive::metadata::OWN_KEYS;
use crate::archive::pmtiles::Compression;
use crate::archive::{ArchiveMetadata, Center, TileEncoding};
use crate::json::Json;
use crate::tile::MAX_ZOOM;

/// Reads the rows. Values that make no sense are taken as absent; `verify` reports them.
pub(in crate::archive) fn parse(rows: &BTreeMap<String, String>) -> ArchiveMetadata {
    let mut other = BTreeMap::new();
    // The `json` row holds what a vector archive says about its layers; its keys stand beside the others here.
    if let Some(Ok(Value::Object(map))) = rows.get("json").map(|text| serde_json::from_str(text)) {
        other.extend(map.into_iter().map(|(key, value)| (key, Json::of(value))));
    }
    for (key, value) in rows.iter().filter(|(key, _)| !OWN_KEYS.contains(&key.as_str())) {
        other.insert(key.clone(), Json::of(from_row(value)));
    }
    other.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
    let own = rows.iter().filter(|(key, _)| OWN_KEYS.contains(&key.as_str()));
    let mut own: Map<String, Value> = own.map(|(key, value)| (key.clone(), value.trim().into())).collect();
    if own.contains_key("tileSize") {
        own.remove("tile_size");
    }
    let said = ArchiveMetadata::from_json(&own);
    let zoom = |said: Option<u8>| said.filter(|&zoom| zoom <= MAX_ZOOM);
    ArchiveMetadata { minzoom: zoom(said.minzoom), maxzoom: zoom(said.maxzoom), other, ..said }
}

/// The rows of an archive, in the order of their names.
pub(in crate::archive) fn to_rows(metadata: &ArchiveMetadata) -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    let mut layers = Map::new();
    for (key, value) in &metadata.other {
        // The specification wants the layers of vector tiles in the `json` row.
        if key == "vector_layers" || key == "tilestats" {
            layers.insert(key.clone(), value.value().clone());
        } else {
            rows.insert(key.clone(), to_row(value.value()));
        }
    }
    if !layers.is_empty() {
        rows.insert("json".to_owned(), Value::Object(layers).to_string());
    }
    let mut set = |key: &str, value: String| drop((!value.is_empty()).then(|| rows.insert(key.to_owned(), value)));
    set("description", metadata.description.clone());
    set("attribution", metadata.attribution.clone());
    set("version", metadata.version.clone());
    set("type", metadata.layer_type.clone());
    if let Some(packed @ (Compression::Gzip | Compression::Brotli | Compression::Zstd)) = metadata.tile_compression {
        set("compression", packed.name().to_owned());
    }
    set("encoding", metadata.encoding.as_ref().map_or("", TileEncoding::name).to_owned());
    set("tileSize", metadata.tile_size.map(|v| v.to_string()).unwrap_or_default());
    set("minzoom", metadata.minzoom.map(|v| v.to_string()).unwrap_or_default());
    set("maxzoom", metadata.maxzoom.map(|v| v.to_string()).unwrap_or_default());
    if let Some([west, south, east, north]) = metadata.bounds {
        set("bounds", format!("{west},{south},{east},{north}"));
    }
    if let Some(Center { lon, lat, zoom }) = metadata.center {
        set("center", format!("{lon},{lat},{zoom}"));
    }
    // The two rows that the specification demands, even where they were not given.
    rows.insert("name".to_owned(), metadata.name.clone());
    rows.insert("format".to_owned(), metadata.format.name().to_owned());
    rows
}

/// Lists and objects are stored as JSON, texts as they are.
fn to_row(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn from_row(text: &str) -> Value {
    match text.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        _ => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::archive::TileFormat;
    use crate::terrain::Encoding;

    #[test]
    fn rows_round_trip() {
        let metadata = ArchiveMetadata {
            name: "Japan".into(),
            attribution: "<a href=\"x\">GSI</a>".into(),
            layer_type: "baselayer".into(),
            format: TileFormat::Webp,
            encoding: Some(TileEncoding::Elevation(Encoding::Terrarium)),
            tile_size: Some(512),
            bounds: Some([122.5, 20.25, 154.0, 46.0]),
            center: Some(Center { lon: 138.5, lat: 35.0, zoom: 5 }),
            minzoom: Some(0),
            maxzoom: Some(16),
            other: BTreeMap::from([
                ("legend".to_owned(), Json::of(json!({"dem1a": "#006400"}))),
                ("note".to_owned(), "[not json".into()),
                ("sources".to_owned(), Json::of(json!(["dem1a", "dem5a"]))),
                ("vector_layers".to_owned(), Json::of(json!([{"id": "a"}]))),
            ]),
            ..ArchiveMetadata::default()
        };
        let rows = to_rows(&metadata);
        assert_eq!(rows["bounds"], "122.5,20.25,154,46");
        assert_eq!(rows["center"], "138.5,35,5");
        assert_eq!(rows["json"], r#"{"vector_layers":[{"id":"a"}]}"#);
        assert_eq!(parse(&rows), metadata);
    }

    #[test]
    fn nonsense_is_taken_as_absent() {
        let rows = [("bounds", "1,2,3"), ("center", "a,b,c"), ("minzoom", "-1"), ("maxzoom", "99"), ("json", "[1")];
        let rows = rows.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(parse(&rows), ArchiveMetadata::default());
    }
}
