//! The files of a source as one surface.
//!
//! A kernel at the edge of a file needs cells that the file does not have. Other files of the source have them. Those on the
//! same lattice give them cell by cell. All others (another CRS, resolution or registration) are sampled at the places of the cells. The
//! window that is sampled is itself completed once, with cells of the first file, so that a coarse file beside a fine one gives
//! both the same slope.
//!
//! Where the data of two files meet along a line that does not follow their lattices, each file's cells end up to a cell before the line.
//! So cells are left between them that neither has. Such a cell lies between two cells that different files have, and gets their mean.
//! A coast is no such line: all files have data on the same side of it.

use std::collections::BTreeMap;

use super::pool::NEIGHBOURS;
use super::reach::kernel_reach;
use super::sampler::{Area, MAX_CELLS, Sampler};
use super::voids::is_wanting;
use crate::error::Result;
use crate::raster::kernel::Kernel;
use crate::raster::{
    Cells, RasterInfo, Resampling, State, Window, lattice_offset, read_around, read_neighbour, shares_lattice, warp,
};
use crate::store::{RecordRef, RowId};
use crate::tile::{Bounds, web_mercator};

/// How often what was sampled from a neighbour is completed with its own neighbours.
pub(super) const DEPTH: u8 = 1;

/// How many files of other lattices a cell is asked of at most, for a neighbour that is sampled itself and for a file of the tile. Where
/// hundreds of files lie over one another and none has a value, each would ask all others, and these all others again.
const MOST_ASKED: [u8; DEPTH as usize + 1] = [2, 8];

/// A cell without a value, and where it lies.
struct Gap {
    /// Its number in the window.
    at: usize,
    /// Its centre, EPSG:3857 metres.
    x: f64,
    y: f64,
    /// What other files have there, where that is not all that their kernel wants.
    partial: Option<f32>,
    /// How many other files it was asked of.
    asked: u8,
}

