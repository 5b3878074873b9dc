//! Reports of runs: where they lie, what they say, how two of them compare, and a page with charts.
//!
//! `worker` writes them. Here they are read again, also those of earlier versions, which lack figures that came later.

mod chart;
mod compare;
mod page;
mod read;

pub use compare::{Row, Section, Unit, sections};
pub use page::page;
pub use read::{Alert, FORMAT, Finding, RunReport, is_of, places, read};
