//! Stores and containers: queries, columns, files of every version, advice, reloading. Most of it needs no feature.

#[path = "../common/mod.rs"]
mod common;

mod advice;
mod container;
mod damage;
// A column of every kind needs something that trains a dictionary, which comes with `engine`.
#[cfg(feature = "engine")]
mod document;
mod experiments;
mod golden;
mod heights;
mod independent_reader;
mod queries;
mod records;
mod reload;
mod send_sync;
