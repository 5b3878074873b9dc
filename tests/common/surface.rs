//! Rasters of known surfaces, and tiles made from them in this process.
#![allow(dead_code, reason = "each test file uses a part")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use hypso::catalog::{self, OnError, Options, SourceSpec};
use hypso::plan::{Coverage, Pattern, Plan, PlanOptions};
use hypso::progress::Silent;
use hypso::raster::gdal::{GdalProjector, write_geotiff};
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};
use hypso::raster::{GeoTransform, Projector};
use hypso::render::{FinerTiles, GdalOpener, Layer, RenderOptions, Renderer};
use hypso::store::{Builder, Parameters, Store};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec, decode_lineage};
use hypso::tile::{TileCoord, web_mercator};

/// A height at each place, EPSG:3857 metres; NaN where there is none.
pub type Surface<'a> = &'a dyn Fn(f64, f64) -> f64;

/// A raster to write.
pub struct Sheet {
    pub crs: &'static str,
    pub transform: GeoTransform,
    pub width: u32,
    pub height: u32,
}

impl Sheet {
    pub fn north_up(crs: &'static str, west: f64, north: f64, cell: f64, width: u32, height: u32) -> Self {
        Self { crs, transform: GeoTransform::north_up(west, north, cell, cell), width, height }
    }

    /// The raster around a point given in EPSG:3857 metres, in another CRS: its centre lies on a multiple of the cell, moved
    /// by `shift` cells.
    pub fn around(crs: &'static str, (x, y): (f64, f64), cell: f64, shift: f64, width: u32, height: u32) -> Self {
        let (mut xs, mut ys) = ([x], [y]);
        GdalProjector::new(crs).unwrap().to_crs(&mut xs, &mut ys).unwrap();
        let edge = |v: f64, half: f64| ((v / cell).round() + shift + half) * cell;
        let (west, north) = (edge(xs[0], -f64::from(width / 2)), edge(ys[0], f64::from(height / 2)));
        Self::north_up(crs, west, north, cell, width, height)
    }

    /// The cells' centres in EPSG:3857 metres.
    pub fn centers(&self) -> Vec<(f64, f64)> {
        let cells = (0..self.width * self.height).map(|i| (i % self.width, i / self.width));
        let at = |(c, r)| self.transform.apply(f64::from(c) + 0.5, f64::from(r) + 0.5);
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = cells.map(at).unzip();
        GdalProjector::new(self.crs).unwrap().to_mercator(&mut xs, &mut ys).unwrap();
        xs.into_iter().zip(ys).collect()
    }

    /// Writes the surface's values at the cells' centres as float32, nodata -9999.
    pub fn write(&self, path: &Path, surface: Surface) {
        let value = |(x, y): (f64, f64)| Some(surface(x, y)).filter(|h| !h.is_nan()).map_or(-9999.0, |h| h as f32);
        let cells: Vec<f32> = self.centers().into_iter().map(value).collect();
        let spec = GeoTiffSpec {
            width: self.width,
            height: self.height,
            transform: self.transform,
            crs: self.crs.into(),
            data_type: GeoTiffType::F32,
            nodata: Some(-9999.0),
            tiled: None,
            compress: GeoTiffCompression::Deflate,
        };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_geotiff(path, &spec, &cells).unwrap();
    }
}

