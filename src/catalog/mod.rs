//! Sources and records from what lies on disk: rasters, `bounds.csv`, tile indices, a configuration file.
//!
//! A [`SourceSpec`] says where a source lies and what is known of it; [`build_catalog`] turns specs, in order of their
//! priority, into the sources and records that a store is written from, and names every file that can't be used and why.
//! The order of records is that of the specs, and inside a source that of the bytes of their paths: it depends neither
//! on the number of threads nor on the file system.
//!
//! [`make_store`] does all of it, and writes the store.
//!
//! ```
//! use hypso::catalog::{Location, SourceSpec};
//! # let folder = tempfile::tempdir()?;
//! # std::fs::create_dir(folder.path().join("dem5a"))?;
//! let spec = SourceSpec::parse(&format!("{}/dem5a", folder.path().display()))?;
//! assert_eq!(spec.name, "dem5a");
//! assert!(matches!(spec.location, Location::Folder(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bounds_csv;
mod build;
pub mod config;
mod files;
mod fingerprint;
mod known;
mod make;
mod masks;
mod notes;
mod reindex;
mod rejected;
mod scan;
mod spec;
mod stac;
mod tile_index;
mod unread;

pub use build::{Catalog, OnError, Options, Scanned, Survey, build_catalog};
pub use files::{EXTENSIONS, Found, list};
pub use known::{ASSUMED, Known, KnownSource};
pub use make::{Gathered, Made, MakeOptions, Step, lists, make_store, specs_of};
pub use notes::{ADJUSTED, notes, notes_of};
pub use reindex::{Reindexed, reindex};
pub use rejected::{Reason, Rejected};
pub use scan::{Outcome, Taken, ToScan, scan};
pub use spec::{Location, SourceSpec, check_names, gather};
pub use unread::{Others, Unread};

/// What the path of the second part of a file begins with.
const SECOND: &str = "./";

/// The path of a record: that of its file; and with `./` before it for the second part of a file that lies across the
/// 180th meridian, which has a record on each side. So each has its own id, and both open the file.
pub(crate) fn part_path(path: &str, part: usize) -> String {
    if part == 0 { path.to_string() } else { format!("{SECOND}{path}") }
}
