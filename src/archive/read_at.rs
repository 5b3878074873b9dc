//! Reading a file at an offset, from any thread.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file that is read at offsets; no cursor is shared between threads.
#[derive(Debug)]
pub(super) struct ReadAt {
    #[cfg(unix)]
    file: File,
    #[cfg(not(unix))]
    file: std::sync::Mutex<File>,
    path: PathBuf,
    len: u64,
}

impl ReadAt {
    pub(super) fn new(file: File, path: &Path) -> Result<Self> {
        let len = file.metadata().map_err(Error::io("read the size of", path))?.len();
        #[cfg(not(unix))]
        let file = std::sync::Mutex::new(file);
        Ok(Self { file, path: path.to_path_buf(), len })
    }

    /// The size of the file when it was opened, bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// `len` bytes at `offset`, at most `cap` of them.
    ///
    /// # Errors
    /// Where the range is not inside the file or larger than `cap`; `part` names it in the message.
    pub(super) fn read(&self, offset: u64, len: u64, cap: u64, part: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.append(offset, len, cap, part, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`read`](Self::read), behind what `into` holds.
    pub(super) fn append(&self, offset: u64, len: u64, cap: u64, part: &str, into: &mut Vec<u8>) -> Result<()> {
        let problem = match offset.checked_add(len) {
            Some(end) if end <= self.len && len <= cap => {
                let start = into.len();
                into.resize(start + len as usize, 0);
                return self.fill(&mut into[start..], offset);
            }
            Some(end) if end <= self.len => format!("has {len} bytes, more than the {cap} that are read at once"),
            _ => format!("lies at byte {offset} with {len} bytes, but the file has {} bytes", self.len),
        };
        Err(Error::invalid(part, problem, "the file is truncated or damaged: copy or make it again")
            .with_path(&self.path))
    }

    #[cfg(unix)]
    fn fill(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        use std::os::unix::fs::FileExt;
        self.file.read_exact_at(bytes, offset).map_err(Error::io("read", &self.path))
    }

    #[cfg(not(unix))]
    fn fill(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(bytes)).map_err(Error::io("read", &self.path))
    }
}
