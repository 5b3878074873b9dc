//! Tests of `warp.rs` without GDAL: planes, edges, nodata, and files cut in two.

use super::super::info::tests::info;
use super::super::pixel_map::tests::By;
use super::super::{GeoTransform, Raster, read_neighbour};
use super::*;
use crate::error::Result;
use crate::tile::Bounds;

const STRAIGHT: By = By(|x, y| (x, y));
const TURNED: By = By(|x, y| (x * 0.8 - y * 0.6, x * 0.6 + y * 0.8));

/// A raster in memory; NaN is nodata.
struct Memory {
    info: RasterInfo,
    cells: Vec<f32>,
}

impl Memory {
    fn new(west: f64, north: f64, cell: f64, width: u32, height: u32, value: impl Fn(f64, f64) -> f32) -> Self {
        let info = info(GeoTransform::north_up(west, north, cell, cell), width, height);
        let at = |i: u32| info.transform.apply(f64::from(i % width) + 0.5, f64::from(i / width) + 0.5);
        let cells = (0..width * height).map(|i| value(at(i).0, at(i).1)).collect();
        Self { info, cells }
    }
}

impl Raster for Memory {
    fn info(&self) -> &RasterInfo {
        &self.info
    }

    fn read_into(&mut self, cells: &mut Cells) -> Result<()> {
        let Some(part) = cells.window.clip(self.info.width, self.info.height) else { return Ok(()) };
        cells.fill(part, |i| {
            let (row, col) = (part.row as usize + i / part.width, part.col as usize + i % part.width);
            Some(self.cells[row * self.info.width as usize + col])
        });
        Ok(())
    }
}

/// A tile that is being made.
struct Tile {
    bounds: Bounds,
    size: u32,
    values: Vec<f32>,
    valid: Vec<u8>,
    lineage: Vec<u8>,
}

impl Tile {
    fn new(bounds: Bounds, size: u32) -> Self {
        let n = (size * size) as usize;
        Self { bounds, size, values: vec![0.0; n], valid: vec![0; n], lineage: vec![9; n] }
    }

    /// Adds `raster`, with `neighbours` around it.
    fn add(
        &mut self,
        raster: &mut Memory,
        neighbours: &mut [&mut Memory],
        by: &By,
        how: Resampling,
        number: u8,
    ) -> usize {
        let info = raster.info.clone();
        let map = pixel_map(&self.bounds, self.size, &info, by).unwrap();
        let scale = pixel_scale(&map, self.size, &info);
        let Some(window) = source_window(&map, &info, how, scale) else { return 0 };
        let mut cells = Cells::outside(window);
        raster.read_into(&mut cells).unwrap();
        for neighbour in neighbours {
            assert!(read_neighbour(&info, *neighbour, &mut cells).unwrap());
        }
        let mark = Some((&mut self.lineage[..], number));
        resample(&map, self.size, &cells, &info, how, scale, &mut self.values, &mut self.valid, mark)
    }

    /// The centre of a pixel.
    fn center(&self, at: usize) -> (f64, f64) {
        let metres = self.bounds.width() / f64::from(self.size);
        let (x, y) = (at % self.size as usize, at / self.size as usize);
        (self.bounds.min_x + (x as f64 + 0.5) * metres, self.bounds.max_y - (y as f64 + 0.5) * metres)
    }
}

fn plane(x: f64, y: f64) -> f32 {
    (100.0 + x * 0.25 - y * 0.5) as f32
}

#[test]
fn a_tilted_plane_is_reproduced() {
    // Cells of 4 m under pixels of 2, 4 and 8 m; inside by more than any kernel reaches.
    for by in [STRAIGHT, TURNED] {
        for how in [Resampling::Bilinear, Resampling::Cubic] {
            for pixel in [2.0, 4.0, 8.0] {
                let half = pixel * 32.0;
                let mut tile = Tile::new(Bounds::new(-half, -half, half, half), 64);
                let mut raster = Memory::new(-1024.0, 1024.0, 4.0, 512, 512, plane);
                assert_eq!(tile.add(&mut raster, &mut [], &by, how, 3), 64 * 64);
                for at in 0..64 * 64 {
                    let (x, y) = tile.center(at);
                    let (x, y) = (by.0)(x, y);
                    let error = (f64::from(tile.values[at]) - f64::from(plane(x, y))).abs();
                    // 2^-17 cells of rounding, 4 m a cell, half a metre a metre; and the f32.
                    assert!(error < 6e-5, "{how} {pixel}: {error}");
                }
                assert!(tile.lineage.iter().all(|&m| m == 3));
            }
        }
    }
}

