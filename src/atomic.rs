//! Files that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

/// A file that is written beside its final name and renamed over it by [`commit`](Self::commit).
///
/// Dropped without a commit, it removes what it wrote.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl AtomicFile {
    /// Starts a file for `target`. Its temporary name is hidden, on the same volume, and unique to this process.
    ///
    /// # Errors
    /// Where the folder is missing or can't be written, or the target is a folder.
    pub fn create(target: impl AsRef<Path>) -> Result<Self> {
        let target = target.as_ref();
        let temporary = temporary_beside(target)?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&temporary);
        let file = file.map_err(Error::io("write", target))?;
        Ok(Self { file, temporary, target: target.to_path_buf(), committed: false })
    }

    /// Starts a file for `target` that a library makes by name. `make` gets the temporary name, under which there is no
    /// file yet and which ends with `extension`, and has to close what it made before it returns.
    ///
    /// # Errors
    /// As [`create`](Self::create), and those of `make`.
    pub fn made_by(target: impl AsRef<Path>, extension: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        let target = target.as_ref();
        let mut temporary = temporary_beside(target)?.into_os_string();
        temporary.push(format!(".{extension}"));
        let temporary = PathBuf::from(temporary);
        if let Err(error) = make(&temporary) {
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        let file = OpenOptions::new().read(true).write(true).open(&temporary).map_err(Error::io("write", target))?;
        Ok(Self { file, temporary, target: target.to_path_buf(), committed: false })
    }

    /// The file, open for reading and writing.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Where the bytes lie until the commit, for libraries that open files by name.
    #[must_use]
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Syncs the file, gives it its final name, and syncs the folder.
    ///
    /// # Errors
    /// Where the system refuses; the temporary file is removed then.
    pub fn commit(mut self) -> Result<()> {
        self.file.sync_all().map_err(Error::io("sync", &self.target))?;
        fs::rename(&self.temporary, &self.target).map_err(Error::io("rename into place", &self.target))?;
        self.committed = true;
        sync_folder(&self.target)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// A hidden, unused name beside `target`, after checking that a file can be made there.
///
/// # Errors
/// Where the target is a folder or its folder is missing.
pub fn temporary_beside(target: &Path) -> Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    crate::local::output(target)?;
    if target.is_dir() {
        return Err(
            Error::invalid("output", "is a folder, a file was expected", "name the file to write").with_path(target)
        );
    }
    let Some(name) = target.file_name() else {
        return Err(Error::argument(target.display().to_string(), "has no file name; name the file to write"));
    };
    let folder = folder_of(target);
    if !folder.is_dir() {
        let missing = Error::invalid("output folder", "does not exist", "make it first, or choose another output");
        return Err(missing.with_path(folder));
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Ok(folder.join(format!(".{}.{}-{number}.tmp", name.to_string_lossy(), std::process::id())))
}

/// Makes a rename or a new file in the folder of `path` durable.
///
/// # Errors
/// Where the system refuses.
pub fn sync_folder(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    #[cfg(unix)]
    File::open(folder).and_then(|f| f.sync_all()).map_err(Error::io("sync", folder))?;
    let _ = folder;
    Ok(())
}

/// Makes all files and folders below a folder durable: on Linux by one call, which syncs its whole volume; elsewhere file by
/// file.
///
/// # Errors
/// Where the system refuses.
#[cfg(feature = "engine")]
pub(crate) fn sync_tree(folder: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    let synced = File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
    #[cfg(not(target_os = "linux"))]
    let synced = walkdir::WalkDir::new(folder).into_iter().try_for_each(|entry| {
        let entry = entry?;
        if cfg!(unix) || entry.file_type().is_file() { File::open(entry.path())?.sync_all() } else { Ok(()) }
    });
    synced.map_err(Error::io("sync", folder))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
