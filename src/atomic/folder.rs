//! A folder of many files.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::place::{exchange, rename_new, resolve, sync_folder, sync_tree};
use super::temporary::{Live, Owns, create_folder, random, remove_entries, set_aside, sweep};
use crate::error::{Error, Result};

/// A folder that is filled beside its final name, and gets it by [`commit`](Self::commit).
///
/// Dropped without a commit, it goes with all that is in it.
#[derive(Debug)]
pub(crate) struct AtomicFolder {
    temporary: PathBuf,
    target: PathBuf,
    _lock: Option<File>,
    /// Where the process is ended, the temporary name goes.
    live: Option<Live>,
    committed: bool,
}

impl AtomicFolder {
    /// Starts a folder for `target`, or for what that leads to where it is a link; removes what killed programs left of it, as
    /// far as `owns` knows it.
    ///
    /// # Errors
    /// Where the folder above is missing or can't be written, or the target is a link that leads nowhere.
    pub(crate) fn create(target: &Path, owns: Owns<'_>) -> Result<Self> {
        if target.file_name().is_none() {
            return Err(Error::argument(target.display().to_string(), "has no name; name the folder to make"));
        }
        let target = resolve(target)?;
        sweep(&target, owns);
        let (lock, temporary, live) = create_folder(&target)?;
        Ok(Self { temporary, target, _lock: lock, live: Some(live), committed: false })
    }

    /// Where files are put.
    pub(crate) fn path(&self) -> &Path {
        &self.temporary
    }

    /// Makes all files durable and gives the folder its name. Where one stands there, and `replaces` allows it, they
    /// exchange names, and of the old one goes what `owns` knows.
    ///
    /// # Errors
    /// Those of `replaces`, and where the system refuses; nothing has changed then. Where something of the old folder stays, which
    /// is named; the new one stands in its place then.
    pub(crate) fn commit(mut self, replaces: impl FnOnce(&Path) -> Result<()>, owns: Owns<'_>) -> Result<()> {
        sync_tree(&self.temporary)?;
        let failed = Error::io("rename into place", &self.target);
        if self.target.symlink_metadata().is_err() {
            rename_new(&self.temporary, &self.target).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => Error::Exists { path: self.target.clone() },
                _ => failed(error),
            })?;
            self.committed = true;
            return sync_folder(&self.target).map_err(|error| error.after_whole(&self.target));
        }
        replaces(&self.target)?;
        // From here on what has the temporary name is not ours alone.
        drop(self.live.take());
        exchange(&self.temporary, &self.target).map_err(failed)?;
        self.committed = true;
        sync_folder(&self.target).map_err(|error| error.after_whole(&self.target))?;
        remove_tree(&self.temporary, &self.target, owns)
    }
}

/// Removes a folder that is of no use any more: it loses its name in one step, then what `owns` knows of it goes.
///
/// # Errors
/// Where the system refuses, or something stays, which is named.
pub(crate) fn retire(folder: &Path, owns: Owns<'_>) -> Result<()> {
    let aside = set_aside(folder)?;
    let Some(first) = remove_entries(&aside, owns).1 else { return Ok(()) };
    let problem = format!("is what is left of {}: {} could not be removed", folder.display(), first.display());
    Err(Error::busy(aside, problem))
}

impl Drop for AtomicFolder {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_dir_all(&self.temporary);
        }
    }
}

/// Removes what is left of an old folder, entry by entry. What `owns` does not know stays, under a name that nobody takes
/// for temporary.
///
/// # Errors
/// Where something stays: says what, and where.
fn remove_tree(old: &Path, target: &Path, owns: Owns<'_>) -> Result<()> {
    let (_, kept) = remove_entries(old, owns);
    let Some(first) = kept else { return Ok(()) };
    let aside = crate::local::with_ending(target, format!(".kept-{:016x}", random()));
    let place = if fs::rename(old, &aside).is_ok() { aside } else { old.to_path_buf() };
    let first = first.strip_prefix(old).unwrap_or(&first).display().to_string();
    let problem = format!(
        "is left of the folder that was replaced, with what could not be removed, such as {first}; look into it"
    );
    Err(Error::busy(place, problem).after_whole(target))
}
