//! How a database keeps its tiles: a table, tables that share contents below a view, or a view of any kind.

use rusqlite::{Connection, OptionalExtension};

/// The tables of an archive, as SQL.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// What `tiles` is.
    pub(super) kind: Kind,
    /// The table (or view) of addresses.
    base: &'static str,
    /// Its columns: zoom, column, row.
    columns: [&'static str; 3],
    /// What has to be joined to it to get the place of a content.
    join: String,
    /// The expression of a content's place, where it has one.
    place: Option<String>,
    /// The table of contents, where they have places.
    contents: &'static str,
    /// True where an index leads to the addresses of one zoom.
    indexed: bool,
}

/// What `tiles` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum Kind {
    /// A table.
    Table,
    /// A view over a table of addresses and one of contents.
    Shared,
    /// Another view.
    View,
}

/// Schemas with contents of their own: addresses, their columns and key, contents and their key. The first is that of
/// the specification's authors; the others are found in the wild.
const SHARED: [(&str, [&str; 4], &str, &str); 3] = [
    ("map", ["zoom_level", "tile_column", "tile_row", "tile_id"], "images", "tile_id"),
    ("tiles_shallow", ["zoom_level", "tile_column", "tile_row", "tile_data_id"], "tiles_data", "tile_data_id"),
    ("tiles_shallow", ["TILES_COL_Z", "TILES_COL_X", "TILES_COL_Y", "TILES_COL_DATA_ID"], "tiles_data", "tile_data_id"),
];

/// Words in a view that may leave rows out or add some.
const NOT_PLAIN: [&str; 8] = ["where", "union", "except", "intersect", "limit", "group", "distinct", "case"];

