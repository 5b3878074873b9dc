//! A whole run: plan in, archives out.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::assemble::{group_is_done, group_path, lineage_path, merge_groups, metadata, write_group};
use super::coordinator::{Crew, Launcher, SetAside};
use super::journal::Journal;
use super::memory::MemoryPeak;
use super::protocol::{Finer, JobMessage};
use crate::archive::ArchiveSummary;
use crate::error::{Error, Result};
use crate::format::checksum::checksum;
use crate::plan::{Group, Plan, Step, Unit};
use crate::progress::Progress;
use crate::render::{Layer, RenderOptions, UnitReport};
use crate::store::Store;
use crate::tile::TileCoord;

/// A run.
#[derive(Debug)]
pub struct Job<'a> {
    /// The store; it must come from a file, which workers map.
    pub store: &'a Store,
    /// What to make.
    pub plan: &'a Plan,
    /// How to make tiles.
    pub options: &'a RenderOptions,
    /// The archive to write, `.pmtiles` or `.mbtiles`.
    pub output: &'a Path,
    /// Worker processes.
    pub jobs: usize,
    /// How to start a worker.
    pub launcher: &'a Launcher,
    /// True where existing outputs and other unfinished runs are replaced.
    pub overwrite: bool,
    /// True where the archives of groups stay beside the output.
    pub keep_intermediates: bool,
    /// Bytes that GDAL may keep of decoded blocks in each worker.
    pub block_cache: u64,
    /// The archive (and its lineage) with the tiles one zoom below the finest wanted one, instead of making them.
    pub finer: Option<(PathBuf, Option<PathBuf>)>,
}

/// What a run made and took.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The output and what it holds.
    pub output: (PathBuf, ArchiveSummary),
    /// The lineage archive, where one was made.
    pub lineage: Option<(PathBuf, ArchiveSummary)>,
    /// The archives of groups that stay.
    pub groups: Vec<PathBuf>,
    /// What all units gave, those of an earlier start included.
    pub report: UnitReport,
    /// Units made now.
    pub units_made: u64,
    /// Units that were there from an earlier start.
    pub units_found: u64,
    /// Tries that failed and were repeated.
    pub retried: u64,
    /// The largest memory seen.
    pub memory: MemoryPeak,
    /// Wall time of this start.
    pub took: Duration,
}

/// Runs a plan to the end. Run again after an interruption, it goes on where it stopped; the result is the same.
///
/// # Errors
/// Where an output is in the way, another process makes it, units keep failing (all others that do not depend on them
/// are made, and the failed ones are listed), the disk is full, or the user interrupts. What was made so far stays in `<output>.work` then.
pub fn aggregate(job: &Job<'_>, progress: &dyn Progress) -> Result<Summary> {
    let started = Instant::now();
    let (message, identity) = message(job)?;
    let run = message.run;
    check_outputs(job, Journal::holds(job.output, run, &identity))?;
    let journal = Journal::open(job.output, run, &identity, job.overwrite)?;
    let run = Run { job, crew: Crew::new(job.launcher, &message, job.jobs)?, journal, progress };
    run.all(started)
}

/// What workers are told, and everything that decides the bytes of tiles.
pub(super) fn message(job: &Job<'_>) -> Result<(JobMessage, String)> {
    let Some(store_path) = job.store.path() else {
        return Err(Error::argument("store", "lies in memory; workers need a file to map"));
    };
    let absolute = |p: &Path| std::path::absolute(p).map_err(Error::io("find", p));
    let work = absolute(&Journal::folder_of(job.output))?;
    let mut message =
        JobMessage::new(absolute(store_path)?, job.store.fingerprint(), work, 0, job.block_cache, job.options);
    let identity = identity(job, &message)?;
    message.run = checksum(identity.as_bytes());
    Ok((message, identity))
}

/// What the finest step of a job is made from.
pub(super) fn first_finer(job: &Job<'_>) -> Result<Finer> {
    let Some((elevation, lineage)) = &job.finer else { return Ok(Finer::Nothing) };
    Ok(Finer::Archives {
        elevation: std::path::absolute(elevation).map_err(Error::io("find", elevation))?,
        lineage: lineage.as_ref().map(std::path::absolute).transpose().map_err(Error::io("find", elevation))?,
    })
}

