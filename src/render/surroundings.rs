//! Tiles that depend on what lies around them: soft borders between sources, and small voids.
//!
//! The tile is sampled with as much of its surroundings as can matter, one source after another, and only its own pixels
//! are kept. So what a pixel becomes depends on the tile alone, and neighbouring tiles agree at their edge. Records that are finer
//! than the tile, which come in through finer tiles, are not read: where they lie is no border of their source.

use std::collections::BTreeMap;
use std::ops::Range;

use super::RenderOptions;
use super::sampler::{Area, Drawn, Sampler};
use crate::error::{Error, Result};
use crate::store::{RecordRef, RowId, Store};
use crate::terrain::{Composite, ElevationTile, INTERPOLATED, fill_gaps, weights};
use crate::tile::{Bounds, TileCoord, web_mercator};

/// The widest blend, in pixels of the finest tiles.
const MOST_BLEND: f64 = 256.0;
/// The widest void that is filled, in pixels.
const MOST_GAP: u32 = 256;
/// Surroundings grow in steps of the blocks that positions are interpolated in, so that the tile's own stay the same.
const BLOCK: u32 = 64;

impl RenderOptions {
    /// True where a tile depends on what lies around it.
    pub(super) fn looks_around(&self) -> bool {
        self.blend > 0.0 || self.fill_gaps > 0
    }

    /// How far around a tile values can matter, in pixels of `resolution` metres: a pixel's weight depends on borders within
    /// the blend's distance, and whether these are borders on as much again.
    pub(super) fn surroundings(&self, resolution: f64) -> u32 {
        let blend = (2.0 * self.blend / resolution).ceil() as u32;
        let gaps = if self.fill_gaps > 0 { self.fill_gaps + 2 } else { 0 };
        blend.saturating_add(gaps)
    }

    /// Refuses options that don't go together, or would need more surroundings than a worker may hold.
    ///
    /// # Errors
    /// Naming the option, and what is possible.
    pub fn check(&self, store: &Store) -> Result<()> {
        self.codec.check()?;
        check_blend(self.blend)?;
        check_gaps(self.fill_gaps)?;
        if self.blend > 0.0 {
            let native = store.records().native_zoom.iter().copied().max().unwrap_or(0);
            let zoom = native.max(self.extent.zooms.max);
            let most = MOST_BLEND * web_mercator::resolution(zoom, store.tile_size());
            if self.blend > most {
                let problem = format!(
                    "is {} m; at zoom {zoom} at most {most:.0} m ({MOST_BLEND} pixels) are possible",
                    self.blend
                );
                return Err(Error::argument("blend", problem));
            }
        }
        Ok(())
    }
}

/// Refuses what is no distance.
///
/// # Errors
/// Naming the option, and what is possible.
pub fn check_blend(metres: f64) -> Result<()> {
    if metres.is_finite() && metres >= 0.0 {
        return Ok(());
    }
    Err(Error::argument("blend", "must be a number of metres from 0 on"))
}

/// Refuses voids that are wider than a worker may look around a tile.
///
/// # Errors
/// Naming the option, and what is possible.
pub fn check_gaps(pixels: u32) -> Result<()> {
    if pixels <= MOST_GAP {
        return Ok(());
    }
    Err(Error::argument("fill_gaps", format!("is {pixels} pixels; at most {MOST_GAP} are possible")))
}

