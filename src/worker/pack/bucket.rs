//! Packs and notes that are objects.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::remote::{Object, Place};

fn place(path: &Path) -> Result<Place> {
    Place::of(path).unwrap_or_else(|| {
        let problem = "is no place for packs: expected s3://, gs:// or az://, a bucket and a name; or a folder";
        Err(Error::argument(path.display().to_string(), problem))
    })
}

/// Opens an object by its end.
pub(super) fn open(path: &Path, end: u64) -> Result<Object> {
    Object::open_end(place(path)?, end)
}

/// Makes a file an object. Where one is there, also meanwhile, `keep` is asked whether it stays.
pub(super) fn put_unless(file: File, path: &Path, keep: impl FnOnce(&Path) -> bool) -> Result<()> {
    let place = place(path)?;
    let again = file.try_clone().map_err(Error::io("open", path))?;
    match place.put_unnamed(file, path, false) {
        Err(Error::Exists { .. }) if keep(path) => Ok(()),
        Err(Error::Exists { .. }) => place.put_unnamed(again, path, true),
        done => done,
    }
}

/// Refuses a web server, from which packs are only read. Asks nobody.
pub(super) fn check_output(path: &Path) -> Result<()> {
    place(path)?.check_bucket()
}

/// Makes an object that may not be there yet.
pub(super) fn create(path: &Path, bytes: Vec<u8>) -> Result<()> {
    place(path)?.put_bytes(bytes, false)
}

/// All of an object; `None` where there is none.
pub(super) fn read(path: &Path, largest: u64) -> Result<Option<Vec<u8>>> {
    place(path)?.read_all(largest)
}

/// Removes objects of one bucket.
pub(super) fn remove(paths: impl Iterator<Item = PathBuf>) -> Result<()> {
    Place::remove(paths.map(|path| place(&path)).collect::<Result<_>>()?)
}
