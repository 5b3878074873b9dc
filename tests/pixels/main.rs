//! From rasters to pixels: catalogues, plans, warping, seams, and tiles of real data.
#![cfg(feature = "engine")]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "gdal")]
#[path = "../common/surface.rs"]
mod surface;

mod around_the_world;
mod catalog;
mod one_surface;
mod options;
mod placement;
mod plan;
mod real_data;
mod sample;
mod seams;
mod single_tiles;
mod slivers;
mod warp_against_gdal;
