//! Samples a tile straight from the records.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::RasterOpener;
use super::mosaic::DEPTH;
use super::odd::{self, Odd};
use super::pool::Pool;
use super::report::SourceReport;
use super::vertical::Vertical;
use crate::error::{Error, Result};
use crate::raster::kernel::Kernel;
use crate::raster::{Cells, PixelMap, RasterInfo, Resampling, Window, warp};
use crate::store::{RecordRef, RowId, Store};
use crate::terrain::{ElevationTile, INTERPOLATED};
use crate::tile::{Bounds, TileCoord};

/// Cells that a window may have at most: 256 MB of heights would mean a raster that no tile can need.
pub(super) const MAX_CELLS: usize = 1 << 26;

/// Cells that are read at once where a raster is much finer than the tile: 32 MB of heights.
const STRIP_CELLS: usize = 1 << 23;

/// A square of pixels to sample: a tile, or one and what lies around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    /// The tile, for messages.
    pub(super) tile: TileCoord,
    /// EPSG:3857 metres.
    pub(super) bounds: Bounds,
    /// Pixels a side.
    pub(super) size: u32,
}

impl Area {
    pub(super) fn of(tile: TileCoord, size: u32) -> Self {
        Self { tile, bounds: tile.bounds(), size }
    }

    /// Metres a pixel.
    pub(super) fn resolution(&self) -> f64 {
        self.bounds.width() / f64::from(self.size)
    }
}

/// What a record was asked for and gave.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drawn {
    /// Pixels inside it that nothing before had filled.
    asked: usize,
    /// Those of them that it filled.
    pub(super) filled: usize,
}

impl std::ops::AddAssign for Drawn {
    fn add_assign(&mut self, other: Self) {
        self.asked += other.asked;
        self.filled += other.filled;
    }
}

