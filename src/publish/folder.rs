//! The folder of a publication: its versions, the one in use, what is added to it and what goes.

use std::fs::{self, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::files::{gather, put};
use super::gate;
use super::keep::{Keep, Reason};
use super::version::{MANIFEST, Version, name_of, time_of};
use crate::archive::{self, ArchiveKind, CreateOptions, Scheme};
use crate::atomic::{self, AtomicFolder};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::quality::{self, Finding, Rules};

const CURRENT: &str = "current";
const VERSIONS: &str = "versions";
const LOCK: &str = ".publish.lock";

/// How something is published.
#[derive(Debug, Clone, Default)]
pub struct PublishOptions {
    /// Only the files that are named, not what belongs to them and lies beside them.
    pub alone: bool,
    /// Decode about so many tiles of each archive instead of all.
    pub sample: Option<u64>,
    /// Keep patches of PMTiles and MBTiles, from the version in use to the new one.
    pub patches: bool,
    /// What is said of the version.
    pub note: Option<String>,
    /// The limits of what is measured.
    pub rules: Rules,
}

/// What came of it.
#[derive(Debug)]
pub enum Published {
    /// The version is in use.
    Done(Version),
    /// A file did not pass `hypso verify`: its name, and what is wrong. Nothing has changed.
    Refused(Vec<(String, String)>),
    /// A limit was passed that makes it fail: what was measured. Nothing has changed.
    Held(Vec<Finding>),
}

/// What a pruning did.
#[derive(Debug, Default)]
pub struct Pruned {
    /// The names of the versions that are gone.
    pub removed: Vec<String>,
    /// Those that stay although no rule keeps them, each with the reason.
    pub stuck: Vec<(String, String)>,
}

/// A folder of versions. Held by one process at a time where it is opened [to change it](Self::open).
#[derive(Debug)]
pub struct Publication {
    folder: PathBuf,
    _lock: Option<fs::File>,
}

impl Publication {
    /// Opens a folder to change it, makes it where its parent exists, and removes what killed processes left in it.
    ///
    /// # Errors
    /// Where another process holds it, it can't be written, or `current` in it is no link of ours.
    pub fn open(folder: &Path) -> Result<Self> {
        crate::local::output(folder)?;
        if folder.symlink_metadata().is_ok() && !folder.is_dir() {
            return Err(Error::argument(
                folder.display().to_string(),
                "is no folder; name the folder that holds the versions",
            ));
        }
        if !folder.is_dir() {
            fs::create_dir(folder).map_err(Error::io("make the folder", folder))?;
        }
        let path = folder.join(LOCK);
        let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(Error::io("open", &path))?;
        if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(Error::busy(folder, "is held by another process that publishes; try again when it has ended"));
        }
        let opened = Self { folder: folder.to_path_buf(), _lock: Some(lock) };
        opened.current()?;
        let versions = opened.folder.join(VERSIONS);
        if !versions.is_dir() {
            fs::create_dir(&versions).map_err(Error::io("make the folder", &versions))?;
        }
        atomic::sweep_folders(&versions, &|path, is_folder| !is_folder && path.components().count() == 1);
        Ok(opened)
    }

    /// Opens a folder to look at it.
    ///
    /// # Errors
    /// Where it is no such folder.
    pub fn look(folder: &Path) -> Result<Self> {
        if !folder.join(VERSIONS).is_dir() {
            let problem = "holds no versions; publish the first one into it (`publish::Publication`)";
            return Err(Error::argument(folder.display().to_string(), problem));
        }
        Ok(Self { folder: folder.to_path_buf(), _lock: None })
    }

    /// The name of the version in use; `None` before the first one.
    ///
    /// # Errors
    /// Where `current` is anything else than a link to a version.
    pub fn current(&self) -> Result<Option<String>> {
        let link = self.folder.join(CURRENT);
        if link.symlink_metadata().is_err() {
            return Ok(None);
        }
        let target = fs::read_link(&link).ok();
        let name = target.as_deref().and_then(|to| to.strip_prefix(VERSIONS).ok()?.to_str().map(str::to_owned));
        match name.filter(|name| time_of(name).is_some()) {
            Some(name) => Ok(Some(name)),
            None => {
                let problem = "is no link to a version";
                Err(Error::invalid("publication", problem, "move it away, or publish into another folder")
                    .with_path(link))
            }
        }
    }

    /// All versions, oldest first. Those that can't be read are given by their error.
    ///
    /// # Errors
    /// Where the folder can't be listed.
    pub fn versions(&self) -> Result<Vec<Result<Version>>> {
        let path = self.folder.join(VERSIONS);
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(Error::io("list", &path))? {
            let name = entry.map_err(Error::io("list", &path))?.file_name();
            names.extend(name.to_str().filter(|name| time_of(name).is_some()).map(str::to_owned));
        }
        names.sort();
        Ok(names.into_iter().map(|name| Version::read(&self.place_of(&name))).collect())
    }

    /// The folder of a version.
    #[must_use]
    pub fn place_of(&self, name: &str) -> PathBuf {
        self.folder.join(VERSIONS).join(name)
    }

    /// Makes a version of files and puts it in use, once each archive and store in it has passed what `hypso verify` looks for, and what was
    /// measured is within the limits: of the archives, of the reports beside them, and, where limits ask for it, of the heights that changed
    /// since the version in use.
    ///
    /// Costs two readings of each file, and the decoding of all tiles or a sample.
    ///
    /// # Errors
    /// Where a file can't be read or written, or changes meanwhile. The version in use stays in use then.
    pub fn publish(&self, inputs: &[PathBuf], options: &PublishOptions, progress: &dyn Progress) -> Result<Published> {
        let inputs = gather(inputs, options.alone)?;
        let before = self.current()?.map(|name| Version::read(&self.place_of(&name))).transpose()?;
        let mut time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
        while self.place_of(&name_of(time)).symlink_metadata().is_ok() {
            time += 1;
        }
        let name = name_of(time);
        let new = AtomicFolder::create(&self.place_of(&name), &|path, is_folder| {
            !is_folder && path.components().count() == 1
        })?;
        let place = before.as_ref().map(|v| self.place_of(&v.name));
        let mut files = Vec::new();
        for input in &inputs {
            files.push(put(input, new.path(), place.as_deref().zip(before.as_ref().map(|v| &v.files[..])))?);
        }
        let (mut problems, mut figures) = (Vec::new(), Vec::new());
        for file in &files {
            let checked = gate::check(&new.path().join(&file.name), options.sample, progress)?;
            problems.extend(checked.problems.into_iter().map(|problem| (file.name.clone(), problem)));
            figures.extend(checked.figures);
        }
        if !problems.is_empty() {
            return Ok(Published::Refused(problems));
        }
        if let Some((old, place)) = before.as_ref().zip(place.as_deref())
            && gate::asks_for_changes(&options.rules)
        {
            figures.extend(gate::changes((&old.files, place), (&files, new.path()), progress)?);
        }
        let quality = options.rules.judge(&figures);
        if quality::count_fails(&quality) > 0 {
            return Ok(Published::Held(quality));
        }
        if let (true, Some(old), Some(place)) = (options.patches, &before, &place) {
            let made = patches(old, place, &files, new.path(), progress)?;
            files.extend(made);
        }
        let mut version = Version::new(name, before.map(|v| v.name), options.note.clone(), files);
        version.quality = quality.into_iter().filter(|found| found.limit.is_some()).collect();
        let list = new.path().join(MANIFEST);
        let text = serde_json::to_vec_pretty(&version).map_err(|e| Error::internal(e.to_string()))?;
        let mut file = fs::File::create_new(&list).map_err(Error::io("create", &list))?;
        file.write_all(&text).map_err(Error::io("write", &list))?;
        new.commit(|path| Err(Error::Exists { path: path.to_path_buf() }), &|_, _| false)?;
        self.use_version(&version.name)?;
        Ok(Published::Done(version))
    }

    /// Puts a version in use that is there already; `None` is the one before the version in use. Gives its name.
    ///
    /// Compares the sizes of its files with its list, and reads none of them.
    ///
    /// # Errors
    /// Where there is no such version, or it is not whole.
    pub fn roll_back(&self, to: Option<&str>) -> Result<String> {
        let current = self.current()?;
        let name = match (to, &current) {
            (Some(name), _) => name.to_owned(),
            (None, Some(current)) => {
                let older = self.versions()?.into_iter().flatten().rfind(|v| v.name < *current);
                let none = || Error::not_found(format!("{}: holds no version before {current}", self.folder.display()));
                older.ok_or_else(none)?.name
            }
            (None, None) => return Err(Error::not_found(format!("{}: has no version in use", self.folder.display()))),
        };
        let place = self.place_of(&name);
        if time_of(&name).is_none() || !place.is_dir() {
            let list = "see which there are (`publish::Publication::versions`)";
            return Err(Error::not_found(format!("{}: holds no version {name:?}; {list}", self.folder.display())));
        }
        for file in Version::read(&place)?.files {
            let path = place.join(&file.name);
            let found = fs::metadata(&path).map_err(Error::io("look at", &path))?.len();
            if found != file.bytes {
                let problem = format!("has {found} bytes, its version lists {}", file.bytes);
                return Err(Error::invalid("version", problem, "choose another version").with_path(path));
            }
        }
        self.use_version(&name)?;
        Ok(name)
    }

    /// Lets `current` lead to a version, in one step.
    fn use_version(&self, name: &str) -> Result<()> {
        atomic::replace_link(&Path::new(VERSIONS).join(name), &self.folder.join(CURRENT))
    }

    /// Why each version stays, by [`Keep`], oldest first; versions that can't be read are not among them.
    ///
    /// # Errors
    /// As [`versions`](Self::versions).
    pub fn reasons(&self, keep: &Keep) -> Result<Vec<(Version, Vec<Reason>)>> {
        let versions: Vec<Version> = self.versions()?.into_iter().flatten().collect();
        let times: Vec<i64> = versions.iter().map(Version::published).collect();
        Ok(versions.into_iter().zip(keep.reasons(&times)).collect())
    }

    /// Removes the versions that no rule keeps, but never the one in use, and none that holds anything which is not on its list.
    ///
    /// # Errors
    /// Where the folder can't be read.
    pub fn prune(&self, keep: &Keep) -> Result<Pruned> {
        let current = self.current()?;
        let mut pruned = Pruned::default();
        for (version, reasons) in self.reasons(keep)? {
            if !reasons.is_empty() || current.as_deref() == Some(&version.name) {
                continue;
            }
            let place = self.place_of(&version.name);
            if let Some(other) = foreign(&place, &version) {
                pruned.stuck.push((version.name, format!("holds {other}, which is not on its list; move it away")));
                continue;
            }
            match atomic::retire(&place, &|path, is_folder| !is_folder && version.owns(path)) {
                Ok(()) => pruned.removed.push(version.name),
                Err(error) => pruned.stuck.push((version.name, error.to_string())),
            }
        }
        Ok(pruned)
    }

    /// Compares every file of every version with its list. Reads all bytes. Gives what differs.
    ///
    /// # Errors
    /// As [`versions`](Self::versions).
    pub fn check(&self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        for version in self.versions()? {
            let version = match version {
                Ok(version) => version,
                Err(error) => {
                    problems.push(error.to_string());
                    continue;
                }
            };
            for file in &version.files {
                let path = self.place_of(&version.name).join(&file.name);
                match super::files::facts(&path) {
                    Err(error) => problems.push(error.to_string()),
                    Ok(found) if found != (file.bytes, file.xxh3.clone()) => {
                        let problem = "differs from what was published; publish again, or use another version";
                        problems.push(format!("{}: {problem}", path.display()));
                    }
                    Ok(_) => {}
                }
            }
        }
        Ok(problems)
    }
}

