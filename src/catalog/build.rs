//! From specs to sources and records.

use std::path::Path;

use super::{Location, Rejected, SourceSpec, bounds_csv, check_names, list};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::store::{RecordInput, SourceInput};

/// What to do with a file that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Leave it out and report it.
    #[default]
    Skip,
    /// Stop.
    Fail,
}

/// How to build a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Threads that read headers; 0: one a core.
    pub threads: usize,
    /// What to do with a file that can't be used.
    pub on_error: OnError,
    /// The CRS of files that have none, where their source does not say otherwise.
    pub assume_crs: Option<String>,
}

/// Sources and records, ready to be written as a store, and what was left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    /// In order of priority.
    pub sources: Vec<SourceInput>,
    /// By source, then by the bytes of their paths.
    pub records: Vec<RecordInput>,
    /// What can't be used, by source, then by path.
    pub rejected: Vec<Rejected>,
}

/// Lists and scans the sources, in order of their priority. The result depends neither on the number of threads nor on
/// the order in which the file system lists files.
///
/// # Errors
/// Where two sources have one name, a location can't be read, a `bounds.csv` or a tile index is wrong, a source holds no raster at all,
/// no file can be used, the user interrupts, or (with [`OnError::Fail`]) any file can't be used.
pub fn build_catalog(specs: &[SourceSpec], options: &Options, progress: &dyn Progress) -> Result<Catalog> {
    check_names(specs)?;
    let mut catalog = Catalog::default();
    let mut files = Vec::new();
    for spec in specs {
        let source = catalog.sources.len();
        let root = spec.location.root();
        let root = root.canonicalize().map_err(Error::io("open", &root))?;
        if let Location::Index(path) = &spec.location {
            files.extend(read_index(&mut catalog, path, spec, options, progress)?);
            continue;
        }
        if let Location::BoundsCsv(path) = &spec.location {
            let (records, rejected) = bounds_csv::read(path, source)?;
            if records.is_empty() && rejected.is_empty() {
                return Err(no_rasters(spec));
            }
            catalog.records.extend(records);
            catalog.rejected.extend(rejected);
        } else {
            let found = list(&spec.location)?;
            if found.paths.is_empty() && found.rejected.is_empty() {
                return Err(no_rasters(spec));
            }
            let rejected = found.rejected.into_iter();
            catalog.rejected.extend(rejected.map(|(path, reason, detail)| Rejected { source, path, reason, detail }));
            let assume_crs = assume_crs(spec, options);
            files.extend(found.paths.into_iter().map(|path| (source, root.clone(), path, assume_crs.clone())));
        }
        catalog.sources.push(SourceInput {
            name: spec.name.clone(),
            root,
            attribution: spec.attribution.clone(),
            licence: spec.licence.clone(),
            vertical_datum: spec.vertical_datum.clone(),
        });
    }
    check_distinct(&catalog.sources)?;
    scan_into(&mut catalog, files, options, progress)?;
    catalog.records.sort_by(|a, b| (a.source, &a.path).cmp(&(b.source, &b.path)));
    catalog.rejected.sort_by(|a, b| (a.source, &a.path).cmp(&(b.source, &b.path)));
    if let Some(first) = catalog.rejected.first()
        && (options.on_error == OnError::Fail || catalog.records.is_empty())
    {
        let path = catalog.sources[first.source].root.join(&first.path);
        let detail = if first.detail.is_empty() { String::new() } else { format!(" ({})", first.detail) };
        let others = match catalog.rejected.len() - 1 {
            0 => String::new(),
            n => format!("; and {n} more files can't be used"),
        };
        let problem = format!("{}{detail}; {}{others}", first.reason.name(), first.reason.remedy());
        return Err(Error::raster(path, problem));
    }
    Ok(catalog)
}

/// A source, its root, a path below it, and the CRS to assume.
type File = (usize, std::path::PathBuf, String, Option<String>);

fn assume_crs(spec: &SourceSpec, options: &Options) -> Option<String> {
    spec.assume_crs.clone().or_else(|| options.assume_crs.clone())
}

/// Refuses two sources of one name, which tile indices may bring.
fn check_distinct(sources: &[SourceInput]) -> Result<()> {
    for (i, source) in sources.iter().enumerate() {
        if let Some(first) = sources[..i].iter().find(|s| s.name == source.name) {
            let places = format!("{} and {}", first.root.display(), source.root.display());
            let problem = format!("names both {places}; give one of them another name with NAME=PATH");
            return Err(Error::argument(format!("source {:?}", source.name), problem));
        }
    }
    Ok(())
}

/// Adds the sources of a tile index and what it knows of their rasters; gives the rasters that have to be scanned.
#[cfg(feature = "gdal")]
fn read_index(
    catalog: &mut Catalog,
    path: &Path,
    spec: &SourceSpec,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for part in super::tile_index::read(path, spec, catalog.sources.len(), progress)? {
        let source = catalog.sources.len();
        if part.records.is_empty() && part.to_scan.is_empty() && part.rejected.is_empty() {
            return Err(no_rasters(spec));
        }
        let scanned = part.to_scan.into_iter();
        files.extend(scanned.map(|path| (source, part.source.root.clone(), path, assume_crs(spec, options))));
        let rejected = part.rejected.into_iter();
        catalog.rejected.extend(rejected.map(|(path, reason, detail)| Rejected { source, path, reason, detail }));
        catalog.records.extend(part.records);
        catalog.sources.push(part.source);
    }
    Ok(files)
}

#[cfg(not(feature = "gdal"))]
fn read_index(_: &mut Catalog, path: &Path, _: &SourceSpec, _: &Options, _: &dyn Progress) -> Result<Vec<File>> {
    Err(without_gdal(path, "read"))
}

/// Why something can't be done in this build.
#[cfg(not(feature = "gdal"))]
fn without_gdal(path: &Path, what: &str) -> Error {
    let remedy = "give a bounds.csv instead, or build it with the feature gdal";
    Error::argument(
        path.display().to_string(),
        format!("can't be {what}: this program was built without GDAL; {remedy}"),
    )
}

#[cfg(feature = "gdal")]
fn scan_into(catalog: &mut Catalog, files: Vec<File>, options: &Options, progress: &dyn Progress) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let files: Vec<_> = files
        .into_iter()
        .map(|(source, root, path, assume_crs)| super::ToScan { source, root, path, assume_crs })
        .collect();
    let (records, rejected) = super::scan(&files, options.threads, progress)?;
    catalog.records.extend(records);
    catalog.rejected.extend(rejected);
    Ok(())
}

#[cfg(not(feature = "gdal"))]
fn scan_into(_: &mut Catalog, files: Vec<File>, _: &Options, _: &dyn Progress) -> Result<()> {
    match files.first() {
        None => Ok(()),
        Some((_, root, ..)) => Err(without_gdal(root, "scanned")),
    }
}

fn no_rasters(spec: &SourceSpec) -> Error {
    let part = format!("source {} ({})", spec.name, spec.location);
    match &spec.location {
        Location::Folder(_) => {
            Error::Other(format!("{part}: holds no raster ({}); check the folder", super::EXTENSIONS.join(", ")))
        }
        Location::Glob(_) => Error::Other(format!(
            "{part}: matches no file; check the pattern, and quote it so that the shell leaves it alone"
        )),
        Location::BoundsCsv(_) | Location::Index(_) => {
            Error::Other(format!("{part}: lists no file; write its lines, or give the folder itself"))
        }
    }
}
