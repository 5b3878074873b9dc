//! The program as a user runs it: whole runs, workers, limits, signals, options, exports.
#![cfg(all(feature = "cli", feature = "gdal"))]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "serve")]
#[path = "../common/http.rs"]
mod http;
#[path = "../common/objects.rs"]
mod objects;
#[path = "../common/program.rs"]
mod program;
#[path = "../common/surface.rs"]
mod surface;

mod areas;
mod attacks;
mod blocks;
#[cfg(feature = "remote")]
mod buckets;
mod damage;
mod datums;
#[cfg(feature = "serve")]
mod elevation_service;
mod export;
mod geotiff;
mod heights;
#[cfg(feature = "geoparquet")]
mod items;
mod jpgis;
mod limits;
mod nothing_lost;
mod operations;
mod programs;
mod publish;
mod refused;
mod remote;
#[cfg(feature = "serve")]
mod replaced;
mod runs;
#[cfg(feature = "serve")]
mod serve;
mod service;
#[cfg(feature = "serve")]
mod serving;
#[cfg(feature = "serve")]
mod serving_files;
mod shards;
mod tile_index;
mod workers;
