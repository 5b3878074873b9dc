//! A road network in a container of one's own schema: made up, written, asked, and used to match traces to roads.
//! `docs/road-network.md` tells the story; the example, the bench and the tests use what is here.
#![allow(dead_code, unused_imports, reason = "the example, the bench and the tests use a part each")]

mod build;
mod generate;
mod matcher;
mod network;
mod trace;

pub use super::random::Random;
pub use build::{Roads, write};
pub use generate::{CLASSES, Country, Road};
pub use matcher::{Match, Matcher};
pub use network::{Network, SCHEMA};
pub use trace::{Trace, drive};
