//! What writers of one file a tile have taken so far.

use std::path::Path;

use super::coverage::Coverage;
use super::metadata::{ArchiveMetadata, TileFormat};
use super::traits::ArchiveSummary;
use crate::error::{Error, Result};
use crate::tile::TileCoord;

#[derive(Debug)]
pub(super) struct Taken {
    pub(super) metadata: ArchiveMetadata,
    coverage: Coverage,
    pub(super) summary: ArchiveSummary,
}

impl Taken {
    pub(super) fn new(metadata: &ArchiveMetadata) -> Self {
        Self { metadata: metadata.clone(), coverage: Coverage::new(), summary: ArchiveSummary::default() }
    }

    /// Counts a tile. The first one tells the format, where the metadata do not.
    ///
    /// # Errors
    /// Where it has no bytes, or stands before one that was taken.
    pub(super) fn take(&mut self, tile: TileCoord, bytes: &[u8], target: &Path) -> Result<()> {
        let refuse = |problem, remedy| Err(Error::invalid(format!("tile {tile}"), problem, remedy).with_path(target));
        if bytes.is_empty() {
            return refuse("has no bytes", "leave empty tiles out");
        }
        if self.summary.tiles == 0 && self.metadata.format == TileFormat::Unknown {
            self.metadata.format = TileFormat::sniff(bytes).unwrap_or_default();
        }
        if !self.coverage.push(tile.into(), 1) {
            let remedy = "tiles are written in the order of tile ids, each once: sort the tiles first";
            return refuse("comes after a tile that stands behind it", remedy);
        }
        self.summary.tiles += 1;
        self.summary.contents += 1;
        self.summary.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Metadata that agree with the tiles, after the last one.
    pub(super) fn complete(&mut self) -> &ArchiveMetadata {
        self.coverage.finish();
        self.metadata.complete(&self.coverage);
        &self.metadata
    }
}
