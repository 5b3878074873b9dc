//! Packs whose rasters have changed since, and what was made from those packs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::pack::{self, Pack};
use super::used::look_ahead;
use crate::error::Result;
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
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Looks at the packs of all units, each once: gives the report of each that is there and was made from the rasters as they are, and
    /// `None` for all others. Ends where `each` says false.
    pub(super) fn look<'u>(
        &'u self,
        mut each: impl FnMut(&'u Unit, Option<&UnitReport>) -> Result<bool>,
    ) -> Result<()> {
        pack::each(self.work, self.run, &self.units, |unit, pack| {
            let report = pack.as_ref().map(|pack| &pack.report);
            if let Some(report) = report {
                look_ahead(self.store, report.read.iter().map(|read| read.row))?;
            }
            each(unit, report.filter(|report| is_current(report, self.store, self.seen)))
        })
    }

    /// Removes the packs among `these` that were made from rasters which changed since, and those of coarser units that were made of
    /// them; gives the reports of all others to `current`.
    pub(super) fn drop_stale(&self, these: &[Unit], mut current: impl FnMut(&Unit, &UnitReport)) -> Result<Dropped> {
        let mut gone: HashSet<TileCoord> = HashSet::new();
        let (mut stale, mut raster) = (Vec::new(), None);
        pack::each(self.work, self.run, these, |unit, pack| {
            let Some(pack) = pack else { return Ok(true) };
            look_ahead(self.store, pack.report.read.iter().map(|read| read.row))?;
            let changed = pack.report.read.iter().find(|read| read.check(self.store, self.seen).is_err());
            let Some(changed) = changed else {
                current(unit, &pack.report);
                return Ok(true);
            };
            raster = self.store.record(changed.row).and_then(|record| record.full_path().ok());
            gone.extend((0..unit.block.z()).filter_map(|z| unit.block.ancestor(z)));
            // Two steps can have the same blocks.
            gone.insert(unit.block);
            stale.push(*unit);
            Ok(true)
        })?;
        let mut packs = 0;
        if stale.is_empty() {
            return Ok(Dropped { packs, raster });
        }
        // Packs that were made from others are removed before these: if the process is killed here, the next start finds these again.
        let finest = stale.iter().map(|unit| unit.zooms.min).max().unwrap_or(0);
        let above = |unit: &&Unit| unit.zooms.min < finest && gone.contains(&unit.block);
        for unit in self.units.iter().rev().filter(above).chain(&stale) {
            packs += u64::from(pack::discard(&Pack::path_of(self.work, unit))?);
        }
        Ok(Dropped { packs, raster })
    }
}
