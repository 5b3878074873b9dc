//! Reading many rows of a ragged column, one by one or in batches.

use super::Ragged;
use crate::error::Result;
use crate::format::rows::Decoder;

/// Bytes that start at a multiple of eight, so that they can be used as numbers; grows and is used again.
#[derive(Debug, Clone, Default)]
struct Words(Vec<u64>);

impl Words {
    /// At least this many bytes, of any content.
    fn room(&mut self, bytes: usize) -> &mut [u8] {
        let words = bytes.div_ceil(8);
        if self.0.len() < words {
            self.0.resize(words, 0);
        }
        bytemuck::cast_slice_mut(&mut self.0)
    }

    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// Reads rows of a [`Ragged`] column, with a decoder that is made once and a buffer that is used again.
///
/// For one thread; readers are cheap enough that each thread has its own.
#[derive(Debug)]
pub struct RowReader<'a> {
    column: Ragged<'a>,
    /// Where rows are compressed one by one.
    decoder: Option<Decoder>,
    buffer: Words,
    /// The rows of a batch.
    wanted: Vec<usize>,
}

impl<'a> RowReader<'a> {
    pub(super) fn new(column: Ragged<'a>) -> Result<Self> {
        let decoder = column.has_compressed_rows().then(|| Decoder::new(column.dictionary())).transpose();
        let decoder = decoder.map_err(|e| column.named(e))?;
        Ok(Self { column, decoder, buffer: Words::default(), wanted: Vec::new() })
    }

    /// The column.
    #[must_use]
    pub fn column(&self) -> Ragged<'a> {
        self.column
    }

    /// The bytes of a row, until the next is read: where they lie, or decoded into the buffer, where they start at a
    /// multiple of eight.
    ///
    /// # Errors
    /// As [`Ragged::get`].
    pub fn get(&mut self, row: usize) -> Result<&[u8]> {
        let length = self.column.row_length(row)?;
        let Some(decoder) = &mut self.decoder else {
            let bytes = self.column.get(row)?;
            return Ok(match bytes {
                std::borrow::Cow::Borrowed(bytes) => bytes,
                std::borrow::Cow::Owned(bytes) => {
                    self.buffer.room(length)[..length].copy_from_slice(&bytes);
                    &self.buffer.bytes()[..length]
                }
            });
        };
        let stored = self.column.stored(row)?;
        let raw = &mut self.buffer.room(length)[..length];
        decoder.decode(stored, raw).map_err(|e| self.column.named(e))?;
        Ok(raw)
    }

    /// Reads rows into a batch that can be used again. Rows may be named in any order, and more than once. The system is asked for all of
    /// them first, see [`Ragged::read_ahead`].
    ///
    /// # Errors
    /// As [`Ragged::get`]; the batch then holds the rows before the damaged one.
    pub fn batch(&mut self, rows: impl IntoIterator<Item = usize>, batch: &mut Batch) -> Result<()> {
        batch.clear();
        self.wanted.clear();
        self.wanted.extend(rows);
        self.column.read_ahead(self.wanted.iter().copied());
        for &row in &self.wanted {
            let length = self.column.row_length(row)?;
            match &mut self.decoder {
                Some(decoder) => {
                    let stored = self.column.stored(row)?;
                    if let Err(error) = decoder.decode(stored, batch.push(length)) {
                        batch.rows.pop();
                        return Err(self.column.named(error));
                    }
                }
                None => {
                    let bytes = self.column.get(row)?;
                    batch.push(length).copy_from_slice(&bytes);
                }
            }
        }
        Ok(())
    }
}

/// Rows that were read together, copied or decoded. Each starts at a multiple of eight bytes, so that rows of numbers can
/// be cast.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    words: Words,
    /// Start and length of each row.
    rows: Vec<(usize, usize)>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The bytes of the row that was asked for at this place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&[u8]> {
        let &(start, length) = self.rows.get(place)?;
        self.words.bytes().get(start..start + length)
    }

    /// The rows in the order in which they were asked for.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.rows.iter().map(|&(start, length)| self.words.bytes().get(start..start + length).unwrap_or(&[]))
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// Adds a row of this many bytes for the caller to fill: for schemas that encode rows in their own way. Until then the bytes
    /// have any content. They start at a multiple of eight.
    pub fn push(&mut self, length: usize) -> &mut [u8] {
        let start = self.rows.last().map_or(0, |&(start, length)| (start + length).next_multiple_of(8));
        self.rows.push((start, length));
        &mut self.words.room(start + length)[start..start + length]
    }
}
