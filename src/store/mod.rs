//! The store: one read-only file of records and their indices, mapped and never parsed.
//!
//! ```
//! use std::io::Cursor;
//! use hypso::store::{self, DataType, RecordInput, SourceInput, Store};
//! use hypso::tile::Bounds;
//!
//! let sources = [SourceInput { name: "dem10".into(), root: "/data/dem10".into(), ..Default::default() }];
//! let records = [RecordInput {
//!     source: 0,
//!     path: "a.tif".into(),
//!     bounds: Bounds::from_lon_lat(138.5, 35.2, 138.6, 35.3),
//!     pixel_size: 12.0,
//!     width: 900,
//!     height: 900,
//!     crs: "EPSG:6668".into(),
//!     nodata: Some(-9999.0),
//!     data_type: DataType::F32,
//!     file_size: 1234,
//!     modified_ns: 0,
//!     ..RecordInput::default()
//! }];
//! let bytes = store::write(Cursor::new(Vec::new()), &sources, &records, &Default::default())?.into_inner();
//! let store = Store::from_bytes(bytes)?;
//! assert_eq!(store.len(), 1);
//! assert_eq!(store.record(0).unwrap().path()?, "a.tif");
//! # Ok::<(), hypso::Error>(())
//! ```
//!
//! A store is a [`Container`](crate::container::Container) of the schema [`SCHEMA`].

mod advice;
mod columns;
mod names;
#[cfg(feature = "engine")]
mod notes;
mod open;
mod order;
mod records;
mod sources;
mod table;
mod tile_lists;
mod verify;
mod writer;

pub use crate::data_type::DataType;
pub use crate::index::RowId;
pub use advice::Part;
pub use columns::{RecordColumn, RecordInput, record_columns};
pub use names::SCHEMA;
#[cfg(feature = "engine")]
pub(crate) use notes::LISTS;
pub use open::Store;
pub use records::{RecordRef, Records};
#[cfg(feature = "engine")]
pub(crate) use sources::attribution_of;
pub use sources::{SourceInput, SourceRef, Sources};
pub use verify::{CHECKS, verify};
/// True where a file begins with the magic number of the store format. The rest may be damaged.
#[cfg(feature = "engine")]
pub(crate) fn is_one(path: &std::path::Path) -> bool {
    use crate::format::layout::MAGIC;
    crate::local::start(path, MAGIC.len() as u64) == MAGIC
}

pub use writer::{Builder, Parameters, record_id, write, write_file};
