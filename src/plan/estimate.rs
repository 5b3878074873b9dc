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
    /// The work folder at its largest, bytes: the packs of all units. It lies beside the output at the end.
    pub work_bytes: u64,
    /// CPU seconds of all workers.
    pub cpu_seconds: f64,
    /// Wall seconds, if the jobs have a processor each.
    pub wall_seconds: f64,
}

/// Bytes of an encoded pixel, and CPU seconds for it: rendering and encoding, lossless WebP.
const BYTES_PER_PIXEL: f64 = 0.31;
const SECONDS_PER_PIXEL: f64 = 1.0e-7;
impl Estimate {
    /// Guesses for a plan, with so many worker processes.
    #[must_use]
    pub fn new(plan: &Plan, store: &Store, jobs: usize) -> Self {
        let all = Self::of_tiles(plan.tiles(), store.tile_size());
        let kept: u64 = plan.groups.iter().filter(|g| g.kept).flat_map(|g| &g.steps).map(super::Step::tiles).sum();
        let output_bytes = Self::of_tiles(kept, store.tile_size()).output_bytes;
        Self { output_bytes, wall_seconds: all.cpu_seconds / jobs.max(1) as f64, ..all }
    }

    /// Guesses for so many tiles of so many pixels a side, which are all kept, by one process.
    #[must_use]
    pub fn of_tiles(tiles: u64, tile_size: u32) -> Self {
        let pixels = tiles as f64 * f64::from(tile_size).powi(2);
        let (bytes, seconds) = ((pixels * BYTES_PER_PIXEL) as u64, pixels * SECONDS_PER_PIXEL);
        Self { tiles, output_bytes: bytes, work_bytes: bytes, cpu_seconds: seconds, wall_seconds: seconds }
    }
}
