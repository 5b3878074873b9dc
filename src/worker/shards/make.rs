//! A shard, made as a run makes its units: by workers that are tried again, split and watched.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Shard, ShardPlan, contents, is_assembled, units_of};
use crate::error::{Error, Result};
use crate::plan::Group;
use crate::progress::Progress;
use crate::quality::Rules;
use crate::render::UnitReport;
use crate::tile::TileCoord;
use crate::worker::budget::{Budget, BudgetOptions};
use crate::worker::crew::{Crew, Launcher, Outcome, SetAside};
use crate::worker::disk::Volumes;
use crate::worker::journal::{Claim, Journal};
use crate::worker::pack;
use crate::worker::protocol::{Finer, JobMessage};
use crate::worker::schedule::Schedule;
use crate::worker::stale::Packs;
use crate::worker::used::UsedRecords;

/// What is of this machine.
#[derive(Debug, Clone, Default)]
pub struct ShardOptions {
    /// The store, where it lies elsewhere than the plan says.
    pub store: Option<PathBuf>,
    /// The folder of packs, where it lies elsewhere than the plan says; or the URL of a place in a bucket (`s3`, `gs`, `az`).
    pub packs: Option<PathBuf>,
    /// The archive, where it lies elsewhere than the plan says; or the URL of an object in a bucket.
    pub output: Option<PathBuf>,
    /// Folders of the rasters of sources, where they lie elsewhere than the store says: names of sources, and folders.
    pub source_roots: Vec<(String, PathBuf)>,
    /// Workers, memory and time.
    pub budget: BudgetOptions,
    /// Below this many free bytes nothing new is begun.
    pub disk_reserve: u64,
    /// The limits of what is measured, for the archive.
    pub rules: Rules,
}

/// What became of a shard.
#[derive(Debug, Clone, Default)]
pub struct ShardReport {
    /// The archive is there; nothing was made.
    pub assembled: bool,
    /// Another process is making the shard; nothing was made.
    pub taken: bool,
    /// Shards that have to be made before; nothing was made.
    pub missing: Vec<u32>,
    /// Units made now.
    pub made: u64,
    /// Units that were there.
    pub found: u64,
    /// What all units gave.
    pub report: UnitReport,
    /// Tries that were repeated.
    pub retried: u64,
    /// Units that kept failing.
    pub set_aside: Vec<SetAside>,
    /// Units that wait for those.
    pub blocked: u64,
    /// Wall time.
    pub took: Duration,
}

impl ShardPlan {
    /// Makes the units of a shard that are not there. A shard that is there, or whose archive is, is not made again.
    ///
    /// Costs, before the first unit, the line of the shard and what the work takes; for the coarse top a look at all packs that it is
    /// made from.
    ///
    /// # Errors
    /// Where the store is missing or another one, the folder of packs belongs to another run, the memory is too little, or the user
    /// interrupts. Units that fail are in the report.
    pub fn make(
        &self,
        number: u32,
        options: &ShardOptions,
        launcher: &Launcher,
        progress: &dyn Progress,
    ) -> Result<ShardReport> {
        let started = Instant::now();
        let shard = self.shard(number)?;
        let mut message = self.message(options)?;
        if is_assembled(self.output(options), &message) {
            return Ok(ShardReport { assembled: true, ..ShardReport::default() });
        }
        let store = self.open_store(&message)?;
        message.options()?.check(&store)?;
        let Ok(_lock) = self.lock(number) else { return Ok(ShardReport { taken: true, ..ShardReport::default() }) };
        let claim = Claim { run: message.run, identity: &self.common.identity, output: self.output(options) };
        Journal::prepare(&message.work, &claim)?;
        let missing = self.unmade(&shard.needs, &message, &store)?;
        if !missing.is_empty() {
            return Ok(ShardReport { missing, ..ShardReport::default() });
        }
        message.copies = contents::compare(&shard.rasters, &store)?;
        let budget = Budget::new(&options.budget, &self.needs())?;
        (message.block_cache, message.most_block) = (budget.block_cache, budget.most_block());
        let (groups, first) = self.steps_of(&shard)?;
        let units = units_of(&groups);
        let packs = Packs { work: &message.work, run: message.run, store: &store, seen: message.seen, units };
        let (report, found) = there(&packs)?;
        let schedule = Schedule::new(&groups, &first, |_, unit, _| found.contains(&(unit.zooms.min, unit.block)));
        let mut report = report;
        let (found, tiles) = (schedule.found, schedule.tiles_left());
        let volumes = Volumes::new(vec![pack::volume(&message.work)], options.disk_reserve);
        let (outcome, blocked) = if tiles > 0 {
            let crew = Crew::new(launcher, &message, &budget, &volumes, self.common.tile_size, schedule)?;
            progress.begin(&format!("shard {number}"), Some(tiles), "tiles");
            let result = crew.run(UsedRecords::new(store.len(), message.seen), &mut |_| Ok(()), progress);
            progress.end();
            let (outcome, schedule, ..) = result?;
            (outcome, schedule.blocked)
        } else {
            (Outcome::default(), 0)
        };
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        report.add(&outcome.report);
        Ok(ShardReport {
            made: outcome.made,
            found,
            report,
            retried: outcome.retried,
            set_aside: outcome.set_aside,
            blocked,
            took: started.elapsed(),
            ..ShardReport::default()
        })
    }

