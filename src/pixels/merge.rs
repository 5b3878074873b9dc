//! Archives that overlap, merged pixel by pixel, with their lineage where they have one.
//!
//! From the finest zoom to the coarsest. A tile that one input holds alone, with all that lies below it, is copied byte by byte.
//! Every other one is decoded: its pixels are means of the finer tiles of the output where these have values, and else combined
//! by the [`Rule`]. It is re-encoded, unless that is what an input has. So the output is a pyramid where the inputs are pyramids.

use super::coding::{Coding, OFFSET, Steps, VERTICAL};
use super::combine::{Rule, combine};
use super::legend::{Legends, unite_sources};
use super::lineage::{self, Lineage};
use super::pyramid::{self, Content, Finer, HEIGHTS, LINEAGE, Merger, PLANES, Place};
use crate::archive::join::Holders;
use crate::archive::{self, ArchiveMetadata, ArchiveSummary, Located, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::progress::Progress;
use crate::terrain::webp::Level;
use crate::terrain::{self, ElevationTile, Encoding, ImageFormat, TileCodec, VerticalResolution, WebpEncoder};
use crate::tile::TileCoord;

/// How overlapping pixels are merged.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PixelMerge {
    /// Which value wins.
    pub rule: Rule,
    /// A height that means nodata, metres, besides masks and transparent pixels, in tiles that several inputs hold.
    pub nodata: Option<f64>,
    /// Which encoder writes WebP.
    pub encoder: WebpEncoder,
    /// How much time the images are worth.
    pub level: Level,
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
    if let Some(legend) = legends.legend {
        metadata.other.insert("legend".into(), legend);
    }
    unite_lists(&mut metadata, inputs);
    Ok(metadata)
}

/// The list of sources holds those of all inputs.
fn unite_lists(metadata: &mut ArchiveMetadata, inputs: &[&dyn TileSource]) {
    let lists: Vec<&Json> = inputs.iter().filter_map(|input| input.metadata().other.get("sources")).collect();
    if lists.len() > 1 {
        metadata.other.insert("sources".into(), unite_sources(&lists));
    }
}

/// Merges archives of heights pixel by pixel into `sink`, which [`archive::merged_metadata`] described, and finishes it; with
/// `lineage`, its pixels follow the heights that won. Gives the lineage's summary as well.
///
/// Runs on all processors and holds a few tiles a thread. Beside the output it takes the space of the tiles that are encoded
/// again, and 36 bytes for each other one.
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
            Coding::Elevation(codec) => {
                codecs.push(TileCodec { encoder: options.encoder, level: options.level, ..codec })
            }
            Coding::Lineage(_) => {
                let problem = "holds lineage; merge it alone, or beside its heights as `lineage`";
                return Err(Error::argument(input.path().display().to_string(), problem));
            }
        }
    }
    unite_lists(sink.metadata_mut(), inputs);
    let codec = merged_codec(&codecs, inputs, sink.metadata_mut())?;
    let steps = Steps::of(sink.metadata_mut());
    codec.check()?;
    let (rows, lineage_sink) = match lineage {
        Some(LineageMerge { inputs: archives, sink }) => {
            if archives.len() != inputs.len() {
                return Err(Error::argument("lineage", "expected one lineage archive for each input"));
            }
            (Some(Lineage::new(archives, codec)?), Some(sink))
        }
        None => (None, None),
    };
    let heights = Heights { inputs, codec, steps, options, lineage: rows };
    let [summary, lineage] = pyramid::merge(inputs, &heights, [Some(sink), lineage_sink], progress)?;
    Ok((summary.unwrap_or_default(), lineage))
}

/// Merges lineage archives by themselves: the first input that names a source wins the pixel, and where finer tiles were merged,
/// most of their pixels do.
///
/// # Errors
/// As [`merge_pixels`].
pub fn merge_lineage(
    inputs: &[&dyn TileSource],
    sink: Box<dyn TileSink>,
    encoder: WebpEncoder,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    let codec = TileCodec { encoder, ..TileCodec::new(Encoding::Terrarium, ImageFormat::Webp) };
    let lineage = Lineage::new(inputs, codec)?;
    lineage.check()?;
    let mut sinks = [const { None }; PLANES];
    sinks[LINEAGE] = Some(sink);
    let summaries = pyramid::merge(inputs, &lineage, sinks, progress)?;
    Ok(summaries[LINEAGE].unwrap_or_default())
}

/// The codec of the output; heights keep the step by zoom only where all inputs have the same one.
fn merged_codec(codecs: &[TileCodec], inputs: &[&dyn TileSource], metadata: &mut ArchiveMetadata) -> Result<TileCodec> {
    let (Some(first), Some(input)) = (codecs.first(), inputs.first()) else {
        return Err(Error::argument("inputs", "expected at least one archive to merge"));
    };
    let mut codec = *first;
    let steps = Steps::of(input.metadata());
    let same = codecs.iter().all(|other| other.vertical == codec.vertical)
        && inputs.iter().all(|other| Steps::of(other.metadata()) == steps);
    if !same {
        codec.vertical = VerticalResolution::Full;
        metadata.other.insert(VERTICAL.into(), "full".into());
        metadata.other.remove(OFFSET);
    }
    Ok(codec)
}

