//! A store of any number of records over a few real rasters: what a national catalogue is to plans and workers, without
//! its terabytes. Every record of a catalogue that does not exist points to one of the rasters of a store that does.
//!
//! ```sh
//! cargo run --release --example many_over_few -- small.hypso many.hypso 10000000
//! cargo run --release --example many_over_few -- small.hypso planet.hypso glo30
//! cargo run --release --example many_over_few -- small.hypso country.hypso sheets
//! ```
//!
//! `glo30` has 26,450 cells of a degree with 30 m, as many as the Copernicus model has, on continents of our own; `sheets` is a country of
//! 500,000 sheets of 1 m. `benches/scale.py` measures on such stores how memory grows, `benches/planet.py` what shards cost.

#[path = "../benches/common/catalogue.rs"]
#[allow(dead_code)]
mod catalogue;

use hypso::store::{Builder, Parameters, RecordInput, Store};
use hypso::tile::Bounds;

fn main() -> hypso::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, what] = arguments.as_slice() else {
        return Err(hypso::Error::argument("usage", "many_over_few STORE NEW-STORE COUNT|glo30|sheets"));
    };
    let store = Store::open(from)?;
    let mut real: Vec<RecordInput> = Vec::new();
    store.each_input(|record| {
        real.push(record);
        Ok(())
    })?;
    let sources = store.source_inputs()?;
    let mut builder = Builder::new(&sources, &Parameters::default())?.scratch_beside(to.as_ref());
    let places: Box<dyn Iterator<Item = (Bounds, f64)>> = match what.as_str() {
        "glo30" => Box::new(degrees().into_iter()),
        "sheets" => Box::new(sheets()),
        count => {
            let count: usize = count.parse().map_err(|_| hypso::Error::argument("COUNT", "is a number of records"))?;
            real.iter().try_for_each(|record| builder.add(record))?;
            let invented = catalogue::records(count.saturating_sub(real.len()));
            Box::new(invented.map(|record| (record.bounds, record.pixel_size)))
        }
    };
    for (number, (bounds, pixel_size)) in places.enumerate() {
        let raster = &real[number % real.len()];
        let path = another_name(&raster.path, number as u64 + 1);
        builder.add(&RecordInput { path, bounds, pixel_size, ..raster.clone() })?;
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

/// Metres of a degree of longitude in EPSG:3857.
const DEGREE: f64 = 111_319.490_793_273_58;

/// Cells of a degree with 30 m, as boxes and pixel sizes: those where some waves are highest.
fn degrees() -> Vec<(Bounds, f64)> {
    const CELLS: usize = 26_450;
    let height = |(lon, lat): &(i32, i32)| {
        let (x, y) = (f64::from(*lon).to_radians(), f64::from(*lat).to_radians());
        (2.0 * x + 0.4).sin() * y.cos()
            + (3.0 * x - 4.0 * y).sin() * 0.6
            + (7.0 * x + 5.0 * y).cos() * 0.3
            + y.sin() * 0.4
    };
    let mut cells: Vec<(i32, i32)> = (-84..84).flat_map(|lat| (-180..180).map(move |lon| (lon, lat))).collect();
    cells.sort_by(|a, b| height(b).total_cmp(&height(a)));
    cells.truncate(CELLS);
    let of = |(lon, lat): (i32, i32)| {
        // Columns become wider towards the poles: https://dataspace.copernicus.eu, product handbook of the model.
        let middle = f64::from(lat) + 0.5;
        let wide = [(50.0, 1.0), (60.0, 1.5), (70.0, 2.0), (75.0, 3.0), (80.0, 5.0)];
        let wide = wide.iter().find(|(below, _)| middle.abs() < *below).map_or(10.0, |(_, times)| *times);
        let size = DEGREE / 3600.0 * (wide / middle.to_radians().cos()).sqrt();
        (Bounds::from_lon_lat(lon.into(), lat.into(), f64::from(lon) + 1.0, f64::from(lat) + 1.0), size)
    };
    cells.into_iter().map(of).collect()
}

/// 500,000 sheets of 2 km by 1.5 km with cells of 1 m, as boxes and pixel sizes.
fn sheets() -> impl Iterator<Item = (Bounds, f64)> {
    let (west, north, stretch) = (14_000_000.0, 4_600_000.0, 1.0 / 36.0_f64.to_radians().cos());
    let (width, height) = (2000.0 * stretch, 1500.0 * stretch);
    (0..500_000_u32).map(move |number| {
        let (column, row) = (f64::from(number % 700), f64::from(number / 700));
        let (left, top) = (west + column * width, north - row * height);
        (Bounds::new(left, top - height, left + width, top), stretch)
    })
}
