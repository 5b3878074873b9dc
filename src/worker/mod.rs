//! Runs a plan with worker processes and puts the results together.
//!
//! The coordinator re-executes the program as workers. Each worker maps the store and takes units one at a time over
//! its standard input; it holds a few tiles and no list of records, so that its memory does not grow with the store.
//! A finished unit is a *pack*: a file that appears whole or not at all, with checksums and the fingerprint of the
//! run. Packs are the journal: a run that was stopped at any moment continues with the units whose packs are missing.
//!
//! When all steps of a group are done its packs become an MBTiles, and when all groups are done these become the
//! output. Packs of a group's coarsest step stay until the next group is done, which is made from them.

mod aggregate;
mod assemble;
mod budget;
mod by_hand;
mod child;
mod crew;
mod datum;
mod disk;
mod identity;
mod inputs;
mod journal;
mod memory;
mod options;
mod outputs;
mod pack;
mod prepared;
mod process;
mod protocol;
mod report;
mod schedule;
mod shards;
mod stale;
mod summary;
mod update;
mod used;
mod watch;

pub use assemble::{ByZoom, lineage_path};
pub use budget::{Budget, BudgetOptions, LargestBlock, Needs, tiles_in_work};
pub use by_hand::{Made, PlanFile, PlannedUnit, is_plan};
pub use child::serve;
pub use crew::{Launcher, SetAside};
pub use disk::free_space;
pub use memory::{MemoryPeak, Timeline, private_and_proportional};
pub use options::JobOptions;
pub use pack::{Pack, PackWriter};
pub use prepared::Prepared;
pub use protocol::JobMessage;
pub use report::odd;
pub use shards::{
    FileContent, MOST_SHARDS, Shard, ShardOptions, ShardPlan, ShardRaster, ShardReport, ShardStatus, as_ranges,
};
pub use summary::Summary;
