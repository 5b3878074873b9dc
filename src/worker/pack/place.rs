//! Where packs lie: in a folder, or below a name in a bucket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::local;
use crate::url;

/// Packs that are removed at once.
#[cfg(feature = "remote")]
const AT_ONCE: usize = 1000;

/// The volume on which packs are made, and where they stay unless that is a bucket.
pub(in crate::worker) fn volume(work: &Path) -> PathBuf {
    if url::is_one(work) { std::env::temp_dir() } else { work.to_path_buf() }
}

/// All of a file beside packs; `None` where there is none.
pub(in crate::worker) fn read_all(path: &Path, largest: u64) -> Result<Option<Vec<u8>>> {
    if url::is_one(path) {
        #[cfg(feature = "remote")]
        return super::bucket::read(path, largest);
        #[cfg(not(feature = "remote"))]
        return Err(without_network(path));
    }
    match local::read(path, largest) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Refuses a place where no packs can be put.
#[cfg_attr(not(feature = "remote"), allow(unused_variables, reason = "there is no network"))]
pub(in crate::worker) fn check_output(work: &Path) -> Result<()> {
    #[cfg(feature = "remote")]
    return if url::is_one(work) { super::bucket::check_output(work) } else { Ok(()) };
    #[cfg(not(feature = "remote"))]
    if url::is_one(work) { Err(without_network(work)) } else { Ok(()) }
}

/// Makes an object beside packs in a bucket.
///
/// # Errors
/// [`Error::Exists`] where there is one.
#[cfg_attr(not(feature = "remote"), allow(unused_variables, reason = "there is no network"))]
pub(in crate::worker) fn create(path: &Path, bytes: Vec<u8>) -> Result<()> {
    #[cfg(feature = "remote")]
    return super::bucket::create(path, bytes);
    #[cfg(not(feature = "remote"))]
    Err(without_network(path))
}

/// Removes a pack; false where there was none.
pub(in crate::worker) fn discard(path: &Path) -> Result<bool> {
    if url::is_one(path) {
        discard_all(std::iter::once(path.to_path_buf()))?;
        return Ok(true);
    }
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("remove", path)(error)),
    }
}

/// Removes objects of one bucket.
#[cfg(feature = "remote")]
pub(in crate::worker) fn discard_all(paths: impl Iterator<Item = PathBuf>) -> Result<()> {
    let mut paths = paths.peekable();
    while paths.peek().is_some() {
        super::bucket::remove(paths.by_ref().take(AT_ONCE))?;
    }
    Ok(())
}

#[cfg(not(feature = "remote"))]
pub(in crate::worker) fn discard_all(mut paths: impl Iterator<Item = PathBuf>) -> Result<()> {
    paths.next().map_or(Ok(()), |first| Err(without_network(&first)))
}

#[cfg(not(feature = "remote"))]
fn without_network(path: &Path) -> Error {
    let problem = "lies on a network, and this hypso was built without (the feature remote)";
    Error::argument(path.display().to_string(), problem)
}
