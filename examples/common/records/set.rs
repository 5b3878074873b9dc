//! Reading records.

use hypso::column::{Dictionary, List, Ragged};
use hypso::container::Container;
use hypso::format::Kind;
use hypso::index::dense::Bitmap;
use hypso::store::RowId;
use hypso::{Error, Result};

use super::{EDGE_FEATURES, NODE_FEATURES, Random, Reader};

/// What the sections of these files mean; up to 16 bytes.
pub const SCHEMA: &str = "record-set";

/// The section that holds the palette, in files whose rows are coded with one.
pub const PALETTE: &str = "record.palette";

/// The views of an open file.
#[derive(Debug, Clone, Copy)]
pub struct RecordSet<'a> {
    pub ids: Bitmap<'a>,
    pub masses: &'a [f32],
    pub classes: Dictionary<'a>,
    /// The records as they are stored; [`reader`](Self::reader) gives their bytes.
    pub data: Ragged<'a>,
    palette: Option<&'a [u32]>,
    split_names: Ragged<'a>,
    split_rows: List<'a, RowId>,
}

impl<'a> RecordSet<'a> {
    /// The records of a file.
    pub fn new(file: &'a Container) -> Result<Self> {
        file.expect_schema(SCHEMA)?;
        let set = Self {
            ids: file.bitmap_ids("record.id")?,
            masses: file.column("record.mass")?,
            classes: file.dictionary("record.class")?,
            data: file.ragged("record.data")?,
            palette: file.sections().find(PALETTE, Kind::Column).map(|_| file.column(PALETTE)).transpose()?,
            split_names: file.ragged("split.name")?,
            split_rows: file.list("split.rows")?,
        };
        let rows = set.data.len();
        if [set.ids.len() as usize, set.masses.len(), set.classes.len()] == [rows; 3]
            && set.split_names.len() == set.split_rows.len()
        {
            return Ok(set);
        }
        Err(Error::invalid("columns", "do not fit one another", "build the record set again"))
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// The names of the splits.
    pub fn splits(&self) -> Result<Vec<String>> {
        (0..self.split_names.len()).map(|i| Ok(self.split_names.text(i)?.into_owned())).collect()
    }

    /// The rows of a split.
    pub fn split(&self, name: &str) -> Result<&'a [RowId]> {
        for i in 0..self.split_names.len() {
            if self.split_names.text(i)? == name {
                return self.split_rows.get(i);
            }
        }
        Err(Error::not_found(format!("there is no split {name:?}; there are {:?}", self.splits()?)))
    }

    /// A reader for one thread.
    pub fn reader(&self) -> Result<Reader<'a>> {
        Reader::new(self.data, self.palette)
    }
}

/// A record where it lies: in the mapped file, in a reader's buffer or in a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View<'a> {
    pub spectrum: &'a [f32],
    /// One for each atom.
    pub nodes: &'a [[f32; NODE_FEATURES]],
    pub edge_index: &'a [[u32; 2]],
    pub edges: &'a [[f32; EDGE_FEATURES]],
}

impl<'a> View<'a> {
    /// The arrays in the bytes of a row. Copies nothing; the bytes have to start at a multiple of four, as those of raw
    /// columns of such rows, readers and batches do.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        Self::find(bytes)
            .ok_or_else(|| Error::invalid("record", "its arrays do not fit its bytes", "build the record set again"))
    }

    fn find(bytes: &'a [u8]) -> Option<Self> {
        let words: &[u32] = bytemuck::try_cast_slice(bytes).ok()?;
        let (&[spectrum, nodes, edges, _], rest) = words.split_first_chunk::<4>()?;
        let (spectrum, rest) = rest.split_at_checked(spectrum as usize)?;
        let (nodes, rest) = rest.split_at_checked((nodes as usize).checked_mul(NODE_FEATURES)?)?;
        let (index, rest) = rest.split_at_checked((edges as usize).checked_mul(2)?)?;
        let (edges, _) = rest.split_at_checked((edges as usize).checked_mul(EDGE_FEATURES)?)?;
        Some(Self {
            spectrum: bytemuck::cast_slice(spectrum),
            nodes: bytemuck::cast_slice(nodes),
            edge_index: bytemuck::cast_slice(index),
            edges: bytemuck::cast_slice(edges),
        })
    }
}

/// Rows in an order of chance (Fisher and Yates), the same for the same seed.
pub fn shuffled(rows: &[RowId], seed: u64) -> Vec<RowId> {
    let (mut rows, mut random) = (rows.to_vec(), Random(seed));
    for i in (1..rows.len()).rev() {
        rows.swap(i, random.below(i as u64 + 1) as usize);
    }
    rows
}
