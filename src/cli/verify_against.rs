//! `hypso verify --against STORE`: how far the heights of an archive are from its sources.

use std::path::Path;

use serde_json::{Value, json};

use super::output;
use super::progress::Terminal;
use super::store_file::{self, Care};
use crate::archive::{self, TileEncoding};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::raster::Resampling;
use crate::render::{GdalOpener, heights};
use crate::store::Store;
use crate::terrain::{Encoding, ImageFormat, TileCodec, VerticalResolution};
use crate::tile::TileCoord;

/// The differences of a zoom's pixels, archive minus sources, metres.
#[derive(Debug, Clone, Copy, Default)]
struct Differences {
    tiles: u64,
    pixels: u64,
    sum: f64,
    squares: f64,
    min: f64,
    max: f64,
    /// Pixels with a height in one of the two only.
    only_archive: u64,
    only_sources: u64,
}

impl Differences {
    fn add(&mut self, difference: f64) {
        let first = self.pixels == 0;
        self.min = if first { difference } else { self.min.min(difference) };
        self.max = if first { difference } else { self.max.max(difference) };
        self.pixels += 1;
        self.sum += difference;
        self.squares += difference * difference;
    }

    fn mean(&self) -> f64 {
        self.sum / self.pixels.max(1) as f64
    }

    fn root_mean_square(&self) -> f64 {
        (self.squares / self.pixels.max(1) as f64).sqrt()
    }
}

/// What came out, by zoom.
pub struct Comparison {
    by_zoom: Vec<(u8, Differences)>,
}

/// Compares an archive with the sources of a store, each place once: at the finest tile that the archive has there, since a coarser
/// one is the mean of it. `sample` compares about so many tiles, spread evenly.
pub fn compare(path: &Path, store: &Path, sample: Option<u64>) -> Result<Comparison> {
    let store = store_file::open(store, Care::Quick)?;
    let archive = archive::open(path)?;
    let metadata = archive.metadata();
    let encoding = match &metadata.encoding {
        Some(TileEncoding::Terrarium) | None => Encoding::Terrarium,
        Some(TileEncoding::Mapbox) => Encoding::Mapbox,
        Some(other) => {
            let problem = format!("works with elevation; {} is of encoding {}", path.display(), other.name());
            return Err(Error::argument("--against", problem));
        }
    };
    let format = ImageFormat::Webp;
    let codec = TileCodec {
        encoding,
        format,
        vertical: VerticalResolution::Full,
        nodata_elevation: 0.0,
        level: crate::terrain::webp::Level::Default,
        encoder: crate::terrain::WebpEncoder::Hypso,
    };
    let resampling =
        metadata.other.get("resampling").and_then(Value::as_str).and_then(|r| r.parse::<Resampling>().ok());
    let last = metadata.maxzoom.unwrap_or(crate::tile::MAX_ZOOM);
    let is_leaf = |tile: TileCoord| quadrants(&store, tile, last).contains(&true);
    let leaves = || {
        let coords = archive.ids()?.map(|id| id.map(|id| id.coord().filter(|&tile| is_leaf(tile))));
        Ok::<_, Error>(coords.filter_map(Result::transpose))
    };
    let all = leaves()?.try_fold(0u64, |count, tile| tile.map(|_| count + 1))?;
    let step = sample.map_or(1, |wanted| (all / wanted.max(1)).max(1));
    let progress = Terminal::default();
    progress.begin("comparing with the sources", Some(all.div_ceil(step)), "tiles");
    let mut by_zoom = vec![Differences::default(); usize::from(crate::tile::MAX_ZOOM) + 1];
    for tile in leaves()?.step_by(step as usize) {
        let tile = tile?;
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        let Some(bytes) = archive.tile(tile)? else { continue };
        let found = codec.decode(&bytes).map_err(|e| Error::Other(format!("tile {tile}: {e}")))?;
        if found.size != store.tile_size() {
            let problem = format!(
                "tile {tile} has {} pixels a side, but the store is made for {}; build one with --tile-size {0}",
                found.size,
                store.tile_size()
            );
            return Err(Error::argument("--against", problem));
        }
        let own = heights(&store, &GdalOpener, resampling.unwrap_or_default(), tile)?;
        let (side, compared) = (found.size as usize, quadrants(&store, tile, last));
        let zoom = &mut by_zoom[usize::from(tile.z())];
        zoom.tiles += 1;
        for at in 0..side * side {
            if !compared[usize::from(at / side >= side / 2) * 2 + usize::from(at % side >= side / 2)] {
                continue;
            }
            match (found.valid[at], own.valid[at]) {
                (1, 1) => zoom.add(f64::from(found.values[at]) - f64::from(own.values[at])),
                (1, _) => zoom.only_archive += 1,
                (_, 1) => zoom.only_sources += 1,
                _ => {}
            }
        }
        progress.advance(1);
    }
    progress.end();
    let by_zoom = (0u8..).zip(by_zoom).filter(|(_, d)| d.tiles > 0).collect();
    Ok(Comparison { by_zoom })
}

/// The quadrants of a tile that are not the mean of a finer tile.
fn quadrants(store: &Store, tile: TileCoord, last: u8) -> [bool; 4] {
    if tile.z() >= last {
        return [true; 4];
    }
    tile.children().map(|child| !store.tiles().contains(child))
}

impl Comparison {
    /// For `--format json`.
    pub fn document(&self) -> Value {
        let row = |(zoom, d): &(u8, Differences)| {
            json!({
                "zoom": zoom, "tiles": d.tiles, "pixels": d.pixels, "mean": d.mean(), "rms": d.root_mean_square(),
                "min": d.min, "max": d.max, "only_archive": d.only_archive, "only_sources": d.only_sources,
            })
        };
        Value::Array(self.by_zoom.iter().map(row).collect())
    }

    /// For people.
    pub fn table(&self) -> String {
        let head = ["zoom", "tiles", "pixels", "mean m", "rms m", "min m", "max m", "only archive", "only sources"];
        let mut rows = vec![head.map(String::from).to_vec()];
        for (zoom, d) in &self.by_zoom {
            let metres = [d.mean(), d.root_mean_square(), d.min, d.max].map(|v| format!("{v:.4}"));
            let mut row = vec![zoom.to_string(), output::count(d.tiles), output::count(d.pixels)];
            row.extend(metres);
            row.extend([output::count(d.only_archive), output::count(d.only_sources)]);
            rows.push(row);
        }
        format!("against the sources, archive minus source:\n{}", output::table(&rows, &[0, 1, 2, 3, 4, 5, 6, 7, 8]))
    }
}
