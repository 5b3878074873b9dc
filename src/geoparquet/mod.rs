//! Parquet files with a table of features (GeoParquet): rows are read as JSON, and written.
//!
//! Schemas, levels and encodings are the business of the crate `parquet`. What stands before these in a file, footer and pages, is checked by
//! our own code first, so that no file reserves memory that it does not fill.

mod pages;
mod source;
mod table;
mod thrift;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use table::Table;
pub(crate) use writer::{Cell, Writer};
