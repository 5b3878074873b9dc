//! Open rasters and projectors, kept across tiles and units within a bound.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use super::report::Seen;
use super::voids::Voids;
use super::{CopyFacts, RasterOpener, ReadRecord, SMALL_BLOCK};
use crate::error::{Error, Result};
use crate::query::Order;
use crate::raster::parts::{Broken, Folders};
use crate::raster::{Adjustment, Block, Cells, FileStamp, Projector, Raster, RasterInfo, footprint};
use crate::store::{RecordRef, RowId, Store};
use crate::tile::Bounds;

/// Rasters that stay open at most. An open GeoTIFF costs some tens of kB and a file handle.
const OPEN_RASTERS: usize = 64;

/// The part of a raster's size that its box in the store may be off, beside two cells.
const LENIENCE: f64 = 0.002;

/// By which factor the pixel size of a record may differ from its raster's: that of a list is a mean over the box, and cells of a
/// tall raster differ.
const MOST_TIMES: f64 = 4.0;

/// An open raster and its header.
pub(super) struct Open {
    pub(super) raster: Box<dyn Raster>,
    pub(super) info: Rc<RasterInfo>,
    read: ReadRecord,
    used: u64,
}

/// The pool.
pub(super) struct Pool<'a> {
    pub(super) opener: &'a dyn RasterOpener,
    rasters: HashMap<RowId, Open>,
    projectors: HashMap<String, Rc<dyn Projector>>,
    /// By source.
    adjustments: HashMap<u16, Adjustment>,
    /// Names of sidecars.
    folders: RefCell<Folders>,
    /// A bit a record: whether its place was compared with that of its raster.
    placed: Vec<u64>,
    clock: u64,
    /// Rasters of which this machine has copies that were compared with the ones that the store knows.
    pub(super) copies: HashMap<RowId, CopyFacts>,
    /// What was read since [`take_read`](Self::take_read), and the headers.
    read: HashMap<RowId, (ReadRecord, Rc<RasterInfo>)>,
    /// What is known of the files read since then.
    pub(super) voids: Voids,
    /// Metres a pixel, where overviews may replace rasters that are much finer: in reports about tiles, never in tiles.
    pub(super) overviews: Option<f64>,
    pub(super) opened: u64,
}

impl<'a> Pool<'a> {
    pub(super) fn new(store: &Store, opener: &'a dyn RasterOpener) -> Result<Self> {
        let adjustments = adjustments(store)?;
        Ok(Self {
            opener,
            rasters: HashMap::new(),
            projectors: HashMap::new(),
            adjustments,
            folders: RefCell::default(),
            placed: Vec::new(),
            clock: 0,
            copies: HashMap::new(),
            read: HashMap::new(),
            voids: Voids::default(),
            overviews: None,
            opened: 0,
        })
    }

    /// The raster of a record, opened where it is not.
    pub(super) fn raster(&mut self, record: &RecordRef<'_>) -> Result<&mut Open> {
        self.clock += 1;
        if !self.rasters.contains_key(&record.row()) {
            if self.rasters.len() >= OPEN_RASTERS {
                let oldest = self.rasters.iter().min_by_key(|(_, open)| open.used).map(|(&row, _)| row);
                oldest.map(|row| self.rasters.remove(&row));
            }
            let (raster, read) = self.open(record)?;
            let info = Rc::new(raster.info().clone());
            self.rasters.insert(record.row(), Open { raster, info, read, used: 0 });
            self.opened += 1;
        }
        let open = self.rasters.get_mut(&record.row());
        let open = open.ok_or_else(|| Error::internal("the raster pool lost an entry"))?;
        open.used = self.clock;
        match self.read.get(&record.row()) {
            Some((before, _)) if before.stamp != open.read.stamp => {
                return Err(Error::Changed { path: open.info.path.clone(), in_use: true });
            }
            Some(_) => {}
            None => drop(self.read.insert(record.row(), (open.read.clone(), Rc::clone(&open.info)))),
        }
        Ok(open)
    }

    /// Reads cells of a record's raster. One that fails is not kept: it may hold on to a broken connection.
    pub(super) fn read(&mut self, record: &RecordRef<'_>, cells: &mut Cells) -> Result<()> {
        let outcome = self.raster(record)?.raster.read_into(cells);
        if outcome.is_err() {
            self.rasters.remove(&record.row());
        }
        outcome
    }

