//! One reader for all files, however their records are stored.

use hypso::Result;
use hypso::column::{Batch, Ragged, RowReader};

use super::palette::Decoder;

/// Reads records, for one thread.
#[derive(Debug)]
pub enum Reader<'a> {
    /// What the store reads by itself: raw rows, and those that Zstandard compressed.
    Stored(Box<RowReader<'a>>),
    /// Rows that this schema codes, which are raw to the store.
    Coded { rows: Ragged<'a>, decoder: Box<Decoder<'a>>, one: Batch },
}

impl<'a> Reader<'a> {
    /// A reader of these rows, which were coded with the palette where there is one.
    pub fn new(rows: Ragged<'a>, palette: Option<&'a [u32]>) -> Result<Self> {
        Ok(match palette {
            None => Self::Stored(Box::new(rows.reader()?)),
            Some(palette) => Self::Coded { rows, decoder: Box::new(Decoder::new(palette)), one: Batch::new() },
        })
    }

    /// The bytes of a record, until the next is read.
    pub fn get(&mut self, row: usize) -> Result<&[u8]> {
        match self {
            Self::Stored(reader) => reader.get(row),
            Self::Coded { rows, decoder, one } => {
                one.clear();
                decode(rows, decoder, row, one)?;
                Ok(one.get(0).unwrap_or(&[]))
            }
        }
    }

    /// Reads records in any order into a batch that can be used again. Where one is damaged, what is in the batch is no answer.
    pub fn batch(&mut self, wanted: impl IntoIterator<Item = usize>, batch: &mut Batch) -> Result<()> {
        match self {
            Self::Stored(reader) => reader.batch(wanted, batch),
            Self::Coded { rows, decoder, .. } => {
                batch.clear();
                let wanted: Vec<usize> = wanted.into_iter().collect();
                rows.read_ahead(wanted.iter().copied());
                wanted.into_iter().try_for_each(|row| decode(rows, decoder, row, batch))
            }
        }
    }
}

fn decode(rows: &Ragged<'_>, decoder: &Decoder<'_>, row: usize, batch: &mut Batch) -> Result<()> {
    let coded = rows.stored(row)?;
    let length = decoder.length(coded)?;
    decoder.decode(coded, batch.push(length))
}
