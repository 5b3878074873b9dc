//! Tiles at finer zooms than there are.

use super::at::{covering, weighted};
use super::grid::{Pixels as _, Tiles};
use crate::error::Result;
use crate::tile::TileCoord;

/// Where the centre of a finer pixel lies among pixels of a coarser zoom.
#[derive(Clone, Copy)]
struct Spot {
    /// The pixel that holds it, in the window.
    own: usize,
    /// The last pixel whose centre is not behind it.
    before: usize,
    /// How far it is behind that centre, pixels.
    part: f64,
}

/// The spots of the pixels along one side of a tile, and the first pixel of the window and the one behind its last. `first` is the first pixel of the tile, `up` how
/// many zooms the window's pixels are coarser.
fn spots(first: u64, size: u32, up: u8) -> (Vec<Spot>, i64, i64) {
    let start = (first >> up) as i64 - 1;
    let end = ((first + u64::from(size) - 1) >> up) as i64 + 2;
    let spot = |at: u64| {
        let own = ((at >> up) as i64 - start) as usize;
        // Twice the place, so that a half is whole: exact in an f64.
        let inside = ((at & ((1 << up) - 1)) * 2 + 1) as f64 / (2u64 << up) as f64;
        match inside < 0.5 {
            true => Spot { own, before: own - 1, part: inside + 0.5 },
            false => Spot { own, before: own, part: inside - 0.5 },
        }
    };
    ((first..first + u64::from(size)).map(spot).collect(), start, end)
}

/// The heights of the pixels of a tile at their centres, metres, out of the pixels of a coarser `zoom`, by the rule of [`at`](super::at): bilinear; none where
/// the pixel that holds the centre has none; from coarser tiles where those of `zoom` end. Row by row; what has no height is 0, and 0 in the second list.
///
/// Asks for each tile of `zoom` that the pixels touch once.
///
/// # Errors
/// Where a tile can't be read.
pub(crate) fn finer<G: Tiles>(grid: &G, zoom: u8, tile: TileCoord) -> Result<(Vec<f32>, Vec<u8>)> {
    let shape = grid.shape();
    let (size, up) = (shape.size, tile.z() - zoom);
    let first = |at: u32| u64::from(at) * u64::from(size);
    let (columns, west, east) = spots(first(tile.x()), size, up);
    let (rows, north, south) = spots(first(tile.y()), size, up);
    let (window, width) = (codes(grid, zoom, [west, north], [east, south])?, (east - west) as usize);
    let pixels = size as usize * size as usize;
    let (mut heights, mut valid) = (Vec::with_capacity(pixels), Vec::with_capacity(pixels));
    for row in &rows {
        for column in &columns {
            let there = window[row.own * width + column.own].is_some();
            let at = row.before * width + column.before;
            let four = [window[at], window[at + 1], window[at + width], window[at + width + 1]];
            heights.push(if there { shape.metres(weighted(four, [column.part, row.part])) as f32 } else { 0.0 });
            valid.push(u8::from(there));
        }
    }
    Ok((heights, valid))
}

/// The codes of the pixels of a zoom from one to before another, row by row; columns go around the world.
fn codes<G: Tiles>(grid: &G, zoom: u8, [west, north]: [i64; 2], [east, south]: [i64; 2]) -> Result<Vec<Option<i32>>> {
    let shape = grid.shape();
    let (side, size) = (shape.world(zoom) as i64, i64::from(shape.size));
    let width = (east - west) as usize;
    let mut out = vec![None; width * (south - north) as usize];
    // The pixels that lie in one tile's place are of one tile, or of none.
    let place_end = |at: i64, end: i64| ((at.div_euclid(size) + 1) * size).min(end);
    let mut y = north.max(0);
    while y < south.min(side) {
        let bottom = place_end(y, south.min(side));
        let mut x = west;
        while x < east {
            let right = place_end(x, east);
            let on_the_world = |x: i64| x.rem_euclid(side) as u64;
            if let Some((tile, up)) = covering(grid, zoom, on_the_world(x), y as u64)? {
                let inside = |at: u64| ((at >> up) % size as u64) as u32;
                for row in y..bottom {
                    let line = (row - north) as usize * width;
                    for column in x..right {
                        out[line + (column - west) as usize] =
                            tile.code(inside(on_the_world(column)), inside(row as u64))?;
                    }
                }
            }
            x = right;
        }
        y = bottom;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heights::tests::made_up;
    use crate::heights::{HeightQueries, Sampling};
    use crate::tile::web_mercator;

    /// All tiles are asked of the world by points: between tiles, at holes, voids, the 180th meridian and the first row.
    #[test]
    fn pixels_are_what_the_height_at_their_centre_is() {
        for size in [16, 48] {
            let heights = made_up(size);
            for (zoom, z, x, y) in [
                (3, 4, 0, 0),
                (3, 4, 15, 7),
                (4, 5, 30, 13),
                (4, 6, 0, 26),
                (5, 7, 127, 54),
                (6, 7, 127, 53),
                (2, 9, 77, 130),
            ] {
                let tile = TileCoord::new(z, x, y).unwrap();
                let (values, valid) = finer(&heights, zoom, tile).unwrap();
                let how = Sampling::default().up_to_zoom(zoom);
                for (i, (value, valid)) in values.iter().zip(&valid).enumerate() {
                    let (column, row) = (i as u32 % size, i as u32 / size);
                    let b = tile.bounds();
                    let part = |at: u32| (f64::from(at) + 0.5) / f64::from(size);
                    let (lon, lat) =
                        web_mercator::to_lon_lat(b.min_x + part(column) * b.width(), b.max_y - part(row) * b.height());
                    let found = heights.sample(crate::tile::LonLat::new(lon, lat).unwrap(), &how).unwrap();
                    let found = found.filter(|found| found.zoom == zoom);
                    if Tiles::tile(&heights, tile.ancestor(zoom).unwrap()).unwrap().is_none() {
                        continue;
                    }
                    assert_eq!(*valid == 1, found.is_some(), "{tile} {column} {row}");
                    let off = found.map_or(0.0, |found| (found.metres - f64::from(*value)).abs());
                    assert!(off < 0.01, "{tile} {column} {row}: {value}, {found:?}");
                }
            }
        }
    }
}
