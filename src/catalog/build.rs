//! From specs to sources and records.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use strum::VariantNames as _;

use super::spec::canonical;
use super::{Known, Location, Reason, Rejected, SourceSpec, Unread, bounds_csv, check_names, list, masks, stac};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::raster::{self, Adjustment};
use crate::store::{RecordInput, SourceInput};
use crate::url;

/// What to do with a file that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::Display, strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case", parse_err_ty = Error, parse_err_fn = unknown)]
pub enum OnError {
    /// Leave it out and report it.
    #[default]
    Skip,
    /// Stop.
    Fail,
}

fn unknown(text: &str) -> Error {
    Error::unknown_name("on error", text, OnError::VARIANTS)
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

/// What all sources hold, before any raster is opened.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    /// In order of priority. A tile index may bring several.
    pub sources: Vec<SourceInput>,
    contents: Vec<Contents>,
    rejected: Vec<Rejected>,
    unread: Vec<(usize, Unread)>,
}

/// Where the records of a source come from.
#[derive(Debug, Clone, PartialEq, Default)]
struct Contents {
    /// The list or the index that names its files, absolute.
    list: Option<PathBuf>,
    bounds_csv: Option<PathBuf>,
    /// What a tile index describes.
    records: Vec<RecordInput>,
    /// Paths below the source's root of rasters to open.
    paths: Vec<String>,
    /// The CRS of rasters that have none.
    assume_crs: Option<String>,
    /// What is done to their values.
    adjustment: Adjustment,
}

/// What became of the files of all sources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Records that were given.
    pub records: u64,
    /// How many of them came from the store that was known before, without a look into the file.
    pub reused: u64,
    /// What can't be used, by source, then by path.
    pub rejected: Vec<Rejected>,
    /// Units other than metres that heights are converted from, by source: how many of the files that were opened have them.
    pub units: BTreeMap<(usize, String), u64>,
}

impl Survey {
    /// Lists the sources, in order of their priority. The result does not depend on the order in which the file system
    /// lists files.
    ///
    /// Memory: the paths of the files of folders, and what tile indices hold. A `bounds.csv` is not read yet.
    ///
    /// # Errors
    /// Where two sources have one name, a location or a tile index can't be read, or a source holds no raster at all.
    pub fn new(specs: &[SourceSpec], options: &Options, progress: &dyn Progress) -> Result<Self> {
        check_names(specs)?;
        let mut survey = Self::default();
        for spec in specs {
            let root = spec.location.root();
            let root = canonical(&root).map_err(Error::io("open", &root))?;
            let assume_crs = spec.assume_crs.clone().or_else(|| options.assume_crs.clone());
            let number = survey.sources.len();
            let adjustment = spec.adjustment();
            let index = match &spec.location {
                Location::BoundsCsv(path) | Location::Index(path) => {
                    path.file_name().and_then(|name| name.to_str()).map(|name| url::join(&root, name))
                }
                _ => None,
            };
            let mut contents = Contents { list: index, assume_crs, adjustment, ..Contents::default() };
            match &spec.location {
                Location::Index(path) => {
                    survey.index(path, spec, &contents, progress)?;
                    continue;
                }
                Location::BoundsCsv(path) => contents.bounds_csv = Some(path.clone()),
                Location::Stac(path) => contents.paths = stac::read(path)?,
                location => {
                    let found = list(location)?;
                    let unread = found.others.rasters(&found.root);
                    if found.paths.is_empty() && found.rejected.is_empty() {
                        return Err(no_rasters(spec, &unread));
                    }
                    survey.unread.extend(unread.into_iter().map(|unread| (number, unread)));
                    survey.reject(number, found.rejected);
                    contents.paths = found.paths;
                }
            }
            survey.contents.push(contents);
            survey.sources.push(SourceInput {
                name: spec.name.clone(),
                root,
                attribution: spec.attribution.clone(),
                licence: spec.licence.clone(),
                vertical_datum: spec.vertical_datum.clone(),
            });
        }
        check_distinct(&survey.sources)?;
        Ok(survey)
    }

    fn reject(&mut self, source: usize, files: Vec<(String, Reason, String)>) {
        let rejected = |(path, reason, detail)| Rejected { source, path, reason, detail };
        self.rejected.extend(files.into_iter().map(rejected));
    }

