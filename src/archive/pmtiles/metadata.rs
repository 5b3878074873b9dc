//! The metadata JSON and the header fields of PMTiles, as [`ArchiveMetadata`].

use serde_json::{Map, Value};

use super::compression::Compression;
use super::header::{self, Header};
use crate::archive::metadata::sane_bounds;
use crate::archive::{ArchiveMetadata, Center, TileFormat};
use crate::error::{Error, Result};

/// What the header has, and the JSON does not say again.
pub(super) const IN_HEADER: [&str; 5] = ["bounds", "center", "minzoom", "maxzoom", "compression"];

/// Reads the JSON object (an empty text is an empty object) and completes it from the header.
pub(super) fn parse(json: &[u8], header: &Header) -> Result<ArchiveMetadata> {
    let map = object(json)?;
    let said = ArchiveMetadata::from_json(&map);
    let format = match header::tile_format(header.tile_type) {
        TileFormat::Unknown => said.format,
        known => known,
    };
    let has_bounds = header.bounds != [0.0; 4];
    Ok(ArchiveMetadata {
        format,
        tile_compression: Some(header.tile_compression).filter(|&c| c != Compression::Unknown),
        bounds: if has_bounds { sane_bounds(header.bounds) } else { None },
        center: (has_bounds || header.center != [0.0; 2] || header.center_zoom != 0).then_some(Center {
            lon: header.center[0],
            lat: header.center[1],
            zoom: header.center_zoom,
        }),
        minzoom: Some(header.min_zoom),
        maxzoom: Some(header.max_zoom),
        ..said
    })
}

/// The JSON object of the metadata; an empty text is an empty object.
pub(super) fn object(json: &[u8]) -> Result<Map<String, Value>> {
    let damaged = |problem: String| {
        Error::invalid("metadata", problem, "the file is damaged or made by a faulty program: make the archive again")
    };
    if json.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(json) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(damaged("expected a JSON object".to_owned())),
        Err(error) => Err(damaged(format!("is not valid JSON: {error}"))),
    }
}

/// The metadata JSON of an archive: without what the header has, so that the two can't disagree. A server that puts both into one
/// TileJSON would have these keys twice.
pub(super) fn to_json(metadata: &ArchiveMetadata) -> Vec<u8> {
    let mut map = metadata.to_map();
    for key in IN_HEADER {
        map.remove(key);
    }
    if header::tile_type(&metadata.format) != 0 {
        map.remove("format");
    }
    Value::Object(map).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::archive::TileEncoding;

    #[test]
    fn what_the_header_has_is_not_said_again() {
        let mut metadata = ArchiveMetadata {
            name: "n".into(),
            format: TileFormat::Webp,
            encoding: TileEncoding::from_name("terrarium"),
            tile_size: Some(512),
            bounds: Some([1.0, 2.0, 3.0, 4.0]),
            minzoom: Some(0),
            maxzoom: Some(3),
            other: BTreeMap::from([("licence".to_owned(), "CC0".into())]),
            ..ArchiveMetadata::default()
        };
        let text = |metadata: &ArchiveMetadata| String::from_utf8(to_json(metadata)).unwrap();
        assert_eq!(text(&metadata), r#"{"encoding":"terrarium","licence":"CC0","name":"n","tileSize":512}"#);
        // The header has no number for it.
        metadata.format = TileFormat::Other("hybrid".into());
        assert!(text(&metadata).contains(r#""format":"hybrid""#));
        let read = parse(&to_json(&metadata), &Header::default()).unwrap();
        assert_eq!((read.format, read.tile_size, read.name), (metadata.format, Some(512), "n".into()));
    }
}