/// The first thing in the folder of a version that its list does not name.
fn foreign(place: &Path, version: &Version) -> Option<String> {
    let entries = fs::read_dir(place).ok()?.flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.find(|name| !version.owns(Path::new(name))).map(|name| name.to_string_lossy().into_owned())
}

/// Writes a patch beside each archive that the version in use has under the same name, and with other bytes.
fn patches(
    old: &Version,
    place: &Path,
    files: &[super::File],
    to: &Path,
    progress: &dyn Progress,
) -> Result<Vec<super::File>> {
    let mut made = Vec::new();
    for file in files {
        let tiles =
            matches!(ArchiveKind::of_name(Path::new(&file.name)), Ok(ArchiveKind::Pmtiles | ArchiveKind::Mbtiles));
        let same = old.files.iter().find(|before| before.name == file.name && before.xxh3 != file.xxh3);
        let (true, Some(_)) = (tiles, same) else { continue };
        let [before, after] = [place, to].map(|folder| archive::open(&folder.join(&file.name)));
        let (before, after) = (before?, after?);
        let name = format!("{}.from-{}.patch.pmtiles", file.name, old.name);
        let path = to.join(&name);
        let sink =
            archive::create_as(&path, &archive::patch_metadata(after.as_ref()), CreateOptions::default(), Scheme::Xyz)?;
        archive::write_patch(before.as_ref(), after.as_ref(), sink, progress)?;
        let (bytes, xxh3) = super::files::facts(&path)?;
        made.push(super::File { name, bytes, xxh3, shared: false });
    }
    Ok(made)
}