#[test]
fn two_files_of_one_lattice_are_one_file_to_the_bit() {
    let wavy =
        |x: f64, y: f64| if (x * 7.0 + y).sin() > 0.97 { f32::NAN } else { ((x / 9.0).sin() * 50.0 + y / 3.0) as f32 };
    for by in [STRAIGHT, TURNED] {
        for how in Resampling::ALL {
            for pixel in [1.5, 2.0, 7.0] {
                let bounds = Bounds::new(-pixel * 48.0, -pixel * 48.0, pixel * 48.0, pixel * 48.0);
                let mut whole = Tile::new(bounds, 96);
                let count = whole.add(&mut Memory::new(-90.0, 120.0, 2.0, 100, 130, wavy), &mut [], &by, how, 0);
                let mut west = Memory::new(-90.0, 120.0, 2.0, 45, 130, wavy);
                let mut east = Memory::new(0.0, 120.0, 2.0, 55, 130, wavy);
                let mut cut = Tile::new(bounds, 96);
                let one = cut.add(&mut west, &mut [&mut east], &by, how, 0);
                let two = cut.add(&mut east, &mut [&mut west], &by, how, 1);
                assert!(one > 100 && two > 100, "{how} {pixel}");
                assert_eq!(one + two, count, "{how} {pixel}");
                assert_eq!(cut.valid, whole.valid, "{how} {pixel}");
                let bits = |tile: &Tile| tile.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&cut), bits(&whole), "{how} {pixel}");
            }
        }
    }
}

#[test]
fn a_raster_fills_just_the_pixels_whose_centres_it_holds() {
    // The eastern edge goes through pixel centres: half-open, so it does not take them, and the next file does.
    let bounds = Bounds::new(0.0, 0.0, 8.0, 8.0);
    let mut tile = Tile::new(bounds, 8);
    let mut west = Memory::new(0.5, 7.5, 1.0, 4, 7, plane);
    let mut east = Memory::new(4.5, 7.5, 1.0, 3, 7, plane);
    assert_eq!(tile.add(&mut west, &mut [&mut east], &STRAIGHT, Resampling::Bilinear, 1), 4 * 7);
    assert_eq!(tile.add(&mut east, &mut [&mut west], &STRAIGHT, Resampling::Bilinear, 2), 3 * 7);
    assert_eq!(&tile.lineage[..8], &[1, 1, 1, 1, 2, 2, 2, 9]);
    assert_eq!(&tile.lineage[56..], &[9; 8]);
    // What has a value keeps it.
    assert_eq!(tile.add(&mut west, &mut [], &STRAIGHT, Resampling::Bilinear, 5), 0);
    let mut far = Memory::new(100.0, 7.5, 1.0, 3, 7, plane);
    assert_eq!(tile.add(&mut far, &mut [], &STRAIGHT, Resampling::Bilinear, 5), 0);
}

