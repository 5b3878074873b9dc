//! Writes a store from a small made-up catalogue: two sources of adjacent cells.
//!
//! ```text
//! cargo run --no-default-features --example build_store -- /tmp/islands.hypso
//! ```

use hypso::store::{self, DataType, Parameters, RecordInput, SourceInput};
use hypso::tile::Bounds;

fn main() -> hypso::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        return Err(hypso::Error::argument("usage", "build_store STORE"));
    };
    // The first source wins where both have a value.
    let sources = [
        SourceInput {
            name: "survey".into(),
            root: "/data/survey".into(),
            attribution: "Example Survey".into(),
            licence: "CC BY 4.0".into(),
            vertical_datum: "EPSG:6695".into(),
        },
        SourceInput { name: "world".into(), root: "/data/world".into(), ..Default::default() },
    ];
    let mut records = cells(0, 12, 3000.0, 5.0);
    records.extend(cells(1, 3, 20_000.0, 30.0));
    store::write_file(&path, &sources, &records, &Parameters::default())?;
    println!("{path}: {} records of {} sources", records.len(), sources.len());
    Ok(())
}

/// A square of `side` x `side` adjacent cells, `metres` wide each, with its south-western corner near Mount Fuji.
fn cells(source: usize, side: u32, metres: f64, pixel_size: f64) -> Vec<RecordInput> {
    let (west, south) = hypso::tile::web_mercator::from_lon_lat(138.5, 35.2);
    let pixels = (metres / pixel_size) as u32;
    let cell = |x: u32, y: u32| RecordInput {
        source,
        path: format!("{x:02}/{y:02}.tif"),
        bounds: Bounds::new(
            west + f64::from(x) * metres,
            south + f64::from(y) * metres,
            west + f64::from(x + 1) * metres,
            south + f64::from(y + 1) * metres,
        ),
        pixel_size,
        width: pixels,
        height: pixels,
        crs: "EPSG:3857".into(),
        nodata: Some(-9999.0),
        data_type: DataType::F32,
        file_size: u64::from(pixels) * u64::from(pixels) * 4,
        modified_ns: 1_700_000_000_000_000_000,
        ..RecordInput::default()
    };
    (0..side).flat_map(|y| (0..side).map(move |x| cell(x, y))).collect()
}
