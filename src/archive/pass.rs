//! Tiles that go from inputs to an output as they are.

use std::path::Path;

use super::heights::{self, HeightsReader};
use super::pipeline::read_all;
use super::seen::Seen;
use super::{Located, TileSink, TileSource};
use crate::error::Result;
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
    read_all(inputs, chosen, progress, |tile, bytes| {
        count += 1;
        seen.put(sink, tile, bytes).map_err(|error| error.with_path(from))
    })?;
    Ok(count)
}