/// Reads rasters and resamples them into tiles. Buffers are kept from tile to tile.
pub(super) struct Sampler<'a> {
    pub(super) store: &'a Store,
    pub(super) pool: Pool<'a>,
    pub(super) resampling: Resampling,
    cells: Cells,
    sources: BTreeMap<u16, SourceReport>,
    used: BTreeSet<RowId>,
    odd: BTreeMap<RowId, Odd>,
    /// Where heights are brought to one vertical datum.
    pub(super) vertical: Option<Vertical>,
    pub(super) reading: Duration,
    pub(super) warping: Duration,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(store: &'a Store, opener: &'a dyn RasterOpener, resampling: Resampling) -> Result<Self> {
        Ok(Self {
            store,
            pool: Pool::new(store, opener)?,
            resampling,
            cells: Cells::outside(Window { col: 0, row: 0, width: 0, height: 0 }),
            sources: BTreeMap::new(),
            used: BTreeSet::new(),
            odd: BTreeMap::new(),
            vertical: None,
            reading: Duration::ZERO,
            warping: Duration::ZERO,
        })
    }

    /// How many rasters were opened so far.
    pub(super) fn opened(&self) -> u64 {
        self.pool.opened
    }

    /// What sources gave, and the rows of the records that gave a pixel, since this was asked last.
    pub(super) fn take_counts(&mut self) -> (BTreeMap<u16, SourceReport>, Vec<RowId>) {
        (std::mem::take(&mut self.sources), std::mem::take(&mut self.used).into_iter().collect())
    }

    /// Heights that the Earth does not have, by record, since this was asked last.
    pub(super) fn take_odd(&mut self) -> BTreeMap<RowId, Odd> {
        std::mem::take(&mut self.odd)
    }

    /// Fills the pixels of `out` that are not valid yet from the records of `tile`, the first valid value first.
    /// `lineage` gets the source of every pixel that is filled here.
    pub(super) fn fill(&mut self, tile: TileCoord, out: &mut ElevationTile, lineage: Option<&mut [u8]>) -> Result<()> {
        let rows: Vec<RowId> = match self.store.tiles().sampled_for(tile) {
            Some(rows) => rows.to_vec(),
            None => self.store.overlapping(tile).map(|r| r.row()).collect(),
        };
        let area = Area::of(tile, out.size);
        let mut lineage = lineage;
        for row in rows {
            if out.valid.iter().all(|&v| v == 1) {
                break;
            }
            let Some(record) = self.store.record(row) else { continue };
            self.draw(&area, &record, out, lineage.as_deref_mut())?;
        }
        Ok(())
    }

    /// Makes the pixels of an area that have no value yet and whose centres lie in a record; returns how many got one.
    pub(super) fn draw(
        &mut self,
        area: &Area,
        record: &RecordRef<'_>,
        out: &mut ElevationTile,
        lineage: Option<&mut [u8]>,
    ) -> Result<usize> {
        let drawn = self.draw_uncounted(area, record, out, lineage, None)?;
        self.count(record, drawn);
        Ok(drawn.filled)
    }

    /// [`draw`](Self::draw) without a word in the report; `counting` are the pixels that are counted, 0 for those that are, all
    /// without a value where it is `None`.
    pub(super) fn draw_uncounted(
        &mut self,
        area: &Area,
        record: &RecordRef<'_>,
        out: &mut ElevationTile,
        mut lineage: Option<&mut [u8]>,
        counting: Option<&[u8]>,
    ) -> Result<Drawn> {
        let started = Instant::now();
        let info = self.pool.info(record)?;
        let projector = self.pool.projector(&info.crs)?;
        let map = warp::pixel_map(&area.bounds, area.size, &info, projector.as_ref())?;
        let scale = warp::pixel_scale(&map, area.size, &info);
        let open = warp::open_pixels(&map, area.size, &info, &out.valid);
        let asked = counting.map_or(open, |counting| warp::open_pixels(&map, area.size, &info, counting));
        let sides = map.sides(area.size as usize, &info);
        self.warping += started.elapsed();
        if open == 0 && sides.is_none() {
            // Where thousands of files overlap, most of them find nothing left to fill.
            return Ok(Drawn { asked, filled: 0 });
        }
        let before = out.valid.clone();
        let mut filled = 0;
        // Over the seam of a raster around the world each side has a window of its own.
        for map in sides.as_deref().unwrap_or(std::slice::from_ref(&map)) {
            filled += self.draw_side(area, record, &info, map, scale, out, lineage.as_deref_mut())?;
        }
        let started = Instant::now();
        if filled > 0 {
            // The tile's own pixels, without what lies around it; before heights are moved to another datum.
            let margin = area.size.saturating_sub(self.store.tile_size()) as usize / 2;
            let odd = odd::look((area.size as usize, margin), &info, &out.values, &out.valid, &before);
            if odd.pixels > 0 {
                self.odd.entry(record.row()).or_default().add(&odd);
            }
            self.shift(area, record, &before, out)?;
        }
        if let Some(counting) = counting {
            filled = (0..before.len()).filter(|&at| before[at] < out.valid[at] && counting[at] == 0).count();
        }
        self.warping += started.elapsed();
        Ok(Drawn { asked, filled })
    }

    /// Notes what a record gave to a tile.
    pub(super) fn count(&mut self, record: &RecordRef<'_>, drawn: Drawn) {
        if drawn.asked > 0 {
            let counts = self.sources.entry(record.source_index()).or_default();
            counts.asked += drawn.asked as u64;
            counts.filled += drawn.filled as u64;
        }
        if drawn.filled > 0 {
            self.used.insert(record.row());
        }
    }

    /// Makes the pixels of one side of a raster's seam.
    #[expect(clippy::too_many_arguments, reason = "each is a plain fact of the tile or the raster")]
    fn draw_side(
        &mut self,
        area: &Area,
        record: &RecordRef<'_>,
        info: &RasterInfo,
        map: &PixelMap,
        scale: (f64, f64),
        out: &mut ElevationTile,
        lineage: Option<&mut [u8]>,
    ) -> Result<usize> {
        let Some(window) = warp::source_window(map, info, self.resampling, scale) else { return Ok(0) };
        let side = area.size as usize;
        // A raster that is much finer than the tile is read in strips.
        let lines = if window.len() <= STRIP_CELLS { side } else { (side * STRIP_CELLS / window.len()).max(1) };
        // Sources beyond the palette are refused before a run with lineage starts.
        let mut mark = lineage.map(|plane| (plane, record.source_index().min(INTERPOLATED.into()) as u8));
        let mut filled = 0;
        for first in (0..side).step_by(lines) {
            let strip = first..(first + lines).min(side);
            let part = if lines == side { Cow::Borrowed(map) } else { Cow::Owned(map.lines(side, strip.clone())) };
            let Some(cells) = self.cells_for(area, record, info, &part, scale)? else { continue };
            let started = Instant::now();
            let pixels = strip.start * side..strip.end * side;
            let (values, valid) = (&mut out.values[pixels.clone()], &mut out.valid[pixels.clone()]);
            let mark = mark.as_mut().map(|(plane, number)| (&mut plane[pixels], *number));
            filled += warp::resample(&part, area.size, &cells, info, self.resampling, scale, values, valid, mark);
            self.cells = cells;
            self.warping += started.elapsed();
        }
        Ok(filled)
    }

    /// The cells that some of an area's pixels need of a record, completed from its neighbours.
    fn cells_for(
        &mut self,
        area: &Area,
        record: &RecordRef<'_>,
        info: &RasterInfo,
        map: &PixelMap,
        scale: (f64, f64),
    ) -> Result<Option<Cells>> {
        let Some(window) = warp::source_window(map, info, self.resampling, scale) else { return Ok(None) };
        if window.len() > MAX_CELLS {
            let problem =
                format!("tile {} would need {} x {} of its cells at once", area.tile, window.width, window.height);
            return Err(Error::raster(&info.path, problem));
        }
        let started = Instant::now();
        let mut cells = std::mem::replace(&mut self.cells, Cells::outside(Window { width: 0, height: 0, ..window }));
        cells.reset(window);
        self.pool.read(record, &mut cells)?;
        if !cells.is_full() {
            let width = |scale: f64| (2.0 * Kernel::new(self.resampling, scale).radius()).ceil() as usize;
            self.complete(area, record, info, &mut cells, (width(scale.0), width(scale.1)), DEPTH)?;
        }
        self.reading += started.elapsed();
        Ok(Some(cells))
    }
}
