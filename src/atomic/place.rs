//! Names: what may stand under one, and how it gets there.

use std::fs;
#[cfg(feature = "engine")]
use std::io::ErrorKind;
#[cfg(feature = "engine")]
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The folder of a path; `.` where it names none.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a folder, and those above it that are missing, for the user alone.
///
/// # Errors
/// Where the system refuses.
#[cfg(feature = "engine")]
pub fn make_private_folder(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(Error::io("make", folder))
}

/// Where a file for `target` will stand: what it leads to, where it is a link.
///
/// # Errors
/// Where it is a folder, a device or a pipe, or a link that leads nowhere; where its folder is missing.
pub fn check_target(target: &Path) -> Result<PathBuf> {
    crate::local::output(target)?;
    if target.file_name().is_none() && !target.is_dir() {
        return Err(Error::argument(target.display().to_string(), "has no file name; name the file to write"));
    }
    let folder = folder_of(target);
    if !folder.is_dir() {
        let missing = Error::invalid("output folder", "does not exist", "make it first, or choose another output");
        return Err(missing.with_path(folder));
    }
    if target.is_dir() {
        let problem = "is a folder, a file was expected";
        return Err(Error::invalid("output", problem, "name the file to write").with_path(target));
    }
    resolve(target)
}

/// What a name leads to, where it is a link; else the name.
///
/// # Errors
/// Where it is a link that leads nowhere.
pub(super) fn resolve(target: &Path) -> Result<PathBuf> {
    if !target.is_symlink() {
        return Ok(target.to_path_buf());
    }
    target.canonicalize().map_err(|_| {
        let problem = "is a link that leads to nothing";
        Error::invalid("output", problem, "remove the link, or choose another output").with_path(target)
    })
}

/// Refuses a name that is taken, by a link that leads nowhere too, unless what stands there may be replaced. A folder is left
/// to [`check_target`], which has better words for it.
///
/// # Errors
/// [`Error::Exists`].
#[cfg(feature = "engine")]
pub fn refuse_existing(target: &Path, overwrite: bool) -> Result<()> {
    let taken = !overwrite && !target.is_dir() && target.symlink_metadata().is_ok();
    if taken { Err(Error::Exists { path: target.to_path_buf() }) } else { Ok(()) }
}

/// Refuses the place of a new SQLite database beside the journal or the log of another one of its name: SQLite would play that
/// into the new one, and damage it.
///
/// # Errors
/// Where there is one that holds something; it is named.
#[cfg(feature = "engine")]
pub(crate) fn refuse_journals(target: &Path) -> Result<()> {
    let target = resolve(target)?;
    for suffix in ["-journal", "-wal"] {
        let mut name = target.clone().into_os_string();
        name.push(suffix);
        // One that was ended is empty, or begins with zeros.
        let mut start = [0; 8];
        let begun = fs::File::open(&name).and_then(|mut file| file.read_exact(&mut start));
        if begun.is_ok() && start != [0; 8] {
            let problem = format!(
                "{} holds changes of another database of this name, and would damage a new one",
                Path::new(&name).display()
            );
            let remedy = "let the program end that has it open, or open the old database once with sqlite3; where it is of no use, remove that file";
            return Err(Error::invalid("output", problem, remedy).with_path(target));
        }
    }
    Ok(())
}

/// Gives a file or folder another name, unless that is taken.
#[cfg(feature = "engine")]
pub(super) fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    #[cfg(all(target_os = "linux", feature = "engine"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // File systems that can't.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            done => return Ok(done?),
        }
    }
    rename_new_by_link(from, to)
}

/// The same by a second name, which is never given twice; last of all, on file systems that have no second names, by looking.
#[cfg(feature = "engine")]
fn rename_new_by_link(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        match fs::hard_link(from, to) {
            Ok(()) => return fs::remove_file(from),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
        }
    }
    if to.symlink_metadata().is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Exchanges two names, so that there is no moment in which one of them leads to nothing; where the system can't, that
