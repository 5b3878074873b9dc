//! Bringing an output up to date: what it was made from, what changed since, and which units that touches.

use std::path::{Path, PathBuf};

use super::aggregate::Job;
use super::assemble::{lineage_path, run_of};
use super::identity::Identity;
use super::inputs::{self, Difference, Inputs};
use super::journal::Journal;
use super::outputs::outputs;
use super::protocol::Update;
use crate::error::{Error, Result};
use crate::plan::{Changes, Plan};
use crate::render::reach;
use crate::tile::MAX_NATIVE_ZOOM;

/// The name of the file with what changed, in the work folder.
pub(super) const CHANGES: &str = "changes.hypso";

/// The output that an update starts from.
pub(super) struct Previous {
    pub(super) inputs: Inputs,
    pub(super) difference: Difference,
}

impl Previous {
    /// The output that is there, and how the records differ from those that it was made from.
    pub(super) fn find(job: &Job<'_>, identity: &Identity) -> Result<Self> {
        if !job.output().exists() {
            let problem = format!("{} is not there; make it once without `update`", job.output().display());
            return Err(Error::argument("update", problem));
        }
        let inputs = Inputs::open(job.output())?;
        for (_, path) in outputs(job) {
            // An update that was stopped between its two archives has the new fingerprint on one of them.
            if run_of(&path).is_none_or(|run| run != inputs.about.run && run != identity.name()) {
                let problem = format!(
                    "{} is not the archive that {} tells of; make all tiles once, with `overwrite`",
                    path.display(),
                    inputs::path_of(job.output()).display()
                );
                return Err(Error::argument("update", problem));
            }
        }
        let difference = inputs.compare(job.store, job.plan, job.options, &identity.about(job))?;
        Ok(Self { inputs, difference })
    }

    /// What workers are told.
    pub(super) fn update(&self, job: &Job<'_>, folder: &Path) -> Result<Update> {
        let absolute = |p: PathBuf| std::path::absolute(&p).map_err(Error::io("find", &p));
        let lineage = job.options.lineage.then(|| absolute(lineage_path(job.output()))).transpose()?;
        Ok(Update {
            changes: absolute(folder.join(CHANGES))?,
            elevation: absolute(job.output().to_path_buf())?,
            lineage,
        })
    }

    /// Writes down what changed.
    pub(super) fn write(&self, job: &Job<'_>, journal: &Journal) -> Result<()> {
        let mut boxes: Vec<_> =
            self.difference.boxes.iter().map(|(b, size)| b.buffered(reach(job.options, 0.0, *size))).collect();
        let resolution = |z| crate::tile::web_mercator::resolution(z, job.store.tile_size());
        let own: Vec<f64> = (0..=MAX_NATIVE_ZOOM).map(|z| reach(job.options, resolution(z), 0.0)).collect();
        let everything = self.difference.everything.is_some();
        Changes::write(&journal.folder.join(CHANGES), &mut boxes, &own, everything)
    }
}

/// The units of a plan that changes touch.
pub(super) fn touched(plan: &Plan, changes: &Changes) -> Plan {
    let mut plan = plan.clone();
    let extent = plan.extent.clone();
    for step in plan.groups.iter_mut().flat_map(|g| &mut g.steps) {
        step.units.retain(|unit| changes.touch_block(&extent, unit.block));
    }
    plan
}
