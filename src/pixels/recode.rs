//! Tiles re-encoded: another encoding of heights, another image format, another tile size.
//!
//! - Heights keep their values, as far as the new encoding can hold them: Terrain-RGB has steps of 0.1 m, terrarium of
//!   1/256 m. The metadata give the coarsest step that the values went through, never a finer one.
//! - A tile of 512 pixels at zoom z is four tiles of 256 pixels at zoom z + 1, pixel by pixel. So zooms move by one. The one
//!   tile of 256 pixels at zoom 0 is the mean of the 512 pixels at zoom 0; on the way back it is left out.
//! - The step by zoom belongs to a pixel's ground size. After a change of tile size it is the step of the zoom that the tile
//!   came from, which `vertical_zoom_offset` tells: step = 2^(19 - z - offset) / 256 m.

use super::coding::{Coding, FINEST, OFFSET, Steps, VERTICAL};
use crate::archive::convert::{nothing_chosen, tell};
use crate::archive::pipeline::{batches, in_order, threads};
use crate::archive::pmtiles::Compression;
use crate::archive::seen::Seen;
use crate::archive::{ArchiveMetadata, ArchiveSummary, Located, Selection, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::terrain::webp::Level;
use crate::terrain::{
    self, ElevationTile, Encoding, ImageFormat, NO_SOURCE, TileCodec, VerticalResolution, WebpEncoder,
};
use crate::tile::TileCoord;

/// Groups of tiles in one piece of work.
const BATCH: usize = 8;

/// What to change; the default changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecodeOptions {
    /// The new encoding of heights.
    pub encoding: Option<Encoding>,
    /// The new image format.
    pub format: Option<ImageFormat>,
    /// The new side of a tile, pixels: 256 or 512.
    pub tile_size: Option<u32>,
    /// Rounds heights to these steps; without it they stay as they are.
    pub vertical: Option<VerticalResolution>,
    /// Which encoder writes WebP.
    pub encoder: Option<WebpEncoder>,
    /// How much time the images are worth.
    pub level: Option<Level>,
}

/// How tile sizes change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Same,
    /// One tile becomes four, one zoom deeper.
    Split,
    /// Four tiles become one, one zoom higher.
    Join,
}

/// The work on one archive.
struct Recoder<'a> {
    source: &'a dyn TileSource,
    from: Coding,
    to: Coding,
    shape: Shape,
    round: bool,
    /// What is added to a zoom to get the one whose step the heights have.
    offset: i32,
    encoder: WebpEncoder,
}

pub(super) fn lineage_codec(format: ImageFormat, encoder: WebpEncoder) -> TileCodec {
    TileCodec { encoder, ..TileCodec::new(Encoding::Terrarium, format) }
}

/// The metadata of the output, changed as the options say. Start from [`Selection::metadata`].
///
/// # Errors
/// Where the archive holds no heights or lineage, or the tile size can't be reached from the one it has.
pub fn recoded_metadata(
    source: &dyn TileSource,
    options: RecodeOptions,
    mut metadata: ArchiveMetadata,
) -> Result<ArchiveMetadata> {
    let recoder = Recoder::new(source, options)?;
    let format = match recoder.to {
        Coding::Elevation(codec) => codec.format,
        Coding::Lineage(format) => format,
    };
    metadata.format = format.into();
    metadata.forget_contents();
    metadata.tile_compression = metadata.tile_compression.map(|_| Compression::None);
    metadata.tile_size = options.tile_size.or(metadata.tile_size);
    if recoder.shape != Shape::Same {
        metadata.center = None;
    }
    if let (Coding::Elevation(from), Coding::Elevation(to)) = (recoder.from, recoder.to) {
        metadata.encoding = Some(to.encoding.into());
        let declared = metadata.other.get(VERTICAL).cloned();
        let text = match (options.vertical, from.encoding, to.encoding) {
            (Some(VerticalResolution::ByZoom), _, to) => Some(match to.finest_step() {
                step if step > FINEST => format!("by-zoom, at least {step} m"),
                _ => "by-zoom".to_owned(),
            }),
            // The coarser of the two steps is what is left, whichever way the heights went.
            (_, from, to) if from != to => {
                let by_zoom = Steps::of(source.metadata()).by_zoom;
                let step = from.finest_step().max(to.finest_step());
                Some(format!("{}{step} m", if by_zoom { "by-zoom, at least " } else { "" }))
            }
            (Some(VerticalResolution::Full), _, _) if declared.is_none() => Some("full".to_owned()),
            _ => None,
        };
        if let Some(text) = text {
            metadata.other.insert(VERTICAL.into(), text.into());
        }
        metadata.other.remove(OFFSET);
        let stepped = metadata.other.get(VERTICAL).and_then(|v| v.as_str()).is_some_and(|v| v.starts_with("by-zoom"));
        if stepped && recoder.offset != 0 && !recoder.round {
            metadata.other.insert(OFFSET.into(), recoder.offset.into());
        }
    }
    Ok(metadata)
}

