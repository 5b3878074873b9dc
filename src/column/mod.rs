//! Columns over sections: typed numbers, ragged columns of bytes or text, lists of numbers, and texts behind a
//! dictionary.
//!
//! Views borrow the file's bytes; nothing is copied but what a compressed block has to be decoded into.

mod dictionary;
mod list;
mod numbers;
mod ragged;
mod reader;

pub use dictionary::Dictionary;
pub(crate) use dictionary::write_dictionary;
pub use list::List;
pub(crate) use list::write_list;
pub use numbers::Element;
pub(crate) use numbers::{view, write_column};
pub use ragged::Ragged;
#[doc(hidden)]
pub use ragged::RaggedLayout;
pub(crate) use ragged::write_ragged;
pub use reader::{Batch, RowReader};
