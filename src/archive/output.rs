//! An output that stands under its final name only when it is whole.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::atomic::{AtomicFile, refuse_existing};
use crate::error::{Error, Result};

/// A file beside its target, under a temporary name that is removed with this value.
#[derive(Debug)]
pub(super) struct PendingFile {
    file: AtomicFile,
    target: PathBuf,
    overwrite: bool,
}

impl PendingFile {
    /// Makes the temporary file beside `target`.
    ///
    /// # Errors
    /// Where the target exists and may not be overwritten, is a folder, or its folder is missing or not writable.
    pub(super) fn create(target: &Path, overwrite: bool) -> Result<Self> {
        refuse_existing(target, overwrite)?;
        Ok(Self { file: AtomicFile::create(target)?, target: target.to_path_buf(), overwrite })
    }

    /// The same in a folder of its own, for a library that opens it by name and locks it.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub(super) fn create_apart(target: &Path, overwrite: bool) -> Result<Self> {
        refuse_existing(target, overwrite)?;
        Ok(Self { file: AtomicFile::create_apart(target)?, target: target.to_path_buf(), overwrite })
    }

    /// A handle of the file, open for reading and writing.
    pub(super) fn handle(&mut self) -> Result<File> {
        self.file.file().try_clone().map_err(Error::io("open", &self.target))
    }

    /// Its temporary path.
    pub(super) fn path(&self) -> &Path {
        self.file.temporary()
    }

    /// The final path; what messages name.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// The folder that the file will stand in.
    pub(super) fn folder(&self) -> &Path {
        self.file.target().parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Flushes the file to the disk, gives it its final name, flushes the folder, and returns the size in bytes.
    ///
    /// # Errors
    /// Where the disk is full, or the target appeared meanwhile and may not be overwritten.
    pub(super) fn persist(mut self) -> Result<u64> {
        let size = self.file.file().metadata().map_err(Error::io("read the size of", &self.target))?.len();
        if self.overwrite { self.file.commit() } else { self.file.commit_new() }?;
        Ok(size)
    }
}

/// Bytes that may wait for the disk.
const UNWRITTEN: u64 = 64 << 20;

/// Has a growing file written to the disk while more is made, so that the sync at the end has little left to do.
#[derive(Debug)]
pub(super) struct EarlySync {
    file: Option<File>,
    unwritten: u64,
    thread: Option<(SyncSender<()>, JoinHandle<std::io::Result<()>>)>,
}

impl EarlySync {
    /// For an open file. Costs nothing before 64 MB were written to it.
    pub(super) fn new(file: File) -> Self {
        Self { file: Some(file), unwritten: 0, thread: None }
    }

    /// So many bytes more were written.
    pub(super) fn wrote(&mut self, bytes: u64) {
        self.unwritten += bytes;
        if self.unwritten < UNWRITTEN {
            return;
        }
        self.unwritten = 0;
        if let Some(file) = self.file.take() {
            let (ask, asked) = sync_channel::<()>(1);
            // Where the system refuses a thread, all is synced at the end.
            let thread = crate::threads::start(move || asked.iter().try_for_each(|()| file.sync_data()));
            self.thread = thread.ok().map(|thread| (ask, thread));
        }
        if let Some((ask, _)) = &self.thread {
            // One that still waits will do.
            let _ = ask.try_send(());
        }
    }

    /// Waits for what is under way.
    ///
    /// # Errors
    /// What the disk said to any of the syncs: it says it once.
    pub(super) fn end(self) -> std::io::Result<()> {
        let Some((ask, thread)) = self.thread else { return Ok(()) };
        drop(ask);
        thread.join().unwrap_or_else(|_| Err(std::io::Error::other("the thread that syncs ended")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_output_leaves_nothing_and_a_taken_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.pmtiles");
        drop(PendingFile::create(&target, false).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let pending = PendingFile::create(&target, false).unwrap();
        std::fs::write(&target, b"someone else").unwrap();
        assert!(matches!(pending.persist(), Err(Error::Exists { .. })));
        assert!(matches!(PendingFile::create(&target, false), Err(Error::Exists { .. })));
        assert_eq!(std::fs::read(&target).unwrap(), b"someone else");
        assert_eq!(PendingFile::create(&target, true).unwrap().persist().unwrap(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn missing_folders_and_folders_as_targets_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = PendingFile::create(&folder.path().join("no/a.pmtiles"), false).unwrap_err();
        assert!(error.to_string().contains("does not exist"), "{error}");
        let error = PendingFile::create(folder.path(), true).unwrap_err();
        assert!(error.to_string().contains("is a folder"), "{error}");
    }
}
