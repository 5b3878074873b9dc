//! Any file of the format, whatever its schema.

use std::path::{Path, PathBuf};

use super::backing::Backing;
use super::identity::FileIdentity;
use super::mmap::Map;
use crate::column::{Element, view};
use crate::error::{Error, Result};
use crate::format::{Kind, Sections};

/// An open file of the store format with the sections of any schema. `Send + Sync`, without locks; share it by
/// putting it into an `Arc`.
///
/// Opening reads the header and the section table. Every part is found by name when it is asked for, checked against
/// its type and length, and used where it lies.
pub struct Container {
    backing: Backing,
    sections: Sections,
    path: Option<PathBuf>,
}

impl Container {
    /// Opens a file by mapping it. Reads the first page or two; memory is shared with every other process that maps
    /// the file. While it is open the file must not be written into or cut; see [`Store::open`](super::Store::open).
    ///
    /// # Errors
    /// Where the file can't be opened or mapped, is not of this format, of a newer major version, cut off or altered
    /// in header or table. Damage elsewhere is found by checksums.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::new(Backing::Map(Map::open(path)?), Some(path.to_path_buf())).map_err(|e| e.with_path(path))
    }

    /// Opens bytes in memory. Bytes that do not start at a multiple of eight are copied once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self> {
        Self::new(Backing::buffer(bytes), None)
    }

    fn new(backing: Backing, path: Option<PathBuf>) -> Result<Self> {
        let sections = Sections::parse(backing.bytes())?;
        Ok(Self { backing, sections, path })
    }

    /// What the sections mean, from the header: `terrain-records` for a [`Store`](super::Store).
    #[must_use]
    pub fn schema(&self) -> String {
        self.sections.header().schema()
    }

    /// Refuses a file of another schema.
    ///
    /// # Errors
    /// Where the header names another one.
    pub fn expect_schema(&self, schema: &str) -> Result<()> {
        let found = self.schema();
        if found == schema {
            return Ok(());
        }
        let error = Error::invalid("header", format!("holds {found:?}, {schema:?} was expected"), "give another file");
        Err(match &self.path {
            Some(path) => error.with_path(path),
            None => error,
        })
    }

    /// The file that was opened; `None` for bytes in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// A number that identifies the whole content: two files with the same one hold the same bytes, up to hash
    /// collisions. Reads nothing.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.sections.header().table_checksum()
    }

    /// Header and section table.
    #[must_use]
    pub fn sections(&self) -> &Sections {
        &self.sections
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.backing.bytes()
    }

    pub(super) fn backing(&self) -> &Backing {
        &self.backing
    }

    pub(super) fn identity(&self) -> Option<FileIdentity> {
        self.backing.identity()
    }

    /// The numbers of a column: `container.column::<f64>("station.height")`.
    ///
    /// # Errors
    /// Where there is no such column, or it holds another type.
    pub fn column<T: Element>(&self, name: &str) -> Result<&[T]> {
        Ok(view(self.bytes(), &self.sections.raw(name, Kind::Column, T::TYPE, None)?))
    }

    /// A JSON document.
    ///
    /// # Errors
    /// Where there is none of this name, or it is not UTF-8.
    pub fn json(&self, name: &str) -> Result<&str> {
        let range = self.sections.raw(name, Kind::Json, u8::TYPE, None)?;
        std::str::from_utf8(view(self.bytes(), &range)).map_err(|_| {
            Error::invalid(format!("section {name:?}"), "is not UTF-8", "build the file again from its sources")
        })
    }
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Container").field("path", &self.path).field("schema", &self.schema()).finish_non_exhaustive()
    }
}
