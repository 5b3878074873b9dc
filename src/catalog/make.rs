//! From specs to a store on the disk.

use std::path::{Path, PathBuf};

use super::{Known, Location, OnError, Options, Scanned, SourceSpec, Survey, config, gather, notes};
use crate::atomic::{check_target, refuse_inputs};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::store::{self, Builder, Parameters, SourceInput, Store};
use crate::url;

/// How to make a store of sources.
#[derive(Debug, Clone)]
pub struct MakeOptions<'a> {
    /// How to look into the files.
    pub scan: Options,
    /// Pixels along a tile's side.
    pub tile_size: u32,
    /// What an earlier build knew.
    pub known: Option<&'a Known>,
    /// Files that the store must not replace, besides rasters and the lists and indices that the specs name.
    pub inputs: Vec<PathBuf>,
}

/// What was found so far, to show to people.
#[derive(Debug)]
pub enum Step<'a> {
    /// The sources are listed. No raster was opened yet, and nothing is written.
    Listed(&'a Survey),
    /// All files were looked at. Comes also where the build then fails because files can't be used.
    Scanned(&'a [SourceInput], &'a Scanned),
}

/// A store that was made.
#[derive(Debug)]
pub struct Made {
    /// The store, open.
    pub store: Store,
    /// What became of the files.
    pub scanned: Scanned,
}

/// Scans the sources and writes the store. `watch` is called at each step. If it fails, the build ends and nothing is written.
///
/// Costs a look into the header of every raster that `known` does not hold, on all processors.
///
/// # Errors
/// As [`Survey::new`] and [`Survey::each_record`]; where `output` has no folder, or is a raster or a list that is read; with
/// [`OnError::Fail`] where a file can't be used; where no file can; where the disk fails or the user interrupts.
pub fn make_store(
    specs: &[SourceSpec],
    output: &Path,
    options: &MakeOptions<'_>,
    progress: &dyn Progress,
    watch: &mut dyn FnMut(Step<'_>) -> Result<()>,
) -> Result<Made> {
    // Says at once where the folder is missing or the name is a folder's.
    check_target(output)?;
    let scan = Options { on_error: OnError::Skip, ..options.scan.clone() };
    let survey = Survey::new(specs, &scan, progress)?;
    let sources = survey.sources.clone();
    watch(Step::Listed(&survey))?;
    // A store is no raster; anything else may be one of those that are read.
    let other = output.exists() && !store::is_one(output);
    if other {
        refuse_inputs(output, lists(specs).chain(options.inputs.iter().cloned()))?;
    }
    let parameters = Parameters { tile_size: options.tile_size, metadata: notes(&survey) };
    let mut builder = Builder::new(&sources, &parameters)?.scratch_beside(output).progress(progress);
    let scanned = survey.each_record(&scan, options.known, progress, &mut |record| {
        if other {
            let raster = sources.get(record.source).map(|source| url::join(&source.root, &record.path));
            refuse_inputs(output, raster)?;
        }
        builder.add(&record)
    });
    progress.end();
    let scanned = scanned?;
    watch(Step::Scanned(&sources, &scanned))?;
    if !scanned.rejected.is_empty() && options.scan.on_error == OnError::Fail {
        let (bad, all) = (scanned.rejected.len(), scanned.files());
        let files = if all == 1 { "file" } else { "files" };
        let problem =
            format!("{bad} of {all} {files} can't be used; mend or move what can't, or say `on_error = skip`");
        return Err(Error::Incomplete { problem });
    }
    if scanned.records == 0 {
        return Err(Error::not_found("no file can be used; nothing is written"));
    }
    builder.finish_file(output)?;
    progress.end();
    Ok(Made { store: Store::open(output)?, scanned })
}

impl Scanned {
    /// Records that were given, and files that can't be used.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.records + self.rejected.len() as u64
    }
}

/// The lists and tile indices that specs name.
pub fn lists(specs: &[SourceSpec]) -> impl Iterator<Item = PathBuf> {
    specs.iter().filter_map(|spec| match &spec.location {
        Location::BoundsCsv(path) | Location::Index(path) | Location::Stac(path) => Some(path.clone()),
        _ => None,
    })
}

/// Sources that were made of files given one by one: their names, and how many files each has.
pub type Gathered = Vec<(String, usize)>;

/// Reads specs as a user writes them (see [`SourceSpec::parse`]), in order of priority. Files of one folder become one source, which is
/// told of too. Each spec is completed by the `hypso.toml` that is found with it.
///
/// # Errors
/// Where a text names nothing, two sources have one name, or a `hypso.toml` is wrong.
pub fn specs_of(texts: &[impl AsRef<str>]) -> Result<(Vec<SourceSpec>, Gathered)> {
    let specs = texts.iter().map(|text| SourceSpec::parse(text.as_ref())).collect::<Result<Vec<_>>>()?;
    let (mut specs, gathered) = gather(specs);
    for spec in &mut specs {
        complete(spec)?;
    }
    super::check_names(&specs)?;
    Ok((specs, gathered))
}

/// Takes all but name and place from a `hypso.toml` in the source's folder or the one above, where it names the same place. A tile index
/// may hold the rasters of other folders, and says itself what it knows of them.
fn complete(spec: &mut SourceSpec) -> Result<()> {
    if matches!(spec.location, Location::Index(_)) {
        return Ok(());
    }
    let root = spec.location.root();
    let Ok(root) = root.canonicalize() else { return Ok(()) };
    let above = root.parent().map(Path::to_path_buf);
    for folder in [Some(root.clone()), above].into_iter().flatten() {
        let path = folder.join(config::FILE_NAME);
        if !path.is_file() {
            continue;
        }
        let known = config::read(&path)?;
        let same = |other: &SourceSpec| other.location.root().canonicalize().is_ok_and(|r| r == root);
        if let Some(found) = known.into_iter().find(same) {
            let assume_crs = spec.assume_crs.take().or(found.assume_crs);
            let (name, named, location) = (spec.name.clone(), spec.named, spec.location.clone());
            *spec = SourceSpec { name, named, location, assume_crs, ..found };
            return Ok(());
        }
    }
    Ok(())
}
