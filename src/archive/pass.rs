//! Tiles that go from inputs to an output as they are.

use std::ops::Range;
use std::path::Path;

use super::heights::{self, HeightsReader};
use super::pipeline::{Batch, read_all, threads};
use super::pmtiles::{Placed, Places, with_writers};
use super::seen::Seen;
use super::{Located, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Puts the chosen tiles, each from the input of its number, into `sink`, and gives how many there were. Files of heights give
/// their pixels to a file of heights; all else goes over as bytes.
///
/// # Errors
/// Those of the inputs, of `chosen` and of the sink; where the user interrupts.
pub(super) fn pass(
    inputs: &[&dyn TileSource],
    chosen: impl Iterator<Item = Result<(usize, Located)>> + Send,
    sink: &mut dyn TileSink,
    seen: &mut Seen,
    progress: &dyn Progress,
) -> Result<u64> {
    let mut count = 0;
    if let Some(readers) = inputs.iter().map(|input| input.as_heights()).collect::<Option<Vec<&HeightsReader>>>()
        && let Some(out) = sink.as_heights()
    {
        heights::copy(&readers, chosen, out, progress, |tile, format| {
            count += 1;
            seen.saw(tile, format)
        })?;
        return Ok(count);
    }
    let from = if let [only] = inputs { only.path() } else { Path::new("the inputs") };
    let Some(places) = sink.as_pmtiles().map(|sink| sink.places()).transpose()? else {
        read_all(inputs, chosen, false, progress, |batch| put(&batch, sink, seen, &mut count, from))?;
        return Ok(count);
    };
    let mut first = true;
    with_writers(threads(), &places, |writers| {
        read_all(inputs, chosen, true, progress, |batch| {
            // The first of them tell what they are.
            if std::mem::take(&mut first) {
                return put(&batch, sink, seen, &mut count, from);
            }
            let sink = sink.as_pmtiles().ok_or_else(|| Error::internal("an archive without places"))?;
            let mut spans: Vec<Span> = Vec::new();
            for (tile, content, range) in batch.hashed() {
                count += 1;
                let bytes = batch.bytes(range.clone());
                let len = u32::try_from(bytes.len()).unwrap_or(0);
                let place = seen.look(tile, bytes).and_then(|()| sink.place(tile, content, len));
                if let Some(place) = place.map_err(|error| error.with_path(from))? {
                    match spans.last_mut().filter(|last| last.ends_at(&range, place)) {
                        Some(last) => last.range.end = range.end,
                        None => spans.push(Span { range, place }),
                    }
                }
            }
            writers.write(PlacedBatch { batch, spans })
        })
    })?;
    Ok(count)
}

/// Puts the tiles of a batch one after another.
fn put(batch: &Batch, sink: &mut dyn TileSink, seen: &mut Seen, count: &mut u64, from: &Path) -> Result<()> {
    batch.iter().try_for_each(|(tile, bytes)| {
        *count += 1;
        seen.put(sink, tile, bytes).map_err(|error| error.with_path(from))
    })
}

/// Contents that lie side by side, in the batch and in the archive.
struct Span {
    range: Range<usize>,
    place: u64,
}

impl Span {
    fn ends_at(&self, range: &Range<usize>, place: u64) -> bool {
        self.range.end == range.start && self.place + self.range.len() as u64 == place
    }
}

struct PlacedBatch {
    batch: Batch,
    spans: Vec<Span>,
}

impl Placed for PlacedBatch {
    fn write(&self, places: &Places) -> Result<()> {
        self.spans.iter().try_for_each(|span| places.write(self.batch.bytes(span.range.clone()), span.place))
    }
}