/// Re-encodes the chosen tiles of `source` into `sink`, which [`recoded_metadata`] described, and finishes it. Zooms and
/// areas are chosen among the tiles of the source.
///
/// Runs on all processors and holds a few tiles a thread.
///
/// # Errors
/// As [`recoded_metadata`]; where no tile is chosen, a tile can't be decoded, the sink can't be written, or the user interrupts.
pub fn recode(
    source: &dyn TileSource,
    sink: Box<dyn TileSink>,
    selection: &Selection,
    options: RecodeOptions,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    recode_as(source, sink, selection, options, &[], progress)
}

/// As [`recode`], with the keys of the metadata that the user set, as by [`archive::convert_as`](crate::archive::convert_as).
///
/// # Errors
/// As [`recode`]; where a value that was set can't be true.
pub fn recode_as(
    source: &dyn TileSource,
    mut sink: Box<dyn TileSink>,
    selection: &Selection,
    options: RecodeOptions,
    set: &[&str],
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    let recoder = Recoder::new(source, options)?;
    let filter = selection.filter()?;
    progress.begin("encoding tiles", None, "tiles");
    let tiles = filter.chosen(source)?.filter_map(|tile| match tile {
        Ok(tile) => tile.id.coord().map(|coord| Ok((coord, tile))),
        Err(error) => Some(Err(error)),
    });
    let groups = groups(tiles, recoder.shape);
    let work = |batch: Vec<Vec<(TileCoord, Located)>>| -> Result<Vec<(TileCoord, Vec<u8>)>> {
        let mut out = Vec::new();
        for group in batch {
            recoder.recode(&group, &mut out)?;
        }
        Ok(out)
    };
    let (mut written, mut seen) = (0u64, Seen::new(sink.metadata_mut()));
    in_order(threads(), batches(groups, BATCH, progress), work, |tiles: Vec<(TileCoord, Vec<u8>)>| {
        written += tiles.len() as u64;
        progress.advance(tiles.len() as u64);
        tiles.iter().try_for_each(|(tile, bytes)| seen.put(sink.as_mut(), *tile, bytes))
    })?;
    progress.end();
    if written == 0 {
        return Err(nothing_chosen(source));
    }
    tell(&[source], progress);
    seen.finish(sink, set, source.path(), progress)
}

/// Tiles that become one tile together: those below one parent, which follow each other.
fn groups(
    tiles: impl Iterator<Item = Result<(TileCoord, Located)>>,
    shape: Shape,
) -> impl Iterator<Item = Result<Vec<(TileCoord, Located)>>> {
    let mut tiles = tiles.peekable();
    std::iter::from_fn(move || {
        let first = match tiles.next()? {
            Ok(first) => first,
            Err(error) => return Some(Err(error)),
        };
        let mut group = vec![first];
        if shape == Shape::Join {
            let parent = first.0.parent();
            while let Some(Ok(next)) = tiles.next_if(|next| matches!(next, Ok((tile, _)) if tile.parent() == parent)) {
                group.push(next);
            }
        }
        Some(Ok(group))
    })
}

