//! The files that a raster consists of besides its own: sources of a VRT, masks, world files, headers, GDAL's sidecars.
//!
//! A change of any of them changes pixels or their place, so a record keeps a digest of them. It is made from names, sizes and
//! times alone, by rules that depend on no version of GDAL, and opens no raster:
//!
//! - sidecars of the raster: `a.tif.msk`, `a.tif.aux.xml`, `a.tfw`, `a.hdr`, `a.prj` and their like. Of `.aux.xml` what counts is
//!   its content without statistics and histograms, which GDAL writes by itself and which change no pixel. Overviews
//!   do not count, since runs read none;
//! - what a VRT refers to, with the sidecars of each, and so on through VRTs of VRTs. Where a VRT resamples its
//!   sources, their overviews count, because GDAL then reads them;
//! - all files of formats that lie in several (`.adf`, `.ddf`).

mod aux;
mod kept;
mod vrt;

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use xxhash_rust::xxh3::Xxh3Default;

use super::objects;
use super::stamp::{FileStamp, stamp_of};
use crate::local;
use crate::url;

/// Why the files of a raster can't be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// `by` refers to a file that is not there.
    Missing {
        /// The file that is not there.
        file: PathBuf,
        /// The VRT that names it.
        by: PathBuf,
    },
    /// A VRT that refers to itself, maybe through others.
    Itself(PathBuf),
    /// A pipe or a device where a file belongs: reading it may wait for ever.
    NoFile(PathBuf),
    /// A file on the network of which nothing can be learned; why, and what to do next.
    OutOfReach(PathBuf, String),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { file, by } => {
                write!(f, "{} refers to {}, which is not there", by.display(), file.display())
            }
            Self::Itself(file) => write!(f, "{} refers to itself", file.display()),
            Self::OutOfReach(file, why) => write!(f, "{}: {why}", file.display()),
            Self::NoFile(file) => write!(f, "{} belongs to it, and is a pipe or a device", file.display()),
        }
    }
}

/// Names of files by folder. Each folder is listed once, so that looking for the sidecars of a raster costs no system call.
///
/// What appears in a folder after it was listed is not seen. Make a new one for each pass over files.
#[derive(Debug, Default)]
pub struct Folders {
    names: HashMap<PathBuf, Rc<Vec<String>>>,
}

/// VRTs within VRTs at most; deeper ones count as a circle.
const DEEPEST: usize = 50;

/// What of a file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Facts(FileStamp),
    /// The same of an object, whose tag counts.
    Object(FileStamp),
    Content(u64),
    Elsewhere,
}

/// The files that were found, by name.
type Found = BTreeMap<String, Fact>;

/// The further files of a raster, as they were when they were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// A number that changes when one of them does; 0 where there is none.
    pub digest: u64,
    /// Those whose size and time count, in the order of their names.
    pub further: Vec<PathBuf>,
    stamps: Vec<FileStamp>,
}

impl Parts {
    /// The [`stamp`](super::stamp) of the raster and its further files. `file` is what was found of the raster's own file, before the
    /// others were looked at.
    #[must_use]
    pub fn stamp(&self, file: FileStamp) -> u64 {
        stamp_of(std::iter::once(file).chain(self.stamps.iter().copied()))
    }

    /// The [`plain_stamp`](super::plain_stamp) in the same way, of the raster of this path.
    #[must_use]
    pub fn plain_stamp(&self, path: &Path, file: FileStamp) -> u64 {
        let further = self.further.iter().zip(&self.stamps).map(|(path, stamp)| stamp.plain(path));
        stamp_of(std::iter::once(file.plain(path)).chain(further))
    }
}

impl Folders {
    /// The [`digest`](Parts::digest) of a raster's further files.
    ///
    /// # Errors
    /// As [`parts`](Self::parts).
    pub fn digest(&mut self, path: &Path) -> Result<u64, Broken> {
        Ok(self.parts(path)?.digest)
    }

    /// The further files of a raster.
    ///
    /// Costs a look (size and times) at each of them, the reading of `.aux.xml` files and VRTs, and a listing of their folders.
    ///
    /// # Errors
    /// Where a VRT refers to a file that is not there, or to itself; where a pipe or a device is among the files.
    pub fn parts(&mut self, path: &Path) -> Result<Parts, Broken> {
        self.parts_like(path, 0)
    }

