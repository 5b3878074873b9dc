//! The raster files of a location, in the order of the bytes of their paths.

use std::path::{Path, PathBuf};

use super::spec::{canonical, extension};
use super::unread::Others;
use super::{Location, Reason};
use crate::error::{Error, Result};
use crate::raster::{self, Member, jpgis};
use crate::url;

/// The extensions that count as rasters in a folder, in lower case.
pub const EXTENSIONS: [&str; 19] = [
    "tif", "tiff", "geotiff", "gtiff", "vrt", "hgt", "dt0", "dt1", "dt2", "asc", "img", "bil", "bip", "bsq", "flt",
    "dem", "ddf", "grd", "jp2",
];

/// Archives. They are reported, because the rasters in them would be missed silently.
const ARCHIVES: [&str; 7] = ["zip", "gz", "tgz", "tar", "bz2", "xz", "7z"];

/// Files beside a raster and texts for people, which a pattern such as `dem/*` matches and does not report.
const COMPANIONS: [&str; 21] = [
    "xml",
    "ovr",
    "msk",
    "prj",
    "hdr",
    "tfw",
    "tifw",
    "wld",
    "stx",
    "clr",
    "qml",
    "csv",
    "txt",
    "md",
    "json",
    "toml",
    "fgb",
    "geojson",
    "geojsonl",
    "parquet",
    "geoparquet",
];

/// Extensions of companion files that may also be grids.
const TEXTS: [&str; 2] = ["txt", "csv"];

/// What a location holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Its root, canonical and absolute.
    pub root: PathBuf,
    /// The rasters below the root, with `/` between folders.
    pub paths: Vec<String>,
    /// What was seen and can't be used: path, why, and what the system said.
    pub rejected: Vec<(String, Reason, String)>,
    /// What else a folder holds, which may be rasters.
    pub others: Others,
}

/// Lists a folder (with all that is below, by [`EXTENSIONS`]) or a pattern (any extension, except companions such
/// as `.aux.xml`). Hidden files and folders are left out. Both lists are sorted by bytes.
///
/// # Errors
/// Where the root can't be read, or for a `bounds.csv` or a tile index, which list their files themselves.
pub fn list(location: &Location) -> Result<Found> {
    let root = location.root();
    let root = canonical(&root).map_err(Error::io("open", &root))?;
    let mut found = Found { root, ..Found::default() };
    let remote = url::is_one(&found.root);
    match location {
        Location::Folder(_) | Location::Glob(_) if remote => list_objects(&mut found, location)?,
        Location::Folder(_) => list_folder(&mut found),
        Location::Files(files) if remote => files.iter().for_each(|file| add(&mut found, file)),
        Location::Files(files) => files.iter().try_for_each(|file| take(&mut found, file))?,
        Location::Glob(pattern) => list_pattern(&mut found, pattern)?,
        Location::BoundsCsv(path) | Location::Index(path) | Location::Stac(path) => {
            return Err(Error::argument(
                path.display().to_string(),
                "lists its files itself; build a catalogue from it",
            ));
        }
    }
    found.paths.sort_unstable();
    found.paths.dedup();
    found.rejected.sort_unstable();
    Ok(found)
}

fn list_folder(found: &mut Found) {
    let root = found.root.clone();
    let hidden = |e: &walkdir::DirEntry| e.depth() > 0 && e.file_name().to_string_lossy().starts_with('.');
    let mut entries = walkdir::WalkDir::new(&root).follow_links(true).into_iter();
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) if hidden(&entry) => {
                if entry.file_type().is_dir() {
                    entries.skip_current_dir();
                }
            }
            // A folder that is one data set.
            Ok(entry) if entry.depth() > 0 && entry.file_type().is_dir() && is_set(entry.path()) => {
                other(found, entry.path());
                entries.skip_current_dir();
            }
            Ok(entry) if entry.file_type().is_file() => sort_in(found, entry.path()),
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(&root).to_path_buf();
                let kind = error.io_error().map(std::io::Error::kind);
                let reason = match kind {
                    Some(std::io::ErrorKind::PermissionDenied) => Reason::NoPermission,
                    _ => Reason::Missing,
                };
                reject(found, &path, reason, &error.to_string());
            }
        }
    }
}

