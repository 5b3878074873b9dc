//! What a path of an input or an output may be: a local file or folder. Streams and URLs are refused by name.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// The scheme of something that looks like a URL, such as `https`.
fn url_scheme(path: &Path) -> Option<&str> {
    let (scheme, _) = path.to_str()?.split_once(":/")?;
    let known = scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c));
    known.then_some(scheme)
}

/// What to say about a path that isn't there and looks like a URL.
pub(crate) fn advice(path: &Path) -> Option<&'static str> {
    if path == Path::new("-") {
        return Some(
            "the standard input can't be read at many places: write it to a local file first, and give its name",
        );
    }
    url_scheme(path)
        .map(|_| "this looks like a URL, and hypso reads local files: download it first, and give the name of the file")
}

/// Facts about an input, links followed.
///
/// # Errors
/// Where there is none, or it is a pipe or a device.
pub(crate) fn input(path: &Path) -> Result<Metadata> {
    let facts = std::fs::metadata(path).map_err(Error::io("open", path))?;
    regular(path, &facts)?;
    Ok(facts)
}

/// All of a file that is read into memory: a list, a description, an outline.
///
/// # Errors
/// Where it can't be read, is a pipe or a device, or has more than `largest` bytes.
pub(crate) fn read(path: &Path, largest: u64) -> Result<Vec<u8>> {
    let facts = input(path)?;
    let mut bytes = Vec::new();
    if facts.len() <= largest {
        // A file that grows meanwhile is not read for ever.
        File::open(path)
            .and_then(|file| file.take(largest + 1).read_to_end(&mut bytes))
            .map_err(Error::io("read", path))?;
    }
    let found = facts.len().max(bytes.len() as u64);
    if found > largest {
        let problem = format!("has {found} bytes, more than the {largest} that such a file may have");
        return Err(Error::invalid("file", problem, "check that this is the file that was meant").with_path(path));
    }
    Ok(bytes)
}

/// The same as text.
///
/// # Errors
/// As [`read`], and where it is not UTF-8.
#[cfg(feature = "engine")]
pub(crate) fn text(path: &Path, largest: u64) -> Result<String> {
    String::from_utf8(read(path, largest)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::invalid("text", format!("is not UTF-8 from byte {at} on"), "save the file as UTF-8").with_path(path)
    })
}

/// The first bytes of a file, `most` of them; none where it can't be read, or is a pipe or a device.
#[cfg(feature = "engine")]
pub(crate) fn start(path: &Path, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if input(path).is_ok() {
        let _ = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    }
    bytes
}

/// How much of a file's beginning, and of its end, [`ends`] looks at, bytes.
#[cfg(feature = "engine")]
const ENDS: u64 = 64 << 10;

/// The size of a file, and XXH3 of its first and its last 64 KiB as 16 hexadecimal digits: what tells copies of a file from other files at the cost of
/// reading 128 KiB.
///
/// # Errors
/// Where it can't be read.
#[cfg(feature = "engine")]
pub(crate) fn ends(path: &Path) -> Result<(u64, String)> {
    use std::io::{Seek, SeekFrom};
    let read = || -> std::io::Result<(u64, u64)> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut sum = xxhash_rust::xxh3::Xxh3Default::new();
        let mut bytes = Vec::new();
        file.by_ref().take(ENDS).read_to_end(&mut bytes)?;
        sum.update(&bytes);
        bytes.clear();
        file.seek(SeekFrom::Start(size.saturating_sub(ENDS)))?;
        file.take(ENDS).read_to_end(&mut bytes)?;
        sum.update(&bytes);
        Ok((size, sum.digest()))
    };
    let (size, sum) = read().map_err(Error::io("read", path))?;
    Ok((size, format!("{sum:016x}")))
}

/// Refuses what can only be read from the beginning to the end.
///
/// # Errors
/// Where it is neither a file nor a folder.
pub(crate) fn regular(path: &Path, facts: &Metadata) -> Result<()> {
    if facts.is_file() || facts.is_dir() {
        return Ok(());
    }
    let remedy = "hypso reads at many places of a file: write it to a local file first, and give its name";
    Err(Error::invalid("input", "is a pipe or a device, not a file", remedy).with_path(path))
}

