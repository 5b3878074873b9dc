//! A file that several threads read and write at offsets.

use std::fs::File;
use std::io::Result;

/// An open file without a cursor, as far as the system has such: elsewhere than on Unix threads take turns, and the cursor of the
/// handle that this was made of moves.
#[derive(Debug)]
pub(crate) struct AtOffsets {
    #[cfg(unix)]
    file: File,
    #[cfg(not(unix))]
    file: std::sync::Mutex<File>,
}

impl AtOffsets {
    pub(crate) fn new(file: File) -> Self {
        #[cfg(not(unix))]
        let file = std::sync::Mutex::new(file);
        Self { file }
    }

    #[cfg(unix)]
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        use std::os::unix::fs::FileExt;
        self.file.write_all_at(bytes, offset)
    }

    #[cfg(unix)]
    pub(crate) fn read(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        use std::os::unix::fs::FileExt;
        self.file.read_exact_at(bytes, offset)
    }

    #[cfg(not(unix))]
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        use std::io::{Seek, SeekFrom, Write};
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes))
    }

    #[cfg(not(unix))]
    pub(crate) fn read(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(bytes))
    }
}
