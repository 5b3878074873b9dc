//! Queries on a store: by id, by place and by distance.
//!
//! A [`Place`] is a point, a box or a tile, in degrees or in metres; every query takes any of them.
//!
//! | wanted | method of [`Store`](crate::Store) |
//! |---|---|
//! | all records, best first | [`overlapping`](crate::Store::overlapping) |
//! | the best one, the best few | [`first_overlapping`](crate::Store::first_overlapping), [`best_overlapping`](crate::Store::best_overlapping) |
//! | how many, or whether any | [`count_overlapping`](crate::Store::count_overlapping), [`any_overlapping`](crate::Store::any_overlapping) |
//! | one after another, until enough | [`visit_overlapping`](crate::Store::visit_overlapping) |
//! | row numbers in a buffer, of one place or many | [`rows_overlapping`](crate::Store::rows_overlapping), [`rows_overlapping_batch`](crate::Store::rows_overlapping_batch) |
//! | the nearest, or all by distance | [`nearest`](crate::Store::nearest), [`by_distance`](crate::Store::by_distance) |
//! | a record by its id | [`by_id`](crate::Store::by_id) |
//! | what a tile of a run is sampled from | [`Tiles::sampled_for`](crate::index::tiles::Tiles::sampled_for) |
//!
//! Every answer is exact: it equals a test of every `f64` footprint. It comes in row order or in candidate order (priority, pixel
//! size, path), in which records win pixels. Queries take no lock. They allocate the answer only, and reuse a buffer where they
//! take one.
//!
//! ```
//! # use std::io::Cursor;
//! # use hypso::store::{self, DataType, RecordInput, SourceInput, Store};
//! use hypso::tile::{Bounds, LonLat, TileCoord};
//! # let sources = [SourceInput { name: "a".into(), ..Default::default() }];
//! # let record = |name: &str, pixel_size| RecordInput {
//! #     source: 0, path: name.into(), bounds: Bounds::from_lon_lat(138.0, 35.0, 139.0, 36.0), pixel_size,
//! #     width: 10, height: 10, crs: String::new(), nodata: None, data_type: DataType::F32, file_size: 0, modified_ns: 0, ..RecordInput::default()
//! # };
//! # let records = [record("coarse.tif", 30.0), record("fine.tif", 5.0)];
//! # let store = Store::from_bytes(store::write(Cursor::new(Vec::new()), &sources, &records, &Default::default())?.into_inner())?;
//! let best = store.first_overlapping(LonLat::new(138.7275, 35.3607)?).expect("a record covers Mount Fuji");
//! assert_eq!(best.path()?, "fine.tif");
//! assert_eq!(store.count_overlapping("8/226/100".parse::<TileCoord>()?), 2);
//! # Ok::<(), hypso::Error>(())
//! ```

mod answers;
mod nearest;
mod place;
mod search;

pub use answers::Answers;
pub use nearest::Neighbour;
pub use place::Place;
pub use search::{Order, Overlapping};
