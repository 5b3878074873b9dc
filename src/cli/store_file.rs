//! Opening stores for commands.

use std::path::Path;

use crate::container::Advice;
use crate::error::{Error, Result};
use crate::store::Store;

/// Stores up to this size have their checksums checked by every command; it takes some hundredths of a second.
const ALWAYS_CHECKED: usize = 256 << 20;

/// How carefully a store is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Checksums of all sections unless the store is large; for commands that answer at once.
    Quick,
    /// Checksums of all sections, always; for work that takes long.
    Thorough,
}

/// Opens a store and checks it.
pub fn open(path: &Path, care: Care) -> Result<Store> {
    let store = Store::open(path)?;
    // Commands read whole columns, and checksums read everything; opening expects single queries.
    store.advise(Advice::Normal)?;
    let checked = care == Care::Thorough || store.bytes().len() <= ALWAYS_CHECKED;
    let problems = if checked { store.container().verify_checksums() } else { Vec::new() };
    if let Some(problem) = problems.into_iter().next() {
        let part = format!("section {:?}", problem.section);
        return Err(Error::invalid(part, problem.problem, "build the store again with `hypso build`").with_path(path));
    }
    Ok(store)
}
