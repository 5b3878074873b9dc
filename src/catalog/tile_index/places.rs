//! Where the locations of an index lead.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// True for what GDAL would fetch from a network or an archive.
pub(super) fn is_remote(location: &str) -> bool {
    location.starts_with("/vsi") || location.contains("://")
}

/// A location as a path, seen from the folder of the index, without `.` and `..`.
pub(super) fn resolve(folder: &Path, location: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in folder.join(location).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(path.pop()),
            other => path.push(other),
        }
    }
    path
}

/// The path with the links of its folder followed; the file itself may be a link. Missing folders stay as they are.
pub(super) fn canonical(file: &Path, known: &mut HashMap<PathBuf, PathBuf>) -> PathBuf {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { return file.to_path_buf() };
    let folder = known
        .entry(folder.to_path_buf())
        .or_insert_with(|| folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()));
    folder.join(name)
}

/// The deepest folder above both.
pub(super) fn common(a: &Path, b: &Path) -> PathBuf {
    a.components().zip(b.components()).take_while(|(x, y)| x == y).map(|(x, _)| x).collect()
}