/// A file that was found in a folder, by its extension.
fn sort_in(found: &mut Found, path: &Path) {
    let extension = extension(path);
    if EXTENSIONS.contains(&extension.as_str()) || is_zipped(path) || is_grid(path) {
        add(found, path);
    } else if extension == "zip" && !url::is_one(path) {
        look_into(found, path);
    } else if ARCHIVES.contains(&extension.as_str()) {
        reject(found, path, Reason::Archive, "");
    } else if !COMPANIONS.contains(&extension.as_str()) || TEXTS.contains(&extension.as_str()) {
        other(found, path);
    }
}

/// What an object store has: one list for all folders. Each object is sorted in as a file would be.
fn list_objects(found: &mut Found, location: &Location) -> Result<()> {
    let pattern = match location {
        Location::Glob(text) => Some(text.as_str()),
        _ => None,
    };
    // Deeper than the pattern reaches nothing need be listed.
    let deep = pattern
        .is_none_or(|text| text[found.root.to_string_lossy().len()..].matches('/').count() > 1 || text.contains("**"));
    let objects = raster::objects().and_then(|objects| objects.list(&found.root, deep));
    let objects = objects.map_err(Error::io("list", &found.root))?;
    let pattern = pattern.map(glob::Pattern::new).transpose();
    let pattern = pattern.map_err(|e| Error::argument("source", format!("is no pattern: {e}")))?;
    let options = glob::MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    for object in objects {
        let path = found.root.join(&object.name);
        let hidden = object.name.split('/').any(|part| part.starts_with('.'));
        let inside_a_set = Path::new(&object.name).ancestors().skip(1).any(is_set);
        match &pattern {
            None if hidden || inside_a_set => {}
            None => sort_in(found, &path),
            Some(pattern) => {
                if pattern.matches_with(&path.to_string_lossy(), options)
                    && !COMPANIONS.contains(&extension(&path).as_str())
                {
                    if ARCHIVES.contains(&extension(&path).as_str()) && !is_zipped(&path) {
                        reject(found, &path, Reason::Archive, "");
                    } else {
                        add(found, &path);
                    }
                }
            }
        }
    }
    Ok(())
}

fn list_pattern(found: &mut Found, pattern: &str) -> Result<()> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(pattern, options)
        .map_err(|e| Error::argument(format!("source {pattern:?}"), format!("is no pattern: {e}")))?;
    for path in paths {
        match path {
            Ok(path) if path.is_dir() => {
                if EXTENSIONS.contains(&extension(&path).as_str()) {
                    reject(found, &path.canonicalize().unwrap_or(path), Reason::NotARaster, "it is a folder");
                }
            }
            Ok(path) => take(found, &path)?,
            Err(error) => reject(found, error.path(), Reason::NoPermission, &error.error().to_string()),
        }
    }
    Ok(())
}

/// A file that was named, whatever its extension.
fn take(found: &mut Found, path: &Path) -> Result<()> {
    if COMPANIONS.contains(&extension(path).as_str()) && !is_grid(path) {
        return Ok(());
    }
    // Below the canonical root; the file itself may be a link.
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(Error::io("open", folder))?;
    let path = folder.join(path.file_name().unwrap_or_default());
    if is_zipped(&path) || !ARCHIVES.contains(&extension(&path).as_str()) {
        add(found, &path);
    } else if extension(&path) == "zip" {
        look_into(found, &path);
    } else {
        reject(found, &path, Reason::Archive, "");
    }
    Ok(())
}

/// Takes the elevation models of GSI out of a zip, or out of the zips in it. Other rasters in it are reported.
fn look_into(found: &mut Found, zip: &Path) {
    let members = match raster::members(zip) {
        Ok(members) => members,
        Err(words) => return reject(found, zip, Reason::Archive, &words),
    };
    let (mut taken, mut others) = (false, Vec::new());
    for Member { name, problem } in members {
        let heights = jpgis::is_named(&name);
        match problem {
            Some(words) if heights || extension(Path::new(&name)) == "zip" => {
                reject(found, &zip.join(&name), Reason::Archive, &words);
                taken = true;
            }
            None if heights => {
                add(found, &zip.join(&name));
                taken = true;
            }
            _ if EXTENSIONS.contains(&extension(Path::new(&name)).as_str()) => others.push(name),
            _ => {}
        }
    }
    match others.as_slice() {
        [] if taken => {}
        [] => reject(found, zip, Reason::Archive, ""),
        [first, ..] => {
            let words = format!("rasters in it are not read ({}), such as {first}", others.len());
            reject(found, zip, Reason::Archive, &words);
        }
    }
}

