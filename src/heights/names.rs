//! The schema: the sections of a file of heights, as in `docs/heights-format.md`.

use crate::format::layout::MAGIC;

/// The schema in the header.
pub const SCHEMA: &str = "terrain-heights";

/// True where the first bytes of a file (128 of them) say that it holds heights.
#[must_use]
pub fn is_heights(head: &[u8]) -> bool {
    let schema = &head[head.len().min(SCHEMA_OFFSET)..];
    head.starts_with(&MAGIC) && schema.starts_with(SCHEMA.as_bytes()) && schema.get(SCHEMA.len()) == Some(&0)
}

/// Where the schema stands in the header.
const SCHEMA_OFFSET: usize = 48;

/// `[scale, offset]`: a height is `code * scale + offset` metres.
pub(super) const CODING: &str = "coding";
/// `[pixels along a tile's side]`.
pub(super) const SIZE: &str = "tile.size";
/// The first identifier of each run of consecutive tiles.
pub(super) const RUN_FIRST: &str = "run.first";
/// The directory over them.
pub(super) const RUN_DIRECTORY: &str = "run.directory";
/// How many tiles lie before each run; one more than runs.
pub(super) const RUN_RANK: &str = "run.rank";
/// What the archive says about itself, JSON.
pub(super) const METADATA: &str = "metadata";
/// What heights are measured from: one text, empty where it is not known.
pub(super) const DATUM: &str = "datum";
/// The names of the sources in the lineage.
pub(super) const SOURCES: &str = "source.name";

/// The prefix of the sections that hold codes of heights.
pub(super) const HEIGHT: &str = "height";
/// The prefix of those that hold the number of each pixel's source.
pub(super) const LINEAGE: &str = "lineage";

/// Behind a prefix: the content of each tile.
pub(super) const CONTENT: &str = "content";
/// Where the data of each content start.
pub(super) const START: &str = "start";
/// The directories of all contents, one entry for each block.
pub(super) const BLOCK: &str = "block";
/// The blocks.
pub(super) const DATA: &str = "data";
/// The least code of each content.
pub(super) const LEAST: &str = "least";
/// The greatest code.
pub(super) const GREATEST: &str = "greatest";
/// How many pixels are valid.
pub(super) const VALID: &str = "valid";
/// The sum of the codes of valid pixels.
pub(super) const SUM: &str = "sum";
/// The code of void pixels in the image that the content was made of.
pub(super) const VOID: &str = "void";
