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

/// A window of cells after all files of its lattice were asked.
struct Asked {
    area: (Bounds, u32),
    source: u16,
    /// The raster whose columns and rows the window counts.
    info: Rc<RasterInfo>,
    window: Window,
    state: Vec<u8>,
}

/// What is remembered of the areas made last.
#[derive(Default)]
pub(super) struct Voids {
    asked: Vec<Asked>,
}

impl Voids {
    /// Remembers the cells that have no value although all files of the source on the lattice of `info` were asked.
    pub(super) fn keep(&mut self, area: &Area, source: u16, info: &RasterInfo, cells: &Cells) {
        if self.asked.len() == MOST {
            self.asked.remove(0);
        }
        let (area, info) = ((area.bounds, area.size), Rc::new(info.clone()));
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
