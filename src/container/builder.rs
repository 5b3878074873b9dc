//! Writing a file of any schema.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;

use super::parts::check_box;
use crate::column::{Element, write_column, write_dictionary, write_list, write_ragged};
use crate::error::{Error, Result};
use crate::format::{ContainerWriter, ElementType, Kind};
use crate::index::{dense, id};
use crate::tile::Bounds;

/// Sections that the first page of a file has room for.
const ROOM: usize = 62;

/// Writes the sections of your own schema, in the order of the calls, to any `Write + Seek`.
///
/// A name has 1 to 24 bytes, its prefix included. Rows are counted from 0. The schema has to see that its columns have the same
/// number of rows.
#[derive(Debug)]
pub struct ContainerBuilder<W> {
    out: ContainerWriter<W>,
    schema: String,
}

impl<W: Write + Seek> ContainerBuilder<W> {
    /// Begins a file of a schema, whose name has 1 to 16 bytes, with room for 62 sections.
    ///
    /// # Errors
    /// Where the output can't be written.
    pub fn new(out: W, schema: &str) -> Result<Self> {
        Self::with_room(out, schema, ROOM)
    }

    /// The same with room for another number of sections, up to 4096.
    ///
    /// # Errors
    /// Where the output can't be written, or `sections` are too many.
    pub fn with_room(out: W, schema: &str, sections: usize) -> Result<Self> {
        Ok(Self { out: ContainerWriter::new(out, sections)?, schema: schema.to_owned() })
    }

    /// A column of numbers.
    ///
    /// # Errors
    /// As all methods that write a part: where the name has no 1 to 24 bytes or is taken, there is no room for another
    /// section, or the output can't be written.
    pub fn column<T: Element>(&mut self, name: &str, values: &[T]) -> Result<()> {
        write_column(&mut self.out, name, values)
    }

    /// A column of bytes or texts. `compress` saves room where rows are read rarely: reading a row then decodes a block of
    /// 64 KiB.
    ///
    /// # Errors
    /// As [`column`](Self::column).
    pub fn ragged(
        &mut self,
        name: &str,
        rows: impl IntoIterator<Item = impl AsRef<[u8]>>,
        compress: bool,
    ) -> Result<()> {
        write_ragged(&mut self.out, name, rows, compress)
    }

    /// A column of lists of numbers.
    ///
    /// # Errors
    /// As [`column`](Self::column).
    pub fn list<T: Element>(&mut self, name: &str, rows: impl IntoIterator<Item = impl AsRef<[T]>>) -> Result<()> {
        write_list(&mut self.out, name, rows)
    }

    /// A column of texts that repeat: each distinct one is stored once.
    ///
    /// # Errors
    /// As [`column`](Self::column).
    pub fn dictionary(&mut self, name: &str, rows: &[impl AsRef<str>]) -> Result<()> {
        write_dictionary(&mut self.out, name, rows)
    }

    /// A box for each row (EPSG:3857 metres; points are boxes without width) and a tree over them: five sections behind
    /// the prefix, which has up to 18 bytes.
    ///
    /// The rows may have any order, but searches are fast where rows that lie near one another have near numbers: sort
    /// them by [`hilbert_of`](crate::index::grid::hilbert_of) first.
    ///
    /// # Errors
    /// As [`column`](Self::column), and where an edge is not finite or a box is turned inside out.
    pub fn boxes(&mut self, prefix: &str, boxes: &[Bounds]) -> Result<()> {
        boxes.iter().enumerate().try_for_each(|(row, b)| check_box(prefix, row, b))?;
        let mut part = self.begin_boxes(prefix, boxes.len())?;
        boxes.iter().try_for_each(|b| part.push(self, b))?;
        part.end(self)
    }

    /// A table from any 64-bit ids, hashes for instance, to rows: `ids[row]` is the row's. 12.5 bytes an id.
    ///
    /// # Errors
    /// As [`column`](Self::column), and where two rows have the same id.
    pub fn ids(&mut self, prefix: &str, ids: &[u64]) -> Result<()> {
        let table =
            id::build(ids).map_err(|(a, b)| Error::argument(prefix, format!("rows {a} and {b} have the same id")))?;
        self.column(&format!("{prefix}.keys"), &table.keys)?;
        self.column(&format!("{prefix}.rows"), &table.rows)?;
        self.column(&format!("{prefix}.directory"), &table.directory)
    }

