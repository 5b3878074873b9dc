//! Builds a store of any number of records without holding them, and says what it took.
//!
//! ```sh
//! cargo run --release --no-default-features --example build_many -- ten-million.hypso 10000000
//! ```
//!
//! A third argument sets the sort buffer, MiB. The file is the same whatever its size.

#[path = "../benches/common/catalogue.rs"]
#[allow(dead_code)]
mod catalogue;

use std::time::Instant;

use hypso::store::{Builder, Parameters, Store};

fn main() -> hypso::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(path), Some(count)) = (arguments.first(), arguments.get(1).and_then(|n| n.parse().ok())) else {
        return Err(hypso::Error::argument("usage", "build_many STORE COUNT [SORT-BUFFER-MIB]"));
    };
    let buffer: usize = arguments.get(2).and_then(|n| n.parse().ok()).unwrap_or(256);
    let begin = Instant::now();
    let sources = catalogue::sources();
    let mut builder =
        Builder::new(&sources, &Parameters::default())?.memory(buffer << 20).scratch_beside(path.as_ref());
    catalogue::records(count).try_for_each(|record| builder.add(&record))?;
    println!("{} records added in {:.1} s", builder.len(), begin.elapsed().as_secs_f64());
    builder.finish_file(path)?;
    let store = Store::open(path)?;
    println!(
        "{} records, {:.1} MB, {:.1} s in all, {:.0} MB of memory at the most",
        store.len(),
        store.bytes().len() as f64 / 1e6,
        begin.elapsed().as_secs_f64(),
        peak_memory().unwrap_or(f64::NAN)
    );
    Ok(())
}

/// The largest resident set so far, MB; Linux alone tells.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok().map(|kb: f64| kb / 1000.0)
}