/// Everything that decides the bytes of tiles, as JSON.
fn identity(job: &Job<'_>, message: &JobMessage) -> Result<String> {
    let finer = match &job.finer {
        None => serde_json::Value::Null,
        Some((path, lineage)) => {
            let facts = |p: &Path| -> Result<String> {
                let facts = std::fs::metadata(p).map_err(Error::io("open", p))?;
                Ok(format!("{} {} {:?}", p.display(), facts.len(), facts.modified().ok()))
            };
            serde_json::json!([facts(path)?, lineage.as_deref().map(facts).transpose()?])
        }
    };
    let zooms: Vec<String> = job.plan.groups.iter().map(|g| g.zooms.to_string()).collect();
    let version = env!("CARGO_PKG_VERSION");
    Ok(serde_json::json!({"version": version, "job": message.identity(), "finer": finer, "groups": zooms}).to_string())
}

/// `resumed` says that the run was started before; what exists then was made by it.
fn check_outputs(job: &Job<'_>, resumed: bool) -> Result<()> {
    let mut outputs = vec![job.output.to_path_buf()];
    if job.options.lineage {
        outputs.push(lineage_path(job.output));
    }
    for output in &outputs {
        // Also says where the folder is missing or the name is one of a folder.
        crate::atomic::temporary_beside(output)?;
        if output.exists() && !job.overwrite && !resumed {
            return Err(Error::Exists { path: output.clone() });
        }
    }
    let extension = job.output.extension().and_then(|e| e.to_str()).unwrap_or_default();
    if !["pmtiles", "mbtiles"].contains(&extension) {
        return Err(Error::argument(
            job.output.display().to_string(),
            "must end in .pmtiles or .mbtiles, which says what to write",
        ));
    }
    Ok(())
}

struct Run<'a> {
    job: &'a Job<'a>,
    crew: Crew<'a>,
    journal: Journal,
    progress: &'a dyn Progress,
}

#[derive(Default)]
struct Totals {
    report: UnitReport,
    made: u64,
    found: u64,
    retried: u64,
    /// Units that kept failing, of all steps so far.
    set_aside: Vec<SetAside>,
    /// Units that were not tried, because they are made from tiles of one that failed.
    blocked: u64,
    /// The blocks of the last step's units that are missing.
    lost: HashSet<TileCoord>,
}

