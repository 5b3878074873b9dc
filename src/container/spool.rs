//! Rows that are collected over several runs of a program, before a file is made of them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::checksum::Checksum;

const MAGIC: &[u8; 8] = b"hypsospl";
/// Magic, key and the checksum of both.
const HEADER: usize = 24;
/// Length of a row before it, checksum behind it.
const FRAME: u64 = 12;
/// Bytes that are held before they are written.
const BUFFER: usize = 1 << 20;

/// A scratch file of rows that survives an interruption. A build that takes hours, or whose source can be read only once, goes on
/// where it stopped.
///
/// A file of the store format is written in one pass. A program that may be interrupted collects its rows in a spool beside
/// it, and makes the file from them in the end. The caller decides what the bytes of a row are. Each row has a checksum. A row that
/// was cut off when a run ended is dropped by the next one.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// use hypso::container::Spool;
///
/// let path = folder.path().join("records.spool");
/// for run in 0..2 {
///     let mut spool = Spool::open(&path, 1)?;
///     assert_eq!(spool.len(), run * 10);
///     // Go on with the row after the last one that is there.
///     for row in spool.len()..spool.len() + 10 {
///         spool.push(row.to_string().as_bytes())?;
///     }
///     spool.sync()?;
/// }
/// let mut spool = Spool::open(&path, 1)?;
/// let mut bytes = 0;
/// spool.for_each(|_, row| Ok(bytes += row.len()))?;
/// assert_eq!(bytes, 30);
/// spool.remove()?;
/// # Ok::<(), hypso::Error>(())
/// ```
///
/// Costs: 12 bytes a row; opening reads what is there. Rows pass through a buffer of 1 MiB. Another version of hypso may refuse
/// the file: use it for work in progress only.
#[derive(Debug)]
pub struct Spool {
    file: File,
    path: PathBuf,
    rows: u64,
    end: u64,
    buffer: Vec<u8>,
}

impl Spool {
    /// Opens a spool, or makes it where there is none. `key` stands for what is collected, a hash of the settings for
    /// instance: rows of other settings must not be mixed with these.
    ///
    /// # Errors
    /// Where the file is something else, has another key, is open elsewhere, or can't be read or written.
    pub fn open(path: impl AsRef<Path>, key: u64) -> Result<Self> {
        let path = path.as_ref();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(Error::io("open", path))?;
        let bad = |problem: &str, remedy| Err(Error::invalid("spool", problem, remedy).with_path(path));
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return bad("is open in another process", "wait until that one ends"),
            // A file system without locks.
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", path)(e)),
        }
        let mut start = Vec::new();
        (&mut file).take(HEADER as u64).read_to_end(&mut start).map_err(Error::io("read", path))?;
        let header = header(key);
        if start.len() < HEADER && header.starts_with(&start) {
            // New, or cut off before its first row.
            file.seek(SeekFrom::Start(0)).map_err(Error::io("write", path))?;
            file.write_all(&header).map_err(Error::io("write", path))?;
        } else if !start.starts_with(MAGIC) || start.len() < HEADER {
            return bad("is no spool", "choose another name; it was left as it is");
        } else if start != header {
            return bad("collects something else (its key differs)", "finish or delete it, or choose another name");
        }
        let mut spool = Self { file, path: path.to_path_buf(), rows: 0, end: HEADER as u64, buffer: Vec::new() };
        let (rows, end) = spool.scan(|_, _| Ok(()))?;
        (spool.rows, spool.end) = (rows, end);
        spool.file.set_len(end).map_err(Error::io("write", path))?;
        spool.file.seek(SeekFrom::Start(end)).map_err(Error::io("write", path))?;
        Ok(spool)
    }

    /// How many rows there are: the number of the next one.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds a row. It survives the end of this process once [`flush`](Self::flush) has returned (each 1 MiB of rows is flushed
    /// without it), and the end of the machine after [`sync`](Self::sync).
    ///
    /// # Errors
    /// Where it has 4 GiB or more, or can't be written.
    pub fn push(&mut self, row: &[u8]) -> Result<()> {
        let Ok(length) = u32::try_from(row.len()) else {
            return Err(Error::argument("row", format!("has {} bytes; less than 4 GiB are possible", row.len())));
        };
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(row);
        self.buffer.extend_from_slice(&frame_sum(self.rows, row).to_le_bytes());
        self.rows += 1;
        self.end += FRAME + u64::from(length);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Hands what was added over to the system.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.buffer).map_err(Error::io("write", &self.path))?;
        self.buffer.clear();
        Ok(())
    }

    /// Makes what was added durable.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.file.sync_data().map_err(Error::io("sync", &self.path))
    }

    /// Calls `each` with every row in order, as often as wanted.
    ///
    /// # Errors
    /// Where the file can't be read or was altered, and what `each` returns.
    pub fn for_each(&mut self, each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        self.flush()?;
        let (rows, _) = self.scan(each)?;
        self.file.seek(SeekFrom::Start(self.end)).map_err(Error::io("read", &self.path))?;
        if rows == self.rows {
            return Ok(());
        }
        let problem = format!("row {rows} is not as it was written");
        Err(Error::invalid("spool", problem, "delete it and collect the rows again").with_path(&self.path))
    }

    /// Deletes the file.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(Error::io("delete", &self.path))
    }

    /// Reads whole rows up to the first one that is damaged; gives their number and where the last one ends.
    fn scan(&mut self, mut each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<(u64, u64)> {
        let failed = |e| Error::io("read", &self.path)(e);
        let length = self.file.metadata().map_err(failed)?.len();
        self.file.seek(SeekFrom::Start(HEADER as u64)).map_err(failed)?;
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        let (mut rows, mut end, mut row) = (0, HEADER as u64, Vec::new());
        while end + FRAME <= length {
            let (mut size, mut sum) = ([0; 4], [0; 8]);
            reader.read_exact(&mut size).map_err(failed)?;
            let size = u32::from_le_bytes(size);
            let next = end + FRAME + u64::from(size);
            if next > length {
                break;
            }
            row.resize(size as usize, 0);
            reader.read_exact(&mut row).map_err(failed)?;
            reader.read_exact(&mut sum).map_err(failed)?;
            if u64::from_le_bytes(sum) != frame_sum(rows, &row) {
                break;
            }
            each(rows, &row)?;
            (rows, end) = (rows + 1, next);
        }
        Ok((rows, end))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // To be sure that it is on the disk, call `sync`.
        let _ = self.flush();
    }
}

