//! `hypso tiles`: from rasters to an archive in one command.

use std::path::PathBuf;

use super::aggregate::{RunArgs, TileArgs, ZoomOptions, make};
use super::build::{self, CatalogArgs};
use super::store_file::{self, Care};
use super::{Outcome, exit};
use crate::catalog::Known;

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
    #[command(flatten)]
    zooms: ZoomOptions,
    #[command(flatten)]
    tiles: TileArgs,
    #[command(flatten)]
    run: RunArgs,
}

pub fn run(args: &Args) -> Outcome {
    // Before a country is scanned.
    args.tiles.area.area()?;
    let path = args.output.with_extension("hypso");
    // An unfinished run goes on from the store that it was started with, unless the rasters changed: the store is
    // built again, without opening what did not change, and then comes out the same.
    let known = store_file::open(&path, Care::Thorough).ok().and_then(|store| Known::new(store).ok());
    let built = build::build(&args.catalog, &path, args.tiles.tile_size.unwrap_or(512), known.as_ref())?;
    let store = store_file::open(&path, Care::Thorough)?;
    let zooms = args.zooms.zooms()?;
    let code = make(&store, &args.output, zooms, &args.tiles, &args.run)?;
    Ok(if built.alert { exit::ALERT } else { code })
}
