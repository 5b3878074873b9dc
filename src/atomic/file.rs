//! One file.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[cfg(feature = "engine")]
use super::place::rename_new;
use super::place::{check_target, sync_folder};
use super::temporary::{Live, create_file, sweep_files};
use crate::error::{Error, Result};

/// A file that is written beside its final name and renamed over it by [`commit`](Self::commit).
///
/// Dropped without a commit, it removes what it wrote.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    temporary: PathBuf,
    /// The folder of its own that it lies in, where a library makes more files beside it; and what holds that.
    own_folder: Option<(PathBuf, Option<File>)>,
    target: PathBuf,
    /// Where the process is ended, the temporary name goes.
    _live: Live,
    committed: bool,
}

impl AtomicFile {
    /// Starts a file for `target`, or for its target where it is a link. Its temporary name is hidden, random, and on the
    /// same volume. Removes what killed programs left of the same file.
    ///
    /// # Errors
    /// Where the folder is missing or can't be written, or the target is a folder or no regular file.
    pub fn create(target: impl AsRef<Path>) -> Result<Self> {
        let target = check_target(target.as_ref())?;
        sweep_files(&target);
        let (file, temporary, live) = create_file(&target)?;
        Ok(Self { file, temporary, own_folder: None, target, _live: live, committed: false })
    }

    /// As [`create`](Self::create), for libraries that open files by name and may make others beside them: the file lies in a
    /// folder of its own until the commit.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    #[cfg(feature = "engine")]
    pub fn create_apart(target: impl AsRef<Path>) -> Result<Self> {
        Self::apart(target.as_ref(), "new", |path| {
            File::options().read(true).write(true).create_new(true).open(path).map_err(Error::io("write", path))
        })
    }

    /// Starts a file for `target` that a library makes by name. `make` gets the temporary name, under which there is no
    /// file yet and which ends with `extension`, and has to close what it made before it returns.
    ///
    /// # Errors
    /// As [`create`](Self::create), and those of `make`.
    #[cfg(feature = "engine")]
    pub fn made_by(target: impl AsRef<Path>, extension: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        Self::apart(target.as_ref(), &format!("new.{extension}"), |path| {
            make(path)?;
            File::options().read(true).write(true).open(path).map_err(Error::io("write", path))
        })
    }

    #[cfg(feature = "engine")]
    fn apart(target: &Path, name: &str, make: impl FnOnce(&Path) -> Result<File>) -> Result<Self> {
        let target = check_target(target)?;
        sweep_files(&target);
        let (lock, folder, live) = super::temporary::create_folder(&target)?;
        let temporary = folder.join(name);
        match make(&temporary) {
            Ok(file) => {
                let own_folder = Some((folder, lock));
                Ok(Self { file, temporary, own_folder, target, _live: live, committed: false })
            }
            Err(error) => {
                let _ = fs::remove_dir_all(&folder);
                Err(error)
            }
        }
    }

    /// The file, open for reading and writing.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Lets only its user read the file, where the system knows users: it holds what opens doors, such as signed URLs.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn make_private(&mut self) -> Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let private = fs::Permissions::from_mode(0o600);
            self.file.set_permissions(private).map_err(Error::io("make private", &self.target))?;
        }
        Ok(())
    }

    /// Where the bytes lie until the commit, for libraries that open files by name.
    #[cfg(feature = "engine")]
    #[must_use]
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Where the file will stand; not where the link is that leads to it.
    #[cfg(feature = "engine")]
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs the file, gives it its final name, replacing what has it, and syncs the folder.
    ///
    /// # Errors
    /// Where the system refuses; the temporary file is removed then.
    pub fn commit(self) -> Result<()> {
        self.place(|from, to| fs::rename(from, to))
    }

    /// As [`commit`](Self::commit), but never replaces anything, also where it appeared meanwhile.
    ///
    /// # Errors
    /// [`Error::Exists`] where the name is taken, and where the system refuses; the temporary file is removed then.
    #[cfg(feature = "engine")]
    pub fn commit_new(self) -> Result<()> {
        self.place(rename_new)
    }

    /// As [`commit`](Self::commit), but where the name is taken, also meanwhile, `keep` is asked whether what stands there stays;
    /// then what was written goes.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    #[cfg(feature = "engine")]
    pub fn commit_unless(self, keep: impl FnOnce(&Path) -> bool) -> Result<()> {
        let mut kept = false;
        let target = self.target.clone();
        let placed = self.place(|from, to| match rename_new(from, to) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                kept = keep(to);
                if kept { Err(error) } else { fs::rename(from, to) }
            }
            done => done,
        });
        match placed {
            Err(Error::Exists { path }) if kept && path == target => Ok(()),
            done => done,
        }
    }

    fn place(mut self, rename: impl FnOnce(&Path, &Path) -> std::io::Result<()>) -> Result<()> {
        self.file.sync_all().map_err(Error::io("sync", &self.target))?;
        rename(&self.temporary, &self.target).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error::Exists { path: self.target.clone() },
            _ => Error::io("rename into place", &self.target)(error),
        })?;
        self.committed = true;
        sync_folder(&self.target).map_err(|error| error.after_whole(&self.target))
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = fs::remove_file(&self.temporary);
        }
        if let Some((folder, _)) = &self.own_folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}
