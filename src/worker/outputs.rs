//! What a run writes, under which names, and what must not stand there.

use std::path::{Path, PathBuf};

use super::aggregate::Job;
use super::assemble::{group_path, lineage_path, run_of};
use super::inputs;
use crate::archive::{self, ArchiveSummary};
use crate::error::{Error, Result};
use crate::plan::Group;
use crate::render::Layer;

/// The archives of a job: heights, and lineage where that is made.
pub(super) fn outputs(job: &Job<'_>) -> Vec<(Layer, PathBuf)> {
    let mut outputs = vec![(Layer::Elevation, job.output().to_path_buf())];
    if job.options.lineage {
        outputs.push((Layer::Lineage, lineage_path(job.output())));
    }
    outputs
}

/// The folder that the archives of a job lie in.
pub(super) fn folder_of<'a>(job: &Job<'a>) -> &'a Path {
    job.output().parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where the archive of a group lies.
pub(super) fn group_of(job: &Job<'_>, layer: Layer, group: &Group) -> PathBuf {
    group_path(folder_of(job), job.output(), layer, group)
}

/// What an archive of an earlier start holds, as far as its header tells.
pub(super) fn summary_of(path: &Path) -> Result<ArchiveSummary> {
    let tiles = archive::open(path)?.tile_count()?;
    let size = std::fs::metadata(path).map_err(Error::io("look at", path))?.len();
    Ok(ArchiveSummary { tiles, contents: tiles, bytes: size, file_size: size })
}

/// Refuses a name that does not say which archive to write, or under which no file can be.
///
/// # Errors
/// Naming the output, and what is expected.
pub(super) fn check_output(output: &Path) -> Result<()> {
    let extension = output.extension().and_then(|e| e.to_str()).unwrap_or_default();
    if ["pmtiles", "mbtiles", "heights"].contains(&extension) {
        return crate::atomic::check_target(output).map(drop);
    }
    Err(Error::argument(
        output.display().to_string(),
        "must end in .pmtiles, .mbtiles or .heights, which says what to write",
    ))
}

/// Looks at the names of a job's outputs before anything is made, and removes what a killed run left beside them, which may
/// be as large as they are.
///
/// # Errors
/// Where one has the wrong extension, is a folder or an input, or its folder is missing; where a file that hypso did not write
/// has the name of the file of inputs.
pub(super) fn check_places(job: &Job<'_>) -> Result<()> {
    check_output(job.output())?;
    for (_, output) in outputs(job) {
        let target = crate::atomic::check_target(&output)?;
        refuse_input(job, &output)?;
        crate::atomic::sweep_files(&target);
    }
    inputs::check_place(job.output())
}

/// Refuses an output that is the store, an archive that tiles are read from, or a raster.
fn refuse_input(job: &Job<'_>, output: &Path) -> Result<()> {
    let finer = job.how.finer.iter().flat_map(|(path, lineage)| [Some(path.as_path()), lineage.as_deref()]).flatten();
    let mut input = job.store.path().into_iter().chain(finer).any(|input| crate::local::same_file(input, output));
    // An archive that a run made is no raster.
    if !input && output.exists() && run_of(output).is_none() {
        for record in job.store.records().iter() {
            input = input || crate::local::same_file(&record.full_path()?, output);
        }
    }
    if input {
        return Err(Error::argument(output.display().to_string(), "is an input as well; choose another output"));
    }
    Ok(())
}

/// Refuses outputs whose names are taken by anything but what this run made.
///
/// # Errors
/// [`Error::Exists`].
pub(super) fn refuse_taken(job: &Job<'_>, run: &str) -> Result<()> {
    let layers = outputs(job);
    let mut paths: Vec<PathBuf> = layers.iter().map(|(_, output)| output.clone()).collect();
    if job.how.keep_intermediates {
        let kept = job.plan.groups.iter().filter(|g| g.kept);
        paths.extend(kept.flat_map(|g| layers.iter().map(|(layer, _)| group_of(job, *layer, g))));
    }
    let taken = |path: &PathBuf| path.symlink_metadata().is_ok() && run_of(path).as_deref() != Some(run);
    match paths.into_iter().find(taken) {
        Some(path) => Err(Error::Exists { path }),
        None => Ok(()),
    }
}
