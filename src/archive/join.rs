//! Several archives side by side: every tile once, with all that hold it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Located, LocatedTiles, TileSource};
use crate::error::Result;
use crate::tile::TileId;

/// The inputs that hold one tile, in the order of the inputs; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holders {
    pub(crate) id: TileId,
    /// The first input and its tile.
    pub(crate) first: (usize, Located),
    /// The others. Most tiles are in only one input, and then need no list.
    pub(crate) others: Vec<(usize, Located)>,
}

impl Holders {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, Located)> + '_ {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// The one that comes last.
    pub(crate) fn last(&self) -> (usize, Located) {
        self.others.last().copied().unwrap_or(self.first)
    }

    /// The tile of an input.
    pub(crate) fn of(&self, input: usize) -> Option<Located> {
        self.iter().find(|(n, _)| *n == input).map(|(_, tile)| tile)
    }
}

/// Walks all inputs at once in the order of tile ids. Ends after the first error.
pub(crate) struct Join<'a> {
    cursors: Vec<LocatedTiles<'a>>,
    heads: BinaryHeap<Reverse<(TileId, usize)>>,
    current: Vec<Option<Located>>,
    failed: bool,
}

impl<'a> Join<'a> {
    pub(crate) fn new(inputs: &[&'a dyn TileSource]) -> Result<Self> {
        Self::of(inputs.iter().map(|input| input.tiles()).collect::<Result<_>>()?)
    }

    /// The tiles of one zoom.
    pub(crate) fn of_zoom(inputs: &[&'a dyn TileSource], zoom: u8) -> Result<Self> {
        Self::of(inputs.iter().map(|input| input.tiles_of(zoom)).collect::<Result<_>>()?)
    }

    fn of(cursors: Vec<LocatedTiles<'a>>) -> Result<Self> {
        let mut join = Self { current: vec![None; cursors.len()], cursors, heads: BinaryHeap::new(), failed: false };
        for n in 0..join.cursors.len() {
            join.advance(n)?;
        }
        Ok(join)
    }

    /// Moves an input on to its next tile.
    fn advance(&mut self, n: usize) -> Result<()> {
        self.current[n] = self.cursors[n].next().transpose()?;
        if let Some(tile) = self.current[n] {
            self.heads.push(Reverse((tile.id, n)));
        }
        Ok(())
    }

    fn pop(&mut self) -> Result<Option<Holders>> {
        let Some(Reverse((id, n))) = self.heads.pop() else { return Ok(None) };
        let Some(tile) = self.current[n] else { return Ok(None) };
        let mut holders = Holders { id, first: (n, tile), others: Vec::new() };
        self.advance(n)?;
        // Equal ids leave the heap in the order of the inputs.
        while let Some(&Reverse((next, n))) = self.heads.peek()
            && next == id
        {
            self.heads.pop();
            holders.others.extend(self.current[n].map(|tile| (n, tile)));
            self.advance(n)?;
        }
        Ok(Some(holders))
    }
}

impl Iterator for Join<'_> {
    type Item = Result<Holders>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.pop();
        self.failed = next.is_err();
        next.transpose()
    }
}
