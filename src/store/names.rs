//! The names of the sections of a terrain store, as in `store-format.md`.

/// The schema of the header.
pub const SCHEMA: &str = "terrain-records";

macro_rules! names {
    ($($constant:ident = $text:literal),* $(,)?) => { $(pub(super) const $constant: &str = $text;)* };
}
names! {
    PARAMETERS = "store.parameters",
    METADATA = "store.metadata",
    ID = "record.id",
    MIN_X = "record.min_x",
    MIN_Y = "record.min_y",
    MAX_X = "record.max_x",
    MAX_Y = "record.max_y",
    PIXEL_SIZE = "record.pixel_size",
    WIDTH = "record.width",
    HEIGHT = "record.height",
    NATIVE_ZOOM = "record.native_zoom",
    SOURCE = "record.source",
    PRIORITY = "record.priority",
    RANK = "record.rank",
    CRS = "record.crs",
    NODATA = "record.nodata",
    NODATA_SET = "record.nodata_set",
    DATA_TYPE = "record.data_type",
    FILE_SIZE = "record.file_size",
    MODIFIED = "record.modified",
    PARTS = "record.parts",
    BAND = "record.band",
    UNIT = "record.unit",
    SCALE = "record.scale",
    PATH = "record.path",
    TREE = "record.tree",
    ID_KEYS = "id.keys",
    ID_ROWS = "id.rows",
    ID_DIRECTORY = "id.directory",
    SOURCE_NAME = "source.name",
    SOURCE_ROOT = "source.root",
    SOURCE_ATTRIBUTION = "source.attribution",
    SOURCE_LICENCE = "source.licence",
    SOURCE_DATUM = "source.vertical_datum",
    SOURCE_RECORDS = "source.records",
    CRS_NAME = "crs.name",
    ZOOM_RUNS = "tile.zoom_runs",
    TILE_DIRECTORY = "tile.directory",
    RUN_START = "tile.run_start",
    RUN_RANK = "tile.run_rank",
    RUN_LIST = "tile.run_list",
    LIST = "tile.list",
}
