//! What a path of an input or an output may be: a local file or folder. Streams and what lies on other machines are told by name.

use std::fs::Metadata;
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

/// True where both paths lead to one existing file, links followed.
#[cfg(feature = "engine")]
pub(crate) fn same_file(a: &Path, b: &Path) -> bool {
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
            assert!(input(Path::new("/dev/null")).unwrap_err().to_string().contains("a pipe or a device"));
            assert!(output(Path::new("/dev/null")).unwrap_err().to_string().contains("would be replaced"));
        }
    }
}
