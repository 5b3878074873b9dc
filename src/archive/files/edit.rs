//! New metadata of a folder of tiles.

use std::path::Path;

use serde_json::{Map, Value};

use super::describe::describe;
use super::names::number;
use super::reader::FilesReader;
use super::{METADATA, METADATA_LARGEST};
use crate::archive::ArchiveMetadata;
use crate::archive::edit::{Edited, apply, changes};
use crate::archive::mbtiles::rows;
use crate::atomic::write_whole;
use crate::error::{Error, Result};
use crate::local;

/// Replaces `metadata.json` by one with the changes.
pub(in crate::archive) fn edit(
    path: &Path,
    change: &mut dyn FnMut(&mut ArchiveMetadata) -> Result<()>,
) -> Result<Edited> {
    let description = describe(path)?;
    let entries = std::fs::read_dir(path).map_err(Error::io("read", path))?;
    let mut names = entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name()));
    if !names.any(|name| number(&name).is_some_and(|zoom| zoom <= u64::from(crate::tile::MAX_ZOOM))) {
        let problem = "is a folder without a folder of a zoom";
        return Err(Error::other_kind(problem, "give a folder of tiles, such as 12/3626/1617.webp").with_path(path));
    }
    let before = description.metadata;
    let edited = Edited::of(&before, change)?;
    if edited.changes.is_empty() {
        return Ok(edited);
    }
    let as_map = |metadata: &ArchiveMetadata| -> Map<String, Value> {
        rows::to_rows(metadata).into_iter().map(|(key, value)| (key, Value::from(value))).collect()
    };
    let (old, new) = (as_map(&before), as_map(&edited.metadata));
    let file = path.join(METADATA);
    let mut map = match local::read(&file, METADATA_LARGEST).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
        Some(Value::Object(map)) => map,
        _ => old.clone(),
    };
    apply(&mut map, &changes(&old, &new));
    if description.scheme.is_none() && edited.metadata.bounds != before.bounds {
        // Else the new bounds could make a reader take the addresses for others.
        map.insert("scheme".to_owned(), FilesReader::open(path)?.scheme().name().into());
    }
    write_whole(&file, Value::Object(map).to_string().as_bytes(), true)?;
    Ok(edited)
}
