//! Which shards are made, and the archive of them all.

use std::collections::HashSet;
use std::path::Path;

use super::make::{ShardOptions, is_held};
use super::{ShardPlan, is_assembled, units_of, upload};
use crate::error::{Error, Result};
use crate::plan::{Extent, Group, Plan, Step, Unit};
use crate::progress::Progress;
use crate::store::Store;
use crate::url;
use crate::worker::budget::Budget;
use crate::worker::identity::Identity;
use crate::worker::journal::{Claim, Journal};
use crate::worker::options::JobOptions;
use crate::worker::prepared::Prepared;
use crate::worker::protocol::{Finer, JobMessage};
use crate::worker::summary::Summary;

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

    /// Puts the archive together from the packs of all shards. Each pack is looked at once, and then its tiles are read, zoom by zoom; packs
    /// in a bucket by ranges.
    ///
    /// An output in a bucket is made in the current folder first, under the object's name; see
    /// [`CreateOptions::remote`](crate::archive::CreateOptions::remote). Its report and the file of its inputs are put beside it.
    ///
    /// # Errors
    /// [`Error::Incomplete`] where shards are missing, which are named as an array; where the plan is of another version or store, another
    /// process assembles, the disk or a server fails.
    pub fn assemble(&self, options: &ShardOptions, overwrite: bool, progress: &dyn Progress) -> Result<Summary> {
        let output = self.output(options);
        let summary = if url::is_one(output) {
            upload::assembled(self, output, options, overwrite, progress)
        } else {
            self.assembled(output, options, overwrite, progress)
        }?;
        let message = self.message(options)?;
        // A web server gives packs out, and takes none back.
        if url::can_be_listed(&message.work.to_string_lossy())
            && url::is_one(&message.work)
            && let Err(error) = self.clear_bucket(&message)
        {
            let packs = message.work.display();
            progress.note(&format!("{packs}: the packs stay, and can be removed: {error:#}"));
        }
        Ok(summary)
    }

    /// Removes the packs of this plan from a bucket, where there are some.
    fn clear_bucket(&self, message: &JobMessage) -> Result<()> {
        let claim = Claim { run: message.run, identity: &self.common.identity, output: &self.common.output };
        if !Journal::belongs(&message.work, &claim)? {
            return Ok(());
        }
        for shard in self.each()? {
            Journal::clear_bucket(&message.work, &units_of(&self.groups(&shard?)?))?;
        }
        // The note goes last: without it nobody knows whose the packs are.
        Journal::clear_note(&message.work)
    }

    /// The archive in a file.
    pub(super) fn assembled(
        &self,
        output: &Path,
        options: &ShardOptions,
        overwrite: bool,
        progress: &dyn Progress,
    ) -> Result<Summary> {
        let message = self.message(options)?;
        let store = self.open_store(&message)?;
        let job = self.job_options(&message, output, options, overwrite)?;
        let plan = self.plan(&message)?;
        let budget = Budget::new(&options.budget, &self.needs())?;
        let prepared = Prepared::of(&job, store, plan, budget);
        if Identity::new(&prepared.job())?.text != self.common.identity {
            let problem = "was made by another version, or from finer tiles that have changed";
            let remedy = "write the plan again (`worker::ShardPlan`), and make its shards again";
            return Err(Error::invalid("plan", problem, remedy).with_path(super::plan_of(&self.folder)));
        }
        prepared.gather(&|missing| self.without(missing), progress)
    }

    /// The error that names the shards of units that are not made.
    fn without(&self, units: &[Unit]) -> Result<Error> {
        let key = |unit: &Unit| (unit.zooms.min, unit.block);
        let units: HashSet<_> = units.iter().map(key).collect();
        let mut missing = Vec::new();
        for shard in self.each()? {
            let shard = shard?;
            if units_of(&self.groups(&shard)?).iter().any(|unit| units.contains(&key(unit))) {
                missing.push(shard.number);
            }
        }
        let shards = super::as_ranges(&missing);
        let problem = format!("shards {shards} of {} are not made; make them, and assemble again", self.len());
        Ok(Error::Incomplete { problem })
    }

    fn job_options(
        &self,
        message: &JobMessage,
        output: &Path,
        options: &ShardOptions,
        overwrite: bool,
    ) -> Result<JobOptions> {
        let render = message.options()?;
        let mut job = JobOptions::new(output);
        if let Finer::Archives { elevation, lineage } = &self.common.finer {
            job.finer = Some((elevation.clone(), lineage.clone()));
        }
        (job.codec, job.lineage, job.resampling) = (render.codec, render.lineage, render.resampling);
        (job.blend, job.fill_gaps, job.vertical_datum) = (render.blend, render.fill_gaps, render.vertical_datum);
        (job.budget, job.disk_reserve) = (options.budget, options.disk_reserve);
        (job.packs, job.overwrite) = (Some(message.work.clone()), overwrite);
        job.rules.clone_from(&options.rules);
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
