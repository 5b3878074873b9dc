//! A plan as a file, and single units of it, made by hand or by any scheduler.
//!
//! The file holds all that a unit needs but the store and the rasters. Units can be made in any order that puts finer
//! ones first, by any number of processes and machines that share the folder of the output; a unit that is there already
//! is not made again. `aggregate` with the same options then finds them all done and puts the archive together.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::aggregate::Job;
use super::child::{Before, Maker};
use super::identity::{Identity, first_finer};
use super::journal::{Claim, Journal};
use super::pack::Pack;
use super::protocol::{Finer, JobMessage, Request};
use super::stale::{Packs, is_current};
use crate::error::{Error, Result};
use crate::format::checksum::checksum;
use crate::local;
use crate::plan::Unit;
use crate::render::{Bounded, RasterOpener, Seen, UnitReport};
use crate::store::Store;
use crate::text::one_line;

/// True where a file is a plan of any version.
#[must_use]
pub fn is_plan(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Start {
        format: String,
    }
    let text = local::read(path, LARGEST).unwrap_or_default();
    serde_json::from_slice(&text).is_ok_and(|plan: Start| plan.format.starts_with("hypso plan "))
}

/// The value of the first member of a plan file.
const FORMAT: &str = "hypso plan 3";

/// A larger file is no plan, bytes: one of the most units that a run may have takes less.
const LARGEST: u64 = 4 << 30;

/// A plan as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub struct PlanFile {
    format: String,
    identity: String,
    /// The archive that the units are for.
    output: PathBuf,
    job: JobMessage,
    units: Vec<PlannedUnit>,
    /// XXH3 of the rest, 16 hexadecimal digits: so that units of an altered plan are not taken for those of the run.
    checksum: String,
}

/// A unit of a plan file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlannedUnit {
    /// Its name, such as `z11-14_11_1814_808`.
    pub id: String,
    /// How many tiles it has at most.
    pub tiles: u64,
    request: Request,
}

/// What became of a unit.
#[derive(Debug)]
pub enum Made {
    /// It was made now.
    Now(UnitReport),
    /// It was there, whole, and of this run.
    Before(UnitReport),
}

impl PlanFile {
    /// The plan of a job, units in an order in which they can be made.
    ///
    /// # Errors
    /// Where the store has no file.
    pub(super) fn new(job: &Job<'_>) -> Result<Self> {
        let run = Identity::new(job)?;
        Self::of(job, run.message(job, None)?, run.text)
    }

    /// The plan of the run that `identity` names.
    pub(super) fn of(job: &Job<'_>, message: JobMessage, identity: String) -> Result<Self> {
        let mut finer = first_finer(job)?;
        let mut units = Vec::new();
        for step in job.plan.groups.iter().flat_map(|g| &g.steps) {
            units.extend(step.units.iter().map(|unit| PlannedUnit {
                id: unit.id(),
                tiles: unit.tiles,
                request: Request::new(unit, finer.clone()),
            }));
            finer = Finer::packs(step.zooms, step.block_zoom);
        }
        let output = std::path::absolute(job.output()).map_err(Error::io("find", job.output()))?;
        Ok(Self { format: FORMAT.into(), identity, output, job: message, units, checksum: String::new() }.sealed())
    }

    /// The same plan with some of its units only.
    pub(super) fn only(mut self, wanted: &HashSet<String>) -> Self {
        self.units.retain(|unit| wanted.contains(&unit.id));
        self.sealed()
    }

    fn sealed(mut self) -> Self {
        self.checksum = self.sum();
        self
    }

    /// What the checksum has to be.
    fn sum(&self) -> String {
        let Self { format, identity, output, job, units, checksum: _ } = self;
        let text = serde_json::to_vec(&(format, identity, output, job, units)).unwrap_or_default();
        format!("{:016x}", checksum(&text))
    }

