//! One archive into another: between the formats, or a part of it.

use super::pass::pass;
use super::seen::Seen;
use super::{ArchiveSummary, Selection, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Copies the chosen tiles of `source` into `sink`, byte by byte, and finishes it. Between files of heights pixels and sources go over
/// without images.
///
/// Make the sink with [`Selection::metadata`]. Streams on all processors: memory does not grow with the source. Metadata that the
/// tiles belie (format, compression, bounds that leave tiles out, a centre elsewhere) are corrected, with a note to `progress`.
///
/// # Errors
/// Where no tile is chosen, the source can't be read, the sink can't be written, or the user interrupts.
pub fn convert(
    source: &dyn TileSource,
    sink: Box<dyn TileSink>,
    selection: &Selection,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    convert_as(source, sink, selection, &[], progress)
}

/// As [`convert`], with the keys of the metadata that the user set: these are kept as they are.
///
/// # Errors
/// As [`convert`]; where a value that was set can't be true.
pub fn convert_as(
    source: &dyn TileSource,
    mut sink: Box<dyn TileSink>,
    selection: &Selection,
    set: &[&str],
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    let filter = selection.filter()?;
    let whole = *selection == Selection::default();
    progress.begin("copying tiles", if whole { Some(source.tile_count()?) } else { None }, "tiles");
    if let Some(archive) = source.as_pmtiles().filter(|_| !whole) {
        archive.plan(&filter)?;
    }
    let tiles = filter.chosen(source)?.map(|tile| tile.map(|tile| (0, tile)));
    let mut seen = Seen::new(sink.metadata_mut());
    let copied = pass(&[source], tiles, sink.as_mut(), &mut seen, progress)?;
    progress.end();
    if copied == 0 {
        return Err(nothing_chosen(source));
    }
    tell(&[source], progress);
    if !source.notes().is_empty() || source.as_heights().is_some() || sink.as_heights().is_some() {
        // The tiles have other bytes than they had there.
        sink.metadata_mut().forget_contents();
    }
    seen.finish(sink, set, source.path(), progress)
}

/// Says what was corrected while the tiles were read.
pub(crate) fn tell(inputs: &[&dyn TileSource], progress: &dyn Progress) {
    for input in inputs {
        for note in input.notes() {
            progress.note(&format!("warning: {}: {note}", input.path().display()));
        }
    }
}

/// A selection that leaves no tile.
pub(crate) fn nothing_chosen(source: &dyn TileSource) -> Error {
    Error::invalid("tiles", "none is chosen", "check the zooms and the area against what `archive::summary` shows")
        .with_path(source.path())
}
