//! Archives merged zoom by zoom, the finest first, because a coarser tile can be the mean of merged finer ones.
//!
//! Tile ids run the other way. So what is re-encoded waits in a file on the output's volume, and a record of each tile in
//! another one; at the end both are read in the order of tile ids, and what stayed as it was is copied from the inputs.

use std::iter::Peekable;
use std::ops::Range;
use std::path::Path;

use crate::archive::join::{Holders, Join};
use crate::archive::pipeline::{batches, in_order, threads};
use crate::archive::seen::Seen;
use crate::archive::{ArchiveSummary, Located, TileSink, TileSource};
use crate::atomic::ScratchFile;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::{MAX_ZOOM, TileCoord, TileId};

/// Tiles in one piece of work.
const BATCH: usize = 8;
/// The size of a record in the file, bytes: the id, and for each plane a number, an offset and a length.
const RECORD_BYTES: usize = 8 + PLANES * 14;
/// Records that are read or written at once.
const RECORDS: usize = 2048;
/// Heights and lineage.
pub(super) const PLANES: usize = 2;
/// The plane of heights.
pub(super) const HEIGHTS: usize = 0;
/// The plane of lineage.
pub(super) const LINEAGE: usize = 1;

/// What happens to a plane of a tile.
#[derive(Debug)]
pub(super) enum Content {
    /// There is no such plane.
    Nothing,
    /// That of an input, as it is.
    Input(usize, Located),
    /// A new one.
    New(Vec<u8>),
}

/// Where what a plane became can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Nothing,
    Input(usize, Located),
    /// In the file beside the output.
    New {
        offset: u64,
        bytes: u32,
    },
}

/// How tiles are merged.
pub(super) trait Merger: Sync {
    /// A tile that the `holders` have, above the finer ones of the output.
    fn merge(&self, tile: TileCoord, holders: &Holders, finer: &Finer<'_>) -> Result<[Content; PLANES]>;

    /// A plane of an input's tile as it is written.
    fn read(&self, plane: usize, input: usize, at: Located) -> Result<Vec<u8>>;
}

/// A tile below another one and its planes, where there is one.
type Child = Option<(TileId, [Place; PLANES])>;

/// A tile as it is written: the bytes of its planes.
type Written = (TileId, [Option<Vec<u8>>; PLANES]);

/// The tiles of the output below a tile: north-west, north-east, south-west, south-east.
pub(super) struct Finer<'a> {
    pub(super) tiles: [Child; 4],
    scratch: &'a ScratchFile,
}

impl Finer<'_> {
    /// True where a plane of all of them is that of an input.
    pub(super) fn are_of(&self, plane: usize, input: usize) -> bool {
        self.tiles.iter().flatten().all(|(_, places)| matches!(places[plane], Place::Input(n, _) if n == input))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tiles.iter().all(Option::is_none)
    }

    /// The bytes of what was made for this output.
    pub(super) fn made(&self, offset: u64, bytes: u32) -> Result<Vec<u8>> {
        read_made(self.scratch, offset, bytes)
    }
}

fn read_made(scratch: &ScratchFile, offset: u64, bytes: u32) -> Result<Vec<u8>> {
    let mut out = vec![0; bytes as usize];
    scratch.read(&mut out, offset)?;
    Ok(out)
}

/// A tile of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    id: TileId,
    places: [Place; PLANES],
}

/// Numbers of inputs end below these two.
const NOTHING: u16 = u16::MAX;
const NEW: u16 = u16::MAX - 1;

impl Record {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.id.0.to_le_bytes());
        for place in self.places {
            let (number, offset, bytes) = match place {
                Place::Nothing => (NOTHING, 0, 0),
                Place::New { offset, bytes } => (NEW, offset, bytes),
                Place::Input(n, at) => (n as u16, at.place, at.bytes),
            };
            out.extend(number.to_le_bytes());
            out.extend(offset.to_le_bytes());
            out.extend(bytes.to_le_bytes());
        }
    }

    fn read(from: &[u8; RECORD_BYTES]) -> Self {
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| from[at + i]));
        let id = TileId(u64_at(0));
        let places = std::array::from_fn(|plane| {
            let at = 8 + plane * 14;
            let number = u16::from_le_bytes([from[at], from[at + 1]]);
            let (place, bytes) = (u64_at(at + 2), u32::from_le_bytes(std::array::from_fn(|i| from[at + 10 + i])));
            match number {
                NOTHING => Place::Nothing,
                NEW => Place::New { offset: place, bytes },
                n => Place::Input(n.into(), Located { id, place, bytes }),
            }
        });
        Self { id, places }
    }
}