/// moment is as short as can be.
#[cfg(feature = "engine")]
pub(super) fn exchange(new: &Path, old: &Path) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            done => return Ok(done?),
        }
    }
    exchange_by_renames(new, old)
}

/// The name that the old one has meanwhile tells a reader what it is, where the program is killed here.
#[cfg(feature = "engine")]
pub(super) fn exchange_by_renames(new: &Path, old: &Path) -> std::io::Result<()> {
    let aside = crate::local::with_ending(old, format!(".old-{:016x}", super::temporary::random()));
    fs::rename(old, &aside)?;
    if let Err(error) = fs::rename(new, old) {
        let _ = fs::rename(&aside, old);
        return Err(error);
    }
    fs::rename(&aside, new)
}

/// Makes a rename or a new file in the folder of `path` durable.
///
/// # Errors
/// Where the system refuses.
pub fn sync_folder(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    if cfg!(unix) {
        fs::File::open(folder).and_then(|f| f.sync_all()).map_err(Error::io("sync", folder))?;
    }
    Ok(())
}

/// Makes all files and folders below a folder durable: on Linux by one call, which syncs its whole volume; elsewhere file by
/// file.
///
/// # Errors
/// Where the system refuses.
#[cfg(feature = "engine")]
pub(super) fn sync_tree(folder: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    let synced = fs::File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
    #[cfg(not(target_os = "linux"))]
    let synced = walkdir::WalkDir::new(folder).into_iter().try_for_each(|entry| {
        let entry = entry?;
        if cfg!(unix) || entry.file_type().is_file() { fs::File::open(entry.path())?.sync_all() } else { Ok(()) }
    });
    synced.map_err(Error::io("sync", folder))
}

#[cfg(all(test, feature = "engine"))]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_is_not_given_again() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b, c) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
        for rename in [rename_new, rename_new_by_link] {
            fs::write(&a, "a").unwrap();
            fs::write(&b, "b").unwrap();
            assert_eq!(rename(&a, &b).unwrap_err().kind(), ErrorKind::AlreadyExists);
            rename(&a, &c).unwrap();
            assert_eq!((fs::read(&b).unwrap(), fs::read(&c).unwrap(), a.exists()), (b"b".into(), b"a".into(), false));
            fs::remove_file(&c).unwrap();
            fs::create_dir(&a).unwrap();
            assert_eq!(rename(&a, &b).unwrap_err().kind(), ErrorKind::AlreadyExists);
            rename(&a, &c).unwrap();
            fs::remove_dir(&c).unwrap();
        }
    }

    #[test]
    fn names_are_exchanged_with_and_without_the_systems_help() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        for exchange in [exchange, exchange_by_renames] {
            fs::create_dir(&a).unwrap();
            fs::write(&b, "b").unwrap();
            exchange(&a, &b).unwrap();
            assert!(a.is_file() && b.is_dir());
            fs::remove_dir(&b).unwrap();
            // What fails leaves both as they were.
            assert!(exchange(&b, &a).is_err());
            assert_eq!(fs::read(&a).unwrap(), b"b");
            fs::remove_file(&a).unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}

/// Refuses an output that is one of the inputs, by whatever name, or a folder that holds one: an input can't be read while it is
/// being replaced.
///
/// # Errors
/// Naming the output.
#[cfg(feature = "engine")]
pub fn refuse_inputs<P: AsRef<Path>>(output: &Path, inputs: impl IntoIterator<Item = P>) -> Result<()> {
    for input in inputs {
        let input = crate::local::file_of(input.as_ref());
        let refuse = |problem: &str| Err(Error::argument(output.display().to_string(), problem));
        if crate::local::same_file(input, output) {
            return refuse("is an input as well; choose another name for the output, and rename it afterwards");
        }
        let both = output.canonicalize().ok().filter(|o| o.is_dir()).zip(input.canonicalize().ok());
        if both.is_some_and(|(output, input)| input.starts_with(output)) {
            return refuse(&format!("holds the input {}; choose another name for the output", input.display()));
        }
    }
    Ok(())
}
