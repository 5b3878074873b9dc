//! How the memory of a run is shared out.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::memory;
use crate::plan::Plan;
use crate::raster::SMALL_BLOCK;
use crate::store::Store;

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
    /// What the tiles in work take in a worker, bytes.
    tiles: u64,
    /// What the largest block of the rasters takes, as far as it is known, bytes.
    block: u64,
}

/// What the plan of a run asks of a worker.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// What the tiles in work take ([`tiles_in_work`]), bytes.
    pub tiles: u64,
    /// The largest block of the rasters that the run reads, as far as it is known.
    pub block: Option<LargestBlock>,
}

/// A raster that is stored in large blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargestBlock {
    /// The file.
    pub path: PathBuf,
    /// Columns and rows.
    pub size: (u32, u32),
    /// What the decoded block takes, bytes.
    pub bytes: u64,
}

impl Needs {
    /// What `plan` asks for: reads two columns of the store's records.
    ///
    /// # Errors
    /// Where the path of a record is damaged.
    pub fn of(store: &Store, plan: &Plan) -> Result<Self> {
        let (mut largest, mut bytes) = (None, 0);
        for record in store.records().iter() {
            let size = record.block_bytes();
            if size > bytes && plan.extent.meets(&record.bounds()) {
                (largest, bytes) = (Some(record), size);
            }
        }
        let block = largest.map(|record| {
            let size = (record.block_width(), record.block_height());
            Ok::<_, Error>(LargestBlock { path: record.full_path()?, size, bytes })
        });
        Ok(Self { tiles: tiles_in_work(store.tile_size(), 4), block: block.transpose()? })
    }
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
    /// Shares out the memory: as many workers as fit, what is left for their block caches. A worker holds one decoded block
    /// at least, however small its cache is, so large blocks make fewer workers; without a bound by the user, as many as the machine has
    /// room for.
    ///
    /// # Errors
    /// Where the memory is too little for one worker, or for one block of a raster, which is named.
    pub fn new(options: &BudgetOptions, needs: &Needs) -> Result<Self> {
        let block = needs.block.as_ref().map_or(0, |block| block.bytes);
        let least = WORKER + needs.tiles + options.block_cache.unwrap_or(LEAST_CACHE).max(block);
        // For small blocks the system is not asked what memory is left.
        let machine = if block > CACHE { memory::available() } else { None };
        let bound = options.memory.or(machine);
        let for_workers = bound.map(|total| total.saturating_sub(COORDINATOR));
        let jobs = options.jobs.max(1).min(for_workers.map_or(usize::MAX, |bytes| (bytes / least) as usize));
        if let Some(total) = bound.filter(|_| jobs == 0) {
            return Err(too_little(total, options.memory.is_some(), least, needs));
        }
        let share = options.memory.and(for_workers).map(|bytes| bytes / jobs as u64);
        let cache =
            share.map_or(CACHE, |share| (share - WORKER - needs.tiles).clamp(LEAST_CACHE, MOST_CACHE.max(block)));
        let budget = Self {
            jobs,
            total: options.memory,
            block_cache: options.block_cache.unwrap_or(cache),
            worker_memory: options.watchdog_memory.or(share),
            worker_time: options.watchdog_time,
            tiles: needs.tiles,
            block,
        };
        match (&needs.block, budget.most_block()) {
            (Some(block), Some(limit)) if block.bytes > limit.max(SMALL_BLOCK) => Err(block.too_large(limit, None)),
            _ => Ok(budget),
        }
    }

    /// The largest block that a worker may decode, bytes; `None` where its memory is not bounded.
    #[must_use]
    pub fn most_block(&self) -> Option<u64> {
        self.worker_memory.map(|share| share.saturating_sub(WORKER + self.tiles))
    }

    /// True where a unit whose tiles take this much, bytes, fits into a worker's share.
    #[must_use]
    pub fn fits(&self, tiles: u64) -> bool {
        let cache = self.block_cache.min(LEAST_CACHE).max(self.block);
        self.worker_memory.is_none_or(|share| WORKER + cache + tiles <= share)
    }

    /// What all processes will take at most, bytes, as far as it can be said before.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.total.unwrap_or_else(|| self.with_workers(self.jobs as u64))
    }

    /// What so many workers and their coordinator take, bytes.
    pub(super) fn with_workers(&self, count: u64) -> u64 {
        COORDINATOR + count * (WORKER + self.block_cache.max(self.block) + self.tiles)
    }
}

