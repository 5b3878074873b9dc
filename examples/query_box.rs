//! Lists the records that share area with a box of longitudes and latitudes, the winner first.
//!
//! ```text
//! cargo run --no-default-features --example query_box -- /tmp/islands.hypso 138.6 35.3 138.7 35.4
//! ```

use hypso::store::Store;
use hypso::tile::{LonLat, LonLatBox};

fn main() -> hypso::Result<()> {
    let usage = || hypso::Error::argument("usage", "query_box STORE WEST SOUTH EAST NORTH (degrees)");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, edges @ ..] = arguments.as_slice() else { return Err(usage()) };
    let edges: Vec<f64> = edges.iter().filter_map(|e| e.parse().ok()).collect();
    let &[west, south, east, north] = edges.as_slice() else { return Err(usage()) };

    let store = Store::open(path)?;
    for record in store.overlapping(LonLatBox::new(west, south, east, north)?) {
        println!("{} m  {}", record.pixel_size(), record.full_path()?.display());
    }

    // Where a buffer is used again, queries allocate nothing: see `rows_overlapping`.
    let middle = LonLat::new((west + east) / 2.0, (south + north) / 2.0)?;
    match store.first_overlapping(middle) {
        Some(record) => println!("the middle is covered by {} first", record.path()?),
        None => println!("the middle is not covered"),
    }
    Ok(())
}
