//! Pixels of rasters: windows, geotransforms, kernels and warping.
//!
//! A tile is made from a raster in four steps, each of which depends on the tile and the raster alone and never on how
//! the work is split:
//!
//! 1. [`warp::pixel_map`] says where the centre of each of the tile's pixels falls, in fractional cells of the raster.
//! 2. [`warp::source_window`] says which cells the kernel needs; the window may reach beyond the raster.
//! 3. [`Raster::read_into`] fills the window; neighbours on the same lattice ([`lattice_offset`]) fill what has no value
//!    yet, and other neighbours are sampled at its cells ([`warp::sample`]), so that no seam stands where one file ends and
//!    the next begins.
//! 4. [`warp::resample`] makes the pixels whose centres lie inside the raster.
//!
//! Cells have a mask beside their values: nodata never enters a mean. What reads rasters stands behind [`RasterReader`]; GDAL
//! does, in one folder, behind the feature `gdal`; [`jpgis`] reads what it has no driver for.

mod block;
mod cells;
mod footprint;
mod form;
mod geotransform;
mod info;
#[cfg_attr(not(feature = "gdal"), expect(dead_code, reason = "cells are read behind the door, which needs PROJ"))]
pub mod jpgis;
pub mod kernel;
mod objects;
mod opener;
pub mod parts;
mod pixel_map;
mod resampling;
mod seam;
mod separable;
mod stamp;
mod table;
mod turn;
pub mod unit;
pub mod warp;
mod zipped;

#[cfg(feature = "gdal")]
pub mod gdal;

pub use block::Block;
pub use cells::{Cells, State, Window};
pub use footprint::{Footprint, ToMercator, footprint, footprint_by, on_the_lattice, world_parts};
pub use form::{CogForm, GeoTiffCompression, GeoTiffSpec, GeoTiffType, PutCells};
pub use geotransform::GeoTransform;
pub use info::{
    Adjustment, Projector, Raster, RasterInfo, Unusable, VerticalShift, lattice_offset, read_around, read_neighbour,
    shares_lattice,
};
pub use objects::{Listed, Network, Objects};
pub(crate) use objects::{look_ahead, network, objects};
pub use opener::{Degrees, RasterOpener, RasterReader, SMALL_BLOCK, read_by, reader};
pub use resampling::Resampling;
pub(crate) use stamp::modified;
pub use stamp::{FileStamp, plain_stamp, stamp};
pub use table::{Feature, FieldKind, FieldValue, FootprintTables, PutRow, TableForm};
pub use turn::{Around, FromDegrees, LATITUDE, around};
pub use warp::{PixelMap, pixel_map, pixel_scale, resample, source_window};
pub use zipped::{Member, members};
