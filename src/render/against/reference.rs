//! What the cells of the sources allow the pixels of a tile to be.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::rc::Rc;

use super::look::{NOTHING, Pixel, Said, UNASKED, join, lobe, look};
use super::places::{Positions, centers, shifts};
use crate::error::{Error, Result};
use crate::query::Order;
use crate::raster::{self, Cells, Degrees, RasterInfo, RasterReader, Resampling, VerticalShift, Window};
use crate::render::pool::Pool;
use crate::store::{RecordRef, RowId, Store};
use crate::tile::{TileCoord, web_mercator};

/// Cells that are read at once.
const MOST_CELLS: usize = 1 << 24;
/// How many pixels or cells around a record's box it can have a part in pixels.
const REACH: f64 = 24.0;

/// How an archive's pixels were made, as far as that matters here.
#[derive(Debug, Clone, Default)]
pub(super) struct How {
    pub(super) resampling: Resampling,
    /// True where sources are blended.
    pub(super) blended: bool,
    pub(super) vertical_datum: Option<String>,
}

/// Asks the sources of a store.
pub(super) struct Reference<'a> {
    store: &'a Store,
    reader: &'static dyn RasterReader,
    pool: Pool<'a>,
    how: &'a How,
    by_crs: HashMap<String, Rc<dyn Degrees>>,
    ways: HashMap<u16, Option<Rc<dyn VerticalShift>>>,
    largest: f64,
}

impl<'a> Reference<'a> {
    pub(super) fn new(store: &'a Store, how: &'a How) -> Result<Self> {
        let largest = store.records().iter().map(|r| r.pixel_size()).fold(0.0, f64::max);
        let reader = raster::reader()?;
        let pool = Pool::new(store, reader)?;
        Ok(Self { store, reader, pool, how, by_crs: HashMap::new(), ways: HashMap::new(), largest })
    }

    /// What all pixels of a tile may be, row by row. `means` says that they are means of finer tiles which were not kept.
    pub(super) fn tile(&mut self, tile: TileCoord, means: bool) -> Result<Vec<Pixel>> {
        let side = self.store.tile_size() as usize;
        let resolution = web_mercator::resolution(tile.z(), self.store.tile_size());
        self.pool.overviews = Some(resolution);
        let rows = self.around(tile, resolution);
        let finest =
            rows.iter().filter_map(|&row| self.store.record(row)).map(|r| r.pixel_size()).fold(resolution, f64::min);
        let cells = (resolution / finest).powi(2) * 4.0 * side as f64;
        let band = ((MOST_CELLS as f64 / cells) as usize).clamp(2, side);
        let mut out = Vec::with_capacity(side * side);
        for first in (0..side).step_by(band) {
            self.band(tile, first..(first + band).min(side), &rows, means, &mut out)?;
        }
        Ok(out)
    }

    /// The records in and around a tile in candidate order.
    fn around(&self, tile: TileCoord, resolution: f64) -> Vec<RowId> {
        let reach = |pixel_size: f64| REACH * pixel_size.max(resolution);
        let mut rows = Vec::new();
        for turn in [0.0, web_mercator::WORLD, -web_mercator::WORLD] {
            let mut bounds = tile.bounds();
            (bounds.min_x, bounds.max_x) = (bounds.min_x + turn, bounds.max_x + turn);
            let mut found = Vec::new();
            self.store.rows_overlapping(bounds.buffered(reach(self.largest)), Order::Candidate, &mut found);
            let near = |r: RecordRef<'_>| r.bounds().buffered(reach(r.pixel_size())).overlaps(&bounds);
            rows.extend(found.into_iter().filter(|&row| self.store.record(row).is_some_and(near)));
        }
        rows.sort_by_key(|&row| self.store.record(row).map(|r| r.rank()));
        rows.dedup();
        rows
    }

