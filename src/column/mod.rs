//! Columns over sections: typed numbers, and ragged columns of bytes or text.
//!
//! Views borrow the file's bytes; nothing is copied but what a compressed block has to be decoded into.

mod numbers;
mod ragged;

pub use numbers::{Element, view, write_column};
pub use ragged::{Ragged, RaggedLayout, write_ragged};
