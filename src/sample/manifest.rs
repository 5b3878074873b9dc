//! What a sample consists of, so that it can be replaced without loss: `sample.json` lists its rasters with their sizes.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Survey;
use super::write::TEXTS;
use crate::atomic::is_temporary;
use crate::error::{Error, Result};
use crate::local;

const NAME: &str = "sample.json";
/// No text of a sample is longer, bytes.
const LARGEST: u64 = 16 << 20;
const FORMAT: &str = "hypso sample 1";

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: String,
    /// By the path in the folder: bytes.
    files: BTreeMap<String, u64>,
}

/// Writes the list.
pub(super) fn write(folder: &Path, files: BTreeMap<String, u64>) -> Result<()> {
    let path = folder.join(NAME);
    let manifest = Manifest { format: FORMAT.into(), files };
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| Error::internal(format!("sample: {e}")))?;
    std::fs::write(&path, text).map_err(Error::io("write", &path))
}

/// True for the names that samples are made of; what is being made in them too.
pub(super) fn owns(path: &Path, is_folder: bool) -> bool {
    let parts: Vec<_> = path.iter().collect();
    let survey = |name: &std::ffi::OsStr| Survey::ALL.iter().any(|s| name == s.name());
    match (parts.as_slice(), is_folder) {
        ([name], true) => survey(name),
        ([name], false) => *name == NAME || TEXTS.iter().any(|(text, _)| name == text),
        ([folder, name], true) => survey(folder) && is_temporary(name),
        ([folder, name], false) => survey(folder) && Path::new(name).extension().is_some_and(|e| e == "tif"),
        ([folder, name, _], false) => survey(folder) && is_temporary(name),
        _ => false,
    }
}

/// Refuses a folder that is anything but a whole sample as it was written.
///
/// # Errors
/// Where it is; what differs first is named.
pub(super) fn check(folder: &Path) -> Result<()> {
    let refused = |what: String| {
        Error::argument(
            folder.display().to_string(),
            format!("was not made by `sample::write`, or was changed since: {what}; choose another folder"),
        )
    };
    let manifest =
        local::read(&folder.join(NAME), LARGEST).ok().and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
    let Some(manifest) = manifest.filter(|m| m.format == FORMAT) else {
        return Err(refused(format!("it has no {NAME} that lists its files")));
    };
    for (name, text) in TEXTS {
        if local::read(&folder.join(name), LARGEST).ok().as_deref() != Some(text.as_bytes()) {
            return Err(refused(format!("{name} is not as it was")));
        }
    }
    for (path, facts) in list(folder, Path::new(""))? {
        let name = path.to_string_lossy().replace('\\', "/");
        let text = name == NAME || TEXTS.iter().any(|(text, _)| name == *text);
        let ours = if facts.is_dir() {
            Survey::ALL.iter().any(|s| name == s.name())
        } else {
            facts.is_file() && (text || manifest.files.get(&name) == Some(&facts.len()))
        };
        if !ours {
            return Err(refused(format!("it holds {name}")));
        }
    }
    Ok(())
}

/// All that is in a folder, links as they are.
fn list(root: &Path, at: &Path) -> Result<Vec<(PathBuf, Metadata)>> {
    let folder = root.join(at);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
        let entry = entry.map_err(Error::io("list", &folder))?;
        let facts = entry.metadata().map_err(Error::io("look at", entry.path()))?;
        let path = at.join(entry.file_name());
        if facts.is_dir() {
            found.extend(list(root, &path)?);
        }
        found.push((path, facts));
    }
    Ok(found)
}
