//! Collecting records from a stream, and making files of them.

use std::path::Path;

use hypso::container::{Packing, Spool, write_container};
use hypso::format::rows::{self, DICTIONARY};
use hypso::{Error, Result};

use super::palette::{Census, Encoder};
use super::{PALETTE, Record, SCHEMA};

/// A named list of ids.
pub type Split<'a> = (&'a str, &'a [u64]);

/// How records are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As they are; read where they lie.
    Raw,
    /// Each one compressed by Zstandard, with a dictionary made of some of them where `trained`: the smallest file.
    Zstd { level: i32, trained: bool },
    /// Numbers as codes of a palette that is made of some records: compressed, and the fastest to read.
    Palette,
}

/// Collects records by ascending id; goes on where an earlier run ended.
#[derive(Debug)]
pub struct Collector {
    spool: Spool,
    last: Option<u64>,
}

/// A row of the spool: id, mass, the length of the class, the class, and the arrays.
fn pack(record: &Record) -> Vec<u8> {
    let mut row = record.id.to_le_bytes().to_vec();
    row.extend_from_slice(&record.mass.to_le_bytes());
    row.extend_from_slice(&(record.class.len() as u32).to_le_bytes());
    row.extend_from_slice(record.class.as_bytes());
    row.extend_from_slice(&record.to_bytes());
    row
}

fn unpack(row: &[u8]) -> Option<(u64, f32, &str, &[u8])> {
    let (id, row) = row.split_first_chunk::<8>()?;
    let (mass, row) = row.split_first_chunk::<4>()?;
    let (length, row) = row.split_first_chunk::<4>()?;
    let (class, data) = row.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((u64::from_le_bytes(*id), f32::from_le_bytes(*mass), std::str::from_utf8(class).ok()?, data))
}

fn damaged() -> Error {
    Error::invalid("spool", "holds a row that is none of this program", "delete the spool and collect again")
}

impl Collector {
    /// Opens the spool beside the file to be made, or begins one. `key` stands for the source of the records.
    pub fn open(spool: impl AsRef<Path>, key: u64) -> Result<Self> {
        let mut spool = Spool::open(spool, key)?;
        let mut last = None;
        spool.for_each(|_, row| {
            last = Some(unpack(row).ok_or_else(damaged)?.0);
            Ok(())
        })?;
        Ok(Self { spool, last })
    }

    /// How many records are there: the number of the one to go on with.
    pub fn len(&self) -> u64 {
        self.spool.len()
    }

    /// Adds a record.
    pub fn push(&mut self, record: &Record) -> Result<()> {
        if self.last.is_some_and(|last| last >= record.id) {
            return Err(Error::argument(format!("record {}", record.id), "its id is not above the one before it"));
        }
        self.last = Some(record.id);
        self.spool.push(&pack(record))
    }

    /// Makes what was added durable; a run that is killed goes on from here at the earliest.
    pub fn sync(&mut self) -> Result<()> {
        self.spool.sync()
    }

    /// Writes the file whole or not at all, from any number of records in 20 bytes of memory for each. Call it as often as
    /// there are files to make.
    pub fn write(&mut self, path: impl AsRef<Path>, coding: Coding, splits: &[Split<'_>]) -> Result<()> {
        let count = self.len();
        let (mut ids, mut masses, mut classes, mut samples) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut names: Vec<String> = Vec::new();
        // A hundred times the dictionary is enough to learn from.
        let sampled = !matches!(coding, Coding::Raw | Coding::Zstd { trained: false, .. });
        let step = (count / (100 * DICTIONARY as u64 / 8000)).max(1);
        self.spool.for_each(|number, row| {
            let (id, mass, class, data) = unpack(row).ok_or_else(damaged)?;
            let known = names.iter().position(|name| name == class);
            classes.push(known.unwrap_or(names.len()));
            if known.is_none() {
                names.push(class.to_owned());
            }
            ids.push(id);
            masses.push(mass);
            if sampled && number % step == 0 {
                samples.push(data.to_vec());
            }
            Ok(())
        })?;
        let (mut dictionary, mut palette) = (Vec::new(), None);
        match coding {
            Coding::Zstd { trained: true, .. } => dictionary = rows::train(&samples, DICTIONARY).unwrap_or_default(),
            Coding::Palette => {
                let mut census = Census::default();
                samples.iter().for_each(|row| census.add(row));
                palette = Some(census.palette());
            }
            Coding::Raw | Coding::Zstd { .. } => {}
        }
        drop(samples);
        let packing = match coding {
            Coding::Zstd { level, .. } => Packing::Rows { level, dictionary: &dictionary },
            Coding::Raw | Coding::Palette => Packing::Raw,
        };
        let encoder = palette.as_deref().map(Encoder::new);
        let row = |id: &u64| {
            let row = ids.binary_search(id).map(|row| row as u32);
            row.map_err(|_| Error::not_found(format!("a split names the record {id}, which does not exist")))
        };
        let lists = splits.iter().map(|(_, list)| list.iter().map(row).collect::<Result<Vec<u32>>>());
        let lists = lists.collect::<Result<Vec<_>>>()?;
        write_container(path, SCHEMA, |out| {
            out.json("about", &format!(r#"{{"records":{count}}}"#))?;
            out.bitmap_ids("record.id", &ids)?;
            out.column("record.mass", &masses)?;
            out.dictionary("record.class", &classes.iter().map(|&class| &names[class]).collect::<Vec<_>>())?;
            out.ragged("split.name", splits.iter().map(|(name, _)| name), false)?;
            out.list("split.rows", &lists)?;
            if let Some(palette) = &palette {
                out.column(PALETTE, palette)?;
            }
            let mut data = out.begin_ragged("record.data", count, packing)?;
            self.spool.for_each(|_, row| {
                let row = unpack(row).ok_or_else(damaged)?.3;
                match &encoder {
                    Some(encoder) => data.push(out, encoder.encode(row)?),
                    None => data.push(out, row),
                }
            })?;
            data.end(out)
        })
    }

    /// Deletes the spool, once all files are made.
    pub fn remove(self) -> Result<()> {
        self.spool.remove()
    }
}
