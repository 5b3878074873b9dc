//! Tiles that wait beside an archive, in the order in which they were put.

use std::path::Path;

use crate::atomic::ScratchFile;
use crate::error::{Error, Result};
use crate::tile::{TileCoord, TileId};

/// Bytes before each tile: its id and its length.
const HEADER: usize = 12;

/// A file of tiles without a name.
pub(super) struct Log {
    scratch: ScratchFile,
    filled: u64,
}

impl Log {
    pub(super) fn beside(path: &Path) -> Result<Self> {
        Ok(Self { scratch: ScratchFile::beside(path)?, filled: 0 })
    }

    pub(super) fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        let id = TileId::from(tile).0.to_le_bytes();
        let entry = [&id, (bytes.len() as u32).to_le_bytes().as_slice(), bytes].concat();
        self.scratch.write(&entry, self.filled)?;
        self.filled += entry.len() as u64;
        Ok(())
    }

    /// All of them; ends after the first error.
    pub(super) fn read(self) -> impl Iterator<Item = Result<(TileCoord, Vec<u8>)>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            if at >= self.filled {
                return None;
            }
            let next = self.at(&mut at);
            if next.is_err() {
                at = self.filled;
            }
            Some(next)
        })
    }

    fn at(&self, at: &mut u64) -> Result<(TileCoord, Vec<u8>)> {
        let mut header = [0; HEADER];
        self.scratch.read(&mut header, *at)?;
        let [id @ .., a, b, c, d] = header;
        let id = TileId(u64::from_le_bytes(id));
        let mut bytes = vec![0; u32::from_le_bytes([a, b, c, d]) as usize];
        self.scratch.read(&mut bytes, *at + HEADER as u64)?;
        *at += (HEADER + bytes.len()) as u64;
        let tile = id.coord().ok_or_else(|| Error::internal("a tile that waits has an address beyond all zooms"))?;
        Ok((tile, bytes))
    }
}