/// Runs one of GDAL's tools.
pub fn gdal(tool: &str, args: &[&str]) -> String {
    let run = Command::new(tool).args(args).output().unwrap_or_else(|e| panic!("{tool}: {e}"));
    assert!(run.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

/// The bits of full resolution: 1/256 m at every zoom.
pub const OPTIONS: TileCodec = TileCodec::new(Encoding::Terrarium, ImageFormat::Png);

/// A store of sources, the first one wins, for tiles of 256 pixels.
pub fn store_of(specs: &[SourceSpec]) -> Store {
    store_for(specs, 256)
}

/// A store of sources for tiles of any size.
pub fn store_for(specs: &[SourceSpec], tile_size: u32) -> Store {
    let options = Options { on_error: OnError::Fail, ..Options::default() };
    crate::common::read_rasters();
    let survey = catalog::Survey::new(specs, &options, &Silent).unwrap();
    let sources = survey.sources.clone();
    let parameters = Parameters { tile_size, metadata: catalog::notes(&survey) };
    let mut builder = Builder::new(&sources, &parameters).unwrap();
    survey.each_record(&options, None, &Silent, &mut |record| builder.add(&record)).unwrap();
    Store::from_bytes(builder.finish(Cursor::new(Vec::new())).unwrap().into_inner()).unwrap()
}

/// A store of folders as sources.
pub fn store_of_folders(folders: &[PathBuf]) -> Store {
    let specs: Vec<SourceSpec> = folders.iter().map(|f| SourceSpec::parse(f.to_str().unwrap()).unwrap()).collect();
    store_of(&specs)
}

/// Tiles that were made.
#[derive(Default)]
pub struct Tiles {
    encoded: RefCell<BTreeMap<(Layer2, TileCoord), Vec<u8>>>,
    pub heights: BTreeMap<TileCoord, ElevationTile>,
    pub lineage: BTreeMap<TileCoord, Vec<u8>>,
}

type Layer2 = u8;

impl FinerTiles for Tiles {
    fn tile(&self, tile: TileCoord, layer: Layer) -> hypso::Result<Option<Vec<u8>>> {
        Ok(self.encoded.borrow().get(&(layer as u8, tile)).cloned())
    }
}

/// How tests render: full resolution, one zoom or more.
pub fn options_of(store: &Store, zooms: (u8, u8), coverage: Coverage) -> (Plan, RenderOptions) {
    let options = PlanOptions {
        min_zoom: Some(zooms.0),
        max_zoom: Some(zooms.1),
        coverage,
        pattern: Pattern::Single,
        ..PlanOptions::default()
    };
    let plan = Plan::new(store, &options).unwrap();
    let extent = plan.extent.clone();
    let mut options = RenderOptions::default();
    (options.codec, options.lineage, options.extent) = (OPTIONS, true, extent);
    (plan, options)
}

/// Makes all tiles of a plan, finest first.
pub fn render(store: &Store, plan: &Plan, options: &RenderOptions) -> Tiles {
    let mut tiles = Tiles::default();
    let mut renderer = Renderer::new(store, options, &GdalOpener).unwrap();
    for unit in plan.groups.iter().flat_map(|g| &g.steps).flat_map(|s| &s.units) {
        let mut made = Vec::new();
        let mut keep = |m| {
            made.push(m);
            Ok(())
        };
        renderer.unit(unit, &tiles, &mut keep).unwrap();
        for m in made {
            match m.layer {
                Layer::Elevation if m.wanted => {
                    tiles.heights.insert(m.tile, options.codec.decode(&m.bytes).unwrap());
                }
                Layer::Lineage if m.wanted => {
                    tiles.lineage.insert(m.tile, decode_lineage(&m.bytes).unwrap().1);
                }
                _ => {}
            }
            tiles.encoded.borrow_mut().insert((m.layer as u8, m.tile), m.bytes);
        }
    }
    tiles
}

/// The pixels of a tile: their centres in EPSG:3857 metres, heights, and whether they have one.
pub fn pixels(coord: TileCoord, tile: &ElevationTile) -> impl Iterator<Item = (f64, f64, f64, bool)> {
    let (bounds, size) = (coord.bounds(), tile.size as usize);
    let step = bounds.width() / size as f64;
    (0..size * size).map(move |at| {
        let x = bounds.min_x + ((at % size) as f64 + 0.5) * step;
        let y = bounds.max_y - ((at / size) as f64 + 0.5) * step;
        (x, y, f64::from(tile.values[at]), tile.valid[at] == 1)
    })
}

/// The largest difference to a surface over pixels whose centres satisfy `inside`, all of which must be valid; and how
/// many there are.
pub fn off(tiles: &Tiles, surface: Surface, inside: &dyn Fn(f64, f64) -> bool) -> (f64, usize) {
    let (mut worst, mut count) = (0f64, 0);
    for (&coord, tile) in &tiles.heights {
        for (x, y, height, valid) in pixels(coord, tile) {
            if inside(x, y) {
                let (lon, lat) = web_mercator::to_lon_lat(x, y);
                assert!(valid, "{coord}: no value at {lon} {lat}");
                worst = worst.max((height - surface(x, y)).abs());
                count += 1;
            }
        }
    }
    (worst, count)
}
