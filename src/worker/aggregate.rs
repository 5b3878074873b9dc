//! A whole run: plan in, archives out.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::assemble::{Kept, Target, Written, metadata, run_of, write_archive};
use super::budget::Budget;
use super::by_hand::PlanFile;
use super::crew::{Crew, Launcher, Outcome, SetAside};
use super::disk::Volumes;
use super::identity::{Identity, first_finer, work_folder};
use super::inputs::{self, Inputs};
use super::journal::{Claim, Journal};
use super::memory::{MemoryPeak, proportional};
use super::options::JobOptions;
use super::outputs::{check_places, folder_of, group_of, outputs, refuse_taken, summary_of};
use super::protocol::{Finer, JobMessage};
use super::schedule::Schedule;
use super::stale::Packs;
use super::summary::Summary;
use super::update::{CHANGES, Previous, touched};
use super::used::UsedRecords;
use crate::archive;
use crate::error::{Error, Result};
use crate::plan::{Changes, Estimate, Group, Plan, Unit};
use crate::progress::Progress;
use crate::render::{Layer, RenderOptions, Seen, UnitReport};
use crate::store::Store;
use crate::url;

/// A run: what is wanted, of which store, by which plan.
#[derive(Debug)]
pub(super) struct Job<'a> {
    /// The store; it must come from a file, which workers map.
    pub(super) store: &'a Store,
    /// What to make.
    pub(super) plan: &'a Plan,
    /// How to make tiles.
    pub(super) options: &'a RenderOptions,
    /// What was asked for.
    pub(super) how: &'a JobOptions,
    /// Workers, memory and time.
    pub(super) budget: &'a Budget,
}

impl<'a> Job<'a> {
    /// The archive to write.
    pub(super) fn output(&self) -> &'a Path {
        &self.how.output
    }

    /// Where rasters that were read are looked at again: packs that were brought together may come from other machines.
    pub(super) fn seen(&self) -> Seen {
        if self.how.packs.is_some() { Seen::Anywhere } else { Seen::Here }
    }
}

/// Runs a plan to the end; see [`Prepared::run`](super::Prepared::run).
pub(super) fn aggregate(job: &Job<'_>, launcher: &Launcher, progress: &dyn Progress) -> Result<Summary> {
    let started = Instant::now();
    let identity = Identity::new(job)?;
    let folder = work_folder(job);
    let outputs = outputs(job);
    check_places(job)?;
    if !job.how.overwrite && outputs.iter().all(|(_, path)| run_of(path).as_ref() == Some(&identity.name())) {
        return complete(job, &identity, folder, started, progress);
    }
    let before = job.how.update.then(|| Previous::find(job, &identity)).transpose()?;
    let (run, update) = match &before {
        Some(previous) => (identity.update_of(&previous.inputs.about.run), Some(previous.update(job, &folder)?)),
        None => (identity.clone(), None),
    };
    if before.is_none() && !job.how.overwrite {
        refuse_taken(job, &identity.name())?;
    }
    let claim = Claim { run: run.run, identity: &run.text, output: job.output() };
    let volumes = Volumes::new(vec![folder_of(job).to_path_buf(), folder.clone()], job.how.disk_reserve);
    if !job.how.ignore_space && before.is_none() && !Journal::holds(&folder, &claim) {
        check_space(job, job.plan, &volumes)?;
    }
    let journal = Journal::open(folder, &claim, job.how.overwrite, progress)?;
    if let Some(previous) = &before {
        previous.write(job, &journal)?;
    }
    let message = run.message(job, update)?;
    let changes = before.as_ref().map(|_| Changes::open(&journal.folder.join(CHANGES))).transpose()?;
    let plan = match &changes {
        Some(changes) => touched(job.plan, changes),
        None => job.plan.clone(),
    };
    if !job.how.ignore_space && before.is_some() {
        check_space(job, &plan, &volumes)?;
    }
    let run = Run { job, again: false, plan, identity, run, journal, volumes, before, changes, progress };
    run.go(message, launcher, started)
}

