//! The files of a version: which belong together, and how they get into it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::version::{File, MANIFEST};
use crate::error::{Error, Result};
use crate::format::checksum::Checksum;

/// What a run writes beside an archive, and what is made from it, by what follows its name without the extension.
const BESIDE: [&str; 6] =
    [".report.json", "-lineage.pmtiles", "-lineage.mbtiles", ".heights", ".hypso", ".report.html"];

/// The files of a version: those that are named, and what belongs to them and lies beside them, unless `alone`.
///
/// # Errors
/// Where one is no file, or two have one name.
pub(super) fn gather(inputs: &[PathBuf], alone: bool) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for input in inputs {
        crate::local::input(input)?;
        if !input.is_file() {
            let problem = "is no file; name the archives and stores to publish";
            return Err(Error::argument(input.display().to_string(), problem));
        }
        found.push(input.clone());
    }
    if !alone {
        for input in inputs {
            let mut report = input.clone().into_os_string();
            report.push(".report.json");
            let mut parts = input.clone().into_os_string();
            parts.push(".inputs");
            let stem = input.with_extension("");
            let beside = BESIDE.iter().map(|end| {
                let mut name = stem.clone().into_os_string();
                name.push(end);
                PathBuf::from(name)
            });
            for path in beside.chain([PathBuf::from(parts), PathBuf::from(report)]) {
                if path.is_file() && !found.iter().any(|other| crate::local::same_file(other, &path)) {
                    found.push(path);
                }
            }
        }
    }
    found.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    if let Some(pair) = found.windows(2).find(|pair| pair[0].file_name() == pair[1].file_name()) {
        let problem = format!("has the name of {}; a version holds one file of a name", pair[0].display());
        return Err(Error::argument(pair[1].display().to_string(), problem));
    }
    let taken = |path: &&PathBuf| path.file_name().is_none_or(|name| name == MANIFEST || name.to_str().is_none());
    if let Some(path) = found.iter().find(taken) {
        let problem =
            format!("can't be published under this name; {MANIFEST} is the list of a version, others must be UTF-8");
        return Err(Error::argument(path.display().to_string(), problem));
    }
    Ok(found)
}

/// Length and checksum of a file. Reads all of it.
pub(super) fn facts(path: &Path) -> Result<(u64, String)> {
    let mut file = fs::File::open(path).map_err(Error::io("open", path))?;
    let (mut sum, mut bytes, mut buffer) = (Checksum::default(), 0, vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if read == 0 {
            return Ok((bytes, format!("{:016x}", sum.digest())));
        }
        sum.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// Puts a file into the folder of a version: as a hard link where the version in use has the same, as a copy that shares its blocks where
/// the volume can do that, else as a copy. What stands there is compared with what was read.
///
/// # Errors
/// Where it can't be read or written, or was changed meanwhile.
pub(super) fn put(path: &Path, folder: &Path, before: Option<(&Path, &[File])>) -> Result<File> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let to = folder.join(name);
    let (bytes, xxh3) = facts(path)?;
    let listed = File { name: name.to_owned(), bytes, xxh3, shared: false };
    if let Some((folder, files)) = before
        && let Some(same) = files.iter().find(|f| (f.bytes, &f.xxh3) == (listed.bytes, &listed.xxh3))
    {
        let old = folder.join(&same.name);
        // What a disk or a hand altered is not handed on.
        if facts(&old).is_ok_and(|found| found == (listed.bytes, listed.xxh3.clone()))
            && fs::hard_link(&old, &to).is_ok()
        {
            return Ok(File { shared: true, ..listed });
        }
    }
    copy(path, &to)?;
    if facts(&to)? != (listed.bytes, listed.xxh3.clone()) {
        return Err(Error::Changed { path: path.to_path_buf(), in_use: true });
    }
    Ok(listed)
}

/// Copies a file; with the umask of whoever publishes, whatever the input's mode is.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut input = fs::File::open(from).map_err(Error::io("open", from))?;
    let mut output = fs::File::create_new(to).map_err(Error::io("create", to))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if rustix::fs::ioctl_ficlone(&output, &input).is_ok() {
        return Ok(());
    }
    std::io::copy(&mut input, &mut output).map(drop).map_err(Error::io("write", to))
}
