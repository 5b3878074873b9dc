//! Coarser tiles that an archive of heights lacks, as means of its finer ones.

use std::iter::Peekable;
use std::path::Path;

use super::Coding;
use super::coding::Steps;
use crate::archive::convert::tell;
use crate::archive::pipeline::{batches, in_order, threads};
use crate::archive::seen::Seen;
use crate::archive::{
    Additions, ArchiveMetadata, ArchiveSummary, IntoSummary, Located, TileSink, TileSource, add_in_place,
};
use crate::atomic::ScratchFile;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::terrain::{ElevationTile, TileCodec, WebpEncoder, downsample_into, webp::Level};
use crate::tile::{TileCoord, TileId};

/// Tiles in one piece of work.
const BATCH: usize = 4;

/// How [`overviews`] makes tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overviews {
    /// The coarsest zoom to make.
    pub min_zoom: u8,
    /// Which encoder writes WebP.
    pub encoder: WebpEncoder,
    /// How much time it spends.
    pub level: Level,
}

/// A tile that was made, in the file beside the output.
#[derive(Debug, Clone, Copy)]
struct Made {
    id: TileId,
    offset: u64,
    bytes: u32,
}

impl Made {
    fn read(&self, scratch: &ScratchFile) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.bytes as usize];
        scratch.read(&mut bytes, self.offset)?;
        Ok(bytes)
    }
}

/// Where the bytes of a tile are.
#[derive(Debug, Clone, Copy)]
enum Place {
    Source(Located),
    Made(Made),
}

impl Place {
    fn id(&self) -> TileId {
        match self {
            Self::Source(at) => at.id,
            Self::Made(made) => made.id,
        }
    }
}

/// The metadata of what [`overviews`] will write.
#[must_use]
pub fn overviews_metadata(source: &dyn TileSource, options: Overviews) -> ArchiveMetadata {
    let mut metadata = source.metadata().clone();
    metadata.forget_contents();
    metadata.minzoom = metadata.minzoom.map(|zoom| zoom.min(options.min_zoom));
    metadata
}

/// Copies all tiles of `source` into `sink`, and the coarser ones that it lacks down to a zoom: each pixel the mean of the valid pixels of its
/// 2x2 block in the finer tile, as encoded, rounded as heights of its zoom are. Tiles that are there stay as they are, byte by byte. A tile
/// without any height is not written.
///
/// Streams on all processors. Beside the output it takes the space of what is made, and in memory 24 bytes for each tile that is made.
///
/// # Errors
/// Where the tiles hold no heights, the source can't be read, the sink can't be written, or the user interrupts.
pub fn overviews(
    source: &dyn TileSource,
    mut sink: Box<dyn TileSink>,
    options: Overviews,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    let maker = Maker::of(source, options, sink.scratch()?)?;
    let made = maker.all(options.min_zoom, progress)?;
    progress.begin("writing tiles", Some(source.tile_count()?), "tiles");
    let mut seen = Seen::new(sink.metadata_mut());
    let all = Both { source: source.tiles()?.peekable(), made: made.iter().copied().peekable() };
    let read = |batch: Vec<Place>| -> Result<Vec<(TileCoord, Vec<u8>)>> {
        let tiles = batch.into_iter().filter_map(|place| Some((place.id().coord()?, place)));
        tiles.map(|(tile, place)| Ok((tile, maker.bytes(place)?))).collect()
    };
    in_order(threads(), batches(all, 64, progress), read, |tiles| {
        for (tile, bytes) in tiles {
            seen.put(sink.as_mut(), tile, &bytes)?;
            progress.advance(1);
        }
        Ok(())
    })?;
    progress.end();
    tell(&[source], progress);
    seen.finish(sink, &[], source.path(), progress)
}

/// As [`overviews`], into the MBTiles archive itself, in one transaction: it has all of them afterwards, or is as it was. The new tiles have the same
/// bytes.
///
/// # Errors
/// As [`overviews`] and [`merge_into`](crate::archive::merge_into).
pub fn overviews_in_place(path: &Path, options: Overviews, progress: &dyn Progress) -> Result<IntoSummary> {
    let make = |source: &dyn TileSource| {
        let maker = Maker::of(source, options, ScratchFile::beside(path)?)?;
        let made = maker.all(options.min_zoom, progress)?;
        let mut metadata = source.metadata().clone();
        metadata.forget_contents();
        let coarsest = made.first().and_then(|made| made.id.zoom());
        metadata.minzoom = metadata.minzoom.min(coarsest).or(coarsest);
        let scratch = maker.scratch;
        let read = move |made: Made| {
            let beyond = || Error::limit(format!("tile id {} lies beyond zoom 31", made.id.0));
            Ok((made.id.coord().ok_or_else(beyond)?, made.read(&scratch)?))
        };
        Ok(Additions { metadata, count: made.len() as u64, tiles: Box::new(made.into_iter().map(read)) })
    };
    add_in_place(path, make, progress)
}

/// What coarser tiles are made with.
struct Maker<'a> {
    source: &'a dyn TileSource,
    codec: TileCodec,
    steps: Steps,
    scratch: ScratchFile,
}

impl<'a> Maker<'a> {
    fn of(source: &'a dyn TileSource, options: Overviews, scratch: ScratchFile) -> Result<Self> {
        let Coding::Elevation(codec) = Coding::of(source)? else {
            let problem = "holds lineage, which has no means";
            return Err(Error::other_kind(problem, "give the archive of terrain beside it").with_path(source.path()));
        };
        let codec = TileCodec { encoder: options.encoder, level: options.level, ..codec };
        Ok(Self { source, codec, steps: Steps::of(source.metadata()), scratch })
    }

