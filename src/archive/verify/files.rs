//! The checks of a folder of tiles.

use std::path::Path;

use super::content::{Contents, stride};
use super::{Outside, Report, TileCheck, VerifyOptions};
use crate::archive::coverage::Coverage;
use crate::archive::files::FilesReader;
use crate::archive::{Located, OnDuplicate, OpenOptions, TileSource};
use crate::error::Result;
use crate::progress::Progress;

pub(super) fn verify(
    path: &Path,
    options: VerifyOptions,
    open: OpenOptions,
    check: TileCheck<'_>,
    progress: &dyn Progress,
) -> Result<Report> {
    // Two files of one tile that differ are a finding: what opening says goes into the report.
    let reader = FilesReader::open_with(path, OpenOptions { on_duplicate: OnDuplicate::Error, ..open })?;
    let mut report = Report::default();
    if let Some(odd) = reader.about_scheme() {
        report.warning(None, odd, "give the `scheme` where it is another, or write it into metadata.json");
    }
    for odd in
        reader.warnings().iter().filter(|text| text.starts_with("left out") || text.starts_with("its metadata say"))
    {
        report.warning(
            None,
            odd,
            "move what is no tile away; correct metadata.json, or rewrite it (`archive::convert`)",
        );
    }
    let mut coverage = Coverage::new();
    let (mut total, mut outside) = (0u64, Outside::of(reader.metadata()));
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
    let step = stride(options.sample, total);
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
