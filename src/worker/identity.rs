//! What identifies a run: everything that decides the bytes of its tiles.

use std::path::{Path, PathBuf};

use super::aggregate::Job;
use super::inputs::About;
use super::journal::Journal;
use super::protocol::{Finer, JobMessage, Update};
use crate::error::{Error, Result};
use crate::format::checksum::checksum;

/// Who makes the tiles. The last number is raised with every change after which the same store and options give other bytes, so that no
/// build continues a run, or updates an output, of one that made other pixels.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " pixels 3");

/// Store, options, version and, where they are read from an archive, the finer tiles; how the work is cut up is not part of it.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// The same as JSON.
    pub(super) text: String,
    /// The fingerprint of the text; outputs carry it.
    pub(super) run: u64,
    options: serde_json::Value,
}

impl Identity {
    pub(super) fn new(job: &Job<'_>) -> Result<Self> {
        let message = bare_message(job)?;
        let options = message.identity()?;
        let finer = match &job.how.finer {
            None => serde_json::Value::Null,
            Some((path, lineage)) => {
                let facts = |p: &Path| -> Result<String> {
                    let facts = std::fs::metadata(p).map_err(Error::io("open", p))?;
                    Ok(format!("{} {} {:?}", p.display(), facts.len(), facts.modified().ok()))
                };
                serde_json::json!([facts(path)?, lineage.as_deref().map(facts).transpose()?])
            }
        };
        let text = serde_json::json!({"version": VERSION, "job": options, "finer": finer}).to_string();
        let mut options = options;
        options["store_fingerprint"] = serde_json::Value::Null;
        options["version"] = VERSION.into();
        options["finer"] = finer;
        Ok(Self { run: checksum(text.as_bytes()), text, options })
    }

    /// The identity of a run that makes only what changed since the output of the run `before`: its packs are of use to no
    /// other run.
    pub(super) fn update_of(&self, before: &str) -> Self {
        let text = serde_json::json!({"update_of": before, "run": self.text}).to_string();
        Self { run: checksum(text.as_bytes()), text, options: self.options.clone() }
    }

    /// What workers are told.
    pub(super) fn message(&self, job: &Job<'_>, update: Option<Update>) -> Result<JobMessage> {
        let mut message = bare_message(job)?;
        (message.run, message.update) = (self.run, update);
        Ok(message)
    }

    /// What is written down beside the output.
    pub(super) fn about(&self, job: &Job<'_>) -> About {
        let native_top = job.store.tiles().max_zoom().unwrap_or(0);
        About {
            run: self.name(),
            options: self.options.clone(),
            tile_size: job.store.tile_size(),
            top: job.plan.extent.zooms.max,
            native_top,
        }
    }

    /// The fingerprint as outputs carry it.
    pub(super) fn name(&self) -> String {
        format!("{:016x}", self.run)
    }
}

fn bare_message(job: &Job<'_>) -> Result<JobMessage> {
    let Some(store_path) = job.store.path() else {
        return Err(Error::argument("store", "lies in memory; workers need a file to map"));
    };
    let absolute = |p: &Path| std::path::absolute(p).map_err(Error::io("find", p));
    let work = absolute(&work_folder(job))?;
    let cache = job.budget.block_cache;
    let mut message = JobMessage::new(absolute(store_path)?, job.store.fingerprint(), work, 0, cache, job.options);
    message.most_block = job.budget.most_block();
    message.seen = job.seen();
    Ok(message)
}

/// Where a job keeps its packs.
pub(super) fn work_folder(job: &Job<'_>) -> PathBuf {
    let own = || Journal::folder_of(job.output(), job.how.tmpdir.as_deref());
    job.how.packs.clone().unwrap_or_else(own)
}

/// What the finest step of a job is made from.
pub(super) fn first_finer(job: &Job<'_>) -> Result<Finer> {
    let Some((elevation, lineage)) = &job.how.finer else { return Ok(Finer::Nothing) };
    Ok(Finer::Archives {
        elevation: std::path::absolute(elevation).map_err(Error::io("find", elevation))?,
        lineage: lineage.as_ref().map(std::path::absolute).transpose().map_err(Error::io("find", elevation))?,
    })
}
