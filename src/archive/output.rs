//! An output that stands under its final name only when it is whole.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::error::{Error, Result};

/// A file beside its target, under a temporary name that goes away with this value.
#[derive(Debug)]
pub(super) struct PendingFile {
    temporary: NamedTempFile,
    target: PathBuf,
    overwrite: bool,
}

impl PendingFile {
    /// Makes the temporary file beside `target`.
    ///
    /// # Errors
    /// Where the target exists and may not be overwritten, is a folder, or its folder is missing or not writable.
    pub(super) fn create(target: &Path, overwrite: bool) -> Result<Self> {
        if target.is_dir() {
            return Err(Error::argument(
                target.display().to_string(),
                "is a folder; give the name of the archive to write, such as tiles.pmtiles",
            ));
        }
        if !overwrite && target.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: target.to_path_buf() });
        }
        let folder = folder_of(target);
        if !folder.is_dir() {
            return Err(Error::argument(
                target.display().to_string(),
                format!("its folder {} doesn't exist; make it first, or choose another output", folder.display()),
            ));
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let prefix = format!(".{name}.");
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any other new file: readable by whom the umask allows.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temporary = builder.tempfile_in(&folder).map_err(Error::io("create a file in", &folder))?;
        Ok(Self { temporary, target: target.to_path_buf(), overwrite })
    }

    /// The file, open for reading and writing.
    pub(super) fn file(&self) -> &File {
        self.temporary.as_file()
    }

    /// Its temporary path.
    pub(super) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// The final path; what messages name.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// An unnamed file on the same volume, for what doesn't fit in memory.
    pub(super) fn scratch(&self) -> std::io::Result<File> {
        tempfile::tempfile_in(folder_of(&self.target))
    }

    /// Flushes the file to the disk, gives it its final name, flushes the folder, and returns the size in bytes.
    ///
    /// # Errors
    /// Where the disk is full, or the target appeared meanwhile and may not be overwritten.
    pub(super) fn persist(self) -> Result<u64> {
        let Self { temporary, target, overwrite } = self;
        let file = temporary.as_file();
        file.sync_all().map_err(Error::io("flush", &target))?;
        let size = file.metadata().map_err(Error::io("read the size of", &target))?.len();
        let renamed = if overwrite { temporary.persist(&target) } else { temporary.persist_noclobber(&target) };
        renamed.map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Exists { path: target.clone() },
            _ => Error::Io { path: target.clone(), action: "rename the finished file to", source: error.error },
        })?;
        #[cfg(unix)]
        {
            let folder = folder_of(&target);
            File::open(&folder).and_then(|f| f.sync_all()).map_err(Error::io("flush the folder", &folder))?;
        }
        Ok(size)
    }
}

fn folder_of(target: &Path) -> PathBuf {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
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
    fn missing_folders_and_folders_as_targets_are_usage_errors() {
        let folder = tempfile::tempdir().unwrap();
        let error = PendingFile::create(&folder.path().join("no/a.pmtiles"), false).unwrap_err();
        assert!(error.to_string().contains("doesn't exist"), "{error}");
        let error = PendingFile::create(folder.path(), true).unwrap_err();
        assert!(error.to_string().contains("is a folder"), "{error}");
    }
}