    /// Adds the sources of a tile index and what it knows of their rasters.
    fn index(&mut self, path: &Path, spec: &SourceSpec, like: &Contents, progress: &dyn Progress) -> Result<()> {
        for part in super::tile_index::read(path, spec, self.sources.len(), progress)? {
            if part.records.is_empty() && part.to_scan.is_empty() && part.rejected.is_empty() {
                return Err(no_rasters(spec, &[]));
            }
            self.reject(self.sources.len(), part.rejected);
            // What hypso.toml says of an index overrides what the index says of its sources.
            let given = like.adjustment != Adjustment::default();
            let adjustment = if given { like.adjustment.clone() } else { part.adjustment };
            let mut records = part.records;
            records.iter_mut().for_each(|record| given_to(record, &like.adjustment));
            self.contents.push(Contents { records, paths: part.to_scan, adjustment, ..like.clone() });
            self.sources.push(part.source);
        }
        Ok(())
    }

    /// What is done to the values of sources, by their names; only those where something is.
    pub fn adjusted(&self) -> impl Iterator<Item = (&str, &Adjustment)> {
        let both = self.sources.iter().zip(&self.contents);
        let named = both.map(|(source, contents)| (source.name.as_str(), &contents.adjustment));
        named.filter(|(_, adjustment)| **adjustment != Adjustment::default())
    }

    /// The lists that name the files of sources, by the names of these. Indices are left out: a store that is made of the index of
    /// another one is the same to the byte.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (&str, &str)> {
        let both = self.sources.iter().zip(&self.contents);
        both.filter_map(|(source, contents)| {
            let list =
                contents.list.as_deref().filter(|list| list.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")));
            Some((source.name.as_str(), list?.to_str()?))
        })
    }

    /// Rasters that lie in the folders of sources and are not read, with the positions of their sources.
    #[must_use]
    pub fn unread(&self) -> &[(usize, Unread)] {
        &self.unread
    }

    /// The coordinate systems that files without one are given, by the names of their sources.
    pub fn assumed(&self) -> impl Iterator<Item = (&str, &str)> {
        let both = self.sources.iter().zip(&self.contents);
        both.filter_map(|(source, contents)| Some((source.name.as_str(), contents.assume_crs.as_deref()?)))
    }

    /// Gives every record to `keep`, opening rasters where that is needed: by source, those of a folder or a pattern by
    /// path, those of a `bounds.csv` in its order. Rasters of bytes come last, because they may be masks of the others. What is given does not depend on the number of threads.
    ///
    /// A `bounds.csv` is read line by line. Files that `known` holds with the same size and time are not opened.
    ///
    /// # Errors
    /// Where a `bounds.csv` is wrong or empty, `keep` fails, the user interrupts, or (with [`OnError::Fail`]) any file
    /// can't be used.
    pub fn each_record(
        self,
        options: &Options,
        known: Option<&Known>,
        progress: &dyn Progress,
        keep: &mut dyn FnMut(RecordInput) -> Result<()>,
    ) -> Result<Scanned> {
        let mut scanned = Scanned { rejected: self.rejected, ..Scanned::default() };
        for (number, (source, contents)) in self.sources.iter().zip(self.contents).enumerate() {
            let by = &contents.adjustment;
            let mut masks = masks::Source::new(by.band > 0);
            let mut add = |record: RecordInput| masks.add(record, keep);
            if let Some(path) = &contents.bounds_csv {
                each_line(path, number, by, progress, &mut scanned, &mut add)?;
            }
            for record in contents.records {
                scanned.records += 1;
                add(record)?;
            }
            if !contents.paths.is_empty() {
                let (root, assume_crs) = (source.root.as_path(), contents.assume_crs.as_deref());
                let files = Files { source: number, name: &source.name, root, paths: &contents.paths, assume_crs, by };
                scan_source(&files, known, options.threads, progress, &mut scanned, &mut add)?;
            }
            let refused = masks.finish(keep)?;
            scanned.records -= refused.len() as u64;
            scanned.rejected.extend(refused);
        }
        scanned.rejected.sort_by(|a, b| (a.source, &a.path).cmp(&(b.source, &b.path)));
        if options.on_error == OnError::Fail {
            refuse(&scanned.rejected, &self.sources)?;
        }
        Ok(scanned)
    }
}

fn each_line(
    path: &Path,
    source: usize,
    by: &Adjustment,
    progress: &dyn Progress,
    scanned: &mut Scanned,
    keep: &mut dyn FnMut(RecordInput) -> Result<()>,
) -> Result<()> {
    let before = (scanned.records, scanned.rejected.len());
    progress.begin("reading footprints", None, "lines");
    bounds_csv::each(path, source, progress, &mut |line| {
        match line {
            Ok(mut record) => {
                scanned.records += 1;
                let line =
                    Adjustment { band: record.band, unit: record.unit, scale: record.scale, ..Adjustment::default() };
                given_to(&mut record, by);
                // What a line says of its own file overrides what is said of all.
                given_to(&mut record, &line);
                keep(record)?;
            }
            Err(rejected) => scanned.rejected.push(rejected),
        }
        Ok(())
    })?;
    progress.end();
    if (scanned.records, scanned.rejected.len()) == before {
        let problem = "lists no file; write its lines, or give the folder itself";
        return Err(Error::not_found(format!("{}: {problem}", path.display())));
    }
    Ok(())
}