    /// [`parts`](Self::parts), where `known` is the digest that is expected. It tells of most rasters on a network that nothing lies beside them; so
    /// their folders are not listed.
    ///
    /// # Errors
    /// As [`parts`](Self::parts).
    pub fn parts_like(&mut self, path: &Path, known: u64) -> Result<Parts, Broken> {
        let base = path.parent().unwrap_or(Path::new(""));
        let mut found = Found::new();
        let tag = if url::is_one(path) { tag_of(path)? } else { 0 };
        let alone = tag != 0 && known == digest_of(tag, &Found::new()) && !vrt::is_one(path);
        if !alone {
            self.collect(path, base, false, &mut Vec::new(), &mut found)?;
        }
        if tag != 0
            && !found.is_empty()
            && let Ok(objects) = objects()
        {
            objects.expect_sidecars(path);
        }
        let mut out = Parts { digest: digest_of(tag, &found), further: Vec::new(), stamps: Vec::new() };
        for (name, fact) in found {
            if let Fact::Facts(stamp) | Fact::Object(stamp) = fact {
                out.further.push(url::join(base, &name));
                out.stamps.push(stamp);
            }
        }
        Ok(out)
    }

    /// Adds the further files of `path`. `above` are the VRTs that led here.
    fn collect(
        &mut self,
        path: &Path,
        base: &Path,
        resampled: bool,
        above: &mut Vec<PathBuf>,
        found: &mut Found,
    ) -> Result<(), Broken> {
        for side in self.sidecars(path, resampled) {
            if let Some(fact) = fact_of(&side)? {
                found.insert(name_in(base, &side), fact);
            }
        }
        if !vrt::is_one(path) {
            return Ok(());
        }
        let place = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if above.contains(&place) || above.len() > DEEPEST {
            return Err(Broken::Itself(path.to_path_buf()));
        }
        above.push(place);
        let Some(vrt) = vrt::read(path) else { return Ok(()) };
        for file in &vrt.files {
            let name = name_in(base, file);
            if found.contains_key(&name) {
                if file.canonicalize().is_ok_and(|f| above.contains(&f)) {
                    return Err(Broken::Itself(file.clone()));
                }
                continue;
            }
            let Some(fact) = fact_of(file)? else {
                return Err(Broken::Missing { file: file.clone(), by: path.to_path_buf() });
            };
            found.insert(name, fact);
            self.collect(file, base, vrt.resampled, above, found)?;
        }
        found.extend(vrt.elsewhere.iter().map(|name| (name.clone(), Fact::Elsewhere)));
        above.pop();
        Ok(())
    }

    /// The sidecars of a raster that are there.
    fn sidecars(&mut self, path: &Path, resampled: bool) -> Vec<PathBuf> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
            return Vec::new();
        };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let names = self.names(folder);
        let name = name.to_lowercase();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
        let mut out = Vec::new();
        // Names are sorted without regard to case; those that begin with the stem lie together.
        let start = names.partition_point(|n| n.to_lowercase().as_str() < stem);
        for other in names[start..].iter().take_while(|n| n.to_lowercase().starts_with(stem)) {
            let lower = other.to_lowercase();
            if lower != name && (belongs(&lower, &name, stem, extension) || (resampled && is_overview(&lower, &name))) {
                out.push(folder.join(other));
            }
        }
        // Formats of which one file names a folder, or a part of it.
        let together = |other: &str| match extension {
            "adf" => other.ends_with(".adf"),
            "ddf" => other.ends_with(".ddf") && other.get(..4) == name.get(..4),
            _ => false,
        };
        if matches!(extension, "adf" | "ddf") {
            let all = names.iter().filter(|n| n.to_lowercase() != name && together(&n.to_lowercase()));
            out.extend(all.map(|n| folder.join(n)));
        }
        out
    }

    fn names(&mut self, folder: &Path) -> Rc<Vec<String>> {
        if let Some(names) = self.names.get(folder) {
            return Rc::clone(names);
        }
        let mut names: Vec<String> = if url::is_one(folder) {
            objects().and_then(|objects| objects.names(folder)).unwrap_or_default()
        } else {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter_map(|e| e.file_name().into_string().ok()).collect()
        };
        names.sort_by_cached_key(|n| n.to_lowercase());
        let names = Rc::new(names);
        self.names.insert(folder.to_path_buf(), Rc::clone(&names));
        names
    }
}

/// The digest of the further files that were found. An object has a tag besides size and time, which has whole seconds.
fn digest_of(tag: i64, found: &Found) -> u64 {
    if found.is_empty() && tag == 0 {
        return 0;
    }
    let mut sum = Xxh3Default::new();
    if tag != 0 {
        sum.update(&tag.to_le_bytes());
    }
    for (name, fact) in found {
        sum.update(name.as_bytes());
        let numbers = match fact {
            Fact::Facts(stamp) => [1, stamp.size, stamp.modified_ns as u64],
            Fact::Object(stamp) => [4, stamp.size, stamp.modified_ns as u64 ^ stamp.changed_ns as u64],
            Fact::Content(digest) => [2, *digest, 0],
            Fact::Elsewhere => [3, 0, 0],
        };
        numbers.iter().for_each(|n| sum.update(&n.to_le_bytes()));
    }
    sum.digest().max(1)
}

