//! The archive of all shards as an object.

use std::path::Path;

use super::ShardPlan;
use super::make::ShardOptions;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::worker::summary::Summary;

/// Puts the archive together in the current folder, and makes objects of it and of what belongs to it. Where this is interrupted, the files
/// stay: the next call takes them, and sends the parts that are not there.
///
/// # Errors
/// As [`ShardPlan::assemble`].
#[cfg(feature = "remote")]
pub(super) fn assembled(
    plan: &ShardPlan,
    output: &Path,
    options: &ShardOptions,
    overwrite: bool,
    progress: &dyn Progress,
) -> Result<Summary> {
    use crate::archive::send;
    use crate::remote::Place;
    use crate::worker::assemble::run_of;
    use crate::worker::inputs;

    let at = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        let place = Place::of(&output.with_file_name(name));
        place.unwrap_or_else(|| Err(Error::argument(output.display().to_string(), "is no place for an output")))
    };
    let place = at(output)?;
    let run = format!("{:016x}", plan.common.job.run);
    if !overwrite && run_of(output).as_ref() == Some(&run) {
        return Ok(Summary { complete_before: true, ..Summary::default() });
    }
    place.check_output(overwrite)?;
    let local = Path::new(output.file_name().unwrap_or_default()).to_path_buf();
    let mut summary = plan.assembled(&local, options, false, progress)?;
    // The archive last: who sees it finds the others.
    let inputs = inputs::path_of(&local);
    let lineage = summary.lineage.as_ref().map(|(path, _)| path.clone());
    for file in [Some(&summary.report_path), Some(&inputs), lineage.as_ref(), Some(&local)].into_iter().flatten() {
        if file.exists() {
            progress.note(&format!("{}: is sent to {}", file.display(), at(file)?.name()));
            send(file, &at(file)?, overwrite || file != &local)?;
        }
    }
    for (path, _) in summary.output.iter_mut().chain(&mut summary.lineage) {
        *path = output.with_file_name(path.file_name().unwrap_or_default());
    }
    summary.report_path = output.with_file_name(summary.report_path.file_name().unwrap_or_default());
    Ok(summary)
}

#[cfg(not(feature = "remote"))]
pub(super) fn assembled(_: &ShardPlan, output: &Path, _: &ShardOptions, _: bool, _: &dyn Progress) -> Result<Summary> {
    let problem = "lies on a network, and this hypso was built without (the feature remote)";
    Err(Error::argument(output.display().to_string(), problem))
}
