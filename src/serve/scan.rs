//! Which files there are, which of them changed, and the catalogue that follows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::HeaderValue;

use super::catalogue::Catalogue;
use super::dataset::{Dataset, Opened, identity_of};
use super::options::{Options, check_name};
use super::preload::Preload;
use crate::container::FileIdentity;
use crate::error::{Error, Result};
use crate::url;

/// Extensions of files that a folder is searched for.
const EXTENSIONS: [&str; 4] = ["pmtiles", "mbtiles", "heights", "hypso"];

/// What a look found, for the log and the metrics.
#[derive(Debug, Default)]
pub struct Found {
    /// Files that are in use from now on, by what they were before.
    pub opened: Vec<PathBuf>,
    /// Files that can't be used; where an older version was in use, it stays.
    pub refused: Vec<Error>,
    /// Files that are no longer there.
    pub gone: Vec<PathBuf>,
}

/// All files that are served, with the versions in use.
pub struct Scan {
    options: Options,
    files: BTreeMap<PathBuf, Entry>,
    /// Inputs that are folders, or were when they could last be looked at.
    folders: BTreeSet<PathBuf>,
    looks: u64,
    /// Reads what is opened into memory, once the server runs.
    preload: Option<Preload>,
}

/// An object at a URL is asked for at each so manieth look: it costs a request.
const FAR_EVERY: u64 = 10;

struct Entry {
    dataset: String,
    opened: Option<(Opened, FileIdentity)>,
    /// The version that was found bad last: it stays bad, so it is not opened again.
    refused: Option<FileIdentity>,
    /// What was said last about this file.
    said: Option<String>,
}

impl Scan {
    /// Opens everything.
    ///
    /// # Errors
    /// Where a file that is named can't be used. Files of a folder that can't are in `Found`.
    pub fn new(options: &Options) -> Result<(Self, Catalogue, Found)> {
        let mut scan = Self {
            options: options.clone(),
            files: BTreeMap::new(),
            folders: BTreeSet::new(),
            looks: 0,
            preload: None,
        };
        let (catalogue, found) = scan.look_at(true)?;
        Ok((scan, catalogue.unwrap_or_default(), found))
    }

    /// Begins to read what is open into memory, and what will be opened; nothing where the options forbid it.
    pub fn preload(&mut self) {
        self.preload = if self.options.preload { Preload::start() } else { None };
        if let Some(preload) = &self.preload {
            self.files.values().filter_map(|entry| entry.opened.as_ref()).for_each(|(opened, _)| preload.read(opened));
        }
    }

    /// Looks for changes. A catalogue where there are some.
    pub fn look(&mut self) -> (Option<Catalogue>, Found) {
        self.look_at(false).unwrap_or_else(|error| (None, Found { refused: vec![error], ..Found::default() }))
    }

    fn look_at(&mut self, first: bool) -> Result<(Option<Catalogue>, Found)> {
        let mut found = Found::default();
        self.looks += 1;
        let listed = list(&self.options, &mut self.folders, &self.files, first)?;
        let mut changed = false;
        for (path, file) in &listed {
            let due = self.looks.is_multiple_of(FAR_EVERY) || !url::is_one(path);
            if !due && self.files.get(path).is_some_and(|entry| entry.opened.is_some()) {
                continue;
            }
            let (identity, entry) = match identity_of(path) {
                Ok(identity) => {
                    let entry = self.files.entry(path.clone()).or_insert_with(|| Entry::new(&file.dataset));
                    (identity, entry)
                }
                Err(error) if first && file.named => return Err(error),
                Err(error) => {
                    // A named file that is missing for a moment keeps its version.
                    if let Some(entry) = self.files.get_mut(path) {
                        entry.say(error, &mut found);
                    }
                    continue;
                }
            };
            if entry.opened.as_ref().is_some_and(|(_, current)| *current == identity) || entry.refused == Some(identity)
            {
                continue;
            }
            match Opened::open(path, file.encoding, &self.options) {
                Ok(opened) => {
                    if let Some(preload) = &self.preload {
                        preload.read(&opened.0);
                    }
                    (entry.opened, entry.refused, entry.said) = (Some(opened), None, None);
                    found.opened.push(path.clone());
                    changed = true;
                }
                Err(error) if first && file.named => return Err(error),
                Err(error) => {
                    // The system or a server may change its mind, the content will not.
                    entry.refused = (!matches!(error, Error::Io { .. } | Error::Remote { .. })).then_some(identity);
                    entry.say(error, &mut found);
                }
            }
        }
        let gone: Vec<PathBuf> = self.files.keys().filter(|path| !listed.contains_key(*path)).cloned().collect();
        for path in gone {
            changed |= self.files.remove(&path).is_some_and(|entry| entry.opened.is_some());
            found.gone.push(path);
        }
        let catalogue = if changed || first { Some(self.catalogue(first)?) } else { None };
        Ok((catalogue, found))
    }

