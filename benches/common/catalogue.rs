//! Records shaped like real catalogues, of any number, one by one.

#[path = "../../examples/common/random.rs"]
mod random;

use hypso::store::{DataType, RecordInput, SourceInput};
use hypso::tile::Bounds;
pub use random::Random;

pub fn sources() -> Vec<SourceInput> {
    let source = |name: &str| SourceInput { name: name.into(), ..Default::default() };
    ["dem1", "dem5", "dem10"].map(source).into()
}

/// Forty islands along an arc, each a square of cells of every resolution; finer ones cover a part of the coarser ones,
/// cells overlap their neighbours by a pixel, and one in a hundred is large. The arc grows with the number of records,
/// so that they lie as densely whatever their number. Ordered by source and path.
pub fn records(count: usize) -> impl Iterator<Item = RecordInput> {
    const ISLANDS: usize = 40;
    // Of ten cells, six are fine, three middle and one coarse.
    let kinds = [(0, 0.6, 225.0, 1.2), (1, 0.3, 550.0, 6.0), (2, 0.1, 2250.0, 12.0)];
    let length = 1.2e6 * (count as f64 / 1e6).sqrt();
    let mut random = Random(1);
    kinds.into_iter().flat_map(move |(source, share, cell, pixel)| {
        let mut random = Random(random.next());
        let cells = (count as f64 / ISLANDS as f64 * share) as usize;
        let side = (cells as f64).sqrt().ceil() as usize;
        (0..ISLANDS * cells).map(move |at| {
            let (island, i) = (at / cells, at % cells);
            let t = island as f64 / ISLANDS as f64;
            let (west, south) = (1.0e7 + t * length, 2.0e6 + t * t * length);
            let large = if random.unit() < 0.01 { 12.0 } else { 1.0 };
            let (x, y) = (west + (i % side) as f64 * cell, south + (i / side) as f64 * cell);
            RecordInput {
                source,
                path: format!("{island:02}/{:04}/{:04}.tif", i / side, i % side),
                bounds: Bounds::new(x, y, x + cell * large + pixel, y + cell * large + pixel),
                pixel_size: pixel * large,
                width: 400,
                height: 400,
                crs: "EPSG:6668".into(),
                nodata: Some(-9999.0),
                data_type: DataType::F32,
                file_size: 640_000,
                modified_ns: 0,
                ..RecordInput::default()
            }
        })
    })
}
