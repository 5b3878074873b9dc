//! Lists the records that share area with a box of longitudes and latitudes, the winner first.
//!
//! ```text
//! cargo run --no-default-features --example query_box -- /tmp/islands.hypso 138.6 35.3 138.7 35.4
//! ```

use hypso::store::Store;
use hypso::tile::Bounds;

fn main() -> hypso::Result<()> {
    let usage = || hypso::Error::argument("usage", "query_box STORE WEST SOUTH EAST NORTH (degrees)");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, edges @ ..] = arguments.as_slice() else { return Err(usage()) };
    let edges: Vec<f64> = edges.iter().filter_map(|e| e.parse().ok()).collect();
    let &[west, south, east, north] = edges.as_slice() else { return Err(usage()) };

    let store = Store::open(path)?;
    for record in store.in_bounds(&Bounds::from_lon_lat(west, south, east, north)) {
        println!("{} m  {}", record.pixel_size(), record.full_path()?.display());
    }

    // Where a buffer is used again, queries allocate nothing: see `rows_in_bounds`.
    let nearest = store.at_lon_lat((west + east) / 2.0, (south + north) / 2.0).next();
    match nearest {
        Some(record) => println!("the middle is covered by {} first", record.path()?),
        None => println!("the middle is not covered"),
    }
    Ok(())
}
