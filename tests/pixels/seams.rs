//! Soft borders between sources (`--blend`) and small voids (`--fill-gaps`).
#![cfg(feature = "gdal")]

use std::collections::BTreeMap;

use crate::surface::{Sheet, Tiles, options_of, pixels, render, store_of_folders};
use hypso::plan::Coverage;
use hypso::render::{RenderOptions, reach};
use hypso::store::Store;
use hypso::terrain::{ElevationTile, INTERPOLATED};
use hypso::tile::{TileCoord, web_mercator};

const CENTER: (f64, f64) = (15_443_000.0, 4_213_000.0);
const ZOOM: u8 = 13;

fn base(x: f64, y: f64) -> f64 {
    2000.0 + (x - CENTER.0) * 0.1 - (y - CENTER.1) * 0.05
}

/// The fine source: 40 m above the coarse one, west of the centre, with a hole of 60 m and one of 700 m.
fn fine(x: f64, y: f64) -> f64 {
    let (dx, dy) = (x - CENTER.0, y - CENTER.1);
    let small = (dx + 2500.0).abs() < 30.0 && (dy - 1000.0).abs() < 30.0;
    let large = (dx + 2500.0).abs() < 350.0 && (dy + 1500.0).abs() < 350.0;
    if dx > 0.0 || small || large { f64::NAN } else { base(x, y) + 40.0 }
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let sheet = |cell: f64, side: u32| Sheet::around("EPSG:3857", CENTER, cell, 0.0, side, side);
    // The border runs through the middle of both, and crosses edges of tiles and of files.
    for (i, dy) in [-2000.0, 2000.0].into_iter().enumerate() {
        let (x, y) = (CENTER.0, CENTER.1 + dy);
        Sheet::around("EPSG:3857", (x, y), 20.0, 0.0, 400, 200)
            .write(&folder.path().join(format!("fine/{i}.tif")), &fine);
    }
    sheet(20.0, 600).write(&folder.path().join("coarse/a.tif"), &base);
    let store = store_of_folders(&[folder.path().join("fine"), folder.path().join("coarse")]);
    (folder, store)
}

fn made(store: &Store, change: impl Fn(&mut RenderOptions)) -> Tiles {
    let (plan, mut options) = options_of(store, (ZOOM, ZOOM), Coverage::Native);
    change(&mut options);
    render(store, &plan, &options)
}

/// All pixels near the centre by their place on the zoom's lattice: (offset over the coarse surface, valid, source).
fn picture(tiles: &Tiles, reach: f64) -> BTreeMap<(i64, i64), (f64, bool, u8)> {
    let step = web_mercator::resolution(ZOOM, 256);
    let mut out = BTreeMap::new();
    for (&coord, tile) in &tiles.heights {
        for (at, (x, y, height, valid)) in pixels(coord, tile).enumerate() {
            if (x - CENTER.0).abs() < reach && (y - CENTER.1).abs() < reach {
                let place = ((x / step - 0.5).round() as i64, (y / step - 0.5).round() as i64);
                out.insert(place, (height - base(x, y), valid, tiles.lineage[&coord][at]));
            }
        }
    }
    out
}