/// Gives a record what is known of its values, where something is.
fn given_to(record: &mut RecordInput, by: &Adjustment) {
    record.band = if by.band == 0 { record.band } else { by.band };
    record.unit = if by.unit == 0.0 { record.unit } else { by.unit };
    record.scale = if by.scale == 0.0 { record.scale } else { by.scale };
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

/// The first file that can't be used, as an error.
fn refuse(rejected: &[Rejected], sources: &[SourceInput]) -> Result<()> {
    let Some(first) = rejected.first() else { return Ok(()) };
    let path = url::join(&sources[first.source].root, &first.path);
    let others = match rejected.len() - 1 {
        0 => String::new(),
        n => format!("; and {n} more files can't be used"),
    };
    let problem = format!("{}; {}{others}", first.words(), first.reason.remedy());
    Err(Error::raster(path, problem))
}

/// A [`Survey`] and its records, all in memory, by source, then by path.
///
/// # Errors
/// As [`Survey::new`] and [`Survey::each_record`], where a file is listed twice, and where no file can be used.
pub fn build_catalog(specs: &[SourceSpec], options: &Options, progress: &dyn Progress) -> Result<Catalog> {
    let survey = Survey::new(specs, options, progress)?;
    let sources = survey.sources.clone();
    let mut records = Vec::new();
    let mut keep = |record| {
        records.push(record);
        Ok(())
    };
    let Scanned { rejected, .. } = survey.each_record(options, None, progress, &mut keep)?;
    if records.is_empty() {
        refuse(&rejected, &sources)?;
    }
    records.sort_by(|a, b| (a.source, &a.path).cmp(&(b.source, &b.path)));
    let same = |pair: &&[RecordInput]| (pair[0].source, &pair[0].path) == (pair[1].source, &pair[1].path);
    if let Some(pair) = records.windows(2).find(same) {
        let path = url::join(&sources[pair[0].source].root, &pair[0].path);
        return Err(Error::raster(path, "is listed twice; name each file once"));
    }
    Ok(Catalog { sources, records, rejected })
}

/// The files of a folder or a pattern.
struct Files<'a> {
    source: usize,
    name: &'a str,
    root: &'a Path,
    /// Below the root.
    paths: &'a [String],
    assume_crs: Option<&'a str>,
    by: &'a Adjustment,
}

fn scan_source(
    files: &Files<'_>,
    known: Option<&Known>,
    threads: usize,
    progress: &dyn Progress,
    scanned: &mut Scanned,
    keep: &mut dyn FnMut(RecordInput) -> Result<()>,
) -> Result<()> {
    let &Files { source, name, root, paths, assume_crs, by } = files;
    let known = known.and_then(|known| known.source(name, assume_crs, by));
    let to_scan = super::ToScan { reader: raster::reader()?, source, root, paths, assume_crs, by, known };
    super::scan(&to_scan, threads, progress, &mut |path, outcome, reused| {
        match outcome {
            Ok(taken) => {
                if !taken.unit.is_empty() {
                    *scanned.units.entry((source, taken.unit)).or_default() += 1;
                }
                for record in taken.records {
                    scanned.records += 1;
                    scanned.reused += u64::from(reused);
                    keep(record)?;
                }
            }
            Err((reason, detail)) => {
                scanned.rejected.push(Rejected { source, path: path.to_string(), reason, detail });
            }
        }
        Ok(())
    })
}

fn no_rasters(spec: &SourceSpec, unread: &[Unread]) -> Error {
    let part = format!("source {} ({})", spec.name, spec.location);
    match &spec.location {
        Location::Folder(_) if !unread.is_empty() => {
            let list: Vec<String> = unread.iter().map(ToString::to_string).collect();
            Error::not_found(format!("{part}: holds rasters that a folder is not searched for: {}", list.join("; ")))
        }
        Location::Folder(_) => {
            Error::not_found(format!("{part}: holds no raster ({}); check the folder", super::EXTENSIONS.join(", ")))
        }
        Location::Glob(_) => Error::not_found(format!(
            "{part}: matches no file; check the pattern, and quote it so that the shell leaves it alone"
        )),
        Location::Files(_) => Error::not_found(format!("{part}: none of the files is a raster; check the list")),
        Location::BoundsCsv(_) | Location::Index(_) | Location::Stac(_) => {
            Error::not_found(format!("{part}: lists no file; write its lines, or give the folder itself"))
        }
    }
}
