//! The files of a source as one surface.
//!
//! A kernel at the edge of a file needs cells that the file has not. Other files of the source have them: those on the
//! same lattice cell by cell, all others (another CRS, resolution or registration) by sampling at the places of the cells. What is
//! sampled is completed in the same way once, with the cells that the first file has, so that a coarse file beside a fine one
//! gives both the same slope.

use std::rc::Rc;

use super::pool::NEIGHBOURS;
use super::reach::kernel_reach;
use super::sampler::{Area, MAX_CELLS, Sampler};
use crate::error::Result;
use crate::raster::kernel::Kernel;
use crate::raster::{Cells, RasterInfo, Resampling, State, Window, read_neighbour, warp};
use crate::store::{RecordRef, RowId};
use crate::tile::{Bounds, web_mercator};

/// How often what was sampled from a neighbour is completed with its own neighbours.
pub(super) const DEPTH: u8 = 1;

/// A cell without a value, and where it lies.
struct Gap {
    /// Its number in the window.
    at: usize,
    /// Its centre, EPSG:3857 metres.
    x: f64,
    y: f64,
}

impl Sampler<'_> {
    /// Gives values to the cells of a window of `record` that have none, as far as kernels that reach `margin` cells across
    /// and down need them and other files of the source have them. Both kinds of neighbours come in candidate order.
    pub(super) fn complete(
        &mut self,
        area: &Area,
        record: &RecordRef<'_>,
        info: &RasterInfo,
        cells: &mut Cells,
        margin: (usize, usize),
        depth: u8,
    ) -> Result<()> {
        if info.turn.is_some() && cells.has_outside() {
            // A raster around the whole world goes on at its other edge.
            read_neighbour(info, self.pool.raster(record)?.raster.as_mut(), cells)?;
        }
        let rows = self.neighbours_of(area, record, cells.has_outside());
        let mut others = Vec::new();
        for row in rows {
            if cells.is_full() {
                return Ok(());
            }
            let Some(other) = self.store.record(row) else { continue };
            let neighbour = self.pool.raster(&other)?;
            if !read_neighbour(info, neighbour.raster.as_mut(), cells)? {
                others.push(other);
            }
        }
        if others.is_empty() {
            return Ok(());
        }
        let mut gaps = self.gaps(info, cells, margin)?;
        for other in others {
            gaps.retain(|gap| cells.state[gap.at] != State::BORROWED);
            self.sample_neighbour(area, record, &other, &gaps, cells, depth)?;
        }
        Ok(())
    }

    /// The other records of the source around the area, in candidate order. Where no cell lies beyond the record, those
    /// that share area with it.
    fn neighbours_of(&self, area: &Area, record: &RecordRef<'_>, outside: bool) -> Vec<RowId> {
        let reach = kernel_reach(area.resolution(), record.pixel_size());
        let around = if outside { reach } else { 0.0 };
        let near = area.bounds.buffered(reach).intersection(&record.bounds().buffered(around));
        let mut rows = self.rows_around(&near);
        rows.retain(|&row| {
            row != record.row() && self.store.record(row).is_some_and(|r| r.source_index() == record.source_index())
        });
        rows
    }

    /// The records around a box that may reach beyond the world, in candidate order.
    pub(super) fn rows_around(&self, near: &Bounds) -> Vec<RowId> {
        let mut rows = Vec::new();
        self.store.rows_in_bounds(near, NEIGHBOURS, &mut rows);
        let half = web_mercator::HALF_WORLD;
        for (beyond, turn) in [(near.max_x > half, -web_mercator::WORLD), (near.min_x < -half, web_mercator::WORLD)] {
            if beyond {
                let moved = Bounds::new(near.min_x + turn, near.min_y, near.max_x + turn, near.max_y);
                let mut more = Vec::new();
                self.store.rows_in_bounds(&moved, NEIGHBOURS, &mut more);
                rows.extend(more);
                let records = self.store.records();
                rows.sort_unstable_by_key(|&row| records.rank.get(row as usize).copied());
                rows.dedup();
            }
        }
        rows
    }

    /// The cells without a value that kernels may need, and their places.
    fn gaps(&mut self, info: &RasterInfo, cells: &Cells, margin: (usize, usize)) -> Result<Vec<Gap>> {
        let wanted = cells.beside_values(margin);
        let Window { col, row, width, .. } = cells.window;
        let center = |&at: &usize| {
            info.transform.apply((col + (at % width) as i64) as f64 + 0.5, (row + (at / width) as i64) as f64 + 0.5)
        };
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = wanted.iter().map(center).unzip();
        self.pool.projector(&info.crs)?.to_mercator(&mut xs, &mut ys)?;
        let (half, world) = (web_mercator::HALF_WORLD, web_mercator::WORLD);
        let home = |x: f64| x - ((x + half) / world).floor() * world;
        let places = wanted.into_iter().zip(xs.into_iter().zip(ys));
        Ok(places.filter(|(_, (x, y))| (x + y).is_finite()).map(|(at, (x, y))| Gap { at, x: home(x), y }).collect())
    }

    /// Samples a neighbour of any CRS and resolution at the gaps of `cells`.
    fn sample_neighbour(
        &mut self,
        area: &Area,
        record: &RecordRef<'_>,
        other: &RecordRef<'_>,
        gaps: &[Gap],
        cells: &mut Cells,
        depth: u8,
    ) -> Result<()> {
        let bounds = other.bounds();
        let gaps: Vec<&Gap> = gaps.iter().filter(|g| bounds.contains_point(g.x, g.y)).collect();
        if gaps.is_empty() {
            return Ok(());
        }
        let info = Rc::clone(&self.pool.raster(other)?.info);
        let Some(back) = info.transform.invert() else { return Ok(()) };
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = gaps.iter().map(|g| (g.x, g.y)).unzip();
        self.pool.projector(&info.crs)?.to_crs(&mut xs, &mut ys)?;
        let (middle, _) = info.transform.apply(f64::from(info.width) / 2.0, f64::from(info.height) / 2.0);
        let mut places = Vec::new();
        for ((gap, x), y) in gaps.into_iter().zip(xs).zip(ys) {
            let x = x + info.turn.map_or(0.0, |turn| turn * ((middle - x) / turn).round());
            let (col, row) = back.apply(x, y);
            if (0.0..f64::from(info.width)).contains(&col) && (0.0..f64::from(info.height)).contains(&row) {
                places.push((gap.at, col, row));
            }
        }
        if places.is_empty() {
            return Ok(());
        }
        // A finer neighbour is averaged over the cell; a box keeps slopes where it is a whole number of cells wide.
        let whole = (record.pixel_size() / other.pixel_size()).floor();
        let how = match self.resampling {
            Resampling::Nearest => Resampling::Nearest,
            _ if whole >= 2.0 => Resampling::Average,
            _ => Resampling::Bilinear,
        };
        let kernel = Kernel::new(how, whole.max(1.0));
        let span = |of: fn(&(usize, f64, f64)) -> f64| {
            let low = places.iter().map(of).fold(f64::INFINITY, f64::min);
            let high = places.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
            (kernel.span(low).0, kernel.span(high).1)
        };
        let ((col, last_col), (row, last_row)) = (span(|p| p.1), span(|p| p.2));
        let window = Window { col, row, width: (last_col - col + 1) as usize, height: (last_row - row + 1) as usize };
        if window.len() > MAX_CELLS {
            return Ok(());
        }
        let mut theirs = Cells::outside(window);
        self.pool.raster(other)?.raster.read_into(&mut theirs)?;
        if depth > 0 && !theirs.is_full() {
            let margin = (2.0 * kernel.radius()).ceil() as usize;
            self.complete(area, other, &info, &mut theirs, (margin, margin), depth - 1)?;
        }
        for (at, col, row) in places {
            if let Some(value) = warp::sample(&theirs, (&kernel, &kernel), (col, row)) {
                (cells.values[at], cells.state[at]) = (value, State::BORROWED);
            }
        }
        Ok(())
    }
}
