//! The bytes of a store file: header, section table, checksums, codecs. No I/O happens here.
//!
//! `store-format.md` is the normative text; the constants of [`layout`] are its only other copy, and a test compares
//! the two. A file is a header, a table of named sections, and the sections. What the sections of a terrain store
//! mean is the business of [`store`](crate::store); anyone can store another schema in the same container, see
//! [`Container`](crate::container::Container).

#[doc(hidden)]
pub mod checksum;
pub(crate) mod codec;
mod header;
pub(crate) mod json;
#[doc(hidden)]
pub mod layout;
pub mod rows;
mod section;
mod sections;
mod writer;

pub use header::Header;
pub use section::{Codec, ElementType, Kind, SectionEntry};
pub(crate) use sections::Origin;
pub use sections::Sections;
pub(crate) use sections::byte_range;
pub use writer::{BytesSection, ContainerWriter, RawSection};
