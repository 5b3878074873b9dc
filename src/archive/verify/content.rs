//! Tiles through the decoder, on all processors, and what their first bytes say.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{Report, TileCheck};
use crate::archive::TileFormat;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::threads::share;
use crate::tile::TileCoord;

/// Tiles that are shared out among the threads at once. Their findings are put in order after each batch, so that the
/// report doesn't depend on the number of threads.
const BATCH: usize = 4096;
const REMEDY: &str = "make this tile again, or the archive";

/// Every how many-th content to decode for a sample of about `sample` out of `total`.
pub(super) fn stride(sample: Option<u64>, total: u64) -> u64 {
    match sample {
        Some(n) => total.div_ceil(n.max(1)).max(1),
        None => 1,
    }
}

/// What to do with every tile.
pub(super) struct Contents<'a, J> {
    /// Reads the content that a job stands for.
    pub(super) read: &'a (dyn Fn(&J) -> Result<Option<Vec<u8>>> + Sync),
    /// The format that the archive declares.
    pub(super) declared: &'a TileFormat,
    pub(super) check: TileCheck<'a>,
    pub(super) progress: &'a dyn Progress,
}

/// What is wrong with a tile, and whether its content was read at all.
struct Finding {
    read: bool,
    fault: Option<(&'static str, Error)>,
}

impl<J: Send + Sync> Contents<'_, J> {
    /// Reads and decodes all tiles into the report.
    ///
    /// # Errors
    /// Where the disk fails or the user interrupts; all else is a problem of the tile.
    pub(super) fn check_all(&self, jobs: &mut dyn Iterator<Item = (TileCoord, J)>, report: &mut Report) -> Result<()> {
        let threads = thread::available_parallelism().map_or(1, |n| n.get());
        loop {
            let batch: Vec<(TileCoord, J)> = jobs.take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            let next = AtomicUsize::new(0);
            let shared = share(threads.min(batch.len()), || self.work(&batch, &next));
            let mut found: Vec<(usize, Result<Finding>)> = shared.into_iter().flatten().collect();
            if self.progress.interrupted() {
                return Err(Error::Interrupted);
            }
            found.sort_by_key(|(at, _)| *at);
            for (at, finding) in found {
                let Finding { read, fault } = finding?;
                report.checked += u64::from(read);
                if let Some((lead, error)) = fault {
                    report.failure(Some(batch[at].0), lead, &error);
                }
            }
        }
    }

    /// One thread: takes tile after tile of the batch.
    fn work(&self, batch: &[(TileCoord, J)], next: &AtomicUsize) -> Vec<(usize, Result<Finding>)> {
        let mut found = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((tile, job)) = batch.get(at).filter(|_| !self.progress.interrupted()) else { return found };
            found.push((at, self.check_one(*tile, job)));
            self.progress.advance(1);
        }
    }

    fn check_one(&self, tile: TileCoord, job: &J) -> Result<Finding> {
        let wrong = |read, problem: &str| {
            Ok(Finding { read, fault: Some(("", Error::invalid(tile.to_string(), problem, REMEDY))) })
        };
        let bytes = match (self.read)(job) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return wrong(false, "is listed but can't be found"),
            Err(error @ (Error::Io { .. } | Error::Interrupted)) => return Err(error),
            Err(error) => return Ok(Finding { read: false, fault: Some(("", error)) }),
        };
        if bytes.is_empty() {
            return wrong(true, "has no bytes");
        }
        if let (Some(found), false) = (TileFormat::sniff(&bytes), *self.declared == TileFormat::Unknown)
            && found != *self.declared
        {
            return wrong(true, &format!("is {}, but the archive declares {}", found.name(), self.declared.name()));
        }
        let fault = (self.check)(tile, &bytes).err().map(|error| ("can't be decoded: ", error));
        Ok(Finding { read: true, fault })
    }
}
