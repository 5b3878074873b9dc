//! The height at a point.
//!
//! The finest tile that holds the point answers. Where the pixel that the point lies in is void, so is the answer. Else, bilinear, the
//! four pixels whose centres are nearest have the usual weights; void ones have none, and the others share it. A pixel
//! that belongs to a neighbouring tile is read there. Where the neighbour does not exist, as where fine tiles end, it is the
//! pixel of the finest coarser tile that covers it. Columns go on across the 180th meridian. Beyond the first and the last
//! row of the world there are no pixels.

use super::answers::{Height, Interpolation, Sampling, Voids};
use super::grid::{Grid, Pixels, Place, Tiles, tile_of};
use crate::error::Result;
use crate::tile::{LonLat, TileCoord};

/// The height at a point; `None` in a void and where there is no tile.
#[inline]
pub fn at<G: Grid>(grid: &G, point: LonLat, how: &Sampling) -> Result<Option<Height>> {
    match Place::of(point) {
        Some(place) => at_place(grid, place, how),
        None => Ok(None),
    }
}

/// The same, of a place on the square world.
#[inline]
pub(super) fn at_place<G: Grid>(grid: &G, place: Place, how: &Sampling) -> Result<Option<Height>> {
    for zoom in grid.shape().zooms(how) {
        let Some(found) = Found::at(grid, place, zoom)? else { continue };
        match found.height(grid, how)? {
            None if how.voids == Voids::FillFromCoarser => {}
            height => return Ok(height),
        }
    }
    Ok(None)
}

/// The tile of a zoom that holds a place, and where in the tile.
pub(super) struct Found<T> {
    pub(super) tile: T,
    pub(super) coord: TileCoord,
    /// The pixel that holds the place.
    pub(super) column: u32,
    pub(super) row: u32,
    /// The first of the four pixels around the place: -1 where that belongs to the tile before this one.
    first: [i64; 2],
    /// How far the place is behind the centre of that pixel, pixels.
    part: [f64; 2],
}

/// Of a coordinate in a world of `side` pixels: the pixel that holds it, the pixel whose centre is before it, and how far it is behind
/// that, pixels.
#[inline]
fn between(t: f64, side: u64) -> (u64, i64, f64) {
    let own = Place::pixel_of(t, side);
    let behind = t * side as f64 - 0.5;
    // Cutting off is rounding down, but for the half pixel at the beginning.
    let before = behind as i64 - i64::from(behind < 0.0);
    (own, before, behind - before as f64)
}