    /// The header of a record's raster; one that was read for this unit is not opened for it again.
    pub(super) fn info(&mut self, record: &RecordRef<'_>) -> Result<Rc<RasterInfo>> {
        if let Some((_, info)) = self.read.get(&record.row()) {
            return Ok(Rc::clone(info));
        }
        Ok(Rc::clone(&self.raster(record)?.info))
    }

    /// What was read since this was asked last, in the order of rows.
    ///
    /// # Errors
    /// Where a file has changed since it was opened. It is opened again when it is asked for again.
    pub(super) fn take_read(&mut self, store: &Store) -> Result<Vec<ReadRecord>> {
        self.voids.forget();
        let mut read: Vec<ReadRecord> = std::mem::take(&mut self.read).into_values().map(|(read, _)| read).collect();
        read.sort_unstable_by_key(|r| r.row);
        let mut outcome = Ok(());
        for record in &read {
            if let Err(error) = record.check(store, Seen::Here) {
                self.rasters.remove(&record.row);
                outcome = Err(error);
            }
        }
        for record in &mut read {
            if let Some(copy) = self.copies.get(&record.row) {
                record.further.clone_from(&copy.further);
            }
        }
        outcome.map(|()| read)
    }

    /// Forgets what was read for a unit that failed.
    pub(super) fn forget_read(&mut self) {
        self.read.clear();
        self.voids.forget();
    }

    fn open(&mut self, record: &RecordRef<'_>) -> Result<(Box<dyn Raster>, ReadRecord)> {
        let path = record.full_path()?;
        let broken = |why: Broken| Error::raster(&path, why.to_string());
        // Stamped before it is compared with the store and opened: what changes from here on shows.
        let facts = FileStamp::of(&path)?;
        let copy = self.copies.get(&record.row());
        let (modified_ns, digest) = match copy {
            Some(copy) => (copy.modified_ns, copy.parts),
            None => (record.modified_ns(), record.parts()),
        };
        let parts = self.folders.borrow_mut().parts_like(&path, digest).map_err(broken)?;
        if facts.size != record.file_size() || facts.modified_ns != modified_ns {
            return Err(Error::Changed { path, in_use: false });
        }
        // Stores of earlier versions do not say what a raster consists of.
        if record.store().knows_parts() && parts.digest != digest {
            let problem = "one of the files that it consists of was changed after the store was built (a source of the VRT, \
                a mask, a sidecar); build the store again (`store::Builder`)";
            return Err(Error::raster(&path, problem));
        }
        let plain = copy.map_or_else(|| parts.plain_stamp(&path, facts), |copy| copy.plain);
        let read = ReadRecord { row: record.row(), stamp: parts.stamp(facts), plain, further: parts.further };
        let mut by = self.adjustments.get(&record.source_index()).cloned().unwrap_or_default();
        by.band = if record.band() == 0 { by.band } else { record.band() };
        by.unit = if record.unit() == 0.0 { by.unit } else { record.unit() };
        by.scale = if record.scale() == 0.0 { by.scale } else { record.scale() };
        let known = Block { width: record.block_width(), height: record.block_height(), cell: 0 };
        self.check_block(&path, known, record.block_bytes())?;
        let crs = record.crs()?;
        let crs = Some(&*crs).filter(|c| !c.is_empty());
        let mut raster = self.opener.open(&path, crs, &by)?;
        let info = raster.info();
        if (info.width, info.height) != (record.width(), record.height()) {
            let problem = format!(
                "has {} x {} pixels, the store says {} x {}{}",
                info.width,
                info.height,
                record.width(),
                record.height(),
                correct(record)
            );
            return Err(Error::raster(&path, problem));
        }
        let info = info.clone();
        if record.block_bytes() == 0 {
            // Not looked at before: the record comes from a list, an index, or an earlier version.
            let block = raster.block();
            self.check_block(&path, block, block.bytes())?;
        }
        self.check_place(record, &info)?;
        // Two cells of the overview a pixel at least.
        let most = self.overviews.map_or(0.0, |pixel| pixel / record.pixel_size() / 2.0);
        if most >= 2.0 {
            raster = self.opener.open_means(&path, crs, &by, most)?.unwrap_or(raster);
        }
        Ok((raster, read))
    }

