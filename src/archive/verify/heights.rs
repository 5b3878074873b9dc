//! The checks of a file of heights.

use std::path::Path;

use super::{Report, TileCheck, VerifyOptions, content};
use crate::archive::heights::HeightsReader;
use crate::container::Schema as _;
use crate::error::Result;
use crate::progress::Progress;

pub(super) fn verify(
    path: &Path,
    options: VerifyOptions,
    check: TileCheck<'_>,
    progress: &dyn Progress,
) -> Result<Report> {
    let reader = HeightsReader::open(path)?;
    let mut report = Report::default();
    for problem in reader.heights().container().verify_checksums() {
        let problem = format!("section {:?}: {}", problem.section, problem.problem);
        report.error(None, problem, "the file was altered: make it again");
    }
    if options.sample.is_none() {
        for fault in reader.heights().verify(progress)? {
            report.failure(None, "", &fault);
        }
    }
    let total = report.check_tiles(&reader)?;
    // Every block was read above; the images that tiles become are looked at where a sample of tiles is asked for.
    let Some(sample) = options.sample else {
        report.checked = reader.heights().contents() as u64;
        return Ok(report);
    };
    content::check_some(&reader, (Some(sample), total), check, progress, &mut report)?;
    Ok(report)
}