    fn band(
        &mut self,
        tile: TileCoord,
        lines: Range<usize>,
        rows: &[RowId],
        means: bool,
        out: &mut Vec<Pixel>,
    ) -> Result<()> {
        let side = self.store.tile_size() as usize;
        let (lons, lats) = centers(tile, side, lines);
        let mut pixels = vec![NOTHING; lons.len()];
        let mut closed = vec![false; lons.len()];
        let mut places: HashMap<String, (Vec<f64>, Vec<f64>)> = HashMap::new();
        let store = self.store;
        let source_of = |row: RowId| store.record(row).map(|r| r.source_index());
        for source in rows.chunk_by(|&a, &b| source_of(a) == source_of(b)) {
            let mut said = vec![UNASKED; lons.len()];
            let sizes = source.iter().filter_map(|&row| self.store.record(row)).map(|r| r.pixel_size());
            let coarsest = sizes.fold(0.0, f64::max);
            for &row in source {
                let Some(record) = self.store.record(row) else { continue };
                let info = Rc::clone(&self.pool.raster(&record)?.info);
                let by = self.degrees(&info.crs)?;
                if !places.contains_key(&info.crs) {
                    let (mut xs, mut ys) = (lons.clone(), lats.clone());
                    by.to_crs(&mut xs, &mut ys);
                    places.insert(info.crs.clone(), (xs, ys));
                }
                let Some(back) = info.transform.invert() else { continue };
                let shifts = shifts(&info, by.as_ref());
                let turn = shifts.iter().fold(0.0, |turn: f64, shift| turn.max(shift.abs()));
                let ratio = (coarsest / record.pixel_size()).max(1.0);
                for shift in shifts {
                    let positions = Positions::of(&places[&info.crs], shift, turn, &back);
                    self.ask(&record, &info, &positions, (side, means, ratio), &closed, &mut said)?;
                }
            }
            let first = source.first().and_then(|&row| self.store.record(row));
            let up = self.heights_up(first, (&lons, &lats))?;
            for at in 0..pixels.len() {
                let up = up.as_ref().map_or(0.0, |up| up[at]);
                join(&mut pixels[at], &said[at], up);
                closed[at] |= said[at].certain && !self.how.blended;
            }
        }
        out.extend(pixels);
        Ok(())
    }

    fn degrees(&mut self, crs: &str) -> Result<Rc<dyn Degrees>> {
        if let Some(by) = self.by_crs.get(crs) {
            return Ok(Rc::clone(by));
        }
        let by = Rc::<dyn Degrees>::from(self.reader.degrees(crs)?);
        self.by_crs.insert(crs.to_owned(), Rc::clone(&by));
        Ok(by)
    }

    /// What is added to the heights of a source to bring them to the archive's vertical datum.
    fn heights_up(&mut self, first: Option<RecordRef<'_>>, at: (&[f64], &[f64])) -> Result<Option<Vec<f64>>> {
        let (Some(wanted), Some(record)) = (&self.how.vertical_datum, first) else { return Ok(None) };
        let source = record.source_index();
        if let Entry::Vacant(unknown) = self.ways.entry(source) {
            let damaged = || Error::invalid("store", "has a record without a source", "build it again");
            let own = record.source().ok_or_else(damaged)?.vertical_datum()?.into_owned();
            let way = if own == *wanted { None } else { Some(Rc::from(self.reader.vertical(&own, wanted)?)) };
            unknown.insert(way);
        }
        let Some(way) = self.ways.get(&source).cloned().flatten() else { return Ok(None) };
        let (xs, ys): (Vec<f64>, Vec<f64>) =
            at.0.iter().zip(at.1).map(|(&lon, &lat)| web_mercator::from_lon_lat(lon, lat)).unzip();
        way.shifts(&xs, &ys).map(Some)
    }

