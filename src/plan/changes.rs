//! Which tiles can have changed between two states of a store.

use super::Extent;
use crate::container::{Container, write_container};
use crate::error::Result;
use crate::tile::{Bounds, TileCoord, web_mercator};
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
    /// Writes the boxes in which pixels can have changed: footprints, each widened by as far as its own pixels reach.
    /// `everything` says that all tiles changed, whatever the boxes are. `reach` is how far the pixels of a zoom's tiles
    /// reach on their own, EPSG:3857 metres by zoom.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn write(path: &Path, boxes: &mut Vec<Bounds>, reach: &[f64], everything: bool) -> Result<()> {
        use crate::index::grid::hilbert_of;
        let other_side: Vec<Bounds> = boxes.iter().flat_map(beyond).collect();
        boxes.extend(other_side);
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
        // These boxes decide which tiles are kept.
        file.expect_whole("run the update again").map_err(|error| error.with_path(path))?;
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

    /// True where a tile can have changed. A tile that is not wanted was not kept, so it
    /// counts as changed together with the wanted tile that is made from it. A search in the tree.
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
        // A block of which nothing is kept changes with the tiles that are made from it.
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
        // A zoom of unknown reach counts as changed.
        let Some(&reach) = self.reach.get(usize::from(z)) else { return true };
        let around = bounds.buffered(reach);
        let mut found = false;
        if let Ok(boxes) = self.file.boxes("changed") {
            boxes.search(&around, |_| found = true);
            beyond(&around).for_each(|part| boxes.search(&part, |_| found = true));
        }
        found
    }
}

/// The part of a box beyond the 180th meridian, moved to the other side of the world.
fn beyond(bounds: &Bounds) -> impl Iterator<Item = Bounds> + use<> {
    let (b, world) = (*bounds, web_mercator::WORLD);
    let shifted = move |by: f64| Bounds::new(b.min_x + by, b.min_y, b.max_x + by, b.max_y);
    let west = (b.min_x < -web_mercator::HALF_WORLD).then(|| shifted(world));
    let east = (b.max_x > web_mercator::HALF_WORLD).then(|| shifted(-world));
    west.into_iter().chain(east)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Coverage, ZoomRange};

    fn changes(boxes: &[Bounds], everything: bool) -> (tempfile::TempDir, Changes) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("changes.hypso");
        let reach: Vec<f64> = (0..=22).map(|z| 10.0 * web_mercator::resolution(z, 512)).collect();
        Changes::write(&path, &mut boxes.to_vec(), &reach, everything).unwrap();
        let changes = Changes::open(&path).unwrap();
        (folder, changes)
    }

    fn extent(min: u8, max: u8, bounds: Option<Bounds>) -> Extent {
        let area = bounds.map(|bounds| std::sync::Arc::new(bounds.into()));
        Extent { coverage: Coverage::Native, zooms: ZoomRange { min, max }, area }
    }

    fn tile(z: u8, x: u32, y: u32) -> TileCoord {
        TileCoord::new(z, x, y).unwrap()
    }

    #[test]
    fn a_change_touches_its_tile_those_near_by_and_all_above() {
        let inner = tile(10, 512, 512).bounds().buffered(-5000.0);
        let (_folder, changes) = changes(&[inner], false);
        let all = extent(0, 12, None);
        assert!((0..=10).all(|z| changes.touch(&all, tile(10, 512, 512).ancestor(z).unwrap())));
        assert!(!changes.touch(&all, tile(10, 514, 512)));
        // Ten pixels of this zoom are 764 m; the change is 5 km away from the edge.
        assert!(!changes.touch(&all, tile(10, 511, 512)));
        let (_folder, near) = super::tests::changes(&[tile(10, 512, 512).bounds()], false);
        assert!(near.touch(&all, tile(10, 511, 512)) && near.touch_block(&all, tile(10, 511, 512)));
    }

    #[test]
    fn what_was_not_kept_goes_with_what_is_made_from_it() {
        let (_folder, changes) = changes(&[tile(12, 0, 0).bounds().buffered(-3000.0)], false);
        // Zooms below 9 are kept: a far tile of zoom 12 below the same tile of zoom 9 is needed to make that again.
        let coarse = extent(0, 9, None);
        assert!(changes.touch(&coarse, tile(12, 7, 7)) && !changes.touch(&extent(0, 12, None), tile(12, 7, 7)));
        assert!(changes.touch_block(&coarse, tile(12, 7, 7)) && !changes.touch_block(&coarse, tile(12, 80, 80)));
        let (_folder, everything) = super::tests::changes(&[], true);
        assert!(everything.touch(&coarse, tile(9, 300, 5)));
    }

    #[test]
    fn a_change_at_the_180th_meridian_touches_both_sides() {
        let last = (1 << 10) - 1;
        let (_folder, changes) = changes(&[tile(10, last, 400).bounds()], false);
        let all = extent(0, 12, None);
        assert!(changes.touch(&all, tile(10, 0, 400)) && !changes.touch(&all, tile(10, 2, 400)));
        let over = tile(10, last, 400).bounds().buffered(100.0);
        let (_folder, changes) = super::tests::changes(&[over], false);
        assert!(changes.touch(&all, tile(10, 0, 400)));
    }
}
