//! Connections to a database that is only read.

use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::sql;
use crate::error::{Error, Result};

/// Pages that a connection keeps, KiB.
const CACHE_KIB: i64 = 4096;
/// The largest text or content in the smallest file, bytes.
const SHORTEST_LIMIT: u64 = 1 << 20;

/// Steps of SQLite's machine that one use of a connection may take in the smallest file, and for each byte of a larger one. A walk over
/// a table, or over a view that joins some, takes less than one step a byte.
const FEWEST_STEPS: u64 = 50_000_000;
const STEPS_A_BYTE: u64 = 20;
/// Steps of SQLite between two checks of the limit.
const LOOK: i32 = 10_000;

/// Connections of one database, one for each thread that reads at a time.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Limited>>,
    path: PathBuf,
    wal: bool,
    size: u64,
    /// Scans that are under way.
    scans: AtomicUsize,
}

/// A connection, and how many such checks are left: a view may have no end.
#[derive(Debug)]
struct Limited {
    connection: Connection,
    left: Arc<AtomicU64>,
}

impl Pool {
    /// Checks the file and opens the first connection.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (wal, size) = check_file(path)?;
        let first = connect(path, wal, size)?;
        Ok(Self { idle: Mutex::new(vec![first]), path: path.to_path_buf(), wal, size, scans: AtomicUsize::new(0) })
    }

    /// A connection that nothing else uses until it is dropped.
    pub(super) fn get(&self) -> Result<Lease<'_>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, self.wal, self.size)?,
        };
        connection.left.store(looks(self.size), Ordering::Relaxed);
        let lease = Lease { connection: Some(connection), pool: self };
        if self.scanning() && lease.is_autocommit() {
            // Else every single read would lock the file, look for journals beside it, and unlock it again.
            lease.execute_batch("BEGIN").map_err(sql("begin to read", &self.path))?;
        }
        Ok(lease)
    }

    /// Many reads follow: until as many calls of [`end_scan`](Self::end_scan), each connection reads in one transaction.
    pub(super) fn begin_scan(&self) {
        self.scans.fetch_add(1, Ordering::Relaxed);
    }

    /// A scan is over; the last one releases the file.
    pub(super) fn end_scan(&self) {
        if self.scans.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|c| release(&c.connection));
        }
    }

    /// True where the database is in WAL mode.
    pub(super) fn wal(&self) -> bool {
        self.wal
    }

    /// The size of the file when it was opened and of its log, bytes: no content can be larger.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    fn scanning(&self) -> bool {
        self.scans.load(Ordering::Relaxed) > 0
    }
}

/// Ends a read transaction; one that can't be ended goes with its connection.
fn release(connection: &Connection) {
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("COMMIT");
    }
}

/// A connection that goes back to its pool.
#[derive(Debug)]
pub(in crate::archive) struct Lease<'a> {
    connection: Option<Limited>,
    pool: &'a Pool,
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match &self.connection {
            Some(limited) => &limited.connection,
            None => unreachable!("taken in drop only"),
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Looked at under the lock, so that the end of the last scan misses no connection.
            let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.pool.scanning() {
                release(&connection.connection);
            }
            idle.push(connection);
        }
    }
}

/// Checks what SQLite checks late or never: an empty or truncated file. True where the database is in WAL mode;
/// and the size of file and log, bytes.
fn check_file(path: &Path) -> Result<(bool, u64)> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let size = file.metadata().map_err(Error::io("read the size of", path))?.len();
    let mut head = [0u8; 100];
    let truncated = |expected: u64| {
        Error::invalid(
            "database",
            format!("expected {expected} bytes, found {size}"),
            "the file is truncated: copy or make it again",
        )
        .with_path(path)
    };
    file.read_exact(&mut head).map_err(|_| truncated(100))?;
    let u32_at = |at: usize| u64::from(u32::from_be_bytes(std::array::from_fn(|i| head[at + i])));
    let page = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        other => other,
    };
    // The page count in the header counts only where the writer kept it up to date (SQLite file format, 1.3.7).
    let whole = u32_at(28) * page;
    let wal = head[18] == 2 || head[19] == 2;
    if u32_at(24) == u32_at(92) && size < whole && !wal {
        return Err(truncated(whole));
    }
    Ok((wal, size + log_size(path)))
}

