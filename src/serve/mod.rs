//! Tiles, heights, records and lineage over HTTP, from files that may be replaced at any time.
//!
//! A *dataset* is a name and up to four files: tiles, their lineage, heights, and a store of records. All datasets of a moment
//! are a [`Catalogue`], which never changes; when a file is replaced, a new catalogue takes the old one's place. A request asks
//! one catalogue, so that no answer mixes two versions of a file.
//!
//! ```no_run
//! use hypso::serve::{Input, Options, Server};
//!
//! let mut options = Options::default();
//! options.inputs.push(Input::parse("japan=/srv/terrain/japan.pmtiles")?);
//! Server::new(options)?.run()?;
//! # Ok::<(), hypso::Error>(())
//! ```
//!
//! A dataset of a store alone has heights where the process reads rasters: see [`read_by`](crate::render::read_by).

mod answer;
mod app;
mod ask;
mod body;
mod catalogue;
mod connections;
mod cost;
mod dataset;
mod dialects;
mod endpoints;
mod heavy;
mod listen;
mod observe;
mod options;
mod params;
mod preload;
mod problem;
mod rasters;
mod router;
mod scan;
mod server;
mod tileset;
mod viewer;

pub use catalogue::Catalogue;
pub use dataset::{Dataset, Elevation, ElevationFrom};
pub use options::{DatasetOptions, Input, Limits, Missing, Options};
pub use server::{Checked, Running, Server};
