//! Cells that no file of a source has a value for.
//!
//! Where thousands of files overlap, each would ask all others for the cells that it does not have, although the first one found that
//! no file has them. What the files of a lattice hold together does not depend on which of them is asked first. So it is remembered
//! while pixels of the same area are made.

use std::rc::Rc;

use super::sampler::Area;
use crate::raster::{Cells, RasterInfo, State, Window, lattice_offset};
use crate::tile::Bounds;

/// Windows that are remembered at most: one a lattice, and one a strip where rasters are read in strips.
const MOST: usize = 4;

/// Cells that a remembered window grows to at most.
const MOST_CELLS: usize = 1 << 23;

/// A window of cells after all files of its lattice were asked. Files that lie beside one another make it grow; a cell that nobody asked
/// for counts as one with a value.
struct Asked {
    area: (Bounds, u32),
    source: u16,
    /// The raster whose columns and rows the window counts.
    info: Rc<RasterInfo>,
    window: Window,
    state: Vec<u8>,
}

impl Asked {
    /// Takes in what another file of the lattice found. False where it is no file of this lattice, or the window would be too large.
    fn take_in(&mut self, area: (Bounds, u32), source: u16, info: &RasterInfo, cells: &Cells) -> bool {
        if self.area != area || self.source != source {
            return false;
        }
        let Some((dc, dr)) = lattice_offset(info, &self.info, 0) else { return false };
        let (old, mut new) = (self.window, cells.window);
        (new.col, new.row) = (new.col - dc, new.row - dr);
        let (col, row) = (old.col.min(new.col), old.row.min(new.row));
        let end = |start: i64, length: usize| start + length as i64;
        let width = end(old.col, old.width).max(end(new.col, new.width)) - col;
        let height = end(old.row, old.height).max(end(new.row, new.height)) - row;
        if width as i128 * height as i128 > MOST_CELLS as i128 {
            return false;
        }
        let whole = Window { col, row, width: width as usize, height: height as usize };
        if whole != old {
            let before = std::mem::replace(&mut self.state, vec![State::VALID; whole.len()]);
            self.window = whole;
            self.mark(old, &before);
        }
        self.mark(new, &cells.state);
        true
    }

    /// Marks the cells without a value of a window that lies within.
    fn mark(&mut self, window: Window, state: &[u8]) {
        let from =
            (window.row - self.window.row) as usize * self.window.width + (window.col - self.window.col) as usize;
        for (y, line) in state.chunks_exact(window.width.max(1)).enumerate() {
            for (own, &state) in self.state[from + y * self.window.width..].iter_mut().zip(line) {
                if !State::has_value(state) {
                    *own = state;
                }
            }
        }
    }
}

/// What is remembered of the areas made last.
#[derive(Default)]
pub(super) struct Voids {
    asked: Vec<Asked>,
}

impl Voids {
    /// Remembers the cells that have no value although all files of the source on the lattice of `info` were asked.
    pub(super) fn keep(&mut self, area: &Area, source: u16, info: &RasterInfo, cells: &Cells) {
        let area = (area.bounds, area.size);
        if self.asked.iter_mut().any(|asked| asked.take_in(area, source, info, cells)) {
            return;
        }
        if self.asked.len() == MOST {
            self.asked.remove(0);
        }
        let info = Rc::new(info.clone());
        self.asked.push(Asked { area, source, info, window: cells.window, state: cells.state.clone() });
    }

    /// Gives the cells without a value, which no file has, the state that all files together gave them. True for these; empty where
    /// nothing is known.
    pub(super) fn settle(&self, area: &Area, source: u16, info: &RasterInfo, cells: &mut Cells) -> Vec<bool> {
        let mut settled = Vec::new();
        for asked in &self.asked {
            if asked.area != (area.bounds, area.size) || asked.source != source {
                continue;
            }
            let Some((dc, dr)) = lattice_offset(info, &asked.info, 0) else { continue };
            settled.resize(cells.state.len(), false);
            let Window { col, row, width, height } = cells.window;
            for y in 0..height {
                let line = row + y as i64 - dr - asked.window.row;
                let Some(line) = usize::try_from(line).ok().filter(|&line| line < asked.window.height) else {
                    continue;
                };
                for x in 0..width {
                    let at = y * width + x;
                    let place = usize::try_from(col + x as i64 - dc - asked.window.col);
                    let Some(place) = place.ok().filter(|&place| place < asked.window.width) else { continue };
                    let state = asked.state[line * asked.window.width + place];
                    if !State::has_value(state) && !State::has_value(cells.state[at]) {
                        settled[at] = true;
                        if cells.state[at] == State::OUTSIDE {
                            cells.state[at] = state;
                        }
                    }
                }
            }
        }
        settled
    }

    /// Forgets all: rasters may change from here on.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
    }
}

/// True where a cell has no value and is not settled: another file may have one.
pub(super) fn is_wanting(cells: &Cells, settled: &[bool]) -> bool {
    cells
        .state
        .iter()
        .enumerate()
        .any(|(at, &state)| !State::has_value(state) && !settled.get(at).copied().unwrap_or(false))
}
