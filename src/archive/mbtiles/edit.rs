//! New metadata of an MBTiles archive, in one transaction.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};
use serde_json::{Map, Value};

use super::direction::direction;
use super::layout::Layout;
use super::reader::MbtilesReader;
use super::{rows, sql};
use crate::archive::edit::{Edited, changes};
use crate::archive::{ArchiveMetadata, TileSource};
use crate::error::{Error, Result};

/// How long to wait for another program that writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Changes the rows of the table `metadata` whose values change, and no others.
pub(in crate::archive) fn edit(
    path: &Path,
    change: &mut dyn FnMut(&mut ArchiveMetadata) -> Result<()>,
) -> Result<Edited> {
    let mut connection = open(path)?;
    // Undoes what a killed writer left, before the archive is read.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = transaction.map_err(sql("begin to edit", path))?;
    let reader = MbtilesReader::open(path)?;
    let mut before = rows::parse(reader.rows());
    before.format = reader.metadata().format.clone();
    let edited = Edited::of(&before, change)?;
    if edited.changes.is_empty() {
        return Ok(edited);
    }
    let as_map = |metadata: &ArchiveMetadata| -> Map<String, Value> {
        rows::to_rows(metadata).into_iter().map(|(key, value)| (key, Value::from(value))).collect()
    };
    write(&transaction, &changes(&as_map(&before), &as_map(&edited.metadata))).map_err(sql("edit", path))?;
    if edited.metadata.bounds != before.bounds {
        let finest = reader.metadata().maxzoom;
        refuse_turned(&transaction, &reader, edited.metadata.bounds, finest).map_err(|error| error.with_path(path))?;
    }
    drop(reader);
    transaction.commit().map_err(sql("edit", path))?;
    connection.close().map_err(|(_, error)| sql("close", path)(error))?;
    Ok(edited)
}

/// Opens a database for writing. What it holds besides tables does not run.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sql("open for writing", path))?;
    let set = || {
        connection.busy_timeout(PATIENCE)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "synchronous", "FULL")
    };
    set().map_err(sql("open for writing", path))?;
    Ok(connection)
}

pub(super) fn write(connection: &Connection, changes: &[(String, crate::Json, crate::Json)]) -> rusqlite::Result<()> {
    let known = "SELECT 1 FROM sqlite_master WHERE name = 'metadata' AND type IN ('table', 'view')";
    if connection.query_row(known, [], |_| Ok(())).optional()?.is_none() {
        connection.execute_batch("CREATE TABLE metadata (name TEXT NOT NULL, value TEXT NOT NULL)")?;
    }
    for (key, _, new) in changes {
        // Several rows of one name become one.
        connection.execute("DELETE FROM metadata WHERE name = ?1", [key])?;
        if let Some(value) = new.value().as_str() {
            connection.execute("INSERT INTO metadata (name, value) VALUES (?1, ?2)", params![key, value])?;
        }
    }
    Ok(())
}

/// Refuses bounds by which readers would count the rows the other way round.
fn refuse_turned(
    connection: &Connection,
    reader: &MbtilesReader,
    bounds: Option<[f64; 4]>,
    finest: Option<u8>,
) -> Result<()> {
    let declared = reader.rows().get("scheme").map(String::as_str);
    let layout = Layout::of(connection).and_then(|layout| {
        layout.map(|layout| direction(connection, &layout, (bounds, finest), declared, None)).transpose()
    });
    match layout.map_err(sql("read the tiles", reader.path()))? {
        Some(found) if found.from_north != reader.is_xyz() => {
            let problem = "lie away from the tiles, but fit them upside down: readers would turn the rows. Compare them with what \
                           `archive::summary` shows";
            Err(Error::argument("bounds", problem))
        }
        _ => Ok(()),
    }
}
