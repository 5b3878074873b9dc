//! Heights to ask for: the tiles of a terrain archive in one mapped file, in which any pixel is read by itself.
//!
//! A tile is cut into blocks of 16 x 16 pixels. A block is a fitted surface and residuals of few bits, so that a height
//! needs an entry of a directory, a header and a residual, whatever tile it lies in: nothing is decoded or cached, and all processes share
//! the file's pages. Codes are those of the archive, bit by bit. `docs/heights-format.md` specifies the file.
//!
//! [`Heights`] opens such a file, [`HeightQueries`] is what can be asked, [`Writer`] makes one of codes. With the feature
//! `engine`, `archive` makes one of any terrain archive.
//!
//! - Longitudes and latitudes are degrees on WGS 84; heights are metres above the tiles' datum.
//! - The finest tile that covers a place answers. A void is `None`, unless [`Sampling::voids`] asks for coarser tiles.
//! - Latitudes beyond 85.0511 degrees lie outside of the map and have no height.

mod answers;
mod at;
mod block;
#[cfg(feature = "engine")]
mod copy;
mod entry;
#[cfg(feature = "engine")]
mod finer;
mod fit;
mod grid;
mod layer;
mod line;
mod many;
mod mapped;
mod names;
mod open;
mod pack;
mod queries;
mod sight;
mod slope;
mod statistics;
#[cfg(test)]
mod tests;
mod verify;
mod window;
mod writer;

pub use answers::{
    Extent, Height, Interpolation, Profile, ProfilePoint, Resample, Sampling, Seen, Sight, Slope, Spacing, Statistics,
    TileHeights, Voids, Window,
};
#[cfg(feature = "engine")]
pub(crate) use finer::finer;
pub use grid::Shape;
#[cfg(feature = "engine")]
pub(crate) use grid::{Grid, Pixels, Tiles};
pub use line::distance;
#[cfg(feature = "serve")]
pub(crate) use line::profile;
pub use names::{SCHEMA, is_heights};
pub use open::Heights;
pub use pack::{Facts, MAX_SIZE, Packed};
pub use queries::HeightQueries;
pub use writer::{Description, Writer};

#[cfg(doctest)]
#[doc = include_str!("../../docs/heights.md")]
mod guide {}
