//! Indices as flat arrays: id -> row (hashed or dense), box -> rows, tile -> rows; and rows by their ranks.
//!
//! Each index has a function that builds its arrays and a view that answers from them. Views never trust the arrays:
//! a damaged file can lead to a wrong answer, but never to a panic, an endless loop or a read outside of the file.

pub mod dense;
pub mod grid;
pub mod id;
#[doc(hidden)]
pub mod ranks;
#[doc(hidden)]
pub mod rtree;
#[doc(hidden)]
pub mod sorted;
pub mod tiles;

/// The position of a row in its file, from 0 on. In a [`Store`](crate::Store), rows lie in Hilbert order of their footprints'
/// centres; they change when records are added, [ids](crate::store::RecordRef::id) do not.
pub type RowId = u32;