    /// Asks one record at positions in its cells. `ratio` is how many of its cells the source's coarsest ones are wide.
    fn ask(
        &mut self,
        record: &RecordRef<'_>,
        info: &RasterInfo,
        at: &Positions,
        (side, means, ratio): (usize, bool, f64),
        closed: &[bool],
        said: &mut [Said],
    ) -> Result<()> {
        let (width, height) = (f64::from(info.width), f64::from(info.height));
        let mut asked = Vec::new();
        // The kernel's width is that of some place of the tile: the widest counts.
        let mut widest = (0f64, 0f64);
        for i in (0..said.len()).filter(|&i| !closed[i]) {
            let stretch = at.stretch(i, side);
            let near = |at: f64, size: f64, stretch: f64| {
                let margin = REACH * ratio.max(stretch);
                at > -margin && at < size + margin
            };
            if near(at.cols[i], width, stretch.0) && near(at.rows[i], height, stretch.1) {
                widest = (widest.0.max(stretch.0), widest.1.max(stretch.1));
                asked.push(i);
            }
        }
        let radius = (self.radius(widest.0, means), self.radius(widest.1, means));
        // Other files lend cells to kernels of this file; each is sampled from the cells around its place.
        let lent = ((radius.0 + 2.0) * ratio, (radius.1 + 2.0) * ratio);
        let edge = |values: &[f64]| {
            let all = asked.iter().map(|&i| values[i]);
            (all.clone().fold(f64::INFINITY, f64::min), all.fold(f64::NEG_INFINITY, f64::max))
        };
        let ((west, east), (north, south)) = (edge(&at.cols), edge(&at.rows));
        if asked.is_empty() {
            return Ok(());
        }
        let span = |low: f64, high: f64, radius: f64, size: f64| {
            let first = (low - radius - 1.0).floor().clamp(0.0, size);
            (first as i64, ((high + radius + 1.0).ceil().clamp(0.0, size) - first) as usize)
        };
        let (col, columns) = span(west, east, lent.0, width);
        let (row, rows) = span(north, south, lent.1, height);
        let window = Window { col, row, width: columns, height: rows };
        if window.is_empty() {
            return Ok(());
        }
        if window.len() > MOST_CELLS * 4 {
            let problem = format!(
                "comparing a line of pixels needs {columns} x {rows} of its cells at once; add overviews with gdaladdo -r average"
            );
            return Err(Error::raster(&info.path, problem));
        }
        let mut cells = Cells::outside(window);
        self.pool.read(record, &mut cells)?;
        let weight = |distance: f64, scale: f64| match self.how.resampling {
            _ if means => (scale.max(1.0) / 2.0 + 0.5 - distance).clamp(0.0, 1.0),
            Resampling::Nearest => f64::from(u8::from(distance <= 0.5)),
            Resampling::Average => (scale.max(1.0) / 2.0 + 0.5 - distance).clamp(0.0, 1.0),
            how => lobe(how, distance / if scale > 1.05 { scale } else { 1.0 }),
        };
        for i in asked {
            let place = (at.cols[i], at.rows[i]);
            let held = (0.0..width).contains(&place.0) && (0.0..height).contains(&place.1);
            let weights = (|d: f64| weight(d, widest.0), |d: f64| weight(d, widest.1));
            let mut found = look(&cells, (width, height), place, radius, (&weights.0, &weights.1));
            if !held || found.lacking || said[i].least <= said[i].greatest {
                let wide = look(&cells, (width, height), place, lent, (&weights.0, &weights.1));
                (found.least, found.greatest) = (wide.least, wide.greatest);
            }
            found.add_to(&mut said[i], held);
        }
        Ok(())
    }

    /// How far from a pixel, in cells, the centres of cells may have a part in it, where its neighbour is `scale` cells away. The kernel's
    /// own width is measured at one place of the tile and may be a quarter larger.
    fn radius(&self, scale: f64, means: bool) -> f64 {
        let wide = if scale > 0.84 { (scale * 1.3).max(1.0) } else { 1.0 };
        let lobes = match self.how.resampling {
            Resampling::Nearest => 0.51,
            Resampling::Bilinear => 1.0,
            Resampling::Average if means => 1.15,
            Resampling::Average => return wide * 0.5 + 0.5,
            Resampling::Cubic => 2.0,
            Resampling::Lanczos => 3.0,
        };
        match self.how.resampling {
            _ if means => scale / 2.0 + 1.3 * lobes,
            Resampling::Nearest => lobes,
            _ => wide * lobes,
        }
    }
}
