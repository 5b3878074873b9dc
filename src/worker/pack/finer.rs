//! Packs that coarser tiles are made from.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::{END_WITH_TILES, Pack};
use crate::error::Result;
use crate::plan::ZoomRange;
use crate::render::{FinerTiles, Layer};
use crate::tile::TileCoord;

/// The packs of a finished step as the finer tiles of the next one. Keeps a few packs open.
#[derive(Debug)]
pub struct FinerPacks {
    work: PathBuf,
    run: u64,
    zooms: ZoomRange,
    block_zoom: u8,
    open: RefCell<VecDeque<(TileCoord, Pack)>>,
}

/// A unit reads from at most this many packs again and again.
const OPEN_PACKS: usize = 8;

impl FinerPacks {
    /// The packs over these zooms whose blocks are tiles of `block_zoom`.
    #[must_use]
    pub fn new(work: &Path, run: u64, zooms: ZoomRange, block_zoom: u8) -> Self {
        Self { work: work.to_path_buf(), run, zooms, block_zoom, open: RefCell::default() }
    }
}

impl FinerTiles for FinerPacks {
    fn tile(&self, tile: TileCoord, layer: Layer) -> Result<Option<Vec<u8>>> {
        let Some(block) = tile.ancestor(self.block_zoom) else { return Ok(None) };
        let mut open = self.open.borrow_mut();
        if !open.iter().any(|(b, _)| *b == block) {
            let path = Pack::path(&self.work, self.zooms, block);
            // A unit whose tiles are all empty still has a pack; a missing one is an error.
            let pack = Pack::open_end(&path, self.run, END_WITH_TILES)?;
            if open.len() >= OPEN_PACKS {
                open.pop_front();
            }
            open.push_back((block, pack));
        }
        match open.iter().find(|(b, _)| *b == block) {
            Some((_, pack)) => pack.read(tile, layer),
            _ => Ok(None),
        }
    }
}
