//! The names of sections that are no column of records (`columns.rs`) and no text of sources (`sources.rs`).

/// The schema of the header.
pub const SCHEMA: &str = "terrain-records";

macro_rules! names {
    ($($constant:ident = $text:literal),* $(,)?) => { $(pub(super) const $constant: &str = $text;)* };
}
names! {
    PARAMETERS = "store.parameters",
    METADATA = "store.metadata",
    PATH = "record.path",
    TREE = "record.tree",
    ID_KEYS = "id.keys",
    ID_ROWS = "id.rows",
    ID_DIRECTORY = "id.directory",
    SOURCE_RECORDS = "source.records",
    CRS_NAME = "crs.name",
    ZOOM_RUNS = "tile.zoom_runs",
    TILE_DIRECTORY = "tile.directory",
    RUN_START = "tile.run_start",
    RUN_RANK = "tile.run_rank",
    RUN_LIST = "tile.run_list",
    LIST = "tile.list",
}
