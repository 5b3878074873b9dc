//! Elevation in tiles: encodings, vertical rounding, masks, means, lineage, image codecs and relief pictures.
//!
//! ```
//! use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec, VerticalResolution};
//! let codec = TileCodec {
//!     encoding: Encoding::Terrarium,
//!     format: ImageFormat::Webp,
//!     vertical: VerticalResolution::ByZoom,
//!     nodata_elevation: 0.0,
//!     level: Default::default(),
//!     encoder: Default::default(),
//! };
//! let mut tile = ElevationTile::empty(256);
//! tile.values[7] = 3776.24;
//! tile.valid[7] = 1;
//! codec.quantize(14, &mut tile);
//! assert_eq!(tile.values[7], 3776.25); // steps of 2^(19-14)/256 m = 12.5 cm at zoom 14
//! assert_eq!(codec.decode(&codec.encode(&tile)?)?, tile);
//! # Ok::<(), hypso::Error>(())
//! ```

/// Heights that the Earth has, metres: from -10,935 m (Challenger Deep) to 8,849 m (Mount Everest), with some room.
pub const EARTH: std::ops::RangeInclusive<f32> = -11_000.0..=9_000.0;

mod blend;
mod codec;
mod distance;
mod downsample;
mod encoder;
mod encoding;
mod gaps;
mod image;
mod lineage;
pub mod mask;
mod png;
pub mod relief;
mod tile;
pub mod webp;

pub use blend::{Composite, weights};
pub use codec::{CodeTile, TileCodec};
pub use distance::squared_distances;
pub use downsample::{downsample_into, downsample_lineage_into};
pub use encoder::WebpEncoder;
pub use encoding::{Encoding, VerticalResolution};
pub use gaps::fill_gaps;
pub use image::{ImageFormat, image_size, sniff};
pub use lineage::{INTERPOLATED, MOST_SOURCES, NO_SOURCE, decode_lineage, encode_lineage, legend, palette_color};
pub use tile::ElevationTile;
