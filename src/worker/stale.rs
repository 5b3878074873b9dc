//! Packs whose rasters have changed since, and what was made from those packs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::pack::Pack;
use super::used::look_ahead;
use crate::error::{Error, Result};
use crate::plan::Unit;
use crate::render::{Seen, UnitReport};
use crate::store::Store;
use crate::tile::TileCoord;

/// True where the rasters of a unit are as they were when it was made.
pub(super) fn is_current(unit: &UnitReport, store: &Store, seen: Seen) -> bool {
    unit.read.iter().all(|read| read.check(store, seen).is_ok())
}

/// What [`Packs::drop_stale`] found.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// How many packs were removed.
    pub(super) packs: u64,
    /// One of the rasters that changed.
    pub(super) raster: Option<PathBuf>,
}

/// The packs of a run.
pub(super) struct Packs<'a> {
    pub(super) work: &'a Path,
    pub(super) run: u64,
    pub(super) store: &'a Store,
    pub(super) seen: Seen,
    /// All units, finer ones first.
    pub(super) units: Vec<Unit>,
}

impl Packs<'_> {
    /// Calls `each` with the reports of all packs that are there.
    pub(super) fn each_report(&self, mut each: impl FnMut(&UnitReport)) -> Result<()> {
        for unit in &self.units {
            match Pack::open(&Pack::path_of(self.work, unit), self.run) {
                Ok(pack) => each(&pack.report),
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes the packs among `these` that were made from rasters which changed since, and those of coarser units that were made of
    /// them; gives the reports of all others to `current`.
    pub(super) fn drop_stale(&self, these: &[Unit], mut current: impl FnMut(&UnitReport)) -> Result<Dropped> {
        let mut gone: HashSet<TileCoord> = HashSet::new();
        let (mut stale, mut raster) = (Vec::new(), None);
        for unit in these {
            let Ok(pack) = Pack::open(&Pack::path_of(self.work, unit), self.run) else { continue };
            look_ahead(self.store, pack.report.read.iter().map(|read| read.row))?;
            let changed = pack.report.read.iter().find(|read| read.check(self.store, self.seen).is_err());
            let Some(changed) = changed else {
                current(&pack.report);
                continue;
            };
            raster = self.store.record(changed.row).and_then(|record| record.full_path().ok());
            gone.extend((0..unit.block.z()).filter_map(|z| unit.block.ancestor(z)));
            // Two steps can have the same blocks.
            gone.insert(unit.block);
            stale.push(*unit);
        }
        let mut packs = 0;
        if stale.is_empty() {
            return Ok(Dropped { packs, raster });
        }
        // Packs that were made from others are removed before these: if the process is killed here, the next start finds these again.
        let finest = stale.iter().map(|unit| unit.zooms.min).max().unwrap_or(0);
        let above = |unit: &&Unit| unit.zooms.min < finest && gone.contains(&unit.block);
        for unit in self.units.iter().rev().filter(above).chain(&stale) {
            let path = Pack::path_of(self.work, unit);
            match std::fs::remove_file(&path) {
                Ok(()) => packs += 1,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("remove", &path)(error)),
            }
        }
        Ok(Dropped { packs, raster })
    }
}
