//! New metadata of a file of heights: a copy that shares its data where the file system can.

use std::path::Path;

use serde_json::{Map, Value};

use super::HeightsReader;
use crate::archive::edit::{Edited, apply};
use crate::archive::{ArchiveMetadata, TileSource};
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};

/// Copies the file with other metadata, and replaces it.
pub(in crate::archive) fn edit(
    path: &Path,
    change: &mut dyn FnMut(&mut ArchiveMetadata) -> Result<()>,
) -> Result<Edited> {
    let reader = HeightsReader::open(path)?;
    let before = reader.metadata();
    let edited = Edited::of(before, change)?;
    let after = &edited.metadata;
    for (key, same) in
        [("encoding", after.encoding == before.encoding), ("tileSize", after.tile_size == before.tile_size)]
    {
        if !same {
            let problem = "follows from the heights; a copy can have another one (`archive::convert`)";
            return Err(Error::argument(key, problem));
        }
    }
    if edited.changes.is_empty() {
        return Ok(edited);
    }
    let mut map: Map<String, Value> = match serde_json::from_str(reader.heights().metadata()?) {
        Ok(Value::Object(map)) => map,
        _ => before.to_map(),
    };
    apply(&mut map, &edited.changes);
    let mut out = AtomicFile::create(path)?;
    reader.heights().copy_with(path, out.file(), &Value::Object(map).to_string())?;
    drop(reader);
    out.commit()?;
    Ok(edited)
}
