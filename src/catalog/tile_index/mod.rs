//! Tile indices: vector files whose features name rasters, as `hypso export`, `gdaltindex` and GDAL's GTI write them, and STAC-GeoParquet.
//!
//! Every feature names a raster in its field `location`, or in its assets; relative ones start at the folder of the index. An index that
//! `hypso export` made holds its sources, with their names, folders and priorities. Any other one is a single
//! source. Its root is the folder of the index where all rasters lie below that, else the deepest folder that
//! holds them all.
//!
//! Where the index holds what a header says, in EPSG:3857, and the file still has the size and time that the index
//! knows, the raster is not opened. All others are scanned as those of a folder are.

mod features;
#[cfg(feature = "geoparquet")]
mod items;
mod places;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use places::{canonical, common, is_elsewhere, resolve};

use super::fingerprint::fingerprint;
use super::{Reason, SECOND, SourceSpec, spec};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::raster::parts::Folders;
use crate::raster::{self, Adjustment};
use crate::store::{RecordInput, SourceInput};
use crate::url;

/// What an index holds.
#[derive(Debug, Default)]
struct Index {
    /// The sources that it names.
    sources: Vec<Named>,
    entries: Vec<Entry>,
}

/// A source that an index names.
#[derive(Debug, Default)]
struct Named {
    name: String,
    priority: i64,
    attribution: String,
    licence: String,
    vertical_datum: String,
    adjustment: Adjustment,
    /// Its files differ in band, unit or scale, so only the records have these.
    mixed: bool,
}

/// A feature of an index.
#[derive(Debug)]
struct Entry {
    location: String,
    /// The position of its source and the path below that source's root.
    identity: Option<(usize, String)>,
    /// The record when the index was made, without source and path.
    record: Option<RecordInput>,
}

/// One source of an index.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The source.
    pub(super) source: SourceInput,
    /// What is done to its values.
    pub(super) adjustment: Adjustment,
    /// The records that the index describes, with the number of their source.
    pub(super) records: Vec<RecordInput>,
    /// Paths below the root of rasters to open.
    pub(super) to_scan: Vec<String>,
    /// Path, why, and what the system said.
    pub(super) rejected: Vec<(String, Reason, String)>,
}

/// Reads the sources of an index in the order of their priority; the first one gets the number `first`. Every file is
/// looked at (size and time) but not opened.
///
/// # Errors
/// Where GDAL can't read the index, it has no field that names rasters, a raster is listed twice, or the name of the spec
/// would stand for several sources.
pub(super) fn read(path: &Path, spec: &SourceSpec, first: usize, progress: &dyn Progress) -> Result<Vec<Part>> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = spec::canonical(folder).map_err(Error::io("open", folder))?;
    let index = features::read(path, progress)?;
    let known = with_sources(&index, &folder).map_err(|e| e.with_path(path))?;
    let mut parts = match known {
        Some(parts) => parts,
        None => vec![Placed::alone(&index, &folder)],
    };
    if spec.named && parts.len() > 1 {
        let problem = format!("holds {} sources with names of their own; leave out {}=", parts.len(), spec.name);
        return Err(Error::argument(path.display().to_string(), problem));
    }
    if let [only] = parts.as_mut_slice()
        && (spec.named || only.source.name.is_empty())
    {
        only.source.name.clone_from(&spec.name);
    }
    parts.into_iter().enumerate().map(|(i, part)| part.records(first + i, spec, path)).collect()
}

/// A source whose rasters have their places.
#[derive(Debug, Default)]
struct Placed<'a> {
    source: SourceInput,
    adjustment: Adjustment,
    files: Vec<(String, Option<&'a RecordInput>)>,
    rejected: Vec<(String, Reason, String)>,
}

