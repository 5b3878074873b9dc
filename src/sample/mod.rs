//! A realistic multi-source data set made by our own code.
//!
//! A fictitious island in the sea off Honshu, surveyed three times: coarsely all over, finer over its middle, and finest
//! over one valley. The files have what real ones have: three CRSs, int16 and float32, tiles and strips, deflate, LZW and
//! no compression, holes, sea, files that abut and overlap, a mesh that was never flown. The same seed gives the same
//! bytes.

mod land;
mod layout;
mod manifest;
mod noise;
mod utm;
mod write;

pub use layout::{Sheet, Size, Survey, sheets};
pub use write::{SampleSummary, write};
