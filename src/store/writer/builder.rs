//! Taking records one by one, in any order.

use std::collections::HashMap;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use super::entry;
use super::rows::{self, Input};
use super::sort::Sorter;
use super::{Parameters, record_id};
use crate::error::{Error, Result};
use crate::index::grid;
use crate::progress::{Progress, Silent};
use crate::store::columns::{Filled, Row};
use crate::store::order::Classes;
use crate::store::tile_lists::{self, Edges};
use crate::store::{RecordInput, SourceInput};
use crate::tile::web_mercator;
use crate::url;

/// Builds a store from records that come one by one.
///
/// Memory: with scratch space, a sort buffer ([`memory`](Self::memory), 256 MiB if not said otherwise), about 60 bytes a
/// record while indices are made, and the tile index that comes out. Without, all records as well. Time: O(n log n).
///
/// Records that come ordered by source and path (as bytes) save a sort. The result is the same in any order.
pub struct Builder<'a> {
    sources: &'a [SourceInput],
    parameters: Parameters,
    progress: &'a dyn Progress,
    budget: usize,
    scratch: Option<PathBuf>,
    sorter: Sorter,
    crs: HashMap<String, u32>,
    /// By arrival: what ranks depend on.
    pixel_sizes: Vec<f64>,
    source_of: Vec<u16>,
    last_path: String,
    ordered: bool,
    filled: Filled,
    edges: Edges,
    /// A name holds what opens doors: a signed URL, or one with a password.
    pub(super) secret: bool,
}

/// Bytes of the sort buffer.
const BUDGET: usize = 256 << 20;

impl<'a> Builder<'a> {
    /// Begins a store with these sources, in priority order.
    ///
    /// # Errors
    /// Where the tile size is not 256, 512 or 1024, there are too many sources, or a name is empty or used twice.
    pub fn new(sources: &'a [SourceInput], parameters: &Parameters) -> Result<Self> {
        parameters.check()?;
        if sources.len() > usize::from(u16::MAX) {
            let problem = format!("{} given, at most {} are possible", sources.len(), u16::MAX);
            return Err(Error::argument("sources", problem));
        }
        for (i, source) in sources.iter().enumerate() {
            if source.name.is_empty() || sources[..i].iter().any(|other| other.name == source.name) {
                let problem = "is empty or used twice; give each source a name of its own with NAME=DIR";
                return Err(Error::argument("source name", format!("{:?} {problem}", source.name)));
            }
        }
        Ok(Self {
            sources,
            parameters: parameters.clone(),
            progress: &Silent,
            budget: BUDGET,
            scratch: None,
            sorter: Sorter::new(entry::by_source_and_path, BUDGET, None),
            crs: HashMap::new(),
            pixel_sizes: Vec::new(),
            source_of: Vec::new(),
            last_path: String::new(),
            ordered: true,
            filled: Filled::default(),
            edges: Edges::default(),
            secret: sources.iter().any(|source| url::holds_secret(&source.root.to_string_lossy())),
        })
    }

    /// Allows scratch files in the folder of `path`: as large as the records, without a name where the system allows it,
    /// and gone at the end. Call it before the first record.
    #[must_use]
    pub fn scratch_beside(mut self, path: &Path) -> Self {
        self.scratch = Some(path.to_path_buf());
        self.with_sorter()
    }

