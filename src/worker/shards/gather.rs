//! Which shards are made, and the archive of them all.

use super::make::{ShardOptions, is_held};
use super::{ShardPlan, is_assembled};
use crate::error::{Error, Result};
use crate::plan::{Extent, Group, Plan, Step};
use crate::progress::Progress;
use crate::store::Store;
use crate::worker::aggregate::Summary;
use crate::worker::budget::Budget;
use crate::worker::crew::Launcher;
use crate::worker::identity::Identity;
use crate::worker::options::JobOptions;
use crate::worker::prepared::Prepared;
use crate::worker::protocol::{Finer, JobMessage};

/// How far the shards of a plan are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardStatus {
    /// The archive is there.
    pub assembled: bool,
    /// Shards whose packs are all there.
    pub made: Vec<u32>,
    /// Shards that a process makes now.
    pub running: Vec<u32>,
    /// All others.
    pub missing: Vec<u32>,
}

impl ShardPlan {
    /// Looks at the packs of all shards.
    ///
    /// # Errors
    /// Where the store is missing or another one, or the plan can't be read.
    pub fn status(&self, options: &ShardOptions) -> Result<ShardStatus> {
        let message = self.message(options)?;
        if is_assembled(self.output(options), &message) {
            return Ok(ShardStatus { assembled: true, made: (0..self.len()).collect(), ..ShardStatus::default() });
        }
        self.look(&message, &self.open_store(&message)?)
    }

    fn look(&self, message: &JobMessage, store: &Store) -> Result<ShardStatus> {
        let mut status = ShardStatus::default();
        for shard in self.each()? {
            let shard = shard?;
            let list = if self.is_made(&shard, message, store)? {
                &mut status.made
            } else if is_held(&self.lock_of(shard.number)) {
                &mut status.running
            } else {
                &mut status.missing
            };
            list.push(shard.number);
        }
        Ok(status)
    }

    /// Puts the archive together from the packs of all shards. `launcher` is for packs that vanish meanwhile.
    ///
    /// # Errors
    /// [`Error::Incomplete`] where shards are missing, which are named as an array; where the plan is of another version or store, another
    /// process assembles, or the disk fails.
    pub fn assemble(
        &self,
        options: &ShardOptions,
        overwrite: bool,
        launcher: &Launcher,
        progress: &dyn Progress,
    ) -> Result<Summary> {
        let message = self.message(options)?;
        let store = self.open_store(&message)?;
        // What is assembled is said by the run itself.
        let status = if is_assembled(self.output(options), &message) {
            ShardStatus::default()
        } else {
            self.look(&message, &store)?
        };
        let mut missing = [status.running, status.missing].concat();
        missing.sort_unstable();
        if !missing.is_empty() {
            let shards = super::as_ranges(&missing);
            let problem = format!("shards {shards} of {} are not made; make them, and assemble again", self.len());
            return Err(Error::Incomplete { problem });
        }
        let job = self.job_options(&message, options, overwrite)?;
        let plan = self.plan(&message)?;
        let budget = Budget::new(&options.budget, &self.needs())?;
        let prepared = Prepared::of(&job, store, plan, budget);
        if Identity::new(&prepared.job())?.text != self.common.identity {
            let problem = "was made by another version, or from finer tiles that have changed";
            let remedy = "write the plan again (`worker::ShardPlan`), and make its shards again";
            return Err(Error::invalid("plan", problem, remedy).with_path(super::plan_of(&self.folder)));
        }
        prepared.run(launcher, progress)
    }

    fn job_options(&self, message: &JobMessage, options: &ShardOptions, overwrite: bool) -> Result<JobOptions> {
        let render = message.options()?;
        let mut job = JobOptions::new(self.output(options));
        if let Finer::Archives { elevation, lineage } = &self.common.finer {
            job.finer = Some((elevation.clone(), lineage.clone()));
        }
        (job.codec, job.lineage, job.resampling) = (render.codec, render.lineage, render.resampling);
        (job.blend, job.fill_gaps, job.vertical_datum) = (render.blend, render.fill_gaps, render.vertical_datum);
        (job.budget, job.disk_reserve) = (options.budget, options.disk_reserve);
        (job.packs, job.overwrite) = (Some(message.work.clone()), overwrite);
        Ok(job)
    }

    /// The plan with the units of all shards.
    fn plan(&self, message: &JobMessage) -> Result<Plan> {
        let extent: Extent = message.options()?.extent;
        let mut groups: Vec<Group> = Vec::new();
        for shard in self.each()? {
            let part = self.groups(&shard?)?;
            if groups.is_empty() {
                groups = part;
                continue;
            }
            for (step, mut more) in steps(&mut groups).zip(part.into_iter().flat_map(|group| group.steps)) {
                step.units.append(&mut more.units);
            }
        }
        for step in steps(&mut groups) {
            step.units.sort_unstable_by_key(|unit| crate::tile::TileId::from(unit.block).0);
        }
        Ok(Plan { extent, groups })
    }
}

fn steps(groups: &mut [Group]) -> impl Iterator<Item = &mut Step> {
    groups.iter_mut().flat_map(|group| &mut group.steps)
}
