//! Files that were each warped by themselves: their data end along slanted staircases inside of collars of nodata, each on a
//! lattice of its own. Where such files meet nothing is missing on the ground, and nothing may be missing in tiles; and where
//! data really end, they end there.
#![cfg(feature = "gdal")]

use std::path::Path;

use crate::surface::{Sheet, Tiles, gdal, options_of, pixels, render, store_for, store_of_folders};
use hypso::catalog::SourceSpec;
use hypso::plan::Coverage;
use hypso::raster::{GeoTransform, Projector, Resampling, gdal::GdalProjector};
use hypso::store::Store;
use hypso::tile::TileCoord;

const CENTER: (f64, f64) = (15_443_000.0, 4_213_000.0);

/// Metres a cell.
const CELL: f64 = 20.0;

/// One metre a metre: what is off by a cell of 20 m is off by 20 m.
fn plane(x: f64, y: f64) -> f64 {
    2000.0 + (x - CENTER.0) * 0.6 - (y - CENTER.1) * 0.8
}

/// A file of degrees that covers a box in EPSG:3857 (west, south, east, north of the centre), whose edges are edges of cells.
fn degrees([west, south, east, north]: [f64; 4], cell: f64) -> Sheet {
    let (mut xs, mut ys) = ([CENTER.0 + west, CENTER.0 + east], [CENTER.1 + south, CENTER.1 + north]);
    GdalProjector::new("EPSG:4326").unwrap().to_crs(&mut xs, &mut ys).unwrap();
    let (width, height) = (((east - west) / cell).ceil(), ((north - south) / cell).ceil());
    let step = ((xs[1] - xs[0]) / width, (ys[1] - ys[0]) / height);
    let transform = GeoTransform::north_up(xs[0], ys[1], step.0, step.1);
    Sheet { crs: "EPSG:4326", transform, width: width as u32, height: height as u32 }
}

/// Three times three squares of `side` metres that meet edge to edge, turned by an angle; each a file of its own, whose cells
/// have a height where their centre lies in the square.
fn squares(folder: &Path, turn: f64, side: f64) -> Store {
    let (sin, cos) = turn.to_radians().sin_cos();
    for (i, j) in (0..9).map(|n| (f64::from(n % 3), f64::from(n / 3))) {
        let corner = |u: f64, v: f64| {
            let (u, v) = ((i + u - 1.5) * side, (j + v - 1.5) * side);
            (u * cos - v * sin, u * sin + v * cos)
        };
        let corners = [corner(0.0, 0.0), corner(1.0, 0.0), corner(0.0, 1.0), corner(1.0, 1.0)];
        let least = |of: fn(&(f64, f64)) -> f64| corners.iter().map(of).fold(f64::INFINITY, f64::min);
        let most = |of: fn(&(f64, f64)) -> f64| corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        let sheet = degrees([least(|c| c.0), least(|c| c.1), most(|c| c.0), most(|c| c.1)], CELL);
        let cut = |x: f64, y: f64| {
            let (x, y) = (x - CENTER.0, y - CENTER.1);
            let (u, v) = ((x * cos + y * sin) / side + 1.5 - i, (y * cos - x * sin) / side + 1.5 - j);
            if (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v) {
                plane(x + CENTER.0, y + CENTER.1)
            } else {
                f64::NAN
            }
        };
        sheet.write(&folder.join(format!("plane/{i}-{j}.tif")), &cut);
    }
    store_of_folders(&[folder.join("plane")])
}

/// All tiles at the native zoom plus `deeper`.
fn made(store: &Store, how: Resampling, deeper: u8) -> Tiles {
    let zoom = store.records().iter().map(|r| r.native_zoom()).max().unwrap() + deeper;
    let (plan, mut options) = options_of(store, (zoom, zoom), Coverage::Full);
    options.resampling = how;
    render(store, &plan, &options)
}

/// The pixels within a circle around the centre: their places beside it, and how far they are off the plane; `None` without a height.
fn around(tiles: &Tiles, reach: f64) -> Vec<(f64, f64, Option<f64>)> {
    let all = tiles.heights.iter().flat_map(|(&coord, tile)| pixels(coord, tile));
    let place = all.map(|(x, y, h, valid)| (x - CENTER.0, y - CENTER.1, valid.then(|| (h - plane(x, y)).abs())));
    place.filter(|(x, y, _)| x.hypot(*y) < reach).collect()
}