/// A gap, and where it lies in the cells of a neighbour.
struct Place<'a> {
    gap: &'a mut Gap,
    at: (f64, f64),
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
        // A raster around the whole world continues at its other edge: on its lattice, or where a turn is no whole number of cells,
        // as a neighbour of another one.
        let own_end = info.goes_around() && lattice_offset(info, info, 1).is_none();
        if info.turn.is_some() && cells.has_outside() {
            read_around(self.pool.raster(record)?.raster.as_mut(), cells)?;
        }
        let rows = self.neighbours_of(area, record, cells.has_outside());
        // What lies around a pixel of this area is the same for all files of the source; a raster around the whole world has it at two places.
        let remembered = depth == DEPTH && !info.goes_around();
        let source = record.source_index();
        let settled = if remembered { self.pool.voids.settle(area, source, info, cells) } else { Vec::new() };
        let (mut full, mut wanting) = (cells.is_full(), is_wanting(cells, &settled));
        let (mut alike, mut others) = (Vec::new(), Vec::new());
        for row in rows {
            if full {
                return Ok(());
            }
            let Some(other) = self.store.record(row) else { continue };
            let theirs = self.pool.info(&other)?;
            if !shares_lattice(info, &theirs) {
                others.push(other);
                continue;
            }
            if wanting {
                read_neighbour(info, self.pool.raster(&other)?.raster.as_mut(), cells)?;
                (full, wanting) = (cells.is_full(), is_wanting(cells, &settled));
            }
            alike.push(other);
        }
        if remembered && !full {
            self.pool.voids.keep(area, source, info, cells);
        }
        if own_end {
            others.extend(self.store.record(record.row()));
            others.rotate_right(1);
        }
        if others.is_empty() || cells.is_full() {
            return Ok(());
        }
        // The cells around a cell tell whether it lies between two files.
        let mut wide = cells.grown(1);
        self.pool.read(record, &mut wide)?;
        if info.turn.is_some() && wide.has_outside() {
            read_around(self.pool.raster(record)?.raster.as_mut(), &mut wide)?;
        }
        for other in alike {
            read_neighbour(info, self.pool.raster(&other)?.raster.as_mut(), &mut wide)?;
        }
        // All cells that a pixel's value can hang on, so that it is the same whatever the window: one beside the kernel may be what
        // makes the pixel valid, and one beside the kernel's other end what a cell of it is interpolated from.
        let mut gaps = self.gaps(info, &wide, (margin.0 + 2, margin.1 + 2))?;
        let mut lenders = vec![0; wide.state.len()];
        for (number, other) in (1..).zip(&others) {
            self.sample_neighbour(area, record, other, &mut gaps, &mut wide, depth)?;
            for gap in gaps.extract_if(.., |gap| wide.state[gap.at] == State::BORROWED) {
                lenders[gap.at] = number;
            }
        }
        bridge(&mut wide, &lenders, &gaps);
        cells.copy_from(&wide);
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
        self.store.rows_overlapping(*near, NEIGHBOURS, &mut rows);
        let half = web_mercator::HALF_WORLD;
        for (beyond, turn) in [(near.max_x > half, -web_mercator::WORLD), (near.min_x < -half, web_mercator::WORLD)] {
            if beyond {
                let moved = Bounds::new(near.min_x + turn, near.min_y, near.max_x + turn, near.max_y);
                let mut more = Vec::new();
                self.store.rows_overlapping(moved, NEIGHBOURS, &mut more);
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
        let home = info.way_home();
        xs.iter_mut().for_each(|x| *x += home);
        self.pool.projector(&info.crs)?.to_mercator(&mut xs, &mut ys)?;
        let (half, world) = (web_mercator::HALF_WORLD, web_mercator::WORLD);
        let home = |x: f64| x - ((x + half) / world).floor() * world;
        let places = wanted.into_iter().zip(xs.into_iter().zip(ys));
        Ok(places
            .filter(|(_, (x, y))| (x + y).is_finite())
            .map(|(at, (x, y))| Gap { at, x: home(x), y, partial: None, asked: 0 })
            .collect())
    }

    /// Samples a neighbour of any CRS and resolution at the gaps of `cells`.
    fn sample_neighbour(
        &mut self,
        area: &Area,
        record: &RecordRef<'_>,
        other: &RecordRef<'_>,
        gaps: &mut [Gap],
        cells: &mut Cells,
        depth: u8,
    ) -> Result<()> {
        let bounds = other.bounds();
        let most = MOST_ASKED[usize::from(depth)];
        let open = |g: &&mut Gap| g.asked < most && bounds.contains_point(g.x, g.y);
        let gaps: Vec<&mut Gap> = gaps.iter_mut().filter(open).collect();
        if gaps.is_empty() {
            return Ok(());
        }
        let info = self.pool.info(other)?;
        let Some(back) = info.transform.invert() else { return Ok(()) };
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = gaps.iter().map(|g| (g.x, g.y)).unzip();
        self.pool.projector(&info.crs)?.to_crs(&mut xs, &mut ys)?;
        let (middle, _) = info.transform.apply(f64::from(info.width) / 2.0, f64::from(info.height) / 2.0);
        let holds = |(col, row): (f64, f64)| {
            (0.0..f64::from(info.width)).contains(&col) && (0.0..f64::from(info.height)).contains(&row)
        };
        // On one side of a raster's seam, and on the other.
        let mut sides: BTreeMap<i64, Vec<Place>> = BTreeMap::new();
        let mut first = None;
        for ((gap, x), y) in gaps.into_iter().zip(xs).zip(ys) {
            let x = x + info.turn.map_or(0.0, |turn| turn * ((middle - x) / turn).round());
            let at = info.held(back.apply(x, y));
            if holds(at) {
                gap.asked += 1;
                let turns = info.turns_between(*first.get_or_insert(at), at);
                sides.entry(turns as i64).or_default().push(Place { gap, at });
            }
        }
        for places in sides.into_values() {
            self.sample_places(area, (record, other), &info, places, cells, depth)?;
        }
        Ok(())
    }

    /// Samples a neighbour at places in its own cells that lie near one another.
    fn sample_places(
        &mut self,
        area: &Area,
        (record, other): (&RecordRef<'_>, &RecordRef<'_>),
        info: &RasterInfo,
        places: Vec<Place>,
        cells: &mut Cells,
        depth: u8,
    ) -> Result<()> {
        // A finer neighbour is averaged over the cell; a box keeps slopes where it is a whole number of cells wide.
        let whole = (record.pixel_size() / other.pixel_size()).floor();
        let how = match self.resampling {
            Resampling::Nearest => Resampling::Nearest,
            _ if whole >= 2.0 => Resampling::Average,
            _ => Resampling::Bilinear,
        };
        let kernel = Kernel::new(how, whole.max(1.0));
        let span = |of: fn(&Place) -> f64| {
            let low = places.iter().map(of).fold(f64::INFINITY, f64::min);
            let high = places.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
            (kernel.span(low).0, kernel.span(high).1)
        };
        let ((col, last_col), (row, last_row)) = (span(|p| p.at.0), span(|p| p.at.1));
        let window = Window { col, row, width: (last_col - col + 1) as usize, height: (last_row - row + 1) as usize };
        if window.len() > MAX_CELLS {
            return Ok(());
        }
        let mut theirs = Cells::outside(window);
        self.pool.read(other, &mut theirs)?;
        if depth > 0 && !theirs.is_full() {
            let margin = (2.0 * kernel.radius()).ceil() as usize;
            self.complete(area, other, info, &mut theirs, (margin, margin), depth - 1)?;
        }
        for Place { gap, at } in places {
            match warp::sample(&theirs, (&kernel, &kernel), at) {
                Some((value, true)) => (cells.values[gap.at], cells.state[gap.at]) = (value, State::BORROWED),
                Some((value, false)) => gap.partial = gap.partial.or(Some(value)),
                None => {}
            }
        }
        Ok(())
    }
}

