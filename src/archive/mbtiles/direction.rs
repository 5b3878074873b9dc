//! Which way the rows of a database count, and which zooms have tiles. The tiles tell, not rows of metadata.

use rusqlite::{Connection, OptionalExtension};

use super::layout::Layout;
use crate::archive::scheme::{Fit, Scheme, Verdict};

/// Columns at which addresses are looked up to be compared with the bounds.
const COLUMNS: i64 = 16;
/// Addresses that are taken at each of them, from either end.
const AT_EACH: i64 = 4;

/// The coarsest and the finest zoom with tiles. Two look-ups where there is an index, else two passes over the addresses.
pub(super) fn zooms(connection: &Connection, layout: &Layout) -> rusqlite::Result<Option<(u8, u8)>> {
    let end = |finest| {
        let text = layout.outermost_zoom(finest);
        // A zoom that is no number is found by the walk over the tiles.
        connection.query_row(&text, [], |row| Ok(row.get::<_, u8>(0).ok())).optional().map(Option::flatten)
    };
    Ok(end(false)?.zip(end(true)?))
}

/// How rows count.
#[derive(Debug, Clone, Default)]
pub(super) struct Direction {
    pub(super) from_north: bool,
    /// What is odd about it, as a message for the user.
    pub(super) warning: Option<String>,
}

/// Rows count from the south, as MBTiles demands, unless the bounds fit the tiles of the finest zoom only the other way. A row
/// `scheme` is not believed: programs copy it from TileJSON, where it says how tiles are served. `asked` overrules all.
pub(super) fn direction(
    connection: &Connection,
    layout: &Layout,
    (bounds, finest): (Option<[f64; 4]>, Option<u8>),
    declared: Option<&str>,
    asked: Option<Scheme>,
) -> rusqlite::Result<Direction> {
    let verdict = match (bounds, finest) {
        (Some(bounds), Some(zoom)) => {
            let sample = sample(connection, layout, zoom)?;
            let used = if asked == Some(Scheme::Xyz) { Scheme::Xyz } else { Scheme::Tms };
            let other = if used == Scheme::Xyz { Scheme::Tms } else { Scheme::Xyz };
            Fit::of(bounds, zoom, &sample).verdict(used, &[other])
        }
        _ => Verdict::Fits,
    };
    let says_xyz = declared.is_some_and(|scheme| Scheme::from_name(scheme) == Some(Scheme::Xyz));
    let (from_north, warning) = match (asked, verdict) {
        (Some(asked), Verdict::Fits) => (asked == Scheme::Xyz, None),
        (Some(asked), Verdict::Other(other) | Verdict::Doubtful(other)) => {
            let text = format!("its bounds fit rows as {} has them, but it is read as {}", other.name(), asked.name());
            (asked == Scheme::Xyz, Some(text))
        }
        (None, Verdict::Other(_)) => {
            (true, Some("its rows count from the north (XYZ), as its bounds show; MBTiles demands TMS".to_owned()))
        }
        (None, Verdict::Doubtful(_)) => {
            let text = "its bounds fit rows from the north (XYZ) better; read from the south (TMS), as MBTiles demands: say \
                        `scheme = xyz` where that is wrong";
            (false, Some(text.to_owned()))
        }
        (None, Verdict::Fits) if says_xyz => {
            let text =
                "the row \"scheme\" says xyz; read as TMS, as MBTiles demands (`scheme = xyz` where that is wrong)";
            (false, Some(text.to_owned()))
        }
        (None, Verdict::Fits) => (false, None),
    };
    Ok(Direction { from_north, warning })
}

/// Addresses of a zoom, spread over its columns and taken from both ends of each.
fn sample(connection: &Connection, layout: &Layout, zoom: u8) -> rusqlite::Result<Vec<(u32, u32)>> {
    let read = |ascending: bool, from: i64, limit: i64| -> rusqlite::Result<Vec<(u32, u32)>> {
        let mut statement = connection.prepare_cached(&layout.addresses_from(ascending))?;
        let rows = statement.query_map((zoom, from, limit), |row| Ok(row.get(0).ok().zip(row.get(1).ok())))?;
        // What is no number is found by the walk over the tiles.
        rows.filter_map(rusqlite::Result::transpose).collect()
    };
    if !layout.indexed() {
        return read(true, 0, COLUMNS * AT_EACH * 16);
    }
    let mut found = read(true, 0, AT_EACH)?;
    found.extend(read(false, (1i64 << zoom) - 1, AT_EACH)?);
    let columns = || found.iter().map(|&(column, _)| i64::from(column));
    let Some((west, east)) = columns().min().zip(columns().max()) else { return Ok(found) };
    for n in 0..COLUMNS {
        let from = west + (east - west) * n / COLUMNS;
        found.extend(read(true, from, AT_EACH)?);
        found.extend(read(false, from, AT_EACH)?);
    }
    Ok(found)
}