impl<'a> Placed<'a> {
    /// All rasters of an index as one source without a name.
    fn alone(index: &'a Index, folder: &Path) -> Self {
        let mut placed = Self::default();
        let mut folders = HashMap::new();
        let mut files = Vec::new();
        for entry in &index.entries {
            if is_elsewhere(&entry.location) {
                let detail = "is not a file on this machine".to_string();
                placed.rejected.push((entry.location.clone(), Reason::Missing, detail));
            } else {
                files.push((canonical(&resolve(folder, &entry.location), &mut folders), entry));
            }
        }
        let mut root = folder.to_path_buf();
        let remote = |file: &Path| url::is_one(file);
        if !files.iter().all(|(file, _)| remote(file) || file.starts_with(folder)) {
            let parents = files
                .iter()
                .filter(|(file, _)| !remote(file))
                .filter_map(|(file, _)| file.parent().map(Path::to_path_buf));
            root = parents.reduce(|a, b| common(&a, &b)).unwrap_or(root);
        }
        for (file, entry) in files {
            // On a network, the name of a raster is its URL, wherever the index lies.
            let below = if remote(&file) { &file } else { file.strip_prefix(&root).unwrap_or(&file) };
            let below = below.to_string_lossy().into_owned();
            placed.files.push((below, entry.record.as_ref()));
        }
        placed.source.root = root;
        placed
    }

    /// Takes records from the index where their files are as the index knows them.
    fn records(self, number: usize, spec: &SourceSpec, index: &Path) -> Result<Part> {
        let choose = |own: String, given: &str| if given.is_empty() { own } else { given.to_string() };
        let source = SourceInput {
            attribution: choose(self.source.attribution, &spec.attribution),
            licence: choose(self.source.licence, &spec.licence),
            vertical_datum: choose(self.source.vertical_datum, &spec.vertical_datum),
            ..self.source
        };
        let mut part = Part { source, adjustment: self.adjustment, rejected: self.rejected, ..Part::default() };
        let (mut seen, mut opened) = (HashSet::new(), HashSet::new());
        let mut folders = Folders::default();
        let places: Vec<PathBuf> = self.files.iter().map(|(path, _)| url::join(&part.source.root, path)).collect();
        raster::look_ahead(&places);
        for (path, record) in self.files {
            if !seen.insert(path.clone()) {
                let problem = format!("names {path:?} twice");
                return Err(Error::invalid(
                    "index",
                    problem,
                    "take one of the two out, and run the same command again",
                )
                .with_path(index));
            }
            let file = url::join(&part.source.root, &path);
            // What is wrong with a VRT is said when it is opened.
            let parts = folders.digest(&file).unwrap_or(0);
            match fingerprint(&file) {
                Err((reason, detail)) => part.rejected.push((path, reason, detail)),
                Ok(now) => match record.filter(|r| ((r.file_size, r.modified_ns), r.parts) == (now, parts)) {
                    Some(record) => part.records.push(RecordInput { source: number, path, ..record.clone() }),
                    None => {
                        let of_source = &part.adjustment;
                        let of_source = (of_source.band, of_source.unit.to_bits(), of_source.scale.to_bits());
                        if record.is_some_and(|r| (r.band, r.unit.to_bits(), r.scale.to_bits()) != of_source) {
                            let problem =
                                format!("has a band, unit or scale of its own for {path:?}, which has changed since");
                            let remedy = "export the index again from a store that is up to date";
                            return Err(Error::invalid("index", problem, remedy).with_path(index));
                        }
                        // A raster across the 180th meridian has two parts, and is opened once.
                        let file = path.strip_prefix(SECOND).unwrap_or(&path).to_string();
                        if opened.insert(file.clone()) {
                            part.to_scan.push(file);
                        }
                    }
                },
            }
        }
        Ok(part)
    }
}

/// The sources of an index that says of every raster which record it is; `None` for any other index.
///
/// # Errors
/// Where a source lies in two folders.
fn with_sources<'a>(index: &'a Index, folder: &Path) -> Result<Option<Vec<Placed<'a>>>> {
    let mut roots: Vec<Option<PathBuf>> = vec![None; index.sources.len()];
    let mut parts: Vec<Placed> = index
        .sources
        .iter()
        .map(|s| Placed { source: s.input(), adjustment: s.adjustment(), ..Placed::default() })
        .collect();
    for entry in &index.entries {
        let Some((source, path)) = &entry.identity else { return Ok(None) };
        let place = resolve(folder, &entry.location);
        let below = path.strip_prefix(SECOND).unwrap_or(path);
        if place.to_str() == Some(below) {
            // A URL stands for itself, whatever the root.
            roots[*source].get_or_insert_with(|| folder.to_path_buf());
            parts[*source].files.push((path.clone(), entry.record.as_ref()));
            continue;
        }
        let Some(root) = place.to_str().and_then(|p| p.strip_suffix(below)).and_then(|p| p.strip_suffix('/')) else {
            return Ok(None);
        };
        let root = Path::new(if root.is_empty() { "/" } else { root });
        match &roots[*source] {
            None => roots[*source] = Some(root.to_path_buf()),
            Some(known) if known == root => {}
            Some(known) => {
                let problem = format!("lies in two folders, {} and {}", known.display(), root.display());
                return Err(Error::invalid(
                    format!("source {:?}", parts[*source].source.name),
                    problem,
                    "export the index again",
                ));
            }
        }
        parts[*source].files.push((path.clone(), entry.record.as_ref()));
    }
    for (part, root) in parts.iter_mut().zip(roots) {
        let root = root.unwrap_or_default();
        part.source.root = spec::canonical(&root).map_err(Error::io("open", &root))?;
    }
    let mut order: Vec<(i64, Placed)> = index.sources.iter().map(|s| s.priority).zip(parts).collect();
    order.sort_by_key(|(priority, _)| *priority);
    Ok(Some(order.into_iter().map(|(_, part)| part).collect()).filter(|parts: &Vec<_>| !parts.is_empty()))
}

