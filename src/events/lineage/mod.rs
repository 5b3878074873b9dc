//! Run events of OpenLineage, version 2-0-2 of its specification: what a run reads and makes, for catalogues of data.
//!
//! Configured as OpenLineage's own clients are ([`Config`]). Events go through a queue to a thread of their own ([`Sender`]), so that no
//! server and no disk can make a run wait.

mod config;
mod event;
mod facets;
mod sender;
mod transport;

pub(super) use config::Config;
pub(super) use event::{Event, Moment};
pub(super) use sender::Sender;