impl<'a> Recoder<'a> {
    fn new(source: &'a dyn TileSource, options: RecodeOptions) -> Result<Self> {
        let from = Coding::of(source)?;
        let to = match from {
            Coding::Elevation(codec) => Coding::Elevation(TileCodec {
                encoding: options.encoding.unwrap_or(codec.encoding),
                format: options.format.unwrap_or(codec.format),
                vertical: options.vertical.unwrap_or(VerticalResolution::Full),
                encoder: options.encoder.unwrap_or_default(),
                level: options.level.unwrap_or_default(),
                ..codec
            }),
            Coding::Lineage(_) if options.encoding.is_some() || options.vertical.is_some() => {
                let problem = "this archive holds lineage, which has no encoding of heights and no steps; leave it out";
                return Err(Error::argument("encoding", problem));
            }
            Coding::Lineage(format) => Coding::Lineage(options.format.unwrap_or(format)),
        };
        let encoder = options.encoder.unwrap_or_default();
        match to {
            Coding::Elevation(codec) => codec.check()?,
            Coding::Lineage(format) => lineage_codec(format, encoder).check()?,
        }
        let shape = match (source_size(source)?, options.tile_size) {
            (_, None) => Shape::Same,
            (from, Some(to)) if from == to => Shape::Same,
            (512, Some(256)) => Shape::Split,
            (256, Some(512)) => Shape::Join,
            (from, Some(to)) => {
                let problem = format!("tiles of {from} px can't become {to} px; expected 512 to 256 or 256 to 512");
                return Err(Error::argument("tile_size", problem));
            }
        };
        let moved = match shape {
            Shape::Same => 0,
            Shape::Split => -1,
            Shape::Join => 1,
        };
        let offset = Steps::of(source.metadata()).offset + moved;
        Ok(Self { source, from, to, shape, round: options.vertical.is_some(), offset, encoder })
    }

    fn recode(&self, group: &[(TileCoord, Located)], out: &mut Vec<(TileCoord, Vec<u8>)>) -> Result<()> {
        let Some(&(first, _)) = group.first() else { return Ok(()) };
        if self.shape == Shape::Join && first.z() == 0 {
            return Ok(());
        }
        match (self.from, self.to) {
            (Coding::Elevation(from), Coding::Elevation(to)) => {
                let tiles = self.decode(group, |bytes| {
                    let tile = from.decode(bytes)?;
                    Ok((tile.size, Heights(tile)))
                })?;
                for (tile, mut heights) in self.reshape(&tiles) {
                    if heights.0.is_empty() {
                        continue;
                    }
                    to.quantize(tile.z(), &mut heights.0);
                    out.push((tile, to.encode(&heights.0)?));
                }
            }
            (_, Coding::Lineage(format)) | (Coding::Lineage(format), _) => {
                let tiles = self.decode(group, |bytes| {
                    let (size, plane) = terrain::decode_lineage(bytes)?;
                    Ok((size, Sources(size, plane)))
                })?;
                let codec = lineage_codec(format, self.encoder);
                for (tile, Sources(size, plane)) in self.reshape(&tiles) {
                    out.push((tile, codec.encode_lineage(size, &plane)?));
                }
            }
        }
        Ok(())
    }

    fn decode<P: Plane>(
        &self,
        group: &[(TileCoord, Located)],
        decode: impl Fn(&[u8]) -> Result<(u32, P)>,
    ) -> Result<Vec<(TileCoord, P)>> {
        let expected = match self.shape {
            Shape::Same => None,
            Shape::Split => Some(512),
            Shape::Join => Some(256),
        };
        let mut bytes = Vec::new();
        group
            .iter()
            .map(|&(tile, located)| {
                bytes.clear();
                self.source.read(located, &mut bytes)?;
                let (size, plane) = decode(&bytes)
                    .map_err(|error| error.of_part(format_args!("tile {tile}"), Some(self.source.path())))?;
                if expected.is_some_and(|expected| expected != size) {
                    let problem = format!("has {size} pixels a side, the first tile has another size");
                    return Err(Error::invalid(format!("tile {tile}"), problem, "make the archive again")
                        .with_path(self.source.path()));
                }
                Ok((tile, plane))
            })
            .collect()
    }