impl Run<'_> {
    fn all(self, started: Instant) -> Result<Summary> {
        let mut totals = Totals::default();
        let mut finer = first_finer(self.job)?;
        let groups = &self.job.plan.groups;
        for (number, group) in groups.iter().enumerate() {
            // What a finished group was made from is gone, and is not needed.
            if groups.get(number + 1).map_or_else(|| self.is_done(group), |next| self.is_done(next)) {
                totals.found += group.steps.iter().map(|s| s.units.len() as u64).sum::<u64>();
                finer = Self::packs_of(group.steps.last(), finer);
                continue;
            }
            finer = self.group(group, finer, &mut totals)?;
            // The group before was only kept for this one. What is missing now is made from it later.
            if totals.set_aside.is_empty()
                && let Some(step) = number.checked_sub(1).and_then(|n| groups[n].steps.last())
            {
                self.journal.drop_step(step)?;
            }
        }
        if !totals.set_aside.is_empty() {
            return Err(Self::set_aside(&totals));
        }
        let kept: Vec<&Group> = self.job.plan.groups.iter().filter(|g| g.kept).collect();
        let mut archives = Vec::new();
        for (layer, output) in self.outputs() {
            let parts: Vec<PathBuf> = kept.iter().map(|g| self.group_path(layer, g)).collect();
            let metadata = metadata(self.job.store, self.job.plan, self.job.options, &output, layer)?;
            let summary = merge_groups(&parts, &output, &metadata, self.progress)?;
            archives.push((output, summary));
        }
        let mut groups = Vec::new();
        for (layer, _) in self.outputs() {
            for path in kept.iter().map(|g| self.group_path(layer, g)) {
                if self.job.keep_intermediates {
                    groups.push(path);
                } else {
                    std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
                }
            }
        }
        let memory = *self.crew.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(self.crew);
        self.journal.finish()?;
        let mut archives = archives.into_iter();
        let Some(output) = archives.next() else { return Err(Error::Other("the run made no archive".into())) };
        Ok(Summary {
            output,
            lineage: archives.next(),
            groups,
            report: totals.report,
            units_made: totals.made,
            units_found: totals.found,
            retried: totals.retried,
            memory,
            took: started.elapsed(),
        })
    }

    fn outputs(&self) -> Vec<(Layer, PathBuf)> {
        let mut outputs = vec![(Layer::Elevation, self.job.output.to_path_buf())];
        if self.job.options.lineage {
            outputs.push((Layer::Lineage, lineage_path(self.job.output)));
        }
        outputs
    }

    fn group_path(&self, layer: Layer, group: &Group) -> PathBuf {
        let beside = self.job.output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = if self.job.keep_intermediates { beside } else { &self.journal.folder };
        group_path(folder, self.job.output, layer, group)
    }

    fn is_done(&self, group: &Group) -> bool {
        group.kept
            && self.outputs().iter().all(|(layer, _)| group_is_done(&self.group_path(*layer, group), self.journal.run))
    }

    fn packs_of(step: Option<&Step>, otherwise: Finer) -> Finer {
        step.map_or(otherwise, |s| Finer::Packs { min: s.zooms.min, max: s.zooms.max })
    }

    /// Makes a group's units and archives, as far as they are not there; gives what the next group is made from.
    fn group(&self, group: &Group, mut finer: Finer, totals: &mut Totals) -> Result<Finer> {
        let done = self.is_done(group);
        for (number, step) in group.steps.iter().enumerate() {
            // Of a finished group only the packs that feed the next one are looked at.
            if !done || number + 1 == group.steps.len() {
                self.step(step, &finer, totals)?;
            }
            finer = Self::packs_of(Some(step), finer);
        }
        if !totals.set_aside.is_empty() {
            // Nothing is written that would lack a part, and nothing goes that a missing part is made from.
            return Ok(finer);
        }
        if group.kept && !done {
            for (layer, output) in self.outputs() {
                let path = self.group_path(layer, group);
                if self.job.keep_intermediates
                    && path.exists()
                    && !self.job.overwrite
                    && !group_is_done(&path, self.journal.run)
                {
                    return Err(Error::Exists { path });
                }
                let metadata = metadata(self.job.store, self.job.plan, self.job.options, &output, layer)?;
                write_group(&path, group, layer, &self.journal, metadata, self.progress)?;
            }
        }
        for step in group.steps.iter().rev().skip(1) {
            self.journal.drop_step(step)?;
        }
        Ok(finer)
    }

    /// Makes the units of a step that are not there. Where some keep failing, all others are made all the same; what
    /// depends on the failed ones waits for the next start.
    fn step(&self, step: &Step, finer: &Finer, totals: &mut Totals) -> Result<()> {
        let blocked: HashSet<TileCoord> = totals.lost.drain().filter_map(|b| b.ancestor(step.block_zoom)).collect();
        let mut missing: Vec<Unit> = Vec::new();
        for unit in &step.units {
            if let Some(report) = self.journal.is_done(unit) {
                totals.found += 1;
                totals.report.add(&report);
            } else if blocked.contains(&unit.block) {
                totals.blocked += 1;
                totals.lost.insert(unit.block);
            } else {
                missing.push(*unit);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let tiles = missing.iter().map(|u| u.tiles).sum();
        self.progress.begin(&format!("rendering zooms {}", step.zooms), Some(tiles), "tiles");
        let outcome = self.crew.step(missing, finer, self.progress);
        self.progress.end();
        totals.report.add(&outcome.report);
        totals.made += outcome.made;
        totals.retried += outcome.retried;
        totals.lost.extend(outcome.set_aside.iter().map(|s| s.unit.block));
        totals.set_aside.extend(outcome.set_aside);
        if outcome.interrupted {
            return Err(Error::Interrupted);
        }
        // Where nothing works any more, the rest would fail as well.
        if outcome.hopeless { Err(Self::set_aside(totals)) } else { Ok(()) }
    }

    fn set_aside(totals: &Totals) -> Error {
        let units = &totals.set_aside;
        let mut text = format!("{} units could not be made:", units.len());
        for aside in units.iter().take(20) {
            text += &format!("\n  {} ({} tiles): {}", aside.unit.id(), aside.unit.tiles, aside.reason);
        }
        if units.len() > 20 {
            text += &format!("\n  and {} more", units.len() - 20);
        }
        if totals.blocked > 0 {
            text += &format!("\n{} coarser units wait for them", totals.blocked);
        }
        text += &format!(
            "\n{} units are made and kept, and no archive is written; mend the cause and run the same command again",
            totals.made + totals.found
        );
        Error::Other(text)
    }
}