    /// The steps of a shard from the first with a unit on, and what that one is made from.
    fn steps_of(&self, shard: &Shard) -> Result<(Vec<Group>, Finer)> {
        let mut finer = self.common.finer.clone();
        let mut groups = self.groups(shard)?;
        for group in &mut groups {
            while group.steps.first().is_some_and(|step| step.units.is_empty()) {
                let step = group.steps.remove(0);
                finer = Finer::packs(step.zooms, step.block_zoom);
            }
            if !group.steps.is_empty() {
                break;
            }
        }
        groups.retain(|group| !group.steps.is_empty());
        Ok((groups, finer))
    }

    /// The shards among these that are not made.
    pub(super) fn unmade(&self, these: &[u32], message: &JobMessage, store: &crate::Store) -> Result<Vec<u32>> {
        let mut missing = Vec::new();
        if these.is_empty() {
            return Ok(missing);
        }
        for shard in self.each()? {
            let shard = shard?;
            if these.binary_search(&shard.number).is_ok() && !self.is_made(&shard, message, store)? {
                missing.push(shard.number);
            }
        }
        Ok(missing)
    }

    pub(super) fn lock_of(&self, number: u32) -> PathBuf {
        self.folder.join(format!("shard-{number}.lock"))
    }

    /// Holds a shard, so that two machines do not make it at once. Where the folder can't be written, nothing is held: packs appear whole
    /// all the same. The file stays, empty: who removed it might remove that of another.
    fn lock(&self, number: u32) -> std::result::Result<Option<File>, ()> {
        let path = self.lock_of(number);
        let Ok(file) = OpenOptions::new().write(true).create(true).truncate(false).open(&path) else { return Ok(None) };
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(()),
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }
}

/// The units whose packs are there and current, by their coarsest zoom and block, and what they gave. Removes packs that are not current.
fn there(packs: &Packs<'_>) -> Result<(UnitReport, HashSet<(u8, TileCoord)>)> {
    let found = || {
        let (mut report, mut found) = (UnitReport::default(), HashSet::new());
        let dropped = packs.drop_stale(&packs.units, |unit, made| {
            report.add(made);
            found.insert((unit.zooms.min, unit.block));
        })?;
        Ok((report, found, dropped.packs))
    };
    match found()? {
        (report, there, 0) => Ok((report, there)),
        // Packs that were current, but made of those that were removed, were counted as well.
        _ => found().map(|(report, there, _)| (report, there)),
    }
}

/// True where a process holds the lock of this file.
pub(super) fn is_held(path: &Path) -> bool {
    let file = OpenOptions::new().write(true).open(path);
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}
