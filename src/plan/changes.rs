//! Which tiles can have changed between two states of a store.

use super::Extent;
use crate::error::Result;
use crate::store::{Container, write_container};
use crate::tile::{Bounds, TileCoord};
use std::path::Path;

/// The schema of the file that holds changes.
const SCHEMA: &str = "hypso-changes";

/// Boxes in which records changed, appeared or vanished, with a tree over them, in a file that workers map.
#[derive(Debug)]
pub struct Changes {
    file: Container,
    /// How far beyond its edge a tile's own pixels reach, EPSG:3857 metres by zoom.
    reach: Vec<f64>,
    everything: bool,
}

impl Changes {
    /// Writes the boxes in which pixels can have changed: footprints, each with as much around it as its own pixels reach.
    /// `everything` says that all tiles changed, whatever the boxes. `reach` is how far the pixels of a zoom's tiles
    /// reach on their own, EPSG:3857 metres by zoom.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn write(path: &Path, boxes: &mut [Bounds], reach: &[f64], everything: bool) -> Result<()> {
        use crate::index::grid::hilbert_of;
        boxes.sort_by_cached_key(hilbert_of);
        write_container(path, SCHEMA, |out| {
            out.boxes("changed", boxes)?;
            out.column("reach", reach)?;
            out.column("flags", &[u32::from(everything)])
        })
    }

    /// Opens such a file.
    ///
    /// # Errors
    /// Where it is missing or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let file = Container::open(path)?;
        file.expect_schema(SCHEMA)?;
        let reach = file.column::<f64>("reach")?.to_vec();
        let everything = file.column::<u32>("flags")?.first().is_some_and(|&f| f != 0);
        file.boxes("changed")?;
        Ok(Self { file, reach, everything })
    }

    /// How many boxes there are.
    #[must_use]
    pub fn boxes(&self) -> usize {
        self.file.boxes("changed").map_or(0, |b| b.len())
    }

    /// True where a tile can have changed. One that is not wanted goes with the wanted one that is made from it, because
    /// nobody kept it. A search in the tree.
    #[must_use]
    pub fn touch(&self, extent: &Extent, tile: TileCoord) -> bool {
        let mut kept = tile;
        while !extent.wants(kept) {
            match kept.z().checked_sub(1).and_then(|z| kept.ancestor(z)) {
                Some(above) => kept = above,
                None => return true,
            }
        }
        self.touch_box(&kept.bounds(), kept.z())
    }

    /// True where a tile below the block, at this zoom or a coarser one, can have changed. May say so where none has.
    #[must_use]
    pub fn touch_block(&self, extent: &Extent, block: TileCoord) -> bool {
        let mut kept = block;
        // Where nothing of the block is kept, it goes with what is made from it.
        while kept.z() > extent.zooms.max || !extent.meets(&kept.bounds()) {
            match kept.ancestor(kept.z() - 1) {
                Some(above) => kept = above,
                None => return true,
            }
        }
        self.touch_box(&kept.bounds(), kept.z())
    }

    fn touch_box(&self, bounds: &Bounds, z: u8) -> bool {
        if self.everything {
            return true;
        }
        // A zoom that nothing is known of counts as changed.
        let Some(&reach) = self.reach.get(usize::from(z)) else { return true };
        let around = bounds.buffered(reach);
        let mut found = false;
        if let Ok(boxes) = self.file.boxes("changed") {
            boxes.search(&around, |_| found = true);
        }
        found
    }
}
