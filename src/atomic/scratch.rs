//! A file without a name, for what doesn't fit in memory: written and read at offsets, by several threads.

use std::path::{Path, PathBuf};

use super::{AtOffsets, Live, check_target, create_file};
use crate::error::{Error, Result};

/// A file on the volume of an output that goes away with this value. Where the system allows it, it has no name as soon as it is
/// made; so nothing is left whatever happens.
#[derive(Debug)]
pub struct ScratchFile {
    file: AtOffsets,
    #[cfg_attr(unix, allow(dead_code, reason = "the name is gone already"))]
    path: PathBuf,
    /// The output, for messages.
    target: PathBuf,
    /// Where the process is ended, the file goes.
    _live: Live,
}

impl ScratchFile {
    /// Makes the file in the folder of `target`.
    pub(crate) fn beside(target: &Path) -> Result<Self> {
        let (file, path, live) = create_file(&check_target(target)?)?;
        #[cfg(unix)]
        let _ = std::fs::remove_file(&path);
        Ok(Self { file: AtOffsets::new(file), path, target: target.to_path_buf(), _live: live })
    }

    /// Writes `bytes` at an offset.
    ///
    /// # Errors
    /// Where the volume is full or can't be written.
    pub fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write(bytes, offset).map_err(Error::io("write a temporary file beside", &self.target))
    }

    /// Fills `bytes` from an offset.
    ///
    /// # Errors
    /// Where the file ends before, or can't be read.
    pub fn read(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        self.file.read(bytes, offset).map_err(Error::io("read a temporary file beside", &self.target))
    }
}

#[cfg(not(unix))]
impl Drop for ScratchFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
