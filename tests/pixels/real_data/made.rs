//! Tiles that the program made, pixel by pixel.

use super::*;

/// A decoded tile and the priority of the source of each pixel.
pub struct Tile {
    pub heights: ElevationTile,
    pub sources: Vec<u8>,
}

/// An archive and its lineage.
pub struct Made {
    pub heights: Box<dyn TileSource>,
    pub lineage: Option<Box<dyn TileSource>>,
    pub decoded: Mutex<HashMap<TileCoord, Option<Arc<Tile>>>>,
}

/// A pixel: where it lies, its height and its source.
#[derive(Debug, Clone, Copy)]
pub struct Pixel {
    pub tile: TileCoord,
    pub centre: (f64, f64),
    pub height: Option<f64>,
    pub source: u8,
}

impl Made {
    pub fn open(path: &Path) -> Self {
        let lineage = path.with_file_name(format!("{}-lineage.pmtiles", path.file_stem().unwrap().to_str().unwrap()));
        Self {
            heights: archive::open(path).unwrap(),
            lineage: lineage.exists().then(|| archive::open(&lineage).unwrap()),
            decoded: Mutex::default(),
        }
    }

    pub fn coords(&self) -> Vec<TileCoord> {
        self.heights.ids().unwrap().map(|id| id.unwrap().coord().unwrap()).collect()
    }

    pub fn bytes(&self) -> BTreeMap<TileCoord, Vec<u8>> {
        self.coords().into_iter().map(|t| (t, self.heights.tile(t).unwrap().unwrap())).collect()
    }

    pub fn max_zoom(&self) -> u8 {
        self.heights.metadata().maxzoom.unwrap()
    }

    pub fn tile(&self, coord: TileCoord) -> Option<Arc<Tile>> {
        let mut decoded = self.decoded.lock().unwrap();
        let make = || {
            let heights = CODEC.decode(&self.heights.tile(coord).unwrap()?).unwrap();
            assert_eq!(heights.size as usize, SIDE);
            let sources = self
                .lineage
                .as_ref()
                .map_or(vec![], |l| decode_lineage(&l.tile(coord).unwrap().expect("lineage of the tile")).unwrap().1);
            Some(Arc::new(Tile { heights, sources }))
        };
        decoded.entry(coord).or_insert_with(make).clone()
    }

    /// The pixel under a point in the deepest tile there.
    pub fn pixel(&self, (lon, lat): (f64, f64)) -> Option<Pixel> {
        let (x, y) = web_mercator::from_lon_lat(lon, lat);
        let (coord, tile) = (0..=self.max_zoom()).rev().find_map(|z| {
            let coord = TileCoord::at(x, y, z);
            self.tile(coord).map(|t| (coord, t))
        })?;
        let bounds = coord.bounds();
        let pixel = (bounds.max_x - bounds.min_x) / SIDE as f64;
        let (column, row) = (((x - bounds.min_x) / pixel).floor(), ((bounds.max_y - y) / pixel).floor());
        let at = row as usize * SIDE + column as usize;
        let valid = tile.heights.valid[at] == 1;
        Some(Pixel {
            tile: coord,
            centre: centre(coord, at),
            height: valid.then(|| f64::from(tile.heights.values[at])),
            source: tile.sources.get(at).copied().unwrap_or(if valid { 0 } else { NO_SOURCE }),
        })
    }

    /// The pixels under some points, each held against the sources in the order of priority:
    ///
    /// - its height lies between the cells of its source around it, give or take half a vertical step;
    /// - no source of higher priority has data all around it; where it has no height, no source has.
    ///
    /// Returns how many pixels came from each source.
    pub fn check(&self, sources: &[Source], points: &[(f64, f64)], reach: i64) -> Vec<usize> {
        let pixels: Vec<Pixel> = points.iter().filter_map(|&p| self.pixel(p)).collect();
        let centres: Vec<_> = pixels.iter().map(|p| p.centre).collect();
        let around: Vec<_> = sources.iter().map(|s| s.around(&centres, reach)).collect();
        let mut counts = vec![0; sources.len()];
        for (i, pixel) in pixels.iter().enumerate() {
            let above = match pixel.height {
                Some(height) => {
                    let source = usize::from(pixel.source);
                    assert!(source < sources.len(), "{pixel:?}: a height without a source");
                    counts[source] += 1;
                    let cells = &around[source][i].cells;
                    let slack = CODEC.vertical.step(pixel.tile.z()) / 2.0 + 1e-3;
                    let low = cells.iter().copied().fold(f64::INFINITY, f64::min) - slack;
                    let high = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max) + slack;
                    assert!((low..=high).contains(&height), "{pixel:?}: the source has {cells:?} around it");
                    source
                }
                None => {
                    assert_eq!(pixel.source, NO_SOURCE, "{pixel:?}");
                    sources.len()
                }
            };
            for (better, around) in around[..above].iter().enumerate() {
                assert!(!around[i].whole, "{pixel:?}: source {better} has {:?} around it", around[i].cells);
            }
        }
        counts
    }
}

/// The centre of a pixel, degrees.
pub fn centre(coord: TileCoord, at: usize) -> (f64, f64) {
    let bounds = coord.bounds();
    let pixel = (bounds.max_x - bounds.min_x) / SIDE as f64;
    let (column, row) = ((at % SIDE) as f64 + 0.5, (at / SIDE) as f64 + 0.5);
    web_mercator::to_lon_lat(bounds.min_x + column * pixel, bounds.max_y - row * pixel)
}
