//! Tiles over the line where a raster around the world begins and ends.
//!
//! Pixels on one side of the seam lie at one edge of the raster, those on the other side at the other edge, so one window for
//! both would be as wide as the world. Each side gets its own window.

use super::pixel_map::rounded;
use super::warp::inside;
use super::{PixelMap, RasterInfo};

impl PixelMap {
    /// Moves positions just beyond one edge of a raster around the world to the other one: a centre on the seam, or as near as
    /// positions are rounded.
    pub(super) fn hold(&mut self, info: &RasterInfo) {
        if !info.goes_around() {
            return;
        }
        match self {
            Self::Separable { cols, .. } => {
                for col in cols.iter_mut().filter(|col| !inside(**col, info.width)) {
                    *col = rounded(info.held((*col, 0.0)).0);
                }
            }
            Self::Grid { cols, rows } => {
                for (col, row) in cols.iter_mut().zip(rows) {
                    if !inside(*col, info.width) || !inside(*row, info.height) {
                        let (c, r) = info.held((*col, *row));
                        (*col, *row) = (rounded(c), rounded(r));
                    }
                }
            }
        }
    }

    /// The map by sides of the raster's seam, each with the pixels of one side alone (the others are NaN); `None` where all pixels in
    /// the raster lie on one side. `side` pixels make a row.
    #[must_use]
    pub fn sides(&self, side: usize, info: &RasterInfo) -> Option<Vec<Self>> {
        if !info.may_hold_a_seam() || side == 0 {
            return None;
        }
        let place = |at: usize| match self {
            Self::Separable { cols, rows } => (cols[at], rows.first().copied().unwrap_or(0.0)),
            Self::Grid { cols, rows } => (cols[at], rows[at]),
        };
        let holds = |at: usize| match self {
            Self::Separable { cols, .. } => inside(cols[at], info.width),
            Self::Grid { cols, rows } => inside(cols[at], info.width) && inside(rows[at], info.height),
        };
        let count = match self {
            Self::Separable { cols, .. } | Self::Grid { cols, .. } => cols.len(),
        };
        let middle = match self {
            Self::Separable { .. } => side / 2,
            Self::Grid { .. } => (count / side / 2) * side + side / 2,
        };
        // Everything in a tile is less than half a turn from its centre; where that has no place, from any pixel.
        let known = |at: &usize| (place(*at).0 + place(*at).1).is_finite();
        let center = place(Some(middle).filter(known).or_else(|| (0..count).find(known))?);
        let turns: Vec<Option<i64>> =
            (0..count).map(|at| holds(at).then(|| info.turns_between(center, place(at)) as i64)).collect();
        let mut all: Vec<i64> = turns.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        if all.len() < 2 {
            return None;
        }
        let only = |wanted: i64| {
            let mut part = self.clone();
            let (Self::Separable { cols, .. } | Self::Grid { cols, .. }) = &mut part;
            for (col, turns) in cols.iter_mut().zip(&turns) {
                if *turns != Some(wanted) {
                    *col = f64::NAN;
                }
            }
            part
        };
        Some(all.into_iter().map(only).collect())
    }
}