#[test]
fn a_soft_border_has_no_step_no_halo_and_leaves_the_rest() {
    let (_folder, store) = store();
    let step = web_mercator::resolution(ZOOM, 256);
    let (hard, soft) = (picture(&made(&store, |_| {}), 3700.0), picture(&made(&store, |o| o.blend = 200.0), 3700.0));
    assert!(hard.len() > 100_000 && hard.keys().eq(soft.keys()));
    let far = |v: f64, from: f64, to: f64| v < from - 230.0 || v > to + 230.0;
    let (mut untouched, mut steepest) = (0, 0f64);
    for (&(px, py), &(offset, valid, source)) in &soft {
        assert!(valid);
        let (dx, dy) = ((px as f64 + 0.5) * step - CENTER.0, (py as f64 + 0.5) * step - CENTER.1);
        let (was, _, was_source) = hard[&(px, py)];
        let near_large = !far(dx, -2850.0, -2150.0) && !far(dy, -1850.0, -1150.0);
        if dx < -230.0 && !near_large {
            // To the bit, around the small hole as well.
            assert_eq!((offset, source), (was, was_source), "{dx} {dy}");
            untouched += 1;
        }
        if dx > 30.0 {
            assert!(offset.abs() < 0.01, "nothing of the higher one beyond its border: {offset}");
        }
        assert!((-1.1..=41.1).contains(&offset), "{offset}");
        for next in [(px + 1, py), (px, py + 1)] {
            let in_small = |dx: f64, dy: f64| (dx + 2500.0).abs() < 60.0 && (dy - 1000.0).abs() < 60.0;
            if let Some(&(other, _, _)) = soft.get(&next)
                && !in_small(dx, dy)
            {
                steepest = steepest.max((other - offset).abs());
            }
        }
    }
    assert!(untouched > 20_000);
    // 40 m over 200 m in pixels of 19 m, one and a half times as steep in the middle; a hard border has 40 m.
    assert!(steepest < 40.0 / 200.0 * step * 1.6, "{steepest}");
    assert!(hard.iter().any(|(&(x, y), v)| hard.get(&(x + 1, y)).is_some_and(|o| (o.0 - v.0).abs() > 39.0)));
}

#[test]
fn small_voids_are_filled_and_named() {
    let (folder, _) = store();
    let store = store_of_folders(&[folder.path().join("fine")]);
    let hard = picture(&made(&store, |_| {}), 3900.0);
    let filled = picture(&made(&store, |o| o.fill_gaps = 8), 3900.0);
    let (mut count, mut left) = (0, 0);
    for (place, &(offset, valid, source)) in &filled {
        let (_, was, _) = hard[place];
        if valid && !was {
            // Beside a hole a pixel is the mean of what is left of its kernel, up to half a cell beside it.
            assert!((offset - 40.0).abs() < 1.0 && source == INTERPOLATED, "{offset} {source}");
            count += 1;
        } else {
            assert_eq!((offset, valid, source), hard[place]);
            left += usize::from(!valid);
        }
    }
    // The hole of 60 m is three pixels wide, the one of 700 m 36.
    assert!((4..=16).contains(&count) && left > 36 * 36, "{count} {left}");
    let all = picture(&made(&store, |o| o.fill_gaps = 40), 3900.0);
    let hole = |(x, y): (i64, i64)| {
        let step = web_mercator::resolution(ZOOM, 256);
        let (dx, dy) = ((x as f64 + 0.5) * step - CENTER.0, (y as f64 + 0.5) * step - CENTER.1);
        (dx + 2500.0).abs() < 300.0 && (dy + 1500.0).abs() < 300.0
    };
    // Across the edges of tiles and files: a plane is continued wherever the hole lies.
    assert!(all.iter().filter(|(p, _)| hole(**p)).all(|(_, v)| v.1 && (v.0 - 40.0).abs() < 1.0));
    assert!(all.iter().any(|(p, v)| !hole(*p) && !v.1), "what is open to the outside stays");
}

