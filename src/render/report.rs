//! What making tiles took and gave.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::raster::{FileStamp, Network, plain_stamp, stamp};
use crate::store::Store;
use crate::url;

use super::{Odd, Seams};

/// What a unit took and gave; of several units, their sum.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize, serde::Deserialize))]
pub struct UnitReport {
    /// Tiles that are part of the output.
    pub tiles: u64,
    /// Tiles that exist by coverage but have no valid pixel.
    pub empty: u64,
    /// Tiles that were made only because others are means of them.
    pub intermediate: u64,
    /// Encoded bytes of all layers.
    pub bytes: u64,
    /// Values beyond what the encoding can hold.
    pub clamped: u64,
    /// Pixels of the tiles that are part of the output.
    pub pixels: u64,
    /// Those of them without data.
    pub void: u64,
    /// Rasters opened.
    pub opened: u64,
    /// Seconds spent reading and decoding rasters.
    pub reading: f64,
    /// Seconds spent projecting, resampling and merging.
    pub warping: f64,
    /// Seconds spent encoding and decoding tiles.
    pub coding: f64,
    /// Seconds spent writing packs.
    pub writing: f64,
    /// What was taken from the network.
    #[cfg_attr(feature = "engine", serde(default))]
    pub network: Network,
    /// By the number of the source.
    pub sources: BTreeMap<u16, SourceReport>,
    /// The rows of the records that gave a pixel, in order.
    pub used: Vec<u32>,
    /// The records that were read, in the order of rows, whether they gave a pixel or not.
    #[cfg_attr(feature = "engine", serde(default))]
    pub read: Vec<ReadRecord>,
    /// Pixels with heights that the Earth does not have, of all records.
    pub odd_pixels: u64,
    /// The same by the row of the record: of the first rows, at most [`ODD_ROWS`].
    pub odd: BTreeMap<u32, Odd>,
    /// The lowest and the highest height of the tiles that are part of the output, metres.
    #[cfg_attr(feature = "engine", serde(default))]
    pub heights: Option<(f32, f32)>,
    /// Steps where sources meet.
    #[cfg_attr(feature = "engine", serde(default))]
    pub seams: Seams,
}

/// A record that was read, and how its files were then.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize, serde::Deserialize))]
pub struct ReadRecord {
    /// The record.
    pub row: u32,
    /// The [`stamp`] of its files.
    pub stamp: u64,
    /// The same without what only this machine says of them: the [`plain_stamp`].
    #[cfg_attr(feature = "engine", serde(default))]
    pub plain: u64,
    /// Its further files, besides the one that the store names.
    #[cfg_attr(feature = "engine", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub further: Vec<PathBuf>,
}

/// A copy of a raster and its further files, whose contents were compared with those that the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize, serde::Deserialize))]
pub struct CopyFacts {
    /// The record.
    pub row: u32,
    /// When the copy was written, nanoseconds since 1970.
    pub modified_ns: i64,
    /// The digest of its further files.
    pub parts: u64,
    /// The [`plain_stamp`] of the files that it is a copy of.
    pub plain: u64,
    /// Further files of those.
    #[cfg_attr(feature = "engine", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub further: Vec<PathBuf>,
}

/// Where the files of a record that was read are looked at again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize, serde::Deserialize))]
pub enum Seen {
    /// On the machine that read them.
    #[default]
    Here,
    /// Maybe on another one, which may have copies of them, or none.
    Anywhere,
}

impl ReadRecord {
    /// Checks that all its files are as they were when it was read. Costs one system call a file.
    ///
    /// Elsewhere than where they were read, files that are not there do not count, nor objects that may not be asked for. Of copies in a
    /// folder of this machine's own
    /// ([`Store::with_roots`]) only the size does: whoever reads those compares their contents first.
    ///
    /// # Errors
    /// [`Error::Changed`] where one is not, and where one is gone.
    pub fn check(&self, store: &Store, seen: Seen) -> Result<()> {
        let Some(record) = store.record(self.row) else {
            return Err(Error::not_found(format!("record {} is not in the store", self.row)));
        };
        let path = record.full_path()?;
        let same = match seen {
            Seen::Here => stamp(&path, &self.further)? == self.stamp,
            Seen::Anywhere => match FileStamp::of(&path) {
                Err(error) if is_out_of_sight(&error, &path) => true,
                Ok(file) if store.moved_root(record.source_index()).is_some() => file.size == record.file_size(),
                _ => plain_stamp(&path, &self.further)? == self.plain,
            },
        };
        if same { Ok(()) } else { Err(Error::Changed { path, in_use: true }) }
    }
}

/// True for a file that this machine does not have, and for an object that it may not ask for.
fn is_out_of_sight(error: &Error, path: &Path) -> bool {
    let expected = if url::is_one(path) { ErrorKind::Unsupported } else { ErrorKind::NotFound };
    matches!(error, Error::Io { source, .. } if source.kind() == expected)
}

/// How many records a report names for heights that the Earth does not have.
pub const ODD_ROWS: usize = 50;

/// What a source gave to tiles that were sampled from records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "engine", derive(serde::Serialize, serde::Deserialize))]
pub struct SourceReport {
    /// Pixels inside its records that were not filled before.
    pub asked: u64,
    /// Those of them that it filled; the rest is nodata.
    pub filled: u64,
}

impl UnitReport {
    /// Adds another report. The rows of records stay with the units: the sum of a run would be a list of all records.
    pub fn add(&mut self, other: &Self) {
        self.tiles += other.tiles;
        self.empty += other.empty;
        self.intermediate += other.intermediate;
        self.bytes += other.bytes;
        self.clamped += other.clamped;
        self.pixels += other.pixels;
        self.void += other.void;
        self.opened += other.opened;
        self.reading += other.reading;
        self.warping += other.warping;
        self.coding += other.coding;
        self.writing += other.writing;
        self.network.add(&other.network);
        self.odd_pixels += other.odd_pixels;
        for (&row, theirs) in &other.odd {
            self.odd.entry(row).or_default().add(theirs);
            // The first rows, whatever the order in which units come.
            if self.odd.len() > ODD_ROWS {
                self.odd.pop_last();
            }
        }
        if let Some(theirs) = other.heights {
            self.take_heights(theirs);
        }
        self.seams.add(&other.seams);
        for (source, theirs) in &other.sources {
            let mine = self.sources.entry(*source).or_default();
            mine.asked += theirs.asked;
            mine.filled += theirs.filled;
        }
    }
    /// Widens the range of heights.
    pub(super) fn take_heights(&mut self, (low, high): (f32, f32)) {
        self.heights = Some(self.heights.map_or((low, high), |(a, b)| (a.min(low), b.max(high))));
    }
}