#[test]
fn squares_that_meet_in_any_direction_are_one_plane() {
    for how in [Resampling::Bilinear, Resampling::Cubic] {
        for turn in [0.0, 1.3, 7.0, 20.0, 45.0f64] {
            for side in [611.0, 640.0, 657.0] {
                let folder = tempfile::tempdir().unwrap();
                let store = squares(folder.path(), turn, side);
                let pixels = around(&made(&store, how, 2), 1.5 * side - 4.0 * CELL);
                let (sin, cos) = turn.to_radians().sin_cos();
                let (mut void, mut worst, mut at_corners) = (0, 0f64, 0f64);
                for (x, y, off) in &pixels {
                    // Cells to the next line where squares meet, in both directions.
                    let to_line = |v: f64| ((v / side + 0.5) - (v / side + 0.5).round()).abs() * side / CELL;
                    let corner = to_line(x * cos + y * sin).max(to_line(y * cos - x * sin)) < 5.0;
                    match off {
                        None => void += 1,
                        Some(off) if corner => at_corners = at_corners.max(*off),
                        Some(off) => worst = worst.max(*off),
                    }
                }
                let case = format!("{how} {turn} {side}: {void} of {} void, {worst} m, {at_corners} m", pixels.len());
                assert!(void == 0 && pixels.len() > 80_000, "{case}");
                // Half a step of full resolution, positions rounded to 2^-16 of a cell, 32-bit heights: nothing else.
                assert!(worst < 0.005, "{case}");
                // Where four files meet, a neighbour's neighbour is taken as it is: of the cells that it lends, one may be the mean of what is left
                // of a kernel, half a cell off, at half of the weight.
                assert!(at_corners < 0.25 * CELL, "{case}");
            }
        }
    }
}

#[test]
fn squares_that_gdalwarp_warped_one_by_one_leave_no_slivers() {
    // Cut in UTM, whose grid north is 1.3 degrees off here, and in a zone far away, where it is 9 degrees off.
    for (crs, cut) in [("EPSG:32654", [33, 32, 31]), ("EPSG:32651", [31, 34, 29])] {
        let folder = tempfile::tempdir().unwrap();
        let all = Sheet::around(crs, CENTER, CELL, 0.3, 96, 96);
        let whole = folder.path().join("whole.tif");
        all.write(&whole, &plane);
        let path = |name: String| folder.path().join(name).to_str().unwrap().to_string();
        std::fs::create_dir_all(folder.path().join("plane")).unwrap();
        for (i, j) in (0..9).map(|n| (n % 3, n / 3)) {
            let (first, last) =
                (|n: usize| cut[..n].iter().sum::<i32>(), |n: usize| cut[..=n].iter().sum::<i32>().min(96));
            let size = |n: usize| (last(n) - first(n)).to_string();
            let (piece, warped) = (path(format!("{i}-{j}.tif")), path(format!("plane/{i}-{j}.tif")));
            let window = [first(i).to_string(), first(j).to_string(), size(i), size(j)];
            gdal(
                "gdal_translate",
                &["-q", "-srcwin", &window[0], &window[1], &window[2], &window[3], &path("whole.tif".into()), &piece],
            );
            gdal(
                "gdalwarp",
                &["-q", "-t_srs", "EPSG:4326", "-r", "bilinear", "-et", "0", "-dstnodata", "-9999", &piece, &warped],
            );
        }
        let store = store_of_folders(&[folder.path().join("plane")]);
        let pixels = around(&made(&store, Resampling::Bilinear, 2), 720.0);
        let void = pixels.iter().filter(|p| p.2.is_none()).count();
        let worst = pixels.iter().filter_map(|p| p.2).fold(0.0, f64::max);
        assert!(void == 0 && pixels.len() > 60_000, "{crs}: {void} of {}", pixels.len());
        // gdalwarp repeats the outermost cells of a piece: half a cell, on the ground 0.82 of one in EPSG:3857, on both axes.
        assert!(worst < 0.5 * CELL / 0.82 * (0.6 + 0.8), "{crs}: {worst}");
    }
}