/// True for a local elevation model of GSI (JPGIS), which is XML.
fn is_grid(path: &Path) -> bool {
    !url::is_one(path) && jpgis::is_one(path)
}

/// True for an archive that GDAL reads as a raster: a zipped tile of SRTM.
fn is_zipped(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().ends_with(".hgt.zip"))
}

/// True for a folder that is one data set.
fn is_set(path: &Path) -> bool {
    matches!(extension(path).as_str(), "gdb" | "zarr")
}

fn other(found: &mut Found, path: &Path) {
    if let Some(text) = relative(&found.root, path) {
        found.others.add(&extension(path), text);
    }
}

fn add(found: &mut Found, path: &Path) {
    match relative(&found.root, path) {
        Some(text) => found.paths.push(text),
        None => {
            reject(found, path, Reason::BadName, "its path is not UTF-8, or leads out of the source's folder by a link")
        }
    }
}

fn reject(found: &mut Found, path: &Path, reason: Reason, detail: &str) {
    let text = relative(&found.root, path).unwrap_or_else(|| path.to_string_lossy().into_owned());
    found.rejected.push((text, reason, detail.to_string()));
}

/// The path below the root with `/` between folders; `None` where it is not below, or no UTF-8.
fn relative(root: &Path, path: &Path) -> Option<String> {
    if url::is_one(root) {
        // A name with a query stands for itself: only a whole URL is masked where it is shown.
        let text = path.to_str()?;
        return if text.contains('?') { Some(text.to_string()) } else { below_url(root, text) };
    }
    let below = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> = below.components().map(|c| c.as_os_str().to_str()).collect();
    Some(parts?.join("/"))
}

fn below_url(root: &Path, text: &str) -> Option<String> {
    text.strip_prefix(root.to_str()?)?.strip_prefix('/').map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(folder: &Path, names: &[&str]) {
        for name in names {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
    }

    #[test]
    fn a_folder_is_listed_by_bytes_and_hidden_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        touch(
            folder.path(),
            &[
                "b.TIF",
                "a/z.tif",
                "a.tif",
                "a-b/c.HGT",
                ".hidden.tif",
                ".git/x.tif",
                "x.tif.aux.xml",
                "notes.md",
                "é.dt0",
                "p.zip",
            ],
        );
        let found = list(&Location::Folder(folder.path().to_path_buf())).unwrap();
        assert_eq!(found.paths, ["a-b/c.HGT", "a.tif", "a/z.tif", "b.TIF", "é.dt0"]);
        let [(zip, Reason::Archive, words)] = found.rejected.as_slice() else { panic!("{:?}", found.rejected) };
        assert!(zip == "p.zip" && words.starts_with("can't be unpacked"), "{words}");
        assert!(found.root.is_absolute());
    }

    #[test]
    fn a_pattern_takes_what_it_matches_but_companions() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path(), &["d/1.tif", "d/2.png", "d/1.tif.aux.xml", "d/e/3.tif", "d/.4.tif", "d/bounds.csv"]);
        let text = |pattern: &str| Location::Glob(folder.path().join(pattern).to_str().unwrap().to_string());
        let found = list(&text("d/*")).unwrap();
        assert_eq!(found.paths, ["1.tif", "2.png"]);
        assert_eq!(found.root, folder.path().join("d").canonicalize().unwrap());
        assert_eq!(list(&text("*/**/*.tif")).unwrap().paths, ["d/1.tif", "d/e/3.tif"]);
        assert!(list(&text("d/*.vrt")).unwrap().paths.is_empty());
        assert!(
            list(&Location::Folder(folder.path().join("none"))).unwrap_err().to_string().contains("check the path")
        );
    }
}
