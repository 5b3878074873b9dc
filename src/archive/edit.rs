//! Metadata of an archive that exists, changed without touching its tiles.
//!
//! What an edit costs does not depend on the number of tiles, with two exceptions: a file of heights is copied (its sections stand in
//! order, so that the new metadata have no place in the old file), and a folder whose scheme is not said is looked through where its bounds
//! change.
//!
//! A process that is killed leaves the old archive or the new one:
//!
//! - MBTiles change in one transaction of SQLite. Its journal undoes half of one.
//! - PMTiles get the new metadata where no section lies. Then the header is exchanged, by one write of 127 bytes.
//! - Of a folder, `metadata.json` is replaced by a rename; a file of heights as a whole is.

use std::path::Path;

use serde_json::{Map, Value};

use super::coverage::Coverage;
use super::named::Template;
use super::{ArchiveKind, ArchiveMetadata, Center, TileSource, files, heights, mbtiles, pmtiles};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::progress::Progress;
use crate::tile::MAX_ZOOM;

/// What [`edit`] did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edited {
    /// The metadata of the archive now.
    pub metadata: ArchiveMetadata,
    /// What changed: key, old value, new value; null where there is none.
    pub changes: Vec<(String, Json, Json)>,
}

/// Changes the metadata of an archive where it is. `change` gets what the archive says, and alters it. Where nothing is altered, nothing is
/// written.
///
/// A centre that the new bounds leave out is taken from these, unless it was changed too.
///
/// # Errors
/// Where the file can't be read or written, or is being written by another program; where `change` fails; where it alters what the tiles
/// decide (format, compression; of a file of heights encoding and tile size), or gives a centre outside of bounds or zooms, or bounds that
/// would turn the rows of MBTiles.
pub fn edit(path: &Path, change: &mut dyn FnMut(&mut ArchiveMetadata) -> Result<()>) -> Result<Edited> {
    let mut checked = |metadata: &mut ArchiveMetadata| {
        let before = metadata.clone();
        change(metadata)?;
        settle(&before, metadata)
    };
    match ArchiveKind::detect(path)? {
        ArchiveKind::Mbtiles => mbtiles::edit(path, &mut checked),
        ArchiveKind::Pmtiles => pmtiles::edit(path, &mut checked),
        ArchiveKind::Files if Template::is_one(path) && !path.exists() => {
            let problem =
                "is a pattern: edit metadata.json in its folder, or write a copy (`archive::convert` with `set`)";
            Err(Error::argument(path.display().to_string(), problem))
        }
        ArchiveKind::Zip => {
            let problem =
                "is a zip, whose entries can't be changed in place: write a copy (`archive::convert` with `set`)";
            Err(Error::argument(path.display().to_string(), problem))
        }
        ArchiveKind::Files => files::edit(path, &mut checked),
        ArchiveKind::Heights => heights::edit(path, &mut checked),
    }
}

/// Takes zooms and bounds from the tiles, and the centre where it lies outside of them.
///
/// Costs a walk over all directories or addresses.
///
/// # Errors
/// Where the archive can't be read, is damaged, holds no tile, or the user interrupts.
pub fn recount(source: &dyn TileSource, metadata: &mut ArchiveMetadata, progress: &dyn Progress) -> Result<()> {
    progress.begin("counting tiles", Some(source.tile_count()?), "tiles");
    let mut coverage = Coverage::new();
    for (n, tile) in source.tiles()?.enumerate() {
        coverage.push(tile?.id, 1);
        if n % ASKED == 0 {
            progress.advance(ASKED as u64);
            if progress.interrupted() {
                return Err(Error::Interrupted);
            }
        }
    }
    progress.end();
    coverage.finish();
    let (Some((min, max)), Some(bounds)) = (coverage.zooms(), coverage.lon_lat()) else {
        let remedy = "make the archive again";
        return Err(Error::invalid("archive", "holds no tile", remedy).with_path(source.path()));
    };
    (metadata.minzoom, metadata.maxzoom, metadata.bounds) = (Some(min), Some(max), Some(bounds));
    if metadata.center.is_none_or(|center| !inside(&center, bounds) || !(min..=max).contains(&center.zoom)) {
        metadata.center = Some(Center::of(bounds, min, max));
    }
    Ok(())
}

/// Tiles that are counted between two checks for an interruption.
const ASKED: usize = 1 << 14;

impl ArchiveMetadata {
    /// Replaces all that an archive says about itself by the keys of a JSON object, as [`to_json`](Self::to_json) writes it or as TileJSON
    /// has them. What the tiles tell (format, compression, zooms) stays where the object does not say it.
    ///
    /// # Errors
    /// Where it is no object, or a value is of the wrong kind.
    pub fn replace(&mut self, json: &Json) -> Result<()> {
        let Some(map) = json.value().as_object() else {
            return Err(Error::argument("metadata", "are no JSON object, such as {\"name\": \"Japan\"}"));
        };
        let mut out = Self {
            format: self.format.clone(),
            tile_compression: self.tile_compression,
            minzoom: self.minzoom,
            maxzoom: self.maxzoom,
            ..Self::default()
        };
        for (key, value) in map {
            match (key.as_str(), value) {
                // How tiles are served is for the server to say.
                ("tilejson" | "tiles" | "scheme", _) | (_, Value::Null) => {}
                ("minzoom", value) => out.minzoom = Some(zoom(key, value)?),
                ("maxzoom", value) => out.maxzoom = Some(zoom(key, value)?),
                (key, Value::String(text)) => out.set(key, text)?,
                (key, value) if super::metadata::OWN_KEYS.contains(&key) => out.set(key, &value.to_string())?,
                (key, value) => drop(out.other.insert(key.to_owned(), Json::of(value.clone()))),
            }
        }
        *self = out;
        Ok(())
    }
}

