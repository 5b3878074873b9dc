//! Which rasters a shard reads, and how a machine knows copies of them: by their size and by what is at their beginning and their end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::local::{ends, file_of};
use crate::raster::FileStamp;
use crate::raster::parts::{Folders, Parts};
use crate::render::CopyFacts;
use crate::store::{RecordRef, Store};
use crate::url;

/// A file and what a copy of it must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileContent {
    /// Where the machine that planned has it.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// XXH3 of its first and its last 64 KiB, 16 hexadecimal digits; empty where it lies on a network.
    pub content: String,
}

/// A raster that a shard reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRaster {
    /// Its record.
    pub row: u32,
    /// The file that the store names.
    #[serde(flatten)]
    pub file: FileContent,
    /// Its further files: masks, sidecars, sources of a VRT.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<FileContent>,
    /// The plain stamp of all its files.
    pub(super) plain: u64,
}

/// What is known of files that several shards read.
#[derive(Debug, Default)]
pub(super) struct Contents {
    folders: Folders,
    files: HashMap<PathBuf, FileContent>,
}

impl Contents {
    /// The raster of a record. Reads up to 128 KiB of each of its files, once.
    pub(super) fn raster(&mut self, record: &RecordRef<'_>) -> Result<ShardRaster> {
        let path = record.full_path()?;
        let stamp = FileStamp::of(&path)?;
        if (stamp.size, stamp.modified_ns) != (record.file_size(), record.modified_ns()) {
            return Err(Error::Changed { path, in_use: false });
        }
        let parts = parts(&mut self.folders, &path)?;
        let further = parts.further.iter().map(|file| self.file(file)).collect::<Result<_>>()?;
        Ok(ShardRaster {
            row: record.row(),
            file: self.file(file_of(&path))?,
            further,
            plain: parts.plain_stamp(&path, stamp),
        })
    }

    fn file(&mut self, path: &Path) -> Result<FileContent> {
        if let Some(known) = self.files.get(path) {
            return Ok(known.clone());
        }
        let (size, content) = if url::is_one(path) { (FileStamp::of(path)?.size, String::new()) } else { ends(path)? };
        let file = FileContent { path: path.to_path_buf(), size, content };
        self.files.insert(path.to_path_buf(), file.clone());
        Ok(file)
    }
}

fn parts(folders: &mut Folders, path: &Path) -> Result<Parts> {
    folders.parts(path).map_err(|why| Error::raster(path, why.to_string()))
}

/// Compares the rasters that this machine has in folders of its own with those of the plan. Reads up to 128 KiB of each.
///
/// # Errors
/// Where one is missing, or holds something else.
pub(super) fn compare(rasters: &[ShardRaster], store: &Store) -> Result<Vec<CopyFacts>> {
    let mut folders = Folders::default();
    let mut copies = Vec::new();
    for raster in rasters {
        let Some(record) = store.record(raster.row) else { continue };
        if store.moved_root(record.source_index()).is_none() {
            continue;
        }
        let path = record.full_path()?;
        let before = FileStamp::of(&path)?;
        let parts = parts(&mut folders, &path)?;
        same(&raster.file, &path)?;
        if parts.further.len() != raster.further.len() {
            let problem = format!(
                "has {} further files (masks, sidecars, sources), that of the plan has {}; bring all that its line names, and nothing else",
                parts.further.len(),
                raster.further.len()
            );
            return Err(Error::raster(&path, problem));
        }
        for (file, copy) in raster.further.iter().zip(&parts.further) {
            same(file, copy)?;
        }
        copies.push(CopyFacts {
            row: raster.row,
            modified_ns: before.modified_ns,
            parts: parts.digest,
            plain: raster.plain,
            further: raster.further.iter().map(|file| file.path.clone()).collect(),
        });
    }
    Ok(copies)
}

fn same(planned: &FileContent, copy: &Path) -> Result<()> {
    if planned.content.is_empty() {
        let problem = "can't be compared with what it is a copy of, which lies on a network: build the store of local files and plan \
            with it, or read the objects themselves (`allow_remote`)";
        return Err(Error::raster(copy, problem));
    }
    let (size, content) = ends(file_of(copy))?;
    if size == planned.size && content == planned.content {
        return Ok(());
    }
    let problem = if size == planned.size {
        "begins or ends with other bytes".to_owned()
    } else {
        format!("has {size} bytes instead of {}", planned.size)
    };
    let problem = format!("is no copy of {}: it {problem}; copy it again", planned.path.display());
    Err(Error::raster(copy, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_known_by_its_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        let write = |name: &str, at: Option<usize>| {
            let mut bytes = bytes.clone();
            at.iter().for_each(|&at| bytes[at] ^= 1);
            std::fs::write(path(name), bytes).unwrap();
            ends(&path(name)).unwrap()
        };
        let all = write("a", None);
        assert_eq!(all.0, 300_000);
        assert_eq!(write("b", None), all);
        for at in [0, 65_535, 300_000 - 65_536, 299_999] {
            assert_ne!(write("c", Some(at)), all, "{at}");
        }
        // What lies between is not looked at.
        assert_eq!(write("c", Some(150_000)), all);
        // Short files are read whole, their bytes twice.
        for size in [0, 1, 70_000] {
            std::fs::write(path("s"), &bytes[..size]).unwrap();
            assert_eq!(ends(&path("s")).unwrap().0, size as u64);
        }
    }
}
