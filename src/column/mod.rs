//! Columns over sections: typed numbers, ragged columns of bytes or text, lists of numbers, and texts behind a
//! dictionary.
//!
//! Views borrow the file's bytes; nothing is copied but what a compressed block has to be decoded into.

mod dictionary;
mod list;
mod numbers;
mod ragged;
mod reader;

pub use dictionary::{Dictionary, write_dictionary};
pub use list::{List, write_list};
pub use numbers::{Element, view, write_column};
pub use ragged::{Ragged, RaggedLayout, write_ragged};
pub use reader::{Batch, RowReader};
