//! Tiles of packs into an archive where each has its place: the indices of packs say what its place depends on, so their tiles are read by
//! the threads that write them.

use std::path::Path;

use super::turn::{LOOKED_AT, hands, in_turn};
use super::{Entry, Pack};
use crate::archive::ContentHash;
use crate::archive::pmtiles::{Placed, Places, Writers};
use crate::error::Result;
use crate::plan::Unit;
use crate::render::Layer;
use crate::tile::TileCoord;

/// Bytes that a thread writes at once, if they lie together.
const AT_ONCE: usize = 1 << 20;

/// Tiles of a pack that have their places in the archive.
pub(in crate::worker) struct PlacedTiles {
    pack: Pack,
    tiles: Vec<(Entry, u64)>,
}

impl Placed for PlacedTiles {
    fn write(&self, places: &Places) -> Result<()> {
        self.pack.prefetch(self.tiles.iter().map(|(entry, _)| entry))?;
        let (mut bytes, mut start) = (Vec::new(), 0);
        for (entry, place) in &self.tiles {
            if bytes.len() >= AT_ONCE || start + bytes.len() as u64 != *place {
                places.write(&bytes, start)?;
                bytes.clear();
                start = *place;
            }
            self.pack.append(entry, &mut bytes)?;
        }
        places.write(&bytes, start)
    }
}

/// Gives each tile of a layer and a zoom that belongs to the output to `place`, unit by unit, each in the order of ids, and has its bytes
/// written to the place that it gives, if any; `done` after each unit.
///
/// Memory: the indices of some packs, and 1 MB and a tile for each thread that writes.
///
/// # Errors
/// Those of `place` and `done`; where a pack is missing or damaged, a disk or a server fails.
pub(in crate::worker) fn place_each(
    work: &Path,
    run: u64,
    units: &[Unit],
    (layer, z): (Layer, u8),
    writers: &Writers<'_, PlacedTiles>,
    place: &mut dyn FnMut(TileCoord, ContentHash, u32) -> Result<Option<u64>>,
    done: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let open = |unit: &Unit| Pack::open(&Pack::path_of(work, unit), run);
    in_turn(units, hands(work, writers.threads, LOOKED_AT), open, |_, pack| {
        let pack = pack?;
        let mut tiles = Vec::new();
        for (tile, entry) in pack.wanted(layer, z) {
            if let Some(at) = place(tile, entry.content(), entry.length.get())? {
                tiles.push((*entry, at));
            }
        }
        if !tiles.is_empty() {
            writers.write(PlacedTiles { pack, tiles })?;
        }
        done().map(|()| true)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::archive::pmtiles::{PmtilesWriter, with_writers};
    use crate::archive::{ArchiveMetadata, TileSink};
    use crate::plan::ZoomRange;
    use crate::render::{Made, UnitReport};
    use crate::tile::{TileCoord, TileId};
    use crate::worker::pack::{PackWriter, each_tile};

    const RUN: u64 = 7;
    const ZOOMS: (u8, u8) = (4, 7);

    fn below(tile: TileCoord, z: u8) -> Vec<TileCoord> {
        if tile.z() == z {
            vec![tile]
        } else {
            tile.children().into_iter().flatten().flat_map(|t| below(t, z)).collect()
        }
    }

    /// Packs of all units of a step; some tiles are equal, some are not of the output.
    fn packs(work: &Path) -> Vec<Unit> {
        std::fs::create_dir_all(work.join("packs")).unwrap();
        let (zooms, mut units) = (ZoomRange::new(ZOOMS.0, ZOOMS.1).unwrap(), Vec::new());
        for block in (0..16).filter_map(|i| TileId(5 + i).coord()) {
            let unit = Unit { zooms, block, tiles: 1 };
            let mut pack = PackWriter::create(&Pack::path_of(work, &unit), RUN).unwrap();
            for tile in (ZOOMS.0..=ZOOMS.1).rev().flat_map(|z| below(block, z)) {
                let seed = TileId::from(tile).0;
                let kind = if seed.is_multiple_of(3) { 5 } else { seed };
                let bytes = (0..40 + kind * 31 % 900).map(|i| (i * 7 + kind) as u8).collect();
                pack.put(&Made { tile, layer: Layer::Elevation, wanted: seed % 7 != 3, bytes }).unwrap();
            }
            pack.finish(&mut UnitReport::default(), Duration::ZERO).unwrap();
            units.push(unit);
        }
        units
    }

    fn sink(path: &Path) -> Box<PmtilesWriter> {
        let metadata = ArchiveMetadata {
            format: crate::archive::TileFormat::Webp,
            tile_compression: Some(crate::archive::pmtiles::Compression::None),
            ..ArchiveMetadata::default()
        };
        Box::new(PmtilesWriter::create(path, &metadata, false).unwrap())
    }

    /// Writes the archive with so many threads.
    fn spread(work: &Path, units: &[Unit], path: &Path, threads: usize) -> Result<()> {
        let mut sink = sink(path);
        let places = sink.places()?;
        with_writers(threads, &places, |writers| {
            for z in ZOOMS.0..=ZOOMS.1 {
                let mut place = |tile, content, len| sink.place(tile, content, len);
                place_each(work, RUN, units, (Layer::Elevation, z), writers, &mut place, &mut || Ok(()))?;
            }
            Ok(())
        })?;
        sink.finish().map(drop)
    }

    #[test]
    fn many_threads_write_the_archive_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let (work, at) = (folder.path(), |name: &str| folder.path().join(name));
        let units = packs(work);
        let mut one = sink(&at("one.pmtiles"));
        for z in ZOOMS.0..=ZOOMS.1 {
            let mut put = |tile: TileCoord, bytes: &[u8]| one.put(tile, bytes);
            each_tile(work, RUN, &units, (Layer::Elevation, z), &mut put, &mut || Ok(())).unwrap();
        }
        let summary = one.finish().unwrap();
        assert!(summary.tiles > 1000 && summary.contents < summary.tiles, "{summary:?}");
        let whole = std::fs::read(at("one.pmtiles")).unwrap();
        for threads in [0, 1, 3, 8] {
            let path = at(&format!("{threads}.pmtiles"));
            spread(work, &units, &path, threads).unwrap();
            assert!(std::fs::read(path).unwrap() == whole, "{threads}");
        }
    }

    #[test]
    fn a_damaged_tile_is_told_and_its_pack_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let units = packs(folder.path());
        let pack = Pack::path_of(folder.path(), &units[9]);
        let mut bytes = std::fs::read(&pack).unwrap();
        bytes[100] ^= 1;
        std::fs::write(&pack, bytes).unwrap();
        let path = folder.path().join("a.pmtiles");
        let error = spread(folder.path(), &units, &path, 3).unwrap_err().to_string();
        assert!(error.contains("is damaged in its pack") && error.contains(pack.to_str().unwrap()), "{error}");
        assert!(!pack.exists() && !path.exists());
        let error = spread(folder.path(), &units, &path, 3).unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
}