impl<T: Pixels + Clone> Found<T> {
    #[inline]
    pub(super) fn at<'a, G: Grid<Tile<'a> = T> + 'a>(grid: &'a G, place: Place, zoom: u8) -> Result<Option<Self>> {
        Self::at_or_in(grid, place, zoom, None)
    }

    /// The same, where `known` is a tile that was found before, perhaps this one.
    #[inline]
    pub(super) fn at_or_in<'a, G: Grid<Tile<'a> = T> + 'a>(
        grid: &'a G,
        place: Place,
        zoom: u8,
        known: Option<&(TileCoord, T)>,
    ) -> Result<Option<Self>> {
        let side = grid.shape().world(zoom);
        let ((x, west, right), (y, north, down)) = (between(place.u, side), between(place.v, side));
        let Some((coord, column, row)) = tile_of(grid.shape(), zoom, x, y) else { return Ok(None) };
        let tile = match known {
            Some((of, tile)) if *of == coord => Some(tile.clone()),
            _ => grid.tile(coord)?,
        };
        let first = [i64::from(column) - (x as i64 - west), i64::from(row) - (y as i64 - north)];
        Ok(tile.map(|tile| Self { tile, coord, column, row, first, part: [right, down] }))
    }

    /// The first and the last of the four pixels around the place, or what the tile has of them.
    #[inline]
    pub(super) fn corners(&self, size: u32) -> [[u32; 2]; 2] {
        let inside = |at: i64| at.clamp(0, i64::from(size) - 1) as u32;
        [self.first.map(inside), self.first.map(|at| inside(at + 1))]
    }

    #[inline]
    pub(super) fn height<'a, G: Grid<Tile<'a> = T>>(&self, grid: &'a G, how: &Sampling) -> Result<Option<Height>> {
        let code = match how.interpolation {
            Interpolation::Nearest => self.tile.code(self.column, self.row)?.map(f64::from),
            Interpolation::Bilinear => self.bilinear(grid)?,
        };
        let Some(code) = code else { return Ok(None) };
        let source = self.tile.source(self.column, self.row)?;
        Ok(Some(Height { metres: grid.shape().metres(code), zoom: self.coord.z(), source }))
    }

    /// The code at a place between pixels; `None` where the pixel that holds the place is void.
    #[inline]
    fn bilinear<'a, G: Grid<Tile<'a> = T>>(&self, grid: &'a G) -> Result<Option<f64>> {
        let (size, [column, row]) = (i64::from(grid.shape().size), self.first);
        let inside = 0..size - 1;
        let codes = if inside.contains(&column) && inside.contains(&row) {
            self.tile.four(column as u32, row as u32)?
        } else {
            let mut codes = [None; 4];
            for (i, code) in (0i64..).zip(&mut codes) {
                let (x, y) = (column + (i & 1), row + (i >> 1));
                *code = if (0..size).contains(&x) && (0..size).contains(&y) {
                    self.tile.code(x as u32, y as u32)?
                } else {
                    let [left, top] = [self.coord.x(), self.coord.y()].map(|at| i64::from(at) * size);
                    beside(grid, self.coord.z(), left + x, top + y)?
                };
            }
            codes
        };
        // The pixel that holds the place is one of the four.
        let own = (i64::from(self.column) - column + 2 * (i64::from(self.row) - row)) as usize;
        Ok(codes.get(own).copied().flatten().map(|_| weighted(codes, self.part)))
    }
}

/// The mean of the codes by the weights of a place between them. The pixel that holds the place is valid, and has a quarter of the
/// weight or more.
#[inline]
pub(super) fn weighted(codes: [Option<i32>; 4], [fx, fy]: [f64; 2]) -> f64 {
    if let [Some(a), Some(b), Some(c), Some(d)] = codes {
        let north = f64::from(a) + (f64::from(b) - f64::from(a)) * fx;
        let south = f64::from(c) + (f64::from(d) - f64::from(c)) * fx;
        return north + (south - north) * fy;
    }
    let weights = [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy];
    let valid = || codes.iter().zip(weights).filter_map(|(code, weight)| code.map(|code| (f64::from(code), weight)));
    valid().map(|(code, weight)| code * weight).sum::<f64>() / valid().map(|(_, weight)| weight).sum::<f64>()
}

/// A pixel of the world, of the finest tile that covers it and is no finer than its zoom; `None` where it is void, or beyond the first
/// and the last row.
pub(super) fn beside<G: Grid>(grid: &G, zoom: u8, x: i64, y: i64) -> Result<Option<i32>> {
    let shape = grid.shape();
    let side = shape.world(zoom) as i64;
    if !(0..side).contains(&y) {
        return Ok(None);
    }
    let (x, y) = (x.rem_euclid(side) as u64, y as u64);
    let Some((tile, up)) = covering(grid, zoom, x, y)? else { return Ok(None) };
    let size = u64::from(shape.size);
    tile.code(((x >> up) % size) as u32, ((y >> up) % size) as u32)
}

/// The finest tile that covers a pixel of a zoom and is no finer, and how many zooms it is coarser. One tile covers all pixels of a
/// tile's place.
pub(super) fn covering<G: Tiles>(grid: &G, zoom: u8, x: u64, y: u64) -> Result<Option<(G::Tile<'_>, u8)>> {
    let shape = grid.shape();
    for coarser in (shape.min_zoom..=zoom).rev() {
        let up = zoom - coarser;
        let Some((coord, ..)) = tile_of(shape, coarser, x >> up, y >> up) else { continue };
        if let Some(tile) = grid.tile(coord)? {
            return Ok(Some((tile, up)));
        }
    }
    Ok(None)
}