/// Puts the archives of a run together from packs that are all there. Looks at each pack once before; `absent` makes the error where
/// some are not there, or were made from rasters that have changed. Packs in a bucket stay.
pub(super) fn gather(
    job: &Job<'_>,
    absent: &dyn Fn(&[Unit]) -> Result<Error>,
    progress: &dyn Progress,
) -> Result<Summary> {
    let started = Instant::now();
    let identity = Identity::new(job)?;
    let packs = work_folder(job);
    let folder = if url::is_one(&packs) { Journal::folder_of(job.output(), None) } else { packs.clone() };
    check_places(job)?;
    let claim = Claim { run: identity.run, identity: &identity.text, output: job.output() };
    if !job.how.overwrite && outputs(job).iter().all(|(_, path)| run_of(path).as_ref() == Some(&identity.name())) {
        return complete(job, &identity, folder, started, progress);
    }
    if !job.how.overwrite {
        refuse_taken(job, &identity.name())?;
    }
    Journal::belongs(&packs, &claim)?;
    let mut used = UsedRecords::new(job.store.len(), job.seen());
    let (mut summary, mut missing) = (Summary::default(), Vec::new());
    let units: Vec<Unit> = job.plan.groups.iter().flat_map(|g| &g.steps).flat_map(|s| &s.units).copied().collect();
    let all = Packs { work: &packs, run: identity.run, store: job.store, seen: job.seen(), units };
    progress.begin("looking at packs", Some(all.units.len() as u64), "units");
    all.look(|unit, report| {
        match report {
            Some(report) => {
                used.add(report);
                summary.report.add(report);
            }
            None => missing.push(*unit),
        }
        progress.advance(1);
        if progress.interrupted() { Err(Error::Interrupted) } else { Ok(true) }
    })?;
    progress.end();
    if !missing.is_empty() {
        return Err(absent(&missing)?);
    }
    (summary.units_found, summary.records_used) = (all.units.len() as u64, used.count());
    let volumes = Volumes::new(vec![folder_of(job).to_path_buf(), folder.clone()], job.how.disk_reserve);
    volumes.check(&[summary.report.bytes, 0])?;
    let mut journal = Journal::open(folder, &claim, job.how.overwrite, progress)?;
    journal.packs.clone_from(&packs);
    let (plan, run) = (job.plan.clone(), identity.clone());
    let run = Run { job, again: false, plan, identity, run, journal, volumes, before: None, changes: None, progress };
    let mut memory = MemoryPeak::default();
    run.archives(&used, &mut memory, &mut summary)?;
    (summary.memory, summary.took) = (memory, started.elapsed());
    Ok(summary)
}

/// The run was finished before, perhaps just now: what is left of its work is removed.
fn complete(
    job: &Job<'_>,
    identity: &Identity,
    folder: PathBuf,
    started: Instant,
    progress: &dyn Progress,
) -> Result<Summary> {
    let mut summary = Summary { complete_before: true, ..Summary::default() };
    let mut layers = Vec::new();
    for (_, path) in outputs(job) {
        let summary = summary_of(&path)?;
        layers.push((path, summary));
    }
    if !Inputs::open(job.output()).is_ok_and(|i| i.about.run == identity.name()) {
        inputs::write(job.output(), job.store, &identity.about(job))?;
    }
    // What another run left there is not ours to remove.
    if folder.exists() && Journal::is_left_by(&folder, &identity.text) {
        let claim = Claim { run: identity.run, identity: &identity.text, output: job.output() };
        Journal::open(folder, &claim, true, progress)?.finish(progress)?;
    }
    let mut layers = layers.into_iter();
    (summary.output, summary.lineage) = (layers.next(), layers.next());
    summary.took = started.elapsed();
    Ok(summary)
}

/// Refuses a run that will not fit on the disk.
fn check_space(job: &Job<'_>, plan: &Plan, volumes: &Volumes) -> Result<()> {
    let estimate = Estimate::new(plan, job.store, job.budget.jobs);
    let old = if job.how.update { std::fs::metadata(job.output()).map_or(0, |m| m.len()) } else { 0 };
    let copies = if job.how.keep_intermediates { 2 } else { 1 };
    volumes.check(&[old + estimate.output_bytes * copies, estimate.work_bytes])
}

struct Run<'a> {
    job: &'a Job<'a>,
    /// Rasters changed since an earlier start: archives of that one are made again.
    again: bool,
    plan: Plan,
    /// What the outputs will carry.
    identity: Identity,
    /// What the packs carry.
    run: Identity,
    journal: Journal,
    volumes: Volumes,
    before: Option<Previous>,
    changes: Option<Changes>,
    progress: &'a dyn Progress,
}

