//! An unnamed file beside an output, for what doesn't fit in memory: written and read at offsets, by several threads.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file without a name on the volume of an output; it is removed with this value.
#[derive(Debug)]
pub struct ScratchFile {
    #[cfg(unix)]
    file: File,
    #[cfg(not(unix))]
    file: std::sync::Mutex<File>,
    /// The output, for messages.
    target: PathBuf,
}

impl ScratchFile {
    /// Makes the file in `folder`.
    pub(super) fn create(folder: &Path, target: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(Error::io("make a temporary file beside", target))?;
        #[cfg(not(unix))]
        let file = std::sync::Mutex::new(file);
        Ok(Self { file, target: target.to_path_buf() })
    }

    /// Writes `bytes` at an offset.
    ///
    /// # Errors
    /// Where the volume is full or can't be written.
    pub fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.write_at(bytes, offset).map_err(Error::io("write a temporary file beside", &self.target))
    }

    /// Fills `bytes` from an offset.
    ///
    /// # Errors
    /// Where the file ends before, or can't be read.
    pub fn read(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        self.read_at(bytes, offset).map_err(Error::io("read a temporary file beside", &self.target))
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        use std::os::unix::fs::FileExt;
        self.file.write_all_at(bytes, offset)
    }

    #[cfg(unix)]
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        use std::os::unix::fs::FileExt;
        self.file.read_exact_at(bytes, offset)
    }

    #[cfg(not(unix))]
    fn write_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        use std::io::{Seek, SeekFrom, Write};
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes))
    }

    #[cfg(not(unix))]
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(bytes))
    }
}