impl Sampler<'_> {
    /// As [`fill`](Self::fill), with soft borders and small voids filled.
    pub(super) fn fill_wide(
        &mut self,
        tile: TileCoord,
        options: &RenderOptions,
        out: &mut ElevationTile,
        lineage: Option<&mut [u8]>,
    ) -> Result<()> {
        let resolution = Area::of(tile, out.size).resolution();
        let margin = options.surroundings(resolution).next_multiple_of(BLOCK);
        let size = out.size + 2 * margin;
        let area = Area { tile, bounds: tile.bounds().buffered(f64::from(margin) * resolution), size };
        let by_source = self.rows_by_source(&area.bounds);
        let alone = by_source.len() == 1;
        // The tile, and what its small voids may be filled from: only there heights and weights matter.
        let rim = margin - if options.fill_gaps > 0 { options.fill_gaps + 2 } else { 0 };
        let seen = |at: usize| {
            let within = |v: usize| (rim as usize..(size - rim) as usize).contains(&v);
            within(at % size as usize) && within(at / size as usize)
        };
        let pixels = size as usize * size as usize;
        let mut composite = Composite::new(pixels);
        let outside: Vec<bool> = (0..pixels).map(|at| is_beyond(&area, at)).collect();
        let mut unread = outside.clone();
        // Records that only the surroundings of the tile get something from are not counted.
        let (wide, side) = (size as usize, out.size as usize);
        let own = |at: usize| {
            let (x, y) = ((at % wide).checked_sub(margin as usize)?, (at / wide).checked_sub(margin as usize)?);
            (x < side && y < side).then_some(y * side + x)
        };
        let wanted: Vec<bool> = (0..pixels).map(|at| own(at).is_some_and(|at| out.valid[at] == 0)).collect();
        for rows in by_source.into_values() {
            let mut plane = ElevationTile::empty(size);
            let mut source = 0;
            let mut beyond = outside.clone();
            let mut counting: Vec<u8> = (0..pixels).map(|at| u8::from(!wanted[at] || !composite.is_open(at))).collect();
            for row in rows {
                let Some(record) = self.store.record(row) else { continue };
                // Sources beyond the palette are refused before a run with lineage starts.
                source = record.source_index().min(253) as u8;
                if record.native_zoom() > tile.z() {
                    for copy in copies(&area) {
                        mark(&copy.area, &record.bounds(), &mut beyond);
                        mark(&copy.area, &record.bounds(), &mut unread);
                    }
                    continue;
                }
                self.draw_around(&area, &record, &mut plane, &counting)?;
                counting.iter_mut().zip(&plane.valid).for_each(|(done, valid)| *done |= valid);
                if plane.is_full() {
                    break;
                }
            }
            if (0..pixels).all(|at| plane.valid[at] == 0 || !seen(at)) {
                continue;
            }
            let distance = if alone { 0.0 } else { options.blend / resolution };
            composite.add(&plane, &weights(&plane, distance, |at| beyond[at]), source);
            if composite.is_closed() {
                break;
            }
        }
        let (mut wide, mut sources) = composite.finish(size);
        fill_gaps(&mut wide, options.fill_gaps as usize, |at| unread[at], |at| sources[at] = INTERPOLATED);
        take_middle(&wide, &sources, out, lineage);
        Ok(())
    }

    /// The records in a box, by the priority of their source.
    fn rows_by_source(&mut self, bounds: &Bounds) -> BTreeMap<u16, Vec<RowId>> {
        let mut by_source: BTreeMap<u16, Vec<RowId>> = BTreeMap::new();
        for row in self.rows_around(bounds) {
            if let Some(record) = self.store.record(row) {
                by_source.entry(record.priority()).or_default().push(row);
            }
        }
        by_source
    }
}

/// Gives a tile the heights that it lacks, and their sources, from the middle of a plane that reaches as far beyond it on all sides.
fn take_middle(wide: &ElevationTile, sources: &[u8], out: &mut ElevationTile, mut lineage: Option<&mut [u8]>) {
    let (side, width) = (out.size as usize, wide.size as usize);
    let margin = (width - side) / 2;
    for at in 0..side * side {
        let from = (at / side + margin) * width + at % side + margin;
        if out.valid[at] == 0 && wide.valid[from] == 1 {
            (out.values[at], out.valid[at]) = (wide.values[from], 1);
            if let Some(plane) = &mut lineage {
                plane[at] = sources[from];
            }
        }
    }
}

