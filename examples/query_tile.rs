//! Shows what a tile is made of: whether it exists, the records to sample for it, and how many tiles lie below it.
//!
//! ```text
//! cargo run --no-default-features --example query_tile -- /tmp/islands.hypso 11/1812/808
//! ```

use hypso::store::Store;
use hypso::tile::TileCoord;

fn main() -> hypso::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, tile] = arguments.as_slice() else {
        return Err(hypso::Error::argument("usage", "query_tile STORE Z/X/Y"));
    };
    let store = Store::open(path)?;
    let tile: TileCoord = tile.parse()?;

    println!("{tile}: {} records share area with it", store.count_overlapping(tile));
    // The tile index knows only tiles that are no finer than their records, and lists what is sampled at their zoom.
    match store.tiles().sampled_for(tile) {
        Some(rows) => {
            println!("it exists, {} records are sampled straight for it", rows.len());
            for record in rows.iter().filter_map(|&row| store.record(row)) {
                println!("  zoom {}  {}", record.native_zoom(), record.full_path()?.display());
            }
        }
        None => println!("it does not exist"),
    }
    for z in tile.z()..=store.tiles().max_zoom().unwrap_or(0) {
        println!("zoom {z}: {} tiles", store.tiles().count_subtree(tile, z));
    }
    Ok(())
}
