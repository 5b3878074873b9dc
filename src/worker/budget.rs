//! How the memory of a run is shared out.

use std::time::Duration;

use crate::error::{Error, Result};

/// What the coordinator takes, bytes: the plan and the archive that it writes.
const COORDINATOR: u64 = 48 << 20;
/// What a worker takes beside GDAL's block cache and the tiles in work, bytes: GDAL, open rasters, buffers.
const WORKER: u64 = 56 << 20;
/// GDAL's block cache where nothing is said.
const CACHE: u64 = 32 << 20;
/// The least and the most that a share gives to the block cache.
const LEAST_CACHE: u64 = 4 << 20;
const MOST_CACHE: u64 = 256 << 20;

/// The memory and time that a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Worker processes.
    pub jobs: usize,
    /// What all processes may take together, bytes.
    pub total: Option<u64>,
    /// Bytes that GDAL may keep of decoded blocks in each worker.
    pub block_cache: u64,
    /// A worker above this is ended, bytes.
    pub worker_memory: Option<u64>,
    /// A worker that takes longer for one unit is ended.
    pub worker_time: Option<Duration>,
}

/// What the user asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct BudgetOptions {
    /// Worker processes at most.
    pub jobs: usize,
    /// What all processes may take together, bytes.
    pub memory: Option<u64>,
    /// GDAL's block cache in each worker, bytes.
    pub block_cache: Option<u64>,
    /// The watchdog's limits.
    pub watchdog_memory: Option<u64>,
    /// See [`Budget::worker_time`].
    pub watchdog_time: Option<Duration>,
}

impl Budget {
    /// Shares out the memory: as many workers as fit, what is left for their block caches. `tiles` is what the tiles in
    /// work take in a worker ([`tiles_in_work`]), bytes.
    ///
    /// # Errors
    /// Where the memory is too little for one worker.
    pub fn new(options: &BudgetOptions, tiles: u64) -> Result<Self> {
        let wanted = options.jobs.max(1);
        let fixed = WORKER + tiles;
        let Some(total) = options.memory else {
            return Ok(Self {
                jobs: wanted,
                total: None,
                block_cache: options.block_cache.unwrap_or(CACHE),
                worker_memory: options.watchdog_memory,
                worker_time: options.watchdog_time,
            });
        };
        let least = fixed + options.block_cache.unwrap_or(LEAST_CACHE);
        let for_workers = total.saturating_sub(COORDINATOR);
        let jobs = wanted.min((for_workers / least) as usize);
        if jobs == 0 {
            let needed = (COORDINATOR + least).div_ceil(1 << 20);
            let problem = format!("{} MB is too little for one worker; give at least {needed}M", total >> 20);
            return Err(Error::argument("memory", problem));
        }
        let share = for_workers / jobs as u64;
        let block_cache = options.block_cache.unwrap_or((share - fixed).clamp(LEAST_CACHE, MOST_CACHE));
        Ok(Self {
            jobs,
            total: Some(total),
            block_cache,
            worker_memory: options.watchdog_memory.or(Some(share)),
            worker_time: options.watchdog_time,
        })
    }

    /// True where a unit whose tiles take this much, bytes, fits into a worker's share.
    #[must_use]
    pub fn fits(&self, tiles: u64) -> bool {
        self.worker_memory.is_none_or(|share| WORKER + self.block_cache.min(LEAST_CACHE) + tiles <= share)
    }

    /// What all processes will take at most, bytes, as far as it can be said before.
    #[must_use]
    pub fn expected(&self, tiles: u64) -> u64 {
        self.total.unwrap_or(COORDINATOR + self.jobs as u64 * (WORKER + self.block_cache + tiles))
    }
}

/// What the tiles in work take in a worker, bytes: a tile of each zoom of a unit with its heights, mask and lineage, and
/// what sampling and encoding one need.
#[must_use]
pub fn tiles_in_work(tile_size: u32, zooms: u8) -> u64 {
    let pixels = u64::from(tile_size).pow(2);
    u64::from(zooms) * 2 * pixels * 6 + pixels * 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_decides_how_many_workers_there_are_and_what_they_cache() {
        let options = |memory: u64| BudgetOptions { jobs: 4, memory: Some(memory << 20), ..BudgetOptions::default() };
        let tiles = tiles_in_work(512, 4);
        let large = Budget::new(&options(4096), tiles).unwrap();
        assert_eq!((large.jobs, large.block_cache), (4, MOST_CACHE));
        let middle = Budget::new(&options(500), tiles).unwrap();
        assert_eq!(middle.jobs, 4);
        assert!(middle.block_cache < large.block_cache);
        let small = Budget::new(&options(200), tiles).unwrap();
        assert_eq!(small.jobs, 1);
        for budget in [large, middle, small] {
            let workers = budget.jobs as u64 * budget.worker_memory.unwrap();
            assert!(COORDINATOR + workers <= budget.total.unwrap());
            assert!(budget.fits(tiles));
            assert!(!budget.fits(budget.worker_memory.unwrap()));
        }
        assert!(Budget::new(&options(60), tiles).unwrap_err().to_string().contains("at least"));
        let free = Budget::new(&BudgetOptions { jobs: 3, ..BudgetOptions::default() }, tiles).unwrap();
        assert_eq!((free.jobs, free.block_cache, free.worker_memory), (3, CACHE, None));
        assert!(free.fits(u64::MAX >> 1));
    }
}
