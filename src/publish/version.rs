//! What `version.json` says.

use std::path::Path;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::quality::Finding;

/// The file that says what a version holds.
pub(super) const MANIFEST: &str = "version.json";
/// What it says of itself.
const FORMAT: &str = "hypso version 1";
/// How a version is called: the time at which it was published, UTC.
const NAME: &str = "%Y-%m-%dT%H%M%SZ";
/// No list of a version is longer; bytes.
const MOST: u64 = 1 << 24;

/// A file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name in the version's folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// XXH3 (64 bits) of its bytes, 16 hexadecimal digits.
    pub xxh3: String,
    /// Whether it is the same file as in the version before, stored once.
    pub shared: bool,
}

/// A version of a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    format: String,
    /// Its name, which is the time at which it was published: `2026-11-26T175112Z`.
    pub name: String,
    /// The version of hypso that published it.
    pub hypso: String,
    /// The version that was in use before.
    pub follows: Option<String>,
    /// What the publisher said of it.
    pub note: Option<String>,
    /// Its files but this list, by name.
    pub files: Vec<File>,
    /// What was held against limits when it was published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<Finding>,
}

impl Version {
    pub(super) fn new(name: String, follows: Option<String>, note: Option<String>, files: Vec<File>) -> Self {
        Self {
            format: FORMAT.into(),
            name,
            hypso: env!("CARGO_PKG_VERSION").into(),
            follows,
            note,
            files,
            quality: Vec::new(),
        }
    }

    /// When it was published, seconds since 1970.
    #[must_use]
    pub fn published(&self) -> i64 {
        time_of(&self.name).unwrap_or_default()
    }

    /// The bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }

    /// True for a file that belongs to it.
    pub(super) fn owns(&self, path: &Path) -> bool {
        let name = |own: &str| path == Path::new(own);
        name(MANIFEST) || self.files.iter().any(|file| name(&file.name))
    }

    /// Reads the list of the version in `folder`.
    ///
    /// # Errors
    /// Where it is missing, damaged, or that of another folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let remedy = "restore the file from a copy of the folder, or remove the folder of this version yourself";
        let bytes = crate::local::read(&path, MOST)?;
        let damaged = |problem: String| Error::invalid("version", problem, remedy).with_path(&path);
        let found: Self = serde_json::from_slice(&bytes).map_err(|e| damaged(format!("can't be read: {e}")))?;
        if found.format != FORMAT {
            return Err(damaged(format!("has the format {:?}, expected {FORMAT:?}", found.format)));
        }
        if folder.file_name().is_none_or(|name| name != found.name.as_str()) || time_of(&found.name).is_none() {
            return Err(damaged(format!("is that of {:?}, not of its folder", found.name)));
        }
        if let Some(file) = found.files.iter().find(|f| Path::new(&f.name).file_name() != Some(f.name.as_ref())) {
            return Err(damaged(format!("lists {:?}, which is no name of a file", file.name)));
        }
        Ok(found)
    }
}

/// The name of a version that is published at a time, in seconds since 1970.
pub(super) fn name_of(time: i64) -> String {
    DateTime::<Utc>::from_timestamp(time, 0).unwrap_or_default().format(NAME).to_string()
}

/// The time of a name; `None` where it is no name of a version.
pub(super) fn time_of(name: &str) -> Option<i64> {
    let time = NaiveDateTime::parse_from_str(name, NAME).ok()?.and_utc().timestamp();
    (name_of(time) == name).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_times_and_sort_as_they_do() {
        assert_eq!(name_of(1_795_694_400), "2026-11-26T120000Z");
        assert_eq!(time_of("2026-11-26T120000Z"), Some(1_795_694_400));
        for other in
            ["", "current", "2026-11-26", "2026-13-26T120000Z", "2026-11-26T120000Z-2", "../2026-11-26T120000Z"]
        {
            assert_eq!(time_of(other), None, "{other}");
        }
        assert!(name_of(1_795_694_400) < name_of(1_795_694_401));
    }
}
