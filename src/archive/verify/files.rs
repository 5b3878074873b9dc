//! The checks of a folder of tiles.

use std::path::Path;

use super::{Report, TileCheck, VerifyOptions, content};
use crate::archive::files::FilesReader;
use crate::archive::named::NamedReader;
use crate::archive::{OnDuplicate, OpenOptions, TileSource, hash};
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
    let total = report.check_tiles(&reader)?;
    content::check_some(&reader, (options.sample, total), check, progress, &mut report)?;
    hash::check(&reader, options, progress, &mut report)?;
    Ok(report)
}

/// Tiles under names of any pattern.
pub(super) fn verify_named(
    reader: &NamedReader,
    options: VerifyOptions,
    check: TileCheck<'_>,
    progress: &dyn Progress,
) -> Result<Report> {
    let mut report = Report::default();
    for odd in reader.warnings().iter().filter(|text| text.starts_with("left out")) {
        report.warning(None, odd, "move what is no tile away, or rewrite it (`archive::convert`)");
    }
    let total = report.check_tiles(reader)?;
    content::check_some(reader, (options.sample, total), check, progress, &mut report)?;
    hash::check(reader, options, progress, &mut report)?;
    Ok(report)
}
