//! Makes finer tiles out of a coarser one.

use std::borrow::Cow;
use std::sync::Arc;

use super::jobs::Job;
use crate::archive::convert::nothing_chosen;
use crate::archive::heights::{Decoded, DecodedTiles, coding};
use crate::archive::{Located, TileSource};
use crate::error::{Error, Result};
use crate::heights::{Shape, Tiles, finer};
use crate::pixels::coding::{Coding, Steps};
use crate::pixels::recode::lineage_codec;
use crate::terrain::{ElevationTile, NO_SOURCE, TileCodec, WebpEncoder, decode_lineage, webp::Level};
use crate::tile::{Area, Contact, TileCoord};

/// Bytes of decoded tiles that are kept: neighbours are needed again.
const KEPT: u64 = 128 << 20;

/// Which pixels of a tile are valid.
pub(super) struct Mask {
    at: TileCoord,
    size: usize,
    /// How many valid pixels lie north and west of each corner of a pixel.
    sums: Vec<u32>,
}

impl Mask {
    fn new(at: TileCoord, size: u32, valid: impl Iterator<Item = bool>) -> Self {
        let (size, mut valid) = (size as usize, valid);
        let mut sums = vec![0; (size + 1) * (size + 1)];
        for row in 1..=size {
            let mut line = 0;
            for column in 1..=size {
                line += u32::from(valid.next() == Some(true));
                sums[row * (size + 1) + column] = sums[(row - 1) * (size + 1) + column] + line;
            }
        }
        Self { at, size, sums }
    }

    /// How many pixels that a tile below this one touches are valid, and how many there are.
    fn count(&self, below: TileCoord) -> (u32, u32) {
        let (up, size) = (below.z() - self.at.z(), self.size as u64);
        let range = |tile: u32, at: u32| {
            let (first, origin) = (u64::from(tile) * size, u64::from(at) * size);
            [((first >> up) - origin) as usize, (((first + size - 1) >> up) + 1 - origin) as usize]
        };
        let ([west, east], [north, south]) = (range(below.x(), self.at.x()), range(below.y(), self.at.y()));
        let sum = |row: usize, column: usize| self.sums[row * (self.size + 1) + column];
        let valid = sum(south, east) + sum(north, west) - sum(north, east) - sum(south, west);
        (valid, ((east - west) * (south - north)) as u32)
    }

    /// True where a tile below this one touches a valid pixel.
    pub(super) fn any(&self, below: TileCoord) -> bool {
        self.count(below).0 > 0
    }

    /// How many tiles of a zoom below one have a valid pixel and are wanted.
    fn tiles(&self, below: TileCoord, zoom: u8, area: Option<&Area>) -> u64 {
        let (valid, all) = self.count(below);
        let contact = area.map_or(Contact::Inside, |area| area.contact(&below.bounds()));
        if valid == 0 || contact == Contact::Outside {
            return 0;
        }
        if contact == Contact::Inside && (valid == all || below.z() == zoom) {
            return 1 << (2 * (zoom - below.z()));
        }
        if below.z() == zoom {
            return area.is_none_or(|area| area.overlaps(&below.bounds())).into();
        }
        let area = area.filter(|_| contact != Contact::Inside);
        below.children().into_iter().flatten().map(|child| self.tiles(child, zoom, area)).sum()
    }

    /// Calls `each` with these tiles, in the order of their ids.
    fn each(
        &self,
        below: TileCoord,
        zoom: u8,
        area: Option<&Area>,
        each: &mut dyn FnMut(TileCoord) -> Result<()>,
    ) -> Result<()> {
        if !self.any(below) || area.is_some_and(|area| !area.overlaps(&below.bounds())) {
            return Ok(());
        }
        if below.z() == zoom {
            return each(below);
        }
        let mut children = below.children_by_id().into_iter().flatten();
        children.try_for_each(|child| self.each(child, zoom, area, each))
    }
}

/// An archive's tiles of heights, some of them kept.
struct Heights<'a> {
    source: &'a dyn TileSource,
    kept: DecodedTiles,
    shape: Shape,
}

impl Tiles for Heights<'_> {
    type Tile<'b>
        = Arc<Decoded>
    where
        Self: 'b;

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<Arc<Decoded>>> {
        let found = self.kept.get(tile, || Ok(self.source.tile(tile)?.map(Cow::Owned)));
        found.map_err(|error| error.with_path(self.source.path()))
    }
}

/// What tiles are made out of.
enum Plane<'a> {
    Heights { tiles: Heights<'a>, codec: TileCodec, steps: Steps },
    Lineage { codec: TileCodec },
}

/// Makes tiles.
pub(super) struct Maker<'a> {
    pub(super) source: &'a dyn TileSource,
    plane: Plane<'a>,
}