    fn reshape<P: Plane>(&self, tiles: &[(TileCoord, P)]) -> Vec<(TileCoord, P)> {
        let mut out = Vec::new();
        match self.shape {
            Shape::Same => out.extend(tiles.iter().map(|(tile, plane)| (*tile, plane.clone()))),
            Shape::Split => {
                for (tile, plane) in tiles {
                    if tile.z() == 0 {
                        out.push((*tile, plane.halved()));
                    }
                    for (quadrant, child) in tile.children().into_iter().flatten().enumerate() {
                        let mut part = P::empty(256);
                        part.copy(plane, (quadrant & 1) * 256, (quadrant >> 1) * 256, 0, 0, 256);
                        out.push((child, part));
                    }
                }
            }
            Shape::Join => {
                if let Some(parent) = tiles.first().and_then(|(tile, _)| tile.parent()) {
                    let mut whole = P::empty(512);
                    for (tile, plane) in tiles {
                        let (x, y) = ((tile.x() & 1) as usize * 256, (tile.y() & 1) as usize * 256);
                        whole.copy(plane, 0, 0, x, y, 256);
                    }
                    out.push((parent, whole));
                }
            }
        }
        out.sort_by_key(|(tile, _)| crate::tile::TileId::from(*tile));
        out
    }
}

/// The side of an archive's tiles: what the metadata say, else that of the first tile.
fn source_size(source: &dyn TileSource) -> Result<u32> {
    if let Some(size) = source.metadata().tile_size {
        return Ok(size);
    }
    let Some(first) = source.tiles()?.next().transpose()? else { return Err(nothing_chosen(source)) };
    let mut bytes = Vec::new();
    source.read(first, &mut bytes)?;
    terrain::image_size(&bytes).map(|(width, _)| width).map_err(|error| error.with_path(source.path()))
}

/// Pixels that can be cut and joined.
trait Plane: Clone {
    fn empty(size: usize) -> Self;
    /// Copies a square of `side` pixels.
    fn copy(&mut self, from: &Self, from_x: usize, from_y: usize, x: usize, y: usize, side: usize);
    /// The same ground in half the pixels a side.
    fn halved(&self) -> Self;
}

#[derive(Clone)]
struct Heights(ElevationTile);

#[derive(Clone)]
struct Sources(u32, Vec<u8>);

fn copy_square<T: Copy>(
    to: (&mut [T], usize),
    from: (&[T], usize),
    at: (usize, usize),
    src: (usize, usize),
    side: usize,
) {
    for row in 0..side {
        let (a, b) = ((at.1 + row) * to.1 + at.0, (src.1 + row) * from.1 + src.0);
        to.0[a..a + side].copy_from_slice(&from.0[b..b + side]);
    }
}

impl Plane for Heights {
    fn empty(size: usize) -> Self {
        Self(ElevationTile::empty(size as u32))
    }

    fn copy(&mut self, from: &Self, from_x: usize, from_y: usize, x: usize, y: usize, side: usize) {
        let (to_side, from_side) = (self.0.size as usize, from.0.size as usize);
        let (at, src) = ((x, y), (from_x, from_y));
        copy_square((&mut self.0.values, to_side), (&from.0.values, from_side), at, src, side);
        copy_square((&mut self.0.valid, to_side), (&from.0.valid, from_side), at, src, side);
    }

    fn halved(&self) -> Self {
        let mut whole = ElevationTile::empty(self.0.size);
        terrain::downsample_into(&mut whole, 0, &self.0);
        let half = self.0.size as usize / 2;
        let mut out = Self::empty(half);
        out.copy(&Self(whole), 0, 0, 0, 0, half);
        out
    }
}

impl Plane for Sources {
    fn empty(size: usize) -> Self {
        Self(size as u32, vec![NO_SOURCE; size * size])
    }

    fn copy(&mut self, from: &Self, from_x: usize, from_y: usize, x: usize, y: usize, side: usize) {
        let (to_side, from_side) = (self.0 as usize, from.0 as usize);
        copy_square((&mut self.1, to_side), (&from.1, from_side), (x, y), (from_x, from_y), side);
    }

    fn halved(&self) -> Self {
        let mut whole = vec![NO_SOURCE; self.1.len()];
        terrain::downsample_lineage_into(&mut whole, self.0, 0, &self.1);
        let half = self.0 as usize / 2;
        let mut out = Self::empty(half);
        out.copy(&Self(self.0, whole), 0, 0, 0, 0, half);
        out
    }
}