impl Run<'_> {
    fn go(mut self, message: JobMessage, launcher: &Launcher, started: Instant) -> Result<Summary> {
        let job = self.job;
        let mut used = UsedRecords::new(job.store.len(), job.seen());
        self.again = self.drop_stale(&mut used)?;
        let (groups, finer, mut report) = self.resume_from(job.how.resume_from.unwrap_or(0), first_finer(job)?)?;
        let schedule = Schedule::new(groups, &finer, |group, unit, parent_missing| {
            if !groups[group].kept && !parent_missing {
                return true;
            }
            let done = self.journal.is_done(unit);
            if let Some(done) = &done {
                report.add(done);
            }
            done.is_some()
        });
        let found = schedule.found;
        let tiles = schedule.tiles_left();
        let (mut outcome, schedule, mut memory) = if tiles > 0 {
            let crew = Crew::new(launcher, &message, job.budget, &self.volumes, job.store.tile_size(), schedule)?;
            self.progress.begin("rendering", Some(tiles), "tiles");
            let mut kept_groups = |group: usize| {
                // The finer groups, too: this one is made from them.
                let packs = self.packs(&groups[..=group]);
                self.group_archives(&groups[group], &|| {
                    let mut used = UsedRecords::new(self.job.store.len(), self.job.seen());
                    packs.each_report(|unit| used.add(unit))?;
                    self.check_sources(&used)
                })
            };
            let result = crew.run(used, &mut kept_groups, self.progress);
            self.progress.end();
            let (outcome, schedule, memory, seen) = result?;
            used = seen;
            (outcome, schedule, memory)
        } else {
            (Outcome::default(), schedule, MemoryPeak::default())
        };
        if self.progress.interrupted() {
            return Err(Error::Interrupted);
        }
        report.add(&outcome.report);
        let mut summary = Summary {
            report,
            units_made: outcome.made,
            units_found: found,
            retried: outcome.retried,
            split: outcome.split,
            ended: outcome.ended,
            paused: outcome.paused,
            set_aside: std::mem::take(&mut outcome.set_aside),
            blocked: schedule.blocked,
            hopeless: outcome.hopeless,
            update: self.before.as_ref().map(|b| (b.difference.added, b.difference.removed, b.difference.changed)),
            records_used: used.count(),
            ..Summary::default()
        };
        if !summary.set_aside.is_empty() {
            if outcome.changed {
                self.journal.mark_outdated(&self.claim());
            }
            summary.aside = Some(self.write_aside(&message, &summary.set_aside)?);
            summary.memory = memory;
            summary.took = started.elapsed();
            return Ok(summary);
        }
        self.archives(&used, &mut memory, &mut summary)?;
        summary.memory = memory;
        summary.took = started.elapsed();
        Ok(summary)
    }

    /// Puts the archives together from the packs of all units, and removes the packs.
    fn archives(self, used: &UsedRecords, memory: &mut MemoryPeak, summary: &mut Summary) -> Result<()> {
        let job = self.job;
        let writing = Instant::now();
        let mut layers = Vec::new();
        let last = || self.check_sources(used);
        for (layer, output) in outputs(job) {
            let written = self.write_output(layer, &output, &last)?;
            if layer == Layer::Elevation {
                summary.zooms = written.zooms;
            }
            layers.push((output, written.summary));
            memory.take(&[proportional(std::process::id()).unwrap_or(0)]);
        }
        if job.how.keep_intermediates {
            for group in self.plan.groups.iter().filter(|g| g.kept) {
                self.group_archives(group, &last)?;
                summary.groups.extend(outputs(job).iter().map(|(layer, _)| self.group_path(*layer, group)));
            }
        }
        let whole = |error: Error| error.after_whole(job.output());
        inputs::write(job.output(), job.store, &self.identity.about(job)).map_err(whole)?;
        summary.writing = writing.elapsed();
        self.journal.finish(self.progress).map_err(whole)?;
        let mut layers = layers.into_iter();
        (summary.output, summary.lineage) = (layers.next(), layers.next());
        Ok(())
    }

    fn claim(&self) -> Claim<'_> {
        Claim { run: self.run.run, identity: &self.run.text, output: self.job.output() }
    }

    fn packs(&self, groups: &[Group]) -> Packs<'_> {
        let units = groups.iter().flat_map(|g| &g.steps).flat_map(|s| &s.units).copied().collect();
        let job = self.job;
        Packs { work: &self.journal.packs, run: self.journal.run, store: job.store, seen: job.seen(), units }
    }

    /// Has units made again whose rasters changed since; notes what all others read. True where there were some.
    fn drop_stale(&self, used: &mut UsedRecords) -> Result<bool> {
        let packs = self.packs(&self.plan.groups);
        let dropped = packs.drop_stale(&packs.units, |_, report| used.add(report))?;
        let Some(raster) = dropped.raster else { return Ok(false) };
        // Reports of packs that were removed with them were counted as well.
        *used = UsedRecords::new(self.job.store.len(), self.job.seen());
        packs.drop_stale(&packs.units, |_, report| used.add(report))?;
        let (raster, packs) = (raster.display(), dropped.packs);
        self.progress.note(&format!("{raster}: was changed since it was read; {packs} units are made again"));
        Ok(true)
    }

    /// Looks whether all that the tiles were made from is what it was then; before an archive gets its name.
    fn check_sources(&self, used: &UsedRecords) -> Result<()> {
        let checked = used.check(self.job.store, self.progress);
        if matches!(checked, Err(Error::Changed { .. })) {
            self.journal.mark_outdated(&self.claim());
        }
        checked?;
        if Identity::new(self.job)?.run == self.identity.run {
            return Ok(());
        }
        Err(Error::argument("finer", "was changed while tiles were made from it; run the same command again"))
    }

    /// Writes an output, unless an earlier start has written it.
    fn write_output(&self, layer: Layer, output: &Path, last: &dyn Fn() -> Result<()>) -> Result<Written> {
        let ours = run_of(output) == Some(self.identity.name());
        if ours && !self.again && !self.job.how.overwrite {
            return Ok(Written { summary: summary_of(output)?, ..Written::default() });
        }
        let kept: Vec<&Group> = self.plan.groups.iter().filter(|g| g.kept).collect();
        let before =
            self.changes.as_ref().map(|changes| Ok::<_, Error>((archive::open(output)?, changes))).transpose()?;
        let kept_tiles =
            before.as_ref().map(|(old, changes)| Kept { archive: old.as_ref(), changes, extent: &self.plan.extent });
        let metadata = metadata(self.job.store, self.job.plan, self.job.options, layer)?;
        let replace = ours || self.job.how.overwrite || self.job.how.update;
        let target = Target { path: output, layer, replace, metadata, run: self.identity.run, last };
        write_archive(target, &kept, kept_tiles.as_ref(), &self.journal, self.job.budget.jobs, self.progress)
    }

    fn group_path(&self, layer: Layer, group: &Group) -> PathBuf {
        group_of(self.job, layer, group)
    }

    /// Writes the archives of a group, where they are to be kept and are not there.
    fn group_archives(&self, group: &Group, last: &dyn Fn() -> Result<()>) -> Result<()> {
        if !self.job.how.keep_intermediates || !group.kept {
            return Ok(());
        }
        for (layer, _) in outputs(self.job) {
            let path = self.group_path(layer, group);
            let ours = run_of(&path) == Some(self.identity.name());
            if ours && !self.again {
                continue;
            }
            let metadata = metadata(self.job.store, self.job.plan, self.job.options, layer)?;
            let (path, replace) = (path.as_path(), ours || self.job.how.overwrite);
            let target = Target { path, layer, replace, metadata, run: self.identity.run, last };
            write_archive(target, &[group], None, &self.journal, self.job.budget.jobs, self.progress)?;
        }
        Ok(())
    }

    /// The groups from a number on, what the first of them is made from, and what the units before took.
    fn resume_from(&self, first: usize, finer: Finer) -> Result<(&[Group], Finer, UnitReport)> {
        let groups = &self.plan.groups;
        if first >= groups.len() {
            let last = groups.len() - 1;
            let problem =
                format!("there is no group {first}; they are 0 to {last}, the finest first, as `plan::Plan` shows");
            return Err(Error::argument("resume_from", problem));
        }
        let mut report = UnitReport::default();
        for (number, group) in groups[..first].iter().enumerate().filter(|(_, g)| g.kept) {
            for unit in group.steps.iter().flat_map(|s| &s.units) {
                let Some(done) = self.journal.is_done(unit) else {
                    let problem = format!(
                        "group {number} (zooms {}) is not finished: unit {} is missing; resume from {number} or an earlier one",
                        group.zooms,
                        unit.id()
                    );
                    return Err(Error::argument("resume_from", problem));
                };
                report.add(&done);
            }
        }
        let above = first.checked_sub(1).and_then(|n| groups[n].steps.last());
        Ok((&groups[first..], above.map_or(finer, |s| Finer::packs(s.zooms, s.block_zoom)), report))
    }

    /// A plan file with the units that were set aside, so that they can be tried by hand.
    fn write_aside(&self, message: &JobMessage, aside: &[SetAside]) -> Result<PathBuf> {
        use std::io::Write;
        let ids: HashSet<String> = aside.iter().map(|a| a.unit.id()).collect();
        let plan = PlanFile::of(self.job, message.clone(), self.run.text.clone())?.only(&ids);
        let path = self.journal.folder.join("aside.json");
        let mut file = crate::atomic::AtomicFile::create(&path)?;
        file.file().write_all(plan.to_json()?.as_bytes()).map_err(Error::io("write", &path))?;
        file.commit()?;
        Ok(path)
    }
}
