//! Records of a long text, answered by several threads, with the answers in their order.

use std::io::{BufWriter, Read, Write};

use crate::archive::pipeline::{in_order, threads};
use crate::cli::output;
use crate::cli::progress::Terminal;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::LonLat;
use crate::track::{Chunk, Chunks, Coordinate, Layout};

/// The records of a chunk, as they stand in the text, and their points.
pub struct Records<'a, const N: usize> {
    pub texts: Vec<&'a [u8]>,
    pub points: Vec<[LonLat; N]>,
}

/// Writes what `begin` makes of the layout, then the answers to all records, with `between` between two chunks, then `end`. Holds a
/// few chunks for each thread.
pub fn answer<const N: usize>(
    input: impl Read,
    wanted: &[Coordinate],
    columns: Option<&[String]>,
    begin: impl FnOnce(&Layout) -> Vec<u8>,
    work: impl Fn(&Layout, Records<'_, N>, &mut Vec<u8>) -> Result<()> + Sync,
    (between, end): (&[u8], &[u8]),
) -> Result<()> {
    let mut chunks = Chunks::new(input);
    let empty = || Error::invalid("the input", "is empty", "give LON,LAT in each line, CSV or GeoJSON");
    let first = chunks.next().ok_or_else(empty)??;
    let layout = Layout::find(&first, wanted, columns)?;
    let mut out = BufWriter::with_capacity(1 << 20, output::rows());
    let failed = || Error::io("write", "stdout");
    out.write_all(&begin(&layout)).map_err(failed())?;
    let progress = Terminal::default();
    progress.begin("asking for heights", None, "points");
    let chunk_work = |chunk: Chunk| {
        let room = chunk.bytes.len() / 16;
        let mut records = Records { texts: Vec::with_capacity(room), points: Vec::with_capacity(room) };
        layout.each(&chunk, |text, points| {
            records.texts.push(text);
            records.points.push(points);
            Ok(())
        })?;
        let count = records.points.len() as u64;
        let mut answers = Vec::with_capacity(chunk.bytes.len() * 2);
        work(&layout, records, &mut answers)?;
        Ok((answers, count))
    };
    let mut total = 0;
    let all = std::iter::once(Ok(first)).chain(chunks);
    in_order(threads(), all, chunk_work, |(answers, count)| {
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        if total > 0 && count > 0 {
            out.write_all(between).map_err(failed())?;
        }
        out.write_all(&answers).map_err(failed())?;
        progress.advance(count);
        total += count;
        Ok(())
    })?;
    progress.end();
    if total == 0 {
        return Err(Error::invalid("the input", "holds no record", "give LON,LAT in each line, CSV or GeoJSON"));
    }
    out.write_all(end).and_then(|()| out.flush()).map_err(failed())
}
