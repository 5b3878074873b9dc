//! Reads columns as slices of the mapped file: a scan without a record in sight.
//!
//! ```text
//! cargo run --no-default-features --example read_column -- /tmp/islands.hypso
//! ```

use hypso::container::report;
use hypso::store::Store;

fn main() -> hypso::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        return Err(hypso::Error::argument("usage", "read_column STORE"));
    };
    let store = Store::open(path)?;
    for section in report(store.container()) {
        println!("{:>12} bytes  {:>10} x {:<4} {}", section.bytes, section.count, section.element, section.name);
    }

    // The type is checked against the file; nothing is copied.
    let sizes: &[u64] = store.column("record.file_size")?;
    let pixels: &[f64] = store.column("record.pixel_size")?;
    println!("{} bytes of rasters", sizes.iter().sum::<u64>());
    if let Some(finest) = pixels.iter().copied().reduce(f64::min) {
        println!("the finest pixel is {finest} m wide");
    }
    Ok(())
}
