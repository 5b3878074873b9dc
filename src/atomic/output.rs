//! Where outputs are written: what may stand there, and what of it may go.
//!
//! One rule for all. An input is never written over. A file that exists is replaced on request only, unless it says the same
//! already, or is one of those that hypso writes beside an output without being asked, and renews (the report, the inputs,
//! the store of `hypso tiles`): these are known by what they say about themselves. Anything else of their name is refused
//! before the work begins.

use std::io::Write;
use std::path::Path;

#[cfg(feature = "cli")]
use super::check_target;
use super::{AtomicFile, refuse_existing};
use crate::error::{Error, Result};
use crate::url;

/// Refuses a place that is taken, or where no file can be; before the work begins.
///
/// # Errors
/// [`Error::Exists`] where it is taken and `overwrite` is not said, and as [`check_target`].
#[cfg(feature = "cli")]
pub fn check_output(path: &Path, overwrite: bool) -> Result<()> {
    check_target(path)?;
    refuse_existing(path, overwrite)
}

/// True where a file holds these bytes already.
pub fn holds(path: &Path, bytes: &[u8]) -> bool {
    crate::local::read(path, bytes.len() as u64).is_ok_and(|found| found == bytes)
}

/// Writes a file whole, unless it says the same already. A text with passwords or tokens in URLs is for its user alone to read.
///
/// # Errors
/// [`Error::Exists`] where another one stands there and `overwrite` is not said.
pub fn write_whole(path: &Path, bytes: &[u8], overwrite: bool) -> Result<()> {
    if holds(path, bytes) {
        return Ok(());
    }
    refuse_existing(path, overwrite)?;
    let mut file = AtomicFile::create(path)?;
    if std::str::from_utf8(bytes).is_ok_and(url::holds_secret) {
        file.make_private()?;
    }
    file.file().write_all(bytes).map_err(Error::io("write", path))?;
    if overwrite { file.commit() } else { file.commit_new() }
}
