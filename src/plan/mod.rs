//! What a run will make, in which order: zoom groups, steps and units.
//!
//! A plan is pure: the same store and options give the same plan, with the same ids. It knows no clock, no process
//! and no file. Zooms run from the finest to the coarsest, because a coarser tile is the mean of finer ones.
//!
//! - A **group** is a contiguous zoom range that becomes an archive of its own.
//! - A **step** is up to four zooms of a group. Its units depend only on the step before it, so that all units of a
//!   step can run at once.
//! - A **unit** is the tiles of a step below one ancestor (its *block*), at most 85 of them: what a worker takes, what
//!   can fail, be retried and be resumed.
//!
//! Tiles outside the wanted zooms and area are planned too where wanted tiles are means of them: `--bbox`, `--clip`,
//! `--min-zoom` and `--max-zoom` only remove tiles, they change no pixel.

mod bound;
mod changes;
mod coverage;
mod estimate;
mod groups;
mod units;

pub use changes::Changes;
pub use coverage::{Coverage, Extent};
pub use estimate::Estimate;
pub use groups::{Pattern, ZoomRange};
pub use units::{Group, Parts, Plan, PlanOptions, Step, Unit};