    /// Bytes of the sort buffer. Call it before the first record.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self.with_sorter()
    }

    /// Says how far it is, and asks whether to stop.
    #[must_use]
    pub fn progress(mut self, progress: &'a dyn Progress) -> Self {
        self.progress = progress;
        self
    }

    fn with_sorter(mut self) -> Self {
        self.sorter = Sorter::new(entry::by_source_and_path, self.budget, self.scratch.as_deref());
        self
    }

    /// How many records were added.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.source_of.len() as u32
    }

    /// True before the first record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.source_of.is_empty()
    }

    /// Adds a record.
    ///
    /// # Errors
    /// Where the record can't be stored (its path is named), there are too many, or the scratch file can't be written.
    pub fn add(&mut self, record: &RecordInput) -> Result<()> {
        record.check()?;
        if record.source >= self.sources.len() {
            let problem = format!("belongs to source {}, but there are {}", record.source, self.sources.len());
            return Err(Error::raster(&record.path, problem));
        }
        let native_zoom = self.check_edge(record)?;
        self.secret |= url::holds_secret(&record.path);
        let arrival = self.len();
        if arrival >= u32::MAX - 1 {
            return Err(Error::argument("records", format!("at most {} are possible", u32::MAX - 1)));
        }
        let source = record.source as u16;
        if let Some(&last) = self.source_of.last() {
            self.ordered &= (last, self.last_path.as_str()) < (source, record.path.as_str());
        }
        self.last_path.clone_from(&record.path);
        let crs = match self.crs.get(&record.crs) {
            Some(&number) => number,
            None => {
                let number = self.crs.len() as u32;
                self.crs.insert(record.crs.clone(), number);
                number
            }
        };
        self.pixel_sizes.push(record.pixel_size);
        self.source_of.push(source);
        let mut row = Row::of(record);
        row.id = record_id(&self.sources[record.source].name, &record.path);
        (row.native_zoom, row.crs, row.rank) = (native_zoom, crs, arrival);
        self.filled.add(&row);
        let key = grid::hilbert_of(&record.bounds);
        self.sorter.push(key, [bytemuck::bytes_of(&row), record.path.as_bytes()])
    }

    /// The native zoom of a record. Refuses what would take the tile index hours and all memory.
    fn check_edge(&mut self, record: &RecordInput) -> Result<u8> {
        let zoom = web_mercator::native_zoom(record.pixel_size, self.parameters.tile_size);
        if self.edges.add(&record.bounds, zoom) {
            return Ok(zoom);
        }
        let b = &record.bounds;
        let problem = format!(
            "has {} tiles along its edge at zoom {zoom} ({} x {} cells of {:.3e} m, a box of {:.0} x {:.0} m), more than an index \
             can hold; correct its georeference, or leave it out",
            tile_lists::edge(b, zoom),
            record.width,
            record.height,
            record.pixel_size,
            b.width(),
            b.height()
        );
        Err(Error::raster(&record.path, problem))
    }

    /// Writes the store.
    ///
    /// # Errors
    /// Where a record was added twice, two ids are the same, the user interrupts, or the output can't be written.
    pub fn finish<W: Write + Seek>(mut self, out: W) -> Result<W> {
        self.sorter.finish()?;
        let ranks = self.ranks()?;
        let Self { sources, parameters, progress, sorter, crs, filled, .. } = self;
        rows::write(out, Input { sources, parameters, progress, entries: sorter, crs, ranks, filled })
    }

    /// The rank of each record by arrival: its position in the order (source, class of the pixel size, path).
    fn ranks(&mut self) -> Result<Vec<u32>> {
        let order = if self.ordered { None } else { Some(self.order_of_paths()?) };
        let position = |arrival: u32| order.as_ref().map_or(arrival, |(position, _)| position[arrival as usize]);
        let mut keys: Vec<u128> = (0..self.len())
            .map(|a| {
                // Positive floats are in the order of their bits.
                let (source, pixel) = (self.source_of[a as usize], self.pixel_sizes[a as usize].to_bits());
                u128::from(source) << 96 | u128::from(pixel) << 32 | u128::from(position(a))
            })
            .collect();
        (self.pixel_sizes, self.source_of) = (Vec::new(), Vec::new());
        keys.sort_unstable();
        let mut classes = Classes::default();
        for key in &mut keys {
            let (source, pixel, position) = ((*key >> 96) as u16, (*key >> 32) as u64, *key as u32);
            let class = classes.of(source, f64::from_bits(pixel)).to_bits();
            *key = u128::from(source) << 96 | u128::from(class) << 32 | u128::from(position);
        }
        keys.sort_unstable();
        let mut ranks = vec![0; keys.len()];
        for (rank, key) in (0..).zip(keys) {
            let position = key as u32;
            let arrival = order.as_ref().map_or(position, |(_, arrival)| arrival[position as usize]);
            ranks[arrival as usize] = rank;
        }
        Ok(ranks)
    }

    /// The position of each record in the order (source, path), by arrival, and the arrival at each position.
    fn order_of_paths(&self) -> Result<(Vec<u32>, Vec<u32>)> {
        let mut paths = Sorter::new(entry::by_source_and_path, self.budget, self.scratch.as_deref());
        self.sorter.for_each(|_, entry| {
            let (row, path) = entry::parts(entry);
            // Source and the first bytes of the path decide nearly always.
            let mut start = [0; 8];
            start[..2].copy_from_slice(&{ row.source }.to_be_bytes());
            let length = path.len().min(6);
            start[2..2 + length].copy_from_slice(&path[..length]);
            paths.push(u64::from_be_bytes(start), [entry, &[]])
        })?;
        paths.finish()?;
        let (mut position, mut arrival) = (vec![0; self.source_of.len()], Vec::with_capacity(self.source_of.len()));
        let mut last: Option<(u16, Vec<u8>)> = None;
        paths.for_each(|_, entry| {
            let (row, path) = entry::parts(entry);
            let (source, arrived) = (row.source, row.rank);
            if last.as_ref().is_some_and(|(of, before)| *of == source && before == path) {
                let source = &self.sources[usize::from(source)].name;
                let path = String::from_utf8_lossy(path);
                return Err(Error::argument(format!("{source}/{path}"), "is there twice; name each file once"));
            }
            position[arrived as usize] = arrival.len() as u32;
            arrival.push(arrived);
            let buffer = last.get_or_insert_default();
            buffer.0 = source;
            buffer.1.clear();
            buffer.1.extend_from_slice(path);
            Ok(())
        })?;
        Ok((position, arrival))
    }
}

impl std::fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("records", &self.len()).field("scratch", &self.scratch).finish_non_exhaustive()
    }
}