    /// An array from dense ids to rows, in any order. Four bytes for each id between the first and the last.
    ///
    /// # Errors
    /// As [`column`](Self::column) and [`dense::build_direct`].
    pub fn direct_ids(&mut self, prefix: &str, ids: &[u64]) -> Result<()> {
        let table = dense::build_direct(ids)?;
        self.column(&format!("{prefix}.first"), &[table.first])?;
        self.column(&format!("{prefix}.rows"), &table.rows)
    }

    /// A bitmap from dense ids to rows that lie in the order of their ids. 0.133 bytes for each id between the first and
    /// the last; the ids themselves need no column.
    ///
    /// # Errors
    /// As [`column`](Self::column) and [`dense::build_bitmap`].
    pub fn bitmap_ids(&mut self, prefix: &str, ids: &[u64]) -> Result<()> {
        let table = dense::build_bitmap(ids)?;
        self.column(&format!("{prefix}.first"), &[table.first])?;
        self.column(&format!("{prefix}.bits"), &table.bits)?;
        self.column(&format!("{prefix}.ranks"), &table.ranks)
    }

    /// As [`direct_ids`](Self::direct_ids), for ids that may be negative.
    ///
    /// # Errors
    /// As [`direct_ids`](Self::direct_ids).
    pub fn signed_direct_ids(&mut self, prefix: &str, ids: &[i64]) -> Result<()> {
        let (first, rows) = dense::build_signed_direct(ids)?;
        self.column(&format!("{prefix}.first"), &[first])?;
        self.column(&format!("{prefix}.rows"), &rows)
    }

    /// As [`bitmap_ids`](Self::bitmap_ids), for ids that may be negative; those lie before the others.
    ///
    /// # Errors
    /// As [`bitmap_ids`](Self::bitmap_ids).
    pub fn signed_bitmap_ids(&mut self, prefix: &str, ids: &[i64]) -> Result<()> {
        let (first, table) = dense::build_signed_bitmap(ids)?;
        self.column(&format!("{prefix}.first"), &[first])?;
        self.column(&format!("{prefix}.bits"), &table.bits)?;
        self.column(&format!("{prefix}.ranks"), &table.ranks)
    }

    /// A JSON document, for people or for what fits no column.
    ///
    /// # Errors
    /// As [`column`](Self::column), and where the text is no JSON.
    pub fn json(&mut self, name: &str, document: &str) -> Result<()> {
        crate::format::json::check(document).map_err(|e| Error::argument(name, format!("is no JSON: {e}")))?;
        self.out.raw(name, Kind::Json, ElementType::U8, 0, document.as_bytes())
    }

    /// The writer below, for sections that are written piece by piece.
    pub fn writer(&mut self) -> &mut ContainerWriter<W> {
        &mut self.out
    }

    /// Writes table and header and gives the output back.
    ///
    /// # Errors
    /// Where the schema's name has no 1 to 16 bytes, or the output can't be written.
    pub fn finish(self) -> Result<W> {
        self.out.finish(&self.schema)
    }
}

/// Writes a file of any schema whole or not at all: beside the target, synced, then renamed over it. A program that has
/// the old file open keeps it.
///
/// ```no_run
/// hypso::container::write_container("stations.hypso", "weather-stations", |out| {
///     out.column("station.height", &[12.5, 640.0])?;
///     out.ragged("station.name", ["Misaki", "Takayama"], false)
/// })?;
/// # Ok::<(), hypso::Error>(())
/// ```
///
/// # Errors
/// What `parts` returns, and where the file can't be made, synced or renamed. Nothing is left behind then.
pub fn write_container(
    path: impl AsRef<Path>,
    schema: &str,
    parts: impl FnOnce(&mut ContainerBuilder<BufWriter<&mut File>>) -> Result<()>,
) -> Result<()> {
    let path = path.as_ref();
    let mut file = crate::atomic::AtomicFile::create(path)?;
    let written = ContainerBuilder::new(BufWriter::with_capacity(1 << 20, file.file()), schema).and_then(|mut out| {
        parts(&mut out)?;
        out.finish().map(drop)
    });
    written.map_err(|e| match e {
        Error::Io { action, source, .. } => Error::Io { path: path.to_path_buf(), action, source },
        other => other,
    })?;
    file.commit()
}
