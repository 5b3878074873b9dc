//! The records of an export, one after the other, with bounded memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::columns::{Row, SourceTexts};
use crate::column::RaggedLayout;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::query::Order;
use crate::store::{RecordRef, RowId, Store, attribution_of};
use crate::tile::LonLatBox;
use crate::url;

/// The chosen records of a store, in row order: along the Hilbert curve.
pub(super) struct Rows<'a> {
    store: &'a Store,
    sources: Vec<SourceTexts>,
    /// By source: whether its records are wanted.
    wanted: Vec<bool>,
    /// The rows that share area with the wanted box, ascending; `None` for all.
    inside: Option<Vec<RowId>>,
    /// The folder that locations are written relative to.
    folder: Option<PathBuf>,
    pub(super) progress: &'a dyn Progress,
}

impl<'a> Rows<'a> {
    /// Chooses records by the names of their sources (none: all) and by boxes (none: all).
    ///
    /// # Errors
    /// Where a source has no such name, or the store is damaged.
    pub(super) fn choose(
        store: &'a Store,
        names: &[String],
        boxes: &[LonLatBox],
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let sources = store.sources().iter().map(|s| SourceTexts::of(&s)).collect::<Result<Vec<_>>>()?;
        for name in names {
            if !sources.iter().any(|s| s.name == *name) {
                let known: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
                let problem = format!("the store has no source {name:?}; it has {}", known.join(", "));
                return Err(Error::argument("sources", problem));
            }
        }
        let wanted = sources.iter().map(|s| names.is_empty() || names.contains(&s.name)).collect();
        let inside = (!boxes.is_empty()).then(|| {
            let (mut all, mut rows) = (Vec::new(), Vec::new());
            for bbox in boxes {
                store.rows_overlapping(*bbox, Order::Row, &mut rows);
                all.append(&mut rows);
            }
            all.sort_unstable();
            all.dedup();
            all
        });
        Ok(Self { store, sources, wanted, inside, folder: None, progress })
    }

    /// Writes locations relative to this folder, which must be canonical.
    pub(super) fn relative_to(&mut self, folder: PathBuf) {
        self.folder = Some(folder);
    }

    /// The chosen records without their texts; costs no decoding.
    pub(super) fn records(&self) -> impl Iterator<Item = RecordRef<'a>> {
        let store = self.store;
        let all = if self.inside.is_some() { 0..0 } else { 0..store.len() };
        let rows = self.inside.iter().flatten().copied().chain(all);
        rows.filter_map(move |row| store.record(row)).filter(|r| self.wants(r))
    }

    /// Who must be named for the wanted sources, as one text.
    pub(super) fn attribution(&self) -> String {
        let wanted = self.sources.iter().zip(&self.wanted).filter(|(_, wanted)| **wanted);
        attribution_of(wanted.map(|(source, _)| source.attribution.as_str()))
    }

    fn wants(&self, record: &RecordRef) -> bool {
        self.wanted.get(usize::from(record.source_index())).is_some_and(|&w| w)
    }

    /// Calls `each` with every chosen record; each block of paths is decoded once.
    ///
    /// # Errors
    /// Those of `each`, [`Error::Interrupted`], and damage of the store.
    pub(super) fn for_each(&self, mut each: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
        let store = self.store;
        let paths = RaggedLayout::find(store.sections(), "record.path", u64::from(store.len()))?;
        let systems: &[u32] = store.column("record.crs")?;
        let mut names: HashMap<u32, Rc<str>> = HashMap::new();
        let mut chosen = self.records().peekable();
        self.progress.begin("writing records", Some(self.records().count() as u64), "records");
        let outcome = paths.over(store.bytes()).for_each(|row, path| {
            let Some(record) = chosen.next_if(|r| r.row() as usize == row) else { return Ok(()) };
            if row % 256 == 0 && self.progress.interrupted() {
                return Err(Error::Interrupted);
            }
            let damaged = || Error::invalid(format!("row {row}"), "its path or source is damaged", "verify the store");
            let path = std::str::from_utf8(path).map_err(|_| damaged())?;
            let source = self.sources.get(usize::from(record.source_index())).ok_or_else(damaged)?;
            // The names of coordinate systems are compressed. Each is decoded once.
            let crs = match names.entry(systems.get(row).copied().unwrap_or(u32::MAX)) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => new.insert(record.crs()?.as_ref().into()).clone(),
            };
            let location = self.location(source, path);
            each(&Row { record, source, path, crs: &crs, location: &location })?;
            self.progress.advance(1);
            Ok(())
        });
        self.progress.end();
        outcome
    }

    /// What comes after the last record, for all of them at once: indexing, putting in order.
    pub(super) fn finish<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        self.progress.begin(what, None, "records");
        let outcome = work();
        self.progress.advance(self.records().count() as u64);
        self.progress.end();
        outcome
    }

    fn location(&self, source: &SourceTexts, path: &str) -> String {
        let file = url::join(Path::new(&source.root), path);
        let file = match &self.folder {
            Some(folder) => seen_from(folder, &file),
            None => file,
        };
        file.to_string_lossy().into_owned()
    }
}

/// A file as seen from a folder: `../dem/a.tif`. Both are absolute; what is not stays as it is.
fn seen_from(folder: &Path, file: &Path) -> PathBuf {
    if !folder.is_absolute() || !file.is_absolute() {
        return file.to_path_buf();
    }
    let (a, b): (Vec<Component>, Vec<Component>) = (folder.components().collect(), file.components().collect());
    let common = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let up = std::iter::repeat_n(Component::ParentDir, a.len() - common);
    up.chain(b[common..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_seen_from_folders() {
        let see = |folder: &str, file: &str| seen_from(Path::new(folder), Path::new(file)).display().to_string();
        assert_eq!(see("/a/b", "/a/b/c.tif"), "c.tif");
        assert_eq!(see("/a/b", "/a/bc/d.tif"), "../bc/d.tif");
        assert_eq!(see("/a/b", "/x/y.tif"), "../../x/y.tif");
        assert_eq!(see("/a", "b/c.tif"), "b/c.tif");
    }
}