    /// Makes all tiles that the source lacks down to a zoom, and gives them in the order of their ids.
    fn all(&self, min_zoom: u8, progress: &dyn Progress) -> Result<Vec<Made>> {
        let finest = self.source.metadata().maxzoom.unwrap_or(0);
        let (mut levels, mut filled): (Vec<Vec<Made>>, u64) = (Vec::new(), 0);
        progress.begin("making coarser tiles", None, "tiles");
        for zoom in (min_zoom..finest).rev() {
            let finer = levels.last().map_or(&[][..], |made| made);
            let made = self.level(zoom, finer, &mut filled, progress)?;
            levels.push(made);
        }
        progress.end();
        Ok(levels.into_iter().rev().flatten().collect())
    }

    fn bytes(&self, place: Place) -> Result<Vec<u8>> {
        match place {
            Place::Source(at) => {
                let mut bytes = Vec::new();
                self.source.read(at, &mut bytes)?;
                Ok(bytes)
            }
            Place::Made(made) => made.read(&self.scratch),
        }
    }

    /// Makes the tiles of a zoom that the source lacks, above its finer tiles and those that were made.
    fn level(&self, zoom: u8, finer: &[Made], filled: &mut u64, progress: &dyn Progress) -> Result<Vec<Made>> {
        let children =
            Both { source: self.source.tiles_of(zoom + 1)?.peekable(), made: finer.iter().copied().peekable() };
        let mut there = self.source.tiles_of(zoom)?.peekable();
        let missing = Families { children: children.peekable(), zoom }.filter(|family| {
            let Ok((parent, _)) = family else { return true };
            let id = TileId::from(*parent);
            while there.next_if(|tile| tile.as_ref().is_ok_and(|tile| tile.id < id)).is_some() {}
            // An error of the walk comes up when the tiles are written.
            there.peek().is_none_or(|tile| tile.as_ref().map_or(true, |tile| tile.id != id))
        });
        let work = |batch: Vec<(TileCoord, Vec<Place>)>| -> Result<Vec<(TileId, Option<Vec<u8>>)>> {
            batch.into_iter().map(|(parent, children)| Ok((parent.into(), self.mean(parent, &children)?))).collect()
        };
        let mut made = Vec::new();
        in_order(threads(), batches(missing, BATCH, progress), work, |tiles| {
            for (id, bytes) in tiles {
                progress.advance(1);
                let Some(bytes) = bytes else { continue };
                self.scratch.write(&bytes, *filled)?;
                made.push(Made { id, offset: *filled, bytes: bytes.len() as u32 });
                *filled += bytes.len() as u64;
            }
            Ok(())
        })?;
        Ok(made)
    }

    /// The tile above some finer ones; `None` where none of these has a height.
    fn mean(&self, parent: TileCoord, children: &[Place]) -> Result<Option<Vec<u8>>> {
        let mut out: Option<ElevationTile> = None;
        for &child in children {
            let Some(at) = child.id().coord() else { continue };
            let named = |error: Error| error.of_part(format_args!("tile {at}"), Some(self.source.path()));
            let tile = self.codec.decode(&self.bytes(child)?).map_err(named)?;
            let parent = out.get_or_insert_with(|| ElevationTile::empty(tile.size));
            if tile.size != parent.size || !tile.size.is_multiple_of(2) {
                let problem = format!("has {} pixels a side, its neighbours {}", tile.size, parent.size);
                let remedy = "make tiles of one even size of it first (`archive::convert` with `tile_size`)";
                return Err(Error::invalid(format!("tile {at}"), problem, remedy).with_path(self.source.path()));
            }
            downsample_into(parent, (at.x() & 1 | (at.y() & 1) << 1) as usize, &tile);
        }
        let Some(mut tile) = out.filter(|tile| !tile.is_empty()) else { return Ok(None) };
        self.steps.round(&self.codec, parent.z(), &mut tile);
        self.codec.encode(&tile).map(Some)
    }
}

/// Tiles of the source and made ones, in the order of their ids. No tile is in both.
struct Both<S: Iterator<Item = Result<Located>>, M: Iterator<Item = Made>> {
    source: Peekable<S>,
    made: Peekable<M>,
}

impl<S: Iterator<Item = Result<Located>>, M: Iterator<Item = Made>> Iterator for Both<S, M> {
    type Item = Result<Place>;

    fn next(&mut self) -> Option<Self::Item> {
        let earlier = match (self.source.peek(), self.made.peek()) {
            (Some(Ok(at)), Some(made)) => made.id < at.id,
            (None, Some(_)) => true,
            _ => false,
        };
        if earlier {
            return self.made.next().map(|made| Ok(Place::Made(made)));
        }
        self.source.next().map(|at| at.map(Place::Source))
    }
}

/// Tiles of a zoom with the finer tiles below them, in order: these follow each other.
struct Families<I: Iterator<Item = Result<Place>>> {
    children: Peekable<I>,
    zoom: u8,
}

impl<I: Iterator<Item = Result<Place>>> Iterator for Families<I> {
    type Item = Result<(TileCoord, Vec<Place>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.children.next()? {
            Ok(first) => first,
            Err(error) => return Some(Err(error)),
        };
        let parent = first.id().coord().and_then(|tile| tile.ancestor(self.zoom))?;
        let below = TileId::subtree(parent, self.zoom + 1);
        let mut children = vec![first];
        while let Some(Ok(next)) =
            self.children.next_if(|next| next.as_ref().is_ok_and(|next| below.contains(&next.id().0)))
        {
            children.push(next);
        }
        Some(Ok((parent, children)))
    }
}
