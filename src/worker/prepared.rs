//! A run that is checked against its store: what it will make, what it will take, and the run itself.

use std::path::{Path, PathBuf};

use super::aggregate::{Job, aggregate, gather};
use super::budget::{Budget, Needs};
use super::by_hand::PlanFile;
use super::crew::Launcher;
use super::datum;
use super::options::JobOptions;
use super::report;
use super::shards::ShardPlan;
use super::summary::Summary;
use crate::archive;
use crate::catalog::{Reindexed, reindex};
use crate::error::{Error, Result};
use crate::plan::{Estimate, Plan, PlanOptions, Unit};
use crate::progress::Progress;
use crate::raster::{self, RasterReader};
use crate::render::{RasterOpener, RenderOptions};
use crate::store::Store;

/// A run of a store, planned.
#[derive(Debug)]
pub struct Prepared<'a> {
    options: &'a JobOptions,
    store: Store,
    /// The store that was made for another tile size goes with this.
    _reindexed: Option<Reindexed>,
    plan: Plan,
    render: RenderOptions,
    budget: Budget,
    warning: Option<String>,
}

impl JobOptions {
    /// Plans a run of a store. Where another tile size is wanted, the records are indexed for it in a temporary file beside
    /// the output.
    ///
    /// # Errors
    /// As [`JobOptions::check_with`]; where the store has nothing in the wanted zooms and area, more than a run can make, or
    /// sources that don't go with the options; where the finer archive does not fit, or the memory is too little for a worker or for one
    /// block of a raster.
    pub fn prepare<'a>(&'a self, store: &Store, reader: &dyn RasterReader) -> Result<Prepared<'a>> {
        self.check_with(reader)?;
        let other = self.tile_size.filter(|&size| size != store.tile_size());
        let reindexed = other.map(|size| reindex(store, size, &self.output)).transpose()?;
        let store = reindexed.as_ref().map_or_else(|| store.clone(), |r| r.store().clone());
        let wanted = PlanOptions { finer_given: self.finer.is_some(), ..self.tiles.clone() };
        // Workers read it; a damaged one is better found here.
        store.notes()?;
        let plan = Plan::new(&store, &wanted)?;
        let render = self.render(&plan);
        render.check(&store)?;
        let warning = datum::check(&store, self.vertical_datum.as_deref())?;
        self.check_finer(&plan)?;
        let budget = Budget::new(&self.budget, &Needs::of(&store, &plan)?)?;
        Ok(Prepared { options: self, store, _reindexed: reindexed, plan, render, budget, warning })
    }

    /// Finer tiles must be there, of the same encoding, and hold the zoom that is needed.
    fn check_finer(&self, plan: &Plan) -> Result<()> {
        let Some((path, lineage)) = &self.finer else { return Ok(()) };
        let archive = archive::open(path)?;
        let encoding = self.codec.encoding.to_string();
        let wrong = |problem: String| Err(Error::argument("finer", format!("{} {problem}", path.display())));
        if let Some(found) = archive.metadata().encoding.as_ref().map(|e| e.name()).filter(|&e| e != encoding) {
            return wrong(format!("is {found}, this run makes {encoding}; give an archive of the same encoding"));
        }
        let needed = plan.extent.zooms.max + 1;
        let zooms = archive.metadata().minzoom.zip(archive.metadata().maxzoom);
        if let Some((min, max)) = zooms.filter(|(min, max)| !(*min..=*max).contains(&needed)) {
            return wrong(format!("holds zooms {min}-{max}, but zoom {needed} is needed"));
        }
        lineage.as_ref().map_or(Ok(()), |l| archive::open(l).map(drop))
    }
}

impl<'a> Prepared<'a> {
    /// A run whose plan is known.
    pub(super) fn of(options: &'a JobOptions, store: Store, plan: Plan, budget: Budget) -> Self {
        let render = options.render(&plan);
        Self { options, store, _reindexed: None, plan, render, budget, warning: None }
    }

    /// The store that is run: the given one, or the same records for another tile size.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What will be made.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Workers, memory and time.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What the output and the work will take; guesses.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        Estimate::new(&self.plan, &self.store, self.budget.jobs)
    }

    /// What all processes will take at most, bytes, as far as it can be said before.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.budget.expected()
    }

    /// What a user should know before the run: heights over different vertical datums.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// The plan as a file, so that its units can be made one by one.
    ///
    /// # Errors
    /// Where the store has no file that outlives this value.
    pub fn plan_file(&self) -> Result<PlanFile> {
        if self._reindexed.is_some() {
            return Err(Error::argument("tile_size", "can't be planned; build the store for that tile size"));
        }
        PlanFile::new(&self.job())
    }

    /// Cuts the plan into about so many shards and one for the coarse top, and writes them into a folder; see [`ShardPlan`]. Makes some tiles,
    /// 2000 at most, so that shards take like times.
    ///
    /// # Errors
    /// Where the store has no file that outlives this value, or the folder can't be written.
    pub fn write_shards(
        &self,
        count: u32,
        folder: &Path,
        opener: &dyn RasterOpener,
        progress: &dyn Progress,
    ) -> Result<ShardPlan> {
        if self._reindexed.is_some() {
            return Err(Error::argument("tile_size", "can't be planned; build the store for that tile size"));
        }
        ShardPlan::write(&self.job(), count, folder, opener, progress)
    }

    /// Runs to the end, and writes a report beside the output. Run again after an interruption, it continues where it stopped;
    /// the result is the same. A run that is complete is not made again.
    ///
    /// Where units keep failing, all others that do not depend on them are made, no archive is written, and
    /// [`Summary::failure`] tells.
    ///
    /// # Errors
    /// Where an output or the report is in the way, another process makes it, the disk is full, or the user interrupts. What
    /// was made so far stays in the work folder then.
    pub fn run(&self, launcher: &Launcher, progress: &dyn Progress) -> Result<Summary> {
        self.reported(|job| aggregate(job, launcher, progress))
    }

    /// Puts the archives together from packs that are all there; see [`gather`].
    pub(super) fn gather(&self, absent: &dyn Fn(&[Unit]) -> Result<Error>, progress: &dyn Progress) -> Result<Summary> {
        self.reported(|job| gather(job, absent, progress))
    }

    /// Does the work of a run, and writes its report.
    fn reported(&self, work: impl FnOnce(&Job<'_>) -> Result<Summary>) -> Result<Summary> {
        let job = self.job();
        let place = report::place(&job)?;
        let before = raster::network();
        let mut summary = work(&job)?;
        // Looks at rasters before and after the work.
        summary.report.network.add(&raster::network().since(&before));
        summary.quality = job.how.rules.judge(&report::figures(&job, &summary)?);
        let whole = summary.output.as_ref().map(|(path, _): &(PathBuf, _)| path.clone());
        summary.report_path = report::write(&job, &summary, place).map_err(|error| match whole {
            Some(path) => error.after_whole(&path),
            None => error,
        })?;
        Ok(summary)
    }

    pub(super) fn job(&self) -> Job<'_> {
        Job { store: &self.store, plan: &self.plan, options: &self.render, how: self.options, budget: &self.budget }
    }
}