/// Opens the database read-only. One in WAL mode without a log beside it is opened as immutable, so that SQLite makes no
/// files of its own in the folder.
fn connect(path: &Path, wal: bool, size: u64) -> Result<Limited> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let log_is_empty = log_size(path) == 0;
    let opened = match uri(path).map(|uri| uri + "?immutable=1").filter(|_| wal && log_is_empty) {
        Some(uri) => Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI),
        None => Connection::open_with_flags(path, flags),
    };
    let connection = opened.map_err(sql("open", path))?;
    // A view could make up contents of any size.
    let longest = i32::try_from(size.max(SHORTEST_LIMIT)).unwrap_or(i32::MAX);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest).map_err(sql("open", path))?;
    connection.set_prepared_statement_cache_capacity(8);
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(sql("open", path))?;
    let left = Arc::new(AtomicU64::new(looks(size)));
    let count = Arc::clone(&left);
    let exhausted =
        move || count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err();
    connection.progress_handler(LOOK, Some(exhausted));
    Ok(Limited { connection, left })
}

/// How many checks a use of a connection may take before its statements are ended.
fn looks(size: u64) -> u64 {
    (FEWEST_STEPS + size.saturating_mul(STEPS_A_BYTE)) / LOOK as u64
}

fn log_size(path: &Path) -> u64 {
    size_beside(path, "-wal")
}

/// The size of a file that SQLite keeps beside a database; 0 without it.
fn size_beside(path: &Path, ending: &str) -> u64 {
    std::fs::metadata(crate::local::with_ending(path, ending)).map_or(0, |m| m.len())
}

/// Where SQLite can't read because of a file beside the database: which one, why, and the way out.
pub(super) fn unread_log(path: &Path, error: &rusqlite::Error) -> Option<Error> {
    let refused = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure)
    );
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let invalid = |problem: String, remedy| Some(Error::invalid("database", problem, remedy).with_path(path));
    if refused && size_beside(path, "-journal") > 0 {
        return invalid(
            format!(
                "its writer was stopped in the middle of a change, which {name}-journal beside it has to undo first ({error})"
            ),
            "let SQLite undo it with `sqlite3 FILE \"SELECT 1 FROM sqlite_master\"` where file and folder can be written, or in a copy of \
             both files; without the journal the tiles would be torn",
        );
    }
    if refused && log_size(path) > 0 {
        return invalid(
            format!(
                "its latest tiles are in {name}-wal beside it, which SQLite can't read in a folder that it may not write to ({error})"
            ),
            "copy both files into a folder that can be written and give that copy, or write the log back there first: \
             `sqlite3 FILE \"PRAGMA wal_checkpoint(TRUNCATE)\"`",
        );
    }
    None
}

/// Attaches a database as `source`, read-only, as [`connect`] would open it.
pub(super) fn attach(connection: &Connection, path: &Path, wal: bool) -> rusqlite::Result<()> {
    let Some(uri) = uri(path) else { return Err(rusqlite::Error::InvalidPath(path.to_path_buf())) };
    let how = if wal && log_size(path) == 0 { "?immutable=1" } else { "?mode=ro" };
    connection.execute("ATTACH ?1 AS source", [uri + how])?;
    // A database that is only read must not get the output's exclusive locks.
    connection.pragma_update_and_check(Some("source"), "locking_mode", "NORMAL", |_| Ok(()))
}

/// The path as SQLite's URI, without parameters; `None` where it is no text.
pub(super) fn uri(path: &Path) -> Option<String> {
    let absolute = std::path::absolute(path).ok()?;
    let mut uri = String::from("file:");
    for byte in absolute.to_str()?.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(byte as char),
            other => uri += &format!("%{other:02X}"),
        }
    }
    Some(uri)
}
