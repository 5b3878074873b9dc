//! What a folder of tiles may hold, so that it can be replaced without loss.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::names::{Ending, number, split};
use super::{METADATA, METADATA_LARGEST};
use crate::archive::TileFormat;
use crate::error::{Error, Result};
use crate::local;
use crate::tile::{MAX_ZOOM, TileCoord};

/// True for what belongs to a folder of tiles: a file `{z}/{x}/{y}.{extension}`, the metadata, and (with `is_folder`) a folder of a
/// zoom or a column. `path` is the one in the folder.
pub(super) fn owns(path: &Path, is_folder: bool) -> bool {
    let names: Option<Vec<&str>> = path
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let number = |name: &str| number(OsStr::new(name)).and_then(|n| u32::try_from(n).ok());
    let zoom = |z: &str| number(z).filter(|&z| z <= u32::from(MAX_ZOOM)).map(|z| z as u8);
    let column = |z: &str, x: &str| zoom(z).zip(number(x)).filter(|&(z, x)| TileCoord::new(z, x, 0).is_some());
    match (names.as_deref(), is_folder) {
        (Some([z]), true) => zoom(z).is_some(),
        (Some([z, x]), true) => column(z, x).is_some(),
        (Some([name]), false) => *name == METADATA,
        (Some([z, x, name]), false) => {
            let row = split(name).and_then(|(row, ending)| u32::try_from(row).ok().filter(|_| is_of_tiles(ending)));
            column(z, x).zip(row).is_some_and(|((z, x), y)| TileCoord::new(z, x, y).is_some())
        }
        _ => false,
    }
}

/// An ending of tiles, or the one that tiles of no known format are written with.
fn is_of_tiles(ending: &str) -> bool {
    ending.eq_ignore_ascii_case(".bin") || matches!(Ending::of(ending, &TileFormat::Unknown), Ending::Format(_))
}

/// Refuses a folder that holds anything but tiles and their metadata, and names the first such thing. Looks at every name in it.
///
/// # Errors
/// Where it does, or can't be listed.
pub(super) fn check(folder: &Path) -> Result<()> {
    let mut tiles = false;
    if let Some(foreign) = first_foreign(folder, Path::new(""), &mut tiles)? {
        return Err(refused(folder, &format!("holds {}, which is no tile", foreign.display())));
    }
    let metadata = folder.join(METADATA);
    if metadata.exists() {
        let text = local::read(&metadata, METADATA_LARGEST)?;
        let rows: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(&text).ok();
        if !rows.is_some_and(|rows| tiles || rows.contains_key("format")) {
            return Err(refused(folder, &format!("holds a {METADATA} that says nothing of tiles")));
        }
    }
    Ok(())
}

fn refused(folder: &Path, what: &str) -> Error {
    let problem =
        format!("{what}; a folder is replaced only where it holds nothing but {{z}}/{{x}}/{{y}} and {METADATA}");
    Error::invalid("output", problem, "choose another name, or remove the folder yourself").with_path(folder)
}

fn first_foreign(root: &Path, at: &Path, tiles: &mut bool) -> Result<Option<PathBuf>> {
    let folder = root.join(at);
    for entry in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
        let entry = entry.map_err(Error::io("list", &folder))?;
        let path = at.join(entry.file_name());
        // A link is neither.
        let kind = entry.file_type().map_err(Error::io("look at", entry.path()))?;
        if !(kind.is_file() || kind.is_dir()) || !owns(&path, kind.is_dir()) {
            return Ok(Some(path));
        }
        *tiles |= kind.is_file() && !at.as_os_str().is_empty();
        if kind.is_dir()
            && let Some(foreign) = first_foreign(root, &path, tiles)?
        {
            return Ok(Some(foreign));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tiles_and_metadata_belong_to_a_folder_of_tiles() {
        for (path, folder) in [
            ("metadata.json", false),
            ("0", true),
            ("31", true),
            ("3/7", true),
            ("3/7/7.webp", false),
            ("3/7/0.JPG", false),
            ("0/0/0.bin", false),
        ] {
            assert!(owns(Path::new(path), folder) && !owns(Path::new(path), !folder), "{path}");
        }
        for path in [
            "3/8",
            "32",
            "03",
            "3/8/1.webp",
            "3/7/8.webp",
            "3/7/7.webp.bak",
            "3/7/07.webp",
            "3/7/.7.webp",
            "3/7/7.tif",
            "3/7/7",
            "7.webp",
            "a",
            "3/7/7/7.webp",
            "3/metadata.json",
            ".DS_Store",
            "../3/7/7.webp",
            "2024/12/31.jpg",
        ] {
            assert!(!owns(Path::new(path), false) && !owns(Path::new(path), true), "{path}");
        }
    }

    #[test]
    fn the_first_thing_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        check(folder.path()).unwrap();
        fs::create_dir_all(at("3/7")).unwrap();
        fs::write(at("3/7/1.png"), "x").unwrap();
        check(folder.path()).unwrap();
        fs::write(at("metadata.json"), "{}").unwrap();
        check(folder.path()).unwrap();
        for foreign in ["3/7/.hidden", "notes.txt", "3/7/1.tif"] {
            fs::write(at(foreign), "x").unwrap();
            let error = check(folder.path()).unwrap_err().to_string();
            assert!(error.contains(foreign) && error.contains("remove the folder yourself"), "{error}");
            fs::remove_file(at(foreign)).unwrap();
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("3/7/1.png"), at("3/7/2.png")).unwrap();
            assert!(check(folder.path()).unwrap_err().to_string().contains("3/7/2.png"));
            fs::remove_file(at("3/7/2.png")).unwrap();
        }
        // Some other program's metadata.json.
        fs::remove_file(at("3/7/1.png")).unwrap();
        assert!(check(folder.path()).unwrap_err().to_string().contains("says nothing of tiles"));
    }
}
