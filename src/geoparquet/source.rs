//! The bytes of a Parquet file, and what its footer says.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::table::unharmed;
use super::thrift::{Fault, Reader, kind};
use crate::error::{Error, Result};
use crate::{local, raster, url};

/// A file on a network is read into memory; a longer one is no index, bytes.
const LARGEST: u64 = 1 << 30;
/// A longer footer is none, bytes.
const LONGEST_FOOTER: u64 = 1 << 26;
/// Columns, and groups of columns, that a table may have.
const MOST_COLUMNS: usize = 1 << 16;
/// How deep columns may lie in groups.
const DEEPEST: usize = 32;
/// What a group of rows takes in a footer at least, bytes.
const LEAST_GROUP: usize = 16;
/// Rows that a table may have for each byte of its file: they have names, which differ, and these take some room however they are packed.
const MOST_ROWS: u64 = 64;
/// The first and the last bytes of a file.
const MAGIC: &[u8] = b"PAR1";

/// A file, or what was read of one.
#[derive(Debug)]
pub(super) struct Source {
    from: From,
    len: u64,
    path: PathBuf,
}

#[derive(Debug)]
enum From {
    File(File),
    Memory(Bytes),
}

impl Source {
    /// Opens a file, or fetches one.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (from, len) = if url::is_one(path) {
            let bytes = raster::objects().and_then(|objects| objects.read(path, LARGEST));
            let bytes = bytes.map_err(Error::io("read", path))?;
            let len = bytes.len() as u64;
            (From::Memory(bytes.into()), len)
        } else {
            let len = local::input(path)?.len();
            (From::File(File::open(path).map_err(Error::io("open", path))?), len)
        };
        Ok(Self { from, len, path: path.to_path_buf() })
    }

    /// `len` bytes at `at`; an error of another kind than of reading where they are not inside of the file.
    pub(super) fn read(&self, at: u64, len: u64) -> std::io::Result<Bytes> {
        let end = at.checked_add(len).filter(|&end| end <= self.len);
        let end = end.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        match &self.from {
            From::Memory(bytes) => Ok(bytes.slice(at as usize..end as usize)),
            From::File(file) => {
                let mut bytes = vec![0; len as usize];
                let mut file = file;
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }

    /// An error that names the file.
    pub(super) fn wrong(&self, problem: impl Into<String>) -> Error {
        let remedy = "write it again, or take another copy";
        Error::invalid("Parquet", problem, remedy).with_path(&self.path)
    }

    /// What the footer says of columns and of groups of rows.
    ///
    /// # Errors
    /// Where the file is no Parquet, is encrypted, or has a footer that is damaged or would take memory without bound.
    pub(super) fn footer(&self) -> Result<ParquetMetaData> {
        let read = |at, len| self.read(at, len).map_err(Error::io("read", &self.path));
        let least = 2 * MAGIC.len() as u64 + 4;
        if self.len < least || read(0, 4)? != MAGIC {
            return Err(self.wrong("is no Parquet file, or is encrypted"));
        }
        let end = read(self.len - 8, 8)?;
        let len = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
        if &end[4..] != MAGIC || len > self.len - least {
            return Err(self.wrong("is cut short: its footer is not there"));
        }
        if len > LONGEST_FOOTER {
            return Err(self.wrong(format!("has a footer of {len} bytes, more than {LONGEST_FOOTER}")));
        }
        let footer = read(self.len - 8 - len, len)?;
        check(&footer).map_err(|fault| match fault {
            Fault::Short => self.wrong("has a footer that ends too early"),
            Fault::Wrong(problem) => self.wrong(format!("has a footer that {problem}")),
        })?;
        let about = unharmed(|| ParquetMetaDataReader::decode_metadata(&footer))
            .map_err(|error| self.wrong(format!("has a footer that can't be read: {error}")))?;
        let rows = about
            .row_groups()
            .iter()
            .try_fold(0u64, |sum, group| u64::try_from(group.num_rows()).ok().and_then(|rows| sum.checked_add(rows)));
        match rows.filter(|&rows| rows <= self.len.saturating_mul(MOST_ROWS)) {
            Some(_) => Ok(about),
            None => Err(self.wrong("promises more rows than it can hold")),
        }
    }
}

/// Refuses a footer whose numbers would have a reader reserve memory, or call itself, without bound.
fn check(footer: &[u8]) -> Result<(), Fault> {
    let mut reader = Reader::new(footer);
    let (mut number, mut leaves) = (0, 0);
    while let Some(kind) = reader.field(&mut number)? {
        match (number, kind) {
            (2, kind::LIST) => leaves = check_columns(&mut reader)?,
            (4, kind::LIST) => {
                let (groups, kind) = reader.list()?;
                if kind != kind::STRUCT || groups > reader.left() / LEAST_GROUP {
                    return Err(Fault::Wrong("promises more groups of rows than it holds"));
                }
                (0..groups).try_for_each(|_| check_group(&mut reader, leaves))?;
            }
            _ => reader.skip(kind)?,
        }
    }
    Ok(())
}

/// Checks the tree of columns; gives how many leaves it has.
fn check_columns(reader: &mut Reader<'_>) -> Result<usize, Fault> {
    let (count, kind) = reader.list()?;
    if kind != kind::STRUCT || count > MOST_COLUMNS {
        return Err(Fault::Wrong("has too many columns"));
    }
    // Of each group that is begun, how many columns are still to come.
    let mut open: Vec<i64> = Vec::new();
    let mut leaves = 0;
    for _ in 0..count {
        let (mut number, mut children) = (0, 0);
        while let Some(kind) = reader.field(&mut number)? {
            match number {
                5 => children = reader.integer()?,
                _ => reader.skip(kind)?,
            }
        }
        if children > count as i64 {
            return Err(Fault::Wrong("promises more columns than it holds"));
        }
        leaves += usize::from(children <= 0);
        if let Some(rest) = open.last_mut() {
            *rest -= 1;
        }
        if children > 0 {
            open.push(children);
        }
        while open.last().is_some_and(|&rest| rest <= 0) {
            open.pop();
        }
        if open.len() > DEEPEST {
            return Err(Fault::Wrong("has columns too deep in one another"));
        }
    }
    Ok(leaves)
}

/// Checks a group of rows: it has no more columns than the tree of columns has leaves.
fn check_group(reader: &mut Reader<'_>, leaves: usize) -> Result<(), Fault> {
    let mut number = 0;
    while let Some(kind) = reader.field(&mut number)? {
        if (number, kind) == (1, kind::LIST) {
            let (columns, kind) = reader.list()?;
            if kind != kind::STRUCT || columns > leaves {
                return Err(Fault::Wrong("has a group of rows with more columns than there are"));
            }
            (0..columns).try_for_each(|_| reader.skip(kind))?;
        } else {
            reader.skip(kind)?;
        }
    }
    Ok(())
}
