//! Lineage archives, merged beside their heights or by themselves.

use super::coding::Coding;
use super::combine::NO_INPUT;
use super::legend::Legends;
use super::pyramid::{Content, Finer, HEIGHTS, LINEAGE, Merger, PLANES, Place};
use crate::archive::join::Holders;
use crate::archive::{Located, TileSource};
use crate::error::{Error, Result};
use crate::terrain::{self, NO_SOURCE, TileCodec};
use crate::tile::{TileCoord, TileId};

/// The side of a tile, and the source of each of its pixels.
pub(super) type SourcePlane = (u32, Vec<u8>);

/// Lineage archives under one legend.
pub(super) struct Lineage<'a> {
    inputs: &'a [&'a dyn TileSource],
    legends: Legends,
    codec: TileCodec,
}

impl<'a> Lineage<'a> {
    /// Tiles are written by the encoder of `codec` in the format of the first input.
    pub(super) fn new(inputs: &'a [&'a dyn TileSource], mut codec: TileCodec) -> Result<Self> {
        for input in inputs.iter().rev() {
            codec.format = match Coding::of(*input)? {
                Coding::Lineage(format) => format,
                Coding::Elevation(_) => {
                    let problem = "holds heights, expected lineage";
                    return Err(Error::argument(input.path().display().to_string(), problem));
                }
            };
        }
        Ok(Self { inputs, legends: Legends::unite(inputs)?, codec })
    }

    /// Refuses an encoder that doesn't write the format of the tiles.
    pub(super) fn check(&self) -> Result<()> {
        self.codec.check()
    }

    /// An input's tile by the numbers of the united legend.
    fn plane(&self, input: usize, tile: TileCoord) -> Result<Option<SourcePlane>> {
        let Some(bytes) = self.inputs[input].tile(tile)? else { return Ok(None) };
        let (size, mut plane) = terrain::decode_lineage(&bytes)
            .map_err(|error| error.of_part(format_args!("tile {tile}"), Some(self.inputs[input].path())))?;
        plane.iter_mut().for_each(|source| *source = self.legends.number(input, *source));
        Ok(Some((size, plane)))
    }

    /// An input's tile as it is written: byte by byte where its numbers stay.
    pub(super) fn of_input(&self, input: usize, id: TileId) -> Result<Vec<u8>> {
        let tile = id.coord().ok_or_else(|| Error::limit(format!("tile id {} lies beyond zoom 31", id.0)))?;
        let missing = || self.missing(tile, input);
        if self.legends.keeps(input) {
            return self.inputs[input].tile(tile)?.ok_or_else(missing);
        }
        let (size, plane) = self.plane(input, tile)?.ok_or_else(missing)?;
        self.codec.encode_lineage(size, &plane)
    }

    /// True where the tile that an input holds alone can stay as it is, because all finer ones are the input's too. Where the legend
    /// changes the order of its sources, ties between them may go another way than they did.
    pub(super) fn stays(&self, input: usize, finer: &Finer<'_>) -> bool {
        finer.is_empty() || (finer.are_of(LINEAGE, input) && self.legends.keeps_order(input))
    }

    /// The tile in which each pixel takes the source of the first input that has one.
    fn first_of(&self, tile: TileCoord, inputs: impl Iterator<Item = usize>) -> Result<SourcePlane> {
        let mut out: Option<SourcePlane> = None;
        let mut first = 0;
        for n in inputs {
            let Some((size, plane)) = self.plane(n, tile)? else { continue };
            match &mut out {
                None => (first, out) = (n, Some((size, plane))),
                Some((side, _)) if *side != size => return Err(self.other_size(tile, n, size, *side)),
                Some((_, merged)) => {
                    merged.iter_mut().zip(plane).filter(|(to, _)| **to == NO_SOURCE).for_each(|(to, from)| *to = from);
                }
            }
        }
        out.ok_or_else(|| self.missing(tile, first))
    }

    /// The tile in which each pixel takes the source of the input that won it; `input_of` gives it for a pixel that has a winner.
    pub(super) fn of_winners(
        &self,
        tile: TileCoord,
        winners: &[u8],
        input_of: impl Fn(usize) -> Option<usize>,
    ) -> Result<SourcePlane> {
        let mut planes: Vec<Option<Vec<u8>>> = vec![None; self.inputs.len()];
        let mut out = vec![NO_SOURCE; winners.len()];
        let side = winners.len().isqrt() as u32;
        for (at, to) in out.iter_mut().enumerate().filter(|(at, _)| winners[*at] != NO_INPUT) {
            let Some(n) = input_of(at) else { continue };
            if planes[n].is_none() {
                let (size, plane) = self.plane(n, tile)?.ok_or_else(|| self.missing(tile, n))?;
                if size != side {
                    return Err(self.other_size(tile, n, size, side));
                }
                planes[n] = Some(plane);
            }
            *to = planes[n].as_ref().map_or(NO_SOURCE, |plane| plane[at]);
        }
        Ok((side, out))
    }

    /// Gives the pixels that finer tiles have a source for the majority of these.
    pub(super) fn vote(&self, (size, plane): &mut SourcePlane, finer: &Finer<'_>) -> Result<()> {
        if !size.is_multiple_of(2) {
            return Ok(());
        }
        let mut votes = vec![NO_SOURCE; plane.len()];
        for (quadrant, tile) in finer.tiles.iter().enumerate() {
            let Some((id, places)) = tile else { continue };
            let child = match places[LINEAGE] {
                Place::Nothing => None,
                Place::New { offset, bytes } => Some(terrain::decode_lineage(&finer.made(offset, bytes)?)?),
                Place::Input(n, _) => id.coord().map(|child| self.plane(n, child)).transpose()?.flatten(),
            };
            if let Some((_, child)) = child.filter(|(side, _)| side == size) {
                terrain::downsample_lineage_into(&mut votes, *size, quadrant, &child);
            }
        }
        plane.iter_mut().zip(votes).filter(|(_, vote)| *vote != NO_SOURCE).for_each(|(to, vote)| *to = vote);
        Ok(())
    }

    /// What a merged plane is: the tile of an input where that is the same, else a new one.
    pub(super) fn content(&self, tile: TileCoord, input: usize, merged: &SourcePlane) -> Result<Content> {
        if self.plane(input, tile)?.is_some_and(|plane| plane == *merged) {
            return Ok(kept(tile, input));
        }
        self.codec.encode_lineage(merged.0, &merged.1).map(Content::New)
    }

    fn missing(&self, tile: TileCoord, input: usize) -> Error {
        let problem = "is missing from the lineage, but its heights are there";
        let remedy = "make both archives in one run with `lineage`";
        Error::invalid(format!("tile {tile}"), problem, remedy).with_path(self.inputs[input].path())
    }

    fn other_size(&self, tile: TileCoord, input: usize, size: u32, side: u32) -> Error {
        let problem = format!("has {size} pixels a side, expected {side}");
        Error::invalid(format!("tile {tile}"), problem, "make the archives with one tile size")
            .with_path(self.inputs[input].path())
    }
}

/// The tile of an input as it is; lineage is found by its address.
pub(super) fn kept(tile: TileCoord, input: usize) -> Content {
    Content::Input(input, Located { id: tile.into(), place: Located::NOWHERE, bytes: 0 })
}

/// Lineage without heights: the first input that names a source wins the pixel.
impl Merger for Lineage<'_> {
    fn merge(&self, tile: TileCoord, holders: &Holders, finer: &Finer<'_>) -> Result<[Content; PLANES]> {
        let first = holders.first.0;
        let mut out = [const { Content::Nothing }; PLANES];
        out[LINEAGE] = if holders.others.is_empty() && self.stays(first, finer) {
            kept(tile, first)
        } else {
            let mut plane = self.first_of(tile, holders.iter().map(|(n, _)| n))?;
            self.vote(&mut plane, finer)?;
            self.content(tile, first, &plane)?
        };
        Ok(out)
    }

    fn read(&self, plane: usize, input: usize, at: Located) -> Result<Vec<u8>> {
        debug_assert_ne!(plane, HEIGHTS, "there are none");
        self.of_input(input, at.id)
    }
}