impl Layout {
    /// Looks at the schema; `None` where there is nothing named `tiles`.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let text = "SELECT type, sql FROM sqlite_master WHERE name = 'tiles' AND type IN ('table', 'view')";
        let found = connection
            .query_row(text, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)))
            .optional()?;
        let Some((kind, definition)) = found else { return Ok(None) };
        let mut layout = Self {
            kind: if kind == "view" { Kind::View } else { Kind::Table },
            base: "tiles",
            columns: ["zoom_level", "tile_column", "tile_row"],
            join: String::new(),
            place: None,
            contents: "tiles",
            indexed: false,
        };
        let definition = definition.unwrap_or_default();
        if layout.kind == Kind::Table {
            // A table without rowids refuses the name.
            layout.place =
                connection.prepare("SELECT tiles.rowid FROM tiles").is_ok().then(|| "tiles.rowid".to_owned());
        } else if is_plain(&definition) {
            for (map, [z, x, y, key], images, id) in SHARED {
                let shared = Self {
                    kind: Kind::Shared,
                    base: map,
                    columns: [z, x, y],
                    join: format!(" CROSS JOIN {images} ON {images}.{id} = {map}.{key}"),
                    place: Some(format!("{images}.rowid")),
                    contents: images,
                    indexed: false,
                };
                if connection.prepare(&shared.select("")).is_ok() && connection.prepare(&shared.data()).is_ok() {
                    layout = shared;
                    break;
                }
            }
        }
        layout.indexed = layout.is_indexed(connection)?;
        Ok(Some(layout))
    }

    fn is_indexed(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", self.select(&self.in_zoom())))?;
        let mut steps = plan.query([0])?;
        // The first step is the walk over the addresses.
        let first = steps.next()?.map(|row| row.get::<_, String>(3)).transpose()?;
        Ok(first.is_some_and(|step| step.starts_with("SEARCH") && !step.contains("AUTOMATIC")))
    }

    /// True where an index leads to the addresses of one zoom.
    pub(super) fn indexed(&self) -> bool {
        self.indexed
    }

    /// True where tiles have places.
    pub(super) fn has_places(&self) -> bool {
        self.place.is_some()
    }

    /// Selects zoom, column, row and place (or -1) of all tiles, or of those that a condition leaves.
    pub(super) fn select(&self, condition: &str) -> String {
        let (base, [z, x, y]) = (self.base, self.columns);
        let place = self.place.as_deref().unwrap_or("-1");
        format!("SELECT {base}.{z}, {base}.{x}, {base}.{y}, {place} FROM {base}{}{condition}", self.join)
    }

    /// The condition for one zoom, `?1`.
    pub(super) fn in_zoom(&self) -> String {
        format!(" WHERE {}.{} = ?1", self.base, self.columns[0])
    }

    /// The condition for columns `?2` to `?3` and rows `?4` to `?5` of zoom `?1`.
    pub(super) fn in_block(&self) -> String {
        let (base, [_, x, y]) = (self.base, self.columns);
        format!("{} AND {base}.{x} BETWEEN ?2 AND ?3 AND {base}.{y} BETWEEN ?4 AND ?5", self.in_zoom())
    }

    /// Gives the next zoom above `?1` that has tiles.
    pub(super) fn next_zoom(&self) -> String {
        let (base, [z, _, _]) = (self.base, self.columns);
        format!("SELECT min({z}) FROM {base} WHERE {z} > ?1")
    }

    /// Gives the coarsest (or the finest) zoom that has tiles.
    pub(super) fn outermost_zoom(&self, finest: bool) -> String {
        let (base, [z, _, _], order) = (self.base, self.columns, if finest { "DESC" } else { "ASC" });
        format!("SELECT {z} FROM {base} WHERE {z} BETWEEN 0 AND 31 ORDER BY {z} {order} LIMIT 1")
    }

    /// Gives columns and rows of zoom `?1`, from column `?2` on, in ascending or descending order where an index has them so;
    /// at most `?3`.
    pub(super) fn addresses_from(&self, ascending: bool) -> String {
        let (base, [z, x, y]) = (self.base, self.columns);
        let from = if ascending { ">=" } else { "<=" };
        let order = if ascending { "ASC" } else { "DESC" };
        let order = if self.indexed { format!(" ORDER BY {x} {order}, {y} {order}") } else { String::new() };
        format!("SELECT {x}, {y} FROM {base} WHERE {z} = ?1 AND {x} {from} ?2{order} LIMIT ?3")
    }

    /// Gives the places of all contents of the address `?1`, `?2`, `?3`, in the order in which they were written where it is known.
    pub(super) fn places_at(&self) -> Option<[String; 2]> {
        let place = self.place.as_deref()?;
        let (base, [z, x, y]) = (self.base, self.columns);
        let all = format!(
            "SELECT {place} FROM {base}{} WHERE {base}.{z} = ?1 AND {base}.{x} = ?2 AND {base}.{y} = ?3",
            self.join
        );
        // Tables without rowids have none to order by; their primary keys let no address stand twice.
        Some([format!("{all} ORDER BY {base}.rowid"), all])
    }

    /// Counts the tiles.
    pub(super) fn count(&self) -> String {
        format!("SELECT count(*) FROM {}{}", self.base, self.join)
    }

    /// Counts the addresses, with and without a content; `None` where both are one row.
    pub(super) fn count_all(&self) -> Option<String> {
        (self.kind == Kind::Shared).then(|| format!("SELECT count(*) FROM {}", self.base))
    }

    /// Gives the content at place `?1`.
    pub(super) fn data(&self) -> String {
        format!("SELECT tile_data FROM {} WHERE rowid = ?1", self.contents)
    }

    /// The table of contents.
    pub(super) fn contents(&self) -> &'static str {
        self.contents
    }
}

/// True for a view that joins two tables and does nothing else.
fn is_plain(definition: &str) -> bool {
    let text = definition.to_ascii_lowercase();
    !words(&text).any(|word| NOT_PLAIN.contains(&word))
}

/// The words of a text in SQL.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}
