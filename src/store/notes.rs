//! What a catalogue notes in a store's metadata, for errors and for what is done to values.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{RecordRef, Store, names};
use crate::error::{Error, Result};
use crate::format::Kind;

/// The key of the notes under which the lists are named that records came from, by source.
pub(crate) const LISTS: &str = "lists";

impl Store {
    /// The metadata document; an empty one where the store has none.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub(crate) fn notes(&self) -> Result<Value> {
        if self.sections().find(names::METADATA, Kind::Json).is_none() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        let text = self.container().json(names::METADATA)?;
        serde_json::from_str(text).map_err(|e| {
            let part = format!("section {:?}", names::METADATA);
            self.container().named(Error::invalid(part, format!("is not JSON: {e}"), "build the store again"))
        })
    }
}

impl RecordRef<'_> {
    /// The line of the list that the record's numbers were taken from: `line 7 of /dem/bounds.csv`; the list alone where no line names
    /// the record any more. For messages; reads the list up to the line.
    pub(crate) fn listed(&self) -> Option<String> {
        let notes = self.source()?.store().notes().ok()?;
        let list = PathBuf::from(notes.get(LISTS)?.get(&*self.source()?.name().ok()?)?.as_str()?);
        let path = self.path().ok()?;
        // The second part of a raster across the 180th meridian is called after its file, with `./` before it.
        Some(match line_of(&list, path.strip_prefix("./").unwrap_or(&path)) {
            Some(line) => format!("line {line} of {}", list.display()),
            None => list.display().to_string(),
        })
    }
}

/// The line of a list of comma-separated values that names a file.
fn line_of(list: &Path, name: &str) -> Option<u64> {
    if !list.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
        return None;
    }
    let mut lines = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_path(list).ok()?;
    let clean = |text: &str| text.trim_start_matches('\u{feff}').to_string();
    let column = lines.headers().ok()?.iter().position(|h| clean(h).eq_ignore_ascii_case("filename"))?;
    let same = |text: &str| text.strip_prefix("./").unwrap_or(text).replace('\\', "/") == name;
    let found = lines.records().map_while(Result::ok).find(|line| line.get(column).is_some_and(same));
    found?.position().map(csv::Position::line)
}