fn header(key: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&key.to_le_bytes());
    let mut sum = Checksum::default();
    sum.update(&bytes);
    bytes.extend_from_slice(&sum.digest().to_le_bytes());
    bytes
}

/// The checksum covers the row's number too, so that a row is never taken for another one.
fn frame_sum(number: u64, row: &[u8]) -> u64 {
    let mut sum = Checksum::default();
    sum.update(&number.to_le_bytes());
    sum.update(row);
    sum.digest()
}

#[cfg(all(test, feature = "engine"))]
mod tests {
    use super::*;

    fn row(i: u64) -> Vec<u8> {
        vec![i as u8; (i * 7 % 23) as usize]
    }

    fn rows(spool: &mut Spool) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let each = |number, row: &[u8]| {
            assert_eq!(number, found.len() as u64);
            found.push(row.to_vec());
            Ok(())
        };
        spool.for_each(each).unwrap();
        found
    }

    #[test]
    fn a_spool_that_was_cut_anywhere_goes_on_with_the_last_whole_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.spool");
        let mut spool = Spool::open(&path, 5).unwrap();
        let mut ends = vec![HEADER as u64];
        for i in 0..40 {
            spool.push(&row(i)).unwrap();
            ends.push(spool.end);
        }
        drop(spool);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len() as u64, ends[40]);
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut spool = Spool::open(&path, 5).unwrap();
            let there = ends.partition_point(|&end| end <= cut as u64).saturating_sub(1) as u64;
            assert_eq!(spool.len(), there, "cut at {cut}");
            for i in spool.len()..40 {
                spool.push(&row(i)).unwrap();
            }
            assert!(rows(&mut spool) == (0..40).map(row).collect::<Vec<_>>());
            spool.sync().unwrap();
            assert!(std::fs::read(&path).unwrap() == whole);
        }
    }

    #[test]
    fn what_is_altered_or_something_else_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.spool");
        let mut spool = Spool::open(&path, 5).unwrap();
        (0..40).for_each(|i| spool.push(&row(i)).unwrap());
        assert!(Spool::open(&path, 5).unwrap_err().to_string().contains("another process"));
        spool.sync().unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut altered = whole.clone();
        altered[200] ^= 1;
        std::fs::write(&path, &altered).unwrap();
        let message = spool.for_each(|_, _| Ok(())).unwrap_err().to_string();
        assert!(message.contains("a.spool") && message.contains("not as it was written"), "{message}");
        drop(spool);
        assert!(Spool::open(&path, 5).unwrap().len() < 40);
        assert!(Spool::open(&path, 6).unwrap_err().to_string().contains("key"));
        for other in [&b"short"[..], b"something else that is longer than a header"] {
            std::fs::write(&path, other).unwrap();
            assert!(Spool::open(&path, 5).unwrap_err().to_string().contains("no spool"));
            assert_eq!(std::fs::read(&path).unwrap(), other);
        }
        std::fs::write(&path, b"").unwrap();
        Spool::open(&path, 5).unwrap().remove().unwrap();
        assert!(!path.exists());
    }
}