#[test]
fn edges_of_a_collection_are_not_eaten_and_holes_follow_the_half_rule() {
    let hole = |x: f64, _| if x > 2.0 { f32::NAN } else { 10.0 };
    let mut raster = Memory::new(0.0, 4.0, 1.0, 4, 4, hole);
    // Four pixels a cell: centres at 1/8, 3/8, 5/8, 7/8.
    let mut tile = Tile::new(Bounds::new(0.0, 0.0, 4.0, 4.0), 16);
    tile.add(&mut raster, &mut [], &STRAIGHT, Resampling::Bilinear, 0);
    // Valid up to x = 2, where valid and nodata cells weigh the same; no average with nodata.
    assert_eq!(&tile.valid[..16], &[1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(tile.values.iter().zip(&tile.valid).all(|(&v, &ok)| v == if ok == 1 { 10.0 } else { 0.0 }));
    // A centre that is just half way is valid.
    let mut tile = Tile::new(Bounds::new(0.5, 0.5, 3.5, 3.5), 3);
    tile.add(&mut raster, &mut [], &STRAIGHT, Resampling::Bilinear, 0);
    assert_eq!(tile.valid[..3], [1, 1, 0]);
}

#[test]
fn nodata_never_enters_a_value_whatever_the_kernel() {
    let checker = |x: f64, y: f64| if (x.floor() + y.floor()) as i64 % 3 == 0 { f32::NAN } else { 500.0 };
    for by in [STRAIGHT, TURNED] {
        for how in Resampling::ALL {
            let mut tile = Tile::new(Bounds::new(-20.0, -20.0, 20.0, 20.0), 32);
            let count = tile.add(&mut Memory::new(-50.0, 50.0, 1.0, 100, 100, checker), &mut [], &by, how, 0);
            assert!(count > 300, "{how}: {count}");
            for (value, valid) in tile.values.iter().zip(&tile.valid) {
                assert!((*valid == 0 && *value == 0.0) || (value - 500.0).abs() < 1e-3, "{how}: {value}");
            }
        }
    }
}

#[test]
fn finer_rasters_are_averaged_and_not_sampled() {
    // Stripes of one cell under pixels of eight: every method but nearest sees their mean.
    let stripes = |x: f64, _| if x.floor() as i64 % 2 == 0 { 0.0 } else { 100.0 };
    for how in [Resampling::Bilinear, Resampling::Cubic, Resampling::Lanczos, Resampling::Average] {
        let mut tile = Tile::new(Bounds::new(0.0, 0.0, 128.0, 128.0), 16);
        tile.add(&mut Memory::new(-64.0, 192.0, 1.0, 256, 256, stripes), &mut [], &STRAIGHT, how, 0);
        assert!(tile.values.iter().all(|v| (v - 50.0).abs() < 2.0), "{how}: {:?}", &tile.values[..4]);
    }
}

#[test]
fn scale_is_cells_a_pixel_on_each_axis() {
    let mut stretched = info(GeoTransform::north_up(0.0, 512.0, 1.0, 4.0), 512, 128);
    let bounds = Bounds::new(0.0, 0.0, 512.0, 512.0);
    let map = pixel_map(&bounds, 256, &stretched, &STRAIGHT).unwrap();
    assert_eq!(pixel_scale(&map, 256, &stretched), (2.0, 0.5));
    stretched.transform = GeoTransform::north_up(0.0, 512.0, 1.0, 1.0);
    let map = pixel_map(&bounds, 256, &stretched, &TURNED).unwrap();
    let (x, y) = pixel_scale(&map, 256, &stretched);
    assert!((x - 2.0).abs() < 2e-3 && (y - 2.0).abs() < 2e-3, "{x} {y}");
}

#[test]
fn strips_give_the_pixels_of_the_whole() {
    let wavy =
        |x: f64, y: f64| if (x * 7.0 + y).sin() > 0.97 { f32::NAN } else { ((x / 9.0).sin() * 50.0 + y / 3.0) as f32 };
    for by in [STRAIGHT, TURNED] {
        for how in Resampling::ALL {
            for pixel in [1.5, 7.0] {
                let half = pixel * 16.0;
                let bounds = Bounds::new(-half, -half, half, half);
                let mut raster = Memory::new(-90.0, 100.0, 1.0, 180, 200, wavy);
                let mut whole = Tile::new(bounds, 32);
                let filled = whole.add(&mut raster, &mut [], &by, how, 1);
                let map = pixel_map(&bounds, 32, &raster.info, &by).unwrap();
                let scale = pixel_scale(&map, 32, &raster.info);
                let (mut values, mut valid, mut count) = (vec![0.0; 1024], vec![0; 1024], 0);
                for lines in [0..5, 5..6, 6..29, 29..32] {
                    let part = map.lines(32, lines.clone());
                    let pixels = lines.start * 32..lines.end * 32;
                    let Some(window) = source_window(&part, &raster.info, how, scale) else { continue };
                    let mut cells = Cells::outside(window);
                    raster.read_into(&mut cells).unwrap();
                    let (values, valid) = (&mut values[pixels.clone()], &mut valid[pixels]);
                    let open = open_pixels(&part, 32, &raster.info, valid);
                    let filled = resample(&part, 32, &cells, &raster.info, how, scale, values, valid, None);
                    assert!(filled <= open);
                    count += filled;
                }
                assert!(
                    filled > 500 && count == filled && valid == whole.valid && values == whole.values,
                    "{how} {pixel}"
                );
            }
        }
    }
}

#[test]
fn a_separable_map_gives_the_pixels_of_a_grid() {
    // Every state of cells, pixels that are done already, columns beyond the raster and beyond the window.
    let noise = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 9;
    let side = 40;
    for (round, pixel) in [(0, 0.13), (1, 0.4), (2, 0.93), (3, 0.13)] {
        let info = info(GeoTransform::north_up(0.0, 0.0, 1.0, 1.0), 30, 30);
        let mut cells = Cells::outside(Window { col: 3, row: 2, width: 20, height: 22 });
        for at in 0..cells.state.len() {
            let kind = noise(at + round * 1000) as usize % 23;
            let valid = round == 3 || kind >= 4;
            cells.state[at] = if valid {
                State::VALID
            } else {
                [State::NODATA, State::OUTSIDE, State::BORROWED, State::BRIDGED][kind]
            };
            cells.values[at] = if State::has_value(cells.state[at]) { noise(at) as f32 / 1000.0 } else { 0.0 };
        }
        let positions = |from: f64| -> Vec<f64> { (0..side).map(|i| from + i as f64 * pixel).collect() };
        let (cols, rows) = (positions(2.2 - round as f64), positions(4.7 - 2.0 * round as f64));
        let grid = PixelMap::Grid {
            cols: (0..side * side).map(|at| cols[at % side]).collect(),
            rows: (0..side * side).map(|at| rows[at / side]).collect(),
        };
        let made = |map: &PixelMap| {
            let (mut values, mut lineage) = (vec![0.5; side * side], vec![9; side * side]);
            let mut valid: Vec<u8> = (0..side * side).map(|at| u8::from(noise(at).is_multiple_of(7))).collect();
            let mark = Some((&mut lineage[..], 4));
            let scale = (pixel, pixel);
            let open = open_pixels(map, side as u32, &info, &valid);
            let filled =
                resample(map, side as u32, &cells, &info, Resampling::Bilinear, scale, &mut values, &mut valid, mark);
            (values.into_iter().map(f32::to_bits).collect::<Vec<_>>(), valid, lineage, filled, open)
        };
        let found = made(&PixelMap::Separable { cols, rows });
        assert!(found.3 > 100 && found.3 <= found.4, "{round}: {} of {}", found.3, found.4);
        assert!(found == made(&grid), "{round}");
    }
}
