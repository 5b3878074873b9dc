//! Whole tables from one database into another, inside SQLite: records are copied whole, without decoding them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::blob::Blob;
use rusqlite::{Connection, ErrorCode, InterruptHandle};

use super::layout::Kind;
use super::reader::MbtilesReader;
use super::writer::MbtilesWriter;
use super::{connect, sql};
use crate::archive::coverage::Coverage;
use crate::archive::form::plain;
use crate::archive::seen::Fence;
use crate::archive::{TileForm, TileFormat, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::threads::spawn;
use crate::tile::TileCoord;

/// How often the progress of the copy and an interruption are checked.
const ASKED: Duration = Duration::from_millis(100);

/// What was found about the rows of all sources.
#[derive(Debug, Default)]
pub(in crate::archive) struct Checked {
    /// The tiles, each once; `None` where the output's index has to show that none comes twice.
    pub(in crate::archive) coverage: Option<Coverage>,
    /// How many rows.
    pub(in crate::archive) rows: u64,
    /// The bytes of their contents.
    pub(in crate::archive) bytes: u64,
}

/// What a row has to be to be copied as it is.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Plain {
    pub(in crate::archive) form: TileForm,
    /// The format that the output declares.
    pub(in crate::archive) format: TileFormat,
    /// The bounds that the output declares.
    pub(in crate::archive) fence: Option<Fence>,
}

/// How much of a content is looked at; it lies in the row's own page.
const HEAD: usize = 16;

impl Plain {
    fn takes(&self, tile: Option<TileCoord>, head: &[u8]) -> bool {
        let inside = tile.is_some_and(|tile| self.fence.as_ref().is_none_or(|fence| fence.holds(tile)));
        // Vector tiles are recognised by their compression. Tiles that show nothing are taken for what the metadata say.
        let format = plain(head, false).is_none_or(|found| found == self.format);
        inside && format && self.form.keeps(head)
    }
}

impl MbtilesReader {
    /// Counts rows and bytes of all contents, where the rows of `tiles` can be copied as they are: a table whose rows count from
    /// the south, each address once, every content some bytes as `wanted`. Else `None`. Reads all rows, and the first bytes of their
    /// contents.
    ///
    /// # Errors
    /// Where the file can't be read or is damaged.
    pub(in crate::archive) fn plain_rows(&self, wanted: &Plain) -> Result<Option<(u64, u64)>> {
        let layout = self.layout();
        let can = layout.kind == Kind::Table && layout.has_places() && !self.is_xyz();
        if !can || self.has_unique_index()? != Some(true) || connect::uri(self.path()).is_none() {
            return Ok(None);
        }
        let connection = self.connection()?;
        let error = || sql("read the tiles", self.path());
        // The addresses too: in a damaged file, table and index may differ.
        let text = "SELECT rowid, zoom_level, tile_column, tile_row, typeof(tile_data) = 'blob' AND typeof(zoom_level) = 'integer' \
                    AND typeof(tile_column) = 'integer' AND typeof(tile_row) = 'integer', length(tile_data) FROM tiles";
        let mut statement = connection.prepare(text).map_err(error())?;
        let mut rows = statement.query([]).map_err(error())?;
        let mut blob: Option<Blob<'_>> = None;
        let (mut count, mut bytes, mut head) = (0, 0, [0; HEAD]);
        while let Some(row) = rows.next().map_err(error())? {
            if !row.get::<_, bool>(4).map_err(error())? {
                return Ok(None);
            }
            let number = |n: usize| row.get::<_, i64>(n).map_err(error());
            let (id, length) = (number(0)?, number(5)?.unsigned_abs());
            let opened = match &mut blob {
                Some(open) => open.reopen(id).map(|()| open),
                None => connection.blob_open("main", "tiles", "tile_data", id, true).map(|open| blob.insert(open)),
            };
            let open = opened.map_err(error())?;
            let known = HEAD.min(open.len());
            open.read_at_exact(&mut head[..known], 0).map_err(error())?;
            if known == 0 || !wanted.takes(self.coord(number(1)?, number(2)?, number(3)?), &head[..known]) {
                return Ok(None);
            }
            (count, bytes) = (count + 1, bytes + length);
        }
        Ok(Some((count, bytes)))
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
        let given_up = AtomicBool::new(false);
        let output = self.temporary().to_path_buf();
        let waiting = thread::current();
        let ended = thread::scope(|scope| {
            let this = &mut *self;
            let copying = spawn(scope, || {
                let _wake = Wake(waiting);
                this.copy_each(sources, &given_up)
            });
            // Where the system refuses threads, tiles are copied one by one.
            let Ok(copying) = copying else { return None };
            let checked = {
                let _stop = StopOnPanic(&given_up, &stop);
                check()
            };
            given_up.store(!matches!(checked, Ok(Some(_))), Ordering::Relaxed);
            let mut seen = 0;
            while !copying.is_finished() {
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
            let lost = |_| Err(Error::internal("a thread ended before its work was done"));
            Some((copying.join().unwrap_or_else(lost), checked))
        });
        progress.end();
        let Some((rows, checked)) = ended else { return Ok(false) };
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

/// Wakes a thread that waits for this one, however this one ends.
struct Wake(thread::Thread);

impl Drop for Wake {
    fn drop(&mut self) {
        self.0.unpark();
    }
}

/// Where this thread unwinds, the others do not wait for the copy to be whole.
struct StopOnPanic<'a>(&'a AtomicBool, &'a InterruptHandle);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
            self.1.interrupt();
        }
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
