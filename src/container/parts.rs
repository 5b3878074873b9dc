//! Parts of a file that are written piece by piece, several of them side by side.

use std::io::{Seek, Write};
use std::marker::PhantomData;

use super::ContainerBuilder;
use super::boxes::EDGES;
use crate::column::Element;
use crate::error::{Error, Result};
use crate::format::{BytesSection, ElementType, Kind, RawSection};
use crate::index::rtree;
use crate::tile::Bounds;

/// How the rows of a ragged column are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packing<'a> {
    /// As they are; readers use them in place.
    Raw,
    /// Compressed in blocks of 64 KiB: small, and best for rows that are read rarely or all in order.
    Blocks,
    /// Each row compressed on its own: for rows of some hundred bytes to 16 MiB that are read in any order.
    Rows {
        /// Zstandard's level, 1 to 22: 3 is fast, 9 good, 19 slow. The level does not change the speed of reading.
        level: i32,
        /// What [`train`](crate::format::rows::train) made of some of the rows; empty for none.
        dictionary: &'a [u8],
    },
}

/// A column of numbers that is written piece by piece; [`ContainerBuilder::begin_column`] begins it.
#[derive(Debug)]
pub struct ColumnPart<T> {
    section: RawSection,
    element: PhantomData<T>,
}

/// A column of lists that is written row by row; [`ContainerBuilder::begin_list`] begins it.
#[derive(Debug)]
pub struct ListPart<T> {
    offsets: RawSection,
    values: ColumnPart<T>,
    end: u64,
}

/// A column of bytes or texts that is written row by row; [`ContainerBuilder::begin_ragged`] begins it.
#[derive(Debug)]
pub struct RaggedPart {
    offsets: RawSection,
    bytes: BytesSection,
    end: u64,
}

/// Boxes and their tree, written row by row; [`ContainerBuilder::begin_boxes`] begins them.
#[derive(Debug)]
pub struct BoxesPart {
    prefix: String,
    section: RawSection,
    edges: [ColumnPart<f64>; 4],
    builder: rtree::Builder,
    /// The whole tree: nodes near its root are finished last and lie first.
    tree: Vec<u32>,
    rows: usize,
    pushed: usize,
}

/// Parts that are filled while others are. Each holds a buffer of up to 2 MiB. The number of rows has to be known:
/// count them first where the source can be read again, or collect them with a [`Spool`](super::Spool).
///
/// ```
/// # use std::io::Cursor;
/// use hypso::container::{Container, ContainerBuilder};
///
/// let mut out = ContainerBuilder::new(Cursor::new(Vec::new()), "rivers")?;
/// let (mut length, mut line) = (out.begin_column::<f32>("river.length", 1000)?, out.begin_list("river.line", 1000, 3000)?);
/// for row in 0..1000u16 {
///     length.push(&mut out, &[f32::from(row)])?;
///     line.push(&mut out, &[row, row, row])?;
/// }
/// length.end(&mut out)?;
/// line.end(&mut out)?;
/// let file = Container::from_bytes(out.finish()?.into_inner())?;
/// assert_eq!(file.list::<u16>("river.line")?.get(7)?, [7, 7, 7]);
/// # Ok::<(), hypso::Error>(())
/// ```
impl<W: Write + Seek> ContainerBuilder<W> {
    /// Begins a column of exactly `rows` numbers.
    ///
    /// # Errors
    /// As [`column`](Self::column).
    pub fn begin_column<T: Element>(&mut self, name: &str, rows: u64) -> Result<ColumnPart<T>> {
        let section = self.writer().begin_raw(name, Kind::Column, T::TYPE, 0, rows)?;
        Ok(ColumnPart { section, element: PhantomData })
    }

    /// Begins a column of exactly `rows` lists, which have exactly `values` numbers together.
    ///
    /// # Errors
    /// As [`column`](Self::column).
    pub fn begin_list<T: Element>(&mut self, name: &str, rows: u64, values: u64) -> Result<ListPart<T>> {
        let offsets = self.begin_offsets(name, rows)?;
        Ok(ListPart { offsets, values: self.begin_column(name, values)?, end: 0 })
    }

    /// Begins a column of bytes or texts with exactly `rows` rows of any length. It is the last part that begins until it
    /// ends; parts that were begun before can still be filled.
    ///
    /// # Errors
    /// As [`column`](Self::column), and where the dictionary is malformed.
    pub fn begin_ragged(&mut self, name: &str, rows: u64, packing: Packing<'_>) -> Result<RaggedPart> {
        let offsets = self.begin_offsets(name, rows)?;
        let bytes = match packing {
            Packing::Raw => self.writer().begin_bytes(name, false),
            Packing::Blocks => self.writer().begin_bytes(name, true),
            Packing::Rows { level, dictionary } => self.writer().begin_rows(name, level, dictionary),
        }?;
        Ok(RaggedPart { offsets, bytes, end: 0 })
    }

