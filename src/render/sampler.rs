//! Samples a tile straight from the records.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::RasterOpener;
use super::pool::{NEIGHBOURS, Pool};
use crate::error::{Error, Result};
use crate::raster::{Cells, RasterInfo, Resampling, Window, read_neighbour, warp};
use crate::store::{RecordRef, RowId, Store};
use crate::terrain::ElevationTile;
use crate::tile::TileCoord;

/// Cells that a window may have at most: 256 MB of heights would mean a raster that no tile can need.
const MAX_CELLS: usize = 1 << 26;

/// Reads rasters and resamples them into tiles. Buffers are kept from tile to tile.
pub(super) struct Sampler<'a> {
    store: &'a Store,
    pool: Pool<'a>,
    resampling: Resampling,
    cells: Cells,
    neighbours: Vec<RowId>,
    pub(super) reading: Duration,
    pub(super) warping: Duration,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(store: &'a Store, opener: &'a dyn RasterOpener, resampling: Resampling) -> Self {
        Self {
            store,
            pool: Pool::new(opener),
            resampling,
            cells: Cells::outside(Window { col: 0, row: 0, width: 0, height: 0 }),
            neighbours: Vec::new(),
            reading: Duration::ZERO,
            warping: Duration::ZERO,
        }
    }

    /// How many rasters were opened so far.
    pub(super) fn opened(&self) -> u64 {
        self.pool.opened
    }

    /// Fills the pixels of `out` that are not valid yet from the records of `tile`, the first valid value first.
    /// `lineage` gets the source of every pixel that is filled here.
    pub(super) fn fill(&mut self, tile: TileCoord, out: &mut ElevationTile, lineage: Option<&mut [u8]>) -> Result<()> {
        let rows: Vec<RowId> = match self.store.tiles().rows(tile) {
            Some(rows) => rows.to_vec(),
            None => self.store.in_tile(tile).map(|r| r.row()).collect(),
        };
        let mut lineage = lineage;
        for row in rows {
            if out.valid.iter().all(|&v| v == 1) {
                break;
            }
            let Some(record) = self.store.record(row) else { continue };
            self.draw(tile, &record, out, lineage.as_deref_mut())?;
        }
        Ok(())
    }

    fn draw(
        &mut self,
        tile: TileCoord,
        record: &RecordRef<'_>,
        out: &mut ElevationTile,
        lineage: Option<&mut [u8]>,
    ) -> Result<()> {
        let started = Instant::now();
        let info = Rc::clone(&self.pool.raster(record)?.info);
        let projector = self.pool.projector(&info.crs)?;
        let map = warp::pixel_map(&tile.bounds(), out.size, &info, projector.as_ref())?;
        let scale = warp::pixel_scale(&map, out.size, &info);
        let window = warp::source_window(&map, &info, self.resampling, scale);
        self.warping += started.elapsed();
        let Some(window) = window else { return Ok(()) };
        if window.len() > MAX_CELLS {
            let problem = format!("tile {tile} would need {} x {} of its cells at once", window.width, window.height);
            return Err(Error::raster(&info.path, problem));
        }
        let started = Instant::now();
        self.cells.reset(window);
        self.pool.raster(record)?.raster.read_into(&mut self.cells)?;
        if self.cells.has_outside() {
            self.read_neighbours(tile, record, &info)?;
        }
        self.reading += started.elapsed();
        let started = Instant::now();
        // Sources beyond the palette are refused before a run with lineage starts.
        let mark = lineage.map(|plane| (plane, record.source_index().min(254) as u8));
        warp::resample(
            &map,
            out.size,
            &self.cells,
            &info,
            self.resampling,
            scale,
            &mut out.values,
            &mut out.valid,
            mark,
        );
        self.warping += started.elapsed();
        Ok(())
    }

    /// Lets kernels reach across the record's edge: records of the same source and lattice fill what lies beyond it.
    fn read_neighbours(&mut self, tile: TileCoord, record: &RecordRef<'_>, info: &RasterInfo) -> Result<()> {
        let resolution = crate::tile::web_mercator::resolution(tile.z(), self.store.tile_size());
        let reach = super::reach::kernel_reach(resolution, record.pixel_size());
        let near = tile.bounds().buffered(reach).intersection(&record.bounds().buffered(reach));
        let mut rows = std::mem::take(&mut self.neighbours);
        self.store.rows_in_bounds(&near, NEIGHBOURS, &mut rows);
        for &row in &rows {
            if !self.cells.has_outside() {
                break;
            }
            let Some(other) = self.store.record(row) else { continue };
            if row != record.row() && other.source_index() == record.source_index() {
                let neighbour = self.pool.raster(&other)?;
                read_neighbour(info, neighbour.raster.as_mut(), &mut self.cells)?;
            }
        }
        self.neighbours = rows;
        Ok(())
    }
}
