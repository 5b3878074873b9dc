//! Tiles and heights that a service makes one by one: the same as those of a run.
#![cfg(feature = "gdal")]

use crate::surface::{Sheet, options_of, render, store_of_folders};
use hypso::plan::Coverage;
use hypso::render::{FinerTiles, GdalOpener, HeightSampler, Layer, Resampling, TileRenderer};
use hypso::store::Store;
use hypso::tile::{LonLat, TileCoord, web_mercator};

const CENTER: (f64, f64) = (15_443_000.0, 4_213_000.0);

fn plane(x: f64, y: f64) -> f64 {
    500.0 + (x - CENTER.0) * 0.3 - (y - CENTER.1) * 0.2
}

/// Fine heights in the middle, and coarse ones a metre higher that go further.
fn store(folder: &std::path::Path) -> Store {
    let fine = Sheet::north_up("EPSG:3857", CENTER.0 - 500.0, CENTER.1 + 500.0, 5.0, 200, 200);
    fine.write(&folder.join("fine/a.tif"), &plane);
    let coarse = Sheet::north_up("EPSG:3857", CENTER.0 - 3000.0, CENTER.1 + 3000.0, 30.0, 200, 200);
    coarse.write(&folder.join("coarse/a.tif"), &|x, y| plane(x, y) + 1.0);
    store_of_folders(&[folder.join("fine"), folder.join("coarse")])
}

#[test]
fn a_single_tile_is_the_tile_of_a_run_at_every_zoom() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let native = store.records().iter().map(|r| r.native_zoom()).max().unwrap();
    let (plan, mut options) = options_of(&store, (native - 6, native), Coverage::Native);
    let run = render(&store, &plan, &options);
    assert!(TileRenderer::new(&store, &options, &GdalOpener).unwrap_err().to_string().contains("lineage"));
    options.lineage = false;
    let mut single = TileRenderer::new(&store, &options, &GdalOpener).unwrap();
    // Coarse tiles first and last: what a renderer did before changes nothing.
    let mut tiles: Vec<TileCoord> = run.heights.keys().copied().collect();
    assert!(tiles.len() > 10 && tiles.iter().any(|t| t.z() == native - 6), "{}", tiles.len());
    tiles.extend(tiles.clone().into_iter().rev().take(5));
    for tile in tiles {
        assert_eq!(single.tile(tile).unwrap(), run.tile(tile, Layer::Elevation).unwrap(), "{tile}");
    }
    let nowhere = TileCoord::at(0.0, 0.0, native);
    assert_eq!((single.tile(nowhere).unwrap(), single.look(nowhere).unwrap()), (None, None));
    // At the records' own zoom a look is the tile.
    let tile = TileCoord::at(CENTER.0, CENTER.1, native);
    assert_eq!(single.look(tile).unwrap(), single.tile(tile).unwrap());
    let coarse = TileCoord::at(CENTER.0, CENTER.1, native - 6);
    let look = options.codec.decode(&single.look(coarse).unwrap().unwrap()).unwrap();
    let tile = options.codec.decode(&single.tile(coarse).unwrap().unwrap()).unwrap();
    let both = || (0..tile.values.len()).filter(|&i| tile.valid[i] == 1 && look.valid[i] == 1);
    let off = both().map(|i| (tile.values[i] - look.values[i]).abs()).fold(0f32, f32::max);
    assert!(both().count() > 10 && off < 40.0, "{off} m of pixels of {} m", web_mercator::resolution(native - 6, 256));
}

#[test]
fn a_height_is_that_of_the_first_source_that_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let mut heights = HeightSampler::new(&store, &GdalOpener, Resampling::Bilinear).unwrap();
    let mut at = |x: f64, y: f64| {
        let (lon, lat) = web_mercator::to_lon_lat(CENTER.0 + x, CENTER.1 + y);
        let found = heights.at(LonLat::new(lon, lat).unwrap()).unwrap();
        found.map(|found| (f64::from(found.metres) - plane(CENTER.0 + x, CENTER.1 + y), found.row))
    };
    let source = |row| store.record(row).unwrap().source_index();
    for i in 0..200 {
        let (x, y) = (f64::from(i * 37 % 981) - 490.0, f64::from(i * 53 % 977) - 488.0);
        let (off, row) = at(x, y).unwrap();
        assert!(off.abs() < 0.01 && source(row) == 0, "{x} {y}: {off}");
        let (off, row) = at(2.0 * x + 1700.0 * x.signum(), y).unwrap();
        assert!((off - 1.0).abs() < 0.01 && source(row) == 1, "{x} {y}: {off}");
    }
    assert_eq!(at(3100.0, 0.0), None);
}
