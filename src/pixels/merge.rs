//! Archives that overlap, merged pixel by pixel, with their lineage where they have one.
//!
//! Every zoom is merged by itself. A tile that one input holds alone is copied byte by byte; one that several hold is
//! decoded, combined by the [`Rule`] and encoded again, unless the first input gives every pixel of it.

use serde_json::Value;

use super::coding::{Coding, VERTICAL};
use super::combine::{NO_INPUT, Rule, combine};
use super::legend::{Legends, unite_sources};
use crate::archive::join::{Holders, Join};
use crate::archive::pipeline::{batches, in_order, threads};
use crate::archive::{self, ArchiveMetadata, ArchiveSummary, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::terrain::{self, ElevationTile, ImageFormat, NO_SOURCE, TileCodec, VerticalResolution};
use crate::tile::TileCoord;

/// Tiles in one piece of work.
const BATCH: usize = 8;

/// How overlapping pixels are merged.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PixelMerge {
    /// Which value wins.
    pub rule: Rule,
    /// A height that means nodata, metres, besides masks and transparent pixels.
    pub nodata: Option<f64>,
}

/// The lineage archives of the inputs, in the same order, and where the merged lineage goes.
pub struct LineageMerge<'a> {
    /// One for each input.
    pub inputs: &'a [&'a dyn TileSource],
    /// Made with [`merged_lineage_metadata`].
    pub sink: Box<dyn TileSink>,
}

/// The metadata of merged lineage: as [`archive::merged_metadata`], with the legends united by the names of sources.
///
/// # Errors
/// As [`archive::merged_metadata`]; where one input has a legend and another has none.
pub fn merged_lineage_metadata(inputs: &[&dyn TileSource]) -> Result<ArchiveMetadata> {
    let mut metadata = archive::merged_metadata(inputs)?;
    let legends = Legends::unite(inputs)?;
    if !legends.legend.is_null() {
        metadata.other.insert("legend".into(), legends.legend);
    }
    unite_lists(&mut metadata, inputs);
    Ok(metadata)
}

/// The list of sources holds those of all inputs.
fn unite_lists(metadata: &mut ArchiveMetadata, inputs: &[&dyn TileSource]) {
    let lists: Vec<&Value> = inputs.iter().filter_map(|input| input.metadata().other.get("sources")).collect();
    if lists.len() > 1 {
        metadata.other.insert("sources".into(), unite_sources(&lists));
    }
}

/// Merges archives of heights pixel by pixel into `sink`, which [`archive::merged_metadata`] described, and finishes it; with
/// `lineage`, its pixels follow the heights that won. Gives the lineage's summary as well.
///
/// # Errors
/// Where the inputs differ in encoding or tile size, are no heights, can't be read, or a tile can't be decoded; where a sink
/// can't be written or the user interrupts.
pub fn merge_pixels(
    inputs: &[&dyn TileSource],
    mut sink: Box<dyn TileSink>,
    options: PixelMerge,
    lineage: Option<LineageMerge<'_>>,
    progress: &dyn Progress,
) -> Result<(ArchiveSummary, Option<ArchiveSummary>)> {
    archive::merged_metadata(inputs)?;
    let mut codecs = Vec::new();
    for input in inputs {
        match Coding::of(*input)? {
            Coding::Elevation(codec) => codecs.push(codec),
            Coding::Lineage(_) => {
                let problem = "holds lineage; merge it alone, or beside its heights with --lineage";
                return Err(Error::argument(input.path().display().to_string(), problem));
            }
        }
    }
    unite_lists(sink.metadata_mut(), inputs);
    let codec = merged_codec(&codecs, sink.metadata_mut())?;
    let (rows, mut lineage_sink) = match lineage {
        Some(LineageMerge { inputs: archives, sink }) => {
            if archives.len() != inputs.len() {
                return Err(Error::argument("--lineage", "expected one lineage archive for each input"));
            }
            (Some(Lineage::new(archives)?), Some(sink))
        }
        None => (None, None),
    };
    let heights = Heights { inputs, codec, options, lineage: rows.as_ref() };
    progress.begin("merging pixels", Some(total(inputs)?), "tiles");
    let work = |batch: Vec<Holders>| -> Result<Vec<Merged>> {
        batch
            .into_iter()
            .filter_map(|holders| Some((holders.id.coord()?, holders)))
            .map(|(t, h)| heights.merge(t, &h))
            .collect()
    };
    in_order(threads(), batches(Join::new(inputs)?, BATCH, progress), work, |merged: Vec<Merged>| {
        for tile in merged {
            progress.advance(tile.inputs);
            sink.put(tile.tile, &tile.bytes)?;
            if let (Some(sink), Some(bytes)) = (&mut lineage_sink, tile.lineage) {
                sink.put(tile.tile, &bytes)?;
            }
        }
        Ok(())
    })?;
    progress.end();
    let summary = sink.finish()?;
    Ok((summary, lineage_sink.map(|sink| sink.finish()).transpose()?))
}

