//! The records of a store, indexed for another tile size.

use std::io::BufWriter;
use std::path::Path;

use super::notes_of;
use crate::atomic::AtomicFile;
use crate::error::Result;
use crate::store::{Builder, Parameters, Store};

/// A store in a temporary file, which is removed when this is dropped.
#[derive(Debug)]
pub struct Reindexed {
    store: Store,
    _file: AtomicFile,
}

impl Reindexed {
    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// The same records indexed for tiles of `tile_size` pixels a side, in a temporary file beside `output`. No raster is read.
///
/// # Errors
/// Where the file can't be written, or the store is damaged.
pub fn reindex(store: &Store, tile_size: u32, output: &Path) -> Result<Reindexed> {
    let sources = store.source_inputs()?;
    let path = crate::local::with_ending(output, format!(".{tile_size}px.hypso"));
    let mut file = AtomicFile::create(&path)?;
    file.make_private()?;
    let parameters = Parameters { tile_size, metadata: notes_of(store)? };
    let mut builder = Builder::new(&sources, &parameters)?.scratch_beside(&path);
    store.each_input(|record| builder.add(&record))?;
    builder.finish(BufWriter::with_capacity(1 << 20, file.file()))?;
    let store = Store::open(file.temporary())?;
    Ok(Reindexed { store, _file: file })
}