    /// The datasets of the versions in use.
    fn catalogue(&self, first: bool) -> Result<Catalogue> {
        let mut datasets: BTreeMap<String, Dataset> = BTreeMap::new();
        for entry in self.files.values() {
            let Some((opened, _)) = &entry.opened else { continue };
            let dataset = datasets.entry(entry.dataset.clone()).or_insert_with(|| self.empty(&entry.dataset));
            let before = match opened {
                Opened::Tiles(part) => dataset.tiles.replace(Arc::clone(part)).map(|part| part.path.clone()),
                Opened::Lineage(part) => dataset.lineage.replace(Arc::clone(part)).map(|part| part.path.clone()),
                Opened::Heights(part) => dataset.heights.replace(Arc::clone(part)).map(|part| part.path.clone()),
                Opened::Store(part) => dataset.store.replace(Arc::clone(part)).map(|part| part.path.clone()),
            };
            if let Some(before) = before {
                let problem = format!(
                    "{:?} has two files of {}: {} and {}; give one of them another name (NAME=FILE)",
                    entry.dataset,
                    opened.kind(),
                    before.display(),
                    opened.path().display()
                );
                if first {
                    return Err(Error::argument("dataset", problem));
                }
                tracing::warn!("{problem}; the second one is served");
            }
        }
        Ok(Catalogue::new(datasets.into_iter().map(|(id, dataset)| (id, Arc::new(dataset))).collect()))
    }

    fn empty(&self, id: &str) -> Dataset {
        let own = self.options.datasets.get(id).and_then(|dataset| dataset.max_age);
        let seconds = own.unwrap_or(self.options.max_age);
        let cache_control = HeaderValue::from_str(&format!("public, max-age={seconds}")).expect("digits");
        Dataset { id: id.to_owned(), tiles: None, lineage: None, heights: None, store: None, cache_control }
    }

    /// Each version in use: dataset, kind, path, version.
    pub fn versions(&self) -> impl Iterator<Item = (&str, &'static str, &Path, u64)> {
        self.files.values().filter_map(|entry| {
            let (opened, _) = entry.opened.as_ref()?;
            Some((entry.dataset.as_str(), opened.kind(), opened.path(), opened.version()))
        })
    }
}

impl Entry {
    fn new(dataset: &str) -> Self {
        Self { dataset: dataset.to_owned(), opened: None, refused: None, said: None }
    }

    /// Says an error once.
    fn say(&mut self, error: Error, found: &mut Found) {
        let text = Some(format!("{error:#}"));
        if self.said != text {
            self.said = text;
            found.refused.push(error);
        }
    }
}

/// A file that is to be served.
struct Listed<'a> {
    dataset: String,
    /// Named by the user, not found in a folder.
    named: bool,
    encoding: Option<&'a str>,
}

/// All files that are named, and those in folders that are. Of a folder that can't be read any more, those that are `known`: a network
/// mount that is away for a moment takes nothing out of service.
fn list<'a>(
    options: &'a Options,
    folders: &mut BTreeSet<PathBuf>,
    known: &BTreeMap<PathBuf, Entry>,
    first: bool,
) -> Result<BTreeMap<PathBuf, Listed<'a>>> {
    let mut all = BTreeMap::new();
    for (id, dataset) in &options.datasets {
        for path in &dataset.files {
            let listed = Listed { dataset: id.clone(), named: true, encoding: dataset.encoding.as_deref() };
            all.insert(path.clone(), listed);
        }
    }
    for input in &options.inputs {
        if input.path.is_dir() {
            folders.insert(input.path.clone());
        }
        if !folders.contains(&input.path) {
            let dataset = input.name.clone().unwrap_or_else(|| name_of(&input.path));
            check_name(&dataset).map_err(|error| error.with_path(&input.path))?;
            all.insert(input.path.clone(), Listed { dataset, named: true, encoding: None });
            continue;
        }
        let files = match in_folder(&input.path) {
            Err(error) if first => return Err(error),
            Err(_) => known.keys().filter(|path| path.parent() == Some(&input.path)).cloned().collect(),
            Ok(files) => files,
        };
        for path in files {
            // Files below one name become parts of one dataset, a folder's others keep theirs.
            let dataset = input.name.clone().unwrap_or_else(|| name_of(&path));
            if check_name(&dataset).is_ok() {
                all.entry(path).or_insert(Listed { dataset, named: false, encoding: None });
            } else if first {
                tracing::warn!("{}: is not served, since {dataset:?} can't be a name", path.display());
            }
        }
    }
    Ok(all)
}

/// The files of a folder that can be served by their names. What can't be looked at for a moment is among them.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let fits = |path: &PathBuf| {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        !hidden && EXTENSIONS.contains(&extension.as_str()) && !path.is_dir()
    };
    let failed = |error| Error::io("list", folder)(error);
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect::<Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(fits).collect())
}

/// The dataset of a file without a name: `japan` of `japan.pmtiles` and of `japan.lineage.pmtiles`.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let bare = stem.strip_suffix("lineage").map(|bare| bare.trim_end_matches(['.', '-', '_'])).unwrap_or(&stem);
    if bare.is_empty() { stem.into_owned() } else { bare.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_stem_are_one_dataset() {
        for (file, name) in [
            ("a/japan.pmtiles", "japan"),
            ("japan.lineage.pmtiles", "japan"),
            ("japan-lineage.pmtiles", "japan"),
            ("lineage.pmtiles", "lineage"),
            ("x.y.heights", "x.y"),
        ] {
            assert_eq!(name_of(Path::new(file)), name);
        }
    }
}
