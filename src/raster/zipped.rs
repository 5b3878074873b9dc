//! Files inside of zips: `a.zip/b.xml` is the member `b.xml` of `a.zip`, and `a.zip/b.zip/c.xml` a member of a zip in it.
//!
//! A member is as old and as large as the zip that lies on the disk, so that it changes when that does. Nothing is unpacked into a
//! folder. A zip in a zip is kept open by each thread, in memory or, where it is large, in an unnamed temporary file.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use tempfile::SpooledTempFile;
use zip::ZipArchive;

use super::FileStamp;
use crate::local;
use crate::text::one_line;

/// Members that a zip may have, with those of the zips in it.
const MOST_MEMBERS: usize = 1 << 20;
/// A zip in a zip may be as large, bytes.
const LARGEST_INNER: u64 = 2 << 30;
/// What it takes in memory before it goes to the disk, bytes.
const IN_MEMORY: usize = 16 << 20;
/// A zip hardly becomes smaller when it is zipped again: one that grows by more than this factor is made to fill disks.
const MOST_GROWTH: u64 = 20;

/// A member of a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its path below the zip, with `/` between folders and behind zips.
    pub name: String,
    /// Why it can't be read.
    pub problem: Option<String>,
}

/// What a zip is read from.
trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}
type Zip = ZipArchive<Box<dyn Source>>;

/// A zip that a thread has open: the file, its state, and the zip in it.
struct Open {
    file: PathBuf,
    stamp: FileStamp,
    inner: Option<String>,
    zip: Zip,
}

thread_local! {
    static OPEN: RefCell<Option<Open>> = const { RefCell::new(None) };
}

/// True for the path of a member.
pub(super) fn is_member(path: &Path) -> bool {
    local::file_of(path) != path
}

fn is_zip(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".zip")
}

/// All files in a zip, and in the zips in it, in the order of their names. Reads directories; zips in it are unpacked one after the other.
///
/// # Errors
/// Where it is no zip or holds too many files; in words.
pub fn members(file: &Path) -> Result<Vec<Member>, String> {
    let mut found = list(&mut outer(file)?)?;
    let mut out = Vec::new();
    for member in found.drain(..) {
        if !is_zip(&member.name) || member.problem.is_some() {
            out.push(member);
            continue;
        }
        match with(file, Some(&member.name), list) {
            Ok(inside) => out.extend(inside.into_iter().map(|inner| {
                let deeper = is_zip(&inner.name).then(|| "lies in a zip in a zip; unpack the outer one".to_string());
                Member { name: format!("{}/{}", member.name, inner.name), problem: inner.problem.or(deeper) }
            })),
            Err(problem) => out.push(Member { problem: Some(problem), ..member }),
        }
        if out.len() > MOST_MEMBERS {
            return Err(format!("holds more than {MOST_MEMBERS} files"));
        }
    }
    out.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}

fn list(zip: &mut Zip) -> Result<Vec<Member>, String> {
    if zip.len() > MOST_MEMBERS {
        return Err(format!("holds {} files, more than {MOST_MEMBERS}", zip.len()));
    }
    let mut out = Vec::new();
    for number in 0..zip.len() {
        let entry = zip.by_index_raw(number).map_err(|error| words(&error))?;
        if entry.is_dir() {
            continue;
        }
        let locked = entry.encrypted().then(|| "is encrypted; unpack the zip with its password".to_string());
        let Ok(name) = entry.name().map(std::borrow::Cow::into_owned) else { continue };
        let odd = name.contains(['\\', '\0']) || name.split('/').any(|part| matches!(part, "" | "." | ".."));
        let odd = odd.then(|| "has a name that leads out of the zip, or is no path; pack the zip again".to_string());
        out.push(Member { name, problem: odd.or(locked) });
    }
    Ok(out)
}

/// All of a member, which may have at most `most` bytes.
///
/// # Errors
/// Where it is not there, can't be unpacked, or is larger; in words.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let file = local::file_of(path);
    let name = path.strip_prefix(file).ok().and_then(Path::to_str).ok_or("its name is no text")?;
    // The first part of the name that is a zip holds the rest.
    let inner = name.match_indices('/').map(|(at, _)| &name[..at]).find(|part| is_zip(part));
    let own = inner.map_or(name, |inner| &name[inner.len() + 1..]);
    with(file, inner, |zip| {
        let entry = zip.by_name(own).map_err(|error| words(&error))?;
        let mut bytes = Vec::new();
        entry.take(most + 1).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        if bytes.len() as u64 > most {
            return Err(format!("has more than {most} bytes, and is no elevation model of GSI"));
        }
        Ok(bytes)
    })
}

/// Works with a zip, or with one in it, that is opened where this thread does not have it open.
fn with<T>(file: &Path, inner: Option<&str>, work: impl FnOnce(&mut Zip) -> Result<T, String>) -> Result<T, String> {
    let stamp = FileStamp::of(file).map_err(|error| error.to_string())?;
    // What fails is not kept.
    let kept = OPEN.with_borrow_mut(Option::take);
    let kept = kept.filter(|open| open.file == file && open.stamp == stamp && open.inner.as_deref() == inner);
    let mut open = match kept {
        Some(open) => open,
        None => {
            let zip = outer(file)?;
            let zip = match inner {
                Some(name) => unpacked(zip, name)?,
                None => zip,
            };
            Open { file: file.to_path_buf(), stamp, inner: inner.map(str::to_string), zip }
        }
    };
    let done = work(&mut open.zip)?;
    OPEN.with_borrow_mut(|place| *place = Some(open));
    Ok(done)
}

fn outer(file: &Path) -> Result<Zip, String> {
    let source = File::open(file).map_err(|error| error.to_string())?;
    ZipArchive::new(Box::new(BufReader::new(source)) as Box<dyn Source>).map_err(|error| words(&error))
}

/// A zip in a zip.
fn unpacked(mut zip: Zip, name: &str) -> Result<Zip, String> {
    let entry = zip.by_name(name).map_err(|error| words(&error))?;
    let most = LARGEST_INNER.min(entry.compressed_size().saturating_mul(MOST_GROWTH).saturating_add(1 << 20));
    let mut copy = SpooledTempFile::new(IN_MEMORY);
    let size = std::io::copy(&mut entry.take(most + 1), &mut copy).map_err(|error| damaged(&error))?;
    if size > most {
        return Err(format!("{name} in it has more than {most} bytes; unpack the outer zip"));
    }
    let source = Box::new(BufReader::new(copy)) as Box<dyn Source>;
    ZipArchive::new(source).map_err(|error| format!("{name} in it: {}", words(&error)))
}

fn words(error: &zip::result::ZipError) -> String {
    format!("can't be unpacked: {}", one_line(&error.to_string(), 120))
}

fn damaged(error: &std::io::Error) -> String {
    format!("can't be unpacked, since the zip is damaged: {}", one_line(&error.to_string(), 120))
}

#[cfg(test)]
#[path = "zipped_tests.rs"]
mod tests;
