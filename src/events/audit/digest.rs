//! Digests of files and folders.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, 64 hexadecimal digits: of a file that of `sha256sum`; of a folder that of the lines `HASH  NAME` of all files in it, in the
    /// order of the bytes of their names.
    pub sha256: String,
}

/// Reads all of a file or folder, at one to two gigabytes a second where the processor has instructions for it.
///
/// # Errors
/// Where something can't be read.
pub fn digest(path: &Path) -> Result<Digest> {
    if !path.is_dir() {
        return of_file(path);
    }
    let (mut bytes, mut sum) = (0, Sha256::new());
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(path) {
        let entry = entry.map_err(|error| Error::io("read", path)(error.into()))?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    files.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    for file in files {
        let one = of_file(&file)?;
        let name = file.strip_prefix(path).unwrap_or(&file).as_os_str().as_encoded_bytes();
        sum.update(format!("{}  ", one.sha256).as_bytes());
        sum.update(name);
        sum.update(b"\n");
        bytes += one.bytes;
    }
    Ok(Digest { bytes, sha256: hex(&sum.finalize()) })
}

fn of_file(path: &Path) -> Result<Digest> {
    let read = || -> std::io::Result<Digest> {
        let mut file = File::open(path)?;
        let (mut bytes, mut sum, mut buffer) = (0, Sha256::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Digest { bytes, sha256: hex(&sum.finalize()) }),
                count => {
                    sum.update(&buffer[..count]);
                    bytes += count as u64;
                }
            }
        }
    };
    read().map_err(Error::io("read", path))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_digest_of_sha256sum_and_a_folder_that_of_its_list() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("x")).unwrap();
        std::fs::write(at("x/abc"), "abc").unwrap();
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(&at("x/abc")).unwrap(), Digest { bytes: 3, sha256: of_abc.into() });
        std::fs::write(at("list"), format!("{of_abc}  abc\n")).unwrap();
        assert_eq!(digest(&at("x")).unwrap().sha256, digest(&at("list")).unwrap().sha256);
        assert!(digest(&at("none")).is_err());
    }
}
