//! From specs to sources and records.

use super::{Known, Location, Rejected, SourceSpec, bounds_csv, check_names, list};
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

/// The sources of a store, in order of priority.
///
/// # Errors
/// Where two sources have one name or a location can't be read.
pub fn sources(specs: &[SourceSpec]) -> Result<Vec<SourceInput>> {
    check_names(specs)?;
    let source = |spec: &SourceSpec| {
        let root = spec.location.root();
        Ok(SourceInput {
            name: spec.name.clone(),
            root: root.canonicalize().map_err(Error::io("open", &root))?,
            attribution: spec.attribution.clone(),
            licence: spec.licence.clone(),
            vertical_datum: spec.vertical_datum.clone(),
        })
    };
    specs.iter().map(source).collect()
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
}

/// Lists and scans the sources, in order of their priority, and gives every record to `keep`: by source, those of a folder
/// or a pattern by path, those of a `bounds.csv` in its order. What is given depends neither on the number of threads nor
/// on the order in which the file system lists files.
///
/// Memory: the paths of the files of a folder; a `bounds.csv` is read line by line. Files that `known` holds with the same
/// size and time are not opened.
///
/// # Errors
/// Where a location can't be read, a `bounds.csv` is wrong, a source holds no raster at all, `keep` fails, the user
/// interrupts, or (with [`OnError::Fail`]) any file can't be used.
pub fn each_record(
    specs: &[SourceSpec],
    sources: &[SourceInput],
    options: &Options,
    known: Option<&Known>,
    progress: &dyn Progress,
    keep: &mut dyn FnMut(RecordInput) -> Result<()>,
) -> Result<Scanned> {
    let mut scanned = Scanned::default();
    // All locations are looked at before the first file is opened: what is wrong there shows at once.
    let mut lists = Vec::new();
    for spec in specs {
        lists.push(match &spec.location {
            Location::BoundsCsv(_) => Vec::new(),
            location => {
                let found = list(location)?;
                if found.paths.is_empty() && found.rejected.is_empty() {
                    return Err(no_rasters(spec));
                }
                let rejected = found.rejected.into_iter();
                scanned.rejected.extend(rejected.map(|(path, reason, detail)| Rejected {
                    source: lists.len(),
                    path,
                    reason,
                    detail,
                }));
                found.paths
            }
        });
    }
    for ((source, spec), paths) in specs.iter().enumerate().zip(lists) {
        if let Location::BoundsCsv(path) = &spec.location {
            let before = (scanned.records, scanned.rejected.len());
            progress.begin("reading footprints", None, "lines");
            bounds_csv::each(path, source, progress, &mut |line| {
                match line {
                    Ok(record) => {
                        scanned.records += 1;
                        keep(record)?;
                    }
                    Err(rejected) => scanned.rejected.push(rejected),
                }
                Ok(())
            })?;
            progress.end();
            if (scanned.records, scanned.rejected.len()) == before {
                return Err(no_rasters(spec));
            }
        } else {
            let assume_crs = spec.assume_crs.as_deref().or(options.assume_crs.as_deref());
            let files = Files { source, name: &spec.name, root: &sources[source].root, paths: &paths, assume_crs };
            scan_source(&files, known, options.threads, progress, &mut scanned, keep)?;
        }
    }
    scanned.rejected.sort_by(|a, b| (a.source, &a.path).cmp(&(b.source, &b.path)));
    if options.on_error == OnError::Fail {
        refuse(&scanned.rejected, sources)?;
    }
    Ok(scanned)
}

/// The first file that can't be used, as an error.
fn refuse(rejected: &[Rejected], sources: &[SourceInput]) -> Result<()> {
    let Some(first) = rejected.first() else { return Ok(()) };
    let path = sources[first.source].root.join(&first.path);
    let detail = if first.detail.is_empty() { String::new() } else { format!(" ({})", first.detail) };
    let others = match rejected.len() - 1 {
        0 => String::new(),
        n => format!("; and {n} more files can't be used"),
    };
    let problem = format!("{}{detail}; {}{others}", first.reason.name(), first.reason.remedy());
    Err(Error::raster(path, problem))
}

/// [`each_record`] with all records in memory, by source, then by path.
///
/// # Errors
/// As [`sources`] and [`each_record`], where a file is listed twice, and where no file can be used.
pub fn build_catalog(specs: &[SourceSpec], options: &Options, progress: &dyn Progress) -> Result<Catalog> {
    let sources = sources(specs)?;
    let mut records = Vec::new();
    let mut keep = |record| {
        records.push(record);
        Ok(())
    };
    let Scanned { rejected, .. } = each_record(specs, &sources, options, None, progress, &mut keep)?;
    if records.is_empty() {
        refuse(&rejected, &sources)?;
    }
    records.sort_by(|a, b| (a.source, &a.path).cmp(&(b.source, &b.path)));
    let same = |pair: &&[RecordInput]| (pair[0].source, &pair[0].path) == (pair[1].source, &pair[1].path);
    if let Some(pair) = records.windows(2).find(same) {
        let path = sources[pair[0].source].root.join(&pair[0].path);
        return Err(Error::raster(path, "is listed twice; name each file once"));
    }
    Ok(Catalog { sources, records, rejected })
}

/// The files of a folder or a pattern.
#[cfg_attr(not(feature = "gdal"), allow(dead_code, reason = "nothing is scanned without GDAL"))]
struct Files<'a> {
    source: usize,
    name: &'a str,
    root: &'a std::path::Path,
    /// Below the root.
    paths: &'a [String],
    assume_crs: Option<&'a str>,
}

#[cfg(feature = "gdal")]
fn scan_source(
    files: &Files<'_>,
    known: Option<&Known>,
    threads: usize,
    progress: &dyn Progress,
    scanned: &mut Scanned,
    keep: &mut dyn FnMut(RecordInput) -> Result<()>,
) -> Result<()> {
    let &Files { source, name, root, paths, assume_crs } = files;
    let known = known.and_then(|known| known.source(name, assume_crs));
    let to_scan = super::ToScan { source, root, paths, assume_crs, known };
    super::scan(&to_scan, threads, progress, &mut |path, outcome, reused| {
        match outcome {
            Ok(record) => {
                scanned.records += 1;
                scanned.reused += u64::from(reused);
                keep(record)?;
            }
            Err((reason, detail)) => {
                scanned.rejected.push(Rejected { source, path: path.to_string(), reason, detail });
            }
        }
        Ok(())
    })
}

#[cfg(not(feature = "gdal"))]
fn scan_source(
    files: &Files<'_>,
    _: Option<&Known>,
    _: usize,
    _: &dyn Progress,
    _: &mut Scanned,
    _: &mut dyn FnMut(RecordInput) -> Result<()>,
) -> Result<()> {
    let problem = "was built without GDAL; give a bounds.csv instead, or build hypso with the feature gdal";
    Err(Error::argument(files.root.display().to_string(), format!("can't be scanned: this program {problem}")))
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
        Location::BoundsCsv(_) => {
            Error::Other(format!("{part}: lists no file; write its lines, or give the folder itself"))
        }
    }
}