/// Checks the name of an output.
///
/// # Errors
/// Where it stands for the standard output, is a URL, or exists and is neither a file nor a folder.
pub(crate) fn output(path: &Path) -> Result<()> {
    let name = || path.display().to_string();
    if path == Path::new("-") {
        let problem =
            "stands for the standard output, but outputs are put together at several places: give the name of a file";
        return Err(Error::argument(name(), problem));
    }
    if url_scheme(path).is_some() && !path.parent().is_some_and(Path::is_dir) {
        let problem =
            "looks like a URL, and hypso writes local files: give a local name, and upload the file afterwards";
        return Err(Error::argument(name(), problem));
    }
    match std::fs::metadata(path) {
        Ok(facts) if !facts.is_file() && !facts.is_dir() => {
            Err(Error::argument(name(), "is a pipe or a device, and would be replaced: give the name of a file"))
        }
        _ => Ok(()),
    }
}

/// The file on the disk that a path leads to: the path itself or, where it leads into a zip (`a.zip/b.xml`), the zip.
#[cfg(feature = "engine")]
pub(crate) fn file_of(path: &Path) -> &Path {
    let is_zip = |path: &&Path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip"));
    path.ancestors().skip(1).filter(is_zip).find(|path| path.is_file()).unwrap_or(path)
}

/// The path with something appended to its last name, as files beside another one are named.
#[cfg(feature = "engine")]
pub(crate) fn with_ending(path: &Path, ending: impl AsRef<std::ffi::OsStr>) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// True where both paths lead to one existing file, links followed.
#[cfg(feature = "engine")]
pub(crate) fn same_file(a: &Path, b: &Path) -> bool {
    let (a, b) = (file_of(a), file_of(b));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let (Ok(a), Ok(b)) = (std::fs::metadata(a), std::fs::metadata(b)) {
            return (a.dev(), a.ino()) == (b.dev(), b.ino());
        }
    }
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        let error = read(&path, 4).unwrap_err().to_string();
        assert!(error.contains("/a: file: has 5 bytes, more than the 4"), "{error}");
        // All of it would take the machine's memory.
        File::options().write(true).open(&path).unwrap().set_len(1 << 43).unwrap();
        assert!(read(&path, 1 << 30).unwrap_err().to_string().contains("has 8796093022208 bytes"));
        #[cfg(feature = "engine")]
        {
            std::fs::write(&path, b"ab\xff").unwrap();
            assert!(text(&path, 5).unwrap_err().to_string().contains("not UTF-8 from byte 2 on"));
            assert_eq!(start(&path, 2), b"ab");
        }
    }

    #[test]
    fn urls_are_known_and_paths_are_none() {
        for url in
            ["https://example.org/a.pmtiles", "s3://bucket/a", "pmtiles://https://x/y", "file:///a", "gs:/bucket/a"]
        {
            assert!(advice(Path::new(url)).is_some(), "{url}");
            assert!(output(Path::new(url)).unwrap_err().to_string().contains("looks like a URL"), "{url}");
        }
        for path in ["a.pmtiles", "/a/b", "C:/a", "a:b/c", "../a b:/c", ""] {
            assert!(advice(Path::new(path)).is_none(), "{path}");
        }
        assert!(output(Path::new("-")).unwrap_err().to_string().contains("standard output"));
        assert!(input(Path::new("-")).unwrap_err().to_string().contains("standard input"));
        #[cfg(unix)]
        {
            assert!(read(Path::new("/dev/zero"), 10).unwrap_err().to_string().contains("a pipe or a device"));
            assert!(input(Path::new("/dev/null")).unwrap_err().to_string().contains("a pipe or a device"));
            assert!(output(Path::new("/dev/null")).unwrap_err().to_string().contains("would be replaced"));
        }
    }
}