/// What `reach` promises: no pixel beyond it depends on a record.
#[test]
fn a_record_changes_nothing_beyond_its_reach() {
    let (folder, store) = store();
    let without = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(without.path().join("fine")).unwrap();
    std::fs::copy(folder.path().join("fine/0.tif"), without.path().join("fine/0.tif")).unwrap();
    let less = store_of_folders(&[without.path().join("fine"), folder.path().join("coarse")]);
    let gone = store.records().iter().find(|r| r.path().unwrap().ends_with("1.tif")).unwrap();
    let step = web_mercator::resolution(ZOOM, 256);
    for (blend, gaps) in [(0.0, 0), (150.0, 0), (150.0, 8)] {
        let change = |o: &mut RenderOptions| (o.blend, o.fill_gaps) = (blend, gaps);
        let (a, b) = (made(&store, change), made(&less, change));
        let (_, mut options) = options_of(&store, (ZOOM, ZOOM), Coverage::Native);
        change(&mut options);
        let bounds = gone.bounds().buffered(reach(&options, step, gone.pixel_size()));
        let changed = |coord: &TileCoord, tile: &ElevationTile| {
            let other = &b.heights[coord];
            let pairs = pixels(*coord, tile).zip(pixels(*coord, other)).filter(|(p, q)| (p.2, p.3) != (q.2, q.3));
            let (inside, outside): (Vec<_>, Vec<_>) = pairs.partition(|(p, _)| bounds.contains_point(p.0, p.1));
            assert!(outside.is_empty(), "{coord}: {:?}", outside[0]);
            inside.iter().filter(|(p, _)| !gone.bounds().contains_point(p.0, p.1)).count()
        };
        let beside: usize = a.heights.iter().map(|(coord, tile)| changed(coord, tile)).sum();
        assert!(blend == 0.0 || beside > 100, "blending reaches beyond the record: {beside}");
    }
}

/// A fine source inside of a coarse one: the coarse tiles around it are sampled without reading the fine files, which would be
/// far too many cells, and the border is soft where the fine one is.
#[test]
fn finer_records_are_not_read_for_coarse_tiles() {
    let folder = tempfile::tempdir().unwrap();
    Sheet::around("EPSG:3857", CENTER, 600.0, 0.0, 200, 200).write(&folder.path().join("coarse/a.tif"), &base);
    Sheet::around("EPSG:3857", CENTER, 20.0, 0.0, 300, 300)
        .write(&folder.path().join("fine/a.tif"), &|x, y| base(x, y) + 40.0);
    let store = store_of_folders(&[folder.path().join("fine"), folder.path().join("coarse")]);
    let fine = store.records().iter().find(|r| r.native_zoom() == ZOOM).unwrap().bounds();
    let (plan, mut options) = options_of(&store, (0, ZOOM), Coverage::Native);
    (options.blend, options.fill_gaps) = (200.0, 6);
    let tiles = render(&store, &plan, &options);
    let coarse = tiles.heights.iter().filter(|(t, _)| t.z() == 8).flat_map(|(t, tile)| pixels(*t, tile));
    // Neither near the fine one nor at the coarse one's own edge, where kernels lack a half.
    let own = store.records().iter().map(|r| r.bounds()).reduce(|a, b| a.union(&b)).unwrap().buffered(-2000.0);
    let away = |x: f64, y: f64| !fine.buffered(2000.0).contains_point(x, y) && own.contains_point(x, y);
    let mut count = 0;
    for (x, y, height, _) in coarse.filter(|p| p.3 && away(p.0, p.1)) {
        assert!((height - base(x, y)).abs() < 0.5, "{height} {}", base(x, y));
        count += 1;
    }
    assert!(count > 1000);
    let border = tiles.heights.iter().filter(|(t, _)| t.z() == ZOOM).flat_map(|(t, tile)| pixels(*t, tile));
    let soft = border.filter(|(x, y, h, v)| *v && (5.0..35.0).contains(&(h - base(*x, *y)))).count();
    assert!(soft > 1000, "{soft}");
}

