//! A file of any schema: mapped and never parsed, written whole or not at all, replaced while services read it.
//!
//! [`Container`] and [`ContainerBuilder`] read and write a file of columns, texts, dictionaries, lists, boxes and ids by name.
//! A file is written once and then only read. Any number of threads and processes map it and share its pages through the
//! page cache; opening it reads a page or two. Sections are found by name, so that later versions can add some. The bytes
//! are specified in `store-format.md`.
//!
//! What the sections mean is their [`Schema`]; [`Store`](crate::Store) is one. What a service needs: [`Advice`] says how a
//! file will be read (and loads it beforehand), [`Handle`] follows a file that is replaced.

mod advice;
mod backing;
mod boxes;
mod builder;
mod file;
mod handle;
mod identity;
mod map;
mod parts;
mod report;
mod schema;
mod spool;
mod verify;

pub use crate::index::RowId;
pub use advice::Advice;
pub use backing::AlignedBytes;
pub use boxes::Boxes;
pub use builder::{ContainerBuilder, write_container};
pub use file::Container;
pub use handle::{Guard, Handle, ReloadEvent, Watcher};
#[cfg(feature = "serve")]
pub(crate) use identity::FileIdentity;
pub use parts::{BoxesPart, ColumnPart, ListPart, Packing, RaggedPart};
pub use report::{SectionReport, report};
pub use schema::Schema;
pub use spool::Spool;
pub(crate) use verify::verify_general;
pub use verify::{Findings, Problem, SchemaChecks, verify_file};