/// Records in their order, read as they are needed. Ends after the first error.
struct Records<'a> {
    scratch: &'a ScratchFile,
    rest: Range<u64>,
    held: std::vec::IntoIter<Record>,
}

impl<'a> Records<'a> {
    fn new(scratch: &'a ScratchFile, rest: Range<u64>) -> Self {
        Self { scratch, rest, held: Vec::new().into_iter() }
    }

    fn fill(&mut self) -> Result<()> {
        let size = (self.rest.end - self.rest.start).min((RECORDS * RECORD_BYTES) as u64);
        let mut bytes = vec![0; size as usize];
        let start = self.rest.start;
        self.rest.start = self.rest.end;
        self.scratch.read(&mut bytes, start)?;
        self.rest.start = start + size;
        self.held = bytes.as_chunks().0.iter().map(Record::read).collect::<Vec<_>>().into_iter();
        Ok(())
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.held.len() == 0
            && !self.rest.is_empty()
            && let Err(error) = self.fill()
        {
            return Some(Err(error));
        }
        self.held.next().map(Ok)
    }
}

/// The output's tiles below a tile; tiles are asked for in their order.
fn below(tile: TileCoord, records: &mut Peekable<Records<'_>>) -> Result<[Child; 4]> {
    let mut out = [None; 4];
    if tile.z() >= MAX_ZOOM {
        return Ok(out);
    }
    let ids = TileId::subtree(tile, tile.z() + 1);
    while let Some(record) = records.next_if(|record| record.as_ref().map_or(true, |record| record.id.0 < ids.end)) {
        let record = record?;
        // Those before have no tile above them.
        if let Some(child) = record.id.coord().filter(|_| ids.contains(&record.id.0)) {
            out[(child.x() & 1 | (child.y() & 1) << 1) as usize] = Some((record.id, record.places));
        }
    }
    Ok(out)
}

/// What was made so far, in two files beside the output.
struct Kept<'a> {
    contents: &'a ScratchFile,
    /// Bytes of contents.
    filled: u64,
    records: &'a ScratchFile,
    /// Bytes of records.
    recorded: u64,
    /// Records that are not written yet.
    waiting: Vec<u8>,
}

