//! `hypso tiles`: from rasters to an archive in one command.

use std::path::{Path, PathBuf};

use super::Outcome;
use super::aggregate::{JobArgs, make};
use super::build::{self, CatalogArgs};
use super::observed::Touched;
use super::store_file::{self, Care};
use crate::catalog::Known;
use crate::error::{Error, Result};
use crate::store::SourceInput;

/// Make terrain tiles from folders of rasters, with one command.
///
/// The store is kept beside the output, so that `hypso query` and a later `hypso aggregate` find it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hypso tiles dem1a/ dem5a/ dem10b/ -o terrain.pmtiles\n  hypso tiles fine=survey/*.tif coarse=srtm/ -o terrain.pmtiles --max-zoom 14"
)]
pub struct Args {
    #[command(flatten)]
    catalog: CatalogArgs,
    /// The archive to write: .pmtiles, .mbtiles or .heights.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    job: JobArgs,
}

impl Args {
    /// What it reads and writes.
    pub fn touched(&self) -> Option<Touched> {
        let outputs = self.job.tiles.outputs(&self.output).into_iter().chain([self.output.with_extension("hypso")]);
        Touched::of(self.catalog.places(), outputs)
    }
}

pub fn run(args: &Args) -> Outcome {
    let mut options = args.job.options(&args.output)?;
    let rules = args.catalog.rules()?;
    options.rules = args.job.run.rules(rules.clone());
    let path = args.output.with_extension("hypso");
    // An unfinished run goes on from the store that it was started with, unless the rasters changed: the store is
    // built again, without opening what did not change, and then comes out the same.
    let known = store_file::open(&path, Care::Thorough).ok().and_then(|store| Known::new(store).ok());
    let replaces = options.overwrite || options.update;
    if path.exists() && !options.overwrite && !crate::store::is_one(&path) {
        return Err(Error::Exists { path }.into());
    }
    let before = known.as_ref().map(|known| known.store().source_inputs()).transpose()?;
    let may_replace = |sources: &[SourceInput]| refuse_other(&path, before.as_deref().filter(|_| !replaces), sources);
    let tile_size = options.tile_size.unwrap_or(512);
    let specs = args.catalog.specs()?;
    let built = build::build(&args.catalog, &specs, &path, tile_size, known.as_ref(), &rules, &may_replace)?;
    let store = store_file::open(&path, Care::Thorough)?;
    let code = make(&store, &options)?;
    Ok(code.max(built.code))
}

/// Refuses a store of other sources. It belongs to another tileset, whose name has the same stem.
fn refuse_other(path: &Path, before: Option<&[SourceInput]>, sources: &[SourceInput]) -> Result<()> {
    let place = |source: &SourceInput| (source.name.clone(), source.root.clone());
    let Some(before) = before.filter(|before| !before.iter().map(place).eq(sources.iter().map(place))) else {
        return Ok(());
    };
    let names: Vec<&str> = before.iter().map(|source| source.name.as_str()).take(5).collect();
    let problem = format!(
        "is the store of other sources ({}), and this command would replace it; choose another output, or say --overwrite",
        names.join(", ")
    );
    Err(Error::argument(path.display().to_string(), problem))
}
