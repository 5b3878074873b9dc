//! `hypso tiles`: from rasters to an archive in one command.

use std::path::PathBuf;

use super::Outcome;
use super::aggregate::{RunArgs, TileArgs, Zooms, make};
use super::build::{self, CatalogArgs};
use super::store_file::{self, Care};

/// Make terrain tiles from folders of rasters, in one go.
///
/// The store is kept beside the output, so that `hypso query` and a later `hypso aggregate` find it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso tiles dem1a/ dem5a/ dem10b/ -o terrain.pmtiles\n  hypso tiles fine=survey/*.tif coarse=srtm/ -o terrain.pmtiles --max-zoom 14"
)]
pub struct Args {
    #[command(flatten)]
    catalog: CatalogArgs,
    /// The archive to write, .pmtiles or .mbtiles.
    #[arg(short, long)]
    output: PathBuf,
    /// The coarsest zoom.
    #[arg(long, value_name = "ZOOM")]
    min_zoom: Option<u8>,
    /// The finest zoom [default: the finest native zoom of the records].
    #[arg(long, value_name = "ZOOM")]
    max_zoom: Option<u8>,
    /// How zooms are cut into groups: single, balanced, safe, fast, incremental, or ranges such as 0-9,10-12,13.
    #[arg(long, default_value = "balanced", value_name = "PATTERN", alias = "groups")]
    split: String,
    #[command(flatten)]
    tiles: TileArgs,
    #[command(flatten)]
    run: RunArgs,
}

pub fn run(args: &Args) -> Outcome {
    let path = args.output.with_extension("hypso");
    // An unfinished run goes on from the store that it was started with, unless the rasters changed: the store is
    // built again, and comes out the same where they did not.
    build::build(&args.catalog, &path, args.tiles.tile_size.unwrap_or(512), None)?;
    let store = store_file::open(&path, Care::Thorough)?;
    let zooms = Zooms { min: args.min_zoom, max: args.max_zoom, pattern: args.split.parse()?, finer: None };
    make(&store, &args.output, zooms, &args.tiles, &args.run)
}
