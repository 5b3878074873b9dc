//! Which tiles of a zoom an archive has, and out of which coarser ones the others can be made.

use std::iter::Peekable;
use std::ops::Range;

use super::make::{Maker, Mask};
use crate::archive::{Located, LocatedTiles, TileSource, blocks};
use crate::error::Result;
use crate::tile::{Area, Contact, TileCoord, TileId};

/// A piece of work.
#[derive(Debug, Clone, Copy)]
pub(super) enum Job {
    /// The tile is there.
    Copy(Located),
    /// The tiles of a zoom below one, which is all below the tile that they are made out of.
    Make { from: Located, below: TileCoord, zoom: u8 },
}

/// What a zoom has along the Hilbert curve.
enum Piece {
    There(Located),
    /// Missing tiles whose finest coarser tile is this one.
    Below(Located, Range<u64>),
}

/// Goes along a zoom, with all tiles at this zoom and at coarser ones. Ends after the first error.
struct Sweep<'a> {
    zoom: u8,
    /// The tiles of each zoom, the coarsest first.
    tiles: Vec<Peekable<LocatedTiles<'a>>>,
    /// The id of the zoom that comes next.
    at: u64,
    failed: bool,
}

impl<'a> Sweep<'a> {
    fn new(source: &'a dyn TileSource, zoom: u8) -> Result<Self> {
        let coarsest = source.metadata().minzoom.unwrap_or(0);
        let tiles = (coarsest..=zoom).map(|zoom| Ok(source.tiles_of(zoom)?.peekable())).collect::<Result<_>>()?;
        Ok(Self { zoom, tiles, at: TileId::first(zoom).0, failed: false })
    }

    /// The next tile of each zoom that does not lie wholly before the present id, and the ids below it.
    fn heads(&mut self) -> Result<Vec<(Located, Range<u64>)>> {
        let (zoom, at) = (self.zoom, self.at);
        let span = |tile: &Located| tile.id.coord().map_or(0..0, |coord| TileId::subtree(coord, zoom));
        let mut heads = Vec::with_capacity(self.tiles.len());
        for tiles in &mut self.tiles {
            while tiles.next_if(|tile| tile.as_ref().is_ok_and(|tile| span(tile).end <= at)).is_some() {}
            match tiles.peek() {
                Some(Ok(tile)) => heads.push((*tile, span(tile))),
                Some(Err(_)) => drop(tiles.next().transpose()?),
                None => {}
            }
        }
        Ok(heads)
    }

    fn step(&mut self) -> Result<Option<Piece>> {
        let mut heads = self.heads()?;
        if heads.iter().all(|(_, span)| span.start > self.at) {
            let Some(start) = heads.iter().map(|(_, span)| span.start).min() else { return Ok(None) };
            self.at = start;
            heads = self.heads()?;
        }
        let at = self.at;
        // Heads go from coarse to fine.
        let Some(over) = heads.iter().rposition(|(_, span)| span.start <= at) else { return Ok(None) };
        let finer = heads[over + 1..].iter().map(|(_, span)| span.start);
        let (tile, span) = &heads[over];
        self.at = finer.fold(span.end, u64::min);
        let there = tile.id.zoom() == Some(self.zoom);
        Ok(Some(if there { Piece::There(*tile) } else { Piece::Below(*tile, at..self.at) }))
    }
}

impl Iterator for Sweep<'_> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.step().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

/// The work on a zoom, in the order of its tiles: no job makes more than `most` of them. What lies outside of the area is left out, and where
/// there is more than that below one tile also what is void.
pub(super) struct Jobs<'a> {
    maker: &'a Maker<'a>,
    area: Option<&'a Area>,
    most: u64,
    sweep: Sweep<'a>,
    /// What is made out of this tile, the next one last.
    rest: Vec<TileCoord>,
    from: Option<Located>,
    mask: Option<Mask>,
}

impl<'a> Jobs<'a> {
    pub(super) fn new(maker: &'a Maker<'a>, area: Option<&'a Area>, zoom: u8, most: u64) -> Result<Self> {
        let sweep = Sweep::new(maker.source, zoom)?;
        Ok(Self { maker, area, most, sweep, rest: Vec::new(), from: None, mask: None })
    }

    /// A job of the tiles below one; `None` where they were put aside in parts, or are not wanted.
    fn split(&mut self, from: Located, below: TileCoord) -> Result<Option<Job>> {
        let zoom = self.sweep.zoom;
        if self.area.is_some_and(|area| area.contact(&below.bounds()) == Contact::Outside) {
            return Ok(None);
        }
        if below.z() == zoom || 1u64 << (2 * (zoom - below.z())) <= self.most {
            return Ok(Some(Job::Make { from, below, zoom }));
        }
        let mask = match self.mask.take() {
            Some(mask) => mask,
            None => self.maker.mask(from)?,
        };
        if mask.any(below) {
            self.rest.extend(below.children_by_id().into_iter().flatten().rev());
        }
        self.mask = Some(mask);
        Ok(None)
    }
}

impl Iterator for Jobs<'_> {
    type Item = Result<Job>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((from, below)) = self.from.zip(self.rest.pop()) {
                match self.split(from, below) {
                    Ok(None) => continue,
                    Ok(Some(job)) => return Some(Ok(job)),
                    Err(error) => {
                        self.rest.clear();
                        self.sweep.failed = true;
                        return Some(Err(error));
                    }
                }
            }
            match self.sweep.next()? {
                Err(error) => return Some(Err(error)),
                Ok(Piece::There(tile)) => return Some(Ok(Job::Copy(tile))),
                Ok(Piece::Below(tile, ids)) => {
                    if self.from.is_none_or(|from| from.id != tile.id) {
                        (self.from, self.mask) = (Some(tile), None);
                    }
                    let first = TileId::first(self.sweep.zoom).0;
                    self.rest.extend(blocks(self.sweep.zoom, ids.start - first..ids.end - first));
                    self.rest.reverse();
                }
            }
        }
    }
}