    /// The file's text, JSON.
    ///
    /// # Errors
    /// Where a path is not UTF-8.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|e| Error::internal(format!("the plan can't be written: {e}")))
    }

    /// Reads a plan file.
    ///
    /// # Errors
    /// Where it can't be read or is no plan.
    pub fn read(path: &Path) -> Result<Self> {
        let text = local::read(path, LARGEST)?;
        let bad =
            |problem: String| Error::invalid("plan", problem, "write it again (`worker::PlanFile`)").with_path(path);
        let plan: Self = serde_json::from_slice(&text).map_err(|e| bad(format!("can't be read: {e}")))?;
        if plan.format != FORMAT {
            return Err(bad(format!("says {:?}, {FORMAT:?} was expected", one_line(&plan.format, 40))));
        }
        if plan.checksum != plan.sum() {
            return Err(bad("was altered or damaged since it was written".into()));
        }
        Ok(plan)
    }

    /// All units, finer ones first.
    #[must_use]
    pub fn units(&self) -> &[PlannedUnit] {
        &self.units
    }

    /// The bytes that GDAL may keep of decoded blocks.
    #[must_use]
    pub fn block_cache(&self) -> u64 {
        self.job.block_cache
    }

    /// A unit by its name, or by its number in the file, from 0 on.
    ///
    /// # Errors
    /// Where there is none.
    pub fn unit(&self, name: &str) -> Result<&PlannedUnit> {
        let by_number = name.parse::<usize>().ok().and_then(|n| self.units.get(n));
        by_number.or_else(|| self.units.iter().find(|u| u.id == name)).ok_or_else(|| {
            let last = self.units.len().saturating_sub(1);
            Error::argument(
                "units",
                format!("there is no unit {name:?}; give a number from 0 to {last}, or a name of the plan"),
            )
        })
    }

    /// Makes units, one after another, and tells what became of each.
    ///
    /// # Errors
    /// Where the store is missing or another one, the work folder belongs to another run, a unit that this one is made
    /// from is not there yet (it is named), or a unit fails.
    pub fn work(
        &self,
        names: &[String],
        opener: &dyn RasterOpener,
        mut told: impl FnMut(&PlannedUnit, Made),
    ) -> Result<()> {
        let wanted = names.iter().map(|name| self.unit(name)).collect::<Result<Vec<_>>>()?;
        let store = Store::open(&self.job.store)?;
        if store.fingerprint() != self.job.store_fingerprint {
            let problem = "is not the one that the plan was made for";
            return Err(Error::invalid("store", problem, "write the plan again (`worker::PlanFile`)")
                .with_path(&self.job.store));
        }
        let claim = Claim { run: self.job.run, identity: &self.identity, output: &self.output };
        Journal::prepare(&self.job.work, &claim)?;
        let options = self.job.options()?;
        options.check(&store)?;
        let before = self.job.update.as_ref().map(Before::open).transpose()?;
        let opener = Bounded { opener, most_block: self.job.most_block };
        let mut maker = Maker::new(&self.job, &store, &options, before.as_ref(), &opener)?;
        let units = self.units.iter().map(|planned| planned.request.unit()).collect::<Result<Vec<_>>>()?;
        let packs = Packs { work: &self.job.work, run: self.job.run, store: &store, seen: Seen::Here, units };
        for planned in wanted {
            let unit = planned.request.unit()?;
            packs.drop_stale(&[unit], |_, _| {})?;
            if let Ok(pack) = Pack::open(&Pack::path_of(&self.job.work, &unit), self.job.run) {
                told(planned, Made::Before(pack.report));
                continue;
            }
            self.check_finer(&unit, &planned.request.finer, &store)?;
            let report = maker.make(&planned.request)?;
            told(planned, Made::Now(report));
        }
        Ok(())
    }

    /// Refuses a unit whose finer tiles are not made yet, or were made from rasters that have changed since.
    fn check_finer(&self, unit: &Unit, finer: &Finer, store: &Store) -> Result<()> {
        let Finer::Packs { min, max, block_zoom } = finer else { return Ok(()) };
        for other in self.units.iter().filter(|u| (u.request.min, u.request.max) == (*min, *max)) {
            let other_unit = other.request.unit()?;
            let below =
                other_unit.block.z() == *block_zoom && other_unit.block.ancestor(unit.block.z()) == Some(unit.block);
            let made = |pack: Pack| is_current(&pack.report, store, Seen::Here);
            if below && !Pack::open(&Pack::path_of(&self.job.work, &other_unit), self.job.run).is_ok_and(made) {
                let problem =
                    format!("unit {} is made from {}, which is not there; make that one first", unit.id(), other.id);
                return Err(Error::not_found(problem));
            }
        }
        Ok(())
    }
}
