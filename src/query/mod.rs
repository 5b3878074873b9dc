//! Queries on a store: by id, point, box, tile and neighbourhood.
//!
//! Every answer is exact (equal to the test on the `f64` footprints) and comes in row order or in candidate order:
//! (priority, pixel size, path), the order in which records win pixels. Queries lock nothing and allocate nothing but
//! the answer; the forms that take a buffer reuse it.
//!
//! ```
//! # use std::io::Cursor;
//! # use hypso::store::{self, DataType, RecordInput, SourceInput, Store};
//! # use hypso::tile::Bounds;
//! # let sources = [SourceInput { name: "a".into(), ..Default::default() }];
//! # let record = |name: &str, pixel_size| RecordInput {
//! #     source: 0, path: name.into(), bounds: Bounds::from_lon_lat(138.0, 35.0, 139.0, 36.0), pixel_size,
//! #     width: 10, height: 10, crs: String::new(), nodata: None, data_type: DataType::F32, file_size: 0, modified_ns: 0, ..RecordInput::default()
//! # };
//! # let records = [record("coarse.tif", 30.0), record("fine.tif", 5.0)];
//! # let store = Store::from_bytes(store::write(Cursor::new(Vec::new()), &sources, &records, &Default::default())?.into_inner())?;
//! let best = store.at_lon_lat(138.7275, 35.3607).next().expect("a record covers Mount Fuji");
//! assert_eq!(best.path()?, "fine.tif");
//! assert_eq!(store.in_tile("8/226/100".parse()?).count(), 2);
//! # Ok::<(), hypso::Error>(())
//! ```

mod answers;
mod nearest;
mod search;

pub use answers::Answers;
pub use nearest::Neighbour;
pub use search::{Order, Overlapping};