fn zoom(key: &str, value: &Value) -> Result<u8> {
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    number
        .and_then(|zoom| u8::try_from(zoom).ok())
        .filter(|&zoom| zoom <= MAX_ZOOM)
        .ok_or_else(|| Error::argument(key, format!("expected a zoom from 0 to {MAX_ZOOM}, found {value}")))
}

fn inside(center: &Center, [west, south, east, north]: [f64; 4]) -> bool {
    (west..=east).contains(&center.lon) && (south..=north).contains(&center.lat)
}

/// Refuses what can't be, and moves a centre that new bounds leave out.
fn settle(before: &ArchiveMetadata, after: &mut ArchiveMetadata) -> Result<()> {
    let tiles = "follows from the tiles; a copy puts it right (`archive::convert`)";
    if after.format != before.format {
        return Err(Error::argument("format", tiles));
    }
    if after.tile_compression != before.tile_compression {
        return Err(Error::argument("compression", tiles));
    }
    let (min, max) = (after.minzoom.unwrap_or(0), after.maxzoom.unwrap_or(MAX_ZOOM));
    if min > max {
        return Err(Error::argument("min_zoom", format!("{min} is above `max_zoom = {max}`; swap them")));
    }
    let Some(center) = after.center else { return Ok(()) };
    let place = format!("{},{},{}", center.lon, center.lat, center.zoom);
    let outside = after.bounds.filter(|&bounds| !inside(&center, bounds));
    if after.center == before.center {
        if let Some(bounds) = outside.filter(|_| after.bounds != before.bounds) {
            after.center = Some(Center::of(bounds, min, max));
        }
    } else if let Some(bounds) = outside {
        let bounds = super::seen::degrees(bounds);
        return Err(Error::argument("center", format!("{place} lies outside of the bounds {bounds}")));
    } else if !(min..=max).contains(&center.zoom) {
        return Err(Error::argument("center", format!("{place} has a zoom outside of {min} to {max}")));
    }
    Ok(())
}

/// The keys in which two descriptions differ, with their values, in the order of their names.
pub(super) fn changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<(String, Json, Json)> {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let of = |map: &Map<String, Value>, key: &str| Json::of(map.get(key).cloned().unwrap_or(Value::Null));
    let both = keys.into_iter().map(|key| (key.clone(), of(before, key), of(after, key)));
    both.filter(|(_, old, new)| old != new).collect()
}

/// Puts changes into an object, and leaves its other keys as they are.
pub(super) fn apply(map: &mut Map<String, Value>, changes: &[(String, Json, Json)]) {
    for (key, _, new) in changes {
        match new.value() {
            Value::Null => drop(map.remove(key)),
            value => drop(map.insert(key.clone(), value.clone())),
        }
    }
}

impl Edited {
    /// What `change` makes of metadata.
    pub(super) fn of(
        before: &ArchiveMetadata,
        change: &mut dyn FnMut(&mut ArchiveMetadata) -> Result<()>,
    ) -> Result<Self> {
        let mut metadata = before.clone();
        change(&mut metadata)?;
        let changes = changes(&before.to_map(), &metadata.to_map());
        Ok(Self { metadata, changes })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_replaces_all_but_what_the_tiles_tell() {
        let mut metadata = ArchiveMetadata {
            name: "old".into(),
            attribution: "who".into(),
            format: super::super::TileFormat::Webp,
            minzoom: Some(2),
            maxzoom: Some(5),
            ..ArchiveMetadata::default()
        };
        let json = json!({
            "tilejson": "3.0.0", "tiles": ["x"], "name": "new", "bounds": [1, 2, 3, 4], "maxzoom": "6", "tileSize": 512,
            "legend": {"a": 1}, "licence": "CC0",
        });
        metadata.replace(&Json::of(json)).unwrap();
        let expected = json!({
            "name": "new", "bounds": [1.0, 2.0, 3.0, 4.0], "minzoom": 2, "maxzoom": 6, "format": "webp", "tileSize": 512,
            "legend": {"a": 1}, "licence": "CC0",
        });
        assert_eq!(metadata.to_json(), Json::of(expected));
        // What was written comes back.
        let again = metadata.to_json();
        metadata.replace(&again).unwrap();
        assert_eq!(metadata.to_json(), again);
        for wrong in [json!([1]), json!({"bounds": "1,2"}), json!({"minzoom": 99}), json!({"center": [1, 2]})] {
            let before = metadata.clone();
            assert!(metadata.replace(&Json::of(wrong.clone())).is_err(), "{wrong}");
            assert_eq!(metadata, before, "{wrong}");
        }
    }
}