    /// Refuses a raster whose blocks don't fit into the memory that there is.
    fn check_block(&self, path: &Path, block: Block, bytes: u64) -> Result<()> {
        let limit = if bytes > SMALL_BLOCK { self.opener.most_block() } else { u64::MAX };
        if bytes <= limit {
            return Ok(());
        }
        let block = (block.width, block.height);
        Err(Error::BlockTooLarge { path: path.to_path_buf(), block, bytes, limit, enough: None })
    }

    /// Compares the place that the store has for a record with the raster's own, once: a line of a list or a feature of an index may
    /// have been written for another raster.
    fn check_place(&mut self, record: &RecordRef<'_>, info: &RasterInfo) -> Result<()> {
        let (word, bit) = (record.row() as usize / 64, 1 << (record.row() % 64));
        if self.placed.get(word).is_some_and(|bits| bits & bit != 0) {
            return Ok(());
        }
        let projector = self.projector(&info.crs)?;
        let own = footprint(info, &|xs, ys| projector.to_mercator(xs, ys))?;
        let stored = record.bounds();
        let cell = stored.width().max(stored.height()) / f64::from(record.width().max(record.height()));
        // Lists that follow only the corners of a raster are off by a part of its size.
        let near = |a: f64, b: f64, length: f64| (a - b).abs() <= 2.0 * cell + LENIENCE * length;
        let fits = |part: &Bounds| {
            let (width, height) = (part.width(), part.height());
            near(part.min_x, stored.min_x, width)
                && near(part.max_x, stored.max_x, width)
                && near(part.min_y, stored.min_y, height)
                && near(part.max_y, stored.max_y, height)
        };
        let times = record.pixel_size() / own.pixel_size;
        if own.parts.iter().any(fits) && (1.0 / MOST_TIMES..=MOST_TIMES).contains(&times) {
            self.placed.resize(self.placed.len().max(word + 1), 0);
            self.placed[word] |= bit;
            return Ok(());
        }
        let text = |b: &Bounds| format!("{:.1} {:.1} {:.1} {:.1}", b.min_x, b.min_y, b.max_x, b.max_y);
        let parts: Vec<String> = own.parts.iter().map(text).collect();
        let problem = format!(
            "lies at {} (left, bottom, right, top in EPSG:3857 metres; cells of {:.3e} m), the store says {} ({:.3e} m){}",
            parts.join(" and "),
            own.pixel_size,
            text(&stored),
            record.pixel_size(),
            correct(record),
        );
        Err(Error::raster(&info.path, problem))
    }

    /// The projector to a CRS.
    pub(super) fn projector(&mut self, crs: &str) -> Result<Rc<dyn Projector>> {
        if let Some(projector) = self.projectors.get(crs) {
            return Ok(Rc::clone(projector));
        }
        let projector: Rc<dyn Projector> = self.opener.projector(crs)?.into();
        self.projectors.insert(crs.to_owned(), Rc::clone(&projector));
        Ok(projector)
    }
}

/// Who says so, and what to do about it; behind what the store says of a record.
fn correct(record: &RecordRef<'_>) -> String {
    match record.listed() {
        Some(list) => format!(", from {list}; correct that, and build the store again (`store::Builder`)"),
        None => "; build the store again (`store::Builder`)".into(),
    }
}

/// What the store's metadata say is done to the values of sources.
fn adjustments(store: &Store) -> Result<HashMap<u16, Adjustment>> {
    let metadata = store.notes()?;
    let mut found = HashMap::new();
    for source in store.sources().iter() {
        let name = source.name()?;
        if let Some(value) = metadata.get("adjust").and_then(|all| all.get(&*name)) {
            let adjustment = serde_json::from_value(value.clone()).map_err(|e| {
                let problem = format!("says for source {name:?} what this version does not know: {e}");
                let error = Error::invalid("store metadata", problem, "build the store again with this version");
                store.container().named(error)
            })?;
            found.insert(source.index(), adjustment);
        }
    }
    Ok(found)
}

/// The order in which neighbours fill a window.
pub(super) const NEIGHBOURS: Order = Order::Candidate;
