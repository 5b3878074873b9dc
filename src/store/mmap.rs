//! The one place that maps files, and the one place with `unsafe` code.
#![allow(unsafe_code)]

use std::fs::File;
use std::path::Path;

use crate::error::{Error, Result};

/// A whole file, mapped for reading.
pub(super) struct Map(memmap2::Mmap);

impl Map {
    /// Maps a file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let facts = file.metadata().map_err(Error::io("look at", path))?;
        if facts.is_dir() {
            return Err(Error::invalid(
                "store",
                "is a folder, a store file was expected",
                "give the file that `hypso build -o` wrote",
            )
            .with_path(path));
        }
        if facts.len() == 0 {
            return Err(Error::invalid("store", "is empty", "build it again with `hypso build`").with_path(path));
        }
        // SAFETY: a map is only sound while nobody changes the file below it. hypso never does: a store is written
        // under another name, synced and renamed over the old one, so that the mapped inode stays as it was for as
        // long as the map lives. What other programs do to the file can't be prevented; `Store::open` tells its
        // callers not to write into it or cut it. All bytes are read as plain integers and floats, for which every
        // bit pattern is valid, and every offset is checked before it is used.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io("map", path))?;
        Ok(Self(map))
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