    /// Begins the boxes of exactly `rows` rows, see [`boxes`](Self::boxes). Holds the tree, 17 bytes a row.
    ///
    /// # Errors
    /// As [`column`](Self::column), and where there are 2^32 - 1 rows or more.
    pub fn begin_boxes(&mut self, prefix: &str, rows: usize) -> Result<BoxesPart> {
        if rows >= u32::MAX as usize {
            return Err(Error::argument(prefix, format!("{rows} rows, at most {} are possible", u32::MAX - 1)));
        }
        let (name, values) = (format!("{prefix}.tree"), rtree::length(rows));
        let fan_out = rtree::FAN_OUT as u32;
        let section = self.writer().begin_raw(&name, Kind::Tree, ElementType::U32, fan_out, values as u64)?;
        let mut edge = |name: &str| self.begin_column(&format!("{prefix}.{name}"), rows as u64);
        let [a, b, c, d] = EDGES;
        let edges = [edge(a)?, edge(b)?, edge(c)?, edge(d)?];
        let (builder, tree) = (rtree::Builder::new(rows), vec![0; values]);
        Ok(BoxesPart { prefix: prefix.to_owned(), section, edges, builder, tree, rows, pushed: 0 })
    }

    fn begin_offsets(&mut self, name: &str, rows: u64) -> Result<RawSection> {
        let mut offsets = self.writer().begin_raw(name, Kind::Offsets, ElementType::U64, 0, rows.saturating_add(1))?;
        self.writer().append(&mut offsets, &0u64.to_le_bytes())?;
        Ok(offsets)
    }
}

impl<T: Element> ColumnPart<T> {
    /// Adds numbers.
    ///
    /// # Errors
    /// Where they are more than the part was begun for, or the output can't be written.
    pub fn push<W: Write + Seek>(&mut self, out: &mut ContainerBuilder<W>, values: &[T]) -> Result<()> {
        out.writer().append(&mut self.section, bytemuck::cast_slice(values))
    }

    /// Ends the column.
    ///
    /// # Errors
    /// Where numbers are missing, or the output can't be written.
    pub fn end<W: Write + Seek>(self, out: &mut ContainerBuilder<W>) -> Result<()> {
        out.writer().end_raw(self.section)
    }
}

impl<T: Element> ListPart<T> {
    /// Adds the list of the next row.
    ///
    /// # Errors
    /// Where rows or numbers are more than the part was begun for, or the output can't be written.
    pub fn push<W: Write + Seek>(&mut self, out: &mut ContainerBuilder<W>, list: &[T]) -> Result<()> {
        self.end += list.len() as u64;
        out.writer().append(&mut self.offsets, &self.end.to_le_bytes())?;
        self.values.push(out, list)
    }

    /// Ends the column.
    ///
    /// # Errors
    /// Where rows or numbers are missing, or the output can't be written.
    pub fn end<W: Write + Seek>(self, out: &mut ContainerBuilder<W>) -> Result<()> {
        out.writer().end_raw(self.offsets)?;
        self.values.end(out)
    }
}

impl RaggedPart {
    /// Adds the next row.
    ///
    /// # Errors
    /// Where rows are more than the part was begun for, or the output can't be written.
    pub fn push<W: Write + Seek>(&mut self, out: &mut ContainerBuilder<W>, row: impl AsRef<[u8]>) -> Result<()> {
        let row = row.as_ref();
        self.end += row.len() as u64;
        out.writer().append(&mut self.offsets, &self.end.to_le_bytes())?;
        out.writer().append_bytes(&mut self.bytes, row)
    }

    /// Ends the column.
    ///
    /// # Errors
    /// Where rows are missing, or the output can't be written.
    pub fn end<W: Write + Seek>(self, out: &mut ContainerBuilder<W>) -> Result<()> {
        out.writer().end_raw(self.offsets)?;
        out.writer().end_bytes(self.bytes)
    }
}

/// Refuses a box that no reader could use.
pub(super) fn check_box(prefix: &str, row: usize, b: &Bounds) -> Result<()> {
    let edges = [b.min_x, b.min_y, b.max_x, b.max_y];
    if b.min_x <= b.max_x && b.min_y <= b.max_y && edges.iter().all(|edge| edge.is_finite()) {
        return Ok(());
    }
    Err(Error::argument(prefix, format!("row {row} has a box that is not finite or ends before it begins")))
}

impl BoxesPart {
    /// Adds the box of the next row.
    ///
    /// # Errors
    /// Where an edge is not finite, the box is turned inside out, rows are more than the part was begun for, or the output
    /// can't be written.
    pub fn push<W: Write + Seek>(&mut self, out: &mut ContainerBuilder<W>, b: &Bounds) -> Result<()> {
        check_box(&self.prefix, self.pushed, b)?;
        if self.pushed == self.rows {
            return Err(Error::argument(
                &self.prefix,
                format!("got more boxes than the {} it was begun for", self.rows),
            ));
        }
        self.pushed += 1;
        let tree = &mut self.tree;
        self.builder.add(b, &mut |place, node| tree[place..place + rtree::NODE].copy_from_slice(node));
        let edges = [b.min_x, b.min_y, b.max_x, b.max_y];
        self.edges.iter_mut().zip(edges).try_for_each(|(column, edge)| column.push(out, &[edge]))
    }

    /// Ends the boxes.
    ///
    /// # Errors
    /// Where boxes are missing, or the output can't be written.
    pub fn end<W: Write + Seek>(mut self, out: &mut ContainerBuilder<W>) -> Result<()> {
        if self.pushed != self.rows {
            let problem = format!("got {} boxes, it was begun for {}", self.pushed, self.rows);
            return Err(Error::argument(&self.prefix, problem));
        }
        let tree = &mut self.tree;
        self.builder.finish(&mut |place, node| tree[place..place + rtree::NODE].copy_from_slice(node));
        out.writer().append(&mut self.section, bytemuck::cast_slice(&self.tree))?;
        out.writer().end_raw(self.section)?;
        self.edges.into_iter().try_for_each(|column| column.end(out))
    }
}
