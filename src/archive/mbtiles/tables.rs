//! What else a database holds beside tiles and metadata.

use rusqlite::Connection;

use super::layout::words;

/// Interactivity grids of MBTiles 1.1, under the names that the specification and tilelive give them.
const GRIDS: [&str; 5] = ["grids", "grid_data", "grid_key", "grid_utfgrid", "keymap"];

/// Names of the tables with rows that are no part of `tiles` and `metadata`, in the order of their names.
pub(super) fn left_behind(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let text = "SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' \
                ESCAPE '\\' ORDER BY name";
    let mut statement = connection.prepare(text)?;
    let all = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?)))?;
    let all: Vec<(String, String, Option<String>)> = all.collect::<rusqlite::Result<_>>()?;
    let mut part: Vec<String> = vec!["tiles".to_owned(), "metadata".to_owned()];
    // Views stand on tables and on other views.
    loop {
        let known = part.len();
        for (name, kind, sql) in &all {
            if kind == "view" && is_in(&part, name) {
                let more = words(sql.as_deref().unwrap_or_default()).filter(|word| !is_in(&part, word));
                let more: Vec<String> = more.map(str::to_owned).collect();
                part.extend(more);
            }
        }
        if part.len() == known {
            break;
        }
    }
    let mut left = Vec::new();
    for (name, kind, _) in all {
        let counts = kind == "table" || GRIDS.contains(&name.to_ascii_lowercase().as_str());
        if !counts || is_in(&part, &name) {
            continue;
        }
        // A table that can't be read (of an extension that isn't there) is left behind too.
        let quoted = name.replace('"', "\"\"");
        let filled = connection.prepare(&format!("SELECT 1 FROM \"{quoted}\" LIMIT 1")).and_then(|mut s| s.exists([]));
        if filled.unwrap_or(true) {
            left.push(name);
        }
    }
    Ok(left)
}

fn is_in(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A message about tables that are not copied; `None` where there are none.
pub(super) fn word(left: &[String]) -> Option<String> {
    const NAMED: usize = 8;
    if left.is_empty() {
        return None;
    }
    let more = left.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let grids = left.iter().any(|name| GRIDS.contains(&name.to_ascii_lowercase().as_str()));
    let grids = if grids { " (UTFGrids)" } else { "" };
    let names = left[..left.len().min(NAMED)].join(", ");
    Some(format!("holds tables that are not read and not copied: {names}{more}{grids}; only tiles and metadata are"))
}
