//! Whole tables from one database into another, inside SQLite: rows go from page to page, nothing is taken apart.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::layout::Kind;
use super::reader::MbtilesReader;
use super::writer::MbtilesWriter;
use super::{connect, sql};
use crate::archive::TileSource;
use crate::archive::coverage::Coverage;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::threads::spawn;

/// How often the copy is asked how far it is and whether to stop.
const ASKED: Duration = Duration::from_millis(100);

/// What was found out about the rows of all sources.
#[derive(Debug, Default)]
pub(in crate::archive) struct Checked {
    /// The tiles, each once; `None` where the output's index has to show that none comes twice.
    pub(in crate::archive) coverage: Option<Coverage>,
    /// How many rows.
    pub(in crate::archive) rows: u64,
    /// The bytes of their contents.
    pub(in crate::archive) bytes: u64,
}

impl MbtilesReader {
    /// Counts rows and bytes of all contents, where the rows of `tiles` can be copied as they are: a table whose rows count from
    /// the south, each address once, every content some bytes. Else `None`. Reads all rows, but not their contents.
    ///
    /// # Errors
    /// Where the file can't be read or is damaged.
    pub(in crate::archive) fn plain_rows(&self) -> Result<Option<(u64, u64)>> {
        let layout = self.layout();
        let can = layout.kind == Kind::Table && layout.has_places() && !self.is_xyz();
        if !can || self.has_unique_index()? != Some(true) || connect::uri(self.path()).is_none() {
            return Ok(None);
        }
        // The addresses too: in a damaged file, table and index may differ.
        let text = "SELECT count(*), sum(length(tile_data)), min(typeof(tile_data) = 'blob' AND length(tile_data) > 0 \
                    AND zoom_level BETWEEN 0 AND 31 AND tile_column BETWEEN 0 AND (1 << zoom_level) - 1 \
                    AND tile_row BETWEEN 0 AND (1 << zoom_level) - 1) FROM tiles";
        let found = self.connection()?.query_row(text, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let (rows, bytes, sound): (i64, Option<i64>, Option<bool>) =
            found.map_err(sql("read the tiles", self.path()))?;
        Ok(sound.unwrap_or(true).then(|| (rows.unsigned_abs(), bytes.unwrap_or(0).unsigned_abs())))
    }
}

impl MbtilesWriter {
    /// Copies all tiles of `sources`, one archive after the other in the order of their rows, while `check` looks at them:
    /// it gives what it found, or `None` where they can't be copied like this. Then, and where the index shows that a tile came twice, nothing
    /// is left here, and the answer is false.
    ///
    /// SQLite copies whole records from tree to tree. Memory: its page cache, 2 MB.
    ///
    /// # Errors
    /// Those of `check`; where a source can't be read or changes meanwhile, the volume is full, or the user interrupts.
    pub(in crate::archive) fn copy(
        &mut self,
        sources: &[&MbtilesReader],
        check: impl FnOnce() -> Result<Option<Checked>>,
        progress: &dyn Progress,
    ) -> Result<bool> {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
        progress.begin("copying tiles", Some(sources.iter().map(|s| size(s.path())).sum()), "bytes");
        let stop = self.connection().get_interrupt_handle();
        let (given_up, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let output = self.temporary().to_path_buf();
        let waiting = thread::current();
        let ended = thread::scope(|scope| {
            let this = &mut *self;
            let copying = spawn(scope, || {
                let rows = this.copy_each(sources, &given_up);
                over.store(true, Ordering::Release);
                waiting.unpark();
                rows
            })?;
            let checked = check();
            given_up.store(!matches!(checked, Ok(Some(_))), Ordering::Relaxed);
            let mut seen = 0;
            while !over.load(Ordering::Acquire) {
                if progress.interrupted() {
                    given_up.store(true, Ordering::Relaxed);
                }
                if given_up.load(Ordering::Relaxed) {
                    stop.interrupt();
                }
                let now = size(&output).max(seen);
                progress.advance(now - seen);
                seen = now;
                thread::park_timeout(ASKED);
            }
            let lost = |_| Err(Error::Other("a thread ended before its work was done".to_owned()));
            Ok::<_, Error>((copying.join().unwrap_or_else(lost), checked))
        });
        progress.end();
        let (rows, checked) = ended?;
        let Some(checked) = checked? else { return self.restart().map(|()| false) };
        let (rows, expected) = (rows?, checked.rows);
        if rows != expected {
            let problem = format!("got {rows} tiles where the inputs had {expected}");
            let remedy = "another program is writing to an input: wait until it is done";
            return Err(Error::invalid("database", problem, remedy).with_path(self.target()));
        }
        let by_index = checked.coverage.is_none();
        self.account(checked.coverage.unwrap_or_default(), rows, checked.bytes);
        if by_index && !self.index_now()? {
            return self.restart().map(|()| false);
        }
        Ok(true)
    }

    /// Gives the number of rows that were copied.
    fn copy_each(&mut self, sources: &[&MbtilesReader], given_up: &AtomicBool) -> Result<u64> {
        let connection = self.connection();
        let begin = "COMMIT; PRAGMA cache_size = -2048";
        connection.execute_batch(begin).map_err(sql("begin to copy", self.target()))?;
        let mut rows = 0;
        for source in sources {
            if given_up.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let error = || {
                let (input, output) = (source.path(), self.target());
                move |error: rusqlite::Error| match error.sqlite_error_code() {
                    Some(ErrorCode::OperationInterrupted) => Error::Interrupted,
                    // What a full or failing volume says is about the output.
                    Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => sql("write", output)(error),
                    Some(ErrorCode::ConstraintViolation) => sql("copy the tiles into", output)(error),
                    _ => sql("copy the tiles of", input)(error),
                }
            };
            connect::attach(connection, source.path(), source.wal()).map_err(error())?;
            let columns = columns_of(connection).map_err(error())?;
            let text = format!("INSERT INTO main.tiles SELECT {columns} FROM source.tiles");
            rows += connection.execute(&text, []).map_err(error())? as u64;
            connection.execute_batch("DETACH source").map_err(error())?;
        }
        connection.execute_batch("BEGIN").map_err(sql("go on with", self.target()))?;
        Ok(rows)
    }
}

/// `*` where the attached table has the four columns in their order: SQLite then copies records whole.
fn columns_of(connection: &Connection) -> rusqlite::Result<&'static str> {
    const NAMES: &str = "zoom_level, tile_column, tile_row, tile_data";
    let text =
        "SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_table_xinfo('tiles', 'source') ORDER BY cid)";
    let found: Option<String> = connection.query_row(text, [], |row| row.get(0))?;
    Ok(if found.is_some_and(|names| names.eq_ignore_ascii_case(NAMES)) { "*" } else { NAMES })
}
