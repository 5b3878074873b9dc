//! Archives by what their pixels hold: overlaps combined, tiles re-encoded, compared, and checked against their means.
//!
//! `archive` treats tiles as bytes, `terrain` knows what one tile means; here both meet. Everything works tile by tile on
//! all processors, and memory does not grow with the archives.

mod check;
mod coding;
mod combine;
mod compare;
mod geotiff;
mod legend;
mod lineage;
mod merge;
mod overviews;
mod overzoom;
mod pyramid;
mod recode;
mod statistics;
mod verify;

pub use check::{Decoded, ParentCheck, check_parents};
pub use coding::Coding;
pub use combine::{Combined, NO_INPUT, Rule, combine};
pub use compare::{Changed, changed, comparer};
pub use geotiff::{GeoTiff, NODATA, write_geotiff, write_tile_geotiff};
pub use merge::{LineageMerge, PixelMerge, merge_lineage, merge_pixels, merged_lineage_metadata};
pub use overviews::{Overviews, overviews, overviews_in_place, overviews_metadata};
pub use overzoom::{Overzoom, OverzoomPlan, Overzoomed, overzoom_in_place};
pub use recode::{RecodeOptions, recode, recode_as, recoded_metadata};
pub use statistics::{Statistics, sample};
pub use verify::{HeightRange, Parents, Verified, verify};
