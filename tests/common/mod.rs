//! What several test files need.
#![allow(dead_code, reason = "each test file uses a part")]

#[path = "../../examples/common/random.rs"]
pub mod random;
pub mod ranges;

use std::io::Cursor;
use std::path::PathBuf;

use hypso::store::{self, DataType, Parameters, RecordInput, SourceInput, Store};
use hypso::tile::Bounds;
pub use random::Random;

/// Makes this process read rasters by GDAL, as `hypso-rasters` does.
#[cfg(feature = "gdal")]
pub fn read_rasters() {
    hypso::raster::read_by(&hypso::render::GdalOpener);
}

/// Three sources of different resolution over some islands, as a catalogue would list them.
pub fn catalogue(count: usize, seed: u64) -> (Vec<SourceInput>, Vec<RecordInput>) {
    let names = ["dem1", "dem5", "dem10"];
    let source = |name: &str| SourceInput {
        name: name.to_string(),
        root: PathBuf::from("/data").join(name),
        attribution: format!("© survey of {name}"),
        licence: "CC BY 4.0".into(),
        vertical_datum: "EPSG:6695".into(),
    };
    let mut random = Random(seed);
    let mut records = Vec::new();
    for i in 0..count {
        let which = i % 3;
        let cell = [1500.0, 3000.0, 12_000.0][which];
        let large = if random.unit() < 0.01 { 20.0 } else { 1.0 };
        let island = random.next() % 5;
        let (cx, cy) = (1.4e7 + island as f64 * 4e5, 4.0e6 + island as f64 * 3e5);
        let (x, y) = (cx + (random.unit() * 60.0).floor() * cell, cy + (random.unit() * 60.0).floor() * cell);
        let overlap = cell * 0.01;
        records.push(RecordInput {
            source: which,
            path: format!("{}/{i:07}.tif", i / 1000),
            bounds: Bounds::new(x, y, x + cell * large + overlap, y + cell * large + overlap),
            pixel_size: [1.2, 6.0, 12.0][which] * (1.0 + random.unit() * 0.01),
            width: 1000,
            height: 1001,
            crs: ["EPSG:6668", "EPSG:32654", ""][i % 3].into(),
            nodata: (i % 2 == 0).then_some(-9999.0),
            data_type: [DataType::F32, DataType::I16, DataType::Unknown][which],
            file_size: 1000 + i as u64,
            modified_ns: 1_700_000_000_000_000_000 + i as i64,
            ..RecordInput::default()
        });
    }
    (names.iter().map(|n| source(n)).collect(), records)
}

/// The bytes of a store.
pub fn store_bytes(sources: &[SourceInput], records: &[RecordInput]) -> Vec<u8> {
    store::write(Cursor::new(Vec::new()), sources, records, &Parameters::default())
        .expect("the store is written")
        .into_inner()
}

/// A store in memory.
pub fn store(count: usize, seed: u64) -> Store {
    let (sources, records) = catalogue(count, seed);
    Store::from_bytes(store_bytes(&sources, &records)).expect("the store opens")
}

/// Makes all checksums of a file fit its bytes, as after damage before they were made, or by somebody who means it. The table must
/// be whole.
pub fn fit_checksums(file: &mut [u8]) {
    use hypso::format::{Sections, checksum::checksum, layout};
    let sections = Sections::parse(file).expect("only sections are damaged");
    for (i, entry) in sections.entries().iter().enumerate() {
        let start = entry.offset() as usize;
        let sum = checksum(&file[start..start + entry.length() as usize]);
        let end = layout::TABLE_OFFSET + (i + 1) * layout::ENTRY_LENGTH;
        file[end - 8..end].copy_from_slice(&sum.to_le_bytes());
    }
    let end = layout::TABLE_OFFSET + sections.entries().len() * layout::ENTRY_LENGTH;
    let table = checksum(&file[layout::TABLE_OFFSET..end]);
    file[TABLE_CHECKSUM..TABLE_CHECKSUM + 8].copy_from_slice(&table.to_le_bytes());
    let header = checksum(&file[..layout::HEADER_CHECKSUM_OFFSET]);
    file[layout::HEADER_CHECKSUM_OFFSET..layout::HEADER_LENGTH].copy_from_slice(&header.to_le_bytes());
}

/// Where the header holds the checksum of the table.
const TABLE_CHECKSUM: usize = 40;

/// The folder of real data; `None` (with the reason printed) where it is missing. Missing under CI is a failure.
pub fn shared(what: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("HYPSO_SHARED").map_or(beside, PathBuf::from).join(what);
    if folder.exists() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "CI is set, but {} is missing", folder.display());
    println!("skipped: {} is missing", folder.display());
    None
}

/// The catalogue of the worked example in `store-format.md` and of `fixtures/two-records.hypso`. Never change it.
pub fn two_records() -> (Vec<SourceInput>, Vec<RecordInput>) {
    let source = |name: &str, root: &str| SourceInput {
        name: name.into(),
        root: PathBuf::from(root),
        attribution: "Example Survey".into(),
        licence: "CC BY 4.0".into(),
        vertical_datum: "EPSG:6695".into(),
    };
    let record = |source, path: &str, side: f64, pixel_size, nodata| RecordInput {
        source,
        path: path.into(),
        bounds: Bounds::new(15_000_000.0, 4_000_000.0, 15_000_000.0 + side, 4_000_000.0 + side),
        pixel_size,
        width: 1024,
        height: 1024,
        crs: "EPSG:3857".into(),
        nodata,
        data_type: DataType::F32,
        file_size: 4_194_816,
        modified_ns: 1_700_000_000_000_000_000,
        ..RecordInput::default()
    };
    (
        vec![source("fine", "/data/fine"), source("coarse", "/data/coarse")],
        vec![record(0, "a.tif", 5120.0, 5.0, Some(-9999.0)), record(1, "b.tif", 40_960.0, 40.0, None)],
    )
}

/// The user interrupted the work before it began.
pub struct Stopped;

impl hypso::progress::Progress for Stopped {
    fn begin(&self, _: &str, _: Option<u64>, _: &'static str) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn note(&self, _: &str) {}
    fn interrupted(&self) -> bool {
        true
    }
}