impl Kept<'_> {
    /// Adds a tile.
    fn put(&mut self, id: TileId, planes: [Content; PLANES]) -> Result<()> {
        let mut places = [Place::Nothing; PLANES];
        for (place, content) in places.iter_mut().zip(planes) {
            *place = match content {
                Content::Nothing => Place::Nothing,
                Content::Input(n, at) => Place::Input(n, at),
                Content::New(bytes) => {
                    self.contents.write(&bytes, self.filled)?;
                    let offset = self.filled;
                    self.filled += bytes.len() as u64;
                    Place::New { offset, bytes: bytes.len() as u32 }
                }
            };
        }
        Record { id, places }.write(&mut self.waiting);
        if self.waiting.len() >= RECORDS * RECORD_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes the records that wait.
    fn flush(&mut self) -> Result<()> {
        self.records.write(&self.waiting, self.recorded)?;
        self.recorded += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

/// Merges all tiles of the inputs into the sinks of the planes, and finishes them.
///
/// Beside the output it takes the space of what is re-encoded, and 36 bytes a tile.
pub(super) fn merge(
    inputs: &[&dyn TileSource],
    merger: &impl Merger,
    mut sinks: [Option<Box<dyn TileSink>>; PLANES],
    progress: &dyn Progress,
) -> Result<[Option<ArchiveSummary>; PLANES]> {
    if inputs.len() >= usize::from(NEW) {
        return Err(Error::argument("inputs", format!("are {}; merge fewer than {NEW} at once", inputs.len())));
    }
    let Some(sink) = sinks.iter().flatten().next() else { return Ok([None; PLANES]) };
    let (contents, records) = (sink.scratch()?, sink.scratch()?);
    let (zooms, total) = zooms(inputs, progress)?;
    progress.begin("merging pixels", Some(total), "tiles");
    let mut kept = Kept { contents: &contents, filled: 0, records: &records, recorded: 0, waiting: Vec::new() };
    let mut done: Vec<(u8, Range<u64>)> = Vec::new();
    for zoom in zooms.into_iter().rev() {
        let finer = done.last().filter(|(z, _)| *z == zoom + 1).map_or(0..0, |(_, range)| range.clone());
        let mut finer = Records::new(&records, finer).peekable();
        let jobs = Join::of_zoom(inputs, zoom)?.filter_map(|holders| {
            let job = holders.and_then(|holders| {
                let Some(tile) = holders.id.coord() else { return Ok(None) };
                Ok(Some((tile, holders, below(tile, &mut finer)?)))
            });
            job.transpose()
        });
        let work = |batch: Vec<(TileCoord, Holders, _)>| -> Result<Vec<_>> {
            let merged = |(tile, holders, tiles): (TileCoord, Holders, _)| {
                let merged = merger.merge(tile, &holders, &Finer { tiles, scratch: &contents })?;
                Ok((holders.id, 1 + holders.others.len() as u64, merged))
            };
            batch.into_iter().map(merged).collect()
        };
        let first = kept.recorded;
        in_order(threads(), batches(jobs, BATCH, progress), work, |merged| {
            for (id, count, planes) in merged {
                kept.put(id, planes)?;
                progress.advance(count);
            }
            Ok(())
        })?;
        kept.flush()?;
        done.push((zoom, first..kept.recorded));
    }
    progress.end();
    progress.begin("writing tiles", Some(kept.recorded / RECORD_BYTES as u64), "tiles");
    let all = done.iter().rev().flat_map(|(_, range)| Records::new(&records, range.clone()));
    write(all, merger, &contents, &mut sinks, progress, inputs.first().map_or(Path::new(""), |input| input.path()))
}

/// Writes the tiles of all records, in the order of their ids, into the sinks and finishes these. `path` stands for the inputs in messages.
fn write<'a>(
    records: impl Iterator<Item = Result<Record>> + Send + 'a,
    merger: &impl Merger,
    contents: &ScratchFile,
    sinks: &mut [Option<Box<dyn TileSink>>; PLANES],
    progress: &dyn Progress,
    path: &Path,
) -> Result<[Option<ArchiveSummary>; PLANES]> {
    let mut seen: Vec<Option<Seen>> =
        sinks.iter_mut().map(|sink| sink.as_mut().map(|sink| Seen::new(sink.metadata_mut()))).collect();
    let work = |batch: Vec<Record>| -> Result<Vec<Written>> {
        let read = |record: Record| {
            let mut out = [const { None }; PLANES];
            for (plane, (bytes, place)) in out.iter_mut().zip(record.places).enumerate() {
                *bytes = match place {
                    Place::Nothing => None,
                    Place::Input(n, at) => Some(merger.read(plane, n, at)?),
                    Place::New { offset, bytes } => Some(read_made(contents, offset, bytes)?),
                };
            }
            Ok((record.id, out))
        };
        batch.into_iter().map(read).collect()
    };
    in_order(threads(), batches(records, BATCH, progress), work, |tiles| {
        for (id, planes) in tiles {
            let Some(tile) = id.coord() else { continue };
            for ((sink, seen), bytes) in sinks.iter_mut().zip(&mut seen).zip(planes) {
                if let (Some(sink), Some(seen), Some(bytes)) = (sink, seen, bytes) {
                    seen.put(sink.as_mut(), tile, &bytes)?;
                }
            }
            progress.advance(1);
        }
        Ok(())
    })?;
    progress.end();
    let mut summaries = [None; PLANES];
    for ((sink, seen), summary) in sinks.iter_mut().map(Option::take).zip(seen).zip(&mut summaries) {
        if let (Some(sink), Some(seen)) = (sink, seen) {
            *summary = Some(seen.finish(sink, &[], path, progress)?);
        }
    }
    Ok(summaries)
}

/// The zooms that have tiles, ascending, and the number of tiles of all inputs.
fn zooms(inputs: &[&dyn TileSource], progress: &dyn Progress) -> Result<(Vec<u8>, u64)> {
    /// Tiles that are counted between two checks for an interruption.
    const ASKED: u64 = 1 << 16;
    let (mut found, mut total) = ([false; 32], 0u64);
    for input in inputs {
        let mut zoom = (0, 0..0);
        for tile in input.tiles()? {
            let id = tile?.id;
            if !zoom.1.contains(&id.0) {
                let Some(next) = id.zoom() else { continue };
                zoom = (usize::from(next), TileId::zoom_range(next));
            }
            found[zoom.0] = true;
            total += 1;
            if total.is_multiple_of(ASKED) && progress.interrupted() {
                return Err(Error::Interrupted);
            }
        }
    }
    Ok(((0..32).filter(|&zoom| found[usize::from(zoom)]).collect(), total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back() {
        let id = TileId(77);
        let places = [
            Place::Nothing,
            Place::New { offset: 1 << 40, bytes: 5 },
            Place::Input(65_533, Located { id, place: Located::NOWHERE, bytes: 9 }),
        ];
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            let record = Record { id, places: [places[a], places[b]] };
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            assert_eq!(Record::read(bytes.as_slice().try_into().unwrap()), record);
        }
    }
}
