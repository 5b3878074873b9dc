//! What a run will take, guessed from what earlier runs took.

use super::Plan;
use crate::store::Store;

/// Guesses for a run. They come from measured means (see `benches/RESULTS.md`) and may be off by a factor of two:
/// steep terrain costs more than sea.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize))]
pub struct Estimate {
    /// Tiles that are made; tiles without a valid pixel are among them.
    pub tiles: u64,
    /// The output, bytes.
    pub output_bytes: u64,
    /// The most that lies on the disk at once, bytes: packs and archives of groups beside the output.
    pub disk_bytes: u64,
    /// CPU seconds of all workers.
    pub cpu_seconds: f64,
    /// Wall seconds, if the jobs have a processor each.
    pub wall_seconds: f64,
    /// Memory of all processes together (proportional set sizes), bytes.
    pub memory_bytes: u64,
}

/// Bytes of an encoded pixel, and CPU seconds for it: rendering and encoding, lossless WebP.
const BYTES_PER_PIXEL: f64 = 0.31;
const SECONDS_PER_PIXEL: f64 = 1.0e-7;
/// Memory of a worker beside its block cache, and of the coordinator: libraries, tiles in work, open rasters.
const WORKER_BYTES: u64 = 70 << 20;
const COORDINATOR_BYTES: u64 = 30 << 20;

impl Estimate {
    /// Guesses for a plan, with so many worker processes and so many bytes of decoded blocks in each.
    #[must_use]
    pub fn new(plan: &Plan, store: &Store, jobs: usize, block_cache: u64) -> Self {
        let tiles = plan.tiles();
        let pixels = f64::from(store.tile_size()).powi(2);
        let bytes = |tiles: u64| (tiles as f64 * pixels * BYTES_PER_PIXEL) as u64;
        let kept: u64 = plan.groups.iter().filter(|g| g.kept).flat_map(|g| &g.steps).map(super::Step::tiles).sum();
        // While a group is put together, its packs and those of the step before lie beside it, and all finished groups;
        // at the end the output lies beside all groups.
        let largest =
            plan.groups.iter().map(|g| g.steps.iter().map(super::Step::tiles).sum::<u64>()).max().unwrap_or(0);
        let cpu_seconds = tiles as f64 * pixels * SECONDS_PER_PIXEL;
        Self {
            tiles,
            output_bytes: bytes(kept),
            disk_bytes: bytes(kept + largest.max(kept)),
            cpu_seconds,
            wall_seconds: cpu_seconds / jobs.max(1) as f64,
            memory_bytes: COORDINATOR_BYTES + jobs.max(1) as u64 * (WORKER_BYTES + block_cache),
        }
    }
}
