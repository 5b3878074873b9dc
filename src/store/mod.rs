//! The store: one read-only file of records and indices, mapped and never parsed.

mod model;

pub use model::{DataType, RecordInput, SourceInput};
