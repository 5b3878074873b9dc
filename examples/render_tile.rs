//! One tile and one height of a store, made in this process: what a service does that renders on demand.
//!
//! ```text
//! hypso sample -o demo && hypso build demo/dem10 demo/aw30 -o demo.hypso
//! cargo run --release --example render_tile -- demo.hypso 138.7275,35.3607 tile.webp
//! ```

use std::path::Path;

use hypso::render::{GdalOpener, HeightSampler, RenderOptions, Resampling, TileRenderer};
use hypso::tile::{LonLat, TileCoord};
use hypso::{Error, Store};

fn main() -> hypso::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, point, output] = &arguments[..] else {
        return Err(Error::argument("arguments", "expected STORE LON,LAT OUTPUT.webp"));
    };
    let store = Store::open(store)?;
    let point: LonLat = point.parse()?;

    // Both keep rasters open: a service keeps one of each in every thread.
    let mut heights = HeightSampler::new(&store, &GdalOpener, Resampling::Bilinear)?;
    let options = RenderOptions::default();
    let mut renderer = TileRenderer::new(&store, &options, &GdalOpener)?;

    let Some(found) = heights.at(point)? else {
        return Err(Error::not_found(format!("no record has a height at {},{}", point.lon(), point.lat())));
    };
    let record = store.record(found.row).ok_or_else(|| Error::not_found("no such record"))?;
    println!("{:.2} m, from {}", found.metres, record.path()?);

    let (x, y) = point.metres();
    let tile = TileCoord::at(x, y, record.native_zoom());
    if let Some(webp) = renderer.tile(tile)? {
        let output = Path::new(output);
        std::fs::write(output, &webp).map_err(Error::io("write", output))?;
        println!("{tile}: {} bytes, in {}", webp.len(), output.display());
    }
    Ok(())
}
