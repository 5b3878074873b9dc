//! A pack in the making.

#[cfg(feature = "remote")]
use std::cmp::Reverse;
use std::fs::File;
use std::io::Write;
#[cfg(feature = "remote")]
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zerocopy::IntoBytes;

use super::{Entry, Foot, MAGIC, Pack, mark};
use crate::archive::ContentHash;
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::format::checksum::checksum;
use crate::render::{Made, UnitReport};
use crate::tile::TileId;
#[cfg(feature = "remote")]
use crate::url;

/// A pack in the making; it appears under its name when it is whole.
#[derive(Debug)]
pub struct PackWriter {
    file: Target,
    path: PathBuf,
    run: u64,
    entries: Vec<Entry>,
    end: u64,
}

impl PackWriter {
    /// Begins a pack.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn create(path: &Path, run: u64) -> Result<Self> {
        Ok(Self { file: Target::create(path)?, path: path.to_path_buf(), run, entries: Vec::new(), end: 0 })
    }

    /// Adds a tile.
    ///
    /// # Errors
    /// Where the file can't be written, or the tile has 4 GB.
    pub fn put(&mut self, made: &Made) -> Result<()> {
        let length = u32::try_from(made.bytes.len())
            .map_err(|_| Error::limit(format!("tile {} has {} bytes, 4 GB at most", made.tile, made.bytes.len())))?;
        self.file.file().write_all(&made.bytes).map_err(Error::io("write", &self.path))?;
        let content = ContentHash::of(&made.bytes);
        self.entries.push(Entry {
            id: TileId::from(made.tile).0.into(),
            layer: made.layer as u8,
            wanted: u8::from(made.wanted),
            reserved: [0; 2],
            length: length.into(),
            offset: self.end.into(),
            hash_low: content.low.into(),
            hash_high: content.high.into(),
            rest: [0; 4],
        });
        self.end += u64::from(length);
        Ok(())
    }

    /// Writes index and report, and gives the pack its name. `writing` is what writing took so far; the report gets it.
    ///
    /// Where another process made the same unit from the same rasters meanwhile, its pack stays, and the report is the one in it.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn finish(mut self, report: &mut UnitReport, writing: Duration) -> Result<()> {
        report.writing += writing.as_secs_f64();
        let mine = &*report;
        let report_bytes = serde_json::to_vec(mine).map_err(|e| Error::internal(format!("unit report: {e}")))?;
        self.file.in_order(&mut self.entries, &self.path)?;
        self.entries.sort_unstable_by_key(Entry::key);
        let end = [self.entries.as_bytes(), &report_bytes].concat();
        let foot = Foot {
            magic: MAGIC,
            mark: mark(self.run, &self.path).into(),
            tiles: (self.entries.len() as u32).into(),
            report_length: (report_bytes.len() as u32).into(),
            index_at: self.end.into(),
            end_checksum: checksum(&end).into(),
        };
        let file = self.file.file();
        file.write_all(&end).and_then(|()| file.write_all(foot.as_bytes())).map_err(Error::io("write", &self.path))?;
        let mut theirs = None;
        self.file.commit_unless(&self.path, |path| {
            theirs = Pack::open(path, self.run).ok().map(|pack| pack.report).filter(|theirs| theirs.read == mine.read);
            theirs.is_some()
        })?;
        if let Some(theirs) = theirs {
            *report = theirs;
        }
        Ok(())
    }
}

/// Where a pack is written.
#[derive(Debug)]
enum Target {
    /// A file beside the final name.
    File(AtomicFile),
    /// A file without a name, whose bytes become an object.
    #[cfg(feature = "remote")]
    Object(File),
}

impl Target {
    fn create(path: &Path) -> Result<Self> {
        #[cfg(feature = "remote")]
        if url::is_one(path) {
            return Ok(Self::Object(scratch()?));
        }
        make_folders(path)?;
        Ok(Self::File(AtomicFile::create(path)?))
    }

    fn file(&mut self) -> &mut File {
        match self {
            Self::File(file) => file.file(),
            #[cfg(feature = "remote")]
            Self::Object(file) => file,
        }
    }

    /// Orders the tiles of an object by zoom, the finest first. Files stay as they are.
    #[cfg_attr(not(feature = "remote"), allow(unused_variables, reason = "files stay as they are"))]
    fn in_order(&mut self, entries: &mut [Entry], path: &Path) -> Result<()> {
        #[cfg(feature = "remote")]
        if let Self::Object(file) = self {
            let zoom = |entry: &Entry| TileId(entry.id.get()).coord().map_or(0, |tile| tile.z());
            entries.sort_unstable_by_key(|entry| (Reverse(zoom(entry)), entry.layer, entry.id.get()));
            let mut ordered = scratch()?;
            let mut offset = 0;
            for entry in entries {
                let length = u64::from(entry.length.get());
                file.seek(SeekFrom::Start(entry.offset.get()))
                    .and_then(|_| std::io::copy(&mut (&*file).take(length), &mut ordered))
                    .map_err(Error::io("write", path))?;
                entry.offset = offset.into();
                offset += length;
            }
            *file = ordered;
        }
        Ok(())
    }

    /// Gives the pack its name. Where that is taken, `keep` is asked whether what stands there stays.
    #[cfg_attr(not(feature = "remote"), allow(unused_variables, reason = "files know their names"))]
    fn commit_unless(self, path: &Path, keep: impl FnOnce(&Path) -> bool) -> Result<()> {
        match self {
            Self::File(file) => file.commit_unless(keep),
            #[cfg(feature = "remote")]
            Self::Object(file) => super::bucket::put_unless(file, path, keep),
        }
    }
}

/// A file without a name in the folder for temporary files.
#[cfg(feature = "remote")]
fn scratch() -> Result<File> {
    tempfile::tempfile().map_err(Error::io("make a file in", std::env::temp_dir()))
}

/// Makes the three folders above a pack, but not the work folder: where that is gone, the run is over, and a worker that
/// outlived it must not begin another one.
fn make_folders(path: &Path) -> Result<()> {
    let mut folders: Vec<&Path> = path.ancestors().skip(1).take(3).collect();
    folders.reverse();
    for folder in folders {
        match std::fs::create_dir(folder) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(Error::io("make", folder)(e)),
            _ => {}
        }
    }
    Ok(())
}
