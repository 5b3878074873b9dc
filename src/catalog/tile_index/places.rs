//! Where the locations of an index lead.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use crate::url;

/// True for what is neither a file nor a URL that is known: what GDAL would find in an archive, or by another protocol.
pub(super) fn is_elsewhere(location: &str) -> bool {
    url::of(location).is_none() && (location.starts_with("/vsi") || location.contains("://"))
}

/// A location as a path or a URL, seen from the folder of the index, without `.` and `..`.
pub(super) fn resolve(folder: &Path, location: &str) -> PathBuf {
    if let Some(url) = url::of(location) {
        return url.into();
    }
    if let Some(base) = folder.to_str().filter(|_| url::is_one(folder)) {
        // The first three parts of a URL are no folders.
        let mut parts: Vec<&str> = base.split('/').collect();
        for part in location.split('/').filter(|part| !matches!(*part, "" | ".")) {
            match part {
                ".." if parts.len() > 3 => drop(parts.pop()),
                ".." => {}
                other => parts.push(other),
            }
        }
        return parts.join("/").into();
    }
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
    if url::is_one(file) {
        return file.to_path_buf();
    }
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
