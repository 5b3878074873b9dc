//! Size and times of the files of a raster, to notice that one was changed while it is in use.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::objects;
use crate::error::{Error, Result};
use crate::local;
use crate::url;

/// How a file was when it was looked at. The time of its last change is the system's own (`ctime`), which programs can't set back;
/// 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Bytes.
    pub size: u64,
    /// When its content was written, as far as programs say, nanoseconds since 1970, negative before.
    pub modified_ns: i64,
    /// When anything about it changed, nanoseconds since 1970. Of an object on the network a number for its tag (`ETag`).
    pub changed_ns: i64,
}

impl FileStamp {
    /// Looks at a file; for a member of a zip, at the zip.
    ///
    /// # Errors
    /// Where it is missing or out of reach.
    pub fn of(path: &Path) -> Result<Self> {
        if url::is_one(path) {
            return objects().and_then(|objects| objects.facts(path)).map_err(Error::io("open", path));
        }
        let facts = std::fs::metadata(local::file_of(path)).map_err(Error::io("open", path))?;
        Ok(Self::from(&facts))
    }

    /// The same without the time that only this machine knows. The tag of an object is the same everywhere.
    pub(super) fn plain(self, path: &Path) -> Self {
        if url::is_one(path) { self } else { Self { changed_ns: 0, ..self } }
    }
}

impl From<&Metadata> for FileStamp {
    fn from(facts: &Metadata) -> Self {
        Self { size: facts.len(), modified_ns: modified(facts), changed_ns: changed(facts) }
    }
}

/// A number that stands for the stamps of all files of a raster, its own and the further ones, in order. It changes as soon as one of them does.
///
/// # Errors
/// As [`FileStamp::of`].
pub fn stamp(file: &Path, further: &[PathBuf]) -> Result<u64> {
    let files = std::iter::once(file).chain(further.iter().map(PathBuf::as_path));
    Ok(stamp_of(files.map(FileStamp::of).collect::<Result<Vec<_>>>()?))
}

/// The same without the times that only this machine knows: equal on all machines that have the files with the times of their contents.
///
/// # Errors
/// As [`FileStamp::of`].
pub fn plain_stamp(file: &Path, further: &[PathBuf]) -> Result<u64> {
    let files = std::iter::once(file).chain(further.iter().map(PathBuf::as_path));
    Ok(stamp_of(files.map(|file| Ok(FileStamp::of(file)?.plain(file))).collect::<Result<Vec<_>>>()?))
}

/// [`stamp`], of files that were looked at.
pub(super) fn stamp_of(files: impl IntoIterator<Item = FileStamp>) -> u64 {
    let mut sum = xxhash_rust::xxh3::Xxh3Default::new();
    for FileStamp { size, modified_ns, changed_ns } in files {
        for part in [size, modified_ns as u64, changed_ns as u64] {
            sum.update(&part.to_le_bytes());
        }
    }
    sum.digest()
}

/// When a file's content was written, nanoseconds since 1970 (UTC), negative before; 0 where the system does not say.
pub(crate) fn modified(facts: &Metadata) -> i64 {
    let Ok(time) = facts.modified() else { return 0 };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
    }
}

#[cfg(unix)]
fn changed(facts: &Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    facts.ctime().saturating_mul(1_000_000_000).saturating_add(facts.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> i64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_shows_though_size_and_time_are_set_back() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, "1").unwrap();
        std::fs::write(&b, "1").unwrap();
        let further = [b.clone()];
        let before = stamp(&a, &further).unwrap();
        assert_eq!(stamp(&a, &further).unwrap(), before);
        let time = std::fs::metadata(&b).unwrap().modified().unwrap();
        // The system's clock for files has steps of some milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(30));
        std::fs::write(&b, "2").unwrap();
        std::fs::File::options().write(true).open(&b).unwrap().set_modified(time).unwrap();
        let now = FileStamp::of(&b).unwrap();
        assert_eq!((now.size, now.modified_ns), (1, modified(&std::fs::metadata(&b).unwrap())));
        assert_eq!(stamp(&a, &further).unwrap() != before, cfg!(unix));
        std::fs::remove_file(&b).unwrap();
        assert!(stamp(&a, &further).unwrap_err().to_string().contains("check the path"));
    }
}
