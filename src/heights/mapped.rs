//! A mapped file as a grid of pixels.

use super::answers::{Height, Sampling};
use super::entry::{Entry, SIDE};
use super::grid::{Grid, Pixels, Shape, Tiles};
use super::layer::{Blocks, Layer};
use super::open::{Heights, Runs};
use super::pack::Facts;
use crate::error::Result;
use crate::tile::{LonLat, TileCoord, TileId};

/// A file's sections as slices, made once for many queries.
pub(super) struct View<'a> {
    heights: &'a Heights,
    runs: Runs<'a>,
    layer: Layer<'a>,
}

impl Heights {
    #[inline]
    pub(super) fn view(&self) -> View<'_> {
        View { heights: self, runs: self.runs(), layer: self.layer() }
    }
}

impl<'a> View<'a> {
    /// Asks the system for what tells where tiles are, before many are looked for.
    pub(super) fn ahead_of_tiles(&self) {
        self.heights.container.ahead(self.runs.bytes().into_iter().chain(self.layer.directory()));
    }

    /// Asks the system for entries before they are read.
    #[inline]
    pub(super) fn ahead_of_entries(&self, entries: &[[usize; 2]]) {
        self.heights.container.ahead(entries.as_flattened().iter().map(|&at| self.layer.entry_bytes(at)));
    }

    /// Asks the system for bytes of the blocks before they are read.
    #[inline]
    pub(super) fn ahead_of_bytes(&self, bytes: &[[usize; 6]]) {
        self.heights.container.ahead(bytes.as_flattened().iter().map(|&at| self.layer.data_bytes(at)));
    }

    /// An entry by its number among all.
    #[inline]
    pub(super) fn entry(&self, at: usize) -> Entry {
        self.layer.entry(at)
    }

    /// A byte of the blocks.
    #[inline]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.layer.byte(at)
    }

    #[inline]
    fn find(&self, tile: TileCoord) -> Result<Option<MappedTile<'a>>> {
        let Some(row) = self.runs.row(TileId::from(tile).0) else { return Ok(None) };
        let content = self.layer.content_of(row)?;
        let blocks = self.layer.blocks(content)?;
        Ok(Some(MappedTile { heights: self.heights, row, content, blocks }))
    }
}

/// A tile of a mapped file.
#[derive(Debug, Clone, Copy)]
pub struct MappedTile<'a> {
    heights: &'a Heights,
    row: usize,
    content: usize,
    blocks: Blocks<'a>,
}

impl MappedTile<'_> {
    /// Where the entry of a pixel's block is, among all.
    #[inline]
    pub(super) fn entry_at(&self, x: u32, y: u32) -> usize {
        self.blocks.entry_at(self.content, x as usize / SIDE, y as usize / SIDE)
    }

    /// Where the lines of memory are that a pixel needs of its block, whose entry is known.
    #[inline]
    pub(super) fn lines(&self, entry: Entry, [x, y]: [u32; 2]) -> [usize; 3] {
        self.blocks.lines(entry, x, y)
    }
}

impl Pixels for MappedTile<'_> {
    #[inline]
    fn code(&self, x: u32, y: u32) -> Result<Option<i32>> {
        self.blocks.code(x, y)
    }

    #[inline]
    fn four(&self, x: u32, y: u32) -> Result<[Option<i32>; 4]> {
        self.blocks.four(x, y)
    }

    #[inline]
    fn source(&self, x: u32, y: u32) -> Result<Option<u8>> {
        let Some(layer) = self.heights.lineage() else { return Ok(None) };
        let code = layer.blocks(layer.content_of(self.row)?)?.code(x, y)?;
        Ok(code.and_then(|code| u8::try_from(code).ok()))
    }

    fn facts(&self) -> Facts {
        self.heights.facts(self.content)
    }

    fn block_range(&self, x: u32, y: u32) -> Result<Option<(i64, i64)>> {
        Ok(self.blocks.block(x as usize / SIDE, y as usize / SIDE)?.bounds())
    }

    fn block(&self, x: u32, y: u32, codes: &mut [i32; 256], valid: &mut [u8; 256]) -> Result<()> {
        self.blocks.block(x as usize / SIDE, y as usize / SIDE)?.decode(codes, valid)
    }
}

impl Tiles for Heights {
    type Tile<'a> = MappedTile<'a>;

    fn shape(&self) -> &Shape {
        Self::shape(self)
    }

    #[inline]
    fn tile(&self, tile: TileCoord) -> Result<Option<MappedTile<'_>>> {
        self.view().find(tile)
    }
}

impl Grid for Heights {
    fn has_finer(&self, tile: TileCoord, up_to: u8) -> Result<bool> {
        let runs = self.runs();
        let zooms = tile.z() + 1..=up_to.min(Self::shape(self).max_zoom);
        Ok(zooms.rev().any(|zoom| runs.any(&TileId::subtree(tile, zoom))))
    }

    fn sources(&self) -> Result<Vec<String>> {
        Self::sources(self)
    }

    fn datum(&self) -> Result<Option<String>> {
        Self::datum(self)
    }

    fn many(&self, points: &[LonLat], how: &Sampling, heights: &mut Vec<Option<Height>>) -> Result<()> {
        super::many::many(&self.view(), points, how, heights)
    }
}

impl<'h> Tiles for View<'h> {
    type Tile<'a>
        = MappedTile<'h>
    where
        Self: 'a;

    fn shape(&self) -> &Shape {
        self.heights.shape()
    }

    #[inline]
    fn tile(&self, tile: TileCoord) -> Result<Option<MappedTile<'h>>> {
        self.find(tile)
    }
}

impl Grid for View<'_> {
    fn has_finer(&self, tile: TileCoord, up_to: u8) -> Result<bool> {
        self.heights.has_finer(tile, up_to)
    }

    fn sources(&self) -> Result<Vec<String>> {
        self.heights.sources()
    }

    fn datum(&self) -> Result<Option<String>> {
        self.heights.datum()
    }
}