/// The 180th meridian is an edge of the world's square and of nothing else: the same scene there and away from it gives the same tiles.
#[test]
fn borders_go_on_across_the_180th_meridian() {
    // A cell is a pixel of the zoom, so that the scene can be moved by whole tiles: a tile is 360 / 2^13 degrees.
    let tile = 360.0 / 8192.0;
    let cell = tile / 256.0;
    let away = 64u32;
    // Columns and rows are counted from the meridian; the fine source ends 9 cells beyond it, and has a small hole on it.
    let coarse = |c: f64, r: f64| {
        // On the meridian, south of the fine one.
        let void = (c - 1.0).abs() < 3.0 && (r - 269.0).abs() < 3.0;
        if void { f64::NAN } else { 800.0 + c * 0.7 - r * 0.3 + (c / 9.0).sin() * 4.0 }
    };
    let fine = |c: f64, r: f64| {
        let hole = (c - 1.0).abs() < 3.0 && (r - 60.0).abs() < 3.0;
        if hole { f64::NAN } else { coarse(c, r) + 40.0 }
    };
    let scene = |lon: f64| {
        let folder = tempfile::tempdir().unwrap();
        let sheet = |name: &str, cols: (i32, i32), rows: (i32, i32), value: &dyn Fn(f64, f64) -> f64| {
            let (width, height) = ((cols.1 - cols.0) as u32, (rows.1 - rows.0) as u32);
            let spec = hypso::raster::GeoTiffSpec {
                width,
                height,
                transform: hypso::raster::GeoTransform::north_up(
                    lon + f64::from(cols.0) * cell,
                    -17.0 - f64::from(rows.0) * cell,
                    cell,
                    cell,
                ),
                crs: "EPSG:4326".into(),
                data_type: hypso::raster::GeoTiffType::F32,
                nodata: Some(-9999.0),
                tiled: None,
                compress: hypso::raster::GeoTiffCompression::Deflate,
            };
            let at = |i: u32| (f64::from(cols.0) + f64::from(i % width), f64::from(rows.0) + f64::from(i / width));
            let written = |h: f64| if h.is_nan() { -9999.0 } else { h as f32 };
            let cells: Vec<f32> = (0..width * height).map(|i| written(value(at(i).0, at(i).1))).collect();
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            hypso::raster::gdal::write_geotiff(&path, &spec, &cells).unwrap();
        };
        sheet("fine/a.tif", (-300, 9), (0, 130), &fine);
        sheet("fine/b.tif", (-300, 0), (130, 260), &fine);
        sheet("coarse/a.tif", (-320, 0), (-20, 280), &coarse);
        sheet("coarse/b.tif", (0, 320), (-20, 280), &coarse);
        let store = store_of_folders(&[folder.path().join("fine"), folder.path().join("coarse")]);
        let tiles = made(&store, |o| (o.blend, o.fill_gaps) = (300.0, 8));
        (folder, tiles)
    };
    let ((_a, there), (_b, here)) = (scene(180.0), scene(180.0 - f64::from(away) * tile));
    assert!(here.heights.len() >= 6);
    assert_eq!(here.heights.len(), there.heights.len());
    let (mut soft, mut beyond, mut filled) = (0, 0, 0);
    for (coord, expected) in &here.heights {
        let moved = TileCoord::new(coord.z(), (coord.x() + away) % 8192, coord.y()).unwrap();
        let found = &there.heights[&moved];
        assert_eq!(found.valid, expected.valid, "{moved}");
        let unlike = |at: &usize| (found.values[*at] - expected.values[*at]).abs() > 1.5 / 256.0;
        let worst = (0..found.values.len()).find(unlike);
        assert_eq!(worst.map(|at| (at, found.values[at], expected.values[at])), None, "{moved}");
        assert_eq!(there.lineage[&moved], here.lineage[coord], "{moved}");
        filled += here.lineage[coord].iter().filter(|&&s| s == INTERPOLATED).count();
        let bounds = coord.bounds();
        let step = bounds.width() / 256.0;
        for at in (0..found.values.len()).filter(|&at| found.valid[at] == 1) {
            let x = bounds.min_x + ((at % 256) as f64 + 0.5) * step;
            let c = x / step + f64::from(away) * 256.0 - 8192.0 * 128.0 - 0.5;
            // Between the two, on the tiles of both sides.
            let (_, lat) = web_mercator::to_lon_lat(0.0, bounds.max_y - ((at / 256) as f64 + 0.5) * step);
            let offset = f64::from(found.values[at]) - coarse(c, (-17.0 - lat) / cell - 0.5);
            if (5.0..35.0).contains(&offset) {
                soft += usize::from(c < 0.0);
                beyond += usize::from(c >= 0.0);
            }
        }
    }
    assert!(soft > 500 && beyond > 200 && filled > 8, "{soft} {beyond} {filled}");
}