/// True where a file of this name is a sidecar of the raster `name`, which is `stem.extension`; all in lower case.
fn belongs(other: &str, name: &str, stem: &str, extension: &str) -> bool {
    if matches!(other.strip_prefix(name), Some(".msk" | ".aux.xml" | ".aux" | ".hdr" | ".msk.aux.xml")) {
        return true;
    }
    let Some(rest) = other.strip_prefix(stem).and_then(|r| r.strip_prefix('.')) else {
        // A header whose raster has no extension: ERS.
        return extension == "ers" && other == stem;
    };
    let world = |rest: &str| {
        let letters: Vec<char> = extension.chars().collect();
        let short = letters.first().zip(letters.last()).map(|(a, b)| format!("{a}{b}w"));
        rest == "wld" || rest.strip_suffix('w') == Some(extension) || short.is_some_and(|s| s == rest)
    };
    let own: &[&str] = match extension {
        "rst" => &["rdc"],
        "sdat" => &["sgrd", "mgrd"],
        "mrf" => &["idx", "lrc", "ppg", "pjg", "til", "lerc", "tif"],
        "lbl" | "pds" => &["img", "dat", "cub"],
        _ => &[],
    };
    matches!(rest, "prj" | "hdr" | "aux" | "tab" | "ige")
        || own.contains(&rest)
        || (!extension.is_empty() && world(rest))
}

/// True where a file of this name holds overviews of the raster `name`.
fn is_overview(other: &str, name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    other.strip_prefix(name) == Some(".ovr") || other.strip_prefix(stem) == Some(".rrd")
}

/// What of a file counts; `None` where it is not there, or holds nothing that does.
///
/// # Errors
/// Where it is a pipe or a device.
fn fact_of(path: &Path) -> Result<Option<Fact>, Broken> {
    let (facts, fact): (_, fn(FileStamp) -> Fact) = if url::is_one(path) {
        match objects().and_then(|objects| objects.facts(path)) {
            Ok(facts) => (facts, Fact::Object),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(out_of_reach(path, &error)),
        }
    } else {
        let Ok(facts) = std::fs::metadata(path) else { return Ok(None) };
        if local::regular(path, &facts).is_err() {
            return Err(Broken::NoFile(path.to_path_buf()));
        }
        (FileStamp::from(&facts), Fact::Facts)
    };
    let is_aux = path.to_str().is_some_and(|p| p.to_lowercase().ends_with(".aux.xml"));
    if is_aux && facts.size <= aux::LONGEST {
        let text = bytes_of(path, aux::LONGEST).and_then(|bytes| String::from_utf8(bytes).ok());
        return Ok(match text.as_deref().and_then(aux::digest) {
            Some(0) => None,
            Some(digest) => Some(Fact::Content(digest)),
            None => Some(fact(facts)),
        });
    }
    Ok(Some(fact(facts)))
}

/// All of a file, wherever it lies; `None` where it can't be read or is longer.
fn bytes_of(path: &Path, most: u64) -> Option<Vec<u8>> {
    if url::is_one(path) { objects().ok()?.read(path, most).ok() } else { local::read(path, most).ok() }
}

/// The tag of an object as a number.
fn tag_of(url: &Path) -> Result<i64, Broken> {
    let facts = objects().and_then(|objects| objects.facts(url));
    facts.map(|facts| facts.changed_ns).map_err(|error| out_of_reach(url, &error))
}

fn out_of_reach(url: &Path, error: &std::io::Error) -> Broken {
    Broken::OutOfReach(url.to_path_buf(), format!("{error}; {}", url::advice(error.kind())))
}

/// The name of a file as seen from the raster's folder, so that a folder may be moved.
fn name_in(base: &Path, file: &Path) -> String {
    file.strip_prefix(base).unwrap_or(file).to_string_lossy().into_owned()
}

/// What a VRT is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Files whose values come through as they are.
    pub files: Vec<PathBuf>,
    /// True where cells of the sources are not taken one by one.
    pub resampled: bool,
}

/// What a VRT is made from, with the first `most` of its files; nothing for any other file.
#[must_use]
pub fn sources_of(path: &Path, most: usize) -> Sources {
    let Some(vrt) = vrt::read_if_one(path) else { return Sources::default() };
    Sources { files: vrt.unchanged.iter().take(most).cloned().collect(), resampled: vrt.resampled }
}

/// What GDAL opens for a VRT, in the order of its text: names of files, or names of GDAL's for what lies in an archive; nothing
/// for any other file.
#[must_use]
pub fn opened_by(path: &Path) -> Vec<PathBuf> {
    vrt::read_if_one(path).map(|vrt| vrt.opened.clone()).unwrap_or_default()
}

/// What a raster would fetch from the network, in words: a description of a service, or what a VRT names, itself or through others;
/// `None` for all other files. Reads the first kilobyte of the file, and all of a VRT.
#[must_use]
pub fn remote_of(path: &Path) -> Option<String> {
    vrt::remote_of(path, &mut Vec::new())
}

#[cfg(test)]
mod tests;
