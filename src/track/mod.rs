//! Points and lines as people write them: text, CSV, GeoJSON, GPX, encoded polylines.
//!
//! Long inputs are read in [`Chunks`] of whole records, so that several threads can work on them; a [`Layout`] says which fields of
//! a record are longitudes and latitudes. GeoJSON passes through [`add_heights`] one position at a time. Lines, which have
//! one order, are read whole by [`Line`].
//!
//! Every error names the line of the input, and shows it.
//!
//! ```
//! use hypso::track::{Chunks, Layout, POINT};
//! let input = "name,lat,lon\nFuji,35.3607,138.7275\n\"Hotaka, Oku\",36.2892,137.6480\n";
//! let mut chunks = Chunks::new(input.as_bytes());
//! let first = chunks.next().expect("a chunk")?;
//! let layout = Layout::find(&first, &POINT, None)?;
//! let mut found = Vec::new();
//! layout.each::<1>(&first, |record, [point]| {
//!     found.push((record.to_vec(), point.lon()));
//!     Ok(())
//! })?;
//! assert_eq!(found[1], (b"\"Hotaka, Oku\",36.2892,137.6480".to_vec(), 137.648));
//! # Ok::<(), hypso::Error>(())
//! ```

mod begin;
mod chunks;
mod geojson;
mod layout;
mod line;

pub use begin::{Begun, begin};
pub use chunks::{Chunk, Chunks};
pub use geojson::add_heights;
pub use layout::{Coordinate, Layout, PAIR, POINT, place};
pub use line::{Line, decode_polyline, encode_polyline};

/// A piece of an input for a message: what can be read of its first 60 characters.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
    let short: String = text.chars().take(60).collect();
    let more = if bytes.len() > short.len() { " …" } else { "" };
    format!("{short:?}{more}")
}
