//! What operators hear of a run: lineage events, the audit log and metrics, all from the same facts.
//!
//! A [`Run`] is one command that writes something. [`Watch::begin`] starts to tell of it, [`Live`] hears what it does meanwhile, and
//! [`Watch::finish`] tells how it ended. What inputs and outputs hold is read from the files themselves ([`Facts`]), so that no
//! command has to report it, and every command tells the same.
//!
//! Nothing here makes a run fail or wait, with one exception: where an audit log is asked for and can't be written, that is an error.

pub mod audit;
mod dataset;
mod facts;
mod lineage;
mod live;
mod metrics;
mod run;
mod settings;
mod watch;

pub use dataset::Dataset;
pub use facts::{Elevation, Facts, Kind, Quality};
pub use live::Live;
pub use run::{End, Parent, Run, RunId};
pub use settings::{Settings, rules_of};
pub use watch::{Sinks, Watch};
