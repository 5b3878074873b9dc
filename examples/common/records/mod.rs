//! A set of training records in a container of one's own schema: made up, collected so that an interrupted build goes on,
//! written raw or compressed, and read in random batches. `docs/record-store.md` tells the story; the example, the bench
//! and the tests use what is here.
#![allow(dead_code, unused_imports, reason = "the example, the bench and the tests use a part each")]

mod build;
mod generate;
pub mod palette;
mod reader;
mod set;

pub use super::random::Random;
pub use build::{Coding, Collector, Split};
pub use generate::{CLASSES, EDGE_FEATURES, NODE_FEATURES, Record, SPECTRUM, record};
pub use reader::Reader;
pub use set::{PALETTE, RecordSet, SCHEMA, View, shuffled};
