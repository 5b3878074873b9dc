//! A store of any number of records over a few real rasters: what a national catalogue is to plans and workers, without
//! its terabytes. Every record of a catalogue that does not exist points to one of the rasters of a store that does.
//!
//! ```sh
//! cargo run --release --example many_over_few -- small.hypso many.hypso 10000000
//! ```
//!
//! `benches/scale.py` measures on it how memory grows.

#[path = "../benches/common/catalogue.rs"]
#[allow(dead_code)]
mod catalogue;

use hypso::store::{Builder, Parameters, RecordInput, Store};

fn main() -> hypso::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, count] = arguments.as_slice() else {
        return Err(hypso::Error::argument("usage", "many_over_few STORE NEW-STORE COUNT"));
    };
    let count: usize = count.parse().map_err(|_| hypso::Error::argument("COUNT", "is a number of records"))?;
    let store = Store::open(from)?;
    let mut real: Vec<RecordInput> = Vec::new();
    store.each_input(|record| {
        real.push(record);
        Ok(())
    })?;
    let sources = store.source_inputs()?;
    let mut builder = Builder::new(&sources, &Parameters::default())?.scratch_beside(to.as_ref());
    real.iter().try_for_each(|record| builder.add(record))?;
    let invented = count.saturating_sub(real.len());
    for (number, record) in catalogue::records(invented).enumerate() {
        let raster = &real[number % real.len()];
        builder.add(&RecordInput {
            path: another_name(&raster.path, number as u64 + 1),
            bounds: record.bounds,
            pixel_size: record.pixel_size,
            ..raster.clone()
        })?;
    }
    builder.finish_file(to)?;
    let store = Store::open(to)?;
    println!("{to}: {} records, {:.1} MB", store.len(), store.bytes().len() as f64 / 1e6);
    Ok(())
}

/// Another name of the same file: `./` for a 0 and `.//` for a 1 of the number.
fn another_name(path: &str, number: u64) -> String {
    let bits = (0..64 - number.leading_zeros()).map(|bit| if number >> bit & 1 == 0 { "./" } else { ".//" });
    bits.collect::<String>() + path
}