#[test]
fn pixels_at_slivers_do_not_depend_on_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let small = squares(folder.path(), 7.0, 611.0);
    let spec = SourceSpec::parse(folder.path().join("plane").to_str().unwrap()).unwrap();
    let large = store_for(&[spec], 512);
    for how in [Resampling::Bilinear, Resampling::Lanczos] {
        // The same pixels, four tiles in one.
        let (small, large) = (made(&small, how, 2), made(&large, how, 2));
        let mut count = 0;
        for (coord, tile) in &small.heights {
            let parent = TileCoord::new(coord.z() - 1, coord.x() / 2, coord.y() / 2).unwrap();
            let whole = &large.heights[&parent];
            for at in 0..256 * 256 {
                let (x, y) = (at % 256 + coord.x() as usize % 2 * 256, at / 256 + coord.y() as usize % 2 * 256);
                assert_eq!(
                    (tile.values[at], tile.valid[at]),
                    (whole.values[y * 512 + x], whole.valid[y * 512 + x]),
                    "{coord} {at}"
                );
                count += usize::from(tile.valid[at]);
            }
        }
        assert!(count > 100_000);
    }
}

/// True for the places of a land, metres from the centre.
type Land<'a> = &'a dyn Fn(f64, f64) -> bool;

/// A land that two files show, each on a lattice of its own: how far its outline in tiles of both lies beyond that of the pixels that one of them
/// has alone, behind it, and beyond the true one; in cells, the area divided by the outline's length.
fn coast(land: Land, cells: [f64; 2], length: f64, how: Resampling) -> (f64, f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let mut alone = Vec::new();
    for (i, cell) in cells.into_iter().enumerate() {
        let shift = 7.3 * i as f64;
        let sheet = degrees([-1303.0 - shift, -1301.0 + shift, 1304.0 - shift, 1309.0 + shift], cell);
        let height = |x: f64, y: f64| if land(x - CENTER.0, y - CENTER.1) { plane(x, y) } else { f64::NAN };
        for name in ["both".to_string(), format!("alone-{i}")] {
            sheet.write(&folder.path().join(name).join(format!("{i}.tif")), &height);
        }
        let store = store_of_folders(&[folder.path().join(format!("alone-{i}"))]);
        alone.push(made(&store, how, 2));
    }
    let (mut excess, mut lost, mut grown, mut pixel) = (0.0, 0.0, 0.0, 0.0);
    let tiles = made(&store_of_folders(&[folder.path().join("both")]), how, 2);
    for (&coord, tile) in &tiles.heights {
        pixel = coord.bounds().width() / f64::from(tile.size);
        for (at, (x, y, _, valid)) in pixels(coord, tile).enumerate() {
            let (x, y) = (x - CENTER.0, y - CENTER.1);
            if x.abs() < 1200.0 && y.abs() < 1200.0 {
                let one = alone.iter().any(|t| t.heights.get(&coord).is_some_and(|t| t.valid[at] == 1));
                excess += f64::from(u8::from(valid && !one));
                lost += f64::from(u8::from(!valid && one));
                grown += f64::from(i8::from(valid) - i8::from(land(x, y)));
            }
        }
    }
    let width = length * CELL / (pixel * pixel);
    (excess / width, lost / width, grown / width)
}

#[test]
fn coasts_lie_where_files_show_them() {
    let waves = [(3.0, 200.0), (11.0, 60.0), (29.0, 25.0), (67.0, 12.0), (150.0, 8.0), (331.0, 5.0)];
    let ragged = |x: f64, y: f64| {
        let turn = y.atan2(x);
        x.hypot(y) < 800.0 + waves.iter().map(|(n, h)| (turn * n + n).sin() * h).sum::<f64>()
    };
    let round = 2200.0 * std::f64::consts::PI;
    let slanted = |x: f64, y: f64| x * 0.342 + y * 0.94 < 3.0;
    let lands: [(&str, Land, f64); 5] = [
        ("slanted", &slanted, 2400.0 / 0.94),
        ("island", &|x, y| x.hypot(y) < 1100.0, round),
        ("lake", &|x, y| x.hypot(y) > 1100.0, round),
        ("ragged island", &ragged, round),
        ("ragged lake", &|x, y| !ragged(x, y), round),
    ];
    for (name, land, length) in lands {
        for (how, cells) in [
            (Resampling::Bilinear, [20.0, 20.3]),
            (Resampling::Bilinear, [20.0, 20.0]),
            (Resampling::Cubic, [20.0, 23.0]),
        ] {
            let (excess, lost, grown) = coast(land, cells, length, how);
            let case = format!("{name} {how} {cells:?}: {excess:.4} {lost:.4} {grown:.3} cells");
            // The outline of a file's cells is up to half a cell off the true one, and the one that is farther out is taken.
            assert!(grown > -0.05 && grown < 0.27, "{case}");
            assert!(lost == 0.0 && excess < 0.03, "{case}");
        }
    }
}
