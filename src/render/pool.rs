//! Open rasters and projectors, kept across tiles and units within a bound.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use super::RasterOpener;
use crate::error::{Error, Result};
use crate::query::Order;
use crate::raster::parts::Folders;
use crate::raster::{Adjustment, Projector, Raster, RasterInfo};
use crate::store::{RecordRef, RowId, Store};

/// Rasters that stay open at most. An open GeoTIFF costs some tens of kB and a file handle.
const OPEN_RASTERS: usize = 64;

/// An open raster and its header.
pub(super) struct Open {
    pub(super) raster: Box<dyn Raster>,
    pub(super) info: Rc<RasterInfo>,
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
    clock: u64,
    /// Metres a pixel, where overviews may stand for rasters that are much finer: in what is told about tiles, never in tiles.
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
            clock: 0,
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
            let raster = self.open(record)?;
            let info = Rc::new(raster.info().clone());
            self.rasters.insert(record.row(), Open { raster, info, used: 0 });
            self.opened += 1;
        }
        let open = self.rasters.get_mut(&record.row());
        let open = open.ok_or_else(|| Error::Other("the raster pool lost an entry".into()))?;
        open.used = self.clock;
        Ok(open)
    }

    fn open(&self, record: &RecordRef<'_>) -> Result<Box<dyn Raster>> {
        let path = record.full_path()?;
        let facts = std::fs::metadata(&path).map_err(Error::io("open", &path))?;
        let modified =
            facts.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_nanos() as i64);
        if facts.len() != record.file_size() || modified != record.modified_ns() {
            return Err(Error::raster(&path, "was changed after the store was built; run `hypso build` again"));
        }
        // Stores of earlier versions do not say what a raster consists of.
        if let Some(known) = record.parts() {
            let now = self.folders.borrow_mut().digest(&path).map_err(|why| Error::raster(&path, why.to_string()))?;
            if now != known {
                let problem = "one of the files that it consists of was changed after the store was built (a source of the VRT, \
                    a mask, a sidecar); run `hypso build` again";
                return Err(Error::raster(&path, problem));
            }
        }
        let mut by = self.adjustments.get(&record.source_index()).cloned().unwrap_or_default();
        by.band = if record.band() == 0 { by.band } else { record.band() };
        by.unit = if record.unit() == 0.0 { by.unit } else { record.unit() };
        by.scale = if record.scale() == 0.0 { by.scale } else { record.scale() };
        let crs = record.crs()?;
        let crs = Some(&*crs).filter(|c| !c.is_empty());
        let mut raster = self.opener.open(&path, crs, &by)?;
        let info = raster.info();
        if (info.width, info.height) != (record.width(), record.height()) {
            let problem = format!(
                "has {} x {} pixels, the store says {} x {}; run `hypso build` again (or correct bounds.csv)",
                info.width,
                info.height,
                record.width(),
                record.height()
            );
            return Err(Error::raster(&path, problem));
        }
        // Two cells of the overview a pixel at least.
        let most = self.overviews.map_or(0.0, |pixel| pixel / record.pixel_size() / 2.0);
        if most >= 2.0 {
            raster = self.opener.open_means(&path, crs, &by, most)?.unwrap_or(raster);
        }
        Ok(raster)
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

/// What the store's metadata say is done to the values of sources.
fn adjustments(store: &Store) -> Result<HashMap<u16, Adjustment>> {
    let metadata: serde_json::Value = serde_json::from_str(store.metadata()).unwrap_or_default();
    let mut found = HashMap::new();
    for source in store.sources().iter() {
        let name = source.name()?;
        if let Some(value) = metadata.get("adjust").and_then(|all| all.get(&*name)) {
            let adjustment = serde_json::from_value(value.clone()).map_err(|e| {
                let problem = format!("says for source {name:?} what this version does not know: {e}");
                Error::invalid("store metadata", problem, "build the store again with this version")
            })?;
            found.insert(source.index(), adjustment);
        }
    }
    Ok(found)
}

/// The order in which neighbours fill a window.
pub(super) const NEIGHBOURS: Order = Order::Candidate;