/// Gives values to the cells that no file has wholly: between cells of two files the mean of these, so that a plane is kept; else
/// what there is of a file. `lenders` are numbers of files, 0 for the window's own.
fn bridge(cells: &mut Cells, lenders: &[u32], gaps: &[Gap]) {
    let found: Vec<(usize, f32, u8)> = gaps
        .iter()
        .filter_map(|gap| match (across(cells, lenders, gap.at), gap.partial) {
            (Some((value, true)), None) => Some((gap.at, value, State::BRIDGED)),
            (Some((value, _)), _) | (None, Some(value)) => Some((gap.at, value, State::BORROWED)),
            (None, None) => None,
        })
        .collect();
    for (at, value, state) in found {
        (cells.values[at], cells.state[at]) = (value, state);
    }
}

/// The mean of the cells that lie opposite of each other beside one and come from different files, and whether one of these is the
/// window's own; `None` where there are no such cells.
fn across(cells: &Cells, lenders: &[u32], at: usize) -> Option<(f32, bool)> {
    let (width, height) = (cells.window.width, cells.window.height);
    let (x, y) = (at % width, at / width);
    if x == 0 || y == 0 || x + 1 >= width || y + 1 >= height {
        return None;
    }
    let (mut sum, mut count, mut own) = (0.0, 0.0, false);
    for step in [1, width, width - 1, width + 1] {
        let (a, b) = (at - step, at + step);
        if State::has_value(cells.state[a]) && State::has_value(cells.state[b]) && lenders[a] != lenders[b] {
            sum += f64::from(cells.values[a]) + f64::from(cells.values[b]);
            count += 2.0;
            own |= lenders[a] == 0 || lenders[b] == 0;
        }
    }
    (count > 0.0).then(|| ((sum / count) as f32, own))
}
