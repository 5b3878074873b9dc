//! The checks of a folder of tiles.

use std::path::Path;

use super::content::{Contents, stride};
use super::{Report, TileCheck, VerifyOptions};
use crate::archive::coverage::Coverage;
use crate::archive::files::FilesReader;
use crate::archive::{Located, TileSource};
use crate::error::Result;
use crate::progress::Progress;

pub(super) fn verify(
    path: &Path,
    options: VerifyOptions,
    check: TileCheck<'_>,
    progress: &dyn Progress,
) -> Result<Report> {
    let reader = FilesReader::open(path)?;
    let mut report = Report::default();
    let mut coverage = Coverage::new();
    let mut total = 0u64;
    for tile in reader.tiles()? {
        coverage.push(tile?.id, 1);
        total += 1;
    }
    report.check_coverage(coverage, None);
    report.check_metadata(reader.metadata());
    let step = stride(options.sample, total);
    progress.begin("decoding tiles", Some(total.div_ceil(step)), "tiles");
    let read = |tile: &Located| {
        let mut bytes = Vec::new();
        reader.read(*tile, &mut bytes).map(|()| Some(bytes))
    };
    let contents = Contents { read: &read, declared: &reader.metadata().format, check, progress };
    let chosen = reader.tiles()?.filter_map(Result::ok).enumerate().filter(|(n, _)| (*n as u64).is_multiple_of(step));
    contents.check_all(&mut chosen.filter_map(|(_, tile)| Some((tile.id.coord()?, tile))), &mut report)?;
    progress.end();
    Ok(report)
}