impl Named {
    /// Band, unit and scale.
    fn values(&self) -> Adjustment {
        Adjustment { offset: 0.0, nodata: Vec::new(), ..self.adjustment.clone() }
    }

    /// What is done to the values of all its files.
    fn adjustment(&self) -> Adjustment {
        let Adjustment { offset, nodata, .. } = self.adjustment.clone();
        if self.mixed { Adjustment { offset, nodata, ..Adjustment::default() } } else { self.adjustment.clone() }
    }

    fn input(&self) -> SourceInput {
        SourceInput {
            name: self.name.clone(),
            root: PathBuf::new(),
            attribution: self.attribution.clone(),
            licence: self.licence.clone(),
            vertical_datum: self.vertical_datum.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(location: &str, identity: Option<(usize, &str)>) -> Entry {
        Entry { location: location.into(), identity: identity.map(|(s, p)| (s, p.to_string())), record: None }
    }

    fn paths(placed: &Placed) -> Vec<String> {
        placed.files.iter().map(|(path, _)| path.clone()).collect()
    }

    #[test]
    fn the_root_is_the_folder_of_the_index_or_the_deepest_one_that_holds_all() {
        let index = |locations: &[&str]| Index {
            entries: locations.iter().map(|l| entry(l, None)).collect(),
            ..Index::default()
        };
        let folder = Path::new("/none/dem");
        let inside = index(&["a.tif", "./x/../b/c.tif", "/none/dem/d.tif"]);
        let placed = Placed::alone(&inside, folder);
        assert_eq!(
            (placed.source.root.as_path(), paths(&placed)),
            (folder, vec!["a.tif".into(), "b/c.tif".into(), "d.tif".into()])
        );
        let outside = index(&["a.tif", "/none/other/b.tif", "https://x/y.tif", "/vsizip/z.zip/z.tif"]);
        let placed = Placed::alone(&outside, folder);
        assert_eq!(placed.source.root, Path::new("/none"));
        assert_eq!(paths(&placed), ["dem/a.tif", "other/b.tif", "https://x/y.tif"]);
        assert_eq!(placed.rejected.len(), 1);
    }

    #[test]
    fn sources_are_known_where_every_location_ends_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("fine")).unwrap();
        std::fs::create_dir_all(base.join("coarse")).unwrap();
        let named = |name: &str, priority| Named { name: name.into(), priority, ..Named::default() };
        let mut index = Index {
            sources: vec![named("coarse", 1), named("fine", 0)],
            entries: vec![entry("../coarse/x/a.tif", Some((0, "x/a.tif"))), entry("../fine/a.tif", Some((1, "a.tif")))],
        };
        let from = base.join("index");
        let parts = with_sources(&index, &from).unwrap().unwrap();
        let found: Vec<_> = parts.iter().map(|p| (p.source.name.as_str(), p.source.root.clone())).collect();
        assert_eq!(found, [("fine", base.join("fine")), ("coarse", base.join("coarse"))]);
        index.entries.push(entry("../fine/b.tif", Some((0, "b.tif"))));
        assert!(with_sources(&index, &from).unwrap_err().to_string().contains("two folders"));
        index.entries.push(entry("../fine/b.tif", Some((0, "other.tif"))));
        index.entries.swap(2, 3);
        assert!(with_sources(&index, &from).unwrap().is_none());
    }
}
