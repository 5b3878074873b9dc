//! The checks of a file of heights.

use std::path::Path;

use super::content::{Contents, stride};
use super::{Outside, Report, TileCheck, VerifyOptions};
use crate::archive::coverage::Coverage;
use crate::archive::heights::HeightsReader;
use crate::archive::{Located, TileSource};
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
    let (mut coverage, mut outside, mut total) = (Coverage::new(), Outside::of(reader.metadata()), 0u64);
    for tile in reader.tiles()? {
        let id = tile?.id;
        coverage.push(id, 1);
        id.coord().iter().for_each(|&tile| outside.look(tile));
        total += 1;
    }
    let (extent, zooms) = report.check_coverage(coverage, None);
    report.check_place(reader.metadata(), extent, &outside);
    if let (Some(center), Some(zooms)) = (reader.metadata().center, zooms) {
        report.check_center_zoom(center.zoom, zooms);
    }
    report.check_metadata(reader.metadata());
    // Every block was read above; the images that tiles become are looked at where a sample of tiles is asked for.
    let Some(sample) = options.sample else {
        report.checked = reader.heights().contents() as u64;
        return Ok(report);
    };
    let step = stride(Some(sample), total);
    progress.begin("decoding tiles", Some(total.div_ceil(step)), "tiles");
    let read = |tile: &Located| {
        let mut bytes = Vec::new();
        reader.read(*tile, &mut bytes).map(|()| Some(bytes))
    };
    let contents = Contents::new(&read, reader.metadata(), check, progress);
    let chosen = reader.tiles()?.filter_map(Result::ok).enumerate().filter(|(n, _)| (*n as u64).is_multiple_of(step));
    contents.check_all(&mut chosen.filter_map(|(_, tile)| Some((tile.id.coord()?, tile))), &mut report)?;
    progress.end();
    Ok(report)
}