/// Merges lineage archives by themselves: the first input that names a source wins the pixel.
///
/// # Errors
/// As [`merge_pixels`].
pub fn merge_lineage(
    inputs: &[&dyn TileSource],
    mut sink: Box<dyn TileSink>,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    let lineage = Lineage::new(inputs)?;
    progress.begin("merging lineage", Some(total(inputs)?), "tiles");
    let work = |batch: Vec<Holders>| -> Result<Vec<(TileCoord, u64, Vec<u8>)>> {
        let mut out = Vec::with_capacity(batch.len());
        for holders in batch {
            let Some(tile) = holders.id.coord() else { continue };
            let planes = holders.iter().map(|(n, _)| n).collect::<Vec<_>>();
            out.push((tile, planes.len() as u64, lineage.first_of(tile, &planes)?));
        }
        Ok(out)
    };
    in_order(threads(), batches(Join::new(inputs)?, BATCH, progress), work, |merged: Vec<_>| {
        for (tile, count, bytes) in merged {
            progress.advance(count);
            sink.put(tile, &bytes)?;
        }
        Ok(())
    })?;
    progress.end();
    sink.finish()
}

fn total(inputs: &[&dyn TileSource]) -> Result<u64> {
    inputs.iter().try_fold(0u64, |sum, input| Ok(sum.saturating_add(input.tile_count()?)))
}

/// The codec of the output; heights keep the step by zoom only where all inputs have it.
fn merged_codec(codecs: &[TileCodec], metadata: &mut ArchiveMetadata) -> Result<TileCodec> {
    let Some(first) = codecs.first() else {
        return Err(Error::argument("inputs", "expected at least one archive to merge"));
    };
    let mut codec = *first;
    if codecs.iter().any(|other| other.vertical != codec.vertical) {
        codec.vertical = VerticalResolution::Full;
        metadata.other.insert(VERTICAL.into(), "full".into());
    }
    Ok(codec)
}

struct Merged {
    tile: TileCoord,
    inputs: u64,
    bytes: Vec<u8>,
    lineage: Option<Vec<u8>>,
}

struct Heights<'a> {
    inputs: &'a [&'a dyn TileSource],
    codec: TileCodec,
    options: PixelMerge,
    lineage: Option<&'a Lineage<'a>>,
}

impl Heights<'_> {
    fn merge(&self, tile: TileCoord, holders: &Holders) -> Result<Merged> {
        let (first, located) = holders.first;
        let mut bytes = Vec::new();
        self.inputs[first].read(located, &mut bytes)?;
        let count = holders.iter().count() as u64;
        if holders.others.is_empty() {
            let lineage = self.lineage.map(|l| l.first_of(tile, &[first])).transpose()?;
            return Ok(Merged { tile, inputs: count, bytes, lineage });
        }
        let mut tiles = vec![(first, self.decode(first, tile, &bytes)?)];
        for &(n, located) in &holders.others {
            let mut other = Vec::new();
            self.inputs[n].read(located, &mut other)?;
            tiles.push((n, self.decode(n, tile, &other)?));
        }
        let planes: Vec<&ElevationTile> = tiles.iter().map(|(_, t)| t).collect();
        let Some(mut merged) = combine(&planes, self.options.rule, self.options.nodata.map(|v| v as f32)) else {
            let sizes: Vec<String> = planes.iter().map(|t| format!("{} px", t.size)).collect();
            let problem = format!("has {} in its inputs", sizes.join(", "));
            let remedy =
                "tiles of one size can be merged: make one of the inputs again, or convert it with --tile-size";
            return Err(Error::invalid(format!("tile {tile}"), problem, remedy).with_path(self.inputs[first].path()));
        };
        self.codec.quantize(tile.z(), &mut merged.tile);
        // Without a gap that another filled, the first tile stays byte by byte; so does one without any height.
        if merged.tile != tiles[0].1 && !merged.tile.is_empty() {
            bytes = self.codec.encode(&merged.tile)?;
        }
        let winners = |at: usize| tiles.get(usize::from(merged.winners[at])).map(|(n, _)| *n);
        let lineage = self.lineage.map(|l| l.of_winners(tile, &merged.winners, winners)).transpose()?;
        Ok(Merged { tile, inputs: count, bytes, lineage })
    }

    fn decode(&self, input: usize, tile: TileCoord, bytes: &[u8]) -> Result<ElevationTile> {
        self.codec.decode(bytes).map_err(|error| of_tile(error, tile, self.inputs[input]))
    }
}