struct Heights<'a> {
    inputs: &'a [&'a dyn TileSource],
    codec: TileCodec,
    steps: Steps,
    options: PixelMerge,
    lineage: Option<Lineage<'a>>,
}

impl Merger for Heights<'_> {
    fn merge(&self, tile: TileCoord, holders: &Holders, finer: &Finer<'_>) -> Result<[Content; PLANES]> {
        let (first, located) = holders.first;
        let alone = holders.others.is_empty();
        let stays = alone && finer.are_of(HEIGHTS, first);
        if stays && self.lineage.as_ref().is_none_or(|lineage| lineage.stays(first, finer)) {
            let lineage = self.lineage.as_ref().map_or(Content::Nothing, |_| lineage::kept(tile, first));
            return Ok([Content::Input(first, located), lineage]);
        }
        let tiles = self.tiles_of(tile, holders)?;
        let planes: Vec<&ElevationTile> = tiles.iter().map(|(_, _, t)| t).collect();
        // What one input holds alone stays, whatever its heights are.
        let nodata = self.options.nodata.filter(|_| !alone).map(|v| v as f32);
        let mut merged = combine(&planes, self.options.rule, nodata).ok_or_else(|| self.other_sizes(tile, &tiles))?;
        self.means(&mut merged.tile, finer)?;
        self.steps.round(&self.codec, tile.z(), &mut merged.tile);
        // A tile without any height stays as well.
        let same = tiles.iter().find(|(_, _, heights)| merged.tile == *heights);
        let same = same.or(tiles.first().filter(|_| merged.tile.is_empty()));
        let heights = match same {
            Some(&(n, at, _)) => Content::Input(n, at),
            None => Content::New(self.codec.encode(&merged.tile)?),
        };
        let lineage = match &self.lineage {
            None => Content::Nothing,
            Some(lineage) => {
                let winners = |at: usize| tiles.get(usize::from(merged.winners[at])).map(|(n, _, _)| *n);
                let mut plane = lineage.of_winners(tile, &merged.winners, winners)?;
                lineage.vote(&mut plane, finer)?;
                let like = if let Content::Input(n, _) = heights { n } else { first };
                lineage.content(tile, like, &plane)?
            }
        };
        Ok([heights, lineage])
    }

    fn read(&self, plane: usize, input: usize, at: Located) -> Result<Vec<u8>> {
        if let (LINEAGE, Some(lineage)) = (plane, &self.lineage) {
            return lineage.of_input(input, at.id);
        }
        let mut bytes = Vec::new();
        self.inputs[input].read(at, &mut bytes)?;
        Ok(bytes)
    }
}

impl Heights<'_> {
    /// The tile of each input that holds it.
    fn tiles_of(&self, tile: TileCoord, holders: &Holders) -> Result<Vec<(usize, Located, ElevationTile)>> {
        let decoded = |(n, at): (usize, Located)| Ok((n, at, self.decode(n, tile, at)?));
        holders.iter().map(decoded).collect()
    }

    fn decode(&self, input: usize, tile: TileCoord, at: Located) -> Result<ElevationTile> {
        let mut bytes = Vec::new();
        self.inputs[input].read(at, &mut bytes)?;
        self.codec
            .decode(&bytes)
            .map_err(|error| error.of_part(format_args!("tile {tile}"), Some(self.inputs[input].path())))
    }

    /// Gives the pixels that finer tiles have values for the mean of these, as encoded.
    fn means(&self, into: &mut ElevationTile, finer: &Finer<'_>) -> Result<()> {
        if finer.is_empty() || !into.size.is_multiple_of(2) {
            return Ok(());
        }
        let mut means = ElevationTile::empty(into.size);
        for (quadrant, tile) in finer.tiles.iter().enumerate() {
            let Some((id, places)) = tile else { continue };
            let child = match places[HEIGHTS] {
                Place::Nothing => None,
                Place::New { offset, bytes } => Some(self.codec.decode(&finer.made(offset, bytes)?)?),
                Place::Input(n, at) => id.coord().map(|child| self.decode(n, child, at)).transpose()?,
            };
            if let Some(child) = child.filter(|child| child.size == into.size) {
                terrain::downsample_into(&mut means, quadrant, &child);
            }
        }
        for (at, &valid) in means.valid.iter().enumerate().filter(|(_, valid)| **valid == 1) {
            (into.values[at], into.valid[at]) = (means.values[at], valid);
        }
        Ok(())
    }

    fn other_sizes(&self, tile: TileCoord, tiles: &[(usize, Located, ElevationTile)]) -> Error {
        let sizes: Vec<String> = tiles.iter().map(|(_, _, t)| format!("{} px", t.size)).collect();
        let problem = format!("has {} in its inputs", sizes.join(", "));
        let remedy = "tiles of one size can be merged: make one of the inputs again, or convert it with `tile_size`";
        let error = Error::invalid(format!("tile {tile}"), problem, remedy);
        tiles.first().map_or_else(
            || Error::internal(format!("tile {tile} has no input")),
            |(n, _, _)| error.with_path(self.inputs[*n].path()),
        )
    }
}