impl<'a> Maker<'a> {
    pub(super) fn of(source: &'a dyn TileSource, encoder: WebpEncoder, level: Level) -> Result<Self> {
        let codec = match Coding::of(source)? {
            Coding::Lineage(format) => {
                let codec = lineage_codec(format, encoder);
                codec.check()?;
                return Ok(Self { source, plane: Plane::Lineage { codec } });
            }
            Coding::Elevation(codec) => TileCodec { encoder, level, ..codec },
        };
        codec.check()?;
        let metadata = source.metadata();
        let first = source.tiles()?.next().transpose()?;
        let first = first.and_then(|at| Some((at, at.id.coord()?)));
        let Some(((at, tile), zooms)) = first.zip(metadata.minzoom.zip(metadata.maxzoom)) else {
            return Err(nothing_chosen(source));
        };
        let mut bytes = Vec::new();
        source.read(at, &mut bytes)?;
        let shape = DecodedTiles::shape(tile, &bytes, zooms, source.tile_count()?, coding(codec.encoding))
            .map_err(|error| error.with_path(source.path()))?;
        let tiles = Heights { source, kept: DecodedTiles::new(shape.size, KEPT), shape };
        Ok(Self { source, plane: Plane::Heights { tiles, codec, steps: Steps::of(metadata) } })
    }

    /// The valid pixels of a tile, and of lineage all its pixels.
    fn look(&self, at: Located) -> Result<(Mask, Vec<u8>)> {
        let missing = || Error::invalid("tiles", format!("id {} is gone", at.id.0), "the archive is being changed");
        let tile = at.id.coord().ok_or_else(missing)?;
        match &self.plane {
            Plane::Heights { tiles, .. } => {
                let found = tiles.tile(tile)?.ok_or_else(|| missing().with_path(self.source.path()))?;
                Ok((Mask::new(tile, tiles.shape.size, found.valid().iter().map(|&valid| valid == 1)), Vec::new()))
            }
            Plane::Lineage { .. } => {
                let mut bytes = Vec::new();
                self.source.read(at, &mut bytes)?;
                let named = |error: Error| error.of_part(format_args!("tile {tile}"), Some(self.source.path()));
                let (size, sources) = decode_lineage(&bytes).map_err(named)?;
                Ok((Mask::new(tile, size, sources.iter().map(|&source| source != NO_SOURCE)), sources))
            }
        }
    }

    pub(super) fn mask(&self, at: Located) -> Result<Mask> {
        Ok(self.look(at)?.0)
    }

    /// How many tiles a job makes, and out of which zoom.
    pub(super) fn count(&self, job: &Job, area: Option<&Area>) -> Result<(u8, u64)> {
        let Job::Make { from, below, zoom } = *job else { return Ok((0, 0)) };
        let mask = self.mask(from)?;
        Ok((mask.at.z(), mask.tiles(below, zoom, area)))
    }

    /// Does a job: gives its tiles in the order of their ids.
    pub(super) fn run(&self, job: &Job, area: Option<&Area>, out: &mut Vec<(TileCoord, Vec<u8>)>) -> Result<()> {
        let (from, below, zoom) = match *job {
            Job::Copy(at) => {
                let mut bytes = Vec::new();
                self.source.read(at, &mut bytes)?;
                out.extend(at.id.coord().map(|tile| (tile, bytes)));
                return Ok(());
            }
            Job::Make { from, below, zoom } => (from, below, zoom),
        };
        let (mask, sources) = self.look(from)?;
        mask.each(below, zoom, area, &mut |tile| {
            let bytes = match &self.plane {
                Plane::Heights { tiles, codec, steps } => {
                    let (values, valid) = finer(tiles, mask.at.z(), tile)?;
                    let mut tile_of = ElevationTile { size: tiles.shape.size, values, valid };
                    steps.round(codec, tile.z(), &mut tile_of);
                    codec.encode(&tile_of)?
                }
                Plane::Lineage { codec } => codec.encode_lineage(mask.size as u32, &nearest(&mask, &sources, tile))?,
            };
            out.push((tile, bytes));
            Ok(())
        })
    }
}

/// The sources of a finer tile: each pixel takes that of the pixel that it lies in.
fn nearest(mask: &Mask, sources: &[u8], tile: TileCoord) -> Vec<u8> {
    let (up, size) = (tile.z() - mask.at.z(), mask.size as u64);
    let place = |tile: u32, at: u32| {
        let (first, origin) = (u64::from(tile) * size, u64::from(at) * size);
        (first..first + size).map(move |pixel| ((pixel >> up) - origin) as usize)
    };
    let columns: Vec<usize> = place(tile.x(), mask.at.x()).collect();
    let rows = place(tile.y(), mask.at.y());
    rows.flat_map(|row| columns.iter().map(move |column| sources[row * mask.size + column])).collect()
}