impl Sampler<'_> {
    /// Draws a record into an area that may reach across the 180th meridian, where the world goes on. What it gives to the pixels that
    /// are 0 in `counting` is counted.
    fn draw_around(
        &mut self,
        area: &Area,
        record: &RecordRef<'_>,
        plane: &mut ElevationTile,
        counting: &[u8],
    ) -> Result<()> {
        let copies = copies(area);
        let mut drawn = Drawn::default();
        if copies.len() == 1 {
            drawn = self.draw_uncounted(area, record, plane, None, Some(counting))?;
            self.count(record, drawn);
            return Ok(());
        }
        let side = area.size as usize;
        // What lies in another copy of the world counts as done while this one is drawn.
        let only = |columns: &Range<usize>, of: &[u8]| {
            let mut done = vec![1; of.len()];
            for (line, old) in done.chunks_exact_mut(side).zip(of.chunks_exact(side)) {
                line[columns.clone()].copy_from_slice(&old[columns.clone()]);
            }
            done
        };
        for Copy { area, columns } in copies {
            if !record.bounds().overlaps(&area.bounds) {
                continue;
            }
            let mine = only(&columns, &plane.valid);
            let before = std::mem::replace(&mut plane.valid, mine);
            drawn += self.draw_uncounted(&area, record, plane, None, Some(&only(&columns, counting)))?;
            for (line, old) in plane.valid.chunks_exact_mut(side).zip(before.chunks_exact(side)) {
                line[..columns.start].copy_from_slice(&old[..columns.start]);
                line[columns.end..].copy_from_slice(&old[columns.end..]);
            }
        }
        self.count(record, drawn);
        Ok(())
    }
}

/// An area as it lies in one copy of the world, and its columns whose centres are in there.
struct Copy {
    area: Area,
    columns: Range<usize>,
}

/// The copies of the world that an area has columns in: one, but for those across the 180th meridian.
fn copies(area: &Area) -> Vec<Copy> {
    let (half, world) = (web_mercator::HALF_WORLD, web_mercator::WORLD);
    let (side, step) = (area.size as usize, area.resolution());
    let found = [0.0, -1.0, 1.0].into_iter().map(|turn| {
        let bounds = area.bounds;
        let moved = if turn == 0.0 {
            bounds
        } else {
            Bounds::new(bounds.min_x - turn * world, bounds.min_y, bounds.max_x - turn * world, bounds.max_y)
        };
        // Edges of the world are edges of pixels.
        let column = |x: f64| ((x - moved.min_x) / step).round().clamp(0.0, side as f64) as usize;
        Copy { area: Area { bounds: moved, ..*area }, columns: column(-half)..column(half) }
    });
    found.filter(|copy| !copy.columns.is_empty()).collect()
}

/// Marks the pixels of an area that a box has a part of.
fn mark(area: &Area, bounds: &Bounds, out: &mut [bool]) {
    let (side, step) = (area.size as usize, area.resolution());
    let span = |low: f64, high: f64| {
        let edge = |v: f64| v.clamp(0.0, side as f64) as usize;
        edge((low / step).floor())..edge((high / step).ceil())
    };
    let columns = span(bounds.min_x - area.bounds.min_x, bounds.max_x - area.bounds.min_x);
    for row in span(area.bounds.max_y - bounds.max_y, area.bounds.max_y - bounds.min_y) {
        out[row * side..][columns.clone()].fill(true);
    }
}

/// True for a pixel whose centre lies north or south of the square world, or more than a turn around it away.
fn is_beyond(area: &Area, at: usize) -> bool {
    let (side, step) = (area.size as usize, area.resolution());
    let x = area.bounds.min_x + ((at % side) as f64 + 0.5) * step;
    let y = area.bounds.max_y - ((at / side) as f64 + 0.5) * step;
    x.abs() > web_mercator::HALF_WORLD + web_mercator::WORLD || y.abs() > web_mercator::HALF_WORLD
}
