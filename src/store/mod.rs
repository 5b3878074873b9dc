//! The store: one read-only file of records and indices, mapped and never parsed.
//!
//! A store is written once and then only read. Any number of threads and processes map the same file and share its
//! pages through the page cache; opening it reads a page or two. Sections are found by name, so that later versions
//! can add some. The bytes are specified in `store-format.md`.
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
//! The file knows nothing of rasters: [`Container`] and [`ContainerBuilder`] read and write the same kind of file with a schema
//! of one's own, made of columns, texts, dictionaries, lists, boxes and ids. `Store` is such a container with the schema
//! [`SCHEMA`].
//!
//! What a service needs: [`Advice`] says how a file will be read (and loads it beforehand), [`StoreHandle`] follows a file that
//! is replaced.

mod advice;
mod backing;
mod boxes;
mod container;
mod container_builder;
mod identity;
mod mmap;
mod model;
mod names;
mod open;
mod order;
mod parts;
mod records;
mod reload;
mod report;
mod sources;
mod spool;
mod tile_lists;
mod verify;
mod writer;

pub use advice::{Advice, Part};
pub use backing::AlignedBytes;
pub use boxes::Boxes;
pub use container::Container;
pub use container_builder::{ContainerBuilder, write_container};
pub use model::{DataType, RecordInput, SourceInput};
pub use names::SCHEMA;
pub use open::Store;
pub use parts::{BoxesPart, ColumnPart, ListPart, Packing, RaggedPart};
pub use records::{RecordRef, Records, RowId};
pub use reload::{ReloadEvent, StoreGuard, StoreHandle, Watcher};
pub use report::{SectionReport, report};
pub use sources::{SourceRef, Sources};
pub use spool::Spool;
pub use verify::{Findings, Problem, verify, verify_checksums, verify_file};
pub use writer::{Builder, Parameters, record_id, write, write_file};