/// Why `total` bytes, which the user or the machine bounds, are not enough for one worker that needs `least` bytes: for its block, or
/// for any worker.
fn too_little(total: u64, by_user: bool, least: u64, needs: &Needs) -> Error {
    let without = WORKER + needs.tiles;
    match &needs.block {
        Some(block) if COORDINATOR + without + LEAST_CACHE <= total => {
            block.too_large(total - COORDINATOR - without, by_user.then_some(COORDINATOR + least))
        }
        _ => {
            let needed = (COORDINATOR + least).div_ceil(1 << 20);
            Error::argument(
                "memory",
                format!("{} MB is too little for one worker; give at least {needed}M", total >> 20),
            )
        }
    }
}

impl LargestBlock {
    fn too_large(&self, limit: u64, enough: Option<u64>) -> Error {
        Error::BlockTooLarge { path: self.path.clone(), block: self.size, bytes: self.bytes, limit, enough }
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
        let needs = Needs { tiles, block: None };
        let large = Budget::new(&options(4096), &needs).unwrap();
        assert_eq!((large.jobs, large.block_cache), (4, MOST_CACHE));
        let middle = Budget::new(&options(500), &needs).unwrap();
        assert_eq!(middle.jobs, 4);
        assert!(middle.block_cache < large.block_cache);
        let small = Budget::new(&options(200), &needs).unwrap();
        assert_eq!(small.jobs, 1);
        for budget in [large, middle, small] {
            let workers = budget.jobs as u64 * budget.worker_memory.unwrap();
            assert!(COORDINATOR + workers <= budget.total.unwrap());
            assert!(budget.fits(tiles));
            assert!(!budget.fits(budget.worker_memory.unwrap()));
        }
        assert!(Budget::new(&options(60), &needs).unwrap_err().to_string().contains("at least"));
        let free = Budget::new(&BudgetOptions { jobs: 3, ..BudgetOptions::default() }, &needs).unwrap();
        assert_eq!((free.jobs, free.block_cache, free.worker_memory), (3, CACHE, None));
        assert!(free.fits(u64::MAX >> 1));
    }

    #[test]
    fn a_block_is_part_of_what_a_worker_needs() {
        let tiles = tiles_in_work(512, 4);
        let needs = |megabytes: u64| {
            let block = LargestBlock { path: "a.tif".into(), size: (5000, 5000), bytes: megabytes << 20 };
            Needs { tiles, block: Some(block) }
        };
        let options = |memory: u64| BudgetOptions { jobs: 8, memory: Some(memory << 20), ..BudgetOptions::default() };
        let workers = |memory: u64, block: u64| Budget::new(&options(memory), &needs(block)).map(|b| b.jobs);
        assert_eq!(workers(4096, 1).unwrap(), 8);
        for (memory, block) in [(1200, 100), (2000, 300), (2000, 700), (1000, 700)] {
            let budget = Budget::new(&options(memory), &needs(block)).unwrap();
            let worker = WORKER + tiles + (block << 20);
            assert!(COORDINATOR + budget.jobs as u64 * worker <= memory << 20 && budget.jobs < 8, "{budget:?}");
            assert!(budget.block_cache >= block << 20 && budget.fits(tiles));
            assert!(budget.most_block().unwrap() >= block << 20);
        }
        let refused = Budget::new(&options(300), &needs(1526)).unwrap_err();
        let Error::BlockTooLarge { bytes, limit, enough: Some(enough), .. } = refused else { panic!("{refused}") };
        assert!(bytes == 1526 << 20 && limit < 300 << 20 && enough > bytes);
        assert_eq!(Budget::new(&options(enough.div_ceil(1 << 20)), &needs(1526)).unwrap().jobs, 1);
        // A worker may be bounded without the run.
        let alone = BudgetOptions { jobs: 2, watchdog_memory: Some(200 << 20), ..BudgetOptions::default() };
        assert!(matches!(Budget::new(&alone, &needs(300)), Err(Error::BlockTooLarge { enough: None, .. })));
        assert_eq!(Budget::new(&alone, &needs(20)).unwrap().jobs, 2);
        // Without a bound by the user, the machine has less.
        let free = BudgetOptions { jobs: 8, ..BudgetOptions::default() };
        assert!(cfg!(not(target_os = "linux")) || Budget::new(&free, &needs(1 << 40)).is_err());
    }
}