/// An error of a tile's picture, with tile and archive.
pub(super) fn of_tile(error: Error, tile: TileCoord, source: &dyn TileSource) -> Error {
    match error {
        Error::Invalid { path: None, part, problem, remedy } => {
            Error::invalid(format!("tile {tile}: {part}"), problem, remedy).with_path(source.path())
        }
        other => other,
    }
}

/// Lineage archives under one legend.
struct Lineage<'a> {
    inputs: &'a [&'a dyn TileSource],
    legends: Legends,
    format: ImageFormat,
}

impl<'a> Lineage<'a> {
    fn new(inputs: &'a [&'a dyn TileSource]) -> Result<Self> {
        let mut format = ImageFormat::Webp;
        for input in inputs.iter().rev() {
            format = match Coding::of(*input)? {
                Coding::Lineage(format) => format,
                Coding::Elevation(_) => {
                    let problem = "holds heights, expected lineage";
                    return Err(Error::argument(input.path().display().to_string(), problem));
                }
            };
        }
        Ok(Self { inputs, legends: Legends::unite(inputs)?, format })
    }

    fn plane(&self, input: usize, tile: TileCoord) -> Result<Option<(u32, Vec<u8>)>> {
        let Some(bytes) = self.inputs[input].tile(tile)? else { return Ok(None) };
        terrain::decode_lineage(&bytes).map(Some).map_err(|error| of_tile(error, tile, self.inputs[input]))
    }

    /// The tile in which each pixel takes the source of the first input that has one.
    fn first_of(&self, tile: TileCoord, inputs: &[usize]) -> Result<Vec<u8>> {
        if let [only] = inputs
            && self.legends.keeps(*only)
            && let Some(bytes) = self.inputs[*only].tile(tile)?
        {
            return Ok(bytes);
        }
        let mut out: Option<(u32, Vec<u8>)> = None;
        for &n in inputs {
            let Some((size, plane)) = self.plane(n, tile)? else { continue };
            let (side, merged) = out.get_or_insert_with(|| (size, vec![NO_SOURCE; plane.len()]));
            if *side != size {
                return Err(self.other_size(tile, n, size, *side));
            }
            for (to, &from) in merged.iter_mut().zip(&plane) {
                if *to == NO_SOURCE {
                    *to = self.legends.number(n, from);
                }
            }
        }
        let Some((size, plane)) = out else { return Err(self.missing(tile, inputs.first().copied().unwrap_or(0))) };
        terrain::encode_lineage(size, &plane, self.format)
    }

    /// The tile in which each pixel takes the source of the input that won it.
    fn of_winners(
        &self,
        tile: TileCoord,
        winners: &[u8],
        input_of: impl Fn(usize) -> Option<usize>,
    ) -> Result<Vec<u8>> {
        let mut planes: Vec<Option<Vec<u8>>> = vec![None; self.inputs.len()];
        let mut out = vec![NO_SOURCE; winners.len()];
        let side = (winners.len() as f64).sqrt() as u32;
        for (at, to) in out.iter_mut().enumerate().filter(|(at, _)| winners[*at] != NO_INPUT) {
            let Some(n) = input_of(at) else { continue };
            if planes[n].is_none() {
                let (size, plane) = self.plane(n, tile)?.ok_or_else(|| self.missing(tile, n))?;
                if size != side {
                    return Err(self.other_size(tile, n, size, side));
                }
                planes[n] = Some(plane);
            }
            *to = planes[n].as_ref().map_or(NO_SOURCE, |plane| self.legends.number(n, plane[at]));
        }
        terrain::encode_lineage(side, &out, self.format)
    }

    fn missing(&self, tile: TileCoord, input: usize) -> Error {
        let problem = "is missing from the lineage, but its heights are there";
        let remedy = "make both archives in one run with --lineage";
        Error::invalid(format!("tile {tile}"), problem, remedy).with_path(self.inputs[input].path())
    }

    fn other_size(&self, tile: TileCoord, input: usize, size: u32, side: u32) -> Error {
        let problem = format!("has {size} pixels a side, expected {side}");
        Error::invalid(format!("tile {tile}"), problem, "make the archives with one tile size")
            .with_path(self.inputs[input].path())
    }
}
